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
 * Fuzz target: the index of certificate names. The first byte of the input
 * says what the rest is: 'N' names, one a line, that are written and must be
 * found again; 'P' changes to an index of some names: two bytes say where, one
 * what; else the bytes of an index as a reader may meet them while it
 * is being written, after eight bytes with a scope and a time.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "certs/entry.h"
#include "certs/index.h"

#define CHECK(what) \
    do { \
        if (!(what)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
            abort(); \
        } \
    } while (0)

#define NAMES_MAX 300

static sniv_shm_t *shm;

static void try_names(char *text)
{
    sniv_index_name_t names[NAMES_MAX];
    char *line, *rest = text;
    apr_size_t n = 0, i;

    while (n < NAMES_MAX && (line = strsep(&rest, "\n")) != NULL) {
        apr_size_t len = strlen(line);

        if (len > 253 || !sniv_name_is_usable(line, len))
            continue;
        sniv_name_lower(line);
        memset(&names[n], 0, sizeof(names[n]));
        names[n].name = line;
        names[n].len = (apr_uint32_t)len;
        names[n].scope = (sniv_scope_t)(len % 3);
        names[n].id = (sniv_cert_id_t)n;
        names[n].not_before = (apr_time_t)(line[0] % 7);
        names[n].not_after = 1000;
        n++;
    }
    if (sniv_index_write(shm, 0, 1, names, n) != APR_SUCCESS)
        return;
    for (i = 0; i < n; i++) {
        sniv_cert_id_t ids[SNIV_KINDS], id;

        if (memchr(names[i].name, '*', names[i].len))
            continue;
        sniv_index_find(shm, 0, names[i].scope, names[i].name,
                        names[i].len, 10, ids, NULL);
        id = ids[0];
        CHECK(id >= 0 && (apr_size_t)id < n);
    }
}

static void find_some(sniv_scope_t scope, apr_time_t now)
{
    static const char *const hosts[] = { "a.test", "www.a.test", "b", "",
                                         "x.y.z" };
    sniv_cert_id_t ids[SNIV_KINDS];
    unsigned i;

    for (i = 0; i < 5; i++)
        sniv_index_find(shm, 0, scope, hosts[i], strlen(hosts[i]), now, ids,
                        NULL);
}

static void try_changes(const unsigned char *data, apr_size_t len)
{
    char some[] = "a.test\n*.a.test\nb\nwww.a.test\na.test\n*.y.z";
    unsigned char *block;
    const void *bytes;
    apr_size_t n;

    try_names(some);
    bytes = sniv_shm_peek(shm, 0, &n, NULL);
    block = malloc(n);
    memcpy(block, bytes, n);
    for (; len >= 3; len -= 3, data += 3)
        block[(data[0] | (apr_size_t)data[1] << 8) % n] ^= data[2];
    CHECK(sniv_shm_put(shm, 0, block, n, 1) == APR_SUCCESS);
    free(block);
    for (n = 0; n < 3; n++)
        find_some((sniv_scope_t)n, 10);
}

static void try_bytes(const unsigned char *data, apr_size_t len)
{
    apr_uint32_t scope, now;

    if (len <= 8)
        return;
    memcpy(&scope, data, 4);
    memcpy(&now, data + 4, 4);
    CHECK(sniv_shm_put(shm, 0, data + 8, len - 8, 1) == APR_SUCCESS);
    find_some((sniv_scope_t)scope, now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static apr_pool_t *pool;
    char *copy;

    if (!pool) {
        apr_initialize();
        atexit(apr_terminate);
        apr_pool_create(&pool, NULL);
        CHECK(sniv_shm_make(&shm, 1, 0, SNIV_SHM_PRIVATE, pool)
              == APR_SUCCESS);
    }
    if (size == 0 || size > 100000)
        return 0;
    copy = malloc(size);
    memcpy(copy, data + 1, size - 1);
    copy[size - 1] = '\0';
    if (data[0] == 'N')
        try_names(copy);
    else if (data[0] == 'P')
        try_changes((unsigned char *)copy, size - 1);
    else
        try_bytes((unsigned char *)copy, size - 1);
    free(copy);
    return 0;
}
