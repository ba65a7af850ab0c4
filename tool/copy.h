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


#ifndef SNIVHOST_TOOL_COPY_H
#define SNIVHOST_TOOL_COPY_H

/**
 * @file tool/copy.h
 * The folder of a copy: entries as files, written so that a reader sees the
 * old or the new one, and readable by nobody else. One thread.
 */

#include <apr_hash.h>
#include <apr_pools.h>

typedef struct copy_entry_t copy_entry_t;

struct copy_entry_t {           /* malloc()ed */
    copy_entry_t *next, *prev;
    unsigned round;             /* the last one that has seen it */
    apr_size_t len;
    char id[1];
};

typedef struct copy_t {
    const char *dir;
    copy_entry_t *first;        /* of all */
    apr_hash_t *ids;            /* ID -> copy_entry_t */
    char error[512];            /* completes "the copy ..." */
} copy_t;

/** Find out what is there. @return 0: it cannot be read */
int copy_open(copy_t *copy, const char *dir, apr_pool_t *p);

/** The only one that writes? @return 0: another process does */
int copy_lock(copy_t *copy);

/**
 * Write an entry unless it is there.
 * @param round noted as that which has seen it
 * @return 1 written, 0 was there, -1 error
 */
int copy_put(copy_t *copy, const char *id, apr_size_t id_len,
             const char *bytes, apr_size_t len, unsigned round);

copy_entry_t *copy_find(copy_t *copy, const char *id, apr_size_t len);

/** Remove an entry. @return 0: it cannot be removed */
int copy_remove(copy_t *copy, copy_entry_t *entry);

/** Write a file of the copy that is no entry. */
int copy_note(copy_t *copy, const char *name, const char *bytes,
              apr_size_t len);

#endif /* SNIVHOST_TOOL_COPY_H */
