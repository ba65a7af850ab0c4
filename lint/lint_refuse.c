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

#include "lint/checks.h"

#include "apr_strings.h"
#include "ap_listen.h"
#include "http_core.h"

#include "module/words.h"

/*
 * Findings about refusing unknown names: SNIVHostUnknownSNI and the like
 * (serve/refuse.h) where they do nothing, or less than they say.
 *
 * A line holds for *places*: a line of the main server for all address sets
 * whose first virtual host has no such line of its own, and for connections
 * that no set takes; a line of a virtual host for the sets that it is the
 * first of.
 */

typedef struct place_t {
    const sniv_set_t *set;      /* NULL: connections that no set takes */
    const sniv_vhost_t *first;  /* answers for unknown names */
    const snivhost_refuse_conf_t *conf;
    int tls;                    /* see snivhost_lint_is_tls() */
    int is_strict;              /* StrictHostCheck On */
} place_t;

/* The places of one server's lines. */
typedef struct speaker_t {
    snivhost_lint_t *lint;
    const sniv_vhost_t *v;      /* whose lines */
    const snivhost_refuse_conf_t *conf;
    const snivhost_refuse_conf_t *main_conf;    /* NULL: it is the main
                                                   server */
    const place_t *places;
    int nplaces;
} speaker_t;

static const char *const directives[SNIVHOST_NREFUSALS] = {
    "SNIVHostUnknownSNI", "SNIVHostMissingSNI", "SNIVHostUnknownHost"
};

static int refuses(const snivhost_refuse_conf_t *conf,
                   snivhost_refusal_e what)
{
    const signed char values[SNIVHOST_NREFUSALS] = {
        conf->unknown_sni, conf->missing_sni, conf->unknown_host
    };

    return values[what] > 0;
}

/* Whether something is refused there; -1 for TLS that cannot be told is
 * taken for some. */
static int is_refused(const place_t *place, snivhost_refusal_e what)
{
    return refuses(place->conf, what)
           && (what == SNIVHOST_UNKNOWN_HOST || place->tls);
}

/* The line of this very server that says refuse, or NULL. */
static const ap_directive_t *refusal_of(const speaker_t *s,
                                        snivhost_refusal_e what)
{
    const ap_directive_t *line = s->conf->lines[what];

    return refuses(s->conf, what)
           && (!s->main_conf || line != s->main_conf->lines[what])
           ? line : NULL;
}

static const apr_array_header_t *allow_of(const speaker_t *s)
{
    return s->conf->allow
           && (!s->main_conf || s->conf->allow != s->main_conf->allow)
           ? s->conf->allow : NULL;
}

static const ap_directive_t *allow_line(const speaker_t *s, int i)
{
    return APR_ARRAY_IDX(s->conf->allow_lines, i, const ap_directive_t *);
}

/* ----- places ----- */

/* Whether connections may come that no address set takes. */
static int may_reach_main(const sniv_table_t *table)
{
    const ap_listen_rec *lr;

    for (lr = ap_listeners; lr; lr = lr->next) {
        sniv_ip_t ip;

        if (!lr->bind_addr || !sniv_ip_from_sockaddr(&ip, lr->bind_addr)
            || !sniv_table_find(table, &ip, lr->bind_addr->port)) {
            return 1;
        }
    }
    return !ap_listeners;
}

/* Whether mod_ssl is on for connections of no address set. */
static int is_main_tls(const snivhost_lint_t *lint)
{
    const snivhost_tlsconf_t *conf =
        snivhost_tlsconf_get(lint->tls, lint->main_server);
    const ap_listen_rec *lr;

    if (!ap_find_linked_module("mod_ssl.c"))
        return 0;
    if (conf->engine || conf->engine_said)
        return conf->engine ? 1 : -1;
    for (lr = ap_listeners; lr; lr = lr->next) {
        if (lr->protocol && !strcmp(lr->protocol, "https"))
            return -1;
    }
    return 0;
}

/* `SSLEngine optional` is neither: a plain connection may ask for TLS. */
static int tls_of(const snivhost_lint_t *lint, const sniv_vhost_t *v)
{
    const ap_directive_t *node = snivhost_lint_directive(lint, v,
                                                         "SSLEngine");

    return node && !ap_cstr_casecmp(node->args, "optional")
           ? -1 : snivhost_lint_is_tls(lint, v);
}

static void make_place(const snivhost_lint_t *lint, place_t *place,
                       const sniv_set_t *set)
{
    const sniv_vhost_t *v = set ? set->members[0] : lint->table->main_server;
    const server_rec *s = v->server;
    const core_server_config *core =
        ap_get_core_module_config(s->module_config);

    place->set = set;
    place->first = v;
    place->conf = snivhost_conf(s)->refuse;
    place->tls = set ? tls_of(lint, v) : is_main_tls(lint);
    place->is_strict = core->strict_host_check == AP_CORE_CONFIG_ON;
}

