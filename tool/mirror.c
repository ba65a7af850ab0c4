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


#include "tool/mirror.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "tool/copy.h"
#include "tool/exchange.h"

/*
 * A store says what has changed since: PREFIX:version counts changes, and
 * PREFIX:changes has the IDs of the last ones. If the last one that was read
 * is still there and as many follow it as the version says, these entries are
 * read; if not (too long ago, another store, a writer that does not keep to
 * it), all are.
 *
 * What is asked for is limited before it is asked for: the number of entries
 * (HLEN) before their IDs (HKEYS), the length of a value (HSTRLEN) before the
 * value (HMGET). HSCAN would bring values with the IDs, whatever their length.
 */

#define PERIOD 1                            /* seconds from look to look */
#define GATHER apr_time_from_msec(50)       /* a folder is many changes */
#define PERIOD_MAX 10                       /* ... while it fails */
#define ALL_PERIOD apr_time_from_sec(3600)  /* ... at everything */
#define NOTE_PERIOD apr_time_from_sec(5)    /* from note to note */
#define ENTRIES_MAX 200000
#define CHANGES_MAX 1000
#define BATCH 200                           /* values that are asked for */
#define BATCH_BYTES ((apr_size_t)4 << 20)
#define GONE_LEAST 10                       /* that may vanish at once */

/* Where in the stream a change is, as Redis writes it. */
typedef struct place_t {
    char at[44];
} place_t;

typedef struct mirror_t {
    redis_t redis;
    copy_t copy;
    const char *prefix;
    apr_pool_t *ptemp;          /* cleared after each look */
    int is_read;                /* version and last are those of the copy */
    int is_held;                /* too much has vanished in this version */
    apr_int64_t version;
    place_t last;               /* the last change */
    apr_time_t read, all, noted;
    unsigned round;
    unsigned skipped;           /* entries that cannot be copied */
    char first[256];            /* ... and the first of them */
    unsigned failures;
    char held[600];             /* why, see is_held */
    char reason[600];           /* "": all is well */
    exchange_t exchange;
    int with;                   /* MIRROR_... */
} mirror_t;

/* An ID that was asked for. */
typedef struct asked_t {
    const char *id;
    apr_size_t len;
} asked_t;

static volatile sig_atomic_t is_ended;

static void end(int sig)
{
    (void)sig;
    is_ended = 1;
}

static int fail(mirror_t *m, const char *about, const char *reason)
{
    snprintf(m->reason, sizeof(m->reason), "%s %s", about, reason);
    return 0;
}

static int store_fails(mirror_t *m)
{
    return fail(m, "the store", m->redis.error);
}

static int copy_fails(mirror_t *m)
{
    return fail(m, "the copy", m->copy.error);
}

/* ----- what the store says of itself */

static int has_version(mirror_t *m, const redisReply *reply,
                       apr_int64_t *version)
{
    if (reply->type == REDIS_REPLY_NIL) {
        m->is_read = 0;         /* it begins anew, with the same numbers */
        return redis_fail(&m->redis, "has no key %s:version: nothing was put "
                          "there, or the prefix is another one", m->prefix);
    }
    return redis_number(reply, version)
           || redis_fail(&m->redis, "has no number in %s:version", m->prefix);
}

/* The place of a change in the stream. */
static int has_place(mirror_t *m, const redisReply *change, place_t *place)
{
    const redisReply *at = redis_element(&m->redis, change, 0,
                                         REDIS_REPLY_STRING, 0);

    if (!at) {
        return 0;
    }
    if ((size_t)at->len >= sizeof(place->at)
        || strspn(at->str, "0123456789-") != (size_t)at->len) {
        return redis_fail(&m->redis, "has a stream %s:changes whose IDs are "
                          "none", m->prefix);
    }
    memcpy(place->at, at->str, (size_t)at->len + 1);
    return 1;
}

/* That of the last one, in a list with it. */
static int has_last(mirror_t *m, const redisReply *list, place_t *place)
{
    apr_cpystrn(place->at, "0-0", sizeof(place->at));
    return list->elements == 0 || has_place(m, list->element[0], place);
}

