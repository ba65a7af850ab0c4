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

/*
 * The status page: HTML without script, for a wide window and for a phone,
 * light and dark as the reader's system is.
 */

#include "tell/page.h"

#include <stdlib.h>

#include "apr_lib.h"
#include "http_protocol.h"

#include "tell/sets.h"
#include "tls/mirror.h"

/* Members of an address that is folded, and on a page of their own. */
#define MEMBERS_FEW 8
#define MEMBERS_PAGE 100
#define SETS_PAGE 50
#define FOUND_MAX 100
/* httpd silently leaves out longer -c lines. */
#define COMMAND_MAX 180

static const char style[] =
":root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b1f24;"
"--soft:#5b6470;--line:#dde1e6;--accent:#1f6feb;--good:#1a7f37;"
"--goodbg:#e6f5ea;--bad:#b42318;--badbg:#fdecea;--warn:#8a5a00;"
"--warnbg:#fff4dc;--bar:#cfe1fb}\n"
"@media (prefers-color-scheme:dark){:root{--bg:#111418;--card:#1a1f25;"
"--ink:#e6e9ed;--soft:#9aa4b0;--line:#2d343c;--accent:#6aa6ff;"
"--good:#5fce82;--goodbg:#15301f;--bad:#ff8f86;--badbg:#3a1a18;"
"--warn:#f0c063;--warnbg:#352810;--bar:#23406b}}\n"
"*{box-sizing:border-box}\n"
"body{margin:0;background:var(--bg);color:var(--ink);"
"font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif}\n"
"main,header{max-width:68rem;margin:0 auto;padding:0 1rem}\n"
"header{padding-top:1.4rem}\n"
"h1{font-size:1.45rem;margin:0}h2{font-size:1.1rem;margin:0 0 .7rem}\n"
"h3{font-size:.95rem;margin:1rem 0 .3rem}\n"
"header p{margin:.2rem 0 1rem;color:var(--soft)}\n"
"section{background:var(--card);border:1px solid var(--line);"
"border-radius:.6rem;padding:1rem 1.1rem;margin:0 0 1rem}\n"
"code,.at{font:.86em/1.45 ui-monospace,'SF Mono',Menlo,Consolas,monospace;"
"overflow-wrap:anywhere}\n"
"pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere}\n"
".at,.soft{color:var(--soft)}\n"
"a{color:var(--accent)}\n"
"form{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.4rem,1fr));"
"gap:.6rem;align-items:end}\n"
"form.find{grid-template-columns:minmax(0,22rem) 7rem;"
"margin-bottom:.8rem}\n"
"label{display:block;font-size:.82rem;color:var(--soft)}\n"
"input,select,button{width:100%;font:inherit;color:inherit;margin-top:.15rem;"
"height:2.4rem;padding:0 .55rem;border:1px solid var(--line);"
"border-radius:.4rem;background:var(--bg)}\n"
"button{background:var(--accent);border-color:var(--accent);color:#fff;"
"font-weight:600;cursor:pointer}\n"
"@media (prefers-color-scheme:dark){button{color:#0b1220}}\n"
":focus-visible{outline:2px solid var(--accent);outline-offset:2px}\n"
".answer{border-left:.3rem solid var(--good);padding:.1rem 0 .1rem .9rem;"
"margin-top:1.1rem}.answer.bad{border-color:var(--bad)}\n"
".verdict{font-size:1.2rem;font-weight:650;overflow-wrap:anywhere;"
"margin:.1rem 0}\n"
".tag{display:inline-block;font-size:.75rem;font-weight:600;line-height:1.5;"
"padding:0 .45rem;border-radius:1rem;background:var(--bg);"
"border:1px solid var(--line);color:var(--soft);white-space:nowrap}\n"
".tag.good{background:var(--goodbg);color:var(--good);border-color:"
"transparent}.tag.bad{background:var(--badbg);color:var(--bad);border-color:"
"transparent}.tag.warn{background:var(--warnbg);color:var(--warn);"
"border-color:transparent}\n"
"dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem .9rem;"
"margin:.5rem 0}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}\n"
"details{border-top:1px solid var(--line);padding:.5rem 0}\n"
"summary{cursor:pointer;padding:.15rem 0;overflow-wrap:anywhere}\n"
"summary b{font-size:1.02rem}\n"
".steps{margin:.2rem 0 .6rem;padding-left:1.2rem}"
".steps li{margin:.15rem 0;overflow-wrap:anywhere}\n"
".counts{columns:3 16rem;column-gap:2rem}"
".counts>div{break-inside:avoid;padding-bottom:.4rem}"
".counts h3{margin-top:0}\n"
".count{display:flex;justify-content:space-between;gap:.8rem;"
"padding:.12rem .4rem;border-radius:.25rem}.count span:last-child{"
"font-variant-numeric:tabular-nums;white-space:nowrap}"
".count.zero{color:var(--soft)}\n"
"ol.hosts{list-style:none;margin:.3rem 0 0;padding:0}\n"
"ol.hosts>li{display:grid;grid-template-columns:2.7rem 1.2fr 1fr;"
"gap:.1rem .8rem;padding:.5rem 0;border-top:1px solid var(--line)}\n"
"ol.hosts .no{color:var(--soft);text-align:right;"
"font-variant-numeric:tabular-nums}\n"
"ol.hosts b,ol.hosts .names{overflow-wrap:anywhere}\n"
".names{color:var(--soft);font-size:.9rem}\n"
".pages{display:flex;flex-wrap:wrap;gap:.4rem 1rem;margin:.7rem 0 .2rem}\n"
".differs{display:grid;grid-template-columns:1fr 1fr;gap:.2rem 1rem}"
".differs h4{grid-column:1/-1;margin:.6rem 0 0;font-size:.9rem}\n"
"footer{max-width:68rem;margin:0 auto;padding:0 1rem 2rem;"
"color:var(--soft);font-size:.85rem}\n"
"@media (max-width:40rem){ol.hosts>li{grid-template-columns:2.4rem 1fr}"
"ol.hosts .tls{grid-column:2}.differs,dl{grid-template-columns:1fr}"
"dt{margin-top:.35rem}section{padding:.9rem .8rem}"
"main,header,footer{padding-left:.6rem;padding-right:.6rem}}\n";

