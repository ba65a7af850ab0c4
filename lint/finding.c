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

#include "lint/finding.h"

#include "apr_strings.h"
#include "http_core.h"

#include "module/json.h"
#include "module/words.h"

/* ----- kinds ----- */

typedef struct kind_t {
    const char *code;
    int is_note;
} kind_t;

/* By snivhost_lint_e. The manual explains each code. */
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
    { "SNIV0446", 0 },      /* ALLOW_IDLE */
    { "SNIV0447", 0 },      /* ALLOW_ADDRESS */
    { "SNIV0448", 0 },      /* ALLOW_STRICT */
    { "SNIV0461", 0 },      /* FOLDER_HIDDEN */
    { "SNIV0462", 0 },      /* MUST_STAPLE */
    { "SNIV0463", 0 },      /* NO_CHAIN */
    { "SNIV0464", 0 },      /* CHAIN_ORDER */
    { "SNIV0465", 1 },      /* CHAIN_ROOT */
    { "SNIV0428", 1 },      /* CERT_LATE */
};

/* Codes that are no longer reported: a code is never used for anything else,
 * and SNIVHostLintIgnore still takes it. */
static const char *const retired[] = {
    "SNIV0443", "SNIV0444", "SNIV0445", "SNIV0449", "SNIV0450"
};

static int is_code(const char *text, const char *code)
{
    return !ap_cstr_casecmp(text, code) || !strcmp(text, code + 4);
}

int snivhost_lint_kind(const char *code)
{
    size_t i;

    for (i = 0; i < SNIVHOST_LINT_KINDS; i++) {
        if (is_code(code, kinds[i].code))
            return (int)i;
    }
    for (i = 0; i < sizeof(retired) / sizeof(*retired); i++) {
        if (is_code(code, retired[i]))
            return SNIVHOST_LINT_KINDS;
    }
    return -1;
}

/* ----- adding ----- */

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

/* ----- looking up ----- */

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

int snivhost_lint_is_nameless(const snivhost_lint_t *lint,
                              const sniv_vhost_t *vhost)
{
    return snivhost_lint_node(lint, vhost)
           && !snivhost_lint_directive(lint, vhost, "ServerName");
}

/* Without SSLEngine mod_ssl is on where the protocol is https. */
int snivhost_lint_is_tls(const snivhost_lint_t *lint, const sniv_vhost_t *v)
{
    const snivhost_tlsconf_t *conf = snivhost_tlsconf_get(lint->tls,
                                                          v->server);

    if (conf->engine)
        return 1;
    if (conf->engine_said)
        return 0;
    if (!conf->node)
        return -1;
    return !strcmp(snivhost_tlsconf_protocol(v->server), "https");
}

/* ----- texts ----- */

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
