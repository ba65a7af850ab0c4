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


# Seeds for fuzz_certs: certificates and keys of each kind, as PEM and as
# DER behind the byte that says what it is. Argument: the folder.

cd "$1" || exit 1
test ! -f done || exit 0

make() {
    name=$1
    shift
    openssl req -x509 "$@" -nodes -keyout "$name.key" -out "$name.crt" \
        -subj "/CN=$name" -addext 'basicConstraints=critical,CA:FALSE' \
        -addext 'tlsfeature=status_request' \
        -addext 'authorityInfoAccess=OCSP;URI:http://o.test/' \
        -addext "subjectAltName=DNS:a.test,DNS:*.b.test,email:x@y.test,IP:::1" \
        2>openssl.log || { cat openssl.log >&2; exit 1; }
    { printf P; cat "$name.crt" "$name.key"; } >"pem_$name"
    { printf L; openssl x509 -in "$name.crt" -outform DER; } >"leaf_$name"
    { printf K; openssl pkcs8 -topk8 -nocrypt -in "$name.key" \
        -outform DER; } >"key_$name"
}

make ec -newkey ec -pkeyopt ec_paramgen_curve:prime256v1
make ec384 -newkey ec -pkeyopt ec_paramgen_curve:secp384r1 -days 20000
make rsa -newkey rsa:1024
make ed -newkey ed25519
{ printf E; openssl ec -in ec.key -outform DER 2>/dev/null; } >typed_ec
{ printf R; openssl rsa -in rsa.key -traditional -outform DER \
    2>/dev/null; } >typed_rsa
{ printf P; openssl ec -in ec.key 2>/dev/null; cat ec.crt; } >pem_typed
{ printf P; openssl rsa -in rsa.key -aes128 -passout pass:x -traditional \
    2>/dev/null; } >pem_locked
rm -f ./*.key ./*.crt openssl.log
touch done
