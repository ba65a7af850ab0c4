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

package Sniv::DiffConfig;

# Random httpd configurations for the differential test, as data that can be
# printed, changed (sabotage) and made smaller (shrinking). Everything comes
# from rand(), so a seed names a configuration.
#
# A configuration: { ports, main => [lines], vhosts => [ { id, addrs, names,
# lines } ], ... }. The names come from a small world, so that hosts collide.

use strict;
use warnings;

use Sniv::Certs;
use Sniv::Httpd;

our @IPS = map { "127.0.0.$_" } 1 .. 5;

my @labels = qw(a b c www);
my @zones = qw(x.test y.test z.test);
my @globs = qw(*.x.test *.y.test *.z.test *.test * ?.x.test a* a.*.test
               *x.test *.*.test b.?.test w*w.z.test **.y.test *a*.test
               www.* A.*.TEST *.b.x.test ??.test *.test. 127.0.0.*);

sub chance { return rand() < $_[0]; }
sub pick { return $_[int rand @_]; }

sub name { return pick(@labels) . '.' . pick(@zones); }

# Ports: two plain, two TLS, one that no virtual host has.
sub generate {
    my ($ports, $has_ipv6) = @_;
    my %p;
    @p{qw(h1 h2 s1 s2 back)} = @$ports;
    my $c = { ports => \%p, ipv6 => $has_ipv6, main => [], vhosts => [] };
    my @main = ('Use Label main');
    if (chance(0.5)) {
        # a seed is the same configuration for every httpd, but for this
        push @main, Sniv::Httpd::sni_policy_conf(
            pick(qw(strict secure authonly insecure))) || ();
        chomp @main;
    }
    push @main, chance(0.85)
        ? 'SSLSessionCache "shmcb:sessions(256000)"' : 'SSLSessionCache none';
    push @main, 'SSLStrictSNIVHostCheck on' if chance(0.08);
    push @main, 'UseCanonicalName On' if chance(0.15);
    push @main, 'UseCanonicalPhysicalPort On' if chance(0.1);
    push @main, 'StrictHostCheck On' if chance(0.08);
    push @main, 'ProxyRequests On' if chance(0.06);
    push @main, 'SSLVerifyClient optional',
        'SSLCACertificateFile "%certs%/ca.crt"' if chance(0.03);
    push @main, 'HttpProtocolOptions ' . pick('Unsafe', 'Strict',
        'Unsafe LenientMethods Allow0.9', 'Strict RegisteredMethods',
        'Strict Require1.0') if chance(0.15);
    push @main, 'Protocols ' . pick('h2 h2c http/1.1', 'h2 http/1.1',
        'h2c http/1.1') if chance(0.6);
    push @main, 'SSLProtocol ' . pick('all', 'TLSv1.2', 'TLSv1.2 TLSv1.3',
        'TLSv1.3', 'TLSv1.1 TLSv1.2') if chance(0.2);
    push @main, 'SSLCipherSuite DEFAULT:@SECLEVEL=0' if chance(0.8);
    push @main, 'ServerSignature ' . pick('On', 'EMail') if chance(0.7);
    push @main, error_document('main') if chance(0.4);
    push @main, 'KeepAlive Off' if chance(0.03);
    push @main, 'LimitRequestFieldSize 400' if chance(0.1);
    push @main, 'LimitRequestFields 12' if chance(0.1);
    push @main, 'ProxyPass "/px/" "http://127.0.0.1:%back%/"' if chance(0.1);
    push @main, 'SSLSessionTickets off' if chance(0.05);
    push @main, 'SSLCACertificateFile "%certs%/ca.crt"' if chance(0.1);
    push @main, 'SSLCertificateChainFile "%certs%/middle.crt"'
        if chance(0.05);
    push @main, certificate_lines('rsa1') if chance(0.05);
    # Settings that most virtual hosts have in common, as in real life: those
    # can be lean. Often there are two or three kinds of them, and the first
    # virtual host is of another.
    $c->{common} = [map { [common_lines()] } 1 .. pick(1, 1, 2, 3)]
        if chance(0.6);
    push @main, 'SSLSessionTicketKeyFile "%certs%/tickets1"' if chance(0.1);
    push @main, 'SSLStaplingCache "shmcb:stapling(64000)"';
    push @main, 'TraceEnable ' . pick('on', 'off', 'extended')
        if chance(0.1);
    $c->{main} = \@main;

    # Sockets whose connections have IPv4-mapped addresses
    $c->{mapped} = { map { $_ => 1 } grep { chance(0.5) } @IPS }
        if $c->{ipv6} && chance(0.25);

    # A few styles of addresses, so that sets get members.
    my @specs = specs($c);
    my $n = 1 + int(rand 4) + int(rand 5) * int(rand 3);
    # ... and are on the same address
    if ($c->{common} && chance(0.8)) {
        @specs = (('127.0.0.1:%s1%') x (3 * @specs), @specs);
        $n += 2 + int rand 4;
    }
    for my $id (0 .. $n - 1) {
        push @{ $c->{vhosts} }, vhost($c, $id, @specs);
    }
    manage($c) if chance(0.15);
    for my $status (400, 417) {
        next if !chance(0.2);
        my $where = pick('/error.html', '/error.shtml', '/none.html',
                         '/sp1/error.html');
        push @{ $_->{lines} }, "ErrorDocument $status $where"
            for @{ $c->{vhosts} };
    }
    return $c;
}

