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

#include "names/pieces.h"
#include "names/sort.h"

struct sniv_pieces_t {
    apr_uint64_t *hashes;       /* sorted; none if no glob has a choice */
    apr_uint32_t n;
};

/* So much of a literal counts. */
static apr_size_t shortened(apr_size_t n)
{
    return n < SNIV_LITERAL_MAX ? n : SNIV_LITERAL_MAX;
}

/* The beginning and the end of a glob that has at least one wildcard. */
static void take_ends(sniv_literal_t of[SNIV_LITERALS],
                      const sniv_host_t *host)
{
    const char *text = host->text;
    apr_size_t first = 0, len = host->len, behind = len;

    while (!sniv_is_wildcard(text[first])) {
        first++;
    }
    while (!sniv_is_wildcard(text[behind - 1])) {
        behind--;
    }
    of[SNIV_BEGINNING].from = 0;
    of[SNIV_BEGINNING].n = shortened(first);
    of[SNIV_END].n = shortened(len - behind);
    of[SNIV_END].from = len - of[SNIV_END].n;
}

/* The piece behind this one; before the first one is the beginning. */
static int next_piece(sniv_literal_t *piece, const char *text, apr_size_t until)
{
    apr_size_t at = piece->from + piece->n;

    while (at < until && sniv_is_wildcard(text[at])) {
        at++;
    }
    piece->from = at;
    while (at < until && !sniv_is_wildcard(text[at])) {
        at++;
    }
    piece->n = at - piece->from;
    return piece->n > 0;
}

static apr_uint64_t hash_of(const sniv_host_t *host,
                            const sniv_literal_t *piece)
{
    return sniv_host_hash(host, piece->from, shortened(piece->n), 0);
}

const sniv_pieces_t *sniv_pieces_list(const sniv_pattern_t *patterns,
                                      apr_uint32_t n, apr_pool_t *p)
{
    sniv_pieces_t *pieces = apr_pcalloc(p, sizeof(*pieces));
    apr_uint32_t most = 0, i;
    int pass;

    /* First count them. */
    for (pass = 0; pass < 2; pass++) {
        pieces->n = 0;
        for (i = 0; i < n; i++) {
            sniv_literal_t of[SNIV_LITERALS], piece;
            apr_uint32_t before = pieces->n;
            sniv_host_t host;

            if (!patterns[i].is_wild || patterns[i].is_simple) {
                continue;
            }
            sniv_host_init(&host, patterns[i].text, patterns[i].len);
            take_ends(of, &host);
            piece = of[SNIV_BEGINNING];
            while (next_piece(&piece, host.text, of[SNIV_END].from)) {
                if (pass) {
                    pieces->hashes[pieces->n] = hash_of(&host, &piece);
                }
                pieces->n++;
            }
            if (most < pieces->n - before) {
                most = pieces->n - before;
            }
        }
        if (most < 2) {
            pieces->n = 0;
            return pieces;
        }
        if (!pass) {
            pieces->hashes = apr_palloc(p, pieces->n
                                           * sizeof(*pieces->hashes));
        }
    }
    sniv_sort(pieces->hashes, sizeof(*pieces->hashes), pieces->n,
              apr_palloc(p, pieces->n * sizeof(*pieces->hashes)));
    return pieces;
}

/* How many pieces are like this one, about. */
static apr_uint32_t count_pieces(const sniv_pieces_t *pieces,
                                 apr_uint64_t hash)
{
    apr_uint32_t bounds[2], i;

    for (i = 0; i < 2; i++) {
        apr_uint32_t low = 0, high = pieces->n;

        while (low < high) {
            apr_uint32_t middle = low + (high - low) / 2;

            if (pieces->hashes[middle] < hash
                || (i && pieces->hashes[middle] == hash)) {
                low = middle + 1;
            }
            else {
                high = middle;
            }
        }
        bounds[i] = low;
    }
    return bounds[1] - bounds[0];
}

/* The rarest piece of a glob, or the longest one of these: it tells best what
 * other globs it is not. */
static void take_middle(const sniv_pieces_t *pieces,
                        sniv_literal_t of[SNIV_LITERALS],
                        const sniv_host_t *host)
{
    sniv_literal_t piece = of[SNIV_BEGINNING];
    apr_uint32_t fewest = 0;

    of[SNIV_MIDDLE].from = of[SNIV_MIDDLE].n = 0;
    while (next_piece(&piece, host->text, of[SNIV_END].from)) {
        apr_uint32_t n = 0;

        if (pieces->n) {
            n = count_pieces(pieces, hash_of(host, &piece));
        }
        if (!of[SNIV_MIDDLE].n || n < fewest
            || (n == fewest && piece.n > of[SNIV_MIDDLE].n)) {
            of[SNIV_MIDDLE] = piece;
            fewest = n;
        }
    }
    of[SNIV_MIDDLE].n = shortened(of[SNIV_MIDDLE].n);
}

void sniv_pieces_take(const sniv_pieces_t *pieces,
                      sniv_literal_t of[SNIV_LITERALS],
                      const sniv_host_t *host)
{
    take_ends(of, host);
    take_middle(pieces, of, host);
}
