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

# The process that looks for changed certificates: what it may, that it ends
# with its server, and that nothing is lost when it dies or hangs.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use POSIX qw(mkfifo);
use Test::More;
use Time::HiRes qw(sleep time);

use Sniv::Chain qw(make_cert slurp);
use Sniv::Client;
use Sniv::Httpd;

plan skip_all => 'without the module there is no such process'
    if Sniv::Httpd::mode() eq 'off';
plan skip_all => 'only Linux has such a process' if $^O ne 'linux';

my $LONG = 60;                  # seconds, times patience

my $ssl = Sniv::Httpd::work() . "/keeper-ssl.$$";
make_cert($ssl, 'v0');
for my $name ('a', 'b', 'c') {
    make_cert($ssl, "$name-$_", names => ["$name.test"]) for 1 .. 4;
}

sub put {
    my ($file, @texts) = @_;
    make_path("$ssl/certs");
    my $path = "$ssl/certs/$file";
    open my $out, '>', "$path.tmp" or die "$path: $!\n";
    print {$out} @texts;
    close $out;
    chmod 0600, "$path.tmp";
    rename "$path.tmp", $path or die "$path: $!\n";
    return;
}

sub pair {
    my ($name) = @_;
    return (slurp("$ssl/$name.leaf"), slurp("$ssl/$name.key"));
}

put('a.pem', pair('a-1'));
put('b.pem', pair('b-1'));

my $h = Sniv::Httpd->new(name => 'keeper', ports => 1, conf => sub {
    my $a = "127.0.0.1:$_[0]";
    return <<"END" })->start;
Listen $a
SNIVHostCertificates $ssl/certs
SNIVHostCertificateCheck 1
<VirtualHost $a>
    ServerName a.test
    SSLEngine on
</VirtualHost>
END
my ($port) = $h->ports;

sub served {
    my ($name) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $port,
                              tls => { sni => $name });
    return $c->error || $c->cert;
}

# Wait until a condition holds.
sub soon {
    my ($code) = @_;
    my $end = time + $LONG * Sniv::Httpd::patience();
    while (time < $end) {
        return 1 if $code->();
        sleep 0.05;
    }
    return 0;
}

sub soon_serves {
    my ($name, $cert, $what) = @_;
    my $got = '';
    soon(sub { ($got = served($name)) eq $cert });
    is $got, $cert, $what;
    return;
}

# The processes that have been started, by the log.
sub keepers { return $h->read('error.log') =~ /SNIV0350: process (\d+) /g; }
sub keeper { return (keepers())[-1]; }

sub is_alive {
    my ($pid) = @_;
    open my $fh, '<', "/proc/$pid/stat" or return 0;
    my $stat = readline $fh;
    return defined $stat && $stat !~ /\A\d+ \(.*\) [ZX]/ ? 1 : 0;
}

sub status_of {
    my ($pid, $key) = @_;
    return slurp("/proc/$pid/status") =~ /^$key:\s*(\S+)/m ? $1 : '';
}

# ----- what it may

sub open_files {
    my ($pid) = @_;
    my (@sockets, @others);
    for my $fd (glob "/proc/$pid/fd/*") {
        my $to = readlink $fd or next;
        push @sockets, $to if $to =~ /\Asocket:/;
        push @others, $to if $fd !~ m{/[012]\z}
            && $to !~ m{/error\.log\z|\A/dev/|:inotify\z};
    }
    return "@sockets", "@others";
}

ok soon(sub { keeper() }), 'there is one';
my $first = keeper();
# It is the main process' copy at first; files are closed last.
soon(sub { !join '', open_files($first) });
is status_of($first, 'Name'), 'snivhost-keeper', 'its name';
is status_of($first, 'PPid'), $h->pid, 'a child of the main process';
is status_of($first, 'NoNewPrivs'), 1, 'no new privileges';
like status_of($first, 'CapEff'), qr/\A0{15}[04]\z/,
    'no capability but to read files';
my ($sockets, $others) = open_files($first);
is $sockets, '', 'no socket';
is $others, '', 'nothing open but the log';

# ----- what it does

is served('a.test'), 'a-1', 'as it was';
put('b.pem', pair('b-2'));
put('c.pem', pair('c-1'));
soon_serves('b.test', 'b-2', 'renewed');
soon_serves('c.test', 'c-1', 'new');

# ----- it dies

kill 'KILL', $first;
ok $h->wait_for_log('error.log', qr/SNIV0352: process $first, .* signal 9/,
                    $LONG), 'a line';
is served('b.test'), 'b-2', 'what it has found is served on';
is served('c.test'), 'c-1', 'what was new, too';
ok soon(sub { keeper() != $first }), 'another one is started';
put('b.pem', pair('b-3'));
unlink "$ssl/certs/c.pem";
soon_serves('b.test', 'b-3', 'it renews');
soon_serves('c.test', 'a-1', 'it knows what the first one has added');
my $died = () = $h->read('error.log') =~ /SNIV0352/g;
is $died, 1, 'one line';

# ----- it hangs

my $second = keeper();
kill 'STOP', $second;
is served('b.test'), 'b-3', 'hangs: all is served';
ok $h->graceful, 'hangs: a graceful restart';
ok soon(sub { !is_alive($second) }), 'the one that hung is gone';
ok soon(sub { keeper() != $second }), 'the new configuration has its own';
my $third = keeper();
put('b.pem', pair('b-4'));
soon_serves('b.test', 'b-4', 'which renews');

# ----- restarts under load

my $failed = 0;
for my $i (1 .. 5) {
    $h->signal('USR1');
    put('b.pem', pair('b-' . (1 + $i % 4)));
    for (1 .. 20) {
        $failed++ if served('b.test') !~ /\Ab-[1-4]\z/;
    }
}
is $failed, 0, 'graceful restarts: no handshake fails';
soon_serves('b.test', 'b-2', 'the last one is served');
ok soon(sub { 1 == grep { is_alive($_) } keepers() }),
    'there is one process';
my $before = () = keepers();
$h->restart;
ok soon(sub { (my $n = () = keepers()) > $before && 1 == grep { is_alive($_) } keepers() }),
    'and after a restart';

# ----- a FIFO in the folder

mkfifo("$ssl/certs/fifo.pem", 0600);
put('b.pem', pair('b-3'));
soon_serves('b.test', 'b-3', 'a FIFO does not hold it up');
unlink "$ssl/certs/fifo.pem";

# ----- the end

ok $h->stop, 'stop';
ok soon(sub { !grep { is_alive($_) } keepers() }), 'no process is left';
$h->start;
my $last = keeper();
ok is_alive($last), 'started again';
my $pid = $h->pid;
my @children = grep { (eval { slurp($_) } // '') =~ /^PPid:\s*$pid$/m }
    grep { -r $_ } glob '/proc/[0-9]*/status';
@children = map { m{/(\d+)/} } @children;
kill 'KILL', $pid;
ok soon(sub { !is_alive($last) }), 'it ends with a parent that is killed';
kill 'KILL', grep { is_alive($_) && $_ != $last } @children;
$h->stop;
$h->remove;

END {
    my $status = $?;
    File::Path::remove_tree($ssl) if $ssl;
    $? = $status;
}

done_testing;
