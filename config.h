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

#ifndef SNIVHOST_CONFIG_H
#define SNIVHOST_CONFIG_H

/**
 * @file config.h
 * The directives, for the module record.
 */

#include "module/record.h"

extern const command_rec snivhost_commands[];
void *snivhost_create_server_conf(apr_pool_t *p, server_rec *s);
void *snivhost_merge_server_conf(apr_pool_t *p, void *basev, void *addv);

#endif /* SNIVHOST_CONFIG_H */
