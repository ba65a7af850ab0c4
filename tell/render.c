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

#include "tell/render.h"

#include "apr_strings.h"

#include "module/json.h"
#include "module/words.h"

/* ----- lines ----- */

snivhost_lines_t *snivhost_lines_make(apr_pool_t *p)
{
    return apr_array_make(p, 32, sizeof(const char *));
}

static const char *blanks(apr_pool_t *p, apr_size_t n)
{
    char *text = apr_palloc(p, n + 1);

    memset(text, ' ', n);
    text[n] = '\0';
    return text;
}

void snivhost_lines_add(snivhost_lines_t *lines, const char *label,
                        int indent, const char *text)
{
    apr_pool_t *p = lines->pool;
    const char *line = label = snivhost_one_line(p, label);
    int is_first = 1;

    text = snivhost_one_line(p, text);
    if ((int)strlen(label) < indent && *text)
        line = apr_pstrcat(p, label, blanks(p, indent - strlen(label)), NULL);
    while (*text) {
        apr_size_t room = strlen(line) < SNIVHOST_COLUMNS
                          ? SNIVHOST_COLUMNS - strlen(line) : 0;
        apr_size_t len = strlen(text);
        apr_size_t cut;

        if (len > room) {
            for (cut = room; cut > 0 && text[cut] != ' '; cut--)
                ;
            /* A word that is longer than a line is not cut: it may be a
             * file's name, to be copied as a whole. */
            len = cut ? cut : strcspn(text, " ");
        }
        APR_ARRAY_PUSH(lines, const char *)
            = apr_pstrcat(p, line, apr_pstrmemdup(p, text, len), NULL);
        text += len + strspn(text + len, " ");
        is_first = 0;
        line = blanks(p, indent);
    }
    if (is_first)
        APR_ARRAY_PUSH(lines, const char *) = line;
}

const char *snivhost_lines_text(const snivhost_lines_t *lines, apr_pool_t *p)
{
    return apr_pstrcat(p, apr_array_pstrcat(p, lines, '\n'), "\n", NULL);
}

/* ----- an explanation for a terminal ----- */

static const char *other_text(apr_pool_t *p, const snivhost_other_t *other)
{
    return apr_psprintf(p, "%s, %s: %s",
                        snivhost_vhost_text(p, other->decision.vhost),
                        snivhost_rule_text(p, &other->decision), other->why);
}

static void add_others(snivhost_lines_t *lines, snivhost_phase_e phase,
                       const snivhost_explanation_t *x)
{
    int i, n = 0;

    for (i = 0; i < x->others->nelts; i++) {
        const snivhost_other_t *other =
            &APR_ARRAY_IDX(x->others, i, snivhost_other_t);

        if (other->phase == phase) {
            if (n++ == 0)
                snivhost_lines_add(lines, "    next in line:", 0, "");
            snivhost_lines_add(lines, apr_psprintf(lines->pool, "    %3d. ",
                                                   n),
                               9, other_text(lines->pool, other));
        }
    }
}

static void add_phase(snivhost_lines_t *lines, snivhost_phase_e phase,
                      const snivhost_explanation_t *x)
{
    int i, n = 0;

    for (i = 0; i < x->steps->nelts; i++) {
        const snivhost_step_t *step =
            &APR_ARRAY_IDX(x->steps, i, snivhost_step_t);

        if (step->phase == phase) {
            if (n++ == 0) {
                snivhost_lines_add(lines, "", 0, "");
                snivhost_lines_add(lines, snivhost_phase_name(phase), 0, "");
            }
            snivhost_lines_add(lines, "    - ", 6, step->text);
        }
    }
    add_others(lines, phase, x);
}

