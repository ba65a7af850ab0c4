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

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <apr_strings.h>
#include <apr_time.h>

#include <openssl/crypto.h>

#include "certs/layout.h"
#include "certs/index.h"

void sniv_store_report(sniv_certs_t *certs, sniv_certs_event_e event,
                       sniv_cert_id_t id, const char *file,
                       const char *reason)
{
    if (certs->report) {
        certs->report(certs->baton, event, id, file, reason);
    }
}

/* ----- items */

/* Scope, level and paths, in a text that no other item has. */
static char *make_key(sniv_scope_t scope, const sniv_cert_files_t *files,
                      apr_pool_t *p)
{
    char *key = apr_psprintf(p, "%d %d", (int)scope, files->level);
    int i;

    for (i = 0; i < files->ncerts; i++) {
        key = apr_pstrcat(p, key, "\n", files->certs[i], "\n",
                          i < files->nkeys && files->keys[i]
                          ? files->keys[i] : "", NULL);
    }
    return apr_pstrcat(p, key, "\n", files->chain ? files->chain : "", NULL);
}

static char *put_text(char **to, const char *text)
{
    apr_size_t len = strlen(text) + 1;
    char *copy = memcpy(*to, text, len);

    *to += len;
    return copy;
}

static const char *in_list(const sniv_item_t *item, const char *path)
{
    int i = 0;

    while (strcmp(item->list[i], path) != 0) {
        i++;
    }
    return item->list[i];
}

/* An item in one piece of memory: itself, stamps, pointers, strings. */
static sniv_item_t *make_item(const sniv_cert_files_t *files,
                              const char *key)
{
    const char *list[SNIV_FILES_MAX], **certs, **keys;
    apr_size_t n = (apr_size_t)files->ncerts;
    apr_size_t nlist = (apr_size_t)sniv_files_list(files, list);
    apr_size_t size = sizeof(sniv_item_t) + nlist * sizeof(sniv_stamp_t)
                      + (2 * n + nlist) * sizeof(char *);
    apr_size_t room = size + strlen(key) + 1;
    sniv_item_t *item;
    char *text;
    apr_size_t i;

    for (i = 0; i < nlist; i++) {
        room += strlen(list[i]) + 1;
    }
    item = nlist ? calloc(1, room) : NULL;
    if (!item) {
        return NULL;
    }
    item->stamps = (sniv_stamp_t *)(void *)(item + 1);
    item->list = (const char **)(void *)(item->stamps + nlist);
    certs = item->list + nlist;
    keys = certs + n;
    text = (char *)item + size;
    for (i = 0; i < nlist; i++) {
        item->list[i] = put_text(&text, list[i]);
    }
    item->nlist = (int)nlist;
    for (i = 0; i < n; i++) {
        certs[i] = in_list(item, files->certs[i]);
        keys[i] = i < (apr_size_t)files->nkeys && files->keys[i]
                  ? in_list(item, files->keys[i]) : NULL;
    }
    item->files.certs = certs;
    item->files.ncerts = (int)n;
    item->files.keys = keys;
    item->files.nkeys = (int)n;
    item->files.chain = files->chain ? in_list(item, files->chain) : NULL;
    item->files.level = files->level;
    item->key = put_text(&text, key);
    item->next = item->prev = SNIV_CERT_NONE;
    return item;
}

static int take_id(sniv_certs_t *certs, sniv_cert_id_t *id)
{
    apr_uint32_t i;

    for (i = (apr_uint32_t)certs->free_hint; i < certs->nitems; i++) {
        if (!certs->items[i]) {
            break;
        }
    }
    if (certs->shm && i >= certs->nentries) {
        return 0;
    }
    if (i == certs->ritems) {
        apr_uint32_t room = certs->ritems ? certs->ritems * 2 : 64;
        sniv_item_t **items = realloc(certs->items, room * sizeof(*items));

        if (!items) {
            return 0;
        }
        certs->items = items;
        certs->ritems = room;
    }
    if (i == certs->nitems) {
        certs->nitems++;
    }
    certs->free_hint = (sniv_cert_id_t)i + 1;
    *id = (sniv_cert_id_t)i;
    return 1;
}

