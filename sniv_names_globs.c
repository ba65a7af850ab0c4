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


#include <stdlib.h>

#include <apr_tables.h>

#include "sniv_names_globs.h"

/* So many globs are rather tried one by one than told apart. */
#define RUN_MAX 4

/* Longer literals are filed under the 64 bytes next to the wildcard. */
#define LITERAL_MAX 64

/* The top bit of sniv_glob_t.len: member of a run longer than RUN_MAX that
 * no level could split. */
#define CROWDED 0x80000000u

/* A node is a run of sniv_glob_t in the order of rank, or this: globs told
 * apart by their literals of one level. */
typedef struct group_t {
    apr_uint32_t mark;          /* IS_GROUP, where a run has a rank */
    apr_uint32_t level;
    apr_uint32_t lowest;        /* no glob in here has a lower rank */
    apr_uint32_t rest;          /* node of those that have no literal of this
                                 * level, 0: none */
    apr_uint32_t lengths[2];    /* of the literals: bit n-1 is n bytes; two
                                 * halves, as records are aligned to four */
} group_t;

#define IS_GROUP 0xffffffffu

/* A glob while it is being filed. */
typedef struct entry_t {
    apr_uint64_t keys[SNIV_LEVELS]; /* hash of the literals up to a level */
    apr_uint32_t rank;
    apr_uint32_t place;
    unsigned char lens[SNIV_LEVELS];    /* of the literals, 0: none */
    unsigned char edges[SNIV_LEVELS];   /* their bytes next to a wildcard */
    unsigned char last;
    unsigned char crowded;
} entry_t;

typedef struct slot_t {
    apr_uint64_t key;
    apr_uint32_t place;
} slot_t;

typedef struct placed_group_t {
    apr_uint32_t place;
    group_t group;
} placed_group_t;

struct sniv_globs_plan_t {
    entry_t *entries;
    apr_uint32_t nentries;
    apr_uint32_t places;
    sniv_pattern_t *patterns;
    apr_array_header_t *slots;  /* of slot_t */
    apr_array_header_t *groups; /* of placed_group_t */
    sniv_marks_t *marks;
};

static int is_wildcard(char c)
{
    return c == '*' || c == '?';
}

apr_size_t sniv_glob_len(const sniv_glob_t *glob)
{
    return glob->len & ~CROWDED;
}

int sniv_glob_is_scanned(const sniv_glob_t *glob)
{
    const char *text = SNIV_GLOB_TEXT(glob);

    return (glob->len & CROWDED) != 0
           || (is_wildcard(text[0])
               && is_wildcard(text[sniv_glob_len(glob) - 1]));
}

/* The hash of one literal more. Having none is no news. */
static apr_uint64_t key_of(const sniv_host_t *host, apr_size_t from,
                           apr_size_t n, apr_uint64_t key)
{
    return n ? sniv_host_hash(host, from, n, key) : key;
}

/* Take the literals of a glob that has at least one wildcard. */
static void dissect(entry_t *entry, const char *text, apr_size_t len)
{
    apr_size_t first = 0, behind = len, from[SNIV_LEVELS], n, i, start;
    apr_uint64_t key = 0;
    sniv_host_t host;
    int level;

    while (!is_wildcard(text[first])) {
        first++;
    }
    while (!is_wildcard(text[behind - 1])) {
        behind--;
    }
    n = len - behind;
    entry->lens[SNIV_LEVEL_END] = n < LITERAL_MAX ? n : LITERAL_MAX;
    from[SNIV_LEVEL_END] = len - entry->lens[SNIV_LEVEL_END];
    entry->lens[SNIV_LEVEL_BEGINNING] =
        first < LITERAL_MAX ? first : LITERAL_MAX;
    from[SNIV_LEVEL_BEGINNING] = 0;

    entry->lens[SNIV_LEVEL_MIDDLE] = 0;
    from[SNIV_LEVEL_MIDDLE] = 0;
    for (i = start = first; i < behind; i++) {
        if (is_wildcard(text[i])) {
            n = i - start;
            n = n < LITERAL_MAX ? n : LITERAL_MAX;
            if (n > entry->lens[SNIV_LEVEL_MIDDLE]) {
                entry->lens[SNIV_LEVEL_MIDDLE] = n;
                from[SNIV_LEVEL_MIDDLE] = start;
            }
            start = i + 1;
        }
    }

    sniv_host_init(&host, text, len);
    for (level = 0; level < SNIV_LEVELS; level++) {
        n = entry->lens[level];
        key = key_of(&host, from[level], n, key);
        entry->keys[level] = key;
        i = from[level] + (level == SNIV_LEVEL_BEGINNING && n ? n - 1 : 0);
        entry->edges[level] = n ? sniv_fold(text[i]) : 0;
    }
}

