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

#include "lint/leaf.h"

#include <string.h>

#include "apr_hash.h"
#include "apr_strings.h"
#include "httpd.h"

#include "certs/certs.h"
#include "certs/entry.h"
#include "certs/pem.h"

struct snivhost_leaves_t {
    apr_pool_t *p;
    int with_fingerprints;
    apr_hash_t *by_path;        /* the first certificate of each */
    sniv_buffer_t buffer;       /* wiped after each file: it may hold a key */
};

static apr_status_t free_buffer(void *data)
{
    sniv_buffer_free(data);
    return APR_SUCCESS;
}

snivhost_leaves_t *snivhost_leaves_make(apr_pool_t *p, int with_fingerprints)
{
    snivhost_leaves_t *leaves = apr_pcalloc(p, sizeof(*leaves));

    leaves->p = p;
    leaves->with_fingerprints = with_fingerprints;
    leaves->by_path = apr_hash_make(p);
    apr_pool_cleanup_register(p, &leaves->buffer, free_buffer,
                              apr_pool_cleanup_null);
    return leaves;
}

/* 1.3.6.1.5.5.7.48.2: where the issuer's certificate can be had, which public
 * authorities write into all they sign with an intermediate one. */
static const unsigned char ca_issuers[] = {
    0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02
};

static int has_bytes(const sniv_bytes_t *in, const unsigned char *what,
                     apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i + len <= in->len; i++) {
        if (in->data[i] == what[0] && !memcmp(in->data + i, what, len))
            return 1;
    }
    return 0;
}

static void keep(const snivhost_leaves_t *leaves, snivhost_leaf_t *leaf,
                 const sniv_leaf_t *from)
{
    apr_pool_t *p = leaves->p;
    sniv_bytes_t name;
    apr_size_t at = 0;
    const char **names;
    int n = 0;

    leaf->nnames = 0;
    if (leaves->with_fingerprints) {
        leaf->fingerprint = sniv_cert_fingerprint(from->whole.data,
                                                  from->whole.len, p);
    }
    leaf->is_self_signed = sniv_bytes_equal(&from->issuer, &from->subject);
    leaf->must_staple = from->must_staple;
    leaf->names_issuer = has_bytes(&from->whole, ca_issuers,
                                   sizeof(ca_issuers));
    leaf->issuer = apr_pmemdup(p, from->issuer.data, from->issuer.len);
    leaf->issuer_len = from->issuer.len;
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

/* What follows a leaf: each the issuer of the one before. */
static void look_at_next(snivhost_leaf_t *leaf, const sniv_leaf_t *from,
                         sniv_bytes_t *last, apr_pool_t *p)
{
    leaf->has_chain = 1;
    leaf->is_disordered = leaf->is_disordered
                          || !sniv_bytes_equal(last, &from->subject);
    leaf->has_root = leaf->has_root
                     || sniv_bytes_equal(&from->issuer, &from->subject);
    last->data = apr_pmemdup(p, from->issuer.data, from->issuer.len);
    last->len = from->issuer.len;
}

/* The certificates are decoded in place, so one block after the other. */
static void read_leaf(snivhost_leaves_t *leaves, snivhost_leaf_t *leaf)
{
    const char *reason;
    apr_size_t at = 0;
    sniv_bytes_t last = { NULL, 0 };
    sniv_pem_t block;

    if (sniv_buffer_read(&leaves->buffer, NULL, leaf->path, NULL, &reason))
        return;
    leaf->is_opened = 1;
    while (sniv_pem_next(&leaves->buffer, &at, &block)) {
        sniv_leaf_t from;

        if (block.what != SNIV_PEM_CERTIFICATE)
            continue;
        if (block.is_damaged
            || sniv_der_leaf(&from, block.der.data, block.der.len)) {
            break;
        }
        if (leaf->is_read) {
            look_at_next(leaf, &from, &last, leaves->p);
        }
        else {
            keep(leaves, leaf, &from);
            last.data = leaf->issuer;
            last.len = leaf->issuer_len;
        }
    }
    sniv_buffer_wipe(&leaves->buffer);
}

/* The same path has the same leaf. */
static snivhost_leaf_t *get(snivhost_leaves_t *leaves, const char *path)
{
    snivhost_leaf_t *leaf = apr_hash_get(leaves->by_path, path,
                                         APR_HASH_KEY_STRING);

    if (!leaf) {
        leaf = apr_pcalloc(leaves->p, sizeof(*leaf));
        leaf->path = path;
        apr_hash_set(leaves->by_path, path, APR_HASH_KEY_STRING, leaf);
    }
    return leaf;
}

snivhost_leaf_t *snivhost_leaf_get(snivhost_leaves_t *leaves,
                                   const char *path)
{
    snivhost_leaf_t *leaf = get(leaves, path);

    if (!leaf->is_opened)
        read_leaf(leaves, leaf);
    return leaf;
}

typedef struct loaded_t {
    const snivhost_leaves_t *leaves;
    snivhost_leaf_t *leaf;
} loaded_t;

static void keep_loaded(void *baton, const sniv_leaf_t *from,
                        int has_chain, unsigned flags)
{
    const loaded_t *loaded = baton;
    snivhost_leaf_t *leaf = loaded->leaf;

    keep(loaded->leaves, leaf, from);
    leaf->is_opened = 1;
    leaf->has_chain = has_chain;
    leaf->is_disordered = (flags & SNIV_CERT_CHAIN_ORDER) != 0;
    leaf->has_root = (flags & SNIV_CERT_CHAIN_ROOT) != 0;
}

snivhost_leaf_t *snivhost_leaf_get_loaded(snivhost_leaves_t *leaves,
                                          const char *path,
                                          const sniv_certs_t *certs,
                                          sniv_cert_id_t id)
{
    loaded_t loaded = { leaves, get(leaves, path) };

    if (!loaded.leaf->is_opened)
        (void)sniv_certs_leaf(certs, id, keep_loaded, &loaded);
    return loaded.leaf;
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
