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


#ifndef SNIVHOST_MODULE_LIMIT_H
#define SNIVHOST_MODULE_LIMIT_H

/**
 * @file module/limit.h
 * Log lines that any client can cause: one a second of a kind and process,
 * which says how many it stands for. Any thread.
 */

#include "apr_pools.h"

/** One kind of line; static, zero at first. */
typedef struct snivhost_limit_t {
    apr_uint32_t second;
    apr_uint32_t unsaid;
} snivhost_limit_t;

/**
 * Whether a line may be written now.
 * @param unsaid receives how many could not since the last one
 */
int snivhost_may_say(snivhost_limit_t *limit, apr_uint32_t *unsaid);

/** " (and 12 like it since the last such line)", or "". */
const char *snivhost_unsaid_text(apr_pool_t *p, apr_uint32_t unsaid);

#endif /* SNIVHOST_MODULE_LIMIT_H */
