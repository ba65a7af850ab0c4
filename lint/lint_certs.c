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
#include "apr_strings.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "module/words.h"
#include "tls/adopt.h"
#include "tls/store.h"

/*
 * Findings about the certificates that virtual hosts name with
 * SSLCertificateFile. A file that cannot be read is mod_ssl's to tell.
 */

#define LISTED SNIVHOST_LINT_LISTED

/* A certificate and the virtual hosts that name it. */
typedef struct cert_t {
    const snivhost_leaf_t *leaf;
    const sniv_vhost_t *user;   /* the first that names it */
    int nusers;
    int is_default;             /* of some address set, or alone there */
    int is_unstapled;           /* reported as that */
} cert_t;

/* ----- names ----- */

/* Whether a glob matches one of the names at least. */
static int meets(const snivhost_leaf_t *leaf, const char *glob)
{
    int i;

    for (i = 0; i < leaf->nnames; i++) {
        if (!ap_strcasecmp_match(leaf->names[i], glob))
            return 1;
    }
    return 0;
}

/* A name that clients of the Internet use: neither an IP address nor a short
 * name, nor a reserved one (.invalid). */
int snivhost_lint_is_public(const char *name)
{
    apr_size_t len = strlen(name);
    const char *dot = ap_strrchr_c(name, '.');

    return dot && dot != name && dot[1] && !ap_strchr_c(name, ':')
           && name[strspn(name, "0123456789.")]
           && ap_cstr_casecmp(dot, ".invalid")
           && ap_cstr_casecmp(dot, ".localhost") && len < 254;
}

static int is_default(const sniv_table_t *table, const sniv_vhost_t *v)
{
    int i;

    for (i = 0; i < v->naddrs; i++) {
        const sniv_set_t *set = sniv_table_get(table, &v->addrs[i].ip,
                                               v->addrs[i].port);

        if (set && set->members[0] == v)
            return 1;
    }
    return 0;
}

/*
 * A panel's template gives each site a name that no certificate has: a label
 * before or behind another one of its names (ipv4.NAME, NAME.testing.HOST).
 * Many of them are one finding, and a note, so that others are not hidden;
 * but for "www", which people do type.
 */
typedef struct habit_t {
    const char *shape;          /* "ipv4.*" */
    const sniv_vhost_t *v;      /* the first that has it */
    const snivhost_leaf_t *leaf;
    const char *name;
    snivhost_lint_e kind;
    int n;
    int is_frequent;
} habit_t;

/* A name that a certificate does not cover. */
typedef struct uncovered_t {
    const char *name;
    habit_t *habit;             /* or NULL */
} uncovered_t;

/* A virtual host that has such names. */
typedef struct gap_t {
    const sniv_vhost_t *v;
    const snivhost_leaf_t *leaf;
    uncovered_t server_name;    /* name is NULL: covered */
    apr_array_header_t *aliases;    /* uncovered_t */
} gap_t;

typedef struct gaps_t {
    snivhost_lint_t *lint;
    apr_array_header_t *all;    /* gap_t */
    apr_hash_t *by_shape;       /* habit_t */
    apr_array_header_t *habits; /* habit_t * */
    int nlooked;                /* virtual hosts */
} gaps_t;

/* As many, and such a part of all, are a habit. */
#define HABIT_LEAST 2
#define HABIT_PART  4

/* How a name is made from another one: "label.*" or "*.suffix"; or NULL. */
static const char *shape_of(const char *name, const char *other,
                            apr_pool_t *p)
{
    const apr_size_t len = strlen(name), base = strlen(other);

    if (len < base + 2)
        return NULL;
    if (name[len - base - 1] == '.'
        && !ap_cstr_casecmp(name + len - base, other)) {
        const char *label = apr_pstrmemdup(p, name, len - base - 1);

        return ap_strchr_c(label, '.') ? NULL : apr_pstrcat(p, label, ".*",
                                                            NULL);
    }
    if (name[base] == '.' && !ap_cstr_casecmpn(name, other, base))
        return apr_pstrcat(p, "*", name + base, NULL);
    return NULL;
}

