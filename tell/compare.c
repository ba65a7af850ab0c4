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

#include "tell/compare.h"

#include <stdlib.h>

#include "apr_strings.h"
#include "ap_listen.h"

#include "module/words.h"
#include "tell/answers.h"
#include "tell/twins.h"

typedef struct comparer_t {
    snivhost_comparison_t *out;
    const snivhost_side_t *before, *after;
    const snivhost_twins_t *twins;
    const snivhost_allow_t *allow;
    apr_hash_t *changes;        /* key -> snivhost_change_t * */
    apr_hash_t *names;          /* of a virtual host: see has_name() */
    const char *address;        /* where it is asked */
    apr_array_header_t *addresses;      /* where the answer is the same */
    apr_pool_t *p;
} comparer_t;

/* ----- changes ----- */

/* "a.example (alias)". */
static const char *decision_text(const comparer_t *c,
                                 const sniv_decision_t *d)
{
    return apr_psprintf(c->p, "%s (%s)", d->vhost->server_name,
                        sniv_rule_name(d->rule));
}

static const char *refusal_text(const comparer_t *c, const snivhost_answer_t *a)
{
    return a->alert ? apr_psprintf(c->p, "TLS alert %d", a->alert)
           : a->status ? apr_itoa(c->p, a->status) : "no refusal";
}

/* A change while it is put together. */
typedef struct draft_t {
    unsigned what;
    int tls;
    const char *summary;
    apr_array_header_t *details;
    const char *cause, *place;
} draft_t;

static void say(draft_t *draft, unsigned what, const char *text)
{
    draft->what |= what;
    if (!draft->summary)
        draft->summary = text;
    else
        APR_ARRAY_PUSH(draft->details, const char *) = text;
}

/* Whether a virtual host has a name, alias, pattern or path. */
static int has_name(comparer_t *c, const sniv_vhost_t *v, const char *name)
{
    apr_hash_t *names = apr_hash_get(c->names, &v, sizeof(v));
    int i;

    if (!names) {
        names = apr_hash_make(c->p);
        apr_hash_set(c->names, apr_pmemdup(c->p, &v, sizeof(v)), sizeof(v),
                     names);
        apr_hash_set(names, v->server_name, APR_HASH_KEY_STRING, v);
        for (i = 0; i < v->naliases; i++) {
            if (v->aliases[i])
                apr_hash_set(names, v->aliases[i], APR_HASH_KEY_STRING, v);
        }
        for (i = 0; i < v->nglobs; i++) {
            if (v->globs[i])
                apr_hash_set(names, v->globs[i], APR_HASH_KEY_STRING, v);
        }
        for (i = 0; i < v->naddrs; i++) {
            if (v->addrs[i].text)
                apr_hash_set(names, v->addrs[i].text, APR_HASH_KEY_STRING, v);
        }
        if (v->path)
            apr_hash_set(names, v->path, APR_HASH_KEY_STRING, v);
    }
    return apr_hash_get(names, name, APR_HASH_KEY_STRING) != NULL;
}

static int is_member(const sniv_set_t *set, const sniv_vhost_t *v)
{
    int i;

    for (i = 0; i < v->naddrs; i++) {
        if (set && v->addrs[i].port == set->port
            && sniv_ip_is_same(&v->addrs[i].ip, &set->ip)) {
            return 1;
        }
    }
    return !set && !v->naddrs;
}

static const char *kind_of_name(const sniv_decision_t *d)
{
    switch (d->rule) {
    case SNIV_RULE_SERVERNAME:
        return "ServerName";
    case SNIV_RULE_PATH:
        return "ServerPath";
    case SNIV_RULE_ADDRESS_TEXT:
        return "address";
    default:
        return "ServerAlias";
    }
}

static const char *vhost_text(const comparer_t *c, const sniv_vhost_t *v)
{
    return v->file ? apr_psprintf(c->p, "%s (%s:%u)", v->server_name, v->file,
                                  v->line)
                   : apr_psprintf(c->p, "the main server %s", v->server_name);
}

