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

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "certs/watch.h"

#include "certs/certs.h"
#include "certs/inside.h"

#if defined(__linux__)

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <apr_strings.h>

#include "certs/hash.h"

#define LINKS_MAX 40            /* as Linux */

#define NAMES_CHANGE (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
#define ALL_CHANGES (NAMES_CHANGE | IN_CLOSE_WRITE | IN_ATTRIB)

/* Names that are looked at a little later: whether they come or go. */
#define DOUBTS_MAX 64
#define DOUBT_LEAST apr_time_from_msec(100)

/* Folders with more items are not read for every change in them. */
#define LARGE 256

/* A folder that is watched. */
typedef struct watched_t {
    int wd;
    sniv_watch_t *watch;
    struct sniv_tie_t *ties;
} watched_t;

/*
 * What an event concerns: a name in a watched folder, or with "" the folder
 * as a whole -> an item, or a folder of the store. Found by a table of all
 * names; malloc()ed with its name.
 */
typedef struct sniv_tie_t {
    struct sniv_tie_t *of_subject;          /* the next one of it */
    struct sniv_tie_t *in_table, **to_table;
    struct sniv_tie_t *in_watched, **to_watched;
    watched_t *at;                          /* NULL: it is gone */
    sniv_subject_t *subject;
    apr_uint32_t hash;
    int is_way;                 /* a link, or where one could come */
    char name[1];
} sniv_tie_t;

/* A name of a large folder, there or not, that it is to be read for if that is
 * still so a little later: most are those that files are written under before
 * they are renamed. */
typedef struct doubt_t {
    sniv_folder_t *folder;
    apr_time_t since;
    char *name;
} doubt_t;

struct sniv_watch_t {
    int fd;
    apr_hash_t *by_wd;
    sniv_tie_t **table;
    apr_size_t nties, ntable;   /* the table has a power of two */
    doubt_t doubts[DOUBTS_MAX];
    int ndoubts;
    int is_remote;              /* others may write without our knowledge */
    const char *reason;
};

int sniv_watch_fd(const sniv_watch_t *watch)
{
    return watch->fd;
}

/* ----- ties ----- */

static apr_uint32_t hash_of(int wd, const char *name)
{
    return (apr_uint32_t)sniv_hash_bytes(name, strlen(name),
                                         (apr_uint64_t)wd);
}

static void put_into(sniv_tie_t **to, sniv_tie_t *tie)
{
    tie->in_table = *to;
    tie->to_table = to;
    if (*to) {
        (*to)->to_table = &tie->in_table;
    }
    *to = tie;
}

/* Room for one more. */
static int has_room(sniv_watch_t *watch)
{
    apr_size_t room = watch->ntable ? watch->ntable * 2 : 1024, i;
    sniv_tie_t **table, *tie;

    if (watch->nties < watch->ntable) {
        return 1;
    }
    table = calloc(room, sizeof(*table));
    if (!table) {
        return 0;
    }
    for (i = 0; i < watch->ntable; i++) {
        while ((tie = watch->table[i]) != NULL) {
            watch->table[i] = tie->in_table;
            put_into(&table[tie->hash & (room - 1)], tie);
        }
    }
    free(watch->table);
    watch->table = table;
    watch->ntable = room;
    return 1;
}

/* The next one of a name, or the first one after NULL. */
static sniv_tie_t *next_tie(const sniv_watch_t *watch, const sniv_tie_t *tie,
                            int wd, const char *name)
{
    apr_uint32_t hash = tie ? tie->hash : hash_of(wd, name);
    sniv_tie_t *next;

    if (!watch->ntable) {
        return NULL;
    }
    next = tie ? tie->in_table : watch->table[hash & (watch->ntable - 1)];
    while (next && (next->hash != hash || next->at->wd != wd
                    || strcmp(next->name, name) != 0)) {
        next = next->in_table;
    }
    return next;
}

static void untie(sniv_tie_t *tie)
{
    *tie->to_table = tie->in_table;
    if (tie->in_table) {
        tie->in_table->to_table = tie->to_table;
    }
    *tie->to_watched = tie->in_watched;
    if (tie->in_watched) {
        tie->in_watched->to_watched = tie->to_watched;
    }
    tie->at->watch->nties--;
    tie->at = NULL;
}

static int is_tied(const sniv_subject_t *subject, const watched_t *at,
                   const char *name)
{
    const sniv_tie_t *tie;

    for (tie = subject->ties; tie; tie = tie->of_subject) {
        if (tie->at == at && strcmp(tie->name, name) == 0) {
            return 1;
        }
    }
    return 0;
}

