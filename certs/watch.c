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
#include <sys/vfs.h>
#include <unistd.h>

#include <apr_strings.h>

#define LINKS_MAX 40            /* as Linux */

#define NAMES_CHANGE (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)
#define ALL_CHANGES (NAMES_CHANGE | IN_CLOSE_WRITE | IN_ATTRIB)

/* A name in a folder of which nothing else matters. */
typedef struct watched_name_t {
    struct watched_name_t *next;
    const char *name;
} watched_name_t;

/* A folder that is watched. */
typedef struct watched_t {
    int wd;
    int is_all;                 /* every name matters */
    watched_name_t *names;
} watched_t;

struct sniv_watch_t {
    int fd;
    apr_pool_t *p;
    apr_hash_t *by_wd;
    int is_new;                 /* something has been added */
    int is_stale;               /* what was watched is not any more */
    int is_remote;              /* others may write without our knowledge */
    char last[PATH_MAX];        /* as it is written: all of it is watched */
    const char *reason;
};

sniv_watch_t *sniv_watch_make(apr_pool_t *p)
{
    sniv_watch_t *watch = apr_pcalloc(p, sizeof(*watch));

    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->fd < 0) {
        return NULL;
    }
    watch->p = p;
    watch->by_wd = apr_hash_make(p);
    return watch;
}

int sniv_watch_fd(const sniv_watch_t *watch)
{
    return watch->fd;
}

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

static void add_name(sniv_watch_t *watch, watched_t *one, const char *name)
{
    watched_name_t *n;

    for (n = one->names; n; n = n->next) {
        if (strcmp(n->name, name) == 0) {
            return;
        }
    }
    n = apr_palloc(watch->p, sizeof(*n));
    n->name = apr_pstrdup(watch->p, name);
    n->next = one->names;
    one->names = n;
    watch->is_new = 1;
}

/* Watch a folder for one name or, without, for all. @return 0: it cannot */
static int add(sniv_watch_t *watch, const char *dir, const char *name)
{
    watched_t *one;
    int wd = inotify_add_watch(watch->fd, dir, IN_ONLYDIR | IN_MASK_ADD
                               | (name ? NAMES_CHANGE : ALL_CHANGES));

    if (wd < 0) {
        if (errno == ENOSPC || errno == ENOMEM) {
            watch->reason = "not all folders can be watched for changes: the "
                            "limit (fs.inotify.max_user_watches) is reached";
        }
        else if (errno != ENOENT && errno != ENOTDIR) {
            watch->is_remote = 1;
        }
        return 0;
    }
    one = apr_hash_get(watch->by_wd, &wd, sizeof(wd));
    if (!one) {
        one = apr_pcalloc(watch->p, sizeof(*one));
        one->wd = wd;
        apr_hash_set(watch->by_wd, &one->wd, sizeof(one->wd), one);
        watch->is_remote |= !is_local(dir);
        watch->is_new = 1;
    }
    if (!name) {
        watch->is_new |= !one->is_all;
        one->is_all = 1;
    }
    else if (!one->is_all) {
        add_name(watch, one, name);
    }
    return 1;
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
static void add_way(sniv_watch_t *watch, const char *path)
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
            add(watch, way.at[0] ? way.at : "/", name);
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
            add(watch, way.at[0] ? way.at : "/", name);
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

static void add_folder(sniv_watch_t *watch, sniv_folder_t *folder)
{
    if (!folder->parent || is_link(folder->path)) {
        add_way(watch, folder->path);
    }
    folder->is_watched = add(watch, folder->path, NULL) & 1;
}

/*
 * The end of a file's way gets a watch of all: it may be written in place.
 * That does for the next file in the same folder, too, if it is no link.
 */
static void add_file(sniv_watch_t *watch, const char *path)
{
    const char *end = strrchr(path, '/');
    apr_size_t len = end ? (apr_size_t)(end - path) : 0;
    int is_plain = len > 0 && len < sizeof(watch->last) && !is_link(path);
    char real[PATH_MAX], *slash;

    if (is_plain && strncmp(watch->last, path, len) == 0
        && watch->last[len] == '\0') {
        return;
    }
    add_way(watch, path);
    if (realpath(path, real) && (slash = strrchr(real, '/')) != NULL) {
        *(slash == real ? slash + 1 : slash) = '\0';
        if (add(watch, real, NULL) && is_plain) {
            apr_cpystrn(watch->last, path, len + 1);
        }
    }
}

static void add_item(sniv_watch_t *watch, sniv_item_t *item)
{
    int i;

    for (i = 0; i < item->nlist; i++) {
        if (!item->folder || is_link(item->list[i])) {
            add_file(watch, item->list[i]);
        }
    }
    item->is_watched = 1;
}

int sniv_watch_update(sniv_watch_t *watch, sniv_certs_t *certs)
{
    sniv_books_t *books = &certs->books;
    apr_uint32_t i;

    watch->is_new = 0;
    watch->last[0] = '\0';
    if (watch->reason) {
        return 0;
    }
    for (i = 0; i < books->nfolders; i++) {
        sniv_folder_t *folder = books->folders[i];

        if ((!folder->is_watched || watch->is_stale) && !folder->is_alias
            && !folder->is_deep) {
            add_folder(watch, folder);
        }
    }
    for (i = 0; i < books->nitems; i++) {
        if (!books->items[i]->is_watched || watch->is_stale) {
            add_item(watch, books->items[i]);
        }
    }
    watch->is_stale = 0;
    return watch->is_new;
}

static int matters(sniv_watch_t *watch, const struct inotify_event *event)
{
    watched_t *one = apr_hash_get(watch->by_wd, &event->wd,
                                  sizeof(event->wd));
    watched_name_t *n;

    if (event->mask & IN_Q_OVERFLOW) {
        return 1;
    }
    if (!one) {
        return 0;
    }
    if (event->mask & IN_IGNORED) {
        /* it is gone; another one may get the number, and the inode */
        watch->is_stale = 1;
        apr_hash_set(watch->by_wd, &one->wd, sizeof(one->wd), NULL);
        return 1;
    }
    for (n = one->names; n && !one->is_all; n = n->next) {
        if (event->len && strcmp(n->name, event->name) == 0) {
            return 1;
        }
    }
    return one->is_all;
}

int sniv_watch_read(sniv_watch_t *watch)
{
    union {
        struct inotify_event first;
        char bytes[16384];
    } buffer;
    int is_due = 0;
    ssize_t n, at;

    while ((n = read(watch->fd, &buffer, sizeof(buffer))) > 0) {
        for (at = 0; at < n;) {
            const struct inotify_event *event =
                (const void *)(buffer.bytes + at);

            is_due |= matters(watch, event);
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
    return is_due;
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

int sniv_watch_update(sniv_watch_t *watch, sniv_certs_t *certs)
{
    (void)watch;
    (void)certs;
    return 0;
}

int sniv_watch_read(sniv_watch_t *watch)
{
    (void)watch;
    return 0;
}

int sniv_watch_is_complete(const sniv_watch_t *watch, const char **preason)
{
    (void)watch;
    *preason = NULL;
    return 0;
}

#endif
