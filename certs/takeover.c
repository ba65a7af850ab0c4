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

#include <string.h>

#include <apr_strings.h>

/*
 * The books of a writer die with it. A new one begins with those that the
 * parent has, of the time of the load, and with what children are being
 * served now. Records say which files they were read from:
 *
 *     an item has these files     it serves the record; if it is younger than
 *                                 the books, the files are read again
 *     two records have them       the younger one counts (the index was about
 *                                 to be written)
 *     no item has them            the file is gone: the record leaves on the
 *                                 way of all ids. But one whose folder cannot
 *                                 be read now gets an item
 *
 * So nothing that is served is missing for a moment, and nothing is served
 * for longer than its file is there.
 *
 * A store that has inherited what it serves (certs/inherit.c) begins with
 * empty books: it is the same, and then all files are read.
 */

static void forget_what_is_served(sniv_certs_t *certs)
{
    sniv_books_t *books = &certs->books;
    apr_uint32_t i;

    for (i = 0; i < books->nitems; i++) {
        sniv_item_t *item = books->items[i];

        if (item->is_served) {
            sniv_share_remove(item);
        }
        item->is_served = 0;
        sniv_item_no_news(item);
        item->nnames = 0;
        item->name_bytes = 0;
        item->bytes = 0;
        item->nchains = 0;
    }
    books->nserved = 0;
    sniv_chains_restart(certs);
}

/* The folders may have changed since. What is in them gets items. */
static void read_folders(sniv_certs_t *certs, apr_time_t now)
{
    sniv_books_t *books = &certs->books;
    apr_pool_t *ptemp;
    sniv_stamp_t stamp;
    apr_uint32_t i;

    sniv_folders_begin(certs);
    apr_pool_create(&ptemp, certs->ptemp);
    /* the list grows while it is being worked off */
    for (i = 0; i < books->nfolders; i++) {
        sniv_folder_t *folder = books->folders[i];

        sniv_stamp_of(&stamp, folder->path);
        sniv_folder_place(certs, folder, &stamp);
        if (!folder->is_alias && !folder->is_deep) {
            sniv_folder_read(certs, folder, now, NULL, ptemp);
            apr_pool_clear(ptemp);
        }
    }
    apr_pool_destroy(ptemp);
}

/* Scope and files as a record has them. */
static const char *key_of(sniv_scope_t scope, const void *files,
                          apr_size_t len, apr_size_t *klen, apr_pool_t *p)
{
    char *key = apr_palloc(p, sizeof(scope) + len);

    memcpy(key, &scope, sizeof(scope));
    if (len) {
        memcpy(key + sizeof(scope), files, len);
    }
    *klen = sizeof(scope) + len;
    return key;
}

static apr_hash_t *items_by_files(sniv_certs_t *certs, apr_pool_t *p)
{
    sniv_books_t *books = &certs->books;
    apr_hash_t *by_files = apr_hash_make(p);
    apr_size_t len;
    apr_uint32_t i;
    int k;

    for (i = 0; i < books->nitems; i++) {
        sniv_item_t *item = books->items[i];
        const char *key;
        char *files, *to;

        for (len = 0, k = 0; k < item->nlist; k++) {
            len += strlen(item->list[k]) + 1;
        }
        files = to = apr_palloc(p, len + 1);
        for (k = 0; k < item->nlist; k++) {
            apr_size_t n = strlen(item->list[k]) + 1;

            memcpy(to, item->list[k], n);
            to += n;
        }
        key = key_of(item->scope, files, len, &len, p);
        apr_hash_set(by_files, key, (apr_ssize_t)len, item);
    }
    return by_files;
}

static sniv_item_t *owner_of(const sniv_certs_t *certs, apr_hash_t *by_files,
                             sniv_cert_id_t id, const sniv_entry_t *entry,
                             apr_pool_t *p)
{
    sniv_item_t *item = certs->books.by_id[id];
    apr_size_t len;
    const char *key;

    /* that of a virtual host's own files is known by its number */
    if (item && !item->folder) {
        return item;
    }
    key = key_of(entry->scope, entry->files.data, entry->files.len, &len, p);
    item = apr_hash_get(by_files, key, (apr_ssize_t)len);
    return item && item->folder ? item : NULL;
}

/* The deepest folder on the way to a file that is known. */
static sniv_folder_t *folder_above(const sniv_certs_t *certs,
                                   sniv_scope_t scope, const char *file,
                                   apr_pool_t *p)
{
    char *key = apr_psprintf(p, "%d %s", (int)scope, file), *slash;
    sniv_folder_t *folder = NULL;

    while (!folder && (slash = strrchr(key, '/')) != NULL) {
        *slash = '\0';
        folder = apr_hash_get(certs->books.by_path, key,
                              APR_HASH_KEY_STRING);
    }
    return folder;
}

