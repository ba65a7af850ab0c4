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


#include "tell/leaf.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include <httpd.h>

#include "certs/certs.h"
#include "certs/entry.h"
#include "certs/layout.h"
#include "certs/pem.h"

struct snivhost_leaves_t {
    apr_pool_t *p;
    apr_hash_t *by_path;        /* the first certificate of each */
    apr_hash_t *by_any;         /* the first that is not a CA's */
    apr_hash_t *by_dirs;        /* snivhost_stored_t */
    apr_time_t now;
    sniv_buffer_t buffer;       /* wiped after each file: it may hold a key */
};

static apr_status_t free_buffer(void *data)
{
    sniv_buffer_free(data);
    return APR_SUCCESS;
}

snivhost_leaves_t *snivhost_leaves_make(apr_pool_t *p)
{
    snivhost_leaves_t *leaves = apr_pcalloc(p, sizeof(*leaves));

    leaves->p = p;
    leaves->by_path = apr_hash_make(p);
    leaves->by_any = apr_hash_make(p);
    leaves->by_dirs = apr_hash_make(p);
    leaves->now = apr_time_now();
    apr_pool_cleanup_register(p, &leaves->buffer, free_buffer,
                              apr_pool_cleanup_null);
    return leaves;
}

static void keep(snivhost_leaf_t *leaf, const sniv_leaf_t *from,
                 apr_pool_t *p)
{
    sniv_bytes_t name;
    apr_size_t at = 0;
    const char **names;
    int n = 0;

    leaf->nnames = 0;
    leaf->fingerprint = sniv_cert_fingerprint(from->whole.data,
                                              from->whole.len, p);
    leaf->is_self_signed = sniv_bytes_equal(&from->issuer, &from->subject);
    leaf->not_before = from->not_before;
    leaf->not_after = from->not_after;
    while (sniv_der_name(from, &at, &name))
        n++;
    leaf->names = names = apr_palloc(p, (n + 1) * sizeof(*names));
    at = 0;
    while (leaf->nnames < n && sniv_der_name(from, &at, &name)) {
        names[leaf->nnames++] =
            apr_pstrmemdup(p, (const char *)name.data, name.len);
    }
    leaf->is_read = 1;
}

/* The certificate is decoded in place, so one block after the other: the
 * first of them is kept until a better one comes. */
static void read_leaf(snivhost_leaves_t *leaves, snivhost_leaf_t *leaf,
                      int in_any_order)
{
    const char *reason;
    apr_size_t at = 0;
    sniv_pem_t block;

    if (sniv_buffer_read(&leaves->buffer, NULL, leaf->path, NULL, &reason))
        return;
    leaf->is_opened = 1;
    while (sniv_pem_next(&leaves->buffer, &at, &block)) {
        sniv_leaf_t from;
        int is_good;

        if (block.what != SNIV_PEM_CERTIFICATE)
            continue;
        is_good = !block.is_damaged
                  && !sniv_der_leaf(&from, block.der.data, block.der.len);
        if (is_good && (!leaf->is_read || !from.is_ca))
            keep(leaf, &from, leaves->p);
        if (!in_any_order || (is_good && !from.is_ca))
            break;
    }
    sniv_buffer_wipe(&leaves->buffer);
}

static snivhost_leaf_t *get(snivhost_leaves_t *leaves, apr_hash_t *known,
                            const char *path)
{
    snivhost_leaf_t *leaf = apr_hash_get(known, path, APR_HASH_KEY_STRING);

    if (!leaf) {
        leaf = apr_pcalloc(leaves->p, sizeof(*leaf));
        leaf->path = path;
        apr_hash_set(known, path, APR_HASH_KEY_STRING, leaf);
        read_leaf(leaves, leaf, known == leaves->by_any);
    }
    return leaf;
}

snivhost_leaf_t *snivhost_leaf_get(snivhost_leaves_t *leaves,
                                   const char *path)
{
    return get(leaves, leaves->by_path, path);
}

snivhost_leaf_t *snivhost_leaf_get_any(snivhost_leaves_t *leaves,
                                       const char *path)
{
    return get(leaves, leaves->by_any, path);
}

int snivhost_leaf_covers(const snivhost_leaf_t *leaf, const char *host)
{
    apr_size_t len = strlen(host);
    int i;

    for (i = 0; i < leaf->nnames; i++) {
        if (sniv_name_covers(leaf->names[i], strlen(leaf->names[i]), host,
                             len)) {
            return 1;
        }
    }
    return 0;
}