static habit_t *habit_of(gaps_t *gaps, const sniv_vhost_t *v,
                         const snivhost_leaf_t *leaf, const char *name,
                         snivhost_lint_e kind)
{
    apr_pool_t *p = gaps->lint->ptemp;
    const char *shape = NULL;
    habit_t *habit;
    int i;

    for (i = -1; i < v->naliases && !shape; i++) {
        const char *other = i < 0 ? v->server_name : v->aliases[i];

        if (other && other != name && snivhost_leaf_covers(leaf, other))
            shape = shape_of(name, other, p);
    }
    if (!shape)
        return NULL;
    habit = apr_hash_get(gaps->by_shape, shape, APR_HASH_KEY_STRING);
    if (!habit) {
        habit = apr_pcalloc(p, sizeof(*habit));
        habit->shape = shape;
        habit->v = v;
        habit->leaf = leaf;
        habit->name = name;
        habit->kind = kind;
        apr_hash_set(gaps->by_shape, shape, APR_HASH_KEY_STRING, habit);
        APR_ARRAY_PUSH(gaps->habits, habit_t *) = habit;
    }
    habit->n++;
    return habit;
}

/* No certificate has a name for "cpanel.*". */
static int ends_in_wildcard(const char *glob)
{
    const char *dot = ap_strrchr_c(glob, '.');

    return ap_is_matchexp(dot ? dot + 1 : glob);
}

static void add_alias(gap_t *gap, const char *name, habit_t *habit)
{
    uncovered_t *u = apr_array_push(gap->aliases);

    u->name = name;
    u->habit = habit;
}

static void look_at_names(gaps_t *gaps, const snivhost_leaf_t *leaf,
                          const sniv_vhost_t *v)
{
    gap_t gap = { v, leaf, { NULL, NULL }, NULL };
    int i;

    /* Who signs a certificate himself knows that browsers do not trust it;
     * installers make one with any name, to have one. */
    if (leaf->is_self_signed)
        return;
    gaps->nlooked++;
    gap.aliases = apr_array_make(gaps->lint->ptemp, 0, sizeof(uncovered_t));
    if (v->server_name && snivhost_lint_is_public(v->server_name)
        && !snivhost_lint_is_nameless(gaps->lint, v)
        && !snivhost_leaf_covers(leaf, v->server_name)
        && snivhost_lint_gets(gaps->lint, v, v->server_name)) {
        gap.server_name.name = v->server_name;
        gap.server_name.habit = habit_of(gaps, v, leaf, v->server_name,
                                         SNIVHOST_LINT_CERT_SERVERNAME);
    }
    for (i = 0; i < v->naliases; i++) {
        const char *alias = v->aliases[i];

        if (alias && snivhost_lint_is_public(alias)
            && (!v->server_name || ap_cstr_casecmp(alias, v->server_name))
            && !snivhost_leaf_covers(leaf, alias)
            && snivhost_lint_gets(gaps->lint, v, alias)) {
            add_alias(&gap, alias, habit_of(gaps, v, leaf, alias,
                                            SNIVHOST_LINT_CERT_ALIAS));
        }
    }
    for (i = 0; i < v->nglobs; i++) {
        const char *glob = v->globs[i];

        if (glob && !ends_in_wildcard(glob)
            && !snivhost_leaf_covers(leaf, glob) && !meets(leaf, glob)) {
            add_alias(&gap, glob, NULL);
        }
    }
    if (gap.server_name.name || gap.aliases->nelts)
        APR_ARRAY_PUSH(gaps->all, gap_t) = gap;
}

static const char *leaf_text(const snivhost_leaf_t *leaf, apr_pool_t *p)
{
    return leaf->nnames
        ? apr_pstrcat(p, leaf->path, " has the names ",
                      snivhost_lint_list(leaf->names, leaf->nnames, p), NULL)
        : apr_pstrcat(p, leaf->path, " has no name in subjectAltName, and "
                      "clients do not look at the common name", NULL);
}

/* The default of several sites, by name. */
static int is_default_of_sites(const sniv_table_t *table,
                               const sniv_vhost_t *v)
{
    const sniv_set_t *set = sniv_table_get(table, &v->addrs[0].ip,
                                           v->addrs[0].port);

    return set && set->members[0] == v && set->nmembers > 2;
}

/*
 * Whether no client uses a ServerName that its certificate does not cover: the
 * default's own one, where it has no other, or a label before an alias, if
 * the certificate is for all aliases.
 */
