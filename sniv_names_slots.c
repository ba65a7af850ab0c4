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


#include "sniv_names_slots.h"

apr_uint32_t sniv_slots_lines(apr_uint32_t nkeys)
{
    /* Eight of ten slots used on average: few lines spill. At least one
     * line, so that a search needs no special case for an empty table. */
    return nkeys / 8 + 1;
}

void sniv_slots_insert(sniv_slots_t *slots, apr_uint64_t hash,
                      apr_uint32_t place)
{
    apr_uint32_t n = sniv_slots_line(slots, hash);
    sniv_line_t *line = &slots->lines[n];

    while (line->used == SNIV_LINE_SLOTS) {
        line->spilled = 1;
        n = n + 1 < slots->nlines ? n + 1 : 0;
        line = &slots->lines[n];
    }
    line->tags[line->used] = sniv_slots_tag(hash);
    line->places[line->used++] = place;
}
