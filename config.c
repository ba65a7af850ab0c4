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

#include "module/record.h"
#include "serve/refuse.h"

#include "apr_strings.h"

#include "tls/adopt.h"
#include "lint/lint.h"
#include "tell/dump.h"
#include "serve/env.h"
#include "tls/store.h"

/*
 * Directives.
 */

snivhost_conf_t *snivhost_conf(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &snivhost_module);
}

void *snivhost_create_server_conf(apr_pool_t *p, server_rec *s)
{
    snivhost_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    (void)s;
    conf->mode = SNIVHOST_UNSET;
    snivhost_policy_conf_init(&conf->policy);
    snivhost_store_conf_init(&conf->store);
    conf->adopt = -1;
    conf->tls_by_hand = -1;
    conf->env = -1;
    conf->lint = SNIVHOST_LINT_UNSET;
    return conf;
}

void *snivhost_merge_server_conf(apr_pool_t *p, void *basev, void *addv)
{
    const snivhost_conf_t *base = basev, *add = addv;
    snivhost_conf_t *conf = apr_pcalloc(p, sizeof(*conf));

    conf->mode = add->mode != SNIVHOST_UNSET ? add->mode : base->mode;
    snivhost_policy_conf_merge(&conf->policy, &base->policy, &add->policy);
    snivhost_store_conf_merge(&conf->store, &base->store, &add->store);
    conf->adopt = add->adopt != -1 ? add->adopt : base->adopt;
    conf->tls_by_hand = add->tls_by_hand;
    conf->env = add->env != -1 ? add->env : base->env;
    conf->lint = add->lint != SNIVHOST_LINT_UNSET ? add->lint : base->lint;
    conf->lint_ignore = base->lint_ignore | add->lint_ignore;
    return conf;
}

static const char *set_mode(cmd_parms *cmd, void *dummy, const char *arg)
{
    snivhost_conf_t *conf = snivhost_conf(cmd->server);
    const char *err = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);

    (void)dummy;
    if (err)
        return err;
    if (cmd->server->is_virtual) {
        return "SNIVHost is about the whole server: move it out of "
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

const command_rec snivhost_commands[] = {
    AP_INIT_TAKE1("SNIVHost", set_mode, NULL, RSRC_CONF,
                  "Choose virtual hosts from tables: On, Off (the default: "
                  "httpd chooses) or Verify (httpd chooses, differences are "
                  "logged)"),
    AP_INIT_TAKE1("SNIVHostUnknownSNI", snivhost_policy_set, NULL, RSRC_CONF,
                  "Answer a TLS handshake for a server name that nobody on "
                  "the address has: default (the first virtual host does) or "
                  "refuse (alert unrecognized_name)"),
    AP_INIT_TAKE1("SNIVHostMissingSNI", snivhost_policy_set, NULL, RSRC_CONF,
                  "Answer a TLS handshake without a server name: default or "
                  "refuse"),
    AP_INIT_TAKE1("SNIVHostUnknownHost", snivhost_policy_set, NULL,
                  RSRC_CONF,
                  "Answer a request for a host that nobody on the address "
                  "has: default or refuse (421, 400 without a host)"),
    AP_INIT_ITERATE("SNIVHostAllowHost", snivhost_policy_allow, NULL,
                    RSRC_CONF,
                    "Let these names reach the default all the same; - is "
                    "for clients that give none"),
    AP_INIT_FLAG("SNIVHostAdopt", snivhost_set_adopt, NULL, RSRC_CONF,
                 "Make every TLS virtual host lean that can be: On, or Off "
                 "(the default)"),
    AP_INIT_FLAG("SNIVHostTLS", snivhost_set_tls, NULL, RSRC_CONF,
                 "Make this virtual host lean: On, in place of SSLEngine on; "
                 "or Off, so that SNIVHostAdopt leaves it alone"),
    AP_INIT_TAKE1("SNIVHostLint", snivhost_set_lint, NULL, RSRC_CONF,
                  "Report at start and with -t what cannot be intended: On "
                  "(the default with SNIVHost), Off or Strict (-t and the "
                  "start fail)"),
    AP_INIT_ITERATE("SNIVHostLintIgnore", snivhost_set_lint_ignore, NULL,
                    RSRC_CONF, "Do not tell of findings with these codes, "
                    "here or in one virtual host"),
    AP_INIT_FLAG("SNIVHostEnv", snivhost_set_env, NULL, RSRC_CONF,
                 "Set SNIVHOST_VHOST, SNIVHOST_RULE and others in the "
                 "environment of requests (On, or Off, the default)"),
    AP_INIT_RAW_ARGS("SNIVHostExplain", snivhost_set_explain, NULL, RSRC_CONF,
                     "Explain a choice with -t -c: URL, or ADDR:PORT "
                     "[sni=NAME] [host=NAME] [path=/PATH] [http=1.0|1.1] "
                     "[format=text|json]"),
    AP_INIT_ITERATE("SNIVHostCertificates", snivhost_store_set_dirs, NULL,
                    RSRC_CONF,
                    "Serve the certificates in these folders by their names, "
                    "where no virtual host has its own"),
    AP_INIT_TAKE1("SNIVHostCertificateCheck", snivhost_store_set_check, NULL,
                  RSRC_CONF,
                  "Look for renewed certificate files after so many seconds "
                  "(30; not less than 10), or Off"),
    AP_INIT_TAKE1("SNIVHostCertificateCache", snivhost_store_set_cache, NULL,
                  RSRC_CONF,
                  "Keep so many decoded certificates and keys in a process "
                  "(1000)"),
    { NULL, { NULL }, NULL, 0, RAW_ARGS, NULL }
};