sniv_item_t *sniv_item_add(sniv_certs_t *certs, sniv_scope_t scope,
                           int folder, const sniv_cert_files_t *files,
                           int *is_new)
{
    apr_pool_t *ptemp = certs->look_pool;
    char *key = make_key(scope, files, ptemp);
    sniv_item_t *item = apr_hash_get(certs->by_files, key,
                                     APR_HASH_KEY_STRING);

    *is_new = 0;
    if (item) {
        return item;
    }
    item = make_item(files, key);
    if (!item) {
        return NULL;
    }
    if (!take_id(certs, &item->id)) {
        free(item);
        return NULL;
    }
    item->scope = scope;
    item->folder = folder;
    if (folder >= 0) {
        item->next = certs->folders[folder]->first;
        certs->folders[folder]->first = item->id;
        if (item->next != SNIV_CERT_NONE) {
            certs->items[item->next]->prev = item->id;
        }
    }
    certs->items[item->id] = item;
    apr_hash_set(certs->by_files, item->key, APR_HASH_KEY_STRING, item);
    *is_new = 1;
    return item;
}

int sniv_item_problem(sniv_item_t *item, const char *file,
                      const char *reason)
{
    if (item->problem && item->problem_file == file
        && strcmp(item->problem, reason) == 0) {
        return 0;
    }
    free(item->problem);
    item->problem = strdup(reason);
    item->problem_file = file;
    return 1;
}

/* ----- chains */

static sniv_chain_t *chain_at(sniv_certs_t *certs, apr_uint32_t slot)
{
    return &certs->chains[slot - certs->nentries - 1];
}

/* The chain record with these bytes: the one that there is, or a new one. */
static apr_status_t take_chain(sniv_certs_t *certs, sniv_pair_t *pair)
{
    sniv_chain_t *chain = apr_hash_get(certs->by_chain, pair->chain.data,
                                       (apr_ssize_t)pair->chain.len);
    const void *bytes;
    apr_size_t len;
    apr_status_t rv;

    if (!chain) {
        apr_uint32_t i = certs->free_chain;

        while (i < certs->nchains && certs->chains[i].users) {
            i++;
        }
        if (i == certs->nchains) {
            return APR_ENOSPC;
        }
        chain = &certs->chains[i];
        chain->slot = certs->nentries + 1 + i;
        chain->version = ++certs->version;
        rv = sniv_shm_put(certs->shm, chain->slot, pair->chain.data,
                          pair->chain.len, chain->version);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        bytes = sniv_shm_peek(certs->shm, chain->slot, &len, NULL);
        apr_hash_set(certs->by_chain, bytes, (apr_ssize_t)len, chain);
        certs->free_chain = i + 1;
        certs->nused_chains++;
    }
    chain->users++;
    pair->chain_slot = chain->slot;
    pair->chain_version = chain->version;
    return APR_SUCCESS;
}

static void give_chain(sniv_certs_t *certs, apr_uint32_t slot)
{
    sniv_chain_t *chain = chain_at(certs, slot);
    const void *bytes;
    apr_size_t len;

    if (--chain->users > 0) {
        return;
    }
    bytes = sniv_shm_peek(certs->shm, slot, &len, NULL);
    if (bytes) {
        apr_hash_set(certs->by_chain, bytes, (apr_ssize_t)len, NULL);
    }
    sniv_shm_drop(certs->shm, slot);
    certs->nused_chains--;
    if (slot - certs->nentries - 1 < certs->free_chain) {
        certs->free_chain = slot - certs->nentries - 1;
    }
}

static void give_chains(sniv_certs_t *certs, const apr_uint32_t *slots,
                        int n)
{
    while (n-- > 0) {
        give_chain(certs, slots[n]);
    }
}

/* ----- what is served */

