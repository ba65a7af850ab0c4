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
 * @file test_index_work.c
 * What the index of certificate names costs when somebody chooses the names
 * so that they collide. Counted, not timed: sniv_work grows by one for each
 * name that is come across.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "certs/hash.h"
#include "certs/index.h"

#define BLOCKS 16
#define BLOCK_LEN 6
#define NAME_LEN (BLOCKS * BLOCK_LEN)
#define NAMES 60000
#define CANDIDATES 200000

apr_uint64_t sniv_work;

/* FNV-1a, as an example of a hash without a key. */
static uint32_t fnv(uint32_t hash, const char *text, size_t len)
{
    while (len-- > 0)
        hash = (hash ^ (unsigned char)*text++) * 16777619u;
    return hash;
}

typedef struct block_t {
    uint32_t hash;
    char text[BLOCK_LEN];
} block_t;

static int by_hash(const void *a, const void *b)
{
    const block_t *x = a, *y = b;

    return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* Two texts that lead from one state to the same other one. */
static uint32_t find_pair(uint32_t state, char pair[2][BLOCK_LEN])
{
    static block_t blocks[CANDIDATES];
    uint64_t n = 1;
    int i, k;

    for (i = 0; i < CANDIDATES; i++) {
        for (k = 0; k < BLOCK_LEN; k++) {
            n = n * 6364136223846793005u + 1442695040888963407u;
            blocks[i].text[k] = (char)('a' + (n >> 33) % 26);
        }
        blocks[i].hash = fnv(state, blocks[i].text, BLOCK_LEN);
    }
    qsort(blocks, CANDIDATES, sizeof(blocks[0]), by_hash);
    for (i = 1; blocks[i].hash != blocks[i - 1].hash
                || memcmp(blocks[i].text, blocks[i - 1].text, BLOCK_LEN) == 0;
         i++) {
        assert_true(i < CANDIDATES - 1);
    }
    memcpy(pair[0], blocks[i - 1].text, BLOCK_LEN);
    memcpy(pair[1], blocks[i].text, BLOCK_LEN);
    return blocks[i].hash;
}

/* Names that have one hash with FNV-1a that starts from a state. */
static char *crafted_names(uint32_t state)
{
    static char pairs[BLOCKS][2][BLOCK_LEN];
    char *names = malloc((size_t)NAMES * NAME_LEN);
    int i, k;

    for (k = 0; k < BLOCKS; k++)
        state = find_pair(state, pairs[k]);
    for (i = 0; i < NAMES; i++) {
        for (k = 0; k < BLOCKS; k++)
            memcpy(names + (size_t)i * NAME_LEN + k * BLOCK_LEN,
                   pairs[k][i >> k & 1], BLOCK_LEN);
    }
    return names;
}

static void test_crafted_names(void **state)
{
    char *names = crafted_names(2166136261u);
    sniv_index_name_t *list = calloc(NAMES, sizeof(*list));
    apr_uint64_t most = 0, all = 0;
    apr_pool_t *p;
    sniv_shm_t *shm;
    sniv_cert_id_t ids[SNIV_KINDS];
    int i;

    (void)state;
    assert_memory_not_equal(names, names + 12345 * NAME_LEN, NAME_LEN);
    assert_int_equal(fnv(2166136261u, names, NAME_LEN),
                     fnv(2166136261u, names + 12345 * NAME_LEN, NAME_LEN));
    apr_pool_create(&p, NULL);
    assert_int_equal(sniv_shm_make(&shm, 2, 100 * 1024 * 1024,
                                   SNIV_SHM_PRIVATE, p), APR_SUCCESS);
    for (i = 0; i < NAMES; i++) {
        list[i].name = names + (size_t)i * NAME_LEN;
        list[i].len = NAME_LEN;
        list[i].id = i;
        list[i].not_after = 1000;
    }
    sniv_work = 0;
    assert_int_equal(sniv_index_write(shm, 0, 1, list, NAMES), APR_SUCCESS);
    /* half full: on average less than one other name is in the way */
    assert_true(sniv_work >= 1 && sniv_work <= 2 * NAMES);
    for (i = 0; i < NAMES; i++) {
        sniv_work = 0;
        assert_int_equal(sniv_index_find(shm, 0, 0, names
                                         + (size_t)i * NAME_LEN,
                                         NAME_LEN, 1, ids, NULL), 1);
        all += sniv_work;
        most = most < sniv_work ? sniv_work : most;
    }
    assert_true(all >= NAMES && all <= 3 * NAMES);
    assert_true(most >= 1 && most <= 200);
    apr_pool_destroy(p);
    free(list);
    free(names);
}

/* The same bytes, another salt: another hash. */
static void test_salt(void **state)
{
    (void)state;
    sniv_hash_key_init();
    assert_true(sniv_hash_bytes("a.test", 6, 1)
                != sniv_hash_bytes("a.test", 6, 2));
    assert_true(sniv_hash_bytes("a.test", 6, 1)
                == sniv_hash_bytes("a.test", 6, 1));
}

/* Tables take keys of both kinds that APR has. */
static void test_table(void **state)
{
    apr_hash_t *table;
    apr_pool_t *p;

    (void)state;
    apr_pool_create(&p, NULL);
    table = sniv_hash_table(p);
    apr_hash_set(table, "key", APR_HASH_KEY_STRING, "value");
    assert_string_equal(apr_hash_get(table, "key and more", 3), "value");
    assert_null(apr_hash_get(table, "kex", APR_HASH_KEY_STRING));
    apr_pool_destroy(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crafted_names),
        cmocka_unit_test(test_salt),
        cmocka_unit_test(test_table)
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return failed;
}
