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

# What it takes to renew certificates that are served: httpd with mod_snivhost
# and a folder of certificates, the same with a lean virtual host for each,
# nginx and HAProxy, which have to reload. All have the same files: one for
# each certificate, with chain and key in it.
#
#   t/bench/reload.pl [--sizes 1000,20000,100000] [--rounds 3]
#                       [--servers folder,lean,nginx,haproxy] [--keys ec|rsa]
#                       [--renewals 50] [--batch 500] [--budget 120]
#                       [--idle 10] [--threads 4] [--names 20]
#                       [--work DIR]
#
# A server that is not installed is left out. Columns, each the median of the
# rounds:
#
#   files      that are read at a start
#   start      seconds from exec to the first whole handshake, last name
#   cpu s      of the parent (master) until then
#   PSS        MiB, of all processes
#   idle       CPU time of all processes in an idle server, ms a second
#   p50, p99   ms from the rename of one file until no handshake that begins
#              shows the old certificate any more, in none of the children;
#              nginx and HAProxy are told to reload right after the rename
#   n          how many such renewals there were: --renewals, fewer if they
#              take longer than --budget seconds
#   each       CPU ms of all processes for one of them
#   batch/s    so many files are renamed one after the other, and one reload
#              is asked for where that is needed: renewals a second, until
#              each of the names shows its new certificate
#   failed     handshakes that failed meanwhile
#   new, gone  ms from the rename of a file with a new name until it is served,
#              and from its removal until it is not, the longest of --names;
#              only where that needs neither a line nor a reload
#
# Numbers of batch/s above 1000 are those of the client: it makes a handshake
# for each. The client and the server share the machine.

use strict;
use warnings FATAL => 'all';

use Cwd ();
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Path qw(make_path remove_tree);
use Getopt::Long qw(GetOptions);
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use Sniv::Bench qw(haproxy_conf httpd_conf median nginx_conf program versions
                   write_file);
use Sniv::Client;
use Sniv::Httpd;
use Sniv::Proc qw(cpu processes pss read_file);

my %o = (sizes => '1000,20000,100000', rounds => 3, keys => 'ec',
         servers => 'folder,lean,nginx,haproxy', renewals => 50, batch => 500,
         budget => 120, idle => 10, threads => 4, names => 20, work => undef);
GetOptions(\%o, 'sizes=s', 'rounds=i', 'keys=s', 'servers=s', 'renewals=i',
           'batch=i', 'budget=f', 'idle=f', 'threads=i', 'names=i',
           'work=s')
    && !@ARGV or die "see the top of $0\n";

my $LONG = 600;                 # seconds that a server may take

my $keep = defined $o{work};
my $work = $o{work} || Sniv::Httpd::work() . "/bench-reload.$$";
make_path($work);
$work = Cwd::realpath($work);
chmod 0755, $work;
my $pid;
$| = 1;

END {
    my $status = $?;
    stop() if $pid;
    remove_tree($work) if $work && !$keep;
    $? = $status;
}
$SIG{INT} = $SIG{TERM} = sub { exit 1 };

# ----- the servers

my $HTTPD = Sniv::Httpd::httpd();
my %SERVERS = (
    folder  => { make => \&folder, program => $HTTPD },
    lean    => { make => sub { httpd_conf(@_, 'on', "SNIVHostAdopt On\n") },
                 program => $HTTPD },
    nginx   => { make => \&nginx_conf, reload => 1,
                 program => program('nginx', '-v') },
    haproxy => { make => \&haproxy_conf, reload => 12,
                 program => program('haproxy', '-v') },
);

# One virtual host, and a folder for all other names.
sub folder {
    my ($b) = @_;
    $b->{few} = 1;
    return httpd_conf($b, 'on', qq(SNIVHostCertificates "$b->{bundles}"\n));
}

# ----- certificates

sub certs {
    my (@arguments) = @_;
    system("$work/certs", @arguments) == 0 or die "no certificates\n";
    return;
}

