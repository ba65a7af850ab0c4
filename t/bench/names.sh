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

# `make bench-names`: the name index alone, without a server.
#
#   names.sh [NAMES]...         default: 10 1000 100000 1000000
#
# What the columns mean is said in bench_names.c. A machine that does other
# work at the same time shows larger figures, chase_ns included.

cd "`dirname "$0"`" || exit 1
run=../work/bench
mkdir -p "$run" || exit 1
# shellcheck disable=SC2046
${CC-cc} -O2 -g -Wall -Wextra -I../.. -I../unit \
    `apr-1-config --cppflags --includes` -o "$run/bench_names" \
    bench_names.c ../unit/reference.c ../../names/*.c \
    `apr-1-config --link-ld --libs` || exit 1
uptime
exec "$run/bench_names" "$@"
