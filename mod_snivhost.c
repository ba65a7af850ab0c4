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

/*
 * mod_snivhost: the virtual host that httpd would choose, found in tables.
 *
 * httpd's core and mod_ssl ask two fields of a connection which virtual
 * hosts are candidates for a name: c->base_server and c->vhost_lookup_data.
 * This module puts the one right answer there just before each question is
 * asked and takes it back right after: serve/request.c for connections and
 * requests, serve/handshake.c for TLS.
 *
 * This file is the module record, the order in which a configuration becomes
 * a running server, and the one table of hooks. docs/INTERNALS.md has the
 * whole way.
 */

#include "httpd.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "ap_mpm.h"
#include "apr_optional_hooks.h"
#include "http_connection.h"
#include "http_core.h"
#include "http_protocol.h"
#include "http_request.h"
#include "http_ssl.h"
#include "mod_ssl_openssl.h"
#include "mod_status.h"
#include "mpm_common.h"

#include "certs/issuer.h"
#include "config.h"
#include "lint/lint.h"
#include "module/counters.h"
#include "module/record.h"
#include "module/version.h"
#include "module/words.h"
#include "serve/acme.h"
#include "serve/env.h"
#include "serve/handshake.h"
#include "serve/refuse.h"
#include "serve/request.h"
#include "tell/compare.h"
#include "tell/dump.h"
#include "tell/expect.h"
#include "tell/facts.h"
#include "tell/misdirected.h"
#include "tell/served.h"
#include "tell/status.h"
#include "tls/adopt.h"
#include "tls/first.h"
#include "tls/library.h"
#include "tls/mirror.h"
#include "tls/precheck.h"
#include "tls/store.h"
#include "tls/tickets.h"

/* ----- from a configuration to a running server ----- */

const snivhost_live_t *snivhost_live;

/* Make snivhost_live, which ends with the pool. */
static apr_status_t live_make(server_rec *main_server, snivhost_mode_e mode,
                              apr_pool_t *p, apr_pool_t *ptemp)
{
    snivhost_live_t *live = apr_pcalloc(p, sizeof(*live));
    unsigned char *strict;
    apr_status_t rv;
    int i;

    rv = snivhost_table_make(&live->table, main_server, p, ptemp);
    if (rv != APR_SUCCESS)
        return rv;

    live->mode = mode;
    live->strict = strict = apr_pcalloc(p, live->table->nsets + 1);
    for (i = 0; i < live->table->nsets; i++) {
        const server_rec *s = live->table->sets[i]->members[0]->server;
        const core_server_config *core =
            ap_get_core_module_config(s->module_config);

        strict[i] = core->strict_host_check == AP_CORE_CONFIG_ON;
    }

    live->refuse = snivhost_refuse_make(live->table, p, ptemp);
    if (!live->refuse)
        return APR_ENOMEM;

    snivhost_live = live;
    return APR_SUCCESS;
}

static int make_tables(server_rec *s, apr_pool_t *p, apr_pool_t *ptemp)
{
    snivhost_mode_e mode = snivhost_conf(s)->mode;
    apr_time_t start = apr_time_now();
    const sniv_table_t *table;
    apr_status_t rv;

    /* Nothing is served after the first of the two passes of a start. */
    if (mode <= SNIVHOST_OFF
        || ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }

    rv = live_make(s, mode, p, ptemp);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s, "SNIV0003: "
                     "the tables of virtual hosts could not be built");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    table = snivhost_live->table;
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s, "SNIV0004: "
                 "SNIVHost %s: %d virtual host%s on %d address%s, tables built "
                 "in %" APR_TIME_T_FMT " ms (mod_snivhost "
                 MOD_SNIVHOST_VERSION ")",
                 mode == SNIVHOST_VERIFY ? "Verify" : "On",
                 table->nvhosts, snivhost_plural(table->nvhosts),
                 table->nsets, table->nsets == 1 ? "" : "es",
                 apr_time_as_msec(apr_time_now() - start));
    snivhost_counters_make(s, p);
    return OK;
}

static int pre_config(apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp)
{
    snivhost_site_begin(p);
    return snivhost_handshake_pre_config(p, plog, ptemp);
}

typedef int config_phase_fn(apr_pool_t *p, apr_pool_t *plog,
                            apr_pool_t *ptemp, server_rec *s);

/*
 * The temporary pool of our parts, from check_config to the end of
 * post_config. httpd's own one leaves what it had in the lists of the
 * configuration's allocator, and so in the memory of every child: megabytes,
 * with thousands of virtual hosts. This one has an allocator of its own.
 */
static apr_pool_t *work;

static apr_status_t end_work(void *dummy)
{
    apr_pool_t *ended = work;

    (void)dummy;
    work = NULL;
    snivhost_site.adoption = NULL;      /* it lives there */
    if (ended)
        apr_pool_destroy(ended);
    return APR_SUCCESS;
}

