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

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_tables.h>

#include "certs/beside.h"
#include "certs/walk.h"

/* What a file is, by its name. */
typedef enum {
    ROLE_UNKNOWN,               /* its content will tell, perhaps */
    ROLE_CERT,
    ROLE_FULL,                  /* certificate and chain */
    ROLE_KEY,
    ROLE_CHAIN,
    ROLE_BUNDLE,                /* PKCS#12 */
    ROLE_PASSED,                /* an old one, or in no format of ours */
    ROLE_NONE                   /* not looked at */
} role_e;

/* An ending, and what it says. The longest comes first. */
typedef struct ending_t {
    const char *text;
    role_e role;
} ending_t;

/* What follows the name of a site. */
static const ending_t endings[] = {
    { ".fullchain", ROLE_FULL }, { ".ca-bundle", ROLE_CHAIN },
    { ".ca_bundle", ROLE_CHAIN }, { ".cabundle", ROLE_CHAIN },
    { ".cacert", ROLE_CHAIN }, { ".bundle", ROLE_CHAIN },
    { ".issuer", ROLE_CHAIN }, { ".chain", ROLE_CHAIN },
    { ".pem.key", ROLE_KEY }, { ".crt.key", ROLE_KEY },
    { ".pem.rsa", ROLE_CERT }, { ".pem.ecdsa", ROLE_CERT },
    { ".privkey", ROLE_KEY }, { ".ecdsa", ROLE_CERT },
    { ".rsa", ROLE_CERT }, { ".cert", ROLE_CERT }, { ".key", ROLE_KEY },
    { ".pem", ROLE_CERT }, { ".crt", ROLE_CERT }, { ".cer", ROLE_CERT },
    { ".ca", ROLE_CHAIN },
    { ".csr", ROLE_NONE }, { ".json", ROLE_NONE }, { ".conf", ROLE_NONE },
    { ".ocsp", ROLE_NONE }, { ".sctl", ROLE_NONE }, { ".crl", ROLE_NONE },
    { ".p7b", ROLE_PASSED }, { ".pfx", ROLE_BUNDLE }, { ".p12", ROLE_BUNDLE },
    { ".sh", ROLE_NONE }, { ".log", ROLE_NONE }, { ".md", ROLE_NONE },
    { ".bak", ROLE_PASSED }, { ".old", ROLE_PASSED }, { ".tmp", ROLE_NONE },
    { ".dsa", ROLE_PASSED }, { ".html", ROLE_NONE }, { ".zip", ROLE_NONE },
    { "~", ROLE_PASSED }
};
#define NENDINGS ((int)(sizeof(endings) / sizeof(endings[0])))

/* What the name before that ending ends with, or is. */
static const ending_t words[] = {
    { "chain-only", ROLE_CHAIN }, { "fullchain", ROLE_FULL },
    { "intermediate", ROLE_CHAIN }, { "ca-bundle", ROLE_CHAIN },
    { "ca_bundle", ROLE_CHAIN }, { "cabundle", ROLE_CHAIN },
    { "pubcert", ROLE_CERT }, { "privatekey", ROLE_KEY },
    { "privkey", ROLE_KEY }, { "private", ROLE_KEY },
    { "issuer", ROLE_CHAIN }, { "chain", ROLE_CHAIN },
    { "key", ROLE_KEY }, { "crt", ROLE_CERT }, { "cert", ROLE_CERT },
    { "ca", ROLE_CHAIN }
};
#define NWORDS ((int)(sizeof(words) / sizeof(words[0])))

/* What a name in a folder is. */
typedef struct item_t item_t;
struct item_t {
    const char *name;
    int is_folder;
    role_e role;
    int stem;                   /* length of the name that belongs to it */
    int is_used;
    int is_useful;              /* its content was read, and is something */
    int is_pair;                /* a certificate to be reported, with ... */
    item_t *key, *chain;        /* ... these, or NULL */
    sniv_beside_t *content;     /* of few, while they are compared */
};

