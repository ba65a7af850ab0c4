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

#include "certs/plain.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>

/* The largest element that is looked at. */
#define LONGEST 65535

typedef struct curve_t {
    unsigned char oid[10];      /* with tag and length */
    unsigned char len;
    unsigned char bytes;        /* of a coordinate */
    signed char level;
    int nid;
} curve_t;

static const curve_t curves[] = {
    { { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 }, 10, 32, 3,
      NID_X9_62_prime256v1 },
    { { 6, 5, 0x2b, 0x81, 4, 0, 0x22 }, 7, 48, 4, NID_secp384r1 },
    { { 6, 5, 0x2b, 0x81, 4, 0, 0x23 }, 7, 66, 5, NID_secp521r1 }
};
#define NCURVES 3

struct sniv_plain_t {
    EC_GROUP *groups[NCURVES];  /* NULL until needed */
    EC_POINT *points[NCURVES];
    BN_CTX *numbers;            /* for all of them */
};

typedef struct signature_t {
    unsigned char oid[9];       /* content */
    unsigned char len;
    unsigned char is_rsa;
    signed char level;
} signature_t;

static const signature_t signatures[] = {
    { { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11 }, 9, 1, 3 },
    { { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12 }, 9, 1, 4 },
    { { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13 }, 9, 1, 5 },
    { { 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2 }, 8, 0, 3 },
    { { 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3 }, 8, 0, 4 },
    { { 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4 }, 8, 0, 5 }
};
#define NSIGNATURES 6

sniv_plain_t *sniv_plain_make(void)
{
    return calloc(1, sizeof(sniv_plain_t));
}

void sniv_plain_free(sniv_plain_t *plain)
{
    int i;

    for (i = 0; plain && i < NCURVES; i++) {
        EC_POINT_free(plain->points[i]);
        EC_GROUP_free(plain->groups[i]);
    }
    BN_CTX_free(plain ? plain->numbers : NULL);
    free(plain);
}

/* An OID's content as OpenSSL wants it: c2i_ASN1_OBJECT(). */
static int is_oid(const sniv_bytes_t *oid)
{
    apr_size_t i;

    if (oid->len == 0 || (oid->data[oid->len - 1] & 0x80)) {
        return 0;
    }
    for (i = 0; i < oid->len; i++) {
        if (oid->data[i] == 0x80
            && (i == 0 || !(oid->data[i - 1] & 0x80))) {
            return 0;
        }
    }
    return 1;
}

/* An INTEGER's content without padding. */
static int is_integer(const sniv_bytes_t *n)
{
    return n->len > 0
           && (n->len == 1
               || (n->data[0] != 0x00 && n->data[0] != 0xff)
               || (n->data[0] == 0x00 && (n->data[1] & 0x80))
               || (n->data[0] == 0xff && !(n->data[1] & 0x80)));
}

/* ... that is positive, and its number of bytes. */
static apr_size_t positive(const sniv_bytes_t *n)
{
    if (!is_integer(n) || (n->data[0] & 0x80)) {
        return 0;
    }
    if (n->data[0] == 0) {
        return n->len - 1;
    }
    return n->len;
}

/* Name: relative names of one OID and one short ASCII string each. */
static int is_name(sniv_bytes_t in)
{
    sniv_bytes_t set, pair, oid, text;
    apr_size_t i;

    if (!sniv_der_take(&in, 0x30, &in, NULL)) {
        return 0;
    }
    while (in.len > 0) {
        if (!sniv_der_take(&in, 0x31, &set, NULL)
            || !sniv_der_take(&set, 0x30, &pair, NULL) || set.len > 0
            || !sniv_der_take(&pair, 0x06, &oid, NULL) || !is_oid(&oid)
            || !(sniv_der_take(&pair, 0x0c, &text, NULL)
                 || sniv_der_take(&pair, 0x13, &text, NULL))
            || pair.len > 0) {
            return 0;
        }
        for (i = 0; i < text.len; i++) {
            if (text.data[i] < ' ' || text.data[i] > '~') {
                return 0;
            }
        }
    }
    return 1;
}

