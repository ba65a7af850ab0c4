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

#include "tls/renewal.h"

#include "apr_strings.h"

#include "module/words.h"
#include "tls/library.h"
#include "tls/store.h"

/* ----- who ----- */

/* A line that makes more of a certificate than its files hold, or NULL. */
static const char *obstacle_text(const snivhost_tlsconf_t *conf,
                                 apr_pool_t *p)
{
    int i;

    for (i = 0; i < conf->obstacles->nelts; i++) {
        const snivhost_obstacle_t *obstacle =
            &APR_ARRAY_IDX(conf->obstacles, i, snivhost_obstacle_t);

        if (obstacle->is_of_clients)
            continue;
        return obstacle->node
               ? apr_psprintf(p, "%s (%s:%d)", obstacle->what,
                              obstacle->node->filename,
                              obstacle->node->line_num)
               : obstacle->what;
    }
    return NULL;
}

static const char *by_directives(const snivhost_adoption_t *adoption,
                                 const snivhost_candidate_t *c)
{
    if (!snivhost_library_is_shared())
        return "mod_ssl uses another OpenSSL than mod_snivhost";
    if (c->by_hand < 0)
        return "SNIVHostTLS Off";
    if (c->conf->managed)
        return "mod_md manages one of its names";
    if (c->conf->certs->nelts == 0 && !snivhost_conf(c->s)->store.dirs)
        return "it has no SSLCertificateFile";
    return obstacle_text(c->conf, adoption->p);
}

void snivhost_renewal_by_directives(const snivhost_adoption_t *adoption)
{
    int i;

    for (i = 0; i < adoption->table->nvhosts; i++) {
        const snivhost_candidate_t *c = &adoption->candidates[i];

        if (c->conf->engine && c->asked && snivhost_store_is_renewed())
            c->tls->restart = by_directives(adoption, c);
    }
}

const char *snivhost_renewal_by_flags(const snivhost_tlsconf_t *conf,
                                      unsigned flags)
{
    return flags & SNIV_CERT_ENCRYPTED_KEY ? "its key needs a pass phrase"
           : flags & SNIV_CERT_MUST_STAPLE
             ? "its certificate requires a staple"
           : (flags & SNIV_CERT_OCSP_URI)
             && snivhost_tlsconf_is_on(conf, SNIVHOST_SET_STAPLING)
             ? "SSLUseStapling is on and its certificate names an OCSP "
               "responder"
           : NULL;
}

static const char *by_files(const snivhost_adoption_t *adoption,
                            const snivhost_candidate_t *c)
{
    const char *file = NULL;
    const char *reason = snivhost_renewal_by_flags(
        c->conf, sniv_certs_flags(snivhost_store(), c->tls->cert));

    if (reason)
        return reason;
    reason = sniv_certs_problem(snivhost_store(), c->tls->cert, &file);
    return reason ? apr_psprintf(adoption->p, "the certificate store cannot "
                                 "use %s: it %s", file, reason)
                  : NULL;
}

/* One without files is served from folders. */
int snivhost_renewal_is_possible(const snivhost_candidate_t *c)
{
    return c->conf->engine && c->asked && snivhost_store_is_renewed()
           && c->conf->certs->nelts > 0 && !c->tls->restart;
}

void snivhost_renewal_by_files(const snivhost_adoption_t *adoption)
{
    int i;

    for (i = 0; i < adoption->table->nvhosts; i++) {
        const snivhost_candidate_t *c = &adoption->candidates[i];
        snivhost_tls_t *tls = c->tls;

        if (tls->how != SNIVHOST_TLS_STOCK || tls->cert == SNIV_CERT_NONE
            || !snivhost_renewal_is_possible(c)) {
            continue;
        }
        tls->restart = by_files(adoption, c);
        if (!tls->restart) {
            tls->renewed = tls->cert;
            tls->loaded = sniv_certs_version(snivhost_store(), tls->cert);
        }
    }
}

int snivhost_renewal_any(const snivhost_adoption_t *adoption)
{
    int i;

    for (i = 0; i < adoption->table->nvhosts; i++) {
        if (adoption->candidates[i].tls->renewed != SNIV_CERT_NONE)
            return 1;
    }
    return 0;
}

/* ----- the log ----- */

void snivhost_renewal_report(const snivhost_adoption_t *adoption,
                             server_rec *s, apr_pool_t *ptemp)
{
    const char *first = NULL;
    int i, n = 0;

    for (i = 0; i < adoption->table->nvhosts; i++) {
        const snivhost_candidate_t *c = &adoption->candidates[i];

        if (c->tls->how != SNIVHOST_TLS_STOCK || !c->tls->restart)
            continue;
        if (n++ == 0) {
            first = apr_psprintf(ptemp, "%s (%s): %s", c->s->server_hostname,
                                 snivhost_place_text(ptemp, c->s),
                                 c->tls->restart);
        }
        ap_log_error(APLOG_MARK, APLOG_DEBUG, 0, s, "SNIV0356: "
                     "a renewed certificate requires a restart: virtual host "
                     "%s (%s): %s", c->s->server_hostname,
                     snivhost_place_text(ptemp, c->s), c->tls->restart);
    }
    if (n > 0) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s, "SNIV0355: "
                     "renewed certificates of %d of %d TLS virtual hosts are "
                     "served only after a restart. The first one: %s%s", n,
                     adoption->ntls, first, n > 1 ? " (LogLevel "
                     "snivhost:debug logs all)" : "");
    }
}

/* ----- as mod_ssl has it ----- */

void snivhost_renewal_loaded(const server_rec *s, SSL_CTX *ctx)
{
    snivhost_tls_t *tls = snivhost_conf(s)->tls;

    if (!tls || tls->renewed == SNIV_CERT_NONE
        || sniv_certs_has_all(snivhost_store(), tls->renewed, ctx)) {
        return;
    }
    tls->renewed = SNIV_CERT_NONE;
    tls->restart = "mod_ssl has another certificate than its files";
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "SNIV0357: "
                 "virtual host %s (%s:%u): mod_ssl has another certificate "
                 "than SSLCertificateFile: the file was replaced during the "
                 "start, or another module provides the certificate. A "
                 "renewed one is served only after a restart",
                 s->server_hostname, s->defn_name, s->defn_line_number);
}

sniv_cert_id_t snivhost_renewal_entry(const server_rec *s)
{
    const snivhost_tls_t *tls = snivhost_conf(s)->tls;

    return tls && tls->renewed != SNIV_CERT_NONE
           && sniv_certs_version(snivhost_store(), tls->renewed)
              != tls->loaded ? tls->renewed : SNIV_CERT_NONE;
}
