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

#include <apr_strings.h>

#include "choose/paths.h"

/* A hash table with open addressing. The hash is FNV-1a because it grows
 * with each byte: the hashes of all prefixes of a URI cost one walk. */
#define FNV_START  APR_UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME  APR_UINT64_C(0x100000001b3)
#define FNV(h, c)  (((h) ^ (unsigned char)(c)) * FNV_PRIME)

typedef struct slot_t {
    apr_uint64_t hash;
    apr_size_t len;
    int entry;              /* index into entries, or -1: free */
} slot_t;

struct sniv_paths_t {
    const sniv_path_t *entries;
    int nentries;
    slot_t *slots;
    apr_size_t mask;        /* number of slots - 1 */
    apr_size_t max_len;     /* of the longest path */
};

/* The slot of this text, or the free one where it belongs. */
static slot_t *find_slot(const sniv_paths_t *paths, apr_uint64_t hash,
                         const char *text, apr_size_t len)
{
    /* The low bits of FNV-1a spread worse than the high ones. */
    apr_size_t i = (apr_size_t)(hash ^ (hash >> 32)) & paths->mask;

    for (;; i = (i + 1) & paths->mask) {
        slot_t *slot = &paths->slots[i];

        if (slot->entry < 0
            || (slot->hash == hash && slot->len == len
                && !memcmp(paths->entries[slot->entry].path, text, len))) {
            return slot;
        }
    }
}

const sniv_paths_t *sniv_paths_build(const sniv_path_t *paths, int npaths,
                                     apr_pool_t *p)
{
    sniv_paths_t *index;
    apr_size_t nslots = 8, j;
    int i;

    if (npaths <= 0)
        return NULL;

    while (nslots < (apr_size_t)npaths * 2)
        nslots *= 2;

    index = apr_pcalloc(p, sizeof(*index));
    index->entries = apr_pmemdup(p, paths, npaths * sizeof(*paths));
    index->nentries = npaths;
    index->mask = nslots - 1;
    index->slots = apr_palloc(p, nslots * sizeof(slot_t));
    for (j = 0; j < nslots; j++)
        index->slots[j].entry = -1;

    for (i = 0; i < npaths; i++) {
        const char *path = index->entries[i].path;
        apr_size_t len = strlen(path);
        apr_uint64_t hash = FNV_START;
        slot_t *slot;

        for (j = 0; j < len; j++)
            hash = FNV(hash, path[j]);
        slot = find_slot(index, hash, path, len);
        if (slot->entry < 0) {      /* of equal paths the first one counts */
            slot->hash = hash;
            slot->len = len;
            slot->entry = i;
        }
        if (len > index->max_len)
            index->max_len = len;
    }
    return index;
}

int sniv_path_matches(const char *path, const char *uri)
{
    apr_size_t len = strlen(path);

    return !strncmp(uri, path, len)
           && ((len > 0 && path[len - 1] == '/')
               || uri[len] == '/' || uri[len] == '\0');
}

const sniv_path_t *sniv_paths_find(const sniv_paths_t *paths,
                                   const char *uri)
{
    apr_uint64_t hash = FNV_START;
    apr_size_t len;
    int best = -1;

    if (!paths)
        return NULL;

    for (len = 0; len <= paths->max_len; len++) {
        /* A path can end only here: behind or before a slash, or at the
         * end. */
        if (uri[len] == '/' || uri[len] == '\0'
            || (len > 0 && uri[len - 1] == '/')) {
            const slot_t *slot = find_slot(paths, hash, uri, len);

            if (slot->entry >= 0 && (best < 0 || slot->entry < best))
                best = slot->entry;
        }
        if (uri[len] == '\0')
            break;
        hash = FNV(hash, uri[len]);
    }
    return best < 0 ? NULL : &paths->entries[best];
}

const sniv_path_t *sniv_paths_get(const sniv_paths_t *paths, int n)
{
    return paths && n < paths->nentries ? &paths->entries[n] : NULL;
}
