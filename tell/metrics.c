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


#include "tell/status.h"

#include "apr_buckets.h"
#include "apr_strings.h"

#include "choose/decide.h"
#include "module/counters.h"
#include "module/version.h"
#include "module/words.h"
#include "tell/served.h"
#include "tell/sets.h"
#include "tls/store.h"

/* A counter that is a time series of a family. */
typedef struct series_t {
    snivhost_counter_e what;
    const char *label;          /* NULL: the family has no label */
} series_t;

typedef struct family_t {
    const char *name, *help, *label;
    series_t series[5];
    int n;
} family_t;

static const family_t families[] = {
    { "handshakes", "Handshakes by what their SNI chose.", "sni",
      { { SNIVHOST_COUNT_SNI_FOUND, "known" },
        { SNIVHOST_COUNT_SNI_UNKNOWN, "unknown" },
        { SNIVHOST_COUNT_SNI_NONE, "none" },
        { SNIVHOST_COUNT_SNI_MALFORMED, "malformed" },
        { SNIVHOST_COUNT_SNI_IP, "not-looked-at" } }, 5 },
    { "refusals", "Handshakes and requests that were refused.", "reason",
      { { SNIVHOST_COUNT_REFUSED_SNI_UNKNOWN, "sni-unknown" },
        { SNIVHOST_COUNT_REFUSED_SNI_MISSING, "sni-missing" },
        { SNIVHOST_COUNT_REFUSED_HOST, "host-unknown" },
        { SNIVHOST_COUNT_STORE_REFUSED, "certificate-unusable" } }, 4 },
    { "misdirected", "Requests that were answered 421.", NULL,
      { { SNIVHOST_COUNT_MISDIRECTED, NULL } }, 1 },
    { "store_hits", "Handshakes with a certificate from the store.", NULL,
      { { SNIVHOST_COUNT_STORE_HIT, NULL } }, 1 },
    { "store_misses", "Names that the store was asked for and has no "
      "certificate of.", NULL, { { SNIVHOST_COUNT_STORE_MISS, NULL } }, 1 },
    { "store_fallbacks", "Handshakes with the certificate of the default "
      "instead.", NULL, { { SNIVHOST_COUNT_STORE_FALLBACK, NULL } }, 1 },
    { "left_to_httpd", "Connections that were left to httpd.", NULL,
      { { SNIVHOST_COUNT_LEFT_TO_CORE, NULL } }, 1 },
    { "differences", "Differences from httpd (SNIVHost Verify).", NULL,
      { { SNIVHOST_COUNT_DIFFERENCES, NULL } }, 1 },
};

static void head(apr_bucket_brigade *bb, const char *name, const char *type,
                 const char *help)
{
    apr_brigade_printf(bb, NULL, NULL, "# HELP snivhost_%s %s\n"
                       "# TYPE snivhost_%s %s\n", name, help, name, type);
}

static void gauge(apr_bucket_brigade *bb, const char *name, apr_uint64_t value,
                  const char *help)
{
    head(bb, name, "gauge", help);
    apr_brigade_printf(bb, NULL, NULL, "snivhost_%s %" APR_UINT64_T_FMT "\n",
                       name, value);
}

/* ----- what was counted ----- */

static void requests(apr_bucket_brigade *bb, const unsigned long *sums)
{
    int i;

    head(bb, "requests_total", "counter",
         "Requests by the rule that chose their virtual host.");
    for (i = SNIVHOST_COUNT_REQUEST_MAIN; i < SNIVHOST_COUNT_MISDIRECTED; i++) {
        apr_brigade_printf(bb, NULL, NULL, "snivhost_requests_total{rule="
                           "\"%s\"} %lu\n", sniv_rule_name(
                               (sniv_rule_e)(i - SNIVHOST_COUNT_REQUEST_MAIN)),
                           sums[i]);
    }
}

static void counted(apr_bucket_brigade *bb)
{
    unsigned long sums[SNIVHOST_NCOUNTERS];
    apr_size_t k;
    int i;

    snivhost_counters_read(sums);
    requests(bb, sums);
    for (k = 0; k < sizeof(families) / sizeof(*families); k++) {
        const family_t *family = &families[k];
        char name[60];

        apr_snprintf(name, sizeof(name), "%s_total", family->name);
        head(bb, name, "counter", family->help);
        for (i = 0; i < family->n; i++) {
            const series_t *one = &family->series[i];

            if (one->label)
                apr_brigade_printf(bb, NULL, NULL, "snivhost_%s{%s=\"%s\"} "
                                   "%lu\n", name, family->label, one->label,
                                   sums[one->what]);
            else
                apr_brigade_printf(bb, NULL, NULL, "snivhost_%s %lu\n", name,
                                   sums[one->what]);
        }
    }
}

