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

#include "apr_hash.h"
#include "apr_strings.h"

/*
 * Findings about certificates in the folders of SNIVHostCertificates: those
 * that virtual hosts without SSLCertificateFile need, and have not. The
 * certificate store tells of files that cannot be used; what it has loaded
 * is not looked at here, as -t comes to this before it is made.
 */

/* snivhost_leaf_t.data: for whom a certificate is served. */
typedef struct use_t {
    const sniv_vhost_t *user;   /* the first */
    int nusers;
    int is_told;
} use_t;

static snivhost_stored_t *folders_of(snivhost_leaves_t *leaves,
                                     const sniv_vhost_t *v)
{
    const apr_array_header_t *dirs = snivhost_conf(v->server)->store.dirs;

    return dirs ? snivhost_stored_get(leaves, dirs) : NULL;
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

/* Whether the certificate files of the default are for this name too; taken
 * for granted if that cannot be seen. */
static int has_fallback(const snivhost_lint_t *lint,
                        snivhost_leaves_t *leaves, const sniv_vhost_t *first,
                        const char *name)
{
    const snivhost_tlsconf_t *conf = snivhost_tlsconf_get(lint->tls,
                                                          first->server);
    int i;

    if (conf->managed)
        return 1;
    for (i = 0; i < conf->certs->nelts; i++) {
        const snivhost_leaf_t *leaf =
            snivhost_leaf_get(leaves, APR_ARRAY_IDX(conf->certs, i,
                                                    const char *));

        if (!leaf->is_read || snivhost_leaf_covers(leaf, name))
            return 1;
    }
    return 0;
}

static void note_use(snivhost_leaf_t *leaf, const sniv_vhost_t *v,
                     apr_pool_t *p)
{
    use_t *use = leaf->data;

    if (!use)
        leaf->data = use = apr_pcalloc(p, sizeof(*use));
    if (use->user != v) {
        use->user = use->user ? use->user : v;
        use->nusers++;
    }
}

static void look_at_vhost(snivhost_lint_t *lint, snivhost_leaves_t *leaves,
                          const sniv_vhost_t *v)
{
    const snivhost_stored_t *folders = folders_of(leaves, v);
    const sniv_vhost_t *first = default_of(lint->table, v);
    const char *missing[SNIVHOST_LINT_LISTED];
    int i, n = 0, nfound = 0;

    for (i = -1; i < v->naliases; i++) {
        const char *name = i < 0 ? v->server_name : v->aliases[i];
        snivhost_leaf_t *leaf;

        if (!name || (i < 0 && snivhost_lint_is_nameless(lint, v)))
            continue;
        leaf = snivhost_stored_find(folders, name, lint->ptemp);
        if (leaf) {
            note_use(leaf, v, lint->ptemp);
            nfound++;
        }
        else if (snivhost_lint_is_public(name)
                 && !has_fallback(lint, leaves, first, name)) {
            if (n < SNIVHOST_LINT_LISTED)
                missing[n] = name;
            n++;
        }
    }
    if (!n || folders->is_partial)
        return;
    snivhost_lint_add(lint, SNIVHOST_LINT_FOLDER_NONE, v,
                      snivhost_lint_name_line(lint, v, missing[0]),
                      "this virtual host has no SSLCertificateFile, and no "
                      "certificate below %s is for %s: %s. Put one there",
                      APR_ARRAY_IDX(folders->dirs, 0, const char *),
                      snivhost_lint_list(missing, n, lint->ptemp),
                      v == first && !nfound
                      ? "mod_ssl does not start without one"
                      : "clients get another one and refuse it");
}

/* ----- certificates that nobody needs ----- */

/* Directives by which one virtual host serves sites that it has no names
 * of. */
static int hosts_many(const ap_directive_t *node)
{
    for (; node; node = node->next) {
        if (!ap_cstr_casecmpn(node->directive, "Virtual", 7)
            || !ap_cstr_casecmpn(node->directive, "Rewrite", 7)
            || !ap_cstr_casecmpn(node->directive, "Proxy", 5)
            || hosts_many(node ? node->first_child : NULL)) {
            return 1;
        }
    }
    return 0;
}

/* Whether somebody on an address with TLS has a name. A wildcard counts as
 * had, whoever it is for. */
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

static void note_unserved(snivhost_lint_t *lint,
                          const snivhost_stored_t *folders,
                          const sniv_vhost_t *first)
{
    apr_array_header_t *idle = apr_array_make(lint->ptemp, 4,
                                              sizeof(snivhost_leaf_t *));
    int i, k;

    for (i = 0; i < folders->all->nelts; i++) {
        snivhost_leaf_t *leaf = APR_ARRAY_IDX(folders->all, i,
                                              snivhost_leaf_t *);

        for (k = 0; k < leaf->nnames && !is_had(lint, leaf->names[k]); k++)
            ;
        if (leaf->nnames && k == leaf->nnames)
            APR_ARRAY_PUSH(idle, snivhost_leaf_t *) = leaf;
    }
    /* Where most names are nobody's, that is how sites are made there. */
    if (2 * idle->nelts >= folders->all->nelts)
        return;
    for (i = 0; i < idle->nelts; i++) {
        const snivhost_leaf_t *leaf =
            APR_ARRAY_IDX(idle, i, snivhost_leaf_t *);

        snivhost_lint_add(lint, SNIVHOST_LINT_FOLDER_UNSERVED, first, NULL,
                          "the certificate %s is for %s, and no virtual host "
                          "has %s: this one, the first of its address, "
                          "answers there. If nobody is to, take the "
                          "certificate away", leaf->path,
                          snivhost_lint_list(leaf->names, leaf->nnames,
                                             lint->ptemp),
                          leaf->nnames > 1 ? "these names" : "this name");
    }
}

/* ----- all ----- */

static int is_first_time(apr_hash_t *seen, const snivhost_stored_t *folders,
                         apr_pool_t *p)
{
    if (apr_hash_get(seen, &folders, sizeof(folders)))
        return 0;
    apr_hash_set(seen, apr_pmemdup(p, &folders, sizeof(folders)),
                 sizeof(folders), "");
    return 1;
}

void snivhost_lint_folders(snivhost_lint_t *lint, snivhost_leaves_t *leaves)
{
    const sniv_table_t *table = lint->table;
    apr_hash_t *seen = apr_hash_make(lint->ptemp);
    apr_array_header_t *read = apr_array_make(lint->ptemp, 2,
                                              sizeof(snivhost_stored_t *));
    apr_hash_t *noted = apr_hash_make(lint->ptemp);
    int i, k;

    for (i = 0; i < table->nvhosts; i++) {
        const sniv_vhost_t *v = &table->vhosts[i];
        const snivhost_tlsconf_t *conf =
            snivhost_tlsconf_get(lint->tls, v->server);

        if (snivhost_conf(v->server)->store.dirs && v->naddrs
            && !conf->managed && apr_is_empty_array(conf->certs)
            && snivhost_lint_is_tls(lint, v) == 1) {
            snivhost_stored_t *folders = folders_of(leaves, v);

            if (is_first_time(seen, folders, lint->ptemp))
                APR_ARRAY_PUSH(read, snivhost_stored_t *) = folders;
            look_at_vhost(lint, leaves, v);
        }
    }
    for (i = 0; i < read->nelts; i++) {
        const snivhost_stored_t *folders =
            APR_ARRAY_IDX(read, i, snivhost_stored_t *);

        for (k = 0; k < folders->all->nelts; k++) {
            const snivhost_leaf_t *leaf = APR_ARRAY_IDX(folders->all, k,
                                                        snivhost_leaf_t *);
            use_t *use = leaf->data;

            if (use && !use->is_told) {
                use->is_told = 1;
                snivhost_lint_dates(lint, leaf, use->user, use->nusers);
            }
        }
    }
    for (i = 0; lint->with_notes && i < table->nsets; i++) {
        const sniv_vhost_t *first = table->sets[i]->members[0];
        const ap_directive_t *node = snivhost_lint_node(lint, first);
        const snivhost_stored_t *folders;

        if (first->nglobs || !snivhost_conf(first->server)->store.dirs
            || snivhost_lint_is_tls(lint, first) != 1
            || hosts_many(node ? node->first_child : NULL)) {
            continue;
        }
        folders = folders_of(leaves, first);
        if (is_first_time(noted, folders, lint->ptemp))
            note_unserved(lint, folders, first);
    }
}
