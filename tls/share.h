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


#ifndef SNIVHOST_TLS_SHARE_H
#define SNIVHOST_TLS_SHARE_H

/**
 * @file tls/share.h
 * Who could use whose SSL_CTX: what mod_ssl puts into it, apart from
 * certificates and keys, is the same.
 *
 * An SSL_CTX has ciphers, options, OpenSSL's commands, what
 * clients' certificates are verified with, and DH and EC parameters that are
 * in a certificate file. Values are compared as OpenSSL understands them:
 * cipher lists as resolved, files of certificates by their content. The limits
 * of SSLProtocol are set for each connection, so they need not be the same.
 *
 * Configuration time, one thread: what was resolved or read is remembered.
 */

#include "tls/settings.h"

typedef struct snivhost_sharing_t snivhost_sharing_t;

/** @param p where what is remembered lives */
snivhost_sharing_t *snivhost_sharing_make(apr_pool_t *p);

/**
 * A text that is the same for two virtual hosts if and only if the SSL_CTX of
 * the one does for the other.
 * @param more what is not in directives; ""
 */
const char *snivhost_sharing_key(snivhost_sharing_t *sharing,
                                 const snivhost_tlsconf_t *conf,
                                 const char *more);

/** A directive in which two virtual hosts differ. */
typedef struct snivhost_tlsdiff_t {
    const char *name;
    const ap_directive_t *own, *other; /**< the line of each, or NULL */
} snivhost_tlsdiff_t;

/**
 * The directives in which two virtual hosts differ.
 * @return an array of snivhost_tlsdiff_t
 */
const apr_array_header_t *
snivhost_sharing_differs(snivhost_sharing_t *sharing,
                         const snivhost_tlsconf_t *a,
                         const snivhost_tlsconf_t *b, apr_pool_t *p);

/** Whether SSLProtocol leaves any: mod_ssl does not start without. */
int snivhost_sharing_has_protocol(const snivhost_tlsconf_t *conf);

/**
 * Whether OpenSSL gets to ask about every version that a virtual host allows,
 * when a connection begins with the SSL_CTX of another one: it refuses what
 * is below that one's lower limit before it asks.
 */
int snivhost_sharing_reaches(const snivhost_tlsconf_t *first,
                             const snivhost_tlsconf_t *conf);

/**
 * The limits that mod_ssl gives a connection when it continues with a virtual
 * host.
 * @param pmin receives a version; 0: those of the SSL_CTX
 * @return 0: none, it leaves them as they are
 */
int snivhost_sharing_limits(const snivhost_tlsconf_t *conf, int *pmin,
                            int *pmax);

#endif /* SNIVHOST_TLS_SHARE_H */
