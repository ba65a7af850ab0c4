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

#include "certs/challenge.h"

#include <stdlib.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "certs/storeurl.h"

#define SIGNATURE 64
/* what clocks of servers may differ by */
#define CLOCKS 300

static const char key_label[] = "snivhost answer key";
static const char label[] = "snivhost answer 1";

/* ----- keys */

static EVP_PKEY *private_key(const sniv_store_key_t *key)
{
    unsigned char text[sizeof(key_label) + sizeof(key->key)];
    unsigned char seed[EVP_MAX_MD_SIZE];
    EVP_PKEY *pkey = NULL;

    memcpy(text, key_label, sizeof(key_label));
    memcpy(text + sizeof(key_label), key->key, sizeof(key->key));
    if (EVP_Digest(text, sizeof(text), seed, NULL, EVP_sha256(), NULL)) {
        pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    }
    OPENSSL_cleanse(text, sizeof(text));
    OPENSSL_cleanse(seed, sizeof(seed));
    return pkey;
}

int sniv_challenge_keys(sniv_challenge_keys_t *public_keys,
                     const sniv_store_keys_t *keys)
{
    int i, ok = 1;

    memset(public_keys, 0, sizeof(*public_keys));
    for (i = 0; i < keys->n && ok; i++) {
        EVP_PKEY *pkey = private_key(&keys->keys[i]);
        size_t len = 32;

        ok = pkey && EVP_PKEY_get_raw_public_key(pkey, public_keys->keys[i],
                                                 &len) == 1 && len == 32;
        EVP_PKEY_free(pkey);
    }
    public_keys->n = ok ? keys->n : 0;
    return ok;
}

/* ----- what is signed */

int sniv_challenge_is_id(const char *id, apr_size_t len)
{
    apr_size_t kind = len > strlen(SNIV_CHALLENGE_HTTP)
                      && !memcmp(id, SNIV_CHALLENGE_HTTP,
                                 strlen(SNIV_CHALLENGE_HTTP))
                      ? strlen(SNIV_CHALLENGE_HTTP)
                      : len > strlen(SNIV_CHALLENGE_ALPN)
                        && !memcmp(id, SNIV_CHALLENGE_ALPN,
                                   strlen(SNIV_CHALLENGE_ALPN))
                      ? strlen(SNIV_CHALLENGE_ALPN) : 0;

    return kind && sniv_store_id_is_usable(id, len)
           && !memchr(id + kind, '+', len - kind);
}

/* @param out room for twice SNIV_CHALLENGE_MAX. @return bytes, 0: too long */
static apr_size_t make_text(char *out, const char *prefix, const char *id,
                            apr_int64_t expires, const char *content)
{
    char number[24];
    const char *parts[5];
    apr_size_t len = 0, i;

    apr_snprintf(number, sizeof(number), "%" APR_INT64_T_FMT, expires);
    parts[0] = label;
    parts[1] = prefix;
    parts[2] = id;
    parts[3] = number;
    parts[4] = content;
    for (i = 0; i < 5; i++) {
        apr_size_t n = strlen(parts[i]) + 1;

        if (n > 2 * SNIV_CHALLENGE_MAX - len) {
            return 0;
        }
        memcpy(out + len, parts[i], n);
        len += n;
    }
    return len;
}

static int is_content(const char *text)
{
    const char *c = text;

    while (apr_isgraph(*c)) {
        c++;
    }
    return c > text && !*c;
}

apr_size_t sniv_challenge_sign(const sniv_store_keys_t *keys,
                            const char *prefix, const char *id,
                            apr_int64_t expires, const char *content,
                            char *out)
{
    EVP_PKEY *pkey = keys->n > 0 ? private_key(&keys->keys[0]) : NULL;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    char text[2 * SNIV_CHALLENGE_MAX], hex[2 * SIGNATURE + 1];
    apr_size_t text_len = make_text(text, prefix, id, expires, content);
    unsigned char signature[SIGNATURE];
    size_t len = sizeof(signature);
    int i, ok, n;

    ok = pkey && md && text_len && is_content(content)
         && EVP_DigestSignInit(md, NULL, NULL, NULL, pkey) == 1
         && EVP_DigestSign(md, signature, &len, (const void *)text, text_len)
            == 1
         && len == sizeof(signature);
    EVP_MD_CTX_free(md);
    EVP_PKEY_free(pkey);
    if (!ok) {
        return 0;
    }
    for (i = 0; i < SIGNATURE; i++) {
        apr_snprintf(hex + 2 * i, 3, "%02x", signature[i]);
    }
    n = apr_snprintf(out, SNIV_CHALLENGE_MAX, "1 %" APR_INT64_T_FMT " %s %s",
                     expires, hex, content);
    return n < SNIV_CHALLENGE_MAX - 1 ? (apr_size_t)n : 0;
}

/* ----- reading */

/* What follows the first two fields, or NULL. */
static const char *split(const char *bytes, apr_int64_t *expires)
{
    apr_size_t digits;

    if (strncmp(bytes, "1 ", 2) != 0) {
        return NULL;
    }
    digits = strspn(bytes + 2, "0123456789");
    if (digits < 1 || digits > 12 || bytes[2 + digits] != ' ') {
        return NULL;
    }
    *expires = apr_atoi64(bytes + 2);
    return bytes + 2 + digits + 1;
}

