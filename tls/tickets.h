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

#ifndef SNIVHOST_TLS_TICKETS_H
#define SNIVHOST_TLS_TICKETS_H

/**
 * @file tls/tickets.h
 * TLS sessions that survive a restart (SNIVHostTicketRotation).
 *
 * Stock httpd leaves the keys of session tickets to OpenSSL, which makes new
 * ones with each SSL_CTX: no session resumes after a graceful restart. Here
 * the parent keeps secrets over restarts and derives the keys from them
 * (certs/ring.h), for groups of virtual hosts: those of one default whose TLS
 * directives are the same. Sessions of a virtual host whose directives have
 * changed do not resume, and which virtual hosts may resume each other's
 * sessions stays mod_ssl's business (its session id context).
 *
 * Left alone: virtual hosts with SSLSessionTicketKeyFile, those that are not
 * in the directive tree, and SSLCACertificatePath and SSLCARevocationPath,
 * whose files are not looked at.
 */

#include <openssl/ssl.h>

#include "module/record.h"

/** A virtual host's part: with this default, it is of this group. */
typedef struct snivhost_ticket_group_t {
    const server_rec *base;     /**< the default of an address set */
    struct snivhost_ticket_group_t *next;
    int group;
} snivhost_ticket_group_t;

/* The phases, for the hook table in mod_snivhost.c. */
int snivhost_tickets_post_config(apr_pool_t *p, apr_pool_t *plog,
                                 apr_pool_t *ptemp, server_rec *s);
int snivhost_tickets_monitor(apr_pool_t *p, server_rec *s);

#endif /* SNIVHOST_TLS_TICKETS_H */
