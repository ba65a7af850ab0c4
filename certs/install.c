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

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "certs/index.h"

/* What children do: a name -> an entry -> a handshake. */

#define TRIES 100

apr_status_t sniv_entry_get(const sniv_certs_t *certs, sniv_cert_id_t id,
                            unsigned char **pbytes, apr_size_t *len,
                            sniv_entry_t *entry, apr_uint64_t *version)
{
    apr_status_t rv;

    if (!certs->shm || id < 0 || (apr_uint32_t)id >= certs->nentries) {
        return APR_NOTFOUND;
    }
    rv = sniv_shm_get(certs->shm, SNIV_SLOT_ENTRY(id), pbytes, len, version);
    if (rv == APR_SUCCESS && !sniv_record_parse(entry, *pbytes, *len)) {
        OPENSSL_cleanse(*pbytes, *len);
        free(*pbytes);
        rv = APR_EGENERAL;
    }
    return rv;
}

int sniv_certs_find_kinds(const sniv_certs_t *certs, sniv_scope_t scope,
                          const char *name, apr_size_t len, apr_time_t now,
                          sniv_cert_id_t ids[SNIV_KINDS])
{
    ids[0] = SNIV_CERT_NONE;
    if (!certs->shm || scope == SNIV_SCOPE_NONE) {
        return 0;
    }
    return sniv_index_find(certs->shm, SNIV_SLOT_INDEX, scope, name, len,
                           now, ids, NULL);
}

sniv_cert_id_t sniv_certs_find(const sniv_certs_t *certs, sniv_scope_t scope,
                               const char *name, apr_size_t len,
                               apr_time_t now)
{
    sniv_cert_id_t ids[SNIV_KINDS];

    (void)sniv_certs_find_kinds(certs, scope, name, len, now, ids);
    return ids[0];
}

int sniv_certs_vouch(const sniv_certs_t *certs, sniv_scope_t scope,
                     const char *name, apr_size_t len, apr_time_t now)
{
    unsigned char *bytes;
    apr_size_t bytes_len;
    apr_uint64_t version;
    sniv_cert_id_t id;
    sniv_entry_t entry;
    sniv_leaf_t leaf;
    sniv_cert_id_t ids[SNIV_KINDS];
    int i, is_wild = 0, is_signed = 0;

    if (!certs->shm || scope == SNIV_SCOPE_NONE) {
        return 0;
    }
    (void)sniv_index_find(certs->shm, SNIV_SLOT_INDEX, scope, name, len, now,
                          ids, &is_wild);
    id = ids[0];
    if (id == SNIV_CERT_NONE || !is_wild) {
        return id != SNIV_CERT_NONE;
    }
    if (sniv_entry_get(certs, id, &bytes, &bytes_len, &entry, &version)
        != APR_SUCCESS) {
        return 0;
    }
    for (i = 0; i < entry.npairs; i++) {
        const sniv_bytes_t *der = &entry.pairs[i].leaf;

        is_signed |= !sniv_der_leaf(&leaf, der->data, der->len)
                     && !sniv_bytes_equal(&leaf.issuer, &leaf.subject);
    }
    OPENSSL_cleanse(bytes, bytes_len);
    free(bytes);
    return is_signed;
}

/*
 * The chain that a record names. Its slot may belong to another one by now:
 * then the record is old, too.
 */