# New ones for the names after the first one, to be moved in the place of what
# is there: some one by one, then a batch.
sub make_renewed {
    my ($b) = @_;
    remove_tree("$work/renewed");
    make_path("$work/renewed");
    $b->{renewals} = $b->{size} / 2 < $o{renewals} ? int($b->{size} / 2)
                                                   : $o{renewals};
    my $left = $b->{size} - $b->{renewals} - 1;
    $b->{batch} = $left < $o{batch} ? $left : $o{batch};
    certs("$work/renewed", $b->{renewals} + $b->{batch}, $o{keys}, 1,
          'bundle');
    return;
}

# ----- measuring

# What t/bench/handshakes.c says.
sub client {
    my ($b, $what, $name, $threads, @how) = @_;
    my $said = qx{$work/handshakes 127.0.0.1 $b->{port} $name $LONG $threads @how 2>&1};
    return split ' ', $said if $? == 0;
    my @log = split /\n/, read_file("$b->{dir}/error.log")
        . read_file("$b->{dir}/console.log");
    splice @log, 0, @log - 10 if @log > 10;
    die join "\n", "$b->{name}, $b->{size} certificates, $what: $said"
        . "The end of its log:", @log, '';
}

sub start {
    my ($b, @command) = @_;
    my $begin = time;
    $pid = fork;
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$b->{dir}/console.log";
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }
    my $last = $b->{size} - 1;
    client($b, 'start', "site$last.example", 1, 'first');
    my $took = time - $begin;
    die "$b->{name} does not start: " . read_file("$b->{dir}/console.log")
        . read_file("$b->{dir}/error.log") . "\n"
        if waitpid($pid, WNOHANG) == $pid;
    my $cpu = cpu($pid);
    client($b, 'start', 'site%.example', 1, 'each', $last, $last);
    return ($took, $cpu);
}

sub stop {
    kill 'TERM', $pid;
    for (1 .. 1200) {
        last if waitpid($pid, WNOHANG) == $pid;
        sleep 0.05;
    }
    $pid = undef;
    return;
}

# CPU milliseconds a second while nothing happens.
sub idle {
    my $before = cpu(processes($pid));
    sleep $o{idle};
    return 1000 * (cpu(processes($pid)) - $before) / $o{idle};
}

sub renew {
    my ($b, $from, $to) = @_;
    my $signal = $SERVERS{ $b->{name} }{reload};
    my ($ms, $failed) = client($b, 'renewal', 'site%.example', $o{threads},
        'renew', $b->{bundles}, "$work/renewed", $from, $to,
        $signal ? ($pid, $signal) : ());
    $b->{failed} += $failed;
    return $ms;
}