/* ----- certificates ----- */

/* Days to the end; 0: it is over. */
static const int days[] = { 0, 1, 3, 7, 14, 30, 60, 90, 180, 365 };
#define NDAYS (sizeof(days) / sizeof(*days))

typedef struct ends_t {
    apr_uint64_t within[NDAYS];
    apr_uint64_t all, late;
    apr_time_t first, now;
} ends_t;

static void count(void *baton, const snivhost_served_t *one)
{
    ends_t *ends = baton;
    apr_size_t i;

    if (ends->all++ == 0 || one->not_after < ends->first)
        ends->first = one->not_after;
    ends->late += sniv_cert_life(one->not_before, one->not_after, ends->now)
                  != SNIV_CERT_FRESH;
    for (i = NDAYS; i > 0 && one->not_after - ends->now
                             <= apr_time_from_sec(86400) * days[i - 1]; i--) {
        ends->within[i - 1]++;
    }
}

static void certificates(apr_bucket_brigade *bb)
{
    ends_t ends;
    apr_size_t i;

    memset(&ends, 0, sizeof(ends));
    ends.now = apr_time_now();
    snivhost_served_each(count, &ends);
    gauge(bb, "certificates", ends.all, "Certificates that are served.");
    gauge(bb, "certificates_late", ends.late, "Certificates that have less "
          "than a third of their life left.");
    head(bb, "certificates_expiring", "gauge", "Certificates that expire "
         "within so many days (0: have expired), each in all larger numbers, "
         "too.");
    for (i = 0; i < NDAYS; i++) {
        apr_brigade_printf(bb, NULL, NULL, "snivhost_certificates_expiring"
                           "{days=\"%d\"} %" APR_UINT64_T_FMT "\n", days[i],
                           ends.within[i]);
    }
    if (ends.all) {
        gauge(bb, "certificate_first_expiry_seconds",
              (apr_uint64_t)apr_time_sec(ends.first), "When the first of them "
              "expires, in seconds since 1970.");
    }
}

static void keeper(apr_bucket_brigade *bb)
{
    static const char *const states[] = { "off", "waiting", "looking",
                                          "gone" };
    sniv_certs_looks_t looks;
    const char *state = snivhost_store_keeper(&looks);
    apr_time_t age = apr_time_now() - looks.ended;
    int i;

    head(bb, "keeper_state", "gauge", "What the process does that looks for "
         "changed certificates: 1 for one of these.");
    for (i = 0; i < 4; i++) {
        apr_brigade_printf(bb, NULL, NULL, "snivhost_keeper_state{state="
                           "\"%s\"} %d\n", states[i],
                           !strcmp(state, states[i]));
    }
    if (looks.ended) {
        gauge(bb, "last_look_age_seconds", age > 0
              ? (apr_uint64_t)apr_time_sec(age) : 0, "Seconds since the last "
              "time that all certificate files were looked at.");
    }
}

/* ----- sizes ----- */

static void sizes(apr_bucket_brigade *bb)
{
    const sniv_table_t *table = snivhost_live->table;
    sniv_certs_stats_t stats;

    gauge(bb, "virtual_hosts", (apr_uint64_t)table->nvhosts,
          "Virtual hosts in the tables.");
    gauge(bb, "addresses", (apr_uint64_t)table->nsets,
          "Address sets in the tables.");
    gauge(bb, "names", (apr_uint64_t)snivhost_count_names(table),
          "Names and patterns in the tables.");
    if (!snivhost_store())
        return;
    sniv_certs_stats(snivhost_store(), &stats);
    gauge(bb, "store_certificates", stats.entries,
          "Certificates in the store.");
    gauge(bb, "store_chains", stats.chains, "Chains in the store.");
    gauge(bb, "store_bytes", stats.bytes, "Bytes of the store in use.");
    gauge(bb, "store_room_bytes", stats.room,
          "Bytes that the store can grow to.");
}

void snivhost_metrics(apr_bucket_brigade *bb)
{
    head(bb, "info", "gauge", "The version of mod_snivhost, and SNIVHost.");
    apr_brigade_printf(bb, NULL, NULL, "snivhost_info{version=\""
                       MOD_SNIVHOST_VERSION "\",mode=\"%s\"} 1\n",
                       snivhost_mode_text(snivhost_live ? snivhost_live->mode
                                                        : SNIVHOST_OFF));
    if (!snivhost_live)
        return;
    gauge(bb, "counted_since_seconds",
          (apr_uint64_t)apr_time_sec(snivhost_counters_since()),
          "When the counters began at zero, in seconds since 1970.");
    counted(bb);
    sizes(bb);
    certificates(bb);
    keeper(bb);
}
