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

#ifndef SNIVHOST_TLS_STORE_H
#define SNIVHOST_TLS_STORE_H

/**
 * @file tls/store.h
 * The certificate store of the running configuration: SNIVHostCertificates,
 * SNIVHostCertificateCheck, SNIVHostCertificateCache.
 *
 *     check_config    is what is written possible?
 *     post_config     before mod_ssl's, in the second of the two passes at
 *                     start: make the store, note the folders. (The files of
 *                     lean virtual hosts are noted by tls/adopt.c.)
 *     post_config     as soon as all files are noted: read them, as root
 *     post_config     after all others: let children inherit it. Daemons that
 *                     other modules fork in post_config inherit no key
 *     post_config     the very last: start the keeper (tls/keeper.h), which
 *                     looks for changes from now on
 *     monitor         in the parent, about every 10 seconds: where there is no
 *                     keeper, look for changes
 *     test_config     with -t: read all files and tell what is wrong
 *
 * Words for the administrator are here; what they are about is in
 * certs/certs.h.
 */

#include "certs/certs.h"
#include "module/record.h"

/** The store, or NULL if nothing needs one. Any thread of any process. */
sniv_certs_t *snivhost_store(void);

/** Whether files are looked at after the start: SNIVHostCertificateCheck. */
int snivhost_store_is_renewed(void);

/** Make sure that there is a store. For post_config, before mod_ssl's. Without
 * memory there is none, which is logged. */
void snivhost_store_make(apr_pool_t *pconf);

/**
 * End it if there are no folders: no virtual host is lean after all. In
 * post_config, before it is published.
 */
void snivhost_store_end(const server_rec *main_server);

/**
 * Read all files that were noted, and the folders. Does nothing the second
 * time. What there is to tell is told at the end of post_config, without the
 * entries that were forgotten until then.
 */
void snivhost_store_load(server_rec *main_server, apr_pool_t *pconf);

/**
 * Whether a handshake that starts with this server may get a certificate
 * from folders.
 */
int snivhost_store_serves(const server_rec *s);

/**
 * The folders for who looks at the configuration: the store, if it is loaded,
 * else what was read for the purpose, in check_config of a start.
 * @return NULL: there are none, or they could not be read
 */
sniv_certs_t *snivhost_store_look(server_rec *main_server, apr_pool_t *p);

/** What was, or is now, read for the purpose, also if the store is loaded: not
 * served from, so entries may be dropped. NULL: out of memory. */
sniv_certs_t *snivhost_store_early(apr_pool_t *p);

/** The scope of a server in what snivhost_store_look() returns. */
sniv_scope_t snivhost_store_scope(sniv_certs_t *certs, const server_rec *s);

/** Whether a file or folder of it could not be opened, so that what is not
 * found may be there. */
int snivhost_store_is_partial(void);

/** The entry of a server: by ServerName, else by the first ServerAlias that
 * has one. */
sniv_cert_id_t snivhost_store_find(const sniv_certs_t *certs,
                                   sniv_scope_t scope, const server_rec *s);

/** Whether the folders of a server make a name known: they have a certificate
 * for it, other than a self-signed wildcard. */
int snivhost_store_has(const server_rec *s, const char *name,
                       apr_size_t len);

/**
 * Who looks for changed certificates, as any process sees it.
 * @param looks receives when; all zero if there is nothing to look at
 * @return "off", "waiting" (for changes), "looking", "gone" (it has died)
 */
const char *snivhost_store_keeper(sniv_certs_looks_t *looks);

/* The phases, for the hook table in mod_snivhost.c. */
int snivhost_store_check_config(apr_pool_t *pconf, apr_pool_t *plog,
                                apr_pool_t *ptemp, server_rec *s);
void snivhost_store_test_config(apr_pool_t *pconf, server_rec *s);
int snivhost_store_before_ssl(apr_pool_t *pconf, apr_pool_t *plog,
                              apr_pool_t *ptemp, server_rec *s);
int snivhost_store_load_before_ssl(apr_pool_t *pconf, apr_pool_t *plog,
                                   apr_pool_t *ptemp, server_rec *s);
int snivhost_store_publish(apr_pool_t *pconf, apr_pool_t *plog,
                           apr_pool_t *ptemp, server_rec *s);
int snivhost_store_keep(apr_pool_t *pconf, apr_pool_t *plog,
                        apr_pool_t *ptemp, server_rec *s);
int snivhost_store_monitor(apr_pool_t *p, server_rec *s);

#endif /* SNIVHOST_TLS_STORE_H */
