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

#ifndef SNIVHOST_SERVE_HANDSHAKE_H
#define SNIVHOST_SERVE_HANDSHAKE_H

/**
 * @file serve/handshake.h
 * The choice of a virtual host in a TLS handshake: mod_ssl's hooks and
 * OpenSSL's callbacks.
 */

#include <openssl/ssl.h>

#include "module/record.h"

/* The phases, for the hook table in mod_snivhost.c. */
int snivhost_handshake_pre_config(apr_pool_t *p, apr_pool_t *plog,
                                  apr_pool_t *ptemp);
int snivhost_handshake_check_config(apr_pool_t *p, apr_pool_t *plog,
                                    apr_pool_t *ptemp, server_rec *s);
int snivhost_handshake_init_server(server_rec *s, apr_pool_t *p, int is_proxy,
                                   SSL_CTX *ctx);
int snivhost_handshake_pre_handshake(conn_rec *c, SSL *ssl, int is_proxy);

#endif /* SNIVHOST_SERVE_HANDSHAKE_H */
