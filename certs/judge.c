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

#include "certs/judge.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "certs/plain.h"

struct sniv_judge_t {
    SSL_CTX *ctx[SNIV_LEVEL_MAX + 1];
    sniv_plain_t *plain;
    unsigned char *chain;       /* the last one that OpenSSL has taken */
    apr_size_t chain_len;
    int chain_level;
    char reason[256];
};

static apr_status_t cleanup(void *data)
{
    sniv_judge_t *judge = data;
    int i;

    for (i = 0; i <= SNIV_LEVEL_MAX; i++) {
        SSL_CTX_free(judge->ctx[i]);
    }
    sniv_plain_free(judge->plain);
    free(judge->chain);
    return APR_SUCCESS;
}

sniv_judge_t *sniv_judge_make(apr_pool_t *p)
{
    sniv_judge_t *judge = apr_pcalloc(p, sizeof(*judge));

    apr_pool_cleanup_register(p, judge, cleanup, apr_pool_cleanup_null);
    judge->plain = sniv_plain_make();
    return judge;
}

int sniv_judge_level(const char *ciphers)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    int level = 0;

    if (ctx) {
        if (ciphers && strstr(ciphers, "@SECLEVEL")) {
            (void)SSL_CTX_set_cipher_list(ctx, ciphers);
        }
        level = SSL_CTX_get_security_level(ctx);
    }
    SSL_CTX_free(ctx);
    ERR_clear_error();
    return level < 0 ? 0 : level > SNIV_LEVEL_MAX ? SNIV_LEVEL_MAX : level;
}

/* ----- OpenSSL's verdict */

static SSL_CTX *context_of(sniv_judge_t *judge, int level)
{
    SSL_CTX **ctx = &judge->ctx[level < 0 ? 0 : level > SNIV_LEVEL_MAX
                                ? SNIV_LEVEL_MAX : level];

    if (!*ctx) {
        *ctx = SSL_CTX_new(TLS_server_method());
        if (*ctx) {
            SSL_CTX_set_security_level(*ctx, (int)(ctx - judge->ctx));
        }
    }
    return *ctx;
}

static const char *put_reason(sniv_judge_t *judge, const char *what,
                              int level)
{
    const char *why = ERR_reason_error_string(ERR_peek_last_error());

    apr_snprintf(judge->reason, sizeof(judge->reason),
                 "holds a %s that OpenSSL refuses at security level %d: %s",
                 what, level, why ? why : "unknown reason");
    return judge->reason;
}

/*
 * A chain alone, so that the reason names it: the certificates that
 * SSL_use_cert_and_key() would look at.
 */
static int takes_chain(SSL_CTX *ctx, STACK_OF(X509) *chain)
{
    int i, ok = 1;

    SSL_CTX_clear_chain_certs(ctx);
    for (i = 0; ok && i < sk_X509_num(chain); i++) {
        ok = SSL_CTX_add1_chain_cert(ctx, sk_X509_value(chain, i)) == 1;
    }
    return ok;
}

static void remember_chain(sniv_judge_t *judge, const sniv_bytes_t *chain,
                           int level)
{
    unsigned char *copy;

    if (chain->len == 0) {
        return;
    }
    copy = realloc(judge->chain, chain->len);
    if (!copy) {
        return;
    }
    memcpy(copy, chain->data, chain->len);
    judge->chain = copy;
    judge->chain_len = chain->len;
    judge->chain_level = level;
}

const char *sniv_judge_slowly(sniv_judge_t *judge, const sniv_pair_t *pair,
                              int level, sniv_judge_e *about)
{
    SSL_CTX *ctx = context_of(judge, level);
    const char *reason;
    STACK_OF(X509) *chain;
    sniv_entry_t entry;
    sniv_live_t live;

    ERR_clear_error();
    *about = SNIV_JUDGE_LEAF;
    memset(&entry, 0, sizeof(entry));
    entry.npairs = 1;
    entry.pairs[0] = *pair;
    reason = ctx ? sniv_live_decode(&live, &entry, 0)
                 : "cannot be read: no memory";
    if (reason) {
        if (strstr(reason, "key")) {
            *about = SNIV_JUDGE_KEY;
        }
        return reason;
    }
    chain = sniv_chain_decode(&pair->chain);
    if (!chain) {
        *about = SNIV_JUDGE_CHAIN;
        reason = "holds a chain that OpenSSL cannot decode";
    }
    else if (SSL_CTX_use_cert_and_key(ctx, live.leaf[0], live.key[0], NULL,
                                      1) != 1) {
        reason = put_reason(judge, "certificate", level);
    }
    else if (!takes_chain(ctx, chain)
             || SSL_CTX_use_cert_and_key(ctx, live.leaf[0], live.key[0],
                                         chain, 1) != 1) {
        *about = SNIV_JUDGE_CHAIN;
        reason = put_reason(judge, "chain", level);
    }
    else {
        remember_chain(judge, &pair->chain, level);
    }
    sk_X509_pop_free(chain, X509_free);
    sniv_live_free(&live);
    ERR_clear_error();
    return reason;
}