/* @return 0: no memory */
static int tie_to(sniv_subject_t *subject, watched_t *at, const char *name,
                  int is_way)
{
    apr_size_t len = strlen(name);
    sniv_tie_t *tie;

    if (is_tied(subject, at, name)) {
        return 1;
    }
    tie = has_room(at->watch) ? calloc(1, sizeof(*tie) + len) : NULL;
    if (!tie) {
        return 0;
    }
    memcpy(tie->name, name, len + 1);
    tie->hash = hash_of(at->wd, name);
    tie->is_way = is_way;
    tie->at = at;
    tie->subject = subject;
    tie->of_subject = subject->ties;
    subject->ties = tie;
    put_into(&at->watch->table[tie->hash & (at->watch->ntable - 1)], tie);
    at->watch->nties++;
    tie->in_watched = at->ties;
    tie->to_watched = &at->ties;
    if (at->ties) {
        at->ties->to_watched = &tie->in_watched;
    }
    at->ties = tie;
    return 1;
}

static void end_doubt(sniv_watch_t *watch, int i)
{
    free(watch->doubts[i].name);
    watch->doubts[i] = watch->doubts[--watch->ndoubts];
}

static void end_doubts(sniv_watch_t *watch, const sniv_folder_t *folder)
{
    int i = 0;

    while (i < watch->ndoubts) {
        if (watch->doubts[i].folder == folder) {
            end_doubt(watch, i);
        }
        else {
            i++;
        }
    }
}

void sniv_watch_forget(sniv_subject_t *subject)
{
    sniv_tie_t *tie;

    while ((tie = subject->ties) != NULL) {
        subject->ties = tie->of_subject;
        if (tie->at) {
            if (subject->is_folder) {
                end_doubts(tie->at->watch,
                           (sniv_folder_t *)(void *)subject);
            }
            untie(tie);
        }
        free(tie);
    }
}

/* ----- the whole ----- */

/* Whichever pool goes first, that of the store or this one. */
static apr_status_t destroy(void *data)
{
    sniv_watch_t *watch = data;
    apr_hash_index_t *i;
    watched_t *at;

    for (i = apr_hash_first(NULL, watch->by_wd); i; i = apr_hash_next(i)) {
        at = apr_hash_this_val(i);
        while (at->ties) {
            sniv_watch_forget(at->ties->subject);
        }
        free(at);
    }
    while (watch->ndoubts > 0) {
        end_doubt(watch, 0);
    }
    free(watch->table);
    close(watch->fd);
    return APR_SUCCESS;
}

sniv_watch_t *sniv_watch_make(apr_pool_t *p)
{
    sniv_watch_t *watch = apr_pcalloc(p, sizeof(*watch));

    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->fd < 0) {
        return NULL;
    }
    watch->by_wd = apr_hash_make(p);
    apr_pool_cleanup_register(p, watch, destroy, apr_pool_cleanup_null);
    return watch;
}

/* ----- what to watch ----- */

/* File systems that only this machine writes to. */
static int is_local(const char *path)
{
    static const unsigned long local[] = {
        0xef53,         /* ext2, ext3, ext4 */
        0x58465342,     /* xfs */
        0x9123683e,     /* btrfs */
        0x01021994,     /* tmpfs */
        0x858458f6,     /* ramfs */
        0x794c7630,     /* overlayfs */
        0x2fc12fc1,     /* zfs */
        0xf2f52010,     /* f2fs */
        0xca451a4e,     /* bcachefs */
        0x73717368,     /* squashfs */
        0x4d44          /* vfat */
    };
    struct statfs fs;
    apr_size_t i;

    if (statfs(path, &fs) != 0) {
        return 0;
    }
    for (i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
        if (((unsigned long)fs.f_type & 0xffffffffUL) == local[i]) {
            return 1;
        }
    }
    return 0;
}

/* The limit, or for what other reason there may be changes unheard of. */
static void cannot(sniv_watch_t *watch, int error)
{
    if (error == ENOSPC || error == ENOMEM) {
        watch->reason = "not all folders can be watched for changes: the "
                        "limit (fs.inotify.max_user_watches) is reached";
    }
    else if (error != ENOENT && error != ENOTDIR) {
        watch->is_remote = 1;
    }
}

/*
 * Watch a folder for a subject: for one name in it, or for all that happens
 * there.
 * @return its number, 0: it cannot be
 */
