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


/**
 * @file bench_names.c
 * What a look-up in the name index costs, beside the loop of stock httpd.
 *
 *   bench_names [NAMES]...      default: 10 1000 100000 1000000
 *
 * One line per number of names and mix:
 *   hit        exact names; hosts that are there, in random order
 *   miss       exact names; hosts that look alike and are not there
 *   glob1/3/6  nothing but globs `*.name`; hosts with 1, 3, 6 labels more
 *   globs1%    one pattern in a hundred is a glob; hits, in random order
 *   shapes     10,000 globs of seven shapes among the names; half of the
 *              hosts hit a name, half a glob
 *
 * ns         per look-up, median of the runs. The address of each host
 *            depends on the result before it, so that no look-up overlaps
 *            the next; the hosts stand in a row, because a server has just
 *            read its host and has it in the cache. There are many, because
 *            a processor that has seen a thousand hosts a few times knows
 *            which one comes next, and foresees each branch of each look-up
 * bytes_per_name, overhead   all of it, and what is not text
 * build_s    from the first pattern added to the frozen index
 * loop_ns    the same hosts with the loop over all patterns
 * chase_ns   one dependent random read in a block as large as the index,
 *            in pages of the same kind (chase4k_ns: in pages of 4 KiB),
 *            between the runs: what memory allows
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>

#include "reference.h"
#include "names/names.h"

#define RUNS         9
#define HOSTS_MIN    50000      /* a processor learns the order of fewer */
#define LOOKUPS      300000     /* per run, at least */
#define SHAPED       10000      /* globs of the mix `shapes` */
#define LOOP_SECONDS 0.1        /* or one look-up, if that takes longer */
#define MAP_MIN      (1024 * 1024)  /* as in names/names.c */
#define LINE         64

typedef struct mix_t {
    const char *name;
    int labels;                 /* that stand for a star in a host */
    int every;                  /* one pattern in so many is a glob; 0: none */
    int misses;
    int shapes;
} mix_t;

static const mix_t mixes[] = {
    { "hit", 0, 0, 0, 0 },
    { "miss", 0, 0, 1, 0 },
    { "glob1", 1, 1, 0, 0 },
    { "glob3", 3, 1, 0, 0 },
    { "glob6", 6, 1, 0, 0 },
    { "globs1%", 1, 100, 0, 0 },
    { "shapes", 1, 0, 0, 1 },
};

/* What is looked up, and where. A row of hosts is: a length byte, the host,
 * a NUL, and so on. */
typedef struct subject_t {
    const sniv_names_t *names;
    const reference_t *patterns;
    unsigned char *hosts;
    int npatterns;
    int nhosts;
} subject_t;

/* Seconds of processor time: another process may have the processor too. */
static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return ts.tv_sec + ts.tv_nsec / 1e9;
}

