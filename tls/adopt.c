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

#include "tls/adopt.h"

#include "apr_optional_hooks.h"
#include "apr_strings.h"
#include "http_core.h"
#include "http_ssl.h"

#include "module/words.h"
#include "tls/keyfile.h"
#include "tls/lean.h"
#include "tls/renewal.h"
#include "tls/settings.h"
#include "tls/store.h"

const snivhost_tls_t *snivhost_adopt_get(const server_rec *s)
{
    return snivhost_conf(s)->tls;
}

/* ----- mod_ssl's own commands ----- */

/*
 * Have a directive executed for a server, as if it stood in its section.
 */
static const char *run_command(server_rec *s, const char *name,
                               const char *args, apr_pool_t *p,
                               apr_pool_t *ptemp)
{
    ap_directive_t node;
    cmd_parms parms;

    memset(&node, 0, sizeof(node));
    node.directive = name;
    node.args = args;
    node.filename = s->defn_name;
    node.line_num = s->defn_line_number;

    memset(&parms, 0, sizeof(parms));
    parms.override = RSRC_CONF;
    parms.override_opts = OPT_ALL;
    parms.limited = -1;
    parms.pool = p;
    parms.temp_pool = ptemp;
    parms.server = s;
    return ap_walk_config(&node, &parms, s->lookup_defaults);
}

static int has_command(const char *name)
{
    const module *ssl = ap_find_linked_module("mod_ssl.c");

    return ssl && ap_find_command(name, ssl->cmds);
}

static int has_mod_ssl(void)
{
    return has_command("SSLEngine");
}

const char *snivhost_adopt_engine_on(cmd_parms *cmd)
{
    if (!has_mod_ssl()) {
        return "SNIVHostTLS On requires mod_ssl: load it with LoadModule "
               "ssl_module";
    }
    return run_command(cmd->server, "SSLEngine", "on", cmd->pool,
                       cmd->temp_pool);
}

/* ----- reports ----- */

/*
 * Tell about what was to be lean by hand and cannot be.
 */
static int report_by_hand(void)
{
    int i, status = OK;

    for (i = 0; i < snivhost_site.adoption->table->nvhosts; i++) {
        const snivhost_candidate_t *c = &snivhost_site.adoption->candidates[i];

        if (c->by_hand <= 0 || c->tls->how == SNIVHOST_TLS_LEAN || c->waits)
            continue;
        if (c->tls->how == SNIVHOST_TLS_NONE) {
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL,
                         "SNIV0201: virtual host %s (%s:%u) has SNIVHostTLS "
                         "On and, after it, SSLEngine off: remove one of "
                         "them", c->s->server_hostname, c->s->defn_name,
                         c->s->defn_line_number);
        }
        else {
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL,
                         "SNIV0200: virtual host %s (%s:%u) cannot have "
                         "SNIVHostTLS On: %s. Write SSLEngine on instead",
                         c->s->server_hostname, c->s->defn_name,
                         c->s->defn_line_number,
                         snivhost_lean_text(snivhost_site.adoption, c));
        }
        status = HTTP_INTERNAL_SERVER_ERROR;
    }
    return status;
}

/*
 * Files that mod_ssl would not start with. A lean virtual host with such files
 * does not stop the others, unless SNIVHostLint Strict says that it shall; a
 * restart is never stopped.
 */
static int report_problems(const server_rec *s)
{
    int i, status = OK;

    if (snivhost_conf(s)->lint != SNIVHOST_LINT_STRICT)
        return OK;
    for (i = 0; i < snivhost_site.adoption->table->nvhosts; i++) {
        const snivhost_candidate_t *c = &snivhost_site.adoption->candidates[i];

        if (c->tls->how != SNIVHOST_TLS_LEAN || !c->problem)
            continue;
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL,
                     "SNIV0220: virtual host %s (%s:%u): %s %s. SNIVHostLint "
                     "is Strict: correct the file; without Strict the server "
                     "starts and refuses handshakes of this virtual host",
                     c->s->server_hostname, c->s->defn_name,
                     c->s->defn_line_number, c->problem_file, c->problem);
        status = HTTP_INTERNAL_SERVER_ERROR;
    }
    return status;
}

