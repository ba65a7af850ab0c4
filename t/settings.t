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

# Settings of httpd that depend on the chosen virtual host, or that change
# how it is chosen: StrictHostCheck, HttpProtocolOptions, UseCanonicalName,
# ErrorDocument, limits; internal redirects and subrequests; proxies. Each
# group is a small server of its own.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use Sniv::Client;
use Sniv::Httpd;

my $end = "Connection: close\r\n\r\n";

# A virtual host with a label. @names: its ServerName and aliases
sub vhost {
    my ($label, $addr, $names, @lines) = @_;
    my ($name, @aliases) = @$names;
    return join "\n", "<VirtualHost $addr>",
        (defined $name ? "ServerName $name" : ()),
        (@aliases ? "ServerAlias @aliases" : ()),
        "Header always set X-Vhost $label", "ServerAdmin $label\@sniv.test",
        "DocumentRoot htdocs/$label", @lines, '</VirtualHost>', '';
}

sub server {
    my ($name, $ports, $conf) = @_;
    my $h = Sniv::Httpd->new(name => $name, ports => $ports, conf => sub {
        "ServerSignature EMail\nServerAdmin main\@sniv.test\n"
        . "Header always set X-Vhost main\nAddType text/html .html .shtml\n"
        . "AddOutputFilter INCLUDES .shtml\n"
        . "LogFormat \"%v %>s %r\" short\nCustomLog access.log short\n"
        . "<Location \"/\">\nOptions Includes\n</Location>\n"
        . $conf->(@_) });
    for my $label ('', map { "v$_/" } 0 .. 4) {
        (my $text = $label || 'main') =~ s{/}{};
        $h->write("htdocs/$label$_", "$text\n")
            for 'index.html', 'error.html', 'sub/index.html', 'sp/index.html';
        $h->write("htdocs/${label}echo.shtml",
            join(' ', map { "<!--#echo var=\"$_\" -->" } qw(SERVER_NAME
                SERVER_ADMIN SERVER_PORT HTTP_HOST))
            . ' <!--#include virtual="/index.html" -->');
    }
    $h->start;
    return $h;
}

# What came: "status vhost", and the body.
sub ask {
    my ($h, $bytes, %arg) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => ($h->ports)[0],
                              %arg);
    my $r = $c->request($bytes);
    return wantarray ? ($r->{headers}, $r->{body})
        : "$r->{status} " . ($r->{headers}{'x-vhost'} || '-');
}

sub get {
    my ($h, $host, $path, @lines) = @_;
    return ask($h, join("\r\n", "GET $path HTTP/1.1", "Host: $host", @lines,
                        $end));
}

# ----- StrictHostCheck: the default's decides for the whole set

{
    my $h = server('settings-strict', 1, sub {
        my ($p) = @_;
        return "Listen 127.0.0.1:$p\nListen 127.0.0.2:$p\n"
            . "Listen 127.0.0.3:$p\n"
            . vhost('v0', "127.0.0.1:$p", ['v0.test'], 'StrictHostCheck On')
            . vhost('v1', "127.0.0.1:$p", ['v1.test', '*.x.test'],
                    'StrictHostCheck Off', 'ServerPath /sp/')
            . vhost('v2', "localhost:$p", ['v2.test'])
            . vhost('v3', "127.0.0.2:$p", ['v3.test'], 'StrictHostCheck On')
            . vhost('v4', "127.0.0.3:$p 127.0.0.3:$p", ['v4.test'],
                    'StrictHostCheck On');
    });
    for (['v0.test', '200 v0'], ['v1.test', '200 v1'],
         ['a.x.test', '200 v1'], ['unknown.test', '400 v0'],
         ['localhost', '200 v2'], ['127.0.0.1', '200 v0'],
         ['unknown.test:80', '400 v0']) {
        is(scalar get($h, $_->[0], '/'), $_->[1],
           "StrictHostCheck: Host $_->[0]");
    }
    is(scalar ask($h, "GET / HTTP/1.0\r\n\r\n"), '200 v0',
       'StrictHostCheck: no Host');
    is(scalar ask($h, "GET http://b!ad.x.test/ HTTP/1.1\r\nHost: x\r\n$end"),
       '400 v1', 'StrictHostCheck: a malformed host is still looked up');
    is(scalar ask($h, "GET /sp/ HTTP/1.0\r\nHost: bad/host\r\n\r\n"),
       '400 v1', 'StrictHostCheck: malformed Host and ServerPath');
    is(scalar get($h, 'unknown.test', '/', 'Expect: junk'), '400 v0',
       'StrictHostCheck: unknown Host and a bad Expect');
    my @two = (addr => '127.0.0.2');
    is(scalar ask($h, "GET / HTTP/1.1\r\nHost: v3.test\r\n$end", @two),
       '200 v3', 'StrictHostCheck in a set of one: its name');
    is(scalar ask($h, "GET / HTTP/1.1\r\nHost: other.test\r\n$end", @two),
       '400 v3', 'StrictHostCheck in a set of one: another name');
    is(scalar ask($h, "GET / HTTP/1.1\r\nHost: 127.0.0.2\r\n$end", @two),
       '400 v3', 'StrictHostCheck in a set of one: its address');
    is(scalar ask($h, "GET / HTTP/1.1\r\nHost: 127.0.0.3\r\n$end",
                  addr => '127.0.0.3'), '200 v4',
       'StrictHostCheck, the same address twice: its address');
    $h->remove;
}

