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

#include "certs/reader.h"
#include "certs/reading.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>

/*
 * PKCS12_parse() in steps: a stranger's file must not cost much, and its
 * writer says how often a password is hashed.
 */
#define ITERATIONS_MAX 100000
#define SAFES_MAX 4

/* What has been found. */
typedef struct found_t {
    const char *pass;           /* "" or NULL: some write the one, some the
                                   other */
    STACK_OF(X509) *certs;
    unsigned char *key;         /* PKCS#8 */
    int key_len;
} found_t;

static void forget(found_t *found)
{
    sk_X509_pop_free(found->certs, X509_free);
    if (found->key) {
        OPENSSL_clear_free(found->key, (size_t)found->key_len);
    }
    memset(found, 0, sizeof(*found));
}

static int is_few(const ASN1_INTEGER *iterations)
{
    long n = iterations ? ASN1_INTEGER_get(iterations) : 1;

    return n > 0 && n <= ITERATIONS_MAX;
}

/* Whether decryption by a password takes a bounded time. */
static int is_cheap(const X509_ALGOR *how)
{
    PBE2PARAM *both;
    PBKDF2PARAM *second = NULL;
    PBEPARAM *first;
    int ok;

    if (!how) {
        return 0;
    }
    if (OBJ_obj2nid(how->algorithm) != NID_pbes2) {
        first = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM),
                                          how->parameter);
        ok = first && is_few(first->iter);
        PBEPARAM_free(first);
        return ok;
    }
    both = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM),
                                     how->parameter);
    if (both && OBJ_obj2nid(both->keyfunc->algorithm) == NID_id_pbkdf2) {
        second = ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM),
                                           both->keyfunc->parameter);
    }
    ok = second && is_few(second->iter);
    PBKDF2PARAM_free(second);
    PBE2PARAM_free(both);
    return ok;
}

static int take_key(found_t *found, PKCS12_SAFEBAG *bag)
{
    PKCS8_PRIV_KEY_INFO *key;
    const X509_ALGOR *how = NULL;

    if (found->key) {
        return 1;
    }
    if (PKCS12_SAFEBAG_get_nid(bag) == NID_keyBag) {
        /* OpenSSL 1.1.1 gives it as const and does not take it as that */
        key = (PKCS8_PRIV_KEY_INFO *)PKCS12_SAFEBAG_get0_p8inf(bag);
        found->key_len = i2d_PKCS8_PRIV_KEY_INFO(key, &found->key);
        return found->key_len > 0;
    }
    X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &how, NULL);
    key = is_cheap(how) ? PKCS12_decrypt_skey(bag, found->pass, 0) : NULL;
    found->key_len = key ? i2d_PKCS8_PRIV_KEY_INFO(key, &found->key) : 0;
    PKCS8_PRIV_KEY_INFO_free(key);
    return found->key_len > 0;
}

static int take_bag(found_t *found, PKCS12_SAFEBAG *bag)
{
    X509 *cert;

    switch (PKCS12_SAFEBAG_get_nid(bag)) {
    case NID_keyBag:
    case NID_pkcs8ShroudedKeyBag:
        return take_key(found, bag);
    case NID_certBag:
        if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate) {
            return 1;
        }
        cert = PKCS12_SAFEBAG_get1_cert(bag);
        if (cert && sk_X509_num(found->certs) < SNIV_CERTS_MAX
            && sk_X509_push(found->certs, cert)) {
            return 1;
        }
        X509_free(cert);
        return 0;
    default:
        return 1;
    }
}

static int take_safe(found_t *found, PKCS7 *safe)
{
    STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
    int i, ok;

    if (PKCS7_type_is_data(safe)) {
        bags = PKCS12_unpack_p7data(safe);
    }
    else if (PKCS7_type_is_encrypted(safe) && safe->d.encrypted
             && is_cheap(safe->d.encrypted->enc_data->algorithm)) {
        bags = PKCS12_unpack_p7encdata(safe, found->pass, 0);
    }
    ok = bags != NULL;
    for (i = 0; ok && i < sk_PKCS12_SAFEBAG_num(bags); i++) {
        ok = take_bag(found, sk_PKCS12_SAFEBAG_value(bags, i));
    }
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    return ok;
}

