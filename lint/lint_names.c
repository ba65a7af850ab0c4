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

#include "apr_hash.h"
#include "apr_lib.h"
#include "apr_strings.h"
#include "http_core.h"

#include "module/words.h"
#include "names/host.h"

/*
 * Findings about names: which are never matched, and which are missing
 * written. The name index is asked for each name as a client would ask: the
 * answer should be its own virtual host.
 */

/* From so many globs without a literal end on, the look-up of an unknown
 * name costs more than all the rest of choosing a virtual host. */
#define MANY_SCANNED 100

#define LISTED SNIVHOST_LINT_LISTED

/* Hosts are not longer; globs that are, or have more stars, are not compared
 * with each other. */
#define RUN         256
#define GLOB_MAX    256
#define STARS_MAX   4

/* Names of one virtual host that another one gets, until they are told. */
typedef struct hidden_t {
    snivhost_lint_e kind;
    const sniv_set_t *set;
    int member;                 /* whose names they are */
    int winner;                 /* the member that gets them */
    apr_uint32_t by;            /* rank of the pattern that matches first */
    int count;
    const char *names[LISTED];
} hidden_t;

/* Findings that are reported only once, however many sets have them. */
typedef struct told_t {
    const sniv_vhost_t *vhost;
    const sniv_vhost_t *winner;
    apr_size_t kind;
} told_t;

static int is_first_time(apr_hash_t *told, const sniv_vhost_t *vhost,
                         const sniv_vhost_t *winner, snivhost_lint_e kind,
                         apr_pool_t *p)
{
    told_t key = { vhost, winner, kind };

    if (apr_hash_get(told, &key, sizeof(key)))
        return 0;
    apr_hash_set(told, apr_pmemdup(p, &key, sizeof(key)), sizeof(key), "");
    return 1;
}

/* A <VirtualHost> that was read twice. With a Define that has another value
 * each time it may be two that are different. */
static int is_same_place(const sniv_vhost_t *a, const sniv_vhost_t *b)
{
    return a->file && b->file && a->line == b->line
           && !strcmp(a->file, b->file)
           && a->server_name && b->server_name
           && !strcasecmp(a->server_name, b->server_name);
}

/* The set of an address, NULL if it speaks no TLS: the first virtual host
 * begins all connections. */
static const sniv_set_t *tls_set(const snivhost_lint_t *lint,
                                 const sniv_vhost_t *v, int i)
{
    const sniv_set_t *set = sniv_table_get(lint->table, &v->addrs[i].ip,
                                           v->addrs[i].port);

    return set && snivhost_lint_is_tls(lint, set->members[0]) ? set : NULL;
}

int snivhost_lint_gets(const snivhost_lint_t *lint, const sniv_vhost_t *v,
                       const char *name)
{
    int i;

    for (i = 0; i < v->naddrs; i++) {
        const sniv_set_t *set = tls_set(lint, v, i);
        sniv_decision_t d;

        if (!set)
            continue;
        sniv_decide_sni(lint->table, set, name, strlen(name), &d);
        if (d.vhost == v)
            return 1;
    }
    return 0;
}

/* ----- names that another virtual host gets ----- */

/* Whether a virtual host is there for its patterns (cpanel.*), and has the
 * ServerName of the default if there is no other. */
static int is_for_services(const sniv_vhost_t *v, const sniv_vhost_t *w,
                           const hidden_t *h)
{
    return h->winner == 0 && h->count == 1 && v->nglobs && !v->naliases
           && v->server_name && w->server_name
           && !strcasecmp(v->server_name, w->server_name)
           && !strcasecmp(v->server_name, h->names[0]);
}

