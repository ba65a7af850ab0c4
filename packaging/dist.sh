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

# A release archive of what is committed, with the manual as HTML:
#
#   packaging/dist.sh [DIRECTORY]
#
# writes mod_snivhost-VERSION.tar.gz there. The same commit gives the same
# bytes.

cd "`dirname "$0"`/.." || exit 1
to=${1:-.}
version=`sed -n 's/^#define MOD_SNIVHOST_VERSION "\(.*\)"/\1/p' \
    module/version.h`
command -v git >/dev/null 2>&1 || {
    echo "dist.sh: git is missing (Debian: apt-get install git)" >&2
    exit 1
}
test "`git rev-parse --show-toplevel 2>/dev/null`" = "`pwd -P`" || {
    echo "dist.sh: a release is made from a git checkout" >&2
    exit 1
}
test -z "`git status --porcelain --untracked-files=no`" ||
    echo "dist.sh: there are changes that are not committed; they are not" \
        "in the archive" >&2
work=`mktemp -d` || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM HUP

name=mod_snivhost-$version
git archive --prefix="$name/" HEAD | tar xf - -C "$work" &&
"$work/$name/docs/render.sh" "$work/$name/docs" >/dev/null &&
time=`git log -1 --format=%ct` &&
tar cf - -C "$work" --sort=name --owner=0 --group=0 --numeric-owner \
    --mtime="@$time" "$name" | gzip -9n >"$to/$name.tar.gz.tmp" &&
mv "$to/$name.tar.gz.tmp" "$to/$name.tar.gz" &&
echo "$to/$name.tar.gz"
