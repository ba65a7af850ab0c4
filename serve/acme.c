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

#include "serve/acme.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "apr_strings.h"
#include "http_core.h"
#include "http_protocol.h"
#include "http_ssl.h"
#include "util_filter.h"

#include "certs/storeurl.h"
#include "module/limit.h"
#include "module/words.h"
#include "tls/mirror.h"

#define HTTP01 "/.well-known/acme-challenge/"

/*
 * The answer that the store has under an ID.
 * @return NULL: none that can be given
 */
static const char *find(const char *id, apr_pool_t *p, conn_rec *c)
{
    static snivhost_limit_t limit;
    const sniv_challenge_keys_t *keys;
    const char *prefix, *content, *reason;
    char bytes[SNIV_CHALLENGE_MAX];
    apr_uint32_t unsaid;
    ssize_t n;
    int dir, fd;

    if (!snivhost_mirror_challenges(&dir, &prefix, &keys)
        || !sniv_challenge_is_id(id, strlen(id))) {
        return NULL;
    }
    fd = openat(dir, id, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    n = read(fd, bytes, sizeof(bytes) - 1);
    close(fd);
    bytes[n > 0 ? n : 0] = '\0';
    reason = sniv_challenge_read(keys, prefix, id, bytes, apr_time_now(),
                                 &content);
    if (!reason)
        return apr_pstrdup(p, content);
    if (snivhost_may_say(&limit, &unsaid)) {
        ap_log_cerror(APLOG_MARK, APLOG_WARNING, 0, c, "SNIV0386: "
                      "challenge %s of a certificate authority is not "
                      "answered: what the store has for it %s%s", id, reason,
                      snivhost_unsaid_text(p, unsaid));
    }
    return NULL;
}

/* As mod_md does: no virtual host has a say in it. */
static int give(request_rec *r, const char *answer)
{
    apr_bucket_brigade *bb = apr_brigade_create(r->pool,
                                                r->connection->bucket_alloc);

    ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, "SNIV0385: "
                  "challenge %s answered from the store", r->uri);
    r->status = HTTP_OK;
    ap_set_content_type(r, "application/octet-stream");
    ap_set_content_length(r, (apr_off_t)strlen(answer));
    (void)apr_brigade_puts(bb, NULL, NULL, answer);
    APR_BRIGADE_INSERT_TAIL(bb,
                            apr_bucket_eos_create(r->connection->bucket_alloc));
    (void)ap_pass_brigade(r->output_filters, bb);
    apr_brigade_cleanup(bb);
    return DONE;
}

int snivhost_acme_post_read_request(request_rec *r)
{
    const char *path = r->parsed_uri.path, *answer;

    if (!snivhost_live || snivhost_live->mode != SNIVHOST_ON || r->prev
        || r->method_number != M_GET || !path
        || strncmp(path, HTTP01, sizeof(HTTP01) - 1) != 0) {
        return DECLINED;
    }
    path += sizeof(HTTP01) - 1;
    if (strlen(path) > SNIV_STORE_ID_MAX)
        return DECLINED;
    answer = find(apr_pstrcat(r->pool, SNIV_CHALLENGE_HTTP, path, NULL),
                  r->pool, r->connection);
    return answer ? give(r, answer) : DECLINED;
}

/* ----- tls-alpn-01 ----- */

int snivhost_acme_is_on(void)
{
    const sniv_challenge_keys_t *keys;
    const char *prefix;
    int dir;

    return snivhost_mirror_challenges(&dir, &prefix, &keys);
}

static const char *find_alpn(conn_rec *c, const char *name)
{
    if (strlen(name) > SNIV_STORE_ID_MAX)
        return NULL;
    return find(apr_pstrcat(c->pool, SNIV_CHALLENGE_ALPN,
                            snivhost_lower(c->pool, name), NULL),
                c->pool, c);
}

int snivhost_acme_has(conn_rec *c, const char *name)
{
    return find_alpn(c, name) != NULL;
}

/* Of a connection whose handshake is going on. */
static const char *name_of(conn_rec *c, server_rec *s)
{
    const char *name = ap_ssl_var_lookup(c->pool, s, c, NULL, "SSL_TLS_SNI");

    return name && *name ? name : NULL;
}

/* mod_ssl asks, with what the client offers: that one has to be alone. */
int snivhost_acme_protocol_propose(conn_rec *c, request_rec *r,
                                   server_rec *s,
                                   const apr_array_header_t *offers,
                                   apr_array_header_t *proposals)
{
    const char *name;

    if (r || !offers || offers->nelts != 1
        || strcmp(APR_ARRAY_IDX(offers, 0, const char *), SNIVHOST_ACME_TLS)
        || !snivhost_live || snivhost_live->mode != SNIVHOST_ON
        || !snivhost_conn(c) || !snivhost_acme_is_on()
        || (name = name_of(c, s)) == NULL || !snivhost_acme_has(c, name)) {
        return DECLINED;
    }
    APR_ARRAY_PUSH(proposals, const char *) = SNIVHOST_ACME_TLS;
    return OK;
}

/* It is chosen: this connection shows a certificate and serves nothing. */
int snivhost_acme_protocol_switch(conn_rec *c, request_rec *r, server_rec *s,
                                  const char *protocol)
{
    snivhost_conn_t *conn;
    const char *name;

    if (r || strcmp(protocol, SNIVHOST_ACME_TLS) || !snivhost_live
        || snivhost_live->mode != SNIVHOST_ON || !snivhost_acme_is_on()
        || (conn = snivhost_conn(c)) == NULL
        || (name = name_of(c, s)) == NULL
        || (conn->acme_answer = find_alpn(c, name)) == NULL) {
        return DECLINED;
    }
    conn->challenge_only = 1;
    c->keepalive = AP_CONN_CLOSE;
    return OK;
}

const char *snivhost_acme_protocol_get(const conn_rec *c)
{
    const snivhost_conn_t *conn = snivhost_live ? snivhost_conn(c) : NULL;

    return conn && conn->acme_answer ? SNIVHOST_ACME_TLS : NULL;
}

int snivhost_acme_install(snivhost_conn_t *conn, SSL *ssl)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    EVP_PKEY *key = NULL;
    X509 *cert = NULL;
    int ok;

    if (!conn->acme_answer || !name)
        return 0;
    ok = sniv_challenge_cert(&cert, &key, snivhost_lower(conn->c->pool, name),
                             conn->acme_answer);
    if (ok) {
        /* A client may like those of other kinds better. */
        SSL_certs_clear(ssl);
        SSL_set_num_tickets(ssl, 0);
        ok = SSL_use_certificate(ssl, cert) == 1
             && SSL_use_PrivateKey(ssl, key) == 1;
    }
    X509_free(cert);
    EVP_PKEY_free(key);
    if (ok) {
        ap_log_cerror(APLOG_MARK, APLOG_INFO, 0, conn->c, "SNIV0387: "
                      "challenge %s%s answered from the store",
                      SNIV_CHALLENGE_ALPN,
                      ap_escape_logitem(conn->c->pool, name));
    }
    return ok ? 1 : -1;
}
