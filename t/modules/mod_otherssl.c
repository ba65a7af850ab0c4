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
 * For t/library.t: lets mod_ssl say, where it is asked in the process of
 * httpd, that it uses another OpenSSL. To be loaded behind mod_ssl.
 */

#include "httpd.h"
#include "http_config.h"
#include "apr_optional.h"
#include "mod_ssl.h"

static APR_OPTIONAL_FN_TYPE(ssl_var_lookup) *real_lookup;

static char *lookup(apr_pool_t *p, server_rec *s, conn_rec *c, request_rec *r,
                    char *name)
{
    if (!strcmp(name, "SSL_VERSION_LIBRARY"))
        return (char *)"OtherSSL/9.9.9";
    return real_lookup(p, s, c, r, name);
}

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    real_lookup = APR_RETRIEVE_OPTIONAL_FN(ssl_var_lookup);
    apr_dynamic_fn_register("ssl_var_lookup", (apr_opt_fn_t *)lookup);
}

AP_DECLARE_MODULE(otherssl) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks,
    AP_MODULE_FLAG_NONE
};
