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

#include "tell/sets.h"

#include <stdlib.h>

#include "apr_strings.h"
#include "ap_listen.h"

/* The number of the look-up that finds a set: see sniv_table_find(). */
static int search_class(const sniv_set_t *set)
{
    return (sniv_ip_is_any(&set->ip) ? 2 : 0) + (set->port == 0);
}

static int compare_sets(const void *a, const void *b)
{
    const sniv_set_t *x = *(const sniv_set_t *const *)a;
    const sniv_set_t *y = *(const sniv_set_t *const *)b;
    int diff = search_class(x) - search_class(y);

    return diff ? diff : x->number - y->number;
}

const sniv_set_t **snivhost_sets_in_order(const sniv_table_t *table,
                                           apr_pool_t *p)
{
    const sniv_set_t **sets = apr_pmemdup(p, table->sets, table->nsets
                                                          * sizeof(*sets));

    qsort(sets, table->nsets, sizeof(*sets), compare_sets);
    return sets;
}

int snivhost_count_names(const sniv_table_t *table)
{
    int i, n = 0;

    for (i = 0; i < table->nvhosts; i++)
        n += 1 + table->vhosts[i].naliases + table->vhosts[i].nglobs;
    return n;
}

int snivhost_facts_listens(const sniv_ip_t *ip, apr_port_t port)
{
    const ap_listen_rec *lr;

    for (lr = ap_listeners; lr; lr = lr->next) {
        sniv_ip_t bound;

        sniv_ip_from_sockaddr(&bound, lr->bind_addr);
        if (lr->bind_addr->port == port
            && (sniv_ip_is_any(&bound)
                || !memcmp(bound.bytes, ip->bytes, sizeof(ip->bytes)))) {
            return 1;
        }
    }
    return 0;
}
