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
 * @file test_names_work.c
 * What a look-up in the name index costs at most, whatever the host and
 * however many patterns. Counted, not timed: sniv_work grows by about one for
 * each byte that is hashed, compared or looked at.
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

#include "names/names.h"

#define LONG "-a-suffix-that-is-as-long-as-names-in-large-clusters-can-be" \
             ".and-longer.example"

#define HOST_MAX 8000
#define COUNT(list) ((int)(sizeof(list) / sizeof(*(list))))

apr_uint64_t sniv_work;

static const char *const forms[] = {
    "n%d.example",
    "*.n%d.example",
    "*n%d.example",
    "n%d*.example",
    "n%d.*",
    "*.n%d.*",
    "*.n%d.*.example",
    "*n%d*",
    "w?w.n%d.example",
    "*.a*.n%d.example",
    "a*.n%d.*a.example",
    "*.n%d" LONG,
    "*.n%d.*" LONG,
    "n%d" LONG ".*",
};

/* What hosts are made of, over and over, up to their end. */
static const char *const units[] = {
    ".", "a", "n", "n1", ".n1", "n17.", ".n1.n2", ".n12345", ".n1.example",
    "n1.example", "w", "www.n1.example", ".n1" LONG, "A", ".N1", "*", "?",
};

static const char *const ends[] = { "", ".example", ".n1.example", ".a",
                                    LONG };

/* The index of n patterns of one form, or of all. */
static const sniv_names_t *index_of(const char *form, int n, apr_pool_t *p)
{
    sniv_names_builder_t *b = sniv_names_builder_make(p, n);
    const sniv_names_t *names = NULL;
    int i;

    for (i = 0; i < n; i++) {
        /* From 3 on: no host has its number. */
        char *text = apr_psprintf(p, form ? form : forms[i % COUNT(forms)],
                                  i + 3);

        sniv_names_add(b, text, strpbrk(text, "*?") != NULL, i);
    }
    assert_int_equal(sniv_names_build(&names, b, p), APR_SUCCESS);
    return names;
}

static apr_uint64_t work_of(const sniv_names_t *names, const char *unit,
                            const char *end, apr_size_t len)
{
    static char host[HOST_MAX + 1];
    apr_size_t n = strlen(unit), i;
    sniv_names_hit_t hit;

    for (i = 0; i < len; i++) {
        host[i] = unit[i % n];
    }
    memcpy(host + len - strlen(end), end, strlen(end));
    sniv_work = 0;
    sniv_names_find(names, host, len, &hit);
    return sniv_work;
}

/* The most that any of the hosts of a length costs. */
static apr_uint64_t most_work(const sniv_names_t *names, apr_size_t len)
{
    apr_uint64_t most = 0;
    int i, j;

    for (i = 0; i < COUNT(units); i++) {
        for (j = 0; j < COUNT(ends); j++) {
            apr_uint64_t work = work_of(names, units[i], ends[j], len);

            most = most < work ? work : most;
        }
    }
    return most;
}

/* A hundred times the patterns make names two digits longer, and that is all
 * that a look-up may notice. Of a host it may read each byte for each length
 * that literals have, which are 64 at most. */
static void number_of_patterns(void **state)
{
    apr_pool_t *p;
    int i;

    (void)state;
    apr_pool_create(&p, NULL);
    for (i = 0; i <= COUNT(forms); i++) {
        const char *form = i < COUNT(forms) ? forms[i] : NULL;
        const sniv_names_t *few = index_of(form, 200, p);
        const sniv_names_t *many = index_of(form, 20000, p);
        apr_size_t len;

        for (len = 100; len <= HOST_MAX; len *= 4) {
            apr_uint64_t work_few = most_work(few, len);
            apr_uint64_t work_many = most_work(many, len);

            if (work_many > 4 * work_few + 1000
                || work_many > 64 * (64 + len)) {
                fail_msg("%s, %d bytes: %lu with few, %lu with many",
                         form ? form : "all", (int)len,
                         (unsigned long)work_few, (unsigned long)work_many);
            }
        }
        apr_pool_clear(p);
    }
    apr_pool_destroy(p);
}

/* Globs that no literal tells apart are tried one by one: once, and not once
 * more for each place where the host has what they have in common. */
static void repeated_middles(void **state)
{
    enum { N = 100, TIMES = 800 };
    static const char *const middles[] = { ".preview", ".staging" };
    sniv_names_builder_t *b;
    const sniv_names_t *names = NULL;
    char text[N + 64], unit[32];
    apr_uint64_t once, often;
    apr_pool_t *p;
    int i;

    (void)state;
    apr_pool_create(&p, NULL);
    b = sniv_names_builder_make(p, 2 * N);
    for (i = 0; i < 2 * N; i++) {
        memset(text, '?', N);
        sprintf(text + i / 2, "*%s.*.b.*", middles[i % 2]);
        sniv_names_add(b, apr_pstrdup(p, text), 1, i);
    }
    assert_int_equal(sniv_names_build(&names, b, p), APR_SUCCESS);
    assert_true(sniv_names_is_scanned(names, 0));

    sprintf(unit, "%s%s", middles[0], middles[1]);
    work_of(names, "x", unit, 8 * TIMES);
    once = sniv_work;
    work_of(names, unit, unit, 8 * TIMES);
    often = sniv_work;
    assert_true(once >= 2 * N && once <= (2 * N + 64) * 8 * TIMES);
    assert_true(often >= once && often <= 2 * once + 64 * 8 * TIMES);
    apr_pool_destroy(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(number_of_patterns),
        cmocka_unit_test(repeated_middles),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests_name("names_work", tests, NULL, NULL);
    apr_terminate();
    return rv;
}
