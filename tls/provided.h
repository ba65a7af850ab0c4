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

#ifndef SNIVHOST_TLS_PROVIDED_H
#define SNIVHOST_TLS_PROVIDED_H

/**
 * @file tls/provided.h
 * Certificate files that other modules provide for virtual hosts, as mod_md
 * does: mod_ssl asks for them where it makes an SSL_CTX, so this has to ask
 * for virtual hosts that are going to be lean. mod_md also takes the question
 * as a sign that a virtual host has TLS.
 *
 * In post_config, one thread.
 */

#include "apr_tables.h"
#include "httpd.h"

/** Whether any other module may provide files. */
int snivhost_provided_any(void);

/**
 * Add the files that others provide to those of the directives.
 * @return whether there are any
 */
int snivhost_provided_add(server_rec *s, apr_array_header_t *cert_files,
                          apr_array_header_t *key_files, apr_pool_t *p);

#endif /* SNIVHOST_TLS_PROVIDED_H */
