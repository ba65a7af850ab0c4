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


#ifndef REFERENCE_H
#define REFERENCE_H

/**
 * @file reference.h
 * What the name index has to agree with: the loop of stock httpd, as plain
 * as possible and as slow as it is. For tests only.
 */

/** A pattern; its rank is its number in the array. */
typedef struct reference_t {
    const char *text;
    int is_glob;
} reference_t;

/**
 * As ap_strcasecmp_match() in httpd's server/util.c.
 * @return 0 for a match; 1: no; -1: no, and the host is too short for it
 */
int reference_match(const char *host, const char *glob);

/**
 * The first pattern after the given rank (-1: of all) that matches.
 * @return its rank, or -1
 */
int reference_find(const reference_t *patterns, int n, const char *host,
                   int after);

#endif /* REFERENCE_H */
