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

#include "certs/extents.h"

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
 * (HAVE_SEALS), and none meets another.
 */
#ifdef __ATOMIC_SEQ_CST
/* In one piece: i386 would align it to 4 bytes */
typedef apr_uint64_t shared_t __attribute__((aligned(8)));
#define LOAD(p)         __atomic_load_n((p), __ATOMIC_RELAXED)
#define LOAD_FIRST(p)   __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define STORE(p, v)     __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define FENCE()         __atomic_thread_fence(__ATOMIC_SEQ_CST)
#else
typedef apr_uint64_t shared_t;
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

/*
 * The first bytes. Who writes may be killed at any point, and another process
 * continues: what it needs to know is here, and in the slots.
 */
typedef struct head_t {
    shared_t used;          /* bytes in blocks */
    shared_t version;       /* the highest that there was */
    shared_t front, back;   /* between them nothing was ever written */
    /* what a slot is going to be: counts while its sequence number is odd */
    shared_t next_slot, next_offset, next_len, next_version;
} head_t;

typedef struct slot_t {
    apr_uint32_t seq;           /* odd: being changed */
    apr_uint32_t pad;
    shared_t offset;        /* of the block; 0: empty */
    shared_t len;
    shared_t version;
} slot_t;

struct sniv_shm_t {
    unsigned char *rw;          /* NULL in a child */
    const unsigned char *ro;
    apr_size_t size;            /* of the whole mapping */
    apr_uint32_t nslots;
    int is_shared;
    pid_t maker;
    pid_t owner;                /* it writes */
    /* the writer's book-keeping, never in the shared memory */
    sniv_extents_t free;
};

static head_t *head_of(const unsigned char *base)
{
    return (head_t *)(void *)(apr_uintptr_t)base;
}

static slot_t *slots_of(const unsigned char *base)
{
    return (slot_t *)(void *)(apr_uintptr_t)(base + GRANULE);
}

static int is_owner(const sniv_shm_t *shm)
{
    return shm->rw && shm->owner == getpid();
}

static void add_used(sniv_shm_t *shm, apr_int64_t by)
{
    head_t *head = head_of(shm->rw);

    STORE(&head->used, head->used + (apr_uint64_t)by);
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
    apr_uint64_t size = block_size(len);
    apr_uint64_t offset = sniv_extents_take(&shm->free, size, len >= LARGE);
    head_t *head = head_of(shm->rw);

    if (!offset) {
        return 0;
    }
    if (len < LARGE && offset + size > head->front) {
        STORE(&head->front, offset + size);
    }
    else if (len >= LARGE && offset < head->back) {
        STORE(&head->back, offset);
    }
    add_used(shm, (apr_int64_t)size);
    return offset;
}

/* Wipe the blocks that are in use: all that lies between what is free. */
static void wipe_used(sniv_shm_t *shm)
{
    apr_uint64_t at = GRANULE, end;
    apr_size_t i;

    for (i = 0; i <= shm->free.n; i++) {
        end = i < shm->free.n ? shm->free.list[i].offset : shm->size;
        OPENSSL_cleanse(shm->rw + at, (apr_size_t)(end - at));
        at = i < shm->free.n ? end + shm->free.list[i].size : end;
    }
}

static apr_status_t destroy(void *data)
{
    sniv_shm_t *shm = data;

    if (!shm->rw || shm->maker != getpid()) {
        return APR_SUCCESS;
    }
    if (!shm->is_shared) {
        wipe_used(shm);
    }
    else if (shm->ro) {
        munmap((void *)(apr_uintptr_t)shm->ro, shm->size);
    }
    sniv_extents_clear(&shm->free);
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
    shm->maker = shm->owner = getpid();
    head_of(shm->rw)->front = head;
    head_of(shm->rw)->back = shm->size;
    sniv_extents_give(&shm->free, head, (shm->size - head) / GRANULE * GRANULE);
    apr_pool_cleanup_register(p, shm, destroy, apr_pool_cleanup_null);
    *pshm = shm;
    return APR_SUCCESS;
}

void sniv_shm_publish(sniv_shm_t *shm)
{
    set_inherited(shm, 1);
}

