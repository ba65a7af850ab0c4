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

#include "certs/judge.h"
#include "tls/store.h"
#include "tls/settings.h"
#include "module/words.h"

/* A virtual host while it is being judged. */
typedef struct candidate_t {
    server_rec *s;
    const snivhost_tlsconf_t *conf;
    snivhost_tls_t *tls;
    int wanted;                 /* SNIVHostAdopt, or by hand */
    int by_hand;
    apr_port_t port;            /* s->port, while mod_ssl is at work */
} candidate_t;

/* What lasts from check_config to the end of post_config. */
typedef struct adoption_t {
    const sniv_table_t *table;  /* for the address sets; not the live one */
    candidate_t *candidates;    /* as the vhosts of the table */
    int adopt;                  /* SNIVHostAdopt On */
    int ntls;                   /* with TLS */
    int nlean;
    int switched;               /* mod_ssl's post_config is at work */
} adoption_t;

static adoption_t *adoption;

const snivhost_tls_t *snivhost_adopt_get(const server_rec *s)
{
    return snivhost_conf(s)->tls;
}

static apr_status_t forget_adoption(void *dummy)
{
    (void)dummy;
    adoption = NULL;
    return APR_SUCCESS;
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
        return "SNIVHostTLS On needs mod_ssl: load it with LoadModule "
               "ssl_module";
    }
    return run_command(cmd->server, "SSLEngine", "on", cmd->pool,
                       cmd->temp_pool);
}

/* ----- judging ----- */

static const char *place_text(apr_pool_t *p, const server_rec *s)
{
    if (!s->defn_name)
        return s->is_virtual ? "not in a file" : "main server";
    return apr_psprintf(p, "%s:%u", s->defn_name, s->defn_line_number);
}

static void refuse(candidate_t *c, const char *why)
{
    if (c->tls->how == SNIVHOST_TLS_LEAN) {
        c->tls->how = SNIVHOST_TLS_STOCK;
        c->tls->why_not = why;
    }
}

/* `SSLProtocol is set (file:line)` */
static const char *obstacle_text(apr_pool_t *p, const snivhost_tlsconf_t *conf)
{
    const ap_directive_t *node = conf->obstacle_node;

    return node ? apr_psprintf(p, "%s (%s:%d)", conf->obstacle,
                               node->filename, node->line_num)
                : conf->obstacle;
}

/* By its own directives. */
static void judge_alone(candidate_t *c, apr_pool_t *p)
{
    if (c->by_hand < 0)
        refuse(c, "SNIVHostTLS Off");
    else if (c->conf->obstacle)
        refuse(c, obstacle_text(p, c->conf));
    else if (c->conf->managed)
        refuse(c, "mod_md manages one of its names");
    else if (c->conf->certs->nelts == 0 && !snivhost_conf(c->s)->store.dirs)
        refuse(c, "it has no SSLCertificateFile and no SNIVHostCertificates");
}

/* As a member of an address set whose first virtual host lends its SSL_CTX. */
static void judge_member(candidate_t *c, const candidate_t *first,
                         const sniv_set_t *set, apr_pool_t *p)
{
    const char *address = snivhost_set_text(p, set);
    const char *name;

    if (c == first) {
        refuse(c, set->nmembers > 1
               ? apr_psprintf(p, "it is the first virtual host of %s and "
                              "the others use its TLS context", address)
               : apr_psprintf(p, "it is alone on %s and there is no other "
                              "TLS context that it could use", address));
    }
    else if (!first->conf->engine) {
        refuse(c, apr_psprintf(p, "the first virtual host of %s (%s) has no "
                               "SSLEngine on", address,
                               place_text(p, first->s)));
    }
    else if (first->conf->obstacle) {
        refuse(c, apr_psprintf(p, "it cannot use the TLS context of the first "
                               "virtual host of %s (%s): %s", address,
                               place_text(p, first->s),
                               obstacle_text(p, first->conf)));
    }
    else if ((name = snivhost_tlsconf_differs(c->conf, first->conf))) {
        refuse(c, apr_psprintf(p, "%s is not the same as in the first virtual "
                               "host of %s (%s)", name, address,
                               place_text(p, first->s)));
    }
}

