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

#ifndef SNIVHOST_CERTS_CHALLENGE_H
#define SNIVHOST_CERTS_CHALLENGE_H

/**
 * @file certs/challenge.h
 * Answers to the challenges of certificate authorities (RFC 8555, 8.3;
 * RFC 8737), on their way through a store to all servers.
 *
 * They are no secret, but whoever can make servers give one gets
 * certificates for their names. So they are signed (Ed25519) with a key that
 * is derived from that of the store (SNIVHostStoreKey), and servers need its
 * public half only: their children have no secret.
 *
 *     1 EXPIRES SIGNATURE CONTENT
 *
 * EXPIRES are seconds since 1970, SIGNATURE is 128 hex digits: of
 * "snivhost answer 1", PREFIX, ID, EXPIRES, CONTENT, with a NUL after each.
 * The ID is "http-01+TOKEN" or "tls-alpn-01+NAME", usable as an entry's is.
 *
 * Pure, any thread.
 */

#include <apr_time.h>

#include <openssl/x509.h>

#include "certs/envelope.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Bytes of an answer. */
#define SNIV_CHALLENGE_MAX 1024
/** How many there may be at once. */
#define SNIV_CHALLENGES_MAX 1000
/** Seconds that one may be given. */
#define SNIV_CHALLENGE_LIFE 3600

#define SNIV_CHALLENGE_HTTP "http-01+"
#define SNIV_CHALLENGE_ALPN "tls-alpn-01+"

typedef struct sniv_challenge_keys_t {
    int n;
    unsigned char keys[SNIV_STORE_KEYS_MAX][32];
} sniv_challenge_keys_t;

/** The public halves of keys. @return 0: OpenSSL has no Ed25519 */
int sniv_challenge_keys(sniv_challenge_keys_t *public_keys,
                     const sniv_store_keys_t *keys);

/** Whether an ID is one of an answer. */
int sniv_challenge_is_id(const char *id, apr_size_t len);

/**
 * Sign with the first key.
 * @param content printable, without blanks
 * @param out room for SNIV_CHALLENGE_MAX
 * @return bytes written, 0: it failed or is too long
 */
apr_size_t sniv_challenge_sign(const sniv_store_keys_t *keys,
                            const char *prefix, const char *id,
                            apr_int64_t expires, const char *content,
                            char *out);

/**
 * When an answer expires, without a look at its signature.
 * @param bytes with a NUL after them
 * @return 0: it is none
 */
apr_int64_t sniv_challenge_expires(const char *bytes);

/**
 * Read an answer that may be given.
 * @param bytes with a NUL after them
 * @param content receives where it begins; it ends with bytes
 * @return NULL, or a constant phrase that completes "the answer ..."
 */
const char *sniv_challenge_read(const sniv_challenge_keys_t *keys,
                             const char *prefix, const char *id,
                             const char *bytes, apr_time_t now,
                             const char **content);

/**
 * The certificate that answers tls-alpn-01 (RFC 8737, 3), with a key of its
 * own: nobody has to keep either.
 * @param name the server name that is asked for
 * @param content of the answer: a key authorization, or its SHA-256 as hex
 *        digits, with or without colons
 * @return 0: it cannot be made, or that is no name
 */
int sniv_challenge_cert(X509 **cert, EVP_PKEY **key, const char *name,
                        const char *content);

#ifdef __cplusplus
}
#endif

#endif /* SNIVHOST_CERTS_CHALLENGE_H */
