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

#include "tell/compare.h"

#include "apr_file_io.h"
#include "apr_strings.h"
#include "http_core.h"

#include "module/asked.h"
#include "module/json.h"
#include "module/version.h"
#include "module/words.h"
#include "tell/render.h"

/*
 * SNIVHostCompare: what it was asked for, and what it prints. The first line
 * is the answer.
 */

/* So many names of a change are printed. */
#define SHOWN 3

/* And so many changes of the two kinds: clients see it, or do not. */
#define CHANGES_SHOWN 40

#define INDENT 7

/* What was asked: FILE [strict] [allow=FILE] [format=...]. */
typedef struct request_t {
    const char *path;
    const char *said;           /* the path as it was written */
    const char *allow_path;
    int is_strict;
    const char *format;
} request_t;

/* ----- what was asked ----- */

static void understand(request_t *request, const apr_array_header_t *words,
                       apr_pool_t *p)
{
    int i;

    memset(request, 0, sizeof(*request));
    request->format = "text";
    request->said = APR_ARRAY_IDX(words, 0, const char *);
    request->path = strcmp(request->said, "-")
                    ? ap_server_root_relative(p, request->said) : "-";
    for (i = 1; i < words->nelts; i++) {
        const char *word = APR_ARRAY_IDX(words, i, const char *);

        if (!strcmp(word, "strict"))
            request->is_strict = 1;
        else if (!strncmp(word, "allow=", 6))
            request->allow_path = ap_server_root_relative(p, word + 6);
        else
            request->format = word + strlen("format=");
    }
}

/*
 * One pattern a line, with an address in front or for all of them. They
 * become `ADDRESS NAME`.
 */
static const char *read_allow(snivhost_allow_t **pallow, const char *path,
                              apr_pool_t *p)
{
    snivhost_allow_t *allow = apr_array_make(p, 16, sizeof(const char *));
    ap_configfile_t *file;
    char line[1024];
    apr_status_t rv = ap_pcfg_openfile(&file, p, path);

    if (rv != APR_SUCCESS)
        return apr_psprintf(p, "%s: %pm", path, &rv);
    while (ap_cfg_getline(line, sizeof(line), file) == APR_SUCCESS) {
        const char *rest = line;
        const char *name, *address;

        if (*line == '#' || !*line)
            continue;
        /* labels such as "(no name)" have blanks */
        address = *line == '(' ? "" : ap_getword_white(p, &rest);
        name = *rest ? rest : address;
        APR_ARRAY_PUSH(allow, const char *) = apr_pstrcat(
            p, name == address || !*address ? "*" : address, " ", name,
            NULL);
    }
    ap_cfg_closefile(file);
    *pallow = allow;
    return NULL;
}

/* ----- text ----- */

static const char *number(apr_pool_t *p, int n)
{
    return snivhost_number_text(p, (unsigned long)n);
}

/* The answer in one line. */
static const char *answer_text(const snivhost_comparison_t *x, apr_pool_t *p)
{
    const char *of = apr_psprintf(p, "%s%s%s", x->path,
                                  x->before->written ? " of " : "",
                                  x->before->written ? x->before->written
                                                     : "");

    if (!x->nchanged) {
        return apr_psprintf(p, "nothing changes for clients: %s name%s on %s "
                            "address%s compared with %s", number(p, x->nnames),
                            snivhost_plural(x->nnames),
                            number(p, x->naddresses),
                            x->naddresses == 1 ? "" : "es", of);
    }
    return apr_psprintf(p, "%s of %s name%s change%s on %s address%s, compared "
                        "with %s", number(p, x->nchanged),
                        number(p, x->nnames), snivhost_plural(x->nnames),
                        x->nchanged == 1 ? "s" : "",
                        number(p, x->naddresses),
                        x->naddresses == 1 ? "" : "es", of);
}

static const char *names_text(const snivhost_change_t *change, apr_pool_t *p)
{
    const int n = change->names->nelts;
    const char *text = "";
    int i;

    for (i = 0; i < n && i < SHOWN; i++) {
        text = apr_pstrcat(p, text, i ? ", " : "",
                           ap_escape_logitem(p, APR_ARRAY_IDX(change->names,
                                                    i, const char *)), NULL);
    }
    return n > SHOWN ? apr_psprintf(p, "%s and %s more", text,
                                    number(p, n - SHOWN)) : text;
}

