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

/* sniv_ring, sniv_tickets: keys of session tickets that outlive a restart. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <apr_general.h>

#include "certs/ringbox.h"

#define HOUR apr_time_from_sec(3600)

static apr_pool_t *pool;

static int setup(void **state)
{
    (void)state;
    return apr_pool_create(&pool, NULL) == APR_SUCCESS ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    return 0;
}

static void turn(sniv_ring_t *ring, apr_time_t now, int is_changed)
{
    int changed = -1;

    assert_int_equal(sniv_ring_turn(ring, now, HOUR, &changed), APR_SUCCESS);
    assert_int_equal(changed, is_changed);
}

static void test_turn(void **state)
{
    sniv_ring_t ring, before;
    apr_time_t now = 100 * HOUR;
    int i;

    (void)state;
    memset(&ring, 0, sizeof(ring));
    turn(&ring, now, 1);
    assert_int_equal(ring.nkeys, 1);
    turn(&ring, now + HOUR - 1, 0);
    for (i = 1; i < 6; i++) {
        before = ring;
        turn(&ring, now + i * HOUR, 1);
        assert_memory_not_equal(ring.secrets[0], before.secrets[0], 32);
        assert_memory_equal(ring.secrets[1], before.secrets[0], 32);
        assert_int_equal(ring.nkeys, i < 2 ? i + 1 : 3);
    }
    /* the clock was put back: a new secret, none that stays for ever */
    turn(&ring, now, 1);
    turn(&ring, now + 1, 0);
}

/* Two groups, and the same again as after a restart. */
static void make_ids(unsigned char ids[2][SNIV_GROUP_ID_LEN])
{
    memset(ids[0], 1, SNIV_GROUP_ID_LEN);
    memset(ids[1], 2, SNIV_GROUP_ID_LEN);
}

static void test_groups(void **state)
{
    unsigned char ids[2][SNIV_GROUP_ID_LEN];
    sniv_tickets_t *tickets, *again;
    sniv_ticket_key_t one, two, found;
    sniv_ring_t ring;
    int age = -1;

    (void)state;
    make_ids(ids);
    memset(&ring, 0, sizeof(ring));
    turn(&ring, HOUR, 1);
    assert_int_equal(sniv_tickets_make(&tickets, &ring, ids[0], 2, pool),
                     APR_SUCCESS);
    assert_int_equal(sniv_tickets_newest(tickets, 0, &one), APR_SUCCESS);
    assert_int_equal(sniv_tickets_newest(tickets, 1, &two), APR_SUCCESS);
    /* nothing of one says anything about the other */
    assert_memory_not_equal(one.name, two.name, sizeof(one.name));
    assert_memory_not_equal(one.aes, two.aes, sizeof(one.aes));
    assert_memory_not_equal(one.hmac, two.hmac, sizeof(one.hmac));
    assert_memory_not_equal(one.aes, one.hmac, sizeof(one.aes));
    assert_memory_not_equal(one.aes, ring.secrets[0], sizeof(one.aes));
    assert_int_equal(sniv_tickets_find(tickets, 1, one.name, &found, &age),
                     APR_NOTFOUND);
    assert_int_equal(sniv_tickets_find(tickets, 0, one.name, &found, &age),
                     APR_SUCCESS);
    assert_int_equal(age, 0);
    assert_memory_equal(&found, &one, sizeof(one));
    assert_int_not_equal(sniv_tickets_newest(tickets, 2, &found),
                         APR_SUCCESS);

    /* the order of the groups is of no account */
    memset(ids[0], 2, SNIV_GROUP_ID_LEN);
    memset(ids[1], 1, SNIV_GROUP_ID_LEN);
    assert_int_equal(sniv_tickets_make(&again, &ring, ids[0], 2, pool),
                     APR_SUCCESS);
    assert_int_equal(sniv_tickets_newest(again, 1, &found), APR_SUCCESS);
    assert_memory_equal(&found, &one, sizeof(one));
}

static void test_rotation(void **state)
{
    unsigned char ids[2][SNIV_GROUP_ID_LEN];
    sniv_tickets_t *tickets;
    sniv_ticket_key_t first, key;
    sniv_ring_t ring;
    int age, i;

    (void)state;
    make_ids(ids);
    memset(&ring, 0, sizeof(ring));
    turn(&ring, HOUR, 1);
    assert_int_equal(sniv_tickets_make(&tickets, &ring, ids[0], 2, pool),
                     APR_SUCCESS);
    assert_int_equal(sniv_tickets_newest(tickets, 0, &first), APR_SUCCESS);
    for (i = 1; i <= 4; i++) {
        turn(&ring, (i + 1) * HOUR, 1);
        assert_int_equal(sniv_tickets_renew(tickets, &ring), APR_SUCCESS);
        assert_int_equal(sniv_tickets_newest(tickets, 0, &key), APR_SUCCESS);
        assert_memory_not_equal(key.name, first.name, sizeof(key.name));
        if (i < SNIV_RING_KEYS) {
            assert_int_equal(sniv_tickets_find(tickets, 0, first.name, &key,
                                               &age), APR_SUCCESS);
            assert_int_equal(age, i);
            assert_memory_equal(&key, &first, sizeof(key));
        }
        else {
            assert_int_equal(sniv_tickets_find(tickets, 0, first.name, &key,
                                               &age), APR_NOTFOUND);
        }
    }
    /* a slot's memory is used again: no room is lost with each turn */
    for (i = 6; i < 2000; i++) {
        turn(&ring, i * HOUR, 1);
        assert_int_equal(sniv_tickets_renew(tickets, &ring), APR_SUCCESS);
    }
}

