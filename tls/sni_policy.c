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

#include "apr_strings.h"

#include "module/words.h"

/*
 * The settings that mod_ssl's digest has, in its order, as ssl_engine_init.c
 * of httpd 2.4.68 has it: hash_sni_policy_auth() and hash_sni_policy_pk().
 * The built-in rule is ssl_server_compatible() in ssl_engine_kernel.c of
 * httpd 2.4.49 to 2.4.62.
 */

/* Which policies look at a setting. */
typedef enum {
    FOR_SECURE = 1,
    FOR_AUTH = 2,           /* authonly, and secure */
    FOR_BUILT_IN = 4,
    FOR_ALL = FOR_AUTH | FOR_BUILT_IN,
    FOR_SECURE_BUILT_IN = FOR_SECURE | FOR_BUILT_IN
} for_e;

/* Not a line: mod_md adds files when the server starts. */
#define MANAGED SNIVHOST_NSETTINGS

static const struct compared_t {
    int set;                /* snivhost_set_e, or MANAGED */
    for_e whom;
    const char *implied;    /* what an unset one is set to for a server with
                               TLS (ssl_init_ctx_verify, ssl_init_ctx_crl) */
} compared[] = {
    { SNIVHOST_SET_VERIFY_DEPTH, FOR_ALL, "1" },
    { SNIVHOST_SET_VERIFY_CLIENT, FOR_ALL, "none" },
    { SNIVHOST_SET_CADN_PATH, FOR_ALL, NULL },
    { SNIVHOST_SET_CADN_FILE, FOR_ALL, NULL },
    { SNIVHOST_SET_CA_PATH, FOR_ALL, NULL },
    { SNIVHOST_SET_CA_FILE, FOR_ALL, NULL },
    { SNIVHOST_SET_CRL_PATH, FOR_AUTH, NULL },
    { SNIVHOST_SET_CRL_FILE, FOR_AUTH, NULL },
    { SNIVHOST_SET_CRL_CHECK, FOR_AUTH, "none" },
    { SNIVHOST_SET_OCSP_ENABLE, FOR_AUTH, "off" },
    { SNIVHOST_SET_OCSP_OVERRIDE, FOR_AUTH, NULL },
    { SNIVHOST_SET_OCSP_RESPONDER, FOR_AUTH, NULL },
    { SNIVHOST_SET_SRP_FILE, FOR_AUTH, NULL },
    { SNIVHOST_SET_COMMANDS, FOR_AUTH, NULL },
    { SNIVHOST_SET_PROTOCOL, FOR_SECURE_BUILT_IN, NULL },
    { SNIVHOST_SET_CIPHERS, FOR_SECURE_BUILT_IN, NULL },
    { SNIVHOST_SET_CIPHERS_13, FOR_SECURE_BUILT_IN, NULL },
    { SNIVHOST_SET_CERT_FILES, FOR_SECURE_BUILT_IN, NULL },
    { SNIVHOST_SET_KEY_FILES, FOR_SECURE_BUILT_IN, NULL },
    { MANAGED, FOR_SECURE_BUILT_IN, NULL }
};

#define NCOMPARED ((int)(sizeof(compared) / sizeof(*compared)))

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

snivhost_sslpolicy_e
snivhost_sslpolicy_configured(const snivhost_tlsconfs_t *all)
{
    const module *ssl = ap_find_linked_module("mod_ssl.c");
    const char *text = snivhost_tlsconf_text(snivhost_tlsconf_main(all),
                                             SNIVHOST_SET_SNI_POLICY);
    int i;

    if (ssl && !ap_find_command("SSLVHostSNIPolicy", ssl->cmds))
        return SNIVHOST_SSLPOLICY_BUILT_IN;
    for (i = 0; text && i < SNIVHOST_NSSLPOLICIES; i++) {
        if (!ap_cstr_casecmp(text, policy_names[i]))
            return i;
    }
    return SNIVHOST_SSLPOLICY_SECURE;
}

/* ----- answers ----- */

static int has_context(const snivhost_tlsconf_t *conf)
{
    return conf->engine || conf->optional;
}

int snivhost_sslpolicy_enabled(const snivhost_tlsconfs_t *all,
                               const server_rec *s)
{
    return snivhost_tlsconf_get(all, s)->engine;
}

int snivhost_sslpolicy_has_context(const snivhost_tlsconfs_t *all,
                                   const server_rec *s)
{
    return has_context(snivhost_tlsconf_get(all, s));
}

