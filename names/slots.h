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


#ifndef SNIVHOST_NAMES_SLOTS_H
#define SNIVHOST_NAMES_SLOTS_H

/**
 * @file names/slots.h
 * The directory of the name index: a hash -> the places of what has it.
 *
 * A hash table whose unit is the cache line. What is filed is sorted by its
 * hash, in the directory and in the block of records alike; so a line needs
 * only the place of its first record, and short distances for the others:
 *
 *     | tag0 tag1 ... tag19 | base | distance0 ... distance19 |
 *       20 x 1 byte           4      20 x 2 bytes               = 64 bytes
 *
 * A tag is 8 bits of the hash. All tags of a line are compared at once, and
 * in one cache miss all but one in 16 of the strangers are turned away.
 * What has no room in its line (20 slots, or a distance of 256 KiB) stands
 * in the next one, and its own is marked as `spilled`: read on.
 *
 * Places count units of four bytes from the beginning of the records; 0 is
 * none. Two hashes may share a line and a tag, so that what is found has to
 * be verified.
 *
 * Plan and write at configuration time, one thread; find from any thread.
 */

#include <apr.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define SNIV_LINE_SIZE  64
#define SNIV_LINE_SLOTS 20
#define SNIV_SPILLED    0x80000000u
#define SNIV_PLACE_MAX  0x7fffffffu

/** One cache line of the directory. */
typedef struct sniv_line_t {
    unsigned char tags[SNIV_LINE_SLOTS];    /**< 0: the slot is free */
    apr_uint32_t base;                      /**< place; or SNIV_SPILLED */
    apr_uint16_t distances[SNIV_LINE_SLOTS];
} sniv_line_t;

/** The directory. The lines belong to the caller. */
typedef struct sniv_slots_t {
    sniv_line_t *lines;
    apr_uint32_t nlines;        /**< that hashes lead to, at least 1 */
    apr_uint32_t total;         /**< with those that took what spilled */
    apr_uint32_t first;         /**< place of the first record */
    apr_uint32_t room;          /**< units that the records are spread over;
                                     0: they are not */
} sniv_slots_t;

/** Something to file. */
typedef struct sniv_filed_t {
    apr_uint64_t hash;
    apr_uint32_t id;            /**< the caller's */
    apr_uint32_t units;         /**< the size of its record, in places */
    apr_uint32_t place;         /**< receives where its record shall be */
    apr_uint32_t line;          /**< private */
} sniv_filed_t;

/** A search on its way. */
typedef struct sniv_cursor_t {
    const sniv_line_t *line;
    apr_uint64_t tag;           /**< in each of the eight bytes */
    unsigned int found;         /**< bit n: slot n is still to be looked at */
} sniv_cursor_t;

/**
 * Decide where items go.
 * @param slots receives the numbers of lines
 * @param items by sniv_sort()
 * @param place where the first record may be
 * @return the place behind the last record
 */
apr_uint32_t sniv_slots_plan(sniv_slots_t *slots, sniv_filed_t *items,
                             apr_uint32_t n, apr_uint32_t place);

/** Fill the lines: slots->total of them, aligned and zeroed. */
void sniv_slots_write(sniv_slots_t *slots, const sniv_filed_t *items,
                      apr_uint32_t n);

/* The line from the upper half of the hash, scaled without a division, so
 * that the order of hashes is the order of lines. The tag is from the lower
 * half. */

static APR_INLINE apr_uint32_t sniv_slots_line(const sniv_slots_t *slots,
                                               apr_uint64_t hash)
{
    return (apr_uint32_t)(((hash >> 32) * slots->nlines) >> 32);
}

/* The place at which the record of a hash stands, or a little behind. */
static APR_INLINE apr_uint32_t sniv_slots_likely(const sniv_slots_t *slots,
                                                 apr_uint64_t hash)
{
    return slots->first
           + (apr_uint32_t)(((hash >> 32) * slots->room) >> 32);
}

static APR_INLINE unsigned char sniv_slots_tag(apr_uint64_t hash)
{
    unsigned char tag = (unsigned char)hash;

    return tag ? tag : 1;
}

