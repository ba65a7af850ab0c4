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

#ifndef SNIVHOST_SERVE_ENV_H
#define SNIVHOST_SERVE_ENV_H

/**
 * @file serve/env.h
 * How a request came to its virtual host, for scripts, expressions and logs:
 *
 *     SNIVHOST_VHOST        ServerName of the virtual host
 *     SNIVHOST_RULE         the rule by which it was chosen (sniv_rule_name),
 *                           or "early": refused before names are looked at
 *     SNIVHOST_SNI_RULE     the rule of the handshake, or "malformed"
 *     SNIVHOST_ADDRESS      the address set, as in <VirtualHost>, or "none"
 *     SNIVHOST_CERTIFICATE  the first name of the certificate that the client
 *                           was shown, or its subject
 *
 * as environment variables where SNIVHostEnv is On; as %{NAME} in expressions
 * and as %{NAME}^sv in LogFormat always, computed when they are asked for.
 * A variable that makes no sense for a request is not set.
 */

#include "ap_expr.h"

#include "module/record.h"

/* The phases, for the hook table in mod_snivhost.c. */
int snivhost_env_pre_config(apr_pool_t *p, apr_pool_t *plog,
                            apr_pool_t *ptemp);
int snivhost_env_post_read_request(request_rec *r);
int snivhost_env_log_transaction(request_rec *r);
int snivhost_env_expr_lookup(ap_expr_lookup_parms *parms);

#endif /* SNIVHOST_SERVE_ENV_H */