static candidate_t *candidate_of(const sniv_vhost_t *v)
{
    return &adoption->candidates[v - adoption->table->vhosts];
}

/* Call judge_member() for each membership. */
static void judge_sets(apr_pool_t *p)
{
    const sniv_table_t *table = adoption->table;
    int i, k;

    for (i = 0; i < table->nsets; i++) {
        const sniv_set_t *set = table->sets[i];
        const candidate_t *first = candidate_of(set->members[0]);

        for (k = 0; k < set->nmembers; k++) {
            candidate_t *c = candidate_of(set->members[k]);

            if (c->tls->how == SNIVHOST_TLS_LEAN)
                judge_member(c, first, set, p);
        }
    }
}

static void files_of(const snivhost_tlsconf_t *conf, sniv_cert_files_t *files)
{
    files->certs = (const char *const *)conf->certs->elts;
    files->ncerts = conf->certs->nelts;
    files->keys = (const char *const *)conf->keys->elts;
    files->nkeys = conf->keys->nelts;
    files->chain = conf->chain;
    files->level = conf->level;
}

/* What is in files (SNIV_CERT_*), as far as they can be read. */
static unsigned examine(const snivhost_tlsconf_t *conf, const char **file,
                        const char **reason, apr_pool_t *ptemp)
{
    sniv_cert_files_t files;
    sniv_cert_info_t info;

    files_of(conf, &files);
    if (sniv_certs_examine(&files, &info, file, reason, ptemp) == APR_SUCCESS)
        *reason = NULL;
    return info.flags;
}

/* Whether mod_ssl could start with these files. */
static int is_good_for_mod_ssl(const snivhost_tlsconf_t *conf)
{
    sniv_cert_files_t files;

    files_of(conf, &files);
    return sniv_judge_stock(&files);
}

/*
 * Files that the store cannot use. If mod_ssl can it shall; if not the server
 * would not start, and it is better that one virtual host is refused its
 * handshakes: it stays lean, and the store tells about the files.
 */
static void judge_problem(candidate_t *c, const char *file,
                          const char *reason, apr_pool_t *p)
{
    if (is_good_for_mod_ssl(c->conf))
        refuse(c, apr_psprintf(p, "the certificate store cannot use %s: it %s",
                               file, reason));
}

/*
 * By what is in the files.
 */
static void judge_files(candidate_t *c, apr_pool_t *p, apr_pool_t *ptemp)
{
    const char *file = NULL, *reason;
    unsigned flags;

    if (c->conf->certs->nelts == 0)
        return;
    if (c->tls->cert != SNIV_CERT_NONE) {
        flags = sniv_certs_flags(snivhost_store(), c->tls->cert);
        reason = sniv_certs_problem(snivhost_store(), c->tls->cert, &file);
    }
    else {
        flags = examine(c->conf, &file, &reason, ptemp);
    }

    if (flags & SNIV_CERT_ENCRYPTED_KEY)
        refuse(c, "its key needs a pass phrase");
    else if (flags & SNIV_CERT_DH_PARAMETERS)
        refuse(c, "its SSLCertificateFile has DH PARAMETERS");
    else if (c->conf->stapling && (flags & SNIV_CERT_OCSP_URI))
        refuse(c, "SSLUseStapling is on and its certificate names an OCSP "
               "responder");
    else if (c->conf->client_cas && (flags & SNIV_CERT_NO_CHAIN))
        refuse(c, "its SSLCertificateFile has no chain, and OpenSSL would "
               "look for one in SSLCACertificateFile or SSLCACertificatePath");
    else if (reason)
        judge_problem(c, file, reason, p);
}

/* DH PARAMETERS in the first file of a set's first virtual host are in its
 * SSL_CTX, and all would use them. */
