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
 * The judge: what it says without asking OpenSSL is what OpenSSL says.
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

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "certs/judge.h"
#include "certs/standin.h"

#if OPENSSL_VERSION_NUMBER < 0x30000000L

int main(void)
{
    puts("1..0 # SKIP the keys are made with what OpenSSL 3 has");
    return 0;
}

#else

#include <openssl/core_names.h>
#include <openssl/param_build.h>

#define DER_MAX 8192

/* A certificate and its key in DER. */
typedef struct made_t {
    EVP_PKEY *key;
    X509 *cert;
    unsigned char der[DER_MAX], key_der[DER_MAX];
    int len, key_len;
} made_t;

static apr_pool_t *pool;
static sniv_judge_t *judge;
static unsigned long nplain, nasked;

static unsigned next_random(void)
{
    static unsigned state = 20261126;

    return state = state * 1664525u + 1013904223u;
}

static EVP_PKEY *make_key(const char *kind)
{
    unsigned bits;

    if (sscanf(kind, "RSA-%u", &bits) == 1)
        return EVP_RSA_gen(bits);
    if (strcmp(kind, "PSS") == 0) {
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
        EVP_PKEY *key = NULL;

        EVP_PKEY_keygen_init(ctx);
        EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048);
        EVP_PKEY_generate(ctx, &key);
        EVP_PKEY_CTX_free(ctx);
        return key;
    }
    if (strncmp(kind, "ED", 2) == 0)
        return EVP_PKEY_Q_keygen(NULL, NULL, kind);
    return EVP_EC_gen(kind);
}

/* The forms in which sniv_reader_read() keeps keys. */
static sniv_key_e kind_of(const made_t *made)
{
    int type = EVP_PKEY_get_base_id(made->key);

    return type == EVP_PKEY_RSA ? SNIV_KEY_RSA
           : type == EVP_PKEY_EC ? SNIV_KEY_EC : SNIV_KEY_OTHER;
}

static void to_der(made_t *made)
{
    unsigned char *p = made->der;

    made->len = i2d_X509(made->cert, &p);
    assert_true(made->len >= 100 && made->len <= DER_MAX);
    p = made->key_der;
    made->key_len = i2d_PrivateKey(made->key, &p);
}

static void put_name(X509 *cert, const char *cn)
{
    X509_NAME *name = X509_NAME_new();

    if (cn)
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                   (const unsigned char *)cn, -1, -1, 0);
    X509_set_subject_name(cert, name);
    X509_NAME_free(name);
}

/*
 * Make a certificate for a key. It is signed by issuer, or by itself; what
 * the key of a test cannot sign is signed by signer.
 */
static made_t *certify(EVP_PKEY *key, const made_t *issuer, EVP_PKEY *signer,
                       const char *cn, const EVP_MD *md, int is_ca)
{
    static long serial = 1;
    made_t *made = calloc(1, sizeof(*made));
    X509_EXTENSION *extension;
    X509V3_CTX ctx;

    made->key = key;
    made->cert = X509_new();
    X509_set_version(made->cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made->cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(made->cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(made->cert), 86400);
    put_name(made->cert, cn);
    X509_set_issuer_name(made->cert, issuer
                         ? X509_get_subject_name(issuer->cert)
                         : X509_get_subject_name(made->cert));
    X509_set_pubkey(made->cert, key);
    X509V3_set_ctx(&ctx, made->cert, made->cert, NULL, NULL, 0);
    extension = is_ca ? X509V3_EXT_conf_nid(NULL, &ctx, NID_basic_constraints,
                                            "critical,CA:TRUE")
                      : X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name,
                                            "DNS:a.test,DNS:*.a.test");
    X509_add_ext(made->cert, extension, -1);
    X509_EXTENSION_free(extension);
    if (!X509_sign(made->cert, issuer ? issuer->key : signer, md)) {
        X509_free(made->cert);
        free(made);
        ERR_clear_error();
        return NULL;
    }
    to_der(made);
    return made;
}

static void unmake(made_t *made)
{
    if (made)
        X509_free(made->cert);
    free(made);
}

static sniv_pair_t pair_of(const made_t *made, const made_t *chain,
                           unsigned char *record)
{
    sniv_pair_t pair;

    memset(&pair, 0, sizeof(pair));
    pair.kind = kind_of(made);
    pair.leaf.data = made->der;
    pair.leaf.len = (apr_size_t)made->len;
    pair.key.data = made->key_der;
    pair.key.len = (apr_size_t)made->key_len;
    if (chain) {
        apr_uint32_t len = (apr_uint32_t)chain->len;

        memcpy(record, &len, sizeof(len));
        memcpy(record + sizeof(len), chain->der, len);
        pair.chain.data = record;
        pair.chain.len = len + sizeof(len);
    }
    return pair;
}

