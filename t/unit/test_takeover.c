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

/* sniv_takeover: a process goes on in the place of one that was killed. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "pems.h"
#include "certs/certs.h"

#define NAMES 6
#define VERSIONS 3
#define ROUNDS 60

static apr_pool_t *pool;
static char dir[256];
static pems_t made[NAMES][VERSIONS];

static const char *in_dir(const char *name)
{
    return apr_pstrcat(pool, dir, "/", name, NULL);
}

static int setup(void **state)
{
    int i, k;

    (void)state;
    apr_pool_create(&pool, NULL);
    snprintf(dir, sizeof(dir), "/tmp/sniv_takeover_XXXXXX");
    assert_non_null(mkdtemp(dir));
    for (i = 0; i < NAMES; i++) {
        for (k = 0; k < VERSIONS; k++) {
            pems_want_t want = { 0 };

            want.names = apr_psprintf(pool, "DNS:n%d.test,DNS:v%d.n%d.test",
                                      i, k, i);
            pems_make(&made[i][k], &want);
        }
    }
    return 0;
}

static int teardown(void **state)
{
    char command[300];
    int i, k;

    (void)state;
    for (i = 0; i < NAMES; i++) {
        for (k = 0; k < VERSIONS; k++)
            pems_free(&made[i][k]);
    }
    apr_pool_destroy(pool);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

static const char *file_of(int i)
{
    return in_dir(apr_psprintf(pool, "n%d.pem", i));
}

static void put(int i, int version)
{
    char *cert = pems_cert(&made[i][version]);
    char *key = pems_key(&made[i][version], PEMS_PKCS8);

    pems_replace(file_of(i), cert, key, NULL);
    free(cert);
    free(key);
}

static sniv_certs_t *make(apr_pool_t *p)
{
    const char *path = dir;
    sniv_certs_t *certs;
    sniv_scope_t scope;

    assert_int_equal(sniv_certs_make(&certs, p), APR_SUCCESS);
    assert_int_equal(sniv_certs_add_folders(certs, &path, 1, 2,
                                            SNIV_TRUST_STRICT, &scope),
                     APR_SUCCESS);
    return certs;
}

static void load_made(sniv_certs_t *certs)
{
    assert_int_equal(sniv_certs_load(certs, SNIV_CERTS_LOAD_HIDDEN, 0, NULL,
                                     NULL), APR_SUCCESS);
    sniv_certs_publish(certs);
}

static sniv_certs_t *load(void)
{
    sniv_certs_t *certs = make(pool);

    load_made(certs);
    return certs;
}

/* A restart: the store of a pool is gone, the next one has what it left. */
static sniv_certs_t *restart(sniv_certs_t *certs, apr_pool_t *p)
{
    sniv_bequest_t *bequest = sniv_certs_bequeath(certs);

    assert_non_null(bequest);
    apr_pool_clear(p);
    certs = make(p);
    assert_true(sniv_certs_inherit(certs, bequest));
    load_made(certs);
    sniv_bequest_end(bequest);
    return certs;
}

static sniv_cert_id_t find(const sniv_certs_t *certs, int i, int version)
{
    const char *name = version < 0 ? apr_psprintf(pool, "n%d.test", i)
                       : apr_psprintf(pool, "v%d.n%d.test", version, i);

    return sniv_certs_find(certs, 0, name, strlen(name), apr_time_now());
}

/* Which version of a name is served; -1 none, -2 what must not be. */
static int served(const sniv_certs_t *certs, int i)
{
    static SSL_CTX *ctx;
    sniv_cert_id_t id = find(certs, i, -1);
    int found = -2, k;
    SSL *ssl;

    if (id == SNIV_CERT_NONE)
        return -1;
    if (!ctx)
        ctx = SSL_CTX_new(TLS_server_method());
    ssl = SSL_new(ctx);
    if (sniv_certs_install(certs, id, ssl, NULL) == APR_SUCCESS
        && SSL_check_private_key(ssl)) {
        for (k = 0; k < VERSIONS; k++) {
            if (X509_cmp(SSL_get_certificate(ssl), made[i][k].cert) == 0)
                found = k;
        }
    }
    SSL_free(ssl);
    return found;
}

