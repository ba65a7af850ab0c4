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
#include "tell/served.h"

#include <stdlib.h>

#include "apr_hash.h"
#include "apr_strings.h"
#include "http_config.h"
#include "http_log.h"

#include <openssl/ssl.h>

#include "lint/finding.h"
#include "module/json.h"
#include "module/words.h"
#include "serve/cert.h"
#include "tell/render.h"
#include "tls/adopt.h"
#include "tls/store.h"

#define DAY apr_time_from_sec(86400)

/* ----- what mod_ssl has loaded ----- */

static apr_time_t time_of(const ASN1_TIME *time)
{
    apr_time_exp_t exp;
    apr_time_t result = 0;
    struct tm tm;

    memset(&exp, 0, sizeof(exp));
    if (time && ASN1_TIME_to_tm(time, &tm)) {
        exp.tm_year = tm.tm_year;
        exp.tm_mon = tm.tm_mon;
        exp.tm_mday = tm.tm_mday;
        exp.tm_hour = tm.tm_hour;
        exp.tm_min = tm.tm_min;
        exp.tm_sec = tm.tm_sec;
        (void)apr_time_exp_get(&result, &exp);
    }
    return result;
}

/* The times in which all certificates of a context are valid, and what tells
 * them from others. */
static const char *look_at(SSL_CTX *ctx, snivhost_served_t *one,
                           apr_size_t *len, apr_pool_t *p)
{
    X509 *current = SSL_CTX_get0_certificate(ctx);
    unsigned char digest[EVP_MAX_MD_SIZE];
    char *key = NULL;
    unsigned n;
    int more;

    *len = 0;
    for (more = (int)SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST); more;
         more = (int)SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_NEXT)) {
        X509 *x = SSL_CTX_get0_certificate(ctx);
        apr_time_t from, to;
        char *longer;

        if (!x || !X509_digest(x, EVP_sha256(), digest, &n))
            continue;
        from = time_of(X509_get0_notBefore(x));
        to = time_of(X509_get0_notAfter(x));
        one->not_before = !*len || from > one->not_before ? from
                                                          : one->not_before;
        one->not_after = !*len || to < one->not_after ? to : one->not_after;
        longer = apr_palloc(p, *len + n);
        if (*len)
            memcpy(longer, key, *len);
        memcpy(longer + *len, digest, n);
        key = longer;
        *len += n;
    }
    if (current)
        SSL_CTX_select_current_cert(ctx, current);
    return key;
}

/* Of the entries in the store those that are not there for a lean virtual
 * host. */
static void note_ids(server_rec *main_server, apr_pool_t *pconf)
{
    const sniv_cert_id_t n = snivhost_store()
                             ? sniv_certs_count(snivhost_store()) : 0;
    unsigned char *own = n > 0 ? apr_pcalloc(pconf, (apr_size_t)n) : NULL;
    int lean;
    server_rec *s;

    for (lean = 0; own && lean < 2; lean++) {
        for (s = main_server; s; s = s->next) {
            const snivhost_tls_t *tls = snivhost_adopt_get(s);
            sniv_cert_id_t id = !tls ? SNIV_CERT_NONE
                                : lean ? tls->cert : tls->renewed;

            if (id >= 0 && id < n
                && (tls->how == SNIVHOST_TLS_LEAN) == lean) {
                own[id] = (unsigned char)!lean;
            }
        }
    }
    snivhost_site.own_ids = own;
}

/* Whether the store has what mod_ssl has loaded. */
static int is_kept(const server_rec *s)
{
    const snivhost_tls_t *tls = snivhost_adopt_get(s);

    return tls && tls->how != SNIVHOST_TLS_LEAN
           && tls->renewed != SNIV_CERT_NONE;
}

/*
 * One thread, before there are children. The certificate of many virtual
 * hosts is noted once.
 */
