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
 * sniv_watch: changes that the system reports are found without a round, and
 * cost as much as they are. No round is made here after the load.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "pems.h"
#include "certs/certs.h"
#include "certs/inside.h"
#include "certs/pem.h"
#include "certs/watch.h"

#define VERSIONS 3
#define MANY 600                /* more than a folder that is read at once */
#define STEPS 400
#define SECONDS_WITHOUT_ROUND 100000

void __real_sniv_stamp_of(sniv_stamp_t *stamp, const char *path);
void __wrap_sniv_stamp_of(sniv_stamp_t *stamp, const char *path);

static apr_pool_t *pool;
static char dir[256];
static pems_t made[VERSIONS];
static sniv_certs_t *certs;
static sniv_watch_t *watch;
static unsigned nstamps;

void __wrap_sniv_stamp_of(sniv_stamp_t *stamp, const char *path)
{
    nstamps++;
    __real_sniv_stamp_of(stamp, path);
}

static int setup(void **state)
{
    pems_want_t want = { 0 };
    int i;

    (void)state;
    apr_pool_create(&pool, NULL);
    snprintf(dir, sizeof(dir), "/tmp/sniv_watch_XXXXXX");
    assert_non_null(mkdtemp(dir));
    for (i = 0; i < VERSIONS; i++) {
        want.names = apr_psprintf(pool, "DNS:v%d.test,DNS:a.test", i);
        pems_make(&made[i], &want);
    }
    return 0;
}

