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

# Whether the release archive of this version is complete: what git has is in
# it, it builds without a warning where it is unpacked and `make install` puts
# down the module and snivhost-store alone.
#
#   packaging/distcheck.sh [DIRECTORY]
#
# Prints TAP.

cd "`dirname "$0"`/.." || exit 1
to=${1:-.}
version=`sed -n 's/^#define MOD_SNIVHOST_VERSION "\(.*\)"/\1/p' \
    module/version.h`
name=mod_snivhost-$version
archive=$to/$name.tar.gz
work=`mktemp -d` || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP

number=0
failed=0
ok() {
    number=`expr $number + 1`
    if test "$1" = 0; then
        echo "ok $number - $2"
    else
        echo "not ok $number - $2"
        failed=1
        test ! -s "$work/log" || sed 's/^/# /' "$work/log"
    fi
}

tar tzf "$archive" | sed -n "s,^$name/,,p" | grep -v '/$' |
    sed '/^$/d' | sort >"$work/has"
{
    git ls-tree -r --name-only HEAD
    printf 'docs/mod_snivhost.html\ndocs/mod_snivhost.7\n'
} | sed '/^$/d' | sort >"$work/ought"
diff "$work/ought" "$work/has" >"$work/log"
ok $? "the archive has what git has, and the rendered manual"

tar xzf "$archive" -C "$work" && cd "$work/$name" || exit 1
./configure.apxs --enable-maintainer-mode >"$work/log" 2>&1 &&
    make -s >>"$work/log" 2>&1
ok $? "it builds where it is unpacked"
make -s install DESTDIR="$work/root" >"$work/log" 2>&1
ok $? "make install"
installed=mod_snivhost.so
test ! -x tool/run/snivhost-store || installed='mod_snivhost.so snivhost-store'
test "`find "$work/root" -type f | sed 's,.*/,,' | sort | tr '\n' ' ' |
    sed 's/ $//'`" = "$installed"
ok $? "... puts down the module, snivhost-store and nothing else"
mkdir "$work/elsewhere" && cd "$work/elsewhere" &&
    "../$name/configure.apxs" >"$work/log" 2>&1 &&
    make -s >>"$work/log" 2>&1 && test -f .libs/mod_snivhost.so
ok $? "it builds in another directory"
cd "$work/$name" && make -s distclean >"$work/log" 2>&1
ok $? "make distclean"
(cd "$work/$name" && find . ! -type d | sed 's,^\./,,' | sort) >"$work/left"
diff "$work/has" "$work/left" >"$work/log"
ok $? "... leaves what was in the archive"
echo "1..$number"
exit $failed
