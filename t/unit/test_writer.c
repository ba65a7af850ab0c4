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

/* sniv_shm: another process goes on where a writer was killed. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <apr_general.h>

#include "certs/sealed.h"

#define SLOTS 16
#define ROUNDS 200

/* Instructions from one try to the next: a sanitizer has many more of them. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STEP 997
#else
#define STEP 7
#endif

static apr_pool_t *pool;

static int setup(void **state)
{
    (void)state;
    apr_pool_create(&pool, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    return 0;
}

/* Bytes that show to which slot and version they belong. */
static void fill(unsigned char *bytes, size_t len, unsigned slot,
                 apr_uint64_t version)
{
    size_t i;

    for (i = 0; i < len; i++)
        bytes[i] = (unsigned char)(1 + (slot * 31 + version * 7 + i) % 255);
}

static size_t length(unsigned slot, apr_uint64_t version)
{
    return slot == 0 ? 70000 + version % 30000      /* as the index */
                     : 50 + (slot * 131 + version * 17) % 5000;
}

/* A writer without end. */
static void write_on(sniv_shm_t *shm, int is_first)
{
    static unsigned char bytes[200000];
    apr_uint64_t version;
    unsigned slot;

    if (!is_first && sniv_shm_take_over(shm) != APR_SUCCESS)
        _exit(1);
    srand((unsigned)getpid());
    for (version = sniv_shm_newest(shm) + 1;; version++) {
        slot = (unsigned)rand() % SLOTS;
        if (rand() % 4 == 0) {
            sniv_shm_drop(shm, slot);
            continue;
        }
        fill(bytes, length(slot, version), slot, version);
        if (sniv_shm_put(shm, slot, bytes, length(slot, version), version)
            != APR_SUCCESS)
            _exit(2);
    }
}

static void check_slots(const sniv_shm_t *shm)
{
    static unsigned char expected[200000];
    unsigned char *bytes;
    apr_size_t len;
    apr_uint64_t version, used, room, sum = 0;
    unsigned slot, n = 0;
    apr_status_t rv;

    for (slot = 0; slot < SLOTS; slot++) {
        rv = sniv_shm_get(shm, slot, &bytes, &len, &version);
        if (rv == APR_NOTFOUND)
            continue;
        assert_int_equal(rv, APR_SUCCESS);
        assert_int_equal(len, length(slot, version));
        assert_true(version <= sniv_shm_newest(shm));
        fill(expected, len, slot, version);
        assert_memory_equal(bytes, expected, len);
        free(bytes);
        n++;
        sum += (len + 63) / 64 * 64;
    }
    sniv_shm_usage(shm, &used, &room);
    assert_int_equal(used, sum);
    assert_int_equal(sniv_shm_count(shm, 0, SLOTS), n);
}

/* What no slot points to is zero. */
static int free_is_wiped(sniv_shm_t *shm)
{
    static unsigned char is_used[8 * 1024 * 1024 / 64];
    const unsigned char *front, *back;
    sniv_shm_look_t look;
    apr_uint64_t used, room;
    apr_size_t i, len;
    unsigned slot;

    if (sniv_shm_take_over(shm) != APR_SUCCESS)
        return 1;
    sniv_shm_usage(shm, &used, &room);
    if (used == 0)
        return 0;
    /* the least and the largest address that a block has */
    front = back = NULL;
    for (slot = 0; slot < SLOTS; slot++) {
        const unsigned char *block = sniv_shm_peek(shm, slot, &len, NULL);

        if (!block)
            continue;
        if (!front || block < front)
            front = block;
        if (!back || block + len > back)
            back = block + len;
    }
    for (slot = 0; slot < SLOTS; slot++) {
        if (sniv_shm_look(&look, shm, slot) == APR_SUCCESS) {
            const unsigned char *block = sniv_shm_peek(shm, slot, &len, NULL);

            for (i = 0; i < len; i += 64)
                is_used[(size_t)(block - front + (ptrdiff_t)i) / 64] = 1;
        }
    }
    for (i = 0; i < (apr_size_t)(back - front); i++) {
        if (!is_used[i / 64] && front[i])
            return 2;
    }
    return 0;
}

static void pause_randomly(void)
{
    struct timespec t = { 0, 1000 * (1 + rand() % 3000) };

    nanosleep(&t, NULL);
}

