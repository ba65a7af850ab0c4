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

#include "certs/reader.h"
#include "certs/reading.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>

/* A leaf as it is being judged. */
typedef struct draft_t {
    sniv_leaf_t leaf;
    sniv_key_t key;
    sniv_key_label_e label;
    int which;                  /* among the certificates of its file */
} draft_t;

static apr_status_t cleanup(void *data)
{
    sniv_reader_t *reader = data;

    sniv_reader_free(reader);
    sniv_trusted_free(&reader->trusted);
    return APR_SUCCESS;
}

sniv_reader_t *sniv_reader_make(apr_pool_t *p)
{
    sniv_reader_t *reader = apr_pcalloc(p, sizeof(*reader));

    reader->judge = sniv_judge_make(p);
    apr_pool_cleanup_register(p, reader, cleanup, apr_pool_cleanup_null);
    return reader;
}

static void for_buffers(sniv_reader_t *reader, void (*what)(sniv_buffer_t *))
{
    int i;

    for (i = 0; i < SNIV_FILES_MAX; i++) {
        what(&reader->files[i].buffer);
    }
    for (i = 0; i < SNIV_PAIRS_MAX; i++) {
        what(&reader->keys[i]);
    }
    for (i = 0; i <= 3 * SNIV_PAIRS_MAX; i++) {
        what(&reader->chains[i]);
    }
    what(&reader->paths);
    reader->nfiles = 0;
    reader->nchains = 0;
}

void sniv_reader_wipe(sniv_reader_t *reader)
{
    for_buffers(reader, sniv_buffer_wipe);
}

void sniv_reader_free(sniv_reader_t *reader)
{
    for_buffers(reader, sniv_buffer_free);
    sniv_store_keys_wipe(&reader->sealing);
}

void sniv_reader_trust(sniv_reader_t *reader, const sniv_walk_t *walk)
{
    reader->walk = walk;
}

static const char *key_path(const sniv_cert_files_t *files, int i)
{
    return i < files->nkeys && files->keys[i] ? files->keys[i]
                                              : files->certs[i];
}

static int add_path(const char **list, int n, const char *path)
{
    int i;

    for (i = 0; i < n; i++) {
        if (strcmp(list[i], path) == 0) {
            return n;
        }
    }
    list[n] = path;
    return n + 1;
}

int sniv_files_list(const sniv_cert_files_t *files, const char **list)
{
    int i, n = 0;

    if (files->ncerts < 1 || files->ncerts > SNIV_PAIRS_MAX) {
        return 0;
    }
    for (i = 0; i < files->ncerts; i++) {
        n = add_path(list, n, files->certs[i]);
    }
    for (i = 0; i < files->ncerts; i++) {
        n = add_path(list, n, key_path(files, i));
    }
    return files->chain ? add_path(list, n, files->chain) : n;
}

apr_status_t sniv_fail(sniv_reader_t *reader, const char **preason,
                       const char *format, ...)
{
    va_list args;

    va_start(args, format);
    apr_vsnprintf(reader->reason, sizeof(reader->reason), format, args);
    va_end(args);
    *preason = reader->reason;
    return APR_EGENERAL;
}

sniv_file_t *sniv_reader_file(sniv_reader_t *reader, const char *path)
{
    int i;

    for (i = 0; i < reader->nfiles; i++) {
        if (strcmp(reader->files[i].path, path) == 0) {
            return &reader->files[i];
        }
    }
    return NULL;
}

/* Whether a file is only a chain that lies beside a leaf, in a folder. */
static int is_beside(const sniv_cert_files_t *files, unsigned flags,
                     const char *path)
{
    return (flags & SNIV_READ_ANY_ORDER) && files->chain
           && strcmp(files->chain, path) == 0
           && strcmp(files->certs[0], path) != 0
           && strcmp(key_path(files, 0), path) != 0;
}

