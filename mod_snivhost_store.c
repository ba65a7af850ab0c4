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

#include "mod_snivhost_store.h"

#include "apr_strings.h"

static sniv_certs_t *store;

sniv_certs_t *snivhost_store(void)
{
    return store;
}

static apr_status_t forget_store(void *dummy)
{
    (void)dummy;
    store = NULL;
    return APR_SUCCESS;
}

int snivhost_store_make(apr_pool_t *pconf)
{
    apr_status_t rv;

    if (store)
        return OK;
    rv = sniv_certs_make(&store, pconf);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, NULL, "SNIV0300: "
                     "the certificate store could not be made");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    apr_pool_cleanup_register(pconf, NULL, forget_store,
                              apr_pool_cleanup_null);
    return OK;
}

/* What the store has to tell, at load. */
static void report(void *baton, sniv_certs_event_e event, sniv_cert_id_t id,
                   const char *file, const char *reason)
{
    server_rec *s = baton;

    (void)id;
    switch (event) {
    case SNIV_CERTS_BAD:
    case SNIV_CERTS_FOLDER:
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "SNIV0301: %s: %s",
                     file, reason);
        break;
    default:
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "SNIV0302: %s: %s",
                     file, reason);
        break;
    }
}

static int load(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                server_rec *s)
{
    apr_status_t rv;

    (void)pconf;
    (void)plog;
    (void)ptemp;
    if (!store)
        return OK;
    rv = sniv_certs_load(store, 0, 0, report, s);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s, "SNIV0303: "
                     "no memory for the certificate store");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

void snivhost_store_register_hooks(apr_pool_t *p)
{
    (void)p;
    /* After everybody who forks a daemon in post_config: those inherit
     * nothing of the keys. */
    ap_hook_post_config(load, NULL, NULL, APR_HOOK_REALLY_LAST);
}