int snivhost_sslpolicy_strict_sni(const snivhost_tlsconfs_t *all,
                                  const server_rec *s)
{
    return snivhost_tlsconf_is_on(snivhost_tlsconf_get(all, s),
                                  SNIVHOST_SET_STRICT_SNI);
}

/* The value that mod_ssl compares; NULL: not set. */
static const char *value_of(const snivhost_tlsconf_t *conf, int i)
{
    const int set = compared[i].set;
    const char *text;

    if (set == MANAGED)
        return conf->managed ? "(certificates of mod_md)" : NULL;
    if ((set == SNIVHOST_SET_CERT_FILES || set == SNIVHOST_SET_KEY_FILES)
        && conf->certs->nelts == 0
        && snivhost_conf(conf->server)->store.is_first) {
        return "(one of SNIVHostCertificates)";
    }
    text = snivhost_tlsconf_text(conf, set);
    if (text)
        return text;
    if (set == SNIVHOST_SET_PROTOCOL)
        return "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3";
    return has_context(conf) ? compared[i].implied : NULL;
}

static const ap_directive_t *node_of(const snivhost_tlsconf_t *conf, int set)
{
    return set != MANAGED && conf->of[set] ? conf->of[set]->node : NULL;
}

static int is_asked(snivhost_sslpolicy_e policy, int i)
{
    const unsigned whom = policy == SNIVHOST_SSLPOLICY_BUILT_IN ? FOR_BUILT_IN
                          : policy == SNIVHOST_SSLPOLICY_SECURE
                          ? FOR_AUTH | FOR_SECURE : FOR_AUTH;

    return (compared[i].whom & whom) != 0;
}

/* The policy of this httpd that looks at most settings. */
static snivhost_sslpolicy_e widest(const snivhost_tlsconfs_t *all)
{
    return snivhost_sslpolicy_configured(all) == SNIVHOST_SSLPOLICY_BUILT_IN
           ? SNIVHOST_SSLPOLICY_BUILT_IN : SNIVHOST_SSLPOLICY_SECURE;
}

static int same_value(const snivhost_tlsconf_t *a, const snivhost_tlsconf_t *b,
                      int i)
{
    const char *x = value_of(a, i);
    const char *y = value_of(b, i);

    return x == y || (x && y && !strcmp(x, y));
}

/* strict compares mod_ssl's records, and servers without any line of
 * mod_ssl's share the main server's. */
static int same_record(const server_rec *a, const server_rec *b)
{
    const module *ssl = ap_find_linked_module("mod_ssl.c");

    return a == b
           || (ssl && ap_get_module_config(a->module_config, ssl)
                      == ap_get_module_config(b->module_config, ssl));
}

int snivhost_sslpolicy_allows(const snivhost_tlsconfs_t *all,
                              snivhost_sslpolicy_e policy,
                              const server_rec *a, const server_rec *b)
{
    const snivhost_tlsconf_t *x, *y;
    int i;

    if (policy == SNIVHOST_SSLPOLICY_INSECURE || same_record(a, b))
        return 1;
    if (policy == SNIVHOST_SSLPOLICY_STRICT)
        return 0;
    x = snivhost_tlsconf_get(all, a);
    y = snivhost_tlsconf_get(all, b);
    for (i = 0; i < NCOMPARED; i++) {
        if (is_asked(policy, i) && !same_value(x, y, i))
            return 0;
    }
    return 1;
}

const char *snivhost_sslpolicy_key(const snivhost_tlsconfs_t *all,
                                   snivhost_sslpolicy_e policy,
                                   const server_rec *s, apr_pool_t *p)
{
    const snivhost_tlsconf_t *conf = snivhost_tlsconf_get(all, s);
    apr_array_header_t *texts = apr_array_make(p, NCOMPARED,
                                               sizeof(const char *));
    int i;

    for (i = 0; i < NCOMPARED; i++) {
        if (is_asked(policy, i)) {
            const char *value = value_of(conf, i);

            APR_ARRAY_PUSH(texts, const char *) = value ? value : "\1";
        }
    }
    return apr_array_pstrcat(p, texts, '\2');
}

