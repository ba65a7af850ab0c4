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

#ifndef SNIVHOST_CERTS_BESIDE_H
#define SNIVHOST_CERTS_BESIDE_H

/**
 * @file certs/beside.h
 * Files that lie beside each other in a folder, by what is in them: which key
 * belongs to which certificate, and who has issued it. For those of which the
 * names say nothing.
 *
 * The content is kept until sniv_beside_free(), which wipes it. One thread.
 */

#include "certs/pem.h"

/** Certificates of one file that are looked at. */
#define SNIV_BESIDE_CERTS 4

/** A file that was read. All zero: nothing. */
typedef struct sniv_beside_t {
    sniv_buffer_t buffer;
    sniv_bytes_t certs[SNIV_BESIDE_CERTS];
    int ncerts;
    int nleaves;                /**< of these, those that are no authority */
    sniv_key_label_e label;
    sniv_bytes_t key;           /**< the first private key */
    int has_secret;             /**< one with a pass phrase */
} sniv_beside_t;

/** Read a file. What cannot be read has nothing in it. */
void sniv_beside_read(sniv_beside_t *file, const sniv_walk_t *walk,
                      const char *path);

void sniv_beside_free(sniv_beside_t *file);

/** Whether a key is that of one of the certificates of a file. */
int sniv_beside_match(const sniv_beside_t *certs, const sniv_beside_t *key);

/** Whether a file has the issuer of a leaf of another one, by its name. */
int sniv_beside_issued(const sniv_beside_t *chain,
                       const sniv_beside_t *certs);

/** Whether two files have a leaf in common. */
int sniv_beside_same(const sniv_beside_t *a, const sniv_beside_t *b);

#endif /* SNIVHOST_CERTS_BESIDE_H */
