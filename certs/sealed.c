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

#include "certs/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <openssl/crypto.h>

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

/*
 * All shared words are read and written through these: a reader may meet a
 * writer, and only the sequence number tells. Without them memory is private
 * (HAVE_SEALS), and nobody meets anybody.
 */
#ifdef __ATOMIC_SEQ_CST
#define LOAD(p)         __atomic_load_n((p), __ATOMIC_RELAXED)
#define LOAD_FIRST(p)   __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define STORE(p, v)     __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define FENCE()         __atomic_thread_fence(__ATOMIC_SEQ_CST)
#else
#define LOAD(p)         (*(p))
#define LOAD_FIRST(p)   (*(p))
#define STORE(p, v)     (*(p) = (v))
#define FENCE()         ((void)0)
#endif

#define GRANULE 64              /* blocks begin and end at multiples of it */
#define PAGE 4096u              /* or a part of one */
#define MIN_ROOM (1024 * 1024)
/* A writer's window is some nanoseconds, but on a busy machine it may lose its
 * processor in it: so many attempts at once, then to others' benefit, then
 * asleep for a millisecond each. */
#define TRIES_BUSY  100
#define TRIES_YIELD 1000
#define TRIES       1300
#define TRIES_COPY  10000       /* that many changes in a row? never */

#define LARGE (64 * 1024)       /* such blocks lie at the other end */

/* Memory that is free. */
typedef struct extent_t {
    apr_uint64_t offset;
    apr_uint64_t size;
} extent_t;

typedef struct slot_t {
    apr_uint32_t seq;           /* odd: being changed */
    apr_uint32_t pad;
    apr_uint64_t offset;        /* of the block; 0: empty */
    apr_uint64_t len;
    apr_uint64_t version;
} slot_t;

struct sniv_shm_t {
    unsigned char *rw;          /* NULL in a child */
    const unsigned char *ro;
    apr_size_t size;            /* of the whole mapping */
    apr_uint32_t nslots;
    int is_shared;
    pid_t owner;
    /* the writer's book-keeping, never in the shared memory */
    apr_uint64_t used;
    extent_t *free;             /* by offset, none touches the next */
    apr_size_t nfree, rfree;
};

static slot_t *slots_of(const unsigned char *base)
{
    return (slot_t *)(void *)(apr_uintptr_t)(base + GRANULE);
}

static int is_owner(const sniv_shm_t *shm)
{
    return shm->rw && shm->owner == getpid();
}

static apr_uint64_t block_size(apr_size_t len)
{
    return ((apr_uint64_t)len + GRANULE - 1) / GRANULE * GRANULE;
}

/*
 * Small blocks are taken from the front, large ones (the index of names, which
 * is written anew as a whole) from the back, so that many small ones that come
 * and go do not leave a large one without room.
 */
static apr_uint64_t take_block(sniv_shm_t *shm, apr_size_t len)
{
    apr_uint64_t size = block_size(len), offset;
    apr_size_t i, n = shm->nfree;
    extent_t *from = NULL;

    for (i = 0; i < n && !from; i++) {
        extent_t *one = &shm->free[len < LARGE ? i : n - 1 - i];

        if (one->size >= size) {
            from = one;
        }
    }
    if (!from) {
        return 0;
    }
    from->size -= size;
    offset = from->offset + from->size;
    if (len < LARGE) {
        offset = from->offset;
        from->offset += size;
    }
    if (from->size == 0) {
        i = (apr_size_t)(from - shm->free);
        memmove(from, from + 1, (--shm->nfree - i) * sizeof(*from));
    }
    shm->used += size;
    return offset;
}