/* What is gone: the former one has lost the name, the address, or itself. */
static int explain_loss(comparer_t *c, draft_t *draft,
                        const sniv_decision_t *was, const sniv_set_t *set)
{
    const sniv_vhost_t *now = snivhost_twin_after(c->twins, was->vhost);

    if (!now) {
        draft->cause = apr_psprintf(c->p, "the virtual host %s was "
                                    "removed", vhost_text(c, was->vhost));
        return 1;
    }
    if (was->pattern && !has_name(c, now, was->pattern)) {
        draft->cause = apr_psprintf(c->p, "%s no longer has this %s",
                                    was->vhost->server_name,
                                    kind_of_name(was));
        draft->place = snivhost_side_place(c->after, now, NULL, c->p);
        return 1;
    }
    if (!is_member(set, now)) {
        draft->cause = apr_psprintf(c->p, "%s is no longer on this address",
                                    was->vhost->server_name);
        draft->place = snivhost_side_place(c->after, now, NULL, c->p);
        return 1;
    }
    return 0;
}

/* What leads to the virtual host that answers now. */
static void explain_vhost(comparer_t *c, draft_t *draft,
                          const sniv_set_t *set_before,
                          const sniv_decision_t *was,
                          const sniv_set_t *set_after,
                          const sniv_decision_t *now)
{
    const sniv_vhost_t *twin = snivhost_twin_before(c->twins, now->vhost);
    const char *at_before = snivhost_set_text(c->p, set_before);
    const char *at_after = snivhost_set_text(c->p, set_after);

    draft->place = snivhost_side_place(c->after, now->vhost, NULL, c->p);
    if (!twin) {
        draft->cause = apr_psprintf(c->p, "the virtual host %s is new",
                                    now->vhost->server_name);
    }
    else if (strcmp(at_before, at_after)) {
        draft->cause = apr_psprintf(c->p, "%s now decides here instead of %s",
                                    at_after, at_before);
    }
    else if (now->pattern && !has_name(c, twin, now->pattern)) {
        draft->cause = apr_psprintf(c->p, "%s is new in %s",
                                    kind_of_name(now),
                                    now->vhost->server_name);
        draft->place = snivhost_side_place(c->after, now->vhost, now->pattern,
                                           c->p);
    }
    else if (!is_member(set_before, twin)) {
        draft->cause = apr_psprintf(c->p, "%s is on this address now",
                                    now->vhost->server_name);
    }
    else if (explain_loss(c, draft, was, set_after)) {
        return;
    }
    else if (now->rule == SNIV_RULE_DEFAULT
             || now->rule == SNIV_RULE_DEFAULT_NO_NAME
             || now->rule == SNIV_RULE_IP) {
        draft->cause = apr_psprintf(c->p, "%s is the first virtual host of "
                                    "this address now",
                                    now->vhost->server_name);
    }
    else {
        draft->cause = apr_psprintf(c->p, "%s is before %s now",
                                    now->vhost->server_name,
                                    was->vhost->server_name);
    }
}

/* One decision of both sides. */
static void compare_vhosts(comparer_t *c, draft_t *draft, const char *what,
                           const snivhost_answer_t *b,
                           const sniv_decision_t *was,
                           const snivhost_answer_t *a,
                           const sniv_decision_t *now)
{
    const char *text;
    unsigned bit = SNIVHOST_CHANGED_VHOST;

    if (snivhost_twin_after(c->twins, was->vhost) == now->vhost) {
        if (was->rule == now->rule)
            return;
        bit = SNIVHOST_CHANGED_RULE;
    }
    text = apr_psprintf(c->p, "%s%s -> %s", what, decision_text(c, was),
                        decision_text(c, now));
    if (bit == SNIVHOST_CHANGED_VHOST
        && !strcmp(was->vhost->server_name, now->vhost->server_name)) {
        text = apr_psprintf(c->p, "%s, another virtual host of this "
                            "ServerName (%s -> %s)", text,
                            snivhost_side_place(c->before, was->vhost, NULL,
                                                c->p),
                            snivhost_side_place(c->after, now->vhost, NULL,
                                                c->p));
    }
    say(draft, bit, text);
    if (!draft->cause)
        explain_vhost(c, draft, b->set, was, a->set, now);
}

