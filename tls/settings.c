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

#include <apr_hash.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include <httpd.h>
#include <http_config.h>

#include "certs/judge.h"

/* mod_ssl's arrays of certificate and key files: a virtual host's first
 * lines take the place of the main server's lines with the same number, the
 * main server's further lines follow, then the virtual host's further ones
 * (modssl_ctx_cfg_merge_certkeys_array, CERTKEYS_IDX_MAX with ECC). */
#define CERTKEYS_REPLACED 3

/* How a directive bears on the question who can share an SSL_CTX. */
typedef enum {
    KIND_ENGINE,        /* SSLEngine */
    KIND_OURS,          /* SNIVHostTLS: "On" is SSLEngine on */
    KIND_CERT,
    KIND_KEY,
    KIND_CHAIN,
    KIND_SAME,          /* lies in the SSL_CTX: words have to be equal */
    KIND_SAME_FLAG,     /* the same, upper and lower case do not matter */
    KIND_SAME_FILE,     /* the same, a path */
    KIND_CIPHERS,       /* the same, one value for TLS 1.3, one for before */
    KIND_STAPLING,      /* the same, and its being on is noted */
    KIND_CONFCMD,       /* the same, a list that grows */
    KIND_OWN,           /* lies in mod_ssl's record or is per directory:
                           each virtual host keeps its own */
    KIND_OWN_DEPTH,
    KIND_NO_VERIFY,     /* has to be "none" at server level */
    KIND_NO_OCSP,       /* has to be "off" */
    KIND_REFUSED,       /* not understood well enough to share */
    KIND_PERL,          /* a program that may add directives */
    KIND_MD_STAPLING,
    KIND_MD_NAMES
} kind_e;

/* Slots of snivhost_tlsconf_t.same. */
enum {
    SAME_PROTOCOL,
    SAME_CIPHERS,
    SAME_CIPHERS13,
    SAME_CIPHER_ORDER,
    SAME_COMPRESSION,
    SAME_TICKETS,
    SAME_RENEGOTIATION,
    SAME_CACHE_TIMEOUT,
    SAME_CA_FILE,
    SAME_CA_PATH,
    SAME_CADN_FILE,
    SAME_CADN_PATH,
    SAME_CRL_FILE,
    SAME_CRL_PATH,
    SAME_CRL_CHECK,
    SAME_STAPLING,
    SAME_CONFCMD,
    SAME_COUNT
};

static const char *const same_names[SAME_COUNT] = {
    "SSLProtocol", "SSLCipherSuite", "SSLCipherSuite TLSv1.3",
    "SSLHonorCipherOrder", "SSLCompression", "SSLSessionTickets",
    "SSLInsecureRenegotiation", "SSLSessionCacheTimeout",
    "SSLCACertificateFile", "SSLCACertificatePath", "SSLCADNRequestFile",
    "SSLCADNRequestPath", "SSLCARevocationFile", "SSLCARevocationPath",
    "SSLCARevocationCheck", "SSLUseStapling", "SSLOpenSSLConfCmd"
};

/* Values that mean the same as no line at all. */
static const char *const same_defaults[SAME_COUNT] = {
    [SAME_CIPHER_ORDER] = "off",
    [SAME_COMPRESSION] = "off",
    [SAME_TICKETS] = "on",
    [SAME_RENEGOTIATION] = "off",
    [SAME_CACHE_TIMEOUT] = "300",
    [SAME_CRL_CHECK] = "none",
    [SAME_STAPLING] = "off"
};

typedef struct known_t {
    const char *name;
    kind_e kind;
    int slot;
} known_t;

