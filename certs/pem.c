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

#include "certs/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <openssl/crypto.h>

#ifndef O_CLOEXEC
#define O_CLOEXEC 0
#endif

#ifdef __APPLE__
#define NANOSECONDS(st, which) \
    ((st)->st_##which##timespec.tv_sec * APR_INT64_C(1000000000) \
     + (st)->st_##which##timespec.tv_nsec)
#else
#define NANOSECONDS(st, which) \
    ((st)->st_##which##tim.tv_sec * APR_INT64_C(1000000000) \
     + (st)->st_##which##tim.tv_nsec)
#endif

static void stamp_from(sniv_stamp_t *stamp, const struct stat *st)
{
    stamp->device = (apr_uint64_t)st->st_dev;
    stamp->inode = (apr_uint64_t)st->st_ino;
    stamp->size = (apr_int64_t)st->st_size;
    stamp->mtime = NANOSECONDS(st, m);
    stamp->ctime = NANOSECONDS(st, c);
}

void sniv_stamp_of(sniv_stamp_t *stamp, const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0) {
        stamp_from(stamp, &st);
    }
    else {
        memset(stamp, 0, sizeof(*stamp));
        stamp->size = -1;
    }
}

int sniv_stamp_equal(const sniv_stamp_t *a, const sniv_stamp_t *b)
{
    return a->device == b->device && a->inode == b->inode
           && a->size == b->size && a->mtime == b->mtime
           && a->ctime == b->ctime;
}

void sniv_buffer_wipe(sniv_buffer_t *buffer)
{
    if (buffer->data && buffer->len) {
        OPENSSL_cleanse(buffer->data, buffer->len);
    }
    buffer->len = 0;
}

void sniv_buffer_free(sniv_buffer_t *buffer)
{
    sniv_buffer_wipe(buffer);
    free(buffer->data);
    buffer->data = NULL;
    buffer->room = 0;
}

static apr_status_t make_room(sniv_buffer_t *buffer, apr_size_t room)
{
    if (buffer->room < room) {
        sniv_buffer_free(buffer);
        buffer->data = malloc(room);
        if (!buffer->data) {
            return APR_ENOMEM;
        }
        buffer->room = room;
    }
    return APR_SUCCESS;
}

static apr_status_t read_all(sniv_buffer_t *buffer, int fd,
                             sniv_stamp_t *stamp, const char **preason)
{
    struct stat st;
    ssize_t n;
    apr_status_t rv;

    if (fstat(fd, &st) != 0) {
        return errno;
    }
    if (stamp) {
        stamp_from(stamp, &st);
    }
    if (!S_ISREG(st.st_mode)) {
        *preason = "is not a regular file";
        return APR_EINVAL;
    }
    if (st.st_size == 0) {
        *preason = "is empty";
        return APR_EOF;
    }
    if (st.st_size > SNIV_PEM_MAX) {
        *preason = "is larger than 1 MiB, so it is not a certificate or key";
        return APR_ENOSPC;
    }
    /* one byte more, to see the end of a file that grows */
    rv = make_room(buffer, ((apr_size_t)st.st_size | 0xfff) + 1);
    while (rv == APR_SUCCESS) {
        if (buffer->len == buffer->room) {
            *preason = "is being written to";
            return APR_EAGAIN;
        }
        n = read(fd, buffer->data + buffer->len, buffer->room - buffer->len);
        if (n == 0) {
            break;
        }
        if (n > 0) {
            buffer->len += (apr_size_t)n;
        }
        else if (errno != EINTR) {
            rv = errno;
        }
    }
    if (rv == APR_SUCCESS && buffer->len == 0) {
        *preason = "is empty";
        rv = APR_EOF;
    }
    return rv;
}

apr_status_t sniv_buffer_read(sniv_buffer_t *buffer, const char *path,
                              sniv_stamp_t *stamp, const char **preason)
{
    apr_status_t rv;
    int fd;

    *preason = NULL;
    sniv_buffer_wipe(buffer);
    do {
        fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        rv = errno;
        if (stamp) {
            sniv_stamp_of(stamp, path);
        }
        return rv;
    }
    rv = read_all(buffer, fd, stamp, preason);
    close(fd);
    if (rv != APR_SUCCESS) {
        sniv_buffer_wipe(buffer);
    }
    return rv;
}

/* The first place from at on where a line begins with text. */
static int find_line(const sniv_buffer_t *buffer, apr_size_t at,
                     const char *text, apr_size_t *found)
{
    apr_size_t n = strlen(text);
    const unsigned char *p;

    while (buffer->len >= n && at <= buffer->len - n) {
        p = memchr(buffer->data + at, text[0], buffer->len - n - at + 1);
        if (!p) {
            return 0;
        }
        at = (apr_size_t)(p - buffer->data);
        if ((at == 0 || p[-1] == '\n' || p[-1] == '\r')
            && memcmp(p, text, n) == 0) {
            *found = at;
            return 1;
        }
        at++;
    }
    return 0;
}

static apr_size_t line_end(const sniv_buffer_t *buffer, apr_size_t at)
{
    while (at < buffer->len && buffer->data[at] != '\n'
           && buffer->data[at] != '\r') {
        at++;
    }
    return at;
}

static apr_size_t next_line(const sniv_buffer_t *buffer, apr_size_t at)
{
    at = line_end(buffer, at);
    if (at < buffer->len && buffer->data[at] == '\r') {
        at++;
    }
    if (at < buffer->len && buffer->data[at] == '\n') {
        at++;
    }
    return at;
}

static int is_label(const sniv_bytes_t *label, const char *text)
{
    return label->len == strlen(text)
           && memcmp(label->data, text, label->len) == 0;
}

static void classify(const sniv_bytes_t *label, sniv_pem_t *block)
{
    block->what = SNIV_PEM_OTHER;
    block->label = SNIV_KEY_LABEL_ANY;
    if (is_label(label, "CERTIFICATE") || is_label(label, "X509 CERTIFICATE")
        || is_label(label, "TRUSTED CERTIFICATE")) {
        block->what = SNIV_PEM_CERTIFICATE;
    }
    else if (is_label(label, "PRIVATE KEY")) {
        block->what = SNIV_PEM_KEY;
    }
    else if (is_label(label, "RSA PRIVATE KEY")) {
        block->what = SNIV_PEM_KEY;
        block->label = SNIV_KEY_LABEL_RSA;
    }
    else if (is_label(label, "EC PRIVATE KEY")) {
        block->what = SNIV_PEM_KEY;
        block->label = SNIV_KEY_LABEL_EC;
    }
    else if (is_label(label, "ENCRYPTED PRIVATE KEY")) {
        block->what = SNIV_PEM_ENCRYPTED_KEY;
    }
    else if (is_label(label, "DH PARAMETERS")
             || is_label(label, "X9.42 DH PARAMETERS")) {
        block->what = SNIV_PEM_DH_PARAMETERS;
    }
    else if (is_label(label, "EC PARAMETERS")) {
        block->what = SNIV_PEM_EC_PARAMETERS;
    }
}

/*
 * Headers before the base64 (RFC 1421): lines with a colon, then an empty
 * line. Private keys of the old form say so if they are encrypted.
 */
static apr_size_t skip_headers(const sniv_buffer_t *buffer, apr_size_t at,
                               apr_size_t end, sniv_pem_t *block)
{
    static const char encrypted[] = "ENCRYPTED";
    apr_size_t eol, i, n = sizeof(encrypted) - 1;

    for (eol = line_end(buffer, at);
         at < end && memchr(buffer->data + at, ':', eol - at);
         eol = line_end(buffer, at)) {
        for (i = at; block->what == SNIV_PEM_KEY && i + n <= eol; i++) {
            if (memcmp(buffer->data + i, encrypted, n) == 0) {
                block->what = SNIV_PEM_ENCRYPTED_KEY;
            }
        }
        at = next_line(buffer, at);
    }
    return at < end ? at : end;
}

/* What a character of base64 stands for, -1 if it is none. */
static const short base64_values[128] = {
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 62, -1, -1, -1, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, -1, -1, -1, -1, -1, -1,
    -1,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, -1, -1, -1, -1, -1,
    -1, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, -1, -1, -1, -1, -1
};

/* Four characters that stand for three bytes, which most do. */
static int decode_group(const unsigned char *in, unsigned char *out)
{
    int a, b, c, d;

    if ((in[0] | in[1] | in[2] | in[3]) & 0x80) {
        return 0;
    }
    a = base64_values[in[0]];
    b = base64_values[in[1]];
    c = base64_values[in[2]];
    d = base64_values[in[3]];
    if ((a | b | c | d) < 0) {
        return 0;
    }
    out[0] = (unsigned char)(a << 2 | b >> 4);
    out[1] = (unsigned char)(b << 4 | c >> 2);
    out[2] = (unsigned char)(c << 6 | d);
    return 1;
}

/*
 * Decode base64 over itself: what is written never reaches what is still to
 * be read. Returns the length, or -1.
 */
static apr_ssize_t decode(unsigned char *data, apr_size_t len)
{
    unsigned char group[4], out[3];
    apr_size_t i, n = 0;
    int count = 0, pads = 0;

    for (i = 0; i < len; i++) {
        unsigned char c = data[i];

        if (count == 0 && pads == 0 && len - i >= 4
            && decode_group(data + i, out)) {
            memcpy(data + n, out, 3);
            n += 3;
            i += 3;
            continue;
        }
        if (c == '\n' || c == '\r' || c == ' ' || c == '\t') {
            continue;
        }
        if (c == '=') {
            if (++pads > 2) {
                return -1;
            }
            c = 'A';
        }
        else if (pads) {
            return -1;
        }
        group[count++] = c;
        if (count == 4) {
            if (!decode_group(group, out)) {
                return -1;
            }
            memcpy(data + n, out, 3);
            n += 3;
            count = 0;
        }
    }
    if (count != 0 || n == 0) {
        return -1;
    }
    return (apr_ssize_t)(n - (apr_size_t)pads);
}

int sniv_pem_next(sniv_buffer_t *buffer, apr_size_t *at, sniv_pem_t *block)
{
    static const char begin[] = "-----BEGIN ", dashes[] = "-----";
    apr_size_t pos = *at, body, eol, end, line;
    apr_ssize_t n;
    sniv_bytes_t label;

    memset(block, 0, sizeof(*block));
    for (;;) {
        if (!find_line(buffer, pos, begin, &pos)) {
            *at = buffer->len;
            return 0;
        }
        body = pos + sizeof(begin) - 1;
        eol = line_end(buffer, body);
        line = next_line(buffer, body);
        while (eol > body && (buffer->data[eol - 1] == ' '
                              || buffer->data[eol - 1] == '\t')) {
            eol--;
        }
        if (eol - body >= sizeof(dashes) - 1
            && memcmp(buffer->data + eol - (sizeof(dashes) - 1), dashes,
                      sizeof(dashes) - 1) == 0) {
            break;
        }
        pos = body;
    }
    label.data = buffer->data + body;
    label.len = eol - (sizeof(dashes) - 1) - body;
    classify(&label, block);

    if (!find_line(buffer, line, dashes, &end)) {
        block->is_damaged = 1;
        *at = buffer->len;
        return 1;
    }
    /* the end must name the same thing; else look at that line again */
    if (buffer->len - end < 9 + label.len + 5
        || memcmp(buffer->data + end, "-----END ", 9) != 0
        || memcmp(buffer->data + end + 9, label.data, label.len) != 0
        || memcmp(buffer->data + end + 9 + label.len, dashes, 5) != 0) {
        block->is_damaged = 1;
        *at = end;
        if (memcmp(buffer->data + end, "-----END ",
                   buffer->len - end < 9 ? buffer->len - end : 9) == 0) {
            *at = next_line(buffer, end);
        }
        return 1;
    }
    *at = next_line(buffer, end);
    line = skip_headers(buffer, line, end, block);
    if (block->what == SNIV_PEM_ENCRYPTED_KEY) {
        return 1;
    }
    n = decode(buffer->data + line, end - line);
    if (n < 0) {
        block->is_damaged = 1;
    }
    else {
        block->der.data = buffer->data + line;
        block->der.len = (apr_size_t)n;
    }
    return 1;
}
