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

#ifndef SNIVHOST_TLS_SNI_POLICY_H
#define SNIVHOST_TLS_SNI_POLICY_H

/**
 * @file tls/sni_policy.h
 * What mod_ssl's SSLVHostSNIPolicy says about two virtual hosts: may a
 * connection whose handshake one of them did carry requests for the other,
 * or is that answered 421? And which directives make the difference?
 *
 * httpd before 2.4.66 has no such directive but one rule, between secure and
 * authonly: SNIVHOST_SSLPOLICY_BUILT_IN. Which of the two it is mod_ssl's
 * command table says.
 *
 * mod_ssl compares a digest of some settings (create_sni_policy_hash() in
 * ssl_engine_init.c) that nobody else can see. So the settings that go into
 * it come from tls/settings.h, merged and normalised the way mod_ssl does it.
 * That is exact but for certificates that mod_md gives:
 * see snivhost_sslpolicy_unsure().
 *
 * From check_config on, also while requests are served: httpd keeps the
 * tree. Any thread that owns what it asks about.
 */

#include "module/record.h"
#include "tls/settings.h"

/** SSLVHostSNIPolicy, the strictest first. */
typedef enum {
    SNIVHOST_SSLPOLICY_STRICT,      /**< the same virtual host */
    SNIVHOST_SSLPOLICY_SECURE,      /**< the default: the same TLS settings
                                         and certificates */
    SNIVHOST_SSLPOLICY_AUTHONLY,    /**< the same client authentication */
    SNIVHOST_SSLPOLICY_INSECURE,    /**< anything goes */
    SNIVHOST_NSSLPOLICIES,
    SNIVHOST_SSLPOLICY_BUILT_IN = SNIVHOST_NSSLPOLICIES /**< the one rule of a
                                         mod_ssl without SSLVHostSNIPolicy */
} snivhost_sslpolicy_e;

/** What one virtual host has for a directive. */
typedef struct snivhost_setting_t {
    const char *value;      /**< as mod_ssl understands it, several with a
                                 line feed between; NULL: not set */
    const char *file;       /**< where it is written; NULL: nowhere */
    unsigned line;
} snivhost_setting_t;

/** A directive that two virtual hosts do not have in common. */
typedef struct snivhost_difference_t {
    const char *directive;
    int authonly;           /**< matters to authonly too, not to secure
                                 alone */
    const char *policies;   /**< which look at it: "secure, authonly" */
    snivhost_setting_t a, b;
} snivhost_difference_t;

/** The policy's name as SSLVHostSNIPolicy has it, or "built-in". */
const char *snivhost_sslpolicy_name(snivhost_sslpolicy_e policy);

/** "SSLVHostSNIPolicy secure", or what to say in place of it. */
const char *snivhost_sslpolicy_text(snivhost_sslpolicy_e policy, apr_pool_t *p);

/** The one that is configured; BUILT_IN if that cannot be configured. */
snivhost_sslpolicy_e
snivhost_sslpolicy_configured(const snivhost_tlsconfs_t *all);

/** Whether mod_ssl does TLS for a server: SSLEngine on, or `Listen ... https`
 * with a certificate. */
int snivhost_sslpolicy_enabled(const snivhost_tlsconfs_t *all,
                               const server_rec *s);

/** Whether mod_ssl has an SSL_CTX for a server: also for SSLEngine optional
 * before httpd 2.4.64. */
int snivhost_sslpolicy_has_context(const snivhost_tlsconfs_t *all,
                                   const server_rec *s);

/** Whether SSLStrictSNIVHostCheck is on for a server. */
int snivhost_sslpolicy_strict_sni(const snivhost_tlsconfs_t *all,
                                  const server_rec *s);

/**
 * Whether a policy lets a connection of one server carry requests for
 * another one. The order of the two does not matter.
 */
int snivhost_sslpolicy_allows(const snivhost_tlsconfs_t *all,
                              snivhost_sslpolicy_e policy,
                              const server_rec *a, const server_rec *b);

/**
 * A text that is the same for two servers if and only if the policy, secure,
 * authonly or built-in, allows the one for the other: to find groups.
 */
const char *snivhost_sslpolicy_key(const snivhost_tlsconfs_t *all,
                                   snivhost_sslpolicy_e policy,
                                   const server_rec *s, apr_pool_t *p);

/** A directive and what one virtual host has for it. */
typedef struct snivhost_named_t {
    const char *directive;
    snivhost_setting_t setting;
} snivhost_named_t;

/**
 * The settings in effect for a server that a policy looks at, certificates
 * aside.
 * @return snivhost_named_t elements whose values are not NULL; from p
 */
const apr_array_header_t *snivhost_sslpolicy_settings(
    const snivhost_tlsconfs_t *all, const server_rec *s, apr_pool_t *p);

/**
 * The directives in which two servers differ as far as a policy of this
 * httpd looks at them.
 * @return snivhost_difference_t elements; from p
 */
const apr_array_header_t *snivhost_sslpolicy_differs(
    const snivhost_tlsconfs_t *all, const server_rec *a, const server_rec *b,
    apr_pool_t *p);

/**
 * Why what is said here about two servers may not be so.
 * @param has_sni whether the client gave a name
 * @return NULL: it is so; or a sentence
 */
const char *snivhost_sslpolicy_unsure(const snivhost_tlsconfs_t *all,
                                      int has_sni, const server_rec *a,
                                      const server_rec *b);

/**
 * Whether mod_ssl asks the policy at all: where the rule is built in only if
 * the client gave a name.
 */
int snivhost_sslpolicy_is_asked(const snivhost_tlsconfs_t *all, int has_sni);

/** A setting: `'TLSv1.2' (sites.conf:23)`, or "nothing". */
const char *snivhost_setting_text(apr_pool_t *p,
                                  const snivhost_setting_t *setting);

#endif /* SNIVHOST_TLS_SNI_POLICY_H */
