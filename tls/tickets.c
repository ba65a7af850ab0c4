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

#include "tls/tickets.h"

#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include "apr_hash.h"
#include "apr_strings.h"
#include "http_core.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "certs/ring.h"
#include "module/words.h"
#include "tls/library.h"
#include "tls/lean.h"
#include "tls/mirror.h"
#include "tls/ringstore.h"
#include "tls/settings.h"

/* Files of authorities are part of what they stand for up to this size. */
#define FILE_MAX (16 * 1024 * 1024)

#define ROTATION_DEFAULT 3600

/* OpenSSL before 3.0 has another callback. */
#define HAVE_TICKET_KEYS (OPENSSL_VERSION_NUMBER >= 0x30000000L)

#if HAVE_TICKET_KEYS

/* ----- the secrets ----- */

/*
 * They stay in one page that is mapped for the life of the process, that its
 * children do not inherit and that is neither swapped nor dumped.
 */
static sniv_ring_t *get_ring(void)
{
    static const char key[] = "mod_snivhost_ticket_ring_2";
    sniv_ring_t **kept = ap_retained_data_get(key);
    void *page;

    if (kept)
        return *kept;
    page = mmap(NULL, sizeof(sniv_ring_t), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANON, -1, 0);
    if (page == MAP_FAILED)
        return NULL;
#ifdef MADV_DONTFORK
    (void)madvise(page, sizeof(sniv_ring_t), MADV_DONTFORK);
#endif
#ifdef MADV_DONTDUMP
    (void)madvise(page, sizeof(sniv_ring_t), MADV_DONTDUMP);
#endif
    (void)mlock(page, sizeof(sniv_ring_t));
    kept = ap_retained_data_create(key, sizeof(*kept));
    *kept = page;
    return *kept;
}

/* ----- groups ----- */

/* What the groups are made from. */
typedef struct grouping_t {
    const snivhost_tlsconfs_t *confs;
    EVP_MD_CTX *md;
    unsigned char main_lines[SNIV_GROUP_ID_LEN];
    int main_is_closed;         /* with files that are not looked at */
    apr_hash_t *by_id;          /* id -> int *: number of the group */
    apr_hash_t *files;          /* path -> digest of what is in it */
    apr_array_header_t *ids;    /* of SNIV_GROUP_ID_LEN bytes */
    apr_pool_t *p;              /* of the configuration */
    apr_pool_t *ptemp;
} grouping_t;

typedef struct group_id_t {
    unsigned char bytes[SNIV_GROUP_ID_LEN];
} group_id_t;

/* Lines that say nothing about who may resume what. */
static const char *const without_meaning[] = {
    "SSLCertificateFile", "SSLCertificateKeyFile", "SSLCertificateChainFile",
    "SSLEngine", "SSLRandomSeed", "SSLSessionCache",
    "SSLSessionCacheTimeout", "SSLPassPhraseDialog", "SSLStaplingCache",
    "SSLUseStapling", NULL
};

/* Lines about files: what is in them counts. */
static const char *const with_file[] = {
    "SSLCACertificateFile", "SSLCADNRequestFile", "SSLCARevocationFile",
    "SSLOCSPResponderCertificateFile", NULL
};

/* Lines about what is not looked at: sessions do not outlive a restart. */
static const char *const closed[] = {
    "SSLCACertificatePath", "SSLCADNRequestPath", "SSLCARevocationPath",
    "SSLOpenSSLConfCmd", "SSLSRPVerifierFile", NULL
};

static int is_in(const char *const *list, const char *name)
{
    for (; *list; list++) {
        if (!ap_cstr_casecmp(*list, name))
            return 1;
    }
    return 0;
}

static void add_text(EVP_MD_CTX *md, const char *text)
{
    /* with its NUL, so that two texts are not one */
    EVP_DigestUpdate(md, text, strlen(text) + 1);
}

static const unsigned char *file_digest(grouping_t *g, const char *path)
{
    unsigned char *digest = apr_hash_get(g->files, path, APR_HASH_KEY_STRING);
    apr_file_t *file;
    apr_finfo_t info;
    apr_size_t len;
    char *bytes;

    if (digest)
        return digest;
    if (apr_file_open(&file, path, APR_FOPEN_READ | APR_FOPEN_NONBLOCK, 0,
                      g->ptemp) != APR_SUCCESS) {
        return NULL;
    }
    if (apr_file_info_get(&info, APR_FINFO_SIZE | APR_FINFO_TYPE, file)
            == APR_SUCCESS
        && info.filetype == APR_REG && info.size <= FILE_MAX) {
        bytes = apr_palloc(g->ptemp, (apr_size_t)info.size + 1);
        if (apr_file_read_full(file, bytes, (apr_size_t)info.size, &len)
            == APR_SUCCESS) {
            digest = apr_palloc(g->ptemp, EVP_MAX_MD_SIZE);
            if (!EVP_Digest(bytes, len, digest, NULL, EVP_sha256(), NULL))
                digest = NULL;
        }
    }
    apr_file_close(file);
    if (digest)
        apr_hash_set(g->files, path, APR_HASH_KEY_STRING, digest);
    return digest;
}