static apr_status_t read_files(sniv_reader_t *reader,
                               const sniv_cert_files_t *files,
                               unsigned flags, sniv_entry_t *entry,
                               sniv_stamp_t *stamps, const char **pfile,
                               const char **preason)
{
    const char *list[SNIV_FILES_MAX], *reason;
    char text[256];
    apr_status_t rv, result = APR_SUCCESS;
    int i, n = sniv_files_list(files, list);

    if (n == 0) {
        *pfile = files->ncerts > 0 ? files->certs[0] : "";
        return sniv_fail(reader, preason, "is one of more than %d "
                         "certificates for one virtual host", SNIV_PAIRS_MAX);
    }
    for (i = 0; i < n; i++) {
        sniv_file_t *file = &reader->files[i];

        file->path = list[i];
        reader->nfiles = i + 1;
        if (is_beside(files, flags, list[i])) {
            file->ncerts = file->has_key = 0;
            if (stamps) {       /* it is read if it is needed */
                sniv_stamp_of(&stamps[i], list[i]);
            }
            continue;
        }
        rv = sniv_buffer_read(&file->buffer, reader->walk, list[i],
                              stamps ? &stamps[i] : NULL, &reason);
        if (rv == APR_SUCCESS) {
            rv = sniv_file_unseal(reader, file, &reason);
        }
        sniv_file_sort(file, files->chain ? flags | SNIV_READ_CHAINED : flags);
        entry->flags |= file->flags;
        if (i == 0) {
            entry->parameters = file->parameters;   /* as mod_ssl has them */
        }
        if (result != APR_SUCCESS) {
            continue;           /* the other stamps are wanted too */
        }
        if (rv != APR_SUCCESS) {
            *pfile = list[i];
            if (!reason) {
                apr_strerror(rv, text, sizeof(text));
                sniv_fail(reader, preason, "cannot be read: %s", text);
            }
            else {
                sniv_fail(reader, preason, "%s", reason);
            }
            result = rv;
        }
    }
    return result;
}

/* Make room in an output buffer, which is empty or wiped. */
int sniv_reader_room(sniv_buffer_t *buffer, apr_size_t room)
{
    if (buffer->room < room) {
        sniv_buffer_free(buffer);
        buffer->data = malloc(room);
        buffer->room = buffer->data ? room : 0;
    }
    return buffer->data != NULL;
}

/*
 * Have OpenSSL say whether a certificate and a key belong together. Writes
 * the key as it will be kept.
 */
static const char *decode_both(const sniv_bytes_t *leaf,
                               const sniv_pair_t *pair)
{
    sniv_live_t live;
    sniv_entry_t entry;
    const char *reason;

    memset(&entry, 0, sizeof(entry));
    entry.npairs = 1;
    entry.pairs[0] = *pair;
    entry.pairs[0].leaf = *leaf;
    reason = sniv_live_decode(&live, &entry, 0);
    sniv_live_free(&live);
    return reason;
}

/* The key as it is kept: with its type known, decoding is four times as fast */
static int keep_key(sniv_reader_t *reader, int i, const draft_t *draft,
                    const sniv_bytes_t *der, sniv_pair_t *pair)
{
    sniv_buffer_t *out = &reader->keys[i];
    apr_size_t len;

    pair->kind = draft->key.kind;
    pair->key = draft->key.der;
    if (draft->key.kind == SNIV_KEY_OTHER) {
        pair->key = *der;
    }
    else if (draft->key.kind == SNIV_KEY_EC) {
        if (!sniv_reader_room(out, draft->key.der.len
                                   + draft->key.curve.len + 16)) {
            return 0;
        }
        len = sniv_der_ec_key(&draft->key, out->data);
        out->len = len;
        if (len == 0) {
            pair->kind = SNIV_KEY_OTHER;
            pair->key = *der;
        }
        else {
            pair->key.data = out->data;
            pair->key.len = len;
        }
    }
    return 1;
}

/* Whether what follows a certificate in its block is what OpenSSL takes
 * there: X509_CERT_AUX. */
