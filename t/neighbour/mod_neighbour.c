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
 * For t/neighbour.t: what other modules do with the fields that mod_snivhost
 * borrows.
 *
 * Neighbour search  another TLS module than mod_ssl (mod_gnutls, mod_tls):
 *                   it searches for a virtual host when it reads the first
 *                   bytes, which happens while core reads the request
 * Neighbour copy    gives a connection a server of its own, a copy of the
 *                   one it has, for another time limit (mod_qos): before
 *                   the first request
 * Neighbour late    the same while the first request is read
 * Neighbour other   moves each connection to the main server
 */

#include "httpd.h"
#include "http_config.h"
#include "http_connection.h"
#include "http_core.h"
#include "http_main.h"
#include "http_protocol.h"
#include "http_ssl.h"
#include "http_vhost.h"
#include "apr_strings.h"

module AP_MODULE_DECLARE_DATA neighbour_module;

static const char *mode = "";

static int is(const char *what)
{
    return !strcmp(mode, what);
}

static int count(void *baton, conn_rec *c, server_rec *s)
{
    (void)c;
    (void)s;
    ++*(int *)baton;
    return 0;
}

static void give_copy(conn_rec *c)
{
    server_rec *copy = apr_pmemdup(c->pool, c->base_server, sizeof(*copy));

    copy->timeout = apr_time_from_sec(7);
    copy->server_admin = "copy";
    c->base_server = copy;
}

static apr_status_t first_read(ap_filter_t *f, apr_bucket_brigade *bb,
                               ap_input_mode_t how, apr_read_type_e block,
                               apr_off_t bytes)
{
    conn_rec *c = f->c;

    if (f->ctx)
        return ap_get_brigade(f->next, bb, how, block, bytes);
    f->ctx = c;
    if (is("search")) {
        int n = 0;

        ap_vhost_iterate_given_conn(c, count, &n);
        apr_table_setn(c->notes, "candidates", apr_itoa(c->pool, n));
    }
    else {
        give_copy(c);
    }
    return ap_get_brigade(f->next, bb, how, block, bytes);
}

static int pre_connection(conn_rec *c, void *csd)
{
    (void)csd;
    if (c->master || c->outgoing)
        return DECLINED;
    if (is("search") || is("late"))
        ap_add_input_filter("neighbour", NULL, NULL, c);
    else if (is("copy"))
        give_copy(c);
    else if (is("other"))
        c->base_server = ap_server_conf;
    return DECLINED;
}

static int ssl_conn_is_ssl(conn_rec *c)
{
    (void)c;
    return is("search") ? OK : DECLINED;
}

static int post_read_request(request_rec *r)
{
    const char *n = apr_table_get(r->connection->notes, "candidates");
    apr_interval_time_t limit = 0;

    apr_socket_timeout_get(ap_get_conn_socket(r->connection), &limit);
    apr_table_setn(r->err_headers_out, "X-Neighbour", apr_psprintf(r->pool,
                   "%s candidates, server %s of %s, %d s", n ? n : "no",
                   r->server->server_hostname, r->server->server_admin,
                   (int)apr_time_sec(limit)));
    return DECLINED;
}

static const char *set_mode(cmd_parms *cmd, void *dummy, const char *arg)
{
    (void)cmd;
    (void)dummy;
    mode = arg;
    return NULL;
}

static const command_rec commands[] = {
    AP_INIT_TAKE1("Neighbour", set_mode, NULL, RSRC_CONF, "What to do"),
    { NULL, { NULL }, NULL, 0, RAW_ARGS, NULL }
};

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_register_input_filter("neighbour", first_read, NULL,
                             AP_FTYPE_CONNECTION + 5);
    ap_hook_pre_connection(pre_connection, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_ssl_conn_is_ssl(ssl_conn_is_ssl, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_read_request(post_read_request, NULL, NULL,
                              APR_HOOK_MIDDLE);
}

module AP_MODULE_DECLARE_DATA neighbour_module = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, commands, register_hooks,
    0
};
