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

# Seeds for fuzz_index: names, changes, bytes. Argument: the folder.

cd "$1" || exit 1
printf 'Na.test\n*.a.test\nwww.a.test\na.test\n*.b.test' >names
printf 'Nx\n*.x\n%0240d.test' 7 >long
printf 'P\000\001\377\020\001\001' >change
printf 'P\004\000\020\010\000\001\014\000\377' >head
printf 'B\000\000\000\000\001\000\000\000INS\123\001\000\000\000\004\000\000\000' >bytes
