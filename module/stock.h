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

#ifndef SNIVHOST_MODULE_STOCK_H
#define SNIVHOST_MODULE_STOCK_H

/**
 * @file module/stock.h
 * Stock httpd beside us: its walk for a server name, and the report that it
 * and the tables differ.
 */

#include "module/record.h"

/** Report that stock httpd and we differ; see SNIVHost Verify. */
void snivhost_differs(const conn_rec *c, const request_rec *r,
                      const char *what, const char *name,
                      const server_rec *stock, const sniv_decision_t *ours);

/**
 * mod_ssl's search for a server name, made as mod_ssl makes it: a walk, for
 * connections that are left to core.
 * @return NULL if no virtual host has the name
 */
server_rec *snivhost_search_sni(conn_rec *c, const char *name);

/**
 * What core decides for a name, on a connection that is left to it: how it
 * comes to that is one walk here, too.
 * @param name NULL if there is none
 * @param is_host whether it is a request's, which may be the text of a
 *        <VirtualHost> as well
 * @param d receives it: a set and its first virtual host, by rule "default"
 *        unless the name is known
 */
void snivhost_stock_decide(conn_rec *c, const char *name, int is_host,
                           sniv_decision_t *d);

#endif /* SNIVHOST_MODULE_STOCK_H */