static const known_t known[] = {
    { "SSLEngine", KIND_ENGINE, 0 },
    { "SNIVHostTLS", KIND_OURS, 0 },
    { "SSLCertificateFile", KIND_CERT, 0 },
    { "SSLCertificateKeyFile", KIND_KEY, 0 },
    { "SSLCertificateChainFile", KIND_CHAIN, 0 },

    { "SSLProtocol", KIND_SAME_FLAG, SAME_PROTOCOL },
    { "SSLCipherSuite", KIND_CIPHERS, SAME_CIPHERS },
    { "SSLHonorCipherOrder", KIND_SAME_FLAG, SAME_CIPHER_ORDER },
    { "SSLCompression", KIND_SAME_FLAG, SAME_COMPRESSION },
    { "SSLSessionTickets", KIND_SAME_FLAG, SAME_TICKETS },
    { "SSLInsecureRenegotiation", KIND_SAME_FLAG, SAME_RENEGOTIATION },
    { "SSLSessionCacheTimeout", KIND_SAME, SAME_CACHE_TIMEOUT },
    { "SSLCACertificateFile", KIND_SAME_FILE, SAME_CA_FILE },
    { "SSLCACertificatePath", KIND_SAME_FILE, SAME_CA_PATH },
    { "SSLCADNRequestFile", KIND_SAME_FILE, SAME_CADN_FILE },
    { "SSLCADNRequestPath", KIND_SAME_FILE, SAME_CADN_PATH },
    { "SSLCARevocationFile", KIND_SAME_FILE, SAME_CRL_FILE },
    { "SSLCARevocationPath", KIND_SAME_FILE, SAME_CRL_PATH },
    { "SSLCARevocationCheck", KIND_SAME_FLAG, SAME_CRL_CHECK },
    { "SSLUseStapling", KIND_STAPLING, SAME_STAPLING },
    { "SSLOpenSSLConfCmd", KIND_CONFCMD, SAME_CONFCMD },

    { "SSLVerifyClient", KIND_NO_VERIFY, 0 },
    { "SSLVerifyDepth", KIND_OWN_DEPTH, 0 },
    { "SSLOCSPEnable", KIND_NO_OCSP, 0 },
    /* without SSLOCSPEnable nothing reads these */
    { "SSLOCSPDefaultResponder", KIND_OWN, 0 },
    { "SSLOCSPOverrideResponder", KIND_OWN, 0 },
    { "SSLOCSPResponseTimeSkew", KIND_OWN, 0 },
    { "SSLOCSPResponseMaxAge", KIND_OWN, 0 },
    { "SSLOCSPResponderTimeout", KIND_OWN, 0 },
    { "SSLOCSPUseRequestNonce", KIND_OWN, 0 },
    { "SSLOCSPProxyURL", KIND_OWN, 0 },
    { "SSLOCSPNoVerify", KIND_OWN, 0 },
    { "SSLOCSPResponderCertificateFile", KIND_OWN, 0 },
    /* a virtual host that would staple is not shared */
    { "SSLStaplingResponseTimeSkew", KIND_OWN, 0 },
    { "SSLStaplingResponderTimeout", KIND_OWN, 0 },
    { "SSLStaplingResponseMaxAge", KIND_OWN, 0 },
    { "SSLStaplingStandardCacheTimeout", KIND_OWN, 0 },
    { "SSLStaplingReturnResponderErrors", KIND_OWN, 0 },
    { "SSLStaplingFakeTryLater", KIND_OWN, 0 },
    { "SSLStaplingErrorCacheTimeout", KIND_OWN, 0 },
    { "SSLStaplingForceURL", KIND_REFUSED, 0 },

    { "SSLStrictSNIVHostCheck", KIND_OWN, 0 },
    { "SSLOptions", KIND_OWN, 0 },
    { "SSLUserName", KIND_OWN, 0 },
    { "SSLRequireSSL", KIND_OWN, 0 },
    { "SSLRequire", KIND_OWN, 0 },
    { "SSLRenegBufferSize", KIND_OWN, 0 },
    /* of the whole server: nothing that a virtual host could have its own of */
    { "SSLPassPhraseDialog", KIND_OWN, 0 },
    { "SSLSessionCache", KIND_OWN, 0 },
    { "SSLCryptoDevice", KIND_OWN, 0 },
    { "SSLRandomSeed", KIND_OWN, 0 },
    { "SSLVHostSNIPolicy", KIND_OWN, 0 },
    { "SSLFIPS", KIND_OWN, 0 },
    { "SSLStaplingCache", KIND_OWN, 0 },

    /* what mod_perl leaves in the place of a <Perl> section */
    { "Perl", KIND_PERL, 0 },

    { "MDomain", KIND_MD_NAMES, 0 },
    { "MDStapling", KIND_MD_STAPLING, 0 },
    { NULL, KIND_OWN, 0 }
};

