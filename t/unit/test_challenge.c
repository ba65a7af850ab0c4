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

/* sniv_challenge: answers for certificate authorities, signed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <apr_strings.h>

#include <openssl/x509v3.h>

#include "certs/challenge.h"

#define NOW 1700000000

static sniv_store_keys_t keys, turned;
static sniv_challenge_keys_t public_keys;

static int setup(void **state)
{
    (void)state;
    memset(&keys, 0, sizeof(keys));
    memset(keys.keys[0].key, 1, 32);
    keys.n = 1;
    turned = keys;
    memset(turned.keys[0].key, 2, 32);
    turned.keys[1] = keys.keys[0];
    turned.n = 2;
    return sniv_challenge_keys(&public_keys, &turned) ? 0 : -1;
}

static const char *read_at(const char *prefix, const char *id,
                           const char *bytes, apr_int64_t now,
                           const char **content)
{
    return sniv_challenge_read(&public_keys, prefix, id, bytes,
                               apr_time_from_sec(now), content);
}

static void test_round(void **state)
{
    char out[SNIV_CHALLENGE_MAX], again[SNIV_CHALLENGE_MAX];
    const char *content = NULL;
    apr_size_t len;

    (void)state;
    assert_int_equal(public_keys.n, 2);
    len = sniv_challenge_sign(&keys, "sites", "http-01+tok", NOW + 600,
                              "tok.x", out);
    assert_int_equal(len, strlen(out));
    assert_int_equal(sniv_challenge_expires(out), NOW + 600);
    /* with any of several keys */
    assert_null(read_at("sites", "http-01+tok", out, NOW, &content));
    assert_string_equal(content, "tok.x");
    sniv_challenge_sign(&turned, "sites", "http-01+tok", NOW + 600, "tok.x",
                        again);
    assert_string_not_equal(again, out);
    assert_null(read_at("sites", "http-01+tok", again, NOW, &content));
    public_keys.n = 1;
    assert_string_equal(read_at("sites", "http-01+tok", out, NOW, &content),
                        "was not put there with the key of SNIVHostStoreKey");
    public_keys.n = 2;
}

static void test_refused(void **state)
{
    char out[SNIV_CHALLENGE_MAX], copy[SNIV_CHALLENGE_MAX];
    const char *content = NULL, *foreign = "was not put there with the key "
                                           "of SNIVHostStoreKey";
    apr_size_t len, i;

    (void)state;
    len = sniv_challenge_sign(&keys, "sites", "http-01+tok", NOW + 600,
                              "tok.x", out);
    assert_string_equal(read_at("other", "http-01+tok", out, NOW, &content),
                        foreign);
    assert_string_equal(read_at("sites", "http-01+tok2", out, NOW, &content),
                        foreign);
    assert_string_equal(read_at("sites", "tls-alpn-01+tok", out, NOW,
                                &content), foreign);
    assert_string_equal(read_at("sites", "http-01+tok", out, NOW + 600,
                                &content), "has expired");
    assert_non_null(strstr(read_at("sites", "http-01+tok", out, NOW - 3600,
                                   &content), "compare the clocks"));
    for (i = 0; i < len; i++) {         /* any byte, any end */
        memcpy(copy, out, len + 1);
        copy[i] ^= 1;
        assert_non_null(read_at("sites", "http-01+tok", copy, NOW, &content));
        memcpy(copy, out, len);
        copy[i] = '\0';
        assert_non_null(read_at("sites", "http-01+tok", copy, NOW, &content));
    }
}

static void test_limits(void **state)
{
    char out[SNIV_CHALLENGE_MAX], text[2000];
    const char *content;
    apr_size_t n, longest = 0;

    (void)state;
    for (n = 0; n < sizeof(text); n++) {
        memset(text, 'x', n);
        text[n] = '\0';
        if (sniv_challenge_sign(&keys, "sites", "http-01+t", NOW + 1, text,
                                out)) {
            longest = n;
            assert_true(strlen(out) < SNIV_CHALLENGE_MAX);
            assert_null(read_at("sites", "http-01+t", out, NOW, &content));
            assert_string_equal(content, text);
        }
    }
    assert_true(longest >= 500 && longest <= SNIV_CHALLENGE_MAX);
    assert_int_equal(sniv_challenge_sign(&keys, "sites", "http-01+t", NOW,
                                         "a b", out), 0);
    keys.n = 0;
    assert_int_equal(sniv_challenge_sign(&keys, "sites", "http-01+t", NOW,
                                         "a", out), 0);
    keys.n = 1;
}

