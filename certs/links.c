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

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

static void add_to_chain(sniv_buffer_t *out, const sniv_bytes_t *cert)
{
    apr_uint32_t len = (apr_uint32_t)cert->len;

    memcpy(out->data + out->len, &len, sizeof(len));
    memcpy(out->data + out->len + sizeof(len), cert->data, cert->len);
    out->len += sizeof(len) + cert->len;
}

/* The next certificate of a chain: the one with this subject, else the first
 * that is not done. */
static int next_of(const sniv_leaf_t *ca, int n, const char *done,
                   const sniv_bytes_t *subject)
{
    int i, first = -1;

    for (i = 0; i < n; i++) {
        if (!done[i] && first < 0) {
            first = i;
        }
        if (!done[i] && subject && sniv_bytes_equal(&ca[i].subject,
                                                    subject)) {
            return i;
        }
    }
    return first;
}

apr_status_t sniv_chain_write(sniv_reader_t *reader, const sniv_file_t *file,
                              int but, const sniv_leaf_t *leaf,
                              unsigned flags, sniv_bytes_t *chain,
                              const char **pfile, const char **preason)
{
    sniv_buffer_t *out = &reader->chains[reader->nchains++];
    sniv_leaf_t ca[SNIV_CERTS_MAX];
    char done[SNIV_CERTS_MAX];
    sniv_bytes_t issuer = leaf->issuer;
    apr_size_t room = 1;
    int i, k, left = 0;

    memset(done, 0, sizeof(done));
    for (i = 0; i < file->ncerts; i++) {
        const char *reason = sniv_der_leaf(&ca[i], file->certs[i].data,
                                           file->certs[i].len);

        if (reason) {
            *pfile = file->path;
            return sniv_fail(reader, preason, "%s", reason);
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
    if (!sniv_reader_room(out, room)) {
        sniv_fail(reader, preason, "cannot be read: no memory");
        return APR_ENOMEM;
    }
    for (; left > 0; left--) {
        k = next_of(ca, file->ncerts, done, flags & SNIV_READ_ANY_ORDER
                                            ? &issuer : NULL);
        add_to_chain(out, &ca[k].whole);
        issuer = ca[k].issuer;
        done[k] = 1;
    }
    chain->data = out->data;
    chain->len = out->len;
    return APR_SUCCESS;
}

void sniv_chain_of(sniv_reader_t *reader, const sniv_file_t *file,
                   const sniv_leaf_t *leaf, sniv_bytes_t *chain)
{
    sniv_buffer_t *out = &reader->chains[reader->nchains];
    sniv_leaf_t ca[SNIV_CERTS_MAX], of = *leaf;
    apr_size_t room = 1;
    int i, n;

    for (i = 0; i < file->ncerts; i++) {
        room += sizeof(apr_uint32_t) + file->certs[i].len;
        if (file->damage || sniv_der_leaf(&ca[i], file->certs[i].data,
                                          file->certs[i].len)) {
            return;
        }
    }
    if (file->ncerts == 0 || !sniv_reader_room(out, room)) {
        return;
    }
    reader->nchains++;
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

static int put_x509(sniv_buffer_t *out, X509 *x)
{
    apr_uint32_t len = 0;
    int n = i2d_X509(x, NULL);
    unsigned char *to, *more;

    if (n <= 0) {
        return 0;
    }
    len = (apr_uint32_t)n;
    more = realloc(out->data, out->len + sizeof(len) + len);
    if (!more) {
        return 0;
    }
    out->data = more;
    out->room = out->len + sizeof(len) + len;
    memcpy(out->data + out->len, &len, sizeof(len));
    to = out->data + out->len + sizeof(len);
    (void)i2d_X509(x, &to);
    out->len = out->room;
    return 1;
}

/*
 * The chain of a leaf from CA files, as OpenSSL would build it in a handshake
 * of a server that has just read them: as far as it goes, with the root.
 */
void sniv_chain_by_cas(sniv_reader_t *reader, const sniv_cert_files_t *files,
                       const sniv_leaf_t *leaf, sniv_bytes_t *chain)
{
    const unsigned char *der = leaf->whole.data;
    sniv_buffer_t *out = &reader->chains[reader->nchains++];
    X509 *x = d2i_X509(NULL, &der, (long)leaf->whole.len);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *built = NULL;
    int i;

    if (x && store && ctx
        && X509_STORE_load_locations(store, files->ca_file, files->ca_path)
        && X509_STORE_CTX_init(ctx, store, x, NULL)) {
        (void)X509_verify_cert(ctx);
        built = X509_STORE_CTX_get0_chain(ctx);
    }
    for (i = 1; i < sk_X509_num(built); i++) {
        if (!put_x509(out, sk_X509_value(built, i))) {
            break;
        }
    }
    if (out->len > 0) {
        chain->data = out->data;
        chain->len = out->len;
    }
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(x);
    ERR_clear_error();
}

void sniv_chain_beside(sniv_reader_t *reader, const char *path,
                       const sniv_leaf_t *leaf, sniv_bytes_t *chain)
{
    sniv_file_t *file = sniv_reader_file(reader, path);
    const char *reason;

    if (sniv_buffer_read(&file->buffer, reader->walk, path, NULL, &reason)
        == APR_SUCCESS) {
        sniv_file_sort(file, SNIV_READ_ANY_ORDER);
        sniv_chain_of(reader, file, leaf, chain);
    }
}

/*
 * The time in which a certificate of a chain is valid. Clients that know who
 * has issued the one before do not need it: an old cross-signature may have
 * expired.
 */
static void note_dates(sniv_reader_t *reader, const sniv_leaf_t *leaf,
                       const sniv_leaf_t *before, const sniv_leaf_t *one,
                       sniv_entry_t *entry)
{
    if ((one->not_after >= leaf->not_after
         && one->not_before <= leaf->not_before)
        || sniv_is_self_issued(one)
        || sniv_trusted_issuer(&reader->trusted, before)) {
        return;
    }
    if (entry->chain_until == 0 || one->not_after < entry->chain_until) {
        entry->chain_until = one->not_after;
    }
    if (one->not_before > entry->chain_from) {
        entry->chain_from = one->not_before;
    }
}

void sniv_chain_look(sniv_reader_t *reader, const sniv_leaf_t *leaf,
                     const sniv_bytes_t *chain, sniv_entry_t *entry)
{
    sniv_leaf_t of = *leaf, next;
    sniv_bytes_t der;
    apr_size_t at = 0;

    if (sniv_is_self_issued(leaf)) {
        entry->flags |= SNIV_CERT_SELF_SIGNED;
    }
    else if (chain->len == 0
             && !sniv_trusted_issuer(&reader->trusted, leaf)) {
        entry->flags |= SNIV_CERT_NO_ISSUER;
    }
    while (sniv_chain_next(chain, &at, &der) > 0
           && !sniv_der_leaf(&next, der.data, der.len)) {
        if (!sniv_bytes_equal(&of.issuer, &next.subject)
            || sniv_is_self_issued(&of)) {
            entry->flags |= SNIV_CERT_CHAIN_ORDER;
        }
        else {
            note_dates(reader, leaf, &of, &next, entry);
        }
        if (sniv_is_self_issued(&next)) {
            entry->flags |= SNIV_CERT_CHAIN_ROOT;
        }
        of = next;
    }
}
