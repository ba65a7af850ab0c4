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
# itself. Builds it in t/work/SANITIZER; the sources stay as they are.
#
#   t/sanitize.sh address [TEST...]     AddressSanitizer and UBSan
#   t/sanitize.sh valgrind [TEST...]    memcheck, without a special build
#   HTTPD=... APXS=... t/sanitize.sh thread [TEST...]   ThreadSanitizer
#
# CONFIGS=100 sets how many configurations the differential test takes, and
# so many more with SNIVHostAdopt On. SNIVHOST_MPM=worker works here, too.
# With address and valgrind httpd itself is not instrumented. A finding of a
# sanitizer ends the child and is in the server's error log, where the tests
# look for it; those of valgrind and of ThreadSanitizer are in
# t/work/SANITIZER/report.*.
#
# ThreadSanitizer has to see how httpd hands memory from thread to thread, or
# it takes recycled memory for a race. So it needs an httpd and an APR of
# their own, built like this (in their sources, with one PREFIX):
#
#   export CFLAGS='-g -O1 -fno-omit-frame-pointer -fsanitize=thread'
#   export LDFLAGS=-fsanitize=thread
#   apr:       ./configure --prefix=PREFIX --enable-nonportable-atomics
#   apr-util:  ./configure --prefix=PREFIX --with-apr=PREFIX
#   httpd:     ./configure --prefix=PREFIX --with-apr=PREFIX
#                  --with-apr-util=PREFIX --enable-mods-shared=most
#                  --enable-mpms-shared='event worker prefork'
#
# and HTTPD=PREFIX/bin/httpd APXS=PREFIX/bin/apxs. httpd's MPMs have races of
# their own; what counts is a report with the module in one of its accesses.

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
thread)
    if ! ldd "${HTTPD:?is not set, see $0}" | grep libtsan >/dev/null; then
        echo "$HTTPD is not built with -fsanitize=thread" >&2
        exit 1
    fi
    (cd "$dir" && "$top/configure.apxs" --enable-sanitizers=thread &&
        make) >"$dir/build.log" 2>&1 || {
        tail -n 20 "$dir/build.log" >&2
        exit 1
    }
    SNIVHOST_SO=$dir/.libs/mod_snivhost.so
    SNIVHOST_PATIENCE=${SNIVHOST_PATIENCE-5}
    # httpd leaves by exit() in signal handlers
    TSAN_OPTIONS="log_path=$dir/report report_signal_unsafe=0 exitcode=0"
    TSAN_OPTIONS="$TSAN_OPTIONS history_size=7"
    # APR reads allocator->max_index once before it locks, on purpose
    echo 'race_top:allocator_alloc' >"$dir/suppressions"
    TSAN_OPTIONS="$TSAN_OPTIONS suppressions=$dir/suppressions"
    export SNIVHOST_SO SNIVHOST_PATIENCE TSAN_OPTIONS ;;
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
if test -n "${CONFIGS-}"; then
    t/differential/run.pl --configs "$CONFIGS" || status=1
    t/differential/run.pl --configs "$CONFIGS" --with 'SNIVHostAdopt On' ||
        status=1
fi

if test "$kind" = address; then
    found=`grep -c 'Sanitizer:\|runtime error:' t/logs/error_log`
    echo "address: $found findings in t/logs/error_log"
    test "$found" = 0 || status=1
    exit $status
fi

if test "$kind" = thread; then
    # Ours is an access that the module makes, by itself or in a library:
    # httpd is not above it. Not where memory was allocated or a thread made.
    cat "$dir"/report.* 2>/dev/null | awk '
        /^WARNING: ThreadSanitizer/ { all++; access = 1; ours = 0 }
        /^  (Location|Mutex|Thread|As if)/ { access = 0 }
        /^  [A-Z].* of size / { httpd = 0 }
        /\((httpd|mod_mpm_[a-z]*\.so|mod_ssl\.so|mod_http2\.so)\+/ { httpd = 1 }
        access && !httpd && / (snivhost|sniv)_[a-z0-9_]* | (names|choose|certs|module|tls|serve|lint|tell)\/[a-z_]*\.c:/ && !ours++ { found++ }
        END {
            printf "thread: %d reports, %d of the module\n", all, found
            exit found > 0
        }' || status=1
    echo "  in $dir/report.*"
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
