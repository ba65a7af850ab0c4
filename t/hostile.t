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

# Clients that mean harm: the status page's query string, handshakes cut off
# anywhere, sessions that are to get past a refusal, names that are to get
# into logs, many Hosts on one HTTP/2 connection.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use JSON::PP ();
use Test::More;
use Sniv::Certs;
use Sniv::Client;
use Sniv::H2;
use Sniv::Hello;
use Sniv::Httpd;

plan skip_all => 'the module\'s own pages and refusals'
    if Sniv::Httpd::mode() ne 'on';
Sniv::Certs::make();

my $HOSTS = 130;        # more than a page of the status page

my $h = Sniv::Httpd->new(name => 'hostile', ports => 2, mode => 'on',
    loglevel => 'debug', conf => sub {
    my ($http, $https) = @_;
    my $conf = "Listen 127.0.0.1:$http\nListen 127.0.0.1:$https\n"
        . "Listen 127.0.0.2:$https\nProtocols h2 http/1.1\n"
        . Sniv::Httpd::sni_policy_conf('insecure')
        . "SSLSessionCache shmcb:cache.shm(512000)\n"
        . "<Location /why>\nSetHandler snivhost-status\n</Location>\n"
        . '<Directory "' . Sniv::Httpd::work() . "/hostile.$$/htdocs/site\">\n"
        . "AllowOverride All\n</Directory>\n";
    for my $n (0 .. $HOSTS - 1) {
        $conf .= "<VirtualHost 127.0.0.1:$http>\nServerName v$n.test\n"
            . "ServerAlias *.first.*.v$n.last.*\nSNIVHostEnv On\n"
            . "</VirtualHost>\n";
    }
    # The second address refuses nothing.
    for my $vhost (['127.0.0.1', 'v0', 'c0', 'SNIVHostUnknownSNI refuse'],
                   ['127.0.0.1', 'v1', 'c1', ''],
                   ['127.0.0.2', 'o0', 'c0', ''],
                   ['127.0.0.2', 'o1', 'c1', '']) {
        my ($addr, $name, $cert, $more) = @$vhost;
        $conf .= "<VirtualHost $addr:$https>\nServerName $name.test\n$more\n"
            . ($more ? "SNIVHostMissingSNI refuse\n" : '')
            . "SSLEngine on\n" . Sniv::Certs::conf($cert)
            . "Header always set X-Vhost $name\n</VirtualHost>\n";
    }
    return $conf;
});
$h->start;
my ($http, $https) = $h->ports;

sub ask {
    my ($target, $host) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $http);
    my $r = $c->request("GET $target HTTP/1.1\r\nHost: "
        . (defined $host ? $host : 'v0.test')
        . "\r\nConnection: close\r\n\r\n");
    $c->close;
    return $r;
}

# ----- the query string of the status page

for my $page (99, 21_474_837, 42_949_673, 2_147_483_647, -1, '9' x 30) {
    for my $args ("set=0&page=$page", "set=-1&page=$page",
                  "set=$page", "find=v1&page=$page") {
        my $r = ask("/why?$args");
        is($r->{status}, 200, "$args: an answer");
        like($r->{body}, qr{</html>\s*\z}, "$args: a whole page");
    }
}

