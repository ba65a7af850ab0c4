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


#include "names/globs.h"
#include "names/pieces.h"
#include "names/sort.h"

/* Up to this number, globs are tried one by one. */
#define RUN_MAX 4

/* Flags in sniv_glob_t.len. */
#define LEN_SIMPLE  0x80000000u     /* one star, no other wildcard */
#define LEN_CROWDED 0x40000000u     /* in a run longer than RUN_MAX that no
                                     * level could split */
#define LEN_END     0x3f800000u     /* how long its end is; or all of these:
                                     * as long or longer */
#define LEN_MASK    0x007fffffu

/* A node of the tree is a run of sniv_glob_t in the order of rank, or this:
 * globs told apart by their literals of one level. */
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

/* Marks spare a look-up most of its hashes. A mark is a word of 64 bits; bit
 * n-1 is set if any glob is filed under a literal of n bytes that has the
 * same bytes next to the wildcard: there is one word for that byte, and for
 * literals of four bytes and more one for the four bytes there. Bytes of
 * different levels, or in small sets different bytes, may share a word, so a
 * mark is a hint. */
#define WINDOW        4
#define SHORTER       ((APR_UINT64_C(1) << (WINDOW - 1)) - 1) /* lengths */
#define BYTES_MIN     16
#define BYTES_MAX     256

/* Of more globs almost all words for four bytes would be full. */
#define WINDOWED_MAX  50000

/* The literals of a glob. */
typedef struct literals_t {
    apr_uint64_t keys[SNIV_LITERALS];  /* hash of the literals up to a level */
    apr_uint16_t windows[SNIV_LITERALS];   /* numbers of the marks */
    unsigned char bytes[SNIV_LITERALS];
    unsigned char lens[SNIV_LITERALS]; /* 0: none */
} literals_t;

/* A glob while it is being filed: small, because it is being sorted. */
typedef struct entry_t {
    apr_uint64_t key;           /* of the level that is being planned */
    apr_uint32_t rank;
    apr_uint32_t number;        /* of its literals */
    int len;
} entry_t;

/* A node while it is being planned. */
typedef struct node_t {
    entry_t *entries;
    apr_uint32_t n;
    apr_uint32_t place;
    apr_uint32_t units;
    apr_uint32_t rest;          /* number of that node, 0: none */
    apr_uint64_t lengths;
    apr_uint32_t lowest;
    int level;
    int is_group;
} node_t;

struct sniv_globs_plan_t {
    sniv_pattern_t *patterns;
    literals_t *literals;
    node_t *nodes;              /* index 0 is unused */
    apr_uint32_t nnodes;
    sniv_filed_t *items;        /* nodes that have a key */
    apr_uint32_t nitems;
    void *scratch;              /* for sorting */
    apr_uint64_t *marks;
};

/* ---- what both filing and finding have to do in the same way ---- */

/* The hash of one literal more. Without a literal it is unchanged. */
static apr_uint64_t key_of(const sniv_host_t *host, apr_size_t from,
                           apr_size_t n, apr_uint64_t key)
{
    return n ? sniv_host_hash(host, from, n, key) : key;
}

/* The mark for the byte next to the wildcard. */
SNIV_INLINE unsigned int byte_mark(const sniv_globs_t *globs, char c, int level)
{
    return ((unsigned char)c ^ (unsigned int)level << 2) & globs->byte_mask;
}

/* The mark for the four bytes there. */
SNIV_INLINE unsigned int window_mark(const sniv_globs_t *globs,
                                     const sniv_host_t *host, apr_size_t from,
                                     int level)
{
    apr_uint32_t hash = (sniv_host_window(host, from)
                         ^ (apr_uint32_t)level << 29) * 0x9e3779b1u;

    return globs->byte_mask + 1 + (hash >> globs->window_shift);
}

/* ---- filing ---- */

