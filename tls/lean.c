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

#include "tls/lean.h"

#include <string.h>

#include "apr_hash.h"
#include "apr_strings.h"

#include "http_core.h"
#include "http_main.h"

#include <openssl/opensslv.h>

#include "certs/judge.h"
#include "module/words.h"
#include "tls/library.h"
#include "tls/provided.h"
#include "tls/store.h"
#include "tls/values.h"

/* ----- reasons ----- */

static void refuse(snivhost_adoption_t *adoption, snivhost_candidate_t *c,
                   const char *kind, const char *text,
                   const ap_directive_t *node)
{
    snivhost_reason_add(&c->reasons, kind, text, node, adoption->p);
}

void snivhost_lean_refuse(snivhost_adoption_t *adoption,
                          snivhost_candidate_t *c, const char *why)
{
    refuse(adoption, c, why, NULL, NULL);
}

int snivhost_lean_is_possible(const snivhost_candidate_t *c)
{
    return c->conf->engine && c->asked && !c->reasons;
}

/* ----- by the directives ----- */

static void judge_alone(snivhost_adoption_t *adoption,
                        snivhost_candidate_t *c)
{
    int i;

    if (!snivhost_library_is_shared()) {
        refuse(adoption, c, "mod_ssl uses another OpenSSL than mod_snivhost",
               NULL, NULL);
    }
    if (c->by_hand < 0)
        refuse(adoption, c, "SNIVHostTLS Off", NULL, NULL);
    for (i = 0; i < c->conf->obstacles->nelts; i++) {
        const snivhost_obstacle_t *obstacle =
            &APR_ARRAY_IDX(c->conf->obstacles, i, snivhost_obstacle_t);

        refuse(adoption, c, obstacle->what, NULL, obstacle->node);
    }
    if (!snivhost_sharing_has_protocol(c->conf)) {
        refuse(adoption, c, "SSLProtocol leaves no protocol", NULL,
               c->conf->of[SNIVHOST_SET_PROTOCOL]->node);
    }
    if (c->conf->certs->nelts == 0 && !c->conf->managed
        && !snivhost_conf(c->s)->store.dirs) {
        refuse(adoption, c, "it has no SSLCertificateFile and no "
               "SNIVHostCertificates", NULL, NULL);
    }
}

/* An address set, and what its first virtual host means for the others. */
typedef struct judged_set_t {
    const sniv_set_t *set;
    snivhost_candidate_t *first;
    const char *address;
    const char *of;             /* the first virtual host of *:443 (place) */
    const char *lower, *no_keys, *old_keys; /* phrases; NULL: not used yet */
} judged_set_t;

/* The first one begins all connections: SSL_new() takes its SSL_CTX. */
static void judge_first(snivhost_adoption_t *adoption, const judged_set_t *j)
{
    if (j->set->nmembers > 1) {
        refuse(adoption, j->first,
               "it is the first virtual host of its address",
               apr_psprintf(adoption->p, "it is the first virtual host of %s "
                            "and starts every connection", j->address), NULL);
    }
    else {
        refuse(adoption, j->first,
               "it is the only virtual host on its address",
               apr_psprintf(adoption->p, "it is the only virtual host on %s "
                            "and starts every connection", j->address), NULL);
    }
}

/* A phrase that all members share. */
static const char *phrase(const char **text, const judged_set_t *j,
                          const char *before, const char *after,
                          apr_pool_t *p)
{
    if (!*text)
        *text = apr_pstrcat(p, before, j->of, after, NULL);
    return *text;
}

