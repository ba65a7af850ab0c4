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

#include "lint/checks.h"

#ifndef WIN32
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#endif

#include "apr_hash.h"
#include "apr_lib.h"
#include "apr_strings.h"
#include "ap_listen.h"
#include "http_core.h"

#include "module/words.h"

/*
 * Findings about addresses: virtual hosts that no connection can reach, and
 * those that share an address and should not.
 */

/* So many addresses are written out in one sentence. */
#define LISTED 4

/* A Listen line as the IP step sees it. */
typedef struct listener_t {
    sniv_ip_t ip;
    apr_port_t port;
} listener_t;

typedef struct listeners_t {
    const listener_t *elts;     /* those of any IP first */
    int nelts;
    int nany;
    apr_hash_t *by_address;     /* listener_t */
} listeners_t;

static const sniv_ip_t any_ip;

/* A key without padding between its members. */
static void *address_key(const sniv_ip_t *ip, apr_port_t port, apr_pool_t *p)
{
    listener_t *key = apr_pcalloc(p, sizeof(*key));

    memcpy(key->ip.bytes, ip->bytes, sizeof(key->ip.bytes));
    key->ip.zone = ip->zone;
    key->port = port;
    return key;
}

static int has_listener(const listeners_t *all, const sniv_ip_t *ip,
                        apr_port_t port)
{
    listener_t key;

    memset(&key, 0, sizeof(key));
    memcpy(key.ip.bytes, ip->bytes, sizeof(key.ip.bytes));
    key.ip.zone = ip->zone;
    key.port = port;
    return apr_hash_get(all->by_address, &key, sizeof(key)) != NULL;
}

/* All Listen lines, each once. `Listen 80` has an IPv4 and an IPv6 record,
 * both "any". */
static void read_listeners(listeners_t *all, apr_pool_t *p)
{
    apr_array_header_t *list = apr_array_make(p, 8, sizeof(listener_t));
    int want_any, n = 0;

    all->by_address = apr_hash_make(p);
    all->nany = 0;
    for (want_any = 1; want_any >= 0; want_any--) {
        const ap_listen_rec *lr;

        for (lr = ap_listeners; lr; lr = lr->next) {
            listener_t *key;
            sniv_ip_t ip;

            if (!lr->bind_addr || !sniv_ip_from_sockaddr(&ip, lr->bind_addr)
                || sniv_ip_is_any(&ip) != want_any
                || has_listener(all, &ip, lr->bind_addr->port)) {
                continue;
            }
            key = address_key(&ip, lr->bind_addr->port, p);
            apr_hash_set(all->by_address, key, sizeof(*key), key);
            APR_ARRAY_PUSH(list, listener_t) = *key;
            n++;
        }
        if (want_any)
            all->nany = n;
    }
    all->elts = (const listener_t *)list->elts;
    all->nelts = n;
}

/* Whether connections to a Listen line's address may come to this set, other
 * sets set aside. */
static int is_heard_by(const listener_t *l, const sniv_ip_t *ip,
                       apr_port_t port)
{
    return (!port || port == l->port)
           && (sniv_ip_is_any(ip) || sniv_ip_is_any(&l->ip)
               || sniv_ip_is_same(ip, &l->ip));
}

static int is_heard(const listeners_t *all, const sniv_ip_t *ip,
                    apr_port_t port)
{
    int i;

    if (port && !sniv_ip_is_any(ip))
        return has_listener(all, ip, port)
               || has_listener(all, &any_ip, port);
    for (i = 0; i < all->nelts; i++) {
        if (is_heard_by(&all->elts[i], ip, port))
            return 1;
    }
    return 0;
}

/*
 * Which set takes all connections of a Listen line before this one is looked
 * for; NULL if some are left. The order is that of sniv_table_find().
 */
static const sniv_set_t *taker_of(const sniv_table_t *table,
                                  const listener_t *l, const sniv_set_t *set)
{
    const sniv_set_t *taker = NULL;

    if (!sniv_ip_is_any(&set->ip))
        return set->port ? NULL : sniv_table_get(table, &set->ip, l->port);
    if (!sniv_ip_is_any(&l->ip)) {
        taker = sniv_table_get(table, &l->ip, l->port);
        if (!taker)
            taker = sniv_table_get(table, &l->ip, 0);
    }
    if (!taker && !set->port)
        taker = sniv_table_get(table, &any_ip, l->port);
    return taker;
}

/* The set that takes a reachable-looking set's last connections; NULL if it
 * can be reached. */
