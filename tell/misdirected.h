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

/** A setting: `'TLSv1.2' (sites.conf:23)`, or "nothing". */
const char *snivhost_setting_text(apr_pool_t *p,
                                  const snivhost_setting_t *setting);

/**
 * Who set a connection up, for a log line about a request: "the handshake was
 * for SNI 'a.example' and a.example (sites.conf:9)".
 * @return "" if it had no TLS handshake that we have seen
 */
const char *snivhost_handshake_text(request_rec *r);

void snivhost_421_register_hooks(apr_pool_t *p);
void snivhost_421_dump_register_hooks(apr_pool_t *p);

#endif /* SNIVHOST_TELL_MISDIRECTED_H */
