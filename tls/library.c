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

#include "tls/library.h"

#include <dlfcn.h>

#include "apr_dso.h"
#include "apr_optional.h"
#include "apr_strings.h"
#include "http_log.h"
#include "mod_ssl.h"

#include <openssl/crypto.h>

/* The others have no security callback, or never call it (serve/handshake.c) */
#if defined(LIBRESSL_VERSION_NUMBER) || defined(OPENSSL_IS_BORINGSSL) \
    || defined(OPENSSL_IS_AWSLC) || OPENSSL_VERSION_NUMBER < 0x10101000L
#error mod_snivhost needs OpenSSL 1.1.1 or later
#endif

/* What there is to report; NULL if there is one OpenSSL. From the pool of
 * the configuration, made anew with each. */
static const char *difference;

/* "OpenSSL 3.0.17 1 Jul 2025" as mod_ssl writes it: OpenSSL/3.0.17 */
static const char *own_text(apr_pool_t *p)
{
    char *text = apr_pstrdup(p, OpenSSL_version(OPENSSL_VERSION));
    char *blank = strchr(text, ' ');

    if (blank) {
        *blank = '/';
        blank = strchr(blank, ' ');
        if (blank)
            *blank = '\0';
    }
    return text;
}

static const char *text_of_mod_ssl(apr_pool_t *p, server_rec *s)
{
    APR_OPTIONAL_FN_TYPE(ssl_var_lookup) *lookup =
        APR_RETRIEVE_OPTIONAL_FN(ssl_var_lookup);
    char name[] = "SSL_VERSION_LIBRARY";
    const char *text = lookup ? lookup(p, s, NULL, NULL, name) : NULL;

    return text && *text ? text : NULL;
}

/* The libssl that a module is linked with, by one of its functions; NULL if
 * the module is part of httpd itself, or has the function inside. */
static void *function_of(const module *m)
{
    apr_dso_handle_sym_t function;

    if (!m || !m->dynamic_load_handle
        || apr_dso_sym(&function, m->dynamic_load_handle, "SSL_CTX_new")
           != APR_SUCCESS) {
        return NULL;
    }
    return function;
}

static const char *file_of(apr_pool_t *p, void *function)
{
    Dl_info info;

    if (!function || !dladdr(function, &info) || !info.dli_fname)
        return "";
    return apr_psprintf(p, " (%s)", info.dli_fname);
}

static void report(int flags, const server_rec *s)
{
    ap_log_error(APLOG_MARK, flags | APLOG_ERR, 0, s, "SNIV0240: %s",
                 difference);
}

int snivhost_library_check_config(apr_pool_t *p, apr_pool_t *plog,
                                  apr_pool_t *ptemp, server_rec *s)
{
    const module *mod_ssl = ap_find_linked_module("mod_ssl.c");
    const char *theirs = mod_ssl ? text_of_mod_ssl(ptemp, s) : NULL;
    const char *ours = own_text(ptemp);
    void *their_ssl = function_of(mod_ssl);
    void *our_ssl = function_of(ap_find_linked_module("mod_snivhost.c"));

    (void)plog;
    difference = NULL;
    if (!mod_ssl || ((!theirs || !strcmp(theirs, ours))
                     && (!their_ssl || !our_ssl || their_ssl == our_ssl))) {
        return OK;
    }
    difference = apr_psprintf(p, "mod_ssl uses %s%s, but mod_snivhost was "
        "built for %s%s: it leaves TLS handshakes to mod_ssl, and "
        "SNIVHostAdopt, SNIVHostCertificates and SNIVHostTicketRotation have "
        "no effect. Rebuild mod_snivhost for the OpenSSL of mod_ssl",
        theirs ? theirs : "another OpenSSL", file_of(ptemp, their_ssl),
        ours, file_of(ptemp, our_ssl));
    /* For those that wait at the terminal; the log is not open yet */
    report(APLOG_STARTUP, NULL);
    return OK;
}

int snivhost_library_before_ssl(apr_pool_t *p, apr_pool_t *plog,
                                apr_pool_t *ptemp, server_rec *s)
{
    (void)p;
    (void)plog;
    (void)ptemp;
    if (difference)
        report(0, s);
    return OK;
}

int snivhost_library_is_shared(void)
{
    return !difference;
}
