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


# A store that speaks the protocol and answers nonsense: right types at wrong
# places, errors, lists in lists, sudden ends. snivhost-store neither crashes
# nor hangs, and its copy loses nothing.
#
# SNIVHOST_SEED=number repeats a run, SNIVHOST_RUNS=1000 makes more.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path remove_tree);
use IO::Socket::UNIX;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);

use Sniv::Chain qw(make_cert spew);
use Sniv::Httpd;
use Sniv::Redis;

plan skip_all => Sniv::Redis::missing() if Sniv::Redis::missing();

my $runs = $ENV{SNIVHOST_RUNS} || 30;
my $seed = $ENV{SNIVHOST_SEED} || int rand 1e6;
note "SNIVHOST_SEED=$seed";

my $dir = "/tmp/sniv-answers.$$";
make_path("$dir/copy/certs");
make_cert($dir, 'a');
my $url = "redis:///p?socket=$dir/socket&timeout=1";

sub bulk { return '$' . length($_[0]) . "\r\n$_[0]\r\n"; }
sub list { return '*' . scalar(@_) . "\r\n" . join '', @_; }

sub anything {
    my ($depth) = @_;
    my $n = int rand($depth > 2 ? 8 : 11);
    return "+OK\r\n" if $n == 0;
    return "+QUEUED\r\n" if $n == 1;
    return ':' . (int(rand 100) - 5) . "\r\n" if $n == 2;
    return "\$-1\r\n" if $n == 3;
    return "-ERR \e[0m no\r\n" if $n == 4;
    return bulk(int rand 20) if $n == 5;
    return bulk(join '', map { chr int rand 256 } 1 .. rand 40) if $n == 6;
    return bulk('id') if $n == 7;
    return "*-1\r\n" if $n == 8;
    return list(map { anything($depth + 1) } 1 .. rand 5);
}

# What a store would say, now and then: so that runs get far.
sub sensible {
    my ($command) = @_;
    my %say = (
        PING => "+PONG\r\n", MULTI => "+OK\r\n",
        GET => bulk(5), HLEN => ":3\r\n", HSTRLEN => ":9\r\n",
        HKEYS => list(map { bulk($_) } 'x', '../y', 'z'),
        HMGET => list(bulk('value'), bulk(''), "\$-1\r\n"),
        HEXISTS => ":1\r\n", HGET => bulk('value'),
        EXEC => list(bulk(5), list(), ":3\r\n"),
    );
    return $say{$command} || "+QUEUED\r\n";
}

# Answers one connection after the other, until it is killed.
sub serve {
    my ($listener) = @_;
    srand $seed;
    while (my $s = $listener->accept) {
        my ($buffer, $is_multi) = ('', 0);
        while (sysread $s, $buffer, 65536, length $buffer) {
            my $answer = '';
            while ($buffer =~ s/\A\*\d+\r\n\$\d+\r\n(\w+)\r\n([^*]*)//) {
                my ($command, $rest) = (uc $1, $2);
                my $is_queued = $is_multi && $command ne 'EXEC';
                $is_multi = 1 if $command eq 'MULTI';
                $is_multi = 0 if $command eq 'EXEC';
                $answer .= $rest =~ /allow-removals/ ? "\$-1\r\n"
                    : $command =~ /\A(?:PING|MULTI)\z/ && rand() < 0.97
                    ? sensible($command)
                    : rand() < 0.8 ? $is_queued ? "+QUEUED\r\n"
                                                : sensible($command)
                    : anything(0);
            }
            last if rand() < 0.02;
            last if length $answer && !defined syswrite $s, $answer;
        }
        close $s;
    }
    return;
}

my $listener = IO::Socket::UNIX->new(Local => "$dir/socket", Listen => 20)
    or die "$dir/socket: $!\n";
my $server = fork;
die "fork: $!\n" if !defined $server;
if (!$server) {
    local $SIG{PIPE} = 'IGNORE';
    eval { serve($listener) };
    POSIX::_exit(0);
}
close $listener;

# A program's status, and whether it ended by itself.
sub run {
    my (@args) = @_;
    my $pid = fork;
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDOUT, '>', "$dir/said";
        open STDERR, '>&', \*STDOUT;
        exec Sniv::Redis::program(), '--store', $url, @args
            or POSIX::_exit(127);
    }
    my $end = time + 60 * Sniv::Httpd::patience();
    while (time < $end) {
        return $? if waitpid($pid, WNOHANG) == $pid;
        # its first attempt is noted: that was it
        if ($args[0] eq 'copy' && -e "$dir/copy/state") {
            kill 'TERM', $pid;
        }
        sleep 0.01;
    }
    kill 'KILL', $pid;
    waitpid $pid, 0;
    return 'hangs';
}

my @kept = map { "kept$_" } 1 .. 15;
make_path("$dir/copy/certs/00");
spew("$dir/copy/certs/00/$_.entry.pem", $_) for @kept;

my (%ends, @bad);
for my $i (1 .. $runs) {
    for my $args (['list'], ['check'], ['get', 'x'], ['remove', 'x'],
                  ['put', '--id', 'x', "$dir/a.leaf", "$dir/a.key"],
                  ['allow-removals'], ['copy', "$dir/copy"]) {
        unlink "$dir/copy/state";
        my $status = run(@$args);
        $ends{$args->[0]}{$status}++;
        push @bad, "$args->[0]: $status"
            if $status !~ /\A(?:0|256)\z/;
    }
}
is "@bad", '', "$runs runs of each command end by themselves";
for my $command (sort keys %ends) {
    note "$command: ", join ', ', map { "status $_ $ends{$command}{$_} times" }
        sort keys %{ $ends{$command} };
}
my @lost = grep { !-e "$dir/copy/certs/00/$_.entry.pem" } @kept;
is "@lost", '', 'the copy has lost nothing';
my @strays = grep { !m{/(?:certs|lock|state|new)\z} } glob "$dir/copy/*";
is "@strays", '', 'nothing is where it should not be';
ok !-e "$dir/y" && !-e "$dir/copy/certs/y.entry.pem", '... nor above';

END {
    my $status = $?;
    if ($server) {
        kill 'KILL', $server;
        waitpid $server, 0;
    }
    remove_tree($dir) if $dir;
    $? = $status;
}

done_testing;