/* Take the literals of a glob that has at least one wildcard. */
static void dissect(literals_t *literals, const sniv_pieces_t *pieces,
                    const sniv_globs_t *globs, const char *text,
                    apr_size_t len)
{
    sniv_literal_t of[SNIV_LITERALS];
    apr_uint64_t key = 0;
    sniv_host_t host;
    int level;

    sniv_host_init(&host, text, len);
    sniv_pieces_take(pieces, of, &host);
    for (level = 0; level < SNIV_LITERALS; level++) {
        apr_size_t n = of[level].n, edge = of[level].from, window = edge;

        key = key_of(&host, edge, n, key);
        literals->keys[level] = key;
        literals->lens[level] = (unsigned char)n;
        if (level == SNIV_BEGINNING) {
            edge += n - 1;
            window += n - WINDOW;
        }
        literals->bytes[level] = literals->windows[level] = 0;
        if (n) {
            literals->bytes[level] =
                byte_mark(globs, sniv_fold(text[edge]), level);
        }
        if (n >= WINDOW && globs->window_shift) {
            literals->windows[level] =
                window_mark(globs, &host, window, level);
        }
    }
}

static apr_uint64_t length_bit(int len)
{
    return len ? APR_UINT64_C(1) << (len - 1) : 0;
}

static apr_uint32_t record_units(const sniv_pattern_t *pattern)
{
    return SNIV_PLACES(sizeof(sniv_glob_t) + pattern->len + 1);
}

static void set_marks(sniv_globs_plan_t *plan, const entry_t *entry,
                      int level)
{
    const literals_t *literals = &plan->literals[entry->number];

    if (entry->len) {
        plan->marks[literals->bytes[level]] |= length_bit(entry->len);
    }
    if (entry->len >= WINDOW) {
        plan->marks[literals->windows[level]] |= length_bit(entry->len);
    }
}

static void sort_entries(const sniv_globs_plan_t *plan, entry_t *entries,
                         apr_uint32_t n, int level)
{
    apr_uint32_t i;

    for (i = 0; i < n; i++) {
        const literals_t *literals = &plan->literals[entries[i].number];

        entries[i].key = literals->keys[level];
        entries[i].len = literals->lens[level];
    }
    sniv_sort(entries, sizeof(*entries), n, plan->scratch);
}

/* Plan the node for n globs, in the order of rank, that are alike in all
 * levels before this one. Returns its number. */
static apr_uint32_t plan_node(sniv_globs_plan_t *plan, entry_t *entries,
                              apr_uint32_t n, int level)
{
    node_t node = { NULL, 0, 0, 0, 0, 0, 0, 0, 0 };
    apr_uint32_t number = plan->nnodes++, i, j;

    node.entries = entries;
    node.n = n;
    node.level = level;
    node.lowest = entries[0].rank;
    node.is_group = n > RUN_MAX && level < SNIV_LITERALS;

    if (node.is_group) {
        node.units = SNIV_PLACES(sizeof(group_t));
        sort_entries(plan, entries, n, level);
        for (i = 0; i < n; i = j) {
            /* Children sort their part of the entries by other keys. */
            const entry_t first = entries[i];
            apr_uint32_t child;

            for (j = i; j < n && entries[j].key == first.key
                        && entries[j].len == first.len; j++) {
                set_marks(plan, &entries[j], level);
            }
            child = plan_node(plan, &entries[i], j - i, level + 1);
            if (first.len) {
                sniv_filed_t *item = &plan->items[plan->nitems++];

                item->hash = first.key;
                item->id = child;
                item->units = plan->nodes[child].units;
                node.lengths |= length_bit(first.len);
            }
            else {
                node.rest = child;
            }
        }
    }
    else {
        for (i = 0; i < n; i++) {
            node.units += record_units(&plan->patterns[entries[i].rank]);
        }
    }
    plan->nodes[number] = node;
    return number;
}

/* How large the filters are, by the number of globs. */
static void size_filters(sniv_globs_t *globs, apr_uint32_t wild)
{
    apr_uint32_t bytes = BYTES_MIN;

    if (wild <= RUN_MAX) {
        return;
    }
    while (bytes < BYTES_MAX && bytes <= wild) {
        bytes *= 2;
    }
    globs->byte_mask = bytes - 1;
    if (wild <= WINDOWED_MAX) {
        globs->window_shift = 31;
        while (wild >> (33 - globs->window_shift)) {
            globs->window_shift--;
        }
    }
}

