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


#include "tool/copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "certs/storeurl.h"

#define PATH_ROOM 4096

static int fail(copy_t *copy, const char *path, const char *what)
{
    snprintf(copy->error, sizeof(copy->error), "in %.300s cannot be %s: %s",
             path, what, strerror(errno));
    return 0;
}

/* Where an entry is. @return 0: the path is too long */
static int path_of(const copy_t *copy, const char *id, apr_size_t len,
                   char path[PATH_ROOM], int is_folder)
{
    int n = snprintf(path, PATH_ROOM, "%s/certs/%02x%s%.*s%s", copy->dir,
                     sniv_store_shard(id, len), is_folder ? "" : "/",
                     is_folder ? 0 : (int)len, id,
                     is_folder ? "" : SNIV_STORE_ENDING);

    return n > 0 && n < PATH_ROOM;
}

static copy_entry_t *note(copy_t *copy, const char *id, apr_size_t len)
{
    copy_entry_t *entry = calloc(1, sizeof(*entry) + len);

    if (entry) {
        entry->len = len;
        memcpy(entry->id, id, len);
        entry->next = copy->first;
        if (entry->next) {
            entry->next->prev = entry;
        }
        copy->first = entry;
        apr_hash_set(copy->ids, entry->id, (apr_ssize_t)len, entry);
    }
    return entry;
}

static int list_folder(copy_t *copy, const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    apr_size_t len;
    const char *id;

    if (!dir) {
        return errno == ENOENT || fail(copy, path, "read");
    }
    while ((entry = readdir(dir)) != NULL) {
        len = sniv_store_id_of(entry->d_name, &id);
        if (len && !note(copy, id, len)) {
            closedir(dir);
            return fail(copy, path, "read");
        }
    }
    closedir(dir);
    return 1;
}

int copy_open(copy_t *copy, const char *dir, apr_pool_t *p)
{
    char path[PATH_ROOM];
    unsigned i;

    memset(copy, 0, sizeof(*copy));
    copy->dir = dir;
    copy->ids = apr_hash_make(p);
    for (i = 0; i < 256; i++) {
        snprintf(path, sizeof(path), "%s/certs/%02x", dir, i);
        if (!list_folder(copy, path)) {
            return 0;
        }
    }
    return 1;
}

int copy_lock(copy_t *copy)
{
    char path[PATH_ROOM];
    int fd;

    snprintf(path, sizeof(path), "%s/lock", copy->dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return fail(copy, path, "written");
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        snprintf(copy->error, sizeof(copy->error), "is being kept by another "
                 "process");
        close(fd);
        return 0;
    }
    return 1;                   /* held until the end */
}

copy_entry_t *copy_find(copy_t *copy, const char *id, apr_size_t len)
{
    return apr_hash_get(copy->ids, id, (apr_ssize_t)len);
}

/* Whether a file has these bytes. */
static int has_bytes(const char *path, const char *bytes, apr_size_t len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), is_same;
    char block[16384];
    struct stat st;
    ssize_t n = 0;

    if (fd < 0) {
        return 0;
    }
    is_same = fstat(fd, &st) == 0 && (apr_size_t)st.st_size == len;
    while (is_same && len > 0) {
        n = read(fd, block, sizeof(block));
        is_same = n > 0 && (apr_size_t)n <= len
                  && memcmp(block, bytes, (size_t)n) == 0;
        bytes += n > 0 ? n : 0;
        len -= is_same ? (apr_size_t)n : 0;
    }
    close(fd);
    return is_same;
}

static int write_all(int fd, const char *bytes, apr_size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        if (n < 0 && errno != EINTR) {
            return 0;
        }
        if (n > 0) {
            bytes += n;
            len -= (apr_size_t)n;
        }
    }
    return 1;
}

/* Beside it first, in the copy's own folder, which nobody watches. */
static int write_file(copy_t *copy, const char *path, const char *bytes,
                      apr_size_t len)
{
    char temp[PATH_ROOM];
    int fd, is_good;

    snprintf(temp, sizeof(temp), "%s/new", copy->dir);
    (void)unlink(temp);
    fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return fail(copy, temp, "written");
    }
    is_good = write_all(fd, bytes, len);
    is_good = close(fd) == 0 && is_good;
    if (!is_good || rename(temp, path) != 0) {
        fail(copy, path, "written");
        (void)unlink(temp);
        return 0;
    }
    return 1;
}

int copy_note(copy_t *copy, const char *name, const char *bytes,
              apr_size_t len)
{
    char path[PATH_ROOM];

    snprintf(path, sizeof(path), "%s/%s", copy->dir, name);
    return write_file(copy, path, bytes, len);
}

int copy_put(copy_t *copy, const char *id, apr_size_t id_len,
             const char *bytes, apr_size_t len, unsigned round)
{
    copy_entry_t *entry = copy_find(copy, id, id_len);
    char path[PATH_ROOM], folder[PATH_ROOM];

    if (!path_of(copy, id, id_len, path, 0)
        || !path_of(copy, id, id_len, folder, 1)) {
        errno = ENAMETOOLONG;
        fail(copy, copy->dir, "written");
        return -1;
    }
    if (entry && has_bytes(path, bytes, len)) {
        entry->round = round;
        return 0;
    }
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        fail(copy, folder, "written");
        return -1;
    }
    if (!write_file(copy, path, bytes, len)) {
        return -1;
    }
    if (!entry && !(entry = note(copy, id, id_len))) {
        fail(copy, path, "written");
        return -1;
    }
    entry->round = round;
    return 1;
}

int copy_remove(copy_t *copy, copy_entry_t *entry)
{
    char path[PATH_ROOM];

    if (!path_of(copy, entry->id, entry->len, path, 0)
        || (unlink(path) != 0 && errno != ENOENT)) {
        return fail(copy, path, "removed");
    }
    apr_hash_set(copy->ids, entry->id, (apr_ssize_t)entry->len, NULL);
    if (entry->prev) {
        entry->prev->next = entry->next;
    }
    else {
        copy->first = entry->next;
    }
    if (entry->next) {
        entry->next->prev = entry->prev;
    }
    free(entry);
    return 1;
}
