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

#include "tell/side.h"

#include <stdlib.h>

#include "apr_strings.h"
#include "ap_listen.h"
#include "http_core.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lint/leaf.h"
#include "module/words.h"
#include "tell/tlsfacts.h"
#include "tls/store.h"

/* ----- the directives of a virtual host ----- */

/* What is compared in another way: names, certificates, TLS settings, our
 * own. */
static int is_compared_elsewhere(const char *directive)
{
    static const char *const prefixes[] = {
        "ServerName", "ServerAlias", "ServerPath", "SNIVHost",
        "<VirtualHost", "Listen", "SSLCA", "SSLCertificate", "SSLCipherSuite",
        "SSLEngine", "SSLOCSP", "SSLOpenSSLConfCmd", "SSLProtocol",
        "SSLStrictSNI", "SSLVerify", "SSLVHostSNIPolicy", "StrictHostCheck",
        NULL
    };
    int i;

    for (i = 0; prefixes[i]; i++) {
        if (!ap_cstr_casecmpn(directive, prefixes[i], strlen(prefixes[i])))
            return 1;
    }
    return 0;
}

static void digest_lines(XXH3_state_t *state, const ap_directive_t *node,
                         int is_server_level)
{
    for (; node; node = node->next) {
        if (is_server_level && is_compared_elsewhere(node->directive))
            continue;
        XXH3_64bits_update(state, node->directive, strlen(node->directive)
                                                   + 1);
        XXH3_64bits_update(state, node->args, strlen(node->args) + 1);
        digest_lines(state, node->first_child, 0);
        XXH3_64bits_update(state, "", 1);
    }
}

static const char *digest_of(XXH3_state_t *state, const ap_directive_t *node,
                             apr_pool_t *p)
{
    XXH3_64bits_reset(state);
    digest_lines(state, node, 1);
    return apr_psprintf(p, "%016" APR_UINT64_T_HEX_FMT,
                        (apr_uint64_t)XXH3_64bits_digest(state));
}

/* The lines of a virtual host by the names that they give it. */
static apr_hash_t *name_lines(const ap_directive_t *node, apr_pool_t *p)
{
    apr_hash_t *lines = apr_hash_make(p);

    for (; node; node = node->next) {
        const char *args = node->args;

        if (ap_cstr_casecmp(node->directive, "ServerName")
            && ap_cstr_casecmp(node->directive, "ServerAlias")
            && ap_cstr_casecmp(node->directive, "ServerPath")) {
            continue;
        }
        while (*args) {
            char *name = ap_getword_conf(p, &args), *rest;

            /* core removes scheme and port of a ServerName */
            if (!ap_cstr_casecmp(node->directive, "ServerName")) {
                if ((rest = strstr(name, "://")) != NULL)
                    name = rest + 3;
                if ((rest = strrchr(name, ':')) != NULL
                    && strspn(rest + 1, "0123456789") == strlen(rest + 1)) {
                    *rest = '\0';
                }
            }
            if (!apr_hash_get(lines, name, APR_HASH_KEY_STRING))
                apr_hash_set(lines, name, APR_HASH_KEY_STRING, node);
        }
    }
    return lines;
}

const char *snivhost_side_place(const snivhost_side_t *side,
                                const sniv_vhost_t *v, const char *name,
                                apr_pool_t *p)
{
    const ap_directive_t *line = NULL;

    if (name && side->facts) {
        apr_hash_t *lines = apr_hash_get(side->lines, &v, sizeof(v));

        if (!lines) {
            const snivhost_tlsconf_t *conf =
                snivhost_tlsconf_get(side->tree, v->server);

            lines = name_lines(conf && conf->node ? conf->node->first_child
                                                  : NULL, p);
            apr_hash_set(side->lines, apr_pmemdup(p, &v, sizeof(v)),
                         sizeof(v), lines);
        }
        line = apr_hash_get(lines, name, APR_HASH_KEY_STRING);
    }
    if (line)
        return apr_psprintf(p, "%s:%d", line->filename, line->line_num);
    return v->file ? apr_psprintf(p, "%s:%u", v->file, v->line)
                   : "the main server";
}

/* ----- TLS ----- */

static const char *settings_text(const snivhost_facts_t *facts, server_rec *s,
                                 apr_pool_t *p)
{
    const apr_array_header_t *all =
        snivhost_sslpolicy_settings(facts->tls, s, p);
    const char *text = "";
    int i;

    for (i = 0; i < all->nelts; i++) {
        const snivhost_named_t *one = &APR_ARRAY_IDX(all, i,
                                                     snivhost_named_t);

        text = apr_pstrcat(p, text, one->directive, " ",
                           snivhost_one_line(p, one->setting.value), "\n",
                           NULL);
    }
    return text;
}

/* Numbers for texts: equal ones are equal. */
static int number_of(apr_hash_t *numbers, const char *text)
{
    int *number = apr_hash_get(numbers, text, APR_HASH_KEY_STRING);

    if (!number) {
        number = apr_palloc(apr_hash_pool_get(numbers), sizeof(*number));
        *number = apr_hash_count(numbers);
        apr_hash_set(numbers, text, APR_HASH_KEY_STRING, number);
    }
    return *number;
}

static void take_tls(snivhost_side_vhost_t *more, const snivhost_side_t *side,
                     server_rec *s, int i, apr_hash_t *groups, apr_pool_t *p)
{
    const snivhost_facts_t *facts = side->facts;
    snivhost_sslpolicy_e policy;

    more->sni_group = i;
    if (!facts->tls)
        return;
    policy = snivhost_sslpolicy_configured(facts->tls);
    more->engine = snivhost_facts_speaks_tls(facts, s);
    more->has_context = snivhost_facts_has_context(facts, s);
    more->strict_sni = snivhost_sslpolicy_strict_sni(facts->tls, s);
    if (policy == SNIVHOST_SSLPOLICY_INSECURE)
        more->sni_group = 0;
    else if (policy != SNIVHOST_SSLPOLICY_STRICT)
        more->sni_group = number_of(groups, snivhost_sslpolicy_key(
                                        facts->tls, policy, s, p));
    if (more->has_context)
        more->settings = settings_text(facts, s, p);
}

