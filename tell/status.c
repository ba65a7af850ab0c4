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

#include "tell/status.h"

#include <stdlib.h>

#include "apr_buckets.h"
#include "apr_optional_hooks.h"
#include "apr_strings.h"
#include "http_core.h"
#include "http_log.h"
#include "http_protocol.h"
#include "http_request.h"
#include "mod_status.h"

#include "module/json.h"
#include "module/limit.h"
#include "module/words.h"
#include "tell/dump.h"
#include "tell/render.h"
#include "tell/served.h"
#include "tls/mirror.h"
#include "tls/store.h"

#define HANDLER "snivhost-status"

/* Longer than any real query string. */
#define ARGS_MAX 4096

/* No list has more pages; times the size of a page it is still an int. */
#define PAGE_MAX 1000000

/* Of a certificate in a list; it may have thousands. */
#define NAMES_MAX 100

/* ----- what the client wants ----- */

static int page_number(const char *value)
{
    long n = strtol(value, NULL, 10);

    return n < 0 ? 0 : n > PAGE_MAX ? PAGE_MAX : (int)n;
}

static void take(snivhost_view_t *view, const char *key, const char *value)
{
    if (!strcmp(key, "address"))
        view->address = *value ? value : NULL;
    else if (!strcmp(key, "sni"))
        view->sni = value;
    else if (!strcmp(key, "host"))
        view->host = value;
    else if (!strcmp(key, "path"))
        view->path = value;
    else if (!strcmp(key, "http"))
        view->http = value;
    else if (!strcmp(key, "find"))
        view->find = *value ? value : NULL;
    else if (!strcmp(key, "set"))
        view->set = *value == '-' ? -1 : page_number(value);
    else if (!strcmp(key, "page"))
        view->page = page_number(value);
    else if (!strcmp(key, "dump"))
        view->dump = 1;
    else if (!strcmp(key, "certificates"))
        view->certificates = 1;
    else if (!strcmp(key, "format")) {
        view->as_json = !strcmp(value, "json");
        view->as_metrics = !strcmp(value, "prometheus");
    }
}

/* An empty field of a form is one that was not filled in. */
static const char *ask(snivhost_view_t *view, apr_pool_t *p, const char *key,
                       const char *value)
{
    return value && *value ? snivhost_question_set(&view->question, p, key,
                                                   value) : NULL;
}

static void read_question(snivhost_view_t *view, apr_pool_t *p)
{
    if (!view->address)
        return;
    view->question.path = "/";
    view->trouble = snivhost_question_address(&view->question, p,
                                              view->address);
    if (!view->trouble)
        view->trouble = ask(view, p, "sni", view->sni);
    if (!view->trouble)
        view->trouble = ask(view, p, "host", view->host);
    if (!view->trouble)
        view->trouble = ask(view, p, "path", view->path);
    if (!view->trouble)
        view->trouble = ask(view, p, "http", view->http);
}

static int read_view(snivhost_view_t *view, request_rec *r)
{
    const char *args = r->args;

    memset(view, 0, sizeof(*view));
    view->set = -1;
    if (!args)
        return OK;
    if (strlen(args) > ARGS_MAX)
        return HTTP_REQUEST_URI_TOO_LARGE;
    while (*args) {
        char *pair = ap_getword(r->pool, &args, '&');
        char *value = ap_strchr(pair, '=');

        if (value)
            *value++ = '\0';
        else
            value = pair + strlen(pair);
        if (ap_unescape_urlencoded(pair) != OK
            || ap_unescape_urlencoded(value) != OK) {
            return HTTP_BAD_REQUEST;
        }
        take(view, pair, value);
    }
    read_question(view, r->pool);
    return OK;
}

/* ----- JSON ----- */

static json_t *json_counters(void)
{
    unsigned long sums[SNIVHOST_NCOUNTERS];
    json_t *json = json_object();
    int i;

    snivhost_counters_read(sums);
    for (i = 0; i < SNIVHOST_NCOUNTERS; i++) {
        json_object_set_new(json, snivhost_counter_key(i),
                            json_integer((json_int_t)sums[i]));
    }
    return json;
}

