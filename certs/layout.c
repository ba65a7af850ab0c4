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
#define _GNU_SOURCE     /* d_type */
#endif

#include "certs/layout.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "certs/walk.h"

/* What a name in a folder is. */
typedef struct item_t {
    const char *name;
    int is_folder;
} item_t;

typedef struct folder_t {
    const char *path;
    item_t *items;              /* in the order of names */
    int nitems;
    const sniv_folder_visitor_t *visitor;
    apr_pool_t *p;
} folder_t;

static const char *const cert_endings[] = { ".pem", ".crt", ".cer", ".cert" };
#define NENDINGS 4

static int compare(const void *a, const void *b)
{
    return strcmp(((const item_t *)a)->name, ((const item_t *)b)->name);
}

static int is_folder(DIR *dir, const struct dirent *entry)
{
    struct stat st;

#if defined(DT_DIR) && defined(DT_REG)
    if (entry->d_type == DT_DIR || entry->d_type == DT_REG) {
        return entry->d_type == DT_DIR;
    }
#endif
    return fstatat(dirfd(dir), entry->d_name, &st, 0) == 0
           && S_ISDIR(st.st_mode);
}

static apr_status_t list(folder_t *folder, int fd)
{
    apr_array_header_t *items = apr_array_make(folder->p, 64,
                                               sizeof(item_t));
    DIR *dir = fdopendir(fd);
    struct dirent *entry;
    item_t *item;
    apr_status_t rv;

    if (!dir) {
        rv = errno;
        close(fd);
        return rv;
    }
    for (;;) {
        errno = 0;
        entry = readdir(dir);
        if (!entry || items->nelts == SNIV_FOLDER_NAMES) {
            break;
        }
        if (entry->d_name[0] != '.') {
            item = apr_array_push(items);
            item->name = apr_pstrdup(folder->p, entry->d_name);
            item->is_folder = is_folder(dir, entry);
        }
    }
    rv = errno;
    closedir(dir);
    folder->items = (item_t *)(void *)items->elts;
    folder->nitems = items->nelts;
    if (items->nelts > 1) {
        qsort(items->elts, (size_t)items->nelts, sizeof(item_t), compare);
    }
    return rv;
}

static item_t *find(const folder_t *folder, const char *name)
{
    item_t key, *item;

    if (folder->nitems == 0) {
        return NULL;
    }
    key.name = name;
    key.is_folder = 0;
    item = bsearch(&key, folder->items, (size_t)folder->nitems,
                   sizeof(item_t), compare);
    return item && !item->is_folder ? item : NULL;
}

/* The length of a name without the ending of a certificate file, or 0. */
static apr_size_t stem(const char *name, const char **ending)
{
    apr_size_t len = strlen(name);
    int i;

    for (i = 0; i < NENDINGS; i++) {
        apr_size_t n = strlen(cert_endings[i]);

        if (len > n && strcmp(name + len - n, cert_endings[i]) == 0) {
            *ending = cert_endings[i];
            return len - n;
        }
    }
    return 0;
}

static int ends_with(const char *name, const char *end)
{
    apr_size_t len = strlen(name), n = strlen(end);

    return len > n && strcmp(name + len - n, end) == 0;
}

static const char *in_folder(const folder_t *folder, const char *name)
{
    return apr_pstrcat(folder->p, folder->path, "/", name, NULL);
}

static void found(const folder_t *folder, const item_t *cert,
                  const item_t *key, const item_t *chain)
{
    folder->visitor->pair(folder->visitor->baton,
                          in_folder(folder, cert->name),
                          key ? in_folder(folder, key->name) : NULL,
                          chain ? in_folder(folder, chain->name) : NULL);
}

/*
 * The key beside a fullchain: privkey.*, a key named like the folder (acme.sh
 * names the one for ECDSA NAME_ecc and the key in it NAME.key), or the only
 * key that there is.
 */
