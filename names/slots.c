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


#include "names/slots.h"

/* So many of a line's slots are used on average; with 16 of 20 one line in
 * eight spills. */
#define LINE_LOAD 16

#define DISTANCE_MAX 0xffffu

/* With so many items records and lines are no longer in the cache, and it
 * pays to leave gaps between the records. */
#define SPREAD_MIN 4096

apr_uint32_t sniv_slots_plan(sniv_slots_t *slots, sniv_filed_t *items,
                             apr_uint32_t n, apr_uint32_t place)
{
    apr_uint32_t line = 0, used = 0, base = 0, i;
    apr_uint64_t units = 0;

    /* At least one, so that finding needs no special case. */
    slots->nlines = n / LINE_LOAD + 1;
    for (i = 0; i < n; i++) {
        units += items[i].units;
    }
    slots->first = place;
    slots->room = n < SPREAD_MIN ? 0 : (apr_uint32_t)(units * 6 / 5);

    for (i = 0; i < n; i++) {
        apr_uint32_t home = sniv_slots_line(slots, items[i].hash);
        apr_uint32_t likely = sniv_slots_likely(slots, items[i].hash);

        if (place < likely) {
            place = likely;
        }
        if (home > line) {
            line = home;
            used = 0;
        }
        else if (used == SNIV_LINE_SLOTS
                 || (used && place - base > DISTANCE_MAX)) {
            line++;
            used = 0;
        }
        if (!used++) {
            base = place;
        }
        items[i].line = line;
        items[i].place = place;
        place += items[i].units;
    }
    slots->total = line < slots->nlines ? slots->nlines : line + 1;
    return place;
}

void sniv_slots_write(sniv_slots_t *slots, const sniv_filed_t *items,
                      apr_uint32_t n)
{
    apr_uint32_t used = 0, i, spilled;

    for (i = 0; i < n; i++) {
        sniv_line_t *line = &slots->lines[items[i].line];

        if (!i || items[i].line != items[i - 1].line) {
            line->base = items[i].place;
            used = 0;
        }
        line->tags[used] = sniv_slots_tag(items[i].hash);
        line->distances[used++] = (apr_uint16_t)(items[i].place - line->base);
        for (spilled = sniv_slots_line(slots, items[i].hash);
             spilled < items[i].line; spilled++) {
            slots->lines[spilled].base |= SNIV_SPILLED;
        }
    }
}
