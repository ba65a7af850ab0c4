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

/*
 * The handshake: mod_ssl and OpenSSL glue.
 *
 * mod_ssl searches for a vhost by SNI in its client_hello callback, which
 * walks core's name chain. OpenSSL shows us the ClientHello right before
 * (message callback) and asks us something right after (security callback):
 * between the two the connection has the one right vhost as its only
 * candidate, and everything that mod_ssl does with it is mod_ssl's own.
 *
 *      ClientHello arrives
 *        message callback, read      narrow
 *        mod_ssl's client_hello      searches, finds one
 *        security callback, VERSION  put back
 *      session look-up, certificate, ALPN, ...
 *        message callback, write     put back (if something failed before),
 *                                    take the callback off
 *
 * With Encrypted Client Hello (RFC 9849) the message has an outer name and,
 * encrypted, the hello that OpenSSL continues with. Nothing is narrowed then:
 * mod_ssl searches all of core's chain for the inner name, and the decision
 * is made right after that, in the security callback, from the inner hello.
 */

#include "serve/handshake.h"

#include "apr_optional_hooks.h"
#include "apr_strings.h"
#include "http_vhost.h"
#include "mod_ssl_openssl.h"

#include "module/counters.h"
#include "module/record.h"
#include "module/stock.h"
#include "module/words.h"
#include "serve/acme.h"
#include "serve/cert.h"
#include "serve/donor.h"
#include "serve/refuse.h"
#include "tls/library.h"
#include "tls/store.h"

#if OPENSSL_VERSION_NUMBER >= 0x40000000L && !defined(OPENSSL_NO_ECH)
#include <openssl/ech.h>
#define HAVE_ECH
#endif

/* Where a connection's record hangs on its SSL, and a context's record on
 * its SSL_CTX. The numbers are kept over restarts: OpenSSL never takes one
 * back. */
typedef struct tls_index_t {
    int ssl;
    int ctx;
} tls_index_t;

static const tls_index_t *tls_index;

/* What we know of a server's SSL_CTX. */
typedef struct tls_ctx_t {
    server_rec *s;
    int (*security)(const SSL *ssl, const SSL_CTX *ctx, int op, int bits,
                    int nid, void *other, void *ex);
} tls_ctx_t;

/* ----- the window ----- */

/*
 * Make one vhost the only candidate. Only if both fields are as we know
 * them: another module owns them now.
 */
static void narrow(snivhost_conn_t *conn)
{
    conn_rec *c = conn->c;

    if (c->base_server != conn->base
        || (c->vhost_lookup_data != conn->chain
            && c->vhost_lookup_data != NULL)) {
        return;
    }
    conn->saved_base = c->base_server;
    conn->saved_chain = c->vhost_lookup_data;
    if (!c->log) {
        /* mod_ssl's lines in the window at the level they would have. */
        c->log = &conn->base->log;
        conn->logged = 1;
    }
    c->base_server = SNIVHOST_SERVER(&conn->sni);
    c->vhost_lookup_data = NULL;
    conn->narrowed = 1;
}

static void put_back(snivhost_conn_t *conn)
{
    conn_rec *c = conn->c;

    if (!conn->narrowed)
        return;
    c->base_server = conn->saved_base;
    c->vhost_lookup_data = conn->saved_chain;
    if (conn->logged) {
        c->log = NULL;
        conn->logged = 0;
    }
    conn->narrowed = 0;
}

/* ----- the decision ----- */

