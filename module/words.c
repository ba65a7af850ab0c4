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

#include "module/words.h"

#include "apr_strings.h"
#include "http_ssl.h"

/* ----- virtual hosts and decisions ----- */

const char *snivhost_addr_text(apr_pool_t *p, const sniv_ip_t *ip,
                               apr_port_t port)
{
    const unsigned char *b = ip->bytes;
    const char *host;

    if (sniv_ip_is_any(ip)) {
        host = "*";
    }
    else if (sniv_ip_is_v4(ip)) {
        host = apr_psprintf(p, "%u.%u.%u.%u", b[12], b[13], b[14], b[15]);
    }
    else {
        char *text = NULL;
#if APR_HAVE_IPV6
        apr_sockaddr_t sa;

        memset(&sa, 0, sizeof(sa));
        sa.pool = p;
        sa.family = APR_INET6;
        sa.ipaddr_len = sizeof(sa.sa.sin6.sin6_addr);
        sa.addr_str_len = 64;   /* with a zone */
        sa.ipaddr_ptr = &sa.sa.sin6.sin6_addr;
        sa.sa.sin6.sin6_family = APR_INET6;
        sa.sa.sin6.sin6_scope_id = ip->zone;
        memcpy(sa.ipaddr_ptr, b, 16);
        apr_sockaddr_ip_get(&text, &sa);
#endif
        host = apr_psprintf(p, "[%s]", text ? text : "?");
    }
    return port ? apr_psprintf(p, "%s:%u", host, port)
                : apr_psprintf(p, "%s:*", host);
}

const char *snivhost_set_text(apr_pool_t *p, const sniv_set_t *set)
{
    return set ? snivhost_addr_text(p, &set->ip, set->port)
               : "no address set";
}

const char *snivhost_vhost_text(apr_pool_t *p, const sniv_vhost_t *v)
{
    const server_rec *s = v->server;

    if (!s->is_virtual)
        return apr_psprintf(p, "main server %s", v->server_name);
    if (!v->file)
        return apr_psprintf(p, "%s (not in a file)", v->server_name);
    return apr_psprintf(p, "%s (%s:%u)", v->server_name, v->file, v->line);
}

const char *snivhost_rule_text(apr_pool_t *p, const sniv_decision_t *d)
{
    const char *rule = sniv_rule_name(d->rule);

    return d->pattern ? apr_psprintf(p, "%s '%s'", rule, d->pattern) : rule;
}

const char *snivhost_sni_text(request_rec *r)
{
    const char *sni = ap_ssl_var_lookup(r->pool, r->server, r->connection, r,
                                        "SSL_TLS_SNI");

    return sni && *sni ? ap_escape_logitem(r->pool, sni) : NULL;
}

const char *snivhost_handshake_text(request_rec *r)
{
    const snivhost_conn_t *conn = snivhost_conn(r->connection);
    const char *sni;

    if (!conn || !conn->hello_seen)
        return "";
    sni = snivhost_sni_text(r);
    return apr_psprintf(r->pool, "the handshake was for %s%s%s and %s",
                        sni ? "SNI '" : "no SNI", sni ? sni : "",
                        sni ? "'" : "",
                        snivhost_vhost_text(r->pool, conn->sni.vhost));
}

/* ----- numbers, times, modes ----- */

const char *snivhost_place_text(apr_pool_t *p, const server_rec *s)
{
    if (!s->defn_name)
        return s->is_virtual ? "not in a file" : "main server";
    return apr_psprintf(p, "%s:%u", s->defn_name, s->defn_line_number);
}

const char *snivhost_mode_text(snivhost_mode_e mode)
{
    return mode == SNIVHOST_ON ? "On" : mode == SNIVHOST_VERIFY ? "Verify"
                                                                : "Off";
}

const char *snivhost_time_text(apr_pool_t *p, apr_time_t when)
{
    apr_time_exp_t xt;

    apr_time_exp_gmt(&xt, when);
    return apr_psprintf(p, "%04d-%02d-%02d %02d:%02d:%02d UTC",
                        xt.tm_year + 1900, xt.tm_mon + 1, xt.tm_mday,
                        xt.tm_hour, xt.tm_min, xt.tm_sec);
}

