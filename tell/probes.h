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

#ifndef SNIVHOST_TELL_PROBES_H
#define SNIVHOST_TELL_PROBES_H

/**
 * @file tell/probes.h
 * What to ask two address sets so that every difference shows: each name of
 * either, one name for each pattern and for each two patterns that have one
 * in common, an unknown name, no name, each ServerPath.
 */

#include "module/record.h"

/** A question: what a client sends. */
typedef struct snivhost_probe_t {
    const char *label;          /**< as it is reported */
    const char *sni;            /**< NULL: none */
    const char *host;           /**< as httpd has read it; NULL: none */
    const char *path;
    int is_name;                /**< a name of the configuration, not a
                                     special case */
    int is_odd;                 /**< only HttpProtocolOptions Unsafe takes
                                     it */
} snivhost_probe_t;

/** Labels of special cases. */
#define SNIVHOST_PROBE_OTHER "(any other name)"
#define SNIVHOST_PROBE_ODD   "(with unusual characters)"
#define SNIVHOST_PROBE_NONE  "(no name)"

/**
 * The questions.
 * @param a and b: address sets; NULL: the main server alone
 * @param pnot_met receives how many patterns were not looked at in pairs
 * @return snivhost_probe_t elements
 */
const apr_array_header_t *snivhost_probes(const sniv_table_t *ta,
                                          const sniv_set_t *a,
                                          const sniv_table_t *tb,
                                          const sniv_set_t *b, int *pnot_met,
                                          apr_pool_t *p);

#endif /* SNIVHOST_TELL_PROBES_H */
