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


#include "sniv_names_host.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* n bytes of text to lower case. */
static void fold(unsigned char *to, const char *text, apr_size_t n)
{
    apr_size_t i;

    if (n < 8) {
        for (i = 0; i < n; i++) {
            to[i] = sniv_fold(text[i]);
        }
        return;
    }
    for (i = 0; i <= n - 8; i += 8) {
        apr_uint64_t word = sniv_fold8(text + i);

        memcpy(to + i, &word, 8);
    }
    if (i < n) {
        /* The last eight once more, instead of a loop over the rest. */
        apr_uint64_t word = sniv_fold8(text + n - 8);

        memcpy(to + n - 8, &word, 8);
    }
}

void sniv_host_init(sniv_host_t *host, const char *text, apr_size_t len)
{
    host->text = text;
    host->len = len;
    if (len <= SNIV_HASHED_MAX) {
        fold(host->folded, text, len);
    }
}

apr_uint64_t sniv_host_hash(const sniv_host_t *host, apr_size_t from,
                            apr_size_t n, apr_uint64_t seed)
{
    unsigned char part[SNIV_HASHED_MAX];

    if (host->len <= SNIV_HASHED_MAX) {
        return XXH3_64bits_withSeed(host->folded + from, n, seed);
    }
    fold(part, host->text + from, n);
    return XXH3_64bits_withSeed(part, n, seed);
}

int sniv_host_equals(const sniv_host_t *host, const char *text)
{
    apr_size_t i = 0, len = host->len;

    if (len <= SNIV_HASHED_MAX) {
        for (; i + 8 <= len; i += 8) {
            apr_uint64_t word;

            memcpy(&word, host->folded + i, 8);
            if (word != sniv_fold8(text + i)) {
                return 0;
            }
        }
    }
    for (; i < len; i++) {
        if (text[i] == '\0' || sniv_fold(host->text[i]) != sniv_fold(text[i])) {
            return 0;
        }
    }
    return text[len] == '\0';
}

int sniv_host_matches(const sniv_host_t *host, const char *glob,
                      apr_size_t glen)
{
    const char *text = host->text;
    apr_size_t len = host->len;
    apr_size_t g, t, retry_g, retry_t;

    /* What follows the last star stands at the end of the host, and nowhere
     * else: compare it first, backwards. */
    for (; glen && glob[glen - 1] != '*'; glen--, len--) {
        char c = glob[glen - 1];

        if (!len || (c != '?' && sniv_fold(c) != sniv_fold(text[len - 1]))) {
            return 0;
        }
    }
    if (!glen) {
        return !len;
    }

    /* What is left ends in a star. Go along both; each star remembers where
     * to come back to, and begins by standing for nothing. An earlier star
     * never has to be tried again: what it could skip, the later one can. */
    g = t = retry_g = retry_t = 0;
    while (t < len) {
        if (glob[g] == '*') {
            retry_g = ++g;
            retry_t = t;
            if (g == glen) {
                return 1;
            }
        }
        else if (glob[g] == '?' || sniv_fold(glob[g]) == sniv_fold(text[t])) {
            g++;
            t++;
        }
        else if (retry_g) {
            g = retry_g;
            t = ++retry_t;
        }
        else {
            return 0;
        }
    }
    while (g < glen && glob[g] == '*') {
        g++;
    }
    return g == glen;
}
