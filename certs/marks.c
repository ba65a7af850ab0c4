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

#include "certs/inside.h"

/*
 * What is to be looked at without a round, because a round or the system has
 * come across a change of it:
 *
 *     event of a name -----> marked --> looked at --> waits, as in a round
 *     new folder, not               |
 *     listed any more               +--> later: gone for the first time, or a
 *                                        large folder that changes too often
 *
 * Each is on one list at most, and once, however often it changes; those that
 * are marked first come first.
 */

void sniv_marks_init(sniv_certs_t *certs)
{
    sniv_round_t *round = &certs->round;

    APR_RING_INIT(&round->marked, sniv_subject_t, marks);
    APR_RING_INIT(&round->later, sniv_subject_t, marks);
    APR_RING_INIT(&round->unwatched, sniv_subject_t, unwatched);
}

void sniv_subject_init(sniv_certs_t *certs, sniv_subject_t *subject,
                       int is_folder)
{
    subject->is_folder = is_folder & 1;
    APR_RING_ELEM_INIT(subject, marks);
    APR_RING_ELEM_INIT(subject, unwatched);
    sniv_watch_anew(certs, subject);
}

static void unmark(sniv_subject_t *subject)
{
    if (subject->is_marked) {
        APR_RING_REMOVE(subject, marks);
        subject->is_marked = 0;
    }
}

void sniv_subject_leave(sniv_subject_t *subject)
{
    unmark(subject);
    if (subject->is_unwatched) {
        APR_RING_REMOVE(subject, unwatched);
        subject->is_unwatched = 0;
    }
    sniv_watch_forget(subject);
}

void sniv_mark(sniv_certs_t *certs, sniv_subject_t *subject)
{
    if (subject->is_marked && subject->after == 0) {
        return;
    }
    unmark(subject);
    subject->is_marked = 1;
    subject->after = 0;
    APR_RING_INSERT_TAIL(&certs->round.marked, subject, sniv_subject_t,
                         marks);
}

void sniv_mark_all(sniv_certs_t *certs, sniv_folder_t *folder)
{
    folder->subject.is_all = 1;
    sniv_mark(certs, &folder->subject);
}

void sniv_mark_later(sniv_certs_t *certs, sniv_subject_t *subject,
                     apr_time_t when)
{
    if (!subject->is_marked) {
        subject->is_marked = 1;
        subject->after = when;
        APR_RING_INSERT_TAIL(&certs->round.later, subject, sniv_subject_t,
                             marks);
    }
}

void sniv_marks_due(sniv_certs_t *certs, apr_time_t now)
{
    sniv_subjects_t *later = &certs->round.later;
    sniv_subject_t *subject = APR_RING_FIRST(later), *next;

    for (; subject != APR_RING_SENTINEL(later, sniv_subject_t, marks);
         subject = next) {
        next = APR_RING_NEXT(subject, marks);
        /* a clock that was put back is not waited for */
        if (subject->after <= now
            || subject->after - now > apr_time_from_sec(600)) {
            sniv_mark(certs, subject);
        }
    }
}

static void mark_below(sniv_certs_t *certs, sniv_folder_t *folder)
{
    sniv_folder_t *in;
    sniv_item_t *item;

    for (item = folder->first; item; item = item->next) {
        sniv_mark(certs, &item->subject);
    }
    for (in = folder->first_in; in; in = in->next) {
        sniv_mark_all(certs, in);
    }
}

sniv_subject_t *sniv_marks_take(sniv_certs_t *certs)
{
    sniv_subjects_t *marked = &certs->round.marked;
    sniv_subject_t *subject;

    if (APR_RING_EMPTY(marked, sniv_subject_t, marks)) {
        return NULL;
    }
    subject = APR_RING_FIRST(marked);
    unmark(subject);
    if (subject->is_all) {
        subject->is_all = 0;
        mark_below(certs, (sniv_folder_t *)(void *)subject);
    }
    return subject;
}

void sniv_watch_anew(sniv_certs_t *certs, sniv_subject_t *subject)
{
    if (!subject->is_unwatched) {
        subject->is_unwatched = 1;
        APR_RING_INSERT_TAIL(&certs->round.unwatched, subject, sniv_subject_t,
                             unwatched);
    }
}

void sniv_watch_anew_in(sniv_certs_t *certs, sniv_folder_t *folder)
{
    sniv_folder_t *in;
    sniv_item_t *item;

    for (item = folder->first; item; item = item->next) {
        sniv_watch_anew(certs, &item->subject);
    }
    for (in = folder->first_in; in; in = in->next) {
        sniv_watch_anew(certs, &in->subject);
    }
}
