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

#ifndef SNIVHOST_TELL_EXPECT_H
#define SNIVHOST_TELL_EXPECT_H

/**
 * @file tell/expect.h
 * SNIVHostExpect: a file of questions and of the answers that they must have.
 * -D DUMP_SNIVHOST_EXPECT writes one for the configuration as it is. Both
 * ask snivhost_explain(). Under -t, one thread.
 */

#include "module/record.h"

/* The phases, for the hook table in mod_snivhost.c. */
int snivhost_expect_check_config(apr_pool_t *p, apr_pool_t *plog,
                                 apr_pool_t *ptemp, server_rec *s);
void snivhost_expect_test_config(apr_pool_t *p, server_rec *s);

#endif /* SNIVHOST_TELL_EXPECT_H */
