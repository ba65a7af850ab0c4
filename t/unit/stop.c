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

#include "stop.h"

#include <signal.h>
#include <unistd.h>

static int asked;

int stop_was_asked(void)
{
    return __atomic_load_n(&asked, __ATOMIC_SEQ_CST);
}

static void on_signal(int dummy)
{
    (void)dummy;
    __atomic_store_n(&asked, 1, __ATOMIC_SEQ_CST);
}

void stop_on_signal(void)
{
    asked = 0;
    signal(SIGTERM, on_signal);
    alarm(120);
}