static apr_pool_t *get_work(apr_pool_t *ptemp)
{
    if (!work) {
        if (snivhost_pool_create(&work, ptemp) != APR_SUCCESS)
            return ptemp;
        apr_pool_pre_cleanup_register(ptemp, NULL, end_work);
    }
    return work;
}

/* Run the features' parts of a phase, until one fails. */
static int run_phase(config_phase_fn *const *parts, apr_pool_t *p,
                     apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    int status = OK;

    ptemp = get_work(ptemp);
    for (; *parts && (status == OK || status == DECLINED); parts++)
        status = (*parts)(p, plog, ptemp, s);
    return status;
}

static int check_config(apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp,
                        server_rec *s)
{
    static config_phase_fn *const parts[] = {
        /* whose SSL and SSL_CTX we may touch at all */
        snivhost_library_check_config,
        snivhost_handshake_check_config,
        snivhost_dump_check_config,
        snivhost_store_check_config,
        /* stores become folders */
        snivhost_mirror_check_config,
        snivhost_refuse_check_config,
        /* who is lean, by the directives */
        snivhost_adopt_check_config,
        NULL
    };

    return run_phase(parts, p, plog, ptemp, s);
}

/* Under -t: what certificates there are to read, then read them. */
static int read_certificates(apr_pool_t *p, apr_pool_t *plog,
                             apr_pool_t *ptemp, server_rec *s)
{
    (void)plog;
    (void)ptemp;
    snivhost_adopt_test_config(p, s);
    snivhost_store_test_config(p, s);
    return OK;
}

/* Late: other modules may still change names. */
static int late_check_config(apr_pool_t *p, apr_pool_t *plog,
                             apr_pool_t *ptemp, server_rec *s)
{
    static config_phase_fn *const parts[] = {
        /* before those that ask for certificates */
        read_certificates,
        snivhost_first_check_config,
        snivhost_precheck_check_config,
        snivhost_lint_check_config,
        snivhost_compare_check_config,
        snivhost_expect_check_config,
        NULL
    };

    return run_phase(parts, p, plog, ptemp, s);
}

static int before_mod_ssl(apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp,
                          server_rec *s)
{
    static config_phase_fn *const parts[] = {
        snivhost_library_before_ssl,
        /* stores are read, as long as the start may wait */
        snivhost_mirror_start,
        /* the folders first: adoption loads the store */
        snivhost_store_before_ssl,
        /* lean virtual hosts look to mod_ssl as if they had no TLS ... */
        snivhost_adopt_before_ssl,
        /* if adoption has not: mod_ssl asks for files from folders */
        snivhost_store_load_before_ssl,
        NULL
    };
    int status = run_phase(parts, p, plog, ptemp, s);

    /* what mod_ssl makes now would lie between a hundred authorities */
    sniv_trusted_forget();
    return status;
}

static int after_mod_ssl(apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp,
                         server_rec *s)
{
    snivhost_first_after_ssl();
    return snivhost_adopt_after_ssl(p, plog, get_work(ptemp), s);
}

static int last_post_config(apr_pool_t *p, apr_pool_t *plog,
                            apr_pool_t *ptemp, server_rec *s)
{
    static config_phase_fn *const parts[] = {
        snivhost_store_publish,
        snivhost_tickets_post_config,
        /* asks the tables and the store */
        snivhost_lint_post_config,
        snivhost_served_post_config,
        NULL
    };
    int status = make_tables(s, p, get_work(ptemp));

    if (status == OK)
        status = run_phase(parts, p, plog, ptemp, s);
    end_work(NULL);
#ifdef __GLIBC__
    /* before other processes inherit it */
    malloc_trim(0);
#endif
    if (status == OK || status == DECLINED) {
        /* a process of its own: nothing fails after it */
        status = snivhost_store_keep(p, plog, ptemp, s);
    }
    return status;
}

/* Under -t there is no post_config: what it would have made is made here. */
static void test_config(apr_pool_t *p, server_rec *s)
{
    snivhost_lint_test_config(p, s);
    snivhost_421_dump_test_config(p, s);
    snivhost_expect_test_config(p, s);
    snivhost_dump_test_config(p, s);
}

static int log_transaction(request_rec *r)
{
    snivhost_counters_log_transaction(r);
    return snivhost_421_log_transaction(r);
}

/* ----- hooks ----- */

/* Our hooks have to come before all others, also before those that are
 * REALLY_FIRST (mod_log_forensic, mod_http2): they look at r->server. */
#define SNIVHOST_HOOK_FIRST  (APR_HOOK_REALLY_FIRST - 20)

