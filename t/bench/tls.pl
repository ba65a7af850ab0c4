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

# What many TLS virtual hosts cost, each with a certificate of its own: stock
# httpd, httpd with mod_snivhost and SNIVHostAdopt On, nginx and HAProxy, all
# with the same certificates, one after the other within each round.
#
#   t/bench/tls.pl [--sizes 1000,5000] [--rounds 3] [--keys ec|rsa]
#                  [--servers stock,adopt,nginx,haproxy] [--work DIR]
#                  [--seconds 3] [--title 0]
#
# A server that is not installed is left out. Each number is the median of
# the rounds:
#
#   start      seconds from exec to the first whole handshake, last name
#   restart    graceful: seconds from the signal until the last name's renewed
#              certificate is served (nginx HUP, HAProxy USR2 to its master)
#   wait       how many ms one handshake took at most meanwhile
#   cpu        CPU seconds of the parent (master) until start has ended
#   PSS        MiB, of all processes
#   first/s    full handshakes a second, 8 clients at once, first name
#   last/s     the same for the last name
#   us         CPU time of the server for one of them, in microseconds
#   touch      the median handshake, in ms, of up to 200 names that nobody has
#              asked for since the start
#   again      the same names later, when each process knows them
#
# Below the rows: the module against stock, against HAProxy, and against
# stock with 10 virtual hosts. The client is t/bench/handshakes.c; it and the
# server share the machine.

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
use Sniv::Httpd;
use Sniv::Proc qw(cpu processes pss read_file);

my %o = (sizes => '1000,5000', rounds => 3, keys => 'ec', seconds => 3,
         servers => 'stock,adopt,nginx,haproxy', work => undef, title => 1);
GetOptions(\%o, 'sizes=s', 'rounds=i', 'keys=s', 'servers=s', 'work=s',
           'seconds=f', 'title=i')
    && !@ARGV or die "see the top of $0\n";

my $LONG = 600;                 # seconds that a server may take
my $FEW = 10;                   # virtual hosts of the one beside

my $keep = defined $o{work};
my $work = $o{work} || Sniv::Httpd::work() . "/bench-tls.$$";
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

# name => how to configure it: ($b) -> (file name, its text, command...), and
# the signal for a graceful restart. $b has size, port, certs (a folder),
# bundles (a folder, HAProxy's way), dir (its own folder).
my %SERVERS = (
    stock   => { make => sub { httpd_conf(@_, 'off', '') }, restart => 'USR1',
                 program => Sniv::Httpd::httpd() },
    adopt   => { make => sub { httpd_conf(@_, 'on', "SNIVHostAdopt On\n") },
                 restart => 'USR1', program => Sniv::Httpd::httpd() },
    nginx   => { make => \&nginx_conf, restart => 'HUP',
                 program => program('nginx', '-v') },
    haproxy => { make => \&haproxy_conf, restart => 'USR2',
                 program => program('haproxy', '-v') },
);

# ----- certificates

# In $b: pairs of files, and in one folder what belongs together in one file.
sub make_certs {
    my ($b) = @_;
    my $certs = $b->{certs} = "$work/$o{keys}";
    my $bundles = $b->{bundles} = "$work/bundles.$b->{size}";
    remove_tree("$work/renewed");
    make_path($certs, $bundles, "$work/renewed");
    system("$work/certs", $certs, $b->{size}, $o{keys}) == 0
        or die "no certificates\n";
    my $last = $b->{size} - 1;
    system("$work/certs", "$work/renewed", 1, $o{keys}, $last) == 0
        or die "no certificates\n";
    for my $i (0 .. $last) {
        write_file("$bundles/$i.pem", read_file("$certs/$i.crt")
                                      . read_file("$certs/$i.key"), 0600);
    }
    # the last name has two, that are put into its place by turns
    $b->{turns} = [map { [read_file("$_/$last.crt"), read_file("$_/$last.key")] }
                       $certs, "$work/renewed"];
    return;
}

sub renew {
    my ($b) = @_;
    my $last = $b->{size} - 1;
    push @{ $b->{turns} }, shift @{ $b->{turns} };
    my ($crt, $key) = @{ $b->{turns}[0] };
    write_file("$b->{certs}/$last.key", $key, 0600);
    write_file("$b->{certs}/$last.crt", $crt);
    write_file("$b->{bundles}/$last.pem", $crt . $key, 0600);
    return "$b->{certs}/$last.crt";
}

# ----- measuring

# What t/bench/handshakes.c says.
sub client {
    my ($b, $what, $name, $seconds, $threads, @how) = @_;
    my $said = qx{$work/handshakes 127.0.0.1 $b->{port} $name $seconds $threads @how 2>&1};
    return $said if $? == 0;
    my @log = split /\n/, read_file("$b->{dir}/error.log")
        . read_file("$b->{dir}/console.log");
    splice @log, 0, @log - 10 if @log > 10;
    die join "\n", "$b->{name}, $b->{size} virtual hosts, $what: $said"
        . "The end of its log:", @log, '';
}

sub site { return "site$_[0].example"; }

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
    client($b, 'start', site($last), $LONG, 1, 'first');
    my $took = time - $begin;
    die "$b->{name} does not start: " . read_file("$b->{dir}/console.log")
        . read_file("$b->{dir}/error.log") . "\n"
        if waitpid($pid, WNOHANG) == $pid;
    my $cpu = cpu($pid);
    client($b, 'start', site('%'), $LONG, 1, 'each', $last, $last);
    return ($took, $cpu);
}

