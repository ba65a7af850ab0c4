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
 * from httpd's tree of directives.
 *
 * mod_ssl's own records are private. So this reads the same lines that
 * mod_ssl has read, with the same inheritance (main server, then the virtual
 * host) and the same "the last line wins", as far as it has to be known
 * whether two virtual hosts could share one SSL_CTX. It is a list of what is
 * understood: a line that is not on it is an *obstacle*.
 *
 * Reads the tree and never changes it: from check_config on, as long as the
 * configuration lives. The results live in the pool that they were made
 * from and belong to one thread.
 */

#include <httpd.h>
#include <http_config.h>

/** Directives whose value has to equal the default virtual host's. */
#define SNIVHOST_TLSCONF_SAME_MAX 20

/** The effective server-level TLS directives of one server. */
typedef struct snivhost_tlsconf_t {
    server_rec *server;
    const ap_directive_t *node;     /**< its <VirtualHost>; NULL: the main
                                         server, or not in the tree */
    int engine;                     /**< SSLEngine on (or SNIVHostTLS On) is
                                         in effect */
    int engine_said;                /**< something was said about it */
    int managed;                    /**< mod_md gives it certificates */
    int stapling;                   /**< SSLUseStapling on is in effect */
    int level;                      /**< security level: sniv_judge_level() */
    int client_cas;                 /**< SSLCACertificateFile or -Path is */
    int verify_client;              /**< something was said with these: */
    int verify_depth;
    int crl_check;
    int ocsp_enable;
    const apr_array_header_t *certs;    /**< const char *: absolute paths,
                                             as mod_ssl merges them */
    const apr_array_header_t *keys;
    const char *chain;              /**< SSLCertificateChainFile or NULL */
    const char *same[SNIVHOST_TLSCONF_SAME_MAX]; /**< normalised values */
    const char *obstacle;           /**< NULL, or a phrase that completes
                                         "it cannot share a TLS context:" */
    const ap_directive_t *obstacle_node; /**< the line, or NULL */
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

/** What is in effect for a server; never NULL for one that was read. */
const snivhost_tlsconf_t *snivhost_tlsconf_get(const snivhost_tlsconfs_t *all,
                                               const server_rec *s);

/**
 * The certificate or key files that are in effect for a virtual host.
 * @param base the main server's lines, add its own; either may be NULL
 */
const apr_array_header_t *
snivhost_tlsconf_merge_files(apr_pool_t *p, const apr_array_header_t *base,
                             const apr_array_header_t *add);

/**
 * The first directive whose effective value is not the same for both.
 * @return its name, NULL if there is none
 */
const char *snivhost_tlsconf_differs(const snivhost_tlsconf_t *a,
                                     const snivhost_tlsconf_t *b);

#endif /* SNIVHOST_TLS_SETTINGS_H */
