#!/usr/bin/perl
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

# Servers with one store: what many certificates in it take, and how long it
# is from a "put" until all servers show what was put.
#
#   t/bench/fleet.pl [--sizes 10000,100000] [--nodes 2] [--puts 100]
#                    [--keys ec|rsa] [--sealed] [--idle 10] [--work DIR]
#
# A store on a unix socket, and so many servers, each with a copy of its own.
# Columns; where there are several servers, the slowest or largest of them:
#
#   entries    in the store
#   fill       seconds of snivhost-store put FOLDER, with all of them
#   again      ... once more: nothing changes
#   store      MiB that the store says it uses
#   first      seconds from exec to the first handshake for the last name, with
#              no copy: all is read (timeout=60)
#   start      ... with a copy
#   parent, keeper, children, copy
#              PSS in MiB: of httpd's parent process, the keeper, all of its
#              children, and of snivhost-store copy
#   idle       CPU time of all these processes while nothing changes, ms a
#              second
#   p50, p99   ms from the start of snivhost-store put FILE until all servers
#              show the certificate
#   cpu keeper, cpu copy
#              CPU ms of these processes of one server for one of these
#
# The client, the store and the servers share the machine.

use strict;
use warnings FATAL => 'all';

use Cwd ();
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Path qw(make_path remove_tree);
use Getopt::Long qw(GetOptions);
use Net::SSLeay;
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use Sniv::Bench qw(httpd_conf write_file);
use Sniv::Client;
use Sniv::Httpd;
use Sniv::Proc qw(cpu processes pss read_file);
use Sniv::Redis;

my %o = (sizes => '10000,100000', nodes => 2, puts => 100, keys => 'ec',
         sealed => 0, idle => 10, work => undef);
GetOptions(\%o, 'sizes=s', 'nodes=i', 'puts=i', 'keys=s', 'sealed', 'idle=f',
           'work=s')
    && !@ARGV or die "see the top of $0\n";
die Sniv::Redis::missing(), "\n" if Sniv::Redis::missing();

my $LONG = 900;                 # seconds that anything may take

my $keep = defined $o{work};
my $work = $o{work} || Sniv::Httpd::work() . "/bench-fleet.$$";
make_path($work);
$work = Cwd::realpath($work);
chmod 0755, $work;
my @nodes;
$| = 1;

END {
    my $status = $?;
    stop($_) for grep { $_->{pid} } @nodes;
    remove_tree($work) if $work && !$keep;
    $? = $status;
}
$SIG{INT} = $SIG{TERM} = sub { exit 1 };

sub certs {
    my (@arguments) = @_;
    system("$work/certs", @arguments) == 0 or die "no certificates\n";
    return;
}

sub store {
    my ($redis, @words) = @_;
    my $begin = time;
    my ($status, $said) = $redis->store(
        ($o{sealed} ? ('--key', "$work/key") : ()), @words);
    die "snivhost-store @words: ", substr($said, -500), "\n" if $status;
    return time - $begin;
}

# ----- servers

sub shown {
    my ($node, $name) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $node->{port},
                              tls => { sni => $name });
    return '' if $c->error;
    my $x509 = Net::SSLeay::get_peer_certificate($c->{ssl}) or return '';
    my $print = Net::SSLeay::X509_get_fingerprint($x509, 'sha256');
    Net::SSLeay::X509_free($x509);
    $c->close;
    return $print;
}

sub fingerprint_of {
    my ($file) = @_;
    my $bio = Net::SSLeay::BIO_new_file($file, 'r') or die "$file: $!\n";
    my $x509 = Net::SSLeay::PEM_read_bio_X509($bio) or die "$file\n";
    my $print = Net::SSLeay::X509_get_fingerprint($x509, 'sha256');
    Net::SSLeay::X509_free($x509);
    Net::SSLeay::BIO_free($bio);
    return $print;
}

sub wait_for {
    my ($node, $name, $print) = @_;
    my $end = time + $LONG;
    while (shown($node, $name) ne $print) {
        die "$name is not served: ", substr(read_file("$node->{dir}/error.log"),
                                            -1000), "\n" if time > $end;
        sleep 0.01;
    }
    return;
}

# @return seconds until the last name is served
sub start {
    my ($node, $name, $print) = @_;
    my $begin = time;
    my $pid = fork;
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$node->{dir}/console.log";
        open STDERR, '>&', \*STDOUT;
        exec @{ $node->{command} } or POSIX::_exit(127);
    }
    $node->{pid} = $pid;
    wait_for($node, $name, $print);
    return time - $begin;
}

sub stop {
    my ($node) = @_;
    kill 'TERM', $node->{pid};
    for (1 .. 1200) {
        last if waitpid($node->{pid}, WNOHANG) == $node->{pid};
        sleep 0.05;
    }
    $node->{pid} = undef;
    return;
}

# PSS in MiB of one process, not of its children
sub pss_of {
    my ($pid) = @_;
    return read_file("/proc/$pid/smaps_rollup") =~ /^Pss:\s+(\d+)/m
        ? $1 / 1024 : 0;
}

sub kind_of {
    my ($node, $pid) = @_;
    my $name = read_file("/proc/$pid/comm");
    return $pid == $node->{pid} ? 'parent'
        : $name =~ /keeper/ ? 'keeper'
        : $name =~ /^snivhost-store/ ? 'copy' : 'children';
}

