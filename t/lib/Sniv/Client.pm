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

package Sniv::Client;

# One connection to a server, plain or TLS, and HTTP/1 on it as raw bytes.
# Nothing dies because the peer said no: what happened is in the result.
# Every wait is bounded by the socket's time limit.
#
#   my $c = Sniv::Client->new(addr => '127.0.0.1', port => $port,
#                             tls => { sni => 'a.x.test' });
#   $c->error      undef, or why there is no connection ("alert 112")
#   my $r = $c->request("GET / HTTP/1.1\r\nHost: a.x.test\r\n\r\n");
#   $r->{status}, $r->{headers}{'x-vhost'}, $r->{body}, $r->{raw}

use strict;
use warnings;

use IO::Socket::IP;
use Net::SSLeay 1.85;
use Socket qw(SOL_SOCKET SO_RCVTIMEO SO_SNDTIMEO);

use Sniv::Httpd;

Net::SSLeay::load_error_strings();
Net::SSLeay::SSLeay_add_ssl_algorithms();
$SIG{PIPE} = 'IGNORE';

my $SECONDS = 15;               # times Sniv::Httpd::patience()

# Names used by tests => what OpenSSL calls them.
my %VERSION = (
    '1.0' => 0x0301, '1.1' => 0x0302, '1.2' => 0x0303, '1.3' => 0x0304,
);
my %VERSION_NAME = reverse %VERSION;

# tls (all optional): sni, alpn => [...], min, max ('1.2'), ciphers, groups,
# cert (a name of Sniv::Certs), cert_files => [certificate, key],
# session (from session() of another one), tickets => 0,
# sigalgs ('ECDSA+SHA256'), pha => 1 (a certificate may be asked for later),
# ocsp => 1 (ask for a stapled answer: staple() is its status)
sub new {
    my ($class, %arg) = @_;
    my $self = bless { %arg, buffer => '' }, $class;
    my $seconds = ($arg{seconds} || $SECONDS) * Sniv::Httpd::patience();
    my $s = $self->{socket} = IO::Socket::IP->new(
        PeerHost => $arg{addr}, PeerPort => $arg{port}, Type =>
        Socket::SOCK_STREAM(), Timeout => $seconds,
        $arg{local} ? (LocalHost => $arg{local}) : ());
    if (!$s) {
        $self->{error} = "connect: $@";
        return $self;
    }
    $s->blocking(1);
    my $tv = pack 'l!l!', $seconds, 0;
    setsockopt $s, SOL_SOCKET, SO_RCVTIMEO, $tv;
    setsockopt $s, SOL_SOCKET, SO_SNDTIMEO, $tv;
    $self->_tls($arg{tls}) if $arg{tls};
    return $self;
}

sub error { return $_[0]{error}; }

sub _tls {
    my ($self, $o) = @_;
    my $ctx = $self->{ctx} = Net::SSLeay::CTX_new_with_method(
        Net::SSLeay::TLS_client_method());
    Net::SSLeay::CTX_set_min_proto_version($ctx,
        $VERSION{ $o->{min} || '1.0' });
    Net::SSLeay::CTX_set_max_proto_version($ctx, $VERSION{ $o->{max} })
        if $o->{max};
    Net::SSLeay::CTX_set_cipher_list($ctx,
        $o->{ciphers} || 'DEFAULT:@SECLEVEL=0');
    # SSL_OP_IGNORE_UNEXPECTED_EOF: a server that closes without a word has
    # not spoilt the session. OpenSSL takes a FIN for such, but not a RST, and
    # which of them comes depends on who is faster.
    Net::SSLeay::CTX_set_options($ctx, 0x80);
    Net::SSLeay::CTX_set_options($ctx, Net::SSLeay::OP_NO_TICKET())
        if defined $o->{tickets} && !$o->{tickets};
    if (my @files = $o->{cert} ? (Sniv::Certs::crt($o->{cert}),
                                  Sniv::Certs::key($o->{cert}))
                               : @{ $o->{cert_files} || [] }) {
        Net::SSLeay::CTX_use_certificate_file($ctx, $files[0], 1);
        Net::SSLeay::CTX_use_PrivateKey_file($ctx, $files[1], 1);
    }
    # SSL_CTRL_SET_SIGALGS_LIST
    Net::SSLeay::CTX_ctrl($ctx, 98, 0, $o->{sigalgs}) == 1
        or die "sigalgs $o->{sigalgs}\n" if $o->{sigalgs};
    Net::SSLeay::CTX_set_post_handshake_auth($ctx, 1)
        if ($o->{cert} || $o->{pha})
            && defined &Net::SSLeay::CTX_set_post_handshake_auth;
    Net::SSLeay::CTX_set_alpn_protos($ctx, $o->{alpn}) if $o->{alpn};
    Net::SSLeay::CTX_set1_groups_list($ctx, $o->{groups}) if $o->{groups};
    my $ssl = $self->{ssl} = Net::SSLeay::new($ctx);
    Net::SSLeay::set_tlsext_host_name($ssl, $o->{sni}) if defined $o->{sni};
    Net::SSLeay::set_session($ssl, $o->{session}) if $o->{session};
    if ($o->{ocsp}) {
        my $staple = $self->{staple} = \my $status;
        Net::SSLeay::CTX_set_tlsext_status_cb($ctx, sub {
            $$staple = Net::SSLeay::OCSP_response_status($_[1]) if $_[1];
            return 1;
        });
        Net::SSLeay::set_tlsext_status_type($ssl,
            Net::SSLeay::TLSEXT_STATUSTYPE_ocsp());
    }
    Net::SSLeay::set_fd($ssl, fileno $self->{socket});
    $self->_clear_errors;
    my $rv = Net::SSLeay::connect($ssl);
    $self->{error} = $self->_ssl_error($rv) if $rv <= 0;
    return;
}