/* Version, last change and number of entries, all of one moment. */
static int ask_all(mirror_t *m, apr_int64_t *version, apr_int64_t *entries)
{
    redis_t *r = &m->redis;
    const redisReply *one, *list;
    redisReply *reply;
    int is_good = 0;

    redis_send(r, "MULTI");
    redis_send(r, "GET %s:version", m->prefix);
    redis_send(r, "XREVRANGE %s:changes + - COUNT 1", m->prefix);
    redis_send(r, "HLEN %s:certs", m->prefix);
    redis_send(r, "EXEC");
    if (!redis_skip(r, 4)
        || !(reply = redis_reply(r, REDIS_REPLY_ARRAY, 0))) {
        return 0;
    }
    if ((one = redis_element(r, reply, 0, REDIS_REPLY_STRING, 1))
        && has_version(m, one, version)
        && (list = redis_element(r, reply, 1, REDIS_REPLY_ARRAY, 0))
        && (one = redis_element(r, reply, 2, REDIS_REPLY_INTEGER, 0))) {
        *entries = one->integer;
        is_good = has_last(m, list, &m->last);
    }
    freeReplyObject(reply);
    if (is_good && *entries > ENTRIES_MAX) {
        is_good = redis_fail(r, "has %" APR_INT64_T_FMT " entries in "
                             "%s:certs, and no more than %d are read",
                             *entries, m->prefix, ENTRIES_MAX);
    }
    return is_good;
}

/* ----- entries */

static void skip(mirror_t *m, const char *id, apr_size_t len,
                 const char *why)
{
    char *c;

    if (m->skipped++ == 0) {
        snprintf(m->first, sizeof(m->first), "'%.*s' %s",
                 len > 100 ? 100 : (int)len, id, why);
        for (c = m->first; *c; c++) {
            if ((unsigned char)*c < ' ' || (unsigned char)*c > '~') {
                *c = '?';
            }
        }
    }
}

/* An entry that is there and cannot be copied: the one before stays. */
static void keep_old(mirror_t *m, const asked_t *asked, const char *why)
{
    copy_entry_t *entry = copy_find(&m->copy, asked->id, asked->len);

    if (entry) {
        entry->round = m->round;
    }
    skip(m, asked->id, asked->len, why);
}

/* Which of some entries can be asked for. @return how many, -1: error */
static int ask_lengths(mirror_t *m, const asked_t *asked, int n,
                       apr_size_t *lens)
{
    redis_t *r = &m->redis;
    redisReply *reply;
    int i, there = 0;

    for (i = 0; i < n; i++) {
        redis_send(r, "HSTRLEN %s:certs %b", m->prefix, asked[i].id,
                   (size_t)asked[i].len);
    }
    for (i = 0; i < n; i++) {
        reply = redis_reply(r, REDIS_REPLY_INTEGER, 0);
        if (!reply) {
            return -1;
        }
        lens[i] = 0;
        if (reply->integer > SNIV_STORE_VALUE_MAX) {
            keep_old(m, &asked[i], "has more than 256 KiB");
        }
        else if (reply->integer > 0) {
            lens[i] = (apr_size_t)reply->integer;
            there++;
        }
        freeReplyObject(reply);
    }
    return there;
}

static int take_value(mirror_t *m, const asked_t *asked,
                      const redisReply *value)
{
    if (value->type == REDIS_REPLY_NIL || value->len == 0) {
        return 1;               /* it has just gone */
    }
    return copy_put(&m->copy, asked->id, asked->len, value->str,
                    (apr_size_t)value->len, m->round) >= 0 || copy_fails(m);
}

/* Read the entries that lens has, from one on, up to a number of bytes.
 * @return how far, -1: error */
