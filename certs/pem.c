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
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <openssl/crypto.h>

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

/*
 * Where the clock of files ticks in seconds (sshfs, FAT), one that is replaced
 * within the tick in which it was read may look the same afterwards.
 */
static int is_in_tick(const struct stat *st)
{
    const apr_int64_t changed = NANOSECONDS(st, m) > NANOSECONDS(st, c)
                                ? NANOSECONDS(st, m) : NANOSECONDS(st, c);
    const apr_int64_t age = (apr_int64_t)apr_time_now() - changed / 1000;

    return NANOSECONDS(st, m) % 1000000000 == 0
           && NANOSECONDS(st, c) % 1000000000 == 0
           && age > -apr_time_from_sec(3) && age < apr_time_from_sec(3);
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
        if (is_in_tick(&st)) {
            stamp->size = SNIV_STAMP_AGAIN;
        }
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

apr_status_t sniv_buffer_read(sniv_buffer_t *buffer, const sniv_walk_t *walk,
                              const char *path, sniv_stamp_t *stamp,
                              const char **preason)
{
    apr_status_t rv;
    int fd;

    sniv_buffer_wipe(buffer);
    rv = sniv_walk_open(walk, path, SNIV_WALK_FILE, &fd, preason);
    if (rv != APR_SUCCESS) {
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

/*
 * A line as OpenSSL reads it from a file, with fgets() into 255 bytes: what
 * is longer counts as several lines, and what follows a NUL is lost. Blanks
 * at the end are not part of it.
 */
typedef struct line_t {
    unsigned char *data;
    apr_size_t len;
    int is_part;                /* the line continues */
} line_t;

#define LINE_LEN 254

/* Read the line at *at. Returns 0 at the end, and at a NUL. */
static int next_line(const sniv_buffer_t *buffer, apr_size_t *at,
                     line_t *line)
{
    unsigned char *data = buffer->data + *at, *end;
    apr_size_t n = buffer->len - *at;

    if (n > LINE_LEN) {
        n = LINE_LEN;
    }
    if (n == 0) {
        return 0;
    }
    end = memchr(data, '\n', n);
    if (end) {
        n = (apr_size_t)(end - data) + 1;
    }
    *at += n;
    end = memchr(data, '\0', n);
    if (end) {
        n = (apr_size_t)(end - data);
    }
    if (n == 0) {
        return 0;
    }
    line->data = data;
    line->is_part = n == LINE_LEN && data[n - 1] != '\n';
    while (n > 0 && (data[n - 1] <= ' ' || data[n - 1] > 0x7f)) {
        n--;
    }
    line->len = n;
    return 1;
}

static int begins_with(const line_t *line, const char *text)
{
    apr_size_t n = strlen(text);

    return line->len >= n && memcmp(line->data, text, n) == 0;
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
    if (is_label(label, "CERTIFICATE")
        || is_label(label, "X509 CERTIFICATE")) {
        block->what = SNIV_PEM_CERTIFICATE;
    }
    else if (is_label(label, "TRUSTED CERTIFICATE")) {
        block->what = SNIV_PEM_CERTIFICATE;
        block->is_trusted = 1;
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
    else if (label->len > 12
             && memcmp(label->data + label->len - 12, " PRIVATE KEY",
                       12) == 0) {
        block->what = SNIV_PEM_KEY;
    }
    else if (is_label(label, "DH PARAMETERS")
             || is_label(label, "X9.42 DH PARAMETERS")) {
        block->what = SNIV_PEM_DH_PARAMETERS;
    }
    else if (is_label(label, "EC PARAMETERS")) {
        block->what = SNIV_PEM_EC_PARAMETERS;
    }
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
        if (c == '-') {
            break;              /* the end of all data, to OpenSSL */
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
    if (count != 0 || n <= (apr_size_t)pads) {
        return -1;
    }
    return (apr_ssize_t)(n - (apr_size_t)pads);
}

/* Whether a line is `-----BEGIN LABEL-----`. */
static int is_begin(const line_t *line, sniv_bytes_t *label)
{
    static const char begin[] = "-----BEGIN ", tail[] = "-----";
    apr_size_t n = sizeof(begin) - 1, m = sizeof(tail) - 1;

    if (!begins_with(line, begin) || line->len < n + m
        || memcmp(line->data + line->len - m, tail, m) != 0) {
        return 0;
    }
    label->data = line->data + n;
    label->len = line->len - n - m;
    return 1;
}

/* Whether a line that begins with `-----END ` is the end of this block. */
static int is_end(const line_t *line, const sniv_bytes_t *label)
{
    static const char end[] = "-----END ", tail[] = "-----";
    apr_size_t n = sizeof(end) - 1, m = sizeof(tail) - 1;

    return line->len == n + label->len + m
           && memcmp(line->data + n, label->data, label->len) == 0
           && memcmp(line->data + n + label->len, tail, m) == 0;
}

static int find_begin(const sniv_buffer_t *buffer, apr_size_t *at,
                      sniv_bytes_t *label)
{
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
    static const unsigned char mark[] = { 0xef, 0xbb, 0xbf };
    int is_first = 1;
#endif
    line_t line;

    while (next_line(buffer, at, &line)) {
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
        /* the byte order mark of UTF-8, which 1.1.1 does not know */
        if (is_first && line.len >= sizeof(mark)
            && memcmp(line.data, mark, sizeof(mark)) == 0) {
            line.data += sizeof(mark);
            line.len -= sizeof(mark);
        }
        is_first = 0;
#endif
        if (is_begin(&line, label)) {
            return 1;
        }
    }
    return 0;
}

/* Where the reading of a block is, see get_header_and_data() of OpenSSL. */
typedef struct body_t {
    unsigned char *text;        /* the base64, without ends of lines */
    apr_size_t len;
    int has_colon;              /* a header line, perhaps (RFC 1421) */
    int has_blank;              /* an empty line: it was one, if anything */
    int is_encrypted;
} body_t;

/* Add a line. Returns 0 if it cannot be here. */
static int add_line(body_t *body, const line_t *line, int was_part)
{
    static const char encrypted[] = "ENCRYPTED";
    apr_size_t i, n = sizeof(encrypted) - 1;

    if (line->len == 0) {
        if (was_part) {
            return 1;
        }
        if (body->has_blank) {
            return 0;
        }
        body->has_blank = 1;
        if (body->len > 0) {    /* all of it was headers */
            for (i = 0; i + n <= body->len; i++) {
                if (memcmp(body->text + i, encrypted, n) == 0) {
                    body->is_encrypted = 1;
                }
            }
            body->has_colon = 1;
            body->len = 0;
        }
        return 1;
    }
    if (!body->has_blank && memchr(line->data, ':', line->len)) {
        body->has_colon = 1;
    }
    memmove(body->text + body->len, line->data, line->len);
    body->len += line->len;
    return 1;
}

/*
 * Read up to the end of a block. Returns 0 if OpenSSL would not: it gives up
 * the whole file then.
 */
static int read_body(const sniv_buffer_t *buffer, apr_size_t *at,
                     const sniv_bytes_t *label, body_t *body)
{
    int was_part = 0, is_short = 0;
    line_t line;

    body->text = buffer->data + *at;
    while (next_line(buffer, at, &line)) {
        if (begins_with(&line, "-----END ")) {
            return is_end(&line, label)
                   && (!body->has_colon || body->has_blank);
        }
        if ((is_short && line.len > 0)
            || !add_line(body, &line, was_part)) {
            return 0;
        }
        if (body->has_blank && line.len > 0) {
            if (line.len > 64) {
                return 0;
            }
            is_short = line.len < 64;
        }
        was_part = line.is_part;
    }
    return 0;
}

int sniv_pem_next(sniv_buffer_t *buffer, apr_size_t *at, sniv_pem_t *block)
{
    sniv_bytes_t label;
    body_t body;
    apr_ssize_t n;

    memset(block, 0, sizeof(*block));
    memset(&body, 0, sizeof(body));
    if (*at >= buffer->len || !find_begin(buffer, at, &label)) {
        *at = buffer->len;
        return 0;
    }
    classify(&label, block);
    block->is_damaged = !read_body(buffer, at, &label, &body);
    if (block->is_damaged) {
        *at = buffer->len;
        return 1;
    }
    if (body.has_colon && block->what == SNIV_PEM_KEY && body.is_encrypted) {
        block->what = SNIV_PEM_ENCRYPTED_KEY;
    }
    if (block->what == SNIV_PEM_ENCRYPTED_KEY) {
        return 1;
    }
    n = decode(body.text, body.len);
    if (n < 0 || (body.has_colon && block->what != SNIV_PEM_OTHER)) {
        block->is_damaged = 1;
        *at = buffer->len;
    }
    else {
        block->der.data = body.text;
        block->der.len = (apr_size_t)n;
    }
    return 1;
}
