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

apr_array_header_t *snivhost_questions;
apr_array_header_t *snivhost_comparisons;
apr_array_header_t *snivhost_expected;

static const char *const defines[] = {
    "DUMP_SNIVHOST", "DUMP_SNIVHOST_JSON", "DUMP_SNIVHOST_LINT",
    "DUMP_SNIVHOST_LINT_JSON", "DUMP_SNIVHOST_421",
    "DUMP_SNIVHOST_EXPECT", NULL
};

static apr_status_t forget_questions(void *dummy)
{
    (void)dummy;
    snivhost_questions = NULL;
    snivhost_comparisons = NULL;
    snivhost_expected = NULL;
    return APR_SUCCESS;
}

static apr_array_header_t *make(apr_pool_t *pconf, int size)
{
    apr_pool_cleanup_register(pconf, NULL, forget_questions,
                              apr_pool_cleanup_null);
    return apr_array_make(pconf, 1, size);
}

void *snivhost_questions_push(apr_pool_t *pconf, int size)
{
    if (!snivhost_questions)
        snivhost_questions = make(pconf, size);
    return apr_array_push(snivhost_questions);
}

void snivhost_comparisons_push(apr_pool_t *pconf,
                               const apr_array_header_t *words)
{
    if (!snivhost_comparisons)
        snivhost_comparisons = make(pconf, sizeof(words));
    APR_ARRAY_PUSH(snivhost_comparisons, const apr_array_header_t *) = words;
}

void snivhost_expected_push(apr_pool_t *pconf, const char *path)
{
    if (!snivhost_expected)
        snivhost_expected = make(pconf, sizeof(path));
    APR_ARRAY_PUSH(snivhost_expected, const char *) = path;
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
    return snivhost_questions || snivhost_comparisons || snivhost_expected
           || snivhost_asked_define();
}
