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
 * @file test_folders.c
 * Certificate folders that strangers write to: whose files are used, what is
 * never opened, how much one folder may take up, and that all of it is given
 * back.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "pems.h"
#include "certs/certs.h"
#include "certs/walk.h"

#define SECOND apr_time_from_sec(1)
#define STRANGER 65534

static apr_pool_t *pool;
static char dir[256];
static char reports[200000];
static int nreports;
static apr_time_t now;
static sniv_scope_t scope;

#define NPAIRS 3
static pems_t pairs[NPAIRS];
static char *certs_text[NPAIRS], *keys_text[NPAIRS];

static void report(void *baton, sniv_certs_event_e event, sniv_cert_id_t id,
                   const char *file, const char *reason)
{
    size_t len = strlen(reports);

    (void)baton;
    (void)id;
    nreports++;
    snprintf(reports + len, sizeof(reports) - len, "%d %s %s\n", (int)event,
             file, reason);
}

static void assert_report(const char *text)
{
    if (!strstr(reports, text))
        fail_msg("no report '%s' in:\n%.2000s", text, reports);
}

static const char *in_dir(const char *name)
{
    return apr_pstrcat(pool, dir, "/", name, NULL);
}

static void put(const char *name, int pair)
{
    pems_write(in_dir(name), certs_text[pair], keys_text[pair], NULL);
}

static void make(const char *name, mode_t mode)
{
    mkdir(in_dir(name), 0700);
    assert_int_equal(chmod(in_dir(name), mode), 0);
}

