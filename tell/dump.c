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

#include "tell/dump.h"

#include <stdlib.h>

#include "apr_file_io.h"
#include "apr_strings.h"
#include "http_core.h"

#include "lint/lint.h"
#include "module/asked.h"
#include "module/json.h"
#include "module/words.h"
#include "tell/explain.h"
#include "tell/question.h"
#include "tell/render.h"
#include "tell/served.h"
#include "tell/sets.h"
#include "tell/side.h"

/* Where the texts of a member begin. */
#define INDENT 15

/* ----- text ----- */

static void print(apr_file_t *out, const snivhost_lines_t *lines,
                  apr_pool_t *p)
{
    apr_file_puts(snivhost_lines_text(lines, p), out);
}

static const char *list_text(const char *const *names, int n, apr_pool_t *p)
{
    apr_array_header_t *list = apr_array_make(p, n + 1, sizeof(char *));
    int i;

    for (i = 0; i < n; i++) {
        if (names[i])
            APR_ARRAY_PUSH(list, const char *) = names[i];
    }
    return apr_array_pstrcat(p, list, ' ');
}

static void add_list(snivhost_lines_t *lines, const char *label,
                     const char *const *names, int n)
{
    const char *text = list_text(names, n, lines->pool);

    if (*text)
        snivhost_lines_add(lines, label, INDENT, text);
}

static void add_tls(snivhost_lines_t *lines, const snivhost_facts_t *facts,
                    const sniv_vhost_t *v)
{
    apr_pool_t *p = lines->pool;
    const apr_time_t now = apr_time_now();
    snivhost_tls_facts_t tls;

    snivhost_facts_tls(facts, v->server, 1, &tls, p);
    if (!strcmp(tls.how, "none"))
        return;
    snivhost_lines_add(lines, "      tls", INDENT, tls.why_not
                       ? apr_psprintf(p, "%s, not lean: %s", tls.how,
                                      tls.why_not) : tls.how);
    if (tls.restart) {
        snivhost_lines_add(lines, "      renewal", INDENT,
                           apr_pstrcat(p, "requires a restart: ", tls.restart,
                                       NULL));
    }
    if (!tls.has_cert) {
        snivhost_lines_add(lines, "      cert", INDENT,
                           apr_psprintf(p, "%s%s%s", tls.problem_file
                                        ? tls.problem_file : "",
                                        tls.problem_file ? ": " : "",
                                        tls.problem));
        return;
    }
    snivhost_lines_add(lines, "      cert", INDENT, tls.cert.nfiles
                       ? tls.cert.files[0] : tls.cert.subject);
    snivhost_lines_add(lines, "", INDENT, apr_psprintf(p, "%s, %s %s, %s",
                       tls.cert.kinds,
                       tls.cert.not_after < now ? "EXPIRED" : "until",
                       snivhost_time_text(p, tls.cert.not_after),
                       snivhost_distance_text(p, tls.cert.not_after, now)));
    snivhost_lines_add(lines, "", INDENT, tls.cert.nnames
                       ? apr_pstrcat(p, "for ", list_text(tls.cert.names,
                                                          tls.cert.nnames, p),
                                     NULL)
                       : "for no name: subjectAltName has no dNSName");
}

static void print_member(apr_file_t *out, const snivhost_facts_t *facts,
                         const sniv_set_t *set, int i, apr_pool_t *p)
{
    const sniv_vhost_t *v = set->members[i];
    snivhost_lines_t *lines = snivhost_lines_make(p);
    const char *label = apr_psprintf(p, "%5d ", i + 1);

    snivhost_lines_add(lines, label, 6, apr_psprintf(p, "%s  %s%s",
                       v->server_name, v->file
                       ? apr_psprintf(p, "%s:%u", v->file, v->line)
                       : "(not in a file)",
                       i == 0 && set->name_based ? "  (default)" : ""));
    if (set->name_based) {
        add_list(lines, "      alias", v->aliases, v->naliases);
        add_list(lines, "      glob", v->globs, v->nglobs);
        if (v->path)
            snivhost_lines_add(lines, "      path", INDENT, v->path);
    }
    add_tls(lines, facts, v);
    print(out, lines, p);
}