static void test_killed(void **state)
{
    sniv_shm_t *shm;
    int i, status;
    pid_t pid;

    (void)state;
    assert_int_equal(sniv_shm_make(&shm, SLOTS, 4 * 1024 * 1024, 0, pool),
                     APR_SUCCESS);
    srand(1);
    for (i = 0; i < ROUNDS; i++) {
        pid = sniv_shm_fork(shm);
        assert_true(pid >= 0);
        if (pid == 0)
            write_on(shm, i == 0);
        pause_randomly();
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));

        pid = sniv_shm_fork(shm);
        if (pid == 0)
            _exit(free_is_wiped(shm));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        check_slots(shm);
    }
}

/* Put once, and be killed at the n-th instruction. @return 0: was done */
static int killed_at(sniv_shm_t *shm, unsigned n, apr_uint64_t version)
{
    unsigned char bytes[200];
    int status = 0, is_traced;
    unsigned i;
    pid_t pid = sniv_shm_fork(shm);

    assert_true(pid >= 0);
    if (pid == 0) {
        if (sniv_shm_take_over(shm) != APR_SUCCESS)
            _exit(1);
        fill(bytes, sizeof(bytes), 1, version);
        is_traced = ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
        if (!is_traced)
            _exit(3);
        raise(SIGSTOP);
        _exit(sniv_shm_put(shm, 1, bytes, sizeof(bytes), version) ? 1 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    for (i = 0; i < n && WIFSTOPPED(status); i++) {
        ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL);
        waitpid(pid, &status, 0);
    }
    if (WIFSTOPPED(status)) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        return 1;
    }
    assert_int_not_equal(WEXITSTATUS(status), 1);
    return 0;
}

/* At every few instructions of a switch: the slot has the old or the new. */
static void test_every_instruction(void **state)
{
    sniv_shm_t *shm;
    unsigned char bytes[200], *found;
    apr_size_t len;
    apr_uint64_t version, used, room, done = 1;
    unsigned n = 1;
    int status;
    pid_t pid;

    (void)state;
    assert_int_equal(sniv_shm_make(&shm, SLOTS, 0, 0, pool), APR_SUCCESS);
    fill(bytes, sizeof(bytes), 1, done);
    sniv_shm_put(shm, 1, bytes, sizeof(bytes), done);
    while (killed_at(shm, n, done + 1)) {
        pid = sniv_shm_fork(shm);
        if (pid == 0)
            _exit(free_is_wiped(shm));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(sniv_shm_get(shm, 1, &found, &len, &version),
                         APR_SUCCESS);
        assert_true(version == done || version == done + 1);
        fill(bytes, sizeof(bytes), 1, version);
        assert_int_equal(len, sizeof(bytes));
        assert_memory_equal(found, bytes, len);
        free(found);
        sniv_shm_usage(shm, &used, &room);
        assert_int_equal(used, 256);
        done = version;
        n += STEP;
    }
    /* or this system lets nobody trace */
    if (n > 1)
        assert_true(done > 1);
}

static void test_one_writer(void **state)
{
    sniv_shm_t *shm;
    unsigned char *bytes;
    apr_size_t len;
    apr_uint64_t version;
    int status;
    pid_t pid;

    (void)state;
    assert_int_equal(sniv_shm_make(&shm, SLOTS, 0, SNIV_SHM_HIDDEN, pool),
                     APR_SUCCESS);
    assert_int_equal(sniv_shm_put(shm, 0, "old", 4, 1), APR_SUCCESS);
    sniv_shm_publish(shm);
    pid = sniv_shm_fork(shm);
    if (pid == 0) {
        pid_t other;

        if (sniv_shm_put(shm, 0, "new", 4, 2) != APR_SUCCESS)
            _exit(1);
        /* what the writer forks has no writable memory */
        other = fork();
        if (other == 0) {
            volatile char *rw;

            rw = (volatile char *)(uintptr_t)sniv_shm_peek(shm, 0, &len,
                                                           NULL);
            _exit(rw != NULL);
        }
        _exit(waitpid(other, &status, 0) != other || status != 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    /* the parent reads what was written, and writes no more */
    assert_int_equal(sniv_shm_get(shm, 0, &bytes, &len, &version),
                     APR_SUCCESS);
    assert_string_equal((char *)bytes, "new");
    free(bytes);
    assert_int_equal(sniv_shm_put(shm, 1, "x", 1, 3), APR_EINVAL);
    assert_int_equal(sniv_shm_take_over(shm), APR_EINVAL);

    /* and private memory is nobody else's */
    assert_int_equal(sniv_shm_make(&shm, SLOTS, 0, SNIV_SHM_PRIVATE, pool),
                     APR_SUCCESS);
    assert_int_equal(sniv_shm_fork(shm), -1);
    assert_int_equal(sniv_shm_put(shm, 1, "x", 1, 3), APR_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_instruction, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_one_writer, setup, teardown)
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return failed;
}
