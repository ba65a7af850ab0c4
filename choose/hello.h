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

#ifndef SNIVHOST_CHOOSE_HELLO_H
#define SNIVHOST_CHOOSE_HELLO_H

/**
 * @file choose/hello.h
 * ClientHello bytes -> the server name (SNI), or why there is none.
 *
 * This accepts and refuses exactly what mod_ssl's client_hello callback does
 * (ssl_callback_ClientHello in ssl_engine_kernel.c), because the name found
 * here has to be the name that mod_ssl is about to search for. It does not
 * judge the message: OpenSSL does that, later, and sends the alerts.
 * Pure and re-entrant; reads within [msg, msg + len) only, never writes.
 */

#include <apr.h>

/** What a ClientHello says about the server name. */
typedef enum {
    SNIV_HELLO_NAME,        /**< there is a name */
    SNIV_HELLO_NO_SNI,      /**< no server_name extension */
    SNIV_HELLO_MALFORMED,   /**< a server_name extension that mod_ssl would
                                 not read: it searches for nothing */
    SNIV_HELLO_NOT_HELLO    /**< not a whole ClientHello handshake message */
} sniv_hello_e;

/**
 * Find the server name in a ClientHello.
 * @param msg the handshake message with its 4-byte header (RFC 8446, 4)
 * @param len its length in bytes
 * @param name set for SNIV_HELLO_NAME: points into msg, not NUL-terminated,
 *        up to the first NUL if there is one (mod_ssl compares C strings)
 * @param name_len its length, may be 0
 */
sniv_hello_e sniv_hello_server_name(const unsigned char *msg, apr_size_t len,
                                    const char **name, apr_size_t *name_len);

/**
 * The same for the content of a server_name extension alone.
 * @param data points to its first byte after type and length
 * @return SNIV_HELLO_NAME or SNIV_HELLO_MALFORMED
 */
sniv_hello_e sniv_hello_server_name_in(const unsigned char *data,
                                       apr_size_t len, const char **name,
                                       apr_size_t *name_len);

/**
 * Whether there may be another ClientHello, encrypted, inside (ECH, RFC
 * 9849): it has the extension encrypted_client_hello, or cannot be read. A
 * client that has no key sends the extension as well, with random bytes.
 */
int sniv_hello_may_be_outer(const unsigned char *msg, apr_size_t len);

/**
 * Whether a ClientHello offers exactly one application protocol, this one
 * (ALPN, RFC 7301). An ACME server does so for tls-alpn-01 (RFC 8737).
 * @param protocol NUL-terminated
 */
int sniv_hello_offers_only(const unsigned char *msg, apr_size_t len,
                           const char *protocol);

/** The same for the content of an ALPN extension alone. */
int sniv_hello_offers_only_in(const unsigned char *data, apr_size_t len,
                              const char *protocol);

#endif /* SNIVHOST_CHOOSE_HELLO_H */