static const sniv_set_t *find_taker(const sniv_table_t *table,
                                    const listeners_t *all,
                                    const sniv_set_t *set)
{
    const sniv_set_t *taker = NULL;
    int i;

    if (set->port && !sniv_ip_is_any(&set->ip))
        return NULL;
    for (i = 0; i < all->nelts; i++) {
        if (is_heard_by(&all->elts[i], &set->ip, set->port)) {
            const sniv_set_t *one = taker_of(table, &all->elts[i], set);

            if (!one)
                return NULL;
            if (!taker)
                taker = one;
        }
    }
    return taker;
}

/* Another address of the same word of <VirtualHost> is heard: a host name
 * has several, and not all of them need a Listen line. */
static int is_heard_otherwise(const listeners_t *all, const sniv_vhost_t *v,
                              const sniv_set_t *set)
{
    const char *text = NULL;
    int i;

    for (i = 0; i < v->naddrs; i++) {
        if (v->addrs[i].port == set->port
            && sniv_ip_is_same(&v->addrs[i].ip, &set->ip)) {
            text = v->addrs[i].text;
        }
    }
    for (i = 0; text && i < v->naddrs; i++) {
        if (v->addrs[i].text && v->addrs[i].port == set->port
            && !strcmp(v->addrs[i].text, text)
            && is_heard(all, &v->addrs[i].ip, v->addrs[i].port)) {
            return 1;
        }
    }
    return 0;
}

static const char *listeners_text(const listeners_t *all, apr_pool_t *p)
{
    const char *text = "";
    int i;

    for (i = 0; i < all->nelts && i < LISTED; i++) {
        text = apr_pstrcat(p, text, i ? ", " : "",
                           snivhost_addr_text(p, &all->elts[i].ip,
                                              all->elts[i].port), NULL);
    }
    return all->nelts > LISTED
           ? apr_psprintf(p, "%s and %d more", text, all->nelts - LISTED)
           : text;
}

static const char *and_more(int n, apr_pool_t *p)
{
    return n > 1 ? apr_psprintf(p, " (and %d more there)", n - 1) : "";
}

static void tell_not_heard(snivhost_lint_t *lint, const listeners_t *all,
                           const sniv_set_t *set)
{
    const sniv_vhost_t *first = NULL;
    const char *text = snivhost_set_text(lint->ptemp, set);
    int m, n = 0;

    for (m = 0; m < set->nmembers; m++) {
        if (!is_heard_otherwise(all, set->members[m], set)) {
            first = first ? first : set->members[m];
            n++;
        }
    }
    if (!first)
        return;
    snivhost_lint_add(lint, SNIVHOST_LINT_NOT_LISTENED, first, NULL,
                      "nothing listens on %s, so %s%s is not reached there. "
                      "%s, or write an address that has one; Listen lines are "
                      "for: %s", text, first->server_name,
                      and_more(n, lint->ptemp),
                      set->port ? apr_psprintf(lint->ptemp, "Add 'Listen %s'",
                                               sniv_ip_is_any(&set->ip)
                                                   ? text + 2 : text)
                                : "Add a Listen line for it",
                      listeners_text(all, lint->ptemp));
}

static int is_elsewhere(const sniv_table_t *table, const sniv_vhost_t *v,
                        const sniv_set_t *set)
{
    int i;

    for (i = 0; i < v->naddrs; i++) {
        if (sniv_table_get(table, &v->addrs[i].ip, v->addrs[i].port) != set)
            return 1;
    }
    return 0;
}

/* Members that have another address may be reached there. */
static void tell_unreachable(snivhost_lint_t *lint, const sniv_set_t *set,
                             const sniv_set_t *taker)
{
    const sniv_vhost_t *first = NULL;
    int m, n = 0;

    for (m = 0; m < set->nmembers; m++) {
        if (!is_elsewhere(lint->table, set->members[m], set)) {
            first = first ? first : set->members[m];
            n++;
        }
    }
    if (!first)
        return;
    snivhost_lint_add(lint, SNIVHOST_LINT_UNREACHABLE, first, NULL,
                      "%s%s on %s is never reached: %s, the address of %s, is "
                      "more precise and takes all connections. Write the same "
                      "address in both", first->server_name,
                      and_more(n, lint->ptemp),
                      snivhost_set_text(lint->ptemp, set),
                      snivhost_set_text(lint->ptemp, taker),
                      snivhost_vhost_text(lint->ptemp, taker->members[0]));
}

/* ----- what this machine's interfaces say ----- */

