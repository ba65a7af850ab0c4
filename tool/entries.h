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


#ifndef SNIVHOST_TOOL_ENTRIES_H
#define SNIVHOST_TOOL_ENTRIES_H

/**
 * @file tool/entries.h
 * The entries of a store, sealed or not: put, get, list, remove. Each change
 * is one transaction of the entry, PREFIX:version and PREFIX:changes.
 */

#include "certs/envelope.h"
#include "certs/pem.h"
#include "tool/redis.h"

typedef struct entries_t {
    redis_t redis;
    const char *prefix;
    const sniv_store_keys_t *keys;      /* or NULL: not sealed */
    apr_pool_t *p;
    int is_sealed;                      /* what was got last */
    const char *error;          /* completes "the store ..." */
} entries_t;

void entries_init(entries_t *e, const sniv_store_url_t *url,
                  const sniv_store_keys_t *keys, apr_pool_t *p);
void entries_end(entries_t *e);

/**
 * Put an entry, unless it is there and sealed with the first key.
 * @return 1 put, 0 was there, -1 error
 */
int entries_put(entries_t *e, const char *id, const sniv_buffer_t *entry);

/**
 * Get an entry, opened.
 * @param preason receives why it cannot be read (it is there), or NULL
 * @param is_current receives whether putting it again would change nothing;
 *        may be NULL
 * @return 1, 0: not there, -1: error
 */
int entries_get(entries_t *e, const char *id, sniv_buffer_t *entry,
                const char **preason, int *is_current);

/** @return 1 removed, 0 was not there, -1 error */
int entries_remove(entries_t *e, const char *id);

/** @param entry NULL with a reason, or if values are not wanted
 *  @return 0: no more */
typedef int entries_visit_fn(void *baton, const char *id,
                             const sniv_buffer_t *entry, const char *reason);

/** All entries, in the order of IDs. @return 0: error */
int entries_each(entries_t *e, int with_value, entries_visit_fn *visit,
                 void *baton);

/** PREFIX:allow-removals is the version of now. @return 0: error */
int entries_allow(entries_t *e);

/**
 * Put an answer to a challenge into PREFIX:challenges, and remove those that
 * have expired. The hash vanishes an hour after the last one. @return 0: error
 */
int entries_put_answer(entries_t *e, const char *id, const char *answer);

/** @return 0: error */
int entries_remove_answer(entries_t *e, const char *id);

/** Print IDs and until when. @return 0: error */
int entries_list_answers(entries_t *e);

#endif /* SNIVHOST_TOOL_ENTRIES_H */
