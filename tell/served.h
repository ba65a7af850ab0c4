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

#include <jansson.h>

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

/** All in numbers. */
typedef struct snivhost_served_sum_t {
    int all;
    int late;                   /**< with less than a third of their life */
    apr_time_t first;           /**< when the first one expires; 0: none */
} snivhost_served_sum_t;

/** Certificates on a page of a list. */
#define SNIVHOST_SERVED_PAGE 100

/**
 * The list by expiry up to a page of it, which is as much as has to be kept.
 * @param page from 0
 * @param size of a page
 * @param n receives how many there are in the list, those of earlier pages
 *        included: page * size or less if there is no such page
 * @param sum may be NULL
 * @return malloc()ed, may be NULL if there is none
 */
snivhost_served_t *snivhost_served_page(int page, int size, int *n,
                                        snivhost_served_sum_t *sum);

/** What there is to say of one. @return 0: it is no longer served */
int snivhost_served_describe(const snivhost_facts_t *facts,
                             const snivhost_served_t *one,
                             snivhost_tls_facts_t *tls, apr_pool_t *p);

/**
 * A part of a list as JSON.
 * @param names_max how many names of each certificate are in it; the number
 *        of others is in names_left_out
 */
json_t *snivhost_json_served(const snivhost_facts_t *facts,
                             const snivhost_served_t *list, int from, int to,
                             int names_max, apr_pool_t *p);

/** Under -t, where mod_ssl loads nothing: read the files of its virtual hosts
 * instead. */
void snivhost_served_read(const snivhost_facts_t *facts, apr_pool_t *p);

/* The phases, for the hook table in mod_snivhost.c. */
int snivhost_served_post_config(apr_pool_t *pconf, apr_pool_t *plog,
                                apr_pool_t *ptemp, server_rec *s);
int snivhost_served_monitor(apr_pool_t *p, server_rec *s);

#endif /* SNIVHOST_TELL_SERVED_H */