static sniv_globs_plan_t *make_plan(const sniv_globs_t *globs,
                                    sniv_pattern_t *patterns,
                                    apr_uint32_t wild, apr_pool_t *ptemp)
{
    sniv_globs_plan_t *plan = apr_pcalloc(ptemp, sizeof(*plan));
    /* Index 0 is unused; runs, each with a glob of its own; groups, at each
     * level at most one for more than RUN_MAX globs. */
    const apr_uint32_t most = 1 + wild
                              + SNIV_LITERALS * (wild / (RUN_MAX + 1));

    plan->patterns = patterns;
    plan->nodes = apr_palloc(ptemp, most * sizeof(*plan->nodes));
    plan->nnodes = 1;
    plan->items = apr_palloc(ptemp, most * sizeof(*plan->items));
    plan->scratch = apr_palloc(ptemp, most * sizeof(*plan->items));
    plan->marks = apr_pcalloc(ptemp, sniv_globs_marks_size(globs));
    plan->literals = apr_palloc(ptemp, wild * sizeof(literals_t));
    return plan;
}

/* Nodes that a hash leads to are laid out by the directory; then those that
 * have none. */
static void place_nodes(sniv_globs_t *globs, sniv_globs_plan_t *plan,
                        apr_uint32_t *place)
{
    apr_uint32_t i, j;

    sniv_sort(plan->items, sizeof(*plan->items), plan->nitems, plan->scratch);
    *place = sniv_slots_plan(&globs->slots, plan->items, plan->nitems,
                             *place);
    for (i = 0; i < plan->nitems; i++) {
        plan->nodes[plan->items[i].id].place = plan->items[i].place;
    }
    for (i = 1; i < plan->nnodes; i++) {
        node_t *node = &plan->nodes[i];
        apr_uint32_t at;

        if (!node->place) {
            node->place = *place;
            *place += node->units;
        }
        at = node->place;
        for (j = 0; !node->is_group && j < node->n; j++) {
            sniv_pattern_t *pattern = &plan->patterns[node->entries[j].rank];

            pattern->place = at;
            at += record_units(pattern);
        }
    }
    globs->root = plan->nodes[1].place;
}

sniv_globs_plan_t *sniv_globs_plan(sniv_globs_t *globs,
                                   sniv_pattern_t *patterns, apr_uint32_t n,
                                   apr_uint32_t *place, apr_pool_t *ptemp)
{
    const sniv_pieces_t *pieces;
    sniv_globs_plan_t *plan;
    entry_t *entries;
    apr_uint32_t wild = 0, i, j;

    for (i = 0; i < n; i++) {
        wild += patterns[i].is_wild;
    }
    if (!wild) {
        return NULL;
    }
    size_filters(globs, wild);
    plan = make_plan(globs, patterns, wild, ptemp);
    pieces = sniv_pieces_list(patterns, n, ptemp);
    entries = apr_palloc(ptemp, wild * sizeof(*entries));
    for (i = j = 0; i < n; i++) {
        if (patterns[i].is_wild) {
            dissect(&plan->literals[j], pieces, globs, patterns[i].text,
                    patterns[i].len);
            entries[j].rank = i;
            entries[j].number = j;
            j++;
        }
    }
    globs->lowest = entries[0].rank;
    plan_node(plan, entries, wild, 0);
    place_nodes(globs, plan, place);
    return plan;
}

apr_size_t sniv_globs_marks_size(const sniv_globs_t *globs)
{
    apr_size_t words = 0;

    if (globs->byte_mask) {
        words += globs->byte_mask + 1;
    }
    if (globs->window_shift) {
        words += (apr_size_t)1 << (32 - globs->window_shift);
    }
    return words * sizeof(apr_uint64_t);
}

