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


# TLS to the store: rediss://. Whose certificate is not good is not read, a
# line says why, and what was known is served on.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(remove_tree);
use Test::More;

use Sniv::Chain qw(make_cert slurp spew);
use Sniv::Httpd;
use Sniv::Redis;
use Sniv::Soon qw(served soon soon_serves);

plan skip_all => Sniv::Redis::missing() if Sniv::Redis::missing();

my $ssl = Sniv::Httpd::work() . "/tls-ssl.$$";
make_cert("$ssl/ca", $_, is_ca => 1) for 'ca', 'other';
my %from = (ca => '../ca/ca');
make_cert("$ssl/tls", 'good', names => ['localhost,IP:127.0.0.1'], %from);
make_cert("$ssl/tls", 'stranger', names => ['localhost,IP:127.0.0.1'],
          ca => '../ca/other');
make_cert("$ssl/tls", 'alone', names => ['localhost,IP:127.0.0.1']);
make_cert("$ssl/tls", 'elsewhere', names => ['store.test'], %from);
make_cert("$ssl/tls", 'old', names => ['localhost'], expired => 1, %from);
make_cert("$ssl/tls", 'client', names => ['client.test'], %from);
make_cert($ssl, 'v0');
make_cert($ssl, "a-$_", names => ['a.test']) for 1 .. 4;
my $ca = "$ssl/ca/ca.leaf";

my ($port, $plain_port) = Sniv::Httpd::free_ports(2);
my $r = Sniv::Redis->new(name => 'tls', conf => <<"END");
tls-port $port
tls-cert-file $ssl/tls/good.crt
tls-key-file $ssl/tls/good.key
tls-ca-cert-file $ca
tls-auth-clients no
END
if (!eval { $r->start }) {
    my $why = slurp($r->dir . '/console');
    $r->remove;
    remove_tree($ssl);
    die "redis-server does not start: $why\n"
        if $why !~ /tls-port|Bad directive|TLS/;
    plan skip_all => 'this redis-server has no TLS';
}

my @program = ('program=' . Sniv::Redis::program(), 'timeout=5');

sub url {
    my ($host, $at, @more) = @_;
    return "rediss://$host:$at/sites?" . join '&', @more, @program;
}

# snivhost-store, with another address
sub store {
    my ($url, @words) = @_;
    my ($status, $said) = $r->store('--store', $url, @words);
    return ($status, $said);
}

sub show {
    my ($name) = @_;
    my $said = $r->cli('CONFIG', 'SET',
                       'tls-cert-file', "$ssl/tls/$name.crt",
                       'tls-key-file', "$ssl/tls/$name.key");
    $r->cli('CLIENT', 'KILL', 'TYPE', 'normal');
    return $said =~ /OK/;
}

# ----- who is trusted

my $good = url('localhost', $port, "cacert=$ca");
my ($status, $said) = store($good, 'put', '--id', 'a', "$ssl/a-1.leaf",
                            "$ssl/a-1.key");
is $status, 0, 'put' or diag $said;
is $said = (store($good, 'list'))[1], "a\n", 'list';
is +(store(url('127.0.0.1', $port, "cacert=$ca"), 'list'))[1], "a\n",
    'an address in the certificate, in place of a name';
is +(store('rediss:///sites?' . join('&', 'socket=' . $r->socket,
                                    "primary=localhost:$port", "cacert=$ca"),
           'put', '--id', 'b', "$ssl/v0.leaf", "$ssl/v0.key"))[0], 0,
    'a unix socket is without, its primary is written to with TLS';

sub refuses {
    my ($url, $regex, $what) = @_;
    my ($exit, $text) = store($url, 'list');
    is $exit, 1, "$what: refused";
    like $text, $regex, '... with a reason';
    return;
}
refuses(url('localhost', $port),
        qr/not accepted, with the authorities in this system's own list/,
        'no cacert');
refuses(url('localhost', $port, "cacert=$ssl/ca/other.leaf"),
        qr/not accepted, with the authorities in \S+other\.leaf: /,
        'another authority');
refuses(url('localhost', $port, "cacert=$ssl/none"),
        qr/cacert=\S+none: No such file/, 'no file');
