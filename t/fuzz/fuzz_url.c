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
 * Fuzz target: the URL of a question. What is understood can be sent: no
 * control characters, no blanks, a port, a path.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "tell/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static apr_pool_t *all;
    char *text;
    apr_pool_t *p;
    sniv_url_t url;

    if (!all) {
        apr_initialize();
        apr_pool_create(&all, NULL);
    }
    text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    apr_pool_create(&p, all);
    if (!sniv_url_parse(&url, text, p)
        && (!url.port || url.path[0] != '/' || !*url.host
            || sniv_url_has_controls(url.host)
            || strpbrk(url.host, " /@%") || strchr(url.path, ' ')
            || (url.sni && (strlen(url.sni) > 255 || !url.is_https)))) {
        abort();
    }
    apr_pool_destroy(p);
    free(text);
    return 0;
}
