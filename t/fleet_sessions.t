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


# Servers with one store and one SNIVHostStoreKey have one ring of session
# ticket secrets: a session of one resumes on the others, and nowhere else
# than it would on its own server. A store that lies, hangs or is gone does not
# take that away.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(remove_tree);
use JSON::PP ();
use Test::More;

use Sniv::Chain qw(make_cert slurp spew);
use Sniv::Client;
use Sniv::Httpd;
use Sniv::Redis;
use Sniv::Soon qw(soon);

plan skip_all => Sniv::Redis::missing() if Sniv::Redis::missing();
plan skip_all => 'OpenSSL 3.0 is needed'
    if `openssl version` !~ /^OpenSSL (?:[3-9]|\d\d)/;

my $LONG = 60;                  # seconds, times patience

my $ssl = Sniv::Httpd::work() . "/sessions-ssl.$$";
make_cert($ssl, $_) for qw(first one two own);
my ($key, $other) = map { "$ssl/$_" } qw(key other);
spew($key, 'a1' x 32 . "\n");
spew($other, 'b2' x 32 . "\n");
chmod 0600, $key, $other;

# A port, and addresses that differ: 127.0.0.1, 127.0.0.2, ...
my ($port, $plain, $tcp) = Sniv::Httpd::free_ports(3);
my $r = Sniv::Redis->new(name => 'sessions', port => $tcp)->start;
my $replica = Sniv::Redis->new(name => 'replica',
                               conf => "replicaof 127.0.0.1 $tcp\n")->start;
ok soon(sub { $replica->cli('INFO', 'replication')
                  =~ /master_link_status:up/ }), 'the replica is connected';
make_cert("$ssl/put", 'put', names => ['put.test']);
my ($status, $said) = $r->store('--key', $key, 'put', "$ssl/put");
is $status, 0, 'put' or diag $said;

my @servers;
sub server {
    my ($n, %arg) = @_;
    my $h = Sniv::Httpd->new(name => "sessions$n", ports => 1, conf => sub {
        my $a = "127.0.0.$n:$port";
        my $url = $arg{url} || $r->url('timeout=2');
        my $seal = $arg{key} ? "SNIVHostStoreKey $arg{key}" : '';
        my $more = $arg{more} || '';
        my $all = $arg{all} || '';
        return "Listen $a\nSSLSessionCache none\n"
            . "SNIVHostCertificates $url\n$seal\n$all\n"
            # plain HTTP with the name of the first one
            . "Listen 127.0.0.$n:$plain\n<VirtualHost 127.0.0.$n:$plain>\n"
            . "ServerName first.test\n</VirtualHost>\n"
            . "<Location /status>\nSetHandler snivhost-status\n</Location>\n"
            . join '', map { <<"END" } qw(first one two own) });
<VirtualHost $a>
    ServerName $_.test
    SSLEngine on
    SSLCertificateFile $ssl/$_.crt
    SSLCertificateKeyFile $ssl/$_.key
    @{[ $_ eq 'own' ? $more : '' ]}
</VirtualHost>
END
    return $servers[$n] = $h->start;
}

my %VERSIONS = ('1.2' => { max => '1.2' }, '1.3' => { min => '1.3' });

sub session {
    my ($n, $name, $version) = @_;
    my $c = Sniv::Client->new(addr => "127.0.0.$n", port => $port,
        tls => { sni => "$name.test", %{ $VERSIONS{$version} } });
    return if $c->error;
    $c->get("$name.test");
    return $c->session;
}

# 1: resumed, 0: not; or what went wrong
sub resumes {
    my ($session, $n, $name, $version) = @_;
    my $c = Sniv::Client->new(addr => "127.0.0.$n", port => $port,
        tls => { sni => "$name.test", %{ $VERSIONS{$version} },
                 session => $session });
    return $c->error if $c->error;
    $c->get("$name.test");
    return $c->resumed;
}

# A session from one server, used on another: in both versions.
sub across {
    my ($from, $to, $name, $as) = @_;
    return join ' ', map { resumes(session($from, $name, $_), $to,
                                   $as || $name, $_) } sort keys %VERSIONS;
}

sub says {
    my ($n, $regex, $what) = @_;
    ok $servers[$n]->wait_for_log('error.log', $regex, $LONG), $what
        or diag join '', grep { /SNIV03/ } map { "$_\n" }
            split /\n/, $servers[$n]->read('error.log');
    return;
}

sub ring { return $r->cli('GET', 'sites:ring'); }

# What a server has in its copy
sub copy_of {
    my ($n) = @_;
    my ($copy) = glob $servers[$n]->dir . '/snivhost-store/sites-*';
    return $copy;
}

sub make_overdue {
    my ($n) = @_;
    my $then = time - 7200;
    return utime $then, $then, copy_of($n) . '/ring';
}

# ----- one ring

server(1, key => $key);
ok soon(sub { ring() ne '' }), 'the first server puts its ring';
like ring(), qr/\A-----BEGIN SNIVHOST ENVELOPE-----/, '... sealed';
server(2, key => $key, more => 'SSLCipherSuite HIGH',
       url => $replica->url('timeout=2', "primary=127.0.0.1:$tcp"));
