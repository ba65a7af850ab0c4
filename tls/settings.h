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


#ifndef SNIVHOST_TLS_SETTINGS_H
#define SNIVHOST_TLS_SETTINGS_H

/**
 * @file tls/settings.h
 * What an administrator has written about TLS for each virtual host, read
 * from httpd's tree of directives. The one reader of TLS directives: who can
 * share an SSL_CTX (tls/share.h), what SSLVHostSNIPolicy compares
 * (tls/sni_policy.h), and whether a virtual host has TLS at all are questions
 * about what is read here.
 *
 * mod_ssl's own records are private. So this reads the same lines that
 * mod_ssl has read, with the same inheritance (main server, then the virtual
 * host) and the same "the last line wins", and keeps each value as mod_ssl
 * understands it. It is a list of what is understood: a line about TLS that
 * is not on it is an *obstacle* to sharing.
 *
 * Reads the tree and never changes it: from check_config on, as long as the
 * configuration lives. The results live in the pool that they were made
 * from and belong to one thread.
 */

#include "httpd.h"
#include "http_config.h"

/** Directives whose value is kept. */
typedef enum {
    SNIVHOST_SET_VERIFY_DEPTH,
    SNIVHOST_SET_VERIFY_CLIENT,
    SNIVHOST_SET_CADN_PATH,
    SNIVHOST_SET_CADN_FILE,
    SNIVHOST_SET_CA_PATH,
    SNIVHOST_SET_CA_FILE,
    SNIVHOST_SET_CRL_PATH,
    SNIVHOST_SET_CRL_FILE,
    SNIVHOST_SET_CRL_CHECK,
    SNIVHOST_SET_OCSP_ENABLE,
    SNIVHOST_SET_OCSP_OVERRIDE,
    SNIVHOST_SET_OCSP_RESPONDER,
    SNIVHOST_SET_SRP_FILE,
    SNIVHOST_SET_COMMANDS,
    SNIVHOST_SET_PROTOCOL,
    SNIVHOST_SET_CIPHERS,
    SNIVHOST_SET_CIPHERS_13,
    SNIVHOST_SET_CERT_FILES,
    SNIVHOST_SET_KEY_FILES,
    SNIVHOST_SET_CHAIN_FILE,
    SNIVHOST_SET_ENGINE,
    SNIVHOST_SET_STRICT_SNI,
    SNIVHOST_SET_SNI_POLICY,
    SNIVHOST_SET_CIPHER_ORDER,
    SNIVHOST_SET_COMPRESSION,
    SNIVHOST_SET_TICKETS,
    SNIVHOST_SET_TICKET_KEYS,
    SNIVHOST_SET_RENEGOTIATION,
    SNIVHOST_SET_STAPLING,
    SNIVHOST_NSETTINGS
} snivhost_set_e;

/** The value of a directive, and where it is written. */
typedef struct snivhost_value_t {
    const char *text;               /**< as mod_ssl understands it; of a list
                                         its items with a line feed between */
    const ap_directive_t *node;     /**< the line; of a list the first */
    const apr_array_header_t *list; /**< const char *, of a list */
} snivhost_value_t;

/** Why a virtual host cannot share an SSL_CTX. */
typedef struct snivhost_obstacle_t {
    const char *what;               /**< "SSLOCSPEnable is on" */
    const ap_directive_t *node;     /**< the line, or NULL */
    int is_of_clients;              /**< it is about what clients show, not
                                         about the server's certificate */
} snivhost_obstacle_t;

/** The effective server-level TLS directives of one server. */
typedef struct snivhost_tlsconf_t {
    server_rec *server;
    const ap_directive_t *node;     /**< its <VirtualHost>; NULL: the main
                                         server, or not in the tree */
    int engine;                     /**< mod_ssl does its TLS: SSLEngine (or
                                         SNIVHostTLS) on, or a `Listen` with
                                         https and a certificate */
    int engine_said;                /**< something was said about it */
    int optional;                   /**< SSLEngine optional, of mod_ssl before
                                         httpd 2.4.64: plain, but with an
                                         SSL_CTX */
    int level;                      /**< security level: sniv_judge_level() */
    int managed;                    /**< mod_md gives it certificates */
    const apr_array_header_t *certs;    /**< const char *: absolute paths, as
                                             mod_ssl merges them; not NULL */
    const apr_array_header_t *keys;
    const char *chain;              /**< SSLCertificateChainFile or NULL */
    const apr_array_header_t *obstacles; /**< snivhost_obstacle_t; not NULL */
    const snivhost_value_t *of[SNIVHOST_NSETTINGS]; /**< NULL: not set */
} snivhost_tlsconf_t;

/** The TLS directives of all servers. */
typedef struct snivhost_tlsconfs_t snivhost_tlsconfs_t;

/**
 * Read the tree.
 * @param tree ap_conftree
 * @param main_server the first of all servers; names have to be final
 * @param p the results live here
 * @param ptemp for the time of the call
 */
snivhost_tlsconfs_t *snivhost_tlsconf_read(const ap_directive_t *tree,
                                           server_rec *main_server,
                                           apr_pool_t *p, apr_pool_t *ptemp);

/**
 * The same for the main server and a few others, also in a running server,
 * by any thread: needs no more memory than these. What is managed by mod_md
 * only because it shares a name with others that are is not seen.
 * @param only the others
 */
snivhost_tlsconfs_t *snivhost_tlsconf_read_some(const ap_directive_t *tree,
                                                server_rec *main_server,
                                                server_rec *const *only,
                                                int nonly, apr_pool_t *p,
                                                apr_pool_t *ptemp);

/** The protocol that connections to a server speak: of its own lines, or of the
 * Listen line that it belongs to, also under -t; "http" if none says it. */
const char *snivhost_tlsconf_protocol(server_rec *s);

/** What is in effect for a server; never NULL for one that was read. */
const snivhost_tlsconf_t *snivhost_tlsconf_get(const snivhost_tlsconfs_t *all,
                                               const server_rec *s);

/** The same, of the main server. */
const snivhost_tlsconf_t *
snivhost_tlsconf_main(const snivhost_tlsconfs_t *all);

/** The text of a setting; NULL: not set. */
const char *snivhost_tlsconf_text(const snivhost_tlsconf_t *conf,
                                  snivhost_set_e what);

/** Whether a setting is "on". */
int snivhost_tlsconf_is_on(const snivhost_tlsconf_t *conf,
                           snivhost_set_e what);

/** The directive of a setting. */
const char *snivhost_tlsconf_name(snivhost_set_e what);

#endif /* SNIVHOST_TLS_SETTINGS_H */
