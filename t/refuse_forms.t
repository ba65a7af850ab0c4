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

# SNIVHostUnknownHost refuse: the ways in which a request can say for whom it
# is, in HTTP/1 on plain connections, TLS 1.2, TLS 1.3 and resumed sessions,
# and in HTTP/2. Only names that a virtual host has are served. All that is
# served here is one file, so "200" is a hole wherever it is not written.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Sniv::Certs;
use Sniv::Client;
use Sniv::H2;
use Sniv::Httpd;

plan skip_all => 'these directives are the module\'s own'
    if Sniv::Httpd::mode() ne 'on';
Sniv::Certs::make();

sub server {
    my ($name, $mode) = @_;
    my $h = Sniv::Httpd->new(name => $name, ports => 2, mode => $mode,
                             conf => \&conf);
    $h->write('htdocs/index.html', 'page');
    $h->start;
    return $h;
}

sub conf {
    my ($http, $https) = @_;
    my $conf = Sniv::Httpd::sni_policy_conf('insecure')
        . "Protocols h2 h2c http/1.1\nH2Direct on\nTraceEnable on\n"
        . "<IfModule mod_snivhost.c>\nSNIVHostUnknownHost refuse\n"
        . "SNIVHostUnknownSNI refuse\n</IfModule>\n"
        . "Header always set X-Vhost main\n"
        . "RewriteEngine On\nRewriteOptions InheritDown\n"
        . "RewriteRule ^/inside\$ /index.html [PT]\n"
        . "ErrorDocument 421 /index.html\n";
    for my $port ($http, $https) {
        $conf .= "Listen $_:$port\n" for map { "127.0.0.$_" } 1 .. 5;
        for my $vhost (['127.0.0.1', 'v0', 'c0', ''],
                       ['127.0.0.1', 'v1', 'c1',
                        "ServerAlias *.x.test\nServerPath /sp1/\n"],
                       ['127.0.0.2', 'ip', 'c2', ''],
                       ['127.0.0.4', 's0', 'c0', "StrictHostCheck On\n"],
                       ['127.0.0.4', 's1', 'c1', ''],
                       ['_default_', 'd0', 'c0', ''],
                       ['*', 'd1', 'c1', '']) {
            my ($addr, $name, $cert, $more) = @$vhost;
            next if $addr !~ /\d/ && $port == $https;
            $conf .= "<VirtualHost $addr:$port>\nServerName $name.test\n$more"
                . "Header always set X-Vhost $name\n"
                . ($port == $https
                   ? "SSLEngine on\n" . Sniv::Certs::conf($cert) : '')
                . "</VirtualHost>\n";
        }
    }
    return $conf;
}
my $h = server('refuse-forms', 'on');
our ($http, $https) = $h->ports;

# ----- connections

my %session;

