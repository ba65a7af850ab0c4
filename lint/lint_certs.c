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


#include "lint/lint.h"

#include "apr_strings.h"

#include "tell/leaf.h"
#include "module/words.h"

/*
 * Findings about the certificates that virtual hosts name with
 * SSLCertificateFile. A file that cannot be read is mod_ssl's to tell.
 */

#define LISTED SNIVHOST_LINT_LISTED

/* A certificate is renewed well before its end: those of 90 days with 30
 * left, shorter ones with a third or a half. Less than this, and the renewal
 * does not work. */
#define SOON            apr_time_from_sec(14 * 86400)
#define SOON_PART       6

/* A certificate and who names it. */
typedef struct cert_t {
    const snivhost_leaf_t *leaf;
    const sniv_vhost_t *user;   /* the first that names it */
    int nusers;
    int is_default;             /* of some address set, or alone there */
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
 * name, nor one that is said to be none. */
int snivhost_lint_is_public(const char *name)
{
    apr_size_t len = strlen(name);
    const char *dot = ap_strrchr_c(name, '.');

    return dot && dot != name && dot[1] && !ap_strchr_c(name, ':')
           && name[strspn(name, "0123456789.")]
           && ap_cstr_casecmp(dot, ".invalid")
           && ap_cstr_casecmp(dot, ".localhost") && len < 254;
}

/* The first few are kept in out; the number of all is returned. */
static int uncovered_aliases(const snivhost_leaf_t *leaf,
                             const sniv_vhost_t *v, const char **out)
{
    int i, n = 0;

    for (i = 0; i < v->naliases; i++) {
        const char *alias = v->aliases[i];

        if (alias && snivhost_lint_is_public(alias)
            && !snivhost_leaf_covers(leaf, alias)) {
            if (n < LISTED)
                out[n] = alias;
            n++;
        }
    }
    for (i = 0; i < v->nglobs; i++) {
        const char *glob = v->globs[i];

        if (glob && !snivhost_leaf_covers(leaf, glob)
            && !meets(leaf, glob)) {
            if (n < LISTED)
                out[n] = glob;
            n++;
        }
    }
    return n;
}

static void look_at_names(snivhost_lint_t *lint, const snivhost_leaf_t *leaf,
                          const sniv_vhost_t *v)
{
    const char *missing[LISTED];
    const char *has;
    int n;

    /* Who signs a certificate himself knows that browsers do not trust it;
     * installers make one with any name, to have one. */
    if (leaf->is_self_signed)
        return;
    has = leaf->nnames ? apr_pstrcat(lint->ptemp, "has the names ",
                                     snivhost_lint_list(leaf->names,
                                                        leaf->nnames,
                                                        lint->ptemp), NULL)
                       : "has no name in subjectAltName, and clients do not "
                         "look at the common name";
    if (v->server_name && snivhost_lint_is_public(v->server_name)
        && !snivhost_lint_is_nameless(lint, v)
        && !snivhost_leaf_covers(leaf, v->server_name)) {
        snivhost_lint_add(lint, SNIVHOST_LINT_CERT_SERVERNAME, v,
                          snivhost_lint_directive(lint, v,
                                                  "SSLCertificateFile"),
                          "the certificate does not cover the ServerName "
                          "'%s': %s %s. Clients refuse it; get one with this "
                          "name", v->server_name, leaf->path, has);
    }
    n = uncovered_aliases(leaf, v, missing);
    if (n) {
        snivhost_lint_add(lint, SNIVHOST_LINT_CERT_ALIAS, v,
                          snivhost_lint_name_line(lint, v, missing[0]),
                          "the certificate does not cover %s: %s %s. Clients "
                          "refuse it under %s; get one with %s, or take %s "
                          "out of ServerAlias here",
                          snivhost_lint_list(missing, n, lint->ptemp),
                          leaf->path, has, n > 1 ? "these names" : "this name",
                          n > 1 ? "them" : "it", n > 1 ? "them" : "it");
    }
}

/* ----- dates ----- */

static const char *day(apr_time_t t, apr_pool_t *p)
{
    apr_time_exp_t x;

    apr_time_exp_gmt(&x, t);
    return apr_psprintf(p, "%04d-%02d-%02d", x.tm_year + 1900, x.tm_mon + 1,
                        x.tm_mday);
}

void snivhost_lint_dates(snivhost_lint_t *lint, const snivhost_leaf_t *leaf,
                         const sniv_vhost_t *v, int nusers)
{
    const apr_time_t now = apr_time_now();
    apr_time_t soon = (leaf->not_after - leaf->not_before) / SOON_PART;
    apr_time_t left = leaf->not_after - now;
    const ap_directive_t *node =
        snivhost_lint_directive(lint, v, "SSLCertificateFile");
    const char *others = nusers > 1
        ? apr_psprintf(lint->ptemp, " (of %s and %d more)", v->server_name,
                       nusers - 1)
        : apr_psprintf(lint->ptemp, " (of %s)", v->server_name);

    if (left <= 0) {
        snivhost_lint_add(lint, SNIVHOST_LINT_CERT_EXPIRED, v, node,
                          "the certificate %s%s ended on %s and clients "
                          "refuse it. Renew it", leaf->path, others,
                          day(leaf->not_after, lint->ptemp));
    }
    else if (leaf->not_before > now) {
        snivhost_lint_add(lint, SNIVHOST_LINT_CERT_NOT_YET, v, node,
                          "the certificate %s%s begins on %s and clients "
                          "refuse it until then. Look whether the clock is "
                          "right, or use the one before", leaf->path, others,
                          day(leaf->not_before, lint->ptemp));
    }
    else if (left < (soon < SOON ? soon : SOON)) {
        apr_int64_t days = apr_time_sec(left) / 86400;

        snivhost_lint_add(lint, SNIVHOST_LINT_CERT_SOON, v, node,
                          "the certificate %s%s ends on %s, %s. Look why it "
                          "was not renewed", leaf->path, others,
                          day(leaf->not_after, lint->ptemp),
                          days < 1 ? "in less than a day"
                          : days < 2 ? "tomorrow"
                          : apr_psprintf(lint->ptemp, "in %d days",
                                         (int)days));
    }
}

/* ----- names of a certificate that nobody serves ----- */

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

void snivhost_lint_certs(snivhost_lint_t *lint)
{
    const sniv_table_t *table = lint->table;
    snivhost_leaves_t *leaves = snivhost_leaves_make(lint->ptemp);
    apr_array_header_t *certs = apr_array_make(lint->ptemp, 16,
                                               sizeof(cert_t *));
    int i, k;

    /* No file is read for who wants to hear nothing of it. */
    for (i = SNIVHOST_LINT_CERT_SERVERNAME;
         i <= SNIVHOST_LINT_FOLDER_UNSERVED
         && !snivhost_lint_wants(lint, i, table->main_server); i++)
        ;
    if (i > SNIVHOST_LINT_FOLDER_UNSERVED)
        return;

    for (i = 0; i < table->nvhosts; i++) {
        const sniv_vhost_t *v = &table->vhosts[i];
        const snivhost_tlsconf_t *conf =
            snivhost_tlsconf_get(lint->tls, v->server);

        /* What mod_md manages it replaces in time. */
        if (conf->managed || !v->naddrs || apr_is_empty_array(conf->certs)
            || snivhost_lint_is_tls(lint, v) != 1) {
            continue;
        }
        for (k = 0; k < conf->certs->nelts; k++) {
            snivhost_leaf_t *leaf =
                snivhost_leaf_get(leaves, APR_ARRAY_IDX(conf->certs, k,
                                                        const char *));
            cert_t *cert;

            if (!leaf->is_read)
                continue;
            cert = get_cert(certs, leaf, lint->ptemp);
            cert->user = cert->user ? cert->user : v;
            cert->nusers++;
            cert->is_default = cert->is_default || is_default(table, v);
            /* of several the first speaks for all: they differ in the kind
             * of their keys */
            if (k == 0)
                look_at_names(lint, leaf, v);
        }
    }
    for (i = 0; i < certs->nelts; i++) {
        const cert_t *cert = APR_ARRAY_IDX(certs, i, cert_t *);

        snivhost_lint_dates(lint, cert->leaf, cert->user, cert->nusers);
        if (lint->with_notes)
            note_unserved(lint, cert);
    }
    snivhost_lint_folders(lint, leaves);
}
