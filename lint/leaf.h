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


#ifndef SNIVHOST_LINT_LEAF_H
#define SNIVHOST_LINT_LEAF_H

/**
 * @file lint/leaf.h
 * What the certificate in a file says about itself, for the lint and for
 * dumps: each file is read once, no key is decoded, nothing is verified. A
 * few microseconds for each, where sniv_certs_examine() needs hundreds
 * because it looks at keys and chains too.
 *
 * Configuration time, one thread. Everything lives in the pool of
 * snivhost_leaves_make().
 */

#include "apr_pools.h"
#include "apr_tables.h"
#include "apr_time.h"

#include "certs/types.h"

/** A certificate file. */
typedef struct snivhost_leaf_t {
    const char *path;
    int is_opened;              /**< the file could be read */
    int is_read;                /**< what follows is valid */
    int is_self_signed;
    int must_staple;            /**< TLS feature status_request */
    int names_issuer;           /**< says where its issuer's certificate is */
    const unsigned char *issuer;    /**< a Name, DER */
    apr_size_t issuer_len;
    int has_chain;              /**< certificates after it, if the order
                                     matters; and of these: */
    int is_disordered;          /**< one is not the issuer of the one before */
    int has_root;               /**< one is self-signed */
    apr_time_t not_before;
    apr_time_t not_after;
    const char *const *names;   /**< dNSNames of subjectAltName */
    int nnames;
    const char *fingerprint;    /**< SHA-256, if asked for */
    void *data;                 /**< the caller's, NULL at first */
} snivhost_leaf_t;

/** Files that were read. */
typedef struct snivhost_leaves_t snivhost_leaves_t;

/** @param with_fingerprints whether they are needed: a hash of each file */
snivhost_leaves_t *snivhost_leaves_make(apr_pool_t *p, int with_fingerprints);

/**
 * The first certificate of a file, the one that mod_ssl takes.
 * @param path has to live as long as the result
 * @return never NULL; is_read is 0 if there is none that can be read
 */
snivhost_leaf_t *snivhost_leaf_get(snivhost_leaves_t *leaves,
                                   const char *path);

/**
 * The same for the file of an entry of the store: what is sent is asked, not
 * the file, which nobody else than the store is to read where it is in a
 * folder (certs/layout.h).
 * @param id the entry
 * @return never NULL; is_read is 0 if it has several certificates
 */
snivhost_leaf_t *snivhost_leaf_get_loaded(snivhost_leaves_t *leaves,
                                          const char *path,
                                          const sniv_certs_t *certs,
                                          sniv_cert_id_t id);

/** Whether a name of the certificate covers a host name (RFC 9525). */
int snivhost_leaf_covers(const snivhost_leaf_t *leaf, const char *host);

#endif /* SNIVHOST_LINT_LEAF_H */
