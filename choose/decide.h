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

#ifndef SNIVHOST_CHOOSE_DECIDE_H
#define SNIVHOST_CHOOSE_DECIDE_H

/**
 * @file choose/decide.h
 * (address set, name, path) -> which virtual host, and by which rule.
 *
 * The one place where a virtual host is chosen: the hooks, the explanations,
 * the lint and the tests all call it, so that what is explained is what is
 * done. Pure; any thread; no allocation, no lock.
 */

#include "choose/table.h"

/** Why a virtual host was chosen. */
typedef enum {
    SNIV_RULE_MAIN,         /**< no address set: the main server */
    SNIV_RULE_IP,           /**< alone on its address: names not looked at */
    SNIV_RULE_SERVERNAME,   /**< its ServerName matched */
    SNIV_RULE_ALIAS,        /**< an exact ServerAlias matched */
    SNIV_RULE_GLOB,         /**< a ServerAlias with wildcards matched */
    SNIV_RULE_ADDRESS_TEXT, /**< the text in <VirtualHost text> matched */
    SNIV_RULE_PATH,         /**< no name given, its ServerPath matched */
    SNIV_RULE_DEFAULT,      /**< a name was given and no member has it */
    SNIV_RULE_DEFAULT_NO_NAME /**< no name was given */
} sniv_rule_e;

/** A decision. */
typedef struct sniv_decision_t {
    const sniv_set_t *set;      /**< NULL for SNIV_RULE_MAIN */
    const sniv_vhost_t *vhost;  /**< never NULL */
    sniv_rule_e rule;
    const char *pattern;        /**< the name, alias, glob, text or path that
                                     matched; NULL for the other rules */
    int is_known;               /**< whether a virtual host of the set has the
                                     name. A handshake's decision always says
                                     it; for a request ask sniv_decide_knows()
                                     */
} sniv_decision_t;

/** The name of a rule as the documentation writes it: "servername", ... */
const char *sniv_rule_name(sniv_rule_e rule);

/**
 * The name step of a TLS handshake. Unlike a request it knows no
 * <VirtualHost> texts and no ServerPath, and takes the name as it is.
 * @param set from sniv_table_find(); NULL: the main server
 * @param name the server name, not NUL-terminated; NULL if there was none
 */
void sniv_decide_sni(const sniv_table_t *table, const sniv_set_t *set,
                     const char *name, apr_size_t len,
                     sniv_decision_t *decision);

/**
 * The name step of a request.
 * @param host r->hostname, normalised by core; NULL if there was none
 * @param path r->uri, for ServerPath; NULL if there is none
 */
void sniv_decide_request(const sniv_table_t *table, const sniv_set_t *set,
                         const char *host, const char *path,
                         sniv_decision_t *decision);

/**
 * Whether a virtual host of the address set has the host that a request was
 * decided by. Where names choose nothing (a set of one, the main server) the
 * decision has not asked, and this does. A <VirtualHost> text is a name only
 * if it stands for one address: `*`, `_default_`, `0.0.0.0` and `[::]` stand
 * for any, although httpd takes them for names when it chooses.
 * @param host the one of sniv_decide_request(), not NULL
 */
int sniv_decide_knows(const sniv_table_t *table, const sniv_decision_t *d,
                      const char *host);

/**
 * Every member that would have been chosen had the ones before it not been
 * there, best first, the winner included, the default last. For
 * explanations: looks at every name.
 * @param is_sni whether this is a handshake's question
 * @param host NUL-terminated, NULL if there is none
 * @param each called once per member, with the best rule it has; non-zero
 *        ends the walk
 * @param ptemp for the time of the call
 */
void sniv_decide_each(const sniv_table_t *table, const sniv_set_t *set,
                      int is_sni, const char *host, const char *path,
                      int (*each)(void *baton, const sniv_decision_t *),
                      void *baton, apr_pool_t *ptemp);

#endif /* SNIVHOST_CHOOSE_DECIDE_H */
