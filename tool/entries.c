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


#include "tool/entries.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include <openssl/crypto.h>

#include "certs/challenge.h"

#define CHANGES_KEPT 10000
#define ENTRIES_MAX 200000

void entries_init(entries_t *e, const sniv_store_url_t *url,
                  const sniv_store_keys_t *keys, apr_pool_t *p)
{
    memset(e, 0, sizeof(*e));
    redis_init(&e->redis, url);
    e->prefix = url->prefix;
    e->keys = keys;
    e->p = p;
    e->error = e->redis.error;
}

void entries_end(entries_t *e)
{
    redis_close(&e->redis);
}

static int usable(entries_t *e, const char *id)
{
    e->error = e->redis.error;
    if (!sniv_store_id_is_usable(id, strlen(id))) {
        redis_fail(&e->redis, "takes IDs of 1 to %d letters, digits and "
                   ". _ * @ + = , - that do not begin with a dot",
                   SNIV_STORE_ID_MAX);
        return 0;
    }
    return redis_open(&e->redis);
}

/* ----- one */

/* A value as it is in the store. @return as entries_get() */
static int fetch(entries_t *e, const char *id, sniv_buffer_t *value,
                 const char **preason)
{
    redisReply *reply;
    apr_int64_t len;

    *preason = NULL;
    sniv_buffer_free(value);
    redis_send(&e->redis, "HSTRLEN %s:certs %s", e->prefix, id);
    reply = redis_reply(&e->redis, REDIS_REPLY_INTEGER, 0);
    if (!reply) {
        return -1;
    }
    len = reply->integer;
    freeReplyObject(reply);
    if (len <= 0 || len > SNIV_STORE_VALUE_MAX) {
        *preason = len > 0 ? "has more than 256 KiB" : NULL;
        return len > 0;
    }
    redis_send(&e->redis, "HGET %s:certs %s", e->prefix, id);
    reply = redis_reply(&e->redis, REDIS_REPLY_STRING, 1);
    if (!reply) {
        return -1;
    }
    len = reply->type == REDIS_REPLY_STRING ? reply->len : 0;
    if (len > 0) {
        value->data = malloc((size_t)len);
        if (value->data) {
            memcpy(value->data, reply->str, (size_t)len);
            value->len = value->room = (apr_size_t)len;
        }
        OPENSSL_cleanse(reply->str, (size_t)len);
    }
    freeReplyObject(reply);
    return len > 0;
}

int entries_get(entries_t *e, const char *id, sniv_buffer_t *entry,
                const char **preason, int *is_current)
{
    int rv, which = 0;

    *preason = NULL;
    if (!usable(e, id)) {
        return -1;
    }
    rv = fetch(e, id, entry, preason);
    if (is_current) {
        *is_current = !e->keys;
    }
    if (rv <= 0 || *preason) {
        return rv;
    }
    e->is_sealed = sniv_envelope_is(entry->data, entry->len);
    if (!e->is_sealed) {
        return rv;
    }
    if (is_current) {
        *is_current = 0;
    }
    if (!e->keys) {
        *preason = "is sealed: --key FILE is missing";
        return rv;
    }
    *preason = sniv_envelope_open(e->keys, id, strlen(id), entry->data,
                                  &entry->len, &which);
    if (is_current) {
        *is_current = which == 0;
    }
    return rv;
}

/* HSET or HDEL, and what tells others. @return 0: error */
static int change(entries_t *e, const char *id, const sniv_buffer_t *value)
{
    redis_t *r = &e->redis;
    redisReply *reply;
    int i, is_good = 1;

    redis_send(r, "MULTI");
    if (value) {
        redis_send(r, "HSET %s:certs %s %b", e->prefix, id, value->data,
                   (size_t)value->len);
    }
    else {
        redis_send(r, "HDEL %s:certs %s", e->prefix, id);
    }
    redis_send(r, "INCR %s:version", e->prefix);
    redis_send(r, "XADD %s:changes MAXLEN ~ %d * id %s", e->prefix,
               CHANGES_KEPT, id);
    redis_send(r, "EXEC");
    if (!redis_skip(r, 4)
        || !(reply = redis_reply(r, REDIS_REPLY_ARRAY, 0))) {
        return 0;
    }
    for (i = 0; i < 3 && is_good; i++) {
        is_good = redis_element(r, reply, (size_t)i, i < 2
                                ? REDIS_REPLY_INTEGER : REDIS_REPLY_STRING,
                                0) != NULL;
    }
    freeReplyObject(reply);
    return is_good;
}

