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

#include "tls/settings.h"

#include <stdlib.h>

#include "apr_hash.h"
#include "apr_lib.h"
#include "apr_strings.h"
#include "ap_listen.h"
#include "http_core.h"

#include <openssl/ssl.h>

#include "certs/judge.h"
#include "tls/managed.h"
#include "tls/values.h"

/* mod_ssl's arrays of certificate and key files: a virtual host's first
 * lines take the place of the main server's lines with the same number, the
 * main server's further lines follow, then the virtual host's further ones
 * (modssl_ctx_cfg_merge_certkeys_array, CERTKEYS_IDX_MAX with ECC). */
#define CERTKEYS_REPLACED 3

/* What is done with a directive. */
typedef enum {
    DO_KEEP,            /* its value, as snivhost_as_e says */
    DO_ENGINE,          /* SSLEngine */
    DO_OURS,            /* SNIVHostTLS: "On" is SSLEngine on */
    DO_FILES,           /* a list, merged with the main server's */
    DO_CIPHERS,         /* one value for TLS 1.3, one for before */
    DO_COMMAND,         /* a list that grows from main server to vhost */
    DO_OWN,             /* nothing: lies in mod_ssl's record or is per
                           directory, each virtual host keeps its own */
    DO_REFUSE,          /* not understood well enough to share */
    DO_PERL,            /* a program that may add directives */
    DO_MD_STAPLING,
    DO_MD_NAMES
} do_e;

typedef struct known_t {
    const char *name;
    do_e kind;
    snivhost_as_e as;
    int set;            /* snivhost_set_e, of what is kept */
} known_t;

