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

package Sniv::OddFiles;

# Certificate and key files in the shapes in which people have them, and in
# those in which they should not: what OpenSSL reads of each is another
# matter.
#
#   for my $odd (Sniv::OddFiles::all($dir)) {
#       # { what => 'with a byte order mark', cert => TEXT, key => TEXT }
#   }
#
# Without a key the key is in cert. Encrypted keys are not among them: those
# are mod_ssl's, with its dialog. Makes its material in the folder, once.

use strict;
use warnings;

use MIME::Base64 qw(decode_base64 encode_base64);

use Sniv::Chain qw(make_cert slurp);

# The bytes of a PEM block, and a block of bytes.
sub der {
    my ($pem) = @_;
    my ($text) = $pem =~ /-----BEGIN [^\n]*\n(.*?)-----END/s;
    return decode_base64($text);
}

sub block {
    my ($label, $der, $width) = @_;
    my $text = encode_base64($der, '');
    $width ||= 64;
    $text =~ s/(.{1,$width})/$1\n/g;
    return "-----BEGIN $label-----\n$text-----END $label-----\n";
}

sub openssl {
    my ($dir, $out, @args) = @_;
    if (!-e "$dir/$out") {
        my $said = qx{cd '$dir' && openssl @args -out '$out' 2>&1};
        die "openssl @args: $said" if $?;
    }
    return slurp("$dir/$out");
}

# What the files are made of: leaf and chain (ECDSA), keys in all forms.
sub material {
    my ($dir) = @_;
    make_cert($dir, 'odd-root', is_ca => 1);
    make_cert($dir, 'odd-mid', is_ca => 1, ca => 'odd-root');
    make_cert($dir, 'odd', ca => 'odd-mid');
    make_cert($dir, 'odd-rsa', key => 'rsa', ca => 'odd-mid');
    make_cert($dir, 'odd-weak', key => 'rsa', bits => 1024, ca => 'odd-mid');
    make_cert($dir, 'odd-sha1', ca => 'odd-mid', add => ['-sha1']);
    make_cert($dir, 'odd-weakmid', is_ca => 1, ca => 'odd-root',
              key => 'rsa', bits => 1024);
    make_cert($dir, 'odd-below', ca => 'odd-weakmid');
    my %m = map { my $n = $_;
        ($n => slurp("$dir/$n.leaf"), "$n.key" => slurp("$dir/$n.key"))
    } qw(odd odd-mid odd-root odd-rsa odd-weak odd-sha1 odd-weakmid odd-below);
    $m{sec1} = openssl($dir, 'odd.sec1', 'ec -in odd.key');
    $m{pkcs1} = openssl($dir, 'odd.pkcs1',
                        'pkey -traditional -in odd-rsa.key');
    $m{pkcs8} = openssl($dir, 'odd.pkcs8',
                        'pkcs8 -topk8 -nocrypt -in odd.key');
    $m{trusted} = openssl($dir, 'odd.trusted',
                          'x509 -in odd.leaf -trustout -setalias odd');
    $m{trusted_mid} = openssl($dir, 'odd-mid.trusted',
                              'x509 -in odd-mid.leaf -trustout');
    return \%m;
}

sub lines_of {
    my ($pem, $each) = @_;
    return join '', map { /\A-----/ ? $_ : $each->($_) }
        split /(?<=\n)/, $pem;
}

