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

/*
 * Fuzz target: what comes from a store. Nothing that was not sealed or signed
 * here is opened; what was sealed comes out as it went in, and a ring of
 * session ticket secrets has what it says; an address that is taken is whole.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "certs/challenge.h"
#include "certs/ringbox.h"
#include "certs/storeurl.h"

static const char id[] = "a.test", text_id[] = "http-01+a";

static void *copy_of(const uint8_t *data, size_t size, size_t room)
{
    uint8_t *copy = malloc(room + 1);

    memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

/* What somebody else has written. */
static void open_foreign(const sniv_store_keys_t *keys, const uint8_t *data,
                         size_t size)
{
    unsigned char *bytes = copy_of(data, size, size);
    apr_size_t len = size;
    sniv_ring_t ring;
    int which;

    if (sniv_envelope_is(bytes, len)
        && !sniv_envelope_open(keys, id, strlen(id), bytes, &len, &which)) {
        abort();
    }
    free(bytes);
    bytes = copy_of(data, size, size);
    if (!sniv_ring_open(&ring, keys, "p", bytes, size)) {
        abort();
    }
    free(bytes);
}

static void open_own(const sniv_store_keys_t *keys, const uint8_t *data,
                     size_t size)
{
    unsigned char *bytes = malloc(sniv_envelope_room(size));
    apr_size_t len = sniv_envelope_seal(keys, id, strlen(id), data, size,
                                        bytes);

    if (len == 0 || len >= sniv_envelope_room(size)
        || sniv_envelope_open(keys, id, strlen(id), bytes, &len, NULL)
        || len != size || memcmp(bytes, data, size) != 0) {
        abort();
    }
    free(bytes);
}

/* Somebody who has the key and is of another version. */
static void open_ring(const sniv_store_keys_t *keys, const uint8_t *data,
                      size_t size)
{
    unsigned char *bytes = malloc(sniv_envelope_room(size));
    apr_size_t len = sniv_envelope_seal(keys, "p:ring", 6, data, size, bytes);
    unsigned char box[SNIV_RING_BOX_MAX];
    sniv_ring_t ring, again;

    if (!sniv_ring_open(&ring, keys, "p", bytes, len)) {
        len = sniv_ring_seal(&ring, keys, "p", box);
        if (len == 0 || sniv_ring_open(&again, keys, "p", box, len)
            || memcmp(&ring, &again, sizeof(ring)) != 0) {
            abort();
        }
    }
    free(bytes);
}

static void read_text(const sniv_store_keys_t *keys,
                      const sniv_challenge_keys_t *public_keys,
                      const uint8_t *data, size_t size, apr_pool_t *p)
{
    char *text = copy_of(data, size, size), out[SNIV_CHALLENGE_MAX];
    apr_time_t now = apr_time_from_sec(1700000000);
    const char *content;
    sniv_store_url_t url;

    if (!sniv_challenge_read(public_keys, "p", text_id, text, now, &content)) {
        abort();
    }
    (void)sniv_challenge_expires(text);
    (void)sniv_challenge_is_id(text, size);
    if (sniv_challenge_sign(keys, "p", text_id, 1700000001, text, out)
        && (sniv_challenge_read(public_keys, "p", text_id, out, now, &content)
            || strcmp(content, text) != 0)) {
        abort();
    }
    if (!sniv_store_url_parse(&url, text, p)
        && (!url.host || url.port < 1 || url.timeout < 1
            || (!url.is_tls && (url.ca_file || url.cert_file))
            || !url.cert_file != !url.key_file
            || !sniv_store_id_is_usable(url.prefix, strlen(url.prefix)))) {
        abort();
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static sniv_challenge_keys_t public_keys;
    static sniv_store_keys_t keys;
    static apr_pool_t *all;
    apr_pool_t *p;

    if (!all) {
        apr_initialize();
        apr_pool_create(&all, NULL);
        memset(&keys, 1, sizeof(keys));
        keys.n = 2;
        memset(keys.keys[1].id, 2, sizeof(keys.keys[1].id));
        if (!sniv_challenge_keys(&public_keys, &keys)) {
            abort();
        }
    }
    apr_pool_create(&p, all);
    open_foreign(&keys, data, size);
    open_own(&keys, data, size);
    open_ring(&keys, data, size);
    read_text(&keys, &public_keys, data, size, p);
    apr_pool_destroy(p);
    return 0;
}