static void print_set(apr_file_t *out, const snivhost_facts_t *facts,
                      const sniv_set_t *set, apr_pool_t *p)
{
    apr_pool_t *each;
    int i;

    apr_file_printf(out, "\n%s  %s\n", snivhost_set_text(p, set),
                    set->name_based
                    ? apr_psprintf(p, "%d virtual host%s, chosen by name",
                                   set->nmembers,
                                   snivhost_plural(set->nmembers))
                    : "one virtual host, whatever the name");
    apr_pool_create(&each, p);
    for (i = 0; i < set->nmembers; i++) {
        print_member(out, facts, set, i, each);
        apr_pool_clear(each);
    }
    apr_pool_destroy(each);
}

/* ----- certificates ----- */

static void print_certificate(apr_file_t *out, const snivhost_tls_facts_t *tls,
                              int i, apr_pool_t *p)
{
    const sniv_cert_info_t *cert = &tls->cert;
    const apr_time_t now = apr_time_now();
    snivhost_lines_t *lines = snivhost_lines_make(p);

    snivhost_lines_add(lines, apr_psprintf(p, "%5d ", i + 1), 6,
                       apr_psprintf(p, "%s %s, %s  %s  (%s)",
                                    cert->not_after < now ? "EXPIRED"
                                                          : "until",
                                    snivhost_time_text(p, cert->not_after),
                                    snivhost_distance_text(p, cert->not_after,
                                                           now),
                                    cert->kinds, tls->how));
    for (i = 0; i < cert->nfiles; i++)
        snivhost_lines_add(lines, "      file", INDENT, cert->files[i]);
    add_list(lines, "      for", cert->names, cert->nnames);
    print(out, lines, p);
}

static void dump_certificates(apr_file_t *out, const snivhost_facts_t *facts,
                              apr_pool_t *p)
{
    snivhost_served_t *served;
    snivhost_served_sum_t sum;
    apr_pool_t *each;
    int i, n;

    served = snivhost_served_page(0, APR_INT32_MAX, &n, &sum);
    apr_file_printf(out, "\n%d certificate%s%s\n", n, snivhost_plural(n),
                    n > 1 ? ", those that expire first on top" : "");
    apr_pool_create(&each, p);
    for (i = 0; i < n; i++) {
        snivhost_tls_facts_t tls;

        if (snivhost_served_describe(facts, &served[i], &tls, each))
            print_certificate(out, &tls, i, each);
        apr_pool_clear(each);
    }
    apr_pool_destroy(each);
    free(served);
}

static json_t *json_certificates(const snivhost_facts_t *facts, apr_pool_t *p)
{
    snivhost_served_t *served;
    json_t *list;
    int n;

    served = snivhost_served_page(0, APR_INT32_MAX, &n, NULL);
    list = snivhost_json_served(facts, served, 0, n, APR_INT32_MAX, p);
    free(served);
    return list;
}

static void dump_text(apr_file_t *out, const snivhost_facts_t *facts,
                      apr_pool_t *p)
{
    const sniv_table_t *table = facts->table;
    const sniv_set_t **sets = snivhost_sets_in_order(table, p);
    snivhost_lines_t *lines = snivhost_lines_make(p);
    const int names = snivhost_count_names(table);
    int i;

    snivhost_lines_add(lines, "", 0, apr_psprintf(p, "SNIVHost %s: %d virtual "
                       "host%s with %d name%s on %d address%s",
                       snivhost_mode_text(facts->mode), table->nvhosts,
                       snivhost_plural(table->nvhosts), names,
                       snivhost_plural(names), table->nsets,
                       table->nsets == 1 ? "" : "es"));
    snivhost_lines_add(lines, "", 0, "");
    snivhost_lines_add(lines, "", 0, "The local address of a connection is "
                       "looked up in this order; only the first that exists "
                       "counts:");
    for (i = 0; i < table->nsets; i++) {
        snivhost_lines_add(lines, apr_psprintf(p, "  %s",
                                               snivhost_set_text(p, sets[i])),
                           26, apr_psprintf(p, "%d virtual host%s",
                                            sets[i]->nmembers,
                                            snivhost_plural(
                                                sets[i]->nmembers)));
    }
    snivhost_lines_add(lines, "  any other", 26,
                       apr_psprintf(p, "the main server, %s",
                                    table->main_server->server_name));
    print(out, lines, p);
    for (i = 0; i < table->nsets; i++)
        print_set(out, facts, sets[i], p);
    if (facts->tls)
        dump_certificates(out, facts, p);
}

