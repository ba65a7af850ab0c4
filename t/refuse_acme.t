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

# SNIVHostUnknownSNI refuse beside mod_md: a handshake for acme-tls/1 (RFC
# 8737) passes if mod_md has an answer to the challenge, and shows that answer
# and nothing else. Everything else is one kind of refusal.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Test::More;

use Sniv::Certs;
use Sniv::Client;
use Sniv::Hello;
use Sniv::Httpd;

plan skip_all => 'these directives are the module\'s own'
    if Sniv::Httpd::mode() ne 'on';
plan skip_all => 'no mod_md'
    if !-e Sniv::Httpd::apxs('LIBEXECDIR') . '/mod_md.so';
Sniv::Certs::make();

my $ACME = ['acme-tls/1'];
my ($h, $port);

sub start {
    my (%arg) = @_;
    $h = Sniv::Httpd->new(name => 'refuse-acme', mode => 'on',
        modules => ['watchdog', 'md'], loglevel => 'warn snivhost:info',
        conf => sub {
        my ($https) = @_;
        return "Listen 127.0.0.1:$https\n"
            . Sniv::Httpd::sni_policy_conf('insecure')
            . "SNIVHostUnknownSNI refuse\n"
            . 'Protocols ' . ($arg{protocols} // 'h2 http/1.1 acme-tls/1')
            . "\nMDStoreDir md\n<MDomainSet managed.test>\n"
            . "MDMember manual\nMDRenewMode manual\n"
            . "MDCertificateAuthority http://127.0.0.1:1/\n</MDomainSet>\n"
            . "<Location /status>\nSetHandler snivhost-status\n</Location>\n"
            . join '', map {
                "<VirtualHost 127.0.0.1:$https>\nServerName v$_.test\n"
                . "SSLEngine on\n" . Sniv::Certs::conf("c$_")
                . "</VirtualHost>\n"
            } 0, 1;
    })->start;
    ($port) = $h->ports;
    # mod_md takes a certificate for the challenge from its store
    for my $what ([Sniv::Certs::crt('c5'), 'pubcert'],
                  [Sniv::Certs::key('c5'), 'privkey']) {
        open my $in, '<', $what->[0] or die "$what->[0]: $!\n";
        local $/;
        $h->write("md/challenges/managed.test/acme-tls-alpn-01-$what->[1]"
                  . '.pem', scalar <$in>);
    }
    system 'chmod', '-R', 'a+rX', $h->dir . '/md';
    return;
}

sub client {
    my ($sni, %tls) = @_;
    my $version = delete $tls{version} || '1.3';
    return Sniv::Client->new(addr => '127.0.0.1', port => $port,
        tls => { sni => $sni, min => $version, max => $version, %tls });
}

sub shown {
    my $c = client(@_);
    my $result = $c->error || $c->cert;
    $c->close;
    return $result;
}

# A session of a known name, and the server's counters. A client forgets a
# session when a handshake with it is refused: one for each.
sub known {
    my ($version, @tls) = @_;
    my $c = client('v0.test', version => $version, @tls);
    my $r = $c->get('v0.test', '/status?format=json');
    my $session = $c->session;
    $c->close;
    return ($session, JSON::PP::decode_json($r->{body})->{counters});
}

start();
my (undef, $before) = known('1.3');
my $refused = 0;
sub refused {
    my ($what, @client) = @_;
    is(shown(@client), 'alert 112', $what);
    $refused++;
    return;
}

for my $version ('1.2', '1.3') {
    my $c = client('v0.test', version => $version,
                   session => (known($version))[0]);
    ok($c->resumed, "a session can be resumed, TLS $version");
    $c->close;
}
refused('no challenge', 'evil.test', alpn => $ACME);
refused('no challenge, TLS 1.2', 'evil.test', alpn => $ACME,
        version => '1.2');
refused('a challenge, but TLS 1.2', 'managed.test', alpn => $ACME,
        version => '1.2');
refused('a challenge, and other protocols too', 'managed.test',
        alpn => ['acme-tls/1', 'h2']);
refused('a challenge, and another protocol', 'managed.test', alpn => ['h2']);
refused('a challenge, and no protocol', 'managed.test');
for my $name (qw(evil.test managed.test)) {
    for my $version ('1.2', '1.3') {
        for my $tickets (0, 1) {
            refused("$name, session of a known name, TLS $version, "
                    . ($tickets ? 'ticket' : 'id'), $name,
                    alpn => $ACME, version => $version,
                    session => (known($version, tickets => $tickets))[0]);
        }
        refused("$name, session of a known name, no protocol, TLS $version",
                $name, version => $version, session => (known($version))[0]);
    }
}
refused('after a HelloRetryRequest', 'evil.test', alpn => $ACME,
        groups => 'P-521:X25519');
is(shown('managed.test', alpn => $ACME), 'c5', 'a challenge is answered');
is(shown('managed.test', alpn => $ACME, groups => 'P-521:X25519'), 'c5',
   '... after a HelloRetryRequest');
is(shown('v0.test', alpn => $ACME), 'c0', 'a known name is as in httpd');
{
    my $c = client('managed.test', alpn => $ACME);
    is($c->alpn, 'acme-tls/1', 'the protocol of the challenge');
    $c->send("GET /status HTTP/1.1\r\nHost: v0.test\r\n\r\n");
    is($c->rest, '', 'no request is served');
    my $session = $c->session;
    $c->close;
    my $again = client('managed.test', alpn => $ACME, session => $session);
    ok(!$again->resumed, 'nor is its session resumed');
    is($again->cert, 'c5', '... the certificate is shown again');
    $again->close;
    $again = client('v0.test', session => $session);
    ok(!$again->resumed, '... nor for a known name');
    $again->close;
}
{
    my $c = client('managed.test', alpn => $ACME);
    $c->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    is($c->rest, '', 'no HTTP/2 either');
    $c->close;
}

my (undef, $after) = known('1.3');
is($after->{RefusedSniUnknown} - $before->{RefusedSniUnknown}, $refused,
   'each refusal is counted');
like($h->read('error.log'),
     qr/SNIV0601: [^\n]* 127\.0\.0\.1:\d+ has the name 'evil\.test'/,
     'and logged, with the name');
$h->stop;

start(protocols => 'h2 http/1.1');
is(shown('managed.test', alpn => $ACME), 'alert 112',
   'the protocol is not in Protocols');
is(shown('v0.test', alpn => ['h2']), 'c0', 'known names are served');
$h->stop;

done_testing();
