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


#include "tool/redis.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>

#define ANSWER_BYTES ((apr_size_t)64 << 20)
#define ANSWER_ELEMENTS 250000
#define ANSWER_DEPTH 8

void redis_init(redis_t *r, const sniv_store_url_t *url)
{
    memset(r, 0, sizeof(*r));
    r->url = url;
    r->patience = apr_time_from_sec(url->timeout);
}

void redis_close(redis_t *r)
{
    if (r->c) {
        wire_end(&r->wire);
        redisFree(r->c);
        r->c = NULL;
    }
}

int redis_fail(redis_t *r, const char *format, ...)
{
    va_list args;
    char *c;

    va_start(args, format);
    vsnprintf(r->error, sizeof(r->error), format, args);
    va_end(args);
    /* what a server says is no text for a log */
    for (c = r->error; *c; c++) {
        if ((unsigned char)*c < ' ' || (unsigned char)*c > '~') {
            *c = '?';
        }
    }
    return 0;
}

static int lose(redis_t *r, const char *what, const char *why)
{
    redis_fail(r, "%s%s%s", what, why ? ": " : "", why ? why : "");
    redis_close(r);
    return 0;
}

/* The reason is the wire's. */
static int lose_wire(redis_t *r)
{
    redis_fail(r, "%s", r->wire.error);
    redis_close(r);
    return 0;
}

/* ----- waiting */

/* @return 0: the time is over, or poll() fails */
static int wait_for(redis_t *r, short events, apr_time_t end)
{
    struct pollfd fd;
    apr_interval_time_t left;
    int n;

    fd.fd = r->c->fd;
    fd.events = events;
    for (;;) {
        left = end - apr_time_now();
        /* a clock that was put back must not be waited for */
        if (left > r->patience) {
            left = r->patience;
        }
        if (left <= 0) {
            return 0;
        }
        n = poll(&fd, 1, (int)apr_time_as_msec(left) + 1);
        if (n > 0) {
            return 1;
        }
        if (n < 0 && errno != EINTR) {
            return 0;
        }
    }
}

#if HIREDIS_MAJOR >= 1
typedef size_t elements_t;
#else
typedef int elements_t;
#endif

static void *(*make_array)(const redisReadTask *task, elements_t elements);

/* From 1.0 on hiredis itself has no limit for lists in lists, but needs memory
 * and, to free them, stack for each. */
static void *limited_array(const redisReadTask *task, elements_t elements)
{
    const redisReadTask *list;
    int depth = 0;

    for (list = task; list && depth <= ANSWER_DEPTH; list = list->parent) {
        depth++;
    }
    return elements > ANSWER_ELEMENTS || depth > ANSWER_DEPTH
        ? NULL : make_array(task, elements);
}

/* One answer, whatever it is. */
static redisReply *next_answer(redis_t *r)
{
    apr_time_t end = apr_time_now() + r->patience;
    apr_size_t bytes = 0;
    void *reply = NULL;
    char part[16384];
    short events;
    ssize_t n;

    for (;;) {
        if (redisReaderGetReply(r->c->reader, &reply) != REDIS_OK) {
            lose(r, "gave an answer that is not one of Redis",
                 r->c->reader->errstr);
            return NULL;
        }
        if (reply) {
            return reply;
        }
        events = 0;
        n = wire_give(&r->wire, &events)
            ? wire_take(&r->wire, part, sizeof(part), &events) : -1;
        if (n < 0) {
            lose_wire(r);
            return NULL;
        }
        if (n == 0 && !wait_for(r, events, end)) {
            lose(r, "did not answer in time", NULL);
            return NULL;
        }
        bytes += (apr_size_t)n;
        if (bytes > ANSWER_BYTES) {
            lose(r, "gave an answer of more than 64 MiB", NULL);
            return NULL;
        }
        if (n > 0
            && redisReaderFeed(r->c->reader, part, (size_t)n) != REDIS_OK) {
            lose(r, "gave an answer that is not one of Redis",
                 r->c->reader->errstr);
            return NULL;
        }
    }
}

static const char *type_name(int type)
{
    static const char *const names[] = {
        "nothing", "a string", "a list", "a number", "nothing", "a word"
    };

    return type >= 0 && type < 6 ? names[type] : "something else";
}

redisReply *redis_reply(redis_t *r, int type, int or_nil)
{
    redisReply *reply;

    if (!r->c) {
        return NULL;
    }
    reply = next_answer(r);
    if (!reply || reply->type == type
        || (or_nil && reply->type == REDIS_REPLY_NIL)) {
        return reply;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        redis_fail(r, "answered with an error: %.300s", reply->str);
    }
    else {
        redis_fail(r, "answered with %s in place of %s",
                   type_name(reply->type), type_name(type));
    }
    freeReplyObject(reply);
    redis_close(r);             /* more may come that nobody waits for */
    return NULL;
}

int redis_skip(redis_t *r, int n)
{
    redisReply *reply;

    for (; n > 0; n--) {
        reply = redis_reply(r, REDIS_REPLY_STATUS, 0);
        if (!reply) {
            return 0;
        }
        freeReplyObject(reply);
    }
    return 1;
}