static void judge_keys(snivhost_adoption_t *adoption, snivhost_candidate_t *c,
                       judged_set_t *j)
{
    const snivhost_value_t *keys =
        j->first->conf->of[SNIVHOST_SET_TICKET_KEYS];

    if (!keys)
        return;
    if (!c->conf->of[SNIVHOST_SET_TICKET_KEYS]) {
        refuse(adoption, c,
               phrase(&j->no_keys, j, "", " has SSLSessionTicketKeyFile"
                      SNIVHOST_REASON_PLACE " and it has none: the same line "
                      "would do", adoption->p), NULL, keys->node);
    }
#if OPENSSL_VERSION_NUMBER < 0x30000000L
    /* There is no callback that could use the keys of each. */
    else {
        refuse(adoption, c,
               phrase(&j->old_keys, j, "", " has SSLSessionTicketKeyFile"
                      SNIVHOST_REASON_PLACE ", which lean virtual hosts can "
                      "use only with OpenSSL 3.0 or later", adoption->p),
               NULL, keys->node);
    }
#endif
}

/* As a member of an address set. */
static void judge_member(snivhost_adoption_t *adoption,
                         snivhost_candidate_t *c, judged_set_t *j)
{
    if (!j->first->conf->engine) {
        refuse(adoption, c, "the first virtual host of its address has no "
               "SSLEngine on",
               phrase(&j->lower, j, "", " has no SSLEngine on", adoption->p),
               NULL);
    }
    else if (!snivhost_sharing_reaches(j->first->conf, c->conf)) {
        refuse(adoption, c,
               phrase(&j->lower, j, "SSLProtocol" SNIVHOST_REASON_PLACE
                      " allows lower versions than ", "", adoption->p), NULL,
               c->conf->of[SNIVHOST_SET_PROTOCOL]->node);
    }
    judge_keys(adoption, c, j);
}

static snivhost_candidate_t *candidate_of(const snivhost_adoption_t *adoption,
                                          const sniv_vhost_t *v)
{
    return &adoption->candidates[v - adoption->table->vhosts];
}

static void judge_sets(snivhost_adoption_t *adoption)
{
    const sniv_table_t *table = adoption->table;
    int i, k;

    for (i = 0; i < table->nsets; i++) {
        judged_set_t j;

        memset(&j, 0, sizeof(j));
        j.set = table->sets[i];
        j.first = candidate_of(adoption, j.set->members[0]);
        j.address = snivhost_set_text(adoption->ptemp, j.set);
        j.of = apr_psprintf(adoption->ptemp,
                            "the first virtual host of %s (%s)", j.address,
                            snivhost_place_text(adoption->ptemp, j.first->s));
        if (j.first->conf->engine)
            judge_first(adoption, &j);
        for (k = 1; k < j.set->nmembers; k++) {
            snivhost_candidate_t *c = candidate_of(adoption,
                                                   j.set->members[k]);

            if (c != j.first && c->conf->engine && c->asked)
                judge_member(adoption, c, &j);
        }
    }
}

int snivhost_lean_needs_tickets(const snivhost_adoption_t *adoption)
{
    const sniv_table_t *table = adoption->table;
    int i, k;

    for (i = 0; i < table->nsets; i++) {
        const sniv_set_t *set = table->sets[i];

        if (!candidate_of(adoption, set->members[0])
                 ->conf->of[SNIVHOST_SET_TICKET_KEYS]) {
            continue;
        }
        for (k = 1; k < set->nmembers; k++) {
            if (candidate_of(adoption, set->members[k])->tls->how
                == SNIVHOST_TLS_LEAN) {
                return 1;
            }
        }
    }
    return 0;
}

/* ----- by the files ----- */

void snivhost_lean_files(const snivhost_tlsconf_t *conf,
                         sniv_cert_files_t *files)
{
    memset(files, 0, sizeof(*files));
    files->certs = (const char *const *)conf->certs->elts;
    files->ncerts = conf->certs->nelts;
    files->keys = (const char *const *)conf->keys->elts;
    files->nkeys = conf->keys->nelts;
    files->chain = conf->chain;
    files->level = conf->level;
}

/* What is in files (SNIV_CERT_*), as far as they can be read. */
static unsigned examine(const snivhost_tlsconf_t *conf, const char **file,
                        const char **reason, apr_pool_t *ptemp)
{
    sniv_cert_files_t files;
    sniv_cert_info_t info;

    snivhost_lean_files(conf, &files);
    if (sniv_certs_examine(&files, &info, file, reason, ptemp) == APR_SUCCESS)
        *reason = NULL;
    return info.flags;
}