static void judge_dh(const sniv_set_t *set, apr_pool_t *p, apr_pool_t *ptemp)
{
    const candidate_t *first = candidate_of(set->members[0]);
    const char *file, *reason;
    int i;

    if (set->nmembers < 2 || first->conf->certs->nelts == 0
        || !(examine(first->conf, &file, &reason, ptemp)
             & SNIV_CERT_DH_PARAMETERS)) {
        return;
    }
    for (i = 1; i < set->nmembers; i++) {
        refuse(candidate_of(set->members[i]),
               apr_psprintf(p, "the SSLCertificateFile of the first virtual "
                            "host of %s (%s) has DH PARAMETERS",
                            snivhost_set_text(p, set),
                            place_text(p, first->s)));
    }
}

static void judge_all_files(apr_pool_t *p, apr_pool_t *ptemp)
{
    const sniv_table_t *table = adoption->table;
    apr_pool_t *each;
    int i;

    apr_pool_create(&each, ptemp);
    for (i = 0; i < table->nsets; i++) {
        judge_dh(table->sets[i], p, each);
        apr_pool_clear(each);
    }
    for (i = 0; i < table->nvhosts; i++) {
        if (adoption->candidates[i].tls->how == SNIVHOST_TLS_LEAN) {
            judge_files(&adoption->candidates[i], p, each);
            apr_pool_clear(each);
        }
    }
    apr_pool_destroy(each);
}

/*
 * Tell about what was to be lean by hand and cannot be.
 */
static int report_by_hand(void)
{
    int i, status = OK;

    for (i = 0; i < adoption->table->nvhosts; i++) {
        const candidate_t *c = &adoption->candidates[i];

        if (c->by_hand <= 0 || c->tls->how == SNIVHOST_TLS_LEAN)
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
                         c->s->defn_line_number, c->tls->why_not);
        }
        status = HTTP_INTERNAL_SERVER_ERROR;
    }
    return status;
}

static void count(void)
{
    int i;

    adoption->ntls = adoption->nlean = 0;
    for (i = 0; i < adoption->table->nvhosts; i++) {
        const snivhost_tls_t *tls = adoption->candidates[i].tls;

        adoption->ntls += tls->how != SNIVHOST_TLS_NONE;
        adoption->nlean += tls->how == SNIVHOST_TLS_LEAN;
    }
}

static void report_adopted(server_rec *s)
{
    int i;

    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s, "SNIV0202: "
                 "adopted %d of %d TLS virtual hosts", adoption->nlean,
                 adoption->ntls);
    for (i = 0; i < adoption->table->nvhosts; i++) {
        const candidate_t *c = &adoption->candidates[i];

        if (c->tls->how == SNIVHOST_TLS_STOCK) {
            ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, s, "SNIV0203: "
                         "not adopted: virtual host %s (%s): %s",
                         c->s->server_hostname, place_text(s->process->pconf,
                                                           c->s),
                         c->tls->why_not);
        }
    }
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

static void make_candidates(server_rec *main_server, apr_pool_t *p,
                            apr_pool_t *ptemp)
{
    const sniv_table_t *table = adoption->table;
    const snivhost_tlsconfs_t *confs;
    int i;

    confs = snivhost_tlsconf_read(ap_conftree, main_server, ptemp, ptemp);
    adoption->candidates = apr_pcalloc(ptemp, (table->nvhosts + 1)
                                              * sizeof(candidate_t));
    for (i = 0; i < table->nvhosts; i++) {
        candidate_t *c = &adoption->candidates[i];
        snivhost_conf_t *own;

        c->s = table->vhosts[i].server;
        own = snivhost_conf(c->s);
        c->conf = snivhost_tlsconf_get(confs, c->s);
        c->by_hand = own->tls_by_hand == 0 ? -1 : own->tls_by_hand > 0;
        c->tls = apr_pcalloc(p, sizeof(*c->tls));
        c->tls->cert = SNIV_CERT_NONE;
        own->tls = c->tls;
        if (!c->conf->engine)
            c->tls->how = SNIVHOST_TLS_NONE;
        else if (adoption->adopt || c->by_hand > 0)
            c->tls->how = SNIVHOST_TLS_LEAN;    /* until proved otherwise */
        else
            c->tls->how = SNIVHOST_TLS_STOCK;
    }
}