int entries_put(entries_t *e, const char *id, const sniv_buffer_t *entry)
{
    const char *reason;
    sniv_buffer_t there, sealed;
    int rv, is_current;

    memset(&there, 0, sizeof(there));
    rv = entries_get(e, id, &there, &reason, &is_current);
    if (rv < 0) {
        return -1;
    }
    if (rv > 0 && !reason && is_current && there.len == entry->len
        && memcmp(there.data, entry->data, entry->len) == 0) {
        sniv_buffer_free(&there);
        return 0;
    }
    sniv_buffer_free(&there);
    if (!e->keys) {
        return change(e, id, entry) ? 1 : -1;
    }
    sealed.room = sniv_envelope_room(entry->len);
    sealed.data = malloc(sealed.room);
    sealed.len = sealed.data ? sniv_envelope_seal(e->keys, id, strlen(id),
                                                  entry->data, entry->len,
                                                  sealed.data)
                             : 0;
    if (sealed.len == 0 || sealed.len > SNIV_STORE_VALUE_MAX) {
        redis_fail(&e->redis, sealed.len ? "takes no entries of more than "
                   "256 KiB" : "was not asked: the entry cannot be sealed");
        rv = -1;
    }
    else {
        rv = change(e, id, &sealed) ? 1 : -1;
    }
    free(sealed.data);
    return rv;
}

int entries_remove(entries_t *e, const char *id)
{
    redisReply *reply;
    int is_there;

    if (!usable(e, id)) {
        return -1;
    }
    redis_send(&e->redis, "HEXISTS %s:certs %s", e->prefix, id);
    reply = redis_reply(&e->redis, REDIS_REPLY_INTEGER, 0);
    if (!reply) {
        return -1;
    }
    is_there = reply->integer != 0;
    freeReplyObject(reply);
    if (!is_there) {
        return 0;
    }
    return change(e, id, NULL) ? 1 : -1;
}

/* ----- all */

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* @return NULL: error */
static apr_array_header_t *all_ids(entries_t *e)
{
    redis_t *r = &e->redis;
    apr_array_header_t *ids;
    redisReply *reply;
    apr_int64_t n;
    size_t i;

    e->error = r->error;
    if (!redis_open(r)) {
        return NULL;
    }
    redis_send(r, "HLEN %s:certs", e->prefix);
    reply = redis_reply(r, REDIS_REPLY_INTEGER, 0);
    if (!reply) {
        return NULL;
    }
    n = reply->integer;
    freeReplyObject(reply);
    if (n > ENTRIES_MAX) {
        redis_fail(r, "has %" APR_INT64_T_FMT " entries, and no more than %d "
                   "are read", n, ENTRIES_MAX);
        return NULL;
    }
    redis_send(r, "HKEYS %s:certs", e->prefix);
    reply = redis_reply(r, REDIS_REPLY_ARRAY, 0);
    if (!reply) {
        return NULL;
    }
    ids = apr_array_make(e->p, (int)reply->elements + 1,
                         sizeof(const char *));
    for (i = 0; i < reply->elements; i++) {
        const redisReply *id = reply->element[i];

        if (id->type == REDIS_REPLY_STRING
            && sniv_store_id_is_usable(id->str, (apr_size_t)id->len)) {
            APR_ARRAY_PUSH(ids, const char *) = apr_pstrdup(e->p, id->str);
        }
    }
    freeReplyObject(reply);
    if (ids->nelts > 1) {
        qsort(ids->elts, (size_t)ids->nelts, sizeof(const char *), compare);
    }
    return ids;
}

int entries_each(entries_t *e, int with_value, entries_visit_fn *visit,
                 void *baton)
{
    apr_array_header_t *ids = all_ids(e);
    const char *reason = NULL;
    sniv_buffer_t entry;
    int i, rv = 1;

    memset(&entry, 0, sizeof(entry));
    for (i = 0; ids && i < ids->nelts && rv >= 0; i++) {
        const char *id = APR_ARRAY_IDX(ids, i, const char *);

        rv = with_value ? entries_get(e, id, &entry, &reason, NULL) : 1;
        if (rv > 0 && !visit(baton, id, with_value && !reason ? &entry
                                                             : NULL,
                             reason)) {
            break;
        }
    }
    sniv_buffer_free(&entry);
    return ids && rv >= 0;
}

