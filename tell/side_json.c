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

#include "tell/side.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "apr_strings.h"

#include "module/json.h"

/*
 * A side as JSON: keys that are added to the document of the configuration,
 * and the way back. Nothing that is read is trusted: a value is there and of
 * its kind, or the document is refused with the place.
 */

/* ----- to JSON ----- */

static json_t *json_refuse(const snivhost_refuse_conf_t *refuse,
                           apr_pool_t *p)
{
    json_t *json, *allow;
    int i;

    if (refuse->unknown_sni <= 0 && refuse->missing_sni <= 0
        && refuse->unknown_host <= 0) {
        return json_null();
    }
    json = json_object();
    allow = json_array();
    json_object_set_new(json, "unknown_sni",
                        json_boolean(refuse->unknown_sni > 0));
    json_object_set_new(json, "missing_sni",
                        json_boolean(refuse->missing_sni > 0));
    json_object_set_new(json, "unknown_host",
                        json_boolean(refuse->unknown_host > 0));
    for (i = 0; refuse->allow && i < refuse->allow->nelts; i++) {
        json_array_append_new(allow, snivhost_json_text(
            APR_ARRAY_IDX(refuse->allow, i, const char *), p));
    }
    json_object_set_new(json, "allow", allow);
    return json;
}

/* `Directive value` lines as an object. */
static json_t *json_settings(const char *lines, apr_pool_t *p)
{
    json_t *json = json_object();

    while (*lines) {
        char *line = ap_getword_nc(p, (char **)&lines, '\n');
        char *value = strchr(line, ' ');

        /* "SSLCipherSuite TLSv1.3" is a name of two words */
        if (value && !strncmp(value, " TLSv1.3 ", 9)
            && !strncmp(line, "SSLCipherSuite", 14)) {
            value = strchr(value + 1, ' ');
        }
        if (!value)
            continue;
        *value++ = '\0';
        json_object_set_new(json, line, snivhost_json_text(value, p));
    }
    return json;
}

static void add_to_vhost(json_t *json, const sniv_vhost_t *v,
                         const snivhost_side_vhost_t *more, int settings,
                         apr_pool_t *p)
{
    json_t *texts = json_array(), *tls = json_object_get(json, "tls");
    int i;

    for (i = 0; i < v->naddrs; i++) {
        json_array_append_new(texts, snivhost_json_text(v->addrs[i].text, p));
    }
    json_object_set_new(json, "address_texts", texts);
    json_object_set_new(json, "document_root",
                        snivhost_json_text(more->root, p));
    json_object_set_new(json, "digest", snivhost_json_text(more->digest, p));
    json_object_set_new(json, "strict_host_check",
                        json_boolean(more->strict_host));
    json_object_set_new(json, "unsafe_hosts",
                        json_boolean(more->unsafe_host));
    json_object_set_new(json, "refuse", json_refuse(&more->refuse, p));
    json_object_set_new(tls, "engine", json_boolean(more->engine));
    json_object_set_new(tls, "strict_sni", json_boolean(more->strict_sni));
    json_object_set_new(tls, "sni_group", json_integer(more->sni_group));
    json_object_set_new(tls, "settings", settings < 0
                        ? json_null() : json_integer(settings));
}

void snivhost_side_json(json_t *document, const snivhost_side_t *side,
                        apr_pool_t *p)
{
    const sniv_table_t *table = side->table;
    json_t *vhosts = json_object_get(document, "vhosts");
    json_t *all = json_array();
    apr_hash_t *known = apr_hash_make(p);
    int i;

    for (i = 0; i <= table->nvhosts; i++) {
        const snivhost_side_vhost_t *more = &side->more[i];
        int *number = NULL;

        if (more->settings) {
            number = apr_hash_get(known, more->settings,
                                  APR_HASH_KEY_STRING);
            if (!number) {
                number = apr_palloc(p, sizeof(*number));
                *number = (int)json_array_size(all);
                apr_hash_set(known, more->settings, APR_HASH_KEY_STRING,
                             number);
                json_array_append_new(all, json_settings(more->settings, p));
            }
        }
        add_to_vhost(i < table->nvhosts ? json_array_get(vhosts, i)
                     : json_object_get(document, "main_server"),
                     &table->vhosts[i], more, number ? *number : -1, p);
    }
    json_object_set_new(document, "tls_settings", all);
    json_object_set_new(document, "sni_policy",
                        snivhost_json_text(side->policy, p));
    all = json_array();
    for (i = 0; i < side->listen->nelts; i++) {
        json_array_append_new(all, snivhost_json_text(
            APR_ARRAY_IDX(side->listen, i, const char *), p));
    }
    json_object_set_new(document, "listen", all);
    json_object_set_new(document, "written", snivhost_json_time(
                            apr_time_now()));
}

