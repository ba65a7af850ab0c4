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

#include "certs/certs.h"
#include "certs/inside.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_cstr.h>
#include <apr_strings.h>

/*
 * A look is a part of a round. A round goes through the folders (for new and
 * vanished files), then through all items (for changed files), and costs one
 * stat() for each when nothing has changed. Where the system says what has
 * changed (certs/watch.h) a look without a round goes through what is marked,
 * and costs as much as that. What differs is put on the list
 * of those waiting; the next look settles it if it finds the same again:
 *
 *     stat differs --> waiting --> same again --> read --> served, or kept
 *                         ^           |                    what was there
 *                         +-----------+ differs again
 *
 * Writers are not atomic: a certificate may be there before its key, or half
 * of it. The second look lets them finish; that certificate and key match is
 * checked before the switch; and a file that is broken all the same changes
 * nothing but the log.
 *
 * The stamp of a path is that of the file where all links end, so that a
 * switch of links (certbot) is seen as a change of inode.
 */

#define SETTLE_LEAST apr_time_from_msec(250)    /* from look to look */

typedef struct look_t {
    apr_time_t now;
    apr_time_t deadline;
    int is_changed;
    sniv_certs_t *certs;
    char text[512];
} look_t;

static void stamp_item(const sniv_item_t *item, sniv_stamp_t *stamps)
{
    int i;

    for (i = 0; i < item->nlist; i++) {
        sniv_stamp_of(&stamps[i], item->list[i]);
    }
}

static int same_stamps(const sniv_item_t *item, const sniv_stamp_t *a,
                       const sniv_stamp_t *b)
{
    int i;

    for (i = 0; i < item->nlist; i++) {
        if (!sniv_stamp_equal(&a[i], &b[i])) {
            return 0;
        }
    }
    return 1;
}

static void found_new(sniv_certs_t *certs, sniv_item_t *item)
{
    sniv_stamp_t stamps[SNIV_FILES_MAX];

    stamp_item(item, stamps);
    sniv_item_wait(certs, item, stamps);
}

/* Names that are compared, and those that a message lists. */
#define COMPARED 500
#define LISTED 5

/* Whether an entry has a certificate for a name, among its first ones. */
static int covers(const sniv_entry_t *entry, const sniv_bytes_t *host)
{
    sniv_bytes_t name;
    sniv_leaf_t leaf;
    apr_size_t at;
    int i, n;

    for (i = 0; i < entry->npairs; i++) {
        if (sniv_der_leaf(&leaf, entry->pairs[i].leaf.data,
                          entry->pairs[i].leaf.len)) {
            continue;
        }
        for (at = n = 0; n < COMPARED && sniv_der_name(&leaf, &at, &name);
             n++) {
            if (sniv_name_covers((const char *)name.data, name.len,
                                 (const char *)host->data, host->len)
                || sniv_bytes_equal(&name, host)) {
                return 1;
            }
        }
    }
    return 0;
}

/*
 * List the names that an entry has and another one lacks.
 * @param kept receives how many both have
 * @return how many there are
 */
static int names_lost(const sniv_entry_t *was, const sniv_entry_t *is,
                      char *text, apr_size_t room, int *kept)
{
    sniv_bytes_t name;
    sniv_leaf_t leaf;
    apr_size_t at = 0, len = 0;
    int n, lost = 0;

    *kept = 0;
    text[0] = '\0';
    if (sniv_der_leaf(&leaf, was->pairs[0].leaf.data,
                      was->pairs[0].leaf.len)) {
        return 0;
    }
    for (n = 0; n < COMPARED && sniv_der_name(&leaf, &at, &name); n++) {
        if (covers(is, &name)) {
            ++*kept;
        }
        else if (lost++ < LISTED && len < room) {
            len += (apr_size_t)apr_snprintf(text + len, room - len, "%s%.*s",
                                            len ? ", " : "", (int)name.len,
                                            (const char *)name.data);
        }
    }
    if (lost > LISTED && len < room) {
        apr_snprintf(text + len, room - len, " and %d more", lost - LISTED);
    }
    return lost;
}

/* Comparisons of names for one renewal: above that it is taken. */
#define WORK_MAX 2000000

/* Whether a certificate's name is one of those that a host stands for, which
 * may have wildcards: `*.x` has all below x. */
