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

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

#include <openssl/crypto.h>

#include "certs/hash.h"
#include "certs/index.h"
#include "certs/issuer.h"

/* With a remedy that works: a restart makes room for what is there then. */
static const char *no_room(const sniv_certs_t *certs)
{
    return certs->is_loaded
           ? "does not fit into the shared certificate memory: restart the "
             "server gracefully to enlarge it"
           : "does not fit into the shared certificate memory: remove it, or "
             "replace it by one with fewer names";
}


const char sniv_no_index[] = "the index of names cannot be written: out of "
                             "memory; the next check tries again";

static const char no_memory[] = "cannot be used now: out of memory; the next "
                                "check tries again";

/* ----- an item and its record */

int sniv_item_entry(const sniv_certs_t *certs, const sniv_item_t *item,
                    sniv_entry_t *entry)
{
    apr_size_t len;
    const void *bytes;

    if (item->id == SNIV_CERT_NONE) {
        return 0;
    }
    bytes = sniv_shm_peek(certs->shm, SNIV_SLOT_ENTRY(item->id), &len, NULL);
    return bytes && sniv_record_parse(entry, bytes, len);
}

void sniv_item_no_news(sniv_item_t *item)
{
    if (item->news) {
        item->news = 0;
        APR_RING_REMOVE(item, link);
    }
}

static void no_longer_served(sniv_certs_t *certs, sniv_item_t *item)
{
    sniv_share_remove(item);
    item->is_served = 0;
    item->nnames = 0;
    item->bytes = 0;
    sniv_item_no_news(item);
    certs->books.nserved--;
    certs->books.freed++;
    if (item->scope != SNIV_SCOPE_NONE) {
        certs->books.is_index_old = 1;
    }
}

void sniv_item_withdraw(sniv_certs_t *certs, sniv_item_t *item)
{
    if (!item->is_served) {
        return;
    }
    no_longer_served(certs, item);
    if (item->folder) {
        sniv_id_leave(certs, item, 0);
        return;
    }
    sniv_shm_drop(certs->shm, SNIV_SLOT_ENTRY(item->id));
    sniv_chains_give(certs, item->chains, item->nchains);
    item->nchains = 0;
}

/* What an entry means for the index. */
typedef struct names_t {
    apr_uint32_t n;
    apr_uint32_t bytes;
    apr_uint64_t hash;
} names_t;

static void count_names(const sniv_entry_t *entry, names_t *names)
{
    sniv_bytes_t name;
    sniv_leaf_t leaf;
    apr_size_t at;
    int i;

    memset(names, 0, sizeof(*names));
    for (i = 0; i < entry->npairs; i++) {
        if (sniv_der_leaf(&leaf, entry->pairs[i].leaf.data,
                          entry->pairs[i].leaf.len)) {
            continue;
        }
        for (at = 0; sniv_der_name(&leaf, &at, &name);) {
            if (sniv_name_is_usable((const char *)name.data, name.len)) {
                names->n++;
                names->bytes += (apr_uint32_t)name.len + 1;
                names->hash = sniv_hash_bytes(name.data, name.len,
                                              names->hash);
            }
        }
    }
}

apr_status_t sniv_record_put(sniv_certs_t *certs, sniv_cert_id_t id,
                             const sniv_entry_t *entry, int *is_same)
{
    apr_uint32_t slot = SNIV_SLOT_ENTRY(id);
    apr_size_t size = sniv_record_size(entry), len;
    unsigned char *record = malloc(size);
    const void *now;
    apr_status_t rv = APR_SUCCESS;

    *is_same = 0;
    if (!record) {
        return APR_ENOMEM;
    }
    sniv_record_write(entry, record);
    now = sniv_shm_peek(certs->shm, slot, &len, NULL);
    *is_same = now && len == size && memcmp(now, record, size) == 0;
    if (!*is_same) {
        rv = sniv_shm_put(certs->shm, slot, record, size,
                          sniv_version_next(certs));
    }
    OPENSSL_cleanse(record, size);
    free(record);
    return rv;
}

