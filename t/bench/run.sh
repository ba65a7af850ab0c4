#! /bin/sh
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

# Requests and TLS handshakes per second, stock httpd and httpd with
# mod_snivhost side by side: for each number of virtual hosts two servers with
# the same configuration run at the same time, and each question is put to one
# and then to the other.
#
#   t/bench/run.sh [SIZE...]            (default: 10 1000 10000 50000)
#
# Environment: SECONDS_EACH (4) of each measurement, ROUNDS (3): the median
# is shown, MODULE (the .so), HTTPD (apache2 or httpd), WORK (a folder).
#
# Each virtual host has three names. On the TLS port only the first and the
# last have a certificate of their own, the others are names in the same
# address set: stock httpd needs minutes to start 50,000 certificates.

here=`cd "\`dirname "$0"\`" && pwd`
: "${SECONDS_EACH:=4}" "${ROUNDS:=3}" "${MODULE:=$here/../../.libs/mod_snivhost.so}"
test -n "$HTTPD" || HTTPD=`PATH=$PATH:/usr/sbin command -v apache2` ||
    HTTPD=`PATH=$PATH:/usr/sbin command -v httpd`
modules=`apxs -q LIBEXECDIR`
test $# -gt 0 || set -- 10 1000 10000 50000

for tool in wrk openssl cc; do
    command -v $tool >/dev/null ||
        { echo "bench: $tool is missing (Debian: apt-get install wrk" \
            "openssl gcc)" >&2; exit 1; }
done
test -f "$MODULE" || { echo "bench: no $MODULE, run make" >&2; exit 1; }

if test -z "$WORK"; then
    WORK=`mktemp -d "${TMPDIR:-/tmp}/snivhost-bench.XXXXXX"` || exit 1
    remove=$WORK
fi
chmod 755 "$WORK"

stop() {
    for which in stock module; do
        pid=`cat "$WORK/$which.pid" 2>/dev/null` || continue
        kill "$pid" 2>/dev/null
        for i in 1 2 3 4 5 6 7 8 9 10; do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.5
        done
        rm -f "$WORK/$which.pid"
    done
}
trap 'stop; test -z "$remove" || rm -rf "$remove"' EXIT
trap 'exit 1' INT TERM

mkdir -p "$WORK/htdocs"
echo "hello, world" >"$WORK/htdocs/index.html"
cc -O2 "$here/handshakes.c" -o "$WORK/handshakes" -lssl -lcrypto -lpthread ||
    exit 1
for n in first last; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -keyout "$WORK/$n.key" -out "$WORK/$n.crt" -days 30 \
        -subj "/CN=$n.example" 2>/dev/null || exit 1
done

# Four ports that are free now
ports=`perl -MIO::Socket::INET -e '
    my @s = map IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1"),
        1 .. 4;
    print join " ", map $_->sockport, @s'`
set_ports() { stock_http=$1; stock_tls=$2; module_http=$3; module_tls=$4; }
set_ports $ports

# configuration WHICH HTTP-PORT TLS-PORT SIZE
configuration() {
    which=$1 http=$2 tls=$3 size=$4
    {
        echo "ServerRoot $WORK
PidFile $WORK/$which.pid
ErrorLog $WORK/$which.log
Mutex file:$WORK default
ServerName main.example
Listen 127.0.0.1:$http
Listen 127.0.0.1:$tls
LogLevel error
MaxKeepAliveRequests 0
ThreadsPerChild 25
StartServers 2
MinSpareThreads 25
MaxSpareThreads 75
MaxRequestWorkers 50
DocumentRoot $WORK/htdocs
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule dir_module $modules/mod_dir.so
LoadModule ssl_module $modules/mod_ssl.so
SSLSessionCache none
SSLSessionTickets off"
        test "`id -u`" != 0 || echo "User nobody
Group nogroup"
        test $which = stock || echo "LoadModule snivhost_module $MODULE
SNIVHost On"
        awk -v size=$size -v http=$http -v tls=$tls -v work="$WORK" 'BEGIN {
            for (i = 1; i <= size; i++) {
                names = sprintf("ServerName site%d.example\nServerAlias " \
                    "www.site%d.example site%d.example.org\n", i, i, i)
                print "<VirtualHost *:" http ">\n" names "</VirtualHost>"
                print "<VirtualHost *:" tls ">\n" names
                c = i == 1 ? "first" : i == size ? "last" : ""
                if (c)
                    print "SSLEngine on\nSSLCertificateFile " work "/" c \
                        ".crt\nSSLCertificateKeyFile " work "/" c ".key"
                print "</VirtualHost>"
            }
        }'
    } >"$WORK/$which.conf"
}

http() {    # PORT HOST
    wrk -t1 -c8 -d"${SECONDS_EACH}s" -H "Host: $2" "http://127.0.0.1:$1/" |
        awk '/^Requests\/sec/ { print int($2) } /Non-2xx/ { exit 1 }'
}

tls() {     # PORT NAME
    "$WORK/handshakes" 127.0.0.1 "$1" "$2" "$SECONDS_EACH" 4 |
        cut -d ' ' -f 1
}

# median FUNCTION NAME: stock and module in turn, sets $stock and $module
median() {
    : >"$WORK/stock.n"; : >"$WORK/module.n"
    eval "s=\$stock_$1 m=\$module_$1"
    i=0
    while test $i -lt "$ROUNDS"; do
        $1 $s "$2" >>"$WORK/stock.n"
        $1 $m "$2" >>"$WORK/module.n"
        i=$((i + 1))
    done
    mid=$(((ROUNDS + 1) / 2))
    stock=`sort -n "$WORK/stock.n" | sed -n ${mid}p`
    module=`sort -n "$WORK/module.n" | sed -n ${mid}p`
}

smallest=$1
date -u '+%Y-%m-%d'
"$HTTPD" -v | head -n 1
echo "`nproc` processors, median of $ROUNDS rounds of $SECONDS_EACH s"
echo
printf '%8s  %-10s %-8s %9s %9s %7s  %s\n' vhosts measure name stock \
    module ratio "module / itself at $smallest"
for size; do
    configuration stock $stock_http $stock_tls $size
    configuration module $module_http $module_tls $size
    for which in stock module; do
        "$HTTPD" -f "$WORK/$which.conf" || exit 1
    done
    "$WORK/handshakes" 127.0.0.1 $stock_tls - 60 1 first || exit 1
    "$WORK/handshakes" 127.0.0.1 $module_tls - 60 1 first || exit 1
    for measure in http tls; do
        for who in first last unknown; do
            case $who in
            first) name=site1.example ;;
            last) name=site$size.example.org ;;
            unknown) name=nobody.example ;;
            esac
            median $measure $name
            test "$size" != "$smallest" || eval "own_${measure}_$who=$module"
            eval "own=\$own_${measure}_$who"
            awk -v v=$size -v m="$measure" -v w=$who -v s="$stock" \
                -v o="$module" -v own="$own" 'BEGIN {
                printf "%8d  %-10s %-8s %9d %9d %7.2f  %.2f\n", v,
                    m == "http" ? "requests" : "handshakes", w, s, o, o / s,
                    o / own }'
        done
    done
    stop
done
