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


# The certificates that are served: on the status page, in its JSON and under
# -t, the first to expire first; what a monitoring system reads; and the log
# line about those that are not renewed.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use Sniv::Certs;
use Sniv::Chain qw(slurp spew);
use Sniv::Client;
use Sniv::Httpd;

plan skip_all => 'the module is not loaded'
    if Sniv::Httpd::mode() eq 'off';

my $LONG = 60;                  # seconds, times patience

my $ssl = Sniv::Httpd::work() . "/served-ssl.$$";
make_path("$ssl/made", "$ssl/folder");
Sniv::Certs::make();
Sniv::Certs::openssl('genpkey', '-algorithm', 'EC', '-pkeyopt',
                     'ec_paramgen_curve:P-256', '-out', "$ssl/made/key");
my $key = slurp("$ssl/made/key");

# NAME of so many days, of which so many are left.
sub make {
    my ($name, $days, $left, @names) = @_;
    Sniv::Certs::dated("$ssl/made", "$ssl/made/key", $name,
                       names => join(',', @names ? @names : "$name.test"),
                       from => $left - $days, to => $left);
    return slurp("$ssl/made/$name.crt");
}

# In place of what is there, as certbot does.
sub put {
    my ($path, $text) = @_;
    spew("$ssl/$path.tmp", $text);
    chmod 0600, "$ssl/$path.tmp";
    rename "$ssl/$path.tmp", "$ssl/$path" or die "$path: $!\n";
    return;
}

put('own.crt', make('own', 90, 70));
put('lean.crt', make('lean', 90, 60));
put('folder/f.pem', make('f', 90, 50, 'f.test', '<b>.test') . $key);
put('key', $key);