static const char *place(page_t *page, const sniv_vhost_t *v)
{
    return esc(page, snivhost_place_text(page->p, v->server));
}

/* ----- the question box ----- */

static void field(page_t *page, const char *label, const char *name,
                  const char *value, const char *hint, const char *more)
{
    out(page, "<label>%s<input name=\"%s\" value=\"%s\" placeholder=\"%s\" "
        "autocapitalize=\"none\" autocomplete=\"off\" spellcheck=\"false\""
        "%s></label>\n", label, name, esc(page, value), hint, more);
}

/* Addresses that can be asked for: those of sets, and the one that this
 * request has come to where a set is for any. */
static void address_list(page_t *page)
{
    const sniv_table_t *table = page->facts->table;
    sniv_ip_t here;
    int i;

    sniv_ip_from_sockaddr(&here, page->r->connection->local_addr);
    out(page, "<datalist id=\"addresses\">\n");
    for (i = 0; i < table->nsets && i < 100; i++) {
        const sniv_set_t *set = table->sets[i];
        const sniv_ip_t *ip = sniv_ip_is_any(&set->ip) ? &here : &set->ip;

        if (set->port) {
            out(page, "<option value=\"%s\">\n",
                snivhost_addr_text(page->p, ip, set->port));
        }
    }
    out(page, "</datalist>\n");
}

