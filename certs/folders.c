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
#include <unistd.h>

#include <apr_strings.h>

#include "certs/layout.h"

/* ----- shares */

static void count(sniv_share_t *share, const sniv_item_t *item, int by)
{
    share->served += (apr_uint32_t)by;
    share->names += (apr_uint64_t)by * item->nnames;
    share->bytes += (apr_uint64_t)by * item->bytes;
}

static void count_both(const sniv_item_t *item, int by)
{
    if (item->folder) {
        count(item->folder->share, item, by);
        if (item->folder->top_share != item->folder->share) {
            count(item->folder->top_share, item, by);
        }
    }
}

void sniv_share_add(const sniv_item_t *item)
{
    count_both(item, 1);
}

void sniv_share_remove(const sniv_item_t *item)
{
    count_both(item, -1);
}

const char *sniv_share_refuses(const sniv_item_t *item, apr_uint32_t nnames,
                               apr_uint64_t bytes)
{
    const sniv_share_t *share = item->folder ? item->folder->share : NULL;

    /* files of the top folder itself have all the room that there is, and
     * before the end of the load there are no limits */
    if (!share || share == item->folder->top_share
        || share->served_max == 0) {
        return NULL;
    }
    if (share->served + !item->is_served > share->served_max) {
        return "is one certificate more than its folder may add before the "
               "next restart: restart the server gracefully, or name the "
               "folder itself in SNIVHostCertificates";
    }
    if (share->names - item->nnames + nnames > share->names_max
        || share->bytes - item->bytes + bytes > share->bytes_max) {
        return "has more names or bytes than its folder may add before the "
               "next restart: restart the server gracefully, or name the "
               "folder itself in SNIVHostCertificates";
    }
    return NULL;
}

static void limit_share(const sniv_certs_t *certs, sniv_share_t *share)
{
    apr_uint64_t used, room;

    sniv_shm_usage(certs->shm, &used, &room);
    share->served_max = share->served
                        + (certs->nentries - certs->books.nserved) / 4;
    share->names_max = share->names + SNIV_SHARE_NAMES;
    share->bytes_max = share->bytes + room / 8;
}

void sniv_shares_limit(sniv_certs_t *certs)
{
    apr_uint32_t i;

    for (i = 0; i < certs->books.nfolders; i++) {
        limit_share(certs, &certs->books.folders[i]->own_share);
    }
    certs->is_loaded = 1;
}

apr_size_t sniv_certs_place(const sniv_certs_t *certs, const char *path)
{
    const sniv_books_t *books = &certs->books;
    apr_size_t len, best = 0;
    const char *slash;
    int i, k;

    for (i = 0; i < books->nscopes; i++) {
        for (k = 0; k < books->scopes[i].ndirs; k++) {
            len = strlen(books->scopes[i].dirs[k]);
            if (len > best && strncmp(books->scopes[i].dirs[k], path, len)
                              == 0
                && (path[len] == '/' || path[len] == '\0')) {
                best = len;
            }
        }
    }
    slash = best && path[best] ? strchr(path + best + 1, '/') : NULL;
    return slash ? (apr_size_t)(slash - path) : best;
}

apr_uint32_t sniv_certs_folders(const sniv_certs_t *certs)
{
    return certs->books.nfolders;
}

int sniv_certs_top(const sniv_certs_t *certs, int i, sniv_certs_top_t *top)
{
    const sniv_folder_t *folder;

    /* those that are named are the first in the list, and stay */
    if (i < 0 || (apr_uint32_t)i >= certs->books.nfolders
        || certs->books.folders[i]->parent) {
        return 0;
    }
    folder = certs->books.folders[i];
    top->path = folder->path;
    top->files = folder->own_share.files;
    top->served = folder->own_share.served;
    top->passed = folder->own_share.passed;
    top->passed_first = folder->own_share.passed_first;
    top->is_unread = folder->problem != APR_SUCCESS || folder->is_alias;
    return 1;
}

/* ----- where folders are */

/* Inodes are used again, and folders are renamed. */
static int is_still_at(const sniv_folder_t *folder, const sniv_stamp_t *stamp)
{
    sniv_stamp_t now;

    sniv_stamp_of(&now, folder->path);
    return now.size >= 0 && now.device == stamp->device
           && now.inode == stamp->inode;
}

static void displace(sniv_certs_t *certs, sniv_folder_t *folder)
{
    if (folder->is_placed) {
        apr_hash_set(certs->books.by_place, folder->place,
                     sizeof(folder->place), NULL);
        folder->is_placed = 0;
        certs->books.is_place_free = 1;
    }
}