static void compare_certs(comparer_t *c, draft_t *draft,
                          const snivhost_answer_t *b,
                          const snivhost_answer_t *a)
{
    const snivhost_side_vhost_t *was = b->cert, *now = a->cert;
    const char *x = was->cert_text ? was->cert_text : "none";
    const char *y = now->cert_text ? now->cert_text : "none that can be read";

    /* what is not known before is in a note */
    if (!was->cert || (was->cert && now->cert
                       && !strcmp(was->cert, now->cert))) {
        return;
    }
    if (!now->cert && !now->cert_text && now->cert_unknown
        && was->cert_unknown) {
        return;
    }
    say(draft, SNIVHOST_CHANGED_CERT, strcmp(x, y)
        ? apr_psprintf(c->p, "certificate %s -> %s", x, y)
        : strchr(was->cert, ' ') ? "certificate: one of several is another"
        : "certificate: another one in the same file");
}

/* The lines of one text of settings that the other does not have. */
static const char *settings_diff(comparer_t *c, const char *was,
                                 const char *now)
{
    const char *text = "";

    while (*now) {
        const char *end = strchr(now, '\n');
        const char *line = apr_pstrmemdup(c->p, now, end - now + 1);
        const char *found = strstr(was, line);

        if (!found || (found != was && found[-1] != '\n')) {
            text = apr_pstrcat(c->p, text, *text ? ", " : "",
                               apr_pstrmemdup(c->p, now, end - now), NULL);
        }
        now = end + 1;
    }
    return *text ? text : "nothing";
}

/* Where the first of the settings that differ is written now. */
static const char *settings_place(comparer_t *c, const char *was,
                                  const sniv_vhost_t *v)
{
    const apr_array_header_t *all =
        snivhost_sslpolicy_settings(c->after->facts->tls, v->server, c->p);
    int i;

    for (i = 0; i < all->nelts; i++) {
        const snivhost_named_t *one = &APR_ARRAY_IDX(all, i,
                                                     snivhost_named_t);
        const char *line = apr_pstrcat(c->p, one->directive, " ",
            snivhost_one_line(c->p, one->setting.value), "\n", NULL);

        if (one->setting.file && !strstr(was, line)) {
            return apr_psprintf(c->p, "%s:%u", one->setting.file,
                                one->setting.line);
        }
    }
    return snivhost_side_place(c->after, v, NULL, c->p);
}

static void compare_tls(comparer_t *c, draft_t *draft,
                        const snivhost_answer_t *b,
                        const snivhost_answer_t *a)
{
    const char *was = b->cert->settings, *now = a->cert->settings;
    const sniv_vhost_t *v;

    if (!was || !now || was == now || !strcmp(was, now))
        return;
    say(draft, SNIVHOST_CHANGED_TLS,
        apr_psprintf(c->p, "TLS settings: %s -> %s",
                     settings_diff(c, now, was), settings_diff(c, was, now)));
    v = &c->after->table->vhosts[a->cert - c->after->more];
    if (!draft->cause) {
        draft->cause = "of this line";
        draft->place = settings_place(c, was, v);
    }
}

/* The last line counts. */
static const char *policy_place(apr_pool_t *p)
{
    const ap_directive_t *node;
    const char *place = "";

    for (node = ap_conftree; node; node = node->next) {
        if (!ap_cstr_casecmp(node->directive, "SSLVHostSNIPolicy"))
            place = apr_psprintf(p, "%s:%d", node->filename, node->line_num);
    }
    return place;
}

static void explain_refusal(comparer_t *c, draft_t *draft,
                            const snivhost_answer_t *b,
                            const snivhost_answer_t *a)
{
    const sniv_vhost_t *first = snivhost_first_of(c->after, a->set);
    const snivhost_refuse_conf_t *conf =
        &snivhost_side_more(c->after, first)->refuse;
    const char *x = c->before->policy, *y = c->after->policy;
    int i;

    (void)b;
    if ((a->status == HTTP_MISDIRECTED_REQUEST
         || b->status == HTTP_MISDIRECTED_REQUEST)
        && x && y && strcmp(x, y)) {
        draft->cause = apr_psprintf(c->p, "SSLVHostSNIPolicy %s -> %s", x, y);
        draft->place = policy_place(c->p);
        return;
    }
    for (i = 0; i < SNIVHOST_NREFUSALS; i++) {
        if (conf->lines[i]) {
            draft->cause = apr_psprintf(c->p, "%s %s",
                                        conf->lines[i]->directive,
                                        conf->lines[i]->args);
            draft->place = apr_psprintf(c->p, "%s:%d",
                                        conf->lines[i]->filename,
                                        conf->lines[i]->line_num);
        }
    }
    if (!draft->place)
        draft->place = snivhost_side_place(c->after, first, NULL, c->p);
}

