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

#ifndef SNIVHOST_CHOOSE_TABLE_H
#define SNIVHOST_CHOOSE_TABLE_H

/**
 * @file choose/table.h
 * The virtual hosts of a server as tables: local address -> address set,
 * address set -> members, default, name index.
 *
 * Built once per configuration from plain structs (sniv_table_build), then
 * frozen: every other function may be called from any thread and neither
 * allocates nor writes. The rules are those of server/vhost.c in httpd 2.4
 * (ap_fini_vhost_config, ap_update_vhost_given_ip).
 */

#include <apr_pools.h>
#include <apr_network_io.h>

#include "names/names.h"

/** An IP address: IPv4 as its IPv4-mapped IPv6 form; all zero is "any". */
typedef struct sniv_ip_t {
    unsigned char bytes[16];
    apr_uint32_t zone;          /**< IPv6 scope id, 0 if none */
} sniv_ip_t;

/** One address of a <VirtualHost> line, as core has resolved it. */
typedef struct sniv_addr_t {
    sniv_ip_t ip;
    apr_port_t port;            /**< 0 is any port */
    const char *text;           /**< the host part as written
                                     (server_addr_rec.virthost) */
} sniv_addr_t;

/** A virtual host, or the main server. Strings belong to the caller. */
typedef struct sniv_vhost_t {
    const char *server_name;    /**< ServerName, after core filled it in */
    const char *const *aliases; /**< exact ServerAlias names; may hold NULL */
    const char *const *globs;   /**< ServerAlias names with wildcards */
    int naliases;
    int nglobs;
    const char *path;           /**< ServerPath or NULL */
    const sniv_addr_t *addrs;   /**< in the order of the line */
    const char *file;           /**< where it is defined, for messages */
    unsigned int line;
    int naddrs;
    void *server;               /**< the caller's record (server_rec *) */
} sniv_vhost_t;

/** All virtual hosts of one address (IP, port). */
typedef struct sniv_set_t sniv_set_t;
struct sniv_set_t {
    sniv_ip_t ip;               /**< all zero: any IP */
    apr_port_t port;            /**< 0: any port */
    int name_based;             /**< names are looked at. Counted as core
                                     counts: one vhost that has the address
                                     twice is name-based too */
    const sniv_vhost_t *const *members; /**< in configuration order */
    int nmembers;               /**< at least 1; members[0] is the default */
    const sniv_names_t *names;  /**< values: SNIV_NAME_VALUE(). There for a
                                     set that is not name_based too: whether
                                     a name is known can still be asked */
    const sniv_names_t *texts;  /**< <VirtualHost> texts, value: the index
                                     into members */
    const struct sniv_paths_t *paths; /**< ServerPaths, or NULL */
    int number;                 /**< 0 is the set first seen in the file */
};

/** What a value in sniv_set_t.names says: the member and the kind of name. */
#define SNIV_NAME_VALUE(member, kind) (((apr_uint32_t)(member) << 2) | (kind))
#define SNIV_NAME_MEMBER(value)       ((value) >> 2)
#define SNIV_NAME_KIND(value)         ((value) & 3)
#define SNIV_NAME_SERVERNAME 0
#define SNIV_NAME_ALIAS      1
#define SNIV_NAME_GLOB       2

/** The frozen tables of one configuration. */
typedef struct sniv_table_t {
    const sniv_vhost_t *main_server;
    const sniv_vhost_t *vhosts; /**< all, in configuration order */
    int nvhosts;
    const sniv_set_t *const *sets;  /**< in order of first appearance */
    int nsets;
    const sniv_names_t *main_names; /**< names of the main server */
    struct sniv_addrs_t *addrs; /**< the address index; private */
} sniv_table_t;

/**
 * Build the tables.
 * @param ptable receives them, allocated from p; they keep pointers to the
 *        caller's vhosts, strings included
 * @param main_server answers where no set does
 * @param vhosts all virtual hosts in configuration order
 * @param ptemp for the time of the call
 */
apr_status_t sniv_table_build(const sniv_table_t **ptable,
                              const sniv_vhost_t *main_server,
                              const sniv_vhost_t *vhosts, int nvhosts,
                              apr_pool_t *p, apr_pool_t *ptemp);

/** The IP part of a socket address; 0 and "any" if it has none (AF_UNIX). */
int sniv_ip_from_sockaddr(sniv_ip_t *ip, const apr_sockaddr_t *sa);

/** Whether it is "any". */
int sniv_ip_is_any(const sniv_ip_t *ip);

/** Whether it is an IPv4 address. */
int sniv_ip_is_v4(const sniv_ip_t *ip);

/** Whether two are the same, zone included. */
int sniv_ip_is_same(const sniv_ip_t *a, const sniv_ip_t *b);

/** The address of four bytes. */
void sniv_ip_from_v4(sniv_ip_t *ip, const void *v4);

/**
 * The IP step: (ip,port), (ip,any port), (any,port), (any,any port); the
 * first that exists decides.
 * @return the address set, or NULL: the main server answers
 */
const sniv_set_t *sniv_table_find(const sniv_table_t *table,
                                  const sniv_ip_t *ip, apr_port_t port);

/** One step of that search, for explanations: exactly this (ip, port). */
const sniv_set_t *sniv_table_get(const sniv_table_t *table,
                                 const sniv_ip_t *ip, apr_port_t port);

#endif /* SNIVHOST_CHOOSE_TABLE_H */
