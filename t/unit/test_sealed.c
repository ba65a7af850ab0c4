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

/* sniv_shm: memory that the parent writes and children read. */

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <apr_general.h>

#include "stop.h"
#include "certs/sealed.h"

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

static void pattern(unsigned char *bytes, size_t *len, unsigned n)
{
    *len = 100 + n * 37 % 900;
    memset(bytes, (int)(n & 0xff), *len);
    memcpy(bytes, &n, sizeof(n));
}

static int is_whole(const unsigned char *bytes, size_t len,
                    apr_uint64_t version)
{
    unsigned char expected[2000];
    unsigned n;
    size_t expected_len;

    memcpy(&n, bytes, sizeof(n));
    pattern(expected, &expected_len, n);
    return n == (unsigned)version && len == expected_len
           && memcmp(bytes, expected, len) == 0;
}

static void *read_slot(void *data)
{
    const sniv_shm_t *shm = data;
    unsigned char *bytes;
    apr_size_t len;
    apr_uint64_t version, last = 0;
    long n = 0;

    while (!stop_was_asked() || n == 0) {
        apr_status_t rv = sniv_shm_get(shm, 3, &bytes, &len, &version);

        if (rv == APR_EAGAIN)
            continue;                   /* the writer does nothing else */
        if (rv != APR_SUCCESS || !is_whole(bytes, len, version)
            || version < last) {
            return (void *)-1L;
        }
        last = version;
        free(bytes);
        n++;
    }
    return (void *)n;
}

/* Two threads of a child that read until SIGTERM. */
static pid_t fork_readers(const sniv_shm_t *shm)
{
    pthread_t threads[2];
    void *result;
    int i, status = 0;
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    stop_on_signal();
    for (i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, read_slot, (void *)shm);
    for (i = 0; i < 2; i++) {
        pthread_join(threads[i], &result);
        if ((long)result <= 0)
            status = 1;
    }
    _exit(status);
}

static void test_torn_reads(void **state)
{
    sniv_shm_t *shm;
    unsigned char bytes[2000];
    apr_uint64_t used, room;
    size_t len;
    unsigned n;
    int status;
    pid_t pid;

    (void)state;
    assert_int_equal(sniv_shm_make(&shm, 8, 0, 0, pool), APR_SUCCESS);
    assert_true(sniv_shm_is_shared(shm));
    pattern(bytes, &len, 1);
    sniv_shm_put(shm, 3, bytes, len, 1);
    pid = fork_readers(shm);
    for (n = 2; n < 200000; n++) {
        pattern(bytes, &len, n);
        assert_int_equal(sniv_shm_put(shm, 3, bytes, len, n), APR_SUCCESS);
    }
    kill(pid, SIGTERM);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    /* one slot is in use, however often it was written to */
    sniv_shm_usage(shm, &used, &room);
    assert_true(used <= 1024);
    sniv_shm_drop(shm, 3);
    sniv_shm_usage(shm, &used, &room);
    assert_int_equal(used, 0);
    assert_null(sniv_shm_peek(shm, 3, &len, NULL));
}

static void test_full(void **state)
{
    sniv_shm_t *shm;
    static unsigned char big[300000];
    apr_size_t len;
    unsigned char *copy;
    apr_uint64_t version;
    unsigned i;
    apr_status_t rv = APR_SUCCESS;

    (void)state;
    assert_int_equal(sniv_shm_make(&shm, 8, 0, 0, pool), APR_SUCCESS);
    for (i = 0; i < 8 && rv == APR_SUCCESS; i++) {
        big[0] = (unsigned char)i;
        rv = sniv_shm_put(shm, i, big, sizeof(big), 1);
    }
    assert_int_equal(rv, APR_ENOSPC);
    /* a slot that could not be replaced is as it was */
    big[0] = 99;
    assert_int_equal(sniv_shm_put(shm, 0, big, sizeof(big), 2), APR_ENOSPC);
    assert_int_equal(sniv_shm_get(shm, 0, &copy, &len, &version),
                     APR_SUCCESS);
    assert_int_equal(copy[0], 0);
    assert_int_equal(version, 1);
    free(copy);
    assert_int_equal(sniv_shm_put(shm, 99, big, 10, 2), APR_EINVAL);
    assert_int_equal(sniv_shm_get(shm, 99, &copy, &len, &version),
                     APR_NOTFOUND);
}

