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

#ifndef SNIVHOST_TELL_TWINS_H
#define SNIVHOST_TELL_TWINS_H

/**
 * @file tell/twins.h
 * Which virtual host of the former configuration is which of the new one.
 * Nothing says so: by name, content, address and place, the surest first.
 */

#include "tell/side.h"

typedef struct snivhost_twins_t {
    const snivhost_side_t *before;
    const snivhost_side_t *after;
    int *of_before;             /**< by number: the number after, or -1 */
    int *of_after;              /**< and back */
} snivhost_twins_t;

/** The main servers are twins. */
const snivhost_twins_t *snivhost_twins_find(const snivhost_side_t *before,
                                            const snivhost_side_t *after,
                                            apr_pool_t *p);

/** The twin of a virtual host of either side, NULL: none. */
const sniv_vhost_t *snivhost_twin_after(const snivhost_twins_t *twins,
                                        const sniv_vhost_t *before);
const sniv_vhost_t *snivhost_twin_before(const snivhost_twins_t *twins,
                                         const sniv_vhost_t *after);

#endif /* SNIVHOST_TELL_TWINS_H */
