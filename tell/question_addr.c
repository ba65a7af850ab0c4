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

/* The addresses of a question: one that is given, or those that a URL may
 * lead to. */

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
        return apr_psprintf(p, "'%s' has no port: write %s:443, for "
                               "example", text,
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
        return apr_psprintf(p, "'%s' means all addresses: write one that "
                            "clients connect to", text);
    }
    q->port = port;
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

        /* The main server only where no virtual host has the port. */
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