refuses(url('localhost', $port, "cacert=$ssl/a-1.key"),
        qr/cacert=\S+a-1\.key: it holds no certificate/, 'no certificate');
my $plain = Sniv::Redis->new(name => 'plain', port => $plain_port)->start;
refuses(url('127.0.0.1', $plain_port, "cacert=$ca"),
        qr/TLS does not come about|no TLS in time/, 'a store without TLS');
refuses("redis://127.0.0.1:$port/sites", qr/the store (?:has closed|gave an)/,
        'redis:// to a store with TLS');
$plain->remove;

SKIP: {
    skip 'this redis-server cannot change its certificate', 8
        if !show('good');
    for my $case (['stranger', qr/not accepted/], ['alone', qr/self.signed/],
                  ['elsewhere', qr/its certificate is not for localhost/],
                  ['old', qr/not accepted.*expired/]) {
        show($case->[0]);
        refuses($good, $case->[1], $case->[0]);
    }
    show('good');
}

# ----- servers

my @client;                     # cert, key
my $h = Sniv::Httpd->new(name => 'tls', ports => 1, conf => sub {
    my $a = "127.0.0.1:$_[0]";
    my $url = url('localhost', $port, "cacert=$ca", @client);
    return <<"END" })->start;
Listen $a
SNIVHostCertificates $url
<VirtualHost $a>
    ServerName v0.test
    SSLEngine on
    SSLCertificateFile $ssl/v0.crt
    SSLCertificateKeyFile $ssl/v0.key
</VirtualHost>
<VirtualHost $a>
    ServerName a.test
    ServerAlias *.test
    SNIVHostTLS On
</VirtualHost>
END
my ($https) = $h->ports;

sub put {
    my ($name, $what) = @_;
    $r->store('put', '--id', 'a', "$ssl/$name.leaf", "$ssl/$name.key");
    soon_serves($https, 'a.test', $name, $what);
    return;
}
sub state_is {
    my ($regex, $what) = @_;
    my ($state) = glob $h->dir . '/snivhost-store/sites-*/state';
    my $text = '';
    soon(sub { ($text = slurp($state)) =~ $regex });
    like $text, $regex, $what;
    return;
}
is served($https, 'a.test'), 'a-1', 'a server reads it';
put('a-2', 'renewed');

# more than one record of TLS
my $pem = slurp("$ssl/a-1.leaf") . slurp("$ssl/a-1.key");
my @ids = map { "many$_" } 1 .. 400;
$r->cli('HSET', 'sites:certs', map { ($_, $pem) } @ids);
$r->cli('INCR', 'sites:version');
state_is(qr/^entries 402$/m, '400 more');

SKIP: {
    skip 'this redis-server cannot change its certificate', 6
        if !show('old');
    state_is(qr/^reason the store cannot be trusted: .*expired/m,
             'its certificate expires');
    is served($https, 'a.test'), 'a-2', '... all is served';
    ok $h->graceful, '... a restart';
    is served($https, 'a.test'), 'a-2', '... all is served';
    ok $h->wait_for_log('error.log', qr/SNIV0378: .*cannot be trusted/, 60),
        '... a line';
    show('good');
    put('a-3', 'it is renewed');
}

# ----- who has to show one

$r->cli('CONFIG', 'SET', 'tls-auth-clients', 'yes');
$r->cli('CLIENT', 'KILL', 'TYPE', 'normal');
state_is(qr/^reason the store .*(?:closed|alert)/m, 'it asks for one');
@client = ("cert=$ssl/tls/client.crt", "key=$ssl/tls/client.key");
chmod 0644, "$ssl/tls/client.key";
$h->write_conf;
ok $h->graceful, '... and there is one';
state_is(qr/client\.key: it has to belong to root, with nothing for others/,
         '... whose key others can read');
chmod 0600, "$ssl/tls/client.key";
put('a-4', '... and then not');

$h->stop;
$h->remove;
$r->remove;

END {
    my $exit = $?;
    remove_tree($ssl) if $ssl;
    $? = $exit;
}

done_testing;