static item_t *folder_key(const folder_t *folder)
{
    const char *base = strrchr(folder->path, '/');
    item_t *key, *only = NULL;
    int i, n = 0;

    if ((key = find(folder, "privkey.pem"))
        || (key = find(folder, "privkey.key"))
        || (key = find(folder, "key.pem"))) {
        return key;
    }
    base = base ? base + 1 : folder->path;
    if ((key = find(folder, apr_pstrcat(folder->p, base, ".key", NULL)))) {
        return key;
    }
    if (ends_with(base, "_ecc")) {
        base = apr_pstrmemdup(folder->p, base, strlen(base) - 4);
        key = find(folder, apr_pstrcat(folder->p, base, ".key", NULL));
        if (key) {
            return key;
        }
    }
    for (i = 0; i < folder->nitems; i++) {
        if (!folder->items[i].is_folder
            && ends_with(folder->items[i].name, ".key")) {
            only = &folder->items[i];
            n++;
        }
    }
    return n == 1 ? only : NULL;
}

/* A folder that is one certificate. */
static int as_one(const folder_t *folder)
{
    item_t *cert, *key;
    int i;

    for (i = 0; i < NENDINGS; i++) {
        cert = find(folder, apr_pstrcat(folder->p, "fullchain",
                                        cert_endings[i], NULL));
        if (cert) {
            found(folder, cert, folder_key(folder), NULL);
            return 1;
        }
    }
    cert = find(folder, "cert.pem");
    key = find(folder, "privkey.pem");
    if (cert && key) {
        found(folder, cert, key, find(folder, "chain.pem"));
        return 1;
    }
    return 0;
}

static int is_not_a_leaf(const char *name, apr_size_t len)
{
    return (len > 7 && memcmp(name + len - 7, ".issuer", 7) == 0)
           || (len == 5 && memcmp(name, "chain", 5) == 0)
           || (len == 2 && memcmp(name, "ca", 2) == 0)
           || (len == 7 && memcmp(name, "privkey", 7) == 0);
}

static void each_file(const folder_t *folder)
{
    item_t *cert, *key;
    const char *ending = NULL, *base;
    apr_size_t len;
    int i;

    for (i = 0; i < folder->nitems; i++) {
        cert = &folder->items[i];
        if (cert->is_folder || (len = stem(cert->name, &ending)) == 0
            || is_not_a_leaf(cert->name, len)) {
            continue;
        }
        base = apr_pstrmemdup(folder->p, cert->name, len);
        key = find(folder, apr_pstrcat(folder->p, base, ".key", NULL));
        if (strcmp(ending, ".pem") == 0 && key
            && find(folder, apr_pstrcat(folder->p, base, ".crt", NULL))) {
            continue;
        }
        found(folder, cert, key, NULL);
    }
}

apr_status_t sniv_folder_visit(const char *path,
                               const sniv_folder_visitor_t *visitor,
                               apr_pool_t *p)
{
    const char *reason;
    apr_status_t rv;
    int fd;

    rv = sniv_walk_open(NULL, path, SNIV_WALK_FOLDER, &fd, &reason);
    return rv == APR_SUCCESS ? sniv_folder_visit_fd(fd, path, visitor, p)
                             : rv;
}

apr_status_t sniv_folder_visit_fd(int fd, const char *path,
                                  const sniv_folder_visitor_t *visitor,
                                  apr_pool_t *p)
{
    folder_t folder;
    apr_status_t rv;
    int i;

    memset(&folder, 0, sizeof(folder));
    folder.path = path;
    folder.visitor = visitor;
    folder.p = p;
    rv = list(&folder, fd);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (!as_one(&folder)) {
        each_file(&folder);
    }
    for (i = 0; i < folder.nitems; i++) {
        if (folder.items[i].is_folder) {
            visitor->folder(visitor->baton,
                            in_folder(&folder, folder.items[i].name));
        }
    }
    return APR_SUCCESS;
}
