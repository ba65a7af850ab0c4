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

#ifndef SNIVHOST_MODULE_ASKED_H
#define SNIVHOST_MODULE_ASKED_H

/**
 * @file module/asked.h
 * What a test of the configuration (-t) was asked to print: -D DUMP_... and
 * the questions of SNIVHostExplain and
 * SNIVHostCompare. One thread, while a configuration is
 * read and tested.
 */

#include "module/record.h"

/**
 * Add a question to snivhost_site.questions.
 * @param size of a question, a snivhost_question_t (tell/question.h)
 * @return where it goes
 */
void *snivhost_questions_push(apr_pool_t *pconf, int size);

/** Add what SNIVHostCompare was given: an array of const char *. */
void snivhost_comparisons_push(apr_pool_t *pconf,
                               const apr_array_header_t *words);

/** Add a file that SNIVHostExpect was given. */
void snivhost_expected_push(apr_pool_t *pconf, const char *path);

/** The first -D DUMP_... of ours that was given, or NULL. */
const char *snivhost_asked_define(void);

/** Whether anything was asked for: then findings stay silent, as they would
 * stand in what is printed. */
int snivhost_is_asked(void);

#endif /* SNIVHOST_MODULE_ASKED_H */