sub _clear_errors {
    while (Net::SSLeay::ERR_get_error()) { }
    return;
}

# "alert 112" for what the server said, else OpenSSL's words or "closed".
sub _ssl_error {
    my ($self, $rv) = @_;
    my $what = Net::SSLeay::get_error($self->{ssl}, $rv);
    my $e = Net::SSLeay::ERR_get_error();
    if (!$e) {
        return 'closed' if $what == Net::SSLeay::ERROR_ZERO_RETURN();
        # What the socket said may be lost on the way: the socket blocks, so
        # OpenSSL wants to go on reading only when its time is over
        return 'time limit' if $!{EAGAIN}
            || $what == Net::SSLeay::ERROR_WANT_READ();
        return 'closed' if $what == Net::SSLeay::ERROR_SYSCALL();
        return "error $what";
    }
    my $reason = $e & 0xFFF;
    $self->_clear_errors;
    return 'alert ' . ($reason - 1000) if $reason >= 1000;
    return 'closed' if $reason == 294;     # unexpected EOF
    my $text = Net::SSLeay::ERR_error_string($e);
    $text =~ s/.*://;
    return $text;
}

# What was negotiated.
sub version { return $VERSION_NAME{ Net::SSLeay::version($_[0]{ssl}) }; }
sub cipher  { return Net::SSLeay::get_cipher($_[0]{ssl}); }
sub alpn    { return Net::SSLeay::P_alpn_selected($_[0]{ssl}); }
sub resumed { return Net::SSLeay::session_reused($_[0]{ssl}) ? 1 : 0; }

# The status of the OCSP response that was stapled; undef if none was.
sub staple  { return $_[0]{staple} ? ${ $_[0]{staple} } : undef; }

# The common name of the certificate that the server sent.
sub cert {
    my ($self) = @_;
    my $x509 = Net::SSLeay::get_peer_certificate($self->{ssl}) or return;
    my $cn = _common_name($x509);
    Net::SSLeay::X509_free($x509);
    return $cn;
}

sub _common_name {
    my ($x509) = @_;
    my $cn = Net::SSLeay::X509_NAME_get_text_by_NID(
        Net::SSLeay::X509_get_subject_name($x509),
        Net::SSLeay::NID_commonName());
    $cn =~ s/\0\z//;
    return $cn;
}

# The common names of all certificates that came: leaf and chain.
sub chain {
    my ($self) = @_;
    return map { _common_name($_) }
        Net::SSLeay::get_peer_cert_chain($self->{ssl});
}

sub chain_length { return scalar(() = $_[0]->chain); }

# For another connection's session =>. With TLS 1.3 it is there after the
# first answer was read.
sub session { return Net::SSLeay::get1_session($_[0]{ssl}); }

# 1 if all bytes went out.
sub send {
    my ($self, $bytes) = @_;
    return 0 if $self->{error};
    while (length $bytes) {
        my $n;
        if ($self->{ssl}) {
            $self->_clear_errors;
            $n = Net::SSLeay::write($self->{ssl}, $bytes);
            if ($n <= 0) {
                $self->{write_error} = $self->_ssl_error($n);
                return 0;
            }
        }
        else {
            $n = syswrite $self->{socket}, $bytes;
            if (!$n) {
                $self->{write_error} = "$!";
                return 0;
            }
        }
        substr $bytes, 0, $n, '';
    }
    return 1;
}