/* ----- from JSON ----- */

typedef struct reader_t {
    const char *error;          /* the first one */
    const char *where;          /* "vhosts[3]" */
    const json_t *settings;     /* tls_settings */
    apr_pool_t *p;
} reader_t;

static void wrong(reader_t *r, const char *key, const char *what)
{
    if (!r->error) {
        r->error = apr_psprintf(r->p, "%s%s%s is not %s", r->where,
                                *r->where ? "." : "", key, what);
    }
}

static const char *text_of(reader_t *r, const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);

    if (value && !json_is_null(value) && !json_is_string(value))
        wrong(r, key, "a text");
    return json_is_string(value) ? apr_pstrdup(r->p, json_string_value(value))
                                 : NULL;
}

static int flag_of(reader_t *r, const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);

    if (!value || !json_is_boolean(value))
        wrong(r, key, "true or false");
    return json_is_true(value);
}

static const json_t *list_of(reader_t *r, const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);

    if (!json_is_array(value))
        wrong(r, key, "a list");
    return value;
}

/* A list of texts; null in it is NULL. */
static apr_array_header_t *texts_of(reader_t *r, const json_t *json,
                                    const char *key)
{
    const json_t *list = list_of(r, json, key);
    apr_size_t n = json_array_size(list), i;
    apr_array_header_t *texts = apr_array_make(r->p, (int)n + 1,
                                               sizeof(const char *));

    for (i = 0; i < n && !r->error; i++) {
        const json_t *one = json_array_get(list, i);

        if (!json_is_string(one) && !json_is_null(one))
            wrong(r, key, "a list of texts");
        APR_ARRAY_PUSH(texts, const char *) = json_is_string(one)
            ? apr_pstrdup(r->p, json_string_value(one)) : NULL;
    }
    return texts;
}

/* "*:443", "192.0.2.1:*", "[2001:db8::1]:443": numbers, so the DNS is not
 * asked. */
static int parse_addr(sniv_addr_t *addr, const char *text, apr_pool_t *p)
{
    unsigned char v4[4];
    const char *colon = strrchr(text, ':');
    char *host, *zone, *end;
    long port = 0;

    memset(addr, 0, sizeof(*addr));
    if (!colon || colon == text)
        return 0;
    if (strcmp(colon, ":*")) {
        port = strtol(colon + 1, &end, 10);
        if (end == colon + 1 || *end || port < 1 || port > 65535)
            return 0;
    }
    addr->port = (apr_port_t)port;
    host = apr_pstrmemdup(p, text, colon - text);
    if (!strcmp(host, "*"))
        return 1;
    if (*host != '[') {
        if (inet_pton(AF_INET, host, v4) != 1)
            return 0;
        sniv_ip_from_v4(&addr->ip, v4);
        return 1;
    }
    if (host[strlen(host) - 1] != ']')
        return 0;
    host[strlen(host) - 1] = '\0';
    if ((zone = strchr(host, '%')) != NULL) {
        *zone++ = '\0';
        addr->ip.zone = if_nametoindex(zone);
        if (!addr->ip.zone)
            addr->ip.zone = (apr_uint32_t)strtoul(zone, NULL, 10);
    }
    return inet_pton(AF_INET6, host + 1, addr->ip.bytes) == 1;
}