/* Whether a line says who may resume what. */
static int has_meaning(const ap_directive_t *node)
{
    return !ap_cstr_casecmpn(node->directive, "SSL", 3)
           && ap_cstr_casecmpn(node->directive, "SSLProxy", 8)
           && !is_in(without_meaning, node->directive);
}

/* A section without such lines may have another path on another server. */
static int has_lines(const ap_directive_t *node)
{
    for (; node; node = node->next) {
        if (*node->directive == '<' ? has_lines(node->first_child)
                                    : has_meaning(node))
            return 1;
    }
    return 0;
}

/* Add the TLS lines from node on, sections too; -1 if there is one that is
 * not looked at. */
static int add_lines(grouping_t *g, const ap_directive_t *node)
{
    for (; node; node = node->next) {
        const unsigned char *digest;

        if (*node->directive == '<') {
            if (!ap_cstr_casecmp(node->directive, "<VirtualHost")
                || !has_lines(node->first_child))
                continue;
            add_text(g->md, node->directive);
            add_text(g->md, node->args);
            if (add_lines(g, node->first_child) < 0)
                return -1;
            add_text(g->md, "</>");
            continue;
        }
        if (!has_meaning(node))
            continue;
        if (is_in(closed, node->directive))
            return -1;
        add_text(g->md, node->directive);
        add_text(g->md, node->args);
        if (is_in(with_file, node->directive)) {
            const char *args = node->args;
            const char *path = ap_server_root_relative(
                g->ptemp, ap_getword_conf(g->ptemp, &args));

            digest = path ? file_digest(g, path) : NULL;
            if (!digest)
                return -1;
            EVP_DigestUpdate(g->md, digest, SNIV_GROUP_ID_LEN);
        }
    }
    return 0;
}

/* The id of a virtual host behind a default: of what they are, or a random
 * one that no restart finds again. */
static int make_id(grouping_t *g, const char *place, const server_rec *s,
                   group_id_t *id)
{
    const snivhost_tlsconf_t *conf = snivhost_tlsconf_get(g->confs, s);

    if (!g->main_is_closed && conf && (conf->node || !s->is_virtual)
        && EVP_DigestInit_ex(g->md, EVP_sha256(), NULL)) {
        add_text(g->md, place);
        EVP_DigestUpdate(g->md, g->main_lines, sizeof(g->main_lines));
        if (!conf->node || add_lines(g, conf->node->first_child) == 0)
            return EVP_DigestFinal_ex(g->md, id->bytes, NULL);
    }
    return RAND_bytes(id->bytes, sizeof(id->bytes)) == 1;
}

static int group_of(grouping_t *g, const group_id_t *id)
{
    int *number = apr_hash_get(g->by_id, id->bytes, sizeof(id->bytes));

    if (!number) {
        group_id_t *kept = apr_array_push(g->ids);

        *kept = *id;
        number = apr_palloc(g->ptemp, sizeof(*number));
        *number = g->ids->nelts - 1;
        apr_hash_set(g->by_id, apr_pmemdup(g->ptemp, id, sizeof(*id)),
                     sizeof(id->bytes), number);
    }
    return *number;
}

/* Whether a default's SSL_CTX makes tickets with keys of OpenSSL's own. */
static int is_left_to_openssl(const grouping_t *g, const server_rec *base)
{
    const snivhost_tlsconf_t *conf = snivhost_tlsconf_get(g->confs, base);

    return snivhost_conf(base)->ssl_ctx && conf
           && !conf->of[SNIVHOST_SET_TICKET_KEYS];
}

/* The group of a virtual host behind a default; -1: none. */
static int group_behind(const server_rec *s, const server_rec *base)
{
    const snivhost_ticket_group_t *group = snivhost_conf(s)->ticket_groups;

    while (group && group->base != base)
        group = group->next;
    return group ? group->group : -1;
}

/* ----- the callback ----- */

