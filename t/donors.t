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


# Lean virtual hosts behind a first one with other TLS settings: versions,
# ciphers, DH and EC parameters, HelloRetryRequests and chains are those of
# stock httpd. Sessions and client certificates: donor_sessions.t.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Sniv::Chain qw(dh_params make_cert slurp spew);
use Sniv::Client;
use Sniv::Httpd;
use Sniv::Pair;

plan skip_all => 'without the module there is nothing to compare'
    if Sniv::Httpd::mode() eq 'off';

my $ssl = Sniv::Httpd::work() . "/donors-ssl.$$";
make_cert($ssl, 'ca', is_ca => 1);
make_cert($ssl, 'middle', is_ca => 1, ca => 'ca');
make_cert($ssl, 'first', key => 'rsa');
make_cert($ssl, $_, key => 'rsa') for qw(a b c d);
make_cert($ssl, 'issued', ca => 'middle');

sub parameters {
    my @args = @_;
    my $text = qx{openssl @args 2>/dev/null};
    die "openssl @args: $?\n" if $?;
    return $text;
}

my $DH = dh_params(3072);
my $EC = parameters('ecparam', '-name', 'prime256v1');
for my $name (qw(first a b)) {
    my $cert = slurp("$ssl/$name.crt");
    spew("$ssl/$name-dh.crt", $cert . $DH);
    spew("$ssl/$name-ec.crt", $EC . $cert);
    symlink "$name.key", "$ssl/$name-$_.key" for qw(dh ec);
}
spew("$ssl/middle-$_.crt", slurp("$ssl/middle.leaf")) for 1, 2;

sub vhost {
    my ($port, $name, $cert, @lines) = @_;
    return join "\n", "<VirtualHost *:$port>", "ServerName $name.test",
        'SSLEngine on', "SSLCertificateFile $ssl/$cert.crt",
        "SSLCertificateKeyFile $ssl/$cert.key",
        'Header always set X-Vhost ' . $name, @lines, "</VirtualHost>\n";
}

my $pair;

# Both servers with a configuration; how many are lean.
sub try_conf {
    my ($lean, $main, @vhosts) = @_;
    my $conf = sub {
        my ($port) = @_;
        return join "\n", $main, map { vhost($port, @$_) } @vhosts;
    };
    if ($pair) {
        $pair->reconf(conf => $conf);
    }
    else {
        $pair = Sniv::Pair->new(name => 'donors', conf => $conf,
                                extra => "SNIVHostAdopt On\n");
    }
    $pair->start;
    my ($is) = $pair->log('ours') =~ /SNIV0202: adopted (\d+) of/;
    is($is, $lean, "$lean of @{[ scalar @vhosts ]} are lean");
    return;
}

sub seen {
    my ($c, $name) = @_;
    return $c->error if $c->error;
    my $r = $c->get("$name.test");
    return join ' ', $c->version, $c->cipher, $c->resumed, $c->chain,
        $r->{status}, $r->{headers}{'x-vhost'} // '-';
}

# The same answer to each client; returns how many handshakes stock did.
sub compare {
    my ($what, @names) = @_;
    my @clients = (
        map({ { min => $_, max => $_, ciphers => 'ALL:@SECLEVEL=0' } }
            '1.0', '1.1', '1.2'),
        { min => '1.3' }, {},
        { min => '1.3', groups => 'P-521:X25519' }, { groups => 'P-384' },
        map { { max => '1.2', ciphers => $_ } }
            qw(DHE-RSA-AES128-GCM-SHA256 AES128-SHA ECDHE-RSA-AES128-SHA
               ECDHE-RSA-AES256-GCM-SHA384:AES128-GCM-SHA256),
    );
    my $served = 0;
    for my $name (@names) {
        my (undef, $stock) = $pair->same("$what: $name", sub {
            my ($addr, $port) = @_;
            return join "\n", map {
                seen(Sniv::Client->new(addr => $addr, port => $port,
                     tls => { %$_, sni => "$name.test" }), $name)
            } @clients;
        });
        $served += () = $stock =~ /^1\.\d /mg;
    }
    cmp_ok($served, '>', 0, "$what: stock httpd serves some");
    return;
}

