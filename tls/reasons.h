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


#ifndef SNIVHOST_TLS_REASONS_H
#define SNIVHOST_TLS_REASONS_H

/**
 * @file tls/reasons.h
 * Why a virtual host is not lean: every reason, with the line that it is
 * about. As data, because of thousands of virtual hosts each may have some:
 * the texts are shared, and become sentences where they are asked for.
 */

#include "apr_tables.h"
#include "httpd.h"
#include "http_config.h"

/** One reason. */
typedef struct snivhost_reason_t {
    const char *kind;           /**< the same text for all like it */
    const char *text;           /**< a phrase that completes "not lean:";
                                     SNIVHOST_REASON_PLACE in it is where its
                                     place belongs, else that is at the end */
    const ap_directive_t *node; /**< the line, or NULL */
} snivhost_reason_t;

#define SNIVHOST_REASON_PLACE "\1"

/**
 * Add one.
 * @param reasons of snivhost_reason_t; *reasons may be NULL
 * @param text NULL: as the kind
 */
void snivhost_reason_add(apr_array_header_t **reasons, const char *kind,
                         const char *text, const ap_directive_t *node,
                         apr_pool_t *p);

/** The phrase, with its place: `SSLOCSPEnable is on (tls.conf:7)`. */
const char *snivhost_reason_text(const snivhost_reason_t *reason,
                                 apr_pool_t *p);

/** The phrase without its place. */
const char *snivhost_reason_phrase(const snivhost_reason_t *reason,
                                   apr_pool_t *p);

/** All of them, with a semicolon between; NULL if there are none. */
const char *snivhost_reasons_text(const apr_array_header_t *reasons,
                                  apr_pool_t *p);

#endif /* SNIVHOST_TLS_REASONS_H */
