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

# Which virtual host answers a request that is not a plain GET with a Host:
# absolute URIs, HTTP/1.0, ServerPath, odd Hosts, and the requests that fail
# before or after httpd looks at the name.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use Sniv::Suite;

my $end = "Connection: close\r\n\r\n";
my $host = 'Host: a.x.test';

# [what, request, virtual host, status]
my @cases = (
    # The URI has the host
    ['absolute URI beats Host',
     "GET http://b.x.test/?ID HTTP/1.1\r\n$host\r\n$end", 'n2', 200],
    ['absolute URI with a port',
     "GET http://b.x.test:81/?ID HTTP/1.1\r\n$host\r\n$end", 'n2', 200],
    ['absolute URI in upper case',
     "GET HTTP://B.X.TEST/?ID HTTP/1.1\r\n$host\r\n$end", 'n2', 200],
    ['absolute URI of another scheme: Host counts',
     "GET https://b.x.test/?ID HTTP/1.1\r\n$host\r\n$end", 'n1', 200],
    ['ftp URI: 400 from the host of Host',
     "GET ftp://b.x.test/?ID HTTP/1.1\r\n$host\r\n$end", 'n1', 400],
    ['absolute URI without Host on 1.1: 400 from the one of the URI',
     "GET http://b.x.test/?ID HTTP/1.1\r\n$end", 'n2', 400],
    ['absolute URI on HTTP/1.0',
     "GET http://b.x.test/?ID HTTP/1.0\r\n\r\n", 'n2', 200],
    ['user information in the URI: 400 from the default',
     "GET http://u:p\@b.x.test/?ID HTTP/1.1\r\n$host\r\n$end", 'n0', 400],
    ['CONNECT selects by its authority',
     "CONNECT b.x.test:80 HTTP/1.1\r\n$host\r\n$end", 'n2', 405],
    ['OPTIONS *',
     "OPTIONS * HTTP/1.1\r\n$host\r\nX-Id: ID\r\n$end", undef, 200],

    # No Host
    ['HTTP/1.0 without Host: the default',
     "GET /?ID HTTP/1.0\r\n\r\n", 'n0', 200],
    ['HTTP/1.0 with Host', "GET /?ID HTTP/1.0\r\n$host\r\n\r\n", 'n1', 200],
    ['HTTP/1.0 with an empty Host is like none',
     "GET /?ID HTTP/1.0\r\nHost:\r\n\r\n", 'n0', 200],
    ['HTTP/1.1 without Host', "GET /?ID HTTP/1.1\r\n$end", 'n0', 400],
    ['HTTP/1.1 with an empty Host',
     "GET /?ID HTTP/1.1\r\nHost:\r\n$end", 'n0', 400],

    # ServerPath: only where there is no Host
    ['ServerPath', "GET /sp1/?ID HTTP/1.0\r\n\r\n", 'n1', 200],
    ['ServerPath with an empty Host',
     "GET /sp1/?ID HTTP/1.0\r\nHost:\r\n\r\n", 'n1', 200],
    ['ServerPath /sp1/ is not /sp1', "GET /sp1?ID HTTP/1.0\r\n\r\n", 'n0',
     301],
    ['ServerPath after two slashes', "GET //sp1/?ID HTTP/1.0\r\n\r\n", 'n1',
     200],
    ['ServerPath /sp8 without a slash', "GET /sp8/?ID HTTP/1.0\r\n\r\n",
     'n4', 200],
    ['ServerPath /sp8 takes whole segments', "GET /sp8x?ID HTTP/1.0\r\n\r\n",
     'n0', 404],
    ['an unknown Host never uses ServerPath',
     "GET /sp1/?ID HTTP/1.0\r\nHost: unknown.test\r\n\r\n", 'n0', 200],
    ['Host beats ServerPath',
     "GET /sp1/?ID HTTP/1.0\r\nHost: b.x.test\r\n\r\n", 'n2', 200],
    ['no Host on 1.1: 400 from the one of the ServerPath',
     "GET /sp1/?ID HTTP/1.1\r\n$end", 'n1', 400],
    ['empty Host on 1.1: the same',
     "GET /sp1/?ID HTTP/1.1\r\nHost: \r\n$end", 'n1', 400],

    # Odd Hosts
    ['folded Host', "GET /?ID HTTP/1.1\r\nHost:\r\n a.x.test\r\n$end", 'n1',
     200],
    ['name of the header in another case',
     "GET /?ID HTTP/1.1\r\nhOsT: a.x.test\r\n$end", 'n1', 200],
    ['two equal Hosts', "GET /?ID HTTP/1.1\r\n$host\r\n$host\r\n$end", 'n0',
     400],
    ['two Hosts that differ',
     "GET /?ID HTTP/1.1\r\n$host\r\nHost: b.x.test\r\n$end", 'n0', 400],
    (map { [ "Host '$_': 400 from the default",
             "GET /?ID HTTP/1.1\r\nHost: $_\r\n$end", 'n0', 400 ] }
         'a.x.test:', 'a.x.test:0', 'a.x.test:99999', 'a.x.test:abc', ':80',
         '123', '*', '.', '[a.x.test]', 'a..x.test', 'b!ad.x.test', 'a/b',
         'a.x.test b.x.test', 'user@a.x.test'),
    ['Host that is not ASCII: 400 from the default',
     "GET /?ID HTTP/1.1\r\nHost: \xe4.x.test\r\n$end", 'n0', 400],
    ['malformed Host with a ServerPath: still the default',
     "GET /sp1/?ID HTTP/1.0\r\nHost: bad/host\r\n\r\n", 'n0', 400],

    # Fails before the name step: the default answers
    ['bad request line', "GET /?ID junk HTTP/1.1\r\n$host\r\n$end", 'n0',
     400],
    ['no protocol that is known', "GET /?ID FTP/1.1\r\n$host\r\n$end", 'n0',
     400],
    ['control character in the request line',
     "GET /\x01?ID HTTP/1.1\r\n$host\r\n$end", 'n0', 400],
    ['URI too long', 'GET /' . 'u' x 9000 . " HTTP/1.1\r\n$host\r\n$end",
     'n0', 414],
    ['oversized header',
     "GET /?ID HTTP/1.1\r\n$host\r\nX: " . 'x' x 9000 . "\r\n$end", 'n0',
     400],
    ['too many headers', "GET /?ID HTTP/1.1\r\n$host\r\n"
     . join('', map { "X-$_: x\r\n" } 1 .. 120) . $end, 'n0', 400],
    ['header without a colon',
     "GET /?ID HTTP/1.1\r\n$host\r\njunk\r\n$end", 'n0', 400],
    ['blank before the colon',
     "GET /?ID HTTP/1.1\r\n$host\r\nX : y\r\n$end", 'n0', 400],
    ['bad Content-Length',
     "POST /?ID HTTP/1.1\r\n$host\r\nContent-Length: abc\r\n$end", 'n0',
     400],
    ['two Content-Lengths', "POST /?ID HTTP/1.1\r\n$host\r\n"
     . "Content-Length: 1\r\nContent-Length: 2\r\n$end", 'n0', 400],
    ['unknown Transfer-Encoding',
     "POST /?ID HTTP/1.1\r\n$host\r\nTransfer-Encoding: x\r\n$end", 'n0',
     400],
    ['bad Content-Length with a ServerPath',
     "POST /sp1/?ID HTTP/1.0\r\nContent-Length: abc\r\n\r\n", 'n0', 400],

    # Fails after it: the chosen one answers
    ['Expect that cannot be met',
     "GET /?ID HTTP/1.1\r\n$host\r\nExpect: junk\r\n$end", 'n1', 417],
    ['the same for an unknown Host',
     "GET /?ID HTTP/1.1\r\nHost: unknown.test\r\nExpect: junk\r\n$end", 'n0',
     417],
    ['the same with a glob',
     "GET /?ID HTTP/1.1\r\nHost: w.y.test\r\nExpect: junk\r\n$end", 'n1',
     417],
    ['the same with an absolute URI',
     "GET http://b.x.test/?ID HTTP/1.1\r\n$host\r\nExpect: junk\r\n$end",
     'n2', 417],
    ['unknown method', "BREW /?ID HTTP/1.1\r\n$host\r\n$end", 'n1', 501],
    ['method in lower case', "get /?ID HTTP/1.1\r\n$host\r\n$end", 'n1',
     501],
    ['not found', "GET /none?ID HTTP/1.1\r\n$host\r\n$end", 'n1', 404],

    # Versions
    ['a literal HTTP/2.0', "GET /?ID HTTP/2.0\r\n$host\r\n$end", 'n1', 200],
    ['HTTP/1.2', "GET /?ID HTTP/1.2\r\n$host\r\n$end", 'n1', 200],
    ['lines that end in LF only',
     "GET /?ID HTTP/1.1\n$host\nConnection: close\n\n", 'n0', 400],
);

