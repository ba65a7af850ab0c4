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

# The module on other systems: each in a chroot that debootstrap makes, with
# nothing of this machine in it but the committed source.
#
#   t/systems.sh [SYSTEM]...        the default: the first five
#
#   bullseye bookworm trixie sid trixie-i386
#               build with gcc and with clang and all warnings as errors,
#               ./bootstrap demo and test, dpkg-buildpackage, then
#               debian/tests/smoke and cycle with the package; for i386 also
#               the unit tests with ASan and UBSan
#   openssl4    sid with OpenSSL 4 of Debian's experimental and an httpd that
#               is built with it: all but the package, t/ech.t with 1,000 hellos;
#               t/library.t with the module in Debian's httpd, whose mod_ssl
#               uses OpenSSL 3
#   s390x arm64 the unit tests (names, choose, certs) under qemu-user, which
#               has to be registered with binfmt_misc (qemu-user-static); on
#               arm64 a second time with pages of 64 KB
#   trunk       httpd's development branch on trixie: the same
#
# openssl4 needs the source of an httpd that knows OpenSSL 4, trunk that of the
# branch, in the directory $HTTPD_SOURCE. Servers run in a network of their
# own, which has only the loopback. Needs root, debootstrap, unshare and ip;
# 3 GB and half an hour for each. The chroots stay in $SNIVHOST_CHROOTS
# (/var/tmp/snivhost-chroots) and are used again; the results of each system
# are in SYSTEM.log, .test and .row there. $SNIVHOST_MIRROR is another mirror
# than debootstrap's own. The last lines are the table of docs/systems.md.

src=`cd "\`dirname "$0"\`/.." && pwd` || exit 1
base=${SNIVHOST_CHROOTS:-/var/tmp/snivhost-chroots}
mirror=${SNIVHOST_MIRROR-}
test "`id -u`" = 0 || { echo "systems.sh: needs root" >&2; exit 1; }
for tool in debootstrap unshare ip git; do
    command -v $tool >/dev/null || {
        echo "systems.sh: $tool is missing" >&2
        exit 1
    }
done
mkdir -p "$base" || exit 1
commit=`git -C "$src" rev-parse --short HEAD` || exit 1

# What ./bootstrap would install, which has no network where it runs
build_packages= demo_packages= test_packages=
eval "`sed -n "/^[a-z]*_packages='/,/'\$/p" "$src/bootstrap"`"
packages="build-essential debhelper apache2 procps dpkg-repack clang
    $build_packages $demo_packages $test_packages"
units='gcc libc6-dev make perl pkg-config libapr1-dev libaprutil1-dev
    libssl-dev libxxhash-dev libidn2-dev libcmocka-dev openssl'
httpd_build='autoconf automake libtool-bin bison flex libpcre2-dev
    libnghttp2-dev libexpat1-dev libxml2-dev'

# What it installs must not start
policy() {
    printf '#!/bin/sh\nexit %s\n' "$1" >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
}
# with_net COMMAND: in the chroot; alone COMMAND: without the world
with_net() {
    unshare -m sh -c 'mount -t proc proc "$1/proc"
        mount -t tmpfs tmpfs "$1/dev/shm"; chroot "$1" sh -c "$2"' \
        sh "$root" "export DEBIAN_FRONTEND=noninteractive LC_ALL=C
        export PATH=/usr/sbin:/usr/bin:/sbin:/bin; cd /src/m; $1"
}
alone() {
    unshare -m -n -p -f sh -c 'mount -t proc proc "$1/proc"
        mount -t tmpfs tmpfs "$1/dev/shm"; ip link set lo up
        chroot "$1" sh -c "$2"' sh "$root" "export LC_ALL=C
        export PATH=/usr/sbin:/usr/bin:/sbin:/bin; cd /src/m; $1"
}
cell() { "$@" >>"$log" 2>&1 && echo yes || echo NO; }
installed() {
    with_net 'for x in gcc apache2-bin libssl-dev libcmocka-dev clang; do
        dpkg-query -W -f "\${Version} " $x || printf "- "; done' 2>/dev/null |
        sed 's/ $//; s/ /, /g'
}
row() {
    echo "| $system | $* | `date +%F`, $commit |" >"$base/$system.row"
}

# make_chroot SUITE ARCH PACKAGES: debootstrap, once; the source, each time
make_chroot() {
    mkdir -p "$root/dev/shm"
    test -e "$root/.made" || {
        debootstrap --arch="$2" --variant=minbase "$1" "$root" \
            ${mirror:+"$mirror"} &&
        printf '%s\n' 'Acquire::Check-Valid-Until "false";' \
            'APT::Install-Recommends "false";' \
            'APT::Sandbox::User "root";' \
            >"$root/etc/apt/apt.conf.d/99systems" &&
        touch "$root/.made"
    } || return 1
    policy 101
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    rm -rf "$root/src"
    mkdir -p "$root/src/m"
    git -C "$src" archive $commit | tar xf - -C "$root/src/m" || return 1
    with_net "apt-get update -q && apt-get install -qy `echo $3`"
}

# ----- a whole Debian

