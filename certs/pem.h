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

#ifndef SNIVHOST_CERTS_PEM_H
#define SNIVHOST_CERTS_PEM_H

/**
 * @file certs/pem.h
 * PEM files that may hold private keys: read carefully, decoded in place,
 * wiped.
 *
 * A buffer belongs to the caller, is used for one file after another and
 * wiped before it is released or read into again. Nothing of a file's content
 * goes through stdio or OpenSSL's BIOs, which leave copies behind. One thread
 * per buffer.
 */

#include <apr.h>
#include <apr_errno.h>
#include <apr_time.h>

#include "certs/der.h"
#include "certs/walk.h"

/** A larger file is not a certificate. */
#define SNIV_PEM_MAX (1024 * 1024)

/** A file's content. All zero is an empty buffer. */
typedef struct sniv_buffer_t {
    unsigned char *data;        /**< malloc()ed, or NULL */
    apr_size_t len;
    apr_size_t room;
} sniv_buffer_t;

/** A size of no file: equal to none, so that it is read again. */
#define SNIV_STAMP_AGAIN (-2)

/** By what a change of a file is noticed. */
typedef struct sniv_stamp_t {
    apr_uint64_t device;
    apr_uint64_t inode;
    apr_int64_t size;           /**< -1: no such file */
    apr_int64_t mtime;          /**< nanoseconds */
    apr_int64_t ctime;          /**< nanoseconds */
} sniv_stamp_t;

/** The stamp of what a path leads to. */
void sniv_stamp_of(sniv_stamp_t *stamp, const char *path);

int sniv_stamp_equal(const sniv_stamp_t *a, const sniv_stamp_t *b);

/**
 * Read a file: a regular one (symbolic links are followed, as certbot has
 * them), not empty, of at most SNIV_PEM_MAX bytes.
 * @param walk how far it is trusted, see certs/walk.h; may be NULL
 * @param buffer wiped, then filled; empty on failure
 * @param stamp receives the state of the file that was read; may be NULL
 * @param preason receives a constant phrase on failure; NULL if the status
 *        says it all ("Permission denied")
 */
apr_status_t sniv_buffer_read(sniv_buffer_t *buffer, const sniv_walk_t *walk,
                              const char *path, sniv_stamp_t *stamp,
                              const char **preason);

/** Overwrite the content. */
void sniv_buffer_wipe(sniv_buffer_t *buffer);

/** Overwrite the content and give the memory back. */
void sniv_buffer_free(sniv_buffer_t *buffer);

/** What a block holds, by its label. */
typedef enum {
    SNIV_PEM_CERTIFICATE,       /**< also X509 and TRUSTED CERTIFICATE */
    SNIV_PEM_KEY,               /**< a private key, readable */
    SNIV_PEM_ENCRYPTED_KEY,     /**< a private key with a pass phrase */
    SNIV_PEM_DH_PARAMETERS,
    SNIV_PEM_EC_PARAMETERS,
    SNIV_PEM_OTHER
} sniv_pem_e;

/** A block of a PEM file. */
typedef struct sniv_pem_t {
    sniv_pem_e what;
    sniv_key_label_e label;     /**< SNIV_PEM_KEY */
    sniv_bytes_t der;           /**< decoded; lies in the buffer */
    int is_trusted;             /**< TRUSTED CERTIFICATE: OpenSSL takes it
                                     first in a file only */
    int is_damaged;             /**< not base64, or without its end: der is
                                     empty, and nothing follows */
} sniv_pem_t;

/**
 * The next block of a buffer, decoded in place: the text is overwritten.
 * What is a block, and what damages one, is what OpenSSL's PEM_read_bio()
 * says: text between blocks is skipped, so is a byte order mark (from OpenSSL
 * 3.0 on); -----BEGIN begins a line, which ends with LF or CR LF; after a
 * damaged block nothing more is read.
 * @param at where the search is: zero at first
 * @return 1, or 0 if there is none left
 */
int sniv_pem_next(sniv_buffer_t *buffer, apr_size_t *at, sniv_pem_t *block);

#endif /* SNIVHOST_CERTS_PEM_H */
