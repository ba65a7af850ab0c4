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

#include "tls/keyfile.h"

#include "apr_file_io.h"

#include <openssl/crypto.h>

static apr_status_t wipe(void *keys)
{
    OPENSSL_cleanse(keys, sizeof(snivhost_keyfile_t));
    return APR_SUCCESS;
}

apr_status_t snivhost_keyfile_read(const server_rec *s, const char *path,
                                   apr_pool_t *p)
{
    snivhost_keyfile_t *keys = apr_palloc(p, sizeof(*keys));
    apr_file_t *file;
    apr_status_t rv;

    apr_pool_cleanup_register(p, keys, wipe, apr_pool_cleanup_null);
    rv = apr_file_open(&file, path, APR_FOPEN_READ | APR_FOPEN_BINARY,
                       APR_FPROT_OS_DEFAULT, p);
    if (rv == APR_SUCCESS) {
        rv = apr_file_read_full(file, keys, sizeof(*keys), NULL);
        apr_file_close(file);
    }
    if (rv == APR_SUCCESS)
        snivhost_conf(s)->keyfile = keys;
    return rv;
}
