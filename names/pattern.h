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

#ifndef SNIVHOST_NAMES_PATTERN_H
#define SNIVHOST_NAMES_PATTERN_H

/**
 * @file names/pattern.h
 * A name or glob on its way into the index, and what a look-up gives back.
 */

#include <apr.h>

/** A pattern as the builder collects it. */
typedef struct sniv_pattern_t {
    const char *text;
    apr_uint32_t len;
    apr_uint32_t value;
    apr_uint32_t place;         /**< of its record, once that is known */
    unsigned int is_glob : 1;   /**< as added */
    unsigned int is_wild : 1;   /**< a glob that has a wildcard in it */
    unsigned int is_simple : 1; /**< one star and no other */
} sniv_pattern_t;

/** A pattern that matched. */
typedef struct sniv_names_hit_t {
    apr_uint32_t rank;      /**< number of the pattern: 0 is the first added */
    apr_uint32_t value;     /**< the caller's value of that pattern */
} sniv_names_hit_t;

#endif /* SNIVHOST_NAMES_PATTERN_H */