static void question_form(page_t *page)
{
    const snivhost_view_t *view = page->view;
    const char *address = view->address;
    const char *const versions[] = { "", "1.1", "1.0" };
    const char *const words[] = { "default", "1.1 and 2", "1.0" };
    int i;

    if (!address) {
        sniv_ip_t ip;

        sniv_ip_from_sockaddr(&ip, page->r->connection->local_addr);
        address = snivhost_addr_text(page->p, &ip,
                                     page->r->connection->local_addr->port);
    }
    out(page, "<form method=\"get\" action=\"%s#answer\">\n", page->self);
    field(page, "Server address and port", "address", address,
          "192.0.2.1:443", " list=\"addresses\" required");
    field(page, "SNI (TLS server name)", "sni", view->sni,
          "www.example.com", "");
    field(page, "Host header", "host", view->host, "www.example.com", "");
    field(page, "Path", "path", view->path, "/", "");
    out(page, "<label>HTTP version<select name=\"http\">\n");
    for (i = 0; i < 3; i++) {
        out(page, "<option value=\"%s\"%s>%s</option>\n", versions[i],
            view->http && !strcmp(view->http, versions[i]) ? " selected" : "",
            words[i]);
    }
    out(page, "</select></label>\n<button>Explain</button>\n</form>\n");
    address_list(page);
}

/* ----- the answer ----- */

static void answer_steps(page_t *page, const snivhost_explanation_t *x)
{
    int phase, i;

    out(page, "<details open><summary><b>Step by step</b></summary>\n");
    for (phase = 0; phase <= SNIVHOST_PHASE_CHECKS; phase++) {
        int n = 0;

        for (i = 0; i < x->steps->nelts; i++) {
            const snivhost_step_t *step =
                &APR_ARRAY_IDX(x->steps, i, snivhost_step_t);

            if ((int)step->phase != phase)
                continue;
            if (n++ == 0) {
                const char *name = snivhost_phase_name(phase);

                out(page, "<h3>%c%s</h3>\n<ul class=\"steps\">\n",
                    apr_toupper(*name), name + 1);
            }
            out(page, "<li>%s</li>\n", esc(page, step->text));
        }
        if (n)
            out(page, "</ul>\n");
    }
    out(page, "</details>\n");
}

static void answer_others(page_t *page, const snivhost_explanation_t *x)
{
    int i;

    if (x->others->nelts == 0)
        return;
    out(page, "<details><summary><b>Next in line</b> <span "
        "class=\"soft\">these would have been chosen "
        "otherwise</span></summary>\n<ol>\n");
    for (i = 0; i < x->others->nelts; i++) {
        const snivhost_other_t *other =
            &APR_ARRAY_IDX(x->others, i, snivhost_other_t);

        out(page, "<li><b>%s</b> <span class=\"tag\">%s</span> %s "
            "<span class=\"at\">%s</span><br><span class=\"soft\">%s"
            "</span></li>\n",
            esc(page, other->decision.vhost->server_name),
            snivhost_phase_name(other->phase),
            esc(page, snivhost_rule_text(page->p, &other->decision)),
            place(page, other->decision.vhost), esc(page, other->why));
    }
    out(page, "</ol>\n");
    if (x->nothers_left_out)
        out(page, "<p class=\"soft\">and %d more</p>\n", x->nothers_left_out);
    out(page, "</details>\n");
}

static void setting(page_t *page, const char *whose,
                    const snivhost_setting_t *s)
{
    out(page, "<div><span class=\"soft\">%s</span><pre><code>%s</code></pre>",
        whose, s->value ? esc(page, s->value) : "not set");
    if (s->file)
        out(page, "<span class=\"at\">%s:%u</span>", esc(page, s->file),
            s->line);
    out(page, "</div>\n");
}

static void answer_differs(page_t *page, const snivhost_explanation_t *x)
{
    int i;

    if (!x->differs || x->differs->nelts == 0)
        return;
    out(page, "<details%s><summary><b>Directives that differ</b></summary>\n"
        "<div class=\"differs\">\n",
        x->status == HTTP_MISDIRECTED_REQUEST ? " open" : "");
    for (i = 0; i < x->differs->nelts; i++) {
        const snivhost_difference_t *d =
            &APR_ARRAY_IDX(x->differs, i, snivhost_difference_t);

        out(page, "<h4>%s <span class=\"tag\">%s</span></h4>\n",
            d->directive, d->policies);
        setting(page, "handshake", &d->a);
        setting(page, "request", &d->b);
    }
    out(page, "</div></details>\n");
}

static void row(page_t *page, const char *label, const char *html)
{
    out(page, "<dt>%s</dt><dd>%s</dd>\n", label, html);
}

