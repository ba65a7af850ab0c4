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

#include "tls/store.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "apr_strings.h"
#include "http_core.h"
#include "http_main.h"
#include "http_ssl.h"
#include "mpm_common.h"

#include "certs/issuer.h"
#include "module/version.h"
#include "module/words.h"
#include "tls/keeper.h"
#include "tls/library.h"
#include "tls/settings.h"
#include "tls/storelog.h"

#define CHECK_DEFAULT 30
#define LOOK_BUDGET apr_time_from_msec(50)

sniv_certs_t *snivhost_store(void)
{
    return snivhost_site.store;
}

int snivhost_store_serves(const server_rec *s)
{
    return snivhost_site.store
           && snivhost_conf(s)->store.scope != SNIV_SCOPE_NONE;
}

int snivhost_store_has(const server_rec *s, const char *name,
                       apr_size_t len)
{
    return snivhost_store_serves(s)
           && sniv_certs_vouch(snivhost_site.store,
                               snivhost_conf(s)->store.scope, name,
                               len, apr_time_now());
}

static apr_interval_time_t interval_of(const server_rec *s)
{
    int check = snivhost_conf(s)->store.check;

    return apr_time_from_sec(check < 0 ? CHECK_DEFAULT : check);
}

int snivhost_store_is_renewed(void)
{
    return interval_of(ap_server_conf) > 0;
}

/* ----- making the store ----- */

void snivhost_store_make(apr_pool_t *pconf)
{
    apr_status_t rv;

    if (snivhost_site.store)
        return;
    rv = snivhost_pool_create(&snivhost_site.store_pool, pconf);
    if (rv == APR_SUCCESS)
        rv = sniv_certs_make(&snivhost_site.store, snivhost_site.store_pool);
    if (rv != APR_SUCCESS) {
        snivhost_site.store = NULL;
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, NULL, "SNIV0300: out of "
                     "memory for the certificate store: it is off, and "
                     "mod_ssl sets up all virtual hosts that have an "
                     "SSLCertificateFile");
        return;
    }
    sniv_certs_keys(snivhost_site.store,
                    snivhost_conf(ap_server_conf)->store.key);
}

/* Note the folders of a server; servers with the same ones share them. */
static apr_status_t note_folders(sniv_certs_t *certs, const server_rec *s,
                                 sniv_scope_t *scope)
{
    const snivhost_store_conf_t *conf = &snivhost_conf(s)->store;
    const apr_array_header_t *dirs = conf->dirs;

    return sniv_certs_add_folders(certs,
                                  (const char *const *)(void *)dirs->elts,
                                  dirs->nelts, conf->level,
                                  conf->trust < 0 ? SNIV_TRUST_STRICT
                                  : (sniv_trust_e)conf->trust, scope);
}

static const server_rec *with_folders(const server_rec *s)
{
    while (s && !snivhost_conf(s)->store.dirs)
        s = s->next;
    return s;
}

void snivhost_store_end(const server_rec *main_server)
{
    if (!snivhost_site.store || with_folders(main_server))
        return;
    snivhost_site.store = NULL;
    snivhost_site.storelog = NULL;
    apr_pool_destroy(snivhost_site.store_pool);
    snivhost_site.store_pool = NULL;
}

/* At which security level the certificates are going to be used. */
static void read_settings(server_rec *main_server, apr_pool_t *p)
{
    const snivhost_tlsconfs_t *confs;
    apr_pool_t *ptemp;
    server_rec *s;

    apr_pool_create(&ptemp, p);
    confs = snivhost_tlsconf_read(ap_conftree, main_server, ptemp, ptemp);
    for (s = main_server; s; s = s->next) {
        const snivhost_tlsconf_t *conf = snivhost_tlsconf_get(confs, s);

        snivhost_conf(s)->store.level = conf->level;
        snivhost_conf(s)->store.is_managed = conf->managed;
    }
    apr_pool_destroy(ptemp);
}

