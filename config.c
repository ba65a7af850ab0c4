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

#include "config.h"

#include "apr_strings.h"
#include "http_core.h"
#include "http_main.h"

#include "certs/storeurl.h"
#include "lint/lint.h"
#include "module/asked.h"
#include "tell/question.h"
#include "tls/adopt.h"
#include "tls/mirror.h"

/*
 * The directives: what each server has written (module/record.h), how a
 * virtual host inherits, and how each line is read.
 */

/* The parent calls its monitor hooks about so often. */
#define CHECK_LEAST 1

/* ----- create and merge ----- */

static snivhost_refuse_conf_t *refuse_make(apr_pool_t *p)
{
    snivhost_refuse_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    conf->unknown_sni = conf->missing_sni = conf->unknown_host = -1;
    return conf;
}

/* What is not written comes from the main server. */
#define INHERIT(field, unset) \
    do { \
        if (conf->field == (unset)) \
            conf->field = base->field; \
    } while (0)

static void refuse_inherit(snivhost_refuse_conf_t *conf,
                           const snivhost_refuse_conf_t *base)
{
    int i;

    INHERIT(unknown_sni, -1);
    INHERIT(missing_sni, -1);
    INHERIT(unknown_host, -1);
    INHERIT(allow, NULL);
    INHERIT(allow_lines, NULL);
    for (i = 0; i < SNIVHOST_NREFUSALS; i++)
        INHERIT(lines[i], NULL);
}

static void store_init(snivhost_store_conf_t *conf)
{
    memset(conf, 0, sizeof(*conf));
    conf->check = -1;
    conf->cache = -1;
    conf->trust = -1;
    conf->scope = SNIV_SCOPE_NONE;
}

static void store_inherit(snivhost_store_conf_t *conf,
                          const snivhost_store_conf_t *base)
{
    INHERIT(dirs, NULL);
    INHERIT(trust, -1);
    conf->check = base->check;
    conf->cache = base->cache;
    conf->key = base->key;
}

void *snivhost_create_server_conf(apr_pool_t *p, server_rec *s)
{
    snivhost_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    conf->mode = SNIVHOST_UNSET;
    if (!s->is_virtual)
        conf->refuse = refuse_make(p);
    store_init(&conf->store);
    conf->adopt = -1;
    conf->tls_by_hand = -1;
    conf->env = -1;
    conf->ticket_rotation = -1;
    conf->lint = SNIVHOST_LINT_UNSET;
    return conf;
}

/* In the virtual host's own record: nothing else has it, and of thousands a
 * second one would take as much memory again. */
void *snivhost_merge_server_conf(apr_pool_t *p, void *basev, void *addv)
{
    const snivhost_conf_t *base = basev;
    snivhost_conf_t *conf = addv;

    INHERIT(mode, SNIVHOST_UNSET);
    if (!conf->refuse && base->refuse->first)
        conf->refuse = refuse_make(p);
    if (conf->refuse)
        refuse_inherit(conf->refuse, base->refuse);
    else
        conf->refuse = base->refuse;
    store_inherit(&conf->store, &base->store);
    INHERIT(adopt, -1);
    INHERIT(env, -1);
    INHERIT(lint, SNIVHOST_LINT_UNSET);
    conf->ticket_rotation = base->ticket_rotation;
    conf->lint_ignore |= base->lint_ignore;
    return conf;
}

/* ----- lines ----- */

static const char *not_here(cmd_parms *cmd)
{
    const char *err = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);

    if (!err && cmd->server->is_virtual) {
        err = apr_psprintf(cmd->pool, "%s applies to the whole server: move "
                           "it out of <VirtualHost>", cmd->cmd->name);
    }
    return err;
}

/* A whole number, or -1. */
static int number_of(const char *arg, int least, int most)
{
    char *end;
    apr_int64_t n = apr_strtoi64(arg, &end, 10);

    return *end || end == arg || n < least || n > most ? -1 : (int)n;
}

