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

#include "lint/lint.h"

#include "apr_strings.h"
#include "ap_listen.h"
#include "http_core.h"

#include "module/asked.h"
#include "module/json.h"
#include "module/words.h"

/* Of one kind this many are told one by one; the rest is counted. */
#define SHOWN 20

#define DUMP        "DUMP_SNIVHOST_LINT"
#define DUMP_JSON   "DUMP_SNIVHOST_LINT_JSON"

typedef struct kind_t {
    const char *code;
    int is_note;
} kind_t;

/* By snivhost_lint_e. A code is never used for anything else, also when its
 * check is gone. the manual explains each. */
static const kind_t kinds[SNIVHOST_LINT_KINDS] = {
    { "SNIV0400", 0 },      /* DUPLICATE */
    { "SNIV0401", 1 },      /* TWICE */
    { "SNIV0402", 0 },      /* HIDDEN_NAME */
    { "SNIV0403", 0 },      /* HIDDEN_GLOB */
    { "SNIV0404", 0 },      /* BAD_NAME */
    { "SNIV0405", 0 },      /* SCANNED */
    { "SNIV0406", 0 },      /* NO_NAME */
    { "SNIV0407", 0 },      /* REVERSE_DNS */
    { "SNIV0410", 0 },      /* NOT_LISTENED */
    { "SNIV0411", 0 },      /* UNREACHABLE */
    { "SNIV0412", 0 },      /* HIDDEN_HERE */
    { "SNIV0413", 0 },      /* MIXED */
    { "SNIV0414", 0 },      /* HOST_ADDRESS */
    { "SNIV0415", 1 },      /* HIDDEN_PARTLY */
    { "SNIV0420", 0 },      /* CERT_SERVERNAME */
    { "SNIV0421", 0 },      /* CERT_ALIAS */
    { "SNIV0422", 0 },      /* CERT_EXPIRED */
    { "SNIV0423", 0 },      /* CERT_NOT_YET */
    { "SNIV0424", 0 },      /* CERT_SOON */
    { "SNIV0425", 1 },      /* CERT_UNSERVED */
    { "SNIV0426", 0 },      /* FOLDER_NONE */
    { "SNIV0427", 1 },      /* FOLDER_UNSERVED */
    { "SNIV0430", 1 },      /* DEFAULT */
    { "SNIV0440", 0 },      /* REFUSE_PLAIN */
    { "SNIV0441", 1 },      /* REFUSE_OFF */
    { "SNIV0442", 0 },      /* REFUSE_NOBODY */
    { "SNIV0443", 1 },      /* REFUSE_HALF */
    { "SNIV0444", 1 },      /* REFUSE_STRICT */
    { "SNIV0445", 1 },      /* REFUSE_PARTLY */
    { "SNIV0446", 0 },      /* ALLOW_IDLE */
    { "SNIV0447", 0 },      /* ALLOW_ADDRESS */
    { "SNIV0448", 0 },      /* ALLOW_STRICT */
    { "SNIV0449", 1 },      /* ALLOW_KNOWN */
    { "SNIV0450", 1 },      /* DEFAULT_DEAD */
    { "SNIV0461", 0 },      /* FOLDER_HIDDEN */
    { "SNIV0462", 0 },      /* MUST_STAPLE */
    { "SNIV0463", 0 },      /* NO_CHAIN */
    { "SNIV0464", 0 },      /* CHAIN_ORDER */
    { "SNIV0465", 1 }       /* CHAIN_ROOT */
};

int snivhost_lint_kind(const char *code)
{
    int i;

    for (i = 0; i < SNIVHOST_LINT_KINDS; i++) {
        if (!ap_cstr_casecmp(code, kinds[i].code)
            || !strcmp(code, kinds[i].code + 4)) {
            return i;
        }
    }
    return -1;
}

/* ----- findings ----- */

int snivhost_lint_wants(const snivhost_lint_t *lint, snivhost_lint_e kind,
                        const sniv_vhost_t *vhost)
{
    /* the configuration of a virtual host has what the main server's says */
    apr_uint64_t ignored = snivhost_conf(vhost->server)->lint_ignore;

    return !(ignored & (apr_uint64_t)1 << kind)
           && (lint->with_notes || !kinds[kind].is_note);
}