says(2, qr/SNIV0381: .*generation 1/, 'the second one takes it');
for my $name (qw(first one)) {
    is across(1, 2, $name), '1 1', "a session of $name resumes on the other";
    is across(2, 1, $name), '1 1', '... and the other way round';
}
is across(1, 1, 'one', 'two'), '0 0', 'not at another virtual host';
is across(1, 2, 'one', 'two'), '0 0', '... on the other server, either';
is across(1, 2, 'own'), '0 0', 'nor where that has other TLS settings';
is across(2, 2, 'own'), '1 1', '... but there';
says(1, qr/SNIV0381: .*generation 1/, 'the first server knows that it is put');
my $page = '/status?format=json';
sub status_of {
    my ($n) = @_;
    my $c = Sniv::Client->new(addr => "127.0.0.$n", port => $plain);
    my $json = JSON::PP::decode_json($c->get('first.test', $page)->{body});
    return $json->{certificate_sources}[0]{session_secrets};
}
is status_of($_), 1, "... as its status page says: $_" for 1, 2;
is((stat copy_of(1) . "/$_")[2] & 07777, 0600, "$_ is for its owner only")
    for qw(ring ring.store);

# ----- the next one

my $first = ring();
my @kept = map { session(1, 'one', $_) } sort keys %VERSIONS;
make_overdue(2);                # whose own store takes nothing
my $gaps = 0;
ok soon(sub {
    $gaps += across(1, 2, 'one') ne '1 1';
    $gaps += across(2, 1, 'one') ne '1 1';
    return 2 == grep { $servers[$_]->read('error.log')
                           =~ /SNIV0381: .*generation 2/ } 1, 2;
}), 'an overdue ring is replaced, on all servers';
isnt ring(), $first, '... in the store';
is $gaps, 0, '... and sessions resume all the time';
my $n = 0;
is resumes($kept[$n++], 2, 'one', $_), 1, "... older ones, too: TLS $_"
    for sort keys %VERSIONS;
is across(1, 2, 'one'), '1 1', '... and new ones';

# ----- a replica's address

my @put = ('--key', $key, '--id', 'x', 'put', "$ssl/put/put.crt",
           "$ssl/put/put.key");
($status, $said) = $replica->store(@put);
isnt $status, 0, 'a replica takes no certificates';
like $said, qr/READONLY/, '... and says so';
$replica->{params} = ["primary=127.0.0.1:$tcp"];
($status, $said) = $replica->store(@put);
is $status, 0, '... its primary does' or diag $said;
is $r->cli('HEXISTS', 'sites:certs', 'x'), 1, '... and has them';

# ----- what a store may say

$r->cli('SET', 'sites:ring', 'junk');
says($_, qr/SNIV0382: .*sites:ring, is not sealed.* DEL sites:ring/,
     "server $_: junk is not used") for 1, 2;
is across(1, 2, 'one'), '1 1', '... and sessions resume';
$r->cli('SET', 'sites:ring', 'x' x 5000);
says(1, qr/SNIV0382: .*sites:ring, has more than 1 KiB/, 'nor is a long one');
$r->cli('DEL', 'sites:ring');
$r->cli('LPUSH', 'sites:ring', 'x');
ok soon(sub { slurp(copy_of(1) . '/state') =~ /^ring answered with .*WRONG/m }),
    'nor a list';
is across(2, 1, 'one'), '1 1', '... and sessions resume';
$r->cli('SET', 'sites:ring', $first);
ok soon(sub { grep { $servers[$_]->read('error.log')
                         =~ /SNIV0382: .*is older than the one in use/ } 1, 2 }),
    'an old one is not used';
ok soon(sub { ring() !~ /\A\Q$first\E/ }), '... but replaced';
is across(1, 2, 'one'), '1 1', '... and sessions resume';
$r->cli('DEL', 'sites:ring');
ok soon(sub { ring() ne '' }), 'one that was lost is put there again';

# ----- who has not its key

server(3, key => $other);
says(3, qr/SNIV0382: .*sealed with a key that SNIVHostStoreKey does not/,
     'a server with another key has a ring of its own');
is across(1, 3, 'one'), '0 0', '... sessions do not resume there';
is across(3, 3, 'one'), '1 1', '... but its own do';
server(4);
says(4, qr/SNIV0380: store redis.*because there is no SNIVHostStoreKey/,
     'so does one without a key');
is status_of(4), undef, '... as its status page says';
is across(1, 4, 'one'), '0 0', '... sessions do not resume there, either';
server(5, key => $key, all => 'SNIVHostTicketRotation Off');
is across(1, 5, 'one'), '0 0', 'nor where tickets are left to OpenSSL';
unlike $servers[5]->read('error.log'), qr/SNIV038/, '... which says nothing';
is across(1, 2, 'one'), '1 1', 'the others are not disturbed';

# ----- without the store

my $before = ring();
$_->signal('STOP') for $r, $replica;
make_overdue(1);
ok $servers[1]->graceful, 'the store hangs: a restart';
is across(1, 2, 'one'), '1 1', '... sessions resume';
says(1, qr/SNIV0383: .*stay in use/, '... and an overdue ring is used');
$servers[2]->stop;
$servers[2]->start;
is across(1, 2, 'one'), '1 1', '... also on a server that was down';
$_->signal('CONT') for $r, $replica;
ok soon(sub { ring() ne $before }), 'the store is back: the ring is replaced';
is across(1, 2, 'one'), '1 1', '... sessions resume';
says(2, qr/SNIV0381: .*generation 3/, '... everywhere');
is across(2, 1, 'one'), '1 1', '... sessions resume';

$_->stop for grep { defined } @servers;
$_->remove for (grep { defined } @servers), $r, $replica;

END {
    my $status = $?;
    remove_tree($ssl) if $ssl;
    $? = $status;
}

done_testing;
