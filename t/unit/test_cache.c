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

/* sniv_cache: made once, whoever asks; kept while there is room. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <apr_general.h>

#include "pems.h"
#include "certs/cache.h"

#define NTHREADS 8

static apr_pool_t *pool;
static sniv_cache_t *cache;
static pems_t pems;
static int decoded[100];
static int leaf_decoded[100];
static apr_status_t answer;

/* Slow, so that others come meanwhile. */
static apr_status_t decode(void *baton, apr_int32_t id, int leaf_only,
                           sniv_live_t *live, const char **preason)
{
    (void)baton;
    __atomic_add_fetch(leaf_only ? &leaf_decoded[id] : &decoded[id], 1,
                       __ATOMIC_SEQ_CST);
    usleep(20000);
    if (answer != APR_SUCCESS) {
        *preason = "bad";
        return answer;
    }
    memset(live, 0, sizeof(*live));
    live->npairs = 1;
    live->leaf[0] = pems.cert;
    X509_up_ref(pems.cert);
    if (!leaf_only) {
        live->key[0] = pems.key;
        EVP_PKEY_up_ref(pems.key);
        live->chain[0] = sk_X509_new_null();
    }
    return APR_SUCCESS;
}

static int setup(void **state)
{
    (void)state;
    apr_pool_create(&pool, NULL);
    memset(decoded, 0, sizeof(decoded));
    memset(leaf_decoded, 0, sizeof(leaf_decoded));
    answer = APR_SUCCESS;
    return sniv_cache_make(&cache, 4, decode, NULL, pool);
}

static int teardown(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    return 0;
}

static apr_status_t get(apr_int32_t id, apr_uint64_t version, int leaf_only)
{
    const sniv_live_t *live;
    const char *reason;
    sniv_node_t *node;
    apr_status_t rv = sniv_cache_get(cache, id, version, leaf_only, &node,
                                     &live, &reason);

    if (rv == APR_SUCCESS) {
        assert_ptr_equal(live->leaf[0], pems.cert);
        if (!leaf_only)
            assert_ptr_equal(live->key[0], pems.key);
        sniv_cache_release(cache, node);
    }
    return rv;
}

static void *ask(void *id)
{
    return (void *)(intptr_t)get((apr_int32_t)(intptr_t)id, 1, 0);
}

/* How often entry 1 is decoded if all ask at once, two of them for 2. */
static void ask_at_once(apr_status_t expected)
{
    pthread_t threads[NTHREADS];
    void *result;
    int i;

    for (i = 0; i < NTHREADS; i++)
        pthread_create(&threads[i], NULL, ask,
                       (void *)(intptr_t)(i < 2 ? 2 : 1));
    for (i = 0; i < NTHREADS; i++) {
        pthread_join(threads[i], &result);
        assert_int_equal((intptr_t)result, expected);
    }
}

static void test_once(void **state)
{
    (void)state;
    ask_at_once(APR_SUCCESS);
    assert_int_equal(decoded[1], 1);
    assert_int_equal(decoded[2], 1);
    assert_int_equal(get(1, 1, 0), APR_SUCCESS);
    assert_int_equal(decoded[1], 1);
}

static void test_failure(void **state)
{
    (void)state;
    /* what cannot work is not tried again ... */
    answer = APR_EGENERAL;
    ask_at_once(APR_EGENERAL);
    assert_int_equal(get(1, 1, 0), APR_EGENERAL);
    assert_int_equal(decoded[1], 1);
    /* ... before it is another one */
    answer = APR_SUCCESS;
    assert_int_equal(get(1, 2, 0), APR_SUCCESS);
    /* and what may work is */
    answer = APR_ENOMEM;
    assert_int_equal(get(3, 1, 0), APR_ENOMEM);
    answer = APR_SUCCESS;
    assert_int_equal(get(3, 1, 0), APR_SUCCESS);
    assert_int_equal(decoded[3], 2);
}

static void test_leaf_only(void **state)
{
    (void)state;
    get(1, 1, 1);
    get(1, 1, 1);
    assert_int_equal(leaf_decoded[1], 1);
    assert_int_equal(decoded[1], 0);
    get(1, 1, 0);
    assert_int_equal(decoded[1], 1);
    /* what has all has the leaf */
    get(1, 1, 1);
    assert_int_equal(leaf_decoded[1], 1);
}

static void test_bounded(void **state)
{
    const sniv_live_t *live;
    const char *reason;
    sniv_node_t *used;
    apr_uint32_t count;
    int i;

    (void)state;
    for (i = 0; i < 20; i++) {
        get(i, 1, 0);
        get(0, 1, 0);                   /* used all the time: stays */
        sniv_cache_stats(cache, &count, NULL, NULL);
        assert_true(count >= 1 && count <= 4);
    }
    assert_int_equal(decoded[0], 1);
    assert_int_equal(decoded[19], 1);
    get(1, 1, 0);
    assert_int_equal(decoded[1], 2);    /* was the oldest: made again */

    /* one in use outlives its place */
    assert_int_equal(sniv_cache_get(cache, 30, 1, 0, &used, &live, &reason),
                     APR_SUCCESS);
    for (i = 40; i < 50; i++)
        get(i, 1, 0);
    assert_ptr_equal(live->leaf[0], pems.cert);
    sniv_cache_release(cache, used);

    /* another version takes the place of the one before */
    for (i = 1; i < 50; i++) {
        get(60, (apr_uint64_t)i, 0);
        sniv_cache_stats(cache, &count, NULL, NULL);
        assert_true(count >= 1 && count <= 4);
    }
    get(45, 1, 0);
    i = decoded[48];
    get(48, 1, 0);
    assert_int_equal(decoded[48], i);   /* nobody else was driven out */
}

static void test_chains(void **state)
{
    STACK_OF(X509) *chain = sk_X509_new_null(), *again;

    (void)state;
    X509_up_ref(pems.cert);
    sk_X509_push(chain, pems.cert);
    assert_null(sniv_cache_chain(cache, 7, 1));
    sniv_cache_add_chain(cache, 7, 1, chain);
    again = sniv_cache_chain(cache, 7, 1);
    assert_int_equal(sk_X509_num(again), 1);
    sk_X509_pop_free(again, X509_free);
    assert_null(sniv_cache_chain(cache, 7, 2));
    sniv_cache_add_chain(cache, 7, 2, chain);
    assert_null(sniv_cache_chain(cache, 7, 1));
    sk_X509_pop_free(chain, X509_free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leaf_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_chains, setup, teardown)
    };
    pems_want_t want = { PEMS_EC, "DNS:a.test", 0, 0, NULL, NULL, 0, 0 };
    int failed;

    apr_initialize();
    pems_make(&pems, &want);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    pems_free(&pems);
    apr_terminate();
    return failed;
}
