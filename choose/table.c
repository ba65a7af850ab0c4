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

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_tables.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "choose/paths.h"
#include "choose/table.h"

/* The kinds of sets in search order; a kind that no set is of is not looked
 * for. */
#define HAS_IP_PORT     1
#define HAS_IP_ANY      2
#define HAS_ANY_PORT    4
#define HAS_ANY_ANY     8

/* The address index: open addressing over the sets. */
struct sniv_addrs_t {
    const sniv_set_t **slots;
    apr_size_t mask;            /* number of slots - 1 */
    int kinds;                  /* HAS_* */
};

/* A set while it is being collected. */
typedef struct draft_t {
    sniv_set_t set;
    apr_array_header_t *members;    /* const sniv_vhost_t * */
    apr_array_header_t *texts;      /* text_t, in core's order */
    int nlinks;                     /* entries core has in its name chain */
} draft_t;

typedef struct text_t {
    const char *text;
    int member;
} text_t;

/* Name indexes that may serve several sets: those with the same members. */
typedef struct shared_t {
    const sniv_names_t *names;
    const sniv_paths_t *paths;
} shared_t;

static const sniv_ip_t any_ip;
static const unsigned char v4mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                            0xff, 0xff };

int sniv_ip_is_any(const sniv_ip_t *ip)
{
    return !memcmp(ip->bytes, any_ip.bytes, sizeof(ip->bytes));
}

int sniv_ip_is_v4(const sniv_ip_t *ip)
{
    return !memcmp(ip->bytes, v4mapped, sizeof(v4mapped));
}

int sniv_ip_is_same(const sniv_ip_t *a, const sniv_ip_t *b)
{
    return a->zone == b->zone && !memcmp(a->bytes, b->bytes,
                                         sizeof(a->bytes));
}

void sniv_ip_from_v4(sniv_ip_t *ip, const void *v4)
{
    memset(ip, 0, sizeof(*ip));
    if (memcmp(v4, any_ip.bytes, 4)) {
        memcpy(ip->bytes, v4mapped, sizeof(v4mapped));
        memcpy(ip->bytes + 12, v4, 4);
    }
}

int sniv_ip_from_sockaddr(sniv_ip_t *ip, const apr_sockaddr_t *sa)
{
    memset(ip, 0, sizeof(*ip));
    if (sa->family == APR_INET) {
        sniv_ip_from_v4(ip, sa->ipaddr_ptr);
        return 1;
    }
#if APR_HAVE_IPV6
    if (sa->family == APR_INET6) {
        memcpy(ip->bytes, sa->ipaddr_ptr, 16);
        if (!sniv_ip_is_v4(ip))
            ip->zone = sa->sa.sin6.sin6_scope_id;
        return 1;
    }
#endif
    return 0;
}

/* The slot of this address, or the free one where it belongs. */
static const sniv_set_t **find_slot(const struct sniv_addrs_t *addrs,
                                    const sniv_ip_t *ip, apr_port_t port)
{
    XXH64_hash_t seed = ((XXH64_hash_t)ip->zone << 16) | port;
    apr_size_t i = (apr_size_t)XXH3_64bits_withSeed(ip->bytes,
                                                    sizeof(ip->bytes), seed);

    for (i &= addrs->mask;; i = (i + 1) & addrs->mask) {
        const sniv_set_t *set = addrs->slots[i];

        if (!set || (set->port == port && sniv_ip_is_same(&set->ip, ip)))
            return &addrs->slots[i];
    }
}

const sniv_set_t *sniv_table_get(const sniv_table_t *table,
                                 const sniv_ip_t *ip, apr_port_t port)
{
    return *find_slot(table->addrs, ip, port);
}

const sniv_set_t *sniv_table_find(const sniv_table_t *table,
                                  const sniv_ip_t *ip, apr_port_t port)
{
    const int kinds = table->addrs->kinds;
    const sniv_set_t *set = NULL;

    if (kinds & HAS_IP_PORT)
        set = sniv_table_get(table, ip, port);
    if (!set && (kinds & HAS_IP_ANY))
        set = sniv_table_get(table, ip, 0);
    if (!set && (kinds & HAS_ANY_PORT))
        set = sniv_table_get(table, &any_ip, port);
    if (!set && (kinds & HAS_ANY_ANY))
        set = sniv_table_get(table, &any_ip, 0);
    return set;
}

