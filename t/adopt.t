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


# SNIVHostAdopt On: what a client sees of lean virtual hosts is what it sees
# of stock httpd, under each SSLVHostSNIPolicy.

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

my $ssl = Sniv::Httpd::work() . "/adopt-ssl.$$";
make_cert($ssl, 'root', is_ca => 1);
make_cert($ssl, 'middle', is_ca => 1, ca => 'root');
make_cert($ssl, 'rsa0', key => 'rsa');
make_cert($ssl, 'ec0');
make_cert($ssl, 'ec1');
make_cert($ssl, 'rsa2', key => 'rsa');
make_cert($ssl, 'ec2');
make_cert($ssl, 'chained', ca => 'middle', chain => ['middle', 'root']);
make_cert($ssl, 'leafonly', ca => 'middle', key => 'rsa');
make_cert($ssl, 'keyinside');
{
    open my $out, '>>', "$ssl/keyinside.crt" or die "keyinside: $!\n";
    open my $in, '<', "$ssl/keyinside.key" or die "keyinside: $!\n";
    print $out $_ while <$in>;
    open $out, '>', "$ssl/intermediates.pem" or die "intermediates: $!\n";
    for my $name ('middle', 'root') {
        open $in, '<', "$ssl/$name.leaf" or die "$name: $!\n";
        print $out $_ while <$in>;
    }
    close $out;
}

sub files {
    my (@names) = @_;
    return join '',
        (map { "SSLCertificateFile $ssl/$_.crt\n" } @names),
        (map { "SSLCertificateKeyFile $ssl/$_.key\n" } @names);
}

# Label => its TLS lines. v0 is the first one of the address.
my @VHOSTS = (
    [v0 => files('rsa0', 'ec0')],
    [v1 => files('ec1')],
    [v2 => files('rsa2', 'ec2')],
    # the other order, and keys that are not next to their certificates
    [v3 => "SSLCertificateFile $ssl/ec2.crt\nSSLCertificateFile $ssl/rsa2.crt\n"
         . "SSLCertificateKeyFile $ssl/ec2.key\n"
         . "SSLCertificateKeyFile $ssl/rsa2.key\n"],
    [v4 => files('chained')],
    [v5 => files('leafonly')
         . "SSLCertificateChainFile $ssl/intermediates.pem\n"],
    # the chain file takes the place of what follows the leaf
    [v6 => files('chained') . "SSLCertificateChainFile $ssl/root.leaf\n"],
    # ... and is skipped by one certificate if it is the certificate's file
    [v7 => files('chained') . "SSLCertificateChainFile $ssl/chained.crt\n"],
    [v8 => "SSLCertificateFile $ssl/keyinside.crt\n"],
    # the same files as the first one: no other policy hash
    [v9 => files('rsa0', 'ec0')],
    [v10 => files('leafonly')],
    [v11 => files('ec1') . "Protocols http/1.1\n"],
    [v12 => files('ec1') . "SSLStrictSNIVHostCheck on\n"],
    # another policy hash under authonly too, and lean all the same
    [v13 => files('ec1') . "SSLVerifyDepth 5\n"],
);
my $VARS = join '|', map { "%{$_}s" } qw(HTTPS SSL_SERVER_S_DN_CN
    SSL_SERVER_I_DN_CN SSL_SERVER_A_KEY SSL_SERVER_M_SERIAL SSL_TLS_SNI
    SSL_PROTOCOL SSL_CIPHER SSL_SESSION_RESUMED SSL_SERVER_SAN_DNS_0
    SSL_CLIENT_VERIFY);

sub conf {
    my ($policy, $first) = @_;
    return sub {
        my ($port) = @_;
        my $conf = Sniv::Httpd::sni_policy_conf($policy)
            . "SSLSessionCache none\n"
            . "Protocols h2 http/1.1\n";
        for my $vhost (@VHOSTS) {
            my ($label, $tls) = @$vhost;
            $tls = $first if $label eq 'v0' && $first;
            $conf .= <<"END";
<VirtualHost *:$port>
    ServerName $label.test
    ServerAlias $label.alias.test *.$label.glob.test
    SSLEngine on
    $tls
    Header always set X-Vhost $label
    Header always set X-Vars "$VARS"
</VirtualHost>
END
        }
        return $conf;
    };
}

