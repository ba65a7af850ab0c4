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


# The manual's recipes for balancers, with HAProxy and nginx in front of two
# servers: TLS is passed through, the certificate is that of the name, the
# client's address is its own, sessions resume on the other server, and who of
# them answers a challenge is of no account. One server may die.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path remove_tree);
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);

use Sniv::Chain qw(make_cert slurp spew);
use Sniv::Client;
use Sniv::Httpd;
use Sniv::Redis;
use Sniv::Soon qw(soon);

plan skip_all => Sniv::Redis::missing() if Sniv::Redis::missing();
plan skip_all => 'OpenSSL 3.0 is needed'
    if `openssl version` !~ /^OpenSSL (?:[3-9]|\d\d)/;

my $MANUAL = slurp("$FindBin::Bin/../docs/manual/mod/mod_snivhost.xml");

sub recipe {
    my ($regex) = @_;
    my ($text) = $MANUAL =~ $regex or die "the manual has no such recipe\n";
    return $text;
}

sub program {
    my ($name) = @_;
    my ($path) = grep { -x } map { "$_/$name" } split(/:/, $ENV{PATH}),
                                                '/usr/sbin';
    return $path;
}

my %balancers;
my $STREAM = '/usr/lib/nginx/modules/ngx_stream_module.so';
$balancers{haproxy} = program('haproxy') if program('haproxy');
$balancers{nginx} = program('nginx') if program('nginx') && -e $STREAM;
plan skip_all => 'neither HAProxy nor nginx with its stream module'
    if !%balancers;

my $work = Sniv::Httpd::work() . "/balancer.$$";
make_cert($work, 'v0');
make_cert("$work/put", 's', names => ['s.test']);
my $key = "$work/key";
spew($key, 'a1' x 32 . "\n");
chmod 0600, $key;

my $r = Sniv::Redis->new(name => 'balancer')->start;
my ($status, $said) = $r->store('--key', $key, 'put', "$work/put");
is $status, 0, 'put' or diag $said;

my ($https, $http) = Sniv::Httpd::free_ports(2);
my @servers = map {
    my $n = $_;
    my $h = Sniv::Httpd->new(name => "balanced$n", ports => 1,
        modules => ['remoteip', 'headers'], conf => sub {
        my $url = $r->url('timeout=2');
        my $remoteip = recipe(qr/^(RemoteIPProxyProtocol On)$/m);
        return <<"END" });
Listen 127.0.0.$n:$https
Listen 127.0.0.$n:$http
SNIVHostCertificates $url
SNIVHostStoreKey $key
SSLSessionCache none
$remoteip
Header always set X-Server $n
Header always set X-Client "expr=%{REMOTE_ADDR}"
<VirtualHost 127.0.0.$n:$https>
    ServerName v0.test
    SSLEngine on
    SSLCertificateFile $work/v0.crt
    SSLCertificateKeyFile $work/v0.key
</VirtualHost>
<VirtualHost 127.0.0.$n:$https>
    ServerName s.test
    SNIVHostTLS On
</VirtualHost>
<VirtualHost 127.0.0.$n:$http>
    ServerName v0.test
</VirtualHost>
END
    $h->start;
    soon(sub { $r->cli('EXISTS', 'sites:ring') eq '1' });
    $h;
} 1, 2;

# ----- a balancer

# The recipe with our addresses
sub ours {
    my ($text, $tls, $plain) = @_;
    $text =~ s/\b192\.0\.2\.(\d):443\b/127.0.0.$1:$https/g;
    $text =~ s/\b192\.0\.2\.(\d):80\b/127.0.0.$1:$http/g;
    $text =~ s/(bind |listen )(?::)?443\b/${1}127.0.0.1:$tls/g;
    $text =~ s/(bind |listen )(?::)?80\b/${1}127.0.0.1:$plain/g;
    return $text;
}

my %conf = (
    haproxy => sub {
        my $text = ours(recipe(qr/^(defaults\n.*?)\n    <\/pre>/ms), @_);
        spew("$work/haproxy.cfg", "$text\n");
        return ('-db', '-f', "$work/haproxy.cfg");
    },
    nginx => sub {
        my $text = ours(recipe(qr/^(stream \{.*?^\})/ms), @_);
        spew("$work/nginx.conf", "load_module $STREAM;\ndaemon off;\n"
             . "pid $work/nginx.pid;\nerror_log $work/nginx.log;\n"
             . "worker_processes 1;\nevents { }\n$text\n");
        return ('-c', "$work/nginx.conf", '-e', "$work/nginx.log");
    },
);

my $pid;
sub start {
    my ($program, @arguments) = @_;
    $pid = fork;
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$work/console.log";
        open STDERR, '>&', \*STDOUT;
        exec $program, @arguments or POSIX::_exit(127);
    }
    return;
}

sub stop {
    return if !$pid;
    kill 'TERM', $pid;
    for (1 .. 200) {
        last if waitpid($pid, WNOHANG) == $pid;
        sleep 0.05;
    }
    $pid = undef;
    return;
}

sub ask {
    my ($port, $name, $path, %more) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $port, %more);
    return $c->error if $c->error;
    my $a = $c->get($name, $path);
    $a->{cert} = $c->cert if $more{tls};
    $a->{resumed} = $c->resumed if $more{tls};
    $a->{session} = $c->session if $more{tls};
    return $a;
}

for my $name (sort keys %balancers) {
    my ($tls, $plain) = Sniv::Httpd::free_ports(2);
    start($balancers{$name}, $conf{$name}->($tls, $plain));
    ok soon(sub { ref ask($plain, 'v0.test', '/') }), "$name: it runs"
        or diag slurp("$work/console.log");
    my %seen;
    my $ask = sub {
        return ask($tls, 's.test', '/', local => '127.0.0.9',
                   tls => { sni => 's.test', @_ });
    };
    my $first = $ask->();
    is $first->{cert}, 's', "$name: the certificate of the name";
    is $first->{headers}{'x-client'}, '127.0.0.9',
        '... and the address of the client';
    my $resumed = 0;
    for (1 .. 20) {
        my $a = $ask->(session => $first->{session});
        $seen{ $a->{headers}{'x-server'} }++;
        $resumed += $a->{resumed};
        $first = $a if $a->{session};
        last if keys %seen == 2 && $_ >= 6;
    }
    is join(' ', sort keys %seen), '1 2', '... on both servers';
    cmp_ok $resumed, '>=', 6, '... where sessions resume';
    ($status, $said) = $r->store('--key', $key, 'challenge', 'put', 'http-01',
                                 $name, "$name.x");
    is $status, 0, '... a challenge is put';
    is join(' ', map { ask($plain, 's.test',
                           "/.well-known/acme-challenge/$name")->{body} }
                 1 .. 4), join(' ', ("$name.x") x 4),
        '... and answered by whoever is asked';

    $servers[1]->stop;
    ok soon(sub { 8 == grep { ref && $_->{cert} eq 's' }
                          map { $ask->() } 1 .. 8 }),
        '... one server is down: the other one serves';
    $servers[1]->start;
    ok soon(sub { my $a = $ask->();
                  ref $a && $a->{headers}{'x-server'} == 2 }),
        '... and it is back';
    stop();
}

$_->stop for @servers;
$_->remove for @servers, $r;

END {
    my $status = $?;
    stop();
    remove_tree($work) if $work;
    $? = $status;
}

done_testing;