static json_t *json_store(void)
{
    sniv_certs_stats_t stats;
    json_t *json;

    if (!snivhost_store())
        return json_null();
    sniv_certs_stats(snivhost_store(), &stats);
    json = json_object();
    json_object_set_new(json, "certificates", json_integer(stats.entries));
    json_object_set_new(json, "chains", json_integer(stats.chains));
    json_object_set_new(json, "bytes", json_integer((json_int_t)stats.bytes));
    json_object_set_new(json, "room", json_integer((json_int_t)stats.room));
    json_object_set_new(json, "cached_in_this_process",
                        json_integer(stats.cached));
    return json;
}

/* Stores that certificates are copied from. */
static json_t *json_sources(apr_pool_t *p)
{
    json_t *list = json_array(), *json;
    snivhost_mirror_info_t info;
    int i;

    for (i = 0; snivhost_mirror_get(i, &info); i++) {
        json = json_object();
        json_object_set_new(json, "store", snivhost_json_text(info.url, p));
        json_object_set_new(json, "is_read", json_boolean(info.is_good));
        json_object_set_new(json, "last_read", snivhost_json_text(
            info.read ? snivhost_time_text(p, info.read) : NULL, p));
        json_object_set_new(json, "age_seconds", info.read
                            ? json_integer((json_int_t)apr_time_sec(
                                  apr_time_now() - info.read))
                            : json_null());
        json_object_set_new(json, "version",
                            json_integer((json_int_t)info.version));
        json_object_set_new(json, "certificates",
                            json_integer((json_int_t)info.entries));
        json_object_set_new(json, "skipped",
                            json_integer((json_int_t)info.skipped));
        json_object_set_new(json, "failures",
                            json_integer((json_int_t)info.failures));
        json_object_set_new(json, "session_secrets", info.ring
                            ? json_integer((json_int_t)info.ring)
                            : json_null());
        json_array_append_new(list, json);
    }
    return list;
}

/* Who looks for changes, and when that was done last. */
static json_t *json_keeper(void)
{
    sniv_certs_looks_t looks;
    json_t *json = json_object();

    json_object_set_new(json, "state",
                        json_string(snivhost_store_keeper(&looks)));
    json_object_set_new(json, "last_look", looks.ended
                        ? snivhost_json_time(looks.ended) : json_null());
    return json;
}

static json_t *json_served(void)
{
    snivhost_served_sum_t sum;
    json_t *json = json_object();
    int n;

    free(snivhost_served_page(0, 0, &n, &sum));
    json_object_set_new(json, "served", json_integer(sum.all));
    json_object_set_new(json, "late", json_integer(sum.late));
    json_object_set_new(json, "first_expires", sum.first
                        ? snivhost_json_time(sum.first) : json_null());
    return json;
}

/* A page of the list. */
static json_t *json_certificates(const snivhost_facts_t *facts, int page,
                                 apr_pool_t *p)
{
    const int size = SNIVHOST_SERVED_PAGE;
    snivhost_served_sum_t sum;
    json_t *json = json_object();
    int n;
    snivhost_served_t *served = snivhost_served_page(page, size, &n, &sum);

    json_object_set_new(json, "version", json_integer(SNIVHOST_JSON_VERSION));
    json_object_set_new(json, "served", json_integer(sum.all));
    json_object_set_new(json, "late", json_integer(sum.late));
    json_object_set_new(json, "page", json_integer(page));
    json_object_set_new(json, "pages", json_integer((sum.all + size - 1)
                                                    / size));
    json_object_set_new(json, "certificates",
                        snivhost_json_served(facts, served, page * size, n,
                                             NAMES_MAX, p));
    free(served);
    return json;
}