# mod_ssl's own, a lean one, one from a folder.
sub server {
    my (%arg) = @_;
    return Sniv::Httpd->new(name => 'served', ports => 2, mode => 'on',
                            conf => sub {
        my ($page, $tls) = @_;
        return <<"END" });
Listen 127.0.0.1:$page
Listen 127.0.0.1:$tls
@{[ $arg{main} ? $arg{main}->($tls) : '' ]}
SNIVHostCertificates $ssl/folder
SNIVHostAdopt @{[ $arg{adopt} // 'On' ]}
<VirtualHost 127.0.0.1:$page>
    ServerName page.test
    <Location "/sv">
        SetHandler snivhost-status
    </Location>
</VirtualHost>
<VirtualHost 127.0.0.1:$tls>
    ServerName own.test
    SSLEngine on
    SSLCertificateFile $ssl/own.crt
    SSLCertificateKeyFile $ssl/key
</VirtualHost>
<VirtualHost 127.0.0.1:$tls>
    ServerName lean.test
    SSLEngine on
    SSLCertificateFile $ssl/lean.crt
    SSLCertificateKeyFile $ssl/key
</VirtualHost>
END
}

sub get {
    my ($h, $args) = @_;
    return Sniv::Client->new(addr => '127.0.0.1', port => ($h->ports)[0])
        ->get('page.test', "/sv?$args");
}

sub json {
    my ($h, $args) = @_;
    return JSON::PP->new->utf8->decode(
        get($h, 'format=json' . ($args // ''))->{body});
}

# How and by which name each of a list is served, in its order.
sub brief {
    return join ' ', map { "$_->{how}:$_->{names}[0]" } @_;
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

# ----- the log line

# What is said, without what comes before the tag.
sub said {
    my ($h) = @_;
    return map { s/.*(?=SNIV0360)//r } grep { /SNIV0360/ }
        split /\n/, $h->read('error.log');
}

my $h = server()->start;
is_deeply [said($h)], [], 'all are fresh: nothing is said';
$h->stop;

put('own.crt', make('own', 90, 31));
put('lean.crt', make('lean', 6, 2.1));
put('folder/f.pem', make('f', 6, 1.9) . $key);
$h->start;
like join("\n", said($h)), qr{\ASNIV0360:\ certificate:\ less\ than\ a\ third
    \ of\ the\ life\ of\ \Q$ssl\E/folder/f\.pem\ is\ left,\ it\ expires\ on
    \ \d{4}-\d\d-\d\d\.\ Check\ that\ it\ is\ going\ to\ be\ renewed\z}x,
    'one that has less than a third of its life left';
like $h->read('error.log'), qr/:notice\].*SNIV0360/, '... a notice';
ok $h->graceful, 'a graceful restart';
is scalar(said($h)), 1, '... on the same day: nothing more';
$h->stop;
my ($day) = join('', said($h)) =~ /(\d{4}-\d\d-\d\d)/;

put('own.crt', make('own', 90, 29));
put('lean.crt', make('lean', 90, 10));
$h->start;
like +(said($h))[-1], qr{f\.pem\ is\ left,\ it\ expires\ on\ $day;\ so\ it\ is
    \ with\ 2\ other\ certificates\.}x,
    'a start: the one that expires first, and how many others';
$h->stop;

put('folder/f.pem', make('f', 90, 50) . $key);
put('own.crt', make('own', 90, -1));
put('lean.crt', make('lean', 90, 60));
$h->start;
like +(said($h))[-1], qr{of\ \Q$ssl\E/own\.crt\ is\ left,\ it\ expired\ on
    \ \S+\ Check}x, 'one that mod_ssl has loaded';
like $h->read('error.log'), qr/:warn\].*SNIV0360.*own\.crt/, '... a warning';
is scalar(said($h)), 3, 'one line a start';
$h->remove;

# The next day: the parent's clock, put forward.
SKIP: {
    skip 'the clock is another one', 3
        if $ENV{SNIVHOST_PRELOAD} || $^O ne 'linux';
    spew("$ssl/clock.c", <<"END");
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    long rv = syscall(SYS_gettimeofday, t, zone);
    if (access("$ssl/later", F_OK) == 0)
        t->tv_sec += 86400;
    return (int)rv;
}
END
    skip 'no C compiler', 3 if system("cc -shared -fPIC -o $ssl/clock.so "
                                      . "$ssl/clock.c >/dev/null 2>&1") != 0;
    local $ENV{SNIVHOST_PRELOAD} = "$ssl/clock.so";
    $h = server()->start;
    is scalar(said($h)), 1, 'a start';
    spew("$ssl/later", '');
    ok soon(sub { said($h) > 1 }), 'a day later: once more';
    sleep 12;                           # the parent has looked again
    is scalar(said($h)), 2, '... and then no more on that day';
    $h->remove;
    unlink "$ssl/later";
}

$h = server(main => sub { 'SNIVHostLintIgnore 0428' })->start;
is_deeply [said($h)], [], 'SNIVHostLintIgnore 0428: nothing is said';
$h->remove;

# ----- the list

put('own.crt', make('own', 90, 70));
put('lean.crt', make('lean', 90, 60));
put('folder/f.pem', make('f', 90, 50, 'f.test', '<b>.test') . $key);
put('folder/old.pem', make('old', 90, -1, 'f.test') . $key);
$h = server()->start;
my $all = 'folder:f.test lean:lean.test mod_ssl:own.test';
my $list = json($h, '&certificates');
is brief(@{ $list->{certificates} }), $all,
    'all that are served, the first to expire first; not an old one of a name';
is_deeply [@$list{qw(served late page pages)}], [3, 0, 0, 1], '... counted';
my ($f, $lean, $own) = @{ $list->{certificates} };
is_deeply [map { $_->{files} } $f, $lean, $own],
    [["$ssl/folder/f.pem"], ["$ssl/lean.crt", "$ssl/key"],
     ["$ssl/own.crt", "$ssl/key"]], '... from which files';
is_deeply [map { $_->{keys} } $f, $lean, $own], [('EC prime256v1') x 3],
    '... the kind of key';
like $_->{loaded}, qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/, '... when loaded'
    for $f, $lean, $own;
my $state = json($h);
is_deeply [@{ $state->{certificates} }{qw(served late first_expires)}],
    [3, 0, $f->{not_after}], 'the state has the numbers';
is $state->{keeper}{state}, 'waiting', '... and what the keeper does';
is_deeply json($h, '&certificates&page=7')->{certificates}, [],
    'a page that there is not';

my $page = get($h, '')->{body};
like $page, qr{id="certificates".*<b>f\.test</b>.*\Q$ssl\E/folder/f\.pem
    .*<b>lean\.test</b>.*<b>own\.test</b>}xs, 'they are on the page';
like $page, qr/&lt;b&gt;\.test/, '... escaped';
unlike $page, qr/<b>\.test/, '... in every place';
$page = get($h, 'certificates')->{body};
like $page, qr{<b>f\.test</b>.*<b>lean\.test</b>.*<b>own\.test</b>}s,
    'the list on a page of its own';
unlike $page, qr/id="hosts"/, '... without virtual hosts';

# -t: what would be served
my (undef, $dump) = $h->check('-t', '-D', 'DUMP_SNIVHOST_JSON');
my $dumped = JSON::PP->new->utf8->decode($dump =~ /^(\{\n.*?^\}\n)/ms)
    ->{certificates};
is brief(@$dumped), $all, 'DUMP_SNIVHOST_JSON: the same';
for my $one (@$dumped, $f, $lean, $own) {
    delete $one->{loaded};
}
is_deeply $dumped, [$f, $lean, $own], '... to the letter';
(undef, $dump) = $h->check('-t', '-D', 'DUMP_SNIVHOST');
like $dump, qr{^3\ certificates,\ those.*\n\ +1\ until\ .*\ EC\ prime256v1\ \ \(folder\)
    .*\Q$ssl\E/folder/f\.pem.*\n\ +2\ .*\(lean\).*lean\.crt.*\n\ +3\ .*\(mod_ssl\)
    .*own\.crt}xms, 'DUMP_SNIVHOST';

# What is served now, not what was at the start.
put('lean.crt', make('lean', 90, 40));
unlink "$ssl/folder/f.pem";
ok soon(sub { brief(@{ json($h, '&certificates')->{certificates} })
              eq 'folder:f.test lean:lean.test mod_ssl:own.test'
              && json($h, '&certificates')->{late} == 1 }),
    'one is gone: the old one is served';
put('folder/old.pem', make('old', 90, 30.5, 'new.test') . $key);
ok soon(sub { brief(@{ json($h, '&certificates')->{certificates} })
              eq 'folder:new.test lean:lean.test mod_ssl:own.test' }),
    'renewed ones, without a restart';
cmp_ok json($h, '&certificates')->{certificates}[1]{loaded}, 'ge',
    $state->{keeper}{last_look}, '... loaded since';

put('own.crt', make('own', 90, 80));
ok soon(sub { json($h, '&certificates')->{certificates}[2]{not_after}
              gt $own->{not_after} }),
    '... that of a virtual host that mod_ssl has set up, too';

# ----- metrics

# The text format 0.0.4, strictly. Returns name => value, name{labels} =>
# value, and what is wrong.
sub metrics {
    my ($text) = @_;
    my (%value, %type, @wrong, $family);
    push @wrong, 'does not end with a line feed' if $text !~ /\n\z/;
    for (split /\n/, $text) {
        if (/\A# HELP ([a-z_]+) [^\\]+\z/) {
            push @wrong, "$1: twice" if $type{$1};
            $family = $1;
            $type{$family} = 'none';
        }
        elsif (/\A# TYPE ([a-z_]+) (counter|gauge)\z/) {
            push @wrong, "TYPE of $1 is not after its HELP"
                if $1 ne ($family // '') || $type{$1} ne 'none';
            $type{$1} = $2;
            push @wrong, "$1: its name" if ($2 eq 'counter') != /_total /;
        }
        elsif (/\A([a-z_]+)(?:\{([^}]*)\})? (\d+)\z/) {
            my ($name, $labels, $value) = ($1, $2 // '', $3);
            push @wrong, "$name: outside of its family"
                if $name ne ($family // '') || $type{$name} eq 'none';
            push @wrong, "labels: $labels" if $labels !~
                /\A(?:(?:\A|,)[a-z]+="[A-Za-z0-9.-]+")*\z/;
            $name .= "{$labels}" if $labels;
            push @wrong, "twice: $_" if defined $value{$name};
            $value{$name} = $value;
        }
        else { push @wrong, "line: $_" }
    }
    return (\%value, @wrong);
}

Sniv::Client->new(addr => '127.0.0.1', port => ($h->ports)[1],
                  tls => { sni => $_ }) for 'own.test', 'evil.example';
my $r = get($h, 'format=prometheus');
is $r->{headers}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8',
    'metrics: the type';
my ($value, @wrong) = metrics($r->{body});
is_deeply \@wrong, [], '... are well-formed';
unlike $r->{body}, qr/evil|test|\//, '... and say nothing of clients, names '
    . 'and files';
my %expected = (
    'handshakes_total{sni="known"}' => 1,
    'handshakes_total{sni="unknown"}' => 1,
    'certificates' => 3, 'certificates_late' => 0,
    'certificates_expiring{days="30"}' => 0,
    'certificates_expiring{days="60"}' => 2,
    'certificates_expiring{days="90"}' => 3,
    'keeper_state{state="waiting"}' => 1, 'keeper_state{state="gone"}' => 0,
    'virtual_hosts' => 3, 'addresses' => 2, 'store_certificates' => 3,
);
is_deeply { map { $_ => $value->{"snivhost_$_"} } keys %expected },
    \%expected, '... have the values';
cmp_ok $value->{snivhost_last_look_age_seconds}, '<', 3600, '... a recent look';
my ($promtool) = grep { -x } map { "$_/promtool" } split /:/, $ENV{PATH};
SKIP: {
    skip 'promtool is not installed', 1 if !$promtool;
    my $file = $h->write('metrics', $r->{body});
    is qx{$promtool check metrics <$file 2>&1}, '', 'promtool has no objection';
}
$h->remove;

# Without the store's own copies: what is in the SSL_CTX, however many have it.
$h = server(adopt => 'Off', main => sub { <<"END" })->start;
Listen 127.0.0.2:$_[0]
<VirtualHost 127.0.0.2:$_[0]>
    ServerName twice.test
    SSLEngine on
    SSLCertificateFile $ssl/own.crt
    SSLCertificateKeyFile $ssl/key
</VirtualHost>
END
$list = json($h, '&certificates')->{certificates};
is brief(@$list), 'folder:new.test mod_ssl:lean.test mod_ssl:own.test',
    'SNIVHostAdopt Off: those of mod_ssl, each once';
is_deeply [map { $_->{files}[0] } @$list],
    ["$ssl/folder/old.pem", "$ssl/lean.crt", "$ssl/own.crt"],
    '... with their files';
ok !(grep { !$_->{loaded} } @$list), '... and when they were loaded';
$h->remove;

# ----- pages

SKIP: {
    my $made = "$ssl/many";
    make_path($made);
    my $top = Sniv::Httpd::top();
    skip 'no C compiler', 6
        if system("cc -o $ssl/certs $top/t/bench/certs.c -lcrypto "
                  . ">/dev/null 2>&1") != 0;
    system("$ssl/certs", $made, 205) == 0 or die "no certificates\n";
    $h = server(main => sub { "SNIVHostCertificates $made" })->start;
    my $pages = json($h, '&certificates');
    is_deeply [@$pages{qw(served pages)}], [208, 3], 'many certificates';
    my (%seen, @times);
    for my $n (0 .. 2) {
        my $here = json($h, "&certificates&page=$n")->{certificates};
        is scalar @$here, (100, 100, 8)[$n], "page $n";
        $seen{ $_->{fingerprints} }++ for @$here;
        push @times, map { $_->{not_after} } @$here;
    }
    is scalar keys %seen, 208, 'each on one page';
    is_deeply \@times, [sort @times], '... by expiry';
    like get($h, 'certificates&page=1')->{body},
        qr{<b>site\d+\.example</b>.*page=2\#certificates">next}s,
        'the next page can be reached';
    $h->remove;
}

done_testing;