int sniv_item_entry(const sniv_certs_t *certs, const sniv_item_t *item,
                    sniv_entry_t *entry)
{
    apr_size_t len;
    const void *bytes = sniv_shm_peek(certs->shm, SNIV_SLOT_ENTRY(item->id),
                                      &len, NULL);

    return bytes && sniv_record_parse(entry, bytes, len);
}

void sniv_item_withdraw(sniv_certs_t *certs, sniv_item_t *item)
{
    if (!item->is_served) {
        return;
    }
    sniv_shm_drop(certs->shm, SNIV_SLOT_ENTRY(item->id));
    give_chains(certs, item->chains, item->nchains);
    item->nchains = 0;
    item->is_served = 0;
    certs->nserved--;
    if (item->scope != SNIV_SCOPE_NONE) {
        certs->is_index_old = 1;
    }
}

/* Take an item out of its folder's list. */
static void unlink_item(sniv_certs_t *certs, const sniv_item_t *item)
{
    if (item->folder < 0) {
        return;
    }
    if (item->prev != SNIV_CERT_NONE) {
        certs->items[item->prev]->next = item->next;
    }
    else {
        certs->folders[item->folder]->first = item->next;
    }
    if (item->next != SNIV_CERT_NONE) {
        certs->items[item->next]->prev = item->prev;
    }
}

void sniv_item_remove(sniv_certs_t *certs, sniv_item_t *item)
{
    apr_uint32_t i;

    sniv_item_withdraw(certs, item);
    unlink_item(certs, item);
    for (i = 0; item->is_waiting && i < certs->nwaiting; i++) {
        if (certs->waiting[i] == item->id) {
            certs->waiting[i] = certs->waiting[--certs->nwaiting];
            break;
        }
    }
    apr_hash_set(certs->by_files, item->key, APR_HASH_KEY_STRING, NULL);
    certs->items[item->id] = NULL;
    if (item->id < certs->free_hint) {
        certs->free_hint = item->id;
    }
    free(item->pending);
    free(item->problem);
    free(item);
}

/* Whether an entry's record is, byte for byte, the one that is served. */
static apr_status_t put_record(sniv_certs_t *certs, const sniv_item_t *item,
                               const sniv_entry_t *entry, int *is_same)
{
    apr_uint32_t slot = SNIV_SLOT_ENTRY(item->id);
    apr_size_t size = sniv_record_size(entry), len;
    unsigned char *record = malloc(size);
    const void *now;
    apr_status_t rv = APR_SUCCESS;

    if (!record) {
        return APR_ENOMEM;
    }
    sniv_record_write(entry, record);
    now = sniv_shm_peek(certs->shm, slot, &len, NULL);
    *is_same = now && len == size && memcmp(now, record, size) == 0;
    if (!*is_same) {
        rv = sniv_shm_put(certs->shm, slot, record, size, ++certs->version);
    }
    OPENSSL_cleanse(record, size);
    free(record);
    return rv;
}

/* Put an entry in the place of what the item serves. */
static sniv_item_e serve(sniv_certs_t *certs, sniv_item_t *item,
                         sniv_entry_t *entry)
{
    apr_uint32_t chains[SNIV_PAIRS_MAX];
    apr_status_t rv = APR_SUCCESS;
    int i, n = 0, is_same = 0;

    for (i = 0; i < entry->npairs && rv == APR_SUCCESS; i++) {
        if (certs->is_dry) {
            entry->pairs[i].key.len = 0;
        }
        if (entry->pairs[i].chain.len > 0) {
            rv = take_chain(certs, &entry->pairs[i]);
            if (rv == APR_SUCCESS) {
                chains[n++] = entry->pairs[i].chain_slot;
            }
        }
    }
    if (rv == APR_SUCCESS) {
        rv = put_record(certs, item, entry, &is_same);
    }
    if (rv != APR_SUCCESS || is_same) {
        give_chains(certs, chains, n);
        return rv != APR_SUCCESS ? SNIV_ITEM_FULL : SNIV_ITEM_SAME;
    }
    /* nobody can come by an old chain any more but by the old record */
    give_chains(certs, item->chains, item->nchains);
    memcpy(item->chains, chains, sizeof(chains[0]) * (apr_size_t)n);
    item->nchains = n;
    if (!item->is_served) {
        item->is_served = 1;
        certs->nserved++;
    }
    if (item->scope != SNIV_SCOPE_NONE) {
        certs->is_index_old = 1;
    }
    return SNIV_ITEM_NEW;
}

