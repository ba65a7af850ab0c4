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

#include "tls/provided.h"

#include <string.h>

#include "http_ssl.h"

#include "module/record.h"

static int is_ours(const ap_LINK_ssl_add_cert_files_t *hook)
{
    return hook->szName && !strcmp(hook->szName, snivhost_module.name);
}

int snivhost_provided_any(void)
{
    const apr_array_header_t *hooks = ap_hook_get_ssl_add_cert_files();
    int i;

    for (i = 0; hooks && i < hooks->nelts; i++) {
        if (!is_ours(&APR_ARRAY_IDX(hooks, i, ap_LINK_ssl_add_cert_files_t)))
            return 1;
    }
    return 0;
}

/* What ap_ssl_add_cert_files() does, without our own hooks. */
int snivhost_provided_add(server_rec *s, apr_array_header_t *cert_files,
                          apr_array_header_t *key_files, apr_pool_t *p)
{
    const apr_array_header_t *hooks = ap_hook_get_ssl_add_cert_files();
    int n = cert_files->nelts, status = OK, i;

    for (i = 0; hooks && i < hooks->nelts
                && (status == OK || status == DECLINED); i++) {
        const ap_LINK_ssl_add_cert_files_t *hook =
            &APR_ARRAY_IDX(hooks, i, ap_LINK_ssl_add_cert_files_t);

        if (!is_ours(hook))
            status = hook->pFunc(s, p, cert_files, key_files);
    }
    return cert_files->nelts > n;
}