static int is_alone(const sniv_bytes_t *der, const sniv_leaf_t *leaf)
{
    const unsigned char *p = der->data;
    X509 *x;

    if (leaf->whole.len == der->len) {
        return 1;
    }
    x = d2i_X509_AUX(NULL, &p, (long)der->len);
    X509_free(x);
    ERR_clear_error();
    return x != NULL;
}

/*
 * Choose the leaf among the certificates of a file: the first, or the first
 * that fits the key.
 */
static apr_status_t choose_leaf(sniv_reader_t *reader,
                                const sniv_file_t *certs,
                                const sniv_file_t *keys, unsigned flags,
                                draft_t *draft, sniv_pair_t *pair,
                                const char **pfile, const char **preason)
{
    int n, match, last = (flags & SNIV_READ_ANY_ORDER) ? certs->ncerts : 1;
    const char *reason = NULL;

    for (n = 0; n < last; n++) {
        const sniv_bytes_t *der = &certs->certs[n];

        reason = sniv_der_leaf(&draft->leaf, der->data, der->len);
        if (!reason && !is_alone(der, &draft->leaf)) {
            reason = "holds a certificate with other bytes after it in the "
                     "same block";
        }
        if (reason) {
            *pfile = certs->path;
            return sniv_fail(reader, preason, "%s", reason);
        }
        match = sniv_der_match(&draft->leaf, &draft->key);
        if (match < 0) {
            reason = decode_both(&draft->leaf.whole, pair);
            match = !reason;
        }
        if (match > 0) {
            draft->which = n;
            return APR_SUCCESS;
        }
    }
    *pfile = keys->path;
    if (reason && strstr(reason, "decode")) {
        return sniv_fail(reader, preason, "%s", reason);
    }
    if (certs == keys) {
        return sniv_fail(reader, preason, "holds a key that does not belong "
                         "to its certificate");
    }
    return sniv_fail(reader, preason, "holds a key that does not belong to "
                     "the certificate in %s", certs->path);
}

static unsigned flags_of(const sniv_leaf_t *leaf)
{
    unsigned flags = 0;
    apr_size_t at = 0;
    sniv_bytes_t name;

    if (leaf->has_ocsp) {
        flags |= SNIV_CERT_OCSP_URI;
    }
    if (leaf->is_weak) {
        flags |= SNIV_CERT_WEAK;
    }
    if (leaf->must_staple) {
        flags |= SNIV_CERT_MUST_STAPLE;
    }
    do {
        if (!sniv_der_name(leaf, &at, &name)) {
            return flags | SNIV_CERT_NO_NAMES;
        }
    } while (!sniv_name_is_usable((const char *)name.data, name.len));
    return flags;
}

/* The key of a pair, as it is kept. */
static apr_status_t read_key(sniv_reader_t *reader, int i,
                             const sniv_file_t *keys, int is_bundle,
                             draft_t *draft, sniv_pair_t *pair,
                             const char **preason)
{
    const char *reason;

    if (keys->key_damage) {
        return sniv_fail(reader, preason, "%s", keys->key_damage);
    }
    if (!keys->has_key) {
        return sniv_fail(reader, preason, "holds no private key%s",
                         is_bundle ? ", and no other file with the key is "
                         "named or is beside it" : "");
    }
    if (keys->key.what == SNIV_PEM_ENCRYPTED_KEY) {
        return sniv_fail(reader, preason, "holds a private key that is "
                         "encrypted with a pass phrase");
    }
    draft->label = keys->key.label;
    reason = sniv_der_key(&draft->key, draft->label, keys->key.der.data,
                          keys->key.der.len);
    if (reason) {
        return sniv_fail(reader, preason, "%s", reason);
    }
    if (!keep_key(reader, i, draft, &keys->key.der, pair)) {
        sniv_fail(reader, preason, "cannot be read: no memory");
        return APR_ENOMEM;
    }
    return APR_SUCCESS;
}

/* A chain that is in the file of the key. mod_ssl does not look there, so that
 * of named files is not sent. */