/*
 * Files that the store cannot use. If mod_ssl can it shall; if not the server
 * would not start, and it is better that one virtual host is refused its
 * handshakes.
 */
static void judge_problem(snivhost_adoption_t *adoption,
                          snivhost_candidate_t *c, const char *file,
                          const char *reason)
{
    sniv_cert_files_t files;

    snivhost_lean_files(c->conf, &files);
    if (sniv_judge_stock(&files)) {
        refuse(adoption, c, "the certificate store cannot use its files",
               apr_psprintf(adoption->p, "the certificate store cannot use "
                            "%s: it %s", file, reason), NULL);
    }
    else {
        c->problem = apr_pstrdup(adoption->p, reason);
        c->problem_file = apr_pstrdup(adoption->p, file);
    }
}

/* What is in its files that only mod_ssl can do. */
static int judge_flags(snivhost_adoption_t *adoption,
                       snivhost_candidate_t *c, unsigned flags)
{
    if (flags & SNIV_CERT_ENCRYPTED_KEY)
        refuse(adoption, c, "its key needs a pass phrase", NULL, NULL);
    if (snivhost_tlsconf_is_on(c->conf, SNIVHOST_SET_STAPLING)
        && (flags & SNIV_CERT_OCSP_URI)) {
        refuse(adoption, c, "SSLUseStapling is on and its certificate names "
               "an OCSP responder", NULL,
               c->conf->of[SNIVHOST_SET_STAPLING]->node);
    }
    return c->reasons != NULL;
}

static void judge_files(snivhost_adoption_t *adoption,
                        snivhost_candidate_t *c, apr_pool_t *ptemp)
{
    const char *file = NULL, *reason;
    unsigned flags;

    if (c->is_judged)
        return;
    c->is_judged = 1;
    c->parameters = "";
    if (c->conf->certs->nelts == 0)
        return;
    if (c->tls->cert != SNIV_CERT_NONE) {
        flags = sniv_certs_flags(snivhost_store(), c->tls->cert);
        reason = sniv_certs_problem(snivhost_store(), c->tls->cert, &file);
    }
    else {
        flags = examine(c->conf, &file, &reason, ptemp);
    }

    if (flags & (SNIV_CERT_DH_PARAMETERS | SNIV_CERT_EC_PARAMETERS)) {
        c->parameters = snivhost_value_parameters(
            adoption->p, APR_ARRAY_IDX(c->conf->certs, 0, const char *));
    }
    if (!judge_flags(adoption, c, flags) && reason)
        judge_problem(adoption, c, file, reason);
}

/* ----- donors ----- */

/* OpenSSL looks for the chain of a certificate that has none in the CA files
 * of the SSL_CTX, unless that has the chain of SSLCertificateChainFile. */
static int looks_for_chain(const snivhost_candidate_t *c)
{
    return !c->conf->chain && (c->conf->of[SNIVHOST_SET_CA_FILE]
                               || c->conf->of[SNIVHOST_SET_CA_PATH]);
}

/* What those have in common whose SSL_CTX does for each other; an own chain
 * does for a virtual host that brings one, too. */
static const char *key_of(snivhost_adoption_t *adoption,
                          const snivhost_candidate_t *c, int has_chain)
{
    return snivhost_sharing_key(adoption->sharing, c->conf,
                                apr_pstrcat(adoption->ptemp, c->parameters
                                            ? c->parameters : "",
                                            has_chain ? " chain" : "", NULL));
}

/* One that mod_ssl sets up anyway, without anything that others must not
 * have. */
static int is_lender(const snivhost_candidate_t *c)
{
    return c->conf->engine && !snivhost_lean_is_possible(c) && !c->problem
           && c->conf->obstacles->nelts == 0
           && (c->conf->certs->nelts > 0 || c->conf->managed
               || snivhost_conf(c->s)->store.dirs);
}

