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


#include "names/host.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Loops over eight bytes at a time end with the last eight once more instead
 * of a loop over what is left. */

static int has_upper(const char *text, apr_size_t n)
{
    apr_uint64_t upper = 0;
    apr_size_t i;

    if (n < 8) {
        for (i = 0; i < n; i++) {
            upper |= sniv_fold(text[i]) != text[i];
        }
        return upper != 0;
    }
    for (i = 0; i < n - 8; i += 8) {
        upper |= sniv_upper8(sniv_load8(text + i));
    }
    return (upper | sniv_upper8(sniv_load8(text + n - 8))) != 0;
}

static void fold(char *to, const char *text, apr_size_t n)
{
    apr_size_t i;

    for (i = 0; i < n; i++) {
        to[i] = sniv_fold(text[i]);
    }
}

void sniv_host_init_any(sniv_host_t *host, const char *text, apr_size_t len)
{
    host->text = text;
    host->len = len;
    if (!has_upper(text, len)) {
        host->lower = text;
    }
    else if (len <= SNIV_HASHED_MAX) {
        fold(host->buffer, text, len);
        host->lower = host->buffer;
    }
    else {
        host->lower = NULL;
    }
}

apr_uint64_t sniv_host_hash(const sniv_host_t *host, apr_size_t from,
                            apr_size_t n, apr_uint64_t seed)
{
    char part[SNIV_HASHED_MAX];

    SNIV_WORK(n);
    if (host->lower) {
        return XXH3_64bits_withSeed(host->lower + from, n, seed);
    }
    fold(part, host->text + from, n);
    return XXH3_64bits_withSeed(part, n, seed);
}

int sniv_host_has_any(const sniv_host_t *host, apr_size_t from,
                      const char *text, apr_size_t n)
{
    const char *have;
    apr_size_t i;

    if (!host->lower || n < 8) {
        for (i = 0; i < n; i++) {
            if (sniv_host_byte(host, from + i) != sniv_fold(text[i])) {
                return 0;
            }
        }
        return 1;
    }
    have = host->lower + from;
    for (i = 0; i < n - 8; i += 8) {
        if (sniv_load8(have + i) != sniv_fold8(sniv_load8(text + i))) {
            return 0;
        }
    }
    return sniv_load8(have + n - 8) == sniv_fold8(sniv_load8(text + n - 8));
}

int sniv_host_matches(const char *text, apr_size_t len, const char *glob,
                      apr_size_t glen)
{
    apr_size_t g, t, retry_g, retry_t;

    /* What follows the last star stands at the end of the host, and nowhere
     * else: compare it first, backwards. */
    for (; glen && glob[glen - 1] != '*'; glen--, len--) {
        char c = glob[glen - 1];

        SNIV_WORK(1);
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
        SNIV_WORK(1);
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

static int is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* Four numbers without a zero in front of another digit. */
static int is_dotted_quad(const char *host)
{
    int dots = 0;
    const char *c;

    for (c = host; *c; c++) {
        dots += *c == '.';
        if (*c == '0' && is_digit(c[1]) && (c == host || c[-1] == '.'))
            return 0;
    }
    return dots == 3 && *host != '.';
}

int sniv_host_is_taken(const char *host, int is_unsafe)
{
    const char *c, *last = host;
    int is_number = 1;

    /* an IPv6 address: it came in brackets */
    if ((c = strchr(host, ':')) != NULL)
        return strchr(c + 1, ':')
               && !host[strspn(host, "0123456789abcdefABCDEF:.")];
    if (strstr(host, "..") || host[strcspn(host, "/\\")])
        return 0;
    if (is_unsafe)
        return 1;
    for (c = host; *c; c++) {
        if (*c == '.')
            last = c + 1;
        else if (!is_digit(*c))
            is_number = 0;
        if (*c != '.' && *c != '-' && *c != '_' && !is_digit(*c)
            && (unsigned char)(sniv_fold(*c) - 'a') > 25) {
            return 0;
        }
    }
    if (is_number)
        return is_dotted_quad(host);
    /* a top-level domain begins with a letter */
    return last == host || !*last
           || (unsigned char)(sniv_fold(*last) - 'a') < 26;
}