/* qsort() by the literals of a level, then by rank. */

static int compare(const void *va, const void *vb, int level)
{
    const entry_t *a = va, *b = vb;

    if (a->keys[level] != b->keys[level]) {
        return a->keys[level] < b->keys[level] ? -1 : 1;
    }
    if (a->lens[level] != b->lens[level]) {
        return a->lens[level] < b->lens[level] ? -1 : 1;
    }
    return a->rank < b->rank ? -1 : a->rank > b->rank;
}

static int compare_end(const void *a, const void *b)
{
    return compare(a, b, SNIV_LEVEL_END);
}

static int compare_beginning(const void *a, const void *b)
{
    return compare(a, b, SNIV_LEVEL_BEGINNING);
}

static int compare_middle(const void *a, const void *b)
{
    return compare(a, b, SNIV_LEVEL_MIDDLE);
}

static int (*const compare_level[SNIV_LEVELS])(const void *, const void *) = {
    compare_end, compare_beginning, compare_middle
};

static apr_uint32_t take_places(sniv_globs_plan_t *plan, apr_size_t bytes)
{
    apr_uint32_t place = plan->places;

    plan->places += SNIV_PLACES(bytes);
    return place;
}

/* Lay out n globs, in the order of rank, as a run. */
static apr_uint32_t plan_run(sniv_globs_plan_t *plan, entry_t *entries,
                             apr_uint32_t n)
{
    apr_uint32_t i;

    for (i = 0; i < n; i++) {
        sniv_pattern_t *pattern = &plan->patterns[entries[i].rank];

        entries[i].place = take_places(plan, sizeof(sniv_glob_t)
                                             + pattern->len + 1);
        entries[i].last = i == n - 1;
        entries[i].crowded = n > RUN_MAX;
        pattern->place = entries[i].place;
    }
    return entries[0].place;
}

/* Lay out n globs, in the order of rank, that are alike in all levels before
 * this one. Returns the place of the node. */
static apr_uint32_t plan_node(sniv_globs_plan_t *plan, entry_t *entries,
                              apr_uint32_t n, int level)
{
    placed_group_t *placed;
    group_t group = { 0 };
    apr_uint32_t i, j, place;

    if (n <= RUN_MAX || level == SNIV_LEVELS) {
        return plan_run(plan, entries, n);
    }

    place = take_places(plan, sizeof(group_t));
    group.mark = IS_GROUP;
    group.level = level;
    group.lowest = entries[0].rank;
    qsort(entries, n, sizeof(*entries), compare_level[level]);
    for (i = 0; i < n; i = j) {
        apr_uint64_t key = entries[i].keys[level];
        int len = entries[i].lens[level];
        apr_uint32_t node;

        for (j = i; j < n && entries[j].keys[level] == key
                    && entries[j].lens[level] == len; j++) {
            if (len) {
                (*plan->marks)[level][entries[j].edges[level]] |=
                    APR_UINT64_C(1) << (len - 1);
            }
        }
        node = plan_node(plan, &entries[i], j - i, level + 1);
        if (len) {
            slot_t *slot = apr_array_push(plan->slots);

            slot->key = key;
            slot->place = node;
            group.lengths[(len - 1) / 32] |= 1u << ((len - 1) % 32);
        }
        else {
            group.rest = node;
        }
    }
    placed = apr_array_push(plan->groups);
    placed->place = place;
    placed->group = group;
    return place;
}

sniv_globs_plan_t *sniv_globs_plan(sniv_globs_t *globs,
                                   sniv_pattern_t *patterns, apr_uint32_t n,
                                   apr_uint32_t *places, apr_pool_t *p,
                                   apr_pool_t *ptemp)
{
    sniv_globs_plan_t *plan = apr_pcalloc(ptemp, sizeof(*plan));
    apr_uint32_t i, wild = 0;

    memset(globs, 0, sizeof(*globs));
    for (i = 0; i < n; i++) {
        wild += patterns[i].is_wild;
    }
    if (!wild) {
        return plan;
    }

    plan->places = *places;
    plan->patterns = patterns;
    plan->entries = apr_palloc(ptemp, wild * sizeof(entry_t));
    plan->slots = apr_array_make(ptemp, 16, sizeof(slot_t));
    plan->groups = apr_array_make(ptemp, 16, sizeof(placed_group_t));
    if (wild > RUN_MAX) {
        plan->marks = apr_pcalloc(p, sizeof(sniv_marks_t));
    }
    for (i = 0; i < n; i++) {
        if (patterns[i].is_wild) {
            entry_t *entry = &plan->entries[plan->nentries++];

            entry->rank = i;
            dissect(entry, patterns[i].text, patterns[i].len);
        }
    }
    globs->root = plan_node(plan, plan->entries, wild, 0);
    globs->marks = plan->marks;
    globs->slots.nlines = sniv_slots_lines(plan->slots->nelts);
    *places = plan->places;
    return plan;
}