static json_t *json_sets(const sniv_table_t *table, apr_pool_t *p)
{
    json_t *list = json_array();
    int i;

    for (i = 0; i < table->nsets; i++) {
        const sniv_set_t *set = table->sets[i];
        json_t *json = json_object();

        json_object_set_new(json, "address",
                            json_string(snivhost_set_text(p, set)));
        json_object_set_new(json, "name_based",
                            json_boolean(set->name_based));
        json_object_set_new(json, "virtual_hosts",
                            json_integer(set->nmembers));
        json_object_set_new(json, "default", snivhost_json_text(
                                set->members[0]->server_name, p));
        json_object_set_new(json, "default_defined_at",
                            snivhost_json_place(set->members[0], p));
        json_array_append_new(list, json);
    }
    return list;
}

static json_t *json_trouble(const char *trouble, apr_pool_t *p)
{
    json_t *json = json_object();

    json_object_set_new(json, "version", json_integer(SNIVHOST_JSON_VERSION));
    json_object_set_new(json, "error", snivhost_json_text(trouble, p));
    return json;
}

/* A question gets its answer and nothing else, in the shape that
 * SNIVHostExplain has. */
static json_t *json_view(const snivhost_facts_t *facts,
                         const snivhost_view_t *view, apr_pool_t *p)
{
    json_t *json;

    if (view->trouble)
        return json_trouble(view->trouble, p);
    if (view->answer)
        return snivhost_json_explanation(view->answer, p);
    if (view->dump)
        return snivhost_dump_json(facts, 1, p);
    if (view->certificates)
        return json_certificates(facts, view->page, p);
    json = json_object();
    json_object_set_new(json, "version", json_integer(SNIVHOST_JSON_VERSION));
    json_object_set_new(json, "mode",
                        json_string(snivhost_mode_text(facts->mode)));
    json_object_set_new(json, "server", snivhost_json_text(
                            facts->main_server->server_hostname, p));
    json_object_set_new(json, "counted_since", snivhost_json_text(
        snivhost_counters_since()
            ? snivhost_time_text(p, snivhost_counters_since()) : NULL, p));
    json_object_set_new(json, "counters", json_counters());
    json_object_set_new(json, "certificates", json_served());
    json_object_set_new(json, "keeper", json_keeper());
    json_object_set_new(json, "certificate_store", json_store());
    json_object_set_new(json, "certificate_sources", json_sources(p));
    json_object_set_new(json, "virtual_hosts",
                        json_integer(facts->table->nvhosts));
    json_object_set_new(json, "sets", json_sets(facts->table, p));
    return json;
}

/* ----- where it may be mapped ----- */

/*
 * The author of a .htaccess file with AllowOverride FileInfo can
 * set a handler, and this one shows all of the server. So what counts is the
 * handler that <Location> (or the server itself) gives before any file is
 * looked at; the request remembers it.
 */
#define MAPPED HANDLER

int snivhost_status_translate_name(request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    const char *err = NULL, *name;

    if (core->expr_handler) {
        name = ap_expr_str_exec(r, core->expr_handler, &err);
        if (!err && name && !strcmp(name, HANDLER))
            apr_table_setn(r->notes, MAPPED, "");
    }
    return DECLINED;
}

static int is_mapped(request_rec *r)
{
    static snivhost_limit_t limit;
    apr_uint32_t unsaid;

    if (apr_table_get(r->notes, MAPPED))
        return 1;
    if (snivhost_may_say(&limit, &unsaid)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "SNIV0503: "
                      "answered 403: the handler " HANDLER " is for "
                      "<Location> in the configuration of the server, not for "
                      ".htaccess files, <Directory>, <Files> or AddHandler%s",
                      snivhost_unsaid_text(r->pool, unsaid));
    }
    return 0;
}

/* ----- the handler ----- */

static void set_headers(request_rec *r, const snivhost_view_t *view)
{
    ap_set_content_type(r, view->as_metrics
                           ? "text/plain; version=0.0.4; charset=utf-8"
                           : view->as_json ? "application/json"
                           : "text/html; charset=UTF-8");
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    apr_table_setn(r->headers_out, "Referrer-Policy", "no-referrer");
    apr_table_setn(r->headers_out, "Content-Security-Policy",
                   "default-src 'none'; style-src 'unsafe-inline'; "
                   "form-action 'self'; base-uri 'none'; "
                   "frame-ancestors 'none'");
}

/*
 * All is made in memory first: while the facts are held, other questions of
 * this child wait.
 */
