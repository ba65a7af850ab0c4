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


# What -t prints: -D DUMP_SNIVHOST and -D DUMP_SNIVHOST_JSON.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use Sniv::Certs;
use Sniv::Httpd;

plan skip_all => 'these dumps are the module\'s own'
    if Sniv::Httpd::mode() eq 'off';
Sniv::Certs::make();

my $certs = Sniv::Certs::dir();

sub server {
    my ($conf, @more) = @_;
    return Sniv::Httpd->new(name => 'dump', ports => 2, conf => $conf,
                            mode => 'on', @more);
}

# The text without what httpd and the lint say.
sub text {
    my ($h, @more) = @_;
    my ($status, $said) = $h->check('-t', '-D', 'DUMP_SNIVHOST',
                                    '-c', 'SNIVHostLint Off', @more);
    is($status, 0, 'the exit status') or diag $said;
    return grep { !/\ASyntax OK/ } split /\n/, $said;
}

sub json {
    my ($h, @more) = @_;
    my ($status, $said) = $h->check('-t', '-D', 'DUMP_SNIVHOST_JSON',
                                    '-c', 'SNIVHostLint Off', @more);
    is($status, 0, 'the exit status') or diag $said;
    my ($json) = $said =~ /^(\{\n.*^\}\n)/ms or diag $said;
    return JSON::PP->new->latin1->decode($json);
}

# Lines that are too long and could have been broken.
sub too_long {
    return grep { length > 100 && !/\A\s*(?:\S{1,12}\s+)?\S{60,}\s*\z/ } @_;
}

my $h = server(sub {
    my ($http, $https) = @_;
    return <<"END";
Listen 127.0.0.1:$http
Listen 127.0.0.1:$https
<VirtualHost *:$http>
    ServerName any.test
    ServerPath /any/
</VirtualHost>
<VirtualHost *:$http>
    ServerName other.test
    ServerAlias o.test *.o.test ?.p.test
</VirtualHost>
<VirtualHost 127.0.0.1:$https>
    ServerName c0.test
    SSLEngine on
    SSLCertificateFile "$certs/c0.crt"
    SSLCertificateKeyFile "$certs/c0.key"
</VirtualHost>
<VirtualHost 127.0.0.1:$https>
    ServerName c1.test
    SSLEngine on
    SSLCertificateFile "$certs/c1.crt"
    SSLCertificateKeyFile "$certs/c1.key"
</VirtualHost>
<VirtualHost 127.0.0.1:$https>
    ServerName c2.test
    SSLEngine on
    SSLHonorCipherOrder on
    SSLCertificateFile "$certs/shared.crt"
    SSLCertificateKeyFile "$certs/shared.key"
</VirtualHost>
<VirtualHost 127.0.0.1:* [::1]:$http>
    ServerName both.test
</VirtualHost>
END
});
my ($http, $https) = $h->ports;

my @text = text($h);
like($text[0], qr/\ASNIVHost On: 6 virtual hosts with 9 names on 4 addresses/,
     'the first line counts');
my $text = join "\n", @text, '';
is_deeply([$text =~ /^  (\S+:\S+) +\d+ virtual host/mg],
          ["127.0.0.1:$https", "[::1]:$http", '127.0.0.1:*', "*:$http"],
          'sets in the order in which they are looked for');
like($text, qr/^  any other +the main server, main\.test$/m, 'what is left');
my $conf = qr{\S+/httpd\.conf:\d+};
like($text, qr/^\*:$http  2 virtual hosts, chosen by name
 +1 any\.test  $conf  \(default\)
 +path +\/any\/
 +2 other\.test  $conf
 +alias +o\.test
 +glob +\*\.o\.test \?\.p\.test\n/m, 'the members of a set');
like($text, qr/^\[::1\]:$http  one virtual host, whatever the name
 +1 both\.test  $conf\n/m, 'one that is alone');
like($text, qr/^ +2 c1\.test  $conf
 +tls +mod_ssl
 +cert +\Q$certs\E\/c1\.crt
 +EC prime256v1, until \d{4}-\d\d-\d\d [\d:]+ UTC, in \d+ days
 +for c1\.test\n/m, 'TLS and certificate');
is_deeply([too_long(@text)], [], 'lines of 100 columns');

$text = join "\n", text($h, '-c', 'SNIVHostAdopt On'), '';
like($text, qr/^ +1 c0\.test .*\n +tls +mod_ssl, not lean: it is the first/m,
     'why the first one is not lean');
like($text, qr/^ +2 c1\.test .*\n +tls +lean$/m, 'one that is');
like($text, qr/^ +3 c2\.test .*\n +tls +mod_ssl, not lean: no\s+other\s+virtual\s+host\s+has\s+its\s+TLS\s+settings:\s+SSLHonorCipherOrder/m,
     'one with settings of its own');

my $json = json($h);
is($json->{version}, 1, 'JSON: the version of its shape');
is($json->{mode}, 'On', 'the mode');
is($json->{main_server}{vhost}, 'main.test', 'the main server');
is($json->{main_server}{defined_at}, undef, 'which has no place');
is_deeply([map { $_->{vhost} } @{ $json->{vhosts} }],
          [qw(any.test other.test c0.test c1.test c2.test both.test)],
          'virtual hosts in the order of the file');
