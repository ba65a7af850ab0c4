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

#include "tell/expect.h"

#include "apr_file_io.h"
#include "apr_lib.h"
#include "apr_strings.h"
#include "http_core.h"

#include "module/asked.h"
#include "module/words.h"
#include "tell/explain.h"
#include "tell/probes.h"
#include "tell/render.h"
#include "tell/sets.h"

#define DUMP "DUMP_SNIVHOST_EXPECT"

/* So many answers are explained step by step. */
#define EXPLAINED 5

/* What can be expected, in the order in which it is written. */
typedef enum {
    WANT_VHOST, WANT_HANDSHAKE, WANT_RULE, WANT_CERTIFICATE, WANT_STATUS,
    WANT_LOCATION, WANT_REFUSED, NWANTS
} want_e;
static const char *const want_names[NWANTS] = {
    "vhost", "handshake", "rule", "certificate", "status", "location",
    "refused"
};

typedef struct expectation_t {
    const char *words;          /* the question */
    snivhost_question_t question;
    const char *wants[NWANTS];
    int nwants;
} expectation_t;

/* A file while it is checked. */
typedef struct checker_t {
    const snivhost_facts_t *facts;
    const char *path;
    int line;
    apr_file_t *out;
    int nall, nfailed, nbad;
    apr_pool_t *p;              /* for the time of a line */
} checker_t;

/* ----- reading ----- */

/* One line: words that are expectations, the others are the question. */
static const char *parse(expectation_t *e, const char *line, apr_pool_t *p)
{
    const char *words = "";

    memset(e, 0, sizeof(*e));
    while (*line) {
        const char *begin = line;
        const char *word = ap_getword_conf(p, &line);
        const char *equals = ap_strchr_c(word, '=');
        int i;

        for (i = 0; equals && i < NWANTS; i++) {
            if ((apr_size_t)(equals - word) == strlen(want_names[i])
                && !strncmp(word, want_names[i], equals - word)) {
                break;
            }
        }
        if (equals && i < NWANTS) {
            e->wants[i] = equals + 1;
            e->nwants++;
        }
        else {
            apr_size_t len = line - begin;

            while (len && apr_isspace(begin[len - 1]))
                len--;
            words = apr_pstrcat(p, words, *words ? " " : "",
                                apr_pstrmemdup(p, begin, len), NULL);
        }
    }
    e->words = words;
    if (!e->nwants) {
        return "nothing is expected: write vhost=, handshake=, rule=, "
               "certificate=, status=, location= or refused= after the "
               "question";
    }
    return snivhost_question_parse(&e->question, p, words);
}

/* ----- checking ----- */

/* A NULL is what there is not. */
static const char *differs(checker_t *c, const char *is, const char *want)
{
    if (!is)
        is = "none";
    return !ap_cstr_casecmp(is, want) ? NULL
           : apr_psprintf(c->p, "it is %s", ap_escape_logitem(c->p, is));
}

/* A name that it covers, or one of its files. */
static const char *wrong_certificate(checker_t *c,
                                     const snivhost_explanation_t *x,
                                     const char *want)
{
    const sniv_cert_info_t *cert = &x->tls.cert;
    int i;

    if (!x->speaks_tls)
        return "there is no TLS on this address";
    if (!x->tls.has_cert)
        return x->tls.problem ? x->tls.problem : "there is none";
    for (i = 0; *want == '/' && i < cert->nfiles; i++) {
        if (!strcmp(cert->files[i], want))
            return NULL;
    }
    if (*want != '/' && sniv_certs_covers(cert, want))
        return NULL;
    return apr_psprintf(c->p, "it is %s, for %s%s", cert->nfiles
                        ? cert->files[0] : cert->subject,
                        cert->nnames ? cert->names[0] : "no name",
                        cert->nnames > 1 ? " and others" : "");
}

static const char *refusal(checker_t *c, const snivhost_explanation_t *x)
{
    return x->alert ? apr_itoa(c->p, x->alert)
           : x->status ? apr_itoa(c->p, x->status) : "no";
}

/* Redirects and refusals are known; what else there is a handler says. */
static const char *wrong_status(checker_t *c, const snivhost_explanation_t *x,
                                int want)
{
    const int status = x->status ? x->status : x->whole.status;

    if (x->alert)
        return apr_psprintf(c->p, "there is none: TLS alert %d", x->alert);
    if (status ? status == want : want / 100 != 3 && want != 421)
        return NULL;
    return status ? apr_psprintf(c->p, "it is %d", status)
                  : "nothing refuses or redirects the request";
}