# ----- versions

# Every range of versions in the first one, every range in a site, a client of
# every version. OpenSSL refuses what is below the first one's lower limit
# before it asks: sites that allow lower versions are left to mod_ssl.
my $OLD = 'SSLCipherSuite ALL:@SECLEVEL=0';
my @VERSIONS = qw(TLSv1 TLSv1.1 TLSv1.2 TLSv1.3);
my @RANGES = map { my $low = $_; map { [$low, $_] } $low .. 3 } 0 .. 3;
make_cert($ssl, "r$_->[0]-$_->[1]", key => 'rsa') for @RANGES;

sub protocols {
    my ($range) = @_;
    return 'SSLProtocol ' . join ' ', map { "+$_" }
        @VERSIONS[$range->[0] .. $range->[1]];
}

for my $first (@RANGES) {
    my @sites = map { ["r$_->[0]-$_->[1]", "r$_->[0]-$_->[1]", protocols($_)] }
        @RANGES;
    try_conf(scalar(grep { $_->[0] >= $first->[0] } @RANGES), $OLD,
             ['first', 'first', protocols($first)], @sites);
    my $served = 0;
    for my $name ('first', (map { $_->[0] } @sites), 'unknown') {
        my (undef, $stock) = $pair->same(
            "@{[ protocols($first) ]} in the first one: $name", sub {
                my ($addr, $port) = @_;
                return join "\n", map {
                    my $c = Sniv::Client->new(addr => $addr, port => $port,
                        tls => { %$_, sni => "$name.test",
                                 ciphers => 'ALL:@SECLEVEL=0' });
                    $c->error || join ' ', $c->version, $c->cert;
                } map({ { min => $_, max => $_ } } qw(1.0 1.1 1.2 1.3)), {};
            });
        $served += () = $stock =~ /^1\.\d /mg;
    }
    cmp_ok($served, '>', 20, 'stock httpd serves some');
    $pair->stop;
}

# ----- ciphers and options: two donors

try_conf(3, '', ['first', 'first', 'SSLCipherSuite HIGH'],
    ['a', 'a', 'SSLCipherSuite AES128-SHA:DHE-RSA-AES128-GCM-SHA256',
     'SSLHonorCipherOrder on'],
    ['b', 'b', 'SSLCipherSuite AES128-SHA:DHE-RSA-AES128-GCM-SHA256:AES128-SHA',
     'SSLHonorCipherOrder On', 'SSLProtocol TLSv1.2'],
    ['c', 'c', 'SSLCipherSuite HIGH:!aNULL', 'SSLSessionTickets on'],
    ['d', 'd', 'SSLCipherSuite HIGH', 'Protocols h2 http/1.1']);
compare('two donors', qw(first a b c d));
for my $name (qw(a b c d)) {
    $pair->same("ALPN: $name", sub {
        my ($addr, $port) = @_;
        my $c = Sniv::Client->new(addr => $addr, port => $port, tls => {
            sni => "$name.test", alpn => ['h2', 'http/1.1'] });
        return $c->error || $c->alpn // '-';
    });
}
$pair->stop;

# ----- DH and EC parameters in every position

# Two of them share what is in the first one's file, or the file of another.
for my $first ('first', 'first-dh', 'first-ec') {
    try_conf(2, '', ['first', $first], ['a', 'a-dh'], ['b', 'b-ec'],
             ['c', 'c'], ['d', 'd']);
    compare("parameters, $first", qw(first a b c d));
    $pair->stop;
}
spew("$ssl/dh.pem", $DH);
try_conf(2, "SSLOpenSSLConfCmd DHParameters $ssl/dh.pem",
         ['first', 'first'], ['a', 'a'], ['b', 'b']);