static int setup(void **state)
{
    (void)state;
    apr_pool_create(&pool, NULL);
    snprintf(dir, sizeof(dir), "/tmp/sniv_folders_XXXXXX");
    assert_non_null(mkdtemp(dir));
    make("top", 0755);
    reports[0] = '\0';
    nreports = 0;
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

static sniv_certs_t *load(sniv_trust_e trust)
{
    const char *path = in_dir("top");
    sniv_certs_t *certs;

    assert_int_equal(sniv_certs_make(&certs, pool), APR_SUCCESS);
    assert_int_equal(sniv_certs_add_folders(certs, &path, 1, 2, trust,
                                            &scope), APR_SUCCESS);
    assert_int_equal(sniv_certs_load(certs, 0, 0, report, NULL),
                     APR_SUCCESS);
    return certs;
}

static void look(sniv_certs_t *certs, int times)
{
    while (times-- > 0) {
        now += 10 * SECOND;
        sniv_certs_look(certs, now, 10 * SECOND, 60 * SECOND, report, NULL);
    }
}

static int has(const sniv_certs_t *certs, const char *name)
{
    return sniv_certs_find(certs, scope, name, strlen(name), apr_time_now())
           != SNIV_CERT_NONE;
}

/* ----- one path ----- */

static const char *opened(sniv_trust_e trust, const char *name)
{
    sniv_walk_t walk;
    const char *reason;
    apr_status_t rv;
    int fd;

    walk.top = in_dir("top");
    walk.trust = trust;
    rv = sniv_walk_open(&walk, apr_pstrcat(pool, walk.top, "/", name, NULL),
                        SNIV_WALK_FILE, &fd, &reason);
    if (rv == APR_SUCCESS)
        close(fd);
    return rv == APR_SUCCESS ? "ok"
           : reason ? apr_pstrmemdup(pool, reason, 16) : strerror(rv);
}

static void link_to(const char *to, const char *from)
{
    assert_int_equal(symlink(to, in_dir(from)), 0);
}

static void test_modes(void **state)
{
    (void)state;
    put("top/a.pem", 0);
    assert_string_equal(opened(SNIV_TRUST_STRICT, "a.pem"), "ok");
    chmod(in_dir("top/a.pem"), 0644);
    assert_string_equal(opened(SNIV_TRUST_STRICT, "a.pem"), "ok");
    chmod(in_dir("top/a.pem"), 0666);
    assert_string_equal(opened(SNIV_TRUST_STRICT, "a.pem"),
                        "is not trusted: ");
    assert_string_equal(opened(SNIV_TRUST_OWNER, "a.pem"),
                        "is not trusted: ");
    assert_string_equal(opened(SNIV_TRUST_ANY, "a.pem"), "ok");
    chmod(in_dir("top/a.pem"), 0640);

    /* everybody may create files in it, and nobody replaces this one */
    chmod(in_dir("top"), 01777);
    assert_string_equal(opened(SNIV_TRUST_STRICT, "a.pem"), "ok");
    chmod(in_dir("top"), 0777);
    assert_string_equal(opened(SNIV_TRUST_STRICT, "a.pem"),
                        "is not trusted: ");
    chmod(in_dir("top"), 0755);
    make("top/sub", 0757);
    put("top/sub/b.pem", 1);
    assert_string_equal(opened(SNIV_TRUST_STRICT, "sub/b.pem"),
                        "is not trusted: ");
    chmod(in_dir("top/sub"), 0755);
    assert_string_equal(opened(SNIV_TRUST_STRICT, "sub"), "is not a regular");
    assert_string_equal(opened(SNIV_TRUST_STRICT, "none"),
                        strerror(ENOENT));
    assert_string_equal(opened(SNIV_TRUST_STRICT, "a.pem/x"),
                        strerror(ENOTDIR));
}

static void test_links(void **state)
{
    char *name;

    (void)state;
    /* as Kubernetes mounts a secret */
    make("top/..2026_11", 0755);
    put("top/..2026_11/tls.pem", 0);
    link_to("..2026_11", "top/..data");
    link_to("..data/tls.pem", "top/tls.pem");
    assert_string_equal(opened(SNIV_TRUST_STRICT, "tls.pem"), "ok");
    /* as certbot has them */
    make("archive", 0700);
    put("archive/a1.pem", 0);
    make("top/live", 0700);
    link_to("../../archive/a1.pem", "top/live/a.pem");
    assert_string_equal(opened(SNIV_TRUST_STRICT, "live/a.pem"), "ok");
    link_to(in_dir("archive/a1.pem"), "top/absolute.pem");
    assert_string_equal(opened(SNIV_TRUST_STRICT, "absolute.pem"), "ok");
    /* the way to the target counts, too */
    chmod(in_dir("archive"), 0777);
    assert_string_equal(opened(SNIV_TRUST_STRICT, "live/a.pem"),
                        "is not trusted: ");

    link_to("loop.pem", "top/loop.pem");
    assert_string_equal(opened(SNIV_TRUST_STRICT, "loop.pem"),
                        strerror(ELOOP));
    link_to("nowhere", "top/dangling.pem");
    assert_string_equal(opened(SNIV_TRUST_ANY, "dangling.pem"),
                        strerror(ENOENT));
    link_to("/", "top/root");
    assert_string_equal(opened(SNIV_TRUST_ANY, "root"), "is not a regular");
    name = apr_palloc(pool, 6001);
    memset(name, 'x', 6000);
    name[6000] = '\0';
    assert_string_equal(opened(SNIV_TRUST_ANY, name),
                        strerror(ENAMETOOLONG));
    name[300] = '\0';
    assert_string_equal(opened(SNIV_TRUST_ANY, name),
                        strerror(ENAMETOOLONG));
}

static void give(const char *name, uid_t owner)
{
    assert_int_equal(lchown(in_dir(name), owner, owner), 0);
}

/* Links of somebody who may not read what they lead to. */
static void test_strangers(void **state)
{
    (void)state;
    if (getuid() != 0)
        skip();
    make("secret", 0700);
    put("secret/mail.pem", 0);
    make("top/tenant", 0755);
    put("top/tenant/own.pem", 1);
    put("top/tenant/admin.pem", 1);
    link_to(in_dir("secret/mail.pem"), "top/tenant/mail.pem");
    link_to("own.pem", "top/tenant/to-own.pem");
    link_to(in_dir("secret"), "top/tenant/folder");
    link_to("/", "top/tenant/root");
    link_to("../../secret/mail.pem", "top/tenant/by-admin.pem");
    give("top/tenant", STRANGER);
    give("top/tenant/own.pem", STRANGER);
    give("top/tenant/mail.pem", STRANGER);
    give("top/tenant/to-own.pem", STRANGER);
    give("top/tenant/folder", STRANGER);
    give("top/tenant/root", STRANGER);

    assert_string_equal(opened(SNIV_TRUST_STRICT, "tenant/own.pem"),
                        "is not trusted: ");
    assert_string_equal(opened(SNIV_TRUST_STRICT, "tenant/mail.pem"),
                        "is not trusted: ");
    assert_string_equal(opened(SNIV_TRUST_OWNER, "tenant/own.pem"), "ok");
    assert_string_equal(opened(SNIV_TRUST_OWNER, "tenant/admin.pem"), "ok");
    assert_string_equal(opened(SNIV_TRUST_OWNER, "tenant/to-own.pem"), "ok");
    assert_string_equal(opened(SNIV_TRUST_OWNER, "tenant/by-admin.pem"),
                        "ok");
    assert_string_equal(opened(SNIV_TRUST_OWNER, "tenant/mail.pem"),
                        "is not trusted: ");
    assert_string_equal(opened(SNIV_TRUST_OWNER, "tenant/folder/mail.pem"),
                        "is not trusted: ");
    assert_string_equal(opened(SNIV_TRUST_OWNER,
                               apr_pstrcat(pool, "tenant/root",
                                           in_dir("secret/mail.pem"), NULL)),
                        "is not trusted: ");
    assert_string_equal(opened(SNIV_TRUST_ANY, "tenant/mail.pem"), "ok");

    /* a hard link keeps its owner */
    assert_int_equal(link(in_dir("secret/mail.pem"),
                          in_dir("top/tenant/hard.pem")), 0);
    assert_string_equal(opened(SNIV_TRUST_OWNER, "tenant/hard.pem"),
                        "is not trusted: ");
    assert_string_equal(opened(SNIV_TRUST_ANY, "tenant/hard.pem"), "ok");
    unlink(in_dir("top/tenant/hard.pem"));
    assert_int_equal(link(in_dir("top/tenant/own.pem"),
                          in_dir("top/tenant/hard.pem")), 0);
    assert_string_equal(opened(SNIV_TRUST_OWNER, "tenant/hard.pem"), "ok");
    make("top/sticky", 01777);
    chmod(in_dir("top/sticky"), 01777);
    assert_int_equal(link(in_dir("secret/mail.pem"),
                          in_dir("top/sticky/hard.pem")), 0);
    assert_string_equal(opened(SNIV_TRUST_STRICT, "sticky/hard.pem"),
                        "is not trusted: ");
    unlink(in_dir("top/sticky/hard.pem"));

    /* one stranger's file in another's folder, by a link of either */
    make("top/other", 0755);
    link_to("../tenant/own.pem", "top/other/own.pem");
    give("top/other", 12345);
    give("top/other/own.pem", 12345);
    assert_string_equal(opened(SNIV_TRUST_OWNER, "other/own.pem"),
                        "is not trusted: ");
    /* the owner of the top folder may do what root may */
    give("top", STRANGER);
    assert_string_equal(opened(SNIV_TRUST_STRICT, "tenant/own.pem"), "ok");
}

/* Nothing but files is opened: a FIFO's writer does not see a reader. */
static void test_special(void **state)
{
    struct sockaddr_un address;
    sniv_certs_t *certs;
    int sock;

    (void)state;
    assert_int_equal(mkfifo(in_dir("top/fifo.pem"), 0600), 0);
    link_to("fifo.pem", "top/link.pem");
    memset(&address, 0, sizeof(address));
    address.sun_family = AF_UNIX;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s",
             in_dir("top/sock.pem"));
    sock = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(sock, (struct sockaddr *)&address,
                          sizeof(address)), 0);
    mkdir(in_dir("top/folder.pem"), 0700);
    put("top/a.pem", 0);
    certs = load(SNIV_TRUST_ANY);
    assert_true(has(certs, "a.test"));
    assert_report("fifo.pem is not a regular file");
    assert_report("link.pem is not a regular file");
    assert_report("sock.pem is not a regular file");
    assert_int_equal(open(in_dir("top/fifo.pem"), O_WRONLY | O_NONBLOCK),
                     -1);
    assert_int_equal(errno, ENXIO);
    close(sock);
}

