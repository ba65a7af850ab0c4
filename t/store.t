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


# SNIVHostCertificates redis://...: certificates from a store, renewed,
# removed, and what is served when the store is gone, empty, slow or full of
# what does not belong there.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path remove_tree);
use IO::Socket::UNIX;
use Test::More;
use Time::HiRes qw(sleep);

use Sniv::Chain qw(make_cert slurp spew);
use Sniv::Httpd;
use Sniv::Redis;
use Sniv::Soon qw(served soon soon_serves);

plan skip_all => Sniv::Redis::missing() if Sniv::Redis::missing();

my $LONG = 60;                  # seconds, times patience

my $ssl = Sniv::Httpd::work() . "/store-ssl.$$";
make_cert($ssl, 'v0');
make_cert($ssl, 'a-1', names => ['a.test']);
make_cert($ssl, "b-$_", names => ['b.test']) for 1, 2;
make_cert($ssl, 'c-1', names => ['c.test']);
make_cert($ssl, 'w-1', names => ['w.test'], key => 'rsa', bits => 1024);

my $r = Sniv::Redis->new(name => 'store')->start;
my $password_file = "$ssl/password";

sub put {
    my ($id, $name) = @_;
    my ($status, $said) = $r->store('put', '--id', $id, "$ssl/$name.leaf",
                                    "$ssl/$name.key");
    return $status ? $said : '';
}

my $h = Sniv::Httpd->new(name => 'store', ports => 1, conf => sub {
    my $a = "127.0.0.1:$_[0]";
    my $url = $r->url('timeout=2', @{ $r->{params} || [] });
    return <<"END" });
Listen $a
SNIVHostCertificates $url
SNIVHostCertificateCheck 1
<VirtualHost $a>
    ServerName v0.test
    SSLEngine on
    SSLCertificateFile $ssl/v0.crt
    SSLCertificateKeyFile $ssl/v0.key
</VirtualHost>
<VirtualHost $a>
    ServerName a.test
    ServerAlias *.test
    SNIVHostTLS On
</VirtualHost>
END
my ($port) = $h->ports;

sub says {
    my ($regex, $what) = @_;
    ok $h->wait_for_log('error.log', $regex, $LONG), $what
        or diag join '', grep { /SNIV03/ } map { "$_\n" }
            split /\n/, $h->read('error.log');
    return;
}

# The folder of the copy
sub copy {
    my ($copy) = glob $h->dir . '/snivhost-store/sites-*';
    return $copy;
}
sub state_is {
    my ($regex, $what) = @_;
    my $state = '';
    soon(sub { $state = -e copy() . '/state' ? slurp(copy() . '/state') : '';
               $state =~ $regex });
    like $state, $regex, $what;
    return;
}

# ----- what is put is served

my ($status, $said) = $r->store('put', '--id', 'w', "$ssl/w-1.crt",
                                "$ssl/w-1.key");
is $status, 1, 'put refuses what the module would refuse';
like $said, qr/certificate not used: \S+w-1\.crt /, '... with its words';
is $r->cli('HLEN', 'sites:certs'), 0, '... and puts nothing';
is put('a', 'a-1'), '', 'put';
is put('b', 'b-1'), '', 'put another one';
my $version = $r->cli('GET', 'sites:version');
is put('b', 'b-1'), '', 'put the same again';
is $r->cli('GET', 'sites:version'), $version, '... changes nothing';
($status, $said) = $r->store('list');
is $said, "a\nb\n", 'list';

$h->start;
is served($port, 'a.test'), 'a-1', 'start: from the store';
is served($port, 'b.test'), 'b-1', 'start: another one';
says(qr/SNIV0376: store redis:\/\/\/sites: 2 certificates/, 'a line');
is((stat copy())[2] & 07777, 0700, 'the copy is for its owner only');
my @open = grep { (stat)[2] & 077 } glob copy() . '/certs/*/*';
is "@open", '', '... and all in it';
put('c', 'c-1');
soon_serves($port, 'c.test', 'c-1', 'a new one, without a restart');
put('b', 'b-2');
soon_serves($port, 'b.test', 'b-2', 'a renewed one');
$r->store('remove', 'c');
soon_serves($port, 'c.test', 'v0', 'one that was removed');