static void tell_hidden(snivhost_lint_t *lint, const hidden_t *h)
{
    const sniv_vhost_t *v = h->set->members[h->member];
    const sniv_vhost_t *w = h->set->members[h->winner];
    const char *pattern = sniv_names_pattern(h->set->names, h->by, NULL);
    const char *names = snivhost_lint_list(h->names, h->count, lint->ptemp);
    const char *where, *they = h->count == 1 ? "it" : "them";

    where = apr_psprintf(lint->ptemp, "%s, which comes first on %s",
                         snivhost_vhost_text(lint->ptemp, w),
                         snivhost_set_text(lint->ptemp, h->set));

    if (h->kind == SNIVHOST_LINT_DUPLICATE) {
        const char *inherited = "", *text;

        if (w->server_name && !strcasecmp(w->server_name, pattern)
            && snivhost_lint_is_nameless(lint, w)) {
            inherited = " (it has no ServerName and so takes the main "
                        "server's)";
        }
        text = apr_psprintf(lint->ptemp, "%s %s here and in %s%s: that one "
                            "gets every request for %s, this one none. %s",
                            names, h->count == 1 ? "appears" : "appear",
                            where, inherited, they, *inherited
                            ? "Give that one a ServerName of its own"
                            : "Remove the name from one of the two");
        if (is_for_services(v, w, h)) {
            snivhost_lint_note(lint, h->kind, v,
                               snivhost_lint_name_line(lint, v, h->names[0]),
                               "%s", text);
        }
        else {
            snivhost_lint_add(lint, h->kind, v,
                              snivhost_lint_name_line(lint, v, h->names[0]),
                              "%s", text);
        }
        return;
    }
    snivhost_lint_add(lint, h->kind, v,
                      snivhost_lint_name_line(lint, v, h->names[0]),
                      "%s %s never reached: '%s' of %s, matches %s. Write "
                      "this virtual host before that one, or make that "
                      "pattern narrower", names,
                      h->count == 1 ? "is" : "are", pattern, where, they);
}

/*
 * Whether everything that a glob matches is matched by one pattern of a lower
 * rank. Its stars are replaced by a run as long as the longest host, of a
 * character that stands in no pattern, and by nothing: who matches both
 * matches what is between them.
 */
static int find_wider_glob(const sniv_set_t *set, apr_uint32_t rank,
                           const char *glob, sniv_names_hit_t *hit)
{
    char wide[GLOB_MAX + STARS_MAX * RUN + 1], narrow[GLOB_MAX + 1];
    apr_size_t nwide = 0, nnarrow = 0;
    const char *c, *pattern;
    int is_glob, stars = 0;

    for (c = glob; *c; c++) {
        if (nnarrow == GLOB_MAX || (*c == '*' && ++stars > STARS_MAX))
            return 0;
        if (*c == '*') {
            memset(wide + nwide, '\001', RUN);
            nwide += RUN;
        }
        else {
            wide[nwide++] = narrow[nnarrow++] = *c == '?' ? '\001' : *c;
        }
    }
    wide[nwide] = narrow[nnarrow] = '\0';

    if (!sniv_names_find(set->names, wide, nwide, hit) || hit->rank >= rank)
        return 0;
    pattern = sniv_names_pattern(set->names, hit->rank, &is_glob);
    return is_glob && !ap_strcasecmp_match(narrow, pattern);
}

/* Whether some name that a pattern stands for can lead to its virtual host. */
static int is_glob_left(const snivhost_lint_t *lint, const sniv_vhost_t *v,
                        const char *glob)
{
    sniv_names_hit_t hit;
    int i;

    for (i = 0; i < v->naddrs; i++) {
        const sniv_set_t *set = tls_set(lint, v, i);

        if (set && (!find_wider_glob(set, ~(apr_uint32_t)0, glob, &hit)
                    || set->members[SNIV_NAME_MEMBER(hit.value)] == v)) {
            return 1;
        }
    }
    return 0;
}

int snivhost_lint_is_reached(const snivhost_lint_t *lint,
                             const sniv_vhost_t *v)
{
    static const char nowhere[] = "no-such-name.snivhost-probe";
    int i;

    if (v->server_name && snivhost_lint_gets(lint, v, v->server_name))
        return 1;
    for (i = 0; i < v->naliases; i++) {
        if (v->aliases[i] && snivhost_lint_gets(lint, v, v->aliases[i]))
            return 1;
    }
    for (i = 0; i < v->nglobs; i++) {
        if (v->globs[i] && is_glob_left(lint, v, v->globs[i]))
            return 1;
    }
    return snivhost_lint_gets(lint, v, nowhere);
}

/* Whether another member gets what this name stands for. */
static int is_hidden(const sniv_set_t *set, int member, apr_uint32_t rank,
                     const char *name, int is_glob, hidden_t *h)
{
    sniv_names_hit_t hit;
    int by_glob;

    if (is_glob) {
        if (!find_wider_glob(set, rank, name, &hit))
            return 0;
    }
    else if (!sniv_names_find(set->names, name, strlen(name), &hit)
             || hit.rank >= rank) {
        return 0;
    }
    h->set = set;
    h->member = member;
    h->winner = SNIV_NAME_MEMBER(hit.value);
    h->by = hit.rank;
    if (h->winner == member)
        return 0;
    sniv_names_pattern(set->names, hit.rank, &by_glob);
    h->kind = is_glob ? SNIVHOST_LINT_HIDDEN_GLOB
              : by_glob ? SNIVHOST_LINT_HIDDEN_NAME
                        : SNIVHOST_LINT_DUPLICATE;
    return 1;
}