static void add(snivhost_lint_t *lint, snivhost_lint_e kind, int is_note,
                const sniv_vhost_t *vhost, const ap_directive_t *node,
                const char *text)
{
    snivhost_finding_t *finding = apr_array_push(lint->findings);

    finding->kind = kind;
    finding->code = kinds[kind].code;
    finding->is_note = is_note;
    finding->vhost = vhost;
    finding->file = node ? node->filename : vhost->file;
    finding->line = node ? (unsigned int)node->line_num : vhost->line;
    finding->text = text;
}

void snivhost_lint_add(snivhost_lint_t *lint, snivhost_lint_e kind,
                       const sniv_vhost_t *vhost, const ap_directive_t *node,
                       const char *format, ...)
{
    va_list args;

    if (!snivhost_lint_wants(lint, kind, vhost))
        return;
    va_start(args, format);
    add(lint, kind, kinds[kind].is_note, vhost, node,
        apr_pvsprintf(lint->p, format, args));
    va_end(args);
}

void snivhost_lint_note(snivhost_lint_t *lint, snivhost_lint_e kind,
                        const sniv_vhost_t *vhost, const ap_directive_t *node,
                        const char *format, ...)
{
    va_list args;

    if (!lint->with_notes || !snivhost_lint_wants(lint, kind, vhost))
        return;
    va_start(args, format);
    add(lint, kind, 1, vhost, node, apr_pvsprintf(lint->p, format, args));
    va_end(args);
}

const char *snivhost_finding_text(const snivhost_finding_t *finding,
                                  apr_pool_t *p)
{
    if (!finding->file) {
        return apr_psprintf(p, "%s: %s: %s", finding->code,
                            snivhost_vhost_text(p, finding->vhost),
                            finding->text);
    }
    return apr_psprintf(p, "%s: %s:%u: %s", finding->code, finding->file,
                        finding->line, finding->text);
}

const ap_directive_t *snivhost_lint_node(const snivhost_lint_t *lint,
                                         const sniv_vhost_t *vhost)
{
    return snivhost_tlsconf_get(lint->tls, vhost->server)->node;
}

const ap_directive_t *snivhost_lint_directive(const snivhost_lint_t *lint,
                                              const sniv_vhost_t *vhost,
                                              const char *name)
{
    const ap_directive_t *node = snivhost_lint_node(lint, vhost);

    for (node = node ? node->first_child : NULL; node; node = node->next) {
        if (!ap_cstr_casecmp(node->directive, name))
            return node;
    }
    return NULL;
}

const ap_directive_t *snivhost_lint_name_line(const snivhost_lint_t *lint,
                                              const sniv_vhost_t *vhost,
                                              const char *name)
{
    const ap_directive_t *node = snivhost_lint_node(lint, vhost);

    for (node = node ? node->first_child : NULL; node; node = node->next) {
        if (!ap_cstr_casecmp(node->directive, "ServerName")) {
            /* core has taken a scheme and a port away */
            if (vhost->server_name && !strcmp(vhost->server_name, name)
                && ap_strstr_c(node->args, name)) {
                return node;
            }
        }
        else if (!ap_cstr_casecmp(node->directive, "ServerAlias")) {
            const char *args = node->args;

            while (*args) {
                if (!strcmp(ap_getword_conf(lint->ptemp, &args), name))
                    return node;
            }
        }
    }
    return NULL;
}

const char *snivhost_lint_list(const char *const *names, int n,
                               apr_pool_t *p)
{
    const char *text = "";
    int i;

    for (i = 0; i < n && i < SNIVHOST_LINT_LISTED; i++) {
        text = apr_pstrcat(p, text, !i ? "'" : i + 1 < n ? ", '" : " and '",
                           names[i], "'", NULL);
    }
    return n > SNIVHOST_LINT_LISTED
           ? apr_psprintf(p, "%s and %d more", text, n - SNIVHOST_LINT_LISTED)
           : text;
}

int snivhost_lint_is_nameless(const snivhost_lint_t *lint,
                              const sniv_vhost_t *vhost)
{
    return snivhost_lint_node(lint, vhost)
           && !snivhost_lint_directive(lint, vhost, "ServerName");
}

/*
 * Without SSLEngine mod_ssl is on where the protocol is https. A server takes
 * that from the first Listen line that equals one of its addresses
 * (ap_setup_listeners), and it is the default of port 443.
 */
