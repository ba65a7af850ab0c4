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


#ifndef SNIVHOST_TOOL_MIRROR_H
#define SNIVHOST_TOOL_MIRROR_H

/**
 * @file tool/mirror.h
 * A folder that holds what a store holds, for as long as this process runs.
 *
 *     COPY/certs/HH/ID.entry.pem      the entries, byte for byte
 *     COPY/state                      how it is going, for the module
 *     COPY/lock                       held by the process that writes
 *     COPY/ring.store, COPY/ring.new, COPY/challenges/ID
 *                                     see tool/exchange.h
 *
 * Nothing is taken away because the store cannot be read, and no more than
 * half of all at once (at least ten may go) unless PREFIX:allow-removals is
 * the version.
 */

#include "tool/redis.h"

#define MIRROR_RING 1           /* secrets of session tickets */
#define MIRROR_CHALLENGES 2     /* answers to challenges */

/**
 * Keep a copy until a signal ends the process. Standard output is closed when
 * the first attempt is over.
 * @param parent ends with this process, if not 0
 * @param with what else is exchanged
 * @return the process' exit status
 */
int mirror_run(const sniv_store_url_t *url, pid_t parent, int with,
               apr_pool_t *p);

#endif /* SNIVHOST_TOOL_MIRROR_H */