static void add_donor(snivhost_adoption_t *adoption, apr_hash_t *donors,
                      snivhost_candidate_t *c)
{
    const char *key = key_of(adoption, c, c->conf->chain != NULL);

    if (!apr_hash_get(donors, key, APR_HASH_KEY_STRING))
        apr_hash_set(donors, key, APR_HASH_KEY_STRING, c);
}

/* Those with a reason against them, if another one has the same settings. */
static apr_hash_t *find_lenders(snivhost_adoption_t *adoption, int read_files,
                                apr_pool_t *ptemp)
{
    apr_hash_t *wanted = apr_hash_make(ptemp);
    apr_hash_t *donors = apr_hash_make(ptemp);
    int i;

    for (i = 0; i < adoption->table->nvhosts; i++) {
        const snivhost_candidate_t *c = &adoption->candidates[i];

        if (snivhost_lean_is_possible(c)) {
            apr_hash_set(wanted, snivhost_sharing_key(adoption->sharing,
                                                      c->conf, ""),
                         APR_HASH_KEY_STRING, c);
        }
    }
    for (i = 0; i < adoption->table->nvhosts; i++) {
        snivhost_candidate_t *c = &adoption->candidates[i];

        if (!is_lender(c)
            || !apr_hash_get(wanted, snivhost_sharing_key(adoption->sharing,
                                                          c->conf, ""),
                             APR_HASH_KEY_STRING)) {
            continue;
        }
        if (read_files && !c->parameters && c->conf->certs->nelts > 0) {
            c->parameters = snivhost_value_parameters(
                adoption->p, APR_ARRAY_IDX(c->conf->certs, 0, const char *));
        }
        add_donor(adoption, donors, c);
    }
    return donors;
}

static snivhost_candidate_t *donor_for(snivhost_adoption_t *adoption,
                                       const snivhost_candidate_t *c,
                                       apr_hash_t *donors)
{
    snivhost_candidate_t *donor = apr_hash_get(donors, key_of(adoption, c, 0),
                                               APR_HASH_KEY_STRING);

    if (!donor && !looks_for_chain(c)) {
        donor = apr_hash_get(donors, key_of(adoption, c, 1),
                             APR_HASH_KEY_STRING);
    }
    return donor;
}

/* Give each a donor. The first of its kind becomes one, but a virtual host
 * whose files would stop the server only where nothing else is left: so those
 * files are read also in the first of the two passes at start. */
static void pair(snivhost_adoption_t *adoption, apr_hash_t *donors,
                 int with_problem, apr_pool_t *ptemp)
{
    int i;

    for (i = 0; i < adoption->table->nvhosts; i++) {
        snivhost_candidate_t *c = &adoption->candidates[i];
        snivhost_candidate_t *donor;

        if (!snivhost_lean_is_possible(c) || !!c->problem != with_problem)
            continue;
        donor = donor_for(adoption, c, donors);
        if (!donor && !c->is_judged) {
            judge_files(adoption, c, ptemp);
            if (!snivhost_lean_is_possible(c) || c->problem)
                continue;
            donor = donor_for(adoption, c, donors);
        }
        if (donor) {
            c->donor = donor;
            donor->nusers++;
            c->tls->how = SNIVHOST_TLS_LEAN;
        }
        else {
            add_donor(adoption, donors, c);
        }
    }
}

/* ----- words ----- */

static const snivhost_candidate_t *
first_of(const snivhost_adoption_t *adoption, const snivhost_candidate_t *c)
{
    const sniv_table_t *table = adoption->table;
    int i, k;

    for (i = 0; i < table->nsets; i++) {
        for (k = 1; k < table->sets[i]->nmembers; k++) {
            if (candidate_of(adoption, table->sets[i]->members[k]) == c)
                return candidate_of(adoption, table->sets[i]->members[0]);
        }
    }
    return c;
}

