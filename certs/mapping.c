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

#ifndef _GNU_SOURCE
#define _GNU_SOURCE     /* memfd_create() */
#endif

#include "certs/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* glibc 2.36 has it, kernels since 5.1, and older headers do not say */
#if defined(__linux__) && !defined(F_SEAL_FUTURE_WRITE)
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

#if defined(__linux__) && defined(MFD_ALLOW_SEALING) && defined(F_ADD_SEALS) \
    && defined(MADV_DONTFORK) && defined(MADV_DONTDUMP) \
    && defined(__ATOMIC_SEQ_CST)
#define HAVE_SEALS 1
#else
#define HAVE_SEALS 0
#endif

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

#if HAVE_SEALS
/* Whether a file may grow to a size: too large raises SIGXFSZ, not an error */
static int may_be_large(apr_size_t size)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) == 0
           && (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= size);
}
#endif

int sniv_mapping_sealed(sniv_mapping_t *map, apr_size_t size)
{
#if HAVE_SEALS
    void *rw = MAP_FAILED, *ro = MAP_FAILED;
    int fd;

    if (!may_be_large(size)) {
        return 0;
    }
    fd = memfd_create("snivhost", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        return 0;
    }
    /* the order matters: after the seal nothing can be mapped writable */
    if (ftruncate(fd, (off_t)size) == 0) {
        rw = mmap(NULL, size, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_NORESERVE, fd, 0);
    }
    if (rw != MAP_FAILED
        && madvise(rw, size, MADV_DONTFORK) == 0
        && madvise(rw, size, MADV_DONTDUMP) == 0
        && fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK
                                  | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
        ro = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
    }
    close(fd);
    if (ro == MAP_FAILED) {
        if (rw != MAP_FAILED) {
            munmap(rw, size);
        }
        return 0;
    }
    madvise(ro, size, MADV_DONTDUMP);
    map->rw = rw;
    map->ro = ro;
    map->size = size;
    map->is_shared = 1;
    return 1;
#else
    (void)map;
    (void)size;
    return 0;
#endif
}

int sniv_mapping_private(sniv_mapping_t *map, apr_size_t size)
{
    void *rw = mmap(NULL, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (rw == MAP_FAILED) {
        return 0;
    }
#ifdef MADV_DONTDUMP
    madvise(rw, size, MADV_DONTDUMP);
#endif
    map->rw = rw;
    map->ro = rw;
    map->size = size;
    map->is_shared = 0;
    return 1;
}

void sniv_mapping_inherit(const sniv_mapping_t *map, int is_inherited)
{
    void *ro = (void *)(apr_uintptr_t)map->ro;

#if defined(MADV_DONTFORK) && defined(MADV_DOFORK)
    madvise(ro, map->size, is_inherited ? MADV_DOFORK : MADV_DONTFORK);
#elif defined(INHERIT_NONE) && defined(INHERIT_COPY)
    minherit(ro, map->size, is_inherited ? INHERIT_COPY : INHERIT_NONE);
#else
    (void)ro;
    (void)is_inherited;
#endif
}

void sniv_mapping_end(sniv_mapping_t *map)
{
    if (map->ro && map->ro != map->rw) {
        munmap((void *)(apr_uintptr_t)map->ro, map->size);
    }
    if (map->rw) {
        munmap(map->rw, map->size);
    }
    map->rw = NULL;
    map->ro = NULL;
}

int sniv_mapping_has(const sniv_mapping_t *map, apr_uint64_t offset,
                     apr_size_t len)
{
#if HAVE_SEALS
    /* 64 KB on some machines; what begins elsewhere is EINVAL, too */
    const apr_uint64_t page = (apr_uint64_t)sysconf(_SC_PAGESIZE);
    const apr_uint64_t first = offset / page * page;

    return !map->is_shared
           || madvise(map->rw + first, (size_t)(offset + len - first),
                      MADV_POPULATE_WRITE) == 0
           || errno == EINVAL;  /* Linux before 5.14 */
#else
    (void)map;
    (void)offset;
    (void)len;
    return 1;
#endif
}

pid_t sniv_mapping_fork(const sniv_mapping_t *map)
{
#if HAVE_SEALS && defined(MADV_DOFORK)
    pid_t pid = -1;

    if (madvise(map->rw, map->size, MADV_DOFORK) == 0) {
        pid = fork();
        (void)madvise(map->rw, map->size, MADV_DONTFORK);
    }
    return pid;
#else
    (void)map;
    errno = ENOSYS;
    return -1;
#endif
}
