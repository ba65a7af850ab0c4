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

#ifndef SNIVHOST_CERTS_PLAIN_H
#define SNIVHOST_CERTS_PLAIN_H

/**
 * @file certs/plain.h
 * Plain certificates and keys: those of which it is known, from their bytes,
 * what OpenSSL says of them.
 *
 * Nearly all certificates of today are plain: RSA or a curve of NIST, signed
 * with SHA-2, every field as RFC 5280 has it. They are decoded and judged
 * here in a few microseconds. Whatever is unusual is not plain, and that says
 * nothing against it: ask OpenSSL.
 *
 * t/unit/test_judge.c holds both against each other. Pure but for the points
 * of curves; one thread for each sniv_plain_t.
 */

#include "certs/der.h"

/** OpenSSL's curves, to see whether a point lies on one. */
typedef struct sniv_plain_t sniv_plain_t;

/** @return NULL if there is no memory: nothing is plain then */
sniv_plain_t *sniv_plain_make(void);

/** @param plain may be NULL */
void sniv_plain_free(sniv_plain_t *plain);

/**
 * The highest security level at which OpenSSL takes a certificate, as a leaf
 * or in a chain.
 * @return 2 to 5 (SSL_CTX_set_security_level(3)); -1: not plain
 */
int sniv_plain_cert(sniv_plain_t *plain, const sniv_bytes_t *der);

/**
 * Whether OpenSSL takes a key as that of a plain certificate.
 * @param kind how the key was written, see sniv_pair_t
 * @return 1, or 0: not known
 */
int sniv_plain_key(const sniv_bytes_t *cert, sniv_key_e kind,
                   const sniv_bytes_t *key);

#endif /* SNIVHOST_CERTS_PLAIN_H */
