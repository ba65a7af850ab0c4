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

#ifndef SNIVHOST_SERVE_REQUEST_H
#define SNIVHOST_SERVE_REQUEST_H

/**
 * @file serve/request.h
 * The virtual host of a connection, by its address, and of a request, by its
 * Host.
 */

#include "module/record.h"

/**
 * The rule by which a request got its virtual host.
 * @return NULL if its name has not been looked at
 */
const char *snivhost_request_rule(const request_rec *r);

/* The phases, for the hook table in mod_snivhost.c. */
int snivhost_pre_connection(conn_rec *c, void *csd);
void snivhost_pre_read_request(request_rec *r, conn_rec *c);
int snivhost_post_read_request(request_rec *r);
void snivhost_insert_error_filter(request_rec *r);

#endif /* SNIVHOST_SERVE_REQUEST_H */
