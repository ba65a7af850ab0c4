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

#ifndef SNIVHOST_CERTS_DER_H
#define SNIVHOST_CERTS_DER_H

/**
 * @file certs/der.h
 * Just enough DER to file a certificate and its key: which names, how long,
 * which public key, and whether the two belong together.
 *
 * OpenSSL needs 0.1 ms to parse a certificate and 0.6 ms to decode a key from
 * PEM. With thousands of them at every start most of that is for nothing: no
 * visitor may ever come for a name. So the start reads what is here, in a few
 * microseconds, and OpenSSL decodes with the first handshake. Nothing here
 * verifies anything; bytes that only look like a certificate are refused
 * then.
 *
 * All results point into the bytes given. Every length is checked against
 * what remains; nesting is not followed but step by step. Pure: no
 * allocation, no global state, any thread.
 */

#include <apr.h>
#include <apr_time.h>

/** Some bytes. */
typedef struct sniv_bytes_t {
    const unsigned char *data;  /**< NULL if absent */
    apr_size_t len;
} sniv_bytes_t;

/** Kinds of keys, in the order of OpenSSL's certificate slots. */
typedef enum {
    SNIV_KEY_RSA,
    SNIV_KEY_EC,            /**< on a named curve */
    SNIV_KEY_OTHER          /**< RSA-PSS, Ed25519, explicit curves, ... */
} sniv_key_e;

/** What a certificate says. */
typedef struct sniv_leaf_t {
    sniv_bytes_t whole;     /**< the certificate without trailing bytes */
    sniv_bytes_t signature; /**< OID of the signature algorithm, content */
    sniv_bytes_t issuer;    /**< Name, with tag and length */
    sniv_bytes_t subject;   /**< Name, with tag and length */
    apr_time_t not_before;
    apr_time_t not_after;
    sniv_bytes_t spki;      /**< SubjectPublicKeyInfo, with tag and length */
    sniv_key_e kind;
    sniv_bytes_t curve;     /**< SNIV_KEY_EC: OID, with tag and length */
    sniv_bytes_t public_key;/**< content of the bit string */
    int bits;               /**< SNIV_KEY_RSA: of the modulus */
    sniv_bytes_t key_id;    /**< subjectKeyIdentifier; may be absent */
    sniv_bytes_t issuer_key_id; /**< of authorityKeyIdentifier */
    sniv_bytes_t names;     /**< GeneralNames of subjectAltName, content */
    unsigned is_ca : 1;     /**< basicConstraints cA */
    unsigned has_ocsp : 1;  /**< an OCSP address in authorityInfoAccess */
    unsigned must_staple : 1;/**< TLS feature status_request */
    unsigned is_not_for_servers : 1;/**< by its extendedKeyUsage */
    unsigned is_rare : 1;   /**< its key is on another curve than P-256, P-384
                                 and P-521, or DSA */
    unsigned is_weak : 1;   /**< signed with MD5 or SHA-1, or RSA below 2048
                                 bits */
} sniv_leaf_t;

/**
 * Read a certificate.
 * @param der one Certificate; what follows it is ignored (OpenSSL's TRUSTED
 *        CERTIFICATE has more)
 * @return NULL, or a constant phrase that says what is wrong
 */
const char *sniv_der_leaf(sniv_leaf_t *leaf, const unsigned char *der,
                          apr_size_t len);

/**
 * The next dNSName of a certificate that can be a host name: 1 to 253 bytes
 * of printable ASCII.
 * @param at where the search is: zero at first
 * @return 1, or 0 if there is none left
 */
int sniv_der_name(const sniv_leaf_t *leaf, apr_size_t *at,
                  sniv_bytes_t *name);

/** What a private key says about itself. */
typedef struct sniv_key_t {
    sniv_key_e kind;
    sniv_bytes_t der;       /**< SNIV_KEY_RSA: RSAPrivateKey. SNIV_KEY_EC:
                                 ECPrivateKey, perhaps without its curve */
    sniv_bytes_t curve;     /**< SNIV_KEY_EC: OID, with tag and length */
    sniv_bytes_t public_key;/**< SNIV_KEY_EC: content of the bit string, may
                                 be absent */
    sniv_bytes_t modulus;   /**< SNIV_KEY_RSA: INTEGER, with tag and length */
    sniv_bytes_t exponent;  /**< SNIV_KEY_RSA: INTEGER, with tag and length */
    int has_curve;          /**< SNIV_KEY_EC: der holds the curve */
} sniv_key_t;

/** What a PEM label says a key is. */
typedef enum {
    SNIV_KEY_LABEL_ANY,     /**< PRIVATE KEY: PKCS #8 */
    SNIV_KEY_LABEL_RSA,     /**< RSA PRIVATE KEY: PKCS #1 */
    SNIV_KEY_LABEL_EC       /**< EC PRIVATE KEY: RFC 5915 */
} sniv_key_label_e;

/**
 * Read a private key.
 * @return NULL, or a constant phrase that says what is wrong. A key that is
 *         well formed and not understood is SNIV_KEY_OTHER
 */
const char *sniv_der_key(sniv_key_t *key, sniv_key_label_e label,
                         const unsigned char *der, apr_size_t len);

/**
 * Whether a key belongs to a certificate.
 * @return 1 yes, 0 no, -1 cannot be told here: decode both
 */
int sniv_der_match(const sniv_leaf_t *leaf, const sniv_key_t *key);

/**
 * Write an ECPrivateKey that holds its curve.
 * @param out room for key->der.len + key->curve.len + 16 bytes
 * @return bytes written, or 0 if the key cannot be written so
 */
apr_size_t sniv_der_ec_key(const sniv_key_t *key, unsigned char *out);

/**
 * Take the next element off the front of in: tags of one byte, definite
 * lengths of up to four bytes.
 * @param content may be NULL, or in itself: to go into the element
 * @param whole may be NULL
 * @return its tag, or 0 and nothing happens
 */
int sniv_der_next(sniv_bytes_t *in, sniv_bytes_t *content,
                  sniv_bytes_t *whole);

/** The same if the tag is this one. @return 1, or 0 and nothing happens */
int sniv_der_take(sniv_bytes_t *in, int tag, sniv_bytes_t *content,
                  sniv_bytes_t *whole);

/** Whether two views hold the same bytes. */
int sniv_bytes_equal(const sniv_bytes_t *a, const sniv_bytes_t *b);

#endif /* SNIVHOST_CERTS_DER_H */
