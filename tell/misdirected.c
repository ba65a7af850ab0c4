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

#include "tell/misdirected.h"

#include "apr_strings.h"
#include "http_main.h"
#include "http_protocol.h"
#include "http_ssl.h"

#include "certs/entry.h"
#include "module/limit.h"
#include "module/words.h"

/* So many differences are written into one line. */
#define LISTED 6
/* So many names of a certificate are looked at. */
#define SANS_MAX 200

/* What a policy finds different, in words. */
static const char *differences(const snivhost_tlsconfs_t *settings,
                               server_rec *a, server_rec *b,
                               snivhost_sslpolicy_e policy, apr_pool_t *p)
{
    const apr_array_header_t *all = snivhost_sslpolicy_differs(settings, a,
                                                               b, p);
    const char *text = "";
    int i, n = 0;

    for (i = 0; i < all->nelts; i++) {
        const snivhost_difference_t *d =
            &APR_ARRAY_IDX(all, i, snivhost_difference_t);

        if (policy == SNIVHOST_SSLPOLICY_AUTHONLY && !d->authonly)
            continue;
        if (n++ < LISTED) {
            text = apr_psprintf(p, "%s%s%s, %s against %s", text,
                                n > 1 ? "; " : "", d->directive,
                                snivhost_setting_text(p, &d->a),
                                snivhost_setting_text(p, &d->b));
        }
    }
    return n > LISTED ? apr_psprintf(p, "%s; and %d more", text, n - LISTED)
                      : text;
}

/* Whether the certificate of a connection covers a name, so that browsers use
 * the connection for it. */
static int is_covered(request_rec *r, const char *host)
{
    const char *name;
    int i;

    for (i = 0; host && i < SANS_MAX; i++) {
        char var[40];

        apr_snprintf(var, sizeof(var), "SSL_SERVER_SAN_DNS_%d", i);
        name = ap_ssl_var_lookup(r->pool, r->server, r->connection, r, var);
        if (!name || !*name)
            return 0;
        if (sniv_name_covers(name, strlen(name), host, strlen(host)))
            return 1;
    }
    return 0;
}

/* The policy, and what can be done about a request for a virtual host that
 * another one's connection is not for. */
typedef struct verdict_t {
    const snivhost_tlsconfs_t *settings;
    snivhost_sslpolicy_e policy;
    const char *policy_text;
    const char *why;            /* what differs; "": the policy is strict */
} verdict_t;

/* The client gave no name, or one that leads to the default: no setting of
 * these two virtual hosts is the cause. */
static const char *advice_for_client(request_rec *r,
                                     const snivhost_conn_t *conn,
                                     const char *sni, const verdict_t *v)
{
    const char *cause = sni
        ? apr_psprintf(r->pool, "No virtual host of this address has the "
                       "server name '%s' that the client sent", sni)
        : "The client sent no server name (SNI), as browsers always do";

    return apr_psprintf(r->pool, "%s: the handshake was left to %s, and %s "
                        "does not let that carry requests for another "
                        "virtual host. Have the proxy or program send the "
                        "name that it requests in its handshakes (httpd: "
                        "ProxyPreserveHost On; nginx: proxy_ssl_server_name "
                        "on and proxy_ssl_name; HAProxy: sni "
                        "req.hdr(host),host_only, and check-sni for health "
                        "checks)%s", cause,
                        snivhost_vhost_text(r->pool, conn->sni.vhost),
                        v->policy_text,
                        sni ? ", or make this name a ServerAlias of the "
                              "virtual host that is to answer" : "");
}

static const char *advice_for_settings(request_rec *r,
                                       const snivhost_conn_t *conn,
                                       const verdict_t *v)
{
    const int is_strict = v->policy == SNIVHOST_SSLPOLICY_STRICT;
    const int covers = is_covered(r, r->hostname);
    const char *what = is_strict
        ? apr_psprintf(r->pool, "%s lets no virtual host answer for another "
                       "one", v->policy_text)
        : apr_psprintf(r->pool, "%s requires equal values of: %s",
                       v->policy_text, v->why);
    const char *equal = !is_strict ? "Make them equal"
        : snivhost_sslpolicy_allows(v->settings, SNIVHOST_SSLPOLICY_SECURE,
                                    conn->sni.vhost->server, r->server)
        ? "'SSLVHostSNIPolicy secure' would allow this: the TLS settings of "
          "the two are equal" : NULL;

    return apr_psprintf(r->pool, "%s. %s%s%s", what, equal ? equal : "",
                        equal ? ", or " : "", covers
                        ? apr_psprintf(r->pool, "%semove the second name from "
                                       "the first one's certificate, so that "
                                       "browsers open another "
                                       "connection", equal ? "r" : "R")
                        : apr_psprintf(r->pool, "%save the client, a proxy or "
                                       "program, open a connection with the "
                                       "name that it requests: the "
                                       "certificate of this one does not "
                                       "cover it, so it was no browser",
                                       equal ? "h" : "H"));
}

