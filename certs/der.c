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

#include "certs/der.h"

#include <string.h>

#define TAG_BOOLEAN     0x01
#define TAG_INTEGER     0x02
#define TAG_BIT_STRING  0x03
#define TAG_OCTETS      0x04
#define TAG_OID         0x06
#define TAG_UTC_TIME    0x17
#define TAG_TIME        0x18
#define TAG_SEQUENCE    0x30
#define TAG_CONTEXT(n)  (0xa0 | (n))    /* constructed */
#define TAG_KEY_ID      0x80            /* [0] IMPLICIT OCTET STRING */
#define TAG_DNS_NAME    0x82            /* [2] IMPLICIT IA5String */

/* Object identifiers, content only. */
static const unsigned char oid_rsa[] =
    { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01 };
static const unsigned char oid_ec[] =
    { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01 };
static const unsigned char oid_dsa[] =
    { 0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01 };
static const unsigned char oid_p256[] =
    { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
static const unsigned char oid_p384[] = { 0x2b, 0x81, 0x04, 0x00, 0x22 };
static const unsigned char oid_p521[] = { 0x2b, 0x81, 0x04, 0x00, 0x23 };
static const unsigned char oid_rsa_md5[] =
    { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04 };
static const unsigned char oid_rsa_sha1[] =
    { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05 };
static const unsigned char oid_ecdsa_sha1[] =
    { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01 };
static const unsigned char oid_key_id[] = { 0x55, 0x1d, 0x0e };
static const unsigned char oid_issuer_key_id[] = { 0x55, 0x1d, 0x23 };
static const unsigned char oid_alt_name[] = { 0x55, 0x1d, 0x11 };
static const unsigned char oid_constraints[] = { 0x55, 0x1d, 0x13 };
static const unsigned char oid_ext_key_usage[] = { 0x55, 0x1d, 0x25 };
static const unsigned char oid_any_purpose[] = { 0x55, 0x1d, 0x25, 0x00 };
static const unsigned char oid_server_auth[] =
    { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01 };
static const unsigned char oid_info_access[] =
    { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01 };
static const unsigned char oid_ocsp[] =
    { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01 };
static const unsigned char oid_tls_feature[] =
    { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x18 };

#define IS_OID(bytes, oid) is_bytes(bytes, oid, sizeof(oid))

static int is_bytes(const sniv_bytes_t *bytes, const unsigned char *data,
                    apr_size_t len)
{
    return bytes->len == len && memcmp(bytes->data, data, len) == 0;
}

int sniv_bytes_equal(const sniv_bytes_t *a, const sniv_bytes_t *b)
{
    return a->len == b->len
           && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/*
 * Take the next element off the front of in. Accepts tags of one byte and
 * definite lengths of up to four bytes, which is all that certificates use.
 * content and whole may be NULL; content may be in itself: then go into the
 * element. Returns its tag, or 0 and nothing happens.
 */
static int next(sniv_bytes_t *in, sniv_bytes_t *content, sniv_bytes_t *whole)
{
    const unsigned char *p = in->data;
    apr_size_t left = in->len, len;
    int tag, n;

    if (left < 2 || (p[0] & 0x1f) == 0x1f) {
        return 0;
    }
    tag = p[0];
    len = p[1];
    p += 2;
    left -= 2;
    if (len & 0x80) {
        n = (int)(len & 0x7f);
        if (n == 0 || n > 4 || (apr_size_t)n > left) {
            return 0;
        }
        for (len = 0; n > 0; n--, left--) {
            len = len << 8 | *p++;
        }
    }
    if (len > left) {
        return 0;
    }
    if (whole) {
        whole->data = in->data;
        whole->len = (apr_size_t)(p + len - in->data);
    }
    in->data = p + len;
    in->len = left - len;
    if (content) {
        content->data = p;
        content->len = len;
    }
    return tag;
}

/* Take the next element, which must have this tag; else nothing happens. */
static int expect(sniv_bytes_t *in, int tag, sniv_bytes_t *content,
                  sniv_bytes_t *whole)
{
    return in->len > 0 && in->data[0] == tag
           && next(in, content, whole) == tag;
}

static int peek(const sniv_bytes_t *in)
{
    return in->len ? in->data[0] : 0;
}

/* The bits of a BIT STRING's content, if they fill their bytes. */
static int whole_bits(const sniv_bytes_t *content, sniv_bytes_t *bits)
{
    if (content->len < 2 || content->data[0] != 0) {
        return 0;
    }
    bits->data = content->data + 1;
    bits->len = content->len - 1;
    return 1;
}

/* Number of significant bits of an INTEGER, given with tag and length. */
static int integer_bits(const sniv_bytes_t *integer)
{
    sniv_bytes_t in = *integer, value;
    unsigned top;
    int bits;

    if (!expect(&in, TAG_INTEGER, &value, NULL)) {
        return 0;
    }
    while (value.len > 0 && value.data[0] == 0) {
        value.data++;
        value.len--;
    }
    if (value.len == 0 || value.len > 65536) {
        return 0;
    }
    bits = (int)(value.len - 1) * 8;
    for (top = value.data[0]; top; top >>= 1) {
        bits++;
    }
    return bits;
}

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static apr_int64_t days_to(int year, int month, int day)
{
    static const short before[] =
        { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
    apr_int64_t days;
    int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    int y = year - 1;

    days = (apr_int64_t)y * 365 + y / 4 - y / 100 + y / 400 - 719162;
    return days + before[month - 1] + (leap && month > 2) + day - 1;
}

/* RFC 5280 4.1.2.5: YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ and nothing else. */
static int read_time(sniv_bytes_t *in, apr_time_t *time)
{
    sniv_bytes_t text;
    int tag = next(in, &text, NULL);
    apr_size_t i;
    int year, v[5];

    if (!(tag == TAG_UTC_TIME && text.len == 13)
        && !(tag == TAG_TIME && text.len == 15)) {
        return 0;
    }
    for (i = 0; i + 1 < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return 0;
        }
    }
    if (text.data[i] != 'Z') {
        return 0;
    }
#define TWO(p) (((p)[0] - '0') * 10 + (p)[1] - '0')
    if (tag == TAG_TIME) {
        year = TWO(text.data) * 100 + TWO(text.data + 2);
        text.data += 4;
    }
    else {
        year = TWO(text.data);
        year += year < 50 ? 2000 : 1900;
        text.data += 2;
    }
    for (i = 0; i < 5; i++) {
        v[i] = TWO(text.data + 2 * i);
    }
#undef TWO
    if (year < 1 || v[0] < 1 || v[0] > 12 || v[1] < 1 || v[1] > 31
        || v[2] > 23 || v[3] > 59 || v[4] > 60) {
        return 0;
    }
    *time = apr_time_from_sec(days_to(year, v[0], v[1]) * 86400
                              + v[2] * 3600 + v[3] * 60 + v[4]);
    return 1;
}

/*
 * AlgorithmIdentifier, content: the key's kind, and its curve. A curve that
 * is not named by an OID makes it SNIV_KEY_OTHER.
 */
static int read_algorithm(sniv_bytes_t in, sniv_key_e *kind,
                          sniv_bytes_t *curve)
{
    sniv_bytes_t oid;

    if (!expect(&in, TAG_OID, &oid, NULL)) {
        return 0;
    }
    *kind = SNIV_KEY_OTHER;
    if (IS_OID(&oid, oid_rsa)) {
        *kind = SNIV_KEY_RSA;
    }
    else if (IS_OID(&oid, oid_ec)
             && expect(&in, TAG_OID, NULL, curve)) {
        *kind = SNIV_KEY_EC;
    }
    return 1;
}

/* AlgorithmIdentifier, content: whether TLS clients have to be told to take
 * it. */
static int is_rare(sniv_bytes_t in)
{
    sniv_bytes_t oid;

    if (!expect(&in, TAG_OID, &oid, NULL) || !IS_OID(&oid, oid_ec)) {
        return IS_OID(&oid, oid_dsa);
    }
    return expect(&in, TAG_OID, &oid, NULL) && !IS_OID(&oid, oid_p256)
           && !IS_OID(&oid, oid_p384) && !IS_OID(&oid, oid_p521);
}

static int read_spki(sniv_leaf_t *leaf)
{
    sniv_bytes_t in = leaf->spki, algorithm, bits, modulus;

    if (!expect(&in, TAG_SEQUENCE, &in, NULL)
        || !expect(&in, TAG_SEQUENCE, &algorithm, NULL)
        || !read_algorithm(algorithm, &leaf->kind, &leaf->curve)
        || !expect(&in, TAG_BIT_STRING, &bits, NULL)
        || !whole_bits(&bits, &leaf->public_key)) {
        return 0;
    }
    leaf->is_rare = is_rare(algorithm) & 1;
    if (leaf->kind == SNIV_KEY_RSA) {
        in = leaf->public_key;
        if (!expect(&in, TAG_SEQUENCE, &in, NULL)
            || !expect(&in, TAG_INTEGER, NULL, &modulus)) {
            return 0;
        }
        leaf->bits = integer_bits(&modulus);
        if (leaf->bits < 2048) {
            leaf->is_weak = 1;
        }
    }
    return 1;
}

/* Extension values: what cannot be read counts as not there. */

static void read_info_access(sniv_leaf_t *leaf, sniv_bytes_t in)
{
    sniv_bytes_t access, method;

    if (!expect(&in, TAG_SEQUENCE, &in, NULL)) {
        return;
    }
    while (expect(&in, TAG_SEQUENCE, &access, NULL)) {
        if (expect(&access, TAG_OID, &method, NULL)
            && IS_OID(&method, oid_ocsp)) {
            leaf->has_ocsp = 1;
        }
    }
}

static void read_tls_feature(sniv_leaf_t *leaf, sniv_bytes_t in)
{
    sniv_bytes_t feature;

    if (!expect(&in, TAG_SEQUENCE, &in, NULL)) {
        return;
    }
    while (expect(&in, TAG_INTEGER, &feature, NULL)) {
        if (feature.len == 1 && feature.data[0] == 5) {
            leaf->must_staple = 1;
        }
    }
}

static void read_key_usage(sniv_leaf_t *leaf, sniv_bytes_t in)
{
    sniv_bytes_t purpose;

    if (!expect(&in, TAG_SEQUENCE, &in, NULL)) {
        return;
    }
    leaf->is_not_for_servers = 1;
    while (expect(&in, TAG_OID, &purpose, NULL)) {
        if (IS_OID(&purpose, oid_server_auth)
            || IS_OID(&purpose, oid_any_purpose)) {
            leaf->is_not_for_servers = 0;
        }
    }
}

static void read_constraints(sniv_leaf_t *leaf, sniv_bytes_t in)
{
    sniv_bytes_t ca;

    if (expect(&in, TAG_SEQUENCE, &in, NULL)
        && expect(&in, TAG_BOOLEAN, &ca, NULL)
        && ca.len == 1 && ca.data[0] != 0) {
        leaf->is_ca = 1;
    }
}

static int read_extensions(sniv_leaf_t *leaf, sniv_bytes_t in)
{
    sniv_bytes_t extension, oid, value;

    if (!expect(&in, TAG_SEQUENCE, &in, NULL)) {
        return 0;
    }
    while (in.len > 0) {
        if (!expect(&in, TAG_SEQUENCE, &extension, NULL)
            || !expect(&extension, TAG_OID, &oid, NULL)) {
            return 0;
        }
        expect(&extension, TAG_BOOLEAN, NULL, NULL);    /* critical */
        if (!expect(&extension, TAG_OCTETS, &value, NULL)) {
            return 0;
        }
        if (IS_OID(&oid, oid_alt_name)) {
            if (!expect(&value, TAG_SEQUENCE, &leaf->names, NULL)) {
                return 0;
            }
        }
        else if (IS_OID(&oid, oid_key_id)) {
            expect(&value, TAG_OCTETS, &leaf->key_id, NULL);
        }
        else if (IS_OID(&oid, oid_issuer_key_id)) {
            if (expect(&value, TAG_SEQUENCE, &value, NULL)) {
                expect(&value, TAG_KEY_ID, &leaf->issuer_key_id, NULL);
            }
        }
        else if (IS_OID(&oid, oid_info_access)) {
            read_info_access(leaf, value);
        }
        else if (IS_OID(&oid, oid_tls_feature)) {
            read_tls_feature(leaf, value);
        }
        else if (IS_OID(&oid, oid_ext_key_usage)) {
            read_key_usage(leaf, value);
        }
        else if (IS_OID(&oid, oid_constraints)) {
            read_constraints(leaf, value);
        }
    }
    return 1;
}

const char *sniv_der_leaf(sniv_leaf_t *leaf, const unsigned char *der,
                          apr_size_t len)
{
    sniv_bytes_t in, tbs, validity, algorithm;

    memset(leaf, 0, sizeof(*leaf));
    in.data = der;
    in.len = len;
    if (!expect(&in, TAG_SEQUENCE, &in, &leaf->whole)
        || !expect(&in, TAG_SEQUENCE, &tbs, NULL)
        || !expect(&in, TAG_SEQUENCE, &algorithm, NULL)
        || !expect(&algorithm, TAG_OID, &leaf->signature, NULL)
        || peek(&in) != TAG_BIT_STRING) {
        return "holds something that is not a certificate";
    }
    if (peek(&tbs) == TAG_CONTEXT(0)) {     /* version */
        next(&tbs, NULL, NULL);
    }
    if (!expect(&tbs, TAG_INTEGER, NULL, NULL)
        || !expect(&tbs, TAG_SEQUENCE, NULL, NULL)
        || !expect(&tbs, TAG_SEQUENCE, NULL, &leaf->issuer)) {
        return "holds something that is not a certificate";
    }
    if (!expect(&tbs, TAG_SEQUENCE, &validity, NULL)
        || !read_time(&validity, &leaf->not_before)
        || !read_time(&validity, &leaf->not_after)) {
        return "holds a certificate with an unreadable validity";
    }
    if (!expect(&tbs, TAG_SEQUENCE, NULL, &leaf->subject)
        || !expect(&tbs, TAG_SEQUENCE, NULL, &leaf->spki)
        || !read_spki(leaf)) {
        return "holds a certificate with an unreadable public key";
    }
    while (tbs.len > 0) {
        int tag = next(&tbs, &in, NULL);

        if (tag == 0 || (tag == TAG_CONTEXT(3)
                         && !read_extensions(leaf, in))) {
            return "holds a certificate with unreadable extensions";
        }
    }
    if (IS_OID(&leaf->signature, oid_rsa_md5)
        || IS_OID(&leaf->signature, oid_rsa_sha1)
        || IS_OID(&leaf->signature, oid_ecdsa_sha1)) {
        leaf->is_weak = 1;
    }
    return NULL;
}

int sniv_der_name(const sniv_leaf_t *leaf, apr_size_t *at,
                  sniv_bytes_t *name)
{
    sniv_bytes_t in;
    apr_size_t i;
    int tag;

    if (*at >= leaf->names.len) {
        return 0;
    }
    in.data = leaf->names.data + *at;
    in.len = leaf->names.len - *at;
    while ((tag = next(&in, name, NULL)) != 0) {
        *at = leaf->names.len - in.len;
        if (tag != TAG_DNS_NAME || name->len == 0 || name->len > 253) {
            continue;
        }
        for (i = 0; i < name->len; i++) {
            if (name->data[i] <= ' ' || name->data[i] > '~') {
                break;
            }
        }
        if (i == name->len) {
            return 1;
        }
    }
    *at = leaf->names.len;
    return 0;
}

/* RSAPrivateKey, RFC 8017 A.1.2: version, n, e, ... */
static int read_rsa_key(sniv_key_t *key, sniv_bytes_t in)
{
    if (!expect(&in, TAG_SEQUENCE, &in, &key->der)
        || !expect(&in, TAG_INTEGER, NULL, NULL)
        || !expect(&in, TAG_INTEGER, NULL, &key->modulus)
        || !expect(&in, TAG_INTEGER, NULL, &key->exponent)
        || peek(&in) != TAG_INTEGER) {
        return 0;
    }
    key->kind = SNIV_KEY_RSA;
    return 1;
}

/* ECPrivateKey, RFC 5915: 1, OCTET STRING, [0] curve, [1] public key */
static int read_ec_key(sniv_key_t *key, sniv_bytes_t in)
{
    sniv_bytes_t part, bits;

    if (!expect(&in, TAG_SEQUENCE, &in, &key->der)
        || !expect(&in, TAG_INTEGER, NULL, NULL)
        || !expect(&in, TAG_OCTETS, NULL, NULL)) {
        return 0;
    }
    key->kind = SNIV_KEY_EC;
    if (expect(&in, TAG_CONTEXT(0), &part, NULL)) {
        if (expect(&part, TAG_OID, NULL, &key->curve)) {
            key->has_curve = 1;
        }
        else {
            key->kind = SNIV_KEY_OTHER;
        }
    }
    if (expect(&in, TAG_CONTEXT(1), &part, NULL)) {
        if (!expect(&part, TAG_BIT_STRING, &bits, NULL)
            || !whole_bits(&bits, &key->public_key)) {
            return 0;
        }
    }
    return 1;
}

const char *sniv_der_key(sniv_key_t *key, sniv_key_label_e label,
                         const unsigned char *der, apr_size_t len)
{
    static const char damaged[] = "holds a damaged private key";
    sniv_bytes_t in, algorithm, inner, whole;
    sniv_key_e kind;

    memset(key, 0, sizeof(*key));
    in.data = der;
    in.len = len;
    switch (label) {
    case SNIV_KEY_LABEL_RSA:
        return read_rsa_key(key, in) ? NULL : damaged;
    case SNIV_KEY_LABEL_EC:
        if (!read_ec_key(key, in)) {
            return damaged;
        }
        if (!key->has_curve) {
            key->kind = SNIV_KEY_OTHER;
        }
        return NULL;
    default:
        break;
    }
    /* PrivateKeyInfo, RFC 5208: 0, AlgorithmIdentifier, OCTET STRING */
    if (!expect(&in, TAG_SEQUENCE, &in, &whole)
        || !expect(&in, TAG_INTEGER, NULL, NULL)
        || !expect(&in, TAG_SEQUENCE, &algorithm, NULL)
        || !read_algorithm(algorithm, &kind, &key->curve)
        || !expect(&in, TAG_OCTETS, &inner, NULL)) {
        return damaged;
    }
    if (kind == SNIV_KEY_RSA) {
        return read_rsa_key(key, inner) ? NULL : damaged;
    }
    if (kind == SNIV_KEY_EC) {
        sniv_bytes_t outer = key->curve;

        if (!read_ec_key(key, inner)) {
            return damaged;
        }
        if (key->kind == SNIV_KEY_EC
            && (!key->has_curve || sniv_bytes_equal(&outer, &key->curve))) {
            key->curve = outer;
            return NULL;
        }
    }
    memset(key, 0, sizeof(*key));
    key->kind = SNIV_KEY_OTHER;
    key->der = whole;
    return NULL;
}

int sniv_der_match(const sniv_leaf_t *leaf, const sniv_key_t *key)
{
    sniv_bytes_t in, modulus, exponent;

    if (leaf->kind == SNIV_KEY_OTHER || key->kind == SNIV_KEY_OTHER) {
        return -1;
    }
    if (leaf->kind != key->kind) {
        return 0;
    }
    if (leaf->kind == SNIV_KEY_EC) {
        if (!sniv_bytes_equal(&leaf->curve, &key->curve)) {
            return 0;
        }
        if (key->public_key.len == 0) {
            return -1;
        }
        if (sniv_bytes_equal(&leaf->public_key, &key->public_key)) {
            return 1;
        }
        /* the same point may be written compressed on one side */
        return leaf->public_key.len == key->public_key.len ? 0 : -1;
    }
    in = leaf->public_key;
    return expect(&in, TAG_SEQUENCE, &in, NULL)
           && expect(&in, TAG_INTEGER, NULL, &modulus)
           && expect(&in, TAG_INTEGER, NULL, &exponent)
           && sniv_bytes_equal(&modulus, &key->modulus)
           && sniv_bytes_equal(&exponent, &key->exponent);
}

/* Write tag and length; out may be NULL to count only. */
static apr_size_t put_header(unsigned char *out, int tag, apr_size_t len)
{
    unsigned char head[6];
    apr_size_t n = 2, i;

    head[0] = (unsigned char)tag;
    if (len < 0x80) {
        head[1] = (unsigned char)len;
    }
    else {
        apr_size_t bytes = len > 0xffff ? 3 : len > 0xff ? 2 : 1;

        head[1] = (unsigned char)(0x80 | bytes);
        for (i = bytes; i > 0; i--) {
            head[n++] = (unsigned char)(len >> (8 * (i - 1)));
        }
    }
    if (out) {
        memcpy(out, head, n);
    }
    return n;
}

apr_size_t sniv_der_ec_key(const sniv_key_t *key, unsigned char *out)
{
    sniv_bytes_t in = key->der, rest, head;
    apr_size_t tagged, body, n;

    if (key->kind != SNIV_KEY_EC || key->der.len > 0xffff
        || key->curve.len > 0xff
        || !expect(&in, TAG_SEQUENCE, &in, NULL)) {
        return 0;
    }
    if (key->has_curve) {
        memcpy(out, key->der.data, key->der.len);
        return key->der.len;
    }
    head.data = in.data;
    rest = in;
    if (!expect(&rest, TAG_INTEGER, NULL, NULL)
        || !expect(&rest, TAG_OCTETS, NULL, NULL)) {
        return 0;
    }
    head.len = (apr_size_t)(rest.data - head.data);
    tagged = put_header(NULL, TAG_CONTEXT(0), key->curve.len)
             + key->curve.len;
    body = head.len + tagged + rest.len;
    n = put_header(out, TAG_SEQUENCE, body);
    memcpy(out + n, head.data, head.len);
    n += head.len;
    n += put_header(out + n, TAG_CONTEXT(0), key->curve.len);
    memcpy(out + n, key->curve.data, key->curve.len);
    n += key->curve.len;
    memcpy(out + n, rest.data, rest.len);
    return n + rest.len;
}

int sniv_der_next(sniv_bytes_t *in, sniv_bytes_t *content,
                  sniv_bytes_t *whole)
{
    return next(in, content, whole);
}

int sniv_der_take(sniv_bytes_t *in, int tag, sniv_bytes_t *content,
                  sniv_bytes_t *whole)
{
    return expect(in, tag, content, whole);
}