/* ----- JSON ----- */

static json_t *json_reasons(const apr_array_header_t *reasons, apr_pool_t *p)
{
    json_t *list = json_array();
    int i;

    for (i = 0; reasons && i < reasons->nelts; i++) {
        const snivhost_reason_t *reason = &APR_ARRAY_IDX(reasons, i,
                                                         snivhost_reason_t);
        const ap_directive_t *node = reason->node;
        json_t *json = json_object();

        json_object_set_new(json, "text", snivhost_json_text(
                                snivhost_reason_phrase(reason, p), p));
        json_object_set_new(json, "file",
                            snivhost_json_text(node ? node->filename : NULL,
                                               p));
        json_object_set_new(json, "line", node ? json_integer(node->line_num)
                                               : json_null());
        json_array_append_new(list, json);
    }
    return list;
}

static json_t *json_tls(const snivhost_facts_t *facts, const sniv_vhost_t *v,
                        int with_certs, apr_pool_t *p)
{
    snivhost_tls_facts_t tls;
    json_t *json = json_object();

    snivhost_facts_tls(facts, v->server, with_certs, &tls, p);
    json_object_set_new(json, "how", json_string(tls.how));
    json_object_set_new(json, "not_lean_because",
                        snivhost_json_text(tls.why_not, p));
    json_object_set_new(json, "renewal_requires_restart_because",
                        snivhost_json_text(tls.restart, p));
    json_object_set_new(json, "obstacles", json_reasons(tls.reasons, p));
    if (with_certs) {
        json_object_set_new(json, "certificate",
                            snivhost_json_certificate(&tls, p));
        json_object_set_new(json, "problem", snivhost_json_text(tls.problem,
                                                                p));
        json_object_set_new(json, "problem_file",
                            snivhost_json_text(tls.problem_file, p));
    }
    return json;
}

static json_t *json_vhost(const snivhost_facts_t *facts,
                          const sniv_vhost_t *v, int with_certs,
                          apr_pool_t *p)
{
    json_t *json = json_object();
    json_t *addrs = json_array();
    int i;

    json_object_set_new(json, "vhost", snivhost_json_text(v->server_name, p));
    json_object_set_new(json, "defined_at", snivhost_json_place(v, p));
    json_object_set_new(json, "aliases",
                        snivhost_json_texts(v->aliases, v->naliases, p));
    json_object_set_new(json, "globs",
                        snivhost_json_texts(v->globs, v->nglobs, p));
    json_object_set_new(json, "path", snivhost_json_text(v->path, p));
    for (i = 0; i < v->naddrs; i++) {
        json_array_append_new(addrs, json_string(
            snivhost_addr_text(p, &v->addrs[i].ip, v->addrs[i].port)));
    }
    json_object_set_new(json, "addresses", addrs);
    json_object_set_new(json, "tls", json_tls(facts, v, with_certs, p));
    return json;
}

static json_t *json_set(const sniv_table_t *table, const sniv_set_t *set,
                        apr_pool_t *p)
{
    json_t *json = json_object();
    json_t *members = json_array();
    int i;

    json_object_set_new(json, "address", json_string(snivhost_set_text(p,
                                                                       set)));
    json_object_set_new(json, "name_based", json_boolean(set->name_based));
    for (i = 0; i < set->nmembers; i++) {
        json_array_append_new(members, json_integer(set->members[i]
                                                    - table->vhosts));
    }
    json_object_set_new(json, "members", members);
    return json;
}

json_t *snivhost_dump_json(const snivhost_facts_t *facts, int with_certs,
                           apr_pool_t *p)
{
    const sniv_table_t *table = facts->table;
    const sniv_set_t **sets = snivhost_sets_in_order(table, p);
    json_t *json = json_object();
    json_t *list;
    apr_pool_t *each;
    int i;

    json_object_set_new(json, "version", json_integer(SNIVHOST_JSON_VERSION));
    json_object_set_new(json, "mode",
                        json_string(snivhost_mode_text(facts->mode)));
    json_object_set_new(json, "main_server",
                        json_vhost(facts, table->main_server, with_certs, p));
    list = json_array();
    apr_pool_create(&each, p);
    for (i = 0; i < table->nvhosts; i++) {
        json_array_append_new(list, json_vhost(facts, &table->vhosts[i],
                                               with_certs, each));
        apr_pool_clear(each);
    }
    apr_pool_destroy(each);
    json_object_set_new(json, "vhosts", list);
    list = json_array();
    for (i = 0; i < table->nsets; i++)
        json_array_append_new(list, json_set(table, sets[i], p));
    json_object_set_new(json, "sets", list);
    snivhost_side_json(json, snivhost_side_make(facts, p), p);
    return json;
}