# The memory of a server by what its processes are.
sub parts {
    my ($node) = @_;
    my %part = (parent => 0, keeper => 0, children => 0, copy => 0);
    for my $pid (processes($node->{pid})) {
        $part{ kind_of($node, $pid) } += pss_of($pid);
    }
    return %part;
}

sub most {
    my (@numbers) = @_;
    return (sort { $b <=> $a } @numbers)[0];
}

# CPU seconds of each server: of all its processes, or of those of a kind.
sub cpu_of {
    my ($kind) = @_;
    return map {
        my $node = $_;
        cpu(grep { !$kind || kind_of($node, $_) eq $kind }
                 processes($node->{pid}));
    } @nodes;
}

sub percentile {
    my ($percent, @numbers) = @_;
    my @sorted = sort { $a <=> $b } @numbers;
    return $sorted[int($#sorted * $percent / 100 + 0.5)];
}

# ----- one size

sub measure {
    my ($size) = @_;
    my %got;
    my $bundles = "$work/$o{keys}.$size";
    make_path($bundles);
    certs($bundles, $size, $o{keys}, 0, 'bundle');
    my $redis = Sniv::Redis->new(name => "bench$size")->start;
    $got{fill} = store($redis, 'put', $bundles);
    $got{again} = store($redis, 'put', $bundles);
    my $entries = $redis->cli('HLEN', 'sites:certs');
    ($got{store}) = $redis->cli('INFO', 'memory') =~ /^used_memory:(\d+)/m;
    $got{store} /= 1024 * 1024;

    my ($last, $print) = ("site@{[$size - 1]}.example",
                          fingerprint_of("$bundles/@{[$size - 1]}.pem"));
    @nodes = map { { n => $_, dir => "$work/node$_" } } 1 .. $o{nodes};
    for my $node (@nodes) {
        remove_tree($node->{dir});
        make_path($node->{dir});
        ($node->{port}) = Sniv::Httpd::free_ports(1);
        my $url = $redis->url('timeout=60');
        my $key = $o{sealed} ? "SNIVHostStoreKey $work/key\n" : '';
        my ($file, $text, @arguments) = httpd_conf(
            { size => $size, few => 1, bundles => $bundles,
              port => $node->{port}, dir => $node->{dir} }, 'on',
            "SNIVHostCertificates $url\n$key");
        write_file("$node->{dir}/$file", $text);
        $node->{command} = [Sniv::Httpd::httpd(), @arguments];
    }
    # one after the other: each has the machine for itself
    $got{first} = most(map { start($_, $last, $print) } @nodes);
    for my $node (@nodes) {
        stop($node);
        $node->{start} = start($node, $last, $print);
    }
    $got{start} = most(map { $_->{start} } @nodes);
    sleep 2;
    my %all;
    for my $node (@nodes) {
        my %part = parts($node);
        push @{ $all{$_} }, $part{$_} for keys %part;
    }
    $got{$_} = most(@{ $all{$_} }) for keys %all;

    my @before = cpu_of();
    sleep $o{idle};
    my @after = cpu_of();
    $got{idle} = most(map { 1000 * ($after[$_] - $before[$_]) / $o{idle} }
                      0 .. $#nodes);

    my $renewed = "$work/renewed";
    remove_tree($renewed);
    make_path($renewed);
    certs($renewed, $o{puts}, $o{keys}, 1, 'bundle');
    my @ms;
    my %before = map { $_ => [cpu_of($_)] } qw(keeper copy);
    for my $i (1 .. $o{puts}) {
        my $new = fingerprint_of("$renewed/$i.pem");
        my $start = time;
        store($redis, 'put', "$renewed/$i.pem");
        wait_for($_, "site$i.example", $new) for @nodes;
        push @ms, 1000 * (time - $start);
        sleep rand 1;           # not in step with the servers' looks
    }
    for my $kind (keys %before) {
        my @now = cpu_of($kind);
        $got{"cpu $kind"} = most(map { 1000 * ($now[$_] - $before{$kind}[$_])
                                       / @ms } 0 .. $#nodes);
    }
    $got{p50} = percentile(50, @ms);
    $got{p99} = percentile(99, @ms);
    stop($_) for @nodes;
    @nodes = ();
    $redis->remove;
    remove_tree($bundles) if !$keep;
    printf "%7d %6.1f %6.1f %6.0f %6.1f %6.1f %7.1f %7.1f %8.1f %6.1f %5.1f"
        . " %6.0f %6.0f %6.1f %6.1f\n", $entries,
        @got{qw(fill again store first start parent keeper children copy idle
                p50 p99), 'cpu keeper', 'cpu copy'};
    return;
}

system('cc', '-O2', "$FindBin::Bin/certs.c", '-o', "$work/certs", '-lssl',
       '-lcrypto') == 0 or die "cc failed\n";
if ($o{sealed}) {
    write_file("$work/key", 'a1' x 32 . "\n");
    chmod 0600, "$work/key";
}
printf "# %s\n# %d servers, %d puts, %s keys%s, %s\n",
    (split /\n/, qx{@{[Sniv::Redis::server()]} --version})[0], $o{nodes},
    $o{puts}, uc $o{keys}, $o{sealed} ? ', sealed' : '', scalar localtime;
printf "%7s %6s %6s %6s %6s %6s %7s %7s %8s %6s %5s %6s %6s %6s %6s\n",
    qw(entries fill again store first start parent keeper children copy idle
       p50 p99 keeper copy);
measure($_) for split /,/, $o{sizes};
