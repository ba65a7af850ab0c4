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

#include "certs/ringbox.h"
#include "certs/storeurl.h"

#include <string.h>

#include <openssl/crypto.h>

#define VERSION 1
#define HEAD 10
#define EACH 40
#define PLAIN_MAX (HEAD + SNIV_RING_KEYS * EACH)

/* No ID of an entry has a colon. */
#define ID_END ":ring"

static apr_size_t make_id(char id[SNIV_STORE_ID_MAX + sizeof(ID_END)],
                          const char *prefix)
{
    apr_size_t len = strlen(prefix);

    if (len > SNIV_STORE_ID_MAX)
        return 0;
    memcpy(id, prefix, len);
    memcpy(id + len, ID_END, sizeof(ID_END));
    return len + sizeof(ID_END) - 1;
}

static void put_number(unsigned char out[8], apr_uint64_t n)
{
    int i;

    for (i = 7; i >= 0; i--) {
        out[i] = (unsigned char)(n & 0xff);
        n >>= 8;
    }
}

static apr_uint64_t get_number(const unsigned char in[8])
{
    apr_uint64_t n = 0;
    int i;

    for (i = 0; i < 8; i++)
        n = n << 8 | in[i];
    return n;
}

apr_size_t sniv_ring_seal(const sniv_ring_t *ring,
                          const sniv_store_keys_t *keys, const char *prefix,
                          unsigned char *out)
{
    char id[SNIV_STORE_ID_MAX + sizeof(ID_END)];
    unsigned char plain[PLAIN_MAX], *at = plain + HEAD;
    apr_size_t id_len = make_id(id, prefix), len = 0;
    apr_uint32_t i;

    plain[0] = VERSION;
    plain[1] = (unsigned char)ring->nkeys;
    put_number(plain + 2, ring->generation);
    for (i = 0; i < ring->nkeys && i < SNIV_RING_KEYS; i++, at += EACH) {
        put_number(at, (apr_uint64_t)apr_time_sec(ring->made[i]));
        memcpy(at + 8, ring->secrets[i], 32);
    }
    len = (apr_size_t)(at - plain);
    if (id_len && i && sniv_envelope_room(len) <= SNIV_RING_BOX_MAX)
        len = sniv_envelope_seal(keys, id, id_len, plain, len, out);
    else
        len = 0;
    OPENSSL_cleanse(plain, sizeof(plain));
    return len;
}

static const char *read_plain(sniv_ring_t *ring, const unsigned char *plain,
                              apr_size_t len)
{
    apr_uint32_t i;

    if (len < 1 || plain[0] != VERSION)
        return "is of a later version of this program";
    if (len < HEAD || plain[1] < 1 || plain[1] > SNIV_RING_KEYS
        || len != HEAD + (apr_size_t)plain[1] * EACH
        || get_number(plain + 2) == 0) {
        return "is damaged";
    }
    memset(ring, 0, sizeof(*ring));
    ring->nkeys = plain[1];
    ring->generation = get_number(plain + 2);
    for (i = 0, plain += HEAD; i < ring->nkeys; i++, plain += EACH) {
        /* as many seconds as there are microseconds in a number */
        ring->made[i] = apr_time_from_sec((apr_time_t)(get_number(plain)
                                                       & 0x7ffffffffffULL));
        memcpy(ring->secrets[i], plain + 8, 32);
    }
    return NULL;
}

const char *sniv_ring_open(sniv_ring_t *ring, const sniv_store_keys_t *keys,
                           const char *prefix, unsigned char *bytes,
                           apr_size_t len)
{
    char id[SNIV_STORE_ID_MAX + sizeof(ID_END)];
    apr_size_t id_len = make_id(id, prefix), all = len;
    const char *reason;

    if (!sniv_envelope_is(bytes, len))
        return "is not sealed with snivhost-store's envelope";
    reason = sniv_envelope_open(keys, id, id_len, bytes, &len, NULL);
    if (!reason)
        reason = read_plain(ring, bytes, len);
    OPENSSL_cleanse(bytes, all);
    return reason;
}

int sniv_ring_is_same(const sniv_ring_t *a, const sniv_ring_t *b)
{
    return a->nkeys == b->nkeys && a->generation == b->generation
           && CRYPTO_memcmp(a->secrets, b->secrets,
                            a->nkeys * sizeof(a->secrets[0])) == 0;
}
