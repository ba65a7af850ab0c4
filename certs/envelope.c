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


#include "certs/envelope.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_lib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

static const char head[] = "-----BEGIN SNIVHOST ENVELOPE-----\n";
static const char foot[] = "-----END SNIVHOST ENVELOPE-----\n";
#define HEAD (sizeof(head) - 1)
#define FOOT (sizeof(foot) - 1)

#define VERSION 1
#define ID_LEN 8
#define NONCE_LEN 12
#define TAG_LEN 16
#define BEFORE (1 + ID_LEN + NONCE_LEN)
#define LINE 48                 /* bytes in a line of 64 characters */

/* ----- keys */

static const char id_label[] = "snivhost envelope key";

static int name_key(sniv_store_key_t *key)
{
    unsigned char text[sizeof(id_label) + sizeof(key->key)];
    unsigned char digest[EVP_MAX_MD_SIZE];
    int rv;

    memcpy(text, id_label, sizeof(id_label));
    memcpy(text + sizeof(id_label), key->key, sizeof(key->key));
    rv = EVP_Digest(text, sizeof(text), digest, NULL, EVP_sha256(), NULL);
    memcpy(key->id, digest, sizeof(key->id));
    OPENSSL_cleanse(text, sizeof(text));
    return rv == 1;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One line. @return 0: not 64 hex digits */
static int parse_key(sniv_store_key_t *key, const char *line)
{
    apr_size_t i;

    for (i = 0; i < sizeof(key->key); i++) {
        int high = hex(line[2 * i]), low = high < 0 ? -1
                                                    : hex(line[2 * i + 1]);

        if (low < 0) {
            return 0;
        }
        key->key[i] = (unsigned char)(high << 4 | low);
    }
    line += 2 * i;
    line += strspn(line, " \t\r");
    return (*line == '\n' || *line == '\0') && name_key(key);
}

static const char *parse_keys(sniv_store_keys_t *keys, const char *text)
{
    for (; *text; text += *text == '\n') {
        text += strspn(text, " \t\r");
        if (*text != '\n' && *text != '#' && *text) {
            if (keys->n == SNIV_STORE_KEYS_MAX
                || !parse_key(&keys->keys[keys->n], text)) {
                return "has to hold one to four lines of 64 hex digits "
                       "(openssl rand -hex 32)";
            }
            keys->n++;
        }
        text += strcspn(text, "\n");
    }
    return keys->n ? NULL
           : "holds no key: one line of 64 hex digits (openssl rand -hex 32)";
}

const char *sniv_store_keys_read(sniv_store_keys_t *keys, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *reason = NULL;
    char text[2048];
    struct stat st;
    ssize_t n = -1;

    memset(keys, 0, sizeof(*keys));
    if (fd < 0) {
        return errno == ENOENT ? "does not exist" : "cannot be opened";
    }
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        n = read(fd, text, sizeof(text) - 1);
    }
    close(fd);
    if (n < 0) {
        return "cannot be read";
    }
    text[n] = '\0';
    if ((st.st_mode & 077) != 0
        || (st.st_uid != 0 && st.st_uid != geteuid())) {
        reason = "can be read by others: it has to belong to root, with "
                 "nothing for others (chmod 600)";
    }
    else {
        reason = parse_keys(keys, text);
    }
    OPENSSL_cleanse(text, sizeof(text));
    if (reason) {
        sniv_store_keys_wipe(keys);
    }
    return reason;
}

void sniv_store_keys_wipe(sniv_store_keys_t *keys)
{
    OPENSSL_cleanse(keys, sizeof(*keys));
}

const char sniv_not_sealed[] = "is not sealed, and SNIVHostStoreKey requires "
                               "it: put it with snivhost-store --key FILE";

/* ----- AES-256-GCM */

static const char data_label[] = "snivhost envelope 1";

/* @param tag written or, to open, expected. @return 0: it failed */
static int crypt_box(const sniv_store_key_t *key, int is_sealing,
                     const char *id, apr_size_t id_len,
                     const unsigned char *nonce, const unsigned char *in,
                     apr_size_t len, unsigned char *out, unsigned char *tag)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    unsigned char none[TAG_LEN];
    int n, rv;

    rv = ctx && EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->key,
                                  nonce, is_sealing) == 1
         && EVP_CipherUpdate(ctx, NULL, &n, (const void *)data_label,
                             sizeof(data_label)) == 1
         && EVP_CipherUpdate(ctx, NULL, &n, (const void *)id, (int)id_len)
            == 1
         && EVP_CipherUpdate(ctx, out, &n, in, (int)len) == 1
         && (is_sealing
             || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_LEN, tag)
                == 1)
         && EVP_CipherFinal_ex(ctx, none, &n) == 1
         && (!is_sealing
             || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_LEN, tag)
                == 1);
    EVP_CIPHER_CTX_free(ctx);
    return rv;
}

