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


/* The certificates on the status page. */

#include "tell/page.h"

#include <stdlib.h>

#include "tell/served.h"
#include "tls/store.h"

#define CERTS_FEW 8

void snivhost_page_expiry(page_t *page, const sniv_cert_info_t *cert)
{
    static const char *const classes[] = { "good", "late", "warn", "bad" };
    const apr_time_t end = cert->not_after;

    out(page, "<span class=\"tag %s\" title=\"%s\">%s %s</span>",
        classes[sniv_cert_life(cert->not_before, end, page->now)],
        snivhost_time_text(page->p, end),
        end < page->now ? "expired" : "expires",
        snivhost_distance_text(page->p, end, page->now));
}

static void names_of(page_t *page, const sniv_cert_info_t *cert)
{
    int i;

    if (cert->nnames == 0) {
        out(page, "<b>%s</b>", *cert->subject ? esc(page, cert->subject)
                                              : "no name");
        return;
    }
    out(page, "<b>%s</b>", esc(page, cert->names[0]));
    for (i = 1; i < cert->nnames && i < NAMES_SHOWN; i++) {
        out(page, "%s%s", i == 1 ? "<br><span class=\"names\">" : ", ",
            esc(page, cert->names[i]));
    }
    if (i > 1)
        out(page, cert->nnames > i ? ", and %d more</span>" : "</span>",
            cert->nnames - i);
}

static void when(page_t *page, const char *what, apr_time_t time)
{
    out(page, "<br><span class=\"names\">%s %s</span>", what,
        snivhost_time_text(page->p, time));
}

static void certificate(page_t *page, const snivhost_tls_facts_t *tls, int i)
{
    const sniv_cert_info_t *cert = &tls->cert;

    out(page, "<li><span class=\"no\">%d</span><div>", i + 1);
    names_of(page, cert);
    for (i = 0; i < cert->nfiles; i++)
        out(page, "<br><span class=\"at\">%s</span>",
            esc(page, cert->files[i]));
    out(page, "</div><div class=\"tls\">");
    snivhost_page_expiry(page, cert);
    out(page, " <span class=\"tag\">%s</span> <span class=\"tag\">%s</span>",
        esc(page, cert->kinds), tls->how);
    when(page, "until", cert->not_after);
    if (cert->loaded)
        when(page, "loaded", cert->loaded);
    out(page, "</div></li>\n");
}

static void look_text(page_t *page)
{
    sniv_certs_looks_t looks;
    const char *state = snivhost_store_keeper(&looks);

    if (!looks.ended)
        return;
    out(page, "<p class=\"soft\">Files were last looked at %s%s</p>\n",
        snivhost_distance_text(page->p, looks.ended, page->now),
        !strcmp(state, "looking") ? "; they are being looked at now"
        : !strcmp(state, "off") ? "; changes take a restart"
        : !strcmp(state, "gone") ? "; the process that does it has ended, "
                                   "another one is going to be started" : "");
}

static void store_text(page_t *page)
{
    sniv_certs_stats_t stats;

    if (!snivhost_store())
        return;
    sniv_certs_stats(snivhost_store(), &stats);
    out(page, "<p class=\"soft\">Certificate store: %s certificate%s with "
        "%s chain%s in %s of %s KB</p>\n",
        snivhost_number_text(page->p, stats.entries),
        snivhost_plural(stats.entries),
        snivhost_number_text(page->p, stats.chains),
        snivhost_plural(stats.chains),
        snivhost_number_text(page->p, (unsigned long)
                             ((stats.bytes + 1023) / 1024)),
        snivhost_number_text(page->p, (unsigned long)
                             ((stats.room + 1023) / 1024)));
    look_text(page);
}

static void list(page_t *page, const snivhost_served_t *served, int from,
                 int to)
{
    apr_pool_t *p = page->p;
    int i;

    out(page, "<ol class=\"hosts\" start=\"%d\">\n", from + 1);
    apr_pool_create(&page->p, p);
    for (i = from; i < to; i++) {
        snivhost_tls_facts_t tls;

        if (snivhost_served_describe(page->facts, &served[i], &tls, page->p))
            certificate(page, &tls, i);
        apr_pool_clear(page->p);
    }
    apr_pool_destroy(page->p);
    page->p = p;
    out(page, "</ol>\n");
}

void snivhost_page_certs(page_t *page)
{
    const int is_list = page->view->certificates;
    const int here = is_list ? page->view->page : 0;
    const int size = is_list ? SNIVHOST_SERVED_PAGE : CERTS_FEW;
    snivhost_served_sum_t sum;
    snivhost_served_t *served;
    int n;

    if (!snivhost_live)
        return;
    served = snivhost_served_page(here, size, &n, &sum);
    out(page, "<section id=\"certificates\"><h2>Certificates</h2>\n"
        "<p>%s served, those that expire first on top",
        snivhost_number_text(page->p, sum.all));
    if (sum.late)
        out(page, "; <b>%s</b> with less than a third of %s life left",
            snivhost_number_text(page->p, sum.late),
            sum.late == 1 ? "its" : "their");
    out(page, "</p>\n");
    store_text(page);
    if (is_list) {
        out(page, "<p><a href=\"%s#hosts\">all addresses</a></p>\n",
            page->self);
        snivhost_page_numbers(page, "certificates", "certificates", here,
                              sum.all, size);
    }
    list(page, served, here * size, n);
    if (is_list)
        snivhost_page_numbers(page, "certificates", "certificates", here,
                              sum.all, size);
    else if (n < sum.all)
        out(page, "<p><a href=\"%s\">all %s of them</a></p>\n",
            link_to(page, "certificates#certificates"),
            snivhost_number_text(page->p, sum.all));
    out(page, "</section>\n");
    free(served);
}