static void look_into_key_file(sniv_reader_t *reader, const sniv_file_t *keys,
                               unsigned flags, const sniv_leaf_t *leaf,
                               sniv_pair_t *pair, sniv_entry_t *entry)
{
    sniv_bytes_t chain = { NULL, 0 };

    sniv_chain_of(reader, keys, leaf, &chain);
    if (chain.len > 0 && (flags & SNIV_READ_ANY_ORDER)) {
        pair->chain = chain;
    }
    else if (chain.len > 0) {
        entry->flags |= SNIV_CERT_CHAIN_IN_KEY;
    }
}

static apr_status_t read_pair(sniv_reader_t *reader,
                              const sniv_cert_files_t *files, int i,
                              unsigned flags, sniv_entry_t *entry,
                              draft_t *draft, const char **pfile,
                              const char **preason)
{
    const sniv_file_t *certs = sniv_reader_file(reader, files->certs[i]);
    const sniv_file_t *keys = sniv_reader_file(reader, key_path(files, i));
    sniv_pair_t *pair = &entry->pairs[i];
    apr_status_t rv;

    *pfile = certs->path;
    if (certs->damage) {
        return sniv_fail(reader, preason, "%s", certs->damage);
    }
    if (certs->ncerts == 0) {
        return sniv_fail(reader, preason, "holds no certificate");
    }
    *pfile = keys->path;
    rv = read_key(reader, i, keys, certs == keys, draft, pair, preason);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    rv = choose_leaf(reader, certs, keys, flags, draft, pair, pfile,
                     preason);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    pair->leaf = draft->leaf.whole;
    entry->flags |= flags_of(&draft->leaf);
    *pfile = certs->path;
    if ((flags & SNIV_READ_NAMED) && (entry->flags & SNIV_CERT_NO_NAMES)) {
        return sniv_fail(reader, preason, "holds a certificate without a DNS "
                         "name in subjectAltName that a server name can lead "
                         "to (a wildcard needs two labels after '*.')");
    }
    if (!files->chain || (flags & SNIV_READ_ANY_ORDER)) {
        rv = sniv_chain_write(reader, certs, draft->which, &draft->leaf, flags,
                         &pair->chain, pfile, preason);
        if (rv == APR_SUCCESS && pair->chain.len == 0 && files->chain
            && is_beside(files, flags, files->chain)) {
            sniv_chain_beside(reader, files->chain, &draft->leaf,
                              &pair->chain);
        }
        if (pair->chain.len == 0 && keys != certs) {
            look_into_key_file(reader, keys, flags, &draft->leaf, pair,
                               entry);
        }
        if (rv == APR_SUCCESS && pair->chain.len == 0
            && (flags & SNIV_READ_CAS)) {
            sniv_chain_by_cas(reader, files, &draft->leaf, &pair->chain);
        }
        if (pair->chain.len == 0) {
            entry->flags |= SNIV_CERT_NO_CHAIN;
        }
        sniv_chain_look(reader, &draft->leaf, &pair->chain, entry);
    }
    return rv;
}

/*
 * SSLCertificateChainFile: all its certificates, without the first if it is
 * also a certificate file (ssl_init_ctx_cert_chain() of mod_ssl).
 */
static apr_status_t read_chain_file(sniv_reader_t *reader,
                                    const sniv_cert_files_t *files,
                                    unsigned flags, sniv_entry_t *entry,
                                    const draft_t *draft, const char **pfile,
                                    const char **preason)
{
    const sniv_file_t *file = sniv_reader_file(reader, files->chain);
    sniv_bytes_t chain = { NULL, 0 };
    apr_status_t rv;
    int i, but = -1;

    if (file->damage) {
        *pfile = file->path;
        return sniv_fail(reader, preason, "%s", file->damage);
    }
    for (i = 0; i < files->ncerts; i++) {
        if (strcmp(files->certs[i], files->chain) == 0) {
            but = 0;
        }
    }
    rv = sniv_chain_write(reader, file, but, &draft->leaf,
                     flags & ~SNIV_READ_ANY_ORDER, &chain, pfile, preason);
    for (i = 0; i < entry->npairs; i++) {
        entry->pairs[i].chain = chain;
    }
    sniv_chain_look(reader, &draft->leaf, &chain, entry);
    return rv;
}

