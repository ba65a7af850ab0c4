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

#include "certs/certs.h"
#include "certs/inside.h"

#include <stdlib.h>
#include <string.h>

#include <apr_escape.h>
#include <apr_strings.h>
#include <apr_tables.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

static const char *name_text(const sniv_bytes_t *der, apr_pool_t *p)
{
    const unsigned char *data = der->data;
    X509_NAME *name = d2i_X509_NAME(NULL, &data, (long)der->len);
    BIO *bio = BIO_new(BIO_s_mem());
    const char *text = "";
    char *bytes;
    long len;

    if (name && bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253
                                          & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
        len = BIO_get_mem_data(bio, &bytes);
        text = apr_pstrmemdup(p, bytes, (apr_size_t)len);
    }
    BIO_free(bio);
    X509_NAME_free(name);
    ERR_clear_error();
    return text;
}

static const char *oid_text(const unsigned char *der, apr_size_t len)
{
    ASN1_OBJECT *object = d2i_ASN1_OBJECT(NULL, &der, (long)len);
    const char *text = object ? OBJ_nid2sn(OBJ_obj2nid(object)) : "?";

    ASN1_OBJECT_free(object);
    return text;
}

static const char *kind_text(const sniv_leaf_t *leaf, apr_pool_t *p)
{
    const unsigned char *der = leaf->spki.data;
    X509_PUBKEY *key;
    ASN1_OBJECT *object = NULL;
    const char *text = "?";

    switch (leaf->kind) {
    case SNIV_KEY_RSA:
        return apr_psprintf(p, "RSA %d", leaf->bits);
    case SNIV_KEY_EC:
        return apr_pstrcat(p, "EC ", oid_text(leaf->curve.data,
                                              leaf->curve.len), NULL);
    default:
        key = d2i_X509_PUBKEY(NULL, &der, (long)leaf->spki.len);
        if (key && X509_PUBKEY_get0_param(&object, NULL, NULL, NULL, key)) {
            text = OBJ_nid2sn(OBJ_obj2nid(object));
        }
        X509_PUBKEY_free(key);
        ERR_clear_error();
        return text;
    }
}

static void describe_leaf(sniv_cert_info_t *info, const sniv_leaf_t *leaf,
                          apr_pool_t *p)
{
    apr_array_header_t *names = apr_array_make(p, 4, sizeof(const char *));
    sniv_bytes_t name;
    apr_size_t at = 0;

    while (sniv_der_name(leaf, &at, &name)) {
        char *text = apr_pstrmemdup(p, (const char *)name.data, name.len);

        sniv_name_lower(text);
        APR_ARRAY_PUSH(names, const char *) = text;
    }
    info->names = (const char *const *)(void *)names->elts;
    info->nnames = names->nelts;
    info->subject = name_text(&leaf->subject, p);
    info->issuer = name_text(&leaf->issuer, p);
}

const char *sniv_cert_fingerprint(const unsigned char *der, apr_size_t len,
                                  apr_pool_t *p)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n;
    char *text;

    if (!EVP_Digest(der, len, digest, &n, EVP_sha256(), NULL))
        return "";
    text = apr_palloc(p, 2 * n + 1);
    (void)apr_escape_hex(text, digest, n, 0, NULL);
    return text;
}

static void describe(sniv_cert_info_t *info, const sniv_entry_t *entry,
                     apr_pool_t *p)
{
    apr_array_header_t *files = apr_array_make(p, 2, sizeof(const char *));
    const char *path;
    apr_size_t at;
    int i;

    for (at = 0; at < entry->files.len; at += strlen(path) + 1) {
        path = (const char *)entry->files.data + at;
        APR_ARRAY_PUSH(files, const char *) = apr_pstrdup(p, path);
    }
    info->files = (const char *const *)(void *)files->elts;
    info->nfiles = files->nelts;
    info->scope = entry->scope;
    info->subject = info->issuer = info->kinds = info->fingerprints = "";
    for (i = 0; i < entry->npairs; i++) {
        sniv_certs_describe(info, entry->pairs[i].leaf.data,
                            entry->pairs[i].leaf.len, p);
    }
    info->not_before = entry->not_before;
    info->not_after = entry->not_after;
    info->chain_from = entry->chain_from;
    info->chain_until = entry->chain_until;
    info->flags = entry->flags;
}

int sniv_certs_describe(sniv_cert_info_t *info, const unsigned char *der,
                        apr_size_t len, apr_pool_t *p)
{
    const int is_first = !info->kinds || !*info->kinds;
    const char *fingerprint;
    unsigned rare = info->flags & SNIV_CERT_RARE_KEY;
    sniv_leaf_t leaf;

    if (sniv_der_leaf(&leaf, der, len)) {
        return 0;
    }
    fingerprint = sniv_cert_fingerprint(leaf.whole.data, leaf.whole.len, p);
    if (is_first) {
        describe_leaf(info, &leaf, p);
        info->kinds = kind_text(&leaf, p);
        info->fingerprints = fingerprint;
        info->not_before = leaf.not_before;
        info->not_after = leaf.not_after;
    }
    else {
        info->kinds = apr_pstrcat(p, info->kinds, ", ", kind_text(&leaf, p),
                                  NULL);
        info->fingerprints = apr_pstrcat(p, info->fingerprints, " ",
                                         fingerprint, NULL);
        if (leaf.not_before > info->not_before) {
            info->not_before = leaf.not_before;
        }
        if (leaf.not_after < info->not_after) {
            info->not_after = leaf.not_after;
        }
    }
    info->flags &= ~SNIV_CERT_RARE_KEY;
    info->flags |= (leaf.must_staple ? SNIV_CERT_MUST_STAPLE : 0)
                   | (leaf.has_ocsp ? SNIV_CERT_OCSP_URI : 0)
                   | (leaf.is_rare && (is_first || rare) ? SNIV_CERT_RARE_KEY
                                                         : 0);
    return 1;
}