/* What is said without asking is what OpenSSL says. Returns it. */
static int compare(const sniv_pair_t *pair)
{
    sniv_judge_t *other = sniv_judge_make(pool);
    int quick = sniv_judge_quickly(other, pair), level;
    sniv_judge_e about;

    for (level = 0; level <= quick; level++) {
        const char *reason = sniv_judge_slowly(judge, pair, level, &about);

        if (reason)
            fail_msg("plain at level %d, but at %d it %s", quick, level,
                     reason);
    }
    quick < 0 ? nasked++ : nplain++;
    return quick;
}

/* The level at which OpenSSL takes a pair, or -1. */
static int slow_level(const sniv_pair_t *pair)
{
    sniv_judge_e about;
    int level = SNIV_LEVEL_MAX;

    while (level >= 0 && sniv_judge_slowly(judge, pair, level, &about))
        level--;
    return level;
}

static const char *const kinds[] = {
    "RSA-1024", "RSA-2047", "RSA-2048", "RSA-3072", "PSS", "P-192", "P-224",
    "P-256", "P-384", "P-521", "secp256k1", "ED25519", "ED448"
};
#define NKINDS ((int)(sizeof(kinds) / sizeof(kinds[0])))
#define NPLAIN 5        /* RSA of 2048 bits and more, and three curves */

static EVP_PKEY *keys[NKINDS];

static int setup(void **state)
{
    int i;

    (void)state;
    apr_initialize();
    apr_pool_create(&pool, NULL);
    judge = sniv_judge_make(pool);
    for (i = 0; i < NKINDS; i++)
        keys[i] = make_key(kinds[i]);
    return 0;
}

static int teardown(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < NKINDS; i++)
        EVP_PKEY_free(keys[i]);
    apr_pool_destroy(pool);
    return 0;
}

/* Each key as a leaf, signed by each other kind of key with each digest. */
static void test_matrix(void **state)
{
    const EVP_MD *digests[] = { EVP_md5(), EVP_sha1(), EVP_sha224(),
                                EVP_sha256(), EVP_sha384(), EVP_sha512(),
                                EVP_sha3_256(), NULL };
    unsigned char record[DER_MAX + 8];
    int i, k, d, n[NKINDS] = { 0 };

    (void)state;
    for (k = 0; k < NKINDS; k++) {
        for (d = 0; d < 8; d++) {
            made_t *ca = certify(keys[k], NULL, keys[k], "ca", digests[d], 1);

            for (i = 0; ca && i < NKINDS; i++) {
                made_t *leaf = certify(keys[i], ca, NULL, "a.test",
                                       digests[d], 0);
                sniv_pair_t pair = pair_of(leaf, NULL, record);
                int without = compare(&pair), with;

                pair = pair_of(leaf, ca, record);
                with = compare(&pair);
                assert_true(with <= without);
                n[i] += with >= 0;
                unmake(leaf);
            }
            unmake(ca);
        }
    }
    /* the plain ones are recognised */
    for (i = 0; i < NKINDS; i++) {
        int is_plain = i == 2 || i == 3 || (i >= 7 && i <= 9);

        assert_int_equal(n[i] > 0, is_plain);
        if (is_plain)
            assert_int_equal(n[i], 4 * NPLAIN);
    }
}

/* An RSA key of so many bits. Nobody can use it, but it can be written. */
static EVP_PKEY *rsa_of(int bits)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    BIGNUM *n = BN_new(), *e = BN_new();
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params;

    BN_rand(n, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD);
    BN_set_word(e, 65537);
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n);
    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e);
    params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_fromdata_init(ctx);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY,
                                       params), 1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    BN_free(n);
    BN_free(e);
    return key;
}

/* RSAPrivateKey with the modulus in the place of everything unknown. */
static int write_rsa(const made_t *made, unsigned char *out)
{
    unsigned char *public, *n, *p = out;
    int len = i2d_PublicKey(made->key, (public = out + DER_MAX / 2, &public));
    const unsigned char *in = out + DER_MAX / 2;
    ASN1_INTEGER *number;
    long size;
    int tag, class, i, n_len;

    assert_true(len > 0 && len < DER_MAX / 2);
    ASN1_get_object(&in, &size, &tag, &class, len);
    number = d2i_ASN1_INTEGER(NULL, &in, size);
    n = NULL;
    n_len = i2d_ASN1_INTEGER(number, &n);
    ASN1_put_object(&p, 1, 3 + 7 * n_len + 5, V_ASN1_SEQUENCE, 0);
    memcpy(p, "\2\1\0", 3);
    p += 3;
    for (i = 0; i < 8; i++) {
        if (i == 1) {
            memcpy(p, "\2\3\1\0\1", 5);
            p += 5;
            continue;
        }
        memcpy(p, n, (size_t)n_len);
        p += n_len;
    }
    OPENSSL_free(n);
    ASN1_INTEGER_free(number);
    return (int)(p - out);
}

