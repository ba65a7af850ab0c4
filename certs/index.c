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

#include "certs/index.h"

#include <stdlib.h>
#include <string.h>

#include "certs/hash.h"

/*
 * All in words of 32 bits:
 *
 *     head        magic, buckets (a power of two)
 *     buckets     the word that a name begins at, or 0
 *     name        hash, scope, length * 2 + is wildcard, candidates
 *     candidate   id, rank and kind in one word; begin (two words), end
 *                 (two words), in microseconds
 *     text        of the name, filled up with zeros
 */
#define MAGIC 0x534e4949u
#define HEAD_WORDS 2
#define NAME_WORDS 4
#define CANDIDATE_WORDS 5
#define KIND_SHIFT 30
#define RANK_SHIFT 28
#define RANK(word) ((word) >> RANK_SHIFT & 3)
#define ID_MASK 0x0fffffffu
#define NAME_MAX_LEN 253
#define TEXT_WORDS(len) (((len) + 3) / 4)
#define TRIES 1000
#define TRIES_ALL 10

/* A test counts the names that are come across. */
#if defined(SNIV_COUNT_WORK)
extern apr_uint64_t sniv_work;
#define SNIV_WORK(n) (sniv_work += (n))
#else
#define SNIV_WORK(n) ((void)0)
#endif

/* What is looked for. */
typedef struct look_key_t {
    apr_uint32_t hash;
    apr_uint32_t scope;
    apr_uint32_t tag;           /* length * 2 + is wildcard */
    apr_uint32_t text[TEXT_WORDS(NAME_MAX_LEN)];
} look_key_t;

static void make_key(look_key_t *key, sniv_scope_t scope, const char *name,
                     apr_size_t len, int is_wild)
{
    unsigned char text[sizeof(key->text)];
    apr_size_t i;

    memset(text, 0, TEXT_WORDS(len) * 4);
    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];

        if (c >= 'A' && c <= 'Z') {
            c += 'a' - 'A';
        }
        text[i] = c;
    }
    memcpy(key->text, text, TEXT_WORDS(len) * 4);
    key->scope = (apr_uint32_t)scope;
    key->tag = (apr_uint32_t)len * 2 + (apr_uint32_t)is_wild;
    key->hash = (apr_uint32_t)sniv_hash_bytes(text, len, key->tag
                                              ^ (apr_uint64_t)key->scope
                                                << 32);
}

/* The rest of a wildcard, or the name itself. */
static int strip(const sniv_index_name_t *name, const char **text,
                 apr_size_t *len)
{
    int is_wild = name->len > 2 && name->name[0] == '*'
                  && name->name[1] == '.';

    *text = name->name + (is_wild ? 2 : 0);
    *len = name->len - (is_wild ? 2 : 0);
    return is_wild;
}

static int compare(const void *a, const void *b)
{
    const sniv_index_name_t *x = a, *y = b;
    int c;

    if (x->scope != y->scope) {
        return x->scope < y->scope ? -1 : 1;
    }
    if (x->len != y->len) {
        return x->len < y->len ? -1 : 1;
    }
    if ((c = memcmp(x->name, y->name, x->len)) != 0) {
        return c;
    }
    if (x->rank != y->rank) {
        return x->rank < y->rank ? -1 : 1;
    }
    if (x->not_after != y->not_after) {
        return x->not_after > y->not_after ? -1 : 1;
    }
    return x->id < y->id ? -1 : x->id > y->id;
}

static int same_name(const sniv_index_name_t *a, const sniv_index_name_t *b)
{
    return a->scope == b->scope && a->len == b->len
           && memcmp(a->name, b->name, a->len) == 0;
}

static apr_uint32_t *put_time(apr_uint32_t *out, apr_time_t time)
{
    *out++ = (apr_uint32_t)((apr_uint64_t)time >> 32);
    *out++ = (apr_uint32_t)time;
    return out;
}

apr_uint64_t sniv_index_bytes(apr_uint64_t names, apr_uint64_t text)
{
    /* up to four buckets and three bytes to fill up for each */
    return (HEAD_WORDS + 16 + names * (NAME_WORDS + CANDIDATE_WORDS + 4)) * 4
           + text + names * 3;
}

/* @return words that all take, but for the buckets */
static apr_size_t measure(const sniv_index_name_t *names, apr_size_t n,
                          apr_size_t *ngroups)
{
    apr_size_t i, words = HEAD_WORDS;

    *ngroups = 0;
    for (i = 0; i < n; i++) {
        if (i == 0 || !same_name(&names[i], &names[i - 1])) {
            words += NAME_WORDS + TEXT_WORDS(names[i].len);
            ++*ngroups;
        }
        words += CANDIDATE_WORDS;
    }
    return words;
}

