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
#include <apr_tables.h>

#include "certs/hash.h"

#define CACHE_DEFAULT 1000
#define EVICTED_MAX 1000    /* left out for smaller ones, while loading */

static apr_status_t destroy(void *data)
{
    sniv_certs_t *certs = data;
    sniv_books_t *books = &certs->books;
    apr_uint32_t i;

    for (i = 0; i < books->nitems; i++) {
        sniv_watch_forget(&books->items[i]->subject);
        free(books->items[i]->pending);
        free(books->items[i]->problem);
        free(books->items[i]);
    }
    for (i = 0; i < books->nfolders; i++) {
        sniv_watch_forget(&books->folders[i]->subject);
        free(books->folders[i]->own_share.passed_first);
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
    sniv_marks_init(certs);
    APR_RING_INIT(&books->news, sniv_item_t, link);
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

void sniv_certs_keys(sniv_certs_t *certs, const char *path)
{
    sniv_reader_keys(certs->books.reader, path);
}

apr_status_t sniv_certs_add_files(sniv_certs_t *certs,
                                  const sniv_cert_files_t *files,
                                  sniv_cert_id_t *pid)
{
    const char *list[SNIV_FILES_MAX];
    sniv_item_t *item;
    int is_new, i;

    *pid = SNIV_CERT_NONE;
    if (certs->shm || sniv_files_list(files, list) == 0) {
        return APR_EINVAL;
    }
    item = sniv_item_add(certs, SNIV_SCOPE_NONE, NULL, files, &is_new);
    apr_pool_clear(certs->ptemp);
    if (!item) {
        return APR_ENOMEM;
    }
    if (!item->hosts) {
        item->hosts = apr_array_make(certs->p, 2, sizeof(const char *));
    }
    for (i = 0; i < files->nhosts; i++) {
        APR_ARRAY_PUSH(item->hosts, const char *) = files->hosts[i];
    }
    item->is_stapled |= files->is_stapled & 1;
    *pid = item->id;
    return APR_SUCCESS;
}

int sniv_scope_equal(const sniv_scope_dirs_t *a, const sniv_scope_dirs_t *b)
{
    int i;

    if (a->level != b->level || a->trust != b->trust
        || a->ndirs != b->ndirs) {
        return 0;
    }
    for (i = 0; i < a->ndirs && strcmp(a->dirs[i], b->dirs[i]) == 0;) {
        i++;
    }
    return i == a->ndirs;
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
    sniv_scope_dirs_t *scopes, scope;
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
    scope.dirs = copy;
    scope.ndirs = ndirs;
    scope.level = level;
    scope.trust = trust;
    for (i = 0; i < books->nscopes; i++) {
        if (sniv_scope_equal(&books->scopes[i], &scope)) {
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
    scopes[books->nscopes] = scope;
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

    apr_pool_create(&ptemp, certs->ptemp);
    sniv_folders_begin(certs);
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
        certs->books.has_full = 1;
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
        sniv_books_report(certs, item->is_served ? SNIV_CERTS_KEPT
                                                 : SNIV_CERTS_BAD,
                          item->id, file, reason);
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

/* Room for all there is, and to grow: that costs address space only. */
static apr_status_t make_room(sniv_certs_t *certs, unsigned flags,
                              apr_uint32_t cache)
{
    apr_uint32_t n = certs->books.nitems
                     + (certs->bequest ? sniv_bequest_count(certs->bequest)
                                       : 0);
    sniv_shm_t *shm;
    apr_status_t rv;

    certs->nentries = n + n / 2 + SNIV_GROWTH;
    certs->nchains = certs->nentries;
    certs->books.chains = calloc(certs->nchains,
                                 sizeof(*certs->books.chains));
    if (!certs->books.chains) {
        return APR_ENOMEM;
    }
    rv = sniv_shm_make(&shm, SNIV_SLOT_LOOKS(certs) + 1,
                       (apr_size_t)certs->nentries * 16384,
                       (certs->is_dry ? SNIV_SHM_PRIVATE : 0)
                       | (flags & SNIV_CERTS_LOAD_HIDDEN ? SNIV_SHM_HIDDEN
                                                         : 0), certs->p);
    if (rv == APR_SUCCESS) {
        rv = sniv_cache_make(&certs->cache, cache ? cache : CACHE_DEFAULT,
                             sniv_entry_decode, certs, certs->p);
    }
    if (rv == APR_SUCCESS) {
        certs->shm = shm;
    }
    return rv;
}

/* What was new while loading is no news. */
static void forget_news(sniv_books_t *books)
{
    while (!APR_RING_EMPTY(&books->news, sniv_item_t, link)) {
        sniv_item_no_news(APR_RING_FIRST(&books->news));
    }
}

static void finish_load(sniv_certs_t *certs)
{
    sniv_books_t *books = &certs->books;

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

void sniv_items_catch_up(sniv_certs_t *certs)
{
    load_items(certs, apr_time_now(), 0);
    finish_load(certs);
    certs->round.looks.is_behind = 0;
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
    if (!certs->bequest) {
        read_folders(certs);
    }
    rv = make_room(certs, flags, cache);
    if (rv == APR_SUCCESS) {
        certs->round.looks.begun = now;
        certs->round.looks.is_in_round = 1;
        /* first what cannot be left out */
        load_items(certs, now, 1);
        if (certs->bequest) {
            sniv_records_inherit(certs);
            forget_news(books);
        }
        else {
            load_items(certs, now, 0);
            finish_load(certs);
        }
        sniv_looks_note(certs, 0);
    }
    certs->bequest = NULL;
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

sniv_cert_id_t sniv_certs_count(const sniv_certs_t *certs)
{
    return (sniv_cert_id_t)(certs->shm ? certs->nentries
                                      : certs->books.nids);
}

void sniv_certs_stats(const sniv_certs_t *certs, sniv_certs_stats_t *stats)
{
    memset(stats, 0, sizeof(*stats));
    if (certs->shm) {
        stats->entries = sniv_shm_count(certs->shm, SNIV_SLOT_ENTRY(0),
                                        certs->nentries);
        stats->chains = sniv_shm_count(certs->shm, certs->nentries + 1,
                                       certs->nchains);
        sniv_shm_usage(certs->shm, &stats->bytes, &stats->room);
        sniv_cache_stats(certs->cache, &stats->cached, &stats->hits,
                         &stats->misses);
    }
}
