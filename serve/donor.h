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


#ifndef SNIVHOST_SERVE_DONOR_H
#define SNIVHOST_SERVE_DONOR_H

/**
 * @file serve/donor.h
 * The connection of a lean virtual host: it continues with the SSL_CTX of its
 * donor, and makes and reads session tickets with its own keys.
 */

#include <openssl/ssl.h>

#include "module/record.h"

/**
 * mod_ssl has given the connection of a lean virtual host the SSL_CTX that it
 * began with; now do with the donor's what mod_ssl's ssl_find_vhost() does.
 * Once, when OpenSSL asks about the first version after the ClientHello.
 * @param version that version
 * @return whether the limits of the virtual host allow it: OpenSSL has
 *         compared with its lower one before it asked
 */
int snivhost_donor_use(snivhost_conn_t *conn, SSL *ssl, int version);

/**
 * The same for a connection without a record of ours, in the certificate
 * callback.
 */
void snivhost_donor_use_late(const server_rec *s, SSL *ssl);

/** Put our ticket callback in place of mod_ssl's, if a lean virtual host needs
 * it. */
void snivhost_donor_init_server(const server_rec *s, SSL_CTX *ctx);

#endif /* SNIVHOST_SERVE_DONOR_H */