/* Looks, as fast as can be, until it is killed; or some. */
static void look_on(sniv_certs_t *certs, int is_first, int n)
{
    struct timespec t = { 0, 1000000 };
    apr_status_t rv;
    int i;

    if (!is_first) {
        rv = sniv_certs_take_over(certs, NULL, NULL);
        if (rv != APR_SUCCESS)
            _exit(1);
    }
    for (i = 0; n == 0 || i < n; i++) {
        sniv_certs_look(certs, apr_time_now() + apr_time_from_sec(10 * i), 1,
                        apr_time_from_sec(9), NULL, NULL);
        nanosleep(&t, NULL);
    }
    _exit(0);
}

static void run(sniv_certs_t *certs, int is_first, int looks)
{
    int status;
    pid_t pid = sniv_certs_fork(certs);

    assert_true(pid >= 0);
    if (pid == 0)
        look_on(certs, is_first, looks);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* What the first one has found is served on. */
static void test_goes_on(void **state)
{
    sniv_certs_t *certs;
    sniv_certs_stats_t before, after;
    sniv_certs_looks_t looks, later;
    int status;
    pid_t pid;

    (void)state;
    put(0, 0);
    put(1, 0);
    put(2, 0);
    certs = load();
    put(0, 1);                  /* renewed, other names */
    unlink(file_of(1));         /* gone */
    put(3, 0);                  /* new: they may get each other's ids */
    put(4, 0);
    assert_true(sniv_certs_looks(certs, &looks));
    assert_int_equal(looks.pid, getpid());
    assert_true(looks.begun <= looks.ended && !looks.is_in_round);
    run(certs, 1, 8);
    assert_true(sniv_certs_looks(certs, &later));
    assert_int_not_equal(later.pid, getpid());
    assert_true(later.begun > looks.ended && later.ended >= later.begun);
    assert_int_equal(later.is_in_round, 0);
    assert_int_equal(served(certs, 0), 1);
    assert_int_equal(served(certs, 1), -1);
    assert_int_equal(served(certs, 2), 0);
    assert_int_equal(served(certs, 3), 0);
    assert_int_equal(served(certs, 4), 0);
    sniv_certs_stats(certs, &before);
    assert_int_equal(before.entries, 4);

    /* takes over, and does not even look */
    pid = sniv_certs_fork(certs);
    if (pid == 0)
        _exit(sniv_certs_take_over(certs, NULL, NULL) != APR_SUCCESS);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    sniv_certs_stats(certs, &after);
    assert_int_equal(after.entries, before.entries);
    assert_int_equal(after.chains, before.chains);
    assert_int_equal(served(certs, 0), 1);
    assert_true(find(certs, 0, 1) != SNIV_CERT_NONE);
    assert_int_equal(find(certs, 0, 0), SNIV_CERT_NONE);
    assert_int_equal(served(certs, 1), -1);
    assert_int_equal(served(certs, 3), 0);

    /* and what has changed while there was no one */
    unlink(file_of(3));
    put(4, 2);
    put(5, 1);
    put(0, 0);
    run(certs, 0, 8);
    assert_int_equal(served(certs, 0), 0);
    assert_int_equal(served(certs, 2), 0);
    assert_int_equal(served(certs, 3), -1);
    assert_int_equal(served(certs, 4), 2);
    assert_int_equal(served(certs, 5), 1);
    sniv_certs_stats(certs, &after);
    assert_int_equal(after.entries, 4);
    run(certs, 0, 2);
    sniv_certs_stats(certs, &before);
    assert_int_equal(before.entries, 4);
    assert_int_equal(before.bytes, after.bytes);
}

/* Killed at random points while files change. Name 0 is always there. */
static void test_killed(void **state)
{
    sniv_certs_t *certs;
    int i, k, status, want[NAMES];
    pid_t pid;

    (void)state;
    for (i = 0; i < NAMES; i++) {
        put(i, 0);
        want[i] = 0;
    }
    certs = load();
    srand(7);
    for (k = 0; k < ROUNDS; k++) {
        struct timespec t = { 0, 0 };

        t.tv_nsec = 100000L * (1 + rand() % 150);
        pid = sniv_certs_fork(certs);
        assert_true(pid >= 0);
        if (pid == 0)
            look_on(certs, k == 0, 0);
        i = rand() % NAMES;
        want[i] = rand() % (VERSIONS + 1) - 1;
        if (i == 0 && want[i] < 0)
            want[i] = 1;
        if (want[i] < 0)
            unlink(file_of(i));
        else
            put(i, want[i]);
        nanosleep(&t, NULL);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        run(certs, 0, 1);
        assert_true(served(certs, 0) >= 0);
    }
    run(certs, 0, 20);
    for (i = 0; i < NAMES; i++)
        assert_int_equal(served(certs, i), want[i]);
}

/* The parent of a restart reads no folder, and all is served. */
static void test_inherits(void **state)
{
    sniv_certs_stats_t before, after;
    sniv_certs_t *certs;
    apr_pool_t *p;
    int k;

    (void)state;
    apr_pool_create(&p, NULL);
    for (k = 0; k < 4; k++)
        put(k, 0);
    certs = make(p);
    load_made(certs);
    assert_false(sniv_certs_is_behind(certs));
    put(4, 0);
    run(certs, 1, 8);           /* known to that process alone */
    assert_int_equal(served(certs, 4), 0);
    sniv_certs_stats(certs, &before);

    put(0, 1);                  /* not seen by any */
    unlink(file_of(1));
    put(5, 0);
    pems_write(file_of(2), "broken", NULL);
    certs = restart(certs, p);
    assert_true(sniv_certs_is_behind(certs));
    sniv_certs_stats(certs, &after);
    assert_int_equal(after.entries, before.entries);
    assert_int_equal(after.chains, before.chains);
    assert_int_equal(served(certs, 0), 0);
    assert_int_equal(served(certs, 1), 0);
    assert_int_equal(served(certs, 4), 0);
    assert_int_equal(served(certs, 5), -1);

    /* one restart on the heels of the other */
    certs = restart(certs, p);
    assert_int_equal(served(certs, 1), 0);
    assert_int_equal(served(certs, 4), 0);

    /* the process that looks begins with the folders */
    run(certs, 0, 1);
    assert_false(sniv_certs_is_behind(certs));
    assert_int_equal(served(certs, 0), 1);
    assert_int_equal(served(certs, 1), -1);
    assert_int_equal(served(certs, 2), 0);
    assert_int_equal(served(certs, 3), 0);
    assert_int_equal(served(certs, 4), 0);
    assert_int_equal(served(certs, 5), 0);

    /* and the one after it, in the place of one that was killed */
    unlink(file_of(3));
    put(5, 1);
    run(certs, 0, 8);
    assert_int_equal(served(certs, 3), -1);
    assert_int_equal(served(certs, 5), 1);
    sniv_certs_stats(certs, &after);
    assert_int_equal(after.entries, 4);
    apr_pool_destroy(p);
}

static void move(const char *from, const char *to)
{
    assert_int_equal(rename(from, to), 0);
}

/* A mount is lost, and a restart follows. */
static void test_inherits_without_folder(void **state)
{
    char away[300];
    sniv_certs_t *certs;
    apr_pool_t *p;

    (void)state;
    apr_pool_create(&p, NULL);
    put(0, 0);
    put(1, 0);
    certs = make(p);
    load_made(certs);
    snprintf(away, sizeof(away), "%s.away", dir);
    move(dir, away);
    certs = restart(certs, p);
    assert_int_equal(served(certs, 0), 0);
    run(certs, 0, 8);
    assert_int_equal(served(certs, 0), 0);
    assert_int_equal(served(certs, 1), 0);
    certs = restart(certs, p);
    run(certs, 0, 8);
    assert_int_equal(served(certs, 1), 0);
    move(away, dir);
    unlink(file_of(1));
    put(0, 2);
    run(certs, 0, 12);
    assert_int_equal(served(certs, 0), 2);
    assert_int_equal(served(certs, 1), -1);
    apr_pool_destroy(p);
}

/* Folders that the store before did not have are read by the load. */
static void test_inherits_not(void **state)
{
    sniv_bequest_t *bequest;
    sniv_certs_t *certs, *other;
    const char *path = dir;
    sniv_scope_t scope;

    (void)state;
    put(0, 0);
    certs = load();
    assert_non_null(bequest = sniv_certs_bequeath(certs));
    assert_int_equal(sniv_certs_make(&other, pool), APR_SUCCESS);
    assert_false(sniv_certs_inherit(other, bequest));
    /* another security level is another list */
    assert_int_equal(sniv_certs_add_folders(other, &path, 1, 1,
                                            SNIV_TRUST_STRICT, &scope),
                     APR_SUCCESS);
    assert_false(sniv_certs_inherit(other, bequest));
    put(0, 1);
    load_made(other);
    assert_false(sniv_certs_is_behind(other));
    assert_int_equal(served(other, 0), 1);
    sniv_bequest_end(bequest);
    /* it has been left: there is nothing more to leave */
    assert_null(sniv_certs_bequeath(certs));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_inherits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_inherits_without_folder, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_inherits_not, setup, teardown),
        cmocka_unit_test_setup_teardown(test_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed, setup, teardown)
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return failed;
}
