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

#include <apr.h>
#include <apr_errno.h>
#include <apr_tables.h>

#if APR_HAVE_SYS_TYPES_H
#include <sys/types.h>
#endif
#if !defined(WIN32)
#include <sys/mman.h>
#endif

#include "sniv_names.h"
#include "sniv_names_globs.h"
#include "sniv_names_host.h"
#include "sniv_names_slots.h"

/* With these every record has a place that fits into 32 bits. */
#define PATTERNS_MAX (1 << 28)
#define TEXTS_MAX    (APR_UINT64_C(3) << 30)
#define TEXT_MAX     (APR_UINT64_C(1) << 30)

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

/* The index. Its block begins with the lines of both directories, then come
 * the places of the records by rank, then the records. */
struct sniv_names_t {
    const char *base;
    sniv_slots_t exact;
    sniv_globs_t globs;
    const apr_uint32_t *places;
    apr_uint32_t count;
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
    apr_size_t len = strlen(pattern);
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
    new->is_wild = is_glob && strpbrk(pattern, "*?") != NULL;
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

/* Zeroed memory that begins on a cache line and lives as long as p. */
static apr_status_t block_make(char **pstart, apr_size_t size, apr_pool_t *p)
{
    char *start;

#if !defined(WIN32)
    if (size >= MAP_MIN) {
        block_t *block = apr_palloc(p, sizeof(*block));

        block->size = size;
        block->start = mmap(NULL, size, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block->start == MAP_FAILED) {
            return APR_FROM_OS_ERROR(errno);
        }
        apr_pool_cleanup_register(p, block, block_unmap,
                                  apr_pool_cleanup_null);
#ifdef MADV_HUGEPAGE
        madvise(block->start, size, MADV_HUGEPAGE);
#endif
        *pstart = block->start;
        return APR_SUCCESS;
    }
#endif
    start = apr_pcalloc(p, size + SNIV_LINE_SIZE);
    start += SNIV_LINE_SIZE - (apr_uintptr_t)start % SNIV_LINE_SIZE;
    *pstart = start;
    return APR_SUCCESS;
}

static apr_uint64_t exact_key(const sniv_host_t *host)
{
    apr_size_t n = host->len < SNIV_HASHED_MAX ? host->len : SNIV_HASHED_MAX;

    return sniv_host_hash(host, host->len - n, n, 0);
}

static const name_t *find_exact(const sniv_names_t *names,
                                const sniv_host_t *host, apr_uint64_t key)
{
    sniv_cursor_t at;
    apr_uint32_t place;

    for (place = sniv_slots_first(&names->exact, key, &at); place;
         place = sniv_slots_next(&names->exact, &at)) {
        const name_t *name = (const void *)SNIV_AT(names->base, place);

        if (sniv_host_equals(host, NAME_TEXT(name))) {
            return name;
        }
    }
    return NULL;
}

static const name_t *record_of(const sniv_names_t *names, apr_uint32_t rank)
{
    return (const void *)SNIV_AT(names->base, names->places[rank]);
}

/* Write an exact name and make it findable, unless an earlier one is equal. */
static void write_exact(sniv_names_t *names, char *base,
                        const sniv_pattern_t *pattern, apr_uint32_t rank)
{
    name_t *name = (void *)SNIV_AT(base, pattern->place);
    apr_uint64_t key;
    sniv_host_t host;

    name->rank = rank | (pattern->is_glob ? EXACT_GLOB : 0);
    name->value = pattern->value;
    memcpy(name + 1, pattern->text, (apr_size_t)pattern->len + 1);

    sniv_host_init(&host, pattern->text, pattern->len);
    key = exact_key(&host);
    if (!find_exact(names, &host, key)) {
        sniv_slots_insert(&names->exact, key, pattern->place);
    }
}

apr_status_t sniv_names_build(const sniv_names_t **pnames,
                              sniv_names_builder_t *b, apr_pool_t *p)
{
    sniv_pattern_t *patterns = (void *)b->patterns->elts;
    apr_uint32_t count = b->patterns->nelts, nexact = 0, places, i;
    sniv_names_t *names = apr_pcalloc(p, sizeof(*names));
    sniv_globs_plan_t *plan;
    apr_size_t nlines, bytes;
    apr_uint32_t *by_rank;
    apr_pool_t *ptemp;
    apr_status_t rv;
    char *block = NULL, *base;

    if ((rv = apr_pool_create(&ptemp, b->pool)) != APR_SUCCESS) {
        return rv;
    }

    /* First say where everything goes, then write it. */
    places = 1;                     /* place 0 means none */
    for (i = 0; i < count; i++) {
        if (!patterns[i].is_wild) {
            patterns[i].place = places;
            places += SNIV_PLACES(sizeof(name_t) + patterns[i].len + 1);
            nexact++;
        }
    }
    plan = sniv_globs_plan(&names->globs, patterns, count, &places, p, ptemp);
    names->exact.nlines = sniv_slots_lines(nexact);
    names->count = count;

    nlines = (apr_size_t)names->exact.nlines + names->globs.slots.nlines;
    bytes = nlines * SNIV_LINE_SIZE
            + (apr_size_t)count * sizeof(apr_uint32_t)
            + (apr_size_t)places * SNIV_PLACE_UNIT + SNIV_HASHED_MAX;
    if ((rv = block_make(&block, bytes, p)) != APR_SUCCESS) {
        apr_pool_destroy(ptemp);
        return rv;
    }
    names->bytes = bytes + sizeof(*names)
                   + (names->globs.marks ? sizeof(sniv_marks_t) : 0);
    names->exact.lines = (void *)block;
    names->globs.slots.lines = names->exact.lines + names->exact.nlines;
    by_rank = (void *)(block + nlines * SNIV_LINE_SIZE);
    base = (void *)(by_rank + count);
    names->places = by_rank;
    names->base = base;

    for (i = 0; i < count; i++) {
        by_rank[i] = patterns[i].place;
        if (!patterns[i].is_wild) {
            write_exact(names, base, &patterns[i], i);
        }
    }
    sniv_globs_write(plan, &names->globs, patterns, base);
    apr_pool_destroy(ptemp);
    *pnames = names;
    return APR_SUCCESS;
}

int sniv_names_find(const sniv_names_t *names, const char *text,
                    apr_size_t len, sniv_names_hit_t *hit)
{
    sniv_names_hit_t best = { NONE, 0 };
    const name_t *name;
    sniv_host_t host;

    sniv_host_init(&host, text, len);
    name = find_exact(names, &host, exact_key(&host));
    if (name) {
        best.rank = name->rank & SNIV_RANK_MASK;
        best.value = name->value;
    }
    sniv_globs_find(&names->globs, names->base, &host, &best);
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
            const sniv_glob_t *glob = (const void *)name;

            matches = sniv_host_matches(&host, SNIV_GLOB_TEXT(glob),
                                        sniv_glob_len(glob));
        }
        else {
            matches = sniv_host_equals(&host, NAME_TEXT(name));
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