/* ----- questions ----- */

/* A URL is asked of so many addresses. */
#define ADDRESSES_MAX 10

static void answer_one(apr_file_t *out, const snivhost_facts_t *facts,
                       const snivhost_question_t *q, int is_first,
                       apr_pool_t *p)
{
    const snivhost_explanation_t *x = snivhost_explain(facts, q, p);

    if (q->as_json) {
        apr_file_puts(snivhost_json_dump(snivhost_json_explanation(x, p), p),
                      out);
    }
    else {
        apr_file_puts(is_first ? "" : "\n", out);
        apr_file_puts(snivhost_render_answer(x, p), out);
        apr_file_puts(snivhost_render_explanation(x, p), out);
    }
}

static void answer(apr_file_t *out, const snivhost_facts_t *facts,
                   apr_pool_t *p)
{
    apr_pool_t *each;
    int i, k;

    apr_pool_create(&each, p);
    for (i = 0; i < snivhost_site.questions->nelts; i++) {
        const apr_array_header_t *all = snivhost_question_addresses(
            &APR_ARRAY_IDX(snivhost_site.questions, i, snivhost_question_t),
            facts->table, p);

        for (k = 0; k < all->nelts; k++) {
            const snivhost_question_t *q =
                &APR_ARRAY_IDX(all, k, snivhost_question_t);

            if (k == ADDRESSES_MAX && !q->as_json) {
                apr_file_printf(out, "\n(%d more addresses have port %u: "
                                "write one in front of the URL)\n",
                                all->nelts - k, q->port);
                break;
            }
            answer_one(out, facts, q, i == 0 && k == 0, each);
            apr_pool_clear(each);
        }
    }
    apr_pool_destroy(each);
}

/* ----- hooks ----- */

void snivhost_dump_test_config(apr_pool_t *p, server_rec *s)
{
    int text = ap_exists_config_define("DUMP_SNIVHOST");
    int json = ap_exists_config_define("DUMP_SNIVHOST_JSON");
    snivhost_facts_t *facts;
    apr_file_t *out;
    apr_pool_t *ptemp;
    apr_status_t rv;

    if (!text && !json && !snivhost_site.questions)
        return;
    apr_file_open_stdout(&out, p);
    apr_pool_create(&ptemp, p);
    rv = snivhost_facts_make(&facts, s, p, ptemp);
    apr_pool_destroy(ptemp);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s, "SNIV0501: "
                     "the tables of virtual hosts could not be built");
        return;
    }
    if ((text || json) && facts->tls)
        snivhost_served_read(facts, p);
    if (text)
        dump_text(out, facts, p);
    if (json) {
        json_t *document = snivhost_dump_json(facts, 1, p);

        json_object_set_new(document, "certificates",
                            json_certificates(facts, p));
        json_object_set_new(document, "findings",
                            snivhost_lint_json(
                                snivhost_lint_run(s, facts->table, 1, p, p),
                                p));
        apr_file_puts(snivhost_json_dump(document, p), out);
    }
    if (snivhost_site.questions)
        answer(out, facts, p);
    apr_file_flush(out);
}

/* Without -t these would start a server. */
int snivhost_dump_check_config(apr_pool_t *p, apr_pool_t *plog,
                               apr_pool_t *ptemp, server_rec *s)
{
    const char *define = snivhost_asked_define();

    (void)p;
    (void)plog;
    (void)ptemp;
    if (!define || ap_state_query(AP_SQ_RUN_MODE) != AP_SQ_RM_NORMAL)
        return OK;
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, s, "SNIV0502: -D "
                 "%s is for tests of the configuration: add -t, or remove "
                 "it", define);
    return HTTP_INTERNAL_SERVER_ERROR;
}