/* ----- from drafts to changes ----- */

static int is_allowed(const comparer_t *c, const char *name)
{
    const char *text = apr_pstrcat(c->p, c->address, " ", name, NULL);
    int i;

    for (i = 0; c->allow && i < c->allow->nelts; i++) {
        if (!ap_strcasecmp_match(text, APR_ARRAY_IDX(c->allow, i,
                                                     const char *))) {
            return 1;
        }
    }
    return 0;
}

static snivhost_change_t *change_of(comparer_t *c, const draft_t *draft,
                                    const char *client)
{
    const char *key = apr_pstrcat(c->p, c->address, "\n", client, "\n",
                                  draft->summary, "\n",
                                  apr_array_pstrcat(c->p, draft->details,
                                                    '\n'),
                                  "\n", draft->cause ? draft->cause : "",
                                  "\n", draft->place, NULL);
    snivhost_change_t *change = apr_hash_get(c->changes, key,
                                             APR_HASH_KEY_STRING);

    if (!change) {
        change = apr_pcalloc(c->p, sizeof(*change));
        change->what = draft->what;
        change->address = c->address;
        change->addresses = c->addresses;
        change->tls = draft->tls;
        change->client = client;
        change->summary = draft->summary;
        change->details = draft->details;
        change->cause = draft->cause;
        change->place = draft->place;
        change->names = apr_array_make(c->p, 4, sizeof(const char *));
        change->asked = apr_array_make(c->p, 4, sizeof(const char *));
        apr_hash_set(c->changes, key, APR_HASH_KEY_STRING, change);
        APR_ARRAY_PUSH(c->out->changes, snivhost_change_t *) = change;
    }
    return change;
}

static void report(comparer_t *c, const draft_t *draft, const char *client,
                   const char *name, const char *asked, const char *file)
{
    snivhost_change_t *change = change_of(c, draft, client);
    const int n = change->names->nelts;

    /* several names are asked for one pattern; and what httpd does not take
     * for a name is as no name, or as any other one, where that changes too */
    if (n && (APR_ARRAY_IDX(change->names, n - 1, const char *) == name
              || !strcmp(name, SNIVHOST_PROBE_ODD))) {
        return;
    }

    change->file = !change->names->nelts
                   || (change->file && file && !strcmp(change->file, file))
                   ? file : NULL;
    APR_ARRAY_PUSH(change->names, const char *) = name;
    APR_ARRAY_PUSH(change->asked, const char *) = asked;
    if (draft->what == SNIVHOST_CHANGED_RULE)
        return;
    c->out->nchanged++;
    if (!is_allowed(c, name)) {
        change->nnot_allowed++;
        c->out->nnot_allowed++;
    }
}

static void compare_handshakes(comparer_t *c, draft_t *draft,
                               const snivhost_answer_t *b,
                               const snivhost_answer_t *a)
{
    if (b->tls != a->tls) {
        say(draft, SNIVHOST_CHANGED_TLS, a->tls ? "no TLS -> TLS"
                                                : "TLS -> no TLS");
        draft->cause = "SSLEngine of the first virtual host";
        draft->place = snivhost_side_place(
            c->after, snivhost_first_of(c->after, a->set), NULL, c->p);
        return;
    }
    if (!a->tls)
        return;
    /* in most cases the request says the same */
    if (b->alert || a->alert
        || b->handshake.vhost != b->request.vhost
        || a->handshake.vhost != a->request.vhost
        || b->handshake.rule != b->request.rule
        || a->handshake.rule != a->request.rule) {
        compare_vhosts(c, draft, "handshake ", b, &b->handshake, a,
                       &a->handshake);
    }
}

