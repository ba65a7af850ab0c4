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

# TLS sessions: a session of one virtual host is good for that one only; and
# the settings of a virtual host (versions, ciphers, client certificates)
# hold for its handshakes, new or resumed.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use Sniv::Suite;

# [SNI first, SNI then, resumed?, certificate of the second]
my @pairs = (
    ['a.x.test', 'a.x.test', 1, 'c1'],
    ['a.x.test', 'alias1.test', 1, 'c1', 'another name of the same one'],
    ['a.x.test', 'b.x.test', 0, 'c2'],
    ['a.x.test', 'n0.test', 0, 'c0'],
    ['a.x.test', 'unknown.test', 0, 'c0'],
    ['n0.test', 'a.x.test', 0, 'c1'],
    ['n0.test', 'unknown.test', 1, 'c0', 'both the default'],
    ['unknown.test', 'unknown.test', 1, 'c0'],
);
my @ways = (
    ['1.2', 'tickets', {}], ['1.2', 'session cache', { tickets => 0 }],
    ['1.3', 'tickets', {}], ['1.3', 'session cache', { tickets => 0 }],
);
# The same name is offered by OpenSSL only for the name of the session, so
# the second connection may need its own name: see Sniv::Client.

plan tests => @pairs * @ways + 8 + 14 + 10;

for my $way (@ways) {
    my ($version, $how, $tls) = @$way;
    for my $pair (@pairs) {
        my ($first, $then, $resumed, $cert) = @$pair;
        my $c = tls('127.0.0.1', $first, min => $version, max => $version,
                    %$tls);
        # With TLS 1.3 the ticket comes after the handshake.
        my $r = ask_raw(undef, "GET /?ID HTTP/1.1\r\nHost: $first\r\n\r\n",
                        client => $c);
        my $d = tls('127.0.0.1', $then, min => $version, max => $version,
                    %$tls, session => $c->session);
        my $s = ask_raw(undef, "GET /?ID HTTP/1.1\r\nHost: $then\r\n\r\n",
                        client => $d);
        is(join(' ', $r->{status}, $d->error || $d->cert, $s->{status},
                $d->{ssl} ? $d->resumed : '-'), "200 $cert 200 $resumed",
           "TLS $version, $how: $first, then $then");
    }
}

# Versions of a virtual host
for (['tls12.test', '1.3', '1.3', 'alert 70'],
     ['tls12.test', '1.2', '1.3', 'c7 1.2'],
     ['tls12.test', '1.2', '1.2', 'c7 1.2'],
     ['tls13.test', '1.3', '1.3', 'c8 1.3'],
     ['tls13.test', '1.2', '1.3', 'c8 1.3'],
     ['tls13.test', '1.2', '1.2', 'alert 70'],
     ['unknown.test', '1.2', '1.2', 'c0 1.2'],
     ['a.x.test', '1.3', '1.3', 'c1 1.3']) {
    my ($sni, $min, $max, $answer) = @$_;
    my $c = tls('127.0.0.1', $sni, min => $min, max => $max);
    is($c->error || $c->cert . ' ' . $c->version, $answer,
       "TLS $min to $max at $sni");
}

# Ciphers of a virtual host
my $c = tls('127.0.0.1', 'rsa.test', max => '1.2');
is($c->error || $c->cipher, 'AES256-GCM-SHA384', 'SSLCipherSuite of its own');
$c = tls('127.0.0.1', 'rsa.test', max => '1.2',
         ciphers => 'ECDHE-RSA-AES128-GCM-SHA256');
is($c->error, 'alert 40', 'a cipher that it does not have');
$c = tls('127.0.0.1', 'a.x.test', max => '1.2',
         ciphers => 'ECDHE-ECDSA-AES128-GCM-SHA256');
is($c->error || $c->cipher, 'ECDHE-ECDSA-AES128-GCM-SHA256',
   'another one has it');
$c = tls('127.0.0.1', 'unknown.test', max => '1.2',
         ciphers => 'ECDHE-ECDSA-AES128-GCM-SHA256');
is($c->error || $c->cert, 'c0', 'so has the default');

# SSLVerifyClient of a virtual host
for my $version ('1.2', '1.3') {
    my %v = (min => $version, max => $version);
    my $get = sub {
        my ($sni, %tls) = @_;
        my $r = ask_https('127.0.0.1', $sni, $sni, '/', [], %v, %tls);
        return ($r, $r->{status} || $r->{error});
    };
    my ($r, $got) = $get->('client.test', cert => 'client');
    is_vhost($r, 'client', "TLS $version: with a client certificate");
    (undef, $got) = $get->('client.test');
    like($got, qr/alert (?:40|116)|closed|reset/,
         "TLS $version: without one");
    (undef, $got) = $get->('client.test', cert => 'stranger');
    like($got, qr/alert (?:48|46)|closed|reset/,
         "TLS $version: with one of a stranger");
    ($r) = $get->('a.x.test', cert => 'stranger');
    is_vhost($r, 'n1', "TLS $version: another one does not ask");
    # A session without a certificate does not open the door of another.
    my $first = tls('127.0.0.1', 'a.x.test', %v);
    ask_raw(undef, "GET /?ID HTTP/1.1\r\nHost: a.x.test\r\n\r\n",
            client => $first);
    (undef, $got) = $get->('client.test', session => $first->session);
    like($got, qr/alert (?:40|116)|closed|reset/,
         "TLS $version: not with a session of another one");
}

# A second ClientHello: HelloRetryRequest (TLS 1.3), and a renegotiation,
# which httpd refuses (TLS 1.2).
for my $sni ('a.x.test', 'w.y.test', 'unknown.test', undef) {
    my $cert = !defined $sni || $sni =~ /unk/ ? 'c0' : 'c1';
    my $label = $cert eq 'c0' ? 'n0' : 'n1';
    my $host = defined $sni ? $sni : 'n0.test';
    my $d = tls('127.0.0.1', $sni, min => '1.3',
                groups => 'P-521:X448:P-256:X25519');
    is($d->error || $d->cert, $cert, 'many groups: ' . $host);
    is_vhost(ask_raw(undef, "GET /?ID HTTP/1.1\r\nHost: $host\r\n\r\n",
                     client => $d), $label, "a request after it: $host");
}
for my $first ('n0.test', undef) {
    my $d = tls('127.0.0.1', $first, min => '1.2', max => '1.2');
    Net::SSLeay::set_tlsext_host_name($d->{ssl}, 'a.x.test');
    Net::SSLeay::renegotiate($d->{ssl});
    Net::SSLeay::do_handshake($d->{ssl});
    my $r = ask_raw(undef, "GET / HTTP/1.1\r\nHost: unknown.test\r\n\r\n",
                    client => $d);
    ok(!$r->{status} || $r->{headers}{'x-vhost'} eq 'n0',
       'a renegotiation with another SNI changes nothing');
}
