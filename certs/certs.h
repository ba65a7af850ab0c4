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

#ifndef SNIVHOST_CERTS_CERTS_H
#define SNIVHOST_CERTS_CERTS_H

/**
 * @file certs/certs.h
 * The certificate store: files -> entries, names -> entries, an entry into
 * a handshake.
 *
 * An *entry* is what one virtual host serves: one certificate with its key
 * and chain, or one of each kind of key (RSA, ECDSA, ...). Entries come from
 * files named one by one (SSLCertificateFile of a lean virtual host) or from
 * folders; only the latter are found by name, within a *scope*, which is one
 * list of folders. Names are the dNSNames of subjectAltName and nothing else
 * (RFC 9525 has no common names); a wildcard covers exactly one label.
 *
 * Life of a store:
 *
 *     configuration   sniv_certs_make(), then _add_files() and _add_folders()
 *                     in any order: nothing is read, numbers are given out
 *     load            sniv_certs_load(), once, by the parent as root: reads
 *                     every file into memory that the children can read and
 *                     only the parent can write
 *     fork
 *     children        _find(), _install(), _install_leaf(), _info(), _each():
 *                     any thread, any time
 *     parent          _look(), from time to time: reads what has changed.
 *                     The children see it with their next handshake. Better
 *                     in a process of its own: _fork(), _take_over()
 *
 * Private keys are kept as DER and decoded in a child by the first handshake
 * that needs them, once however many arrive together; the decoded ones are
 * kept in a cache of limited size.
 *
 * Needs APR and OpenSSL. Does not log: what there is to tell goes to a
 * callback, as codes and a sentence without the file's name.
 */

#include <apr_pools.h>
#include <apr_time.h>

#include <openssl/ssl.h>

#include "certs/der.h"
#include "certs/types.h"
#include "certs/walk.h"

/**
 * Make an empty store. Its memory is wiped and released with the pool.
 */
apr_status_t sniv_certs_make(sniv_certs_t **pcerts, apr_pool_t *p);

/**
 * Name the files of an entry. Nothing is read yet. The same files again give
 * the same entry, with the hosts of both.
 * @param files copied, but for the names of the hosts
 * @return APR_SUCCESS, or APR_EINVAL: no certificate, or already loaded
 */
apr_status_t sniv_certs_add_files(sniv_certs_t *certs,
                                  const sniv_cert_files_t *files,
                                  sniv_cert_id_t *pid);

/**
 * Name a list of folders. Nothing is read yet. The same again gives the same
 * scope, also later. For the layouts see certs/layout.h.
 * @param level security level of the handshakes, see sniv_judge_level()
 * @param trust whose files are taken, see certs/walk.h
 */
apr_status_t sniv_certs_add_folders(sniv_certs_t *certs,
                                    const char *const *dirs, int ndirs,
                                    int level, sniv_trust_e trust,
                                    sniv_scope_t *pscope);

/** The file of the keys that entries of a store are sealed with, before the
 * load; see certs/envelope.h. */
void sniv_certs_keys(sniv_certs_t *certs, const char *path);

/**
 * Read everything. A bad file is reported and does not stop the others.
 * @param flags SNIV_CERTS_LOAD_*
 * @param cache how many decoded entries a process keeps; 0 for the default
 * @return APR_SUCCESS however many files are bad; else no memory could be had
 */
apr_status_t sniv_certs_load(sniv_certs_t *certs, unsigned flags,
                             apr_uint32_t cache, sniv_certs_report_fn *report,
                             void *baton);

/**
 * Make what a store leaves, before the store's pool is cleared. For the process that loaded
 * it, when no other one looks any more.
 * @return NULL: there is nothing to leave, the next load has to read. That is
 *         so, too, if something has found no room
 */
sniv_bequest_t *sniv_certs_bequeath(sniv_certs_t *certs);

/** Give it up. */
void sniv_bequest_end(sniv_bequest_t *bequest);