typedef struct folder_t {
    const char *path;
    item_t *items;              /* in the order of names */
    int nitems;
    int nnames;                 /* in the folder, listed or not */
    item_t *only_chain;         /* if there is one, and one only */
    int nkeys;                  /* by their names */
    item_t **read;              /* those whose content was read */
    int nread;
    const sniv_folder_visitor_t *visitor;
    const sniv_walk_t *walk;    /* or NULL */
    const item_t *only;         /* what is looked for, or NULL: all */
    int nonly;
    apr_pool_t *p;
} folder_t;

/* Files of one folder whose content is looked at. */
#define CONTENT_MAX 256
/* In a folder with no more files the content decides, not the names. */
#define SMALL 64

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

static void classify(item_t *item);

/*
 * Whether a name is looked for, or belongs to one that is. Chains are listed
 * up to the second: the only one is that of all.
 */
static int is_wanted(const folder_t *folder, const char *name, int *nchains)
{
    item_t item;
    int i;

    for (i = 0; i < folder->nonly; i++) {
        const item_t *one = &folder->only[i];

        if (strncmp(name, one->name, (apr_size_t)one->stem) == 0
            && !apr_isalnum(name[one->stem])) {
            return 1;
        }
    }
    item.name = name;
    classify(&item);
    return item.role == ROLE_CHAIN && ++*nchains <= 2;
}

/* @return APR_INCOMPLETE if there are more than so many */
static apr_status_t list(folder_t *folder, int fd, int most)
{
    apr_array_header_t *items = apr_array_make(folder->p, 64,
                                               sizeof(item_t));
    DIR *dir = fdopendir(fd);
    struct dirent *entry;
    item_t *item;
    apr_status_t rv;
    int n = 0, nchains = 0;

    if (!dir) {
        rv = errno;
        close(fd);
        return rv;
    }
    for (;;) {
        errno = 0;
        entry = readdir(dir);
        if (!entry || n == most) {
            break;
        }
        if (entry->d_name[0] == '.') {
            continue;
        }
        n++;
        if (!folder->only || is_wanted(folder, entry->d_name, &nchains)) {
            item = apr_array_push(items);
            memset(item, 0, sizeof(*item));
            item->name = apr_pstrdup(folder->p, entry->d_name);
            item->is_folder = is_folder(dir, entry);
            item->role = ROLE_NONE;
        }
    }
    rv = entry ? APR_INCOMPLETE : errno;
    closedir(dir);
    folder->items = (item_t *)(void *)items->elts;
    folder->nitems = items->nelts;
    folder->nnames = n;
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
    memset(&key, 0, sizeof(key));
    key.name = name;
    key.is_folder = 0;
    item = bsearch(&key, folder->items, (size_t)folder->nitems,
                   sizeof(item_t), compare);
    return item && !item->is_folder ? item : NULL;
}

static int lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* Whether the first len bytes of a name end with a text, in any case. */
static int ends_with(const char *name, int len, const char *end)
{
    int n = (int)strlen(end), i;

    for (i = 0; i < n && n <= len; i++) {
        if (lower(name[len - n + i]) != end[i]) {
            return 0;
        }
    }
    return n <= len;
}

static int is_separator(char c)
{
    return c == '.' || c == '-' || c == '_';
}

/* certbot's archive: cert1.pem, fullchain12.pem. */
static int is_archived(const char *name)
{
    static const char *const begins[] = { "cert", "chain", "fullchain",
                                          "privkey" };
    int i;

    for (i = 0; i < 4; i++) {
        apr_size_t n = strlen(begins[i]), digits;

        if (strncmp(name, begins[i], n) == 0) {
            digits = strspn(name + n, "0123456789");
            if (digits > 0 && strcmp(name + n + digits, ".pem") == 0) {
                return 1;
            }
        }
    }
    return 0;
}