sniv_item_e sniv_item_read(sniv_certs_t *certs, sniv_item_t *item,
                           unsigned flags,
                           const char *(*accept)(const sniv_item_t *item,
                                                 const sniv_entry_t *was,
                                                 const sniv_entry_t *is,
                                                 void *baton), void *baton,
                           const char **pfile, const char **preason)
{
    sniv_stamp_t stamps[SNIV_FILES_MAX];
    sniv_entry_t entry, was;
    sniv_item_e result;

    memset(stamps, 0, sizeof(stamps));
    if (item->scope != SNIV_SCOPE_NONE) {
        flags |= SNIV_READ_ANY_ORDER | SNIV_READ_NAMED;
    }
    if (sniv_reader_read(certs->reader, &item->files, flags, &entry, stamps,
                         pfile, preason) != APR_SUCCESS) {
        item->flags = entry.flags;
        memcpy(item->stamps, stamps,
               sizeof(stamps[0]) * (apr_size_t)item->nlist);
        return SNIV_ITEM_BAD;
    }
    item->flags = entry.flags;
    entry.scope = item->scope;
    *pfile = item->files.certs[0];
    if (accept) {
        *preason = accept(item, item->is_served
                          && sniv_item_entry(certs, item, &was)
                          ? &was : NULL, &entry, baton);
        if (*preason) {
            sniv_reader_wipe(certs->reader);
            return SNIV_ITEM_BAD;
        }
    }
    memcpy(item->stamps, stamps,
           sizeof(stamps[0]) * (apr_size_t)item->nlist);
    result = serve(certs, item, &entry);
    sniv_reader_wipe(certs->reader);
    if (result == SNIV_ITEM_FULL) {
        *preason = "finds no room in the memory that the processes share";
    }
    else {
        free(item->problem);
        item->problem = NULL;
    }
    return result;
}

int sniv_entry_doubt(const sniv_entry_t *entry, apr_time_t now, char *text,
                     apr_size_t room)
{
    char date[APR_RFC822_DATE_LEN];

    if (now > entry->not_after) {
        apr_rfc822_date(date, entry->not_after);
        apr_snprintf(text, room, "has expired on %s", date);
    }
    else if (now < entry->not_before) {
        apr_rfc822_date(date, entry->not_before);
        apr_snprintf(text, room, "is not valid before %s", date);
    }
    else if (entry->flags & SNIV_CERT_WEAK) {
        apr_snprintf(text, room, "has an RSA key below 2048 bits or a "
                     "signature with SHA-1 or MD5, which OpenSSL refuses at "
                     "its default security level");
    }
    else {
        return 0;
    }
    return 1;
}

/* ----- folders */

static const char *inode_key(sniv_scope_t scope, const sniv_stamp_t *stamp,
                             apr_pool_t *p)
{
    return apr_psprintf(p, "%d %" APR_UINT64_T_FMT " %" APR_UINT64_T_FMT,
                        (int)scope, stamp->device, stamp->inode);
}

/* Inodes are used again, and folders are renamed. */
static int is_still_at(const sniv_folder_t *folder, const sniv_stamp_t *stamp)
{
    sniv_stamp_t now;

    sniv_stamp_of(&now, folder->path);
    return now.size >= 0 && now.device == stamp->device
           && now.inode == stamp->inode;
}

