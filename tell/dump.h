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

#ifndef SNIVHOST_TELL_DUMP_H
#define SNIVHOST_TELL_DUMP_H

/**
 * @file tell/dump.h
 * What `apache2 -t` prints for us: -D DUMP_SNIVHOST, -D DUMP_SNIVHOST_JSON,
 * and the answers to SNIVHostExplain. Configuration time, one thread.
 */

#include <jansson.h>

#include "module/record.h"
#include "tell/facts.h"

/**
 * The configuration as a JSON document, the caller's.
 * @param with_certs whether certificates are described too
 */
json_t *snivhost_dump_json(const snivhost_facts_t *facts, int with_certs,
                           apr_pool_t *p);

/* The phases, for the hook table in mod_snivhost.c. */
int snivhost_dump_check_config(apr_pool_t *p, apr_pool_t *plog,
                               apr_pool_t *ptemp, server_rec *s);
void snivhost_dump_test_config(apr_pool_t *p, server_rec *s);

#endif /* SNIVHOST_TELL_DUMP_H */