void sniv_folder_place(sniv_certs_t *certs, sniv_folder_t *folder,
                       const sniv_stamp_t *stamp)
{
    apr_uint64_t place[3];
    sniv_folder_t *same;
    unsigned was_alias = folder->is_alias;

    folder->is_alias = 0;
    if (stamp->size < 0 || folder->is_deep) {
        return;
    }
    place[0] = (apr_uint64_t)folder->scope;
    place[1] = stamp->device;
    place[2] = stamp->inode;
    same = apr_hash_get(certs->books.by_place, place, sizeof(place));
    if (same == folder) {
        return;
    }
    if (same && is_still_at(same, stamp)) {
        displace(certs, folder);
        folder->is_alias = 1;
        if (!was_alias) {
            sniv_books_report(certs, SNIV_CERTS_FOLDER, SNIV_CERT_NONE,
                              folder->path,
                              apr_pstrcat(certs->ptemp, "is another path to ",
                                          same->path, " and is not "
                                          "read", NULL));
        }
        return;
    }
    displace(certs, folder);
    if (same) {
        displace(certs, same);
    }
    memcpy(folder->place, place, sizeof(place));
    folder->is_placed = 1;
    apr_hash_set(certs->books.by_place, folder->place, sizeof(folder->place),
                 folder);
}

/* ----- folders */

/* A folder in one piece of memory: itself, key, path, the top's path. */
static sniv_folder_t *make_folder(sniv_certs_t *certs, sniv_scope_t scope,
                                  const char *path, const char *key,
                                  sniv_folder_t *parent)
{
    apr_size_t len = strlen(path) + 1, klen = strlen(key) + 1;
    sniv_folder_t *folder = calloc(1, sizeof(*folder) + len + klen);
    char *text;

    if (!folder) {
        return NULL;
    }
    text = (char *)(folder + 1);
    folder->path = memcpy(text, path, len);
    folder->key = memcpy(text + len, key, klen);
    folder->parent = parent;
    folder->scope = scope;
    folder->stamp.size = -1;
    folder->is_listed = 1;
    folder->share = folder->top_share = &folder->own_share;
    folder->walk.top = folder->path;
    folder->walk.trust = certs->books.scopes[scope].trust;
    if (parent) {
        folder->depth = parent->depth + 1;
        folder->walk = parent->walk;
        folder->top_share = parent->top_share;
        if (parent->depth > 0) {
            folder->share = parent->share;
        }
    }
    return folder;
}

static int enlist(sniv_certs_t *certs, sniv_folder_t *folder)
{
    sniv_books_t *books = &certs->books;

    if (books->nfolders == books->rfolders) {
        apr_uint32_t room = books->rfolders ? books->rfolders * 2 : 16;
        sniv_folder_t **folders = realloc(books->folders,
                                          room * sizeof(*folders));

        if (!folders) {
            return 0;
        }
        books->folders = folders;
        books->rfolders = room;
    }
    folder->at = books->nfolders;
    books->folders[books->nfolders++] = folder;
    apr_hash_set(books->by_path, folder->key, APR_HASH_KEY_STRING, folder);
    if (folder->parent) {
        folder->next = folder->parent->first_in;
        folder->parent->first_in = folder;
        if (folder->next) {
            folder->next->prev = folder;
        }
        folder->parent->share->folders++;
        folder->parent->nfolders++;
    }
    return 1;
}

static int has_room_for_folder(sniv_certs_t *certs, sniv_folder_t *parent)
{
    sniv_share_t *share = parent->share;

    /* those of the top folder itself are as many as its files may be */
    if (share->folders < (share == parent->top_share ? SNIV_TOP_FILES
                                                     : SNIV_SHARE_FOLDERS)) {
        return 1;
    }
    if (!share->is_told) {
        share->is_told = 1;
        sniv_books_report(certs, SNIV_CERTS_FOLDER, SNIV_CERT_NONE,
                          parent->path, "has more folders in it than are read");
    }
    return 0;
}

void sniv_folder_add(sniv_certs_t *certs, sniv_scope_t scope,
                     const char *path, sniv_folder_t *parent)
{
    const char *key = apr_psprintf(certs->ptemp, "%d %s", (int)scope, path);
    sniv_folder_t *folder = apr_hash_get(certs->books.by_path, key,
                                         APR_HASH_KEY_STRING);
    sniv_stamp_t stamp;

    if (folder) {
        folder->is_listed = 1;
        return;
    }
    if (parent && !has_room_for_folder(certs, parent)) {
        return;
    }
    folder = make_folder(certs, scope, path, key, parent);
    if (!folder || !enlist(certs, folder)) {
        free(folder);
        return;
    }
    sniv_subject_init(certs, &folder->subject, 1);
    if (certs->is_loaded) {
        limit_share(certs, &folder->own_share);
        sniv_mark(certs, &folder->subject);
    }
    if (folder->depth <= SNIV_FOLDER_DEPTH) {
        sniv_stamp_of(&stamp, path);
        sniv_folder_place(certs, folder, &stamp);
    }
    else {
        folder->is_deep = 1;
        sniv_books_report(certs, SNIV_CERTS_FOLDER, SNIV_CERT_NONE, path,
                          "is nested too deeply to be read");
    }
}