/* What a file is, by its name. */
static void classify(item_t *item)
{
    const char *name = item->name;
    int len = (int)strlen(name), i, is_key = 0;

    item->role = ROLE_UNKNOWN;
    item->stem = len;
    if (is_archived(name)) {
        item->role = ROLE_PASSED;
        return;
    }
    for (i = 0; i < NENDINGS; i++) {
        if (ends_with(name, len, endings[i].text)
            && len > (int)strlen(endings[i].text)) {
            item->role = endings[i].role;
            item->stem = len - (int)strlen(endings[i].text);
            is_key = item->role == ROLE_KEY;
            break;
        }
    }
    if (item->role != ROLE_CERT && item->role != ROLE_UNKNOWN
        && item->role != ROLE_KEY) {
        return;
    }
    for (i = 0; i < NWORDS; i++) {
        int n = (int)strlen(words[i].text);

        if (ends_with(name, item->stem, words[i].text)
            && (item->stem == n || is_separator(name[item->stem - n - 1]))) {
            item->role = is_key ? ROLE_KEY : words[i].role;
            item->stem = item->stem == n ? 0 : item->stem - n - 1;
            break;
        }
    }
}

static const char *in_folder(const folder_t *folder, const char *name)
{
    return apr_pstrcat(folder->p, folder->path, "/", name, NULL);
}

/* Note what belongs together; each_pair() reports it. */
static void found(item_t *cert, item_t *key, item_t *chain)
{
    cert->is_used = cert->is_pair = 1;
    cert->key = key;
    cert->chain = chain;
    if (key) {
        key->is_used = 1;
    }
    /* one of another name may be something else: look into it */
    if (chain && chain->stem == cert->stem) {
        chain->is_used = 1;
    }
}

/* ----- a folder that is one certificate */

/*
 * The key beside a fullchain: privkey.*, a key named like the folder (acme.sh
 * names the one for ECDSA NAME_ecc and the key in it NAME.key), or the only
 * key that there is.
 */
static item_t *folder_key(const folder_t *folder)
{
    static const char *const names[] = { "privkey.pem", "privkey.key",
                                         "key.pem", "privkey" };
    const char *base = strrchr(folder->path, '/');
    item_t *key, *only = NULL;
    int i, n = 0, len;

    for (i = 0; i < 4; i++) {
        if ((key = find(folder, names[i]))) {
            return key;
        }
    }
    base = base ? base + 1 : folder->path;
    if ((key = find(folder, apr_pstrcat(folder->p, base, ".key", NULL)))) {
        return key;
    }
    len = (int)strlen(base);
    if (ends_with(base, len, "_ecc")) {
        base = apr_pstrmemdup(folder->p, base, (apr_size_t)len - 4);
        key = find(folder, apr_pstrcat(folder->p, base, ".key", NULL));
        if (key) {
            return key;
        }
    }
    for (i = 0; i < folder->nitems; i++) {
        if (folder->items[i].role == ROLE_KEY) {
            only = &folder->items[i];
            n++;
        }
    }
    return n == 1 ? only : NULL;
}

/* fullchain.* and a key: everything else is the client's own business. */
static int as_one(const folder_t *folder)
{
    static const char *const names[] = {
        "fullchain.pem", "fullchain.crt", "fullchain.cer", "fullchain.cert",
        "fullchain"
    };
    item_t *cert, *key;
    int i;

    for (i = 0; i < 5; i++) {
        cert = find(folder, names[i]);
        key = cert ? folder_key(folder) : NULL;
        if (key) {
            found(cert, key, NULL);
            return 1;
        }
    }
    return 0;
}

/* ----- files, by their names */

