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

#include "serve/cert.h"

#include "apr_strings.h"

#include "module/counters.h"
#include "module/limit.h"
#include "module/stock.h"
#include "module/words.h"
#include "serve/acme.h"
#include "serve/donor.h"
#include "serve/refuse.h"
#include "tls/adopt.h"
#include "tls/first.h"
#include "tls/renewal.h"
#include "tls/store.h"

static sniv_cert_id_t find(const server_rec *s, const char *name,
                           apr_size_t len)
{
    sniv_scope_t scope = snivhost_conf(s)->store.scope;

    return name && scope != SNIV_SCOPE_NONE
           ? sniv_certs_find(snivhost_store(), scope, name, len,
                             apr_time_now())
           : SNIV_CERT_NONE;
}

/*
 * What a virtual host without SSLCertificateFile has in its SSL_CTX, as the
 * folders have it now: it may have been renewed.
 */
static sniv_cert_id_t find_first(const server_rec *s)
{
    return snivhost_conf(s)->store.is_first
           ? snivhost_store_find(snivhost_store(),
                                 snivhost_conf(s)->store.scope, s)
           : SNIV_CERT_NONE;
}

/* Whose SSL_CTX the handshake continues with: the virtual host's own, that of
 * its donor, or of the first. */
static const server_rec *context_of(const server_rec *s,
                                    const server_rec *base)
{
    const snivhost_tls_t *tls = snivhost_adopt_get(s);

    if (tls && tls->how == SNIVHOST_TLS_LEAN && tls->donor)
        s = tls->donor;
    return snivhost_conf(s)->ssl_ctx ? s : base;
}

sniv_cert_id_t snivhost_cert_entry(const server_rec *s,
                                   const server_rec *base, int is_known,
                                   const char *name, apr_size_t len)
{
    const snivhost_tls_t *tls = snivhost_adopt_get(s);
    int is_lean = tls && tls->how == SNIVHOST_TLS_LEAN;
    sniv_cert_id_t cert;

    if (is_lean && tls->cert != SNIV_CERT_NONE)
        return tls->cert;
    if (is_known && !is_lean && !snivhost_conf(s)->store.is_first)
        return snivhost_renewal_entry(context_of(s, base));
    cert = find(s, name, len);
    if (cert == SNIV_CERT_NONE)
        cert = find_first(is_lean ? base : s);
    return cert == SNIV_CERT_NONE
           ? snivhost_renewal_entry(context_of(s, base)) : cert;
}

/* A certificate of the store is served, or the context's where there could
 * have been one. */
static void count_served(snivhost_conn_t *conn)
{
    const server_rec *s = SNIVHOST_SERVER(&conn->sni);
    const snivhost_tls_t *tls = snivhost_adopt_get(s);

    if (conn->counted)
        return;                 /* a renegotiation */
    conn->counted = 1;
    if (conn->cert != SNIV_CERT_NONE) {
        snivhost_count(conn->c, SNIVHOST_COUNT_STORE_HIT);
    }
    else if (snivhost_store_serves(s)
             && (!conn->sni.is_known
                 || (tls && tls->how == SNIVHOST_TLS_LEAN))) {
        if (conn->hello == SNIV_HELLO_NAME)
            snivhost_count(conn->c, SNIVHOST_COUNT_STORE_MISS);
        snivhost_count(conn->c, SNIVHOST_COUNT_STORE_FALLBACK);
    }
}

void snivhost_cert_choose(snivhost_conn_t *conn, const char *name,
                          apr_size_t len)
{
    conn->cert = snivhost_store()
                 ? snivhost_cert_entry(SNIVHOST_SERVER(&conn->sni),
                                       conn->base, conn->sni.is_known, name,
                                       len)
                 : SNIV_CERT_NONE;
}

/*
 * The virtual host that mod_ssl does the handshake for, and the entry.
 */