/* "1,204 names of shop.conf", or the one name. */
static const char *subject_text(const snivhost_change_t *change,
                                apr_pool_t *p)
{
    const int n = change->names->nelts;

    if (n == 1)
        return names_text(change, p);
    return apr_psprintf(p, "%s names%s%s", number(p, n),
                        change->file ? " of " : "",
                        change->file ? change->file : "");
}

static void add_change(snivhost_lines_t *lines,
                       const snivhost_change_t *change, int is_strict)
{
    apr_pool_t *p = lines->pool;
    int i;

    snivhost_lines_add(lines, apr_pstrcat(p, change->address, "  ", NULL),
                       INDENT, apr_psprintf(p, "%s%s: %s%s",
                       subject_text(change, p), change->client,
                       change->summary,
                       is_strict && change->what != SNIVHOST_CHANGED_RULE
                       && !change->nnot_allowed ? " (allowed)" : ""));
    for (i = 0; i < change->details->nelts; i++) {
        snivhost_lines_add(lines, "", INDENT,
                           APR_ARRAY_IDX(change->details, i, const char *));
    }
    if (change->cause) {
        snivhost_lines_add(lines, "", INDENT,
                           apr_psprintf(p, "because %s%s%s", change->cause,
                                        change->place && *change->place
                                        ? ": " : "", change->place));
    }
    else if (change->place && *change->place) {
        snivhost_lines_add(lines, "", INDENT, change->place);
    }
    if (change->names->nelts > 1)
        snivhost_lines_add(lines, "", INDENT, names_text(change, p));
}

/* The changes of one kind, the largest first. */
static void add_changes(snivhost_lines_t *lines,
                        const snivhost_comparison_t *x, int is_rule,
                        int is_strict)
{
    apr_pool_t *p = lines->pool;
    int i, n = 0, nnames = 0;

    for (i = 0; i < x->changes->nelts; i++) {
        const snivhost_change_t *change =
            APR_ARRAY_IDX(x->changes, i, snivhost_change_t *);

        if ((change->what == SNIVHOST_CHANGED_RULE) != is_rule)
            continue;
        if (!n++ && is_rule) {
            snivhost_lines_add(lines, "", 0, "the same virtual host by "
                               "another rule, which clients do not see:");
        }
        if (n <= CHANGES_SHOWN)
            add_change(lines, change, is_strict);
        else
            nnames += change->names->nelts;
    }
    if (n > CHANGES_SHOWN) {
        snivhost_lines_add(lines, "", 0, apr_psprintf(p, "and %s more changes "
                           "with %s names: format=json shows all",
                           number(p, n - CHANGES_SHOWN), number(p, nnames)));
    }
}

static const char *text_of(const snivhost_comparison_t *x, int is_strict,
                           apr_pool_t *p)
{
    snivhost_lines_t *lines = snivhost_lines_make(p);
    int i;

    snivhost_lines_add(lines, "SNIVHostCompare: ", INDENT,
                       answer_text(x, p));
    add_changes(lines, x, 0, is_strict);
    add_changes(lines, x, 1, is_strict);
    if (x->notes->nelts)
        snivhost_lines_add(lines, "", 0, "not compared:");
    for (i = 0; i < x->notes->nelts; i++) {
        snivhost_lines_add(lines, "", INDENT,
                           APR_ARRAY_IDX(x->notes, i, const char *));
    }
    return snivhost_lines_text(lines, p);
}

/* ----- JSON ----- */

static json_t *json_strings(const apr_array_header_t *texts, apr_pool_t *p)
{
    json_t *list = json_array();
    int i;

    for (i = 0; i < texts->nelts; i++) {
        json_array_append_new(list, snivhost_json_text(
            APR_ARRAY_IDX(texts, i, const char *), p));
    }
    return list;
}