static void answer_summary(page_t *page, const snivhost_explanation_t *x)
{
    apr_pool_t *p = page->p;

    if (!x->alert) {
        row(page, "defined at", apr_psprintf(p, "<span class=\"at\">%s"
            "</span>", place(page, x->request.vhost)));
        row(page, "rule", esc(page, x->request.pattern
            ? apr_psprintf(p, "%s '%s'", x->rule, x->request.pattern)
            : x->rule));
    }
    if (x->speaks_tls) {
        row(page, "handshake", apr_psprintf(p, "%s, %s <span class=\"at\">%s"
            "</span>", esc(page, x->handshake.vhost->server_name),
            esc(page, snivhost_rule_text(p, &x->handshake)),
            place(page, x->handshake.vhost)));
    }
    if (x->cert_vhost) {
        row(page, "certificate", x->tls.has_cert
            ? apr_psprintf(p, "%s, until %s, %s%s%s<br><span class=\"at\">"
                           "%s</span>", esc(page, x->tls.cert.subject),
                           snivhost_time_text(p, x->tls.cert.not_after),
                           snivhost_distance_text(p, x->tls.cert.not_after,
                                                  page->now),
                           x->cert_trouble ? "; clients reject it: it " : "",
                           esc(page, x->cert_trouble),
                           esc(page, x->tls.cert.nfiles
                                     ? x->tls.cert.files[0] : ""))
            : esc(page, x->tls.problem));
    }
    row(page, "refusal", x->alert
        ? apr_psprintf(p, "alert %s: %s", snivhost_alert_text(x->alert),
                       esc(page, x->reason))
        : x->status ? apr_psprintf(p, "%s: %s",
                                   snivhost_status_text(x->status),
                                   esc(page, x->reason))
        : "none");
}

static void answer(page_t *page)
{
    const snivhost_explanation_t *x = page->view->answer;
    const char *trouble = page->view->trouble;
    const char *question;

    if (!x && !trouble)
        return;
    if (x && x->trouble)
        trouble = x->trouble;
    if (trouble) {
        out(page, "<div class=\"answer bad\" id=\"answer\"><p>%s</p></div>\n",
            esc(page, trouble));
        return;
    }
    out(page, "<div class=\"answer%s\" id=\"answer\">\n<p class=\"verdict\">"
        "%s ", x->status || x->alert ? " bad" : "",
        x->alert ? "Handshake refused"
                 : esc(page, x->request.vhost->server_name));
    if (x->alert)
        out(page, "<span class=\"tag bad\">alert %s</span></p>\n<dl>\n",
            snivhost_alert_text(x->alert));
    else if (x->status)
        out(page, "<span class=\"tag bad\">%s</span></p>\n<dl>\n",
            snivhost_status_text(x->status));
    else
        out(page, "<span class=\"tag good\">%s</span></p>\n<dl>\n", x->rule);
    answer_summary(page, x);
    out(page, "</dl>\n");
    answer_differs(page, x);
    answer_steps(page, x);
    answer_others(page, x);
    question = snivhost_question_text(x->question, page->p);
    if (strlen(question) < COMMAND_MAX) {
        out(page, "<p class=\"soft\">The same without a browser: <code>"
            "apachectl -t -c 'SNIVHostExplain %s'</code></p>\n",
            esc(page, snivhost_in_shell_quotes(page->p, question)));
    }
    out(page, "</div>\n");
}

/* ----- counters ----- */

/* Stores that certificates are copied from. */
static void sources(page_t *page)
{
    snivhost_mirror_info_t info;
    int i;

    for (i = 0; snivhost_mirror_get(i, &info); i++) {
        out(page, "<p class=\"soft\">Store %s: %s, last read: %s; %u "
            "certificates, %u not usable, %u failures; session ticket "
            "secrets: %s</p>\n",
            esc(page, info.url), info.is_good ? "is read" : "is NOT read",
            info.read ? snivhost_time_text(page->p, info.read) : "never",
            info.entries, info.skipped, info.failures,
            info.ring ? apr_psprintf(page->p, "generation %"
                                     APR_UINT64_T_FMT, info.ring)
                      : "not shared");
    }
}