/* Whether an expectation is not met: what is there instead. */
static const char *unmet(checker_t *c, const snivhost_explanation_t *x,
                         int what, const char *want)
{
    switch (what) {
    case WANT_VHOST:
        return differs(c, x->alert ? NULL : x->request.vhost->server_name,
                       want);
    case WANT_HANDSHAKE:
        return differs(c, x->speaks_tls ? x->handshake.vhost->server_name
                                        : NULL, want);
    case WANT_RULE:
        return differs(c, x->alert ? NULL : x->rule, want);
    case WANT_CERTIFICATE:
        return wrong_certificate(c, x, want);
    case WANT_STATUS:
        /* what is not refused here continues to a handler */
        return wrong_status(c, x, atoi(want));
    case WANT_LOCATION:
        return differs(c, x->whole.location, want);
    default:
        return differs(c, refusal(c, x), want);
    }
}

static void report(checker_t *c, const expectation_t *e,
                   const snivhost_question_t *q, const char *text)
{
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL, "SNIV0810: "
                 "%s:%d: %s (on %s): %s", c->path, c->line,
                 ap_escape_logitem(c->p, e->words),
                 snivhost_addr_text(c->p, &q->ip, q->port), text);
}

/* One address; returns whether all is as expected. */
static int check_at(checker_t *c, const expectation_t *e,
                    const snivhost_question_t *q)
{
    const snivhost_explanation_t *x = snivhost_explain(c->facts, q, c->p);
    int i, is_met = 1;

    if (x->trouble) {
        report(c, e, q, x->trouble);
        return 0;
    }
    for (i = 0; i < NWANTS; i++) {
        const char *found = e->wants[i] ? unmet(c, x, i, e->wants[i]) : NULL;

        if (found) {
            report(c, e, q, apr_psprintf(c->p, "%s=%s is expected, but %s",
                                         want_names[i],
                                         ap_escape_logitem(c->p, e->wants[i]),
                                         found));
            is_met = 0;
        }
    }
    /* to be answered is not to be refused */
    if (is_met && e->wants[WANT_VHOST] && !e->wants[WANT_REFUSED]
        && !e->wants[WANT_STATUS] && strcmp(refusal(c, x), "no")) {
        report(c, e, q, apr_psprintf(c->p, "vhost=%s is expected, but the "
                                     "request is refused: %s",
                                     ap_escape_logitem(c->p,
                                         e->wants[WANT_VHOST]),
                                     refusal(c, x)));
        is_met = 0;
    }
    if (!is_met && c->nfailed < EXPLAINED)
        apr_file_puts(snivhost_render_explanation(x, c->p), c->out);
    return is_met;
}

static void check_line(checker_t *c, const char *line)
{
    const apr_array_header_t *all;
    const char *problem;
    expectation_t e;
    int i, is_met = 1;

    problem = parse(&e, line, c->p);
    if (problem) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL,
                     "SNIV0811: %s:%d: %s", c->path, c->line,
                     ap_escape_logitem(c->p, problem));
        c->nbad++;
        return;
    }
    c->nall++;
    all = snivhost_question_addresses(&e.question, c->facts->table, c->p);
    for (i = 0; i < all->nelts; i++) {
        if (!check_at(c, &e, &APR_ARRAY_IDX(all, i, snivhost_question_t)))
            is_met = 0;
    }
    c->nfailed += !is_met;
}

static int check_file(checker_t *c, apr_pool_t *p)
{
    char line[HUGE_STRING_LEN];
    ap_configfile_t *file;
    apr_status_t rv = ap_pcfg_openfile(&file, p,
                                       ap_server_root_relative(p, c->path));

    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, rv, NULL,
                     "SNIV0813: %s: the file of SNIVHostExpect cannot be "
                     "read", c->path);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    apr_pool_create(&c->p, p);
    while (ap_cfg_getline(line, sizeof(line), file) == APR_SUCCESS) {
        c->line = file->line_number;
        if (*line && *line != '#')
            check_line(c, line);
        apr_pool_clear(c->p);
    }
    ap_cfg_closefile(file);
    if (c->nfailed || c->nbad) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, NULL,
                     "SNIV0812: %d of %d expectations of %s %s not met",
                     c->nfailed + c->nbad, c->nall + c->nbad, c->path,
                     c->nfailed + c->nbad == 1 ? "is" : "are");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    apr_file_printf(c->out, "SNIVHostExpect: all %d expectations of %s are "
                    "met\n", c->nall, c->path);
    return OK;
}

int snivhost_expect_check_config(apr_pool_t *p, apr_pool_t *plog,
                                 apr_pool_t *ptemp, server_rec *s)
{
    snivhost_facts_t *facts;
    apr_file_t *out;
    int i, status = OK;

    (void)plog;
    if (!snivhost_site.expected
        || ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_NORMAL) {
        return OK;
    }
    if (snivhost_facts_make(&facts, s, p, ptemp) != APR_SUCCESS
        || apr_file_open_stdout(&out, ptemp) != APR_SUCCESS) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    for (i = 0; i < snivhost_site.expected->nelts; i++) {
        checker_t c = { facts, APR_ARRAY_IDX(snivhost_site.expected, i,
                                             const char *),
                        0, out, 0, 0, 0, NULL };

        if (check_file(&c, ptemp) != OK)
            status = HTTP_INTERNAL_SERVER_ERROR;
    }
    apr_file_flush(out);
    return status;
}

