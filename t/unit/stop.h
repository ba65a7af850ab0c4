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

#ifndef SNIVHOST_T_UNIT_STOP_H
#define SNIVHOST_T_UNIT_STOP_H

/* Children that work until SIGTERM, in several threads. */

void stop_on_signal(void);      /* in the child; it ends after two minutes */
int stop_was_asked(void);

#endif /* SNIVHOST_T_UNIT_STOP_H */