static int is_among(const sniv_bytes_t *name, const char *host)
{
    const char *text = (const char *)name->data;
    apr_size_t len = strlen(host), rest;

    if (!strpbrk(host, "*?")) {
        return sniv_name_covers(text, name->len, host, len);
    }
    if (host[0] != '*' || host[1] != '.' || strpbrk(host + 1, "*?")) {
        return 1;               /* cannot be said here */
    }
    rest = len - 1;
    if (name->len <= rest) {
        return 0;
    }
    return apr_cstr_casecmpn(text + name->len - rest, host + 1, rest) == 0;
}

/* Whether an entry has a certificate for one of the hosts of its files. */
static int is_for_hosts(const sniv_entry_t *entry,
                        const apr_array_header_t *hosts)
{
    sniv_bytes_t name;
    sniv_leaf_t leaf;
    apr_size_t at;
    int i, k, work = 0;

    for (i = 0; i < entry->npairs; i++) {
        if (sniv_der_leaf(&leaf, entry->pairs[i].leaf.data,
                          entry->pairs[i].leaf.len)) {
            continue;
        }
        for (at = 0; sniv_der_name(&leaf, &at, &name);) {
            for (k = 0; k < hosts->nelts; k++) {
                if (is_among(&name, APR_ARRAY_IDX(hosts, k, const char *))
                    || ++work > WORK_MAX) {
                    return 1;
                }
            }
        }
    }
    return 0;
}

/* Whether the first certificates of two entries name the same authority. */
static int same_issuer(const sniv_entry_t *a, const sniv_entry_t *b)
{
    sniv_leaf_t x, y;

    return !sniv_der_leaf(&x, a->pairs[0].leaf.data, a->pairs[0].leaf.len)
           && !sniv_der_leaf(&y, b->pairs[0].leaf.data, b->pairs[0].leaf.len)
           && sniv_bytes_equal(&x.issuer, &y.issuer);
}

/* What a renewal takes away is said; it is served all the same. */
static void report_lost(look_t *look, const sniv_item_t *item,
                        const sniv_entry_t *was, const sniv_entry_t *is)
{
    char names[400];
    int kept;

    if (names_lost(was, is, names, sizeof(names), &kept) > 0) {
        apr_snprintf(look->text, sizeof(look->text), "is no longer for %s",
                     names);
        sniv_books_report(look->certs, SNIV_CERTS_DOUBTFUL, item->id,
                          item->files.certs[0], look->text);
    }
    if (!(was->flags & SNIV_CERT_NO_CHAIN) && (is->flags & SNIV_CERT_NO_CHAIN)
        && (is->flags & SNIV_CERT_NO_ISSUER)) {
        sniv_books_report(look->certs, SNIV_CERTS_DOUBTFUL, item->id,
                          item->files.certs[0], "comes without its chain, "
                          "which the one before had: some clients will not "
                          "trust it");
    }
    else if ((item->files.ca_file || item->files.ca_path)
             && (is->flags & SNIV_CERT_NO_CHAIN)
             && !sniv_entry_is_self_issued(is) && !same_issuer(was, is)) {
        sniv_books_report(look->certs, SNIV_CERTS_DOUBTFUL, item->id,
                          item->files.certs[0], "has another issuer than the "
                          "one before, which is neither in this file nor among "
                          "the CA files: it is sent without a chain. Add the "
                          "chain to this file");
    }
}

/* Whether named files now hold a certificate for quite other names: of the
 * virtual hosts, or if it never was for those, of the one before. */
static int is_for_others(const sniv_item_t *item, const sniv_entry_t *was,
                         const sniv_entry_t *is, char *names,
                         apr_size_t room)
{
    int kept, lost = names_lost(was, is, names, room, &kept);

    if (!item->hosts || item->hosts->nelts == 0
        || !is_for_hosts(was, item->hosts)) {
        return lost > 0 && kept == 0;
    }
    apr_cpystrn(names, APR_ARRAY_IDX(item->hosts, 0, const char *), room);
    return !is_for_hosts(is, item->hosts);
}

/* What only mod_ssl can do with new files of a virtual host, and when it
 * starts. */
static const char *needs_restart(const sniv_item_t *item,
                                 const sniv_entry_t *is)
{
    if (item->parameters != is->parameters) {
        return "has other DH or EC PARAMETERS than before; restart the server "
               "to use it";
    }
    if (item->is_stapled
        && (is->flags & (SNIV_CERT_OCSP_URI | SNIV_CERT_MUST_STAPLE))) {
        return "holds a certificate that names an OCSP responder, and "
               "SSLUseStapling is on; restart the server to use it";
    }
    return NULL;
}