/* ----- the phases ----- */

/* Whether any virtual host asks, or the main server does for all. */
static int is_asked_for(const server_rec *main_server)
{
    const server_rec *s;

    if (snivhost_conf(main_server)->adopt > 0)
        return 1;
    for (s = main_server->next; s; s = s->next) {
        if (snivhost_conf(s)->tls_by_hand > 0)
            return 1;
    }
    return 0;
}

static snivhost_tls_t *make_tls(apr_pool_t *p)
{
    snivhost_tls_t *tls = apr_pcalloc(p, sizeof(*tls));

    tls->cert = tls->renewed = SNIV_CERT_NONE;
    return tls;
}

static void make_candidates(server_rec *main_server, apr_pool_t *p,
                            apr_pool_t *ptemp)
{
    const sniv_table_t *table = snivhost_site.adoption->table;
    const snivhost_tlsconfs_t *confs;
    snivhost_tls_t *none = make_tls(p);     /* of all that have no TLS */
    int i;

    confs = snivhost_tlsconf_read(ap_conftree, main_server, ptemp, ptemp);
    snivhost_site.adoption->confs = confs;
    snivhost_site.adoption->candidates = apr_pcalloc(ptemp, (table->nvhosts + 1)
                                              * sizeof(snivhost_candidate_t));
    for (i = 0; i < table->nvhosts; i++) {
        snivhost_candidate_t *c = &snivhost_site.adoption->candidates[i];
        snivhost_conf_t *own;

        c->s = table->vhosts[i].server;
        own = snivhost_conf(c->s);
        c->conf = snivhost_tlsconf_get(confs, c->s);
        c->by_hand = own->tls_by_hand == 0 ? -1 : own->tls_by_hand > 0;
        c->asked = snivhost_site.adoption->adopt || c->by_hand > 0;
        c->tls = c->conf->engine ? make_tls(p) : none;
        own->tls = c->tls;
    }
}

int snivhost_adopt_check_config(apr_pool_t *pconf, apr_pool_t *plog,
                                apr_pool_t *ptemp, server_rec *s)
{
    apr_status_t rv;

    (void)plog;
    snivhost_site.adoption = NULL;
    if (!has_mod_ssl() || !is_asked_for(s))
        return OK;
    if (snivhost_conf(s)->mode <= SNIVHOST_OFF) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL,
                     "SNIV0204: SNIVHostAdopt On and SNIVHostTLS On require "
                     "SNIVHost On (or Verify) in the main server");
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    snivhost_site.adoption =
        apr_pcalloc(ptemp, sizeof(*snivhost_site.adoption));
    snivhost_site.adoption->adopt = snivhost_conf(s)->adopt > 0;
    snivhost_site.adoption->p = pconf;
    snivhost_site.adoption->ptemp = ptemp;
    snivhost_site.adoption->sharing = snivhost_sharing_make(ptemp);
    rv = snivhost_table_make(&snivhost_site.adoption->table, s, ptemp, ptemp);
    if (rv != APR_SUCCESS)
        return HTTP_INTERNAL_SERVER_ERROR;

    make_candidates(s, pconf, ptemp);
    snivhost_lean_by_directives(snivhost_site.adoption, ptemp);
    snivhost_renewal_by_directives(snivhost_site.adoption);
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST
        || (snivhost_conf(s)->lint == SNIVHOST_LINT_STRICT
            && ap_state_query(AP_SQ_MAIN_STATE)
               == AP_SQ_MS_CREATE_PRE_CONFIG)) {
        snivhost_lean_by_files(snivhost_site.adoption, ptemp);
        if (report_problems(s) != OK)
            return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST)
        snivhost_lean_explain(snivhost_site.adoption);
    return report_by_hand();
}