static int ask_values(mirror_t *m, const asked_t *asked,
                      const apr_size_t *lens, int from, int n)
{
    const char *argv[BATCH + 2];
    size_t argl[BATCH + 2];
    int at[BATCH], i, argc = 0, is_good = 1;
    apr_size_t bytes = 0;
    redisReply *reply;

    argv[argc] = "HMGET";
    argl[argc++] = 5;
    argv[argc] = apr_pstrcat(m->ptemp, m->prefix, ":certs", NULL);
    argl[argc] = strlen(argv[argc]);
    argc++;
    for (i = from; i < n && bytes < BATCH_BYTES; i++) {
        if (lens[i]) {
            at[argc - 2] = i;
            argv[argc] = asked[i].id;
            argl[argc++] = asked[i].len;
            bytes += lens[i];
        }
    }
    n = i;
    if (argc == 2) {
        return n;
    }
    redis_send_argv(&m->redis, argc, argv, argl);
    reply = redis_reply(&m->redis, REDIS_REPLY_ARRAY, 0);
    if (!reply) {
        store_fails(m);
        return -1;
    }
    for (i = 0; i < argc - 2 && is_good; i++) {
        const redisReply *value = redis_element(&m->redis, reply, (size_t)i,
                                                REDIS_REPLY_STRING, 1);

        is_good = value ? take_value(m, &asked[at[i]], value)
                        : store_fails(m);
    }
    freeReplyObject(reply);
    return is_good ? n : -1;
}

/* Bring the copy of some entries up to date; those that are there are of
 * this round then. */
static int copy_some(mirror_t *m, const asked_t *asked, int n)
{
    apr_size_t lens[BATCH];
    int at = 0, part, from;

    for (; at < n; at += part) {
        part = n - at < BATCH ? n - at : BATCH;
        if (ask_lengths(m, asked + at, part, lens) < 0) {
            return store_fails(m);
        }
        for (from = 0; from < part;) {
            from = ask_values(m, asked + at, lens, from, part);
            if (from < 0) {
                return 0;
            }
        }
    }
    return 1;
}

/* ----- what has vanished */

static int is_allowed(mirror_t *m, apr_int64_t version)
{
    redisReply *reply;
    apr_int64_t allowed;
    int rv;

    redis_send(&m->redis, "GET %s:allow-removals", m->prefix);
    reply = redis_reply(&m->redis, REDIS_REPLY_STRING, 1);
    if (!reply) {
        return 0;
    }
    rv = redis_number(reply, &allowed) && allowed == version;
    freeReplyObject(reply);
    return rv;
}

static int remove_gone(mirror_t *m, const apr_array_header_t *gone,
                       apr_int64_t version)
{
    unsigned known = apr_hash_count(m->copy.ids), n = (unsigned)gone->nelts;
    int i;

    if (n > GONE_LEAST && n > known / 2 && !is_allowed(m, version)) {
        m->is_held = 1;
        snprintf(m->held, sizeof(m->held), "the store has lost %u of %u "
                 "entries at once, which are kept: if that is meant, let "
                 "them go with snivhost-store allow-removals (SET "
                 "%s:allow-removals %" APR_INT64_T_FMT ")", n, known,
                 m->prefix, version);
        memcpy(m->reason, m->held, sizeof(m->held));
        return 0;
    }
    for (i = 0; i < gone->nelts; i++) {
        if (!copy_remove(&m->copy, APR_ARRAY_IDX(gone, i, copy_entry_t *))) {
            return copy_fails(m);
        }
    }
    return 1;
}

/* ----- all, or what has changed */