static void log_decision(const snivhost_conn_t *conn, const char *name,
                         apr_size_t len)
{
    static const char *const without_name[] = {
        [SNIV_HELLO_NAME] = "",
        [SNIV_HELLO_NO_SNI] = "not given",
        [SNIV_HELLO_MALFORMED] = "malformed",
        [SNIV_HELLO_NOT_HELLO] = "not readable"
    };
    conn_rec *c = conn->c;
    int is_name = conn->hello == SNIV_HELLO_NAME;

    if (!APLOGcdebug(c))
        return;
    ap_log_cerror(APLOG_MARK, APLOG_DEBUG, 0, c, "SNIV0100: "
                  "SNI %s%s%s%s on %pI: vhost %s, rule %s, address set %s",
                  is_name ? "'" : "",
                  is_name ? ap_escape_logitem(c->pool,
                                apr_pstrmemdup(c->pool, name, len))
                          : without_name[conn->hello],
                  is_name ? "'" : "",
                  conn->is_inner ? " (Encrypted Client Hello offered)" : "",
                  c->local_addr,
                  snivhost_vhost_text(c->pool, conn->sni.vhost),
                  snivhost_rule_text(c->pool, &conn->sni),
                  snivhost_set_text(c->pool, conn->set));
}

static void count_hello(const snivhost_conn_t *conn)
{
    snivhost_counter_e what = SNIVHOST_COUNT_SNI_FOUND;

    if (conn->hello == SNIV_HELLO_MALFORMED
        || conn->hello == SNIV_HELLO_NOT_HELLO) {
        what = SNIVHOST_COUNT_SNI_MALFORMED;
    }
    else if (!conn->chain)
        what = SNIVHOST_COUNT_SNI_IP;
    else if (conn->hello == SNIV_HELLO_NO_SNI)
        what = SNIVHOST_COUNT_SNI_NONE;
    else if (conn->sni.rule == SNIV_RULE_DEFAULT)
        what = SNIVHOST_COUNT_SNI_UNKNOWN;
    snivhost_count(conn->c, what);
}

/* SNIVHost Verify, first half: the walk over core's chain that mod_ssl is
 * about to make. */
static void verify_search(const snivhost_conn_t *conn, const char *name)
{
    const server_rec *stock = snivhost_search_sni(conn->c, name);
    const server_rec *ours = conn->sni.rule == SNIV_RULE_DEFAULT
                             ? NULL : SNIVHOST_SERVER(&conn->sni);

    if (stock != ours) {
        snivhost_differs(conn->c, NULL, "SNI", name,
                         stock ? stock : conn->base, &conn->sni);
    }
}

/* A ClientHello, as the message or as OpenSSL has parsed it. */
typedef struct hello_t {
    const unsigned char *msg;
    apr_size_t msg_len;
    SSL *ssl;                   /* NULL: it is the message */
    sniv_hello_e what;
    const char *name;           /* NULL unless what is SNIV_HELLO_NAME */
    apr_size_t len;
} hello_t;

static void read_message(hello_t *h, const unsigned char *msg, apr_size_t len)
{
    memset(h, 0, sizeof(*h));
    h->msg = msg;
    h->msg_len = len;
    h->what = sniv_hello_server_name(msg, len, &h->name, &h->len);
    if (h->what != SNIV_HELLO_NAME)
        h->name = NULL;
}

/* What mod_ssl's client_hello callback has read. OpenSSL has it until it has
 * looked at all extensions. */
static void read_parsed(hello_t *h, SSL *ssl)
{
    const unsigned char *data;
    size_t len;

    memset(h, 0, sizeof(*h));
    h->ssl = ssl;
    h->what = SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data,
                                        &len)
              ? sniv_hello_server_name_in(data, len, &h->name, &h->len)
              : SNIV_HELLO_NO_SNI;
    if (h->what != SNIV_HELLO_NAME)
        h->name = NULL;
}

static int offers_acme(const hello_t *h)
{
    const unsigned char *data;
    size_t len;

    if (!h->ssl) {
        return sniv_hello_offers_only(h->msg, h->msg_len, SNIVHOST_ACME_TLS);
    }
    return SSL_client_hello_get0_ext(
               h->ssl, TLSEXT_TYPE_application_layer_protocol_negotiation,
               &data, &len)
           && sniv_hello_offers_only_in(data, len, SNIVHOST_ACME_TLS);
}