/* Write the chains and the record of an entry. */
static apr_status_t put_entry(sniv_certs_t *certs, sniv_item_t *item,
                              sniv_entry_t *entry, int *is_same)
{
    apr_uint32_t chains[SNIV_PAIRS_MAX];
    apr_status_t rv = APR_SUCCESS;
    int i, n = 0;

    *is_same = 0;
    for (i = 0; i < entry->npairs && rv == APR_SUCCESS; i++) {
        if (certs->is_dry) {
            entry->pairs[i].key.len = 0;
        }
        if (entry->pairs[i].chain.len > 0) {
            rv = sniv_chain_take(certs, &entry->pairs[i]);
            if (rv == APR_SUCCESS) {
                chains[n++] = entry->pairs[i].chain_slot;
            }
        }
    }
    if (rv == APR_SUCCESS) {
        rv = sniv_record_put(certs, item->id, entry, is_same);
    }
    if (rv != APR_SUCCESS || *is_same) {
        sniv_chains_give(certs, chains, n);
        return rv;
    }
    /* an old chain can only be reached through the old record now */
    sniv_chains_give(certs, item->chains, item->nchains);
    memcpy(item->chains, chains, sizeof(chains[0]) * (apr_size_t)n);
    item->nchains = n;
    return APR_SUCCESS;
}

/* The index has half of the room for itself and its successor. */
static int leaves_room(const sniv_certs_t *certs, const sniv_item_t *item,
                       apr_uint64_t bytes)
{
    apr_uint64_t used, room;
    apr_size_t index = 0;

    if (!item->folder) {
        return 1;
    }
    sniv_shm_usage(certs->shm, &used, &room);
    sniv_shm_peek(certs->shm, SNIV_SLOT_INDEX, &index, NULL);
    return used - index + bytes <= room / 2;
}

static apr_uint64_t entry_bytes(const sniv_entry_t *entry)
{
    apr_uint64_t bytes = sniv_record_size(entry);
    int i;

    for (i = 0; i < entry->npairs; i++) {
        bytes += entry->pairs[i].chain.len;
    }
    return bytes;
}

/*
 * Put an entry in the place of what the item serves. If its names are others
 * than before (has_moved) it gets an id of its own, until the index knows.
 */
static const char *put_in_place(sniv_certs_t *certs, sniv_item_t *item,
                                sniv_entry_t *entry, const names_t *names,
                                int has_moved, int *is_same)
{
    sniv_item_t was = *item;
    const char *full = sniv_share_refuses(item, names->n, entry_bytes(entry));
    apr_status_t rv;

    *is_same = 0;
    if (full) {
        return full;
    }
    if (!leaves_room(certs, item, entry_bytes(entry))) {
        return no_room(certs);
    }
    if (has_moved) {
        item->nchains = 0;
        if (!sniv_id_take(certs, item)) {
            item->nchains = was.nchains;
            return "is one certificate more than fit into the shared "
                   "certificate memory: restart the server gracefully to "
                   "enlarge it";
        }
    }
    rv = put_entry(certs, item, entry, is_same);
    if (rv == APR_SUCCESS) {
        if (has_moved && was.is_served) {
            sniv_id_leave(certs, &was, 1);
        }
        return NULL;
    }
    if (has_moved) {
        sniv_id_return(certs, item);
        item->id = was.id;
        item->nchains = was.nchains;
    }
    return rv == APR_ENOSPC ? no_room(certs) : no_memory;
}

static sniv_item_e serve(sniv_certs_t *certs, sniv_item_t *item,
                         sniv_entry_t *entry, const char **preason)
{
    int is_same, was_served = item->is_served, has_moved;
    names_t names;

    count_names(entry, &names);
    if (item->folder && names.n > SNIV_NAMES_MAX) {
        *preason = apr_psprintf(certs->ptemp, "holds a certificate with %u "
                                "names; in a folder, at most %d are allowed",
                                names.n, SNIV_NAMES_MAX);
        return SNIV_ITEM_BAD;
    }
    has_moved = item->folder && (!was_served || names.n != item->nnames
                                 || names.hash != item->names_hash);
    *preason = put_in_place(certs, item, entry, &names, has_moved, &is_same);
    if (*preason) {
        return SNIV_ITEM_FULL;
    }
    if (is_same) {
        return SNIV_ITEM_SAME;
    }
    if (was_served) {
        sniv_share_remove(item);
    }
    else {
        item->is_served = 1;
        certs->books.nserved++;
    }
    item->nnames = names.n;
    item->name_bytes = names.bytes;
    item->names_hash = names.hash;
    item->bytes = entry_bytes(entry);
    sniv_share_add(item);
    if (!item->news) {
        item->news = 1;
        item->was_served = (unsigned)was_served;
        APR_RING_INSERT_TAIL(&certs->books.news, item, sniv_item_t, link);
    }
    item->is_current = 0;
    if (has_moved) {
        certs->books.is_index_old = 1;
    }
    return SNIV_ITEM_NEW;
}