/* "*:80", "*:80 and 2 others", "any address" */
static const char *places_text(const speaker_t *s)
{
    apr_pool_t *p = s->lint->ptemp;
    const char *text;

    if (!s->main_conf || !s->nplaces)
        return "any address";
    text = snivhost_set_text(p, s->places[0].set);
    return s->nplaces > 1 ? apr_psprintf(p, "%s and %d other%s", text,
                                         s->nplaces - 1,
                                         snivhost_plural(s->nplaces - 1))
                          : text;
}

/* ----- refusals that do nothing ----- */

/* What is refused in the handshake, where there is none. */
static void look_at_tls(const speaker_t *s)
{
    snivhost_refusal_e what = refusal_of(s, SNIVHOST_UNKNOWN_SNI)
                              ? SNIVHOST_UNKNOWN_SNI : SNIVHOST_MISSING_SNI;
    const ap_directive_t *line = refusal_of(s, what);
    int i, has_host = 0;

    if (!line)
        return;
    for (i = 0; i < s->nplaces; i++) {
        const place_t *place = &s->places[i];

        if (place->conf->lines[what] == line && place->tls)
            return;
        has_host = has_host || is_refused(place, SNIVHOST_UNKNOWN_HOST);
    }
    if (s->main_conf) {
        snivhost_lint_add(s->lint, SNIVHOST_LINT_REFUSE_PLAIN, s->v, line,
                          "%s refuses TLS handshakes, but there are none on "
                          "%s: %s has no TLS. %s", directives[what],
                          places_text(s), s->v->server_name,
                          has_host ? "Remove it"
                                   : "To refuse requests, use "
                                     "SNIVHostUnknownHost");
    }
    else if (!has_host && s->lint->table->nsets) {
        /* who refuses requests too has said it for what may come */
        snivhost_lint_add(s->lint, SNIVHOST_LINT_REFUSE_PLAIN, s->v, line,
                          "%s refuses TLS handshakes, but no virtual host "
                          "that it applies to has TLS: nothing is refused. To "
                          "refuse requests, use SNIVHostUnknownHost",
                          directives[what]);
    }
}

static int is_everything(const char *pattern)
{
    return ap_strchr_c(pattern, '*') && !pattern[strspn(pattern, "*?")];
}

/* What lets every name through there, in words, or NULL. A name that no
 * client sends is known to patterns only that match all that are as long. */
static const char *opener(const speaker_t *s, const place_t *place)
{
    static const char odd[] =
        "\001\001\001\001\001\001\001\001\001\001\001\001\001\001\001\001"
        "\001\001\001\001\001\001\001\001\001\001\001\001\001\001\001\001";
    const sniv_names_t *index = place->set ? place->set->names
                                           : s->lint->table->main_names;
    const apr_array_header_t *allow = place->conf->allow;
    sniv_names_hit_t hit;
    int i;

    if (sniv_names_find(index, odd, sizeof(odd) - 1, &hit)) {
        const char *pattern = sniv_names_pattern(index, hit.rank, NULL);

        if (is_everything(pattern)) {
            return apr_psprintf(s->lint->ptemp, "ServerAlias '%s' of %s",
                                pattern, snivhost_vhost_text(s->lint->ptemp,
                                    !place->set ? place->first
                                    : place->set->members[
                                          SNIV_NAME_MEMBER(hit.value)]));
        }
    }
    for (i = 0; allow && i < allow->nelts; i++) {
        if (is_everything(APR_ARRAY_IDX(allow, i, const char *))) {
            return apr_psprintf(s->lint->ptemp, "SNIVHostAllowHost '%s'",
                                APR_ARRAY_IDX(allow, i, const char *));
        }
    }
    return NULL;
}

static void look_at_openers(const speaker_t *s, snivhost_refusal_e what)
{
    const ap_directive_t *line = refusal_of(s, what);
    const char *first = NULL;
    int i;

    if (!line)
        return;
    for (i = 0; i < s->nplaces; i++) {
        const place_t *place = &s->places[i];
        const char *who;

        if (place->conf->lines[what] != line || !is_refused(place, what))
            continue;
        who = opener(s, place);
        if (!who)
            return;
        first = first ? first : who;
    }
    if (first) {
        snivhost_lint_add(s->lint, SNIVHOST_LINT_REFUSE_NOBODY, s->v, line,
                          "%s refuses no client on %s: %s matches every "
                          "name. Remove one of the two", directives[what],
                          places_text(s), first);
    }
}

