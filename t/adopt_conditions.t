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


# Which TLS virtual hosts can be lean, and what is said about those that
# cannot: at start, at debug level, for SNIVHostAdopt On; as an error, with
# -t too, for SNIVHostTLS On.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Sniv::Chain qw(dh_params make_cert slurp spew);
use Sniv::Client;
use Sniv::Httpd;
use Sniv::Pair;

plan skip_all => 'without the module there is nothing to test'
    if Sniv::Httpd::mode() eq 'off';

my $ssl = Sniv::Httpd::work() . "/adopt-conditions-ssl.$$";
make_cert($ssl, 'ca', is_ca => 1);
make_cert($ssl, 'a');
make_cert($ssl, 'rsa', key => 'rsa');
make_cert($ssl, 'chained', ca => 'ca', chain => ['ca']);
make_cert($ssl, 'ocsp', ca => 'ca', chain => ['ca'],
          add => ['-addext', 'authorityInfoAccess=OCSP;URI:http://o.test/']);
make_cert($ssl, 'locked');
make_cert($ssl, 'weak', key => 'rsa', bits => 1024);

sub openssl {
    my @args = @_;
    my $said = qx{openssl @args 2>&1};
    die "openssl @args: $said" if $?;
    return $said;
}

openssl('pkey', '-in', "$ssl/locked.key", '-aes128', '-passout', 'pass:secret',
        '-out', "$ssl/locked.new");