static void compare_answers(comparer_t *c, const snivhost_probe_t *q,
                            const char *client, const snivhost_answer_t *b,
                            const snivhost_answer_t *a)
{
    draft_t draft = { 0 };
    const sniv_vhost_t *v = a->request.vhost;

    draft.details = apr_array_make(c->p, 2, sizeof(const char *));
    draft.tls = a->tls;
    if (q->host && b->is_taken != a->is_taken) {
        draft.cause = "HttpProtocolOptions of the first virtual host";
        draft.place = snivhost_side_place(
            c->after, snivhost_first_of(c->after, a->set), NULL, c->p);
    }
    if (!b->alert && !a->alert
        && (b->is_taken == a->is_taken
            || snivhost_twin_after(c->twins, b->request.vhost) != v)) {
        compare_vhosts(c, &draft, "", b, &b->request, a, &a->request);
    }
    compare_handshakes(c, &draft, b, a);
    if (a->tls && b->tls && !b->alert && !a->alert) {
        compare_certs(c, &draft, b, a);
        compare_tls(c, &draft, b, a);
    }
    if (b->alert != a->alert || b->status != a->status) {
        say(&draft, SNIVHOST_CHANGED_REFUSAL,
            apr_psprintf(c->p, "%s -> %s", refusal_text(c, b),
                         refusal_text(c, a)));
        if (!draft.cause)
            explain_refusal(c, &draft, b, a);
    }
    if (!draft.what)
        return;
    if (!draft.place)
        draft.place = snivhost_side_place(c->after, v, NULL, c->p);
    /* where the names are written: now, or before they were lost */
    if ((!a->request.pattern && b->request.pattern) || !v->file)
        v = b->request.vhost;
    report(c, &draft, client, q->label, q->host, q->is_name ? v->file : NULL);
}

/* A browser, and a client that gives no server name. */
static void compare_one(comparer_t *c, const sniv_set_t *sb,
                        const sniv_set_t *sa, const snivhost_probe_t *q)
{
    snivhost_answer_t b, a, b2, a2;

    c->out->nnames++;
    snivhost_ask(c->before, sb, q, q->sni, &b);
    snivhost_ask(c->after, sa, q, q->sni, &a);
    compare_answers(c, q, "", &b, &a);
    if (!q->sni || !a.tls || !b.tls)
        return;
    snivhost_ask(c->before, sb, q, NULL, &b2);
    snivhost_ask(c->after, sa, q, NULL, &a2);
    /* what the browser and (no name) do not show */
    if (b2.status != a2.status
        && snivhost_twin_after(c->twins, b2.request.vhost)
           == a2.request.vhost
        && (b.status != b2.status || a.status != a2.status)) {
        compare_answers(c, q, " (a client without SNI)", &b2, &a2);
    }
}

/* ----- addresses ----- */

/* An address that no set has: it stands for all others. */
static const sniv_ip_t other_ip = {
    { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 240, 0, 0, 1 }, 0
};

static void add_ip(apr_array_header_t *ips, const sniv_ip_t *ip)
{
    int i;

    if (sniv_ip_is_any(ip))
        return;
    for (i = 0; i < ips->nelts; i++) {
        if (sniv_ip_is_same(&APR_ARRAY_IDX(ips, i, sniv_ip_t), ip))
            return;
    }
    APR_ARRAY_PUSH(ips, sniv_ip_t) = *ip;
}

static void add_port(apr_array_header_t *ports, apr_port_t port)
{
    int i;

    for (i = 0; i < ports->nelts; i++) {
        if (APR_ARRAY_IDX(ports, i, apr_port_t) == port)
            return;
    }
    if (port)
        APR_ARRAY_PUSH(ports, apr_port_t) = port;
}

static void add_sets(const snivhost_side_t *side, apr_array_header_t *ips,
                     apr_array_header_t *ports)
{
    int i;

    for (i = 0; i < side->table->nsets; i++) {
        add_ip(ips, &side->table->sets[i]->ip);
        add_port(ports, side->table->sets[i]->port);
    }
}

static const snivhost_side_vhost_t *
more_of_first(const snivhost_side_t *side, const sniv_set_t *set)
{
    return snivhost_side_more(side, snivhost_first_of(side, set));
}