static void note_all_folders(server_rec *main_server, apr_pool_t *pconf)
{
    server_rec *s;

    if (!with_folders(main_server) || !snivhost_library_is_shared())
        return;
    read_settings(main_server, pconf);
    snivhost_store_make(pconf);
    for (s = main_server; s && snivhost_site.store; s = s->next) {
        snivhost_store_conf_t *conf = &snivhost_conf(s)->store;

        if (conf->dirs && note_folders(snivhost_site.store, s, &conf->scope)
                          != APR_SUCCESS) {
            conf->scope = SNIV_SCOPE_NONE;
            ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s, "SNIV0304: virtual "
                         "host %s: out of memory for the folders of "
                         "SNIVHostCertificates: they are not used",
                         s->server_hostname);
        }
    }
}

/* What is reported while files are read. What cannot be opened may hold what
 * is not found elsewhere. */
static void note(void *baton, sniv_certs_event_e event, sniv_cert_id_t id,
                 const char *file, const char *reason)
{
    if (event == SNIV_CERTS_FOLDER
        || (event == SNIV_CERTS_BAD && !strncmp(reason, "cannot be ", 10))) {
        snivhost_site.store_is_partial = 1;
    }
    if (baton)
        snivhost_storelog_note(baton, event, id, file, reason);
}

/* ----- a first virtual host without SSLCertificateFile ----- */

static apr_status_t forget_early(void *dummy)
{
    (void)dummy;
    snivhost_site.early = NULL;
    snivhost_site.early_pool = NULL;
    return APR_SUCCESS;
}

/*
 * Read the folders for the time that mod_ssl configures itself, in the first
 * of the two passes of a start: later the store itself is there. Without a
 * word: that one has them.
 */
sniv_certs_t *snivhost_store_early(apr_pool_t *p)
{
    const server_rec *one;
    sniv_scope_t scope;

    if (snivhost_site.early)
        return snivhost_site.early;
    apr_pool_create(&snivhost_site.early_pool, p);
    apr_pool_cleanup_register(snivhost_site.early_pool, NULL, forget_early,
                              apr_pool_cleanup_null);
    if (sniv_certs_make(&snivhost_site.early, snivhost_site.early_pool)
        != APR_SUCCESS)
        return NULL;
    sniv_certs_keys(snivhost_site.early,
                    snivhost_conf(ap_server_conf)->store.key);
    read_settings(ap_server_conf, snivhost_site.early_pool);
    for (one = ap_server_conf; one; one = one->next) {
        if (snivhost_conf(one)->store.dirs)
            note_folders(snivhost_site.early, one, &scope);
    }
    (void)sniv_certs_load(snivhost_site.early, SNIV_CERTS_LOAD_DRY, 1, note,
                          NULL);
    return snivhost_site.early;
}

sniv_scope_t snivhost_store_scope(sniv_certs_t *certs, const server_rec *s)
{
    sniv_scope_t scope = SNIV_SCOPE_NONE;

    if (snivhost_conf(s)->store.dirs)
        (void)note_folders(certs, s, &scope);
    return scope;
}

sniv_certs_t *snivhost_store_look(server_rec *main_server, apr_pool_t *p)
{
    if (!with_folders(main_server)
        || snivhost_conf(main_server)->mode <= SNIVHOST_OFF) {
        return NULL;
    }
    return snivhost_site.storelog ? snivhost_site.store
                                  : snivhost_store_early(p);
}

int snivhost_store_is_partial(void)
{
    return snivhost_site.store_is_partial;
}

static sniv_cert_id_t find_name(const sniv_certs_t *certs, sniv_scope_t scope,
                                const char *name)
{
    return name ? sniv_certs_find(certs, scope, name, strlen(name),
                                  apr_time_now())
                : SNIV_CERT_NONE;
}

sniv_cert_id_t snivhost_store_find(const sniv_certs_t *certs,
                                   sniv_scope_t scope, const server_rec *s)
{
    sniv_cert_id_t id = SNIV_CERT_NONE;
    int i;

    if (scope == SNIV_SCOPE_NONE)
        return id;
    id = find_name(certs, scope, s->server_hostname);
    for (i = 0; id == SNIV_CERT_NONE && s->names && i < s->names->nelts; i++)
        id = find_name(certs, scope, APR_ARRAY_IDX(s->names, i, const char *));
    return id;
}

