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

#include "certs/cache.h"

#include <stdlib.h>
#include <string.h>

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#include <openssl/x509.h>

/* Chains remembered; they are few, and forgetting one costs one decoding. */
#define NCHAINS 64

typedef enum { DECODING, READY, FAILED } state_e;

struct sniv_node_t {
    sniv_node_t *next;          /* in the bucket */
    sniv_node_t *newer, *older; /* in the order of use */
    apr_uint64_t version;
    apr_int32_t id;
    int leaf_only;
    int users;
    int is_out;                 /* in no list any more: the last user frees */
    state_e state;
    const char *reason;
    sniv_live_t live;
};

typedef struct chain_t {
    apr_uint64_t version;
    apr_uint32_t slot;
    STACK_OF(X509) *certs;
} chain_t;

struct sniv_cache_t {
    sniv_node_t **buckets;
    apr_uint32_t mask;
    apr_uint32_t limit;
    apr_uint32_t count;
    sniv_node_t *newest, *oldest;
    chain_t chains[NCHAINS];
    sniv_decode_fn *decode;
    void *baton;
    apr_uint64_t hits, misses;
#if APR_HAS_THREADS
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *decoded;
#endif
};

#if APR_HAS_THREADS
#define LOCK(cache)     apr_thread_mutex_lock((cache)->mutex)
#define UNLOCK(cache)   apr_thread_mutex_unlock((cache)->mutex)
#define WAIT(cache)     apr_thread_cond_wait((cache)->decoded, (cache)->mutex)
#define TELL(cache)     apr_thread_cond_broadcast((cache)->decoded)
#else
#define LOCK(cache)     ((void)0)
#define UNLOCK(cache)   ((void)0)
#define WAIT(cache)     ((void)0)
#define TELL(cache)     ((void)0)
#endif

static void free_node(sniv_node_t *node)
{
    if (node->state == READY) {
        sniv_live_free(&node->live);
    }
    free(node);
}

static apr_status_t destroy(void *data)
{
    sniv_cache_t *cache = data;
    sniv_node_t *node;
    int i;

    while ((node = cache->newest) != NULL) {
        cache->newest = node->older;
        free_node(node);
    }
    cache->oldest = NULL;
    for (i = 0; i < NCHAINS; i++) {
        sk_X509_pop_free(cache->chains[i].certs, X509_free);
        cache->chains[i].certs = NULL;
    }
    free(cache->buckets);
    cache->buckets = NULL;
    return APR_SUCCESS;
}

apr_status_t sniv_cache_make(sniv_cache_t **pcache, apr_uint32_t limit,
                             sniv_decode_fn *decode, void *baton,
                             apr_pool_t *p)
{
    sniv_cache_t *cache = apr_pcalloc(p, sizeof(*cache));
    apr_uint32_t n = 64;

    while (n < limit && n < 0x100000) {
        n *= 2;
    }
    cache->buckets = calloc(n, sizeof(*cache->buckets));
    if (!cache->buckets) {
        return APR_ENOMEM;
    }
    cache->mask = n - 1;
    cache->limit = limit ? limit : 1;
    cache->decode = decode;
    cache->baton = baton;
#if APR_HAS_THREADS
    {
        apr_status_t rv = apr_thread_mutex_create(&cache->mutex,
                                                  APR_THREAD_MUTEX_DEFAULT,
                                                  p);
        if (rv == APR_SUCCESS) {
            rv = apr_thread_cond_create(&cache->decoded, p);
        }
        if (rv != APR_SUCCESS) {
            free(cache->buckets);
            return rv;
        }
    }
#endif
    apr_pool_cleanup_register(p, cache, destroy, apr_pool_cleanup_null);
    *pcache = cache;
    return APR_SUCCESS;
}

static sniv_node_t **bucket_of(sniv_cache_t *cache, apr_int32_t id)
{
    return &cache->buckets[((apr_uint32_t)id * 2654435761u >> 7)
                           & cache->mask];
}

static void unlink_use(sniv_cache_t *cache, sniv_node_t *node)
{
    if (node->newer) {
        node->newer->older = node->older;
    }
    else {
        cache->newest = node->older;
    }
    if (node->older) {
        node->older->newer = node->newer;
    }
    else {
        cache->oldest = node->newer;
    }
    node->newer = node->older = NULL;
}

static void link_newest(sniv_cache_t *cache, sniv_node_t *node)
{
    node->older = cache->newest;
    node->newer = NULL;
    if (cache->newest) {
        cache->newest->newer = node;
    }
    else {
        cache->oldest = node;
    }
    cache->newest = node;
}

/*
 * Take a node out of the lists. If it is not in use, put it on the list of
 * those that the caller frees without the lock.
 */
static void take_out(sniv_cache_t *cache, sniv_node_t *node,
                     sniv_node_t **garbage)
{
    sniv_node_t **p = bucket_of(cache, node->id);

    while (*p != node) {
        p = &(*p)->next;
    }
    *p = node->next;
    unlink_use(cache, node);
    cache->count--;
    node->is_out = 1;
    if (node->users == 0) {
        node->next = *garbage;
        *garbage = node;
    }
}