/* Trust that is given later is noticed, though the file is the same. */
static void test_trusted_later(void **state)
{
    sniv_certs_t *certs;

    (void)state;
    make("top/sub", 0777);
    put("top/sub/a.pem", 0);
    certs = load(SNIV_TRUST_STRICT);
    assert_false(has(certs, "a.test"));
    assert_report("sub is not trusted: ");
    nreports = 0;
    look(certs, 3);
    assert_int_equal(nreports, 0);
    chmod(in_dir("top/sub"), 0755);
    look(certs, 4);
    assert_true(has(certs, "a.test"));
}

static void put_signed(const char *file, const pems_t *issuer, long end)
{
    pems_want_t want;
    pems_t pems;
    char *cert, *key;

    memset(&want, 0, sizeof(want));
    want.names = "DNS:s.test";
    want.common_name = "leaf";
    want.issuer = issuer;
    want.end = end;
    pems_make(&pems, &want);
    cert = pems_cert(&pems);
    key = pems_key(&pems, PEMS_PKCS8);
    pems_replace(in_dir(file), cert, key, NULL);
    free(cert);
    free(key);
    pems_free(&pems);
}

static const char *file_of(const sniv_certs_t *certs, const char *name)
{
    sniv_cert_id_t id = sniv_certs_find(certs, scope, name, strlen(name),
                                        apr_time_now());
    sniv_cert_info_t info;

    if (sniv_certs_info(certs, id, &info, pool) != APR_SUCCESS)
        return "";
    return apr_pstrcat(pool, strrchr(info.files[0], '/') + 1, " ",
                       info.issuer, NULL);
}