# More bytes into the buffer. 0 at the end; read_error says which end.
sub fill {
    my ($self) = @_;
    return 0 if $self->{error} || $self->{eof};
    my ($data, $n);
    if ($self->{ssl}) {
        $self->_clear_errors;
        # Net::SSLeay may die of a read that fails ("negative strlen")
        ($data, $n) = eval { Net::SSLeay::read($self->{ssl}, 65536) };
        $n //= -1;
        if (!defined $data || $n <= 0) {
            $self->{eof} = 1;
            $self->{read_error} = $self->_ssl_error($n);
            return 0;
        }
    }
    else {
        $n = sysread $self->{socket}, $data, 65536;
        if (!$n) {
            $self->{eof} = 1;
            $self->{read_error} = defined $n ? 'closed'
                : $!{EAGAIN} ? 'time limit' : "$!";
            return 0;
        }
    }
    $self->{buffer} .= $data;
    return 1;
}

# Exactly n bytes, or what there was before the end.
sub take {
    my ($self, $n) = @_;
    while (length $self->{buffer} < $n) {
        $self->fill or last;
    }
    return substr $self->{buffer}, 0, $n, '';
}

# All until the server closes.
sub rest {
    my ($self) = @_;
    1 while $self->fill;
    my $all = $self->{buffer};
    $self->{buffer} = '';
    return $all;
}

# The next answer. $method says whether a body follows. status is 0 and
# error says why if there is no answer; an HTTP/0.9 answer has status 9.
sub response {
    my ($self, $method) = @_;
    $method = '' if !defined $method;
    my %r = (status => 0, headers => {}, body => '', raw => '');
    while ($self->{buffer} !~ /\r?\n\r?\n/) {
        last if length $self->{buffer} >= 5
            && $self->{buffer} !~ m{\AHTTP/};
        $self->fill or last;
    }
    if ($self->{buffer} =~ /\A\0\0/) {
        # After an upgrade from HTTP/1.0 there is no 101, only frames.
        @r{qw(status raw)} = (101, 'HTTP/2');
        return \%r;
    }
    if ($self->{buffer} !~ m{\AHTTP/}) {
        $r{raw} = $r{body} = $self->rest;
        $r{status} = 9 if length $r{body};
        $r{error} = $self->{error} || $self->{read_error};
        return \%r;
    }
    if ($self->{buffer} !~ s/\A(.*?\r?\n)\r?\n//s) {
        $r{raw} = $self->rest;
        $r{error} = $self->{read_error};
        return \%r;
    }
    $r{raw} = $1;
    my ($first, @lines) = split /\r?\n/, $1;
    ($r{protocol}, $r{status}, $r{reason}) = split / /, $first, 3;
    for my $line (@lines) {
        my ($name, $value) = split /:\s*/, $line, 2;
        $name = lc $name;
        $r{headers}{$name} = defined $r{headers}{$name}
            ? "$r{headers}{$name}, $value" : $value;
    }
    my $h = $r{headers};
    if ($method eq 'HEAD' || $r{status} =~ /\A(?:1..|204|304)\z/
        || ($method eq 'CONNECT' && $r{status} =~ /\A2/)) {
        # no body
    }
    elsif (($h->{'transfer-encoding'} || '') =~ /chunked/i) {
        while (1) {
            $self->fill or last while $self->{buffer} !~ /\n/
                && !$self->{eof};
            $self->{buffer} =~ s/\A([0-9a-fA-F]+)[^\n]*\n// or last;
            my $n = hex $1;
            if ($n == 0) {
                while (1) {
                    while ($self->{buffer} !~ /\n/) { $self->fill or last; }
                    $self->{buffer} =~ s/\A([^\n]*)\n// or last;
                    last if $1 =~ /\A\r?\z/;
                }
                last;
            }
            $r{body} .= $self->take($n);
            $self->take(2);
        }
    }
    elsif (defined $h->{'content-length'}) {
        $r{body} = $self->take($h->{'content-length'});
    }
    else {
        $r{body} = $self->rest;
    }
    return \%r;
}

# Send bytes, read one answer.
sub request {
    my ($self, $bytes) = @_;
    $self->send($bytes);
    my ($method) = $bytes =~ /\A(\S+) /;
    my $r = $self->response($method);
    # An interim answer is not the answer.
    $r = $self->response($method) while $r->{status} =~ /\A10[0-9]\z/;
    return $r;
}

# GET with Host; more header lines as a list.
sub get {
    my ($self, $host, $path, @lines) = @_;
    $path = '/' if !defined $path;
    return $self->request(join "\r\n", "GET $path HTTP/1.1",
        (defined $host ? "Host: $host" : ()), @lines, '', '');
}

sub close {
    my ($self) = @_;
    if (my $ssl = delete $self->{ssl}) {
        Net::SSLeay::shutdown($ssl) if !$self->{error};
        Net::SSLeay::free($ssl);
    }
    Net::SSLeay::CTX_free(delete $self->{ctx}) if $self->{ctx};
    if (my $s = delete $self->{socket}) {
        CORE::close($s);
    }
    return;
}

sub DESTROY {
    my ($self) = @_;
    local ($@, $!, $?);
    $self->close;
    return;
}

1;
