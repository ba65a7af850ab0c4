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

#include "tls/values.h"

#include <stdlib.h>

#include "apr_escape.h"
#include "apr_file_io.h"
#include "apr_strings.h"
#include "httpd.h"
#include "http_config.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "module/words.h"

/* ----- words ----- */

static const char *path_value(apr_pool_t *p, const char *word)
{
    const char *path;

    if (!ap_cstr_casecmpn(word, "pkcs11:", 7))
        return word;
    path = ap_server_root_relative(p, word);
    return path ? path : word;
}

static const char *verify_value(apr_pool_t *p, const char *word)
{
    if (!ap_cstr_casecmp(word, "off"))
        return "none";
    if (!ap_cstr_casecmp(word, "on"))
        return "require";
    return snivhost_lower(p, word);
}

static const char *words_value(apr_pool_t *p, const char *args)
{
    const char *value = "";

    while (*args) {
        const char *word = snivhost_lower(p, ap_getword_conf(p, &args));

        value = *value ? apr_pstrcat(p, value, " ", word, NULL) : word;
    }
    return value;
}

/* ----- protocols ----- */

/* From the lowest to the highest. */
static const char *const protocols[] = {
#ifndef OPENSSL_NO_SSL3
    "SSLv3",
#endif
    "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", NULL
};

static const int versions[] = {
#ifndef OPENSSL_NO_SSL3
    SSL3_VERSION,
#endif
    TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION
};

static unsigned protocol_bits(const char *name)
{
    unsigned all = 0;
    int i;

    for (i = 0; protocols[i]; i++) {
        if (!ap_cstr_casecmp(name, protocols[i]))
            return 1u << i;
        all |= 1u << i;
    }
    return ap_cstr_casecmp(name, "all") ? 0 : all;
}

/* "all -TLSv1" and "TLSv1.1 +TLSv1.2 +TLSv1.3" are the same. */
static const char *protocols_value(apr_pool_t *p, const char *args)
{
    const char *value = NULL;
    unsigned set = 0;
    int i;

    while (*args) {
        const char *word = ap_getword_conf(p, &args);

        if (*word == '-')
            set &= ~protocol_bits(word + 1);
        else if (*word == '+')
            set |= protocol_bits(word + 1);
        else if (protocol_bits(word))
            set = protocol_bits(word);
    }
    for (i = 0; protocols[i]; i++) {
        if (set & (1u << i)) {
            value = value ? apr_pstrcat(p, value, " ", protocols[i], NULL)
                          : protocols[i];
        }
    }
    return value ? value : "(no protocol)";
}

static unsigned bits_of(const char *value)
{
    unsigned set = 0;

    while (*value) {
        apr_size_t len = strcspn(value, " ");
        int i;

        for (i = 0; protocols[i]; i++) {
            if (strlen(protocols[i]) == len
                && !strncmp(protocols[i], value, len)) {
                set |= 1u << i;
            }
        }
        value += len + strspn(value + len, " ");
    }
    return set;
}

int snivhost_value_limits(const char *value, int *pmin, int *pmax)
{
    const unsigned set = bits_of(value);
    int i = (int)(sizeof(versions) / sizeof(*versions)) - 1;

    while (i > 0 && !(set & (1u << i)))
        i--;
    *pmax = versions[i];
    while (i > 0 && (set & (1u << (i - 1))))
        i--;
    *pmin = versions[i];
    return set != 0;
}

const char *snivhost_value(apr_pool_t *p, snivhost_as_e as, const char *args)
{
    const char *rest = args;
    const char *word = ap_getword_conf(p, &rest);

    switch (as) {
    case SNIVHOST_AS_WORD:
        break;
    case SNIVHOST_AS_FLAG:
        return ap_cstr_casecmp(word, "on") ? "off" : "on";
    case SNIVHOST_AS_PATH:
        return path_value(p, word);
    case SNIVHOST_AS_NUMBER:
        return apr_itoa(p, atoi(word));
    case SNIVHOST_AS_VERIFY:
        return verify_value(p, word);
    case SNIVHOST_AS_WORDS:
        return words_value(p, args);
    case SNIVHOST_AS_PROTOCOLS:
        return protocols_value(p, args);
    }
    return word;
}

/* ----- what OpenSSL knows ----- */