/* The group of a handshake; -1: none. */
static int handshake_group(SSL *ssl)
{
    const conn_rec *c = SSL_get_app_data(ssl);
    const snivhost_conn_t *conn;
    const server_rec *base, *s;

    if (!c)
        return -1;
    conn = snivhost_conn(c);
    base = s = conn ? conn->base : c->base_server;
    if (conn && conn->hello_seen && conn->sni.vhost)
        s = SNIVHOST_SERVER(&conn->sni);
    return group_behind(s, base);
}

static int start(const sniv_ticket_key_t *key, const unsigned char *iv,
                 EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int enc)
{
    OSSL_PARAM params[2];
    char digest[] = "SHA256";

    params[0] = OSSL_PARAM_construct_utf8_string("digest", digest, 0);
    params[1] = OSSL_PARAM_construct_end();
    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv,
                             enc) > 0
           && EVP_MAC_init(mac, key->hmac, sizeof(key->hmac), params) > 0;
}

/*
 * For OpenSSL: -1 the handshake fails, 0 the ticket is not for us and a full
 * handshake follows, 1 continue, 2 continue and give the client a new ticket.
 */
static int ticket_callback(SSL *ssl, unsigned char name[16],
                           unsigned char *iv, EVP_CIPHER_CTX *cipher,
                           EVP_MAC_CTX *mac, int enc)
{
    int group = handshake_group(ssl), age = 0, result = -1;
    sniv_ticket_key_t key;

    if (group < 0 || !snivhost_site.tickets)
        return enc ? -1 : 0;
    if (enc) {
        if (sniv_tickets_newest(snivhost_site.tickets, group, &key)
                == APR_SUCCESS
            && RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc()))
               == 1
            && start(&key, iv, cipher, mac, 1)) {
            memcpy(name, key.name, sizeof(key.name));
            result = 1;
        }
    }
    else if (sniv_tickets_find(snivhost_site.tickets, group, name, &key, &age)
             != APR_SUCCESS) {
        result = 0;
    }
    else if (start(&key, iv, cipher, mac, 0)) {
        /* With keys of its own OpenSSL gives a new one in TLS 1.3, where a
         * ticket is to be used once (RFC 8446, C.4). */
        result = age > 0 || SSL_version(ssl) >= TLS1_3_VERSION ? 2 : 1;
    }
    OPENSSL_cleanse(&key, sizeof(key));
    return result;
}

/* ----- the phases ----- */

/* A default and all that its address sets have. */
typedef struct behind_t {
    server_rec *base;
    const char *place;          /* what tells it from others */
    const char *addresses;
    apr_array_header_t *members;    /* server_rec * */
} behind_t;

/*
 * Defaults are told apart by ServerName and port, as mod_ssl does; so the
 * same virtual hosts find their keys on another server, too, which has other
 * addresses. Only if several have these in common are addresses needed.
 */
static void name_places(apr_array_header_t *all, apr_pool_t *p)
{
    apr_hash_t *by_name = apr_hash_make(p);
    behind_t *one, *same;
    int i;

    for (i = 0; i < all->nelts; i++) {
        one = &APR_ARRAY_IDX(all, i, behind_t);
        if (one->place || !snivhost_conf(one->base)->ssl_ctx)
            continue;           /* the main server; plain HTTP */
        one->place = apr_psprintf(p, "%s:%u",
                                  snivhost_lower(p,
                                                 one->base->server_hostname),
                                  one->base->port);
        same = apr_hash_get(by_name, one->place, APR_HASH_KEY_STRING);
        if (!same) {
            apr_hash_set(by_name, one->place, APR_HASH_KEY_STRING, one);
            continue;
        }
        one->place = apr_pstrcat(p, one->place, one->addresses, NULL);
        if (!strchr(same->place, ' '))
            same->place = apr_pstrcat(p, same->place, same->addresses, NULL);
    }
}

/* The defaults of the address sets, those that are in several once. */
static apr_array_header_t *list_behind(const sniv_table_t *table,
                                       apr_pool_t *p)
{
    apr_array_header_t *all = apr_array_make(p, table->nsets + 1,
                                             sizeof(behind_t));
    apr_hash_t *by_base = apr_hash_make(p);
    behind_t *one;
    int i, k;

    for (i = 0; i < table->nsets; i++) {
        const sniv_set_t *set = table->sets[i];
        server_rec *base = set->members[0]->server;

        one = apr_hash_get(by_base, &set->members[0]->server, sizeof(base));
        if (!one) {
            one = apr_array_push(all);      /* there is room: it stays */
            one->base = base;
            one->addresses = "";
            one->members = apr_array_make(p, set->nmembers,
                                          sizeof(server_rec *));
            apr_hash_set(by_base, &set->members[0]->server, sizeof(base),
                         one);
        }
        one->addresses = apr_pstrcat(p, one->addresses, " ",
                                     snivhost_set_text(p, set), NULL);
        for (k = 0; k < set->nmembers; k++)
            APR_ARRAY_PUSH(one->members, server_rec *) =
                set->members[k]->server;
    }
    one = apr_array_push(all);
    one->base = table->main_server->server;
    one->place = "main server";
    one->members = apr_array_make(p, 1, sizeof(server_rec *));
    APR_ARRAY_PUSH(one->members, server_rec *) = one->base;
    name_places(all, p);
    return all;
}

