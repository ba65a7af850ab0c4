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

#include "tls/storelog.h"

#include "apr_hash.h"
#include "apr_lib.h"
#include "apr_strings.h"
#include "http_log.h"

#include "module/words.h"
#include "tls/mirror.h"

#define GROUPS_MAX 100          /* an hour; more are one number */
#define LINES_MAX 15            /* about problems, after a load */
#define KIND_LEN 60

/* An event that waits. */
typedef struct event_t {
    sniv_certs_event_e event;
    sniv_cert_id_t id;
    const char *file;
    const char *reason;
} event_t;

/* Events of a kind in a place. */
typedef struct group_t {
    sniv_certs_event_e event;
    const char *place;
    const char *file;           /* the first one, with its reason */
    const char *reason;
    unsigned shown;
    unsigned unsaid;
} group_t;

struct snivhost_storelog_t {
    const sniv_certs_t *certs;
    const server_rec *s;
    apr_pool_t *p;
    apr_pool_t *hourly;         /* groups are in it */
    apr_hash_t *groups;
    apr_array_header_t *events; /* or NULL: nothing waits any more */
    unsigned lines;             /* about problems */
    unsigned unsaid;            /* without a group */
    apr_time_t since;
    int is_loaded;
};

static void begin_hour(snivhost_storelog_t *log)
{
    apr_pool_clear(log->hourly);
    log->groups = apr_hash_make(log->hourly);
    log->lines = 0;
    log->unsaid = 0;
    log->since = apr_time_now();
}

snivhost_storelog_t *snivhost_storelog_make(const sniv_certs_t *certs,
                                            const server_rec *s, int defer,
                                            apr_pool_t *p)
{
    snivhost_storelog_t *log = apr_pcalloc(p, sizeof(*log));

    log->certs = certs;
    log->s = s;
    log->p = p;
    apr_pool_create(&log->hourly, p);
    if (defer)
        log->events = apr_array_make(p, 4, sizeof(event_t));
    begin_hour(log);
    return log;
}

/* Without date and level under -t. */
static int to_console(const snivhost_storelog_t *log)
{
    return log->s ? 0 : APLOG_STARTUP;
}

static void say(const snivhost_storelog_t *log, sniv_certs_event_e event,
                const char *file, const char *reason)
{
    int to = to_console(log);

    switch (event) {
    case SNIV_CERTS_BAD:
        ap_log_error(APLOG_MARK, APLOG_ERR | to, 0, log->s, "SNIV0301: "
                     "certificate not used: %s %s", file, reason);
        break;
    case SNIV_CERTS_DOUBTFUL:
        ap_log_error(APLOG_MARK, APLOG_WARNING | to, 0, log->s, "SNIV0302: "
                     "certificate: %s %s", file, reason);
        break;
    case SNIV_CERTS_RENEWED:
        ap_log_error(APLOG_MARK, APLOG_NOTICE | to, 0, log->s, "SNIV0305: "
                     "certificate: %s %s", file, reason);
        break;
    case SNIV_CERTS_KEPT:
        ap_log_error(APLOG_MARK, APLOG_ERR | to, 0, log->s, "SNIV0306: "
                     "certificate not renewed, the old one is still served: "
                     "%s %s", file, reason);
        break;
    case SNIV_CERTS_ADDED:
        ap_log_error(APLOG_MARK, APLOG_NOTICE | to, 0, log->s, "SNIV0307: "
                     "certificate: %s %s", file, reason);
        break;
    case SNIV_CERTS_REMOVED:
        ap_log_error(APLOG_MARK, APLOG_NOTICE | to, 0, log->s, "SNIV0308: "
                     "certificate no longer served: %s %s", file, reason);
        break;
    case SNIV_CERTS_FULL:
        ap_log_error(APLOG_MARK, APLOG_ERR | to, 0, log->s, "SNIV0309: "
                     "certificate not used: %s %s", file, reason);
        break;
    default:
        ap_log_error(APLOG_MARK, APLOG_ERR | to, 0, log->s, "SNIV0310: "
                     "certificates: folder %s %s", file, reason);
        break;
    }
}

static int is_problem(sniv_certs_event_e event)
{
    return event == SNIV_CERTS_BAD || event == SNIV_CERTS_DOUBTFUL
           || event == SNIV_CERTS_FOLDER || event == SNIV_CERTS_FULL;
}

/* Problems are alike; of what happens to certificates each one counts. */
static unsigned shown_max(sniv_certs_event_e event)
{
    return event == SNIV_CERTS_FULL ? 10 : is_problem(event) ? 3 : 100;
}

/* A reason without what differs from file to file. */
static void kind_of(const char *reason, char kind[KIND_LEN + 1])
{
    int i;

    for (i = 0; i < KIND_LEN && reason[i] && reason[i] != '/'
                && !apr_isdigit(reason[i]); i++) {
        kind[i] = reason[i];
    }
    kind[i] = '\0';
}

