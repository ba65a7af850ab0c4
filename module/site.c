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

#include "apr_strings.h"
#include "http_core.h"

#include "module/counters.h"

/*
 * From server_rec to the tables of the pure layer, and the words in which
 * both are told about.
 */

snivhost_site_t snivhost_site;

static apr_status_t end_site(void *dummy)
{
    (void)dummy;
    memset(&snivhost_site, 0, sizeof(snivhost_site));
    snivhost_live = NULL;
    snivhost_stripes = NULL;
    return APR_SUCCESS;
}

void snivhost_site_begin(apr_pool_t *pconf)
{
    end_site(NULL);
    apr_pool_cleanup_register(pconf, NULL, end_site, apr_pool_cleanup_null);
}

apr_status_t snivhost_pool_create(apr_pool_t **pp, apr_pool_t *parent)
{
    apr_allocator_t *allocator;
    apr_status_t rv = apr_allocator_create(&allocator);

    *pp = NULL;
    if (rv != APR_SUCCESS)
        return rv;
    rv = apr_pool_create_ex(pp, parent, NULL, allocator);
    if (rv != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        *pp = NULL;
        return rv;
    }
    apr_allocator_owner_set(allocator, *pp);
    return APR_SUCCESS;
}

/* Describe a server to the pure layer. Nothing is copied that lives as long
 * as the configuration. */
static void describe(sniv_vhost_t *v, server_rec *s)
{
    const server_addr_rec *sar;

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
    snivhost_conf(s)->vhost = v;
}

/* So many virtual hosts before one are looked at. */
#define NEAR 4

static int is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

/* One right before it with the same addresses, or NULL. Of most virtual hosts
 * there is one: the plain ones and those with TLS take turns. */
static const sniv_vhost_t *same_addresses(const sniv_vhost_t *v,
                                          const sniv_vhost_t *first)
{
    const server_addr_rec *sar = ((const server_rec *)v->server)->addrs, *x;
    const sniv_vhost_t *one;
    sniv_ip_t ip;
    int i;

    for (one = v - 1; one >= first && v - one <= NEAR; one--) {
        if (one->naddrs != v->naddrs)
            continue;
        for (x = sar, i = 0; x; x = x->next, i++) {
            sniv_ip_from_sockaddr(&ip, x->host_addr);
            if (one->addrs[i].port != x->host_port
                || !sniv_ip_is_same(&one->addrs[i].ip, &ip)
                || !is_same_text(one->addrs[i].text, x->virthost)) {
                break;
            }
        }
        if (!x)
            return one;
    }
    return NULL;
}

static void describe_addresses(sniv_vhost_t *v, const sniv_vhost_t *first,
                               apr_pool_t *p)
{
    const server_addr_rec *sar = ((const server_rec *)v->server)->addrs;
    const sniv_vhost_t *same = same_addresses(v, first);
    sniv_addr_t *addr;

    if (same) {
        v->addrs = same->addrs;
        return;
    }
    v->addrs = addr = apr_palloc(p, v->naddrs * sizeof(*addr));
    for (; sar; sar = sar->next, addr++) {
        sniv_ip_from_sockaddr(&addr->ip, sar->host_addr);
        addr->port = sar->host_port;
        addr->text = sar->virthost;
    }
}

apr_status_t snivhost_table_make(const sniv_table_t **ptable,
                                 server_rec *main_server, apr_pool_t *p,
                                 apr_pool_t *ptemp)
{
    sniv_vhost_t *vhosts, *main_vhost;
    server_rec *s;
    int n = 0, i;

    for (s = main_server->next; s; s = s->next)
        n++;
    vhosts = apr_pcalloc(p, (n + 1) * sizeof(*vhosts));
    main_vhost = &vhosts[n];
    describe(main_vhost, main_server);
    main_vhost->naddrs = 0;

    /* The list has the last <VirtualHost> of the file first. */
    for (i = n - 1, s = main_server->next; i >= 0; i--, s = s->next)
        describe(&vhosts[i], s);
    for (i = 0; i < n; i++)
        describe_addresses(&vhosts[i], vhosts, p);

    return sniv_table_build(ptable, main_vhost, vhosts, n, p, ptemp);
}

