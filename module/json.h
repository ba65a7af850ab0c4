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

#ifndef SNIVHOST_MODULE_JSON_H
#define SNIVHOST_MODULE_JSON_H

/**
 * @file module/json.h
 * JSON of texts that may hold any bytes. the manual has the shape of what
 * is made of it. Any thread; results are the caller's.
 */

#include <jansson.h>

#include "module/record.h"

/** The version of the JSON shape; another one if a key changes its meaning
 * or goes. */
#define SNIVHOST_JSON_VERSION 1

/** A string whatever its bytes: what is not UTF-8 is escaped as `\xhh`;
 * NULL is null. */
json_t *snivhost_json_text(const char *text, apr_pool_t *p);

/** An array of them; those that are NULL are left out. */
json_t *snivhost_json_texts(const char *const *texts, int n, apr_pool_t *p);

/** "file:line", null for the main server. */
json_t *snivhost_json_place(const sniv_vhost_t *v, apr_pool_t *p);

/** "2027-01-31T12:00:00Z". */
json_t *snivhost_json_time(apr_time_t when);

/** A JSON value as text that ends with a line feed and is safe on a
 * terminal; takes the value. */
const char *snivhost_json_dump(json_t *json, apr_pool_t *p);

#endif /* SNIVHOST_MODULE_JSON_H */
