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

#include <apr_strings.h>

void sniv_books_report(sniv_certs_t *certs, sniv_certs_event_e event,
                       sniv_cert_id_t id, const char *file,
                       const char *reason)
{
    certs->round.looks.is_full |= event == SNIV_CERTS_FULL;
    if (certs->books.report) {
        certs->books.report(certs->books.baton, event, id, file, reason);
    }
}

/* ----- ids */

static int room_for_ids(sniv_books_t *books)
{
    apr_uint32_t room = books->rids ? books->rids * 2 : 64;
    sniv_item_t **by_id = realloc(books->by_id, room * sizeof(*by_id));
    unsigned char *is_leaving;

    if (!by_id) {
        return 0;
    }
    books->by_id = by_id;
    is_leaving = realloc(books->is_leaving, room);
    if (!is_leaving) {
        return 0;
    }
    books->is_leaving = is_leaving;
    memset(by_id + books->rids, 0, (room - books->rids) * sizeof(*by_id));
    memset(is_leaving + books->rids, 0, room - books->rids);
    books->rids = room;
    return 1;
}

int sniv_id_take(sniv_certs_t *certs, sniv_item_t *item)
{
    sniv_books_t *books = &certs->books;
    apr_uint32_t i = (apr_uint32_t)books->free_hint;

    while (i < books->nids && (books->by_id[i] || books->is_leaving[i])) {
        i++;
    }
    if (certs->shm && i >= certs->nentries) {
        return 0;
    }
    if (i >= books->rids && !room_for_ids(books)) {
        return 0;
    }
    if (i >= books->nids) {
        books->nids = i + 1;
    }
    books->free_hint = (sniv_cert_id_t)i + 1;
    books->by_id[i] = item;
    item->id = (sniv_cert_id_t)i;
    return 1;
}

static void free_id(sniv_books_t *books, sniv_cert_id_t id)
{
    books->is_leaving[id] = 0;
    if (id < books->free_hint) {
        books->free_hint = id;
    }
}

void sniv_id_return(sniv_certs_t *certs, sniv_item_t *item)
{
    certs->books.by_id[item->id] = NULL;
    free_id(&certs->books, item->id);
    item->id = SNIV_CERT_NONE;
}

void sniv_id_leave(sniv_certs_t *certs, sniv_item_t *item, int has_record)
{
    sniv_books_t *books = &certs->books;
    sniv_leaving_t *leaving;

    books->by_id[item->id] = NULL;
    books->is_leaving[item->id] = 1;
    if (books->nleaving == books->rleaving) {
        apr_uint32_t room = books->rleaving ? books->rleaving * 2 : 16;

        leaving = realloc(books->leaving, room * sizeof(*leaving));
        if (!leaving) {
            /* the id is lost, what it serves must not be */
            sniv_shm_drop(certs->shm, SNIV_SLOT_ENTRY(item->id));
            sniv_chains_give(certs, item->chains, item->nchains);
            item->id = SNIV_CERT_NONE;
            item->nchains = 0;
            return;
        }
        books->leaving = leaving;
        books->rleaving = room;
    }
    leaving = &books->leaving[books->nleaving++];
    memset(leaving, 0, sizeof(*leaving));
    leaving->id = item->id;
    leaving->has_record = has_record;
    leaving->nchains = item->nchains;
    memcpy(leaving->chains, item->chains, sizeof(leaving->chains));
    if (!has_record && certs->shm) {
        sniv_shm_drop(certs->shm, SNIV_SLOT_ENTRY(item->id));
        sniv_chains_give(certs, item->chains, item->nchains);
    }
    item->id = SNIV_CERT_NONE;
    item->nchains = 0;
}

void sniv_ids_out(sniv_certs_t *certs)
{
    sniv_books_t *books = &certs->books;
    apr_uint32_t i;

    for (i = 0; i < books->nleaving; i++) {
        sniv_leaving_t *leaving = &books->leaving[i];

        if (leaving->has_record) {
            sniv_shm_drop(certs->shm, SNIV_SLOT_ENTRY(leaving->id));
            sniv_chains_give(certs, leaving->chains, leaving->nchains);
            leaving->has_record = 0;
            books->freed++;
        }
        leaving->is_out = 1;
    }
}

void sniv_ids_free(sniv_certs_t *certs)
{
    sniv_books_t *books = &certs->books;
    apr_uint32_t i, n = 0;

    for (i = 0; i < books->nleaving; i++) {
        if (books->leaving[i].is_out) {
            free_id(books, books->leaving[i].id);
        }
        else {
            books->leaving[n++] = books->leaving[i];
        }
    }
    books->nleaving = n;
}

int sniv_ids_restart(sniv_certs_t *certs)
{
    sniv_books_t *books = &certs->books;
    apr_uint32_t i;

    while (books->rids < certs->nentries) {
        if (!room_for_ids(books)) {
            return 0;
        }
    }
    for (i = 0; i < books->rids; i++) {
        if (books->by_id[i] && books->by_id[i]->folder) {
            books->by_id[i]->id = SNIV_CERT_NONE;
            books->by_id[i] = NULL;
        }
    }
    memset(books->is_leaving, 0, books->rids);
    books->nids = certs->nentries;
    books->nleaving = 0;
    books->free_hint = 0;
    return 1;
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
    return apr_pstrcat(p, key, "\n", files->chain ? files->chain : "", "\n",
                       files->ca_file ? files->ca_file : "", "\n",
                       files->ca_path ? files->ca_path : "", NULL);
}

static char *put_text(char **to, const char *text)
{
    apr_size_t len = strlen(text) + 1;
    char *copy = memcpy(*to, text, len);

    *to += len;
    return copy;
}