# ----- HttpProtocolOptions: the default's, too

{
    my $h = server('settings-unsafe', 2, sub {
        my ($p, $q) = @_;
        return "Listen 127.0.0.1:$p\nListen 127.0.0.1:$q\n"
            . vhost('v0', "127.0.0.1:$p", ['v0.test'],
                    'HttpProtocolOptions Unsafe')
            . vhost('v1', "127.0.0.1:$p", ['v1.test', '*.x.test', '123'])
            . vhost('v2', "127.0.0.1:$q", ['v2.test'])
            . vhost('v3', "127.0.0.1:$q", ['v3.test'],
                    'HttpProtocolOptions Unsafe');
    });
    for (['v1.test:0', '400 v0'], ['v1.test:99999', '400 v0'],
         ['v1.test:', '200 v0'], ['123', '200 v1'],
         ["\xe4.x.test", '200 v1'], ['b!ad.x.test', '200 v1'],
         ['a..x.test', '400 v0'], ['a/b.x.test', '400 v0']) {
        my $shown = $_->[0] =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger;
        is(scalar get($h, $_->[0], '/'), $_->[1], "Unsafe: Host $shown");
    }
    for (['v3.test:', '400 v2'], ['v3.test', '200 v3']) {
        my $c = Sniv::Client->new(addr => '127.0.0.1',
                                  port => ($h->ports)[1]);
        my $r = $c->get($_->[0]);
        is("$r->{status} $r->{headers}{'x-vhost'}", $_->[1],
           "Unsafe only in a later one: Host $_->[0]");
    }
    $h->remove;
}

# ----- UseCanonicalName, names from elsewhere, and no name at all

{
    my $h = server('settings-names', 2, sub {
        my ($p, $q) = @_;
        return "Listen 127.0.0.1:$p\nListen 127.0.0.1:$q\n"
            . vhost('v0', "127.0.0.1:$p", ['v0.test:8888', '*.v0.test'],
                    'UseCanonicalName On')
            . vhost('v1', "127.0.0.1:$p", ['v1.test:8888', '*.v1.test'],
                    'UseCanonicalName Off')
            . vhost('v2', "*:$q", [undef, 'v2.test'])
            . vhost('v3', "*:$q", ['v3.test']);
    });
    my ($headers) = get($h, 'a.v0.test:81', '/sub');
    is($headers->{location}, 'http://v0.test:8888/sub/',
       'UseCanonicalName On: a redirect of the chosen one');
    ($headers) = get($h, 'a.v1.test:81', '/sub');
    is($headers->{location}, 'http://a.v1.test:81/sub/',
       'UseCanonicalName Off: a redirect of the chosen one');
    my (undef, $body) = get($h, 'a.v0.test', '/echo.shtml');
    is($body, "v0.test v0\@sniv.test 8888 a.v0.test v0\n",
       'UseCanonicalName On: SERVER_NAME, and a subrequest');
    (undef, $body) = get($h, 'a.v1.test', '/echo.shtml');
    is($body, "a.v1.test v1\@sniv.test 8888 a.v1.test v1\n",
       'UseCanonicalName Off: SERVER_NAME, and a subrequest');
    for (['v2.test', 'v2'], ['v3.test', 'v3'], ['main.test', 'v2'],
         ['x.test', 'v2']) {
        my $c = Sniv::Client->new(addr => '127.0.0.1',
                                  port => ($h->ports)[1]);
        my $r = $c->get($_->[0]);
        is($r->{headers}{'x-vhost'}, $_->[1],
           "no ServerName in the default: Host $_->[0]");
    }
    $h->remove;
}