static void write_group(const sniv_globs_plan_t *plan, const node_t *node,
                        char *base)
{
    group_t *group = (void *)SNIV_AT(base, node->place);

    group->mark = IS_GROUP;
    group->level = node->level;
    group->lowest = node->lowest;
    group->rest = node->rest ? plan->nodes[node->rest].place : 0;
    group->lengths[0] = (apr_uint32_t)node->lengths;
    group->lengths[1] = (apr_uint32_t)(node->lengths >> 32);
}

/* What LEN_END says of a pattern. */
static apr_uint32_t end_flags(const sniv_pattern_t *pattern)
{
    const apr_uint32_t unit = LEN_END & -LEN_END;
    apr_uint32_t n = 0;

    while (n < LEN_END / unit
           && !sniv_is_wildcard(pattern->text[pattern->len - 1 - n])) {
        n++;
    }
    return n * unit;
}

static void write_run(const sniv_globs_plan_t *plan, const node_t *node,
                      char *base)
{
    apr_uint32_t i;

    for (i = 0; i < node->n; i++) {
        apr_uint32_t rank = node->entries[i].rank;
        const sniv_pattern_t *pattern = &plan->patterns[rank];
        sniv_glob_t *glob = (void *)SNIV_AT(base, pattern->place);

        glob->rank = rank | SNIV_RANK_GLOB
                     | (i + 1 == node->n ? SNIV_RANK_LAST : 0);
        glob->value = pattern->value;
        glob->len = pattern->len | end_flags(pattern)
                    | (pattern->is_simple ? LEN_SIMPLE : 0)
                    | (node->n > RUN_MAX ? LEN_CROWDED : 0);
        memcpy(glob + 1, pattern->text, (apr_size_t)pattern->len + 1);
    }
}

void sniv_globs_write(const sniv_globs_plan_t *plan, sniv_globs_t *globs,
                      char *base)
{
    apr_uint32_t i;

    memcpy(globs->marks, plan->marks, sniv_globs_marks_size(globs));
    for (i = 1; i < plan->nnodes; i++) {
        const node_t *node = &plan->nodes[i];

        if (node->is_group) {
            write_group(plan, node, base);
        }
        else {
            write_run(plan, node, base);
        }
    }
    sniv_slots_write(&globs->slots, plan->items, plan->nitems);
}

/* ---- finding ---- */

apr_size_t sniv_glob_len(const sniv_glob_t *glob)
{
    return glob->len & LEN_MASK;
}

int sniv_glob_is_scanned(const sniv_glob_t *glob)
{
    const char *text = SNIV_GLOB_TEXT(glob);

    return (glob->len & LEN_CROWDED) != 0
           || (sniv_is_wildcard(text[0])
               && sniv_is_wildcard(text[sniv_glob_len(glob) - 1]));
}

int sniv_glob_matches(const sniv_glob_t *glob, const sniv_host_t *host)
{
    const char *text = SNIV_GLOB_TEXT(glob);
    apr_size_t len = sniv_glob_len(glob), before;
    apr_size_t end = (glob->len & LEN_END) / (LEN_END & -LEN_END);
    apr_size_t left = host->len - end;

    if (host->len < end
        || !sniv_host_has(host, left, text + len - end, end)) {
        return 0;
    }
    if ((glob->len & LEN_SIMPLE) && (glob->len & LEN_END) != LEN_END) {
        before = len - end - 1;
        return left >= before && sniv_host_has(host, 0, text, before);
    }
    return sniv_host_matches(host->text, left, text, len - end);
}

/* Try the globs of a run until one matches or none can win any more. */
static void find_in_run(sniv_globs_search_t *search, const sniv_glob_t *glob)
{
    while ((glob->rank & SNIV_RANK_MASK) < search->hit->rank) {
        SNIV_WORK(1);
        if (sniv_glob_matches(glob, search->host)) {
            search->hit->rank = glob->rank & SNIV_RANK_MASK;
            search->hit->value = glob->value;
            return;
        }
        if (glob->rank & SNIV_RANK_LAST) {
            return;
        }
        glob = (const void *)SNIV_AT((const char *)glob,
                                     SNIV_PLACES(sizeof(*glob) + 1
                                                 + sniv_glob_len(glob)));
    }
}

