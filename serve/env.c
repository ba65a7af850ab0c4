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

#include "serve/env.h"

#include "apr_optional.h"
#include "apr_strings.h"
#include "ap_expr.h"
#include "http_protocol.h"
#include "http_request.h"
#include "http_ssl.h"
#include "mod_log_config.h"

#include "module/words.h"
#include "serve/request.h"

typedef const char *value_fn(request_rec *r, const snivhost_conn_t *conn,
                             apr_pool_t *p);

/* ----- values ----- */

static const char *vhost_value(request_rec *r, const snivhost_conn_t *conn,
                               apr_pool_t *p)
{
    (void)conn;
    (void)p;
    return r->server->server_hostname;
}

static const char *rule_value(request_rec *r, const snivhost_conn_t *conn,
                              apr_pool_t *p)
{
    const char *rule = snivhost_request_rule(r);

    (void)conn;
    (void)p;
    return rule ? rule : "early";
}

static const char *sni_rule_value(request_rec *r, const snivhost_conn_t *conn,
                                  apr_pool_t *p)
{
    (void)r;
    (void)p;
    if (!conn->hello_seen)
        return NULL;
    return conn->hello == SNIV_HELLO_MALFORMED ? "malformed"
                                               : sniv_rule_name(conn->sni.rule);
}

static const char *address_value(request_rec *r, const snivhost_conn_t *conn,
                                 apr_pool_t *p)
{
    (void)r;
    return conn->set ? snivhost_set_text(p, conn->set) : "none";
}

static const char *certificate_value(request_rec *r,
                                     const snivhost_conn_t *conn,
                                     apr_pool_t *p)
{
    const char *value;

    if (!conn->hello_seen)
        return NULL;
    value = ap_ssl_var_lookup(p, r->server, r->connection, r,
                              "SSL_SERVER_SAN_DNS_0");
    if (!value || !*value) {
        value = ap_ssl_var_lookup(p, r->server, r->connection, r,
                                  "SSL_SERVER_S_DN");
    }
    return value && *value ? value : NULL;
}

static const struct variable_t {
    const char *name;
    value_fn *value;
} variables[] = {
    { "SNIVHOST_VHOST", vhost_value },
    { "SNIVHOST_RULE", rule_value },
    { "SNIVHOST_SNI_RULE", sni_rule_value },
    { "SNIVHOST_ADDRESS", address_value },
    { "SNIVHOST_CERTIFICATE", certificate_value },
    { NULL, NULL }
};

static const struct variable_t *find_variable(const char *name)
{
    const struct variable_t *v;

    for (v = variables; v->name && ap_cstr_casecmp(v->name, name); v++)
        ;
    return v->name ? v : NULL;
}

/* NULL: the request is not ours, or the variable makes no sense for it. */
static const char *value_of(const struct variable_t *v, request_rec *r,
                            apr_pool_t *p)
{
    const snivhost_conn_t *conn;

    if (!snivhost_live || (conn = snivhost_conn(r->connection)) == NULL)
        return NULL;
    return v->value(r, conn, p);
}

/* ----- environment ----- */

static void set_variables(request_rec *r)
{
    const struct variable_t *v;

    for (v = variables; v->name; v++) {
        const char *value = value_of(v, r, r->pool);

        if (value)
            apr_table_setn(r->subprocess_env, v->name, value);
    }
}

/* Right after the decision: SetEnvIf may look at them, and a request that
 * mod_ssl refuses is logged with them. */
int snivhost_env_post_read_request(request_rec *r)
{
    if (snivhost_live && snivhost_conf(r->server)->env > 0)
        set_variables(r);
    return DECLINED;
}

/* Requests that core refused come to no other hook. */
int snivhost_env_log_transaction(request_rec *r)
{
    if (snivhost_live && snivhost_conf(r->server)->env > 0
        && !apr_table_get(r->subprocess_env, variables[0].name)) {
        set_variables(r);
    }
    return DECLINED;
}

/* ----- expressions and LogFormat ----- */

static const char *expr_value(ap_expr_eval_ctx_t *ctx, const void *data)
{
    const char *value = ctx->r ? value_of(data, ctx->r, ctx->p) : NULL;

    return value ? value : "";
}

int snivhost_env_expr_lookup(ap_expr_lookup_parms *parms)
{
    const struct variable_t *v;

    if (parms->type != AP_EXPR_FUNC_VAR
        || (v = find_variable(parms->name)) == NULL) {
        return DECLINED;
    }
    *parms->func = expr_value;
    *parms->data = v;
    return OK;
}

static const char *log_value(request_rec *r, char *name)
{
    const struct variable_t *v = find_variable(name);
    const char *value = v ? value_of(v, r, r->pool) : NULL;

    return value ? ap_escape_logitem(r->pool, value) : NULL;
}

int snivhost_env_pre_config(apr_pool_t *p, apr_pool_t *plog,
                            apr_pool_t *ptemp)
{
    APR_OPTIONAL_FN_TYPE(ap_register_log_handler) *register_handler =
        APR_RETRIEVE_OPTIONAL_FN(ap_register_log_handler);

    (void)plog;
    (void)ptemp;
    if (register_handler)
        register_handler(p, (char *)"^sv", log_value, 0);
    return OK;
}