static int copy_all(mirror_t *m)
{
    apr_array_header_t *asked, *gone;
    apr_int64_t version, entries;
    copy_entry_t *entry;
    redisReply *keys;
    asked_t *one;
    size_t i;
    int is_good;

    m->is_read = 0;
    m->is_held = 0;
    m->skipped = 0;
    m->round++;
    if (!ask_all(m, &version, &entries)) {
        return store_fails(m);
    }
    redis_send(&m->redis, "HKEYS %s:certs", m->prefix);
    keys = redis_reply(&m->redis, REDIS_REPLY_ARRAY, 0);
    if (!keys) {
        return store_fails(m);
    }
    asked = apr_array_make(m->ptemp, (int)keys->elements + 1,
                           sizeof(asked_t));
    for (i = 0; i < keys->elements; i++) {
        const redisReply *key = keys->element[i];

        if (key->type != REDIS_REPLY_STRING
            || !sniv_store_id_is_usable(key->str, (apr_size_t)key->len)) {
            skip(m, key->str ? key->str : "", key->str ? (apr_size_t)key->len
                                                       : 0,
                 "is no usable ID");
            continue;
        }
        one = apr_array_push(asked);
        one->id = key->str;
        one->len = (apr_size_t)key->len;
    }
    is_good = copy_some(m, (asked_t *)(void *)asked->elts, asked->nelts);
    freeReplyObject(keys);
    if (!is_good) {
        return 0;
    }
    gone = apr_array_make(m->ptemp, 16, sizeof(copy_entry_t *));
    for (entry = m->copy.first; entry; entry = entry->next) {
        if (entry->round != m->round) {
            APR_ARRAY_PUSH(gone, copy_entry_t *) = entry;
        }
    }
    m->version = version;
    m->all = apr_time_now();
    if (!remove_gone(m, gone, version)) {
        return 0;
    }
    m->is_read = 1;
    return 1;
}

/* The IDs in a list of changes. @return NULL: error */
static apr_array_header_t *ids_of(mirror_t *m, const redisReply *changes)
{
    apr_array_header_t *asked = apr_array_make(m->ptemp, 16,
                                               sizeof(asked_t));
    const redisReply *fields, *id;
    asked_t *one;
    size_t i;

    for (i = 0; i < changes->elements; i++) {
        if (!has_place(m, changes->element[i], &m->last)
            || !(fields = redis_element(&m->redis, changes->element[i], 1,
                                        REDIS_REPLY_ARRAY, 0))
            || !(id = redis_element(&m->redis, fields, 1, REDIS_REPLY_STRING,
                                    0))) {
            return NULL;
        }
        one = apr_array_push(asked);
        one->id = id->str;
        one->len = (apr_size_t)id->len;
    }
    return asked;
}

/* Entries that have changed: those that are not there any more go. */
static int copy_changed(mirror_t *m, apr_array_header_t *asked,
                        apr_int64_t version)
{
    apr_array_header_t *gone = apr_array_make(m->ptemp, 16,
                                              sizeof(copy_entry_t *));
    asked_t *list = (asked_t *)(void *)asked->elts;
    int i, n = 0;

    m->round++;
    for (i = 0; i < asked->nelts; i++) {
        if (sniv_store_id_is_usable(list[i].id, list[i].len)) {
            list[n++] = list[i];
        }
        else {
            skip(m, list[i].id, list[i].len, "is no usable ID");
        }
    }
    if (!copy_some(m, list, n)) {
        return 0;
    }
    for (i = 0; i < n; i++) {
        copy_entry_t *entry = copy_find(&m->copy, list[i].id, list[i].len);

        if (entry && entry->round != m->round) {
            entry->round = m->round;    /* it may be listed twice */
            APR_ARRAY_PUSH(gone, copy_entry_t *) = entry;
        }
    }
    if (!remove_gone(m, gone, version)) {
        return 0;
    }
    m->version = version;
    m->is_read = 1;
    return 1;
}

/* @return 1: up to date, 0: error, -1: all has to be read */
static int use_changes(mirror_t *m, const redisReply *reply)
{
    redis_t *r = &m->redis;
    apr_int64_t version;
    const redisReply *one, *last, *list, *changes;
    apr_array_header_t *asked;

    if (!(one = redis_element(r, reply, 0, REDIS_REPLY_STRING, 1))
        || !has_version(m, one, &version)
        || !(last = redis_element(r, reply, 1, REDIS_REPLY_ARRAY, 0))
        || !(list = redis_element(r, reply, 2, REDIS_REPLY_ARRAY, 1))) {
        return store_fails(m);
    }
    if (list->type == REDIS_REPLY_NIL || last->elements != 1) {
        return -1;
    }
    if (!(one = redis_element(r, list, 0, REDIS_REPLY_ARRAY, 0))
        || !(changes = redis_element(r, one, 1, REDIS_REPLY_ARRAY, 0))) {
        return store_fails(m);
    }
    if ((apr_int64_t)changes->elements != version - m->version) {
        return -1;
    }
    m->is_read = 0;
    asked = ids_of(m, changes);
    return asked ? copy_changed(m, asked, version) : store_fails(m);
}

