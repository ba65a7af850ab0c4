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


#include "mod_snivhost_leaf.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "sniv_entry.h"
#include "sniv_pem.h"

struct snivhost_leaves_t {
    apr_pool_t *p;
    apr_hash_t *by_path;
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

snivhost_leaf_t *snivhost_leaf_get(snivhost_leaves_t *leaves,
                                   const char *path)
{
    snivhost_leaf_t *leaf = apr_hash_get(leaves->by_path, path,
                                         APR_HASH_KEY_STRING);
    const char *reason;
    apr_size_t at = 0;
    sniv_pem_t block;

    if (leaf)
        return leaf;
    leaf = apr_pcalloc(leaves->p, sizeof(*leaf));
    leaf->path = path;
    apr_hash_set(leaves->by_path, path, APR_HASH_KEY_STRING, leaf);
    if (sniv_buffer_read(&leaves->buffer, path, NULL, &reason))
        return leaf;
    while (sniv_pem_next(&leaves->buffer, &at, &block)) {
        sniv_leaf_t from;

        if (block.what == SNIV_PEM_CERTIFICATE) {
            if (!block.is_damaged
                && !sniv_der_leaf(&from, block.der.data, block.der.len)) {
                keep(leaf, &from, leaves->p);
            }
            break;
        }
    }
    sniv_buffer_wipe(&leaves->buffer);
    return leaf;
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
