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

#include "certs/certs.h"
#include "certs/inside.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include <openssl/crypto.h>

/*
 * From one configuration to the next:
 *
 *     the one before    its readable mapping is kept, all else goes
 *     the load          records of folders are copied, the index is written
 *     the keeper        takes them over, as from one that was killed, and
 *                       reads the folders
 *
 * So the parent reads no folder at a restart: one that hangs, or is not there
 * for a moment, keeps no one from being served what is known.
 */

struct sniv_bequest_t {
    apr_pool_t *p;
    sniv_shm_t *shm;
    apr_uint32_t nentries;
    apr_uint32_t nchains;
    apr_uint32_t nrecords;
    sniv_scope_dirs_t *scopes;
    int nscopes;
};

static void copy_scopes(sniv_bequest_t *bequest, const sniv_books_t *books)
{
    int i, k;

    bequest->nscopes = books->nscopes;
    bequest->scopes = apr_palloc(bequest->p, sizeof(*bequest->scopes)
                                             * (apr_size_t)books->nscopes);
    for (i = 0; i < books->nscopes; i++) {
        sniv_scope_dirs_t *to = &bequest->scopes[i];
        const char **dirs;

        *to = books->scopes[i];
        dirs = apr_palloc(bequest->p, sizeof(*dirs) * (apr_size_t)to->ndirs);
        for (k = 0; k < to->ndirs; k++) {
            dirs[k] = apr_pstrdup(bequest->p, to->dirs[k]);
        }
        to->dirs = dirs;
    }
}

sniv_bequest_t *sniv_certs_bequeath(sniv_certs_t *certs)
{
    sniv_certs_looks_t looks;
    sniv_bequest_t *bequest;
    apr_pool_t *p;

    if (certs->is_dry || certs->books.nscopes == 0
        || !sniv_certs_looks(certs, &looks) || looks.is_full
        || apr_pool_create(&p, NULL) != APR_SUCCESS) {
        return NULL;
    }
    bequest = apr_pcalloc(p, sizeof(*bequest));
    bequest->p = p;
    bequest->nentries = certs->nentries;
    bequest->nchains = certs->nchains;
    bequest->nrecords = sniv_shm_count(certs->shm, SNIV_SLOT_ENTRY(0),
                                       certs->nentries);
    copy_scopes(bequest, &certs->books);
    bequest->shm = sniv_shm_keep(certs->shm);
    if (!bequest->shm) {
        apr_pool_destroy(p);
        return NULL;
    }
    return bequest;
}

void sniv_bequest_end(sniv_bequest_t *bequest)
{
    sniv_shm_release(bequest->shm);
    apr_pool_destroy(bequest->p);
}

apr_uint32_t sniv_bequest_count(const sniv_bequest_t *bequest)
{
    return bequest->nrecords;
}

/* Where a list of folders is in another list of lists. */
static sniv_scope_t scope_in(const sniv_scope_dirs_t *scopes, int n,
                             const sniv_scope_dirs_t *scope)
{
    int i;

    for (i = 0; i < n; i++) {
        if (sniv_scope_equal(&scopes[i], scope)) {
            return i;
        }
    }
    return SNIV_SCOPE_NONE;
}

int sniv_certs_inherit(sniv_certs_t *certs, const sniv_bequest_t *bequest)
{
    const sniv_books_t *books = &certs->books;
    int i;

    for (i = 0; i < books->nscopes; i++) {
        if (scope_in(bequest->scopes, bequest->nscopes, &books->scopes[i])
            == SNIV_SCOPE_NONE) {
            return 0;
        }
    }
    if (books->nscopes == 0) {
        return 0;
    }
    certs->bequest = bequest;
    return 1;
}

/* Copy the chain of a pair, for as long as it is needed. @return 0: it is not
 * there */
static int copy_chain(const sniv_bequest_t *from, sniv_pair_t *pair,
                      unsigned char **pbytes)
{
    apr_uint64_t version;

    return pair->chain_slot > from->nentries
           && pair->chain_slot <= from->nentries + from->nchains
           && sniv_shm_get(from->shm, pair->chain_slot, pbytes,
                           &pair->chain.len, &version) == APR_SUCCESS
           && version == pair->chain_version
           && (pair->chain.data = *pbytes) != NULL;
}

/* Put an entry with its chains under an id. */
static apr_status_t put_entry(sniv_certs_t *certs, sniv_cert_id_t id,
                              sniv_entry_t *entry)
{
    apr_uint32_t chains[SNIV_PAIRS_MAX];
    apr_status_t rv = APR_SUCCESS;
    unsigned char *bytes;
    int i, n = 0, is_same;

    for (i = 0; i < entry->npairs && rv == APR_SUCCESS; i++) {
        sniv_pair_t *pair = &entry->pairs[i];

        if (pair->chain_version == 0) {
            continue;
        }
        bytes = NULL;
        rv = copy_chain(certs->bequest, pair, &bytes)
             ? sniv_chain_take(certs, pair) : APR_NOTFOUND;
        if (rv == APR_SUCCESS) {
            chains[n++] = pair->chain_slot;
        }
        free(bytes);
    }
    if (rv == APR_SUCCESS) {
        rv = sniv_record_put(certs, id, entry, &is_same);
    }
    if (rv != APR_SUCCESS) {
        sniv_chains_give(certs, chains, n);
    }
    return rv;
}

/* Copy a record of a folder that is still named. @return 1: the id is used */
static int copy_record(sniv_certs_t *certs, sniv_cert_id_t was,
                       sniv_cert_id_t id)
{
    const sniv_bequest_t *from = certs->bequest;
    unsigned char *bytes;
    apr_uint64_t version;
    sniv_entry_t entry;
    apr_size_t len;
    int is_copied = 0;

    if (sniv_shm_get(from->shm, SNIV_SLOT_ENTRY(was), &bytes, &len, &version)
        != APR_SUCCESS) {
        return 0;
    }
    if (sniv_record_parse(&entry, bytes, len)
        && entry.scope >= 0 && entry.scope < from->nscopes) {
        entry.scope = scope_in(certs->books.scopes, certs->books.nscopes,
                               &from->scopes[entry.scope]);
        is_copied = entry.scope != SNIV_SCOPE_NONE
                    && put_entry(certs, id, &entry) == APR_SUCCESS;
    }
    OPENSSL_cleanse(bytes, len);
    free(bytes);
    return is_copied;
}

void sniv_records_inherit(sniv_certs_t *certs)
{
    const apr_uint32_t n = certs->bequest->nentries;
    apr_uint32_t was, id = certs->books.nids;

    certs->round.looks.is_behind = 1;
    for (was = 0; was < n && id < certs->nentries; was++) {
        id += copy_record(certs, (sniv_cert_id_t)was, (sniv_cert_id_t)id) & 1;
    }
    if (sniv_records_index(certs) != APR_SUCCESS) {
        sniv_books_report(certs, SNIV_CERTS_FULL, SNIV_CERT_NONE, "",
                          sniv_no_index);
    }
}

int sniv_certs_is_behind(const sniv_certs_t *certs)
{
    sniv_certs_looks_t looks;

    return sniv_certs_looks(certs, &looks) && looks.is_behind;
}
