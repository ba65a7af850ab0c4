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


#ifndef SNIVHOST_TLS_FIRST_H
#define SNIVHOST_TLS_FIRST_H

/**
 * @file tls/first.h
 * Virtual hosts without SSLCertificateFile that mod_ssl sets up: the first
 * ones of their addresses, and all where nothing is lean.
 *
 * mod_ssl does not start without a certificate for each of them. It is given
 * the best one in their folders that it can use; if there is none, a stand-in
 * that is in no handshake: serve/cert.c refuses where it would be sent. So a
 * certificate that is deleted, weak or damaged stops no server.
 */

#include "module/record.h"

/** Whether an SSL_CTX has a stand-in. Any thread. */
int snivhost_first_is_standin(const server_rec *s);

/* The phases, for the hook table in mod_snivhost.c. */
int snivhost_first_check_config(apr_pool_t *pconf, apr_pool_t *plog,
                                apr_pool_t *ptemp, server_rec *s);
int snivhost_first_add_cert_files(server_rec *s, apr_pool_t *p,
                                  apr_array_header_t *cert_files,
                                  apr_array_header_t *key_files);
void snivhost_first_after_ssl(void);

#endif /* SNIVHOST_TLS_FIRST_H */
