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

#include "serve/request.h"

#include "apr_atomic.h"
#include "http_connection.h"
#include "http_core.h"
#include "http_protocol.h"
#include "http_request.h"
#include "http_ssl.h"
#include "mod_core.h"

#include "module/counters.h"
#include "module/stock.h"
#include "module/words.h"

/*
 * How far a request has come. The request config points to one of these, so
 * that nothing is allocated for a request.
 */
typedef struct request_state_t {
    enum {
        REQUEST_OPEN,       /* core was kept from choosing, we have to */
        REQUEST_DECIDED,    /* chosen, by this rule */
        REQUEST_EARLY       /* it failed before the name was looked at */
    } at;
    sniv_rule_e rule;
} request_state_t;

static const request_state_t state_open = { REQUEST_OPEN, SNIV_RULE_MAIN };
static const request_state_t state_early = { REQUEST_EARLY, SNIV_RULE_MAIN };
static const request_state_t states_decided[] = {
#define DECIDED(rule) [rule] = { REQUEST_DECIDED, rule }
    DECIDED(SNIV_RULE_MAIN),
    DECIDED(SNIV_RULE_IP),
    DECIDED(SNIV_RULE_SERVERNAME),
    DECIDED(SNIV_RULE_ALIAS),
    DECIDED(SNIV_RULE_GLOB),
    DECIDED(SNIV_RULE_ADDRESS_TEXT),
    DECIDED(SNIV_RULE_PATH),
    DECIDED(SNIV_RULE_DEFAULT),
    DECIDED(SNIV_RULE_DEFAULT_NO_NAME)
#undef DECIDED
};

static const request_state_t *get_state(const request_rec *r)
{
    return ap_get_module_config(r->request_config, &snivhost_module);
}

static int is_open(const request_rec *r)
{
    const request_state_t *state = get_state(r);

    return state && state->at == REQUEST_OPEN;
}

static void set_state(request_rec *r, const request_state_t *state)
{
    ap_set_module_config(r->request_config, &snivhost_module,
                         (void *)state);
}

/* ----- the connection: IP step ----- */

/*
 * core has done its own IP step by now. If ours comes to something else we
 * have a bug: say so once and keep out of the way.
 */
static int agrees_with_core(const conn_rec *c, const sniv_set_t *set)
{
    static apr_uint32_t told;
    const sniv_vhost_t *v = set ? set->members[0]
                                : snivhost_live->table->main_server;
    int name_based = set && set->name_based;

    if (c->base_server == v->server
        && (c->vhost_lookup_data != NULL) == name_based) {
        return 1;
    }
    if (apr_atomic_inc32(&told) == 0) {
        ap_log_cerror(APLOG_MARK, APLOG_ERR, 0, c, "SNIV0001: on %pI httpd "
                      "selected %s (%s:%u)%s as the default, SNIVHost would "
                      "select %s%s: connections to this address are left to "
                      "httpd. Please report this (logged once per process)",
                      c->local_addr, c->base_server->server_hostname,
                      c->base_server->defn_name
                          ? c->base_server->defn_name : "main server",
                      c->base_server->defn_line_number,
                      c->vhost_lookup_data ? ", name-based" : "",
                      snivhost_vhost_text(c->pool, v),
                      name_based ? ", name-based" : "");
    }
    return 0;
}