int snivhost_lint_is_tls(const snivhost_lint_t *lint, const sniv_vhost_t *v)
{
    server_rec *s = v->server;
    const snivhost_tlsconf_t *conf = snivhost_tlsconf_get(lint->tls, s);
    const char *protocol = ap_get_server_protocol(s);
    const server_addr_rec *sar;

    if (conf->engine)
        return 1;
    if (conf->engine_said)
        return 0;
    if (!conf->node)
        return -1;
    for (sar = s->addrs; sar && !protocol; sar = sar->next) {
        const ap_listen_rec *lr;

        for (lr = ap_listeners; lr && !protocol; lr = lr->next) {
            if (lr->bind_addr && lr->bind_addr->port == sar->host_port
                && apr_sockaddr_equal(lr->bind_addr, sar->host_addr)) {
                protocol = lr->protocol;
            }
        }
    }
    return protocol && !strcmp(protocol, "https");
}

/* In the order of the configuration, then of the codes. What a check has
 * found of one kind for one virtual host keeps its order. */
static int compare(const void *a, const void *b)
{
    const snivhost_finding_t *x = *(const snivhost_finding_t *const *)a;
    const snivhost_finding_t *y = *(const snivhost_finding_t *const *)b;

    if (x->vhost != y->vhost)
        return x->vhost < y->vhost ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return x < y ? -1 : x > y;
}

const apr_array_header_t *snivhost_lint_run(server_rec *main_server,
                                            const sniv_table_t *table,
                                            int with_notes, apr_pool_t *p,
                                            apr_pool_t *ptemp)
{
    snivhost_lint_t lint = { 0 };
    const snivhost_finding_t **order;
    apr_array_header_t *sorted;
    int i, n;

    lint.main_server = main_server;
    lint.table = table;
    lint.with_notes = with_notes;
    lint.p = p;
    lint.ptemp = ptemp;
    lint.findings = apr_array_make(ptemp, 16, sizeof(snivhost_finding_t));
    lint.tls = snivhost_tlsconf_read(ap_conftree, main_server, ptemp, ptemp);

    snivhost_lint_names(&lint);
    snivhost_lint_addresses(&lint);
    snivhost_lint_certs(&lint);
    snivhost_lint_refuse(&lint);

    n = lint.findings->nelts;
    order = apr_palloc(ptemp, (n + 1) * sizeof(*order));
    for (i = 0; i < n; i++)
        order[i] = &APR_ARRAY_IDX(lint.findings, i, snivhost_finding_t);
    qsort(order, n, sizeof(*order), compare);
    sorted = apr_array_make(p, n, sizeof(snivhost_finding_t));
    for (i = 0; i < n; i++)
        APR_ARRAY_PUSH(sorted, snivhost_finding_t) = *order[i];
    return sorted;
}

/* ----- telling ----- */

static int count_kind(const apr_array_header_t *findings,
                      snivhost_lint_e kind)
{
    int i, n = 0;

    for (i = 0; i < findings->nelts; i++)
        n += APR_ARRAY_IDX(findings, i, snivhost_finding_t).kind == kind;
    return n;
}

/* Each of the first few of a kind, then how many there are. */
static void tell(const apr_array_header_t *findings, int level,
                 const server_rec *s, apr_pool_t *ptemp)
{
    int told[SNIVHOST_LINT_KINDS] = { 0 };
    int i;

    for (i = 0; i < findings->nelts; i++) {
        const snivhost_finding_t *f =
            &APR_ARRAY_IDX(findings, i, snivhost_finding_t);

        if (told[f->kind]++ == SHOWN) {
            ap_log_error(APLOG_MARK, level, 0, s, "%s: and %d more of this "
                         "kind: 'apachectl -t -D " DUMP "' tells all of "
                         "them", f->code,
                         count_kind(findings, f->kind) - SHOWN);
        }
        else if (told[f->kind] <= SHOWN) {
            ap_log_error(APLOG_MARK, level, 0, s, "%s",
                         snivhost_finding_text(f, ptemp));
        }
    }
}

static snivhost_lint_mode_e mode_of(const server_rec *main_server)
{
    const snivhost_conf_t *conf = snivhost_conf(main_server);

    if (conf->lint != SNIVHOST_LINT_UNSET)
        return conf->lint;
    return conf->mode > SNIVHOST_OFF ? SNIVHOST_LINT_ON : SNIVHOST_LINT_OFF;
}

/*
 * "-t" and the first pass of a start: what is wrong goes to the console.
 * Strict has its say here, before the server has detached itself. A restart
 * does not come here: its findings never stop a server that is running.
 */
