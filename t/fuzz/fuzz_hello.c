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
 * Fuzz target: the ClientHello parser, against OpenSSL and mod_ssl's rules.
 *
 * A server's SSL gets the bytes as a record. The parser is asked in the
 * message callback, as the module asks it. If OpenSSL takes the bytes for a
 * ClientHello it calls back once more, and the server_name extension that it
 * hands out, read as ssl_callback_ClientHello() in mod_ssl reads it, has to
 * be the name that the parser found. If OpenSSL does not, the parser may say
 * what it likes, within the bytes it was given.
 *
 * The first byte of the input is odd: the header of the handshake message is
 * put right before; else it is left as it is.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "choose/hello.h"

#define RECORD_MAX 16384
#define RECORD_HEADER 5
#define MESSAGE_HEADER 4
#define ENCRYPTED_HELLO 0xfe0d

/* What the parser said, and what mod_ssl would search for. */
typedef struct answer_t {
    sniv_hello_e rv;
    const char *found;
    size_t found_len;
    int parsed;
    int asked;                  /* OpenSSL has called the second time */
    int has_extension;
    int has_name;
    int may_be_outer;
} answer_t;

static void disagree(const answer_t *answer, const char *what)
{
    fprintf(stderr, "the parser says %d, mod_ssl %s\n", answer->rv, what);
    abort();
}

static void parse(const unsigned char *msg, size_t len, answer_t *answer)
{
    answer->rv = sniv_hello_server_name(msg, len, &answer->found,
                                        &answer->found_len);
    answer->parsed = 1;
    if (answer->rv == SNIV_HELLO_NAME
        && ((const unsigned char *)answer->found < msg
            || (const unsigned char *)answer->found + answer->found_len
               > msg + len)) {
        abort();
    }
    sniv_hello_offers_only(msg, len, "acme-tls/1");
    answer->may_be_outer = sniv_hello_may_be_outer(msg, len);
}

/* Of the extension alone the parser has to say the same. */
static void check_alone(const answer_t *answer, const unsigned char *data,
                        size_t len)
{
    const char *name = NULL;
    apr_size_t name_len = 0;

    if (sniv_hello_server_name_in(data, len, &name, &name_len) != answer->rv
        || name_len != answer->found_len
        || memcmp(name, answer->found, name_len) != 0) {
        disagree(answer, "has another extension");
    }
}

static void on_message(int is_write, int version, int type, const void *msg,
                       size_t len, SSL *ssl, void *arg)
{
    (void)version;
    (void)ssl;
    if (!is_write && type == SSL3_RT_HANDSHAKE) {
        parse(msg, len, arg);
    }
}

static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    answer_t *answer = SSL_get_app_data(ssl);
    const unsigned char *pos;
    size_t remaining, len;

    (void)arg;
    *alert = SSL_AD_HANDSHAKE_FAILURE;
    answer->asked = 1;
    /* OpenSSL before 4.0 does not know the extension, and never has it. */
    if (SSL_client_hello_get0_ext(ssl, ENCRYPTED_HELLO, &pos, &remaining)
        && !answer->may_be_outer) {
        disagree(answer, "has an encrypted hello");
    }
    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &pos,
                                   &remaining)) {
        return SSL_CLIENT_HELLO_ERROR;
    }
    answer->has_extension = 1;
    if (remaining <= 2 || (size_t)(pos[0] << 8 | pos[1]) + 2 != remaining) {
        return SSL_CLIENT_HELLO_ERROR;
    }
    pos += 2;
    remaining -= 2;
    if (remaining <= 3 || pos[0] != TLSEXT_NAMETYPE_host_name) {
        return SSL_CLIENT_HELLO_ERROR;
    }
    len = (size_t)(pos[1] << 8 | pos[2]);
    if (len + 3 != remaining) {
        return SSL_CLIENT_HELLO_ERROR;
    }
    answer->has_name = 1;
    check_alone(answer, pos - 2, remaining + 2);
    len = strnlen((const char *)pos + 3, len);
    if (answer->rv != SNIV_HELLO_NAME || answer->found_len != len
        || memcmp(answer->found, pos + 3, len) != 0) {
        disagree(answer, "has a name");
    }
    return SSL_CLIENT_HELLO_ERROR;
}

static void ask_openssl(const unsigned char *msg, size_t len,
                        answer_t *answer)
{
    static SSL_CTX *ctx;
    unsigned char header[RECORD_HEADER];
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    SSL *ssl;

    if (!ctx) {
        ctx = SSL_CTX_new(TLS_server_method());
        SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
    }
    ssl = SSL_new(ctx);
    memset(answer, 0, sizeof(*answer));
    SSL_set_app_data(ssl, answer);
    SSL_set_msg_callback(ssl, on_message);
    SSL_set_msg_callback_arg(ssl, answer);
    header[0] = SSL3_RT_HANDSHAKE;
    header[1] = 3;
    header[2] = 1;
    header[3] = (unsigned char)(len >> 8);
    header[4] = (unsigned char)len;
    BIO_write(in, header, sizeof(header));
    BIO_write(in, msg, (int)len);
    SSL_set_bio(ssl, in, out);
    SSL_accept(ssl);
    SSL_free(ssl);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t len = size - 1;
    unsigned char *msg;
    answer_t answer;

    if (size < 1 + MESSAGE_HEADER || len > RECORD_MAX) {
        return 0;
    }
    msg = malloc(len);
    memcpy(msg, data + 1, len);
    if (data[0] & 1) {
        msg[0] = SSL3_MT_CLIENT_HELLO;
        msg[1] = 0;
        msg[2] = (unsigned char)((len - MESSAGE_HEADER) >> 8);
        msg[3] = (unsigned char)(len - MESSAGE_HEADER);
    }

    parse(msg, len, &answer);
    ask_openssl(msg, len, &answer);
    if (answer.asked && !answer.parsed) {
        abort();
    }
    if (answer.asked && !answer.has_extension
        && answer.rv != SNIV_HELLO_NO_SNI) {
        disagree(&answer, "has no extension");
    }
    if (answer.asked && answer.has_extension && !answer.has_name
        && answer.rv != SNIV_HELLO_MALFORMED) {
        disagree(&answer, "does not read it");
    }
    free(msg);
    return 0;
}
