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

/* sniv_renew: what a parent changes and children see. */

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "pems.h"
#include "stop.h"
#include "certs/certs.h"

#define SECOND apr_time_from_sec(1)

static apr_pool_t *pool;
static char dir[256];
static char reports[20000];
static apr_time_t now;

static void report(void *baton, sniv_certs_event_e event, sniv_cert_id_t id,
                   const char *file, const char *reason)
{
    const char *base = strrchr(file, '/');
    size_t len = strlen(reports);

    (void)baton;
    (void)id;
    snprintf(reports + len, sizeof(reports) - len, "%d %s %s\n", (int)event,
             base ? base + 1 : file, reason);
}

static void assert_report(const char *line)
{
    if (!strstr(reports, line))
        fail_msg("no report '%s' in:\n%s", line, reports);
}

static const char *in_dir(const char *name)
{
    return apr_pstrcat(pool, dir, "/", name, NULL);
}

static int setup(void **state)
{
    (void)state;
    apr_pool_create(&pool, NULL);
    snprintf(dir, sizeof(dir), "/tmp/sniv_renew_XXXXXX");
    assert_non_null(mkdtemp(dir));
    reports[0] = '\0';
    now = apr_time_now() + 10 * SECOND;
    return 0;
}

static int teardown(void **state)
{
    char command[300];

    (void)state;
    apr_pool_destroy(pool);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

/* ----- looking for changes ----- */

static sniv_certs_t *load(const char *path)
{
    sniv_certs_t *certs;
    sniv_scope_t scope;

    reports[0] = '\0';
    assert_int_equal(sniv_certs_make(&certs, pool), APR_SUCCESS);
    assert_int_equal(sniv_certs_add_folders(certs, &path, 1, 2,
                                            SNIV_TRUST_STRICT, &scope),
                     APR_SUCCESS);
    assert_int_equal(sniv_certs_load(certs, 0, 0, report, NULL),
                     APR_SUCCESS);
    assert_true(sniv_certs_is_shared(certs));
    return certs;
}

static int look_with(sniv_certs_t *certs, apr_interval_time_t budget)
{
    now += 10 * SECOND;
    return sniv_certs_look(certs, now, 10 * SECOND, budget, report, NULL);
}

static int look(sniv_certs_t *certs)
{
    return look_with(certs, 60 * SECOND);
}

static sniv_cert_id_t find(const sniv_certs_t *certs, const char *name)
{
    return sniv_certs_find(certs, 0, name, strlen(name), apr_time_now());
}

/* The certificate that would be served for a name; NULL if none. */
static X509 *served(const sniv_certs_t *certs, const char *name)
{
    static SSL_CTX *ctx;
    sniv_cert_id_t id = find(certs, name);
    SSL *ssl;
    X509 *cert = NULL;

    if (!ctx)
        ctx = SSL_CTX_new(TLS_server_method());
    ssl = SSL_new(ctx);
    if (id != SNIV_CERT_NONE
        && sniv_certs_install(certs, id, ssl, NULL) == APR_SUCCESS
        && SSL_check_private_key(ssl)) {
        cert = SSL_get_certificate(ssl);
        X509_up_ref(cert);
    }
    SSL_free(ssl);
    return cert;
}

static int serves(const sniv_certs_t *certs, const char *name,
                  const pems_t *pems)
{
    X509 *cert = served(certs, name);
    int same = cert ? X509_cmp(cert, pems->cert) == 0 : pems == NULL;

    X509_free(cert);
    return same;
}

/* The same, asked in a child that was forked before. */
typedef struct asker_t {
    pid_t pid;
    int to, from;
} asker_t;

static asker_t fork_asker(const sniv_certs_t *certs)
{
    asker_t asker;
    int to[2], from[2];
    char name[100];
    unsigned char der[4000], *p;
    ssize_t n;

    assert_int_equal(pipe(to), 0);
    assert_int_equal(pipe(from), 0);
    asker.pid = fork();
    if (asker.pid == 0) {
        alarm(60);
        close(to[1]);
        while ((n = read(to[0], name, sizeof(name) - 1)) > 0) {
            X509 *cert;
            int len = 0;

            name[n] = '\0';
            cert = served(certs, name);
            p = der;
            if (cert)
                len = i2d_X509(cert, &p);
            der[len++] = '.';
            if (write(from[1], der, (size_t)len) != len)
                _exit(1);
            X509_free(cert);
        }
        _exit(0);
    }
    close(to[0]);
    close(from[1]);
    asker.to = to[1];
    asker.from = from[0];
    return asker;
}

static int child_serves(const asker_t *asker, const char *name,
                        const pems_t *pems)
{
    unsigned char got[4000], want[4000], *p = want;
    int len = pems ? i2d_X509(pems->cert, &p) : 0;
    ssize_t n;

    assert_int_equal(write(asker->to, name, strlen(name)), strlen(name));
    n = read(asker->from, got, sizeof(got));
    return n == len + 1 && memcmp(got, want, (size_t)len) == 0;
}

static void end_asker(const asker_t *asker)
{
    int status;

    close(asker->to);
    assert_int_equal(waitpid(asker->pid, &status, 0), asker->pid);
    close(asker->from);
    assert_int_equal(status, 0);
}

#define NPAIRS 8
static pems_t pairs[NPAIRS];
static char *certs_text[NPAIRS], *keys_text[NPAIRS];

static void test_renewed(void **state)
{
    sniv_certs_t *certs;
    asker_t child;

    (void)state;
    pems_write(in_dir("a.crt"), certs_text[0], NULL);
    pems_write(in_dir("a.key"), keys_text[0], NULL);
    certs = load(dir);
    child = fork_asker(certs);
    assert_true(child_serves(&child, "a.test", &pairs[0]));
    assert_false(look(certs));
    assert_string_equal(reports, "");

    /* one look is not enough, the second one settles it */
    pems_replace(in_dir("a.key"), keys_text[1], NULL);
    pems_replace(in_dir("a.crt"), certs_text[1], NULL);
    assert_false(look(certs));
    assert_true(child_serves(&child, "a.test", &pairs[0]));
    assert_true(look(certs));
    assert_true(child_serves(&child, "a.test", &pairs[1]));
    assert_string_equal(reports, "2 a.crt is renewed and served\n");
    assert_false(look(certs));
    assert_false(look(certs));

    /* a certificate without its key changes nothing, and is told of once */
    reports[0] = '\0';
    pems_write(in_dir("a.crt"), certs_text[2], NULL);
    assert_false(look(certs));
    assert_false(look(certs));
    assert_false(look(certs));
    assert_true(child_serves(&child, "a.test", &pairs[1]));
    assert_report("3 a.key holds a key that does not belong to the");
    assert_null(strchr(strchr(reports, '\n') + 1, '\n'));
    /* then the key comes */
    reports[0] = '\0';
    pems_write(in_dir("a.key"), keys_text[2], NULL);
    assert_false(look(certs));
    assert_true(look(certs));
    assert_true(child_serves(&child, "a.test", &pairs[2]));
    assert_string_equal(reports, "2 a.crt is renewed and served\n");

    /* one that is still being written is left alone */
    reports[0] = '\0';
    pems_write(in_dir("a.key"), keys_text[3], NULL);
    assert_false(look(certs));
    pems_write(in_dir("a.crt"), certs_text[3], NULL);
    assert_false(look(certs));
    assert_true(child_serves(&child, "a.test", &pairs[2]));
    assert_true(look(certs));
    assert_true(child_serves(&child, "a.test", &pairs[3]));
    assert_string_equal(reports, "2 a.crt is renewed and served\n");

    /* touched, but the same */
    reports[0] = '\0';
    pems_replace(in_dir("a.crt"), certs_text[3], NULL);
    assert_false(look(certs));
    assert_false(look(certs));
    assert_string_equal(reports, "");
    end_asker(&child);
}

static void test_links(void **state)
{
    sniv_certs_t *certs;
    asker_t child;

    (void)state;
    mkdir(in_dir("archive"), 0700);
    mkdir(in_dir("live"), 0700);
    mkdir(in_dir("live/a.test"), 0700);
    pems_write(in_dir("archive/cert1"), certs_text[0], NULL);
    pems_write(in_dir("archive/key1"), keys_text[0], NULL);
    pems_write(in_dir("archive/cert2"), certs_text[1], NULL);
    pems_write(in_dir("archive/key2"), keys_text[1], NULL);
#define LINK(to, from) \
    unlink(in_dir(from)); \
    assert_int_equal(symlink(to, in_dir(from)), 0)
    LINK("../../archive/cert1", "live/a.test/fullchain.pem");
    LINK("../../archive/key1", "live/a.test/privkey.pem");
    certs = load(in_dir("live"));
    child = fork_asker(certs);
    assert_true(child_serves(&child, "a.test", &pairs[0]));
    LINK("../../archive/cert2", "live/a.test/fullchain.pem");
    LINK("../../archive/key2", "live/a.test/privkey.pem");
    look(certs);
    look(certs);
    assert_true(child_serves(&child, "a.test", &pairs[1]));
    assert_string_equal(reports, "2 fullchain.pem is renewed and served\n");
    end_asker(&child);
}

static void test_broken(void **state)
{
    pems_want_t want = { PEMS_EC, "DNS:a.test", -9000, -10, NULL, NULL, 0,
                         0 };
    sniv_certs_t *certs;
    pems_t expired;
    char *cert, *key;
    asker_t child;
    int i;

    (void)state;
    pems_make(&expired, &want);
    cert = pems_cert(&expired);
    key = pems_key(&expired, PEMS_PKCS8);
    pems_write(in_dir("a.pem"), certs_text[0], keys_text[0], NULL);
    certs = load(dir);
    child = fork_asker(certs);

    pems_write(in_dir("a.pem"), "junk", NULL);
    for (i = 0; i < 4; i++)
        assert_false(look(certs));
    assert_report("3 a.pem is not PEM");
    assert_true(child_serves(&child, "a.test", &pairs[0]));

    reports[0] = '\0';
    pems_write(in_dir("a.pem"), certs_text[0], keys_text[0], NULL);
    for (i = 0; i < 4; i++)
        assert_false(look(certs));
    assert_string_equal(reports, "");

    /* a certificate that is valid is not given up for one that is not */
    pems_write(in_dir("a.pem"), cert, key, NULL);
    for (i = 0; i < 6; i++)
        assert_false(look(certs));
    assert_report("3 a.pem has expired on ");
    assert_null(strchr(strchr(reports, '\n') + 1, '\n'));
    assert_true(child_serves(&child, "a.test", &pairs[0]));
    end_asker(&child);
    pems_free(&expired);
    free(cert);
    free(key);
}

static void test_new_and_gone(void **state)
{
    sniv_certs_t *certs;
    sniv_certs_stats_t before, after;
    asker_t child;
    int i;

    (void)state;
    mkdir(in_dir("sub"), 0700);
    pems_write(in_dir("sub/a.pem"), certs_text[0], keys_text[0], NULL);
    certs = load(in_dir("sub"));
    child = fork_asker(certs);
    sniv_certs_stats(certs, &before);

    pems_write(in_dir("sub/b.pem"), certs_text[6], keys_text[6], NULL);
    assert_true(child_serves(&child, "b.test", NULL));
    for (i = 0; i < 3; i++)
        look(certs);
    assert_string_equal(reports, "4 b.pem is new and served\n");
    assert_true(child_serves(&child, "b.test", &pairs[6]));
    assert_true(child_serves(&child, "a.test", &pairs[0]));

    /* a folder in the folder */
    reports[0] = '\0';
    mkdir(in_dir("sub/c.test"), 0700);
    look(certs);
    pems_write(in_dir("sub/c.test/fullchain.pem"), certs_text[7], NULL);
    look(certs);
    pems_write(in_dir("sub/c.test/privkey.pem"), keys_text[7], NULL);
    for (i = 0; i < 4; i++)
        look(certs);
    assert_report("4 fullchain.pem is new and served\n");
    assert_true(child_serves(&child, "c.test", &pairs[7]));

    reports[0] = '\0';
    unlink(in_dir("sub/b.pem"));
    for (i = 0; i < 3; i++)
        look(certs);
    assert_string_equal(reports, "5 b.pem is gone\n");
    assert_true(child_serves(&child, "b.test", NULL));
    assert_true(child_serves(&child, "a.test", &pairs[0]));
    unlink(in_dir("sub/c.test/fullchain.pem"));
    unlink(in_dir("sub/c.test/privkey.pem"));
    rmdir(in_dir("sub/c.test"));
    reports[0] = '\0';
    for (i = 0; i < 3; i++)
        look(certs);
    assert_string_equal(reports, "5 fullchain.pem is gone\n");
    assert_true(child_serves(&child, "c.test", NULL));
    sniv_certs_stats(certs, &after);
    assert_int_equal(after.entries, before.entries);
    assert_int_equal(after.chains, before.chains);

    /* a folder that is gone as a whole is a lost mount */
    reports[0] = '\0';
    assert_int_equal(rename(in_dir("sub"), in_dir("elsewhere")), 0);
    for (i = 0; i < 4; i++)
        look(certs);
    assert_true(child_serves(&child, "a.test", &pairs[0]));
    assert_string_equal(reports,
                        "7 sub cannot be read: No such file or directory\n"
                        "3 a.pem is gone with its folder\n");
    rename(in_dir("elsewhere"), in_dir("sub"));
    for (i = 0; i < 4; i++)
        look(certs);
    assert_true(child_serves(&child, "a.test", &pairs[0]));
    end_asker(&child);
}

/* Folders that take each other's place: inodes and names are used again. */
static void test_folders_again(void **state)
{
    sniv_certs_t *certs;
    sniv_certs_stats_t stats;
    int i;

    (void)state;
    mkdir(in_dir("live"), 0700);
    mkdir(in_dir("live/a.test"), 0700);
    pems_write(in_dir("live/a.test/fullchain.pem"), certs_text[0], NULL);
    pems_write(in_dir("live/a.test/privkey.pem"), keys_text[0], NULL);
    assert_int_equal(symlink("a.test", in_dir("live/b.test")), 0);
    certs = load(in_dir("live"));
    assert_report("7 b.test is another path to ");

    /* renamed: the same inode, and no handshake without it */
    reports[0] = '\0';
    assert_int_equal(rename(in_dir("live/a.test"), in_dir("live/z.test")), 0);
    for (i = 0; i < 4; i++) {
        look(certs);
        assert_true(serves(certs, "a.test", &pairs[0]));
    }
    assert_report("4 fullchain.pem is new and served\n");
    assert_null(strstr(reports, "is another path"));

    /* a folder where a link was */
    assert_int_equal(unlink(in_dir("live/b.test")), 0);
    mkdir(in_dir("live/b.test"), 0700);
    pems_write(in_dir("live/b.test/fullchain.pem"), certs_text[6], NULL);
    pems_write(in_dir("live/b.test/privkey.pem"), keys_text[6], NULL);
    for (i = 0; i < 3; i++)
        look(certs);
    assert_true(serves(certs, "b.test", &pairs[6]));

    /* another folder, with a loop, where one was */
    assert_int_equal(rename(in_dir("live/z.test"), in_dir("away")), 0);
    mkdir(in_dir("live/z.test"), 0700);
    pems_write(in_dir("live/z.test/fullchain.pem"), certs_text[1], NULL);
    pems_write(in_dir("live/z.test/privkey.pem"), keys_text[1], NULL);
    assert_int_equal(symlink(".", in_dir("live/z.test/loop")), 0);
    for (i = 0; i < 4; i++)
        look(certs);
    assert_true(serves(certs, "a.test", &pairs[1]));
    sniv_certs_stats(certs, &stats);
    assert_int_equal(stats.entries, 2);
    assert_report("7 loop is another path to ");
}

/* Many in a folder, removed in any order. */
static void test_many_gone(void **state)
{
    sniv_certs_t *certs;
    sniv_certs_stats_t stats;
    int i, k;

    (void)state;
    for (i = 0; i < 30; i++)
        pems_write(in_dir(apr_psprintf(pool, "%d.pem", i)), certs_text[0],
                   keys_text[0], NULL);
    certs = load(dir);
    for (k = 3; k > 0; k--) {
        for (i = 0; i < 30; i += k)
            unlink(in_dir(apr_psprintf(pool, "%d.pem", i)));
        for (i = 0; i < 3; i++)
            look(certs);
        sniv_certs_stats(certs, &stats);
        assert_int_equal(stats.entries, k == 3 ? 20 : k == 2 ? 10 : 0);
    }
    pems_write(in_dir("5.pem"), certs_text[0], keys_text[0], NULL);
    for (i = 0; i < 3; i++)
        look(certs);
    assert_true(serves(certs, "a.test", &pairs[0]));
}

/* What is said of an entry without the rest of it, and when it was read. */
static void assert_times(const sniv_certs_t *certs, sniv_cert_info_t *info)
{
    sniv_cert_id_t id = find(certs, "a.test");
    unsigned char *chosen = sniv_certs_chosen(certs, apr_time_now());
    apr_time_t from, to;
    sniv_scope_t scope;

    assert_int_equal(sniv_certs_info(certs, id, info, pool), APR_SUCCESS);
    assert_true(sniv_certs_times(certs, id, &from, &to, &scope));
    assert_true(from == info->not_before && to == info->not_after);
    assert_int_equal(scope, info->scope);
    assert_true(chosen && chosen[id] == 1);
    free(chosen);
}

static void test_times(void **state)
{
    const apr_time_t start = apr_time_now();
    sniv_cert_info_t first, second;
    sniv_certs_t *certs;
    apr_time_t from, to;
    sniv_scope_t scope;

    (void)state;
    pems_write(in_dir("a.pem"), certs_text[0], keys_text[0], NULL);
    certs = load(dir);
    assert_times(certs, &first);
    assert_true(first.loaded >= start && first.loaded <= apr_time_now());
    look(certs);
    assert_times(certs, &second);
    assert_true(second.loaded == first.loaded);     /* it was not read */
    pems_replace(in_dir("a.pem"), certs_text[1], keys_text[1], NULL);
    look(certs);
    look(certs);
    assert_times(certs, &second);
    assert_true(second.loaded > first.loaded);
    assert_true(second.loaded <= apr_time_now());
    assert_false(sniv_certs_times(certs, SNIV_CERT_NONE, &from, &to,
                                  &scope));
    assert_false(sniv_certs_times(certs, sniv_certs_count(certs), &from, &to,
                                  &scope));
    assert_false(sniv_certs_times(certs, sniv_certs_count(certs) - 1, &from,
                                  &to, &scope));
}

/* A clock that is put back does not stop the looks. */
static void test_clock(void **state)
{
    sniv_certs_t *certs;

    (void)state;
    pems_write(in_dir("a.pem"), certs_text[0], keys_text[0], NULL);
    certs = load(dir);
    look(certs);
    now -= 100000 * SECOND;
    pems_replace(in_dir("a.pem"), certs_text[1], keys_text[1], NULL);
    look(certs);
    look(certs);
    assert_true(serves(certs, "a.test", &pairs[1]));
}

/* With no time at all each call still gets something done. */
static void test_budget(void **state)
{
    sniv_certs_t *certs;
    int i, n;

    (void)state;
    for (i = 0; i < 40; i++)
        pems_write(in_dir(apr_psprintf(pool, "%d.pem", i)), certs_text[0],
                   keys_text[0], NULL);
    certs = load(dir);
    for (i = 0; i < 40; i++)
        pems_write(in_dir(apr_psprintf(pool, "%d.pem", i)), certs_text[1],
                   keys_text[1], NULL);
    for (n = 0; n < 1000 && !serves(certs, "a.test", &pairs[1]); n++)
        look_with(certs, 0);
    assert_true(n >= 2 && n <= 100);
    for (i = 0; i < 1000; i++)
        look_with(certs, 0);
    for (i = 0, n = 0; i < (int)strlen(reports); i++)
        n += reports[i] == '\n';
    assert_int_equal(n, 40);
}

/* ----- under load ----- */

static const sniv_certs_t *loaded;

static void *shake(void *dummy)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    long n = 0;

    (void)dummy;
    while (!stop_was_asked() || n == 0) {
        sniv_cert_id_t id = find(loaded, "a.test");
        SSL *ssl = SSL_new(ctx);
        STACK_OF(X509) *chain = NULL;

        if (id == SNIV_CERT_NONE
            || sniv_certs_install(loaded, id, ssl, NULL) != APR_SUCCESS
            || SSL_check_private_key(ssl) != 1
            || !SSL_get0_chain_certs(ssl, &chain)
            || sk_X509_num(chain) != 1) {
            return (void *)-1L;
        }
        SSL_free(ssl);
        n++;
    }
    SSL_CTX_free(ctx);
    return (void *)n;
}

