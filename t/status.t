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


# The running server tells about itself: the status page, its JSON, the
# section in mod_status, the counters, and the variables of a request.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use File::Path qw(make_path);
use JSON::PP ();
use Sniv::Certs;
use Sniv::Client;
use Sniv::H2;
use Sniv::Hello;
use Sniv::Httpd;
use Time::HiRes qw(sleep time);

plan skip_all => 'all of this is the module\'s own'
    if Sniv::Httpd::mode() eq 'off';
Sniv::Certs::make();

my $log = '"%{SNIVHOST_VHOST}e|%{SNIVHOST_RULE}e|%{SNIVHOST_SNI_RULE}e|'
    . '%{SNIVHOST_ADDRESS}e|%{SNIVHOST_CERTIFICATE}e '
    . '%{SNIVHOST_VHOST}^sv|%{SNIVHOST_RULE}^sv|%{SNIVHOST_SNI_RULE}^sv|'
    . '%{SNIVHOST_ADDRESS}^sv|%{SNIVHOST_CERTIFICATE}^sv %r"';

# The page is on an address of its own, so that it hardly counts. Ports: of
# the page, plain, TLS, TLS in a set of one.
sub server {
    my (%arg) = @_;
    my $env = $arg{env} || 'On';
    return Sniv::Httpd->new(name => 'status', ports => 4, mode => 'on',
        loglevel => 'warn', %arg, conf => sub {
        my ($page, $http, $https, $alone) = @_;
        my $conf = "Listen 127.0.0.2:$page\n"
            . join('', map { "Listen 127.0.0.1:$_\n" } $http, $https, $alone)
            . "SNIVHostEnv $env\nLogFormat $log sv\nCustomLog sv.log sv\n"
            . "Protocols h2 http/1.1\nServerLimit 3\n"
            . "Header always set X-Rule \"expr=%{SNIVHOST_RULE}\"\n"
            . ($arg{main} || '') . <<"END";
<VirtualHost 127.0.0.2:$page>
    ServerName page.test
    <Location "/snivhost">
        SetHandler snivhost-status
    </Location>
    <Location "/server-status">
        SetHandler server-status
    </Location>
</VirtualHost>
END
        for my $port ($http, $https) {
            my $tls = $port == $https;
            for my $n (0 .. 1) {
                $conf .= "<VirtualHost 127.0.0.1:$port>\nServerName v$n.test\n"
                    . ($n ? "ServerAlias a.v1.test *.x.test\n"
                            . "ServerPath /sp1/\nRewriteEngine On\n"
                            . "RewriteRule ^/sp1/old/ /new [PT]\n" : '')
                    . ($tls ? "SSLEngine on\n" . Sniv::Certs::conf("c$n") : '')
                    . ($arg{vhost} || '') . "</VirtualHost>\n";
            }
        }
        return $conf . "<VirtualHost localhost:$http>\n"
            . "ServerName v2.test\n</VirtualHost>\n"
            . "<VirtualHost 127.0.0.1:$alone>\nServerName alone.test\n"
            . "SSLEngine on\n" . Sniv::Certs::conf('c2') . "</VirtualHost>\n";
    });
}

sub get {
    my ($h, $path, $method) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.2', port => ($h->ports)[0]);
    $method ||= 'GET';
    $c->send("$method $path HTTP/1.1\r\nHost: page.test\r\n"
             . "Content-Length: 0\r\nConnection: close\r\n\r\n");
    my $r = $c->response($method);
    $c->close;
    return $r;
}

sub json {
    my ($h, $args) = @_;
    my $r = get($h, '/snivhost?format=json' . ($args || ''));
    return JSON::PP->new->utf8->decode($r->{body});
}

# The counters that have changed since, but for those of the page itself.
# Waits for what is expected: a 421 is counted when it is logged, a moment
# after the client has it.
my %before;
sub changed {
    my ($h, $expected) = @_;
    my $end = time + 5 * Sniv::Httpd::patience();
    my ($now, $changed);
    while (1) {
        $now = json($h)->{counters};
        $changed = join ' ', map { my $n = $now->{$_} - ($before{$_} || 0);
                                   $n ? "$_ $n" : () }
            sort grep { $_ ne 'RequestsIp' } keys %$now;
        last if !defined $expected || $changed eq $expected || time > $end;
        sleep 0.05;
    }
    %before = %$now;
    return $changed;
}

