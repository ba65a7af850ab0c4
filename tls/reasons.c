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


#include "tls/reasons.h"

#include <string.h>

#include "apr_strings.h"

void snivhost_reason_add(apr_array_header_t **reasons, const char *kind,
                         const char *text, const ap_directive_t *node,
                         apr_pool_t *p)
{
    snivhost_reason_t *reason;

    if (!*reasons)
        *reasons = apr_array_make(p, 1, sizeof(*reason));
    reason = apr_array_push(*reasons);
    reason->kind = kind;
    reason->text = text ? text : kind;
    reason->node = node;
}

static const char *fill(const char *text, const char *place, apr_pool_t *p)
{
    const char *mark = strstr(text, SNIVHOST_REASON_PLACE);

    return mark ? apr_pstrcat(p, apr_pstrmemdup(p, text, mark - text), place,
                              mark + strlen(SNIVHOST_REASON_PLACE), NULL)
                : apr_pstrcat(p, text, place, NULL);
}

const char *snivhost_reason_text(const snivhost_reason_t *reason,
                                 apr_pool_t *p)
{
    const ap_directive_t *node = reason->node;

    return fill(reason->text, node ? apr_psprintf(p, " (%s:%d)",
                                                  node->filename,
                                                  node->line_num) : "", p);
}

const char *snivhost_reason_phrase(const snivhost_reason_t *reason,
                                   apr_pool_t *p)
{
    return fill(reason->text, "", p);
}

const char *snivhost_reasons_text(const apr_array_header_t *reasons,
                                  apr_pool_t *p)
{
    const char *text = NULL;
    int i;

    for (i = 0; reasons && i < reasons->nelts; i++) {
        const char *one = snivhost_reason_text(
            &APR_ARRAY_IDX(reasons, i, snivhost_reason_t), p);

        text = text ? apr_pstrcat(p, text, "; ", one, NULL) : one;
    }
    return text;
}
