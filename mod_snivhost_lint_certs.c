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


#include "mod_snivhost_lint.h"

#include "apr_hash.h"
#include "apr_strings.h"

#include "sniv_entry.h"
#include "sniv_pem.h"

/*
 * Findings about the certificates that virtual hosts name with
 * SSLCertificateFile. Each file is read once, and of the certificate only
 * what sniv_der.h reads: no key is decoded and nothing is verified. What
 * cannot be read is mod_ssl's to tell.
 */

/* So many names are written out in one sentence. */
#define LISTED 3

/* A certificate is renewed well before its end: those of 90 days with 30
 * left, shorter ones with a third or a half. Less than this, and the renewal
 * does not work. */
#define SOON            apr_time_from_sec(14 * 86400)
#define SOON_PART       6

/* A certificate file. */
typedef struct cert_t {
    const char *path;
    int is_read;                /* what follows is valid */
    int is_self_signed;
    apr_time_t not_before;
    apr_time_t not_after;
    const char **names;         /* dNSNames */
    int nnames;
    const sniv_vhost_t *user;   /* the first that names it */
    int nusers;
    int is_default;             /* of some address set, or alone there */
} cert_t;

typedef struct certs_t {
    snivhost_lint_t *lint;
    apr_hash_t *by_path;
    apr_array_header_t *list;   /* cert_t *, in order of appearance */
    sniv_buffer_t buffer;
} certs_t;

/* ----- reading ----- */

static void keep_leaf(cert_t *cert, const sniv_leaf_t *leaf, apr_pool_t *p)
{
    sniv_bytes_t name;
    apr_size_t at = 0;
    int n = 0;

    cert->is_self_signed = sniv_bytes_equal(&leaf->issuer, &leaf->subject);
    cert->not_before = leaf->not_before;
    cert->not_after = leaf->not_after;
    while (sniv_der_name(leaf, &at, &name))
        n++;
    cert->names = apr_palloc(p, (n + 1) * sizeof(*cert->names));
    at = 0;
    while (cert->nnames < n && sniv_der_name(leaf, &at, &name)) {
        cert->names[cert->nnames++] =
            apr_pstrmemdup(p, (const char *)name.data, name.len);
    }
    cert->is_read = 1;
}

static cert_t *get_cert(certs_t *certs, const char *path)
{
    cert_t *cert = apr_hash_get(certs->by_path, path, APR_HASH_KEY_STRING);
    const char *reason;
    apr_size_t at = 0;
    sniv_pem_t block;

    if (cert)
        return cert;
    cert = apr_pcalloc(certs->lint->ptemp, sizeof(*cert));
    cert->path = path;
    apr_hash_set(certs->by_path, path, APR_HASH_KEY_STRING, cert);
    APR_ARRAY_PUSH(certs->list, cert_t *) = cert;

    if (sniv_buffer_read(&certs->buffer, path, NULL, &reason))
        return cert;
    while (sniv_pem_next(&certs->buffer, &at, &block)) {
        sniv_leaf_t leaf;

        /* mod_ssl takes the first one of a file */
        if (block.what == SNIV_PEM_CERTIFICATE) {
            if (!block.is_damaged
                && !sniv_der_leaf(&leaf, block.der.data, block.der.len)) {
                keep_leaf(cert, &leaf, certs->lint->ptemp);
            }
            break;
        }
    }
    return cert;
}

/* ----- names ----- */

static int covers(const cert_t *cert, const char *host)
{
    apr_size_t len = strlen(host);
    int i;

    for (i = 0; i < cert->nnames; i++) {
        if (sniv_name_covers(cert->names[i], strlen(cert->names[i]), host,
                             len)) {
            return 1;
        }
    }
    return 0;
}

/* Whether a glob matches one of the names at least. */
static int meets(const cert_t *cert, const char *glob)
{
    int i;

    for (i = 0; i < cert->nnames; i++) {
        if (!ap_strcasecmp_match(cert->names[i], glob))
            return 1;
    }
    return 0;
}

/* A name that clients of the Internet use: neither an IP address nor a short
 * name, nor one that is said to be none. */
static int is_public(const char *name)
{
    apr_size_t len = strlen(name);
    const char *dot = ap_strrchr_c(name, '.');

    return dot && dot != name && dot[1] && !ap_strchr_c(name, ':')
           && name[strspn(name, "0123456789.")]
           && ap_cstr_casecmp(dot, ".invalid")
           && ap_cstr_casecmp(dot, ".localhost") && len < 254;
}

static const char *list_names(const char *const *names, int n, apr_pool_t *p)
{
    const char *text = "";
    int i;

    for (i = 0; i < n && i < LISTED; i++) {
        text = apr_pstrcat(p, text, !i ? "'" : i + 1 < n ? ", '" : " and '",
                           names[i], "'", NULL);
    }
    return n > LISTED ? apr_psprintf(p, "%s and %d more", text, n - LISTED)
                      : text;
}

/* The first few are kept in out; the number of all is returned. */
static int uncovered_aliases(const cert_t *cert, const sniv_vhost_t *v,
                             const char **out)
{
    int i, n = 0;

    for (i = 0; i < v->naliases; i++) {
        const char *alias = v->aliases[i];

        if (alias && is_public(alias) && !covers(cert, alias)) {
            if (n < LISTED)
                out[n] = alias;
            n++;
        }
    }
    for (i = 0; i < v->nglobs; i++) {
        const char *glob = v->globs[i];

        if (glob && !covers(cert, glob) && !meets(cert, glob)) {
            if (n < LISTED)
                out[n] = glob;
            n++;
        }
    }
    return n;
}

