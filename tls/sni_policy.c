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

#include "tls/sni_policy.h"
#include "module/words.h"

#include <stdlib.h>

#include "apr_hash.h"
#include "apr_lib.h"
#include "apr_strings.h"
#include "ap_listen.h"
#include "http_core.h"

#include <openssl/ssl.h>

/*
 * The settings that mod_ssl's digest has, in its order, as ssl_engine_init.c
 * of httpd 2.4.68 has it: hash_sni_policy_auth() and hash_sni_policy_pk().
 * The built-in rule is ssl_server_compatible() in ssl_engine_kernel.c of
 * httpd 2.4.49 to 2.4.62.
 */

/* How a line becomes a value. */
typedef enum {
    AS_WORD,            /* the first word */
    AS_FLAG,            /* on or off */
    AS_ENGINE,          /* on, off or optional */
    AS_PATH,            /* relative to ServerRoot */
    AS_NUMBER,
    AS_VERIFY,          /* none, optional, require, optional_no_ca */
    AS_WORDS,           /* several words, case does not count */
    AS_PROTOCOLS,       /* a set of protocols */
    AS_CIPHERS,         /* one value for TLS 1.3, one for all before */
    AS_FILES,           /* a list, merged with the main server's */
    AS_COMMANDS         /* a list that grows from main server to vhost */
} as_e;

/* Which policies look at a setting. */
typedef enum {
    FOR_NONE = 0,
    FOR_SECURE = 1,
    FOR_AUTH = 2,           /* authonly, and secure */
    FOR_BUILT_IN = 4,
    FOR_ALL = FOR_AUTH | FOR_BUILT_IN,
    FOR_SECURE_BUILT_IN = FOR_SECURE | FOR_BUILT_IN
} for_e;

enum {
    SET_VERIFY_DEPTH, SET_VERIFY_CLIENT, SET_CADN_PATH, SET_CADN_FILE,
    SET_CA_PATH, SET_CA_FILE, SET_CRL_PATH, SET_CRL_FILE, SET_CRL_CHECK,
    SET_OCSP_ENABLE, SET_OCSP_OVERRIDE, SET_OCSP_RESPONDER, SET_SRP_FILE,
    SET_CONF_COMMANDS, SET_PROTOCOL, SET_CIPHERS, SET_CIPHERS_13,
    SET_CERT_FILES, SET_KEY_FILES, SET_MANAGED, SET_ENGINE, SET_STRICT_SNI,
    NSETTINGS
};

static const struct known_t {
    const char *directive;
    as_e as;
    for_e whom;
    const char *implied;    /* what an unset one is set to for a server with
                               TLS (ssl_init_ctx_verify, ssl_init_ctx_crl) */
} known[NSETTINGS] = {
    { "SSLVerifyDepth", AS_NUMBER, FOR_ALL, "1" },
    { "SSLVerifyClient", AS_VERIFY, FOR_ALL, "none" },
    { "SSLCADNRequestPath", AS_PATH, FOR_ALL, NULL },
    { "SSLCADNRequestFile", AS_PATH, FOR_ALL, NULL },
    { "SSLCACertificatePath", AS_PATH, FOR_ALL, NULL },
    { "SSLCACertificateFile", AS_PATH, FOR_ALL, NULL },
    { "SSLCARevocationPath", AS_PATH, FOR_AUTH, NULL },
    { "SSLCARevocationFile", AS_PATH, FOR_AUTH, NULL },
    { "SSLCARevocationCheck", AS_WORDS, FOR_AUTH, "none" },
    { "SSLOCSPEnable", AS_WORDS, FOR_AUTH, "off" },
    { "SSLOCSPOverrideResponder", AS_FLAG, FOR_AUTH, NULL },
    { "SSLOCSPDefaultResponder", AS_WORD, FOR_AUTH, NULL },
    { "SSLSRPVerifierFile", AS_PATH, FOR_AUTH, NULL },
    { "SSLOpenSSLConfCmd", AS_COMMANDS, FOR_AUTH, NULL },
    { "SSLProtocol", AS_PROTOCOLS, FOR_SECURE_BUILT_IN, NULL },
    { "SSLCipherSuite", AS_CIPHERS, FOR_SECURE_BUILT_IN, NULL },
    { "SSLCipherSuite TLSv1.3", AS_CIPHERS, FOR_SECURE_BUILT_IN, NULL },
    { "SSLCertificateFile", AS_FILES, FOR_SECURE_BUILT_IN, NULL },
    { "SSLCertificateKeyFile", AS_FILES, FOR_SECURE_BUILT_IN, NULL },
    /* not read as a line: mod_md adds files when the server starts */
    { "MDomain", AS_FLAG, FOR_SECURE_BUILT_IN, NULL },
    { "SSLEngine", AS_ENGINE, FOR_NONE, NULL },
    { "SSLStrictSNIVHostCheck", AS_FLAG, FOR_NONE, NULL }
};

