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

#include "certs/standin.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define DAYS 3650
#define NAME_MAX_LEN 253        /* of a host */

/* P-521 and SHA-512: 256 bits, as level 5 requires. */
static EVP_PKEY *make_key(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
    EVP_PKEY *key = NULL;

    if (ctx && EVP_PKEY_keygen_init(ctx) == 1
        && EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx, NID_secp521r1) == 1) {
        (void)EVP_PKEY_keygen(ctx, &key);
    }
    EVP_PKEY_CTX_free(ctx);
    return key;
}

/* mod_ssl warns of a certificate that is not for the ServerName. */
static int add_host(X509 *x, const char *host)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    int ok = names && name && text
             && ASN1_STRING_set(text, host, (int)strlen(host)) == 1;

    if (ok) {
        GENERAL_NAME_set0_value(name, GEN_DNS, text);
        text = NULL;
        ok = sk_GENERAL_NAME_push(names, name) > 0;
    }
    if (ok) {
        name = NULL;
        ok = X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0) == 1;
    }
    ASN1_IA5STRING_free(text);
    GENERAL_NAME_free(name);
    GENERAL_NAMES_free(names);
    return ok;
}

static X509 *make_cert(EVP_PKEY *key, const char *host)
{
    static const unsigned char none[] = "no certificate";
    X509 *x = X509_new();
    X509_NAME *name = x ? X509_NAME_new() : NULL;
    apr_size_t len = host ? strlen(host) : 0;

    if (name && X509_set_version(x, 2) == 1
        && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) == 1
        && X509_gmtime_adj(X509_getm_notBefore(x), -86400)
        && X509_gmtime_adj(X509_getm_notAfter(x), DAYS * 86400L)
        && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, none, -1, -1,
                                      0) == 1
        && X509_set_subject_name(x, name) == 1
        && X509_set_issuer_name(x, name) == 1
        && X509_set_pubkey(x, key) == 1
        && (!len || len > NAME_MAX_LEN || add_host(x, host))
        && X509_sign(x, key, EVP_sha512()) > 0) {
        X509_NAME_free(name);
        return x;
    }
    X509_NAME_free(name);
    X509_free(x);
    return NULL;
}

apr_status_t sniv_standin_make(const char *host,
                               char pem[SNIV_STANDIN_MAX], apr_size_t *plen)
{
    EVP_PKEY *key = make_key();
    X509 *x = key ? make_cert(key, host) : NULL;
    BIO *out = x ? BIO_new(BIO_s_secmem()) : NULL;
    apr_status_t rv = APR_EGENERAL;
    int len = 0;

    if (out && PEM_write_bio_X509(out, x) == 1
        && PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL)
           == 1) {
        len = BIO_read(out, pem, SNIV_STANDIN_MAX);
        if (len > 0 && BIO_pending(out) == 0) {
            rv = APR_SUCCESS;
        }
    }
    *plen = rv == APR_SUCCESS ? (apr_size_t)len : 0;
    BIO_free(out);
    X509_free(x);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return rv;
}