int sniv_envelope_is(const unsigned char *bytes, apr_size_t len)
{
    return len >= HEAD && memcmp(bytes, head, HEAD) == 0;
}

static apr_size_t raw_len(apr_size_t len)
{
    return BEFORE + len + TAG_LEN;
}

apr_size_t sniv_envelope_room(apr_size_t len)
{
    apr_size_t lines = (raw_len(len) + LINE - 1) / LINE;

    /* and the NUL that OpenSSL writes after base64 */
    return HEAD + lines * 65 + FOOT + 1;
}

apr_size_t sniv_envelope_seal(const sniv_store_keys_t *keys, const char *id,
                              apr_size_t id_len, const unsigned char *bytes,
                              apr_size_t len, unsigned char *out)
{
    apr_size_t raw = raw_len(len), at, to = HEAD;
    unsigned char *box = OPENSSL_malloc(raw);

    if (!box || keys->n < 1) {
        OPENSSL_free(box);
        return 0;
    }
    box[0] = VERSION;
    memcpy(box + 1, keys->keys[0].id, ID_LEN);
    if (RAND_bytes(box + 1 + ID_LEN, NONCE_LEN) != 1
        || !crypt_box(&keys->keys[0], 1, id, id_len, box + 1 + ID_LEN, bytes,
                      len, box + BEFORE, box + raw - TAG_LEN)) {
        OPENSSL_clear_free(box, raw);
        return 0;
    }
    memcpy(out, head, HEAD);
    for (at = 0; at < raw; at += LINE) {
        to += (apr_size_t)EVP_EncodeBlock(out + to, box + at,
                                          raw - at < LINE ? (int)(raw - at)
                                                          : LINE);
        out[to++] = '\n';
    }
    memcpy(out + to, foot, FOOT);
    OPENSSL_free(box);
    return to + FOOT;
}

/* Take base64 apart in place. @return how many bytes, 0: it is none */
static apr_size_t decode(unsigned char *bytes, apr_size_t len)
{
    apr_size_t at = HEAD, to = 0, line, pad;
    int n;

    while (at < len && bytes[at] != '-') {
        for (line = 0; at + line < len && bytes[at + line] != '\n'; line++)
            ;
        if (line == 0 || line > 64 || line % 4 != 0) {
            return 0;
        }
        pad = (bytes[at + line - 1] == '=') + (bytes[at + line - 2] == '=');
        /* what comes out is behind what goes in */
        n = EVP_DecodeBlock(bytes + to, bytes + at, (int)line);
        if (n < 0) {
            return 0;
        }
        to += (apr_size_t)n - pad;
        at += line + 1;
        if (pad) {
            break;
        }
    }
    return len >= FOOT - 1 && at <= len - (FOOT - 1)
           && memcmp(bytes + at, foot, FOOT - 1) == 0 ? to : 0;
}

static const char *open_box(const sniv_store_keys_t *keys, const char *id,
                            apr_size_t id_len, unsigned char *bytes,
                            apr_size_t *len, int *which)
{
    apr_size_t raw = decode(bytes, *len);
    int i;

    if (raw < raw_len(0)) {
        return "is a damaged envelope";
    }
    if (bytes[0] != VERSION) {
        return "is an envelope of a later version of this program";
    }
    for (i = 0; i < keys->n; i++) {
        if (CRYPTO_memcmp(keys->keys[i].id, bytes + 1, ID_LEN) == 0) {
            break;
        }
    }
    if (i == keys->n) {
        return "is sealed with a key that SNIVHostStoreKey does not have";
    }
    if (!crypt_box(&keys->keys[i], 0, id, id_len, bytes + 1 + ID_LEN,
                   bytes + BEFORE, raw - raw_len(0), bytes + BEFORE,
                   bytes + raw - TAG_LEN)) {
        return "was sealed for another ID, or has been changed since";
    }
    memmove(bytes, bytes + BEFORE, raw - raw_len(0));
    *len = raw - raw_len(0);
    if (which) {
        *which = i;
    }
    return NULL;
}

const char *sniv_envelope_open(const sniv_store_keys_t *keys, const char *id,
                               apr_size_t id_len, unsigned char *bytes,
                               apr_size_t *len, int *which)
{
    apr_size_t had = *len;
    const char *reason = open_box(keys, id, id_len, bytes, len, which);

    if (reason) {
        *len = 0;
    }
    OPENSSL_cleanse(bytes + *len, had - *len);
    return reason;
}