# One request; returns its status. sni: TLS.
sub ask {
    my ($h, %q) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1',
        port => ($h->ports)[$q{n} || (exists $q{sni} ? 2 : 1)],
        exists $q{sni} ? (tls => { defined $q{sni} ? (sni => $q{sni})
                                                   : () }) : ());
    return $c->error if $c->error;
    $c->send('GET ' . ($q{path} || '/') . ' HTTP/' . ($q{http} || '1.1')
             . "\r\n" . (defined $q{host} ? "Host: $q{host}\r\n" : '')
             . join('', map { "$_\r\n" } @{ $q{lines} || [] })
             . "Connection: close\r\n\r\n");
    my $r = $c->response('GET');
    $c->close;
    return wantarray ? ($r->{status}, $r) : $r->{status};
}

# ----- counters

my $h = server();
$h->start;
my ($page, $http, $https, $alone) = $h->ports;
changed($h);
my @counts = (
    ['ServerName', 'RequestsServerName 1', host => 'v1.test'],
    ['exact alias', 'RequestsAlias 1', host => 'a.v1.test'],
    ['glob', 'RequestsGlob 1', host => 'q.x.test'],
    ['address text', 'RequestsAddressText 1', host => 'localhost'],
    ['ServerPath', 'RequestsPath 1', http => '1.0', path => '/sp1/'],
    ['unknown host', 'RequestsDefaultUnknown 1', host => 'nobody.example'],
    ['no host', 'RequestsDefaultMissing 1', http => '1.0'],
    ['no host on HTTP/1.1, refused', 'RequestsDefaultMissing 1'],
    ['malformed host, refused', '', host => 'a..b'],
    ['SNI and Host', 'RequestsServerName 1 SniFound 1', sni => 'v1.test',
     host => 'v1.test'],
    ['SNI by glob', 'RequestsGlob 1 SniFound 1', sni => 'q.x.test',
     host => 'q.x.test'],
    ['SNI unknown', 'RequestsDefaultUnknown 1 SniUnknown 1',
     sni => 'nobody.example', host => 'nobody.example'],
    ['no SNI', 'RequestsServerName 1 SniNone 1', sni => undef,
     host => 'v0.test'],
    ['421', 'Misdirected 1 RequestsServerName 1 SniFound 1',
     sni => 'v1.test', host => 'v0.test'],
    ['TLS, one virtual host', 'SniIp 1', sni => 'v1.test',
     host => 'alone.test', n => 3],
);
for my $count (@counts) {
    my ($what, $expected, @q) = @$count;
    ask($h, @q);
    is(changed($h, $expected), $expected, "$what counts");
}
Sniv::Hello::ask(addr => '127.0.0.1', port => $https,
                 sni_data => pack 'n', 3);
is(changed($h, 'SniMalformed 1'), 'SniMalformed 1', 'malformed SNI counts');
{
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $https,
        tls => { sni => 'v1.test', alpn => ['h2'] });
    my $h2 = Sniv::H2->new($c);
    $h2->get('v1.test', '/') for 1 .. 3;
    $c->close;
    my $expected = 'RequestsServerName 3 SniFound 1';
    is(changed($h, $expected), $expected,
       'each stream of an HTTP/2 connection counts');
}
{
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $http);
    for (1 .. 5) {
        $c->send("GET / HTTP/1.1\r\nHost: v1.test\r\n\r\n");
        $c->response('GET');
    }
    $c->close;
    is(changed($h, 'RequestsServerName 5'), 'RequestsServerName 5',
       'each request of a connection counts');
}

# ----- the variables

# What the log says of the last request with this path.
sub logged {
    my ($h, $path) = @_;
    my $line = $h->wait_for_log('sv.log', qr/GET \Q$path\E /) // return '';
    return (split ' ', $line)[0, 1];
}

my @variables = (
    ['plain', "v1.test|alias|-|127.0.0.1:$http|-", host => 'a.v1.test'],
    ['TLS', "v1.test|servername|glob|127.0.0.1:$https|c1.test",
     sni => 'q.x.test', host => 'v1.test'],
    ['no SNI', "v0.test|servername|default-no-name|127.0.0.1:$https|c0.test",
     sni => undef, host => 'v0.test'],
    ['421', "v0.test|servername|servername|127.0.0.1:$https|c1.test",
     sni => 'v1.test', host => 'v0.test'],
    ['malformed host', "v0.test|early|-|127.0.0.1:$http|-", host => 'a..b'],
    ['417', "v1.test|servername|-|127.0.0.1:$http|-", host => 'v1.test',
     lines => ['Expect: junk']],
    ['IP', "alone.test|ip|ip|127.0.0.1:$alone|c2.test", sni => 'x.test',
     host => 'x.test', n => 3],
);
# mod_rewrite has made it another path by the time of the log.
ask($h, http => '1.0', path => '/sp1/old/');
is((logged($h, '/sp1/old/'))[1], "v1.test|path|-|127.0.0.1:$http|-",
   'a ServerPath that is rewritten: the rule that chose');