package_life() {
    package=`cell with_net '{ test ! -f Makefile || make -s distclean; } &&
        dpkg-buildpackage -us -uc -b'`
    policy 0
    life=`cell alone 'dpkg -P libapache2-mod-snivhost
        dpkg -i ../libapache2-mod-snivhost_*.deb &&
        sh debian/tests/smoke && sh debian/tests/cycle'`
    policy 101
}
# Warnings are errors here
build_clang() {
    cell with_net "mkdir -p /src/clang && cd /src/clang &&
        ../m/configure.apxs $* CC=clang --enable-maintainer-mode && make -s"
}
build_gcc() {
    cell with_net "./configure.apxs $* --enable-maintainer-mode && make -s"
}
# demo_and_tests ENVIRONMENT
demo_and_tests() {
    demo=`cell alone "$1 ./bootstrap demo"`
    alone "$1 ./bootstrap test" >"$base/$system.test" 2>&1
    tests=`tail -n 1 "$base/$system.test"`
}
debian() {
    make_chroot "${system%-i386}" "$1" "$packages" >>"$log" 2>&1 || return 1
    gcc=`build_gcc`
    clang=`build_clang`
    demo_and_tests ''
    case $system in
    *-i386)
        tests="$tests; units with sanitizers: `cell alone \
            'make -s -C t/unit check SANITIZE=address,undefined'`" ;;
    esac
    package_life
    row "`installed` | $gcc | $clang | $demo | $tests | $package | $life"
}

# ----- an httpd of our own, in /opt/httpd

httpd_env='PATH=/opt/httpd/bin:$PATH; export PATH HTTPD APXS
    HTTPD=/opt/httpd/bin/httpd APXS=/opt/httpd/bin/apxs;'
httpd_configure='./configure --prefix=/opt/httpd --enable-mods-shared=most
    --enable-ssl --enable-http2 --enable-log-forensic --enable-mpms-shared=all
    --with-apr=/usr/bin/apr-1-config --with-apr-util=/usr/bin/apu-1-config'
# with_own_httpd ENVIRONMENT [MORE]: more results
with_own_httpd() {
    gcc=`build_gcc --with-apxs=/opt/httpd/bin/apxs`
    clang=`build_clang --with-apxs=/opt/httpd/bin/apxs`
    demo_and_tests "$httpd_env $1"
    row "`installed` | $gcc | $clang | $demo | $tests${2-} | - | -"
}
own_httpd() {
    test ! -e "$root/opt/httpd/bin/httpd" || return 0
    test -f "${HTTPD_SOURCE:?is not set, see $0}/include/ap_release.h" &&
    mkdir -p "$root/src/httpd" &&
    (cd "$HTTPD_SOURCE" && tar cf - --exclude=./.git .) |
        tar xof - -C "$root/src/httpd" &&
    with_net "cd /src/httpd &&
        { test -x configure ||
            ./buildconf --with-apr=/usr/bin/apr-1-config; } &&
        `echo $httpd_configure` && make -s && make -s install"
}
openssl4() {
    { make_chroot sid amd64 "$packages $httpd_build" && with_net '
        grep -q experimental /etc/apt/sources.list ||
            sed "p; s/ sid / experimental /" -i /etc/apt/sources.list
        apt-get update -q &&
        apt-get install -qy -t experimental libssl-dev openssl' &&
        own_httpd; } >>"$log" 2>&1 || return 1
    two=`two_openssls`
    with_own_httpd "export ECH_HELLOS=${ECH_HELLOS-1000};" \
        "; two OpenSSLs: $two"
}
# The module for OpenSSL 4 beside Debian's mod_ssl
two_openssls() {
    with_net 'cp -r /src/m /src/two && cd /src/two && ./configure.apxs &&
        make -s' >>"$log" 2>&1
    cell alone 'cd /src/two && SNIVHOST_TWO_OPENSSLS=1 t/TEST t/library.t'
}
trunk() {
    { make_chroot trixie amd64 "$packages $httpd_build" && own_httpd; } \
        >>"$log" 2>&1 || return 1
    with_own_httpd ''
}

# ----- other processors

# foreign SUITE ARCH: not all of trixie's s390x could be downloaded
foreign() {
    make_chroot "$1" "$2" "$units" >>"$log" 2>&1 || return 1
    tests=`cell alone 'make -s -C t/unit check'`
    test "$2" != arm64 || tests="$tests; with pages of 64 KB: `cell alone \
        'QEMU_PAGESIZE=65536 make -s -C t/unit check'`"
    row "`installed` | - | - | - | units: $tests | - | -"
}

one() {
    root=$base/$system
    log=$base/$system.log
    : >"$log"
    case $system in
    bullseye|bookworm|trixie|sid) debian amd64 ;;
    trixie-i386) debian i386 ;;
    openssl4|trunk) $system ;;
    s390x) foreign bookworm s390x ;;
    arm64) foreign trixie arm64 ;;
    *) echo "systems.sh: '$system' is none that it can make" >&2; return 1 ;;
    esac
}

test $# != 0 || set -- bullseye bookworm trixie sid trixie-i386
for system; do
    echo "$system: log in $base/$system.log"
    rm -f "$base/$system.row"
    one || row "could not be made: see its log"
done
for system; do
    cat "$base/$system.row"
done
