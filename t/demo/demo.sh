#!/bin/sh
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

# `./bootstrap demo`: starts httpd with demo.conf and asks it questions.
#
#   demo.sh MODULE [--keep]
#
# MODULE is the mod_snivhost.so to load. Each question is asked twice: of an
# httpd without the module, then of one with it; both answers have to be the
# expected one. Exit code 0 if they all were.

module=$1
keep=$2
here=`cd "\`dirname "$0"\`" && pwd` || exit 1

say() { printf '%s\n' "$*"; }
die() {
    say "demo: $*" >&2
    exit 1
}

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH
unset http_proxy https_proxy all_proxy ALL_PROXY HTTPS_PROXY 2>/dev/null
LC_ALL=C
export LC_ALL

apxs=${APXS:-`command -v apxs || command -v apxs2`}
query() { "$apxs" -q "$1" 2>/dev/null; }
httpd=`query SBINDIR`/`query PROGNAME`
test -x "$httpd" || die "no httpd at $httpd, where $apxs says it is."
modules=`query LIBEXECDIR`

# ----- a place to work that httpd's children can read, away behind us

work=${SNIVHOST_WORK:?}/demo
pidfile=$work/run/httpd.pid

stop() {
    test -s "$pidfile" || return 0
    pid=`cat "$pidfile"`
    kill "$pid" 2>/dev/null || return 0
    tries=0
    while kill -0 "$pid" 2>/dev/null; do
        tries=`expr $tries + 1`
        test $tries -lt 100 || { say "httpd ($pid) does not stop"; return 1; }
        sleep 0.1
    done
}

