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

# ClientHellos that no browser sends, or every browser: split over records,
# with GREASE, with odd server_name extensions. The answers are OpenSSL's and
# mod_ssl's own: an alert, or the certificate of a virtual host.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use Sniv::Certs;
use Sniv::Hello;
use Sniv::Httpd;
use Sniv::Suite;

my $name = 'a.x.test';                  # certificate c1
my $wrong_length = Sniv::Hello::server_names($name);
substr $wrong_length, 3, 2, pack 'n', 200;
my $short_list = Sniv::Hello::server_names($name);
substr $short_list, 0, 2, pack 'n', 4;
my $long_list = Sniv::Hello::server_names($name);
substr $long_list, 0, 2, pack 'n', 400;

# [what, answer, options of Sniv::Hello::ask]; 'stock': what httpd without the
# module answers, which is not the same with every OpenSSL
my @cases = (
    ['as it should be', 'c1', names => [$name]],
    ['upper case', 'c1', names => [uc $name]],
    ['glob', 'c1', names => ['w.y.test']],
    ['unknown', 'c0', names => ['unknown.test']],
    ['no server_name', 'c0'],
    ['no extensions at all', 'alert 40', no_extensions => 1],
    (map { ["in records of $_ bytes", 'c1', names => [$name],
            record_size => $_] } 1, 3, 17, 64, 100),
    ['in many small writes', 'c1', names => [$name], pieces => 10],
    ['small records in small writes', 'c1', names => [$name], pieces => 11,
     record_size => 20],
    ['GREASE', 'c1', names => [$name], grease => 1],
    ['GREASE and encrypted_client_hello', 'c1', names => [$name],
     grease => 1, ech => 1],
    ['encrypted_client_hello, split', 'c1', names => [$name], ech => 1,
     record_size => 50],
    ['an unknown extension first', 'c1', names => [$name],
     before => Sniv::Hello::extension(0x7777, 'x' x 300)],
    ['server_name as the last extension', 'c1',
     after => Sniv::Hello::extension(0, Sniv::Hello::server_names($name))],
    ['a hello of 12,000 bytes', 'c1', names => [$name],
     before => Sniv::Hello::extension(0x7777, 'x' x 11_700)],
    ['two names', 'alert 50', names => [$name, 'b.x.test']],
    ['a name of another type first', 'alert 50',
     names => [[1, 'x'], $name]],
    ['only a name of another type', 'alert 50', names => [[1, $name]]],
    ['an empty list', 'alert 50', names => []],
    ['an empty extension', 'alert 50', sni_data => ''],
    ['an empty name', 'c0', names => ['']],
    ['a name that is too long for its list', 'alert 50',
     sni_data => $wrong_length],
    ['a list that is too short', 'alert 50', sni_data => $short_list],
    ['a list that is too long', 'alert 50', sni_data => $long_list],
    ['bytes after the list', 'alert 50',
     sni_data => Sniv::Hello::server_names($name) . 'x'],
    ['one byte', 'alert 50', sni_data => "\0"],
    ['a NUL in the name', 'alert 112', names => ["a.x.test\0b.x.test"]],
    ['a NUL at the start', 'alert 112', names => ["\0a.x.test"]],
    ['a NUL at the end', 'alert 112', names => ["a.x.test\0"]],
    ['a name of 255 bytes', 'c1', names => [('l' x 248) . '.y.test']],
    ['a name of 256 bytes', 'alert 112', names => [('l' x 249) . '.y.test']],
    ['a name of 300 bytes', 'alert 112', names => [('l' x 293) . '.y.test']],
    ['a name of 3000 bytes', 'alert 112', names => ['l' x 3000]],
    ['a blank after the name', 'c0', names => ["$name "]],
    ['a blank before the name, by glob', 'c6', names => [" $name"]],
    ['bytes that are not ASCII', 'c0', names => ["\xe4\xff.x1.test"]],
    ['bytes that are not ASCII, by glob', 'c1', names => ["\xe4\xff.y.test"]],
    ['the extension twice', 'alert 47', names => [$name], duplicate => 1],
    ['an IP address', 'c0', names => ['127.0.0.1']],
    ['SSLv2 style', 'stock', bytes => Sniv::Hello::sslv2()],
    ['SSL 3.0', 'stock', names => [$name], version => 0x0300],
    ['a version to come', 'c1', names => [$name], version => 0x0399],
    ['no suite in common', 'alert 40', names => [$name],
     suites => [0x0000]],
    ['a version that its virtual host refuses', 'alert 70',
     names => ['tls13.test']],
    ['a version that only the default refuses', 'c7',
     names => ['tls12.test']],
);

# Cut off after so many bytes: the server waits, we close, nothing is sent.
my @cuts = (1, 5, 6, 10, 43, 44, 60, 80, 100);
my @ips = ('127.0.0.1', '::1');
plan tests => @cases * @ips + @cuts + 4;

sub answer {
    my ($a) = @_;
    return $a->{cn} if defined $a->{cn};
    return "alert $a->{alert}" if defined $a->{alert};
    return $a->{error};
}

my $stock = Sniv::Httpd->new(name => 'hello-stock', mode => 'off', conf => sub {
    my ($port) = @_;
    my ($crt, $key) = (Sniv::Certs::crt('c0'), Sniv::Certs::key('c0'));
    return <<"END";
Listen 127.0.0.1:$port
<VirtualHost *:$port>
    ServerName stock.test
    SSLEngine on
    SSLCipherSuite DEFAULT:\@SECLEVEL=0
    SSLCertificateFile $crt
    SSLCertificateKeyFile $key
</VirtualHost>
END
})->start;
for my $case (@cases) {
    my ($what, $answer, %o) = @$case;
    $case->[1] = answer(Sniv::Hello::ask(addr => '127.0.0.1',
        port => $stock->ports, %o)) if $answer eq 'stock';
}
$stock->remove;

for my $ip (@ips) {
    SKIP: {
        skip 'no ::1 on this machine', scalar @cases
            if $ip eq '::1' && !Sniv::Httpd::has_ipv6();
        for my $case (@cases) {
            my ($what, $answer, %o) = @$case;
            # These two are on one address only.
            my $want = $ip eq '::1' && $what =~ /version that/ ? 'c0'
                : $answer;
            is(answer(Sniv::Hello::ask(addr => $ip, port => port_https(),
                                       %o)), $want, "$ip: $what");
        }
    }
}

# Older versions of mod_ssl let OpenSSL send an alert (2.4.52 does)
for my $cut (@cuts) {
    like(answer(Sniv::Hello::ask(addr => '127.0.0.1', port => port_https(),
                                 names => [$name], cut => $cut)),
         qr/\A(?:closed|alert 50)\z/, "cut off after $cut bytes");
}

# A handshake message whose length lies
is(answer(Sniv::Hello::ask(addr => '127.0.0.1', port => port_https(),
       names => [$name], length_add => -4)), 'alert 50',
   'a length that is too small');
like(answer(Sniv::Hello::ask(addr => '127.0.0.1', port => port_https(),
         names => [$name], length_add => 100, cut => 9999)),
     qr/\A(?:closed|alert 50)\z/, 'a length that is too large');
is(answer(Sniv::Hello::ask(addr => '127.0.0.1', port => port_https(),
       bytes => "\x16\x03\x01\0\0" x 3 . Sniv::Hello::records(
           Sniv::Hello::message(names => [$name])))), 'c1',
   'empty records before it');
is(answer(Sniv::Hello::ask(addr => '127.0.0.1', port => port_https(),
       bytes => 'x' x 200)), 'closed', 'not TLS at all');
