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


/* sniv_envelope, sniv_store_url, and how the reader opens entries. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "pems.h"
#include "certs/envelope.h"
#include "certs/reader.h"
#include "certs/storeurl.h"

#define KEY_A "000102030405060708090a0b0c0d0e0f" \
              "101112131415161718191a1b1c1d1e1f"
#define KEY_B "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF" \
              "ffffffffffffffffffffffffffffffff"

static apr_pool_t *pool;
static char dir[] = "/tmp/sniv_envelope_XXXXXX";

static int setup(void **state)
{
    (void)state;
    return apr_pool_create(&pool, NULL) == APR_SUCCESS && mkdtemp(dir)
           ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    return rmdir(dir);
}

static const char *file(const char *name, const char *text)
{
    const char *path = apr_pstrcat(pool, dir, "/", name, NULL);

    if (text) {
        pems_write(path, text, NULL);
    }
    return path;
}

static void keys_of(sniv_store_keys_t *keys, const char *text)
{
    const char *path = file("keys", text);

    assert_null(sniv_store_keys_read(keys, path));
    unlink(path);
}

/* ----- keys */

static void test_keys(void **state)
{
    static const char *const bad[] = {
        "", "\n", "# nothing\n", "abc\n", KEY_A "0\n", KEY_A " x\n",
        "g" KEY_A, KEY_A "\n" KEY_A "\n" KEY_A "\n" KEY_A "\n" KEY_A "\n"
    };
    sniv_store_keys_t keys;
    const char *path;
    size_t i;

    (void)state;
    keys_of(&keys, "# keys\r\n\n  " KEY_A "\r\n" KEY_B);
    assert_int_equal(keys.n, 2);
    assert_int_equal(keys.keys[0].key[31], 0x1f);
    assert_int_equal(keys.keys[1].key[0], 0xff);
    assert_memory_not_equal(keys.keys[0].id, keys.keys[1].id, 8);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        path = file("keys", bad[i]);
        assert_non_null(sniv_store_keys_read(&keys, path));
        assert_int_equal(keys.n, 0);
    }
    path = file("keys", KEY_A);
    assert_int_equal(chmod(path, 0640), 0);
    assert_non_null(strstr(sniv_store_keys_read(&keys, path), "by others"));
    unlink(path);
    assert_string_equal(sniv_store_keys_read(&keys, path), "does not exist");
    assert_non_null(sniv_store_keys_read(&keys, dir));
}

/* ----- envelopes */

static unsigned char *seal(const sniv_store_keys_t *keys, const char *id,
                           const char *text, apr_size_t n, apr_size_t *len)
{
    unsigned char *out = malloc(sniv_envelope_room(n));

    *len = sniv_envelope_seal(keys, id, strlen(id), (const void *)text, n,
                              out);
    assert_true(*len > 0);
    assert_true(*len < sniv_envelope_room(n));
    assert_true(sniv_envelope_is(out, *len));
    return out;
}

static const char *unseal(const sniv_store_keys_t *keys, const char *id,
                          unsigned char *bytes, apr_size_t *len, int *which)
{
    return sniv_envelope_open(keys, id, strlen(id), bytes, len, which);
}

static void test_round(void **state)
{
    sniv_store_keys_t keys, turned;
    apr_size_t n, len;
    char text[300];
    unsigned char *box;
    int which;

    (void)state;
    keys_of(&keys, KEY_A "\n" KEY_B);
    keys_of(&turned, KEY_B "\n" KEY_A);
    memset(text, 'x', sizeof(text));
    for (n = 0; n <= sizeof(text); n++) {
        box = seal(&keys, "a.test", text, n, &len);
        assert_null(unseal(&turned, "a.test", box, &len, &which));
        assert_int_equal(which, 1);
        assert_int_equal(len, n);
        assert_memory_equal(box, text, n);
        free(box);
    }
}

