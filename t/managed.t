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


# Next to mod_md: names that it manages are lean, with the certificates of its
# directives and of its store, its challenges and temporary certificates, and
# what a client sees is as without the module.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Sniv::Chain qw(make_cert slurp spew);
use Sniv::Client;
use Sniv::Httpd;
use Sniv::Pair;

plan skip_all => 'without the module there is nothing to compare'
    if Sniv::Httpd::mode() eq 'off';

plan skip_all => 'this httpd has no mod_md'
    if !-e Sniv::Httpd::apxs('LIBEXECDIR') . '/mod_md.so';

my $ssl = Sniv::Httpd::work() . "/managed-ssl.$$";
make_cert($ssl, 'ca', is_ca => 1);
make_cert($ssl, $_) for qw(first static own ec challenge);
make_cert($ssl, 'rsa', key => 'rsa');
make_cert($ssl, $_, ca => 'ca', chain => ['ca'],
          names => ["$_.test", "www.$_.test"]) for qw(stored both);
make_cert($ssl, 'renewed', ca => 'ca', chain => ['ca'],
          names => ['stored.test', 'www.stored.test']);

my $OWN = "SSLCertificateFile $ssl/%s.crt\nSSLCertificateKeyFile $ssl/%s.key\n";
my %own = (first => ['first'], own => ['rsa'], plain => ['own']);
my @names = qw(first static stored www.both both own empty plain);
my $engine = 'SSLEngine on';
my $lines = '';

sub conf {
    my ($port) = @_;
    my $conf = <<"END";
Protocols h2 http/1.1 acme-tls/1
MDStoreDir md
MDRenewMode manual
MDRequireHttps off
<MDomain static.test>
    MDCertificateFile $ssl/static.crt
    MDCertificateKeyFile $ssl/static.key
</MDomain>
<MDomain own.test>
    MDCertificateFile $ssl/ec.crt
    MDCertificateKeyFile $ssl/ec.key
</MDomain>
MDomain stored.test
MDomain both.test www.both.test
MDomain empty.test
$lines
END
    for my $name (@names) {
        $conf .= "<VirtualHost *:$port>\nServerName $name.test\n"
            . ($name eq 'first' ? 'SSLEngine on' : $engine)
            . "\nHeader always set X-Vhost $name\n"
            . join('', map { sprintf $OWN, $_, $_ } @{ $own{$name} || [] })
            . ($name eq 'stored' ? "ServerAlias www.stored.test\n" : '')
            . "</VirtualHost>\n";
    }
    return $conf;
}

sub fill {
    my ($server, $name, $cert, $group) = @_;
    my $dir = ($group || 'domains') . "/$name.test";
    $server->write("md/$dir/pubcert.pem", slurp("$ssl/$cert.crt"));
    $server->write("md/$dir/privkey.pem", slurp("$ssl/$cert.key"));
    return;
}

my $pair = Sniv::Pair->new(name => 'managed', conf => \&conf,
    extra => "SNIVHostAdopt On\nLogLevel snivhost:debug\n",
    modules => ['watchdog', 'md']);
for my $server (map { $pair->server($_) } qw(stock ours)) {
    fill($server, $_, $_) for qw(stored both);
}
$pair->start;

sub lean { return $pair->log('ours') =~ /SNIV0202: adopted (\d+) of (\d+)/; }
is(join(' of ', lean()), '6 of 8', 'all but two are lean');
like($pair->log('ours'),
     qr/SNIV0203: not lean: virtual host empty\.test .*: mod_md has no certificate for it yet/,
     'one has no certificate yet');

sub ask {
    my ($addr, $port, $name, %tls) = @_;
    my $c = Sniv::Client->new(addr => $addr, port => $port,
                              tls => { sni => "$name.test", %tls });
    return $c->error if $c->error;
    my $r = $c->get("$name.test");
    return join ' ', $c->version, $c->cipher, $c->chain, $r->{status},
        $r->{headers}{'x-vhost'} // '-';
}