/* ----- the short cut */

static int chain_level(sniv_judge_t *judge, const sniv_bytes_t *chain)
{
    sniv_bytes_t der;
    apr_size_t at = 0;
    int more, level = SNIV_LEVEL_MAX, one;

    if (judge->chain_len == chain->len && chain->len > 0
        && memcmp(judge->chain, chain->data, chain->len) == 0) {
        return judge->chain_level;
    }
    while ((more = sniv_chain_next(chain, &at, &der)) != 0) {
        one = more > 0 ? sniv_plain_cert(judge->plain, &der) : -1;
        if (one < level) {
            level = one;
        }
        if (level < 0) {
            return level;
        }
    }
    remember_chain(judge, chain, level);
    return level;
}

int sniv_judge_quickly(sniv_judge_t *judge, const sniv_pair_t *pair)
{
    int level = sniv_plain_cert(judge->plain, &pair->leaf), chain;

    if (level < 0 || !sniv_plain_key(&pair->leaf, pair->kind, &pair->key)) {
        return -1;
    }
    chain = chain_level(judge, &pair->chain);
    return chain < level ? chain : level;
}

const char *sniv_judge_pair(sniv_judge_t *judge, const sniv_pair_t *pair,
                            int level, sniv_judge_e *about)
{
    *about = SNIV_JUDGE_LEAF;
    return sniv_judge_quickly(judge, pair) >= level
           ? NULL : sniv_judge_slowly(judge, pair, level, about);
}

/* ----- what mod_ssl does */

static int no_pass_phrase(char *buf, int size, int rwflag, void *dummy)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)dummy;
    return 0;
}

/* modssl_read_privatekey(): PEM, DER in base64, DER. */
static EVP_PKEY *read_key(const char *path)
{
    BIO *file = BIO_new_file(path, "r"), *base64 = NULL;
    EVP_PKEY *key = NULL;

    if (file) {
        key = PEM_read_bio_PrivateKey(file, NULL, no_pass_phrase, NULL);
        if (!key && BIO_reset(file) == 0
            && (base64 = BIO_new(BIO_f_base64())) != NULL) {
            key = d2i_PrivateKey_bio(BIO_push(base64, file), NULL);
            BIO_pop(base64);
        }
        if (!key && BIO_reset(file) == 0) {
            key = d2i_PrivateKey_bio(file, NULL);
        }
    }
    BIO_free(base64);
    BIO_free(file);
    ERR_clear_error();
    return key;
}

static int takes_key(SSL_CTX *ctx, const char *path)
{
    EVP_PKEY *key = read_key(path);
    int ok = key && SSL_CTX_use_PrivateKey(ctx, key) == 1
             && SSL_CTX_check_private_key(ctx) == 1;

    EVP_PKEY_free(key);
    return ok;
}

/* use_certificate_chain(): a file that ends, or goes on with something else
 * than PEM, is taken; a damaged block is not. */
static int takes_chain_file(const char *path, int skip_first)
{
    BIO *file = BIO_new_file(path, "r");
    unsigned long error;
    X509 *x;
    int ok = file != NULL;

    if (ok && skip_first) {
        x = PEM_read_bio_X509(file, NULL, no_pass_phrase, NULL);
        ok = x != NULL;
        X509_free(x);
    }
    ERR_clear_error();
    while (ok && (x = PEM_read_bio_X509(file, NULL, no_pass_phrase, NULL))) {
        X509_free(x);
    }
    error = ERR_peek_error();
    ok = ok && (error == 0 || (ERR_GET_LIB(error) == ERR_LIB_PEM
                               && ERR_GET_REASON(error)
                                  == PEM_R_NO_START_LINE));
    BIO_free(file);
    ERR_clear_error();
    return ok;
}

int sniv_judge_stock(const sniv_cert_files_t *files)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    int i, ok = ctx != NULL, is_in_chain = 0;

    ERR_clear_error();
    if (ctx) {
        SSL_CTX_set_default_passwd_cb(ctx, no_pass_phrase);
        SSL_CTX_set_security_level(ctx, files->level);
    }
    for (i = 0; ok && i < files->ncerts; i++) {
        const char *key = i < files->nkeys && files->keys[i]
                          ? files->keys[i] : files->certs[i];

        ok = (files->chain
              ? SSL_CTX_use_certificate_file(ctx, files->certs[i],
                                             SSL_FILETYPE_PEM)
              : SSL_CTX_use_certificate_chain_file(ctx, files->certs[i])) == 1
             && takes_key(ctx, key);
        is_in_chain |= files->chain
                       && strcmp(files->chain, files->certs[i]) == 0;
    }
    if (ok && files->chain) {
        ok = takes_chain_file(files->chain, is_in_chain);
    }
    SSL_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}
