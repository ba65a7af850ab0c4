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

#ifndef SNIVHOST_CERTS_LAYOUT_H
#define SNIVHOST_CERTS_LAYOUT_H

/**
 * @file certs/layout.h
 * The layouts of certificate folders: names of files -> what belongs
 * together.
 *
 * One folder holds, in any mix (E is pem, crt, cer, cert; in any case):
 *
 *     fullchain.E + a key     one certificate; everything else in the folder
 *                             is the client's own business. certbot,
 *                             dehydrated: privkey.pem; acme.sh: NAME.key
 *     NAME.E + a key          NAME.key, NAME.E.key, NAME-key.E; with a chain
 *                             beside it: NAME.ca-bundle, NAME.issuer.E,
 *                             chain.E, ...
 *     NAME.pem                a bundle of leaf, chain and key, as HAProxy
 *                             takes it; NAME.pem.rsa, NAME.pem.ecdsa
 *     NAME.pfx, NAME.p12      PKCS#12 without a password, if no PEM file of
 *                             that name is there
 *     others                  by their content: a key belongs to the
 *                             certificate with its public key, an authority's
 *                             certificate to what it has issued
 *     folders                 the same again, to a depth
 *
 * What an ending means is in a table in certs/layout.c. Content is looked at
 * only where names leave something open, and in a number of files for each
 * folder. Not looked at: hidden files and folders, certbot's archive
 * (cert1.pem), endings of other things (.csr, .json), and NAME.pem beside
 * NAME.crt and NAME.key (lego writes all three). What names the certificates
 * are for is in them, never in the names of files. Configuration time or
 * monitor, one thread.
 */

#include <apr_pools.h>

#include "certs/walk.h"

/** Folders in folders that are looked at: DIR/a/b/c. */
#define SNIV_FOLDER_DEPTH 3

/** What to do with what is found; all strings are from the pool given. */
typedef struct sniv_folder_visitor_t {
    /**
     * @param key NULL: in the certificate's file
     * @param chain NULL: in the certificate's file
     */
    void (*pair)(void *baton, const char *cert, const char *key,
                 const char *chain);
    void (*folder)(void *baton, const char *path);
    /** How many files look like certificates or keys and are no part of a
     * pair, and the first of them; 0: none. May be NULL. */
    void (*passed)(void *baton, const char *first, int n);
    void *baton;
} sniv_folder_visitor_t;

/** Names in a folder that is named; and in one that is in it, where they may
 * belong to another user. */
#define SNIV_FOLDER_NAMES   500000
#define SNIV_FOLDER_NAMES_IN 100000

/**
 * Look into one folder (not into those in it), in the order of names.
 * @param path without a slash at the end
 * @return APR_SUCCESS or why it cannot be read
 */
apr_status_t sniv_folder_visit(const char *path,
                               const sniv_folder_visitor_t *visitor,
                               apr_pool_t *p);

/**
 * The same for a folder that is open; closes fd.
 * @param only NULL, or names, with NULL at the end: only what has one of them,
 *        or belongs to one by its name, is visited, and nothing is counted
 *        as passed. It costs a fraction: most of a large folder is skipped
 * @param walk by which files are opened whose content is looked at; or NULL
 * @param most how many names are looked at
 * @return also APR_INCOMPLETE, if there are more
 */
apr_status_t sniv_folder_visit_fd(int fd, const sniv_walk_t *walk,
                                  const char *path, int most,
                                  const char *const *only,
                                  const sniv_folder_visitor_t *visitor,
                                  apr_pool_t *p);

#endif /* SNIVHOST_CERTS_LAYOUT_H */
