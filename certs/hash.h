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

#ifndef SNIVHOST_CERTS_HASH_H
#define SNIVHOST_CERTS_HASH_H

/**
 * @file certs/hash.h
 * Hashes with a key that is not known outside.
 *
 * Names in certificates, names of files and the bytes of chains come from
 * untrusted users: a customer that uploads a certificate chooses its names.
 * With a hash that anyone can compute, 60,000 could be chosen that all meet in
 * one place. The key is drawn from the system's random source
 * once per process that makes a store; its children inherit it.
 *
 * Not for the names of virtual hosts (names/): those are the
 * administrator's, and a client's host can only probe one line of them.
 */

#include <apr_hash.h>
#include <apr_pools.h>

/** Draw the key, if there is none yet. One thread, before any other call. */
void sniv_hash_key_init(void);

/** The hash of bytes; another one for each salt. Any thread. */
apr_uint64_t sniv_hash_bytes(const void *bytes, apr_size_t len,
                             apr_uint64_t salt);

/** A table of APR's that uses it. Draws the key. */
apr_hash_t *sniv_hash_table(apr_pool_t *p);

#endif /* SNIVHOST_CERTS_HASH_H */
