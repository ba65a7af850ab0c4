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


#ifndef SNIVHOST_TELL_PAGE_H
#define SNIVHOST_TELL_PAGE_H

/**
 * @file tell/page.h
 * The status page while it is made. For its own files only: page.c, the whole
 * and the virtual hosts; page_certs.c, the certificates.
 *
 * Every text that did not come from these files goes through esc().
 */

#include "apr_buckets.h"
#include "apr_strings.h"
#include "http_core.h"

#include "module/words.h"
#include "tell/status.h"

/* Names that are shown of a virtual host or certificate. */
#define NAMES_SHOWN 12

typedef struct page_t {
    apr_bucket_brigade *bb;
    request_rec *r;
    apr_pool_t *p;
    const snivhost_facts_t *facts;
    const snivhost_view_t *view;
    const char *self;           /**< the path of this page, escaped */
    apr_time_t now;
} page_t;

/** A text as HTML, with everything in it that a terminal must not get
 * escaped, too; NULL is empty. */
static APR_INLINE const char *esc(page_t *page, const char *text)
{
    return text ? ap_escape_html(page->p, snivhost_printable(page->p, text))
                : "";
}

static APR_INLINE void out(page_t *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static APR_INLINE void out(page_t *page, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    apr_brigade_vprintf(page->bb, NULL, NULL, format, args);
    va_end(args);
}

/** A link to this page with a query string. */
static APR_INLINE const char *link_to(page_t *page, const char *args)
{
    return apr_pstrcat(page->p, page->self, "?", args, NULL);
}

/**
 * Links to the other pages of a list.
 * @param key the parameter that chooses the list
 * @param anchor the id of its section
 * @param here the number of this page, from 0
 * @param n how many there are in all, @param size how many on a page
 */
void snivhost_page_numbers(page_t *page, const char *key, const char *anchor,
                           int here, int n, int size);

/** How long a certificate is valid, as a tag. */
void snivhost_page_expiry(page_t *page, const sniv_cert_info_t *cert);

/** The section about certificates: the list, if that is asked for, else the
 * first ones of it. */
void snivhost_page_certs(page_t *page);

#endif /* SNIVHOST_TELL_PAGE_H */
