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

/* sniv_hello: which name a ClientHello asks for. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "choose/hello.h"

static unsigned char msg[70000];
static size_t len;

static void put(const void *bytes, size_t n)
{
    memcpy(msg + len, bytes, n);
    len += n;
}

static void put_number(size_t value, int bytes)
{
    while (bytes-- > 0)
        msg[len++] = (unsigned char)(value >> (8 * bytes));
}

/* A ClientHello with these extensions; NULL: without the field. */
static void make_hello(const void *exts, size_t exts_len)
{
    size_t body;

    len = 0;
    put_number(1, 1);
    put_number(0, 3);
    put_number(0x0303, 2);
    memset(msg + len, 7, 32);
    len += 32;
    put_number(0, 1);                   /* session id */
    put_number(2, 2);                   /* cipher suites */
    put_number(0x1301, 2);
    put_number(1, 1);                   /* compression */
    put_number(0, 1);
    if (exts) {
        put_number(exts_len, 2);
        put(exts, exts_len);
    }
    body = len - 4;
    msg[1] = (unsigned char)(body >> 16);
    msg[2] = (unsigned char)(body >> 8);
    msg[3] = (unsigned char)body;
}

#define HELLO(exts) make_hello(exts, sizeof(exts) - 1)

static sniv_hello_e ask(const char **name, size_t *name_len)
{
    /* On the heap and to the byte, so that a read past the end is seen. */
    unsigned char *copy = malloc(len ? len : 1);
    static char kept[70000];
    sniv_hello_e rv;
    const char *found = NULL;
    apr_size_t found_len = 0;

    memcpy(copy, msg, len);
    rv = sniv_hello_server_name(copy, len, &found, &found_len);
    if (rv == SNIV_HELLO_NAME) {
        memcpy(kept, found, found_len);
        kept[found_len] = '\0';
        *name = kept;
        *name_len = found_len;
    }
    free(copy);
    return rv;
}

static void assert_name(const char *expected)
{
    const char *name = NULL;
    size_t n = 0;

    assert_int_equal(ask(&name, &n), SNIV_HELLO_NAME);
    assert_int_equal(n, strlen(expected));
    assert_string_equal(name, expected);
}

static void assert_none(sniv_hello_e expected)
{
    const char *name;
    size_t n;

    assert_int_equal(ask(&name, &n), expected);
}

static void test_name(void **state)
{
    (void)state;
    HELLO("\0\0\0\x09\0\x07\0\0\x04" "a.bc");
    assert_name("a.bc");
    /* behind GREASE and encrypted_client_hello */
    HELLO("\x0a\x0a\0\0" "\xfe\x0d\0\x03xyz" "\0\0\0\x06\0\x04\0\0\x01" "A"
          "\x1a\x1a\0\x01\0");
    assert_name("A");
}

static void test_nul_ends_name(void **state)
{
    (void)state;
    HELLO("\0\0\0\x08\0\x06\0\0\x03" "a\0b");
    assert_name("a");
    HELLO("\0\0\0\x06\0\x04\0\0\x01" "\0");
    assert_name("");
}

static void test_no_sni(void **state)
{
    (void)state;
    make_hello(NULL, 0);
    assert_none(SNIV_HELLO_NO_SNI);
    HELLO("");
    assert_none(SNIV_HELLO_NO_SNI);
    HELLO("\0\x0a\0\0");
    assert_none(SNIV_HELLO_NO_SNI);
}

/* What mod_ssl's callback gives up on. */
static void test_malformed(void **state)
{
    (void)state;
    HELLO("\0\0\0\0");                                  /* empty */
    assert_none(SNIV_HELLO_MALFORMED);
    HELLO("\0\0\0\x02\0\0");                            /* empty list */
    assert_none(SNIV_HELLO_MALFORMED);
    HELLO("\0\0\0\x05\0\x03\0\0\0");                    /* empty name */
    assert_none(SNIV_HELLO_MALFORMED);
    HELLO("\0\0\0\x06\0\x04\x01\0\x01" "a");            /* another type */
    assert_none(SNIV_HELLO_MALFORMED);
    HELLO("\0\0\0\x0a\0\x08\0\0\x01" "a\0\0\x01" "b");  /* two names */
    assert_none(SNIV_HELLO_MALFORMED);
    HELLO("\0\0\0\x07\0\x04\0\0\x01" "ab");             /* trailing byte */
    assert_none(SNIV_HELLO_MALFORMED);
    HELLO("\0\0\0\x06\0\x04\0\0\x09" "a");              /* name too long */
    assert_none(SNIV_HELLO_MALFORMED);
    HELLO("\0\0\0\x06\0\x09\0\0\x01" "a");              /* list too long */
    assert_none(SNIV_HELLO_MALFORMED);
}

