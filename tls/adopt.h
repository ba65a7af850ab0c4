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

#ifndef SNIVHOST_TLS_ADOPT_H
#define SNIVHOST_TLS_ADOPT_H

/**
 * @file tls/adopt.h
 * Lean TLS virtual hosts: which can be, and the switch in mod_ssl.
 *
 * mod_ssl gives each TLS virtual host an SSL_CTX and decodes its keys, twice
 * at every start. A *lean* one keeps its own mod_ssl record, with all that
 * mod_ssl decides by it, but uses the SSL_CTX of another virtual host with the
 * same TLS settings, its donor (tls/lean.h); its certificate comes from our
 * certificate callback. What is done:
 *
 *     check_config    the tables are final: judge by the directives
 *     post_config     before mod_ssl's: judge by the files (not in the first
 *                     of the two passes at start), then have mod_ssl's own
 *                     SSLEngine command say "off"
 *     post_config     after mod_ssl's: the same command says "on". Enabled,
 *                     and without an SSL_CTX: SSL_set_SSL_CTX(ssl, NULL) means
 *                     the one that the connection began with, and
 *                     serve/handshake.c continues to the donor's
 *
 * A virtual host that cannot be lean is left to mod_ssl as a whole; if it
 * was to be lean by hand (SNIVHostTLS On) the server does not start.
 *
 * Configuration time, one thread; snivhost_adopt_get() at any time.
 */

#include "tls/lean.h"

/**
 * What was decided for a server; NULL if nothing was: no mod_ssl, or neither
 * SNIVHostAdopt nor SNIVHostTLS is used.
 */
const snivhost_tls_t *snivhost_adopt_get(const server_rec *s);

/**
 * What SNIVHostTLS On does for mod_ssl: its own SSLEngine on.
 * @return NULL, or what is wrong
 */
const char *snivhost_adopt_engine_on(cmd_parms *cmd);

/* The phases, for the hook table in mod_snivhost.c. */
int snivhost_adopt_check_config(apr_pool_t *pconf, apr_pool_t *plog,
                                apr_pool_t *ptemp, server_rec *s);
void snivhost_adopt_test_config(apr_pool_t *pconf, server_rec *s);
int snivhost_adopt_before_ssl(apr_pool_t *pconf, apr_pool_t *plog,
                              apr_pool_t *ptemp, server_rec *s);
int snivhost_adopt_hide_ports(server_rec *s, apr_pool_t *p,
                              apr_array_header_t *cert_files,
                              apr_array_header_t *key_files);
int snivhost_adopt_after_ssl(apr_pool_t *pconf, apr_pool_t *plog,
                             apr_pool_t *ptemp, server_rec *s);

#endif /* SNIVHOST_TLS_ADOPT_H */