/* The files that another module provides, which mod_ssl would have asked for:
 * its policy compares them. */
static const char *add_files(const snivhost_candidate_t *c, const char *name,
                             const apr_array_header_t *files, apr_pool_t *p,
                             apr_pool_t *ptemp)
{
    const char *err = NULL;
    int i;

    for (i = 0; files && i < files->nelts && !err; i++) {
        const char *path = APR_ARRAY_IDX(files, i, const char *);

        err = run_command(c->s, name,
                          apr_pstrcat(p, "\"", ap_escape_quotes(p, path),
                                      "\"", NULL), p, ptemp);
    }
    return err;
}

/* Have mod_ssl leave a lean virtual host out, but not what it may be asked
 * about it later. */
static const char *switch_off(snivhost_candidate_t *c, apr_pool_t *p,
                              apr_pool_t *ptemp)
{
    /* mod_ssl fills these in only where it makes an SSL_CTX; unset they
     * differ from the default's, and its policy answers 421. */
    const struct {
        snivhost_set_e set;
        const char *name, *value;
    } defaults[] = {
        { SNIVHOST_SET_VERIFY_CLIENT, "SSLVerifyClient", "none" },
        { SNIVHOST_SET_VERIFY_DEPTH, "SSLVerifyDepth", "1" },
        { SNIVHOST_SET_CRL_CHECK, "SSLCARevocationCheck", "none" },
        { SNIVHOST_SET_OCSP_ENABLE, "SSLOCSPEnable", "off" }
    };
    const char *err = run_command(c->s, "SSLEngine", "off", p, ptemp);
    size_t i;

    for (i = 0; !err && i < sizeof(defaults) / sizeof(*defaults); i++) {
        if (!c->conf->of[defaults[i].set] && has_command(defaults[i].name))
            err = run_command(c->s, defaults[i].name, defaults[i].value, p,
                              ptemp);
    }
    if (!err)
        err = add_files(c, "SSLCertificateFile", c->more_certs, p, ptemp);
    if (!err)
        err = add_files(c, "SSLCertificateKeyFile", c->more_keys, p, ptemp);

    /* The id that mod_ssl makes of name and port is part of the sessions:
     * without a port it would take 80 now. */
    c->port = c->s->port;
    if (c->s->port == 0)
        c->s->port = DEFAULT_HTTPS_PORT;
    return err;
}

static void add_names(apr_array_header_t *hosts,
                      const apr_array_header_t *names)
{
    if (names)
        apr_array_cat(hosts, names);
}

/* Note them in the store, with the names that a renewal has to keep; without
 * files it has what is in the folders. */
static int note_files(snivhost_candidate_t *c)
{
    apr_array_header_t *hosts = apr_array_make(snivhost_site.adoption->ptemp, 2,
                                               sizeof(const char *));
    sniv_cert_files_t files;

    snivhost_lean_files(c->conf, &files);
    if (c->s->server_hostname)
        APR_ARRAY_PUSH(hosts, const char *) = c->s->server_hostname;
    add_names(hosts, c->s->names);
    add_names(hosts, c->s->wild_names);
    files.hosts = (const char *const *)(void *)hosts->elts;
    files.nhosts = hosts->nelts;
    if (c->tls->auto_chain) {
        files.ca_file = snivhost_tlsconf_text(c->conf, SNIVHOST_SET_CA_FILE);
        files.ca_path = snivhost_tlsconf_text(c->conf, SNIVHOST_SET_CA_PATH);
    }
    files.is_stapled = snivhost_tlsconf_is_on(c->conf, SNIVHOST_SET_STAPLING);
    return snivhost_store()
           && (files.ncerts == 0
               || sniv_certs_add_files(snivhost_store(), &files,
                                       &c->tls->cert) == APR_SUCCESS);
}