static int is_valid(const sniv_entry_t *entry, apr_time_t now)
{
    return now >= entry->not_before && now <= entry->not_after;
}

static int is_chain_valid(const sniv_entry_t *entry, apr_time_t now)
{
    return now >= entry->chain_from
           && (!entry->chain_until || now <= entry->chain_until);
}

/* Whether most clients could use the one before, and cannot use this one. */
static int is_worse(const sniv_entry_t *was, const sniv_entry_t *is,
                    apr_time_t now)
{
    return !is_valid(is, now)
           || (is_chain_valid(was, now) && !is_chain_valid(is, now))
           || (~was->flags & is->flags & SNIV_CERT_RARE_KEY);
}

/*
 * Whether new files may take the place of what is served. A certificate that
 * is valid is not given up for one that is not, or whose chain is not, or whose
 * key is of a kind that clients do not take, in a folder one that is signed
 * by another not for a self-signed one, and that of a virtual host's own
 * files not for one for quite other names.
 */
static const char *may_replace(const sniv_item_t *item,
                               const sniv_entry_t *was,
                               const sniv_entry_t *is, void *baton)
{
    look_t *look = baton;
    const char *reason;
    char names[400];

    if (!was || !is_valid(was, look->now)) {
        return NULL;
    }
    if (is_worse(was, is, look->now)
        && sniv_entry_doubt(is, look->now, look->text,
                            sizeof(look->text))) {
        return look->text;
    }
    if (item->folder && sniv_entry_is_self_issued(is)
        && !sniv_entry_is_self_issued(was)) {
        return "holds a self-signed certificate, and the one before is valid "
               "and signed by an authority; restart the server to use it";
    }
    if (item->scope == SNIV_SCOPE_NONE) {
        if (is_for_others(item, was, is, names, sizeof(names))) {
            apr_snprintf(look->text, sizeof(look->text), "holds a certificate "
                         "for other names: it is not for %s", names);
            return look->text;
        }
        if ((reason = needs_restart(item, is)) != NULL) {
            return reason;
        }
    }
    report_lost(look, item, was, is);
    return NULL;
}

static void read_again(sniv_certs_t *certs, sniv_item_t *item, look_t *look)
{
    unsigned was = item->flags, has_other_files = 0;
    const char *file, *reason;

    /* the few that change may be looked at closely; the CA files that the
     * handshakes have are those of the last start */
    switch (sniv_item_read(certs, item, SNIV_READ_VERIFY | SNIV_READ_CAS,
                           may_replace, look, &file, &reason)) {
    case SNIV_ITEM_BAD:
    case SNIV_ITEM_FULL:
        if (sniv_item_problem(item, file, reason)) {
            sniv_books_report(certs, item->is_served ? SNIV_CERTS_KEPT
                                     : item->is_full ? SNIV_CERTS_FULL
                                                     : SNIV_CERTS_BAD,
                              item->id, file, reason);
        }
        certs->round.unsettled++;       /* it is tried again */
        has_other_files = 1;
        break;
    default:
        has_other_files = ~was & item->flags & SNIV_CERT_NO_CHAIN;
        break;
    }
    if (has_other_files && item->folder) {
        sniv_mark(certs, &item->folder->subject);
    }
}

/* Whether one of its names leads to an item, among the first ones. */
static int is_found(sniv_certs_t *certs, const sniv_item_t *item,
                    const sniv_entry_t *entry, apr_time_t now)
{
    sniv_cert_id_t ids[SNIV_KINDS];
    char host[256];
    sniv_bytes_t name;
    sniv_leaf_t leaf;
    apr_size_t at = 0;
    int i, n, k;

    if (!item->folder || sniv_der_leaf(&leaf, entry->pairs[0].leaf.data,
                                       entry->pairs[0].leaf.len)) {
        return 1;
    }
    for (n = 0; n < COMPARED && sniv_der_name(&leaf, &at, &name); n++) {
        apr_cpystrn(host, (const char *)name.data,
                    name.len < sizeof(host) ? name.len + 1 : sizeof(host));
        if (host[0] == '*') {
            host[0] = 'x';      /* some host that it covers */
        }
        k = sniv_certs_find_kinds(certs, item->scope, host, strlen(host), now,
                                  ids);
        for (i = 0; i < k; i++) {
            if (ids[i] == item->id) {
                return 1;
            }
        }
    }
    return n == COMPARED;
}