static void note_contexts(server_rec *main_server, apr_pool_t *pconf,
                          apr_pool_t *ptemp)
{
    apr_array_header_t *own = apr_array_make(ptemp, 4,
                                             sizeof(snivhost_served_t));
    apr_hash_t *seen = apr_hash_make(ptemp);
    server_rec *s;

    for (s = main_server; s; s = s->next) {
        SSL_CTX *ctx = snivhost_conf(s)->ssl_ctx;
        snivhost_served_t one;
        const char *key;
        apr_size_t len;

        if (!ctx || is_kept(s))
            continue;
        memset(&one, 0, sizeof(one));
        one.id = SNIV_CERT_NONE;
        one.s = s;
        key = look_at(ctx, &one, &len, ptemp);
        if (!key || apr_hash_get(seen, key, (apr_ssize_t)len))
            continue;
        /* it may be renewed without the others */
        if (!snivhost_conf(s)->store.is_first)
            apr_hash_set(seen, key, (apr_ssize_t)len, "");
        APR_ARRAY_PUSH(own, snivhost_served_t) = one;
    }
    /* without what its growth has left behind */
    snivhost_site.own_certs = apr_array_make(pconf, own->nelts,
                                             sizeof(snivhost_served_t));
    apr_array_cat(snivhost_site.own_certs, own);
    snivhost_site.own_certs_since = apr_time_now();
    note_ids(main_server, pconf);
}

void snivhost_served_read(const snivhost_facts_t *facts, apr_pool_t *p)
{
    apr_array_header_t *own = apr_array_make(p, 4, sizeof(snivhost_served_t));
    apr_hash_t *seen = apr_hash_make(p);
    const sniv_table_t *table = facts->table;
    apr_pool_t *each;
    int i;

    apr_pool_create(&each, p);
    for (i = -1; i < table->nvhosts; i++) {
        const sniv_vhost_t *v = i < 0 ? table->main_server
                                      : &table->vhosts[i];
        snivhost_tls_facts_t tls;
        snivhost_served_t one;

        apr_pool_clear(each);
        snivhost_facts_tls(facts, v->server, 1, &tls, each);
        if (!tls.has_cert || tls.cert.id != SNIV_CERT_NONE
            || apr_hash_get(seen, tls.cert.fingerprints,
                            APR_HASH_KEY_STRING)) {
            continue;
        }
        apr_hash_set(seen, apr_pstrdup(p, tls.cert.fingerprints),
                     APR_HASH_KEY_STRING, "");
        one.not_before = tls.cert.not_before;
        one.not_after = tls.cert.not_after;
        one.id = SNIV_CERT_NONE;
        one.s = v->server;
        APR_ARRAY_PUSH(own, snivhost_served_t) = one;
    }
    apr_pool_destroy(each);
    snivhost_site.own_certs = own;
}

/* ----- all ----- */

/* A first virtual host may have got its certificate from a folder. */
static int is_in_store(server_rec *s)
{
    return snivhost_store()
           && snivhost_cert_entry(s, s, 1, NULL, 0) != SNIV_CERT_NONE;
}

void snivhost_served_each(snivhost_served_fn *fn, void *baton)
{
    const apr_array_header_t *own = snivhost_site.own_certs;
    const sniv_certs_t *store = snivhost_store();
    unsigned char *chosen;
    snivhost_served_t one;
    sniv_scope_t scope;
    sniv_cert_id_t n = store ? sniv_certs_count(store) : 0;
    int i;

    for (i = 0; own && i < own->nelts; i++) {
        const snivhost_served_t *it = &APR_ARRAY_IDX(own, i,
                                                     snivhost_served_t);

        if (!is_in_store(it->s))
            fn(baton, it);
    }
    one.s = NULL;
    chosen = store ? sniv_certs_chosen(store, apr_time_now()) : NULL;
    for (one.id = 0; one.id < n; one.id++) {
        if (sniv_certs_times(store, one.id, &one.not_before, &one.not_after,
                             &scope)
            && (scope == SNIV_SCOPE_NONE || !chosen || chosen[one.id])) {
            fn(baton, &one);
        }
    }
    free(chosen);
}

/* ----- those that expire first ----- */

/* A heap: the last one of those that are kept is on top. */
typedef struct heap_t {
    snivhost_served_t *list;
    int n, size;
    snivhost_served_sum_t *sum;
    apr_time_t now;
} heap_t;

static int is_before(const snivhost_served_t *a, const snivhost_served_t *b)
{
    return a->not_after != b->not_after ? a->not_after < b->not_after
           : a->id != b->id ? a->id < b->id : a->s < b->s;
}

