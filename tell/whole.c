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

#include "tell/whole.h"

#include "apr_lib.h"
#include "apr_strings.h"
#include "http_core.h"

#include "tell/tlsfacts.h"

/* ----- paths ----- */

/*
 * How much of a path a prefix takes, 0 if it does not match: by whole
 * segments, several slashes being one (alias_matches() of mod_alias and
 * mod_proxy).
 */
static apr_size_t match(const char *uri, const char *prefix)
{
    const char *u = uri, *a = prefix;

    while (*a) {
        if (*a == '/') {
            if (*u != '/')
                return 0;
            while (*a == '/')
                a++;
            while (*u == '/')
                u++;
        }
        else if (*u++ != *a++) {
            return 0;
        }
    }
    if (a == prefix || (a[-1] != '/' && *u && *u != '/'))
        return 0;
    return (apr_size_t)(u - uri);
}

/* ----- lines ----- */

typedef int line_fn(snivhost_whole_t *whole, const ap_directive_t *node,
                    const char *uri, apr_pool_t *p);

/* Whether a line of a level decides; the first one does. */
static int first_line(snivhost_whole_t *whole, const ap_directive_t *node,
                      line_fn *decides, const char *uri, apr_pool_t *p)
{
    for (; node; node = node->next) {
        if (decides(whole, node, uri, p))
            return 1;
    }
    return 0;
}

/* ProxyPass /path !|URL [key=value ...] */
static int is_proxied(snivhost_whole_t *whole, const ap_directive_t *node,
                      const char *uri, apr_pool_t *p)
{
    const char *args = node->args, *path, *url;
    apr_size_t taken;

    if (ap_cstr_casecmp(node->directive, "ProxyPass"))
        return 0;
    path = ap_getword_conf(p, &args);
    url = ap_getword_conf(p, &args);
    taken = match(uri, path);
    if (!taken || *path != '/')
        return 0;
    if (strcmp(url, "!")) {
        whole->proxy = apr_pstrcat(p, url, uri + taken, NULL);
        whole->line = node;
    }
    return 1;
}

static int status_of(const char *word)
{
    static const struct {
        const char *word;
        int status;
    } words[] = {
        { "permanent", 301 }, { "temp", 302 }, { "seeother", 303 },
        { "gone", 410 }
    };
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (!ap_cstr_casecmp(word, words[i].word))
            return words[i].status;
    }
    return apr_isdigit(*word) ? atoi(word) : 0;
}

/* Redirect [status] /path [URL]; also RedirectPermanent, RedirectTemp. */
static int is_redirected(snivhost_whole_t *whole, const ap_directive_t *node,
                         const char *uri, apr_pool_t *p)
{
    const char *args = node->args, *path, *url;
    apr_size_t taken;
    int status;

    if (ap_cstr_casecmp(node->directive, "Redirect")
        && ap_cstr_casecmp(node->directive, "RedirectPermanent")
        && ap_cstr_casecmp(node->directive, "RedirectTemp")) {
        return 0;
    }
    path = ap_getword_conf(p, &args);
    status = status_of(path);
    if (status)
        path = ap_getword_conf(p, &args);
    else
        status = !ap_cstr_casecmp(node->directive, "RedirectPermanent")
                 ? 301 : 302;
    url = ap_getword_conf(p, &args);
    taken = match(uri, path);
    if (!taken || *path != '/')
        return 0;
    whole->status = status;
    whole->line = node;
    if (*url)
        whole->location = apr_pstrcat(p, url, uri + taken, NULL);
    return 1;
}

/* Lines that may change what is said here. */
static int is_beyond(const ap_directive_t *node)
{
    static const char *const names[] = {
        "RewriteRule", "RedirectMatch", "ProxyPassMatch", "AliasMatch",
        "ScriptAliasMatch", "Alias", "ScriptAlias", "VirtualDocumentRoot",
        "SetHandler", "<Location", "<LocationMatch", "<If", "<Proxy", NULL
    };
    int i;

    for (i = 0; names[i]; i++) {
        if (!ap_cstr_casecmp(node->directive, names[i]))
            return 1;
    }
    return 0;
}

/* ----- together ----- */

static void find_end(snivhost_whole_t *whole, const ap_directive_t *node)
{
    for (; node && !whole->ends; node = node->next) {
        if (is_beyond(node))
            whole->ends = node;
    }
}

