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

#include "tell/explain.h"

#include <stdarg.h>

#include "apr_strings.h"
#include "http_core.h"
#include "http_protocol.h"
#include "http_request.h"
#include "http_vhost.h"

#include <openssl/ssl.h>

#include "module/words.h"
#include "tell/sets.h"

/* How many of the virtual hosts that were not chosen are listed. */
#define OTHERS_MAX 50

/* An explanation while it is made. */
typedef struct explainer_t {
    const snivhost_facts_t *facts;
    const snivhost_question_t *q;
    snivhost_explanation_t *x;
    apr_pool_t *p;
    snivhost_phase_e phase;
} explainer_t;

const char *snivhost_phase_name(snivhost_phase_e phase)
{
    static const char *const names[] = {
        "address", "handshake", "certificate", "request", "checks"
    };

    return names[phase];
}

const char *snivhost_status_text(int status)
{
    return status ? ap_get_status_line(status)
                  : "none: the request continues to its handler";
}

static void step(explainer_t *e, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void step(explainer_t *e, const char *format, ...)
{
    snivhost_step_t *s = apr_array_push(e->x->steps);
    va_list args;

    va_start(args, format);
    s->phase = e->phase;
    s->text = apr_pvsprintf(e->p, format, args);
    va_end(args);
}

const char *snivhost_alert_text(int alert)
{
    return alert == SSL_AD_UNRECOGNIZED_NAME ? "112, unrecognized_name"
           : alert == SSL_AD_INTERNAL_ERROR ? "80, internal_error"
           : alert == SSL_AD_HANDSHAKE_FAILURE ? "40, handshake_failure"
           : "109, missing_extension";
}

/* The refusals of names that no virtual host has. */
static const snivhost_refuse_t *refusals(const explainer_t *e)
{
    return !e->facts->refuse ? NULL
           : e->facts->refuse[e->x->set ? e->x->set->number
                                          : e->facts->table->nsets];
}

static void refuse(explainer_t *e, int status, const char *reason)
{
    if (!e->x->status) {
        e->x->status = status;
        e->x->reason = reason;
    }
    step(e, "%s: %s", ap_get_status_line(status), reason);
}

/* ----- the address ----- */

static const char *members_text(explainer_t *e, const sniv_set_t *set)
{
    const char *first = snivhost_vhost_text(e->p, set->members[0]);

    if (!set->name_based) {
        return apr_psprintf(e->p, "one virtual host, %s, so names are not "
                            "looked at", first);
    }
    return apr_psprintf(e->p, "%d virtual host%s, chosen by name; the first "
                        "and default is %s", set->nmembers,
                        snivhost_plural(set->nmembers), first);
}

static void explain_address(explainer_t *e)
{
    static const sniv_ip_t any;
    const snivhost_question_t *q = e->q;
    const sniv_ip_t *ips[] = { &q->ip, &q->ip, &any, &any };
    const apr_port_t ports[] = { q->port, 0, q->port, 0 };
    int i;

    e->phase = SNIVHOST_PHASE_ADDRESS;
    if (!snivhost_facts_listens(&q->ip, q->port)) {
        step(e, "no Listen line accepts connections to %s: what follows would "
             "apply if one did", snivhost_addr_text(e->p, &q->ip, q->port));
    }
    for (i = 0; i < 4; i++) {
        const sniv_set_t *set = sniv_table_get(e->facts->table, ips[i],
                                               ports[i]);
        const char *text = snivhost_addr_text(e->p, ips[i], ports[i]);

        if (!set)
            step(e, "%s: no virtual host has this address", text);
        else if (!e->x->set) {
            e->x->set = set;
            step(e, "%s: %s", text, members_text(e, set));
        }
        else {
            step(e, "%s: not looked at, %s decides alone (%d virtual "
                 "host%s)", text, snivhost_set_text(e->p, e->x->set),
                 set->nmembers, snivhost_plural(set->nmembers));
        }
    }
    if (!e->x->set) {
        step(e, "no address set: the main server answers, names are not "
             "looked at");
    }
}

/* ----- one name step, and the virtual hosts not chosen ----- */

typedef struct losers_t {
    explainer_t *e;
    const sniv_decision_t *winner;
    int nmatch;
} losers_t;

static int member_number(const sniv_decision_t *d)
{
    int i;

    for (i = 0; i < d->set->nmembers; i++) {
        if (d->set->members[i] == d->vhost)
            return i + 1;
    }
    return 0;
}

static const char *why_lost(explainer_t *e, const sniv_decision_t *winner,
                            const sniv_decision_t *d)
{
    int won = member_number(winner), lost = member_number(d);

    if (d->rule == SNIV_RULE_DEFAULT || d->rule == SNIV_RULE_DEFAULT_NO_NAME)
        return "it is the default, which only counts if nothing matches";
    if (d->rule == SNIV_RULE_ADDRESS_TEXT
        && winner->rule != SNIV_RULE_ADDRESS_TEXT) {
        return "the text of <VirtualHost> only counts if no name matches";
    }
    return apr_psprintf(e->p, "it is number %d in its address set, the "
                        "winner is number %d", lost, won);
}

static int lose(void *baton, const sniv_decision_t *d)
{
    losers_t *l = baton;
    snivhost_explanation_t *x = l->e->x;
    snivhost_other_t *other;

    l->nmatch += d->rule != SNIV_RULE_DEFAULT
                 && d->rule != SNIV_RULE_DEFAULT_NO_NAME;
    if (d->vhost == l->winner->vhost)
        return 0;
    if (x->others->nelts >= OTHERS_MAX) {
        x->nothers_left_out++;
        return 0;
    }
    other = apr_array_push(x->others);
    other->phase = l->e->phase;
    other->decision = *d;
    other->why = why_lost(l->e, l->winner, d);
    return 0;
}

/* A name that a peer sent, in quotes. */
static const char *quote(explainer_t *e, const char *name)
{
    return apr_pstrcat(e->p, "'", ap_escape_logitem(e->p, name), "'", NULL);
}

static void explain_name_step(explainer_t *e, const char *what,
                              const char *name, const char *path,
                              const sniv_decision_t *d)
{
    const int is_sni = e->phase == SNIVHOST_PHASE_HANDSHAKE;
    losers_t losers = { e, d, 0 };
    apr_pool_t *ptemp;

    if (!d->set || !d->set->name_based) {
        step(e, "%s does not matter here: %s", what,
             snivhost_vhost_text(e->p, d->vhost));
        return;
    }
    apr_pool_create(&ptemp, e->p);
    sniv_decide_each(e->facts->table, d->set, is_sni, name, path, lose,
                     &losers, ptemp);
    apr_pool_destroy(ptemp);

    if (name) {
        step(e, "looked for %s in the order of the configuration, in each "
             "virtual host ServerName, exact ServerAlias, ServerAlias with "
             "wildcards%s: %d of %d match", quote(e, name),
             is_sni ? "" : "; then in the texts of <VirtualHost>",
             losers.nmatch, d->set->nmembers);
    }
    else if (path) {
        step(e, "no host: looked for a ServerPath that the path begins with: "
             "%d of %d match", losers.nmatch, d->set->nmembers);
    }
    step(e, "%s: %s, by rule %s", what, snivhost_vhost_text(e->p, d->vhost),
         snivhost_rule_text(e->p, d));
}

/* ----- the handshake ----- */

static void explain_handshake(explainer_t *e)
{
    const snivhost_question_t *q = e->q;
    const snivhost_facts_t *facts = e->facts;
    snivhost_explanation_t *x = e->x;

    e->phase = SNIVHOST_PHASE_HANDSHAKE;
    sniv_decide_sni(facts->table, x->set, q->sni,
                    q->sni ? strlen(q->sni) : 0, &x->handshake);
    if (!q->sni && x->set && x->set->name_based) {
        step(e, "no SNI: the default, %s",
             snivhost_vhost_text(e->p, x->handshake.vhost));
        return;
    }
    explain_name_step(e, q->sni ? apr_pstrcat(e->p, "SNI ", quote(e, q->sni),
                                              NULL) : "SNI",
                      q->sni, NULL, &x->handshake);
}

/* What SNIVHostUnknownSNI and SNIVHostMissingSNI say. */
static void explain_alert(explainer_t *e)
{
    const snivhost_question_t *q = e->q;
    snivhost_explanation_t *x = e->x;
    const char *where = snivhost_set_text(e->p, x->set);

    if (x->set && !x->set->name_based)
        where = snivhost_addr_text(e->p, &q->ip, q->port);
    switch (snivhost_refuses_hello(refusals(e), &x->handshake, q->sni,
                                          q->sni ? strlen(q->sni) : 0)) {
    case SNIVHOST_REFUSED_UNKNOWN:
        x->alert = SSL_AD_UNRECOGNIZED_NAME;
        x->reason = apr_psprintf(e->p, "no virtual host on %s has the name "
                                 "%s, and SNIVHostUnknownSNI is set to "
                                 "refuse", where,
                                 quote(e, q->sni));
        break;
    case SNIVHOST_REFUSED_MISSING:
        x->alert = SSL_AD_MISSING_EXTENSION;
        x->reason = apr_psprintf(e->p, "there is no SNI, and "
                                 "SNIVHostMissingSNI is set to refuse on %s "
                                 "(before TLS 1.3 the alert is 40, "
                                 "handshake_failure)", where);
        break;
    default:
        return;
    }
    step(e, "alert %s: %s", snivhost_alert_text(x->alert), x->reason);
}

static const char *names_text(explainer_t *e, const sniv_cert_info_t *cert)
{
    const char *text = "";
    int i;

    for (i = 0; i < cert->nnames && i < 10; i++)
        text = apr_pstrcat(e->p, text, i ? ", " : "", cert->names[i], NULL);
    if (i < cert->nnames) {
        text = apr_psprintf(e->p, "%s and %d more", text, cert->nnames - i);
    }
    return cert->nnames ? text : "no name (subjectAltName has no dNSName)";
}

/* What makes clients reject it: also in the head of the answer. */
static void doubt(explainer_t *e, const char *phrase)
{
    if (!e->x->cert_trouble)
        e->x->cert_trouble = phrase;
    step(e, "it %s: clients reject it", phrase);
}

static void explain_validity(explainer_t *e, const sniv_cert_info_t *cert)
{
    const apr_time_t now = apr_time_now();
    const char *name = e->q->sni;

    if (cert->not_after < now) {
        doubt(e, apr_psprintf(e->p, "expired on %s, %s",
                              snivhost_time_text(e->p, cert->not_after),
                              snivhost_distance_text(e->p, cert->not_after,
                                                     now)));
    }
    else if (cert->not_before > now) {
        doubt(e, apr_psprintf(e->p, "is not valid before %s, %s",
                              snivhost_time_text(e->p, cert->not_before),
                              snivhost_distance_text(e->p, cert->not_before,
                                                     now)));
    }
    else {
        step(e, "valid until %s, %s",
             snivhost_time_text(e->p, cert->not_after),
             snivhost_distance_text(e->p, cert->not_after, now));
    }
    if (cert->chain_until && cert->chain_until < now) {
        doubt(e, apr_psprintf(e->p, "comes with a chain that expired on %s, "
                              "%s", snivhost_time_text(e->p,
                                                       cert->chain_until),
                              snivhost_distance_text(e->p, cert->chain_until,
                                                     now)));
    }
    if (name && *name && !sniv_certs_covers(cert, name)) {
        doubt(e, apr_pstrcat(e->p, "does not cover ", quote(e, name), NULL));
    }
}

/* What else clients may stumble over. */
static void explain_doubts(explainer_t *e, const snivhost_tls_facts_t *tls)
{
    const sniv_cert_info_t *cert = &tls->cert;

    if ((cert->flags & SNIV_CERT_NO_CHAIN)
        && strcmp(cert->subject, cert->issuer)) {
        step(e, "it is sent without a chain: clients that do not know its "
             "issuer, %s, reject it", cert->issuer);
    }
    if ((cert->flags & SNIV_CERT_MUST_STAPLE)
        && (cert->scope != SNIV_SCOPE_NONE || !strcmp(tls->how, "lean"))) {
        step(e, "it requires OCSP stapling (must-staple), but certificates of "
             "folders and of lean virtual hosts are sent without a staple: "
             "clients that honour this reject it");
    }
    if (tls->unused) {
        step(e, "SNIVHostCertificates has another one for %s, %s, which is "
             "not used: %s has this name, and a certificate of its own",
             quote(e, e->q->sni), tls->unused,
             snivhost_vhost_text(e->p, e->x->handshake.vhost));
    }
}

/* cert_callback() ends the handshake. */
static void refuse_handshake(explainer_t *e)
{
    snivhost_explanation_t *x = e->x;

    x->alert = SSL_AD_INTERNAL_ERROR;
    x->reason = apr_psprintf(e->p, "the certificate of %s cannot be used: "
                             "%s%s%s", snivhost_vhost_text(e->p,
                                                           x->cert_vhost),
                             x->tls.problem_file ? x->tls.problem_file : "",
                             x->tls.problem_file ? " " : "", x->tls.problem);
    step(e, "alert %s: %s", snivhost_alert_text(x->alert), x->reason);
}

/* OpenSSL finds no cipher suite with which it can be used. */
static void refuse_rare_key(explainer_t *e)
{
    snivhost_explanation_t *x = e->x;

    x->alert = SSL_AD_HANDSHAKE_FAILURE;
    x->reason = apr_psprintf(e->p, "clients do not support the key of the "
                             "certificate of %s (%s), unless they are told "
                             "to", snivhost_vhost_text(e->p, x->cert_vhost),
                             x->tls.cert.kinds);
    step(e, "alert %s: %s", snivhost_alert_text(x->alert), x->reason);
}

/* The member of a set that a server is; of another set, the first. */
static const sniv_vhost_t *member_of(const sniv_set_t *set,
                                     const server_rec *s)
{
    int i;

    for (i = 0; i < set->nmembers; i++) {
        if (set->members[i]->server == s)
            return set->members[i];
    }
    return set->members[0];
}

static void explain_certificate(explainer_t *e)
{
    const snivhost_facts_t *facts = e->facts;
    snivhost_explanation_t *x = e->x;
    const sniv_vhost_t *v = x->handshake.vhost;

    e->phase = SNIVHOST_PHASE_CERTIFICATE;
    snivhost_facts_handshake(facts, &x->handshake, e->q->sni, &x->tls, e->p);
    if (x->tls.of != v->server) {
        const sniv_vhost_t *w = member_of(x->set, x->tls.of);

        step(e, snivhost_facts_has_context(facts, v->server)
             ? "no certificate of %s is for this name: the handshake "
               "continues with that of %s"
             : "%s has no TLS of its own: the handshake continues with that "
               "of %s", snivhost_vhost_text(e->p, v),
             snivhost_vhost_text(e->p, w));
        v = w;
    }
    x->cert_vhost = v;
    if (x->tls.is_refused) {
        refuse_handshake(e);
        return;
    }
    if (!x->tls.has_cert) {
        step(e, "of %s; it cannot be described: %s%s%s",
             snivhost_vhost_text(e->p, v),
             x->tls.problem_file ? x->tls.problem_file : "",
             x->tls.problem_file ? ": " : "", x->tls.problem);
        return;
    }
    step(e, "of %s: %s (%s)", snivhost_vhost_text(e->p, v),
         x->tls.cert.nfiles ? x->tls.cert.files[0] : "in memory",
         x->tls.cert.kinds);
    if (x->tls.also) {
        step(e, "by the kind of key that the client supports also: %s",
             x->tls.also);
    }
    step(e, "subject %s, for %s", x->tls.cert.subject,
         names_text(e, &x->tls.cert));
    explain_validity(e, &x->tls.cert);
    explain_doubts(e, &x->tls);
    if (x->tls.why_not)
        step(e, "%s is not lean: %s", snivhost_vhost_text(e->p, v),
             x->tls.why_not);
    if (x->tls.cert.flags & SNIV_CERT_RARE_KEY)
        refuse_rare_key(e);
}

/* ----- the request ----- */

/*
 * Have httpd read the request: host, path, and its own walk through the
 * virtual hosts. On a connection and a request that do not exist.
 */
static request_rec *ask_httpd(explainer_t *e)
{
    static struct ap_logconf silent = { NULL, -1 };
    const snivhost_question_t *q = e->q;
    conn_rec *c = apr_pcalloc(e->p, sizeof(*c));
    request_rec *r = apr_pcalloc(e->p, sizeof(*r));

    c->pool = e->p;
    c->base_server = e->facts->main_server;
    c->local_addr = q->local;
    c->client_addr = q->local;
    c->log = &silent;
    c->conn_config = ap_create_conn_config(e->p);
    ap_update_vhost_given_ip(c);

    r->pool = e->p;
    r->connection = c;
    r->server = c->base_server;
    r->log = &silent;
    r->headers_in = apr_table_make(e->p, 1);
    r->headers_out = apr_table_make(e->p, 1);
    r->subprocess_env = apr_table_make(e->p, 1);
    r->notes = apr_table_make(e->p, 1);
    r->request_config = ap_create_request_config(e->p);
    r->per_dir_config = r->server->lookup_defaults;
    r->status = HTTP_OK;
    r->method = "GET";
    r->method_number = M_GET;
    r->proto_num = q->proto_num ? q->proto_num
                   : q->host ? HTTP_VERSION(1, 1) : HTTP_VERSION(1, 0);
    if (q->host)
        apr_table_setn(r->headers_in, "Host", q->host);
    ap_parse_uri(r, q->path);
    if (r->status == HTTP_OK)
        ap_check_request_header(r);
    return r;
}

/* What was done to the host, so that it became hostname. */
static void explain_host(explainer_t *e, const request_rec *r)
{
    const char *host = e->q->host;

    if (!host) {
        step(e, "no Host header, as %s", r->proto_num == HTTP_VERSION(1, 0)
             ? "HTTP/1.0 allows" : "HTTP/1.1 does not allow");
    }
    else if (!*host) {
        step(e, "an empty Host header");
    }
    else if (r->hostname && strcmp(r->hostname, host)) {
        step(e, "Host %s is read as %s: lower case, without port, brackets or "
             "a trailing dot", quote(e, host),
             quote(e, r->hostname));
    }
    if (strcmp(r->uri, e->q->path)) {
        step(e, "path %s is read as %s", quote(e, e->q->path),
             quote(e, r->uri));
    }
}

/* Why httpd's core refuses a request, if it does. */
static void explain_core_refusal(explainer_t *e, const request_rec *r,
                                 int is_malformed, int is_strict)
{
    const snivhost_explanation_t *x = e->x;

    e->phase = SNIVHOST_PHASE_CHECKS;
    if (r->status == HTTP_OK)
        return;
    if (is_malformed) {
        refuse(e, r->status, apr_psprintf(e->p, "httpd does not accept the "
               "Host %s (HttpProtocolOptions of %s)", quote(e, e->q->host),
               snivhost_vhost_text(e->p, x->set ? x->set->members[0]
                                   : e->facts->table->main_server)));
    }
    else if (!r->hostname) {
        refuse(e, r->status, "HTTP/1.1 requires a Host header");
    }
    else if (is_strict) {
        refuse(e, r->status, apr_psprintf(e->p, "StrictHostCheck is on in %s "
               "and no virtual host of this address has the name %s",
               snivhost_vhost_text(e->p, x->set ? x->set->members[0]
                                   : e->facts->table->main_server),
               quote(e, r->hostname)));
    }
    else {
        refuse(e, r->status, "httpd does not accept the request");
    }
}

/* What SNIVHostUnknownHost says. */
static void explain_refusal(explainer_t *e)
{
    const snivhost_explanation_t *x = e->x;
    int status = snivhost_refuses_request(refusals(e),
                                                 e->facts->table, &x->request,
                                                 x->hostname);

    if (status == OK)
        return;
    refuse(e, status, x->hostname
           ? apr_psprintf(e->p, "no virtual host on %s has the name %s, and "
                          "SNIVHostUnknownHost is set to refuse",
                          snivhost_addr_text(e->p, &e->q->ip, e->q->port),
                          quote(e, x->hostname))
           : "the request names no host, and SNIVHostUnknownHost is set to "
             "refuse");
}

static void explain_request(explainer_t *e)
{
    snivhost_explanation_t *x = e->x;
    request_rec *r = ask_httpd(e);
    const server_rec *first = x->set ? x->set->members[0]->server
                                     : e->facts->main_server;
    const core_server_config *core =
        ap_get_core_module_config(first->module_config);
    int is_strict = core->strict_host_check == AP_CORE_CONFIG_ON;
    int is_malformed = e->q->host && *e->q->host && !r->hostname;

    e->phase = SNIVHOST_PHASE_REQUEST;
    x->hostname = r->hostname;
    x->uri = r->uri;
    explain_host(e, r);

    sniv_decide_request(e->facts->table, x->set, r->hostname, r->uri,
                        &x->request);
    if (is_malformed && !is_strict && x->set && x->set->name_based) {
        /* fix_hostname() failed: ap_update_vhost_from_headers_ex() returns
         * without a look at the names. */
        x->rule = "early";
        x->request.vhost = x->set->members[0];
        x->request.rule = SNIV_RULE_DEFAULT_NO_NAME;
        x->request.pattern = NULL;
        step(e, "the Host is malformed: the request stays with the default, "
             "%s, before names are looked at",
             snivhost_vhost_text(e->p, x->request.vhost));
    }
    else {
        x->rule = sniv_rule_name(x->request.rule);
        explain_name_step(e, r->hostname
                          ? apr_pstrcat(e->p, "Host ", quote(e, r->hostname),
                                        NULL) : "Host",
                          r->hostname, r->hostname ? NULL : r->uri,
                          &x->request);
    }
    if (r->server != SNIVHOST_SERVER(&x->request)) {
        x->httpd_differs = r->server;
        step(e, "httpd itself chooses another virtual host, %s (%s:%u): "
             "please report this", r->server->server_hostname,
             r->server->defn_name ? r->server->defn_name : "main server",
             r->server->defn_line_number);
    }
    explain_core_refusal(e, r, is_malformed, is_strict);
    if (!x->status)
        explain_refusal(e);
}

/* ----- mod_ssl's checks ----- */

static void explain_policies(explainer_t *e, server_rec *a, server_rec *b)
{
    snivhost_explanation_t *x = e->x;
    const char *other = "";
    int i;

    if (a == b) {
        step(e, "mod_ssl: handshake and request have the same virtual host, "
             "which is always allowed");
        return;
    }
    for (i = 0; i < SNIVHOST_NSSLPOLICIES
                && x->policy != SNIVHOST_SSLPOLICY_BUILT_IN; i++) {
        if (i != (int)x->policy) {
            other = apr_psprintf(e->p, "%s%s %s %s", other,
                                 *other ? "," : ";",
                                 snivhost_sslpolicy_name(i),
                                 x->allows[i] ? "allows it" : "says 421");
        }
    }
    step(e, "%s: the handshake was done by %s, the request is for %s: %s%s",
         snivhost_sslpolicy_text(x->policy, e->p),
         snivhost_vhost_text(e->p, x->handshake.vhost),
         snivhost_vhost_text(e->p, x->request.vhost),
         x->allows[x->policy] ? "allowed" : "421", other);
    if (x->unsure)
        step(e, "that is not certain: %s", x->unsure);
}

/* What ssl_hook_ReadReq() in ssl_engine_kernel.c does. */
static void explain_mod_ssl(explainer_t *e)
{
    snivhost_explanation_t *x = e->x;
    const snivhost_tlsconfs_t *policy = e->facts->tls;
    server_rec *a = SNIVHOST_SERVER(&x->handshake);
    server_rec *b = SNIVHOST_SERVER(&x->request);
    int i;

    e->phase = SNIVHOST_PHASE_CHECKS;
    x->policy = snivhost_sslpolicy_configured(policy);
    x->unsure = snivhost_sslpolicy_unsure(policy, e->q->sni != NULL, a, b);
    for (i = 0; i <= SNIVHOST_SSLPOLICY_BUILT_IN; i++) {
        x->allows[i] = snivhost_sslpolicy_allows(policy, i, a, b)
            || (i == SNIVHOST_SSLPOLICY_BUILT_IN
                && !snivhost_sslpolicy_is_asked(policy, e->q->sni != NULL));
    }
    if (a != b)
        x->differs = snivhost_sslpolicy_differs(policy, a, b, e->p);

    if (x->status)
        return;     /* core has refused it before mod_ssl is asked */
    if (e->q->sni && !x->hostname) {
        refuse(e, HTTP_BAD_REQUEST, "mod_ssl requires a Host header when the "
               "handshake had SNI; to see what a browser gets, add host=");
    }
    else if (!e->q->sni && x->set && x->set->name_based
             && (snivhost_sslpolicy_strict_sni(policy, a)
                 || snivhost_sslpolicy_strict_sni(policy, b))) {
        refuse(e, HTTP_FORBIDDEN, apr_psprintf(e->p,
               "SSLStrictSNIVHostCheck is on in %s and there was no SNI",
               snivhost_vhost_text(e->p, snivhost_sslpolicy_strict_sni(policy,
                                   b) ? x->request.vhost
                                      : x->handshake.vhost)));
    }
    else {
        explain_policies(e, a, b);
        if (!x->allows[x->policy]) {
            refuse(e, HTTP_MISDIRECTED_REQUEST, apr_psprintf(e->p,
                   "%s does not let a connection of %s carry a request for "
                   "%s",
                   snivhost_sslpolicy_text(x->policy, e->p),
                   snivhost_vhost_text(e->p, x->handshake.vhost),
                   snivhost_vhost_text(e->p, x->request.vhost)));
        }
    }
}

const snivhost_explanation_t *snivhost_explain(const snivhost_facts_t *facts,
                                               const snivhost_question_t *q,
                                               apr_pool_t *p)
{
    snivhost_explanation_t *x = apr_pcalloc(p, sizeof(*x));
    explainer_t e = { facts, q, x, p, SNIVHOST_PHASE_ADDRESS };
    server_rec *first;

    x->question = q;
    x->steps = apr_array_make(p, 16, sizeof(snivhost_step_t));
    x->others = apr_array_make(p, 4, sizeof(snivhost_other_t));

    explain_address(&e);
    first = x->set ? x->set->members[0]->server : facts->main_server;
    x->speaks_tls = snivhost_facts_speaks_tls(facts, first);
    if (q->sni && !x->speaks_tls) {
        x->trouble = apr_psprintf(p, "there is no TLS on %s, because its "
                                  "first virtual host, %s, has no SSLEngine "
                                  "on: omit sni=, or use an address that has "
                                  "TLS",
                                  snivhost_addr_text(p, &q->ip, q->port),
                                  snivhost_vhost_text(p, x->set
                                      ? x->set->members[0]
                                      : facts->table->main_server));
        return x;
    }
    if (x->speaks_tls) {
        explain_handshake(&e);
        explain_alert(&e);
        if (x->alert)
            return x;
        explain_certificate(&e);
        if (x->alert)
            return x;
    }
    explain_request(&e);
    if (x->speaks_tls)
        explain_mod_ssl(&e);
    if (x->speaks_tls) {
        snivhost_whole_handshake(&x->whole, facts, x->set,
                                 SNIVHOST_SERVER(&x->handshake), q->sni, p);
    }
    if (!x->status)
        snivhost_whole_request(&x->whole, facts,
                               SNIVHOST_SERVER(&x->request), x->uri, p);
    return x;
}