static void counters(page_t *page)
{
    unsigned long sums[SNIVHOST_NCOUNTERS];
    int g, i;

    out(page, "<section><h2>Counters</h2>\n");
    if (!snivhost_live) {
        out(page, "<p>SNIVHost is Off: httpd chooses, and nothing is "
            "counted.</p></section>\n");
        return;
    }
    snivhost_counters_read(sums);
    out(page, "<p class=\"soft\">in all children since the configuration was "
        "read, %s (%s)</p>\n<div class=\"counts\">\n",
        snivhost_time_text(page->p, snivhost_counters_since()),
        snivhost_distance_text(page->p, snivhost_counters_since(),
                               page->now));
    for (g = 0; g < SNIVHOST_NGROUPS; g++) {
        const snivhost_counter_group_t *group = &snivhost_counter_groups[g];
        unsigned long all = 0;

        for (i = group->first; i <= (int)group->last; i++)
            all += sums[i];
        out(page, "<div><h3>%s</h3>\n", group->title);
        for (i = group->first; i <= (int)group->last; i++) {
            unsigned percent = all ? (unsigned)(100.0 * sums[i] / all) : 0;

            out(page, "<div class=\"count%s\" style=\"background:"
                "linear-gradient(90deg,var(--bar) %u%%,transparent %u%%)\">"
                "<span>%s</span><span>%s</span></div>\n",
                sums[i] ? "" : " zero", percent, percent,
                esc(page, snivhost_counter_words(i)),
                snivhost_number_text(page->p, sums[i]));
        }
        out(page, "</div>\n");
    }
    out(page, "</div>\n");
    sources(page);
    out(page, "</section>\n");
}

/* ----- virtual hosts ----- */

static void names_of(page_t *page, const sniv_vhost_t *v)
{
    int i, shown = 0, n = v->naliases + v->nglobs;

    for (i = 0; i < n && shown < NAMES_SHOWN; i++) {
        const char *name = i < v->naliases ? v->aliases[i]
                                           : v->globs[i - v->naliases];

        if (name) {
            out(page, "%s%s", shown++ ? ", " : "<br><span class=\"names\">",
                esc(page, name));
        }
    }
    if (shown)
        out(page, i < n ? ", and %d more</span>" : "</span>", n - i);
}

static void certificate_of(page_t *page, const snivhost_tls_facts_t *tls)
{
    if (!tls->has_cert) {
        out(page, " <span class=\"tag bad\">%s</span>",
            esc(page, tls->problem));
        return;
    }
    out(page, " ");
    snivhost_page_expiry(page, &tls->cert);
    out(page, "<br><span class=\"names\">%s, %s</span>",
        esc(page, tls->cert.subject), esc(page, tls->cert.kinds));
    if (tls->cert.nfiles)
        out(page, "<br><span class=\"at\">%s</span>",
            esc(page, tls->cert.files[0]));
}

static void member(page_t *page, const sniv_set_t *set, int i)
{
    const sniv_vhost_t *v = set->members[i];
    snivhost_tls_facts_t tls;

    snivhost_facts_tls(page->facts, v->server, 1, &tls, page->p);
    out(page, "<li><span class=\"no\">%d</span><div><b>%s</b>", i + 1,
        esc(page, v->server_name));
    if (i == 0 && set->name_based)
        out(page, " <span class=\"tag\">default</span>");
    if (v->path)
        out(page, " <span class=\"tag\">path %s</span>", esc(page, v->path));
    if (set->name_based)
        names_of(page, v);
    out(page, "<br><span class=\"at\">%s</span></div><div class=\"tls\">",
        place(page, v));
    if (strcmp(tls.how, "none")) {
        out(page, "<span class=\"tag\">%s</span>", tls.how);
        certificate_of(page, &tls);
        if (tls.why_not)
            out(page, "<br><span class=\"names\">not lean: %s</span>",
                esc(page, tls.why_not));
        if (tls.restart)
            out(page, "<br><span class=\"names\">renewal requires a restart: "
                "%s</span>", esc(page, tls.restart));
    }
    out(page, "</div></li>\n");
}

static void members(page_t *page, const sniv_set_t *set, int from, int to)
{
    int i;

    out(page, "<ol class=\"hosts\">\n");
    for (i = from; i < to; i++)
        member(page, set, i);
    out(page, "</ol>\n");
}