static apr_uint32_t *put_candidates(apr_uint32_t *out,
                                    const sniv_index_name_t *names,
                                    apr_size_t n)
{
    apr_size_t i;

    for (i = 0; i < n; i++) {
        *out++ = ((apr_uint32_t)names[i].id & ID_MASK)
                 | (apr_uint32_t)names[i].kind << KIND_SHIFT
                 | (apr_uint32_t)names[i].rank << RANK_SHIFT;
        out = put_time(out, names[i].not_before);
        out = put_time(out, names[i].not_after);
    }
    return out;
}

/* The candidates of one name. @return behind what was written */
static apr_uint32_t *put_group(apr_uint32_t *out, const look_key_t *key,
                               apr_size_t len, const sniv_index_name_t *names,
                               apr_size_t n)
{
    *out++ = key->hash;
    *out++ = key->scope;
    *out++ = key->tag;
    *out++ = (apr_uint32_t)n;
    out = put_candidates(out, names, n);
    memcpy(out, key->text, TEXT_WORDS(len) * 4);
    return out + TEXT_WORDS(len);
}

/* Names in order, into a block of zeroes. */
static void put_names(apr_uint32_t *block, apr_size_t nbuckets,
                      const sniv_index_name_t *names, apr_size_t n)
{
    apr_uint32_t *out = block + HEAD_WORDS + nbuckets, at;
    apr_size_t i, k, len;
    const char *text;
    look_key_t key;
    int is_wild;

    block[0] = MAGIC;
    block[1] = (apr_uint32_t)nbuckets;
    for (i = 0; i < n; i = k) {
        is_wild = strip(&names[i], &text, &len);
        make_key(&key, names[i].scope, text, len, is_wild);
        at = key.hash & (apr_uint32_t)(nbuckets - 1);
        while (block[HEAD_WORDS + at]) {
            SNIV_WORK(1);
            at = (at + 1) & (apr_uint32_t)(nbuckets - 1);
        }
        block[HEAD_WORDS + at] = (apr_uint32_t)(out - block);
        for (k = i; k < n && same_name(&names[k], &names[i]); k++) {
            continue;
        }
        out = put_group(out, &key, len, names + i, k - i);
    }
}

apr_status_t sniv_index_write(sniv_shm_t *shm, apr_uint32_t slot,
                              apr_uint64_t version, sniv_index_name_t *names,
                              apr_size_t n)
{
    apr_size_t words, nbuckets = 16, ngroups;
    apr_uint32_t *block;
    apr_status_t rv;

    if (n > 1) {
        qsort(names, n, sizeof(*names), compare);
    }
    sniv_hash_key_init();
    words = measure(names, n, &ngroups);
    while (nbuckets < 2 * ngroups) {
        nbuckets *= 2;
    }
    words += nbuckets;
    if (words > 0x3fffffff) {
        return APR_ENOSPC;
    }
    block = calloc(words, sizeof(*block));
    if (!block) {
        return APR_ENOMEM;
    }
    put_names(block, nbuckets, names, n);
    rv = sniv_shm_put(shm, slot, block, words * sizeof(*block), version);
    free(block);
    return rv;
}

static apr_uint32_t word(const sniv_shm_look_t *look, apr_size_t at)
{
    return sniv_shm_word(look, at * 4);
}

static apr_time_t word_time(const sniv_shm_look_t *look, apr_size_t at)
{
    return (apr_time_t)((apr_uint64_t)word(look, at) << 32
                        | word(look, at + 1));
}

/* What was found for a host. */
typedef struct found_t {
    sniv_cert_id_t ids[SNIV_KINDS];
    int n;
    int is_good;                /* valid, and not self-signed */
    int is_valid;
} found_t;

/*
 * The first candidate that is valid, and then the first one of each other
 * kind; else the first one.
 */
static void choose(const sniv_shm_look_t *look, apr_size_t at,
                   apr_uint32_t n, apr_time_t now, found_t *found)
{
    apr_uint32_t i, it, kinds = 0, rank = 0;
    apr_size_t here;

    for (i = 0; i < n && i < look->len / 4 && found->n < SNIV_KINDS; i++) {
        here = at + (apr_size_t)i * CANDIDATE_WORDS;
        it = word(look, here);
        if ((kinds & 1u << (it >> KIND_SHIFT))
            || word_time(look, here + 1) > now
            || now > word_time(look, here + 3)) {
            continue;
        }
        if (found->n == 0) {
            found->is_valid = 1;
            rank = RANK(it);
            found->is_good = rank < SNIV_RANK_SELF;
        }
        else if (RANK(it) != rank) {
            break;              /* OpenSSL might choose the worse one */
        }
        kinds |= 1u << (it >> KIND_SHIFT);
        found->ids[found->n++] = (sniv_cert_id_t)(it & ID_MASK);
    }
    if (found->n == 0) {
        found->ids[found->n++] = (sniv_cert_id_t)(word(look, at) & ID_MASK);
    }
}