static void add_setting(snivhost_lines_t *lines, const char *whose,
                        const snivhost_setting_t *setting)
{
    apr_pool_t *p = lines->pool;
    const char *value = setting->value ? setting->value : "not set";
    const char *copy = snivhost_one_line(p, value);

    snivhost_lines_add(lines, apr_pstrcat(p, "        ", whose, NULL), 19,
                       setting->file
                       ? apr_psprintf(p, "%s (%s:%u)", copy, setting->file,
                                      setting->line) : copy);
}

static void add_differs(snivhost_lines_t *lines,
                        const snivhost_explanation_t *x)
{
    int i;

    if (!x->differs || x->differs->nelts == 0)
        return;
    snivhost_lines_add(lines, "", 0, "");
    snivhost_lines_add(lines, "differs", 0, "");
    for (i = 0; i < x->differs->nelts; i++) {
        const snivhost_difference_t *d =
            &APR_ARRAY_IDX(x->differs, i, snivhost_difference_t);

        snivhost_lines_add(lines, apr_psprintf(lines->pool, "    %s (%s)",
                                               d->directive, d->policies),
                           0, "");
        add_setting(lines, "handshake", &d->a);
        add_setting(lines, "request", &d->b);
    }
}

/* The file of the certificate, whose it is if not the virtual host's, and
 * what is wrong with it. */
static const char *certificate_text(const snivhost_explanation_t *x,
                                    apr_pool_t *p)
{
    const char *text;

    if (!x->tls.has_cert) {
        return apr_psprintf(p, "of %s: %s",
                            snivhost_vhost_text(p, x->cert_vhost),
                            x->tls.problem);
    }
    text = x->tls.cert.nfiles ? x->tls.cert.files[0] : x->tls.cert.subject;
    if (x->cert_vhost != x->handshake.vhost) {
        text = apr_psprintf(p, "%s of %s", text,
                            snivhost_vhost_text(p, x->cert_vhost));
    }
    return x->cert_trouble ? apr_psprintf(p, "%s, which %s: clients reject it",
                                          text, x->cert_trouble) : text;
}

static void add_summary(snivhost_lines_t *lines,
                        const snivhost_explanation_t *x)
{
    apr_pool_t *p = lines->pool;

    if (x->alert) {
        snivhost_lines_add(lines, "  refusal", 16, apr_psprintf(p,
                           "the handshake ends with alert %s: %s",
                           snivhost_alert_text(x->alert), x->reason));
        return;
    }
    snivhost_lines_add(lines, "  virtual host", 16,
                       snivhost_vhost_text(p, x->request.vhost));
    snivhost_lines_add(lines, "  rule", 16, x->request.pattern
                       ? apr_psprintf(p, "%s '%s'", x->rule,
                                      x->request.pattern) : x->rule);
    if (x->speaks_tls) {
        snivhost_lines_add(lines, "  handshake", 16, apr_psprintf(p,
                           "%s, %s",
                           snivhost_vhost_text(p, x->handshake.vhost),
                           snivhost_rule_text(p, &x->handshake)));
        snivhost_lines_add(lines, "  certificate", 16,
                           certificate_text(x, p));
        snivhost_lines_add(lines, "  tls", 16, apr_psprintf(p,
                           "%s, ALPN %s", x->whole.versions
                           ? x->whole.versions : "OpenSSL's default",
                           x->whole.alpn));
        if (x->whole.nameless)
            snivhost_lines_add(lines, "  without SNI", 16, x->whole.nameless);
    }
    snivhost_lines_add(lines, "  refusal", 16, x->status
                       ? apr_psprintf(p, "%s: %s",
                                      snivhost_status_text(x->status),
                                      x->reason)
                       : snivhost_status_text(0));
    if (*snivhost_whole_text(&x->whole, p))
        snivhost_lines_add(lines, "  answer", 16,
                           snivhost_whole_text(&x->whole, p));
}