/* Virtual hosts of one folder that are read twice. */
typedef struct twice_t {
    const sniv_vhost_t *v;      /* the first */
    int n;
} twice_t;

/* What of a walk through the names of a set is not yet reported. */
typedef struct walk_t {
    snivhost_lint_t *lint;
    const sniv_set_t *set;
    apr_hash_t *told;
    apr_hash_t *twice;          /* folder -> twice_t */
    apr_uint32_t rank;
    hidden_t open;
    int is_open;
    int nscanned;
    int first_scanned;          /* the member */
    const char *scanned;
} walk_t;

/* Harmless: the copy never answers. Those of a folder are one finding. */
static void note_twice(walk_t *walk, const sniv_vhost_t *v)
{
    apr_pool_t *p = walk->lint->ptemp;
    const char *slash = ap_strrchr_c(v->file, '/');
    const char *dir = apr_pstrmemdup(p, v->file, slash ? slash - v->file : 0);
    twice_t *twice = apr_hash_get(walk->twice, dir, APR_HASH_KEY_STRING);

    if (!twice) {
        twice = apr_pcalloc(p, sizeof(*twice));
        twice->v = v;
        apr_hash_set(walk->twice, dir, APR_HASH_KEY_STRING, twice);
    }
    twice->n++;
}

static void report_twice(snivhost_lint_t *lint, apr_hash_t *all)
{
    apr_hash_index_t *hi;

    for (hi = apr_hash_first(lint->ptemp, all); hi; hi = apr_hash_next(hi)) {
        const twice_t *twice = apr_hash_this_val(hi);

        snivhost_lint_add(lint, SNIVHOST_LINT_TWICE, twice->v, NULL,
                          "this virtual host%s is read twice, and the second "
                          "one never answers: the file is included by two "
                          "lines, or by a pattern and a symbolic link. Remove "
                          "one of them", twice->n > 1
                          ? apr_psprintf(lint->ptemp, " (and %d more of this "
                                         "folder)", twice->n - 1) : "");
    }
}

static void flush_hidden(walk_t *walk)
{
    const sniv_vhost_t *v, *w;
    snivhost_lint_e kind = walk->open.kind;

    if (!walk->is_open)
        return;
    walk->is_open = 0;
    v = walk->set->members[walk->open.member];
    w = walk->set->members[walk->open.winner];
    if (is_same_place(v, w))
        kind = SNIVHOST_LINT_TWICE;
    if (!is_first_time(walk->told, v, w, kind, walk->lint->ptemp))
        return;
    if (kind == SNIVHOST_LINT_TWICE) {
        note_twice(walk, v);
        return;
    }
    tell_hidden(walk->lint, &walk->open);
}

static void look_at_name(walk_t *walk, int member, const char *name,
                         int is_glob, int is_own)
{
    const apr_uint32_t rank = walk->rank++;
    hidden_t h = { 0 };

    if (is_glob && sniv_names_is_scanned(walk->set->names, rank)
        && walk->nscanned++ == 0) {
        walk->first_scanned = member;
        walk->scanned = name;
    }
    if (!is_own
        || !is_hidden(walk->set, member, rank, name, is_glob, &h)) {
        return;
    }
    if (walk->is_open && (h.winner != walk->open.winner
                          || h.member != walk->open.member
                          || h.kind != walk->open.kind)) {
        flush_hidden(walk);
    }
    if (!walk->is_open) {
        walk->open = h;
        walk->is_open = 1;
    }
    if (walk->open.count < LISTED)
        walk->open.names[walk->open.count] = name;
    walk->open.count++;
}

/* All names of a set in the order of their ranks: as sniv_table_build()
 * has added them. */
static void look_at_set(snivhost_lint_t *lint, const sniv_set_t *set,
                        apr_hash_t *told, apr_hash_t *twice)
{
    walk_t walk = { 0 };
    int m, i;

    walk.lint = lint;
    walk.set = set;
    walk.told = told;
    walk.twice = twice;
    for (m = 0; m < set->nmembers; m++) {
        const sniv_vhost_t *v = set->members[m];

        if (v->server_name) {
            look_at_name(&walk, m, v->server_name, 0,
                         !snivhost_lint_is_nameless(lint, v));
        }
        for (i = 0; i < v->naliases; i++) {
            if (v->aliases[i])
                look_at_name(&walk, m, v->aliases[i], 0, 1);
        }
        for (i = 0; i < v->nglobs; i++) {
            if (v->globs[i])
                look_at_name(&walk, m, v->globs[i], 1, 1);
        }
        flush_hidden(&walk);
    }
    if (walk.nscanned >= MANY_SCANNED) {
        const sniv_vhost_t *v = set->members[walk.first_scanned];

        snivhost_lint_add(lint, SNIVHOST_LINT_SCANNED, v,
                          snivhost_lint_name_line(lint, v, walk.scanned),
                          "%d patterns on %s begin and end with a wildcard, "
                          "'%s' is the first: every request for a name that "
                          "no virtual host has tries them all. Write patterns "
                          "that begin or end with a part of the name",
                          walk.nscanned,
                          snivhost_set_text(lint->ptemp, set), walk.scanned);
    }
}

