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

#ifndef SNIVHOST_LINT_FINDING_H
#define SNIVHOST_LINT_FINDING_H

/**
 * @file lint/finding.h
 * Findings: their kinds, how a check adds one and looks things up for it, and
 * their texts.
 *
 * Each kind of finding has a code that never changes (see the manual), a level
 * and a sentence that says what to write instead. A *warning* is about
 * something that can be proved from the configuration: a name that is never
 * matched, an address that no client can reach. A *note* is about something
 * that may well be meant; only an administrator that asks for it sees it, and
 * it never makes anything fail.
 *
 * Configuration time, one thread: names have to be final, so check_config or
 * later.
 */

#include <jansson.h>

#include "module/record.h"
#include "tls/settings.h"

/** The kinds of findings, in the order of their codes. */
typedef enum {
    SNIVHOST_LINT_DUPLICATE,        /**< a name that two virtual hosts have */
    SNIVHOST_LINT_TWICE,            /**< the same <VirtualHost> read twice */
    SNIVHOST_LINT_HIDDEN_NAME,      /**< behind an earlier glob */
    SNIVHOST_LINT_HIDDEN_GLOB,
    SNIVHOST_LINT_BAD_NAME,         /**< no client asks for such a name */
    SNIVHOST_LINT_SCANNED,          /**< globs that each look-up has to try */
    SNIVHOST_LINT_NO_NAME,          /**< no ServerName */
    SNIVHOST_LINT_REVERSE_DNS,      /**< no ServerName: the DNS is asked */
    SNIVHOST_LINT_NOT_LISTENED,
    SNIVHOST_LINT_UNREACHABLE,      /**< other addresses take all */
    SNIVHOST_LINT_HIDDEN_HERE,      /**< on all interfaces of this machine */
    SNIVHOST_LINT_MIXED,            /**< with and without TLS in one set */
    SNIVHOST_LINT_HOST_ADDRESS,     /**< <VirtualHost www.example.com> */
    SNIVHOST_LINT_HIDDEN_PARTLY,    /**< note: on some addresses */
    SNIVHOST_LINT_CERT_SERVERNAME,  /**< does not cover ServerName */
    SNIVHOST_LINT_CERT_ALIAS,
    SNIVHOST_LINT_CERT_EXPIRED,
    SNIVHOST_LINT_CERT_NOT_YET,
    SNIVHOST_LINT_CERT_SOON,
    SNIVHOST_LINT_CERT_UNSERVED,    /**< note: names of no virtual host */
    SNIVHOST_LINT_FOLDER_NONE,      /**< its folders have none for a name */
    SNIVHOST_LINT_FOLDER_UNSERVED,  /**< note: one for no virtual host */
    SNIVHOST_LINT_DEFAULT,          /**< note: first by its file's name */
    SNIVHOST_LINT_REFUSE_PLAIN,     /**< handshakes, where there is no TLS */
    SNIVHOST_LINT_REFUSE_OFF,       /**< note: without SNIVHost On */
    SNIVHOST_LINT_REFUSE_NOBODY,    /**< every name is known */
    SNIVHOST_LINT_ALLOW_IDLE,       /**< what is not refused anyway */
    SNIVHOST_LINT_ALLOW_ADDRESS,    /**< an IP address, refused without SNI */
    SNIVHOST_LINT_ALLOW_STRICT,     /**< core refuses it */
    SNIVHOST_LINT_FOLDER_HIDDEN,    /**< behind a certificate of its own */
    SNIVHOST_LINT_MUST_STAPLE,      /**< and no staple is sent */
    SNIVHOST_LINT_NO_CHAIN,         /**< a note if the authority may be
                                         known to the clients */
    SNIVHOST_LINT_CHAIN_ORDER,
    SNIVHOST_LINT_CHAIN_ROOT,       /**< note: a root is sent, too */
    SNIVHOST_LINT_CERT_LATE,        /**< note: in the last third of its life */
    SNIVHOST_LINT_KINDS
} snivhost_lint_e;