/* ----- differences ----- */

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
    const snivhost_tlsconfs_t *all, const server_rec *s, apr_pool_t *p)
{
    const snivhost_tlsconf_t *conf = snivhost_tlsconf_get(all, s);
    apr_array_header_t *found = apr_array_make(p, NCOMPARED,
                                               sizeof(snivhost_named_t));
    int i;

    for (i = 0; i < NCOMPARED; i++) {
        const int set = compared[i].set;
        const char *value = value_of(conf, i);
        snivhost_named_t *one;

        if (!value || set == SNIVHOST_SET_CERT_FILES
            || set == SNIVHOST_SET_KEY_FILES || set == MANAGED) {
            continue;
        }
        one = apr_array_push(found);
        memset(one, 0, sizeof(*one));
        one->directive = snivhost_tlsconf_name(set);
        describe(&one->setting, value, node_of(conf, set));
    }
    return found;
}

static void add_difference(apr_array_header_t *found,
                           const snivhost_tlsconfs_t *all,
                           const snivhost_tlsconf_t *a,
                           const snivhost_tlsconf_t *b, int set, int authonly,
                           const char *x, const char *y)
{
    snivhost_difference_t *d = apr_array_push(found);

    memset(d, 0, sizeof(*d));
    d->directive = set == MANAGED ? "MDomain" : snivhost_tlsconf_name(set);
    d->authonly = authonly;
    d->policies = widest(all) == SNIVHOST_SSLPOLICY_BUILT_IN ? "built-in"
                  : authonly ? "secure, authonly" : "secure";
    describe(&d->a, x, node_of(a, set));
    describe(&d->b, y, node_of(b, set));
}

const apr_array_header_t *snivhost_sslpolicy_differs(
    const snivhost_tlsconfs_t *all, const server_rec *a, const server_rec *b,
    apr_pool_t *p)
{
    apr_array_header_t *found = apr_array_make(p, 4,
                                               sizeof(snivhost_difference_t));
    const snivhost_tlsconf_t *x = snivhost_tlsconf_get(all, a);
    const snivhost_tlsconf_t *y = snivhost_tlsconf_get(all, b);
    int i;

    if (has_context(x) != has_context(y)) {
        add_difference(found, all, x, y, SNIVHOST_SET_ENGINE, 1,
                       x->engine ? "on" : "off", y->engine ? "on" : "off");
    }
    for (i = 0; i < NCOMPARED; i++) {
        const int set = compared[i].set;

        if (!is_asked(widest(all), i) || same_value(x, y, i))
            continue;
        /* No line says either: it is SSLEngine that makes it so. */
        if (compared[i].implied && !node_of(x, set) && !node_of(y, set))
            continue;
        add_difference(found, all, x, y, set,
                       is_asked(SNIVHOST_SSLPOLICY_AUTHONLY, i),
                       value_of(x, i), value_of(y, i));
    }
    return found;
}

int snivhost_sslpolicy_is_asked(const snivhost_tlsconfs_t *all, int has_sni)
{
    return has_sni || snivhost_sslpolicy_configured(all)
                      != SNIVHOST_SSLPOLICY_BUILT_IN;
}

const char *snivhost_sslpolicy_unsure(const snivhost_tlsconfs_t *all,
                                      int has_sni, const server_rec *a,
                                      const server_rec *b)
{
    const snivhost_tlsconf_t *x = snivhost_tlsconf_get(all, a);
    const snivhost_tlsconf_t *y = snivhost_tlsconf_get(all, b);
    int i;

    if (!snivhost_sslpolicy_is_asked(all, has_sni)) {
        return snivhost_sslpolicy_allows(all, SNIVHOST_SSLPOLICY_BUILT_IN, a,
                                         b)
            ? NULL : "without SNI this mod_ssl allows everything, unless it "
                     "has the fix for CVE-2025-23048 (httpd 2.4.64, or a "
                     "distributor's patch); then it answers 421";
    }
    if (a != b && (x->optional || y->optional)) {
        return "SSLEngine optional is off where mod_ssl has the fix for "
               "CVE-2025-49812 (httpd 2.4.64, or a distributor's patch)";
    }
    if (a == b || (!x->managed && !y->managed))
        return NULL;
    for (i = 0; i < NCOMPARED; i++) {
        if (compared[i].set != MANAGED && is_asked(widest(all), i)
            && !same_value(x, y, i)) {
            return NULL;        /* they differ anyway */
        }
    }
    return "mod_md provides the certificates of these virtual hosts, which "
           "are not in the configuration files: mod_ssl considers them equal "
           "if both virtual hosts belong to one managed domain";
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