/* Anybody can make a certificate for any name himself. */
static void test_self_signed(void **state)
{
    pems_want_t want;
    sniv_certs_t *certs;
    pems_t ca;

    (void)state;
    memset(&want, 0, sizeof(want));
    want.common_name = "authority";
    want.is_ca = 1;
    pems_make(&ca, &want);
    put_signed("top/signed.pem", &ca, 1000);
    put_signed("top/self.pem", NULL, 900000);
    certs = load(SNIV_TRUST_STRICT);
    assert_string_equal(file_of(certs, "s.test"), "signed.pem CN=authority");
    put_signed("top/signed.pem", NULL, 900000);
    look(certs, 4);
    assert_report("signed.pem holds a self-signed certificate, and the one "
                  "before is valid and signed by an authority");
    assert_string_equal(file_of(certs, "s.test"), "signed.pem CN=authority");
    /* it is better than none */
    unlink(in_dir("top/signed.pem"));
    look(certs, 4);
    assert_string_equal(file_of(certs, "s.test"), "self.pem CN=leaf");
    pems_free(&ca);
}

/* ----- how much ----- */

static void test_empty_files(void **state)
{
    sniv_certs_t *certs;
    sniv_certs_stats_t stats;
    int i;

    (void)state;
    put("top/a.pem", 0);
    certs = load(SNIV_TRUST_STRICT);
    make("top/junk", 0755);
    for (i = 0; i < 6000; i++)
        pems_write(in_dir(apr_psprintf(pool, "top/junk/%d.pem", i)), "",
                   NULL);
    look(certs, 3);
    make("top/late", 0755);
    put("top/late/b.pem", 1);
    look(certs, 3);
    assert_true(has(certs, "b.test"));
    sniv_certs_stats(certs, &stats);
    assert_int_equal(stats.entries, 2);
}

static char *many_names(int n, char letter)
{
    apr_size_t room = (apr_size_t)n * 24;
    char *text = apr_palloc(pool, room), *at = text;
    int i;

    for (i = 0; i < n; i++)
        at += apr_snprintf(at, room - (apr_size_t)(at - text),
                           "%sDNS:%c%d.test", i ? "," : "", letter, i);
    return text;
}

static void put_many(const char *file, int n, char letter)
{
    pems_want_t want;
    pems_t pems;
    char *cert, *key;

    memset(&want, 0, sizeof(want));
    want.names = many_names(n, letter);
    pems_make(&pems, &want);
    cert = pems_cert(&pems);
    key = pems_key(&pems, PEMS_PKCS8);
    pems_write(in_dir(file), cert, key, NULL);
    free(cert);
    free(key);
    pems_free(&pems);
}

static void test_many_names(void **state)
{
    sniv_certs_t *certs;

    (void)state;
    put("top/a.pem", 0);
    put_many("top/most.pem", 5000, 'm');
    put_many("top/over.pem", 5001, 'o');
    certs = load(SNIV_TRUST_STRICT);
    assert_true(has(certs, "a.test"));
    assert_true(has(certs, "m4999.test"));
    assert_false(has(certs, "o0.test"));
    assert_report("over.pem holds a certificate with 5001 names; in a "
                  "folder, at most 5000 are allowed");
}

