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

#ifndef SNIVHOST_TELL_RENDER_H
#define SNIVHOST_TELL_RENDER_H

/**
 * @file tell/render.h
 * Explanations and what they are made of as text for a terminal and as JSON.
 * The manual has the shape of the JSON.
 */

#include <jansson.h>

#include "module/record.h"
#include "tell/explain.h"
#include "tell/tlsfacts.h"

/** Columns of a terminal. */
#define SNIVHOST_COLUMNS 100

/** Lines being collected; elements are const char *. */
typedef apr_array_header_t snivhost_lines_t;

snivhost_lines_t *snivhost_lines_make(apr_pool_t *p);

/**
 * Add a text, broken at blanks into lines that fit.
 * @param label what the first line begins with, or ""
 * @param indent of the lines after it, and of the text in the first one if
 *        the label is shorter
 */
void snivhost_lines_add(snivhost_lines_t *lines, const char *label,
                        int indent, const char *text);

/** All lines, each with its line feed. */
const char *snivhost_lines_text(const snivhost_lines_t *lines, apr_pool_t *p);

/** The answer alone, for the top: a line, if it is not too long for one. */
const char *snivhost_render_answer(const snivhost_explanation_t *x,
                                   apr_pool_t *p);

/** An explanation for a terminal: the question, the answer, each step. */
const char *snivhost_render_explanation(const snivhost_explanation_t *x,
                                        apr_pool_t *p);

/** An explanation as JSON, the caller's; NULL: no memory. */
json_t *snivhost_json_explanation(const snivhost_explanation_t *x,
                                  apr_pool_t *p);

/** A certificate as JSON, null if there is none. */
json_t *snivhost_json_certificate(const snivhost_tls_facts_t *tls,
                                  apr_pool_t *p);

#endif /* SNIVHOST_TELL_RENDER_H */