static int kind_of(const sniv_set_t *set)
{
    if (sniv_ip_is_any(&set->ip))
        return set->port ? HAS_ANY_PORT : HAS_ANY_ANY;
    return set->port ? HAS_IP_PORT : HAS_IP_ANY;
}

/* Put a vhost into the draft of one of its addresses. */
static void add_link(draft_t *draft, const sniv_vhost_t *vhost,
                     const sniv_addr_t *addr)
{
    const sniv_vhost_t **last = NULL;
    text_t *text;

    if (draft->members->nelts) {
        last = &APR_ARRAY_IDX(draft->members, draft->members->nelts - 1,
                              const sniv_vhost_t *);
    }
    if (!last || *last != vhost)
        APR_ARRAY_PUSH(draft->members, const sniv_vhost_t *) = vhost;

    text = apr_array_push(draft->texts);
    text->text = addr->text;
    text->member = draft->members->nelts - 1;
    draft->nlinks++;
}

/* Collect the sets, as ap_fini_vhost_config() does: it walks the other way
 * round and prepends, which comes to the same order. */
static apr_array_header_t *collect(struct sniv_addrs_t *addrs,
                                   const sniv_vhost_t *vhosts, int nvhosts,
                                   apr_pool_t *p, apr_pool_t *ptemp)
{
    apr_array_header_t *drafts = apr_array_make(ptemp, 16,
                                                sizeof(draft_t *));
    int i, j;

    for (i = 0; i < nvhosts; i++) {
        for (j = 0; j < vhosts[i].naddrs; j++) {
            const sniv_addr_t *addr = &vhosts[i].addrs[j];
            const sniv_set_t **slot = find_slot(addrs, &addr->ip, addr->port);
            draft_t *draft;

            if (*slot) {
                draft = APR_ARRAY_IDX(drafts, (*slot)->number, draft_t *);
            }
            else {
                draft = apr_pcalloc(p, sizeof(*draft));
                draft->members = apr_array_make(ptemp, 4,
                                                sizeof(sniv_vhost_t *));
                draft->texts = apr_array_make(ptemp, 4, sizeof(text_t));
                draft->set.ip = addr->ip;
                draft->set.port = addr->port;
                draft->set.number = drafts->nelts;
                addrs->kinds |= kind_of(&draft->set);
                APR_ARRAY_PUSH(drafts, draft_t *) = draft;
                *slot = &draft->set;
            }

            /* `*` resolves to an IPv4 and an IPv6 address: core skips an
             * "any" address that repeats the one right before it. */
            if (j > 0 && sniv_ip_is_any(&addr->ip)
                && sniv_ip_is_any(&addr[-1].ip)
                && addr[-1].port == addr->port) {
                continue;
            }
            add_link(draft, &vhosts[i], addr);
        }
    }
    return drafts;
}

/* All names of the members, in the order in which stock httpd tries them. */
static apr_status_t build_names(const sniv_names_t **names,
                                const sniv_vhost_t *const *members,
                                int nmembers, apr_pool_t *p,
                                apr_pool_t *ptemp)
{
    sniv_names_builder_t *b = sniv_names_builder_make(ptemp, nmembers);
    apr_status_t rv = APR_SUCCESS;
    int m, i;

    for (m = 0; m < nmembers && !rv; m++) {
        const sniv_vhost_t *v = members[m];

        if (v->server_name) {
            rv = sniv_names_add(b, v->server_name, 0,
                                SNIV_NAME_VALUE(m, SNIV_NAME_SERVERNAME));
        }
        for (i = 0; i < v->naliases && !rv; i++) {
            if (v->aliases[i]) {
                rv = sniv_names_add(b, v->aliases[i], 0,
                                    SNIV_NAME_VALUE(m, SNIV_NAME_ALIAS));
            }
        }
        for (i = 0; i < v->nglobs && !rv; i++) {
            if (v->globs[i]) {
                rv = sniv_names_add(b, v->globs[i], 1,
                                    SNIV_NAME_VALUE(m, SNIV_NAME_GLOB));
            }
        }
    }
    return rv ? rv : sniv_names_build(names, b, p);
}

static const sniv_paths_t *build_paths(const sniv_set_t *set, apr_pool_t *p,
                                       apr_pool_t *ptemp)
{
    apr_array_header_t *paths = apr_array_make(ptemp, 4,
                                               sizeof(sniv_path_t));
    int m;

    for (m = 0; m < set->nmembers; m++) {
        if (set->members[m]->path) {
            sniv_path_t *path = apr_array_push(paths);

            path->path = set->members[m]->path;
            path->value = m;
        }
    }
    return sniv_paths_build((const sniv_path_t *)paths->elts, paths->nelts,
                            p);
}

