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

#ifndef SNIVHOST_TELL_COMPARE_H
#define SNIVHOST_TELL_COMPARE_H

/**
 * @file tell/compare.h
 * What a change of the configuration changes for clients: SNIVHostCompare.
 *
 * Every question of tell/probes.h is asked of both sides, at every kind of
 * address, by the functions that serve. Answers that are not the same become
 * changes, those of the same kind and cause one change with many names.
 */

#include "tell/side.h"

/** What is not the same, as bits. */
#define SNIVHOST_CHANGED_VHOST    0x01u /**< the virtual host */
#define SNIVHOST_CHANGED_CERT     0x02u /**< the certificate */
#define SNIVHOST_CHANGED_TLS      0x04u /**< the TLS settings, or TLS itself */
#define SNIVHOST_CHANGED_REFUSAL  0x08u /**< a status or an alert */
#define SNIVHOST_CHANGED_RULE     0x10u /**< the rule alone: clients see
                                             nothing of it */
#define SNIVHOST_CHANGED_LISTEN   0x20u /**< connections are accepted, or not
                                             any more */

/** Names that change in the same way for the same reason. */
typedef struct snivhost_change_t {
    unsigned what;              /**< SNIVHOST_CHANGED_* */
    const char *address;
    const apr_array_header_t *addresses;    /**< const char *: all for which
                                     it is so, the one above too; NULL: one */
    int tls;                    /**< it speaks TLS now */
    const char *client;         /**< "without SNI", or "" */
    const char *summary;        /**< "a.example (default) -> b.example" */
    apr_array_header_t *details;    /**< const char *: more of the same */
    const char *cause;          /**< a phrase, or NULL */
    const char *place;          /**< "file:line" of the cause, or NULL */
    apr_array_header_t *names;  /**< const char * */
    apr_array_header_t *asked;  /**< const char *: the host that was asked
                                     for each; NULL: none */
    const char *file;           /**< where all the names are written; NULL:
                                     in several, or in none */
    int nnot_allowed;           /**< names that no line of the allow file
                                     has */
} snivhost_change_t;

typedef struct snivhost_comparison_t {
    const char *path;           /**< of the former configuration */
    const snivhost_side_t *before;
    const snivhost_side_t *after;
    apr_array_header_t *changes;    /**< snivhost_change_t *: most names
                                     first, those of the rule alone last */
    apr_array_header_t *notes;  /**< const char *: what is not known */
    int nnames;                 /**< that were asked for, at each address */
    int naddresses;
    int nchanged;               /**< names that clients see a change of */
    int nnot_allowed;
} snivhost_comparison_t;

/** Patterns of names that may change, with the address in front of them, as
 * `ADDRESS NAME`; NULL: none. */
typedef apr_array_header_t snivhost_allow_t;

snivhost_comparison_t *snivhost_compare(const snivhost_side_t *before,
                                        const snivhost_side_t *after,
                                        const snivhost_allow_t *allow,
                                        apr_pool_t *p);

/* The phase, for the hook table in mod_snivhost.c: prints what was asked for
 * under -t, and fails it. */
int snivhost_compare_check_config(apr_pool_t *p, apr_pool_t *plog,
                                  apr_pool_t *ptemp, server_rec *s);

#endif /* SNIVHOST_TELL_COMPARE_H */