static int take_all(found_t *found, PKCS12 *p12, const char *pass)
{
    const ASN1_INTEGER *iterations = NULL;
    const X509_ALGOR *how = NULL;
    STACK_OF(PKCS7) *safes = NULL;
    int i, ok = 1;

    found->pass = pass;
    found->certs = sk_X509_new_null();
    if (PKCS12_mac_present(p12)) {
        PKCS12_get0_mac(NULL, &how, NULL, &iterations, p12);
        ok = how && EVP_get_digestbyobj(how->algorithm) && is_few(iterations)
             && PKCS12_verify_mac(p12, pass, 0);
    }
    safes = ok && found->certs ? PKCS12_unpack_authsafes(p12) : NULL;
    ok = safes && sk_PKCS7_num(safes) <= SAFES_MAX;
    for (i = 0; ok && i < sk_PKCS7_num(safes); i++) {
        ok = take_safe(found, sk_PKCS7_value(safes, i));
    }
    sk_PKCS7_pop_free(safes, PKCS7_free);
    if (!ok) {
        forget(found);
    }
    return ok;
}

/* The DER of all in one buffer, which becomes the file's. */
static int put_all(sniv_file_t *file, found_t *found)
{
    int i, n = sk_X509_num(found->certs), len;
    sniv_buffer_t out;
    unsigned char *to;

    memset(&out, 0, sizeof(out));
    out.room = (apr_size_t)found->key_len + 1;
    for (i = 0; i < n; i++) {
        len = i2d_X509(sk_X509_value(found->certs, i), NULL);
        out.room += len > 0 ? (apr_size_t)len : 0;
    }
    out.data = to = malloc(out.room);
    if (!to) {
        return 0;
    }
    for (i = 0; i < n; i++) {
        sniv_bytes_t *cert = &file->certs[file->ncerts];

        cert->data = to;
        len = i2d_X509(sk_X509_value(found->certs, i), &to);
        cert->len = len > 0 ? (apr_size_t)len : 0;
        file->ncerts += len > 0;
    }
    if (found->key) {
        file->has_key = 1;
        file->key.what = SNIV_PEM_KEY;
        file->key.label = SNIV_KEY_LABEL_ANY;
        file->key.der.data = to;
        file->key.der.len = (apr_size_t)found->key_len;
        memcpy(to, found->key, (size_t)found->key_len);
        to += found->key_len;
    }
    out.len = (apr_size_t)(to - out.data);
    sniv_buffer_free(&file->buffer);
    file->buffer = out;
    return 1;
}

int sniv_pkcs12_sort(sniv_file_t *file, int is_wanted)
{
    const unsigned char *p = file->buffer.data;
    PKCS12 *p12 = d2i_PKCS12(NULL, &p, (long)file->buffer.len);
    found_t found;

    if (!p12) {
        ERR_clear_error();
        return 0;
    }
    memset(&found, 0, sizeof(found));
    file->damage = file->key_damage = "is PKCS#12, which mod_ssl does not "
        "read: convert it to PEM with openssl pkcs12 -nodes";
    if (is_wanted) {
        file->damage = file->key_damage = "is PKCS#12 with a password, or "
            "with an encryption that OpenSSL does not support: convert it to "
            "PEM with openssl pkcs12 -nodes, or export it without a password";
        if ((take_all(&found, p12, NULL) || take_all(&found, p12, ""))
            && put_all(file, &found)) {
            file->damage = file->key_damage = NULL;
        }
    }
    forget(&found);
    PKCS12_free(p12);
    ERR_clear_error();
    return 1;
}
