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

#include "tell/question.h"

#include "apr_strings.h"

#include "module/words.h"
#include "tell/url.h"

#define USAGE "SNIVHostExplain takes ADDR:PORT [sni=NAME] [host=NAME] " \
              "[path=/PATH] [http=1.0|1.1] [format=text|json], as in " \
              "SNIVHostExplain 192.0.2.1:443 sni=www.example.com " \
              "host=www.example.com, or a URL, as in " \
              "SNIVHostExplain https://www.example.com/"

/* Bytes are asked for as they are written, but not where a client that is
 * given this name sends another one. */
static const char *not_ascii(apr_pool_t *p, const char *key,
                             const char *value)
{
    const char *ascii;
    const char *err = sniv_url_ascii_host(&ascii, value, p);

    return err || ascii == value ? NULL
           : apr_psprintf(p, "%s=%s: clients send this name as %s: write "
                          "%s=%s", key, value, ascii, key, ascii);
}

const char *snivhost_question_set(snivhost_question_t *q, apr_pool_t *p,
                                  const char *key, const char *value)
{
    if (sniv_url_has_controls(value)) {
        return apr_psprintf(p, "%s has a control character, which no client "
                            "can send there: remove it", key);
    }
    if (!ap_cstr_casecmp(key, "sni")) {
        if (strlen(value) > 255) {
            return "sni is longer than 255 bytes, which TLS does not allow: "
                   "the handshake fails with alert 112";
        }
        q->sni = value;
        return not_ascii(p, key, value);
    }
    else if (!ap_cstr_casecmp(key, "host")) {
        q->host = value;
        return not_ascii(p, key, value);
    }
    else if (!ap_cstr_casecmp(key, "path")) {
        if (*value != '/') {
            return apr_psprintf(p, "path=%s does not begin with a slash: "
                                "write path=/%s", value, value);
        }
        q->path = value;
    }
    else if (!ap_cstr_casecmp(key, "http")) {
        if (!strcmp(value, "1.0"))
            q->proto_num = HTTP_VERSION(1, 0);
        else if (!strcmp(value, "1.1"))
            q->proto_num = HTTP_VERSION(1, 1);
        else {
            return apr_psprintf(p, "http=%s: write http=1.0 or http=1.1, "
                                "which also covers HTTP/2", value);
        }
    }
    else if (!ap_cstr_casecmp(key, "format")) {
        if (!ap_cstr_casecmp(value, "json"))
            q->as_json = 1;
        else if (!ap_cstr_casecmp(value, "text"))
            q->as_json = 0;
        else {
            return apr_psprintf(p, "format=%s: write format=text or "
                                "format=json", value);
        }
    }
    else {
        return apr_psprintf(p, "'%s=' is not known. " USAGE, key);
    }
    return NULL;
}

/* What a browser sends that is given this URL. */
static const char *set_url(snivhost_question_t *q, apr_pool_t *p,
                           const char *text)
{
    sniv_url_t url;
    const char *err = sniv_url_parse(&url, text, p);

    if (err)
        return err;
    q->sni = url.sni;
    q->host = url.host;
    q->path = url.path;
    if (!q->local)
        q->port = url.port;
    return NULL;
}

const char *snivhost_question_parse(snivhost_question_t *q, apr_pool_t *p,
                                    const char *words)
{
    const char *err;

    memset(q, 0, sizeof(*q));
    q->path = "/";
    while (*words) {
        char *word = ap_getword_conf(p, &words);
        char *equals = ap_strchr(word, '=');

        if (!*word)
            continue;
        if (sniv_url_has_controls(word)) {
            return "it has a control character, which no client can send: "
                   "remove it. " USAGE;
        }
        if (ap_strstr_c(word, "://")
            && (!equals || ap_strstr_c(word, "://") < equals)) {
            err = set_url(q, p, word);
        }
        else if (equals) {
            *equals++ = '\0';
            err = snivhost_question_set(q, p, word, equals);
        }
        else if (q->local) {
            err = apr_psprintf(p, "'%s' is one word too many. " USAGE, word);
        }
        else {
            err = snivhost_question_address(q, p, word);
        }
        if (err)
            return err;
    }
    return q->local || q->port ? NULL : "there is no address. " USAGE;
}

static const char *one_word(apr_pool_t *p, const char *key, const char *value)
{
    const char *text = apr_pstrcat(p, key, "=", value, NULL);

    return strpbrk(value, " \t\"'\\")
        ? apr_psprintf(p, " \"%s\"", ap_escape_quotes(p, text))
        : apr_pstrcat(p, " ", text, NULL);
}

const char *snivhost_question_text(const snivhost_question_t *q,
                                   apr_pool_t *p)
{
    const char *text = snivhost_addr_text(p, &q->ip, q->port);

    if (q->sni)
        text = apr_pstrcat(p, text, one_word(p, "sni", q->sni), NULL);
    if (q->host)
        text = apr_pstrcat(p, text, one_word(p, "host", q->host), NULL);
    if (q->path && strcmp(q->path, "/"))
        text = apr_pstrcat(p, text, one_word(p, "path", q->path), NULL);
    if (q->proto_num) {
        text = apr_pstrcat(p, text, " http=",
                           q->proto_num == HTTP_VERSION(1, 0) ? "1.0" : "1.1",
                           NULL);
    }
    return text;
}