static void find_in_node(sniv_globs_search_t *search, apr_uint32_t place,
                         int level, apr_uint64_t key);

/* Whether a node below all groups was tried; from now on it was. Trying it
 * once more would find nothing new. */
static int was_tried(sniv_globs_search_t *search, apr_uint32_t place)
{
    unsigned int at = place * 0x9e3779b1u >> (32 - SNIV_TRIED_BITS), i;

    for (i = 0; i < SNIV_TRIED_NEAR; i++) {
        at = (at + 1) % (1 << SNIV_TRIED_BITS);
        if (!(search->are_tried >> at & 1)) {
            break;
        }
        if (search->tried[at] == place) {
            return 1;
        }
    }
    search->are_tried |= APR_UINT64_C(1) << at;
    search->tried[at] = place;
    return 0;
}

/* Ask for the memory in which the keys will be looked up. */
static void prefetch_keys(const sniv_globs_search_t *search,
                          const apr_uint64_t *keys, int n)
{
    int i;

    for (i = 0; i < n; i++) {
        sniv_slots_prefetch(&search->globs->slots, keys[i], search->base);
    }
}

/* Try the nodes of this level that the keys lead to. */
static void find_keys(sniv_globs_search_t *search, const apr_uint64_t *keys,
                      int n, int level)
{
    const sniv_slots_t *slots = &search->globs->slots;
    sniv_cursor_t at;
    apr_uint32_t place;
    int i;

    SNIV_WORK(n);
    for (i = 0; i < n; i++) {
        for (place = sniv_slots_first(slots, keys[i], &at); place;
             place = sniv_slots_next(&at)) {
            if (level < SNIV_LITERALS || !was_tried(search, place)) {
                find_in_node(search, place, level, keys[i]);
            }
        }
    }
}

/* Which of the lengths are marked for an end of the host, or a beginning.
 * Most are not, but which ones are cannot be foreseen: no branch on that. */
static apr_uint64_t marked_ends(const sniv_globs_search_t *search,
                                apr_uint64_t lengths, int level)
{
    const sniv_globs_t *globs = search->globs;
    const sniv_host_t *host = search->host;
    apr_uint64_t marked = 0, rest;
    apr_size_t from, n;

    if (host->len < SNIV_LITERAL_MAX) {
        lengths &= (APR_UINT64_C(1) << host->len) - 1;
    }
    rest = lengths;
    SNIV_WORK(SNIV_LITERAL_MAX);
    if (globs->window_shift) {
        for (rest &= ~SHORTER; rest; rest &= rest - 1) {
            n = sniv_lowest_bit(rest) + 1;
            from = level == SNIV_END ? host->len - n : n - WINDOW;
            marked |= globs->marks[window_mark(globs, host, from, level)]
                      & rest & -rest;
        }
        rest = lengths & SHORTER;
    }
    for (; rest; rest &= rest - 1) {
        n = sniv_lowest_bit(rest) + 1;
        from = level == SNIV_END ? host->len - n : n - 1;
        marked |= globs->marks[byte_mark(globs, sniv_host_byte(host, from),
                                         level)]
                  & rest & -rest;
    }
    return marked;
}

/* Hash literals of the marked lengths, as many as are looked up together, and
 * remove their marks. Returns how many. */
static int take_keys(const sniv_globs_search_t *search, apr_uint64_t *keys,
                     apr_uint64_t *marked, int level, apr_uint64_t key)
{
    const sniv_host_t *host = search->host;
    int n = 0;

    for (; *marked && n < SNIV_BATCH; *marked &= *marked - 1) {
        apr_size_t len = sniv_lowest_bit(*marked) + 1;

        keys[n++] = key_of(host, level == SNIV_END ? host->len - len : 0,
                           len, key);
    }
    prefetch_keys(search, keys, n);
    return n;
}

