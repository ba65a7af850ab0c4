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

package Sniv::DiffAsk;

# Random questions for the differential test, and what the server answers
# as text that can be compared. A question (scenario) is data: one or more
# connections, each with its bytes. Random choices are made in generate();
# ask() only does what was chosen.

use strict;
use warnings;

use Sniv::Client;
use Sniv::DiffConfig;
use Sniv::H2;
use Sniv::Hello;

BEGIN {
    *chance = \&Sniv::DiffConfig::chance;
    *pick = \&Sniv::DiffConfig::pick;
}

my $SECONDS = 8;

# Hosts that are no names, or not quite (STOCK behaviour is odd here).
my @odd_hosts = ('', 'unknown.test', 'unknown', 'a.x.test.', 'a.x.test..',
    'a.x.test:80', 'a.x.test:', 'a.x.test:0', 'a.x.test:99999',
    'a.x.test:abc', ':80', '123', '*', '.', '[a.x.test]', '[::1]',
    '[::1]:80', '127.0.0.1', '127.0.0.2', 'localhost', 'LocalHost:1',
    "\xe4.x.test", 'a..x.test', 'b!ad.x.test', 'a/b', 'a b.x.test',
    'a.x.test, b.x.test', 'user@a.x.test', 'http://a.x.test', '_.x.test',
    '-a.x.test', ('l' x 60) . '.x.test', 'w' x 300, 'a.x.test#', '%61.x.test',
    '0x7f.1', '127.1', 'A.X.TEST', 'xn--a.x.test', 'www', '[::ffff:127.0.0.1]',
    "a\tb", 'main.test', '?', '_', 'test', '~', '_default_', '_DEFAULT_.',
    '_default_:80', '0.0.0.0', '[::]', '[127.0.0.1]');

my @odd_snis = ('unknown.test', 'a.x.test.', 'A.X.TEST', '127.0.0.1', '::1',
    'localhost', 'a', '*.x.test', 'a.x.test ', 'a..x.test', '_.x.test',
    ('s' x 60) . '.x.test', 'main.test', 'b!ad.x.test', "\xe4.x.test");

my @paths = ('/', '/', '/', '/', '/other.html', '/index.html', '/dir',
    '/dir/', '/inc.shtml', '/inc.shtml', '/sp1/', '/sp1', '/sp1/index.html',
    '/sp1x', '/sp2', '/sp2/', '//sp1/', '/%73p1/', '/sp1/../sp2/', '/none',
    '/deny/', '/secure/', '/cipher/', '/px/', '/px/x', '/spx/', '/loop/',
    '/rw/x',
    '/gone', '/status/', '/error.shtml');
my @odd_paths = ('/%', '/%00', '/..', '/%2f', '/./', '/a//b', '/?', '/;x',
    '/%2e%2e/', '/sp1%2f');

# What questions draw from, for one configuration.
sub world {
    my ($c) = @_;
    my @hosts = Sniv::DiffConfig::hosts($c);
    return { c => $c, hosts => [@hosts ? @hosts : 'a.x.test'] };
}

sub host {
    my ($w) = @_;
    my $r = rand;
    return pick(@{ $w->{hosts} }) if $r < 0.65;
    return Sniv::DiffConfig::name() if $r < 0.83;
    my $h = pick(@odd_hosts);
    $h =~ s/\ba\.x\.test/pick(@{ $w->{hosts} })/e if chance(0.5);
    return $h;
}

sub sni {
    my ($w) = @_;
    my $r = rand;
    return undef if $r < 0.15;                  ## no critic
    return pick(@{ $w->{hosts} }) if $r < 0.7;
    return Sniv::DiffConfig::name() if $r < 0.82;
    return pick(@odd_snis);
}

# An address and port to connect to; kind: h or s.
sub where {
    my ($w, $kind) = @_;
    my $p = $w->{c}{ports};
    my @ips = ('127.0.0.1', '127.0.0.1', '127.0.0.1', '127.0.0.1',
               @Sniv::DiffConfig::IPS, $w->{c}{ipv6} ? '::1' : ());
    return (pick(@ips), $p->{ pick("${kind}1", "${kind}1", "${kind}2") });
}

