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

#ifndef SNIVHOST_TLS_KEEPER_H
#define SNIVHOST_TLS_KEEPER_H

/**
 * @file tls/keeper.h
 * The keeper: a process that looks for changed certificates, so that the
 * parent reads no certificate file once the server runs.
 *
 *     parent  -- forks, watches, replaces -->  keeper: the one writer
 *        |                                       |
 *        +-- forks --> children  <-- read -- sealed memory
 *
 * It is root, or the user who has started httpd, with the one right to read
 * files; no new privileges, no core dump, nothing open but the error log. It
 * ends with its configuration, and with its parent however that ends. If it
 * dies, all serve what there is, and another one continues; from the second
 * time on after a pause that grows.
 *
 * Linux only, as memory that can be sealed is. Elsewhere, and with httpd -X,
 * the parent looks (tls/store.c).
 */

#include "certs/certs.h"
#include "module/record.h"
#include "tls/storelog.h"

/**
 * Start the keeper of a configuration, at the end of post_config.
 * @param interval between two rounds
 * @return 1, or 0: the parent has to look
 */
int snivhost_keeper_start(sniv_certs_t *certs, snivhost_storelog_t *log,
                          apr_interval_time_t interval, const server_rec *s,
                          apr_pool_t *pconf);

/**
 * In the parent, now and then: another one for a keeper that has died.
 * @return 0: there is none, the parent has to look
 */
int snivhost_keeper_monitor(void);

#endif /* SNIVHOST_TLS_KEEPER_H */