/* Its settings are nobody else's. */
static void explain_differences(snivhost_adoption_t *adoption,
                                const snivhost_candidate_t *c,
                                const snivhost_candidate_t *first,
                                apr_array_header_t **reasons)
{
    static const char kind[] =
        "its TLS settings are not those of another one";
    apr_pool_t *p = adoption->p;
    const char *place = snivhost_place_text(adoption->ptemp, first->s);
    const char *before = "no other virtual host has its TLS settings: ";
    const apr_array_header_t *differences =
        snivhost_sharing_differs(adoption->sharing, c->conf, first->conf,
                                 adoption->ptemp);
    int i;

    for (i = 0; i < differences->nelts; i++) {
        const snivhost_tlsdiff_t *d = &APR_ARRAY_IDX(differences, i,
                                                        snivhost_tlsdiff_t);

        snivhost_reason_add(reasons, kind,
            d->own ? apr_pstrcat(p, before, d->name, SNIVHOST_REASON_PLACE
                                 " is not the same as in the first one of its "
                                 "address (", place, ")", NULL)
            : apr_pstrcat(p, before, "the first one of its address (", place,
                          ") has ", d->name, SNIVHOST_REASON_PLACE
                          " and it has none", NULL),
            d->own ? d->own : d->other, p);
        before = "";
    }
    if (differences->nelts == 0) {
        snivhost_reason_add(reasons, kind,
            apr_pstrcat(p, before, "DH or EC PARAMETERS in SSLCertificateFile "
                        "are not the same as in the first one of its address "
                        "(", place, ")", NULL), NULL, p);
    }
}

/* Nothing is against it, but mod_ssl has to make an SSL_CTX of its kind. */
static apr_array_header_t *explain_donor(snivhost_adoption_t *adoption,
                                         const snivhost_candidate_t *c)
{
    const char *kind = "its TLS settings are not those of another one";
    apr_array_header_t *reasons = NULL;
    apr_pool_t *p = adoption->p;
    const snivhost_candidate_t *first = first_of(adoption, c);

    if (c->nusers > 0) {
        snivhost_reason_add(&reasons, kind,
            apr_psprintf(p, "%d virtual host%s with the same TLS settings "
                         "use%s its TLS context", c->nusers,
                         c->nusers > 1 ? "s" : "", c->nusers > 1 ? "" : "s"),
            NULL, p);
    }
    else if (first != c && first->conf->obstacles->nelts > 0) {
        const snivhost_obstacle_t *obstacle =
            &APR_ARRAY_IDX(first->conf->obstacles, 0, snivhost_obstacle_t);

        snivhost_reason_add(&reasons, kind,
            apr_psprintf(p, "no other virtual host has its TLS settings, and "
                         "those of the first one of its address (%s) are for "
                         "that one alone: %s",
                         snivhost_place_text(adoption->ptemp, first->s),
                         obstacle->what), obstacle->node, p);
    }
    else {
        explain_differences(adoption, c, first, &reasons);
    }
    return reasons;
}

/* Of one that is not lean. */
static const apr_array_header_t *explain(snivhost_adoption_t *adoption,
                                         const snivhost_candidate_t *c)
{
    return c->reasons || c->tls->how == SNIVHOST_TLS_NONE
           ? c->reasons : explain_donor(adoption, c);
}

void snivhost_lean_explain(snivhost_adoption_t *adoption)
{
    int i;

    for (i = 0; i < adoption->table->nvhosts; i++) {
        const snivhost_candidate_t *c = &adoption->candidates[i];

        c->tls->why_not = c->tls->how == SNIVHOST_TLS_LEAN || !c->asked
                          ? NULL : explain(adoption, c);
    }
}

const char *snivhost_lean_text(snivhost_adoption_t *adoption,
                               const snivhost_candidate_t *c)
{
    return snivhost_reasons_text(explain(adoption, c), adoption->ptemp);
}

