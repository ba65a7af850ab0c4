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

#ifndef SNIVHOST_TELL_EXPLAIN_H
#define SNIVHOST_TELL_EXPLAIN_H

/**
 * @file tell/explain.h
 * Which virtual host and which certificate a connection and a request get,
 * and every step that leads there.
 *
 * The decisions are made by sniv_decide_sni() and sniv_decide_request(), the
 * functions that serve. The Host header is read by httpd's own function, and
 * httpd is asked beside us: explanation_t.httpd_differs. What mod_ssl says
 * to a request afterwards comes from tls/sni_policy.h.
 */

#include "module/record.h"
#include "tell/question.h"
#include "tell/tlsfacts.h"
#include "tell/whole.h"

/** The parts of an explanation. */
typedef enum {
    SNIVHOST_PHASE_ADDRESS,
    SNIVHOST_PHASE_HANDSHAKE,
    SNIVHOST_PHASE_CERTIFICATE,
    SNIVHOST_PHASE_REQUEST,
    SNIVHOST_PHASE_CHECKS
} snivhost_phase_e;

/** One thing that happens on the way. */
typedef struct snivhost_step_t {
    snivhost_phase_e phase;
    const char *text;           /**< a sentence, plain text */
} snivhost_step_t;

/** A virtual host that would have been chosen but for others. */
typedef struct snivhost_other_t {
    snivhost_phase_e phase;     /**< HANDSHAKE or REQUEST */
    sniv_decision_t decision;
    const char *why;            /**< why it lost */
} snivhost_other_t;

typedef struct snivhost_explanation_t {
    const snivhost_question_t *question;
    const char *trouble;        /**< why there is no answer, a sentence with
                                     the remedy; NULL: there is one, and what
                                     follows is valid */
    const sniv_set_t *set;      /**< NULL: none, the main server */
    int speaks_tls;
    sniv_decision_t handshake;  /**< valid if speaks_tls */
    int alert;                  /**< the TLS alert that ends the handshake, 0:
                                     none. There is no request then, and
                                     what is about it is not valid */
    snivhost_tls_facts_t tls;   /**< of the certificate, if speaks_tls */
    const sniv_vhost_t *cert_vhost; /**< whose certificate is sent */
    const char *cert_trouble;   /**< why clients reject it, completes "the
                                     certificate"; or NULL */
    const char *hostname;       /**< the host as httpd reads it, or NULL */
    const char *uri;            /**< the path as httpd reads it */
    sniv_decision_t request;
    const char *rule;           /**< of the request; "early" if httpd refuses
                                     it before names are looked at */
    int status;                 /**< 400, 403, 421; 0: nothing in the choice
                                     of virtual hosts refuses it */
    const char *reason;         /**< of a status, a sentence */
    int allows[SNIVHOST_NSSLPOLICIES + 1];  /**< what each
                                     SSLVHostSNIPolicy says, if speaks_tls,
                                     and the built-in rule */
    snivhost_sslpolicy_e policy;        /**< the one that is configured */
    const char *unsure;         /**< why that may not be so, or NULL */
    const apr_array_header_t *differs;  /**< snivhost_difference_t, a is the
                                     handshake's; NULL: the same server */
    apr_array_header_t *steps;  /**< snivhost_step_t */
    apr_array_header_t *others; /**< snivhost_other_t */
    int nothers_left_out;
    snivhost_whole_t whole;     /**< what answers then, as far as it is
                                     known */
    const server_rec *httpd_differs;    /**< httpd's own walk comes to this
                                     other server: a bug of ours; NULL: no */
} snivhost_explanation_t;

/**
 * Answer a question.
 * @param p of the result
 */
const snivhost_explanation_t *snivhost_explain(const snivhost_facts_t *facts,
                                               const snivhost_question_t *q,
                                               apr_pool_t *p);

/** The name of a phase, lower case. */
const char *snivhost_phase_name(snivhost_phase_e phase);

/** "421 Misdirected Request", or that nothing refuses the request. */
const char *snivhost_status_text(int status);

/** "112, unrecognized_name", "80, internal_error". */
const char *snivhost_alert_text(int alert);

#endif /* SNIVHOST_TELL_EXPLAIN_H */
