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

# HTTP/2: which virtual host answers each stream, and who decides whether
# HTTP/2 is spoken at all.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use Sniv::Suite;

# [what, server name, authority, virtual host, status]
my @cases = (
    ['the default',              'n0.test',      'n0.test',      'n0', 200],
    ['a ServerName',             'a.x.test',     'a.x.test',     'n1', 200],
    ['an alias',                 'alias1.test',  'alias1.test',  'n1', 200],
    ['upper case',               'B.X.TEST',     'B.X.TEST',     'n2', 200],
    ['a glob',                   'w.y.test',     'w.y.test',     'n1', 200],
    ['two names of one host',    'a.x.test',     'w.y.test',     'n1', 200],
    ['an earlier glob beats a later name', 'c.y.test', 'c.y.test', 'n1',
     200],
    ['a later glob',             'r.x.test',     's.x.test',     'n6', 200],
    ['unknown',                  'unknown.test', 'unknown.test', 'n0', 200],
    ['no SNI, the default',      undef,          'n0.test',      'n0', 200],
    ['no SNI, another',          undef,          'a.x.test',     'n1', 421],
    ['authority with a port',    'b.x.test',     'b.x.test:123', 'n2', 200],
    ['authority with a dot',     'b.x.test',     'b.x.test.',    'n2', 200],
    ['authority of another',     'a.x.test',     'b.x.test',     'n2', 421],
    ['unknown authority',        'a.x.test',     'unknown.test', 'n0', 421],
    ['unknown SNI, known authority', 'unknown.test', 'b.x.test', 'n2', 421],
    ['an IP address',            '127.0.0.1',    '127.0.0.1',    'n0', 200],
    ['bad authority',            'a.x.test',     'b!ad',         'n0', 400],
);

# [server name, protocols offered, protocol chosen]: the SNI's vhost decides.
# mod_ssl answers http/1.1 to a client that has not offered it, and a client
# with OpenSSL 1.1.1 takes it.
my @alpn = (
    ['a.x.test', ['h2', 'http/1.1'], 'h2'],
    ['a.x.test', ['http/1.1'],       'http/1.1'],
    ['rsa.test', ['h2', 'http/1.1'], 'http/1.1'],
    ['rsa.test', ['h2'], `openssl version` =~ /\AOpenSSL 1\./
         ? 'http/1.1' : 'bad extension'],
    ['unknown.test', ['h2'],         'h2'],
    [undef,      ['h2', 'http/1.1'], 'h2'],
    ['tls12.test', ['h2', 'http/1.1'], 'h2'],
);

# Streams of one connection with SNI a.x.test
my @streams = (['a.x.test', 'n1', 200], ['w.y.test', 'n1', 200],
               ['b.x.test', 'n2', 421], ['unknown.test', 'n0', 421],
               ['alias1.test', 'n1', 200], ['n0.test', 'n0', 421]);

plan $Sniv::H2::WHY_NOT ? (skip_all => $Sniv::H2::WHY_NOT)
    : (tests => @cases * 2 + @alpn + 2 * @streams + 6 + @streams);

for my $ip ('127.0.0.1', '::1') {
    SKIP: {
        skip 'no ::1 on this machine', scalar @cases
            if $ip eq '::1' && !Sniv::Httpd::has_ipv6();
        for my $case (@cases) {
            my ($what, $sni, $authority, $label, $status) = @$case;
          SKIP: {
                skip "$Sniv::Httpd::WHY_NO_SNI_POLICY: 421 without SNI is "
                     . 'uncertain', 1
                    if !defined $sni && $status == 421
                       && !Sniv::Httpd::has_sni_policy();
                is_vhost(ask_h2($ip, $sni, $authority), $label,
                         "$ip: $what", $status);
            }
        }
    }
}

for my $case (@alpn) {
    my ($sni, $offered, $chosen) = @$case;
    my $c = tls('127.0.0.1', $sni, alpn => $offered);
    my $got = $c->error || $c->alpn || '-';
    is($got, $chosen, 'ALPN ' . join(' ', @$offered) . ' at '
       . (defined $sni ? $sni : 'no SNI'));
}

# One after the other, then all together
{
    my $h2 = Sniv::H2->new(tls('127.0.0.1', 'a.x.test', alpn => ['h2']));
    for my $s (@streams) {
        is_vhost(stream($h2, $s->[0]), @$s[1], "stream for $s->[0]",
                 $s->[2]);
    }
    my (@ids, @numbers);
    for my $s (@streams) {
        my $id = new_id();
        push @numbers, $id;
        push @ids, $h2->send_get($s->[0], "/?$id");
    }
    my @r = $h2->wait(@ids);
    for my $i (0 .. $#streams) {
        $r[$i]{id} = $numbers[$i];
        is_vhost($r[$i], $streams[$i][1],
                 "together: stream for $streams[$i][0]", $streams[$i][2]);
    }
}

sub stream {
    my ($h2, $authority, @more) = @_;
    my $id = new_id();
    my $r = $h2->get($authority, "/?$id", @more);
    $r->{id} = $id;
    return $r;
}

# Refused before any module is asked, but after core looked at the name
{
    my $h2 = Sniv::H2->new(tls('127.0.0.1', 'a.x.test', alpn => ['h2']));
    is_vhost(stream($h2, 'w.y.test', expect => 'junk'), 'n1',
             'bad expect: the chosen one', 417);
    $h2 = Sniv::H2->new(tls('127.0.0.1', 'a.x.test', alpn => ['h2']));
    my $r = $h2->wait($h2->send_fields([':method' => 'GET',
        ':scheme' => 'https', ':path' => '/', host => 'a.x.test']));
    is("$r->{status} $r->{headers}{'x-vhost'}", '200 n1',
       'host instead of :authority');
    $r = $h2->wait($h2->send_fields([':method' => 'BREW',
        ':scheme' => 'https', ':authority' => 'a.x.test', ':path' => '/']));
    is("$r->{status} $r->{headers}{'x-vhost'}", '501 n1', 'unknown method');
}

# Without TLS: by prior knowledge and by upgrade
{
    my $h2 = Sniv::H2->new(http('127.0.0.1'));
    my @plain = (['a.x.test', 'n1', 200], ['b.x.test', 'n2', 200],
                 ['unknown.test', 'n0', 200]);
    for my $s (@plain) {
        is_vhost(stream($h2, $s->[0]), $s->[1], "h2c: $s->[0]", $s->[2]);
    }
    for my $s (@streams) {
        my $c = http('127.0.0.1');
        my $id = new_id();
        $c->send("GET /?$id HTTP/1.1\r\nHost: $s->[0]\r\nConnection: Upgrade"
            . ", HTTP2-Settings\r\nUpgrade: h2c\r\n"
            . "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n");
        my $r = $c->response;
        if ($r->{status} eq '101') {
            $r = Sniv::H2->new($c)->wait(1);
        }
        is_vhost($r, $s->[1], "upgrade to h2c: $s->[0]");
    }
}