/* A child sees what the parent renews. */
static void test_child(void **state)
{
    unsigned char ids[2][SNIV_GROUP_ID_LEN];
    sniv_tickets_t *tickets;
    sniv_ticket_key_t key;
    sniv_ring_t ring;
    int to[2], from[2], status;
    pid_t pid;
    char c = 0;

    (void)state;
    make_ids(ids);
    memset(&ring, 0, sizeof(ring));
    turn(&ring, HOUR, 1);
    assert_int_equal(sniv_tickets_make(&tickets, &ring, ids[0], 2, pool),
                     APR_SUCCESS);
    sniv_tickets_publish(tickets);
    if (!sniv_tickets_is_shared(tickets))
        skip();
    assert_int_equal(pipe(to), 0);
    assert_int_equal(pipe(from), 0);
    pid = fork();
    assert_int_not_equal(pid, -1);
    if (pid == 0) {
        if (read(to[0], &c, 1) != 1
            || sniv_tickets_newest(tickets, 1, &key) != APR_SUCCESS
            || write(from[1], &key, sizeof(key)) != sizeof(key)) {
            _exit(1);
        }
        _exit(0);
    }
    turn(&ring, 2 * HOUR, 1);
    assert_int_equal(sniv_tickets_renew(tickets, &ring), APR_SUCCESS);
    assert_int_equal(write(to[1], &c, 1), 1);
    assert_int_equal(read(from[0], &key, sizeof(key)), sizeof(key));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    {
        sniv_ticket_key_t ours;

        assert_int_equal(sniv_tickets_newest(tickets, 1, &ours),
                         APR_SUCCESS);
        assert_memory_equal(&ours, &key, sizeof(key));
    }
}

/* A secret that encrypts only when all servers have it. */
static void test_in_use(void **state)
{
    unsigned char ids[2][SNIV_GROUP_ID_LEN];
    sniv_ticket_key_t before, key;
    sniv_tickets_t *tickets;
    sniv_ring_t ring;
    int age;

    (void)state;
    make_ids(ids);
    memset(&ring, 0, sizeof(ring));
    turn(&ring, HOUR, 1);
    assert_int_equal(sniv_tickets_make(&tickets, &ring, ids[0], 2, pool),
                     APR_SUCCESS);
    assert_int_equal(sniv_tickets_newest(tickets, 0, &before), APR_SUCCESS);
    turn(&ring, 2 * HOUR, 1);
    ring.in_use = 1;
    assert_int_equal(sniv_tickets_renew(tickets, &ring), APR_SUCCESS);
    assert_int_equal(sniv_tickets_newest(tickets, 0, &key), APR_SUCCESS);
    assert_memory_equal(&key, &before, sizeof(key));
    assert_int_equal(sniv_tickets_find(tickets, 0, key.name, &key, &age),
                     APR_SUCCESS);
    assert_int_equal(age, 0);
    ring.in_use = 0;
    assert_int_equal(sniv_tickets_renew(tickets, &ring), APR_SUCCESS);
    assert_int_equal(sniv_tickets_newest(tickets, 0, &key), APR_SUCCESS);
    assert_memory_not_equal(&key, &before, sizeof(key));
    assert_int_equal(sniv_tickets_find(tickets, 0, before.name, &before,
                                       &age), APR_SUCCESS);
    assert_int_equal(age, 1);
    ring.in_use = 2;            /* there is no such one */
    assert_int_equal(sniv_tickets_renew(tickets, &ring), APR_SUCCESS);
    assert_int_not_equal(sniv_tickets_newest(tickets, 0, &key), APR_SUCCESS);
}

/* A ring on its way to other servers. */
static void test_box(void **state)
{
    unsigned char box[SNIV_RING_BOX_MAX], copy[SNIV_RING_BOX_MAX];
    sniv_store_keys_t keys;
    sniv_ring_t ring, got;
    apr_size_t len, i;
    int n;

    (void)state;
    memset(&keys, 7, sizeof(keys));
    keys.n = 1;
    memset(&ring, 0, sizeof(ring));
    ring.generation = 0x0102030405060708ULL;
    assert_int_equal(sniv_ring_seal(&ring, &keys, "p", box), 0);
    for (n = 1; n < 5; n++) {
        turn(&ring, n * HOUR, 1);
        len = sniv_ring_seal(&ring, &keys, "p", box);
        assert_true(len > 0 && len <= SNIV_RING_BOX_MAX);
        memcpy(copy, box, len);
        assert_null(sniv_ring_open(&got, &keys, "p", copy, len));
        assert_memory_equal(&got, &ring, sizeof(ring));
        assert_true(sniv_ring_is_same(&got, &ring));
    }
    got.generation++;
    assert_false(sniv_ring_is_same(&got, &ring));
    for (i = 0; i < len; i++) {         /* cut off, and of another store */
        memcpy(copy, box, len);
        assert_non_null(sniv_ring_open(&got, &keys, "p", copy, i ? i - 1
                                                                 : 0));
    }
    memcpy(copy, box, len);
    assert_string_equal(sniv_ring_open(&got, &keys, "q", copy, len),
                        "was sealed for another ID, or has been changed "
                        "since");
    /* what is sealed well, and no ring */
    for (i = 0; i < 200; i++) {
        memset(copy, (int)i, sizeof(copy));
        len = sniv_envelope_seal(&keys, "p:ring", 6, copy, i, box);
        assert_non_null(sniv_ring_open(&got, &keys, "p", box, len));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rotation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_child, setup, teardown),
        cmocka_unit_test_setup_teardown(test_in_use, setup, teardown),
        cmocka_unit_test(test_box)
    };
    int failed;

    apr_initialize();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return failed;
}