# The bytes of one HTTP/1 request; $id is found again in the access log.
sub request {
    my ($w, $id, $last, $same_host) = @_;
    my $method = chance(0.75) ? 'GET' : pick('GET', 'HEAD', 'POST', 'OPTIONS',
        'TRACE', 'PUT', 'BREW', 'get', 'CONNECT', 'G@T', 'DELETE');
    my $version = chance(0.85) ? 'HTTP/1.1' : chance(0.7) ? 'HTTP/1.0'
        : pick('HTTP/2.0', 'HTTP/1.2', 'HTTP/3.0', 'HTTP/1', 'http/1.1',
               'HTTP/1.1 x', 'HTTP/01.1', 'HTTP/1.1 ', 'FTP/1.1');
    my $host = defined $same_host && chance(0.6) ? $same_host : host($w);
    my $path = chance(0.97) ? pick(@paths) : pick(@odd_paths);
    $path .= "?$id" if $path !~ /\?/;
    my $uri = $path;
    if ($method eq 'CONNECT') {
        $uri = pick(host($w) . ':80', '127.0.0.1:' . $w->{c}{ports}{h1},
                    'localhost', '/');
    }
    elsif ($method eq 'OPTIONS' && chance(0.4)) {
        $uri = '*';
    }
    elsif (chance(0.15)) {
        my $scheme = pick('http', 'http', 'https', 'HTTP', 'ftp', 'h2c');
        my $authority = host($w);
        $authority .= pick(':80', ':', ':8080') if chance(0.2);
        $authority = pick('localhost', '127.0.0.2', '[::1]') . ':'
            . $w->{c}{ports}{h1} if chance(0.15);
        $authority = pick('user:pw', 'u', '') . "\@$authority"
            if chance(0.07);
        $uri = "$scheme://$authority$path";
    }
    elsif (chance(0.02)) {
        $uri = pick('', "x?$id", '/' . ('u' x 120), '/' . ('v' x 9000),
                    "/a b?$id", "/\x01?$id", "/\xff?$id");
    }

    my $line = "$method $uri $version";
    $line = "$method $uri" if chance(0.01);             # HTTP/0.9
    $line = pick("GET  $uri HTTP/1.1", " GET $uri HTTP/1.1",
                 "GET\t$uri HTTP/1.1", 'junk', 'GET',
                 "\r\nGET $uri HTTP/1.1") if chance(0.02);

    my @h;
    my $r = rand;
    if ($r < 0.9) {
        push @h, "Host: $host";
    }
    elsif ($r < 0.92) {
        push @h, "Host: $host", 'Host: ' . host($w);
    }
    elsif ($r < 0.93) {
        push @h, "Host:\r\n $host";
    }
    elsif ($r < 0.94) {
        push @h, "hOST:$host ";
    }
    push @h, 'Connection: close' if $last ? chance(0.7) : chance(0.03);
    push @h, 'Connection: keep-alive' if $version ne 'HTTP/1.1'
        && chance(0.5);
    my $body = '';
    if ($method =~ /\A(?:POST|PUT)\z/ || chance(0.03)) {
        if (chance(0.5)) {
            $body = 'b' x pick(0, 5, 20);
            push @h, 'Content-Length: ' . length $body;
        }
        else {
            push @h, 'Transfer-Encoding: chunked';
            $body = pick("5\r\nhello\r\n0\r\n\r\n", "0\r\n\r\n",
                         "zz\r\n", "14\r\n" . ('c' x 20) . "\r\n0\r\n\r\n");
        }
    }
    # What fails before or beside the choice of the virtual host.
    if (chance(0.1)) {
        push @h, pick('Expect: junk', 'Expect: junk', 'Expect: 100-continue',
            'Content-Length: abc', 'Content-Length: -1',
            'Content-Length: 99999999999999999999',
            "Content-Length: 0\r\nContent-Length: 1",
            'Transfer-Encoding: gzip', 'Transfer-Encoding: chunked, gzip',
            "Transfer-Encoding: chunked\r\nContent-Length: 3",
            'X-Big: ' . ('x' x 60), 'X-Big: ' . ('x' x 500),
            'X-Big: ' . ('x' x 9000), 'no colon here', 'X Y: z', 'X : y',
            ': empty', "X-Nul: a\0b", "X-Ctl: a\x01b", "X-Fold: a\r\n b",
            'Upgrade: websocket', 'Upgrade: TLS/1.0', 'If-Match: "x"',
            'Range: bytes=2-3', join("\r\n", map { "X-$_: $_" } 1 .. 8),
            join("\r\n", map { "X-$_: $_" } 1 .. 120),
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            . 'HTTP2-Settings: AAMAAABkAAQAAP__',
            'X-Forwarded-Host: a.x.test', 'Cookie: a=b', "\tX: tab first");
    }
    push @h, 'X-Pad: y' if chance(0.1);
    @h = reverse @h if chance(0.05);
    my $eol = chance(0.02) ? "\n" : "\r\n";
    return join $eol, $line, @h, '', $body;
}

