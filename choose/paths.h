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

#ifndef SNIVHOST_CHOOSE_PATHS_H
#define SNIVHOST_CHOOSE_PATHS_H

/**
 * @file choose/paths.h
 * ServerPath: the path of a request without a host -> the first vhost whose
 * ServerPath it begins with.
 *
 * Built at configuration time, then read only: any thread, no allocation.
 * The rule is check_serverpath() of httpd's server/vhost.c: a path matches
 * if the URI begins with it and it ends at a slash or at the URI's end. One
 * walk over the URI finds it, however many paths there are.
 */

#include <apr_pools.h>

typedef struct sniv_paths_t sniv_paths_t;

/** One ServerPath. */
typedef struct sniv_path_t {
    const char *path;       /**< NUL-terminated, kept by reference */
    int value;              /**< the caller's; of those that match, the one
                                 that was added first is found */
} sniv_path_t;

/**
 * Build the index.
 * @param paths in order of precedence
 * @return the index, allocated from p; NULL if npaths is 0
 */
const sniv_paths_t *sniv_paths_build(const sniv_path_t *paths, int npaths,
                                     apr_pool_t *p);

/**
 * Find the first path that matches.
 * @param paths may be NULL: nothing matches
 * @param uri the path of the request, NUL-terminated
 * @return the entry, or NULL
 */
const sniv_path_t *sniv_paths_find(const sniv_paths_t *paths,
                                   const char *uri);

/** The n-th path in order of precedence, NULL past the last. */
const sniv_path_t *sniv_paths_get(const sniv_paths_t *paths, int n);

/** Whether this path alone matches the URI; for explanations. */
int sniv_path_matches(const char *path, const char *uri);

#endif /* SNIVHOST_CHOOSE_PATHS_H */