/* Beginnings of directives that have to do with TLS: what begins like this
 * and is not in the list above is refused. */
static const char *const refused_prefixes[] = {
    "SSL", "TLS", "GnuTLS", "NSS", "CT", NULL
};

/* SSL_CONF commands that a default's SSL_CTX does as well as an own one. */
static const char *const shared_commands[] = {
    "Protocol", "MinProtocol", "MaxProtocol", "Options", "Curves", "Groups",
    "ECDHParameters", "SignatureAlgorithms", "CipherString", "Ciphersuites",
    NULL
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
};

/* What one pass over the tree needs. */
typedef struct reader_t {
    apr_pool_t *p;
    apr_pool_t *ptemp;
    apr_hash_t *known;          /* lower-case name -> const known_t * */
    apr_hash_t *md_names;       /* lower-case name -> "" */
    const ap_directive_t *md_stapling;
    const char *ciphers;        /* those that the level belongs to */
    int level;
} reader_t;

static char *lower(apr_pool_t *p, const char *text)
{
    char *copy = apr_pstrdup(p, text);

    ap_str_tolower(copy);
    return copy;
}

/* The words of a line with one space between them. */
static const char *words_of(apr_pool_t *p, const char *args)
{
    const char *joined = "";

    while (*args) {
        const char *word = ap_getword_conf(p, &args);

        joined = *joined ? apr_pstrcat(p, joined, " ", word, NULL) : word;
    }
    return joined;
}

static const char *first_word(apr_pool_t *p, const char *args)
{
    return ap_getword_conf(p, &args);
}

static int is_in(const char *const *list, const char *name)
{
    int i;

    for (i = 0; list[i]; i++) {
        if (!ap_cstr_casecmp(list[i], name))
            return 1;
    }
    return 0;
}

static void refuse(snivhost_tlsconf_t *conf, const ap_directive_t *node,
                   const char *why)
{
    if (!conf->obstacle) {
        conf->obstacle = why;
        conf->obstacle_node = node;
    }
}

static const char *path_of(reader_t *r, const ap_directive_t *node)
{
    const char *arg = first_word(r->p, node->args);
    const char *path;

    if (!ap_cstr_casecmpn(arg, "pkcs11:", 7))
        return arg;
    path = ap_server_root_relative(r->p, arg);
    return path ? path : arg;
}

/* Add a file line; the arrays of a server are its own lines until merged. */
static void add_file(reader_t *r, snivhost_tlsconf_t *conf,
                     const apr_array_header_t **files,
                     const ap_directive_t *node)
{
    const char *path = path_of(r, node);

    if (!ap_cstr_casecmpn(path, "pkcs11:", 7))
        refuse(conf, node, "the key is in a token (pkcs11:)");
    if (!*files)
        *files = apr_array_make(r->p, 2, sizeof(const char *));
    APR_ARRAY_PUSH((apr_array_header_t *)*files, const char *) = path;
}

static void read_ciphers(reader_t *r, snivhost_tlsconf_t *conf,
                         const ap_directive_t *node)
{
    const char *args = node->args;
    const char *first = ap_getword_conf(r->p, &args);
    const char *second = ap_getword_conf(r->p, &args);

    if (!*second) {
        conf->same[SAME_CIPHERS] = first;
    }
    else if (!strcmp(first, "SSL")) {
        conf->same[SAME_CIPHERS] = second;
    }
    else {
        conf->same[SAME_CIPHERS13] = second;
    }
}

static void read_confcmd(reader_t *r, snivhost_tlsconf_t *conf,
                         const ap_directive_t *node)
{
    const char *args = node->args;
    const char *command = ap_getword_conf(r->p, &args);
    const char *value = ap_getword_conf(r->p, &args);
    const char *sofar = conf->same[SAME_CONFCMD];

    if (!is_in(shared_commands, command)) {
        refuse(conf, node, apr_pstrcat(r->p, "SSLOpenSSLConfCmd ", command,
                                       " is set", NULL));
        return;
    }
    conf->same[SAME_CONFCMD] = apr_pstrcat(r->p, sofar ? sofar : "",
                                           lower(r->ptemp, command), " ",
                                           value, "\n", NULL);
}

