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

#include "module/asked.h"

#include "apr_strings.h"
#include "http_core.h"

static const char *const defines[] = {
    "DUMP_SNIVHOST", "DUMP_SNIVHOST_JSON", "DUMP_SNIVHOST_LINT",
    "DUMP_SNIVHOST_LINT_JSON", "DUMP_SNIVHOST_421",
    "DUMP_SNIVHOST_EXPECT", NULL
};

void *snivhost_questions_push(apr_pool_t *pconf, int size)
{
    if (!snivhost_site.questions)
        snivhost_site.questions = apr_array_make(pconf, 1, size);
    return apr_array_push(snivhost_site.questions);
}

void snivhost_comparisons_push(apr_pool_t *pconf,
                               const apr_array_header_t *words)
{
    if (!snivhost_site.comparisons)
        snivhost_site.comparisons = apr_array_make(pconf, 1, sizeof(words));
    APR_ARRAY_PUSH(snivhost_site.comparisons,
                   const apr_array_header_t *) = words;
}

void snivhost_expected_push(apr_pool_t *pconf, const char *path)
{
    if (!snivhost_site.expected)
        snivhost_site.expected = apr_array_make(pconf, 1, sizeof(path));
    APR_ARRAY_PUSH(snivhost_site.expected, const char *) = path;
}

const char *snivhost_asked_define(void)
{
    int i;

    for (i = 0; defines[i]; i++) {
        if (ap_exists_config_define(defines[i]))
            return defines[i];
    }
    return NULL;
}

int snivhost_is_asked(void)
{
    return snivhost_site.questions || snivhost_site.comparisons
           || snivhost_site.expected
           || snivhost_asked_define();
}
