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

#include "module/limit.h"
#include "tell/question.h"
#include "module/words.h"

/* So many differences are written into one line. */
#define LISTED 6

/* What a policy finds different, in words. */
static const char *differences(snivhost_sslpolicy_t *settings,
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

/*
 * The line of a 421 that mod_ssl has decided on. Anybody can cause one: so
 * only the two virtual hosts are read, and nothing is kept.
 */
static void explain(request_rec *r, const snivhost_conn_t *conn)
{
    static snivhost_limit_t limit;
    server_rec *pair[2] = { conn->sni.vhost->server, r->server };
    const snivhost_tlsconfs_t *tls;
    snivhost_sslpolicy_t *all;
    snivhost_sslpolicy_e policy;
    const char *why, *sni, *host;
    apr_uint32_t unsaid;
    sniv_ip_t ip;

    if (!APLOG_R_IS_LEVEL(r, APLOG_WARNING) || !ap_conftree
        || !snivhost_may_say(&limit, &unsaid)) {
        return;
    }
    sni = snivhost_sni_text(r);
    tls = snivhost_tlsconf_read_some(ap_conftree, ap_server_conf, pair, 2,
                                     r->pool, r->pool);
    all = snivhost_sslpolicy_make(ap_conftree, tls, ap_server_conf, r->pool);
    policy = snivhost_sslpolicy_configured(all);
    if (!snivhost_sslpolicy_allows(all, policy, pair[0], pair[1])) {
        why = policy == SNIVHOST_SSLPOLICY_STRICT ? ""
            : differences(all, pair[0], pair[1], policy, r->pool);
    }
    else if (snivhost_sslpolicy_unsure(all, sni != NULL, pair[0],
                                       pair[1])) {
        why = "certificates that mod_md gives";
    }
    else {
        return;         /* somebody else's 421 */
    }

    host = r->hostname ? ap_escape_logitem(r->pool, r->hostname) : NULL;
    sniv_ip_from_sockaddr(&ip, conn->c->local_addr);
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, "SNIV0700: "
                  "answered 421: %s; the request is for %s%s%s and %s. "
                  "%s %s%s. %s. More is told by: apachectl "
                  "-t -c 'SNIVHostExplain %s%s%s%s%s'%s",
                  snivhost_handshake_text(r),
                  host ? "Host '" : "no Host", host ? host : "",
                  host ? "'" : "",
                  snivhost_vhost_text(r->pool,
                                      snivhost_conf(r->server)->vhost),
                  snivhost_sslpolicy_text(policy, r->pool),
                  *why ? "wants these to be equal: "
                       : "lets no virtual host answer for another one",
                  why,
                  *why ? "Make them equal, or take the second name out of the "
                         "first one's certificate, so that browsers open "
                         "another connection"
                       : "With 'secure' those with the same TLS set-up can",
                  snivhost_addr_text(r->pool, &ip,
                                     conn->c->local_addr->port),
                  sni ? " sni=" : "",
                  sni ? snivhost_in_shell_quotes(r->pool, sni) : "",
                  host ? " host=" : "",
                  host ? snivhost_in_shell_quotes(r->pool, host) : "",
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

