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

#include "tell/misdirected.h"

#include "apr_file_io.h"
#include "apr_hash.h"
#include "apr_lib.h"
#include "apr_strings.h"
#include "http_core.h"

#include "lint/leaf.h"
#include "module/words.h"
#include "tell/facts.h"
#include "tls/store.h"

/*
 * -D DUMP_SNIVHOST_421: where browsers use one connection for several names
 * and are answered 421.
 *
 * A browser that has an HTTP/2 connection uses it for every name that the
 * certificate covers and whose address is the same. So for each certificate
 * on an address: which virtual hosts have a name that it covers, and do they
 * all have the TLS set-up of those that serve it?
 */

#define DUMP "DUMP_SNIVHOST_421"

/* So many virtual hosts of a group are printed, and so many groups. */
#define LISTED 5
#define GROUPS 10

/* What is known of a member of the set that is being looked at. */
typedef struct member_t {
    const sniv_vhost_t *vhost;
    int has_tls;                /* if not, the default does its handshakes */
    const char *setup;          /* the policy's key, NULL: not asked yet */
    unsigned int seen;          /* the number of the last certificate that
                                   reached it */
} member_t;

/* Members of the same TLS set-up under one certificate. */
typedef struct group_t {
    apr_array_header_t *members;    /* member_t * */
} group_t;

/* Certificates with the same names. */
typedef struct names_t {
    const char *path;               /* of one of them */
    const char *const *names;
    int nnames;
    apr_array_header_t *users;      /* member_t * */
    apr_hash_t *files;              /* all of them */
} names_t;

typedef struct dump_t {
    const snivhost_facts_t *facts;
    snivhost_sslpolicy_e policy;
    snivhost_leaves_t *leaves;
    apr_array_header_t *lines;  /* const char *: below the sums */
    apr_pool_t *pline;          /* of these */
    apr_pool_t *p;
    unsigned int number;        /* of certificates that were looked at */
    int found;
    int nwithout;               /* addresses: see print_without_sni() */
    const sniv_set_t *set;      /* what follows is about this one */
    member_t *members;
    apr_hash_t *by_parent;      /* "example.com" -> apr_array_header_t of
                                   member_t *: those with a name one label
                                   longer */
} dump_t;

/* ----- the virtual hosts that have a name ----- */

static void add_child(dump_t *dump, member_t *member, const char *name)
{
    const char *dot = ap_strchr_c(name, '.'), *parent;
    apr_array_header_t *list;

    if (!dot || !dot[1] || ap_is_matchexp(dot))
        return;
    parent = snivhost_lower(dump->p, dot + 1);
    list = apr_hash_get(dump->by_parent, parent, APR_HASH_KEY_STRING);
    if (!list) {
        list = apr_array_make(dump->p, 4, sizeof(member_t *));
        apr_hash_set(dump->by_parent, parent, APR_HASH_KEY_STRING, list);
    }
    if (!list->nelts
        || APR_ARRAY_IDX(list, list->nelts - 1, member_t *) != member) {
        APR_ARRAY_PUSH(list, member_t *) = member;
    }
}

static void read_members(dump_t *dump)
{
    const sniv_set_t *set = dump->set;
    int m, i;

    dump->by_parent = apr_hash_make(dump->p);
    dump->members = apr_pcalloc(dump->p, set->nmembers
                                         * sizeof(*dump->members));
    for (m = 0; m < set->nmembers; m++) {
        member_t *member = &dump->members[m];
        const sniv_vhost_t *v = set->members[m];

        member->vhost = v;
        member->has_tls = snivhost_sslpolicy_has_context(
                              dump->facts->tls, v->server);
        if (v->server_name)
            add_child(dump, member, v->server_name);
        for (i = 0; i < v->naliases; i++) {
            if (v->aliases[i])
                add_child(dump, member, v->aliases[i]);
        }
        for (i = 0; i < v->nglobs; i++) {
            if (v->globs[i])
                add_child(dump, member, v->globs[i]);
        }
    }
}

