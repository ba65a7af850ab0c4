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


#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "reference.h"

int reference_match(const char *host, const char *glob)
{
    for (; *glob; glob++, host++) {
        if (*glob == '*') {
            while (*glob == '*') {
                glob++;
            }
            if (!*glob) {
                return 0;
            }
            for (; *host; host++) {
                int rv = reference_match(host, glob);

                if (rv != 1) {
                    return rv;
                }
            }
            return -1;
        }
        if (!*host) {
            return -1;
        }
        if (*glob != '?' && tolower((unsigned char)*host)
                            != tolower((unsigned char)*glob)) {
            return 1;
        }
    }
    return *host != '\0';
}

int reference_find(const reference_t *patterns, int n, const char *host,
                   int after)
{
    int i;

    for (i = after + 1; i < n; i++) {
        if (patterns[i].is_glob ? !reference_match(host, patterns[i].text)
                                : !strcasecmp(host, patterns[i].text)) {
            return i;
        }
    }
    return -1;
}
