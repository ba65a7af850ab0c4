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


#include "tool/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

static int fail(wire_t *w, const char *what, const char *about,
                const char *why)
{
    snprintf(w->error, sizeof(w->error), "%s%.200s%s%.200s", what, about,
             why ? ": " : "", why ? why : "");
    return 0;
}

/* ----- files that nobody else can read */

int wire_open_private(const char *path, const char *what, wire_t *w)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd < 0) {
        fail(w, what, path, strerror(errno));
        return -1;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)
        || (st.st_mode & 077) != 0
        || (st.st_uid != 0 && st.st_uid != geteuid())) {
        fail(w, what, path, "it has to belong to root, with nothing for "
             "others (chmod 600)");
        close(fd);
        return -1;
    }
    return fd;
}

/* ----- TLS */

/* What OpenSSL said first. */
static const char *reason_of(char *text, size_t room)
{
    unsigned long code = ERR_get_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    snprintf(text, room, "%s", reason ? reason : "it was closed");
    ERR_clear_error();
    return text;
}

static int use_key(wire_t *w, SSL_CTX *ctx, const char *path)
{
    static const char what[] = "cannot be asked: key=";
    int fd = wire_open_private(path, what, w);
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
    EVP_PKEY *key;
    int is_used;

    if (!file) {
        return 0;
    }
    /* a password would be asked for on a terminal: there is none */
    key = PEM_read_PrivateKey(file, NULL, NULL, (void *)(uintptr_t)"");
    fclose(file);
    is_used = key && SSL_CTX_use_PrivateKey(ctx, key) == 1;
    EVP_PKEY_free(key);
    return is_used
           || fail(w, what, path, key ? "it is not the key of cert="
                                      : "it holds no private key");
}

static int use_files(wire_t *w, SSL_CTX *ctx, const sniv_store_url_t *url)
{
    if (url->ca_file
        ? SSL_CTX_load_verify_locations(ctx, url->ca_file, NULL) != 1
        : SSL_CTX_set_default_verify_paths(ctx) != 1) {
        return fail(w, "cannot be asked: cacert=",
                    url->ca_file ? url->ca_file : "",
                    access(url->ca_file ? url->ca_file : "/", R_OK) != 0
                    ? strerror(errno) : "it holds no certificate");
    }
    if (!url->cert_file) {
        return 1;
    }
    if (SSL_CTX_use_certificate_chain_file(ctx, url->cert_file) != 1) {
        return fail(w, "cannot be asked: cert=", url->cert_file,
                    access(url->cert_file, R_OK) != 0
                    ? strerror(errno) : "it holds no certificate");
    }
    return use_key(w, ctx, url->key_file);
}

/* The name that the certificate has to be for: a number has no SNI. */
static int expect_host(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    X509_VERIFY_PARAM_set_hostflags(param,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1
           || (SSL_set1_host(ssl, host) == 1
               && SSL_set_tlsext_host_name(ssl, host) == 1);
}

int wire_use_tls(wire_t *w, const sniv_store_url_t *url)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = NULL;
    char text[200];

    ERR_clear_error();
    if (ctx && !use_files(w, ctx, url)) {
        SSL_CTX_free(ctx);
        ERR_clear_error();
        return 0;
    }
    if (ctx) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE
                              | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        (void)SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
        ssl = SSL_new(ctx);
        SSL_CTX_free(ctx);
    }
    if (!ssl || !expect_host(ssl, url->host) || SSL_set_fd(ssl, w->fd) != 1) {
        SSL_free(ssl);
        return fail(w, "cannot be reached: TLS", "",
                    reason_of(text, sizeof(text)));
    }
    SSL_set_connect_state(ssl);
    w->ssl = ssl;
    w->url = url;
    return 1;
}

/* What to wait for, if a call of OpenSSL is to be made again. */
static int wants(wire_t *w, int n, short *events)
{
    switch (SSL_get_error(w->ssl, n)) {
    case SSL_ERROR_WANT_READ:
        *events |= POLLIN;
        return 1;
    case SSL_ERROR_WANT_WRITE:
        *events |= POLLOUT;
        return 1;
    default:
        return 0;
    }
}