static const char *answer_text(const snivhost_explanation_t *x,
                               apr_pool_t *p)
{
    const char *vhost, *from;

    if (x->trouble)
        return x->trouble;
    if (x->alert) {
        return apr_psprintf(p, "the handshake is refused with alert %s",
                            snivhost_alert_text(x->alert));
    }
    vhost = snivhost_vhost_text(p, x->request.vhost);
    if (x->status) {
        return apr_psprintf(p, "%s, the virtual host is %s",
                            snivhost_status_text(x->status), vhost);
    }
    from = snivhost_whole_text(&x->whole, p);
    return apr_psprintf(p, "%s answers%s%s%s", vhost, *from ? ": " : "", from,
                        x->cert_trouble
                        ? ", under a certificate that clients reject" : "");
}

const char *snivhost_render_answer(const snivhost_explanation_t *x,
                                   apr_pool_t *p)
{
    snivhost_lines_t *lines = snivhost_lines_make(p);

    snivhost_lines_add(lines, "SNIVHostExplain: ", 4, answer_text(x, p));
    return snivhost_lines_text(lines, p);
}

const char *snivhost_render_explanation(const snivhost_explanation_t *x,
                                        apr_pool_t *p)
{
    snivhost_lines_t *lines = snivhost_lines_make(p);
    int phase;

    snivhost_lines_add(lines, "", 0, snivhost_question_text(x->question, p));
    if (x->trouble) {
        snivhost_lines_add(lines, "  ", 2, x->trouble);
        return snivhost_lines_text(lines, p);
    }
    add_summary(lines, x);
    for (phase = 0; phase <= SNIVHOST_PHASE_CHECKS; phase++)
        add_phase(lines, phase, x);
    if (x->nothers_left_out) {
        snivhost_lines_add(lines, "", 4, apr_psprintf(p, "(%d more would "
                           "have matched)", x->nothers_left_out));
    }
    add_differs(lines, x);
    return snivhost_lines_text(lines, p);
}

/* ----- JSON ----- */

json_t *snivhost_json_certificate(const snivhost_tls_facts_t *tls,
                                  apr_pool_t *p)
{
    const sniv_cert_info_t *cert = &tls->cert;
    json_t *json;

    if (!tls->has_cert)
        return json_null();
    json = json_object();
    json_object_set_new(json, "files",
                        snivhost_json_texts(cert->files, cert->nfiles, p));
    json_object_set_new(json, "subject", snivhost_json_text(cert->subject,
                                                            p));
    json_object_set_new(json, "issuer", snivhost_json_text(cert->issuer, p));
    json_object_set_new(json, "names",
                        snivhost_json_texts(cert->names, cert->nnames, p));
    json_object_set_new(json, "keys", snivhost_json_text(cert->kinds, p));
    json_object_set_new(json, "fingerprints",
                        snivhost_json_text(cert->fingerprints, p));
    json_object_set_new(json, "not_before",
                        snivhost_json_time(cert->not_before));
    json_object_set_new(json, "not_after", snivhost_json_time(cert->not_after));
    return json;
}

static json_t *json_question(const snivhost_question_t *q, apr_pool_t *p)
{
    json_t *json = json_object();

    json_object_set_new(json, "address", json_string(
                            snivhost_addr_text(p, &q->ip, q->port)));
    json_object_set_new(json, "sni", snivhost_json_text(q->sni, p));
    json_object_set_new(json, "host", snivhost_json_text(q->host, p));
    json_object_set_new(json, "path", snivhost_json_text(q->path, p));
    return json;
}

static json_t *json_setting(const snivhost_setting_t *setting, apr_pool_t *p)
{
    json_t *json = json_object();

    json_object_set_new(json, "value", snivhost_json_text(setting->value, p));
    json_object_set_new(json, "defined_at", setting->file
                        ? snivhost_json_text(apr_psprintf(p, "%s:%u",
                              setting->file, setting->line), p)
                        : json_null());
    return json;
}