const char *snivhost_distance_text(apr_pool_t *p, apr_time_t when,
                                   apr_time_t now)
{
    static const struct {
        apr_int64_t seconds;
        const char *name;
    } units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" },
                  { 1, "second" } };
    apr_int64_t n = apr_time_sec(when > now ? when - now : now - when);
    int i = 0;

    while (i < 3 && n < 2 * units[i].seconds)
        i++;
    n /= units[i].seconds;
    return apr_psprintf(p, "%s%" APR_INT64_T_FMT " %s%s%s",
                        when > now ? "in " : "", n, units[i].name,
                        snivhost_plural(n), when > now ? "" : " ago");
}

const char *snivhost_number_text(apr_pool_t *p, unsigned long n)
{
    char *digits = apr_psprintf(p, "%lu", n);
    apr_size_t len = strlen(digits), i;
    char *text = apr_palloc(p, len + len / 3 + 1), *to = text;

    for (i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return text;
}

/* Line separators, and what changes the direction of the text around it:
 * U+061C, U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069. */
static int turns_text(const unsigned char *text)
{
    if (text[0] == 0xd8)
        return text[1] == 0x9c;
    return text[0] == 0xe2
           && ((text[1] == 0x80 && (text[2] == 0x8e || text[2] == 0x8f
                                    || (text[2] >= 0xa8 && text[2] <= 0xae)))
               || (text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9));
}

/* UTF-8: RFC 3629. */
int snivhost_printable_length(const unsigned char *text)
{
    const unsigned char c = *text;
    int n, i;

    if (c < 0x80)
        return c >= ' ' && c != 0x7f;
    n = c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3
        : c >= 0xf0 && c < 0xf5 ? 4 : 0;
    for (i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    if ((c == 0xc2 && text[1] < 0xa0) || (c == 0xe0 && text[1] < 0xa0)
        || (c == 0xed && text[1] > 0x9f) || (c == 0xf0 && text[1] < 0x90)
        || (c == 0xf4 && text[1] > 0x8f) || turns_text(text)) {
        return 0;
    }
    return n;
}

const char *snivhost_printable(apr_pool_t *p, const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    char *copy, *to;
    int n;

    while (*c && (n = snivhost_printable_length(c)) > 0)
        c += n;
    if (!*c)
        return text;
    to = copy = apr_palloc(p, 4 * strlen(text) + 1);
    for (c = (const unsigned char *)text; *c; c += n) {
        n = snivhost_printable_length(c);
        if (n) {
            memcpy(to, c, n);
            to += n;
        }
        else {
            to += apr_snprintf(to, 5, "\\x%02x", *c);
            n = 1;
        }
    }
    *to = '\0';
    return copy;
}

const char *snivhost_one_line(apr_pool_t *p, const char *text)
{
    char *copy = apr_pstrdup(p, text), *c;

    for (c = copy; (c = strchr(c, '\n')) != NULL;)
        *c = ' ';
    return snivhost_printable(p, copy);
}

char *snivhost_lower(apr_pool_t *p, const char *text)
{
    char *copy = apr_pstrdup(p, text);

    ap_str_tolower(copy);
    return copy;
}

const char *snivhost_plural(apr_int64_t n)
{
    return n == 1 ? "" : "s";
}

const char *snivhost_day_text(apr_pool_t *p, apr_time_t when)
{
    return apr_pstrmemdup(p, snivhost_time_text(p, when), 10);
}

const char *snivhost_in_shell_quotes(apr_pool_t *p, const char *text)
{
    char *quoted = apr_palloc(p, 4 * strlen(text) + 1), *to = quoted;

    for (; *text; text++) {
        if (*text == '\'') {
            memcpy(to, "'\\''", 4);
            to += 4;
        }
        else {
            *to++ = *text;
        }
    }
    *to = '\0';
    return quoted;
}
