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

#ifndef SNIVHOST_LINT_CHECKS_H
#define SNIVHOST_LINT_CHECKS_H

/**
 * @file lint/checks.h
 * The checks, one topic a file, and what those of certificates share.
 *
 * Nothing here changes the configuration. All loops use the indexes of the
 * tables: 50,000 virtual hosts cost what they cost to read.
 */

#include "lint/finding.h"
#include "lint/leaf.h"

void snivhost_lint_names(snivhost_lint_t *lint);
void snivhost_lint_addresses(snivhost_lint_t *lint);
void snivhost_lint_certs(snivhost_lint_t *lint);
void snivhost_lint_refuse(snivhost_lint_t *lint);

/** Whether a handshake with a name gets this virtual host, on one of its
 * addresses at least. */
int snivhost_lint_gets(const snivhost_lint_t *lint, const sniv_vhost_t *v,
                       const char *name);

/** Whether any does, for its own names or as the default. */
int snivhost_lint_is_reached(const snivhost_lint_t *lint,
                             const sniv_vhost_t *v);

/* Parts of the look at certificates. */

/** Whether clients of the Internet use such a name: neither an IP address nor
 * a short name, nor a reserved one (.invalid). */
int snivhost_lint_is_public(const char *name);

/**
 * Report a certificate that is not valid, or not for long.
 * @param v the first that has it
 * @param nusers how many have it
 */
void snivhost_lint_dates(snivhost_lint_t *lint, const char *file,
                         apr_time_t not_before, apr_time_t not_after,
                         const sniv_vhost_t *v, int nusers);

/**
 * Note a certificate that is sent without the ones that lead from it to an
 * authority: those of one authority are one finding.
 * @param v the first virtual host that has it
 */
void snivhost_lint_no_chain(snivhost_lint_t *lint,
                            const snivhost_leaf_t *leaf,
                            const sniv_vhost_t *v);

/** Those of SNIVHostCertificates. */
void snivhost_lint_folders(snivhost_lint_t *lint, snivhost_leaves_t *leaves);

#endif /* SNIVHOST_LINT_CHECKS_H */
