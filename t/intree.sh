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

# Builds the module inside an httpd source tree, once shared and once
# static, and asks each httpd a few questions.
#
#   t/intree.sh [HTTPD-SOURCE]
#
# HTTPD-SOURCE is an unpacked httpd 2.4 (it is copied, never touched).
# Without one, root gets Debian's with apt-get source. Needs autoconf,
# libtool and what httpd's own build needs (on Debian: apt-get build-dep
# apache2), openssl and curl. Takes some minutes and 500 MB below TMPDIR; prints TAP.

src=`cd "\`dirname "$0"\`/.." && pwd` || exit 1
# -P, because cp -R copies a symbolic link as one
test -z "$1" || { httpd=`cd "$1" && pwd -P` || exit 1; }
work=`mktemp -d "${TMPDIR:-/tmp}/snivhost-intree-XXXXXX"` || exit 1
chmod 755 "$work"
pidfile=

stop() {
    test -n "$pidfile" && test -s "$pidfile" || return 0
    pid=`cat "$pidfile"`
    kill "$pid" 2>/dev/null
    tries=0
    while kill -0 "$pid" 2>/dev/null && test $tries -lt 100; do
        tries=`expr $tries + 1`
        sleep 0.1
    done
    ! kill -0 "$pid" 2>/dev/null
}
finish() {
    status=$?
    stop
    rm -rf "$work"
    exit $status
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

number=0
status=0
ok() {
    number=`expr $number + 1`
    if test "$1" = 0; then
        echo "ok $number - $2"
    else
        echo "not ok $number - $2"
        status=1
    fi
}
# run NAME COMMAND...: quiet; what it said is shown if it fails
run() {
    name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        ok 0 "$name"
    else
        grep -n 'rror[: ]' "$work/log" | cut -c1-200 | head -n 20 |
            sed 's/^/# /'
        tail -n 5 "$work/log" | cut -c1-200 | sed 's/^/# /'
        ok 1 "$name"
        echo "1..$number"
        exit 1
    fi
}

if test -z "$httpd"; then
    mkdir "$work/get" && cd "$work/get" &&
    apt-get source -qq apache2 >"$work/log" 2>&1 &&
    httpd=`find "$work/get" -mindepth 1 -maxdepth 1 -type d` &&
    test -n "$httpd" || {
        tail -n 20 "$work/log" >&2
        echo "intree.sh: name an unpacked httpd source." >&2
        exit 1
    }
fi
version=`sed -n 's/^#define AP_SERVER_\(M[A-Z]*\|PATCHLEVEL\)[A-Z_]*NUMBER *\([0-9]*\).*/\2/p' \
    "$httpd/include/ap_release.h" | paste -sd.`
echo "# httpd ${version:-of unknown version} in $httpd"

for name in one two; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
        -nodes -days 2 -subj "/CN=$name.example" \
        -addext "subjectAltName=DNS:$name.example" -keyout "$work/$name.key" \
        -out "$work/$name.crt" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        exit 1
    }
done

http2=
! pkg-config --exists libnghttp2 2>/dev/null || http2=--enable-http2=static