int snivhost_lint_check_config(apr_pool_t *p, apr_pool_t *plog,
                               apr_pool_t *ptemp, server_rec *s)
{
    const int run_mode = ap_state_query(AP_SQ_RUN_MODE);
    const snivhost_lint_mode_e mode = mode_of(s);
    const apr_array_header_t *findings;
    const sniv_table_t *table;
    int level = APLOG_STARTUP | APLOG_WARNING;

    (void)plog;
    if (mode == SNIVHOST_LINT_OFF || run_mode == AP_SQ_RM_CONFIG_DUMP
        || snivhost_is_asked()
        || ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG
        || (mode != SNIVHOST_LINT_STRICT
            && run_mode != AP_SQ_RM_CONFIG_TEST)) {
        return OK;
    }
    if (snivhost_table_make(&table, s, p, ptemp) != APR_SUCCESS)
        return OK;
    findings = snivhost_lint_run(s, table, 0, ptemp, ptemp);
    if (mode == SNIVHOST_LINT_STRICT)
        level = APLOG_STARTUP | APLOG_ERR;
    tell(findings, level, NULL, ptemp);
    if (mode == SNIVHOST_LINT_STRICT && findings->nelts) {
        ap_log_error(APLOG_MARK, level, 0, NULL, "SNIV0490: SNIVHostLint is "
                     "Strict and there %s: correct %s, or name %s in "
                     "SNIVHostLintIgnore",
                     findings->nelts == 1 ? "is a finding" : "are findings",
                     findings->nelts == 1 ? "it" : "them",
                     findings->nelts == 1 ? "its code" : "their codes");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

/* A start or restart: what is wrong goes to the error log, once. */
int snivhost_lint_post_config(apr_pool_t *p, apr_pool_t *plog,
                              apr_pool_t *ptemp, server_rec *s)
{
    const sniv_table_t *table = NULL;

    (void)plog;
    if (mode_of(s) == SNIVHOST_LINT_OFF
        || ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    if (snivhost_live)
        table = snivhost_live->table;
    else if (snivhost_table_make(&table, s, p, ptemp) != APR_SUCCESS)
        return OK;
    tell(snivhost_lint_run(s, table, 0, ptemp, ptemp), APLOG_WARNING, s,
         ptemp);
    return OK;
}

json_t *snivhost_lint_json(const apr_array_header_t *findings, apr_pool_t *p)
{
    json_t *list = json_array();
    int i;

    for (i = 0; i < findings->nelts; i++) {
        const snivhost_finding_t *f =
            &APR_ARRAY_IDX(findings, i, snivhost_finding_t);
        json_t *one = json_object();

        json_object_set_new(one, "code", json_string(f->code));
        json_object_set_new(one, "level",
                            json_string(f->is_note ? "note" : "warning"));
        json_object_set_new(one, "file", snivhost_json_text(f->file, p));
        json_object_set_new(one, "line", json_integer(f->line));
        json_object_set_new(one, "vhost",
                            snivhost_json_text(f->vhost->server_name, p));
        json_object_set_new(one, "defined_at",
                            snivhost_json_place(f->vhost, p));
        json_object_set_new(one, "message", snivhost_json_text(f->text, p));
        json_array_append_new(list, one);
    }
    return list;
}

static void print_text(apr_file_t *out, const apr_array_header_t *findings,
                       apr_pool_t *p)
{
    int i;

    for (i = 0; i < findings->nelts; i++) {
        const snivhost_finding_t *f =
            &APR_ARRAY_IDX(findings, i, snivhost_finding_t);

        apr_file_printf(out, "%s%s\n",
                        snivhost_one_line(p, snivhost_finding_text(f, p)),
                        f->is_note ? " (note)" : "");
    }
    apr_file_printf(out, "%d finding%s\n", findings->nelts,
                    snivhost_plural(findings->nelts));
}

/* The dumps: everything, notes too. */
void snivhost_lint_test_config(apr_pool_t *p, server_rec *s)
{
    const int text = ap_exists_config_define(DUMP);
    const int json = ap_exists_config_define(DUMP_JSON);
    const apr_array_header_t *findings;
    const sniv_table_t *table;
    apr_file_t *out;

    if ((!text && !json)
        || snivhost_table_make(&table, s, p, p) != APR_SUCCESS
        || apr_file_open_stdout(&out, p) != APR_SUCCESS) {
        return;
    }
    findings = snivhost_lint_run(s, table, 1, p, p);
    if (text)
        print_text(out, findings, p);
    if (json) {
        json_t *document = json_object();

        json_object_set_new(document, "version",
                            json_integer(SNIVHOST_JSON_VERSION));
        json_object_set_new(document, "findings",
                            snivhost_lint_json(findings, p));
        apr_file_puts(snivhost_json_dump(document, p), out);
    }
    apr_file_flush(out);
}