/* ----- names that no client asks for ----- */

/*
 * Why no request ever has this name; NULL if one may have. Host is stripped
 * of its port, of one dot at its end and of the brackets of an IPv6 address
 * before names are compared.
 */
static const char *what_is_wrong(const char *name, int is_glob, int is_lax,
                                 apr_pool_t *p)
{
    apr_size_t len = strlen(name);
    const char *c;

    if (!len)
        return "it is empty. Remove it";
    if (ap_strstr_c(name, "://"))
        return "it has a scheme. Write the name without it";
    if (name[0] == '[')
        return "an IPv6 address is compared without its brackets. Write it "
               "without them";
    if (name[len - 1] == ',' || name[len - 1] == ';') {
        return apr_psprintf(p, "the '%c' is read as a part of the name. "
                            "Separate names by blanks", name[len - 1]);
    }
    c = ap_strrchr_c(name, ':');
    if (c && c == ap_strchr_c(name, ':')) {
        return "the port of a request is not compared. Write the name "
               "without ':' and what follows";
    }
    if (c)
        return NULL;            /* an IPv6 address */
    if (name[len - 1] == '.')
        return "a trailing dot is removed before names are compared. Write "
               "the name without it";
    if (name[0] == '.') {
        return apr_psprintf(p, "no name begins with a dot. Write '*%s' for "
                            "all names below '%s'", name, name + 1);
    }
    if (ap_strstr_c(name, ".."))
        return "no name has two dots side by side. Correct it";
    for (c = name; *c; c++) {
        if (apr_isalnum(*c) || *c == '-' || *c == '_' || *c == '.'
            || (is_glob && (*c == '*' || *c == '?'))) {
            continue;
        }
        if (is_lax && *c != '/' && *c != '\\')
            return NULL;
        if ((unsigned char)*c >= 0x80)
            return "clients send such names in their ASCII form. Write that, "
                   "it begins with xn--";
        return apr_psprintf(p, "no name has the character '%c'. Only '*' and "
                            "'?' are wildcards; write several names with "
                            "blanks between them", *c);
    }
    if (!is_glob && !sniv_host_is_taken(name, is_lax)) {
        return "httpd takes it neither for a name, as its last part begins "
               "with no letter, nor for an IP address, and answers 400. "
               "Correct it";
    }
    return NULL;
}

static void look_at_spelling(snivhost_lint_t *lint, const sniv_vhost_t *v,
                             const char *name, int is_glob)
{
    const core_server_config *core =
        ap_get_core_module_config(((server_rec *)v->server)->module_config);
    const char *wrong =
        what_is_wrong(name, is_glob,
                      core->http_conformance == AP_HTTP_CONFORMANCE_UNSAFE,
                      lint->ptemp);

    if (wrong) {
        snivhost_lint_add(lint, SNIVHOST_LINT_BAD_NAME, v,
                          snivhost_lint_name_line(lint, v, name),
                          "no client asks for '%s': %s", name, wrong);
    }
}

/* ----- virtual hosts without a name ----- */

/* What the sets of a virtual host say about it. */
#define IN_NAME_BASED   1
#define NOT_FIRST       2

static int is_any_or_loopback(const sniv_ip_t *ip)
{
    static const sniv_ip_t one = {
        { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 }, 0
    };
    static const sniv_ip_t one4 = {
        { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1 }, 0
    };

    return sniv_ip_is_any(ip)
           || !memcmp(ip->bytes, one.bytes, sizeof(one.bytes))
           || !memcmp(ip->bytes, one4.bytes, sizeof(one4.bytes));
}