void sniv_folders_begin(sniv_certs_t *certs)
{
    sniv_books_t *books = &certs->books;
    int i, k;

    if (books->nfolders > 0) {
        return;
    }
    for (i = 0; i < books->nscopes; i++) {
        for (k = 0; k < books->scopes[i].ndirs; k++) {
            sniv_folder_add(certs, i, books->scopes[i].dirs[k], NULL);
        }
    }
}

/* ----- new names of a large folder */

#define NOTED_MAX 64

void sniv_folder_note(sniv_folder_t *folder, const char *name)
{
    if (!folder->noted) {
        folder->noted = calloc(NOTED_MAX + 1, sizeof(*folder->noted));
    }
    if (folder->noted && folder->nnoted < NOTED_MAX
        && (folder->noted[folder->nnoted] = strdup(name)) != NULL) {
        folder->nnoted++;
    }
}

static void forget_noted(sniv_folder_t *folder)
{
    while (folder->nnoted > 0) {
        free(folder->noted[--folder->nnoted]);
    }
    free(folder->noted);
    folder->noted = NULL;
}

void sniv_folder_remove(sniv_certs_t *certs, sniv_folder_t *folder)
{
    sniv_books_t *books = &certs->books;
    sniv_folder_t *last = books->folders[--books->nfolders];

    books->folders[folder->at] = last;
    last->at = folder->at;
    if (last != folder && certs->round.phase == SNIV_ROUND_FOLDERS
        && last->at < certs->round.cursor) {
        /* where the round has been already */
        sniv_mark(certs, &last->subject);
    }
    sniv_subject_leave(&folder->subject);
    displace(certs, folder);
    apr_hash_set(books->by_path, folder->key, APR_HASH_KEY_STRING, NULL);
    if (folder->parent) {
        if (folder->prev) {
            folder->prev->next = folder->next;
        }
        else {
            folder->parent->first_in = folder->next;
        }
        if (folder->next) {
            folder->next->prev = folder->prev;
        }
        folder->parent->share->folders--;
        folder->parent->nfolders--;
        folder->top_share->passed -= folder->passed;
        sniv_mark(certs, &folder->parent->subject);     /* it may be gone */
    }
    forget_noted(folder);
    free(folder);
}

/* What a visit of a folder needs. */
typedef struct visit_t {
    sniv_certs_t *certs;
    sniv_folder_t *folder;
    void (*added)(sniv_certs_t *certs, sniv_item_t *item);
} visit_t;

static void report_too_many(sniv_certs_t *certs, sniv_folder_t *folder)
{
    if (!folder->share->is_told) {
        folder->share->is_told = 1;
        sniv_books_report(certs, SNIV_CERTS_FOLDER, SNIV_CERT_NONE,
                          folder->path, "has more files in it than are read");
    }
}

static void visit_pair(void *baton, const char *cert, const char *key,
                       const char *chain)
{
    visit_t *visit = baton;
    sniv_certs_t *certs = visit->certs;
    sniv_folder_t *folder = visit->folder;
    sniv_cert_files_t files;
    sniv_item_t *item;
    int is_new;

    memset(&files, 0, sizeof(files));
    files.certs = &cert;
    files.ncerts = 1;
    files.keys = &key;
    files.nkeys = 1;
    files.chain = chain;
    files.level = certs->books.scopes[folder->scope].level;
    item = sniv_item_add(certs, folder->scope, folder, &files, &is_new);
    if (item) {
        item->is_listed = 1;
        item->gone = 0;
        if (is_new && visit->added) {
            visit->added(certs, item);
        }
    }
    else {
        report_too_many(certs, folder);
    }
}

/* It may have been read before. */
static void visit_passed(void *baton, const char *first, int n)
{
    visit_t *visit = baton;
    sniv_share_t *share = visit->folder->top_share;

    share->passed += (apr_uint32_t)n - visit->folder->passed;
    visit->folder->passed = (apr_uint32_t)n;
    if (first && !share->passed_first) {
        share->passed_first = strdup(first);
    }
}

static void visit_folder(void *baton, const char *path)
{
    visit_t *visit = baton;

    sniv_folder_add(visit->certs, visit->folder->scope, path, visit->folder);
}

static void list_all(const sniv_folder_t *folder, unsigned is_listed)
{
    sniv_folder_t *in;
    sniv_item_t *item;

    for (item = folder->first; item; item = item->next) {
        item->is_listed = is_listed & 1;
    }
    for (in = folder->first_in; in; in = in->next) {
        in->is_listed = is_listed & 1;
    }
}