static int add(sniv_watch_t *watch, sniv_subject_t *subject, const char *dir,
               const char *name, int is_way)
{
    watched_t *at;
    int wd = inotify_add_watch(watch->fd, dir, IN_ONLYDIR | IN_MASK_ADD
                               | (is_way ? NAMES_CHANGE : ALL_CHANGES));

    if (wd < 0) {
        cannot(watch, errno);
        return 0;
    }
    at = apr_hash_get(watch->by_wd, &wd, sizeof(wd));
    if (!at) {
        at = calloc(1, sizeof(*at));
        if (!at) {
            cannot(watch, ENOMEM);
            return 0;
        }
        at->wd = wd;
        at->watch = watch;
        apr_hash_set(watch->by_wd, &at->wd, sizeof(at->wd), at);
        watch->is_remote |= !is_local(dir);
    }
    if (!tie_to(subject, at, name, is_way)) {
        cannot(watch, ENOMEM);
        return 0;
    }
    return wd;
}

/* A name in a folder of the store that is watched already. */
static void add_in(sniv_watch_t *watch, sniv_subject_t *subject,
                   const sniv_folder_t *folder, const char *path)
{
    watched_t *at = apr_hash_get(watch->by_wd, &folder->wd,
                                 sizeof(folder->wd));

    if (at && !tie_to(subject, at, strrchr(path, '/') + 1, 0)) {
        cannot(watch, ENOMEM);
    }
}

/* The way of a path, as the system goes it. */
typedef struct way_t {
    char at[PATH_MAX];          /* canonical; "" is the root */
    char rest[2 * PATH_MAX];
} way_t;

static void go_up(way_t *way)
{
    char *slash = strrchr(way->at, '/');

    if (slash) {
        *slash = '\0';
    }
}

/* Take the next name off the rest. @return its length, 0 at the end */
static apr_size_t next_name(way_t *way, char name[NAME_MAX + 1])
{
    apr_size_t skip = strspn(way->rest, "/"), len;

    len = strcspn(way->rest + skip, "/");
    if (len > NAME_MAX) {
        return 0;
    }
    memcpy(name, way->rest + skip, len);
    name[len] = '\0';
    memmove(way->rest, way->rest + skip + len,
            strlen(way->rest + skip + len) + 1);
    return len;
}

/* Watch the folder of each link on the way, and that of the end. */
static void add_way(sniv_watch_t *watch, sniv_subject_t *subject,
                    const char *path)
{
    char name[NAME_MAX + 1], target[PATH_MAX], full[PATH_MAX + NAME_MAX + 2];
    way_t way;
    int nlinks = 0, is_last;
    ssize_t n;

    way.at[0] = '\0';
    apr_cpystrn(way.rest, path, sizeof(way.rest));
    while (next_name(&way, name)) {
        if (strcmp(name, ".") == 0) {
            continue;
        }
        if (strcmp(name, "..") == 0) {
            go_up(&way);
            continue;
        }
        is_last = way.rest[strspn(way.rest, "/")] == '\0';
        apr_snprintf(full, sizeof(full), "%s/%s", way.at, name);
        n = readlink(full, target, sizeof(target) - 1);
        if (n > 0) {
            add(watch, subject, way.at[0] ? way.at : "/", name, 1);
            target[n] = '\0';
            if (++nlinks > LINKS_MAX
                || (apr_size_t)n + strlen(way.rest) + 2 > sizeof(way.rest)) {
                return;
            }
            memmove(way.rest + n + 1, way.rest, strlen(way.rest) + 1);
            memcpy(way.rest, target, (apr_size_t)n);
            way.rest[n] = '/';
            if (target[0] == '/') {
                way.at[0] = '\0';
            }
            continue;
        }
        if (is_last || (n < 0 && errno == ENOENT)) {
            /* what is not there may come */
            add(watch, subject, way.at[0] ? way.at : "/", name, 1);
            return;
        }
        if (strlen(full) >= sizeof(way.at)) {
            return;
        }
        memcpy(way.at, full, strlen(full) + 1);
    }
}

static int is_link(const char *path)
{
    char target[1];

    return readlink(path, target, sizeof(target)) > 0;
}

