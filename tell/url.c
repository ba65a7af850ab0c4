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

#include "tell/url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "apr_dso.h"
#include "apr_lib.h"
#include "apr_strings.h"
#include "apr_uri.h"

#ifdef SNIVHOST_HAVE_IDN2
#include <idn2.h>
#endif

const char *sniv_url_idn2 = "libidn2.so.0";

/* A host name in the DNS, and a server name in TLS (RFC 6066, 3). */
#define NAME_MAX_LENGTH 253

int sniv_url_has_controls(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return 1;
    }
    return 0;
}

static int is_ascii(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text >= 0x80)
            return 0;
    }
    return 1;
}

#ifdef SNIVHOST_HAVE_IDN2

/* ----- libidn2, until p is destroyed. Not linked: with its tables it is twice
 * as large as jansson, in each server, for questions that few ask */

typedef struct {
    int (*to_ascii)(const char *text, char **labels, int flags);
    void (*free)(void *labels);
    const char *(*strerror)(int rv);
} idn2_t;

static int load_function(void *to, apr_dso_handle_t *lib, const char *name)
{
    apr_dso_handle_sym_t sym;

    if (apr_dso_sym(&sym, lib, name) != APR_SUCCESS)
        return 0;
    memcpy(to, &sym, sizeof(sym));      /* ISO C has no such conversion */
    return 1;
}

/* Returns why there is none. */
static const char *load_idn2(idn2_t *idn2, apr_pool_t *p)
{
    apr_dso_handle_t *lib = NULL;
    char text[256];

    if (apr_dso_load(&lib, sniv_url_idn2, p) == APR_SUCCESS
        && load_function(&idn2->to_ascii, lib, "idn2_to_ascii_8z")
        && load_function(&idn2->free, lib, "idn2_free")
        && load_function(&idn2->strerror, lib, "idn2_strerror")) {
        return NULL;
    }
    return apr_psprintf(p, "it has characters outside ASCII, and the library "
                        "that converts them cannot be loaded: %s",
                        lib ? apr_dso_error(lib, text, sizeof(text))
                            : sniv_url_idn2);
}

/* ----- labels with symbols: browsers take them, IDNA2008 does not */

#define LABEL_MAX 63

/* What UTS 46 leaves as it is: most symbols and pictures. */
static int is_symbol(apr_uint32_t c)
{
    static const apr_uint32_t ranges[][2] = {
        { 0x2190, 0x2328 }, { 0x232b, 0x23ff }, { 0x2500, 0x27bf },
        { 0x2b00, 0x2b73 }, { 0x1f1e6, 0x1f1ff }, { 0x1f300, 0x1f6d7 },
        { 0x1f900, 0x1f9ff }, { 0x1fa70, 0x1faf8 }
    };
    apr_size_t i;

    for (i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return 1;
    }
    return 0;
}

/* The characters of a label, without what says how a symbol is to look
 * (U+FE0E, U+FE0F); 0: there is something else than symbols and ASCII. */
static int take_symbols(const char *label, apr_size_t len,
                        apr_uint32_t chars[LABEL_MAX])
{
    const unsigned char *c = (const unsigned char *)label;
    const unsigned char *end = c + len;
    int n = 0;

    while (c < end) {
        apr_uint32_t code = *c;
        int more = *c < 0x80 ? 0 : *c < 0xe0 ? 1 : *c < 0xf0 ? 2 : 3, i;

        if (more) {
            code = *c & (0x3fu >> more);
            for (i = 1; i <= more; i++) {
                if (c + i >= end || (c[i] & 0xc0) != 0x80)
                    return 0;
                code = code << 6 | (c[i] & 0x3fu);
            }
        }
        else if (code < 0x80) {
            code = (apr_uint32_t)apr_tolower(*c);
        }
        c += more + 1;
        if (code == 0xfe0e || code == 0xfe0f)
            continue;
        if (n == LABEL_MAX || (code >= 0x80 && !is_symbol(code)))
            return 0;
        chars[n++] = code;
    }
    return n;
}

static char digit(apr_uint32_t d)
{
    return (char)(d < 26 ? 'a' + d : '0' + d - 26);
}

/* RFC 3492, 6.1 */
static apr_uint32_t adapt(apr_uint32_t delta, apr_uint32_t npoints,
                          int is_first)
{
    apr_uint32_t k = 0;

    delta /= is_first ? 700 : 2;
    delta += delta / npoints;
    for (; delta > 455; k += 36)
        delta /= 35;
    return k + 36 * delta / (delta + 38);
}

