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

# The handshake and the requests on it: which certificate, which virtual
# host, what SSLVHostSNIPolicy (secure, the default) makes of the two.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use Sniv::Suite;

# [rule, server name or undef, certificate]
my @handshakes = (
    ['SNI of the default',                    'n0.test',      'c0'],
    ['SNI is a ServerName',                   'a.x.test',     'c1'],
    ['SNI is an alias',                       'alias1.test',  'c1'],
    ['SNI is an alias in upper case',         'alias2.test',  'c1'],
    ['SNI in upper case',                     'B.X.TEST',     'c2'],
    ['SNI matches a glob',                    'w.y.test',     'c1'],
    ['SNI matches a glob over dots',          'u.v.y.test',   'c1'],
    ['SNI matches a glob in the middle',      'good.z.test',  'c2'],
    ['SNI matches a glob with ?',             'x.q.test',     'c2'],
    ['an earlier glob beats a later name',    'c.y.test',     'c1'],
    ['an earlier name beats a later alias',   'a.x.test',     'c1'],
    ['an earlier name beats a later glob',    'b.x.test',     'c2'],
    ['a later glob takes the rest',           'r.x.test',     'c6'],
    ['ServerName as a URL',                   's.x.test',     'c6'],
    ['unknown SNI: the default',              'unknown.test', 'c0'],
    ['no SNI: the default',                   undef,          'c0'],
    ['an IP address as SNI matches nobody',   '127.0.0.1',    'c0'],
    ['a trailing dot is not stripped',        'b.x.test.',    'c0'],
    ['ServerName with a dot, SNI with it',    'dot.test.',    'c5'],
    ['ServerName with a dot, SNI without',    'dot.test',     'c0'],
    ['alias with a dot, SNI with it',         'slash.test.',  'c4'],
    ['the text of <VirtualHost> is no SNI',   'localhost',    'c0'],
    ['SNI of a virtual host without TLS',     'plain.test',   'c0'],
    ['SNI for another certificate type',      'rsa.test',     'rsa'],
    ['a name of another address',             'tls2.test',    'c0'],
    ['a long name', join('.', ('l' x 60) x 4) . '.y.test',    'c1'],
);

# [what, server name, Host, path, virtual host, status]
my @requests = (
    ['SNI and Host of the default', 'n0.test', 'n0.test', '/', 'n0', 200],
    ['SNI and Host of another', 'a.x.test', 'a.x.test', '/', 'n1', 200],
    ['two names of one virtual host', 'alias1.test', 'w.y.test', '/', 'n1',
     200],
    ['SNI and Host by glob', 'q.x.test', 'r.x.test', '/', 'n6', 200],
    ['SNI and Host by IP address', '127.0.0.1', '127.0.0.1', '/', 'n0', 200],
    ['unknown SNI and Host', 'unknown.test', 'unknown.test', '/', 'n0', 200],
    ['SNI unknown, Host another unknown one', 'x.test', 'y1.test', '/',
     'n0', 200],
    ['Host with a trailing dot', 'b.x.test', 'b.x.test.', '/', 'n2', 200],
    ['Host with a port', 'b.x.test', 'b.x.test:1', '/', 'n2', 200],
    ['SNI and Host differ', 'a.x.test', 'b.x.test', '/', 'n2', 421],
    ['SNI known, Host unknown', 'a.x.test', 'unknown.test', '/', 'n0', 421],
    ['SNI unknown, Host known', 'unknown.test', 'b.x.test', '/', 'n2', 421],
    ['no SNI, Host of the default', undef, 'n0.test', '/', 'n0', 200],
    ['no SNI, Host unknown', undef, 'unknown.test', '/', 'n0', 200],
    ['no SNI, Host of another', undef, 'a.x.test', '/', 'n1', 421],
    ['SNI of a host without TLS, with its Host', 'plain.test', 'plain.test',
     '/', 'plain', 200],
    ['SNI of a host without TLS, another Host', 'plain.test', 'a.x.test',
     '/', 'n1', 421],
    ['Host of a host without TLS', 'a.x.test', 'plain.test', '/', 'plain',
     421],
    ['SNI with a dot, Host with it is another', 'dot.test.', 'dot.test.',
     '/', 'n0', 421],
    ['SNI in upper case, Host in lower', 'A.X.TEST', 'a.x.test', '/', 'n1',
     200],
    ['not found', 'a.x.test', 'a.x.test', '/none', 'n1', 404],
    ['bad Host: 400 from the default', 'a.x.test', 'a/b', '/', 'n0', 400],
);