for kind in shared static; do
    tree=$work/$kind
    cp -R "$httpd" "$tree" && mkdir "$tree/modules/snivhost" &&
    (cd "$src" && folders=`sed -n 's/^SNIVHOST_DIRS = //p' Makefile.in` &&
        # shellcheck disable=SC2086
        cp -R ./*.[ch] Makefile.in config.m4 $folders \
            "$tree/modules/snivhost") || exit 1
    cd "$tree" || exit 1
    run "$kind: buildconf" ./buildconf --with-apr="srclib/apr apr-1-config"
    # Debian's httpd wants BUILD_DATETIME; others do not look
    # shellcheck disable=SC2086
    run "$kind: configure" ./configure --prefix="$work/install-$kind" \
        --enable-modules=none --with-mpm=event --enable-so \
        --enable-unixd=static --enable-authz-core=static \
        --enable-log-config=static --enable-socache-shmcb=static \
        --enable-ssl=static $http2 \
        "--enable-snivhost=$kind" \
        CFLAGS='-O1 -Wall -Wextra' NOTEST_CPPFLAGS='-DBUILD_DATETIME=\"now\"'
    run "$kind: make" nice make -j2
    warnings=`sed -n '/snivhost\/.*warning:\|^\(mod_sniv\|sniv_\).*warning:/p' \
        "$work/log"`
    test -z "$warnings"
    ok $? "$kind: no warning"
    test -z "$warnings" || echo "$warnings" | sed 's/^/# /'
    run "$kind: make depend" make -C modules/snivhost depend
    sleep 1
    touch modules/snivhost/names/slots.h
    again=`make -n -C modules/snivhost all local-shared-build 2>/dev/null |
        sed -n 's,.*-c .*/\([a-z_]*\.c\).*,\1,p' | sort -u | tr '\n' ' '`
    case $again in
    *mod_snivhost.c*) false ;;
    *names.c*slots.c*) true ;;
    *) false ;;
    esac
    ok $? "$kind: ... so a header compiles what includes it: $again"
    run "$kind: make install" make install

    prefix=$work/install-$kind
    mkdir -p "$prefix/logs" "$prefix/htdocs"
    bin=$prefix/bin/httpd
    pidfile=$prefix/logs/httpd.pid
    # Two ports that nobody has
    # shellcheck disable=SC2046
    set -- `perl -MIO::Socket::INET -e 'print map { $_->sockport . " " }
        map { IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1") }
        1, 2'`
    port=$1
    tls=$2
    {
        test $kind = static ||
            echo 'LoadModule snivhost_module modules/mod_snivhost.so'
        cat <<END
ServerName main.example
Listen 127.0.0.1:$port
PidFile $pidfile
ErrorLog $prefix/logs/error.log
DefaultRuntimeDir $prefix/logs
DocumentRoot $prefix/htdocs
SNIVHost On
SNIVHostAdopt On
SSLSessionCache none
Listen 127.0.0.1:$tls
<VirtualHost *:$port>
    ServerName first.example
</VirtualHost>
<VirtualHost *:$port>
    ServerName second.example
    ServerAlias *.second.example
    ErrorDocument 404 "this is second"
</VirtualHost>
END
        for name in one two; do
            cat <<END
<VirtualHost *:$tls>
    ServerName $name.example
    ErrorDocument 404 "this is $name"
    SSLEngine on
    SSLCertificateFile $work/$name.crt
    SSLCertificateKeyFile $work/$name.key
</VirtualHost>
END
        done
        test "`id -u`" != 0 || { echo "User nobody"; echo "Group #65534"; }
    } >"$prefix/conf/snivhost.conf"
    conf=$prefix/conf/snivhost.conf
    "$bin" -d "$prefix" -M -f "$conf" >"$work/log" 2>&1
    grep -q "snivhost_module ($kind)" "$work/log"
    ok $? "$kind: httpd -M shows snivhost_module ($kind)"
    if test $kind = shared; then
        symbols=`nm -D --defined-only "$prefix/modules/mod_snivhost.so" |
            sed 's/.* //'`
        test "$symbols" = snivhost_module
        ok $? "$kind: one exported symbol"
    fi
    run "$kind: start" "$bin" -d "$prefix" -f "$conf"
    answer=`curl -s --max-time 10 --retry 20 --retry-delay 1 \
        --retry-connrefused -H 'Host: any.second.example' \
        "http://127.0.0.1:$port/none"`
    test "$answer" = 'this is second'
    ok $? "$kind: the virtual host of the Host header answers"
    # The second TLS virtual host has no TLS context of its own
    answer=`curl -s --max-time 10 --cacert "$work/two.crt" \
        --connect-to "::127.0.0.1:$tls" "https://two.example:$tls/none"`
    test "$answer" = 'this is two'
    ok $? "$kind: so does the one of the server name, with its certificate"
    grep -q 'SNIV0202: .*1 of 2 ' "$prefix/logs/error.log"
    ok $? "$kind: ... and is lean"
    stop
    ok $? "$kind: stop"
    pidfile=
    cd "$work" && rm -rf "$tree"
done
echo "1..$number"
exit $status
