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

#ifndef SNIVHOST_TELL_MISDIRECTED_H
#define SNIVHOST_TELL_MISDIRECTED_H

/**
 * @file tell/misdirected.h
 * Help with 421 Misdirected Request, the answer to a request for one virtual
 * host over a connection that another one has set up.
 *
 * Browsers send such requests on purpose: with HTTP/2 they use a connection
 * for every name that its certificate covers and that has the same address.
 * mod_ssl's SSLVHostSNIPolicy then compares the two virtual hosts. Its log
 * line says that they do not fit; ours says why (tell/misdirected.c), and
 * -D DUMP_SNIVHOST_421 says where it is going to happen
 * (tell/forecast.c).
 */

#include "module/record.h"
#include "tls/sni_policy.h"

/* The phases, for the hook table in mod_snivhost.c. */
int snivhost_421_log_transaction(request_rec *r);
void snivhost_421_dump_test_config(apr_pool_t *p, server_rec *s);

#endif /* SNIVHOST_TELL_MISDIRECTED_H */
