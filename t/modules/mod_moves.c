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
 * For t/left_to_core.t: a module that changes, after core and before
 * everybody else, where core begins to search for a connection. Stock httpd
 * goes on from there. The configuration says what it does, by the ServerName
 * of any virtual host: "moved.test" becomes the connection's first one, and
 * if there is an "alone.test" core's list of the others is taken away.
 */

#include "httpd.h"
#include "http_config.h"
#include "http_connection.h"
#include "http_main.h"

static int pre_connection(conn_rec *c, void *csd)
{
    server_rec *s;

    (void)csd;
    for (s = ap_server_conf; s && !c->master && !c->outgoing; s = s->next) {
        if (s->server_hostname && !strcmp(s->server_hostname, "moved.test"))
            c->base_server = s;
        if (s->server_hostname && !strcmp(s->server_hostname, "alone.test"))
            c->vhost_lookup_data = NULL;
    }
    return DECLINED;
}

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_pre_connection(pre_connection, NULL, NULL,
                           APR_HOOK_REALLY_FIRST - 50);
}

AP_DECLARE_MODULE(moves) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks,
    AP_MODULE_FLAG_NONE
};