static const char *set_mode(cmd_parms *cmd, void *dummy, const char *arg)
{
    snivhost_conf_t *conf = snivhost_conf(cmd->server);
    const char *err = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);

    (void)dummy;
    if (err)
        return err;
    if (cmd->server->is_virtual) {
        return "SNIVHost applies to the whole server: move it out of "
               "<VirtualHost>";
    }
    if (!ap_cstr_casecmp(arg, "On"))
        conf->mode = SNIVHOST_ON;
    else if (!ap_cstr_casecmp(arg, "Off"))
        conf->mode = SNIVHOST_OFF;
    else if (!ap_cstr_casecmp(arg, "Verify"))
        conf->mode = SNIVHOST_VERIFY;
    else {
        return apr_psprintf(cmd->pool, "SNIVHost takes On, Off or Verify, "
                            "not '%s'", arg);
    }
    return NULL;
}

/* ----- names that no virtual host has ----- */

static snivhost_refuse_conf_t *conf_of(cmd_parms *cmd)
{
    snivhost_conf_t *conf = snivhost_conf(cmd->server);

    if (!conf->refuse)
        conf->refuse = refuse_make(cmd->pool);
    if (!conf->refuse->first)
        conf->refuse->first = cmd->directive;
    return conf->refuse;
}

static const char *set_refuse(cmd_parms *cmd, void *dummy, const char *arg)
{
    const char *name = cmd->cmd->name;
    const char *err = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    snivhost_refuse_conf_t *conf = conf_of(cmd);
    int refuse;

    (void)dummy;
    if (err)
        return err;
    if (!ap_cstr_casecmp(arg, "refuse"))
        refuse = 1;
    else if (!ap_cstr_casecmp(arg, "default"))
        refuse = 0;
    else {
        return apr_psprintf(cmd->pool, "%s takes default (the first virtual "
                            "host of the address answers) or refuse, not "
                            "'%s'", name, arg);
    }
    if (!ap_cstr_casecmp(name, "SNIVHostUnknownSNI")) {
        conf->unknown_sni = refuse;
        conf->lines[SNIVHOST_UNKNOWN_SNI] = cmd->directive;
    }
    else if (!ap_cstr_casecmp(name, "SNIVHostMissingSNI")) {
        conf->missing_sni = refuse;
        conf->lines[SNIVHOST_MISSING_SNI] = cmd->directive;
    }
    else {
        conf->unknown_host = refuse;
        conf->lines[SNIVHOST_UNKNOWN_HOST] = cmd->directive;
    }
    return NULL;
}

static const char *set_allow(cmd_parms *cmd, void *dummy,
                             const char *arg)
{
    const char *err = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    snivhost_refuse_conf_t *conf = conf_of(cmd);
    apr_array_header_t *allow = (apr_array_header_t *)conf->allow;
    apr_array_header_t *lines = (apr_array_header_t *)conf->allow_lines;

    (void)dummy;
    if (err)
        return err;
    if (strchr(arg, '/') || (strchr(arg, ':') && *arg != '[' && !strchr(
                                 strchr(arg, ':') + 1, ':'))) {
        return apr_psprintf(cmd->pool, "SNIVHostAllowHost takes names (with * "
                            "and ? as in ServerAlias), or - for requests "
                            "without any, not '%s': remove scheme, port and "
                            "path", arg);
    }
    /* core removes the brackets of an IPv6 address */
    if (arg[0] == '[' && arg[strlen(arg) - 1] == ']')
        arg = apr_pstrmemdup(cmd->pool, arg + 1, strlen(arg) - 2);
    if (!allow) {
        conf->allow = allow = apr_array_make(cmd->pool, 4, sizeof(char *));
        conf->allow_lines = lines =
            apr_array_make(cmd->pool, 4, sizeof(const ap_directive_t *));
    }
    APR_ARRAY_PUSH(allow, const char *) = arg;
    APR_ARRAY_PUSH(lines, const ap_directive_t *) = cmd->directive;
    return NULL;
}

/* ----- certificates ----- */

static const char *set_certificates(cmd_parms *cmd, void *dummy,
                                    const char *arg)
{
    snivhost_store_conf_t *conf = &snivhost_conf(cmd->server)->store;
    const char *err = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    apr_array_header_t *dirs;
    const char *path;

    (void)dummy;
    if (err)
        return err;
    if (sniv_store_url_is(arg)) {
        err = snivhost_mirror_check(arg, cmd->temp_pool);
        if (err) {
            return apr_psprintf(cmd->pool, "SNIVHostCertificates %s: %s", arg,
                                err);
        }
        path = arg;
    }
    else {
        path = *arg ? ap_server_root_relative(cmd->pool, arg) : NULL;
    }
    if (!path) {
        return apr_psprintf(cmd->pool, "SNIVHostCertificates: '%s' is not "
                            "the path of a folder", arg);
    }
    dirs = conf->dirs ? apr_array_copy(cmd->pool, conf->dirs)
                      : apr_array_make(cmd->pool, 2, sizeof(const char *));
    APR_ARRAY_PUSH(dirs, const char *) = path;
    conf->dirs = dirs;
    return NULL;
}