/* The first free extent behind an offset. */
static apr_size_t extent_behind(const sniv_shm_t *shm, apr_uint64_t offset)
{
    apr_size_t low = 0, high = shm->nfree;

    while (low < high) {
        apr_size_t middle = low + (high - low) / 2;

        if (shm->free[middle].offset < offset) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    return low;
}

static int room_for_extent(sniv_shm_t *shm)
{
    apr_size_t room = shm->rfree ? shm->rfree * 2 : 16;
    extent_t *list;

    if (shm->nfree < shm->rfree) {
        return 1;
    }
    list = realloc(shm->free, room * sizeof(*list));
    if (!list) {
        return 0;
    }
    shm->free = list;
    shm->rfree = room;
    return 1;
}

/* Note memory as free, and join it with what is free beside it. */
static void give_extent(sniv_shm_t *shm, apr_uint64_t offset,
                        apr_uint64_t size)
{
    apr_size_t i = extent_behind(shm, offset);
    extent_t *before = i > 0 ? &shm->free[i - 1] : NULL;
    extent_t *behind = i < shm->nfree ? &shm->free[i] : NULL;

    if (before && before->offset + before->size == offset) {
        before->size += size;
        if (behind && offset + size == behind->offset) {
            before->size += behind->size;
            memmove(behind, behind + 1,
                    (--shm->nfree - i) * sizeof(*behind));
        }
    }
    else if (behind && offset + size == behind->offset) {
        behind->offset = offset;
        behind->size += size;
    }
    else if (room_for_extent(shm)) {
        memmove(&shm->free[i + 1], &shm->free[i],
                (shm->nfree++ - i) * sizeof(*behind));
        shm->free[i].offset = offset;
        shm->free[i].size = size;
    }
    /* else wiped, and lost until the next restart */
}

/* Wipe the blocks that are in use: all that lies between what is free. */
static void wipe_used(sniv_shm_t *shm)
{
    apr_uint64_t at = GRANULE, end;
    apr_size_t i;

    for (i = 0; i <= shm->nfree; i++) {
        end = i < shm->nfree ? shm->free[i].offset : shm->size;
        OPENSSL_cleanse(shm->rw + at, (apr_size_t)(end - at));
        at = i < shm->nfree ? end + shm->free[i].size : end;
    }
}

static apr_status_t destroy(void *data)
{
    sniv_shm_t *shm = data;

    if (!is_owner(shm)) {
        return APR_SUCCESS;
    }
    if (shm->is_shared) {
        munmap((void *)(apr_uintptr_t)shm->ro, shm->size);
    }
    else {
        wipe_used(shm);
    }
    free(shm->free);
    munmap(shm->rw, shm->size);
    shm->rw = NULL;
    shm->ro = NULL;
    return APR_SUCCESS;
}

#if HAVE_SEALS
/* Whether a file may grow to a size: too large raises SIGXFSZ, not an error */
static int may_be_large(apr_size_t size)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) == 0
           && (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= size);
}

static int map_sealed(sniv_shm_t *shm, apr_size_t size)
{
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
    shm->rw = rw;
    shm->ro = ro;
    shm->is_shared = 1;
    return 1;
}
#endif