static void free_all(sniv_node_t *garbage)
{
    sniv_node_t *next;

    for (; garbage; garbage = next) {
        next = garbage->next;
        free_node(garbage);
    }
}

static sniv_node_t *find(sniv_cache_t *cache, apr_int32_t id,
                         apr_uint64_t version, int leaf_only)
{
    sniv_node_t *node, *hit = NULL;

    for (node = *bucket_of(cache, id); node; node = node->next) {
        if (node->id == id && node->version == version) {
            if (node->leaf_only == leaf_only) {
                return node;
            }
            if (leaf_only && node->state == READY) {
                hit = node;     /* has the leaf too */
            }
        }
    }
    return hit;
}

static sniv_node_t *add(sniv_cache_t *cache, apr_int32_t id,
                        apr_uint64_t version, int leaf_only,
                        sniv_node_t **garbage)
{
    sniv_node_t *node, *next, **bucket = bucket_of(cache, id);

    for (node = *bucket; node; node = next) {
        next = node->next;
        if (node->id == id && node->state != DECODING
            && (node->version != version || !leaf_only)) {
            take_out(cache, node, garbage);
        }
    }
    for (node = cache->oldest; node && cache->count >= cache->limit;
         node = next) {
        next = node->newer;
        if (node->state != DECODING) {
            take_out(cache, node, garbage);
        }
    }
    node = calloc(1, sizeof(*node));
    if (node) {
        node->id = id;
        node->version = version;
        node->leaf_only = leaf_only;
        node->users = 1;
        node->state = DECODING;
        node->next = *bucket;
        *bucket = node;
        link_newest(cache, node);
        cache->count++;
    }
    return node;
}

static void release(sniv_node_t *node, sniv_node_t **garbage)
{
    if (--node->users == 0 && node->is_out) {
        node->next = *garbage;
        *garbage = node;
    }
}

apr_status_t sniv_cache_get(sniv_cache_t *cache, apr_int32_t id,
                            apr_uint64_t version, int leaf_only,
                            sniv_node_t **pnode, const sniv_live_t **plive,
                            const char **preason)
{
    sniv_node_t *node, *garbage = NULL;
    apr_status_t rv = APR_SUCCESS;

    leaf_only = leaf_only != 0;
    LOCK(cache);
    node = find(cache, id, version, leaf_only);
    if (node) {
        cache->hits++;
        node->users++;
        while (node->state == DECODING) {
            WAIT(cache);
        }
        if (!node->is_out && node != cache->newest) {
            unlink_use(cache, node);
            link_newest(cache, node);
        }
    }
    else {
        cache->misses++;
        node = add(cache, id, version, leaf_only, &garbage);
        if (!node) {
            UNLOCK(cache);
            free_all(garbage);
            *preason = "no memory";
            return APR_ENOMEM;
        }
        UNLOCK(cache);
        rv = cache->decode(cache->baton, id, leaf_only, &node->live,
                           &node->reason);
        LOCK(cache);
        node->state = rv == APR_SUCCESS ? READY : FAILED;
        if (rv != APR_SUCCESS && rv != APR_EGENERAL) {
            take_out(cache, node, &garbage);
        }
        TELL(cache);
    }
    if (node->state == FAILED) {
        *preason = node->reason;
        if (rv == APR_SUCCESS) {
            rv = APR_EGENERAL;
        }
        release(node, &garbage);
    }
    else {
        *pnode = node;
        *plive = &node->live;
    }
    UNLOCK(cache);
    free_all(garbage);
    return rv;
}

void sniv_cache_release(sniv_cache_t *cache, sniv_node_t *node)
{
    sniv_node_t *garbage = NULL;

    LOCK(cache);
    release(node, &garbage);
    UNLOCK(cache);
    free_all(garbage);
}

STACK_OF(X509) *sniv_cache_chain(sniv_cache_t *cache, apr_uint32_t slot,
                                 apr_uint64_t version)
{
    chain_t *chain = &cache->chains[slot % NCHAINS];
    STACK_OF(X509) *certs = NULL;

    LOCK(cache);
    if (chain->certs && chain->slot == slot && chain->version == version) {
        certs = X509_chain_up_ref(chain->certs);
    }
    UNLOCK(cache);
    return certs;
}

void sniv_cache_add_chain(sniv_cache_t *cache, apr_uint32_t slot,
                          apr_uint64_t version, STACK_OF(X509) *certs)
{
    chain_t *chain = &cache->chains[slot % NCHAINS];
    STACK_OF(X509) *mine = X509_chain_up_ref(certs), *old;

    if (!mine) {
        return;
    }
    LOCK(cache);
    old = chain->certs;
    chain->certs = mine;
    chain->slot = slot;
    chain->version = version;
    UNLOCK(cache);
    sk_X509_pop_free(old, X509_free);
}

void sniv_cache_stats(sniv_cache_t *cache, apr_uint32_t *count,
                      apr_uint64_t *hits, apr_uint64_t *misses)
{
    LOCK(cache);
    if (count) {
        *count = cache->count;
    }
    if (hits) {
        *hits = cache->hits;
    }
    if (misses) {
        *misses = cache->misses;
    }
    UNLOCK(cache);
}
