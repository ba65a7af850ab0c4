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


# What answers after the virtual host is chosen: SNIVHostExplain against the
# running server.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use Sniv::Certs;
use Sniv::Client;
use Sniv::Httpd;

plan skip_all => 'the module\'s own'
    if Sniv::Httpd::mode() eq 'off';
Sniv::Certs::make();

my ($c0, $c1) = map { Sniv::Certs::conf($_) } qw(c0 c1);
my $h = Sniv::Httpd->new(name => 'answer', ports => 3, mode => 'on',
                         conf => sub {
    my ($http, $https, $back) = @_;
    return <<"END";
Listen 127.0.0.1:$http
Listen 127.0.0.1:$https
Listen 127.0.0.1:$back
Redirect /main http://main.example/to
ProxyPass /mainpx http://127.0.0.1:$back/fromMain
<VirtualHost *:$back>
    ServerName back.test
    RewriteEngine On
    RewriteRule ^(.*) http://seen.test\$1 [R=307]
</VirtualHost>
<VirtualHost *:$http>
    ServerName a.test
    Redirect permanent /old https://a.test/new
    Redirect /old/deeper https://never.test/
    Redirect gone /gone
    RedirectTemp /temp/ http://temp.test/
    RedirectPermanent /perm http://perm.test
    Redirect 308 /number /local
    Redirect /px/redirected http://never.test/
    Redirect /main/own http://own.test/
    ProxyPass /px/not !
    ProxyPass /px http://127.0.0.1:$back/t
    ProxyPass /mainpx http://127.0.0.1:$back/own
</VirtualHost>
<VirtualHost *:$http>
    ServerName b.test
    Redirect / https://b.test/
</VirtualHost>
<VirtualHost *:$https>
    ServerName first.test
    SSLEngine on
    $c0
</VirtualHost>
<VirtualHost *:$https>
    ServerName c1.test
    SSLEngine on
    SSLProtocol TLSv1.2
    Protocols h2 http/1.1
    RewriteEngine On
    RewriteRule ^/x /y
    $c1
</VirtualHost>
END
});
$h->start;
my ($http, $https) = $h->ports;

sub ask {
    my ($words) = @_;
    $h->write('question.conf', "SNIVHostExplain $words\n");
    my ($status, $said) = $h->check('-t', '-c', 'Include question.conf');
    return $said;
}

# What is said, as a client sees it: status and Location.
sub said {
    my ($host, $path) = @_;
    my ($json) = ask("127.0.0.1:$http host=$host path=$path format=json")
        =~ /^(\{\n.*?^\}\n)/ms;
    my $x = JSON::PP::decode_json($json // '{}')->{answer};
    return "307 http://seen.test" . $x->{proxy} =~ s{http://[^/]+}{}r
        if defined $x->{proxy};
    my $to = $x->{location} // '';
    $to = "http://$host:$http$to" if $to =~ m{\A/};
    return $x->{redirect} ? "$x->{redirect} $to" : 'document root';
}

sub seen {
    my ($host, $path) = @_;
    my $r = Sniv::Client->new(addr => '127.0.0.1', port => $http)
        ->get("$host:$http", $path);
    return $r->{status} =~ /\A(?:30|410)/
        ? "$r->{status} " . ($r->{headers}{location} // '')
            =~ s{http://$host/}{http://$host:$http/}r
        : 'document root';
}

for my $path (qw(/ /old /old/ /old/x /old/deeper /older /gone /gone/x /temp
                 /temp/ /temp/y /perm /perm/z /number /number/a /px /px/ /px/q
                 /px/redirected /px/not /px/not/x /pxx /main /main/u
                 /main/own/v /mainpx /mainpx/w //old//x /other)) {
    is said('a.test', $path), seen('a.test', $path), "a.test $path";
}
is said('b.test', $_), seen('b.test', $_), "b.test $_"
    for qw(/ /x /main /mainpx/x);

# ----- text -----

my $text = ask("127.0.0.1:$http host=a.test path=/old/x");
like $text, qr{^  answer        301 to https://a\.test/new/x \(\S+:\d+\)$}m,
    'a redirect, with its line';
$text = ask("127.0.0.1:$https sni=c1.test host=c1.test");
like $text, qr/^  tls           TLSv1\.2, ALPN h2 http\/1\.1$/m,
    'TLS versions and ALPN';
like $text, qr/^  without SNI   first\.test, \S+c0\.crt$/m,
    'what a client without SNI gets';
$text =~ s/\n {16}/ /g;
like $text, qr/^  answer        from \S+, unless RewriteRule \(\S+:\d+\) says/m,
    'where knowledge ends';

# ----- expected -----

$h->write('expect.txt', <<"END");
http://a.test:$http/old/x status=301 location=https://a.test/new/x
http://a.test:$http/gone status=410
http://a.test:$http/other status=200
END
my ($status, $said) = $h->check('-t', '-c', 'SNIVHostExpect expect.txt');
is $status, 0, 'SNIVHostExpect knows redirects' or diag $said;
$h->write('expect.txt', "http://a.test:$http/old status=200\n"
          . "http://a.test:$http/other status=301\n"
          . "http://a.test:$http/old location=http://x.test/\n");
($status, $said) = $h->check('-t', '-c', 'SNIVHostExpect expect.txt');
like $said, qr/expect\.txt:1: .* status=200 is expected, but it is 301/,
    'a redirect in place of an answer';
like $said, qr/expect\.txt:2: .* but nothing refuses or redirects/,
    'an answer in place of a redirect';
like $said, qr{expect\.txt:3: .* but it is https://a\.test/new},
    'a redirect to elsewhere';
$h->remove;

done_testing;