void sniv_folder_place(sniv_certs_t *certs, sniv_folder_t *folder,
                       const sniv_stamp_t *stamp)
{
    const char *key;
    sniv_folder_t *same;
    int was_alias = folder->is_alias;

    folder->is_alias = 0;
    if (stamp->size < 0 || folder->is_deep) {
        return;
    }
    key = inode_key(folder->scope, stamp, certs->look_pool);
    same = apr_hash_get(certs->by_inode, key, APR_HASH_KEY_STRING);
    if (!same || (same != folder && !is_still_at(same, stamp))) {
        apr_hash_set(certs->by_inode, same ? key : apr_pstrdup(certs->p, key),
                     APR_HASH_KEY_STRING, folder);
        return;
    }
    folder->is_alias = same != folder;
    if (folder->is_alias && !was_alias) {
        sniv_store_report(certs, SNIV_CERTS_FOLDER, SNIV_CERT_NONE,
                          folder->path,
                          apr_pstrcat(certs->look_pool, "is another path to ",
                                      same->path, " and is not looked into",
                                      NULL));
    }
}

void sniv_folder_add(sniv_certs_t *certs, sniv_scope_t scope,
                     const char *path, int depth, int top)
{
    const char *key = apr_psprintf(certs->look_pool, "%d %s", (int)scope,
                                   path);
    sniv_folder_t *folder;
    sniv_stamp_t stamp;

    if (apr_hash_get(certs->by_path, key, APR_HASH_KEY_STRING)) {
        return;
    }
    if (certs->nfolders == certs->rfolders) {
        int room = certs->rfolders ? certs->rfolders * 2 : 16;
        sniv_folder_t **folders = realloc(certs->folders, (apr_size_t)room
                                          * sizeof(*folders));

        if (!folders) {
            return;
        }
        certs->folders = folders;
        certs->rfolders = room;
    }
    folder = apr_pcalloc(certs->p, sizeof(*folder));
    folder->path = apr_pstrdup(certs->p, path);
    folder->number = certs->nfolders;
    folder->scope = scope;
    folder->depth = depth;
    folder->top = top < 0 ? folder->number : top;
    folder->first = SNIV_CERT_NONE;
    folder->stamp.size = -1;
    certs->folders[certs->nfolders++] = folder;
    apr_hash_set(certs->by_path, apr_pstrdup(certs->p, key),
                 APR_HASH_KEY_STRING, folder);

    if (depth <= SNIV_FOLDER_DEPTH) {
        sniv_stamp_of(&stamp, path);
        sniv_folder_place(certs, folder, &stamp);
    }
    else {
        folder->is_deep = 1;
        sniv_store_report(certs, SNIV_CERTS_FOLDER, SNIV_CERT_NONE, path,
                          "is too deep in other folders to be looked into");
    }
}

/* What a visit of a folder needs. */
typedef struct visit_t {
    sniv_certs_t *certs;
    sniv_folder_t *folder;
    void (*added)(sniv_certs_t *certs, sniv_item_t *item);
} visit_t;

static void visit_pair(void *baton, const char *cert, const char *key,
                       const char *chain)
{
    visit_t *visit = baton;
    sniv_certs_t *certs = visit->certs;
    sniv_cert_files_t files;
    sniv_item_t *item;
    int is_new;

    files.certs = &cert;
    files.ncerts = 1;
    files.keys = &key;
    files.nkeys = 1;
    files.chain = chain;
    files.level = certs->scopes[visit->folder->scope].level;
    item = sniv_item_add(certs, visit->folder->scope, visit->folder->number,
                         &files, &is_new);
    if (item) {
        item->is_listed = 1;
        item->gone = 0;
        if (is_new && visit->added) {
            visit->added(certs, item);
        }
    }
    else if (!certs->is_full_told) {
        certs->is_full_told = 1;
        sniv_store_report(certs, SNIV_CERTS_FULL, SNIV_CERT_NONE, cert,
                          "finds no room in the memory that the processes "
                          "share");
    }
}

static void visit_folder(void *baton, const char *path)
{
    visit_t *visit = baton;

    sniv_folder_add(visit->certs, visit->folder->scope, path,
                    visit->folder->depth + 1, visit->folder->top);
}

