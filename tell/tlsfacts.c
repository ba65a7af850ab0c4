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

#include "tell/tlsfacts.h"

#include "apr_strings.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "serve/cert.h"
#include "tls/adopt.h"
#include "tls/renewal.h"
#include "tls/store.h"

/* ----- certificates in memory ----- */

static int describe_x509(sniv_cert_info_t *info, X509 *x, apr_pool_t *p)
{
    unsigned char *der = NULL;
    int len = x ? i2d_X509(x, &der) : 0;
    int is_read = len > 0
                  && sniv_certs_describe(info, der, (apr_size_t)len, p);

    OPENSSL_free(der);
    return is_read;
}

/* Describe what an SSL_CTX serves. An SSL of its own, because walking
 * through the certificates of the context itself would change it. */
static int describe_context(SSL_CTX *ctx, sniv_cert_info_t *info,
                            apr_pool_t *p)
{
    SSL *ssl = SSL_new(ctx);
    STACK_OF(X509) *chain = NULL;
    int more, n = 0;

    memset(info, 0, sizeof(*info));
    info->id = SNIV_CERT_NONE;
    info->scope = SNIV_SCOPE_NONE;
    if (!ssl)
        return 0;
    for (more = (int)SSL_set_current_cert(ssl, SSL_CERT_SET_FIRST); more;
         more = (int)SSL_set_current_cert(ssl, SSL_CERT_SET_NEXT)) {
        n += describe_x509(info, SSL_get_certificate(ssl), p);
        SSL_get0_chain_certs(ssl, &chain);
        if (sk_X509_num(chain) <= 0)
            info->flags |= SNIV_CERT_NO_CHAIN;
    }
    SSL_free(ssl);
    ERR_clear_error();
    return n > 0;
}

/* ----- the TLS of a virtual host ----- */

/* The files that the directives name, certificates first, each once. */
static void take_files(sniv_cert_info_t *info, const snivhost_tlsconf_t *conf,
                       apr_pool_t *p)
{
    apr_array_header_t *files = apr_array_make(p, 4, sizeof(const char *));
    int i;

    for (i = 0; i < conf->certs->nelts; i++) {
        APR_ARRAY_PUSH(files, const char *)
            = APR_ARRAY_IDX(conf->certs, i, const char *);
    }
    for (i = 0; i < conf->keys->nelts; i++) {
        APR_ARRAY_PUSH(files, const char *)
            = APR_ARRAY_IDX(conf->keys, i, const char *);
    }
    info->files = (const char *const *)files->elts;
    info->nfiles = files->nelts;
}

static void cert_from_files(const snivhost_tlsconf_t *conf,
                            snivhost_tls_facts_t *tls, apr_pool_t *p)
{
    sniv_cert_files_t files;
    apr_status_t rv;

    /* It may take the place of that of SSLCertificateFile. */
    if (conf->managed) {
        tls->problem = "mod_md provides the certificate when the server runs";
        return;
    }
    if (conf->certs->nelts == 0) {
        tls->problem = "no SSLCertificateFile is in effect";
        return;
    }
    files.certs = (const char *const *)conf->certs->elts;
    files.ncerts = conf->certs->nelts;
    files.keys = (const char *const *)conf->keys->elts;
    files.nkeys = conf->keys->nelts;
    files.chain = conf->chain;
    files.level = conf->level;
    rv = sniv_certs_examine(&files, &tls->cert, &tls->problem_file,
                            &tls->problem, p);
    tls->has_cert = rv == APR_SUCCESS;
}

static void cert_from_store(sniv_cert_id_t id, snivhost_tls_facts_t *tls,
                            apr_pool_t *p)
{
    tls->has_cert = sniv_certs_info(snivhost_store(), id, &tls->cert, p)
                    == APR_SUCCESS;
    tls->problem = tls->has_cert ? NULL
                                 : "its certificate files cannot be used";
}

/* A virtual host without certificate files: by its names, as the store finds
 * one for mod_ssl. */
static void cert_from_folders(server_rec *s, snivhost_tls_facts_t *tls,
                              apr_pool_t *p)
{
    sniv_cert_id_t id = snivhost_store_find(snivhost_store(),
                                            snivhost_conf(s)->store.scope, s);

    if (id != SNIV_CERT_NONE)
        cert_from_store(id, tls, p);
    else
        tls->problem = "SNIVHostCertificates has none for its names";
}

void snivhost_facts_tls(const snivhost_facts_t *facts, server_rec *s,
                        int with_cert, snivhost_tls_facts_t *tls,
                        apr_pool_t *p)
{
    SSL_CTX *ctx = facts->is_live ? snivhost_conf(s)->ssl_ctx : NULL;
    const snivhost_tls_t *judged = snivhost_adopt_get(s);
    const snivhost_tlsconf_t *conf;
    sniv_cert_id_t id;

    memset(tls, 0, sizeof(*tls));
    tls->how = "none";
    if (!snivhost_facts_has_context(facts, s))
        return;

    conf = snivhost_tlsconf_get(facts->tls, s);
    tls->how = "mod_ssl";
    if (judged && judged->how == SNIVHOST_TLS_LEAN)
        tls->how = "lean";
    else if (judged) {
        tls->reasons = judged->why_not;
        tls->why_not = snivhost_reasons_text(judged->why_not, p);
        tls->restart = judged->restart;
    }
    tls->source = conf->managed ? "mod_md"
                  : conf->certs->nelts ? "files"
                  : snivhost_conf(s)->store.dirs ? "folders" : NULL;
    if (!with_cert)
        return;
    if (snivhost_store() && judged && judged->how == SNIVHOST_TLS_LEAN
        && judged->cert != SNIV_CERT_NONE) {
        cert_from_store(judged->cert, tls, p);
        if (!tls->has_cert && !facts->is_live)
            cert_from_files(conf, tls, p);      /* which says why */
    }
    else if (ctx && snivhost_store()
             && (id = snivhost_renewal_entry(s)) != SNIV_CERT_NONE) {
        cert_from_store(id, tls, p);
    }
    else if (ctx) {
        tls->has_cert = describe_context(ctx, &tls->cert, p);
        if (tls->has_cert)
            take_files(&tls->cert, conf, p);
        else
            tls->problem = "mod_ssl has no certificate for it";
    }
    else if (conf->certs->nelts == 0 && snivhost_store()
             && snivhost_conf(s)->store.dirs) {
        cert_from_folders(s, tls, p);
    }
    else {
        cert_from_files(conf, tls, p);
        if (tls->why_not && !tls->restart && snivhost_store_is_renewed())
            tls->restart = snivhost_renewal_by_flags(conf, tls->cert.flags);
    }
}

