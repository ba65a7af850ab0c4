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

#ifndef SNIVHOST_TLS_LIBRARY_H
#define SNIVHOST_TLS_LIBRARY_H

/**
 * @file tls/library.h
 * Whether mod_ssl and this module use one OpenSSL.
 *
 * Two can be in one process, if the module was built for another one than
 * mod_ssl. An SSL of mod_ssl has another layout then than the functions that
 * we are linked with think: none may be touched.
 */

#include "module/record.h"

/** In check_config, before all that asks snivhost_library_is_shared(): look,
 * and report an error if there are two. */
int snivhost_library_check_config(apr_pool_t *p, apr_pool_t *plog,
                                  apr_pool_t *ptemp, server_rec *s);

/** The same error for the error log. */
int snivhost_library_before_ssl(apr_pool_t *p, apr_pool_t *plog,
                                apr_pool_t *ptemp, server_rec *s);

/** 0 if mod_ssl uses another OpenSSL: no handshake can be taken part in. */
int snivhost_library_is_shared(void);

#endif /* SNIVHOST_TLS_LIBRARY_H */