is_deeply([map { [$_->{address}, $_->{name_based} ? 1 : 0,
                  "@{ $_->{members} }"] } @{ $json->{sets} }],
          [["127.0.0.1:$https", 1, '2 3 4'], ["[::1]:$http", 0, '5'],
           ['127.0.0.1:*', 0, '5'], ["*:$http", 1, '0 1']],
          'sets with the numbers of their members');
is_deeply($json->{vhosts}[1]{aliases}, ['o.test'], 'aliases');
is_deeply($json->{vhosts}[1]{globs}, ['*.o.test', '?.p.test'], 'globs');
is_deeply($json->{vhosts}[5]{addresses}, ['127.0.0.1:*', "[::1]:$http"],
          'addresses');
is($json->{vhosts}[0]{tls}{how}, 'none', 'no TLS');
is($json->{vhosts}[0]{tls}{certificate}, undef, 'and no certificate');
is($json->{vhosts}[4]{tls}{how}, 'mod_ssl', 'TLS');
is_deeply($json->{vhosts}[4]{tls}{certificate}{names},
          ['shared.test', '*.x.test'], 'the names of the certificate');
my @tls = map { $_->{tls} }
    @{ json($h, '-c', 'SNIVHostAdopt On', '-c', 'SSLVerifyDepth 2', '-c',
            'SSLVerifyClient optional_no_ca')->{vhosts} };
is(scalar @{ $tls[2]{obstacles} }, 2, 'two obstacles of one virtual host');
is_deeply([@{ $tls[2]{obstacles}[0] }{qw(text file)}],
          ['SSLVerifyClient requests a certificate from every client',
           '-c/-C directives'], 'one of them, with its file');
like($tls[2]{obstacles}[0]{line}, qr/\A[1-9]\z/, '... and line');
like($tls[2]{obstacles}[1]{text}, qr/^it is the first virtual host/, '... the other');
@tls = map { $_->{tls} } @{ json($h, '-c', 'SNIVHostAdopt On')->{vhosts} };
is($tls[3]{how}, 'lean', 'a lean one');
is_deeply($tls[3]{obstacles}, [], '... has no obstacles');
my ($order) = map { "$_->{text} $_->{file}:$_->{line}" }
    @{ $tls[4]{obstacles} };
like($order, qr{\Ano other virtual host has its TLS settings: SSLHonorCipherOrder is not the same as in the first one of its address \(\S+/httpd\.conf:\d+\) \S+/httpd\.conf:\d+\z},
     'a setting of its own');

# ----- when not to print

my ($status, $said) = $h->check('-t');
unlike($said, qr/virtual hosts/, 'nothing is printed without the define');
for my $define (qw(DUMP_SNIVHOST DUMP_SNIVHOST_JSON)) {
    ($status, $said) = $h->check('-DFOREGROUND', '-D', $define);
    ok($status && $said =~ /SNIV0502: -D $define .* add -t/,
       "$define without -t starts no server") or diag $said;
}
$h->remove;

# ----- certificates that cannot be described

$h = server(sub {
    my (undef, $port) = @_;
    return <<"END";
Listen 127.0.0.1:$port
<VirtualHost 127.0.0.1:$port>
    ServerName c0.test
    SSLEngine on
    SSLCertificateFile "$certs/c0.crt"
    SSLCertificateKeyFile "$certs/c0.key"
</VirtualHost>
<VirtualHost 127.0.0.1:$port>
    ServerName none.test
    SSLEngine on
</VirtualHost>
<VirtualHost 127.0.0.1:$port>
    ServerName junk.test
    SSLEngine on
    SSLCertificateFile "$certs/c1.crt"
    SSLCertificateKeyFile "$certs/c0.key"
</VirtualHost>
END
});
$text = join "\n", text($h), '';
like($text, qr/2 none\.test .*\n.*\n +cert +no SSLCertificateFile/,
     'no certificate');
like($text, qr/3 junk\.test .*\n.*\n +cert +\S+c[01]\.(?:crt|key): \S/,
     'a key of another certificate');
is((json($h))->{vhosts}[2]{tls}{certificate}, undef, 'the same in JSON');
$h->remove;

# ----- many

{
    my $n = 5000;
    $h = server(sub {
        my ($http) = @_;
        return join '', "Listen 127.0.0.1:$http\n", map { <<"END" } 1 .. $n;
<VirtualHost *:$http>
    ServerName www.site$_.test
    ServerAlias site$_.test *.site$_.example with-a-long-name.site$_.test
    ServerAlias and-another-one.site$_.test
</VirtualHost>
END
    });
    @text = text($h);
    is(scalar(grep { /\A *\d+ www\.site\d+\.test  / } @text), $n,
       "$n virtual hosts: a line for each");
    is_deeply([too_long(@text)], [], 'and none too long');
    my $json = json($h);
    is(scalar @{ $json->{vhosts} }, $n, 'all of them in JSON');
    is($json->{sets}[0]{members}[-1], $n - 1, 'and in their set');
    $h->remove;
}

done_testing;
