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

# What the module adds to a request and to a full TLS 1.3 handshake, in
# instructions: the same binary with SNIVHost Off, On and Verify, ten virtual
# hosts, under callgrind. The cost is the difference between a run of many and
# a run of few, so that start and stop do not count.
#
#   t/bench/instructions.sh
#
# Environment: MODULE (the .so), HTTPD, FEW (200), MANY (1200).

here=`cd "\`dirname "$0"\`" && pwd`
: "${FEW:=200}" "${MANY:=1200}" "${MODULE:=$here/../../.libs/mod_snivhost.so}"
test -n "$HTTPD" || HTTPD=`PATH=$PATH:/usr/sbin command -v apache2` ||
    HTTPD=`PATH=$PATH:/usr/sbin command -v httpd`
modules=`apxs -q LIBEXECDIR`
for tool in valgrind ab; do
    PATH=$PATH:/usr/sbin command -v $tool >/dev/null ||
        { echo "$tool is missing (Debian: apt-get install valgrind" \
            "apache2-utils)" >&2; exit 1; }
done

WORK=`mktemp -d "${TMPDIR:-/tmp}/snivhost-bench.XXXXXX"` || exit 1
chmod 755 "$WORK"
pid=
trap 'test -z "$pid" || kill $pid 2>/dev/null; rm -rf "$WORK"' EXIT
trap 'exit 1' INT TERM
mkdir -p "$WORK/htdocs"
# callgrind writes its results at the end, as whoever it is then: a root that
# becomes another user could not.
as=
if test "`id -u`" = 0; then
    chown nobody "$WORK"
    as="setpriv --reuid=nobody --clear-groups"
fi
echo "hello, world" >"$WORK/htdocs/index.html"
port=`perl -MIO::Socket::INET -e '
    print IO::Socket::INET->new(Listen => 1,
                                LocalAddr => "127.0.0.1")->sockport'`

# One certificate for all: the client wants to see the name in it
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
    -keyout "$WORK/key.pem" -out "$WORK/crt.pem" -days 2 -subj /CN=bench \
    -addext 'subjectAltName=DNS:site1.example,DNS:site10.example' \
    >"$WORK/openssl" 2>&1 &&
${CC-cc} -O2 "$here/handshakes.c" -o "$WORK/handshakes" -lssl -lcrypto \
    -lpthread || { cat "$WORK/openssl" >&2; exit 1; }
chmod 644 "$WORK/key.pem"

# count MODE N HOST http|tls: instructions of a server that has so many
# requests or handshakes
count() {
    {
        echo "ServerRoot $WORK
PidFile $WORK/httpd.pid
ErrorLog $WORK/log
Mutex file:$WORK default
ServerName main.example
Listen 127.0.0.1:$port
MaxKeepAliveRequests 0
ThreadsPerChild 2
DocumentRoot $WORK/htdocs
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule dir_module $modules/mod_dir.so
LoadModule ssl_module $modules/mod_ssl.so
SSLSessionCache none
LoadModule snivhost_module $MODULE
SNIVHost $1"
        for i in 1 2 3 4 5 6 7 8 9 10; do
            echo "<VirtualHost *:$port>
ServerName site$i.example
ServerAlias www.site$i.example site$i.example.org"
            test "$4" = http || echo "SSLEngine on
SSLCertificateFile $WORK/crt.pem
SSLCertificateKeyFile $WORK/key.pem"
            echo "</VirtualHost>"
        done
    } >"$WORK/conf"
    rm -f "$WORK/out"
    $as valgrind --tool=callgrind --callgrind-out-file="$WORK/out" \
        "$HTTPD" -X -f "$WORK/conf" >"$WORK/valgrind.log" 2>&1 &
    pid=$!
    n=0
    until perl -MIO::Socket::INET -e 'exit !IO::Socket::INET->new(@ARGV)' \
        "127.0.0.1:$port"; do
        n=$((n + 1))
        test $n -lt 120 || { cat "$WORK/valgrind.log" >&2; exit 1; }
        sleep 0.5
    done
    if test "$4" = http; then
        ab -q -k -n "$2" -H "Host: $3" "http://127.0.0.1:$port/" \
            >"$WORK/ab" 2>&1 || exit 1
    else
        "$WORK/handshakes" 127.0.0.1 "$port" "$3" 600 1 each 1 "$2" \
            >"$WORK/ab" || { cat "$WORK/ab" >&2; exit 1; }
    fi
    kill $pid
    # httpd 2.4.71 may crash in its last moment under callgrind, which then has
    # counted all the same
    wait $pid 2>/dev/null || test -s "$WORK/out" ||
        { echo "the server ended with $?" >&2; exit 1; }
    pid=
    awk '/^(summary|totals):/ { n = $2 } END { print n }' "$WORK/out"
}

# row KIND HOST
row() {
    for mode in Off On Verify; do
        few=`count $mode $FEW $2 $1` || exit 1
        many=`count $mode $MANY $2 $1` || exit 1
        eval "$mode=$(((many - few) / (MANY - FEW)))"
    done
    awk -v off=$Off -v on=$On -v verify=$Verify -v host="$1 $2" '
        function with(n) {
            return sprintf("%d (%+.2f%%)", n, (n - off) * 100 / off)
        }
        BEGIN {
            printf "%-19s %-14d %-20s %s\n", host, off, with(on), with(verify)
        }'
}

printf '%-19s %-14s %-20s %-20s\n' host 'SNIVHost Off' 'SNIVHost On' \
    'SNIVHost Verify'
for host in site1.example site10.example nobody.example; do
    row http $host
done
for host in site1.example site10.example; do
    row tls $host
done