/* The settings of one server. */
typedef struct settings_t {
    server_rec *server;
    int enabled;
    int optional;               /* SSLEngine optional, of mod_ssl before
                                   httpd 2.4.64: plain, but with an SSL_CTX */
    struct {
        const char *value;              /* NULL: not set */
        const ap_directive_t *node;     /* the last line, of a list the
                                           first */
        const apr_array_header_t *list; /* of AS_FILES, AS_COMMANDS */
    } of[NSETTINGS];
} settings_t;

struct snivhost_sslpolicy_t {
    const ap_directive_t *tree;
    const snivhost_tlsconfs_t *tls;
    apr_pool_t *p;
    apr_hash_t *known;          /* directive in lower case -> known_t * */
    apr_hash_t *by_server;      /* server_rec * -> settings_t * */
    settings_t main;
    snivhost_sslpolicy_e configured;
    SSL_CONF_CTX *commands;     /* knows which commands name files */
    const module *ssl;          /* mod_ssl, or NULL */
};

static const char *const policy_names[] = {
    "strict", "secure", "authonly", "insecure", "built-in"
};

const char *snivhost_sslpolicy_name(snivhost_sslpolicy_e policy)
{
    return policy_names[policy];
}

const char *snivhost_sslpolicy_text(snivhost_sslpolicy_e policy, apr_pool_t *p)
{
    return policy == SNIVHOST_SSLPOLICY_BUILT_IN
           ? "mod_ssl (of an httpd without SSLVHostSNIPolicy)"
           : apr_pstrcat(p, "SSLVHostSNIPolicy ", policy_names[policy], NULL);
}

/* ----- lines to values ----- */

static const char *lower(apr_pool_t *p, const char *text)
{
    char *copy = apr_pstrdup(p, text);

    ap_str_tolower(copy);
    return copy;
}

static const char *path_value(apr_pool_t *p, const char *word)
{
    const char *path;

    if (!ap_cstr_casecmpn(word, "pkcs11:", 7))
        return word;
    path = ap_server_root_relative(p, word);
    return path ? path : word;
}

static const char *verify_value(apr_pool_t *p, const char *word)
{
    if (!ap_cstr_casecmp(word, "off"))
        return "none";
    if (!ap_cstr_casecmp(word, "on"))
        return "require";
    return lower(p, word);
}

static const char *words_value(apr_pool_t *p, const char *args)
{
    const char *value = NULL;

    while (*args) {
        const char *word = lower(p, ap_getword_conf(p, &args));

        value = value ? apr_pstrcat(p, value, " ", word, NULL) : word;
    }
    return value ? value : "";
}

static const char *const protocols[] = {
#ifndef OPENSSL_NO_SSL3
    "SSLv3",
#endif
    "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", NULL
};

