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

#ifndef SNIVHOST_TELL_FACTS_H
#define SNIVHOST_TELL_FACTS_H

/**
 * @file tell/facts.h
 * Everything that an explanation, a dump or the status page looks things up
 * in: the tables, the TLS settings, the certificates.
 *
 * There are two ways to have them. Under -t they are made from the
 * configuration that has just been read, and certificates are described from
 * their files. In a running server they are made by the first question that
 * a child is asked, so that it costs nothing unless used; certificates are
 * then described from memory, as they are served.
 */

#include "module/record.h"
#include "serve/refuse.h"
#include "tls/settings.h"
#include "tls/sni_policy.h"

typedef struct snivhost_facts_t {
    server_rec *main_server;
    const sniv_table_t *table;
    const snivhost_tlsconfs_t *tls;     /**< NULL: there is no mod_ssl */
    const snivhost_refuse_t *const *refuse;   /**< by set number, the main
                                             server's last; NULL: none */
    snivhost_mode_e mode;
    int is_live;
} snivhost_facts_t;

/**
 * Make the facts of a configuration that has been read: from check_config
 * on, one thread.
 * @param p of the result, which grows with what is asked
 */
apr_status_t snivhost_facts_make(snivhost_facts_t **pfacts,
                                 server_rec *main_server, apr_pool_t *p,
                                 apr_pool_t *ptemp);

/**
 * The facts of the running server, made when they are first asked for. They
 * are the caller's alone until snivhost_facts_release().
 * @return NULL if there is no memory
 */
const snivhost_facts_t *snivhost_facts_acquire(void);

/** Let others have them. */
void snivhost_facts_release(void);

/* The phases, for the hook table in mod_snivhost.c. */
void snivhost_facts_child_init(apr_pool_t *p, server_rec *s);

#endif /* SNIVHOST_TELL_FACTS_H */
