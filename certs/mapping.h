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


#ifndef SNIV_MAPPING_H
#define SNIV_MAPPING_H

/**
 * @file certs/mapping.h
 * Memory as the system gives it: written by this process, seen by its
 * children, in no core dump. What is in it is for certs/sealed.c.
 */

#include <sys/types.h>

#include <apr.h>

/** All zero: none. */
typedef struct sniv_mapping_t {
    unsigned char *rw;          /**< NULL in a child */
    const unsigned char *ro;    /**< the same memory */
    apr_size_t size;            /**< bytes */
    int is_shared;              /**< children see what is written later */
} sniv_mapping_t;

/**
 * Memory that is sealed: this mapping stays the only one that can be written
 * to, and no child inherits it; they inherit the readable one.
 * @param size a multiple of the page size
 * @return 0: the system has no such memory, or not as much
 */
int sniv_mapping_sealed(sniv_mapping_t *map, apr_size_t size);

/** Memory of this process; a child has a copy of its own. */
int sniv_mapping_private(sniv_mapping_t *map, apr_size_t size);

/** Give it back; what is in it has been wiped if it has to be. */
void sniv_mapping_end(sniv_mapping_t *map);

/** Whether children inherit the readable mapping. */
void sniv_mapping_inherit(const sniv_mapping_t *map, int is_inherited);

/**
 * Have the system find the pages of a part now: where it cannot, this is an
 * error and no signal.
 * @return 0: it cannot
 */
int sniv_mapping_has(const sniv_mapping_t *map, apr_uint64_t offset,
                     apr_size_t len);

/**
 * fork() a process that can write to sealed memory.
 * @return as fork() does
 */
pid_t sniv_mapping_fork(const sniv_mapping_t *map);

#endif /* SNIV_MAPPING_H */
