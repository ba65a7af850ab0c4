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


#ifndef SNIVHOST_TLS_VALUES_H
#define SNIVHOST_TLS_VALUES_H

/**
 * @file tls/values.h
 * The arguments of a TLS directive as mod_ssl and OpenSSL understand them:
 * two lines that mean the same have the same value.
 *
 * Configuration time or a request, any thread; results are from the pool.
 */

#include "apr_pools.h"
#include "apr_tables.h"

/** How the arguments of a directive become a value. */
typedef enum {
    SNIVHOST_AS_WORD,       /**< the first word */
    SNIVHOST_AS_FLAG,       /**< on or off */
    SNIVHOST_AS_PATH,       /**< a path, relative to ServerRoot; or pkcs11: */
    SNIVHOST_AS_NUMBER,
    SNIVHOST_AS_VERIFY,     /**< none, optional, require, optional_no_ca */
    SNIVHOST_AS_WORDS,      /**< several words, case does not count */
    SNIVHOST_AS_PROTOCOLS   /**< a set of protocols */
} snivhost_as_e;

const char *snivhost_value(apr_pool_t *p, snivhost_as_e as, const char *args);

/**
 * The limits of a set of protocols: mod_ssl leaves no hole below the highest
 * one (ssl_init_ctx_protocol).
 * @param value of SNIVHOST_AS_PROTOCOLS
 * @param pmin receives a version as SSL_set_min_proto_version() takes it
 * @return whether there is any protocol
 */
int snivhost_value_limits(const char *value, int *pmin, int *pmax);

/**
 * What OpenSSL makes of cipher lists: all ciphers in their order and the
 * security level.
 * @param list for TLS 1.2 and before, NULL for mod_ssl's default
 * @param suites for TLS 1.3, or NULL
 * @return NULL if OpenSSL refuses them
 */
const char *snivhost_value_ciphers(apr_pool_t *p, const char *list,
                                   const char *suites);

/**
 * The last cipher string that says something about the security level:
 * OpenSSL's commands come after mod_ssl's.
 * @param list SSLCipherSuite, or NULL
 * @param commands const char *: SSLOpenSSLConfCmd, name and value; or NULL
 * @return "" if there is none
 */
const char *snivhost_value_level_text(const char *list,
                                      const apr_array_header_t *commands);

/**
 * What is in a file, as a digest; the path if it cannot be read.
 */
const char *snivhost_value_content(apr_pool_t *p, const char *path);

/**
 * The DH or EC parameters that mod_ssl takes from a certificate file for the
 * SSL_CTX: equal texts for equal ones.
 * @return "" if there are none
 */
const char *snivhost_value_parameters(apr_pool_t *p, const char *path);

#endif /* SNIVHOST_TLS_VALUES_H */