static int is_artificial(const gaps_t *gaps, const gap_t *gap)
{
    const habit_t *habit = gap->server_name.habit;

    if (habit) {
        return gap->aliases->nelts == 0
               && ap_cstr_casecmp(habit->shape, "www.*");
    }
    return gap->v->naliases == 0 && gap->v->nglobs == 0
           && is_default_of_sites(gaps->lint->table, gap->v);
}

static void report_server_name(gaps_t *gaps, const gap_t *gap)
{
    snivhost_lint_t *lint = gaps->lint;
    const ap_directive_t *node =
        snivhost_lint_directive(lint, gap->v, "SSLCertificateFile");
    const char *text;

    if (!gap->server_name.name
        || (gap->server_name.habit && gap->server_name.habit->is_frequent)) {
        return;
    }
    text = apr_psprintf(lint->ptemp, "the certificate does not cover the "
                        "ServerName '%s': %s. Clients reject it; get one "
                        "with this name", gap->v->server_name,
                        leaf_text(gap->leaf, lint->ptemp));
    if (is_artificial(gaps, gap)) {
        snivhost_lint_note(lint, SNIVHOST_LINT_CERT_SERVERNAME, gap->v, node,
                           "%s", text);
    }
    else {
        snivhost_lint_add(lint, SNIVHOST_LINT_CERT_SERVERNAME, gap->v, node,
                          "%s", text);
    }
}

static void report_aliases(gaps_t *gaps, const gap_t *gap)
{
    snivhost_lint_t *lint = gaps->lint;
    const char *missing[LISTED];
    int i, n = 0;

    for (i = 0; i < gap->aliases->nelts; i++) {
        const uncovered_t *u = &APR_ARRAY_IDX(gap->aliases, i, uncovered_t);

        if (u->habit && u->habit->is_frequent)
            continue;
        if (n < LISTED)
            missing[n] = u->name;
        n++;
    }
    if (!n)
        return;
    snivhost_lint_add(lint, SNIVHOST_LINT_CERT_ALIAS, gap->v,
                      snivhost_lint_name_line(lint, gap->v, missing[0]),
                      "the certificate does not cover %s: %s. Clients reject "
                      "it under %s; get one with %s, or remove %s from "
                      "ServerAlias here",
                      snivhost_lint_list(missing, n, lint->ptemp),
                      leaf_text(gap->leaf, lint->ptemp),
                      n > 1 ? "these names" : "this name",
                      n > 1 ? "them" : "it", n > 1 ? "them" : "it");
}

static void report_habit(snivhost_lint_t *lint, const habit_t *habit)
{
    const ap_directive_t *node = snivhost_lint_name_line(lint, habit->v,
                                                         habit->name);
    const char *text =
        apr_psprintf(lint->ptemp, "the certificates of %d virtual hosts do "
                     "not cover their name of the form '%s', for example "
                     "'%s': %s. Clients reject it under such names; if they "
                     "are in use, get certificates with them", habit->n,
                     habit->shape, habit->name,
                     leaf_text(habit->leaf, lint->ptemp));

    if (!ap_cstr_casecmp(habit->shape, "www.*"))
        snivhost_lint_add(lint, habit->kind, habit->v, node, "%s", text);
    else
        snivhost_lint_note(lint, habit->kind, habit->v, node, "%s", text);
}

static void report_gaps(gaps_t *gaps)
{
    int i;

    for (i = 0; i < gaps->habits->nelts; i++) {
        habit_t *habit = APR_ARRAY_IDX(gaps->habits, i, habit_t *);

        habit->is_frequent = habit->n >= HABIT_LEAST
                             && habit->n * HABIT_PART >= gaps->nlooked;
        if (habit->is_frequent)
            report_habit(gaps->lint, habit);
    }
    for (i = 0; i < gaps->all->nelts; i++) {
        report_server_name(gaps, &APR_ARRAY_IDX(gaps->all, i, gap_t));
        report_aliases(gaps, &APR_ARRAY_IDX(gaps->all, i, gap_t));
    }
}

/* ----- dates ----- */

/* Certificates in the last third of their life. That is when many are renewed,
 * so they are one finding, and a note. */
typedef struct snivhost_late_t {
    const char *file;           /* the one that expires first */
    apr_time_t end;
    const sniv_vhost_t *user;
    int n;
} late_t;

