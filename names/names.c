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


#include <apr_errno.h>
#include <apr_allocator.h>
#include <apr_tables.h>

#if APR_HAVE_SYS_TYPES_H
#include <sys/types.h>
#endif
#if !defined(WIN32)
#include <sys/mman.h>
#endif

#include "names/names.h"
#include "names/globs.h"
#include "names/host.h"
#include "names/slots.h"
#include "names/sort.h"

/* With these every record has a place up to SNIV_PLACE_MAX. */
#define PATTERNS_MAX (1 << 27)
#define TEXTS_MAX    (APR_UINT64_C(3) << 30)
#define TEXT_MAX     0x7fffffu

/* So few patterns have a table instead of a directory: one slot for each
 * value of a hash, which is chosen so that no two names have the same. So
 * many are tried. */
#define SMALL_MAX   32
#define SMALL_TRIES 2000

#define NONE 0xffffffffu            /* no rank */

/* Blocks of this size are mapped and not taken from the pool: they can have
 * huge pages, and go back to the system when the pool is cleared. */
#define MAP_MIN (1024 * 1024)

struct sniv_names_builder_t {
    apr_pool_t *pool;
    apr_array_header_t *patterns;   /* of sniv_pattern_t */
    apr_uint64_t bytes;             /* of all texts */
};

/* The record of an exact name in the block. Its text follows,
 * NUL-terminated. */
typedef struct name_t {
    apr_uint32_t rank;              /* with EXACT_GLOB */
    apr_uint32_t value;
} name_t;

#define NAME_TEXT(name) ((const char *)((name) + 1))

/* Added as a glob, but has no wildcard in it. */
#define EXACT_GLOB 0x40000000u

/* The index. Its block begins with the lines of both directories and the
 * marks of the globs, then come the places of the records by rank, the small
 * table and the records. */
struct sniv_names_t {
    const char *base;
    sniv_slots_t exact;
    sniv_globs_t globs;
    const apr_uint32_t *places;
    apr_uint32_t count;
    apr_uint32_t longest;           /* length of the longest exact name */
    unsigned int small_bits;        /* 2 to this power are the slots of the */
    const apr_uint16_t *small;      /* table of places; 0: there is none */
    apr_uint64_t small_factor;
    apr_size_t bytes;
};

sniv_names_builder_t *sniv_names_builder_make(apr_pool_t *p,
                                              apr_uint32_t hint)
{
    sniv_names_builder_t *b = apr_pcalloc(p, sizeof(*b));

    b->pool = p;
    b->patterns = apr_array_make(p, hint ? (int)hint : 8,
                                 sizeof(sniv_pattern_t));
    return b;
}

apr_status_t sniv_names_add(sniv_names_builder_t *b, const char *pattern,
                            int is_glob, apr_uint32_t value)
{
    apr_size_t len = strlen(pattern), wildcards = 0, i;
    sniv_pattern_t *new;

    if (b->patterns->nelts >= PATTERNS_MAX || len > TEXT_MAX
        || b->bytes + len > TEXTS_MAX) {
        return APR_ENOSPC;
    }
    new = apr_array_push(b->patterns);
    new->text = pattern;
    new->len = (apr_uint32_t)len;
    new->value = value;
    new->place = 0;
    new->is_glob = is_glob != 0;
    for (i = 0; is_glob && i < len; i++) {
        wildcards += pattern[i] == '*' || pattern[i] == '?';
    }
    new->is_wild = wildcards > 0;
    new->is_simple = wildcards == 1 && memchr(pattern, '*', len) != NULL;
    b->bytes += len;
    return APR_SUCCESS;
}

#if !defined(WIN32)
typedef struct block_t {
    void *start;
    apr_size_t size;
} block_t;

static apr_status_t block_unmap(void *data)
{
    block_t *block = data;

    munmap(block->start, block->size);
    return APR_SUCCESS;
}
#endif

/* Zeroed memory that begins on a cache line and lives as long as p; NULL if
 * there is none. */
static char *block_make(apr_size_t size, apr_pool_t *p)
{
    char *start;

#if !defined(WIN32)
    if (size >= MAP_MIN) {
        block_t *block = apr_palloc(p, sizeof(*block));

        block->size = size;
        block->start = mmap(NULL, size, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block->start == MAP_FAILED) {
            return NULL;
        }
        apr_pool_cleanup_register(p, block, block_unmap,
                                  apr_pool_cleanup_null);
#ifdef MADV_HUGEPAGE
        madvise(block->start, size, MADV_HUGEPAGE);
#endif
        return block->start;
    }
#endif
    start = apr_pcalloc(p, size + SNIV_LINE_SIZE);
    return start + SNIV_LINE_SIZE - (apr_uintptr_t)start % SNIV_LINE_SIZE;
}