# ----- the program

my $program = ($h->read('error.log') =~ /SNIV0373: process (\d+) keeps/g)[-1];
ok $program, 'the log names the process';
like slurp("/proc/$program/status"), qr/^NoNewPrivs:\s*1$/m,
    'no new privileges';
my ($ppid) = slurp("/proc/$program/status") =~ /^PPid:\s*(\d+)$/m;
is $ppid, $h->pid, 'it is a child of the main process';
kill 'KILL', $program;
says(qr/SNIV0374: process $program, which reads the store/, 'it is killed');
is served($port, 'b.test'), 'b-2', '... and all is served';
put('c', 'c-1');
soon_serves($port, 'c.test', 'c-1', '... and another one goes on');

# ----- the store is gone

$r->stop;
is served($port, 'a.test'), 'a-1', 'gone: served';
state_is(qr/^state failing$/m, 'gone: it is noted');
ok $h->graceful, 'gone: a graceful restart';
is served($port, 'a.test'), 'a-1', '... serves it';
is served($port, 'c.test'), 'c-1', '... and what was new';
says(qr/SNIV0378: store redis:\/\/\/sites is not read, what is known is served/,
     '... and says so');
$h->stop;
$h->start;
is served($port, 'a.test'), 'a-1', 'gone: a full restart serves it';
is served($port, 'unknown.example'), 'v0', '... unknown names get the default';

# ----- it comes back empty, and with what was there

$r->start;
state_is(qr/has no key sites:version/, 'empty: it is noted');
is served($port, 'a.test'), 'a-1', 'empty: nothing is removed';
put('b', 'b-1');
state_is(qr/^state good$/m, 'filled again');
soon_serves($port, 'c.test', 'v0', '... what is not there goes, one of few');

# ----- another past: what was put is not what was read, the number is the same

sub rewrite {
    my ($name, $version, $what) = @_;
    $r->cli('EVAL', "redis.call('HSET', 'sites:certs', 'b', ARGV[1]) "
            . "redis.call('DEL', 'sites:changes') "
            . "redis.call('XADD', 'sites:changes', '*', 'id', 'a') "
            . "return redis.call('SET', 'sites:version', ARGV[2])", 0,
            slurp("$ssl/$name.leaf") . slurp("$ssl/$name.key"), $version);
    soon_serves($port, 'b.test', $name, $what);
    return;
}
$version = $r->cli('GET', 'sites:version');
rewrite('b-2', $version, 'another past with the same version');
rewrite('b-1', $version + 1, '... and one that seems to go on');

# ----- much vanishes at once

my $pem = slurp("$ssl/b-1.leaf") . slurp("$ssl/b-1.key");
my @ids = map { "many$_" } 1 .. 30;
$r->cli('HSET', 'sites:certs', map { ($_, $pem) } @ids);
$r->cli('INCR', 'sites:version');
state_is(qr/^entries 31$/m, '30 more, by hand: no stream says which');
$r->cli('HDEL', 'sites:certs', @ids);
$r->cli('INCR', 'sites:version');
state_is(qr/has lost 30 of 31 entries at once, which are kept/,
         '30 vanish: they are kept');
says(qr/SNIV0378: .*has lost 30 of 31 entries/, '... and a line says so');
$r->store('allow-removals');
state_is(qr/^state good\n.*^entries 1\n/ms, 'allow-removals');

# ----- what does not belong there

$r->cli('HSET', 'sites:certs', '../../evil', $pem, 'x/y', $pem, '.hidden',
        $pem, "line\nbreak \e[31m", $pem, 'empty', '', 'text', 'hello',
        'key', slurp("$ssl/a-1.key"));
$r->cli('EVAL', "redis.call('HSET', 'sites:certs', 'big', "
        . "string.rep('x', 3000000))", 0);
