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

#ifndef PEMS_H
#define PEMS_H

/**
 * @file pems.h
 * Certificates and keys made while a test runs, as PEM texts.
 */

#include <openssl/x509.h>

typedef struct pems_t {
    EVP_PKEY *key;
    X509 *cert;
} pems_t;

/** Kinds of keys. */
typedef enum { PEMS_EC, PEMS_RSA, PEMS_RSA_1024, PEMS_ED25519 } pems_e;

/** What a certificate shall be; all zero but names is a good one. */
typedef struct pems_want_t {
    pems_e kind;
    const char *names;          /**< "DNS:a.test,DNS:*.b.test"; NULL: none */
    long begin;                 /**< seconds from now */
    long end;                   /**< seconds from now; 0: in a day */
    const pems_t *issuer;       /**< NULL: self-signed */
    const char *common_name;    /**< NULL: "test" */
    int is_ca;
    int has_ocsp;
} pems_want_t;

void pems_make(pems_t *pems, const pems_want_t *want);
void pems_free(pems_t *pems);

/** The forms of a key. */
typedef enum {
    PEMS_PKCS8, PEMS_TYPED, PEMS_ENCRYPTED, PEMS_ENCRYPTED_TYPED
} pems_form_e;

/** PEM texts; free() them. */
char *pems_cert(const pems_t *pems);
char *pems_key(const pems_t *pems, pems_form_e form);

/** Write a file from texts, the last one NULL; mode 0600. */
void pems_write(const char *path, ...);

/** The same, in one step: written beside it and renamed. */
void pems_replace(const char *path, ...);

#endif /* PEMS_H */