/* Whether names with unusual characters may change where others do not. */
static int takes_otherwise(const snivhost_side_vhost_t *was,
                           const snivhost_side_vhost_t *now)
{
    return was->unsafe_host != now->unsafe_host || was->strict_host
           || now->strict_host;
}

/* Both sides at one address, unless the same two sets were compared. */
static void compare_at(comparer_t *c, const sniv_ip_t *ip, apr_port_t port,
                       apr_hash_t *done)
{
    const sniv_set_t *pair[2];
    const apr_array_header_t *probes;
    static const sniv_ip_t any;
    const char *text;
    int i, not_met, is_odd;

    pair[0] = sniv_table_find(c->before->table, ip, port);
    pair[1] = sniv_table_find(c->after->table, ip, port);
    text = snivhost_addr_text(c->p, ip == &other_ip ? &any : ip, port);
    c->addresses = apr_hash_get(done, pair, sizeof(pair));
    if (c->addresses) {
        APR_ARRAY_PUSH(c->addresses, const char *) = text;
        return;
    }
    c->address = text;
    c->addresses = apr_array_make(c->p, 1, sizeof(const char *));
    APR_ARRAY_PUSH(c->addresses, const char *) = text;
    apr_hash_set(done, apr_pmemdup(c->p, pair, sizeof(pair)), sizeof(pair),
                 c->addresses);
    c->out->naddresses++;
    probes = snivhost_probes(c->before->table, pair[0], c->after->table,
                             pair[1], &not_met, c->p);
    is_odd = takes_otherwise(more_of_first(c->before, pair[0]),
                             more_of_first(c->after, pair[1]));
    for (i = 0; i < probes->nelts; i++) {
        const snivhost_probe_t *q = &APR_ARRAY_IDX(probes, i,
                                                   snivhost_probe_t);

        if (!q->is_odd || is_odd || !strcmp(q->label, SNIVHOST_PROBE_ODD))
            compare_one(c, pair[0], pair[1], q);
    }
    if (not_met) {
        APR_ARRAY_PUSH(c->out->notes, const char *) = apr_psprintf(c->p,
            "%s: names that match two patterns of ServerAlias were not tried "
            "for %d patterns", c->address, not_met);
    }
}

static void compare_all(comparer_t *c)
{
    apr_array_header_t *ips = apr_array_make(c->p, 8, sizeof(sniv_ip_t));
    apr_array_header_t *ports = apr_array_make(c->p, 8, sizeof(apr_port_t));
    apr_hash_t *done = apr_hash_make(c->p);
    const ap_listen_rec *lr;
    int i, k;

    add_sets(c->after, ips, ports);
    add_sets(c->before, ips, ports);
    for (lr = ap_listeners; lr; lr = lr->next) {
        if (lr->bind_addr)
            add_port(ports, lr->bind_addr->port);
    }
    for (i = 0; i < ports->nelts; i++) {
        const apr_port_t port = APR_ARRAY_IDX(ports, i, apr_port_t);

        compare_at(c, &other_ip, port, done);
        for (k = 0; k < ips->nelts; k++)
            compare_at(c, &APR_ARRAY_IDX(ips, k, sniv_ip_t), port, done);
    }
}

/* ----- the rest ----- */

static int has_text(const apr_array_header_t *texts, const char *text)
{
    int i;

    for (i = 0; i < texts->nelts; i++) {
        const char *one = APR_ARRAY_IDX(texts, i, const char *);

        if (one && !strcmp(one, text))
            return 1;
    }
    return 0;
}

static void compare_listen(comparer_t *c, const apr_array_header_t *these,
                           const apr_array_header_t *others,
                           const char *summary)
{
    int i;

    for (i = 0; i < these->nelts; i++) {
        draft_t draft = { 0 };

        c->address = APR_ARRAY_IDX(these, i, const char *);
        c->addresses = NULL;
        if (!c->address || has_text(others, c->address))
            continue;
        draft.what = SNIVHOST_CHANGED_LISTEN;
        draft.summary = summary;
        draft.place = "";
        draft.details = apr_array_make(c->p, 1, sizeof(const char *));
        report(c, &draft, "", "(every name)", NULL, NULL);
    }
}