const char *snivhost_value_ciphers(apr_pool_t *p, const char *list,
                                   const char *suites)
{
    /* ssl_cmd_SSLCipherSuite() and ssl_init_ctx_cipher_suite() add this. */
    const char *text = apr_pstrcat(p, list ? list : "DEFAULT",
                                   ":!aNULL:!eNULL:!EXP", NULL);
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    apr_array_header_t *names;
    const char *value = NULL;
    int i;

    if (ctx && SSL_CTX_set_cipher_list(ctx, text)
        && (!suites || SSL_CTX_set_ciphersuites(ctx, suites))) {
        STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(ctx);

        names = apr_array_make(p, sk_SSL_CIPHER_num(ciphers) + 1,
                               sizeof(const char *));
        APR_ARRAY_PUSH(names, const char *) =
            apr_itoa(p, SSL_CTX_get_security_level(ctx));
        for (i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
            APR_ARRAY_PUSH(names, const char *) =
                SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, i));
        }
        value = apr_array_pstrcat(p, names, ':');
    }
    SSL_CTX_free(ctx);
    ERR_clear_error();
    return value;
}

const char *snivhost_value_level_text(const char *list,
                                      const apr_array_header_t *commands)
{
    static const char command[] = "CipherString ", word[] = "@SECLEVEL";
    const char *text = list && strstr(list, word) ? list : "";
    int i;

    for (i = 0; commands && i < commands->nelts; i++) {
        const char *item = APR_ARRAY_IDX(commands, i, const char *);

        if (!ap_cstr_casecmpn(item, command, sizeof(command) - 1)
            && strstr(item, word)) {
            text = item + sizeof(command) - 1;
        }
    }
    return text;
}

static const char *digest_text(apr_pool_t *p, const unsigned char *bytes,
                               apr_size_t len)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int n = 0;

    if (!EVP_Digest(bytes, len, digest, &n, EVP_sha256(), NULL))
        return NULL;
    return apr_pescape_hex(p, digest, n, 0);
}

const char *snivhost_value_content(apr_pool_t *p, const char *path)
{
    enum { MOST = 16 * 1024 * 1024 };
    apr_pool_t *sub;
    apr_file_t *file;
    apr_finfo_t info;
    apr_size_t len = 0;
    unsigned char *bytes;
    const char *value = NULL;

    apr_pool_create(&sub, p);
    /* A FIFO or device would keep us; mod_ssl will say what it thinks. */
    if (apr_stat(&info, path, APR_FINFO_TYPE | APR_FINFO_SIZE, sub)
            == APR_SUCCESS
        && info.filetype == APR_REG && info.size <= MOST
        && apr_file_open(&file, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT,
                         sub) == APR_SUCCESS) {
        bytes = apr_palloc(sub, (apr_size_t)info.size + 1);
        if (apr_file_read_full(file, bytes, (apr_size_t)info.size, &len)
            == APR_SUCCESS) {
            value = digest_text(p, bytes, len);
        }
    }
    apr_pool_destroy(sub);
    return value ? value : path;
}

/* Equal texts for equal parameters of one type; NULL if OpenSSL cannot. */
static const char *parameters_text(apr_pool_t *p, const EVP_PKEY *params)
{
    const char *value = NULL;
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    unsigned char *der = NULL;
    int len = i2d_KeyParams(params, &der);

    if (len > 0) {
        value = apr_psprintf(p, "%s %s", EVP_PKEY_get0_type_name(params),
                             digest_text(p, der, len));
    }
    OPENSSL_free(der);
#else
    BIO *out = BIO_new(BIO_s_mem());
    char *text;
    long len;

    /* All numbers in full, or the name of a curve */
    if (out && EVP_PKEY_print_params(out, params, 0, NULL) > 0
        && (len = BIO_get_mem_data(out, &text)) > 0) {
        value = apr_psprintf(p, "%d %s", EVP_PKEY_base_id(params),
                             digest_text(p, (const unsigned char *)text,
                                         (apr_size_t)len));
    }
    BIO_free(out);
#endif
    return value;
}

const char *snivhost_value_parameters(apr_pool_t *p, const char *path)
{
    const char *value = "";
    BIO *bio = BIO_new_file(path, "r");
    EVP_PKEY *params = bio ? PEM_read_bio_Parameters(bio, NULL) : NULL;

    if (params) {
        value = parameters_text(p, params);
        if (!value)
            value = path;
    }
    EVP_PKEY_free(params);
    BIO_free(bio);
    ERR_clear_error();
    return value;
}