/* AlgorithmIdentifier of a signature, without its tag and length. */
static const signature_t *signature_of(sniv_bytes_t in)
{
    sniv_bytes_t oid, null;
    int i;

    if (!sniv_der_take(&in, 0x06, &oid, NULL)) {
        return NULL;
    }
    for (i = 0; i < NSIGNATURES; i++) {
        const signature_t *s = &signatures[i];

        if (oid.len == s->len && memcmp(oid.data, s->oid, s->len) == 0) {
            if (s->is_rsa && (!sniv_der_take(&in, 0x05, &null, NULL)
                              || null.len > 0)) {
                return NULL;
            }
            return in.len == 0 ? s : NULL;
        }
    }
    return NULL;
}

static int is_on_curve(sniv_plain_t *plain, int which,
                       const sniv_bytes_t *bytes)
{
    EC_GROUP **group = &plain->groups[which];
    EC_POINT **point = &plain->points[which];
    int ok;

    if (!plain->numbers) {
        plain->numbers = BN_CTX_new();
    }
    if (!*group) {
        *group = EC_GROUP_new_by_curve_name(curves[which].nid);
        *point = *group ? EC_POINT_new(*group) : NULL;
    }
    ok = *point && EC_POINT_oct2point(*group, *point, bytes->data,
                                      bytes->len, plain->numbers) == 1;
    if (!ok) {
        ERR_clear_error();
    }
    return ok;
}

static int rsa_level(const sniv_leaf_t *leaf)
{
    sniv_bytes_t in = leaf->public_key, n, e;

    if (!sniv_der_take(&in, 0x30, &in, NULL)
        || !sniv_der_take(&in, 0x02, &n, NULL) || positive(&n) == 0
        || !sniv_der_take(&in, 0x02, &e, NULL) || positive(&e) == 0
        || positive(&e) > 4 || in.len > 0 || !(n.data[n.len - 1] & 1)
        || leaf->bits > 8192) {
        return -1;
    }
    return leaf->bits >= 7680 ? 4 : leaf->bits >= 3072 ? 3
           : leaf->bits >= 2048 ? 2 : -1;
}

static int ec_level(sniv_plain_t *plain, const sniv_leaf_t *leaf)
{
    int i;

    for (i = 0; plain && i < NCURVES; i++) {
        const curve_t *curve = &curves[i];

        if (leaf->curve.len == curve->len
            && memcmp(leaf->curve.data, curve->oid, curve->len) == 0) {
            return leaf->public_key.len == 2u * curve->bytes + 1
                   && leaf->public_key.data[0] == 4
                   && is_on_curve(plain, i, &leaf->public_key)
                   ? curve->level : -1;
        }
    }
    return -1;
}

/* SubjectPublicKeyInfo: what sniv_der_leaf() has read, and nothing else. */
static int key_level(sniv_plain_t *plain, const sniv_leaf_t *leaf)
{
    sniv_bytes_t in = leaf->spki, algorithm, null;

    if (!sniv_der_take(&in, 0x30, &in, NULL)
        || !sniv_der_take(&in, 0x30, &algorithm, NULL)
        || !sniv_der_take(&in, 0x03, NULL, NULL) || in.len > 0
        || !sniv_der_take(&algorithm, 0x06, NULL, NULL)) {
        return -1;
    }
    if (leaf->kind == SNIV_KEY_RSA) {
        return sniv_der_take(&algorithm, 0x05, &null, NULL) && null.len == 0
               && algorithm.len == 0 ? rsa_level(leaf) : -1;
    }
    if (leaf->kind == SNIV_KEY_EC) {
        return sniv_der_take(&algorithm, 0x06, NULL, NULL)
               && algorithm.len == 0 ? ec_level(plain, leaf) : -1;
    }
    return -1;
}

/* Extensions: OID, perhaps critical, octets. */
static int are_extensions(sniv_bytes_t in)
{
    sniv_bytes_t one, oid, critical;

    if (!sniv_der_take(&in, 0xa3, &one, NULL) || in.len > 0
        || !sniv_der_take(&one, 0x30, &in, NULL) || one.len > 0) {
        return 0;
    }
    while (in.len > 0) {
        if (!sniv_der_take(&in, 0x30, &one, NULL)
            || !sniv_der_take(&one, 0x06, &oid, NULL) || !is_oid(&oid)
            || (sniv_der_take(&one, 0x01, &critical, NULL)
                && critical.len != 1)
            || !sniv_der_take(&one, 0x04, NULL, NULL) || one.len > 0) {
            return 0;
        }
    }
    return 1;
}

