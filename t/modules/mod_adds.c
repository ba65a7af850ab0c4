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

/*
 * A module that adds, for t/added.t, virtual hosts which no file has, as
 * mod_perl does for <Perl>: AddVhost ADDRESS NAME. What inherits TLS settings
 * has them from the main server. For t/renewal.t, a certificate and its key
 * that mod_ssl uses in every virtual host: AddCertificate FILE; and a file
 * that is replaced just before mod_ssl reads it: ReplaceFile NEW OLD.
 */

#include "httpd.h"
#include "http_config.h"
#include "http_core.h"
#include "http_ssl.h"
#include "http_vhost.h"
#include "apr_strings.h"

static const char *add_vhost(cmd_parms *cmd, void *dummy, const char *address,
                             const char *name)
{
    server_rec *s;
    const char *err = ap_init_virtual_host(cmd->pool, address, cmd->server,
                                           &s);

    (void)dummy;
    if (err)
        return err;
    s->next = cmd->server->next;
    cmd->server->next = s;
    s->defn_name = NULL;
    s->server_hostname = strcmp(name, "-") ? apr_pstrdup(cmd->pool, name)
                                           : NULL;
    return NULL;
}

static const char *cert;
static const char *replace_from, *replace_to;
static const server_rec *asked;

static const char *add_cert(cmd_parms *cmd, void *dummy, const char *file)
{
    (void)dummy;
    cert = apr_pstrdup(cmd->pool, file);
    return NULL;
}

static int add_cert_files(server_rec *s, apr_pool_t *p,
                          apr_array_header_t *cert_files,
                          apr_array_header_t *key_files)
{
    /* mod_snivhost asks first, then mod_ssl */
    if (replace_from
        && ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG) {
        if (asked == s)
            apr_file_rename(replace_from, replace_to, p);
        asked = asked ? asked : s;
    }
    if (!cert)
        return DECLINED;
    APR_ARRAY_PUSH(cert_files, const char *) = cert;
    APR_ARRAY_PUSH(key_files, const char *) = cert;
    return OK;
}

static const char *replace_file(cmd_parms *cmd, void *dummy, const char *from,
                                const char *to)
{
    (void)dummy;
    replace_from = apr_pstrdup(cmd->pool, from);
    replace_to = apr_pstrdup(cmd->pool, to);
    return NULL;
}

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    cert = replace_from = NULL;
    asked = NULL;
    ap_hook_ssl_add_cert_files(add_cert_files, NULL, NULL, APR_HOOK_MIDDLE);
}

static const command_rec commands[] = {
    AP_INIT_TAKE1("AddCertificate", add_cert, NULL, RSRC_CONF,
                  "Add a certificate to all virtual hosts: a PEM file"),
    AP_INIT_TAKE2("ReplaceFile", replace_file, NULL, RSRC_CONF,
                  "Replace the first virtual host's file"),
    AP_INIT_TAKE2("AddVhost", add_vhost, NULL, RSRC_CONF,
                  "Add a virtual host: address and name"),
    { NULL }
};

AP_DECLARE_MODULE(adds) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, commands, register_hooks,
    AP_MODULE_FLAG_NONE
};
