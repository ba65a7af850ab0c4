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


# What lean virtual hosts do per directory: client certificates (TLS 1.2 by
# renegotiation, 1.3 after the handshake), ciphers, SSLRequireSSL, SSLRequire,
# SSLOptions, SSLUserName, and SSLProxy* towards another server. All as at
# stock httpd.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Sniv::Chain qw(make_cert);
use Sniv::Client;
use Sniv::H2;
use Sniv::Httpd;
use Sniv::Pair;

plan skip_all => 'without the module there is nothing to compare'
    if Sniv::Httpd::mode() eq 'off';

my $ssl = Sniv::Httpd::work() . "/adopt-clients-ssl.$$";
make_cert($ssl, 'ca', is_ca => 1);
make_cert($ssl, 'sub', is_ca => 1, ca => 'ca');
make_cert($ssl, 'strange', is_ca => 1);
# with a chain: where SSLCACertificateFile is, OpenSSL would make one
make_cert($ssl, $_, ca => 'ca', chain => ['ca']) for qw(v0 v1 v2 v3);
make_cert($ssl, 'client', ca => 'ca');
make_cert($ssl, 'deep', ca => 'sub', chain => ['sub']);
make_cert($ssl, 'stranger', ca => 'strange');
make_cert($ssl, 'noca');
{
    open my $out, '>', "$ssl/clients.pem" or die "clients.pem: $!\n";
    for my $name ('ca', 'sub') {
        open my $in, '<', "$ssl/$name.leaf" or die "$name: $!\n";
        print $out $_ while <$in>;
    }
    close $out;
    open $out, '>', "$ssl/users" or die "users: $!\n";
    # the password of FakeBasicAuth is "password"
    print $out "CN=client:xxj31ZMTZzkVA\n";
    close $out;
}

my $DIRECTORIES = <<'END';
<Location /require>
    SSLVerifyClient require
</Location>
<Location /depth>
    SSLVerifyClient require
    SSLVerifyDepth 2
</Location>
<Location /optional>
    SSLVerifyClient optional
</Location>
<Location /any>
    SSLVerifyClient optional_no_ca
</Location>
<Location /ciphers>
    SSLCipherSuite ECDHE-ECDSA-CHACHA20-POLY1305
</Location>
<Location /tls>
    SSLRequireSSL
</Location>
<Location /expression>
    SSLRequire %{SSL_CIPHER_USEKEYSIZE} >= 128 and %{HTTPS} eq "on"
</Location>
<Location /refused>
    SSLRequire %{SSL_TLS_SNI} eq "elsewhere.test"
</Location>
<Location /authz>
    Require ssl
</Location>
<Location /authz-client>
    SSLVerifyClient optional
    Require ssl-verify-client
</Location>
<Location /user>
    SSLVerifyClient require
    SSLUserName SSL_CLIENT_S_DN_CN
</Location>
<Location /fake>
    SSLVerifyClient require
    SSLOptions +FakeBasicAuth +StrictRequire +LegacyDNStringFormat
    AuthType Basic
    AuthName fake
    AuthBasicProvider file
    AuthUserFile "@USERS@"
    Require valid-user
</Location>
<Location /optreneg>
    SSLOptions +OptRenegotiate
    SSLVerifyClient require
</Location>
<Location /env>
    SSLOptions +StdEnvVars +ExportCertData
</Location>
<Location /small>
    SSLRenegBufferSize 10
    SSLVerifyClient require
</Location>
END
$DIRECTORIES =~ s/\@USERS\@/$ssl\/users/;

my $VARS = join '|', map { "%{$_}s" } qw(HTTPS SSL_CLIENT_VERIFY
    SSL_CLIENT_S_DN SSL_CLIENT_I_DN SSL_CLIENT_V_END SSL_CIPHER
    SSL_SECURE_RENEG SSL_SERVER_S_DN_CN SSL_TLS_SNI);