/**
 * Have the load take what folders hold from the store before, and read named
 * files only. The folders are read by the process that looks: it begins with
 * sniv_certs_take_over(), and until then sniv_certs_is_behind(). When all
 * folders are noted, before the load.
 * @param bequest has to live until the load has ended
 * @return 0: there are folders that the store before did not have, or the same
 *         with other settings; the load is going to read them all
 */
int sniv_certs_inherit(sniv_certs_t *certs, const sniv_bequest_t *bequest);

/** Whether the folders have not been read since the store was loaded. Any
 * process. */
int sniv_certs_is_behind(const sniv_certs_t *certs);

/** To look at only: keys are checked and forgotten, nothing can be installed,
 * no memory is shared. For -t. */
#define SNIV_CERTS_LOAD_DRY 0x01u

/** Processes that are forked before sniv_certs_publish() inherit nothing of
 * it: those of other modules, at configuration time. */
#define SNIV_CERTS_LOAD_HIDDEN 0x02u

/** After SNIV_CERTS_LOAD_HIDDEN, before children are forked. */
void sniv_certs_publish(sniv_certs_t *certs);

/**
 * What the material of named files says about itself (SNIV_CERT_*), also if
 * it cannot be served. For the parent only, after the load.
 */
unsigned sniv_certs_flags(const sniv_certs_t *certs, sniv_cert_id_t id);

/** Wipe an entry of named files and forget the files: it is not served. For
 * the parent only, before children are forked. */
void sniv_certs_forget(sniv_certs_t *certs, sniv_cert_id_t id);

/** Find an entry no longer, in a store that is not served from. */
void sniv_certs_drop(sniv_certs_t *certs, sniv_cert_id_t id);

/** Whether there are files for an id; for the parent only. */
int sniv_certs_is_known(const sniv_certs_t *certs, sniv_cert_id_t id);

/** Whether children see what _look() finds; not on systems that cannot. */
int sniv_certs_is_shared(const sniv_certs_t *certs);

/**
 * Why an entry has nothing to serve.
 * @param pfile receives the file the reason is about; may be NULL
 * @return NULL if it can be served; for the parent only
 */
const char *sniv_certs_problem(const sniv_certs_t *certs, sniv_cert_id_t id,
                               const char **pfile);

/**
 * Find the entry of a name in the folders of a scope: an exact name before a
 * wildcard; of several the one that is valid now, with its chain; of these one that is signed
 * by another before a self-signed one, one that clients take without a staple
 * before one that they do not, then the one that ends last. One that is not
 * valid now is better than none.
 * @param name as in the ClientHello: ASCII case does not count
 * @return SNIV_CERT_NONE if there is none
 */
sniv_cert_id_t sniv_certs_find(const sniv_certs_t *certs, sniv_scope_t scope,
                               const char *name, apr_size_t len,
                               apr_time_t now);

/**
 * The same with the best one of each other kind of key that is valid now.
 * @param ids the first one is that of sniv_certs_find()
 * @return how many
 */
int sniv_certs_find_kinds(const sniv_certs_t *certs, sniv_scope_t scope,
                          const char *name, apr_size_t len, apr_time_t now,
                          sniv_cert_id_t ids[SNIV_KINDS]);

/**
 * Give a handshake the certificates, chains and keys of an entry and take
 * away all others that it had. For a certificate callback.
 * @param preason receives why not; a constant string; may be NULL
 * @return APR_SUCCESS, APR_NOTFOUND: the entry has nothing to serve (the
 *         handshake is untouched), else an error: the handshake must fail,
 *         what it holds may be incomplete
 */
apr_status_t sniv_certs_install(const sniv_certs_t *certs, sniv_cert_id_t id,
                                SSL *ssl, const char **preason);

/** Add those of another entry, with a key of another kind. What cannot be
 * added is left out. */
void sniv_certs_install_also(const sniv_certs_t *certs, sniv_cert_id_t id,
                             SSL *ssl);

/**
 * The same without chains and keys, for a session that was resumed, so that
 * SSL_get_certificate() tells the truth. Decodes no key.
 */