/* The question that gives the same answer as mod_ssl. */
static const char *question_text(request_rec *r, const snivhost_conn_t *conn,
                                 const char *sni, const char *host)
{
    sniv_ip_t ip;

    sniv_ip_from_sockaddr(&ip, conn->c->local_addr);
    return apr_pstrcat(r->pool, snivhost_addr_text(r->pool, &ip,
                                    conn->c->local_addr->port),
                       sni ? " sni=" : "",
                       sni ? snivhost_in_shell_quotes(r->pool, sni) : "",
                       host ? " host=" : "",
                       host ? snivhost_in_shell_quotes(r->pool, host) : "",
                       NULL);
}

/*
 * What this 421 is about.
 * @return 0: another module's
 */
static int judge(request_rec *r, const snivhost_conn_t *conn, int has_sni,
                 verdict_t *v)
{
    server_rec *pair[2] = { conn->sni.vhost->server, r->server };

    v->settings = snivhost_tlsconf_read_some(ap_conftree, ap_server_conf,
                                             pair, 2, r->pool, r->pool);
    v->policy = snivhost_sslpolicy_configured(v->settings);
    v->policy_text = snivhost_sslpolicy_text(v->policy, r->pool);
    if (!snivhost_sslpolicy_allows(v->settings, v->policy, pair[0],
                                   pair[1])) {
        v->why = v->policy == SNIVHOST_SSLPOLICY_STRICT ? ""
            : differences(v->settings, pair[0], pair[1], v->policy, r->pool);
        return 1;
    }
    v->why = "certificates that mod_md provides";
    return snivhost_sslpolicy_unsure(v->settings, has_sni, pair[0], pair[1])
           != NULL;
}

/*
 * The line of a 421 that mod_ssl has decided on. Any client can cause one: so
 * only the two virtual hosts are read, and nothing is kept.
 */
static void explain(request_rec *r, const snivhost_conn_t *conn)
{
    static snivhost_limit_t limit;
    const char *sni, *host;
    apr_uint32_t unsaid;
    verdict_t verdict;

    if (!APLOG_R_IS_LEVEL(r, APLOG_WARNING) || !ap_conftree
        || !snivhost_may_say(&limit, &unsaid)) {
        return;
    }
    sni = snivhost_sni_text(r);
    if (!judge(r, conn, sni != NULL, &verdict))
        return;
    host = r->hostname ? ap_escape_logitem(r->pool, r->hostname) : NULL;
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, "SNIV0700: "
                  "answered 421: %s; the request is for %s%s%s and %s. %s. "
                  "For details run: apachectl -t -c 'SNIVHostExplain %s'%s",
                  snivhost_handshake_text(r),
                  host ? "Host '" : "no Host", host ? host : "",
                  host ? "'" : "",
                  snivhost_vhost_text(r->pool,
                                      snivhost_conf(r->server)->vhost),
                  !sni || conn->sni.rule == SNIV_RULE_DEFAULT
                  ? advice_for_client(r, conn, sni, &verdict)
                  : advice_for_settings(r, conn, &verdict),
                  question_text(r, conn, sni, host),
                  snivhost_unsaid_text(r->pool, unsaid));
}

/* A 421 with a handler comes from a proxied server or an application. */
int snivhost_421_log_transaction(request_rec *r)
{
    const snivhost_conn_t *conn;

    if (r->status == HTTP_MISDIRECTED_REQUEST && snivhost_live && !r->handler
        && (conn = snivhost_conn(r->connection)) != NULL && conn->hello_seen
        && conn->sni.vhost->server != r->server) {
        explain(r, conn);
    }
    return DECLINED;
}