/* The file of a role that belongs to the same name: the first one. */
static item_t *same_stem(const folder_t *folder, const item_t *item,
                         role_e role)
{
    int at = (int)(item - folder->items), i;

    /* those that begin alike lie together */
    for (i = at; i > 0 && strncmp(folder->items[i - 1].name, item->name,
                                  (apr_size_t)item->stem) == 0; i--) {
        continue;
    }
    for (; i < folder->nitems && strncmp(folder->items[i].name, item->name,
                                         (apr_size_t)item->stem) == 0; i++) {
        item_t *other = &folder->items[i];

        if (other->role == role && other->stem == item->stem
            && !other->is_folder) {
            return other;
        }
    }
    return NULL;
}

/* The key of a certificate: the same name, in one of many ways. */
static item_t *named_key(const folder_t *folder, const item_t *cert)
{
    item_t *key = find(folder, apr_pstrcat(folder->p, cert->name, ".key",
                                           NULL));

    if (!key) {
        key = find(folder, apr_pstrcat(folder->p, apr_pstrmemdup(folder->p,
                                       cert->name, (apr_size_t)cert->stem),
                                       ".key", NULL));
    }
    return key ? key : same_stem(folder, cert, ROLE_KEY);
}

/* NAME.pem beside NAME.crt and NAME.key: lego writes all three. */
static int is_extra(const folder_t *folder, const item_t *cert)
{
    const char *base = apr_pstrmemdup(folder->p, cert->name,
                                      (apr_size_t)cert->stem);

    return cert->stem > 0
           && strcmp(cert->name + cert->stem, ".pem") == 0
           && find(folder, apr_pstrcat(folder->p, base, ".crt", NULL))
           && find(folder, apr_pstrcat(folder->p, base, ".key", NULL));
}

/* The chain of a site, or the only one in this folder. */
static item_t *named_chain(const folder_t *folder, const item_t *cert)
{
    item_t *chain = same_stem(folder, cert, ROLE_CHAIN);

    return chain ? chain : folder->only_chain;
}

static int is_cert(const item_t *item)
{
    return item->role == ROLE_CERT || item->role == ROLE_FULL;
}

/* Pairs whose names say that they are. */
static void by_names(const folder_t *folder)
{
    item_t *cert, *key;
    int i;

    for (i = 0; i < folder->nitems; i++) {
        cert = &folder->items[i];
        if (!is_cert(cert) || cert->is_used) {
            continue;
        }
        key = named_key(folder, cert);
        if (is_extra(folder, cert)
            || (key && cert->role == ROLE_CERT
                && same_stem(folder, cert, ROLE_FULL))) {
            cert->is_used = 1;  /* the other one is as good, or better */
        }
        else if (key) {
            found(cert, key, cert->role == ROLE_FULL
                             ? NULL : named_chain(folder, cert));
        }
    }
}

/* ----- files, by what is in them */

/* Whether the content has to be looked at, after the names. */
static int is_something_left(const folder_t *folder)
{
    int i, is_lonely = 0, is_bare = 0;

    for (i = 0; i < folder->nitems; i++) {
        const item_t *item = &folder->items[i];

        if (!item->is_used && item->role < ROLE_BUNDLE && !is_cert(item)) {
            return 1;
        }
        is_lonely |= !item->is_used && is_cert(item);
        is_bare |= item->is_pair && !item->chain;
    }
    /* what has no key may be the issuer of what has no chain */
    return is_lonely && is_bare && folder->nnames <= SMALL;
}

static void read_contents(folder_t *folder)
{
    item_t *item;
    int i;

    folder->read = apr_palloc(folder->p, sizeof(item_t *) * CONTENT_MAX);
    for (i = 0; i < folder->nitems && folder->nread < CONTENT_MAX; i++) {
        item = &folder->items[i];
        if (item->role < ROLE_BUNDLE
            && (!item->is_used || folder->nnames <= SMALL)) {
            item->content = apr_palloc(folder->p, sizeof(*item->content));
            sniv_beside_read(item->content, folder->walk,
                             in_folder(folder, item->name));
            folder->read[folder->nread++] = item;
        }
    }
}

