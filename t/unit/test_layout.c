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
 * Layouts of folders: what belongs together, by names and by content.
 */

#include <fcntl.h>
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

#include "pems.h"
#include "certs/layout.h"
#include "certs/reader.h"

static apr_pool_t *pool;
static char dir[256];
static char *leaf, *key, *mid, *root, *other, *other_key, *junk;
static char *visited;

/* Names that are looked for; NULL: all. */
static const char *const *only;

static const char *base_of(const char *path)
{
    return path ? path + strlen(dir) + 1 : "-";
}

/* CERT KEY CHAIN=length, in the order of visits. */
static void visit_pair(void *baton, const char *cert, const char *keyfile,
                       const char *chain)
{
    sniv_reader_t *reader = baton;
    sniv_cert_files_t files;
    const char *file, *reason;
    sniv_entry_t entry;
    sniv_bytes_t der;
    apr_size_t at = 0;
    int n = 0;

    memset(&files, 0, sizeof(files));
    files.certs = &cert;
    files.ncerts = 1;
    files.keys = &keyfile;
    files.nkeys = 1;
    files.chain = chain;
    files.level = 2;
    if (sniv_reader_read(reader, &files, SNIV_READ_ANY_ORDER
                         | SNIV_READ_NAMED, &entry, NULL, &file, &reason)
        != APR_SUCCESS) {
        visited = apr_psprintf(pool, "%s(%s %s)", visited, base_of(file),
                               reason);
        return;
    }
    while (sniv_chain_next(&entry.pairs[0].chain, &at, &der) > 0)
        n++;
    visited = apr_psprintf(pool, "%s(%s %s +%d)", visited, base_of(cert),
                           base_of(keyfile), n);
}

/* [N FIRST]: what is passed over. */
static void visit_passed(void *baton, const char *first, int n)
{
    (void)baton;
    if (n > 0)
        visited = apr_psprintf(pool, "%s[%d %s]", visited, n, base_of(first));
    else
        assert_null(first);
}

static void visit_folder(void *baton, const char *path)
{
    sniv_folder_visitor_t visitor = { visit_pair, visit_folder, visit_passed,
                                      baton };

    assert_int_equal(sniv_folder_visit_fd(open(path, O_RDONLY), NULL, path,
                                          SNIV_FOLDER_NAMES,
                                          strcmp(path, dir) ? NULL : only,
                                          &visitor, pool), APR_SUCCESS);
}

/* What is found in a folder with these files: name, texts..., NULL each. */
static const char *visit(const char *const *files)
{
    sniv_reader_t *reader = sniv_reader_make(pool);
    char *path, *slash;

    snprintf(dir, sizeof(dir), "/tmp/sniv_layout_XXXXXX");
    assert_non_null(mkdtemp(dir));
    while (*files) {
        const char *texts[4] = { "", "", "", "" };
        int n = 0;

        path = apr_pstrcat(pool, dir, "/", *files++, NULL);
        for (slash = path + strlen(dir) + 1; (slash = strchr(slash, '/'));
             slash++) {
            *slash = '\0';
            mkdir(path, 0700);
            *slash = '/';
        }
        while (*files)
            texts[n++] = *files++;
        files++;
        pems_write(path, texts[0], texts[1], texts[2], texts[3], NULL);
    }
    visited = apr_pstrdup(pool, "");
    visit_folder(reader, dir);
    assert_int_equal(system(apr_pstrcat(pool, "rm -rf ", dir, NULL)), 0);
    return visited;
}

#define LAYOUT(want, ...) \
    do { \
        const char *const files[] = { __VA_ARGS__, NULL }; \
        assert_string_equal(visit(files), want); \
    } while (0)
#define LEAF leaf, NULL
#define KEY key, NULL
#define MID mid, NULL
#define FULL leaf, mid, NULL
#define ALL leaf, mid, key, NULL
#define JUNK junk, NULL