# ----- ErrorDocument: of the main server, of each, of none

{
    my $h = server('settings-error', 3, sub {
        my ($p, $q, $r) = @_;
        return join('', map { "Listen 127.0.0.1:$_\n" } $p, $q, $r)
            . vhost('v0', "127.0.0.1:$p", ['v0.test'],
                    map { "ErrorDocument $_ /error.html" } 400, 404, 417)
            . vhost('v1', "127.0.0.1:$p", ['v1.test'], 'ServerPath /sp/',
                    map { "ErrorDocument $_ /error.html" } 400, 404, 417)
            . vhost('v2', "127.0.0.1:$p", ['v2.test'],
                    'ErrorDocument 404 "text of v2"',
                    map { "ErrorDocument $_ /error.html" } 400, 417);
    });
    for my $v (0 .. 2) {
        my $name = "v$v.test";
        is_deeply([get($h, $name, '/', 'Expect: junk')]->[1], "v$v\n",
                  "ErrorDocument 417 of v$v");
        is(scalar get($h, $name, '/', 'Expect: junk'), "417 v$v",
           "417 of v$v");
        is([get($h, $name, '/none')]->[1], $v == 2 ? 'text of v2'
           : "v$v\n", "ErrorDocument 404 of v$v");
    }
    is([ask($h, "GET /sp/ HTTP/1.1\r\n$end")]->[1], "v1\n",
       'ErrorDocument 400 of the one with the ServerPath');
    is([ask($h, "GET / HTTP/1.1\r\nHost: v1.test\r\nX Y: z\r\n$end")]->[1],
       "v0\n", 'ErrorDocument 400 of the default');
    like($h->wait_for_log('access.log', qr/417 GET/) || '',
         qr/\Av0\.test 417/, 'the log of a 417 with an ErrorDocument');
    like($h->wait_for_log('access.log', qr/\Av1\.test 417 GET/) || '',
         qr/v1/, 'and that of another one');
    $h->remove;
}

# ----- Limits: the default's hold until the name is known

{
    my $h = server('settings-limits', 1, sub {
        my ($p) = @_;
        return "Listen 127.0.0.1:$p\n"
            . vhost('v0', "127.0.0.1:$p", ['v0.test'],
                    'LimitRequestFieldSize 100', 'LimitRequestLine 100')
            . vhost('v1', "127.0.0.1:$p", ['v1.test'],
                    'LimitRequestFieldSize 1000', 'LimitRequestBody 5')
            . vhost('v2', "127.0.0.1:$p", ['v2.test'],
                    'MaxKeepAliveRequests 1', 'KeepAlive Off');
    });
    is(scalar get($h, 'v1.test', '/', 'X: ' . 'x' x 200), '400 v0',
       'LimitRequestFieldSize of the default');
    is(scalar get($h, 'v1.test', '/' . 'x' x 200), '414 v0',
       'LimitRequestLine of the default');
    # twice in the answer of older versions (2.4.62)
    like(scalar ask($h, "POST / HTTP/1.1\r\nHost: v1.test\r\n"
                    . "Content-Length: 10\r\n$end" . 'b' x 10),
         qr/\A413 v1(?:, v1)?\z/, 'LimitRequestBody of the chosen one');
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => ($h->ports)[0]);
    my $r = $c->get('v1.test');
    is($r->{headers}{connection} || 'none', 'none',
       'KeepAlive of the chosen one: on');
    $r = $c->get('v2.test');
    is($r->{headers}{connection}, 'close',
       'KeepAlive of the chosen one: off');
    $h->remove;
}

