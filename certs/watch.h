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

#ifndef SNIVHOST_CERTS_WATCH_H
#define SNIVHOST_CERTS_WATCH_H

/**
 * @file certs/watch.h
 * Being woken when a certificate file may have changed (inotify).
 *
 * It marks what the next sniv_certs_look() looks at without a round; what has
 * changed is found there, the same as in a round. Watched are
 *
 *     - every folder of the store
 *     - where a file or folder is reached by a link: the folder of each link
 *       on the way (certbot, ..data of Kubernetes), and that of the file
 *     - of files that are named one by one: their folders
 *
 * Where not all can be watched (a limit, a network file system that others
 * write to) it is not complete, and rounds have to be made from time to time.
 *
 * For the process that looks, one thread.
 */

#include "certs/certs.h"

typedef struct sniv_watch_t sniv_watch_t;

/** @return NULL if this system has no such thing, or no more of them */
sniv_watch_t *sniv_watch_make(apr_pool_t *p);

/** To poll() for reading. */
int sniv_watch_fd(const sniv_watch_t *watch);

/**
 * Watch what the store has got since the last time, before and after a look.
 * What is new is marked: a change of it before that time has not been noticed.
 */
void sniv_watch_update(sniv_watch_t *watch, sniv_certs_t *certs);

/** Read what the system has to say, and mark what it concerns.
 * @return 1: not all was said, so make a round */
int sniv_watch_read(sniv_watch_t *watch, sniv_certs_t *certs);

/** Whether sniv_watch_update() has nothing to decide by and by. */
int sniv_watch_is_idle(const sniv_watch_t *watch);

/**
 * Whether every change is noticed.
 * @param preason receives why not: a phrase about folders, or NULL if it is
 *        the nature of the file system
 */
int sniv_watch_is_complete(const sniv_watch_t *watch, const char **preason);

#endif /* SNIVHOST_CERTS_WATCH_H */
