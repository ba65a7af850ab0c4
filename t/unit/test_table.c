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

/* sniv_table, sniv_paths and sniv_decide: who answers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <apr_general.h>

#include "choose/decide.h"
#include "choose/paths.h"

static apr_pool_t *pool;
static sniv_vhost_t main_server;
static sniv_vhost_t vhosts[16];
static sniv_addr_t addrs[16][8];
static int nvhosts;
static const sniv_table_t *table;

static sniv_ip_t ip4(const char *text)
{
    apr_sockaddr_t *sa;
    sniv_ip_t ip;

    assert_int_equal(apr_sockaddr_info_get(&sa, text, APR_UNSPEC, 80, 0,
                                           pool), APR_SUCCESS);
    assert_true(sniv_ip_from_sockaddr(&ip, sa));
    return ip;
}

static int setup(void **state)
{
    (void)state;
    apr_pool_create(&pool, NULL);
    memset(vhosts, 0, sizeof(vhosts));
    memset(&main_server, 0, sizeof(main_server));
    main_server.server_name = "main";
    nvhosts = 0;
    table = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    return 0;
}

static sniv_vhost_t *vhost(const char *name)
{
    sniv_vhost_t *v = &vhosts[nvhosts];

    v->server_name = name;
    v->addrs = addrs[nvhosts++];
    return v;
}

static void address(sniv_vhost_t *v, const char *ip, int port,
                    const char *text)
{
    sniv_addr_t *a = &addrs[v - vhosts][v->naddrs++];

    a->ip = ip4(ip);
    a->port = (apr_port_t)port;
    a->text = text;
}

static void build(void)
{
    assert_int_equal(sniv_table_build(&table, &main_server, vhosts, nvhosts,
                                      pool, pool), APR_SUCCESS);
}

static const sniv_set_t *find(const char *ip, int port)
{
    sniv_ip_t local = ip4(ip);

    return sniv_table_find(table, &local, (apr_port_t)port);
}

static const char *request(const char *ip, int port, const char *host,
                           const char *path, sniv_rule_e rule)
{
    sniv_decision_t d;

    sniv_decide_request(table, find(ip, port), host, path, &d);
    assert_string_equal(sniv_rule_name(d.rule), sniv_rule_name(rule));
    return d.vhost->server_name;
}

/* (ip,port), (ip,any), (any,port), (any,any), main server */
static void test_search_order(void **state)
{
    (void)state;
    address(vhost("any-any"), "0.0.0.0", 0, "*");
    address(vhost("any-80"), "0.0.0.0", 80, "*");
    address(vhost("ip-any"), "127.0.0.1", 0, "127.0.0.1");
    address(vhost("ip-80"), "127.0.0.1", 80, "127.0.0.1");
    build();
    assert_string_equal(request("127.0.0.1", 80, "x", "/", SNIV_RULE_IP),
                        "ip-80");
    assert_string_equal(request("127.0.0.1", 81, "x", "/", SNIV_RULE_IP),
                        "ip-any");
    assert_string_equal(request("127.0.0.2", 80, "x", "/", SNIV_RULE_IP),
                        "any-80");
    assert_string_equal(request("127.0.0.2", 81, "x", "/", SNIV_RULE_IP),
                        "any-any");
}

static void test_main_server(void **state)
{
    sniv_decision_t d;

    (void)state;
    address(vhost("a"), "127.0.0.1", 80, "127.0.0.1");
    build();
    assert_null(find("127.0.0.1", 81));
    assert_null(find("127.0.0.2", 80));
    assert_string_equal(request("127.0.0.2", 80, "a", "/", SNIV_RULE_MAIN),
                        "main");
    sniv_decide_sni(table, NULL, "a", 1, &d);
    assert_int_equal(d.rule, SNIV_RULE_MAIN);

    nvhosts = 0;
    build();
    assert_null(find("127.0.0.1", 80));
}