static json_t *json_differs(const snivhost_explanation_t *x, apr_pool_t *p)
{
    json_t *list = json_array();
    int i, is_built_in = x->policy == SNIVHOST_SSLPOLICY_BUILT_IN;

    for (i = 0; x->differs && i < x->differs->nelts; i++) {
        const snivhost_difference_t *d =
            &APR_ARRAY_IDX(x->differs, i, snivhost_difference_t);
        json_t *json = json_object();

        json_object_set_new(json, "directive", json_string(d->directive));
        json_object_set_new(json, "policies", is_built_in
                            ? json_pack("[s]", "built-in") : d->authonly
                            ? json_pack("[ss]", "secure", "authonly")
                            : json_pack("[s]", "secure"));
        json_object_set_new(json, "handshake", json_setting(&d->a, p));
        json_object_set_new(json, "request", json_setting(&d->b, p));
        json_array_append_new(list, json);
    }
    return list;
}

static json_t *json_policies(const snivhost_explanation_t *x, apr_pool_t *p)
{
    const int is_built_in = x->policy == SNIVHOST_SSLPOLICY_BUILT_IN;
    json_t *json;
    int i;

    if (!x->speaks_tls || x->alert)
        return json_null();
    json = json_object();
    json_object_set_new(json, "configured", json_string(
                            snivhost_sslpolicy_name(x->policy)));
    for (i = 0; i <= SNIVHOST_SSLPOLICY_BUILT_IN; i++) {
        if ((i == SNIVHOST_SSLPOLICY_BUILT_IN) != is_built_in)
            continue;
        json_object_set_new(json, snivhost_sslpolicy_name(i), x->allows[i]
                            ? json_null()
                            : json_integer(HTTP_MISDIRECTED_REQUEST));
    }
    json_object_set_new(json, "unsure", snivhost_json_text(x->unsure, p));
    return json;
}

static json_t *json_steps(const snivhost_explanation_t *x, apr_pool_t *p)
{
    json_t *list = json_array();
    int i;

    for (i = 0; i < x->steps->nelts; i++) {
        const snivhost_step_t *step =
            &APR_ARRAY_IDX(x->steps, i, snivhost_step_t);
        json_t *json = json_object();

        json_object_set_new(json, "phase", json_string(
                                snivhost_phase_name(step->phase)));
        json_object_set_new(json, "text", snivhost_json_text(step->text, p));
        json_array_append_new(list, json);
    }
    return list;
}

static json_t *json_others(const snivhost_explanation_t *x, apr_pool_t *p)
{
    json_t *list = json_array();
    int i;

    for (i = 0; i < x->others->nelts; i++) {
        const snivhost_other_t *other =
            &APR_ARRAY_IDX(x->others, i, snivhost_other_t);
        const sniv_decision_t *d = &other->decision;
        json_t *json = json_object();

        json_object_set_new(json, "phase", json_string(
                                snivhost_phase_name(other->phase)));
        json_object_set_new(json, "vhost", snivhost_json_text(
                                d->vhost->server_name, p));
        json_object_set_new(json, "defined_at",
                            snivhost_json_place(d->vhost, p));
        json_object_set_new(json, "rule", json_string(
                                sniv_rule_name(d->rule)));
        json_object_set_new(json, "pattern", snivhost_json_text(d->pattern,
                                                                p));
        json_object_set_new(json, "why", snivhost_json_text(other->why, p));
        json_array_append_new(list, json);
    }
    return list;
}

static void set_handshake(json_t *json, const snivhost_explanation_t *x,
                          apr_pool_t *p)
{
    const sniv_decision_t *d = &x->handshake;
    int tls = x->speaks_tls;

    json_object_set_new(json, "handshake_vhost", tls
        ? snivhost_json_text(d->vhost->server_name, p) : json_null());
    json_object_set_new(json, "handshake_defined_at", tls
        ? snivhost_json_place(d->vhost, p) : json_null());
    json_object_set_new(json, "handshake_rule", tls
        ? json_string(sniv_rule_name(d->rule)) : json_null());
    json_object_set_new(json, "handshake_pattern", tls
        ? snivhost_json_text(d->pattern, p) : json_null());
    json_object_set_new(json, "certificate", tls
        ? snivhost_json_certificate(&x->tls, p) : json_null());
    json_object_set_new(json, "certificate_vhost", tls && x->cert_vhost
        ? snivhost_json_text(x->cert_vhost->server_name, p) : json_null());
    json_object_set_new(json, "certificate_trouble", tls
        ? snivhost_json_text(x->cert_trouble, p) : json_null());
}