my %EXTRA = (
    v1 => '',
    # the virtual host's own lines about client certificates
    v2 => "SSLVerifyDepth 3\nSSLUserName SSL_CIPHER\n"
        . "SSLOptions +StdEnvVars\n",
    v3 => "SSLVerifyClient none\nSSLCARevocationCheck none\n"
        . "SSLOCSPEnable off\n",
);

my $conf = sub {
    my ($port, $which) = @_;
    my $addr = Sniv::Pair->addr($which);
    my $conf = Sniv::Httpd::sni_policy_conf('insecure') . <<"END";
SSLCACertificateFile $ssl/clients.pem
SSLSessionCache shmcb:sessions(512000)
Protocols h2 http/1.1
END
    for my $label (qw(v0 v1 v2 v3)) {
        $conf .= join '', "<VirtualHost *:$port>\n",
            "ServerName $label.test\nSSLEngine on\n",
            "SSLCertificateFile $ssl/$label.crt\n",
            "SSLCertificateKeyFile $ssl/$label.key\n",
            $EXTRA{$label} || '', $DIRECTORIES,
            qq(Header always set X-Vars "$VARS"\n),
            qq(Header always set X-User "expr=%{REMOTE_USER}"\n),
            qq(Header always set X-Env "%{SSL_SERVER_S_DN}e"\n),
            qq(Header always set X-Vhost $label\n),
            <<"END";
ProxyPass /proxy/ https://$addr:$port/
ProxyPass /proxy-refused/ !
SSLProxyEngine on
SSLProxyCheckPeerName off
SSLProxyVerify require
SSLProxyCACertificateFile $ssl/ca.leaf
</VirtualHost>
END
    }
    return $conf;
};
my $pair = Sniv::Pair->new(name => 'adopt-clients',
    modules => [qw(auth_basic authn_file authz_user)],
    extra => "SNIVHostAdopt On\n", conf => $conf);
for my $which (qw(stock ours)) {
    my $server = $pair->server($which);
    $server->write("htdocs/$_", "page\n") for qw(
        index.html require/index.html depth/index.html optional/index.html
        any/index.html ciphers/index.html tls/index.html
        expression/index.html refused/index.html authz/index.html
        authz-client/index.html user/index.html fake/index.html
        optreneg/index.html env/index.html small/index.html);
}
$pair->start;
like($pair->log('ours'), qr/SNIV0202: adopted 3 of 4/, 'adopted');

my %CLIENT = (
    none     => {},
    client   => { cert_files => ["$ssl/client.crt", "$ssl/client.key"] },
    deep     => { cert_files => ["$ssl/deep.leaf", "$ssl/deep.key"] },
    stranger => { cert_files => ["$ssl/stranger.crt", "$ssl/stranger.key"] },
);
my @VERSIONS = (
    ['1.2', { max => '1.2' }],
    ['1.3', { min => '1.3', pha => 1 }],
    ['1.3 without PHA', { min => '1.3' }],
);
my @PATHS = map { "/$_/index.html" } qw(require depth optional any ciphers tls
    expression refused authz authz-client user fake optreneg env small proxy);

sub ask {
    my ($c, $host, $path, $body) = @_;
    my $r = $c->request(join "\r\n",
        (defined $body ? 'POST' : 'GET') . " $path HTTP/1.1", "Host: $host",
        (defined $body ? 'Content-Length: ' . length $body : ()), '',
        defined $body ? $body : '');
    return join ' ', $path, map { defined $_ ? $_ : '-' } $r->{status},
        $r->{error},
        @{ $r->{headers} }{qw(x-vhost x-vars x-user x-env)},
        $r->{status} == 200 ? $r->{body} =~ s/\n//r : '';
}