/** A finding. */
typedef struct snivhost_finding_t {
    snivhost_lint_e kind;
    const char *code;           /**< "SNIV0400" */
    int is_note;                /**< not a warning */
    const sniv_vhost_t *vhost;  /**< whom it is about; never NULL */
    const char *file;           /**< where to look: NULL if not in a file */
    unsigned int line;
    const char *text;           /**< the sentence */
} snivhost_finding_t;

/** What all checks work on. */
typedef struct snivhost_lint_t {
    server_rec *main_server;
    const sniv_table_t *table;
    const snivhost_tlsconfs_t *tls;
    int with_notes;             /**< notes are wanted too */
    struct snivhost_trust_t *trust; /**< of lint_certs.c */
    struct snivhost_late_t *late;   /**< of lint_certs.c */
    apr_array_header_t *findings;   /**< snivhost_finding_t */
    apr_pool_t *p;              /**< of the findings */
    apr_pool_t *ptemp;          /**< for the time of the run */
} snivhost_lint_t;

/**
 * The kind of a code, with or without "SNIV".
 * @return SNIVHOST_LINT_KINDS if it is no longer reported, -1 if there is none
 */
int snivhost_lint_kind(const char *code);

/* ----- adding ----- */

/**
 * Add a finding.
 * @param node the line it is about; NULL: the <VirtualHost> itself
 */
void snivhost_lint_add(snivhost_lint_t *lint, snivhost_lint_e kind,
                       const sniv_vhost_t *vhost, const ap_directive_t *node,
                       const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/** The same as a note, whatever the kind is: it may well be meant. */
void snivhost_lint_note(snivhost_lint_t *lint, snivhost_lint_e kind,
                        const sniv_vhost_t *vhost, const ap_directive_t *node,
                        const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/** Whether findings of this kind are wanted for this virtual host. */
int snivhost_lint_wants(const snivhost_lint_t *lint, snivhost_lint_e kind,
                        const sniv_vhost_t *vhost);

/* ----- looking up ----- */

/** The <VirtualHost> of a virtual host; NULL if it is not in the tree. */
const ap_directive_t *snivhost_lint_node(const snivhost_lint_t *lint,
                                         const sniv_vhost_t *vhost);

/** The first directive of a virtual host with this name, or NULL. */
const ap_directive_t *snivhost_lint_directive(const snivhost_lint_t *lint,
                                              const sniv_vhost_t *vhost,
                                              const char *name);

/** The ServerName or ServerAlias line that has a name, or NULL. */
const ap_directive_t *snivhost_lint_name_line(const snivhost_lint_t *lint,
                                              const sniv_vhost_t *vhost,
                                              const char *name);

/** Whether a virtual host certainly has no ServerName of its own. */
int snivhost_lint_is_nameless(const snivhost_lint_t *lint,
                              const sniv_vhost_t *vhost);

/** So many names are written out in one sentence. */
#define SNIVHOST_LINT_LISTED 3

/**
 * Names in words: 'a', 'b' and 'c', or 'a', 'b', 'c' and 5 more.
 * @param names the first SNIVHOST_LINT_LISTED of them at least
 * @param n how many there are
 */
const char *snivhost_lint_list(const char *const *names, int n,
                               apr_pool_t *p);

/** Whether mod_ssl will be on in a virtual host: 1, 0, or -1 if that cannot
 * be told. */
int snivhost_lint_is_tls(const snivhost_lint_t *lint,
                         const sniv_vhost_t *vhost);

/* ----- texts ----- */

/** A finding as one line: `SNIV0400: file:line: sentence`. */
const char *snivhost_finding_text(const snivhost_finding_t *finding,
                                  apr_pool_t *p);

/**
 * The findings as a JSON array, the caller's: code, level ("warning" or
 * "note"), file, line, vhost, defined_at, message.
 */
json_t *snivhost_lint_json(const apr_array_header_t *findings,
                           apr_pool_t *p);

#endif /* SNIVHOST_LINT_FINDING_H */
