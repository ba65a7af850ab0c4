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

#ifndef SNIVHOST_CERTS_READING_H
#define SNIVHOST_CERTS_READING_H

/**
 * @file certs/reading.h
 * Inside the reader. For its own files only.
 *
 *     reader.c    files -> an entry: which leaf, which key, the judgement
 *     blocks.c    what is in one file
 *     pkcs12.c    ... that is PKCS#12
 *     unseal.c    ... or an envelope, of a store
 *     links.c     the chain that is sent after a leaf
 */

#include "certs/entry.h"
#include "certs/envelope.h"
#include "certs/issuer.h"
#include "certs/judge.h"
#include "certs/pem.h"
#include "certs/types.h"
#include "certs/walk.h"

/** See certs/reader.h, which includes nothing of this. */
typedef struct sniv_reader_t sniv_reader_t;

/** Certificates in one file. */
#define SNIV_CERTS_MAX 64

/** Beside the flags of reader.h: a file names the chain. */
#define SNIV_READ_CHAINED 0x100u

/** What is in a file. All views point into its buffer. */
typedef struct sniv_file_t {
    const char *path;
    sniv_buffer_t buffer;
    sniv_bytes_t certs[SNIV_CERTS_MAX];
    int ncerts;
    sniv_pem_t key;             /* the first private key */
    int has_key;
    const char *damage;         /* why the whole cannot be read as OpenSSL
                                   reads certificates, to the end */
    const char *key_damage;     /* ... as a key, up to the first */
    unsigned flags;             /* SNIV_CERT_* of the file */
    apr_uint64_t parameters;    /* of its DH and EC PARAMETERS; 0: none */
} sniv_file_t;

struct sniv_reader_t {
    sniv_judge_t *judge;
    const sniv_walk_t *walk;            /* or NULL */
    sniv_trusted_t trusted;
    sniv_file_t files[SNIV_FILES_MAX];
    int nfiles;                         /* in use */
    sniv_buffer_t keys[SNIV_PAIRS_MAX]; /* keys written anew */
    sniv_buffer_t chains[3 * SNIV_PAIRS_MAX + 1];
    int nchains;
    sniv_buffer_t paths;
    const char *key_file;               /* of envelopes, or NULL */
    sniv_store_keys_t sealing;          /* ... read; n 0: not yet */
    char reason[1024];
};

/* certs/reader.c */

#if defined(__GNUC__)
apr_status_t sniv_fail(sniv_reader_t *reader, const char **preason,
                       const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#endif

/** Write a reason. @return APR_EGENERAL */
apr_status_t sniv_fail(sniv_reader_t *reader, const char **preason,
                       const char *format, ...);

/** The file of a path, of those that are being read. */
sniv_file_t *sniv_reader_file(sniv_reader_t *reader, const char *path);

/** Make room in an output buffer, which is empty or wiped. @return 0: none */
int sniv_reader_room(sniv_buffer_t *buffer, apr_size_t room);

/* certs/blocks.c */

/** Sort what is in a file that has just been read. */
void sniv_file_sort(sniv_file_t *file, unsigned flags);

/* certs/pkcs12.c */

/**
 * PKCS#12 without a password, or with an empty one: put what it holds in the
 * place of the file's content, the key as PKCS#8.
 * @param is_wanted 0: say only what it is
 * @return 0 if the content is something else. Else 1, and the file has its
 *         certificates and key, or the damage says why it has none.
 */
int sniv_pkcs12_sort(sniv_file_t *file, int is_wanted);

/* certs/unseal.c */

/**
 * An entry of a store: put what is in its envelope in its place. Another file
 * stays as it is.
 */
apr_status_t sniv_file_unseal(sniv_reader_t *reader, sniv_file_t *file,
                              const char **preason);

/* certs/links.c */

/**
 * Write a chain: the certificates of a file but for one (-1: all). In any
 * order: each after the one that it has issued, as far as they link up, then
 * the rest; the same only once.
 */
apr_status_t sniv_chain_write(sniv_reader_t *reader, const sniv_file_t *file,
                              int but, const sniv_leaf_t *leaf,
                              unsigned flags, sniv_bytes_t *chain,
                              const char **pfile, const char **preason);

/** The chain of a leaf from a file of other certificates: who has issued it,
 * who has issued that one, and so on, without the root. What else is in the
 * file does not count. */
void sniv_chain_of(sniv_reader_t *reader, const sniv_file_t *file,
                   const sniv_leaf_t *leaf, sniv_bytes_t *chain);

/** The same from a file that lies beside it, which is read for this. */
void sniv_chain_beside(sniv_reader_t *reader, const char *path,
                       const sniv_leaf_t *leaf, sniv_bytes_t *chain);

/** The chain of a leaf that OpenSSL finds in the CA files of files. */
void sniv_chain_by_cas(sniv_reader_t *reader, const sniv_cert_files_t *files,
                       const sniv_leaf_t *leaf, sniv_bytes_t *chain);

/** Note in an entry what a chain says about itself, as it is going to be
 * sent. */
void sniv_chain_look(sniv_reader_t *reader, const sniv_leaf_t *leaf,
                     const sniv_bytes_t *chain, sniv_entry_t *entry);

#endif /* SNIVHOST_CERTS_READING_H */
