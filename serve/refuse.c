/* Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

#include "serve/refuse.h"

#include "apr_strings.h"
#include "http_core.h"
#include "http_main.h"
#include "http_protocol.h"
#include "http_ssl.h"

#include "module/counters.h"
#include "module/limit.h"
#include "module/stock.h"
#include "module/words.h"
#include "serve/acme.h"
#include "tls/library.h"
#include "tls/store.h"

/* Where an ACME server asks for http-01 (RFC 8555, 8.3). */
#define ACME_HTTP01 "/.well-known/acme-challenge/"

/* ----- from what is written to what holds ----- */

apr_status_t snivhost_refuse_freeze(const snivhost_refuse_t **prefuse,
                                    const snivhost_refuse_conf_t *conf,
                                    apr_pool_t *p, apr_pool_t *ptemp)
{
    snivhost_refuse_t *refuse;
    sniv_names_builder_t *names;
    int i;

    *prefuse = NULL;
    if (conf->unknown_sni <= 0 && conf->missing_sni <= 0
        && conf->unknown_host <= 0) {
        return APR_SUCCESS;
    }
    refuse = apr_pcalloc(p, sizeof(*refuse));
    refuse->unknown_sni = conf->unknown_sni > 0;
    refuse->missing_sni = conf->missing_sni > 0;
    refuse->unknown_host = conf->unknown_host > 0;
    *prefuse = refuse;
    if (!conf->allow)
        return APR_SUCCESS;

    names = sniv_names_builder_make(ptemp, conf->allow->nelts);
    for (i = 0; i < conf->allow->nelts; i++) {
        const char *name = APR_ARRAY_IDX(conf->allow, i, const char *);
        apr_status_t rv;

        if (!strcmp(name, "-")) {
            refuse->allow_nameless = 1;
            continue;
        }
        rv = sniv_names_add(names, name, ap_is_matchexp(name), 0);
        if (rv != APR_SUCCESS)
            return rv;
    }
    return sniv_names_build(&refuse->allow, names, p);
}

const snivhost_refuse_t *const *
snivhost_refuse_make(const sniv_table_t *table, apr_pool_t *p,
                       apr_pool_t *ptemp)
{
    const snivhost_refuse_t **all =
        apr_pcalloc(p, (table->nsets + 1) * sizeof(*all));
    int i;

    for (i = 0; i <= table->nsets; i++) {
        const sniv_vhost_t *v = i < table->nsets ? table->sets[i]->members[0]
                                                 : table->main_server;

        if (snivhost_refuse_freeze(&all[i], snivhost_conf(v->server)->refuse,
                                   p, ptemp) != APR_SUCCESS) {
            return NULL;
        }
    }
    return all;
}

const snivhost_refuse_t *snivhost_refuse_of(const sniv_set_t *set)
{
    const snivhost_live_t *live = snivhost_live;

    return live->refuse[set ? set->number : live->table->nsets];
}

int snivhost_refuse_in_handshakes(void)
{
    return snivhost_conf(ap_server_conf)->refuses_handshakes;
}

static int is_in_handshakes(server_rec *main_server)
{
    server_rec *s;

    if (snivhost_conf(main_server)->mode != SNIVHOST_ON)
        return 0;
    for (s = main_server; s; s = s->next) {
        const snivhost_refuse_conf_t *conf = snivhost_conf(s)->refuse;

        if (conf->unknown_sni > 0 || conf->missing_sni > 0)
            return 1;
    }
    return 0;
}

/* One of these directives in a virtual host that speaks for no address would
 * silently have no effect. */