static void judge_hello(snivhost_conn_t *conn, const sniv_decision_t *d,
                        const hello_t *h)
{
    if (snivhost_refuse_in_handshakes()
        && snivhost_refuse_judge_hello(conn, d, h->name, h->len)) {
        conn->offers_acme = offers_acme(h);
    }
}

/* The first ClientHello of a connection has arrived. */
static void hello_arrived(snivhost_conn_t *conn, const hello_t *h)
{
    conn->hello_seen = 1;
    conn->hello = h->what;
    conn->is_inner = h->ssl != NULL;
    sniv_decide_sni(snivhost_live->table, conn->set, h->name, h->len,
                    &conn->sni);
    snivhost_cert_choose(conn, h->name, h->len);
    count_hello(conn);
    log_decision(conn, h->name, h->len);
    judge_hello(conn, &conn->sni, h);

    if (!h->name || !conn->chain)
        return;                     /* there is nothing to search */
    if (snivhost_live->mode == SNIVHOST_VERIFY) {
        verify_search(conn, apr_pstrmemdup(conn->c->pool, h->name, h->len));
        conn->verify_sni = 1;
    }
    else if (!conn->is_inner)       /* else mod_ssl has searched */
        narrow(conn);
}

/* The ClientHello after a HelloRetryRequest. It may say nothing new (RFC
 * 8446, 4.1.2), but that is the client's business: what was chosen stays, and
 * a name that is refused is refused here too. */
static void hello_again(snivhost_conn_t *conn, const hello_t *h)
{
    sniv_decision_t d;

    if (!snivhost_refuse_in_handshakes())
        return;
    sniv_decide_sni(snivhost_live->table, conn->set, h->name, h->len, &d);
    judge_hello(conn, &d, h);
}

/* A second one chooses nothing: mod_ssl does not search again. */
static void hello_read(snivhost_conn_t *conn, const hello_t *h)
{
    if (!conn->hello_seen)
        hello_arrived(conn, h);
    else
        hello_again(conn, h);
}

/*
 * Whether OpenSSL may go on with another ClientHello than this one, which is
 * encrypted inside (ECH). Only if this SSL has keys for it: what many
 * browsers send to all servers, random bytes, is what it seems to be.
 */
static int is_outer(const SSL *ssl, const unsigned char *msg, apr_size_t len)
{
#ifdef HAVE_ECH
    OSSL_ECHSTORE *keys = sniv_hello_may_be_outer(msg, len)
                          ? SSL_get1_echstore(ssl) : NULL;

    OSSL_ECHSTORE_free(keys);
    return keys != NULL;
#else
    (void)ssl;
    (void)msg;
    (void)len;
    return 0;
#endif
}

/* The server whose SSL_CTX the handshake would have had from us. */
static server_rec *server_of_ctx(const snivhost_conn_t *conn)
{
    server_rec *s = SNIVHOST_SERVER(&conn->sni);

    /* A plain vhost has none, and the handshake continues with the default\'s.
     */
    return snivhost_conf(s)->ssl_ctx ? s : conn->base;
}

/* SNIVHost Verify, second half: mod_ssl has searched, compare what it did.
 * All lean virtual hosts look alike here, so this alone would not do. */
static void verify_sni(snivhost_conn_t *conn, const SSL *ssl)
{
    SSL_CTX *ctx = SSL_get_SSL_CTX(ssl);
    const tls_ctx_t *tls = SSL_CTX_get_ex_data(ctx, tls_index->ctx);

    conn->verify_sni = 0;
    if (tls && tls->s != server_of_ctx(conn)) {
        snivhost_differs(conn->c, NULL, "SNI",
                         conn->sni.pattern ? conn->sni.pattern : "(unknown)",
                         tls->s, &conn->sni);
    }
}

/* ----- OpenSSL's callbacks ----- */

