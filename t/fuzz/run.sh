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


# Fuzz the parsers: every t/fuzz/fuzz_NAME.c is a libFuzzer target, linked
# with the pure layer. Needs clang with compiler-rt.
#
#   run.sh [-s SECONDS] [NAME]...
#
# Seeds come from t/fuzz/seeds_NAME.sh, if there is one, which writes files
# into the folder that it is given. Corpora, findings and programs are in
# t/fuzz/run. Without -s each target runs for a minute.

cd "`dirname "$0"`" || exit 1
seconds=60
while getopts s: opt; do
    case $opt in
    s) seconds=$OPTARG ;;
    *) sed -n '/^#   run.sh/s/^# *//p' run.sh >&2; exit 2 ;;
    esac
done
shift `expr $OPTIND - 1`
test $# != 0 || set -- `ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//'`

CC=${FUZZ_CC-clang}
flags="-g -O1 -fsanitize=fuzzer,address,undefined
    -fno-sanitize-recover=undefined -I../.. -I../unit
    `apr-1-config --cppflags --includes` `apu-1-config --includes`"
if echo '#include <idn2.h>' | $CC -E - >/dev/null 2>&1; then
    flags="$flags -DSNIVHOST_HAVE_IDN2"
fi
libs="-lssl -lcrypto `apu-1-config --link-ld` `apr-1-config --link-ld` -lm"
status=0
mkdir -p run
for name; do
    # shellcheck disable=SC2086
    $CC $flags -o "run/fuzz_$name" "fuzz_$name.c" ../unit/reference.c ../unit/pems.c \
        ../../names/*.c ../../choose/*.c ../../certs/*.c ../../tell/url.c $libs || {
        status=1
        continue
    }
    mkdir -p "run/corpus_$name" "run/seeds_$name"
    if test -f "seeds_$name.sh"; then
        sh "./seeds_$name.sh" "run/seeds_$name" || status=1
    fi
    echo "fuzz_$name: $seconds seconds"
    "run/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="run/found_${name}_" \
        "run/corpus_$name" "run/seeds_$name" >"run/$name.log" 2>&1 || {
        status=1
        echo "fuzz_$name found something:"
        tail -n 40 "run/$name.log"
    }
    grep -E 'stat::number_of_executed_units' "run/$name.log"
done
exit $status
