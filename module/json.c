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

#include "module/json.h"

#include <stdlib.h>

#include "apr_strings.h"

#include "module/words.h"

json_t *snivhost_json_text(const char *text, apr_pool_t *p)
{
    const unsigned char *c;
    json_t *json;
    char *escaped, *to;

    if (!text)
        return json_null();
    json = json_string(text);
    if (json)
        return json;
    /* Not UTF-8. */
    to = escaped = apr_palloc(p, 4 * strlen(text) + 1);
    for (c = (const unsigned char *)text; *c; c++) {
        if (*c < 0x80)
            *to++ = (char)*c;
        else
            to += apr_snprintf(to, 5, "\\x%02x", *c);
    }
    *to = '\0';
    return json_string(escaped);
}

json_t *snivhost_json_texts(const char *const *texts, int n, apr_pool_t *p)
{
    json_t *list = json_array();
    int i;

    for (i = 0; i < n; i++) {
        if (texts[i])
            json_array_append_new(list, snivhost_json_text(texts[i], p));
    }
    return list;
}

json_t *snivhost_json_time(apr_time_t when)
{
    char text[APR_RFC822_DATE_LEN];
    apr_time_exp_t xt;

    apr_time_exp_gmt(&xt, when);
    apr_snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ",
                 xt.tm_year + 1900, xt.tm_mon + 1, xt.tm_mday, xt.tm_hour,
                 xt.tm_min, xt.tm_sec);
    return json_string(text);
}

json_t *snivhost_json_place(const sniv_vhost_t *v, apr_pool_t *p)
{
    const server_rec *s = v->server;

    if (!s->is_virtual || !v->file)
        return json_null();
    return snivhost_json_text(apr_psprintf(p, "%s:%u", v->file, v->line), p);
}

/* A character of two or three bytes that no terminal shall see, as UTF-8. */
static unsigned hidden(const unsigned char *c, int *len)
{
    *len = *c == 0x7f ? 1 : *c < 0xe0 ? 2 : 3;
    return *len == 1 ? *c : *len == 2 ? (*c & 0x1fu) << 6 | (c[1] & 0x3fu)
           : (*c & 0x0fu) << 12 | (c[1] & 0x3fu) << 6 | (c[2] & 0x3fu);
}

/* JSON escapes control characters below the blank; a terminal obeys some more,
 * which only occur within strings: DEL, U+0080 to U+009F, and what changes the
 * direction of text. */
static const char *without_controls(const char *text, apr_pool_t *p)
{
    const unsigned char *c = (const unsigned char *)text;
    apr_size_t n = 0;
    char *copy, *to;
    int len;

    for (; *c; c++)
        n += *c == 0x7f || (*c >= 0xc0 && !snivhost_printable_length(c));
    if (!n)
        return text;
    to = copy = apr_palloc(p, strlen(text) + 6 * n + 1);
    for (c = (const unsigned char *)text; *c; c += len) {
        if (*c == 0x7f || (*c >= 0xc0 && !snivhost_printable_length(c))) {
            const unsigned code = hidden(c, &len);

            to += apr_snprintf(to, 7, "\\u%04x", code);
        }
        else {
            *to++ = (char)*c;
            len = 1;
        }
    }
    *to = '\0';
    return copy;
}

const char *snivhost_json_dump(json_t *json, apr_pool_t *p)
{
    char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    const char *copy = apr_pstrcat(p, text ? without_controls(text, p)
                                           : "null", "\n", NULL);

    free(text);
    json_decref(json);
    return copy;
}