apr_status_t sniv_certs_install_leaf(const sniv_certs_t *certs,
                                     sniv_cert_id_t id, SSL *ssl,
                                     const char **preason);

/** The version of what an entry serves: another one after each renewal; 0:
 * nothing. Any thread; one load. */
apr_uint64_t sniv_certs_version(const sniv_certs_t *certs,
                                sniv_cert_id_t id);

/** Whether all certificates of an SSL_CTX are in an entry; in one thread. */
int sniv_certs_has_all(const sniv_certs_t *certs, sniv_cert_id_t id,
                       SSL_CTX *ctx);

/**
 * Whether sniv_certs_find() finds a certificate that makes the name a known
 * one: any, but for a wildcard that is self-signed. Anyone can make
 * such a one for all names there are.
 */
int sniv_certs_vouch(const sniv_certs_t *certs, sniv_scope_t scope,
                     const char *name, apr_size_t len, apr_time_t now);

/**
 * Describe an entry as it is served now.
 * @return APR_SUCCESS, or APR_NOTFOUND if it has nothing to serve
 */
apr_status_t sniv_certs_info(const sniv_certs_t *certs, sniv_cert_id_t id,
                             sniv_cert_info_t *info, apr_pool_t *p);

/** When an entry is valid and its scope, as in its description, without the
 * rest of it. @return 0: it has nothing to serve */
int sniv_certs_times(const sniv_certs_t *certs, sniv_cert_id_t id,
                     apr_time_t *not_before, apr_time_t *not_after,
                     sniv_scope_t *scope);

/**
 * Which entries of folders are found by one of their names now: an old one
 * beside its successor is not.
 * @return malloc()ed, a byte for each id; NULL: that cannot be told now
 */
unsigned char *sniv_certs_chosen(const sniv_certs_t *certs, apr_time_t now);

/** What is left of the life of a certificate. */
typedef enum {
    SNIV_CERT_FRESH,
    SNIV_CERT_LATE,             /**< less than a third */
    SNIV_CERT_SOON,             /**< less than a sixth, and than 14 days */
    SNIV_CERT_EXPIRED
} sniv_cert_life_e;

sniv_cert_life_e sniv_cert_life(apr_time_t not_before, apr_time_t not_after,
                                apr_time_t now);

/** See sniv_certs_leaf(). */
typedef void sniv_certs_leaf_fn(void *baton, const sniv_leaf_t *leaf,
                                int has_chain, unsigned flags);

/**
 * Call back with the leaf of an entry that has one certificate, which ends
 * with the call, whether a chain is sent after it, and its flags
 * (SNIV_CERT_*): what sniv_certs_info() says, without its texts.
 * @return APR_SUCCESS, or another status: there was no call
 */
apr_status_t sniv_certs_leaf(const sniv_certs_t *certs, sniv_cert_id_t id,
                             sniv_certs_leaf_fn *each, void *baton);

/** Add what describes another entry that is served beside it: files, kinds
 * of keys, fingerprints; the time is that in which all are valid. */
void sniv_certs_info_also(const sniv_certs_t *certs, sniv_cert_id_t id,
                          sniv_cert_info_t *info, apr_pool_t *p);

/**
 * Describe a certificate that comes from elsewhere, as those of an entry are
 * described: the first one gives subject and names, the next ones add the
 * kinds of their keys and narrow the time.
 * @param info zeroed before the first
 * @param der one certificate
 * @return 0 if it cannot be read
 */
int sniv_certs_describe(sniv_cert_info_t *info, const unsigned char *der,
                        apr_size_t len, apr_pool_t *p);

/** The SHA-256 of a certificate, in lower-case hex. */
const char *sniv_cert_fingerprint(const unsigned char *der, apr_size_t len,
                                  apr_pool_t *p);

/** Whether one of the names covers a host name (RFC 9525). */
int sniv_certs_covers(const sniv_cert_info_t *info, const char *host);

/**
 * In which folder that is named, or which folder directly in it, a file or
 * folder lies.
 * @return how many bytes of the path are the place; 0: in none
 */
