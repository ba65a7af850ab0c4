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

/*
 * A look is a part of a round. A round goes through the folders (for new and
 * vanished files), then through all items (for changed files), and costs one
 * stat() for each when nothing has changed. What differs is put on the list
 * of those waiting; the next look settles it if it finds the same again:
 *
 *     stat differs --> waiting --> same again --> read --> served, or kept
 *                         ^           |                    what was there
 *                         +-----------+ differs again
 *
 * Writers are not atomic: a certificate may be there before its key, or half
 * of it. The second look lets them finish; that certificate and key match is
 * checked before the switch; and a file that is broken all the same changes
 * nothing but the log.
 *
 * The stamp of a path is that of the file where all links end, so that a
 * switch of links (certbot) is seen as a change of inode.
 */

#define LOOKS_GONE 2

typedef struct look_t {
    apr_time_t now;
    apr_time_t deadline;
    int is_changed;
    char text[512];
} look_t;

static void stamp_item(const sniv_item_t *item, sniv_stamp_t *stamps)
{
    int i;

    for (i = 0; i < item->nlist; i++) {
        sniv_stamp_of(&stamps[i], item->list[i]);
    }
}

static int same_stamps(const sniv_item_t *item, const sniv_stamp_t *a,
                       const sniv_stamp_t *b)
{
    int i;

    for (i = 0; i < item->nlist; i++) {
        if (!sniv_stamp_equal(&a[i], &b[i])) {
            return 0;
        }
    }
    return 1;
}

/* Put an item on the list of those that the next look settles. */
static void wait_for(sniv_certs_t *certs, sniv_item_t *item,
                     const sniv_stamp_t *stamps)
{
    apr_size_t size = (apr_size_t)item->nlist * sizeof(*stamps);

    if (item->is_waiting) {
        return;
    }
    if (certs->nwaiting == certs->rwaiting) {
        apr_uint32_t room = certs->rwaiting ? certs->rwaiting * 2 : 64;
        sniv_cert_id_t *list = realloc(certs->waiting, room * sizeof(*list));

        if (!list) {
            return;             /* the next round finds it again */
        }
        certs->waiting = list;
        certs->rwaiting = room;
    }
    item->pending = malloc(size);
    if (item->pending) {
        memcpy(item->pending, stamps, size);
        item->is_waiting = 1;
        certs->waiting[certs->nwaiting++] = item->id;
    }
}

static void stop_waiting(sniv_item_t *item)
{
    free(item->pending);
    item->pending = NULL;
    item->is_waiting = 0;
}

static void found_new(sniv_certs_t *certs, sniv_item_t *item)
{
    sniv_stamp_t stamps[SNIV_FILES_MAX];

    stamp_item(item, stamps);
    wait_for(certs, item, stamps);
}

/*
 * Whether new files may take the place of what is served: a certificate that
 * is valid is not given up for one that is not.
 */
static const char *may_replace(const sniv_item_t *item,
                               const sniv_entry_t *was,
                               const sniv_entry_t *is, void *baton)
{
    look_t *look = baton;

    (void)item;
    if (was && look->now >= was->not_before && look->now <= was->not_after
        && (look->now < is->not_before || look->now > is->not_after)
        && sniv_entry_doubt(is, look->now, look->text,
                            sizeof(look->text))) {
        return look->text;
    }
    return NULL;
}

static void read_again(sniv_certs_t *certs, sniv_item_t *item, look_t *look)
{
    const char *file, *reason;
    int was_served = item->is_served;
    sniv_entry_t entry;

    /* the few that change may be looked at closely */
    switch (sniv_item_read(certs, item, SNIV_READ_VERIFY, may_replace, look,
                           &file, &reason)) {
    case SNIV_ITEM_BAD:
        if (sniv_item_problem(item, file, reason)) {
            sniv_store_report(certs, was_served ? SNIV_CERTS_KEPT
                                                : SNIV_CERTS_BAD,
                              item->id, file, reason);
        }
        break;
    case SNIV_ITEM_FULL:
        if (sniv_item_problem(item, file, reason)) {
            sniv_store_report(certs, SNIV_CERTS_FULL, item->id, file,
                              reason);
        }
        break;
    case SNIV_ITEM_NEW:
        look->is_changed = 1;
        sniv_store_report(certs, was_served ? SNIV_CERTS_RENEWED
                                            : SNIV_CERTS_ADDED,
                          item->id, file, was_served
                          ? "is renewed and served" : "is new and served");
        if (sniv_item_entry(certs, item, &entry)
            && sniv_entry_doubt(&entry, look->now, look->text,
                                sizeof(look->text))) {
            sniv_store_report(certs, SNIV_CERTS_DOUBTFUL, item->id, file,
                              look->text);
        }
        break;
    default:
        break;
    }
}

/* Settle what the look before has put on the list, as far as time allows. */
static void settle(sniv_certs_t *certs, look_t *look)
{
    sniv_stamp_t stamps[SNIV_FILES_MAX];
    apr_uint32_t i = 0, n = certs->nwaiting, done;
    sniv_item_t *item;

    /* at least one, however little time there is */
    for (done = 0; i < n && (done == 0 || apr_time_now() < look->deadline);
         done++) {
        item = certs->items[certs->waiting[i]];
        stamp_item(item, stamps);
        if (!same_stamps(item, stamps, item->pending)) {
            memcpy(item->pending, stamps,
                   sizeof(stamps[0]) * (apr_size_t)item->nlist);
            i++;
            continue;
        }
        /* done with it: the last one takes its place */
        certs->waiting[i] = certs->waiting[--n];
        stop_waiting(item);
        if (!same_stamps(item, stamps, item->stamps)) {
            read_again(certs, item, look);
        }
    }
    certs->nwaiting = n;
}

