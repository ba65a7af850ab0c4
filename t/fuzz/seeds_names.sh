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

# Seeds for fuzz_names. Argument: the folder.

cd "$1" || exit 1
put() {
    name=$1
    shift
    printf '%s\n' "$@" >"$name"
}
put exact a.test B.Test =*.c '~d.test' '' A.TEST b.test '*.c' d.test x ''
put ends '*.a.test' '*b.test' '*.c' '*.d.test' '*.e.f.g.h' '*z' \
    '' x.a.test .a.test a.test xb.test y.d.TEST q.e.f.g.h z
put beginnings 'a*' 'ab*' 'abc*' 'x.y*' 'w?*' 'long.beginning.*' \
    '' a abcd x.yz w1 long.beginning.x lon
put middles '*a*' '*.b1*' '*b2.*' '*.b3.*' '*bb*c*' '?d?' '??' \
    '' xax q.b1z zb2.q q.b3.q abbbcx ade ad
put same_ends 'w*1*.x' 'w*2*.x' 'w*3*.x' 'w?w.x' 'w??w.x' 'w*.x' '*.a*.x' \
    '' w1.x ww2.x wow.x woow.x w.x 9.a9.x www9.x
put stars '*' '**' '*?*' '?**?' '*a**b*c*' '' a ab aabbcc
put duplicates a.test '*.test' A.TEST '*.TEST' a.test '' a.test b.test
put order '*.x.test' a.x.test '*' a.x.test '' a.x.test b
