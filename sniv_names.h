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

#ifndef SNIV_NAMES_H
#define SNIV_NAMES_H

/**
 * @file sniv_names.h
 * The name index: a host name -> the first pattern that matches it.
 *
 * A builder collects patterns in order of rank (the first added wins), build
 * freezes them, find looks a host up. What matches is what stock httpd's
 * loop would find: exact patterns compare as strcasecmp() in the C locale,
 * globs as ap_strcasecmp_match() (`*` any run of characters, dots too; `?`
 * one character), and of all patterns that match the one added first wins.
 *
 * Who may call what: the builder functions at configuration time, one
 * thread; everything that takes a const sniv_names_t from any thread, at any
 * time, without a lock: nothing there writes or allocates.
 */

#include <apr_pools.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Patterns being collected. */
typedef struct sniv_names_builder_t sniv_names_builder_t;

/** The frozen index. */
typedef struct sniv_names_t sniv_names_t;

/** A pattern that matched. */
typedef struct sniv_names_hit_t {
    apr_uint32_t rank;      /**< number of the pattern: 0 is the first added */
    apr_uint32_t value;     /**< the caller's value of that pattern */
} sniv_names_hit_t;

/**
 * Start to collect patterns.
 * @param p where the builder lives; may be destroyed after build
 * @param hint expected number of patterns, 0 if not known
 */
sniv_names_builder_t *sniv_names_builder_make(apr_pool_t *p,
                                              apr_uint32_t hint);

/**
 * Add a pattern; its rank is the number of patterns added before it.
 * @param pattern NUL-terminated; must stay readable until build, which copies
 * @param is_glob non-zero: `*` and `?` are wildcards. Zero: an exact name, in
 *        which `*` and `?` are ordinary characters (a ServerName may be one)
 * @param value returned by find
 * @return APR_SUCCESS, or APR_ENOSPC for more than 2^27 patterns or 3 GiB
 */
apr_status_t sniv_names_add(sniv_names_builder_t *b, const char *pattern,
                            int is_glob, apr_uint32_t value);

/**
 * Freeze the patterns.
 * @param pnames receives the index, allocated from p (no part of the builder
 *        or of the callers' strings is referred to)
 */
apr_status_t sniv_names_build(const sniv_names_t **pnames,
                              sniv_names_builder_t *b, apr_pool_t *p);

/**
 * Find the pattern of the lowest rank that matches a host.
 * @param host any bytes but NUL; need not be NUL-terminated, may be empty
 * @param len its length in bytes
 * @param hit receives the match; untouched if there is none
 * @return 1 if there is a match, else 0
 */
int sniv_names_find(const sniv_names_t *names, const char *host,
                    apr_size_t len, sniv_names_hit_t *hit);

/**
 * Find the next pattern that would have matched: the lowest rank that is
 * greater than after. For explanations; may look at every pattern.
 */
int sniv_names_find_after(const sniv_names_t *names, const char *host,
                          apr_size_t len, apr_uint32_t after,
                          sniv_names_hit_t *hit);

/** The number of patterns; ranks are 0 to count - 1. */
apr_uint32_t sniv_names_count(const sniv_names_t *names);

/**
 * The text of a pattern as it was added (case kept), NUL-terminated, owned
 * by the index.
 * @param is_glob receives whether it was added as a glob; may be NULL
 */
const char *sniv_names_pattern(const sniv_names_t *names, apr_uint32_t rank,
                               int *is_glob);

/**
 * Whether finding this pattern needs a scan: a glob without a literal
 * beginning or end, which each look-up has to try. For the lint.
 */
int sniv_names_is_scanned(const sniv_names_t *names, apr_uint32_t rank);

/** Bytes that the index takes in all, texts included. */
apr_size_t sniv_names_bytes(const sniv_names_t *names);

#ifdef __cplusplus
}
#endif

#endif /* SNIV_NAMES_H */
