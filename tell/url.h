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

#ifndef SNIVHOST_TELL_URL_H
#define SNIVHOST_TELL_URL_H

/**
 * @file tell/url.h
 * What a browser sends that is given a URL: server name, Host, path.
 *
 * Knows APR and, if the build has found its header, libidn2, which it loads when
 * a name outside ASCII needs it; nothing of httpd. Any bytes are safe to give.
 * Any thread; everything lives in the given pool.
 */

#include "apr_network_io.h"
#include "apr_pools.h"

typedef struct sniv_url_t {
    int is_https;
    apr_port_t port;
    const char *sni;        /**< NULL: no TLS, or an address (RFC 6066, 3) */
    const char *host;       /**< the Host header */
    const char *path;       /**< begins with a slash, without the query */
} sniv_url_t;

/**
 * Understand an absolute http or https URL.
 * @return NULL, or a sentence that says what is wrong and what to write
 */
const char *sniv_url_parse(sniv_url_t *url, const char *text, apr_pool_t *p);

/**
 * A host name as clients send it: an internationalised name as A-labels
 * (RFC 5890, "xn--..."), mapped as browsers do (UTS #46), anything else
 * unchanged.
 * @param text receives the name, if there is no error
 * @return NULL, or a sentence about a name that is not ASCII and for which
 *         there are no A-labels
 */
const char *sniv_url_ascii_host(const char **text, const char *host,
                                apr_pool_t *p);

/** The file name of libidn2; for tests. */
extern const char *sniv_url_idn2;

/** Whether a text has a control character or DEL. */
int sniv_url_has_controls(const char *text);

#endif /* SNIVHOST_TELL_URL_H */
