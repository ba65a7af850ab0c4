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

#include "pems.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

static void die(const char *what)
{
    perror(what);
    abort();
}

/* In the way that every OpenSSL from 1.1.1 on has */
static EVP_PKEY *make_key(pems_e kind)
{
    int type = kind == PEMS_RSA || kind == PEMS_RSA_1024 ? EVP_PKEY_RSA
               : kind == PEMS_ED25519 ? EVP_PKEY_ED25519 : EVP_PKEY_EC;
    int bits = kind == PEMS_RSA_1024 ? 1024 : 2048;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(type, NULL);
    EVP_PKEY *key = NULL;

    if (!ctx || EVP_PKEY_keygen_init(ctx) <= 0
        || (type == EVP_PKEY_RSA
            && EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, bits) <= 0)
        || (type == EVP_PKEY_EC
            && EVP_PKEY_CTX_set_ec_paramgen_curve_nid(
                   ctx, NID_X9_62_prime256v1) <= 0)
        || EVP_PKEY_keygen(ctx, &key) <= 0)
        die("key");
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, (char *)value);
    if (!extension || !X509_add_ext(cert, extension, -1))
        die("extension");
    X509_EXTENSION_free(extension);
}

void pems_make(pems_t *pems, const pems_want_t *want)
{
    static long serial = 1;
    X509_NAME *name = X509_NAME_new();
    X509 *cert = X509_new();
    const char *cn = want->common_name ? want->common_name : "test";
    EVP_PKEY *signer;

    pems->key = make_key(want->kind);
    pems->cert = cert;
    signer = want->issuer ? want->issuer->key : pems->key;
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(cert), want->begin);
    X509_gmtime_adj(X509_getm_notAfter(cert), want->end ? want->end : 86400);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)cn, -1, -1, 0);
    X509_set_subject_name(cert, name);
    X509_set_issuer_name(cert, want->issuer
                         ? X509_get_subject_name(want->issuer->cert) : name);
    X509_NAME_free(name);
    X509_set_pubkey(cert, pems->key);
    if (want->names)
        extend(cert, cert, NID_subject_alt_name, want->names);
    if (want->is_ca)
        extend(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
    if (want->has_ocsp)
        extend(cert, cert, NID_info_access, "OCSP;URI:http://o.test/");
    if (!X509_sign(cert, signer, EVP_PKEY_base_id(signer) == EVP_PKEY_ED25519
                                 ? NULL : EVP_sha256()))
        die("sign");
}

void pems_free(pems_t *pems)
{
    X509_free(pems->cert);
    EVP_PKEY_free(pems->key);
    pems->cert = NULL;
    pems->key = NULL;
}

static char *text_of(BIO *bio)
{
    char *bytes, *text;
    long len = BIO_get_mem_data(bio, &bytes);

    text = malloc((size_t)len + 1);
    memcpy(text, bytes, (size_t)len);
    text[len] = '\0';
    BIO_free(bio);
    return text;
}

char *pems_cert(const pems_t *pems)
{
    BIO *bio = BIO_new(BIO_s_mem());

    if (!PEM_write_bio_X509(bio, pems->cert))
        die("certificate");
    return text_of(bio);
}

char *pems_key(const pems_t *pems, pems_form_e form)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const EVP_CIPHER *cipher = EVP_aes_128_cbc();
    unsigned char pass[] = "secret";
    int ok;

    switch (form) {
    case PEMS_TYPED:
        ok = PEM_write_bio_PrivateKey_traditional(bio, pems->key, NULL, NULL,
                                                  0, NULL, NULL);
        break;
    case PEMS_ENCRYPTED:
        ok = PEM_write_bio_PKCS8PrivateKey(bio, pems->key, cipher, "secret",
                                           6, NULL, NULL);
        break;
    case PEMS_ENCRYPTED_TYPED:
        ok = PEM_write_bio_PrivateKey_traditional(bio, pems->key, cipher,
                                                  pass, 6, NULL, NULL);
        break;
    default:
        ok = PEM_write_bio_PKCS8PrivateKey(bio, pems->key, NULL, NULL, 0,
                                           NULL, NULL);
        break;
    }
    if (!ok)
        die("private key");
    return text_of(bio);
}

static void write_texts(const char *path, va_list texts)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const char *text;

    if (fd < 0)
        die(path);
    while ((text = va_arg(texts, const char *)) != NULL) {
        size_t len = strlen(text);

        if (write(fd, text, len) != (ssize_t)len)
            die(path);
    }
    close(fd);
}

void pems_write(const char *path, ...)
{
    va_list texts;

    va_start(texts, path);
    write_texts(path, texts);
    va_end(texts);
}

void pems_replace(const char *path, ...)
{
    char temp[1024];
    va_list texts;

    snprintf(temp, sizeof(temp), "%s.new", path);
    va_start(texts, path);
    write_texts(temp, texts);
    va_end(texts);
    if (rename(temp, path) != 0)
        die(path);
}
