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

#include <arpa/inet.h>

#include "apr_strings.h"
#include "ap_listen.h"

#include "module/words.h"
#include "tell/url.h"

#define USAGE "SNIVHostExplain takes ADDR:PORT [sni=NAME] [host=NAME] " \
              "[path=/PATH] [http=1.0|1.1] [format=text|json], as in " \
              "SNIVHostExplain 192.0.2.1:443 sni=www.example.com " \
              "host=www.example.com, or a URL, as in " \
              "SNIVHostExplain https://www.example.com/"

const char *snivhost_question_address(snivhost_question_t *q, apr_pool_t *p,
                                      const char *text)
{
    char *host = NULL, *zone = NULL;
    apr_port_t port = 0;
    struct in6_addr bits;
    int is_ip;

    if (apr_parse_addr_port(&host, &zone, &port, text, p) != APR_SUCCESS
        || !host || !*host) {
        return apr_psprintf(p, "'%s' is not an address and a port: write the "
                            "local address of the connection, as in "
                            "192.0.2.1:443 or [2001:db8::1]:443", text);
    }
    if (!port) {
        return apr_psprintf(p, "'%s' has no port: write %s:443, say", text,
                            text);
    }
    is_ip = inet_pton(AF_INET, host, &bits) == 1
            || inet_pton(AF_INET6, host, &bits) == 1;
    if (!strcmp(host, "*")) {
        return apr_psprintf(p, "'%s' is not the address of a connection: "
                            "write one that this server is reached at, as in "
                            "192.0.2.1:%u or 127.0.0.1:%u", text, port, port);
    }
    if (strspn(host, "0123456789.") != strlen(host)
        && !ap_strchr(host, ':')) {
        return apr_psprintf(p, "'%s' is a name: virtual hosts are chosen by "
                            "the IP address that the connection comes to, so "
                            "write that, and host=%s for the name", text,
                            host);
    }
    if (zone)
        host = apr_pstrcat(p, host, "%", zone, NULL);
    if (!is_ip      /* or the resolver would be asked */
        || apr_sockaddr_info_get(&q->local, host, APR_UNSPEC, port, 0, p)
           != APR_SUCCESS) {
        return apr_psprintf(p, "'%s' is not an IP address: write one such as "
                            "192.0.2.1:%u or [2001:db8::1]:%u", text, port,
                            port);
    }
    sniv_ip_from_sockaddr(&q->ip, q->local);
    if (sniv_ip_is_any(&q->ip)) {
        return apr_psprintf(p, "'%s' stands for all addresses: write one "
                            "that connections come to", text);
    }
    q->port = port;
    return NULL;
}

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
                            "can send there: leave it out", key);
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
                                "which stands for HTTP/2 as well", value);
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

/* An address that comes to this set, if there is one. */
static const char *address_to(const sniv_set_t *set,
                              const sniv_table_t *table, apr_port_t port,
                              apr_pool_t *p)
{
    static const char *const likely[] = { "127.0.0.1", "::1", "192.0.2.1",
                                          "2001:db8::1" };
    snivhost_question_t q;
    const ap_listen_rec *lr;
    size_t i;

    if (set && set->port && set->port != port)
        return NULL;
    if (set && !sniv_ip_is_any(&set->ip)) {
        return sniv_table_find(table, &set->ip, port) == set
               ? snivhost_addr_text(p, &set->ip, port) : NULL;
    }
    for (lr = ap_listeners; lr; lr = lr->next) {
        if (lr->bind_addr && lr->bind_addr->port == port
            && sniv_ip_from_sockaddr(&q.ip, lr->bind_addr)
            && !sniv_ip_is_any(&q.ip)
            && sniv_table_find(table, &q.ip, port) == set) {
            return snivhost_addr_text(p, &q.ip, port);
        }
    }
    for (i = 0; i < sizeof(likely) / sizeof(*likely); i++) {
        const char *text = apr_psprintf(p, ap_strchr_c(likely[i], ':')
                                        ? "[%s]:%u" : "%s:%u", likely[i],
                                        port);

        if (!snivhost_question_address(&q, p, text)
            && sniv_table_find(table, &q.ip, port) == set) {
            return text;
        }
    }
    return NULL;
}

const apr_array_header_t *
snivhost_question_addresses(const snivhost_question_t *q,
                            const sniv_table_t *table, apr_pool_t *p)
{
    apr_array_header_t *all = apr_array_make(p, 2, sizeof(*q));
    int i;

    if (q->local) {
        APR_ARRAY_PUSH(all, snivhost_question_t) = *q;
        return all;
    }
    for (i = 0; i <= table->nsets; i++) {
        const sniv_set_t *set = i < table->nsets ? table->sets[i] : NULL;
        const char *text;
        snivhost_question_t one = *q;

        /* The main server only where nobody else has the port. */
        if (!set && all->nelts)
            break;
        text = address_to(set, table, q->port, p);
        if (!text && !set)
            text = apr_psprintf(p, "127.0.0.1:%u", q->port);
        if (text && !snivhost_question_address(&one, p, text))
            APR_ARRAY_PUSH(all, snivhost_question_t) = one;
    }
    return all;
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
            return "a control character is in it, which no client can send: "
                   "leave it out. " USAGE;
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