/*
 * Whether nothing was put since. The version alone does not say that: another
 * primary, or the same one with data of yesterday, counts on from less, and
 * comes to the same number with other changes.
 * @return -1: error
 */
static int is_unchanged(mirror_t *m, apr_int64_t *version)
{
    redis_t *r = &m->redis;
    redisReply *number, *changes;
    place_t last;
    int is_good;

    redis_send(r, "GET %s:version", m->prefix);
    redis_send(r, "XREVRANGE %s:changes + - COUNT 1", m->prefix);
    number = redis_reply(r, REDIS_REPLY_STRING, 1);
    changes = number ? redis_reply(r, REDIS_REPLY_ARRAY, 0) : NULL;
    is_good = changes && has_version(m, number, version)
              && has_last(m, changes, &last);
    freeReplyObject(number);
    freeReplyObject(changes);
    return !is_good ? store_fails(m) - 1
           : *version == m->version && strcmp(last.at, m->last.at) == 0;
}

/* Too much has vanished: read all again when that may be otherwise. */
static int look_if_held(mirror_t *m)
{
    apr_int64_t version;
    int is_same = is_unchanged(m, &version);

    if (is_same < 0) {
        return 0;
    }
    if (!is_same || is_allowed(m, version)) {
        return copy_all(m);
    }
    memcpy(m->reason, m->held, sizeof(m->held));
    return 0;
}

static int look_for_changes(mirror_t *m)
{
    redis_t *r = &m->redis;
    redisReply *reply;
    apr_int64_t version;
    int rv = is_unchanged(m, &version);

    if (rv != 0) {
        return rv > 0;
    }
    redis_send(r, "MULTI");
    redis_send(r, "GET %s:version", m->prefix);
    redis_send(r, "XREVRANGE %s:changes %s %s", m->prefix, m->last.at,
               m->last.at);
    redis_send(r, "XREAD COUNT %d STREAMS %s:changes %s", CHANGES_MAX,
               m->prefix, m->last.at);
    redis_send(r, "EXEC");
    if (!redis_skip(r, 4)
        || !(reply = redis_reply(r, REDIS_REPLY_ARRAY, 0))) {
        return store_fails(m);
    }
    rv = use_changes(m, reply);
    freeReplyObject(reply);
    return rv < 0 ? copy_all(m) : rv;
}

static int look(mirror_t *m)
{
    apr_time_t now = apr_time_now();
    int rv;

    m->reason[0] = '\0';
    if (!redis_open(&m->redis)) {
        rv = store_fails(m);
    }
    else if (m->is_held) {
        rv = look_if_held(m);
    }
    else if (!m->is_read || now - m->all > ALL_PERIOD || now < m->all) {
        rv = copy_all(m);
    }
    else {
        rv = look_for_changes(m);
    }
    if (rv) {
        m->read = apr_time_now();
    }
    else {
        m->failures++;
    }
    if ((m->with & MIRROR_RING) && m->redis.c) {
        exchange_ring(&m->exchange);
    }
    if ((m->with & MIRROR_CHALLENGES) && m->redis.c) {
        exchange_challenges(&m->exchange, m->ptemp);
    }
    apr_pool_clear(m->ptemp);
    return rv;
}

/* ----- what the module is told */

