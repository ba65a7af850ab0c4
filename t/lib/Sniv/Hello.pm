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

package Sniv::Hello;

# ClientHellos made by hand, well formed or not, and what the server says.
# Only TLS 1.2 (RFC 5246, RFC 6066): the server's answer can be read without
# any cryptography, up to its certificate.
#
#   my $answer = Sniv::Hello::ask(addr => $ip, port => $port,
#                                 names => ['a.x.test']);
#   $answer->{alert} (a number), or $answer->{cert} (DER of the leaf)

use strict;
use warnings;

use IO::Socket::IP;
use MIME::Base64 qw(encode_base64);
use Net::SSLeay;
use Socket qw(SOL_SOCKET SO_RCVTIMEO SO_SNDTIMEO);

use Sniv::Httpd;

my $SECONDS = 10;               # times Sniv::Httpd::patience()

sub _v8  { return pack('C', length $_[0]) . $_[0]; }
sub _v16 { return pack('n', length $_[0]) . $_[0]; }
sub _v24 { return substr(pack('N', length $_[0]), 1) . $_[0]; }

sub extension {
    my ($type, $data) = @_;
    return pack('n', $type) . _v16($data);
}

# The data of a server_name extension for names, or for pairs [type, name].
sub server_names {
    my @names = @_;
    return _v16(join '', map {
        ref $_ ? pack('C', $_->[0]) . _v16($_->[1]) : "\0" . _v16($_)
    } @names);
}

# The handshake message. All are optional:
#   names      reference to a list for server_name; absent: no extension
#   sni_data   instead: the bytes of that extension's data
#   duplicate  the server_name extension twice
#   before, after   more extensions (bytes) around it
#   grease     GREASE values (RFC 8701) as suite, group and extensions
#   ech        an encrypted_client_hello extension of random bytes
#   alpn       reference to a list of protocols
#   no_extensions   none at all, not even the length
#   random     32 bytes
#   version    legacy_version, 0x0303
#   suites     reference to a list of numbers
#   length_add lie about the length of the handshake message by so much
sub message {
    my %o = @_;
    my $random = defined $o{random} ? $o{random}
        : join '', map { chr int rand 256 } 1 .. 32;
    my @suites = $o{suites} ? @{ $o{suites} }
        : (0xC02B, 0xC02F, 0xC02C, 0xC030, 0x009C, 0x002F);
    my @groups = (29, 23, 24);
    if ($o{grease}) {
        unshift @suites, 0x0A0A;
        unshift @groups, 0x1A1A;
    }
    my $body = pack('n', $o{version} || 0x0303) . $random . _v8('')
        . _v16(pack 'n*', @suites) . _v8("\0");
    if (!$o{no_extensions}) {
        my $ext = '';
        $ext .= extension(0x2A2A, '') if $o{grease};
        $ext .= $o{before} if defined $o{before};
        my $sni = defined $o{sni_data} ? $o{sni_data}
            : $o{names} ? server_names(@{ $o{names} }) : undef;
        $ext .= extension(0, $sni) if defined $sni;
        $ext .= extension(0, $sni) if defined $sni && $o{duplicate};
        $ext .= extension(10, _v16(pack 'n*', @groups));
        $ext .= extension(11, _v8("\0"));
        $ext .= extension(13, _v16(pack 'n*', 0x0403, 0x0503, 0x0804,
                                   0x0401, 0x0501, 0x0201));
        $ext .= extension(16, _v16(join '', map { _v8($_) } @{ $o{alpn} }))
            if $o{alpn};
        # encrypted_client_hello, outer: KDF, AEAD, id, enc, payload
        $ext .= extension(0xFE0D, "\0" . pack('nn', 1, 1) . "\x11"
            . _v16('e' x 32) . _v16('p' x 144)) if $o{ech};
        $ext .= $o{after} if defined $o{after};
        $ext .= extension(0x3A3A, "\0") if $o{grease};
        $body .= _v16($ext);
    }
    my $length = length($body) + ($o{length_add} || 0);
    return "\x01" . substr(pack('N', $length), 1) . $body;
}

# Extensions of TLS 1.3 (for after): with a key share of zeros for a group
# that the server has, and without, which makes it ask for one.
sub tls13 {
    my ($group) = @_;
    return extension(43, _v8("\x03\x04"))
         . extension(51, _v16(defined $group ? pack('n', $group)
                                             . _v16("\x09" . "\0" x 31) : ''));
}