static void register_hooks(apr_pool_t *p)
{
    static const char *const mod_log_config[] = { "mod_log_config.c", NULL };
    static const char *const mod_md[] = { "mod_md.c", NULL };
    static const char *const mod_ssl[] = { "mod_ssl.c", NULL };

    (void)p;

    /* Configuration. mod_log_config offers its registry in pre_config. */
    ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_pre_config(snivhost_env_pre_config, mod_log_config, NULL,
                       APR_HOOK_MIDDLE);
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(late_check_config, NULL, NULL,
                         APR_HOOK_REALLY_LAST);
    ap_hook_test_config(test_config, NULL, NULL, APR_HOOK_FIRST);

    ap_hook_post_config(before_mod_ssl, mod_md, mod_ssl, APR_HOOK_MIDDLE);
    /* While mod_ssl is at it: the ports of lean virtual hosts, and the
     * certificate of a first virtual host that has none; mod_md's go
     * before. */
    ap_hook_ssl_add_cert_files(snivhost_adopt_hide_ports, NULL, mod_md,
                               APR_HOOK_FIRST);
    ap_hook_ssl_add_cert_files(snivhost_first_add_cert_files, mod_md, NULL,
                               APR_HOOK_LAST);
    APR_OPTIONAL_HOOK(ssl, init_server, snivhost_handshake_init_server, NULL,
                      NULL, APR_HOOK_MIDDLE);
    /* ... and have TLS again. */
    ap_hook_post_config(after_mod_ssl, mod_ssl, NULL,
                        APR_HOOK_MIDDLE);
    /* As late as can be: other modules may still add names, and a daemon
     * that one of them forks inherits no keys. */
    ap_hook_post_config(last_post_config, NULL, NULL, APR_HOOK_REALLY_LAST);

    /* Processes. */
    ap_hook_monitor(snivhost_store_monitor, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_monitor(snivhost_mirror_monitor, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_monitor(snivhost_tickets_monitor, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_monitor(snivhost_served_monitor, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(snivhost_facts_child_init, NULL, NULL,
                       APR_HOOK_MIDDLE);

    /* Connections: first of all, as others look at what is chosen. */
    ap_hook_pre_connection(snivhost_pre_connection, NULL, NULL,
                           SNIVHOST_HOOK_FIRST);
    APR_OPTIONAL_HOOK(ssl, pre_handshake, snivhost_handshake_pre_handshake,
                      NULL, NULL, APR_HOOK_MIDDLE);

    ap_hook_protocol_propose(snivhost_acme_protocol_propose, NULL, NULL,
                             APR_HOOK_MIDDLE);
    ap_hook_protocol_switch(snivhost_acme_protocol_switch, NULL, mod_md,
                            APR_HOOK_MIDDLE);
    ap_hook_protocol_get(snivhost_acme_protocol_get, NULL, NULL,
                         APR_HOOK_MIDDLE);

    /* Requests: likewise; then the variables, for SetEnvIf. */
    ap_hook_pre_read_request(snivhost_pre_read_request, NULL, NULL,
                             SNIVHOST_HOOK_FIRST);
    ap_hook_post_read_request(snivhost_post_read_request, NULL, NULL,
                              SNIVHOST_HOOK_FIRST);
    ap_hook_post_read_request(snivhost_env_post_read_request, NULL, NULL,
                              SNIVHOST_HOOK_FIRST + 1);
    /* In httpd's development branch the filter that knows where a request's
     * body ends is added at REALLY_FIRST: an answer before that waits for
     * the end of the connection. */
    ap_hook_post_read_request(snivhost_acme_post_read_request, NULL, NULL,
                              APR_HOOK_REALLY_FIRST + 1);
    ap_hook_post_read_request(snivhost_refuse_post_read_request, NULL, NULL,
                              APR_HOOK_REALLY_FIRST + 2);
    /* After mod_md has answered its challenges. */
    ap_hook_post_read_request(snivhost_refuse_late_post_read_request, NULL,
                              NULL, APR_HOOK_REALLY_LAST);
    ap_hook_insert_error_filter(snivhost_insert_error_filter, NULL, NULL,
                                SNIVHOST_HOOK_FIRST);
    /* The status page, before a module maps its path elsewhere. */
    ap_hook_translate_name(snivhost_status_translate_name, NULL, NULL,
                           APR_HOOK_REALLY_FIRST);
    ap_hook_handler(snivhost_status_handler, NULL, NULL, APR_HOOK_MIDDLE);
    /* The variables of requests that core refused, before they are logged. */
    ap_hook_log_transaction(snivhost_env_log_transaction, NULL, NULL,
                            APR_HOOK_REALLY_FIRST);
    ap_hook_log_transaction(log_transaction, NULL, NULL, APR_HOOK_MIDDLE);

    /* Questions at any time. */
    ap_hook_expr_lookup(snivhost_env_expr_lookup, NULL, NULL,
                        APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ap, status_hook, snivhost_status_hook, NULL, NULL,
                      APR_HOOK_MIDDLE);
}

module AP_MODULE_DECLARE_DATA snivhost_module = {
    STANDARD20_MODULE_STUFF,
    NULL,                           /* create per-dir config */
    NULL,                           /* merge per-dir config */
    snivhost_create_server_conf,
    snivhost_merge_server_conf,
    snivhost_commands,
    register_hooks,
    /* every server needs a configuration of its own, directives or not */
    AP_MODULE_FLAG_ALWAYS_MERGE
};