static item_t *key_inside(const folder_t *folder, const item_t *cert)
{
    int i;

    for (i = 0; i < folder->nread; i++) {
        if (folder->read[i] != cert && folder->read[i]->content->ncerts == 0
            && sniv_beside_match(cert->content, folder->read[i]->content)) {
            return folder->read[i];
        }
    }
    return NULL;
}

static item_t *issuer_inside(const folder_t *folder, const item_t *cert)
{
    int i;

    for (i = 0; i < folder->nread; i++) {
        const sniv_beside_t *content = folder->read[i]->content;

        if (folder->read[i] != cert && content->ncerts > content->nleaves
            && sniv_beside_issued(content, cert->content)) {
            return folder->read[i];
        }
    }
    return NULL;
}

/* Whether a pair has the same certificate: some tools write it twice. */
static int is_twice(const folder_t *folder, const item_t *item)
{
    int i;

    for (i = 0; i < folder->nread; i++) {
        const item_t *other = folder->read[i];

        if (other != item && other->is_pair
            && sniv_beside_same(other->content, item->content)) {
            return 1;
        }
    }
    return 0;
}

/* A certificate whose content was read: a key belongs to it that has its
 * public key, whatever the names. */
static void settle(const folder_t *folder, item_t *item)
{
    item_t *key = item->key;
    int has_own = sniv_beside_match(item->content, item->content);

    if (item->is_used ? !item->is_pair : item->content->nleaves == 0) {
        return;
    }
    if (!has_own && (!key || !key->content
                     || !sniv_beside_match(item->content, key->content))) {
        key = key_inside(folder, item);
    }
    if (!item->is_pair && !item->content->has_secret
        && (has_own || !item->content->key.data) && is_twice(folder, item)) {
        item->is_used = 1;
        return;
    }
    if (has_own && !item->is_pair) {
        found(item, NULL, issuer_inside(folder, item));
    }
    else if (key) {
        found(item, key, item->chain && item->chain->content
                         && sniv_beside_issued(item->chain->content,
                                               item->content)
                         ? item->chain : issuer_inside(folder, item));
    }
}

/* mod_md names the key for another curve privkey.secp384r1.pem. */
static int is_key_named_cert(const folder_t *folder)
{
    int i;

    for (i = 0; i < folder->nread; i++) {
        const item_t *item = folder->read[i];

        if (is_cert(item) && item->content->ncerts == 0
            && item->content->key.data) {
            return 1;
        }
    }
    return 0;
}

/* @param is_needed or else only to find keys that are named otherwise */
static void by_contents(folder_t *folder, int is_needed)
{
    item_t *item;
    int i;

    read_contents(folder);
    is_needed |= is_key_named_cert(folder);
    for (i = 0; is_needed && i < folder->nread; i++) {
        settle(folder, folder->read[i]);
    }
    for (i = 0; i < folder->nread; i++) {
        item = folder->read[i];
        /* authorities beside leaves are no leaves, and no junk is */
        if (is_needed && item->content->nleaves == 0
            && item->content->ncerts > 0) {
            item->is_used = 1;
        }
        item->is_useful = item->content->ncerts > 0 || item->content->has_secret
                          || item->content->key.data != NULL;
        sniv_beside_free(item->content);
        item->content = NULL;
    }
}

static void each_file(folder_t *folder)
{
    item_t *cert;
    int i, is_needed, nlonely = 0;

    by_names(folder);
    for (i = 0; i < folder->nitems; i++) {
        nlonely += !folder->items[i].is_used && is_cert(&folder->items[i]);
    }
    is_needed = (folder->nkeys > 1 && folder->nnames <= SMALL)
                || is_something_left(folder);
    if (is_needed || (nlonely > 1 && folder->nnames <= SMALL)) {
        by_contents(folder, is_needed);
    }
    for (i = 0; i < folder->nitems; i++) {
        cert = &folder->items[i];
        /* a bundle with its key, or the reader says what is missing */
        if (!cert->is_used && is_cert(cert)) {
            found(cert, NULL, named_chain(folder, cert));
        }
    }
    for (i = 0; i < folder->nitems; i++) {
        cert = &folder->items[i];
        /* beside PEM files it is the same again, for Windows */
        if (cert->role == ROLE_BUNDLE && !same_stem(folder, cert, ROLE_CERT)
            && !same_stem(folder, cert, ROLE_FULL)) {
            found(cert, NULL, NULL);
        }
    }
}

