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
 * @file test_faults.c
 * The certificate store while memory is short: every allocation and every
 * write to the sealed memory fails in turn, once or from then on. Whatever
 * happens a name never leads to a certificate that does not have it, nothing
 * is reported as served that is not, and afterwards all is as it should be.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include <openssl/x509v3.h>

#include "pems.h"
#include "certs/certs.h"
#include "certs/sealed.h"

#define SECOND apr_time_from_sec(1)

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
apr_status_t __real_sniv_shm_put(sniv_shm_t *shm, apr_uint32_t slot,
                                 const void *bytes, apr_size_t len,
                                 apr_uint64_t version);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
apr_status_t __wrap_sniv_shm_put(sniv_shm_t *shm, apr_uint32_t slot,
                                 const void *bytes, apr_size_t len,
                                 apr_uint64_t version);

static long countdown = -1;     /* -1: nothing fails */
static int goes_on;             /* not once, but from then on */
static long failures;

static int fails(void)
{
    if (countdown < 0)
        return 0;
    if (countdown > 0) {
        countdown--;
        return 0;
    }
    if (!goes_on)
        countdown = -1;
    failures++;
    return 1;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

apr_status_t __wrap_sniv_shm_put(sniv_shm_t *shm, apr_uint32_t slot,
                                 const void *bytes, apr_size_t len,
                                 apr_uint64_t version)
{
    return fails() ? APR_ENOMEM
                   : __real_sniv_shm_put(shm, slot, bytes, len, version);
}

/* ----- */

static apr_pool_t *pool;
static char dir[256];
static apr_time_t now;
static SSL_CTX *ctx;
static const sniv_certs_t *store;

#define NPAIRS 4
static const char *const names[NPAIRS] = { "a.test", "b.test", "c.test",
                                           "d.test" };
static const char *const sans[NPAIRS] = { "DNS:a.test", "DNS:b.test",
                                          "DNS:c.test", "DNS:d.test" };
static pems_t pairs[NPAIRS];
static char *certs_text[NPAIRS], *keys_text[NPAIRS];

/* The certificate that a name leads to has that name. 0: it leads nowhere */
static int is_served(const char *name)
{
    sniv_cert_id_t id;
    SSL *ssl;
    int ok;
    long was = countdown;

    countdown = -1;             /* the children have memory */
    id = sniv_certs_find(store, 0, name, strlen(name), apr_time_now());
    ssl = SSL_new(ctx);
    ok = id != SNIV_CERT_NONE
         && sniv_certs_install(store, id, ssl, NULL) == APR_SUCCESS;
    if (ok) {
        assert_int_equal(X509_check_host(SSL_get_certificate(ssl), name, 0,
                                         0, NULL), 1);
        assert_int_equal(SSL_check_private_key(ssl), 1);
    }
    SSL_free(ssl);
    countdown = was;
    return ok;
}

static void report(void *baton, sniv_certs_event_e event, sniv_cert_id_t id,
                   const char *file, const char *reason)
{
    sniv_cert_info_t info;
    long was = countdown;

    (void)baton;
    (void)file;
    (void)reason;
    if (event != SNIV_CERTS_ADDED && event != SNIV_CERTS_RENEWED)
        return;
    countdown = -1;
    assert_int_equal(sniv_certs_info(store, id, &info, pool), APR_SUCCESS);
    assert_true(is_served(info.names[0]));
    countdown = was;
}

static void put(const char *file, int pair)
{
    pems_replace(apr_pstrcat(pool, dir, "/", file, NULL), certs_text[pair],
                 keys_text[pair], NULL);
}

static void look(sniv_certs_t *certs)
{
    int i;

    now += 10 * SECOND;
    sniv_certs_look(certs, now, 10 * SECOND, 60 * SECOND, report, NULL);
    for (i = 0; i < NPAIRS; i++)
        is_served(names[i]);
}

/*
 * Of three files one gets other names, one goes, one comes; the names move
 * from one to another. What failed is mended by later looks.
 */
static int one_run(long n)
{
    const char *path = dir;
    sniv_certs_t *certs;
    sniv_scope_t scope;
    sniv_certs_stats_t stats;
    char command[300];
    int i;

    countdown = -1;
    failures = 0;
    apr_pool_create(&pool, NULL);
    now = apr_time_now() + 10 * SECOND;
    snprintf(dir, sizeof(dir), "/tmp/sniv_faults_XXXXXX");
    assert_non_null(mkdtemp(dir));
    put("x.pem", 0);
    put("y.pem", 1);
    assert_int_equal(sniv_certs_make(&certs, pool), APR_SUCCESS);
    store = certs;
    sniv_certs_add_folders(certs, &path, 1, 2, SNIV_TRUST_STRICT, &scope);
    assert_int_equal(sniv_certs_load(certs, 0, 0, report, NULL),
                     APR_SUCCESS);
    assert_true(is_served("a.test") && is_served("b.test"));

    put("x.pem", 1);
    unlink(apr_pstrcat(pool, dir, "/y.pem", NULL));
    put("z.pem", 0);
    put("w.pem", 2);
    countdown = n;
    for (i = 0; i < 4; i++)
        look(certs);
    countdown = -1;
    put("y.pem", 3);
    for (i = 0; i < 5; i++)
        look(certs);
    for (i = 0; i < NPAIRS; i++) {
        if (!is_served(names[i]))
            fail_msg("%s is not served after failure %ld", names[i], n);
    }
    sniv_certs_stats(certs, &stats);
    assert_int_equal(stats.entries, 4);
    apr_pool_destroy(pool);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
    return failures > 0;
}

static void try_all(int is_once)
{
    long n, step = 1;

    goes_on = !is_once;
    for (n = 0; one_run(n); n += step)
        assert_true(n < 20000);
    assert_true(n > 20);
}

static void test_once(void **state)
{
    (void)state;
    try_all(1);
}

static void test_from_then_on(void **state)
{
    (void)state;
    try_all(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_from_then_on)
    };
    pems_want_t want;
    int i, failed;

    apr_initialize();
    ctx = SSL_CTX_new(TLS_server_method());
    for (i = 0; i < NPAIRS; i++) {
        memset(&want, 0, sizeof(want));
        want.names = sans[i];
        pems_make(&pairs[i], &want);
        certs_text[i] = pems_cert(&pairs[i]);
        keys_text[i] = pems_key(&pairs[i], PEMS_PKCS8);
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    SSL_CTX_free(ctx);
    for (i = 0; i < NPAIRS; i++) {
        pems_free(&pairs[i]);
        free(certs_text[i]);
        free(keys_text[i]);
    }
    apr_terminate();
    return failed;
}
