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

#include "tell/facts.h"

#include "apr_thread_mutex.h"
#include "http_core.h"
#include "http_main.h"

/* ----- of a configuration ----- */

/* What post_config notes about a first virtual host that has no
 * SSLCertificateFile, and -t does not come to. */
static void mark_first(const snivhost_facts_t *facts)
{
    int i;

    for (i = 0; facts->tls && i < facts->table->nsets; i++) {
        server_rec *s = facts->table->sets[i]->members[0]->server;
        snivhost_store_conf_t *conf = &snivhost_conf(s)->store;

        if (conf->dirs && snivhost_tlsconf_get(facts->tls, s)->certs->nelts
                          == 0) {
            conf->is_first = 1;
        }
    }
}

apr_status_t snivhost_facts_make(snivhost_facts_t **pfacts,
                                 server_rec *main_server, apr_pool_t *p,
                                 apr_pool_t *ptemp)
{
    snivhost_facts_t *facts = apr_pcalloc(p, sizeof(*facts));
    apr_status_t rv;

    facts->main_server = main_server;
    facts->mode = snivhost_conf(main_server)->mode;
    if (snivhost_live) {
        facts->table = snivhost_live->table;
        if (snivhost_live->mode == SNIVHOST_ON)
            facts->refuse = snivhost_live->refuse;
    }
    else {
        rv = snivhost_table_make(&facts->table, main_server, p, ptemp);
        if (rv != APR_SUCCESS)
            return rv;
        if (facts->mode == SNIVHOST_ON)
            facts->refuse = snivhost_refuse_make(facts->table, p, ptemp);
    }
    if (ap_find_linked_module("mod_ssl.c") && ap_conftree) {
        facts->tls = snivhost_tlsconf_read(ap_conftree, main_server, p,
                                           ptemp);
    }
    if (!snivhost_live)
        mark_first(facts);
    *pfacts = facts;
    return APR_SUCCESS;
}

/* ----- of the running server ----- */

/* One of each per child. */
static apr_pool_t *live_pool;
static snivhost_facts_t *live_facts;
#if APR_HAS_THREADS
static apr_thread_mutex_t *live_mutex;
#endif

const snivhost_facts_t *snivhost_facts_acquire(void)
{
    apr_pool_t *ptemp;

#if APR_HAS_THREADS
    if (live_mutex)
        apr_thread_mutex_lock(live_mutex);
#endif
    if (!live_facts && live_pool
        && apr_pool_create(&ptemp, live_pool) == APR_SUCCESS) {
        if (snivhost_facts_make(&live_facts, ap_server_conf, live_pool, ptemp)
            == APR_SUCCESS) {
            live_facts->is_live = 1;
        }
        apr_pool_destroy(ptemp);
    }
    if (!live_facts)
        snivhost_facts_release();
    return live_facts;
}

void snivhost_facts_release(void)
{
#if APR_HAS_THREADS
    if (live_mutex)
        apr_thread_mutex_unlock(live_mutex);
#endif
}

void snivhost_facts_child_init(apr_pool_t *p, server_rec *s)
{
    (void)s;
    live_facts = NULL;
    if (apr_pool_create(&live_pool, p) != APR_SUCCESS)
        live_pool = NULL;
#if APR_HAS_THREADS
    if (apr_thread_mutex_create(&live_mutex, APR_THREAD_MUTEX_DEFAULT, p)
        != APR_SUCCESS) {
        live_mutex = NULL;
        live_pool = NULL;
    }
#endif
}