static apr_uint64_t exact_key(const sniv_host_t *host)
{
    apr_size_t n = host->len < SNIV_HASHED_MAX ? host->len : SNIV_HASHED_MAX;

    return sniv_host_hash(host, host->len - n, n, 0);
}

/* The slot of a quick hash in the small table. */
static unsigned int small_slot(const sniv_names_t *names, apr_uint64_t hash)
{
    return (unsigned int)((hash * names->small_factor)
                          >> (64 - names->small_bits));
}

static const name_t *record_of(const sniv_names_t *names, apr_uint32_t rank)
{
    return (const void *)SNIV_AT(names->base, names->places[rank]);
}

/* Text is NUL-terminated, and host no longer than names->longest, so that
 * what is read beyond a short text is still the block. */
static int equals(const sniv_host_t *host, const char *text)
{
    /* Not &&: one mispredicted branch, not two. */
    return (text[host->len] == '\0')
           & sniv_host_has(host, 0, text, host->len);
}

static const name_t *find_exact(const sniv_names_t *names,
                                const sniv_host_t *host, apr_uint64_t key)
{
    const name_t *name;
    apr_uint32_t place;
    sniv_cursor_t at;

    if (host->len > names->longest) {
        return NULL;
    }
    for (place = sniv_slots_first(&names->exact, key, &at); place;
         place = sniv_slots_next(&at)) {
        name = (const void *)SNIV_AT(names->base, place);
        if (equals(host, NAME_TEXT(name))) {
            return name;
        }
    }
    return NULL;
}

static const name_t *find_small(const sniv_names_t *names,
                                const sniv_host_t *host)
{
    const name_t *name;
    apr_uint32_t place;

    if (host->len > names->longest) {
        return NULL;
    }
    place = names->small[small_slot(names, sniv_host_quick(host))];
    name = (const void *)SNIV_AT(names->base, place);
    return place && equals(host, NAME_TEXT(name)) ? name : NULL;
}

static int same_name(const sniv_pattern_t *a, const sniv_pattern_t *b)
{
    sniv_host_t host;

    sniv_host_init(&host, a->text, a->len);
    return a->len == b->len && sniv_host_has(&host, 0, b->text, b->len);
}

/* Sort the exact names by hash. Of equal names the first has to be found and
 * no other: the others' items go behind the rest. Returns the number of
 * those to be found. */
static apr_uint32_t sort_exact(sniv_filed_t *items, apr_uint32_t n,
                               const sniv_pattern_t *patterns,
                               apr_pool_t *ptemp)
{
    sniv_filed_t *others = apr_palloc(ptemp, n * sizeof(*items));
    apr_uint32_t kept = 0, nothers = 0, i, j;

    /* Equal hashes stay in the order of rank. */
    sniv_sort(items, sizeof(*items), n, others);
    for (i = 0; i < n; i++) {
        for (j = kept; j > 0 && items[j - 1].hash == items[i].hash; j--) {
            if (same_name(&patterns[items[j - 1].id],
                          &patterns[items[i].id])) {
                break;
            }
        }
        if (j > 0 && items[j - 1].hash == items[i].hash) {
            others[nothers++] = items[i];
        }
        else {
            items[kept++] = items[i];
        }
    }
    if (nothers) {
        memcpy(&items[kept], others, nothers * sizeof(*items));
    }
    return kept;
}

/* The exact names, hashed. Returns their number. */
static apr_uint32_t collect_exact(sniv_names_t *names, sniv_filed_t *items,
                                  const sniv_pattern_t *patterns)
{
    apr_uint32_t n = 0, i;

    for (i = 0; i < names->count; i++) {
        if (!patterns[i].is_wild) {
            sniv_filed_t *item = &items[n++];
            sniv_host_t host;

            sniv_host_init(&host, patterns[i].text, patterns[i].len);
            item->hash = names->small_bits ? sniv_host_quick(&host)
                                           : exact_key(&host);
            item->id = i;
            item->units = SNIV_PLACES(sizeof(name_t) + patterns[i].len + 1);
        }
    }
    return n;
}

/* Look for a factor that leads each hash to a slot of its own. */
static int find_factor(sniv_names_t *names, const sniv_filed_t *items,
                       apr_uint32_t n)
{
    apr_uint32_t tries, i;

    names->small_factor = 1;
    for (tries = 0; tries < SMALL_TRIES; tries++) {
        unsigned char taken[SMALL_MAX * SMALL_MAX / 4] = { 0 };

        names->small_factor += APR_UINT64_C(0x9e3779b97f4a7c16);
        for (i = 0; i < n; i++) {
            unsigned char *slot = &taken[small_slot(names, items[i].hash)];

            if (*slot) {
                break;
            }
            *slot = 1;
        }
        if (i == n) {
            return 1;
        }
    }
    return 0;
}