static const char *set_store_key(cmd_parms *cmd, void *dummy,
                                 const char *arg)
{
    snivhost_store_conf_t *conf = &snivhost_conf(cmd->server)->store;
    const char *err = not_here(cmd);

    (void)dummy;
    if (err)
        return err;
    conf->key = *arg ? ap_server_root_relative(cmd->pool, arg) : NULL;
    return conf->key ? NULL
           : apr_psprintf(cmd->pool, "SNIVHostStoreKey: '%s' is not the path "
                          "of a file", arg);
}

static const char *set_certificate_trust(cmd_parms *cmd, void *dummy,
                                         const char *arg)
{
    static const char *const words[] = { "strict", "owner", "any" };
    const char *err = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    int i;

    (void)dummy;
    for (i = 0; !err && i < 3; i++) {
        if (ap_cstr_casecmp(arg, words[i]) == 0) {
            snivhost_conf(cmd->server)->store.trust = i;
            return NULL;
        }
    }
    return err ? err
           : apr_psprintf(cmd->pool, "SNIVHostCertificateTrust takes strict, "
                          "owner or any, not '%s'", arg);
}

static const char *set_certificate_check(cmd_parms *cmd, void *dummy,
                                         const char *arg)
{
    const char *err = not_here(cmd);
    int n = ap_cstr_casecmp(arg, "Off") ? number_of(arg, CHECK_LEAST, 86400)
                                        : 0;

    (void)dummy;
    if (!err && n < 0) {
        err = apr_psprintf(cmd->pool, "SNIVHostCertificateCheck takes Off or "
                           "a number of seconds from 1 to 86400, not '%s'",
                           arg);
    }
    snivhost_conf(cmd->server)->store.check = n;
    return err;
}

static const char *set_certificate_cache(cmd_parms *cmd, void *dummy,
                                         const char *arg)
{
    const char *err = not_here(cmd);
    int n = number_of(arg, 1, 1000000);

    (void)dummy;
    if (!err && n < 0) {
        err = apr_psprintf(cmd->pool, "SNIVHostCertificateCache takes a "
                           "number of certificates from 1 to 1000000, not "
                           "'%s'", arg);
    }
    snivhost_conf(cmd->server)->store.cache = n;
    return err;
}

static const char *set_ticket_rotation(cmd_parms *cmd, void *dummy,
                                       const char *arg)
{
    const char *err = not_here(cmd);
    int n = ap_cstr_casecmp(arg, "Off") ? number_of(arg, 30, 604800) : 0;

    (void)dummy;
    if (!err && n < 0) {
        err = apr_psprintf(cmd->pool, "SNIVHostTicketRotation takes Off or a "
                           "number of seconds from 30 to 604800, not '%s'",
                           arg);
    }
    snivhost_conf(cmd->server)->ticket_rotation = n;
    return err;
}

static const char *set_adopt(cmd_parms *cmd, void *dummy, int on)
{
    const char *err = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)dummy;
    if (err)
        return err;
    snivhost_conf(cmd->server)->adopt = on;
    return NULL;
}

/*
 * SNIVHostTLS On is SSLEngine on, and a demand. Off only says that
 * SNIVHostAdopt has to leave this one alone.
 */
static const char *set_tls(cmd_parms *cmd, void *dummy, int on)
{
    (void)dummy;
    if (!cmd->server->is_virtual) {
        return "SNIVHostTLS applies to one virtual host: write it inside "
               "<VirtualHost>";
    }
    snivhost_conf(cmd->server)->tls_by_hand = on;
    return on ? snivhost_adopt_engine_on(cmd) : NULL;
}

/* ----- what is reported ----- */

