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

#ifndef SNIVHOST_TELL_FACTS_H
#define SNIVHOST_TELL_FACTS_H

/**
 * @file tell/facts.h
 * Everything that an explanation, a dump or the status page looks things up
 * in: the tables, the TLS settings, the certificates.
 *
 * There are two ways to have them. Under -t they are made from the
 * configuration that has just been read, and certificates are described from
 * their files. In a running server they are made by the first question that
 * a child is asked, so that nobody pays who does not ask; certificates are
 * then described from memory, as they are served.
 */

#include "certs/certs.h"
#include "module/record.h"
#include "serve/refuse.h"
#include "tls/settings.h"
#include "tls/sni_policy.h"

typedef struct snivhost_facts_t {
    server_rec *main_server;
    const sniv_table_t *table;
    const snivhost_tlsconfs_t *tls;     /**< NULL: there is no mod_ssl */
    const snivhost_refuse_t *const *refuse;   /**< by set number, the main
                                             server's last; NULL: none */
    snivhost_mode_e mode;
    int is_live;
} snivhost_facts_t;

/** Who does the TLS of a virtual host, and the certificate it serves. */
typedef struct snivhost_tls_facts_t {
    const char *how;            /**< "none", "mod_ssl", "lean" */
    const char *why_not;        /**< of mod_ssl, where adoption was asked for:
                                     completes "not lean:"; or NULL */
    const char *source;         /**< where the certificate comes from:
                                     "files", "mod_md", "folders" or NULL */
    int has_cert;               /**< cert is valid */
    sniv_cert_info_t cert;
    const char *also;           /**< files of the same name with other kinds
                                     of keys; they are in cert, too */
    const char *problem;        /**< why there is none, a phrase; or NULL */
    const char *problem_file;   /**< the file that it is about, or NULL */
    server_rec *of;             /**< of a handshake: the virtual host whose
                                     certificate it is; else NULL */
    int is_refused;             /**< of a handshake: there is none, and no
                                     other takes its place: alert 80 */
    const char *unused;         /**< of a handshake: a file in a folder that
                                     is for the name, too, and not served
                                     because the virtual host has its own;
                                     or NULL */
} snivhost_tls_facts_t;

/**
 * Make the facts of a configuration that has been read: from check_config
 * on, one thread.
 * @param p of the result, which grows with what is asked
 */
apr_status_t snivhost_facts_make(snivhost_facts_t **pfacts,
                                 server_rec *main_server, apr_pool_t *p,
                                 apr_pool_t *ptemp);

/**
 * The facts of the running server, made when they are first asked for. They
 * are the caller's alone until snivhost_facts_release().
 * @return NULL if there is no memory
 */
const snivhost_facts_t *snivhost_facts_acquire(void);

/** Let others have them. */
void snivhost_facts_release(void);

/**
 * The TLS of a virtual host.
 * @param with_cert whether its certificate is wanted, which means to read
 *        the files under -t
 * @param p of what facts refers to
 */
void snivhost_facts_tls(const snivhost_facts_t *facts, server_rec *s,
                        int with_cert, snivhost_tls_facts_t *tls,
                        apr_pool_t *p);

/**
 * The certificate of a handshake.
 * @param d the decision by SNI
 * @param sni NULL: none
 */
void snivhost_facts_handshake(const snivhost_facts_t *facts,
                              const sniv_decision_t *d, const char *sni,
                              snivhost_tls_facts_t *tls, apr_pool_t *p);

/** Whether connections that start at this server speak TLS. */
int snivhost_facts_speaks_tls(const snivhost_facts_t *facts, server_rec *s);

/** Whether handshakes for this server, chosen by SNI, have a TLS context and
 * certificate of its own. */
int snivhost_facts_has_context(const snivhost_facts_t *facts, server_rec *s);

/** Whether something listens on an address. */
int snivhost_facts_listens(const sniv_ip_t *ip, apr_port_t port);

/** All sets in the order in which an address is looked for, file order
 * within each step. */
const sniv_set_t **snivhost_sets_in_order(const sniv_table_t *table,
                                          apr_pool_t *p);

/** ServerNames and ServerAliases of all virtual hosts. */
int snivhost_count_names(const sniv_table_t *table);

/* The phases, for the hook table in mod_snivhost.c. */
void snivhost_facts_child_init(apr_pool_t *p, server_rec *s);

#endif /* SNIVHOST_TELL_FACTS_H */
