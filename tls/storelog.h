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

#ifndef SNIVHOST_TLS_STORELOG_H
#define SNIVHOST_TLS_STORELOG_H

/**
 * @file tls/storelog.h
 * What the log, and -t, say of the certificate store.
 *
 * A folder may hold thousands of files that are no certificates, or that
 * keep changing. So of a kind of event in a place (a folder
 * that is named, or one directly in it) the first few have a line each, and
 * the rest is a number in one line: at once after the load, each hour later.
 * Parent only, one thread.
 */

#include "certs/certs.h"
#include "module/record.h"

typedef struct snivhost_storelog_t snivhost_storelog_t;

/**
 * @param s for whose log; NULL: for the console, with -t
 * @param defer keep what is about named files until _flush(): it may turn out
 *        that they are mod_ssl's
 */
snivhost_storelog_t *snivhost_storelog_make(const sniv_certs_t *certs,
                                            const server_rec *s, int defer,
                                            apr_pool_t *p);

/** A sniv_certs_report_fn; the baton is the snivhost_storelog_t. */
void snivhost_storelog_note(void *baton, sniv_certs_event_e event,
                            sniv_cert_id_t id, const char *file,
                            const char *reason);

/** Say what was kept, but what is about forgotten entries, and the numbers;
 * and name folders that have nothing to serve. */
void snivhost_storelog_flush(snivhost_storelog_t *log);

/** After each look: say the numbers if an hour is over. */
void snivhost_storelog_tick(snivhost_storelog_t *log);

#endif /* SNIVHOST_TLS_STORELOG_H */
