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

#include "tell/probes.h"

#include <string.h>

#include "apr_hash.h"
#include "apr_lib.h"
#include "apr_strings.h"

/* So many patterns are looked at in pairs. */
#define PAIRED 250

typedef struct maker_t {
    apr_array_header_t *probes;
    apr_hash_t *seen;           /* names that are asked for */
    char letter;                /* one that no pattern has, if there is one */
    apr_array_header_t *globs;  /* const char *: different ones */
    apr_pool_t *p;
} maker_t;

/* As a browser sends it in its handshake and as httpd reads a Host: lower
 * case, without a port, the brackets of an IPv6 address, the dot at the
 * end. */
static const char *as_host(const char *name, apr_pool_t *p)
{
    char *host = apr_pstrdup(p, name);
    char *colon = strchr(host, ':');
    apr_size_t len;

    ap_str_tolower(host);
    if (colon && colon[1] && !colon[1 + strspn(colon + 1, "0123456789")])
        *colon = '\0';
    len = strlen(host);
    if (len > 2 && *host == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        return host + 1;
    }
    if (len > 1 && host[len - 1] == '.')
        host[len - 1] = '\0';
    return host;
}

/* A browser sends no server name for an address. */
static int is_address(const char *name)
{
    return strchr(name, ':') || !name[strspn(name, "0123456789.")];
}

static void add(maker_t *m, const char *label, const char *name, int is_name)
{
    const char *host = as_host(name, m->p);
    snivhost_probe_t *probe;

    if (!*host
        || apr_hash_get(m->seen, name, APR_HASH_KEY_STRING)) {
        return;
    }
    apr_hash_set(m->seen, name, APR_HASH_KEY_STRING, name);
    probe = apr_array_push(m->probes);
    probe->label = label;
    probe->sni = is_address(host) ? NULL : host;
    probe->host = host;
    probe->path = "/";
    probe->is_name = is_name;
    probe->is_odd = 0;
}

/* The same for what only HttpProtocolOptions Unsafe takes. */
static void add_odd(maker_t *m, const char *label, const char *name)
{
    const int n = m->probes->nelts;

    add(m, label, name, 0);
    if (m->probes->nelts > n)
        APR_ARRAY_IDX(m->probes, n, snivhost_probe_t).is_odd = 1;
}

static void add_special(maker_t *m, const char *label, const char *path)
{
    snivhost_probe_t *probe = apr_array_push(m->probes);

    memset(probe, 0, sizeof(*probe));
    probe->label = label;
    probe->path = path;
}

/*
 * What is put in place of a *, 'x' standing for the letter: other patterns
 * then match by dots and lengths alone, and some name gets past those.
 */
static const char *const fillers[] = {
    "xxxxxxxx", "x", "xx", "xxx", "x.x", "xx.xx", "xxxxxxxx.x.xxx", "", NULL
};

/* A pattern with every * and ? replaced. */
static const char *fill(const maker_t *m, const char *glob, const char *star)
{
    const apr_size_t room = strlen(star);
    char *name = apr_palloc(m->p, strlen(glob) * (room + 1) + 1);
    char *to = name;
    apr_size_t i;

    for (; *glob; glob++) {
        if (*glob == '*') {
            for (i = 0; i < room; i++)
                *to++ = star[i] == 'x' ? m->letter : star[i];
        }
        else {
            *to++ = *glob == '?' ? m->letter : *glob;
        }
    }
    *to = '\0';
    return name;
}

/* Mark the letters of a set's patterns. */
static void mark_letters(unsigned char *used, const sniv_table_t *table,
                         const sniv_set_t *set)
{
    const int n = set ? set->nmembers : 1;
    int i, k;

    for (i = 0; i < n; i++) {
        const sniv_vhost_t *v = set ? set->members[i] : table->main_server;

        for (k = 0; k < v->nglobs; k++) {
            const char *c = v->globs[k];

            for (; c && *c; c++)
                used[(unsigned char)apr_tolower(*c)] = 1;
        }
    }
}

static char unused_letter(const unsigned char *used)
{
    static const char letters[] = "qxjzkvwyfghbpducmlrinotsae0123456789";
    const char *c = letters;

    while (*c && used[(unsigned char)*c])
        c++;
    return *c ? *c : 'q';
}

/*
 * The shortest way through two patterns at once: the places in both are a
 * state, and a state that has failed is not tried again.
 */
typedef struct meeting_t {
    const char *a, *b;
    apr_size_t width;
    unsigned char *failed;
    char *name;
    char letter;
} meeting_t;

