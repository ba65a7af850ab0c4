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

#include "certs/sealed.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "certs/extents.h"
#include "certs/mapping.h"

/*
 * All shared words are read and written through these: a reader may meet a
 * writer, and only the sequence number tells. Without them memory is private
 * (certs/mapping.c), and none meets another.
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
    sniv_mapping_t map;
    apr_uint32_t nslots;
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
    return shm->map.rw && shm->owner == getpid();
}

static void add_used(sniv_shm_t *shm, apr_int64_t by)
{
    head_t *head = head_of(shm->map.rw);

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
    head_t *head = head_of(shm->map.rw);

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
        end = i < shm->free.n ? shm->free.list[i].offset : shm->map.size;
        OPENSSL_cleanse(shm->map.rw + at, (apr_size_t)(end - at));
        at = i < shm->free.n ? end + shm->free.list[i].size : end;
    }
}

static apr_status_t destroy(void *data)
{
    sniv_shm_t *shm = data;

    if (!shm->map.rw || shm->maker != getpid()) {
        return APR_SUCCESS;
    }
    if (!shm->map.is_shared) {
        wipe_used(shm);
    }
    sniv_extents_clear(&shm->free);
    sniv_mapping_end(&shm->map);
    return APR_SUCCESS;
}

/*
 * Map as much as can be had, at least a part of what is wanted: a limit on
 * address space or on the size of files may not allow all.
 */
