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

#ifndef SNIVHOST_TELL_STATUS_H
#define SNIVHOST_TELL_STATUS_H

/**
 * @file tell/status.h
 * The running server reports on itself: `SetHandler snivhost-status` (HTML,
 * JSON with ?format=json, numbers with ?format=prometheus), and a section in
 * mod_status' page.
 *
 * Nothing is served unless the administrator maps it, in <Location>: a
 * .htaccess file cannot. Parameters of the query string:
 *
 *     address, sni, host, path, http   a question, as in SNIVHostExplain
 *     set, page                        the virtual hosts of an address
 *     find                             virtual hosts by a part of a name
 *     certificates, page               the certificates that are served
 *     format=json                      the same for programs
 *     format=prometheus                numbers for a monitoring system
 *     dump                             with format=json: everything
 */

#include "module/counters.h"
#include "module/record.h"
#include "tell/explain.h"
#include "tell/facts.h"
#include "tell/question.h"

/** What a client wants to see. Strings are as the client sent them, decoded:
 * nothing is safe to print. */
typedef struct snivhost_view_t {
    const char *address;        /**< NULL: no question */
    const char *sni, *host, *path, *http;
    const char *find;           /**< NULL or empty: none */
    int set;                    /**< a set's number, -1: none */
    int page;                   /**< from 0 */
    int certificates;           /**< the list of them */
    int as_json;
    int as_metrics;
    int dump;
    snivhost_question_t question;
    const char *trouble;        /**< with the question, a sentence; NULL */
    const snivhost_explanation_t *answer;   /**< NULL: no question, or
                                     trouble */
} snivhost_view_t;

/**
 * The page (tell/page.c).
 * @param bb receives it
 */
void snivhost_page(apr_bucket_brigade *bb, request_rec *r,
                   const snivhost_facts_t *facts,
                   const snivhost_view_t *view);

/**
 * Numbers for Prometheus: its text format 0.0.4 (tell/metrics.c). Takes no
 * lock. Labels have a few constant values each: nothing of a client, of a
 * certificate or of the configuration is in them.
 */
void snivhost_metrics(apr_bucket_brigade *bb);

/* The phases, for the hook table in mod_snivhost.c. */
int snivhost_status_translate_name(request_rec *r);
int snivhost_status_handler(request_rec *r);
int snivhost_status_hook(request_rec *r, int flags);

#endif /* SNIVHOST_TELL_STATUS_H */