apr_size_t sniv_certs_place(const sniv_certs_t *certs, const char *path);

/** A folder that is named. */
typedef struct sniv_certs_top_t {
    const char *path;
    apr_uint32_t files;         /**< that could be certificates, below it */
    apr_uint32_t served;
    apr_uint32_t passed;        /**< that look like certificates or keys and
                                     are no part of an entry ... */
    const char *passed_first;   /**< ... and the first of them, or NULL */
    int is_unread;              /**< it could not be read, or is another path
                                     to one that was */
} sniv_certs_top_t;

/** The i-th folder that is named, after the load. @return 0: no more */
int sniv_certs_top(const sniv_certs_t *certs, int i, sniv_certs_top_t *top);

/** How many folders are known, named ones and those in them. */
apr_uint32_t sniv_certs_folders(const sniv_certs_t *certs);

/** The number of entries: their ids are 0 to count - 1, some are empty. */
sniv_cert_id_t sniv_certs_count(const sniv_certs_t *certs);

/**
 * Describe files without a store, for who decides at configuration time
 * whether a virtual host can be lean. Keeps nothing of the keys.
 * @param info as sniv_certs_info(); flags are set as far as the files could
 *        be read, also on failure
 * @param pfile receives the file that is at fault
 * @param preason receives why; from the pool
 * @return APR_SUCCESS, or an error: sniv_certs_load() would call it bad
 */
apr_status_t sniv_certs_examine(const sniv_cert_files_t *files,
                                sniv_cert_info_t *info, const char **pfile,
                                const char **preason, apr_pool_t *p);

/**
 * Look for files that have changed since, a part at a time. Parent only, one
 * thread. A change counts when two looks in a row have found the same and
 * certificate and key match.
 * @param now the time
 * @param interval from one round to the next
 * @param budget stop after about that long and continue with the next call
 * @return 1 if what is served has changed, else 0
 */
int sniv_certs_look(sniv_certs_t *certs, apr_time_t now,
                    apr_interval_time_t interval, apr_interval_time_t budget,
                    sniv_certs_report_fn *report, void *baton);

/** What sniv_certs_look() has left to do. */
typedef enum {
    SNIV_CERTS_IDLE,        /**< nothing before the next round */
    SNIV_CERTS_SETTLE,      /**< something has changed: look again soon */
    SNIV_CERTS_MORE         /**< the round is not over: continue */
} sniv_certs_due_e;

sniv_certs_due_e sniv_certs_due(const sniv_certs_t *certs);

/** Whether the last round has left nothing to try again. */
int sniv_certs_is_settled(const sniv_certs_t *certs);

/**
 * Fork a process that looks, in place of the parent, which does not any more.
 * @return as fork(); -1 also where children do not see what is found
 */
pid_t sniv_certs_fork(sniv_certs_t *certs);

/**
 * For a process from sniv_certs_fork() that is not the first one, before it
 * looks: continue where the one before was killed. Also for the first one of
 * a store that is behind: read the folders.
 */
apr_status_t sniv_certs_take_over(sniv_certs_t *certs,
                                  sniv_certs_report_fn *report, void *baton);

/** When there was a look, and by whom. Any process. @return 0: there is
 * nothing to look at */
int sniv_certs_looks(const sniv_certs_t *certs, sniv_certs_looks_t *looks);

/** Sizes and counters of this process, for a status page. */
typedef struct sniv_certs_stats_t {
    apr_uint32_t entries;       /**< that can be served */
    apr_uint32_t chains;        /**< different ones */
    apr_uint64_t bytes;         /**< of shared memory in use; all of these
                                     are the same in all processes */
    apr_uint64_t room;          /**< of shared memory in all */
    apr_uint32_t cached;        /**< decoded, in this process */
    apr_uint64_t hits;          /**< in this process */
    apr_uint64_t misses;        /**< decoded, in this process */
} sniv_certs_stats_t;

void sniv_certs_stats(const sniv_certs_t *certs, sniv_certs_stats_t *stats);

#endif /* SNIVHOST_CERTS_CERTS_H */
