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

#ifndef SNIVHOST_SERVE_ACME_H
#define SNIVHOST_SERVE_ACME_H

/**
 * @file serve/acme.h
 * Challenges of certificate authorities (RFC 8555, 8.3) that the first store
 * has an answer for: every server gives it, for any name, also one that
 * SNIVHostUnknownHost would refuse. An answer is given only as long as it is
 * valid, and only if it was put into the store with SNIVHostStoreKey.
 *
 * Any worker thread.
 */

#include "module/record.h"

/* The phases, for the hook table in mod_snivhost.c. */
int snivhost_acme_post_read_request(request_rec *r);

#endif /* SNIVHOST_SERVE_ACME_H */