my $bad = '%22%3E%3Cscript%3Ealert(1)%3C/script%3E%27%26%80%ff%c3';
my $address = '127.0.0.1:' . $http;
for my $args ("address=$bad", "address=$address&sni=$bad",
              "address=$address&host=$bad", "address=$address&path=/$bad",
              "address=$address&path=$bad", "address=$address&http=$bad",
              "find=$bad", "set=$bad", "page=$bad", "$bad=$bad") {
    my $r = ask("/why?$args");
    is($r->{status}, 200, "$args: an answer");
    unlike($r->{body}, qr{<script|"&gt;|'&\x80}, "$args: nothing gets through");
    $r = ask("/why?format=json&$args");
    my $json = eval { JSON::PP->new->utf8->decode($r->{body}) };
    ok(ref $json, "$args: it is JSON") or diag($@);
}
is(ask("/why/$bad?find=x")->{body} =~ /<script/, '', 'nor through the path');
is(ask('/why?host=%00')->{status}, 400, 'a NUL');
is(ask('/why?host=%zz')->{status}, 400, 'no hexadecimal digits');
is(ask('/why?find=' . 'x' x 5000)->{status}, 414, 'too long');
is(ask('/why?' . '&' x 4000 . '=' x 90)->{status}, 200, 'many parameters');
is(ask('/why?address=' . $address . '&host=' . 'a.' x 1900)->{status}, 200,
   'a Host of many labels');
like(ask("/why?address=$address&host=a%0d%0aSet-Cookie:x")->{body},
     qr/control character/, 'a line break');
like(ask("/why?address=$address&host=x%27;id;%27")->{body},
     qr{host=x'\\'';id;'\\''}, 'the line to copy stays one word');

# ----- the author of a site, who may set a handler in .htaccess

for my $how (['SetHandler snivhost-status', '/site/page.html'],
             ['AddHandler snivhost-status .html', '/site/page.html'],
             ["Options +FollowSymLinks\nRewriteEngine On\n"
              . 'RewriteRule ^page - [H=snivhost-status]',
              '/site/page.html'],
             ['<If "true">' . "\nSetHandler snivhost-status\n</If>",
              '/site/page.html?format=json&dump']) {
    my ($lines, $target) = @$how;
    $h->write('htdocs/site/page.html', "the site's\n");
    $h->write('htdocs/site/.htaccess', "$lines\n");
    my $r = ask($target);
    is($r->{status}, 403, ".htaccess with $lines");
    unlike($r->{body}, qr/v1\.test/, 'nothing of others is shown');
}
like($h->read('error.log'), qr/SNIV0503: answered 403: /, 'the log says why');

# ----- a session does not get past a refusal

for my $way (['1.2', 'tickets', 1], ['1.2', 'session cache', 0],
             ['1.3', 'tickets', 1], ['1.3', 'session cache', 0]) {
    my ($version, $how, $tickets) = @$way;
    my %tls = (min => $version, max => $version, tickets => $tickets);
    for my $first (['127.0.0.1', 'v0.test'], ['127.0.0.1', 'v1.test'],
                   ['127.0.0.2', 'unknown.test']) {
        my ($addr, $sni) = @$first;
        my $what = "TLS $version, $how, first $sni at $addr";
        my $c = Sniv::Client->new(addr => $addr, port => $https,
                                  tls => { %tls, sni => $sni });
        is($c->get($sni, '/')->{status}, 404, $what);
        my $d = Sniv::Client->new(addr => '127.0.0.1', port => $https,
            tls => { %tls, sni => 'unknown.test', session => $c->session });
        is($d->error, 'alert 112', "$what, then an unknown name");
        $d = Sniv::Client->new(addr => '127.0.0.1', port => $https,
            tls => { %tls, session => $c->session });
        is($d->error, $version eq '1.3' ? 'alert 109' : 'alert 40',
           "$what, then no name");
        $c->close;
    }
}

# ----- a ClientHello that ends anywhere

{
    my $hello = Sniv::Hello::message(names => ['v1.test'],
                                     alpn => ['h2', 'http/1.1']);
    my $records = Sniv::Hello::records($hello);
    my @open;
    for my $n (1 .. length($records) - 1) {
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                      PeerPort => $https) or next;
        syswrite $s, substr $records, 0, $n;
        $n % 2 ? close $s : shutdown $s, 1;
    }
    # a name in every byte of which is something else
    for my $byte (0 .. 255) {
        Sniv::Hello::ask(addr => '127.0.0.1', port => $https,
                         names => ['v' . chr($byte) . "1\n[error] x.test"]);
    }
    my $answer = Sniv::Hello::ask(addr => '127.0.0.1', port => $https,
                                  names => ['v1.test']);
    is(Sniv::Hello::cn($answer->{cert}), 'c1', 'after all those');
    unlike($h->read('error.log'), qr/^\[error\]/m,
           'no line of a log begins with a client\'s words');
}

# ----- many Hosts on one connection

SKIP: {
    skip $Sniv::H2::WHY_NOT, 3 if $Sniv::H2::WHY_NOT;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $https,
                tls => { sni => 'v0.test', alpn => ['h2'] });
    my $h2 = Sniv::H2->new($c);
    my %got;
    for my $round (0 .. 99) {
        my @asked = map { $_ % 3 == 0 ? 'v0.test' : $_ % 3 == 1 ? 'v1.test'
                          : "n$round-$_.test" } 0 .. 11;
        my @r = $h2->wait(map { $h2->send_get($_) } @asked);
        for my $i (0 .. $#r) {
            my $want = $asked[$i] eq 'v1.test' ? 'v1' : 'v0';
            $got{($r[$i]{headers}{'x-vhost'} || '-') eq $want}++;
        }
    }
    is_deeply(\%got, { 1 => 1200 }, 'each stream has its virtual host');
    my $r = $h2->get('x' x 8000 . '.test', '/');
    ok($r->{status} || $r->{rst} || $r->{error}, 'a long :authority');
    $c->close;
}

# ----- long Hosts

for my $host ('.first' x 1300, 'a.' x 4000, '.first.x.v5.las' x 500,
              '.last.' x 1300, '*.' x 4000, "\xff" x 8000) {
    my $r = ask('/', "x$host");
    ok($r->{status} >= 400, 'a Host of ' . (1 + length $host) . ' bytes');
}

$h->stop;
is_deeply([Sniv::Httpd::bad_lines($h->error_log
                                  . $h->read('console.log'))], [],
          'nobody died');
$h->remove;
done_testing();