/*
 * mod_ssl binds a session to ServerName and port, and so gives virtual hosts
 * that have these in common each other's sessions. They have to be one
 * group, of what all of them are.
 */
static int merge_id(grouping_t *g, apr_hash_t *by_name, const server_rec *s,
                    const group_id_t *id)
{
    char *name = apr_pstrdup(g->ptemp, s->server_hostname);
    group_id_t *sum;

    ap_str_tolower(name);
    sum = apr_hash_get(by_name, name, APR_HASH_KEY_STRING);
    if (!sum) {
        apr_hash_set(by_name, name, APR_HASH_KEY_STRING,
                     apr_pmemdup(g->ptemp, id, sizeof(*id)));
        return 1;
    }
    return EVP_DigestInit_ex(g->md, EVP_sha256(), NULL)
           && EVP_DigestUpdate(g->md, sum->bytes, sizeof(sum->bytes))
           && EVP_DigestUpdate(g->md, id->bytes, sizeof(id->bytes))
           && EVP_DigestFinal_ex(g->md, sum->bytes, NULL);
}

static void join(grouping_t *g, const server_rec *base, const server_rec *s,
                 const group_id_t *id)
{
    snivhost_conf_t *conf = snivhost_conf(s);
    snivhost_ticket_group_t *group = apr_palloc(g->p, sizeof(*group));

    group->base = base;
    group->group = group_of(g, id);
    group->next = conf->ticket_groups;
    conf->ticket_groups = group;
}

/* All members have a group afterwards, or there are no tickets: the callback
 * has to give each handshake a key. */
static int group_members(grouping_t *g, const behind_t *behind)
{
    apr_hash_t *by_name = apr_hash_make(g->ptemp);
    apr_hash_t *seen = apr_hash_make(g->ptemp);
    group_id_t id;
    int i;

    for (i = 0; i < behind->members->nelts; i++) {
        server_rec **s = &APR_ARRAY_IDX(behind->members, i, server_rec *);

        if (apr_hash_get(seen, s, sizeof(*s)))
            continue;           /* they meet on several addresses */
        apr_hash_set(seen, s, sizeof(*s), "");
        if (!make_id(g, behind->place, *s, &id)
            || !merge_id(g, by_name, *s, &id)) {
            return 0;
        }
    }
    for (i = 0; i < behind->members->nelts; i++) {
        const server_rec *s = APR_ARRAY_IDX(behind->members, i, server_rec *);
        const char *name = snivhost_lower(g->ptemp, s->server_hostname);

        if (group_behind(s, behind->base) < 0) {
            join(g, behind->base, s,
                 apr_hash_get(by_name, name, APR_HASH_KEY_STRING));
        }
    }
    return 1;
}

static int make_groups(grouping_t *g)
{
    const apr_array_header_t *all = list_behind(snivhost_live->table,
                                                g->ptemp);
    int i;

    if (!EVP_DigestInit_ex(g->md, EVP_sha256(), NULL))
        return 0;
    g->main_is_closed = add_lines(g, ap_conftree) < 0;
    if (!EVP_DigestFinal_ex(g->md, g->main_lines, NULL))
        return 0;
    for (i = 0; i < all->nelts; i++) {
        const behind_t *behind = &APR_ARRAY_IDX(all, i, behind_t);

        if (is_left_to_openssl(g, behind->base) && !group_members(g, behind))
            return 0;
    }
    return 1;
}

static void set_callbacks(server_rec *s)
{
    for (; s; s = s->next) {
        const snivhost_conf_t *conf = snivhost_conf(s);

        if (conf->ssl_ctx && group_behind(s, s) >= 0) {
            SSL_CTX_set_tlsext_ticket_key_evp_cb(conf->ssl_ctx,
                                                 ticket_callback);
        }
    }
}

static apr_interval_time_t rotation_of(const server_rec *main_server)
{
    int seconds = snivhost_conf(main_server)->ticket_rotation;

    return apr_time_from_sec(seconds < 0 ? ROTATION_DEFAULT : seconds);
}

/* Take the ring of a store, or turn our own, and see to it that the store
 * has one. */
