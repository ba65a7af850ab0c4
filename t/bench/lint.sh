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

# What the lint adds to a test of the configuration: the time of httpd -t with
# SNIVHostLint Off and On, in turn, for virtual hosts
#
#   plain    on port 80, three names each
#   one      with TLS and one wildcard certificate for all
#   each     with TLS and a certificate of its own for each
#   stored   the same, from a folder, without SSLCertificateFile
#
#   t/bench/lint.sh [size] ...      (5000 50000)
#
# Seconds, the median of the rounds; "lint" is the median of the differences
# within a round. Certificates are read once before, so that the disk does not
# count.
#
# Environment: ROUNDS (5), KINDS ("plain one each stored"), WORK (a folder
# that is kept, with its certificates), MODULE (the .so), HTTPD.

here=`cd "\`dirname "$0"\`" && pwd`
: "${ROUNDS:=5}" "${KINDS:=plain one each stored}"
: "${MODULE:=$here/../../.libs/mod_snivhost.so}"
test -n "$HTTPD" || HTTPD=`PATH=$PATH:/usr/sbin command -v apache2` ||
    HTTPD=`PATH=$PATH:/usr/sbin command -v httpd`
modules=`apxs -q LIBEXECDIR`
test $# -gt 0 || set -- 5000 50000
if test -z "$WORK"; then
    WORK=`mktemp -d "${TMPDIR:-/tmp}/snivhost-bench.XXXXXX"` || exit 1
    trap 'rm -rf "$WORK"' EXIT
    trap 'exit 1' INT TERM
fi
mkdir -p "$WORK/certs" || exit 1

most=0
for n; do
    test "$n" -le $most || most=$n
done
case $KINDS in
*each*|*stored*)
    cc -O2 "$here/certs.c" -o "$WORK/make-certs" -lcrypto &&
        "$WORK/make-certs" "$WORK/certs" $most ec || exit 1 ;;
esac
case $KINDS in
*one*)
    test -f "$WORK/one.crt" ||
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
            -nodes -keyout "$WORK/one.key" -out "$WORK/one.crt" -days 90 \
            -subj /CN=example -addext subjectAltName=DNS:'*.example' \
            2>/dev/null || exit 1 ;;
esac

# configure KIND SIZE
configure() {
    cat <<END
ServerRoot "$WORK"
PidFile "$WORK/pid"
ErrorLog "$WORK/log"
Mutex file:$WORK default
ServerName main.example
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule ssl_module $modules/mod_ssl.so
LoadModule snivhost_module $MODULE
SNIVHost On
<IfDefine LintOff>
SNIVHostLint Off
</IfDefine>
Listen 127.0.0.1:8080
Listen 127.0.0.1:8443
END
    perl -e 'my ($kind, $size, $work) = @ARGV;
        for my $i (0 .. $size - 1) {
            my $crt = $kind eq "one" ? "$work/one" : "$work/certs/$i";
            print "<VirtualHost *:", $kind eq "plain" ? 8080 : 8443, ">\n",
                "ServerName site$i.example\n";
            print "ServerAlias www.site$i.example *.site$i.cdn.example\n"
                if $kind eq "plain";
            print "SSLEngine on\nSSLCertificateFile $crt.crt\n",
                "SSLCertificateKeyFile $crt.key\n" if $kind =~ /one|each/;
            print $i ? "SNIVHostTLS On\n" : "SSLEngine on\n",
                "SNIVHostCertificates $work/certs\n" if $kind eq "stored";
            print "</VirtualHost>\n";
        }' "$1" "$2" "$WORK"
}

# measure: rounds of httpd -t; prints the three medians and what was found
measure() {
    perl -MTime::HiRes=time -e 'my ($rounds, @command) = @ARGV;
        my (@off, @on, @lint, $found);
        sub run {
            my $begin = time;
            my $said = `@command @_ 2>&1`;
            die $said if $?;
            $found = () = $said =~ /SNIV04\d\d: /g;
            return time - $begin;
        }
        sub median { return (sort { $a <=> $b } @_)[$#_ / 2] }
        run();
        for (1 .. $rounds) {
            push @off, run("-DLintOff");
            push @on, run();
            push @lint, $on[-1] - $off[-1];
        }
        printf "%10.2f %10.2f %10.2f %9d\n", median(@off), median(@on),
            median(@lint), $found' "$ROUNDS" "$HTTPD" -t -f "$WORK/conf"
}

echo "httpd -t, seconds, median of $ROUNDS"
printf '%9s %12s %10s %10s %10s %9s\n' vhosts certificates 'lint Off' \
    'lint On' lint findings
for size; do
    for kind in $KINDS; do
        configure $kind $size >"$WORK/conf" || exit 1
        case $kind in
        plain) certs=0 ;;
        one) certs=1 ;;
        each) certs=$size ;;
        stored) certs=$most ;;
        esac
        printf '%9d %12d ' $size $certs
        measure || exit 1
    done
done