static void test_ipv6_and_mapped(void **state)
{
    (void)state;
    address(vhost("v4"), "127.0.0.1", 80, "127.0.0.1");
    address(vhost("v6"), "::1", 80, "::1");
    address(vhost("any6"), "::", 80, "*");
    build();
    assert_string_equal(request("::ffff:127.0.0.1", 80, NULL, "/",
                                SNIV_RULE_IP), "v4");
    assert_string_equal(request("::1", 80, NULL, "/", SNIV_RULE_IP), "v6");
    assert_string_equal(request("10.0.0.1", 80, NULL, "/", SNIV_RULE_IP),
                        "any6");
}

static void test_names(void **state)
{
    static const char *aliases[] = { "www.a.test", NULL, "B.test" };
    static const char *globs[] = { "*.a.test", NULL };
    sniv_vhost_t *v;
    sniv_decision_t d;

    (void)state;
    address(vhost("default.test"), "0.0.0.0", 80, "*");
    v = vhost("a.test");
    address(v, "0.0.0.0", 80, "*");
    v->aliases = aliases;
    v->naliases = 3;
    v->globs = globs;
    v->nglobs = 2;
    address(vhost("b.test"), "0.0.0.0", 80, "localhost");
    address(vhost("x.a.test"), "0.0.0.0", 80, "*");
    build();

#define ASK(host, rule) request("127.0.0.1", 80, host, "/", rule)
    assert_string_equal(ASK("a.test", SNIV_RULE_SERVERNAME), "a.test");
    assert_string_equal(ASK("www.a.test", SNIV_RULE_ALIAS), "a.test");
    assert_string_equal(ASK("b.test", SNIV_RULE_ALIAS), "a.test");
    /* an early glob beats a later ServerName */
    assert_string_equal(ASK("x.a.test", SNIV_RULE_GLOB), "a.test");
    assert_string_equal(ASK("x.y.a.test", SNIV_RULE_GLOB), "a.test");
    assert_string_equal(ASK("localhost", SNIV_RULE_ADDRESS_TEXT), "b.test");
    assert_string_equal(ASK("nobody", SNIV_RULE_DEFAULT), "default.test");
    assert_string_equal(ASK("", SNIV_RULE_DEFAULT), "default.test");
    assert_string_equal(ASK(NULL, SNIV_RULE_DEFAULT_NO_NAME),
                        "default.test");

    /* a handshake knows no texts */
    sniv_decide_sni(table, find("127.0.0.1", 80), "localhost", 9, &d);
    assert_int_equal(d.rule, SNIV_RULE_DEFAULT);
    sniv_decide_sni(table, find("127.0.0.1", 80), "WWW.a.test.", 10, &d);
    assert_int_equal(d.rule, SNIV_RULE_ALIAS);
    assert_string_equal(d.pattern, "www.a.test");
    sniv_decide_sni(table, find("127.0.0.1", 80), "www.a.test.", 11, &d);
    assert_int_equal(d.rule, SNIV_RULE_DEFAULT);
    sniv_decide_sni(table, find("127.0.0.1", 80), NULL, 0, &d);
    assert_int_equal(d.rule, SNIV_RULE_DEFAULT_NO_NAME);
}

/* Whether a set is name-based is counted as core counts. */
static void test_same_address_twice(void **state)
{
    sniv_vhost_t *v;

    (void)state;
    v = vhost("star");                      /* `*` has an IPv4 and an IPv6 */
    address(v, "0.0.0.0", 80, "*");
    address(v, "::", 80, "*");
    v = vhost("explicit");
    address(v, "127.0.0.1", 80, "127.0.0.1");
    address(v, "127.0.0.1", 80, "127.0.0.1");
    v = vhost("apart");                     /* *:81 127.0.0.1:82 *:81 */
    address(v, "0.0.0.0", 81, "*");
    address(v, "127.0.0.1", 82, "127.0.0.1");
    address(v, "0.0.0.0", 81, "_default_");
    build();
    assert_false(find("127.0.0.2", 80)->name_based);
    assert_true(find("127.0.0.1", 80)->name_based);
    assert_int_equal(find("127.0.0.1", 80)->nmembers, 1);
    assert_true(find("127.0.0.1", 81)->name_based);
    assert_false(find("127.0.0.1", 82)->name_based);
}