#ifndef WIN32
/* Addresses by which others reach this machine. */
static apr_array_header_t *own_addresses(apr_pool_t *p)
{
    apr_array_header_t *list = apr_array_make(p, 4, sizeof(sniv_ip_t));
    struct ifaddrs *all, *one;

    if (getifaddrs(&all))
        return list;
    for (one = all; one; one = one->ifa_next) {
        sniv_ip_t *ip;

        if (!one->ifa_addr || (one->ifa_flags & IFF_LOOPBACK))
            continue;
        if (one->ifa_addr->sa_family == AF_INET) {
            const struct sockaddr_in *sin = (void *)one->ifa_addr;

            ip = apr_array_push(list);
            sniv_ip_from_v4(ip, &sin->sin_addr);
        }
        else if (one->ifa_addr->sa_family == AF_INET6) {
            const struct sockaddr_in6 *sin6 = (void *)one->ifa_addr;

            if (IN6_IS_ADDR_LINKLOCAL(&sin6->sin6_addr))
                continue;
            ip = apr_array_push(list);
            memset(ip, 0, sizeof(*ip));
            memcpy(ip->bytes, &sin6->sin6_addr, 16);
        }
    }
    freeifaddrs(all);
    return list;
}
#else
static apr_array_header_t *own_addresses(apr_pool_t *p)
{
    return apr_array_make(p, 1, sizeof(sniv_ip_t));
}
#endif

static const sniv_set_t *explicit_set(const sniv_table_t *table,
                                      const sniv_ip_t *ip, apr_port_t port)
{
    const sniv_set_t *set = sniv_table_get(table, ip, port);

    return set ? set : sniv_table_get(table, ip, 0);
}

/* Whether a virtual host has this port on an explicit IP too. */
static int has_explicit(const sniv_vhost_t *v, apr_port_t port)
{
    int i;

    for (i = 0; i < v->naddrs; i++) {
        if (!sniv_ip_is_any(&v->addrs[i].ip)
            && (!v->addrs[i].port || v->addrs[i].port == port)) {
            return 1;
        }
    }
    return 0;
}

/*
 * A set `*:port` next to sets with an IP: one virtual host there is a
 * catch-all and may be meant; several with names of their own, of which not
 * one is reached by any address of this machine, are not.
 */
static void look_at_any(snivhost_lint_t *lint, const sniv_set_t *set,
                        const apr_array_header_t *own)
{
    const sniv_set_t *hiding[2] = { NULL, NULL };   /* by IPv4, by IPv6 */
    const sniv_vhost_t *first = NULL;
    int total[2] = { 0, 0 }, taken[2] = { 0, 0 };
    int i, m, n = 0;

    for (i = 0; i < own->nelts; i++) {
        const sniv_ip_t *ip = &APR_ARRAY_IDX(own, i, sniv_ip_t);
        const sniv_set_t *other = explicit_set(lint->table, ip, set->port);
        int family = !sniv_ip_is_v4(ip);

        total[family]++;
        if (other) {
            taken[family]++;
            hiding[family] = hiding[family] ? hiding[family] : other;
        }
    }
    for (m = 0; m < set->nmembers; m++) {
        const sniv_vhost_t *v = set->members[m];

        if (!has_explicit(v, set->port)
            && !snivhost_lint_is_nameless(lint, v)) {
            first = first ? first : v;
            n++;
        }
    }
    for (i = 0; n > 1 && i < 2; i++) {
        if (taken[i] && taken[i] == total[i]) {
            const sniv_set_t *other = hiding[i];

            snivhost_lint_add(lint, SNIVHOST_LINT_HIDDEN_HERE, first, NULL,
                              "%s%s on %s is not reached by any %s address of "
                              "this machine: %s is taken by %s, and an "
                              "explicit address takes precedence over '*'. "
                              "Write the same address in all of them",
                              first->server_name, and_more(n, lint->ptemp),
                              snivhost_set_text(lint->ptemp, set),
                              i ? "IPv6" : "IPv4",
                              snivhost_set_text(lint->ptemp, other),
                              snivhost_vhost_text(lint->ptemp,
                                                  other->members[0]));
            return;
        }
    }
}

/* The same where some connections are left (a note only). */
static void note_partly(snivhost_lint_t *lint, const listeners_t *all,
                        const sniv_set_t *set)
{
    const sniv_vhost_t *v = set->members[0];
    const sniv_set_t *other = NULL;
    int i, nothers = 0;

    for (i = 0; i < lint->table->nsets; i++) {
        const sniv_set_t *one = lint->table->sets[i];

        if (!sniv_ip_is_any(&one->ip) && (!one->port || one->port == set->port)
            && is_heard(all, &one->ip, set->port)) {
            other = other ? other : one;
            nothers++;
        }
    }
    if (!other)
        return;
    snivhost_lint_add(lint, SNIVHOST_LINT_HIDDEN_PARTLY, v, NULL,
                      "virtual hosts of %s cannot be reached through %s%s: "
                      "there %s %s. If that is not intended, write the same "
                      "address in all of "
                      "them", snivhost_set_text(lint->ptemp, set),
                      snivhost_set_text(lint->ptemp, other),
                      nothers == 2 ? " and 1 other address" : nothers > 2
                      ? apr_psprintf(lint->ptemp, " and %d other addresses",
                                     nothers - 1) : "",
                      snivhost_vhost_text(lint->ptemp, other->members[0]),
                      other->name_based ? "is the default"
                                        : "answers for every name");
}

