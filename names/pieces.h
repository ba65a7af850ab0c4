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

#ifndef SNIVHOST_NAMES_PIECES_H
#define SNIVHOST_NAMES_PIECES_H

/**
 * @file names/pieces.h
 * Taking globs apart: the three literals that each is filed under.
 *
 *     www.*.shop?.a*.example
 *     `--' `---'  `' `-----'
 *     beginning, pieces, end: the rarest of the pieces is the middle
 *
 * Configuration time, one thread.
 */

#include <apr_pools.h>

#include "names/host.h"
#include "names/pattern.h"

/** The literals, which are also the levels of the tree. */
enum {
    SNIV_END,
    SNIV_BEGINNING,
    SNIV_MIDDLE,
    SNIV_LITERALS
};

/** Of a longer end the last so many bytes count, of others the first ones.
 * What is left of an end or a beginning is one of the pieces. */
#define SNIV_LITERAL_MAX 64

/** Where a literal is in the text of a glob. */
typedef struct sniv_literal_t {
    apr_size_t from;
    apr_size_t n;               /**< 0: there is none */
} sniv_literal_t;

/** How often each piece occurs. */
typedef struct sniv_pieces_t sniv_pieces_t;

static APR_INLINE int sniv_is_wildcard(char c)
{
    return c == '*' || c == '?';
}

/** Count the pieces of all globs among the patterns. */
const sniv_pieces_t *sniv_pieces_list(const sniv_pattern_t *patterns,
                                      apr_uint32_t n, apr_pool_t *p);

/** Take the literals of a glob that has at least one wildcard. */
void sniv_pieces_take(const sniv_pieces_t *pieces,
                      sniv_literal_t of[SNIV_LITERALS],
                      const sniv_host_t *glob);

#endif /* SNIVHOST_NAMES_PIECES_H */
