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

#include "certs/beside.h"

#include <string.h>

#include "certs/entry.h"

static int add_cert(sniv_beside_t *file, const sniv_bytes_t *der)
{
    sniv_leaf_t leaf;

    if (sniv_der_leaf(&leaf, der->data, der->len)) {
        return 0;
    }
    if (file->ncerts < SNIV_BESIDE_CERTS) {
        file->certs[file->ncerts++] = leaf.whole;
        file->nleaves += !leaf.is_ca;
    }
    return 1;
}

/* A file without PEM blocks. */
static void read_der(sniv_beside_t *file)
{
    static const sniv_key_label_e labels[] = {
        SNIV_KEY_LABEL_ANY, SNIV_KEY_LABEL_RSA, SNIV_KEY_LABEL_EC
    };
    sniv_bytes_t der;
    sniv_key_t key;
    int i;

    der.data = file->buffer.data;
    der.len = file->buffer.len;
    (void)add_cert(file, &der);
    for (i = 0; i < 3 && file->ncerts == 0 && !file->key.data; i++) {
        if (!sniv_der_key(&key, labels[i], der.data, der.len)) {
            file->label = labels[i];
            file->key = der;
        }
    }
}

void sniv_beside_read(sniv_beside_t *file, const sniv_walk_t *walk,
                      const char *path)
{
    const char *reason;
    sniv_pem_t block;
    apr_size_t at = 0;
    int n = 0;

    memset(file, 0, sizeof(*file));
    if (sniv_buffer_read(&file->buffer, walk, path, NULL, &reason)
        != APR_SUCCESS) {
        return;
    }
    for (; sniv_pem_next(&file->buffer, &at, &block); n++) {
        if (block.is_damaged
            || (block.what == SNIV_PEM_CERTIFICATE
                && !add_cert(file, &block.der))) {
            sniv_beside_free(file);
            return;
        }
        file->has_secret |= block.what == SNIV_PEM_ENCRYPTED_KEY;
        if (block.what == SNIV_PEM_KEY && !file->key.data) {
            file->label = block.label;
            file->key = block.der;
        }
    }
    if (n == 0 && file->buffer.len > 0 && file->buffer.data[0] == 0x30) {
        read_der(file);
    }
}

void sniv_beside_free(sniv_beside_t *file)
{
    sniv_buffer_free(&file->buffer);
    memset(file, 0, sizeof(*file));
}

static int decode_both(const sniv_bytes_t *cert, const sniv_bytes_t *key)
{
    sniv_entry_t entry;
    sniv_live_t live;
    int ok;

    memset(&entry, 0, sizeof(entry));
    entry.npairs = 1;
    entry.pairs[0].kind = SNIV_KEY_OTHER;
    entry.pairs[0].leaf = *cert;
    entry.pairs[0].key = *key;
    ok = !sniv_live_decode(&live, &entry, 0);
    sniv_live_free(&live);
    return ok;
}

int sniv_beside_match(const sniv_beside_t *certs, const sniv_beside_t *key)
{
    sniv_leaf_t leaf;
    sniv_key_t read;
    int i, match;

    if (!key->key.data
        || sniv_der_key(&read, key->label, key->key.data, key->key.len)) {
        return 0;
    }
    for (i = 0; i < certs->ncerts; i++) {
        if (sniv_der_leaf(&leaf, certs->certs[i].data, certs->certs[i].len)) {
            continue;
        }
        match = sniv_der_match(&leaf, &read);
        if (match > 0
            || (match < 0 && decode_both(&certs->certs[i], &key->key))) {
            return 1;
        }
    }
    return 0;
}

int sniv_beside_issued(const sniv_beside_t *chain,
                       const sniv_beside_t *certs)
{
    sniv_leaf_t leaf, issuer;
    int i, k;

    for (i = 0; i < certs->ncerts; i++) {
        if (sniv_der_leaf(&leaf, certs->certs[i].data, certs->certs[i].len)
            || leaf.is_ca) {
            continue;
        }
        for (k = 0; k < chain->ncerts; k++) {
            if (!sniv_der_leaf(&issuer, chain->certs[k].data,
                               chain->certs[k].len)
                && sniv_bytes_equal(&leaf.issuer, &issuer.subject)) {
                return 1;
            }
        }
    }
    return 0;
}

int sniv_beside_same(const sniv_beside_t *a, const sniv_beside_t *b)
{
    sniv_leaf_t leaf;
    int i, k;

    for (i = 0; i < a->ncerts; i++) {
        for (k = 0; k < b->ncerts; k++) {
            if (sniv_bytes_equal(&a->certs[i], &b->certs[k])
                && !sniv_der_leaf(&leaf, a->certs[i].data, a->certs[i].len)
                && !leaf.is_ca) {
                return 1;
            }
        }
    }
    return 0;
}
