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

#ifndef SNIVHOST_NAMES_NAMES_H
#define SNIVHOST_NAMES_NAMES_H

/**
 * @file names/names.h
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
 *
 *
 * How an exact name is found
 * --------------------------
 * The host in lower case is hashed. The hash says which line of a directory
 * to look at; a line is as long as a cache line and has room for 20 names,
 * of each one byte of its hash (the tag) and the place of its record. Tags
 * are compared all at once. One that fits leads to a record, and the texts
 * are compared; mostly none fits, and there is no such name.
 *
 *     WWW.a.test --lower case, hash--> 0x71c3...2e
 *                                      |        `-- tag 2e
 *              ,--line 0x71c3... of n--'         `- likely place
 *              v                                          |
 *     directory  | .. 5a 2e 90 .. | places  |             |
 *                     |  `--------------.                 |
 *     records    ...  |  b.test  |gap|  www.a.test  |  c.test  |gap| ...
 *                                       rank 17, value
 *
 * Memory is what costs: with a million names each line and each record is a
 * cache miss. So the records lie in the order of their hashes, with gaps,
 * each at the place that its hash suggests or shortly behind. The processor
 * can fetch the record before it has seen the directory, and two misses take
 * the time of one. While they come, the host is made ready for the globs.
 * (names/slots.h)
 *
 * Few names are in the cache, and arithmetic is what costs. A set of up to 32
 * has a plain table of 2, 4, 8 ... 128 places instead, and a cheap hash with
 * a factor that was tried out while building, so that no two of the names
 * lead to the same place: one look, one comparison. And a processor loses
 * more time with a branch that it has not foreseen than with a dozen
 * instructions; so what depends on the host, such as the length of what is
 * folded, compared or marked, is done without branches where it can be.
 *
 * How a glob is found
 * -------------------
 * By its literal parts. Three of them are looked at: the end behind the last
 * wildcard, the beginning before the first, and a piece in between: of
 * several the one that the fewest other globs have.
 *
 *     w*.shop?.example      beginning "w", middle ".shop", end ".example"
 *     *.a.test              no beginning, no middle, end ".a.test"
 *
 * Globs with the same end form a group; in a large group those with the same
 * beginning form one; in a large one of these those with the same middle:
 *
 *     all -- by end --+-- ".a.test":  *.a.test
 *                     +-- ".b.test" -- by beginning --+-- "w":  w*.b.test
 *                     |                               +-- "x1": x1*.b.test
 *                     |                               `-- none: *.b.test
 *                     +-- ".c.test":  a*.c.test, b*.c.test  (few: a run)
 *                     `-- none -- by beginning -- ...
 *
 * The hash of the literals leads from a group to its members, through a
 * directory like the one above. The lengths of a group's literals are known
 * (64 bits: none is longer than 64 bytes, of a longer one that much counts).
 * So a host has few ends to hash: those of a length that occurs, and with a
 * mark saying that some glob has the same bytes next to the wildcard. Four
 * globs or fewer are not told apart further: they are a run, which is tried
 * one by one. What matches is always decided by comparing the texts; hash,
 * mark, length and tag only say what need not be tried. (names/globs.h)
 *
 * The time for a host is bounded by its length and by the number of lengths,
 * not by the number of patterns, but for one case: more than four globs that
 * have all three parts in common, such as `a?b`, `a??b`, `a?*?b`. Each of
 * these is tried on each host that has the parts, once, however often the
 * host has them. sniv_names_is_scanned() tells them, and
 * t/unit/test_names_work.c counts.
 *
 * The hash has no secret key: the names are the administrator's, and a host
 * that a client has made up probes one line and is then not found. (Names in
 * certificates are strangers': certs/hash.h.)
 *
 * Why the order of ranks holds
 * ----------------------------
 * Of equal exact names only the first can be found. Its rank is the one to
 * beat: globs of a higher rank are no longer tried, nor groups whose lowest
 * rank is higher. A run is in the order of rank and left at its first match.
 * A glob that matches lowers the rank to beat. All groups that the host's
 * parts lead to are asked, so no lower rank is left out.
 */

#include <apr_pools.h>

#include "names/pattern.h"

/** Patterns being collected. */
typedef struct sniv_names_builder_t sniv_names_builder_t;

/** The frozen index. */
typedef struct sniv_names_t sniv_names_t;

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
 * @return APR_SUCCESS, or APR_ENOSPC for more than 2^27 patterns, 3 GiB in
 *         all or 8 MiB in one
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
 * Whether look-ups pay for this pattern though a host is not like it: a glob
 * without a literal beginning or end, which cannot be found by the ends of a
 * host, or one of more than four globs with all their literal parts in
 * common. For the lint.
 */
int sniv_names_is_scanned(const sniv_names_t *names, apr_uint32_t rank);

/** Bytes that the index takes in all, texts included. */
apr_size_t sniv_names_bytes(const sniv_names_t *names);

#endif /* SNIVHOST_NAMES_NAMES_H */