int snivhost_pre_connection(conn_rec *c, void *csd)
{
    const snivhost_live_t *live = snivhost_live;
    snivhost_conn_t *conn;
    const sniv_set_t *set;
    sniv_ip_t ip;

    (void)csd;
    if (!live || c->outgoing)
        return DECLINED;

    if (c->master) {
        /* A stream of HTTP/2: all its connection fields are the primary's. */
        ap_set_module_config(c->conn_config, &snivhost_module,
                             snivhost_conn(c->master));
        return DECLINED;
    }

    sniv_ip_from_sockaddr(&ip, c->local_addr);
    set = sniv_table_find(live->table, &ip, c->local_addr->port);
    if (!agrees_with_core(c, set)) {
        snivhost_count(c, SNIVHOST_COUNT_LEFT_TO_CORE);
        return DECLINED;
    }

    conn = apr_pcalloc(c->pool, sizeof(*conn));
    conn->c = c;
    conn->set = set;
    conn->base = c->base_server;
    conn->chain = c->vhost_lookup_data;
    /* With StrictHostCheck core refuses unknown names itself and treats
     * malformed ones differently: it has to look at the names. */
    conn->leave_requests = live->mode == SNIVHOST_VERIFY
                           || (set && live->strict[set->number]);
    ap_set_module_config(c->conn_config, &snivhost_module, conn);
    return DECLINED;
}

/* ----- the request: name step ----- */

static void log_decision(request_rec *r, const sniv_decision_t *d)
{
    if (!APLOGrdebug(r))
        return;
    ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r, "SNIV0010: "
                  "Host %s%s%s on %pI: vhost %s, rule %s, address set %s",
                  r->hostname ? "'" : "",
                  r->hostname ? ap_escape_logitem(r->pool, r->hostname)
                              : "not given",
                  r->hostname ? "'" : "", r->connection->local_addr,
                  snivhost_vhost_text(r->pool, d->vhost),
                  snivhost_rule_text(r->pool, d),
                  snivhost_set_text(r->pool, d->set));
}

/* Put a request under a server: what core's apply_server_config() does. */
static void apply_server(request_rec *r, server_rec *s)
{
    if (s->timeout != r->server->timeout && !r->connection->master) {
        apr_socket_t *csd = ap_get_conn_socket(r->connection);

        if (csd)
            apr_socket_timeout_set(csd, s->timeout);
    }
    r->server = s;
    r->per_dir_config = s->lookup_defaults;
}

static int is_by_name(const sniv_decision_t *d)
{
    switch (d->rule) {
    case SNIV_RULE_SERVERNAME:
    case SNIV_RULE_ALIAS:
    case SNIV_RULE_GLOB:
    case SNIV_RULE_ADDRESS_TEXT:
    case SNIV_RULE_PATH:
        return 1;
    case SNIV_RULE_MAIN:
    case SNIV_RULE_IP:
    case SNIV_RULE_DEFAULT:
    case SNIV_RULE_DEFAULT_NO_NAME:
        break;
    }
    return 0;
}

/*
 * Where no name decides, core leaves a request with the server of its
 * connection, and so do we: other modules (mod_qos) give a connection one of
 * their own.
 */
static void decide(request_rec *r, const snivhost_conn_t *conn,
                   sniv_decision_t *d)
{
    server_rec *s;

    sniv_decide_request(snivhost_live->table, conn->set, r->hostname, r->uri,
                        d);
    s = SNIVHOST_SERVER(d);
    if (is_open(r)) {
        if (is_by_name(d) && r->server != s)
            apply_server(r, s);
    }
    else if (r->server != s
             && (is_by_name(d) || r->server != r->connection->base_server)) {
        snivhost_differs(r->connection, r, "Host", r->hostname, r->server, d);
    }
    set_state(r, &states_decided[d->rule]);
    snivhost_count(r->connection, SNIVHOST_COUNT_REQUEST(d->rule));
    log_decision(r, d);
}

const char *snivhost_request_rule(const request_rec *r)
{
    const request_state_t *state;

    while (r->main)
        r = r->main;
    state = get_state(r);
    return state && state->at == REQUEST_DECIDED
           ? sniv_rule_name(state->rule) : NULL;
}

/*
 * TLS that is not mod_ssl's (mod_gnutls, mod_tls): its handshake, and with it
 * a search of its own among the candidates, may come to pass while core reads
 * the first request.
 */
static int may_search_itself(const snivhost_conn_t *conn, conn_rec *c)
{
    return !c->master && !conn->is_mod_ssl && c->keepalives == 0
           && ap_ssl_conn_is_ssl(c);
}

