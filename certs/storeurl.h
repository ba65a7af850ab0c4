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


#ifndef SNIVHOST_CERTS_STOREURL_H
#define SNIVHOST_CERTS_STOREURL_H

/**
 * @file certs/storeurl.h
 * The address of a store, and how its entries are named: what the module and
 * snivhost-store both have to know.
 *
 *     redis://[USER@][HOST[:PORT]]/PREFIX[?KEY=VALUE[&KEY=VALUE...]]
 *     rediss://...            the same in TLS, but for a unix socket
 *
 *     socket=/path            a unix socket instead of host and port
 *     password-file=/path     its first line is the password
 *     timeout=SECONDS         1 to 60: how long a start waits, and how long
 *                             an answer may take
 *     copy=/path              where the local copy is kept
 *     program=/path           the snivhost-store to run
 *     primary=HOST[:PORT]     where to write, if this is a replica
 *     cacert=/path            whose certificates are trusted, in place of the
 *                             system's list
 *     cert=/path&key=/path    a certificate to show
 *
 * Pure: allocates from the pool given, any thread.
 */

#include <apr_pools.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNIV_STORE_PORT 6379
#define SNIV_STORE_TIMEOUT 2
/** The ending of an entry's file in a copy. */
#define SNIV_STORE_ENDING ".entry.pem"
/** Bytes of an entry's ID. */
#define SNIV_STORE_ID_MAX 200
/** Bytes of an entry. */
#define SNIV_STORE_VALUE_MAX (256 * 1024)

typedef struct sniv_store_url_t {
    const char *text;           /**< as written, without ? and what follows */
    const char *host;           /**< a name or a number; no brackets */
    int port;
    const char *socket;         /**< or NULL: host and port */
    const char *user;           /**< or NULL */
    const char *password_file;  /**< or NULL */
    const char *prefix;
    int timeout;                /**< seconds */
    const char *copy;           /**< or NULL */
    const char *program;        /**< or NULL */
    const char *primary;        /**< a host, or NULL */
    int primary_port;
    int is_tls;                 /**< to hosts; not over a unix socket */
    const char *ca_file;        /**< or NULL */
    const char *cert_file;      /**< or NULL */
    const char *key_file;       /**< or NULL, as cert_file */
} sniv_store_url_t;

/** Whether a text is meant to be such an address and not a path. */
int sniv_store_url_is(const char *text);

/**
 * Read an address.
 * @return NULL, or what is wrong: a phrase without the address
 */
const char *sniv_store_url_parse(sniv_store_url_t *url, const char *text,
                                 apr_pool_t *p);

/**
 * Whether an ID is usable: 1 to SNIV_STORE_ID_MAX letters, digits and
 * . _ * @ + = , - and no dot in front. So it can be a file's name anywhere.
 */
int sniv_store_id_is_usable(const char *id, apr_size_t len);

/** In which of 256 folders of a copy the file of an ID lies. */
unsigned sniv_store_shard(const char *id, apr_size_t len);

/**
 * The ID of the entry whose file this is, in the path.
 * @return its length, or 0: another file
 */
apr_size_t sniv_store_id_of(const char *path, const char **id);

#ifdef __cplusplus
}
#endif

#endif /* SNIVHOST_CERTS_STOREURL_H */