int snivhost_refuse_check_config(apr_pool_t *p, apr_pool_t *plog,
                                 apr_pool_t *ptemp, server_rec *s)
{
    const sniv_table_t *table = NULL;
    server_rec *v;
    int i, j;

    (void)p;
    (void)plog;
    snivhost_conf(s)->refuses_handshakes = is_in_handshakes(s);
    if (snivhost_conf(s)->refuses_handshakes
        && !snivhost_library_is_shared()) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL,
                     "SNIV0241: SNIVHostUnknownSNI and SNIVHostMissingSNI "
                     "cannot refuse handshakes with another OpenSSL than that "
                     "of mod_ssl (SNIV0240)");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    for (v = s->next; v; v = v->next) {
        const ap_directive_t *first = snivhost_conf(v)->refuse->first;
        const sniv_vhost_t *speaker = NULL;
        const sniv_set_t *set = NULL;

        if (!first)
            continue;
        if (!table && snivhost_table_make(&table, s, ptemp, ptemp)
                      != APR_SUCCESS) {
            return HTTP_INTERNAL_SERVER_ERROR;
        }
        for (i = 0; i < table->nsets && (!speaker || speaker->server != v);
             i++) {
            for (j = 0; j < table->sets[i]->nmembers; j++) {
                if (table->sets[i]->members[j]->server == v) {
                    set = table->sets[i];
                    speaker = set->members[0];
                    break;
                }
            }
        }
        if (speaker && speaker->server == v)
            continue;
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "SNIV0600: %s:%d: %s "
                     "applies to an address, but %s is not the first virtual "
                     "host of %s%s%s: write it there, or in the main server "
                     "for all addresses", first->filename,
                     first->line_num, first->directive,
                     v->server_hostname, set ? snivhost_set_text(ptemp, set)
                                             : "any",
                     speaker ? ", which is " : "",
                     speaker ? snivhost_vhost_text(ptemp, speaker) : "");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

/* ----- judging ----- */

static int is_allowed(const snivhost_refuse_t *refuse, const char *name,
                      apr_size_t len)
{
    sniv_names_hit_t hit;

    return refuse->allow && sniv_names_find(refuse->allow, name, len, &hit);
}

/* No virtual host has the name. Is it allowed, or do the folders
 * of the default have a certificate for it (mass hosting)? */
static int is_served(const snivhost_refuse_t *refuse,
                     const sniv_decision_t *d, const char *name,
                     apr_size_t len)
{
    const sniv_vhost_t *first = d->set ? d->set->members[0] : d->vhost;

    return is_allowed(refuse, name, len)
           || (first->server && snivhost_store_has(first->server, name, len));
}

int snivhost_refuses_hello(const snivhost_refuse_t *refuse,
                                  const sniv_decision_t *d, const char *name,
                                  apr_size_t len)
{
    if (!refuse)
        return 0;
    if (!name) {
        return refuse->missing_sni && !refuse->allow_nameless
               ? SNIVHOST_REFUSED_MISSING : 0;
    }
    return refuse->unknown_sni && !d->is_known
           && !is_served(refuse, d, name, len) ? SNIVHOST_REFUSED_UNKNOWN : 0;
}

int snivhost_refuses_request(const snivhost_refuse_t *refuse,
                                    const sniv_table_t *table,
                                    const sniv_decision_t *d,
                                    const char *host)
{
    if (!refuse || !refuse->unknown_host)
        return OK;
    if (host) {
        return sniv_decide_knows(table, d, host)
               || is_served(refuse, d, host, strlen(host))
               ? OK : HTTP_MISDIRECTED_REQUEST;     /* RFC 9110, 15.5.20 */
    }
    /* It does not even say for whom it is; core has said so already to
     * HTTP/1.1, where a Host is required (RFC 9112, 3.2). */
    return refuse->allow_nameless || d->rule == SNIV_RULE_PATH
           ? OK : HTTP_BAD_REQUEST;
}

int snivhost_refuse_judge_hello(snivhost_conn_t *conn,
                                const sniv_decision_t *d, const char *name,
                                apr_size_t len)
{
    int refused = snivhost_refuses_hello(snivhost_refuse_of(conn->set), d,
                                         name, len);

    if (!refused)
        return 0;
    conn->refused = refused;
    conn->refused_name = name ? apr_pstrmemdup(conn->c->pool, name, len)
                              : NULL;
    return name != NULL;
}