/* ----- TLS and plain in one set ----- */

static void look_at_tls(snivhost_lint_t *lint, const sniv_set_t *set)
{
    const sniv_vhost_t *first = set->members[0], *odd = NULL;
    int m, n = 0, with = snivhost_lint_is_tls(lint, first);

    for (m = 1; m < set->nmembers && with >= 0; m++) {
        int here = snivhost_lint_is_tls(lint, set->members[m]);

        if (here >= 0 && here != with) {
            odd = odd ? odd : set->members[m];
            n++;
        }
    }
    if (!odd)
        return;
    snivhost_lint_add(lint, SNIVHOST_LINT_MIXED, odd,
                      snivhost_lint_directive(lint, odd, "SSLEngine"),
                      "%s%s has %sTLS, but %s, the first virtual host of %s, "
                      "has %s, and it starts every connection: %s. Write "
                      "'SSLEngine on' in %s one too, or use another port",
                      odd->server_name,
                      n > 1 ? apr_psprintf(lint->ptemp, " (and %d more)",
                                           n - 1) : "",
                      with ? "no " : "",
                      snivhost_vhost_text(lint->ptemp, first),
                      snivhost_set_text(lint->ptemp, set),
                      with ? "TLS" : "none",
                      with ? "this one is reached with TLS only, under the "
                             "other one's certificate"
                           : "this one is served without encryption, and "
                             "https does not work",
                      with ? "this" : "that");
}

/* ----- what is written in <VirtualHost ...> ----- */

/* A host name, as opposed to an IP address or `*`. localhost is in every
 * hosts file. */
static int is_host_name(const char *text)
{
    if (!text || !strcmp(text, "*") || !ap_cstr_casecmp(text, "_default_")
        || !ap_cstr_casecmp(text, "localhost") || ap_strchr_c(text, ':')) {
        return 0;
    }
    return text[strspn(text, "0123456789.")] != '\0';
}

static void look_at_words(snivhost_lint_t *lint, const sniv_vhost_t *v)
{
    const ap_directive_t *node;
    int i;

    for (i = 0; i < v->naddrs; i++) {
        if (is_host_name(v->addrs[i].text)) {
            snivhost_lint_add(lint, SNIVHOST_LINT_HOST_ADDRESS, v, NULL,
                              "'%s' in <VirtualHost> is a host name: httpd "
                              "looks it up in the DNS at each start (now: "
                              "%s), and without an answer the virtual host is "
                              "lost. Write '*' or the IP address here, and "
                              "the name in ServerName",
                              v->addrs[i].text,
                              snivhost_addr_text(lint->ptemp,
                                                 &v->addrs[i].ip,
                                                 v->addrs[i].port));
            return;
        }
    }
    node = snivhost_lint_node(lint, v);
    if (!v->naddrs && node) {
        apr_size_t len = strlen(node->args);

        if (len && node->args[len - 1] == '>')
            len--;
        snivhost_lint_add(lint, SNIVHOST_LINT_HOST_ADDRESS, v, NULL,
                          "the DNS has no address for '%.*s', so this virtual "
                          "host never answers. Write '*' or the IP address "
                          "here, and the name in ServerName",
                          (int)len, node->args);
    }
}

void snivhost_lint_addresses(snivhost_lint_t *lint)
{
    const sniv_table_t *table = lint->table;
    const sniv_set_t *taker;
    apr_array_header_t *own = NULL;
    listeners_t all;
    int i;

    read_listeners(&all, lint->ptemp);
    for (i = 0; i < table->nsets; i++) {
        const sniv_set_t *set = table->sets[i];

        look_at_tls(lint, set);
        if (!all.nelts)
            continue;           /* no Listen lines known */
        if (!is_heard(&all, &set->ip, set->port)) {
            tell_not_heard(lint, &all, set);
        }
        else if ((taker = find_taker(table, &all, set)) != NULL) {
            tell_unreachable(lint, set, taker);
        }
        else if (sniv_ip_is_any(&set->ip) && set->port) {
            own = own ? own : own_addresses(lint->ptemp);
            look_at_any(lint, set, own);
            if (lint->with_notes)
                note_partly(lint, &all, set);
        }
    }
    for (i = 0; i < table->nvhosts; i++)
        look_at_words(lint, &table->vhosts[i]);
}