static const char *set_lint(cmd_parms *cmd, void *dummy, const char *arg)
{
    snivhost_conf_t *conf = snivhost_conf(cmd->server);
    const char *err = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);

    (void)dummy;
    if (err)
        return err;
    if (cmd->server->is_virtual) {
        return "SNIVHostLint applies to the whole server: move it out of "
               "<VirtualHost>. SNIVHostLintIgnore may be used here";
    }
    if (!ap_cstr_casecmp(arg, "On"))
        conf->lint = SNIVHOST_LINT_ON;
    else if (!ap_cstr_casecmp(arg, "Off"))
        conf->lint = SNIVHOST_LINT_OFF;
    else if (!ap_cstr_casecmp(arg, "Strict"))
        conf->lint = SNIVHOST_LINT_STRICT;
    else {
        return apr_psprintf(cmd->pool, "SNIVHostLint takes On, Off or "
                            "Strict, not '%s'", arg);
    }
    return NULL;
}

static const char *set_lint_ignore(cmd_parms *cmd, void *dummy,
                                   const char *arg)
{
    const char *err = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    int kind = snivhost_lint_kind(arg);

    (void)dummy;
    if (err)
        return err;
    if (kind < 0) {
        return apr_psprintf(cmd->pool, "SNIVHostLintIgnore takes codes of "
                            "findings, such as SNIV0400; '%s' is not one", arg);
    }
    if (kind < SNIVHOST_LINT_KINDS)
        snivhost_conf(cmd->server)->lint_ignore |= (apr_uint64_t)1 << kind;
    return NULL;
}

static const char *set_env(cmd_parms *cmd, void *dummy, int on)
{
    const char *err = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);

    (void)dummy;
    snivhost_conf(cmd->server)->env = on;
    return err;
}

static const char *set_explain(cmd_parms *cmd, void *dummy, const char *args)
{
    const char *err = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)dummy;
    if (err)
        return err;
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_NORMAL) {
        return "SNIVHostExplain is only for tests of the configuration: "
               "remove it from the configuration and give it with -t -c "
               "'SNIVHostExplain ...'";
    }
    err = snivhost_question_parse(
        snivhost_questions_push(cmd->pool, sizeof(snivhost_question_t)),
        cmd->pool, args);
    return err ? apr_pstrcat(cmd->pool, "SNIVHostExplain: ", err, NULL)
               : NULL;
}

static const char *set_compare(cmd_parms *cmd, void *dummy, int argc,
                               char *const argv[])
{
    const char *err = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    apr_array_header_t *words = apr_array_make(cmd->pool, argc + 1,
                                               sizeof(const char *));
    int i;

    (void)dummy;
    if (err)
        return err;
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_NORMAL) {
        return "SNIVHostCompare is only for tests of the configuration: "
               "remove it from the configuration and give it with -t -c "
               "'SNIVHostCompare ...'";
    }
    if (argc < 1 || !*argv[0])
        return "SNIVHostCompare takes a file of DUMP_SNIVHOST_JSON";
    for (i = 0; i < argc; i++) {
        if (i && strcmp(argv[i], "strict")
            && strncmp(argv[i], "allow=", 6)
            && strcmp(argv[i], "format=text")
            && strcmp(argv[i], "format=json")
            && strcmp(argv[i], "format=sarif")) {
            return apr_psprintf(cmd->pool, "SNIVHostCompare takes strict, "
                                "allow=FILE and format=text, json or sarif "
                                "after the file, not '%s'", argv[i]);
        }
        APR_ARRAY_PUSH(words, const char *) = apr_pstrdup(cmd->pool, argv[i]);
    }
    snivhost_comparisons_push(cmd->pool, words);
    return NULL;
}

static const char *set_expect(cmd_parms *cmd, void *dummy, const char *arg)
{
    const char *err = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)dummy;
    if (err)
        return err;
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_NORMAL) {
        return "SNIVHostExpect is only for tests of the configuration: remove "
               "it from the configuration and give it with -t -c "
               "'SNIVHostExpect FILE'";
    }
    snivhost_expected_push(cmd->pool, arg);
    return NULL;
}

/* ----- the table ----- */

