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

#ifndef SNIVHOST_MODULE_PRIVATE_H
#define SNIVHOST_MODULE_PRIVATE_H

/**
 * @file module/private.h
 * The module and its log, for every file of the httpd side.
 */

#include "httpd.h"
#include "http_config.h"
#include "http_log.h"

#if !AP_MODULE_MAGIC_AT_LEAST(20120211, 116)
#error "mod_snivhost needs httpd 2.4.49 or later: conn_rec has to have outgoing"
#endif

extern module AP_MODULE_DECLARE_DATA snivhost_module;
APLOG_USE_MODULE(snivhost);

#endif /* SNIVHOST_MODULE_PRIVATE_H */
