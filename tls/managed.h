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


#ifndef SNIVHOST_TLS_MANAGED_H
#define SNIVHOST_TLS_MANAGED_H

/**
 * @file tls/managed.h
 * Names that mod_md manages: it gives their virtual hosts certificates when
 * the server starts. Errs on the side of "managed".
 *
 * The names are a hash of lower-case names. One thread.
 */

#include "apr_hash.h"
#include "httpd.h"

/** Add the names of an MDomain, <MDomainSet or MDMember line. */
void snivhost_managed_add(apr_hash_t *names, const char *args);

/** Whether a virtual host has one of the names. */
int snivhost_managed_has(const apr_hash_t *names, const server_rec *s);

/**
 * Add ServerName and all ServerAliases: mod_md does for a virtual host that
 * has a name in common with a managed domain (MDMembers auto).
 */
void snivhost_managed_add_server(apr_hash_t *names, const server_rec *s);

#endif /* SNIVHOST_TLS_MANAGED_H */