/* Take the chains that a record names; those of a broken one are let go. */
static int adopt_chains(sniv_certs_t *certs, sniv_item_t *item,
                        const sniv_entry_t *entry)
{
    int i;

    item->nchains = 0;
    for (i = 0; i < entry->npairs; i++) {
        const sniv_pair_t *pair = &entry->pairs[i];

        if (pair->chain_version == 0) {
            continue;
        }
        if (!sniv_chain_adopt(certs, pair->chain_slot,
                              pair->chain_version)) {
            sniv_chains_give(certs, item->chains, item->nchains);
            item->nchains = 0;
            return 0;
        }
        item->chains[item->nchains++] = pair->chain_slot;
    }
    return 1;
}

void sniv_record_leave(sniv_certs_t *certs, sniv_cert_id_t id,
                       const sniv_entry_t *entry)
{
    sniv_item_t item;

    memset(&item, 0, sizeof(item));
    item.id = id;
    if (!entry || !adopt_chains(certs, &item, entry)) {
        item.nchains = 0;
    }
    sniv_id_leave(certs, &item, 1);
}

int sniv_item_attach(sniv_certs_t *certs, sniv_item_t *item,
                     sniv_cert_id_t id, const sniv_entry_t *entry)
{
    apr_size_t len;
    names_t names;
    int i;

    if (!adopt_chains(certs, item, entry)) {
        return 0;
    }
    count_names(entry, &names);
    item->id = id;
    certs->books.by_id[id] = item;
    item->is_served = 1;
    item->flags = entry->flags;
    item->nnames = names.n;
    item->name_bytes = names.bytes;
    item->names_hash = names.hash;
    item->bytes = sniv_record_size(entry);
    for (i = 0; i < item->nchains; i++) {
        if (sniv_shm_peek(certs->shm, item->chains[i], &len, NULL)) {
            item->bytes += len;
        }
    }
    certs->books.nserved++;
    sniv_share_add(item);
    return 1;
}

/* Whether it may be otherwise next time although the file is the same. */
static int may_pass(apr_status_t rv)
{
    return rv == APR_EACCES || rv == APR_ENOMEM || rv == APR_EMFILE
           || rv == ENFILE || rv == EIO || rv == APR_EAGAIN
           || rv == APR_EINTR;
}

sniv_item_e sniv_item_read(sniv_certs_t *certs, sniv_item_t *item,
                           unsigned flags, sniv_accept_fn *accept,
                           void *baton, const char **pfile,
                           const char **preason)
{
    sniv_stamp_t stamps[SNIV_FILES_MAX];
    sniv_entry_t entry, was;
    sniv_item_e result;
    apr_status_t rv;

    memset(stamps, 0, sizeof(stamps));
    if (item->folder) {
        flags |= SNIV_READ_ANY_ORDER | SNIV_READ_NAMED;
    }
    item->is_full = 0;
    sniv_watch_anew(certs, &item->subject); /* its links may lead elsewhere */
    sniv_reader_trust(certs->books.reader,
                      item->folder ? &item->folder->walk : NULL);
    rv = sniv_reader_read(certs->books.reader, &item->files, flags, &entry,
                          stamps, pfile, preason);
    item->flags = entry.flags;
    if (rv != APR_SUCCESS) {
        if (may_pass(rv)) {
            stamps[0].size = SNIV_STAMP_AGAIN;
        }
        memcpy(item->stamps, stamps,
               sizeof(stamps[0]) * (apr_size_t)item->nlist);
        return SNIV_ITEM_BAD;
    }
    entry.scope = item->scope;
    *pfile = item->files.certs[0];
    if (accept) {
        *preason = accept(item, item->is_served
                          && sniv_item_entry(certs, item, &was)
                          ? &was : NULL, &entry, baton);
        if (*preason) {
            sniv_reader_wipe(certs->books.reader);
            return SNIV_ITEM_BAD;
        }
    }
    memcpy(item->stamps, stamps,
           sizeof(stamps[0]) * (apr_size_t)item->nlist);
    result = serve(certs, item, &entry, preason);
    if (result == SNIV_ITEM_NEW) {
        item->parameters = entry.parameters;
    }
    sniv_reader_wipe(certs->books.reader);
    if (result == SNIV_ITEM_FULL) {
        item->is_full = 1;
        certs->books.has_full = 1;
        /* memory may come back without our doing */
        item->freed = certs->books.freed - (*preason == no_memory);
        item->wanted = entry_bytes(&entry);
    }
    else if (result != SNIV_ITEM_BAD) {
        free(item->problem);
        item->problem = NULL;
    }
    return result;
}

