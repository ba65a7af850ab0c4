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
#define _GNU_SOURCE     /* O_PATH */
#endif

#include "certs/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef O_CLOEXEC
#define O_CLOEXEC 0
#endif
#ifndef PATH_MAX
#define PATH_MAX 4096
#endif

#define LINKS_MAX 40            /* as Linux */

static const char stranger[] =
    "is not trusted: it, a folder on the way or a link to it belongs neither "
    "to root nor to the owner of the certificate folder";
static const char writable[] =
    "is not trusted: users other than its owner may write to it, or to a "
    "folder on the way";
static const char other_names[] =
    "is not trusted: it has several names (hard links), and another user may "
    "have put this one into the folder. Copy it";
static const char not_a_file[] = "is not a regular file";
static const char not_a_folder[] = "is not a folder";

/* Where a walk is. */
typedef struct step_t {
    const sniv_walk_t *walk;
    int dir;                    /* the folder that has been come to */
    uid_t top_owner;
    uid_t folder_owner;         /* of the last folder before any link */
    uid_t link_owner;           /* of links that a stranger has made */
    int has_stranger;           /* ... if there was one */
    uid_t dir_owner;            /* of the folder that has been come to */
    int is_strangers;           /* it belongs to another user */
    int is_sticky;              /* any user can add names to it */
    int is_linked;              /* a link has been followed */
    int nlinks;
    const char *reason;
    char rest[2 * PATH_MAX];    /* of the path; not cleared, it is large */
} step_t;

static apr_status_t refuse(step_t *step, apr_status_t rv, const char *reason)
{
    step->reason = reason;
    return rv;
}

/*
 * Hold what a name is, without opening it: no reader is announced to the
 * writer of a FIFO, no tape is wound.
 */
static apr_status_t hold(int dir, const char *name, int *pfd,
                         struct stat *st)
{
    *pfd = -1;
#ifdef O_PATH
    *pfd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return *pfd < 0 || fstat(*pfd, st) != 0 ? errno : APR_SUCCESS;
#else
    {
        struct stat now;

        if (fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW) != 0) {
            return errno;
        }
        if (!S_ISDIR(st->st_mode) && !S_ISREG(st->st_mode)) {
            return APR_SUCCESS;
        }
        *pfd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK
                                 | O_NOCTTY | O_CLOEXEC);
        if (*pfd < 0 || fstat(*pfd, &now) != 0) {
            return errno;
        }
        return now.st_ino == st->st_ino && now.st_dev == st->st_dev
               ? APR_SUCCESS : EAGAIN;
    }
#endif
}

/* Open for reading what is held and known to be a regular file. */
static apr_status_t reopen(int dir, const char *name, int held, int *pfd)
{
#ifdef O_PATH
    char self[40];
    struct stat was, is;

    snprintf(self, sizeof(self), "/proc/self/fd/%d", held);
    *pfd = open(self, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (*pfd >= 0 || (errno != ENOENT && errno != ENOTDIR)) {
        return *pfd < 0 ? errno : APR_SUCCESS;
    }
    /* no /proc: by name, and see whether it is the same */
    *pfd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
                             | (dir == AT_FDCWD ? 0 : O_NOFOLLOW));
    if (*pfd < 0) {
        return errno;
    }
    if (fstat(held, &was) != 0 || fstat(*pfd, &is) != 0
        || was.st_ino != is.st_ino || was.st_dev != is.st_dev) {
        close(*pfd);
        return EAGAIN;
    }
    return APR_SUCCESS;
#else
    (void)dir;
    (void)name;
    *pfd = dup(held);
    return *pfd < 0 ? errno : APR_SUCCESS;
#endif
}

static int is_writable_for_others(const struct stat *st)
{
    if (S_ISLNK(st->st_mode)
        || (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX))) {
        return 0;
    }
    return (st->st_mode & S_IWOTH)
           || ((st->st_mode & S_IWGRP) && st->st_gid != st->st_uid);
}

/*
 * Whether a file or link may be another's that a stranger has given a name in
 * his folder: a hard link keeps its owner.
 */