static void add_md_names(reader_t *r, const char *args)
{
    while (*args) {
        char *name = ap_getword_conf(r->p, &args);
        apr_size_t len = strlen(name);

        if (len && name[len - 1] == '>')
            name[--len] = '\0';
        if (len && ap_cstr_casecmp(name, "auto")
            && ap_cstr_casecmp(name, "manual")) {
            ap_str_tolower(name);
            apr_hash_set(r->md_names, name, len, "");
        }
    }
}

static void read_line(reader_t *r, snivhost_tlsconf_t *conf,
                      const ap_directive_t *node, const known_t *what)
{
    const char *value;

    switch (what->kind) {
    case KIND_ENGINE:
        conf->engine = ap_cstr_casecmp(first_word(r->ptemp, node->args),
                                       "on") ? -1 : 1;
        break;
    case KIND_OURS:
        if (!ap_cstr_casecmp(first_word(r->ptemp, node->args), "on"))
            conf->engine = 1;
        break;
    case KIND_CERT:
        add_file(r, conf, &conf->certs, node);
        break;
    case KIND_KEY:
        add_file(r, conf, &conf->keys, node);
        break;
    case KIND_CHAIN:
        conf->chain = path_of(r, node);
        break;
    case KIND_SAME:
        conf->same[what->slot] = words_of(r->p, node->args);
        break;
    case KIND_STAPLING:
    case KIND_SAME_FLAG:
        if (what->kind == KIND_STAPLING)
            conf->stapling = ap_cstr_casecmp(first_word(r->ptemp, node->args),
                                             "on") ? -1 : 1;
        conf->same[what->slot] = lower(r->p, words_of(r->ptemp, node->args));
        if (what->slot == SAME_CRL_CHECK)
            conf->crl_check = 1;
        break;
    case KIND_SAME_FILE:
        conf->same[what->slot] = path_of(r, node);
        break;
    case KIND_CIPHERS:
        read_ciphers(r, conf, node);
        break;
    case KIND_CONFCMD:
        read_confcmd(r, conf, node);
        break;
    case KIND_OWN:
        break;
    case KIND_OWN_DEPTH:
        conf->verify_depth = 1;
        break;
    case KIND_NO_VERIFY:
        /* the last line wins, so this is judged when all are read */
        value = first_word(r->ptemp, node->args);
        conf->verify_client = (!ap_cstr_casecmp(value, "none")
                               || !ap_cstr_casecmp(value, "off")) ? 1 : -1;
        break;
    case KIND_NO_OCSP:
        value = first_word(r->ptemp, node->args);
        conf->ocsp_enable = ap_cstr_casecmp(value, "off") ? -1 : 1;
        break;
    case KIND_REFUSED:
        refuse(conf, node, apr_pstrcat(r->p, what->name, " is set", NULL));
        break;
    case KIND_PERL:
        refuse(conf, node, "a <Perl> section may add directives, and what it "
               "adds cannot be seen");
        break;
    case KIND_MD_STAPLING:
        if (ap_cstr_casecmp(first_word(r->ptemp, node->args), "off"))
            r->md_stapling = node;
        break;
    case KIND_MD_NAMES:
        add_md_names(r, node->args);
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
            refuse(conf, node, apr_pstrcat(r->p, node->directive,
                                           " is set", NULL));
        }
    }
}

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
        add_md_names(r, section->args);
        for (node = section->first_child; node; node = node->next) {
            const known_t *what = find_known(r, node->directive);

            if (what && what->kind == KIND_MD_STAPLING) {
                read_line(r, conf, node, what);
            }
            else if (!ap_cstr_casecmpn(node->directive, "MDMember", 8)) {
                add_md_names(r, node->args);
            }
        }
        return;
    }
    /* Another module's section: nobody knows how it treats what is in it. */
    for (node = section->first_child; node; node = node->next) {
        const known_t *what = find_known(r, node->directive);

        if (node->directive[0] == '<') {
            read_section(r, conf, node);
        }
        else if (what && what->kind != KIND_OWN) {
            refuse(conf, node, apr_pstrcat(r->p, node->directive,
                                           " is inside of ",
                                           section->directive, ">", NULL));
        }
        else if (!what) {
            read_unknown(r, conf, node);
        }
    }
}