compare('DHParameters', qw(first a b));
$pair->stop;

# ----- the chain from SSLCACertificateFile

try_conf(1, '', ['first', 'first', "SSLCACertificateFile $ssl/ca.crt"],
    ['a', 'a'],
    map { [$_, 'issued', "SSLCACertificateFile $ssl/middle-$_.crt"] } 1, 2);
compare('chain, not that of the first one', qw(first a 1 2));
$pair->stop;
try_conf(2, '', ['first', 'issued', "SSLCACertificateFile $ssl/middle-1.crt"],
    map { [$_, 'issued', "SSLCACertificateFile $ssl/middle-$_.crt"] } 1, 2);
compare('chain', qw(first 1 2));
my (undef, $chain) = $pair->same('the chain is sent', sub {
    my ($addr, $port) = @_;
    return join ' ', Sniv::Client->new(addr => $addr, port => $port,
        tls => { sni => '2.test' })->chain;
});
is($chain, 'issued middle', 'stock sends it');
$pair->stop;

# ----- a renewed certificate whose chain is in the CA files

# Without a restart a client gets what stock httpd sends after one.
make_cert($ssl, 'second', is_ca => 1, ca => 'ca');
my %new = (both => 'second', leaf => 'second', same => 'middle',
           path => 'second', none => 'second');
for my $name (sort keys %new) {
    make_cert($ssl, "$name-$_", names => ["$name.test"],
              ca => $_ eq 'new' ? $new{$name} : 'middle') for qw(old new);
    spew("$ssl/$name.$_", slurp("$ssl/$name-old.$_")) for qw(crt key);
    spew("$ssl/ca-$name.crt", slurp("$ssl/middle.leaf"));
}
mkdir "$ssl/cas";
spew("$ssl/cas/1.pem", slurp("$ssl/middle.leaf"));
parameters('rehash', "$ssl/cas");
my @path = ("SSLCACertificatePath $ssl/cas");
try_conf(5, '', ['first', 'first', "SSLCACertificateFile $ssl/middle-1.crt"],
    map({ [$_, $_, "SSLCACertificateFile $ssl/ca-$_.crt"] }
        qw(both leaf same)),
    ['donor', 'a', @path], ['path', 'path', @path],
    ['donor2', 'a', 'SSLCipherSuite HIGH'],
    ['none', 'none', 'SSLCipherSuite HIGH']);

sub chains {
    my ($what, %expected) = @_;
    for my $name (sort keys %new) {
        my (undef, $seen) = $pair->same("$what: $name", sub {
            my ($addr, $port) = @_;
            my $c = Sniv::Client->new(addr => $addr, port => $port,
                                      tls => { sni => "$name.test" });
            return $c->error || join ' ', $c->chain;
        });
        is($seen, $expected{$name}, "stock httpd, $what: $name");
    }
    return;
}
chains('before', none => 'none-old', map { ($_ => "$_-old middle") }
       qw(both leaf same path));
spew("$ssl/ca-both.crt", slurp("$ssl/second.leaf") . slurp("$ssl/ca.leaf"));
spew("$ssl/cas/2.pem", slurp("$ssl/second.leaf"));
parameters('rehash', "$ssl/cas");
for my $name (sort keys %new) {
    spew("$ssl/$name.$_", slurp("$ssl/$name-new.$_")) for qw(key crt);
}
for my $name (sort keys %new) {
    ok($pair->server('ours')->wait_for_log('error.log',
           qr/SNIV0305: .*\Q$name\E\.crt is renewed/, 90), "renewed: $name");
}
$pair->restart('stock');
chains('renewed', none => 'none-new', both => 'both-new second ca',
       leaf => 'leaf-new', same => 'same-new middle',
       path => 'path-new second');
my @lost = $pair->log('ours') =~ m{SNIV0302: .*/(\w+)\.crt has another issuer}g;
is("@lost", 'leaf', 'the one whose issuer is nowhere is logged');
$pair->stop;

done_testing;
