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

#include "certs/hash.h"

#include <string.h>
#include <unistd.h>

#include <apr_time.h>

#include <openssl/rand.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Constant once a store has been made. */
static apr_uint64_t hash_key;

void sniv_hash_key_init(void)
{
    if (hash_key == 0
        && RAND_bytes((unsigned char *)&hash_key, sizeof(hash_key)) != 1) {
        hash_key = (apr_uint64_t)apr_time_now()
                   ^ (apr_uint64_t)getpid() << 40
                   ^ (apr_uint64_t)(apr_uintptr_t)&hash_key << 16;
    }
    hash_key |= 1;
}

apr_uint64_t sniv_hash_bytes(const void *bytes, apr_size_t len,
                             apr_uint64_t salt)
{
    return XXH3_64bits_withSeed(bytes, len,
                                hash_key + salt
                                * APR_UINT64_C(0x9e3779b97f4a7c15));
}

static unsigned int table_hash(const char *key, apr_ssize_t *klen)
{
    if (*klen == APR_HASH_KEY_STRING) {
        *klen = (apr_ssize_t)strlen(key);
    }
    return (unsigned int)sniv_hash_bytes(key, (apr_size_t)*klen, 0);
}

apr_hash_t *sniv_hash_table(apr_pool_t *p)
{
    sniv_hash_key_init();
    return apr_hash_make_custom(p, table_hash);
}