/* Each refusal of a handshake comes here. */
static void say_refused(conn_rec *c, const sniv_set_t *set, int refused,
                        const char *name)
{
    static snivhost_limit_t unknown, missing;
    apr_uint32_t unsaid;

    if (refused == SNIVHOST_REFUSED_UNKNOWN) {
        snivhost_count(c, SNIVHOST_COUNT_REFUSED_SNI_UNKNOWN);
        if (APLOGcinfo(c) && snivhost_may_say(&unknown, &unsaid)) {
            ap_log_cerror(APLOG_MARK, APLOG_INFO, 0, c, "SNIV0601: "
                          "handshake refused: no virtual host on %s has the "
                          "name '%s' (SNIVHostUnknownSNI refuse)%s",
                          snivhost_set_text(c->pool, set),
                          ap_escape_logitem(c->pool, name),
                          snivhost_unsaid_text(c->pool, unsaid));
        }
        return;
    }
    snivhost_count(c, SNIVHOST_COUNT_REFUSED_SNI_MISSING);
    if (APLOGcinfo(c) && snivhost_may_say(&missing, &unsaid)) {
        ap_log_cerror(APLOG_MARK, APLOG_INFO, 0, c, "SNIV0602: handshake "
                      "refused on %s: the client sent no server name "
                      "(SNIVHostMissingSNI refuse)%s",
                      snivhost_set_text(c->pool, set),
                      snivhost_unsaid_text(c->pool, unsaid));
    }
}

/* RFC 6066, 3 and RFC 8446, 9.2: TLS 1.2 has no word for a missing one. */
static int alert_of(int refused, const SSL *ssl)
{
    return refused == SNIVHOST_REFUSED_UNKNOWN ? SSL_AD_UNRECOGNIZED_NAME
           : SSL_version(ssl) >= TLS1_3_VERSION ? SSL_AD_MISSING_EXTENSION
                                                : SSL_AD_HANDSHAKE_FAILURE;
}

/*
 * Whether a store or mod_md has an answer to a challenge (RFC 8737) for the
 * name. mod_md says so only on a connection that has switched to the protocol, which
 * mod_ssl does too late for an alert of ours: so ask with a copy of the
 * connection, which is thrown away.
 */
static int has_challenge(conn_rec *c, const char *name)
{
    conn_rec *copy;
    const char *cert, *key;
    module *m;

    if (!ap_is_allowed_protocol(c, NULL, c->base_server, SNIVHOST_ACME_TLS))
        return 0;
    if (snivhost_acme_has(c, name))
        return 1;
    if (!ap_find_linked_module("mod_md.c"))
        return 0;
    copy = apr_pmemdup(c->pool, c, sizeof(*c));
    copy->conn_config = ap_create_conn_config(c->pool);
    for (m = ap_top_module; m; m = m->next) {
        ap_set_module_config(copy->conn_config, m,
                             ap_get_module_config(c->conn_config, m));
    }
    return ap_switch_protocol(copy, NULL, c->base_server, SNIVHOST_ACME_TLS)
           == APR_SUCCESS
           && ap_ssl_answer_challenge(copy, name, &cert, &key);
}

int snivhost_refuse_handshake(snivhost_conn_t *conn, SSL *ssl)
{
    /* Only in TLS 1.3 is the protocol chosen before the certificate, which
     * has to be the challenge's; a resumed session shows none. */
    if (conn->refused == SNIVHOST_REFUSED_UNKNOWN && conn->offers_acme
        && SSL_version(ssl) >= TLS1_3_VERSION && !SSL_session_reused(ssl)
        && has_challenge(conn->c, conn->refused_name)) {
        conn->challenge_only = 1;
        SSL_set_num_tickets(ssl, 0);
        return 0;
    }
    say_refused(conn->c, conn->set, conn->refused, conn->refused_name);
    return alert_of(conn->refused, ssl);
}

void snivhost_refuse_no_challenge(const snivhost_conn_t *conn)
{
    say_refused(conn->c, conn->set, conn->refused, conn->refused_name);
}

int snivhost_refuse_left_handshake(conn_rec *c, SSL *ssl, const char *name)
{
    sniv_decision_t d;
    int refused;

    snivhost_stock_decide(c, name, 0, &d);
    refused = snivhost_refuses_hello(snivhost_refuse_of(d.set), &d, name,
                                     name ? strlen(name) : 0);
    if (!refused)
        return 0;
    say_refused(c, d.set, refused, name);
    return alert_of(refused, ssl);
}

