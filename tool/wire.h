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


#ifndef SNIVHOST_TOOL_WIRE_H
#define SNIVHOST_TOOL_WIRE_H

/**
 * @file tool/wire.h
 * The bytes of a connection, plain or in TLS. Nothing here waits: who calls
 * gets the events of poll() that have to come first.
 *
 * TLS is OpenSSL's, on the socket that hiredis has made: so it is there with
 * every hiredis, and the name in the server's certificate is compared, which
 * hiredis_ssl does not do. One thread.
 */

#include <poll.h>
#include <sys/types.h>

#include <openssl/ssl.h>

#include "certs/storeurl.h"

typedef struct wire_t {
    int fd;
    SSL *ssl;                   /* NULL: plain */
    const sniv_store_url_t *url;    /* of ssl */
    char *out;                  /* to be sent; it may have a password */
    size_t len, sent;
    char error[512];            /* completes "STORE ..." */
} wire_t;

void wire_init(wire_t *w, int fd);

/** Free what is there, and wipe it. The socket is not closed. */
void wire_end(wire_t *w);

/** Let this be TLS, which begins with a handshake. @return 0: error */
int wire_use_tls(wire_t *w, const sniv_store_url_t *url);

/** @return 1: it is over, or there is none; 0: not yet; -1: error */
int wire_handshake(wire_t *w, short *events);

/** Have bytes sent. @return 0: no memory */
int wire_queue(wire_t *w, const char *bytes, size_t len);

/** Send what can be sent. @return 0: error */
int wire_give(wire_t *w, short *events);

/** @return the bytes that have come; 0: none yet; -1: it is closed */
ssize_t wire_take(wire_t *w, char *bytes, size_t room, short *events);

/**
 * Open a file that nobody else can read.
 * @param what begins the reason if that fails
 * @return -1: error
 */
int wire_open_private(const char *path, const char *what, wire_t *w);

#endif /* SNIVHOST_TOOL_WIRE_H */
