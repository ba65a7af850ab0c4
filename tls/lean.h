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

#ifndef SNIVHOST_TLS_LEAN_H
#define SNIVHOST_TLS_LEAN_H

/**
 * @file tls/lean.h
 * Which virtual hosts can be lean, and whose SSL_CTX each of them uses.
 *
 * A virtual host that has no reason against it is lean if another one, its
 * *donor*, has an SSL_CTX of mod_ssl's with the same settings. Of virtual
 * hosts with the same settings the first one that has a reason against it is
 * the donor, as the first of an address has; else the first of all.
 *
 * Configuration time, one thread: for tls/adopt.c.
 */

#include "certs/certs.h"
#include "module/record.h"
#include "tls/reasons.h"
#include "tls/share.h"

/** Who does the TLS of a virtual host. */
typedef enum {
    SNIVHOST_TLS_NONE,          /**< it has none */
    SNIVHOST_TLS_STOCK,         /**< mod_ssl as a whole */
    SNIVHOST_TLS_LEAN           /**< mod_ssl, with the SSL_CTX of a donor and
                                     our certificate */
} snivhost_tls_e;

/** What was decided for a server. */
typedef struct snivhost_tls_t {
    snivhost_tls_e how;
    const apr_array_header_t *why_not; /**< snivhost_reason_t; NULL if it is
                                     lean or adoption was not asked for */
    sniv_cert_id_t cert;        /**< of its certificate files, if lean */
    sniv_cert_id_t renewed;     /**< ... if mod_ssl has set it up: served as
                                     soon as they have changed */
    apr_uint64_t loaded;        /**< ... the version that mod_ssl has, too */
    const char *restart;        /**< why a renewal requires a restart, a
                                     phrase; NULL: it does not, or nothing
                                     was asked for */
    server_rec *donor;          /**< whose SSL_CTX it uses, if lean */
    int min_version, max_version; /**< of SSLProtocol; 0: the donor's */
    unsigned protocol_set:1;    /**< SSLProtocol is in effect: mod_ssl gives
                                     the connection limits */
    unsigned auto_chain:1;      /**< where a certificate file has no chain,
                                     OpenSSL looks for one in the CA files */
} snivhost_tls_t;

/** A virtual host while it is being judged. */
typedef struct snivhost_candidate_t {
    server_rec *s;
    const snivhost_tlsconf_t *conf;
    snivhost_tls_t *tls;
    int asked;                  /**< SNIVHostAdopt, or by hand */
    int by_hand;                /**< SNIVHostTLS: 1 On, -1 Off, 0 no line */
    apr_array_header_t *reasons; /**< against it: snivhost_reason_t; or NULL */
    int is_judged;              /**< by its files, too */
    const char *problem;        /**< neither we nor mod_ssl can use its files,
                                     or NULL */
    const char *problem_file;
    const char *parameters;     /**< snivhost_value_parameters() */
    const struct snivhost_candidate_t *donor;
    int nusers;                 /**< as a donor */
    apr_port_t port;            /**< s->port, while mod_ssl is at work */
    const apr_array_header_t *more_certs, *more_keys; /**< const char *: files
                                     of other modules, in conf too; or NULL */
    int waits;                  /**< mod_md has no certificate for it yet */
} snivhost_candidate_t;

/** What lasts from check_config to the end of post_config. */
typedef struct snivhost_adoption_t {
    const snivhost_tlsconfs_t *confs;   /**< of all servers */
    const sniv_table_t *table;  /**< for the address sets; not the live one */
    snivhost_candidate_t *candidates; /**< as the vhosts of the table */
    snivhost_sharing_t *sharing;
    apr_pool_t *p;              /**< for what is kept */
    apr_pool_t *ptemp;          /**< for what is not */
    int adopt;                  /**< SNIVHostAdopt On */
    int ntls;                   /**< with TLS */
    int nlean;
    int switched;               /**< mod_ssl's post_config is at work */
} snivhost_adoption_t;

/** Judge by the directives, then pair. */
void snivhost_lean_by_directives(snivhost_adoption_t *adoption,
                                 apr_pool_t *ptemp);

/** Ask the modules that provide certificate files (mod_md), and pair again. In
 * post_config, after mod_md's. */
void snivhost_lean_ask(snivhost_adoption_t *adoption, apr_pool_t *ptemp);

/** Judge by what is in the certificate files, and pair again. */
void snivhost_lean_by_files(snivhost_adoption_t *adoption, apr_pool_t *ptemp);

/** Note why those are not lean that are not, when everything is decided. */
void snivhost_lean_explain(snivhost_adoption_t *adoption);

/** The same of one of them, as text, at any time. */
const char *snivhost_lean_text(snivhost_adoption_t *adoption,
                               const snivhost_candidate_t *c);

/** Have a virtual host not be lean, for a reason. */
void snivhost_lean_refuse(snivhost_adoption_t *adoption,
                          snivhost_candidate_t *c, const char *why);

/** Whether a virtual host may become lean, as far as is known. */
int snivhost_lean_is_possible(const snivhost_candidate_t *c);

/** Whether its address's first virtual host makes tickets with keys from a
 * file. */
int snivhost_lean_needs_tickets(const snivhost_adoption_t *adoption);

/** The files of a virtual host, as the store wants them. */
void snivhost_lean_files(const snivhost_tlsconf_t *conf,
                         sniv_cert_files_t *files);

/** Log how many are lean, and why the others are not. */
void snivhost_lean_report(const snivhost_adoption_t *adoption, server_rec *s,
                          apr_pool_t *ptemp);

#endif /* SNIVHOST_TLS_LEAN_H */
