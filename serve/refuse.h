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

#ifndef SNIVHOST_SERVE_REFUSE_H
#define SNIVHOST_SERVE_REFUSE_H

/**
 * @file serve/refuse.h
 * Unknown names: let the default answer, as httpd does, or refuse.
 *
 * SNIVHostUnknownSNI, SNIVHostMissingSNI, SNIVHostUnknownHost and
 * SNIVHostAllowHost, per address set: its first virtual host speaks for it,
 * the main server for all sets that say nothing. Frozen at start, read by any
 * thread. Not in force with SNIVHost Verify, where httpd decides.
 */

#include <openssl/ssl.h>

#include "module/record.h"

/** What is refused on one address set. */
typedef struct snivhost_refuse_t {
    unsigned unknown_sni:1;             /**< 1: refuse */
    unsigned missing_sni:1;
    unsigned unknown_host:1;
    unsigned allow_nameless:1;          /**< SNIVHostAllowHost - */
    const sniv_names_t *allow;          /**< or NULL */
} snivhost_refuse_t;

/**
 * Freeze what is refused on all sets.
 * @return by set number, the main server's last; entries are NULL where
 *         nothing is refused
 */
const snivhost_refuse_t *const *
snivhost_refuse_make(const sniv_table_t *table, apr_pool_t *p,
                       apr_pool_t *ptemp);

/**
 * Freeze one.
 * @param prefuse receives NULL if nothing is refused
 * @param conf what the first virtual host of the set has
 */
apr_status_t snivhost_refuse_freeze(const snivhost_refuse_t **prefuse,
                                    const snivhost_refuse_conf_t *conf,
                                    apr_pool_t *p, apr_pool_t *ptemp);

/** What is refused on a set of the running configuration, or NULL. */
const snivhost_refuse_t *snivhost_refuse_of(const sniv_set_t *set);

/**
 * Whether a ClientHello with this server name is refused, ACME challenges
 * aside. Also for explanations.
 * @param refuse may be NULL: nothing is refused
 * @param d the decision for this name
 * @param name NULL if there is none
 * @return 0 or SNIVHOST_REFUSED_*
 */
int snivhost_refuses_hello(const snivhost_refuse_t *refuse,
                                  const sniv_decision_t *d, const char *name,
                                  apr_size_t len);

/**
 * Whether a request is refused, ACME challenges aside.
 * @param d the decision for this host
 * @param host r->hostname
 * @return OK, or the HTTP status to refuse with
 */
int snivhost_refuses_request(const snivhost_refuse_t *refuse,
                                    const sniv_table_t *table,
                                    const sniv_decision_t *d,
                                    const char *host);

/**
 * Whether handshakes are refused on any address set. Known from
 * check_config on, before mod_ssl sets its contexts up.
 */
int snivhost_refuse_in_handshakes(void);

/**
 * Judge a ClientHello: sets conn->refused and conn->refused_name.
 * @param d the decision for its name
 * @param name its server name, NULL if there is none
 * @return whether it is refused for its name: then conn->offers_acme is to be
 *         set, too
 */
int snivhost_refuse_judge_hello(snivhost_conn_t *conn,
                                const sniv_decision_t *d, const char *name,
                                apr_size_t len);

/**
 * Refuse the handshake, or let it through for a challenge that mod_md is
 * going to answer and for nothing else. For OpenSSL's servername callback: it
 * is asked in every version of TLS, for resumed sessions too, when both are
 * known, and may say which alert is sent.
 * @param conn conn->refused is set
 * @return the alert to send, or 0
 */
int snivhost_refuse_handshake(snivhost_conn_t *conn, SSL *ssl);

/** The handshake was let through for a challenge and there is none. */
void snivhost_refuse_no_challenge(const snivhost_conn_t *conn);

/**
 * The same for a connection that is left to core: its names are those that
 * core's walk finds.
 * @param name SSL_get_servername(): that of the session in TLS 1.2, if one is
 *        resumed
 * @return the alert to send, or 0
 */
int snivhost_refuse_left_handshake(conn_rec *c, SSL *ssl, const char *name);

/* The phases, for the hook table in mod_snivhost.c. */
int snivhost_refuse_check_config(apr_pool_t *p, apr_pool_t *plog,
                                 apr_pool_t *ptemp, server_rec *s);
int snivhost_refuse_post_read_request(request_rec *r);
int snivhost_refuse_late_post_read_request(request_rec *r);

#endif /* SNIVHOST_SERVE_REFUSE_H */