/* The word that a name begins at. @return 0: it is not there */
static apr_uint32_t locate(const sniv_shm_look_t *look, const look_key_t *key)
{
    apr_uint32_t nbuckets = word(look, 1), i, k, at, n, len = key->tag / 2;

    if (word(look, 0) != MAGIC || (nbuckets & (nbuckets - 1))) {
        return 0;
    }
    for (i = 0; i < nbuckets; i++) {
        at = word(look, HEAD_WORDS + ((key->hash + i) & (nbuckets - 1)));
        if (at == 0) {
            break;
        }
        SNIV_WORK(1);
        if (word(look, at) != key->hash || word(look, at + 1) != key->scope
            || word(look, at + 2) != key->tag) {
            continue;
        }
        n = word(look, at + 3);
        if (n == 0 || n > look->len / 4) {
            break;
        }
        for (k = 0; k < TEXT_WORDS(len); k++) {
            if (word(look, (apr_size_t)at + NAME_WORDS
                           + (apr_size_t)n * CANDIDATE_WORDS + k)
                != key->text[k]) {
                break;
            }
        }
        if (k == TEXT_WORDS(len)) {
            return at;
        }
    }
    return 0;
}

static void find(const sniv_shm_look_t *look, const look_key_t *key,
                 apr_time_t now, found_t *found)
{
    apr_uint32_t at = locate(look, key);

    memset(found, 0, sizeof(*found));
    if (at) {
        choose(look, (apr_size_t)at + NAME_WORDS, word(look, at + 3), now,
               found);
    }
}

/* The keys of a host. @return 0: it has no parent that could have a wildcard */
static int make_keys(look_key_t *exact, look_key_t *wild, sniv_scope_t scope,
                     const char *host, apr_size_t len)
{
    const char *dot = memchr(host, '.', len);

    make_key(exact, scope, host, len, 0);
    if (!dot || dot == host || dot == host + len - 1) {
        return 0;
    }
    make_key(wild, scope, dot + 1, (apr_size_t)(host + len - dot - 1), 1);
    return 1;
}

/* @param wild NULL: none @return whether it was found by that */
static int find_host(const sniv_shm_look_t *look, const look_key_t *exact,
                     const look_key_t *wild, apr_time_t now, found_t *found)
{
    found_t other;

    find(look, exact, now, found);
    if (!wild || found->is_good) {
        return 0;
    }
    find(look, wild, now, &other);
    if (other.n == 0 || (found->n > 0 && !other.is_good
                         && (!other.is_valid || found->is_valid))) {
        return 0;
    }
    *found = other;
    return 1;
}

int sniv_index_find(const sniv_shm_t *shm, apr_uint32_t slot,
                    sniv_scope_t scope, const char *host, apr_size_t len,
                    apr_time_t now, sniv_cert_id_t ids[SNIV_KINDS],
                    int *is_wild)
{
    look_key_t exact, wild;
    sniv_shm_look_t look;
    found_t found;
    int tries, by_wild, has_parent;

    ids[0] = SNIV_CERT_NONE;
    if (len == 0 || len > NAME_MAX_LEN || memchr(host, '*', len)) {
        return 0;
    }
    has_parent = make_keys(&exact, &wild, scope, host, len);
    for (tries = 0; tries < TRIES; tries++) {
        if (sniv_shm_look(&look, shm, slot) != APR_SUCCESS) {
            return 0;
        }
        by_wild = find_host(&look, &exact, has_parent ? &wild : NULL, now,
                            &found);
        if (sniv_shm_looked(&look)) {
            if (is_wild) {
                *is_wild = by_wild;
            }
            memcpy(ids, found.ids, sizeof(ids[0]) * (apr_size_t)found.n);
            return found.n;
        }
    }
    return 0;
}

/* ----- all names at once ----- */