/* Bit n: byte n of the word is equal to the tag, or follows one that is and
 * differs from it in the lowest bit only: verification will tell. */
static APR_INLINE unsigned int sniv_slots_equal(const void *bytes,
                                                apr_uint64_t tag)
{
    const apr_uint64_t ones = APR_UINT64_C(0x0101010101010101);
    apr_uint64_t word;

    memcpy(&word, bytes, 8);
    word ^= tag;
    word = (word - ones) & ~word & (ones << 7);
#if APR_IS_BIGENDIAN
    word = (word >> 7) * APR_UINT64_C(0x8040201008040201);
#else
    word = (word >> 7) * APR_UINT64_C(0x0102040810204080);
#endif
    return (unsigned int)(word >> 56);
}

/** The number of the lowest bit that is set. */
static APR_INLINE unsigned int sniv_lowest_bit(apr_uint64_t bits)
{
#if defined(__GNUC__)
    return (unsigned int)__builtin_ctzll(bits);
#else
    unsigned int n = 0;

    for (; !(bits & 1); bits >>= 1) {
        n++;
    }
    return n;
#endif
}

/* GCC takes a function of nothing but prefetches for one without any effect
 * and drops the calls, unless it is inlined before it looks. */
#if defined(__GNUC__)
#define SNIV_INLINE static inline __attribute__((always_inline))
#define SNIV_PREFETCH(address) __builtin_prefetch(address)
#else
#define SNIV_INLINE static APR_INLINE
#define SNIV_PREFETCH(address) ((void)(address))
#endif

/** Ask for the memory that a search for this hash is about to read. */
SNIV_INLINE void sniv_slots_prefetch(const sniv_slots_t *slots,
                                              apr_uint64_t hash,
                                              const char *records)
{
    const char *likely;

    if (slots->room) {
        likely = records + (apr_size_t)sniv_slots_likely(slots, hash) * 4;
        SNIV_PREFETCH(&slots->lines[sniv_slots_line(slots, hash)]);
        SNIV_PREFETCH(likely);
        SNIV_PREFETCH(likely + SNIV_LINE_SIZE);
        SNIV_PREFETCH(likely + 2 * SNIV_LINE_SIZE);
    }
}

/* Which slots of the cursor's line have its tag. */
static APR_INLINE void sniv_slots_look(sniv_cursor_t *at)
{
    const unsigned char *tags = at->line->tags;
#if defined(__SSE2__)
    __m128i tag = _mm_set1_epi8((char)at->tag);
    __m128i first = _mm_loadu_si128((const void *)tags);
    __m128i last = _mm_loadu_si128((const void *)(tags + 4));

    at->found = (unsigned int)_mm_movemask_epi8(_mm_cmpeq_epi8(first, tag))
                | (unsigned int)_mm_movemask_epi8(_mm_cmpeq_epi8(last, tag))
                  << 4;
#else
    /* The third word shares four bytes with the second. */
    at->found = sniv_slots_equal(tags, at->tag)
                | sniv_slots_equal(tags + 8, at->tag) << 8
                | (sniv_slots_equal(tags + 12, at->tag) & 0xf0) << 12;
#endif
}

/** The next place whose tag fits, 0 if there is none. */
static APR_INLINE apr_uint32_t sniv_slots_next(sniv_cursor_t *at)
{
    unsigned int slot;

    while (!at->found) {
        if (!(at->line->base & SNIV_SPILLED)) {
            return 0;
        }
        at->line++;
        sniv_slots_look(at);
    }
    slot = sniv_lowest_bit(at->found);
    at->found &= at->found - 1;
    return (at->line->base & SNIV_PLACE_MAX) + at->line->distances[slot];
}

/** The first place whose tag fits, 0 if there is none. */
static APR_INLINE apr_uint32_t sniv_slots_first(const sniv_slots_t *slots,
                                                apr_uint64_t hash,
                                                sniv_cursor_t *at)
{
    at->line = &slots->lines[sniv_slots_line(slots, hash)];
    at->tag = sniv_slots_tag(hash) * APR_UINT64_C(0x0101010101010101);
    sniv_slots_look(at);
    return sniv_slots_next(at);
}

#endif /* SNIVHOST_NAMES_SLOTS_H */