static apr_size_t length(const char *text)
{
    return text ? strlen(text) + 1 : 0;
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
    room += length(files->ca_file) + length(files->ca_path);
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
    item->files.ca_file = files->ca_file ? put_text(&text, files->ca_file)
                                         : NULL;
    item->files.ca_path = files->ca_path ? put_text(&text, files->ca_path)
                                         : NULL;
    item->files.level = files->level;
    item->key = put_text(&text, key);
    APR_RING_ELEM_INIT(item, link);
    item->id = SNIV_CERT_NONE;
    return item;
}

/* Put an item into the list of all and that of its folder. */
static int enlist(sniv_certs_t *certs, sniv_item_t *item)
{
    sniv_books_t *books = &certs->books;

    if (books->nitems == books->ritems) {
        apr_uint32_t room = books->ritems ? books->ritems * 2 : 64;
        sniv_item_t **items = realloc(books->items, room * sizeof(*items));

        if (!items) {
            return 0;
        }
        books->items = items;
        books->ritems = room;
    }
    item->at = books->nitems;
    books->items[books->nitems++] = item;
    if (item->folder) {
        item->folder->nitems++;
        item->next = item->folder->first;
        item->folder->first = item;
        if (item->next) {
            item->next->prev = item;
        }
        item->folder->share->files++;
        if (item->folder->share != item->folder->top_share) {
            item->folder->top_share->files++;
        }
    }
    return 1;
}

static void delist(sniv_certs_t *certs, const sniv_item_t *item)
{
    sniv_books_t *books = &certs->books;
    sniv_item_t *last = books->items[--books->nitems];

    books->items[item->at] = last;
    last->at = item->at;
    if (last != item && certs->round.phase == SNIV_ROUND_ITEMS
        && last->at < certs->round.cursor) {
        /* where the round has been already */
        sniv_mark(certs, &last->subject);
    }
    if (item->folder) {
        item->folder->nitems--;
        if (item->prev) {
            item->prev->next = item->next;
        }
        else {
            item->folder->first = item->next;
        }
        if (item->next) {
            item->next->prev = item->prev;
        }
        item->folder->share->files--;
        if (item->folder->share != item->folder->top_share) {
            item->folder->top_share->files--;
        }
    }
}

sniv_item_t *sniv_item_add(sniv_certs_t *certs, sniv_scope_t scope,
                           sniv_folder_t *folder,
                           const sniv_cert_files_t *files, int *is_new)
{
    char *key = make_key(scope, files, certs->ptemp);
    sniv_item_t *item = apr_hash_get(certs->books.by_files, key,
                                     APR_HASH_KEY_STRING);

    *is_new = 0;
    if (item) {
        return item;
    }
    if (folder && (folder->share->files >= (folder->share
                                            == folder->top_share
                                            ? SNIV_TOP_FILES
                                            : SNIV_SHARE_FILES)
                   || folder->top_share->files >= SNIV_TOP_FILES)) {
        return NULL;
    }
    item = make_item(files, key);
    if (!item) {
        return NULL;
    }
    item->scope = scope;
    item->folder = folder;
    if (!folder && !sniv_id_take(certs, item)) {
        free(item);
        return NULL;
    }
    if (!enlist(certs, item)) {
        if (item->id != SNIV_CERT_NONE) {
            sniv_id_return(certs, item);
        }
        free(item);
        return NULL;
    }
    apr_hash_set(certs->books.by_files, item->key, APR_HASH_KEY_STRING, item);
    sniv_subject_init(certs, &item->subject, 0);
    *is_new = 1;
    return item;
}

void sniv_item_remove(sniv_certs_t *certs, sniv_item_t *item)
{
    sniv_item_withdraw(certs, item);
    if (item->id != SNIV_CERT_NONE) {
        sniv_id_leave(certs, item, 0);
    }
    sniv_item_stop_waiting(certs, item);
    sniv_subject_leave(&item->subject);
    delist(certs, item);
    if (item->folder && !item->folder->first) {
        sniv_mark(certs, &item->folder->subject);   /* it may be gone, too */
    }
    apr_hash_set(certs->books.by_files, item->key, APR_HASH_KEY_STRING, NULL);
    free(item->problem);
    free(item);
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

/* ----- waiting */

void sniv_item_wait(sniv_certs_t *certs, sniv_item_t *item,
                    const sniv_stamp_t *stamps)
{
    sniv_round_t *round = &certs->round;
    apr_size_t size = (apr_size_t)item->nlist * sizeof(*stamps);

    if (item->is_waiting) {
        return;
    }
    if (round->nwaiting == round->rwaiting) {
        apr_uint32_t room = round->rwaiting ? round->rwaiting * 2 : 64;
        sniv_item_t **list = realloc(round->waiting, room * sizeof(*list));

        if (!list) {
            return;             /* the next round finds it again */
        }
        round->waiting = list;
        round->rwaiting = room;
    }
    item->pending = malloc(size);
    if (item->pending) {
        memcpy(item->pending, stamps, size);
        item->is_waiting = 1;
        item->waits_since = apr_time_now();
        item->waits_at = round->nwaiting;
        round->waiting[round->nwaiting++] = item;
    }
}

void sniv_item_stop_waiting(sniv_certs_t *certs, sniv_item_t *item)
{
    sniv_round_t *round = &certs->round;
    sniv_item_t *last;

    if (item->is_waiting) {
        last = round->waiting[--round->nwaiting];
        round->waiting[item->waits_at] = last;
        last->waits_at = item->waits_at;
    }
    free(item->pending);
    item->pending = NULL;
    item->is_waiting = 0;
}