static const char *news_text(const sniv_item_t *item, int is_shown)
{
    if (is_shown) {
        return item->was_served ? "is renewed and served"
                                : "is new and served";
    }
    return item->was_served
           ? "is renewed; another certificate is preferred for its names"
           : "is new; another certificate is preferred for its names";
}

/* Say what is served from now on: not before the index leads to it. */
static void report_news(sniv_certs_t *certs, look_t *look)
{
    sniv_books_t *books = &certs->books;
    sniv_entry_t entry;

    while (!APR_RING_EMPTY(&books->news, sniv_item_t, link)) {
        sniv_item_t *item = APR_RING_FIRST(&books->news);
        const char *file = item->list[0];
        int is_read, is_shown;

        sniv_item_no_news(item);
        look->is_changed = 1;
        is_read = sniv_item_entry(certs, item, &entry);
        is_shown = !is_read || is_found(certs, item, &entry, look->now);
        sniv_books_report(certs, item->was_served ? SNIV_CERTS_RENEWED
                                                  : SNIV_CERTS_ADDED,
                          item->id, file, news_text(item, is_shown));
        if (!is_read || !is_shown) {
            continue;
        }
        if (sniv_entry_doubt(&entry, look->now, look->text,
                             sizeof(look->text))) {
            sniv_books_report(certs, SNIV_CERTS_DOUBTFUL, item->id, file,
                              look->text);
        }
        if (entry.flags & SNIV_CERT_MUST_STAPLE) {
            sniv_books_report(certs, SNIV_CERTS_DOUBTFUL, item->id, file,
                              "requires OCSP stapling (must-staple), and is "
                              "sent without a staple: clients that honour "
                              "this reject it");
        }
    }
}

static int is_too_soon(const sniv_item_t *item, const look_t *look)
{
    return look->now - item->waits_since < SETTLE_LEAST
           && look->now > item->waits_since;
}

/*
 * Settle what the look before has put on the list, in half of the time: the
 * rest is for what is new elsewhere.
 */
static void settle(sniv_certs_t *certs, look_t *look,
                   apr_interval_time_t budget)
{
    apr_time_t deadline = apr_time_now() + budget / 2;
    sniv_stamp_t stamps[SNIV_FILES_MAX];
    apr_uint32_t left = certs->round.nwaiting, i = 0, done;
    sniv_item_t *item;

    /* at least one, however little time there is */
    for (done = 0; left > 0 && (done == 0 || apr_time_now() < deadline);
         done++, left--) {
        item = certs->round.waiting[i];
        if (is_too_soon(item, look)) {
            i++;
            continue;
        }
        stamp_item(item, stamps);
        if (!same_stamps(item, stamps, item->pending)) {
            memcpy(item->pending, stamps,
                   sizeof(stamps[0]) * (apr_size_t)item->nlist);
            item->waits_since = look->now;
            i++;
            continue;
        }
        /* done with it: the last one takes its place */
        sniv_item_stop_waiting(certs, item);
        if (item->is_full || !same_stamps(item, stamps, item->stamps)) {
            read_again(certs, item, look);
        }
    }
}

static int top_is_there(const sniv_folder_t *folder)
{
    sniv_stamp_t stamp;

    sniv_stamp_of(&stamp, folder->walk.top);
    return stamp.size >= 0;
}

/*
 * An item of a folder whose certificate is not there. If the folder that the
 * configuration names is not there either, this is a lost mount and no
 * decision of an administrator.
 */
static void is_gone(sniv_certs_t *certs, sniv_item_t *item, look_t *look)
{
    const char *file = item->list[0];

    if (!top_is_there(item->folder)) {
        item->gone = 0;
        if (item->is_served
            && sniv_item_problem(item, file, "is gone with its folder")) {
            sniv_books_report(certs, SNIV_CERTS_KEPT, item->id, file,
                              "is gone with its folder");
        }
        return;
    }
    if (item->gone == 0 || look->now == item->waits_since
        || is_too_soon(item, look)) {
        if (item->gone == 0) {
            item->gone = 1;
            item->waits_since = look->now;
        }
        sniv_mark_later(certs, &item->subject,
                        item->waits_since + SETTLE_LEAST);
        return;
    }
    if (item->is_served) {
        look->is_changed = 1;
        sniv_books_report(certs, SNIV_CERTS_REMOVED, item->id, file,
                          "is gone");
    }
    sniv_item_remove(certs, item);
}