/* RFC 3492, 6.3: an A-label. */
static const char *punycode(const apr_uint32_t *chars, int n, apr_pool_t *p)
{
    /* 4 bytes for each character at most, for as few of them */
    char *out = apr_palloc(p, 8 * LABEL_MAX + 8), *to = out;
    apr_uint32_t code = 0x80, delta = 0, bias = 72, q, k, t;
    int i, done, basic = 0;

    memcpy(to, "xn--", 4);
    to += 4;
    for (i = 0; i < n; i++) {
        if (chars[i] < 0x80) {
            *to++ = (char)chars[i];
            basic++;
        }
    }
    if (basic)
        *to++ = '-';
    for (done = basic; done < n; delta++, code++) {
        apr_uint32_t next = 0x10ffff;

        for (i = 0; i < n; i++) {
            if (chars[i] >= code && chars[i] < next)
                next = chars[i];
        }
        delta += (next - code) * (apr_uint32_t)(done + 1);
        code = next;
        for (i = 0; i < n; i++) {
            delta += chars[i] < code;
            if (chars[i] != code)
                continue;
            for (q = delta, k = 36;; k += 36) {
                t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
                if (q < t)
                    break;
                *to++ = digit(t + (q - t) % (36 - t));
                q = (q - t) / (36 - t);
            }
            *to++ = digit(q);
            bias = adapt(delta, (apr_uint32_t)done + 1, done == basic);
            delta = 0;
            done++;
        }
    }
    *to = '\0';
    return to - out <= LABEL_MAX ? out : NULL;
}

/* NULL: no. */
static const char *convert_label(const idn2_t *idn2, const char *label,
                                 apr_size_t len, apr_pool_t *p)
{
    apr_uint32_t chars[LABEL_MAX];
    const char *text = apr_pstrmemdup(p, label, len);
    char *labels = NULL;
    int n;

    if (is_ascii(text))
        return text;
    if (idn2->to_ascii(text, &labels, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT)
        == IDN2_OK && labels && is_ascii(labels)) {
        text = apr_pstrdup(p, labels);
    }
    else {
        n = take_symbols(label, len, chars);
        text = n ? punycode(chars, n, p) : NULL;
    }
    idn2->free(labels);
    return text;
}

static const char *convert_labels(const idn2_t *idn2, const char *host,
                                  apr_pool_t *p)
{
    const char *all = "", *label;
    apr_size_t len;

    for (;; host += len + 1) {
        len = strcspn(host, ".");
        label = convert_label(idn2, host, len, p);
        if (!label)
            return NULL;
        all = apr_pstrcat(p, all, label, host[len] ? "." : "", NULL);
        if (!host[len])
            return all;
    }
}

