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

#include "tls/adopt.h"
#include "tls/store.h"

/*
 * Findings about certificates in the folders of SNIVHostCertificates. Which
 * certificate a name gets is the store's to say: it has read the folders, and
 * has reported the files that cannot be used.
 */

/* A certificate of the store, and for whom it is served. */
typedef struct cert_t {
    sniv_cert_id_t id;
    sniv_cert_info_t info;
    const sniv_vhost_t *user;   /* the first that has one of its names */
    int nusers;
} cert_t;

/* One list of folders. */
typedef struct folders_t {
    sniv_scope_t scope;
    const char *dir;            /* the first of them */
    const sniv_vhost_t *first;  /* the first virtual host that has them */
    apr_array_header_t *certs;  /* cert_t *: all of them */
} folders_t;

typedef struct look_t {
    snivhost_lint_t *lint;
    snivhost_leaves_t *leaves;
    sniv_certs_t *store;
    apr_array_header_t *folders;    /* folders_t * */
    cert_t **by_id;
} look_t;

static folders_t *folders_of(look_t *look, const sniv_vhost_t *v)
{
    apr_pool_t *p = look->lint->ptemp;
    const sniv_scope_t scope = snivhost_store_scope(look->store, v->server);
    folders_t *folders;
    int i;

    if (scope == SNIV_SCOPE_NONE)
        return NULL;
    for (i = 0; i < look->folders->nelts; i++) {
        folders = APR_ARRAY_IDX(look->folders, i, folders_t *);
        if (folders->scope == scope)
            return folders;
    }
    folders = apr_pcalloc(p, sizeof(*folders));
    folders->scope = scope;
    folders->first = v;
    folders->dir = APR_ARRAY_IDX(snivhost_conf(v->server)->store.dirs, 0,
                                 const char *);
    folders->certs = apr_array_make(p, 16, sizeof(cert_t *));
    for (i = 0; i < sniv_certs_count(look->store); i++) {
        if (look->by_id[i] && look->by_id[i]->info.scope == scope)
            APR_ARRAY_PUSH(folders->certs, cert_t *) = look->by_id[i];
    }
    APR_ARRAY_PUSH(look->folders, folders_t *) = folders;
    return folders;
}

static cert_t *find(look_t *look, const folders_t *folders, const char *name)
{
    sniv_cert_id_t id = sniv_certs_find(look->store, folders->scope, name,
                                        strlen(name), apr_time_now());

    return id == SNIV_CERT_NONE ? NULL : look->by_id[id];
}

/* ----- virtual hosts that need them ----- */

/* The first virtual host of the first address of another one. */
static const sniv_vhost_t *default_of(const sniv_table_t *table,
                                      const sniv_vhost_t *v)
{
    const sniv_set_t *set = sniv_table_get(table, &v->addrs[0].ip,
                                           v->addrs[0].port);

    return set ? set->members[0] : v;
}

/* Whether the certificate files of a virtual host are for this name; taken
 * for granted if that cannot be seen. */
static int has_own(const look_t *look, const sniv_vhost_t *v,
                   const char *name)
{
    const snivhost_tlsconf_t *conf = snivhost_tlsconf_get(look->lint->tls,
                                                          v->server);
    int i;

    if (conf->managed)
        return 1;
    for (i = 0; i < conf->certs->nelts; i++) {
        const snivhost_leaf_t *leaf =
            snivhost_leaf_get(look->leaves, APR_ARRAY_IDX(conf->certs, i,
                                                          const char *));

        if (!leaf->is_read || snivhost_leaf_covers(leaf, name))
            return 1;
    }
    return 0;
}

static void note_use(cert_t *cert, const sniv_vhost_t *v)
{
    if (cert->user != v) {
        cert->user = cert->user ? cert->user : v;
        cert->nusers++;
    }
}

static int is_lean(const sniv_vhost_t *v)
{
    const snivhost_tls_t *tls = snivhost_adopt_get(v->server);

    return tls && tls->how == SNIVHOST_TLS_LEAN;
}

