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
 * Names that nobody serves: let the default answer, as httpd does, or refuse.
 *
 * SNIVHostUnknownSNI, SNIVHostMissingSNI, SNIVHostUnknownHost and
 * SNIVHostAllowHost, per address set: its first virtual host speaks for it,
 * the main server for all sets that say nothing. Frozen at start, read by any
 * thread. Not in force with SNIVHost Verify, where httpd decides.
 */

#include "module/record.h"

#include <openssl/ssl.h>

/** What holds for one address set. */
typedef struct snivhost_policy_t {
    unsigned unknown_sni:1;             /**< 1: refuse */
    unsigned missing_sni:1;
    unsigned unknown_host:1;
    unsigned allow_nameless:1;          /**< SNIVHostAllowHost - */
    const sniv_names_t *allow;          /**< or NULL */
} snivhost_policy_t;

/**
 * Freeze the policies of all sets.
 * @return by set number, the main server's last; entries are NULL where
 *         nothing is refused
 */
const snivhost_policy_t *const *
snivhost_policies_make(const sniv_table_t *table, apr_pool_t *p,
                       apr_pool_t *ptemp);

/** The policy of a set of the running configuration, or NULL. */
const snivhost_policy_t *snivhost_policy(const sniv_set_t *set);

/**
 * What a policy says to a ClientHello with this server name, ACME challenges
 * aside. Also for explanations.
 * @param policy may be NULL: nothing is refused
 * @param d the decision for this name
 * @param name NULL if there is none
 * @return 0 or SNIVHOST_REFUSED_*
 */
int snivhost_policy_refuses_hello(const snivhost_policy_t *policy,
                                  const sniv_decision_t *d, const char *name,
                                  apr_size_t len);

/**
 * What a policy says to a request, ACME challenges aside.
 * @param d the decision for this host
 * @param host r->hostname
 * @return OK, or the HTTP status to refuse with
 */
int snivhost_policy_refuses_request(const snivhost_policy_t *policy,
                                    const sniv_table_t *table,
                                    const sniv_decision_t *d,
                                    const char *host);

/**
 * Whether a handshake policy is in force in any address set. Known from
 * check_config on, before mod_ssl sets its contexts up.
 */
int snivhost_policy_in_handshakes(void);

/**
 * Judge a ClientHello: sets conn->refused.
 * @param d the decision for its name
 * @param name its server name, NULL if there is none
 * @param offers_acme whether it offers acme-tls/1 and nothing else
 */
void snivhost_policy_judge_hello(snivhost_conn_t *conn,
                                 const sniv_decision_t *d, const char *name,
                                 apr_size_t len, int offers_acme);

/**
 * Refuse the handshake, or let it through for a challenge that mod_md is
 * going to answer and for nothing else. For OpenSSL's servername callback: it
 * is asked in every version of TLS, for resumed sessions too, when both are
 * known, and may say which alert is sent.
 * @param conn conn->refused is set
 * @return the alert to send, or 0
 */
int snivhost_policy_refuse_handshake(snivhost_conn_t *conn, SSL *ssl);

/** The handshake was let through for a challenge and there is none. */
void snivhost_policy_no_challenge(snivhost_conn_t *conn);

/**
 * Judge a request that was decided.
 * @param d the decision
 * @param last whether other modules have had their post_read_request: before
 *        that, what mod_md might serve as an ACME challenge is let through
 * @return OK, or the HTTP status to refuse with
 */
int snivhost_policy_judge_request(request_rec *r, const snivhost_conn_t *conn,
                                  const sniv_decision_t *d, int last);

/* The phases, for the hook table in mod_snivhost.c. */
int snivhost_policy_check_config(apr_pool_t *p, apr_pool_t *plog,
                                 apr_pool_t *ptemp, server_rec *s);
int snivhost_policy_post_read_request(request_rec *r);

#endif /* SNIVHOST_SERVE_REFUSE_H */