# As records of at most $size bytes each.
sub records {
    my ($bytes, $size) = @_;
    $size ||= 16384;
    my $out = '';
    while (length $bytes) {
        $out .= "\x16\x03\x01" . _v16(substr $bytes, 0, $size, '');
    }
    return $out;
}

# An SSLv2 style hello (RFC 5246, E.2): it cannot carry a server name.
sub sslv2 {
    my $suites = join '', map { "\0" . pack 'n', $_ }
        0xC02B, 0xC02F, 0x009C, 0x002F, 0x00FF;
    my $challenge = 'c' x 32;
    my $body = "\x01\x03\x03" . pack('nnn', length $suites, 0,
        length $challenge) . $suites . $challenge;
    return pack('n', 0x8000 | length $body) . $body;
}

# Send a hello, read the answer. As message(), and
#   addr, port
#   record_size   split over records
#   pieces        write the bytes in pieces of this size
#   bytes         send these bytes instead
#   cut           send only so many bytes of it, then close our side
#   then          send these bytes after the server's first answer
#   retry         send these bytes after a HelloRetryRequest
sub ask {
    my %o = @_;
    my $bytes = defined $o{bytes} ? $o{bytes}
        : records(message(%o), $o{record_size});
    $bytes = substr $bytes, 0, $o{cut} if $o{cut};
    my $seconds = $SECONDS * Sniv::Httpd::patience();
    my $s = IO::Socket::IP->new(PeerHost => $o{addr}, PeerPort => $o{port},
        Type => Socket::SOCK_STREAM(), Timeout => $seconds)
        or return { error => "connect: $@" };
    $s->blocking(1);
    my $tv = pack 'l!l!', $seconds, 0;
    setsockopt $s, SOL_SOCKET, SO_RCVTIMEO, $tv;
    setsockopt $s, SOL_SOCKET, SO_SNDTIMEO, $tv;
    $s->setsockopt(Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1);
    my $piece = $o{pieces} || length $bytes;
    while (length $bytes) {
        syswrite $s, substr $bytes, 0, $piece, '' or last;
        select undef, undef, undef, 0.002 if $o{pieces};
    }
    shutdown $s, 1 if $o{cut};
    return _answer($s, @o{qw(then retry)});
}

# What the server says until it has said enough.
sub _answer {
    my ($s, $then, $retry) = @_;
    my %a;
    my ($in, $handshake) = ('', '');
    while (1) {
        my $n = sysread $s, $in, 16384, length $in;
        if (!$n) {
            $a{error} = defined $n ? 'closed' : 'time limit';
            return \%a;
        }
        while (length $in >= 5) {
            my ($type, undef, $length) = unpack 'Cnn', $in;
            last if length $in < 5 + $length;
            my $record = substr $in, 0, 5 + $length, '';
            substr $record, 0, 5, '';
            if ($type == 21) {
                my ($level, $number) = unpack 'CC', $record;
                $a{alert} = $number;
                $a{warning} = 1 if $level == 1;
                return \%a if $level == 2;
            }
            $handshake .= $record if $type == 22;
        }
        while (length $handshake >= 4) {
            my $type = ord $handshake;
            my $length = unpack 'N', "\0" . substr $handshake, 1, 3;
            last if length $handshake < 4 + $length;
            my $m = substr $handshake, 4, $length;
            substr $handshake, 0, 4 + $length, '';
            if ($type == 2) {
                $a{hello} = $m;
                if (defined $retry) {
                    $a{retried} = 1;
                    syswrite $s, $retry;
                    undef $retry;
                }
            }
            elsif ($type == 11) {
                my $first = unpack 'N', "\0" . substr $m, 3, 3;
                $a{cert} = substr $m, 6, $first;
                $a{cn} = cn($a{cert});
            }
            elsif ($type == 14) {
                return \%a if !defined $then;
                syswrite $s, $then;
                undef $then;
            }
        }
    }
}

# The common name in a certificate (DER).
sub cn {
    my ($der) = @_;
    my $bio = Net::SSLeay::BIO_new(Net::SSLeay::BIO_s_mem());
    Net::SSLeay::BIO_write($bio, $der);
    my $x509 = Net::SSLeay::d2i_X509_bio($bio);
    Net::SSLeay::BIO_free($bio);
    return if !$x509;
    my $cn = Net::SSLeay::X509_NAME_get_text_by_NID(
        Net::SSLeay::X509_get_subject_name($x509),
        Net::SSLeay::NID_commonName());
    Net::SSLeay::X509_free($x509);
    $cn =~ s/\0\z//;
    return $cn;
}

1;