static server_rec *server_of(conn_rec *c, const snivhost_conn_t *conn,
                             SSL *ssl, sniv_cert_id_t *cert)
{
    server_rec *found = NULL, *s;
    const char *name;

    if (conn && conn->hello_seen) {
        *cert = conn->cert;
        return SNIVHOST_SERVER(&conn->sni);
    }
    name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name)
        found = snivhost_search_sni(c, name);
    s = found ? found : c->base_server;
    *cert = snivhost_cert_entry(s, c->base_server, found != NULL, name,
                                name ? strlen(name) : 0);
    return s;
}

/* In TLS 1.3 mod_md's certificate for a challenge (RFC 8737) is in place by
 * now: another one than the context's. The protocol alone says nothing, it is
 * the client's word. */
static int is_challenge(const SSL *ssl)
{
    static const char acme[] = "acme-tls/1";
    const unsigned char *alpn = NULL;
    unsigned int len = 0;

    SSL_get0_alpn_selected(ssl, &alpn, &len);
    return len == sizeof(acme) - 1 && !memcmp(alpn, acme, len)
           && SSL_get_certificate(ssl)
              != SSL_CTX_get0_certificate(SSL_get_SSL_CTX(ssl));
}

static void say_broken(conn_rec *c, const server_rec *s, apr_status_t rv,
                       const char *reason)
{
    static snivhost_limit_t limit;
    apr_uint32_t unsaid;

    if (!snivhost_may_say(&limit, &unsaid))
        return;
    ap_log_cerror(APLOG_MARK, APLOG_ERR, rv, c, "SNIV0111: "
                  "handshake refused: the certificate of virtual host %s (%s) "
                  "cannot be used: it %s%s", s->server_hostname,
                  snivhost_place_text(c->pool, s),
                  reason ? reason : "is broken",
                  snivhost_unsaid_text(c->pool, unsaid));
}

/* The reason was logged when the files were read. */
static void say_missing(conn_rec *c, const server_rec *s)
{
    static snivhost_limit_t limit;
    apr_uint32_t unsaid;

    if (!APLOGcinfo(c) || !snivhost_may_say(&limit, &unsaid))
        return;
    ap_log_cerror(APLOG_MARK, APLOG_INFO, 0, c, "SNIV0110: "
                  "handshake refused: virtual host %s (%s) has no certificate "
                  "that can be used%s", s->server_hostname,
                  snivhost_place_text(c->pool, s),
                  snivhost_unsaid_text(c->pool, unsaid));
}

/* Where a file has no chain OpenSSL looks for one, as it does in an SSL_CTX of
 * mod_ssl's; we have said that there is none. */
static void look_for_chains(SSL *ssl)
{
    STACK_OF(X509) *chain;
    int more;

    for (more = SSL_set_current_cert(ssl, SSL_CERT_SET_FIRST); more == 1;
         more = SSL_set_current_cert(ssl, SSL_CERT_SET_NEXT)) {
        if (SSL_get0_chain_certs(ssl, &chain) && sk_X509_num(chain) <= 0)
            SSL_set0_chain(ssl, NULL);
    }
}

/* Of an entry of SSLCertificateFiles. */
static int looks_for_chains(const server_rec *s, const server_rec *base,
                            sniv_cert_id_t cert)
{
    const snivhost_tls_t *tls = snivhost_adopt_get(s);

    if (tls && tls->cert == cert)
        return tls->auto_chain;
    tls = snivhost_adopt_get(context_of(s, base));
    return tls && tls->renewed == cert && tls->auto_chain;
}

/* 0: the handshake has to fail, the context's is another site's. */
static int install(conn_rec *c, server_rec *s, SSL *ssl, sniv_cert_id_t *cert)
{
    const char *reason = NULL;
    apr_status_t rv = sniv_certs_install(snivhost_store(), *cert, ssl,
                                         &reason);
    const snivhost_tls_t *tls = snivhost_adopt_get(s);

    if (rv == APR_SUCCESS) {
        if (looks_for_chains(s, c->base_server, *cert))
            look_for_chains(ssl);
        return 1;
    }
    if (rv == APR_NOTFOUND && (!tls || tls->cert != *cert)) {
        *cert = SNIV_CERT_NONE;         /* gone from its folder, just now */
        return 1;
    }
    snivhost_count(c, SNIVHOST_COUNT_STORE_REFUSED);
    if (rv == APR_NOTFOUND)
        say_missing(c, s);
    else
        say_broken(c, s, rv, reason);
    return 0;
}

