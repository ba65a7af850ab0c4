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


#include "tls/first.h"

#include <errno.h>
#include <unistd.h>

#include "apr_file_io.h"
#include "apr_strings.h"
#include "http_core.h"
#include "http_main.h"
#include "http_ssl.h"

#include <openssl/crypto.h>

#include "certs/standin.h"
#include "module/words.h"
#include "tls/adopt.h"
#include "tls/library.h"
#include "tls/settings.h"
#include "tls/store.h"

#define FOLDER_OF(s) APR_ARRAY_IDX(snivhost_conf(s)->store.dirs, 0, \
                                   const char *)

int snivhost_first_is_standin(const server_rec *s)
{
    return snivhost_conf(s)->store.is_standin;
}

/* ----- one from the folders ----- */

/* Whether mod_ssl can use the files of an entry: the leaf comes first there. */
static int is_for_mod_ssl(const sniv_cert_info_t *info, const server_rec *s,
                          apr_pool_t *p)
{
    const char *const *paths = info->files, *file, *reason;
    sniv_cert_files_t files;
    sniv_cert_info_t stock;

    memset(&files, 0, sizeof(files));
    files.certs = paths;
    files.ncerts = 1;
    files.keys = paths + 1;
    files.nkeys = info->nfiles > 1 ? 1 : 0;
    files.level = snivhost_conf(s)->store.level;
    if (sniv_certs_examine(&files, &stock, &file, &reason, p) == APR_SUCCESS)
        return 1;
    ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, s, "SNIV0313: "
                 "virtual host %s has no SSLCertificateFile, and mod_ssl "
                 "cannot use one in its folder: %s %s. The next one is tried",
                 s->server_hostname, file, reason);
    return 0;
}

/*
 * The best entry for a server that mod_ssl can use. Those that it cannot are
 * taken out of the early store, which is there for nothing else.
 */
static int find_for_mod_ssl(server_rec *s, sniv_cert_info_t *info,
                            apr_pool_t *p)
{
    sniv_certs_t *certs = snivhost_store_look(ap_server_conf, p);
    sniv_cert_id_t id;

    while (certs
           && (id = snivhost_store_find(certs, snivhost_store_scope(certs, s),
                                        s)) != SNIV_CERT_NONE
           && sniv_certs_info(certs, id, info, p) == APR_SUCCESS) {
        if (is_for_mod_ssl(info, s, p))
            return 1;
        if (certs == snivhost_site.store)
            certs = snivhost_store_early(p);
        else
            sniv_certs_drop(certs, id);
    }
    return 0;
}

/* ----- or a stand-in ----- */

static int is_first_pass(void)
{
    return ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG;
}

static void say_unwritable(const server_rec *s, int to, apr_status_t rv,
                           const char *path)
{
    ap_log_error(APLOG_MARK, APLOG_ERR | to, rv, to ? NULL : s, "SNIV0317: "
                 "%s cannot be written: virtual host %s has no certificate, "
                 "and mod_ssl is going to stop the server. DefaultRuntimeDir "
                 "has to be writable for the user that starts httpd", path,
                 s->server_hostname);
}

/* A file that ends when mod_ssl has read it; NULL: none could be made. */
static const char *make_standin(const server_rec *s, apr_pool_t *p)
{
    char *path = ap_runtime_dir_relative(p, "snivhost-XXXXXX");
    char pem[SNIV_STANDIN_MAX];
    apr_size_t len;
    apr_file_t *file;
    apr_status_t rv;

    if (!snivhost_site.standins)
        apr_pool_create(&snivhost_site.standins, p);
    rv = sniv_standin_make(s->server_hostname, pem, &len);
    if (rv == APR_SUCCESS)
        rv = apr_file_mktemp(&file, path, 0, snivhost_site.standins);
    if (rv == APR_SUCCESS)
        rv = apr_file_write_full(file, pem, len, NULL);
    OPENSSL_cleanse(pem, sizeof(pem));
    if (rv == APR_SUCCESS)
        return path;
    say_unwritable(s, 0, rv, path);
    return NULL;
}