/* ----- making a side ----- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static apr_array_header_t *listen_texts(apr_pool_t *p)
{
    apr_array_header_t *texts = apr_array_make(p, 4, sizeof(const char *));
    const ap_listen_rec *lr;

    for (lr = ap_listeners; lr; lr = lr->next) {
        sniv_ip_t ip;

        if (lr->bind_addr && sniv_ip_from_sockaddr(&ip, lr->bind_addr)) {
            APR_ARRAY_PUSH(texts, const char *) =
                snivhost_addr_text(p, &ip, lr->bind_addr->port);
        }
    }
    qsort(texts->elts, texts->nelts, sizeof(const char *), compare_texts);
    return texts;
}

snivhost_side_t *snivhost_side_make(const snivhost_facts_t *facts,
                                    apr_pool_t *p)
{
    snivhost_side_t *side = apr_pcalloc(p, sizeof(*side));
    const sniv_table_t *table = facts->table;
    XXH3_state_t *state = XXH3_createState();
    apr_hash_t *groups = apr_hash_make(p);
    int i;

    side->facts = facts;
    side->table = table;
    side->refusals = facts->refuse;
    side->mode = facts->mode;
    side->policy = facts->tls ? snivhost_sslpolicy_name(
        snivhost_sslpolicy_configured(facts->tls)) : NULL;
    side->listen = listen_texts(p);
    side->lines = apr_hash_make(p);
    side->tree = facts->tls ? facts->tls
        : snivhost_tlsconf_read(ap_conftree, facts->main_server, p, p);
    side->more = apr_pcalloc(p, (table->nvhosts + 1) * sizeof(*side->more));
    for (i = 0; i <= table->nvhosts; i++) {
        server_rec *s = table->vhosts[i].server;
        const core_server_config *core =
            ap_get_core_module_config(s->module_config);
        const snivhost_tlsconf_t *conf = snivhost_tlsconf_get(side->tree, s);
        snivhost_side_vhost_t *more = &side->more[i];

        more->strict_host = core->strict_host_check == AP_CORE_CONFIG_ON;
        more->unsafe_host = core->http_conformance
                            == AP_HTTP_CONFORMANCE_UNSAFE;
        more->root = core->ap_document_root;
        more->refuse = *snivhost_conf(s)->refuse;
        if (state && (i == table->nvhosts || (conf && conf->node))) {
            more->digest = digest_of(state, i == table->nvhosts ? ap_conftree
                                            : conf->node->first_child, p);
        }
        take_tls(more, side, s, i, groups, p);
    }
    XXH3_freeState(state);
    return side;
}

/* ----- certificates from files ----- */

/* What the store has for its names. */
static int add_stored(snivhost_side_vhost_t *more, server_rec *main_server,
                      server_rec *s, apr_pool_t *p)
{
    sniv_certs_t *store = snivhost_store_look(main_server, p);
    sniv_cert_info_t info;
    sniv_cert_id_t id;

    if (!store)
        return 0;
    id = snivhost_store_find(store, snivhost_store_scope(store, s), s);
    if (id == SNIV_CERT_NONE
        || sniv_certs_info(store, id, &info, p) != APR_SUCCESS
        || !info.nfiles) {
        return 0;
    }
    more->cert = info.fingerprints;
    more->cert_text = info.files[0];
    return 1;
}

static void add_leaf(snivhost_side_vhost_t *more, const snivhost_leaf_t *leaf,
                     apr_pool_t *p)
{
    if (!leaf->is_read) {
        more->cert_unknown = 1;
        return;
    }
    more->cert = more->cert ? apr_pstrcat(p, more->cert, " ",
                                          leaf->fingerprint, NULL)
                            : leaf->fingerprint;
    if (!more->cert_text)
        more->cert_text = leaf->path;
}

const char *snivhost_side_sorted(const char *words, apr_pool_t *p)
{
    apr_array_header_t *list = apr_array_make(p, 2, sizeof(const char *));

    while (words && *words) {
        APR_ARRAY_PUSH(list, const char *) = ap_getword_white(p, &words);
    }
    qsort(list->elts, list->nelts, sizeof(const char *), compare_texts);
    return list->nelts ? apr_array_pstrcat(p, list, ' ') : NULL;
}

void snivhost_side_read_certs(snivhost_side_t *side, apr_pool_t *p)
{
    snivhost_leaves_t *leaves = snivhost_leaves_make(p, 1);
    const sniv_table_t *table = side->table;
    int i, k;

    for (i = 0; i <= table->nvhosts; i++) {
        snivhost_side_vhost_t *more = &side->more[i];
        const snivhost_tlsconf_t *conf =
            snivhost_tlsconf_get(side->tree, table->vhosts[i].server);

        if (!more->has_context || !conf)
            continue;
        for (k = 0; k < conf->certs->nelts; k++) {
            add_leaf(more, snivhost_leaf_get(leaves,
                         APR_ARRAY_IDX(conf->certs, k, const char *)), p);
        }
        if (conf->certs->nelts) {
            more->cert = snivhost_side_sorted(more->cert, p);
            continue;
        }
        if (conf->managed
            || !add_stored(more, table->main_server->server,
                           table->vhosts[i].server, p)) {
            more->cert_unknown = 1;
        }
    }
}
