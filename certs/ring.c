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

#include "certs/ring.h"

#include <string.h>

#include <apr_strings.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

/* What a slot holds. */
typedef struct group_t {
    apr_uint32_t nkeys;
    apr_uint32_t in_use;
    sniv_ticket_key_t keys[SNIV_RING_KEYS];
} group_t;

/* A slot is read in words. */
#define GROUP_WORDS (sizeof(group_t) / sizeof(apr_uint32_t))
typedef char group_is_whole_words[sizeof(group_t) % sizeof(apr_uint32_t) == 0
                                  ? 1 : -1];

struct sniv_tickets_t {
    sniv_shm_t *shm;
    const unsigned char *ids;
    apr_uint32_t ngroups;
    apr_uint64_t version;
};

apr_status_t sniv_ring_turn(sniv_ring_t *ring, apr_time_t now,
                            apr_interval_time_t every, int *is_changed)
{
    unsigned char secret[sizeof(ring->secrets[0])];
    int i;

    *is_changed = 0;
    /* A clock that was put back does not keep a secret for ever. */
    if (ring->nkeys && now >= ring->made[0] && now - ring->made[0] < every)
        return APR_SUCCESS;
    if (RAND_priv_bytes(secret, sizeof(secret)) != 1)
        return APR_EGENERAL;
    for (i = SNIV_RING_KEYS - 1; i > 0; i--) {
        memcpy(ring->secrets[i], ring->secrets[i - 1], sizeof(secret));
        ring->made[i] = ring->made[i - 1];
    }
    memcpy(ring->secrets[0], secret, sizeof(secret));
    OPENSSL_cleanse(secret, sizeof(secret));
    ring->made[0] = now;
    ring->in_use = 0;
    if (ring->nkeys < SNIV_RING_KEYS)
        ring->nkeys++;
    *is_changed = 1;
    return APR_SUCCESS;
}

/* HKDF (RFC 5869) with the group as info. */
static int derive(sniv_ticket_key_t *key, const unsigned char secret[32],
                  const unsigned char *id)
{
    static const unsigned char salt[] = "mod_snivhost tickets 1";
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    unsigned char out[sizeof(key->name) + sizeof(key->aes)
                      + sizeof(key->hmac)];
    size_t len = sizeof(out);
    int ok = ctx
             && EVP_PKEY_derive_init(ctx) > 0
             && EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha256()) > 0
             && EVP_PKEY_CTX_set1_hkdf_salt(ctx, salt, sizeof(salt) - 1) > 0
             && EVP_PKEY_CTX_set1_hkdf_key(ctx, secret, 32) > 0
             && EVP_PKEY_CTX_add1_hkdf_info(ctx, id, SNIV_GROUP_ID_LEN) > 0
             && EVP_PKEY_derive(ctx, out, &len) > 0 && len == sizeof(out);

    if (ok) {
        memcpy(key->name, out, sizeof(key->name));
        memcpy(key->aes, out + sizeof(key->name), sizeof(key->aes));
        memcpy(key->hmac, out + sizeof(key->name) + sizeof(key->aes),
               sizeof(key->hmac));
    }
    OPENSSL_cleanse(out, sizeof(out));
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

apr_status_t sniv_tickets_renew(sniv_tickets_t *tickets,
                                const sniv_ring_t *ring)
{
    apr_status_t rv = APR_SUCCESS;
    apr_uint32_t i, k;
    group_t group;

    tickets->version++;
    for (i = 0; i < tickets->ngroups && rv == APR_SUCCESS; i++) {
        memset(&group, 0, sizeof(group));
        group.nkeys = ring->nkeys;
        group.in_use = ring->in_use;
        for (k = 0; k < ring->nkeys; k++) {
            if (!derive(&group.keys[k], ring->secrets[k],
                        tickets->ids + (apr_size_t)i * SNIV_GROUP_ID_LEN)) {
                rv = APR_EGENERAL;
            }
        }
        if (rv == APR_SUCCESS)
            rv = sniv_shm_put(tickets->shm, i, &group, sizeof(group),
                              tickets->version);
    }
    OPENSSL_cleanse(&group, sizeof(group));
    return rv;
}

apr_status_t sniv_tickets_make(sniv_tickets_t **ptickets,
                               const sniv_ring_t *ring,
                               const unsigned char *ids,
                               apr_uint32_t ngroups, apr_pool_t *p)
{
    sniv_tickets_t *tickets = apr_pcalloc(p, sizeof(*tickets));
    apr_status_t rv;

    *ptickets = tickets;
    tickets->ngroups = ngroups;
    tickets->ids = apr_pmemdup(p, ids,
                               (apr_size_t)ngroups * SNIV_GROUP_ID_LEN);
    /* A group's block, twice while it is replaced, and what the memory
     * rounds it up to. */
    rv = sniv_shm_make(&tickets->shm, ngroups,
                       ((apr_size_t)ngroups + 2) * 4 * sizeof(group_t),
                       SNIV_SHM_HIDDEN, p);
    return rv == APR_SUCCESS ? sniv_tickets_renew(tickets, ring) : rv;
}

void sniv_tickets_publish(sniv_tickets_t *tickets)
{
    sniv_shm_publish(tickets->shm);
}

int sniv_tickets_is_shared(const sniv_tickets_t *tickets)
{
    return sniv_shm_is_shared(tickets->shm);
}

/* Copy a group, all of one moment. */
static apr_status_t read_group(const sniv_tickets_t *tickets,
                               apr_uint32_t number, group_t *group)
{
    apr_uint32_t *words = (apr_uint32_t *)(void *)group;
    sniv_shm_look_t look;
    apr_status_t rv;
    apr_size_t i;

    if (number >= tickets->ngroups)
        return APR_NOTFOUND;
    do {
        rv = sniv_shm_look(&look, tickets->shm, number);
        if (rv != APR_SUCCESS)
            return rv;
        for (i = 0; i < GROUP_WORDS; i++)
            words[i] = sniv_shm_word(&look, i * sizeof(*words));
    } while (!sniv_shm_looked(&look));
    return group->nkeys >= 1 && group->nkeys <= SNIV_RING_KEYS
           && group->in_use < group->nkeys
           ? APR_SUCCESS : APR_EGENERAL;
}

apr_status_t sniv_tickets_newest(const sniv_tickets_t *tickets,
                                 apr_uint32_t number, sniv_ticket_key_t *key)
{
    group_t group;
    apr_status_t rv = read_group(tickets, number, &group);

    if (rv == APR_SUCCESS)
        *key = group.keys[group.in_use];
    OPENSSL_cleanse(&group, sizeof(group));
    return rv;
}

apr_status_t sniv_tickets_find(const sniv_tickets_t *tickets,
                               apr_uint32_t number,
                               const unsigned char name[16],
                               sniv_ticket_key_t *key, int *age)
{
    group_t group;
    apr_status_t rv = read_group(tickets, number, &group);
    apr_uint32_t i;

    if (rv != APR_SUCCESS)
        return rv;
    rv = APR_NOTFOUND;
    for (i = 0; i < group.nkeys; i++) {
        if (!CRYPTO_memcmp(group.keys[i].name, name, 16)) {
            *key = group.keys[i];
            *age = i > group.in_use ? (int)(i - group.in_use) : 0;
            rv = APR_SUCCESS;
            break;
        }
    }
    OPENSSL_cleanse(&group, sizeof(group));
    return rv;
}
