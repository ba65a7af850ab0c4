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


# SNIVHostExplain: the same questions are asked of a running server, and what
# it says has to be what happens. t/differential does that with random
# configurations; here each thing that can be said has a case of its own.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use Sniv::Certs;
use Sniv::Client;
use Sniv::Httpd;

plan skip_all => 'this directive is the module\'s own'
    if Sniv::Httpd::mode() eq 'off';
Sniv::Certs::make();

my $certs = Sniv::Certs::dir();

# A mod_ssl without the directive has one rule, and may not check where there
# is no SNI.
my $without = !Sniv::Httpd::has_sni_policy();

# ----- asking

# Questions -> their answers. Words with blanks go in quotes.
sub answers {
    my ($h, @questions) = @_;
    my $file = $h->write('questions.conf', join '', map {
        "SNIVHostExplain $_ format=json\n" } @questions);
    my ($status, $said) = $h->check('-t', '-c', qq(Include "$file"));
    my @json;
    while ($said =~ /^(\{\n.*?^\}\n)/msg) {
        push @json, JSON::PP->new->latin1->decode($1);
    }
    diag "exit status $status: $said" if $status || @json != @questions;
    return @json;
}

# What a running server does: label of the virtual host, status, common name
# of the certificate. $q: addr, port, sni (there is TLS if it is there, also
# as undef), host, http, path.
sub real {
    my (%q) = @_;
    my $c = Sniv::Client->new(addr => $q{addr}, port => $q{port},
        exists $q{sni} ? (tls => { defined $q{sni} ? (sni => $q{sni})
                                                   : () }) : ());
    return { error => $c->error } if $c->error;
    my $cn = exists $q{sni} ? $c->cert : undef;
    $c->send('GET ' . ($q{path} || '/') . ' HTTP/' . ($q{http} || '1.1')
        . "\r\n" . (defined $q{host} ? "Host: $q{host}\r\n" : '')
        . "Connection: close\r\n\r\n");
    my $r = $c->response('GET');
    $c->close;
    return { status => $r->{status}, vhost => $r->{headers}{'x-vhost'},
             cn => $cn };
}

sub words {
    my (%q) = @_;
    return join ' ', ($q{addr} =~ /:/ ? "[$q{addr}]" : $q{addr})
        . ":$q{port}", map { qq("$_=$q{$_}") } grep { defined $q{$_} }
        qw(sni host path http);
}

