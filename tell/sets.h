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

#ifndef SNIVHOST_TELL_SETS_H
#define SNIVHOST_TELL_SETS_H

/**
 * @file tell/sets.h
 * Address sets in order, what listens, how many names there are.
 */

#include "module/record.h"

/** Whether something listens on an address. */
int snivhost_facts_listens(const sniv_ip_t *ip, apr_port_t port);

/** All sets in the order in which an address is looked for, file order
 * within each step. */
const sniv_set_t **snivhost_sets_in_order(const sniv_table_t *table,
                                          apr_pool_t *p);

/** ServerNames and ServerAliases of all virtual hosts. */
int snivhost_count_names(const sniv_table_t *table);

#endif /* SNIVHOST_TELL_SETS_H */
