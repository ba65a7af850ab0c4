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

#include "tls/managed.h"

#include "apr_strings.h"

#include "module/words.h"

static void add_name(apr_hash_t *names, const char *name)
{
    if (*name) {
        apr_hash_set(names, snivhost_lower(apr_hash_pool_get(names), name),
                     APR_HASH_KEY_STRING, "");
    }
}

void snivhost_managed_add(apr_hash_t *names, const char *args)
{
    apr_pool_t *p = apr_hash_pool_get(names);

    while (*args) {
        char *name = ap_getword_conf(p, &args);
        apr_size_t len = strlen(name);

        if (len && name[len - 1] == '>')
            name[--len] = '\0';
        if (ap_cstr_casecmp(name, "auto") && ap_cstr_casecmp(name, "manual"))
            add_name(names, name);
    }
}

/* The same, or one of the two is a wildcard that covers the other. */
static int has_name(const apr_hash_t *names, const char *name)
{
    apr_pool_t *p = apr_hash_pool_get(names);
    const char *host = snivhost_lower(p, name);
    const char *dot = ap_strchr_c(host, '.');
    apr_hash_index_t *hi;

    if (apr_hash_get((apr_hash_t *)names, host, APR_HASH_KEY_STRING)
        || (dot && apr_hash_get((apr_hash_t *)names,
                                apr_pstrcat(p, "*", dot, NULL),
                                APR_HASH_KEY_STRING))) {
        return 1;
    }
    if (!ap_is_matchexp(host))
        return 0;
    for (hi = apr_hash_first(p, (apr_hash_t *)names); hi;
         hi = apr_hash_next(hi)) {
        if (!ap_strcmp_match(apr_hash_this_key(hi), host))
            return 1;
    }
    return 0;
}

/* ServerName and all ServerAliases; NULL at the end. */
static const char *name_of(const server_rec *s, int i)
{
    const apr_array_header_t *lists[2] = { s->names, s->wild_names };
    int k;

    if (i == 0)
        return s->server_hostname ? s->server_hostname : "";
    i--;
    for (k = 0; k < 2; k++) {
        int n = lists[k] ? lists[k]->nelts : 0;

        if (i < n) {
            const char *name = APR_ARRAY_IDX(lists[k], i, const char *);

            return name ? name : "";
        }
        i -= n;
    }
    return NULL;
}

int snivhost_managed_has(const apr_hash_t *names, const server_rec *s)
{
    const char *name;
    int i;

    if (apr_hash_count((apr_hash_t *)names) == 0)
        return 0;
    for (i = 0; (name = name_of(s, i)) != NULL; i++) {
        if (*name && has_name(names, name))
            return 1;
    }
    return 0;
}

void snivhost_managed_add_server(apr_hash_t *names, const server_rec *s)
{
    const char *name;
    int i;

    for (i = 0; (name = name_of(s, i)) != NULL; i++)
        add_name(names, name);
}