static void add_late(snivhost_lint_t *lint, const char *file, apr_time_t end,
                     const sniv_vhost_t *v)
{
    late_t *late = lint->late;

    if (!snivhost_lint_wants(lint, SNIVHOST_LINT_CERT_LATE, v))
        return;
    if (!late)
        lint->late = late = apr_pcalloc(lint->ptemp, sizeof(*late));
    if (late->n++ == 0 || end < late->end) {
        late->file = file;
        late->end = end;
        late->user = v;
    }
}

static void report_late(snivhost_lint_t *lint)
{
    const late_t *late = lint->late;

    if (!late)
        return;
    snivhost_lint_add(lint, SNIVHOST_LINT_CERT_LATE, late->user,
                      snivhost_lint_directive(lint, late->user,
                                              "SSLCertificateFile"),
                      "the certificate %s (of %s) expires on %s: less than a "
                      "third of its life is left%s. Check that it is going to "
                      "be renewed", late->file, late->user->server_name,
                      snivhost_day_text(lint->ptemp, late->end),
                      late->n == 1 ? "" : late->n == 2
                      ? ", as of 1 other certificate"
                      : apr_psprintf(lint->ptemp,
                                     ", as of %d other certificates",
                                     late->n - 1));
}

void snivhost_lint_dates(snivhost_lint_t *lint, const char *file,
                         apr_time_t not_before, apr_time_t not_after,
                         const sniv_vhost_t *v, int nusers)
{
    const apr_time_t now = apr_time_now();
    const sniv_cert_life_e life = sniv_cert_life(not_before, not_after, now);
    const ap_directive_t *node =
        snivhost_lint_directive(lint, v, "SSLCertificateFile");
    const char *others = nusers > 1
        ? apr_psprintf(lint->ptemp, " (of %s and %d more)", v->server_name,
                       nusers - 1)
        : apr_psprintf(lint->ptemp, " (of %s)", v->server_name);

    if (life == SNIV_CERT_EXPIRED) {
        snivhost_lint_add(lint, SNIVHOST_LINT_CERT_EXPIRED, v, node,
                          "the certificate %s%s expired on %s; clients "
                          "reject it. Renew it", file, others,
                          snivhost_day_text(lint->ptemp, not_after));
    }
    else if (not_before > now) {
        snivhost_lint_add(lint, SNIVHOST_LINT_CERT_NOT_YET, v, node,
                          "the certificate %s%s is not valid before %s; "
                          "clients reject it until then. Check the system "
                          "clock, or keep the previous certificate", file,
                          others, snivhost_day_text(lint->ptemp, not_before));
    }
    else if (life == SNIV_CERT_SOON) {
        apr_int64_t days = apr_time_sec(not_after - now) / 86400;

        snivhost_lint_add(lint, SNIVHOST_LINT_CERT_SOON, v, node,
                          "the certificate %s%s expires on %s, %s. Check why "
                          "it was not renewed", file, others,
                          snivhost_day_text(lint->ptemp, not_after),
                          days < 1 ? "in less than a day"
                          : days < 2 ? "tomorrow"
                          : apr_psprintf(lint->ptemp, "in %d days",
                                         (int)days));
    }
    else if (life == SNIV_CERT_LATE) {
        add_late(lint, file, not_after, v);
    }
}

/* ----- chains ----- */

/* Certificates without a chain, by issuer. */
typedef struct issuer_t {
    const snivhost_leaf_t *leaf;    /* the first one */
    const sniv_vhost_t *user;
    int n;
} issuer_t;

typedef struct snivhost_trust_t {
    X509_STORE *system;
    X509_STORE_CTX *look;
    apr_hash_t *by_issuer;      /* issuer_t; NULL in it: clients know it */
    apr_array_header_t *issuers;    /* issuer_t * */
} trust_t;

static apr_status_t free_trust(void *data)
{
    trust_t *trust = data;

    X509_STORE_CTX_free(trust->look);
    X509_STORE_free(trust->system);
    ERR_clear_error();
    return APR_SUCCESS;
}