/* What a host gets that has the name at a place of the block. */
static void find_at(const sniv_shm_look_t *look, apr_size_t at,
                    apr_time_t now, found_t *found)
{
    const apr_uint32_t tag = word(look, at + 2), n = word(look, at + 3);
    const apr_size_t len = tag / 2;
    apr_uint32_t text[TEXT_WORDS(NAME_MAX_LEN)];
    look_key_t exact, wild;
    apr_size_t k;

    memset(found, 0, sizeof(*found));
    memset(text, 0, sizeof(text));
    if (n == 0 || n > look->len / 4 || len == 0 || len > NAME_MAX_LEN) {
        return;
    }
    choose(look, at + NAME_WORDS, n, now, found);
    if (found->is_good || (tag & 1)) {
        return;
    }
    for (k = 0; k < TEXT_WORDS(len); k++) {
        text[k] = word(look, at + NAME_WORDS
                             + (apr_size_t)n * CANDIDATE_WORDS + k);
    }
    if (make_keys(&exact, &wild, (sniv_scope_t)word(look, at + 1),
                  (const char *)text, len)) {
        (void)find_host(look, &exact, &wild, now, found);
    }
}

static void find_all(const sniv_shm_look_t *look, apr_time_t now,
                     unsigned char *chosen, apr_uint32_t n)
{
    apr_uint32_t nbuckets = word(look, 1), i, at;
    found_t found;
    int k;

    if (word(look, 0) != MAGIC || nbuckets > look->len / 4) {
        return;
    }
    for (i = 0; i < nbuckets; i++) {
        at = word(look, HEAD_WORDS + i);
        if (at == 0) {
            continue;
        }
        find_at(look, at, now, &found);
        for (k = 0; k < found.n; k++) {
            if ((apr_uint32_t)found.ids[k] < n) {
                chosen[found.ids[k]] = 1;
            }
        }
    }
}

int sniv_index_chosen(const sniv_shm_t *shm, apr_uint32_t slot,
                      apr_time_t now, unsigned char *chosen, apr_uint32_t n)
{
    sniv_shm_look_t look;
    int tries;

    for (tries = 0; tries < TRIES_ALL; tries++) {
        memset(chosen, 0, n);
        if (sniv_shm_look(&look, shm, slot) != APR_SUCCESS) {
            return 1;
        }
        find_all(&look, now, chosen, n);
        if (sniv_shm_looked(&look)) {
            return 1;
        }
    }
    return 0;
}

/* ----- the dates of one entry ----- */

/* The candidates of other entries that a name has. @return how many */
static apr_size_t others(const sniv_shm_look_t *look, apr_size_t at,
                         apr_size_t n, const sniv_index_name_t *ours,
                         sniv_index_name_t *list)
{
    apr_size_t i, nlist = 0;
    apr_uint32_t it;

    at += NAME_WORDS;
    for (i = 0; i < n; i++, at += CANDIDATE_WORDS) {
        it = word(look, at);
        if ((sniv_cert_id_t)(it & ID_MASK) == ours->id) {
            continue;
        }
        list[nlist] = *ours;
        list[nlist].id = (sniv_cert_id_t)(it & ID_MASK);
        list[nlist].kind = (sniv_key_e)(it >> KIND_SHIFT);
        list[nlist].rank = (int)RANK(it);
        list[nlist].not_before = word_time(look, at + 1);
        list[nlist++].not_after = word_time(look, at + 3);
    }
    return nlist;
}

/* The candidates of an entry for one name. */
static int renew_name(sniv_shm_t *shm, apr_uint32_t slot,
                      const sniv_index_name_t *ours, apr_size_t nours)
{
    sniv_index_name_t *list;
    apr_uint32_t *block;
    sniv_shm_look_t look;
    apr_size_t at, len, n;
    const char *text;
    look_key_t key;
    int is_wild = strip(ours, &text, &len), is_done = 0;

    make_key(&key, ours->scope, text, len, is_wild);
    if (sniv_shm_look(&look, shm, slot) != APR_SUCCESS
        || (at = locate(&look, &key)) == 0) {
        return 0;
    }
    n = word(&look, at + 3);
    list = malloc((n + nours) * sizeof(*list));
    block = malloc(n * CANDIDATE_WORDS * sizeof(*block));
    if (list && block
        && others(&look, at, n, ours, list) == n - nours) {
        memcpy(list + n - nours, ours, nours * sizeof(*list));
        qsort(list, n, sizeof(*list), compare);
        put_candidates(block, list, n);
        is_done = sniv_shm_patch(shm, slot, (at + NAME_WORDS) * 4, block,
                                 n * CANDIDATE_WORDS) == APR_SUCCESS;
    }
    free(list);
    free(block);
    return is_done;
}

int sniv_index_renew(sniv_shm_t *shm, apr_uint32_t slot,
                     sniv_index_name_t *names, apr_size_t n)
{
    apr_size_t i, k;

    qsort(names, n, sizeof(*names), compare);
    for (i = 0; i < n; i = k) {
        for (k = i; k < n && same_name(&names[k], &names[i]); k++) {
            continue;
        }
        if (!renew_name(shm, slot, names + i, k - i)) {
            return 0;
        }
    }
    return 1;
}