sniv_shm_t *sniv_shm_keep(sniv_shm_t *shm)
{
    sniv_shm_t *kept;

    if (!shm->is_shared || !shm->rw || shm->maker != getpid()) {
        return NULL;
    }
    kept = calloc(1, sizeof(*kept));
    if (kept) {
        kept->ro = shm->ro;
        kept->size = shm->size;
        kept->nslots = shm->nslots;
        set_inherited(kept, 0);
        shm->ro = NULL;
    }
    return kept;
}

void sniv_shm_release(sniv_shm_t *kept)
{
    munmap((void *)(apr_uintptr_t)kept->ro, kept->size);
    free(kept);
}

int sniv_shm_is_shared(const sniv_shm_t *shm)
{
    return shm->is_shared;
}

static void wipe_words(unsigned char *block, apr_uint64_t size)
{
    shared_t *word = (void *)block;
    apr_uint64_t n = size / sizeof(*word);

    while (n-- > 0) {
        STORE(word, 0);
        word++;
    }
}

static void give_block(sniv_shm_t *shm, apr_uint64_t offset, apr_size_t len)
{
    apr_uint64_t size = block_size(len);

    wipe_words(shm->rw + offset, size);
    add_used(shm, -(apr_int64_t)size);
    sniv_extents_give(&shm->free, offset, size);
}

/* From now on readers wait; whoever goes on knows what the slot is to be. */
static void begin_change(sniv_shm_t *shm, apr_uint32_t number,
                         apr_uint64_t offset, apr_uint64_t len,
                         apr_uint64_t version)
{
    slot_t *slot = slots_of(shm->rw) + number;
    head_t *head = head_of(shm->rw);

    STORE(&head->next_slot, number);
    STORE(&head->next_offset, offset);
    STORE(&head->next_len, len);
    STORE(&head->next_version, version);
    if (version > head->version) {
        STORE(&head->version, version);
    }
    FENCE();
    STORE(&slot->seq, slot->seq + 1);
    FENCE();
}

static void end_change(sniv_shm_t *shm, apr_uint32_t number)
{
    slot_t *slot = slots_of(shm->rw) + number;

    FENCE();
    STORE(&slot->seq, slot->seq + 1);
    FENCE();                    /* before an old block is wiped */
}

static void point(sniv_shm_t *shm, apr_uint32_t number, apr_uint64_t offset,
                  apr_size_t len, apr_uint64_t version)
{
    slot_t *slot = slots_of(shm->rw) + number;

    begin_change(shm, number, offset, (apr_uint64_t)len, version);
    STORE(&slot->offset, offset);
    STORE(&slot->len, (apr_uint64_t)len);
    STORE(&slot->version, version);
    end_change(shm, number);
}

apr_status_t sniv_shm_patch(sniv_shm_t *shm, apr_uint32_t number,
                            apr_size_t offset, const apr_uint32_t *words,
                            apr_size_t n)
{
    const slot_t *slot;
    apr_uint32_t *to;
    apr_size_t i;

    if (!is_owner(shm) || number >= shm->nslots) {
        return APR_EINVAL;
    }
    slot = slots_of(shm->rw) + number;
    if (!slot->offset || offset % 4 || offset > slot->len
        || n > (slot->len - offset) / 4) {
        return APR_EINVAL;
    }
    to = (apr_uint32_t *)(void *)(shm->rw + slot->offset + offset);
    begin_change(shm, number, slot->offset, slot->len, slot->version);
    for (i = 0; i < n; i++) {
        STORE(&to[i], words[i]);
    }
    end_change(shm, number);
    return APR_SUCCESS;
}

static void write_words(unsigned char *block, const unsigned char *bytes,
                        apr_size_t len)
{
    shared_t *to = (void *)block;
    apr_uint64_t word;

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
        add_used(shm, -(apr_int64_t)block_size(len));
        sniv_extents_give(&shm->free, offset, block_size(len));
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
    const shared_t *from = (const void *)block;
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
    return (apr_size_t)sniv_extents_largest(&shm->free);
}

void sniv_shm_usage(const sniv_shm_t *shm, apr_uint64_t *used,
                    apr_uint64_t *room)
{
    *used = shm->ro ? LOAD(&head_of(shm->ro)->used) : 0;
    *room = shm->size;
}

