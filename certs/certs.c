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

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "certs/hash.h"
#include "certs/index.h"

#define CACHE_DEFAULT 1000
#define TRIES 100
#define EVICTED_MAX 1000    /* left out for smaller ones, while loading */

static apr_status_t destroy(void *data)
{
    sniv_certs_t *certs = data;
    sniv_books_t *books = &certs->books;
    apr_uint32_t i;

    for (i = 0; i < books->nitems; i++) {
        free(books->items[i]->pending);
        free(books->items[i]->problem);
        free(books->items[i]);
    }
    for (i = 0; i < books->nfolders; i++) {
        free(books->folders[i]);
    }
    free(books->items);
    free(books->folders);
    free(books->by_id);
    free(books->is_leaving);
    free(books->leaving);
    free(books->chains);
    free(certs->round.waiting);
    memset(books, 0, sizeof(*books));
    return APR_SUCCESS;
}

apr_status_t sniv_certs_make(sniv_certs_t **pcerts, apr_pool_t *p)
{
    sniv_certs_t *certs = apr_pcalloc(p, sizeof(*certs));
    sniv_books_t *books = &certs->books;
    apr_status_t rv;

    certs->p = p;
    rv = apr_pool_create(&certs->ptemp, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    books->by_files = sniv_hash_table(p);
    books->by_path = sniv_hash_table(p);
    books->by_place = sniv_hash_table(p);
    books->by_chain = sniv_hash_table(p);
    books->reader = sniv_reader_make(p);
    apr_pool_cleanup_register(p, certs, destroy, apr_pool_cleanup_null);
    *pcerts = certs;
    return APR_SUCCESS;
}

apr_status_t sniv_certs_add_files(sniv_certs_t *certs,
                                  const sniv_cert_files_t *files,
                                  sniv_cert_id_t *pid)
{
    const char *list[SNIV_FILES_MAX];
    sniv_item_t *item;
    int is_new;

    *pid = SNIV_CERT_NONE;
    if (certs->shm || sniv_files_list(files, list) == 0) {
        return APR_EINVAL;
    }
    item = sniv_item_add(certs, SNIV_SCOPE_NONE, NULL, files, &is_new);
    apr_pool_clear(certs->ptemp);
    if (!item) {
        return APR_ENOMEM;
    }
    *pid = item->id;
    return APR_SUCCESS;
}

static int same_dirs(const sniv_scope_dirs_t *scope, const char *const *dirs,
                     int ndirs, int level, sniv_trust_e trust)
{
    int i;

    if (scope->level != level || scope->trust != trust) {
        return 0;
    }
    for (i = 0; i < ndirs && scope->ndirs == ndirs; i++) {
        if (strcmp(scope->dirs[i], dirs[i]) != 0) {
            return 0;
        }
    }
    return scope->ndirs == ndirs;
}

static const char *without_slash(const char *dir, apr_pool_t *p)
{
    apr_size_t len = strlen(dir);

    while (len > 1 && dir[len - 1] == '/') {
        len--;
    }
    return apr_pstrmemdup(p, dir, len);
}

apr_status_t sniv_certs_add_folders(sniv_certs_t *certs,
                                    const char *const *dirs, int ndirs,
                                    int level, sniv_trust_e trust,
                                    sniv_scope_t *pscope)
{
    sniv_books_t *books = &certs->books;
    sniv_scope_dirs_t *scopes;
    const char **copy;
    int i;

    *pscope = SNIV_SCOPE_NONE;
    if (ndirs < 1) {
        return APR_EINVAL;
    }
    copy = apr_palloc(certs->p, sizeof(*copy) * (apr_size_t)ndirs);
    for (i = 0; i < ndirs; i++) {
        copy[i] = without_slash(dirs[i], certs->p);
    }
    for (i = 0; i < books->nscopes; i++) {
        if (same_dirs(&books->scopes[i], copy, ndirs, level, trust)) {
            *pscope = i;
            return APR_SUCCESS;
        }
    }
    if (certs->shm) {
        return APR_EINVAL;
    }
    scopes = apr_palloc(certs->p, sizeof(*scopes)
                                  * (apr_size_t)(books->nscopes + 1));
    if (books->nscopes) {
        memcpy(scopes, books->scopes,
               sizeof(*scopes) * (apr_size_t)books->nscopes);
    }
    scopes[books->nscopes].dirs = copy;
    scopes[books->nscopes].level = level;
    scopes[books->nscopes].trust = trust;
    scopes[books->nscopes].ndirs = ndirs;
    books->scopes = scopes;
    *pscope = books->nscopes++;
    return APR_SUCCESS;
}

/* ----- the first load */

static void read_folders(sniv_certs_t *certs)
{
    sniv_books_t *books = &certs->books;
    apr_time_t now = apr_time_now();
    apr_pool_t *ptemp;
    apr_uint32_t n;
    int i, k;

    apr_pool_create(&ptemp, certs->ptemp);
    for (i = 0; i < books->nscopes; i++) {
        for (k = 0; k < books->scopes[i].ndirs; k++) {
            sniv_folder_add(certs, i, books->scopes[i].dirs[k], NULL);
        }
    }
    /* the list grows while it is being worked off */
    for (n = 0; n < books->nfolders; n++) {
        if (!books->folders[n]->is_alias && !books->folders[n]->is_deep) {
            sniv_folder_read(certs, books->folders[n], now, NULL, ptemp);
            apr_pool_clear(ptemp);
        }
    }
}

/* The largest entry of a folder that is larger than this one. */
static sniv_item_t *larger_one(const sniv_books_t *books, apr_uint64_t bytes)
{
    sniv_item_t *found = NULL;
    apr_uint32_t i;

    for (i = 0; i < books->nitems; i++) {
        sniv_item_t *item = books->items[i];

        if (item->folder && item->is_served && item->bytes > bytes) {
            found = item;
            bytes = item->bytes;
        }
    }
    return found;
}

static void report_full(sniv_certs_t *certs, sniv_item_t *item,
                        const char *file, const char *reason)
{
    if (sniv_item_problem(item, file, reason)) {
        sniv_books_report(certs, SNIV_CERTS_FULL, item->id, file, reason);
    }
}

/* Read an item; if there is no room larger ones are left out for it. */
static sniv_item_e read_item(sniv_certs_t *certs, sniv_item_t *item,
                             const char **pfile, const char **preason)
{
    sniv_item_e result;
    sniv_item_t *larger;

    while ((result = sniv_item_read(certs, item, 0, NULL, NULL, pfile,
                                    preason)) == SNIV_ITEM_FULL
           && certs->nevicted < EVICTED_MAX
           && (larger = larger_one(&certs->books, item->wanted)) != NULL) {
        certs->nevicted++;
        sniv_item_withdraw(certs, larger);
        larger->is_full = 1;
        larger->freed = certs->books.freed;
        sniv_ids_out(certs);
        sniv_ids_free(certs);
        report_full(certs, larger, larger->list[0], *preason);
    }
    return result;
}

static void load_item(sniv_certs_t *certs, sniv_item_t *item, apr_time_t now)
{
    const char *file, *reason;
    sniv_entry_t entry;
    char text[256];

    switch (read_item(certs, item, &file, &reason)) {
    case SNIV_ITEM_BAD:
        sniv_item_problem(item, file, reason);
        sniv_books_report(certs, SNIV_CERTS_BAD, item->id, file, reason);
        break;
    case SNIV_ITEM_FULL:
        report_full(certs, item, file, reason);
        break;
    default:
        if (sniv_item_entry(certs, item, &entry)
            && sniv_entry_doubt(&entry, now, text, sizeof(text))) {
            sniv_books_report(certs, SNIV_CERTS_DOUBTFUL, item->id, file,
                              text);
        }
        break;
    }
}

static void load_items(sniv_certs_t *certs, apr_time_t now, int named)
{
    sniv_books_t *books = &certs->books;
    apr_uint32_t i;

    for (i = 0; i < books->nitems; i++) {
        if ((books->items[i]->folder == NULL) == named) {
            load_item(certs, books->items[i], now);
        }
        apr_pool_clear(certs->ptemp);
    }
    sniv_reader_free(books->reader);
}

static apr_status_t decode(void *baton, apr_int32_t id, int leaf_only,
                           sniv_live_t *live, const char **preason);

/* Room for all there is, and to grow: that costs address space only. */
static apr_status_t make_room(sniv_certs_t *certs, unsigned flags,
                              apr_uint32_t cache)
{
    apr_uint32_t n = certs->books.nitems;
    sniv_shm_t *shm;
    apr_status_t rv;

    certs->nentries = n + n / 2 + SNIV_GROWTH;
    certs->nchains = certs->nentries;
    certs->books.chains = calloc(certs->nchains,
                                 sizeof(*certs->books.chains));
    if (!certs->books.chains) {
        return APR_ENOMEM;
    }
    rv = sniv_shm_make(&shm, 1 + certs->nentries + certs->nchains,
                       (apr_size_t)certs->nentries * 16384,
                       (certs->is_dry ? SNIV_SHM_PRIVATE : 0)
                       | (flags & SNIV_CERTS_LOAD_HIDDEN ? SNIV_SHM_HIDDEN
                                                         : 0), certs->p);
    if (rv == APR_SUCCESS) {
        rv = sniv_cache_make(&certs->cache, cache ? cache : CACHE_DEFAULT,
                             decode, certs, certs->p);
    }
    if (rv == APR_SUCCESS) {
        certs->shm = shm;
    }
    return rv;
}

/* What was new while loading is no news. */
static void forget_news(sniv_books_t *books)
{
    apr_uint32_t i;

    for (i = 0; i < books->nitems; i++) {
        books->items[i]->news = 0;
    }
    books->nnews = 0;
}

apr_status_t sniv_certs_load(sniv_certs_t *certs, unsigned flags,
                             apr_uint32_t cache, sniv_certs_report_fn *report,
                             void *baton)
{
    sniv_books_t *books = &certs->books;
    apr_time_t now = apr_time_now();
    apr_status_t rv;

    if (certs->shm) {
        return APR_EINVAL;
    }
    books->report = report;
    books->baton = baton;
    certs->is_dry = (flags & SNIV_CERTS_LOAD_DRY) != 0;
    read_folders(certs);
    rv = make_room(certs, flags, cache);
    if (rv == APR_SUCCESS) {
        /* first what cannot be left out */
        load_items(certs, now, 1);
        load_items(certs, now, 0);
        books->is_index_old = 1;
        /* if there is no memory now, the next look tries again */
        if (sniv_books_index(certs) != APR_SUCCESS) {
            sniv_books_report(certs, SNIV_CERTS_FULL, SNIV_CERT_NONE, "",
                              sniv_no_index);
        }
        sniv_ids_out(certs);
        sniv_ids_free(certs);
        forget_news(books);
        sniv_shares_limit(certs);
    }
    certs->round.start = now;
    books->report = NULL;
    books->baton = NULL;
    apr_pool_clear(certs->ptemp);
    return rv;
}

void sniv_certs_publish(sniv_certs_t *certs)
{
    if (certs->shm) {
        sniv_shm_publish(certs->shm);
    }
}

static sniv_item_t *item_of(const sniv_certs_t *certs, sniv_cert_id_t id)
{
    return id < 0 || (apr_uint32_t)id >= certs->books.nids
           ? NULL : certs->books.by_id[id];
}

unsigned sniv_certs_flags(const sniv_certs_t *certs, sniv_cert_id_t id)
{
    const sniv_item_t *item = item_of(certs, id);

    return item ? item->flags : 0;
}

void sniv_certs_forget(sniv_certs_t *certs, sniv_cert_id_t id)
{
    sniv_item_t *item = item_of(certs, id);

    if (item && item->scope == SNIV_SCOPE_NONE) {
        sniv_item_remove(certs, item);
    }
}

void sniv_certs_drop(sniv_certs_t *certs, sniv_cert_id_t id)
{
    sniv_item_t *item = item_of(certs, id);

    if (item && certs->shm && certs->is_dry) {
        sniv_item_withdraw(certs, item);
        if (sniv_books_index(certs) != APR_SUCCESS) {
            sniv_shm_drop(certs->shm, SNIV_SLOT_INDEX);
        }
    }
}

int sniv_certs_is_known(const sniv_certs_t *certs, sniv_cert_id_t id)
{
    return item_of(certs, id) != NULL;
}

int sniv_certs_is_shared(const sniv_certs_t *certs)
{
    return certs->shm && sniv_shm_is_shared(certs->shm);
}

const char *sniv_certs_problem(const sniv_certs_t *certs, sniv_cert_id_t id,
                               const char **pfile)
{
    const sniv_item_t *item = item_of(certs, id);

    if (!item) {
        return "is not known";
    }
    if (item->is_served) {
        return NULL;
    }
    if (pfile) {
        *pfile = item->problem_file ? item->problem_file : item->list[0];
    }
    return item->problem ? item->problem : "has not been read";
}

/* ----- what children do */

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

static apr_status_t get_record(const sniv_certs_t *certs, sniv_cert_id_t id,
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

static apr_status_t decode(void *baton, apr_int32_t id, int leaf_only,
                           sniv_live_t *live, const char **preason)
{
    const sniv_certs_t *certs = baton;
    unsigned char *bytes;
    apr_size_t len;
    apr_uint64_t version;
    sniv_entry_t entry;
    apr_status_t rv = APR_EAGAIN;
    int tries, i;

    *preason = "is being replaced all the time";
    for (tries = 0; tries < TRIES && rv == APR_EAGAIN; tries++) {
        rv = get_record(certs, id, &bytes, &len, &entry, &version);
        if (rv != APR_SUCCESS) {
            *preason = "is not there any more";
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

void sniv_certs_install_also(const sniv_certs_t *certs, sniv_cert_id_t id,
                             SSL *ssl)
{
    if (install(certs, id, ssl, INSTALL_ALSO, NULL) != APR_SUCCESS) {
        ERR_clear_error();
    }
}

/* ----- descriptions */

static const char *name_text(const sniv_bytes_t *der, apr_pool_t *p)
{
    const unsigned char *data = der->data;
    X509_NAME *name = d2i_X509_NAME(NULL, &data, (long)der->len);
    BIO *bio = BIO_new(BIO_s_mem());
    const char *text = "";
    char *bytes;
    long len;

    if (name && bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253
                                          & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        len = BIO_get_mem_data(bio, &bytes);
        text = apr_pstrmemdup(p, bytes, (apr_size_t)len);
    }
    BIO_free(bio);
    X509_NAME_free(name);
    ERR_clear_error();
    return text;
}

static const char *oid_text(const unsigned char *der, apr_size_t len)
{
    ASN1_OBJECT *object = d2i_ASN1_OBJECT(NULL, &der, (long)len);
    const char *text = object ? OBJ_nid2sn(OBJ_obj2nid(object)) : "?";

    ASN1_OBJECT_free(object);
    return text;
}

static const char *kind_text(const sniv_leaf_t *leaf, apr_pool_t *p)
{
    const unsigned char *der = leaf->spki.data;
    X509_PUBKEY *key;
    ASN1_OBJECT *object = NULL;
    const char *text = "?";

    switch (leaf->kind) {
    case SNIV_KEY_RSA:
        return apr_psprintf(p, "RSA %d", leaf->bits);
    case SNIV_KEY_EC:
        return apr_pstrcat(p, "EC ", oid_text(leaf->curve.data,
                                              leaf->curve.len), NULL);
    default:
        key = d2i_X509_PUBKEY(NULL, &der, (long)leaf->spki.len);
        if (key && X509_PUBKEY_get0_param(&object, NULL, NULL, NULL, key)) {
            text = OBJ_nid2sn(OBJ_obj2nid(object));
        }
        X509_PUBKEY_free(key);
        ERR_clear_error();
        return text;
    }
}

static void describe_leaf(sniv_cert_info_t *info, const sniv_leaf_t *leaf,
                          apr_pool_t *p)
{
    apr_array_header_t *names = apr_array_make(p, 4, sizeof(const char *));
    sniv_bytes_t name;
    apr_size_t at = 0;

    while (sniv_der_name(leaf, &at, &name)) {
        char *text = apr_pstrmemdup(p, (const char *)name.data, name.len);

        sniv_name_lower(text);
        APR_ARRAY_PUSH(names, const char *) = text;
    }
    info->names = (const char *const *)(void *)names->elts;
    info->nnames = names->nelts;
    info->subject = name_text(&leaf->subject, p);
    info->issuer = name_text(&leaf->issuer, p);
}

const char *sniv_cert_fingerprint(const unsigned char *der, apr_size_t len,
                                  apr_pool_t *p)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n, i;
    char *text;

    if (!EVP_Digest(der, len, digest, &n, EVP_sha256(), NULL))
        return "";
    text = apr_palloc(p, 2 * n + 1);
    for (i = 0; i < n; i++)
        apr_snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return text;
}

static void describe(sniv_cert_info_t *info, const sniv_entry_t *entry,
                     apr_pool_t *p)
{
    apr_array_header_t *files = apr_array_make(p, 2, sizeof(const char *));
    const char *path;
    apr_size_t at;
    int i;

    for (at = 0; at < entry->files.len; at += strlen(path) + 1) {
        path = (const char *)entry->files.data + at;
        APR_ARRAY_PUSH(files, const char *) = apr_pstrdup(p, path);
    }
    info->files = (const char *const *)(void *)files->elts;
    info->nfiles = files->nelts;
    info->scope = entry->scope;
    info->subject = info->issuer = info->kinds = info->fingerprints = "";
    for (i = 0; i < entry->npairs; i++) {
        sniv_certs_describe(info, entry->pairs[i].leaf.data,
                            entry->pairs[i].leaf.len, p);
    }
    info->not_before = entry->not_before;
    info->not_after = entry->not_after;
    info->flags = entry->flags;
}

int sniv_certs_describe(sniv_cert_info_t *info, const unsigned char *der,
                        apr_size_t len, apr_pool_t *p)
{
    const int is_first = !info->kinds || !*info->kinds;
    const char *fingerprint;
    sniv_leaf_t leaf;

    if (sniv_der_leaf(&leaf, der, len)) {
        return 0;
    }
    fingerprint = sniv_cert_fingerprint(leaf.whole.data, leaf.whole.len, p);
    if (is_first) {
        describe_leaf(info, &leaf, p);
        info->kinds = kind_text(&leaf, p);
        info->fingerprints = fingerprint;
        info->not_before = leaf.not_before;
        info->not_after = leaf.not_after;
    }
    else {
        info->kinds = apr_pstrcat(p, info->kinds, ", ", kind_text(&leaf, p),
                                  NULL);
        info->fingerprints = apr_pstrcat(p, info->fingerprints, " ",
                                         fingerprint, NULL);
        if (leaf.not_before > info->not_before) {
            info->not_before = leaf.not_before;
        }
        if (leaf.not_after < info->not_after) {
            info->not_after = leaf.not_after;
        }
    }
    info->flags |= (leaf.must_staple ? SNIV_CERT_MUST_STAPLE : 0)
                   | (leaf.has_ocsp ? SNIV_CERT_OCSP_URI : 0);
    return 1;
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
    if (get_record(certs, id, &bytes, &bytes_len, &entry, &version)
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

apr_status_t sniv_certs_info(const sniv_certs_t *certs, sniv_cert_id_t id,
                             sniv_cert_info_t *info, apr_pool_t *p)
{
    unsigned char *bytes;
    apr_size_t len;
    sniv_entry_t entry;
    apr_status_t rv;

    memset(info, 0, sizeof(*info));
    info->id = id;
    rv = get_record(certs, id, &bytes, &len, &entry, &info->version);
    if (rv == APR_SUCCESS) {
        describe(info, &entry, p);
        OPENSSL_cleanse(bytes, len);
        free(bytes);
    }
    return rv;
}

int sniv_certs_covers(const sniv_cert_info_t *info, const char *host)
{
    int i;

    for (i = 0; i < info->nnames; i++) {
        if (sniv_name_covers(info->names[i], strlen(info->names[i]), host,
                             strlen(host))) {
            return 1;
        }
    }
    return 0;
}

sniv_cert_id_t sniv_certs_count(const sniv_certs_t *certs)
{
    return (sniv_cert_id_t)(certs->shm ? certs->nentries
                                      : certs->books.nids);
}

apr_status_t sniv_certs_examine(const sniv_cert_files_t *files,
                                sniv_cert_info_t *info, const char **pfile,
                                const char **preason, apr_pool_t *p)
{
    apr_pool_t *ptemp;
    sniv_reader_t *reader;
    sniv_entry_t entry;
    apr_status_t rv;

    memset(info, 0, sizeof(*info));
    *pfile = *preason = NULL;
    rv = apr_pool_create(&ptemp, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    reader = sniv_reader_make(ptemp);
    rv = sniv_reader_read(reader, files, 0, &entry, NULL, pfile, preason);
    entry.scope = SNIV_SCOPE_NONE;
    info->id = SNIV_CERT_NONE;
    info->scope = SNIV_SCOPE_NONE;
    info->flags = entry.flags;
    if (rv == APR_SUCCESS) {
        describe(info, &entry, p);
    }
    else {
        *preason = apr_pstrdup(p, *preason);
    }
    apr_pool_destroy(ptemp);
    return rv;
}

void sniv_certs_stats(const sniv_certs_t *certs, sniv_certs_stats_t *stats)
{
    memset(stats, 0, sizeof(*stats));
    if (certs->shm) {
        stats->entries = certs->books.nserved;
        stats->chains = certs->books.nused_chains;
        sniv_shm_usage(certs->shm, &stats->bytes, &stats->room);
        sniv_cache_stats(certs->cache, &stats->cached, &stats->hits,
                         &stats->misses);
    }
}