sub requests {
    my ($w, $id, $max) = @_;
    my $n = 1 + int rand $max;
    my $host = chance(0.5) ? host($w) : undef;
    return [map { request($w, "$id.$_", $_ == $n, $host) } 1 .. $n];
}

sub tls_options {
    my ($w) = @_;
    my %t;
    my $sni = sni($w);
    $t{sni} = $sni if defined $sni;
    if (chance(0.5)) {
        my $v = pick('1.2', '1.3', '1.3', '1.2', '1.1');
        $t{max} = $v;
        $t{min} = $v if chance(0.5);
    }
    $t{alpn} = pick(['http/1.1'], ['h2', 'http/1.1'], ['h2'], ['acme-x'],
                    ['http/1.1', 'h2'], ['http/1.0']) if chance(0.3);
    $t{cert} = pick('client', 'client', 'stranger') if chance(0.25);
    $t{tickets} = 0 if chance(0.2);
    $t{ciphers} = pick('AES128-GCM-SHA256:@SECLEVEL=0',
        'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384',
        'aRSA:@SECLEVEL=0', 'aECDSA:@SECLEVEL=0') if chance(0.12);
    if (chance(0.06)) {
        $t{ciphers} = 'DHE-RSA-AES128-GCM-SHA256';
        $t{max} = '1.2';
        delete $t{min};
    }
    # A first guess that the server may not like: HelloRetryRequest
    $t{groups} = pick('P-256', 'P-521:X25519', 'P-384', 'X25519:P-256',
                      'P-521:P-256') if chance(0.1);
    return \%t;
}

my @hello_kinds = (
    sub { (names => [$_[0]]) },
    sub { (names => [$_[0]], record_size => pick(1, 7, 40, 100)) },
    sub { (names => [$_[0]], pieces => pick(20, 60)) },
    sub { (names => [$_[0]], grease => 1, ech => 1) },
    sub { (names => [$_[0]], ech => 1, record_size => 64) },
    sub { (names => [$_[0], $_[1]]) },
    sub { (names => [[1, $_[0]], $_[1]]) },
    sub { (names => [[1, $_[0]]]) },
    sub { (names => [$_[0]], duplicate => 1) },
    sub { (names => ["$_[0]\0$_[1]"]) },
    sub { (names => ["\0$_[0]"]) },
    sub { (names => ['n' x pick(254, 255, 256, 300, 2000)]) },
    sub { (names => [('n' x 291) . '.x.test']) },
    sub { (names => ['']) },
    sub { (names => ["$_[0] "]) },
    sub { (names => []) },
    sub { (sni_data => '') },
    sub { (sni_data => pack('n', 3)) },
    sub { (sni_data => Sniv::Hello::server_names($_[0]) . 'x') },
    sub { (sni_data => pack('n', 200)
           . substr Sniv::Hello::server_names($_[0]), 2) },
    sub { my $d = Sniv::Hello::server_names($_[0]);
          substr $d, 3, 2, pack 'n', length($_[0]) + pick(-1, 1, 50);
          (sni_data => $d) },
    sub { (no_extensions => 1, cut => 9999) },
    sub { (names => [$_[0]], length_add => pick(-3, 1, 9)), cut => 9999 },
    sub { (names => [$_[0]], cut => pick(1, 4, 6, 30, 60, 90)) },
    sub { (names => [$_[0]], version => pick(0x0300, 0x0301, 0x0304)) },
    sub { (names => [$_[0]], alpn => [pick('h2', 'http/1.1', 'x')]) },
    sub { (names => [$_[0]], suites => [pick(0x1301, 0xC02B, 0x002F)]) },
    sub { (names => [$_[0]], before => Sniv::Hello::extension(
               pick(0, 0xFF01, 5, 35, 0x7777), pick('', "\0", 'xx'))) },
    sub { (bytes => Sniv::Hello::sslv2(), cut => 9999) },
    sub { (bytes => "\x16\x03\x01\0\x02\x01\0"), cut => 99 },
    sub { (bytes => "GET / HTTP/1.1\r\nHost: $_[0]\r\n\r\n"), cut => 999 },
    sub { my $m = Sniv::Hello::records(Sniv::Hello::message(
              names => [$_[0]]));
          (names => [$_[1]], then => $m) },
);