static void say_missing(const server_rec *s, int to, apr_pool_t *p)
{
    ap_log_error(APLOG_MARK, APLOG_ERR | to, 0, to ? NULL : s, "SNIV0316: "
                 "virtual host %s (%s) has no SSLCertificateFile, and no "
                 "certificate below %s that can be used is for its names: its "
                 "handshakes are refused until there is one. Put one there",
                 s->server_hostname, snivhost_place_text(p, s), FOLDER_OF(s));
}

int snivhost_first_add_cert_files(server_rec *s, apr_pool_t *p,
                                  apr_array_header_t *cert_files,
                                  apr_array_header_t *key_files)
{
    snivhost_store_conf_t *conf = &snivhost_conf(s)->store;
    const char *cert, *key;
    sniv_cert_info_t info;

    if (cert_files->nelts > 0 || !conf->dirs
        || snivhost_conf(s)->mode <= SNIVHOST_OFF) {
        return DECLINED;
    }
    if (find_for_mod_ssl(s, &info, p)) {
        cert = info.files[0];
        key = info.files[info.nfiles > 1 ? 1 : 0];
        ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, s, "SNIV0314: "
                     "virtual host %s has no SSLCertificateFile: its "
                     "certificate is %s", s->server_hostname, cert);
    }
    else {
        /* mod_md has one for its names when the time comes; and without our
         * callback the stand-in would be sent */
        if (conf->is_managed || !snivhost_library_is_shared()
            || (!is_first_pass() && !snivhost_store())
            || (cert = key = make_standin(s, p)) == NULL) {
            return DECLINED;
        }
        conf->is_standin = 1;
        if (!is_first_pass() && snivhost_store_find(snivhost_store(),
                                                    conf->scope, s)
                                == SNIV_CERT_NONE) {
            say_missing(s, 0, p);
        }
    }
    APR_ARRAY_PUSH(cert_files, const char *) = cert;
    APR_ARRAY_PUSH(key_files, const char *) = key;
    conf->is_first = 1;
    return OK;
}

void snivhost_first_after_ssl(void)
{
    if (snivhost_site.standins)
        apr_pool_destroy(snivhost_site.standins);
    snivhost_site.standins = NULL;
}

/* ----- before a start ----- */

/* As it is going to be set up; also for explanations. */
static int is_missing(const server_rec *s, const snivhost_tlsconf_t *conf,
                      sniv_certs_t *certs)
{
    const snivhost_tls_t *tls = snivhost_adopt_get(s);
    snivhost_store_conf_t *store = &snivhost_conf(s)->store;

    if (!conf->engine || conf->certs->nelts > 0 || conf->managed
        || !store->dirs || (tls && tls->how == SNIVHOST_TLS_LEAN)) {
        return 0;
    }
    store->is_first = 1;
    store->is_standin = snivhost_store_find(certs,
                                            snivhost_store_scope(certs, s), s)
                        == SNIV_CERT_NONE;
    return store->is_standin;
}

/*
 * -t says what a start is going to say. SNIVHostLint Strict stops a start
 * before the server has detached itself; a restart is not stopped.
 */
int snivhost_first_check_config(apr_pool_t *pconf, apr_pool_t *plog,
                                apr_pool_t *ptemp, server_rec *s)
{
    const int is_strict = snivhost_conf(s)->lint == SNIVHOST_LINT_STRICT;
    const char *dir = ap_runtime_dir_relative(ptemp, "");
    const snivhost_tlsconfs_t *confs;
    server_rec *main_server = s;
    sniv_certs_t *certs;
    int status = OK;

    (void)plog;
    if ((ap_state_query(AP_SQ_RUN_MODE) != AP_SQ_RM_CONFIG_TEST
         && !(is_strict && is_first_pass()))
        || !snivhost_library_is_shared()
        || (certs = snivhost_store_look(s, pconf)) == NULL) {
        return OK;
    }
    confs = snivhost_tlsconf_read(ap_conftree, main_server, ptemp, ptemp);
    for (; s; s = s->next) {
        if (!is_missing(s, snivhost_tlsconf_get(confs, s), certs))
            continue;
        say_missing(s, APLOG_STARTUP, ptemp);
        if (is_strict)
            status = HTTP_INTERNAL_SERVER_ERROR;
        if (access(dir, W_OK | X_OK) != 0) {
            say_unwritable(s, APLOG_STARTUP, errno, dir);
            status = HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    return status;
}
