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

# -t, a start and a graceful restart agree: -t fails where a start would, and
# a server that runs survives what -t calls OK. Whatever is in certificate
# folders, and in the files of lean virtual hosts, stops neither.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path remove_tree);
use Test::More;

use Sniv::Chain qw(make_cert slurp spew);
use Sniv::Client;
use Sniv::Httpd;

plan skip_all => 'this is about the module'
    if Sniv::Httpd::mode() eq 'off';

my $ssl = Sniv::Httpd::work() . "/check-ssl.$$";
make_cert($ssl, 'ca', is_ca => 1);
make_cert($ssl, $_, ca => 'ca') for qw(first site other);
make_cert($ssl, 'weak', key => 'rsa', bits => 1024, ca => 'ca',
          names => ['first.test', 'site.test']);
make_cert($ssl, 'ocsp', ca => 'ca', names => ['site.test'],
          add => ['-addext', 'authorityInfoAccess=OCSP;URI:http://127.0.0.1:1/']);
my %pem = map { ($_ => slurp("$ssl/$_.leaf") . slurp("$ssl/$_.key")) }
    qw(first site other weak ocsp);
my $block = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

# A folder "certs" and files for SSLCertificateFile, by name.
sub put {
    my ($files) = @_;
    for my $name (sort keys %$files) {
        (my $dir = "$ssl/$name") =~ s{/[^/]*\z}{};
        make_path($dir, { mode => 0755 });
        unlink "$ssl/$name";
        next if !defined $files->{$name};
        spew("$ssl/$name", $files->{$name});
        chmod 0600, "$ssl/$name";
    }
    return;
}

sub vhost {
    my ($port, $name, @lines) = @_;
    return join "\n", "<VirtualHost 127.0.0.1:$port>",
        "ServerName $name.test", 'SSLEngine on', @lines, '</VirtualHost>', '';
}
sub own { return "SSLCertificateFile $ssl/own/$_[0]"; }

sub server {
    my ($name, $lines, @vhosts) = @_;
    return Sniv::Httpd->new(name => $name, ports => 1, conf => sub {
        my ($port) = @_;
        return join "\n", "Listen 127.0.0.1:$port", @$lines,
            map { vhost($port, @$_) } @vhosts;
    });
}

# name, files, lines, virtual hosts, does it start; while it runs: files, and
# what -t says then, and whether a restart ends the server all the same.
my @folder = ("SNIVHostCertificates $ssl/certs");
my @adopt = ('SNIVHostAdopt On');
my @strict = (@adopt, 'SNIVHostLint Strict', 'SNIVHostLintIgnore 0406');
my $staple = "SSLUseStapling On\nSSLStaplingCache shmcb:staple(32768)";
my $first = ['first', own('first')];
my @rows = (
    ['all is well', { 'certs/a.pem' => $pem{first} }, \@folder,
     [['first']], 1, { 'certs/a.pem' => undef }, 1],
    ['damaged while it runs', { 'certs/a.pem' => $pem{first} }, \@folder,
     [['first']], 1, { 'certs/a.pem' => $block }, 1],
    ['weak while it runs', { 'certs/a.pem' => $pem{first} }, \@folder,
     [['first']], 1, { 'certs/a.pem' => $pem{weak} }, 1],
    ['none for the first', { 'certs/a.pem' => $pem{other} }, \@folder,
     [['first']], 1],
    ['a weak one', { 'certs/a.pem' => $pem{weak} }, \@folder, [['first']], 1],
    ['an empty folder', { 'certs/a.pem' => undef }, \@folder, [['first']], 1],
    ['no place for a stand-in', { 'certs/a.pem' => $pem{other} },
     [@folder, "DefaultRuntimeDir $ssl/none"], [['first']], 0],
    ['no folder', {}, ["SNIVHostCertificates $ssl/none"], [['first']], 1],
    ['not what mod_ssl reads',
     { 'certs/a.pem' => slurp("$ssl/ca.leaf") . $pem{first} }, \@folder,
     [['first']], 1],
    ['none, Strict', { 'certs/a.pem' => $pem{other} }, [@folder, @strict],
     [['first']], 0],
    ['gone, Strict', { 'certs/a.pem' => $pem{first} }, [@folder, @strict],
     [['first']], 1, { 'certs/a.pem' => undef }, 0],

    ['first: a weak one', { 'own/first' => $pem{weak} }, [],
     [$first], 0],
    ['first: a foreign key',
     { 'own/first' => slurp("$ssl/first.leaf") . slurp("$ssl/site.key") }, [],
     [$first], 0],
    ['first: no file', {}, [], [['first']], 0],
    ['first: a chain that is none', { 'own/first' => $pem{first},
                                      'own/chain' => $block }, [],
     [['first', own('first'), "SSLCertificateChainFile $ssl/own/chain"]], 0],
    ['second: junk', { 'own/first' => $pem{first}, 'own/site' => 'junk' }, [],
     [$first, ['site', own('site')]], 0],
    ['keys of tickets are short', { 'own/first' => $pem{first},
                                    'own/keys' => 'x' x 47 },
     ["SSLSessionTicketKeyFile $ssl/own/keys"], [$first], 0],
    ['keys of tickets', { 'own/first' => $pem{first},
                          'own/keys' => 'x' x 48 },
     ["SSLSessionTicketKeyFile $ssl/own/keys"], [$first], 1,
     { 'own/keys' => 'x' }, 0, 'as httpd alone'],

    (map { my ($what, $text) = @$_; (
        ["lean: $what", { 'own/first' => $pem{first}, 'own/site' => $text },
         \@adopt, [$first, ['site', own('site')]], 1],
        ["lean: $what while it runs",
         { 'own/first' => $pem{first}, 'own/site' => $pem{site} }, \@adopt,
         [$first, ['site', own('site')]], 1, { 'own/site' => $text }, 1],
        ["lean: $what, Strict", { 'own/first' => $pem{first},
                                  'own/site' => $text }, \@strict,
         [$first, ['site', own('site')]], 0],
      ) } ['junk', 'junk'], ['weak', $pem{weak}],
          ['a foreign key', slurp("$ssl/site.leaf") . slurp("$ssl/first.key")]),
    ['lean: a chain that is none', { 'own/first' => $pem{first},
                                     'own/site' => $pem{site},
                                     'own/chain' => $block }, \@adopt,
     [$first, ['site', own('site'),
               "SSLCertificateChainFile $ssl/own/chain"]], 1],
    ['lean: broken while it runs, Strict',
     { 'own/first' => $pem{first}, 'own/site' => $pem{site} }, \@strict,
     [$first, ['site', own('site')]], 1, { 'own/site' => 'junk' }, 0],
    ['lean by hand: a responder while it runs',
     { 'own/first' => $pem{first}, 'own/site' => $pem{site} }, [$staple],
     [$first, ['site', own('site'), 'SNIVHostTLS On']], 1,
     { 'own/site' => $pem{ocsp} }, 0],
);

