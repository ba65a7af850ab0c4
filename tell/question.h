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

#ifndef SNIVHOST_TELL_QUESTION_H
#define SNIVHOST_TELL_QUESTION_H

/**
 * @file tell/question.h
 * A question to explain: a connection to an address, perhaps a server name,
 * and a request.
 *
 * The same words in SNIVHostExplain and in the form of the status page. Any
 * thread; everything lives in the pool that is given.
 */

#include "module/record.h"

typedef struct snivhost_question_t {
    apr_sockaddr_t *local;      /**< the server's end of the connection; NULL:
                                     a URL was given and no address */
    sniv_ip_t ip;
    apr_port_t port;
    const char *sni;            /**< as the client sends it; NULL: none */
    const char *host;           /**< the Host header; NULL: none */
    const char *path;           /**< begins with a slash */
    int proto_num;              /**< HTTP_VERSION(1,1), (1,0) or 0: 1.1 with
                                     a host, 1.0 without one */
    int as_json;
} snivhost_question_t;

/**
 * Understand `ADDR:PORT [sni=NAME] [host=NAME] [path=/p] [http=1.0|1.1]
 * [format=text|json]`. A URL may stand in place of the address or behind it,
 * and says sni, host and path as a browser would send them.
 * @return NULL, or a sentence that says what is wrong and what to write
 */
const char *snivhost_question_parse(snivhost_question_t *q, apr_pool_t *p,
                                    const char *words);

/**
 * A question with a URL and no address, asked of each address that a client
 * with this URL may connect to: one question for each address set that has
 * its port and can be reached there.
 * @return an array of snivhost_question_t, at least one; q itself if it has
 *         an address
 */
const apr_array_header_t *
snivhost_question_addresses(const snivhost_question_t *q,
                            const sniv_table_t *table, apr_pool_t *p);

/** Understand the address alone. */
const char *snivhost_question_address(snivhost_question_t *q, apr_pool_t *p,
                                      const char *text);

/** Understand one `key=value`. */
const char *snivhost_question_set(snivhost_question_t *q, apr_pool_t *p,
                                  const char *key, const char *value);

/** The question in the words that ask it. */
const char *snivhost_question_text(const snivhost_question_t *q,
                                   apr_pool_t *p);

#endif /* SNIVHOST_TELL_QUESTION_H */