int snivhost_adopt_check_config(apr_pool_t *pconf, apr_pool_t *plog,
                                apr_pool_t *ptemp, server_rec *s)
{
    apr_status_t rv;
    int i;

    (void)plog;
    adoption = NULL;
    if (!has_mod_ssl() || !is_asked_for(s))
        return OK;
    if (snivhost_conf(s)->mode <= SNIVHOST_OFF) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL,
                     "SNIV0204: SNIVHostAdopt On and SNIVHostTLS On need "
                     "SNIVHost On (or Verify) in the main server");
        return HTTP_INTERNAL_SERVER_ERROR;
    }

    adoption = apr_pcalloc(ptemp, sizeof(*adoption));
    apr_pool_cleanup_register(ptemp, NULL, forget_adoption,
                              apr_pool_cleanup_null);
    adoption->adopt = snivhost_conf(s)->adopt > 0;
    rv = snivhost_table_make(&adoption->table, s, ptemp, ptemp);
    if (rv != APR_SUCCESS)
        return HTTP_INTERNAL_SERVER_ERROR;

    make_candidates(s, pconf, ptemp);
    for (i = 0; i < adoption->table->nvhosts; i++)
        judge_alone(&adoption->candidates[i], pconf);
    judge_sets(pconf);
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST)
        judge_all_files(pconf, ptemp);
    count();
    return report_by_hand();
}

/* Have mod_ssl leave a lean virtual host out, but not what it may be asked
 * about it later. */
static const char *switch_off(candidate_t *c, apr_pool_t *p,
                              apr_pool_t *ptemp)
{
    /* mod_ssl fills these in only where it makes an SSL_CTX; unset they
     * differ from the default's, and its policy answers 421. */
    const struct {
        int is_set;
        const char *name, *value;
    } defaults[] = {
        { c->conf->verify_client, "SSLVerifyClient", "none" },
        { c->conf->verify_depth, "SSLVerifyDepth", "1" },
        { c->conf->crl_check, "SSLCARevocationCheck", "none" },
        { c->conf->ocsp_enable, "SSLOCSPEnable", "off" }
    };
    const char *err = run_command(c->s, "SSLEngine", "off", p, ptemp);
    size_t i;

    for (i = 0; !err && i < sizeof(defaults) / sizeof(*defaults); i++) {
        if (!defaults[i].is_set && has_command(defaults[i].name))
            err = run_command(c->s, defaults[i].name, defaults[i].value, p,
                              ptemp);
    }

    /* The id that mod_ssl makes of name and port is part of the sessions:
     * without a port it would take 80 now. */
    c->port = c->s->port;
    if (c->s->port == 0)
        c->s->port = DEFAULT_HTTPS_PORT;
    return err;
}

/* Tell the store; without files it has what is in the folders. */
static int note_files(candidate_t *c)
{
    sniv_cert_files_t files;

    files_of(c->conf, &files);
    return files.ncerts == 0
           || sniv_certs_add_files(snivhost_store(), &files, &c->tls->cert)
              == APR_SUCCESS;
}

/* Take the files back that turned out to be mod_ssl's. Several virtual hosts
 * may have the same ones. */
static void forget_files(apr_pool_t *ptemp)
{
    int n = (int)sniv_certs_count(snivhost_store()), i;
    unsigned char *is_used = apr_pcalloc(ptemp, n + 1);

    for (i = 0; i < adoption->table->nvhosts; i++) {
        const snivhost_tls_t *tls = adoption->candidates[i].tls;

        if (tls->how == SNIVHOST_TLS_LEAN && tls->cert != SNIV_CERT_NONE)
            is_used[tls->cert] = 1;
    }
    for (i = 0; i < adoption->table->nvhosts; i++) {
        snivhost_tls_t *tls = adoption->candidates[i].tls;

        if (tls->how == SNIVHOST_TLS_LEAN || tls->cert == SNIV_CERT_NONE)
            continue;
        if (!is_used[tls->cert])
            sniv_certs_forget(snivhost_store(), tls->cert);
        tls->cert = SNIV_CERT_NONE;
    }
}

