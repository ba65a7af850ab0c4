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


#include "certs/storeurl.h"

#include <stdlib.h>
#include <string.h>

#include <apr_cstr.h>
#include <apr_lib.h>
#include <apr_strings.h>

int sniv_store_url_is(const char *text)
{
    return apr_cstr_casecmpn(text, "redis://", 8) == 0
           || apr_cstr_casecmpn(text, "rediss://", 9) == 0
           || apr_cstr_casecmpn(text, "valkey://", 9) == 0
           || apr_cstr_casecmpn(text, "valkeys://", 10) == 0;
}

/* A whole number, or -1. */
static int number_of(const char *text, int least, int most)
{
    char *end;
    long n = strtol(text, &end, 10);

    return apr_isdigit(*text) && !*end && n >= least && n <= most ? (int)n
                                                                  : -1;
}

static int is_printable(const char *text)
{
    while (apr_isgraph(*text)) {
        text++;
    }
    return !*text;
}

/* HOST, HOST:PORT, [HOST]:PORT */
static const char *parse_host(const char **host, int *port, char *text,
                              apr_pool_t *p)
{
    char *colon = strrchr(text, ':'), *close = strrchr(text, ']');

    if (colon && (!close || colon > close)) {
        *colon = '\0';
        *port = number_of(colon + 1, 1, 65535);
        if (*port < 0) {
            return apr_psprintf(p, "'%s' is not the number of a port",
                                colon + 1);
        }
    }
    if (*text == '[') {
        if (!close || close[1]) {
            return "the bracket of the host is not closed";
        }
        *close = '\0';
        text++;
    }
    if (*text) {
        *host = text;
    }
    return NULL;
}

static const char *parse_value(sniv_store_url_t *url, char *key, char *value,
                               apr_pool_t *p)
{
    const struct {
        const char *key;
        const char **to;
    } paths[] = {
        { "socket", &url->socket }, { "password-file", &url->password_file },
        { "copy", &url->copy }, { "program", &url->program },
        { "cacert", &url->ca_file }, { "cert", &url->cert_file },
        { "key", &url->key_file }
    };
    apr_size_t i;

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (strcmp(key, paths[i].key) == 0) {
            *paths[i].to = value;
            return *value == '/' ? NULL
                   : apr_psprintf(p, "%s takes a path that begins with /, "
                                  "not '%s'", key, value);
        }
    }
    if (strcmp(key, "timeout") == 0) {
        url->timeout = number_of(value, 1, 60);
        return url->timeout > 0 ? NULL
               : apr_psprintf(p, "timeout takes 1 to 60 seconds, not '%s'",
                              value);
    }
    if (strcmp(key, "primary") == 0) {
        url->primary_port = SNIV_STORE_PORT;
        return parse_host(&url->primary, &url->primary_port, value, p);
    }
    return apr_psprintf(p, "'%s' is not one of socket, password-file, "
                        "timeout, copy, program, primary, cacert, cert and "
                        "key", key);
}

static const char *parse_values(sniv_store_url_t *url, char *text,
                                apr_pool_t *p)
{
    const char *wrong = NULL;
    char *next, *value;

    for (; text && *text && !wrong; text = next) {
        next = strchr(text, '&');
        if (next) {
            *next++ = '\0';
        }
        value = strchr(text, '=');
        if (!value) {
            return apr_psprintf(p, "'%s' is not of the form key=value", text);
        }
        *value++ = '\0';
        wrong = parse_value(url, text, value, p);
    }
    return wrong;
}

/* TLS is for what goes over a network. */
static const char *check_tls(const sniv_store_url_t *url)
{
    if (!url->is_tls && (url->ca_file || url->cert_file || url->key_file)) {
        return "cacert, cert and key are for TLS: write rediss://";
    }
    if (url->is_tls && url->socket && !url->primary) {
        return "there is no TLS over a unix socket: write redis://";
    }
    return !url->cert_file != !url->key_file
           ? "cert and key go together" : NULL;
}

const char *sniv_store_url_parse(sniv_store_url_t *url, const char *text,
                                 apr_pool_t *p)
{
    char *copy, *values, *slash, *at;
    const char *wrong;

    memset(url, 0, sizeof(*url));
    url->host = "127.0.0.1";
    url->port = SNIV_STORE_PORT;
    url->timeout = SNIV_STORE_TIMEOUT;
    if (!is_printable(text)) {
        return "it has a blank or a control character";
    }
    if (!sniv_store_url_is(text)) {
        return "it does not begin with redis:// or rediss://";
    }
    url->is_tls = apr_cstr_casecmpn(text, "rediss://", 9) == 0
                  || apr_cstr_casecmpn(text, "valkeys://", 10) == 0;
    copy = apr_pstrdup(p, text);
    values = strchr(copy, '?');
    if (values) {
        *values++ = '\0';
    }
    url->text = apr_pstrdup(p, copy);
    copy = strstr(copy, "://") + 3;
    slash = strchr(copy, '/');
    if (!slash || !sniv_store_id_is_usable(slash + 1, strlen(slash + 1))) {
        return "after host and slash it has to have a prefix of letters, "
               "digits, dots and hyphens: redis:///sites";
    }
    *slash = '\0';
    url->prefix = slash + 1;
    at = strrchr(copy, '@');
    if (at) {
        *at++ = '\0';
        url->user = copy;
        if (strchr(copy, ':')) {
            return "it has a password, which others can read here: write it "
                   "into a file and add ?password-file=/path";
        }
        copy = at;
    }
    wrong = parse_host(&url->host, &url->port, copy, p);
    if (!wrong) {
        wrong = parse_values(url, values, p);
    }
    return wrong ? wrong : check_tls(url);
}

/* ----- names of entries */

int sniv_store_id_is_usable(const char *id, apr_size_t len)
{
    apr_size_t i;

    for (i = 0; i < len; i++) {
        if (!apr_isascii(id[i])
            || (!apr_isalnum(id[i]) && (!id[i]
                                        || !strchr("._*@+=,-", id[i])))) {
            return 0;
        }
    }
    return len > 0 && len <= SNIV_STORE_ID_MAX && id[0] != '.';
}

/* FNV-1a, of which one byte is enough */
unsigned sniv_store_shard(const char *id, apr_size_t len)
{
    apr_uint32_t hash = 2166136261u;
    apr_size_t i;

    for (i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)id[i]) * 16777619u;
    }
    return (hash ^ (hash >> 8) ^ (hash >> 16) ^ (hash >> 24)) & 0xff;
}

apr_size_t sniv_store_id_of(const char *path, const char **id)
{
    const char *base = strrchr(path, '/');
    apr_size_t len, end = strlen(SNIV_STORE_ENDING);

    base = base ? base + 1 : path;
    len = strlen(base);
    *id = base;
    if (len <= end || strcmp(base + len - end, SNIV_STORE_ENDING) != 0
        || !sniv_store_id_is_usable(base, len - end)) {
        return 0;
    }
    return len - end;
}
