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


#ifndef SNIVHOST_TOOL_BUNDLE_H
#define SNIVHOST_TOOL_BUNDLE_H

/**
 * @file tool/bundle.h
 * Entries as they are put: certificate, chain and key in one text, judged by
 * the code that the module judges with. One thread.
 */

#include <apr_pools.h>

#include "certs/pem.h"
#include "certs/reader.h"

/** What a bundle is for. */
typedef struct bundle_info_t {
    const char *id;             /* its first name and the kind of its key */
    const char *names;          /* all, or the first ones */
    apr_time_t not_before, not_after;
} bundle_info_t;

/**
 * What the module would make of an entry.
 * @return NULL, or why it would not use it: completes "ENTRY ..."
 */
const char *bundle_judge(const sniv_buffer_t *bundle, bundle_info_t *info,
                         apr_pool_t *p);

/**
 * Join files.
 * @param pfile receives the file that is at fault
 * @return NULL, or why not
 */
const char *bundle_join(sniv_buffer_t *bundle, const char *const *files,
                        int n, const char **pfile);

typedef struct bundle_visitor_t {
    /** A certificate of the folder, with its files. */
    void (*found)(void *baton, const char *const *files, int n);
    /** What the module would log about it. */
    void (*bad)(void *baton, int is_used, const char *file,
                const char *reason);
    void *baton;
} bundle_visitor_t;

/** What the module would use of a folder. */
void bundle_folder(const char *path, const bundle_visitor_t *visitor,
                   apr_pool_t *p);

#endif /* SNIVHOST_TOOL_BUNDLE_H */