/* The tools, in the order of the table in the manual. */
static void test_tools(void **state)
{
    (void)state;
    /* certbot: live, archive */
    LAYOUT("[5 archive/a/cert1.pem](live/a/fullchain.pem live/a/privkey.pem "
           "+1)",
           "live/README", JUNK, "live/a/README", JUNK,
           "live/a/cert.pem", LEAF, "live/a/chain.pem", MID,
           "live/a/fullchain.pem", FULL, "live/a/privkey.pem", KEY,
           "archive/a/cert1.pem", LEAF, "archive/a/chain1.pem", MID,
           "archive/a/fullchain1.pem", FULL, "archive/a/privkey1.pem", KEY,
           "archive/a/fullchain12.pem", FULL);
    /* acme.sh */
    LAYOUT("(a_ecc/fullchain.cer a_ecc/a.key +1)",
           "a_ecc/a.cer", LEAF, "a_ecc/ca.cer", MID, "a_ecc/a.key", KEY,
           "a_ecc/fullchain.cer", FULL, "a_ecc/a.csr", JUNK,
           "a_ecc/a.conf", JUNK, "a_ecc/a.csr.conf", JUNK);
    /* dehydrated */
    LAYOUT("(a/fullchain.pem a/privkey.pem +1)",
           "a/cert-17.pem", LEAF, "a/cert.pem", LEAF, "a/chain-17.pem", MID,
           "a/chain.pem", MID, "a/fullchain-17.pem", FULL,
           "a/fullchain.pem", FULL, "a/privkey-17.pem", KEY,
           "a/privkey.pem", KEY, "a/cert.csr", JUNK);
    /* lego */
    LAYOUT("(a.crt a.key +1)", "a.crt", FULL, "a.key", KEY,
           "a.issuer.crt", MID, "a.json", JUNK, "a.pem", ALL);
    /* mod_md */
    LAYOUT("(a/pubcert.pem a/privkey.pem +1)", "a/pubcert.pem", FULL,
           "a/privkey.pem", KEY, "a/md.json", JUNK, "a/job.json", JUNK);
    /* HAProxy */
    LAYOUT("(a.pem - +1)", "a.pem", ALL);
    LAYOUT("(a.pem a.pem.key +1)", "a.pem", FULL, "a.pem.key", KEY);
    LAYOUT("(a.crt a.crt.key +1)", "a.crt", FULL, "a.crt.key", KEY,
           "a.crt.ocsp", JUNK);
    LAYOUT("(a.pem.rsa - +1)", "a.pem.rsa", ALL);
    LAYOUT("(a.pem - +1)", "a.pem", leaf, key, NULL, "a.pem.issuer", MID);
    /* Caddy */
    LAYOUT("(c/acme/a/a.crt c/acme/a/a.key +1)", "c/acme/a/a.crt", FULL,
           "c/acme/a/a.key", KEY, "c/acme/a/a.json", JUNK);
    /* cPanel */
    LAYOUT("(a/combined - +1)", "a/combined", key, leaf, mid, NULL);
    /* Plesk */
    LAYOUT("(scfAbc - +1)", "scfAbc", key, leaf, mid, NULL);
    /* acmetool */
    LAYOUT("(a/fullchain a/privkey +1)", "a/cert", LEAF, "a/chain", MID,
           "a/fullchain", FULL, "a/privkey", KEY, "a/url", JUNK);
    /* traefik's dumper */
    LAYOUT("(a/certificate.crt a/privatekey.key +1)",
           "a/certificate.crt", FULL, "a/privatekey.key", KEY);
    /* win-acme */
    LAYOUT("(a-crt.pem a-key.pem +1)", "a-chain.pem", FULL,
           "a-chain-only.pem", MID, "a-crt.pem", LEAF, "a-key.pem", KEY);
    /* mkcert */
    LAYOUT("(a+1.pem a+1-key.pem +0)", "a+1.pem", LEAF, "a+1-key.pem", KEY);
    /* GoDaddy */
    LAYOUT("(1a2b.crt private.key +1)", "1a2b.crt", LEAF, "1a2b.pem", LEAF,
           "gd_bundle-g2-g1.crt", mid, root, NULL, "private.key", KEY);
    /* DigiCert */
    LAYOUT("(star_a.crt star_a.key +1)", "star_a.crt", LEAF,
           "DigiCertCA.crt", MID, "star_a.key", KEY);
    /* Sectigo */
    LAYOUT("(www_a.crt www_a.key +1)", "www_a.crt", LEAF,
           "My_CA_Bundle.ca-bundle", mid, root, NULL, "www_a.key", KEY);
    /* ZeroSSL */
    LAYOUT("(certificate.crt private.key +1)", "certificate.crt", LEAF,
           "ca_bundle.crt", MID, "private.key", KEY);
    /* Hestia */
    LAYOUT("(a.crt a.key +1)", "a.ca", MID, "a.crt", LEAF, "a.key", KEY,
           "a.pem", FULL);
    /* ISPConfig */
    LAYOUT("(a-le.crt a-le.key +1)", "a-le.bundle", MID, "a-le.crt", LEAF,
           "a-le.key", KEY, "a-le.csr", JUNK);
    /* Kubernetes, Vault */
    LAYOUT("(tls.crt tls.key +1)", "tls.crt", FULL, "tls.key", KEY,
           "ca.crt", root, NULL);
    LAYOUT("(a.crt a.key +1)", "a.crt", LEAF, "a.key", KEY, "a.ca", MID);
    LAYOUT("(cert.pem key.pem +1)", "cert.pem", LEAF, "key.pem", KEY,
           "chain.pem", MID);
    /* the chain is in the file of the key */
    LAYOUT("(a.crt a.key +1)", "a.crt", LEAF, "a.key", key, mid, NULL);
    /* Windows */
    LAYOUT("(A.CRT A.KEY +1)", "A.CRT", LEAF, "A.KEY", KEY, "CA.CRT", MID);
}

