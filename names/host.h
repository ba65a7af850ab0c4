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


#ifndef SNIVHOST_NAMES_HOST_H
#define SNIVHOST_NAMES_HOST_H

/**
 * @file names/host.h
 * Host names as bytes: ASCII case, hashes, comparison and globs. The part of
 * the name index that looks at characters.
 *
 * Only A-Z and a-z are letters, whatever the locale. Pure, any thread, no
 * allocation.
 */

#include <apr.h>
#include <string.h>

/* A test counts what a look-up does, in about bytes read. */
#if defined(SNIV_COUNT_WORK)
extern apr_uint64_t sniv_work;
#define SNIV_WORK(n) (sniv_work += (n))
#else
#define SNIV_WORK(n) ((void)0)
#endif

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

/* Eight characters at once: 0x20 in each byte that is A to Z. */
static APR_INLINE apr_uint64_t sniv_upper8(apr_uint64_t word)
{
    const apr_uint64_t ones = APR_UINT64_C(0x0101010101010101);
    apr_uint64_t low = word & (ones * 0x7f);
    apr_uint64_t from_a = low + ones * (0x80 - 'A');
    apr_uint64_t beyond_z = low + ones * (0x7f - 'Z');

    return ((from_a & ~beyond_z & ~word) & (ones * 0x80)) >> 2;
}

static APR_INLINE apr_uint64_t sniv_fold8(apr_uint64_t word)
{
    return word | sniv_upper8(word);
}

/* Most names have 8 to 32 bytes, and their lengths differ from look-up to
 * look-up: a loop over them would end where the processor does not expect it.
 * Four words cover them all without a branch; some overlap. */
#define SNIV_WORDS 4
#define SNIV_HAS_WORDS(n) ((n) - 8 <= 24)

static APR_INLINE apr_uint64_t sniv_load8(const char *from)
{
    apr_uint64_t word;

    memcpy(&word, from, 8);
    return word;
}

static APR_INLINE void sniv_load_words(apr_uint64_t words[SNIV_WORDS],
                                       const char *text, apr_size_t n)
{
    apr_size_t last = n - 8;

    words[0] = sniv_load8(text);
    words[1] = sniv_load8(text + (last < 8 ? last : 8));
    words[2] = sniv_load8(text + (last < 8 ? 0 : last - 8));
    words[3] = sniv_load8(text + last);
}

/** Prepare a look-up: find or make the lower case of any text. */
void sniv_host_init_any(sniv_host_t *host, const char *text, apr_size_t len);

/** The same, faster for a usual one. */
static APR_INLINE void sniv_host_init(sniv_host_t *host, const char *text,
                                      apr_size_t len)
{
    if (SNIV_HAS_WORDS(len)) {
        apr_uint64_t words[SNIV_WORDS];

        sniv_load_words(words, text, len);
        if (!(sniv_upper8(words[0]) | sniv_upper8(words[1])
              | sniv_upper8(words[2]) | sniv_upper8(words[3]))) {
            host->text = host->lower = text;
            host->len = len;
            return;
        }
    }
    sniv_host_init_any(host, text, len);
}

/**
 * The hash of n bytes of the host, in lower case, that begin at from.
 * @param n at most SNIV_HASHED_MAX
 * @param seed what the hash continues, or 0
 */
apr_uint64_t sniv_host_hash(const sniv_host_t *host, apr_size_t from,
                            apr_size_t n, apr_uint64_t seed);

/**
 * A cheaper and poorer hash of the whole host, of at most SNIV_HASHED_MAX
 * bytes: different names may well have the same.
 */
static APR_INLINE apr_uint64_t sniv_host_quick(const sniv_host_t *host)
{
    apr_uint64_t words[SNIV_WORDS];

    if (!SNIV_HAS_WORDS(host->len)) {
        return sniv_host_hash(host, 0, host->len, 0);
    }
    sniv_load_words(words, host->lower, host->len);
    return ((words[0] ^ host->len) * APR_UINT64_C(0x9e3779b97f4a7c15))
           ^ (words[1] * APR_UINT64_C(0xff51afd7ed558ccd))
           ^ (words[2] * APR_UINT64_C(0xc4ceb9fe1a85ec53))
           ^ (words[3] * APR_UINT64_C(0xbf58476d1ce4e5b9));
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
int sniv_host_has_any(const sniv_host_t *host, apr_size_t from,
                      const char *text, apr_size_t n);

/** The same, faster for a usual text. */
static APR_INLINE int sniv_host_has(const sniv_host_t *host, apr_size_t from,
                                    const char *text, apr_size_t n)
{
    apr_uint64_t have[SNIV_WORDS], words[SNIV_WORDS];

    SNIV_WORK(n);
    if (!SNIV_HAS_WORDS(n) || !host->lower) {
        return sniv_host_has_any(host, from, text, n);
    }
    sniv_load_words(have, host->lower + from, n);
    sniv_load_words(words, text, n);
    return !((have[0] ^ sniv_fold8(words[0]))
             | (have[1] ^ sniv_fold8(words[1]))
             | (have[2] ^ sniv_fold8(words[2]))
             | (have[3] ^ sniv_fold8(words[3])));
}

/**
 * Whether a glob matches a text, as ap_strcasecmp_match() would say: `*` is
 * any run of characters, `?` any one, everything else is itself. The time is
 * at most the product of the lengths, whatever the stars.
 */
int sniv_host_matches(const char *text, apr_size_t len, const char *glob,
                      apr_size_t glen);

/**
 * Whether httpd takes a host of a request as it is (core's fix_hostname());
 * it answers 400 to what it does not take, before any name is looked at.
 * @param host without port, brackets and the dot at the end
 * @param is_unsafe HttpProtocolOptions Unsafe
 */
int sniv_host_is_taken(const char *host, int is_unsafe);

#endif /* SNIVHOST_NAMES_HOST_H */