static void test_ids(void **state)
{
    static const char *const good[] = {
        "http-01+a", "http-01+-_A9", "tls-alpn-01+a.test", "tls-alpn-01+x"
    };
    static const char *const bad[] = {
        "", "http-01", "http-01+", "tls-alpn-01+", "http-01+a/b", "http-01+a+b",
        "dns-01+a", "a.test", "http-01+a b", "xhttp-01+a"
    };
    apr_size_t i;

    (void)state;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(sniv_challenge_is_id(good[i], strlen(good[i])));
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(sniv_challenge_is_id(bad[i], strlen(bad[i])));
    }
    assert_int_equal(sniv_challenge_expires("1 12 x"), 12);
    assert_int_equal(sniv_challenge_expires("2 12 x"), 0);
    assert_int_equal(sniv_challenge_expires("1 12"), 0);
    assert_int_equal(sniv_challenge_expires("1 9999999999999 x"), 0);
    assert_int_equal(sniv_challenge_expires(""), 0);
}

/* X509_cmp_current_time() is deprecated by OpenSSL 4. */
static long seconds_until(const ASN1_TIME *then)
{
    int days, seconds;

    assert_int_equal(ASN1_TIME_diff(&days, &seconds, NULL, then), 1);
    return days * 86400L + seconds;
}

/* The certificate of a name, and that its digest is this one. */
static void check_cert(const char *content, const unsigned char digest[32])
{
    unsigned char want[34] = { 0x04, 32 };
    STACK_OF(GENERAL_NAME) *names;
    ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    const ASN1_OCTET_STRING *value;
    EVP_PKEY *key;
    X509 *cert;
    int at;

    memcpy(want + 2, digest, 32);
    assert_true(sniv_challenge_cert(&cert, &key, "a-1.test", content));
    assert_int_equal(X509_check_private_key(cert, key), 1);
    assert_int_equal(X509_verify(cert, key), 1);
    assert_true(seconds_until(X509_get0_notBefore(cert)) < 0);
    assert_true(seconds_until(X509_get0_notAfter(cert)) > 0);
    names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    assert_int_equal(sk_GENERAL_NAME_num(names), 1);
    assert_int_equal(X509_check_host(cert, "a-1.test", 0, 0, NULL), 1);
    GENERAL_NAMES_free(names);
    at = X509_get_ext_by_OBJ(cert, id, -1);
    assert_true(at >= 0);
    /* what X509_get_ext() gives is const from OpenSSL 4 on */
    assert_true(X509_EXTENSION_get_critical(X509_get_ext(cert, at)));
    value = X509_EXTENSION_get_data(X509_get_ext(cert, at));
    assert_int_equal(ASN1_STRING_length(value), sizeof(want));
    assert_memory_equal(ASN1_STRING_get0_data(value), want, sizeof(want));
    ASN1_OBJECT_free(id);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void test_cert(void **state)
{
    static const char *const bad[] = {
        "a.test,DNS:b.test", "*.test", "A.test", "a_b.test", "a test"
    };
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hexed[65], colons[96];
    EVP_PKEY *key;
    X509 *cert;
    size_t i;

    (void)state;
    assert_int_equal(EVP_Digest("tok.x", 5, digest, NULL, EVP_sha256(), NULL),
                     1);
    for (i = 0; i < 32; i++) {
        apr_snprintf(hexed + 2 * i, 3, "%02x", digest[i]);
        apr_snprintf(colons + 3 * i, 4, i < 31 ? "%02X:" : "%02X", digest[i]);
    }
    check_cert("tok.x", digest);
    check_cert(hexed, digest);
    check_cert(colons, digest);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(sniv_challenge_cert(&cert, &key, bad[i], "tok.x"));
        assert_null(cert);
        assert_null(key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_cert)
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
