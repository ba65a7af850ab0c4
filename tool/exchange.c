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

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include <openssl/evp.h>

#include "certs/challenge.h"

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

/* ----- challenges */

/* The answers that are valid now. @return NULL: error */
static apr_hash_t *ask_answers(exchange_t *x, apr_pool_t *p)
{
    apr_int64_t now = apr_time_sec(apr_time_now());
    apr_hash_t *answers = apr_hash_make(p);
    redis_t *r = x->reader;
    redisReply *reply;
    size_t i;

    redis_send(r, "HGETALL %s:challenges", r->url->prefix);
    reply = redis_reply(r, REDIS_REPLY_ARRAY, 0);
    if (!reply) {
        return NULL;
    }
    for (i = 0; i + 1 < reply->elements && i < 2 * SNIV_CHALLENGES_MAX;
         i += 2) {
        const redisReply *id = reply->element[i];
        const redisReply *value = reply->element[i + 1];

        if (id->type == REDIS_REPLY_STRING
            && value->type == REDIS_REPLY_STRING
            && sniv_challenge_is_id(id->str, (apr_size_t)id->len)
            && (apr_size_t)value->len < SNIV_CHALLENGE_MAX
            && sniv_challenge_expires(value->str) > now) {
            apr_hash_set(answers, apr_pstrdup(p, id->str),
                         APR_HASH_KEY_STRING, apr_pstrdup(p, value->str));
        }
    }
    freeReplyObject(reply);
    return answers;
}

/* @return -1: error */
static apr_int64_t count_answers(exchange_t *x)
{
    redis_t *r = x->reader;
    redisReply *reply;
    apr_int64_t n;

    redis_send(r, "HLEN %s:challenges", r->url->prefix);
    reply = redis_reply(r, REDIS_REPLY_INTEGER, 0);
    if (!reply) {
        return -1;
    }
    n = reply->integer;
    freeReplyObject(reply);
    return n;
}

static int has_answer(int dir, const char *name, const char *answer)
{
    char bytes[SNIV_CHALLENGE_MAX];
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n;

    if (fd < 0) {
        return 0;
    }
    n = read(fd, bytes, sizeof(bytes));
    close(fd);
    return n >= 0 && (size_t)n == strlen(answer)
           && memcmp(bytes, answer, (size_t)n) == 0;
}

/* httpd's children read it: nothing in it is a secret. */
static void write_answer(int dir, const char *name, const char *answer)
{
    static const char temp[] = ".new";
    size_t len = strlen(answer);
    int fd, is_good;

    (void)unlinkat(dir, temp, 0);
    fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return;
    }
    is_good = write(fd, answer, len) == (ssize_t)len && fchmod(fd, 0644) == 0;
    if (close(fd) != 0 || !is_good || renameat(dir, temp, dir, name) != 0) {
        (void)unlinkat(dir, temp, 0);
    }
}

/* @return how many files are there then */
static int keep_answers(int dir, apr_hash_t *answers, apr_pool_t *p)
{
    apr_hash_index_t *i;
    struct dirent *entry;
    DIR *list;

    for (i = apr_hash_first(p, answers); i; i = apr_hash_next(i)) {
        const char *name = apr_hash_this_key(i);
        const char *answer = apr_hash_this_val(i);

        if (!has_answer(dir, name, answer)) {
            write_answer(dir, name, answer);
        }
    }
    list = fdopendir(openat(dir, ".", O_RDONLY | O_CLOEXEC));
    while (list && (entry = readdir(list)) != NULL) {
        if (entry->d_name[0] != '.'
            && !apr_hash_get(answers, entry->d_name, APR_HASH_KEY_STRING)) {
            (void)unlinkat(dir, entry->d_name, 0);
        }
    }
    if (list) {
        closedir(list);
    }
    return (int)apr_hash_count(answers);
}

void exchange_challenges(exchange_t *x, apr_pool_t *ptemp)
{
    apr_int64_t n = count_answers(x);
    apr_hash_t *answers = NULL;
    char path[4096];
    int dir;

    if (n > SNIV_CHALLENGES_MAX) {
        fail(x, "has more than 1000 answers to challenges");
    }
    if (n < 0 || n > SNIV_CHALLENGES_MAX || (n == 0 && x->is_clean)) {
        return;
    }
    answers = n ? ask_answers(x, ptemp) : apr_hash_make(ptemp);
    snprintf(path, sizeof(path), "%s/challenges", x->copy->dir);
    dir = answers ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC
                               | O_NOFOLLOW) : -1;
    if (dir >= 0) {
        x->is_clean = keep_answers(dir, answers, ptemp) == 0;
        close(dir);
    }
}
