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

#include "certs/storeurl.h"

void sniv_reader_keys(sniv_reader_t *reader, const char *path)
{
    reader->key_file = path;
}

apr_status_t sniv_file_unseal(sniv_reader_t *reader, sniv_file_t *file,
                              const char **preason)
{
    sniv_buffer_t *buffer = &file->buffer;
    const char *id, *reason = NULL;
    apr_size_t len = sniv_store_id_of(file->path, &id);
    int is_sealed = sniv_envelope_is(buffer->data, buffer->len);
    apr_status_t rv = APR_EGENERAL;

    if (len == 0 || (!is_sealed && !reader->key_file)) {
        return APR_SUCCESS;
    }
    if (!reader->key_file) {
        reason = "is sealed, and there is no SNIVHostStoreKey";
    }
    else if (!is_sealed) {
        reason = sniv_not_sealed;
    }
    else if (reader->sealing.n == 0
             && sniv_store_keys_read(&reader->sealing, reader->key_file)) {
        reason = "is sealed, and the file of SNIVHostStoreKey cannot be read";
        rv = APR_EACCES;        /* it may be otherwise next time */
    }
    else {
        reason = sniv_envelope_open(&reader->sealing, id, len, buffer->data,
                                    &buffer->len, NULL);
    }
    if (!reason) {
        return APR_SUCCESS;
    }
    sniv_buffer_wipe(buffer);
    *preason = reason;
    return rv;
}