static void look_at_names(snivhost_lint_t *lint, const cert_t *cert,
                          const sniv_vhost_t *v)
{
    const char *missing[LISTED];
    const char *has;
    int n;

    /* Who signs a certificate himself knows that browsers do not trust it;
     * installers make one with any name, to have one. */
    if (cert->is_self_signed)
        return;
    has = cert->nnames ? apr_pstrcat(lint->ptemp, "has the names ",
                                     list_names(cert->names, cert->nnames,
                                                lint->ptemp), NULL)
                       : "has no name in subjectAltName, and clients do not "
                         "look at the common name";
    if (v->server_name && is_public(v->server_name)
        && !snivhost_lint_is_nameless(lint, v)
        && !covers(cert, v->server_name)) {
        snivhost_lint_add(lint, SNIVHOST_LINT_CERT_SERVERNAME, v,
                          snivhost_lint_directive(lint, v,
                                                  "SSLCertificateFile"),
                          "the certificate does not cover the ServerName "
                          "'%s': %s %s. Clients refuse it; get one with this "
                          "name", v->server_name, cert->path, has);
    }
    n = uncovered_aliases(cert, v, missing);
    if (n) {
        snivhost_lint_add(lint, SNIVHOST_LINT_CERT_ALIAS, v,
                          snivhost_lint_name_line(lint, v, missing[0]),
                          "the certificate does not cover %s: %s %s. Clients "
                          "refuse it under %s; get one with %s, or take %s "
                          "out of ServerAlias here",
                          list_names(missing, n, lint->ptemp), cert->path,
                          has, n > 1 ? "these names" : "this name",
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

static void look_at_dates(snivhost_lint_t *lint, const cert_t *cert,
                          apr_time_t now)
{
    const sniv_vhost_t *v = cert->user;
    apr_time_t soon = (cert->not_after - cert->not_before) / SOON_PART;
    apr_time_t left = cert->not_after - now;
    const ap_directive_t *node =
        snivhost_lint_directive(lint, v, "SSLCertificateFile");
    const char *others = cert->nusers > 1
        ? apr_psprintf(lint->ptemp, " (of %s and %d more)", v->server_name,
                       cert->nusers - 1)
        : apr_psprintf(lint->ptemp, " (of %s)", v->server_name);

    if (left <= 0) {
        snivhost_lint_add(lint, SNIVHOST_LINT_CERT_EXPIRED, v, node,
                          "the certificate %s%s ended on %s and clients "
                          "refuse it. Renew it", cert->path, others,
                          day(cert->not_after, lint->ptemp));
    }
    else if (cert->not_before > now) {
        snivhost_lint_add(lint, SNIVHOST_LINT_CERT_NOT_YET, v, node,
                          "the certificate %s%s begins on %s and clients "
                          "refuse it until then. Look whether the clock is "
                          "right, or use the one before", cert->path, others,
                          day(cert->not_before, lint->ptemp));
    }
    else if (left < (soon < SOON ? soon : SOON)) {
        apr_int64_t days = apr_time_sec(left) / 86400;

        snivhost_lint_add(lint, SNIVHOST_LINT_CERT_SOON, v, node,
                          "the certificate %s%s ends on %s, %s. Look why it "
                          "was not renewed", cert->path, others,
                          day(cert->not_after, lint->ptemp),
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
    const sniv_vhost_t *v = cert->user;
    const char *names[LISTED];
    const sniv_set_t *set;
    int i, n = 0;

    /* What a default serves is served. */
    if (cert->is_default || !v->naddrs)
        return;
    for (i = 0; i < cert->nnames; i++) {
        if (cert->names[i][0] != '*'
            && !is_served(lint->table, v, cert->names[i])) {
            if (n < LISTED)
                names[n] = cert->names[i];
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
                      cert->path, list_names(names, n, lint->ptemp),
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

void snivhost_lint_certs(snivhost_lint_t *lint)
{
    const sniv_table_t *table = lint->table;
    certs_t certs = { 0 };
    int i, k;

    certs.lint = lint;
    certs.by_path = apr_hash_make(lint->ptemp);
    certs.list = apr_array_make(lint->ptemp, 16, sizeof(cert_t *));

    for (i = 0; i < table->nvhosts; i++) {
        const sniv_vhost_t *v = &table->vhosts[i];
        const snivhost_tlsconf_t *conf =
            snivhost_tlsconf_get(lint->tls, v->server);

        /* What mod_md manages it replaces in time. */
        if (conf->managed || !v->naddrs
            || apr_is_empty_array(conf->certs)
            || snivhost_lint_is_tls(lint, v) != 1) {
            continue;
        }
        for (k = 0; k < conf->certs->nelts; k++) {
            cert_t *cert = get_cert(&certs, APR_ARRAY_IDX(conf->certs, k,
                                                          const char *));

            if (!cert->is_read)
                continue;
            cert->user = cert->user ? cert->user : v;
            cert->nusers++;
            cert->is_default = cert->is_default || is_default(table, v);
            /* of several the first speaks for all: they differ in the kind
             * of their keys */
            if (k == 0)
                look_at_names(lint, cert, v);
        }
    }
    for (i = 0; i < certs.list->nelts; i++) {
        const cert_t *cert = APR_ARRAY_IDX(certs.list, i, cert_t *);

        if (cert->is_read) {
            look_at_dates(lint, cert, apr_time_now());
            if (lint->with_notes)
                note_unserved(lint, cert);
        }
    }
    sniv_buffer_free(&certs.buffer);
}
