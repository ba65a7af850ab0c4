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

# What a refused handshake costs the server, beside one that is served: CPU
# time of all its processes per handshake, full handshakes, TLS 1.3, in turn.
#
#   t/bench/refused.sh
#
# Environment: SECONDS_EACH (4), ROUNDS (3): the median is shown, MODULE (the
# .so), HTTPD.

here=`cd "\`dirname "$0"\`" && pwd`
: "${SECONDS_EACH:=4}" "${ROUNDS:=3}" "${MODULE:=$here/../../.libs/mod_snivhost.so}"
test -n "$HTTPD" || HTTPD=`PATH=$PATH:/usr/sbin command -v apache2` ||
    HTTPD=`PATH=$PATH:/usr/sbin command -v httpd`
modules=`apxs -q LIBEXECDIR`
WORK=`mktemp -d "${TMPDIR:-/tmp}/snivhost-bench.XXXXXX"` || exit 1
chmod 755 "$WORK"

stop() {
    pid=`cat "$WORK/pid" 2>/dev/null` || return
    kill "$pid" 2>/dev/null
    for i in 1 2 3 4 5 6 7 8 9 10; do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.5
    done
}
trap 'stop; rm -rf "$WORK"' EXIT
trap 'exit 1' INT TERM

cc -O2 "$here/handshakes.c" -o "$WORK/handshakes" -lssl -lcrypto -lpthread ||
    exit 1
for n in rsa ec; do
    case $n in
    rsa) key="rsa:2048" opt= ;;
    ec) key=ec opt="-pkeyopt ec_paramgen_curve:P-256" ;;
    esac
    openssl req -x509 -newkey $key $opt -nodes -keyout "$WORK/$n.key" \
        -out "$WORK/$n.crt" -days 30 -subj "/CN=$n.example" 2>/dev/null ||
        exit 1
done
port=`perl -MIO::Socket::INET -e '
    print IO::Socket::INET->new(Listen => 1,
                                LocalAddr => "127.0.0.1")->sockport'`
{
    echo "ServerRoot $WORK
PidFile $WORK/pid
ErrorLog $WORK/log
Mutex file:$WORK default
ServerName main.example
Listen 127.0.0.1:$port
StartServers 1
ThreadsPerChild 25
MaxRequestWorkers 25
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule ssl_module $modules/mod_ssl.so
LoadModule snivhost_module $MODULE
SNIVHost On
SNIVHostUnknownSNI refuse
SSLSessionCache none
SSLSessionTickets off"
    test "`id -u`" != 0 || echo "User nobody
Group nogroup"
    for n in rsa ec; do
        echo "<VirtualHost *:$port>
ServerName $n.example
SSLEngine on
SSLCertificateFile $WORK/$n.crt
SSLCertificateKeyFile $WORK/$n.key
</VirtualHost>"
    done
} >"$WORK/conf"
"$HTTPD" -f "$WORK/conf" || exit 1
"$WORK/handshakes" 127.0.0.1 $port rsa.example 30 1 first || exit 1

# CPU time of the server's processes so far, in clock ticks
ticks() {
    perl -e 'my $main = shift; my $sum = 0;
        for my $file (glob "/proc/[0-9]*/stat") {
            open my $fh, "<", $file or next;
            my $line = <$fh> // next;
            my @f = split " ", $line =~ s/.*\) //r;
            my ($pid) = $file =~ /(\d+)/;
            $sum += $f[11] + $f[12] if $f[1] == $main || $pid == $main;
        }
        print $sum' "`cat "$WORK/pid"`"
}

# cost NAME [refused]: microseconds of CPU time per handshake
cost() {
    before=`ticks`
    done=`"$WORK/handshakes" 127.0.0.1 $port "$1" $SECONDS_EACH 2 $2` ||
        exit 1
    after=`ticks`
    echo $(((after - before) * 1000000 / `getconf CLK_TCK` / ${done#* }))
}

i=0
while test $i -lt "$ROUNDS"; do
    cost rsa.example >>"$WORK/n.rsa"
    cost ec.example >>"$WORK/n.ec"
    cost nobody.example refused >>"$WORK/n.refused"
    i=$((i + 1))
done
echo "server CPU time per handshake, median of $ROUNDS:"
for n in rsa ec refused; do
    v=`sort -n "$WORK/n.$n" | sed -n $(((ROUNDS + 1) / 2))p`
    case $n in
    rsa) what="served, RSA 2048" ;;
    ec) what="served, ECDSA P-256" ;;
    refused) what="refused, unrecognized_name" ;;
    esac
    printf '%-28s %6d us\n' "$what" $v
done