static const char *setup_of(dump_t *dump, member_t *member)
{
    if (!member->setup) {
        member->setup = dump->policy == SNIVHOST_SSLPOLICY_STRICT
            ? apr_psprintf(dump->p, "%pp", (void *)member)
            : snivhost_sslpolicy_key(dump->facts->tls, dump->policy,
                                     member->vhost->server, dump->p);
    }
    return member->setup;
}

/* ----- the groups of one certificate ----- */

static void reach(dump_t *dump, apr_hash_t *by_setup,
                  apr_array_header_t *groups, member_t *member)
{
    const char *setup;
    group_t *group;

    if (member->seen == dump->number)
        return;
    member->seen = dump->number;
    setup = setup_of(dump, member);
    group = apr_hash_get(by_setup, setup, APR_HASH_KEY_STRING);
    if (!group) {
        group = apr_palloc(dump->p, sizeof(*group));
        group->members = apr_array_make(dump->p, 4, sizeof(member_t *));
        apr_hash_set(by_setup, setup, APR_HASH_KEY_STRING, group);
        APR_ARRAY_PUSH(groups, group_t *) = group;
    }
    APR_ARRAY_PUSH(group->members, member_t *) = member;
}

/*
 * All members that serve the certificate, then those that it covers.
 * @return empty if it covers none
 */
static apr_array_header_t *groups_of(dump_t *dump, const names_t *names)
{
    apr_hash_t *by_setup = apr_hash_make(dump->p);
    apr_array_header_t *groups = apr_array_make(dump->p, 4,
                                                sizeof(group_t *));
    int i, k, covers = 0;

    dump->number++;
    for (i = 0; i < names->users->nelts; i++) {
        reach(dump, by_setup, groups,
              APR_ARRAY_IDX(names->users, i, member_t *));
    }
    for (i = 0; i < names->nnames; i++) {
        const char *name = names->names[i];
        sniv_names_hit_t hit;

        if (name[0] == '*' && name[1] == '.') {
            const apr_array_header_t *list =
                apr_hash_get(dump->by_parent, snivhost_lower(dump->p, name + 2),
                             APR_HASH_KEY_STRING);

            for (k = 0; list && k < list->nelts; k++, covers = 1) {
                reach(dump, by_setup, groups,
                      APR_ARRAY_IDX(list, k, member_t *));
            }
        }
        else if (sniv_names_find(dump->set->names, name, strlen(name),
                                 &hit)) {
            reach(dump, by_setup, groups,
                  &dump->members[SNIV_NAME_MEMBER(hit.value)]);
            covers = 1;
        }
    }
    if (!covers)
        apr_array_clear(groups);
    return groups;
}

static int has_h2(const sniv_vhost_t *v)
{
    const server_rec *s = v->server;
    const core_server_config *core =
        ap_get_core_module_config(s->module_config);
    int i;

    for (i = 0; core->protocols && i < core->protocols->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(core->protocols, i, const char *), "h2"))
            return 1;
    }
    return 0;
}

/* ----- printing ----- */