static void note(mirror_t *m)
{
    char text[2048];

    snprintf(text, sizeof(text), "state %s\npid %ld\nread %" APR_INT64_T_FMT
             "\nversion %" APR_INT64_T_FMT "\nentries %u\nskipped %u\n"
             "failures %u\nfirst %s\nring %s\nreason %s\n",
             m->reason[0] ? "failing" : "good", (long)getpid(),
             (apr_int64_t)apr_time_sec(m->read), m->version,
             apr_hash_count(m->copy.ids), m->skipped, m->failures,
             m->skipped ? m->first : "", m->exchange.reason, m->reason);
    (void)copy_note(&m->copy, "state", text, strlen(text));
    m->noted = apr_time_now();
}

/* The time of the last success, if there was one before this process. */
static void recall(mirror_t *m)
{
    char path[4096], line[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/state", m->copy.dir);
    file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, "read ", 5) == 0) {
            m->read = apr_time_from_sec(apr_strtoi64(line + 5, NULL, 10));
        }
    }
    if (file) {
        fclose(file);
    }
}

/*
 * Wait for a change, for some time at most: what is written past the stream
 * is found by looking then.
 */
static void listen_for(mirror_t *m, apr_interval_time_t time)
{
    const apr_interval_time_t patience = m->redis.patience;
    apr_time_t end = apr_time_now() + time;
    redisReply *reply;

    redis_send(&m->redis, "XREAD BLOCK %d COUNT 1 STREAMS %s:changes %s",
               (int)apr_time_as_msec(time), m->prefix, m->last.at);
    m->redis.patience += time;
    reply = redis_reply(&m->redis, REDIS_REPLY_ARRAY, 1);
    m->redis.patience = patience;
    if (reply && reply->type == REDIS_REPLY_ARRAY) {
        time = GATHER;
    }
    else {
        time = reply ? 0 : end - apr_time_now();
    }
    freeReplyObject(reply);
    if (time > 0 && time <= apr_time_from_sec(PERIOD) && !is_ended) {
        apr_sleep(time);
    }
}

static void keep(mirror_t *m)
{
    char before[sizeof(m->reason)] = "";
    apr_int64_t version = -1;
    int is_first = 1, is_good, pause = PERIOD;

    while (!is_ended) {
        is_good = look(m);
        pause = is_good ? PERIOD : pause < PERIOD_MAX ? pause + 1 : pause;
        if (is_first || strcmp(before, m->reason) != 0
            || version != m->version
            || apr_time_now() - m->noted >= NOTE_PERIOD
            || apr_time_now() < m->noted) {
            note(m);
        }
        memcpy(before, m->reason, sizeof(before));
        version = m->version;
        if (is_first) {
            is_first = 0;
            close(STDOUT_FILENO);   /* who waits for it goes on */
        }
        if (is_good && !is_ended) {
            listen_for(m, apr_time_from_sec(PERIOD));
        }
        else if (!is_ended) {
            apr_sleep(apr_time_from_sec(pause));
        }
    }
}

int mirror_run(const sniv_store_url_t *url, pid_t parent, int with,
               apr_pool_t *p)
{
    struct sigaction action;
    mirror_t m;

    memset(&m, 0, sizeof(m));
    memset(&action, 0, sizeof(action));
    sigemptyset(&action.sa_mask);
    action.sa_handler = end;
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
    (void)sigaction(SIGUSR1, &action, NULL);
    umask(077);
    m.prefix = url->prefix;
    apr_pool_create(&m.ptemp, p);
    redis_init(&m.redis, url);
    exchange_init(&m.exchange, &m.redis, &m.copy);
    m.with = with;
    if (!copy_open(&m.copy, url->copy, p)) {
        fprintf(stderr, "snivhost-store: the copy %s\n", m.copy.error);
        return 1;
    }
    /* another server may have the same copy: one writes */
    while (!copy_lock(&m.copy)) {
        close(STDOUT_FILENO);
        if (is_ended || (parent && getppid() != parent)) {
            return 0;
        }
        apr_sleep(apr_time_from_sec(PERIOD));
    }
    recall(&m);
    keep(&m);
    redis_close(&m.redis);
    return 0;
}