static void look_at_vhost(look_t *look, const sniv_vhost_t *v)
{
    snivhost_lint_t *lint = look->lint;
    const folders_t *folders = folders_of(look, v);
    const sniv_vhost_t *first = default_of(lint->table, v);
    const char *missing[SNIVHOST_LINT_LISTED];
    int i, n = 0, nfound = 0;

    for (i = -1; i < v->naliases; i++) {
        const char *name = i < 0 ? v->server_name : v->aliases[i];
        cert_t *cert;

        if (!name || (i < 0 && snivhost_lint_is_nameless(lint, v))
            || !snivhost_lint_gets(lint, v, name)) {
            continue;
        }
        cert = find(look, folders, name);
        if (cert) {
            note_use(cert, v);
            nfound++;
        }
        else if (snivhost_lint_is_public(name)
                 && !has_own(look, first, name)) {
            if (n < SNIVHOST_LINT_LISTED)
                missing[n] = name;
            n++;
        }
    }
    if (!n || snivhost_store_is_partial() || !folders->certs->nelts)
        return;
    snivhost_lint_add(lint, SNIVHOST_LINT_FOLDER_NONE, v,
                      snivhost_lint_name_line(lint, v, missing[0]),
                      "this virtual host has no SSLCertificateFile, and no "
                      "certificate below %s is for %s: %s. Put one there",
                      folders->dir,
                      snivhost_lint_list(missing, n, lint->ptemp),
                      !nfound && (v == first || !is_lean(v))
                      ? "its handshakes are refused"
                      : "clients are shown another certificate and reject "
                        "it");
}

/* ----- what the folders hold ----- */

/* Whether it is the best one for one of its names. */
static int is_shown(look_t *look, const folders_t *folders,
                    const cert_t *cert)
{
    int i;

    for (i = 0; i < cert->info.nnames; i++) {
        const char *name = cert->info.names[i];

        /* some host that a wildcard covers */
        if (*name == '*')
            name = apr_pstrcat(look->lint->ptemp, "x", name + 1, NULL);
        if (find(look, folders, name) == cert)
            return 1;
    }
    return 0;
}

/* A staple is mod_ssl's to get, for certificates that it has read itself. */
static void look_at_staples(look_t *look, const folders_t *folders)
{
    const cert_t *found = NULL;
    int i, n = 0;

    for (i = 0; i < folders->certs->nelts; i++) {
        const cert_t *cert = APR_ARRAY_IDX(folders->certs, i, cert_t *);

        if ((cert->info.flags & SNIV_CERT_MUST_STAPLE)
            && is_shown(look, folders, cert)) {
            found = found ? found : cert;
            n++;
        }
    }
    if (!n)
        return;
    snivhost_lint_add(look->lint, SNIVHOST_LINT_MUST_STAPLE,
                      found->user ? found->user : folders->first, NULL,
                      "the certificate %s%s requires OCSP stapling "
                      "(must-staple), but certificates in folders are sent "
                      "without a staple: clients that honour this reject it. "
                      "Get one without must-staple, or name it with "
                      "SSLCertificateFile and SNIVHostTLS Off",
                      found->info.files[0],
                      n > 1 ? apr_psprintf(look->lint->ptemp, " (and %d more "
                                           "below %s)", n - 1, folders->dir)
                            : "");
}

static void look_at_dates(const look_t *look, const folders_t *folders)
{
    int i;

    for (i = 0; i < folders->certs->nelts; i++) {
        const cert_t *cert = APR_ARRAY_IDX(folders->certs, i, cert_t *);

        if (cert->user) {
            snivhost_lint_dates(look->lint, cert->info.files[0],
                                cert->info.not_before, cert->info.not_after,
                                cert->user, cert->nusers);
        }
    }
}

static void look_at_chains(const look_t *look, const folders_t *folders)
{
    int i;

    for (i = 0; i < folders->certs->nelts; i++) {
        const cert_t *cert = APR_ARRAY_IDX(folders->certs, i, cert_t *);

        if (cert->info.flags & SNIV_CERT_NO_CHAIN) {
            snivhost_lint_no_chain(look->lint, snivhost_leaf_get_loaded(
                                       look->leaves, cert->info.files[0],
                                       look->store, cert->id),
                                   cert->user ? cert->user : folders->first);
        }
    }
}

/* ----- certificates that a virtual host's own one hides ----- */

/* Names of the folders that lead to a virtual host with another one. */
typedef struct hidden_t {
    const char *names[SNIVHOST_LINT_LISTED];
    int n;
    const cert_t *cert;         /* the first one */
} hidden_t;