static unsigned protocol_bits(const char *name)
{
    unsigned all = 0;
    int i;

    for (i = 0; protocols[i]; i++) {
        if (!ap_cstr_casecmp(name, protocols[i]))
            return 1u << i;
        all |= 1u << i;
    }
    return ap_cstr_casecmp(name, "all") ? 0 : all;
}

/* "all -TLSv1" and "TLSv1.1 +TLSv1.2 +TLSv1.3" are the same. */
static const char *protocols_value(apr_pool_t *p, const char *args)
{
    const char *value = NULL;
    unsigned set = 0;
    int i;

    while (*args) {
        const char *word = ap_getword_conf(p, &args);

        if (*word == '-')
            set &= ~protocol_bits(word + 1);
        else if (*word == '+')
            set |= protocol_bits(word + 1);
        else if (protocol_bits(word))
            set = protocol_bits(word);
    }
    for (i = 0; protocols[i]; i++) {
        if (set & (1u << i)) {
            value = value ? apr_pstrcat(p, value, " ", protocols[i], NULL)
                          : protocols[i];
        }
    }
    return value ? value : "(no protocol)";
}

static void add_to_list(snivhost_sslpolicy_t *all, settings_t *s, int what,
                        const char *item, const ap_directive_t *node)
{
    apr_array_header_t *list = (apr_array_header_t *)s->of[what].list;

    if (!list) {
        list = apr_array_make(all->p, 2, sizeof(const char *));
        s->of[what].list = list;
        s->of[what].node = node;
    }
    APR_ARRAY_PUSH(list, const char *) = item;
}

static void read_command(snivhost_sslpolicy_t *all, settings_t *s,
                         const ap_directive_t *node)
{
    const char *args = node->args;
    const char *name = ap_getword_conf(all->p, &args);
    const char *value = ap_getword_conf(all->p, &args);

    if (all->commands) {
        int type = SSL_CONF_cmd_value_type(all->commands, name);

        if (type == SSL_CONF_TYPE_FILE || type == SSL_CONF_TYPE_DIR)
            value = path_value(all->p, value);
    }
    add_to_list(all, s, SET_CONF_COMMANDS,
                apr_pstrcat(all->p, name, " ", value, NULL), node);
}

static void read_line(snivhost_sslpolicy_t *all, settings_t *s, int what,
                      const ap_directive_t *node)
{
    apr_pool_t *p = all->p;
    const char *args = node->args;
    const char *word = ap_getword_conf(p, &args);
    const char *value = word;

    switch (known[what].as) {
    case AS_WORD:
        break;
    case AS_FLAG:
        value = ap_cstr_casecmp(word, "on") ? "off" : "on";
        break;
    case AS_ENGINE:
        value = !ap_cstr_casecmp(word, "on") ? "on"
                : all->configured == SNIVHOST_SSLPOLICY_BUILT_IN
                  && !ap_cstr_casecmp(word, "optional") ? "optional" : "off";
        break;
    case AS_PATH:
        value = path_value(p, word);
        break;
    case AS_NUMBER:
        value = apr_itoa(p, atoi(word));
        break;
    case AS_VERIFY:
        value = verify_value(p, word);
        break;
    case AS_WORDS:
        value = words_value(p, node->args);
        break;
    case AS_PROTOCOLS:
        value = protocols_value(p, node->args);
        break;
    case AS_CIPHERS:
        if (*args) {
            value = ap_getword_conf(p, &args);
            if (strcmp(word, "SSL"))
                what = SET_CIPHERS_13;
        }
        break;
    case AS_FILES:
        add_to_list(all, s, what, path_value(p, word), node);
        return;
    case AS_COMMANDS:
        read_command(all, s, node);
        return;
    }
    s->of[what].value = value;
    s->of[what].node = node;
}

/* The server-level lines from node on. What is in a section is per
 * directory, or another server's. */
