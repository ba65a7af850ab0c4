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


# A fleet: a primary store with two replicas, three servers that have one of
# these each. Certificates are put and renewed while all of them die or hang
# in turn and clients ask all the time: no handshake for a known name fails.
#
# SNIVHOST_FLEET_ROUNDS=50 renews a thousand times.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path remove_tree);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

use Sniv::Chain qw(make_cert slurp);
use Sniv::Httpd;
use Sniv::Redis;
use Sniv::Soon qw(served soon soon_serves);

plan skip_all => Sniv::Redis::missing() if Sniv::Redis::missing();

my $SITES = 20;
my $ROUNDS = $ENV{SNIVHOST_FLEET_ROUNDS} || 4;

my $ssl = Sniv::Httpd::work() . "/fleet-ssl.$$";
make_cert("$ssl/own", 'v0');
for my $i (1 .. $SITES) {
    make_cert("$ssl/$_", "s$i-$_", names => ["s$i.test"]) for 1, 2;
}
make_cert("$ssl/new$_", "new$_-1", names => ["new$_.test"]) for 1 .. 4;

# ----- the stores

my ($port) = Sniv::Httpd::free_ports(1);
my $primary = Sniv::Redis->new(name => 'p', port => $port)->start;
my @stores = ($primary, map {
    Sniv::Redis->new(name => "r$_", conf => "replicaof 127.0.0.1 $port\n")
        ->start } 1, 2);
# A replica becomes a primary with a port
if ($stores[1]->cli('CONFIG', 'SET', 'port', 0) !~ /OK/) {
    $_->remove for @stores;
    remove_tree($ssl);
    plan skip_all => 'CONFIG SET port requires Redis 7 or Valkey';
}
for my $replica (@stores[1, 2]) {
    ok soon(sub { $replica->cli('INFO', 'replication')
                      =~ /master_link_status:up/ }), 'a replica is connected';
}

sub put {
    my ($store, $what) = @_;
    my ($status, $said) = $store->store('put', "$ssl/$what");
    is $status, 0, "put $what" or diag $said;
    return;
}
put($primary, '1');

# ----- the servers

my @servers = map {
    my $store = $_;
    Sniv::Httpd->new(name => "fleet$store", ports => 1, conf => sub {
        my $a = "127.0.0.1:$_[0]";
        my $url = $stores[$store]->url('timeout=2');
        return <<"END" })->start;
Listen $a
SNIVHostCertificates $url
SNIVHostCertificateCheck 1
<VirtualHost $a>
    ServerName v0.test
    SSLEngine on
    SSLCertificateFile $ssl/own/v0.crt
    SSLCertificateKeyFile $ssl/own/v0.key
</VirtualHost>
<VirtualHost $a>
    ServerName sites.test
    ServerAlias *.test
    SNIVHostTLS On
</VirtualHost>
END
} 0 .. 2;
my @ports = map { $_->ports } @servers;

sub all_serve {
    my ($name, $cert, $what, @which) = @_;
    soon_serves($ports[$_], $name, $cert, "$what: server $_")
        for @which ? @which : 0 .. 2;
    return;
}
all_serve('s1.test', 's1-1', 'the start');

# ----- clients, all the time: which names got what they should not

my $failures = "$ssl/failures";
my $asked = "$ssl/asked";
my $clients = fork;
die "fork: $!\n" if !defined $clients;
if (!$clients) {
    my $is_over = 0;
    local $SIG{TERM} = sub { $is_over = 1 };
    open my $out, '>', $failures or POSIX::_exit(1);
    $out->autoflush;
    my $n = 0;
    while (!$is_over) {
        my $i = 1 + $n % $SITES;
        my $server = int(rand 3);
        my $got = served($ports[$server], "s$i.test");
        last if $is_over;               # the signal may have cut it off
        print {$out} "s$i.test on server $server: $got\n"
            if $got !~ /\As$i-[12]\z/;
        $n++;
        sleep 0.01;
    }
    open my $count, '>', $asked or POSIX::_exit(1);
    print {$count} $n;
    close $count;
    POSIX::_exit(0);
}

# ----- all is well

put($primary, 'new1');
all_serve('new1.test', 'new1-1', 'a new site');
for my $round (1 .. $ROUNDS) {
    my $which = 1 + $round % 2;
    put($primary, $which);
    all_serve("s$SITES.test", "s$SITES-$which", "renewal $round");
}

# ----- the primary is killed, a replica takes its place

$primary->stop;
sleep 1;
$stores[1]->cli('REPLICAOF', 'NO', 'ONE');
$stores[2]->cli('REPLICAOF', '127.0.0.1', 1);       # nothing is there
put($stores[1], 'new2');
all_serve('new2.test', 'new2-1', 'another primary', 1);
all_serve('s1.test', 's1-' . (1 + $ROUNDS % 2), 'all serve on');
ok $servers[0]->graceful, 'a restart of the server whose store is gone';
all_serve('s2.test', 's2-' . (1 + $ROUNDS % 2), '... it serves on', 0);
$stores[1]->cli('CONFIG', 'SET', 'bind', '127.0.0.1');
$stores[1]->cli('CONFIG', 'SET', 'port', $port);
$stores[2]->cli('REPLICAOF', '127.0.0.1', $port);
$primary->{port} = 0;
$primary->{conf} = "replicaof 127.0.0.1 $port\n";
$primary->start;
all_serve('new2.test', 'new2-1', 'the old primary is a replica');

# ----- a replica hangs

$stores[2]->signal('STOP');
put($stores[1], 'new3');
all_serve('new3.test', 'new3-1', 'a replica hangs: the others', 0, 1);
all_serve('s3.test', 's3-' . (1 + $ROUNDS % 2), '... its server serves on',
          2);
ok $servers[2]->graceful, '... and can be restarted';
all_serve('s3.test', 's3-' . (1 + $ROUNDS % 2), '... and serves on', 2);
$stores[2]->signal('CONT');
all_serve('new3.test', 'new3-1', 'it is there again', 2);

# ----- all hang, and all servers are restarted

$_->signal('STOP') for @stores;
for my $server (@servers) {
    ok $server->graceful, 'all stores hang: a restart';
}
all_serve('new3.test', 'new3-1', '... all serve on');
$_->signal('CONT') for @stores;

# ----- the programs are killed

for my $server (@servers) {
    my $pid = ($server->read('error.log')
                   =~ /SNIV0373: process (\d+) keeps/g)[-1];
    kill 'KILL', $pid;
}
put($stores[1], 'new4');
all_serve('new4.test', 'new4-1', 'the programs are killed, and replaced');

# ----- the count

kill 'TERM', $clients;
waitpid $clients, 0;
$clients = 0;
is slurp($failures), '', 'no handshake for a known name has failed';
my $n = slurp($asked);
cmp_ok $n, '>', 100, 'clients have asked all the time';
diag "$n handshakes, " . $SITES * $ROUNDS . ' renewals';

$_->stop for @servers;
$_->remove for @servers, @stores;

END {
    my $status = $?;
    kill 'KILL', $clients if $clients;
    remove_tree($ssl) if $ssl;
    $? = $status;
}

done_testing;