my $n = 0;
for my $case (@variables) {
    my ($what, $expected, @q) = @$case;
    my $path = '/variables' . $n++;
    my (undef, $r) = ask($h, @q, path => $path);
    my ($env, $format) = logged($h, $path);
    is($env, $expected, "$what: the environment");
    is($format, $expected, "$what: LogFormat");
    is($r->{headers}{'x-rule'}, (split /\|/, $expected)[1],
       "$what: an expression");
}

# ----- the page

my $r = get($h, '/snivhost');
is($r->{status}, 200, 'the page');
like($r->{headers}{'content-type'}, qr{\Atext/html}, 'is HTML');
unlike($r->{body}, qr/<script|\son\w+=|javascript:|https?:/i,
       'without script and without anything from elsewhere');
like($r->{body}, qr/name="viewport".*prefers-color-scheme:dark/s,
     'for phones and for dark screens');
like($r->{headers}{'content-security-policy'}, qr/default-src 'none'/,
     'a policy that forbids the rest');
like($r->{headers}{'cache-control'}, qr/no-store/, 'is not cached');
for my $set ("127.0.0.1:$https", "127.0.0.2:$page") {
    like($r->{body}, qr{<summary><b>\Q$set\E</b>}, "the address $set");
}
is(get($h, '/other')->{status}, 404, 'it is nowhere but where it was mapped');
is(get($h, '/snivhost', 'POST')->{status}, 405, 'only GET');
is(get($h, '/snivhost', 'HEAD')->{status}, 200, 'and HEAD');
is(get($h, '/snivhost?address=%zz')->{status}, 400, 'a bad escape');
is(get($h, '/snivhost?find=' . 'x' x 5000)->{status}, 414,
   'a query string that is too long');