/* More names than the index has room for: those with the most go. */
static void test_index_does_not_fit(void **state)
{
    sniv_certs_t *certs;
    sniv_certs_stats_t stats;
    int i;

    (void)state;
    put("top/a.pem", 0);
    put_many("top/0.pem", 5000, 'm');
    for (i = 1; i < 200; i++)
        assert_int_equal(link(in_dir("top/0.pem"),
                              in_dir(apr_psprintf(pool, "top/%d.pem", i))),
                         0);
    certs = load(SNIV_TRUST_STRICT);
    assert_true(has(certs, "a.test"));
    assert_true(has(certs, "m1.test"));
    assert_report("has 5000 names, and the index of names does not fit into "
                  "the shared certificate memory: remove it, or ");
    sniv_certs_stats(certs, &stats);
    assert_true(stats.entries >= 10 && stats.entries <= 199);
    assert_int_equal(nreports, 201 - (int)stats.entries);

    /* and while it runs */
    nreports = 0;
    put("top/b.pem", 1);
    for (i = 200; i < 250; i++)
        link(in_dir("top/0.pem"), in_dir(apr_psprintf(pool, "top/%d.pem",
                                                      i)));
    /* a look takes so much time, and no more */
    for (i = 0; i < 100 && !has(certs, "b.test"); i++)
        look(certs, 4);
    assert_true(has(certs, "a.test"));
    assert_true(has(certs, "b.test"));
    assert_true(has(certs, "m1.test"));
    assert_report("restart the server gracefully to enlarge it");
}

/* A folder in the folder takes a part of what is left, others the rest. */
static void test_shares(void **state)
{
    sniv_certs_t *certs;
    int i;

    (void)state;
    put("top/a.pem", 0);
    make("top/tenant", 0755);
    certs = load(SNIV_TRUST_STRICT);
    put_many("top/tenant/0.pem", 1000, 'm');
    for (i = 1; i < 150; i++)
        link(in_dir("top/tenant/0.pem"),
             in_dir(apr_psprintf(pool, "top/tenant/%d.pem", i)));
    look(certs, 3);
    assert_report("has more names or bytes than its folder may add "
                  "before the next restart");
    make("top/other", 0755);
    put("top/other/b.pem", 1);
    look(certs, 3);
    assert_true(has(certs, "b.test"));
}

/* Files and folders that come and go take nothing with them. */
static void test_churn(void **state)
{
    sniv_certs_t *certs;
    sniv_certs_stats_t before, after;
    sniv_cert_id_t most = 0;
    int i, k;

    (void)state;
    put("top/a.pem", 0);
    certs = load(SNIV_TRUST_STRICT);
    sniv_certs_stats(certs, &before);
    for (i = 0; i < 40; i++) {
        for (k = 0; k < 10; k++) {
            make(apr_psprintf(pool, "top/f%d-%d", i, k), 0755);
            put(apr_psprintf(pool, "top/f%d-%d/b%d.pem", i, k, i), 1 + k % 2);
        }
        look(certs, 2);
        assert_true(has(certs, "b.test"));
        most = sniv_certs_find(certs, scope, "b.test", 6, apr_time_now());
        assert_true(most >= 0 && most <= 60);
        for (k = 0; k < 10; k++) {
            unlink(in_dir(apr_psprintf(pool, "top/f%d-%d/b%d.pem", i, k,
                                       i)));
            rmdir(in_dir(apr_psprintf(pool, "top/f%d-%d", i, k)));
        }
        look(certs, 3);
        assert_false(has(certs, "b.test"));
    }
    look(certs, 3);
    sniv_certs_stats(certs, &after);
    assert_int_equal(after.entries, 1);
    assert_int_equal(after.bytes, before.bytes);
    assert_int_equal(sniv_certs_folders(certs), 1);
}

/* No file descriptor, and later one again. */
static void test_no_descriptors(void **state)
{
    struct rlimit limit, low;
    sniv_certs_t *certs;

    (void)state;
    put("top/a.pem", 0);
    certs = load(SNIV_TRUST_STRICT);
    put("top/b.pem", 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    look(certs, 3);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(has(certs, "a.test"));
    look(certs, 3);
    assert_true(has(certs, "b.test"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links, setup, teardown),
        cmocka_unit_test_setup_teardown(test_strangers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_special, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trusted_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_self_signed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_index_does_not_fit, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_shares, setup, teardown),
        cmocka_unit_test_setup_teardown(test_churn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_descriptors, setup, teardown)
    };
    pems_want_t want;
    int i, failed;

    umask(022);
    apr_initialize();
    for (i = 0; i < NPAIRS; i++) {
        memset(&want, 0, sizeof(want));
        want.names = i == 0 ? "DNS:a.test" : i == 1 ? "DNS:b.test"
                                                    : "DNS:c.test";
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
