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

#include <string.h>

#include "choose/decide.h"
#include "choose/paths.h"

static const char *const rule_names[] = {
    "main", "ip", "servername", "alias", "glob", "address-text", "path",
    "default", "default-no-name"
};

const char *sniv_rule_name(sniv_rule_e rule)
{
    return rule_names[rule];
}

static void set_decision(sniv_decision_t *d, const sniv_set_t *set,
                         int member, sniv_rule_e rule, const char *pattern)
{
    d->set = set;
    d->vhost = set->members[member];
    d->rule = rule;
    d->pattern = pattern;
    d->is_known = 0;
}

/* The answer that needs no name: the main server, or a vhost that is alone
 * on its address. */
static int decide_without_name(const sniv_table_t *table,
                               const sniv_set_t *set, sniv_decision_t *d)
{
    if (!set) {
        d->set = NULL;
        d->vhost = table->main_server;
        d->rule = SNIV_RULE_MAIN;
        d->pattern = NULL;
        d->is_known = 0;
        return 1;
    }
    if (!set->name_based) {
        set_decision(d, set, 0, SNIV_RULE_IP, NULL);
        return 1;
    }
    return 0;
}

static void decide_by_hit(const sniv_set_t *set, const sniv_names_hit_t *hit,
                          sniv_decision_t *d)
{
    static const sniv_rule_e rules[] = {
        [SNIV_NAME_SERVERNAME] = SNIV_RULE_SERVERNAME,
        [SNIV_NAME_ALIAS] = SNIV_RULE_ALIAS,
        [SNIV_NAME_GLOB] = SNIV_RULE_GLOB
    };

    set_decision(d, set, SNIV_NAME_MEMBER(hit->value),
                 rules[SNIV_NAME_KIND(hit->value)],
                 sniv_names_pattern(set->names, hit->rank, NULL));
    d->is_known = 1;
}


static void decide_by_text(const sniv_set_t *set, const sniv_names_hit_t *hit,
                           sniv_decision_t *d)
{
    set_decision(d, set, hit->value, SNIV_RULE_ADDRESS_TEXT,
                 sniv_names_pattern(set->texts, hit->rank, NULL));
    d->is_known = !sniv_ip_is_any(&set->ip);
}

void sniv_decide_sni(const sniv_table_t *table, const sniv_set_t *set,
                     const char *name, apr_size_t len, sniv_decision_t *d)
{
    sniv_names_hit_t hit;

    if (decide_without_name(table, set, d)) {
        d->is_known = name && sniv_names_find(set ? set->names
                                                  : table->main_names,
                                              name, len, &hit);
    }
    else if (!name)
        set_decision(d, set, 0, SNIV_RULE_DEFAULT_NO_NAME, NULL);
    else if (sniv_names_find(set->names, name, len, &hit))
        decide_by_hit(set, &hit, d);
    else
        set_decision(d, set, 0, SNIV_RULE_DEFAULT, NULL);
}

void sniv_decide_request(const sniv_table_t *table, const sniv_set_t *set,
                         const char *host, const char *path,
                         sniv_decision_t *d)
{
    const sniv_path_t *by_path;
    sniv_names_hit_t hit;

    if (decide_without_name(table, set, d))
        return;
    if (host) {
        apr_size_t len = strlen(host);

        if (sniv_names_find(set->names, host, len, &hit))
            decide_by_hit(set, &hit, d);
        else if (sniv_names_find(set->texts, host, len, &hit))
            decide_by_text(set, &hit, d);
        else
            set_decision(d, set, 0, SNIV_RULE_DEFAULT, NULL);
    }
    else if (path && (by_path = sniv_paths_find(set->paths, path)) != NULL) {
        set_decision(d, set, by_path->value, SNIV_RULE_PATH, by_path->path);
    }
    else {
        set_decision(d, set, 0, SNIV_RULE_DEFAULT_NO_NAME, NULL);
    }
}

int sniv_decide_knows(const sniv_table_t *table, const sniv_decision_t *d,
                      const char *host)
{
    const sniv_set_t *set = d->set;
    apr_size_t len = strlen(host);
    sniv_names_hit_t hit;

    if (d->rule != SNIV_RULE_IP && d->rule != SNIV_RULE_MAIN)
        return d->is_known;
    return sniv_names_find(set ? set->names : table->main_names, host, len,
                           &hit)
           || (set && !sniv_ip_is_any(&set->ip)
               && sniv_names_find(set->texts, host, len, &hit));
}

/* The walk of sniv_decide_each: the members already reported. */
typedef struct walk_t {
    const sniv_set_t *set;
    unsigned char *told;        /* a byte per member */
    int (*each)(void *baton, const sniv_decision_t *);
    void *baton;
} walk_t;

static int tell(walk_t *w, int member, const sniv_decision_t *d)
{
    if (w->told[member])
        return 0;
    w->told[member] = 1;
    return w->each(w->baton, d);
}

static int each_by_name(walk_t *w, const char *host, apr_size_t len)
{
    sniv_names_hit_t hit;
    sniv_decision_t d;
    int found = sniv_names_find(w->set->names, host, len, &hit);

    while (found) {
        decide_by_hit(w->set, &hit, &d);
        if (tell(w, SNIV_NAME_MEMBER(hit.value), &d))
            return 1;
        found = sniv_names_find_after(w->set->names, host, len, hit.rank,
                                      &hit);
    }
    return 0;
}

static int each_by_text(walk_t *w, const char *host, apr_size_t len)
{
    sniv_names_hit_t hit;
    sniv_decision_t d;
    int found = sniv_names_find(w->set->texts, host, len, &hit);

    while (found) {
        decide_by_text(w->set, &hit, &d);
        if (tell(w, hit.value, &d))
            return 1;
        found = sniv_names_find_after(w->set->texts, host, len, hit.rank,
                                      &hit);
    }
    return 0;
}

static int each_by_path(walk_t *w, const char *uri)
{
    const sniv_path_t *path;
    sniv_decision_t d;
    int n;

    for (n = 0; (path = sniv_paths_get(w->set->paths, n)) != NULL; n++) {
        if (sniv_path_matches(path->path, uri)) {
            set_decision(&d, w->set, path->value, SNIV_RULE_PATH, path->path);
            if (tell(w, path->value, &d))
                return 1;
        }
    }
    return 0;
}

void sniv_decide_each(const sniv_table_t *table, const sniv_set_t *set,
                      int is_sni, const char *host, const char *path,
                      int (*each)(void *baton, const sniv_decision_t *),
                      void *baton, apr_pool_t *ptemp)
{
    sniv_decision_t d;
    walk_t w = { set, NULL, each, baton };

    if (decide_without_name(table, set, &d)) {
        each(baton, &d);
        return;
    }

    w.told = apr_pcalloc(ptemp, set->nmembers);
    if (host) {
        apr_size_t len = strlen(host);

        if (each_by_name(&w, host, len)
            || (!is_sni && each_by_text(&w, host, len))) {
            return;
        }
    }
    else if (!is_sni && path && each_by_path(&w, path)) {
        return;
    }

    set_decision(&d, set, 0,
                 host ? SNIV_RULE_DEFAULT : SNIV_RULE_DEFAULT_NO_NAME, NULL);
    tell(&w, 0, &d);
}
