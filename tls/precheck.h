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

#ifndef SNIVHOST_TLS_PRECHECK_H
#define SNIVHOST_TLS_PRECHECK_H

/**
 * @file tls/precheck.h
 * With -t: what mod_ssl is going to stop a start or restart for. httpd alone
 * does not look into certificate files there.
 *
 * Not where something else is asked: an answer about a configuration does not
 * need its certificates. And only what is certain: a key with a pass phrase, in a
 * token or by SSLOpenSSLConfCmd, and a certificate that another module may
 * have, pass.
 */

#include "module/record.h"

/* The phase, for the hook table in mod_snivhost.c. */
int snivhost_precheck_check_config(apr_pool_t *pconf, apr_pool_t *plog,
                                   apr_pool_t *ptemp, server_rec *s);

#endif /* SNIVHOST_TLS_PRECHECK_H */