# n questions for a configuration.
sub generate {
    my ($c, $n) = @_;
    my $w = world($c);
    my @all;
    for my $i (1 .. $n) {
        my $r = rand;
        my %q = (id => "q$i");
        if ($r < 0.34) {
            $q{kind} = 'http';
            @q{qw(addr port)} = where($w, 'h');
            $q{requests} = requests($w, $q{id}, 4);
            # After an upgrade the next request would be a broken preface
            $q{pipelined} = 1 if chance(0.2)
                && !grep { /Upgrade: h2c/ } @{ $q{requests} };
        }
        elsif ($r < 0.62) {
            $q{kind} = 'https';
            @q{qw(addr port)} = where($w, 's');
            $q{tls} = tls_options($w);
            $q{requests} = requests($w, $q{id}, 3);
            # Mostly a Host that goes with the server name
            if (defined $q{tls}{sni} && chance(0.6)) {
                s/^Host: .*?\r$/Host: $q{tls}{sni}\r/m for @{ $q{requests} };
            }
            delete $q{tls}{alpn} if "@{ $q{tls}{alpn} || [] }" =~ /h2/;
            $q{again} = again($w, \%q) if chance(0.3);
            $q{renegotiate} = sni($w) if chance(0.04);
        }
        elsif ($r < 0.80) {
            $q{kind} = 'h2';
            my $plain = chance(0.15);
            @q{qw(addr port)} = where($w, $plain ? 'h' : 's');
            $q{tls} = tls_options($w) if !$plain;
            $q{tls}{alpn} = chance(0.8) ? ['h2', 'http/1.1'] : ['h2']
                if !$plain;
            $q{streams} = [map {
                stream($w, "$q{id}.$_", $plain, $q{tls}{sni})
            } 1 .. 1 + int rand 4];
            $q{together} = 1 if chance(0.3);
            $q{again} = again($w, \%q) if !$plain && chance(0.15);
        }
        elsif ($r < 0.97) {
            $q{kind} = 'hello';
            @q{qw(addr port)} = where($w, 's');
            my @names = (sni($w), sni($w));
            $_ = defined $_ ? $_ : 'a.x.test' for @names;
            $q{hello} = { pick(@hello_kinds)->(@names) };
        }
        else {
            # The wrong language for the port
            $q{kind} = pick('http', 'https');
            @q{qw(addr port)} = where($w, $q{kind} eq 'http' ? 's' : 'h');
            $q{tls} = tls_options($w) if $q{kind} eq 'https';
            $q{requests} = requests($w, $q{id}, 1);
        }
        push @all, \%q;
    }
    return @all;
}

# Another connection, with the session of the first.
sub again {
    my ($w, $q) = @_;
    my %again = (tls => tls_options($w),
                 requests => requests($w, "$q->{id}.again", 2));
    # A session is most interesting where little else differs
    $again{tls} = { %{ $q->{tls} }, sni => $again{tls}{sni} } if chance(0.8);
    $again{tls}{sni} = $q->{tls}{sni} if chance(0.4);
    delete $again{tls}{sni} if !defined $again{tls}{sni};
    delete $again{tls}{alpn};
    @again{qw(addr port)} = chance(0.2) ? where($w, 's')
                                        : @$q{qw(addr port)};
    return \%again;
}