kept=
finish() {
    status=$?
    trap '' INT TERM HUP
    test -n "$kept" || { stop; rm -rf "$work"; }
    exit $status
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

mkdir -p "$work/run" "$work/logs" "$work/tls" "$work/htdocs" || exit 1
chmod 755 "$work" "$work/htdocs" "$work/tls"
# The keys in it are private by themselves (openssl)
say "Hello from the demo of mod_snivhost." >"$work/htdocs/index.html"

# ----- a throw-away certificate authority, a certificate per virtual host

certificate() {
    name=$1
    shift
    san=DNS:$name
    for alias; do
        san=$san,DNS:$alias
    done
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -subj "/CN=$name" -keyout "$name.key" -out "$name.csr" &&
    say "subjectAltName=$san" >"$name.ext" &&
    openssl x509 -req -in "$name.csr" -CA ca.crt -CAkey ca.key -days 90 \
        -set_serial "0x`openssl rand -hex 8`" -extfile "$name.ext" \
        -out "$name.crt"
}

(
    cd "$work/tls" &&
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
        -nodes -subj "/CN=Demo CA" -days 90 -keyout ca.key -out ca.crt &&
    certificate first.example &&
    certificate shop.example www.shop.example '*.shop.example' &&
    certificate api.example api.shop.example &&
    certificate old.example &&
    certificate office.example
) >"$work/logs/openssl.log" 2>&1 || {
    cat "$work/logs/openssl.log" >&2
    die "openssl could not make the certificates."
}

# ----- httpd

# Two ports that nobody has, on each of the addresses
free_ports() {
    perl -MIO::Socket::INET -e '
        my (@held, @ports);
        for (1 .. 100) {
            my $s = IO::Socket::INET->new(Listen => 1,
                LocalAddr => "127.0.0.1", LocalPort => 0) or next;
            my $t = IO::Socket::INET->new(Listen => 1,
                LocalAddr => "127.0.0.2", LocalPort => $s->sockport) or next;
            push @held, $s, $t;
            push @ports, $s->sockport;
            last if @ports == 2;
        }
        print "@ports\n"; exit(@ports != 2);'
}

# The first user of the list that exists: whom the children of root's httpd
# become
children() {
    for user in www-data apache httpd daemon nobody; do
        id "$user" >/dev/null 2>&1 || continue
        say "User $user"
        say "Group `id -gn $user`"
        return
    done
}

load() {
    for name; do
        say "<IfModule !mod_$name.c>"
        say "    LoadModule ${name}_module $modules/mod_$name.so"
        say "</IfModule>"
    done
}

configure() {
    say "ServerRoot $work"
    say "Define WORK $work"
    say "Define HTTP $http"
    say "Define HTTPS $https"
    say '<IfModule !mpm_event_module>'
    say "    LoadModule mpm_event_module $modules/mod_mpm_event.so"
    say '</IfModule>'
    load unixd log_config authz_core dir headers socache_shmcb ssl http2
    test "`id -u`" != 0 || children
    say "LoadModule snivhost_module $module"
    say "SNIVHost $1"
    say "SNIVHostAdopt $1"
    say "Include $here/demo.conf"
}

# start On|Off
start() {
    tries=0
    while :; do
        # shellcheck disable=SC2046
        set -- "$1" `free_ports` || die "no free ports on 127.0.0.1 and .2."
        http=$2
        https=$3
        configure "$1" >"$work/httpd.conf"
        : >"$work/logs/error.log"
        "$httpd" -f "$work/httpd.conf" >"$work/logs/start.log" 2>&1 && break
        tries=`expr $tries + 1`
        # Somebody may have taken a port between our look and httpd's
        test $tries -lt 3 && grep -q 'ddress already in use' \
            "$work/logs/start.log" && continue
        cat "$work/logs/start.log" "$work/logs/error.log" >&2
        die "httpd does not start."
    done
    tries=0
    until test -s "$pidfile" &&
        curl -s -o "$work/null" --max-time 5 "http://127.0.0.1:$http/"; do
        tries=`expr $tries + 1`
        test $tries -lt 100 || {
            cat "$work/logs/error.log" >&2
            die "httpd has started but does not answer."
        }
        sleep 0.1
    done
}

# ----- questions: each leaves vhost, cert, protocol, status

# ask_curl NAME ADDRESS SCHEME [CURL-OPTION]...
ask_curl() {
    name=$1
    scheme=$3
    port=$https
    test "$scheme" = https || port=$http
    connect=$2:$port
    shift 3
    curl -k -sv --max-time 10 --connect-to "::$connect" \
        -o "$work/body" -D "$work/head" -w '%{http_version} %{http_code}\n' \
        "$@" "$scheme://$name:$port/" >"$work/result" 2>"$work/verbose"
    code=$?
    vhost=`sed -n 's/^[Xx]-[Vv]host: *\([^ ]*\).*/\1/p' "$work/head" |
        tr -d '\r' | tail -n 1`
    cert=`sed -n 's/^\*  *subject: CN *= *//p' "$work/verbose"`
    tls=`sed -n 's/^\* SSL connection using \([^ ]*\).*/\1/p' \
        "$work/verbose"`
    read -r version status <"$work/result"
    protocol="${tls:+$tls }HTTP/$version"
    if test $code != 0; then
        vhost=
        cert=
        status=
        protocol="failed ($code)"
        if grep -q 'alert protocol version' "$work/verbose"; then
            protocol='TLS alert 70'
        fi
    fi
}

# ask_openssl NAME ADDRESS [S_CLIENT-OPTION]...: HTTP/1.1 by hand, for what
# curl cannot be told
ask_openssl() {
    request="GET / HTTP/1.1\r\nHost: $1\r\nConnection: close\r\n\r\n"
    connect=$2:$https
    shift 2
    # shellcheck disable=SC2059
    printf "$request" |
        timeout 10 openssl s_client -connect "$connect" -ign_eof "$@" \
            >"$work/body" 2>"$work/verbose"
    vhost=`sed -n 's/^X-Vhost: *\([^ ]*\).*/\1/p' "$work/body" | tr -d '\r'`
    cert=`sed -n 's/^subject=.*CN *= *//p' "$work/body"`
    tls=`sed -n 's/^New, \(TLSv[0-9.]*\),.*/\1/p' "$work/body" | tail -n 1`
    # shellcheck disable=SC2046
    set -- `sed -n 's/^\(HTTP[^ ]* [0-9]*\).*/\1/p' "$work/body"`
    protocol="$tls $1"
    status=$2
}

line() {
    printf '%-21s %-26s %-7s %-15s %-17s %s\n' "$@" | sed 's/ *$//'
}

asked=0
wrong=0
without_sni=
# expect QUESTION NAMES VHOST CERTIFICATE PROTOCOL STATUS
expect() {
    asked=`expr $asked + 1`
    test -z "$show" ||
        line "$1" "$2" "${vhost:--}" "${cert:--}" "$protocol" "${status:--}"
    test "$vhost|$cert|$protocol|$status" = "$3|$4|$5|$6" && return
    wrong=`expr $wrong + 1`
    say "  NOT EXPECTED ($setting): $1, $2"
    say "      got $vhost|$cert|$protocol|$status"
    say "  instead of $3|$4|$5|$6"
}

title() {
    test -z "$show" || { say; say "$*"; }
}

questions() {
    title "Plain HTTP, 127.0.0.1 port $http, name-based"
    ask_curl shop.example 127.0.0.1 http
    expect 'exact name' shop.example shop '' HTTP/1.1 200
    ask_curl www.shop.example 127.0.0.1 http
    expect 'alias' www.shop.example shop '' HTTP/1.1 200
    ask_curl any.thing.shop.example 127.0.0.1 http
    expect 'glob' any.thing.shop.example shop '' HTTP/1.1 200
    ask_curl nobody.example 127.0.0.1 http
    expect 'unknown name' nobody.example first '' HTTP/1.1 200
    ask_curl 127.0.0.1 127.0.0.1 http --http1.0 -H Host:
    expect 'HTTP/1.0, no name' - first '' HTTP/1.1 200

    title "TLS, 127.0.0.1 port $https, name-based"
    ask_curl shop.example 127.0.0.1 https --http1.1
    expect 'exact name' shop.example \
        shop shop.example 'TLSv1.3 HTTP/1.1' 200
    ask_curl SHOP.Example 127.0.0.1 https --http1.1
    expect 'upper case' SHOP.Example \
        shop shop.example 'TLSv1.3 HTTP/1.1' 200
    ask_curl www.shop.example 127.0.0.1 https --http1.1
    expect 'alias' www.shop.example \
        shop shop.example 'TLSv1.3 HTTP/1.1' 200
    ask_curl any.thing.shop.example 127.0.0.1 https --http1.1
    expect 'glob' any.thing.shop.example \
        shop shop.example 'TLSv1.3 HTTP/1.1' 200
    ask_curl api.shop.example 127.0.0.1 https --http1.1
    expect 'glob before exact' api.shop.example \
        shop shop.example 'TLSv1.3 HTTP/1.1' 200
    ask_curl api.example 127.0.0.1 https --http1.1
    expect 'alias behind it' api.example \
        api api.example 'TLSv1.3 HTTP/1.1' 200
    ask_curl shop.example 127.0.0.1 https --http2
    expect 'HTTP/2' shop.example \
        shop shop.example 'TLSv1.3 HTTP/2' 200
    ask_curl first.example 127.0.0.1 https --http2
    expect 'HTTP/2 not offered' first.example \
        first first.example 'TLSv1.3 HTTP/1.1' 200
    ask_curl old.example 127.0.0.1 https
    expect 'SSLProtocol TLSv1.2' old.example \
        old old.example 'TLSv1.2 HTTP/1.1' 200
    ask_curl old.example 127.0.0.1 https --tlsv1.3
    expect 'TLS 1.3 only' old.example '' '' 'TLS alert 70' ''
    ask_curl nobody.example 127.0.0.1 https
    expect 'unknown name' nobody.example \
        first first.example 'TLSv1.3 HTTP/1.1' 200
    ask_openssl first.example 127.0.0.1 -noservername
    expect 'no SNI, Host' 'first.example' \
        first first.example 'TLSv1.3 HTTP/1.1' 200
    ask_openssl shop.example 127.0.0.1 -noservername
    # httpd before 2.4.64 answers; which it is says the one without us
    test -n "$without_sni" || case $status in
    200) without_sni=200 ;;
    *)   without_sni=421 ;;
    esac
    expect 'no SNI, other Host' 'shop.example' \
        shop first.example 'TLSv1.3 HTTP/1.1' $without_sni
    ask_openssl old.example 127.0.0.1 -servername shop.example
    expect 'SNI / Host differ' 'shop.example / old.example' \
        old shop.example 'TLSv1.3 HTTP/1.1' 421
    ask_openssl www.shop.example 127.0.0.1 -servername shop.example
    expect 'same vhost' 'shop.ex. / www.shop.ex.' \
        shop shop.example 'TLSv1.3 HTTP/1.1' 200

    title "TLS, 127.0.0.2 port $https, IP-based"
    ask_curl office.example 127.0.0.2 https
    expect 'its name' office.example \
        office office.example 'TLSv1.3 HTTP/1.1' 200
    ask_curl shop.example 127.0.0.2 https
    expect "another's name" shop.example \
        office office.example 'TLSv1.3 HTTP/1.1' 200
}