static void read_addrs(reader_t *r, sniv_vhost_t *v, const json_t *json)
{
    apr_array_header_t *addrs = texts_of(r, json, "addresses");
    apr_array_header_t *texts = texts_of(r, json, "address_texts");
    sniv_addr_t *list = apr_pcalloc(r->p, (addrs->nelts + 1)
                                          * sizeof(*list));
    int i;

    if (!r->error && addrs->nelts != texts->nelts)
        wrong(r, "address_texts", "as long as addresses");
    for (i = 0; i < addrs->nelts && !r->error; i++) {
        const char *text = APR_ARRAY_IDX(addrs, i, const char *);

        if (!text || !parse_addr(&list[i], text, r->p))
            wrong(r, "addresses", "a list of IP:PORT");
        list[i].text = APR_ARRAY_IDX(texts, i, const char *);
    }
    v->addrs = list;
    v->naddrs = addrs->nelts;
}

/* "FILE:LINE" */
static void read_place(reader_t *r, sniv_vhost_t *v, const json_t *json)
{
    char *place = (char *)text_of(r, json, "defined_at");
    char *colon = place ? strrchr(place, ':') : NULL;

    if (colon) {
        *colon = '\0';
        v->file = place;
        v->line = (unsigned)strtoul(colon + 1, NULL, 10);
    }
}

static void read_refuse(reader_t *r, snivhost_refuse_conf_t *refuse,
                        const json_t *json)
{
    const json_t *value = json_object_get(json, "refuse");

    memset(refuse, 0, sizeof(*refuse));
    if (json_is_null(value))
        return;
    if (!json_is_object(value)) {
        wrong(r, "refuse", "an object");
        return;
    }
    refuse->unknown_sni = flag_of(r, value, "unknown_sni");
    refuse->missing_sni = flag_of(r, value, "missing_sni");
    refuse->unknown_host = flag_of(r, value, "unknown_host");
    refuse->allow = texts_of(r, value, "allow");
}

static const char *read_settings(reader_t *r, const json_t *tls)
{
    const json_t *number = json_object_get(tls, "settings"), *value;
    json_t *all;
    const char *key, *text = "";

    if (json_is_null(number))
        return NULL;
    all = json_array_get(r->settings,
                         (apr_size_t)json_integer_value(number));
    if (!json_is_integer(number) || !json_is_object(all)) {
        wrong(r, "tls.settings", "a number in tls_settings");
        return NULL;
    }
    json_object_foreach(all, key, value) {
        if (!json_is_string(value))
            wrong(r, key, "a text");
        else
            text = apr_pstrcat(r->p, text, key, " ",
                               json_string_value(value), "\n", NULL);
    }
    return text;
}

static void read_certificate(reader_t *r, snivhost_side_vhost_t *more,
                             const json_t *tls)
{
    const json_t *cert = json_object_get(tls, "certificate");
    const json_t *files;

    if (!json_is_object(cert)) {
        more->cert_unknown = more->has_context;
        return;
    }
    more->cert = snivhost_side_sorted(text_of(r, cert, "fingerprints"), r->p);
    files = json_object_get(cert, "files");
    more->cert_text = json_string_value(json_array_get(files, 0));
    if (!more->cert_text)
        more->cert_text = text_of(r, cert, "subject");
    else
        more->cert_text = apr_pstrdup(r->p, more->cert_text);
}

static void read_tls(reader_t *r, snivhost_side_vhost_t *more,
                     const json_t *json)
{
    const json_t *tls = json_object_get(json, "tls"), *group;
    const char *how = text_of(r, tls, "how");

    group = json_object_get(tls, "sni_group");
    if (!how || !json_is_integer(group)) {
        wrong(r, "tls", "an object with how and sni_group");
        return;
    }
    more->has_context = strcmp(how, "none") != 0;
    more->engine = flag_of(r, tls, "engine");
    more->strict_sni = flag_of(r, tls, "strict_sni");
    more->sni_group = (int)json_integer_value(group);
    more->settings = read_settings(r, tls);
    read_certificate(r, more, tls);
}

static void read_vhost(reader_t *r, sniv_vhost_t *v,
                       snivhost_side_vhost_t *more, const json_t *json)
{
    apr_array_header_t *names;

    v->server_name = text_of(r, json, "vhost");
    if (!v->server_name) {
        wrong(r, "vhost", "a name");
        return;
    }
    read_place(r, v, json);
    names = texts_of(r, json, "aliases");
    v->aliases = (const char *const *)names->elts;
    v->naliases = names->nelts;
    names = texts_of(r, json, "globs");
    v->globs = (const char *const *)names->elts;
    v->nglobs = names->nelts;
    v->path = text_of(r, json, "path");
    read_addrs(r, v, json);
    more->root = text_of(r, json, "document_root");
    more->digest = text_of(r, json, "digest");
    more->strict_host = flag_of(r, json, "strict_host_check");
    more->unsafe_host = flag_of(r, json, "unsafe_hosts");
    read_refuse(r, &more->refuse, json);
    read_tls(r, more, json);
}