/* The signed part, without its tag and length. */
static const signature_t *read_tbs(sniv_bytes_t in, const sniv_leaf_t *leaf)
{
    sniv_bytes_t version, serial, algorithm, validity;

    if (!sniv_der_take(&in, 0xa0, &version, NULL) || version.len != 3
        || memcmp(version.data, "\2\1\2", 3) != 0
        || !sniv_der_take(&in, 0x02, &serial, NULL) || !is_integer(&serial)
        || !sniv_der_take(&in, 0x30, &algorithm, NULL)
        || !sniv_der_take(&in, 0x30, NULL, NULL)
        || !sniv_der_take(&in, 0x30, &validity, NULL)
        || !sniv_der_next(&validity, NULL, NULL)
        || !sniv_der_next(&validity, NULL, NULL) || validity.len > 0
        || !sniv_der_take(&in, 0x30, NULL, NULL)
        || !sniv_der_take(&in, 0x30, NULL, NULL)
        || !is_name(leaf->issuer) || !is_name(leaf->subject)
        || !are_extensions(in)) {
        return NULL;
    }
    return signature_of(algorithm);
}

int sniv_plain_cert(sniv_plain_t *plain, const sniv_bytes_t *der)
{
    sniv_bytes_t in = *der, tbs, algorithm, bits;
    const signature_t *signature;
    sniv_leaf_t leaf;
    int level;

    if (der->len > LONGEST || sniv_der_leaf(&leaf, der->data, der->len)
        || leaf.whole.len != der->len
        || !sniv_der_take(&in, 0x30, &in, NULL)
        || !sniv_der_take(&in, 0x30, &tbs, NULL)
        || !sniv_der_take(&in, 0x30, &algorithm, NULL)
        || !sniv_der_take(&in, 0x03, &bits, NULL) || in.len > 0
        || bits.len < 2 || bits.data[0] != 0) {
        return -1;
    }
    signature = read_tbs(tbs, &leaf);
    if (!signature || signature != signature_of(algorithm)) {
        return -1;
    }
    level = key_level(plain, &leaf);
    return level < signature->level ? level : signature->level;
}

/* RSAPrivateKey of two primes, nothing else. */
static int is_rsa_key(sniv_bytes_t in)
{
    sniv_bytes_t n;
    int i;

    if (!sniv_der_take(&in, 0x30, &in, NULL)
        || !sniv_der_take(&in, 0x02, &n, NULL)
        || n.len != 1 || n.data[0] != 0) {
        return 0;
    }
    for (i = 0; i < 8; i++) {
        if (!sniv_der_take(&in, 0x02, &n, NULL) || positive(&n) == 0) {
            return 0;
        }
    }
    return in.len == 0;
}

/* ECPrivateKey with everything in it, nothing else. */
static int is_ec_key(sniv_bytes_t in, apr_size_t bytes)
{
    sniv_bytes_t version, scalar, part;

    return sniv_der_take(&in, 0x30, &in, NULL)
           && sniv_der_take(&in, 0x02, &version, NULL)
           && version.len == 1 && version.data[0] == 1
           && sniv_der_take(&in, 0x04, &scalar, NULL)
           && scalar.len == bytes
           && sniv_der_take(&in, 0xa0, &part, NULL)
           && sniv_der_take(&part, 0x06, NULL, NULL) && part.len == 0
           && sniv_der_take(&in, 0xa1, &part, NULL)
           && sniv_der_take(&part, 0x03, NULL, NULL) && part.len == 0
           && in.len == 0;
}

int sniv_plain_key(const sniv_bytes_t *cert, sniv_key_e kind,
                   const sniv_bytes_t *key)
{
    sniv_leaf_t leaf;
    sniv_key_t read;

    if (kind == SNIV_KEY_OTHER || key->len > LONGEST
        || sniv_der_leaf(&leaf, cert->data, cert->len)
        || leaf.kind != kind
        || sniv_der_key(&read, kind == SNIV_KEY_RSA ? SNIV_KEY_LABEL_RSA
                                                    : SNIV_KEY_LABEL_EC,
                        key->data, key->len)
        || read.der.len != key->len) {
        return 0;
    }
    return (kind == SNIV_KEY_RSA
            ? is_rsa_key(read.der)
            : is_ec_key(read.der, (leaf.public_key.len - 1) / 2))
           && sniv_der_match(&leaf, &read) == 1;
}
