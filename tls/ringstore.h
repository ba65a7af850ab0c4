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

#ifndef SNIVHOST_TLS_RINGSTORE_H
#define SNIVHOST_TLS_RINGSTORE_H

/**
 * @file tls/ringstore.h
 * One ring of session ticket secrets for all servers of a store.
 *
 *     PREFIX:ring --> snivhost-store copy --> ring.store --> take()
 *     PREFIX:ring <-- if it is still the    <-- ring.new  <-- offer()
 *                     one that was read
 *
 * The parent takes what the store has, and where that is overdue it offers
 * the next one. The program puts an offer into the store only in place of the
 * ring that it was made from, so of several offers one is put, and everybody,
 * its maker too, uses what was put. No lease is needed for that: nothing is
 * done that only one may do, and who is late or sleeps has offered in vain. A
 * ring that was not put is used by nobody, so there are never two.
 *
 * The ring in use is kept beside them, sealed, for a start without a store.
 * When the store is gone, the ring stays, however old it gets. Clocks of
 * other servers are of no account: its age is how long it has been here.
 *
 * The first store of the configuration, if there is a SNIVHostStoreKey.
 * Configuration time and monitor, one thread.
 */

#include "certs/ringbox.h"
#include "module/record.h"

/** What the store has, between the two. */
typedef struct snivhost_ringstore_t {
    const char *url, *dir, *prefix;     /* NULL: nothing is shared */
    const char *trouble;                /* of the program, or "" */
    const char *key_file;
    int state;
    apr_uint64_t generation;
    char base[65];                      /* of what it has: a digest */
    apr_interval_time_t every;
    apr_pool_t *p;
    const server_rec *s;
} snivhost_ringstore_t;

/**
 * Take the ring of the store, or that of the last run.
 * @param ring its generation is 0 afterwards if it is this server's own
 * @param every how long a secret is the newest
 * @return 1 if it has changed
 */
int snivhost_ringstore_take(snivhost_ringstore_t *store, sniv_ring_t *ring,
                            apr_interval_time_t every, apr_pool_t *p,
                            server_rec *s);

/** Offer it, or the next one, if the store should have that. */
void snivhost_ringstore_offer(snivhost_ringstore_t *store,
                              const sniv_ring_t *ring);

#endif /* SNIVHOST_TLS_RINGSTORE_H */
