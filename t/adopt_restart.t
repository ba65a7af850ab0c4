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


# Lean virtual hosts over graceful restarts, with SNIVHostAdopt switched on
# and off; next to mod_md, its certificates and its challenges; with the
# other MPMs; and with a certificate that cannot be used.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy qw(copy);
use Test::More;

use Sniv::Chain qw(make_cert slurp);
use Sniv::Client;
use Sniv::Httpd;

plan skip_all => 'without the module there is nothing to test'
    if Sniv::Httpd::mode() eq 'off';

my $ssl = Sniv::Httpd::work() . "/adopt-restart-ssl.$$";
make_cert($ssl, $_) for qw(v0 v1 v2 v3 other challenge);
make_cert($ssl, 'ca', is_ca => 1);

my %cert = map { $_ => $_ } qw(v0 v1 v2 v3);
my $lines = '';
my @labels = qw(v0 v1 v2 v3);

sub conf {
    my ($port) = @_;
    my $conf = "Listen 127.0.0.1:$port\nTypesConfig /dev/null\n"
        . "SSLSessionCache shmcb:sessions(128000)\n$lines";
    for my $label (@labels) {
        $conf .= "<VirtualHost *:$port>\nServerName $label.test:443\n"
            . "ServerAlias *.$label.test\n"
            . "SSLEngine on\nSSLCertificateFile $ssl/$cert{$label}.crt\n"
            . "SSLCertificateKeyFile $ssl/$cert{$label}.key\n"
            . qq(Header always set X-CN "%{SSL_SERVER_S_DN_CN}s"\n)
            . "</VirtualHost>\n";
    }
    return $conf;
}

my $httpd;
sub ask {
    my ($label, %tls) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $httpd->ports,
                              tls => { sni => "$label.test", %tls });
    return $c->error if $c->error;
    my $r = $c->get("$label.test");
    return join ' ', $c->cert, $r->{status}, $r->{headers}{'x-cn'} // '-';
}

# Where an answer has to change: a child of before the restart may still take
# a connection.
sub ask_new {
    my ($label, $cert) = @_;
    for (1 .. 100 * Sniv::Httpd::patience()) {
        last if ask($label) =~ /\A$cert /;
        select undef, undef, undef, 0.05;
    }
    return ask($label);
}

sub server {
    my (%arg) = @_;
    $httpd->remove if $httpd;
    $httpd = Sniv::Httpd->new(name => 'adopt-restart', conf => \&conf,
        loglevel => 'info snivhost:debug', %arg);
    $httpd->write('htdocs/index.html', "page\n");
    return $httpd->start;
}

sub log_count {
    my ($regex) = @_;
    return scalar(() = $httpd->read('error.log') =~ /$regex/g);
}

sub restart {
    $httpd->write_conf;
    return $httpd->graceful;
}

# ----- restarts

$lines = "SNIVHostAdopt On\n"
    . "SSLOCSPResponderCertificateFile $ssl/ca.crt\n";
server();
is(ask($_), "$_ 200 $_", "$_ at the start") for @labels;
for my $n (1 .. 7) {
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $httpd->ports,
                              tls => { sni => 'v2.test' });
    restart();
    is($c->get('v2.test')->{status}, 200,
       "a connection of before restart $n");
    is(ask($_), "$_ 200 $_", "$_ after restart $n") for @labels;
}
is(log_count(qr/SNIV0202: adopted 3 of 4/), 8, 'adopted each time');

$lines = '';
restart();
is(ask($_), "$_ 200 $_", "$_ without adoption") for @labels;
is(log_count(qr/SNIV0202/), 8, 'not adopted any more');
$lines = "SNIVHostAdopt On\n";
$cert{v2} = 'other';
restart();
is(ask_new('v2', 'other'), 'other 200 other', 'another certificate after a restart');
is(ask('v3'), 'v3 200 v3', 'with adoption again');
is(log_count(qr/SNIV0202: adopted 3 of 4/), 9, 'adopted again');
is(log_count(qr/AH00052|exit signal/), 0, 'no child died');
is(log_count(qr/AH01916/), 0, 'no warning of HTTP on port 443');
ok($httpd->stop, 'stopped');
is($httpd->{exit}, 0, 'exit status');
$cert{v2} = 'v2';