static void read_lines(snivhost_sslpolicy_t *all, settings_t *s,
                       const ap_directive_t *node)
{
    for (; node; node = node->next) {
        char name[32];
        apr_size_t i;
        const struct known_t *what;

        if (ap_cstr_casecmpn(node->directive, "S", 1))
            continue;
        for (i = 0; i < sizeof(name) && node->directive[i]; i++)
            name[i] = apr_tolower(node->directive[i]);
        what = i < sizeof(name) ? apr_hash_get(all->known, name, i) : NULL;
        if (what) {
            read_line(all, s, (int)(what - known), node);
        }
        else if (!ap_cstr_casecmp(node->directive, "SNIVHostTLS")
                 && !ap_cstr_casecmpn(node->args, "on", 2)) {
            s->of[SET_ENGINE].value = "on";
            s->of[SET_ENGINE].node = node;
        }
    }
}

static void read_policy(snivhost_sslpolicy_t *all)
{
    const ap_directive_t *node;
    int i;

    if (all->ssl && !ap_find_command("SSLVHostSNIPolicy", all->ssl->cmds)) {
        all->configured = SNIVHOST_SSLPOLICY_BUILT_IN;
        return;
    }
    all->configured = SNIVHOST_SSLPOLICY_SECURE;
    for (node = all->tree; node; node = node->next) {
        if (ap_cstr_casecmp(node->directive, "SSLVHostSNIPolicy"))
            continue;
        for (i = 0; i < SNIVHOST_NSSLPOLICIES; i++) {
            const char *args = node->args;

            if (!ap_cstr_casecmp(ap_getword_conf(all->p, &args),
                                 policy_names[i])) {
                all->configured = i;
            }
        }
    }
}

/* ----- main server and virtual host ----- */

static void inherit(snivhost_sslpolicy_t *all, settings_t *s,
                    const settings_t *base)
{
    int i;

    for (i = 0; i < NSETTINGS; i++) {
        if (!s->of[i].list && !s->of[i].value) {
            s->of[i] = base->of[i];
        }
        else if (s->of[i].list && base->of[i].list) {
            s->of[i].list = known[i].as == AS_FILES
                ? snivhost_tlsconf_merge_files(all->p, base->of[i].list,
                                               s->of[i].list)
                : apr_array_append(all->p, base->of[i].list, s->of[i].list);
        }
    }
}

/* The protocol of a server, which open_logs sets and -t never does
 * (ap_setup_listeners). */
