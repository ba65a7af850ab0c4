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


#ifndef SNIVHOST_TOOL_REDIS_H
#define SNIVHOST_TOOL_REDIS_H

/**
 * @file tool/redis.h
 * A connection to Redis or Valkey that trusts nobody: every wait has an end,
 * every answer a limit of bytes and elements, and its type is what was asked
 * for or an error.
 *
 * hiredis connects, writes commands and parses answers; it is never let to
 * block, and its reader gets no more than a piece at a time. One thread.
 */

#include <hiredis/hiredis.h>

#include <apr_pools.h>
#include <apr_time.h>

#include "certs/storeurl.h"
#include "tool/wire.h"

typedef struct redis_t {
    const sniv_store_url_t *url;
    redisContext *c;            /* NULL: not connected */
    apr_interval_time_t patience;   /* for each answer */
    redisReplyObjectFunctions fn;
    wire_t wire;
    char error[512];            /* completes "STORE ..." */
} redis_t;

void redis_init(redis_t *r, const sniv_store_url_t *url);

/** Connect and say who we are, unless that has been done. @return 0: error */
int redis_open(redis_t *r);

void redis_close(redis_t *r);

/** Write a reason. @return 0 */
int redis_fail(redis_t *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Queue a command; the format is that of redisCommand(). */
int redis_send(redis_t *r, const char *format, ...);
int redis_send_argv(redis_t *r, int argc, const char **argv,
                    const size_t *lens);

/**
 * The next answer, of that type (REDIS_REPLY_*).
 * @param or_nil REDIS_REPLY_NIL is as good
 * @return NULL: error, and the connection is closed
 */
redisReply *redis_reply(redis_t *r, int type, int or_nil);

/** Take n answers that say OK or QUEUED. @return 0: error */
int redis_skip(redis_t *r, int n);

/** An element of a list, of that type. @return NULL: error */
const redisReply *redis_element(redis_t *r, const redisReply *list, size_t i,
                                int type, int or_nil);

/** A number written as text. @return 0: it is none */
int redis_number(const redisReply *reply, apr_int64_t *n);

#endif /* SNIVHOST_TOOL_REDIS_H */
