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

# Graceful restarts under load: no request fails, answers that are on their
# way arrive whole, the new configuration holds, and the parent's memory does
# not grow. SNIVHOST_RESTARTS=50 for more than the usual dozen.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use POSIX ();
use Sniv::Certs;
use Sniv::Client;
use Sniv::H2;
use Sniv::Httpd;
use Time::HiRes qw(sleep time);

my $restarts = $ENV{SNIVHOST_RESTARTS} || 12;     # 8 at least
my $settled = 5;                # memory is compared from this restart on
my $vhosts = 2000;              # one table of these is more than 500 KB
my $clients = 3;
plan tests => 10;

Sniv::Certs::make();
my $generation = 0;

sub conf {
    my ($port, $tls_port) = @_;
    my $conf = "Listen 127.0.0.1:$port\nListen 127.0.0.1:$tls_port\n"
        . "Protocols h2 http/1.1\nSSLSessionCache shmcb:s(128000)\n"
        . "GracefulShutdownTimeout 20\n";
    for my $i (0 .. $vhosts) {
        $conf .= "<VirtualHost 127.0.0.1:$port>\nServerName n$i.test\n"
            . "ServerAlias a$i.test *.g$i.test\n"
            . ($i == 7 ? "ServerAlias gen$generation.test\n" : '')
            . "Header always set X-Vhost v$i\n</VirtualHost>\n";
    }
    for my $i (0 .. 9) {
        $conf .= "<VirtualHost 127.0.0.1:$tls_port>\nServerName n$i.test\n"
            . "ServerAlias a$i.test *.g$i.test\nSSLEngine on\n"
            . Sniv::Certs::conf("c$i")
            . "Header always set X-Vhost v$i\n</VirtualHost>\n";
    }
    return $conf;
}

my $h = Sniv::Httpd->new(name => 'restart', ports => 2, conf => \&conf);
my $big = 8_000_000;
$h->write('htdocs/index.html', "page\n");
$h->write('htdocs/big', 'b' x $big);
$h->start;
my ($port, $tls_port) = $h->ports;

# What the parent holds itself, in KB: not files, not shared memory
sub memory {
    open my $fh, '<', '/proc/' . $h->pid . '/smaps_rollup' or return;
    while (<$fh>) {
        return $1 if /^Anonymous:\s+(\d+)/;
    }
    return;
}

# A client in a process of its own: one connection after the other, each
# checked; at the end it says how many, and what went wrong.
sub client {
    my ($which) = @_;
    pipe my $from, my $to or die "pipe: $!\n";
    my $pid = fork;
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        my ($n, @wrong) = (0);
        my $stop = 0;
        $SIG{TERM} = sub { $stop = 1 };
        while (!$stop) {
            my $i = ($n * 7 + $which) % 10;
            my $name = ("n$i.test", "a$i.test", "x.g$i.test")[$n % 3];
            my $what = eval { ask($which, $name, $i) };
            $what = $@ if !defined $what;
            last if $stop;              # the signal cut this one off
            push @wrong, "$name: $what" if $what ne 'ok';
            $n++;
        }
        syswrite $to, join "\n", $n, @wrong > 5 ? @wrong[0 .. 4] : @wrong;
        POSIX::_exit(0);
    }
    close $to;
    return { pid => $pid, from => $from };
}

sub ask {
    my ($which, $name, $i) = @_;
    my $c = $which == 0
        ? Sniv::Client->new(addr => '127.0.0.1', port => $port)
        : Sniv::Client->new(addr => '127.0.0.1', port => $tls_port,
            tls => { sni => $name, $which == 1 ? () : (alpn => ['h2']) });
    return $c->error if $c->error;
    return 'certificate ' . $c->cert if $which && $c->cert ne "c$i";
    my $r = $which == 2 && !$Sniv::H2::WHY_NOT ? Sniv::H2->new($c)->get($name)
        : $c->get($name, '/', 'Connection: close');
    # httpd 2.4.58 and 2.4.62 hang up on some of HTTP/2, without this module
    # as well as with it
    return 'ok' if $which == 2 && $r->{status} eq '0'
        && !Sniv::Httpd::has_sni_policy();
    return "status $r->{status} " . ($r->{error} || '')
        if $r->{status} ne '200';
    return "vhost $r->{headers}{'x-vhost'}"
        if $r->{headers}{'x-vhost'} ne "v$i";
    return $r->{body} eq "page\n" ? 'ok' : 'body';
}

Sniv::Httpd::has_sni_policy();      # known before the clients ask
my @clients = map { client($_) } 0 .. $clients - 1;

# Answers on their way: a client that reads slowly, over the first restart
my @slow = (Sniv::Client->new(addr => '127.0.0.1', port => $port),
            Sniv::Client->new(addr => '127.0.0.1', port => $tls_port,
                              tls => { sni => 'n3.test' }));
for my $c (@slow) {
    $c->send("GET /big HTTP/1.1\r\nHost: n3.test\r\n\r\n");
    $c->fill;
}

my ($ok, @memory) = (0);
for my $n (1 .. $restarts) {
    $ok += $h->graceful;
    push @memory, memory() if $n >= $settled;
    sleep 0.2;
    next if $n != 8;
    # Not later: httpd's Timeout holds for slow readers, too.
    for my $c (@slow) {
        my $r = $c->response('GET');
        is(length $r->{body}, $big, ($c->{ssl} ? 'HTTPS' : 'HTTP')
           . ': an answer on its way arrives, after 8 restarts');
        is($r->{headers}{'x-vhost'}, 'v3', 'from its virtual host');
    }
}
is($ok, $restarts, "$restarts graceful restarts");

my ($asked, @wrong) = (0);
for my $c (@clients) {
    kill 'TERM', $c->{pid};
    my $fh = $c->{from};
    my ($n, @w) = split /\n/, do { local $/; <$fh> } || '';
    waitpid $c->{pid}, 0;
    $asked += $n || 0;
    push @wrong, @w;
}
is(join("\n", @wrong), '', "no request failed (of $asked)");
cmp_ok($asked, '>', $restarts, 'there was load');

SKIP: {
    skip 'no /proc here, or too few restarts', 1
        if @memory < 2 || !defined $memory[0];
    skip 'a sanitizer keeps what is freed', 1
        if $ENV{SNIVHOST_PRELOAD} || Sniv::Httpd::patience() > 1;
    # A leak of one table each time would be ten times this.
    my $limit = 50 * (@memory - 1) + 1000;
    my $grown = $memory[-1] - $memory[0];
    note "parent's memory in KB from restart $settled on: @memory";
    cmp_ok($grown, '<', $limit, "the parent's memory does not grow: "
           . "$memory[0] KB, then $memory[-1] KB");
}

# The new configuration holds for new requests.
$generation = 1;
my $old = Sniv::Client->new(addr => '127.0.0.1', port => $port)
    ->get('gen0.test')->{headers}{'x-vhost'};
$h->write_conf;
$h->graceful;
my $vhost;
for (1 .. 100 * Sniv::Httpd::patience()) {
    # Children of the old configuration may still take a connection.
    $vhost = Sniv::Client->new(addr => '127.0.0.1', port => $port)
        ->get('gen1.test')->{headers}{'x-vhost'};
    last if $vhost eq 'v7';
    sleep 0.05;
}
is("$old $vhost", 'v7 v7', 'a new name after a restart');
is(Sniv::Client->new(addr => '127.0.0.1', port => $port)
   ->get('gen0.test')->{headers}{'x-vhost'}, 'v0',
   'a name that is gone: the default');
$h->remove;