static void look_at_item(sniv_certs_t *certs, sniv_item_t *item,
                         look_t *look)
{
    sniv_stamp_t stamps[SNIV_FILES_MAX] = { { 0, 0, 0, 0, 0 } };

    stamp_item(item, stamps);
    if (item->folder && (stamps[0].size < 0 || !item->is_listed)) {
        is_gone(certs, item, look);
        return;
    }
    item->gone = 0;
    if (!same_stamps(item, stamps, item->stamps)
        || (item->is_full && item->freed != certs->books.freed)) {
        sniv_item_wait(certs, item, stamps);
        certs->round.unsettled += !item->is_waiting;
    }
}

/* Who changes a large folder all the time must not hold up the others. A
 * clock that was put back is not waited for. */
static int is_pausing(apr_time_t until, const look_t *look,
                      apr_interval_time_t most)
{
    return until - look->now > most && until - look->now <= SNIV_PAUSE_MAX;
}

/*
 * The names of a large folder that are known to be new come first, and the
 * folder as a whole when it may be read again, or a second later.
 */
static void look_at_noted(sniv_certs_t *certs, sniv_folder_t *folder,
                          look_t *look)
{
    if (folder->nnoted > 0 && is_pausing(folder->pause_noted, look, 0)) {
        sniv_mark_later(certs, &folder->subject, folder->pause_noted);
        return;
    }
    if (folder->nnoted > 0) {
        sniv_folder_read_noted(certs, folder, found_new, certs->ptemp);
    }
    if (folder->due < look->now) {
        folder->due = look->now + apr_time_from_sec(1);
    }
    sniv_mark_later(certs, &folder->subject,
                    folder->due > folder->pause ? folder->due : folder->pause);
}

static void look_at_folder(sniv_certs_t *certs, sniv_folder_t *folder,
                           look_t *look)
{
    unsigned was_alias = folder->is_alias;
    sniv_stamp_t stamp;

    sniv_stamp_of(&stamp, folder->path);
    if (folder->parent && !folder->first && !folder->first_in
        && (stamp.size < 0 || !folder->is_listed)
        && top_is_there(folder)) {
        sniv_folder_remove(certs, folder);
        return;
    }
    if (folder->is_deep) {
        return;
    }
    if (folder->is_alias || stamp.inode != folder->stamp.inode
        || stamp.device != folder->stamp.device) {
        sniv_folder_place(certs, folder, &stamp);
        if (!was_alias || !folder->is_alias) {
            sniv_watch_anew(certs, &folder->subject);
        }
    }
    if (folder->is_alias) {
        return;
    }
    if (!folder->is_fresh && folder->problem == APR_SUCCESS
        && sniv_stamp_equal(&stamp, &folder->stamp)) {
        return;
    }
    if (is_pausing(folder->pause, look, apr_time_from_sec(10))
        || (folder->nnoted > 0
            && (folder->due == 0 || look->now < folder->due))) {
        look_at_noted(certs, folder, look);
        return;
    }
    sniv_folder_read(certs, folder, look->now, found_new, certs->ptemp);
}

/*
 * One step of the round. What is removed leaves its place in the list to the
 * last one, which is looked at in its stead.
 */
static void step(sniv_certs_t *certs, look_t *look)
{
    sniv_books_t *books = &certs->books;
    sniv_round_t *round = &certs->round;
    apr_uint32_t at = round->cursor;

    if (round->phase == SNIV_ROUND_FOLDERS) {
        if (at < books->nfolders) {
            sniv_folder_t *folder = books->folders[at];

            look_at_folder(certs, folder, look);
            round->cursor += at < books->nfolders
                             && books->folders[at] == folder;
        }
        else {
            round->phase = SNIV_ROUND_ITEMS;
            round->cursor = 0;
        }
    }
    else if (at < books->nitems) {
        sniv_item_t *item = books->items[at];

        if (!item->is_waiting) {
            look_at_item(certs, item, look);
        }
        round->cursor += at < books->nitems && books->items[at] == item;
    }
    else {
        round->phase = SNIV_ROUND_IDLE;
    }
}

/* Folders that are another path to one that may have left its place. */
static void mark_aliases(sniv_certs_t *certs)
{
    apr_uint32_t i;

    for (i = 0; i < certs->books.nfolders; i++) {
        if (certs->books.folders[i]->is_alias) {
            sniv_mark(certs, &certs->books.folders[i]->subject);
        }
    }
    certs->books.is_place_free = 0;
}

