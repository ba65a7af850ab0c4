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

#include "tell/twins.h"

#include "apr_hash.h"
#include "apr_strings.h"

#include "module/words.h"

/* What two virtual hosts have to have in common, the surest first. */
enum {
    BY_NAME = 1, BY_CONTENT = 2, BY_ADDRESSES = 4, BY_PLACE = 8
};
static const int rounds[] = {
    BY_NAME | BY_CONTENT | BY_ADDRESSES, BY_NAME | BY_CONTENT,
    BY_CONTENT | BY_ADDRESSES | BY_PLACE, BY_CONTENT | BY_ADDRESSES,
    BY_NAME | BY_ADDRESSES, BY_NAME, 0
};

static const char *key_of(const snivhost_side_t *side, int i, int what,
                          apr_pool_t *p)
{
    const sniv_vhost_t *v = &side->table->vhosts[i];
    const char *key = "";
    int k;

    if (what & BY_NAME)
        key = v->server_name;
    if (what & BY_CONTENT) {
        /* without it nothing is known of the content */
        if (!side->more[i].digest)
            return NULL;
        key = apr_pstrcat(p, key, "\n", side->more[i].digest, NULL);
    }
    if (what & BY_PLACE) {
        if (!v->file)
            return NULL;
        key = apr_psprintf(p, "%s\n%s:%u", key, v->file, v->line);
    }
    for (k = 0; (what & BY_ADDRESSES) && k < v->naddrs; k++) {
        key = apr_pstrcat(p, key, "\n", snivhost_addr_text(
                              p, &v->addrs[k].ip, v->addrs[k].port), NULL);
    }
    return key;
}

/* One round: those that are left, in the order of the configuration. */
static void match(snivhost_twins_t *twins, int what, apr_pool_t *p)
{
    apr_hash_t *waiting = apr_hash_make(p);     /* key -> array of int */
    apr_array_header_t *queue;
    const char *key;
    int i;

    for (i = twins->before->table->nvhosts - 1; i >= 0; i--) {
        if (twins->of_before[i] >= 0
            || !(key = key_of(twins->before, i, what, p))) {
            continue;
        }
        queue = apr_hash_get(waiting, key, APR_HASH_KEY_STRING);
        if (!queue) {
            queue = apr_array_make(p, 1, sizeof(int));
            apr_hash_set(waiting, key, APR_HASH_KEY_STRING, queue);
        }
        APR_ARRAY_PUSH(queue, int) = i;
    }
    for (i = 0; i < twins->after->table->nvhosts; i++) {
        if (twins->of_after[i] >= 0
            || !(key = key_of(twins->after, i, what, p))) {
            continue;
        }
        queue = apr_hash_get(waiting, key, APR_HASH_KEY_STRING);
        if (queue && queue->nelts) {
            int other = *(int *)apr_array_pop(queue);

            twins->of_after[i] = other;
            twins->of_before[other] = i;
        }
    }
}

static int *none(int n, apr_pool_t *p)
{
    int *numbers = apr_palloc(p, (n + 1) * sizeof(*numbers));
    int i;

    for (i = 0; i <= n; i++)
        numbers[i] = -1;
    return numbers;
}

const snivhost_twins_t *snivhost_twins_find(const snivhost_side_t *before,
                                            const snivhost_side_t *after,
                                            apr_pool_t *p)
{
    snivhost_twins_t *twins = apr_pcalloc(p, sizeof(*twins));
    const int nbefore = before->table->nvhosts, nafter = after->table->nvhosts;
    apr_pool_t *ptemp;
    int i;

    twins->before = before;
    twins->after = after;
    twins->of_before = none(nbefore, p);
    twins->of_after = none(nafter, p);
    twins->of_before[nbefore] = nafter;
    twins->of_after[nafter] = nbefore;
    apr_pool_create(&ptemp, p);
    for (i = 0; rounds[i]; i++) {
        match(twins, rounds[i], ptemp);
        apr_pool_clear(ptemp);
    }
    apr_pool_destroy(ptemp);
    return twins;
}

const sniv_vhost_t *snivhost_twin_after(const snivhost_twins_t *twins,
                                        const sniv_vhost_t *before)
{
    int i = twins->of_before[before - twins->before->table->vhosts];

    return i < 0 ? NULL : &twins->after->table->vhosts[i];
}

const sniv_vhost_t *snivhost_twin_before(const snivhost_twins_t *twins,
                                         const sniv_vhost_t *after)
{
    int i = twins->of_after[after - twins->after->table->vhosts];

    return i < 0 ? NULL : &twins->before->table->vhosts[i];
}