/* The limits of levels are at the same numbers of bits. */
static void test_bits(void **state)
{
    static const int bits[] = { 2046, 2047, 2048, 2049, 3071, 3072, 3073,
                                4096, 7679, 7680, 7681, 8192, 8193 };
    made_t *ca = certify(keys[9], NULL, keys[9], "ca", EVP_sha512(), 1);
    int i;

    (void)state;
    for (i = 0; i < (int)(sizeof(bits) / sizeof(bits[0])); i++) {
        EVP_PKEY *key = rsa_of(bits[i]);
        made_t *leaf = certify(key, ca, NULL, "a.test", EVP_sha512(), 0);
        unsigned char *der = malloc(16 * DER_MAX);
        sniv_pair_t pair = pair_of(leaf, NULL, NULL);
        int quick;

        pair.key.data = der;
        pair.key.len = (apr_size_t)write_rsa(leaf, der);
        quick = compare(&pair);
        if (bits[i] < 2048 || bits[i] > 8192)
            assert_int_equal(quick, -1);
        else
            assert_true(quick >= 2 && quick <= slow_level(&pair));
        free(der);
        unmake(leaf);
        EVP_PKEY_free(key);
    }
    unmake(ca);
}

/* Damage one byte after the other: what still counts as plain is taken. */
static void damage(unsigned char *bytes, int len, const sniv_pair_t *pair)
{
    int i;

    for (i = 0; i < len; i++) {
        unsigned char was = bytes[i];

        do {
            bytes[i] = next_random() & 1 ? (unsigned char)(next_random() >> 9)
                       : (unsigned char)(was ^ (1u << (next_random() >> 29)));
        } while (bytes[i] == was);
        compare(pair);
        bytes[i] = was;
    }
}

static void test_damaged(void **state)
{
    static const int which[] = { 2, 7, 8, 9 };
    unsigned char record[DER_MAX + 8];
    int i;

    (void)state;
    for (i = 0; i < 4; i++) {
        made_t *ca = certify(keys[which[3 - i]], NULL, keys[which[3 - i]],
                             "ca", EVP_sha256(), 1);
        made_t *leaf = certify(keys[which[i]], ca, NULL, "a.test",
                               EVP_sha384(), 0);
        sniv_pair_t pair = pair_of(leaf, ca, record);

        assert_true(compare(&pair) >= 2);
        damage(leaf->der, leaf->len, &pair);
        damage(leaf->key_der, leaf->key_len, &pair);
        damage(record, (int)pair.chain.len, &pair);
        unmake(leaf);
        unmake(ca);
    }
    /* not all of it is refused, nor taken */
    assert_true(nplain > 100 && nasked > 100);
}

/* A point that is not on its curve, in both certificate and key. */
static void test_off_curve(void **state)
{
    made_t *ca = certify(keys[2], NULL, keys[2], "ca", EVP_sha256(), 1);
    made_t *leaf = certify(keys[7], ca, NULL, "a.test", EVP_sha256(), 0);
    sniv_pair_t pair = pair_of(leaf, NULL, NULL);
    unsigned char point[200];
    size_t len = 0;
    int i;

    (void)state;
    EVP_PKEY_get_octet_string_param(keys[7],
                                    OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY,
                                    point, sizeof(point), &len);
    if (len != 65)
        len = 65;
    for (i = 0; i + 32 < leaf->len; i++)
        if (memcmp(leaf->der + i, point + 1, 32) == 0)
            leaf->der[i] ^= 1;
    for (i = 0; i + 32 < leaf->key_len; i++)
        if (memcmp(leaf->key_der + i, point + 1, 32) == 0)
            leaf->key_der[i] ^= 1;
    assert_int_equal(compare(&pair), -1);
    assert_int_equal(slow_level(&pair), -1);
    unmake(leaf);
    unmake(ca);
}