/* ----- the phases ----- */

int snivhost_store_check_config(apr_pool_t *pconf, apr_pool_t *plog,
                                apr_pool_t *ptemp, server_rec *s)
{
    (void)pconf;
    (void)plog;
    /* for all that looks at certificates until the configuration is done */
    sniv_trusted_share(ptemp);
    if (!with_folders(s) || snivhost_conf(s)->mode > SNIVHOST_OFF)
        return OK;
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL,
                 "SNIV0312: SNIVHostCertificates requires SNIVHost On (or "
                 "Verify) in the main server");
    return HTTP_INTERNAL_SERVER_ERROR;
}

int snivhost_store_before_ssl(apr_pool_t *pconf, apr_pool_t *plog,
                              apr_pool_t *ptemp, server_rec *s)
{
    (void)plog;
    (void)ptemp;
    if (ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG)
        note_all_folders(s, pconf);
    return OK;
}

/* ----- from one configuration to the next ----- */

/*
 * What the store before has left, for the life of the process. A module of
 * another version, after an upgrade, does not find it.
 */
static sniv_bequest_t **bequest(void)
{
    static const char key[] = "mod_snivhost_store_"
                              MOD_SNIVHOST_VERSION;
    sniv_bequest_t **kept = ap_retained_data_get(key);

    return kept ? kept : ap_retained_data_create(key, sizeof(*kept));
}

static void end_bequest(void)
{
    sniv_bequest_t **kept = bequest();

    if (*kept)
        sniv_bequest_end(*kept);
    *kept = NULL;
}

/* Before the pool of the configuration is cleared, and after the keeper has
 * ended. In the parent. */
static apr_status_t bequeath(void *data)
{
    const pid_t *parent = data;

    if (*parent == getpid() && snivhost_site.store) {
        end_bequest();
        *bequest() = sniv_certs_bequeath(snivhost_site.store);
    }
    return APR_SUCCESS;
}

static void will_bequeath(apr_pool_t *pconf)
{
    pid_t *parent = apr_palloc(pconf, sizeof(*parent));

    *parent = getpid();
    apr_pool_pre_cleanup_register(pconf, parent, bequeath);
}

/* Adoption leaves to mod_ssl what the store has not. */
static void say_off(const server_rec *s)
{
    ap_log_error(APLOG_MARK, APLOG_CRIT | (s ? 0 : APLOG_STARTUP), 0, s,
                 "SNIV0303: out of memory for the certificate store: it is "
                 "off, and mod_ssl sets up all virtual hosts that have an "
                 "SSLCertificateFile");
}

void snivhost_store_load(server_rec *s, apr_pool_t *pconf)
{
    const snivhost_store_conf_t *conf = &snivhost_conf(s)->store;

    if (snivhost_site.storelog)
        return;
    note_all_folders(s, pconf);
    if (!snivhost_site.store)
        return;
    snivhost_site.store_is_partial = 0;
    snivhost_site.storelog = snivhost_storelog_make(snivhost_site.store, s, 1,
                                                    snivhost_site.store_pool);
    /* without a keeper no one would read the folders later */
    if (*bequest() && interval_of(s) > 0)
        (void)sniv_certs_inherit(snivhost_site.store, *bequest());
    if (sniv_certs_load(snivhost_site.store, SNIV_CERTS_LOAD_HIDDEN,
                        conf->cache > 0 ? conf->cache : 0,
                        note, snivhost_site.storelog) != APR_SUCCESS) {
        say_off(s);
    }
    end_bequest();
}

int snivhost_store_load_before_ssl(apr_pool_t *pconf, apr_pool_t *plog,
                                   apr_pool_t *ptemp, server_rec *s)
{
    (void)plog;
    (void)ptemp;
    if (ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG)
        snivhost_store_load(s, pconf);
    return OK;
}