static int teardown(void **state)
{
    char command[300];
    int i;

    (void)state;
    for (i = 0; i < VERSIONS; i++)
        pems_free(&made[i]);
    apr_pool_destroy(pool);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

static const char *in_dir(const char *name)
{
    return apr_pstrcat(pool, dir, "/", name, NULL);
}

static void make_dir(const char *name)
{
    assert_int_equal(mkdir(in_dir(name), 0755), 0);
}

/* Written beside and renamed. */
static void put(const char *name, int version)
{
    char *cert = pems_cert(&made[version]);
    char *key = pems_key(&made[version], PEMS_PKCS8);

    pems_replace(in_dir(name), cert, key, NULL);
    free(cert);
    free(key);
}

static void put_in_place(const char *name, int version)
{
    char *cert = pems_cert(&made[version]);
    char *key = pems_key(&made[version], PEMS_PKCS8);

    pems_write(in_dir(name), cert, key, NULL);
    free(cert);
    free(key);
}

static void look(void)
{
    struct timespec t = { 0, 5000000 };

    (void)sniv_watch_read(watch, certs);
    sniv_watch_update(watch, certs);
    sniv_certs_look(certs, apr_time_now(),
                    apr_time_from_sec(SECONDS_WITHOUT_ROUND),
                    apr_time_from_sec(9), NULL, NULL);
    sniv_watch_update(watch, certs);
    nanosleep(&t, NULL);
}

static int is_at_rest(void)
{
    return sniv_certs_due(certs) == SNIV_CERTS_IDLE
           && sniv_watch_is_idle(watch);
}

/* Until nothing is left to do. */
static void look_on(void)
{
    int i;

    look();
    for (i = 0; i < STEPS && !is_at_rest(); i++)
        look();
    assert_true(is_at_rest());
}

static void load_dir(const char *path)
{
    const char *reason;
    sniv_scope_t scope;

    assert_int_equal(sniv_certs_make(&certs, pool), APR_SUCCESS);
    assert_int_equal(sniv_certs_add_folders(certs, &path, 1, 2,
                                            SNIV_TRUST_STRICT, &scope),
                     APR_SUCCESS);
    assert_int_equal(sniv_certs_load(certs, 0, 0, NULL, NULL), APR_SUCCESS);
    watch = sniv_watch_make(pool);
    if (!watch)
        skip();
    look_on();
    assert_true(sniv_watch_is_complete(watch, &reason));
    nstamps = 0;
}

static int has(const char *name)
{
    return sniv_certs_find(certs, 0, name, strlen(name), apr_time_now())
           != SNIV_CERT_NONE;
}

/* Which of the versions are served: a bit for each. */
static int served(void)
{
    return (has("v0.test") ? 1 : 0) | (has("v1.test") ? 2 : 0)
           | (has("v2.test") ? 4 : 0);
}

static void put_many(const char *format)
{
    int i;

    for (i = 0; i < MANY; i++) {
        const char *name = apr_psprintf(pool, format, i);
        char *slash = strchr(name, '/');

        if (slash)
            make_dir(apr_pstrmemdup(pool, name, (apr_size_t)(slash - name)));
        put(name, 0);
    }
}

/* One of many folders: only what is in it is looked at. */
static void test_folders(void **state)
{
    (void)state;
    put_many("f%d/a.pem");
    load_dir(dir);
    put("f7/a.pem", 1);
    look_on();
    assert_int_equal(served(), 3);
    assert_in_range(nstamps, 1, 40);

    nstamps = 0;
    put_in_place("f7/a.pem", 2);
    look_on();
    assert_int_equal(served(), 5);
    assert_in_range(nstamps, 1, 40);

    /* a new folder, and what is written to it at once */
    nstamps = 0;
    make_dir("new");
    put("new/b.pem", 1);
    look_on();
    assert_int_equal(served(), 7);
    /* the folder that is named is read again: it has that many names */
    assert_in_range(nstamps, 1, 60);

    unlink(in_dir("new/b.pem"));
    look_on();
    assert_int_equal(served(), 5);
    put("new/c.pem", 1);
    look_on();
    assert_int_equal(served(), 7);
    assert_int_equal(rename(in_dir("new"), in_dir("elsewhere")), 0);
    look_on();
    assert_int_equal(served(), 7);
    unlink(in_dir("elsewhere/c.pem"));
    rmdir(in_dir("elsewhere"));
    look_on();
    assert_int_equal(served(), 5);
    nstamps = 0;
    look_on();
    assert_int_equal(nstamps, 0);
}

/* One of many files of a folder, which is not read for it. */
static void test_files(void **state)
{
    (void)state;
    put_many("f%d.pem");
    load_dir(dir);
    put("f7.pem", 1);
    look_on();
    assert_int_equal(served(), 3);
    assert_in_range(nstamps, 1, 40);

    nstamps = 0;
    put_in_place("f8.pem", 2);
    look_on();
    assert_int_equal(served(), 7);
    assert_in_range(nstamps, 1, 40);

    unlink(in_dir("f7.pem"));
    look_on();
    assert_int_equal(served(), 5);
    put("new.pem", 1);
    look_on();
    assert_int_equal(served(), 7);
    assert_int_equal(rename(in_dir("f8.pem"), in_dir("g8.pem")), 0);
    look_on();
    assert_int_equal(served(), 7);
    unlink(in_dir("g8.pem"));
    look_on();
    assert_int_equal(served(), 3);
}

/* Until a name is served, or steps are used up. */
static void look_for(const char *name)
{
    int i;

    for (i = 0; i < STEPS && !has(name); i++)
        look();
    assert_true(has(name));
}

/* Names that are new in a large folder are served although the folder, which
 * takes long to be read, has to wait. */
static void test_new_names(void **state)
{
    const sniv_folder_t *folder;
    apr_time_t pause = apr_time_now() + apr_time_from_sec(300);

    (void)state;
    put_many("f%d.pem");
    load_dir(dir);
    folder = certs->books.folders[0];
    certs->books.folders[0]->pause = pause;
    put("new.pem", 1);
    look_for("v1.test");
    make_dir("in");
    put("in/newer.pem", 2);
    look_for("v2.test");
    assert_true(folder->pause == pause);    /* it was not read */
    unlink(in_dir("new.pem"));
    unlink(in_dir("in/newer.pem"));
    while (served() != 1)
        look();
    assert_true(folder->pause == pause);

    /* the whole comes later: what the names did not say is found then */
    certs->books.folders[0]->pause = 0;
    put("f7.pem", 1);
    put("new.pem", 2);
    look_for("v2.test");
    look_on();
    assert_int_equal(served(), 7);
    assert_int_equal(folder->nnoted, 0);
}

static void switch_link(const char *target, const char *name)
{
    const char *temp = in_dir("link.new");

    assert_int_equal(symlink(target, temp), 0);
    assert_int_equal(rename(temp, in_dir(name)), 0);
}

/* Links on the way: certbot's files, Kubernetes' folder. */
static void test_links(void **state)
{
    (void)state;
    make_dir("top");
    make_dir("top/live");
    make_dir("top/archive");
    put("top/archive/1.pem", 0);
    put("top/archive/2.pem", 1);
    switch_link("../archive/1.pem", "top/live/cert.pem");
    make_dir("top/k");
    make_dir("top/k/..one");
    make_dir("top/k/..two");
    put("top/k/..one/tls.pem", 0);
    put("top/k/..two/tls.pem", 2);
    switch_link("..one", "top/k/..data");
    switch_link("..data/tls.pem", "top/k/tls.pem");
    load_dir(in_dir("top"));
    assert_int_equal(served() & 1, 1);
    switch_link("..two", "top/k/..data");
    look_on();
    assert_int_equal(served() & 4, 4);
    put("top/k/..two/tls.pem", 0);
    look_on();
    assert_int_equal(served() & 4, 0);
    switch_link("..one", "top/k/..data");
    put("top/k/..one/tls.pem", 2);
    look_on();
    assert_int_equal(served() & 4, 4);
    unlink(in_dir("top/archive/1.pem"));
    unlink(in_dir("top/archive/2.pem"));
    put("top/archive/3.pem", 1);
    switch_link("../archive/3.pem", "top/live/cert.pem");
    look_on();
    assert_int_equal(served() & 2, 2);
}

/* Folders and files that come and go in any order: at rest it is as a load
 * would find it. */
static void test_random(void **state)
{
    static const char *const names[] = {
        "a.pem", "b.pem", "x/a.pem", "x/b.pem", "y/a.pem", "y/z/a.pem"
    };
    static const char *const dirs[] = { "x", "y", "y/z" };
    int round, i, k, version[6], want;

    (void)state;
    for (i = 0; i < 3; i++)
        make_dir(dirs[i]);
    for (i = 0; i < 6; i++)
        version[i] = -1;
    put(names[0], 0);
    version[0] = 0;
    load_dir(dir);
    srand(11);
    for (round = 0; round < 60; round++) {
        for (k = rand() % 4; k >= 0; k--) {
            i = rand() % 6;
            version[i] = rand() % (VERSIONS + 1) - 1;
            if (version[i] < 0)
                unlink(in_dir(names[i]));
            else if (rand() % 2)
                put(names[i], version[i]);
            else
                put_in_place(names[i], version[i]);
            if (rand() % 3 == 0)
                look();
        }
        if (round % 7 == 3) {
            assert_int_equal(rename(in_dir("x"), in_dir("x2")), 0);
            look();
            assert_int_equal(rename(in_dir("x2"), in_dir("x")), 0);
        }
        look_on();
        for (want = i = 0; i < 6; i++)
            want |= version[i] < 0 ? 0 : 1 << version[i];
        assert_int_equal(served(), want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_folders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_new_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random, setup, teardown)
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return failed;
}
