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

# What goes wrong with the process that looks for changed certificates, and
# around it: handshakes do not notice, one line is logged, and it goes on
# afterwards. Faults that a test cannot cause otherwise: modules/faults.c.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path remove_tree);
use Test::More;
use Time::HiRes qw(sleep time);

use Sniv::Chain qw(make_cert slurp spew);
use Sniv::Client;
use Sniv::Httpd;

plan skip_all => 'without the module there is no such process'
    if Sniv::Httpd::mode() eq 'off';
plan skip_all => 'only Linux has such a process' if $^O ne 'linux';

my $LONG = 90;                          # seconds, times patience
my $JUNK = $ENV{SNIVHOST_JUNK} || 3000; # files

my $ssl = Sniv::Httpd::work() . "/faults-ssl.$$";
make_path($ssl);
my $cc = Sniv::Httpd::apxs('CC');
my $said = qx{$cc -shared -fPIC -o $ssl/faults.so $FindBin::Bin/modules/faults.c -ldl 2>&1};
plan skip_all => "no compiler: $said" if !-e "$ssl/faults.so";

for my $name ('first', 'a', 'b', 'new') {
    make_cert($ssl, "$name-$_", names => ["$name.test"]) for 1 .. 2;
}

sub put {
    my ($file, $cert) = @_;
    make_path("$ssl/certs");
    spew("$ssl/$file.tmp", slurp("$ssl/$cert.leaf") . slurp("$ssl/$cert.key"));
    chmod 0600, "$ssl/$file.tmp";
    rename "$ssl/$file.tmp", "$ssl/$file" or die "$file: $!\n";
    return;
}

# A word for modules/faults.c; none: all is well.
sub fault {
    my ($word) = @_;
    spew("$ssl/faults.tmp", $word // '');
    chmod 0644, "$ssl/faults.tmp";
    rename "$ssl/faults.tmp", "$ssl/faults" or die "faults: $!\n";
    return;
}

put('first.pem', 'first-1');
put('certs/a.pem', 'a-1');
put('certs/b.pem', 'b-1');
fault();
$ENV{SNIV_FAULTS} = "$ssl/faults";
$ENV{SNIV_MODULE} = Sniv::Httpd::module_so();
local $ENV{SNIVHOST_PRELOAD} = join ' ',
    grep { $_ } $ENV{SNIVHOST_PRELOAD}, "$ssl/faults.so";
chmod 0755, $ssl;

my $h = Sniv::Httpd->new(name => 'keeper-faults', ports => 1,
    allow => qr/AH00052: child pid \d+ exit signal Abort/, conf => sub {
    my $a = "127.0.0.1:$_[0]";
    return <<"END" })->start;
Listen $a
SNIVHostAdopt On
SNIVHostCertificates $ssl/certs
SNIVHostCertificateCheck 1
<VirtualHost $a>
    ServerName first.test
    SSLEngine on
    SSLCertificateFile $ssl/first.pem
</VirtualHost>
END
my ($port) = $h->ports;

sub served {
    my ($name) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $port,
                              tls => { sni => "$name.test" });
    return $c->error || $c->cert;
}

sub soon {
    my ($code) = @_;
    my $end = time + $LONG * Sniv::Httpd::patience();
    while (time < $end) {
        return 1 if $code->();
        sleep 0.05;
    }
    return 0;
}

sub keepers { return $h->read('error.log') =~ /SNIV0350: process (\d+) /g; }
sub keeper { return (keepers())[-1]; }

sub is_alive {
    my ($pid) = @_;
    open my $fh, '<', "/proc/$pid/stat" or return 0;
    my $stat = readline $fh;
    return defined $stat && $stat !~ /\A\d+ \(.*\) [ZX]/ ? 1 : 0;
}

sub lines {
    my ($tag) = @_;
    return scalar(() = $h->read('error.log') =~ /\b$tag:/g);
}

# The next generation of a file, and that it is served.
my %now = (first => 1, a => 1, b => 1);
sub renew {
    my ($name) = @_;
    $now{$name} = 3 - $now{$name};
    put($name eq 'first' ? 'first.pem' : "certs/$name.pem",
        "$name-$now{$name}");
    return;
}
sub is_renewed {
    my ($name, $what) = @_;
    my $got = '';
    soon(sub { ($got = served($name)) eq "$name-$now{$name}" });
    is $got, "$name-$now{$name}", $what;
    return;
}
sub all_served {
    my ($what) = @_;
    is join(' ', map { served($_) } sort keys %now),
        join(' ', map { "$_-$now{$_}" } sort keys %now), $what;
    return;
}

all_served('as it was');

# ----- killed during graceful restarts

my $failed = 0;
for my $i (1 .. 8) {
    my $n = keepers();
    $h->signal('USR1');
    for my $wait (0 .. 7) {
        kill 'KILL', keeper() if $wait == $i - 1 || keepers() > $n++;
        $failed += served($_) !~ /\A$_-[12]\z/ for sort keys %now;
    }
}
is $failed, 0, 'killed during graceful restarts: no handshake fails';
ok soon(sub { 1 == grep { is_alive($_) } keepers() }), 'there is one process';
renew($_), is_renewed($_, "... that renews $_") for sort keys %now;

# ----- killed again and again

ok $h->graceful, 'a restart';
ok soon(sub { is_alive(keeper()) }), 'a process';
for my $seconds (10, 20) {
    my $pid = keeper();
    kill 'KILL', $pid;
    ok $h->wait_for_log('error.log',
        qr/SNIV0352: process $pid, .* another one is started in $seconds s/,
        $LONG), "killed: a pause of $seconds s";
    all_served('... all are served');
    ok soon(sub { keeper() != $pid }), '... and another one comes'
        if $seconds == 10;
}
ok $h->graceful, 'a restart';
renew('a');
is_renewed('a', '... needs no pause');

