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

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "certs/issuer.h"
#include "certs/judge.h"

/* Certificates in one file. */
#define CERTS_MAX 64

/* Beside the flags of reader.h: a file names the chain. */
#define READ_CHAINED 0x100u

/* What is in a file. All views point into its buffer. */
typedef struct file_t {
    const char *path;
    sniv_buffer_t buffer;
    sniv_bytes_t certs[CERTS_MAX];
    int ncerts;
    sniv_pem_t key;             /* the first private key */
    int has_key;
    const char *damage;         /* why the whole cannot be read as OpenSSL
                                   reads certificates, to the end */
    const char *key_damage;     /* ... as a key, up to the first */
    unsigned flags;             /* SNIV_CERT_* of the file */
} file_t;

struct sniv_reader_t {
    sniv_judge_t *judge;
    const sniv_walk_t *walk;            /* or NULL */
    sniv_trusted_t trusted;
    file_t files[SNIV_FILES_MAX];
    int nfiles;                         /* in use */
    sniv_buffer_t keys[SNIV_PAIRS_MAX]; /* keys written anew */
    sniv_buffer_t chains[2 * SNIV_PAIRS_MAX + 1];
    int nchains;
    sniv_buffer_t paths;
    char reason[1024];
};

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
    for (i = 0; i <= 2 * SNIV_PAIRS_MAX; i++) {
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

#if defined(__GNUC__)
static apr_status_t fail(sniv_reader_t *reader, const char **preason,
                         const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#endif

static apr_status_t fail(sniv_reader_t *reader, const char **preason,
                         const char *format, ...)
{
    va_list args;

    va_start(args, format);
    apr_vsnprintf(reader->reason, sizeof(reader->reason), format, args);
    va_end(args);
    *preason = reader->reason;
    return APR_EGENERAL;
}

static file_t *file_of(sniv_reader_t *reader, const char *path)
{
    int i;

    for (i = 0; i < reader->nfiles; i++) {
        if (strcmp(reader->files[i].path, path) == 0) {
            return &reader->files[i];
        }
    }
    return NULL;
}

static int contains(const sniv_buffer_t *buffer, const char *text)
{
    apr_size_t i, n = strlen(text);

    for (i = 0; i + n <= buffer->len; i++) {
        if (memcmp(buffer->data + i, text, n) == 0) {
            return 1;
        }
    }
    return 0;
}

/*
 * A file without PEM blocks: DER, or nothing that can be read. mod_ssl reads
 * keys in DER, certificates only in PEM; folders may have both.
 */
static void sort_der(file_t *file, unsigned flags)
{
    static const sniv_key_label_e labels[] = {
        SNIV_KEY_LABEL_ANY, SNIV_KEY_LABEL_RSA, SNIV_KEY_LABEL_EC
    };
    const unsigned char *data = file->buffer.data;
    apr_size_t len = file->buffer.len;
    sniv_leaf_t leaf;
    sniv_key_t key;
    int i;

    file->damage = file->key_damage = "is not PEM: it has no line that "
                                      "begins with -----BEGIN";
    if (len > 1 && ((data[0] == 0xff && data[1] == 0xfe)
                    || (data[0] == 0xfe && data[1] == 0xff))) {
        file->damage = file->key_damage = "is written in UTF-16: save it as "
                                          "plain text (ASCII or UTF-8)";
    }
    else if (contains(&file->buffer, "-----BEGIN ")) {
        file->damage = file->key_damage = "is not PEM as OpenSSL reads it: "
            "-----BEGIN has to begin a line, and lines have to end with LF "
            "or CR LF";
    }
    if (len == 0 || data[0] != 0x30) {
        return;
    }
    if (!sniv_der_leaf(&leaf, data, len)) {
        file->damage = "is a certificate in DER, which mod_ssl does not "
                       "read: convert it with openssl x509 -inform DER";
        if (flags & SNIV_READ_ANY_ORDER) {
            file->certs[0] = leaf.whole;
            file->ncerts = 1;
            file->damage = NULL;
        }
        return;
    }
    for (i = 0; i < 3 && !file->has_key; i++) {
        if (!sniv_der_key(&key, labels[i], data, len)) {
            file->has_key = 1;
            file->key.what = SNIV_PEM_KEY;
            file->key.label = labels[i];
            file->key.der.data = data;
            file->key.der.len = len;
            file->key_damage = NULL;
        }
    }
}

/* A certificate of a file. */
static void sort_cert(file_t *file, const sniv_pem_t *block, unsigned flags)
{
    if (block->is_trusted && !(flags & SNIV_READ_ANY_ORDER)
        && (file->ncerts > 0 || (flags & READ_CHAINED))) {
        return;                 /* OpenSSL passes over it */
    }
    if (file->ncerts == CERTS_MAX) {
        file->damage = "holds more than " APR_STRINGIFY(CERTS_MAX)
                       " certificates";
        return;
    }
    file->certs[file->ncerts++] = block->der;
}

static void sort_key(file_t *file, const sniv_pem_t *block)
{
    if (block->what == SNIV_PEM_ENCRYPTED_KEY) {
        file->flags |= SNIV_CERT_ENCRYPTED_KEY;
    }
    if (!file->has_key) {
        file->has_key = 1;
        file->key = *block;
    }
}

/* Sort the blocks of a file that has just been read. */
static void sort_blocks(file_t *file, unsigned flags)
{
    sniv_pem_t block;
    apr_size_t at = 0;
    int n = 0;

    file->ncerts = 0;
    file->has_key = 0;
    file->damage = file->key_damage = NULL;
    file->flags = 0;
    for (; sniv_pem_next(&file->buffer, &at, &block); n++) {
        if (block.is_damaged) {
            file->damage = block.what == SNIV_PEM_CERTIFICATE
                           ? "holds a damaged or unfinished certificate"
                           : block.what == SNIV_PEM_KEY
                             ? "holds a damaged or unfinished private key"
                             : "holds a damaged or unfinished PEM block";
            if (!file->has_key) {
                file->key_damage = file->damage;
            }
        }
        else if (block.what == SNIV_PEM_CERTIFICATE) {
            sort_cert(file, &block, flags);
        }
        else if (block.what == SNIV_PEM_KEY
                 || block.what == SNIV_PEM_ENCRYPTED_KEY) {
            sort_key(file, &block);
        }
        else if (block.what == SNIV_PEM_DH_PARAMETERS) {
            file->flags |= SNIV_CERT_DH_PARAMETERS;
        }
        else if (block.what == SNIV_PEM_EC_PARAMETERS) {
            file->flags |= SNIV_CERT_EC_PARAMETERS;
        }
    }
    if (n == 0) {
        sort_der(file, flags);
    }
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
        return fail(reader, preason, "is one of more than %d certificates "
                    "for one virtual host", SNIV_PAIRS_MAX);
    }
    for (i = 0; i < n; i++) {
        file_t *file = &reader->files[i];

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
        sort_blocks(file, files->chain ? flags | READ_CHAINED : flags);
        entry->flags |= file->flags;
        if (result != APR_SUCCESS) {
            continue;           /* the other stamps are wanted too */
        }
        if (rv != APR_SUCCESS) {
            *pfile = list[i];
            if (!reason) {
                apr_strerror(rv, text, sizeof(text));
                fail(reader, preason, "cannot be read: %s", text);
            }
            else {
                fail(reader, preason, "%s", reason);
            }
            result = rv;
        }
    }
    return result;
}

/* Make room in an output buffer, which is empty or wiped. */
static int room_for(sniv_buffer_t *buffer, apr_size_t room)
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
        if (!room_for(out, draft->key.der.len + draft->key.curve.len + 16)) {
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
static apr_status_t choose_leaf(sniv_reader_t *reader, const file_t *certs,
                                const file_t *keys, unsigned flags,
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
            return fail(reader, preason, "%s", reason);
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
        return fail(reader, preason, "%s", reason);
    }
    if (certs == keys) {
        return fail(reader, preason, "holds a key that does not belong to "
                    "its certificate");
    }
    return fail(reader, preason, "holds a key that does not belong to the "
                "certificate in %s", certs->path);
}

static void add_to_chain(sniv_buffer_t *out, const sniv_bytes_t *cert)
{
    apr_uint32_t len = (apr_uint32_t)cert->len;

    memcpy(out->data + out->len, &len, sizeof(len));
    memcpy(out->data + out->len + sizeof(len), cert->data, cert->len);
    out->len += sizeof(len) + cert->len;
}

/*
 * Write a chain: the certificates of a file but for one (-1: all). In any
 * order: each after the one that it has issued, as far as they link up, then
 * the rest; the same only once.
 */
static apr_status_t write_chain(sniv_reader_t *reader, const file_t *file,
                                int but, const sniv_leaf_t *leaf,
                                unsigned flags, sniv_bytes_t *chain,
                                const char **pfile, const char **preason)
{
    sniv_buffer_t *out = &reader->chains[reader->nchains++];
    sniv_leaf_t ca[CERTS_MAX];
    char done[CERTS_MAX];
    sniv_bytes_t issuer = leaf->issuer;
    apr_size_t room = 1;
    int i, k, left = 0;

    memset(done, 0, sizeof(done));
    for (i = 0; i < file->ncerts; i++) {
        const char *reason = sniv_der_leaf(&ca[i], file->certs[i].data,
                                           file->certs[i].len);

        if (reason) {
            *pfile = file->path;
            return fail(reader, preason, "%s", reason);
        }
        room += sizeof(apr_uint32_t) + file->certs[i].len;
        done[i] = i == but;
        for (k = 0; (flags & SNIV_READ_ANY_ORDER) && k < i; k++) {
            if (sniv_bytes_equal(&ca[i].whole, &ca[k].whole)) {
                done[i] = 1;
            }
        }
        left += !done[i];
    }
    if (!room_for(out, room)) {
        fail(reader, preason, "cannot be read: no memory");
        return APR_ENOMEM;
    }
    while (left > 0) {
        k = -1;
        for (i = 0; i < file->ncerts; i++) {
            if (done[i]) {
                continue;
            }
            if (k < 0) {
                k = i;
            }
            if (!(flags & SNIV_READ_ANY_ORDER)) {
                break;
            }
            if (sniv_bytes_equal(&ca[i].subject, &issuer)) {
                k = i;
                break;
            }
        }
        add_to_chain(out, &ca[k].whole);
        issuer = ca[k].issuer;
        done[k] = 1;
        left--;
    }
    chain->data = out->data;
    chain->len = out->len;
    return APR_SUCCESS;
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

/*
 * The chain of a leaf from a file that lies beside it: who has issued it, who
 * has issued that one, and so on, without the root. What else is in the file
 * does not count.
 */
static void chain_beside(sniv_reader_t *reader, const char *path,
                         const sniv_leaf_t *leaf, sniv_bytes_t *chain)
{
    sniv_buffer_t *out = &reader->chains[reader->nchains++];
    file_t *file = file_of(reader, path);
    sniv_leaf_t ca[CERTS_MAX], of = *leaf;
    const char *reason;
    apr_size_t room = 1;
    int i, n;

    if (sniv_buffer_read(&file->buffer, reader->walk, path, NULL, &reason)
        != APR_SUCCESS) {
        return;
    }
    sort_blocks(file, SNIV_READ_ANY_ORDER);
    for (i = 0; i < file->ncerts; i++) {
        room += sizeof(apr_uint32_t) + file->certs[i].len;
        if (file->damage || sniv_der_leaf(&ca[i], file->certs[i].data,
                                          file->certs[i].len)) {
            return;
        }
    }
    if (!room_for(out, room)) {
        return;
    }
    for (n = 0; n < file->ncerts && !sniv_is_self_issued(&of); n++) {
        for (i = 0; i < file->ncerts; i++) {
            if (!sniv_is_self_issued(&ca[i]) && sniv_has_issued(&ca[i], &of)) {
                break;
            }
        }
        if (i == file->ncerts) {
            break;
        }
        of = ca[i];
        add_to_chain(out, &of.whole);
    }
    chain->data = out->data;
    chain->len = out->len;
}

/* What a chain says about itself, as it is going to be sent. */
static unsigned flags_of_chain(sniv_reader_t *reader, const sniv_leaf_t *leaf,
                               const sniv_bytes_t *chain)
{
    sniv_leaf_t of = *leaf, next;
    sniv_bytes_t der;
    apr_size_t at = 0;
    unsigned flags = 0;

    if (sniv_is_self_issued(leaf)) {
        flags |= SNIV_CERT_SELF_SIGNED;
    }
    else if (chain->len == 0
             && !sniv_trusted_issuer(&reader->trusted, leaf)) {
        flags |= SNIV_CERT_NO_ISSUER;
    }
    while (sniv_chain_next(chain, &at, &der) > 0
           && !sniv_der_leaf(&next, der.data, der.len)) {
        if (!sniv_bytes_equal(&of.issuer, &next.subject)
            || sniv_is_self_issued(&of)) {
            flags |= SNIV_CERT_CHAIN_ORDER;
        }
        if (sniv_is_self_issued(&next)) {
            flags |= SNIV_CERT_CHAIN_ROOT;
        }
        of = next;
    }
    return flags;
}

static apr_status_t read_pair(sniv_reader_t *reader,
                              const sniv_cert_files_t *files, int i,
                              unsigned flags, sniv_entry_t *entry,
                              draft_t *draft, const char **pfile,
                              const char **preason)
{
    const file_t *certs = file_of(reader, files->certs[i]);
    const file_t *keys = file_of(reader, key_path(files, i));
    sniv_pair_t *pair = &entry->pairs[i];
    const char *reason;
    apr_status_t rv;

    *pfile = certs->path;
    if (certs->damage) {
        return fail(reader, preason, "%s", certs->damage);
    }
    if (certs->ncerts == 0) {
        return fail(reader, preason, "holds no certificate");
    }
    *pfile = keys->path;
    if (keys->key_damage) {
        return fail(reader, preason, "%s", keys->key_damage);
    }
    if (!keys->has_key) {
        return fail(reader, preason, "holds no private key%s",
                    certs == keys ? ", and no other file with the key is "
                    "named or lies beside it" : "");
    }
    if (keys->key.what == SNIV_PEM_ENCRYPTED_KEY) {
        return fail(reader, preason, "holds a private key that is encrypted "
                    "with a pass phrase");
    }
    draft->label = keys->key.label;
    reason = sniv_der_key(&draft->key, draft->label, keys->key.der.data,
                          keys->key.der.len);
    if (reason) {
        return fail(reader, preason, "%s", reason);
    }
    if (!keep_key(reader, i, draft, &keys->key.der, pair)) {
        fail(reader, preason, "cannot be read: no memory");
        return APR_ENOMEM;
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
        return fail(reader, preason, "holds a certificate without a DNS name "
                    "in subjectAltName, so no server name leads to it");
    }
    if (!files->chain || (flags & SNIV_READ_ANY_ORDER)) {
        rv = write_chain(reader, certs, draft->which, &draft->leaf, flags,
                         &pair->chain, pfile, preason);
        if (rv == APR_SUCCESS && pair->chain.len == 0 && files->chain
            && is_beside(files, flags, files->chain)) {
            chain_beside(reader, files->chain, &draft->leaf, &pair->chain);
        }
        if (pair->chain.len == 0) {
            entry->flags |= SNIV_CERT_NO_CHAIN;
        }
        entry->flags |= flags_of_chain(reader, &draft->leaf, &pair->chain);
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
    const file_t *file = file_of(reader, files->chain);
    sniv_bytes_t chain = { NULL, 0 };
    apr_status_t rv;
    int i, but = -1;

    if (file->damage) {
        *pfile = file->path;
        return fail(reader, preason, "%s", file->damage);
    }
    for (i = 0; i < files->ncerts; i++) {
        if (strcmp(files->certs[i], files->chain) == 0) {
            but = 0;
        }
    }
    rv = write_chain(reader, file, but, &draft->leaf,
                     flags & ~SNIV_READ_ANY_ORDER, &chain, pfile, preason);
    for (i = 0; i < entry->npairs; i++) {
        entry->pairs[i].chain = chain;
    }
    entry->flags |= flags_of_chain(reader, &draft->leaf, &chain);
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
            return fail(reader, preason, "%s", reason);
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
    if (!room_for(&reader->paths, room)) {
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
    int i;

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
        if (i == 0 || draft.leaf.not_before > entry->not_before) {
            entry->not_before = draft.leaf.not_before;
        }
        if (i == 0 || draft.leaf.not_after < entry->not_after) {
            entry->not_after = draft.leaf.not_after;
        }
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
            fail(reader, preason, "cannot be read: no memory");
            rv = APR_ENOMEM;
        }
    }
    return rv;
}