static int map_some(sniv_shm_t *shm, apr_size_t head, apr_size_t room,
                    apr_size_t least,
                    int (*map)(sniv_mapping_t *, apr_size_t))
{
    for (; room >= least; room /= 2) {
        if (map(&shm->map, ((head + room) | 0xffff) + 1)) {
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
    if (!(flags & SNIV_SHM_PRIVATE)) {
        ok = map_some(shm, head, room, room / 4, sniv_mapping_sealed);
    }
    if (!ok && !map_some(shm, head, room, MIN_ROOM, sniv_mapping_private)) {
        return APR_ENOMEM;
    }
    if (flags & SNIV_SHM_HIDDEN) {
        sniv_mapping_inherit(&shm->map, 0);
    }
    shm->nslots = nslots;
    shm->maker = shm->owner = getpid();
    head_of(shm->map.rw)->front = head;
    head_of(shm->map.rw)->back = shm->map.size;
    sniv_extents_give(&shm->free, head, (shm->map.size - head) / GRANULE * GRANULE);
    apr_pool_cleanup_register(p, shm, destroy, apr_pool_cleanup_null);
    *pshm = shm;
    return APR_SUCCESS;
}

void sniv_shm_publish(sniv_shm_t *shm)
{
    sniv_mapping_inherit(&shm->map, 1);
}

sniv_shm_t *sniv_shm_keep(sniv_shm_t *shm)
{
    sniv_shm_t *kept;

    if (!shm->map.is_shared || !shm->map.rw || shm->maker != getpid()) {
        return NULL;
    }
    kept = calloc(1, sizeof(*kept));
    if (kept) {
        kept->map = shm->map;
        kept->map.rw = NULL;
        kept->nslots = shm->nslots;
        sniv_mapping_inherit(&kept->map, 0);
        shm->map.ro = NULL;
    }
    return kept;
}

void sniv_shm_release(sniv_shm_t *kept)
{
    sniv_mapping_end(&kept->map);
    free(kept);
}

int sniv_shm_is_shared(const sniv_shm_t *shm)
{
    return shm->map.is_shared;
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

    wipe_words(shm->map.rw + offset, size);
    add_used(shm, -(apr_int64_t)size);
    sniv_extents_give(&shm->free, offset, size);
}

/* From now on readers wait; whoever goes on knows what the slot is to be. */
static void begin_change(sniv_shm_t *shm, apr_uint32_t number,
                         apr_uint64_t offset, apr_uint64_t len,
                         apr_uint64_t version)
{
    slot_t *slot = slots_of(shm->map.rw) + number;
    head_t *head = head_of(shm->map.rw);

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
    slot_t *slot = slots_of(shm->map.rw) + number;

    FENCE();
    STORE(&slot->seq, slot->seq + 1);
    FENCE();                    /* before an old block is wiped */
}

static void point(sniv_shm_t *shm, apr_uint32_t number, apr_uint64_t offset,
                  apr_size_t len, apr_uint64_t version)
{
    slot_t *slot = slots_of(shm->map.rw) + number;

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
    slot = slots_of(shm->map.rw) + number;
    if (!slot->offset || offset % 4 || offset > slot->len
        || n > (slot->len - offset) / 4) {
        return APR_EINVAL;
    }
    to = (apr_uint32_t *)(void *)(shm->map.rw + slot->offset + offset);
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

apr_status_t sniv_shm_put(sniv_shm_t *shm, apr_uint32_t number,
                          const void *bytes, apr_size_t len,
                          apr_uint64_t version)
{
    slot_t *slot, old;
    apr_uint64_t offset;

    if (!is_owner(shm) || number >= shm->nslots || len == 0) {
        return APR_EINVAL;
    }
    slot = slots_of(shm->map.rw) + number;
    old = *slot;
    offset = take_block(shm, len);
    if (!offset) {
        return APR_ENOSPC;
    }
    if (!sniv_mapping_has(&shm->map, offset, len)) {
        add_used(shm, -(apr_int64_t)block_size(len));
        sniv_extents_give(&shm->free, offset, block_size(len));
        return APR_ENOMEM;
    }
    write_words(shm->map.rw + offset, bytes, len);
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
    old = slots_of(shm->map.rw)[number];
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
    slot = slots_of(shm->map.rw) + number;
    *len = (apr_size_t)slot->len;
    if (version) {
        *version = slot->version;
    }
    return slot->offset ? shm->map.rw + slot->offset : NULL;
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

    if (!shm->map.ro || number >= shm->nslots) {
        return APR_NOTFOUND;
    }
    slot = slots_of(shm->map.ro) + number;
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
        if (offset % GRANULE || offset > shm->map.size
            || len > shm->map.size - offset) {
            return APR_EGENERAL;
        }
        look->block = shm->map.ro + offset;
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
    const slot_t *slot = slots_of(look->shm->map.ro) + look->slot;

    FENCE();
    return LOAD(&slot->seq) == look->seq;
}

apr_uint64_t sniv_shm_version(const sniv_shm_t *shm, apr_uint32_t number)
{
    if (!shm->map.ro || number >= shm->nslots) {
        return 0;
    }
    return LOAD(&slots_of(shm->map.ro)[number].version);
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
        v = LOAD(&slots_of(shm->map.ro)[number].version);
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
    *used = shm->map.ro ? LOAD(&head_of(shm->map.ro)->used) : 0;
    *room = shm->map.size;
}

apr_uint32_t sniv_shm_count(const sniv_shm_t *shm, apr_uint32_t first,
                            apr_uint32_t n)
{
    apr_uint32_t i, count = 0;

    for (i = first; shm->map.ro && i < shm->nslots && i - first < n; i++) {
        count += LOAD(&slots_of(shm->map.ro)[i].offset) != 0;
    }
    return count;
}

apr_uint64_t sniv_shm_newest(const sniv_shm_t *shm)
{
    return shm->map.ro ? LOAD(&head_of(shm->map.ro)->version) : 0;
}

/* ----- another writer */

pid_t sniv_shm_fork(sniv_shm_t *shm)
{
    pid_t pid;

    if (!shm->map.is_shared || !shm->map.rw || shm->maker != getpid()) {
        errno = EINVAL;
        return -1;
    }
    pid = sniv_mapping_fork(&shm->map);
    if (pid >= 0) {
        shm->owner = pid ? pid : getpid();
    }
    return pid;
}

/* What a slot has; a switch that was begun is finished. */
static void settle_slot(sniv_shm_t *shm, apr_uint32_t number)
{
    slot_t *slot = slots_of(shm->map.rw) + number;
    const head_t *head = head_of(shm->map.rw);
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
    const head_t *head = head_of(shm->map.rw);
    apr_uint64_t front = to < head->front ? to : head->front;
    apr_uint64_t back = from > head->back ? from : head->back;

    if (from < front) {
        wipe_words(shm->map.rw + from, front - from);
    }
    if (back < to) {
        wipe_words(shm->map.rw + (back > front ? back : front),
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
        end = i < n ? blocks[i].offset : shm->map.size / GRANULE * GRANULE;
        if (end > at) {
            wipe_written(shm, at, end);
            sniv_extents_give(&shm->free, at, end - at);
        }
        if (i < n && blocks[i].offset + blocks[i].size > at) {
            at = blocks[i].offset + blocks[i].size;
            used += blocks[i].size;
        }
    }
    STORE(&head_of(shm->map.rw)->used, used);
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
        const slot_t *slot = slots_of(shm->map.rw) + i;

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
