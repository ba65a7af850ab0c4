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

#include "serve/donor.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "tls/adopt.h"
#include "tls/keyfile.h"

/* ----- the SSL_CTX ----- */

static SSL_CTX *donor_of(const server_rec *s, const snivhost_tls_t **ptls)
{
    const snivhost_tls_t *tls = snivhost_adopt_get(s);

    *ptls = tls;
    return tls && tls->how == SNIVHOST_TLS_LEAN && tls->donor
           ? snivhost_conf(tls->donor)->ssl_ctx : NULL;
}

/* The lower limit of a connection; 0: mod_ssl does not set it. */
static int min_version(const SSL_CTX *ctx, const snivhost_tls_t *tls)
{
    return !tls->protocol_set ? 0
           : tls->min_version ? tls->min_version
           : (int)SSL_CTX_get_min_proto_version((SSL_CTX *)ctx);
}

static void use(SSL *ssl, SSL_CTX *ctx, const snivhost_tls_t *tls)
{
    if (!SSL_set_SSL_CTX(ssl, ctx))
        return;
    SSL_set_options(ssl, SSL_CTX_get_options(ctx));
    if (tls->protocol_set) {
        SSL_set_min_proto_version(ssl, min_version(ctx, tls));
        SSL_set_max_proto_version(ssl, tls->max_version ? tls->max_version
                                  : SSL_CTX_get_max_proto_version(ctx));
    }
    SSL_set_verify(ssl, SSL_CTX_get_verify_mode(ctx),
                   SSL_CTX_get_verify_callback(ctx));
}

int snivhost_donor_use(snivhost_conn_t *conn, SSL *ssl, int version)
{
    const snivhost_tls_t *tls;
    SSL_CTX *ctx;

    if (!conn->hello_seen || conn->has_context)
        return 1;
    conn->has_context = 1;
    ctx = donor_of(SNIVHOST_SERVER(&conn->sni), &tls);
    if (!ctx)
        return 1;
    use(ssl, ctx, tls);
    return version >= min_version(ctx, tls);
}

void snivhost_donor_use_late(const server_rec *s, SSL *ssl)
{
    const snivhost_tls_t *tls;
    SSL_CTX *ctx = donor_of(s, &tls);

    if (ctx && SSL_get_SSL_CTX(ssl) != ctx)
        use(ssl, ctx, tls);
}

/* ----- tickets ----- */

#if OPENSSL_VERSION_NUMBER >= 0x30000000L

#include <openssl/core_names.h>

/* The keys of the virtual host that mod_ssl does the handshake for. */
static const snivhost_keyfile_t *keys_of(SSL *ssl)
{
    conn_rec *c = SSL_get_app_data(ssl);
    const snivhost_conn_t *conn = c ? snivhost_conn(c) : NULL;

    return conn && conn->hello_seen
           ? snivhost_conf(SNIVHOST_SERVER(&conn->sni))->keyfile : NULL;
}

/* What mod_ssl's ssl_callback_SessionTicket() does, with keys that it has not
 * got for lean virtual hosts. The secret is that of the file: httpd 2.4.71
 * with OpenSSL 3 was seen to sign with an empty one. Then a ticket of a server
 * without lean virtual hosts is not accepted here, nor the other way round;
 * a full handshake follows. */
static int ticket_callback(SSL *ssl, unsigned char *name, unsigned char *iv,
                           EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int make)
{
    const snivhost_keyfile_t *keys = keys_of(ssl);
    OSSL_PARAM params[3];

    if (!keys)
        return make ? -1 : 0;
    if (make) {
        memcpy(name, keys->name, sizeof(keys->name));
        if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1
            || !EVP_EncryptInit_ex(cipher, EVP_aes_128_cbc(), NULL,
                                   keys->aes_key, iv)) {
            return -1;
        }
    }
    else if (memcmp(name, keys->name, sizeof(keys->name))) {
        return 0;
    }
    else if (!EVP_DecryptInit_ex(cipher, EVP_aes_128_cbc(), NULL,
                                 keys->aes_key, iv)) {
        return -1;
    }
    params[0] = OSSL_PARAM_construct_octet_string(
        OSSL_MAC_PARAM_KEY, (void *)keys->hmac_secret,
        sizeof(keys->hmac_secret));
    params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                                 (char *)"sha256", 0);
    params[2] = OSSL_PARAM_construct_end();
    return EVP_MAC_CTX_set_params(mac, params) ? 1 : -1;
}

void snivhost_donor_init_server(const server_rec *s, SSL_CTX *ctx)
{
    if (snivhost_conf(s)->keyfile)
        SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_callback);
}

#else

void snivhost_donor_init_server(const server_rec *s, SSL_CTX *ctx)
{
    (void)s;
    (void)ctx;
}

#endif
