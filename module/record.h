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

#ifndef SNIVHOST_MODULE_RECORD_H
#define SNIVHOST_MODULE_RECORD_H

/**
 * @file module/record.h
 * What the httpd side of mod_snivhost shares among its files. Private: no
 * other module includes this.
 */

#include "module/private.h"

#include "choose/decide.h"
#include "choose/hello.h"
#include "choose/table.h"

/* ----- configuration (config.c) ----- */

/** SNIVHost Off | On | Verify. */
typedef enum {
    SNIVHOST_UNSET = -1,
    SNIVHOST_OFF,
    SNIVHOST_ON,
    SNIVHOST_VERIFY
} snivhost_mode_e;

/** SNIVHostLint Off | On | Strict. */
typedef enum {
    SNIVHOST_LINT_UNSET = -1,
    SNIVHOST_LINT_OFF,
    SNIVHOST_LINT_ON,
    SNIVHOST_LINT_STRICT
} snivhost_lint_mode_e;

/** What is refused, as an index of snivhost_refuse_conf_t.lines. */
typedef enum {
    SNIVHOST_UNKNOWN_SNI,
    SNIVHOST_MISSING_SNI,
    SNIVHOST_UNKNOWN_HOST,
    SNIVHOST_NREFUSALS
} snivhost_refusal_e;

/** Refusing unknown names (serve/refuse.h), as written in one
 * server; -1: nothing written. */
typedef struct snivhost_refuse_conf_t {
    signed char unknown_sni;            /**< 1: refuse */
    signed char missing_sni;
    signed char unknown_host;
    const apr_array_header_t *allow;    /**< const char *, or NULL */
    const ap_directive_t *lines[SNIVHOST_NREFUSALS]; /**< where these are
                                             written, or NULL */
    const apr_array_header_t *allow_lines; /**< const ap_directive_t *: the
                                             line of each in allow */
    const ap_directive_t *first;        /**< the first of these directives in
                                             this very server, or NULL */
} snivhost_refuse_conf_t;

/** Certificates from folders (tls/store.h), as written for one
 * server. */
typedef struct snivhost_store_conf_t {
    const apr_array_header_t *dirs;     /**< const char *, or NULL; a store's
                                     address becomes the folder of its copy
                                     in check_config, see tls/mirror.h */
    int check;                  /**< seconds, 0: Off, -1: nothing written;
                                     main server only */
    int cache;                  /**< -1: nothing written; main server only */
    int scope;                  /**< sniv_scope_t of dirs, set at start */
    signed char trust;          /**< sniv_trust_e, -1: nothing written */
    signed char level;          /**< security level of its handshakes */
    unsigned is_first:1;        /**< it has no SSLCertificateFile, its
                                     SSL_CTX got one from the folders ... */
    unsigned is_standin:1;      /**< ... or one that is never sent; see
                                     tls/first.h */
    unsigned is_managed:1;      /**< mod_md has one for it, or will */
    const char *key;            /**< SNIVHostStoreKey, or NULL; main server
                                     only */
} snivhost_store_conf_t;

/** Our configuration of one server: small, as each virtual host has one. */
typedef struct snivhost_conf_t {
    signed char mode;           /**< snivhost_mode_e; main server only */
    signed char lint;           /**< snivhost_lint_mode_e; main server only */
    signed char adopt;          /**< SNIVHostAdopt; -1 unset; main server
                                     only */
    signed char tls_by_hand;    /**< SNIVHostTLS of this virtual host; -1
                                     unset, not inherited */
    signed char env;            /**< SNIVHostEnv; -1 unset */
    signed char refuses_handshakes; /**< whether an address set may; main
                                     server only, set in check_config */
    int ticket_rotation;        /**< seconds, 0: Off, -1: nothing written;
                                     main server only */
    apr_uint64_t lint_ignore;   /**< bits by snivhost_lint_e */
    snivhost_refuse_conf_t *refuse; /**< the main server's, if it has written
                                     nothing and there is nothing to inherit;
                                     NULL until servers are merged */
    snivhost_store_conf_t store;
    const sniv_vhost_t *vhost;  /**< this server in the tables; set when
                                     they are built */
    struct snivhost_tls_t *tls; /**< who does its TLS; see
                                     snivhost_adopt_get() */
    struct snivhost_keyfile_t *keyfile; /**< its SSLSessionTicketKeyFile, if
                                     a lean virtual host needs it; see
                                     tls/keyfile.h */
    struct ssl_ctx_st *ssl_ctx; /**< this server's SSL_CTX, if mod_ssl made
                                     one; the tests of Verify need it */
    struct snivhost_ticket_group_t *ticket_groups; /**< whose sessions it may
                                     resume; NULL: none */
} snivhost_conf_t;

/** Our configuration of a server; never NULL once servers are merged. */
static APR_INLINE snivhost_conf_t *snivhost_conf(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &snivhost_module);
}

/* ----- the tables of the running configuration (module/site.c) ----- */

/** The running configuration: frozen, read by all threads. */
typedef struct snivhost_live_t {
    snivhost_mode_e mode;           /**< ON or VERIFY */
    const sniv_table_t *table;
    const unsigned char *strict;    /**< per set number: StrictHostCheck is
                                         on in the set's default */
    const struct snivhost_refuse_t *const *refuse; /**< per set number, the
                                         main server's last; NULL: none */
} snivhost_live_t;

/** NULL while SNIVHost is Off: every hook asks this first. */
extern const snivhost_live_t *snivhost_live;

