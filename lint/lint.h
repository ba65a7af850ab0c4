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

#ifndef SNIVHOST_LINT_LINT_H
#define SNIVHOST_LINT_LINT_H

/**
 * @file lint/lint.h
 * Findings about a configuration, what is legal and yet cannot be meant: when
 * the checks run, and where their findings go.
 */

#include "lint/finding.h"

/**
 * Look at a configuration.
 * @param table its tables
 * @param with_notes not only warnings
 * @param p of the findings
 * @param ptemp for the time of the call
 * @return an array of snivhost_finding_t without those that are ignored, in
 *         the order of the configuration
 */
const apr_array_header_t *snivhost_lint_run(server_rec *main_server,
                                            const sniv_table_t *table,
                                            int with_notes, apr_pool_t *p,
                                            apr_pool_t *ptemp);

/* The phases, for the hook table in mod_snivhost.c. */
int snivhost_lint_check_config(apr_pool_t *p, apr_pool_t *plog,
                               apr_pool_t *ptemp, server_rec *s);
int snivhost_lint_post_config(apr_pool_t *p, apr_pool_t *plog,
                              apr_pool_t *ptemp, server_rec *s);
void snivhost_lint_test_config(apr_pool_t *p, server_rec *s);

#endif /* SNIVHOST_LINT_LINT_H */