apr_int64_t sniv_challenge_expires(const char *bytes)
{
    apr_int64_t expires;

    return split(bytes, &expires) ? expires : 0;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 128 hex digits and a blank. */
static int read_signature(unsigned char signature[SIGNATURE],
                          const char *text)
{
    int i;

    for (i = 0; i < SIGNATURE; i++) {
        int high = hex(text[2 * i]), low = high < 0 ? -1
                                                    : hex(text[2 * i + 1]);

        if (low < 0) {
            return 0;
        }
        signature[i] = (unsigned char)(high << 4 | low);
    }
    return text[2 * SIGNATURE] == ' ';
}

static int is_signed(const unsigned char key[32],
                     const unsigned char *signature, const char *text,
                     apr_size_t len)
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key,
                                                 32);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int ok = pkey && md
             && EVP_DigestVerifyInit(md, NULL, NULL, NULL, pkey) == 1
             && EVP_DigestVerify(md, signature, SIGNATURE,
                                 (const void *)text, len) == 1;

    EVP_MD_CTX_free(md);
    EVP_PKEY_free(pkey);
    return ok;
}

const char *sniv_challenge_read(const sniv_challenge_keys_t *keys,
                             const char *prefix, const char *id,
                             const char *bytes, apr_time_t now,
                             const char **content)
{
    unsigned char signature[SIGNATURE];
    char text[2 * SNIV_CHALLENGE_MAX];
    apr_int64_t expires, seconds = apr_time_sec(now);
    const char *rest = split(bytes, &expires);
    apr_size_t len;
    int i;

    if (!rest || !read_signature(signature, rest)
        || !is_content(rest + 2 * SIGNATURE + 1)) {
        return "is none";
    }
    if (expires <= seconds) {
        return "has expired";
    }
    if (expires > seconds + SNIV_CHALLENGE_LIFE + CLOCKS) {
        return "is valid for more than an hour: compare the clocks";
    }
    *content = rest + 2 * SIGNATURE + 1;
    len = make_text(text, prefix, id, expires, *content);
    for (i = 0; len && i < keys->n; i++) {
        if (is_signed(keys->keys[i], signature, text, len)) {
            return NULL;
        }
    }
    return "was not put there with the key of SNIVHostStoreKey";
}

/* ----- tls-alpn-01 */

/* @return 0: it is no digest in hex digits */
static int read_digest(unsigned char digest[32], const char *text)
{
    int n = 0, high, low;

    for (; *text; text += *text == ':') {
        high = hex((char)apr_tolower(text[0]));
        low = high < 0 ? -1 : hex((char)apr_tolower(text[1]));
        if (low < 0 || n == 32) {
            return 0;
        }
        digest[n++] = (unsigned char)(high << 4 | low);
        text += 2;
    }
    return n == 32;
}

static EVP_PKEY *make_key(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
    EVP_PKEY *key = NULL;

    if (ctx && EVP_PKEY_keygen_init(ctx) > 0
        && EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx, NID_X9_62_prime256v1)
           > 0) {
        (void)EVP_PKEY_keygen(ctx, &key);
    }
    EVP_PKEY_CTX_free(ctx);
    return key;
}

/* The extension acmeIdentifier, which has to be critical. */
static int add_identifier(X509 *cert, const unsigned char digest[32])
{
    ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
    unsigned char der[34] = { 0x04, 32 };
    X509_EXTENSION *ext = NULL;
    int ok;

    memcpy(der + 2, digest, 32);
    ok = id && value && ASN1_OCTET_STRING_set(value, der, sizeof(der))
         && (ext = X509_EXTENSION_create_by_OBJ(NULL, id, 1, value)) != NULL
         && X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
    ASN1_OCTET_STRING_free(value);
    ASN1_OBJECT_free(id);
    return ok;
}

/* The name, and nothing else. */
static int add_name(X509 *cert, const char *name)
{
    char text[SNIV_STORE_ID_MAX + 5];
    X509_EXTENSION *ext;
    X509V3_CTX ctx;
    int ok;

    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-")
        != strlen(name) || strlen(name) > SNIV_STORE_ID_MAX) {
        return 0;               /* OpenSSL would read a list in it */
    }
    apr_snprintf(text, sizeof(text), "DNS:%s", name);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, text);
    ok = ext && X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
    return ok;
}

static int fill(X509 *cert, EVP_PKEY *key, const char *name,
                const unsigned char digest[32])
{
    static const unsigned char cn[] = "ACME challenge";
    X509_NAME *subject = X509_NAME_new();
    apr_int32_t serial = 1;
    int ok;

    RAND_bytes((unsigned char *)&serial, sizeof(serial));
    ok = subject
         && X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, cn, -1,
                                       -1, 0)
         && X509_set_version(cert, 2)
         && ASN1_INTEGER_set(X509_get_serialNumber(cert),
                             (long)(serial & 0x7fffffff))
         && X509_gmtime_adj(X509_getm_notBefore(cert), -SNIV_CHALLENGE_LIFE)
         && X509_gmtime_adj(X509_getm_notAfter(cert), 24 * 3600)
         && X509_set_subject_name(cert, subject)
         && X509_set_issuer_name(cert, subject)
         && X509_set_pubkey(cert, key)
         && add_name(cert, name)
         && add_identifier(cert, digest)
         && X509_sign(cert, key, EVP_sha256());
    X509_NAME_free(subject);
    return ok;
}

int sniv_challenge_cert(X509 **cert, EVP_PKEY **key, const char *name,
                        const char *content)
{
    unsigned char digest[EVP_MAX_MD_SIZE];

    *cert = X509_new();
    *key = make_key();
    if (*cert && *key
        && (read_digest(digest, content)
            || EVP_Digest(content, strlen(content), digest, NULL,
                          EVP_sha256(), NULL))
        && fill(*cert, *key, name, digest)) {
        return 1;
    }
    X509_free(*cert);
    EVP_PKEY_free(*key);
    *cert = NULL;
    *key = NULL;
    return 0;
}