/* What happened before it was watched has not been noticed. */
static void add_folder(sniv_watch_t *watch, sniv_certs_t *certs,
                       sniv_folder_t *folder)
{
    int wd;

    sniv_watch_forget(&folder->subject);
    if (folder->is_deep) {
        return;
    }
    if (folder->parent) {
        add_in(watch, &folder->subject, folder->parent, folder->path);
    }
    if (!folder->parent || is_link(folder->path)) {
        add_way(watch, &folder->subject, folder->path);
    }
    wd = folder->is_alias ? 0
         : add(watch, &folder->subject, folder->path, "", 0);
    if (wd != folder->wd) {
        folder->wd = wd;
        sniv_watch_anew_in(certs, folder);
        sniv_mark_all(certs, folder);
    }
    else {
        sniv_mark(certs, &folder->subject);
    }
}

/* The end of a file's way may be written in place. */
static void add_file(sniv_watch_t *watch, sniv_subject_t *subject,
                     const char *path)
{
    char real[PATH_MAX], name[NAME_MAX + 1], *slash;

    add_way(watch, subject, path);
    if (realpath(path, real) && (slash = strrchr(real, '/')) != NULL) {
        apr_cpystrn(name, slash + 1, sizeof(name));
        *(slash == real ? slash + 1 : slash) = '\0';
        add(watch, subject, real, name, 0);
    }
}

static void add_item(sniv_watch_t *watch, sniv_certs_t *certs,
                     sniv_item_t *item)
{
    int i, is_new = item->subject.ties == NULL;

    sniv_watch_forget(&item->subject);
    for (i = 0; i < item->nlist; i++) {
        if (item->folder) {
            add_in(watch, &item->subject, item->folder, item->list[i]);
        }
        if (!item->folder || is_link(item->list[i])) {
            add_file(watch, &item->subject, item->list[i]);
            is_new = 1;
        }
    }
    if (is_new) {
        sniv_mark(certs, &item->subject);
    }
}

/* ----- what has happened ----- */

/* Whether a name of a folder is part of the store. */
static int is_known(const sniv_watch_t *watch, const sniv_folder_t *folder,
                    const char *name)
{
    const sniv_tie_t *tie = NULL;

    while ((tie = next_tie(watch, tie, folder->wd, name)) != NULL) {
        if ((tie->subject->is_folder
             ? ((const sniv_folder_t *)(const void *)tie->subject)->parent
             : ((const sniv_item_t *)(const void *)tie->subject)->folder)
            == folder) {
            return 1;
        }
    }
    return 0;
}

/* Whether a folder has a name that the store does not know, or no longer. */
static int is_otherwise(const sniv_watch_t *watch,
                        const sniv_folder_t *folder, const char *name)
{
    char path[PATH_MAX + NAME_MAX + 2];
    struct stat st;

    apr_snprintf(path, sizeof(path), "%s/%s", folder->path, name);
    return (lstat(path, &st) == 0) != is_known(watch, folder, name);
}

static void doubt(sniv_watch_t *watch, sniv_certs_t *certs,
                  sniv_folder_t *folder, const char *name)
{
    doubt_t *one = &watch->doubts[watch->ndoubts];
    int i;

    for (i = 0; i < watch->ndoubts; i++) {
        if (watch->doubts[i].folder == folder
            && strcmp(watch->doubts[i].name, name) == 0) {
            return;
        }
    }
    if (watch->ndoubts == DOUBTS_MAX || !(one->name = strdup(name))) {
        sniv_mark(certs, &folder->subject);
        return;
    }
    one->folder = folder;
    one->since = apr_time_now();
    watch->ndoubts++;
}

/* Those that have been there for long enough. */
static void decide_doubts(sniv_watch_t *watch, sniv_certs_t *certs)
{
    apr_time_t now = apr_time_now();
    int i = 0;

    while (i < watch->ndoubts) {
        const doubt_t *one = &watch->doubts[i];

        if (now - one->since < DOUBT_LEAST && now >= one->since) {
            i++;
            continue;
        }
        if (is_otherwise(watch, one->folder, one->name)) {
            if (!is_known(watch, one->folder, one->name)) {
                sniv_folder_note(one->folder, one->name);
            }
            sniv_mark(certs, &one->folder->subject);
        }
        end_doubt(watch, i);
    }
}

/* Something has happened to a name in a folder of the store. */
static void heard_in(sniv_watch_t *watch, sniv_certs_t *certs,
                     sniv_folder_t *folder, const char *name)
{
    if (folder->nitems + folder->nfolders <= LARGE) {
        sniv_mark(certs, &folder->subject);
    }
    else if (is_otherwise(watch, folder, name)) {
        doubt(watch, certs, folder, name);
    }
}