# ----- no process can be started

my $before = lines('SNIV0351');
fault('fork');
kill 'KILL', keeper();
ok $h->wait_for_log('error.log', qr/SNIV0351/, $LONG), 'no process: a line';
all_served('... all are served');
fault();
my $pid = keeper();
ok soon(sub { keeper() != $pid }), '... until one can be started';
is lines('SNIV0351') - $before, 1, '... one line';
renew('a');
is_renewed('a', '... that renews');

# ----- no watches

for my $word ('watches', 'instances') {
    $before = lines('SNIV0354');
    fault($word);
    ok $h->graceful, "no $word: a restart";
    renew($_), is_renewed($_, "... $_ is renewed") for 'first', 'b';
    is lines('SNIV0354') - $before, 1, '... one line';
}
fault();
ok $h->graceful, 'a restart';

# ----- a clock that moves

for my $seconds (100_000, -100_000, 0) {
    fault("clock $seconds");
    renew($_), is_renewed($_, "the clock is $seconds s off: $_ is renewed")
        for 'a', 'first';
}
my %days = map { $_ => 1 } $h->read('error.log') =~ /^\[(.{10}).*SNIV0305/mg;
cmp_ok keys %days, '>=', 3, '... it was off';
fault();

# ----- a full disk

$before = lines('SNIV0305');
fault('full');
renew('b');
is_renewed('b', 'the log cannot be written: all is renewed');
is lines('SNIV0305') - $before, 0, '... without a line';
fault();

# ----- a file system that does not respond

make_path("$ssl/certs/slow");
put('certs/slow/new.pem', 'new-1');
ok soon(sub { served('new') eq 'new-1' }), 'a folder';
fault('hang');
$pid = keeper();
put('certs/slow/new.pem', 'new-2');
sleep 2;
all_served('it hangs: all are served');
is served('new'), 'new-1', '... as they were';
ok is_alive($pid), '... and it is still there';
renew('a');
fault();
is_renewed('a', 'it responds: it goes on');
ok soon(sub { served('new') eq 'new-2' }), '... with all';
is keeper(), $pid, '... the same process';
fault('hang');
put('certs/slow/new.pem', 'new-1');
sleep 2;
ok $h->graceful, 'it hangs: a graceful restart';
ok soon(sub { !is_alive($pid) && keeper() != $pid && is_alive(keeper()) }),
    '... replaces the process';
is served('new'), 'new-2', '... what was known is served on';
like join('', $h->read('error.log') =~ /(SNIV0358: .*)/g),
    qr/have not been read after 5 s: those that were served/, '... a line';
fault();
ok soon(sub { served('new') eq 'new-1' }), 'it responds: all is read';
fault('hang');
put('certs/slow/new.pem', 'new-2');
sleep 2;
ok $h->stop, 'it hangs: a stop';
ok soon(sub { !grep { is_alive($_) } keepers() }), '... leaves no process';
fault();
remove_tree("$ssl/certs/slow");
$h->start;

# ----- a folder that is moved away

rename "$ssl/certs", "$ssl/away" or die "$ssl/certs: $!\n";
ok $h->wait_for_log('error.log', qr{SNIV0306: .*is gone with its folder},
                    $LONG), 'a folder is moved away: a line';
all_served('... all are served');
rename "$ssl/away", "$ssl/certs" or die "$ssl/away: $!\n";
renew('a');
is_renewed('a', 'it comes back, and is renewed');

# ----- many files that are no certificates

make_path("$ssl/certs/junk");
for my $i (1 .. $JUNK) {
    open my $out, '>', "$ssl/certs/junk/$i.pem" or die "$i.pem: $!\n";
    print {$out} $i % 3 ? '' : $i % 2 ? "text\n" : "-----BEGIN X-----\n";
    close $out;
}
renew($_), is_renewed($_, "$JUNK files that are none: $_ is renewed")
    for 'a', 'first';
my $log = $h->read('error.log');
$before = () = $log =~ m{\Q$ssl\E/certs/junk/}g;
cmp_ok $before, '<', 50, '... and not each has a line';

# ----- no memory: it may end

SKIP: {
    $pid = keeper();
    skip 'no prlimit', 5 if system("prlimit --pid $pid >/dev/null 2>&1");
    my ($kb) = slurp("/proc/$pid/status") =~ /^VmSize:\s*(\d+)/m;
    system 'prlimit', '--pid', $pid, '--as=' . $kb * 1024 . ':';
    make_path("$ssl/certs/more");
    spew("$ssl/certs/more/$_.pem", slurp("$ssl/new-1.leaf")
         . slurp("$ssl/new-1.key") . slurp("$ssl/new-2.leaf") x 50)
        for 1 .. 500;
    sleep 3;
    all_served('no memory: all are served');
    remove_tree("$ssl/certs/more");
    system 'prlimit', '--pid', $pid, '--as=unlimited:' if is_alive($pid);
    renew($_), is_renewed($_, "memory again: $_ is renewed")
        for sort keys %now;
}

# ----- the end

ok $h->stop, 'stop';
ok soon(sub { !grep { is_alive($_) } keepers() }), 'no process is left';
$h->remove;

END {
    my $status = $?;
    remove_tree($ssl) if $ssl;
    $? = $status;
}

done_testing;