# [what, server name, request, virtual host, status]
my $end = "Connection: close\r\n\r\n";
my @raw = (
    ['SNI and no Host on 1.0: 400 from the default', 'a.x.test',
     "GET /?ID HTTP/1.0\r\n\r\n", 'n0', 400],
    ['SNI and no Host on 1.0, with a ServerPath', 'a.x.test',
     "GET /sp8/?ID HTTP/1.0\r\n\r\n", 'n4', 400],
    ['no SNI, no Host, ServerPath of another: the policy', undef,
     "GET /sp1/?ID HTTP/1.0\r\n\r\n", 'n1', 421],
    ['no SNI and no Host', undef, "GET /?ID HTTP/1.0\r\n\r\n", 'n0', 200],
    ['SNI and no Host on 1.1', 'a.x.test', "GET /?ID HTTP/1.1\r\n$end",
     'n0', 400],
    ['SNI and a bad Expect', 'a.x.test',
     "GET /?ID HTTP/1.1\r\nHost: a.x.test\r\nExpect: x\r\n$end", 'n1', 417],
    ['SNI and a bad request line', 'a.x.test',
     "GET /?ID x HTTP/1.1\r\nHost: a.x.test\r\n$end", 'n0', 400],
    ['SNI and a bad header', 'a.x.test',
     "GET /?ID HTTP/1.1\r\nHost: a.x.test\r\nX Y: z\r\n$end", 'n0', 400],
    ['SNI and an absolute URI', 'a.x.test',
     "GET https://a.x.test/?ID HTTP/1.1\r\nHost: b.x.test\r\n$end", 'n1',
     200],
    ['SNI and an absolute URI of another', 'a.x.test',
     "GET https://b.x.test/?ID HTTP/1.1\r\nHost: a.x.test\r\n$end", 'n2',
     421],
);

my @ips = ('127.0.0.1', '::1');
my @versions = ('1.2', '1.3');
plan tests => @ips * @versions * 21 + 2 * @versions * 5 + 2 * @requests
    + @raw + 1 + 3 + 1 + 3 + 2;

for my $ip (@ips) {
    for my $version (@versions) {
        # The names that are for 127.0.0.1 only come last.
        for my $h (@handshakes[0 .. 20]) {
            handshake($ip, $version, $h);
        }
    }
}
for my $version (@versions) {
    handshake('127.0.0.1', $version, $_) for @handshakes[21 .. 25];
    # In a set of one nobody looks at the name.
    for my $sni (undef, 'tls2.test', 'a.x.test', 'unknown.test',
                 '127.0.0.2') {
        my $c = tls('127.0.0.2', $sni, max => $version);
        is($c->error || $c->cert . ' ' . $c->version, "c2 $version",
           "TLS $version, IP-based, SNI " . (defined $sni ? $sni : 'none'));
    }
}

sub handshake {
    my ($ip, $version, $h) = @_;
    my ($rule, $sni, $cert) = @$h;
    SKIP: {
        skip 'no ::1 on this machine', 1
            if $ip eq '::1' && !Sniv::Httpd::has_ipv6();
        my $c = tls($ip, $sni, max => $version);
        is($c->error || $c->cert . ' ' . $c->version, "$cert $version",
           "$ip, TLS $version: $rule");
    }
    return;
}

for my $version (@versions) {
    for my $r (@requests) {
        my ($what, $sni, $host, $path, $label, $status) = @$r;
      SKIP: {
            skip_without_sni($sni, $status);
            is_vhost(ask_https('127.0.0.1', $sni, $host, $path, [],
                               max => $version),
                     $label, "TLS $version: $what", $status);
        }
    }
}

for my $r (@raw) {
    my ($what, $sni, $bytes, $label, $status) = @$r;
  SKIP: {
        skip_without_sni($sni, $status);
        is_vhost(ask_raw('127.0.0.1', $bytes,
                         client => tls('127.0.0.1', $sni)),
                 $label, $what, $status);
    }
}

# In a SKIP block: not all versions of mod_ssl check requests without SNI.
sub skip_without_sni {
    my ($sni, $status) = @_;
    skip "$Sniv::Httpd::WHY_NO_SNI_POLICY: 421 without SNI is uncertain", 1
        if !defined $sni && $status == 421 && !Sniv::Httpd::has_sni_policy();
    return;
}

# What the log says about TLS is the chosen one's, too.
{
    my $log = logged(ask_https('127.0.0.1', 'a.x.test', 'a.x.test', '/', [],
                               max => '1.3'));
    is("$log->{v} $log->{p} $log->{sni} $log->{tls} $log->{cn}",
       'a.x.test 443 a.x.test TLSv1.3 c1', 'SSL_* variables in the log');
}

# Plain HTTP on a TLS port: the default refuses, whatever Host says.
for my $host ('a.x.test', 'b.x.test', 'unknown.test') {
    my $r = ask_http('127.0.0.1', $host, '/', [], port => port_https());
    delete $r->{id};            # mod_ssl logs it as a request of its own
    is_vhost($r, 'n0', "plain HTTP for $host on the TLS port", 400);
}
# TLS on a plain port is a bad request line
like(tls('127.0.0.1', 'a.x.test')->error || 'none', qr/none/,
     'TLS on the TLS port');
for my $port (port_http(), port_other()) {
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $port,
                              tls => { sni => 'a.x.test' });
    like($c->error, qr/wrong version|packet length/,
         "TLS on port $port, which is plain");
}
# A keep-alive connection that changes Host
{
    my $c = tls('127.0.0.1', 'a.x.test');
    for (['a.x.test', 'n1', 200], ['w.y.test', 'n1', 200],
         ['b.x.test', 'n2', 421]) {
        my ($host, $label, $status) = @$_;
        is_vhost(ask_raw('127.0.0.1', "GET /?ID HTTP/1.1\r\nHost: $host\r\n"
                         . "\r\n", client => $c), $label,
                 "keep-alive with SNI a.x.test: $host", $status);
    }
}