# Requests on one connection: each is decided for itself.
my @series = (['a.x.test', 'n1'], ['b.x.test', 'n2'], ['unknown.test', 'n0'],
              ['localhost', 'text'], ['w.y.test', 'n1'], ['a.x.test', 'n1']);

my @errors = grep { $_->[3] =~ /\A(?:4|5)/ && $_->[2] } @cases;
plan tests => @cases + 3 * @series + 1 + @errors;

for my $case (@cases) {
    my ($what, $bytes, $label, $status) = @$case;
    my $r = ask_raw('127.0.0.1', $bytes);
    if (defined $label) {
        is_vhost($r, $label, $what, $status);
    }
    else {
        is($r->{status}, $status, $what);
    }
    # ServerAdmin of the one that answers is in the text of the error.
    like($r->{body}, qr/mailto:$label\@sniv\.test/, "$what: its ServerAdmin")
        if $status >= 400 && defined $label;
}

{
    my $c = http('127.0.0.1');
    for my $i (0 .. $#series) {
        my ($name, $label) = @{ $series[$i] };
        is_vhost(ask_raw('127.0.0.1', "GET /?ID HTTP/1.1\r\nHost: $name\r\n"
                         . "\r\n", client => $c), $label,
                 "keep-alive, request $i: $name");
    }
    for my $i (0 .. $#series) {
        my ($name, $label) = @{ $series[$i] };
        my $n = $i % 2 ? 404 : 200;
        my $path = $i % 2 ? '/none' : '/';
        is_vhost(ask_raw('127.0.0.1', "GET $path?ID HTTP/1.1\r\nHost: $name"
                         . "\r\n\r\n", client => $c), $label,
                 "keep-alive with errors, request $i: $name", $n);
    }
    is_vhost(ask_raw('127.0.0.1', "GET /?ID HTTP/1.1\r\nX Y: z\r\n\r\n",
                     client => $c), 'n0',
             'keep-alive, then a bad header: the default', 400);
}

{
    my $c = http('127.0.0.1');
    $c->send(join '', map { "GET / HTTP/1.1\r\nHost: $_->[0]\r\n\r\n" }
             @series);
    for my $i (0 .. $#series) {
        is($c->response->{headers}{'x-vhost'}, $series[$i][1],
           "pipelined, request $i: $series[$i][0]");
    }
}