/* ----- writing ----- */

/* A URL where that says it all, or else the address. */
static const char *question_text(const snivhost_probe_t *probe,
                                 const snivhost_question_t *q, int is_tls,
                                 int naddresses, apr_pool_t *p)
{
    const apr_port_t usual = is_tls ? 443 : 80;

    if (naddresses != 1 || !probe->host || (is_tls && !probe->sni))
        return snivhost_question_text(q, p);
    return apr_psprintf(p, "%s://%s%s/", is_tls ? "https" : "http",
                        ap_strchr_c(probe->host, ':')
                            ? apr_psprintf(p, "[%s]", probe->host)
                            : probe->host,
                        q->port == usual ? ""
                                         : apr_psprintf(p, ":%u", q->port));
}

/* What is so today; NULL: nothing to expect. */
static const char *answer_text(const snivhost_explanation_t *x,
                               const char *name, apr_pool_t *p)
{
    const char *text;

    if (x->trouble)
        return NULL;
    if (x->alert)
        return apr_psprintf(p, "refused=%d", x->alert);
    text = apr_psprintf(p, "vhost=%s", x->request.vhost->server_name);
    if (x->speaks_tls && name && x->tls.has_cert
        && sniv_certs_covers(&x->tls.cert, name)) {
        text = apr_psprintf(p, "%s certificate=%s", text, name);
    }
    return x->status ? apr_psprintf(p, "%s refused=%d", text, x->status)
                     : text;
}

static void write_probe(apr_file_t *out, const snivhost_facts_t *facts,
                        const sniv_set_t *set, const snivhost_probe_t *probe,
                        apr_pool_t *p)
{
    const int is_tls = snivhost_facts_speaks_tls(facts,
                                                 set->members[0]->server);
    const apr_array_header_t *all;
    snivhost_question_t any = { 0 };
    int i;

    any.port = set->port;
    any.sni = is_tls ? probe->sni : NULL;
    any.host = probe->host;
    any.path = probe->path;
    all = snivhost_question_addresses(&any, facts->table, p);
    for (i = 0; i < all->nelts; i++) {
        const snivhost_question_t *q = &APR_ARRAY_IDX(all, i,
                                                      snivhost_question_t);
        const char *text, *line;

        if (sniv_table_find(facts->table, &q->ip, q->port) != set)
            continue;
        text = answer_text(snivhost_explain(facts, q, p), probe->host, p);
        if (text) {
            text = apr_pstrcat(p, question_text(probe, q, is_tls, all->nelts,
                                                p), " ", text, NULL);
            line = snivhost_printable(p, text);
            /* what no terminal may see, no client can ask */
            apr_file_printf(out, "%s%s\n", line == text ? "" : "# ", line);
        }
        return;
    }
}

/* Each name once for each address set. */
static void write_set(apr_file_t *out, const snivhost_facts_t *facts,
                      const sniv_set_t *set, apr_pool_t *p)
{
    int i, not_met;
    const apr_array_header_t *probes = snivhost_probes(
        facts->table, set, facts->table, set, &not_met, p);
    const char *last = NULL;
    apr_pool_t *each;

    apr_file_printf(out, "\n# %s\n", snivhost_set_text(p, set));
    apr_pool_create(&each, p);
    for (i = 0; set->port && i < probes->nelts; i++) {
        const snivhost_probe_t *probe = &APR_ARRAY_IDX(probes, i,
                                                       snivhost_probe_t);

        /* one name for each pattern */
        if (probe->label != last && !probe->is_odd)
            write_probe(out, facts, set, probe, each);
        last = probe->label;
        apr_pool_clear(each);
    }
    apr_pool_destroy(each);
}

void snivhost_expect_test_config(apr_pool_t *p, server_rec *s)
{
    snivhost_facts_t *facts;
    const sniv_set_t **sets;
    apr_file_t *out;
    int i;

    if (!ap_exists_config_define(DUMP)
        || snivhost_facts_make(&facts, s, p, p) != APR_SUCCESS
        || apr_file_open_stdout(&out, p) != APR_SUCCESS) {
        return;
    }
    apr_file_puts("# What " DUMP " has found. Each line is a question and its "
                  "expected answer:\n# apachectl -t -c 'SNIVHostExpect "
                  "FILE'\n", out);
    sets = snivhost_sets_in_order(facts->table, p);
    for (i = 0; i < facts->table->nsets; i++)
        write_set(out, facts, sets[i], p);
    apr_file_flush(out);
}
