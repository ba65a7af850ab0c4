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

# Renewal while handshakes go on, without a restart:
#
#   t/bench/renewals.pl [--size 1000] [--lean 100] [--nested] [--rate 50]
#                       [--seconds 60] [--rounds 3] [--samples 200]
#                       [--threads 8] [--mpm event] [--work DIR]
#
# A server with --size certificates: that of the first virtual host, which
# mod_ssl has set up, of --lean ones with files of their own (certificate and
# key in two files), and the rest in one folder, or with --nested each in a
# folder of its own. Two measurements:
#
#   served     a random one is replaced, and a client connects until it shows
#              the new one: ms from the last rename; --samples times. It
#              contains some ms to start the client
#   rate       full handshakes a second of --threads clients with the first
#              name, for --seconds without renewals ("quiet") and for as long
#              with --rate renewals a second, of all names by turns, in
#              --rounds rounds. Meanwhile another client asks for all names,
#              and each has to show a certificate that is its own
#
# A handshake that fails, or shows another's certificate, ends the benchmark.
# In the end each certificate has to be served as it was written last (of more
# than 1,000, so many). Servers and clients share the machine.

use strict;
use warnings FATAL => 'all';

use Cwd ();
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Path qw(make_path remove_tree);
use Getopt::Long qw(GetOptions);
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use Sniv::Httpd;
use Sniv::Proc qw(cpu processes read_file);

my %o = (size => 1000, lean => 100, nested => 0, rate => 50, seconds => 60,
         rounds => 3, samples => 200, threads => 8, mpm => 'event',
         work => undef);
GetOptions(\%o, 'size=i', 'lean=i', 'nested', 'rate=i', 'seconds=i',
           'rounds=i', 'samples=i', 'threads=i', 'mpm=s', 'work=s')
    && !@ARGV && $o{size} > $o{lean} or die "see the top of $0\n";

my $LONG = 600;                 # seconds that a server may take
my $CHECKED = 1000;

my $keep = defined $o{work};
my $work = $o{work} || Sniv::Httpd::work() . "/bench-renewals.$$";
make_path($work);
$work = Cwd::realpath($work);
chmod 0755, $work;
my ($pid, $port);
my @children;
my $is_parent = $$;
$| = 1;

END {
    my $status = $?;
    if ($$ == $is_parent) {
        kill 'TERM', @children;
        stop() if $pid;
        remove_tree($work) if $work && !$keep;
        remove_tree("$work/live") if $work;
    }
    $? = $status;
}
$SIG{INT} = $SIG{TERM} = sub { exit 1 };

# ----- certificates

for my $tool (qw(certs handshakes)) {
    system('cc', '-O2', "$FindBin::Bin/$tool.c", '-o', "$work/$tool", '-lssl',
           '-lcrypto', '-lpthread') == 0 or die "cc failed\n";
}
make_path("$work/$_"),
    system("$work/certs", "$work/$_", $o{size}, 'ec') == 0
    or die "no certificates\n" for 0, 1;
my @turn = (0) x $o{size};

sub write_file {
    my ($file, @texts) = @_;
    open my $fh, '>', "$file.new" or die "$file: $!\n";
    print $fh @texts;
    close $fh or die "$file: $!\n";
    chmod 0600, "$file.new";
    rename "$file.new", $file or die "$file: $!\n";
    return;
}

sub place {
    my ($i) = @_;
    return $i <= $o{lean} ? "$work/live/$i"
        : $o{nested} ? "$work/live/certs/$i/fullchain" : "$work/live/certs/$i";
}

# Write the files of a name.
sub put {
    my ($i) = @_;
    my ($crt, $key) = map { read_file("$work/$turn[$i]/$i.$_") } qw(crt key);
    if ($i <= $o{lean}) {
        write_file(place($i) . '.key', $key);
        write_file(place($i) . '.crt', $crt);
    }
    else {
        write_file(place($i) . '.pem', $crt, $key);
    }
    return;
}

sub renew {
    my ($i) = @_;
    $turn[$i] = 1 - $turn[$i];
    put($i);
    return;
}

# ----- the server

sub configure {
    my ($user, $group) = $> != 0 ? () : ('nobody',
        scalar getgrgid((getpwnam 'nobody')[3]));
    my $as = $user ? "User $user\nGroup $group\n" : '';
    my $conf = Sniv::Httpd::modules_conf($o{mpm})
        . Sniv::Httpd::snivhost_conf('on') . <<"END";
SNIVHostAdopt On
ServerRoot "$work/live"
PidFile pid
DefaultRuntimeDir "$work/live"
ErrorLog error.log
LogLevel notice
ServerName main.example
TypesConfig /dev/null
${as}Listen 127.0.0.1:$port
DocumentRoot "$work/live"
SSLSessionCache shmcb:$work/live/scache(512000)
StartServers 2
<IfModule !mpm_prefork_module>
ServerLimit 2
ThreadsPerChild 25
MinSpareThreads 1
MaxSpareThreads 50
MaxRequestWorkers 50
</IfModule>
SNIVHostCertificates "$work/live/certs"
END
    for my $i (0 .. $o{lean}) {
        $conf .= "<VirtualHost *:$port>\nServerName site$i.example\n"
            . "SSLEngine on\nSSLCertificateFile \"$work/live/$i.crt\"\n"
            . "SSLCertificateKeyFile \"$work/live/$i.key\"\n</VirtualHost>\n";
    }
    write_file("$work/live/httpd.conf", $conf);
    return;
}

