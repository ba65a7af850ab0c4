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

#include "tool/exchange.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include <openssl/evp.h>

#define RING_MAX 1024
#define OFFER_MAX (RING_MAX + 66)

void exchange_init(exchange_t *x, redis_t *reader, copy_t *copy)
{
    memset(x, 0, sizeof(*x));
    x->reader = reader;
    x->copy = copy;
    if (reader->url->primary) {
        x->primary = *reader->url;
        x->primary.socket = NULL;
        x->primary.host = reader->url->primary;
        x->primary.port = reader->url->primary_port;
        redis_init(&x->writer, &x->primary);
    }
}

static void fail(exchange_t *x, const char *reason)
{
    apr_cpystrn(x->reason, reason, sizeof(x->reason));
}

static void digest_of(char text[65], const char *bytes, size_t len)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    int i;

    if (len == 0
        || !EVP_Digest(bytes, len, digest, NULL, EVP_sha256(), NULL)) {
        apr_cpystrn(text, "none", 65);
        return;
    }
    for (i = 0; i < 32; i++) {
        apr_snprintf(text + 2 * i, 3, "%02x", digest[i]);
    }
}

/* The ring of a store: no more bytes are asked for than it may have, and one
 * more. @return NULL: error */
static redisReply *ask(redis_t *r)
{
    redis_send(r, "GETRANGE %s:ring 0 %d", r->url->prefix, RING_MAX);
    return redis_reply(r, REDIS_REPLY_STRING, 0);
}

static int note(exchange_t *x)
{
    redisReply *reply = ask(x->reader);
    char digest[65];

    if (!reply) {
        fail(x, x->reader->error);
        return 0;
    }
    digest_of(digest, reply->str, (size_t)reply->len);
    if (!x->is_noted || strcmp(digest, x->digest) != 0) {
        x->is_noted = copy_note(x->copy, "ring.store", reply->str,
                                (apr_size_t)reply->len);
        memcpy(x->digest, digest, sizeof(digest));
    }
    freeReplyObject(reply);
    return 1;
}

/*
 * Put a ring in place of that one only. WATCH and MULTI rather than a script:
 * EXEC does nothing if the key has changed since it was read, on every
 * version of Redis and Valkey and without the right to run scripts.
 * @return 0: error
 */
static int put(redis_t *r, const char *base, const char *ring, size_t len)
{
    redisReply *reply;
    char digest[65];
    int is_good;

    redis_send(r, "WATCH %s:ring", r->url->prefix);
    if (!redis_skip(r, 1) || !(reply = ask(r))) {
        return 0;
    }
    digest_of(digest, reply->str, (size_t)reply->len);
    freeReplyObject(reply);
    if (strcmp(digest, base) != 0) {
        redis_send(r, "UNWATCH");
        return redis_skip(r, 1);
    }
    redis_send(r, "MULTI");
    redis_send(r, "SET %s:ring %b", r->url->prefix, ring, len);
    redis_send(r, "EXEC");
    if (!redis_skip(r, 2)
        || !(reply = redis_reply(r, REDIS_REPLY_ARRAY, 1))) {
        return 0;
    }
    /* nil: another one was faster */
    is_good = reply->type == REDIS_REPLY_NIL
              || redis_element(r, reply, 0, REDIS_REPLY_STATUS, 0) != NULL;
    freeReplyObject(reply);
    return is_good;
}

/* @return 1: something was put, or might have been */
static int offer(exchange_t *x)
{
    redis_t *r = x->writer.url ? &x->writer : x->reader;
    char path[4096], bytes[OFFER_MAX + 1], *ring;
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "%s/ring.new", x->copy->dir);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return 0;
    }
    n = read(fd, bytes, OFFER_MAX);
    close(fd);
    (void)unlink(path);         /* there will be another one, if need be */
    bytes[n > 0 ? n : 0] = '\0';
    ring = strchr(bytes, '\n');
    if (!ring) {
        return 0;
    }
    *ring++ = '\0';
    x->reason[0] = '\0';
    if (!redis_open(r)
        || !put(r, bytes, ring, (size_t)(bytes + n - ring))) {
        fail(x, r->error);
        redis_close(r);
        return 0;
    }
    return 1;
}

void exchange_ring(exchange_t *x)
{
    if (!note(x)) {
        x->is_lost = 1;
        return;
    }
    if (x->is_lost) {
        x->is_lost = 0;
        x->reason[0] = '\0';    /* that of an offer is kept */
    }
    if (offer(x)) {
        (void)note(x);
    }
}