static void mark_any(sniv_certs_t *certs, sniv_subject_t *subject)
{
    if (subject->is_folder) {
        sniv_mark_all(certs, (sniv_folder_t *)(void *)subject);
    }
    else {
        sniv_mark(certs, subject);
    }
}

static void heard_of(sniv_watch_t *watch, sniv_certs_t *certs, int wd,
                     const char *name)
{
    sniv_tie_t *tie = NULL;

    while ((tie = next_tie(watch, tie, wd, name)) != NULL) {
        mark_any(certs, tie->subject);
        if (tie->is_way) {
            sniv_watch_anew(certs, tie->subject);
        }
    }
    while ((tie = next_tie(watch, tie, wd, "")) != NULL) {
        heard_in(watch, certs, (sniv_folder_t *)(void *)tie->subject, name);
    }
}

/* It is gone, or its rights are others. */
static void heard_of_all(sniv_certs_t *certs, watched_t *at, int is_gone)
{
    sniv_tie_t *tie, *next;

    for (tie = at->ties; tie; tie = next) {
        next = tie->in_watched;
        mark_any(certs, tie->subject);
        if (is_gone) {
            sniv_watch_anew(certs, tie->subject);
            untie(tie);
        }
    }
}

/* @return whether something may have happened that is not said */
static int heard(sniv_watch_t *watch, sniv_certs_t *certs,
                 const struct inotify_event *event)
{
    watched_t *at = apr_hash_get(watch->by_wd, &event->wd,
                                 sizeof(event->wd));

    if (event->mask & IN_Q_OVERFLOW) {
        return 1;
    }
    if (at && (event->mask & IN_IGNORED)) {
        heard_of_all(certs, at, 1);
        apr_hash_set(watch->by_wd, &at->wd, sizeof(at->wd), NULL);
        free(at);
    }
    else if (at && event->len && event->name[0]) {
        heard_of(watch, certs, at->wd, event->name);
    }
    else if (at) {
        heard_of_all(certs, at, 0);
    }
    return 0;
}

int sniv_watch_read(sniv_watch_t *watch, sniv_certs_t *certs)
{
    union {
        struct inotify_event first;
        char bytes[16384];
    } buffer;
    int is_lost = 0;
    ssize_t n, at;

    while ((n = read(watch->fd, &buffer, sizeof(buffer))) > 0) {
        for (at = 0; at < n;) {
            const struct inotify_event *event =
                (const void *)(buffer.bytes + at);

            is_lost |= heard(watch, certs, event);
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
    return is_lost;
}

void sniv_watch_update(sniv_watch_t *watch, sniv_certs_t *certs)
{
    sniv_subjects_t *unwatched = &certs->round.unwatched;
    sniv_subject_t *subject;

    while (!watch->reason
           && !APR_RING_EMPTY(unwatched, sniv_subject_t, unwatched)) {
        subject = APR_RING_FIRST(unwatched);
        APR_RING_REMOVE(subject, unwatched);
        subject->is_unwatched = 0;
        if (subject->is_folder) {
            add_folder(watch, certs, (sniv_folder_t *)(void *)subject);
        }
        else {
            add_item(watch, certs, (sniv_item_t *)(void *)subject);
        }
    }
    decide_doubts(watch, certs);
}

int sniv_watch_is_idle(const sniv_watch_t *watch)
{
    return watch->ndoubts == 0;
}

int sniv_watch_is_complete(const sniv_watch_t *watch, const char **preason)
{
    *preason = watch->reason;
    return !watch->reason && !watch->is_remote;
}

#else /* nothing to watch with */

sniv_watch_t *sniv_watch_make(apr_pool_t *p)
{
    (void)p;
    return NULL;
}

int sniv_watch_fd(const sniv_watch_t *watch)
{
    (void)watch;
    return -1;
}

void sniv_watch_update(sniv_watch_t *watch, sniv_certs_t *certs)
{
    (void)watch;
    (void)certs;
}

int sniv_watch_read(sniv_watch_t *watch, sniv_certs_t *certs)
{
    (void)watch;
    (void)certs;
    return 0;
}

int sniv_watch_is_idle(const sniv_watch_t *watch)
{
    (void)watch;
    return 1;
}

void sniv_watch_forget(sniv_subject_t *subject)
{
    (void)subject;
}

int sniv_watch_is_complete(const sniv_watch_t *watch, const char **preason)
{
    (void)watch;
    *preason = NULL;
    return 0;
}

#endif
