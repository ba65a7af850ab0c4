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


# A store that is gone for long: it hangs, is killed, and comes back with
# nothing in it. Two servers serve on, all the time, known names and sessions
# of each other; then they take what is put.
#
# It runs with SNIVHOST_OUTAGE=40 or more (seconds); 3600 makes it an hour.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(remove_tree);
use Test::More;
use Time::HiRes qw(sleep time);

use Sniv::Chain qw(make_cert slurp spew);
use Sniv::Client;
use Sniv::Httpd;
use Sniv::Proc qw(processes pss);
use Sniv::Redis;
use Sniv::Soon qw(soon);

plan skip_all => Sniv::Redis::missing() if Sniv::Redis::missing();
plan skip_all => 'OpenSSL 3.0 is needed'
    if `openssl version` !~ /^OpenSSL (?:[3-9]|\d\d)/;

plan skip_all => 'SNIVHOST_OUTAGE=SECONDS is not set: it takes long'
    if !$ENV{SNIVHOST_OUTAGE};

my $OUTAGE = $ENV{SNIVHOST_OUTAGE};             # 40 or more
my $SITES = 5;

my $ssl = Sniv::Httpd::work() . "/outage-ssl.$$";
make_cert("$ssl/own", 'v0');
for my $i (1 .. $SITES) {
    make_cert("$ssl/$_", "s$i-$_", names => ["s$i.test"]) for 1, 2;
}
my $key = "$ssl/key";
spew($key, 'a1' x 32 . "\n");
chmod 0600, $key;

my $r = Sniv::Redis->new(name => 'outage')->start;
sub put {
    my ($status, $said) = $r->store('--key', $key, 'put', "$ssl/$_[0]");
    is $status, 0, "put $_[0]" or diag $said;
    return;
}
put(1);

my ($port) = Sniv::Httpd::free_ports(1);
my @servers = map {
    my $n = $_;
    my $h = Sniv::Httpd->new(name => "outage$n", conf => sub {
        my $a = "127.0.0.$n:$port";
        my $url = $r->url('timeout=2');
        return <<"END" });
Listen $a
SNIVHostCertificates $url
SNIVHostStoreKey $key
SNIVHostTicketRotation 30
SSLSessionCache none
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
    # the first one's ring is in the store when the second one starts
    $h->start;
    soon(sub { $r->cli('GET', 'sites:ring') ne '' });
    $h;
} 1, 2;

sub client {
    my ($n, $name, @tls) = @_;
    return Sniv::Client->new(addr => "127.0.0.$n", port => $port,
                             tls => { sni => $name, @tls });
}

# Each name at each server, and a session of one at the other.
# @return what was wrong
sub look {
    my ($version) = @_;
    my @wrong;
    for my $n (1, 2) {
        for my $i (1 .. $SITES) {
            my $c = client($n, "s$i.test");
            my $got = $c->error || $c->cert;
            push @wrong, "s$i.test on $n: $got" if $got ne "s$i-$version";
            $c->close if !$c->error;
        }
        my $c = client($n, 's1.test');
        $c->get('s1.test');
        my $session = $c->session;
        my $d = client(3 - $n, 's1.test', session => $session);
        push @wrong, "a session of $n: " . ($d->error || 'not resumed')
            if $d->error || !$d->resumed;
    }
    return @wrong;
}

# What a server knows of the store, for who looks why.
sub why {
    my ($h) = @_;
    my ($state) = glob $h->dir . '/snivhost-store/*/state';
    return join "\n", $state ? slurp($state) : 'no state',
        grep { /SNIV03/ } split /\n/, $h->read('error.log');
}

is join(', ', look(1)), '', 'all is well';
my @memory = map { pss($_->pid) } @servers;

my ($n, %wrong) = 0;
sub look_until {
    my ($end) = @_;
    while (time < $end) {
        $wrong{$_}++ for look(1);
        $n++;
        sleep($OUTAGE > 300 ? 1 : 0.2);
    }
    return;
}
my $begin = time;
# no ring of one server alone, in the moment that it is there again
$r->cli('CONFIG', 'SET', 'min-replicas-to-write', 1);
$r->signal('STOP');
look_until($begin + $OUTAGE / 2);
is join(', ', %wrong), '', 'it hangs: all serve on';
ok $servers[0]->graceful, '... also after a restart';
# once more it is there for a moment: what it has is read, and then it comes
# back with nothing in it and counts to the same number
$r->signal('CONT');
ok soon(sub { why($servers[0]) =~ /^state good$/m }), 'it is there, and dies';
$r->stop;
$servers[1]->stop;
$servers[1]->start;
look_until($begin + $OUTAGE);
is join(', ', %wrong), '', 'it is gone: all serve on';
diag "$n times, ", int(time - $begin), ' s; MiB before and after: ',
    join ', ', map { sprintf '%.1f %.1f', $memory[$_], pss($servers[$_]->pid) }
        0, 1;
for my $h (@servers) {
    my @lines = $h->read('error.log') =~ /(SNIV0378.*)/g;
    cmp_ok scalar(@lines), '>', 0, 'the log says so';
    # one at each start, and one a minute
    cmp_ok scalar(@lines), '<=', 5 + $OUTAGE / 60, '... not too often'
        or diag join "\n", @lines;
}

$r->start;                      # it has kept nothing
ok soon(sub { $servers[0]->read('error.log') =~ /SNIV0378.*has no key/ }),
    'it comes back empty';
is join(', ', look(1)), '', '... and nothing is removed';
put(2);
ok soon(sub { !look(2) }), 'what is put is served'
    or diag join "\n", look(2), map { why($_) } @servers;
ok soon(sub { $r->cli('GET', 'sites:ring') ne '' }),
    'and the ring is there again';
is join(', ', look(2)), '', '... sessions resume';

$_->stop for @servers;
$_->remove for @servers, $r;

END {
    my $status = $?;
    remove_tree($ssl) if $ssl;
    $? = $status;
}

done_testing;