static void *page_of(const void *at)
{
    return (void *)((uintptr_t)at & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1));
}

/* Whether a child has no memory that is not for children. qemu-user takes
 * MADV_DONTFORK and does nothing. */
static int leaves_out(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int status = -1;
    pid_t pid;

    assert_true(page != MAP_FAILED);
    assert_int_equal(madvise(page, size, MADV_DONTFORK), 0);
    pid = fork();
    if (pid == 0) {
        unsigned char there;

        _exit(mincore(page, 1, &there) == 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    munmap(page, size);
    return status == 0;
}

/* What a child that is taken over may try; 0: it got nowhere. */
static int attack(const unsigned char *ro, const unsigned char *rw)
{
    char path[64], line[512];
    int fd, ends[2], count = 0;
    FILE *maps;

    if (mprotect(page_of(ro), 1, PROT_READ | PROT_WRITE) == 0)
        return 1;
    /* the writable mapping is not there */
    if (pipe(ends) != 0 || write(ends[1], rw, 1) == 1)
        return 2;
    fd = open("/proc/self/mem", O_RDWR);
    if (fd >= 0 && pwrite(fd, "x", 1, (off_t)(uintptr_t)ro) == 1)
        return 3;
    maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof(line), maps)) {
        if (strstr(line, "memfd:snivhost")) {
            count++;
            if (!strstr(line, " r--s "))
                return 4;
        }
    }
    if (count != 1)
        return 5;
    for (fd = 3; fd < 64; fd++) {
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        n = readlink(path, line, sizeof(line) - 1);
        if (n > 0 && (line[n] = '\0', strstr(line, "snivhost")))
            return 6;
    }
    return 0;
}

static void test_sealed(void **state)
{
    sniv_shm_t *shm;
    const unsigned char *rw;
    sniv_shm_look_t look;
    apr_size_t len;
    int status;
    pid_t pid;

    (void)state;
    if (!leaves_out())
        skip();
    assert_int_equal(sniv_shm_make(&shm, 8, 0, 0, pool), APR_SUCCESS);
    sniv_shm_put(shm, 0, "secret", 7, 1);
    rw = sniv_shm_peek(shm, 0, &len, NULL);
    assert_int_equal(sniv_shm_look(&look, shm, 0), APR_SUCCESS);
    assert_true(rw != look.block);
    assert_string_equal((const char *)look.block, "secret");
    pid = fork();
    if (pid == 0)
        _exit(attack(look.block, rw));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    /* and in a child nobody writes by mistake */
    pid = fork();
    if (pid == 0)
        _exit(sniv_shm_put(shm, 1, "x", 1, 1) != APR_EINVAL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    sniv_shm_put(shm, 0, "wiped?", 7, 2);
    assert_int_equal(rw[0], 0);
}

/* Processes of other modules, forked while the server is being configured,
 * have nothing of it: the memory is not there. */
static void test_hidden(void **state)
{
    sniv_shm_t *shm;
    sniv_shm_look_t look;
    int status;
    pid_t pid;

    (void)state;
    if (!leaves_out())
        skip();
    assert_int_equal(sniv_shm_make(&shm, 8, 0, SNIV_SHM_HIDDEN, pool),
                     APR_SUCCESS);
    sniv_shm_put(shm, 0, "secret", 7, 1);
    assert_int_equal(sniv_shm_look(&look, shm, 0), APR_SUCCESS);
    pid = fork();
    if (pid == 0) {
        unsigned char there;

        /* ENOMEM: nothing is mapped at this address */
        _exit(mincore(page_of(look.block), 1, &there) == 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);

    sniv_shm_publish(shm);
    sniv_shm_put(shm, 1, "later", 6, 1);
    pid = fork();
    if (pid == 0)
        _exit(strcmp((const char *)look.block, "secret") != 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_torn_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sealed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hidden, setup, teardown)
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return failed;
}