static int meet(meeting_t *m, apr_size_t i, apr_size_t j, apr_size_t n)
{
    const char x = m->a[i], y = m->b[j];
    unsigned char *failed = &m->failed[i * m->width + j];

    if (!x && !y) {
        m->name[n] = '\0';
        return 1;
    }
    if (*failed)
        return 0;
    *failed = 1;
    if (x == '*') {
        if (meet(m, i + 1, j, n))
            return 1;
        if (y) {
            m->name[n] = y == '?' ? m->letter : y;
            return meet(m, i, j + 1, y == '*' ? n : n + 1);
        }
        return 0;
    }
    if (y == '*') {
        if (meet(m, i, j + 1, n))
            return 1;
        m->name[n] = x == '?' ? m->letter : x;
        return x && meet(m, i + 1, j, n + 1);
    }
    if (!x || !y || (x != '?' && y != '?'
                     && apr_tolower(x) != apr_tolower(y))) {
        return 0;
    }
    m->name[n] = x != '?' ? x : y != '?' ? y : m->letter;
    return meet(m, i + 1, j + 1, n + 1);
}

static void add_meeting(maker_t *m, const char *a, const char *b,
                        apr_pool_t *ptemp)
{
    const apr_size_t na = strlen(a), nb = strlen(b);
    meeting_t meeting = { a, b, nb + 1, NULL, NULL, m->letter };

    meeting.failed = apr_pcalloc(ptemp, (na + 1) * (nb + 1));
    meeting.name = apr_palloc(ptemp, na + nb + 2);
    if (meet(&meeting, 0, 0, 0) && !is_address(meeting.name)) {
        const char *name = apr_pstrdup(m->p, meeting.name);

        add(m, name, name, 0);
    }
}

/* No virtual host has a name beyond this length. */
#define GLOB_MAX 255

static void add_glob(maker_t *m, const char *glob)
{
    int i;

    if (strlen(glob) > GLOB_MAX
        || apr_hash_get(m->seen, glob, APR_HASH_KEY_STRING)) {
        return;
    }
    apr_hash_set(m->seen, glob, APR_HASH_KEY_STRING, glob);
    APR_ARRAY_PUSH(m->globs, const char *) = glob;
    for (i = 0; fillers[i]; i++) {
        const char *name = fill(m, glob, fillers[i]);

        if (!is_address(name))
            add(m, glob, name, 1);
    }
    add_odd(m, apr_pstrcat(m->p, glob, " " SNIVHOST_PROBE_ODD, NULL),
            fill(m, glob, "x!x"));
}

static void add_names(maker_t *m, const sniv_vhost_t *v)
{
    int i;

    if (v->server_name)
        add(m, v->server_name, v->server_name, 1);
    for (i = 0; i < v->naliases; i++) {
        if (v->aliases[i])
            add(m, v->aliases[i], v->aliases[i], 1);
    }
    for (i = 0; i < v->nglobs; i++) {
        if (v->globs[i])
            add_glob(m, v->globs[i]);
    }
}

/* Texts that no client asks for. */
static int stands_for_any(const char *text)
{
    return !strcmp(text, "*") || !strcmp(text, "_default_")
           || !strcmp(text, "0.0.0.0") || !strcmp(text, "::");
}

/* One set with many members shares them with another one: its names are
 * added once. */
static void add_set(maker_t *m, const sniv_table_t *table,
                    const sniv_set_t *set)
{
    const char *last = NULL;
    int i, k;

    if (!set) {
        add_names(m, table->main_server);
        return;
    }
    for (i = 0; i < set->nmembers; i++) {
        const sniv_vhost_t *v = set->members[i];

        add_names(m, v);
        for (k = 0; k < v->naddrs; k++) {
            const char *text = v->addrs[k].text;

            if (text && !stands_for_any(text)
                && (!last || strcmp(last, text))) {
                add(m, text, text, 0);
            }
            last = text;
        }
        if (v->path)
            add_special(m, v->path, v->path);
    }
}

const apr_array_header_t *snivhost_probes(const sniv_table_t *ta,
                                          const sniv_set_t *a,
                                          const sniv_table_t *tb,
                                          const sniv_set_t *b, int *pnot_met,
                                          apr_pool_t *p)
{
    unsigned char used[256] = { 0 };
    maker_t m;
    apr_pool_t *ptemp;
    int i, k, n;

    m.p = p;
    m.probes = apr_array_make(p, 64, sizeof(snivhost_probe_t));
    m.globs = apr_array_make(p, 8, sizeof(const char *));
    m.seen = apr_hash_make(p);
    mark_letters(used, ta, a);
    mark_letters(used, tb, b);
    m.letter = unused_letter(used);
    add_special(&m, SNIVHOST_PROBE_NONE, "/");
    add(&m, SNIVHOST_PROBE_OTHER, fill(&m, "*.invalid", "xxxxxxxx"), 0);
    add_odd(&m, SNIVHOST_PROBE_ODD, fill(&m, "*.invalid", "x!x"));
    add_set(&m, ta, a);
    add_set(&m, tb, b);

    n = m.globs->nelts < PAIRED ? m.globs->nelts : PAIRED;
    *pnot_met = m.globs->nelts - n;
    apr_pool_create(&ptemp, p);
    for (i = 0; i < n; i++) {
        for (k = i + 1; k < n; k++) {
            add_meeting(&m, APR_ARRAY_IDX(m.globs, i, const char *),
                        APR_ARRAY_IDX(m.globs, k, const char *), ptemp);
        }
        apr_pool_clear(ptemp);
    }
    apr_pool_destroy(ptemp);
    return m.probes;
}
