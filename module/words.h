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

#ifndef SNIVHOST_MODULE_WORDS_H
#define SNIVHOST_MODULE_WORDS_H

/**
 * @file module/words.h
 * Addresses, virtual hosts, decisions, times and numbers as text for
 * administrators. Everything is allocated from the pool that is given.
 */

#include "module/record.h"

/** The address of a set as <VirtualHost> has it: `*:443`, `[::1]:*`. */
const char *snivhost_set_text(apr_pool_t *p, const sniv_set_t *set);

/** The same for any address and port. */
const char *snivhost_addr_text(apr_pool_t *p, const sniv_ip_t *ip,
                               apr_port_t port);

/** `name (file:line)`, or `main server name` for the main server. */
const char *snivhost_vhost_text(apr_pool_t *p, const sniv_vhost_t *vhost);

/** Where a virtual host is defined: `file:line`, `not in a file`; or `main
 * server`. */
const char *snivhost_place_text(apr_pool_t *p, const server_rec *s);

/**
 * The rule and its pattern: `alias 'www.example.com'`, `default`.
 */
const char *snivhost_rule_text(apr_pool_t *p, const sniv_decision_t *d);

/** "On", "Off", "Verify". */
const char *snivhost_mode_text(snivhost_mode_e mode);

/** "2027-01-31 12:00:00 UTC". */
const char *snivhost_time_text(apr_pool_t *p, apr_time_t when);

/** "in 40 days", "3 days ago", "in 5 hours". */
const char *snivhost_distance_text(apr_pool_t *p, apr_time_t when,
                                   apr_time_t now);

/** 1234567 as "1,234,567". */
const char *snivhost_number_text(apr_pool_t *p, unsigned long n);

/**
 * A text to stand between single quotes of a shell. Clients choose the names
 * in questions, and administrators copy the line.
 */
const char *snivhost_in_shell_quotes(apr_pool_t *p, const char *text);

/**
 * The length of the UTF-8 character at text that a terminal prints; 0: a
 * control character, one that changes the direction of text, or none.
 */
int snivhost_printable_length(const unsigned char *text);

/**
 * A text that can go to a terminal: control characters, those that UTF-8 can
 * say with two bytes too, and bytes that are not UTF-8 are written as \xHH.
 * Names of files, in certificates and in directives come from others.
 * @return text itself if there are none
 */
const char *snivhost_printable(apr_pool_t *p, const char *text);

/** The same on one line: line feeds become blanks. */
const char *snivhost_one_line(apr_pool_t *p, const char *text);

/** A copy in lower case; only A to Z are letters. */
char *snivhost_lower(apr_pool_t *p, const char *text);

/** What follows a number of things: "" or "s". */
const char *snivhost_plural(apr_int64_t n);

/** "2027-01-31". */
const char *snivhost_day_text(apr_pool_t *p, apr_time_t when);

/** The server name of a request's handshake, escaped for a log; NULL if there
 * was none. */
const char *snivhost_sni_text(request_rec *r);

/**
 * Who set a connection up, for a log line about a request: "the handshake was
 * for SNI 'a.example' and a.example (sites.conf:9)".
 * @return "" if it had no TLS handshake that we have seen
 */
const char *snivhost_handshake_text(request_rec *r);

#endif /* SNIVHOST_MODULE_WORDS_H */
