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


#ifndef SNIVHOST_CERTS_ENVELOPE_H
#define SNIVHOST_CERTS_ENVELOPE_H

/**
 * @file certs/envelope.h
 * Entries of a store, sealed: who has the store or a copy of it and not the
 * key reads none, changes none, and cannot give one the ID of another.
 *
 *     -----BEGIN SNIVHOST ENVELOPE-----
 *     base64 of: version (1 byte), id of the key (8), nonce (12),
 *                AES-256-GCM of the entry, tag (16)
 *     -----END SNIVHOST ENVELOPE-----
 *
 * The additional data are "snivhost envelope 1", a NUL and the ID. An old
 * envelope of the same ID is as good as a new one: who may write to a store
 * can bring back what was there before.
 *
 * A file of keys has one to four lines of 64 hex digits; the first one seals,
 * all open. So keys are changed: the new one is added at the end everywhere,
 * then put in front, entries are sealed anew, and the old one is removed.
 *
 * Pure, any thread.
 */

#include <apr.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNIV_STORE_KEYS_MAX 4

typedef struct sniv_store_key_t {
    unsigned char id[8];
    unsigned char key[32];
} sniv_store_key_t;

typedef struct sniv_store_keys_t {
    int n;
    sniv_store_key_t keys[SNIV_STORE_KEYS_MAX];
} sniv_store_keys_t;

/**
 * Read a file of keys, which nobody but its owner may read: root or who this
 * process is.
 * @return NULL, or a constant phrase that completes "FILE ..."
 */
const char *sniv_store_keys_read(sniv_store_keys_t *keys, const char *path);

void sniv_store_keys_wipe(sniv_store_keys_t *keys);

/** Why an entry is refused where there are keys: anyone who may write to the
 * store could have put it there. */
extern const char sniv_not_sealed[];

/** Whether some bytes are meant to be an envelope. */
int sniv_envelope_is(const unsigned char *bytes, apr_size_t len);

/** Bytes of the envelope of so many. */
apr_size_t sniv_envelope_room(apr_size_t len);

/**
 * Seal with the first key.
 * @param out room for sniv_envelope_room()
 * @return bytes written, 0: it failed
 */
apr_size_t sniv_envelope_seal(const sniv_store_keys_t *keys, const char *id,
                              apr_size_t id_len, const unsigned char *bytes,
                              apr_size_t len, unsigned char *out);

/**
 * Open an envelope in place.
 * @param len receives what is in it; on failure all is wiped
 * @param which receives the number of its key; may be NULL
 * @return NULL, or a constant phrase that completes "FILE ..."
 */
const char *sniv_envelope_open(const sniv_store_keys_t *keys, const char *id,
                               apr_size_t id_len, unsigned char *bytes,
                               apr_size_t *len, int *which);

#ifdef __cplusplus
}
#endif

#endif /* SNIVHOST_CERTS_ENVELOPE_H */