static trust_t *trust_of(snivhost_lint_t *lint)
{
    trust_t *trust = lint->trust;

    if (trust)
        return trust;
    lint->trust = trust = apr_pcalloc(lint->ptemp, sizeof(*trust));
    trust->by_issuer = apr_hash_make(lint->ptemp);
    trust->issuers = apr_array_make(lint->ptemp, 4, sizeof(issuer_t *));
    trust->system = X509_STORE_new();
    trust->look = X509_STORE_CTX_new();
    if (trust->system && trust->look) {
        X509_STORE_set_default_paths(trust->system);
        X509_STORE_CTX_init(trust->look, trust->system, NULL, NULL);
    }
    apr_pool_cleanup_register(lint->ptemp, trust, free_trust,
                              apr_pool_cleanup_null);
    return trust;
}

/* Whether the authorities that this system trusts are one of this name. */
static int is_trusted(const trust_t *trust, const snivhost_leaf_t *leaf)
{
    const unsigned char *der = leaf->issuer;
    X509_NAME *name = d2i_X509_NAME(NULL, &der, (long)leaf->issuer_len);
    X509_OBJECT *found = NULL;

    if (name && trust->look) {
        found = X509_STORE_CTX_get_obj_by_subject(trust->look, X509_LU_X509,
                                                  name);
    }
    X509_NAME_free(name);
    X509_OBJECT_free(found);
    ERR_clear_error();
    return found != NULL;
}

void snivhost_lint_no_chain(snivhost_lint_t *lint,
                            const snivhost_leaf_t *leaf,
                            const sniv_vhost_t *v)
{
    trust_t *trust = trust_of(lint);
    issuer_t *issuer;

    if (!leaf->is_read || leaf->is_self_signed)
        return;
    issuer = apr_hash_get(trust->by_issuer, leaf->issuer,
                          (apr_ssize_t)leaf->issuer_len);
    if (!issuer) {
        issuer = apr_pcalloc(lint->ptemp, sizeof(*issuer));
        if (!is_trusted(trust, leaf)) {
            issuer->leaf = leaf;
            issuer->user = v;
            APR_ARRAY_PUSH(trust->issuers, issuer_t *) = issuer;
        }
        apr_hash_set(trust->by_issuer, leaf->issuer,
                     (apr_ssize_t)leaf->issuer_len, issuer);
    }
    issuer->n++;
}

/* Public authorities sign with intermediate certificates and say where those
 * are. One of one's own may be a root that all clients have. */
static void report_chains(snivhost_lint_t *lint)
{
    int i;

    for (i = 0; lint->trust && i < lint->trust->issuers->nelts; i++) {
        const issuer_t *issuer = APR_ARRAY_IDX(lint->trust->issuers, i,
                                               issuer_t *);
        const char *more = issuer->n > 1
            ? apr_psprintf(lint->ptemp, " (and %d more of the same issuer)",
                           issuer->n - 1) : "";
        const ap_directive_t *node =
            snivhost_lint_directive(lint, issuer->user, "SSLCertificateFile");

        if (issuer->leaf->names_issuer) {
            snivhost_lint_add(lint, SNIVHOST_LINT_NO_CHAIN, issuer->user,
                              node, "the certificate %s%s is sent without its "
                              "chain, and clients do not know its issuer: "
                              "many reject it. Append the issuer's "
                              "certificate to the file",
                              issuer->leaf->path, more);
        }
        else {
            snivhost_lint_note(lint, SNIVHOST_LINT_NO_CHAIN, issuer->user,
                               node, "the certificate %s%s is sent without a "
                               "chain, and this system does not know its "
                               "issuer: only clients that have the issuer's "
                               "certificate accept it. If that is not a "
                               "root, append it to the file",
                               issuer->leaf->path, more);
        }
    }
}