sub stream {
    my ($w, $id, $plain, $sni) = @_;
    my $host = defined $sni && chance(0.6) ? $sni : host($w);
    my $method = chance(0.85) ? 'GET' : pick('HEAD', 'OPTIONS', 'POST',
        'BREW', 'TRACE');
    return { fields => [':method' => 'CONNECT', ':authority' =>
        pick("$host:80", '127.0.0.1:1', 'localhost:1', $host)] }
        if chance(0.02);
    my @f = (':method' => $method, ':scheme' => $plain ? 'http' : 'https');
    $f[3] = pick('http', 'https', 'ftp') if chance(0.03);
    push @f, ':authority' => $host if chance(0.93);
    push @f, ':path' => pick(chance(0.97) ? @paths : @odd_paths) . "?$id";
    push @f, 'host' => host($w) if chance(0.1);
    push @f, 'expect' => pick('junk', '100-continue') if chance(0.08);
    push @f, pick(['x-big' => 'x' x pick(60, 500, 9000)],
                  ['content-length' => 'abc'], ['te' => 'trailers'],
                  ['x-pad' => 'y'], ['connection' => 'close'])->@*
        if chance(0.1);
    return { fields => \@f, $method eq 'POST'
             ? (body => 'b' x pick(0, 5, 20)) : () };
}

# Connections whose hello was not read as one ("PORT SERVER:PORT"). Its bytes
# are random, and so is what the logs say of them.
our %misread;

# The answer as text.
sub ask {
    my ($q) = @_;
    # The same bytes each time: a server without TLS reads them as a line
    return hello_text(Sniv::Hello::ask(%{ $q->{hello} }, random => 'r' x 32,
        addr => $q->{addr}, port => $q->{port})) if $q->{kind} eq 'hello';
    my $c = Sniv::Client->new(addr => $q->{addr}, port => $q->{port},
        seconds => $SECONDS, $q->{tls} ? (tls => $q->{tls}) : ());
    my $text = connection_text($c);
    if (!$c->error) {
        $text .= $q->{kind} eq 'h2' ? streams_text($q, $c)
                                    : requests_text($q, $c);
    }
    if ($q->{again} && !$c->error) {
        my $d = Sniv::Client->new(addr => $q->{again}{addr},
            port => $q->{again}{port}, seconds => $SECONDS,
            tls => { %{ $q->{again}{tls} }, session => $c->session });
        $c->close;
        $text .= "again:\n" . connection_text($d);
        $text .= requests_text($q->{again}, $d) if !$d->error;
        $d->close;
    }
    $c->close;
    return $text;
}

