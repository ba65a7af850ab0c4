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

#include "module/counters.h"

#include "apr_shm.h"
#include "http_protocol.h"

/* See module/counters.h for the layout. */

snivhost_stripe_t *snivhost_stripes;

static apr_time_t since;

static const char *const keys[] = {
#define COUNTER(name, key, words) key,
    SNIVHOST_COUNTERS(COUNTER)
#undef COUNTER
};

static const char *const words_of[] = {
#define COUNTER(name, key, words) words,
    SNIVHOST_COUNTERS(COUNTER)
#undef COUNTER
};

const snivhost_counter_group_t snivhost_counter_groups[SNIVHOST_NGROUPS] = {
    { "Requests", SNIVHOST_COUNT_REQUEST_MAIN, SNIVHOST_COUNT_REFUSED_HOST },
    { "Handshakes", SNIVHOST_COUNT_SNI_FOUND,
      SNIVHOST_COUNT_REFUSED_SNI_MISSING },
    { "Certificates", SNIVHOST_COUNT_STORE_HIT,
      SNIVHOST_COUNT_STORE_FALLBACK },
    { "Disagreements with "
      "httpd", SNIVHOST_COUNT_LEFT_TO_CORE, SNIVHOST_COUNT_DIFFERENCES }
};

const char *snivhost_counter_key(snivhost_counter_e what)
{
    return keys[what];
}

const char *snivhost_counter_words(snivhost_counter_e what)
{
    return words_of[what];
}

void snivhost_counters_make(server_rec *main_server, apr_pool_t *p)
{
    const apr_size_t size = SNIVHOST_STRIPES * sizeof(snivhost_stripe_t);
    apr_shm_t *shm;
    apr_status_t rv;
    apr_uintptr_t base;

    rv = apr_shm_create(&shm, size + SNIVHOST_CACHE_LINE, NULL, p);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, main_server, "SNIV0500: "
                     "no anonymous shared memory: the counters of "
                     "mod_snivhost stay at zero");
        return;
    }
    base = (apr_uintptr_t)apr_shm_baseaddr_get(shm);
    base = (base + SNIVHOST_CACHE_LINE - 1)
           & ~(apr_uintptr_t)(SNIVHOST_CACHE_LINE - 1);
    memset((void *)base, 0, size);
    snivhost_stripes = (snivhost_stripe_t *)base;
    since = apr_time_now();
}

void snivhost_counters_read(unsigned long sums[SNIVHOST_NCOUNTERS])
{
    int i, k;

    memset(sums, 0, SNIVHOST_NCOUNTERS * sizeof(*sums));
    for (i = 0; snivhost_stripes && i < SNIVHOST_STRIPES; i++) {
        for (k = 0; k < SNIVHOST_NCOUNTERS; k++) {
            sums[k] += __atomic_load_n(&snivhost_stripes[i].n[k],
                                       __ATOMIC_RELAXED);
        }
    }
}

apr_time_t snivhost_counters_since(void)
{
    return since;
}

/*
 * 421 is decided before any handler is asked, by mod_ssl or by us; one that
 * comes from a handler (a proxied server's, say) is another matter.
 */
int snivhost_counters_log_transaction(request_rec *r)
{
    if (r->status == HTTP_MISDIRECTED_REQUEST && snivhost_live && !r->handler
        && snivhost_conn(r->connection)) {
        snivhost_count(r->connection, SNIVHOST_COUNT_MISDIRECTED);
    }
    return DECLINED;
}