#define KEEP(name, as, set) \
    { name, DO_KEEP, SNIVHOST_AS_##as, SNIVHOST_SET_##set }
#define KIND(name, kind, set) \
    { name, kind, SNIVHOST_AS_WORD, SNIVHOST_SET_##set }
#define OTHER(name, kind)   { name, kind, SNIVHOST_AS_WORD, -1 }

static const known_t known[] = {
    KIND("SSLEngine", DO_ENGINE, ENGINE),
    KIND("SSLCertificateFile", DO_FILES, CERT_FILES),
    KIND("SSLCertificateKeyFile", DO_FILES, KEY_FILES),
    KIND("SSLCipherSuite", DO_CIPHERS, CIPHERS),
    KIND("SSLOpenSSLConfCmd", DO_COMMAND, COMMANDS),
    KEEP("SSLCertificateChainFile", PATH, CHAIN_FILE),
    KEEP("SSLProtocol", PROTOCOLS, PROTOCOL),
    KEEP("SSLHonorCipherOrder", FLAG, CIPHER_ORDER),
    KEEP("SSLCompression", FLAG, COMPRESSION),
    KEEP("SSLSessionTickets", FLAG, TICKETS),
    KEEP("SSLSessionTicketKeyFile", PATH, TICKET_KEYS),
    KEEP("SSLInsecureRenegotiation", FLAG, RENEGOTIATION),
    KEEP("SSLUseStapling", FLAG, STAPLING),
    KEEP("SSLCACertificateFile", PATH, CA_FILE),
    KEEP("SSLCACertificatePath", PATH, CA_PATH),
    KEEP("SSLCADNRequestFile", PATH, CADN_FILE),
    KEEP("SSLCADNRequestPath", PATH, CADN_PATH),
    KEEP("SSLCARevocationFile", PATH, CRL_FILE),
    KEEP("SSLCARevocationPath", PATH, CRL_PATH),
    KEEP("SSLCARevocationCheck", WORDS, CRL_CHECK),
    KEEP("SSLVerifyClient", VERIFY, VERIFY_CLIENT),
    KEEP("SSLVerifyDepth", NUMBER, VERIFY_DEPTH),
    KEEP("SSLOCSPEnable", WORDS, OCSP_ENABLE),
    KEEP("SSLOCSPOverrideResponder", FLAG, OCSP_OVERRIDE),
    KEEP("SSLOCSPDefaultResponder", WORD, OCSP_RESPONDER),
    KEEP("SSLSRPVerifierFile", PATH, SRP_FILE),
    KEEP("SSLStrictSNIVHostCheck", FLAG, STRICT_SNI),
    KEEP("SSLVHostSNIPolicy", WORDS, SNI_POLICY),

    OTHER("SNIVHostTLS", DO_OURS),
    OTHER("SSLSessionCacheTimeout", DO_OWN),
    /* without SSLOCSPEnable nothing reads these */
    OTHER("SSLOCSPResponseTimeSkew", DO_OWN),
    OTHER("SSLOCSPResponseMaxAge", DO_OWN),
    OTHER("SSLOCSPResponderTimeout", DO_OWN),
    OTHER("SSLOCSPUseRequestNonce", DO_OWN),
    OTHER("SSLOCSPProxyURL", DO_OWN),
    OTHER("SSLOCSPNoVerify", DO_OWN),
    OTHER("SSLOCSPResponderCertificateFile", DO_OWN),
    /* a virtual host that would staple is not shared */
    OTHER("SSLStaplingResponseTimeSkew", DO_OWN),
    OTHER("SSLStaplingResponderTimeout", DO_OWN),
    OTHER("SSLStaplingResponseMaxAge", DO_OWN),
    OTHER("SSLStaplingStandardCacheTimeout", DO_OWN),
    OTHER("SSLStaplingReturnResponderErrors", DO_OWN),
    OTHER("SSLStaplingFakeTryLater", DO_OWN),
    OTHER("SSLStaplingErrorCacheTimeout", DO_OWN),
    OTHER("SSLStaplingForceURL", DO_REFUSE),

    OTHER("SSLOptions", DO_OWN),
    OTHER("SSLUserName", DO_OWN),
    OTHER("SSLRequireSSL", DO_OWN),
    OTHER("SSLRequire", DO_OWN),
    OTHER("SSLRenegBufferSize", DO_OWN),
    /* of the whole server: nothing that a virtual host could have its own of */
    OTHER("SSLPassPhraseDialog", DO_OWN),
    OTHER("SSLSessionCache", DO_OWN),
    OTHER("SSLCryptoDevice", DO_OWN),
    OTHER("SSLRandomSeed", DO_OWN),
    OTHER("SSLFIPS", DO_OWN),
    OTHER("SSLECHKeyDir", DO_OWN),      /* the first one's is in force */
    OTHER("SSLStaplingCache", DO_OWN),

    /* what mod_perl leaves in the place of a <Perl> section */
    OTHER("Perl", DO_PERL),

    OTHER("MDomain", DO_MD_NAMES),
    OTHER("MDStapling", DO_MD_STAPLING),
    { NULL, DO_OWN, SNIVHOST_AS_WORD, -1 }
};

/* Beginnings of directives that have to do with TLS: what begins like this
 * and is not in the list above is refused. */
static const char *const refused_prefixes[] = {
    "SSL", "TLS", "GnuTLS", "NSS", "CT", NULL
};

/* SSL_CONF commands that a donor's SSL_CTX does as well as an own one. */
static const char *const shared_commands[] = {
    "Protocol", "MinProtocol", "MaxProtocol", "Options", "Curves", "Groups",
    "ECDHParameters", "SignatureAlgorithms", "CipherString", "Ciphersuites",
    "DHParameters", NULL
};

/* Sections whose directives are per directory. */
static const char *const directory_sections[] = {
    "<Directory", "<DirectoryMatch", "<Location", "<LocationMatch", "<Files",
    "<FilesMatch", "<Proxy", "<ProxyMatch", "<Limit", "<LimitExcept", "<If",
    "<ElseIf", "<Else", "<RequireAll", "<RequireAny", "<RequireNone",
    "<AuthnProviderAlias", "<AuthzProviderAlias", NULL
};

struct snivhost_tlsconfs_t {
    apr_hash_t *by_server;      /* server_rec * -> snivhost_tlsconf_t * */
    snivhost_tlsconf_t *main;
};

/* What one pass over the tree needs. */
typedef struct reader_t {
    apr_pool_t *p;
    apr_pool_t *ptemp;
    apr_hash_t *known;          /* lower-case name -> const known_t * */
    apr_hash_t *md_names;       /* see tls/managed.h */
    const ap_directive_t *md_stapling;
    int has_optional;           /* mod_ssl knows SSLEngine optional */
    SSL_CONF_CTX *commands;     /* knows which commands name files */
    const char *ciphers;        /* those that the level belongs to */
    int level;
} reader_t;

static int is_in(const char *const *list, const char *name)
{
    int i;

    for (i = 0; list[i]; i++) {
        if (!ap_cstr_casecmp(list[i], name))
            return 1;
    }
    return 0;
}

static void refuse(reader_t *r, snivhost_tlsconf_t *conf,
                   const ap_directive_t *node, const char *what)
{
    snivhost_obstacle_t *obstacle;

    if (!conf->obstacles)
        conf->obstacles = apr_array_make(r->p, 2, sizeof(*obstacle));
    obstacle = apr_array_push((apr_array_header_t *)conf->obstacles);
    obstacle->what = what;
    obstacle->node = node;
    obstacle->is_of_clients = 0;
}

static void refuse_of_clients(reader_t *r, snivhost_tlsconf_t *conf,
                              const ap_directive_t *node, const char *what)
{
    refuse(r, conf, node, what);
    APR_ARRAY_IDX(conf->obstacles, conf->obstacles->nelts - 1,
                  snivhost_obstacle_t).is_of_clients = 1;
}

/* ----- one line ----- */

static snivhost_value_t *set(reader_t *r, snivhost_tlsconf_t *conf, int what,
                             const char *text, const ap_directive_t *node)
{
    snivhost_value_t *value = apr_pcalloc(r->p, sizeof(*value));

    value->text = text;
    value->node = node;
    conf->of[what] = value;
    return value;
}

/* The lists of a server are its own lines until they are merged. */
static void add_to_list(reader_t *r, snivhost_tlsconf_t *conf, int what,
                        const char *item, const ap_directive_t *node)
{
    snivhost_value_t *value = (snivhost_value_t *)conf->of[what];

    if (!value) {
        value = set(r, conf, what, NULL, node);
        value->list = apr_array_make(r->p, 2, sizeof(const char *));
    }
    APR_ARRAY_PUSH((apr_array_header_t *)value->list, const char *) = item;
}

static void read_engine(reader_t *r, snivhost_tlsconf_t *conf,
                        const ap_directive_t *node)
{
    const char *word = snivhost_value(r->ptemp, SNIVHOST_AS_WORD, node->args);

    set(r, conf, SNIVHOST_SET_ENGINE,
        !ap_cstr_casecmp(word, "on") ? "on"
        : r->has_optional && !ap_cstr_casecmp(word, "optional") ? "optional"
        : "off", node);
}

static void read_file(reader_t *r, snivhost_tlsconf_t *conf, int what,
                      const ap_directive_t *node)
{
    const char *path = snivhost_value(r->p, SNIVHOST_AS_PATH, node->args);

    if (!ap_cstr_casecmpn(path, "pkcs11:", 7))
        refuse(r, conf, node, "the key is in a token (pkcs11:)");
    add_to_list(r, conf, what, path, node);
}

static void read_ciphers(reader_t *r, snivhost_tlsconf_t *conf,
                         const ap_directive_t *node)
{
    const char *args = node->args;
    const char *first = ap_getword_conf(r->p, &args);
    const char *second = ap_getword_conf(r->p, &args);

    if (!*second)
        set(r, conf, SNIVHOST_SET_CIPHERS, first, node);
    else if (!strcmp(first, "SSL"))
        set(r, conf, SNIVHOST_SET_CIPHERS, second, node);
    else
        set(r, conf, SNIVHOST_SET_CIPHERS_13, second, node);
}

static void read_command(reader_t *r, snivhost_tlsconf_t *conf,
                         const ap_directive_t *node)
{
    const char *args = node->args;
    const char *command = ap_getword_conf(r->p, &args);
    const char *value = ap_getword_conf(r->p, &args);

    if (!is_in(shared_commands, command)) {
        refuse(r, conf, node, apr_pstrcat(r->p, "SSLOpenSSLConfCmd ", command,
                                          " is set", NULL));
    }
    if (r->commands) {
        int type = SSL_CONF_cmd_value_type(r->commands, command);

        if (type == SSL_CONF_TYPE_FILE || type == SSL_CONF_TYPE_DIR)
            value = snivhost_value(r->p, SNIVHOST_AS_PATH,
                                   apr_pstrcat(r->ptemp, "\"", value, "\"",
                                               NULL));
    }
    add_to_list(r, conf, SNIVHOST_SET_COMMANDS,
                apr_pstrcat(r->p, command, " ", value, NULL), node);
}

static void read_line(reader_t *r, snivhost_tlsconf_t *conf,
                      const ap_directive_t *node, const known_t *what)
{
    switch (what->kind) {
    case DO_KEEP:
        set(r, conf, what->set, snivhost_value(r->p, what->as, node->args),
            node);
        break;
    case DO_ENGINE:
        read_engine(r, conf, node);
        break;
    case DO_OURS:
        if (!strcmp(snivhost_value(r->ptemp, SNIVHOST_AS_FLAG, node->args),
                    "on")) {
            set(r, conf, SNIVHOST_SET_ENGINE, "on", node);
        }
        break;
    case DO_FILES:
        read_file(r, conf, what->set, node);
        break;
    case DO_CIPHERS:
        read_ciphers(r, conf, node);
        break;
    case DO_COMMAND:
        read_command(r, conf, node);
        break;
    case DO_OWN:
        break;
    case DO_REFUSE:
        refuse(r, conf, node, apr_pstrcat(r->p, what->name, " is set", NULL));
        break;
    case DO_PERL:
        refuse(r, conf, node, "a <Perl> section may add directives that "
               "cannot be seen");
        break;
    case DO_MD_STAPLING:
        if (strcmp(snivhost_value(r->ptemp, SNIVHOST_AS_FLAG, node->args),
                   "off")) {
            r->md_stapling = node;
        }
        break;
    case DO_MD_NAMES:
        snivhost_managed_add(r->md_names, node->args);
        break;
    }
}

/* An unknown directive: nothing, or one that begins like a TLS directive. */
static void read_unknown(reader_t *r, snivhost_tlsconf_t *conf,
                         const ap_directive_t *node)
{
    int i;

    if (!ap_cstr_casecmpn(node->directive, "SSLProxy", 8)) {
        return;     /* lies in the per-directory record */
    }
    for (i = 0; refused_prefixes[i]; i++) {
        if (!ap_cstr_casecmpn(node->directive, refused_prefixes[i],
                              strlen(refused_prefixes[i]))) {
            refuse(r, conf, node, apr_pstrcat(r->p, node->directive,
                                              " is set", NULL));
        }
    }
}

/* ----- the tree ----- */

static const known_t *find_known(reader_t *r, const char *name)
{
    char buffer[48];
    apr_size_t i;

    for (i = 0; i < sizeof(buffer) && name[i]; i++)
        buffer[i] = apr_tolower(name[i]);
    return i < sizeof(buffer) ? apr_hash_get(r->known, buffer, i) : NULL;
}

static void read_section(reader_t *r, snivhost_tlsconf_t *conf,
                         const ap_directive_t *section);

/* Read the server-level lines from node on. A <VirtualHost> is left out. */
static void read_lines(reader_t *r, snivhost_tlsconf_t *conf,
                       const ap_directive_t *node)
{
    for (; node; node = node->next) {
        const known_t *what;

        if (node->directive[0] == '<') {
            read_section(r, conf, node);
        }
        else if ((what = find_known(r, node->directive))) {
            read_line(r, conf, node, what);
        }
        else {
            read_unknown(r, conf, node);
        }
    }
}

static void read_managed(reader_t *r, snivhost_tlsconf_t *conf,
                         const ap_directive_t *section)
{
    const ap_directive_t *node;

    snivhost_managed_add(r->md_names, section->args);
    for (node = section->first_child; node; node = node->next) {
        const known_t *what = find_known(r, node->directive);

        if (what && what->kind == DO_MD_STAPLING)
            read_line(r, conf, node, what);
        else if (!ap_cstr_casecmpn(node->directive, "MDMember", 8))
            snivhost_managed_add(r->md_names, node->args);
    }
}

static void read_section(reader_t *r, snivhost_tlsconf_t *conf,
                         const ap_directive_t *section)
{
    const ap_directive_t *node;

    if (!ap_cstr_casecmp(section->directive, "<VirtualHost")
        || is_in(directory_sections, section->directive)) {
        return;
    }
    if (!ap_cstr_casecmp(section->directive, "<MDomainSet")
        || !ap_cstr_casecmp(section->directive, "<MDomain")) {
        read_managed(r, conf, section);
        return;
    }
    /* Another module's section: its effect on what is in it is unknown. */
    for (node = section->first_child; node; node = node->next) {
        const known_t *what = find_known(r, node->directive);

        if (node->directive[0] == '<') {
            read_section(r, conf, node);
        }
        else if (what && what->kind != DO_OWN) {
            refuse(r, conf, node, apr_pstrcat(r->p, node->directive,
                                              " is inside of ",
                                              section->directive, ">", NULL));
        }
        else if (!what) {
            read_unknown(r, conf, node);
        }
    }
}

/* ----- main server and virtual host ----- */

static void add_files(apr_array_header_t *files,
                      const apr_array_header_t *from, int begin, int end)
{
    for (; begin < end && begin < from->nelts; begin++)
        APR_ARRAY_PUSH(files, const char *) = APR_ARRAY_IDX(from, begin,
                                                            const char *);
}

static const apr_array_header_t *merge_files(apr_pool_t *p,
                                             const apr_array_header_t *base,
                                             const apr_array_header_t *add)
{
    apr_array_header_t *merged = apr_array_make(p, base->nelts + add->nelts,
                                                sizeof(const char *));

    add_files(merged, add, 0, CERTKEYS_REPLACED);
    add_files(merged, base, merged->nelts, base->nelts);
    add_files(merged, add, CERTKEYS_REPLACED, add->nelts);
    return merged;
}

/* Make the lines of a virtual host what is in effect for it. */
static void inherit(reader_t *r, snivhost_tlsconf_t *conf,
                    const snivhost_tlsconf_t *base)
{
    int i;

    for (i = 0; i < SNIVHOST_NSETTINGS; i++) {
        snivhost_value_t *own = (snivhost_value_t *)conf->of[i];

        if (!own)
            conf->of[i] = base->of[i];
        else if (own->list && base->of[i])
            own->list = i == SNIVHOST_SET_COMMANDS
                ? apr_array_append(r->p, base->of[i]->list, own->list)
                : merge_files(r->p, base->of[i]->list, own->list);
    }
    if (base->obstacles) {
        conf->obstacles = conf->obstacles
            ? apr_array_append(r->p, conf->obstacles, base->obstacles)
            : apr_array_copy(r->p, base->obstacles);
    }
}

/* The protocol of a server, which open_logs sets and -t never does
 * (ap_setup_listeners). */
const char *snivhost_tlsconf_protocol(server_rec *s)
{
    const char *protocol = ap_get_server_protocol(s);
    server_addr_rec *sar;
    ap_listen_rec *lr;

    if (protocol)
        return protocol;
    for (sar = s->addrs; sar; sar = sar->next) {
        for (lr = ap_listeners; lr; lr = lr->next) {
            if (lr->bind_addr && lr->bind_addr->port == sar->host_port
                && apr_sockaddr_equal(lr->bind_addr, sar->host_addr)) {
                return lr->protocol ? lr->protocol : "http";
            }
        }
    }
    return "http";
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A list as one text; the order of files does not count. */
static void settle_list(reader_t *r, snivhost_tlsconf_t *conf, int what)
{
    const snivhost_value_t *value = conf->of[what];
    apr_array_header_t *items;

    if (!value || !value->list || value->text)
        return;
    items = apr_array_copy(r->p, value->list);
    if (what != SNIVHOST_SET_COMMANDS) {
        qsort(items->elts, items->nelts, sizeof(const char *),
              compare_texts);
    }
    ((snivhost_value_t *)value)->text = apr_array_pstrcat(r->p, items, '\n');
}

/* Settings that are obstacles by the value that is in effect. */
static void refuse_values(reader_t *r, snivhost_tlsconf_t *conf)
{
    const snivhost_value_t *verify = conf->of[SNIVHOST_SET_VERIFY_CLIENT];
    const snivhost_value_t *ocsp = conf->of[SNIVHOST_SET_OCSP_ENABLE];
    const snivhost_value_t *srp = conf->of[SNIVHOST_SET_SRP_FILE];

    if (verify && strcmp(verify->text, "none")) {
        refuse_of_clients(r, conf, verify->node, "SSLVerifyClient requests a "
                          "certificate from every client");
    }
    if (ocsp && strcmp(ocsp->text, "off"))
        refuse_of_clients(r, conf, ocsp->node, "SSLOCSPEnable is on");
    if (srp)
        refuse_of_clients(r, conf, srp->node, "SSLSRPVerifierFile is set");
    if (r->md_stapling)
        refuse(r, conf, r->md_stapling, "MDStapling is on");
}

static const apr_array_header_t *list_of(reader_t *r,
                                         const snivhost_tlsconf_t *conf,
                                         int what)
{
    return conf->of[what] ? conf->of[what]->list
                          : apr_array_make(r->p, 0, sizeof(const char *));
}

/* The security level, which few configurations have more than one of. */
static void settle_level(reader_t *r, snivhost_tlsconf_t *conf)
{
    const snivhost_value_t *commands = conf->of[SNIVHOST_SET_COMMANDS];
    const char *ciphers = snivhost_value_level_text(
        snivhost_tlsconf_text(conf, SNIVHOST_SET_CIPHERS),
        commands ? commands->list : NULL);

    if (!r->ciphers || strcmp(r->ciphers, ciphers)) {
        r->ciphers = ciphers;
        r->level = sniv_judge_level(ciphers);
    }
    conf->level = r->level;
}

/* All lines are in: what mod_ssl makes of them when it starts. */
static void settle(reader_t *r, snivhost_tlsconf_t *conf)
{
    const char *engine = snivhost_tlsconf_text(conf, SNIVHOST_SET_ENGINE);

    conf->certs = list_of(r, conf, SNIVHOST_SET_CERT_FILES);
    conf->keys = list_of(r, conf, SNIVHOST_SET_KEY_FILES);
    conf->chain = snivhost_tlsconf_text(conf, SNIVHOST_SET_CHAIN_FILE);
    settle_list(r, conf, SNIVHOST_SET_CERT_FILES);
    settle_list(r, conf, SNIVHOST_SET_KEY_FILES);
    settle_list(r, conf, SNIVHOST_SET_COMMANDS);
    conf->engine_said = engine != NULL;
    if (engine) {
        conf->engine = !strcmp(engine, "on");
        conf->optional = !strcmp(engine, "optional");
    }
    else if (conf->certs->nelts > 0) {
        conf->engine = !strcmp(snivhost_tlsconf_protocol(conf->server),
                               "https");
    }
    settle_level(r, conf);
    refuse_values(r, conf);
    if (!conf->obstacles)
        conf->obstacles = apr_array_make(r->p, 0,
                                         sizeof(snivhost_obstacle_t));
}

/* mod_md adds the names of a virtual host that has a name in common with a
 * managed domain (MDMembers auto), so continue until nothing more is found. */
static void mark_managed(reader_t *r, const snivhost_tlsconfs_t *all,
                         server_rec *main_server)
{
    int found = apr_hash_count(r->md_names) > 0;

    while (found) {
        server_rec *s;

        found = 0;
        for (s = main_server; s; s = s->next) {
            snivhost_tlsconf_t *conf = apr_hash_get(all->by_server, &s,
                                                    sizeof(s));

            if (conf && !conf->managed
                && snivhost_managed_has(r->md_names, s)) {
                conf->managed = 1;
                snivhost_managed_add_server(r->md_names, s);
                found = 1;
            }
        }
    }
}

/* ----- all servers ----- */

static snivhost_tlsconf_t *make_conf(reader_t *r, snivhost_tlsconfs_t *all,
                                     server_rec *s)
{
    snivhost_tlsconf_t *conf = apr_pcalloc(r->p, sizeof(*conf));

    conf->server = s;
    apr_hash_set(all->by_server, &conf->server, sizeof(conf->server), conf);
    return conf;
}

static int is_among(server_rec *const *servers, int n, const server_rec *s)
{
    int i;

    for (i = 0; i < n; i++) {
        if (servers[i] == s)
            return 1;
    }
    return 0;
}

/* Give each virtual host, or those of a list, its <VirtualHost> node. Core
 * makes the servers in the order of the tree, each in front of the others,
 * and keeps the node's file and line; the order tells two of the same line
 * apart (a file that is included twice). A server without a node was made by
 * other means. */
static void pair_nodes(reader_t *r, snivhost_tlsconfs_t *all,
                       const ap_directive_t *tree, server_rec *main_server,
                       server_rec *const *only, int nonly)
{
    apr_array_header_t *servers = apr_array_make(r->ptemp, 64,
                                                 sizeof(server_rec *));
    const ap_directive_t *from = tree;
    server_rec *s;
    int i;

    for (s = main_server->next; s; s = s->next)
        APR_ARRAY_PUSH(servers, server_rec *) = s;
    for (i = servers->nelts - 1; i >= 0; i--) {
        const ap_directive_t *node;
        snivhost_tlsconf_t *conf = NULL;

        s = APR_ARRAY_IDX(servers, i, server_rec *);
        if (!only || is_among(only, nonly, s))
            conf = make_conf(r, all, s);
        for (node = from; node; node = node->next) {
            if ((unsigned)node->line_num == s->defn_line_number
                && s->defn_name && node->filename
                && (node->filename == s->defn_name
                    || !strcmp(node->filename, s->defn_name))
                && !ap_cstr_casecmp(node->directive, "<VirtualHost")) {
                if (conf)
                    conf->node = node;
                from = node->next;
                break;
            }
        }
    }
}

static apr_status_t free_commands(void *commands)
{
    SSL_CONF_CTX_free(commands);
    return APR_SUCCESS;
}

static void prepare(reader_t *r)
{
    const module *ssl = ap_find_linked_module("mod_ssl.c");
    int i;

    for (i = 0; known[i].name; i++) {
        char *name = apr_pstrdup(r->ptemp, known[i].name);

        ap_str_tolower(name);
        apr_hash_set(r->known, name, APR_HASH_KEY_STRING, &known[i]);
    }
    r->has_optional = ssl && !ap_find_command("SSLVHostSNIPolicy", ssl->cmds);
    r->commands = SSL_CONF_CTX_new();
    if (r->commands) {
        SSL_CONF_CTX_set_flags(r->commands, SSL_CONF_FLAG_FILE
                               | SSL_CONF_FLAG_SERVER
                               | SSL_CONF_FLAG_CERTIFICATE);
        apr_pool_cleanup_register(r->ptemp, r->commands, free_commands,
                                  apr_pool_cleanup_null);
    }
}

snivhost_tlsconfs_t *snivhost_tlsconf_read_some(const ap_directive_t *tree,
                                                server_rec *main_server,
                                                server_rec *const *only,
                                                int nonly, apr_pool_t *p,
                                                apr_pool_t *ptemp)
{
    snivhost_tlsconfs_t *all = apr_palloc(p, sizeof(*all));
    reader_t reader = { p, ptemp, apr_hash_make(ptemp), apr_hash_make(ptemp),
                        NULL, 0, NULL, NULL, 0 };
    server_rec *s;

    prepare(&reader);
    all->by_server = apr_hash_make(p);
    all->main = make_conf(&reader, all, main_server);
    read_lines(&reader, all->main, tree);
    pair_nodes(&reader, all, tree, main_server, only, nonly);

    for (s = main_server->next; s; s = s->next) {
        snivhost_tlsconf_t *conf = apr_hash_get(all->by_server, &s,
                                                sizeof(s));

        if (!conf)
            continue;
        if (conf->node)
            read_lines(&reader, conf, conf->node->first_child);
        inherit(&reader, conf, all->main);
        if (!conf->node) {
            refuse(&reader, conf, NULL, "it is not in the configuration "
                   "files, so its directives cannot be seen");
        }
    }
    mark_managed(&reader, all, main_server);
    for (s = main_server; s; s = s->next) {
        snivhost_tlsconf_t *conf = apr_hash_get(all->by_server, &s,
                                                sizeof(s));

        if (conf)
            settle(&reader, conf);
    }
    return all;
}

snivhost_tlsconfs_t *snivhost_tlsconf_read(const ap_directive_t *tree,
                                           server_rec *main_server,
                                           apr_pool_t *p, apr_pool_t *ptemp)
{
    return snivhost_tlsconf_read_some(tree, main_server, NULL, 0, p, ptemp);
}

const snivhost_tlsconf_t *snivhost_tlsconf_get(const snivhost_tlsconfs_t *all,
                                               const server_rec *s)
{
    return apr_hash_get(all->by_server, &s, sizeof(s));
}

const snivhost_tlsconf_t *
snivhost_tlsconf_main(const snivhost_tlsconfs_t *all)
{
    return all->main;
}

const char *snivhost_tlsconf_text(const snivhost_tlsconf_t *conf,
                                  snivhost_set_e what)
{
    return conf->of[what] ? conf->of[what]->text : NULL;
}

int snivhost_tlsconf_is_on(const snivhost_tlsconf_t *conf,
                           snivhost_set_e what)
{
    const char *text = snivhost_tlsconf_text(conf, what);

    return text && !strcmp(text, "on");
}

const char *snivhost_tlsconf_name(snivhost_set_e what)
{
    int i;

    if (what == SNIVHOST_SET_CIPHERS_13)
        return "SSLCipherSuite TLSv1.3";
    for (i = 0; known[i].set != (int)what; i++)
        ;
    return known[i].name;
}