/**
 * What belongs to the configuration that is being read or that runs, beside
 * what each server has: one record, which is emptied when that configuration
 * ends. Written by the parent while it configures itself, then constant.
 */
typedef struct snivhost_site_t {
    apr_array_header_t *questions;      /**< what -t was asked, see */
    apr_array_header_t *comparisons;    /**< module/asked.h; NULL: nothing */
    apr_array_header_t *expected;
    struct snivhost_adoption_t *adoption;   /**< until the end of
                                             post_config; NULL: nobody asks
                                             for lean virtual hosts */
    struct sniv_certs_t *early;     /**< the folders, before the store is
                                         loaded; see tls/store.c */
    apr_pool_t *early_pool;
    apr_pool_t *standins;           /**< files for mod_ssl's post_config; see
                                         tls/first.c */
    struct sniv_certs_t *store;     /**< NULL: nothing needs one */
    apr_pool_t *store_pool;
    struct snivhost_storelog_t *storelog;   /**< NULL until it is loaded */
    int store_is_partial;           /**< see snivhost_store_is_partial() */
    apr_array_header_t *mirrors;    /**< struct snivhost_mirror_t *, or NULL;
                                         see tls/mirror.h */
    struct sniv_tickets_t *tickets; /**< NULL: left to OpenSSL */
    apr_array_header_t *own_certs;  /**< snivhost_served_t: of mod_ssl's own
                                         virtual hosts; or NULL */
    apr_time_t own_certs_since; /**< when mod_ssl has loaded them, or 0 */
    unsigned char *own_ids;     /**< by id of the store: 1 if only virtual
                                     hosts that mod_ssl has set up use it; or
                                     NULL: none */
} snivhost_site_t;

extern snivhost_site_t snivhost_site;

/** Begin with an empty record, which ends with the pool; with it ends
 * snivhost_live. */
void snivhost_site_begin(apr_pool_t *pconf);

/**
 * A pool whose memory goes back to the system when it ends. That of an
 * ordinary one stays with its parent's allocator.
 */
apr_status_t snivhost_pool_create(apr_pool_t **pp, apr_pool_t *parent);

/**
 * Make the tables from the servers of a configuration. Their names must be
 * final: at check_config or later.
 * @param ptemp for the time of the call
 */
apr_status_t snivhost_table_make(const sniv_table_t **ptable,
                                 server_rec *main_server, apr_pool_t *p,
                                 apr_pool_t *ptemp);

/** The server of a decision. */
#define SNIVHOST_SERVER(decision) ((server_rec *)(decision)->vhost->server)

/* ----- connections ----- */

/**
 * What we know of a connection. Made in pre_connection, written to by the
 * handshake only, then constant: the streams of an HTTP/2 connection read it
 * from other threads.
 */
typedef struct snivhost_conn_t {
    conn_rec *c;
    const sniv_set_t *set;      /**< NULL: the main server */
    server_rec *base;           /**< core's choice by address */
    void *chain;                /**< core's name chain. Opaque: NULL or not
                                     is all we may know */
    unsigned leave_requests:1;  /**< core decides about requests (Verify,
                                     StrictHostCheck), we compare */

    unsigned is_mod_ssl:1;      /**< its TLS is mod_ssl's */
    unsigned hello_seen:1;      /**< sni and hello are valid */
    unsigned inner_due:1;       /**< a ClientHello has come with another one
                                     inside (ECH), which OpenSSL has not shown
                                     yet */
    unsigned is_inner:1;        /**< sni and hello are those of OpenSSL, not
                                     of the message: it may be an inner one */
    unsigned narrowed:1;        /**< the window is open: the three fields
                                     below have to be put back */
    unsigned logged:1;          /**< c->log was set for the window */
    unsigned verify_sni:1;      /**< compare after mod_ssl's search */
    unsigned has_context:1;     /**< the SSL_CTX is decided: a lean virtual
                                     host's donor has lent its one */
    unsigned refused:2;         /**< SNIVHOST_REFUSED_*, 0: the handshake is
                                     not refused */
    unsigned offers_acme:1;     /**< refused, and it may be a challenge that
                                     is answered (tls-alpn-01) ... */
    unsigned challenge_only:1;  /**< it is one: this connection shows its
                                     certificate and serves nothing */
    unsigned counted:1;         /**< where its certificate is from */
    unsigned has_cert:1;        /**< the certificate is decided: once, and a
                                     renegotiation stays with it */
    int cert;                   /**< sniv_cert_id_t: that one, once the hello
                                     is seen */
    server_rec *saved_base;
    void *saved_chain;

    sniv_hello_e hello;         /**< what the ClientHello said */
    sniv_decision_t sni;        /**< and which virtual host it chose */
    const char *refused_name;   /**< the name that is refused, or NULL */
    const char *acme_answer;    /**< to tls-alpn-01, which this connection is
                                     for (serve/acme.h), or NULL */
} snivhost_conn_t;

/* snivhost_conn_t.refused */
#define SNIVHOST_REFUSED_UNKNOWN 1
#define SNIVHOST_REFUSED_MISSING 2

/**
 * Our record of a connection, the primary one's for an HTTP/2 stream; NULL
 * if the connection is left to core.
 */
static APR_INLINE snivhost_conn_t *snivhost_conn(const conn_rec *c)
{
    return ap_get_module_config(c->conn_config, &snivhost_module);
}

#endif /* SNIVHOST_MODULE_RECORD_H */
