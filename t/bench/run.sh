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
# Environment: SECONDS_EACH (1) of each measurement, ROUNDS (5), MODULE (the
# .so), HTTPD (apache2 or httpd), WORK (a folder), SECOND=stock to see how far
# two stock servers differ (the noise of the machine).
#
# A round asks stock, module, module, stock, each over new connections. Shown
# are the medians of all measurements, and the server's processor time in
# microseconds for one request or handshake.
#
# Each virtual host has three names. On the TLS port only the first and the
# last have a certificate of their own, the others are names in the same
# address set: stock httpd needs minutes to start 50,000 certificates.

here=`cd "\`dirname "$0"\`" && pwd`
: "${SECONDS_EACH:=1}" "${ROUNDS:=5}" "${SECOND:=module}"
: "${MODULE:=$here/../../.libs/mod_snivhost.so}"
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
        test $which$SECOND != modulemodule || echo "LoadModule snivhost_module $MODULE
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

# What is measured: HOW PORT NAME -> a line "PER_SECOND HOW_MANY"
http() {
    $on_0 wrk -t1 -c8 -d"${SECONDS_EACH}s" -H "Host: $2" "http://127.0.0.1:$1/" |
        awk '/^Requests\/sec/ { rate = int($2) }
             / requests in / { n = $1 }
             /Non-2xx|Socket errors/ { exit 1 }
             END { print rate, n }'
}
tls() {
    $on_0 "$WORK/handshakes" 127.0.0.1 "$1" "$2" "$SECONDS_EACH" 4
}

# The processor time that a server and its children have had, in ticks
ticks() {
    pid=`cat "$WORK/$1.pid"`
    for p in $pid `cat /proc/$pid/task/*/children`; do
        sed 's/.*) //' /proc/$p/stat
    done | awk '{ n += $12 + $13 } END { print n }'
}

# One measurement: "PER_SECOND MICROSECONDS" onto $WORK/WHICH.n
measure() {
    before=`ticks $1`
    $2 $3 $4 >"$WORK/said" || { echo "bench: $1 failed" >&2; exit 1; }
    read rate n <"$WORK/said"
    after=`ticks $1`
    echo "$rate $(((after - before) * 1000000 / hertz / n))" >>"$WORK/$1.n"
}

column() {
    cut -d ' ' -f $2 "$WORK/$1.n" | sort -n | awk '{ v[NR] = $1 } END {
        print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

median() {
    : >"$WORK/stock.n"; : >"$WORK/module.n"
    eval "s=\$stock_$1 m=\$module_$1"
    i=0
    while test $i -lt "$ROUNDS"; do
        measure stock $1 $s "$2"
        measure module $1 $m "$2"
        measure module $1 $m "$2"
        measure stock $1 $s "$2"
        i=$((i + 1))
    done
    stock=`column stock 1` module=`column module 1`
    stock_us=`column stock 2` module_us=`column module 2`
}

# The clients on one processor and the servers on another: where the system
# moves them about, that alone is worth a fifth of the speed.
on_0= on_1=
if test "`nproc`" -gt 1 && command -v taskset >/dev/null; then
    on_0="taskset -c 0" on_1="taskset -c 1"
fi

hertz=`getconf CLK_TCK`
smallest=$1
date -u '+%Y-%m-%d'
"$HTTPD" -v | head -n 1
echo "`nproc` processors, $ROUNDS rounds of 4 x $SECONDS_EACH s"
echo
printf '%8s  %-10s %-8s %9s %9s %6s %6s   %s\n' '' '' '' 'a second' \
    'a second' '' "itself" 'us of processor'
printf '%8s  %-10s %-8s %9s %9s %6s %6s   %7s %7s %6s\n' vhosts measure \
    name stock "$SECOND" ratio "at $smallest" stock "$SECOND" ratio
for size; do
    configuration stock $stock_http $stock_tls $size
    configuration module $module_http $module_tls $size
    for which in stock module; do
        $on_1 "$HTTPD" -f "$WORK/$which.conf" || exit 1
    done
    "$WORK/handshakes" 127.0.0.1 $stock_tls - 60 1 first || exit 1
    "$WORK/handshakes" 127.0.0.1 $module_tls - 60 1 first || exit 1
    for what in http tls; do
        for who in first last unknown; do
            case $who in
            first) name=site1.example ;;
            last) name=site$size.example.org ;;
            unknown) name=nobody.example ;;
            esac
            median $what $name
            test "$size" != "$smallest" || eval "own_${what}_$who=$module"
            eval "own=\$own_${what}_$who"
            awk -v v=$size -v m="$what" -v w=$who -v s="$stock" \
                -v o="$module" -v own="$own" -v su="$stock_us" \
                -v ou="$module_us" 'BEGIN {
                printf "%8d  %-10s %-8s %9d %9d %6.2f %6.2f   %7d %7d %6.2f\n",
                    v, m == "http" ? "requests" : "handshakes", w, s, o,
                    o / s, o / own, su, ou, ou / su }'
        done
    done
    stop
done
