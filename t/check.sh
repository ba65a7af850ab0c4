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

# All tests: the unit tests, then the Apache::Test suite (t/TEST). Called by
# `make check`. The last line is "N passed, N failed, N skipped", counted
# from the results that the programs gave, not from what they say about
# themselves. Arguments go to t/TEST.

cd "`dirname "$0"`/.." || exit 1
top=`pwd`
tap=$top/t/work/tap
rm -rf "$tap"
mkdir -p "$tap/suite" || exit 1
status=0

${MAKE:-make} -s -C t/unit check TAP_DIR="$tap/unit" \
    WERROR="${WERROR--Werror}" || status=1

# Two at a time: t/testrules.yml says which. HARNESS_OPTIONS=j1 for one
PERL_TEST_HARNESS_DUMP_TAP=$tap/suite
HARNESS_OPTIONS=${HARNESS_OPTIONS-j2}
export PERL_TEST_HARNESS_DUMP_TAP HARNESS_OPTIONS
if "$top/t/TEST" "$@"; then :; else
    status=1
    echo "t/TEST says: failed (logs are in t/logs)"
fi
# A suite that did not run is a failure
if test -z "`find "$tap/suite" -type f`"; then
    printf '1..1\nnot ok 1 - the suite has run\n' \
        >"$tap/suite/none.tap"
fi

echo
t/tap sum "$tap" >"$tap/sum" || status=1
test "$status" = 0 || case `tail -n 1 "$tap/sum"` in
*" 0 failed,"*)
    # The harness saw what its output does not show: a server that did not
    # start or stop, a test program that died
    printf '1..1\nnot ok 1 - every program ended well\n' \
        >"$tap/suite/none.tap"
    t/tap sum "$tap" >"$tap/sum" ;;
esac
cat "$tap/sum"
exit $status