/* Whether the SSL_CTX has a certificate that must not be sent. */
static int has_standin(const conn_rec *c, const server_rec *s, const SSL *ssl)
{
    const server_rec *of = context_of(s, c->base_server);

    return snivhost_first_is_standin(of)
           && snivhost_conf(of)->ssl_ctx == SSL_get_SSL_CTX(ssl);
}

int snivhost_cert_kinds(const server_rec *s, const char *name,
                        sniv_cert_id_t cert, sniv_cert_id_t ids[SNIV_KINDS])
{
    int n;

    if (!snivhost_store_serves(s))
        return 0;
    if (!name)
        name = s->server_hostname;
    n = sniv_certs_find_kinds(snivhost_store(),
                              snivhost_conf(s)->store.scope, name,
                              strlen(name), apr_time_now(), ids);
    return ids[0] == cert ? n : 0;
}

/* OpenSSL chooses by what the client takes. */
static void install_kinds(const server_rec *s, SSL *ssl, sniv_cert_id_t cert)
{
    sniv_cert_id_t ids[SNIV_KINDS];
    int i, n;

    n = snivhost_cert_kinds(s, SSL_get_servername(ssl,
                                                  TLSEXT_NAMETYPE_host_name),
                            cert, ids);
    for (i = 1; i < n; i++)
        sniv_certs_install_also(snivhost_store(), ids[i], ssl);
}

static int cert_callback(SSL *ssl, void *dummy)
{
    conn_rec *c = SSL_get_app_data(ssl);
    snivhost_conn_t *conn;
    sniv_cert_id_t cert;
    server_rec *s;
    int rv;

    (void)dummy;
    if (!c || is_challenge(ssl))
        return 1;
    conn = snivhost_conn(c);
    if (conn && (rv = snivhost_acme_install(conn, ssl)) != 0)
        return rv > 0;
    if (conn && conn->challenge_only) {
        snivhost_refuse_no_challenge(conn);
        return 0;
    }
    /* A renegotiation stays with its virtual host, as in mod_ssl. */
    if (conn && conn->has_cert)
        return 1;
    s = server_of(c, conn, ssl, &cert);
    if (!conn)
        snivhost_donor_use_late(s, ssl);
    if (cert != SNIV_CERT_NONE && !install(c, s, ssl, &cert))
        return 0;
    if (cert != SNIV_CERT_NONE) {
        install_kinds(s, ssl, cert);
    }
    else if (has_standin(c, s, ssl)) {
        snivhost_count(c, SNIVHOST_COUNT_STORE_REFUSED);
        say_missing(c, s);
        return 0;
    }
    if (conn) {
        conn->has_cert = 1;
        conn->cert = cert;
        if (conn->hello_seen)
            count_served(conn);
    }
    return 1;
}

void snivhost_cert_resumed(snivhost_conn_t *conn, SSL *ssl)
{
    static snivhost_limit_t limit;
    const char *reason = NULL;
    apr_uint32_t unsaid;

    if (conn->has_cert)
        return;
    count_served(conn);
    if (conn->cert == SNIV_CERT_NONE)
        return;
    if (sniv_certs_install_leaf(snivhost_store(), conn->cert, ssl, &reason)
        != APR_SUCCESS && APLOGcinfo(conn->c)
        && snivhost_may_say(&limit, &unsaid)) {
        ap_log_cerror(APLOG_MARK, APLOG_INFO, 0, conn->c, "SNIV0112: "
                      "the session is resumed, but its certificate cannot be "
                      "shown in SSL_SERVER_* variables: it %s%s",
                      reason ? reason : "is broken",
                      snivhost_unsaid_text(conn->c->pool, unsaid));
    }
}

void snivhost_cert_init_server(const server_rec *s, SSL_CTX *ctx)
{
    if (snivhost_store())
        snivhost_renewal_loaded(s, ctx);
    if (snivhost_store() || snivhost_refuse_in_handshakes()
        || snivhost_acme_is_on())
        SSL_CTX_set_cert_cb(ctx, cert_callback, NULL);
}
