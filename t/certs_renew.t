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


# Renewed, new, broken and removed certificates are noticed without a
# restart, while handshakes go on. httpd's parent looks about every 10
# seconds and believes what it has seen twice, so this takes its time.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use Test::More;
use Time::HiRes qw(sleep time);

use Sniv::Chain qw(make_cert slurp);
use Sniv::Client;
use Sniv::Httpd;

plan skip_all => 'without the module a renewal needs a restart'
    if Sniv::Httpd::mode() eq 'off';

my $LONG = 90;                  # seconds for a log line to come

my $ssl = Sniv::Httpd::work() . "/renew-ssl.$$";
make_cert($ssl, 'v0');
for my $name ('first', 'a', 'broken', 'gone', 'half', 'lean') {
    make_cert($ssl, "$name-$_", names => ["$name.test"]) for 1 .. 3;
}
make_cert($ssl, 'new', names => ['new.test']);

sub put {
    my ($file, @texts) = @_;
    my $path = "$ssl/$file";
    (my $dir = $path) =~ s{/[^/]*\z}{};
    make_path($dir);
    open my $out, '>', "$path.tmp" or die "$path: $!\n";
    print {$out} @texts;
    close $out;
    chmod 0600, "$path.tmp";
    rename "$path.tmp", $path or die "$path: $!\n";
    return;
}
sub leaf { return slurp("$ssl/$_[0].leaf"); }
sub key { return slurp("$ssl/$_[0].key"); }

# The way certbot has it: links into an archive.
sub link_live {
    my ($n) = @_;
    for my $what ('fullchain', 'privkey') {
        unlink "$ssl/certs/a.test/$what.pem";
        symlink "../../archive/$what$n.pem", "$ssl/certs/a.test/$what.pem"
            or die "symlink: $!\n";
    }
    return;
}
for my $n (1 .. 3) {
    put("archive/fullchain$n.pem", leaf("a-$n"));
    put("archive/privkey$n.pem", key("a-$n"));
}
make_path("$ssl/certs/a.test");
link_live(1);
put("certs/$_.pem", leaf("$_-1"), key("$_-1")) for 'first', 'broken', 'gone';
put('certs/half.crt', leaf('half-1'));
put('certs/half.key', key('half-1'));
put('lean.crt', leaf('lean-1'));
put('lean.key', key('lean-1'));

my $h = Sniv::Httpd->new(name => 'renew', ports => 1, conf => sub {
    my $a = "127.0.0.1:$_[0]";
    return <<"END" })->start;
Listen $a
SNIVHostCertificates $ssl/certs
SNIVHostCertificateCheck 10
<VirtualHost $a>
    ServerName first.test
    SSLEngine on
</VirtualHost>
<VirtualHost $a>
    ServerName lean.test
    SNIVHostTLS On
    SSLCertificateFile $ssl/lean.crt
    SSLCertificateKeyFile $ssl/lean.key
</VirtualHost>
END
my ($port) = $h->ports;

sub served {
    my ($name) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $port,
                              tls => { sni => $name });
    return $c->error || $c->cert;
}

# Handshakes without end in a process of its own; it tells how many there
# were and what was wrong. A client checks that certificate and key belong
# together.
my $reader = do {
    my $pid = open my $from, '-|';
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        my ($n, %wrong, $stop) = (0);
        local $SIG{TERM} = sub { $stop = 1 };
        my $end = time + 6 * $LONG * Sniv::Httpd::patience();
        while (!$stop && time < $end) {
            for my $name ('a', 'first', 'half', 'lean', 'broken') {
                my $got = served("$name.test");
                last if $stop;          # the signal cut this one off
                $n++;
                $wrong{$got}++ if $got !~ /\A$name-[123]\z/;
            }
        }
        print join(', ', map { "$_ ($wrong{$_} times)" } sort keys %wrong),
            "\n$n\n";
        close STDOUT;
        POSIX::_exit(0);
    }
    { pid => $pid, from => $from };
};

is served('a.test'), 'a-1', 'as it was';
is served('first.test'), 'first-1', 'the first virtual host';
is served('lean.test'), 'lean-1', 'a lean one';
is served('gone.test'), 'gone-1', 'in the folder';
is served('new.test'), 'first-1', 'not yet there';

link_live(2);
put('certs/first.pem', leaf('first-2'), key('first-2'));
put('certs/broken.pem', leaf('broken-2'), key('broken-3'));
put('certs/half.crt', leaf('half-2'));
put('lean.key', key('lean-2'));
put('lean.crt', leaf('lean-2'));
put('certs/new.pem', leaf('new'), key('new'));
unlink "$ssl/certs/gone.pem";

for my $line (qr{SNIV0305: .*/a\.test/fullchain\.pem is renewed and served},
              qr{SNIV0305: .*/first\.pem is renewed and served},
              qr{SNIV0305: .*/lean\.crt is renewed and served},
              qr{SNIV0307: .*/new\.pem is new and served},
              qr{SNIV0308: .*/gone\.pem is gone},
              qr{SNIV0306: .*/broken\.pem holds a key that does not belong},
              qr{SNIV0306: .*/half\.key holds a key that does not belong}) {
    ok $h->wait_for_log('error.log', $line, $LONG), "the log: $line";
}
is served('a.test'), 'a-2', 'renewed, by links';
is served('first.test'), 'first-2', 'renewed, of the first virtual host';
is served('lean.test'), 'lean-2', 'renewed, SSLCertificateFile';
is served('new.test'), 'new', 'new';
is served('gone.test'), 'first-2', 'gone: the first virtual host\'s';
is served('broken.test'), 'broken-1', 'broken: the old one';
is served('half.test'), 'half-1', 'without its key: the old one';

put('certs/half.key', key('half-2'));
link_live(3);
ok $h->wait_for_log('error.log', qr{SNIV0305: .*/half\.crt is renewed}, $LONG),
    'the key came, too';
is served('half.test'), 'half-2', 'now the new one';
is served('a.test'), 'a-3', 'and once more';

kill 'TERM', $reader->{pid};
my ($wrong, $n) = readline $reader->{from};
chomp($wrong, $n);
close $reader->{from};
is $wrong, '', "no handshake failed ($n of them)";
ok $n > 10, 'and there were some';
$h->stop;
for my $file ('broken.pem', 'half.key') {
    my $told = () = $h->read('error.log') =~ /\Q$file holds\E/g;
    is $told, 1, "$file is told of once";
}
$h->remove;

END {
    my $status = $?;
    kill 'TERM', $reader->{pid} if $reader;
    File::Path::remove_tree($ssl) if $ssl;
    $? = $status;
}

done_testing;