static int is_planted(step_t *step, const struct stat *st, int is_ours)
{
    if (S_ISDIR(st->st_mode)) {
        step->dir_owner = st->st_uid;
        step->is_strangers = !is_ours;
        step->is_sticky = (st->st_mode & S_ISVTX)
                          && (st->st_mode & (S_IWGRP | S_IWOTH));
        return 0;
    }
    return st->st_nlink > 1
           && (step->is_sticky
               || (step->is_strangers && st->st_uid != step->dir_owner));
}

/* Whether a folder, link or file may be used. */
static apr_status_t check(step_t *step, const struct stat *st, int is_last)
{
    int is_ours = st->st_uid == 0 || st->st_uid == step->top_owner;

    if (step->walk->trust == SNIV_TRUST_ANY) {
        return APR_SUCCESS;
    }
    if (is_planted(step, st, is_ours)) {
        return refuse(step, APR_EACCES, other_names);
    }
    if (is_writable_for_others(st)) {
        return refuse(step, APR_EACCES, writable);
    }
    if (step->walk->trust == SNIV_TRUST_STRICT) {
        return is_ours ? APR_SUCCESS : refuse(step, APR_EACCES, stranger);
    }
    if (S_ISLNK(st->st_mode)) {
        if (is_ours) {
            return APR_SUCCESS;
        }
        if (step->has_stranger && step->link_owner != st->st_uid) {
            return refuse(step, APR_EACCES, stranger);
        }
        step->has_stranger = 1;
        step->link_owner = st->st_uid;
        return APR_SUCCESS;
    }
    if (step->has_stranger) {
        /* what he has no right to he does not get by a link of his */
        return !is_last || st->st_uid == step->link_owner
               ? APR_SUCCESS : refuse(step, APR_EACCES, stranger);
    }
    if (!step->is_linked && S_ISDIR(st->st_mode)) {
        step->folder_owner = st->st_uid;
        return APR_SUCCESS;
    }
    return is_ours || st->st_uid == step->folder_owner
           ? APR_SUCCESS : refuse(step, APR_EACCES, stranger);
}

static apr_status_t enter(step_t *step, int dir)
{
    if (step->dir >= 0) {
        close(step->dir);
    }
    step->dir = dir;
    return dir < 0 ? errno : APR_SUCCESS;
}

#ifdef O_PATH
#define O_HOLD (O_PATH | O_DIRECTORY | O_CLOEXEC)
#else
#define O_HOLD (O_RDONLY | O_NONBLOCK | O_DIRECTORY | O_CLOEXEC)
#endif

/* Put what a link says in front of the rest of the path. */
static apr_status_t follow(step_t *step, const char *name, int held)
{
    char target[PATH_MAX];
    size_t len = strlen(step->rest);
    ssize_t n;

#ifdef O_PATH
    (void)name;
    n = readlinkat(held, "", target, sizeof(target) - 1);
#else
    (void)held;
    n = readlinkat(step->dir, name, target, sizeof(target) - 1);
#endif
    if (n < 0) {
        return errno;
    }
    if (++step->nlinks > LINKS_MAX) {
        return ELOOP;
    }
    if ((size_t)n + len + 2 > sizeof(step->rest)
        || (size_t)n == sizeof(target) - 1) {
        return ENAMETOOLONG;
    }
    step->is_linked = 1;
    memmove(step->rest + n + 1, step->rest, len + 1);
    memcpy(step->rest, target, (size_t)n);
    step->rest[n] = '/';
    return n > 0 && target[0] == '/' ? enter(step, open("/", O_HOLD))
                                     : APR_SUCCESS;
}

/* Take the next name from the rest of the path; 0 if there is none. */
static int next_name(step_t *step, char *name, size_t room)
{
    size_t at = 0, len;

    for (;;) {
        at += strspn(step->rest + at, "/");
        len = strcspn(step->rest + at, "/");
        if (len != 1 || step->rest[at] != '.') {
            break;
        }
        at++;
    }
    if (len >= room) {
        len = room - 1;         /* the system says: too long */
    }
    memcpy(name, step->rest + at, len);
    name[len] = '\0';
    at += len;
    memmove(step->rest, step->rest + at, strlen(step->rest + at) + 1);
    return len > 0;
}