static void test_shared_indexes(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 3; i++) {
        sniv_vhost_t *v = vhost(i == 0 ? "a" : i == 1 ? "b" : "c");

        address(v, "127.0.0.1", 80, "127.0.0.1");
        address(v, "127.0.0.2", 80, "127.0.0.2");
        if (i < 2)
            address(v, "127.0.0.3", 80, "127.0.0.3");
    }
    build();
    assert_ptr_equal(find("127.0.0.1", 80)->names,
                     find("127.0.0.2", 80)->names);
    assert_ptr_not_equal(find("127.0.0.1", 80)->names,
                         find("127.0.0.3", 80)->names);
    assert_ptr_not_equal(find("127.0.0.1", 80)->texts,
                         find("127.0.0.2", 80)->texts);
    assert_string_equal(request("127.0.0.2", 80, "127.0.0.2", "/",
                                SNIV_RULE_ADDRESS_TEXT), "a");
}

static void test_paths(void **state)
{
    static const char *paths[] = { NULL, "/sp1/", "/sp2", "/sp1/deep/" };
    static const char *names[] = { "v0", "v1", "v2", "v3" };
    int i;

    (void)state;
    for (i = 0; i < 4; i++) {
        sniv_vhost_t *v = vhost(names[i]);

        address(v, "0.0.0.0", 80, "*");
        v->path = paths[i];
    }
    build();
#define PATH(path, rule) request("127.0.0.1", 80, NULL, path, rule)
    assert_string_equal(PATH("/sp1/", SNIV_RULE_PATH), "v1");
    assert_string_equal(PATH("/sp1/x", SNIV_RULE_PATH), "v1");
    assert_string_equal(PATH("/sp1/deep/x", SNIV_RULE_PATH), "v1");
    assert_string_equal(PATH("/sp1", SNIV_RULE_DEFAULT_NO_NAME), "v0");
    assert_string_equal(PATH("/sp2", SNIV_RULE_PATH), "v2");
    assert_string_equal(PATH("/sp2/x", SNIV_RULE_PATH), "v2");
    assert_string_equal(PATH("/sp2x", SNIV_RULE_DEFAULT_NO_NAME), "v0");
    assert_string_equal(PATH("/SP2", SNIV_RULE_DEFAULT_NO_NAME), "v0");
    assert_string_equal(PATH("", SNIV_RULE_DEFAULT_NO_NAME), "v0");
    assert_string_equal(PATH("*", SNIV_RULE_DEFAULT_NO_NAME), "v0");
    /* an unknown host never uses ServerPath */
    assert_string_equal(request("127.0.0.1", 80, "x", "/sp1/",
                                SNIV_RULE_DEFAULT), "v0");
}

/* The index agrees with the rule applied to one path after the other. */
static void test_paths_random(void **state)
{
    static const char letters[] = "a/";
    sniv_path_t list[20];
    char text[20][8], uri[12];
    unsigned int seed = 1;
    int round, i, j, n;

#define RANDOM(limit) ((seed = seed * 1103515245 + 12345) >> 16) % (limit)
    (void)state;
    for (round = 0; round < 2000; round++) {
        const sniv_paths_t *paths;
        const sniv_path_t *found;

        n = 1 + RANDOM(19);
        for (i = 0; i < n; i++) {
            int length = RANDOM(7);

            text[i][0] = '/';
            for (j = 1; j <= length; j++)
                text[i][j] = letters[RANDOM(2)];
            text[i][j] = '\0';
            list[i].path = text[i];
            list[i].value = i;
        }
        paths = sniv_paths_build(list, n, pool);
        for (j = 0; j < 20; j++) {
            int length = RANDOM(11);

            for (i = 0; i < length; i++)
                uri[i] = letters[RANDOM(2)];
            uri[i] = '\0';
            for (i = 0; i < n && !sniv_path_matches(text[i], uri); i++)
                ;
            found = sniv_paths_find(paths, uri);
            if (i == n)
                assert_null(found);
            else
                assert_int_equal(found->value, i);
        }
    }
}