rename "$ssl/locked.new", "$ssl/locked.key";
spew("$ssl/ask", "#!/bin/sh\necho secret\n");
chmod 0755, "$ssl/ask";
spew("$ssl/dh.crt", slurp("$ssl/a.crt")
    . openssl('dhparam', '-dsaparam', '1024') =~ s/.*(?=-----BEGIN)//sr);
spew("$ssl/dh-other.crt", slurp("$ssl/a.crt") . dh_params());
spew("$ssl/junk.crt", "junk\n");
spew("$ssl/copy.pem", slurp("$ssl/ca.crt"));
spew("$ssl/ec-params.crt", slurp("$ssl/a.crt")
    . openssl('ecparam', '-name', 'secp384r1'));
spew("$ssl/tickets", 'x' x 48);
spew("$ssl/empty-dir.pem", slurp("$ssl/ca.crt"));

sub cert {
    my ($name, $key) = @_;
    $key ||= $name;
    return "SSLCertificateFile $ssl/$name.crt\n"
         . "SSLCertificateKeyFile $ssl/$key.key\n";
}

my $A = cert('a');
my $CA = "SSLCACertificateFile $ssl/ca.crt\n";

# What it is, the first virtual host's lines, the second one's, and why the
# second one cannot be lean (undef: it can).
# The second one differs in a directive, with its line.
sub differs {
    my ($line) = @_;
    return qr/^no other virtual host has its TLS settings: $line is not the same as in the first one of its address \(\S+:\d+\)$/;
}
my $OTHER_PARAMETERS = qr/no other virtual host has its TLS settings: DH or EC PARAMETERS in SSLCertificateFile are not the same/;

my @CASES = (
    ['plain', $A, $A, undef],
    ['other certificates', $A, cert('rsa') . $A, undef],
    ['the key in the certificate\'s file', $A,
     "SSLCertificateFile $ssl/inside.pem\n", undef],
    # mod_ssl reads files of any size, the store does not
    ['a large file', $A, "SSLCertificateFile $ssl/large.pem\n",
     qr/the certificate store cannot use \S+\/large\.pem: it \S+/],
    ['no certificate', $A, '', qr/it has no SSLCertificateFile and no SNIVHostCertificates$/],
    ['no TLS in the first', undef, $A,
     qr/the first virtual host of \S+ \(\S+:\d+\) has no SSLEngine on$/],

    # what has to be the same
    ['SSLProtocol', $A, "$A SSLProtocol TLSv1.2\n", undef],
    ['SSLProtocol of the first', "$A SSLProtocol TLSv1.2\n", $A, undef],
    ['a lower SSLProtocol', "$A SSLProtocol TLSv1.3\n",
     "$A SSLProtocol TLSv1.2 +TLSv1.3\n",
     qr/SSLProtocol \(\S+:\d+\) allows lower versions than the first virtual host of \S+ \(\S+:\d+\)$/],
    ['a lower SSLProtocol than there is', "$A SSLProtocol TLSv1.3\n",
     "$A SSLProtocol all -TLSv1.2\n", undef],
    ['limits of OpenSSL', "$A SSLOpenSSLConfCmd MinProtocol TLSv1.2\n",
     "$A SSLProtocol TLSv1.3\n",
     qr/SSLProtocol \(\S+:\d+\) allows lower versions than the first/],
    ['the same SSLProtocol', "$A SSLProtocol all -TLSv1.1\n",
     "$A SSLProtocol All   -tlsv1.1\n", undef],
    ['the last line wins', "$A SSLProtocol TLSv1.2\n",
     "$A SSLProtocol TLSv1.3\nSSLProtocol TLSv1.2\n", undef],
    ['SSLCipherSuite', "$A SSLCipherSuite HIGH\n",
     "$A SSLCipherSuite HIGH:!AES\n", differs('SSLCipherSuite \(\S+:\d+\)')],
    ['SSLCipherSuite in other words', "$A SSLCipherSuite AES128-SHA:AES256-SHA\n",
     "$A SSLCipherSuite AES128-SHA:AES256-SHA:AES128-SHA\n", undef],
    ['SSLCipherSuite, the order', "$A SSLCipherSuite AES128-SHA:AES256-SHA\n",
     "$A SSLCipherSuite AES256-SHA:AES128-SHA\n",
     differs('SSLCipherSuite \(\S+:\d+\)')],
    ['SSLCipherSuite, the level', "$A SSLCipherSuite HIGH\n",
     "$A SSLCipherSuite HIGH:\@SECLEVEL=0\n",
     differs('SSLCipherSuite \(\S+:\d+\)')],
    ['SSLCipherSuite for SSL', "$A SSLCipherSuite HIGH\n",
     "$A SSLCipherSuite SSL HIGH\n", undef],
    ['SSLCipherSuite TLSv1.3', $A,
     "$A SSLCipherSuite TLSv1.3 TLS_AES_128_GCM_SHA256\n",
     differs('SSLCipherSuite \(\S+:\d+\)')],
    ['SSLHonorCipherOrder', $A, "$A SSLHonorCipherOrder on\n",
     differs('SSLHonorCipherOrder \(\S+:\d+\)')],
    ['SSLHonorCipherOrder as it is anyway', $A,
     "$A SSLHonorCipherOrder off\n", undef],
    ['SSLSessionTickets', $A, "$A SSLSessionTickets off\n",
     differs('SSLSessionTickets \(\S+:\d+\)')],
    Sniv::Httpd::has_directive('SSLInsecureRenegotiation off')
    ? ['SSLInsecureRenegotiation', $A, "$A SSLInsecureRenegotiation on\n",
       differs('SSLInsecureRenegotiation \(\S+:\d+\)')] : (),
    ['SSLSessionCacheTimeout', $A, "$A SSLSessionCacheTimeout 60\n",
     undef],
    ['SSLSessionCacheTimeout as it is anyway', $A,
     "$A SSLSessionCacheTimeout 300\n", undef],
    ['SSLCompression off', $A, "$A SSLCompression off\n", undef],
    ['SSLCACertificateFile', $A, cert('chained') . $CA,
     differs('SSLCACertificateFile \(\S+:\d+\)')],
    ['SSLCACertificateFile with the same in it', "$A$CA",
     cert('chained') . "SSLCACertificateFile $ssl/copy.pem\n", undef],
    ['the same SSLCACertificateFile', "$A$CA", cert('chained') . $CA, undef],
    ['the same SSLCACertificateFile, no chain', "$A$CA", "$A$CA", undef],
    ['no chain, and SSLCertificateChainFile in the first',
     "$A$CA SSLCertificateChainFile $ssl/ca.crt\n", "$A$CA",
     qr/no other virtual host has its TLS settings/],
    ['SSLCertificateChainFile in both',
     "$A$CA SSLCertificateChainFile $ssl/ca.crt\n",
     "$A$CA SSLCertificateChainFile $ssl/copy.pem\n", undef],
    ['no chain but SSLCertificateChainFile', "$A$CA",
     "$A$CA SSLCertificateChainFile $ssl/ca.crt\n", undef],
    ['SSLCADNRequestFile', $A, "$A SSLCADNRequestFile $ssl/ca.crt\n",
     differs('SSLCADNRequestFile \(\S+:\d+\)')],

    # SSLOpenSSLConfCmd
    ['an own command', $A, "$A SSLOpenSSLConfCmd Curves P-256\n",
     differs('SSLOpenSSLConfCmd \(\S+:\d+\)')],
    ['the same commands', "$A SSLOpenSSLConfCmd Curves P-256\n"
     . "SSLOpenSSLConfCmd MinProtocol TLSv1.2\n",
     "$A SSLOpenSSLConfCmd curves P-256\n"
     . "SSLOpenSSLConfCmd MinProtocol TLSv1.2\n", undef],
    ['one command more', "$A SSLOpenSSLConfCmd Curves P-256\n",
     "$A SSLOpenSSLConfCmd Curves P-256\n"
     . "SSLOpenSSLConfCmd MinProtocol TLSv1.2\n",
     differs('SSLOpenSSLConfCmd \(\S+:\d+\)')],
    ['a command of a certificate',
     "$A SSLOpenSSLConfCmd DHParameters $ssl/dh.pem\n",
     "$A SSLOpenSSLConfCmd DHParameters $ssl/dh.pem\n", undef],
    ['DHParameters with the same in it',
     "$A SSLOpenSSLConfCmd DHParameters $ssl/dh.pem\n",
     "$A SSLOpenSSLConfCmd DHParameters $ssl/dh-copy.pem\n", undef],
    ['a command that is not understood', "$A SSLOpenSSLConfCmd ServerInfoFile $ssl/x\n",
     "$A SSLOpenSSLConfCmd ServerInfoFile $ssl/x\n",
     qr/^SSLOpenSSLConfCmd ServerInfoFile is set \(\S+:\d+\)$/],
    ['a command of the first', "$A SSLOpenSSLConfCmd ServerInfoFile $ssl/x\n",
     $A, qr/those of the first one of its address \(\S+\) are for that one alone: SSLOpenSSLConfCmd ServerInfoFile is set \(\S+:\d+\)$/],

    # what is its own
    ['SSLOptions, SSLUserName, SSLStrictSNIVHostCheck', $A,
     "$A SSLOptions +StdEnvVars\nSSLUserName SSL_CIPHER\n"
     . "SSLStrictSNIVHostCheck on\n"
     . "SSLVerifyDepth 3\n", undef],
    ['SSLProxy*', $A, "$A SSLProxyEngine on\nSSLProxyVerify require\n"
     . "SSLProxyProtocol TLSv1.2\n", undef],
    ['directories', $A, "$A<Location /x>\nSSLVerifyClient require\n"
     . "SSLCipherSuite HIGH\nSSLRequireSSL\n</Location>\n"
     . "<Directory $ssl>\nSSLOptions +StdEnvVars\n</Directory>\n", undef],
    ['OCSP that is off', $A, "$A SSLOCSPEnable off\n"
     . "SSLOCSPResponseMaxAge 10\nSSLVerifyClient none\n"
     . "SSLCARevocationCheck none\n", undef],

    # what is refused
    ['client verification', $A, cert('chained') . "$CA SSLVerifyClient optional\n",
     qr/SSLVerifyClient requests a certificate from every client/],
    ['client verification that ends', $A,
     "$A SSLVerifyClient require\nSSLVerifyClient none\n", undef],
    ['client verification in the first', "$A$CA SSLVerifyClient require\n",
     cert('chained') . $CA, qr/first one of .*: SSLVerifyClient requests/],
    ['OCSP', $A, "$A SSLOCSPEnable leaf\n", qr/SSLOCSPEnable is on/],
    ['tickets with a key', "$A SSLSessionTicketKeyFile $ssl/tickets\n",
     "$A SSLSessionTicketKeyFile $ssl/tickets\n",
     `openssl version` =~ /\AOpenSSL 1\./
         ? qr/can use only with OpenSSL 3.0 or later$/ : undef],
    ['tickets with a key in one that begins no connection', $A,
     "$A SSLSessionTicketKeyFile $ssl/tickets\n", undef],
    ['tickets with a key in the first',
     "$A SSLSessionTicketKeyFile $ssl/tickets\n", $A,
     qr/the first virtual host of \S+ \(\S+\) has SSLSessionTicketKeyFile \(\S+:\d+\) and it has none: the same line would do$/],
    ['an encrypted key', $A, cert('locked'),
     qr/its key needs a pass phrase/],
    ['a key in a token', $A, "SSLCertificateFile $ssl/a.crt\n"
     . "SSLCertificateKeyFile pkcs11:token=t;object=a\n",
     qr/the key is in a token \(pkcs11:\) \(\S+:\d+\)$/],
    ['a certificate in a token', $A,
     "SSLCertificateFile pkcs11:token=t;object=a\n",
     qr/the key is in a token \(pkcs11:\)/],
    ['DH PARAMETERS', $A, cert('dh', 'a'), $OTHER_PARAMETERS],
    ['the same DH PARAMETERS', cert('dh', 'a'), cert('dh', 'a'), undef],
    ['other DH PARAMETERS', cert('dh', 'a'), cert('dh-other', 'a'),
     $OTHER_PARAMETERS],
    ['DH PARAMETERS in the first', cert('dh', 'a'), $A,
     $OTHER_PARAMETERS],
    ['EC PARAMETERS', $A, cert('ec-params', 'a'), $OTHER_PARAMETERS],
    ['EC PARAMETERS in the first', cert('ec-params', 'a'), $A,
     $OTHER_PARAMETERS],
    ['the same EC PARAMETERS', cert('ec-params', 'a'), cert('ec-params', 'a'),
     undef],
    ['a weak key', $A, cert('weak'), undef],
    ['stapling, no responder', "$A SSLUseStapling on\n",
     cert('chained') . "SSLUseStapling on\n", undef],
    ['stapling with a responder', "$A SSLUseStapling on\n",
     cert('ocsp') . "SSLUseStapling on\n",
     qr/SSLUseStapling is on and its certificate names an OCSP responder \(\S+:\d+\)$/],
    ['a responder without stapling', $A, cert('ocsp'), undef],
    ['stapling only there', $A, cert('chained') . "SSLUseStapling on\n",
     undef],
    ['stapling only in the first', "$A SSLUseStapling on\n", $A, undef],
    ['a forced responder', $A,
     "$A SSLStaplingForceURL http://o.test/\n",
     qr/SSLStaplingForceURL is set/],
);
spew("$ssl/inside.pem", slurp("$ssl/a.crt") . slurp("$ssl/a.key"));
spew("$ssl/large.pem", slurp("$ssl/a.crt") . slurp("$ssl/a.key")
    . ('# ' . 'x' x 77 . "\n") x 20_000);
spew("$ssl/dh.pem", slurp("$ssl/dh-other.crt") =~ s/.*(?=-----BEGIN DH)//sr);
spew("$ssl/dh-copy.pem", slurp("$ssl/dh.pem"));
spew("$ssl/x", openssl('version'));

# Each case has an address of its own, on which nobody listens.
sub conf {
    my ($tls, @cases) = @_;
    my $text = "SSLPassPhraseDialog exec:$ssl/ask\n"
        . "SSLStaplingCache shmcb:stapling(64000)\n";
    my $port = 100;
    for my $case (@cases) {
        my (undef, $first, $second) = @$case;
        my $name = "c$port.test";
        $text .= "<VirtualHost 127.0.0.1:$port>\nServerName first.$name\n"
            . (defined $first ? "SSLEngine on\n$first" : '')
            . "</VirtualHost>\n"
            . "<VirtualHost 127.0.0.1:$port>\nServerName $name\n"
            . "$tls\n$second</VirtualHost>\n";
        $port++;
    }
    return $text;
}

# ----- by hand

# Each alone: a virtual host of another case could lend its TLS context.
my ($httpd, $status, $said);
for my $case (@CASES) {
    my ($what, undef, undef, $why) = @$case;
    $httpd = Sniv::Httpd->new(name => 'adopt-conditions',
                              conf => conf('SNIVHostTLS On', $case));
    ($status, $said) = $httpd->check;
    my ($got) = $said =~ /SNIV0200: virtual host c100\.test \(\S+:\d+\) cannot have SNIVHostTLS On: (.*)\. Write SSLEngine on instead$/m;
    if (defined $why) {
        isnt($status, 0, "by hand, $what: an error");
        like($got // $said, $why, "$what: why not");
    }
    else {
        is($status, 0, "by hand, $what: can be lean") or diag $said;
    }
}

for my $case (
    ['the first one', "SNIVHostTLS On\n$A", 'SSLEngine on', $A,
     qr/SNIV0200: .*: it is the first virtual host of 127\.0\.0\.1:100 and starts every connection\. Write SSLEngine on/],
    ['alone', "SNIVHostTLS On\n$A", undef, undef,
     qr/SNIV0200: .*: it is the only virtual host on 127\.0\.0\.1:100 and starts/],
    ['switched off after it', "SSLEngine on\n$A",
     "SNIVHostTLS On\nSSLEngine off", $A,
     qr/SNIV0201: virtual host b\.test .*SNIVHostTLS On and, after it, SSLEngine off/],
) {
    my ($what, $first, $tls, $second, $error) = @$case;
    $httpd = Sniv::Httpd->new(name => 'adopt-conditions', conf =>
        "<VirtualHost 127.0.0.1:100>\nServerName a.test\n$first</VirtualHost>\n"
        . ($tls ? "<VirtualHost 127.0.0.1:100>\nServerName b.test\n$tls\n"
                  . "$second</VirtualHost>\n" : ''));
    ($status, $said) = $httpd->check;
    isnt($status, 0, "by hand, $what: an error");
    like($said, $error, "by hand, $what: says why");
}

for my $case (
    ["SNIVHostTLS On\n", qr/SNIVHostTLS applies to one virtual host/],
    ["<VirtualHost *:100>\nSNIVHostAdopt On\n</VirtualHost>\n",
     qr/SNIVHostAdopt cannot occur within <VirtualHost>/],
    ["<Directory />\nSNIVHostAdopt On\n</Directory>\n",
     qr/SNIVHostAdopt not allowed/],
    ["<VirtualHost *:100>\nSNIVHostTLS Perhaps\n</VirtualHost>\n",
     qr/SNIVHostTLS must be On or Off/],
    ["SNIVHost Off\nSNIVHostAdopt On\n", qr/SNIV0204: .* require SNIVHost On/],
) {
    $httpd = Sniv::Httpd->new(name => 'adopt-conditions',
                              conf => $case->[0]);
    ($status, $said) = $httpd->check;
    isnt($status, 0, 'an error: ' . $case->[0] =~ s/\n/ /gr);
    like($said, $case->[1], '... and what it says');
}
$httpd = Sniv::Httpd->new(name => 'adopt-conditions', modules => ['-ssl'],
    conf => "<VirtualHost *:100>\nSNIVHostTLS On\n</VirtualHost>\n");
($status, $said) = $httpd->check;
like($said, qr/SNIVHostTLS On requires mod_ssl/, 'by hand without mod_ssl');

# ----- SNIVHostAdopt On, those that mod_ssl can start with

sub adopted {
    my ($conf, %arg) = @_;
    my $server = Sniv::Httpd->new(name => 'adopt-conditions', conf => sub {
        my ($port, $other) = @_;
        return "Listen 127.0.0.1:$port\nTypesConfig /dev/null\n"
            . "SNIVHostAdopt On\n"
            . (ref $conf ? $conf->($port, $other) : $conf);
    }, ports => [Sniv::Httpd::free_ports(2)], loglevel => 'info snivhost:debug', %arg);
    $server->start;
    my $log = $server->read('error.log');
    $server->stop;
    return ($log, $log =~ /SNIV0203: not lean: virtual host (\S+) \(.*?:\d+\): (.*)$/mg);
}

my @start = grep { $_->[0] !~ /no certificate|in a token|a command of the first|not understood|client verification in the first/ }
    @CASES;
my ($log, %not) = adopted(conf('SSLEngine on', @start));
like($not{'first.c100.test'},
     qr/it is the first virtual host of 127\.0\.0\.1:100 and starts every/,
     'the first one is not lean');
unlike($log, qr/SNIV0202: .*The most frequent reason/,
       'most are lean: the notice names no reason')
    if $log =~ /adopted (\d+) of (\d+)/ && $1 >= 0.9 * $2;
like($log, qr/SNIV0202: adopted \d+ of @{[ 2 * @start - 1 ]} TLS virtual hosts as lean\. The most frequent reason, for \d+ of the others: it is the first virtual host of its address \(/,
     'the notice names the commonest reason');
unlike($log, qr/:(?:emerg|crit)\]/, 'mod_ssl can start with all that is left');

# ----- addresses, inheritance, Off

sub vhost {
    my ($address, $name, @lines) = @_;
    return join "\n", "<VirtualHost $address>", "ServerName $name",
        map({ s/\n\z//r } @lines), "</VirtualHost>\n";
}

my @ON = ('SSLEngine on', $A);
for my $case (
    ['in two sets, of one of which it is the first',
     vhost('127.0.0.1:100', 'a.test', @ON)
     . vhost('127.0.0.1:100 127.0.0.1:101', 'b.test', @ON),
     { 'a.test' => qr/first/, 'b.test' => qr/only virtual host on 127\.0\.0\.1:101/ }],
    ['in two sets, one with other settings',
     vhost('127.0.0.1:100', 'a.test', @ON)
     . vhost('127.0.0.1:101', 'c.test', @ON, 'SSLProtocol TLSv1.2')
     . vhost('127.0.0.1:100 127.0.0.1:101', 'b.test', @ON),
     { 'a.test' => qr/first/, 'c.test' => qr/first/ }],
    ['in two sets, one of which begins with a higher protocol',
     vhost('127.0.0.1:100', 'a.test', @ON)
     . vhost('127.0.0.1:101', 'c.test', @ON, 'SSLProtocol TLSv1.3')
     . vhost('127.0.0.1:100 127.0.0.1:101', 'b.test', @ON,
             'SSLProtocol TLSv1.2 +TLSv1.3'),
     { 'a.test' => qr/first/, 'c.test' => qr/first/,
       'b.test' => qr/SSLProtocol .* of 127\.0\.0\.1:101/ }],
    ['a donor on another address',
     vhost('127.0.0.1:100', 'a.test', @ON)
     . vhost('127.0.0.1:101', 'c.test', @ON, 'SSLHonorCipherOrder on')
     . vhost('127.0.0.1:100', 'b.test', @ON, 'SSLHonorCipherOrder On'),
     { 'a.test' => qr/first/, 'c.test' => qr/only virtual host/ }],
    ['a donor for two, and one of its own',
     vhost('127.0.0.1:100', 'a.test', @ON)
     . vhost('127.0.0.1:100', 'b.test', @ON, 'SSLHonorCipherOrder on')
     . vhost('127.0.0.1:100', 'c.test', @ON, 'SSLHonorCipherOrder on')
     . vhost('127.0.0.1:100', 'd.test', @ON, 'SSLHonorCipherOrder on')
     . vhost('127.0.0.1:100', 'e.test', @ON, 'SSLCipherSuite HIGH'),
     { 'a.test' => qr/first/, 'e.test' => differs('SSLCipherSuite \(\S+:\d+\)'),
       'b.test' => qr/^2 virtual hosts with the same TLS settings use its TLS context$/ }],
    ['a donor whose files would stop the server is none',
     vhost('127.0.0.1:100', 'a.test', @ON)
     . vhost('127.0.0.1:100', 'b.test', 'SSLEngine on', cert('junk', 'a'),
             'SSLHonorCipherOrder on')
     . vhost('127.0.0.1:100', 'c.test', @ON, 'SSLHonorCipherOrder on'),
     { 'a.test' => qr/first/,
       'c.test' => qr/^1 virtual host with the same TLS settings uses/ }],
    ['several reasons at once',
     vhost('127.0.0.1:100', 'a.test', @ON)
     . vhost('127.0.0.1:100', 'b.test', @ON, 'SSLOCSPEnable on',
             "SSLCACertificateFile $ssl/ca.crt", 'SSLVerifyClient optional'),
     { 'a.test' => qr/first/,
       'b.test' => qr/^SSLVerifyClient requests a certificate from every client \(\S+:\d+\); SSLOCSPEnable is on \(\S+:\d+\)$/ }],
    ['a directive and what is in the files',
     "SSLStaplingCache shmcb:stapling(64000)\n"
     . vhost('127.0.0.1:100', 'a.test', @ON)
     . vhost('127.0.0.1:100', 'b.test', 'SSLEngine on', cert('ocsp'),
             'SSLOCSPEnable on', 'SSLUseStapling on'),
     { 'a.test' => qr/first/,
       'b.test' => qr/^SSLOCSPEnable is on \(\S+:\d+\); SSLUseStapling is on and its certificate names an OCSP responder \(\S+:\d+\)$/ }],
    ['no SSLEngine, and the protocol of Listen', sub {
        my ($port, $other) = @_;
        return "Listen 127.0.0.1:$other https\n"
            . vhost("127.0.0.1:$other", 'a.test', $A)
            . vhost("127.0.0.1:$other", 'b.test', $A)
            . vhost("*:$other", 'c.test', $A); },
     { 'a.test' => qr/first/,
       'c.test' => qr/^it has a certificate, but neither SSLEngine on nor a Listen line with https for exactly its address$/ }],
    ['in two sets that agree',
     vhost('127.0.0.1:100', 'a.test', @ON) . vhost('*:101', 'c.test', @ON)
     . vhost('127.0.0.1:100 *:101', 'b.test', @ON),
     { 'a.test' => qr/first/, 'c.test' => qr/first/ }],
    ['the same address twice',
     vhost('127.0.0.1:100 127.0.0.1:100', 'a.test', @ON),
     { 'a.test' => qr/only virtual host/ }],
    ['SSLEngine in the main server',
     "SSLEngine on\n$A" . vhost('127.0.0.1:100', 'a.test')
     . vhost('127.0.0.1:100', 'b.test')
     . vhost('127.0.0.1:100', 'c.test', 'SSLEngine off'),
     { 'a.test' => qr/first/ }],
    ['settings of the main server, also after the virtual hosts',
     vhost('127.0.0.1:100', 'a.test', @ON)
     . vhost('127.0.0.1:100', 'b.test', @ON, 'SSLProtocol TLSv1.2')
     . "SSLProtocol TLSv1.2\n",
     { 'a.test' => qr/first/ }],
    ['the main server\'s settings are lost in one',
     "SSLProtocol TLSv1.2\n" . vhost('127.0.0.1:100', 'a.test', @ON)
     . vhost('127.0.0.1:100', 'b.test', @ON, 'SSLProtocol all'),
     { 'a.test' => qr/first/, 'b.test' => qr/SSLProtocol \(\S+:\d+\) allows lower/ }],
    ['commands of the main server come first',
     "SSLOpenSSLConfCmd Curves P-256\n"
     . vhost('127.0.0.1:100', 'a.test', @ON)
     . vhost('127.0.0.1:100', 'b.test', @ON,
             'SSLOpenSSLConfCmd Curves P-256'),
     { 'a.test' => qr/first/, 'b.test' => qr/SSLOpenSSLConfCmd/ }],
    ['refused in the main server',
     "SSLStaplingForceURL http://o.test/\n"
     . vhost('127.0.0.1:100', 'a.test', @ON)
     . vhost('127.0.0.1:100', 'b.test', @ON),
     { 'a.test' => qr/SSLStaplingForceURL is set .*; it is the first/,
       'b.test' => qr/^SSLStaplingForceURL is set \(\S+:\d+\)$/ }],
    ['Off by hand', vhost('127.0.0.1:100', 'a.test', @ON)
     . vhost('127.0.0.1:100', 'b.test', @ON, 'SNIVHostTLS Off')
     . vhost('127.0.0.1:100', 'c.test', @ON),
     { 'a.test' => qr/first/, 'b.test' => qr/SNIVHostTLS Off/ }],
    ['one written with a macro and one in an included file',
     "<Macro Site \$name>\n<VirtualHost 127.0.0.1:100>\nServerName \$name\n"
     . "SSLEngine on\n$A</VirtualHost>\n</Macro>\nUse Site a.test\n"
     . "Use Site b.test\nUse Site c.test\n"
     . "Include $ssl/included.conf\nInclude $ssl/included.conf\n"
     . "<IfModule mod_ssl.c>\n<IfDefine !NEVER>\n"
     . vhost('127.0.0.1:100', 'f.test', @ON) . "</IfDefine>\n</IfModule>\n",
     { 'a.test' => qr/first/,
       'e.test' => qr/^1 virtual host with the same TLS settings uses/ }],
) {
    my ($what, $conf, $expected) = @$case;
    spew("$ssl/included.conf", vhost('127.0.0.1:100', 'd.test', @ON)
        . vhost('127.0.0.1:100', 'e.test', @ON, 'SSLHonorCipherOrder on'));
    ($log, %not) = adopted($conf, modules => ['macro']);
    is(join(' ', sort keys %not), join(' ', sort keys %$expected),
       "$what: left to mod_ssl");
    like($not{$_} // '', $expected->{$_}, "$what: $_")
        for sort keys %$expected;
}

# ----- files that mod_ssl would not start with

my $broken = vhost('127.0.0.1:100', 'a.test', @ON)
    . vhost('127.0.0.1:100', 'b.test', 'SSLEngine on', cert('junk', 'a'));
for my $case (
    ['On', 0, qr/SNIV0301: certificate not used: \S+junk\.crt is not PEM/],
    ['Strict', 1, qr/SNIV0220: virtual host b\.test \(\S+:\d+\): \S+junk\.crt is not PEM.*SNIVHostLint is Strict/],
) {
    my ($lint, $fails, $line) = @$case;
    my $server = Sniv::Httpd->new(name => 'adopt-conditions', conf =>
        "SNIVHostAdopt On\nSNIVHostLint $lint\n"
        . "SNIVHostLintIgnore SNIV0411 SNIV0420\n$broken");
    ($status, $said) = $server->check;
    is($status ? 1 : 0, $fails, "a broken file, SNIVHostLint $lint: -t");
    like($said, $line, '... names the file');
}
($log) = adopted($broken);
like($log, qr/SNIV0202: adopted 1 of 2/, 'a broken file stops nothing');
like($log, qr/SNIV0301: certificate not used: \S+junk\.crt is not PEM/,
     '... and is named');

# Where no virtual host is lean after all, and none is going to be served a
# renewed certificate, nothing is kept for them.
my $stapling = "SSLStaplingCache shmcb:stapling(10000)\nSSLUseStapling on\n"
    . join '', map { vhost('127.0.0.1:100', "$_.test", 'SSLEngine on',
                           cert('ocsp')) } qw(a b);
for my $folders ('', "SNIVHostCertificates $ssl\n") {
    ($log) = adopted($folders . $stapling);
    like($log, qr/SNIV0202: adopted 0 of 2/, 'nothing is lean');
    my $needed = $folders ? 1 : 0;
    is($log =~ /SNIV0315: certificate store/ ? 1 : 0, $needed,
       "a certificate store: $needed");
    is($log =~ /SNIV0350: process/ ? 1 : 0, $needed, "a keeper: $needed");
}

# mod_ssl would not start with it, and shall say so
{
    my $server = Sniv::Httpd->new(name => 'adopt-conditions', conf =>
        "SNIVHostAdopt On\n" . vhost('127.0.0.1:100', 'a.test', @ON)
        . vhost('127.0.0.1:100', 'b.test', @ON, 'SSLProtocol all -ALL'));
    ($status, $said) = $server->check('-t', '-D', 'DUMP_SNIVHOST');
    like($said, qr/SSLProtocol leaves no protocol\s+\(\S+:\d+\)/,
         'no protocol: not lean');
}

# ----- mod_perl: what a program adds

SKIP: {
    skip 'no mod_perl', 6 if !-e Sniv::Httpd::apxs('LIBEXECDIR')
                                 . '/mod_perl.so';
    my $perl = "<Perl>\n1;\n</Perl>\n";
    my $two = vhost('127.0.0.1:100', 'a.test', @ON)
        . vhost('127.0.0.1:100', 'b.test', @ON);
    my $why = qr/a <Perl> section may add directives/;
    for my $case (
        ['beside', $perl . $two, { 'a.test' => $why, 'b.test' => $why }],
        ['in it', $two =~ s/(ServerName b\.test\n)/$1$perl/r,
         { 'a.test' => qr/first/, 'b.test' => $why }],
        ['in the first', $two =~ s/(ServerName a\.test\n)/$1$perl/r,
         { 'a.test' => $why, 'b.test' =>
           qr/those of the first one .* are for that one alone: $why/ }],
    ) {
        my ($what, $conf, $expected) = @$case;
        ($log, %not) = adopted($conf, modules => ['perl']);
        is(join(' ', sort keys %not), join(' ', sort keys %$expected),
           "a <Perl> section $what: left to mod_ssl");
        like($not{$_} // '', $expected->{$_}, "a <Perl> section $what: $_")
            for sort keys %$expected;
    }
}

# ----- certificates that mod_ssl merges by number with the main server's

my ($merged) = adopted(sub {
    my ($port) = @_;
    return cert('rsa') . cert('a') . vhost("*:$port", 'a.test', 'SSLEngine on')
        . vhost("*:$port", 'b.test', 'SSLEngine on', cert('chained'))
        . vhost("*:$port", 'c.test', 'SSLEngine on');
});
like($merged, qr/adopted 2 of 3/, 'certificates of the main server');

# The main server's second line stays where a virtual host has one.
my $pair = Sniv::Pair->new(name => 'adopt-lines', extra => "SNIVHostAdopt On\n",
                           conf => sub {
    my ($port, $which) = @_;
    my $address = Sniv::Pair->addr($which) . ":$port";
    return cert('chained') . cert('rsa')
        . vhost($address, 'a.test', 'SSLEngine on')
        . vhost($address, 'b.test', 'SSLEngine on', cert('a'));
});
$pair->start;
for my $sigalgs ('ECDSA+SHA256', 'RSA-PSS+SHA256:RSA+SHA256') {
    my ($same, $said) = $pair->same("two lines, one replaced: $sigalgs", sub {
        my ($addr, $port) = @_;
        my $c = Sniv::Client->new(addr => $addr, port => $port,
            tls => { sni => 'b.test', sigalgs => $sigalgs });
        my $text = $c->error || $c->cert;
        $c->close;
        return $text;
    });
    like($said, $sigalgs =~ /ECDSA/ ? qr/\Aa\b/ : qr/\Arsa\b/,
         "$sigalgs: whose it is");
}
like($pair->log('ours'), qr/adopted 1 of 2/, 'by a lean one, too');
$pair->stop;

done_testing;