# One question to both. $refusal: the status that the explanation must have.
sub same {
    my ($h, $what, $refusal, $rule, %q) = @_;
    my ($x) = answers($h, words(%q));
    my $real = real(%q);
    my $line = ($x->{defined_at} // '') =~ /:(\d+)\z/ ? $1 : 0;
    my $label = $line ? $h->{label}{$line} : 'main';
    is(join(' ', $x->{status} // '-', $x->{rule} // '-'),
       join(' ', $refusal // '-', $rule), "$what: what is said");
    is($real->{vhost}, $label, "$what: the virtual host");
    $refusal ? is($real->{status}, $refusal, "$what: the status")
             : unlike($real->{status}, qr/\A(?:400|403|421)\z/,
                      "$what: not refused");
    if (defined $real->{cn}) {
        my @files = @{ $x->{certificate}{files} || [] };
        ok((grep { m{/\Q$real->{cn}\E\.crt\z} } @files),
           "$what: the certificate $real->{cn}") or diag "@files";
    }
    ok($x->{httpd_agrees}, "$what: httpd agrees");
    return $x;
}

# Which line of the configuration is which virtual host.
sub note_labels {
    my ($h) = @_;
    my ($n, $at) = (0, 0);
    for my $line (split /\n/, $h->read('httpd.conf')) {
        $n++;
        $at = $n if $line =~ /\A<VirtualHost/;
        $h->{label}{$at} = $1 if $line =~ /\A\s*Header .*X-Vhost (\S+)/;
    }
    return $h;
}

sub vhost {
    my ($addr, $label, $tls, @lines) = @_;
    return "<VirtualHost $addr>\n    Header always set X-Vhost $label\n"
        . join('', map { "    $_\n" } @lines,
               $tls ? ('SSLEngine on', split /\n/, Sniv::Certs::conf($tls))
                    : ()) . "</VirtualHost>\n";
}

# ----- rules

my $h = note_labels(Sniv::Httpd->new(name => 'explain', ports => 3,
    conf => sub {
    my ($http, $https, $strict) = @_;
    return join '', (map { "Listen 127.0.0.1:$_\nListen 127.0.0.2:$_\n" }
                     $http, $https, $strict),
        "Listen 127.0.0.3:$http\n", "Header always set X-Vhost main\n",
        vhost("127.0.0.1:$http", 'v0', '', 'ServerName v0.test'),
        vhost("127.0.0.1:$http", 'v1', '', 'ServerName v1.test',
              'ServerAlias a.v1.test *.x.test', 'ServerPath /sp1/'),
        vhost("127.0.0.1:$http", 'v2', '', 'ServerName b.x.test',
              'ServerAlias v1.test *.test'),
        vhost("localhost:$http", 'v3', '', 'ServerName v3.test'),
        vhost("127.0.0.2:$http", 'alone', '', 'ServerName alone.test'),
        vhost("127.0.0.1:$https", 't0', 'c0', 'ServerName c0.test'),
        vhost("127.0.0.1:$https", 't1', 'c1', 'ServerName c1.test',
              'ServerAlias *.x.test', 'ServerPath /sp1/'),
        vhost("127.0.0.1:$https", 't2', 'c1', 'ServerName c2.test'),
        vhost("127.0.0.1:$https", 'plain', '', 'ServerName plain.test'),
        vhost("127.0.0.2:$https", 'talone', 'c3', 'ServerName c3.test'),
        vhost("*:$https", 'hidden', 'c4', 'ServerName c4.test'),
        vhost("127.0.0.1:$strict", 's0', 'c5', 'ServerName c5.test',
              'StrictHostCheck On', 'SSLStrictSNIVHostCheck on'),
        vhost("127.0.0.1:$strict", 's1', 'c5', 'ServerName c6.test');
}));
$h->start;
note_labels($h);
my ($http, $https, $strict) = $h->ports;
my @http = (addr => '127.0.0.1', port => $http);
my @https = (addr => '127.0.0.1', port => $https);
my @strict = (addr => '127.0.0.1', port => $strict);

same($h, 'ServerName', undef, 'servername', @http, host => 'v1.test');
same($h, 'upper case, dot, port', undef, 'alias', @http,
     host => 'A.V1.Test.:8080');
my $x = same($h, 'an earlier glob', undef, 'glob', @http, host => 'b.x.test');
is(join(' ', map { "$_->{vhost} $_->{rule}" } @{ $x->{others} }),
   'b.x.test servername v0.test default', 'who comes next, in order');
like($x->{others}[0]{why}, qr/number 3 .* winner is number 2/,
     'and why it lost');
same($h, 'unknown', undef, 'default', @http, host => 'nobody.example');
same($h, 'address text', undef, 'address-text', @http, host => 'localhost');
same($h, 'HTTP/1.0 without Host', undef, 'default-no-name', @http,
     http => '1.0');
same($h, 'ServerPath', undef, 'path', @http, http => '1.0',
     path => '//sp1/x');
same($h, 'no Host on HTTP/1.1', 400, 'path', @http, http => '1.1',
     path => '/sp1/x');
same($h, 'an empty Host', 400, 'default-no-name', @http, http => '1.1',
     host => '');
same($h, 'a malformed Host', 400, 'early', @http, host => 'a..b');
same($h, 'one virtual host', undef, 'ip', addr => '127.0.0.2',
     port => $http, host => 'v1.test');
same($h, 'no virtual host', undef, 'main', addr => '127.0.0.3',
     port => $http, host => 'v1.test');

# ----- TLS

same($h, 'SNI and Host', undef, 'servername', @https, sni => 'c1.test',
     host => 'c1.test');
$x = same($h, 'SNI by glob, the same virtual host', undef, 'servername',
          @https, sni => 'q.x.test', host => 'c1.test');
is($x->{handshake_rule}, 'glob', 'the rule of the handshake');
same($h, 'another virtual host with the same settings', undef, 'servername',
     @https, sni => 'c1.test', host => 'c2.test');
$x = same($h, '421', 421, 'servername', @https, sni => 'c1.test',
          host => 'c0.test');
is($x->{handshake_vhost}, 'c1.test', 'whose handshake it was');
is_deeply([map { $_->{directive} } @{ $x->{differs} }],
          [qw(SSLCertificateFile SSLCertificateKeyFile)], 'what differs');
is($x->{differs}[0]{handshake}{value}, "$certs/c1.crt", 'here');
is($x->{differs}[0]{request}{value}, "$certs/c0.crt", 'and there');
my ($at) = grep { $h->{label}{$_} eq 't0' } keys %{ $h->{label} };
like($x->{differs}[0]{request}{defined_at}, qr{/httpd\.conf:@{[ $at + 4 ]}\z},
     'with file and line');
is_deeply($x->{sni_policy}, { unsure => undef, $without
    ? (configured => 'built-in', 'built-in' => 421)
    : (configured => 'secure', strict => 421, secure => 421,
       authonly => undef, insecure => undef) }, 'what each policy says');
same($h, 'unknown SNI', undef, 'servername', @https, sni => 'nobody.example',
     host => 'c0.test');
if ($without) {
    ($x) = answers($h, words(@https, host => 'c1.test'));
    is($x->{status}, undef, 'no SNI: allowed by the built-in rule');
    like($x->{sni_policy}{unsure}, qr/CVE-2025-23048/,
         'but that is not certain');
    ($x) = answers($h, words(@https, host => 'c0.test'));
    is($x->{sni_policy}{unsure}, undef, 'unless nothing differs');
}
else {
    same($h, 'no SNI', 421, 'servername', @https, sni => undef,
         host => 'c1.test');
    same($h, 'no SNI and no Host, ServerPath', 421, 'path', @https,
         sni => undef, http => '1.0', path => '/sp1/');
}
same($h, 'SNI and no Host', 400, 'path', @https, sni => 'c0.test',
     http => '1.0', path => '/sp1/');
$x = same($h, 'SNI of a virtual host without TLS', undef, 'servername',
          @https, sni => 'plain.test', host => 'plain.test');
is($x->{certificate_vhost}, 'c0.test', 'the default\'s certificate');
$x = same($h, 'from there to one with TLS', 421, 'servername', @https,
          sni => 'plain.test', host => 'c0.test');
is($x->{differs}[0]{directive}, 'SSLEngine', 'SSLEngine differs');
same($h, 'TLS, one virtual host', undef, 'ip', addr => '127.0.0.2',
     port => $https, sni => 'c1.test', host => 'c1.test');
like(join(' ', map { $_->{text} } @{ (answers($h, words(addr => '127.0.0.2',
    port => $https, sni => 'c4.test', host => 'c4.test')))[0]{steps} }),
    qr/\*:$https: not looked at/, 'a hidden address set is named');
same($h, 'StrictHostCheck', 400, 'default', @strict, sni => 'c5.test',
     host => 'nobody.example');
same($h, 'StrictHostCheck, a known name', undef, 'servername', @strict,
     sni => 'c5.test', host => 'c6.test');
same($h, 'SSLStrictSNIVHostCheck', 403, 'servername', @strict, sni => undef,
     host => 'c5.test');

# ----- the form of the answer

my ($one, $two) = answers($h, words(@http, host => 'v1.test'),
                          words(@https, sni => 'c1.test', host => 'c0.test'));
is($one->{vhost}, 'v1.test', 'several questions: the first answer');
is($two->{status}, 421, 'and the second one');
is($two->{version}, 1, 'the version of the shape');
is_deeply([grep { !exists $two->{$_} } qw(vhost defined_at rule certificate
           handshake_vhost status steps others differs)], [],
          'every key is there');
is_deeply($two->{question}, { address => "127.0.0.1:$https",
    sni => 'c1.test', host => 'c0.test', path => '/' }, 'the question');
for my $key (qw(certificate handshake_vhost sni_policy)) {
    is($one->{$key}, undef, "no TLS: $key is null");
}
like($two->{certificate}{not_after}, qr/\A\d{4}-\d\d-\d\dT[\d:]{8}Z\z/,
     'when the certificate ends');
is_deeply($two->{certificate}{names}, ['c1.test'], 'its names');

my ($status, $text) = $h->check('-t', '-c',
    "SNIVHostExplain 127.0.0.1:$https sni=c1.test host=c0.test");
is($status, 0, 'as text');
like($text, qr/^ +virtual host +c0\.test \(.*httpd\.conf:\d+\)$/m,
     'the virtual host, with file and line');
like($text, qr/^ +refusal +421 Misdirected Request: /m, 'the refusal');
like($text, qr/^    SSLCertificateFile \((?:secure|built-in)\)$/m, 'what differs');
is_deeply([grep { length > 100 && /\S\s+\S+\z/ && !/\A\s*\S+\z/
                  && (split ' ')[-1] !~ /.{60}/ } split /\n/, $text], [],
          'no line is longer than 100 columns');
is_deeply([answers($h, qq("host=a b" 127.0.0.1:$http))]->[0]{question}{host},
          'a b', 'a host with a blank');
like((answers($h, "127.0.0.1:$http \"host=\xe4\""))[0]{question}{host},
     qr/\A\\xe4\z/, 'bytes that are not UTF-8 are escaped');

# ----- a URL: what a browser sends, to each address that has the port

my @url = answers($h, "127.0.0.1:$https https://C1.test.:$https/p?a=b");
is_deeply($url[0]{question}, { address => "127.0.0.1:$https",
              sni => 'c1.test', host => "c1.test.:$https", path => '/p' },
          'a URL: SNI, Host and path');
is($url[0]{vhost}, 'c1.test', 'and who answers');
is_deeply([answers($h, "127.0.0.1:$https https://c1.test/")]->[0]{question},
          { address => "127.0.0.1:$https", sni => 'c1.test',
            host => 'c1.test', path => '/' }, 'the usual port is not sent');
is_deeply([answers($h, "127.0.0.1:$https https://[::1]:$https")]
              ->[0]{question},
          { address => "127.0.0.1:$https", sni => undef,
            host => "[::1]:$https", path => '/' }, 'an address is no SNI');
{
    my ($plain) = Sniv::Httpd::free_ports(1);
    my $u = Sniv::Httpd->new(name => 'explain-url', mode => 'on',
                             conf => <<"END");
Listen 127.0.0.1:$plain
Listen 127.0.0.2:$plain
<VirtualHost *:$plain>
ServerName any.test
</VirtualHost>
<VirtualHost 127.0.0.2:$plain>
ServerName two.test
</VirtualHost>
<VirtualHost 127.0.0.3:1>
ServerName other.test
</VirtualHost>
END
    my ($bad, $said) = $u->check('-t', '-c',
        "SNIVHostExplain http://x.test:$plain/ format=json");
    is($bad, 0, 'a URL alone') or diag $said;
    my @all = map { JSON::PP->new->decode($_) } $said =~ /^(\{\n.*?^\}\n)/msg;
    is_deeply({ map { $_->{question}{address} => $_->{vhost} } @all },
              { "127.0.0.1:$plain" => 'any.test',
                "127.0.0.2:$plain" => 'two.test' },
              'each address of the port is asked, and no other');
    ($bad, $said) = $u->check('-t', '-c',
        'SNIVHostExplain http://x.test:2/');
    like($said, qr/no Listen line accepts connections to 127\.0\.0\.1:2.*main server/s,
         'a port that nobody has');
    $u->remove;
}

# ----- wrong questions

for my $wrong (
    ['', 'there is no address'],
    ['127.0.0.1', 'has no port: write 127\.0\.0\.1:443'],
    ['*:80', 'is not the address of a connection'],
    ['0.0.0.0:80', 'means all addresses'],
    ['localhost:80', 'is a name: .* host=localhost'],
    ['300.1.2.3:80', 'is not an IP address'],
    ["127.0.0.1:80 127.0.0.1:81", 'one word too many'],
    ['ftp://x.test/', 'neither https:// nor http://'],
    ['http:///x', 'is not a URL with a host'],
    ['https://x.test:65536/', 'a port that does not exist'],
    ['127.0.0.1:80 sin=x', q('sin=' is not known)],
    ['127.0.0.1:80 path=x', 'write path=/x'],
    ['127.0.0.1:80 http=3', 'write http=1\.0 or http=1\.1'],
    ['127.0.0.1:80 format=xml', 'write format=text or format=json'],
    ['127.0.0.1:80 sni=' . 's' x 256, 'longer than 255'],
) {
    # In a file: httpd reads no more than 200 bytes of a -c
    my $file = $h->write('questions.conf', "SNIVHostExplain $wrong->[0]\n");
    ($status, $text) = $h->check('-t', '-c', qq(Include "$file"));
    ok($status && $text =~ /SNIVHostExplain: .*$wrong->[1]/,
       "refused: '" . substr($wrong->[0], 0, 40) . "'")
        or diag "exit status $status: $text";
}
like((answers($h, "127.0.0.1:$http sni=x"))[0]{error},
     qr/no TLS on 127\.0\.0\.1:$http.*v0\.test.*omit sni=/,
     'SNI where there is no TLS');
like((answers($h, '127.0.0.1:9 host=x'))[0]{steps}[0]{text},
     qr/no Listen line accepts connections to 127\.0\.0\.1:9/,
     'an address that nothing listens on');
$h->stop;

# In a configuration that is meant to run
$h->write('httpd.conf', $h->read('httpd.conf')
          . "SNIVHostExplain 127.0.0.1:$http\n");
($status, $text) = $h->check('-DFOREGROUND');
ok($status && $text =~ /SNIVHostExplain|only a test of the configuration/,
   'a server does not start with a question') or diag $text;
$h->remove;

# ----- each setting that SSLVHostSNIPolicy looks at

# Virtual host n has the n-th of these lines, and nothing else that is its
# own; 0 has none.
my @lines = (
    '', 'SSLProtocol TLSv1.2', 'SSLProtocol all -TLSv1 -TLSv1.1 -TLSv1.3',
    'SSLProtocol all', 'SSLCipherSuite HIGH',
    'SSLCipherSuite SSL HIGH',
    'SSLCipherSuite TLSv1.3 TLS_AES_128_GCM_SHA256',
    'SSLVerifyDepth 1', 'SSLVerifyDepth 2', 'SSLVerifyClient none',
    'SSLVerifyClient off', 'SSLVerifyClient optional',
    qq(SSLCACertificateFile "$certs/ca.crt"),
    qq(SSLCADNRequestFile "$certs/ca.crt"),
    qq(SSLCACertificatePath "$certs"), qq(SSLCADNRequestPath "$certs"),
    'SSLCARevocationCheck none',
    qq(SSLCARevocationCheck leaf\nSSLCARevocationPath "$certs"),
    qq(SSLCARevocationPath "$certs"),
    'SSLOCSPEnable off', 'SSLOCSPOverrideResponder off',
    'SSLOCSPDefaultResponder "http://ocsp.test/"',
    'SSLOpenSSLConfCmd Options -SessionTicket',
    'SSLOpenSSLConfCmd options -SessionTicket',
    "SSLOpenSSLConfCmd Options -SessionTicket\nSSLOpenSSLConfCmd Curves P-256",
    'SSLHonorCipherOrder on', 'SSLOptions +StdEnvVars',
    'SSLSessionTickets off', 'SSLStrictSNIVHostCheck off',
    qq(SSLCertificateChainFile "$certs/ca.crt"),
    qq(SSLCertificateFile "$certs/rsa.crt"\n)
        . qq(SSLCertificateKeyFile "$certs/rsa.key"),
    "<Location \"/x\">\nSSLVerifyClient require\n</Location>",
);
my @policies = qw(strict secure authonly insecure);
@policies = ('built-in') if $without;
for my $policy (@policies) {
    my $g = Sniv::Httpd->new(name => 'explain', loglevel => 'crit',
        conf => sub {
        my ($port) = @_;
        return join '', "Listen 127.0.0.1:$port\n",
            Sniv::Httpd::sni_policy_conf($policy), map {
            vhost("127.0.0.1:$port", "v$_", 'c0', "ServerName v$_.test",
                  split /\n/, $lines[$_]) } 0 .. $#lines;
    });
    $g->start;
    my ($port) = $g->ports;
    my @q = map { { addr => '127.0.0.1', port => $port, sni => 'v0.test',
                    host => "v$_.test" } } 0 .. $#lines;
    my @said = answers($g, map { words(%$_) } @q);
    my (@wrong, @unexplained);
    for my $i (0 .. $#lines) {
        my $real = real(%{ $q[$i] });
        my $said = $said[$i]{status} // 200;
        # 404, or 403 for want of a client certificate
        $real->{status} = 200 if $real->{status} != 421;
        push @wrong, "$lines[$i]: $real->{status}, said $said"
            if $real->{status} != $said;
        push @unexplained, $lines[$i] if $said == 421
            && $policy ne 'strict'
            && !grep { index($lines[$i], $_->{directive} =~ s/ .*//r) == 0 }
                   @{ $said[$i]{differs} };
    }
    is_deeply(\@wrong, [], "SSLVHostSNIPolicy $policy: as it is");
    is_deeply(\@unexplained, [], "$policy: the directive that differs");
    $g->remove;
}

# What a virtual host does not say it has from the main server
{
    my $g = note_labels(Sniv::Httpd->new(name => 'explain',
        conf => sub {
        my ($port) = @_;
        return join '', "Listen 127.0.0.1:$port\n", 'SSLProtocol TLSv1.2',
            "\nSSLOpenSSLConfCmd Curves P-256\nSSLVerifyDepth 3\n",
            vhost("127.0.0.1:$port", 'v0', 'c0', 'ServerName v0.test'),
            vhost("127.0.0.1:$port", 'v1', 'c0', 'ServerName v1.test',
                  'SSLProtocol TLSv1.2'),
            vhost("127.0.0.1:$port", 'v2', 'c0', 'ServerName v2.test',
                  'SSLVerifyDepth 1');
    }));
    $g->start;
    note_labels($g);
    my @at = (addr => '127.0.0.1', port => ($g->ports)[0], sni => 'v0.test');
    same($g, 'the same as inherited', undef, 'servername', @at,
         host => 'v1.test');
    $x = same($g, 'other than inherited', 421, 'servername', @at,
              host => 'v2.test');
    is_deeply([map { [$_->{directive}, $_->{handshake}{value},
                      $_->{request}{value}] } @{ $x->{differs} }],
              [['SSLVerifyDepth', 3, 1]], 'what differs');
    $g->remove;
}

# ----- other configurations

for my $mode (qw(off verify)) {
    my $g = note_labels(Sniv::Httpd->new(name => 'explain', mode => 'on',
        with => ["SNIVHost $mode"], conf => sub {
        my ($port) = @_;
        return "Listen 127.0.0.1:$port\n"
            . vhost("127.0.0.1:$port", 'v0', '', 'ServerName v0.test')
            . vhost("127.0.0.1:$port", 'v1', '', 'ServerName v1.test');
    }));
    $g->start;
    note_labels($g);
    same($g, "SNIVHost $mode", undef, 'servername', addr => '127.0.0.1',
         port => ($g->ports)[0], host => 'v1.test');
    $g->remove;
}
{
    my $g = note_labels(Sniv::Httpd->new(name => 'explain',
        modules => ['-ssl'], conf => sub {
        my ($port) = @_;
        return "Listen 127.0.0.1:$port\n"
            . vhost("127.0.0.1:$port", 'v0', '', 'ServerName v0.test')
            . vhost("127.0.0.1:$port", 'v1', '', 'ServerName v1.test');
    }));
    $g->start;
    note_labels($g);
    my @at = (addr => '127.0.0.1', port => ($g->ports)[0]);
    same($g, 'without mod_ssl', undef, 'servername', @at, host => 'v1.test');
    like((answers($g, words(@at, sni => 'v1.test')))[0]{error},
         qr/no TLS/, 'without mod_ssl there is no TLS');
    $g->remove;
}

# Certificates that mod_md adds when the server starts: nobody knows which
SKIP: {
    my $so = Sniv::Httpd::apxs('LIBEXECDIR') . '/mod_md.so';
    skip 'httpd has no mod_md', 1 if !-e $so;
    my $g = Sniv::Httpd->new(name => 'explain', modules => ['md'],
        conf => sub {
        my ($port) = @_;
        return join '', "Listen 127.0.0.1:$port\nServerAdmin a\@b.example\n",
            "MDStoreDir md\nMDCertificateAgreement accepted\n",
            "MDomain v0.test v1.test v2.test\n",
            vhost("127.0.0.1:$port", 'v0', '', 'ServerName v0.test',
                  'SSLEngine on'),
            vhost("127.0.0.1:$port", 'v1', '', 'ServerName v1.test',
                  'SSLEngine on'),
            vhost("127.0.0.1:$port", 'v2', '', 'ServerName v2.test',
                  'SSLEngine on', 'SSLProtocol TLSv1.2'),
            vhost("127.0.0.1:$port", 'v3', 'c0', 'ServerName v3.test');
    });
    my @said = answers($g, map { words(addr => '127.0.0.1',
        port => ($g->ports)[0], sni => 'v0.test', host => "v$_.test") }
        0 .. 3);
    is(join(' ', map { ($_->{status} // '-') . ($_->{sni_policy}{unsure}
                                                ? '?' : '') } @said),
       '- -? 421 421', 'mod_md: what is said, and where it is not certain');
    $g->remove;
}

# ----- names that nobody serves

{
    my $g = note_labels(Sniv::Httpd->new(name => 'explain', mode => 'on',
        ports => 2, conf => sub {
        my ($http, $https) = @_;
        return "Listen 127.0.0.1:$http\nListen 127.0.0.1:$https\n"
            . "SNIVHostUnknownSNI refuse\nSNIVHostMissingSNI refuse\n"
            . "SNIVHostUnknownHost refuse\nSNIVHostAllowHost ok.test\n"
            . vhost("127.0.0.1:$http", 'v0', '', 'ServerName v0.test')
            . vhost("127.0.0.1:$http", 'v1', '', 'ServerName v1.test')
            . vhost("127.0.0.1:$https", 't0', 'c0', 'ServerName v0.test')
            . vhost("127.0.0.1:$https", 't1', 'c0', 'ServerName v1.test');
    }));
    $g->start;
    note_labels($g);
    my @http = (addr => '127.0.0.1', port => ($g->ports)[0]);
    my @https = (addr => '127.0.0.1', port => ($g->ports)[1]);
    same($g, 'SNIVHostUnknownHost', 421, 'default', @http,
         host => 'nobody.test');
    same($g, 'SNIVHostAllowHost', undef, 'default', @http,
         host => 'ok.test');
    same($g, 'a known name', undef, 'servername', @https, sni => 'v1.test',
         host => 'v1.test');
    my @said = answers($g, words(@https, sni => 'nobody.test'),
                       words(@https), words(@https, sni => 'ok.test',
                                            host => 'ok.test'));
    is($said[0]{alert}, 112, 'SNIVHostUnknownSNI: the alert');
    is(real(@https, sni => 'nobody.test')->{error}, 'alert 112',
       'and it is so');
    is($said[0]{vhost}, undef, 'there is no request then');
    is($said[1]{alert}, 109, 'SNIVHostMissingSNI: the alert');
    is(real(@https, sni => undef)->{error}, 'alert 109', 'and it is so');
    is($said[2]{alert}, undef, 'SNIVHostAllowHost: no alert');
    $g->remove;
}

done_testing;
