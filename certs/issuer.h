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

#ifndef SNIVHOST_CERTS_ISSUER_H
#define SNIVHOST_CERTS_ISSUER_H

/**
 * @file certs/issuer.h
 * Who has issued a certificate: among those at hand, and among those that
 * the system trusts. Nothing here decides about trust; it is for chains that
 * are not complete.
 *
 * One thread.
 */

#include <apr_pools.h>

#include "certs/der.h"

/** Whether subject and issuer of a certificate are the same. */
int sniv_is_self_issued(const sniv_leaf_t *cert);

/**
 * Whether a certificate has issued another one: by its name, and by the ids
 * of its key or, if one does not have them, by the signature.
 */
int sniv_has_issued(const sniv_leaf_t *issuer, const sniv_leaf_t *cert);

/** The authorities that this system trusts; all zero is one unread. */
typedef struct sniv_trusted_t {
    void *store;                /**< X509_STORE of OpenSSL */
    unsigned char *name;        /**< the last one asked for */
    apr_size_t len;
    int is_known;
} sniv_trusted_t;

/** Whether the issuer of a certificate is one of them, by its name. */
int sniv_trusted_issuer(sniv_trusted_t *trust, const sniv_leaf_t *cert);

void sniv_trusted_free(sniv_trusted_t *trust);

/**
 * Read them once for all, while many files are examined one by one.
 * @param p they are forgotten with it
 */
void sniv_trusted_share(apr_pool_t *p);

/** Forget them now: megabytes. Who asks again reads them again. */
void sniv_trusted_forget(void);

#endif /* SNIVHOST_CERTS_ISSUER_H */
