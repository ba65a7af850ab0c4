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


/**
 * @file test_names.c
 * Units of the name index: examples first, then random sets of patterns and
 * hosts against the reference.
 *
 * The random part takes a few seconds. NAMES_ROUNDS=N in the environment
 * asks for N rounds (a round is one set of patterns with about a hundred
 * hosts), NAMES_SEED=N for other ones.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>

#include "reference.h"
#include "names/host.h"
#include "names/names.h"

#define PATTERNS_MAX 400
#define TEXT_MAX     700

static apr_pool_t *pool;

static int setup(void **state)
{
    (void)state;
    return apr_pool_create(&pool, NULL);
}

static int teardown(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    return 0;
}

/* An index of NUL-separated patterns, globs if they have a wildcard; rank n
 * has the value 100 + n. */
static const sniv_names_t *index_of(const char *const *patterns, int n)
{
    sniv_names_builder_t *b = sniv_names_builder_make(pool, 0);
    const sniv_names_t *names = NULL;
    int i;

    for (i = 0; i < n; i++) {
        assert_int_equal(sniv_names_add(b, patterns[i],
                                        strpbrk(patterns[i], "*?") != NULL,
                                        100 + i), APR_SUCCESS);
    }
    assert_int_equal(sniv_names_build(&names, b, pool), APR_SUCCESS);
    assert_int_equal(sniv_names_count(names), n);
    return names;
}

