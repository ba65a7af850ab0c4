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

#include "certs/certs.h"
#include "certs/inside.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certs/index.h"

/* When: of entries, of their versions, of looks. */

/* A version is the time at which it was made, in microseconds, as long as the
 * clock is not put back: then the next number. */
apr_uint64_t sniv_version_next(sniv_certs_t *certs)
{
    apr_uint64_t now = (apr_uint64_t)apr_time_now();

    certs->books.version = now > certs->books.version
                           ? now : certs->books.version + 1;
    return certs->books.version;
}

int sniv_certs_times(const sniv_certs_t *certs, sniv_cert_id_t id,
                     apr_time_t *not_before, apr_time_t *not_after,
                     sniv_scope_t *scope)
{
    apr_uint32_t head[SNIV_RECORD_HEAD / 4];
    sniv_entry_t entry;
    sniv_shm_look_t look;
    apr_size_t i;

    if (!certs->shm || id < 0 || (apr_uint32_t)id >= certs->nentries) {
        return 0;
    }
    do {
        if (sniv_shm_look(&look, certs->shm, SNIV_SLOT_ENTRY(id))
            != APR_SUCCESS) {
            return 0;
        }
        for (i = 0; i < sizeof(head) / 4; i++) {
            head[i] = sniv_shm_word(&look, 4 * i);
        }
    } while (!sniv_shm_looked(&look));
    if (!sniv_record_head(&entry, (const unsigned char *)head)) {
        return 0;
    }
    *not_before = entry.not_before;
    *not_after = entry.not_after;
    *scope = entry.scope;
    return 1;
}

unsigned char *sniv_certs_chosen(const sniv_certs_t *certs, apr_time_t now)
{
    unsigned char *chosen = certs->shm ? malloc(certs->nentries) : NULL;

    if (chosen && !sniv_index_chosen(certs->shm, SNIV_SLOT_INDEX, now, chosen,
                                     certs->nentries)) {
        free(chosen);
        chosen = NULL;
    }
    return chosen;
}

/*
 * A certificate is renewed well before its end: those of 90 days with 30
 * left, shorter ones with a third or a half. Less than a sixth, and the
 * renewal does not work.
 */
sniv_cert_life_e sniv_cert_life(apr_time_t not_before, apr_time_t not_after,
                                apr_time_t now)
{
    const apr_time_t fortnight = apr_time_from_sec(14 * 86400);
    const apr_time_t life = not_after - not_before, left = not_after - now;

    return left <= 0 ? SNIV_CERT_EXPIRED
           : left < fortnight && left < life / 6 ? SNIV_CERT_SOON
           : left < life / 3 ? SNIV_CERT_LATE : SNIV_CERT_FRESH;
}

/* ----- looks */

void sniv_looks_note(sniv_certs_t *certs, int is_in_round)
{
    sniv_certs_looks_t *looks = &certs->round.looks;

    if (is_in_round && !looks->is_in_round) {
        looks->begun = apr_time_now();
    }
    if (!is_in_round && looks->is_in_round) {
        looks->ended = apr_time_now();
    }
    looks->pid = getpid();
    looks->is_in_round = is_in_round;
    /* without room it is as if there had been none */
    (void)sniv_shm_put(certs->shm, SNIV_SLOT_LOOKS(certs), looks,
                       sizeof(*looks), 1);
}

int sniv_certs_looks(const sniv_certs_t *certs, sniv_certs_looks_t *looks)
{
    unsigned char *bytes;
    apr_uint64_t version;
    apr_size_t len;
    int is_read;

    memset(looks, 0, sizeof(*looks));
    if (!certs->shm || sniv_shm_get(certs->shm, SNIV_SLOT_LOOKS(certs),
                                    &bytes, &len, &version) != APR_SUCCESS) {
        return 0;
    }
    is_read = len == sizeof(*looks);
    if (is_read) {
        memcpy(looks, bytes, sizeof(*looks));
    }
    free(bytes);
    return is_read;
}
