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


# Sessions at lean virtual hosts: who may resume whose, with tickets and with
# the session cache, TLS 1.2 and 1.3; and what SSL_* variables say of a
# session that was resumed. All as at stock httpd.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Sniv::Chain qw(make_cert);
use Sniv::Client;
use Sniv::Httpd;
use Sniv::Pair;

plan skip_all => 'without the module there is nothing to compare'
    if Sniv::Httpd::mode() eq 'off';

my $ssl = Sniv::Httpd::work() . "/adopt-sessions-ssl.$$";
make_cert($ssl, 'first', key => 'rsa');
make_cert($ssl, 'one');
make_cert($ssl, 'two');
make_cert($ssl, 'both-rsa', key => 'rsa');
make_cert($ssl, 'both-ec');

my %FILES = (v0 => ['first'], v1 => ['one'], v2 => ['two'],
             v3 => ['both-rsa', 'both-ec'], v4 => ['one']);
my $VARS = join '|', map { "%{$_}s" } qw(HTTPS SSL_SESSION_RESUMED
    SSL_SERVER_S_DN_CN SSL_SERVER_I_DN_CN SSL_SERVER_A_KEY SSL_SERVER_A_SIG
    SSL_SERVER_V_START SSL_SERVER_SAN_DNS_0 SSL_TLS_SNI SSL_PROTOCOL
    SSL_CIPHER);

sub conf {
    my ($cache, $tickets) = @_;
    return sub {
        my ($port, $which, $other) = @_;
        # a client that begins with another group has to try again
        my $conf = "SSLSessionCache $cache\n"
            . Sniv::Httpd::sni_policy_conf('insecure')
            . "SSLSessionTickets $tickets\n"
            . "SSLOpenSSLConfCmd Curves X25519:P-256\n";
        # mod_ssl tells sessions apart by name and port: v1.test has 443
        $conf .= "<VirtualHost *:$other>\nServerName v1.test:80\nSSLEngine on\n"
            . "SSLCertificateFile $ssl/one.crt\n"
            . "SSLCertificateKeyFile $ssl/one.key\n</VirtualHost>\n";
        for my $label (sort keys %FILES) {
            $conf .= join '', "<VirtualHost *:$port>\nServerName $label.test\n",
                "SSLEngine on\nSSLOptions +StdEnvVars +ExportCertData\n",
                (map { "SSLCertificateFile $ssl/$_.crt\n"
                     . "SSLCertificateKeyFile $ssl/$_.key\n" }
                 @{ $FILES{$label} }),
                qq(Header always set X-Vars "$VARS"\n),
                qq(Header always set X-Cert "%{SSL_SERVER_CERT}s"\n),
                'Header always set X-Env "expr=%{reqenv:SSL_SERVER_S_DN} '
                . '%{reqenv:SSL_SESSION_RESUMED} '
                . qq(%{md5:%{reqenv:SSL_SERVER_CERT}}"\n),
                "</VirtualHost>\n";
        }
        return $conf;
    };
}

sub connection {
    my ($addr, $port, $sni, %tls) = @_;
    return Sniv::Client->new(addr => $addr, port => $port,
        tls => { %tls, defined $sni ? (sni => $sni) : () });
}

my @NAMES = (undef, 'unknown.test', 'v0.test', 'v1.test', 'v2.test',
             'v3.test', 'v4.test');
my @KINDS = (
    ['1.3', { min => '1.3' }],
    # the session is looked up again after a HelloRetryRequest
    ['1.3 after a retry', { min => '1.3', groups => 'P-521:X25519' }],
    ['1.2', { max => '1.2' }],
    ['1.2 without tickets', { max => '1.2', tickets => 0 }],
);

my $resumed = 0;
my $pair = Sniv::Pair->new(name => 'adopt-sessions',
                           extra => "SNIVHostAdopt On\n",
                           conf => conf('none', 'on'));
for my $way (['none', 'on'], ['shmcb:sessions(512000)', 'on'],
             ['shmcb:sessions(512000)', 'off'],
             ['shmcb:sessions(512000)', 'on', 'by hand']) {
    if ($way->[2]) {
        $pair->reconf(extra => '',
                      conf => Sniv::Pair->by_hand(conf(@$way), 2))->start;
    }
    else {
        $pair->reconf(conf => conf(@$way))->start;
        like($pair->log('ours'), qr/SNIV0202: adopted 4 of 6/, 'adopted');
    }
    for my $kind (@KINDS) {
        my ($what, $tls) = @$kind;
        for my $from (@NAMES) {
            my ($ok, $stock) = $pair->same(
                "@$way, $what: from "
                . ($from || 'no SNI'), sub {
                my ($addr, $port) = @_;
                my @seen;
                for my $to (@NAMES) {
                    my $c = connection($addr, $port, $from, %$tls);
                    return $c->error if $c->error;
                    $c->get('v0.test');
                    my $session = $c->session;
                    my $d = connection($addr, $port, $to, %$tls,
                                       session => $session);
                    if ($d->error) {
                        push @seen, $d->error;
                        next;
                    }
                    my $r = $d->get($to || 'v0.test');
                    push @seen, join ' ', $to || '-', $d->resumed,
                        $d->version, $d->cipher, $r->{status},
                        @{ $r->{headers} }{qw(x-vars x-cert x-env)};
                }
                return join "\n", @seen;
            });
            $resumed += () = $stock =~ /^\S+ 1 /mg;
        }
    }
    $pair->same("$way->[0], tickets $way->[1]: the same name, another port",
                sub {
        my ($addr, $port) = @_;
        my $c = connection($addr, $port, 'v1.test', max => '1.2');
        $c->get('v1.test');
        my $d = connection($addr, $pair->other, 'v1.test', max => '1.2',
                           session => $c->session);
        my $e = connection($addr, $port, 'v1.test', max => '1.2',
                           session => $c->session);
        return join ' ', map { $_->error || $_->resumed } $d, $e;
    });
    $pair->stop;
}
cmp_ok($resumed, '>', 50, 'sessions were resumed');

done_testing;