static void test_refused(void **state)
{
    sniv_store_keys_t a, b;
    apr_size_t len, had, i;
    unsigned char *box, *copy;

    (void)state;
    keys_of(&a, KEY_A);
    keys_of(&b, KEY_B);
    box = seal(&a, "a.test", "secret", 6, &had);
    copy = malloc(had);

    memcpy(copy, box, had);
    len = had;
    assert_string_equal(unseal(&a, "b.test", copy, &len, NULL),
                        "was sealed for another ID, or has been changed "
                        "since");
    assert_int_equal(len, 0);
    for (i = 0; i < had; i++) {
        assert_int_equal(copy[i], 0);
    }
    memcpy(copy, box, had);
    len = had;
    assert_non_null(strstr(unseal(&b, "a.test", copy, &len, NULL),
                           "does not have"));
    /* any byte, but bits that mean nothing in base64; any end */
    for (i = 0; i + 1 < had; i++) {
        memcpy(copy, box, had);
        copy[i] ^= 1;
        len = had;
        if (sniv_envelope_is(copy, had)
            && unseal(&a, "a.test", copy, &len, NULL) == NULL) {
            assert_int_equal(len, 6);
            assert_memory_equal(copy, "secret", 6);
        }
        memcpy(copy, box, had);
        len = i;
        assert_true(!sniv_envelope_is(copy, len)
                    || unseal(&a, "a.test", copy, &len, NULL) != NULL);
    }
    free(copy);
    free(box);
}

/* ----- addresses and IDs */

static const char *parse(sniv_store_url_t *url, const char *text)
{
    return sniv_store_url_parse(url, text, pool);
}

static void test_url(void **state)
{
    static const char *const bad[] = {
        "redis://", "redis:///", "redis:///a b", "redis:///a\n",
        "redis:///../x", "redis:///a/b", "redis:///a:b", "redis://h:/p",
        "redis://h:0/p", "redis://h:70000/p", "redis://h:12x/p",
        "redis://[::1/p", "redis://[::1]x/p", "redis://u:p@h/p",
        "redis:///p?socket", "redis:///p?socket=x", "redis:///p?x=/y",
        "redis:///p?timeout=0", "redis:///p?timeout=61",
        "redis:///p?timeout=+1", "redis:///p?cacert=/c",
        "redis:///p?cert=/c&key=/k", "rediss:///p?cert=/c",
        "rediss:///p?key=/k", "rediss:///p?cacert=c", "rediss:///p?socket=/s"
    };
    sniv_store_url_t url;
    size_t i;

    (void)state;
    assert_null(parse(&url, "redis:///sites"));
    assert_string_equal(url.host, "127.0.0.1");
    assert_int_equal(url.port, 6379);
    assert_string_equal(url.prefix, "sites");
    assert_int_equal(url.timeout, SNIV_STORE_TIMEOUT);
    assert_null(url.socket);
    assert_null(parse(&url, "Valkey://me@[::1]:7/p.q?timeout=60&socket=/s&"
                      "copy=/c&program=/b&password-file=/f"));
    assert_string_equal(url.text, "Valkey://me@[::1]:7/p.q");
    assert_string_equal(url.user, "me");
    assert_string_equal(url.host, "::1");
    assert_int_equal(url.port, 7);
    assert_int_equal(url.timeout, 60);
    assert_string_equal(url.socket, "/s");
    assert_string_equal(url.copy, "/c");
    assert_string_equal(url.program, "/b");
    assert_string_equal(url.password_file, "/f");
    assert_false(url.is_tls);
    assert_null(parse(&url, "rediss:///p"));
    assert_true(url.is_tls);
    assert_null(url.ca_file);
    assert_null(parse(&url, "VALKEYS://h/p?cacert=/a&cert=/c&key=/k"));
    assert_true(url.is_tls);
    assert_string_equal(url.host, "h");
    assert_string_equal(url.ca_file, "/a");
    assert_string_equal(url.cert_file, "/c");
    assert_string_equal(url.key_file, "/k");
    assert_null(parse(&url, "rediss:///p?socket=/s&primary=h"));
    assert_true(url.is_tls);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_true(sniv_store_url_is(bad[i]));
        assert_non_null(parse(&url, bad[i]));
    }
    assert_non_null(parse(&url, "/etc/redis://x"));
    assert_non_null(parse(&url, "sites"));
    assert_false(sniv_store_url_is("/etc/redis://x"));
    assert_false(sniv_store_url_is("redis"));
}