# ----- Addresses that need another server: any port of any address

{
    my $h = server('settings-any', 3, sub {
        my ($p, $q, $r) = @_;
        return join('', map { my $port = $_; map { "Listen 127.0.0.$_:$port\n" }
                        1 .. 3 } $p, $q, $r)
            . vhost('v0', '*:*', ['v0.test'])
            . vhost('v1', "_default_:*", ['v1.test'])
            . vhost('v2', "0.0.0.0:$q", ['v2.test'])
            . vhost('v3', '127.0.0.2', ['v3.test'])
            . vhost('v4', "127.0.0.3:$p", ['v4.test']);
    });
    my ($p, $q, $r) = $h->ports;
    for (['127.0.0.1', $p, 'v1.test', 'v1', '*:* by name'],
         ['127.0.0.1', $p, 'x.test', 'v0', '*:*, its default'],
         ['127.0.0.1', $q, 'v1.test', 'v2', '0.0.0.0:port beats *:*'],
         ['127.0.0.2', $q, 'v1.test', 'v3', 'ip without a port: any port'],
         ['127.0.0.2', $r, 'v0.test', 'v3', 'the same on another port'],
         ['127.0.0.3', $p, 'v0.test', 'v4', 'ip:port'],
         ['127.0.0.3', $r, 'v1.test', 'v1', '*:* where nothing else is']) {
        my ($addr, $port, $host, $label, $what) = @$_;
        my $c = Sniv::Client->new(addr => $addr, port => $port);
        is($c->get($host)->{headers}{'x-vhost'}, $label, $what);
    }
    $h->remove;
}

# ----- Internal redirects, and proxies

{
    my $h = server('settings-inside', 2, sub {
        my ($p, $back) = @_;
        return "Listen 127.0.0.1:$p\nListen 127.0.0.1:$back\n"
            . "TraceEnable on\n"
            . vhost('v0', "127.0.0.1:$p", ['v0.test'])
            . vhost('v1', "127.0.0.1:$p", ['v1.test'],
                    'RewriteEngine On', 'RewriteRule ^/in/(.*) /$1 [PT]',
                    'DirectoryIndex none.html echo.shtml')
            . vhost('v2', "127.0.0.1:$p", ['v2.test'],
                    "ProxyPass \"/px/\" \"http://127.0.0.1:$back/\"",
                    'ProxyPreserveHost On',
                    'FallbackResource /index.html')
            . vhost('v3', "127.0.0.1:$p", ['v3.test'], 'ProxyRequests On',
                    "AllowCONNECT $back")
            . vhost('v4', "127.0.0.1:$back", ['v4.test']);
    });
    my (undef, $back) = $h->ports;
    is([get($h, 'v1.test', '/in/echo.shtml')]->[1],
       "v1.test v1\@sniv.test 80 v1.test v1\n", 'RewriteRule [PT]');
    is([get($h, 'v1.test', '/')]->[1],
       "v1.test v1\@sniv.test 80 v1.test v1\n", 'DirectoryIndex');
    is([get($h, 'v2.test', '/nowhere')]->[1], "v2\n", 'FallbackResource');
    is(scalar get($h, 'v0.test', '/in/echo.shtml'), '404 v0',
       'the default has none of this');
    is([get($h, 'v2.test', '/px/')]->[1], "v4\n", 'ProxyPass');
    is(scalar get($h, 'v0.test', '/px/'), '404 v0', 'not in the default');
    is([ask($h, "GET http://127.0.0.1:$back/ HTTP/1.1\r\nHost: v3.test\r\n"
            . $end)]->[1], "v0\n",
       'a proxy request goes to the host of its URI: the default, no proxy');
    is([ask($h, "GET http://v3.test:$back/ HTTP/1.1\r\nHost: v3.test\r\n"
            . $end)]->[0]{'x-vhost'}, 'v3',
       'a URI with the name of the proxy, and another port');
    is(scalar ask($h, "CONNECT 127.0.0.1:$back HTTP/1.1\r\n"
                  . "Host: v3.test\r\n$end"), '405 v0',
       'CONNECT to an address: the default');
    $h->remove;
}

done_testing();