/*
 * The name in the URL of a request line that httpd did not take: it is of
 * another scheme than the connection, and httpd looks at Host instead.
 */
static const char *other_name(const request_rec *r)
{
    const char *name = r->parsed_uri.hostname;
    apr_size_t len;

    if (!name || !*name || !r->hostname)
        return NULL;
    len = strlen(name);
    if (len > 1 && name[len - 1] == '.')
        len--;
    return strlen(r->hostname) == len
           && !ap_cstr_casecmpn(r->hostname, name, len)
           ? NULL : apr_pstrmemdup(r->pool, name, len);
}

/* The connection, if its address has not been changed since it began. */
static const snivhost_conn_t *own_conn(const request_rec *r)
{
    const snivhost_conn_t *conn = snivhost_conn(r->connection);

    return conn && r->connection->vhost_lookup_data == conn->chain ? conn
                                                                   : NULL;
}

static void decide(request_rec *r, const char *host, sniv_decision_t *d)
{
    const snivhost_conn_t *conn = own_conn(r);

    if (conn) {
        sniv_decide_request(snivhost_live->table, conn->set, host,
                            r->parsed_uri.path ? r->parsed_uri.path : "/", d);
    }
    else
        snivhost_stock_decide(r->connection, host, 1, d);
}

/* mod_md answers challenges for its domains whatever virtual host there is. */
static int is_acme_challenge(const request_rec *r)
{
    const char *path = r->parsed_uri.path;      /* as mod_md does */

    return path && !strncmp(path, ACME_HTTP01, sizeof(ACME_HTTP01) - 1)
           && ap_find_linked_module("mod_md.c");
}

static void say_refused_host(request_rec *r, const sniv_decision_t *d,
                             const char *name, int status)
{
    static snivhost_limit_t limit;
    apr_uint32_t unsaid;
    const char *handshake;

    snivhost_count(r->connection, SNIVHOST_COUNT_REFUSED_HOST);
    if (!APLOGrinfo(r) || !snivhost_may_say(&limit, &unsaid))
        return;
    handshake = snivhost_handshake_text(r);
    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "SNIV0603: "
                  "request refused with %d: no virtual host on %s has %s "
                  "(SNIVHostUnknownHost refuse)%s%s%s", status,
                  snivhost_set_text(r->pool, d->set),
                  name ? apr_pstrcat(r->pool, "the name \'",
                             ap_escape_logitem(r->pool, name), "'", NULL)
                       : "a ServerPath for it, and it names no host",
                  *handshake ? "; " : "", handshake,
                  snivhost_unsaid_text(r->pool, unsaid));
}

/* Before other modules have had the request, what mod_md might serve is let
 * through. */
static int judge_request(request_rec *r, int last)
{
    const snivhost_conn_t *conn = own_conn(r);
    const char *name = r->hostname;
    const snivhost_refuse_t *refuse;
    sniv_decision_t d;
    int status;

    if (conn && !snivhost_refuse_of(conn->set))
        return DECLINED;
    decide(r, name, &d);
    refuse = snivhost_refuse_of(d.set);
    if (!refuse)
        return DECLINED;
    status = snivhost_refuses_request(refuse, snivhost_live->table, &d, name);
    if (status == OK && (name = other_name(r)) != NULL) {
        decide(r, name, &d);
        status = snivhost_refuses_request(refuse, snivhost_live->table, &d,
                                          name);
    }
    if (status == OK || (!last && is_acme_challenge(r)))
        return DECLINED;
    say_refused_host(r, &d, name, status);
    return status;
}

static int may_refuse(const request_rec *r)
{
    return snivhost_live && snivhost_live->mode == SNIVHOST_ON && !r->prev;
}

int snivhost_refuse_post_read_request(request_rec *r)
{
    return may_refuse(r) ? judge_request(r, 0) : DECLINED;
}

/* What was let through for mod_md and was no challenge of its. */
int snivhost_refuse_late_post_read_request(request_rec *r)
{
    return may_refuse(r) && is_acme_challenge(r) ? judge_request(r, 1)
                                                 : DECLINED;
}
