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

/*
 * Fuzz target: a folder of certificates. Each line of the input is a file: a
 * letter says what is in it, the rest is its name. What is found has to be
 * there, once, and a certificate must have its own key.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "certs/layout.h"
#include "certs/reader.h"
#include "pems.h"

#define CHECK(what) \
    do { \
        if (!(what)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what); \
            abort(); \
        } \
    } while (0)

#define FILES_MAX 24

/* What files hold: leaf, key, issuer of a; the same of b; all of a. */
static char *contents[7];
static char dir[64];
static apr_pool_t *all;
static sniv_reader_t *reader;

/* One folder. */
typedef struct run_t {
    char names[FILES_MAX][64];
    int is_folder[FILES_MAX];
    int is_cert[FILES_MAX];
    int n;
} run_t;

static void make_all(void)
{
    pems_want_t want = { PEMS_EC, NULL, 0, 0, NULL, "ca", 1, 0 };
    static char both[16384];
    pems_t ca, leaf;
    int i;

    for (i = 0; i < 2; i++) {
        memset(&want, 0, sizeof(want));
        want.common_name = i ? "ca b" : "ca a";
        want.is_ca = 1;
        pems_make(&ca, &want);
        want.issuer = &ca;
        want.is_ca = 0;
        want.common_name = want.names = i ? "DNS:b.test" : "DNS:a.test";
        pems_make(&leaf, &want);
        contents[3 * i] = pems_cert(&leaf);
        contents[3 * i + 1] = pems_key(&leaf, PEMS_PKCS8);
        contents[3 * i + 2] = pems_cert(&ca);
        pems_free(&ca);
        pems_free(&leaf);
    }
    snprintf(both, sizeof(both), "%s%s%s", contents[0], contents[1],
             contents[2]);
    contents[6] = both;
}

static void set_up(void)
{
    const char *tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

    snprintf(dir, sizeof(dir), "%s/sniv_fuzz_XXXXXX", tmp);
    CHECK(mkdtemp(dir));
    apr_initialize();
    apr_pool_create(&all, NULL);
    reader = sniv_reader_make(all);
    make_all();
}

static int place_of(const run_t *run, const char *path)
{
    size_t len = strlen(dir);
    int i;

    CHECK(strncmp(path, dir, len) == 0 && path[len] == '/');
    for (i = 0; i < run->n; i++) {
        if (strcmp(run->names[i], path + len + 1) == 0)
            return i;
    }
    abort();
}

static void visit_pair(void *baton, const char *cert, const char *key,
                       const char *chain)
{
    run_t *run = baton;
    sniv_cert_files_t files;
    const char *file, *reason;
    sniv_entry_t entry;
    int at = place_of(run, cert);

    CHECK(!run->is_folder[at] && !run->is_cert[at]++);
    CHECK(!key || (strcmp(key, cert) && !run->is_folder[place_of(run, key)]));
    CHECK(!chain || !run->is_folder[place_of(run, chain)]);
    memset(&files, 0, sizeof(files));
    files.certs = &cert;
    files.ncerts = 1;
    files.keys = &key;
    files.nkeys = 1;
    files.chain = chain;
    files.level = 1;
    if (sniv_reader_read(reader, &files, SNIV_READ_ANY_ORDER
                         | SNIV_READ_NAMED, &entry, NULL, &file, &reason)
        != APR_SUCCESS) {
        (void)place_of(run, file);
        CHECK(reason && *reason);
        return;
    }
    {
        sniv_live_t live;

        entry.pairs[0].chain.len = 0;
        CHECK(!sniv_live_decode(&live, &entry, 0));
        sniv_live_free(&live);
    }
}

static void visit_folder(void *baton, const char *path)
{
    run_t *run = baton;

    CHECK(run->is_folder[place_of(run, path)]);
}

static void visit_passed(void *baton, const char *first, int n)
{
    run_t *run = baton;

    CHECK(n >= 0 && n <= run->n && (n > 0) == (first != NULL));
    if (first)
        CHECK(!run->is_folder[place_of(run, first)]);
}

/* A line of the input. */
static void add_file(run_t *run, const char *line, size_t len)
{
    char path[160];
    const char *text;
    FILE *out;

    if (run->n == FILES_MAX || len < 2 || len > 60 || line[1] == '.'
        || memchr(line, '/', len) || memchr(line, '\0', len)) {
        return;
    }
    snprintf(run->names[run->n], sizeof(run->names[0]), "%.*s", (int)len - 1,
             line + 1);
    snprintf(path, sizeof(path), "%s/%s", dir, run->names[run->n]);
    if (access(path, F_OK) == 0)
        return;
    run->is_folder[run->n] = line[0] == 'd';
    run->n++;
    if (line[0] == 'd') {
        CHECK(mkdir(path, 0700) == 0);
        return;
    }
    text = line[0] >= '0' && line[0] < '7' ? contents[line[0] - '0']
                                           : run->names[run->n - 1];
    out = fopen(path, "wb");
    CHECK(out && fputs(text, out) >= 0 && fclose(out) == 0);
}

/* The reader lies in a pool that may come from mmap(), where LeakSanitizer does
 * not look for pointers; t/unit/test_layout looks for leaks. */
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sniv_folder_visitor_t visitor;
    const char *line = (const char *)data, *end = line + size, *stop;
    char path[160];
    apr_pool_t *p;
    run_t run;
    int i;

    if (!all)
        set_up();
    memset(&run, 0, sizeof(run));
    CHECK(mkdir(dir, 0700) == 0 || access(dir, W_OK) == 0);
    for (; line < end; line = stop + 1) {
        stop = memchr(line, '\n', (size_t)(end - line));
        stop = stop ? stop : end;
        add_file(&run, line, (size_t)(stop - line));
    }
    memset(&visitor, 0, sizeof(visitor));
    visitor.pair = visit_pair;
    visitor.folder = visit_folder;
    visitor.passed = visit_passed;
    visitor.baton = &run;
    apr_pool_create(&p, all);
    CHECK(sniv_folder_visit(dir, &visitor, p) == APR_SUCCESS);
    apr_pool_destroy(p);
    for (i = 0; i < run.n; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, run.names[i]);
        CHECK(remove(path) == 0);
    }
    CHECK(rmdir(dir) == 0);
    return 0;
}