static void find_hidden(look_t *look, const sniv_set_t *set,
                        const folders_t *folders, const cert_t *cert,
                        hidden_t *hidden)
{
    int k;

    for (k = 0; k < cert->info.nnames; k++) {
        const char *name = cert->info.names[k];
        const sniv_vhost_t *v = set->members[0];
        const snivhost_tlsconf_t *conf;
        sniv_names_hit_t hit;
        hidden_t *h;

        if (name[0] == '*'
            || !sniv_names_find(set->names, name, strlen(name), &hit)) {
            continue;       /* the default's: it gets the folder's */
        }
        if (set->name_based)
            v = set->members[SNIV_NAME_MEMBER(hit.value)];
        conf = snivhost_tlsconf_get(look->lint->tls, v->server);
        if (apr_is_empty_array(conf->certs)
            || snivhost_store_scope(look->store, v->server) != folders->scope
            || has_own(look, v, name)
            || snivhost_lint_is_tls(look->lint, v) != 1) {
            continue;
        }
        h = &hidden[v - look->lint->table->vhosts];
        h->cert = h->cert ? h->cert : cert;
        if (h->n < SNIVHOST_LINT_LISTED)
            h->names[h->n] = name;
        h->n++;
    }
}

static void look_at_hidden(look_t *look)
{
    snivhost_lint_t *lint = look->lint;
    const sniv_table_t *table = lint->table;
    hidden_t *hidden = apr_pcalloc(lint->ptemp, table->nvhosts
                                                * sizeof(*hidden));
    apr_hash_t *seen = apr_hash_make(lint->ptemp);
    int i, k, c;

    for (i = 0; i < table->nsets; i++) {
        const sniv_set_t *set = table->sets[i];

        /* sets with the same members share the index */
        if (apr_hash_get(seen, &set->names, sizeof(set->names)))
            continue;
        apr_hash_set(seen, &set->names, sizeof(set->names), "");
        for (k = 0; k < look->folders->nelts; k++) {
            const folders_t *folders = APR_ARRAY_IDX(look->folders, k,
                                                     folders_t *);

            for (c = 0; c < folders->certs->nelts; c++) {
                find_hidden(look, set, folders,
                            APR_ARRAY_IDX(folders->certs, c, cert_t *),
                            hidden);
            }
        }
    }
    for (i = 0; i < table->nvhosts; i++) {
        const sniv_vhost_t *v = &table->vhosts[i];

        if (!hidden[i].n)
            continue;
        snivhost_lint_add(lint, SNIVHOST_LINT_FOLDER_HIDDEN, v,
                          snivhost_lint_directive(lint, v,
                                                  "SSLCertificateFile"),
                          "this certificate is sent for %s, which it does not "
                          "cover, and %s is not used: a virtual host's own "
                          "SSLCertificateFile takes precedence over the "
                          "folders. Remove it here, or give %s a virtual host "
                          "of %s own",
                          snivhost_lint_list(hidden[i].names, hidden[i].n,
                                             lint->ptemp),
                          hidden[i].cert->info.files[0],
                          hidden[i].n > 1 ? "these names" : "this name",
                          hidden[i].n > 1 ? "their" : "its");
    }
}

/* ----- certificates for no virtual host ----- */

/* Directives by which one virtual host serves sites that it has no names
 * of. */
static int hosts_many(const ap_directive_t *node)
{
    for (; node; node = node->next) {
        if (!ap_cstr_casecmpn(node->directive, "Virtual", 7)
            || !ap_cstr_casecmpn(node->directive, "Rewrite", 7)
            || !ap_cstr_casecmpn(node->directive, "Proxy", 5)
            || hosts_many(node->first_child)) {
            return 1;
        }
    }
    return 0;
}

/* Whether a virtual host with TLS has a name. A wildcard counts as
 * had, for any owner. */
static int is_had(const snivhost_lint_t *lint, const char *name)
{
    const sniv_table_t *table = lint->table;
    int i;

    for (i = 0; i < table->nsets; i++) {
        sniv_names_hit_t hit;

        if (name[0] == '*'
            || sniv_names_find(table->sets[i]->names, name, strlen(name),
                               &hit)) {
            return 1;
        }
    }
    return 0;
}