$r->cli('INCR', 'sites:version');
state_is(qr/^skipped 5$/m, 'IDs and values that cannot be used are skipped');
my $evil = join ' ', glob(copy() . '/*evil* ' . copy() . '/../*evil*');
is $evil, '', '... and write nowhere';
says(qr/SNIV0377: store redis:\/\/\/sites: 5 of its entries/, '... a line');
my @odd = grep { /[^\t -~]/ } split /\n/, $h->read('error.log');
is "@odd", '', '... without control characters';
says(qr/SNIV0301: .*\/text\.entry\.pem /, 'a text: the words of folders');
is served($port, 'b.test'), 'b-1', '... and all is served';

for my $junk (['SET', 'sites:version', 'many'], ['DEL', 'sites:version'],
              ['SADD', 'sites:version', 1]) {
    $r->cli('DEL', 'sites:version');
    $r->cli(@$junk);
    state_is(qr/^state failing$/m, "@$junk: noted");
    $r->cli('DEL', 'sites:version');
    $r->cli('SET', 'sites:version', 100);
    state_is(qr/^state good$/m, '... and over');
}
$r->cli('RENAME', 'sites:certs', 'elsewhere');
$r->cli('SET', 'sites:certs', 'text');
$r->cli('INCR', 'sites:version');
state_is(qr/WRONGTYPE/, 'a text in place of the hash');
$r->cli('DEL', 'sites:certs');
$r->cli('RENAME', 'elsewhere', 'sites:certs');
$r->cli('DEL', 'sites:changes');
$r->cli('SET', 'sites:changes', 'text');
$r->cli('INCR', 'sites:version');
state_is(qr/WRONGTYPE/, 'a text in place of the stream');
$r->cli('DEL', 'sites:changes');
state_is(qr/^state good$/m, '... and over');
is served($port, 'b.test'), 'b-1', 'all is served';

# ----- a wrong password; a right one is in no process of httpd

$r->cli('CONFIG', 'SET', 'requirepass', 'Xyzzy-0472-Plugh');
$r->{login} = ['-a', 'Xyzzy-0472-Plugh', '--no-auth-warning'];
$r->cli('CLIENT', 'KILL', 'TYPE', 'normal');
state_is(qr/NOAUTH/, 'no password');
spew($password_file, "wrong\n");
$r->{params} = ["password-file=$password_file"];
$h->write_conf;
chmod 0644, $password_file;
$h->graceful;
state_is(qr/has to belong to root, with nothing for others/,
         'a password that others can read');
chmod 0600, $password_file;
state_is(qr/WRONGPASS/, 'a wrong password');
spew($password_file, "Xyzzy-0472-Plugh\n");
state_is(qr/^state good$/m, 'the right one');
is served($port, 'b.test'), 'b-1', 'all is served';

SKIP: {
    skip 'only root may look', 1 if $> != 0;
    my $pid = $h->pid;
    my @found;
    for my $status (glob '/proc/[0-9]*/status') {
        my $text = eval { slurp($status) } or next;
        my ($of) = $status =~ m{/(\d+)/};
        next if $of != $pid && $text !~ /^PPid:\s*$pid$/m;
        next if $text =~ /^Name:\s*snivhost-store$/m;
        push @found, $of if has_in_memory($of, 'Xyzzy-' . '0472-Plugh');
    }
    is "@found", '', 'no process of httpd has the password';
}

sub has_in_memory {
    my ($pid, $text) = @_;
    no warnings 'portable';             # 64 bits
    open my $maps, '<', "/proc/$pid/maps" or return 0;
    open my $mem, '<:raw', "/proc/$pid/mem" or return 0;
    for my $line (<$maps>) {
        my ($from, $to) = $line =~ /^(\w+)-(\w+) rw/ or next;
        ($from, $to) = (hex $from, hex $to);
        next if $to - $from > 64 << 20;
        sysseek $mem, $from, 0 or next;
        sysread($mem, my $bytes, $to - $from) or next;
        return 1 if index($bytes, $text) >= 0;
    }
    return 0;
}
$h->stop;
$r->stop;

# ----- a store that answers other things, or nothing