/* Take the files back that turned out to be of no use. Several virtual hosts
 * may have the same ones. */
static void forget_files(apr_pool_t *ptemp)
{
    int n = (int)sniv_certs_count(snivhost_store()), i;
    unsigned char *is_used = apr_pcalloc(ptemp, n + 1);

    for (i = 0; i < snivhost_site.adoption->table->nvhosts; i++) {
        const snivhost_tls_t *tls = snivhost_site.adoption->candidates[i].tls;

        if (tls->how == SNIVHOST_TLS_LEAN && tls->cert != SNIV_CERT_NONE)
            is_used[tls->cert] = 1;
        else if (tls->renewed != SNIV_CERT_NONE)
            is_used[tls->renewed] = 1;
    }
    for (i = 0; i < snivhost_site.adoption->table->nvhosts; i++) {
        snivhost_tls_t *tls = snivhost_site.adoption->candidates[i].tls;

        if (tls->how == SNIVHOST_TLS_LEAN || tls->cert == SNIV_CERT_NONE)
            continue;
        if (!is_used[tls->cert])
            sniv_certs_forget(snivhost_store(), tls->cert);
        tls->cert = SNIV_CERT_NONE;
    }
}

/* Of those that are lean, and with all set, of those that are renewed. What
 * cannot be noted is left to mod_ssl. */
static void note_all_files(int all, apr_pool_t *pconf)
{
    snivhost_adoption_t *adoption = snivhost_site.adoption;
    int i, n = 0;

    for (i = 0; adoption && i < adoption->table->nvhosts; i++) {
        snivhost_candidate_t *c = &adoption->candidates[i];
        const int is_lean = adoption->nlean > 0
                            && snivhost_lean_is_possible(c);

        if (!all && c->conf->managed)
            continue;           /* -t: its files are not known */
        if (!is_lean && !(all && snivhost_renewal_is_possible(c)))
            continue;
        snivhost_store_make(pconf);
        if (note_files(c))
            continue;
        n++;
        if (is_lean) {
            snivhost_lean_refuse(adoption, c, "out of memory for its "
                                 "certificate files");
        }
    }
    if (n > 0) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, 0, NULL, "SNIV0207: out of "
                     "memory for the certificate files of %d virtual host%s, "
                     "which mod_ssl sets up", n, snivhost_plural(n));
    }
}

void snivhost_adopt_test_config(apr_pool_t *pconf, server_rec *s)
{
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST
        && snivhost_conf(s)->mode > SNIVHOST_OFF) {
        note_all_files(0, pconf);
    }
}

/* The keys that mod_ssl's ticket callback has for servers that it has set up.
 * A virtual host of the same connection may be one of those. */
static int read_tickets(apr_pool_t *pconf)
{
    int i;

    for (i = 0; i < snivhost_site.adoption->table->nvhosts; i++) {
        const snivhost_candidate_t *c = &snivhost_site.adoption->candidates[i];
        const char *path = snivhost_tlsconf_text(c->conf,
                                                 SNIVHOST_SET_TICKET_KEYS);
        apr_status_t rv;

        if (!c->conf->engine || !path)
            continue;
        rv = snivhost_keyfile_read(c->s, path, pconf);
        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_EMERG, rv, NULL,
                         "SNIV0221: virtual host %s (%s): the "
                         "SSLSessionTicketKeyFile %s cannot be read or has "
                         "less than 48 bytes. Write 48 random bytes into it, "
                         "for example with 'openssl rand -out FILE 48'",
                         c->s->server_hostname,
                         snivhost_place_text(pconf, c->s), path);
            return HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    return OK;
}

/*
 * Files are read in the second of the two passes at start only.
 */
