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

/* sniv_certs: files and folders -> entries -> handshakes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <openssl/x509v3.h>

#include "pems.h"
#include "certs/certs.h"

static apr_pool_t *pool;
static char dir[256];
static pems_t ca, other_ca, a, b, rsa, wild;
static char *a_cert, *a_key, *b_cert, *b_key, *ca_cert, *other_ca_cert;
static char *rsa_cert, *rsa_key, *wild_cert, *wild_key;

/* What was reported, one line each: "event file: reason". */
static char reports[20000];

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

static void sub(const char *name)
{
    assert_int_equal(mkdir(in_dir(name), 0700), 0);
}

static int setup(void **state)
{
    (void)state;
    apr_pool_create(&pool, NULL);
    snprintf(dir, sizeof(dir), "/tmp/sniv_certs_XXXXXX");
    assert_non_null(mkdtemp(dir));
    reports[0] = '\0';
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

/* Whether a host with one of its names gets it. */
static int is_found(const sniv_certs_t *certs, const sniv_cert_info_t *info,
                    apr_time_t now)
{
    sniv_cert_id_t ids[SNIV_KINDS];
    int i, k, n;

    for (i = 0; i < info->nnames; i++) {
        char *name = apr_pstrdup(pool, info->names[i]);

        if (*name == '*')
            *name = 'x';
        n = sniv_certs_find_kinds(certs, info->scope, name, strlen(name), now,
                                  ids);
        for (k = 0; k < n; k++) {
            if (ids[k] == info->id)
                return 1;
        }
    }
    return 0;
}

/* All at once is what it is one by one. */
static void assert_chosen(const sniv_certs_t *certs)
{
    const apr_time_t now = apr_time_now();
    unsigned char *chosen = sniv_certs_chosen(certs, now);
    sniv_cert_info_t info;
    sniv_cert_id_t id;

    assert_non_null(chosen);
    for (id = 0; id < sniv_certs_count(certs); id++) {
        if (sniv_certs_info(certs, id, &info, pool) == APR_SUCCESS
            && info.scope != SNIV_SCOPE_NONE)
            assert_int_equal(chosen[id], is_found(certs, &info, now));
        else
            assert_int_equal(chosen[id], 0);
    }
    free(chosen);
}

static sniv_certs_t *load(sniv_scope_t *scope)
{
    sniv_certs_t *certs;
    const char *dirs[1];

    dirs[0] = dir;
    reports[0] = '\0';
    assert_int_equal(sniv_certs_make(&certs, pool), APR_SUCCESS);
    assert_int_equal(sniv_certs_add_folders(certs, dirs, 1, 2,
                                            SNIV_TRUST_STRICT, scope),
                     APR_SUCCESS);
    assert_int_equal(sniv_certs_load(certs, 0, 0, report, NULL),
                     APR_SUCCESS);
    assert_chosen(certs);
    return certs;
}

static sniv_cert_id_t find(const sniv_certs_t *certs, const char *name)
{
    return sniv_certs_find(certs, 0, name, strlen(name), apr_time_now());
}

/* The first file of the entry that is found, without its folder. */
static const char *file_of(const sniv_certs_t *certs, const char *name)
{
    sniv_cert_id_t id = find(certs, name);
    sniv_cert_info_t info;

    if (id == SNIV_CERT_NONE)
        return "";
    assert_int_equal(sniv_certs_info(certs, id, &info, pool), APR_SUCCESS);
    return info.files[0] + strlen(dir) + 1;
}

/* ----- handshakes in memory ----- */

static const sniv_certs_t *served;
static sniv_cert_id_t served_id;
static apr_status_t installed;
static const char *install_reason;

/* Of other kinds of keys. */
static sniv_cert_id_t also[2] = { SNIV_CERT_NONE, SNIV_CERT_NONE };

static int cert_callback(SSL *ssl, void *arg)
{
    (void)arg;
    installed = sniv_certs_install(served, served_id, ssl, &install_reason);
    sniv_certs_install_also(served, also[0], ssl);
    sniv_certs_install_also(served, also[1], ssl);
    return installed == APR_SUCCESS;
}

/*
 * A handshake with a context that holds other certificates and a chain.
 * Returns the client's SSL, connected, or NULL.
 */
static SSL *handshake(const sniv_certs_t *certs, sniv_cert_id_t id,
                      const char *sigalgs)
{
    SSL_CTX *sctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX *cctx = SSL_CTX_new(TLS_client_method());
    SSL *server, *client;
    BIO *one, *two;
    int i, done = 0;

    served = certs;
    served_id = id;
    SSL_CTX_use_cert_and_key(sctx, rsa.cert, rsa.key, NULL, 1);
    SSL_CTX_use_cert_and_key(sctx, b.cert, b.key, NULL, 1);
    X509_up_ref(other_ca.cert);
    SSL_CTX_add_extra_chain_cert(sctx, other_ca.cert);
    SSL_CTX_set_cert_cb(sctx, cert_callback, NULL);
    server = SSL_new(sctx);
    client = SSL_new(cctx);
    if (sigalgs)
        assert_int_equal(SSL_set1_sigalgs_list(client, sigalgs), 1);
    assert_int_equal(BIO_new_bio_pair(&one, 0, &two, 0), 1);
    SSL_set_bio(server, one, one);
    SSL_set_bio(client, two, two);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    for (i = 0; i < 20 && done != 1; i++) {
        done = SSL_do_handshake(client);
        SSL_do_handshake(server);
    }
    SSL_free(server);
    SSL_CTX_free(sctx);
    SSL_CTX_free(cctx);
    if (done != 1) {
        SSL_free(client);
        return NULL;
    }
    return client;
}

/* Its peer's certificate */
static X509 *shown_to(const SSL *client)
{
    return sk_X509_value(SSL_get_peer_cert_chain(client), 0);
}

/* Whether a handshake gets this certificate with a chain of this length. */
static int serves(const sniv_certs_t *certs, sniv_cert_id_t id,
                  const pems_t *pems, int nchain)
{
    SSL *client = handshake(certs, id, NULL);
    int ok;

    if (!client)
        return 0;
    ok = X509_cmp(shown_to(client), pems->cert) == 0
         && sk_X509_num(SSL_get_peer_cert_chain(client)) == nchain + 1;
    SSL_free(client);
    return ok;
}

/* ----- layouts ----- */

static void test_layouts(void **state)
{
    sniv_scope_t scope;
    sniv_certs_t *certs;
    sniv_certs_stats_t stats;

    (void)state;
    pems_write(in_dir("bundle.pem"), a_key, ca_cert, a_cert, NULL);
    pems_write(in_dir("b.crt"), b_cert, ca_cert, NULL);
    pems_write(in_dir("b.key"), b_key, NULL);
    pems_write(in_dir("b.issuer.crt"), ca_cert, NULL);
    pems_write(in_dir(".hidden.pem"), "junk", NULL);
    pems_write(in_dir("README"), "junk", NULL);
    sub("wild.test");
    pems_write(in_dir("wild.test/fullchain.pem"), wild_cert, ca_cert, NULL);
    pems_write(in_dir("wild.test/privkey.pem"), wild_key, NULL);
    pems_write(in_dir("wild.test/cert.pem"), wild_cert, NULL);
    pems_write(in_dir("wild.test/chain.pem"), ca_cert, NULL);
    sub("rsa.test_ecc");
    pems_write(in_dir("rsa.test_ecc/fullchain.cer"), rsa_cert, NULL);
    pems_write(in_dir("rsa.test_ecc/rsa.test.cer"), rsa_cert, NULL);
    pems_write(in_dir("rsa.test_ecc/rsa.test.key"), rsa_key, NULL);
    pems_write(in_dir("rsa.test_ecc/ca.cer"), ca_cert, NULL);

    certs = load(&scope);
    assert_string_equal(reports, "");
    assert_string_equal(file_of(certs, "a.test"), "bundle.pem");
    assert_string_equal(file_of(certs, "www.A.test"), "bundle.pem");
    assert_string_equal(file_of(certs, "b.test"), "b.crt");
    assert_string_equal(file_of(certs, "x.wild.test"),
                        "wild.test/fullchain.pem");
    assert_string_equal(file_of(certs, "rsa.test"),
                        "rsa.test_ecc/fullchain.cer");
    assert_int_equal(find(certs, "x.y.wild.test"), SNIV_CERT_NONE);
    assert_int_equal(find(certs, "wild.test"), SNIV_CERT_NONE);
    assert_int_equal(find(certs, "a.test."), SNIV_CERT_NONE);
    assert_int_equal(find(certs, "test"), SNIV_CERT_NONE);
    assert_int_equal(find(certs, ""), SNIV_CERT_NONE);
    sniv_certs_stats(certs, &stats);
    assert_int_equal(stats.entries, 4);
    assert_int_equal(stats.chains, 1);

    assert_true(serves(certs, find(certs, "a.test"), &a, 1));
    assert_true(serves(certs, find(certs, "b.test"), &b, 1));
    assert_true(serves(certs, find(certs, "x.wild.test"), &wild, 1));
    assert_true(serves(certs, find(certs, "rsa.test"), &rsa, 0));
}

static void test_preference(void **state)
{
    pems_t expired, future, longer, exact, self;
    pems_want_t want = { PEMS_EC, "DNS:a.test", -9000, -10, &ca, NULL, 0,
                         0 };
    sniv_scope_t scope;
    sniv_certs_t *certs;
    char *cert, *key;

    (void)state;
#define PUT(name, pems) \
    cert = pems_cert(pems); \
    key = pems_key(pems, PEMS_PKCS8); \
    pems_write(in_dir(name), cert, key, NULL); \
    free(cert); \
    free(key)
    pems_make(&expired, &want);
    want.begin = 9000;
    want.end = 90000000;
    pems_make(&future, &want);
    want.begin = -100;
    want.end = 100000;
    want.issuer = &ca;
    pems_make(&longer, &want);
    want.issuer = NULL;
    want.names = "DNS:x.wild.test";
    want.begin = -9000;
    want.end = -10;
    pems_make(&exact, &want);
    PUT("expired.pem", &expired);
    PUT("exact.pem", &exact);

    certs = load(&scope);
    assert_report("1 expired.pem has expired on ");
    assert_string_equal(file_of(certs, "a.test"), "expired.pem");
    assert_string_equal(file_of(certs, "x.wild.test"), "exact.pem");

    PUT("future.pem", &future);
    PUT("a.pem", &a);
    PUT("wild.pem", &wild);
    certs = load(&scope);
    assert_report("1 future.pem is not valid before ");
    assert_string_equal(file_of(certs, "a.test"), "a.pem");
    /* what is valid is better than what is exact */
    assert_string_equal(file_of(certs, "x.wild.test"), "wild.pem");

    PUT("longer.pem", &longer);
    /* self-signed ones come last, whatever they say */
    want.issuer = NULL;
    want.begin = -9000;
    want.end = 1000000;
    want.names = "DNS:a.test,DNS:y.wild.test,DNS:*.test";
    pems_make(&self, &want);
    PUT("self.pem", &self);
    pems_write(in_dir("wild.pem"), wild_cert, wild_key, NULL);
    certs = load(&scope);
    assert_string_equal(file_of(certs, "a.test"), "longer.pem");
    assert_string_equal(file_of(certs, "www.a.test"), "a.pem");
    assert_string_equal(file_of(certs, "y.wild.test"), "wild.pem");
    /* one label after `*.` is not enough */
    assert_string_equal(file_of(certs, "other.test"), "");
    /* at another time another one is valid */
    assert_int_equal(sniv_certs_find(certs, scope, "a.test", 6,
                                     apr_time_now()
                                     + apr_time_from_sec(1000000)),
                     sniv_certs_find(certs, scope, "a.test", 6,
                                     apr_time_now()
                                     + apr_time_from_sec(80000000)));
    pems_free(&expired);
    pems_free(&future);
    pems_free(&longer);
    pems_free(&exact);
    pems_free(&self);
}

/* One that is not for servers comes after one that is. */
static void test_purpose(void **state)
{
    pems_want_t want = { PEMS_EC, "DNS:p.test", 0, 100000, NULL, NULL, 0, 0 };
    X509_EXTENSION *purpose = X509V3_EXT_conf_nid(
        NULL, NULL, NID_ext_key_usage, (char *)"clientAuth");
    pems_t clients, servers;
    sniv_scope_t scope;
    char *cert, *key;

    (void)state;
    pems_make(&clients, &want);
    assert_int_equal(X509_add_ext(clients.cert, purpose, -1), 1);
    assert_true(X509_sign(clients.cert, clients.key, EVP_sha256()) > 0);
    want.end = 1000;
    pems_make(&servers, &want);
    PUT("clients.pem", &clients);
    assert_string_equal(file_of(load(&scope), "p.test"), "clients.pem");
    PUT("servers.pem", &servers);
    assert_string_equal(file_of(load(&scope), "p.test"), "servers.pem");
    X509_EXTENSION_free(purpose);
    pems_free(&clients);
    pems_free(&servers);
}

/* A certificate for each kind of key: the client's choice. */
static void test_kinds(void **state)
{
    static const pems_e kinds[] = { PEMS_EC, PEMS_RSA, PEMS_ED25519 };
    static const char *const clients[] = { "ECDSA+SHA256", "RSA-PSS+SHA256",
                                           "ed25519" };
    pems_want_t want = { PEMS_EC, "DNS:k.test", 0, 0, &ca, NULL, 0, 0 };
    sniv_cert_id_t ids[SNIV_KINDS];
    sniv_scope_t scope;
    sniv_certs_t *certs;
    pems_t made[4];
    char *cert, *key;
    SSL *client;
    int i;

    (void)state;
    for (i = 0; i < 3; i++) {
        want.kind = kinds[i];
        want.end = 100000 - i;
        pems_make(&made[i], &want);
        PUT(apr_psprintf(pool, "k%d.pem", i), &made[i]);
    }
    /* another one of a kind that ends before, and one that has ended */
    want.kind = PEMS_RSA;
    want.end = 1000;
    pems_make(&made[3], &want);
    PUT("k3.pem", &made[3]);
    certs = load(&scope);
    assert_string_equal(reports, "");
    assert_int_equal(sniv_certs_find_kinds(certs, scope, "k.test", 6,
                                           apr_time_now(), ids), 3);
    assert_int_equal(ids[0], find(certs, "k.test"));
    also[0] = ids[1];
    also[1] = ids[2];
    for (i = 0; i < 3; i++) {
        client = handshake(certs, ids[0], clients[i]);
        assert_non_null(client);
        assert_int_equal(X509_cmp(shown_to(client), made[i].cert), 0);
        SSL_free(client);
    }
    also[0] = also[1] = SNIV_CERT_NONE;
    for (i = 0; i < 4; i++)
        pems_free(&made[i]);
}

/* ----- bad files ----- */

static void test_bad_files(void **state)
{
    static const char not_base64[] = "-----BEGIN CERTIFICATE-----\n!!!!\n"
                                     "-----END CERTIFICATE-----\n";
    static const char not_der[] = "-----BEGIN CERTIFICATE-----\nAAAA\n"
                                  "-----END CERTIFICATE-----\n";
    pems_want_t want = { PEMS_EC, NULL, 0, 0, NULL, "a.test", 0, 0 };
    sniv_scope_t scope;
    sniv_certs_t *certs;
    pems_t nameless;
    char *cert, *key, *half;
    FILE *file;
    int i;

    (void)state;
    pems_write(in_dir("good.pem"), a_cert, a_key, NULL);
    pems_write(in_dir("text.pem"), "hello\n", NULL);
    pems_write(in_dir("empty.pem"), "", NULL);
    pems_write(in_dir("nokey.pem"), wild_cert, NULL);
    pems_write(in_dir("nocert.pem"), rsa_key, NULL);
    pems_write(in_dir("wrong.pem"), a_cert, b_key, NULL);
    pems_write(in_dir("wrongkind.pem"), a_cert, rsa_key, NULL);
    pems_write(in_dir("pair.crt"), b_cert, NULL);
    pems_write(in_dir("pair.key"), rsa_key, NULL);
    pems_write(in_dir("base64.pem"), not_base64, a_key, NULL);
    pems_write(in_dir("der.pem"), not_der, a_key, NULL);
    half = strdup(a_cert);
    half[strlen(half) / 2] = '\0';
    pems_write(in_dir("half.pem"), a_key, half, NULL);
    key = pems_key(&a, PEMS_ENCRYPTED);
    pems_write(in_dir("secret.pem"), wild_cert, key, NULL);
    free(key);
    key = pems_key(&a, PEMS_ENCRYPTED_TYPED);
    pems_write(in_dir("secret2.pem"), a_cert, key, NULL);
    free(key);
    pems_make(&nameless, &want);
    cert = pems_cert(&nameless);
    key = pems_key(&nameless, PEMS_PKCS8);
    pems_write(in_dir("nameless.pem"), cert, key, NULL);
    free(cert);
    free(key);
    pems_free(&nameless);
    file = fopen(in_dir("junk.pem"), "w");
    for (i = 0; i < 2000; i++)
        fwrite(reports, 1, sizeof(reports), file);
    fclose(file);
    assert_int_equal(symlink("nowhere", in_dir("dangling.pem")), 0);
    assert_int_equal(mkfifo(in_dir("fifo.pem"), 0600), 0);
    assert_int_equal(symlink("/dev/zero", in_dir("zero.pem")), 0);
    sub("folder");
    assert_int_equal(symlink("..", in_dir("folder/loop")), 0);
    assert_int_equal(symlink("loop", in_dir("folder/loop2")), 0);
    pems_write(in_dir("folder/b.pem"), b_cert, b_key, NULL);

    certs = load(&scope);
    assert_report("0 text.pem is not PEM");
    assert_report("0 empty.pem is empty");
    assert_report("0 nokey.pem holds no private key");
    assert_report("0 nocert.pem holds no certificate");
    assert_report("0 wrong.pem holds a key that does not belong to its");
    assert_report("0 wrongkind.pem holds a key that does not belong to its");
    assert_report("0 pair.key holds a key that does not belong to the");
    assert_report("0 base64.pem holds a damaged or unfinished certificate");
    assert_report("0 der.pem holds something that is not a certificate");
    assert_report("0 half.pem holds a damaged or unfinished certificate");
    assert_report("0 secret.pem holds a private key that is encrypted");
    assert_report("0 secret2.pem holds a private key that is encrypted");
    assert_report("0 nameless.pem holds a certificate without a DNS name");
    assert_report("0 junk.pem is larger than 1 MiB");
    assert_report("0 dangling.pem cannot be read: No such file");
    assert_report("0 fifo.pem is not a regular file");
    assert_report("0 zero.pem is not a regular file");
    assert_report("7 loop is another path to ");
    assert_string_equal(file_of(certs, "a.test"), "good.pem");
    assert_string_equal(file_of(certs, "b.test"), "folder/b.pem");
    assert_true(serves(certs, find(certs, "a.test"), &a, 0));
    free(half);
}

static void test_no_folder(void **state)
{
    sniv_scope_t scope;
    sniv_certs_t *certs;

    (void)state;
    assert_int_equal(rmdir(dir), 0);
    certs = load(&scope);
    assert_report("cannot be read: No such file");
    assert_int_equal(find(certs, "a.test"), SNIV_CERT_NONE);
    assert_int_equal(mkdir(dir, 0700), 0);
}

/* ----- named files, installing ----- */

static sniv_cert_files_t *files(const char **certs, int ncerts,
                                const char **keys, int nkeys,
                                const char *chain)
{
    static sniv_cert_files_t all;

    all.certs = certs;
    all.ncerts = ncerts;
    all.keys = keys;
    all.nkeys = nkeys;
    all.chain = chain;
    all.level = 2;
    return &all;
}

static void test_files(void **state)
{
    const char *both[2], *keys[2], *path, *reason;
    sniv_certs_t *certs;
    sniv_cert_id_t pair, again, chained, bad, none;
    sniv_cert_info_t info;
    SSL *client;

    (void)state;
    pems_write(both[0] = in_dir("a"), a_cert, ca_cert, NULL);
    pems_write(both[1] = in_dir("rsa"), rsa_cert, rsa_key, NULL);
    pems_write(keys[0] = in_dir("a.k"), a_key, NULL);
    pems_write(in_dir("chain"), other_ca_cert, ca_cert, NULL);
    assert_int_equal(sniv_certs_make(&certs, pool), APR_SUCCESS);
    /* the second key is in the second certificate's file */
    assert_int_equal(sniv_certs_add_files(certs, files(both, 2, keys, 1,
                                                       NULL), &pair), 0);
    assert_int_equal(sniv_certs_add_files(certs, files(both, 2, keys, 1,
                                                       NULL), &again), 0);
    assert_int_equal(pair, again);
    assert_int_equal(sniv_certs_add_files(certs, files(both, 1, keys, 1,
                                                       in_dir("chain")),
                                          &chained), 0);
    assert_int_equal(sniv_certs_add_files(certs, files(both, 1, NULL, 0,
                                                       NULL), &bad), 0);
    assert_int_equal(sniv_certs_add_files(certs, files(NULL, 0, NULL, 0,
                                                       NULL), &none),
                     APR_EINVAL);
    assert_int_equal(sniv_certs_load(certs, 0, 2, report, NULL), APR_SUCCESS);

    assert_null(sniv_certs_problem(certs, pair, NULL));
    assert_non_null(sniv_certs_problem(certs, bad, &path));
    assert_string_equal(path, both[0]);
    assert_report("0 a holds no private key");

    assert_true(serves(certs, pair, &a, 1));
    client = handshake(certs, pair, "RSA-PSS+SHA256");
    assert_non_null(client);
    assert_int_equal(X509_cmp(shown_to(client), rsa.cert),
                     0);
    SSL_free(client);
    /* the context's RSA certificate is another site's */
    assert_null(handshake(certs, chained, "RSA-PSS+SHA256"));
    client = handshake(certs, chained, NULL);
    assert_int_equal(sk_X509_num(SSL_get_peer_cert_chain(client)), 3);
    assert_int_equal(X509_cmp(sk_X509_value(SSL_get_peer_cert_chain(client),
                                            1), other_ca.cert), 0);
    SSL_free(client);

    assert_null(handshake(certs, bad, NULL));
    assert_int_equal(installed, APR_NOTFOUND);
    assert_null(handshake(certs, 99999, NULL));
    assert_int_equal(installed, APR_NOTFOUND);

    assert_int_equal(sniv_certs_info(certs, pair, &info, pool), APR_SUCCESS);
    assert_string_equal(info.kinds, "RSA 2048, EC prime256v1");
    assert_int_equal(info.nfiles, 3);
    assert_string_equal(info.issuer, "CN=ca");
    assert_int_equal(info.scope, SNIV_SCOPE_NONE);
    assert_int_equal(sniv_certs_examine(files(both, 1, NULL, 0, NULL), &info,
                                        &path, &reason, pool), APR_EGENERAL);
    assert_string_equal(path, both[0]);
    assert_int_equal(sniv_certs_examine(files(both, 1, keys, 1, NULL), &info,
                                        &path, &reason, pool), APR_SUCCESS);
    assert_true(sniv_certs_covers(&info, "WWW.a.test"));
    assert_false(sniv_certs_covers(&info, "x.www.a.test"));
    assert_int_equal(info.flags, SNIV_CERT_OCSP_URI | SNIV_CERT_CHAIN_ROOT);
}

static void test_covers(void **state)
{
    static const char *const names[] = { "*.a.test", "b.test", "*c.test",
                                         "x.*.test", "*" };
    sniv_cert_info_t info;

    (void)state;
    memset(&info, 0, sizeof(info));
    info.names = names;
    info.nnames = 5;
    assert_true(sniv_certs_covers(&info, "x.a.test"));
    assert_true(sniv_certs_covers(&info, "X.A.TEST"));
    assert_true(sniv_certs_covers(&info, "b.test"));
    assert_false(sniv_certs_covers(&info, "a.test"));
    assert_false(sniv_certs_covers(&info, ".a.test"));
    assert_false(sniv_certs_covers(&info, "y.x.a.test"));
    assert_false(sniv_certs_covers(&info, "xc.test"));
    assert_false(sniv_certs_covers(&info, "x.y.test"));
    assert_false(sniv_certs_covers(&info, "localhost"));
    assert_false(sniv_certs_covers(&info, ""));
}

/* Each form of key that people have. */
static void test_keys(void **state)
{
    static const pems_e kinds[] = { PEMS_EC, PEMS_RSA, PEMS_ED25519,
                                    PEMS_RSA_1024 };
    static const pems_form_e forms[] = { PEMS_PKCS8, PEMS_TYPED };
    const char *path, *reason, *one[1];
    sniv_cert_info_t info;
    sniv_certs_t *certs;
    sniv_cert_id_t id;
    int i, k;

    (void)state;
    for (i = 0; i < 4; i++) {
        pems_want_t want = { kinds[i], "DNS:k.test", 0, 0, NULL, NULL, 0, 0 };
        pems_t pems;
        char *cert, *key;

        pems_make(&pems, &want);
        for (k = 0; k < 2; k++) {
            if (kinds[i] == PEMS_ED25519 && forms[k] == PEMS_TYPED)
                continue;
            cert = pems_cert(&pems);
            key = pems_key(&pems, forms[k]);
            one[0] = in_dir(apr_psprintf(pool, "k%d%d.pem", i, k));
            pems_write(one[0], "-----BEGIN EC PARAMETERS-----\n"
                       "BggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n",
                       key, cert, NULL);
            assert_int_equal(sniv_certs_examine(files(one, 1, NULL, 0, NULL),
                                                &info, &path, &reason, pool),
                             kinds[i] == PEMS_RSA_1024 ? APR_EGENERAL
                                                       : APR_SUCCESS);
            assert_int_equal(info.flags & ~SNIV_CERT_SELF_SIGNED,
                             SNIV_CERT_EC_PARAMETERS | SNIV_CERT_NO_CHAIN
                             | (kinds[i] == PEMS_RSA_1024 ? SNIV_CERT_WEAK
                                                          : 0));
            assert_int_equal(sniv_certs_make(&certs, pool), APR_SUCCESS);
            sniv_certs_add_files(certs, files(one, 1, NULL, 0, NULL), &id);
            sniv_certs_load(certs, 0, 0, report, NULL);
            if (kinds[i] == PEMS_RSA_1024) {
                assert_report(" holds a certificate that OpenSSL refuses at "
                              "security level 2: ee key too small");
                reports[0] = '\0';
                assert_null(handshake(certs, id, NULL));
                assert_int_equal(installed, APR_NOTFOUND);
            }
            else {
                assert_true(serves(certs, id, &pems, 0));
            }
            free(cert);
            free(key);
        }
        pems_free(&pems);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_layouts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_preference, setup, teardown),
        cmocka_unit_test_setup_teardown(test_purpose, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kinds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys, setup, teardown),
        cmocka_unit_test(test_covers)
    };
    pems_want_t want = { PEMS_EC, NULL, 0, 0, NULL, NULL, 1, 0 };
    int failed;

    apr_initialize();
    want.common_name = "ca";
    pems_make(&ca, &want);
    want.common_name = "other";
    pems_make(&other_ca, &want);
    want.common_name = NULL;
    want.is_ca = 0;
    want.issuer = &ca;
    want.names = "DNS:a.test,DNS:www.a.test,email:x@a.test";
    want.has_ocsp = 1;
    pems_make(&a, &want);
    want.has_ocsp = 0;
    want.names = "DNS:b.test";
    pems_make(&b, &want);
    want.names = "DNS:*.wild.test";
    pems_make(&wild, &want);
    want.names = "DNS:rsa.test";
    want.kind = PEMS_RSA;
    pems_make(&rsa, &want);
    ca_cert = pems_cert(&ca);
    other_ca_cert = pems_cert(&other_ca);
    a_cert = pems_cert(&a);
    a_key = pems_key(&a, PEMS_PKCS8);
    b_cert = pems_cert(&b);
    b_key = pems_key(&b, PEMS_TYPED);
    wild_cert = pems_cert(&wild);
    wild_key = pems_key(&wild, PEMS_PKCS8);
    rsa_cert = pems_cert(&rsa);
    rsa_key = pems_key(&rsa, PEMS_PKCS8);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return failed;
}
