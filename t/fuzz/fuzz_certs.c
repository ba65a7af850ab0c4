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

/*
 * Fuzz target: everything that reads certificates, keys and records byte by
 * byte. The first byte of the input says what the rest is (see the switch at
 * the end). Where OpenSSL can read the same bytes it has to have read the
 * same.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "certs/der.h"
#include "certs/entry.h"
#include "certs/pem.h"

#define CHECK(what) \
    do { \
        if (!(what)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
            abort(); \
        } \
    } while (0)

/* Touch every byte, so that a sanitizer sees a view that leads outside. */
static unsigned touch(const sniv_bytes_t *view)
{
    unsigned sum = 0;
    size_t i;

    for (i = 0; i < view->len; i++)
        sum += view->data[i];
    return sum;
}

static time_t seconds(const ASN1_TIME *time)
{
    struct tm tm;

    if (!ASN1_TIME_to_tm(time, &tm))
        return -1;
    return timegm(&tm);
}

/* A name of OpenSSL's that we take, too. */
static int is_plain(const ASN1_STRING *name)
{
    const unsigned char *data = ASN1_STRING_get0_data(name);
    int i, len = ASN1_STRING_length(name);

    for (i = 0; i < len; i++) {
        if (data[i] <= ' ' || data[i] > '~')
            return 0;
    }
    return len > 0 && len <= 253;
}

static void compare_names(const sniv_leaf_t *leaf, X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL,
                                            NULL);
    sniv_bytes_t name;
    size_t at = 0;
    int i;

    for (i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);

        if (one->type != GEN_DNS || !is_plain(one->d.dNSName))
            continue;
        CHECK(sniv_der_name(leaf, &at, &name));
        CHECK(name.len == (size_t)ASN1_STRING_length(one->d.dNSName));
        CHECK(memcmp(name.data, ASN1_STRING_get0_data(one->d.dNSName),
                     name.len) == 0);
    }
    if (names)
        CHECK(!sniv_der_name(leaf, &at, &name));
    GENERAL_NAMES_free(names);
}

static void compare(const sniv_leaf_t *leaf, X509 *cert)
{
    const ASN1_BIT_STRING *bits;

    if (ASN1_TIME_check(X509_get0_notBefore(cert))
        && seconds(X509_get0_notBefore(cert)) != -1) {
        CHECK(leaf->not_before
              == apr_time_from_sec(seconds(X509_get0_notBefore(cert))));
    }
    if (ASN1_TIME_check(X509_get0_notAfter(cert))
        && seconds(X509_get0_notAfter(cert)) != -1) {
        CHECK(leaf->not_after
              == apr_time_from_sec(seconds(X509_get0_notAfter(cert))));
    }
    bits = X509_get0_pubkey_bitstr(cert);
    CHECK(leaf->public_key.len == (size_t)ASN1_STRING_length(bits));
    CHECK(memcmp(leaf->public_key.data, ASN1_STRING_get0_data(bits),
                 leaf->public_key.len) == 0);
    /* two extensions of a kind are an error for OpenSSL */
    if (X509_get_ext_by_NID(cert, NID_subject_alt_name, -1) >= 0)
        compare_names(leaf, cert);
}

static int try_leaf(sniv_leaf_t *leaf, const unsigned char *data, size_t len)
{
    const unsigned char *p = data;
    sniv_bytes_t name;
    size_t at = 0;
    X509 *cert;

    if (sniv_der_leaf(leaf, data, len) != NULL)
        return 0;
    touch(&leaf->whole);
    touch(&leaf->issuer);
    touch(&leaf->subject);
    touch(&leaf->spki);
    touch(&leaf->curve);
    touch(&leaf->public_key);
    CHECK(leaf->whole.data == data && leaf->whole.len <= len);
    while (sniv_der_name(leaf, &at, &name)) {
        CHECK(name.len > 0 && name.len <= 253);
        touch(&name);
        sniv_name_is_usable((const char *)name.data, name.len);
        sniv_name_covers((const char *)name.data, name.len, "a.test", 6);
    }
    cert = d2i_X509(NULL, &p, (long)len);
    if (cert)
        compare(leaf, cert);
    X509_free(cert);
    ERR_clear_error();
    return 1;
}

static void try_key(const sniv_leaf_t *leaf, sniv_key_label_e label,
                    const unsigned char *data, size_t len)
{
    sniv_key_t key;
    unsigned char *out;
    size_t n;

    if (sniv_der_key(&key, label, data, len) != NULL)
        return;
    touch(&key.der);
    touch(&key.curve);
    touch(&key.public_key);
    touch(&key.modulus);
    touch(&key.exponent);
    if (leaf)
        sniv_der_match(leaf, &key);
    n = key.der.len + key.curve.len + 16;
    out = malloc(n);
    CHECK(sniv_der_ec_key(&key, out) <= n);
    free(out);
}

static void try_pem(const unsigned char *data, size_t len)
{
    sniv_buffer_t buffer = { NULL, 0, 0 };
    sniv_leaf_t leaf;
    sniv_pem_t block;
    size_t at = 0, was = 0;
    int has_leaf = 0;

    if (len == 0)
        return;
    buffer.data = malloc(len);
    memcpy(buffer.data, data, len);
    buffer.len = buffer.room = len;
    while (sniv_pem_next(&buffer, &at, &block)) {
        CHECK(at > was && at <= buffer.len);
        was = at;
        touch(&block.der);
        if (block.what == SNIV_PEM_CERTIFICATE && !block.is_damaged)
            has_leaf = try_leaf(&leaf, block.der.data, block.der.len);
        else if (block.what == SNIV_PEM_KEY && !block.is_damaged)
            try_key(has_leaf ? &leaf : NULL, block.label, block.der.data,
                    block.der.len);
    }
    sniv_buffer_free(&buffer);
}

static void try_record(const unsigned char *data, size_t len)
{
    sniv_entry_t entry;
    unsigned char *again;
    int i;

    if (!sniv_record_parse(&entry, data, len))
        return;
    for (i = 0; i < entry.npairs; i++) {
        touch(&entry.pairs[i].leaf);
        touch(&entry.pairs[i].key);
    }
    touch(&entry.files);
    CHECK(sniv_record_size(&entry) == len);
    again = malloc(len);
    sniv_record_write(&entry, again);
    CHECK(sniv_record_parse(&entry, again, len));
    free(again);
}

static void try_chain(const unsigned char *data, size_t len)
{
    sniv_bytes_t chain = { NULL, 0 }, cert;
    size_t at = 0;

    chain.data = data;
    chain.len = len;
    while (sniv_chain_next(&chain, &at, &cert) > 0)
        touch(&cert);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char *copy;
    sniv_leaf_t leaf;

    if (size == 0)
        return 0;
    /* a copy of its own size: reading one byte too many is seen */
    copy = malloc(size - 1 ? size - 1 : 1);
    memcpy(copy, data + 1, size - 1);
    switch (data[0]) {
    case 'L':
        try_leaf(&leaf, copy, size - 1);
        break;
    case 'K':
        try_key(NULL, SNIV_KEY_LABEL_ANY, copy, size - 1);
        break;
    case 'R':
        try_key(NULL, SNIV_KEY_LABEL_RSA, copy, size - 1);
        break;
    case 'E':
        try_key(NULL, SNIV_KEY_LABEL_EC, copy, size - 1);
        break;
    case 'N':
        try_record(copy, size - 1);
        break;
    case 'C':
        try_chain(copy, size - 1);
        break;
    default:
        try_pem(copy, size - 1);
        break;
    }
    free(copy);
    return 0;
}
