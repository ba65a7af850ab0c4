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

#include "module/stock.h"

#include "apr_atomic.h"
#include "apr_strings.h"
#include "http_vhost.h"

#include "module/counters.h"
#include "module/words.h"

void snivhost_differs(const conn_rec *c, const request_rec *r,
                      const char *what, const char *name,
                      const server_rec *stock, const sniv_decision_t *ours)
{
    static apr_uint32_t count;
    apr_pool_t *p = r ? r->pool : c->pool;

    snivhost_count(c, SNIVHOST_COUNT_DIFFERENCES);
    /* Each one, without a limit: they are the purpose of Verify. */
    ap_log_cerror(APLOG_MARK, APLOG_WARNING, 0, c, "SNIV0002: "
                  "%s %s%s%s on %pI: httpd chose %s (%s:%u), SNIVHost would "
                  "choose %s by rule %s: difference %u of this process. "
                  "Please report this and do not set SNIVHost On",
                  what, name ? "'" : "", name ? ap_escape_logitem(p, name)
                                              : "not given",
                  name ? "'" : "", c->local_addr, stock->server_hostname,
                  stock->defn_name ? stock->defn_name : "main server",
                  stock->defn_line_number, snivhost_vhost_text(p, ours->vhost),
                  snivhost_rule_text(p, ours), apr_atomic_inc32(&count) + 1);
}

/* ----- mod_ssl's search ----- */

typedef struct search_t {
    const char *name;
    int with_texts;             /* those of <VirtualHost> too */
    server_rec *found;
} search_t;

static int is_among(const char *name, const apr_array_header_t *names,
                    int are_globs)
{
    int i;

    for (i = 0; names && i < names->nelts; i++) {
        const char *one = APR_ARRAY_IDX(names, i, const char *);

        if (one && (are_globs ? !ap_strcasecmp_match(name, one)
                              : !strcasecmp(name, one))) {
            return 1;
        }
    }
    return 0;
}

/* The text of an address, not of any address. */
static int is_text(const char *name, const server_rec *s)
{
    const server_addr_rec *sar;

    for (sar = s->addrs; sar; sar = sar->next) {
        sniv_ip_t ip;

        sniv_ip_from_sockaddr(&ip, sar->host_addr);
        if (!sniv_ip_is_any(&ip) && !strcasecmp(name, sar->virthost))
            return 1;
    }
    return 0;
}

static int search_matches(void *baton, conn_rec *c, server_rec *s)
{
    search_t *search = baton;

    (void)c;
    if (strcasecmp(search->name, s->server_hostname)
        && !is_among(search->name, s->names, 0)
        && !is_among(search->name, s->wild_names, 1)
        && !(search->with_texts && is_text(search->name, s))) {
        return 0;
    }
    search->found = s;
    return 1;
}

server_rec *snivhost_search_sni(conn_rec *c, const char *name)
{
    search_t search = { name, 0, NULL };

    ap_vhost_iterate_given_conn(c, search_matches, &search);
    return search.found;
}

void snivhost_stock_decide(conn_rec *c, const char *name, int is_host,
                           sniv_decision_t *d)
{
    const sniv_table_t *table = snivhost_live->table;
    search_t search = { name, is_host, NULL };
    int i;

    d->set = NULL;
    for (i = 0; i < table->nsets && !d->set; i++) {
        if (table->sets[i]->members[0]->server == c->base_server)
            d->set = table->sets[i];
    }
    d->vhost = d->set ? d->set->members[0] : table->main_server;
    if (name)
        ap_vhost_iterate_given_conn(c, search_matches, &search);
    d->is_known = search.found != NULL;
    d->rule = d->is_known ? SNIV_RULE_SERVERNAME
              : name ? SNIV_RULE_DEFAULT : SNIV_RULE_DEFAULT_NO_NAME;
    d->pattern = NULL;
}
