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

# `make lint`: the compiler's own warnings are errors in maintainer mode;
# this asks cppcheck and clang-tidy, and looks at the form of the files.

cd "`dirname "$0"`/.." || exit 1
status=0
flags="`apr-1-config --cppflags --includes` `apu-1-config --includes`"
flags="$flags -I. -I`apxs -q INCLUDEDIR` `pkg-config --cflags openssl`"

complain() {
    test -z "$2" || {
        echo "$1:"
        echo "$2" | head -n 20
        status=1
    }
}
sources=`git ls-files '*.c' '*.h' 2>/dev/null`
test -n "$sources" || sources=`find . -name '*.[ch]'`
# The module's own
code=`echo "$sources" | grep '\.c$' | grep -v '^\(\./\)\{0,1\}t/'`
scripts=`git ls-files bootstrap configure.apxs '*.sh' '*.pl' '*.pm' '*.t' \
    .ci/run t/TEST t/tap t/unit/Makefile 2>/dev/null`
# shellcheck disable=SC2086
{
    complain 'lines longer than 80 columns' \
        "`grep -nE '^.{81,}' $sources /dev/null`"
    complain 'tabs' "`grep -n '	' $sources /dev/null`"
    complain 'blanks at the end of a line' \
        "`grep -nE '[[:blank:]]+$' $sources $scripts /dev/null`"
    complain 'files without the licence' \
        "`grep -L 'Apache License, Version 2.0' $sources $scripts`"
    complain 'assert_in_range(), which cmocka 2 deprecates' \
        "`grep -n 'assert_in_range' t/unit/*.c`"
    # A tag of a log message has one place
    complain 'log tags used twice' \
        "`grep -ohE '"SNIV[0-9]{4}: ' $code | sort | uniq -d`"

    if command -v cppcheck >/dev/null; then
        complain cppcheck "`cppcheck --quiet --std=c99 \
            --enable=warning,performance,portability --inline-suppr \
            --suppress=unknownMacro --template=gcc -I. $code 2>&1`"
    else
        echo "cppcheck is not installed: skipped"
    fi
    if command -v clang-tidy >/dev/null; then
        complain clang-tidy "`echo $code | xargs -n 1 |
            xargs -P 2 -I '{}' clang-tidy --quiet '{}' -- $flags 2>/dev/null |
            grep -E 'warning:|error:' | sort -u`"
    else
        echo "clang-tidy is not installed: skipped"
    fi
}
test $status != 0 || echo "lint: nothing to complain about"
exit $status