int sniv_entry_is_self_issued(const sniv_entry_t *entry)
{
    sniv_leaf_t leaf;

    return entry->npairs > 0
           && !sniv_der_leaf(&leaf, entry->pairs[0].leaf.data,
                             entry->pairs[0].leaf.len)
           && sniv_is_self_issued(&leaf);
}

int sniv_entry_doubt(const sniv_entry_t *entry, apr_time_t now, char *text,
                     apr_size_t room)
{
    char date[APR_RFC822_DATE_LEN];

    if (now > entry->not_after) {
        apr_rfc822_date(date, entry->not_after);
        apr_snprintf(text, room, "has expired on %s", date);
    }
    else if (now < entry->not_before) {
        apr_rfc822_date(date, entry->not_before);
        apr_snprintf(text, room, "is not valid before %s", date);
    }
    else if (entry->chain_until && now > entry->chain_until) {
        apr_rfc822_date(date, entry->chain_until);
        apr_snprintf(text, room, "comes with a chain that has expired on %s: "
                     "clients reject it. Get the new chain from the "
                     "certificate authority", date);
    }
    else if (now < entry->chain_from) {
        apr_rfc822_date(date, entry->chain_from);
        apr_snprintf(text, room, "comes with a chain that is not valid before "
                     "%s", date);
    }
    else if (entry->flags & SNIV_CERT_CHAIN_IN_KEY) {
        apr_snprintf(text, room, "is sent without its chain, which is in the "
                     "file of its key, where httpd does not look for it. Put "
                     "it at the end of this file");
    }
    else if (entry->flags & SNIV_CERT_RARE_KEY) {
        apr_snprintf(text, room, "has a key that TLS clients do not support "
                     "(DSA, or on another curve than P-256, P-384 and "
                     "P-521): handshakes fail with alert 40. Get one for a "
                     "key on P-256, or RSA");
    }
    else if (entry->flags & SNIV_CERT_WEAK) {
        apr_snprintf(text, room, "has an RSA key below 2048 bits or a "
                     "signature with SHA-1 or MD5, which OpenSSL refuses at "
                     "its default security level");
    }
    else {
        return 0;
    }
    return 1;
}

/* ----- the index */

typedef struct gather_t {
    sniv_index_name_t *names;
    char *texts;
    apr_size_t n, room, text_at, text_room;
} gather_t;

static int rank_of(const sniv_leaf_t *leaf, const sniv_entry_t *entry)
{
    const int is_odd = leaf->is_not_for_servers
        || (entry->flags & (SNIV_CERT_MUST_STAPLE | SNIV_CERT_WEAK
                            | SNIV_CERT_RARE_KEY));

    return (sniv_is_self_issued(leaf) ? SNIV_RANK_SELF : SNIV_RANK_GOOD)
           + (is_odd ? SNIV_RANK_ODD : 0);
}

