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


#ifndef SNIVHOST_TLS_MIRROR_H
#define SNIVHOST_TLS_MIRROR_H

/**
 * @file tls/mirror.h
 * SNIVHostCertificates redis://...: a store as a folder.
 *
 *     Redis, Valkey --> snivhost-store copy --> folder --> all that folders
 *                       (a program)                        have: tls/store.h
 *
 * The parent runs one program for each store. It alone has a connection and
 * a password; httpd's processes have neither, nor any code for them. What it
 * has copied is there after a restart and when the store is gone. The parent
 * waits for it at start, no longer than the address says, and then looks from
 * time to time at what the program notes about itself.
 *
 * Configuration time and monitor, one thread; snivhost_mirror_get() any.
 */

#include "certs/challenge.h"
#include "module/record.h"

/** Whether an address is one. @return NULL, or what is wrong */
const char *snivhost_mirror_check(const char *url, apr_pool_t *p);

/** How a store is doing. */
typedef struct snivhost_mirror_info_t {
    const char *url;            /**< without its parameters */
    int is_good;                /**< the last attempt was */
    apr_time_t read;            /**< the last one that was; 0: never */
    apr_int64_t version;
    apr_uint32_t entries;       /**< in the copy */
    apr_uint32_t skipped;       /**< in the store, and cannot be used */
    apr_uint32_t failures;      /**< attempts since the program runs */
    apr_uint64_t ring;          /**< generation of the session ticket secrets
                                     that are shared; 0: none are */
} snivhost_mirror_info_t;

/** The i-th store. @return 0: no more. Any process. */
int snivhost_mirror_get(int i, snivhost_mirror_info_t *info);

/** Whether a folder of certificates is the copy of a store. */
int snivhost_mirror_is_copy(const char *path);

/**
 * Of the first store, which has the secrets of session tickets for all
 * servers: see tls/ringstore.h.
 * @param trouble receives why they cannot be read or put, or ""
 * @return 0: there is no store. The parent
 */
int snivhost_mirror_ring(const char **url, const char **dir,
                         const char **prefix, const char **trouble);

/** Note which of them are in use. The parent */
void snivhost_mirror_set_ring(apr_uint64_t generation);

/**
 * The same for answers to challenges of certificate authorities.
 * @param dirfd receives a folder of them: one file each, named by its ID
 * @return 0: there is no store, or no key. Any process
 */
int snivhost_mirror_challenges(int *dirfd, const char **prefix,
                               const sniv_challenge_keys_t **keys);

/* The phases, for the hook table in mod_snivhost.c. */
int snivhost_mirror_check_config(apr_pool_t *pconf, apr_pool_t *plog,
                                 apr_pool_t *ptemp, server_rec *s);
int snivhost_mirror_start(apr_pool_t *pconf, apr_pool_t *plog,
                          apr_pool_t *ptemp, server_rec *s);
int snivhost_mirror_monitor(apr_pool_t *p, server_rec *s);

#endif /* SNIVHOST_TLS_MIRROR_H */
