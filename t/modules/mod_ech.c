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
 * For t/ech.t: a module that gives each SSL_CTX of mod_ssl's servers the keys
 * of Encrypted Client Hello in key.ech in a folder, for a httpd that has no
 * SSLECHKeyDir.
 */

#include "httpd.h"
#include "http_config.h"
#include "http_log.h"

#include "apr_optional_hooks.h"
#include "apr_strings.h"
#include "mod_ssl_openssl.h"

#include <openssl/ech.h>

static const char *key_file;

static int init_server(server_rec *s, apr_pool_t *p, int is_proxy,
                       SSL_CTX *ctx)
{
    OSSL_ECHSTORE *keys;
    BIO *in;
    int ok;

    (void)p;
    if (!key_file || is_proxy)
        return DECLINED;
    in = BIO_new_file(key_file, "r");
    keys = OSSL_ECHSTORE_new(NULL, NULL);
    ok = in && keys && OSSL_ECHSTORE_read_pem(keys, in, OSSL_ECH_FOR_RETRY)
         && SSL_CTX_set1_echstore(ctx, keys);
    OSSL_ECHSTORE_free(keys);
    BIO_free(in);
    if (!ok) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, s, "%s: no ECH keys",
                     key_file);
    }
    return ok ? OK : HTTP_INTERNAL_SERVER_ERROR;
}

static int pre_config(apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp)
{
    (void)p;
    (void)plog;
    (void)ptemp;
    key_file = NULL;
    return OK;
}

static const char *set_key(cmd_parms *cmd, void *dummy, const char *value)
{
    (void)dummy;
    key_file = apr_pstrcat(cmd->pool, value, "/key.ech", NULL);
    return NULL;
}

static const command_rec commands[] = {
    AP_INIT_TAKE1("SSLECHKeyDir", set_key, NULL, RSRC_CONF,
                  "a folder with a file key.ech"),
    { NULL, { NULL }, NULL, 0, RAW_ARGS, NULL }
};

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ssl, init_server, init_server, NULL, NULL,
                      APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(ech) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, commands, register_hooks,
    AP_MODULE_FLAG_NONE
};
