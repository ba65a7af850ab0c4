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

#ifndef SNIVHOST_CERTS_INDEX_H
#define SNIVHOST_CERTS_INDEX_H

/**
 * @file certs/index.h
 * Names -> entries, as one block of sealed memory.
 *
 *     buckets: hash --> name: scope, text, candidates: id, begin, end
 *
 * Written as a whole by the parent whenever the names of what is served have
 * changed, in places when only dates have, read in place by any thread of any
 * child under the slot's sequence number (certs/sealed.h). A name has its candidates in the
 * order in which they are preferred: by rank, then the one that ends last
 * first. Certificates' wildcards cover one label,
 * unlike those of ServerAlias, so this is an index of its own: `*.x` is found
 * by what follows the first dot of a host.
 */

#include <apr_time.h>

#include "certs/der.h"
#include "certs/sealed.h"
#include "certs/types.h"

/** A name of an entry; lower case, usable as sniv_name_is_usable() says. */
typedef struct sniv_index_name_t {
    const char *name;           /**< not NUL-terminated */
    apr_uint32_t len;           /**< at most 253 */
    sniv_scope_t scope;
    sniv_cert_id_t id;
    sniv_key_e kind;            /**< of its key */
    int rank;                   /**< SNIV_RANK_* */
    apr_time_t not_before;
    apr_time_t not_after;
} sniv_index_name_t;

/** What is preferred of several that are valid: the lower number. */
#define SNIV_RANK_GOOD    0
#define SNIV_RANK_ODD     1     /**< clients want a staple that is not sent, it
                                     is weak, or not for servers */
#define SNIV_RANK_SELF    2     /**< self-signed; with SNIV_RANK_ODD: both */

/**
 * Write an index into a slot.
 * @param names put into another order
 * @return as sniv_shm_put()
 */
apr_status_t sniv_index_write(sniv_shm_t *shm, apr_uint32_t slot,
                              apr_uint64_t version, sniv_index_name_t *names,
                              apr_size_t n);

/**
 * Put other dates, ranks and kinds of keys in the place of those that the
 * index has for an entry. Readers see each name as it was or as it is.
 * @param names all of the entry, the same as before; put into another order
 * @return 0: it has other names in the index, or there is no memory: write
 *         the index anew
 */
int sniv_index_renew(sniv_shm_t *shm, apr_uint32_t slot,
                     sniv_index_name_t *names, apr_size_t n);

/** Bytes that an index takes at most.
 * @param names how many, and their lengths in all */
apr_uint64_t sniv_index_bytes(apr_uint64_t names, apr_uint64_t text);

/**
 * The best entry for a host, and the best one of each other kind of key, as
 * sniv_certs_find() defines it.
 * @param is_wild receives whether it was found by a wildcard; may be NULL
 * @return how many; 0: none, ids[0] is SNIV_CERT_NONE
 */
int sniv_index_find(const sniv_shm_t *shm, apr_uint32_t slot,
                    sniv_scope_t scope, const char *host, apr_size_t len,
                    apr_time_t now, sniv_cert_id_t ids[SNIV_KINDS],
                    int *is_wild);

/**
 * Which entries a host can get that has one of the names.
 * @param chosen receives 1 for each of these, by id, else 0
 * @param n entries
 * @return 0: the index was written anew all the time, nothing is known
 */
int sniv_index_chosen(const sniv_shm_t *shm, apr_uint32_t slot,
                      apr_time_t now, unsigned char *chosen, apr_uint32_t n);

#endif /* SNIVHOST_CERTS_INDEX_H */