apr_status_t sniv_certs_info(const sniv_certs_t *certs, sniv_cert_id_t id,
                             sniv_cert_info_t *info, apr_pool_t *p)
{
    unsigned char *bytes;
    apr_size_t len;
    sniv_entry_t entry;
    apr_status_t rv;

    memset(info, 0, sizeof(*info));
    info->id = id;
    rv = sniv_entry_get(certs, id, &bytes, &len, &entry, &info->version);
    if (rv == APR_SUCCESS) {
        describe(info, &entry, p);
        info->loaded = (apr_time_t)info->version;
        OPENSSL_cleanse(bytes, len);
        free(bytes);
    }
    return rv;
}

apr_status_t sniv_certs_leaf(const sniv_certs_t *certs, sniv_cert_id_t id,
                             sniv_certs_leaf_fn *each, void *baton)
{
    unsigned char *bytes;
    apr_uint64_t version;
    apr_size_t len;
    sniv_entry_t entry;
    sniv_leaf_t leaf;
    apr_status_t rv = sniv_entry_get(certs, id, &bytes, &len, &entry,
                                     &version);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (entry.npairs != 1
        || sniv_der_leaf(&leaf, entry.pairs[0].leaf.data,
                         entry.pairs[0].leaf.len)) {
        rv = APR_NOTFOUND;
    }
    else {
        each(baton, &leaf, entry.pairs[0].chain_version != 0, entry.flags);
    }
    OPENSSL_cleanse(bytes, len);
    free(bytes);
    return rv;
}

static void join_files(sniv_cert_info_t *info, const sniv_cert_info_t *more,
                       apr_pool_t *p)
{
    apr_array_header_t *files = apr_array_make(p, 4, sizeof(const char *));
    int i;

    for (i = 0; i < info->nfiles; i++) {
        APR_ARRAY_PUSH(files, const char *) = info->files[i];
    }
    for (i = 0; i < more->nfiles; i++) {
        APR_ARRAY_PUSH(files, const char *) = more->files[i];
    }
    info->files = (const char *const *)(void *)files->elts;
    info->nfiles = files->nelts;
}

void sniv_certs_info_also(const sniv_certs_t *certs, sniv_cert_id_t id,
                          sniv_cert_info_t *info, apr_pool_t *p)
{
    sniv_cert_info_t more;

    if (sniv_certs_info(certs, id, &more, p) != APR_SUCCESS) {
        return;
    }
    join_files(info, &more, p);
    info->kinds = apr_pstrcat(p, info->kinds, ", ", more.kinds, NULL);
    info->fingerprints = apr_pstrcat(p, info->fingerprints, " ",
                                     more.fingerprints, NULL);
    if (more.not_before > info->not_before) {
        info->not_before = more.not_before;
    }
    if (more.not_after < info->not_after) {
        info->not_after = more.not_after;
    }
    info->flags |= more.flags & ~SNIV_CERT_RARE_KEY;
    if (!(more.flags & SNIV_CERT_RARE_KEY)) {
        info->flags &= ~SNIV_CERT_RARE_KEY;
    }
}

int sniv_certs_covers(const sniv_cert_info_t *info, const char *host)
{
    int i;

    for (i = 0; i < info->nnames; i++) {
        if (sniv_name_covers(info->names[i], strlen(info->names[i]), host,
                             strlen(host))) {
            return 1;
        }
    }
    return 0;
}

apr_status_t sniv_certs_examine(const sniv_cert_files_t *files,
                                sniv_cert_info_t *info, const char **pfile,
                                const char **preason, apr_pool_t *p)
{
    apr_pool_t *ptemp;
    sniv_reader_t *reader;
    sniv_entry_t entry;
    apr_status_t rv;

    memset(info, 0, sizeof(*info));
    *pfile = *preason = NULL;
    rv = apr_pool_create(&ptemp, p);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    reader = sniv_reader_make(ptemp);
    rv = sniv_reader_read(reader, files, 0, &entry, NULL, pfile, preason);
    entry.scope = SNIV_SCOPE_NONE;
    info->id = SNIV_CERT_NONE;
    info->scope = SNIV_SCOPE_NONE;
    info->flags = entry.flags;
    if (rv == APR_SUCCESS) {
        describe(info, &entry, p);
    }
    else {
        *preason = apr_pstrdup(p, *preason);
    }
    apr_pool_destroy(ptemp);
    return rv;
}