#define INDEX(...) \
    index_of((const char *const[]){ __VA_ARGS__ }, \
             sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

/* The rank found, or -1. The host is given without a NUL behind it. */
static int find(const sniv_names_t *names, const char *host)
{
    sniv_names_hit_t hit = { 12345, 54321 };
    apr_size_t len = strlen(host);
    char *bytes = malloc(len ? len : 1);
    int found;

    memcpy(bytes, host, len);
    found = sniv_names_find(names, bytes, len, &hit);
    free(bytes);
    if (!found) {
        assert_int_equal(hit.rank, 12345);
        assert_int_equal(hit.value, 54321);
        return -1;
    }
    assert_int_equal(hit.value, 100 + hit.rank);
    return hit.rank;
}

static int find_after(const sniv_names_t *names, const char *host, int after)
{
    sniv_names_hit_t hit = { 12345, 54321 };

    if (!sniv_names_find_after(names, host, strlen(host), after, &hit)) {
        assert_int_equal(hit.rank, 12345);
        return -1;
    }
    assert_int_equal(hit.value, 100 + hit.rank);
    return hit.rank;
}

static void empty_index(void **state)
{
    sniv_names_builder_t *b = sniv_names_builder_make(pool, 0);
    const sniv_names_t *names = NULL;

    (void)state;
    assert_int_equal(sniv_names_build(&names, b, pool), APR_SUCCESS);
    assert_int_equal(sniv_names_count(names), 0);
    assert_int_equal(find(names, ""), -1);
    assert_int_equal(find(names, "a.example"), -1);
}

static void exact_names(void **state)
{
    const sniv_names_t *names = INDEX("a.example", "B.Example", "a.Example",
                                      "");

    (void)state;
    assert_int_equal(find(names, "a.example"), 0);
    assert_int_equal(find(names, "A.EXAMPLE"), 0);
    assert_int_equal(find(names, "b.example"), 1);
    assert_int_equal(find(names, ""), 3);
    assert_int_equal(find(names, "a.exampl"), -1);
    assert_int_equal(find(names, "a.example."), -1);
    assert_int_equal(find(names, "aa.example"), -1);
    assert_int_equal(find_after(names, "a.example", 0), 2);
    assert_int_equal(find_after(names, "a.example", 2), -1);
    assert_string_equal(sniv_names_pattern(names, 1, NULL), "B.Example");
}

/* Only A-Z are letters: `[` and `{` or a byte and its high half are not. */
static void case_is_ascii(void **state)
{
    const sniv_names_t *names = INDEX("@[\\]^_`{|}~", "\xc4z", "@zZ[*");

    (void)state;
    assert_int_equal(find(names, "@[\\]^_`{|}~"), 0);
    assert_int_equal(find(names, "`{|}~_@[\\]^"), -1);
    assert_int_equal(find(names, "`[\\]^_`{|}~"), -1);
    assert_int_equal(find(names, "\xc4Z"), 1);
    assert_int_equal(find(names, "\xe4z"), -1);
    assert_int_equal(find(names, "@Zz[x"), 2);
    assert_int_equal(find(names, "@Zz{x"), -1);
}

static void exact_with_wildcard_characters(void **state)
{
    sniv_names_builder_t *b = sniv_names_builder_make(pool, 0);
    const sniv_names_t *names = NULL;
    int is_glob = -1;

    (void)state;
    sniv_names_add(b, "*.example", 0, 100);
    sniv_names_add(b, "plain.example", 1, 101);
    sniv_names_add(b, "*.Example", 1, 102);
    assert_int_equal(sniv_names_build(&names, b, pool), APR_SUCCESS);
    assert_int_equal(find(names, "*.example"), 0);
    assert_int_equal(find(names, "PLAIN.example"), 1);
    assert_int_equal(find(names, "x.example"), 2);
    assert_string_equal(sniv_names_pattern(names, 0, &is_glob), "*.example");
    assert_false(is_glob);
    assert_string_equal(sniv_names_pattern(names, 1, &is_glob),
                        "plain.example");
    assert_true(is_glob);
    assert_string_equal(sniv_names_pattern(names, 2, &is_glob), "*.Example");
    assert_true(is_glob);
}

static void shapes(void **state)
{
    const sniv_names_t *names =
        INDEX("*.a.test", "*b", "c*", "d*.d.test", "w?w.x", "*.y*.x", "?",
              "e*e", "*f*", "g**g", "???.test");

    (void)state;
    assert_int_equal(find(names, "www.a.test"), 0);
    assert_int_equal(find(names, ".A.test"), 0);
    assert_int_equal(find(names, "a.test"), -1);
    assert_int_equal(find(names, "1.2.3.a.test"), 0);
    assert_int_equal(find(names, "xyzb"), 1);
    assert_int_equal(find(names, "cxyz"), 2);
    assert_int_equal(find(names, "d.d.test"), 3);
    assert_int_equal(find(names, "d1.d.TEST"), 3);
    assert_int_equal(find(names, "wWw.x"), 4);
    assert_int_equal(find(names, "ww.x"), -1);
    assert_int_equal(find(names, "1.y2.x"), 5);
    assert_int_equal(find(names, ".y.x"), 5);
    assert_int_equal(find(names, "y.x"), -1);
    assert_int_equal(find(names, "q"), 6);
    assert_int_equal(find(names, "e"), 6);
    assert_int_equal(find(names, "ee"), 7);
    assert_int_equal(find(names, "xfx"), 8);
    assert_int_equal(find(names, "gg"), 9);
    assert_int_equal(find(names, "xyz.test"), 10);
    assert_int_equal(find(names, "wxyz.test"), -1);
    assert_int_equal(find(names, ""), -1);
}

static void rank_order(void **state)
{
    const sniv_names_t *names =
        INDEX("a.x.test", "*.x.test", "b.x.test", "*.test", "a*", "*", "b*");

    (void)state;
    assert_int_equal(find(names, "a.x.test"), 0);
    assert_int_equal(find(names, "b.x.test"), 1);
    assert_int_equal(find(names, "y.test"), 3);
    assert_int_equal(find(names, "abc"), 4);
    assert_int_equal(find(names, "bcd"), 5);
    assert_int_equal(find(names, ""), 5);
    assert_int_equal(find_after(names, "b.x.test", 1), 2);
    assert_int_equal(find_after(names, "b.x.test", 2), 3);
    assert_int_equal(find_after(names, "b.x.test", 3), 5);
    assert_int_equal(find_after(names, "b.x.test", 5), 6);
    assert_int_equal(find_after(names, "b.x.test", 6), -1);
}

static void scanned(void **state)
{
    const sniv_names_t *names =
        INDEX("*.a", "a*", "*a*", "a", "?b?", "*", "a?b", "**");

    (void)state;
    assert_false(sniv_names_is_scanned(names, 0));
    assert_false(sniv_names_is_scanned(names, 1));
    assert_true(sniv_names_is_scanned(names, 2));
    assert_false(sniv_names_is_scanned(names, 3));
    assert_true(sniv_names_is_scanned(names, 4));
    assert_true(sniv_names_is_scanned(names, 5));
    assert_false(sniv_names_is_scanned(names, 6));
    assert_true(sniv_names_is_scanned(names, 7));
}

/* More than four that differ in nothing but wildcards. */
static void crowded(void **state)
{
    const sniv_names_t *names =
        INDEX("a?b", "a??b", "a???b", "a?*b", "a*?*?b", "c?d", "c??d");
    int i;

    (void)state;
    for (i = 0; i < 5; i++) {
        assert_true(sniv_names_is_scanned(names, i));
    }
    assert_false(sniv_names_is_scanned(names, 5));
    assert_int_equal(find(names, "axb"), 0);
    assert_int_equal(find(names, "axxxb"), 2);
    assert_int_equal(find(names, "axxxxb"), 3);
    assert_int_equal(find(names, "ab"), -1);
    assert_int_equal(find(names, "cxxd"), 6);
}

/* Groups of all levels, larger than a table of marks makes sense for. */
static void many_globs(void **state)
{
    static const char *const forms[][2] = {
        { "*.n%d-.example", "x.y.N%d-.example" },
        { "a%d-*.many.example", "a%d-zz.many.example" },
        { "g%d-.*", "G%d-.com" },
        { "*.m%d-.*.example", "x.m%d-.y.example" },
        { "*-s%d-*", "x-S%d-" },
        { "w?%d-?w.x", "wx%d-xw.x" },
    };
    enum { N = 60000 };
    sniv_names_builder_t *b = sniv_names_builder_make(pool, N);
    const sniv_names_t *names = NULL;
    char text[64];
    int i;

    (void)state;
    for (i = 0; i < N; i++) {
        snprintf(text, sizeof(text), forms[i % 6][0], i);
        sniv_names_add(b, apr_pstrdup(pool, text), 1, 100 + i);
    }
    assert_int_equal(sniv_names_build(&names, b, pool), APR_SUCCESS);
    for (i = 0; i < N; i++) {
        snprintf(text, sizeof(text), forms[i % 6][1], i);
        assert_int_equal(find(names, text), i);
        snprintf(text, sizeof(text), forms[i % 6][1], N + i);
        assert_int_equal(find(names, text), -1);
    }
}

/* Would take longer than the universe if a star were tried twice. */
static void many_stars(void **state)
{
    char glob[203], host[256];
    const sniv_names_t *names;
    int i;

    (void)state;
    for (i = 0; i < 200; i += 2) {
        memcpy(glob + i, "*a", 2);
    }
    strcpy(glob + 200, "b*");
    memset(host, 'a', 255);
    host[255] = '\0';
    names = INDEX(glob);
    assert_int_equal(find(names, host), -1);
    host[254] = 'b';
    assert_int_equal(find(names, host), 0);
}

/* A host that leads to the same globs at a thousand places. Tried at each
 * of them, this would hardly end. */
static void repeated_middles(void **state)
{
    enum { N = 200, TIMES = 1000 };
    sniv_names_builder_t *b = sniv_names_builder_make(pool, 2 * N);
    const sniv_names_t *names = NULL;
    char host[TIMES * 9 + 64], *end = host;
    int i;

    (void)state;
    for (i = 0; i < 2 * N; i++) {
        sniv_names_add(b, apr_psprintf(pool, i % 2 ? "*.preview.*.a%d.*"
                                                   : "*.staging.*.a%d.*", i),
                       1, 100 + i);
    }
    assert_int_equal(sniv_names_build(&names, b, pool), APR_SUCCESS);
    for (i = 0; i < TIMES; i++) {
        end += sprintf(end, i % 3 ? ".preview" : ".staging");
    }
    for (i = 0; i < 2 * N; i++) {
        sprintf(end, ".a%d.test", i);
        assert_int_equal(find(names, host), i);
    }
    for (i = 0; i < 20; i++) {
        sprintf(end, ".a%d.test", 2 * N + i);
        assert_int_equal(find(names, host), -1);
    }
}

/* Many names, so that lines of the directory spill and blocks are mapped. */
static void large_index(void **state)
{
    enum { N = 60000 };
    sniv_names_builder_t *b = sniv_names_builder_make(pool, N);
    const sniv_names_t *names = NULL;
    char text[64];
    int i;

    (void)state;
    for (i = 0; i < N; i++) {
        const char *form = i % 10 == 3 ? "*.host%d.example"
                           : i % 10 == 4 ? "host%d-*" : "host%d.example";

        snprintf(text, sizeof(text), form, i);
        sniv_names_add(b, apr_pstrdup(pool, text), strchr(text, '*') != NULL,
                       100 + i);
    }
    assert_int_equal(sniv_names_build(&names, b, pool), APR_SUCCESS);
    for (i = 0; i < N; i++) {
        const char *form = i % 10 == 3 ? "www.HOST%d.example"
                           : i % 10 == 4 ? "host%d-x" : "Host%d.Example";

        snprintf(text, sizeof(text), form, i);
        assert_int_equal(find(names, text), i);
        snprintf(text, sizeof(text), "nohost%d.example", i);
        assert_int_equal(find(names, text), -1);
    }
}

/* ---- random sets against the reference ---- */

static uint64_t random_state;

static unsigned int random_below(unsigned int n)
{
    uint64_t z = (random_state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (unsigned int)((z ^ (z >> 31)) >> 32) % n;
}

/* A few letters only, so that things collide. */
static char random_byte(void)
{
    static const char few[] = "aAbB..zZ-1@[`{";

    return random_below(30) ? few[random_below(4 + random_below(11))]
                            : (char)(1 + random_below(255));
}

static int random_text(char *text, int max)
{
    int i, n = random_below(max + 1);

    for (i = 0; i < n; i++) {
        text[i] = random_byte();
    }
    text[n] = '\0';
    return n;
}

static int random_length(void)
{
    switch (random_below(40)) {
    case 0:
        return 300;
    case 1:
        return 255;
    case 2:
        return 70;
    default:
        return 1 + random_below(16);
    }
}

/* A pattern out of parts that several patterns of the set have in common. */
static void random_pattern(char *text, char parts[][TEXT_MAX / 4], int nparts)
{
    int pieces = random_below(random_below(8) ? 4 : 12);
    size_t n = 0;

    do {
        const char *part = parts[random_below(nparts)];
        size_t len = strlen(part);

        if (n + len + 2 >= TEXT_MAX) {
            break;
        }
        memcpy(text + n, part, len);
        n += len;
        switch (random_below(5)) {
        case 0:
        case 1:
            text[n++] = '*';
            break;
        case 2:
            text[n++] = '?';
            break;
        case 3:
            text[n++] = '.';
            break;
        }
    } while (pieces--);
    text[n] = '\0';
}

/* A host that this pattern may match: wildcards filled in, some bytes in
 * another case, sometimes one changed, added or lost. */
static void random_host(char *host, const char *pattern)
{
    int n = 0;

    for (; *pattern && n < TEXT_MAX - 20; pattern++) {
        if (*pattern == '*') {
            n += random_text(host + n, random_below(8) ? 3 : 16);
        }
        else if (*pattern == '?') {
            host[n++] = random_byte();
        }
        else {
            char c = *pattern;

            if ((c | 0x20) >= 'a' && (c | 0x20) <= 'z' && !random_below(3)) {
                c ^= 0x20;
            }
            host[n++] = c;
        }
    }
    host[n] = '\0';
    if (n && !random_below(3)) {
        int at = random_below(n);

        switch (random_below(3)) {
        case 0:
            host[at] = random_byte();
            break;
        case 1:
            memmove(host + at, host + at + 1, n - at);
            break;
        case 2:
            memmove(host + at + 1, host + at, n - at + 1);
            host[at] = random_byte();
            break;
        }
    }
}

static void compare(const sniv_names_t *names, const reference_t *patterns,
                    int n, const char *host, int all)
{
    int expected = reference_find(patterns, n, host, -1);
    int found = find(names, host);

    if (found != expected) {
        fail_msg("host \"%s\": found %d (%s), expected %d (%s)", host,
                 found, found < 0 ? "" : patterns[found].text,
                 expected, expected < 0 ? "" : patterns[expected].text);
    }
    while (all && expected >= 0) {
        found = find_after(names, host, expected);
        expected = reference_find(patterns, n, host, expected);
        assert_int_equal(found, expected);
    }
}

static void random_round(uint64_t *pairs)
{
    static char texts[PATTERNS_MAX][TEXT_MAX], parts[24][TEXT_MAX / 4];
    static reference_t patterns[PATTERNS_MAX];
    const sniv_names_t *names = NULL;
    sniv_names_builder_t *b;
    apr_pool_t *p;
    int i, nparts, n;

    n = random_below(random_below(4) ? 30 : PATTERNS_MAX);
    nparts = 1 + random_below(24);
    for (i = 0; i < nparts; i++) {
        random_text(parts[i], random_length() % (TEXT_MAX / 4));
    }

    apr_pool_create(&p, pool);
    b = sniv_names_builder_make(p, random_below(2) ? n : 0);
    for (i = 0; i < n; i++) {
        if (i && !random_below(20)) {
            memcpy(texts[i], texts[random_below(i)], sizeof(texts[i]));
        }
        else {
            random_pattern(texts[i], parts, nparts);
        }
        patterns[i].text = texts[i];
        patterns[i].is_glob = strpbrk(texts[i], "*?") ? random_below(20) != 0
                                                      : random_below(20) == 0;
        assert_int_equal(sniv_names_add(b, texts[i], patterns[i].is_glob,
                                        100 + i), APR_SUCCESS);
    }
    assert_int_equal(sniv_names_build(&names, b, pool), APR_SUCCESS);
    apr_pool_destroy(p);

    assert_int_equal(sniv_names_count(names), n);
    for (i = 0; i < n; i++) {
        int is_glob;

        assert_string_equal(sniv_names_pattern(names, i, &is_glob), texts[i]);
        assert_int_equal(is_glob, patterns[i].is_glob);
    }
    for (i = 0; i < 100; i++) {
        char host[TEXT_MAX];

        if (n && random_below(10)) {
            random_host(host, texts[random_below(n)]);
        }
        else {
            random_text(host, random_length());
        }
        compare(names, patterns, n, host, i < 10);
        ++*pairs;
    }
    apr_pool_clear(pool);
}

static void random_sets(void **state)
{
    const char *rounds = getenv("NAMES_ROUNDS"), *seed = getenv("NAMES_SEED");
    long i, n = rounds ? atol(rounds) : 5000;
    uint64_t pairs = 0;

    (void)state;
    random_state = seed ? strtoull(seed, NULL, 10) : 1;
    for (i = 0; i < n; i++) {
        random_round(&pairs);
    }
    print_message("# %lu pairs of pattern set and host agree\n",
                  (unsigned long)pairs);
}

static void hosts_that_are_taken(void **state)
{
    static const struct {
        const char *host;
        int taken, unsafe;      /* by Strict, by Unsafe */
    } cases[] = {
        { "a.test", 1, 1 }, { "A-b_c.TEST", 1, 1 }, { ".a.test", 1, 1 },
        { "-", 1, 1 }, { "a", 1, 1 }, { "::1", 1, 1 }, { "a.test.", 1, 1 },
        { "a:b", 0, 0 }, { "2001:db8::a", 1, 1 }, { "a:b::z", 0, 0 },
        { "192.0.2.1", 1, 1 }, { "0.0.0.0", 1, 1 }, { "192.0.02.1", 0, 1 },
        { "01.2.3.4", 0, 1 }, { "1.2.3", 0, 1 }, { "123", 0, 1 },
        { "a.1", 0, 1 }, { "a.1b", 0, 1 }, { "a.b1", 1, 1 },
        { "a(b.test", 0, 1 }, { "a b", 0, 1 }, { "\303\251.test", 0, 1 },
        { "a..test", 0, 0 }, { "a/b.test", 0, 0 }, { "a\\b.test", 0, 0 },
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        if (sniv_host_is_taken(cases[i].host, 0) != cases[i].taken
            || sniv_host_is_taken(cases[i].host, 1) != cases[i].unsafe) {
            fail_msg("%s", cases[i].host);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(empty_index, setup, teardown),
        cmocka_unit_test_setup_teardown(exact_names, setup, teardown),
        cmocka_unit_test_setup_teardown(case_is_ascii, setup, teardown),
        cmocka_unit_test_setup_teardown(exact_with_wildcard_characters,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(shapes, setup, teardown),
        cmocka_unit_test_setup_teardown(rank_order, setup, teardown),
        cmocka_unit_test_setup_teardown(scanned, setup, teardown),
        cmocka_unit_test_setup_teardown(crowded, setup, teardown),
        cmocka_unit_test_setup_teardown(many_globs, setup, teardown),
        cmocka_unit_test_setup_teardown(many_stars, setup, teardown),
        cmocka_unit_test_setup_teardown(repeated_middles, setup, teardown),
        cmocka_unit_test_setup_teardown(large_index, setup, teardown),
        cmocka_unit_test_setup_teardown(random_sets, setup, teardown),
        cmocka_unit_test(hosts_that_are_taken),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests_name("names", tests, NULL, NULL);
    apr_terminate();
    return rv;
}