/* Decide where the records of exact names go: those that are found by their
 * hash, then those that are equal to one of them. */
static sniv_filed_t *plan_exact(sniv_names_t *names, sniv_pattern_t *patterns,
                               apr_uint32_t *nfound, apr_uint32_t *place,
                               apr_pool_t *ptemp)
{
    sniv_filed_t *items = apr_palloc(ptemp, names->count * sizeof(*items));
    apr_uint32_t n = 0, i;

    for (i = 0; i < names->count; i++) {
        if (!patterns[i].is_wild) {
            n++;
            if (names->longest < patterns[i].len) {
                names->longest = patterns[i].len;
            }
        }
    }
    *nfound = 0;
    if (n <= SMALL_MAX && names->longest <= SNIV_HASHED_MAX) {
        /* On average about fifty factors are tried. */
        for (names->small_bits = 1; 8u << names->small_bits < n * n;
             names->small_bits++);
        collect_exact(names, items, patterns);
        *nfound = sort_exact(items, n, patterns, ptemp);
        if (!find_factor(names, items, *nfound)) {
            names->small_bits = 0;
        }
    }
    if (names->small_bits) {
        /* The longest one last: see block_end(). */
        for (i = 0; i + 1 < *nfound; i++) {
            if (items[i].units > items[*nfound - 1].units) {
                sniv_filed_t item = items[i];

                items[i] = items[*nfound - 1];
                items[*nfound - 1] = item;
            }
        }
        for (i = 0; i < *nfound; i++) {
            items[i].place = *place;
            *place += items[i].units;
        }
    }
    else {
        collect_exact(names, items, patterns);
        *nfound = sort_exact(items, n, patterns, ptemp);
        *place = sniv_slots_plan(&names->exact, items, *nfound, *place);
    }
    for (i = *nfound; i < n; i++) {
        items[i].place = *place;
        *place += items[i].units;
    }
    for (i = 0; i < n; i++) {
        patterns[items[i].id].place = items[i].place;
    }
    return items;
}

static void write_exact(char *base, const sniv_pattern_t *pattern,
                        apr_uint32_t rank)
{
    name_t *name = (void *)SNIV_AT(base, pattern->place);

    name->rank = rank | (pattern->is_glob ? EXACT_GLOB : 0);
    name->value = pattern->value;
    memcpy(name + 1, pattern->text, (apr_size_t)pattern->len + 1);
}

/* A pool that gives its memory back to the system when it is destroyed: the
 * plan of an index is larger than the index. */
static apr_status_t make_plan_pool(apr_pool_t **pp, apr_pool_t *parent)
{
    apr_allocator_t *allocator;
    apr_status_t rv;

    if ((rv = apr_allocator_create(&allocator)) != APR_SUCCESS) {
        return rv;
    }
    apr_allocator_max_free_set(allocator, 1);
    rv = apr_pool_create_ex(pp, parent, NULL, allocator);
    if (rv != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        return rv;
    }
    apr_allocator_owner_set(allocator, *pp);
    return APR_SUCCESS;
}

/* How many bytes the records take, the last of which may be behind them: see
 * equals(). */
static apr_size_t block_end(const sniv_names_t *names,
                            const sniv_pattern_t *patterns,
                            apr_uint32_t place)
{
    apr_size_t end = (apr_size_t)place * SNIV_PLACE_UNIT;
    apr_uint32_t last = 0, i;

    for (i = 0; i < names->count; i++) {
        if (!patterns[i].is_wild && last < patterns[i].place) {
            last = patterns[i].place;
        }
    }
    if (last) {
        apr_size_t read = (apr_size_t)last * SNIV_PLACE_UNIT + sizeof(name_t)
                          + names->longest + 1;

        end = end < read ? read : end;
    }
    return end;
}

