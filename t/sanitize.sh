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


# The functional tests and the differential test with a module that watches
# itself. Builds it in t/work/SANITIZER, in a copy of nothing: the sources
# stay as they are.
#
#   t/sanitize.sh address [TEST...]     AddressSanitizer and UBSan
#   t/sanitize.sh valgrind [TEST...]    memcheck, without a special build
#
# CONFIGS=100 sets how many configurations the differential test takes.
# httpd itself is not instrumented. A finding of a sanitizer ends the child
# and is in the server's error log, where the tests look for it; those of
# valgrind are in t/work/valgrind/report.*.

usage() {
    sed -n '/^# The functional/,/^$/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

kind=${1-}
test -n "$kind" || usage
shift
cd "`dirname "$0"`/.." || exit 1
top=`pwd`
dir=$top/t/work/$kind
mkdir -p "$dir" || exit 1
rm -f "$dir"/report.*

case $kind in
address)
    (cd "$dir" && "$top/configure.apxs" --enable-sanitizers && make) \
        >"$dir/build.log" 2>&1 || {
        tail -n 20 "$dir/build.log" >&2
        exit 1
    }
    SNIVHOST_SO=$dir/.libs/mod_snivhost.so
    SNIVHOST_PRELOAD=`${CC:-gcc} -print-file-name=libasan.so`
    # Leaks: httpd and its libraries let go of much only by exiting.
    ASAN_OPTIONS=detect_leaks=0,detect_stack_use_after_return=1
    UBSAN_OPTIONS=print_stacktrace=1
    export SNIVHOST_SO SNIVHOST_PRELOAD ASAN_OPTIONS UBSAN_OPTIONS ;;
valgrind)
    SNIVHOST_WRAPPER="valgrind -q --trace-children=yes --num-callers=30"
    SNIVHOST_WRAPPER="$SNIVHOST_WRAPPER --child-silent-after-fork=no"
    SNIVHOST_WRAPPER="$SNIVHOST_WRAPPER --log-file=$dir/report.%p"
    export SNIVHOST_WRAPPER ;;
*)
    usage ;;
esac
# httpd's children, another user, write there too
chmod 1777 "$dir"

status=0
t/TEST "$@" || status=1
test -z "${CONFIGS-}" || t/differential/run.pl --configs "$CONFIGS" ||
    status=1

if test "$kind" = address; then
    found=`grep -c 'Sanitizer:\|runtime error:' t/logs/error_log`
    echo "address: $found findings in t/logs/error_log"
    test "$found" = 0 || status=1
    exit $status
fi

# What concerns us has one of our files in it.
found=`cat "$dir"/report.* 2>/dev/null | grep -c 'snivhost\|sniv_'`
others=`cat "$dir"/report.* 2>/dev/null | grep -v 'snivhost\|sniv_' |
    grep -c .`
echo "$kind: $found lines about the module, $others other lines in" \
    "$dir/report.*"
test "$found" = 0 || status=1
exit $status
