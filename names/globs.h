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


#ifndef SNIVHOST_NAMES_GLOBS_H
#define SNIVHOST_NAMES_GLOBS_H

/**
 * @file names/globs.h
 * The half of the name index that finds patterns with wildcards.
 *
 * A glob is filed under three literal parts, each at most 64 bytes: the end
 * behind its last wildcard, the beginning before its first one, and the
 * rarest piece between two wildcards (names/pieces.h). Globs that share
 * none, some or all of them form a tree of three levels: see the essay in
 * names/names.h.
 *
 * Plan and write at configuration time, one thread; find from any thread.
 */

#include <apr_pools.h>

#include "names/host.h"
#include "names/pattern.h"
#include "names/slots.h"

/* What stands in the block beside a rank. */
#define SNIV_RANK_MASK  0x3fffffffu
#define SNIV_RANK_GLOB  0x80000000u     /**< the record is a sniv_glob_t */
#define SNIV_RANK_LAST  0x40000000u     /**< and the last one of its run */

/* Places count units of four bytes from the beginning of the records. */
#define SNIV_PLACE_UNIT 4
#define SNIV_PLACES(bytes) \
    ((apr_uint32_t)(((apr_uint64_t)(bytes) + SNIV_PLACE_UNIT - 1) \
                    / SNIV_PLACE_UNIT))
#define SNIV_AT(base, place) \
    ((base) + (apr_size_t)(place) * SNIV_PLACE_UNIT)

/** The record of a glob in the block. Its text follows, NUL-terminated. */
typedef struct sniv_glob_t {
    apr_uint32_t rank;          /**< with SNIV_RANK_GLOB, SNIV_RANK_LAST */
    apr_uint32_t value;
    apr_uint32_t len;           /**< see sniv_glob_len() */
} sniv_glob_t;

#define SNIV_GLOB_TEXT(glob) ((const char *)((glob) + 1))

/** The frozen globs. */
typedef struct sniv_globs_t {
    sniv_slots_t slots;         /**< hash of literals -> node */
    apr_uint32_t root;          /**< place of the uppermost node, 0: none */
    apr_uint32_t lowest;        /**< no glob has a lower rank */
    apr_uint64_t *marks;        /**< see names/globs.c */
    apr_uint32_t byte_mask;     /**< number of those for bytes, less one */
    int window_shift;           /**< 2 to the power of 32 less this is the
                                     number of those for windows; 0: none */
} sniv_globs_t;

/* Hashes that are looked up together, so that the processor can fetch their
 * lines at the same time. */
#define SNIV_BATCH 8

/* A host may have the same literal many times, each of which leads to the
 * same globs: those are tried once. This many nodes of the tree are
 * remembered, each in one of so many neighbouring places. */
#define SNIV_TRIED_BITS 6
#define SNIV_TRIED_NEAR 8

/** A look-up on its way. */
typedef struct sniv_globs_search_t {
    const sniv_globs_t *globs;
    const char *base;
    const sniv_host_t *host;
    sniv_names_hit_t *hit;
    apr_uint64_t ends;          /**< lengths of the host's ends to look for */
    apr_uint64_t keys[SNIV_BATCH];  /**< the hashes of the first ones */
    int nkeys;
    apr_uint64_t are_tried;     /**< which of these are set */
    apr_uint32_t tried[1 << SNIV_TRIED_BITS];
} sniv_globs_search_t;

/** Globs about to be laid out. */
typedef struct sniv_globs_plan_t sniv_globs_plan_t;

/**
 * Decide how the globs among the patterns are laid out.
 * @param globs receives all but the slots' lines and the marks' address
 * @param place where the records may begin; receives where they end. The
 *        patterns receive their places too
 * @param ptemp where the plan lives
 * @return the plan, NULL if no pattern is wild
 */
sniv_globs_plan_t *sniv_globs_plan(sniv_globs_t *globs,
                                   sniv_pattern_t *patterns, apr_uint32_t n,
                                   apr_uint32_t *place, apr_pool_t *ptemp);

/** The number of bytes that the marks take. */
apr_size_t sniv_globs_marks_size(const sniv_globs_t *globs);

/** Write what was planned: records, lines and marks are zeroed memory. */
void sniv_globs_write(const sniv_globs_plan_t *plan, sniv_globs_t *globs,
                      char *base);

/**
 * Begin a look-up: ask for the memory that it is about to read. Meanwhile
 * the caller can look for something else.
 * @param globs with a root
 */
void sniv_globs_begin(sniv_globs_search_t *search, const sniv_globs_t *globs,
                      const char *base, const sniv_host_t *host);

/**
 * Find the matching glob of the lowest rank below hit->rank.
 * @param hit replaced if there is one, else untouched
 */
void sniv_globs_find(sniv_globs_search_t *search, sniv_names_hit_t *hit);

/** The length of a glob's text. */
apr_size_t sniv_glob_len(const sniv_glob_t *glob);

/** Whether a glob matches. */
int sniv_glob_matches(const sniv_glob_t *glob, const sniv_host_t *host);

/** See sniv_names_is_scanned(). */
int sniv_glob_is_scanned(const sniv_glob_t *glob);

#endif /* SNIVHOST_NAMES_GLOBS_H */
