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

# SSLVHostSNIPolicy in its four modes and SSLStrictSNIVHostCheck: mod_ssl's
# own words about a request whose virtual host is not that of the handshake.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use Sniv::Certs;
use Sniv::Client;
use Sniv::Httpd;

# v0 the default; v1 and v2 share a certificate, v2 asks for clients'
# certificates, v3 has another one, v4 another SSLProtocol, v5 no TLS
my %SPECIAL = (
    v0 => 'c0', v1 => 'shared', v2 => 'shared', v3 => 'c3', v4 => 'shared',
    v5 => undef, v6 => 'shared',
);
my %LINES = (
    v2 => "SSLVerifyClient optional\nSSLCACertificateFile "
        . Sniv::Certs::ca() . "\n",
    v4 => "SSLProtocol TLSv1.2\n",
    v6 => "SSLCipherSuite HIGH\n",
);

sub conf {
    my ($port, $alone, @lines) = @_;
    my $conf = "Listen 127.0.0.1:$port\nListen 127.0.0.2:$port\n"
        . join('', map { "$_\n" } @lines)
        . "SSLSessionCache shmcb:sessions(128000)\n";
    for my $v (sort keys %SPECIAL) {
        my $tls = $SPECIAL{$v};
        $conf .= "<VirtualHost 127.0.0.1:$port>\nServerName $v.x.test\n"
            . "Header always set X-Vhost $v\n"
            . ($tls ? "SSLEngine on\n" . Sniv::Certs::conf($tls) : '')
            . ($LINES{$v} || '') . "</VirtualHost>\n";
    }
    return $conf . "<VirtualHost 127.0.0.2:$port>\nServerName alone.test\n"
        . "Header always set X-Vhost alone\nSSLEngine on\n"
        . Sniv::Certs::conf('c4') . "$alone</VirtualHost>\n";
}

# [SNI, Host]: what the four modes say. They were asked of stock httpd.
my @pairs = (
    # SNI            Host            strict  secure  authonly insecure
    ['v1.x.test',    'v1.x.test',    200,    200,    200,     200],
    ['v1.x.test',    'v6.x.test',    421,    421,    200,     200],
    ['v1.x.test',    'v2.x.test',    421,    421,    421,     403],
    ['v1.x.test',    'v3.x.test',    421,    421,    200,     200],
    ['v1.x.test',    'v4.x.test',    421,    421,    200,     200],
    ['v1.x.test',    'v5.x.test',    421,    421,    421,     200],
    ['v1.x.test',    'v0.x.test',    421,    421,    200,     200],
    ['v1.x.test',    'unknown.test', 421,    421,    200,     200],
    ['v2.x.test',    'v1.x.test',    421,    421,    421,     200],
    ['v5.x.test',    'v5.x.test',    200,    200,    200,     200],
    ['v5.x.test',    'v1.x.test',    421,    421,    421,     200],
    [undef,          'v0.x.test',    200,    200,    200,     200],
    [undef,          'v1.x.test',    421,    421,    200,     200],
    [undef,          'v5.x.test',    421,    421,    421,     200],
    [undef,          'unknown.test', 200,    200,    200,     200],
    ['unknown.test', 'v1.x.test',    421,    421,    200,     200],
    ['unknown.test', 'unknown.test', 200,    200,    200,     200],
    ['unknown.test', 'v0.x.test',    200,    200,    200,     200],
);
my @modes = qw(strict secure authonly insecure);

# SSLStrictSNIVHostCheck: [address, SNI, Host, status, virtual host]
my @strict = (
    ['127.0.0.1', undef, 'v1.x.test', 403, 'v1'],
    ['127.0.0.1', undef, 'unknown.test', 403, 'v0'],
    ['127.0.0.1', 'unknown.test', 'unknown.test', 200, 'v0'],
    ['127.0.0.1', 'v1.x.test', 'v1.x.test', 200, 'v1'],
    ['127.0.0.2', undef, 'alone.test', 200, 'alone'],
    ['127.0.0.2', undef, 'unknown.test', 200, 'alone'],
);

# Without the directive mod_ssl is as with secure, if there is an SNI
my $without = !Sniv::Httpd::has_sni_policy();
@modes = ('built-in') if $without;

plan tests => @modes * @pairs + @strict + 3;

sub ask {
    my ($h, $addr, $sni, $host) = @_;
    my $c = Sniv::Client->new(addr => $addr, port => ($h->ports)[0],
        tls => { defined $sni ? (sni => $sni) : () });
    return $c->error if $c->error;
    my $r = $c->get($host, '/');
    return "$r->{status} " . ($r->{headers}{'x-vhost'} || '-');
}

Sniv::Certs::make();
for my $i (0 .. $#modes) {
    my $mode = $modes[$i];
    my $h = Sniv::Httpd->new(name => "policy-$mode", conf => sub {
        conf($_[0], '', $without ? () : "SSLVHostSNIPolicy $mode") });
    $h->write('htdocs/index.html', "page\n");
    $h->start;
    for my $p (@pairs) {
        my ($sni, $host, @status) = @$p;
        my $vhost = $host =~ /\A(v\d)/ ? $1 : 'v0';
      SKIP: {
            skip 'whether a check is made without SNI is the version\'s', 1
                if $without && !defined $sni && $status[1] == 421;
            is(ask($h, '127.0.0.1', $sni, $host),
               $status[$without ? 1 : $i] . " $vhost",
               "$mode: SNI " . ($sni // 'none') . ", Host $host");
        }
    }
    $h->remove;
}

{
    my $h = Sniv::Httpd->new(name => 'policy-check', conf => sub {
        conf($_[0], "SSLStrictSNIVHostCheck on\n",
             Sniv::Httpd::sni_policy_conf('insecure'),
             'SSLStrictSNIVHostCheck on') });
    $h->write('htdocs/index.html', "page\n");
    $h->start;
    for my $s (@strict) {
        my ($addr, $sni, $host, $status, $vhost) = @$s;
        is(ask($h, $addr, $sni, $host), "$status $vhost",
           "SSLStrictSNIVHostCheck at $addr: SNI "
           . (defined $sni ? $sni : 'none') . ", Host $host");
    }
    $h->remove;
}

# A second ClientHello (RFC 8446, 4.1.4): the server wants another group.
{
    my $h = Sniv::Httpd->new(name => 'policy-hrr', conf => sub {
        conf($_[0], '', 'SSLOpenSSLConfCmd Groups P-384') });
    $h->start;
    for my $sni ('v1.x.test', 'unknown.test', undef) {
        my $c = Sniv::Client->new(addr => '127.0.0.1',
            port => ($h->ports)[0], tls => { min => '1.3',
                groups => 'X25519:P-384',
                defined $sni ? (sni => $sni) : () });
        is($c->error || $c->cert,
           defined $sni && $sni =~ /v1/ ? 'shared' : 'c0',
           'after a HelloRetryRequest: SNI '
           . (defined $sni ? $sni : 'none'));
    }
    $h->remove;
}
