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


#ifndef SNIV_NAMES_HOST_H
#define SNIV_NAMES_HOST_H

/**
 * @file sniv_names_host.h
 * Host names as bytes: ASCII case, hashes, comparison and globs. The part of
 * the name index that looks at characters.
 *
 * Only A-Z and a-z are letters, whatever the locale. Pure, any thread, no
 * allocation.
 */

#include <apr.h>
#include <string.h>

/** Only so many bytes of a text, its last ones, make its hash. */
#define SNIV_HASHED_MAX 256

/** A host that is being looked up, or a pattern that is being filed. */
typedef struct sniv_host_t {
    const char *text;
    apr_size_t len;
    /** The text in lower case: itself if it is, else in the buffer; NULL if
     * it is neither in lower case nor short enough. */
    const char *lower;
    char buffer[SNIV_HASHED_MAX];
} sniv_host_t;

static APR_INLINE char sniv_fold(char c)
{
    return (unsigned char)(c - 'A') < 26 ? (char)(c | 0x20) : c;
}

/** Prepare a look-up: find or make the lower case of a text. */
void sniv_host_init(sniv_host_t *host, const char *text, apr_size_t len);

/**
 * The hash of n bytes of the host, in lower case, that begin at from.
 * @param n at most SNIV_HASHED_MAX
 * @param seed what the hash continues, or 0
 */
apr_uint64_t sniv_host_hash(const sniv_host_t *host, apr_size_t from,
                            apr_size_t n, apr_uint64_t seed);

/**
 * A cheaper and poorer hash of the whole host, from its ends and its length.
 * For sets so small that comparing a few texts in vain does no harm.
 */
static APR_INLINE apr_uint64_t sniv_host_ends(const sniv_host_t *host)
{
    apr_uint64_t first, last;

    if (host->len < 8 || host->len > SNIV_HASHED_MAX) {
        return host->len;
    }
    memcpy(&first, host->lower, 8);
    memcpy(&last, host->lower + host->len - 8, 8);
    first = (first ^ host->len ^ last * APR_UINT64_C(0x9e3779b97f4a7c15))
            * APR_UINT64_C(0xff51afd7ed558ccd);
    return first ^ first >> 32;
}

/** A byte of the host in lower case. */
static APR_INLINE char sniv_host_byte(const sniv_host_t *host,
                                      apr_size_t from)
{
    return host->lower ? host->lower[from] : sniv_fold(host->text[from]);
}

/** Four bytes of the host in lower case. */
static APR_INLINE apr_uint32_t sniv_host_window(const sniv_host_t *host,
                                                apr_size_t from)
{
    apr_uint32_t word;
    char part[4];
    int i;

    if (host->lower) {
        memcpy(&word, host->lower + from, 4);
        return word;
    }
    for (i = 0; i < 4; i++) {
        part[i] = sniv_fold(host->text[from + i]);
    }
    memcpy(&word, part, 4);
    return word;
}

/** Whether the n bytes of the host at from are, but for case, the text. */
int sniv_host_has(const sniv_host_t *host, apr_size_t from, const char *text,
                  apr_size_t n);

/**
 * Whether a glob matches the host, as ap_strcasecmp_match() would say: `*`
 * is any run of characters, `?` any one, everything else is itself.
 * The time is at most the product of the lengths, whatever the stars.
 */
int sniv_host_matches(const sniv_host_t *host, const char *glob,
                      apr_size_t glen);

#endif /* SNIV_NAMES_HOST_H */
