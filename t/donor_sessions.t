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


# Lean virtual hosts with several donors: which sessions resume, session
# tickets with keys from files, client certificates of directories and
# .htaccess files, and 421, as at stock httpd.

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

my $ssl = Sniv::Httpd::work() . "/donor-sessions-ssl.$$";
make_cert($ssl, 'ca', is_ca => 1);
make_cert($ssl, 'other-ca', is_ca => 1);
make_cert($ssl, 'client', ca => 'ca');
make_cert($ssl, 'stranger', ca => 'other-ca');
make_cert($ssl, 'rsa', key => 'rsa');
make_cert($ssl, $_) for qw(one two);

sub write_bytes {
    my ($name, $bytes) = @_;
    open my $fh, '>:raw', "$ssl/$name" or die "$name: $!\n";
    print $fh $bytes;
    close $fh or die "$name: $!\n";
    return;
}
write_bytes("keys$_", join '', map { chr int rand 256 } 1 .. 48) for 1, 2;
write_bytes('zero', "\0" x 48);

# a and b have one donor (a), c and d another (the first one), e its own.
my @NAMES = qw(first a b c d e);
my %CERT = (first => 'rsa', a => 'one', b => 'two', c => 'one', d => 'two',
            e => 'two');
my $A = "SSLHonorCipherOrder on\nSSLCACertificateFile $ssl/ca.crt";
my %OWN = (first => 'SSLProtocol all -SSLv3', a => $A,
           b => "$A\nSSLProtocol TLSv1.2 +TLSv1.3", c => '', d => '',
           e => "SSLSessionTickets off\nSSLCACertificateFile $ssl/ca.crt");

sub conf {
    my ($main, %more) = @_;
    return sub {
        my ($port, $which) = @_;
        my $docs = Sniv::Httpd::work() . "/donor-sessions-$which.$$/htdocs";
        return join "\n", $main,
            qq(<Directory "$docs/ht">\nAllowOverride All\n</Directory>),
            map { ("<VirtualHost *:$port>", "ServerName $_.test", 'SSLEngine on',
                   "SSLCertificateFile $ssl/$CERT{$_}.crt",
                   "SSLCertificateKeyFile $ssl/$CERT{$_}.key", $OWN{$_},
                   $more{$_} // '',
                   "Header always set X-Seen \"$_ %{SSL_SESSION_RESUMED}s "
                   . '%{SSL_CLIENT_VERIFY}s %{SSL_CLIENT_S_DN_CN}s '
                   . '%{SSL_PROTOCOL}s %{SSL_SERVER_S_DN_CN}s"',
                   "<Location /require>\nSSLVerifyClient require\n"
                   . "SSLVerifyDepth 3\n</Location>",
                   "<Location /optional>\nSSLVerifyClient optional\n"
                   . "</Location>", "</VirtualHost>\n") } @NAMES;
    };
}

my $pair = Sniv::Pair->new(name => 'donor-sessions', conf => conf(''),
                           extra => "SNIVHostAdopt On\n");

sub start_with {
    my ($main, %more) = @_;
    $pair->reconf(conf => conf($main, %more));
    for my $which (qw(stock ours)) {
        my $server = $pair->server($which);
        mkdir $server->dir . "/htdocs/$_" for qw(ht require optional);
        $server->write("htdocs/$_/index.html", "page\n")
            for qw(ht require optional);
        $server->write('htdocs/ht/.htaccess', "SSLVerifyClient require\n");
    }
    $pair->start;
    # With keys of tickets from a file: only with OpenSSL 3.0 or later
    my $lean = $main =~ /SSLSessionTicketKeyFile/
        && `openssl version` =~ /\AOpenSSL 1\./ ? 0 : 3;
    like($pair->log('ours'), qr/SNIV0202: adopted $lean of 6/,
         "$lean are lean");
    return;
}

sub client {
    my ($addr, $port, $name, %tls) = @_;
    return Sniv::Client->new(addr => $addr, port => $port,
                             tls => { %tls, sni => "$name.test" });
}

# What a client sees of one request.
sub get {
    my ($c, $name, $path) = @_;
    return $c->error if $c->error;
    my $r = $c->request("GET $path HTTP/1.1\r\nHost: $name.test\r\n\r\n");
    return join ' ', $path, $r->{status}, $r->{error} // '-',
        $r->{headers}{'x-seen'} // '-';
}

# ----- which sessions resume

my @KINDS = (['1.3', { min => '1.3' }],
             ['1.3 after a retry', { min => '1.3', groups => 'P-521:P-256' }],
             ['1.2 ticket', { max => '1.2' }],
             ['1.2 id', { max => '1.2', tickets => 0 }]);

sub compare_sessions {
    my ($what) = @_;
    my $resumed = 0;
    for my $kind (@KINDS) {
        my ($name, $tls) = @$kind;
        for my $from (@NAMES) {
            my (undef, $stock) = $pair->same("$what, $name: from $from", sub {
                my ($addr, $port) = @_;
                my @seen;
                for my $to (@NAMES) {
                    my $c = client($addr, $port, $from, %$tls);
                    return $c->error if $c->error;
                    get($c, $from, '/');
                    my $d = client($addr, $port, $to, %$tls,
                                   session => $c->session);
                    push @seen, $d->error ? $d->error
                        : $d->resumed . ' ' . get($d, $to, '/');
                }
                return join "\n", @seen;
            });
            $resumed += () = $stock =~ /^1 /mg;
        }
    }
    cmp_ok($resumed, '>', 10, "$what: sessions resume");
    return;
}

