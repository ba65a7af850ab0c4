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
#   t/systems.sh [SYSTEM]...        bullseye bookworm trixie sid trixie-i386
#
# In each: ./bootstrap build (in maintainer mode, warnings counted), demo and
# test, dpkg-buildpackage, then debian/tests/smoke and cycle with the package.
# Servers run in a network of their own, which has only the loopback. Needs
# root, debootstrap, unshare and ip; 3 GB and a quarter of an hour for each.
# The chroots stay in $SNIVHOST_CHROOTS (/var/tmp/snivhost-chroots) and are
# used again. The last lines are the table of docs/systems.md.

src=`cd "\`dirname "$0"\`/.." && pwd` || exit 1
base=${SNIVHOST_CHROOTS:-/var/tmp/snivhost-chroots}
# Empty: the one that debootstrap takes by itself
mirror=${SNIVHOST_MIRROR-}
test "`id -u`" = 0 || { echo "systems.sh: needs root" >&2; exit 1; }
for tool in debootstrap unshare ip git; do
    command -v $tool >/dev/null || {
        echo "systems.sh: $tool is missing" >&2
        exit 1
    }
done
mkdir -p "$base" || exit 1
table=$base/table
: >"$table"

# What it installs must not start
policy() {
    printf '#!/bin/sh\nexit %s\n' "$1" >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
}
make_chroot() {
    test ! -e "$root/.made" || return 0
    arch=
    case $system in *-i386) arch=--arch=i386 ;; esac
    # shellcheck disable=SC2086
    debootstrap $arch --variant=minbase "${system%-i386}" "$root" \
        ${mirror:+"$mirror"} &&
    printf '%s\n' 'Acquire::Check-Valid-Until "false";' \
        'APT::Install-Recommends "false";' 'APT::Sandbox::User "root";' \
        >"$root/etc/apt/apt.conf.d/99systems" &&
    policy 101 && touch "$root/.made"
}
# with_net COMMAND: in the chroot; alone COMMAND: without the world
with_net() {
    unshare -m sh -c 'mount -t proc proc "$1/proc"
        mount -t tmpfs tmpfs "$1/dev/shm"; chroot "$1" sh -c "$2"' \
        sh "$root" "export DEBIAN_FRONTEND=noninteractive; cd /src/m; $1"
}
alone() {
    unshare -m -n -p -f sh -c 'mount -t proc proc "$1/proc"
        mount -t tmpfs tmpfs "$1/dev/shm"; ip link set lo up
        chroot "$1" sh -c "$2"' sh "$root" "cd /src/m; $1"
}
cell() { "$@" >>"$log" 2>&1 && echo yes || echo NO; }

packages='build-essential debhelper apache2 apache2-dev apache2-ssl-dev
    libssl-dev libxxhash-dev libjansson-dev libidn2-dev pkg-config xsltproc
    libcmocka-dev libapache2-mod-perl2 libwww-perl openssl curl perl procps
    liblwp-protocol-https-perl libio-socket-ssl-perl libnet-ssleay-perl
    libprotocol-http2-perl nghttp2-client dpkg-repack'

one() {
    root=$base/$system
    log=$base/$system.log
    : >"$log"
    mkdir -p "$root/dev/shm"
    make_chroot >>"$log" 2>&1 || return 1
    rm -rf "$root/src"
    mkdir -p "$root/src/m"
    git -C "$src" archive HEAD | tar xf - -C "$root/src/m" || return 1
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    # shellcheck disable=SC2086
    with_net "apt-get update -q && apt-get install -qy `echo $packages`" \
        >>"$log" 2>&1 || return 1
    build=`cell with_net './configure.apxs --enable-maintainer-mode &&
        make -s >/src/build.log 2>&1'`
    warnings=`grep -c 'warning:' "$root/src/build.log"`
    demo=`cell alone './bootstrap demo'`
    alone './bootstrap test' >"$base/$system.test" 2>&1
    tests=`tail -n 1 "$base/$system.test"`
    package=`cell with_net 'make -s distclean && dpkg-buildpackage -us -uc -b'`
    policy 0
    cycle=`cell alone 'dpkg -P libapache2-mod-snivhost
        dpkg -i ../libapache2-mod-snivhost_*.deb &&
        sh debian/tests/smoke && sh debian/tests/cycle'`
    policy 101
    versions=`with_net 'for x in gcc apache2-bin libssl-dev libcmocka-dev; do
        dpkg-query -W -f "\\${Version} " $x; done' | sed 's/ $//; s/ /, /g'`
    echo "| $system | $versions | $build | $warnings | $demo | $tests |" \
        "$package | $cycle | `date +%F` |" >>"$table"
}

test $# != 0 || set -- bullseye bookworm trixie sid trixie-i386
for system; do
    echo "$system: log in $base/$system.log"
    one || echo "| $system | could not be made: see its log |" >>"$table"
done
cat "$table"
