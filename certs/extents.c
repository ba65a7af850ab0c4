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

#include "certs/extents.h"

#include <stdlib.h>
#include <string.h>

static void remove_at(sniv_extents_t *extents, apr_size_t i)
{
    memmove(&extents->list[i], &extents->list[i + 1],
            (--extents->n - i) * sizeof(*extents->list));
}

apr_uint64_t sniv_extents_take(sniv_extents_t *extents, apr_uint64_t size,
                               int from_back)
{
    apr_size_t i, n = extents->n;
    apr_uint64_t offset;

    for (i = 0; i < n; i++) {
        apr_size_t at = from_back ? n - 1 - i : i;
        sniv_extent_t *from = &extents->list[at];

        if (from->size < size) {
            continue;
        }
        from->size -= size;
        offset = from->offset + from->size;
        if (!from_back) {
            offset = from->offset;
            from->offset += size;
        }
        if (from->size == 0) {
            remove_at(extents, at);
        }
        return offset;
    }
    return 0;
}

/* The first extent behind an offset. */
static apr_size_t extent_behind(const sniv_extents_t *extents,
                                apr_uint64_t offset)
{
    apr_size_t low = 0, high = extents->n;

    while (low < high) {
        apr_size_t middle = low + (high - low) / 2;

        if (extents->list[middle].offset < offset) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low;
}

static int room_for_one(sniv_extents_t *extents)
{
    apr_size_t room = extents->room ? extents->room * 2 : 16;
    sniv_extent_t *list;

    if (extents->n < extents->room) {
        return 1;
    }
    list = realloc(extents->list, room * sizeof(*list));
    if (!list) {
        return 0;
    }
    extents->list = list;
    extents->room = room;
    return 1;
}

void sniv_extents_give(sniv_extents_t *extents, apr_uint64_t offset,
                       apr_uint64_t size)
{
    apr_size_t i = extent_behind(extents, offset);
    sniv_extent_t *before = i > 0 ? &extents->list[i - 1] : NULL;
    sniv_extent_t *behind = i < extents->n ? &extents->list[i] : NULL;

    if (before && before->offset + before->size == offset) {
        before->size += size;
        if (behind && offset + size == behind->offset) {
            before->size += behind->size;
            remove_at(extents, i);
        }
    }
    else if (behind && offset + size == behind->offset) {
        behind->offset = offset;
        behind->size += size;
    }
    else if (room_for_one(extents)) {
        memmove(&extents->list[i + 1], &extents->list[i],
                (extents->n++ - i) * sizeof(*extents->list));
        extents->list[i].offset = offset;
        extents->list[i].size = size;
    }
}

apr_uint64_t sniv_extents_largest(const sniv_extents_t *extents)
{
    apr_uint64_t most = 0;
    apr_size_t i;

    for (i = 0; i < extents->n; i++) {
        most = most < extents->list[i].size ? extents->list[i].size : most;
    }
    return most;
}

void sniv_extents_clear(sniv_extents_t *extents)
{
    free(extents->list);
    extents->list = NULL;
    extents->n = extents->room = 0;
}