sub plain {
    return Sniv::Client->new(addr => $_[0] // '127.0.0.1', port => $http, seconds => 3);
}

sub tls {
    my ($version, %more) = @_;
    return Sniv::Client->new(addr => '127.0.0.1', port => $https, seconds => 3,
        tls => { sni => 'v0.test', min => $version, max => $version, %more });
}

sub resumed {
    my ($version, %more) = @_;
    my $first = tls($version, %more);
    if ($more{alpn}) { Sniv::H2->new($first)->get('v0.test', '/'); }
    else             { $first->get('v0.test', '/'); }
    my $c = tls($version, %more, session => $first->session);
    $first->close;
    is($c->resumed, 1, "resumed, TLS $version") if !$session{$version}++;
    return $c;
}

my %CONNECT = (
    'plain' => \&plain,
    'TLS 1.2' => sub { tls('1.2') },
    'TLS 1.3' => sub { tls('1.3') },
    'TLS 1.2 resumed' => sub { resumed('1.2') },
    'TLS 1.3 resumed' => sub { resumed('1.3') },
);

sub brief {
    my ($r) = @_;
    return join ' ', $r->{status} || $r->{error} || 'nothing',
        $r->{headers}{'x-vhost'} // '-';
}

# is(), but what another httpd or libnghttp2 than ours refuses without the
# module, it has to refuse in the same way with it.
my $stock;
sub is_or_stock {
    my ($ask, $want, $what) = @_;
    my $got = $ask->();
    if ($got ne $want) {
        $stock ||= server('refuse-forms-stock', 'none');
        local ($http, $https) = $stock->ports;
        my $there = $ask->();
        $want = $there if $there !~ /^(?:200|404)/;
    }
    is($got, $want, $what);
    return;
}

# ----- HTTP/1

sub get { return "GET $_[0] HTTP/1.1\r\n" . join('', map { "$_\r\n" }
                 @_[1 .. $#_]) . "\r\n"; }
sub host { return get('/', "Host: $_[0]"); }

# what, the request, the answer's status and virtual host
my @FORMS = (
    # names that a virtual host has, in other words
    ['a known name', host('v0.test'), '200 v0'],
    ['upper case', host('V1.TEST'), '200 v1'],
    ['a trailing dot', host('v1.test.'), '200 v1'],
    ['a port', host('v1.test:1'), '200 v1'],
    ['dot and port', host('v1.test.:443'), '200 v1'],
    ['a wildcard', host('a.x.test'), '200 v1'],
    ['the text of the address', host('127.0.0.1'), '200 v0'],
    ['blanks around', get('/', "Host: \t v1.test \t"), '200 v1'],
    ['no blank, other case', get('/', 'hOST:v1.test'), '200 v1'],
    ['ServerPath, no Host', "GET /sp1/ HTTP/1.0\r\n\r\n",
     '200 v1', '400 v1'],        # mod_ssl requires a Host where there was SNI
    # ... and that none has
    ['an unknown name', host('nobody.test'), '421 v0'],
    ['in upper case', host('NOBODY.TEST'), '421 v0'],
    ['with a dot', host('nobody.test.'), '421 v0'],
    ['with a port', host('nobody.test:80'), '421 v0'],
    ['with an empty port', host('nobody.test:'), '400 v0'],
    ['with a port that is none', host('nobody.test:99999'), '400 v0'],
    ['no name, a port', host(':80'), '400 v0'],
    ['two dots', host('v0.test..'), '400 v0'],
    ['a dot before', host('.v0.test'), '421 v0'],
    ['a dot', host('.'), '400 v0'],
    ['what the wildcard does not cover', host('x.test'), '421 v0'],
    ['an empty label for the wildcard', host('.x.test'), '200 v1'],
    ['the wildcard itself', host('*.x.test'), '400 v0'],
    ['a known name in front', host('v0.test.nobody.test'), '421 v0'],
    ['a known name behind', host('nobody.v0.test'), '421 v0'],
    ['a known name without its end', host('v0'), '421 v0'],
    ['an A-label', host('xn--e1afmkfd.test'), '421 v0'],
    ['a U-label', host("\xD0\xBF.test"), '400 v0'],
    ['an underscore', host('no_body.test'), '421 v0'],
    ['NUL', host("v0.test\0.nobody.test"), '400 v0'],
    ['a control character', host("v0.test\x01"), '400 v0'],
    ['two names and a blank', host('v0.test nobody.test'), '400 v0'],
    ['two names and a comma', host('v0.test,nobody.test'), '400 v0'],
    ['two names and a semicolon', host('v0.test;nobody.test'), '400 v0'],
    ['a path', host('v0.test/'), '400 v0'],
    ['a fragment', host('v0.test#nobody.test'), '400 v0'],
    ['user and name', host('v0.test@nobody.test'), '400 v0'],
    ['percent-encoded', host('%760.test'), '400 v0'],
    ['a URL', host('http://v0.test/'), '400 v0'],
    ['a long name', host(join '.', ('a' x 60) x 20), '421 v0'],
    ['an empty Host', host(''), '400 v0'],
    ['no Host', get('/'), '400 v0'],
    ['two Hosts, the first known', get('/', 'Host: v0.test',
                                       'Host: nobody.test'), '400 v0'],
    ['two Hosts, the second known', get('/', 'Host: nobody.test',
                                        'Host: v0.test'), '400 v0'],
    ['two equal Hosts', get('/', ('Host: nobody.test') x 2), '400 v0'],
    ['a folded Host', "GET / HTTP/1.1\r\nHost:\r\n nobody.test\r\n\r\n", '421 v0'],
    ['X-Forwarded-Host', get('/', 'Host: nobody.test',
                             'X-Forwarded-Host: v0.test'), '421 v0'],
    ['Forwarded', get('/', 'Host: nobody.test', 'Forwarded: host=v0.test'),
     '421 v0'],
    # addresses, and texts of <VirtualHost>
    ['_default_', host('_default_'), '421 v0'],
    ['_DEFAULT_ and a port', host('_DEFAULT_:80'), '421 v0'],
    ['*', host('*'), '400 v0'],
    ['another address', host('127.0.0.2'), '421 v0'],
    ['any address', host('0.0.0.0'), '421 v0'],
    ['an address of IPv6', host('[::1]'), '421 v0'],
    ['any address of IPv6', host('[::]'), '421 v0'],
    ['an IPv4-mapped one', host('[::ffff:127.0.0.1]'), '421 v0'],
    ['brackets around IPv4', host('[127.0.0.1]'), '400 v0'],
    ['a zone', host('[fe80::1%25lo]'), '400 v0'],
    ['a short address', host('127.1'), '400 v0'],
    ['a number', host('2130706433'), '400 v0'],
    ['in octal', host('0177.0.0.1'), '400 v0'],
    ['in hexadecimal', host('0x7f000001'), '421 v0'],
    ['localhost', host('localhost'), '421 v0'],
    ['the main server\'s name', host('main.test'), '421 v0'],
    ['a name of another address', host('ip.test'), '421 v0'],
    # request lines
    # ... a URL of another scheme than the connection's does not count for
    # httpd; its name has to be known all the same
    ['a URL of a known name', get('http://v1.test/', 'Host: nobody.test'),
     '200 v1', '421 v0'],
    ['... and a known Host', get('http://v1.test/', 'Host: v0.test'),
     '200 v1', '200 v0'],
    ['a URL of an unknown name', get('http://nobody.test/', 'Host: v0.test'),
     '421 v0'],
    ['... in upper case', get('HTTP://NOBODY.TEST/', 'Host: v0.test'),
     '421 v0'],
    ['... with a port', get('http://nobody.test:80/', 'Host: v0.test'),
     '421 v0'],
    ['... with https', get('https://nobody.test/', 'Host: v0.test'),
     '421 v0'],
    ['... with a user', get('http://v0.test@nobody.test/', 'Host: v0.test'),
     '400 v0'],
    ['... without Host', get('http://nobody.test/'), '400 v0'],
    ['... in HTTP/1.0', "GET http://nobody.test/ HTTP/1.0\r\n\r\n",
     '421 v0', '400 v0'],
    ['a URL without a name', get('http:///', 'Host: nobody.test'), '421 v0'],
    ['another scheme', get('ftp://nobody.test/', 'Host: nobody.test'),
     '421 v0'],
    ['two slashes', get('//v0.test/', 'Host: nobody.test'), '421 v0'],
    ['CONNECT', "CONNECT nobody.test:443 HTTP/1.1\r\nHost: v0.test\r\n\r\n",
     '421 v0'],
    ['OPTIONS *', "OPTIONS * HTTP/1.1\r\nHost: nobody.test\r\n\r\n",
     '421 v0'],
    ['TRACE', "TRACE / HTTP/1.1\r\nHost: nobody.test\r\n\r\n", '421 v0'],
    ['HEAD', "HEAD / HTTP/1.1\r\nHost: nobody.test\r\n\r\n", '421 v0'],
    ['PRI', "PRI / HTTP/1.1\r\nHost: nobody.test\r\n\r\n", '421 v0'],
    ['a method of its own', "FOO / HTTP/1.1\r\nHost: nobody.test\r\n\r\n",
     '421 v0'],
    ['a body', "POST / HTTP/1.1\r\nHost: nobody.test\r\nContent-Length: 4"
               . "\r\n\r\nGET ", '421 v0'],
    ['a chunked body', "POST / HTTP/1.1\r\nHost: nobody.test\r\n"
                       . "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     '421 v0'],
    ['HTTP/1.0 with Host', "GET / HTTP/1.0\r\nHost: nobody.test\r\n\r\n",
     '421 v0'],
    ['HTTP/1.0 without Host', "GET / HTTP/1.0\r\n\r\n", '400 v0'],
    ['HTTP/0.9', "GET /\r\n", '9 -'],
    ['HTTP/1.2', "GET / HTTP/1.2\r\nHost: nobody.test\r\n\r\n", '421 v0'],
    ['Expect: 100-continue', get('/', 'Host: nobody.test',
                                 'Expect: 100-continue'), '421 v0'],
    ['another Expect', get('/', 'Host: nobody.test', 'Expect: it'), '417 v0'],
    ['ServerPath and an unknown name', get('/sp1/', 'Host: nobody.test'),
     '421 v0'],
    ['a path that is rewritten', get('/inside', 'Host: nobody.test'),
     '421 v0'],
    ['a challenge of ACME, without mod_md',
     get('/.well-known/acme-challenge/x', 'Host: nobody.test'), '421 v0'],
    ['a WebSocket', get('/', 'Host: nobody.test', 'Connection: Upgrade',
                        'Upgrade: websocket', 'Sec-WebSocket-Version: 13',
                        'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='),
     '421 v0'],
    ['an upgrade to TLS', get('/', 'Host: nobody.test',
                              'Connection: Upgrade', 'Upgrade: TLS/1.2'),
     '421 v0'],
);

for my $form (@FORMS) {
    my ($what, $bytes, $plain, $tls) = @$form;
    for my $on (sort keys %CONNECT) {
        my $r;
        is_or_stock(sub {
            my $c = $CONNECT{$on}->();
            $r = $c->request($bytes);
            $c->close;
            return brief($r);
        }, $on eq 'plain' ? $plain : $tls // $plain, "$what: $on");
        unlike($r->{body}, qr/page/, '... and no page')
            if ($r->{status} || 0) == 9;
    }
}

# Several requests on a connection
for my $on (sort keys %CONNECT) {
    my $c = $CONNECT{$on}->();
    $c->send(host('v0.test') . host('nobody.test') . host('v1.test')
             . host('nobody.test'));
    is(join(', ', map { brief($c->response('GET')) } 1 .. 4),
       '200 v0, 421 v0, closed -, closed -',
       "one after the other, which the refused one ends: $on");
    $c->close;
    $c = $CONNECT{$on}->();
    $c->send("POST / HTTP/1.1\r\nHost: nobody.test\r\nContent-Length: 38"
             . "\r\n\r\n" . "GET / HTTP/1.1\r\nHost: v0.test\r\n\r\n"
             . host('v1.test'));
    is(join(', ', map { brief($c->response('POST')) } 1 .. 2),
       '421 v0, closed -', "a request in the body of a refused one: $on");
    $c->close;
}

# Other sets of virtual hosts
sub at {
    my ($addr, $host) = @_;
    my $c = plain($addr);
    my $got = brief($c->request(host($host)));
    $c->close;
    return $got;
}
is(at('127.0.0.2', 'ip.test'), '200 ip', 'a set of one, its name');
is(at('127.0.0.2', '127.0.0.2'), '200 ip', '... its text');
for my $host (qw(nobody.test v0.test _default_ 127.0.0.1 0.0.0.0)) {
    is(at('127.0.0.2', $host), '421 ip', "a set of one, $host");
}
is(at('127.0.0.4', 's1.test'), '200 s1', 'StrictHostCheck, a known name');
is(at('127.0.0.4', '127.0.0.4'), '200 s0', '... the text of the address');
for my $host (qw(nobody.test _default_ *)) {
    is(at('127.0.0.4', $host), '400 s0', "StrictHostCheck, $host");
}
is(at('127.0.0.3', 'd1.test'), '200 d1', 'any address, a known name');
for my $host (qw(nobody.test _default_ _DEFAULT_. _default_:80 0.0.0.0 [::]
                 127.0.0.3)) {
    my $want = $host eq '_DEFAULT_.' ? qr/^421 d0/ : qr/^421 d[01]/;
    like(at('127.0.0.3', $host), $want, "any address, $host");
}

# ----- HTTP/2

sub fields {
    my (%f) = @_;
    return [':method' => $f{method} // 'GET',
            exists $f{scheme} ? (':scheme' => $f{scheme}) : (),
            (map { (':authority' => $_) } @{ $f{authority} // [] }),
            exists $f{path} ? (':path' => $f{path}) : (),
            (map { (host => $_) } @{ $f{host} // [] })];
}
my @usual = (scheme => 'https', path => '/');

my @H2_FORMS = (
    ['a known name', fields(@usual, authority => ['V1.Test.:1']), '200 v1'],
    ['an unknown name', fields(@usual, authority => ['nobody.test']),
     '421 v0'],
    ['with dot and port', fields(@usual, authority => ['nobody.test.:443']),
     '421 v0'],
    ['a Host alone', fields(@usual, host => ['nobody.test']), '421 v0'],
    ['a known Host too', fields(@usual, authority => ['nobody.test'],
                                host => ['v0.test']), '421 v0'],
    ['the Host unknown', fields(@usual, authority => ['v0.test'],
                                host => ['nobody.test']), '200 v0'],
    ['nothing', fields(@usual), 'reset -'],
    ['empty', fields(@usual, authority => ['']), 'reset -'],
    ['_default_', fields(@usual, authority => ['_default_']), '421 v0'],
    ['*', fields(@usual, authority => ['*']), '400 v0'],
    ['user', fields(@usual, authority => ['v0.test@nobody.test']), '400 v0'],
    ['NUL', fields(@usual, authority => ["v0.test\0"]), qr/^(?!200|404)/],
    ['two names', fields(@usual, authority => ['v0.test', 'nobody.test']),
     qr/^(?!200|404)/],
    ['two Hosts', fields(@usual, host => ['v0.test', 'nobody.test']),
     qr/^(?!200|404)/],
    ['another scheme', fields(scheme => 'http', path => '/',
                              authority => ['nobody.test']), '421 v0'],
    ['a URL as path', fields(scheme => 'https',
        path => 'https://v0.test/', authority => ['nobody.test']),
     qr/^(?!200|404)/],
    ['CONNECT', fields(method => 'CONNECT', authority => ['nobody.test:443']),
     qr/^(?!200|404)/],
    ['OPTIONS *', fields(method => 'OPTIONS', scheme => 'https',
                         path => '*', authority => ['nobody.test']),
     '421 v0'],
);

SKIP: {
    skip $Sniv::H2::WHY_NOT, 1 if $Sniv::H2::WHY_NOT;
    my %on = (
        'h2c' => \&plain,
        'h2, TLS 1.2' => sub { tls('1.2', alpn => ['h2']) },
        'h2, TLS 1.3' => sub { tls('1.3', alpn => ['h2']) },
        'h2, resumed' => sub { resumed('1.3', alpn => ['h2']) },
    );
    for my $form (@H2_FORMS) {
        my ($what, $fields, $want) = @$form;
        for my $on (sort keys %on) {
            my $ask = sub {
                my $c = $on{$on}->();
                my $h2 = Sniv::H2->new($c);
                my $r = $h2->wait($h2->send_fields($fields));
                $r->{status} ||= 'reset' if defined $r->{rst};
                $c->close;
                return brief($r);
            };
            ref $want ? like($ask->(), $want, "$what: $on")
                      : is_or_stock($ask, $want, "$what: $on");
        }
    }
    # the ErrorDocument of a refused request takes the upgrade, and the
    # request comes again as a stream
    my $c = plain();
    my $upgrade = sub {
        return get('/', "Host: $_[0]", 'Connection: Upgrade, HTTP2-Settings',
                   'Upgrade: h2c', 'HTTP2-Settings: ');
    };
    $c->send($upgrade->('nobody.test'));
    is($c->response('GET')->{status}, 101, 'an upgrade to h2c');
    my $h2 = Sniv::H2->new($c);
    $h2->{next} = 3;
    is(brief(scalar $h2->wait(1)), '421 v0', '... is refused after it');
    unlike(brief($h2->get('nobody.test', '/')), qr/^(?:200|404)/,
           '... and another one');
    $c->close;
}

$stock->stop if $stock;
$h->stop;
done_testing();