static unsigned int random_below(unsigned int n)
{
    static uint64_t state = 1;
    uint64_t z = (state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (unsigned int)(((z ^ (z >> 31)) >> 32) * n >> 32);
}

static char *random_label(char *to, int min, int max)
{
    int n = min + random_below(max - min + 1);

    while (n--) {
        *to++ = 'a' + random_below(26);
    }
    return to;
}

/* A name such as mass hosting has; the number makes it unique. */
static char *make_name(apr_pool_t *p, int number)
{
    static const char *const ends[] = { "example", "test", "co.example",
                                        "shop.test" };
    char label[32];

    *random_label(label, 4, 10) = '\0';
    return apr_psprintf(p, "%s%s%d.%s", random_below(2) ? "www." : "", label,
                        number, ends[random_below(4)]);
}

static char *make_shape(apr_pool_t *p, int number)
{
    const char *name = make_name(p, number);

    switch (number % 7) {
    case 0:
        return apr_psprintf(p, "*.%s", name);
    case 1:
        return apr_psprintf(p, "*%s", name);
    case 2:
        return apr_psprintf(p, "a%d*.many.example", number);
    case 3:
        return apr_psprintf(p, "w?w.%s", name);
    case 4:
        return apr_psprintf(p, "*.a*.%s", name);
    case 5:
        return apr_psprintf(p, "g%d.*", number);
    default:
        return apr_psprintf(p, "*.m%d.*.example", number);
    }
}

/* Append a host to a row: the pattern, with labels for a star. */
static unsigned char *make_host(unsigned char *row, const char *pattern,
                                int labels)
{
    char *host = (char *)row + 1, *to = host;
    int i;

    for (; *pattern; pattern++) {
        if (*pattern != '*') {
            *to++ = *pattern == '?' ? 'w' : *pattern;
            continue;
        }
        for (i = 0; i < labels; i++) {
            if (i) {
                *to++ = '.';
            }
            to = random_label(to, 1, 8);
        }
    }
    *to = '\0';
    *row = (unsigned char)(to - host);
    return (unsigned char *)to + 1;
}

static int compare_doubles(const void *va, const void *vb)
{
    double a = *(const double *)va, b = *(const double *)vb;

    return a < b ? -1 : a > b;
}

static double median(double *values, int n)
{
    qsort(values, n, sizeof(*values), compare_doubles);
    return values[n / 2];
}

/* Nanoseconds per look-up. */
static double run_index(const subject_t *s, int *hits)
{
    int rounds = 1 + (LOOKUPS - 1) / s->nhosts, i, j, found = 0;
    double start = now();

    for (i = 0; i < rounds; i++) {
        const unsigned char *host = s->hosts;

        for (j = 0; j < s->nhosts; j++) {
            sniv_names_hit_t hit = { 0, 0 };

            found += sniv_names_find(s->names, (const char *)host + 1, *host,
                                     &hit);
            /* No rank has its top bit set, but the processor has to wait. */
            host += *host + 2 + (hit.rank >> 31);
        }
    }
    *hits = found / rounds;
    return (now() - start) * 1e9 / ((double)rounds * s->nhosts);
}

/* The same with the loop, for as many look-ups as there is time. */
static double run_loop(const subject_t *s)
{
    int batch = 1 + 200000 / s->npatterns, i, j = 0;
    const unsigned char *host = s->hosts;
    double start = now(), spent;
    long count = 0;

    do {
        for (i = 0; i < batch; i++) {
            int rank = reference_find(s->patterns, s->npatterns,
                                      (const char *)host + 1, -1);

            host += *host + 2 + ((rank + 1u) >> 31);
            if (++j == s->nhosts) {
                host = s->hosts;
                j = 0;
            }
        }
        count += batch;
        spent = now() - start;
    } while (spent < LOOP_SECONDS);
    return spent * 1e9 / count;
}

/* One random cycle through all cache lines of a block. */
static void **make_chase(size_t size, int huge)
{
    size_t n = size / LINE, i, *order = malloc(n * sizeof(*order));
    char *block = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (block == MAP_FAILED || !order) {
        exit(1);
    }
    madvise(block, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    for (i = 0; i < n; i++) {
        order[i] = i;
    }
    for (i = n - 1; i > 0; i--) {
        size_t j = random_below((unsigned int)i), other = order[j];

        order[j] = order[i];
        order[i] = other;
    }
    for (i = 0; i < n; i++) {
        *(void **)(block + i * LINE) = block + order[i] * LINE;
    }
    free(order);
    return (void **)block;
}

static double run_chase(void *volatile *end_of_chase)
{
    double start = now();
    void **at = *end_of_chase;
    int i;

    for (i = 0; i < LOOKUPS; i++) {
        at = *at;
    }
    *end_of_chase = at;
    return (now() - start) * 1e9 / LOOKUPS;
}

/* The patterns of a mix, and hosts for them. */
static size_t make_subject(subject_t *s, const mix_t *mix, int n,
                           apr_pool_t *p)
{
    int total = mix->shapes ? n + SHAPED : n, shaped = 0, i;
    reference_t *patterns = apr_palloc(p, total * sizeof(*patterns));
    unsigned char *row;
    size_t text = 0;

    for (i = 0; i < total; i++) {
        /* The shapes are spread evenly among the names. */
        patterns[i].is_glob = mix->shapes
            ? (apr_int64_t)shaped * total <= (apr_int64_t)i * SHAPED
            : mix->every && i % mix->every == 0;
        patterns[i].text =
            mix->shapes && patterns[i].is_glob ? make_shape(p, shaped++)
            : patterns[i].is_glob ? apr_pstrcat(p, "*.", make_name(p, i),
                                                NULL)
            : make_name(p, i);
        text += strlen(patterns[i].text);
    }
    s->patterns = patterns;
    s->npatterns = total;

    s->nhosts = total < HOSTS_MIN ? HOSTS_MIN : total;
    row = s->hosts = malloc((size_t)s->nhosts * 160);
    for (i = 0; i < s->nhosts; i++) {
        int rank = random_below(total);

        if (mix->shapes && i % 2) {
            while (!patterns[rank].is_glob) {
                rank = rank + 1 < total ? rank + 1 : 0;
            }
        }
        row = make_host(row, mix->misses ? make_name(p, n + i)
                                         : patterns[rank].text, mix->labels);
    }
    return text;
}

static void measure(int n, const mix_t *mix)
{
    double index_ns[RUNS], chase_ns[RUNS], chase4k_ns[RUNS], loop_ns, build_s;
    sniv_names_builder_t *b;
    void *volatile chase, *volatile chase4k;
    apr_pool_t *p;
    subject_t s;
    size_t text, size;
    int i, hits;

    apr_pool_create(&p, NULL);
    text = make_subject(&s, mix, n, p);

    build_s = now();
    b = sniv_names_builder_make(p, 0);
    for (i = 0; i < s.npatterns; i++) {
        sniv_names_add(b, s.patterns[i].text, s.patterns[i].is_glob, i);
    }
    if (sniv_names_build(&s.names, b, p) != APR_SUCCESS) {
        exit(1);
    }
    build_s = now() - build_s;

    size = sniv_names_bytes(s.names);
    chase = make_chase(size, size >= MAP_MIN);
    chase4k = make_chase(size, 0);
    for (i = 0; i < RUNS; i++) {
        index_ns[i] = run_index(&s, &hits);
        chase_ns[i] = run_chase(&chase);
        chase4k_ns[i] = run_chase(&chase4k);
    }
    loop_ns = run_loop(&s);

    printf("names=%d mix=%s ns=%.1f bytes_per_name=%.1f overhead=%.1f "
           "build_s=%.3f loop_ns=%.1f chase_ns=%.1f chase4k_ns=%.1f "
           "hits=%.1f%%\n", n, mix->name, median(index_ns, RUNS),
           (double)size / s.npatterns, (double)(size - text) / s.npatterns,
           build_s, loop_ns, median(chase_ns, RUNS),
           median(chase4k_ns, RUNS), 100.0 * hits / s.nhosts);
    fflush(stdout);
    free(s.hosts);
    apr_pool_destroy(p);
}

int main(int argc, char **argv)
{
    static const int sizes[] = { 10, 1000, 100000, 1000000 };
    int nsizes = argc > 1 ? argc - 1 : 4, i;
    size_t j;

    apr_initialize();
    for (i = 0; i < nsizes; i++) {
        for (j = 0; j < sizeof(mixes) / sizeof(*mixes); j++) {
            measure(argc > 1 ? atoi(argv[i + 1]) : sizes[i], &mixes[j]);
        }
    }
    apr_terminate();
    return 0;
}
