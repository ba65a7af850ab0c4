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

#include "certs/issuer.h"

#include <stdlib.h>
#include <string.h>

#include <apr_pools.h>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

int sniv_is_self_issued(const sniv_leaf_t *cert)
{
    return sniv_bytes_equal(&cert->issuer, &cert->subject);
}

static int has_signed(const sniv_leaf_t *issuer, const sniv_leaf_t *cert)
{
    const unsigned char *p = issuer->whole.data, *q = cert->whole.data;
    X509 *ca = d2i_X509(NULL, &p, (long)issuer->whole.len);
    X509 *x = d2i_X509(NULL, &q, (long)cert->whole.len);
    int ok = ca && x && X509_verify(x, X509_get0_pubkey(ca)) == 1;

    X509_free(ca);
    X509_free(x);
    ERR_clear_error();
    return ok;
}

int sniv_has_issued(const sniv_leaf_t *issuer, const sniv_leaf_t *cert)
{
    if (!sniv_bytes_equal(&issuer->subject, &cert->issuer)) {
        return 0;
    }
    if (issuer->key_id.len > 0 && cert->issuer_key_id.len > 0) {
        return sniv_bytes_equal(&issuer->key_id, &cert->issuer_key_id);
    }
    return has_signed(issuer, cert);
}

/* What sniv_trusted_share() keeps. */
static X509_STORE *shared;
static int is_shared;

void sniv_trusted_forget(void)
{
    X509_STORE_free(shared);
    shared = NULL;
}

static apr_status_t end_shared(void *dummy)
{
    (void)dummy;
    sniv_trusted_forget();
    is_shared = 0;
    return APR_SUCCESS;
}

void sniv_trusted_share(apr_pool_t *p)
{
    if (!is_shared) {
        is_shared = 1;
        apr_pool_cleanup_register(p, NULL, end_shared,
                                  apr_pool_cleanup_null);
    }
}

/* Reading them all takes some milliseconds. */
static X509_STORE *read_store(void)
{
    X509_STORE *store = X509_STORE_new();

    if (store) {
        X509_STORE_set_default_paths(store);
    }
    ERR_clear_error();
    return store;
}

static X509_STORE *store_of(sniv_trusted_t *trust)
{
    if (!trust->store && is_shared) {
        if (!shared) {
            shared = read_store();
        }
        return shared;
    }
    if (!trust->store) {
        trust->store = read_store();
    }
    return trust->store;
}

static int look_up(sniv_trusted_t *trust, const sniv_bytes_t *der)
{
    const unsigned char *p = der->data;
    X509_NAME *name = d2i_X509_NAME(NULL, &p, (long)der->len);
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_STORE *store = store_of(trust);
    X509_OBJECT *found = NULL;

    if (name && ctx && store
        && X509_STORE_CTX_init(ctx, store, NULL, NULL) == 1) {
        found = X509_STORE_CTX_get_obj_by_subject(ctx, X509_LU_X509, name);
    }
    trust->is_known = found != NULL;
    X509_OBJECT_free(found);
    X509_STORE_CTX_free(ctx);
    X509_NAME_free(name);
    ERR_clear_error();
    return trust->is_known;
}

int sniv_trusted_issuer(sniv_trusted_t *trust, const sniv_leaf_t *cert)
{
    const sniv_bytes_t *issuer = &cert->issuer;
    unsigned char *copy;

    if (trust->len == issuer->len && trust->name
        && memcmp(trust->name, issuer->data, issuer->len) == 0) {
        return trust->is_known;
    }
    copy = realloc(trust->name, issuer->len);
    if (!copy) {
        return 0;
    }
    memcpy(copy, issuer->data, issuer->len);
    trust->name = copy;
    trust->len = issuer->len;
    return look_up(trust, issuer);
}

void sniv_trusted_free(sniv_trusted_t *trust)
{
    X509_STORE_free(trust->store);
    free(trust->name);
    memset(trust, 0, sizeof(*trust));
}
