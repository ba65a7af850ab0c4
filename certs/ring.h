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

#ifndef SNIVHOST_CERTS_RING_H
#define SNIVHOST_CERTS_RING_H

/**
 * @file certs/ring.h
 * Keys of session tickets (RFC 5077, RFC 8446 4.6.1) that outlive a restart.
 *
 * The parent keeps a ring of three secrets: the newest one encrypts tickets,
 * all three are tried on tickets that come back. Servers may have one ring in
 * common (certs/ringbox.h). From each secret it derives
 * keys for each *group*, that is for virtual hosts of one default with the
 * same TLS settings, and puts them into sealed memory (certs/sealed.h), one
 * slot a group. Children read these and never see a secret.
 *
 *     secret 0 (newest) --+-- group 0: name, AES key, HMAC key --+
 *     secret 1 -----------+-- group 1: ...                       +-- slot
 *     secret 2 (oldest) --+-- ...                                |
 *
 * A group's name is the digest of what makes its sessions its own. So a group
 * finds its keys again after a restart, and sessions of a group whose
 * settings have changed do not resume.
 *
 * Making and rotating: the parent, one thread. Reading: any thread of any
 * process, no lock.
 */

#include <apr_pools.h>
#include <apr_time.h>

#include "certs/sealed.h"

#define SNIV_RING_KEYS 3
#define SNIV_GROUP_ID_LEN 32

/** The secrets. Kept over restarts by the caller; wiped only by it. */
typedef struct sniv_ring_t {
    apr_uint64_t generation;    /**< of a ring that servers share; 0: own */
    apr_uint32_t nkeys;         /**< 0: not yet made */
    apr_uint32_t in_use;        /**< which one encrypts: 0, or 1 until other
                                     servers have the newest one, too */
    apr_time_t made[SNIV_RING_KEYS];    /**< when; the newest first */
    unsigned char secrets[SNIV_RING_KEYS][32];
} sniv_ring_t;

/** Keys of a group, as OpenSSL uses them for its own tickets. */
typedef struct sniv_ticket_key_t {
    unsigned char name[16];     /**< at the beginning of the ticket */
    unsigned char aes[32];      /**< AES-256-CBC */
    unsigned char hmac[32];     /**< HMAC-SHA256 */
} sniv_ticket_key_t;

/** The keys of all groups. */
typedef struct sniv_tickets_t sniv_tickets_t;

/**
 * Make the first secret, or a new one if the newest is older than that.
 * @param every how long a secret is the newest
 * @param is_changed receives whether there is a new one
 * @return APR_SUCCESS; APR_EGENERAL if the system has no random bytes: the
 *         ring is as it was
 */
apr_status_t sniv_ring_turn(sniv_ring_t *ring, apr_time_t now,
                            apr_interval_time_t every, int *is_changed);

/**
 * Make the keys of groups.
 * @param ids one after the other, SNIV_GROUP_ID_LEN bytes each; copied
 * @return APR_SUCCESS, APR_ENOMEM, APR_EGENERAL
 */
apr_status_t sniv_tickets_make(sniv_tickets_t **ptickets,
                               const sniv_ring_t *ring,
                               const unsigned char *ids,
                               apr_uint32_t ngroups, apr_pool_t *p);

/** From now on children inherit the keys. */
void sniv_tickets_publish(sniv_tickets_t *tickets);

/** Derive all keys again, from a ring that has turned. */
apr_status_t sniv_tickets_renew(sniv_tickets_t *tickets,
                                const sniv_ring_t *ring);

/** Whether children see renewed keys. */
int sniv_tickets_is_shared(const sniv_tickets_t *tickets);

/**
 * The key that encrypts tickets of a group.
 * @return APR_SUCCESS; else as sniv_shm_get(): there is none
 */
apr_status_t sniv_tickets_newest(const sniv_tickets_t *tickets,
                                 apr_uint32_t group,
                                 sniv_ticket_key_t *key);

/**
 * The key of a group that a ticket names.
 * @param age receives how many secrets newer than it encrypt: 0, it is the
 *        newest one that does
 * @return APR_NOTFOUND if the group has none of this name
 */
apr_status_t sniv_tickets_find(const sniv_tickets_t *tickets,
                               apr_uint32_t group,
                               const unsigned char name[16],
                               sniv_ticket_key_t *key, int *age);

#endif /* SNIVHOST_CERTS_RING_H */