/* The chain in a file of SSLCertificateFile, as mod_ssl sends it. */
static void look_at_chain(snivhost_lint_t *lint,
                          const snivhost_tlsconf_t *conf,
                          const snivhost_leaf_t *leaf, const sniv_vhost_t *v)
{
    const ap_directive_t *node =
        snivhost_lint_directive(lint, v, "SSLCertificateFile");

    /* OpenSSL completes it from these. */
    if (conf->chain || (!leaf->has_chain && (conf->of[SNIVHOST_SET_CA_FILE]
                                          || conf->of[SNIVHOST_SET_CA_PATH])))
        return;
    if (!leaf->has_chain) {
        snivhost_lint_no_chain(lint, leaf, v);
    }
    else if (leaf->is_disordered) {
        snivhost_lint_add(lint, SNIVHOST_LINT_CHAIN_ORDER, v, node,
                          "the certificates in %s are not in order: each has "
                          "to be followed by that of its issuer, and some "
                          "clients reject another order. Put them in order, "
                          "the server's own first", leaf->path);
    }
    else if (leaf->has_root) {
        snivhost_lint_add(lint, SNIVHOST_LINT_CHAIN_ROOT, v, node,
                          "%s contains a root certificate: clients that trust "
                          "it already have it, so each handshake sends it in "
                          "vain. Remove the last certificate", leaf->path);
    }
}

/* A staple is sent by mod_ssl, if it is to, or by mod_md. */
static void look_at_staple(snivhost_lint_t *lint,
                           const snivhost_tlsconf_t *conf, cert_t *cert,
                           const sniv_vhost_t *v)
{
    const snivhost_tls_t *tls = snivhost_adopt_get(v->server);
    const int is_lean = tls && tls->how == SNIVHOST_TLS_LEAN;
    const int is_on = snivhost_tlsconf_is_on(conf, SNIVHOST_SET_STAPLING);

    if (!cert->leaf->must_staple || cert->is_unstapled
        || (!is_lean && (is_on || ap_find_linked_module("mod_md.c")))) {
        return;
    }
    cert->is_unstapled = 1;
    snivhost_lint_add(lint, SNIVHOST_LINT_MUST_STAPLE, v,
                      snivhost_lint_directive(lint, v, "SSLCertificateFile"),
                      "the certificate %s requires OCSP stapling "
                      "(must-staple), but %s sends it without a staple: "
                      "clients that honour this reject it. Write %s here, or "
                      "get one without must-staple", cert->leaf->path,
                      is_lean ? "a lean virtual host" : "this virtual host",
                      is_on ? "SNIVHostTLS Off"
                            : "'SSLUseStapling on', with an "
                              "SSLStaplingCache");
}

/* ----- names of a certificate that no virtual host has ----- */

static int is_served(const sniv_table_t *table, const sniv_vhost_t *v,
                     const char *name)
{
    sniv_names_hit_t hit;
    int i;

    for (i = 0; i < v->naddrs; i++) {
        const sniv_set_t *set = sniv_table_get(table, &v->addrs[i].ip,
                                               v->addrs[i].port);

        if (!set || !set->name_based
            || sniv_names_find(set->names, name, strlen(name), &hit)) {
            return 1;
        }
    }
    return 0;
}

static void note_unserved(snivhost_lint_t *lint, const cert_t *cert)
{
    const snivhost_leaf_t *leaf = cert->leaf;
    const sniv_vhost_t *v = cert->user;
    const char *names[LISTED];
    const sniv_set_t *set;
    int i, n = 0;

    /* What a default serves is served. */
    if (cert->is_default || !v->naddrs)
        return;
    for (i = 0; i < leaf->nnames; i++) {
        if (leaf->names[i][0] != '*'
            && !is_served(lint->table, v, leaf->names[i])) {
            if (n < LISTED)
                names[n] = leaf->names[i];
            n++;
        }
    }
    set = sniv_table_get(lint->table, &v->addrs[0].ip, v->addrs[0].port);
    if (!n || !set)
        return;
    snivhost_lint_add(lint, SNIVHOST_LINT_CERT_UNSERVED, v,
                      snivhost_lint_directive(lint, v, "SSLCertificateFile"),
                      "the certificate %s is also for %s, and no virtual host "
                      "of %s has %s: such requests get %s and its "
                      "certificate. If they come here, add a ServerAlias",
                      leaf->path, snivhost_lint_list(names, n, lint->ptemp),
                      snivhost_set_text(lint->ptemp, set),
                      n > 1 ? "these names" : "this name",
                      snivhost_vhost_text(lint->ptemp, set->members[0]));
}

/* ----- all ----- */

static cert_t *get_cert(apr_array_header_t *certs, snivhost_leaf_t *leaf,
                        apr_pool_t *p)
{
    if (!leaf->data) {
        cert_t *cert = apr_pcalloc(p, sizeof(*cert));

        cert->leaf = leaf;
        leaf->data = cert;
        APR_ARRAY_PUSH(certs, cert_t *) = cert;
    }
    return leaf->data;
}