/* Returns why it cannot be converted. */
static const char *convert(const char **text, const char *host, apr_pool_t *p)
{
    idn2_t idn2 = { 0 };
    char *labels = NULL;
    const char *why = load_idn2(&idn2, p);
    int rv;

    if (why)
        return why;
    rv = idn2.to_ascii(host, &labels,
                       IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
    if (rv == IDN2_OK && labels && is_ascii(labels))
        *text = apr_pstrdup(p, labels);
    else if (rv == IDN2_OK)
        why = "it has no A-labels";
    else if (!(*text = convert_labels(&idn2, host, p)))
        why = apr_pstrdup(p, idn2.strerror(rv));
    idn2.free(labels);
    return why;
}

#else

static const char *convert(const char **text, const char *host, apr_pool_t *p)
{
    return "it has characters outside ASCII, and this build has no libidn2 to "
           "convert them";
}

#endif

const char *sniv_url_ascii_host(const char **text, const char *host,
                                apr_pool_t *p)
{
    const char *why = NULL;

    *text = host;
    if (!is_ascii(host))
        why = convert(text, host, p);
    if (!why)
        return NULL;
    *text = host;
    return apr_psprintf(p, "'%s' is not a name that a client can send (%s): "
                        "write its A-labels, as in xn--bcher-kva.example",
                        host, why);
}

static int hex(char c)
{
    return apr_isdigit(c) ? c - '0' : apr_tolower(c) - 'a' + 10;
}

/* Browsers decode %XX in a host. A NUL stays as it is written. */
static char *decoded(const char *text, apr_pool_t *p)
{
    char *copy = apr_pstrdup(p, text), *to = copy;

    for (; *text; text++) {
        if (*text == '%' && apr_isxdigit(text[1]) && apr_isxdigit(text[2])
            && (text[1] != '0' || text[2] != '0')) {
            *to++ = (char)(hex(text[1]) * 16 + hex(text[2]));
            text += 2;
        }
        else {
            *to++ = *text;
        }
    }
    *to = '\0';
    return copy;
}

/* Bytes that a browser does not send in a path as they are. */
static const char *encoded(const char *path, apr_pool_t *p)
{
    static const char digits[] = "0123456789ABCDEF";
    char *copy = apr_palloc(p, 3 * strlen(path) + 1), *to = copy;

    for (; *path; path++) {
        const unsigned char c = (unsigned char)*path;

        if (c <= ' ' || c >= 0x7f || strchr("\"<>`{}", c)) {
            *to++ = '%';
            *to++ = digits[c >> 4];
            *to++ = digits[c & 15];
        }
        else {
            *to++ = (char)c;
        }
    }
    *to = '\0';
    return copy;
}

static const char *set_port(sniv_url_t *url, const char *text,
                            const apr_uri_t *uri, apr_pool_t *p)
{
    const char *digits = uri->port_str;
    long port = 0;

    url->port = apr_uri_port_of_scheme(uri->scheme);
    if (!digits || !*digits)
        return NULL;
    if (strlen(digits) <= 5 && strspn(digits, "0123456789") == strlen(digits))
        port = atol(digits);
    if (port < 1 || port > 65535) {
        return apr_psprintf(p, "'%s' has a port that does not exist: write "
                            "one from 1 to 65535, or none", text);
    }
    url->port = (apr_port_t)port;
    return NULL;
}

static const char *set_host(sniv_url_t *url, const char *text,
                            const char *written, apr_pool_t *p)
{
    const int is_ipv6 = strchr(written, ':') != NULL;
    const apr_port_t usual = url->is_https ? 443 : 80;
    const char *ascii, *err;
    apr_size_t len;
    char *host;

    err = sniv_url_ascii_host(&ascii, is_ipv6 ? written : decoded(written, p),
                              p);
    if (err)
        return err;
    host = apr_pstrdup(p, ascii);
    for (char *c = host; *c; c++)
        *c = (char)apr_tolower(*c);
    len = strlen(host);
    if (!*host || !strcmp(host, ".") || sniv_url_has_controls(host)
        || strpbrk(host, " \"#%/<>?@[\\]^`{|}") != NULL
        || (!is_ipv6 && strchr(host, ':'))) {
        return apr_psprintf(p, "'%s' has a host that no client can request: "
                            "write one such as https://www.example.com/",
                            text);
    }
    if (len - (host[len - 1] == '.') > NAME_MAX_LENGTH) {
        return apr_psprintf(p, "'%s' has a host of %" APR_SIZE_T_FMT
                            " characters: no name has more than %d", text,
                            len, NAME_MAX_LENGTH);
    }
    /* No addresses, no dot at the end. */
    if (url->is_https && !is_ipv6 && strspn(host, "0123456789.") != len)
        url->sni = apr_pstrmemdup(p, host, len - (host[len - 1] == '.'));
    url->host = apr_psprintf(p, is_ipv6 ? "[%s]%s" : "%s%s", host,
                             url->port == usual
                             ? "" : apr_psprintf(p, ":%u", url->port));
    return NULL;
}

const char *sniv_url_parse(sniv_url_t *url, const char *text, apr_pool_t *p)
{
    const char *err;
    apr_uri_t uri;

    memset(url, 0, sizeof(*url));
    if (sniv_url_has_controls(text)) {
        return "the URL has a control character, which no client can send: "
               "remove it";
    }
    if (apr_uri_parse(p, text, &uri) != APR_SUCCESS || !uri.hostname
        || !*uri.hostname) {
        return apr_psprintf(p, "'%s' is not a URL with a host: write one such "
                            "as https://www.example.com/", text);
    }
    url->is_https = uri.scheme && !strcasecmp(uri.scheme, "https");
    if (!url->is_https
        && (!uri.scheme || strcasecmp(uri.scheme, "http"))) {
        return apr_psprintf(p, "'%s' is neither https:// nor http://: "
                            "write one such as https://www.example.com/",
                            text);
    }
    url->path = uri.path && *uri.path ? encoded(uri.path, p) : "/";
    err = set_port(url, text, &uri, p);
    return err ? err : set_host(url, text, uri.hostname, p);
}
