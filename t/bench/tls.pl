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


# What many TLS virtual hosts cost: start until the first handshake, graceful
# restart, memory (PSS of all processes), the first handshake with a name and
# later ones, and handshakes per second; for stock httpd and for httpd with
# mod_snivhost and SNIVHostAdopt On, each with the same certificates, one of
# its own for every virtual host.
#
#   t/bench/tls.pl [--sizes 1500,5000] [--rounds 3] [--keys ec|rsa]
#                  [--servers stock,adopt] [--work DIR] [--seconds 3]
#
# Each number is the median of the rounds. "start" ends with the first whole
# handshake for the last name; "restart" is the time from SIGUSR1 to the
# parent's "resuming normal operations". "first" is the median handshake, in
# ms, of up to 200 names that nobody has asked for since the start, "again"
# the same later, when each child knows them; both include a client in Perl.
# "per s" are full handshakes for the last name, 8 clients at once, for
# --seconds. A server is one sub in %SERVERS: it gets what is in $b and
# returns a configuration and a command.

use strict;
use warnings FATAL => 'all';

use Cwd ();
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Path qw(make_path remove_tree);
use Getopt::Long qw(GetOptions);
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use Sniv::Client;
use Sniv::Httpd;

my %o = (sizes => '1500,5000', rounds => 3, keys => 'ec',
         servers => 'stock,adopt', work => undef, seconds => 3);
GetOptions(\%o, 'sizes=s', 'rounds=i', 'keys=s', 'servers=s', 'work=s',
           'seconds=f')
    && !@ARGV or die "see the top of $0\n";

my $keep = defined $o{work};
my $work = $o{work} || Sniv::Httpd::work() . "/bench-tls.$$";
make_path($work);
$work = Cwd::realpath($work);
chmod 0755, $work;
my $pid;

END {
    my $status = $?;
    stop() if $pid;
    remove_tree($work) if $work && !$keep;
    $? = $status;
}
$SIG{INT} = $SIG{TERM} = sub { exit 1 };

# name => sub: ($b) -> (file name, its text, command...). $b has size, port,
# certs (a folder), dir (its own folder).
my %SERVERS = (
    stock => sub { httpd(@_, 'off', '') },
    adopt => sub { httpd(@_, 'on', "SNIVHostAdopt On\n") },
);

sub httpd {
    my ($b, $mode, $lines) = @_;
    my $user = $> == 0 ? "User nobody\nGroup " . (getgrgid((getpwnam(
                             'nobody'))[3]))[0] . "\n" : '';
    my $conf = Sniv::Httpd::modules_conf('event')
        . Sniv::Httpd::snivhost_conf($mode) . $lines . <<"END";
ServerRoot "$b->{dir}"
PidFile "$b->{dir}/pid"
DefaultRuntimeDir "$b->{dir}"
ErrorLog "$b->{dir}/error.log"
LogLevel notice
ServerName main.example
TypesConfig /dev/null
${user}Listen 127.0.0.1:$b->{port}
DocumentRoot "$b->{dir}"
SSLSessionCache shmcb:$b->{dir}/scache(512000)
StartServers 2
ServerLimit 2
ThreadsPerChild 25
MinSpareThreads 1
MaxSpareThreads 50
MaxRequestWorkers 50
END
    for my $i (0 .. $b->{size} - 1) {
        $conf .= <<"END";
<VirtualHost *:$b->{port}>
ServerName site$i.example
ServerAlias www.site$i.example
SSLEngine on
SSLCertificateFile "$b->{certs}/$i.crt"
SSLCertificateKeyFile "$b->{certs}/$i.key"
</VirtualHost>
END
    }
    return ('httpd.conf', $conf, Sniv::Httpd::httpd(), '-f',
            "$b->{dir}/httpd.conf", '-DFOREGROUND');
}

sub read_file {
    my ($file) = @_;
    open my $fh, '<', $file or return '';
    local $/;
    my $text = <$fh>;
    return defined $text ? $text : '';
}

sub handshake {
    my ($b, $n) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $b->{port},
                              tls => { sni => "site$n.example" });
    return 0 if $c->error;
    my $cert = $c->cert;
    die "the certificate of $cert for site$n.example\n"
        if $cert ne "site$n.example";
    return 1;
}

