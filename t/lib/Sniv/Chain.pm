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

package Sniv::Chain;

# Throw-away certificates with what Sniv::Certs has not: intermediate
# authorities, RSA and ECDSA for one name, files in unusual shapes. Each test
# makes its own in a folder that goes away with its server.

use strict;
use warnings;

use Exporter qw(import);
use File::Path qw(make_path);
use MIME::Base64 qw(encode_base64);

our @EXPORT_OK = qw(dh_params make_cert slurp spew);

# make_cert($dir, $name, %how): $dir/$name.crt and .key, unless they exist.
# how: key 'ec' (curve) or 'rsa' (bits); ca => name of another one that signs; is_ca;
# names => [...]; chain => [names of what follows the leaf in NAME.crt];
# add => [further openssl req arguments]; expired => 1, if there is a
# ca; of add it keeps the subject
sub make_cert {
    my ($dir, $name, %how) = @_;
    return if -f "$dir/$name.crt" && -f "$dir/$name.key";
    make_path($dir);
    my @key = ($how{key} || 'ec') eq 'rsa'
        ? ('-newkey', 'rsa:' . ($how{bits} || 2048))
        : ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:'
               . ($how{curve} || 'prime256v1'));
    my @names = @{ $how{names} || ["$name.test"] };
    my @args = ('req', '-x509', @key, '-nodes', '-days', 90,
        '-subj', "/CN=$name", '-keyout', "$dir/$name.key",
        '-out', "$dir/$name.leaf",
        '-addext', 'basicConstraints=critical,CA:'
            . ($how{is_ca} ? 'TRUE' : 'FALSE'),
        '-addext', 'subjectAltName=' . join(',', map { "DNS:$_" } @names));
    push @args, '-CA', "$dir/$how{ca}.leaf", '-CAkey', "$dir/$how{ca}.key"
        if $how{ca};
    push @args, '-key', "$dir/$name.key" if -f "$dir/$name.key";
    push @args, @{ $how{add} || [] };
    require Sniv::Certs;                # which uses this one
    Sniv::Certs::openssl(@args);
    _expire($dir, $name, %how, names => join ',', @names) if $how{expired};
    my $all = join '', map { slurp("$dir/$_.leaf") } $name,
        @{ $how{chain} || [] };
    spew("$dir/$name.crt", $all);
    return;
}

# The same certificate, signed again: it expired yesterday. In a folder of its
# own, as some of these are certificate stores.
sub _expire {
    my ($dir, $name, %how) = @_;
    my %add = @{ $how{add} || [] };
    make_path("$dir/expired");
    Sniv::Certs::dated("$dir/expired", "$dir/$name.key", $name, %how,
        subject => $add{-subj} || "/CN=$name", ca => "$dir/$how{ca}.leaf",
        ca_key => "$dir/$how{ca}.key", from => -90, to => -1);
    rename "$dir/expired/$name.crt", "$dir/$name.leaf" or die "$name: $!\n";
    return;
}

# DH PARAMETERS of a well-known group: looking for a prime takes long.
# OpenSSL before 3.0 does not know them by this name and makes others quickly,
# but as "X9.42 DH PARAMETERS", which have a third number.
sub dh_params {
    my ($bits) = (@_, 2048);
    my $group = "genpkey -genparam -algorithm DH -pkeyopt group:ffdhe$bits";
    my $said = qx{openssl $group 2>/dev/null};
    return $1 if $said =~ /(-----BEGIN DH PARAMETERS.*)/s;
    my $parsed = qx{openssl dhparam -dsaparam $bits 2>/dev/null |
                    openssl asn1parse};
    my ($p, $g) = map { pack 'H*', $_ } $parsed =~ /INTEGER +:([0-9A-F]+)/g;
    die "openssl makes no DH parameters\n" if !$g;
    my $der = _der(0x30, join '', map { _der(2, $_) }
        map { ord >= 0x80 ? "\0$_" : $_ } $p, $g);
    return "-----BEGIN DH PARAMETERS-----\n" . encode_base64($der)
        . "-----END DH PARAMETERS-----\n";
}

sub _der {
    my ($tag, $bytes) = @_;             # all of them are long
    return pack('CCn', $tag, 0x82, length $bytes) . $bytes;
}

sub slurp {
    my ($file) = @_;
    open my $fh, '<', $file or die "$file: $!\n";
    local $/;
    return scalar <$fh>;
}

sub spew {
    my ($file, $text) = @_;
    open my $fh, '>', $file or die "$file: $!\n";
    print {$fh} $text;
    close $fh or die "$file: $!\n";
    return;
}

1;