static int answer_with_facts(apr_bucket_brigade *bb, request_rec *r,
                             snivhost_view_t *view)
{
    const snivhost_facts_t *facts = snivhost_facts_acquire();

    if (!facts)
        return 0;
    if (view->address && !view->trouble)
        view->answer = snivhost_explain(facts, &view->question, r->pool);
    if (view->as_json) {
        apr_brigade_puts(bb, NULL, NULL,
                         snivhost_json_dump(json_view(facts, view, r->pool),
                                            r->pool));
    }
    else {
        snivhost_page(bb, r, facts, view);
    }
    snivhost_facts_release();
    return 1;
}

int snivhost_status_handler(request_rec *r)
{
    apr_bucket_brigade *bb;
    snivhost_view_t view;
    int status;

    if (!r->handler || strcmp(r->handler, HANDLER))
        return DECLINED;
    if (!is_mapped(r))
        return HTTP_FORBIDDEN;
    r->allowed = AP_METHOD_BIT << M_GET;
    if (r->method_number != M_GET)
        return HTTP_METHOD_NOT_ALLOWED;
    status = read_view(&view, r);
    if (status != OK)
        return status;
    set_headers(r, &view);
    if (r->header_only)
        return OK;

    bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    if (view.as_metrics)
        snivhost_metrics(bb);
    else if (!answer_with_facts(bb, r, &view))
        return HTTP_INTERNAL_SERVER_ERROR;
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(bb->bucket_alloc));
    return ap_pass_brigade(r->output_filters, bb) == APR_SUCCESS
           ? OK : AP_FILTER_ERROR;
}

/* ----- a section of mod_status ----- */

static void status_short(request_rec *r, const unsigned long *sums)
{
    int i;

    ap_rprintf(r, "SNIVHostMode: %s\n",
               snivhost_mode_text(snivhost_live->mode));
    ap_rprintf(r, "SNIVHostVirtualHosts: %d\n",
               snivhost_live->table->nvhosts);
    ap_rprintf(r, "SNIVHostAddresses: %d\n", snivhost_live->table->nsets);
    for (i = 0; i < SNIVHOST_NCOUNTERS; i++) {
        ap_rprintf(r, "SNIVHost%s: %lu\n", snivhost_counter_key(i), sums[i]);
    }
}

static void status_long(request_rec *r, const unsigned long *sums,
                        int no_table)
{
    int g, i;

    ap_rprintf(r, "<hr />\n<h2>Virtual hosts (SNIVHost %s)</h2>\n"
               "<p>%d virtual host%s on %d address%s</p>\n",
               snivhost_mode_text(snivhost_live->mode),
               snivhost_live->table->nvhosts,
               snivhost_plural(snivhost_live->table->nvhosts),
               snivhost_live->table->nsets,
               snivhost_live->table->nsets == 1 ? "" : "es");
    for (g = 0; g < SNIVHOST_NGROUPS; g++) {
        const snivhost_counter_group_t *group = &snivhost_counter_groups[g];

        ap_rprintf(r, no_table ? "<h3>%s</h3>\n<dl>\n"
                   : "<h3>%s</h3>\n<table border=\"0\">\n", group->title);
        for (i = group->first; i <= (int)group->last; i++) {
            const char *words = ap_escape_html(r->pool,
                                               snivhost_counter_words(i));

            ap_rprintf(r, no_table ? "<dt>%s: %s</dt>\n"
                       : "<tr><td>%s</td><td align=\"right\">%s</td></tr>\n",
                       words, snivhost_number_text(r->pool, sums[i]));
        }
        ap_rputs(no_table ? "</dl>\n" : "</table>\n", r);
    }
}

int snivhost_status_hook(request_rec *r, int flags)
{
    unsigned long sums[SNIVHOST_NCOUNTERS];

    if (!snivhost_live)
        return DECLINED;
    snivhost_counters_read(sums);
    if (flags & AP_STATUS_SHORT)
        status_short(r, sums);
    else
        status_long(r, sums, flags & AP_STATUS_NOTABLE);
    return OK;
}

