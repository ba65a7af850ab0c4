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

#ifndef SNIVHOST_CERTS_RINGBOX_H
#define SNIVHOST_CERTS_RINGBOX_H

/**
 * @file certs/ringbox.h
 * A ring of session ticket secrets as it lies in a store, sealed like an
 * entry (certs/envelope.h), but with an ID that no entry can have:
 *
 *     version (1 byte), number of secrets (1), generation (8),
 *     for each secret, the newest first: made (8, seconds), secret (32)
 *
 * Numbers are big-endian. Each change of a ring makes its generation one
 * more, so that one which somebody has kept and brings back is known as old.
 *
 * Pure, any thread.
 */

#include "certs/envelope.h"
#include "certs/ring.h"

/** Bytes of a sealed ring: the most that is looked at. */
#define SNIV_RING_BOX_MAX 1024

/**
 * Seal a ring.
 * @param prefix of the store: a ring of another one is refused
 * @param out room for SNIV_RING_BOX_MAX
 * @return bytes written, 0: it failed
 */
apr_size_t sniv_ring_seal(const sniv_ring_t *ring,
                          const sniv_store_keys_t *keys, const char *prefix,
                          unsigned char *out);

/**
 * Open a sealed ring.
 * @param ring receives it; not touched if there is a reason
 * @param bytes overwritten
 * @return NULL, or a constant phrase that completes "the ring ..."
 */
const char *sniv_ring_open(sniv_ring_t *ring, const sniv_store_keys_t *keys,
                           const char *prefix, unsigned char *bytes,
                           apr_size_t len);

/** Whether two rings have the same secrets. */
int sniv_ring_is_same(const sniv_ring_t *a, const sniv_ring_t *b);

#endif /* SNIVHOST_CERTS_RINGBOX_H */