/* ----- SNIVHostAllowHost ----- */

static int is_nameless(const char *name)
{
    return !strcmp(name, "-");
}

/* Whether a name of SNIVHostAllowHost can make a difference there. */
static int matters(const place_t *place, const char *name)
{
    return is_refused(place, SNIVHOST_UNKNOWN_HOST)
           || is_refused(place, is_nameless(name) ? SNIVHOST_MISSING_SNI
                                                  : SNIVHOST_UNKNOWN_SNI);
}

static int is_known(const speaker_t *s, const place_t *place,
                    const char *name)
{
    sniv_names_hit_t hit;

    return sniv_names_find(place->set ? place->set->names
                                      : s->lint->table->main_names,
                           name, strlen(name), &hit);
}

static int is_ip_address(const char *name)
{
    return ap_strchr_c(name, ':')
           || (ap_strchr_c(name, '.') && !name[strspn(name, "0123456789.")]);
}

/* A client gives no IP address as its server name (RFC 6066, 3), and who
 * gives none is refused. */
static int is_refused_before(const place_t *place, const char *name)
{
    int i;

    if (!is_ip_address(name) || place->tls != 1
        || !is_refused(place, SNIVHOST_MISSING_SNI)) {
        return 0;
    }
    for (i = 0; i < place->conf->allow->nelts; i++) {
        if (is_nameless(APR_ARRAY_IDX(place->conf->allow, i, const char *)))
            return 0;
    }
    return 1;
}

/* core has answered 400 before it is asked whether the name is allowed; in
 * a handshake it may be. */
static int is_refused_by_core(const place_t *place, const char *name)
{
    return place->is_strict && !is_nameless(name)
           && !is_refused(place, SNIVHOST_UNKNOWN_SNI);
}

/* Names of one server's SNIVHostAllowHost of which the same can be said. */
typedef struct listed_t {
    const char *names[SNIVHOST_LINT_LISTED];
    const ap_directive_t *line; /* of the first */
    int n;
} listed_t;

static void add_listed(listed_t *list, const char *name,
                       const ap_directive_t *line)
{
    if (list->n < SNIVHOST_LINT_LISTED)
        list->names[list->n] = name;
    if (list->n++ == 0)
        list->line = line;
}

static const char *listed_text(const listed_t *list, apr_pool_t *p)
{
    return snivhost_lint_list(list->names, list->n, p);
}

/* What a name of SNIVHostAllowHost does in all places where it matters. */
typedef enum {
    CHANGES_NOTHING,            /* it matters in none */
    REFUSED_BEFORE,             /* in the handshake */
    REFUSED_BY_CORE,
    NEFFECTS,
    WORKS = NEFFECTS            /* or not the same in each, or no matter */
} effect_e;

static effect_e effect_at(const speaker_t *s, const place_t *place,
                          const char *name)
{
    if (!is_nameless(name) && is_known(s, place, name))
        return WORKS;
    if (is_refused_before(place, name))
        return REFUSED_BEFORE;
    return is_refused_by_core(place, name) ? REFUSED_BY_CORE : WORKS;
}

static effect_e effect_of(const speaker_t *s, const char *name)
{
    effect_e all = CHANGES_NOTHING;
    int i;

    for (i = 0; i < s->nplaces; i++) {
        const place_t *place = &s->places[i];
        effect_e here;

        if (place->conf->allow != s->conf->allow || !matters(place, name))
            continue;
        here = effect_at(s, place, name);
        if (all != CHANGES_NOTHING && all != here)
            return WORKS;
        all = here;
    }
    return all;
}

static void report_allowed(const speaker_t *s, const listed_t *lists)
{
    const listed_t *idle = &lists[CHANGES_NOTHING];
    const listed_t *before = &lists[REFUSED_BEFORE];
    const listed_t *strict = &lists[REFUSED_BY_CORE];
    apr_pool_t *p = s->lint->ptemp;

    if (idle->n) {
        snivhost_lint_add(s->lint, SNIVHOST_LINT_ALLOW_IDLE, s->v, idle->line,
                          "SNIVHostAllowHost %s has no effect: such clients "
                          "are not refused on %s. Add what to refuse, "
                          "'SNIVHostUnknownHost refuse' for example, or "
                          "remove %s", listed_text(idle, p), places_text(s),
                          idle->n == 1 ? "it" : "them");
    }
    if (before->n) {
        snivhost_lint_add(s->lint, SNIVHOST_LINT_ALLOW_ADDRESS, s->v,
                          before->line, "SNIVHostAllowHost %s has no effect: "
                          "clients that connect to an IP address send no "
                          "server name in the handshake, and "
                          "SNIVHostMissingSNI refuses it. Add "
                          "'SNIVHostAllowHost -', or write "
                          "'SNIVHostMissingSNI default'",
                          listed_text(before, p));
    }
    if (strict->n) {
        snivhost_lint_add(s->lint, SNIVHOST_LINT_ALLOW_STRICT, s->v,
                          strict->line, "SNIVHostAllowHost %s has no effect: "
                          "StrictHostCheck is on in %s, and httpd answers 400 "
                          "to every host that no virtual host has. Write "
                          "'StrictHostCheck Off'", listed_text(strict, p),
                          snivhost_vhost_text(p, s->places[0].first));
    }
}