static void look_at_nameless(snivhost_lint_t *lint, const sniv_vhost_t *v,
                             int how)
{
    int i;

    if (how & NOT_FIRST) {
        int others = v->naliases + v->nglobs + (v->path != NULL);

        snivhost_lint_add(lint, SNIVHOST_LINT_NO_NAME, v, NULL,
                          "this virtual host has no ServerName and takes "
                          "'%s'%s. Give it a ServerName%s", v->server_name,
                          others ? ", which appears in its redirects"
                                 : ": it is not the first of its address, so "
                                   "no request finds it by a name of its own",
                          others ? ", for example its first ServerAlias"
                                 : "");
        return;
    }
    /* The first one needs no name. But for an explicit address core asks
     * the DNS for one; 127.0.0.1 and ::1 are in every hosts file. */
    for (i = 0; i < v->naddrs; i++) {
        if (sniv_ip_is_any(&v->addrs[i].ip))
            return;
    }
    if (v->naddrs && !is_any_or_loopback(&v->addrs[0].ip)) {
        snivhost_lint_add(lint, SNIVHOST_LINT_REVERSE_DNS, v, NULL,
                          "this virtual host has no ServerName: at each "
                          "start, httpd looks up the name of its address, %s, "
                          "in the DNS and waits for the answer. Give it a "
                          "ServerName",
                          snivhost_addr_text(lint->ptemp, &v->addrs[0].ip,
                                             v->addrs[0].port));
    }
}

/* ----- a default that may not be intended ----- */

static const char *file_of(const char *path)
{
    const char *slash = ap_strrchr_c(path, '/');

    return slash ? slash + 1 : path;
}

/*
 * The first virtual host of an address is an ordinary site, and its file was
 * read before that of the next one: often only because of its name. A file
 * with a digit in front or "default" was put there.
 */
static void note_default(snivhost_lint_t *lint, const sniv_set_t *set)
{
    static const char nowhere[] = "no-such-name.snivhost-probe";
    const sniv_vhost_t *v = set->members[0];
    const sniv_vhost_t *next = set->members[set->nmembers > 1];
    const char *file, *dot;
    sniv_decision_t d;

    if (v == next || !v->file || !next->file || !strcmp(v->file, next->file)
        || !v->server_name || snivhost_lint_is_nameless(lint, v)) {
        return;
    }
    file = file_of(v->file);
    dot = ap_strrchr_c(v->server_name, '.');
    if (apr_isdigit(*file) || ap_strcasestr(file, "default")
        || ap_strcasestr(file, "catch") || !dot
        || !ap_cstr_casecmp(dot, ".invalid")) {
        return;
    }
    /* There may be a pattern for all names. */
    sniv_decide_sni(lint->table, set, nowhere, sizeof(nowhere) - 1, &d);
    if (d.rule != SNIV_RULE_DEFAULT)
        return;
    snivhost_lint_add(lint, SNIVHOST_LINT_DEFAULT, v, NULL,
                      "%s answers on %s for every name that no virtual host "
                      "has, because its file is read before %s. If that is "
                      "not intended, write a first virtual host for such "
                      "names, in a file that is read earlier", v->server_name,
                      snivhost_set_text(lint->ptemp, set),
                      file_of(next->file));
}

void snivhost_lint_names(snivhost_lint_t *lint)
{
    const sniv_table_t *table = lint->table;
    apr_hash_t *told = apr_hash_make(lint->ptemp);
    apr_hash_t *twice = apr_hash_make(lint->ptemp);
    apr_hash_t *seen = apr_hash_make(lint->ptemp);
    unsigned char *how = apr_pcalloc(lint->ptemp, table->nvhosts + 1);
    int i, m;

    for (i = 0; i < table->nsets; i++) {
        const sniv_set_t *set = table->sets[i];

        if (!set->name_based)
            continue;
        for (m = 0; m < set->nmembers; m++) {
            how[set->members[m] - table->vhosts] |=
                m ? IN_NAME_BASED | NOT_FIRST : IN_NAME_BASED;
        }
        if (lint->with_notes)
            note_default(lint, set);
        /* sets with the same members share the index */
        if (!apr_hash_get(seen, &set->names, sizeof(set->names))) {
            apr_hash_set(seen, &set->names, sizeof(set->names), "");
            look_at_set(lint, set, told, twice);
        }
    }
    report_twice(lint, twice);
    for (i = 0; i < table->nvhosts; i++) {
        const sniv_vhost_t *v = &table->vhosts[i];

        if (snivhost_lint_is_nameless(lint, v))
            look_at_nameless(lint, v, how[i]);
        else if (how[i] && v->server_name)
            look_at_spelling(lint, v, v->server_name, 0);
        for (m = 0; how[i] && m < v->naliases; m++) {
            if (v->aliases[m])
                look_at_spelling(lint, v, v->aliases[m], 0);
        }
        for (m = 0; how[i] && m < v->nglobs; m++) {
            if (v->globs[m])
                look_at_spelling(lint, v, v->globs[m], 1);
        }
    }
}