int snivhost_store_publish(apr_pool_t *pconf, apr_pool_t *plog,
                           apr_pool_t *ptemp, server_rec *s)
{
    const snivhost_store_conf_t *conf = &snivhost_conf(s)->store;
    sniv_certs_stats_t stats;

    (void)plog;
    (void)ptemp;
    if (snivhost_site.early_pool)
        apr_pool_destroy(snivhost_site.early_pool);
    if (!snivhost_site.store) {
        end_bequest();
        return OK;
    }
    snivhost_store_load(s, pconf);
    snivhost_storelog_flush(snivhost_site.storelog);
    sniv_certs_publish(snivhost_site.store);
    sniv_certs_stats(snivhost_site.store, &stats);
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s, "SNIV0315: "
                 "certificate store: %u certificate%s, %u chain%s, %"
                 APR_UINT64_T_FMT " KB", stats.entries,
                 snivhost_plural(stats.entries), stats.chains,
                 snivhost_plural(stats.chains), (stats.bytes + 1023) / 1024);
    if (conf->check != 0 && stats.room > 0
        && !sniv_certs_is_shared(snivhost_site.store)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "SNIV0311: renewed "
                     "certificates are served only after a restart: this "
                     "system cannot seal shared memory, as Linux 5.1 or later "
                     "can (SNIVHostCertificateCheck Off suppresses this "
                     "message)");
    }
    return OK;
}

const char *snivhost_store_keeper(sniv_certs_looks_t *looks)
{
    memset(looks, 0, sizeof(*looks));
    if (!snivhost_site.store
        || !sniv_certs_looks(snivhost_site.store, looks)
        || interval_of(ap_server_conf) <= 0
        || !sniv_certs_is_shared(snivhost_site.store)) {
        return "off";
    }
    /* a child may not send it anything, and learns that it is there */
    if (kill(looks->pid, 0) != 0 && errno != EPERM)
        return "gone";
    return looks->is_in_round ? "looking" : "waiting";
}

int snivhost_store_keep(apr_pool_t *pconf, apr_pool_t *plog,
                        apr_pool_t *ptemp, server_rec *s)
{
    (void)plog;
    (void)ptemp;
    if (!snivhost_site.store || interval_of(s) <= 0)
        return OK;
    will_bequeath(pconf);
    if (!snivhost_keeper_start(snivhost_site.store, snivhost_site.storelog,
                               interval_of(s), s, pconf)
        && sniv_certs_is_behind(snivhost_site.store)) {
        (void)sniv_certs_take_over(snivhost_site.store,
                                   snivhost_storelog_note,
                                   snivhost_site.storelog);
        snivhost_storelog_flush(snivhost_site.storelog);
    }
    return OK;
}

/* Not for -S and its like: they are not about certificates. */
void snivhost_store_test_config(apr_pool_t *pconf, server_rec *s)
{
    if (ap_state_query(AP_SQ_RUN_MODE) != AP_SQ_RM_CONFIG_TEST
        || snivhost_conf(s)->mode <= SNIVHOST_OFF
        || snivhost_site.storelog) {
        return;
    }
    note_all_folders(s, pconf);
    if (!snivhost_site.store)
        return;
    snivhost_site.store_is_partial = 0;
    snivhost_site.storelog = snivhost_storelog_make(snivhost_site.store, NULL,
                                                    0, pconf);
    if (sniv_certs_load(snivhost_site.store, SNIV_CERTS_LOAD_DRY, 1,
                        note, snivhost_site.storelog) != APR_SUCCESS) {
        say_off(NULL);
        return;
    }
    snivhost_storelog_flush(snivhost_site.storelog);
}

int snivhost_store_monitor(apr_pool_t *p, server_rec *s)
{
    (void)p;
    if (snivhost_site.store && interval_of(s) > 0
        && !snivhost_keeper_monitor()) {
        sniv_certs_look(snivhost_site.store, apr_time_now(), interval_of(s),
                        LOOK_BUDGET,
                        snivhost_storelog_note, snivhost_site.storelog);
        snivhost_storelog_tick(snivhost_site.storelog);
    }
    return DECLINED;
}