void snivhost_page_numbers(page_t *page, const char *key, const char *anchor,
                           int here, int n, int size)
{
    const int last = n ? (n - 1) / size : 0;
    const char *url[4];
    int i;

    if (last == 0)
        return;
    for (i = 0; i < 4; i++) {
        url[i] = apr_psprintf(page->p, "%s&amp;page=%d#%s",
                              link_to(page, key),
                              i == 0 ? 0 : i == 1 ? here - 1
                              : i == 2 ? here + 1 : last, anchor);
    }
    out(page, "<nav class=\"pages\" aria-label=\"pages\">");
    if (here > 0)
        out(page, "<a href=\"%s\">first</a> <a href=\"%s\">previous</a> ",
            url[0], url[1]);
    out(page, "<span class=\"soft\">page %d of %d</span>", here + 1, last + 1);
    if (here < last)
        out(page, " <a href=\"%s\">next</a> <a href=\"%s\">last</a>", url[2],
            url[3]);
    out(page, "</nav>\n");
}

/* Pages of virtual hosts or addresses. */
static void pages(page_t *page, const char *key, int n, int size)
{
    snivhost_page_numbers(page, key, "hosts", page->view->page, n, size);
}

static void set_summary(page_t *page, const sniv_set_t *set)
{
    out(page, "<summary><b>%s</b> &nbsp;%s virtual host%s%s, %s "
        "<b>%s</b></summary>\n", snivhost_set_text(page->p, set),
        snivhost_number_text(page->p, set->nmembers),
        snivhost_plural(set->nmembers),
        set->name_based ? " by name" : ", whatever the name",
        set->name_based ? "default" : "always",
        esc(page, set->members[0]->server_name));
}

/* A set, folded: its first members, and a link to all of them. */
static void folded_set(page_t *page, const sniv_set_t *set, int is_open)
{
    int few = set->nmembers <= MEMBERS_FEW ? set->nmembers : MEMBERS_FEW;

    out(page, "<details%s>", is_open ? " open" : "");
    set_summary(page, set);
    members(page, set, 0, few);
    if (few < set->nmembers) {
        out(page, "<p><a href=\"%s\">all %s of them</a></p>\n",
            link_to(page, apr_psprintf(page->p, "set=%d#hosts", set->number)),
            snivhost_number_text(page->p, set->nmembers));
    }
    out(page, "</details>\n");
}

static void one_set(page_t *page, const sniv_set_t *set)
{
    int from = page->view->page * MEMBERS_PAGE;
    int to = from + MEMBERS_PAGE;
    const char *key = apr_psprintf(page->p, "set=%d", set->number);

    out(page, "<p><a href=\"%s#hosts\">all addresses</a></p>\n<details open>",
        page->self);
    set_summary(page, set);
    pages(page, key, set->nmembers, MEMBERS_PAGE);
    if (from < set->nmembers)
        members(page, set, from, to < set->nmembers ? to : set->nmembers);
    pages(page, key, set->nmembers, MEMBERS_PAGE);
    out(page, "</details>\n");
}

static int has_text(const char *name, const char *text)
{
    return name && ap_strcasestr(name, text) != NULL;
}

static int is_found(const sniv_vhost_t *v, const char *text)
{
    int i;

    if (has_text(v->server_name, text))
        return 1;
    for (i = 0; i < v->naliases; i++) {
        if (has_text(v->aliases[i], text))
            return 1;
    }
    for (i = 0; i < v->nglobs; i++) {
        if (has_text(v->globs[i], text))
            return 1;
    }
    return 0;
}

