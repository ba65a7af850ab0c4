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

#ifndef SNIVHOST_CERTS_JUDGE_H
#define SNIVHOST_CERTS_JUDGE_H

/**
 * @file certs/judge.h
 * What is usable: what OpenSSL takes at the security level that the
 * handshakes will have.
 *
 * Leaf, chain and key go into an SSL_CTX of that level, as they will go into
 * the SSL of each handshake; what is refused there is not served. Most
 * certificates are of a few plain shapes of which the answer is known: those
 * are recognised from their bytes, in a few microseconds instead of some
 * hundred. t/unit/test_judge.c shows that both answers are the same.
 *
 * The level is all that decides: it comes from SSLCipherSuite (@SECLEVEL=n),
 * SSLOpenSSLConfCmd CipherString or openssl.cnf, so it is known without an
 * SSL_CTX of mod_ssl, also with -t. Configuration time or monitor, one
 * thread for each judge.
 */

#include <apr_pools.h>

#include "certs/entry.h"

/** Levels are 0 to 5, see SSL_CTX_set_security_level(3). */
#define SNIV_LEVEL_MAX 5

/** One for each reader: keeps an SSL_CTX for each level and the last chain. */
typedef struct sniv_judge_t sniv_judge_t;

/** @return never NULL. What it keeps is freed with the pool. */
sniv_judge_t *sniv_judge_make(apr_pool_t *p);

/**
 * The security level of a server context with this cipher string.
 * @param ciphers the text of SSLCipherSuite or of CipherString; NULL: no
 *        line, so the level of openssl.cnf or of the library. A text without
 *        @SECLEVEL has that one too
 * @return 0 to SNIV_LEVEL_MAX
 */
int sniv_judge_level(const char *ciphers);

/** Whom a verdict is about. */
typedef enum {
    SNIV_JUDGE_LEAF, SNIV_JUDGE_KEY, SNIV_JUDGE_CHAIN
} sniv_judge_e;

/**
 * Whether OpenSSL takes a certificate, its key and its chain.
 * @param level 0 to SNIV_LEVEL_MAX
 * @param about receives what the reason is about
 * @return NULL if so, or a phrase that completes "FILE ...", in the judge
 *         until the next call
 */
const char *sniv_judge_pair(sniv_judge_t *judge, const sniv_pair_t *pair,
                            int level, sniv_judge_e *about);

/** The same without the short cut: OpenSSL decodes and judges. */
const char *sniv_judge_slowly(sniv_judge_t *judge, const sniv_pair_t *pair,
                              int level, sniv_judge_e *about);

/**
 * The short cut: the highest level at which OpenSSL is known to take these.
 * @return 0 to SNIV_LEVEL_MAX, or -1: not known, ask OpenSSL
 */
int sniv_judge_quickly(sniv_judge_t *judge, const sniv_pair_t *pair);

/**
 * Whether mod_ssl could start with files: what it does with them, in an
 * SSL_CTX of that level (files->level). Reads them again.
 */
int sniv_judge_stock(const sniv_cert_files_t *files);

#endif /* SNIVHOST_CERTS_JUDGE_H */
