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
 * allocation. Nothing here reads beyond the lengths it is given.
 */

#include <apr.h>
#include <string.h>

/** Only so many bytes of a text, its last ones, make its hash. */
#define SNIV_HASHED_MAX 240

/** A host that is being looked up, or a pattern that is being filed. */
typedef struct sniv_host_t {
    const char *text;
    apr_size_t len;
    /** The text in lower case, if it is not longer than SNIV_HASHED_MAX. */
    unsigned char folded[SNIV_HASHED_MAX];
} sniv_host_t;

static APR_INLINE unsigned char sniv_fold(char c)
{
    return (unsigned char)(c - 'A') < 26 ? (unsigned char)(c | 0x20)
                                         : (unsigned char)c;
}

/** Eight characters at once: set bit 5 of the bytes that are A to Z. */
static APR_INLINE apr_uint64_t sniv_fold8(const void *text)
{
    const apr_uint64_t ones = APR_UINT64_C(0x0101010101010101);
    apr_uint64_t word, low, from_a, beyond_z;

    memcpy(&word, text, 8);
    low = word & (ones * 0x7f);
    from_a = low + ones * (0x80 - 'A');
    beyond_z = low + ones * (0x7f - 'Z');
    return word | (((from_a & ~beyond_z & ~word) & (ones * 0x80)) >> 2);
}

/** Prepare a look-up: fold the host's case. */
void sniv_host_init(sniv_host_t *host, const char *text, apr_size_t len);

/**
 * The hash of n bytes of the host, in lower case, that begin at from.
 * @param n at most SNIV_HASHED_MAX
 * @param seed what the hash continues, or 0
 */
apr_uint64_t sniv_host_hash(const sniv_host_t *host, apr_size_t from,
                            apr_size_t n, apr_uint64_t seed);

/**
 * Whether host and text are equal but for case.
 * @param text NUL-terminated; SNIV_HASHED_MAX bytes may be read whatever
 *        its length
 */
int sniv_host_equals(const sniv_host_t *host, const char *text);

/**
 * Whether a glob matches the host, as ap_strcasecmp_match() would say: `*`
 * is any run of characters, `?` any one, everything else is itself.
 * The time is at most the product of the lengths, whatever the stars.
 */
int sniv_host_matches(const sniv_host_t *host, const char *glob,
                      apr_size_t glen);

#endif /* SNIV_NAMES_HOST_H */