void sniv_globs_write(const sniv_globs_plan_t *plan, sniv_globs_t *globs,
                      const sniv_pattern_t *patterns, char *base)
{
    apr_uint32_t i;
    int j;

    for (i = 0; i < plan->nentries; i++) {
        const entry_t *entry = &plan->entries[i];
        const sniv_pattern_t *pattern = &patterns[entry->rank];
        sniv_glob_t *glob = (void *)SNIV_AT(base, entry->place);

        glob->rank = entry->rank | SNIV_RANK_GLOB
                     | (entry->last ? SNIV_RANK_LAST : 0);
        glob->value = pattern->value;
        glob->len = pattern->len | (entry->crowded ? CROWDED : 0);
        memcpy(glob + 1, pattern->text, (apr_size_t)pattern->len + 1);
    }
    if (!plan->nentries) {
        return;
    }
    for (j = 0; j < plan->groups->nelts; j++) {
        const placed_group_t *placed =
            &APR_ARRAY_IDX(plan->groups, j, placed_group_t);

        memcpy(SNIV_AT(base, placed->place), &placed->group, sizeof(group_t));
    }
    for (j = 0; j < plan->slots->nelts; j++) {
        const slot_t *slot = &APR_ARRAY_IDX(plan->slots, j, slot_t);

        sniv_slots_insert(&globs->slots, slot->key, slot->place);
    }
}

/* Try the globs of a run until one matches or none can win any more. */
static void find_in_run(const sniv_glob_t *glob, const sniv_host_t *host,
                        sniv_names_hit_t *hit)
{
    while ((glob->rank & SNIV_RANK_MASK) < hit->rank) {
        apr_size_t len = sniv_glob_len(glob);

        if (sniv_host_matches(host, SNIV_GLOB_TEXT(glob), len)) {
            hit->rank = glob->rank & SNIV_RANK_MASK;
            hit->value = glob->value;
            return;
        }
        if (glob->rank & SNIV_RANK_LAST) {
            return;
        }
        glob = (const void *)SNIV_AT((const char *)glob,
                                     SNIV_PLACES(sizeof(*glob) + len + 1));
    }
}

/* Try a node of this level, and those below it that the host leads to. */
static void find_in_node(const sniv_globs_t *globs, const char *base,
                         apr_uint32_t place, int level, apr_uint64_t key,
                         const sniv_host_t *host, sniv_names_hit_t *hit)
{
    const group_t *group = (const void *)SNIV_AT(base, place);
    apr_uint64_t lengths;
    apr_size_t i, max = host->len;

    if (group->mark != IS_GROUP) {
        find_in_run((const void *)group, host, hit);
        return;
    }
    if (group->lowest >= hit->rank || group->level != (apr_uint32_t)level) {
        return;     /* the second: only its tag had looked right */
    }
    if (group->rest) {
        find_in_node(globs, base, group->rest, level + 1, key, host, hit);
    }

    /* One walk over the host: from its end for the ends, else from its
     * beginning. An end or a beginning that reaches to position i has a
     * length of i + 1; a middle that starts there may have any. */
    lengths = group->lengths[0] | (apr_uint64_t)group->lengths[1] << 32;
    if (level != SNIV_LEVEL_MIDDLE && max > LITERAL_MAX) {
        max = LITERAL_MAX;
    }
    for (i = 0; i < max; i++) {
        apr_size_t at = level == SNIV_LEVEL_END ? host->len - 1 - i : i;
        apr_size_t from = level == SNIV_LEVEL_BEGINNING ? 0 : at;
        unsigned char c = sniv_fold(host->text[at]);
        apr_uint64_t found = (*globs->marks)[level][c] & lengths;
        apr_size_t n = 1;

        if (level != SNIV_LEVEL_MIDDLE) {
            found = (found >> i) & 1;
            n = i + 1;
        }
        for (; found && n <= host->len - from; found >>= 1, n++) {
            if (found & 1) {
                apr_uint64_t child = key_of(host, from, n, key);
                sniv_cursor_t at_slot;

                for (place = sniv_slots_first(&globs->slots, child, &at_slot);
                     place;
                     place = sniv_slots_next(&globs->slots, &at_slot)) {
                    find_in_node(globs, base, place, level + 1, child, host,
                                 hit);
                }
            }
        }
    }
}

void sniv_globs_find(const sniv_globs_t *globs, const char *base,
                     const sniv_host_t *host, sniv_names_hit_t *hit)
{
    if (globs->root) {
        find_in_node(globs, base, globs->root, 0, 0, host, hit);
    }
}