static void test_under_load(void **state)
{
    sniv_certs_t *certs;
    sniv_certs_stats_t before, after;
    pthread_t threads[3];
    void *result;
    int i, status = 0, changes = 0;
    pid_t pid;

    (void)state;
    /* each with another one as its chain, so that chains change too */
    pems_write(in_dir("a.pem"), certs_text[0], keys_text[0], certs_text[6],
               NULL);
    certs = load(dir);
    sniv_certs_stats(certs, &before);
    loaded = certs;
    pid = fork();
    if (pid == 0) {
        stop_on_signal();
        for (i = 0; i < 3; i++)
            pthread_create(&threads[i], NULL, shake, NULL);
        for (i = 0; i < 3; i++) {
            pthread_join(threads[i], &result);
            if ((long)result <= 0)
                status = 1;
        }
        _exit(status);
    }
    for (i = 1; i <= 200; i++) {
        pems_replace(in_dir("a.pem"), certs_text[i % 6], keys_text[i % 6],
                     certs_text[6 + i % 2], NULL);
        look(certs);
        changes += look(certs);
    }
    kill(pid, SIGTERM);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(changes, 200);
    sniv_certs_stats(certs, &after);
    assert_int_equal(after.chains, 1);
    assert_true(after.bytes < before.bytes + 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_renewed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_new_and_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folders_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_times, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clock, setup, teardown),
        cmocka_unit_test_setup_teardown(test_budget, setup, teardown),
        cmocka_unit_test_setup_teardown(test_under_load, setup, teardown)
    };
    pems_want_t want = { PEMS_EC, "DNS:a.test", 0, 0, NULL, NULL, 0, 0 };
    int i, failed;

    apr_initialize();
    for (i = 0; i < NPAIRS; i++) {
        want.names = i == 6 ? "DNS:b.test" : i == 7 ? "DNS:c.test"
                                                    : "DNS:a.test";
        pems_make(&pairs[i], &want);
        certs_text[i] = pems_cert(&pairs[i]);
        keys_text[i] = pems_key(&pairs[i], PEMS_PKCS8);
    }
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (i = 0; i < NPAIRS; i++) {
        pems_free(&pairs[i]);
        free(certs_text[i]);
        free(keys_text[i]);
    }
    apr_terminate();
    return failed;
}
