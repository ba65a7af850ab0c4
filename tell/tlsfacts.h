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

#ifndef SNIVHOST_TELL_TLSFACTS_H
#define SNIVHOST_TELL_TLSFACTS_H

/**
 * @file tell/tlsfacts.h
 * Who does the TLS of a virtual host, and which certificate a client is
 * shown: from the certificate files under -t, from memory in a running server.
 */

#include "certs/certs.h"
#include "tell/facts.h"
#include "tls/reasons.h"

/** Who does the TLS of a virtual host, and the certificate it serves. */
typedef struct snivhost_tls_facts_t {
    const char *how;            /**< "none", "mod_ssl", "lean" */
    const char *why_not;        /**< of mod_ssl, where adoption was asked for:
                                     completes "not lean:"; or NULL */
    const char *restart;        /**< of mod_ssl, likewise: why a renewed
                                     certificate requires a restart; or
                                     NULL */
    const apr_array_header_t *reasons; /**< the same as data,
                                     snivhost_reason_t */
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

#endif /* SNIVHOST_TELL_TLSFACTS_H */
