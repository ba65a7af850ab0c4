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


#ifndef SNIVHOST_NAMES_SORT_H
#define SNIVHOST_NAMES_SORT_H

/**
 * @file names/sort.h
 * Sort by hash, for the builders of the name index.
 *
 * Hashes are spread evenly, so that their upper half all but decides: four
 * passes that deal the items out by eight bits each, then one that moves the
 * few that are still in the wrong order. Items of the same hash stay in
 * their order.
 */

#include <apr.h>
#include <string.h>

/* With fewer items dealing out takes longer than moving. */
#define SNIV_SORT_MIN 64

static APR_INLINE apr_uint64_t sniv_sort_hash(const char *item)
{
    apr_uint64_t hash;

    memcpy(&hash, item, sizeof(hash));
    return hash;
}

/**
 * Sort n items that begin with a hash of 64 bits.
 * @param size of an item, a constant of at most 32 bytes
 * @param scratch room for n items
 */
static APR_INLINE void sniv_sort(void *items, apr_size_t size, apr_uint32_t n,
                                 void *scratch)
{
    char *from = items, *to = scratch, *other, item[32];
    apr_uint32_t starts[256], start, i, j;
    int shift;

    for (shift = 32; n >= SNIV_SORT_MIN && shift < 64; shift += 8) {
        memset(starts, 0, sizeof(starts));
        for (i = 0; i < n; i++) {
            starts[sniv_sort_hash(from + i * size) >> shift & 0xff]++;
        }
        for (i = start = 0; i < 256; i++) {
            start += starts[i];
            starts[i] = start - starts[i];
        }
        for (i = 0; i < n; i++) {
            j = starts[sniv_sort_hash(from + i * size) >> shift & 0xff]++;
            memcpy(to + j * size, from + i * size, size);
        }
        other = from;
        from = to;
        to = other;
    }
    for (i = 1; i < n; i++) {
        apr_uint64_t hash = sniv_sort_hash(from + i * size);

        for (j = i; j > 0 && sniv_sort_hash(from + (j - 1) * size) > hash;
             j--);
        if (j < i) {
            memcpy(item, from + i * size, size);
            memmove(from + (j + 1) * size, from + j * size, (i - j) * size);
            memcpy(from + j * size, item, size);
        }
    }
}

#endif /* SNIVHOST_NAMES_SORT_H */