/* Where mod_proxy and mod_alias look, and the rest. */
static void find_answer(snivhost_whole_t *whole, server_rec *s,
                        const ap_directive_t *own, char *uri, apr_pool_t *p)
{
    const core_server_config *core = ap_get_core_module_config(
                                         s->module_config);

    if (core->merge_slashes != AP_CORE_CONFIG_OFF)
        ap_no2slash(uri);
    find_end(whole, own);
    find_end(whole, ap_conftree);
    /* mod_proxy comes first, with the main server's lines; mod_alias begins
     * with the virtual host's */
    if ((first_line(whole, ap_conftree, is_proxied, uri, p)
         || first_line(whole, own, is_proxied, uri, p)) && whole->proxy) {
        return;
    }
    if (!first_line(whole, own, is_redirected, uri, p)
        && !first_line(whole, ap_conftree, is_redirected, uri, p)) {
        whole->root = core->ap_document_root;
    }
}

/* What ALPN can come to; mod_http2 offers h2. */
static const char *alpn_text(server_rec *s, apr_pool_t *p)
{
    const core_server_config *core = ap_get_core_module_config(
                                         s->module_config);
    const char *text = NULL;
    int i;

    for (i = 0; core->protocols && i < core->protocols->nelts; i++) {
        const char *one = APR_ARRAY_IDX(core->protocols, i, const char *);

        if (!strcmp(one, "h2c")
            || (!strcmp(one, "h2") && !ap_find_linked_module("mod_http2.c"))) {
            continue;
        }
        text = text ? apr_pstrcat(p, text, " ", one, NULL) : one;
    }
    return text ? text : "http/1.1";
}

static const char *versions_text(const snivhost_facts_t *facts, server_rec *s,
                                 apr_pool_t *p)
{
    const apr_array_header_t *all =
        snivhost_sslpolicy_settings(facts->tls, s, p);
    int i;

    for (i = 0; i < all->nelts; i++) {
        const snivhost_named_t *one = &APR_ARRAY_IDX(all, i,
                                                     snivhost_named_t);

        if (!strcmp(one->directive, "SSLProtocol"))
            return one->setting.value;
    }
    return NULL;
}

void snivhost_whole_request(snivhost_whole_t *whole,
                            const snivhost_facts_t *facts, server_rec *s,
                            const char *uri, apr_pool_t *p)
{
    const snivhost_tlsconf_t *conf = facts->tls
        ? snivhost_tlsconf_get(facts->tls, s) : NULL;

    /* Of one that is not in the tree nothing is known. */
    if (!uri || (s->is_virtual && (!conf || !conf->node)))
        return;
    find_answer(whole, s, s->is_virtual ? conf->node->first_child : NULL,
                apr_pstrdup(p, uri), p);
}

void snivhost_whole_handshake(snivhost_whole_t *whole,
                              const snivhost_facts_t *facts,
                              const sniv_set_t *set, server_rec *s,
                              const char *sni, apr_pool_t *p)
{
    server_rec *first = set ? set->members[0]->server : facts->main_server;
    snivhost_tls_facts_t tls;

    if (!snivhost_facts_has_context(facts, s))
        s = first;
    whole->versions = versions_text(facts, s, p);
    whole->alpn = alpn_text(s, p);
    if (!sni || s == first)
        return;
    snivhost_facts_tls(facts, first, 1, &tls, p);
    whole->nameless = apr_psprintf(p, "%s, %s", first->server_hostname,
                                   !tls.has_cert ? "no certificate"
                                   : tls.cert.nfiles ? tls.cert.files[0]
                                   : tls.cert.subject);
}

const char *snivhost_whole_text(const snivhost_whole_t *whole, apr_pool_t *p)
{
    const char *text = "", *place = "";

    if (whole->line) {
        place = apr_psprintf(p, " (%s:%d)", whole->line->filename,
                             whole->line->line_num);
    }
    if (whole->proxy)
        text = apr_psprintf(p, "proxy to %s%s", whole->proxy, place);
    else if (whole->status)
        text = apr_psprintf(p, "%d%s%s%s", whole->status,
                            whole->location ? " to " : "",
                            whole->location ? whole->location : "", place);
    else if (whole->root)
        text = apr_psprintf(p, "from %s", whole->root);
    if (!*text || !whole->ends)
        return text;
    return apr_psprintf(p, "%s, unless %s%s (%s:%d) says otherwise", text,
                        whole->ends->directive,
                        *whole->ends->directive == '<' ? ">" : "",
                        whole->ends->filename, whole->ends->line_num);
}
