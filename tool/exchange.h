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

#ifndef SNIVHOST_TOOL_EXCHANGE_H
#define SNIVHOST_TOOL_EXCHANGE_H

/**
 * @file tool/exchange.h
 * What httpd and a store exchange beside entries. This program has no key: it
 * moves bytes.
 *
 * The ring of session ticket secrets, sealed, both ways. tls/ringstore.h is
 * the other end, and says what the files are.
 *
 * Answers to challenges, signed (certs/challenge.h): the hash
 * PREFIX:challenges as files, for as long as these are valid. serve/acme.h
 * gives them.
 */

#include "tool/copy.h"
#include "tool/redis.h"

typedef struct exchange_t {
    redis_t *reader;
    redis_t writer;             /* the primary, if there is another one */
    sniv_store_url_t primary;
    copy_t *copy;
    int is_lost;                /* it could not be read */
    int is_noted;               /* digest is that of the file */
    char digest[65];            /* of what the store has */
    char reason[256];           /* why it is not exchanged, or "" */
    int is_clean;               /* no answer is there */
} exchange_t;

void exchange_init(exchange_t *x, redis_t *reader, copy_t *copy);

/** Note what the store has, and put what is offered. */
void exchange_ring(exchange_t *x);

/** Keep the folder of answers as the store is. */
void exchange_challenges(exchange_t *x, apr_pool_t *ptemp);

#endif /* SNIVHOST_TOOL_EXCHANGE_H */