my $pair = Sniv::Pair->new(name => 'adopt', conf => conf('secure'),
                           extra => "SNIVHostAdopt On\n");

sub handshake {
    my ($addr, $port, %tls) = @_;
    return Sniv::Client->new(addr => $addr, port => $port, tls => \%tls);
}

# What a client sees of a handshake and of one request.
sub look {
    my ($c, @hosts) = @_;
    return $c->error if $c->error;
    my @seen = (join(',', $c->chain), $c->version, $c->cipher,
                $c->alpn || 'no alpn');
    for my $host (@hosts) {
        my $r = $c->get($host);
        push @seen, join ' ', defined $host ? $host : '-',
            map { defined $_ ? $_ : '-' } $r->{status},
            @{ $r->{headers} }{qw(x-vhost x-vars connection)},
            length $r->{body};
    }
    return join "\n", @seen;
}

my @CLIENTS = (
    ['1.3', { min => '1.3' }],
    ['1.2', { max => '1.2' }],
    ['1.2, RSA only', { max => '1.2', ciphers =>
        'ECDHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0' }],
    ['1.2, ECDSA only', { max => '1.2', ciphers =>
        'ECDHE-ECDSA-AES128-GCM-SHA256:@SECLEVEL=0' }],
    ['1.3, RSA only', { min => '1.3',
        sigalgs => 'RSA-PSS+SHA256:RSA+SHA256' }],
    ['1.3, ECDSA only', { min => '1.3', sigalgs => 'ECDSA+SHA256' }],
    ['1.3, other group', { min => '1.3', groups => 'P-384:X25519' }],
    ['1.1', { max => '1.1' }],
);

my %first = ('' => undef,
    'with a chain file' => files('leafonly')
        . "SSLCertificateChainFile $ssl/intermediates.pem\n");
for my $with (sort keys %first) {
    $pair->reconf(conf => conf('insecure', $first{$with}))->start;
    $pair->server($_)->write('htdocs/index.html', "page\n")
        for qw(stock ours);
    like($pair->log('ours'), qr/SNIV0202: adopted 13 of 14 TLS virtual hosts/,
         "adopted $with");
    unlike($pair->log('ours'), qr/AH01916/, 'no word about port 443');
    for my $sni (undef, 'unknown.test', map { "$_->[0].test" } @VHOSTS) {
        for my $client (@CLIENTS) {
            my ($what, $tls) = @$client;
            $pair->same(($sni || 'no SNI') . ", $what $with", sub {
                my ($addr, $port) = @_;
                return look(handshake($addr, $port, %$tls,
                    defined $sni ? (sni => $sni) : ()),
                    $sni || 'v0.test', 'v1.test');
            });
        }
    }
    $pair->stop;
}