/* Say where everything goes, get a block of that size, then write. */
static apr_status_t build(sniv_names_t *names, sniv_pattern_t *patterns,
                          apr_pool_t *p, apr_pool_t *ptemp)
{
    apr_uint32_t place = 1, nfound, i;      /* place 0 means none */
    apr_size_t nlines, marks_size, index_size, small_size;
    sniv_globs_plan_t *plan;
    apr_uint32_t *places;
    apr_uint16_t *small;
    sniv_filed_t *items;
    char *block, *base;

    items = plan_exact(names, patterns, &nfound, &place, ptemp);
    plan = sniv_globs_plan(&names->globs, patterns, names->count, &place,
                           ptemp);

    nlines = (apr_size_t)names->exact.total + names->globs.slots.total;
    marks_size = sniv_globs_marks_size(&names->globs);
    small_size = names->small_bits ? sizeof(*small) << names->small_bits : 0;
    index_size = nlines * SNIV_LINE_SIZE + marks_size
                 + names->count * sizeof(*places) + small_size;
    names->bytes = index_size + block_end(names, patterns, place);
    if (!(block = block_make(names->bytes, p))) {
        return APR_ENOMEM;
    }
    names->exact.lines = (void *)block;
    names->globs.slots.lines = names->exact.lines + names->exact.total;
    names->globs.marks = (void *)(block + nlines * SNIV_LINE_SIZE);
    places = (void *)(block + nlines * SNIV_LINE_SIZE + marks_size);
    names->places = places;
    small = (void *)(places + names->count);
    names->small = small;
    base = block + index_size;
    names->base = base;

    for (i = 0; i < names->count; i++) {
        places[i] = patterns[i].place;
        if (!patterns[i].is_wild) {
            write_exact(base, &patterns[i], i);
        }
    }
    if (small_size) {
        for (i = 0; i < nfound; i++) {
            small[small_slot(names, items[i].hash)] =
                (apr_uint16_t)items[i].place;
        }
    }
    else {
        sniv_slots_write(&names->exact, items, nfound);
    }
    if (plan) {
        sniv_globs_write(plan, &names->globs, base);
    }
    return APR_SUCCESS;
}

apr_status_t sniv_names_build(const sniv_names_t **pnames,
                              sniv_names_builder_t *b, apr_pool_t *p)
{
    sniv_names_t *names = apr_pcalloc(p, sizeof(*names));
    apr_pool_t *ptemp;
    apr_status_t rv;

    if ((rv = make_plan_pool(&ptemp, b->pool)) != APR_SUCCESS) {
        return rv;
    }
    names->count = b->patterns->nelts;
    rv = build(names, (sniv_pattern_t *)b->patterns->elts, p, ptemp);
    apr_pool_destroy(ptemp);
    if (rv == APR_SUCCESS) {
        names->bytes += sizeof(*names);
        *pnames = names;
    }
    return rv;
}

int sniv_names_find(const sniv_names_t *names, const char *text,
                    apr_size_t len, sniv_names_hit_t *hit)
{
    sniv_names_hit_t best = { NONE, 0 };
    const int has_globs = names->globs.root != 0;
    sniv_globs_search_t search;
    const name_t *name;
    sniv_host_t host;
    apr_uint64_t key;

    sniv_host_init(&host, text, len);
    if (names->small_bits) {
        if (has_globs) {
            sniv_globs_begin(&search, &names->globs, names->base, &host);
        }
        name = find_small(names, &host);
    }
    else {
        key = exact_key(&host);
        sniv_slots_prefetch(&names->exact, key, names->base);
        if (has_globs) {
            sniv_globs_begin(&search, &names->globs, names->base, &host);
        }
        name = find_exact(names, &host, key);
    }
    if (!has_globs) {
        if (!name) {
            return 0;
        }
        hit->rank = name->rank & SNIV_RANK_MASK;
        hit->value = name->value;
        return 1;
    }
    if (name) {
        best.rank = name->rank & SNIV_RANK_MASK;
        best.value = name->value;
    }
    sniv_globs_find(&search, &best);
    if (best.rank == NONE) {
        return 0;
    }
    *hit = best;
    return 1;
}

int sniv_names_find_after(const sniv_names_t *names, const char *text,
                          apr_size_t len, apr_uint32_t after,
                          sniv_names_hit_t *hit)
{
    apr_uint32_t rank;
    sniv_host_t host;

    sniv_host_init(&host, text, len);
    for (rank = after; ++rank < names->count; ) {
        const name_t *name = record_of(names, rank);
        int matches;

        if (name->rank & SNIV_RANK_GLOB) {
            matches = sniv_glob_matches((const void *)name, &host);
        }
        else {
            matches = len <= names->longest && equals(&host, NAME_TEXT(name));
        }
        if (matches) {
            hit->rank = rank;
            hit->value = name->value;
            return 1;
        }
    }
    return 0;
}

apr_uint32_t sniv_names_count(const sniv_names_t *names)
{
    return names->count;
}

const char *sniv_names_pattern(const sniv_names_t *names, apr_uint32_t rank,
                               int *is_glob)
{
    const name_t *name = record_of(names, rank);

    if (is_glob) {
        *is_glob = (name->rank & (SNIV_RANK_GLOB | EXACT_GLOB)) != 0;
    }
    return name->rank & SNIV_RANK_GLOB
           ? SNIV_GLOB_TEXT((const sniv_glob_t *)(const void *)name)
           : NAME_TEXT(name);
}

int sniv_names_is_scanned(const sniv_names_t *names, apr_uint32_t rank)
{
    const name_t *name = record_of(names, rank);

    return (name->rank & SNIV_RANK_GLOB)
           && sniv_glob_is_scanned((const void *)name);
}

apr_size_t sniv_names_bytes(const sniv_names_t *names)
{
    return names->bytes;
}
