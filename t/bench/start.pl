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

# What the tables cost when httpd starts: virtual hosts with three names each,
# the same binary with SNIVHost Off and On, in turn.
#
#   t/bench/start.pl [--rounds 5] [SIZE...]     (default: 1000 50000)
#
# Environment: MODULE (the .so), HTTPD.
#
#   off, on    seconds from exec until "resuming normal operations": httpd
#              reads the configuration twice. The medians
#   tables     what the module says in SNIV0004, in ms. The median
#   share      tables / off: the smallest and the largest of the rounds

use strict;
use warnings FATAL => 'all';

use File::Temp ();
use FindBin;
use Getopt::Long qw(GetOptions);
use IO::Socket::INET;
use Time::HiRes qw(sleep time);

my $rounds = 5;
GetOptions('rounds=i' => \$rounds) or die "see the top of $0\n";
my @sizes = @ARGV ? @ARGV : (1000, 50000);
$ENV{PATH} .= ':/usr/sbin';
my $module = $ENV{MODULE} || "$FindBin::Bin/../../.libs/mod_snivhost.so";
my ($httpd) = grep { -x } $ENV{HTTPD} || (),
    map { ("$_/apache2", "$_/httpd") } split /:/, $ENV{PATH};
die "there is no httpd\n" if !$httpd;
chomp(my $modules = `apxs -q LIBEXECDIR`);
my $work = File::Temp->newdir('snivhost-bench.XXXXXX', TMPDIR => 1);
chmod 0755, $work;

sub median { (sort { $a <=> $b } @_)[$#_ / 2] }

sub configuration {
    my ($size, $mode) = @_;
    my $port = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1')
        ->sockport;
    open my $out, '>', "$work/conf" or die "$work/conf: $!\n";
    print $out <<"EOT";
ServerRoot $work
PidFile $work/pid
ErrorLog $work/log
ErrorLogFormat "%{cu}t %M"
Mutex file:$work default
ServerName main.example
Listen 127.0.0.1:$port
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule snivhost_module $module
SNIVHost $mode
EOT
    print $out "User nobody\nGroup nogroup\n" if $> == 0;
    print $out map { <<"EOT" } 1 .. $size;
<VirtualHost *:$port>
ServerName site$_.example
ServerAlias www.site$_.example site$_.example.org
</VirtualHost>
EOT
    close $out or die "$work/conf: $!\n";
}

# Seconds until httpd has started, and what it says of the tables
sub start {
    my ($size, $mode) = @_;
    configuration($size, $mode);
    unlink "$work/log";
    my $begin = time;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        exec $httpd, '-DFOREGROUND', '-f', "$work/conf";
        die "$httpd: $!\n";
    }
    my $log = '';
    until ($log =~ /resuming normal operations/) {
        die "httpd does not start:\n$log" if time - $begin > 300
            || waitpid($pid, 1) == $pid;
        sleep 0.05;
        if (open my $in, '<', "$work/log") {
            local $/;
            $log = <$in>;
        }
    }
    kill TERM => $pid;
    waitpid $pid, 0;

    # 2026-01-31 12:34:56.123456, local: only seconds of the day matter
    my ($h, $m, $s) = $log =~ /^\S+ (\d+):(\d+):(\S+) .*resuming normal/m
        or die "no time in the log:\n$log";
    my @then = localtime $begin;
    my $took = $h * 3600 + $m * 60 + $s
        - ($then[2] * 3600 + $then[1] * 60 + $then[0] + $begin - int $begin);
    $took += 86400 if $took < 0;
    return $took, $log =~ /SNIV0004.*tables built in (\d+) ms/;
}

printf "%-8s %-8s %-8s %-8s %s\n", qw(vhosts off on tables share);
for my $size (@sizes) {
    my (@off, @on, @tables, @shares);
    for (1 .. $rounds) {
        my ($off) = start($size, 'Off');
        my ($on, $tables) = start($size, 'On');
        die "no line SNIV0004\n" if !defined $tables;
        push @off, $off;
        push @on, $on;
        push @tables, $tables;
        push @shares, $tables / $off / 10;
    }
    @shares = sort { $a <=> $b } @shares;
    printf "%-8d %-8.3f %-8.3f %-8d %.1f%% to %.1f%%\n", $size, median(@off),
        median(@on), median(@tables), @shares[0, -1];
}
