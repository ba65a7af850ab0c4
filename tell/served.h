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
#ifndef SNIVHOST_TELL_SERVED_H
#define SNIVHOST_TELL_SERVED_H

/**
 * @file tell/served.h
 * Every certificate that is served, now: those of the store, from the sealed
 * memory, and those that mod_ssl has loaded itself, which are noted at the
 * end of post_config. What is listed is a key of a few bytes; who wants to
 * know more describes those that are shown.
 *
 * Nothing here takes a lock or reads a file, but for -t and for the log line.
 */

#include "tell/tlsfacts.h"

/** A certificate, or those that are served together. */
typedef struct snivhost_served_t {
    apr_time_t not_before;
    apr_time_t not_after;
    sniv_cert_id_t id;          /**< in the store, or SNIV_CERT_NONE: */
    server_rec *s;              /**< the first that mod_ssl serves it for */
} snivhost_served_t;

typedef void snivhost_served_fn(void *baton, const snivhost_served_t *one);

/** Call a function for each, in no order. Any thread of any process. */
void snivhost_served_each(snivhost_served_fn *fn, void *baton);

/**
 * Those that expire first.
 * @param list receives them, the first one first
 * @param size how many it has room for
 * @param total receives how many there are
 * @return how many there are in the list
 */
int snivhost_served_first(snivhost_served_t *list, int size, int *total);

/** What there is to say of one. @return 0: it is no longer served */
int snivhost_served_describe(const snivhost_facts_t *facts,
                             const snivhost_served_t *one,
                             snivhost_tls_facts_t *tls, apr_pool_t *p);

/** Under -t, where mod_ssl loads nothing: read the files of its virtual hosts
 * instead. */
void snivhost_served_read(const snivhost_facts_t *facts, apr_pool_t *p);

/* The phases, for the hook table in mod_snivhost.c. */
int snivhost_served_post_config(apr_pool_t *pconf, apr_pool_t *plog,
                                apr_pool_t *ptemp, server_rec *s);
int snivhost_served_monitor(apr_pool_t *p, server_rec *s);

#endif /* SNIVHOST_TELL_SERVED_H */