static void add_files(apr_array_header_t *files,
                      const apr_array_header_t *from, int begin, int end)
{
    for (; begin < end && begin < from->nelts; begin++)
        APR_ARRAY_PUSH(files, const char *) = APR_ARRAY_IDX(from, begin,
                                                            const char *);
}

const apr_array_header_t *
snivhost_tlsconf_merge_files(apr_pool_t *p, const apr_array_header_t *base,
                             const apr_array_header_t *add)
{
    apr_array_header_t *merged;

    if (!add || apr_is_empty_array(add))
        return base;
    if (!base || apr_is_empty_array(base))
        return add;
    merged = apr_array_make(p, base->nelts + add->nelts,
                            sizeof(const char *));
    add_files(merged, add, 0, CERTKEYS_REPLACED);
    add_files(merged, base, merged->nelts, base->nelts);
    add_files(merged, add, CERTKEYS_REPLACED, add->nelts);
    return merged;
}

#define INHERIT(member) \
    if (!conf->member) \
        conf->member = base->member

/* Make the lines of a virtual host what is in effect for it. */
static void inherit(reader_t *r, snivhost_tlsconf_t *conf,
                    const snivhost_tlsconf_t *base)
{
    int i;

    INHERIT(engine);
    INHERIT(stapling);
    INHERIT(verify_client);
    INHERIT(verify_depth);
    INHERIT(crl_check);
    INHERIT(ocsp_enable);
    INHERIT(chain);
    conf->certs = snivhost_tlsconf_merge_files(r->p, base->certs,
                                               conf->certs);
    conf->keys = snivhost_tlsconf_merge_files(r->p, base->keys, conf->keys);
    for (i = 0; i < SAME_COUNT; i++) {
        if (i == SAME_CONFCMD && conf->same[i] && base->same[i])
            conf->same[i] = apr_pstrcat(r->p, base->same[i], conf->same[i],
                                        NULL);
        else
            INHERIT(same[i]);
    }
    if (!conf->obstacle) {
        conf->obstacle = base->obstacle;
        conf->obstacle_node = base->obstacle_node;
    }
}

/* The last cipher string that says something about the level: OpenSSL's
 * commands come after mod_ssl's. */
static const char *level_ciphers(reader_t *r, const snivhost_tlsconf_t *conf)
{
    static const char command[] = "cipherstring ", word[] = "@SECLEVEL";
    const char *ciphers = conf->same[SAME_CIPHERS];
    const char *line = conf->same[SAME_CONFCMD], *end;

    if (ciphers && !strstr(ciphers, word))
        ciphers = NULL;
    for (; line && *line; line = *end ? end + 1 : end) {
        end = ap_strchr_c(line, '\n');
        if (!end)
            end = line + strlen(line);
        if (!strncmp(line, command, sizeof(command) - 1)) {
            const char *text = apr_pstrmemdup(r->ptemp, line, end - line);

            if (strstr(text, word))
                ciphers = text + sizeof(command) - 1;
        }
    }
    return ciphers ? ciphers : "";
}

static void read_level(reader_t *r, snivhost_tlsconf_t *conf)
{
    const char *ciphers = level_ciphers(r, conf);

    if (!r->ciphers || strcmp(r->ciphers, ciphers)) {
        r->ciphers = ciphers;
        r->level = sniv_judge_level(ciphers);
    }
    conf->level = r->level;
}

/* All lines are in: judge those of which the last one wins. */
static void settle(reader_t *r, snivhost_tlsconf_t *conf)
{
    int i;

    for (i = 0; i < SAME_COUNT; i++) {
        if (conf->same[i] && same_defaults[i]
            && !strcmp(conf->same[i], same_defaults[i])) {
            conf->same[i] = NULL;
        }
    }
    conf->engine_said = conf->engine != 0;
    conf->engine = conf->engine > 0;
    conf->stapling = conf->stapling > 0;
    read_level(r, conf);
    conf->client_cas = conf->same[SAME_CA_FILE] || conf->same[SAME_CA_PATH];
    if (conf->verify_client < 0) {
        refuse(conf, NULL, "SSLVerifyClient asks every client for a "
               "certificate");
    }
    if (conf->ocsp_enable < 0)
        refuse(conf, NULL, "SSLOCSPEnable is on");
    if (r->md_stapling)
        refuse(conf, r->md_stapling, "MDStapling is on");
    if (!conf->certs)
        conf->certs = apr_array_make(r->p, 0, sizeof(const char *));
    if (!conf->keys)
        conf->keys = apr_array_make(r->p, 0, sizeof(const char *));
}