const command_rec snivhost_commands[] = {
    AP_INIT_TAKE1("SNIVHost", set_mode, NULL, RSRC_CONF,
                  "Choose virtual hosts from tables: On, Off (the default: "
                  "httpd chooses) or Verify (httpd chooses, differences are "
                  "logged)"),
    AP_INIT_TAKE1("SNIVHostUnknownSNI", set_refuse, NULL, RSRC_CONF,
                  "Answer a TLS handshake for a server name that no virtual "
                  "host on the address has: default (the first virtual host "
                  "does) or refuse (alert unrecognized_name)"),
    AP_INIT_TAKE1("SNIVHostMissingSNI", set_refuse, NULL, RSRC_CONF,
                  "Answer a TLS handshake without a server name: default or "
                  "refuse"),
    AP_INIT_TAKE1("SNIVHostUnknownHost", set_refuse, NULL,
                  RSRC_CONF,
                  "Answer a request for a host that no virtual host on the "
                  "address has: default or refuse (421, 400 without a host)"),
    AP_INIT_ITERATE("SNIVHostAllowHost", set_allow, NULL,
                    RSRC_CONF,
                    "Let these names reach the default although unknown; - "
                    "allows clients that give none"),
    AP_INIT_FLAG("SNIVHostAdopt", set_adopt, NULL, RSRC_CONF,
                 "Make every eligible TLS virtual host lean: On, or Off (the "
                 "default)"),
    AP_INIT_FLAG("SNIVHostTLS", set_tls, NULL, RSRC_CONF,
                 "Make this virtual host lean: On, in place of SSLEngine on; "
                 "or Off, to exclude it from SNIVHostAdopt"),
    AP_INIT_TAKE1("SNIVHostLint", set_lint, NULL, RSRC_CONF,
                  "Report lines that cannot be intended, at start and with "
                  "-t: On (the default with SNIVHost), Off or Strict (-t and "
                  "the start fail)"),
    AP_INIT_ITERATE("SNIVHostLintIgnore", set_lint_ignore, NULL,
                    RSRC_CONF, "Suppress findings with these codes, here or "
                    "in one virtual host"),
    AP_INIT_FLAG("SNIVHostEnv", set_env, NULL, RSRC_CONF,
                 "Set SNIVHOST_VHOST, SNIVHOST_RULE and others in the "
                 "environment of requests (On, or Off, the default)"),
    AP_INIT_RAW_ARGS("SNIVHostExplain", set_explain, NULL, RSRC_CONF,
                     "Explain a choice with -t -c: URL, or ADDR:PORT "
                     "[sni=NAME] [host=NAME] [path=/PATH] [http=1.0|1.1] "
                     "[format=text|json]"),
    AP_INIT_TAKE_ARGV("SNIVHostCompare", set_compare, NULL, RSRC_CONF,
                      "Report with -t -c what changes for clients since a "
                      "file of DUMP_SNIVHOST_JSON was written: FILE [strict] "
                      "[allow=FILE] [format=text|json|sarif]"),
    AP_INIT_ITERATE("SNIVHostExpect", set_expect, NULL, RSRC_CONF,
                    "Make -t fail unless each question in these files has the "
                    "answer written after it"),
    AP_INIT_ITERATE("SNIVHostCertificates", set_certificates, NULL,
                    RSRC_CONF,
                    "Serve the certificates in these folders, or stores "
                    "(redis://...), by the names in them, where no virtual "
                    "host has its own"),
    AP_INIT_TAKE1("SNIVHostStoreKey", set_store_key, NULL, RSRC_CONF,
                  "Open sealed entries of stores with the keys in this file, "
                  "and use no others"),
    AP_INIT_TAKE1("SNIVHostCertificateTrust", set_certificate_trust, NULL,
                  RSRC_CONF,
                  "Use certificates of root and the folder's owner only "
                  "(strict), also of the owners of subfolders (owner), or all "
                  "(any)"),
    AP_INIT_TAKE1("SNIVHostCertificateCheck", set_certificate_check, NULL,
                  RSRC_CONF,
                  "Check for renewed certificate files after this number of "
                  "seconds (30; not less than 10), or Off"),
    AP_INIT_TAKE1("SNIVHostCertificateCache", set_certificate_cache, NULL,
                  RSRC_CONF,
                  "Keep this number of decoded certificates and keys in a "
                  "process (1000)"),
    AP_INIT_TAKE1("SNIVHostTicketRotation", set_ticket_rotation, NULL,
                  RSRC_CONF,
                  "Renew the keys of TLS session tickets after this number of "
                  "seconds (3600), so that sessions survive restarts; or Off: "
                  "each restart ends them"),
    { NULL, { NULL }, NULL, 0, RAW_ARGS, NULL }
};
