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

#include "certs/reader.h"
#include "certs/reading.h"

#include <string.h>

#include <apr_strings.h>

#include "certs/hash.h"

static int contains(const sniv_buffer_t *buffer, const char *text)
{
    apr_size_t i, n = strlen(text);

    for (i = 0; i + n <= buffer->len; i++) {
        if (memcmp(buffer->data + i, text, n) == 0) {
            return 1;
        }
    }
    return 0;
}

/*
 * A file without PEM blocks: DER, or nothing that can be read. mod_ssl reads
 * keys in DER, certificates only in PEM; folders may have both.
 */
static void sort_der(sniv_file_t *file, unsigned flags)
{
    static const sniv_key_label_e labels[] = {
        SNIV_KEY_LABEL_ANY, SNIV_KEY_LABEL_RSA, SNIV_KEY_LABEL_EC
    };
    const unsigned char *data = file->buffer.data;
    apr_size_t len = file->buffer.len;
    sniv_leaf_t leaf;
    sniv_key_t key;
    int i;

    file->damage = file->key_damage = "is not PEM: it has no line that "
                                      "begins with -----BEGIN";
    if (len > 1 && ((data[0] == 0xff && data[1] == 0xfe)
                    || (data[0] == 0xfe && data[1] == 0xff))) {
        file->damage = file->key_damage = "is written in UTF-16: save it as "
                                          "plain text (ASCII or UTF-8)";
    }
    else if (contains(&file->buffer, "-----BEGIN ")) {
        file->damage = file->key_damage = "is not PEM as OpenSSL reads it: "
            "-----BEGIN has to begin a line, and lines have to end with LF "
            "or CR LF";
    }
    if (len == 0 || data[0] != 0x30) {
        return;
    }
    if (!sniv_der_leaf(&leaf, data, len)) {
        file->damage = "is a certificate in DER, which mod_ssl does not "
                       "read: convert it with openssl x509 -inform DER";
        if (flags & SNIV_READ_ANY_ORDER) {
            file->certs[0] = leaf.whole;
            file->ncerts = 1;
            file->damage = NULL;
        }
        return;
    }
    for (i = 0; i < 3 && !file->has_key; i++) {
        if (!sniv_der_key(&key, labels[i], data, len)) {
            file->has_key = 1;
            file->key.what = SNIV_PEM_KEY;
            file->key.label = labels[i];
            file->key.der.data = data;
            file->key.der.len = len;
            file->key_damage = NULL;
        }
    }
    if (!file->has_key) {
        (void)sniv_pkcs12_sort(file, flags & SNIV_READ_ANY_ORDER);
    }
}

/* A certificate of a file. */
static void sort_cert(sniv_file_t *file, const sniv_pem_t *block,
                      unsigned flags)
{
    if (block->is_trusted && !(flags & SNIV_READ_ANY_ORDER)
        && (file->ncerts > 0 || (flags & SNIV_READ_CHAINED))) {
        return;                 /* OpenSSL passes over it */
    }
    if (file->ncerts == SNIV_CERTS_MAX) {
        file->damage = "holds more than " APR_STRINGIFY(SNIV_CERTS_MAX)
                       " certificates";
        return;
    }
    file->certs[file->ncerts++] = block->der;
}

static void sort_key(sniv_file_t *file, const sniv_pem_t *block)
{
    if (block->what == SNIV_PEM_ENCRYPTED_KEY) {
        file->flags |= SNIV_CERT_ENCRYPTED_KEY;
    }
    if (!file->has_key) {
        file->has_key = 1;
        file->key = *block;
    }
}

/* Sort the blocks of a file that has just been read. */
void sniv_file_sort(sniv_file_t *file, unsigned flags)
{
    sniv_pem_t block;
    apr_size_t at = 0;
    int n = 0;

    file->ncerts = 0;
    file->has_key = 0;
    file->damage = file->key_damage = NULL;
    file->flags = 0;
    file->parameters = 0;
    for (; sniv_pem_next(&file->buffer, &at, &block); n++) {
        if (block.is_damaged) {
            file->damage = block.what == SNIV_PEM_CERTIFICATE
                           ? "holds a damaged or unfinished certificate"
                           : block.what == SNIV_PEM_KEY
                             ? "holds a damaged or unfinished private key"
                             : "holds a damaged or unfinished PEM block";
            if (!file->has_key) {
                file->key_damage = file->damage;
            }
        }
        else if (block.what == SNIV_PEM_CERTIFICATE) {
            sort_cert(file, &block, flags);
        }
        else if (block.what == SNIV_PEM_KEY
                 || block.what == SNIV_PEM_ENCRYPTED_KEY) {
            sort_key(file, &block);
        }
        else if (block.what == SNIV_PEM_DH_PARAMETERS
                 || block.what == SNIV_PEM_EC_PARAMETERS) {
            file->flags |= block.what == SNIV_PEM_DH_PARAMETERS
                           ? SNIV_CERT_DH_PARAMETERS
                           : SNIV_CERT_EC_PARAMETERS;
            file->parameters = sniv_hash_bytes(block.der.data, block.der.len,
                                               file->parameters);
        }
    }
    if (n == 0) {
        sort_der(file, flags);
    }
}