static void note_unserved(snivhost_lint_t *lint, const folders_t *folders,
                          const sniv_vhost_t *first)
{
    apr_array_header_t *idle = apr_array_make(lint->ptemp, 4,
                                              sizeof(cert_t *));
    int i, k;

    for (i = 0; i < folders->certs->nelts; i++) {
        cert_t *cert = APR_ARRAY_IDX(folders->certs, i, cert_t *);

        for (k = 0; k < cert->info.nnames
                    && !is_had(lint, cert->info.names[k]); k++)
            ;
        if (cert->info.nnames && k == cert->info.nnames)
            APR_ARRAY_PUSH(idle, cert_t *) = cert;
    }
    /* If most names have no virtual host, this is intended there. */
    if (2 * idle->nelts >= folders->certs->nelts)
        return;
    for (i = 0; i < idle->nelts; i++) {
        const sniv_cert_info_t *info =
            &APR_ARRAY_IDX(idle, i, cert_t *)->info;

        snivhost_lint_add(lint, SNIVHOST_LINT_FOLDER_UNSERVED, first, NULL,
                          "the certificate %s is for %s, and no virtual host "
                          "has %s: this one, the first of its address, "
                          "answers for %s. If no site should, remove the "
                          "certificate", info->files[0],
                          snivhost_lint_list(info->names, info->nnames,
                                             lint->ptemp),
                          info->nnames > 1 ? "these names" : "this name",
                          info->nnames > 1 ? "them" : "it");
    }
}

static void look_at_unserved(look_t *look)
{
    snivhost_lint_t *lint = look->lint;
    const sniv_table_t *table = lint->table;
    apr_hash_t *noted = apr_hash_make(lint->ptemp);
    int i;

    for (i = 0; i < table->nsets; i++) {
        const sniv_vhost_t *first = table->sets[i]->members[0];
        const ap_directive_t *node = snivhost_lint_node(lint, first);
        folders_t *folders;

        if (first->nglobs || !snivhost_conf(first->server)->store.dirs
            || snivhost_lint_is_tls(lint, first) != 1
            || hosts_many(node ? node->first_child : NULL)
            || (folders = folders_of(look, first)) == NULL
            || apr_hash_get(noted, &folders->scope, sizeof(folders->scope))) {
            continue;
        }
        apr_hash_set(noted, &folders->scope, sizeof(folders->scope), "");
        note_unserved(lint, folders, first);
    }
}

/* ----- all ----- */

static int is_served_from_folders(const snivhost_lint_t *lint,
                                  const sniv_vhost_t *v)
{
    const snivhost_tlsconf_t *conf = snivhost_tlsconf_get(lint->tls,
                                                          v->server);

    return v->naddrs && !conf->managed && apr_is_empty_array(conf->certs)
           && snivhost_lint_is_tls(lint, v) == 1;
}

static void read_store(look_t *look)
{
    apr_pool_t *p = look->lint->ptemp;
    const sniv_cert_id_t n = sniv_certs_count(look->store);
    sniv_cert_id_t id;

    look->by_id = apr_pcalloc(p, (n + 1) * sizeof(*look->by_id));
    for (id = 0; id < n; id++) {
        cert_t *cert = apr_pcalloc(p, sizeof(*cert));

        cert->id = id;
        if (sniv_certs_info(look->store, id, &cert->info, p) == APR_SUCCESS
            && cert->info.scope != SNIV_SCOPE_NONE && cert->info.nfiles) {
            look->by_id[id] = cert;
        }
    }
}

void snivhost_lint_folders(snivhost_lint_t *lint, snivhost_leaves_t *leaves)
{
    const sniv_table_t *table = lint->table;
    look_t look = { lint, leaves, NULL, NULL, NULL };
    int i;

    look.store = snivhost_store_look(lint->main_server, lint->p);
    if (!look.store)
        return;
    read_store(&look);
    look.folders = apr_array_make(lint->ptemp, 2, sizeof(folders_t *));
    for (i = 0; i < table->nvhosts; i++) {
        const sniv_vhost_t *v = &table->vhosts[i];

        if (!snivhost_conf(v->server)->store.dirs)
            continue;
        folders_of(&look, v);
        if (is_served_from_folders(lint, v))
            look_at_vhost(&look, v);
    }
    for (i = 0; i < look.folders->nelts; i++) {
        const folders_t *folders = APR_ARRAY_IDX(look.folders, i,
                                                 folders_t *);

        look_at_dates(&look, folders);
        look_at_staples(&look, folders);
        look_at_chains(&look, folders);
    }
    look_at_hidden(&look);
    if (lint->with_notes)
        look_at_unserved(&look);
}
