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


#ifndef _GNU_SOURCE
#define _GNU_SOURCE     /* memfd_create() */
#endif

#include "tool/bundle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <apr_strings.h>

#include <openssl/crypto.h>

#include "certs/certs.h"
#include "certs/judge.h"
#include "certs/storeurl.h"

#define NAMES_SHOWN 5

/* ----- one */

static void describe(bundle_info_t *info, const sniv_entry_t *entry,
                     apr_pool_t *p)
{
    const char *kinds[] = { ".rsa", ".ecdsa", ".other" };
    apr_size_t at = 0;
    sniv_bytes_t name;
    sniv_leaf_t leaf;
    char *text;
    int n = 0;

    info->not_before = entry->not_before;
    info->not_after = entry->not_after;
    info->names = "";
    if (sniv_der_leaf(&leaf, entry->pairs[0].leaf.data,
                      entry->pairs[0].leaf.len)) {
        return;
    }
    while (sniv_der_name(&leaf, &at, &name)) {
        text = apr_pstrmemdup(p, (const char *)name.data, name.len);
        if (n == 0) {
            sniv_name_lower(text);
            info->id = apr_pstrcat(p, text, kinds[leaf.kind], NULL);
        }
        if (n < NAMES_SHOWN) {
            info->names = apr_pstrcat(p, info->names, n ? " " : "", text,
                                      NULL);
        }
        n++;
    }
    if (n > NAMES_SHOWN) {
        info->names = apr_psprintf(p, "%s and %d more", info->names,
                                   n - NAMES_SHOWN);
    }
}

/* A file in memory, as the reader reads files. */
static int memory_file(const sniv_buffer_t *bundle)
{
    int fd = memfd_create("snivhost-store", MFD_CLOEXEC);
    apr_size_t at = 0;
    ssize_t n;

    while (fd >= 0 && at < bundle->len) {
        n = write(fd, bundle->data + at, bundle->len - at);
        if (n < 0) {
            close(fd);
            return -1;
        }
        at += (apr_size_t)n;
    }
    return fd;
}

const char *bundle_judge(const sniv_buffer_t *bundle, bundle_info_t *info,
                         apr_pool_t *p)
{
    const char *path, *file, *reason = NULL;
    sniv_cert_files_t files;
    sniv_entry_t entry;
    apr_pool_t *ptemp;
    int fd = memory_file(bundle);

    memset(info, 0, sizeof(*info));
    if (fd < 0) {
        return "cannot be judged: out of memory";
    }
    apr_pool_create(&ptemp, p);
    path = apr_psprintf(ptemp, "/proc/self/fd/%d", fd);
    memset(&files, 0, sizeof(files));
    files.certs = &path;
    files.ncerts = 1;
    files.level = sniv_judge_level(NULL);
    if (sniv_reader_read(sniv_reader_make(ptemp), &files, SNIV_READ_ANY_ORDER
                         | SNIV_READ_NAMED | SNIV_READ_VERIFY, &entry, NULL,
                         &file, &reason) == APR_SUCCESS) {
        describe(info, &entry, p);
        reason = NULL;
    }
    else {
        reason = apr_pstrdup(p, reason ? reason : "cannot be read");
    }
    apr_pool_destroy(ptemp);
    close(fd);
    return reason;
}

/* ----- files */

static int has_room(sniv_buffer_t *bundle, apr_size_t room)
{
    unsigned char *data;

    if (bundle->room - bundle->len >= room) {
        return 1;
    }
    data = malloc(bundle->len + room);
    if (!data) {
        return 0;
    }
    if (bundle->len) {
        memcpy(data, bundle->data, bundle->len);
        OPENSSL_cleanse(bundle->data, bundle->len);
    }
    free(bundle->data);
    bundle->data = data;
    bundle->room = bundle->len + room;
    return 1;
}

const char *bundle_join(sniv_buffer_t *bundle, const char *const *files,
                        int n, const char **pfile)
{
    static char text[256];
    const char *reason = NULL;
    sniv_buffer_t one;
    apr_status_t rv;
    int i;

    memset(&one, 0, sizeof(one));
    sniv_buffer_wipe(bundle);
    for (i = 0; i < n && !reason; i++) {
        *pfile = files[i];
        rv = sniv_buffer_read(&one, NULL, files[i], NULL, &reason);
        if (rv != APR_SUCCESS) {
            if (!reason) {
                snprintf(text, sizeof(text), "cannot be read: %s",
                         strerror(rv));
                reason = text;
            }
        }
        else if (!memmem(one.data, one.len, "-----BEGIN ", 11)) {
            reason = "is not PEM: convert it (openssl pkcs12, openssl x509 "
                     "-inform DER)";
        }
        else if (!has_room(bundle, one.len + 1)) {
            reason = "cannot be read: out of memory";
        }
        else {
            memcpy(bundle->data + bundle->len, one.data, one.len);
            bundle->len += one.len;
            if (bundle->data[bundle->len - 1] != '\n') {
                bundle->data[bundle->len++] = '\n';
            }
        }
    }
    sniv_buffer_free(&one);
    if (!reason && bundle->len > SNIV_STORE_VALUE_MAX) {
        reason = "makes an entry of more than 256 KiB";
    }
    return reason;
}

/* ----- folders */

static void report(void *baton, sniv_certs_event_e event, sniv_cert_id_t id,
                   const char *file, const char *reason)
{
    const bundle_visitor_t *visitor = baton;

    (void)id;
    visitor->bad(visitor->baton, event == SNIV_CERTS_DOUBTFUL, file, reason);
}

void bundle_folder(const char *path, const bundle_visitor_t *visitor,
                   apr_pool_t *p)
{
    sniv_cert_info_t info;
    sniv_certs_t *certs;
    sniv_cert_id_t id;
    sniv_scope_t scope;
    apr_pool_t *ptemp;

    apr_pool_create(&ptemp, p);
    if (sniv_certs_make(&certs, ptemp) != APR_SUCCESS
        || sniv_certs_add_folders(certs, &path, 1, sniv_judge_level(NULL),
                                  SNIV_TRUST_ANY, &scope) != APR_SUCCESS
        || sniv_certs_load(certs, SNIV_CERTS_LOAD_DRY, 1, report,
                           (void *)visitor) != APR_SUCCESS) {
        visitor->bad(visitor->baton, 0, path, "cannot be read: out of "
                     "memory");
        apr_pool_destroy(ptemp);
        return;
    }
    for (id = 0; id < sniv_certs_count(certs); id++) {
        if (sniv_certs_info(certs, id, &info, ptemp) == APR_SUCCESS) {
            visitor->found(visitor->baton, info.files, info.nfiles);
        }
    }
    apr_pool_destroy(ptemp);
}