static void find_donors(snivhost_adoption_t *adoption, int read_files,
                        apr_pool_t *ptemp)
{
    apr_hash_t *donors;
    int i;

    for (i = 0; i < adoption->table->nvhosts; i++) {
        snivhost_candidate_t *c = &adoption->candidates[i];

        if (c->conf->engine)
            c->tls->how = SNIVHOST_TLS_STOCK;
        c->donor = NULL;
        c->nusers = 0;
    }
    donors = find_lenders(adoption, read_files, ptemp);
    pair(adoption, donors, 0, ptemp);
    pair(adoption, donors, 1, ptemp);

    adoption->ntls = adoption->nlean = 0;
    for (i = 0; i < adoption->table->nvhosts; i++) {
        snivhost_candidate_t *c = &adoption->candidates[i];

        if (!c->conf->engine)
            continue;
        c->tls->donor = c->donor ? c->donor->s : NULL;
        c->tls->protocol_set = snivhost_sharing_limits(c->conf,
                                                       &c->tls->min_version,
                                                       &c->tls->max_version);
        c->tls->auto_chain = looks_for_chain(c);
        adoption->ntls++;
        adoption->nlean += c->tls->how == SNIVHOST_TLS_LEAN;
    }
}

/* ----- by what other modules provide ----- */

/* mod_ssl's list and SSLCertificateFile have the same text for a file. */
static const char *odd_path(const apr_array_header_t *files, int from,
                            apr_pool_t *p)
{
    int i;

    for (i = from; i < files->nelts; i++) {
        const char *path = APR_ARRAY_IDX(files, i, const char *);
        const char *full = ap_server_root_relative(p, path);

        if (!full || strcmp(full, path))
            return path;
    }
    return NULL;
}

static const apr_array_header_t *added(const apr_array_header_t *files, int n,
                                       apr_pool_t *p)
{
    apr_array_header_t *more = apr_array_make(p, 2, sizeof(const char *));

    for (; n < files->nelts; n++)
        APR_ARRAY_PUSH(more, const char *) = APR_ARRAY_IDX(files, n,
                                                           const char *);
    return more;
}

/* With files that were added mod_ssl forgets SSLCertificateChainFile. */
static void provide(snivhost_adoption_t *adoption, snivhost_candidate_t *c)
{
    apr_pool_t *p = adoption->p;
    apr_array_header_t *certs = apr_array_copy(p, c->conf->certs);
    apr_array_header_t *keys = apr_array_copy(p, c->conf->keys);
    snivhost_tlsconf_t *conf;
    const char *odd;

    if (snivhost_provided_add(c->s, certs, keys, p)) {
        odd = odd_path(certs, c->conf->certs->nelts, p);
        if (!odd)
            odd = odd_path(keys, c->conf->keys->nelts, p);
        if (odd) {
            refuse(adoption, c, "another module names a file with a path "
                   "that is not absolute, or not in its shortest form",
                   apr_psprintf(p, "another module names a file with a path "
                                "that is not absolute, or not in its shortest "
                                "form: %s", odd), NULL);
        }
        c->more_certs = added(certs, c->conf->certs->nelts, p);
        c->more_keys = added(keys, c->conf->keys->nelts, p);
        conf = apr_pmemdup(p, c->conf, sizeof(*conf));
        conf->certs = certs;
        conf->keys = keys;
        conf->chain = NULL;
        c->conf = conf;
    }
    else if (c->conf->certs->nelts == 0
             && !snivhost_conf(c->s)->store.dirs) {
        c->waits = 1;
        refuse(adoption, c, "mod_md has no certificate for it yet (mod_ssl "
               "uses a temporary one until a restart finds one)", NULL,
               NULL);
    }
}

void snivhost_lean_ask(snivhost_adoption_t *adoption, apr_pool_t *ptemp)
{
    int i;

    if (!snivhost_provided_any())
        return;
    for (i = 0; i < adoption->table->nvhosts; i++) {
        if (adoption->candidates[i].conf->engine)
            provide(adoption, &adoption->candidates[i]);
    }
    find_donors(adoption, 0, ptemp);
}

/* In its section, not in the main server. */
static int has_own_certificate(const snivhost_tlsconf_t *conf)
{
    const ap_directive_t *node = conf->node ? conf->node->first_child : NULL;

    while (node && ap_cstr_casecmp(node->directive, "SSLCertificateFile"))
        node = node->next;
    return node != NULL;
}