static void test_not_hello(void **state)
{
    size_t whole, i;

    (void)state;
    HELLO("\0\0\0\x09\0\x07\0\0\x04" "a.bc");
    whole = len;
    for (i = 0; i < whole; i++) {       /* cut off anywhere */
        len = i;
        assert_none(SNIV_HELLO_NOT_HELLO);
    }
    len = whole;
    msg[len++] = 0;                     /* and one byte more */
    assert_none(SNIV_HELLO_NOT_HELLO);
    len = whole;
    msg[0] = 2;
    assert_none(SNIV_HELLO_NOT_HELLO);
    HELLO("\0\x0a\0\x09" "a");          /* an extension beyond the end */
    assert_none(SNIV_HELLO_NOT_HELLO);
}

static void test_long_name(void **state)
{
    static unsigned char ext[66000];
    const char *name;
    size_t n = 65000, got;

    (void)state;
    memset(ext, 'a', sizeof(ext));
    memcpy(ext, "\0\0", 2);
    ext[2] = (unsigned char)((n + 5) >> 8);
    ext[3] = (unsigned char)(n + 5);
    ext[4] = (unsigned char)((n + 3) >> 8);
    ext[5] = (unsigned char)(n + 3);
    ext[6] = 0;
    ext[7] = (unsigned char)(n >> 8);
    ext[8] = (unsigned char)n;
    make_hello(ext, n + 9);
    assert_int_equal(ask(&name, &got), SNIV_HELLO_NAME);
    assert_int_equal(got, n);
}

static void test_offers_only(void **state)
{
    (void)state;
#define ONLY(proto) sniv_hello_offers_only(msg, len, proto)
    HELLO("\0\x0a\0\0" "\0\x10\0\x0d\0\x0b\x0a" "acme-tls/1");
    assert_true(ONLY("acme-tls/1"));
    assert_false(ONLY("acme-tls/"));
    HELLO("\0\x10\0\x05\0\x03\x02" "h2");
    assert_false(ONLY("acme-tls/1"));
    assert_true(ONLY("h2"));
    HELLO("\0\x10\0\x08\0\x06\x02" "h2\x02" "h3");
    assert_false(ONLY("h2"));
    HELLO("\0\x10\0\x05\0\x03\x09" "h2");
    assert_false(ONLY("h2"));
    HELLO("");
    assert_false(ONLY("h2"));
    make_hello(NULL, 0);
    assert_false(ONLY("h2"));
}

static void test_extension_alone(void **state)
{
    static const unsigned char sni[] = "\0\x07\0\0\x04" "a.bc";
    static const unsigned char alpn[] = "\0\x03\x02" "h2";
    const char *name = NULL;
    apr_size_t n = 0, i;

    (void)state;
#define IN(cut) sniv_hello_server_name_in(sni, (cut), &name, &n)
    assert_int_equal(IN(sizeof(sni) - 1), SNIV_HELLO_NAME);
    assert_int_equal(n, 4);
    assert_memory_equal(name, "a.bc", 4);
    for (i = 0; i < sizeof(sni) - 1; i++)
        assert_int_equal(IN(i), SNIV_HELLO_MALFORMED);
    assert_true(sniv_hello_offers_only_in(alpn, sizeof(alpn) - 1, "h2"));
    assert_false(sniv_hello_offers_only_in(alpn, sizeof(alpn) - 1, "h3"));
    assert_false(sniv_hello_offers_only_in(alpn, sizeof(alpn) - 2, "h2"));
    assert_false(sniv_hello_offers_only_in(alpn, 0, "h2"));
}

/* Outer is what cannot be ruled out. */
static void test_may_be_outer(void **state)
{
    size_t whole, i;

    (void)state;
#define OUTER() sniv_hello_may_be_outer(msg, len)
    HELLO("\0\0\0\x06\0\x04\0\0\x01" "A" "\xfe\x0d\0\x03xyz");
    assert_true(OUTER());
    HELLO("\xfe\x0d\0\0");
    assert_true(OUTER());
    HELLO("\xfe\x0c\0\x04\xfe\x0d\0\0");      /* only its content */
    assert_false(OUTER());
    HELLO("\x0d\xfe\0\0");
    assert_false(OUTER());
    HELLO("");
    assert_false(OUTER());
    make_hello(NULL, 0);
    assert_false(OUTER());
    HELLO("\0\x0a\0\x09" "a");          /* an extension beyond the end */
    assert_true(OUTER());
    HELLO("\0\0\0\x06\0\x04\0\0\x01" "A");
    assert_false(OUTER());
    whole = len;
    for (i = 0; i < whole; i++) {       /* cut off anywhere */
        len = i;
        assert_true(OUTER());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_nul_ends_name),
        cmocka_unit_test(test_no_sni),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_not_hello),
        cmocka_unit_test(test_long_name),
        cmocka_unit_test(test_offers_only),
        cmocka_unit_test(test_extension_alone),
        cmocka_unit_test(test_may_be_outer),
    };

    return cmocka_run_group_tests_name("hello", tests, NULL, NULL);
}
