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


# URLs for fuzz_url.c, one a file.
cd "$1" || exit 1
n=0
while IFS= read -r url; do
    n=`expr $n + 1`
    printf %s "$url" > "url$n" || exit 1
done <<'END'
https://www.example.com/path?query#fragment
http://user:word@a.example:8080/
https://[2001:db8::1]:443/
https://münchen.example/ü
https://m%C3%BCnchen.example:444
//x://y
https://xn--mnchen-3ya.example./
https://%C2%AD/
END
