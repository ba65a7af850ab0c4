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


/*
 * Fuzz target: a set of patterns and hosts, against the loop of stock httpd
 * (t/unit/reference.c). The input is text: patterns, one a line; an empty
 * line; hosts, one a line. A pattern behind `=` is an exact name whatever it
 * has in it; one behind `~` is a glob though it may have no wildcard.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_pools.h>

#include "reference.h"
#include "names/names.h"

#define INPUT_MAX 2000

static void disagree(const char *host, int found, int expected)
{
    fprintf(stderr, "host \"%s\": found %d, expected %d\n", host, found,
            expected);
    abort();
}

static void look_up(const sniv_names_t *names, const reference_t *patterns,
                    int n, const char *host)
{
    int expected = reference_find(patterns, n, host, -1), found;
    sniv_names_hit_t hit = { 0, 0 };
    size_t len = strlen(host);
    char *bytes = malloc(len ? len : 1);    /* no NUL behind it */

    memcpy(bytes, host, len);
    found = sniv_names_find(names, bytes, len, &hit) ? (int)hit.rank : -1;
    if (found != expected || (found >= 0 && hit.value != hit.rank + 7)) {
        disagree(host, found, expected);
    }
    while (expected >= 0) {
        expected = reference_find(patterns, n, host, found);
        found = sniv_names_find_after(names, bytes, len, found, &hit)
                ? (int)hit.rank : -1;
        if (found != expected) {
            disagree(host, found, expected);
        }
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static apr_pool_t *pool;
    static reference_t patterns[INPUT_MAX];
    char text[INPUT_MAX + 1], *at = text, *end;
    const sniv_names_t *names = NULL;
    sniv_names_builder_t *b;
    int n = 0;

    if (size > INPUT_MAX || memchr(data, '\0', size)) {
        return 0;
    }
    if (!pool) {
        apr_initialize();
        apr_pool_create(&pool, NULL);
    }
    apr_pool_clear(pool);
    memcpy(text, data, size);
    text[size] = '\0';

    b = sniv_names_builder_make(pool, 0);
    for (; *at && *at != '\n'; at = end) {
        reference_t *pattern = &patterns[n];

        end = at + strcspn(at, "\n");
        if (*end) {
            *end++ = '\0';
        }
        pattern->is_glob = *at != '=' && (*at == '~' || strpbrk(at, "*?"));
        pattern->text = at + (*at == '=' || *at == '~');
        sniv_names_add(b, pattern->text, pattern->is_glob, n + 7);
        n++;
    }
    if (sniv_names_build(&names, b, pool) != APR_SUCCESS) {
        abort();
    }
    look_up(names, patterns, n, "");
    while (*at) {
        at++;
        end = at + strcspn(at, "\n");
        if (*end) {
            *end = '\0';
            look_up(names, patterns, n, at);
            *end = '\n';
        }
        else {
            look_up(names, patterns, n, at);
        }
        at = end;
    }
    return 0;
}