# What t/bench/handshakes.c says.
sub client {
    my ($name, $seconds, $threads, @how) = @_;
    my $said = qx{$work/handshakes 127.0.0.1 $port $name $seconds $threads @how 2>&1};
    die "$name, @how: $said" . read_file("$work/live/error.log") if $?;
    return $said;
}

sub site { return "site$_[0].example"; }

sub start {
    remove_tree("$work/live");
    make_path("$work/live/certs");
    for my $i (0 .. $o{size} - 1) {
        make_path("$work/live/certs/$i") if $o{nested} && $i > $o{lean};
        put($i);
    }
    ($port) = Sniv::Httpd::free_ports(1);
    configure();
    $pid = fork;
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        setpgrp 0, 0;
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$work/live/console.log";
        open STDERR, '>&', \*STDOUT;
        exec Sniv::Httpd::httpd(), '-f', "$work/live/httpd.conf",
            '-DFOREGROUND' or POSIX::_exit(127);
    }
    client(site(0), $LONG, 1, 'first');
    die 'httpd does not start: ' . read_file("$work/live/console.log")
        . read_file("$work/live/error.log") if waitpid($pid, WNOHANG) == $pid;
    client(site('%'), $LONG, 1, 'each', 0, $o{size} - 1);
    return;
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

# ----- measuring

# Wait until a name shows what was written last.
sub wait_for {
    my ($i) = @_;
    client(site($i), 60, 1, 'until', "$work/$turn[$i]/$i.crt");
    return;
}

sub served {
    my @ms;
    for (1 .. $o{samples}) {
        my $i = int rand $o{size};
        renew($i);
        my $begin = time;
        wait_for($i);
        push @ms, 1000 * (time - $begin);
        sleep 0.1 * rand;
    }
    @ms = sort { $a <=> $b } @ms;
    printf "served after, ms: p50 %.0f, p99 %.0f, at most %.0f (%d renewals)\n",
        $ms[$#ms / 2], $ms[$#ms * 0.99], $ms[-1], scalar @ms;
    return;
}

# A process of its own, to be waited for; dies with it.
sub beside {
    my ($code) = @_;
    my $child = fork;
    die "fork: $!\n" if !defined $child;
    if (!$child) {
        $SIG{TERM} = 'DEFAULT';
        my $ok = eval { $code->(); 1 };
        print STDERR $@ if !$ok;
        POSIX::_exit($ok ? 0 : 1);
    }
    push @children, $child;
    return $child;
}

sub done {
    my ($child) = @_;
    waitpid $child, 0;
    @children = grep { $_ != $child } @children;
    die "a handshake failed\n" if $?;
    return;
}

# Handshakes per second, CPU us of the server for each of them; what goes on
# meanwhile.
sub rate {
    my ($while) = @_;
    my $end = time + $o{seconds};
    my $all = beside(sub {
        client(site('%'), $LONG, 1, 'each', 0, $o{size} - 1)
            while time < $end;
    });
    my $before = cpu(processes($pid));
    open my $said, '-|', "$work/handshakes", '127.0.0.1', $port, site(0),
        $o{seconds}, $o{threads} or die "handshakes: $!\n";
    $while->($end);
    my ($rate, $n) = split ' ', <$said> // '';
    close $said or die "a handshake failed\n";
    my $cpu = cpu(processes($pid)) - $before;
    done($all);
    return ($rate, 1e6 * $cpu / $n);
}

my ($renewals, $next) = (0, 0);
sub renew_many {
    my ($end) = @_;
    my ($begin, $n) = (time, 0);
    while ((my $now = time) < $end) {
        if ($n < ($now - $begin) * $o{rate}) {
            renew($next);
            $next = ($next + 1) % $o{size};
            $n++;
        }
        else {
            sleep 0.5 / $o{rate};
        }
    }
    $renewals += $n;
    return;
}

my ($version) = qx{@{[Sniv::Httpd::httpd()]} -v} =~ /: (.*)/;
print "# $version, $o{mpm}, ", scalar localtime, "\n# $o{size} certificates: "
    . "one of mod_ssl's, $o{lean} lean, the rest in ",
    $o{nested} ? "folders of their own\n" : "a folder\n";
start();
served() if $o{samples};
my @ratios;
for my $round (1 .. $o{rounds}) {
    my ($quiet, $quiet_us) = rate(sub { });
    my ($busy, $busy_us) = rate(\&renew_many);
    push @ratios, $busy / $quiet;
    printf "round %d: quiet %d/s, %.0f us each; with %d renewals/s %d/s, "
        . "%.0f us each; %.3f\n", $round, $quiet, $quiet_us, $o{rate}, $busy,
        $busy_us, $ratios[-1];
}
my @checked = $o{size} <= $CHECKED ? 0 .. $o{size} - 1
                                   : map { int rand $o{size} } 1 .. $CHECKED;
wait_for($_) for @checked;
@ratios = sort { $a <=> $b } @ratios;
printf "median %.3f; %d renewals, no handshake failed, none showed another's "
    . "certificate; %d names serve what was written last\n",
    $ratios[$#ratios / 2], $renewals, scalar @checked if @ratios;
stop();
my @bad = grep { /AH0005[0-2].*signal|SNIV030[136]|SNIV035[1-4]/ }
    split /\n/, read_file("$work/live/error.log");
print "in the log: $bad[0]\n" if @bad;
exit @bad ? 1 : 0;
