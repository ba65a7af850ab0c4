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

#include "module/limit.h"

#include "apr_atomic.h"
#include "apr_strings.h"
#include "apr_time.h"

int snivhost_may_say(snivhost_limit_t *limit, apr_uint32_t *unsaid)
{
    apr_uint32_t now = (apr_uint32_t)apr_time_sec(apr_time_now());
    apr_uint32_t then = apr_atomic_read32(&limit->second);

    if (now == then || apr_atomic_cas32(&limit->second, now, then) != then) {
        apr_atomic_inc32(&limit->unsaid);
        return 0;
    }
    *unsaid = apr_atomic_xchg32(&limit->unsaid, 0);
    return 1;
}

const char *snivhost_unsaid_text(apr_pool_t *p, apr_uint32_t unsaid)
{
    return unsaid ? apr_psprintf(p, " (and %u like it since the last such "
                                 "line)", unsaid) : "";
}
