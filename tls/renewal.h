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

#ifndef SNIVHOST_TLS_RENEWAL_H
#define SNIVHOST_TLS_RENEWAL_H

/**
 * @file tls/renewal.h
 * Renewal without a restart for TLS virtual hosts that mod_ssl has set up.
 *
 * The store has their certificate files, too, as they were when mod_ssl loaded
 * them. As long as they are the same the SSL_CTX serves; when the store has
 * others the certificate callback takes those. So what is judged, and what is
 * never served, is the same for lean virtual hosts and these.
 *
 * What only mod_ssl can prepare when it starts is left to it: a staple, a key
 * with a pass phrase or in a token, what mod_md provides.
 */

#include <openssl/ssl.h>

#include "tls/lean.h"

/** Note why virtual hosts require a restart, as far as directives say. */
void snivhost_renewal_by_directives(const snivhost_adoption_t *adoption);

/** ... and what is in their certificate files (SNIV_CERT_*). @return NULL:
 * nothing */
const char *snivhost_renewal_by_flags(const snivhost_tlsconf_t *conf,
                                      unsigned flags);

/** Whether the store should have the files of a virtual host, in case that
 * mod_ssl sets it up. */
int snivhost_renewal_is_possible(const snivhost_candidate_t *c);

/** The files are loaded, and who is lean is decided: the rest of it. */
void snivhost_renewal_by_files(const snivhost_adoption_t *adoption);

/** Whether any virtual host is going to be served from the store once its
 * files have changed. */
int snivhost_renewal_any(const snivhost_adoption_t *adoption);

/** Log how many require a restart, and why. */
void snivhost_renewal_report(const snivhost_adoption_t *adoption,
                             server_rec *s, apr_pool_t *ptemp);

/** mod_ssl has set up a virtual host: check that it has the certificates
 * that the store has. */
void snivhost_renewal_loaded(const server_rec *s, SSL_CTX *ctx);

/**
 * The entry of a virtual host that mod_ssl has set up, if its files have
 * changed since. Any thread, when there is a store.
 * @return SNIV_CERT_NONE: what the SSL_CTX has
 */
sniv_cert_id_t snivhost_renewal_entry(const server_rec *s);

#endif /* SNIVHOST_TLS_RENEWAL_H */