static apr_status_t build_texts(const sniv_names_t **texts,
                                const apr_array_header_t *list,
                                apr_pool_t *p, apr_pool_t *ptemp)
{
    sniv_names_builder_t *b = sniv_names_builder_make(ptemp, 0);
    const char *last = NULL;
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < list->nelts && !rv; i++) {
        const text_t *t = &APR_ARRAY_IDX(list, i, text_t);

        /* Thousands of vhosts say the same `*`; one entry will do. */
        if (!t->text || (last && !strcmp(last, t->text)))
            continue;
        rv = sniv_names_add(b, t->text, 0, (apr_uint32_t)t->member);
        last = t->text;
    }
    return rv ? rv : sniv_names_build(texts, b, p);
}

/* Freeze one set. Sets with the same members share the name index: with ten
 * addresses on each of 50,000 vhosts that is a tenth of the memory. */
static apr_status_t finish(draft_t *draft, apr_hash_t *known, apr_pool_t *p,
                           apr_pool_t *ptemp)
{
    sniv_set_t *set = &draft->set;
    apr_ssize_t size = draft->members->nelts * sizeof(sniv_vhost_t *);
    shared_t *shared;
    apr_status_t rv;

    set->members = apr_pmemdup(p, draft->members->elts, size);
    set->nmembers = draft->members->nelts;
    set->name_based = draft->nlinks > 1;

    shared = apr_hash_get(known, set->members, size);
    if (!shared) {
        shared = apr_pcalloc(ptemp, sizeof(*shared));
        rv = build_names(&shared->names, set->members, set->nmembers, p,
                         ptemp);
        if (rv != APR_SUCCESS)
            return rv;
        shared->paths = build_paths(set, p, ptemp);
        apr_hash_set(known, set->members, size, shared);
    }
    set->names = shared->names;
    set->paths = shared->paths;
    return build_texts(&set->texts, draft->texts, p, ptemp);
}

apr_status_t sniv_table_build(const sniv_table_t **ptable,
                              const sniv_vhost_t *main_server,
                              const sniv_vhost_t *vhosts, int nvhosts,
                              apr_pool_t *p, apr_pool_t *ptemp)
{
    sniv_table_t *table = apr_pcalloc(p, sizeof(*table));
    struct sniv_addrs_t *addrs = apr_pcalloc(p, sizeof(*addrs));
    apr_hash_t *known = apr_hash_make(ptemp);
    apr_array_header_t *drafts;
    apr_size_t naddrs = 0, nslots = 8;
    const sniv_set_t **sets;
    apr_status_t rv;
    int i;

    for (i = 0; i < nvhosts; i++)
        naddrs += vhosts[i].naddrs;
    while (nslots < naddrs * 2)
        nslots *= 2;
    addrs->mask = nslots - 1;
    addrs->slots = apr_pcalloc(ptemp, nslots * sizeof(*addrs->slots));

    drafts = collect(addrs, vhosts, nvhosts, p, ptemp);

    sets = apr_palloc(p, (drafts->nelts + 1) * sizeof(*sets));
    for (i = 0; i < drafts->nelts; i++) {
        draft_t *draft = APR_ARRAY_IDX(drafts, i, draft_t *);

        rv = finish(draft, known, p, ptemp);
        if (rv != APR_SUCCESS)
            return rv;
        sets[i] = &draft->set;
    }

    /* 50,000 vhosts have 100,000 addresses but a handful of sets: put those
     * into an index of their own size, which stays in the cache. */
    nslots = 8;
    while (nslots < (apr_size_t)drafts->nelts * 2)
        nslots *= 2;
    addrs->mask = nslots - 1;
    addrs->slots = apr_pcalloc(p, nslots * sizeof(*addrs->slots));
    for (i = 0; i < drafts->nelts; i++)
        *find_slot(addrs, &sets[i]->ip, sets[i]->port) = sets[i];

    rv = build_names(&table->main_names, &main_server, 1, p, ptemp);
    if (rv != APR_SUCCESS)
        return rv;

    table->main_server = main_server;
    table->vhosts = vhosts;
    table->nvhosts = nvhosts;
    table->sets = sets;
    table->nsets = drafts->nelts;
    table->addrs = addrs;
    *ptable = table;
    return APR_SUCCESS;
}