static int note_all_files(apr_pool_t *pconf)
{
    int i, status;

    if (!adoption || adoption->nlean == 0)
        return OK;
    status = snivhost_store_make(pconf);
    for (i = 0; i < adoption->table->nvhosts && status == OK; i++) {
        candidate_t *c = &adoption->candidates[i];

        if (c->tls->how == SNIVHOST_TLS_LEAN && !note_files(c)) {
            ap_log_error(APLOG_MARK, APLOG_CRIT, 0, NULL, "SNIV0207: "
                         "virtual host %s (%s): its certificate files cannot "
                         "be noted", c->s->server_hostname,
                         place_text(pconf, c->s));
            status = HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    return status;
}

void snivhost_adopt_test_config(apr_pool_t *pconf, server_rec *s)
{
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST
        && snivhost_conf(s)->mode > SNIVHOST_OFF) {
        (void)note_all_files(pconf);
    }
}

/*
 * Files are read in the second of the two passes at start only.
 */
static int read_files(server_rec *s, apr_pool_t *pconf, apr_pool_t *ptemp)
{
    int status = note_all_files(pconf);

    if (status == OK && snivhost_store())
        status = snivhost_store_load(s, pconf);
    if (status != OK)
        return status;
    judge_all_files(pconf, ptemp);
    if (snivhost_store())
        forget_files(ptemp);
    count();
    status = report_by_hand();
    if (status == OK && adoption->adopt)
        report_adopted(s);
    return status;
}

int snivhost_adopt_before_ssl(apr_pool_t *pconf, apr_pool_t *plog,
                              apr_pool_t *ptemp, server_rec *s)
{
    int i, status = OK;

    (void)plog;
    if (!adoption)
        return OK;
    if (ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG)
        status = read_files(s, pconf, ptemp);
    if (status != OK)
        return status;

    adoption->switched = 1;
    for (i = 0; i < adoption->table->nvhosts; i++) {
        candidate_t *c = &adoption->candidates[i];
        const char *err;

        if (c->tls->how != SNIVHOST_TLS_LEAN)
            continue;
        err = switch_off(c, pconf, ptemp);
        if (err) {
            ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s, "SNIV0205: "
                         "virtual host %s (%s): %s", c->s->server_hostname,
                         place_text(ptemp, c->s), err);
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
    if (!adoption || !adoption->switched)
        return DECLINED;
    for (i = 0; i < adoption->table->nvhosts; i++) {
        candidate_t *c = &adoption->candidates[i];

        if (c->tls->how == SNIVHOST_TLS_LEAN)
            c->s->port = 0;
    }
    adoption->switched = 0;
    return DECLINED;
}

int snivhost_adopt_after_ssl(apr_pool_t *pconf, apr_pool_t *plog,
                             apr_pool_t *ptemp, server_rec *s)
{
    int i;

    (void)plog;
    if (!adoption)
        return OK;
    adoption->switched = 0;
    for (i = 0; i < adoption->table->nvhosts; i++) {
        candidate_t *c = &adoption->candidates[i];
        const char *err;

        if (c->tls->how != SNIVHOST_TLS_LEAN)
            continue;
        c->s->port = c->port;
        err = run_command(c->s, "SSLEngine", "on", pconf, ptemp);
        if (err) {
            ap_log_error(APLOG_MARK, APLOG_CRIT, 0, s, "SNIV0206: "
                         "virtual host %s (%s): %s", c->s->server_hostname,
                         place_text(ptemp, c->s), err);
            return HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    return OK;
}