/* Whether OpenSSL takes all of it in a handshake. */
static apr_status_t judge(sniv_reader_t *reader,
                          const sniv_cert_files_t *files, unsigned flags,
                          const sniv_entry_t *entry, const char **pfile,
                          const char **preason)
{
    const char *reason;
    sniv_judge_e about;
    int i;

    for (i = 0; i < entry->npairs; i++) {
        reason = flags & SNIV_READ_VERIFY
                 ? sniv_judge_slowly(reader->judge, &entry->pairs[i],
                                     files->level, &about)
                 : sniv_judge_pair(reader->judge, &entry->pairs[i],
                                   files->level, &about);
        if (reason) {
            *pfile = about == SNIV_JUDGE_KEY ? key_path(files, i)
                     : about == SNIV_JUDGE_CHAIN && files->chain
                     ? files->chain : files->certs[i];
            return sniv_fail(reader, preason, "%s", reason);
        }
    }
    return APR_SUCCESS;
}

static int list_paths(sniv_reader_t *reader, sniv_entry_t *entry)
{
    apr_size_t room = 0;
    int i;

    for (i = 0; i < reader->nfiles; i++) {
        room += strlen(reader->files[i].path) + 1;
    }
    if (!sniv_reader_room(&reader->paths, room)) {
        return 0;
    }
    for (i = 0; i < reader->nfiles; i++) {
        apr_size_t len = strlen(reader->files[i].path) + 1;

        memcpy(reader->paths.data + reader->paths.len,
               reader->files[i].path, len);
        reader->paths.len += len;
    }
    entry->files.data = reader->paths.data;
    entry->files.len = reader->paths.len;
    return 1;
}

/* The order of OpenSSL's slots; of two of a kind the later one counts. */
static void sort_pairs(sniv_entry_t *entry)
{
    sniv_pair_t pair;
    int i, k;

    for (i = 1; i < entry->npairs; i++) {
        pair = entry->pairs[i];
        for (k = i; k > 0 && entry->pairs[k - 1].kind > pair.kind; k--) {
            entry->pairs[k] = entry->pairs[k - 1];
        }
        entry->pairs[k] = pair;
    }
}

apr_status_t sniv_reader_read(sniv_reader_t *reader,
                              const sniv_cert_files_t *files, unsigned flags,
                              sniv_entry_t *entry, sniv_stamp_t *stamps,
                              const char **pfile, const char **preason)
{
    draft_t draft;
    apr_status_t rv;
    int i, nrare = 0;

    sniv_reader_wipe(reader);
    memset(entry, 0, sizeof(*entry));
    rv = read_files(reader, files, flags, entry, stamps, pfile, preason);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    for (i = 0; i < files->ncerts; i++) {
        memset(&draft, 0, sizeof(draft));
        entry->npairs = i + 1;
        rv = read_pair(reader, files, i, flags, entry, &draft, pfile,
                       preason);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        nrare += draft.leaf.is_rare;
        if (i == 0 || draft.leaf.not_before > entry->not_before) {
            entry->not_before = draft.leaf.not_before;
        }
        if (i == 0 || draft.leaf.not_after < entry->not_after) {
            entry->not_after = draft.leaf.not_after;
        }
    }
    if (nrare == files->ncerts) {
        entry->flags |= SNIV_CERT_RARE_KEY;
    }
    if (files->chain && !(flags & SNIV_READ_ANY_ORDER)) {
        rv = read_chain_file(reader, files, flags, entry, &draft, pfile,
                             preason);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    rv = judge(reader, files, flags, entry, pfile, preason);
    if (rv == APR_SUCCESS) {
        sort_pairs(entry);
        if (!list_paths(reader, entry)) {
            sniv_fail(reader, preason, "cannot be read: no memory");
            rv = APR_ENOMEM;
        }
    }
    return rv;
}