const redisReply *redis_element(redis_t *r, const redisReply *list, size_t i,
                                int type, int or_nil)
{
    const redisReply *one;

    if (list->type != REDIS_REPLY_ARRAY || i >= list->elements) {
        redis_fail(r, "answered with a list that is too short");
        return NULL;
    }
    one = list->element[i];
    if (one->type == type || (or_nil && one->type == REDIS_REPLY_NIL)) {
        return one;
    }
    if (one->type == REDIS_REPLY_ERROR) {
        redis_fail(r, "answered with an error: %.300s", one->str);
    }
    else {
        redis_fail(r, "answered with %s in place of %s", type_name(one->type),
                   type_name(type));
    }
    return NULL;
}

int redis_number(const redisReply *reply, apr_int64_t *n)
{
    char *end;

    if (reply->type == REDIS_REPLY_INTEGER) {
        *n = reply->integer;
        return 1;
    }
    if (reply->type != REDIS_REPLY_STRING || reply->len == 0
        || reply->len > 18 || strspn(reply->str, "0123456789")
                              != (size_t)reply->len) {
        return 0;
    }
    *n = strtoll(reply->str, &end, 10);
    return 1;
}

/* ----- commands */

static int queue(redis_t *r, char *command, apr_int64_t len)
{
    int is_good = len > 0 && wire_queue(&r->wire, command, (size_t)len);

    if (len > 0) {
        OPENSSL_cleanse(command, (size_t)len);
        redisFreeCommand(command);
    }
    return is_good || lose(r, "cannot be asked: out of memory", NULL);
}

int redis_send(redis_t *r, const char *format, ...)
{
    char *command = NULL;
    va_list args;
    int len;

    if (!r->c) {
        return 0;
    }
    va_start(args, format);
    len = redisvFormatCommand(&command, format, args);
    va_end(args);
    return queue(r, command, len);
}

int redis_send_argv(redis_t *r, int argc, const char **argv,
                    const size_t *lens)
{
    char *command = NULL;

    return r->c
           && queue(r, command, redisFormatCommandArgv(&command, argc, argv,
                                                       lens));
}

/* ----- connecting */

/* The first line of a file that nobody else can read. */
static int read_password(redis_t *r, char *text, size_t room)
{
    const char *path = r->url->password_file;
    int fd = wire_open_private(path, "cannot be asked: password-file=",
                               &r->wire);
    ssize_t n;

    if (fd < 0) {
        return redis_fail(r, "%s", r->wire.error);
    }
    n = read(fd, text, room - 1);
    close(fd);
    if (n <= 0) {
        return redis_fail(r, "cannot be asked: password-file=%s: it is empty",
                          path);
    }
    text[n] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    return 1;
}

static int greet(redis_t *r)
{
    char password[1024];
    redisReply *reply;
    int is_good;

    if (r->url->password_file) {
        if (!read_password(r, password, sizeof(password))) {
            redis_close(r);
            return 0;
        }
        if (r->url->user) {
            redis_send(r, "AUTH %s %s", r->url->user, password);
        }
        else {
            redis_send(r, "AUTH %s", password);
        }
        OPENSSL_cleanse(password, sizeof(password));
        is_good = redis_skip(r, 1);
        if (!is_good) {
            redis_close(r);
            return 0;
        }
    }
    redis_send(r, "PING");
    reply = redis_reply(r, REDIS_REPLY_STATUS, 0);
    if (!reply) {
        redis_close(r);
        return 0;
    }
    freeReplyObject(reply);
    return 1;
}

/* @return 0: error, and the connection is closed */
static int begin_tls(redis_t *r, apr_time_t end)
{
    short events;
    int rv;

    if (!wire_use_tls(&r->wire, r->url)) {
        return lose_wire(r);
    }
    for (;;) {
        events = 0;
        rv = wire_handshake(&r->wire, &events);
        if (rv != 0) {
            return rv > 0 || lose_wire(r);
        }
        if (!wait_for(r, events, end)) {
            return lose(r, "cannot be reached: no TLS in time (redis:// in "
                        "place of rediss:// is without)", NULL);
        }
    }
}

int redis_open(redis_t *r)
{
    const sniv_store_url_t *url = r->url;
    apr_time_t end = apr_time_now() + r->patience;
    socklen_t len = sizeof(int);
    int problem = 0;

    if (r->c) {
        return 1;
    }
    r->c = url->socket ? redisConnectUnixNonBlock(url->socket)
                       : redisConnectNonBlock(url->host, url->port);
    if (!r->c) {
        return redis_fail(r, "cannot be reached: out of memory");
    }
    wire_init(&r->wire, r->c->fd);
    if (r->c->err) {
        return lose(r, "cannot be reached", r->c->errstr);
    }
    if (!wait_for(r, POLLOUT, end)) {
        return lose(r, "cannot be reached: no connection in time", NULL);
    }
    if (getsockopt(r->c->fd, SOL_SOCKET, SO_ERROR, &problem, &len) != 0
        || problem != 0) {
        return lose(r, "cannot be reached", strerror(problem));
    }
    (void)fcntl(r->c->fd, F_SETFD, FD_CLOEXEC);
    r->fn = *r->c->reader->fn;
    if (!make_array) {
        make_array = r->fn.createArray;
    }
    r->fn.createArray = limited_array;
    r->c->reader->fn = &r->fn;
    return (url->socket || !url->is_tls || begin_tls(r, end)) && greet(r);
}