/* Whether any kind that needs certificate files is wanted: none is read
 * otherwise. */
static int is_wanted(const snivhost_lint_t *lint)
{
    int i;

    for (i = SNIVHOST_LINT_CERT_SERVERNAME; i <= SNIVHOST_LINT_CERT_LATE;
         i++) {
        if ((i <= SNIVHOST_LINT_FOLDER_UNSERVED
             || i >= SNIVHOST_LINT_FOLDER_HIDDEN)
            && snivhost_lint_wants(lint, i, lint->table->main_server)) {
            return 1;
        }
    }
    return 0;
}

static snivhost_leaf_t *get_leaf(snivhost_leaves_t *leaves,
                                 const sniv_vhost_t *v,
                                 const snivhost_tlsconf_t *conf, int i)
{
    const char *path = APR_ARRAY_IDX(conf->certs, i, const char *);
    const snivhost_tls_t *tls = snivhost_adopt_get(v->server);

    /* that of a lean one has been read */
    if (tls && tls->how == SNIVHOST_TLS_LEAN && conf->certs->nelts == 1
        && snivhost_store()) {
        snivhost_leaf_t *leaf = snivhost_leaf_get_loaded(
                                    leaves, path, snivhost_store(), tls->cert);

        if (leaf->is_read)
            return leaf;
    }
    return snivhost_leaf_get(leaves, path);
}

static void look_at_vhost(gaps_t *gaps, apr_array_header_t *certs,
                          snivhost_leaves_t *leaves, const sniv_vhost_t *v)
{
    snivhost_lint_t *lint = gaps->lint;
    const snivhost_tlsconf_t *conf = snivhost_tlsconf_get(lint->tls,
                                                          v->server);
    int i;

    /* What mod_md manages it replaces in time; what no client gets has been
     * reported for that. */
    if (conf->managed || !v->naddrs || apr_is_empty_array(conf->certs)
        || snivhost_lint_is_tls(lint, v) != 1
        || !snivhost_lint_is_reached(lint, v)) {
        return;
    }
    for (i = 0; i < conf->certs->nelts; i++) {
        snivhost_leaf_t *leaf = get_leaf(leaves, v, conf, i);
        cert_t *cert;

        if (!leaf->is_read)
            continue;
        cert = get_cert(certs, leaf, lint->ptemp);
        if (!cert->user)
            look_at_chain(lint, conf, leaf, v);
        look_at_staple(lint, conf, cert, v);
        cert->user = cert->user ? cert->user : v;
        cert->nusers++;
        cert->is_default = cert->is_default || is_default(lint->table, v);
        /* of several the first speaks for all: they differ in the kind of
         * their keys */
        if (i == 0)
            look_at_names(gaps, leaf, v);
    }
}

void snivhost_lint_certs(snivhost_lint_t *lint)
{
    const sniv_table_t *table = lint->table;
    snivhost_leaves_t *leaves = snivhost_leaves_make(lint->ptemp, 0);
    apr_array_header_t *certs = apr_array_make(lint->ptemp, 16,
                                               sizeof(cert_t *));
    gaps_t gaps = { lint, NULL, NULL, NULL, 0 };
    int i;

    if (!is_wanted(lint))
        return;

    gaps.all = apr_array_make(lint->ptemp, 4, sizeof(gap_t));
    gaps.habits = apr_array_make(lint->ptemp, 4, sizeof(habit_t *));
    gaps.by_shape = apr_hash_make(lint->ptemp);
    for (i = 0; i < table->nvhosts; i++)
        look_at_vhost(&gaps, certs, leaves, &table->vhosts[i]);
    for (i = 0; i < certs->nelts; i++) {
        const cert_t *cert = APR_ARRAY_IDX(certs, i, cert_t *);

        snivhost_lint_dates(lint, cert->leaf->path, cert->leaf->not_before,
                            cert->leaf->not_after, cert->user, cert->nusers);
        if (lint->with_notes)
            note_unserved(lint, cert);
    }
    report_gaps(&gaps);
    snivhost_lint_folders(lint, leaves);
    report_late(lint);
    report_chains(lint);
}