/* A lean virtual host whose own files cannot be used: see cert_callback(). */
static void refuse_handshake(const snivhost_facts_t *facts, server_rec *s,
                             snivhost_tls_facts_t *tls, apr_pool_t *p)
{
    if (!facts->is_live)
        cert_from_files(snivhost_tlsconf_get(facts->tls, s), tls, p);
    tls->has_cert = 0;
    tls->is_refused = 1;
    if (!tls->problem || facts->is_live) {
        tls->problem = "its certificate files cannot be used (SNIV0301 in the "
                       "error log says why)";
    }
}

/* What a folder would have had for a name, if the virtual host had no
 * certificate of its own. */
static void find_unused(server_rec *s, const char *sni,
                        snivhost_tls_facts_t *tls, apr_pool_t *p)
{
    const sniv_scope_t scope = snivhost_conf(s)->store.scope;
    sniv_cert_info_t info;
    sniv_cert_id_t id;

    if (!snivhost_store() || !sni || scope == SNIV_SCOPE_NONE)
        return;
    id = sniv_certs_find(snivhost_store(), scope, sni, strlen(sni),
                         apr_time_now());
    if (id != SNIV_CERT_NONE
        && sniv_certs_info(snivhost_store(), id, &info, p) == APR_SUCCESS
        && info.nfiles) {
        tls->unused = info.files[0];
    }
}

/* Those that a client with other kinds of keys gets. */
static void add_kinds(const server_rec *s, const char *sni,
                      sniv_cert_id_t id, snivhost_tls_facts_t *tls,
                      apr_pool_t *p)
{
    sniv_cert_id_t ids[SNIV_KINDS];
    int i, n = snivhost_cert_kinds(s, sni, id, ids);

    for (i = 1; i < n; i++) {
        const int had = tls->cert.nfiles;

        sniv_certs_info_also(snivhost_store(), ids[i], &tls->cert, p);
        if (tls->cert.nfiles > had) {
            tls->also = apr_pstrcat(p, tls->also ? tls->also : "",
                                    tls->also ? ", " : "",
                                    tls->cert.files[had], NULL);
        }
    }
}

void snivhost_facts_handshake(const snivhost_facts_t *facts,
                              const sniv_decision_t *d, const char *sni,
                              snivhost_tls_facts_t *tls, apr_pool_t *p)
{
    server_rec *first = d->set ? d->set->members[0]->server
                               : facts->table->main_server->server;
    server_rec *s = SNIVHOST_SERVER(d);
    const snivhost_tls_t *judged = snivhost_adopt_get(s);
    const int is_lean = judged && judged->how == SNIVHOST_TLS_LEAN;
    sniv_cert_id_t id = SNIV_CERT_NONE;
    server_rec *owner = s;      /* of the context: see context_of() */

    if (is_lean && (facts->is_live
                    || !snivhost_tlsconf_get(facts->tls, s)->managed))
        owner = judged->donor ? judged->donor : first;
    else if (!snivhost_facts_has_context(facts, s))
        owner = first;
    if (snivhost_store()) {
        id = snivhost_cert_entry(s, first, d->is_known, sni,
                                 sni ? strlen(sni) : 0);
    }
    if (id != SNIV_CERT_NONE) {
        snivhost_facts_tls(facts, s, 0, tls, p);
        cert_from_store(id, tls, p);
        tls->of = tls->cert.scope == SNIV_SCOPE_NONE
                  && !(is_lean && judged->cert == id) ? owner : s;
        if (tls->has_cert) {
            add_kinds(s, sni, id, tls, p);
            if (tls->cert.scope != SNIV_SCOPE_NONE)
                tls->source = "folders";
            else
                find_unused(s, sni, tls, p);
            return;
        }
        if (is_lean && judged->cert == id) {
            refuse_handshake(facts, s, tls, p);
            return;
        }
    }
    snivhost_facts_tls(facts, owner, 1, tls, p);
    tls->of = owner;
    if (snivhost_conf(owner)->store.is_standin) {
        tls->is_refused = 1;
        tls->has_cert = 0;
        tls->problem = "SNIVHostCertificates has none for its names";
    }
    if (!snivhost_conf(owner)->store.is_first)
        find_unused(owner, sni, tls, p);
}

int snivhost_facts_has_context(const snivhost_facts_t *facts, server_rec *s)
{
    return facts->tls && snivhost_sslpolicy_has_context(facts->tls, s);
}

int snivhost_facts_speaks_tls(const snivhost_facts_t *facts, server_rec *s)
{
    return facts->tls && snivhost_sslpolicy_enabled(facts->tls, s);
}