static const struct {
    unsigned bit;
    const char *id;
    const char *text;
} kinds[] = {
    { SNIVHOST_CHANGED_LISTEN, "listen", "An address is listened to, or is "
      "no longer." },
    { SNIVHOST_CHANGED_VHOST, "virtual-host", "Another virtual host "
      "answers." },
    { SNIVHOST_CHANGED_REFUSAL, "refusal", "A request or a handshake is "
      "refused, or is no longer." },
    { SNIVHOST_CHANGED_CERT, "certificate", "Another certificate is sent." },
    { SNIVHOST_CHANGED_TLS, "tls-settings", "Other TLS settings are in "
      "effect." },
    { SNIVHOST_CHANGED_RULE, "rule", "The same virtual host answers by "
      "another rule." }
};
#define NKINDS (int)(sizeof(kinds) / sizeof(*kinds))

static json_t *json_kinds(unsigned what)
{
    json_t *list = json_array();
    int i;

    for (i = 0; i < NKINDS; i++) {
        if (what & kinds[i].bit)
            json_array_append_new(list, json_string(kinds[i].id));
    }
    return list;
}

static json_t *json_change(const snivhost_change_t *change, apr_pool_t *p)
{
    json_t *json = json_object();

    json_object_set_new(json, "what", json_kinds(change->what));
    json_object_set_new(json, "address", snivhost_json_text(change->address,
                                                            p));
    json_object_set_new(json, "addresses", change->addresses
                        ? json_strings(change->addresses, p) : json_null());
    json_object_set_new(json, "tls", json_boolean(change->tls));
    json_object_set_new(json, "without_sni", json_boolean(*change->client));
    json_object_set_new(json, "summary", snivhost_json_text(change->summary,
                                                            p));
    json_object_set_new(json, "details", json_strings(change->details, p));
    json_object_set_new(json, "cause", snivhost_json_text(change->cause, p));
    json_object_set_new(json, "defined_at", snivhost_json_text(
        change->place && *change->place ? change->place : NULL, p));
    json_object_set_new(json, "not_allowed",
                        json_integer(change->nnot_allowed));
    json_object_set_new(json, "names", json_strings(change->names, p));
    json_object_set_new(json, "asked", json_strings(change->asked, p));
    return json;
}

static const char *json_of(const snivhost_comparison_t *x, apr_pool_t *p)
{
    json_t *json = json_object(), *changes = json_array();
    int i;

    for (i = 0; i < x->changes->nelts; i++) {
        json_array_append_new(changes, json_change(
            APR_ARRAY_IDX(x->changes, i, snivhost_change_t *), p));
    }
    json_object_set_new(json, "version", json_integer(SNIVHOST_JSON_VERSION));
    json_object_set_new(json, "compared_with", snivhost_json_text(x->path,
                                                                  p));
    json_object_set_new(json, "written", snivhost_json_text(
                            x->before->written, p));
    json_object_set_new(json, "names", json_integer(x->nnames));
    json_object_set_new(json, "addresses", json_integer(x->naddresses));
    json_object_set_new(json, "changed", json_integer(x->nchanged));
    json_object_set_new(json, "not_allowed", json_integer(x->nnot_allowed));
    json_object_set_new(json, "changes", changes);
    json_object_set_new(json, "not_compared", json_strings(x->notes, p));
    return snivhost_json_dump(json, p);
}

/* ----- SARIF 2.1.0 ----- */

static json_t *sarif_rules(void)
{
    json_t *rules = json_array();
    int i;

    for (i = 0; i < NKINDS; i++) {
        json_array_append_new(rules, json_pack("{s:s, s:{s:s}}", "id",
            kinds[i].id, "shortDescription", "text", kinds[i].text));
    }
    return rules;
}

static json_t *sarif_location(const char *place, apr_pool_t *p)
{
    const char *colon = place ? ap_strrchr_c(place, ':') : NULL;
    const int line = colon ? atoi(colon + 1) : 0;
    json_t *where;

    if (line < 1)
        return json_array();
    where = json_pack("{s:{s:o}, s:{s:i}}", "artifactLocation", "uri",
                      snivhost_json_text(apr_pstrcat(p, *place == '/'
                          ? "file://" : "", ap_os_escape_path(p,
                          apr_pstrmemdup(p, place, colon - place), 1), NULL),
                          p),
                      "region", "startLine", line);
    return json_pack("[{s:o}]", "physicalLocation", where);
}