static apr_status_t turn(sniv_ring_t *ring, int *is_changed, apr_pool_t *p,
                         server_rec *s)
{
    apr_status_t rv = APR_SUCCESS;
    snivhost_ringstore_t store;
    int is_taken, is_turned = 0;

    is_taken = snivhost_ringstore_take(&store, ring, rotation_of(s), p, s);
    if (!ring->generation) {
        rv = sniv_ring_turn(ring, apr_time_now(), rotation_of(s),
                            &is_turned);
    }
    *is_changed = is_taken || is_turned;
    if (rv == APR_SUCCESS)
        snivhost_ringstore_offer(&store, ring);
    return rv;
}

static apr_status_t make_tickets(const grouping_t *g, server_rec *s)
{
    sniv_ring_t *ring = get_ring();
    apr_status_t rv = APR_ENOMEM;
    int is_changed;

    if (ring)
        rv = turn(ring, &is_changed, g->ptemp, s);
    if (rv == APR_SUCCESS) {
        rv = sniv_tickets_make(&snivhost_site.tickets, ring,
                               (const unsigned char *)g->ids->elts,
                               g->ids->nelts, g->p);
    }
    if (rv == APR_SUCCESS) {
        sniv_tickets_publish(snivhost_site.tickets);
    }
    else {
        snivhost_site.tickets = NULL;
    }
    return rv;
}

/* A store without a key: said once a start. */
static void say_own(server_rec *s)
{
    const char *url, *dir, *prefix, *trouble;

    if (snivhost_mirror_ring(&url, &dir, &prefix, &trouble)
        && !snivhost_conf(s)->store.key) {
        ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, s, "SNIV0380: store %s: "
                     "sessions do not resume on other servers, because there "
                     "is no SNIVHostStoreKey to seal their secrets with", url);
    }
}

int snivhost_tickets_post_config(apr_pool_t *p, apr_pool_t *plog,
                                 apr_pool_t *ptemp, server_rec *s)
{
    apr_status_t rv = APR_EGENERAL;
    grouping_t g;

    (void)plog;
    if (!snivhost_live || snivhost_live->mode != SNIVHOST_ON
        || rotation_of(s) == 0 || !ap_find_linked_module("mod_ssl.c")
        || !snivhost_library_is_shared()) {
        return OK;
    }
    memset(&g, 0, sizeof(g));
    g.p = p;
    g.ptemp = ptemp;
    g.confs = snivhost_site.adoption
              ? snivhost_site.adoption->confs
              : snivhost_tlsconf_read(ap_conftree, s, ptemp, ptemp);
    g.by_id = apr_hash_make(ptemp);
    g.files = apr_hash_make(ptemp);
    g.ids = apr_array_make(ptemp, 4, sizeof(group_id_t));
    g.md = EVP_MD_CTX_new();
    if (g.md && make_groups(&g))
        rv = g.ids->nelts ? make_tickets(&g, s) : APR_SUCCESS;
    EVP_MD_CTX_free(g.md);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, s, "SNIV0005: TLS "
                     "sessions do not survive restarts: the keys of session "
                     "tickets could not be created (SNIVHostTicketRotation "
                     "Off suppresses this message)");
        return OK;
    }
    if (snivhost_site.tickets) {
        set_callbacks(s);
        say_own(s);
    }
    return OK;
}

int snivhost_tickets_monitor(apr_pool_t *p, server_rec *s)
{
    sniv_ring_t *ring;
    apr_pool_t *ptemp;
    int is_changed;
    apr_status_t rv;

    if (!snivhost_site.tickets || !sniv_tickets_is_shared(snivhost_site.tickets)
        || (ring = get_ring()) == NULL) {
        return DECLINED;
    }
    apr_pool_create(&ptemp, p);
    rv = turn(ring, &is_changed, ptemp, s);
    apr_pool_destroy(ptemp);
    if (rv == APR_SUCCESS && is_changed)
        rv = sniv_tickets_renew(snivhost_site.tickets, ring);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, rv, s, "SNIV0006: the keys of "
                     "session tickets could not be renewed; the present ones "
                     "stay in use");
    }
    return DECLINED;
}

#else /* !HAVE_TICKET_KEYS */

int snivhost_tickets_post_config(apr_pool_t *p, apr_pool_t *plog,
                                 apr_pool_t *ptemp, server_rec *s)
{
    (void)p;
    (void)plog;
    (void)ptemp;
    (void)s;
    return OK;
}

int snivhost_tickets_monitor(apr_pool_t *p, server_rec *s)
{
    (void)p;
    (void)s;
    return DECLINED;
}

#endif
