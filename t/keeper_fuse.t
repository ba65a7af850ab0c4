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
# A folder of certificates on a file system that no longer responds: a real
# one (sshfs, on this machine, without a network), whose processes are
# stopped. keeper_faults.t has the same with a fault in the library.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path remove_tree);
use Socket;
use Test::More;
use Time::HiRes qw(sleep time);

use Sniv::Chain qw(make_cert slurp spew);
use Sniv::Client;
use Sniv::Httpd;
use Sniv::Soon qw(soon);

my ($SERVER) = grep { -x } map { "$_/sftp-server" }
    qw(/usr/lib/openssh /usr/libexec/openssh /usr/lib/ssh /usr/libexec);

plan skip_all => 'without the module nothing looks at folders'
    if Sniv::Httpd::mode() eq 'off';
plan skip_all => 'a file system is mounted: needs root' if $>;
plan skip_all => 'needs /dev/fuse' if !-e '/dev/fuse';
plan skip_all => 'needs sshfs and sftp-server'
    if !$SERVER || !grep { -x "$_/sshfs" } split /:/, $ENV{PATH};

my $ssl = Sniv::Httpd::work() . "/fuse-ssl.$$";
my ($there, $here) = ("$ssl/there", "$ssl/here");
make_path($ssl, $there, $here, "$ssl/local");
for my $name ('first', 'far', 'near') {
    make_cert($ssl, "$name-$_", names => ["$name.test"]) for 1 .. 2;
}
sub put {
    my ($file, $cert, $second) = @_;
    my $text = slurp("$ssl/$cert.leaf") . slurp("$ssl/$cert.key");
    spew("$file.tmp", $text . "\n" x (2000 - length $text));
    chmod 0600, "$file.tmp";
    utime $second, $second, "$file.tmp" if $second;
    rename "$file.tmp", $file or die "$file: $!\n";
    return;
}
put("$ssl/first.pem", 'first-1');
put("$there/far.pem", 'far-1');
put("$ssl/local/near.pem", 'near-1');

# ----- mounted

my @pids;
sub run {
    my ($socket, @command) = @_;
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDIN, '<&', $socket or die;
        open STDOUT, '>&', $socket or die;
        open STDERR, '>', "$ssl/sshfs.log" or die;
        exec @command or exit 1;
    }
    push @pids, $pid;
    return;
}
socketpair my $one, my $other, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die $!;
run($one, $SERVER);
run($other, 'sshfs', '-f', '-o', 'slave,allow_other,cache=no', "x:$there",
    $here);
close $_ for $one, $other;

sub is_mounted { return slurp('/proc/mounts') =~ m{ \Q$here\E fuse}; }
sub stop_or_go { return kill $_[0], @pids; }

# Nothing here may look into the folder: it could wait for ever.
END {
    my $status = $?;
    if (@pids) {
        stop_or_go('CONT');
        system qw(umount -l), $here if is_mounted();
        kill 'TERM', @pids;
        waitpid $_, 0 for @pids;
    }
    remove_tree($ssl) if $ssl && !is_mounted();
    $? = $status;
}

plan skip_all => 'a file system cannot be mounted: ' . slurp("$ssl/sshfs.log")
    if !soon(sub { is_mounted() }, 5);

# ----- the server

my $h = Sniv::Httpd->new(name => 'fuse', ports => 1, conf => sub {
    my $a = "127.0.0.1:$_[0]";
    return <<"END" })->start;
Listen $a
SNIVHostAdopt On
SNIVHostCertificates $ssl/local
SNIVHostCertificates $here
SNIVHostCertificateCheck 1
<VirtualHost $a>
    ServerName first.test
    SSLEngine on
    SSLCertificateFile $ssl/first.pem
    <Location /sniv>
        SetHandler snivhost-status
    </Location>
</VirtualHost>
<VirtualHost $a>
    ServerName sites.test
    ServerAlias *.test
    SNIVHostTLS On
</VirtualHost>
END
my ($port) = $h->ports;

sub served {
    my ($name) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $port,
                              tls => { sni => "$name.test" });
    return $c->error || $c->cert;
}
sub all_served {
    my ($is, $what) = @_;
    is join(' ', map { served($_) } 'far', 'first', 'near'), $is, $what;
    return;
}
sub keepers { return $h->read('error.log') =~ /SNIV0350: process (\d+) /g; }
sub is_alive {
    my ($pid) = @_;
    open my $fh, '<', "/proc/$pid/stat" or return 0;
    my $stat = readline $fh;
    return defined $stat && $stat !~ /\A\d+ \(.*\) [ZX]/ ? 1 : 0;
}

all_served('far-1 first-1 near-1', 'all are served');
sleep 1.1;
my ($second, $is_early);
for (1 .. 9) {                  # on a slow machine, in vain
    put("$there/far.pem", 'far-2', $second = int time);
    $is_early = soon(sub { served('far') eq 'far-2' }) && time < $second + 2.5;
    put("$there/far.pem", 'far-1', $is_early ? $second : time);
    last if $is_early || !soon(sub { served('far') eq 'far-1' });
}
ok soon(sub { served('far') eq 'far-1' }),
    'renewed behind the mount, twice in a second';
put("$there/far.pem", 'far-2');
ok soon(sub { served('far') eq 'far-2' }), 'renewed behind the mount';

# ----- it hangs

stop_or_go('STOP');
put("$there/far.pem", 'far-1');
sleep 3;
all_served('far-2 first-1 near-1', 'it hangs: all are served on');
my $c = Sniv::Client->new(addr => '127.0.0.1', port => $port,
                          tls => { sni => 'first.test' });
like $c->get('first.test', '/sniv?format=prometheus')->{body} // '', qr/^snivhost_store_certificates 3$/m,
    '... and shown';
$c->close;
my ($pid) = (keepers())[-1];
ok is_alive($pid), '... and the process waits';
ok $h->graceful, 'a graceful restart';
all_served('far-2 first-1 near-1', '... all are served on');
like join('', $h->read('error.log') =~ /(SNIV0358: .*)/g),
    qr/have not been read after 5 s: those that were served/, '... a line';
ok soon(sub { !is_alive($pid) }), '... the process is replaced';
ok $h->restart, 'a restart that ends all';
all_served('far-2 first-1 near-1', '... all are served on');

stop_or_go('CONT');
ok soon(sub { served('far') eq 'far-1' }), 'it responds: all is read';
put("$ssl/local/near.pem", 'near-2');
ok soon(sub { served('near') eq 'near-2' }), '... also the other folder';

# ----- it hangs, and httpd ends

stop_or_go('STOP');
put("$there/far.pem", 'far-2');
sleep 2;
ok $h->stop, 'it hangs: a stop';
ok soon(sub { !grep { is_alive($_) } keepers() }), '... leaves no process';
stop_or_go('CONT');
$h->start;
all_served('far-2 first-1 near-2', 'a start');
$h->stop;
$h->remove;

done_testing;