static const char *server_protocol(server_rec *s)
{
    const char *protocol = ap_get_server_protocol(s);
    server_addr_rec *sar;
    ap_listen_rec *lr;

    if (protocol)
        return protocol;
    for (sar = s->addrs; sar; sar = sar->next) {
        for (lr = ap_listeners; lr; lr = lr->next) {
            if (apr_sockaddr_equal(lr->bind_addr, sar->host_addr)
                && lr->bind_addr->port == sar->host_port) {
                return lr->protocol;
            }
        }
    }
    return "http";
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All lines are known: what mod_ssl makes of them when it starts. */
static void settle(snivhost_sslpolicy_t *all, settings_t *s)
{
    const char *engine = s->of[SET_ENGINE].value;
    const char *protocol;
    int i;

    if (engine) {
        s->enabled = !strcmp(engine, "on");
        s->optional = !strcmp(engine, "optional");
    }
    else if (s->of[SET_CERT_FILES].list
             && (protocol = server_protocol(s->server)) != NULL
             && !strcmp(protocol, "https")) {
        s->enabled = 1;
    }
    for (i = 0; i < NSETTINGS; i++) {
        const apr_array_header_t *list = s->of[i].list;

        if (list) {
            apr_array_header_t *sorted = apr_array_copy(all->p, list);

            if (known[i].as == AS_FILES) {
                qsort(sorted->elts, sorted->nelts, sizeof(const char *),
                      compare_texts);
            }
            s->of[i].value = apr_array_pstrcat(all->p, sorted, '\n');
        }
        else if ((s->enabled || s->optional) && !s->of[i].value) {
            s->of[i].value = known[i].implied;
        }
    }
    if (!s->of[SET_CERT_FILES].list
        && snivhost_conf(s->server)->store.is_first) {
        s->of[SET_CERT_FILES].value = s->of[SET_KEY_FILES].value
            = "(one of SNIVHostCertificates)";
    }
    if (!s->of[SET_PROTOCOL].value)
        s->of[SET_PROTOCOL].value = protocols_value(all->p, "all -SSLv3");
}

static void mark_managed(snivhost_sslpolicy_t *all, settings_t *s)
{
    const snivhost_tlsconf_t *conf = snivhost_tlsconf_get(all->tls,
                                                          s->server);

    if (conf && conf->managed)
        s->of[SET_MANAGED].value = "(certificates of mod_md)";
}

static settings_t *get_settings(snivhost_sslpolicy_t *all, server_rec *server)
{
    settings_t *s = apr_hash_get(all->by_server, &server, sizeof(server));
    const snivhost_tlsconf_t *conf;

    if (s)
        return s;
    s = apr_pcalloc(all->p, sizeof(*s));
    s->server = server;
    conf = snivhost_tlsconf_get(all->tls, server);
    if (conf && conf->node)
        read_lines(all, s, conf->node->first_child);
    inherit(all, s, &all->main);
    mark_managed(all, s);
    settle(all, s);
    apr_hash_set(all->by_server, &s->server, sizeof(s->server), s);
    return s;
}

static apr_status_t free_commands(void *commands)
{
    SSL_CONF_CTX_free(commands);
    return APR_SUCCESS;
}

snivhost_sslpolicy_t *snivhost_sslpolicy_make(const ap_directive_t *tree,
                                              const snivhost_tlsconfs_t *tls,
                                              server_rec *main_server,
                                              apr_pool_t *p)
{
    snivhost_sslpolicy_t *all = apr_pcalloc(p, sizeof(*all));
    settings_t *s;
    int i;

    all->tree = tree;
    all->tls = tls;
    all->p = p;
    all->ssl = ap_find_linked_module("mod_ssl.c");
    all->known = apr_hash_make(p);
    all->by_server = apr_hash_make(p);
    for (i = 0; i < NSETTINGS; i++) {
        if (i != SET_CIPHERS_13 && i != SET_MANAGED) {
            apr_hash_set(all->known, lower(p, known[i].directive),
                         APR_HASH_KEY_STRING, &known[i]);
        }
    }
    all->commands = SSL_CONF_CTX_new();
    if (all->commands) {
        SSL_CONF_CTX_set_flags(all->commands, SSL_CONF_FLAG_FILE
                               | SSL_CONF_FLAG_SERVER
                               | SSL_CONF_FLAG_CERTIFICATE);
        apr_pool_cleanup_register(p, all->commands, free_commands,
                                  apr_pool_cleanup_null);
    }
    read_policy(all);

    /* The lines of the main server stay as they are: others inherit them
     * before they are settled. */
    all->main.server = main_server;
    read_lines(all, &all->main, tree);
    s = apr_pmemdup(p, &all->main, sizeof(*s));
    mark_managed(all, s);
    settle(all, s);
    apr_hash_set(all->by_server, &s->server, sizeof(s->server), s);
    return all;
}

/* ----- answers ----- */

snivhost_sslpolicy_e
snivhost_sslpolicy_configured(const snivhost_sslpolicy_t *all)
{
    return all->configured;
}

int snivhost_sslpolicy_enabled(snivhost_sslpolicy_t *all, server_rec *s)
{
    return get_settings(all, s)->enabled;
}

int snivhost_sslpolicy_has_context(snivhost_sslpolicy_t *all, server_rec *s)
{
    const settings_t *settings = get_settings(all, s);

    return settings->enabled || settings->optional;
}

int snivhost_sslpolicy_strict_sni(snivhost_sslpolicy_t *all, server_rec *s)
{
    const char *value = get_settings(all, s)->of[SET_STRICT_SNI].value;

    return value && !strcmp(value, "on");
}

static int is_asked(snivhost_sslpolicy_e policy, int what)
{
    const unsigned whom = policy == SNIVHOST_SSLPOLICY_BUILT_IN ? FOR_BUILT_IN
                          : policy == SNIVHOST_SSLPOLICY_SECURE
                          ? FOR_AUTH | FOR_SECURE : FOR_AUTH;

    return (known[what].whom & whom) != 0;
}

/* The policy of this httpd that looks at most settings. */
static snivhost_sslpolicy_e widest(const snivhost_sslpolicy_t *all)
{
    return all->configured == SNIVHOST_SSLPOLICY_BUILT_IN
           ? SNIVHOST_SSLPOLICY_BUILT_IN : SNIVHOST_SSLPOLICY_SECURE;
}

static int same_value(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

/* strict compares mod_ssl's records, and servers without any line of
 * mod_ssl's share the main server's. */
static int same_record(const snivhost_sslpolicy_t *all, server_rec *a,
                       server_rec *b)
{
    return a == b
           || (all->ssl && ap_get_module_config(a->module_config, all->ssl)
                           == ap_get_module_config(b->module_config,
                                                   all->ssl));
}

int snivhost_sslpolicy_allows(snivhost_sslpolicy_t *all,
                              snivhost_sslpolicy_e policy, server_rec *a,
                              server_rec *b)
{
    const settings_t *x, *y;
    int i;

    if (policy == SNIVHOST_SSLPOLICY_INSECURE || same_record(all, a, b))
        return 1;
    if (policy == SNIVHOST_SSLPOLICY_STRICT)
        return 0;
    x = get_settings(all, a);
    y = get_settings(all, b);
    for (i = 0; i < NSETTINGS; i++) {
        if (is_asked(policy, i) && !same_value(x->of[i].value,
                                               y->of[i].value)) {
            return 0;
        }
    }
    return 1;
}

const char *snivhost_sslpolicy_key(snivhost_sslpolicy_t *all,
                                   snivhost_sslpolicy_e policy,
                                   server_rec *server, apr_pool_t *p)
{
    const settings_t *s = get_settings(all, server);
    apr_array_header_t *texts = apr_array_make(p, NSETTINGS,
                                               sizeof(const char *));
    int i;

    for (i = 0; i < NSETTINGS; i++) {
        if (is_asked(policy, i)) {
            APR_ARRAY_PUSH(texts, const char *) = s->of[i].value
                ? s->of[i].value : "\1";
        }
    }
    return apr_array_pstrcat(p, texts, '\2');
}

static void describe(snivhost_setting_t *setting, const char *value,
                     const ap_directive_t *node)
{
    setting->value = value;
    if (node) {
        setting->file = node->filename;
        setting->line = node->line_num;
    }
}

const apr_array_header_t *snivhost_sslpolicy_settings(
    snivhost_sslpolicy_t *all, server_rec *server, apr_pool_t *p)
{
    const settings_t *s = get_settings(all, server);
    apr_array_header_t *found = apr_array_make(p, NSETTINGS,
                                               sizeof(snivhost_named_t));
    int i;

    for (i = 0; i < SET_ENGINE; i++) {
        snivhost_named_t *one;

        if (!s->of[i].value || i == SET_CERT_FILES || i == SET_KEY_FILES
            || i == SET_MANAGED) {
            continue;
        }
        one = apr_array_push(found);
        memset(one, 0, sizeof(*one));
        one->directive = known[i].directive;
        describe(&one->setting, s->of[i].value, s->of[i].node);
    }
    return found;
}

static snivhost_difference_t *add_difference(apr_array_header_t *found,
                                             const snivhost_sslpolicy_t *all,
                                             int what, int authonly)
{
    snivhost_difference_t *d = apr_array_push(found);

    memset(d, 0, sizeof(*d));
    d->directive = known[what].directive;
    d->authonly = authonly;
    d->policies = all->configured == SNIVHOST_SSLPOLICY_BUILT_IN ? "built-in"
                  : authonly ? "secure, authonly" : "secure";
    return d;
}

const apr_array_header_t *snivhost_sslpolicy_differs(
    snivhost_sslpolicy_t *all, server_rec *a, server_rec *b, apr_pool_t *p)
{
    apr_array_header_t *found = apr_array_make(p, 4,
                                               sizeof(snivhost_difference_t));
    const settings_t *x = get_settings(all, a);
    const settings_t *y = get_settings(all, b);
    snivhost_difference_t *d;
    int i;

    if ((x->enabled || x->optional) != (y->enabled || y->optional)) {
        d = add_difference(found, all, SET_ENGINE, 1);
        describe(&d->a, x->enabled ? "on" : "off", x->of[SET_ENGINE].node);
        describe(&d->b, y->enabled ? "on" : "off", y->of[SET_ENGINE].node);
    }
    for (i = 0; i < NSETTINGS; i++) {
        if (!is_asked(widest(all), i)
            || same_value(x->of[i].value, y->of[i].value)) {
            continue;
        }
        /* Nobody has written either: it is SSLEngine that makes it so. */
        if (known[i].implied && !x->of[i].node && !y->of[i].node)
            continue;
        d = add_difference(found, all, i,
                           is_asked(SNIVHOST_SSLPOLICY_AUTHONLY, i));
        describe(&d->a, x->of[i].value, x->of[i].node);
        describe(&d->b, y->of[i].value, y->of[i].node);
    }
    return found;
}

int snivhost_sslpolicy_is_asked(const snivhost_sslpolicy_t *all, int has_sni)
{
    return has_sni || all->configured != SNIVHOST_SSLPOLICY_BUILT_IN;
}

const char *snivhost_sslpolicy_unsure(snivhost_sslpolicy_t *all, int has_sni,
                                      server_rec *a, server_rec *b)
{
    const settings_t *x = get_settings(all, a);
    const settings_t *y = get_settings(all, b);
    int i;

    if (!snivhost_sslpolicy_is_asked(all, has_sni)) {
        return snivhost_sslpolicy_allows(all, SNIVHOST_SSLPOLICY_BUILT_IN, a,
                                         b)
            ? NULL : "without an SNI this mod_ssl lets everything pass, "
                     "unless it has the correction of CVE-2025-23048 "
                     "(httpd 2.4.64, or by the distributor); then it "
                     "answers 421";
    }
    if (a != b && (x->optional || y->optional)) {
        return "SSLEngine optional is off where mod_ssl has the correction of "
               "CVE-2025-49812 (httpd 2.4.64, or by the distributor)";
    }
    if (a == b || (!x->of[SET_MANAGED].value && !y->of[SET_MANAGED].value))
        return NULL;
    for (i = 0; i < NSETTINGS; i++) {
        if (i != SET_MANAGED && is_asked(widest(all), i)
            && !same_value(x->of[i].value, y->of[i].value)) {
            return NULL;        /* they differ anyway */
        }
    }
    return "mod_md gives certificates to these virtual hosts, which are not "
           "in the configuration files: to mod_ssl they are the same if "
           "both belong to one managed domain";
}

const char *snivhost_setting_text(apr_pool_t *p,
                                  const snivhost_setting_t *setting)
{
    const char *value;

    if (!setting->value)
        return "nothing";
    value = snivhost_one_line(p, setting->value);
    return setting->file ? apr_psprintf(p, "'%s' (%s:%u)", value,
                                        setting->file, setting->line)
                         : apr_psprintf(p, "'%s'", value);
}