/* Names that are not plain are left to OpenSSL, no names at all are plain. */
static void test_names(void **state)
{
    made_t *ca = certify(keys[2], NULL, keys[2], "ca", EVP_sha256(), 1);
    made_t *one = certify(keys[7], ca, NULL, "Z\xc3\xbcrich", EVP_sha256(),
                          0);
    made_t *two = certify(keys[7], ca, NULL, NULL, EVP_sha256(), 0);
    sniv_pair_t pair = pair_of(one, NULL, NULL);

    (void)state;
    assert_int_equal(compare(&pair), -1);
    assert_int_equal(slow_level(&pair), 3);
    pair = pair_of(two, NULL, NULL);
    assert_int_equal(compare(&pair), 3);
    unmake(one);
    unmake(two);
    unmake(ca);
}

/* Reasons, and whom they are about. */
static void test_reasons(void **state)
{
    made_t *weak_ca = certify(keys[0], NULL, keys[0], "ca", EVP_sha256(), 1);
    made_t *ca = certify(keys[7], NULL, keys[7], "ca", EVP_sha256(), 1);
    made_t *sha1 = certify(keys[7], ca, NULL, "a.test", EVP_sha1(), 0);
    made_t *good = certify(keys[7], ca, NULL, "a.test", EVP_sha256(), 0);
    unsigned char record[DER_MAX + 8];
    sniv_pair_t pair = pair_of(good, weak_ca, record);
    sniv_judge_e about;

    (void)state;
    assert_string_equal(sniv_judge_pair(judge, &pair, 2, &about),
                        "holds a chain that OpenSSL refuses at security "
                        "level 2: ca key too small");
    assert_int_equal(about, SNIV_JUDGE_CHAIN);
    assert_null(sniv_judge_pair(judge, &pair, 1, &about));
    pair = pair_of(sha1, ca, record);
    /* OpenSSL 3.5.9 and 3.6.5 no longer look at a leaf's own signature */
    if (slow_level(&pair) < 2) {
        assert_string_equal(sniv_judge_pair(judge, &pair, 2, &about),
                            "holds a certificate that OpenSSL refuses at "
                            "security level 2: ca md too weak");
        assert_int_equal(about, SNIV_JUDGE_LEAF);
    }
    else
        assert_null(sniv_judge_pair(judge, &pair, 2, &about));
    pair = pair_of(good, ca, record);
    assert_null(sniv_judge_pair(judge, &pair, 3, &about));
    assert_non_null(sniv_judge_pair(judge, &pair, 4, &about));
    pair.key.data = weak_ca->key_der;
    pair.key.len = (apr_size_t)weak_ca->key_len;
    pair.kind = SNIV_KEY_RSA;
    assert_string_equal(sniv_judge_pair(judge, &pair, 2, &about),
                        "holds a key that does not belong to its "
                        "certificate");
    assert_int_equal(about, SNIV_JUDGE_KEY);
    unmake(good);
    unmake(sha1);
    unmake(ca);
    unmake(weak_ca);
}

static void test_level(void **state)
{
    int level = sniv_judge_level(NULL);

    (void)state;
    assert_true(level >= 0 && level <= SNIV_LEVEL_MAX);
    assert_int_equal(sniv_judge_level("HIGH:!aNULL"), level);
    assert_int_equal(sniv_judge_level(""), level);
    assert_int_equal(sniv_judge_level("DEFAULT:@SECLEVEL=0"), 0);
    assert_int_equal(sniv_judge_level("HIGH:@SECLEVEL=4"), 4);
    assert_int_equal(sniv_judge_level("@SECLEVEL=9"), level);
}

/* What every level takes, with and without a name. */
static void test_standin(void **state)
{
    static const char *const hosts[] = { "first.test", NULL, "" };
    char pem[SNIV_STANDIN_MAX], path[] = "/tmp/test_judge.XXXXXX";
    const char *file = path;
    sniv_cert_files_t files;
    apr_size_t len;
    FILE *out;
    int i;

    (void)state;
    memset(&files, 0, sizeof(files));
    files.certs = &file;
    files.ncerts = 1;
    files.level = SNIV_LEVEL_MAX;
    assert_true(close(mkstemp(path)) == 0);
    for (i = 0; i < 3; i++) {
        assert_int_equal(sniv_standin_make(hosts[i], pem, &len), APR_SUCCESS);
        out = fopen(path, "w");
        assert_int_equal(fwrite(pem, 1, len, out), len);
        fclose(out);
        assert_true(sniv_judge_stock(&files));
    }
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_level),
        cmocka_unit_test(test_standin),
        cmocka_unit_test(test_matrix),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_off_curve),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_reasons)
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}

#endif
