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
#include "http_protocol.h"
#include "http_ssl.h"

#include "module/counters.h"
#include "module/limit.h"
#include "tls/store.h"
#include "module/words.h"

/* Where an ACME server asks for http-01 (RFC 8555, 8.3), and the protocol of
 * tls-alpn-01 (RFC 8737). */
#define ACME_HTTP01 "/.well-known/acme-challenge/"
#define ACME_TLS    "acme-tls/1"

/* ----- from what is written to what holds ----- */

static apr_status_t freeze(const snivhost_policy_t **ppolicy,
                           const snivhost_policy_conf_t *conf, apr_pool_t *p,
                           apr_pool_t *ptemp)
{
    snivhost_policy_t *policy;
    sniv_names_builder_t *names;
    int i;

    *ppolicy = NULL;
    if (conf->unknown_sni <= 0 && conf->missing_sni <= 0
        && conf->unknown_host <= 0) {
        return APR_SUCCESS;
    }
    policy = apr_pcalloc(p, sizeof(*policy));
    policy->unknown_sni = conf->unknown_sni > 0;
    policy->missing_sni = conf->missing_sni > 0;
    policy->unknown_host = conf->unknown_host > 0;
    *ppolicy = policy;
    if (!conf->allow)
        return APR_SUCCESS;

    names = sniv_names_builder_make(ptemp, conf->allow->nelts);
    for (i = 0; i < conf->allow->nelts; i++) {
        const char *name = APR_ARRAY_IDX(conf->allow, i, const char *);
        apr_status_t rv;

        if (!strcmp(name, "-")) {
            policy->allow_nameless = 1;
            continue;
        }
        rv = sniv_names_add(names, name, ap_is_matchexp(name), 0);
        if (rv != APR_SUCCESS)
            return rv;
    }
    return sniv_names_build(&policy->allow, names, p);
}

const snivhost_policy_t *const *
snivhost_policies_make(const sniv_table_t *table, apr_pool_t *p,
                       apr_pool_t *ptemp)
{
    const snivhost_policy_t **policies =
        apr_pcalloc(p, (table->nsets + 1) * sizeof(*policies));
    int i;

    for (i = 0; i <= table->nsets; i++) {
        const sniv_vhost_t *v = i < table->nsets ? table->sets[i]->members[0]
                                                 : table->main_server;

        if (freeze(&policies[i], &snivhost_conf(v->server)->policy, p, ptemp)
            != APR_SUCCESS) {
            return NULL;
        }
    }
    return policies;
}

const snivhost_policy_t *snivhost_policy(const sniv_set_t *set)
{
    const snivhost_live_t *live = snivhost_live;

    return live->policies[set ? set->number : live->table->nsets];
}

static int in_handshakes;

int snivhost_policy_in_handshakes(void)
{
    return in_handshakes;
}

static int is_in_handshakes(server_rec *main_server)
{
    server_rec *s;

    if (snivhost_conf(main_server)->mode != SNIVHOST_ON)
        return 0;
    for (s = main_server; s; s = s->next) {
        const snivhost_policy_conf_t *conf = &snivhost_conf(s)->policy;

        if (conf->unknown_sni > 0 || conf->missing_sni > 0)
            return 1;
    }
    return 0;
}

/* A policy in a virtual host that speaks for no address would be silently
 * without effect. */
