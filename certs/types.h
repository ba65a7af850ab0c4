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

#ifndef SNIVHOST_CERTS_TYPES_H
#define SNIVHOST_CERTS_TYPES_H

/**
 * @file certs/types.h
 * What all of the certificate store knows of an entry: its number, the files
 * it is made from, and what it says about itself.
 */

#include <sys/types.h>

#include <apr_pools.h>
#include <apr_time.h>

/** The store of one configuration. */
typedef struct sniv_certs_t sniv_certs_t;

/**
 * What a store leaves to the next one, so that a restart need not read the
 * folders again: what children are served, in the sealed memory. It holds no
 * pointer to code, which may be elsewhere after a restart.
 */
typedef struct sniv_bequest_t sniv_bequest_t;

/** The number of an entry; valid as long as the store. */
typedef apr_int32_t sniv_cert_id_t;
#define SNIV_CERT_NONE ((sniv_cert_id_t)-1)

/** Kinds of keys of which a name can have one each: RSA, ECDSA, others. */
#define SNIV_KINDS 3

/** The number of a list of folders. */
typedef apr_int32_t sniv_scope_t;
#define SNIV_SCOPE_NONE ((sniv_scope_t)-1)

/** Files that make one entry, paired as mod_ssl pairs them. */
typedef struct sniv_cert_files_t {
    const char *const *certs;   /**< absolute paths of PEM files */
    int ncerts;
    const char *const *keys;    /**< the i-th key is that of the i-th
                                     certificate; one that is NULL or not
                                     there is in the certificate's file */
    int nkeys;
    const char *chain;          /**< SSLCertificateChainFile: sent instead of
                                     what follows the leaf; or NULL */
    int level;                  /**< security level of the handshakes, see
                                     sniv_judge_level(); 0: all is usable */
    const char *const *hosts;   /**< names of which a renewal has to have one,
                                     may have wildcards; no part of what the
                                     files are */
    int nhosts;
    const char *ca_file;        /**< SSLCACertificateFile and -Path, where
                                     OpenSSL looks for a chain that is */
    const char *ca_path;        /**< missing; or NULL */
    int is_stapled;             /**< a restart would prepare a staple for a
                                     certificate that names an OCSP
                                     responder */
} sniv_cert_files_t;

/** What a file's material says about itself: bits. */
#define SNIV_CERT_ENCRYPTED_KEY 0x01u /**< needs a pass phrase */
#define SNIV_CERT_DH_PARAMETERS 0x02u /**< has a DH PARAMETERS block */
#define SNIV_CERT_EC_PARAMETERS 0x04u /**< has an EC PARAMETERS block */
#define SNIV_CERT_OCSP_URI      0x08u /**< a leaf names an OCSP responder */
#define SNIV_CERT_NO_CHAIN      0x10u /**< a leaf has nothing after it */
#define SNIV_CERT_WEAK          0x20u /**< RSA below 2048 bits or a signature
                                           with SHA-1 or MD5: OpenSSL's
                                           default security level refuses */
#define SNIV_CERT_NO_NAMES      0x40u /**< a leaf without dNSName */
#define SNIV_CERT_MUST_STAPLE   0x80u /**< TLS feature status_request */
#define SNIV_CERT_NO_ISSUER    0x100u /**< a leaf without a chain, signed by
                                           one that this system does not
                                           trust: its issuer is missing */
#define SNIV_CERT_CHAIN_ORDER  0x200u /**< the chain is not in order, or holds
                                           what is not of it */
#define SNIV_CERT_CHAIN_ROOT   0x400u /**< the root is in the chain */
#define SNIV_CERT_SELF_SIGNED  0x800u /**< a leaf that is its own issuer */
#define SNIV_CERT_RARE_KEY    0x1000u /**< all keys are such that clients have
                                           to be told to take them: another
                                           curve than P-256, P-384 and P-521,
                                           or DSA */

#define SNIV_CERT_CHAIN_IN_KEY 0x2000u /**< a chain that is not sent is in the
                                           file of the key */

/** Everything about an entry that is not secret. */
typedef struct sniv_cert_info_t {
    sniv_cert_id_t id;
    sniv_scope_t scope;         /**< SNIV_SCOPE_NONE: named files */
    const char *const *files;   /**< certificates, keys, chain: each once */
    int nfiles;
    const char *const *names;   /**< dNSNames of the first leaf, in lower
                                     case as they stand; may be none */
    int nnames;
    apr_time_t not_before;      /**< the latest begin of all leaves */
    apr_time_t not_after;       /**< the earliest end */
    apr_time_t chain_from;      /**< likewise of the chain, where it is */
    apr_time_t chain_until;     /**< narrower; 0: it is not */
    const char *subject;        /**< of the first leaf, one line */
    const char *issuer;
    const char *kinds;          /**< "RSA 2048, EC prime256v1" */
    const char *fingerprints;   /**< sniv_cert_fingerprint() of each leaf, a
                                     blank between */
    unsigned flags;             /**< SNIV_CERT_* */
    apr_uint64_t version;       /**< another one after each renewal */
    apr_time_t loaded;          /**< when it was read and served; 0: it is not
                                     served */
} sniv_cert_info_t;

/** Looking for changes, as it stands. */
typedef struct sniv_certs_looks_t {
    apr_time_t begun;           /**< the last round over all files; the load
                                     is the first one */
    apr_time_t ended;           /**< the last one that has come to its end */
    pid_t pid;                  /**< of the process that looks */
    int is_in_round;            /**< it has begun one */
    int is_full;                /**< something has found no room, which a
                                     load would make */
    int is_behind;              /**< what is served comes from the store
                                     before, and the folders have not been
                                     read since */
} sniv_certs_looks_t;

/** What happened to a file, for the log. */
typedef enum {
    SNIV_CERTS_BAD,         /**< at load: could not be used */
    SNIV_CERTS_DOUBTFUL,    /**< at load: used, but expired, not yet valid,
                                 too weak for the default security level */
    SNIV_CERTS_RENEWED,     /**< a look: the new certificate is served */
    SNIV_CERTS_KEPT,        /**< a look: the new files are broken or gone, the
                                 old certificate is still served */
    SNIV_CERTS_ADDED,       /**< a look: a new certificate in a folder */
    SNIV_CERTS_REMOVED,     /**< a look: gone from its folder, not served */
    SNIV_CERTS_FULL,        /**< a look: no room left, restart the server */
    SNIV_CERTS_FOLDER       /**< a folder could not be read */
} sniv_certs_event_e;

/**
 * Called for each thing that an administrator should know, once per state:
 * a file that stays broken is reported once.
 * @param id the entry or SNIV_CERT_NONE
 * @param file the file or folder it is about
 * @param reason a phrase that completes "FILE: ..."; for the time of the call
 */
typedef void sniv_certs_report_fn(void *baton, sniv_certs_event_e event,
                                  sniv_cert_id_t id, const char *file,
                                  const char *reason);

#endif /* SNIVHOST_CERTS_TYPES_H */