/* Put one into the place at, from where it sinks. */
static void sink(snivhost_served_t *list, int n, int at,
                 const snivhost_served_t *one)
{
    int child;

    while ((child = 2 * at + 1) < n) {
        if (child + 1 < n && is_before(&list[child], &list[child + 1]))
            child++;
        if (!is_before(one, &list[child]))
            break;
        list[at] = list[child];
        at = child;
    }
    list[at] = *one;
}

static void rise(snivhost_served_t *list, int at,
                 const snivhost_served_t *one)
{
    while (at > 0 && is_before(&list[(at - 1) / 2], one)) {
        list[at] = list[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    list[at] = *one;
}

static void add(void *baton, const snivhost_served_t *one)
{
    heap_t *heap = baton;
    snivhost_served_sum_t *sum = heap->sum;

    if (sum->all++ == 0 || one->not_after < sum->first)
        sum->first = one->not_after;
    sum->late += sniv_cert_life(one->not_before, one->not_after, heap->now)
                 != SNIV_CERT_FRESH;
    if (heap->n < heap->size)
        rise(heap->list, heap->n++, one);
    else if (heap->n > 0 && is_before(one, &heap->list[0]))
        sink(heap->list, heap->n, 0, one);
}

/* No list is longer. */
static apr_int64_t served_max(void)
{
    return (snivhost_site.own_certs ? snivhost_site.own_certs->nelts : 0)
           + (snivhost_store() ? (apr_int64_t)sniv_certs_count(
                                     snivhost_store()) : 0);
}

snivhost_served_t *snivhost_served_page(int page, int size, int *n,
                                        snivhost_served_sum_t *sum)
{
    const apr_int64_t wanted = ((apr_int64_t)page + 1) * size;
    const apr_int64_t max = served_max();
    snivhost_served_sum_t own_sum;
    heap_t heap = { NULL, 0, 0, sum ? sum : &own_sum, apr_time_now() };
    int i;

    memset(heap.sum, 0, sizeof(*heap.sum));
    if (max > 0 && wanted > 0) {
        heap.size = (int)(wanted < max ? wanted : max);
        heap.list = malloc((size_t)heap.size * sizeof(*heap.list));
    }
    if (!heap.list)
        heap.size = 0;
    snivhost_served_each(add, &heap);
    for (i = heap.n - 1; i > 0; i--) {
        snivhost_served_t last = heap.list[i];

        heap.list[i] = heap.list[0];
        sink(heap.list, i, 0, &last);
    }
    *n = heap.n;
    return heap.list;
}

int snivhost_served_describe(const snivhost_facts_t *facts,
                             const snivhost_served_t *one,
                             snivhost_tls_facts_t *tls, apr_pool_t *p)
{
    if (one->id == SNIV_CERT_NONE) {
        snivhost_facts_tls(facts, one->s, 1, tls, p);
        tls->cert.loaded = snivhost_site.own_certs_since;
        return tls->has_cert;
    }
    memset(tls, 0, sizeof(*tls));
    tls->has_cert = sniv_certs_info(snivhost_store(), one->id, &tls->cert, p)
                    == APR_SUCCESS;
    tls->how = tls->cert.scope != SNIV_SCOPE_NONE ? "folder"
               : snivhost_site.own_ids && snivhost_site.own_ids[one->id]
                 ? "mod_ssl" : "lean";
    tls->source = tls->cert.scope == SNIV_SCOPE_NONE ? "files" : "folders";
    if (!facts->is_live)
        tls->cert.loaded = 0;
    return tls->has_cert;
}

json_t *snivhost_json_served(const snivhost_facts_t *facts,
                             const snivhost_served_t *list, int from, int to,
                             int names_max, apr_pool_t *p)
{
    json_t *array = json_array(), *json;
    apr_pool_t *each;
    int i, more;

    apr_pool_create(&each, p);
    for (i = from; i < to; i++) {
        snivhost_tls_facts_t tls;

        apr_pool_clear(each);
        if (!snivhost_served_describe(facts, &list[i], &tls, each))
            continue;
        more = tls.cert.nnames - names_max;
        if (more > 0)
            tls.cert.nnames = names_max;
        json = snivhost_json_certificate(&tls, each);
        json_object_set_new(json, "names_left_out",
                            json_integer(more > 0 ? more : 0));
        json_object_set_new(json, "how", json_string(tls.how));
        json_object_set_new(json, "loaded", tls.cert.loaded
                            ? snivhost_json_time(tls.cert.loaded)
                            : json_null());
        json_array_append_new(array, json);
    }
    apr_pool_destroy(each);
    return array;
}

/* ----- the log line of a day ----- */

/* What is left when less than a third of its life is. */
typedef struct late_t {
    snivhost_served_t first;
    int n;
    apr_time_t now;
} late_t;

static void count_late(void *baton, const snivhost_served_t *one)
{
    late_t *late = baton;

    if (sniv_cert_life(one->not_before, one->not_after, late->now)
        == SNIV_CERT_FRESH) {
        return;
    }
    if (late->n++ == 0 || is_before(one, &late->first))
        late->first = *one;
}

/* The file of a certificate, or else whose it is. */
static const char *name_of(const snivhost_served_t *one,
                           server_rec *main_server, apr_pool_t *p)
{
    const snivhost_tlsconf_t *conf;
    sniv_cert_info_t info;

    if (one->id != SNIV_CERT_NONE) {
        return sniv_certs_info(snivhost_store(), one->id, &info, p)
               == APR_SUCCESS && info.nfiles ? info.files[0] : NULL;
    }
    conf = snivhost_tlsconf_get(snivhost_tlsconf_read_some(ap_conftree,
                                    main_server, &one->s, 1, p, p), one->s);
    return conf->certs->nelts ? APR_ARRAY_IDX(conf->certs, 0, const char *)
           : apr_psprintf(p, "of virtual host %s (%s)",
                          one->s->server_hostname,
                          snivhost_place_text(p, one->s));
}

static void say_late(server_rec *s, apr_pool_t *p)
{
    late_t late;
    const char *name;

    memset(&late, 0, sizeof(late));
    late.now = apr_time_now();
    snivhost_served_each(count_late, &late);
    name = late.n ? name_of(&late.first, s, p) : NULL;
    if (!name)
        return;
    ap_log_error(APLOG_MARK, sniv_cert_life(late.first.not_before,
                                            late.first.not_after, late.now)
                             == SNIV_CERT_LATE
                             ? APLOG_NOTICE : APLOG_WARNING, 0, s, "SNIV0360: "
                 "certificate: less than a third of the life of %s is left, "
                 "it %s on %s%s. Check that it is going to be renewed", name,
                 late.first.not_after <= late.now ? "expired" : "expires",
                 snivhost_day_text(p, late.first.not_after),
                 late.n == 1 ? "" : late.n == 2
                 ? "; so it is with 1 other certificate"
                 : apr_psprintf(p, "; so it is with %d other certificates",
                                late.n - 1));
}

/* When it was said last: a graceful restart is no new day. */
static apr_time_t *said(void)
{
    static const char key[] = "mod_snivhost_late_1";
    apr_time_t *kept = ap_retained_data_get(key);

    return kept ? kept : ap_retained_data_create(key, sizeof(*kept));
}

static void say_once_a_day(server_rec *s, apr_pool_t *p)
{
    const apr_time_t now = apr_time_now();
    const apr_uint64_t ignored = snivhost_conf(s)->lint_ignore;
    apr_time_t *last = said();
    apr_pool_t *ptemp;

    if ((now >= *last && now - *last < DAY)
        || ignored & (apr_uint64_t)1 << SNIVHOST_LINT_CERT_LATE) {
        return;
    }
    *last = now;
    apr_pool_create(&ptemp, p);
    say_late(s, ptemp);
    apr_pool_destroy(ptemp);
}

int snivhost_served_post_config(apr_pool_t *pconf, apr_pool_t *plog,
                                apr_pool_t *ptemp, server_rec *s)
{
    (void)plog;
    if (!snivhost_live)
        return OK;
    note_contexts(s, pconf, ptemp);
    say_once_a_day(s, ptemp);
    return OK;
}

int snivhost_served_monitor(apr_pool_t *p, server_rec *s)
{
    if (snivhost_live)
        say_once_a_day(s, p);
    return DECLINED;
}
