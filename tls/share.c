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

#include "tls/share.h"

#include "apr_hash.h"
#include "apr_strings.h"

#include "tls/values.h"

/* How two values are compared. */
typedef enum {
    BY_VALUE,
    BY_LIMITS,          /* only where OpenSSL's commands change them */
    BY_CONTENT,         /* of the file */
    BY_CIPHERS,         /* as OpenSSL resolves both cipher directives */
    BY_COMMANDS
} by_e;

static const struct shared_t {
    snivhost_set_e set;
    by_e by;
    const char *usual;  /* means the same as no line at all */
} shared[] = {
    { SNIVHOST_SET_PROTOCOL, BY_LIMITS, "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3" },
    { SNIVHOST_SET_CIPHERS, BY_CIPHERS, NULL },
    { SNIVHOST_SET_CIPHER_ORDER, BY_VALUE, "off" },
    { SNIVHOST_SET_COMPRESSION, BY_VALUE, "off" },
    { SNIVHOST_SET_TICKETS, BY_VALUE, "on" },
    { SNIVHOST_SET_RENEGOTIATION, BY_VALUE, "off" },
    { SNIVHOST_SET_CA_FILE, BY_CONTENT, NULL },
    { SNIVHOST_SET_CA_PATH, BY_VALUE, NULL },
    { SNIVHOST_SET_CADN_FILE, BY_CONTENT, NULL },
    { SNIVHOST_SET_CADN_PATH, BY_VALUE, NULL },
    { SNIVHOST_SET_CRL_FILE, BY_CONTENT, NULL },
    { SNIVHOST_SET_CRL_PATH, BY_VALUE, NULL },
    { SNIVHOST_SET_CRL_CHECK, BY_VALUE, "none" },
    { SNIVHOST_SET_COMMANDS, BY_COMMANDS, NULL }
};

#define NSHARED ((int)(sizeof(shared) / sizeof(*shared)))

struct snivhost_sharing_t {
    apr_pool_t *p;
    apr_hash_t *contents;       /* path -> snivhost_value_content() */
    apr_hash_t *ciphers;        /* list, suites -> a number for what
                                   snivhost_value_ciphers() makes of them */
    const snivhost_value_t *of[SNIVHOST_NSETTINGS];     /* whose ... */
    const char *key;            /* ... this is; NULL at first */
};

snivhost_sharing_t *snivhost_sharing_make(apr_pool_t *p)
{
    snivhost_sharing_t *sharing = apr_palloc(p, sizeof(*sharing));

    sharing->p = p;
    sharing->contents = apr_hash_make(p);
    sharing->ciphers = apr_hash_make(p);
    sharing->key = NULL;
    return sharing;
}

static const char *content_of(snivhost_sharing_t *sharing, const char *path)
{
    const char *content = apr_hash_get(sharing->contents, path,
                                       APR_HASH_KEY_STRING);

    if (!content) {
        content = snivhost_value_content(sharing->p, path);
        apr_hash_set(sharing->contents, apr_pstrdup(sharing->p, path),
                     APR_HASH_KEY_STRING, content);
    }
    return content;
}

static const char *ciphers_of(snivhost_sharing_t *sharing,
                              const snivhost_tlsconf_t *conf)
{
    const char *list = snivhost_tlsconf_text(conf, SNIVHOST_SET_CIPHERS);
    const char *suites = snivhost_tlsconf_text(conf,
                                               SNIVHOST_SET_CIPHERS_13);
    const char *key = apr_pstrcat(sharing->p, list ? list : "", "\n",
                                  suites ? suites : "", NULL);
    const char *ciphers = apr_hash_get(sharing->ciphers, key,
                                       APR_HASH_KEY_STRING);
    const char *number;

    if (!ciphers) {
        ciphers = snivhost_value_ciphers(sharing->p, list, suites);
        if (!ciphers)
            ciphers = key;
        /* A list may be long, and is in the key of each virtual host. */
        number = apr_hash_get(sharing->ciphers, ciphers, APR_HASH_KEY_STRING);
        if (!number) {
            number = apr_itoa(sharing->p,
                              (int)apr_hash_count(sharing->ciphers));
            apr_hash_set(sharing->ciphers, ciphers, APR_HASH_KEY_STRING,
                         number);
        }
        ciphers = number;
        apr_hash_set(sharing->ciphers, key, APR_HASH_KEY_STRING, ciphers);
    }
    return ciphers;
}

/* Whether a command of OpenSSL has set limits of its own. */
static int has_limits(const snivhost_tlsconf_t *conf)
{
    const snivhost_value_t *commands = conf->of[SNIVHOST_SET_COMMANDS];
    int i;

    for (i = 0; commands && i < commands->list->nelts; i++) {
        const char *item = APR_ARRAY_IDX(commands->list, i, const char *);

        if (!ap_cstr_casecmpn(item, "Protocol ", 9)
            || !ap_cstr_casecmpn(item, "MinProtocol ", 12)
            || !ap_cstr_casecmpn(item, "MaxProtocol ", 12)) {
            return 1;
        }
    }
    return 0;
}

/* Names of commands are the same in upper and lower case. */
static const char *command_of(snivhost_sharing_t *sharing, const char *item)
{
    static const char dh[] = "DHParameters ";
    char *command = apr_pstrdup(sharing->p, item);
    char *end = strchr(command, ' ');

    if (!ap_cstr_casecmpn(item, dh, sizeof(dh) - 1)) {
        return apr_pstrcat(sharing->p, dh,
                           content_of(sharing, item + sizeof(dh) - 1), NULL);
    }
    if (end)
        *end = '\0';
    ap_str_tolower(command);
    if (end)
        *end = ' ';
    return command;
}