/* A HelloRetryRequest is a ServerHello with this random (RFC 8446, 4.1.3). */
static int is_retry_request(const void *buf, size_t len)
{
    static const unsigned char random[] = {
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
        0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
        0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c
    };
    const unsigned char *msg = buf;

    return len >= 6 + sizeof(random) && msg[0] == SSL3_MT_SERVER_HELLO
           && !memcmp(msg + 6, random, sizeof(random));
}

static void message_callback(int write_p, int version, int content_type,
                             const void *buf, size_t len, SSL *ssl,
                             void *arg)
{
    snivhost_conn_t *conn = arg;
    hello_t hello;

    (void)version;
    if (!write_p) {
        if (content_type != SSL3_RT_HANDSHAKE || len == 0
            || *(const unsigned char *)buf != SSL3_MT_CLIENT_HELLO) {
            return;
        }
        conn->inner_due = is_outer(ssl, buf, len);
        if (!conn->inner_due) {
            read_message(&hello, buf, len);
            hello_read(conn, &hello);
        }
        return;
    }

    put_back(conn);
    if (content_type == SSL3_RT_HANDSHAKE && is_retry_request(buf, len))
        return;                     /* the session is looked up after it */
    if (content_type == SSL3_RT_HANDSHAKE && SSL_session_reused(ssl))
        snivhost_cert_resumed(conn, ssl);
    /* OpenSSL 3.0 calls a callback that was taken off inside a record
     * header's call (256, 257) once more, through NULL. */
    if (content_type == SSL3_RT_HANDSHAKE || content_type == SSL3_RT_ALERT)
        SSL_set_msg_callback(ssl, NULL);
}

static int security_callback(const SSL *ssl, const SSL_CTX *ctx, int op,
                             int bits, int nid, void *other, void *ex)
{
    const tls_ctx_t *tls;
    hello_t hello;

    if (op == SSL_SECOP_VERSION && ssl) {
        snivhost_conn_t *conn = SSL_get_ex_data(ssl, tls_index->ssl);

        if (conn) {
            put_back(conn);
            if (conn->inner_due) {
                conn->inner_due = 0;
                read_parsed(&hello, (SSL *)ssl);
                hello_read(conn, &hello);
            }
            if (conn->verify_sni)
                verify_sni(conn, ssl);
            if (!snivhost_donor_use(conn, (SSL *)ssl, nid))
                return 0;
        }
    }

    tls = SSL_CTX_get_ex_data(ctx ? ctx : SSL_get_SSL_CTX(ssl),
                              tls_index->ctx);
    return tls && tls->security(ssl, ctx, op, bits, nid, other, ex);
}

/*
 * In place of mod_ssl's servername callback, only where handshakes may be
 * refused. mod_ssl's has done its search long ago and only says whether it
 * found one; so do we, because OpenSSL tells the client.
 */
