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

#ifndef SNIVHOST_CERTS_CACHE_H
#define SNIVHOST_CERTS_CACHE_H

/**
 * @file certs/cache.h
 * Decoded entries of one process: made once, kept while there is room.
 *
 *     hash by id --> node --> node        node: id, version, leaf only or
 *     newest --> node --> ... --> oldest        all, objects, users, state
 *
 * The first thread that asks for an entry decodes it, without a lock; others
 * that ask meanwhile wait for that entry and for nothing else. The lock is
 * held for look-ups only. A node in use is never freed; OpenSSL counts
 * references on what a handshake was given, so a handshake needs its node no
 * longer than it takes to install it.
 *
 * Made before the fork, empty; every process then has its own. Any thread.
 */

#include "certs/entry.h"

typedef struct sniv_cache_t sniv_cache_t;
typedef struct sniv_node_t sniv_node_t;

/**
 * Decodes an entry. Called without a lock, once at a time for an entry.
 * @param leaf_only no keys and chains are needed
 * @param live receives the objects on success
 * @param preason receives a constant phrase on failure
 * @return APR_SUCCESS; APR_EGENERAL: it will never work, remember that; any
 *         other error: try again next time
 */
typedef apr_status_t sniv_decode_fn(void *baton, apr_int32_t id,
                                    int leaf_only, sniv_live_t *live,
                                    const char **preason);

/**
 * @param limit how many decoded entries are kept
 */
apr_status_t sniv_cache_make(sniv_cache_t **pcache, apr_uint32_t limit,
                             sniv_decode_fn *decode, void *baton,
                             apr_pool_t *p);

/**
 * Get an entry, decoded. One of another version of the same id is forgotten.
 * @param pnode receives what sniv_cache_release() wants
 * @param plive receives the objects, until then
 */
apr_status_t sniv_cache_get(sniv_cache_t *cache, apr_int32_t id,
                            apr_uint64_t version, int leaf_only,
                            sniv_node_t **pnode, const sniv_live_t **plive,
                            const char **preason);

void sniv_cache_release(sniv_cache_t *cache, sniv_node_t *node);

/**
 * A chain that was decoded before, for entries that share it.
 * @return a new stack with new references, or NULL
 */
STACK_OF(X509) *sniv_cache_chain(sniv_cache_t *cache, apr_uint32_t slot,
                                 apr_uint64_t version);

/** Remember a chain; takes references of its own. */
void sniv_cache_add_chain(sniv_cache_t *cache, apr_uint32_t slot,
                          apr_uint64_t version, STACK_OF(X509) *chain);

/** Counters; any may be NULL. */
void sniv_cache_stats(sniv_cache_t *cache, apr_uint32_t *count,
                      apr_uint64_t *hits, apr_uint64_t *misses);

#endif /* SNIVHOST_CERTS_CACHE_H */
