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

#include <string.h>

#include "choose/hello.h"

/* The layout of a ClientHello (RFC 8446, 4.1.2; the same since TLS 1.0) and
 * of the server_name extension (RFC 6066, 3). */
#define HANDSHAKE_CLIENT_HELLO  1
#define EXT_SERVER_NAME         0
#define EXT_ALPN                16
#define EXT_ENCRYPTED_HELLO     0xfe0d          /* RFC 9849 */
#define NAME_TYPE_HOST_NAME     0
#define RANDOM_LEN              32

/* What is left to read: every step checks against n before it moves. */
typedef struct reader_t {
    const unsigned char *p;
    apr_size_t n;
} reader_t;

static int skip(reader_t *r, apr_size_t n)
{
    if (r->n < n)
        return 0;
    r->p += n;
    r->n -= n;
    return 1;
}

/* Read a big-endian number of 1 to 3 bytes. */
static int read_number(reader_t *r, int bytes, apr_size_t *value)
{
    apr_size_t v = 0;

    if (r->n < (apr_size_t)bytes)
        return 0;
    while (bytes-- > 0) {
        v = (v << 8) | *r->p++;
        r->n--;
    }
    *value = v;
    return 1;
}

/* Read a vector: a length of 1 to 3 bytes and as many bytes. */
static int read_vector(reader_t *r, int bytes, reader_t *content)
{
    apr_size_t len;

    if (!read_number(r, bytes, &len) || r->n < len)
        return 0;
    content->p = r->p;
    content->n = len;
    return skip(r, len);
}

/* The first entry of a server_name extension, if mod_ssl would take it: one
 * entry that fills the list to its end, of type host_name, not empty. */
static sniv_hello_e read_server_name(reader_t ext, const char **name,
                                     apr_size_t *name_len)
{
    reader_t list, entry;
    apr_size_t type, i;

    if (!read_vector(&ext, 2, &list) || ext.n != 0)
        return SNIV_HELLO_MALFORMED;
    if (!read_number(&list, 1, &type) || type != NAME_TYPE_HOST_NAME)
        return SNIV_HELLO_MALFORMED;
    if (!read_vector(&list, 2, &entry) || list.n != 0 || entry.n == 0)
        return SNIV_HELLO_MALFORMED;

    for (i = 0; i < entry.n && entry.p[i] != '\0'; i++)
        ;
    *name = (const char *)entry.p;
    *name_len = i;
    return SNIV_HELLO_NAME;
}

/* The extensions of a ClientHello; none gives an empty vector. 0 if it is
 * not one. */
static int read_extensions(const unsigned char *msg, apr_size_t len,
                           reader_t *extensions)
{
    reader_t message = { msg, len }, hello, skipped;
    apr_size_t type;

    if (!read_number(&message, 1, &type) || type != HANDSHAKE_CLIENT_HELLO
        || !read_vector(&message, 3, &hello) || message.n != 0) {
        return 0;
    }

    if (!skip(&hello, 2 + RANDOM_LEN)               /* legacy_version */
        || !read_vector(&hello, 1, &skipped)        /* legacy_session_id */
        || !read_vector(&hello, 2, &skipped)        /* cipher_suites */
        || !read_vector(&hello, 1, &skipped)) {     /* compression_methods */
        return 0;
    }

    if (hello.n == 0) {         /* they are optional before TLS 1.3 */
        *extensions = hello;
        return 1;
    }
    return read_vector(&hello, 2, extensions) && hello.n == 0;
}

/* Find an extension. 1: found, 0: not there, -1: broken before that. A
 * second one is an error that OpenSSL finds before mod_ssl is asked, so the
 * first is as good as any. */
static int find_extension(reader_t extensions, apr_size_t wanted,
                          reader_t *ext)
{
    apr_size_t type;

    while (extensions.n > 0) {
        if (!read_number(&extensions, 2, &type)
            || !read_vector(&extensions, 2, ext)) {
            return -1;
        }
        if (type == wanted)
            return 1;
    }
    return 0;
}

sniv_hello_e sniv_hello_server_name(const unsigned char *msg, apr_size_t len,
                                    const char **name, apr_size_t *name_len)
{
    reader_t extensions, ext;

    if (!read_extensions(msg, len, &extensions))
        return SNIV_HELLO_NOT_HELLO;
    switch (find_extension(extensions, EXT_SERVER_NAME, &ext)) {
    case 1:
        return read_server_name(ext, name, name_len);
    case 0:
        return SNIV_HELLO_NO_SNI;
    default:
        return SNIV_HELLO_NOT_HELLO;
    }
}

sniv_hello_e sniv_hello_server_name_in(const unsigned char *data,
                                       apr_size_t len, const char **name,
                                       apr_size_t *name_len)
{
    reader_t ext = { data, len };

    return read_server_name(ext, name, name_len);
}

int sniv_hello_may_be_outer(const unsigned char *msg, apr_size_t len)
{
    reader_t extensions, ext;

    return !read_extensions(msg, len, &extensions)
           || find_extension(extensions, EXT_ENCRYPTED_HELLO, &ext) != 0;
}

int sniv_hello_offers_only_in(const unsigned char *data, apr_size_t len,
                              const char *protocol)
{
    reader_t ext = { data, len }, list, entry;

    return read_vector(&ext, 2, &list) && ext.n == 0
           && read_vector(&list, 1, &entry) && list.n == 0
           && entry.n == strlen(protocol)
           && !memcmp(entry.p, protocol, entry.n);
}

int sniv_hello_offers_only(const unsigned char *msg, apr_size_t len,
                           const char *protocol)
{
    reader_t extensions, ext;

    return read_extensions(msg, len, &extensions)
           && find_extension(extensions, EXT_ALPN, &ext) == 1
           && sniv_hello_offers_only_in(ext.p, ext.n, protocol);
}