static void found_hosts(page_t *page)
{
    const sniv_table_t *table = page->facts->table;
    const char *text = page->view->find;
    int i, k, n = 0;

    out(page, "<p><a href=\"%s#hosts\">all addresses</a></p>\n", page->self);
    for (i = 0; i < table->nsets && n < FOUND_MAX; i++) {
        const sniv_set_t *set = table->sets[i];
        int in_set = 0;

        for (k = 0; k < set->nmembers && n < FOUND_MAX; k++) {
            if (!is_found(set->members[k], text))
                continue;
            if (in_set++ == 0) {
                out(page, "<details open>");
                set_summary(page, set);
                out(page, "<ol class=\"hosts\">\n");
            }
            member(page, set, k);
            n++;
        }
        if (in_set)
            out(page, "</ol></details>\n");
    }
    if (n == 0)
        out(page, "<p>No virtual host has '%s' in its names.</p>\n",
            esc(page, text));
    if (n >= FOUND_MAX)
        out(page, "<p class=\"soft\">These are the first %d.</p>\n", n);
}

static void all_sets(page_t *page)
{
    const sniv_table_t *table = page->facts->table;
    const sniv_set_t **sets = snivhost_sets_in_order(table, page->p);
    int from = page->view->page * SETS_PAGE, i;

    pages(page, "set=-1", table->nsets, SETS_PAGE);
    for (i = from; i < table->nsets && i < from + SETS_PAGE; i++)
        folded_set(page, sets[i], table->nvhosts <= MEMBERS_FEW);
    out(page, "<details><summary><b>any other address</b> &nbsp;the main "
        "server <b>%s</b></summary></details>\n",
        esc(page, table->main_server->server_name));
    pages(page, "set=-1", table->nsets, SETS_PAGE);
}

static void hosts(page_t *page)
{
    const sniv_table_t *table = page->facts->table;
    const snivhost_view_t *view = page->view;

    out(page, "<section id=\"hosts\"><h2>Addresses and their virtual "
        "hosts</h2>\n");
    if (table->nvhosts > MEMBERS_FEW || view->find) {
        out(page, "<form class=\"find\" method=\"get\" "
            "action=\"%s#hosts\">\n", page->self);
        field(page, "Find a name", "find", view->find, "a part of a name",
              "");
        out(page, "<button>Find</button>\n</form>\n");
    }
    if (view->find)
        found_hosts(page);
    else if (view->set >= 0 && view->set < table->nsets)
        one_set(page, table->sets[view->set]);
    else
        all_sets(page);
    out(page, "</section>\n");
}

/* ----- the whole ----- */

void snivhost_page(apr_bucket_brigade *bb, request_rec *r,
                   const snivhost_facts_t *facts,
                   const snivhost_view_t *view)
{
    page_t page = { bb, r, r->pool, facts, view, NULL, apr_time_now() };
    const sniv_table_t *table = facts->table;
    const char *server = facts->main_server->server_hostname;

    page.self = esc(&page, ap_os_escape_path(r->pool, r->uri, 1));
    out(&page, "<!DOCTYPE html>\n<html lang=\"en\"><head>\n"
        "<meta charset=\"utf-8\">\n<title>Virtual hosts of %s</title>\n"
        "<meta name=\"viewport\" content=\"width=device-width, "
        "initial-scale=1\">\n<meta name=\"color-scheme\" "
        "content=\"light dark\">\n<style>\n", esc(&page, server));
    apr_brigade_puts(bb, NULL, NULL, style);
    out(&page, "</style></head><body>\n<header><h1>Virtual hosts</h1>\n"
        "<p>%s &middot; SNIVHost %s &middot; %s virtual host%s, %s names, "
        "%s address%s</p></header>\n<main>\n", esc(&page, server),
        snivhost_mode_text(facts->mode),
        snivhost_number_text(r->pool, table->nvhosts),
        snivhost_plural(table->nvhosts),
        snivhost_number_text(r->pool, snivhost_count_names(table)),
        snivhost_number_text(r->pool, table->nsets),
        table->nsets == 1 ? "" : "es");
    out(&page, "<section id=\"ask\"><h2>Why this virtual host?</h2>\n");
    question_form(&page);
    answer(&page);
    out(&page, "</section>\n");
    counters(&page);
    snivhost_page_certs(&page);
    if (!view->certificates)
        hosts(&page);
    out(&page, "</main>\n<footer><a href=\"%s\">as JSON</a>, "
        "<a href=\"%s\">for Prometheus</a></footer>\n</body></html>\n",
        link_to(&page, "format=json"), link_to(&page, "format=prometheus"));
}