static int knows(const sniv_set_t *set, int is_sni, const char *name)
{
    sniv_decision_t d;

    if (is_sni) {
        sniv_decide_sni(table, set, name, strlen(name), &d);
        return d.is_known;
    }
    sniv_decide_request(table, set, name, "/", &d);
    return sniv_decide_knows(table, &d, name);
}

/* Whether a name is known can be asked where names choose nothing. */
static void test_knows(void **state)
{
    static const char *globs[] = { "*.one.test" };
    sniv_vhost_t *v;

    (void)state;
    v = vhost("one.test");
    address(v, "127.0.0.1", 80, "localhost");
    v->globs = globs;
    v->nglobs = 1;
    build();
#define KNOWS(ip, is_sni, name) knows(find(ip, 80), is_sni, name)
    assert_false(find("127.0.0.1", 80)->name_based);
    assert_true(KNOWS("127.0.0.1", 1, "ONE.test"));
    assert_true(KNOWS("127.0.0.1", 0, "x.one.test"));
    assert_true(KNOWS("127.0.0.1", 0, "localhost"));
    assert_false(KNOWS("127.0.0.1", 1, "localhost"));
    assert_false(KNOWS("127.0.0.1", 0, "main"));
    assert_true(KNOWS("127.0.0.2", 0, "main"));
    assert_false(KNOWS("127.0.0.2", 0, "one.test"));
}

/* The texts for "any" address choose, as in httpd, and are no names. */
static void test_text_knows(void **state)
{
    (void)state;
    address(vhost("one.test"), "0.0.0.0", 80, "_default_");
    address(vhost("two.test"), "0.0.0.0", 80, "*");
    address(vhost("three.test"), "127.0.0.3", 80, "127.0.0.3");
    address(vhost("four.test"), "127.0.0.3", 80, "localhost");
    build();
    assert_string_equal(request("127.0.0.1", 80, "*", "/",
                                SNIV_RULE_ADDRESS_TEXT), "two.test");
    assert_false(KNOWS("127.0.0.1", 0, "*"));
    assert_false(KNOWS("127.0.0.1", 0, "_default_"));
    assert_true(KNOWS("127.0.0.1", 0, "two.test"));
    assert_true(KNOWS("127.0.0.3", 0, "127.0.0.3"));
    assert_true(KNOWS("127.0.0.3", 0, "localhost"));
    assert_false(KNOWS("127.0.0.3", 1, "localhost"));
    assert_false(KNOWS("127.0.0.3", 0, "_default_"));
}

typedef struct seen_t {
    char text[256];
} seen_t;

static int note(void *baton, const sniv_decision_t *d)
{
    seen_t *seen = baton;

    strcat(seen->text, d->vhost->server_name);
    strcat(seen->text, ":");
    strcat(seen->text, sniv_rule_name(d->rule));
    strcat(seen->text, " ");
    return 0;
}

static void test_each(void **state)
{
    static const char *globs[] = { "*.test", "a*" };
    sniv_vhost_t *v;
    seen_t seen = { "" };

    (void)state;
    address(vhost("v0"), "0.0.0.0", 80, "a.test");
    v = vhost("v1");
    address(v, "0.0.0.0", 80, "*");
    v->globs = globs;
    v->nglobs = 2;
    address(vhost("a.test"), "0.0.0.0", 80, "a.test");
    build();
    sniv_decide_each(table, find("127.0.0.1", 80), 0, "a.test", "/", note,
                     &seen, pool);
    assert_string_equal(seen.text, "v1:glob a.test:servername "
                                   "v0:address-text ");
    seen.text[0] = '\0';
    sniv_decide_each(table, find("127.0.0.1", 80), 1, "a.test", NULL, note,
                     &seen, pool);
    assert_string_equal(seen.text, "v1:glob a.test:servername v0:default ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_search_order),
        TEST(test_main_server),
        TEST(test_ipv6_and_mapped),
        TEST(test_names),
        TEST(test_same_address_twice),
        TEST(test_shared_indexes),
        TEST(test_paths),
        TEST(test_paths_random),
        TEST(test_knows),
        TEST(test_text_knows),
        TEST(test_each),
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests_name("table", tests, NULL, NULL);
    apr_terminate();
    return failed;
}
