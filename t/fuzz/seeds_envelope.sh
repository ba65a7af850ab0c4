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


# What a store may have, for fuzz_envelope.c: envelopes, rings before they are
# sealed, answers to challenges, addresses.
cd "$1" || exit 1
b='-----BEGIN SNIVHOST ENVELOPE-----'
e='-----END SNIVHOST ENVELOPE-----'
one=AQEBAQEBAQEBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
printf '%s\n%s\n%s\n' "$b" "$one" "$e" > envelope1
printf '%s\n%s\n%s\n%s\n' "$b" "$one" AAAAAA== "$e" > envelope2
printf '%s\n%s\n' "$b" "$e" > envelope3
printf '%s\n%s' "$b" "$one" > envelope4
# one secret: version, number, generation, made, secret
printf '\001\001\0\0\0\0\0\0\0\001\0\0\0\0\145\0\0\0%s' \
    01234567890123456789012345678901 > ring1
printf '\001\003\0\0\0\0\0\0\0\002' > ring2
printf '1 1700000100 %0128d tok.answer' 0 > answer1
printf '1 1700000100 ' > answer2
n=0
while IFS= read -r url; do
    n=`expr $n + 1`
    printf %s "$url" > "url$n" || exit 1
done <<'END'
redis:///sites
redis://user@[2001:db8::1]:6380/sites?timeout=5&copy=/a&primary=b:1
valkey://host/s-1.x?socket=/run/x&password-file=/y&program=/z
rediss://host/s?cacert=/c&cert=/d&key=/e
http-01+token
tls-alpn-01+a.test
END