# Seconds until the last name's handshake is done.
sub start {
    my ($b, @command) = @_;
    my $begin = time;
    $pid = fork;
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDOUT, '>', "$b->{dir}/console.log";
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }
    until (handshake($b, $b->{size} - 1)) {
        if (waitpid($pid, WNOHANG) == $pid) {
            $pid = undef;
            die "it does not start: " . read_file("$b->{dir}/console.log")
                . read_file("$b->{dir}/error.log") . "\n";
        }
        die "it does not start in 300 s\n" if time - $begin > 300;
        sleep 0.005;
    }
    return time - $begin;
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

sub resumed {
    my ($b) = @_;
    return scalar(() = read_file("$b->{dir}/error.log")
                  =~ /resuming normal operations/g);
}

sub restart {
    my ($b) = @_;
    my $before = resumed($b);
    my $begin = time;
    kill 'USR1', $pid;
    until (resumed($b) > $before) {
        die "no restart in 300 s\n" if time - $begin > 300;
        sleep 0.005;
    }
    return time - $begin;
}

# PSS of a process and its children, MiB.
sub pss {
    my @pids = ($pid);
    my $sum = 0;
    while (defined(my $p = shift @pids)) {
        my $said = read_file("/proc/$p/smaps_rollup");
        $sum += $1 if $said =~ /^Pss:\s+(\d+)/m;
        push @pids, split ' ', read_file("/proc/$p/task/$p/children");
    }
    return $sum / 1024;
}

# The median handshake in ms of the names 1 to n.
sub touch {
    my ($b, $n) = @_;
    my @ms;
    for my $i (1 .. $n) {
        my $begin = time;
        handshake($b, $i) or die "no handshake\n";
        push @ms, 1000 * (time - $begin);
    }
    return median(@ms);
}

sub rate {
    my ($b) = @_;
    my $last = $b->{size} - 1;
    my $said = qx{$work/handshakes 127.0.0.1 $b->{port} site$last.example $o{seconds} 8};
    return $said =~ /^([0-9.]+)/ ? $1 : die "handshakes said '$said'\n";
}

sub median {
    my @sorted = sort { $a <=> $b } @_;
    return $sorted[$#sorted / 2];
}

for my $tool (qw(certs handshakes)) {
    system('cc', '-O2', "$FindBin::Bin/$tool.c", '-o', "$work/$tool", '-lssl',
           '-lcrypto', '-lpthread') == 0 or die "cc failed\n";
}
printf "%d round%s, %s keys, %s\n", $o{rounds}, $o{rounds} == 1 ? '' : 's',
    uc $o{keys}, scalar localtime;
printf "%8s  %-8s %9s %9s %9s %8s %8s %8s\n", 'vhosts', 'server', 'start s',
    'restart s', 'PSS MiB', 'first ms', 'again ms', 'per s';
for my $size (split /,/, $o{sizes}) {
    my $certs = "$work/$o{keys}";
    make_path($certs);
    system("$work/certs", $certs, $size, $o{keys}) == 0
        or die "no certificates\n";
    my %first;
    for my $name (split /,/, $o{servers}) {
        my $make = $SERVERS{$name} or die "no server '$name'\n";
        my %b = (size => $size, certs => $certs, dir => "$work/$name",
                 port => (Sniv::Httpd::free_ports(1))[0]);
        my (%got, $said);
        for my $round (1 .. $o{rounds}) {
            remove_tree($b{dir});
            make_path($b{dir});
            my ($file, $text, @command) = $make->(\%b);
            open my $fh, '>', "$b{dir}/$file" or die "$file: $!\n";
            print $fh $text;
            close $fh;
            push @{ $got{start} }, start(\%b, @command);
            sleep 0.3;
            push @{ $got{pss} }, pss();
            my $names = $size > 200 ? 200 : $size - 2;
            push @{ $got{first} }, touch(\%b, $names);
            touch(\%b, $names) for 1 .. 6;
            push @{ $got{again} }, touch(\%b, $names);
            push @{ $got{rate} }, rate(\%b);
            push @{ $got{restart} }, restart(\%b);
            handshake(\%b, 0) or die "no handshake after the restart\n";
            $said = $1 if read_file("$b{dir}/error.log")
                =~ /(adopted \d+ of \d+)/;
            stop();
        }
        my %m = map { $_ => median(@{ $got{$_} }) } keys %got;
        %first = %m if !%first;
        printf "%8d  %-8s %9.2f %9.2f %9.1f %8.2f %8.2f %8.0f%s%s\n", $size,
            $name, @m{qw(start restart pss first again rate)},
            $first{start} == $m{start} ? ''
                : sprintf('   1/%.1f  1/%.1f  1/%.1f', map {
                      $first{$_} / $m{$_} } qw(start restart pss)),
            $said ? "   ($said)" : '';
    }
}
