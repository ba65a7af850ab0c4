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

#ifndef SNIVHOST_CERTS_ENTRY_H
#define SNIVHOST_CERTS_ENTRY_H

/**
 * @file certs/entry.h
 * What one virtual host serves, as bytes and as OpenSSL's objects.
 *
 * Three shapes of the same thing, each for its place:
 *
 *     files       certs/reader.h reads them as root, pairs certificates with
 *                 keys and checks that they belong together
 *     record      bytes without pointers, for memory that children read. The
 *                 chains are not in it but in records of their own, which
 *                 many entries share
 *     sniv_live_t X509 and EVP_PKEY, made in a child when a handshake needs
 *                 them
 *
 * Records are input for who reads them: every length is checked. Nothing
 * here has a state; any thread.
 */

#include <openssl/ssl.h>

#include "certs/types.h"
#include "certs/der.h"

/** Certificates (with a key each) in one entry. */
#define SNIV_PAIRS_MAX 8

/** A certificate, its key, its chain. */
typedef struct sniv_pair_t {
    sniv_key_e kind;            /**< how key is to be decoded */
    sniv_bytes_t leaf;
    sniv_bytes_t key;           /**< RSAPrivateKey, ECPrivateKey, or anything
                                     that d2i_AutoPrivateKey() takes */
    sniv_bytes_t chain;         /**< a chain record; empty in a record */
    apr_uint32_t chain_slot;    /**< the caller's: where the chain is */
    apr_uint64_t chain_version; /**< the caller's; 0: no chain */
} sniv_pair_t;

/** An entry; the bytes belong to another. */
typedef struct sniv_entry_t {
    sniv_pair_t pairs[SNIV_PAIRS_MAX];  /**< in the order of slots */
    int npairs;
    apr_time_t not_before;
    apr_time_t not_after;
    apr_time_t chain_from;      /**< when the chain is valid, where that is */
    apr_time_t chain_until;     /**< narrower; 0: it is not */
    unsigned flags;             /**< SNIV_CERT_* */
    sniv_scope_t scope;         /**< the caller's */
    sniv_bytes_t files;         /**< paths, each with its NUL */
    apr_uint64_t parameters;    /**< a digest of the DH and EC PARAMETERS of
                                     the first file; not in a record */
} sniv_entry_t;

/** Bytes of an entry's record. */
apr_size_t sniv_record_size(const sniv_entry_t *entry);

/** Write the record; room for sniv_record_size(). */
void sniv_record_write(const sniv_entry_t *entry, unsigned char *out);

/** Bytes of a record that say how many pairs there are, and when valid. */
#define SNIV_RECORD_HEAD 56u

/** Read these alone: flags, scope and times. @return 0 if it is no record */
int sniv_record_head(sniv_entry_t *entry,
                     const unsigned char bytes[SNIV_RECORD_HEAD]);

/** Read a record. @return 0 if it is none. */
int sniv_record_parse(sniv_entry_t *entry, const unsigned char *bytes,
                      apr_size_t len);

/**
 * The next certificate of a chain record.
 * @param at zero at first
 * @return 1, 0 at the end, -1 if it is no chain record
 */
int sniv_chain_next(const sniv_bytes_t *chain, apr_size_t *at,
                    sniv_bytes_t *cert);

/** Decoded. All are OpenSSL's reference counted objects. */
typedef struct sniv_live_t {
    X509 *leaf[SNIV_PAIRS_MAX];
    EVP_PKEY *key[SNIV_PAIRS_MAX];
    STACK_OF(X509) *chain[SNIV_PAIRS_MAX];  /**< never NULL if key is not */
    int npairs;
} sniv_live_t;

/**
 * Decode the leaves of a parsed record, and the keys unless leaf_only. The
 * chains are left to the caller.
 * @return NULL, or a constant phrase; then nothing is kept
 */
const char *sniv_live_decode(sniv_live_t *live, const sniv_entry_t *entry,
                             int leaf_only);

/** Decode a chain record. @return NULL on failure. */
STACK_OF(X509) *sniv_chain_decode(const sniv_bytes_t *chain);

void sniv_live_free(sniv_live_t *live);

/**
 * Whether a dNSName covers a host name: equal, or `*.` and the rest of the
 * host after its first label (RFC 9525, 6.3), which has two labels. ASCII
 * case does not count.
 */
int sniv_name_covers(const char *name, apr_size_t name_len,
                     const char *host, apr_size_t host_len);

/**
 * Whether a dNSName is one that something can be found by: a name, or `*.`
 * and a name of two labels; no other `*`.
 */
int sniv_name_is_usable(const char *name, apr_size_t len);

/** Turn ASCII letters into small ones. */
void sniv_name_lower(char *name);

#endif /* SNIVHOST_CERTS_ENTRY_H */