static int map_private(sniv_shm_t *shm, apr_size_t size)
{
    void *rw = mmap(NULL, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (rw == MAP_FAILED) {
        return 0;
    }
#ifdef MADV_DONTDUMP
    madvise(rw, size, MADV_DONTDUMP);
#endif
    shm->rw = rw;
    shm->ro = rw;
    return 1;
}

/* Whether children inherit the readable mapping. */
static void set_inherited(const sniv_shm_t *shm, int is_inherited)
{
    void *ro = (void *)(apr_uintptr_t)shm->ro;

#if defined(MADV_DONTFORK) && defined(MADV_DOFORK)
    madvise(ro, shm->size, is_inherited ? MADV_DOFORK : MADV_DONTFORK);
#elif defined(INHERIT_NONE) && defined(INHERIT_COPY)
    minherit(ro, shm->size, is_inherited ? INHERIT_COPY : INHERIT_NONE);
#else
    (void)ro;
    (void)is_inherited;
#endif
}

/*
 * Map as much as can be had, at least a part of what is wanted: a limit on
 * address space or on the size of files may not allow all.
 */
static int map_some(sniv_shm_t *shm, apr_size_t head, apr_size_t room,
                    apr_size_t least, int (*map)(sniv_shm_t *, apr_size_t))
{
    for (; room >= least; room /= 2) {
        shm->size = ((head + room) | 0xffff) + 1;
        if (map(shm, shm->size)) {
            return 1;
        }
    }
    return 0;
}

apr_status_t sniv_shm_make(sniv_shm_t **pshm, apr_uint32_t nslots,
                           apr_size_t room, unsigned flags, apr_pool_t *p)
{
    sniv_shm_t *shm = apr_pcalloc(p, sizeof(*shm));
    apr_size_t head = GRANULE + (apr_size_t)nslots * sizeof(slot_t);
    int ok = 0;

    head = (head + GRANULE - 1) / GRANULE * GRANULE;
    if (room < MIN_ROOM) {
        room = MIN_ROOM;
    }
#if HAVE_SEALS
    if (!(flags & SNIV_SHM_PRIVATE)) {
        ok = map_some(shm, head, room, room / 4, map_sealed);
    }
#endif
    if (!ok && !map_some(shm, head, room, MIN_ROOM, map_private)) {
        return APR_ENOMEM;
    }
    if (flags & SNIV_SHM_HIDDEN) {
        set_inherited(shm, 0);
    }
    shm->nslots = nslots;
    shm->owner = getpid();
    give_extent(shm, head, (shm->size - head) / GRANULE * GRANULE);
    apr_pool_cleanup_register(p, shm, destroy, apr_pool_cleanup_null);
    *pshm = shm;
    return APR_SUCCESS;
}

void sniv_shm_publish(sniv_shm_t *shm)
{
    set_inherited(shm, 1);
}

int sniv_shm_is_shared(const sniv_shm_t *shm)
{
    return shm->is_shared;
}

static void wipe_words(unsigned char *block, apr_uint64_t size)
{
    apr_uint64_t *word = (void *)block, n = size / sizeof(*word);

    while (n-- > 0) {
        STORE(word, 0);
        word++;
    }
}

static void give_block(sniv_shm_t *shm, apr_uint64_t offset, apr_size_t len)
{
    apr_uint64_t size = block_size(len);

    wipe_words(shm->rw + offset, size);
    shm->used -= size;
    give_extent(shm, offset, size);
}

static void point(sniv_shm_t *shm, apr_uint32_t number, apr_uint64_t offset,
                  apr_size_t len, apr_uint64_t version)
{
    slot_t *slot = slots_of(shm->rw) + number;
    apr_uint32_t seq = slot->seq;

    STORE(&slot->seq, seq + 1);
    FENCE();
    STORE(&slot->offset, offset);
    STORE(&slot->len, (apr_uint64_t)len);
    STORE(&slot->version, version);
    FENCE();
    STORE(&slot->seq, seq + 2);
    FENCE();                    /* before the old block is wiped */
}

static void write_words(unsigned char *block, const unsigned char *bytes,
                        apr_size_t len)
{
    apr_uint64_t *to = (void *)block, word;

    while (len > 0) {
        apr_size_t n = len < sizeof(word) ? len : sizeof(word);

        word = 0;
        memcpy(&word, bytes, n);
        STORE(to, word);
        to++;
        bytes += n;
        len -= n;
    }
}

/*
 * Have the system find the pages of a block now: where it cannot, this is an
 * error and no signal.
 */
static int has_pages(const sniv_shm_t *shm, apr_uint64_t offset,
                     apr_size_t len)
{
#if HAVE_SEALS
    apr_uint64_t first = offset / PAGE * PAGE;

    return !shm->is_shared
           || madvise(shm->rw + first, (size_t)(offset + len - first),
                      MADV_POPULATE_WRITE) == 0
           || errno == EINVAL;  /* Linux before 5.14 */
#else
    (void)shm;
    (void)offset;
    (void)len;
    return 1;
#endif
}

apr_status_t sniv_shm_put(sniv_shm_t *shm, apr_uint32_t number,
                          const void *bytes, apr_size_t len,
                          apr_uint64_t version)
{
    slot_t *slot, old;
    apr_uint64_t offset;

    if (!is_owner(shm) || number >= shm->nslots || len == 0) {
        return APR_EINVAL;
    }
    slot = slots_of(shm->rw) + number;
    old = *slot;
    offset = take_block(shm, len);
    if (!offset) {
        return APR_ENOSPC;
    }
    if (!has_pages(shm, offset, len)) {
        shm->used -= block_size(len);
        give_extent(shm, offset, block_size(len));
        return APR_ENOMEM;
    }
    write_words(shm->rw + offset, bytes, len);
    point(shm, number, offset, len, version);
    if (old.offset) {
        give_block(shm, old.offset, (apr_size_t)old.len);
    }
    return APR_SUCCESS;
}

void sniv_shm_drop(sniv_shm_t *shm, apr_uint32_t number)
{
    slot_t old;

    if (!is_owner(shm) || number >= shm->nslots) {
        return;
    }
    old = slots_of(shm->rw)[number];
    if (old.offset) {
        point(shm, number, 0, 0, 0);
        give_block(shm, old.offset, (apr_size_t)old.len);
    }
}

const void *sniv_shm_peek(const sniv_shm_t *shm, apr_uint32_t number,
                          apr_size_t *len, apr_uint64_t *version)
{
    const slot_t *slot;

    if (!is_owner(shm) || number >= shm->nslots) {
        return NULL;
    }
    slot = slots_of(shm->rw) + number;
    *len = (apr_size_t)slot->len;
    if (version) {
        *version = slot->version;
    }
    return slot->offset ? shm->rw + slot->offset : NULL;
}

static void await_writer(int tries)
{
    static const struct timespec millisecond = { 0, 1000000 };

    if (tries > TRIES_YIELD) {
        nanosleep(&millisecond, NULL);
    }
    else if (tries > TRIES_BUSY) {
        sched_yield();
    }
}

apr_status_t sniv_shm_look(sniv_shm_look_t *look, const sniv_shm_t *shm,
                           apr_uint32_t number)
{
    const slot_t *slot;
    apr_uint64_t offset, len;
    int tries;

    if (!shm->ro || number >= shm->nslots) {
        return APR_NOTFOUND;
    }
    slot = slots_of(shm->ro) + number;
    for (tries = 0; tries < TRIES; tries++) {
        await_writer(tries);
        look->seq = LOAD_FIRST(&slot->seq);
        if (look->seq & 1) {
            continue;
        }
        offset = LOAD(&slot->offset);
        len = LOAD(&slot->len);
        look->shm = shm;
        look->slot = number;
        if (!sniv_shm_looked(look)) {
            continue;
        }
        if (offset == 0) {
            return APR_NOTFOUND;
        }
        if (offset % GRANULE || offset > shm->size
            || len > shm->size - offset) {
            return APR_EGENERAL;
        }
        look->block = shm->ro + offset;
        look->len = (apr_size_t)len;
        return APR_SUCCESS;
    }
    return APR_EAGAIN;
}

apr_uint32_t sniv_shm_word(const sniv_shm_look_t *look, apr_size_t offset)
{
    if (offset % 4 || look->len < 4 || offset > look->len - 4) {
        return 0;
    }
    return LOAD((const apr_uint32_t *)(const void *)(look->block + offset));
}

int sniv_shm_looked(const sniv_shm_look_t *look)
{
    const slot_t *slot = slots_of(look->shm->ro) + look->slot;

    FENCE();
    return LOAD(&slot->seq) == look->seq;
}

apr_uint64_t sniv_shm_version(const sniv_shm_t *shm, apr_uint32_t number)
{
    if (!shm->ro || number >= shm->nslots) {
        return 0;
    }
    return LOAD(&slots_of(shm->ro)[number].version);
}

static void read_words(unsigned char *to, const unsigned char *block,
                       apr_size_t len)
{
    const apr_uint64_t *from = (const void *)block;
    apr_uint64_t word;

    while (len > 0) {
        apr_size_t n = len < sizeof(word) ? len : sizeof(word);

        word = LOAD(from);
        memcpy(to, &word, n);
        from++;
        to += n;
        len -= n;
    }
}

apr_status_t sniv_shm_get(const sniv_shm_t *shm, apr_uint32_t number,
                          unsigned char **pbytes, apr_size_t *len,
                          apr_uint64_t *version)
{
    sniv_shm_look_t look;
    unsigned char *bytes;
    apr_uint64_t v;
    apr_status_t rv;
    int tries;

    for (tries = 0; tries < TRIES_COPY; tries++) {
        rv = sniv_shm_look(&look, shm, number);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        bytes = malloc(look.len);
        if (!bytes) {
            return APR_ENOMEM;
        }
        read_words(bytes, look.block, look.len);
        v = LOAD(&slots_of(shm->ro)[number].version);
        if (sniv_shm_looked(&look)) {
            *pbytes = bytes;
            *len = look.len;
            *version = v;
            return APR_SUCCESS;
        }
        OPENSSL_cleanse(bytes, look.len);
        free(bytes);
    }
    return APR_EAGAIN;
}

apr_size_t sniv_shm_largest(const sniv_shm_t *shm)
{
    apr_uint64_t most = 0;
    apr_size_t i;

    for (i = 0; i < shm->nfree; i++) {
        most = most < shm->free[i].size ? shm->free[i].size : most;
    }
    return (apr_size_t)most;
}

void sniv_shm_usage(const sniv_shm_t *shm, apr_uint64_t *used,
                    apr_uint64_t *room)
{
    *used = shm->used;
    *room = shm->size;
}
