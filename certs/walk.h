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

#ifndef SNIVHOST_CERTS_WALK_H
#define SNIVHOST_CERTS_WALK_H

/**
 * @file certs/walk.h
 * Opening files by a path to which untrusted users may write.
 *
 * The parent process is root and reads for all users. A user that may write
 * to a certificate folder could put a link there to a key that this user
 * cannot read, or a FIFO. So a path below a folder of the configuration is
 * walked step by step, without following links but by hand, and each folder,
 * link and file on the way is looked at once it is held open: what is checked
 * is what is read, whatever is renamed meanwhile. Nothing but regular files
 * is ever opened for reading.
 *
 * The rule is that of sshd's StrictModes, for everything below the top
 * folder, and for the whole path behind a link out of it:
 *
 *     strict   belongs to root or to the owner of the top folder; no other
 *              user may write to it
 *     owner    a sub-folder may belong to another user: then what this user
 *              owns in it counts too, and links of this user lead only to
 *              files of the same user
 *     any      everything is accepted
 *
 * "May write" are the group and the others; but for a group that has the
 * number of the owner (the private groups of users), and for folders with
 * the sticky bit (those of Kubernetes), in which each entry is checked.
 *
 * Parent only, one thread.
 */

#include <apr_errno.h>

typedef enum {
    SNIV_TRUST_STRICT, SNIV_TRUST_OWNER, SNIV_TRUST_ANY
} sniv_trust_e;

/** A folder of the configuration. */
typedef struct sniv_walk_t {
    const char *top;            /**< its path, without a slash at the end */
    sniv_trust_e trust;
} sniv_walk_t;

/** What is to be opened. */
typedef enum { SNIV_WALK_FILE, SNIV_WALK_FOLDER } sniv_walk_e;

/**
 * Open a file or folder for reading.
 * @param walk NULL: a path of the administrator's, nothing but its kind is
 *        looked at; else path is walk->top or below it
 * @param preason receives a constant phrase that completes "PATH ...", or
 *        NULL if the status says it all
 * @return APR_SUCCESS, APR_EACCES with a reason: not trusted, APR_EINVAL with
 *         a reason: another kind of file, or what the system says
 */
apr_status_t sniv_walk_open(const sniv_walk_t *walk, const char *path,
                            sniv_walk_e what, int *pfd,
                            const char **preason);

#endif /* SNIVHOST_CERTS_WALK_H */