static int top_is_there(const sniv_certs_t *certs, const sniv_item_t *item)
{
    const sniv_folder_t *folder = certs->folders[item->folder];
    sniv_stamp_t stamp;

    sniv_stamp_of(&stamp, certs->folders[folder->top]->path);
    return stamp.size >= 0;
}

/*
 * An item of a folder whose certificate is not there. If the folder that the
 * configuration names is not there either, this is a lost mount and no
 * decision of an administrator.
 */
static void is_gone(sniv_certs_t *certs, sniv_item_t *item, look_t *look)
{
    const char *file = item->list[0];

    if (!top_is_there(certs, item)) {
        item->gone = 0;
        if (item->is_served
            && sniv_item_problem(item, file, "is gone with its folder")) {
            sniv_store_report(certs, SNIV_CERTS_KEPT, item->id, file,
                              "is gone with its folder");
        }
        return;
    }
    if (++item->gone < LOOKS_GONE) {
        return;
    }
    if (item->is_served) {
        look->is_changed = 1;
        sniv_store_report(certs, SNIV_CERTS_REMOVED, item->id, file,
                          "is gone");
    }
    sniv_item_remove(certs, item);
}

static void look_at_item(sniv_certs_t *certs, sniv_item_t *item,
                         look_t *look)
{
    sniv_stamp_t stamps[SNIV_FILES_MAX] = { { 0, 0, 0, 0, 0 } };

    stamp_item(item, stamps);
    if (item->folder >= 0 && (stamps[0].size < 0 || !item->is_listed)) {
        is_gone(certs, item, look);
        return;
    }
    item->gone = 0;
    if (!same_stamps(item, stamps, item->stamps)) {
        wait_for(certs, item, stamps);
    }
}

static void look_at_folder(sniv_certs_t *certs, sniv_folder_t *folder,
                           look_t *look)
{
    sniv_stamp_t stamp;
    char text[256];
    apr_status_t rv;

    if (folder->is_deep) {
        return;
    }
    sniv_stamp_of(&stamp, folder->path);
    if (folder->is_alias || stamp.inode != folder->stamp.inode
        || stamp.device != folder->stamp.device) {
        sniv_folder_place(certs, folder, &stamp);
    }
    if (folder->is_alias) {
        return;
    }
    if (!folder->is_fresh && folder->problem == APR_SUCCESS
        && sniv_stamp_equal(&stamp, &folder->stamp)) {
        return;
    }
    rv = sniv_folder_read(certs, folder->number, look->now, found_new,
                          certs->look_pool);
    /* a folder in a folder that is gone has been removed with intent */
    if (rv != folder->problem && rv != APR_SUCCESS
        && (folder->depth == 0 || !APR_STATUS_IS_ENOENT(rv))) {
        apr_strerror(rv, text, sizeof(text));
        sniv_store_report(certs, SNIV_CERTS_FOLDER, SNIV_CERT_NONE,
                          folder->path,
                          apr_psprintf(certs->look_pool,
                                       "cannot be read: %s", text));
    }
    folder->problem = rv;
}

/* Go on with the round, as far as time allows. */
static void go_on(sniv_certs_t *certs, look_t *look)
{
    apr_uint32_t n = 0;

    while (certs->phase != SNIV_LOOK_IDLE) {
        if ((++n & 15) == 0 && apr_time_now() >= look->deadline) {
            return;
        }
        if (certs->phase == SNIV_LOOK_FOLDERS) {
            if (certs->cursor < (apr_uint32_t)certs->nfolders) {
                look_at_folder(certs, certs->folders[certs->cursor++], look);
            }
            else {
                certs->phase = SNIV_LOOK_ITEMS;
                certs->cursor = 0;
            }
        }
        else if (certs->cursor < certs->nitems) {
            sniv_item_t *item = certs->items[certs->cursor++];

            if (item && !item->is_waiting) {
                look_at_item(certs, item, look);
            }
        }
        else {
            certs->phase = SNIV_LOOK_IDLE;
        }
    }
}

int sniv_certs_look(sniv_certs_t *certs, apr_time_t now,
                    apr_interval_time_t interval, apr_interval_time_t budget,
                    sniv_certs_report_fn *report, void *baton)
{
    look_t look;

    if (!certs->shm || !sniv_shm_is_shared(certs->shm)) {
        return 0;
    }
    memset(&look, 0, sizeof(look));
    look.now = now;
    look.deadline = apr_time_now() + budget;
    certs->report = report;
    certs->baton = baton;
    settle(certs, &look);
    /* a clock that was put back must not stop this for as long */
    if (certs->phase == SNIV_LOOK_IDLE
        && (now - certs->round >= interval || now < certs->round)) {
        certs->phase = SNIV_LOOK_FOLDERS;
        certs->cursor = 0;
        certs->round = now;
    }
    go_on(certs, &look);
    if (sniv_store_index(certs) != APR_SUCCESS && !certs->is_full_told) {
        certs->is_full_told = 1;
        sniv_store_report(certs, SNIV_CERTS_FULL, SNIV_CERT_NONE, "",
                          "the index of names finds no room in the memory "
                          "that the processes share");
    }
    sniv_reader_free(certs->reader);
    apr_pool_clear(certs->look_pool);
    certs->report = NULL;
    certs->baton = NULL;
    return look.is_changed;
}
