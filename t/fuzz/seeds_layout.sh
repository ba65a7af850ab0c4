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

# Seeds for fuzz_layout: folders as tools write them. Argument: the folder.

cd "$1" || exit 1
printf '0cert.pem\n2chain.pem\n6fullchain.pem\n1privkey.pem\nxREADME\n' >certbot
printf '6fullchain1.pem\n1privkey1.pem\n0cert12.pem\ndlive\n' >archive
printf '0a.crt\n1a.key\n2a.issuer.crt\nxa.json\n6a.pem\n' >lego
printf '6combined\n' >cpanel
printf '0a.crt\n4a.key\n3b.crt\n1b.key\n' >crossed
printf '01a2b.crt\n2gd_bundle-g2.crt\n1private.key\n01a2b.pem\n' >godaddy
printf '0A.CRT\n1A.KEY\n2CA.CRT\nxa.pfx\nxb.p12\nxc.p7b\n' >windows
printf '6a.pem.rsa\n0b.pem\n1b.pem.key\n3c.crt\n4c.crt.key\n5c.crt.ca\n' >haproxy