show=
setting='SNIVHost Off'
start Off
questions
stop || exit 1
stock=`expr $asked - $wrong`

asked=0
wrong=0
show=1
setting='SNIVHost On'
start On
line QUESTION 'NAME (SNI / HOST)' VHOST CERTIFICATE PROTOCOL STATUS
questions

say
say "$asked questions, `expr $asked - $wrong` answers as expected" \
    "(with SNIVHost Off: $stock)."

# Lines of the module, at most 96 columns wide, without our directory
tell() {
    sed -n "s|$here/||g; s|$work/||g; /^SNIV[0-9]*:/p" |
        awk '{
            line = "  " $1
            for (i = 2; i <= NF; i++) {
                if (length(line) + 1 + length($i) > 96) {
                    print line
                    line = "           "
                }
                line = line " " $i
            }
            print line
        }'
}

say
say 'What the module said at the start (SNIVHostAdopt On):'
awk '/^SNIV001|^SNIV01/ { exit } !seen[$0]++' "$work/logs/error.log" | tell

say
say "Why, in its words (LogLevel snivhost:debug), one line of each rule:"
awk '/^SNIV001|^SNIV01/ {
        kind = $1
        if (match($0, /, rule [a-z-]+/))
            kind = kind substr($0, RSTART, RLENGTH)
        if (!seen[kind]++)
            print
    }' "$work/logs/error.log" | tell | tee "$work/why"
