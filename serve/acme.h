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

#ifndef SNIVHOST_SERVE_ACME_H
#define SNIVHOST_SERVE_ACME_H

/**
 * @file serve/acme.h
 * Challenges of certificate authorities that the first store has an answer
 * for: every server gives it, for any name, also one that SNIVHostUnknownHost
 * or SNIVHostUnknownSNI would refuse. An answer is given only as long as it is
 * valid, and only if it was put into the store with SNIVHostStoreKey.
 *
 * http-01 (RFC 8555, 8.3) is a file. tls-alpn-01 (RFC 8737) is a certificate
 * with the answer in it, which is made for each handshake that offers the
 * protocol acme-tls/1 and nothing else; such a connection serves nothing.
 * httpd has to allow the protocol (Protocols), as for mod_md, and it has to be
 * TLS 1.3, where it is chosen before the certificate.
 *
 * Any worker thread.
 */

#include <openssl/ssl.h>

#include "module/record.h"

#define SNIVHOST_ACME_TLS "acme-tls/1"

/** Whether the store has an answer to tls-alpn-01 for a name. */
int snivhost_acme_has(conn_rec *c, const char *name);

/** Whether answers may be in the store. Constant once the server runs. */
int snivhost_acme_is_on(void);

/**
 * Before the certificate of a handshake is chosen: if it is one for a
 * challenge that the store has an answer to, install that.
 * @return 1 installed, 0 it is another handshake, -1 it failed
 */
int snivhost_acme_install(snivhost_conn_t *conn, SSL *ssl);

/* The phases, for the hook table in mod_snivhost.c. */
int snivhost_acme_post_read_request(request_rec *r);
int snivhost_acme_protocol_propose(conn_rec *c, request_rec *r,
                                   server_rec *s,
                                   const apr_array_header_t *offers,
                                   apr_array_header_t *proposals);
int snivhost_acme_protocol_switch(conn_rec *c, request_rec *r, server_rec *s,
                                  const char *protocol);
const char *snivhost_acme_protocol_get(const conn_rec *c);

#endif /* SNIVHOST_SERVE_ACME_H */