static void note(comparer_t *c, const char *text)
{
    APR_ARRAY_PUSH(c->out->notes, const char *) = text;
}

/* Virtual hosts of which more has changed than can be compared. */
static void note_vhosts(comparer_t *c)
{
    const sniv_table_t *table = c->after->table;
    const char *examples = "";
    int i, n = 0, unknown = 0;

    for (i = 0; i <= table->nvhosts; i++) {
        const snivhost_side_vhost_t *now = &c->after->more[i];
        const sniv_vhost_t *twin = snivhost_twin_before(c->twins,
                                                        &table->vhosts[i]);
        const snivhost_side_vhost_t *was =
            twin ? snivhost_side_more(c->before, twin) : NULL;

        if (!was)
            continue;
        unknown += now->has_context && was->has_context
                   && (!was->cert || !now->cert);
        if (i == table->nvhosts || !was->digest || !now->digest
            || !strcmp(was->digest, now->digest)) {
            continue;
        }
        if (n++ < 3) {
            examples = apr_psprintf(c->p, "%s%s%s", examples,
                                    *examples ? ", " : "",
                                    vhost_text(c, &table->vhosts[i]));
        }
    }
    if (n) {
        note(c, apr_psprintf(c->p, "%d virtual host%s other directives than "
                             "before, and may answer otherwise: %s%s", n,
                             n == 1 ? " has" : "s have", examples,
                             n > 3 ? ", ..." : ""));
    }
    if (unknown) {
        note(c, apr_psprintf(c->p, "the certificate of %d virtual host%s is "
                             "not known on both sides (given by mod_md, or "
                             "not readable), and was not compared", unknown,
                             snivhost_plural(unknown)));
    }
}

static void note_main(comparer_t *c)
{
    const snivhost_side_vhost_t *was =
        snivhost_side_more(c->before, c->before->table->main_server);
    const snivhost_side_vhost_t *now =
        snivhost_side_more(c->after, c->after->table->main_server);

    if (was->digest && now->digest && strcmp(was->digest, now->digest)) {
        note(c, "lines outside <VirtualHost> have changed: apart from names "
             "and TLS they were not compared");
    }
}

static int compare_changes(const void *x, const void *y)
{
    const snivhost_change_t *a = *(snivhost_change_t *const *)x;
    const snivhost_change_t *b = *(snivhost_change_t *const *)y;
    const int rule_a = a->what == SNIVHOST_CHANGED_RULE;
    const int rule_b = b->what == SNIVHOST_CHANGED_RULE;

    if (rule_a != rule_b)
        return rule_a - rule_b;
    if (!a->nnot_allowed != !b->nnot_allowed)
        return !a->nnot_allowed - !b->nnot_allowed;
    if (a->names->nelts != b->names->nelts)
        return b->names->nelts - a->names->nelts;
    return strcmp(APR_ARRAY_IDX(a->names, 0, const char *),
                  APR_ARRAY_IDX(b->names, 0, const char *));
}

snivhost_comparison_t *snivhost_compare(const snivhost_side_t *before,
                                        const snivhost_side_t *after,
                                        const snivhost_allow_t *allow,
                                        apr_pool_t *p)
{
    comparer_t c = { 0 };
    snivhost_comparison_t *out = apr_pcalloc(p, sizeof(*out));

    out->before = before;
    out->after = after;
    out->changes = apr_array_make(p, 16, sizeof(snivhost_change_t *));
    out->notes = apr_array_make(p, 4, sizeof(const char *));
    c.out = out;
    c.before = before;
    c.after = after;
    c.allow = allow;
    c.twins = snivhost_twins_find(before, after, p);
    c.changes = apr_hash_make(p);
    c.names = apr_hash_make(p);
    c.p = p;
    compare_all(&c);
    compare_listen(&c, before->listen, after->listen,
                   "connections -> no longer listened to");
    compare_listen(&c, after->listen, before->listen,
                   "not listened to -> connections are accepted");
    note_vhosts(&c);
    note_main(&c);
    qsort(out->changes->elts, out->changes->nelts, sizeof(void *),
          compare_changes);
    return out;
}