my $POLICY = Sniv::Httpd::sni_policy_conf('insecure');
my $CURVES = "SSLOpenSSLConfCmd Groups X25519:P-256\n";
for my $cache ('none', 'shmcb:sessions(512000)') {
    start_with("SSLSessionCache $cache\n$POLICY$CURVES");
    compare_sessions("cache $cache");
    $pair->stop;
    start_with("SSLSessionCache $cache\n$POLICY$CURVES"
               . "SSLSessionTicketKeyFile $ssl/keys1\n");
    compare_sessions("cache $cache, keys from a file");
    $pair->stop;
}
start_with("SSLSessionCache none\n$POLICY$CURVES"
           . "SSLSessionTicketKeyFile $ssl/keys1\n",
           b => "SSLSessionTicketKeyFile $ssl/keys2",
           d => "SSLSessionTicketKeyFile $ssl/keys2");
compare_sessions('keys from two files');
$pair->stop;

# ----- tickets of another server

# A server with a file of keys makes a ticket, another one reads it.
sub crosses {
    my ($maker, $made, $read) = @_;
    my ($port) = Sniv::Httpd::free_ports(1);
    my %addr = (maker => '127.0.0.1', reader => '127.0.0.2');
    my %mode = (maker => $maker, reader => 'on');
    my %keys = (maker => $made, reader => $read);
    my %server = map {
        my $role = $_;
        ($role => Sniv::Httpd->new(name => "donor-sessions-$role",
            mode => $mode{$role}, ports => [$port], conf => sub {
                return "Listen $addr{$role}:$port\n"
                    . ($mode{$role} eq 'on' ? "SNIVHostAdopt On\n" : '')
                    . conf("SSLSessionCache none\n$POLICY$CURVES"
                           . "SSLSessionTicketKeyFile $ssl/$keys{$role}\n")
                          ->($port, $role);
            })->start)
    } qw(maker reader);
    my @got;
    for my $version ('1.2', '1.3') {
        for my $name (@NAMES) {
            for my $to ($name, $name eq 'b' ? 'c' : 'b') {
                my $c = client($addr{maker}, $port, $name,
                               min => $version, max => $version);
                get($c, $name, '/');
                my $d = client($addr{reader}, $port, $to,
                               min => $version, max => $version,
                               session => $c->session);
                push @got, "$version $name $to "
                    . ($d->error // $d->resumed);
            }
        }
    }
    $_->stop for values %server;
    return join "\n", @got;
}

my $expected = join "\n", map {
    my $version = $_;
    map { my $name = $_;
          map { "$version $name $_ " . ($_ eq $name && $name ne 'e' ? 1 : 0) }
              $name, $name eq 'b' ? 'c' : 'b' } @NAMES } '1.2', '1.3';
(my $none = $expected) =~ s/ 1$/ 0/mg;
is(crosses('on', 'keys1', 'keys1'), $expected,
   'a ticket of another server with the same keys: at its own host only');
is(crosses('on', 'keys2', 'keys1'), $none, '... with other keys: at none');
is(crosses('off', 'zero', 'keys1'), $none,
   'a ticket made with keys of zero bytes does not resume');
# mod_ssl of httpd 2.4.71 with OpenSSL 3 signs with an empty secret, whatever
# is in the file: that is for none of ours to accept.
unlike(crosses('off', 'keys1', 'keys1'), qr/alert|closed/,
       'a ticket of stock httpd fails no handshake');

# ----- client certificates

my %WHO = (nobody => undef, client => [map { "$ssl/client.$_" } qw(crt key)],
           stranger => [map { "$ssl/stranger.$_" } qw(crt key)]);
start_with("SSLSessionCache shmcb:sessions(512000)\n$POLICY");
for my $version ('1.2', '1.3') {
    for my $who (sort keys %WHO) {
        for my $name (@NAMES) {
            my (undef, $stock) =
                $pair->same("$version, $who at $name", sub {
                my ($addr, $port) = @_;
                my %tls = (min => $version, max => $version, pha => 1,
                           $WHO{$who} ? (cert_files => $WHO{$who}) : ());
                return join "\n", map {
                    my @paths = @$_;
                    my $c = client($addr, $port, $name, %tls);
                    join ' ', map {
                        s/alert \d+|closed|Connection.*/gone/r
                    } map { get($c, $name, $_) } @paths;
                } ['/require/'], ['/optional/', '/require/'], ['/ht/'],
                  ['/', '/ht/', '/require/'];
            });
            like($stock, qr{/require/ 200 - $name \S+ SUCCESS client}, '... served')
                if $who eq 'client' && $name =~ /\A[abe]\z/;
        }
    }
}
$pair->stop;

# ----- 421

for my $policy (qw(strict secure authonly insecure)) {
    my $line = Sniv::Httpd::sni_policy_conf($policy);
    next if !$line;
    start_with("SSLSessionCache none\n$line");
    for my $sni (@NAMES, 'unknown') {
        $pair->same("$policy, SNI $sni", sub {
            my ($addr, $port) = @_;
            return join "\n", map {
                get(client($addr, $port, $sni), $_, '/')
            } @NAMES;
        });
    }
    $pair->stop;
}

done_testing;