static void set_request(json_t *json, const snivhost_explanation_t *x,
                        apr_pool_t *p)
{
    const sniv_decision_t *d = &x->request;
    int is_made = !x->alert;

    json_object_set_new(json, "vhost", is_made
        ? snivhost_json_text(d->vhost->server_name, p) : json_null());
    json_object_set_new(json, "defined_at", is_made
        ? snivhost_json_place(d->vhost, p) : json_null());
    json_object_set_new(json, "rule", is_made
        ? json_string(x->rule) : json_null());
    json_object_set_new(json, "pattern", is_made
        ? snivhost_json_text(d->pattern, p) : json_null());
    json_object_set_new(json, "hostname", is_made
        ? snivhost_json_text(x->hostname, p) : json_null());
}

static json_t *json_line(const ap_directive_t *line, apr_pool_t *p)
{
    return line ? snivhost_json_text(apr_psprintf(p, "%s:%d", line->filename,
                                                  line->line_num), p)
                : json_null();
}

static json_t *json_whole(const snivhost_whole_t *whole, apr_pool_t *p)
{
    json_t *json = json_object();

    json_object_set_new(json, "document_root", snivhost_json_text(whole->root,
                                                                  p));
    json_object_set_new(json, "proxy", snivhost_json_text(whole->proxy, p));
    json_object_set_new(json, "redirect", whole->status
                        ? json_integer(whole->status) : json_null());
    json_object_set_new(json, "location", snivhost_json_text(whole->location,
                                                             p));
    json_object_set_new(json, "defined_at", json_line(whole->line, p));
    json_object_set_new(json, "unless", json_line(whole->ends, p));
    json_object_set_new(json, "tls_versions",
                        snivhost_json_text(whole->versions, p));
    json_object_set_new(json, "alpn", snivhost_json_text(whole->alpn, p));
    json_object_set_new(json, "without_sni",
                        snivhost_json_text(whole->nameless, p));
    return json;
}

json_t *snivhost_json_explanation(const snivhost_explanation_t *x,
                                  apr_pool_t *p)
{
    json_t *json = json_object();

    json_object_set_new(json, "version", json_integer(SNIVHOST_JSON_VERSION));
    json_object_set_new(json, "question", json_question(x->question, p));
    if (x->trouble) {
        json_object_set_new(json, "error", snivhost_json_text(x->trouble, p));
        return json;
    }
    set_request(json, x, p);
    json_object_set_new(json, "address_set", x->set ? json_string(
                            snivhost_set_text(p, x->set)) : json_null());
    set_handshake(json, x, p);
    json_object_set_new(json, "alert", x->alert ? json_integer(x->alert)
                                                : json_null());
    json_object_set_new(json, "status", x->status ? json_integer(x->status)
                                                  : json_null());
    json_object_set_new(json, "reason", snivhost_json_text(x->reason, p));
    json_object_set_new(json, "sni_policy", json_policies(x, p));
    json_object_set_new(json, "differs", json_differs(x, p));
    json_object_set_new(json, "others", json_others(x, p));
    json_object_set_new(json, "others_left_out",
                        json_integer(x->nothers_left_out));
    json_object_set_new(json, "steps", json_steps(x, p));
    json_object_set_new(json, "answer", json_whole(&x->whole, p));
    json_object_set_new(json, "httpd_agrees",
                        json_boolean(!x->httpd_differs));
    return json;
}