void snivhost_lean_by_directives(snivhost_adoption_t *adoption,
                                 apr_pool_t *ptemp)
{
    int i;

    for (i = 0; i < adoption->table->nvhosts; i++) {
        snivhost_candidate_t *c = &adoption->candidates[i];

        if (c->conf->engine)
            judge_alone(adoption, c);
        else if (!c->conf->engine_said && has_own_certificate(c->conf)) {
            refuse(adoption, c, "it has a certificate, but neither SSLEngine "
                   "on nor a Listen line with https for exactly its address",
                   NULL, NULL);
        }
    }
    judge_sets(adoption);
    find_donors(adoption, 0, ptemp);
}

void snivhost_lean_by_files(snivhost_adoption_t *adoption, apr_pool_t *ptemp)
{
    /* An obstacle is enough to decide; whoever asks for reasons gets all */
    int all = APLOGdebug(ap_server_conf)
              || ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST;
    apr_pool_t *each;
    int i;

    apr_pool_create(&each, ptemp);
    for (i = 0; i < adoption->table->nvhosts; i++) {
        snivhost_candidate_t *c = &adoption->candidates[i];

        if (snivhost_lean_is_possible(c)) {
            judge_files(adoption, c, each);
        }
        else if (all && c->conf->engine && c->asked
                 && c->conf->obstacles->nelts > 0
                 && c->conf->certs->nelts > 0) {
            const char *file, *reason;

            judge_flags(adoption, c, examine(c->conf, &file, &reason, each));
        }
        apr_pool_clear(each);
    }
    apr_pool_destroy(each);
    find_donors(adoption, 1, ptemp);
}

/* ----- the log ----- */

/* The reason that most of those have that are not lean. */
static const char *commonest(const snivhost_adoption_t *adoption, int *pcount,
                             apr_pool_t *ptemp)
{
    apr_hash_t *counts = apr_hash_make(ptemp);
    const char *most = NULL;
    int i;

    *pcount = 0;
    for (i = 0; i < adoption->table->nvhosts; i++) {
        const snivhost_candidate_t *c = &adoption->candidates[i];
        const char *kind;
        int *n;

        if (c->tls->how != SNIVHOST_TLS_STOCK || !c->asked)
            continue;
        kind = APR_ARRAY_IDX(c->tls->why_not, 0, snivhost_reason_t).kind;
        n = apr_hash_get(counts, kind, APR_HASH_KEY_STRING);
        if (!n) {
            n = apr_pcalloc(ptemp, sizeof(*n));
            apr_hash_set(counts, kind, APR_HASH_KEY_STRING, n);
        }
        if (++*n > *pcount) {
            *pcount = *n;
            most = kind;
        }
    }
    return most;
}

void snivhost_lean_report(const snivhost_adoption_t *adoption, server_rec *s,
                          apr_pool_t *ptemp)
{
    const char *why = "";
    int i, n;

    if (adoption->nlean < adoption->ntls - adoption->ntls / 10) {
        const char *most = commonest(adoption, &n, ptemp);

        if (most) {
            why = apr_psprintf(ptemp, ". The most frequent reason, for %d of "
                               "the others: %s (LogLevel snivhost:debug logs "
                               "all reasons)", n,
                               most);
        }
    }
    ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s, "SNIV0202: "
                 "adopted %d of %d TLS virtual hosts as lean%s",
                 adoption->nlean, adoption->ntls, why);
    for (i = 0; i < adoption->table->nvhosts; i++) {
        const snivhost_candidate_t *c = &adoption->candidates[i];

        if (c->tls->why_not && APLOGdebug(s)) {
            ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, s, "SNIV0203: "
                         "not lean: virtual host %s (%s): %s",
                         c->s->server_hostname,
                         snivhost_place_text(ptemp, c->s),
                         snivhost_reasons_text(c->tls->why_not, ptemp));
        }
    }
}