static void look_at_allowed(const speaker_t *s)
{
    const apr_array_header_t *allow = allow_of(s);
    listed_t lists[NEFFECTS];
    int i;

    memset(lists, 0, sizeof(lists));
    for (i = 0; allow && i < allow->nelts; i++) {
        const char *name = APR_ARRAY_IDX(allow, i, const char *);
        const effect_e effect = effect_of(s, name);

        if (effect != WORKS)
            add_listed(&lists[effect], name, allow_line(s, i));
    }
    report_allowed(s, lists);
}

/* ----- all ----- */

/* Refusals that httpd does not know of, as it is httpd that decides. */
static void note_off(snivhost_lint_t *lint, const sniv_vhost_t *v,
                     const snivhost_refuse_conf_t *conf)
{
    int i;

    for (i = 0; i < SNIVHOST_NREFUSALS; i++) {
        if (refuses(conf, i)) {
            snivhost_lint_add(lint, SNIVHOST_LINT_REFUSE_OFF, v,
                              conf->lines[i], "%s refuses nothing yet: "
                              "SNIVHost is %s. Nothing is refused before "
                              "'SNIVHost On'", directives[i],
                              snivhost_conf(lint->main_server)->mode
                                  == SNIVHOST_VERIFY ? "Verify" : "Off");
            return;
        }
    }
}

static void look_at_speaker(const speaker_t *s)
{
    look_at_tls(s);
    look_at_openers(s, SNIVHOST_UNKNOWN_SNI);
    look_at_openers(s, SNIVHOST_UNKNOWN_HOST);
    look_at_allowed(s);
}

/* The first one with a finding, or NULL. */
static const sniv_vhost_t *first_speaker(const sniv_table_t *table)
{
    int i;

    if (snivhost_conf(table->main_server->server)->refuse->first)
        return table->main_server;
    for (i = 0; i < table->nvhosts; i++) {
        if (snivhost_conf(table->vhosts[i].server)->refuse->first)
            return &table->vhosts[i];
    }
    return NULL;
}

void snivhost_lint_refuse(snivhost_lint_t *lint)
{
    const sniv_table_t *table = lint->table;
    const sniv_vhost_t *v = first_speaker(table);
    const snivhost_refuse_conf_t *main_conf =
        snivhost_conf(lint->main_server)->refuse;
    place_t *all, *own;
    speaker_t s;
    int i, k, most = 1;

    if (!v)
        return;
    if (snivhost_conf(lint->main_server)->mode != SNIVHOST_ON) {
        note_off(lint, v, snivhost_conf(v->server)->refuse);
        return;
    }

    all = apr_palloc(lint->ptemp, (table->nsets + 1) * sizeof(*all));
    for (i = 0; i < table->nsets; i++)
        make_place(lint, &all[i], table->sets[i]);
    make_place(lint, &all[i], NULL);
    for (i = 0; i < table->nvhosts; i++) {
        if (table->vhosts[i].naddrs > most)
            most = table->vhosts[i].naddrs;
    }
    own = apr_palloc(lint->ptemp, most * sizeof(*own));

    s.lint = lint;
    s.v = table->main_server;
    s.conf = main_conf;
    s.main_conf = NULL;
    s.places = all;
    s.nplaces = table->nsets + may_reach_main(table);
    look_at_speaker(&s);

    s.main_conf = main_conf;
    s.places = own;
    for (i = 0; i < table->nvhosts; i++) {
        s.v = &table->vhosts[i];
        s.conf = snivhost_conf(s.v->server)->refuse;
        if (!s.conf->first)
            continue;
        s.nplaces = 0;
        for (k = 0; k < s.v->naddrs; k++) {
            const sniv_set_t *set = sniv_table_get(table, &s.v->addrs[k].ip,
                                                   s.v->addrs[k].port);

            if (set && set->members[0] == s.v)
                own[s.nplaces++] = all[set->number];
        }
        look_at_speaker(&s);
    }
}
