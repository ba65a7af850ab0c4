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

/* sniv_url_parse: what a browser sends that is given a URL. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "tell/url.h"

static apr_pool_t *pool;

typedef struct expected_t {
    const char *url, *sni, *host, *path;
    int port;
} expected_t;

static int same(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static void check(const expected_t *e)
{
    sniv_url_t url;
    const char *err = sniv_url_parse(&url, e->url, pool);

    if (err)
        fail_msg("%s: %s", e->url, err);
    if (!same(url.sni, e->sni) || !same(url.host, e->host)
        || !same(url.path, e->path) || url.port != e->port) {
        fail_msg("%s: sni %s host %s path %s port %d", e->url, url.sni,
                 url.host, url.path, url.port);
    }
}

static void test_good(void **state)
{
    static const expected_t all[] = {
        { "https://www.example.com/", "www.example.com", "www.example.com",
          "/", 443 },
        { "HTTPS://WWW.Example.com", "www.example.com", "www.example.com",
          "/", 443 },
        { "http://a.example:81/x?y#z", NULL, "a.example:81", "/x", 81 },
        { "http://a.example:80/", NULL, "a.example", "/", 80 },
        { "https://a.example.:444/", "a.example", "a.example.:444", "/", 444 },
        { "https://192.0.2.1/", NULL, "192.0.2.1", "/", 443 },
        { "https://[2001:db8::1]:8443/", NULL, "[2001:db8::1]:8443", "/",
          8443 },
        { "https://user:word@a.example:/", "a.example", "a.example", "/",
          443 },
        { "https://a%2Eexample/%41 b", "a.example", "a.example", "/%41%20b",
          443 },
        { "https://a.example/\xc3\xbc", "a.example", "a.example", "/%C3%BC",
          443 },
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(all) / sizeof(*all); i++)
        check(&all[i]);
}

static void test_bad(void **state)
{
    static const char *const all[] = {
        "//x://y", "://", "//", "", "x", "x://y", "https://", "https:///",
        "https://:443/", "https://a:0/", "https://a:65536/", "https://a:-1/",
        "https://a:1x/", "https://a:99999999999999999999/", "https://./",
        "https://a%00b/", "https://a%0ab/", "https://a%20b/", "https://a b/",
        "https://a\x1b/", "https://a/\n", "https://a\x7f/", "https://[::1/",
        "https://a%2fb/", "https://a%3a80/", "ftp://a.example/",
        "https://\xff\xfe.example/", "https://\xc3.example/",
        "https://xn--\xc3\xbc.example/", "https://[", "https://]",
        "https://@", "https://a@", "https://@:443", "https://%c2%ad/"
    };
    size_t i;
    sniv_url_t url;

    (void)state;
    for (i = 0; i < sizeof(all) / sizeof(*all); i++) {
        const char *err = sniv_url_parse(&url, all[i], pool);

        if (!err)
            fail_msg("%s is taken for host %s", all[i], url.host);
        /* what goes to a terminal */
        assert_false(sniv_url_has_controls(err));
    }
}

static void test_long(void **state)
{
    char *text = apr_palloc(pool, 400);
    sniv_url_t url;

    (void)state;
    strcpy(text, "https://");
    memset(text + 8, 'a', 254);
    strcpy(text + 8 + 253, "/");
    assert_null(sniv_url_parse(&url, text, pool));
    strcpy(text + 8 + 253, "a/");
    assert_non_null(sniv_url_parse(&url, text, pool));
}

static void test_international(void **state)
{
#ifdef SNIVHOST_HAVE_IDN2
    static const expected_t all[] = {
        { "https://m\xc3\xbcnchen.example/", "xn--mnchen-3ya.example",
          "xn--mnchen-3ya.example", "/", 443 },
        { "https://M\xc3\x9cNCHEN.example:8443/", "xn--mnchen-3ya.example",
          "xn--mnchen-3ya.example:8443", "/", 8443 },
        { "https://m%C3%BCnchen.example/", "xn--mnchen-3ya.example",
          "xn--mnchen-3ya.example", "/", 443 },
        /* not decomposed, and sharp s is a letter of its own today */
        { "https://mu\xcc\x88nchen.example/", "xn--mnchen-3ya.example",
          "xn--mnchen-3ya.example", "/", 443 },
        /* symbols, which IDNA2008 does not have and browsers send */
        { "https://\xf0\x9f\x92\xa9.example/", "xn--ls8h.example",
          "xn--ls8h.example", "/", 443 },
        { "https://I\xe2\x9d\xa4\xef\xb8\x8f.example/", "xn--i-7iq.example",
          "xn--i-7iq.example", "/", 443 },
        { "https://\xf0\x9f\x8d\x95-\xf0\x9f\x8d\xba.m\xc3\xbcnchen.example/",
          "xn----hr2shd.xn--mnchen-3ya.example",
          "xn----hr2shd.xn--mnchen-3ya.example", "/", 443 },
        { "https://stra\xc3\x9f" "e.example/", "xn--strae-oqa.example",
          "xn--strae-oqa.example", "/", 443 },
        { "https://a\xe3\x80\x82" "example/", "a.example", "a.example", "/",
          443 },
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(all) / sizeof(*all); i++)
        check(&all[i]);
#else
    sniv_url_t url;

    (void)state;
    assert_non_null(strstr(sniv_url_parse(&url, "https://m\xc3\xbc.example/",
                                          pool), "A-labels"));
#endif
}

/* The library has been removed after the build. */
static void test_no_library(void **state)
{
#ifdef SNIVHOST_HAVE_IDN2
    const char *name = sniv_url_idn2, *err;
    sniv_url_t url;

    sniv_url_idn2 = "libsnivhost-none.so.0";
    err = sniv_url_parse(&url, "https://m\xc3\xbc.example/", pool);
    assert_non_null(strstr(err, "cannot be loaded: libsnivhost-none.so.0"));
    assert_non_null(strstr(err, "A-labels"));
    assert_null(sniv_url_parse(&url, "https://xn--m-eha.example/", pool));
    sniv_url_idn2 = name;
#endif
    (void)state;
}

/* Random words of what URLs are made of: no crash, nothing that cannot be
 * sent. */
static void test_random(void **state)
{
    static const char *const parts[] = {
        "https", "http", "://", ":", "/", "//", "x", "a.example", "[", "]",
        "::1", "@", "%", "%41", "%zz", "?", "#", "443", "0", "-1", ".", "..",
        "\xc3\xbc", "\xff", "*", " ", "=", "\\", "xn--", "99999", "\x01"
    };
    unsigned seed = 20261126;
    int i, k;

    (void)state;
    for (i = 0; i < 20000; i++) {
        char text[200] = "";
        apr_pool_t *p;
        sniv_url_t url;

        for (k = 0; k < 12; k++) {
            seed = seed * 1103515245u + 12345u;
            strcat(text, parts[(seed >> 16) % (sizeof(parts)
                                               / sizeof(*parts))]);
        }
        apr_pool_create(&p, pool);
        if (!sniv_url_parse(&url, i % 3 ? text + (i % 3) : text, p)) {
            assert_true(url.port > 0 && url.path[0] == '/');
            assert_false(sniv_url_has_controls(url.host));
            assert_null(strpbrk(url.host, " /@%"));
        }
        apr_pool_destroy(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_international),
        cmocka_unit_test(test_no_library),
        cmocka_unit_test(test_random),
    };
    int failed;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_pool_destroy(pool);
    apr_terminate();
    return failed;
}