sub compare {
    my ($what, @asked) = @_;
    my %of;
    for my $name (@asked) {
        (undef, $of{$name}) = $pair->same("$what: $name", sub {
            my ($addr, $port) = @_;
            return join "\n", map { ask($addr, $port, $name, %$_) } {},
                { max => '1.2' },
                { max => '1.2', ciphers => 'ECDHE-RSA-AES128-GCM-SHA256' },
                { max => '1.2', ciphers => 'ECDHE-ECDSA-AES128-GCM-SHA256' };
        });
    }
    return \%of;
}
my $of = compare('certificate', @names, 'www.stored', 'unknown');
like($of->{static}, qr/ static 404 /, 'of MDCertificateFile');
like($of->{stored}, qr/ stored ca 404 /, 'of the store');
like($of->{own}, qr/RSA\S* rsa .* ec /s, 'of both');
like($of->{empty}, qr/Fallback 503 /, 'a temporary one');

# Its files are not known under -t, also where others are written.
for my $name (qw(own stored)) {
    my (undef, $said) = $pair->server('ours')->check('-t', '-c',
        'SNIVHostExplain ' . $pair->addr('ours') . ':' . $pair->port
        . " sni=$name.test");
    $said =~ s/\s+/ /g;
    like($said, qr/of $name\.test \(\S+\); it cannot be described: mod_md provides the certificate when the server runs/,
         "httpd -t explains $name");
}

# ----- 421

for my $policy ('', Sniv::Httpd::has_sni_policy()
                ? qw(strict secure authonly insecure) : ()) {
    if ($policy) {
        $lines = "SSLVHostSNIPolicy $policy\n";
        $pair->stop;
        $pair->reconf->start;
    }
    for my $sni (qw(first static stored both own)) {
        my (undef, $seen) = $pair->same("policy $policy, connection of $sni", sub {
            my ($addr, $port) = @_;
            return join ' ', map {
                my $c = Sniv::Client->new(addr => $addr, port => $port,
                                          tls => { sni => "$sni.test" });
                $c->error || $c->get("$_.test")->{status};
            } @names;
        });
    }
}

# ----- challenges

sub challenge {
    my ($server, $name) = @_;
    my $store = "md/challenges/$name.test/acme-tls-alpn-01";
    $server->write("$store-pubcert.pem", slurp("$ssl/challenge.crt"));
    $server->write("$store-privkey.pem", slurp("$ssl/challenge.key"));
    system 'chmod', '-R', 'a+rX', $server->dir . '/md';
    return;
}
for my $name (qw(static stored own empty plain)) {
    challenge($pair->server($_), $name) for qw(stock ours);
    for my $version ('1.2', '1.3') {
        my (undef, $seen) = $pair->same("tls-alpn-01, $name, TLS $version", sub {
            my ($addr, $port) = @_;
            my $c = Sniv::Client->new(addr => $addr, port => $port, tls => {
                sni => "$name.test", alpn => ['acme-tls/1'],
                min => $version, max => $version });
            return $c->error || join ' ', $c->cert, $c->alpn;
        });
        # With TLS 1.2 stock httpd answers only if the kind of key is the same
        is($seen, 'challenge acme-tls/1', 'it is answered')
            if $name ne 'empty' || $version ne '1.2';
    }
}
compare('next to challenges', @names);

# ----- mod_md's store changes

sub ask_until {
    my ($name, $cert) = @_;
    for (1 .. 200 * Sniv::Httpd::patience()) {
        my $seen = ask($pair->addr('ours'), $pair->port, $name);
        return $seen if $seen =~ / $cert /;
        select undef, undef, undef, 0.05;
    }
    return "never $cert";
}
fill($pair->server('ours'), 'stored', 'renewed');
like(ask_until('stored', 'renewed'), qr/ renewed ca 404 /,
     'a certificate that changes in its store, without a restart');

# ----- by hand

$lines = '';
$engine = 'SNIVHostTLS On';
my $byhand = Sniv::Httpd->new(name => 'managed-hand', conf => sub {
        return "Listen 127.0.0.1:$_[0]\nTypesConfig /dev/null\n" . conf($_[0]);
    }, modules => ['watchdog', 'md'], loglevel => 'info snivhost:debug');
fill($byhand, $_, $_) for qw(stored both);
$byhand->start;
like(ask('127.0.0.1', $byhand->ports, 'stored'), qr/ stored ca 404 stored/,
     'SNIVHostTLS On');
like(ask('127.0.0.1', $byhand->ports, 'empty'), qr/Fallback 503 /,
     'SNIVHostTLS On where mod_md has no certificate yet');
$byhand->remove;

done_testing;