static int read_files(server_rec *s, apr_pool_t *pconf, apr_pool_t *ptemp)
{
    int status;

    snivhost_lean_ask(snivhost_site.adoption, ptemp);
    note_all_files(1, pconf);
    if (snivhost_store())
        snivhost_store_load(s, pconf);
    if (snivhost_site.adoption->nlean > 0 || APLOGdebug(s))
        snivhost_lean_by_files(snivhost_site.adoption, ptemp);
    if (snivhost_store()) {
        snivhost_renewal_by_files(snivhost_site.adoption);
        forget_files(ptemp);
    }
    if (snivhost_site.adoption->nlean == 0
        && !snivhost_renewal_any(snivhost_site.adoption)) {
        snivhost_store_end(s);
    }
    status = report_by_hand();
    snivhost_lean_explain(snivhost_site.adoption);
    /* what files hold stops no server that runs */
    if (ap_state_query(AP_SQ_CONFIG_GEN) > 1)
        status = OK;
    if (status == OK && snivhost_site.adoption->adopt) {
        snivhost_lean_report(snivhost_site.adoption, s, ptemp);
        snivhost_renewal_report(snivhost_site.adoption, s, ptemp);
    }
    if (status == OK && snivhost_lean_needs_tickets(snivhost_site.adoption))
        status = read_tickets(pconf);
    return status;
}

int snivhost_adopt_before_ssl(apr_pool_t *pconf, apr_pool_t *plog,
                              apr_pool_t *ptemp, server_rec *s)
{
    int i, status = OK;

    (void)plog;
    if (!snivhost_site.adoption)
        return OK;
    if (ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG)
        status = read_files(s, pconf, ptemp);
    if (status != OK)
        return status;

    snivhost_site.adoption->switched = 1;
    for (i = 0; i < snivhost_site.adoption->table->nvhosts; i++) {
        snivhost_candidate_t *c = &snivhost_site.adoption->candidates[i];
        const char *err;

        if (c->tls->how != SNIVHOST_TLS_LEAN)
            continue;
        err = switch_off(c, pconf, ptemp);
        if (err) {
            ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s, "SNIV0205: "
                         "virtual host %s (%s): %s", c->s->server_hostname,
                         snivhost_place_text(ptemp, c->s), err);
            return HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    return OK;
}

/*
 * mod_ssl is in its post_config and has made its ids; what it still does with
 * a port is to warn of 443 without SSLEngine on.
 */
int snivhost_adopt_hide_ports(server_rec *s, apr_pool_t *p,
                              apr_array_header_t *cert_files,
                              apr_array_header_t *key_files)
{
    int i;

    (void)s;
    (void)p;
    (void)cert_files;
    (void)key_files;
    if (!snivhost_site.adoption || !snivhost_site.adoption->switched)
        return DECLINED;
    for (i = 0; i < snivhost_site.adoption->table->nvhosts; i++) {
        snivhost_candidate_t *c = &snivhost_site.adoption->candidates[i];

        if (c->tls->how == SNIVHOST_TLS_LEAN)
            c->s->port = 0;
    }
    snivhost_site.adoption->switched = 0;
    return DECLINED;
}

int snivhost_adopt_after_ssl(apr_pool_t *pconf, apr_pool_t *plog,
                             apr_pool_t *ptemp, server_rec *s)
{
    int i;

    (void)plog;
    if (!snivhost_site.adoption)
        return OK;
    snivhost_site.adoption->switched = 0;
    for (i = 0; i < snivhost_site.adoption->table->nvhosts; i++) {
        snivhost_candidate_t *c = &snivhost_site.adoption->candidates[i];
        const char *err;

        if (c->tls->how != SNIVHOST_TLS_LEAN)
            continue;
        c->s->port = c->port;
        err = run_command(c->s, "SSLEngine", "on", pconf, ptemp);
        if (err) {
            ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s, "SNIV0206: "
                         "virtual host %s (%s): %s", c->s->server_hostname,
                         snivhost_place_text(ptemp, c->s), err);
            return HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    return OK;
}