/* What is refused, by the first virtual host of each set. */
static apr_status_t read_refusals(snivhost_side_t *side, apr_pool_t *p,
                                  apr_pool_t *ptemp)
{
    const sniv_table_t *table = side->table;
    const snivhost_refuse_t **all =
        apr_pcalloc(p, (table->nsets + 1) * sizeof(*all));
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i <= table->nsets && rv == APR_SUCCESS; i++) {
        const sniv_vhost_t *v = i < table->nsets ? table->sets[i]->members[0]
                                                 : table->main_server;

        rv = snivhost_refuse_freeze(&all[i], &side->more[v - table->vhosts]
                                             .refuse, p, ptemp);
    }
    side->refusals = side->mode == SNIVHOST_ON ? all : NULL;
    return rv;
}

static const char *read_document(snivhost_side_t *side, const json_t *json,
                                 apr_pool_t *p, apr_pool_t *ptemp)
{
    reader_t r = { NULL, "", NULL, p };
    const json_t *list = list_of(&r, json, "vhosts");
    const json_int_t version =
        json_integer_value(json_object_get(json, "version"));
    const char *mode = text_of(&r, json, "mode");
    const apr_size_t n = json_array_size(list);
    sniv_vhost_t *vhosts = apr_pcalloc(p, (n + 1) * sizeof(*vhosts));
    apr_size_t i;

    if (version != SNIVHOST_JSON_VERSION) {
        return apr_psprintf(p, "version is %d, but only %d is supported",
                            (int)version, SNIVHOST_JSON_VERSION);
    }
    if (!json_object_get(json, "tls_settings")) {
        return "it was written by mod_snivhost before 0.10.0 and lacks what "
               "is compared: write it again with this version";
    }
    r.settings = list_of(&r, json, "tls_settings");
    side->more = apr_pcalloc(p, (n + 1) * sizeof(*side->more));
    for (i = 0; i < n && !r.error; i++) {
        r.where = apr_psprintf(ptemp, "vhosts[%d]", (int)i);
        read_vhost(&r, &vhosts[i], &side->more[i], json_array_get(list, i));
    }
    r.where = "main_server";
    if (!r.error) {
        read_vhost(&r, &vhosts[n], &side->more[n],
                   json_object_get(json, "main_server"));
        vhosts[n].naddrs = 0;
    }
    r.where = "";
    side->mode = mode && !strcmp(mode, "On") ? SNIVHOST_ON : SNIVHOST_OFF;
    side->policy = text_of(&r, json, "sni_policy");
    side->written = text_of(&r, json, "written");
    side->listen = texts_of(&r, json, "listen");
    if (r.error)
        return r.error;
    if (sniv_table_build(&side->table, &vhosts[n], vhosts, (int)n, p, ptemp)
        != APR_SUCCESS
        || read_refusals(side, p, ptemp) != APR_SUCCESS) {
        return "no tables can be built from its names";
    }
    return NULL;
}

const char *snivhost_side_read(snivhost_side_t **pside, const char *path,
                               apr_pool_t *p, apr_pool_t *ptemp)
{
    json_error_t error;
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK;
    json_t *json = strcmp(path, "-") ? json_load_file(path, flags, &error)
                                     : json_loadf(stdin, flags, &error);
    const char *problem;

    if (!json) {
        const char *text = ap_escape_logitem(p, error.text);

        return error.line < 1 ? text
               : apr_psprintf(p, "%s (line %d)", text, error.line);
    }
    *pside = apr_pcalloc(p, sizeof(**pside));
    problem = json_is_object(json)
              ? read_document(*pside, json, p, ptemp)
              : "it is not an object";
    if (problem)
        problem = ap_escape_logitem(p, problem);
    json_decref(json);
    return problem;
}
