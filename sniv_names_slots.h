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


#ifndef SNIV_NAMES_SLOTS_H
#define SNIV_NAMES_SLOTS_H

/**
 * @file sniv_names_slots.h
 * The directory of the name index: a hash -> the places that have it.
 *
 * An open-addressing hash table whose unit is the cache line. A line holds
 * ten slots; a slot is a tag (16 bits of the hash) and a place. All tags of
 * a line stand together, so that one cache miss tells whether anything in
 * the line can be what is looked for:
 *
 *     | tag0 tag1 ... tag9 | spilled used | place0 place1 ... place9 |
 *       20 bytes             4 bytes        40 bytes            = 64
 *
 * A line that was full when somebody wanted in is `spilled`: the search goes
 * on in the next one. Nothing is ever taken out. Places are opaque numbers,
 * 0 is none; two different hashes may share a tag and a line, so what is
 * found has to be verified.
 *
 * Insert at configuration time, one thread; find from any thread.
 */

#include <apr.h>

#define SNIV_LINE_SLOTS 10
#define SNIV_LINE_SIZE  64

/** One cache line of the directory. */
typedef struct sniv_line_t {
    apr_uint16_t tags[SNIV_LINE_SLOTS];     /**< 0: the slot is free */
    apr_uint16_t spilled;
    apr_uint16_t used;
    apr_uint32_t places[SNIV_LINE_SLOTS];
} sniv_line_t;

/** The directory; the lines belong to the caller. */
typedef struct sniv_slots_t {
    sniv_line_t *lines;
    apr_uint32_t nlines;
} sniv_slots_t;

/** Where a search stands. */
typedef struct sniv_cursor_t {
    apr_uint32_t line;
    apr_uint16_t slot;
    apr_uint16_t tag;
} sniv_cursor_t;

/** How many lines to provide, aligned and zeroed, for so many keys. */
apr_uint32_t sniv_slots_lines(apr_uint32_t nkeys);

/** Add a place; the caller has seen to it that there are lines enough. */
void sniv_slots_insert(sniv_slots_t *slots, apr_uint64_t hash,
                      apr_uint32_t place);

/* The line from the low half of the hash, scaled to any number of lines
 * without a division; the tag from bits that the line does not use. */

static APR_INLINE apr_uint32_t sniv_slots_line(const sniv_slots_t *slots,
                                              apr_uint64_t hash)
{
    return (apr_uint32_t)(((hash & 0xffffffffu) * slots->nlines) >> 32);
}

static APR_INLINE apr_uint16_t sniv_slots_tag(apr_uint64_t hash)
{
    apr_uint16_t tag = (apr_uint16_t)(hash >> 48);

    return tag ? tag : 1;
}

/** The next place whose tag fits, 0 if there is none. */
static APR_INLINE apr_uint32_t sniv_slots_next(const sniv_slots_t *slots,
                                              sniv_cursor_t *at)
{
    for (;;) {
        const sniv_line_t *line = &slots->lines[at->line];

        while (at->slot < SNIV_LINE_SLOTS) {
            unsigned int slot = at->slot++;

            if (line->tags[slot] == at->tag) {
                return line->places[slot];
            }
        }
        if (!line->spilled) {
            return 0;
        }
        at->line = at->line + 1 < slots->nlines ? at->line + 1 : 0;
        at->slot = 0;
    }
}

/** The first place whose tag fits, 0 if there is none. */
static APR_INLINE apr_uint32_t sniv_slots_first(const sniv_slots_t *slots,
                                               apr_uint64_t hash,
                                               sniv_cursor_t *at)
{
    at->line = sniv_slots_line(slots, hash);
    at->slot = 0;
    at->tag = sniv_slots_tag(hash);
    return sniv_slots_next(slots, at);
}

#endif /* SNIV_NAMES_SLOTS_H */
