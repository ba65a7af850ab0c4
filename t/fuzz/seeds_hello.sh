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

# Seeds for fuzz_hello: ClientHellos with server_name extensions of each
# kind. Argument: the folder.

cd "$1" || exit 1
exec perl -e '
use strict;
use warnings;

sub extension { pack("n n/a*", $_[0], $_[1]) }
sub server_name { extension(0, pack("n/a*", $_[0])) }
sub host { pack("C n/a*", 0, $_[0]) }

# Versions, groups, signature algorithms, ALPN
my $others = extension(43, "\x04\x03\x04\x03\x03")
    . extension(10, "\x00\x04\x00\x1d\x00\x17")
    . extension(13, "\x00\x04\x04\x03\x08\x04");
my %seeds = (
    none => $others,
    no_extensions => undef,
    plain => server_name(host("a.x.test")) . $others,
    last => $others . server_name(host("a.x.test")),
    empty_name => server_name(host("")),
    empty_list => server_name(""),
    empty_extension => extension(0, ""),
    nul => server_name(host("a\0b.test")),
    two_names => server_name(host("a.test") . host("b.test")),
    other_type => server_name(pack("C n/a*", 1, "a.test")),
    bad_length => extension(0, pack("n n/a*", 99, "a.test")),
    twice => server_name(host("a.test")) . server_name(host("b.test")),
    long => server_name(host("a" x 255)),
    acme => server_name(host("a.test"))
        . extension(16, pack("n/a*", pack("C/a*", "acme-tls/1"))),
    ech => server_name(host("a.test")) . $others
        . extension(0xfe0d, "\0\0\x01\0\x01\x07" . pack("n/a*", "e" x 32)
                            . pack("n/a*", "p" x 144)),
    ech_inner => server_name(host("a.test")) . extension(0xfe0d, "\x01"),
);
for my $name (keys %seeds) {
    my $hello = "\x03\x03" . "r" x 32 . pack("C/a*", "s" x 32)
        . pack("n/a*", "\x13\x01\x13\x02\xc0\x2f") . "\x01\x00";
    $hello .= pack("n/a*", $seeds{$name}) if defined $seeds{$name};
    open(my $out, ">:raw", $name) or die "$name: $!\n";
    print $out "\x00\x01", substr(pack("N", length $hello), 1), $hello;
    close($out) or die "$name: $!\n";
}
'