sub connection_text {
    my ($c) = @_;
    # Not an alert: a server without TLS has read the hello as a request
    $misread{ $c->{socket}->sockport . " $c->{addr}:$c->{port}" } = 1
        if $c->{ssl} && ($c->error // 'alert') !~ /\A(?:alert|closed|time)/;
    return 'no connection: ' . $c->error . "\n" if $c->error;
    return '' if !$c->{ssl};
    return join(' ', 'connected:', map { defined $_ ? $_ : '-' } $c->cert,
        'TLS' . $c->version, $c->cipher, $c->alpn,
        $c->resumed ? 'resumed' : 'full', 'chain', $c->chain, 'staple',
        $c->staple) . "\n";
}

sub hello_text {
    my ($a) = @_;
    my $hello = '-';
    if (defined $a->{hello}) {
        # Its version, and which extensions it has and how long they are
        my $m = $a->{hello};
        my $at = 34;
        $at += 1 + ord substr $m, $at, 1;
        my $suite = unpack 'H4', substr $m, $at, 2;
        my $ext = length $m > $at + 5 ? substr $m, $at + 5 : '';
        my @e;
        while (length $ext >= 4) {
            my ($type, $length) = unpack 'nn', $ext;
            substr $ext, 0, 4 + $length, '';
            push @e, "$type:$length";
        }
        $hello = join ',', unpack('H4', $m), $suite, @e;
    }
    return join(' ', 'hello:', map { defined $_ ? $_ : '-' } $hello,
        $a->{cn}, 'alert', $a->{alert}, $a->{error}) . "\n";
}

sub requests_text {
    my ($q, $c) = @_;
    my $text = '';
    my @requests = @{ $q->{requests} };
    $c->send(join '', @requests) if $q->{pipelined};
    for my $request (@requests) {
        my $sent = $q->{pipelined} || $c->send($request);
        my ($method) = $request =~ /\A\s*(\S+) /;
        my $r = $c->response($method);
        $text .= answer_text($r);
        while ($r->{status} =~ /\A10[02]\z/) {
            $r = $c->response($method);
            $text .= answer_text($r);
        }
        if ($r->{status} eq '101') {
            # The answer comes as stream 1.
            my $h2 = Sniv::H2->new($c);
            my $s = $h2->wait(1);
            $h2->ping;
            $text .= stream_text($s);
            last;
        }
        last if $c->{eof}
            || (defined $method && $method eq 'CONNECT'
                && $r->{status} eq '200');
        if (defined(my $sni = $q->{renegotiate})) {
            last if $c->version ne '1.2';
            Net::SSLeay::set_tlsext_host_name($c->{ssl}, $sni);
            Net::SSLeay::renegotiate($c->{ssl});
            Net::SSLeay::do_handshake($c->{ssl});
        }
    }
    return $text;
}

# Without what differs from second to second.
sub answer_text {
    my ($r) = @_;
    return 'no answer: ' . ($r->{error} || '') . "\n"
        if !$r->{status} && $r->{raw} eq '';
    my $head = $r->{status} eq '9' ? "HTTP/0.9\n" : $r->{raw};
    $head =~ s/^Date: .*\r?\n//mi;
    return normal("$head\n$r->{body}\n");
}

sub normal {
    my ($text) = @_;
    $text =~ s/\r//g;
    # With TLS 1.3 a refused client certificate shows after the handshake,
    # and the alert is lost when the server closes first.
    my $end = qr/(?:alert \d+|closed|Connection.*)/;
    $text =~ s/^(no answer:|stream: 0) $end$/$1 gone/gm;
    # A hash table's order
    $text =~ s/^(allow: )(.*)/$1 . join ',', sort split m{,}, $2/gmei;
    return $text;
}

sub streams_text {
    my ($q, $c) = @_;
    # Not chosen: an answer all the same. With TLS 1.2 a server puts the
    # session into its cache after the client has finished.
    return answer_text($c->get('a.x.test', "/?$q->{id}"))
        if $c->{ssl} && ($c->alpn || '') ne 'h2';
    my $h2 = Sniv::H2->new($c);
    my @r;
    if ($q->{together}) {
        @r = $h2->wait(map { $h2->send_fields($_->{fields}, $_->{body}) }
                       @{ $q->{streams} });
    }
    else {
        for my $s (@{ $q->{streams} }) {
            push @r, $h2->wait($h2->send_fields($s->{fields}, $s->{body}));
            last if $r[-1]{error};
        }
    }
    # What the server still had to do for them (its log) is done after this.
    $h2->ping;
    return join '', map { stream_text($_) } @r;
}

sub stream_text {
    my ($r) = @_;
    my $h = $r->{headers} || {};
    return normal(join("\n", "stream: $r->{status}"
        . (defined $r->{rst} ? " rst $r->{rst}" : '')
        . (defined $r->{error} ? " $r->{error}" : ''),
        (map { "$_: $h->{$_}" } sort grep { !/\A(?:date|:status)\z/ }
         keys %$h), '', $r->{body}) . "\n");
}

# What was sent, for a report.
sub question_text {
    my ($q) = @_;
    require Data::Dumper;
    no warnings 'once';
    local $Data::Dumper::Indent = 1;
    local $Data::Dumper::Terse = 1;
    local $Data::Dumper::Useqq = 1;
    local $Data::Dumper::Sortkeys = 1;
    return Data::Dumper::Dumper($q);
}

1;