apr_status_t sniv_folder_read(sniv_certs_t *certs, int number, apr_time_t now,
                              void (*added)(sniv_certs_t *certs,
                                            sniv_item_t *item),
                              apr_pool_t *ptemp)
{
    sniv_folder_t *folder = certs->folders[number];
    sniv_folder_visitor_t visitor;
    sniv_cert_id_t id;
    sniv_stamp_t stamp;
    visit_t visit;
    apr_status_t rv;

    sniv_stamp_of(&stamp, folder->path);
    for (id = folder->first; id != SNIV_CERT_NONE;
         id = certs->items[id]->next) {
        certs->items[id]->is_listed = 0;
    }
    visit.certs = certs;
    visit.folder = folder;
    visit.added = added;
    visitor.pair = visit_pair;
    visitor.folder = visit_folder;
    visitor.baton = &visit;
    rv = sniv_folder_visit(folder->path, &visitor, ptemp);
    if (rv != APR_SUCCESS) {
        for (id = folder->first; id != SNIV_CERT_NONE;
             id = certs->items[id]->next) {
            certs->items[id]->is_listed = 1;
        }
        stamp.size = -1;
    }
    folder->stamp = stamp;
    /* a change within the clock's tick of the reading leaves no trace */
    folder->is_fresh = stamp.size >= 0
                       && now - stamp.mtime / 1000 < apr_time_from_sec(3);
    return rv;
}

/* ----- the index */

typedef struct gather_t {
    sniv_index_name_t *names;
    apr_size_t n, room;
    apr_pool_t *p;
} gather_t;

static int gather_names(gather_t *all, const sniv_item_t *item,
                        const sniv_entry_t *entry)
{
    sniv_index_name_t *to;
    sniv_bytes_t name;
    sniv_leaf_t leaf;
    apr_size_t at;
    char *text;
    int i;

    for (i = 0; i < entry->npairs; i++) {
        if (sniv_der_leaf(&leaf, entry->pairs[i].leaf.data,
                          entry->pairs[i].leaf.len)) {
            continue;
        }
        for (at = 0; sniv_der_name(&leaf, &at, &name);) {
            if (!sniv_name_is_usable((const char *)name.data, name.len)) {
                continue;
            }
            if (all->n == all->room) {
                apr_size_t room = all->room ? all->room * 2 : 256;

                to = realloc(all->names, room * sizeof(*to));
                if (!to) {
                    return 0;
                }
                all->names = to;
                all->room = room;
            }
            text = apr_pstrmemdup(all->p, (const char *)name.data, name.len);
            sniv_name_lower(text);
            to = &all->names[all->n++];
            to->name = text;
            to->len = (apr_uint32_t)name.len;
            to->scope = item->scope;
            to->id = item->id;
            to->not_before = entry->not_before;
            to->not_after = entry->not_after;
        }
    }
    return 1;
}

apr_status_t sniv_store_index(sniv_certs_t *certs)
{
    gather_t all;
    sniv_entry_t entry;
    apr_status_t rv = APR_SUCCESS;
    apr_uint32_t i;

    if (!certs->is_index_old) {
        return APR_SUCCESS;
    }
    memset(&all, 0, sizeof(all));
    apr_pool_create(&all.p, certs->p);
    for (i = 0; i < certs->nitems && rv == APR_SUCCESS; i++) {
        const sniv_item_t *item = certs->items[i];

        if (item && item->is_served && item->scope != SNIV_SCOPE_NONE
            && sniv_item_entry(certs, item, &entry)
            && !gather_names(&all, item, &entry)) {
            rv = APR_ENOMEM;
        }
    }
    if (rv == APR_SUCCESS) {
        rv = sniv_index_write(certs->shm, SNIV_SLOT_INDEX, ++certs->version,
                              all.names, all.n);
    }
    if (rv == APR_SUCCESS) {
        certs->is_index_old = 0;
    }
    free(all.names);
    apr_pool_destroy(all.p);
    return rv;
}
