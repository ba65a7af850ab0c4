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

#ifndef SNIVHOST_CERTS_EXTENTS_H
#define SNIVHOST_CERTS_EXTENTS_H

/**
 * @file certs/extents.h
 * What is free of a range of memory: the book-keeping of certs/sealed.c, in
 * memory of this process alone.
 */

#include <apr.h>

typedef struct sniv_extent_t {
    apr_uint64_t offset;
    apr_uint64_t size;
} sniv_extent_t;

/** All zero: nothing is free. */
typedef struct sniv_extents_t {
    sniv_extent_t *list;        /**< by offset, none touches the next */
    apr_size_t n, room;
} sniv_extents_t;

/**
 * Take from the first extent that is large enough, or from the last one.
 * @return the offset, 0 if there is none
 */
apr_uint64_t sniv_extents_take(sniv_extents_t *extents, apr_uint64_t size,
                               int from_back);

/** Note as free, and join with what is free beside it. Without memory for
 * the note it is lost. */
void sniv_extents_give(sniv_extents_t *extents, apr_uint64_t offset,
                       apr_uint64_t size);

apr_uint64_t sniv_extents_largest(const sniv_extents_t *extents);

void sniv_extents_clear(sniv_extents_t *extents);

#endif /* SNIVHOST_CERTS_EXTENTS_H */