sub stop {
    kill 'TERM', $pid;
    for (1 .. 600) {
        last if waitpid($pid, WNOHANG) == $pid;
        sleep 0.05;
    }
    $pid = undef;
    return;
}

# Handshakes per second, and the server's CPU time for one in us.
sub rate {
    my ($b, $n) = @_;
    my $before = cpu(processes($pid));
    my ($rate, $all) = split ' ',
        client($b, 'rate', site($n), $o{seconds}, 8);
    return ($rate, 1e6 * (cpu(processes($pid)) - $before) / $all);
}

sub touch {
    my ($b, $names) = @_;
    return (split ' ', client($b, 'touch', site('%'), $LONG, 1, 'each', 1,
                              $names))[0];
}

sub restart {
    my ($b) = @_;
    my $file = renew($b);
    my $begin = time;
    kill $SERVERS{ $b->{server} }{restart}, $pid;
    my ($wait, $failed) = split ' ',
        client($b, 'restart', site($b->{size} - 1), $LONG, 1, 'until', $file);
    $b->{failed} += $failed;
    return (time - $begin, $wait);
}

# One round of one server; what was measured is added to its lists.
sub run {
    my ($b) = @_;
    my $server = $SERVERS{ $b->{server} };
    my $got = $b->{got};
    my $add = sub { while (@_) { push @{ $got->{ $_[0] } }, $_[1];
                                 splice @_, 0, 2; } };
    ($b->{port}) = Sniv::Httpd::free_ports(1);
    remove_tree($b->{dir});
    make_path($b->{dir});
    my ($file, $text, @arguments) = $server->{make}->($b);
    write_file("$b->{dir}/$file", $text);
    my ($start, $cpu) = start($b, $server->{program}, @arguments);
    $add->(start => $start, cpu => $cpu);
    sleep 0.5;
    $add->(pss => pss($pid));
    my $names = $b->{size} > 202 ? 200 : $b->{size} - 2;
    $add->(touch => touch($b, $names));
    touch($b, $names) for 1 .. 6;
    $add->(again => touch($b, $names));
    $add->(first => (rate($b, 0))[0]);
    my ($rate, $us) = rate($b, $b->{size} - 1);
    $add->(last => $rate, us => $us);
    my ($restart, $wait) = restart($b);
    $add->(restart => $restart, wait => $wait);
    $b->{said} = $1 if read_file("$b->{dir}/error.log")
        =~ /(adopted \d+ of \d+)/;
    stop();
    return;
}

# ----- telling

my @COLUMNS = qw(start restart wait cpu pss first last us touch again);

sub row {
    my ($b) = @_;
    my $m = $b->{median} = { map { $_ => median(@{ $b->{got}{$_} }) }
                                 @COLUMNS };
    printf "%7d  %-8s %8.2f %8.2f %7.0f %7.2f %7.1f %7.0f %7.0f %6.0f %6.2f "
        . "%6.2f%s%s\n", $b->{size}, $b->{name}, @{$m}{@COLUMNS},
        $b->{said} ? "  $b->{said}" : '',
        $b->{failed} ? "  $b->{failed} handshakes failed at restarts" : '';
    return;
}

sub parts {
    my ($is, $was, @which) = @_;
    return join '', map {
        sprintf "  %s 1/%.1f", $_, $was->{$_} / ($is->{$_} || 0.01) } @which;
}

sub ratios {
    my ($by) = @_;
    my $is = $by->{adopt} && $by->{adopt}{median} or return;
    my ($stock, $haproxy, $few) = map { $by->{$_} && $by->{$_}{median} }
        qw(stock haproxy few);
    my $size = $by->{adopt}{size};
    print "# $size adopt/stock:  ",
        parts($is, $stock, qw(start restart cpu pss)), "\n" if $stock;
    print "# $size adopt/haproxy:",
        parts($is, $haproxy, qw(start restart cpu pss)), "\n" if $haproxy;
    printf "# %d adopt/stock at %d:  first/s %.2f  last/s %.2f  us %.2f\n",
        $size, $FEW, map { $is->{$_} / $few->{$_} } qw(first last us)
        if $few;
    printf "# %d adopt: a first touch costs %.2f ms more\n", $size,
        $is->{touch} - $is->{again};
    return;
}

sub heading {
    print "# $_\n" for versions();
    printf "# %d round%s, %s keys, %s\n", $o{rounds},
        $o{rounds} == 1 ? '' : 's', uc $o{keys}, scalar localtime;
    printf "%7s  %-8s %8s %8s %7s %7s %7s %7s %7s %6s %6s %6s\n", 'vhosts',
        'server', 'start s', 'restart', 'wait ms', 'cpu s', 'PSS MiB',
        'first/s', 'last/s', 'us', 'touch', 'again';
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
heading() if $o{title};
for my $size (split /,/, $o{sizes}) {
    die "at least 4 virtual hosts\n" if $size < 4;
    my %certs = (size => $size);
    make_certs(\%certs);
    my %by = map { $_ => { %certs, name => $_, server => $_, got => {},
                           failed => 0, dir => "$work/$_" } } @servers;
    my @turns = map { $by{$_} } @servers;
    if ($by{stock} && $size != $FEW) {
        my %few = (size => $FEW);
        make_certs(\%few);
        push @turns, $by{few} = { %few, name => 'stock', server => 'stock',
                                  got => {}, failed => 0, dir => "$work/few" };
    }
    for my $round (1 .. $o{rounds}) {
        run($_) for @turns;
    }
    row($_) for @turns;
    ratios(\%by);
}