/* ----- folders ----- */

/* What a visit of folders needs. */
typedef struct visit_t {
    snivhost_leaves_t *leaves;
    snivhost_stored_t *stored;
    apr_array_header_t *all;
    apr_array_header_t *deeper;     /* const char *: the next level */
} visit_t;

static char *lower(apr_pool_t *p, const char *text)
{
    char *copy = apr_pstrdup(p, text);

    ap_str_tolower(copy);
    return copy;
}

static int is_valid(const snivhost_leaf_t *leaf, apr_time_t now)
{
    return leaf->not_before <= now && now < leaf->not_after;
}

/* What is valid, then what ends last. */
static int is_better(const snivhost_leaf_t *a, const snivhost_leaf_t *b,
                     apr_time_t now)
{
    if (is_valid(a, now) != is_valid(b, now))
        return is_valid(a, now);
    return a->not_after > b->not_after;
}

static void visit_pair(void *baton, const char *cert, const char *key,
                       const char *chain)
{
    visit_t *visit = baton;
    snivhost_leaves_t *leaves = visit->leaves;
    snivhost_leaf_t *leaf = snivhost_leaf_get_any(leaves, cert);
    int i;

    (void)key;
    (void)chain;
    if (!leaf->is_opened)
        visit->stored->is_partial = 1;
    if (!leaf->is_read)
        return;
    APR_ARRAY_PUSH(visit->all, snivhost_leaf_t *) = leaf;
    for (i = 0; i < leaf->nnames; i++) {
        const char *name = lower(leaves->p, leaf->names[i]);
        const snivhost_leaf_t *other = apr_hash_get(visit->stored->by_name,
                                                    name,
                                                    APR_HASH_KEY_STRING);

        if (!other || is_better(leaf, other, leaves->now)) {
            apr_hash_set(visit->stored->by_name, name, APR_HASH_KEY_STRING,
                         leaf);
        }
    }
}

static void visit_folder(void *baton, const char *path)
{
    visit_t *visit = baton;

    APR_ARRAY_PUSH(visit->deeper, const char *) = path;
}

snivhost_stored_t *snivhost_stored_get(snivhost_leaves_t *leaves,
                                       const apr_array_header_t *dirs)
{
    const char *key = apr_array_pstrcat(leaves->p, dirs, '\n');
    snivhost_stored_t *stored = apr_hash_get(leaves->by_dirs, key,
                                             APR_HASH_KEY_STRING);
    visit_t visit = { leaves, NULL, NULL, NULL };
    const sniv_folder_visitor_t visitor = { visit_pair, visit_folder,
                                            &visit };
    const apr_array_header_t *level;
    int depth, i;

    if (stored)
        return stored;
    stored = apr_pcalloc(leaves->p, sizeof(*stored));
    apr_hash_set(leaves->by_dirs, key, APR_HASH_KEY_STRING, stored);
    stored->dirs = dirs;
    stored->by_name = apr_hash_make(leaves->p);
    stored->all = visit.all = apr_array_make(leaves->p, 16,
                                             sizeof(snivhost_leaf_t *));
    visit.stored = stored;
    for (depth = 0, level = dirs; depth <= SNIV_FOLDER_DEPTH; depth++) {
        visit.deeper = apr_array_make(leaves->p, 16, sizeof(const char *));
        for (i = 0; i < level->nelts; i++) {
            char *path = apr_pstrdup(leaves->p, APR_ARRAY_IDX(level, i,
                                                              const char *));
            apr_size_t len = strlen(path);

            while (len > 1 && path[len - 1] == '/')
                path[--len] = '\0';
            if (sniv_folder_visit(path, &visitor, leaves->p) != APR_SUCCESS)
                stored->is_partial = 1;
        }
        level = visit.deeper;
    }
    return stored;
}

snivhost_leaf_t *snivhost_stored_find(const snivhost_stored_t *stored,
                                      const char *name, apr_pool_t *ptemp)
{
    const char *host = lower(ptemp, name), *dot = ap_strchr_c(host, '.');
    snivhost_leaf_t *leaf = apr_hash_get(stored->by_name, host,
                                         APR_HASH_KEY_STRING);

    if (!leaf && dot && dot != host) {
        leaf = apr_hash_get(stored->by_name,
                            apr_pstrcat(ptemp, "*", dot, NULL),
                            APR_HASH_KEY_STRING);
    }
    return leaf;
}