my $evil = '%3Cscript%3E%22%27%26';
for my $args ("address=$evil", "address=127.0.0.1:$http&host=$evil",
              "address=127.0.0.1:$https&sni=$evil&host=$evil&path=/$evil",
              "find=$evil", "address=127.0.0.1:$http&path=$evil",
              "address=127.0.0.1:$http&http=$evil", "set=$evil&page=$evil") {
    my $body = get($h, "/snivhost?$args")->{body};
    unlike($body, qr/<script|"'&(?!\w+;)/, "escaped: $args");
    ok(JSON::PP->new->utf8->decode(
        get($h, "/snivhost?format=json&$args")->{body}), 'and in JSON');
}
my ($found) = get($h, '/snivhost?find=X.te')->{body}
    =~ /(id="hosts".*)/s;
like($found, qr{<b>v1\.test</b>}, 'a virtual host is found by its alias');
unlike($found, qr{<b>v2\.test</b>}, 'and another one is not');

# The same question to the page and to -t: the same answer, but for how long
# certificates are valid from then.
sub answer_of_test {
    my ($h, $words) = @_;
    my (undef, $said) = $h->check('-t', '-c',
                                  "SNIVHostExplain $words format=json");
    return JSON::PP->new->utf8->decode($said =~ /^(\{\n.*?^\}\n)/ms ? $1
                                                                    : '{}');
}
for my $words ("127.0.0.1:$https sni=v1.test host=v0.test",
               "127.0.0.1:$https host=q.x.test path=/sp1/",
               "127.0.0.1:$http host=LOCALHOST:80",
               "127.0.0.1:$alone sni=x host=y", "127.0.0.9:9",
               "127.0.0.1:$http sni=x") {
    my $test = answer_of_test($h, $words);
    my $live = json($h, "&address=$words" =~ s/ /&/gr);
    for my $x ($test, $live) {
        $_->{text} =~ s/, in \d+ days$// for @{ $x->{steps} || [] };
    }
    is_deeply($live, $test, "the page and -t agree: $words");
}
$r = get($h, "/snivhost?address=127.0.0.1:$https&sni=v1.test&host=v0.test");
like($r->{body}, qr{class="answer\ bad"\ id="answer">\s*
     <p\ class="verdict">v0\.test\ .*421\ Misdirected\ Request}xs,
     'an answer on the page');
like($r->{body}, qr{<h4>SSLCertificateFile .*c1\.crt.*c0\.crt}s,
     'with what differs');
my $dump = json($h, '&dump');
is(scalar @{ $dump->{vhosts} }, 7, 'the dump has all virtual hosts');
is($dump->{vhosts}[4]{tls}{certificate}{names}[0], 'c1.test',
   'and certificates from memory');

# ----- mod_status

my $auto = get($h, '/server-status?auto')->{body};
like($auto, qr/^SNIVHostMode: On$/m, '?auto: the mode');
like($auto, qr/^SNIVHostVirtualHosts: 7$/m, '?auto: virtual hosts');
my $counters = json($h)->{counters};
for my $key (qw(RequestsServerName RequestsAlias SniFound Misdirected)) {
    like($auto, qr/^SNIVHost$key: $counters->{$key}$/m, "?auto: $key");
}
my $full = get($h, '/server-status')->{body};
like($full, qr{<h2>Virtual hosts \(SNIVHost On\)</h2>}, 'a section');
like($full, qr{<td>text of &lt;VirtualHost&gt;</td>}, 'escaped');
like(get($h, '/server-status?notable')->{body}, qr{<dt>ServerName: \d},
     'without tables');

# ----- a restart begins at zero

my $sum = sub { my $c = json($h)->{counters}; my $n = 0;
                $n += $c->{$_} for grep { $_ ne 'RequestsIp' } keys %$c;
                return $n };
cmp_ok($sum->(), '>', 30, 'much was counted');
my $since = json($h)->{counted_since};
sleep 1.1;
$h->signal('USR1');
my $end = time + 20 * Sniv::Httpd::patience();
sleep 0.1 while json($h)->{counted_since} eq $since && time < $end;
isnt(json($h)->{counted_since}, $since, 'a graceful restart');
cmp_ok($sum->(), '<=', 1, 'begins at zero');
$h->remove;

# ----- children come and go, counters stay

$h = server(mpm => 'prefork', modules => ['-http2'], main =>
    "MaxConnectionsPerChild 2\nStartServers 2\n<IfModule !http2_module>\n"
    . "</IfModule>\n");
$h->start;
changed($h);
ask($h, host => 'v1.test') for 1 .. 40;
is(changed($h, 'RequestsServerName 40'), 'RequestsServerName 40',
   'many children: prefork with MaxConnectionsPerChild 2');
$h->remove;

# ----- SNIVHostEnv is off by default, and by virtual host

$h = server(env => 'Off');
$h->start;
ask($h, host => 'v1.test', path => '/off');
my ($env, $format) = logged($h, '/off');
is($env, '-|-|-|-|-', 'SNIVHostEnv Off: no variables');
is($format, 'v1.test|servername|-|127.0.0.1:' . ($h->ports)[1] . '|-',
   'LogFormat has them all the same');
$h->remove;
$h = server(env => 'Off', vhost => "SNIVHostEnv On\n");
$h->start;
ask($h, host => 'v1.test', path => '/vhost');
like((logged($h, '/vhost'))[0], qr/\Av1\.test\|servername/,
     'SNIVHostEnv On in a virtual host');
$h->remove;

# ----- SNIVHost Off: the page still answers

$h = server(main => "SNIVHost Off\n");
$h->start;
like(get($h, '/snivhost')->{body}, qr/SNIVHost is Off/, 'Off: it says so');
is(json($h, '&address=127.0.0.1:' . ($h->ports)[1] . '&host=a.v1.test')
   ->{rule}, 'alias', 'Off: questions are answered');
unlike(get($h, '/server-status?auto')->{body}, qr/SNIVHost/,
       'Off: nothing in mod_status');
$h->remove;

# ----- the certificate store

{
    my $dir = Sniv::Httpd::work() . "/status.$$.certs";
    make_path($dir);
    my $certs = Sniv::Certs::dir();
    for my $name (qw(c0 c5)) {
        for my $end (qw(crt key)) {
            open my $in, '<', "$certs/$name.$end" or die "$name.$end: $!\n";
            open my $out, '>', "$dir/$name.$end" or die "$name.$end: $!\n";
            print $out do { local $/; <$in> };
        }
    }
    $h = server(main => qq(SNIVHostCertificates "$dir"\n));
    $h->start;
    changed($h);
    ask($h, sni => 'c5.test', host => 'v0.test');
    like(changed($h), qr/SniUnknown 1 StoreHit 1\z/,
         'a certificate from a folder counts');
    ask($h, sni => 'nobody.test', host => 'v0.test');
    like(changed($h), qr/SniUnknown 1 StoreFallback 1 StoreMiss 1\z/,
         'one that is not there counts');
    my $x = json($h, '&address=127.0.0.1:' . ($h->ports)[2]
                 . '&sni=c5.test&host=v0.test');
    is($x->{certificate}{names}[0], 'c5.test', 'and is explained');
    is_deeply(answer_of_test($h, '127.0.0.1:' . ($h->ports)[2]
                             . ' sni=c5.test host=v0.test')->{certificate},
              $x->{certificate}, 'under -t too');
    is(json($h)->{certificate_store}{certificates}, 2, 'the store\'s size');
    $h->remove;
    unlink glob "$dir/*";
    rmdir $dir;
}

done_testing;