static apr_status_t get_chain(const sniv_certs_t *certs,
                              const sniv_pair_t *pair,
                              STACK_OF(X509) **pchain)
{
    unsigned char *bytes;
    apr_size_t len;
    apr_uint64_t version;
    sniv_bytes_t record;
    apr_status_t rv;

    if (pair->chain_version == 0) {
        *pchain = sk_X509_new_null();
        return *pchain ? APR_SUCCESS : APR_ENOMEM;
    }
    *pchain = sniv_cache_chain(certs->cache, pair->chain_slot,
                               pair->chain_version);
    if (*pchain) {
        return APR_SUCCESS;
    }
    if (pair->chain_slot <= certs->nentries) {
        return APR_EGENERAL;
    }
    rv = sniv_shm_get(certs->shm, pair->chain_slot, &bytes, &len, &version);
    if (rv == APR_NOTFOUND) {
        return APR_EAGAIN;
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (version != pair->chain_version) {
        rv = APR_EAGAIN;
    }
    else {
        record.data = bytes;
        record.len = len;
        *pchain = sniv_chain_decode(&record);
        if (*pchain) {
            sniv_cache_add_chain(certs->cache, pair->chain_slot, version,
                                 *pchain);
        }
        else {
            rv = APR_EGENERAL;
        }
    }
    free(bytes);
    return rv;
}

apr_status_t sniv_entry_decode(void *baton, apr_int32_t id, int leaf_only,
                               sniv_live_t *live, const char **preason)
{
    const sniv_certs_t *certs = baton;
    unsigned char *bytes;
    apr_size_t len;
    apr_uint64_t version;
    sniv_entry_t entry;
    apr_status_t rv = APR_EAGAIN;
    int tries, i;

    *preason = "keeps changing";
    for (tries = 0; tries < TRIES && rv == APR_EAGAIN; tries++) {
        rv = sniv_entry_get(certs, id, &bytes, &len, &entry, &version);
        if (rv != APR_SUCCESS) {
            *preason = "no longer exists";
            return rv;
        }
        *preason = sniv_live_decode(live, &entry, leaf_only);
        if (*preason) {
            rv = APR_EGENERAL;
        }
        for (i = 0; !leaf_only && i < entry.npairs && rv == APR_SUCCESS;
             i++) {
            rv = get_chain(certs, &entry.pairs[i], &live->chain[i]);
        }
        OPENSSL_cleanse(bytes, len);
        free(bytes);
        if (rv != APR_SUCCESS && !*preason) {
            *preason = "has a chain that cannot be decoded";
            sniv_live_free(live);
        }
    }
    return rv;
}

/* What goes into an SSL. */
typedef enum { INSTALL_ALL, INSTALL_LEAF, INSTALL_ALSO } install_e;

static apr_status_t install(const sniv_certs_t *certs, sniv_cert_id_t id,
                            SSL *ssl, install_e what, const char **preason)
{
    const sniv_live_t *live;
    sniv_node_t *node;
    const char *reason = NULL;
    apr_uint64_t version;
    apr_status_t rv;
    int i, ok = 1;

    if (!preason) {
        preason = &reason;
    }
    *preason = NULL;
    if (!certs->shm || id < 0 || (apr_uint32_t)id >= certs->nentries
        || !(version = sniv_shm_version(certs->shm, SNIV_SLOT_ENTRY(id)))) {
        *preason = "has nothing to serve";
        return APR_NOTFOUND;
    }
    rv = sniv_cache_get(certs->cache, id, version, what == INSTALL_LEAF,
                        &node, &live, preason);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    /* an SSL begins with all certificates of its context: another site's */
    if (what != INSTALL_ALSO) {
        SSL_certs_clear(ssl);
    }
    for (i = 0; i < live->npairs && ok; i++) {
        /* a chain must be given even if empty, or the context's is sent */
        ok = what == INSTALL_LEAF
             ? SSL_use_certificate(ssl, live->leaf[i])
             : SSL_use_cert_and_key(ssl, live->leaf[i], live->key[i],
                                    live->chain[i], 1);
    }
    sniv_cache_release(certs->cache, node);
    if (ok != 1) {
        *preason = "is refused by OpenSSL for its kind, its length or its "
                   "signature";
        ERR_clear_error();
        return APR_EGENERAL;
    }
    return APR_SUCCESS;
}

apr_status_t sniv_certs_install(const sniv_certs_t *certs, sniv_cert_id_t id,
                                SSL *ssl, const char **preason)
{
    return install(certs, id, ssl, INSTALL_ALL, preason);
}

apr_status_t sniv_certs_install_leaf(const sniv_certs_t *certs,
                                     sniv_cert_id_t id, SSL *ssl,
                                     const char **preason)
{
    return install(certs, id, ssl, INSTALL_LEAF, preason);
}

apr_uint64_t sniv_certs_version(const sniv_certs_t *certs, sniv_cert_id_t id)
{
    return certs->shm && id >= 0 && (apr_uint32_t)id < certs->nentries
           ? sniv_shm_version(certs->shm, SNIV_SLOT_ENTRY(id)) : 0;
}

static int has_cert(const sniv_entry_t *entry, X509 *x)
{
    unsigned char *der = NULL;
    int len = x ? i2d_X509(x, &der) : 0, i, found = 0;

    for (i = 0; len > 0 && i < entry->npairs && !found; i++) {
        found = entry->pairs[i].leaf.len == (apr_size_t)len
                && memcmp(entry->pairs[i].leaf.data, der, (size_t)len) == 0;
    }
    OPENSSL_free(der);
    return found;
}

int sniv_certs_has_all(const sniv_certs_t *certs, sniv_cert_id_t id,
                       SSL_CTX *ctx)
{
    unsigned char *bytes;
    apr_uint64_t version;
    sniv_entry_t entry;
    apr_size_t len;
    int more, n = 0, found = 0;
    SSL *ssl;

    if (sniv_entry_get(certs, id, &bytes, &len, &entry, &version)
        != APR_SUCCESS) {
        return 0;
    }
    /* walking over those of the SSL_CTX would change it */
    ssl = SSL_new(ctx);
    for (more = ssl && SSL_set_current_cert(ssl, SSL_CERT_SET_FIRST); more;
         more = (int)SSL_set_current_cert(ssl, SSL_CERT_SET_NEXT)) {
        n++;
        found += has_cert(&entry, SSL_get_certificate(ssl));
    }
    SSL_free(ssl);
    ERR_clear_error();
    OPENSSL_cleanse(bytes, len);
    free(bytes);
    return n > 0 && found == n;
}

void sniv_certs_install_also(const sniv_certs_t *certs, sniv_cert_id_t id,
                             SSL *ssl)
{
    if (install(certs, id, ssl, INSTALL_ALSO, NULL) != APR_SUCCESS) {
        ERR_clear_error();
    }
}
