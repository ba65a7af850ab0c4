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

#ifndef SNIVHOST_SERVE_CERT_H
#define SNIVHOST_SERVE_CERT_H

/**
 * @file serve/cert.h
 * The certificate of a handshake: OpenSSL's certificate callback.
 *
 * A handshake starts with the SSL_CTX of the address's first virtual host, or
 * continues with that of the virtual host that was chosen by SNI. Another
 * certificate is put in its place, before OpenSSL has looked at any,
 *
 * 1. if the virtual host is lean and has certificate files: theirs;
 * 2. if it is lean and has none, or is the first one and has none, or if no
 *    virtual host has the name: the one that the folders of
 *    SNIVHostCertificates have for the name, if they do;
 * 3. else, if the files of the SSL_CTX's certificate have changed since
 *    mod_ssl has loaded them: what they hold now (tls/renewal.h).
 *
 * If that fails so does the handshake: the context's certificate is another
 * site's. So it does where there is none and the context has a stand-in
 * (tls/first.h).
 */

#include <openssl/ssl.h>

#include "certs/certs.h"
#include "module/record.h"

/** Set the callback on a server's SSL_CTX, if any virtual host needs it. */
void snivhost_cert_init_server(const server_rec *s, SSL_CTX *ctx);

/**
 * The rule above: the entry of the store for a virtual host that was chosen,
 * and a name. Any thread, when there is a store; also for explanations.
 * @param base the first virtual host of the address
 * @param is_known whether a virtual host of the address has the name
 * @param name NULL if there is none
 * @return SNIV_CERT_NONE: what the SSL_CTX has
 */
sniv_cert_id_t snivhost_cert_entry(const server_rec *s,
                                   const server_rec *base, int is_known,
                                   const char *name, apr_size_t len);

/**
 * A name may have a certificate for each kind of key in its folders.
 * @param cert what snivhost_cert_entry() has found
 * @param ids receives it, and those of other kinds
 * @return how many; 0 if they are not from folders
 */
int snivhost_cert_kinds(const server_rec *s, const char *name,
                        sniv_cert_id_t cert, sniv_cert_id_t ids[SNIV_KINDS]);

/**
 * Choose, when the hello has arrived and the virtual host is decided.
 * @param name the server name, not NUL-terminated; NULL if there was none
 */
void snivhost_cert_choose(snivhost_conn_t *conn, const char *name,
                          apr_size_t len);

/**
 * The handshake resumes a session: OpenSSL asks for no certificate then, and
 * SSL_SERVER_* variables would tell of the context's. For the moment when the
 * first message is sent.
 */
void snivhost_cert_resumed(snivhost_conn_t *conn, SSL *ssl);

#endif /* SNIVHOST_SERVE_CERT_H */