int entries_allow(entries_t *e)
{
    redis_t *r = &e->redis;
    redisReply *reply;
    apr_int64_t version;
    int is_good;

    e->error = r->error;
    if (!redis_open(r)) {
        return 0;
    }
    redis_send(r, "GET %s:version", e->prefix);
    reply = redis_reply(r, REDIS_REPLY_STRING, 0);
    if (!reply) {
        return 0;
    }
    is_good = redis_number(reply, &version);
    freeReplyObject(reply);
    if (!is_good) {
        return redis_fail(r, "has no number in %s:version", e->prefix);
    }
    redis_send(r, "SET %s:allow-removals %s", e->prefix,
               apr_psprintf(e->p, "%" APR_INT64_T_FMT, version));
    return redis_skip(r, 1);
}

/* ----- answers to challenges */

/* @return NULL: error; else, freeReplyObject() */
static redisReply *all_answers(entries_t *e)
{
    redis_t *r = &e->redis;
    redisReply *reply;
    apr_int64_t n;

    e->error = r->error;
    if (!redis_open(r)) {
        return NULL;
    }
    redis_send(r, "HLEN %s:challenges", e->prefix);
    reply = redis_reply(r, REDIS_REPLY_INTEGER, 0);
    if (!reply) {
        return NULL;
    }
    n = reply->integer;
    freeReplyObject(reply);
    if (n > SNIV_CHALLENGES_MAX) {
        redis_fail(r, "has more than %d answers to challenges in "
                   "%s:challenges", SNIV_CHALLENGES_MAX, e->prefix);
        return NULL;
    }
    redis_send(r, "HGETALL %s:challenges", e->prefix);
    return redis_reply(r, REDIS_REPLY_ARRAY, 0);
}

/* When the i-th of them expires; 0: it is none. */
static apr_int64_t expires_of(const redisReply *all, size_t i)
{
    return all->element[i]->type == REDIS_REPLY_STRING
           && all->element[i + 1]->type == REDIS_REPLY_STRING
           ? sniv_challenge_expires(all->element[i + 1]->str) : 0;
}

static int run_one(entries_t *e)
{
    redisReply *reply = redis_reply(&e->redis, REDIS_REPLY_INTEGER, 0);

    freeReplyObject(reply);
    return reply != NULL;
}

int entries_remove_answer(entries_t *e, const char *id)
{
    e->error = e->redis.error;
    if (!redis_open(&e->redis)) {
        return 0;
    }
    redis_send(&e->redis, "HDEL %s:challenges %s", e->prefix, id);
    return run_one(e);
}

static int remove_expired(entries_t *e)
{
    apr_int64_t now = apr_time_sec(apr_time_now());
    redisReply *all = all_answers(e);
    int is_good = all != NULL;
    size_t i;

    for (i = 0; is_good && i + 1 < all->elements; i += 2) {
        if (expires_of(all, i) <= now
            && all->element[i]->type == REDIS_REPLY_STRING) {
            redis_send(&e->redis, "HDEL %s:challenges %b", e->prefix,
                       all->element[i]->str, (size_t)all->element[i]->len);
            is_good = run_one(e);
        }
    }
    freeReplyObject(all);
    return is_good;
}

int entries_put_answer(entries_t *e, const char *id, const char *answer)
{
    if (!remove_expired(e)) {
        return 0;
    }
    redis_send(&e->redis, "HSET %s:challenges %s %s", e->prefix, id, answer);
    redis_send(&e->redis, "EXPIRE %s:challenges %d", e->prefix,
               SNIV_CHALLENGE_LIFE);
    return run_one(e) && run_one(e);
}

int entries_list_answers(entries_t *e)
{
    redisReply *all = all_answers(e);
    char date[APR_RFC822_DATE_LEN];
    apr_int64_t expires;
    size_t i;

    for (i = 0; all && i + 1 < all->elements; i += 2) {
        expires = expires_of(all, i);
        if (expires && sniv_challenge_is_id(all->element[i]->str,
                                            (apr_size_t)all->element[i]->len)) {
            apr_rfc822_date(date, apr_time_from_sec(expires));
            printf("%s until %s\n", all->element[i]->str, date);
        }
    }
    freeReplyObject(all);
    return all != NULL;
}
