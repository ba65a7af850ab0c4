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

# The manual as one HTML page and as a man page:
#
#   docs/render.sh [DIRECTORY]
#
# writes mod_snivhost.html and mod_snivhost.7 there (default: build).

here=`dirname "$0"`
to=${1:-$here/../build}
version=`sed -n 's/^#define MOD_SNIVHOST_VERSION "\(.*\)"/\1/p' \
    "$here/../module/version.h"`
command -v xsltproc >/dev/null 2>&1 || {
    echo "render.sh: xsltproc is missing (Debian: apt-get install xsltproc)" >&2
    exit 1
}
mkdir -p "$to" || exit 1
for kind in html man; do
    case $kind in
    html) file=$to/mod_snivhost.html ;;
    man)  file=$to/mod_snivhost.7 ;;
    esac
    xsltproc --novalid --nonet --stringparam version "$version" \
        "$here/manual/style/$kind.xsl" \
        "$here/manual/mod/mod_snivhost.xml" >"$file.tmp" &&
        mv "$file.tmp" "$file" || exit 1
    echo "$file"
done