/*
 * Before core reads the request: without a name chain it takes no vhost by
 * name, and walks none.
 */
void snivhost_pre_read_request(request_rec *r, conn_rec *c)
{
    const snivhost_conn_t *conn;

    if (!snivhost_live || (conn = snivhost_conn(c)) == NULL)
        return;
    if (conn->challenge_only) {
        /* what is read of it is the end */
        c->aborted = 1;
        return;
    }
    if (!conn->chain || conn->leave_requests
        || c->vhost_lookup_data != conn->chain
        || may_search_itself(conn, c)) {
        return;
    }
    c->vhost_lookup_data = NULL;
    set_state(r, &state_open);
}

/* Give core's name chain back: mod_ssl's SSLStrictSNIVHostCheck reads it. */
static void restore_chain(const request_rec *r, const snivhost_conn_t *conn)
{
    r->connection->vhost_lookup_data = conn->chain;
}

/* core adds this filter right before the name step, and removes it if the
 * request was unusable for another reason. */
static int has_http_filter(const request_rec *r)
{
    const ap_filter_t *f;

    for (f = r->input_filters; f; f = f->next) {
        if (f->frec == ap_http_input_filter_handle)
            return 1;
    }
    return 0;
}

/*
 * Whether core had come to its name step when it refused a request in
 * ap_read_request(). If so the answer is due to the vhost of that name, if
 * not to the default.
 */
static int core_reached_names(const request_rec *r)
{
    const char *host;

    /* A host that core accepted (fix_hostname) is a new string; one that it
     * did not is NULL or still the URI's own. */
    if (r->hostname && r->hostname != r->parsed_uri.hostname)
        return 1;

    if (r->hostname) {
        /* Two kinds are accepted as they are: an empty one, and all digits
         * with HttpProtocolOptions Unsafe. */
        const core_server_config *core =
            ap_get_core_module_config(r->server->module_config);

        if (*r->hostname
            && (core->http_conformance != AP_HTTP_CONFORMANCE_UNSAFE
                || r->hostname[strspn(r->hostname, "0123456789")])) {
            return 0;
        }
    }
    else {
        /* No host: refused with 400 for that, or with 417 after it. */
        host = apr_table_get(r->headers_in, "Host");
        if ((host && *host)
            || (r->status != HTTP_BAD_REQUEST
                && r->status != HTTP_EXPECTATION_FAILED)) {
            return 0;
        }
    }
    /* HTTP/2 adds the filter only later, and has no other way to come here. */
    return r->connection->master || has_http_filter(r);
}

/* The end of a request that core refused before post_read_request. */
static void decide_refused(request_rec *r, const snivhost_conn_t *conn)
{
    sniv_decision_t d;

    restore_chain(r, conn);
    if (core_reached_names(r))
        decide(r, conn, &d);
    else
        set_state(r, &state_early);
}

int snivhost_post_read_request(request_rec *r)
{
    const snivhost_conn_t *conn;
    sniv_decision_t d;

    if (!snivhost_live)
        return DECLINED;
    conn = snivhost_conn(r->connection);
    if (!conn)
        return DECLINED;

    if (r->prev) {
        /* An internal redirect stays with its server. If it leads to the
         * ErrorDocument of a request that core refused, that one has to be
         * decided now. */
        if (is_open(r->prev)) {
            decide_refused(r->prev, conn);
            apply_server(r, r->prev->server);
        }
        set_state(r, get_state(r->prev));
        return DECLINED;
    }

    if (is_open(r))
        restore_chain(r, conn);
    else if (r->connection->vhost_lookup_data != conn->chain)
        return DECLINED;        /* it has been given another address */
    decide(r, conn, &d);
    return DECLINED;
}

void snivhost_insert_error_filter(request_rec *r)
{
    if (snivhost_live && is_open(r))
        decide_refused(r, snivhost_conn(r->connection));
}
