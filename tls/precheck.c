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

#include "tls/precheck.h"

#include "apr_strings.h"
#include "http_core.h"
#include "http_ssl.h"

#include "certs/certs.h"
#include "certs/judge.h"
#include "module/asked.h"
#include "module/words.h"
#include "tls/adopt.h"
#include "tls/keyfile.h"
#include "tls/settings.h"

static int is_lean(const server_rec *s)
{
    const snivhost_tls_t *tls = snivhost_adopt_get(s);

    return tls && tls->how == SNIVHOST_TLS_LEAN;
}

/* Whether a module that we do not know may have certificates. */
static int has_provider(void)
{
    const apr_array_header_t *hooks = ap_hook_get_ssl_add_cert_files();
    int i;

    for (i = 0; hooks && i < hooks->nelts; i++) {
        const char *name = APR_ARRAY_IDX(hooks, i,
                                         ap_LINK_ssl_add_cert_files_t).szName;

        if (!name || (strcmp(name, "mod_snivhost.c")
                      && strcmp(name, "mod_md.c"))) {
            return 1;
        }
    }
    return 0;
}

static int has_token(const apr_array_header_t *paths)
{
    int i;

    for (i = 0; i < paths->nelts; i++) {
        if (!ap_cstr_casecmpn(APR_ARRAY_IDX(paths, i, const char *),
                              "pkcs11:", 7)) {
            return 1;
        }
    }
    return 0;
}

/* Why mod_ssl refuses the files of a virtual host, or NULL. */
static const char *find_problem(const snivhost_tlsconf_t *conf, apr_pool_t *p)
{
    const char *file = NULL, *reason = NULL;
    sniv_cert_files_t files;
    sniv_cert_info_t info;

    if (conf->managed || conf->of[SNIVHOST_SET_COMMANDS])
        return NULL;
    if (conf->certs->nelts == 0) {
        return snivhost_conf(conf->server)->store.dirs || has_provider()
               ? NULL : "it has SSLEngine on and no SSLCertificateFile";
    }
    if (has_token(conf->certs) || has_token(conf->keys))
        return NULL;
    snivhost_lean_files(conf, &files);
    if (sniv_certs_examine(&files, &info, &file, &reason, p) == APR_SUCCESS
        || (info.flags & SNIV_CERT_ENCRYPTED_KEY)
        || sniv_judge_stock(&files)) {
        return NULL;
    }
    return apr_psprintf(p, "%s %s", file, reason);
}

static const char *find_key_problem(const snivhost_tlsconf_t *conf,
                                    apr_pool_t *pconf, apr_pool_t *p)
{
    const char *path = snivhost_tlsconf_text(conf, SNIVHOST_SET_TICKET_KEYS);

    if (!path || snivhost_keyfile_read(conf->server, path, pconf)
                 == APR_SUCCESS) {
        return NULL;
    }
    return apr_psprintf(p, "the SSLSessionTicketKeyFile %s cannot be read or "
                        "has less than 48 bytes", path);
}

int snivhost_precheck_check_config(apr_pool_t *pconf, apr_pool_t *plog,
                                   apr_pool_t *ptemp, server_rec *s)
{
    const snivhost_tlsconfs_t *confs;
    server_rec *one;
    apr_pool_t *each;
    int status = OK;

    (void)plog;
    if (ap_state_query(AP_SQ_RUN_MODE) != AP_SQ_RM_CONFIG_TEST
        || snivhost_is_asked() || snivhost_conf(s)->mode <= SNIVHOST_OFF
        || !ap_find_linked_module("mod_ssl.c")) {
        return OK;
    }
    confs = snivhost_tlsconf_read(ap_conftree, s, ptemp, ptemp);
    apr_pool_create(&each, ptemp);
    for (one = s; one; one = one->next) {
        const snivhost_tlsconf_t *conf = snivhost_tlsconf_get(confs, one);
        const char *problem;

        apr_pool_clear(each);
        if (!conf->engine || is_lean(one))
            continue;
        problem = find_problem(conf, each);
        if (!problem)
            problem = find_key_problem(conf, pconf, each);
        if (problem) {
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL,
                         "SNIV0318: the server would not start: mod_ssl "
                         "refuses virtual host %s (%s): %s",
                         one->server_hostname,
                         snivhost_place_text(each, one), problem);
            status = HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    apr_pool_destroy(each);
    return status;
}