int snivhost_policy_check_config(apr_pool_t *p, apr_pool_t *plog,
                                 apr_pool_t *ptemp, server_rec *s)
{
    const sniv_table_t *table = NULL;
    server_rec *v;
    int i, j;

    (void)p;
    (void)plog;
    in_handshakes = is_in_handshakes(s);
    for (v = s->next; v; v = v->next) {
        const ap_directive_t *first = snivhost_conf(v)->policy.first;
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
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "SNIV0600: "
                     "%s:%d: %s is about an address, and %s is not the first "
                     "virtual host of %s%s%s: write it there, or in the main "
                     "server for all addresses", first->filename,
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

static int is_allowed(const snivhost_policy_t *policy, const char *name,
                      apr_size_t len)
{
    sniv_names_hit_t hit;

    return policy->allow && sniv_names_find(policy->allow, name, len, &hit);
}

/* No virtual host has the name. Does the policy allow it, or do the folders
 * of the default have a certificate for it (mass hosting)? */
static int is_served(const snivhost_policy_t *policy,
                     const sniv_decision_t *d, const char *name,
                     apr_size_t len)
{
    const sniv_vhost_t *first = d->set ? d->set->members[0] : d->vhost;

    return is_allowed(policy, name, len)
           || snivhost_store_has(first->server, name, len);
}

int snivhost_policy_refuses_hello(const snivhost_policy_t *policy,
                                  const sniv_decision_t *d, const char *name,
                                  apr_size_t len)
{
    if (!policy)
        return 0;
    if (!name) {
        return policy->missing_sni && !policy->allow_nameless
               ? SNIVHOST_REFUSED_MISSING : 0;
    }
    return policy->unknown_sni && !d->is_known
           && !is_served(policy, d, name, len) ? SNIVHOST_REFUSED_UNKNOWN : 0;
}

int snivhost_policy_refuses_request(const snivhost_policy_t *policy,
                                    const sniv_table_t *table,
                                    const sniv_decision_t *d,
                                    const char *host)
{
    if (!policy || !policy->unknown_host)
        return OK;
    if (host) {
        return sniv_decide_knows(table, d, host)
               || is_served(policy, d, host, strlen(host))
               ? OK : HTTP_MISDIRECTED_REQUEST;     /* RFC 9110, 15.5.20 */
    }
    /* It does not even say for whom it is; core has said so already to
     * HTTP/1.1, where a Host is required (RFC 9112, 3.2). */
    return policy->allow_nameless || d->rule == SNIV_RULE_PATH
           ? OK : HTTP_BAD_REQUEST;
}

void snivhost_policy_judge_hello(snivhost_conn_t *conn,
                                 const sniv_decision_t *d, const char *name,
                                 apr_size_t len, int offers_acme)
{
    int refused = snivhost_policy_refuses_hello(snivhost_policy(conn->set), d,
                                                name, len);

    if (!refused)
        return;
    conn->refused = refused;
    conn->offers_acme = offers_acme;
    conn->refused_name = name ? apr_pstrmemdup(conn->c->pool, name, len)
                              : NULL;
}

static void say_refused(const snivhost_conn_t *conn)
{
    static snivhost_limit_t unknown, missing;
    conn_rec *c = conn->c;
    apr_uint32_t unsaid;

    if (conn->refused == SNIVHOST_REFUSED_UNKNOWN) {
        snivhost_count(c, SNIVHOST_COUNT_REFUSED_SNI_UNKNOWN);
        if (APLOGcinfo(c) && snivhost_may_say(&unknown, &unsaid)) {
            ap_log_cerror(APLOG_MARK, APLOG_INFO, 0, c, "SNIV0601: "
                          "handshake refused: no virtual host on %s has the "
                          "name '%s' (SNIVHostUnknownSNI refuse)%s",
                          snivhost_set_text(c->pool, conn->set),
                          ap_escape_logitem(c->pool, conn->refused_name),
                          snivhost_unsaid_text(c->pool, unsaid));
        }
        return;
    }
    snivhost_count(c, SNIVHOST_COUNT_REFUSED_SNI_MISSING);
    if (APLOGcinfo(c) && snivhost_may_say(&missing, &unsaid)) {
        ap_log_cerror(APLOG_MARK, APLOG_INFO, 0, c, "SNIV0602: "
                      "handshake refused on %s: the client gave no server "
                      "name (SNIVHostMissingSNI refuse)%s",
                      snivhost_set_text(c->pool, conn->set),
                      snivhost_unsaid_text(c->pool, unsaid));
    }
}

/*
 * Whether mod_md has an answer to a challenge (RFC 8737) for the name. It
 * says so only on a connection that has switched to the protocol, which
 * mod_ssl does too late for an alert of ours: so ask with a copy of the
 * connection, which is thrown away.
 */
static int has_challenge(const conn_rec *c, const char *name)
{
    conn_rec *copy;
    const char *cert, *key;
    module *m;

    if (!ap_find_linked_module("mod_md.c")
        || !ap_is_allowed_protocol((conn_rec *)c, NULL, c->base_server,
                                   ACME_TLS)) {
        return 0;
    }
    copy = apr_pmemdup(c->pool, c, sizeof(*c));
    copy->conn_config = ap_create_conn_config(c->pool);
    for (m = ap_top_module; m; m = m->next) {
        ap_set_module_config(copy->conn_config, m,
                             ap_get_module_config(c->conn_config, m));
    }
    return ap_switch_protocol(copy, NULL, c->base_server, ACME_TLS)
           == APR_SUCCESS
           && ap_ssl_answer_challenge(copy, name, &cert, &key);
}

int snivhost_policy_refuse_handshake(snivhost_conn_t *conn, SSL *ssl)
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
    say_refused(conn);
    /* RFC 6066, 3 and RFC 8446, 9.2: TLS 1.2 has no word for a missing one. */
    return conn->refused == SNIVHOST_REFUSED_UNKNOWN ? SSL_AD_UNRECOGNIZED_NAME
           : SSL_version(ssl) >= TLS1_3_VERSION ? SSL_AD_MISSING_EXTENSION
                                                : SSL_AD_HANDSHAKE_FAILURE;
}

void snivhost_policy_no_challenge(snivhost_conn_t *conn)
{
    say_refused(conn);
}

/* mod_md answers challenges for its domains whatever virtual host there is. */
static int is_acme_challenge(const request_rec *r)
{
    const char *path = r->parsed_uri.path;      /* as mod_md does */

    return path && !strncmp(path, ACME_HTTP01, sizeof(ACME_HTTP01) - 1)
           && ap_find_linked_module("mod_md.c");
}

int snivhost_policy_judge_request(request_rec *r, const snivhost_conn_t *conn,
                                  const sniv_decision_t *d, int last)
{
    static snivhost_limit_t unknown;
    const snivhost_policy_t *policy = snivhost_policy(conn->set);
    apr_uint32_t unsaid;
    int status = snivhost_policy_refuses_request(policy, snivhost_live->table,
                                                 d, r->hostname);

    if (status == OK)
        return OK;
    if (!last && is_acme_challenge(r))
        return OK;

    snivhost_count(r->connection, SNIVHOST_COUNT_REFUSED_HOST);
    if (APLOGrinfo(r) && snivhost_may_say(&unknown, &unsaid)) {
        const char *handshake = snivhost_handshake_text(r);

        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "SNIV0603: "
                      "request refused with %d: no virtual host on %s has the "
                      "name %s (SNIVHostUnknownHost refuse)%s%s%s", status,
                      snivhost_set_text(r->pool, conn->set),
                      r->hostname
                          ? apr_pstrcat(r->pool, "'",
                                ap_escape_logitem(r->pool, r->hostname), "'",
                                NULL)
                          : "of a request without one",
                      *handshake ? "; " : "", handshake,
                      snivhost_unsaid_text(r->pool, unsaid));
    }
    return status;
}

/* What was let through for mod_md and was no challenge of its. */
int snivhost_policy_post_read_request(request_rec *r)
{
    const snivhost_conn_t *conn;
    sniv_decision_t d;

    if (!snivhost_live || snivhost_live->mode != SNIVHOST_ON || r->prev
        || !is_acme_challenge(r)
        || (conn = snivhost_conn(r->connection)) == NULL) {
        return DECLINED;
    }
    sniv_decide_request(snivhost_live->table, conn->set, r->hostname,
                        r->parsed_uri.path, &d);
    return snivhost_policy_judge_request(r, conn, &d, 1);
}