for my $row (@rows) {
    my ($name, $files, $lines, $vhosts, $starts, $changed, $is_fine, $ends)
        = @$row;
    remove_tree("$ssl/certs", "$ssl/own");
    make_path("$ssl/certs");
    put($files);
    my $h = server('check', $lines, @$vhosts);
    my ($status, $said) = $h->check('-t');
    is $status ? 'fails' : 'OK', $starts ? 'OK' : 'fails', "$name: -t"
        or diag $said;
    my $is_up = eval { $h->start; 1 };
    is $is_up ? 'up' : 'not up', $starts ? 'up' : 'not up', "$name: a start"
        or diag $@ || $h->read('error.log');
    if ($is_up) {
        if ($changed) {
            put($changed);
            ($status, $said) = $h->check('-t');
            is $status ? 'fails' : 'OK', $is_fine ? 'OK' : 'fails',
                "$name: -t then" or diag $said;
        }
        is $h->graceful ? 'up' : 'not up', $ends ? 'not up' : 'up',
            "$name: a restart" or diag $h->read('error.log');
    }
    $h->remove;
}

# ----- what such a server does

sub served {
    my ($h, $name) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => ($h->ports)[0],
        tls => { sni => $name });
    return $c->error ? 'refused' : ($c->chain)[0];
}

put({ 'certs/a.pem' => $pem{other}, 'own/site' => $pem{site} });
my $h = server('check-standin', ['SNIVHostCertificateCheck 1', @folder, @adopt],
               ['first'], ['site', own('site')]);
my (undef, $said) = $h->check('-t');
like $said, qr/SNIV0316: virtual host first\.test \(\S+\) has no SSLCer.*Put one/,
    '-t: which one, and what to do';
my ($port) = $h->ports;
sub explained { return ($h->check('-t', '-c', "SNIVHostExplain $_[0]"))[1]; }
like explained("https://first.test:$port/"), qr/refusal .*alert 80/,
    'explained as refused';
unlike explained("https://other.test:$port/"), qr/refusal .*alert/,
    'another name of the folder is not';
$h->start;
is served($h, 'first.test'), 'refused', 'its handshakes are refused';
is served($h, 'nobody.test'), 'refused', '... for unknown names, too';
is served($h, 'other.test'), 'other', 'a name of the folder is served';
is served($h, 'site.test'), 'site', 'so is a lean one that uses its context';
like $h->read('error.log'), qr/SNIV0110: handshake refused: virtual host first/,
    'logged';
is join(' ', glob $h->dir . '/snivhost-*'), '', 'no file is left behind';
put({ 'certs/b.pem' => $pem{first} });
$h->wait_for_log('error.log', qr/SNIV0307: .*b\.pem is new/, 30)
    or diag $h->read('error.log');
is served($h, 'first.test'), 'first', 'as soon as there is one it is served';
is served($h, 'nobody.test'), 'first', '... for unknown names, too';
$h->remove;

remove_tree($ssl);
done_testing;
