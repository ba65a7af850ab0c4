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

#include "certs/entry.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define MAGIC 0x534e4945u

/* The record, in the byte order of the machine: it never leaves it. */
typedef struct head_t {
    apr_uint32_t magic;
    apr_uint32_t npairs;
    apr_uint32_t flags;
    apr_uint32_t files_len;
    apr_int32_t scope;
    apr_uint32_t pad;
    apr_int64_t not_before;
    apr_int64_t not_after;
    apr_int64_t chain_from;
    apr_int64_t chain_until;
} head_t;

typedef struct pair_head_t {
    apr_uint64_t chain_version;
    apr_uint32_t chain_slot;
    apr_uint32_t kind;
    apr_uint32_t leaf_len;
    apr_uint32_t key_len;
} pair_head_t;

apr_size_t sniv_record_size(const sniv_entry_t *entry)
{
    apr_size_t size = sizeof(head_t) + entry->files.len;
    int i;

    for (i = 0; i < entry->npairs; i++) {
        size += sizeof(pair_head_t) + entry->pairs[i].leaf.len
                + entry->pairs[i].key.len;
    }
    return size;
}

static unsigned char *put(unsigned char *out, const void *bytes,
                          apr_size_t len)
{
    if (len) {
        memcpy(out, bytes, len);
    }
    return out + len;
}

void sniv_record_write(const sniv_entry_t *entry, unsigned char *out)
{
    head_t head;
    pair_head_t pair;
    int i;

    memset(&head, 0, sizeof(head));
    head.magic = MAGIC;
    head.npairs = (apr_uint32_t)entry->npairs;
    head.flags = entry->flags;
    head.scope = entry->scope;
    head.files_len = (apr_uint32_t)entry->files.len;
    head.not_before = entry->not_before;
    head.not_after = entry->not_after;
    head.chain_from = entry->chain_from;
    head.chain_until = entry->chain_until;
    out = put(out, &head, sizeof(head));
    for (i = 0; i < entry->npairs; i++) {
        memset(&pair, 0, sizeof(pair));
        pair.chain_version = entry->pairs[i].chain_version;
        pair.chain_slot = entry->pairs[i].chain_slot;
        pair.kind = (apr_uint32_t)entry->pairs[i].kind;
        pair.leaf_len = (apr_uint32_t)entry->pairs[i].leaf.len;
        pair.key_len = (apr_uint32_t)entry->pairs[i].key.len;
        out = put(out, &pair, sizeof(pair));
        out = put(out, entry->pairs[i].leaf.data, entry->pairs[i].leaf.len);
        out = put(out, entry->pairs[i].key.data, entry->pairs[i].key.len);
    }
    put(out, entry->files.data, entry->files.len);
}

static int take(sniv_bytes_t *in, sniv_bytes_t *part, apr_size_t len)
{
    if (len > in->len) {
        return 0;
    }
    part->data = in->data;
    part->len = len;
    in->data += len;
    in->len -= len;
    return 1;
}

/* What does not fit does not compile. */
typedef char head_fits_t[sizeof(head_t) == SNIV_RECORD_HEAD ? 1 : -1];

int sniv_record_head(sniv_entry_t *entry,
                     const unsigned char bytes[SNIV_RECORD_HEAD])
{
    head_t head;

    memset(entry, 0, sizeof(*entry));
    memcpy(&head, bytes, sizeof(head));
    if (head.magic != MAGIC || head.npairs == 0
        || head.npairs > SNIV_PAIRS_MAX) {
        return 0;
    }
    entry->npairs = (int)head.npairs;
    entry->flags = head.flags;
    entry->scope = head.scope;
    entry->not_before = head.not_before;
    entry->not_after = head.not_after;
    entry->chain_from = head.chain_from;
    entry->chain_until = head.chain_until;
    entry->files.len = head.files_len;
    return 1;
}

int sniv_record_parse(sniv_entry_t *entry, const unsigned char *bytes,
                      apr_size_t len)
{
    sniv_bytes_t in, part;
    pair_head_t pair;
    int i;

    memset(entry, 0, sizeof(*entry));
    in.data = bytes;
    in.len = len;
    if (!take(&in, &part, SNIV_RECORD_HEAD)
        || !sniv_record_head(entry, part.data)) {
        return 0;
    }
    for (i = 0; i < entry->npairs; i++) {
        sniv_pair_t *to = &entry->pairs[i];

        if (!take(&in, &part, sizeof(pair))) {
            return 0;
        }
        memcpy(&pair, part.data, sizeof(pair));
        if (pair.kind > SNIV_KEY_OTHER
            || !take(&in, &to->leaf, pair.leaf_len)
            || !take(&in, &to->key, pair.key_len)) {
            return 0;
        }
        to->kind = (sniv_key_e)pair.kind;
        to->chain_slot = pair.chain_slot;
        to->chain_version = pair.chain_version;
    }
    if (in.len != entry->files.len
        || (in.len > 0 && in.data[in.len - 1] != '\0')) {
        return 0;
    }
    entry->files = in;
    return 1;
}