static int not_trusted(wire_t *w, long result)
{
    const char *host = w->url->host;

    if (result == X509_V_ERR_HOSTNAME_MISMATCH
        || result == X509_V_ERR_IP_ADDRESS_MISMATCH) {
        return fail(w, "cannot be trusted: its certificate is not for ", host,
                    NULL);
    }
    return fail(w, "cannot be trusted: its certificate is not accepted, "
                "with the authorities in ",
                w->url->ca_file ? w->url->ca_file : "this system's own list "
                "(cacert=/path names others)",
                X509_verify_cert_error_string(result));
}

int wire_handshake(wire_t *w, short *events)
{
    long result;
    char text[200];
    int n;

    if (!w->ssl || SSL_is_init_finished(w->ssl)) {
        return 1;
    }
    ERR_clear_error();
    n = SSL_do_handshake(w->ssl);
    if (n == 1) {
        return 1;
    }
    if (wants(w, n, events)) {
        return 0;
    }
    result = SSL_get_verify_result(w->ssl);
    if (result != X509_V_OK) {
        not_trusted(w, result);
    }
    else {
        fail(w, "cannot be reached: TLS does not come about (redis:// in "
             "place of rediss:// is without)", "",
             reason_of(text, sizeof(text)));
    }
    ERR_clear_error();
    return -1;
}

/* ----- bytes */

void wire_init(wire_t *w, int fd)
{
    memset(w, 0, sizeof(*w));
    w->fd = fd;
}

static void forget(wire_t *w)
{
    if (w->out) {
        OPENSSL_cleanse(w->out, w->len);
        free(w->out);
    }
    w->out = NULL;
    w->len = w->sent = 0;
}

void wire_end(wire_t *w)
{
    forget(w);
    SSL_free(w->ssl);
    w->ssl = NULL;
    w->fd = -1;
}

int wire_queue(wire_t *w, const char *bytes, size_t len)
{
    char *out = malloc(w->len + len);

    if (!out) {
        return 0;
    }
    if (w->len) {
        memcpy(out, w->out, w->len);
        OPENSSL_cleanse(w->out, w->len);
        free(w->out);
    }
    memcpy(out + w->len, bytes, len);
    w->out = out;
    w->len += len;
    return 1;
}

/* @return bytes, 0: not now, -1: the end */
static ssize_t done(wire_t *w, ssize_t n, short event, short *events)
{
    char text[200];

    if (n > 0) {
        return n;
    }
    if (w->ssl ? wants(w, (int)n, events)
               : n < 0 && (errno == EAGAIN || errno == EINTR)) {
        *events |= w->ssl ? 0 : event;
        return 0;
    }
    fail(w, "has closed the connection", "",
         w->ssl ? reason_of(text, sizeof(text))
         : n < 0 ? strerror(errno) : NULL);
    return -1;
}

int wire_give(wire_t *w, short *events)
{
    size_t left;
    ssize_t n;

    while (w->sent < w->len) {
        left = w->len - w->sent;
        if (left > 65536) {
            left = 65536;
        }
        ERR_clear_error();
        n = w->ssl ? SSL_write(w->ssl, w->out + w->sent, (int)left)
                   : send(w->fd, w->out + w->sent, left, MSG_NOSIGNAL);
        n = done(w, n, POLLOUT, events);
        if (n <= 0) {
            return n == 0;
        }
        w->sent += (size_t)n;
    }
    forget(w);
    return 1;
}

ssize_t wire_take(wire_t *w, char *bytes, size_t room, short *events)
{
    ssize_t n;

    ERR_clear_error();
    n = w->ssl ? SSL_read(w->ssl, bytes, (int)room)
               : recv(w->fd, bytes, room, 0);
    return done(w, n, POLLIN, events);
}