/* The files of a record as a folder has them: a pair, or one file. */
static int files_of(const sniv_entry_t *entry, sniv_cert_files_t *files,
                    const char **pcert, const char **pkey)
{
    const char *cert = (const char *)entry->files.data;
    apr_size_t len = entry->files.len;
    const char *key = len ? cert + strlen(cert) + 1 : NULL;

    if (len == 0) {
        return 0;
    }
    memset(files, 0, sizeof(*files));
    *pcert = cert;
    *pkey = key < cert + len ? key : NULL;
    files->certs = pcert;
    files->ncerts = 1;
    files->keys = pkey;
    files->nkeys = 1;
    return 1;
}

/*
 * An item for a record that has none because its folder cannot be read: not
 * for one that was removed from a folder that can.
 */
static sniv_item_t *unreached(sniv_certs_t *certs, const sniv_entry_t *entry,
                              apr_pool_t *p)
{
    const char *cert, *key;
    sniv_cert_files_t files;
    sniv_folder_t *folder;
    sniv_item_t *item;
    int is_new;

    if (entry->scope < 0 || entry->scope >= certs->books.nscopes
        || !files_of(entry, &files, &cert, &key)
        || !(folder = folder_above(certs, entry->scope, cert, p))
        || folder->is_alias || folder->is_deep
        || folder->problem == APR_SUCCESS) {
        return NULL;
    }
    files.level = certs->books.scopes[entry->scope].level;
    item = sniv_item_add(certs, entry->scope, folder, &files, &is_new);
    if (item) {
        item->is_listed = 1;
    }
    return item;
}

/* Whether a record's slot is younger than that of the item. */
static int is_younger(const sniv_certs_t *certs, apr_uint64_t version,
                      const sniv_item_t *item)
{
    return version > sniv_shm_version(certs->shm, SNIV_SLOT_ENTRY(item->id));
}

/* Another record of the same files is the one that counts. */
static void detach(sniv_certs_t *certs, sniv_item_t *item)
{
    sniv_share_remove(item);
    certs->books.nserved--;
    item->is_served = 0;
    sniv_id_leave(certs, item, 1);
}

static void take_record(sniv_certs_t *certs, apr_hash_t *by_files,
                        sniv_cert_id_t id, apr_uint64_t books_version,
                        apr_pool_t *p)
{
    sniv_item_t *item;
    sniv_entry_t entry;
    apr_size_t len;
    apr_uint64_t version;
    const void *bytes = sniv_shm_peek(certs->shm, SNIV_SLOT_ENTRY(id), &len,
                                      &version);

    if (!bytes) {
        return;
    }
    if (!sniv_record_parse(&entry, bytes, len)) {
        sniv_record_leave(certs, id, NULL);
        return;
    }
    item = owner_of(certs, by_files, id, &entry, p);
    if (!item) {
        item = unreached(certs, &entry, p);
    }
    if (!item || (item->is_served && !is_younger(certs, version, item))) {
        sniv_record_leave(certs, id, &entry);
        return;
    }
    if (item->is_served) {
        detach(certs, item);
    }
    if (!sniv_item_attach(certs, item, id, &entry)) {
        sniv_shm_drop(certs->shm, SNIV_SLOT_ENTRY(id));
        item->stamps[0].size = SNIV_STAMP_AGAIN;
    }
    else if (version > books_version) {
        item->stamps[0].size = SNIV_STAMP_AGAIN;
    }
}

apr_status_t sniv_certs_take_over(sniv_certs_t *certs,
                                  sniv_certs_report_fn *report, void *baton)
{
    sniv_books_t *books = &certs->books;
    apr_uint64_t books_version = books->version;
    apr_status_t rv = sniv_shm_take_over(certs->shm);
    apr_pool_t *ptemp, *each;
    apr_hash_t *by_files;
    apr_uint32_t i;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    books->report = report;
    books->baton = baton;
    read_folders(certs, apr_time_now());
    forget_what_is_served(certs);
    if (!sniv_ids_restart(certs)) {
        return APR_ENOMEM;
    }
    books->version = sniv_shm_newest(certs->shm);
    apr_pool_create(&ptemp, certs->ptemp);
    apr_pool_create(&each, ptemp);
    by_files = items_by_files(certs, ptemp);
    for (i = 0; i < certs->nentries; i++) {
        take_record(certs, by_files, (sniv_cert_id_t)i, books_version, each);
        apr_pool_clear(each);
    }
    sniv_chains_sweep(certs);
    books->is_index_old = 1;
    (void)sniv_books_index(certs);      /* or the next look */
    certs->round.start = 0;
    /* it may have been killed while it looked */
    (void)sniv_certs_looks(certs, &certs->round.looks);
    certs->round.looks.is_in_round = 0;
    if (certs->round.looks.is_behind) {
        sniv_looks_note(certs, 1);
        sniv_items_catch_up(certs);
        sniv_looks_note(certs, 0);
    }
    else if (!certs->is_loaded) {
        sniv_shares_limit(certs);
    }
    apr_pool_clear(certs->ptemp);
    books->report = NULL;
    books->baton = NULL;
    return APR_SUCCESS;
}

pid_t sniv_certs_fork(sniv_certs_t *certs)
{
    return sniv_shm_fork(certs->shm);
}