int sniv_chain_next(const sniv_bytes_t *chain, apr_size_t *at,
                    sniv_bytes_t *cert)
{
    apr_uint32_t len;

    if (*at == chain->len) {
        return 0;
    }
    if (*at > chain->len || chain->len - *at < sizeof(len)) {
        return -1;
    }
    memcpy(&len, chain->data + *at, sizeof(len));
    if (len == 0 || len > chain->len - *at - sizeof(len)) {
        return -1;
    }
    cert->data = chain->data + *at + sizeof(len);
    cert->len = len;
    *at += sizeof(len) + len;
    return 1;
}

static X509 *decode_cert(const sniv_bytes_t *der)
{
    const unsigned char *p = der->data;
    X509 *x = d2i_X509(NULL, &p, (long)der->len);

    if (x) {
        /* fill in what OpenSSL otherwise computes under a lock, later */
        X509_check_purpose(x, -1, 0);
    }
    return x;
}

static EVP_PKEY *decode_key(const sniv_pair_t *pair)
{
    const unsigned char *p = pair->key.data;
    long len = (long)pair->key.len;

    switch (pair->kind) {
    case SNIV_KEY_RSA:
        return d2i_PrivateKey(EVP_PKEY_RSA, NULL, &p, len);
    case SNIV_KEY_EC:
        return d2i_PrivateKey(EVP_PKEY_EC, NULL, &p, len);
    default:
        return d2i_AutoPrivateKey(NULL, &p, len);
    }
}

const char *sniv_live_decode(sniv_live_t *live, const sniv_entry_t *entry,
                             int leaf_only)
{
    const char *reason = NULL;
    int i;

    memset(live, 0, sizeof(*live));
    live->npairs = entry->npairs;
    for (i = 0; i < entry->npairs && !reason; i++) {
        live->leaf[i] = decode_cert(&entry->pairs[i].leaf);
        if (!live->leaf[i]) {
            reason = "holds a certificate that OpenSSL cannot decode";
        }
        else if (!leaf_only) {
            live->key[i] = decode_key(&entry->pairs[i]);
            if (!live->key[i]) {
                reason = "holds a private key that OpenSSL cannot decode";
            }
            else if (X509_check_private_key(live->leaf[i],
                                            live->key[i]) != 1) {
                reason = "holds a key that does not belong to its "
                         "certificate";
            }
        }
    }
    if (reason) {
        sniv_live_free(live);
    }
    ERR_clear_error();
    return reason;
}

STACK_OF(X509) *sniv_chain_decode(const sniv_bytes_t *chain)
{
    STACK_OF(X509) *stack = sk_X509_new_null();
    sniv_bytes_t der;
    apr_size_t at = 0;
    int more;

    while (stack && (more = sniv_chain_next(chain, &at, &der)) != 0) {
        X509 *x = more > 0 ? decode_cert(&der) : NULL;

        if (!x || !sk_X509_push(stack, x)) {
            X509_free(x);
            sk_X509_pop_free(stack, X509_free);
            stack = NULL;
        }
    }
    ERR_clear_error();
    return stack;
}

void sniv_live_free(sniv_live_t *live)
{
    int i;

    for (i = 0; i < SNIV_PAIRS_MAX; i++) {
        X509_free(live->leaf[i]);
        EVP_PKEY_free(live->key[i]);
        sk_X509_pop_free(live->chain[i], X509_free);
    }
    memset(live, 0, sizeof(*live));
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

void sniv_name_lower(char *name)
{
    for (; *name; name++) {
        *name = (char)lower(*name);
    }
}

static int same_text(const char *a, const char *b, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        if (lower(a[i]) != lower(b[i])) {
            return 0;
        }
    }
    return 1;
}

/* Whether what follows `*.` has two labels: no one owns a whole top-level
 * domain, and no browser accepts it. */
static int has_two_labels(const char *rest, apr_size_t len)
{
    const char *dot = memchr(rest, '.', len);

    return dot && dot > rest && dot < rest + len - 1;
}

int sniv_name_covers(const char *name, apr_size_t name_len,
                     const char *host, apr_size_t host_len)
{
    const char *dot;

    if (name_len == host_len && same_text(name, host, host_len)) {
        return memchr(name, '*', name_len) == NULL;
    }
    if (name_len < 3 || name[0] != '*' || name[1] != '.'
        || !has_two_labels(name + 2, name_len - 2)) {
        return 0;
    }
    dot = memchr(host, '.', host_len);
    if (!dot || dot == host) {
        return 0;
    }
    host_len -= (apr_size_t)(dot - host);
    return name_len - 1 == host_len && same_text(name + 1, dot, host_len)
           && memchr(name + 1, '*', name_len - 1) == NULL;
}

int sniv_name_is_usable(const char *name, apr_size_t len)
{
    if (len > 2 && name[0] == '*' && name[1] == '.') {
        name += 2;
        len -= 2;
        if (!has_two_labels(name, len)) {
            return 0;
        }
    }
    return len > 0 && name[0] != '.' && memchr(name, '*', len) == NULL;
}