/* What looks like a certificate or a key, and is no part of a pair. */
static void count_passed(const folder_t *folder, int is_one)
{
    const item_t *item, *first = NULL;
    int i, n = 0;

    for (i = 0; i < folder->nitems; i++) {
        item = &folder->items[i];
        if (!item->is_folder && !item->is_used
            && (item->role == ROLE_PASSED
                || (!is_one && (item->is_useful || item->role == ROLE_KEY
                                || item->role == ROLE_CHAIN)))) {
            first = first ? first : item;
            n++;
        }
    }
    if (folder->visitor->passed) {
        folder->visitor->passed(folder->visitor->baton,
                                first ? in_folder(folder, first->name) : NULL,
                                n);
    }
}

static void classify_all(folder_t *folder)
{
    int i, nchains = 0;

    for (i = 0; i < folder->nitems; i++) {
        item_t *item = &folder->items[i];

        if (item->is_folder) {
            continue;
        }
        classify(item);
        folder->nkeys += item->role == ROLE_KEY;
        if (item->role == ROLE_CHAIN) {
            folder->only_chain = nchains++ ? NULL : item;
        }
    }
}

static void each_pair(const folder_t *folder)
{
    int i;

    for (i = 0; i < folder->nitems; i++) {
        const item_t *item = &folder->items[i];

        if (item->is_pair) {
            folder->visitor->pair(folder->visitor->baton,
                                  in_folder(folder, item->name),
                                  item->key ? in_folder(folder,
                                                        item->key->name)
                                            : NULL,
                                  item->chain ? in_folder(folder,
                                                          item->chain->name)
                                              : NULL);
        }
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
    if (rv == APR_SUCCESS) {
        rv = sniv_folder_visit_fd(fd, NULL, path, SNIV_FOLDER_NAMES, NULL,
                                  visitor, p);
    }
    return rv == APR_INCOMPLETE ? APR_SUCCESS : rv;
}

/* The names that are looked for, by what they may share with others. */
static void look_for(folder_t *folder, const char *const *only)
{
    apr_array_header_t *items = apr_array_make(folder->p, 8, sizeof(item_t));

    for (; *only; only++) {
        item_t *item = apr_array_push(items);

        memset(item, 0, sizeof(*item));
        item->name = *only;
        classify(item);
        if (item->stem == 0) {
            item->stem = (int)strlen(*only);
        }
    }
    folder->only = (item_t *)(void *)items->elts;
    folder->nonly = items->nelts;
}

apr_status_t sniv_folder_visit_fd(int fd, const sniv_walk_t *walk,
                                  const char *path, int most,
                                  const char *const *only,
                                  const sniv_folder_visitor_t *visitor,
                                  apr_pool_t *p)
{
    folder_t folder;
    apr_status_t rv;
    int i, is_one;

    memset(&folder, 0, sizeof(folder));
    folder.path = path;
    folder.walk = walk;
    folder.visitor = visitor;
    folder.p = p;
    if (only) {
        look_for(&folder, only);
    }
    rv = list(&folder, fd, most);
    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE) {
        return rv;
    }
    classify_all(&folder);
    is_one = as_one(&folder);
    if (!is_one) {
        each_file(&folder);
    }
    if (!only) {
        count_passed(&folder, is_one);
    }
    each_pair(&folder);
    for (i = 0; i < folder.nitems; i++) {
        if (folder.items[i].is_folder) {
            visitor->folder(visitor->baton,
                            in_folder(&folder, folder.items[i].name));
        }
    }
    return rv;
}