static json_t *sarif_result(const snivhost_change_t *change, int is_strict,
                            apr_pool_t *p)
{
    const char *level = change->what == SNIVHOST_CHANGED_RULE ? "note"
        : is_strict && change->nnot_allowed ? "error" : "warning";
    const char *details = "";
    int i, kind = 0;

    for (i = 0; i < change->details->nelts; i++) {
        details = apr_pstrcat(p, details, "; ", APR_ARRAY_IDX(change->details,
                                                    i, const char *), NULL);
    }

    while (!(change->what & kinds[kind].bit))
        kind++;
    return json_pack("{s:s, s:s, s:{s:o}, s:o}", "ruleId", kinds[kind].id,
        "level", level, "message", "text", snivhost_json_text(apr_psprintf(
            p, "%s %s%s: %s%s%s%s (%s)", change->address,
            subject_text(change, p), change->client, change->summary,
            details,
            change->cause ? ", because " : "",
            change->cause ? change->cause : "", names_text(change, p)), p),
        "locations", sarif_location(change->place, p));
}

static const char *sarif_of(const snivhost_comparison_t *x, int is_strict,
                            apr_pool_t *p)
{
    json_t *results = json_array(), *run;
    int i;

    for (i = 0; i < x->changes->nelts; i++) {
        json_array_append_new(results, sarif_result(
            APR_ARRAY_IDX(x->changes, i, snivhost_change_t *), is_strict, p));
    }
    run = json_pack("{s:{s:{s:s, s:s, s:o}}, s:o}", "tool", "driver",
                    "name", "mod_snivhost", "version", MOD_SNIVHOST_VERSION,
                    "rules", sarif_rules(), "results", results);
    return snivhost_json_dump(json_pack("{s:s, s:s, s:[o]}", "$schema",
        "https://json.schemastore.org/sarif-2.1.0.json", "version", "2.1.0",
        "runs", run), p);
}

/* ----- the phase ----- */

static int fail(const request_t *request, const char *why)
{
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL, "SNIV0800: "
                 "SNIVHostCompare cannot read %s: %s", request->said, why);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static int compare_with(const request_t *request, const snivhost_side_t *after,
                        apr_pool_t *p, apr_pool_t *ptemp)
{
    snivhost_side_t *before;
    snivhost_comparison_t *x;
    snivhost_allow_t *allow = NULL;
    apr_file_t *out;
    const char *problem = snivhost_side_read(&before, request->path, p,
                                             ptemp);

    if (!problem && request->allow_path)
        problem = read_allow(&allow, request->allow_path, p);
    if (problem)
        return fail(request, problem);
    x = snivhost_compare(before, after, allow, p);
    x->path = request->said;
    if (apr_file_open_stdout(&out, ptemp) != APR_SUCCESS)
        return HTTP_INTERNAL_SERVER_ERROR;
    apr_file_puts(!strcmp(request->format, "json") ? json_of(x, p)
                  : !strcmp(request->format, "sarif")
                  ? sarif_of(x, request->is_strict, p)
                  : text_of(x, request->is_strict, p), out);
    apr_file_flush(out);
    if (!request->is_strict || !x->nnot_allowed)
        return OK;
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL, "SNIV0801: "
                 "SNIVHostCompare strict: %d name%s changed without being in "
                 "the allow file. Correct the configuration, or add them to "
                 "the file of allow=", x->nnot_allowed,
                 x->nnot_allowed == 1 ? " has" : "s have");
    return HTTP_INTERNAL_SERVER_ERROR;
}

int snivhost_compare_check_config(apr_pool_t *p, apr_pool_t *plog,
                                  apr_pool_t *ptemp, server_rec *s)
{
    snivhost_facts_t *facts;
    snivhost_side_t *after;
    request_t request;
    int i, status = OK;

    (void)plog;
    if (!snivhost_site.comparisons
        || ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_NORMAL) {
        return OK;
    }
    if (snivhost_facts_make(&facts, s, p, ptemp) != APR_SUCCESS)
        return HTTP_INTERNAL_SERVER_ERROR;
    after = snivhost_side_make(facts, p);
    snivhost_side_read_certs(after, p);
    for (i = 0; i < snivhost_site.comparisons->nelts && status == OK; i++) {
        understand(&request, APR_ARRAY_IDX(snivhost_site.comparisons, i,
                                           const apr_array_header_t *), p);
        status = compare_with(&request, after, p, ptemp);
    }
    return status;
}
