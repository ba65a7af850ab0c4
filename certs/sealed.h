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

#ifndef SNIVHOST_CERTS_SEALED_H
#define SNIVHOST_CERTS_SEALED_H

/**
 * @file certs/sealed.h
 * Sealed memory: numbered slots of bytes that one process writes, its
 * children read, and no other process can open or change.
 *
 *     parent          rw mapping ----+
 *                                    +--> pages of a file without a name,
 *     parent,         ro mapping ----+    its descriptor closed, sealed
 *     children                            against any new writable mapping
 *
 * The writable mapping does not exist in a child (MADV_DONTFORK), and a child
 * that is taken over cannot make the other one writable (F_SEAL_FUTURE_WRITE,
 * Linux 5.1). Neither is in core dumps (MADV_DONTDUMP). An anonymous shared
 * mapping would not do: any child could call mprotect() and plant a key in
 * all others. Where the system has no such seal the memory is private:
 * children see what was put in before they were forked.
 *
 * The address range is reserved in advance and takes memory as it is used:
 *
 *     | head | slots: seq len offset version | blocks ............. free |
 *
 * A block is written before its slot points to it, and wiped right after
 * the slot points to another one. So readers keep no pointers: they copy out,
 * and look at the slot's sequence number before and after. Readers treat what
 * they find as input: an offset or a length that leads outside is an error.
 *
 * A writer may be killed at any point: the head says what it was about to do,
 * and the next one goes on (sniv_shm_take_over()). Until then at most one slot
 * is unreadable.
 *
 * Writing: one process at a time, one thread: the one that made it, or
 * instead of it the last one that it has forked with sniv_shm_fork().
 * Reading: any process, any thread, no lock.
 */

#include <sys/types.h>

#include <apr_pools.h>

typedef struct sniv_shm_t sniv_shm_t;

/** No memory shared with children: for tests of a configuration. */
#define SNIV_SHM_PRIVATE 0x01u
/** Processes that are forked before sniv_shm_publish() do not inherit it,
 * where the system can keep memory from children. */
#define SNIV_SHM_HIDDEN 0x02u

/**
 * Make the memory. It is given back with the pool, in the parent only
 * unmapped (children may still read theirs), private memory wiped.
 * @param nslots how many slots
 * @param room address space for blocks, in bytes; less may be had
 */
apr_status_t sniv_shm_make(sniv_shm_t **pshm, apr_uint32_t nslots,
                           apr_size_t room, unsigned flags, apr_pool_t *p);

/** From now on children inherit the memory. */
void sniv_shm_publish(sniv_shm_t *shm);

/** Whether children see what is put in later. */
int sniv_shm_is_shared(const sniv_shm_t *shm);

/**
 * Have the memory outlive its pool, to be read only. For the process that
 * made it, when the last writer has ended; processes that it forks from now
 * on do not inherit it.
 * @return to be given to sniv_shm_release(); NULL: it is private, or there is
 *         no memory
 */
sniv_shm_t *sniv_shm_keep(sniv_shm_t *shm);
void sniv_shm_release(sniv_shm_t *kept);

/**
 * Put bytes into a slot in place of those that it has, which are wiped.
 * @return APR_SUCCESS; APR_ENOSPC if there is no room in the address range,
 *         APR_ENOMEM if the system has no page: the old ones stay
 */
apr_status_t sniv_shm_put(sniv_shm_t *shm, apr_uint32_t slot,
                          const void *bytes, apr_size_t len,
                          apr_uint64_t version);

/**
 * Put words in the place of some that a slot has, at an offset that is a
 * multiple of 4. A writer that is killed may leave a part of them.
 * @return APR_SUCCESS, APR_EINVAL: they are not there
 */
apr_status_t sniv_shm_patch(sniv_shm_t *shm, apr_uint32_t slot,
                            apr_size_t offset, const apr_uint32_t *words,
                            apr_size_t n);

/** Empty a slot; its bytes are wiped. */
void sniv_shm_drop(sniv_shm_t *shm, apr_uint32_t slot);

/**
 * The bytes of a slot without copying, for the writer; NULL if empty.
 */
const void *sniv_shm_peek(const sniv_shm_t *shm, apr_uint32_t slot,
                          apr_size_t *len, apr_uint64_t *version);

/**
 * Copy the bytes of a slot.
 * @param pbytes receives them, malloc()ed: wipe and free()
 * @return APR_SUCCESS, APR_NOTFOUND if empty, APR_ENOMEM, APR_EAGAIN if the
 *         slot never came to rest, APR_EGENERAL if it points outside
 */
apr_status_t sniv_shm_get(const sniv_shm_t *shm, apr_uint32_t slot,
                          unsigned char **pbytes, apr_size_t *len,
                          apr_uint64_t *version);

/** The version of a slot's bytes, 0 if it is empty. */
apr_uint64_t sniv_shm_version(const sniv_shm_t *shm, apr_uint32_t slot);

/** A look into a slot without copying it all. */
typedef struct sniv_shm_look_t {
    const sniv_shm_t *shm;
    const unsigned char *block;
    apr_size_t len;
    apr_uint32_t slot;
    apr_uint32_t seq;
} sniv_shm_look_t;

/**
 * Begin to look. Then read words with sniv_shm_word(); nothing that was read
 * counts before sniv_shm_looked() has said so.
 * @return as sniv_shm_get()
 */
apr_status_t sniv_shm_look(sniv_shm_look_t *look, const sniv_shm_t *shm,
                           apr_uint32_t slot);

/** The 32 bits at an offset, which is a multiple of 4; 0 if outside. */
apr_uint32_t sniv_shm_word(const sniv_shm_look_t *look, apr_size_t offset);

/** Whether the slot was the same all the time; if not, begin again. */
int sniv_shm_looked(const sniv_shm_look_t *look);

/** The largest block that could be put in, for the writer. */
apr_size_t sniv_shm_largest(const sniv_shm_t *shm);

/** Bytes in blocks that are in use, and what there is in all. */
void sniv_shm_usage(const sniv_shm_t *shm, apr_uint64_t *used,
                    apr_uint64_t *room);

/** How many of n slots have something. Any process. */
apr_uint32_t sniv_shm_count(const sniv_shm_t *shm, apr_uint32_t first,
                            apr_uint32_t n);

/** The highest version that a slot has ever had. Any process. */
apr_uint64_t sniv_shm_newest(const sniv_shm_t *shm);

/**
 * Fork a process that writes from now on, and alone: the parent does not any
 * more. For the process that made the memory, when the writer before has
 * ended. The first one finds the book-keeping of the parent as it is; those
 * after it call sniv_shm_take_over() before they write.
 * @return as fork(); -1 also where memory is not shared: all is as it was
 */
pid_t sniv_shm_fork(sniv_shm_t *shm);

/**
 * Go on where a writer was killed: the slot that it was changing gets what it
 * was to have, what no slot points to is wiped and free. What peek() has
 * returned before is void.
 */
apr_status_t sniv_shm_take_over(sniv_shm_t *shm);

#endif /* SNIVHOST_CERTS_SEALED_H */