# ----- a certificate that cannot be used

make_cert($ssl, 'bad');
copy("$ssl/other.key", "$ssl/bad.key");
$cert{v2} = 'bad';
server();
like(ask('v2'), qr/\Aalert/, 'no certificate: the handshake fails');
is(ask($_), "$_ 200 $_", "$_ next to it") for qw(v0 v1 v3);
like($httpd->read('error.log'), qr/SNIV0301: .*\Q$ssl\E\/bad\.(?:crt|key)/,
     'the log names the file');
is(log_count(qr/SNIV0301/), 1, 'once');
restart();
like(ask('v2'), qr/\Aalert/, 'after a restart too');
$cert{v2} = 'v2';
restart();
is(ask_new('v2', 'v2'), 'v2 200 v2', 'until it is mended');

# ----- other MPMs

for my $mpm (qw(prefork worker)) {
    SKIP: {
        skip "no $mpm", 5
            if !-e Sniv::Httpd::apxs('LIBEXECDIR') . "/mod_mpm_$mpm.so";
        server(mpm => $mpm, modules => ['-http2']);
        is(ask($_), "$_ 200 $_", "$mpm: $_") for @labels;
        restart();
        is(ask('v3'), 'v3 200 v3', "$mpm: after a restart");
    }
}

# ----- mod_md

SKIP: {
    skip 'no mod_md', 8
        if !-e Sniv::Httpd::apxs('LIBEXECDIR') . '/mod_md.so';
    $lines = <<"END";
SNIVHostAdopt On
Protocols h2 http/1.1 acme-tls/1
MDStoreDir md
<MDomainSet v2.test www.v2.test>
MDCertificateFile $ssl/other.crt
MDCertificateKeyFile $ssl/other.key
</MDomainSet>
END
    server(modules => ['watchdog', 'md']);
    is(log_count(qr/SNIV0202: adopted 3 of 4/), 1,
       'a virtual host with a name of an MDomain is adopted, too');
    is(ask('v2'), 'other 200 other', 'mod_md gave it its certificate');
    is(ask($_), "$_ 200 $_", "$_ beside it") for qw(v0 v1 v3);

    # a challenge that mod_md answers, at a lean virtual host's name
    my $store = 'md/challenges/v1.test/acme-tls-alpn-01';
    $httpd->write("$store-pubcert.pem", slurp("$ssl/challenge.crt"));
    $httpd->write("$store-privkey.pem", slurp("$ssl/challenge.key"));
    system 'chmod', '-R', 'a+rX', $httpd->dir . '/md';
    for my $version ('1.2', '1.3') {
        my $c = Sniv::Client->new(addr => '127.0.0.1',
            port => $httpd->ports, tls => { sni => 'v1.test',
            alpn => ['acme-tls/1'], max => $version, min => $version });
        is($c->error || $c->cert, 'challenge',
           "tls-alpn-01 at a lean virtual host, TLS $version");
    }
    is(ask('v1'), 'v1 200 v1', 'and its own certificate otherwise');
    is(ask('v1', alpn => ['acme-tls/1', 'http/1.1']) =~ s/ .*//r,
       'v1', 'and, as at stock, for who takes another protocol too');

    $lines = "SNIVHostAdopt On\nMDStapling on\n";
    server(modules => ['watchdog', 'md']);
    like($httpd->read('error.log'),
         qr/SNIV0203: not lean: virtual host v1\.test .*: MDStapling is on/,
         'MDStapling: not adopted');
    like($httpd->read('error.log'), qr/adopted 0 of 4/, 'none of them');
}
$httpd->remove;

done_testing;
