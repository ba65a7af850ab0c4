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

#include "tell/answers.h"

#include <string.h>

#include <openssl/ssl.h>

#include "names/host.h"

const sniv_vhost_t *snivhost_first_of(const snivhost_side_t *side,
                                      const sniv_set_t *set)
{
    return set ? set->members[0] : side->table->main_server;
}

/* SSLVHostSNIPolicy; the rule that is built in is not asked without SNI. */
static int is_misdirected(const snivhost_side_t *side,
                          const snivhost_answer_t *a, const char *sni)
{
    if (a->handshake.vhost == a->request.vhost || !side->policy
        || (!sni && !strcmp(side->policy, "built-in"))) {
        return 0;
    }
    return snivhost_side_more(side, a->handshake.vhost)->sni_group
           != snivhost_side_more(side, a->request.vhost)->sni_group;
}

static int status_of(const snivhost_side_t *side,
                     const snivhost_answer_t *a,
                     const snivhost_refuse_t *refuses,
                     const snivhost_probe_t *q, const char *sni)
{
    const sniv_vhost_t *first = snivhost_first_of(side, a->set);
    int status;

    if (q->host && !a->is_taken)
        return HTTP_BAD_REQUEST;
    if (q->host && snivhost_side_more(side, first)->strict_host
        && !sniv_decide_knows(side->table, &a->request, q->host)) {
        return HTTP_BAD_REQUEST;
    }
    status = snivhost_refuses_request(refuses, side->table,
                                             &a->request, q->host);
    if (status || !a->tls)
        return status;
    if (!sni && a->set && a->set->name_based
        && (snivhost_side_more(side, a->handshake.vhost)->strict_sni
            || snivhost_side_more(side, a->request.vhost)->strict_sni)) {
        return HTTP_FORBIDDEN;
    }
    return is_misdirected(side, a, sni) ? HTTP_MISDIRECTED_REQUEST : 0;
}

void snivhost_ask(const snivhost_side_t *side, const sniv_set_t *set,
                  const snivhost_probe_t *q, const char *sni,
                  snivhost_answer_t *a)
{
    const sniv_vhost_t *first = snivhost_first_of(side, set);
    const snivhost_refuse_t *refuses = !side->refusals ? NULL
        : side->refusals[set ? set->number : side->table->nsets];
    const apr_size_t len = sni ? strlen(sni) : 0;

    memset(a, 0, sizeof(*a));
    a->set = set;
    a->tls = snivhost_side_more(side, first)->engine;
    a->is_taken = q->host
                  && sniv_host_is_taken(
                         q->host, snivhost_side_more(side, first)->unsafe_host);
    sniv_decide_request(side->table, set, a->is_taken ? q->host : NULL,
                        q->path, &a->request);
    if (q->host && !a->is_taken && set && set->name_based
        && !snivhost_side_more(side, first)->strict_host) {
        a->request.vhost = first;
        a->request.rule = SNIV_RULE_DEFAULT_NO_NAME;
        a->request.pattern = NULL;
    }
    if (a->tls) {
        sniv_decide_sni(side->table, set, sni, len, &a->handshake);
        a->cert = snivhost_side_more(side, a->handshake.vhost);
        if (!a->cert->has_context)
            a->cert = snivhost_side_more(side, first);
        switch (snivhost_refuses_hello(refuses, &a->handshake, sni,
                                              len)) {
        case SNIVHOST_REFUSED_UNKNOWN:
            a->alert = SSL_AD_UNRECOGNIZED_NAME;
            return;
        case SNIVHOST_REFUSED_MISSING:
            a->alert = SSL_AD_MISSING_EXTENSION;
            return;
        default:
            break;
        }
    }
    a->status = status_of(side, a, refuses, q, sni);
}
