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

#ifndef SNIVHOST_TELL_ANSWERS_H
#define SNIVHOST_TELL_ANSWERS_H

/**
 * @file tell/answers.h
 * What a client gets from a side (tell/side.h), by the functions that serve.
 * Pure: any thread, no allocation.
 */

#include "tell/probes.h"
#include "tell/side.h"

typedef struct snivhost_answer_t {
    const sniv_set_t *set;      /**< NULL: the main server */
    int tls;                    /**< the address speaks TLS */
    int alert;                  /**< it ends the handshake: there is no
                                     request; or 0 */
    int is_taken;               /**< httpd reads the Host */
    int status;                 /**< 400, 403, 421; 0: no refusal */
    sniv_decision_t handshake;  /**< valid with TLS */
    sniv_decision_t request;
    const snivhost_side_vhost_t *cert;  /**< of the virtual host whose
                                     certificate is sent */
} snivhost_answer_t;

/** The default of an address set, or the main server. */
const sniv_vhost_t *snivhost_first_of(const snivhost_side_t *side,
                                      const sniv_set_t *set);

/**
 * @param set of the connection
 * @param q what is asked for
 * @param sni in place of q->sni
 */
void snivhost_ask(const snivhost_side_t *side, const sniv_set_t *set,
                  const snivhost_probe_t *q, const char *sni,
                  snivhost_answer_t *a);

#endif /* SNIVHOST_TELL_ANSWERS_H */
