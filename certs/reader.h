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

#ifndef SNIVHOST_CERTS_READER_H
#define SNIVHOST_CERTS_READER_H

/**
 * @file certs/reader.h
 * Certificate and key files -> an entry, with the reason if there is none.
 *
 * A reader has the buffers for this and is used for one entry after the
 * other, by one thread. What it has read of private keys is wiped with the
 * next use, sniv_reader_wipe(), and its pool.
 */

#include "certs/types.h"
#include "certs/entry.h"
#include "certs/pem.h"

/** Files of one entry. */
#define SNIV_FILES_MAX (2 * SNIV_PAIRS_MAX + 1)

/** Buffers for reading files. */
typedef struct sniv_reader_t sniv_reader_t;

/** @return NULL if there is no memory. Wiped and freed with the pool. */
sniv_reader_t *sniv_reader_make(apr_pool_t *p);

/**
 * How far the files are trusted that are read from now on: those below a
 * folder of the configuration, or NULL: files that the administrator names.
 */
void sniv_reader_trust(sniv_reader_t *reader, const sniv_walk_t *walk);

/**
 * Entries of a store (their files end in SNIV_STORE_ENDING) are sealed: the
 * file of the keys, see certs/envelope.h; NULL: they are not. It is read when
 * one is needed; sniv_reader_free() forgets what it holds.
 */
void sniv_reader_keys(sniv_reader_t *reader, const char *path);

/** Wipe what was read last. */
void sniv_reader_wipe(sniv_reader_t *reader);

/** Give all memory back, wiped; the reader can be used again. */
void sniv_reader_free(sniv_reader_t *reader);

/** The leaf is the certificate that fits the key, wherever it stands, and
 * the chain is put in order: for bundles in folders. Otherwise the first
 * certificate is the leaf and the rest is sent as it stands, as mod_ssl
 * does. */
#define SNIV_READ_ANY_ORDER 0x01u
/** Have OpenSSL judge, whatever it looks like: certs/judge.h. Slow: 0.4 ms
 * for each certificate. */
#define SNIV_READ_VERIFY    0x02u
/** Look for a chain that is missing in the CA files, as they are now. */
#define SNIV_READ_CAS       0x08u
/** No names, no use: for folders. */
#define SNIV_READ_NAMED     0x04u

/**
 * Read an entry. Its bytes lie in the reader until the next call.
 * @param entry its flags are filled in as far as it got, also on failure
 * @param stamps room for the state of each file as it was read, in the order
 *        of sniv_files_list(); may be NULL
 * @param pfile receives the file that is at fault, one of files
 * @param preason receives a phrase that completes "FILE ...", in the reader
 */
apr_status_t sniv_reader_read(sniv_reader_t *reader,
                              const sniv_cert_files_t *files, unsigned flags,
                              sniv_entry_t *entry, sniv_stamp_t *stamps,
                              const char **pfile, const char **preason);

/**
 * The different files of an entry, certificates first.
 * @param list room for SNIV_FILES_MAX
 * @return how many, or 0: too many or none
 */
int sniv_files_list(const sniv_cert_files_t *files, const char **list);

#endif /* SNIVHOST_CERTS_READER_H */