static void test_id(void **state)
{
    static const char *const bad[] = {
        "", ".", "..", ".a", "a/b", "../a", "a b", "a\n", "a\x1b", "\xc3\xa4",
        "a%2f"
    };
    char longest[SNIV_STORE_ID_MAX + 2];
    const char *id;
    size_t i;

    (void)state;
    assert_true(sniv_store_id_is_usable("*.a-b_c.test@1,x=y+", 19));
    assert_false(sniv_store_id_is_usable("a\0b", 3));
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(sniv_store_id_is_usable(bad[i], strlen(bad[i])));
    }
    memset(longest, 'a', sizeof(longest));
    assert_true(sniv_store_id_is_usable(longest, SNIV_STORE_ID_MAX));
    assert_false(sniv_store_id_is_usable(longest, SNIV_STORE_ID_MAX + 1));
    assert_int_equal(sniv_store_id_of("/x.y/a.test.entry.pem", &id), 6);
    assert_memory_equal(id, "a.test", 6);
    assert_int_equal(sniv_store_id_of("/x/.entry.pem", &id), 0);
    assert_int_equal(sniv_store_id_of("/x/a.pem", &id), 0);
    assert_true(sniv_store_shard("a", 1) < 256);
}

/* ----- the reader */

static const char *read_entry(const char *path, const char *keys)
{
    sniv_reader_t *reader = sniv_reader_make(pool);
    const char *which = NULL, *reason = NULL;
    sniv_cert_files_t files;
    sniv_entry_t entry;

    memset(&files, 0, sizeof(files));
    files.certs = &path;
    files.ncerts = 1;
    sniv_reader_keys(reader, keys);
    return sniv_reader_read(reader, &files, SNIV_READ_ANY_ORDER
                            | SNIV_READ_NAMED, &entry, NULL, &which, &reason)
           == APR_SUCCESS ? NULL : apr_pstrdup(pool, reason);
}

static void test_reader(void **state)
{
    pems_want_t want = { PEMS_EC, "DNS:a.test", 0, 0, NULL, NULL, 0, 0 };
    const char *keys, *path, *other, *plain;
    char *cert, *key, *all;
    sniv_store_keys_t a;
    unsigned char *box;
    apr_size_t len;
    pems_t pems;

    (void)state;
    pems_make(&pems, &want);
    cert = pems_cert(&pems);
    key = pems_key(&pems, PEMS_PKCS8);
    all = apr_pstrcat(pool, cert, key, NULL);
    keys_of(&a, KEY_A);
    keys = file("some.keys", KEY_A);
    box = seal(&a, "a.test", all, strlen(all), &len);
    all = apr_pstrmemdup(pool, (char *)box, len);
    path = file("a.test.entry.pem", all);
    other = file("b.test.entry.pem", all);
    plain = file("c.test.entry.pem", apr_pstrcat(pool, cert, key, NULL));

    assert_null(read_entry(path, keys));
    assert_string_equal(read_entry(other, keys), "was sealed for another "
                        "ID, or has been changed since");
    assert_string_equal(read_entry(path, NULL), "is sealed, and there is no "
                        "SNIVHostStoreKey");
    assert_string_equal(read_entry(plain, keys), sniv_not_sealed);
    assert_null(read_entry(plain, NULL));
    assert_string_equal(read_entry(path, "/nonexistent"), "is sealed, and "
                        "the file of SNIVHostStoreKey cannot be read");
    /* other files are none of its business */
    assert_int_equal(rename(plain, file("c.pem", NULL)), 0);
    assert_null(read_entry(file("c.pem", NULL), keys));

    unlink(path);
    unlink(other);
    unlink(file("c.pem", NULL));
    unlink(keys);
    free(box);
    free(cert);
    free(key);
    pems_free(&pems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_url),
        cmocka_unit_test(test_id),
        cmocka_unit_test(test_reader)
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, setup, teardown);
}