static group_t *group_of(snivhost_storelog_t *log, sniv_certs_event_e event,
                         const char *file, apr_size_t place,
                         const char *reason)
{
    char kind[KIND_LEN + 1], number[12];
    char *key;
    group_t *group;

    kind_of(reason, kind);
    apr_snprintf(number, sizeof(number), "%d", (int)event);
    key = apr_pstrcat(log->hourly, apr_pstrmemdup(log->hourly, file, place),
                      "\n", number, " ", kind, NULL);
    group = apr_hash_get(log->groups, key, APR_HASH_KEY_STRING);
    if (group || apr_hash_count(log->groups) >= GROUPS_MAX)
        return group;
    group = apr_pcalloc(log->hourly, sizeof(*group));
    group->event = event;
    group->place = apr_pstrmemdup(log->hourly, file, place);
    group->file = apr_pstrdup(log->hourly, file);
    group->reason = apr_pstrdup(log->hourly, reason);
    apr_hash_set(log->groups, key, APR_HASH_KEY_STRING, group);
    return group;
}

static void keep(snivhost_storelog_t *log, sniv_certs_event_e event,
                 sniv_cert_id_t id, const char *file, const char *reason)
{
    event_t *e = apr_array_push(log->events);

    e->event = event;
    e->id = id;
    e->file = apr_pstrdup(log->p, file);
    e->reason = apr_pstrdup(log->p, reason);
}

void snivhost_storelog_note(void *baton, sniv_certs_event_e event,
                            sniv_cert_id_t id, const char *file,
                            const char *reason)
{
    snivhost_storelog_t *log = baton;
    apr_size_t place = sniv_certs_place(log->certs, file);
    group_t *group;

    if (!place) {
        if (log->events)
            keep(log, event, id, file, reason);
        else
            say(log, event, file, reason);
        return;
    }
    group = group_of(log, event, file, place, reason);
    if (!group) {
        log->unsaid++;
        return;
    }
    if (group->shown >= shown_max(event)
        || (!log->is_loaded && is_problem(event)
            && event != SNIV_CERTS_FULL && log->lines >= LINES_MAX)) {
        group->unsaid++;
        return;
    }
    group->shown++;
    log->lines += is_problem(event);
    say(log, event, file, reason);
}

/* The numbers: a line for each group that has had lines, one for the rest. */
static void say_numbers(snivhost_storelog_t *log)
{
    int to = to_console(log);
    unsigned rest = log->unsaid, places = log->unsaid > 0;
    apr_hash_index_t *i;

    for (i = apr_hash_first(log->hourly, log->groups); i;
         i = apr_hash_next(i)) {
        group_t *group = apr_hash_this_val(i);

        if (group->unsaid == 0)
            continue;
        if (group->shown == 0) {
            rest += group->unsaid;
            places++;
            continue;
        }
        ap_log_error(APLOG_MARK, APLOG_WARNING | to, 0, log->s, "SNIV0340: "
                     "certificates: %u more in %s are like this one: %s %s",
                     group->unsaid, group->place, group->file,
                     group->reason);
    }
    if (rest > 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING | to, 0, log->s, "SNIV0342: "
                     "certificates: %u more events in %u more place%s are not "
                     "logged individually", rest, places,
                     snivhost_plural(places));
    }
}

/* Folders that are named, and have nothing to serve. */
static void say_empty(const snivhost_storelog_t *log)
{
    sniv_certs_top_t top;
    int i;

    for (i = 0; sniv_certs_top(log->certs, i, &top); i++) {
        if (top.served > 0 || top.is_unread
            /* a store may be empty; SNIV0376 says how much it has */
            || (top.files == 0 && snivhost_mirror_is_copy(top.path)))
            continue;
        ap_log_error(APLOG_MARK, APLOG_WARNING | to_console(log), 0, log->s,
                     "SNIV0341: certificates: nothing in folder %s can be "
                     "served: %s", top.path, top.files == 0
                     ? "it has no file that ends in .pem, .crt, .cer, "
                       ".cert, .pfx or .p12. Convert others, or name the "
                       "folder that has the certificates"
                     : "none of its files can be used, see the lines "
                       "before");
    }
}

/* Files that look like certificates or keys, and belong to none: an old one,
 * a key whose certificate is missing. Not under -t. */
static void say_passed(const snivhost_storelog_t *log)
{
    sniv_certs_top_t top;
    int i;

    for (i = 0; log->s && sniv_certs_top(log->certs, i, &top); i++) {
        if (top.passed == 0 || !top.passed_first)
            continue;
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, log->s, "SNIV0320: "
                     "certificates: passed over in folder %s: %u file%s, the "
                     "first is %s", top.path, top.passed,
                     top.passed == 1 ? "" : "s", top.passed_first);
    }
}

void snivhost_storelog_flush(snivhost_storelog_t *log)
{
    int i;

    for (i = 0; log->events && i < log->events->nelts; i++) {
        const event_t *e = &APR_ARRAY_IDX(log->events, i, event_t);

        if (e->id == SNIV_CERT_NONE || sniv_certs_is_known(log->certs, e->id))
            say(log, e->event, e->file, e->reason);
    }
    log->events = NULL;
    if (sniv_certs_is_behind(log->certs))
        return;                 /* the keeper is going to read the folders */
    say_numbers(log);
    say_empty(log);
    say_passed(log);
    log->is_loaded = 1;
    begin_hour(log);
}

void snivhost_storelog_tick(snivhost_storelog_t *log)
{
    apr_time_t now = apr_time_now();

    if (now - log->since < apr_time_from_sec(3600) && now >= log->since)
        return;
    say_numbers(log);
    begin_hour(log);
}