/* Whether a name is one that mod_md may take care of: the same, or one of
 * the two is a wildcard that covers the other. Rather too often than not. */
static int is_managed_name(reader_t *r, const char *name)
{
    char *host = lower(r->ptemp, name);
    const char *dot = ap_strchr_c(host, '.');
    apr_hash_index_t *hi;

    if (apr_hash_get(r->md_names, host, APR_HASH_KEY_STRING)
        || (dot && apr_hash_get(r->md_names,
                                apr_pstrcat(r->ptemp, "*", dot, NULL),
                                APR_HASH_KEY_STRING))) {
        return 1;
    }
    if (!ap_is_matchexp(host))
        return 0;
    for (hi = apr_hash_first(r->ptemp, r->md_names); hi;
         hi = apr_hash_next(hi)) {
        if (!ap_strcmp_match(apr_hash_this_key(hi), host))
            return 1;
    }
    return 0;
}

static void add_managed_name(reader_t *r, const char *name)
{
    apr_hash_set(r->md_names, lower(r->ptemp, name), APR_HASH_KEY_STRING, "");
}

/* Visit ServerName and all ServerAliases; stop at a managed one, or add all
 * of them to the managed ones. */
static int each_name(reader_t *r, server_rec *s, int add)
{
    const apr_array_header_t *lists[2] = { s->names, s->wild_names };
    int i, k;

    if (s->server_hostname) {
        if (add)
            add_managed_name(r, s->server_hostname);
        else if (is_managed_name(r, s->server_hostname))
            return 1;
    }
    for (i = 0; i < 2; i++) {
        for (k = 0; lists[i] && k < lists[i]->nelts; k++) {
            const char *name = APR_ARRAY_IDX(lists[i], k, const char *);

            if (!name)
                continue;
            if (add)
                add_managed_name(r, name);
            else if (is_managed_name(r, name))
                return 1;
        }
    }
    return 0;
}

/* mod_md adds the names of a virtual host that has a name in common with a
 * managed domain (MDMembers auto), so go on until nothing more is found. */
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

            if (conf && !conf->managed && each_name(r, s, 0)) {
                conf->managed = 1;
                each_name(r, s, 1);
                found = 1;
            }
        }
    }
}

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

snivhost_tlsconfs_t *snivhost_tlsconf_read_some(const ap_directive_t *tree,
                                                server_rec *main_server,
                                                server_rec *const *only,
                                                int nonly, apr_pool_t *p,
                                                apr_pool_t *ptemp)
{
    snivhost_tlsconfs_t *all = apr_palloc(p, sizeof(*all));
    reader_t reader = { p, ptemp, apr_hash_make(ptemp), apr_hash_make(ptemp),
                        NULL, NULL, 0 };
    snivhost_tlsconf_t *base;
    server_rec *s;
    int i;

    all->by_server = apr_hash_make(p);
    for (i = 0; known[i].name; i++) {
        apr_hash_set(reader.known, lower(ptemp, known[i].name),
                     APR_HASH_KEY_STRING, &known[i]);
    }
    base = make_conf(&reader, all, main_server);
    read_lines(&reader, base, tree);
    pair_nodes(&reader, all, tree, main_server, only, nonly);

    for (s = main_server->next; s; s = s->next) {
        snivhost_tlsconf_t *conf = apr_hash_get(all->by_server, &s,
                                                sizeof(s));

        if (!conf)
            continue;
        if (conf->node)
            read_lines(&reader, conf, conf->node->first_child);
        inherit(&reader, conf, base);
        if (!conf->node) {
            refuse(conf, NULL, "it is not in the configuration files, so "
                   "that its directives cannot be seen");
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

const char *snivhost_tlsconf_differs(const snivhost_tlsconf_t *a,
                                     const snivhost_tlsconf_t *b)
{
    int i;

    for (i = 0; i < SAME_COUNT; i++) {
        const char *x = a->same[i];
        const char *y = b->same[i];

        if (x != y && (!x || !y || strcmp(x, y)))
            return same_names[i];
    }
    return NULL;
}