static int servername_callback(SSL *ssl, int *al, void *arg)
{
    conn_rec *c = SSL_get_app_data(ssl);
    snivhost_conn_t *conn = SSL_get_ex_data(ssl, tls_index->ssl);
    const char *name;
    int is_known, alert = 0;
    hello_t hello;

    (void)arg;
    if (conn) {
        if (!conn->hello_seen) {
            /* In the format of SSL 2 there are no extensions. */
            read_message(&hello, NULL, 0);
            hello_arrived(conn, &hello);
        }
        if (conn->refused)
            alert = snivhost_refuse_handshake(conn, ssl);
        is_known = conn->sni.is_known;
    }
    else {
        name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        if (c && snivhost_live->mode == SNIVHOST_ON)
            alert = snivhost_refuse_left_handshake(c, ssl, name);
        is_known = c && name && snivhost_search_sni(c, name);
    }
    if (alert) {
        *al = alert;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return is_known ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* ----- mod_ssl's hooks ----- */

int snivhost_handshake_init_server(server_rec *s, apr_pool_t *p, int is_proxy,
                                   SSL_CTX *ctx)
{
    tls_ctx_t *tls;

    if (!tls_index || is_proxy || snivhost_conf(s)->mode <= SNIVHOST_OFF)
        return DECLINED;

    tls = apr_pcalloc(p, sizeof(*tls));
    tls->s = s;
    tls->security = SSL_CTX_get_security_callback(ctx);
    if (!SSL_CTX_set_ex_data(ctx, tls_index->ctx, tls))
        return HTTP_INTERNAL_SERVER_ERROR;
    SSL_CTX_set_security_callback(ctx, security_callback);
    snivhost_conf(s)->ssl_ctx = ctx;
    if (snivhost_refuse_in_handshakes())
        SSL_CTX_set_tlsext_servername_callback(ctx, servername_callback);
    snivhost_cert_init_server(s, ctx);
    snivhost_donor_init_server(s, ctx);
    return OK;
}

int snivhost_handshake_pre_handshake(conn_rec *c, SSL *ssl, int is_proxy)
{
    snivhost_conn_t *conn;

    if (!snivhost_live || !tls_index || is_proxy || c->master
        || (conn = snivhost_conn(c)) == NULL) {
        return DECLINED;
    }
    conn->is_mod_ssl = 1;
    if (!conn->chain && !snivhost_refuse_in_handshakes()
        && !snivhost_store_serves(conn->base)) {
        conn->hello = SNIV_HELLO_NO_SNI;
        sniv_decide_sni(snivhost_live->table, conn->set, NULL, 0,
                        &conn->sni);
        conn->hello_seen = 1;
        snivhost_cert_choose(conn, NULL, 0);
        snivhost_count(c, SNIVHOST_COUNT_SNI_IP);
        if (APLOGcdebug(c)) {
            ap_log_cerror(APLOG_MARK, APLOG_DEBUG, 0, c, "SNIV0101: "
                          "SNI not looked at on %pI: vhost %s, rule %s, "
                          "address set %s", c->local_addr,
                          snivhost_vhost_text(c->pool, conn->sni.vhost),
                          snivhost_rule_text(c->pool, &conn->sni),
                          snivhost_set_text(c->pool, conn->set));
        }
        /* else a session that is resumed has to be corrected */
        if (conn->cert == SNIV_CERT_NONE)
            return DECLINED;
    }
    if (!SSL_set_ex_data(ssl, tls_index->ssl, conn))
        return DECLINED;
    SSL_set_msg_callback(ssl, message_callback);
    SSL_set_msg_callback_arg(ssl, conn);
    return DECLINED;
}

int snivhost_handshake_pre_config(apr_pool_t *p, apr_pool_t *plog,
                                  apr_pool_t *ptemp)
{
    static const char key[] = "mod_snivhost_tls_index";
    tls_index_t *index = ap_retained_data_get(key);

    (void)p;
    (void)plog;
    (void)ptemp;
    if (!index) {
        index = ap_retained_data_create(key, sizeof(*index));
        index->ssl = SSL_get_ex_new_index(0, (void *)"mod_snivhost", NULL,
                                          NULL, NULL);
        index->ctx = SSL_CTX_get_ex_new_index(0, (void *)"mod_snivhost",
                                              NULL, NULL, NULL);
    }
    tls_index = index->ssl >= 0 && index->ctx >= 0 ? index : NULL;
    return OK;
}

/* A libssl of another major version than the one that we were compiled for
 * has other structures behind the same names. */
int snivhost_handshake_check_config(apr_pool_t *p, apr_pool_t *plog,
                                    apr_pool_t *ptemp, server_rec *s)
{
    (void)p;
    (void)plog;
    (void)ptemp;
    if (OpenSSL_version_num() >> 28 != OPENSSL_VERSION_NUMBER >> 28) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "SNIV0102: mod_snivhost "
                     "was built for %s and runs with %s: rebuild it for the "
                     "OpenSSL that mod_ssl uses",
                     OPENSSL_VERSION_TEXT, OpenSSL_version(OPENSSL_VERSION));
    }
    if (!snivhost_library_is_shared())
        tls_index = NULL;
    return OK;
}

