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

#include "module/record.h"
#include "serve/refuse.h"

#include "apr_strings.h"
#include "http_core.h"

/*
 * From server_rec to the tables of the pure layer, and the words in which
 * both are told about.
 */

const snivhost_live_t *snivhost_live;

/* Describe a server to the pure layer. Nothing is copied that lives as long
 * as the configuration. */
static void describe(sniv_vhost_t *v, server_rec *s, apr_pool_t *p)
{
    server_addr_rec *sar;
    sniv_addr_t *addr;

    v->server = s;
    v->server_name = s->server_hostname;
    if (s->names) {
        v->aliases = (const char *const *)s->names->elts;
        v->naliases = s->names->nelts;
    }
    if (s->wild_names) {
        v->globs = (const char *const *)s->wild_names->elts;
        v->nglobs = s->wild_names->nelts;
    }
    v->path = s->path;
    v->file = s->defn_name;
    v->line = s->defn_line_number;

    for (sar = s->addrs; sar; sar = sar->next)
        v->naddrs++;
    v->addrs = addr = apr_palloc(p, (v->naddrs + 1) * sizeof(*addr));
    for (sar = s->addrs; sar; sar = sar->next, addr++) {
        sniv_ip_from_sockaddr(&addr->ip, sar->host_addr);
        addr->port = sar->host_port;
        addr->text = sar->virthost;
    }
    snivhost_conf(s)->vhost = v;
}

apr_status_t snivhost_table_make(const sniv_table_t **ptable,
                                 server_rec *main_server, apr_pool_t *p,
                                 apr_pool_t *ptemp)
{
    sniv_vhost_t *vhosts, *main_vhost;
    server_rec *s;
    int n = 0;

    for (s = main_server->next; s; s = s->next)
        n++;
    vhosts = apr_pcalloc(p, (n + 1) * sizeof(*vhosts));
    main_vhost = &vhosts[n];
    describe(main_vhost, main_server, p);
    main_vhost->naddrs = 0;

    /* The list has the last <VirtualHost> of the file first. */
    s = main_server->next;
    for (int i = n - 1; i >= 0; i--, s = s->next)
        describe(&vhosts[i], s, p);

    return sniv_table_build(ptable, main_vhost, vhosts, n, p, ptemp);
}

static apr_status_t forget_live(void *dummy)
{
    (void)dummy;
    snivhost_live = NULL;
    return APR_SUCCESS;
}

apr_status_t snivhost_live_make(server_rec *main_server,
                                snivhost_mode_e mode, apr_pool_t *p,
                                apr_pool_t *ptemp)
{
    snivhost_live_t *live = apr_pcalloc(p, sizeof(*live));
    unsigned char *strict;
    apr_status_t rv;
    int i;

    rv = snivhost_table_make(&live->table, main_server, p, ptemp);
    if (rv != APR_SUCCESS)
        return rv;

    live->mode = mode;
    live->strict = strict = apr_pcalloc(p, live->table->nsets + 1);
    for (i = 0; i < live->table->nsets; i++) {
        const server_rec *s = live->table->sets[i]->members[0]->server;
        const core_server_config *core =
            ap_get_core_module_config(s->module_config);

        strict[i] = core->strict_host_check == AP_CORE_CONFIG_ON;
    }

    live->policies = snivhost_policies_make(live->table, p, ptemp);
    if (!live->policies)
        return APR_ENOMEM;

    snivhost_live = live;
    apr_pool_cleanup_register(p, NULL, forget_live, apr_pool_cleanup_null);
    return APR_SUCCESS;
}

const char *snivhost_addr_text(apr_pool_t *p, const sniv_ip_t *ip,
                               apr_port_t port)
{
    static const sniv_ip_t any;
    const unsigned char *b = ip->bytes;
    const char *host;

    if (!memcmp(b, any.bytes, sizeof(any.bytes))) {
        host = "*";
    }
    else if (!memcmp(b, any.bytes, 10) && b[10] == 0xff && b[11] == 0xff) {
        host = apr_psprintf(p, "%u.%u.%u.%u", b[12], b[13], b[14], b[15]);
    }
    else {
        char *text = NULL;
#if APR_HAVE_IPV6
        apr_sockaddr_t sa;

        memset(&sa, 0, sizeof(sa));
        sa.pool = p;
        sa.family = APR_INET6;
        sa.ipaddr_len = sizeof(sa.sa.sin6.sin6_addr);
        sa.addr_str_len = 64;   /* with a zone */
        sa.ipaddr_ptr = &sa.sa.sin6.sin6_addr;
        sa.sa.sin6.sin6_family = APR_INET6;
        sa.sa.sin6.sin6_scope_id = ip->zone;
        memcpy(sa.ipaddr_ptr, b, 16);
        apr_sockaddr_ip_get(&text, &sa);
#endif
        host = apr_psprintf(p, "[%s]", text ? text : "?");
    }
    return port ? apr_psprintf(p, "%s:%u", host, port)
                : apr_psprintf(p, "%s:*", host);
}

const char *snivhost_set_text(apr_pool_t *p, const sniv_set_t *set)
{
    return set ? snivhost_addr_text(p, &set->ip, set->port)
               : "no address set";
}

const char *snivhost_vhost_text(apr_pool_t *p, const sniv_vhost_t *v)
{
    const server_rec *s = v->server;

    if (!s->is_virtual)
        return apr_psprintf(p, "main server %s", v->server_name);
    if (!v->file)
        return apr_psprintf(p, "%s (not in a file)", v->server_name);
    return apr_psprintf(p, "%s (%s:%u)", v->server_name, v->file, v->line);
}

const char *snivhost_rule_text(apr_pool_t *p, const sniv_decision_t *d)
{
    const char *rule = sniv_rule_name(d->rule);

    return d->pattern ? apr_psprintf(p, "%s '%s'", rule, d->pattern) : rule;
}