/* Try all beginnings that lead from a group to a node of the next level. */
static void find_beginnings(sniv_globs_search_t *search, apr_uint64_t lengths,
                            apr_uint64_t key)
{
    apr_uint64_t marked = marked_ends(search, lengths, SNIV_BEGINNING);
    apr_uint64_t keys[SNIV_BATCH];

    while (marked) {
        int n = take_keys(search, keys, &marked, SNIV_BEGINNING, key);

        find_keys(search, keys, n, SNIV_BEGINNING + 1);
    }
}

/* The same for middles: these may begin everywhere. */
static void find_middles(sniv_globs_search_t *search, apr_uint64_t lengths,
                         apr_uint64_t key)
{
    const sniv_globs_t *globs = search->globs;
    const sniv_host_t *host = search->host;
    apr_uint64_t keys[SNIV_BATCH], marked;
    apr_size_t from, left;
    int n = 0;

    for (from = 0, left = host->len; left; from++, left--) {
        if (left < SNIV_LITERAL_MAX) {
            lengths &= (APR_UINT64_C(1) << left) - 1;
        }
        marked = lengths
                 & globs->marks[byte_mark(globs, sniv_host_byte(host, from),
                                          SNIV_MIDDLE)];
        if (globs->window_shift && left >= WINDOW) {
            marked &= SHORTER
                      | globs->marks[window_mark(globs, host, from,
                                                 SNIV_MIDDLE)];
        }
        SNIV_WORK(1);
        for (; marked; marked &= marked - 1) {
            if (n == SNIV_BATCH) {
                prefetch_keys(search, keys, n);
                find_keys(search, keys, n, SNIV_MIDDLE + 1);
                n = 0;
            }
            keys[n++] = key_of(host, from, sniv_lowest_bit(marked) + 1, key);
        }
    }
    prefetch_keys(search, keys, n);
    find_keys(search, keys, n, SNIV_MIDDLE + 1);
}

static apr_uint64_t group_lengths(const group_t *group)
{
    return group->lengths[0] | (apr_uint64_t)group->lengths[1] << 32;
}

/* Try a node of this level, and those below it that the host leads to. */
static void find_in_node(sniv_globs_search_t *search, apr_uint32_t place,
                         int level, apr_uint64_t key)
{
    const group_t *group = (const void *)SNIV_AT(search->base, place);

    if (group->mark != IS_GROUP) {
        find_in_run(search, (const void *)group);
        return;
    }
    if (group->lowest >= search->hit->rank
        || group->level != (apr_uint32_t)level) {
        return;     /* the second: only its tag had looked right */
    }
    if (group->rest) {
        find_in_node(search, group->rest, level + 1, key);
    }
    if (level == SNIV_BEGINNING) {
        find_beginnings(search, group_lengths(group), key);
    }
    else if (level == SNIV_MIDDLE) {
        find_middles(search, group_lengths(group), key);
    }
    else {
        /* Only the root: sniv_globs_begin() has taken the first ones. */
        find_keys(search, search->keys, search->nkeys, SNIV_END + 1);
        while (search->ends) {
            search->nkeys = take_keys(search, search->keys, &search->ends,
                                      SNIV_END, key);
            find_keys(search, search->keys, search->nkeys, SNIV_END + 1);
        }
    }
}

void sniv_globs_begin(sniv_globs_search_t *search, const sniv_globs_t *globs,
                      const char *base, const sniv_host_t *host)
{
    const group_t *root = (const void *)SNIV_AT(base, globs->root);

    search->globs = globs;
    search->base = base;
    search->host = host;
    search->are_tried = 0;
    if (root->mark == IS_GROUP) {
        search->ends = marked_ends(search, group_lengths(root), SNIV_END);
        search->nkeys = take_keys(search, search->keys, &search->ends,
                                  SNIV_END, 0);
    }
}

void sniv_globs_find(sniv_globs_search_t *search, sniv_names_hit_t *hit)
{
    if (search->globs->lowest < hit->rank) {
        search->hit = hit;
        find_in_node(search, search->globs->root, 0, 0);
    }
}