apr_uint32_t sniv_shm_count(const sniv_shm_t *shm, apr_uint32_t first,
                            apr_uint32_t n)
{
    apr_uint32_t i, count = 0;

    for (i = first; shm->ro && i < shm->nslots && i - first < n; i++) {
        count += LOAD(&slots_of(shm->ro)[i].offset) != 0;
    }
    return count;
}

apr_uint64_t sniv_shm_newest(const sniv_shm_t *shm)
{
    return shm->ro ? LOAD(&head_of(shm->ro)->version) : 0;
}

/* ----- another writer */

pid_t sniv_shm_fork(sniv_shm_t *shm)
{
#if HAVE_SEALS && defined(MADV_DOFORK)
    pid_t pid = -1;

    if (!shm->is_shared || !shm->rw || shm->maker != getpid()) {
        errno = EINVAL;
        return -1;
    }
    if (madvise(shm->rw, shm->size, MADV_DOFORK) == 0) {
        pid = fork();
        (void)madvise(shm->rw, shm->size, MADV_DONTFORK);
    }
    if (pid >= 0) {
        shm->owner = pid ? pid : getpid();
    }
    return pid;
#else
    (void)shm;
    errno = ENOSYS;
    return -1;
#endif
}

/* What a slot has; a switch that was begun is finished. */
static void settle_slot(sniv_shm_t *shm, apr_uint32_t number)
{
    slot_t *slot = slots_of(shm->rw) + number;
    const head_t *head = head_of(shm->rw);
    int is_known = head->next_slot == number;

    if (slot->seq & 1) {
        STORE(&slot->offset, is_known ? head->next_offset : 0);
        STORE(&slot->len, is_known ? head->next_len : 0);
        STORE(&slot->version, is_known ? head->next_version : 0);
        FENCE();
        STORE(&slot->seq, slot->seq + 1);
    }
}

static int by_offset(const void *a, const void *b)
{
    const sniv_extent_t *x = a, *y = b;

    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Wipe the part of free memory that has been written to. */
static void wipe_written(sniv_shm_t *shm, apr_uint64_t from, apr_uint64_t to)
{
    const head_t *head = head_of(shm->rw);
    apr_uint64_t front = to < head->front ? to : head->front;
    apr_uint64_t back = from > head->back ? from : head->back;

    if (from < front) {
        wipe_words(shm->rw + from, front - from);
    }
    if (back < to) {
        wipe_words(shm->rw + (back > front ? back : front),
                   to - (back > front ? back : front));
    }
}

/* The free memory: what lies between blocks, which come in order. */
static void find_free(sniv_shm_t *shm, const sniv_extent_t *blocks,
                      apr_size_t n)
{
    apr_uint64_t at = GRANULE + (apr_uint64_t)shm->nslots * sizeof(slot_t);
    apr_uint64_t end, used = 0;
    apr_size_t i;

    at = block_size((apr_size_t)at);
    sniv_extents_clear(&shm->free);
    for (i = 0; i <= n; i++) {
        end = i < n ? blocks[i].offset : shm->size / GRANULE * GRANULE;
        if (end > at) {
            wipe_written(shm, at, end);
            sniv_extents_give(&shm->free, at, end - at);
        }
        if (i < n && blocks[i].offset + blocks[i].size > at) {
            at = blocks[i].offset + blocks[i].size;
            used += blocks[i].size;
        }
    }
    STORE(&head_of(shm->rw)->used, used);
}

apr_status_t sniv_shm_take_over(sniv_shm_t *shm)
{
    sniv_extent_t *blocks;
    apr_uint32_t i;
    apr_size_t n = 0;

    if (!is_owner(shm)) {
        return APR_EINVAL;
    }
    blocks = malloc(shm->nslots * sizeof(*blocks));
    if (!blocks) {
        return APR_ENOMEM;
    }
    for (i = 0; i < shm->nslots; i++) {
        const slot_t *slot = slots_of(shm->rw) + i;

        settle_slot(shm, i);
        if (slot->offset) {
            blocks[n].offset = slot->offset;
            blocks[n++].size = block_size((apr_size_t)slot->len);
        }
    }
    qsort(blocks, n, sizeof(*blocks), by_offset);
    find_free(shm, blocks, n);
    free(blocks);
    return APR_SUCCESS;
}