static void gather_names(gather_t *all, sniv_cert_id_t id,
                         const sniv_entry_t *entry)
{
    sniv_index_name_t *to;
    sniv_bytes_t name;
    sniv_leaf_t leaf;
    apr_size_t at;
    char *text;
    int i;

    for (i = 0; i < entry->npairs; i++) {
        if (sniv_der_leaf(&leaf, entry->pairs[i].leaf.data,
                          entry->pairs[i].leaf.len)) {
            continue;
        }
        for (at = 0; sniv_der_name(&leaf, &at, &name);) {
            if (!sniv_name_is_usable((const char *)name.data, name.len)
                || all->n == all->room
                || all->text_room - all->text_at <= name.len) {
                continue;
            }
            text = all->texts + all->text_at;
            memcpy(text, name.data, name.len);
            text[name.len] = '\0';
            sniv_name_lower(text);
            all->text_at += name.len + 1;
            to = &all->names[all->n++];
            to->name = text;
            to->len = (apr_uint32_t)name.len;
            to->scope = entry->scope;
            to->id = id;
            to->kind = leaf.kind;
            to->rank = rank_of(&leaf, entry);
            to->not_before = entry->chain_from > entry->not_before
                             ? entry->chain_from : entry->not_before;
            to->not_after = entry->chain_until
                            && entry->chain_until < entry->not_after
                            ? entry->chain_until : entry->not_after;
        }
    }
}

static int is_indexed(const sniv_item_t *item)
{
    return item->is_served && item->folder;
}

static int by_names(const void *a, const void *b)
{
    const sniv_item_t *x = *(sniv_item_t *const *)a;
    const sniv_item_t *y = *(sniv_item_t *const *)b;

    if (x->nnames != y->nnames) {
        return x->nnames > y->nnames ? -1 : 1;
    }
    /* of equal ones the last that came */
    return x->id > y->id ? -1 : x->id < y->id;
}

static void leave_out(sniv_certs_t *certs, sniv_item_t *item)
{
    const char *reason = apr_psprintf(certs->ptemp, "has %u names, and the "
                                      "index of names %s", item->nnames,
                                      no_room(certs));

    sniv_item_withdraw(certs, item);
    item->is_full = 1;
    item->freed = certs->books.freed;
    if (sniv_item_problem(item, item->list[0], reason)) {
        sniv_books_report(certs, SNIV_CERTS_FULL, SNIV_CERT_NONE,
                          item->list[0], reason);
    }
}

/*
 * Leave out what has the most names until the rest fits into an index of so
 * many bytes; at least one, if asked.
 */
static apr_status_t make_fit(sniv_certs_t *certs, apr_size_t room,
                             int at_least_one)
{
    sniv_books_t *books = &certs->books;
    apr_uint64_t names = 0, bytes = 0;
    sniv_item_t **list;
    apr_uint32_t i, n = 0;

    for (i = 0; i < books->nitems; i++) {
        if (is_indexed(books->items[i])) {
            names += books->items[i]->nnames;
            bytes += books->items[i]->name_bytes;
        }
    }
    if (!at_least_one && sniv_index_bytes(names, bytes) <= room) {
        return APR_SUCCESS;
    }
    list = malloc(sizeof(*list) * (books->nitems + 1));
    if (!list) {
        return APR_ENOMEM;
    }
    for (i = 0; i < books->nitems; i++) {
        if (is_indexed(books->items[i])) {
            list[n++] = books->items[i];
        }
    }
    qsort(list, n, sizeof(*list), by_names);
    for (i = 0; i < n && (at_least_one
                          || sniv_index_bytes(names, bytes) > room); i++) {
        names -= list[i]->nnames;
        bytes -= list[i]->name_bytes;
        leave_out(certs, list[i]);
        at_least_one = 0;
    }
    free(list);
    return APR_SUCCESS;
}

/* Room for so many names and their bytes. @return 0: there is none */
static int begin_names(gather_t *all, apr_size_t names, apr_size_t bytes)
{
    memset(all, 0, sizeof(*all));
    all->room = names;
    all->text_room = bytes;
    all->names = malloc(sizeof(*all->names) * (names + 1));
    all->texts = malloc(bytes + 1);
    return all->names && all->texts;
}

static apr_status_t write_names(sniv_certs_t *certs, gather_t *all)
{
    return sniv_index_write(certs->shm, SNIV_SLOT_INDEX,
                            sniv_version_next(certs), all->names, all->n);
}

static void end_names(gather_t *all)
{
    free(all->names);
    free(all->texts);
}

