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

#ifndef SNIVHOST_MODULE_COUNTERS_H
#define SNIVHOST_MODULE_COUNTERS_H

/**
 * @file module/counters.h
 * How often each thing has happened: one set of counters for all children.
 *
 * They lie in anonymous shared memory that the parent maps before it forks,
 * so they outlive any child. A restart, graceful or not, begins at zero with
 * memory of its own; children of the old generation finish on the old one,
 * which is no longer read.
 *
 * A counter is kept several times, in stripes of whole cache lines, and a
 * connection counts in the stripe of its id: threads seldom meet on a line.
 * Counting is one relaxed atomic addition: no lock, no allocation, any
 * thread. A sum that is read while others count is right to within what was
 * counted meanwhile.
 */

#include "module/record.h"

/*
 * COUNTER(name, key, words): the name in the code, the key in JSON and in
 * mod_status' ?auto, and what a person reads. The first nine are requests by
 * rule, in the order of sniv_rule_e.
 */
#define SNIVHOST_COUNTERS(COUNTER) \
    COUNTER(REQUEST_MAIN, "RequestsMain", \
            "no address set: main server") \
    COUNTER(REQUEST_IP, "RequestsIp", \
            "alone on its address") \
    COUNTER(REQUEST_SERVERNAME, "RequestsServerName", \
            "ServerName") \
    COUNTER(REQUEST_ALIAS, "RequestsAlias", \
            "ServerAlias, exact") \
    COUNTER(REQUEST_GLOB, "RequestsGlob", \
            "ServerAlias, wildcard") \
    COUNTER(REQUEST_ADDRESS_TEXT, "RequestsAddressText", \
            "text of <VirtualHost>") \
    COUNTER(REQUEST_PATH, "RequestsPath", \
            "ServerPath, no host given") \
    COUNTER(REQUEST_DEFAULT, "RequestsDefaultUnknown", \
            "default: host unknown") \
    COUNTER(REQUEST_DEFAULT_NO_NAME, "RequestsDefaultMissing", \
            "default: no host given") \
    COUNTER(MISDIRECTED, "Misdirected", \
            "answered 421") \
    COUNTER(REFUSED_HOST, "RefusedHost", \
            "refused: host unknown") \
    COUNTER(SNI_FOUND, "SniFound", \
            "SNI known") \
    COUNTER(SNI_UNKNOWN, "SniUnknown", \
            "SNI unknown") \
    COUNTER(SNI_NONE, "SniNone", \
            "no SNI") \
    COUNTER(SNI_MALFORMED, "SniMalformed", \
            "SNI malformed") \
    COUNTER(SNI_IP, "SniIp", \
            "not looked at: alone on address") \
    COUNTER(REFUSED_SNI_UNKNOWN, "RefusedSniUnknown", \
            "refused: SNI unknown") \
    COUNTER(REFUSED_SNI_MISSING, "RefusedSniMissing", \
            "refused: no SNI") \
    COUNTER(STORE_HIT, "StoreHit", \
            "certificate from the store") \
    COUNTER(STORE_MISS, "StoreMiss", \
            "not in the store") \
    COUNTER(STORE_REFUSED, "StoreRefused", \
            "refused: no usable certificate") \
    COUNTER(STORE_FALLBACK, "StoreFallback", \
            "default's certificate instead") \
    COUNTER(LEFT_TO_CORE, "LeftToHttpd", \
            "connections left to httpd") \
    COUNTER(DIFFERENCES, "Differences", \
            "differences from httpd (Verify)")

typedef enum {
#define COUNTER(name, key, words) SNIVHOST_COUNT_##name,
    SNIVHOST_COUNTERS(COUNTER)
#undef COUNTER
    SNIVHOST_NCOUNTERS
} snivhost_counter_e;

/** The counter of a request's rule. */
#define SNIVHOST_COUNT_REQUEST(rule) \
    ((snivhost_counter_e)(SNIVHOST_COUNT_REQUEST_MAIN + (rule)))

#define SNIVHOST_STRIPES 64         /* a power of two */
#define SNIVHOST_CACHE_LINE 64

/** One copy of the counters; a whole number of cache lines. */
typedef union snivhost_stripe_t {
    unsigned long n[SNIVHOST_NCOUNTERS];
    char lines[(SNIVHOST_NCOUNTERS * sizeof(unsigned long)
                + SNIVHOST_CACHE_LINE - 1)
               / SNIVHOST_CACHE_LINE * SNIVHOST_CACHE_LINE];
} snivhost_stripe_t;

/** SNIVHOST_STRIPES of them, or NULL: nothing is counted. */
extern snivhost_stripe_t *snivhost_stripes;

/** The counters by group, for the page and for mod_status. */
typedef struct snivhost_counter_group_t {
    const char *title;
    snivhost_counter_e first, last;
} snivhost_counter_group_t;

#define SNIVHOST_NGROUPS 4
extern const snivhost_counter_group_t snivhost_counter_groups[];

/** Count. Any thread. */
static APR_INLINE void snivhost_count(const conn_rec *c,
                                      snivhost_counter_e what)
{
    if (snivhost_stripes) {
        /* The id is child * ThreadLimit + thread: let both take part. */
        unsigned long id = (unsigned long)c->id;
        unsigned stripe = (id ^ (id >> 6)) % SNIVHOST_STRIPES;

        __atomic_fetch_add(&snivhost_stripes[stripe].n[what], 1,
                           __ATOMIC_RELAXED);
    }
}

/**
 * Make the counters, all zero; they end with the pool. Before the fork.
 * Without shared memory nothing is counted, and the log says so.
 */
void snivhost_counters_make(server_rec *main_server, apr_pool_t *p);

/** Add all stripes up. */
void snivhost_counters_read(unsigned long sums[SNIVHOST_NCOUNTERS]);

/** When they were made: the time since which they count. */
apr_time_t snivhost_counters_since(void);

/** The key of a counter, in JSON and in ?auto. */
const char *snivhost_counter_key(snivhost_counter_e what);

/** What it counts, in a few words; plain text. */
const char *snivhost_counter_words(snivhost_counter_e what);

/* The phases, for the hook table in mod_snivhost.c. */
int snivhost_counters_log_transaction(request_rec *r);

#endif /* SNIVHOST_MODULE_COUNTERS_H */
