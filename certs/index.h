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
 * Written as a whole by the parent whenever the names or dates of what is
 * served have changed, read in place by any thread of any child under the
 * slot's sequence number (certs/sealed.h). A name has its candidates in the
 * order of their ends, the last one first; those that nobody else has signed
 * come behind the others. Certificates' wildcards cover one label, unlike
 * those of ServerAlias, so this is an index of its own: `*.x` is found by what
 * follows the first dot of a host.
 */

#include <apr_time.h>

#include "certs/types.h"
#include "certs/sealed.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A name of an entry; lower case, usable as sniv_name_is_usable() says. */
typedef struct sniv_index_name_t {
    const char *name;           /**< not NUL-terminated */
    apr_uint32_t len;           /**< at most 253 */
    sniv_scope_t scope;
    sniv_cert_id_t id;
    apr_time_t not_before;
    apr_time_t not_after;
    int is_self_issued;         /**< comes after those that are not */
} sniv_index_name_t;

/**
 * Write an index into a slot.
 * @param names put into another order
 * @return as sniv_shm_put()
 */
apr_status_t sniv_index_write(sniv_shm_t *shm, apr_uint32_t slot,
                              apr_uint64_t version, sniv_index_name_t *names,
                              apr_size_t n);

/** Bytes that an index takes at most.
 * @param names how many, and their lengths in all */
apr_uint64_t sniv_index_bytes(apr_uint64_t names, apr_uint64_t text);

/**
 * The best entry for a host, as sniv_certs_find() defines it.
 * @param is_wild receives whether it was found by a wildcard; may be NULL
 */
sniv_cert_id_t sniv_index_find(const sniv_shm_t *shm, apr_uint32_t slot,
                               sniv_scope_t scope, const char *host,
                               apr_size_t len, apr_time_t now, int *is_wild);

#ifdef __cplusplus
}
#endif

#endif /* SNIVHOST_CERTS_INDEX_H */
