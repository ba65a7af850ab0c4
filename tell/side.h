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

#ifndef SNIVHOST_TELL_SIDE_H
#define SNIVHOST_TELL_SIDE_H

/**
 * @file tell/side.h
 * A configuration as one side of a comparison: its tables, and beside each
 * virtual host what else makes an answer. No server_rec is needed, so the
 * former configuration can be one too, from the JSON of DUMP_SNIVHOST_JSON;
 * both sides are asked by the functions that serve.
 *
 * One thread; everything lives in the pool that is given.
 */

#include "apr_hash.h"

#include <jansson.h>

#include "module/record.h"
#include "serve/refuse.h"
#include "tell/facts.h"

/** What a virtual host has beside its names and addresses. */
typedef struct snivhost_side_vhost_t {
    int engine;                 /**< mod_ssl does TLS for it */
    int has_context;            /**< it has an SSL_CTX, or is lean */
    int strict_sni;             /**< SSLStrictSNIVHostCheck */
    int strict_host;            /**< StrictHostCheck */
    int unsafe_host;            /**< HttpProtocolOptions Unsafe */
    int sni_group;              /**< SSLVHostSNIPolicy allows one virtual
                                     host for another if these are equal */
    const char *settings;       /**< the TLS settings in effect, one
                                     `Directive value` a line; or NULL */
    const char *cert;           /**< SHA-256 of its leaves; NULL: none */
    const char *cert_text;      /**< its file, or its subject; or NULL */
    int cert_unknown;           /**< it may have one all the same */
    const char *digest;         /**< of its other directives; NULL: unknown */
    const char *root;           /**< DocumentRoot */
    snivhost_refuse_conf_t refuse;
} snivhost_side_vhost_t;

typedef struct snivhost_side_t {
    const sniv_table_t *table;  /**< the main server is behind the last of
                                     table->vhosts */
    snivhost_side_vhost_t *more;    /**< of each, the main server's last */
    const snivhost_refuse_t *const *refusals;   /**< by set number, the main
                                     server's last; NULL: none */
    snivhost_mode_e mode;
    const char *policy;         /**< SSLVHostSNIPolicy */
    const char *written;        /**< when; NULL: now */
    apr_array_header_t *listen; /**< const char *, sorted; NULL: unknown */
    const snivhost_facts_t *facts;  /**< NULL: from JSON */
    const snivhost_tlsconfs_t *tree;    /**< the same */
    apr_hash_t *lines;          /**< private: see snivhost_side_place() */
} snivhost_side_t;

/** What a virtual host of a side has beside its names. */
static APR_INLINE const snivhost_side_vhost_t *
snivhost_side_more(const snivhost_side_t *side, const sniv_vhost_t *vhost)
{
    return &side->more[vhost - side->table->vhosts];
}

/** The configuration that has been read, without certificates. */
snivhost_side_t *snivhost_side_make(const snivhost_facts_t *facts,
                                    apr_pool_t *p);

/** Its certificates, from their files: no key is read. */
void snivhost_side_read_certs(snivhost_side_t *side, apr_pool_t *p);

/**
 * A document of DUMP_SNIVHOST_JSON or the status page.
 * @param path a file that may hold anything
 * @return NULL, or a sentence: what is wrong with it
 */
const char *snivhost_side_read(snivhost_side_t **pside, const char *path,
                               apr_pool_t *p, apr_pool_t *ptemp);

/** Add what a side needs to a document of the configuration. */
void snivhost_side_json(json_t *document, const snivhost_side_t *side,
                        apr_pool_t *p);

/** Fingerprints in an order of their own, so that they can be compared. */
const char *snivhost_side_sorted(const char *words, apr_pool_t *p);

/** Where a line is written that gives a virtual host a name, or the virtual
 * host itself: `file:line`. */
const char *snivhost_side_place(const snivhost_side_t *side,
                                const sniv_vhost_t *vhost, const char *name,
                                apr_pool_t *p);

#endif /* SNIVHOST_TELL_SIDE_H */