my $no_redis = qr/gave an answer that is not one of Redis/;
my $late = qr/did not answer in time/;
my $million = 'x' x 1_000_000;          # copied, the answer would be late
my %answers = (
    'nothing at all' => ['', $late],
    'one byte now and then' => [sub { ('+') x 1000 }, $late],
    'a greeting of another kind' => ["SSH-2.0-OpenSSH_9.2\r\n", $no_redis],
    'a list of two billion' => ["*2147483647\r\n", $no_redis],
    'a list in lists' => ["*1\r\n" x 100, $no_redis],
    'a text of a gigabyte' => ["\$1000000000\r\n" . 'x' x 100_000, $late],
    'more than is read' => [sub { "\$1000000000\r\n", (\$million) x 99 },
                            qr/more than 64 MiB/],
    'a number' => [":1\r\n" x 20, qr/answered with a number in place of/],
    'an error with control characters' =>
        ["-ERR \e[31m\a\r\n", qr/answered with an error: ERR \?/],
    # from 1.0 on hiredis refuses these itself
    'an error with a line break' =>
        ["-ERR \nforged\r\n", qr/error: ERR \?forged|Bad simple string/],
);
for my $what (sort keys %answers) {
    my ($answer, $reason) = @{ $answers{$what} };
    unlink $r->socket;
    my $listener = IO::Socket::UNIX->new(Local => $r->socket, Listen => 9)
        or die $r->socket . ": $!\n";
    my $pid = fork;
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        local $SIG{PIPE} = 'IGNORE';
        local $SIG{ALRM} = sub { POSIX::_exit(0) };
        alarm 600;
        my @kept;
        while (my $s = $listener->accept) {
            push @kept, $s;             # open for ever
            if (ref $answer) {
                for ($answer->()) {
                    syswrite($s, ref $_ ? $$_ : $_) or last;
                    sleep 0.3 if length == 1;
                }
            }
            else {
                syswrite $s, $answer;
            }
        }
        POSIX::_exit(0);
    }
    close $listener;
    unlink copy() . '/state';
    $h->start;
    is served($port, 'b.test'), 'b-1', "$what: the start goes on, all is served";
    state_is($reason, "$what: it is noted");
    $h->stop;
    kill 'KILL', $pid;
    waitpid $pid, 0;
}
# the number may be another process' by now
my @left = grep {
    (eval { slurp("/proc/$_/cmdline") } // '') =~ /\0copy\0\Q@{[copy()]}\E/
} $h->read('error.log') =~ /SNIV0373: process (\d+) keeps/g;
is "@left", '', 'no process is left';
@odd = grep { /[^\t -~]/ } split /\n/, $h->read('error.log');
is "@odd", '', 'no control characters in the log';

# ----- lines that are wrong

for my $case (
    ['redis:///', qr/a prefix/],
    ['redis://u:secret@h/p', qr/it has a password, which others can read/],
    ['redis://h/p?cacert=/c', qr/are for TLS: write rediss:/],
    ['rediss:///p?socket=/s', qr/there is no TLS over a unix socket/],
    ['redis:///p?socket=x', qr/socket takes a path/],
    ['redis:///p?bogus=1', qr/'bogus' is not one of/],
    ['redis:///p?timeout=0', qr/timeout takes 1 to 60/],
    ['redis://h:99999/p', qr/not the number of a port/],
    ['redis:///p?program=/nonexistent/x', qr/SNIV0371: .*cannot be run/],
    ['redis:///p?copy=/&program=' . Sniv::Redis::program(),
     qr/SNIV0370: .*the folder for its copy, \/, cannot be used/]) {
    my ($line, $regex) = @$case;
    my $bad = Sniv::Httpd->new(name => 'store-bad', conf => <<"END");
SNIVHostCertificates $line
END
    my ($exit, $text) = $bad->check;
    isnt $exit, 0, "$line: refused";
    like $text, $regex, '... with a reason';
    $bad->remove;
}

$h->remove;
$r->remove;

END {
    my $status = $?;
    remove_tree($ssl) if $ssl;
    $? = $status;
}

done_testing;
