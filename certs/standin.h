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

#ifndef SNIVHOST_CERTS_STANDIN_H
#define SNIVHOST_CERTS_STANDIN_H

/**
 * @file certs/standin.h
 * A certificate for an SSL_CTX that has to have one and is never to serve it:
 * self-signed, of a kind that every security level takes.
 */

#include <apr_errno.h>

/** What a write takes. */
#define SNIV_STANDIN_MAX 4096

/**
 * Make one, with its key.
 * @param host the name in it; NULL: none
 * @param pem receives both as PEM, and should be wiped after use
 * @param plen receives the length
 * @return APR_SUCCESS, or APR_EGENERAL: OpenSSL has not made it
 */
apr_status_t sniv_standin_make(const char *host,
                               char pem[SNIV_STANDIN_MAX], apr_size_t *plen);

#endif /* SNIVHOST_CERTS_STANDIN_H */
