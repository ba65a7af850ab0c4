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


#ifndef SNIVHOST_TLS_KEYFILE_H
#define SNIVHOST_TLS_KEYFILE_H

/**
 * @file tls/keyfile.h
 * The keys of SSLSessionTicketKeyFile. mod_ssl fills them in only where it
 * makes an SSL_CTX; for a lean virtual host its callback would use keys of
 * zero bytes. So we read the file, too.
 */

#include "module/record.h"

/** The parts of the file, as mod_ssl takes it apart (ssl_init_ticket_key). */
typedef struct snivhost_keyfile_t {
    unsigned char name[16];
    unsigned char hmac_secret[16];
    unsigned char aes_key[16];
} snivhost_keyfile_t;

/**
 * Read the keys of a server into its configuration, snivhost_conf_t.keyfile.
 * They are wiped with the pool. Configuration time, one thread.
 */
apr_status_t snivhost_keyfile_read(const server_rec *s, const char *path,
                                   apr_pool_t *p);

#endif /* SNIVHOST_TLS_KEYFILE_H */
