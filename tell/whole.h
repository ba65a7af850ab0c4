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

#ifndef SNIVHOST_TELL_WHOLE_H
#define SNIVHOST_TELL_WHOLE_H

/**
 * @file tell/whole.h
 * What answers a request after its virtual host is chosen, as far as the
 * lines of the configuration say it without serving: a proxy, a Redirect, a
 * DocumentRoot; and where that knowledge ends.
 *
 * Lines at the level of the virtual host and of the main server are read, in
 * the order in which mod_proxy and mod_alias look at them. What is in
 * sections, in .htaccess files and in regular expressions is not.
 */

#include "module/record.h"
#include "tell/facts.h"

typedef struct snivhost_whole_t {
    const char *root;           /**< DocumentRoot; NULL: another one answers */
    const char *proxy;          /**< the URL that ProxyPass leads to */
    int status;                 /**< of a Redirect, 0: none */
    const char *location;       /**< where it leads to; NULL: nowhere */
    const ap_directive_t *line; /**< the ProxyPass or Redirect */
    const ap_directive_t *ends; /**< the first line that may change all this
                                     and is not understood here, or NULL */
    const char *versions;       /**< of TLS, as SSLProtocol has them; NULL:
                                     no TLS */
    const char *alpn;           /**< what ALPN can come to */
    const char *nameless;       /**< what a client without SNI gets; NULL:
                                     the same */
} snivhost_whole_t;

/**
 * What answers.
 * @param whole zeroed
 * @param s the virtual host of the request
 * @param uri the path as httpd reads it
 */
void snivhost_whole_request(snivhost_whole_t *whole,
                            const snivhost_facts_t *facts, server_rec *s,
                            const char *uri, apr_pool_t *p);

/** How it is asked: of the virtual host of the handshake. */
void snivhost_whole_handshake(snivhost_whole_t *whole,
                              const snivhost_facts_t *facts,
                              const sniv_set_t *set, server_rec *s,
                              const char *sni, apr_pool_t *p);

/** "301 to https://a.example/ (sites.conf:4)", ...; "" if nothing is
 * known. */
const char *snivhost_whole_text(const snivhost_whole_t *whole, apr_pool_t *p);

#endif /* SNIVHOST_TELL_WHOLE_H */