for tag in SNIV0010 SNIV0100; do
    grep -q "$tag" "$work/why" || {
        wrong=`expr $wrong + 1`
        say "  NOT EXPECTED: there is no line $tag; is the module at work?"
    }
done

question="127.0.0.1:$https sni=api.shop.example host=old.example"
say
say "The same without a connection (summary and the directives that differ):"
say "  httpd -t -c 'SNIVHostExplain $question'"
"$httpd" -f "$work/httpd.conf" -t -c "SNIVHostExplain $question" \
    >"$work/explain" 2>"$work/logs/explain.log"
sed -n "s|$here/||g; s|$work/||g; 2,/^\$/{/./p;}; /^differs/,/^\$/{/./p;}" \
    "$work/explain" | sed 's/^\([^ ]\)/  \1/'
grep -q '^ *refusal  *421 ' "$work/explain" || {
    cat "$work/logs/explain.log"
    wrong=`expr $wrong + 1`
    say "  NOT EXPECTED: SNIVHostExplain does not speak of 421"
}

test "$wrong" = 0 && test "$stock" = "$asked" || exit 1
test "$keep" = --keep || exit 0

# ----- --keep

cat >"$work/stop" <<END
#!/bin/sh
# Stops the httpd of the demo and removes its directory.
pid=\`cat "$pidfile"\` && kill "\$pid" || exit 1
tries=0
while kill -0 "\$pid" 2>/dev/null && test \$tries -lt 100; do
    tries=\`expr \$tries + 1\`
    sleep 0.1
done
rm -rf "${SNIVHOST_WORK:?}"
END
kept=1
say
say "httpd (`cat "$pidfile"`) keeps running. Try:"
say "  curl -i --cacert $work/tls/ca.crt \\"
say "      --connect-to ::127.0.0.1:$https https://www.shop.example:$https/"
say "  openssl s_client -connect 127.0.0.1:$https -servername old.example"
say "  $httpd -f $work/httpd.conf -t -D DUMP_SNIVHOST"
say "  $httpd -f $work/httpd.conf -t -c \\"
say "      'SNIVHostExplain 127.0.0.1:$https sni=old.example host=old.example'"
say "  tail -f $work/logs/error.log"
say "Configuration: $here/demo.conf"
say "Stop it and clean up:"
say "  sh $work/stop"
