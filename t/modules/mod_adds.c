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
 * For t/added.t: a module that adds virtual hosts which no file has, as
 * mod_perl does for <Perl>: AddVhost ADDRESS NAME. What inherits TLS settings
 * has them from the main server.
 */

#include "httpd.h"
#include "http_config.h"
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

static const command_rec commands[] = {
    AP_INIT_TAKE2("AddVhost", add_vhost, NULL, RSRC_CONF,
                  "Add a virtual host: address and name"),
    { NULL }
};

AP_DECLARE_MODULE(adds) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, commands, NULL,
    AP_MODULE_FLAG_NONE
};