static apr_status_t open_last(step_t *step, const char *name, int held,
                              const struct stat *st, sniv_walk_e what,
                              int *pfd)
{
    if (what == SNIV_WALK_FILE) {
        return S_ISREG(st->st_mode)
               ? reopen(step->dir, name, held, pfd)
               : refuse(step, APR_EINVAL, not_a_file);
    }
    if (!S_ISDIR(st->st_mode)) {
        return refuse(step, APR_EINVAL, not_a_folder);
    }
    *pfd = openat(held, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *pfd < 0 ? errno : APR_SUCCESS;
}

static apr_status_t walk_on(step_t *step, sniv_walk_e what, int *pfd)
{
    char name[NAME_MAX + 2];
    struct stat st;
    apr_status_t rv;
    int held, is_last;

    memset(&st, 0, sizeof(st));
    while (next_name(step, name, sizeof(name))) {
        rv = hold(step->dir, name, &held, &st);
        is_last = step->rest[strspn(step->rest, "/.")] == '\0'
                  && strstr(step->rest, "..") == NULL;
        if (rv == APR_SUCCESS && !S_ISREG(st.st_mode)
            && !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode)) {
            rv = refuse(step, APR_EINVAL, not_a_file);
        }
        if (rv == APR_SUCCESS) {
            rv = check(step, &st, is_last);
        }
        if (rv == APR_SUCCESS && S_ISLNK(st.st_mode)) {
            rv = follow(step, name, held);
        }
        else if (rv == APR_SUCCESS && is_last) {
            rv = open_last(step, name, held, &st, what, pfd);
            is_last = 2;
        }
        else if (rv == APR_SUCCESS && !S_ISDIR(st.st_mode)) {
            rv = ENOTDIR;
        }
        else if (rv == APR_SUCCESS) {
            rv = enter(step, held);
            held = -1;
        }
        if (held >= 0) {
            close(held);
        }
        if (rv != APR_SUCCESS || is_last == 2) {
            return rv;
        }
    }
    /* the top folder itself, or a link to "/" or "." */
    if (step->has_stranger) {
        return refuse(step, APR_EACCES, stranger);
    }
    if (what == SNIV_WALK_FILE) {
        return refuse(step, APR_EINVAL, not_a_file);
    }
    *pfd = openat(step->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *pfd < 0 ? errno : APR_SUCCESS;
}

static apr_status_t walk_below(const sniv_walk_t *walk, const char *path,
                               sniv_walk_e what, int *pfd,
                               const char **preason)
{
    size_t len = strlen(walk->top);
    struct stat st;
    step_t step;
    apr_status_t rv;

    memset(&step, 0, offsetof(step_t, rest));
    step.walk = walk;
    step.dir = -1;
    if (strlen(path + len) >= PATH_MAX) {
        return ENAMETOOLONG;
    }
    memcpy(step.rest, path + len, strlen(path + len) + 1);
    rv = enter(&step, open(walk->top, O_HOLD));
    if (rv == APR_SUCCESS && fstat(step.dir, &st) != 0) {
        rv = errno;
    }
    if (rv == APR_SUCCESS) {
        step.top_owner = step.folder_owner = st.st_uid;
        rv = check(&step, &st, 0);
    }
    if (rv == APR_SUCCESS) {
        rv = walk_on(&step, what, pfd);
    }
    if (step.dir >= 0) {
        close(step.dir);
    }
    *preason = step.reason;
    return rv;
}

apr_status_t sniv_walk_open(const sniv_walk_t *walk, const char *path,
                            sniv_walk_e what, int *pfd,
                            const char **preason)
{
    struct stat st;
    step_t step;
    apr_status_t rv;
    int held;

    *pfd = -1;
    *preason = NULL;
    if (walk) {
        return walk_below(walk, path, what, pfd, preason);
    }
    memset(&step, 0, offsetof(step_t, rest));
#ifdef O_PATH
    held = open(path, O_PATH | O_CLOEXEC);
    rv = held < 0 || fstat(held, &st) != 0 ? errno : APR_SUCCESS;
#else
    held = -1;
    rv = stat(path, &st) != 0 ? errno : APR_SUCCESS;
    if (rv == APR_SUCCESS && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))) {
        held = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        rv = held < 0 || fstat(held, &st) != 0 ? errno : APR_SUCCESS;
    }
#endif
    step.dir = AT_FDCWD;
    if (rv == APR_SUCCESS) {
        rv = open_last(&step, path, held, &st, what, pfd);
    }
    if (held >= 0) {
        close(held);
    }
    *preason = step.reason;
    return rv;
}
