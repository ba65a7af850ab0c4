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

/* PKCS#12: what a reader finds in it, and what it refuses. */

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

#include <openssl/pkcs12.h>

#include "pems.h"
#include "certs/reader.h"

#define FEW 2048
#define ANY (SNIV_READ_ANY_ORDER | SNIV_READ_NAMED)
#define REFUSED "is PKCS#12 with a password, or with an encryption that " \
    "OpenSSL does not support: convert it to PEM with openssl pkcs12 " \
    "-nodes, or export it without a password"

static apr_pool_t *pool;
static sniv_reader_t *reader;
static pems_t root, mid, leaf;
static char path[] = "/tmp/sniv_pkcs12_XXXXXX";

/* How one is made. */
typedef struct form_t {
    const char *pass;
    int key_nid;                /* 0: the default; -1: not encrypted */
    int cert_nid;
    int iterations;
    int mac;                    /* 0: as many; -1: none */
} form_t;

/* @return its bytes */
static int make(unsigned char **pder, const form_t *form, int with_key)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    PKCS12 *p12;
    int len;

    *pder = NULL;
    sk_X509_push(chain, mid.cert);
    p12 = PKCS12_create(form->pass, "name", with_key ? leaf.key : NULL,
                        leaf.cert, chain, form->key_nid, form->cert_nid,
                        form->iterations,
                        form->mac ? form->mac : form->iterations, 0);
    assert_non_null(p12);
    len = i2d_PKCS12(p12, pder);
    PKCS12_free(p12);
    sk_X509_free(chain);
    return len;
}

static void write_bytes(const unsigned char *der, int len)
{
    FILE *out = fopen(path, "wb");

    assert_non_null(out);
    assert_int_equal(fwrite(der, 1, (size_t)len, out), len);
    assert_int_equal(fclose(out), 0);
}

/* @return NULL, or why it cannot be used */
static const char *read_it(unsigned flags, int *chain)
{
    const char *cert = path, *file, *reason;
    sniv_cert_files_t files;
    sniv_entry_t entry;
    sniv_bytes_t der;
    apr_size_t at = 0;

    memset(&files, 0, sizeof(files));
    files.certs = &cert;
    files.ncerts = 1;
    files.level = 2;
    *chain = 0;
    if (sniv_reader_read(reader, &files, flags, &entry, NULL, &file, &reason)
        != APR_SUCCESS) {
        return reason;
    }
    while (sniv_chain_next(&entry.pairs[0].chain, &at, &der) > 0)
        ++*chain;
    return NULL;
}

static const char *try_form(const form_t *form, int with_key, int *chain)
{
    unsigned char *der;
    int len = make(&der, form, with_key);

    write_bytes(der, len);
    OPENSSL_free(der);
    return read_it(ANY, chain);
}

static void test_forms(void **state)
{
    static const form_t good[] = {
        { "", 0, 0, FEW, 0 }, { NULL, 0, 0, FEW, 0 },
        { "", -1, -1, FEW, 0 }, { NULL, -1, -1, FEW, -1 },
        { "", 0, -1, FEW, -1 }, { "", -1, 0, FEW, 0 },
        { "", NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
          NID_pbe_WithSHA1And3_Key_TripleDES_CBC, FEW, 0 },
        { "", NID_aes_256_cbc, NID_aes_256_cbc, 100000, 0 }
    };
    static const form_t bad[] = {
        { "secret", 0, 0, FEW, 0 },
        /* hashed too often: key and certificates, each alone, the MAC */
        { "", 0, 0, 100001, 1 }, { "", 0, -1, 100001, 1 },
        { "", -1, 0, 100001, 1 }, { "", -1, -1, FEW, 100001 },
        { "", NID_pbe_WithSHA1And3_Key_TripleDES_CBC, -1, 100001, 1 }
    };
    unsigned i;
    int chain;

    (void)state;
    for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
        assert_null(try_form(&good[i], 1, &chain));
        assert_int_equal(chain, 1);
    }
    for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_string_equal(try_form(&bad[i], 1, &chain), REFUSED);
    assert_string_equal(try_form(&good[0], 0, &chain), "holds no private key"
                        ", and no other file with the key is named or is "
                        "beside it");
}

/* Files that mod_ssl is to read are not read otherwise. */
static void test_named_files(void **state)
{
    static const form_t form = { "", 0, 0, FEW, 0 };
    int chain;

    (void)state;
    assert_null(try_form(&form, 1, &chain));
    assert_string_equal(read_it(0, &chain), "is PKCS#12, which mod_ssl does "
                        "not read: convert it to PEM with openssl pkcs12 "
                        "-nodes");
}

/* Nothing is read past the end, whatever is in it. */
static void test_damaged(void **state)
{
    static const form_t form = { "", -1, -1, 1, -1 };
    unsigned char *der;
    int len = make(&der, &form, 1), i, chain;

    (void)state;
    for (i = 1; i < len; i++) {
        write_bytes(der, i);
        assert_non_null(read_it(ANY, &chain));
    }
    for (i = 0; i < len; i++) {
        der[i] ^= 0xff;
        write_bytes(der, len);
        (void)read_it(ANY, &chain);
        der[i] ^= 0xff;
    }
    write_bytes(der, len);
    assert_null(read_it(ANY, &chain));
    OPENSSL_free(der);
}

static int setup(void **state)
{
    pems_want_t want = { PEMS_EC, NULL, 0, 0, NULL, "root", 1, 0 };
    int fd = mkstemp(path);

    (void)state;
    if (fd < 0)
        return -1;
    close(fd);
    pems_make(&root, &want);
    want.issuer = &root;
    want.common_name = "mid";
    pems_make(&mid, &want);
    want.issuer = &mid;
    want.is_ca = 0;
    want.common_name = "a.test";
    want.names = "DNS:a.test";
    pems_make(&leaf, &want);
    apr_initialize();
    apr_pool_create(&pool, NULL);
    reader = sniv_reader_make(pool);
    return reader ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    pems_free(&root);
    pems_free(&mid);
    pems_free(&leaf);
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_named_files),
        cmocka_unit_test(test_damaged)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