# mod_md provides certificates for some of the names.
sub manage {
    my ($c) = @_;
    return if !-e Sniv::Httpd::apxs('LIBEXECDIR') . '/mod_md.so';
    my %names = map { $_->{names}[0] && @{ $_->{tls} }
                      && $_->{names}[0] =~ /\AServerName ([a-z]\S*[a-z])\z/
                      ? ($1 => $_) : () } @{ $c->{vhosts} };
    $c->{md} = 1;
    push @{ $c->{main} }, 'MDMatchNames servernames', 'MDStoreDir md',
        'MDRenewMode manual';
    for my $name (sort keys %names) {
        next if chance(0.4);
        my $cert = pick('c0' .. 'c4', 'rsa', 'chain0');
        push @{ $c->{main} }, join "\n", "<MDomain $name>",
            qq(MDCertificateFile "%certs%/$cert.crt"),
            qq(MDCertificateKeyFile "%certs%/$cert.key"), '</MDomain>';
        @{ $names{$name}{tls} } = grep { !/\ASSLCertificate/ }
            @{ $names{$name}{tls} } if chance(0.7);
    }
    return;
}

# Which addresses the virtual hosts of one configuration choose from.
sub specs {
    my ($c) = @_;
    my @kinds = ('ip1', ('ip1') x 3, 'ip2', 'any', 'ipany', 'v6', 'text',
                 'anyany', 'zero', 'noport', 'default', 'upper', 'v6mapped');
    my @chosen = ('ip1', map { pick(@kinds) } 1 .. int rand 4);
    @chosen = ('any', @chosen[1 .. $#chosen]) if chance(0.3);
    my @specs;
    for my $kind (@chosen) {
        next if $kind =~ /v6/ && !$c->{ipv6};
        for my $port (chance(0.7) ? ('h1', 's1') : chance(0.5)
                      ? ('h1', 'h2', 's1', 's2') : pick('h1', 's1')) {
            push @specs, {
                ip1 => "127.0.0.1:%$port%", ip2 => "127.0.0.2:%$port%",
                any => "*:%$port%", ipany => '127.0.0.' . pick(1 .. 3) . ':*',
                v6 => "[::1]:%$port%", text => "localhost:%$port%",
                anyany => '*:*', zero => "0.0.0.0:%$port%",
                default => "_default_:%$port%", noport => '127.0.0.3',
                upper => "LOCALHOST:%$port%",
                v6mapped => "[::ffff:127.0.0.1]:%$port%",
            }->{$kind};
        }
    }
    return @specs;
}

sub vhost {
    my ($c, $id, @specs) = @_;
    my %v = (id => "v$id", names => [], lines => [], tls => []);
    my $n = chance(0.75) ? 1 : 2 + int rand 2;
    $v{addrs} = [map { pick(@specs) } 1 .. $n];
    # The same address twice is a case of its own, and a rare one.
    my %seen;
    @{ $v{addrs} } = grep { !$seen{$_}++ } @{ $v{addrs} } if chance(0.9);

    my @names;
    my $r = rand;
    push @names, 'ServerName ' . (
        $r < 0.70 ? name()
        : $r < 0.75 ? name() . ':' . pick(80, 8080, 443)
        : $r < 0.80 ? uc name()
        : $r < 0.85 ? name() . '.'
        : $r < 0.89 ? pick('http', 'https', 'HTTP') . '://' . name()
        : $r < 0.93 ? pick(@IPS[0 .. 2], 'localhost')
        : pick('test', '_.x.test', 'a-b.y.test')) if $r < 0.96
        || "@{ $v{addrs} }" !~ /\A(?:\*|127\.0\.0\.1)/;
    for (1 .. int rand 3) {
        my $q = rand;
        push @names, 'ServerAlias ' . join ' ', map {
            $q < 0.4 ? name() : $q < 0.8 ? pick(@globs)
            : $q < 0.85 ? uc name() : $q < 0.9 ? name() . '.'
            : $q < 0.95 ? name() . ':%h1%' : pick('localhost', '127.0.0.1')
        } 1 .. 1 + int rand 3;
    }
    @names = reverse @names if chance(0.1);
    $v{names} = \@names;

    my @l;
    push @l, 'ServerPath ' . pick('/sp1', '/sp1/', '/sp', '/sp2/', '/', '/p',
        '/sp1/index.html') if chance(0.25);
    push @l, error_document($v{id}) if chance(0.3);
    push @l, error_document($v{id}) if chance(0.15);
    push @l, 'UseCanonicalName ' . pick(qw(On Off)) if chance(0.25);
    push @l, 'StrictHostCheck ' . pick(qw(On Off)) if chance(0.1);
    push @l, 'HttpProtocolOptions ' . pick('Unsafe', 'Strict',
        'Strict Require1.0', 'Unsafe Allow0.9') if chance(0.12);
    push @l, 'LimitRequestLine ' . pick(60, 100) if chance(0.06);
    push @l, 'LimitRequestFieldSize ' . pick(40, 300) if chance(0.06);
    push @l, 'LimitRequestFields ' . pick(3, 6, 12) if chance(0.06);
    push @l, 'LimitRequestBody 10' if chance(0.08);
    push @l, 'KeepAlive Off' if chance(0.05);
    push @l, 'MaxKeepAliveRequests 2' if chance(0.06);
    push @l, 'ServerSignature ' . pick(qw(On Off EMail)) if chance(0.2);
    push @l, "ErrorLog error-$v{id}.log" if chance(0.15);
    push @l, 'LogLevel ' . pick(qw(warn info)) if chance(0.15);
    push @l, qq(ProxyPass "/px/" "http://127.0.0.1:%back%/$v{id}/")
        if chance(0.2);
    push @l, 'ProxyPreserveHost On' if chance(0.1);
    push @l, qq(ProxyPass "/loop/" "http://127.0.0.2:%h1%/")
        if chance(0.08);
    push @l, 'ProxyRequests On' if chance(0.07);
    # httpd as a client of itself: handshakes that are not ours to decide
    push @l, 'SSLProxyEngine on', 'SSLProxyVerify none',
        'SSLProxyCheckPeerName off', 'SSLProxyCheckPeerExpire off',
        qq(ProxyPass "/spx/" "https://127.0.0.1:%s1%/") if chance(0.08);
    push @l, 'TraceEnable ' . pick('on', 'off') if chance(0.05);
    push @l, 'RewriteEngine On', pick(
        'RewriteRule ^/rw/(.*) /$1 [PT]',
        'RewriteRule ^/rw/(.*) /to/%%{SERVER_NAME}/$1 [R,L]',
        "RewriteCond %%{HTTP_HOST} ^a\nRewriteRule ^/rw /other.html",
        'RewriteRule ^/rw - [F]', 'RewriteRule ^/rw - [R=400]')
        if chance(0.2);
    push @l, qq(<Location "/deny">\nRequire all denied\n</Location>)
        if chance(0.3);
    push @l, 'Redirect "/gone" "/other.html"' if chance(0.2);
    push @l, qq(SetEnvIf Host "^a" IS_A=$v{id}) if chance(0.1);
    push @l, 'DirectoryIndex other.html' if chance(0.08);
    push @l, 'Protocols ' . pick('h2 http/1.1', 'http/1.1', 'h2', 'h2c',
        'h2c http/1.1', 'h2 h2c http/1.1') if chance(0.35);
    push @l, 'ProtocolsHonorOrder ' . pick('On', 'Off') if chance(0.1);
    push @l, 'H2ModernTLSOnly ' . pick('on', 'off') if chance(0.15);
    push @l, 'H2Direct ' . pick('on', 'off') if chance(0.1);
    push @l, 'H2Upgrade ' . pick('on', 'off') if chance(0.1);
    $v{lines} = \@l;

    # TLS where the port is a TLS port; sometimes not, or in the wrong place.
    my $is_tls = "@{ $v{addrs} }" =~ /%s/
        || ("@{ $v{addrs} }" !~ /%h/ && chance(0.4));
    $is_tls = !$is_tls if chance(0.03);
    # The first one, too, may be of a kind of its own, as any other.
    $v{tls} = [!$c->{common} || chance(0.1) ? tls_lines()
               : $id == 0 && chance(0.5)
               ? ('SSLEngine on', certificates(), common_lines(), own_lines())
               : ('SSLEngine on', certificates(),
                  @{ pick(@{ $c->{common} }) },
                  own_lines())] if $is_tls;
    return \%v;
}

sub certificate_lines {
    my ($name) = @_;
    return "SSLCertificateFile \"%certs%/$name.crt\"\n"
         . "SSLCertificateKeyFile \"%certs%/$name.key\"";
}

# One certificate, or one of each kind; with chains, and with the key in
# another file, the same file, or next to the other key.
sub certificates {
    my $cert = pick('c0' .. 'c9', 'shared', 'shared', 'rsa', 'rsa1', 'chain0',
                    'chain1', 'rsa-chain');
    my @l = certificate_lines($cert);
    if ($cert =~ /chain/) {
        @l = qq(SSLCertificateFile "%certs%/$cert.pem") if chance(0.2);
        # without its chain, which may come from SSLCACertificateFile
        s/$cert\.crt/$cert.leaf/ for chance(0.3) ? @l : ();
        s/$cert\.crt/$cert.dh/ for chance(0.1) ? @l : ();
    }
    elsif ($cert =~ /\A(?:c0|rsa1?)\z/ && chance(0.4)) {
        my $kind = pick('dh', 'dh', 'dh2', 'ec');
        s/$cert\.crt/$cert.$kind/ for @l;
    }
    if ($l[0] =~ /\.crt"/ && chance(0.2)) {
        my $odd = pick('crlf', 'text');
        s/$cert\.crt/$cert.$odd/ for @l;
    }
    if (chance(0.15)) {
        s/$cert\.key/$cert.der/ for @l;
    }
    my $other = $cert =~ /rsa/ ? pick(qw(c0 chain0)) : pick(qw(rsa rsa1
                                                               rsa-chain));
    if (chance(0.2)) {
        push @l, certificate_lines($other);
        @l = reverse @l if chance(0.3) && $l[0] !~ /pem"/;
    }
    push @l, 'SSLCertificateChainFile "%certs%/'
        . pick('middle.crt', 'chain0.crt', 'ca.crt') . '"' if chance(0.1);
    return @l;
}

# Settings that go into an SSL_CTX.
sub common_lines {
    my @l;
    push @l, 'SSLProtocol ' . pick('TLSv1.2', 'TLSv1.3', 'all -TLSv1.3',
        'TLSv1.2 TLSv1.3', 'all', 'TLSv1.1 TLSv1.2', 'all -TLSv1.2')
        if chance(0.35);
    push @l, 'SSLCipherSuite ' . pick('AES256-GCM-SHA384:@SECLEVEL=0',
        'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256',
        'DEFAULT:@SECLEVEL=0') if chance(0.2);
    push @l, 'SSLCipherSuite TLSv1.3 ' . pick('TLS_AES_128_GCM_SHA256',
        'TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384')
        if chance(0.1);
    push @l, 'SSLOpenSSLConfCmd ' . pick('MaxProtocol TLSv1.2',
        'SignatureAlgorithms ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256',
        'Ciphersuites TLS_AES_128_GCM_SHA256',
        'CipherString DEFAULT:@SECLEVEL=0') if chance(0.1);
    push @l, 'SSLCompression off' if chance(0.05);
    push @l, 'SSLHonorCipherOrder on' if chance(0.2);
    push @l, 'SSLCACertificateFile "%certs%/' . pick(qw(ca.crt ca-copy.crt
        middle.crt middle-copy.crt both.crt)) . '"' if chance(0.4);
    push @l, 'SSLCACertificatePath "%certs%/cas"' if chance(0.07);
    push @l, 'SSLCADNRequestFile "%certs%/ca.crt"' if chance(0.05);
    push @l, 'SSLCADNRequestPath "%certs%/cas"' if chance(0.05);
    push @l, 'SSLVerifyClient optional' if chance(0.05);
    # Looked at where a client's certificate is: in /secure, too
    push @l, 'SSLCACertificateFile "%certs%/ca.crt"', 'SSLCARevocationCheck '
        . pick('leaf', 'chain', 'leaf no_crl_for_cert_ok', 'none'), pick(
        map { qq(SSLCARevocationFile "%certs%/$_.crl") } 'none', 'client')
        if chance(0.08);
    push @l, 'SSLOCSPEnable ' . pick('on', 'leaf', 'off'),
        'SSLOCSPResponderTimeout 1', 'SSLOCSPUseRequestNonce '
        . pick('on', 'off') if chance(0.04);
    push @l, 'SSLSessionTickets off' if chance(0.15);
    push @l, 'SSLSessionTicketKeyFile "%certs%/' . pick(qw(tickets1
        tickets2)) . '"' if chance(0.1);
    push @l, 'SSLSessionCacheTimeout 60' if chance(0.05);
    push @l, 'SSLOpenSSLConfCmd DHParameters "%certs%/dh.pem"'
        if chance(0.05);
    push @l, 'SSLOpenSSLConfCmd MinProtocol TLSv1.2' if chance(0.05);
    push @l, 'SSLInsecureRenegotiation on' if chance(0.05);
    push @l, 'SSLUseStapling on' if chance(0.15);
    push @l, 'SSLStaplingReturnResponderErrors off',
        'SSLStaplingFakeTryLater off', 'SSLStaplingErrorCacheTimeout 30'
        if chance(0.05);
    push @l, 'SSLOpenSSLConfCmd Groups ' . pick('P-256', 'P-384:X25519')
        if chance(0.1);
    push @l, 'SSLOpenSSLConfCmd Options -SessionTicket' if chance(0.05);
    return @l;
}

# Lines that each virtual host may have its own of.
sub own_lines {
    my @l;
    push @l, 'SSLOptions ' . pick('+StdEnvVars', '+StrictRequire',
        '+StdEnvVars +ExportCertData') if chance(0.3);
    push @l, 'SSLStrictSNIVHostCheck ' . pick('on', 'off') if chance(0.1);
    push @l, "<Location \"/secure\">\nSSLVerifyClient "
        . pick('require', 'optional', 'optional_no_ca') . "\n</Location>"
        if chance(0.3);
    push @l, "<Location \"/cipher\">\nSSLRequireSSL\n"
        . "SSLRequire %%{SSL_CIPHER_USEKEYSIZE} >= 256\n</Location>"
        if chance(0.2);
    push @l, 'SSLVerifyDepth ' . pick(1, 3) if chance(0.1);
    push @l, "<Location \"/secure\">\nSSLRenegBufferSize 64\n</Location>"
        if chance(0.05);
    push @l, 'SSLUserName SSL_CLIENT_S_DN_CN' if chance(0.1);
    push @l, 'SSLUseStapling ' . pick('on', 'off') if chance(0.1);
    push @l, 'SSLSessionCacheTimeout ' . pick(60, 300) if chance(0.05);
    return @l;
}

sub tls_lines {
    my @l = ('SSLEngine ' . (chance(0.97) ? 'on' : 'optional'),
             certificates());
    push @l, 'SSLProtocol ' . pick('TLSv1.2', 'TLSv1.3', 'all -TLSv1.3',
        'TLSv1.2 TLSv1.3', 'TLSv1.1 TLSv1.2', 'all') if chance(0.25);
    push @l, 'SSLCipherSuite ' . pick('AES256-GCM-SHA384:@SECLEVEL=0',
        'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256',
        'ECDHE+CHACHA20:ECDHE+AES256', 'DEFAULT:@SECLEVEL=0')
        if chance(0.2);
    push @l, 'SSLCipherSuite TLSv1.3 TLS_AES_128_GCM_SHA256'
        if chance(0.07);
    push @l, 'SSLHonorCipherOrder ' . pick('on', 'off') if chance(0.15);
    push @l, 'SSLVerifyClient ' . pick(qw(none optional require
        optional_no_ca)), 'SSLCACertificateFile "%certs%/ca.crt"'
        if chance(0.2);
    push @l, "<Location \"/secure\">\nSSLVerifyClient "
        . pick('require', 'optional') . "\n</Location>",
        'SSLCACertificateFile "%certs%/ca.crt"' if chance(0.15);
    push @l, "<Location \"/cipher\">\nSSLRequireSSL\n"
        . "SSLRequire %%{SSL_CIPHER_USEKEYSIZE} >= 256\n</Location>"
        if chance(0.1);
    push @l, 'SSLOptions ' . pick('+StdEnvVars', '+StrictRequire',
        '+StdEnvVars +ExportCertData') if chance(0.4);
    push @l, 'SSLSessionTickets ' . pick('on', 'off') if chance(0.15);
    push @l, 'SSLSessionCacheTimeout ' . pick(60, 300) if chance(0.05);
    push @l, 'SSLStrictSNIVHostCheck ' . pick('on', 'off') if chance(0.1);
    push @l, 'SSLInsecureRenegotiation on' if chance(0.03);
    push @l, 'SSLOpenSSLConfCmd Groups ' . pick('P-256', 'P-384:X25519')
        if chance(0.05);
    push @l, 'SSLUserName SSL_CLIENT_S_DN_CN' if chance(0.05);
    return @l;
}

# In a virtual host not for 400 and 417, unless all have the same: with the
# module httpd takes these from the default's settings where it refuses a
# request before any module is asked (a known limit, see the documentation).
our $known_limits = 0;
sub error_document {
    my ($id) = @_;
    my $status = pick($id eq 'main' || $known_limits ? (400, 417) : (),
                      404, 403, 421, 501, 414, 413, 405);
    # nor a redirect to elsewhere, which stays the default's
    my @elsewhere = $known_limits || $status !~ /\A4(?:00|17)\z/
        ? 'http://ext.test/e' : ();
    return "ErrorDocument $status " . pick(
        qq("text of $id"), '/error.html', '/error.shtml', '/none.html',
        '/dir/', @elsewhere, '/sp1/error.html',
        '"host %%{HTTP_HOST} server %%{SERVER_NAME}"');
}

# All names that requests may ask for: those of the configuration and of
# the small world around them.
sub hosts {
    my ($c) = @_;
    my %h;
    for my $v (@{ $c->{vhosts} }) {
        for my $line (@{ $v->{names} }) {
            my (undef, @n) = split ' ', $line;
            for my $n (@n) {
                $n =~ s{\A\w+://}{};
                $n =~ s/%h1%/$c->{ports}{h1}/;
                $h{$n} = 1;
                (my $g = $n) =~ s/\*/pick('', 'q', 'a', 'q.a', 'www')/ge;
                $g =~ s/\?/pick('q', 'a', '')/ge;
                $h{$g} = 1;
            }
        }
    }
    return sort keys %h;
}

# As text for httpd. $dir is the server's folder.
sub render {
    my ($c) = @_;
    my $text = '';
    my $mapped = $c->{mapped} || {};
    for my $port (qw(h1 h2 s1 s2)) {
        $text .= "Listen $_:%$port%" . ($port =~ /s/ ? ' https' : '') . "\n"
            for (map { $mapped->{$_} ? "[::ffff:$_]" : $_ } @IPS),
                $c->{ipv6} ? '[::1]' : ();
    }
    $text .= "Listen 127.0.0.1:%back%\n";
    $text .= <<'END';
<Macro Label $name>
    Header always set X-Vhost $name
    DocumentRoot "%www%/$name"
    ServerAdmin $name@sniv.test
    CustomLog access.log "$name %%v %%p %%>s %%s %%H \"%%r\" %%{SSL_TLS_SNI}x %%{SSL_PROTOCOL}x %%{SSL_CIPHER}x %%{SSL_SERVER_S_DN_CN}x %%{SSL_CLIENT_S_DN_CN}x %%{SSL_CLIENT_VERIFY}x %%{SSL_SESSION_RESUMED}x %%A %%{local}p %%V %%u %%{IS_A}e %%{remote}p %%A:%%{local}p"
</Macro>
<Directory "%www%">
    Options Includes
    AllowOverride None
    Require all granted
</Directory>
Alias "/status" "%www%/shared"
AddType text/html .html .shtml
AddOutputFilter INCLUDES .shtml
Timeout 4
KeepAliveTimeout 4
AllowCONNECT 1-65535
LogLevel info ssl:info
ErrorLogFormat "[%%{u}t] [%%-m:%%l] [pid %%P] %%E: [client\ %%a\ at\ %%A] %%M% ,\ referer\ %%{Referer}i"
END
    $text .= join("\n", @{ $c->{main} }) . "\n";
    for my $v (@{ $c->{vhosts} }) {
        $text .= "<VirtualHost @{ $v->{addrs} }>\n"
            . join('', map { s/^/    /gmr . "\n" } "Use Label $v->{id}",
                   @{ $v->{names} }, @{ $v->{lines} }, @{ $v->{tls} })
            . "</VirtualHost>\n";
    }
    my $certs = $c->{certs} || Sniv::Certs::dir();
    $text =~ s/%(h1|h2|s1|s2|back)%/$c->{ports}{$1}/g;
    $text =~ s/%certs%/$certs/g;
    $text =~ s/%www%/$c->{www}/g;
    $text =~ s/%%/%/g;
    return $text;
}

# Files for every virtual host, the same for all configurations.
sub write_pages {
    my ($www, $n) = @_;
    require File::Path;
    for my $id ('main', 'shared', map { "v$_" } 0 .. $n) {
        for my $dir ('', 'dir/', 'sp1/', 'sp2/', 'secure/', 'cipher/',
                     'deny/') {
            File::Path::make_path("$www/$id/$dir");
            _write("$www/$id/${dir}index.html", "$id index of $dir\n");
            _write("$www/$id/${dir}error.html", "$id error in $dir\n");
        }
        _write("$www/$id/other.html", "$id other\n");
        my $echo = join ' ', map { qq(<!--#echo var="$_" -->) }
            qw(SERVER_NAME SERVER_PORT SERVER_ADMIN DOCUMENT_ROOT HTTP_HOST
               HTTPS REQUEST_SCHEME CONTEXT_DOCUMENT_ROOT REDIRECT_STATUS
               SSL_TLS_SNI SSL_SERVER_S_DN_CN SSL_PROTOCOL REQUEST_URI);
        my $inc = '<!--#include virtual="/other.html" -->';
        _write("$www/$id/inc.shtml", "$id $echo\n$inc");
        _write("$www/$id/error.shtml", "$id error $echo\n$inc");
    }
    return;
}

# Servers of another run may be reading it.
sub _write {
    my ($file, $text) = @_;
    return if -e $file && -s _ == length $text;
    my $new = "$file.$$";
    open my $fh, '>', $new or die "$new: $!\n";
    print $fh $text;
    close $fh or die "$new: $!\n";
    # A young file has a weak ETag, for a moment.
    utime 1_000_000_000, 1_000_000_000, $new;
    rename $new, $file or die "$file: $!\n";
    return;
}

# One change that a comparison must find: for the sabotage mode. Returns
# what was done, or nothing if this configuration has nothing to change.
sub sabotage {
    my ($c, $how) = @_;
    my $v = $c->{vhosts};
    if ($how eq 'swap') {
        for my $i (0 .. $#$v - 1) {
            for my $j ($i + 1 .. $#$v) {
                next if "@{ $v->[$i]{addrs} }" ne "@{ $v->[$j]{addrs} }";
                @$v[$i, $j] = @$v[$j, $i];
                return "$v->[$i]{id} and $v->[$j]{id} changed places";
            }
        }
    }
    elsif ($how eq 'alias') {
        for my $h (@$v) {
            my @gone = grep { /ServerAlias/ } @{ $h->{names} } or next;
            @{ $h->{names} } = grep { !/ServerAlias/ } @{ $h->{names} };
            return "$h->{id} lost: @gone";
        }
    }
    elsif ($how eq 'cert') {
        for my $h (@$v) {
            for my $line (@{ $h->{tls} }) {
                return "$h->{id} has another certificate"
                    if $line =~ s{/(?:c\d|shared)\.(crt|key)}{/c9.$1}g;
            }
        }
    }
    else {
        die "sabotage '$how': swap, alias or cert\n";
    }
    return;
}

1;