/* Items that found no room, if there may be some now. */
static void mark_full(sniv_certs_t *certs)
{
    sniv_books_t *books = &certs->books;
    apr_uint32_t i;

    books->has_full = 0;
    for (i = 0; i < books->nitems; i++) {
        if (books->items[i]->is_full) {
            books->has_full = 1;
            sniv_mark(certs, &books->items[i]->subject);
        }
    }
    certs->round.freed = books->freed;
}

/* What is marked, and what it leads to, as far as time allows. */
static void look_at_marked(sniv_certs_t *certs, look_t *look)
{
    sniv_subject_t *subject;
    apr_uint32_t n = 0;

    if (certs->books.is_place_free) {
        mark_aliases(certs);
    }
    if (certs->books.has_full && certs->books.freed != certs->round.freed) {
        mark_full(certs);
    }
    sniv_marks_due(certs, look->now);
    while (((++n & 15) != 0 || apr_time_now() < look->deadline)
           && (subject = sniv_marks_take(certs)) != NULL) {
        if (subject->is_folder) {
            look_at_folder(certs, (sniv_folder_t *)(void *)subject, look);
        }
        else if (!((sniv_item_t *)(void *)subject)->is_waiting) {
            look_at_item(certs, (sniv_item_t *)(void *)subject, look);
        }
    }
}

static int has_marks(const sniv_certs_t *certs)
{
    return !APR_RING_EMPTY(&certs->round.marked, sniv_subject_t, marks);
}

/* Go on with the round, as far as time allows. */
static void go_on(sniv_certs_t *certs, look_t *look)
{
    apr_uint32_t n = 0;

    while (certs->round.phase != SNIV_ROUND_IDLE
           && ((++n & 15) != 0 || apr_time_now() < look->deadline)) {
        step(certs, look);
    }
}

/* The index, and then what it means. */
static void finish(sniv_certs_t *certs, look_t *look)
{
    apr_status_t rv = sniv_books_index(certs);

    if (rv == APR_SUCCESS) {
        certs->round.is_index_told = 0;
        report_news(certs, look);
    }
    else if (!certs->round.is_index_told) {
        certs->round.is_index_told = 1;
        sniv_books_report(certs, SNIV_CERTS_FULL, SNIV_CERT_NONE, "",
                          sniv_no_index);
    }
}

int sniv_certs_look(sniv_certs_t *certs, apr_time_t now,
                    apr_interval_time_t interval, apr_interval_time_t budget,
                    sniv_certs_report_fn *report, void *baton)
{
    sniv_round_t *round = &certs->round;
    look_t look;

    if (!certs->shm || !sniv_shm_is_shared(certs->shm)) {
        return 0;
    }
    memset(&look, 0, sizeof(look));
    look.certs = certs;
    look.now = now;
    look.deadline = apr_time_now() + budget;
    certs->books.report = report;
    certs->books.baton = baton;
    if (round->looks.pid != getpid()) {
        sniv_looks_note(certs, round->looks.is_in_round);
    }
    sniv_ids_free(certs);
    if (has_marks(certs) || round->nwaiting > 0) {
        sniv_looks_note(certs, 1);
    }
    settle(certs, &look, budget);
    look_at_marked(certs, &look);
    /* a clock that was put back must not stop this for as long */
    if (round->phase == SNIV_ROUND_IDLE
        && (now - round->start >= interval || now < round->start)) {
        round->phase = SNIV_ROUND_FOLDERS;
        round->cursor = 0;
        round->start = now;
        round->unsettled = 0;
        /* before: it may hang */
        sniv_looks_note(certs, 1);
    }
    go_on(certs, &look);
    finish(certs, &look);
    if (round->phase == SNIV_ROUND_IDLE && round->looks.is_in_round) {
        sniv_looks_note(certs, 0);
    }
    sniv_reader_free(certs->books.reader);
    apr_pool_clear(certs->ptemp);
    certs->books.report = NULL;
    certs->books.baton = NULL;
    return look.is_changed;
}

int sniv_certs_is_settled(const sniv_certs_t *certs)
{
    return certs->round.unsettled == 0 && certs->round.nwaiting == 0;
}

sniv_certs_due_e sniv_certs_due(const sniv_certs_t *certs)
{
    const sniv_round_t *round = &certs->round;

    return round->phase != SNIV_ROUND_IDLE ? SNIV_CERTS_MORE
           : round->nwaiting > 0 || has_marks(certs)
             || certs->books.is_place_free
             || !APR_RING_EMPTY(&round->later, sniv_subject_t, marks)
           ? SNIV_CERTS_SETTLE : SNIV_CERTS_IDLE;
}
