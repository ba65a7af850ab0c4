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

#include "certs/inside.h"

#include <string.h>

static sniv_chain_t *chain_at(sniv_certs_t *certs, apr_uint32_t slot)
{
    return &certs->books.chains[slot - certs->nentries - 1];
}

apr_status_t sniv_chain_take(sniv_certs_t *certs, sniv_pair_t *pair)
{
    sniv_chain_t *chain = apr_hash_get(certs->books.by_chain, pair->chain.data,
                                       (apr_ssize_t)pair->chain.len);
    const void *bytes;
    apr_size_t len;
    apr_status_t rv;

    if (!chain) {
        apr_uint32_t i = certs->books.free_chain;

        while (i < certs->nchains && certs->books.chains[i].users) {
            i++;
        }
        if (i == certs->nchains) {
            return APR_ENOSPC;
        }
        chain = &certs->books.chains[i];
        chain->slot = certs->nentries + 1 + i;
        chain->version = sniv_version_next(certs);
        rv = sniv_shm_put(certs->shm, chain->slot, pair->chain.data,
                          pair->chain.len, chain->version);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        bytes = sniv_shm_peek(certs->shm, chain->slot, &len, NULL);
        apr_hash_set(certs->books.by_chain, bytes, (apr_ssize_t)len, chain);
        certs->books.free_chain = i + 1;
        certs->books.nused_chains++;
    }
    chain->users++;
    pair->chain_slot = chain->slot;
    pair->chain_version = chain->version;
    return APR_SUCCESS;
}

int sniv_chain_adopt(sniv_certs_t *certs, apr_uint32_t slot,
                     apr_uint64_t version)
{
    apr_uint64_t is;
    sniv_chain_t *chain;
    const void *bytes;
    apr_size_t len;

    if (slot <= certs->nentries || slot > certs->nentries + certs->nchains
        || !(bytes = sniv_shm_peek(certs->shm, slot, &len, &is))
        || is != version) {
        return 0;
    }
    chain = chain_at(certs, slot);
    if (chain->users++ == 0) {
        chain->slot = slot;
        chain->version = version;
        apr_hash_set(certs->books.by_chain, bytes, (apr_ssize_t)len, chain);
        certs->books.nused_chains++;
    }
    return 1;
}

void sniv_chains_restart(sniv_certs_t *certs)
{
    memset(certs->books.chains, 0,
           certs->nchains * sizeof(*certs->books.chains));
    apr_hash_clear(certs->books.by_chain);
    certs->books.nused_chains = 0;
    certs->books.free_chain = 0;
}

void sniv_chains_sweep(sniv_certs_t *certs)
{
    apr_uint32_t i;

    for (i = 0; i < certs->nchains; i++) {
        if (!certs->books.chains[i].users) {
            sniv_shm_drop(certs->shm, certs->nentries + 1 + i);
        }
    }
}

static void give(sniv_certs_t *certs, apr_uint32_t slot)
{
    sniv_chain_t *chain = chain_at(certs, slot);
    const void *bytes;
    apr_size_t len;

    if (--chain->users > 0) {
        return;
    }
    bytes = sniv_shm_peek(certs->shm, slot, &len, NULL);
    if (bytes) {
        apr_hash_set(certs->books.by_chain, bytes, (apr_ssize_t)len, NULL);
    }
    sniv_shm_drop(certs->shm, slot);
    certs->books.nused_chains--;
    if (slot - certs->nentries - 1 < certs->books.free_chain) {
        certs->books.free_chain = slot - certs->nentries - 1;
    }
}

void sniv_chains_give(sniv_certs_t *certs, const apr_uint32_t *slots, int n)
{
    while (n-- > 0) {
        give(certs, slots[n]);
    }
}