for my $policy (qw(secure strict authonly insecure)) {
    next if $policy ne 'secure' && !Sniv::Httpd::has_sni_policy();
    $pair->reconf(conf => conf($policy))->start;
    my %status;
    for my $sni (undef, 'unknown.test', 'v0.test', 'v1.test',
                 'x.v1.glob.test', 'v2.alias.test', 'v3.test', 'v5.test',
                 'v9.test', 'v12.test') {
        my ($ok, $stock) = $pair->same("$policy, " . ($sni || 'no SNI'), sub {
            my ($addr, $port) = @_;
            # 421 ends the connection
            return join "\n", map {
                look(handshake($addr, $port,
                               defined $sni ? (sni => $sni) : ()), $_)
            } undef, 'other.test', map { "$_->[0].test" } @VHOSTS;
        });
        $status{$1}++ while $stock =~ /^\S+ ([0-9]+) v/mg;
    }
    ok($status{421}, "$policy refuses") if $policy ne 'insecure';
    ok($status{200}, "$policy lets through");
    $pair->same("$policy: same error log", sub {
        my ($addr, $port, $which) = @_;
        return join "\n", sort { $a cmp $b } map { s/^.*?(?=AH0)//r }
            map { s/\[[^\[\]]*\] //gr }
            # AH01906 to AH01909: mod_ssl's look at a certificate at start
            grep { /:(?:error|warn|notice)\]/
                   && !/SNIV|AH00489|AH00094|AH0190[679]/ }
            split /\n/, $pair->log($which);
    });
    $pair->stop;
    $pair->same("$policy: same access log", sub {
        my ($addr, $port, $which) = @_;
        return join "\n", sort split /\n/, $pair->log($which, 'access.log');
    });
}

# ----- ALPN

$pair->reconf(conf => conf('insecure'))->start;
for my $sni ('v0.test', 'v1.test', 'v11.test') {
    for my $alpn (['h2', 'http/1.1'], ['http/1.1'], ['h2'], ['other']) {
        $pair->same("ALPN @$alpn at $sni", sub {
            my ($addr, $port) = @_;
            my $c = handshake($addr, $port, sni => $sni, alpn => $alpn);
            return $c->error if $c->error;
            my $seen = join ' ', $c->alpn || 'none', $c->cert;
            return $seen if ($c->alpn || '') ne 'h2';
            my $r = Sniv::H2->new($c)->get($sni, '/');
            return "$seen $r->{status} $r->{headers}{'x-vars'}";
        });
    }
}
$pair->stop;

# ----- redirects, scheme and port, what mod_info shows

my $redirects = conf('insecure');
sub redirecting {
    my ($port, $which) = @_;
    my $n = 0;
    # a name with a port, canonical names: what a virtual host has as its own
    return "ExtendedStatus On\n<Location /info>\nSetHandler server-info\n"
        . "</Location>\n" . $redirects->($port, $which)
        =~ s{(ServerName v(?:2|3|4)\.test)}{$n++; $n == 1 ? "$1:443"
             : $n == 2 ? "$1:8443\n    UseCanonicalName On"
             : "ServerName https://v4.test:444\n    UseCanonicalName On"}ger
        =~ s{(\n</VirtualHost>)}{
    Redirect /old /new
    RedirectMatch ^/far\$ https://far.test/
    RewriteEngine on
    RewriteRule ^/again\$ /index.html [R=302]
    UseCanonicalPhysicalPort Off
    Header always set X-Where "expr=%{REQUEST_SCHEME} %{SERVER_NAME} %{SERVER_PORT} %{HTTPS}"$1}gr;
}
$pair->reconf(conf => \&redirecting)->start;
for my $which (qw(stock ours)) {
    my $server = $pair->server($which);
    $server->write('htdocs/index.html', "page\n");
    $server->write('htdocs/dir/index.html', "page\n");
}
for my $name (map { "v$_.test" } 0 .. 5) {
    $pair->same("redirects of $name", sub {
        my ($addr, $port) = @_;
        my $c = handshake($addr, $port, sni => $name);
        return $c->error if $c->error;
        return join "\n", map {
            my $path = $_;
            map {
                my $r = $c->get($_, $path);
                join ' ', $path, $r->{status},
                    map { $_ // '-' } @{ $r->{headers} }{qw(location x-where)}
            } $name, "$name:1234"
        } qw(/dir /old /far /again /index.html);
    });
}
# the directives of all virtual hosts, as mod_info has them
my ($same, $shown) = $pair->same('server-info?config', sub {
    my ($addr, $port) = @_;
    my $c = handshake($addr, $port, sni => 'v1.test');
    my $r = $c->get('v1.test', '/info?config');
    # where in which file: the module's own lines are in one of them
    return join "\n", $r->{status},
        grep { /\S/ && !/In file|SNIVHost|snivhost/ }
        map { s/<[^>]*>|&nbsp;//gr =~ s/\A\s*[0-9]*:?//r }
        split /\n|<\/?d[dt]>/, $r->{body};
});
is(scalar(() = $shown =~ /SSLEngine on/g), scalar @VHOSTS,
   'mod_info has what was written');
$pair->same('server-info?server', sub {
    my ($addr, $port) = @_;
    my $c = handshake($addr, $port, sni => 'v1.test');
    my $r = $c->get('v1.test', '/info?server');
    return join ' ', $r->{status},
        $r->{body} =~ /(Server hostname.*|Server port.*|Hostname\/Port.*)/gi;
});
$pair->stop;

# ----- by hand

my $as_adopted = conf('secure');
$pair->reconf(extra => '', conf => Sniv::Pair->by_hand($as_adopted, 1))->start;
unlike($pair->log('ours'), qr/SNIV0202/, 'by hand is not adopted');
for my $sni (undef, map { "$_->[0].test" } @VHOSTS) {
    $pair->same('by hand: ' . ($sni || 'no SNI'), sub {
        my ($addr, $port) = @_;
        return join "\n", map {
            look(handshake($addr, $port, %$_,
                           defined $sni ? (sni => $sni) : ()),
                 $sni || 'v0.test', 'v1.test')
        } { max => '1.2' }, { min => '1.3' };
    });
}
$pair->stop;
$pair->same('by hand: DUMP_CERTS', sub {
    my ($addr, $port, $which) = @_;
    my ($status, $said) = $pair->server($which)->check('-t', '-D',
                                                       'DUMP_CERTS');
    $said =~ s/^SNIV[0-9]+:.*\n//mg;           # the lint
    return "$status\n$said";
});
$pair->reconf(extra => "SNIVHostAdopt On\n", conf => $as_adopted);

# ----- SNIVHost Verify: httpd chooses, and the certificate is the right one

$pair->server('ours')->{mode} = 'verify';
$pair->reconf->start;
like($pair->log('ours'), qr/SNIV0202: adopted 13 of 14/,
     'adopted with Verify');
for my $sni (undef, 'unknown.test', 'x.v1.glob.test',
             map { "$_->[0].test" } @VHOSTS) {
    $pair->same('Verify: ' . ($sni || 'no SNI'), sub {
        my ($addr, $port) = @_;
        return look(handshake($addr, $port,
                              defined $sni ? (sni => $sni) : ()),
                    $sni || 'v0.test');
    });
}
unlike($pair->log('ours'), qr/SNIV0002/, 'Verify found no difference');
$pair->stop;
$pair->server('ours')->{mode} = 'on';
$pair->reconf;

# ----- what the administrator is shown

for my $args (['-t'], ['-S'], ['-t', '-D', 'DUMP_CERTS'],
              ['-t', '-D', 'DUMP_CONFIG'], ['-t', '-D', 'DUMP_VHOSTS']) {
    $pair->same("httpd @$args", sub {
        my ($addr, $port, $which) = @_;
        my ($status, $said) = $pair->server($which)->check(@$args);
        # the module's own lines are in one of them only
        $said =~ s/^#\s+In file.*\n//mg;
        $said =~ s/^#\s+[0-9]+:\s*\n(?:LoadModule snivhost_module|SNIVHost)
                   .*\n//mgx;
        $said =~ s/^(?:LoadModule snivhost_module|SNIVHost).*\n//mg;
        $said =~ s/\.conf:[0-9]+/.conf:N/g;
        $said =~ s/^#\s+[0-9]+:/# N:/mg;
        return "$status\n$said";
    });
}
like(($pair->server('ours')->check('-t', '-D', 'DUMP_CONFIG'))[1],
     qr/^\s*SSLEngine on$/m, 'the dump has what was written');

my $broken = conf('secure');
$pair->reconf(conf => sub {
    my $text = $broken->(@_);
    $text =~ s{\Q$ssl/ec1.crt}{$ssl/missing.crt};
    return $text;
});
$pair->same('a missing file is an error for -t', sub {
    my ($addr, $port, $which) = @_;
    my ($status, $said) = $pair->server($which)->check('-t');
    $said =~ s/line [0-9]+/line N/g;
    return "$status\n$said";
});

done_testing;