static apr_status_t write_index(sniv_certs_t *certs)
{
    sniv_books_t *books = &certs->books;
    apr_size_t names = 0, bytes = 0;
    sniv_entry_t entry;
    gather_t all;
    apr_status_t rv = APR_ENOMEM;
    apr_uint32_t i;

    for (i = 0; i < books->nitems; i++) {
        if (is_indexed(books->items[i])) {
            names += books->items[i]->nnames;
            bytes += books->items[i]->name_bytes;
        }
    }
    if (begin_names(&all, names, bytes)) {
        for (i = 0; i < books->nitems; i++) {
            if (is_indexed(books->items[i])
                && sniv_item_entry(certs, books->items[i], &entry)) {
                gather_names(&all, books->items[i]->id, &entry);
            }
        }
        rv = write_names(certs, &all);
    }
    end_names(&all);
    return rv;
}

/* The record of a folder's entry that no item has. @return 0: there is none */
static int record_at(const sniv_certs_t *certs, sniv_cert_id_t id,
                     sniv_entry_t *entry)
{
    apr_size_t len;
    const void *bytes = sniv_shm_peek(certs->shm, SNIV_SLOT_ENTRY(id), &len,
                                      NULL);

    return bytes && sniv_record_parse(entry, bytes, len)
           && entry->scope != SNIV_SCOPE_NONE;
}

apr_status_t sniv_records_index(sniv_certs_t *certs)
{
    const sniv_cert_id_t n = (sniv_cert_id_t)certs->nentries;
    apr_size_t names = 0, bytes = 0;
    apr_status_t rv = APR_ENOMEM;
    sniv_entry_t entry;
    sniv_cert_id_t id;
    names_t some;
    gather_t all;

    for (id = 0; id < n; id++) {
        if (record_at(certs, id, &entry)) {
            count_names(&entry, &some);
            names += some.n;
            bytes += some.bytes;
        }
    }
    if (begin_names(&all, names, bytes)) {
        for (id = 0; id < n; id++) {
            if (record_at(certs, id, &entry)) {
                gather_names(&all, id, &entry);
            }
        }
        rv = write_names(certs, &all);
    }
    end_names(&all);
    return rv;
}

/* In the place of what the index has for an item that was there before, with
 * the same names. @return 0: that cannot be done */
static int renew_item(const sniv_certs_t *certs, const sniv_item_t *item)
{
    sniv_entry_t entry;
    gather_t all;
    int is_done = 0;

    if (begin_names(&all, item->nnames, item->name_bytes)
        && sniv_item_entry(certs, item, &entry)) {
        gather_names(&all, item->id, &entry);
        is_done = sniv_index_renew(certs->shm, SNIV_SLOT_INDEX, all.names,
                                   all.n);
    }
    end_names(&all);
    return is_done;
}

/* A renewal has the same names as a rule, and then costs as much as these. */
static void renew_dates(sniv_certs_t *certs)
{
    sniv_books_t *books = &certs->books;
    sniv_item_t *item;

    APR_RING_FOREACH(item, &books->news, sniv_item_t, link) {
        if (item->folder && !item->is_current
            && !renew_item(certs, item)) {
            books->is_index_old = 1;
            return;
        }
        item->is_current = 1;
    }
}

apr_status_t sniv_books_index(sniv_certs_t *certs)
{
    sniv_books_t *books = &certs->books;
    apr_uint64_t used, room;
    sniv_item_t *item;
    apr_status_t rv;
    int is_first = 1;

    if (!books->is_index_old) {
        renew_dates(certs);
    }
    if (!books->is_index_old) {
        return APR_SUCCESS;
    }
    sniv_shm_usage(certs->shm, &used, &room);
    do {
        rv = make_fit(certs, (apr_size_t)(room / 4), !is_first);
        is_first = 0;
        if (rv == APR_SUCCESS) {
            rv = write_index(certs);
        }
    } while (rv == APR_ENOSPC && books->nserved > 0);
    if (rv == APR_SUCCESS) {
        books->is_index_old = 0;
        APR_RING_FOREACH(item, &books->news, sniv_item_t, link) {
            item->is_current = 1;
        }
        sniv_ids_out(certs);
    }
    return rv;
}