# How many of these were let in with a client certificate that is required.
sub ask_all {
    my ($how, @names) = @_;
    my $asked = 0;
    for my $sni (@names) {
        for my $version (@VERSIONS) {
            my ($what, $tls) = @$version;
            for my $who (sort keys %CLIENT) {
                my ($ok, $stock) = $pair->same("$how$sni, $what, client $who", sub {
                    my ($addr, $port) = @_;
                    my @seen;
                    for my $path (@PATHS) {
                        my $c = Sniv::Client->new(addr => $addr, port => $port,
                            tls => { %$tls, %{ $CLIENT{$who} }, sni => $sni });
                        push @seen, $c->error || ask($c, $sni, $path);
                        # the connection after a renegotiation
                        push @seen, ask($c, $sni, '/env/index.html')
                            if $seen[-1] =~ / 200 /;
                    }
                    # with a body, which has to be buffered for that long
                    for my $path ('/require/index.html', '/small/index.html') {
                        my $c = Sniv::Client->new(addr => $addr, port => $port,
                            tls => { %$tls, %{ $CLIENT{$who} }, sni => $sni });
                        push @seen, $c->error || ask($c, $sni, $path, 'x' x 100);
                    }
                    return join "\n", @seen;
                });
                $asked++ if $stock =~ m{^/require/\S+ 200 .*SUCCESS.*client}m;
            }
        }
    }
    return $asked;
}
my $asked = ask_all('', qw(v1.test v2.test v3.test));
is($asked, 3 * 2, 'client certificates were asked for, 1.2 and 1.3');

# ----- a session of before the renegotiation, and of after it

for my $version (@VERSIONS[0, 1]) {
    my ($what, $tls) = @$version;
    $pair->same("$what, resumed with and without a client certificate", sub {
        my ($addr, $port) = @_;
        my @seen;
        for my $path ('/env/index.html', '/require/index.html') {
            my %tls = (%$tls, %{ $CLIENT{client} }, sni => 'v1.test');
            my $c = Sniv::Client->new(addr => $addr, port => $port,
                                      tls => { %tls });
            push @seen, $c->error || ask($c, 'v1.test', $path);
            my $d = Sniv::Client->new(addr => $addr, port => $port,
                tls => { %tls, session => $c->session });
            push @seen, $d->error || join ' ', $d->resumed,
                ask($d, 'v1.test', '/require/index.html'),
                ask($d, 'v1.test', '/env/index.html');
        }
        return join "\n", @seen;
    });
}

# ----- HTTP/2: no renegotiation there

for my $path ('/env/index.html', '/require/index.html',
              '/ciphers/index.html') {
    $pair->same("h2 $path", sub {
        my ($addr, $port) = @_;
        my $c = Sniv::Client->new(addr => $addr, port => $port, tls => {
            sni => 'v1.test', alpn => ['h2'], max => '1.2',
            %{ $CLIENT{client} } });
        return $c->error if $c->error;
        my $r = Sniv::H2->new($c)->get('v1.test', $path);
        return join ' ', map { defined $_ ? $_ : '-' } $r->{status},
            $r->{error}, $r->{headers}{'x-vars'};
    });
}

# ----- logs

$pair->stop;
$pair->same('the same access log', sub {
    my ($addr, $port, $which) = @_;
    return join "\n", sort split /\n/, $pair->log($which, 'access.log');
});
$pair->same('the same errors', sub {
    my ($addr, $port, $which) = @_;
    return join "\n", sort map { s/(?:\[[^\[\]]*\] )+//r =~ s/:[0-9]+//gr }
        # (AH00045: a child that is slow to leave)
        grep { /:(?:error|warn)\]/ && !/AH0190[679]|AH00045/ }
        split /\n/, $pair->log($which);
});

# ----- by hand

$pair->reconf(extra => '', conf => Sniv::Pair->by_hand($conf, 1))->start;
unlike($pair->log('ours'), qr/SNIV0202/, 'by hand is not adopted');
is(ask_all('by hand, ', 'v1.test'), 2, 'asked for by hand, too');
$pair->stop;

done_testing;