# One by one, as long as there is time: the client's and the server's CPU time
# are told apart by whose it is.
sub one_by_one {
    my ($b) = @_;
    my $end = time + $o{budget};
    my (@ms, $spent);
    while (@ms < $b->{renewals} && (!@ms || time < $end)) {
        my $before = cpu(processes($pid));
        push @ms, renew($b, 1 + @ms, 1 + @ms);
        sleep 0.2;                      # old workers end
        my $used = cpu(processes($pid)) - $before;
        $spent += $used if $used > 0;
    }
    push @{ $b->{ms} }, @ms;
    return 1000 * ($spent // 0) / @ms;
}

# Names that come and go, one by one: ms until each is served, and is not.
sub come_and_go {
    my ($b) = @_;
    my ($here, $there) = ("$work/new", $b->{bundles});
    make_path($here);
    certs($here, $o{names}, $o{keys}, $b->{size}, 'bundle');
    my $wait = sub {
        my ($name, $is_served, $change) = @_;
        my ($begin, $is) = (time, $is_served ? '' : $name);
        $change->();
        while (($is eq $name) != $is_served) {
            die "$name: $is\n" if time > $begin + $LONG;
            my $c = Sniv::Client->new(addr => '127.0.0.1', port => $b->{port},
                                      tls => { sni => $name });
            $is = $c->error || $c->cert;
        }
        return 1000 * (time - $begin);
    };
    for my $n ($b->{size} .. $b->{size} + $o{names} - 1) {
        my $name = "site$n.example";
        push @{ $b->{new} }, $wait->($name, 1, sub {
            rename "$here/$n.pem", "$there/$n.pem" or die "$n.pem: $!\n" });
        push @{ $b->{gone} }, $wait->($name, 0, sub {
            unlink "$there/$n.pem" or die "$n.pem: $!\n" });
    }
    remove_tree($here);
    return;
}

# One round of one server; what was measured is added to its lists.
sub run {
    my ($b) = @_;
    my $server = $SERVERS{ $b->{name} };
    my $add = sub { push @{ $b->{got}{ $_[0] } }, $_[1]; };
    make_renewed($b);
    ($b->{port}) = Sniv::Httpd::free_ports(1);
    remove_tree($b->{dir});
    make_path($b->{dir});
    my ($file, $text, @arguments) = $server->{make}->($b);
    write_file("$b->{dir}/$file", $text);
    my ($start, $cpu) = start($b, $server->{program}, @arguments);
    $add->(start => $start);
    $add->(cpu => $cpu);
    sleep 1;
    $add->(pss => pss($pid));
    $add->(idle => idle());
    $add->(each => one_by_one($b));
    my $ms = renew($b, 1 + $b->{renewals}, $b->{renewals} + $b->{batch});
    $add->(batch => 1000 * $b->{batch} / $ms);
    come_and_go($b) if $b->{few};
    stop();
    return;
}

# ----- telling

sub percentile {
    my ($percent, @numbers) = @_;
    my @sorted = sort { $a <=> $b } @numbers;
    return $sorted[int($#sorted * $percent / 100 + 0.5)];
}

sub row {
    my ($b) = @_;
    printf "%7d  %-8s %8.2f %7.2f %8.1f %6.1f %9.0f %9.0f %4d %8.1f %8.0f %6d %5s %5s\n",
        $b->{size}, $b->{name},
        (map { median(@{ $b->{got}{$_} }) } qw(start cpu pss idle)),
        percentile(50, @{ $b->{ms} }), percentile(99, @{ $b->{ms} }),
        scalar @{ $b->{ms} },
        (map { median(@{ $b->{got}{$_} }) } qw(each batch)), $b->{failed},
        map { $_ ? sprintf '%.0f', percentile(100, @$_) : '-' }
        @$b{qw(new gone)};
    return;
}

for my $tool (qw(certs handshakes)) {
    system('cc', '-O2', "$FindBin::Bin/$tool.c", '-o', "$work/$tool", '-lssl',
           '-lcrypto', '-lpthread') == 0 or die "cc failed\n";
}
my @servers = split /,/, $o{servers};
for my $name (@servers) {
    die "no server '$name'\n" if !$SERVERS{$name};
    print "# $name is not installed\n" if !$SERVERS{$name}{program};
}
@servers = grep { $SERVERS{$_}{program} } @servers;
print "# $_\n" for versions();
printf "# %d round%s, %s keys, batch %d, %s\n", $o{rounds},
    $o{rounds} == 1 ? '' : 's', uc $o{keys}, $o{batch}, scalar localtime;
printf "%7s  %-8s %8s %7s %8s %6s %9s %9s %4s %8s %8s %6s %5s %5s\n", 'files',
    'server', 'start s', 'cpu s', 'PSS MiB', 'idle', 'p50 ms', 'p99 ms', 'n',
    'each', 'batch/s', 'failed', 'new', 'gone';
for my $size (split /,/, $o{sizes}) {
    die "at least 4 certificates\n" if $size < 4;
    my $bundles = "$work/$o{keys}.$size";
    make_path($bundles);
    certs($bundles, $size, $o{keys}, 0, 'bundle');
    my @turns = map { { size => $size, name => $_, bundles => $bundles,
                        dir => "$work/$_", got => {}, ms => [], failed => 0 } }
        @servers;
    for my $round (1 .. $o{rounds}) {
        run($_) for @turns;
    }
    row($_) for @turns;
    remove_tree($bundles) if !$keep;
}