/* Those that were not found are looked at. */
static void mark_unlisted(sniv_certs_t *certs, const sniv_folder_t *folder)
{
    sniv_folder_t *in;
    sniv_item_t *item;

    for (item = folder->first; item; item = item->next) {
        if (!item->is_listed) {
            sniv_mark(certs, &item->subject);
        }
    }
    for (in = folder->first_in; in; in = in->next) {
        if (!in->is_listed) {
            sniv_mark_all(certs, in);
        }
    }
}

/* Say what is wrong with a folder, once. */
static void report_problem(sniv_certs_t *certs, sniv_folder_t *folder,
                           apr_status_t rv, const char *reason)
{
    char text[256];

    if (rv != APR_SUCCESS
        && (rv != folder->problem || reason != folder->reason)
        /* a folder in a folder that is gone has been removed with intent */
        && (!certs->is_loaded || folder->depth == 0
            || !APR_STATUS_IS_ENOENT(rv))) {
        sniv_books_report(certs, SNIV_CERTS_FOLDER, SNIV_CERT_NONE,
                          folder->path,
                          reason ? reason
                          : apr_pstrcat(certs->ptemp, "cannot be read: ",
                                        apr_strerror(rv, text, sizeof(text)),
                                        NULL));
    }
    folder->problem = rv;
    folder->reason = reason;
}

/* @param only as sniv_folder_visit_fd() has it */
static apr_status_t visit_all(sniv_certs_t *certs, sniv_folder_t *folder,
                              int fd, const char *const *only,
                              void (*added)(sniv_certs_t *certs,
                                            sniv_item_t *item),
                              apr_pool_t *ptemp)
{
    sniv_folder_visitor_t visitor;
    visit_t visit;

    visit.certs = certs;
    visit.folder = folder;
    visit.added = added;
    visitor.pair = visit_pair;
    visitor.folder = visit_folder;
    visitor.passed = visit_passed;
    visitor.baton = &visit;
    return sniv_folder_visit_fd(fd, &folder->walk, folder->path,
                                folder->depth ? SNIV_FOLDER_NAMES_IN
                                              : SNIV_FOLDER_NAMES,
                                only, &visitor, ptemp);
}

/* A pause; not longer than one is waited for. */
static apr_interval_time_t times(int n, apr_interval_time_t took)
{
    return took < SNIV_PAUSE_MAX / n ? n * took : SNIV_PAUSE_MAX;
}

void sniv_folder_read(sniv_certs_t *certs, sniv_folder_t *folder,
                      apr_time_t now,
                      void (*added)(sniv_certs_t *certs, sniv_item_t *item),
                      apr_pool_t *ptemp)
{
    apr_time_t start = apr_time_now();
    apr_interval_time_t took;
    sniv_stamp_t stamp;
    const char *reason;
    apr_status_t rv;
    int fd;

    sniv_stamp_of(&stamp, folder->path);
    forget_noted(folder);
    folder->due = 0;
    rv = sniv_walk_open(&folder->walk, folder->path, SNIV_WALK_FOLDER, &fd,
                        &reason);
    if (rv == APR_SUCCESS) {
        list_all(folder, 0);
        rv = visit_all(certs, folder, fd, NULL, added, ptemp);
        if (rv == APR_INCOMPLETE) {
            report_too_many(certs, folder);
            list_all(folder, 1);
            rv = APR_SUCCESS;
        }
        if (rv != APR_SUCCESS) {
            list_all(folder, 1);
        }
        mark_unlisted(certs, folder);
    }
    if (rv != APR_SUCCESS) {
        stamp.size = -1;
    }
    folder->stamp = stamp;
    /* a change within the clock's tick of the reading leaves no trace */
    folder->is_fresh = stamp.size >= 0
                       && now - stamp.mtime / 1000 < apr_time_from_sec(3);
    /* a hundredth of the time at most for one that takes long, twice in a row:
     * once may be a cold disk, or a processor that others had */
    took = apr_time_now() - start;
    folder->pause = now + times(100, took < folder->took ? took
                                                         : folder->took);
    folder->took = took;
    report_problem(certs, folder, rv, reason);
}

void sniv_folder_read_noted(sniv_certs_t *certs, sniv_folder_t *folder,
                            void (*added)(sniv_certs_t *certs,
                                          sniv_item_t *item),
                            apr_pool_t *ptemp)
{
    apr_time_t start = apr_time_now();
    const char *reason;
    int fd;

    /* what is wrong is found, and said, when the folder is read */
    if (sniv_walk_open(&folder->walk, folder->path, SNIV_WALK_FOLDER, &fd,
                       &reason) == APR_SUCCESS) {
        (void)visit_all(certs, folder, fd,
                        (const char *const *)folder->noted, added, ptemp);
    }
    forget_noted(folder);
    folder->pause_noted = start + times(10, apr_time_now() - start);
}