/* DirectAdmin and Virtualmin keep the same twice. */
static void test_twice(void **state)
{
    (void)state;
    LAYOUT("(a.cert a.key +1)", "a.cert", LEAF,
           "a.key", KEY, "a.cacert", MID, "a.cert.combined", ALL);
    LAYOUT("(ssl.cert ssl.key +1)", "ssl.ca", MID, "ssl.cert", LEAF,
           "ssl.key", KEY, "ssl.combined", FULL, "ssl.everything", ALL);
}

/* A key belongs to the certificate with its public key. */
static void test_content(void **state)
{
    (void)state;
    LAYOUT("(a.crt b.key +0)(b.crt a.key +0)", "a.crt", LEAF,
           "a.key", other_key, NULL, "b.crt", other, NULL, "b.key", KEY);
    LAYOUT("(x zz +1)", "x", LEAF, "y", MID, "zz", KEY);
    /* names that say the same of both: mod_md's for another curve, ... */
    LAYOUT("(pubcert.secp384r1.pem privkey.secp384r1.pem +1)",
           "pubcert.secp384r1.pem", FULL, "privkey.secp384r1.pem", KEY);
    LAYOUT("(a.crt a.pem +1)", "a.crt", FULL, "a.pem", KEY);
    LAYOUT("(full chain.pem priv key.pem +1)", "full chain.pem", FULL,
           "priv key.pem", KEY);
    /* the other one's issuer is no chain of this one */
    LAYOUT("(a.crt a.key +0)", "a.crt", LEAF, "a.key", KEY,
           "chain.crt", root, NULL);
    /* nothing to use: as before */
    LAYOUT("(a.crt holds no private key, and no other file with the key is "
           "named or is beside it)", "a.crt", LEAF);
    LAYOUT("[1 a.key]", "notes", JUNK, "a.txt", JUNK, "a.key", KEY,
           "ca.crt", MID);
}

/* What is passed over is counted; what is no certificate is not. */
static void test_passed(void **state)
{
    (void)state;
    LAYOUT("[3 a.crt.bak](a.crt a.key +1)", "a.crt", FULL, "a.key", KEY,
           "a.crt.bak", FULL, "a.p7b", JUNK, "lost.key", other_key, NULL,
           "a.csr", JUNK, "README", JUNK);
    /* PKCS#12 beside PEM files is for others */
    LAYOUT("(a.crt a.key +1)", "a.crt", FULL, "a.key", KEY, "a.pfx", JUNK);
    LAYOUT("(a.pfx is not PEM: it has no line that begins with -----BEGIN)",
           "a.pfx", JUNK);
}

/* What is found for some names is what is found of them in the whole. */
static void test_only(void **state)
{
    static const char *const names[] = { "a.crt", "b.example.pem", "sub",
                                         "c.key", "gone.pem", NULL };

    (void)state;
    only = names;
    LAYOUT("(a.crt a.key +1)(b.example.pem - +0)(c.pem c.key +1)"
           "(sub/x.pem - +1)", "a.crt", LEAF, "a.key", KEY, "a.chain.pem", MID,
           "b.example.pem", other, other_key, NULL, "b.examples.pem", ALL, "b.pem", ALL,
           "c.key", KEY, "c.pem", FULL, "d.crt", FULL, "d.key", KEY,
           "lost.key", other_key, NULL, "sub/x.pem", ALL, "subs/x.pem", ALL);
    /* the only chain is that of all; of several, content decides */
    LAYOUT("(a.crt a.key +1)", "a.crt", LEAF, "a.key", KEY, "z.crt", LEAF,
           "z.key", KEY, "ca.pem", MID);
    LAYOUT("(a.crt a.key +1)", "a.crt", LEAF, "a.key", KEY, "z.crt", LEAF,
           "z.key", KEY, "ca.pem", MID, "z-chain.pem", MID, "y-chain.pem", MID);
    only = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tools),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_passed),
        cmocka_unit_test(test_only)
    };
    pems_want_t want = { PEMS_EC, NULL, 0, 0, NULL, "root", 1, 0 };
    pems_t r, m, a, b;
    int failed;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    pems_make(&r, &want);
    want.issuer = &r;
    want.common_name = "mid";
    pems_make(&m, &want);
    want.issuer = &m;
    want.is_ca = 0;
    want.common_name = "a.test";
    want.names = "DNS:a.test";
    pems_make(&a, &want);
    want.issuer = NULL;
    want.common_name = want.names = "DNS:b.test";
    pems_make(&b, &want);
    root = pems_cert(&r);
    mid = pems_cert(&m);
    leaf = pems_cert(&a);
    key = pems_key(&a, PEMS_PKCS8);
    other = pems_cert(&b);
    other_key = pems_key(&b, PEMS_TYPED);
    junk = strdup("not a certificate\n");
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    pems_free(&r);
    pems_free(&m);
    pems_free(&a);
    pems_free(&b);
    free(root);
    free(mid);
    free(leaf);
    free(key);
    free(other);
    free(other_key);
    free(junk);
    apr_terminate();
    return failed;
}