static void print(const dump_t *dump, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A line: names come from certificates and files, so no terminal gets them as
 * they are. */
static void print(const dump_t *dump, const char *format, ...)
{
    const char *text;
    va_list args;

    va_start(args, format);
    text = apr_pvsprintf(dump->p, format, args);
    va_end(args);
    APR_ARRAY_PUSH(dump->lines, const char *) =
        apr_pstrdup(dump->pline, snivhost_one_line(dump->p, text));
}

static const char *members_text(const apr_array_header_t *members,
                                apr_pool_t *p)
{
    const char *text = "";
    int i;

    for (i = 0; i < members->nelts && i < LISTED; i++) {
        const member_t *m = APR_ARRAY_IDX(members, i, member_t *);

        text = apr_pstrcat(p, text, i ? ", " : "",
                           snivhost_vhost_text(p, m->vhost), NULL);
    }
    return members->nelts > LISTED
           ? apr_psprintf(p, "%s and %d more", text, members->nelts - LISTED)
           : text;
}

static void print_differences(const dump_t *dump, const group_t *first,
                              const group_t *other)
{
    const apr_array_header_t *all;
    int i;

    all = snivhost_sslpolicy_differs(
        dump->facts->tls,
        APR_ARRAY_IDX(first->members, 0, member_t *)->vhost->server,
        APR_ARRAY_IDX(other->members, 0, member_t *)->vhost->server,
        dump->p);
    for (i = 0; i < all->nelts; i++) {
        const snivhost_difference_t *d =
            &APR_ARRAY_IDX(all, i, snivhost_difference_t);

        if (dump->policy != SNIVHOST_SSLPOLICY_AUTHONLY || d->authonly) {
            print(dump, "            %s: %s, in set-up 1 %s", d->directive,
                  snivhost_setting_text(dump->p, &d->b),
                  snivhost_setting_text(dump->p, &d->a));
        }
    }
}

/* The address, the file and its names. */
static const char *certificate_text(const dump_t *dump, const names_t *names)
{
    const char *text = apr_psprintf(dump->p, "%s  %s",
                                    snivhost_set_text(dump->p, dump->set),
                                    names->path);
    int i;

    if (apr_hash_count(names->files) > 1) {
        text = apr_psprintf(dump->p, "%s and %u with the same names", text,
                            apr_hash_count(names->files) - 1);
    }
    for (i = 0; i < names->nnames && i < LISTED; i++) {
        text = apr_pstrcat(dump->p, text, i ? ", " : " (", names->names[i],
                           NULL);
    }
    return apr_pstrcat(dump->p, text, i < names->nnames ? ", ..." : "",
                       i ? ")" : "", NULL);
}

static void print_groups(dump_t *dump, const names_t *names,
                         const apr_array_header_t *groups)
{
    int i, h2 = 0;

    dump->found++;
    print(dump, "%s", "");
    print(dump, "%s", certificate_text(dump, names));
    for (i = 0; i < names->users->nelts; i++) {
        h2 = h2 || has_h2(APR_ARRAY_IDX(names->users, i,
                                        member_t *)->vhost);
    }
    if (!h2) {
        print(dump, "    without h2 in Protocols: only proxies share such "
              "connections, not browsers");
    }
    for (i = 0; i < groups->nelts && i < GROUPS; i++) {
        const group_t *group = APR_ARRAY_IDX(groups, i, group_t *);

        print(dump, "    set-up %d: %s", i + 1,
              members_text(group->members, dump->p));
        if (i && dump->policy != SNIVHOST_SSLPOLICY_STRICT) {
            print_differences(dump, APR_ARRAY_IDX(groups, 0, group_t *),
                              group);
        }
    }
    if (groups->nelts > GROUPS)
        print(dump, "    and %d more", groups->nelts - GROUPS);
}

/* ----- clients that send no server name ----- */

/*
 * The default does their handshakes, whatever host they request then. An
 * address with 421 for all but one virtual host is the rule, not a fault: so
 * this is a line or two each, and no differences.
 */
static void print_without_sni(dump_t *dump)
{
    const snivhost_tlsconfs_t *policy = dump->facts->tls;
    const member_t *first = &dump->members[0];
    apr_array_header_t *refused = apr_array_make(dump->p, 4,
                                                 sizeof(member_t *));
    int m;

    if (!snivhost_sslpolicy_enabled(policy, first->vhost->server)
        || !snivhost_sslpolicy_is_asked(policy, 0)) {
        return;
    }
    for (m = 1; m < dump->set->nmembers; m++) {
        member_t *member = &dump->members[m];

        if (!snivhost_sslpolicy_allows(policy, dump->policy,
                                       first->vhost->server,
                                       member->vhost->server)) {
            APR_ARRAY_PUSH(refused, member_t *) = member;
        }
    }
    if (!refused->nelts)
        return;
    dump->nwithout++;
    print(dump, "%s", "");
    print(dump, "%s  clients without a server name (SNI): %s handles their "
          "handshakes", snivhost_set_text(dump->p, dump->set),
          snivhost_vhost_text(dump->p, first->vhost));
    print(dump, "    421 for %d virtual host%s: %s", refused->nelts,
          snivhost_plural(refused->nelts), members_text(refused, dump->p));
}

/* ----- a set, all sets ----- */

/* The certificates of a set, those with the same names together. */
typedef struct certs_t {
    apr_array_header_t *all;    /* names_t * */
    apr_hash_t *by_names;
} certs_t;

static void add_cert(dump_t *dump, certs_t *certs, member_t *member,
                     const char *path, const char *const *dns, int ndns)
{
    const char *key = "";
    names_t *names;
    int i;

    for (i = 0; i < ndns; i++)
        key = apr_pstrcat(dump->p, key, dns[i], " ", NULL);
    names = apr_hash_get(certs->by_names, key, APR_HASH_KEY_STRING);
    if (!names) {
        names = apr_pcalloc(dump->p, sizeof(*names));
        names->path = path;
        names->names = dns;
        names->nnames = ndns;
        names->files = apr_hash_make(dump->p);
        names->users = apr_array_make(dump->p, 4, sizeof(member_t *));
        apr_hash_set(certs->by_names, key, APR_HASH_KEY_STRING, names);
        APR_ARRAY_PUSH(certs->all, names_t *) = names;
    }
    apr_hash_set(names->files, path, APR_HASH_KEY_STRING, path);
    APR_ARRAY_PUSH(names->users, member_t *) = member;
}

static void add_entry(dump_t *dump, certs_t *certs, member_t *member,
                      sniv_cert_id_t id)
{
    sniv_cert_info_t info;

    if (id != SNIV_CERT_NONE
        && sniv_certs_info(snivhost_store(), id, &info, dump->p)
           == APR_SUCCESS && info.nfiles) {
        add_cert(dump, certs, member, info.files[0], info.names,
                 info.nnames);
    }
}

/* Whether the default serves an entry: it is in its folders and for a name
 * that no virtual host has. */
static int is_for_default(const dump_t *dump, sniv_cert_id_t id,
                          sniv_scope_t scope)
{
    sniv_cert_info_t info;
    sniv_names_hit_t hit;
    int k;

    if (sniv_certs_info(snivhost_store(), id, &info, dump->p) != APR_SUCCESS
        || info.scope != scope) {
        return 0;
    }
    for (k = 0; k < info.nnames; k++) {
        if (info.names[k][0] == '*'
            || !sniv_names_find(dump->set->names, info.names[k],
                                strlen(info.names[k]), &hit)) {
            return 1;
        }
    }
    return 0;
}

/* Those in folders: for its own names, if it has no files; the default's for
 * names that no virtual host has. */
static void add_stored(dump_t *dump, certs_t *certs, member_t *member,
                       int has_files)
{
    const sniv_vhost_t *v = member->vhost;
    const sniv_scope_t scope = snivhost_conf(v->server)->store.scope;
    const int is_first = member == &dump->members[0];
    sniv_cert_id_t id;
    int i;

    if (!snivhost_store() || scope == SNIV_SCOPE_NONE
        || (has_files && !is_first)) {
        return;
    }
    for (i = -1; !has_files && i < v->naliases; i++) {
        const char *name = i < 0 ? v->server_name : v->aliases[i];

        if (name) {
            add_entry(dump, certs, member,
                      sniv_certs_find(snivhost_store(), scope, name,
                                      strlen(name), apr_time_now()));
        }
    }
    for (id = 0; is_first && id < sniv_certs_count(snivhost_store()); id++) {
        if (is_for_default(dump, id, scope))
            add_entry(dump, certs, member, id);
    }
}

static apr_array_header_t *certificates_of(dump_t *dump)
{
    certs_t certs = { apr_array_make(dump->p, 16, sizeof(names_t *)),
                      apr_hash_make(dump->p) };
    int m, i;

    for (m = 0; m < dump->set->nmembers; m++) {
        member_t *member = &dump->members[m];
        const member_t *whose = member->has_tls ? member : &dump->members[0];
        const snivhost_tlsconf_t *conf =
            snivhost_tlsconf_get(dump->facts->tls, whose->vhost->server);

        for (i = 0; i < conf->certs->nelts; i++) {
            const snivhost_leaf_t *leaf =
                snivhost_leaf_get(dump->leaves, APR_ARRAY_IDX(conf->certs, i,
                                                              const char *));

            if (leaf->is_read) {
                add_cert(dump, &certs, member, leaf->path, leaf->names,
                         leaf->nnames);
            }
        }
        if (member->has_tls)
            add_stored(dump, &certs, member, conf->certs->nelts > 0);
    }
    return certs.all;
}

static void look_at_set(dump_t *dump)
{
    apr_array_header_t *all;
    int i;

    read_members(dump);
    if (!dump->members[0].has_tls)
        return;                 /* no TLS is spoken there */
    all = certificates_of(dump);
    for (i = 0; i < all->nelts; i++) {
        const names_t *names = APR_ARRAY_IDX(all, i, names_t *);
        const apr_array_header_t *groups = groups_of(dump, names);

        if (groups->nelts > 1)
            print_groups(dump, names, groups);
    }
    print_without_sni(dump);
}

/* The answer, then what it is about. */
static void print_all(dump_t *dump, apr_file_t *out)
{
    const apr_array_header_t *details = dump->lines;
    int i;

    dump->lines = apr_array_make(dump->p, 4, sizeof(const char *));
    if (dump->found) {
        print(dump, "%d certificate%s cover%s virtual hosts with different "
              "TLS settings: a request for one over a connection of another "
              "is answered 421", dump->found, snivhost_plural(dump->found),
              dump->found == 1 ? "s" : "");
    }
    else {
        print(dump, "no certificate covers virtual hosts that would answer "
              "421");
    }
    if (dump->nwithout) {
        print(dump, "%d address%s where clients without a server name, as "
              "proxies and health checks may be, are answered 421: have them "
              "send the name that they request (httpd: ProxyPreserveHost On; "
              "nginx: proxy_ssl_server_name on and proxy_ssl_name; HAProxy: "
              "sni req.hdr(host),host_only and check-sni)", dump->nwithout,
              dump->nwithout == 1 ? "" : "es");
    }
    print(dump, "%s", snivhost_sslpolicy_text(dump->policy, dump->p));
    apr_array_cat(dump->lines, details);
    for (i = 0; i < dump->lines->nelts; i++) {
        apr_file_puts(APR_ARRAY_IDX(dump->lines, i, const char *), out);
        apr_file_puts("\n", out);
    }
    apr_file_flush(out);
}

void snivhost_421_dump_test_config(apr_pool_t *p, server_rec *s)
{
    snivhost_facts_t *facts;
    dump_t dump = { 0 };
    apr_file_t *out;
    apr_pool_t *each;
    int i;

    if (!ap_exists_config_define(DUMP)
        || apr_file_open_stdout(&out, p) != APR_SUCCESS
        || snivhost_facts_make(&facts, s, p, p) != APR_SUCCESS) {
        return;
    }
    if (!facts->tls) {
        apr_file_puts("mod_ssl is not loaded: nothing is answered 421 for "
                      "its TLS settings\n", out);
        apr_file_flush(out);
        return;
    }
    dump.lines = apr_array_make(p, 16, sizeof(const char *));
    dump.pline = p;
    dump.facts = facts;
    dump.policy = snivhost_sslpolicy_configured(facts->tls);
    dump.leaves = snivhost_leaves_make(p, 0);
    apr_pool_create(&each, p);
    for (i = 0; i < facts->table->nsets
                && dump.policy != SNIVHOST_SSLPOLICY_INSECURE; i++) {
        dump.set = facts->table->sets[i];
        dump.p = each;
        if (dump.set->name_based)
            look_at_set(&dump);
        apr_pool_clear(each);
    }
    dump.p = p;
    print_all(&dump, out);
}
