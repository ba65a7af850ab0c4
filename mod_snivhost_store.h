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

#ifndef MOD_SNIVHOST_STORE_H
#define MOD_SNIVHOST_STORE_H

/**
 * @file mod_snivhost_store.h
 * The certificate store of the running configuration: made in post_config,
 * loaded at the end of it (in the second of the two passes at start), looked
 * after by the parent.
 */

#include "mod_snivhost.h"
#include "sniv_certs.h"

/** The store, or NULL if nothing needs one. */
sniv_certs_t *snivhost_store(void);

/**
 * Make sure that there is a store. For post_config, before its end.
 * @return OK or an error that was logged
 */
int snivhost_store_make(apr_pool_t *pconf);

void snivhost_store_register_hooks(apr_pool_t *p);

#endif /* MOD_SNIVHOST_STORE_H */
