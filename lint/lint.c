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

#include "http_core.h"

#include "lint/checks.h"
#include "module/asked.h"
#include "module/json.h"
#include "module/words.h"

/* Of one kind this many are reported one by one; the rest is counted. */
#define SHOWN 20

#define DUMP        "DUMP_SNIVHOST_LINT"
#define DUMP_JSON   "DUMP_SNIVHOST_LINT_JSON"

/* ----- running ----- */

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

/* ----- reporting ----- */

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
                         "kind: 'apachectl -t -D " DUMP "' shows all of "
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