static const char *commands_of(snivhost_sharing_t *sharing,
                               const snivhost_value_t *value)
{
    apr_array_header_t *items;
    int i;

    if (!value)
        return "";
    items = apr_array_make(sharing->p, value->list->nelts,
                           sizeof(const char *));
    for (i = 0; i < value->list->nelts; i++) {
        APR_ARRAY_PUSH(items, const char *) =
            command_of(sharing, APR_ARRAY_IDX(value->list, i, const char *));
    }
    return apr_array_pstrcat(sharing->p, items, '\n');
}

/* Never NULL. */
static const char *text_of(snivhost_sharing_t *sharing,
                           const snivhost_tlsconf_t *conf,
                           const struct shared_t *what)
{
    const char *text = snivhost_tlsconf_text(conf, what->set);

    switch (what->by) {
    case BY_VALUE:
        break;
    case BY_LIMITS:
        if (!has_limits(conf))
            return "";
        break;
    case BY_CONTENT:
        return text ? content_of(sharing, text) : "";
    case BY_CIPHERS:
        return ciphers_of(sharing, conf);
    case BY_COMMANDS:
        return commands_of(sharing, conf->of[what->set]);
    }
    return text ? text : what->usual ? what->usual : "";
}

/* Thousands of virtual hosts with the very same lines, or none, are usual. */
static int is_same_again(const snivhost_sharing_t *sharing,
                         const snivhost_tlsconf_t *conf)
{
    int i, same = sharing->key != NULL;

    for (i = 0; same && i < NSHARED; i++)
        same = sharing->of[shared[i].set] == conf->of[shared[i].set];
    return same
           && sharing->of[SNIVHOST_SET_COMMANDS]
              == conf->of[SNIVHOST_SET_COMMANDS]
           && sharing->of[SNIVHOST_SET_CIPHERS_13]
              == conf->of[SNIVHOST_SET_CIPHERS_13];
}

const char *snivhost_sharing_key(snivhost_sharing_t *sharing,
                                 const snivhost_tlsconf_t *conf,
                                 const char *more)
{
    apr_array_header_t *texts;
    int i;

    if (!is_same_again(sharing, conf)) {
        texts = apr_array_make(sharing->p, NSHARED, sizeof(const char *));
        for (i = 0; i < NSHARED; i++) {
            APR_ARRAY_PUSH(texts, const char *) = text_of(sharing, conf,
                                                          &shared[i]);
        }
        sharing->key = apr_array_pstrcat(sharing->p, texts, '\1');
        memcpy(sharing->of, conf->of, sizeof(conf->of));
    }
    return apr_pstrcat(sharing->p, sharing->key, "\1", more, NULL);
}

static const ap_directive_t *line_of(const snivhost_tlsconf_t *conf,
                                     const struct shared_t *what)
{
    const snivhost_value_t *value = conf->of[what->set];

    if (what->by == BY_CIPHERS && !value)
        value = conf->of[SNIVHOST_SET_CIPHERS_13];
    return value ? value->node : NULL;
}

const apr_array_header_t *
snivhost_sharing_differs(snivhost_sharing_t *sharing,
                         const snivhost_tlsconf_t *a,
                         const snivhost_tlsconf_t *b, apr_pool_t *p)
{
    apr_array_header_t *all = apr_array_make(p, 2,
                                             sizeof(snivhost_tlsdiff_t));
    int i;

    for (i = 0; i < NSHARED; i++) {
        snivhost_tlsdiff_t *d;

        if (!strcmp(text_of(sharing, a, &shared[i]),
                    text_of(sharing, b, &shared[i]))) {
            continue;
        }
        /* then the commands say so */
        if (shared[i].by == BY_LIMITS && has_limits(a) != has_limits(b))
            continue;
        d = apr_array_push(all);
        d->name = snivhost_tlsconf_name(shared[i].set);
        d->own = line_of(a, &shared[i]);
        d->other = line_of(b, &shared[i]);
    }
    return all;
}

static const char *protocols_of(const snivhost_tlsconf_t *conf)
{
    const char *protocols = snivhost_tlsconf_text(conf,
                                                  SNIVHOST_SET_PROTOCOL);

    return protocols ? protocols : shared[0].usual;
}

static int lowest(const snivhost_tlsconf_t *conf)
{
    int min, max;

    (void)snivhost_value_limits(protocols_of(conf), &min, &max);
    return min;
}

int snivhost_sharing_has_protocol(const snivhost_tlsconf_t *conf)
{
    int min, max;

    return snivhost_value_limits(protocols_of(conf), &min, &max);
}

int snivhost_sharing_limits(const snivhost_tlsconf_t *conf, int *pmin,
                            int *pmax)
{
    *pmin = *pmax = 0;
    if (!conf->of[SNIVHOST_SET_PROTOCOL])
        return 0;
    if (!has_limits(conf))
        (void)snivhost_value_limits(protocols_of(conf), pmin, pmax);
    return 1;
}

int snivhost_sharing_reaches(const snivhost_tlsconf_t *first,
                             const snivhost_tlsconf_t *conf)
{
    /* Without a line mod_ssl leaves the limits as the first one has them. */
    if (!conf->of[SNIVHOST_SET_PROTOCOL])
        return 1;
    if (has_limits(first) || has_limits(conf)) {
        const char *x = snivhost_tlsconf_text(first, SNIVHOST_SET_COMMANDS);
        const char *y = snivhost_tlsconf_text(conf, SNIVHOST_SET_COMMANDS);

        return lowest(first) == lowest(conf) && x && y && !strcmp(x, y);
    }
    return lowest(first) <= lowest(conf);
}