# Shapes of text: what OpenSSL makes of lines.
sub texts {
    my ($m) = @_;
    my ($leaf, $mid, $key) = @$m{qw(odd odd-mid odd.key)};
    my $both = "$leaf$mid";
    my $other = block('SOMETHING', 'some bytes');
    my $middle = sub { my ($pem, $put) = @_;
        my @l = split /(?<=\n)/, $pem;
        splice @l, 3, 0, $put;
        return join '', @l };
    my %cert = (
        'plain' => $both,
        'CR LF' => $both =~ s/\n/\r\n/gr,
        'CR alone' => $both =~ s/\n/\r/gr,
        'a byte order mark' => "\xef\xbb\xbf$both",
        'a byte order mark before the chain' => "$leaf\xef\xbb\xbf$mid",
        'a byte order mark and a blank' => "\xef\xbb\xbf $both",
        'UTF-16' => "\xff\xfe" . join('', map { "$_\0" } split //, $both),
        'text before' => "Subject: CN=odd\nhello\n$both",
        'text between' => "$leaf# the chain\n\n$mid",
        'text after' => "${both}hello\n",
        'dashes after' => "$both-----\n",
        'a blank before BEGIN' => " $both",
        'a blank before the second BEGIN' => "$leaf $mid",
        'a tab before END' => $both =~ s/-----END/\t-----END/r,
        'blanks after BEGIN and END' => $both =~ s/-----\n/----- \t\n/gr,
        'a NUL after BEGIN' => $both =~ s/-----\n/-----\0\n/r,
        'a NUL at the start' => "\0$both",
        'a NUL between' => "$leaf\0\n$mid",
        'a NUL in the base64' => $middle->($leaf, "\0\n") . $mid,
        'form feeds' => "\f\n$leaf\f\n$mid",
        'blanks before each line' => lines_of($both, sub { "  $_[0]" }),
        'an empty line after BEGIN' => $both =~ s/(BEGIN.*\n)/$1\n/r,
        'an empty line after BEGIN of the chain' =>
            $leaf . $mid =~ s/(BEGIN.*\n)/$1\n/r,
        'two empty lines after BEGIN' => $both =~ s/(BEGIN.*\n)/$1\n\n/r,
        'an empty line in the base64' => $middle->($leaf, "\n") . $mid,
        'an empty line in the chain' => $leaf . $middle->($mid, "\n"),
        'an empty line before END' => $both =~ s/(-----END)/\n$1/r,
        'one long line' => block('CERTIFICATE', der($leaf), 9999) . $mid,
        'a long line after an empty one' =>
            block('CERTIFICATE', der($leaf), 9999) =~ s/\n/\n\n/r . $mid,
        'lines of 76' => block('CERTIFICATE', der($leaf), 76) . $mid,
        'lines of 253' => block('CERTIFICATE', der($leaf), 253) . $mid,
        'lines of 254' => block('CERTIFICATE', der($leaf), 254) . $mid,
        'lines of 4' => block('CERTIFICATE', der($leaf), 4) . $mid,
        'no end of the last line' => $both =~ s/\n\z//r,
        'a long line just before BEGIN' => ('x' x 254) . $both,
        'a longer line just before BEGIN' => ('x' x 255) . $both,
        'END and BEGIN in one line' => $leaf =~ s/\n\z//r . $mid,
        'END, a blank and BEGIN in one line' => $leaf =~ s/\n\z/ /r . $mid,
        'text after END' => $leaf =~ s/\n\z/ x\n/r . $mid,
        'base64 after BEGIN' => $leaf =~ s/(BEGIN.*)\n/$1/r . $mid,
        'small letters' => lc($leaf =~ /(.*)\n/ ? $1 : '') . $leaf . $mid,
        'four dashes' => $both =~ s/-----/----/gr,
        'six dashes' => $both =~ s/-----/------/gr,
        'truncated leaf' => substr($leaf, 0, 300),
        'truncated chain' => $leaf . substr($mid, 0, 300),
        'truncated BEGIN' => $leaf . '-----BEGIN CERTIFI',
        'the chain without END' => $leaf . $mid =~ s/-----END.*//sr,
        'END of another label' => $leaf =~ s/(END) CERT/$1 X509 CERT/r,
        'a header in the block' => $leaf =~ s/(BEGIN.*\n)/$1A: b\n\n/r . $mid,
        'a header without an empty line' =>
            $leaf =~ s/(BEGIN.*\n)/$1A: b\n/r . $mid,
        'a header in another block' =>
            $leaf . $other =~ s/(BEGIN.*\n)/$1A: b\n\n/r . $mid,
        'a bad character' => $middle->($leaf, "!\n") . $mid,
        'a byte above 127' => $middle->($leaf, "\xc3\xa4\n") . $mid,
        'padding in the middle' => $middle->($leaf, "AA==\n") . $mid,
        'one = too many' => $leaf =~ s/(=*)\n(-----END)/$1=\n$2/r . $mid,
        'a dash in the base64' => $middle->($leaf, "-\n") . $mid,
        'an empty block' => $leaf . block('CERTIFICATE', '') . $mid,
        'another block' => "$leaf$other$mid",
        'another block first' => "$other$both",
        'another block, empty' => $leaf . block('SOMETHING', '') . $mid,
        'another block, damaged' => $leaf . $other =~ s/=*\n-----E/\n-----E/r
            =~ s/BEGIN S.*\n/$&!/r . $mid,
        'a damaged block at the end' => "$both-----BEGIN X-----\n!\n",
    );
    return map { { what => $_, cert => $cert{$_}, key => $key } }
        sort keys %cert;
}

# What blocks hold.
sub contents {
    my ($m) = @_;
    my ($leaf, $mid, $key) = @$m{qw(odd odd-mid odd.key)};
    my $both = "$leaf$mid";
    my @k = map { { what => "key: $_->[0]", cert => $both, key => $_->[1] } } (
        ['EC PRIVATE KEY', $m->{sec1}],
        ['PRIVATE KEY', $m->{pkcs8}],
        ['EC PARAMETERS first', block('EC PARAMETERS',
            pack 'H*', '06082a8648ce3d030107') . $m->{sec1}],
        ['DER', der($m->{sec1})],
        ['DER, PKCS #8', der($m->{pkcs8})],
        ['base64 alone', encode_base64(der($m->{pkcs8}))],
        ['another one', $m->{'odd-rsa.key'}],
        ['another one after it', $key . $m->{'odd-mid.key'}],
        ['another one before it', $m->{'odd-mid.key'} . $key],
        ['of another kind before it', $m->{'odd-rsa.key'} . $key],
        ['twice', $key . $key],
        ['a certificate before it', $mid . $key],
        ['a byte order mark', "\xef\xbb\xbf$key"],
        ['CR LF', $key =~ s/\n/\r\n/gr],
        ['text before', "Bag Attributes\n    a: b\n$key"],
        ['a damaged block before it', "-----BEGIN X-----\n!\n-----END X-----\n"
            . $key],
        ['a damaged block after it', "$key-----BEGIN X-----\n!\n"],
        ['junk in a block before it', block('PRIVATE KEY', 'junk') . $key],
        ['a wrong label', block('RSA PRIVATE KEY', der($m->{sec1}))],
        ['truncated', substr $key, 0, 120],
        ['a certificate', $leaf],
    );
    my @c = map { { what => $_->[0], cert => $_->[1],
                    key => exists $_->[2] ? $_->[2] : $key } } (
        ['X509 CERTIFICATE', $both =~ s/(BEGIN|END) /$1 X509 /gr],
        ['TRUSTED CERTIFICATE', $m->{trusted} . $mid],
        ['TRUSTED CERTIFICATE in the chain', $leaf . $m->{trusted_mid}],
        ['TRUSTED CERTIFICATE, then the same', $m->{trusted_mid} . $both],
        ['DER certificate', der($leaf)],
        ['bytes after the certificate', block('CERTIFICATE',
            der($leaf) . "\0\0") . $mid],
        ['bytes after the chain', $leaf . block('CERTIFICATE',
            der($mid) . "\0\0")],
        ['junk as chain', $leaf . block('CERTIFICATE', 'junk')],
        ['junk as leaf', block('CERTIFICATE', 'junk') . $mid],
        ['the leaf twice', "$leaf$leaf$mid"],
        ['the chain first', "$mid$leaf"],
        ['the root too', "$both$m->{'odd-root'}"],
        ['a strange certificate after it', "$both$m->{'odd-rsa'}"],
        ['key first', "$key$both", undef],
        ['key in the middle', "$leaf$key$mid", undef],
        ['key last', "$both$key", undef],
        ['key of another before it', "$m->{'odd-rsa.key'}$key$both", undef],
        ['no key', $both, undef],
        ['RSA', $m->{'odd-rsa'} . $mid, $m->{pkcs1}],
        ['RSA 1024', $m->{'odd-weak'} . $mid, $m->{'odd-weak.key'}],
        ['SHA-1', $m->{'odd-sha1'} . $mid, $m->{'odd-sha1.key'}],
        ['a weak chain', $m->{'odd-below'} . $m->{'odd-weakmid'},
         $m->{'odd-below.key'}],
        ['text', "hello\n"],
    );
    return (@k, @c);
}

sub all {
    my ($dir) = @_;
    my $m = material($dir);
    return (texts($m), contents($m));
}

1;
