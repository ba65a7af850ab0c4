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

# Encrypted Client Hello (RFC 9849): the inner name chooses, as at stock httpd.
# Needs OpenSSL 4; the keys come from t/modules/mod_ech.c.
# Environment: ECH_HELLOS, how many handshakes of each kind (3).

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy qw(copy);
use File::Path qw(make_path remove_tree);
use Test::More;

use Sniv::Chain qw(make_cert slurp);
use Sniv::Httpd;
use Sniv::Pair;

plan skip_all => 'without the module there is nothing to compare'
    if Sniv::Httpd::mode() ne 'on';
my $hellos = $ENV{ECH_HELLOS} || 3;
my $work = Sniv::Httpd::work() . "/ech.$$";
END {
    my $status = $?;
    remove_tree($work) if $work;
    $? = $status;
}
make_path("$work/certs");

sub key_file {
    my ($name) = @_;
    my $file = "$work/$name/key.ech";
    make_path("$work/$name");
    qx{openssl ech -public_name outer.test -out $file 2>&1};
    return -s $file;
}
plan skip_all => 'Encrypted Client Hello needs OpenSSL 4: openssl(1) here '
    . 'has no command "ech"' if !key_file('right');
key_file('wrong');

copy("$FindBin::Bin/modules/mod_ech.c", $work) or die "copy: $!\n";
my $said = do {
    my $apxs = $ENV{APXS} || 'apxs';
    qx{cd $work && $apxs -c mod_ech.c 2>&1};
};
die "apxs: $said" if !-e "$work/.libs/mod_ech.so";

# What a DNS server would give to clients.
sub config {
    my ($name) = @_;
    my ($list) = slurp("$work/$name/key.ech")
        =~ /BEGIN ECHCONFIG-----\s*(.*?)\s*-----END/s;
    $list =~ s/\s//g;
    return ('-ech_config_list', $list);
}

make_cert($work, $_) for qw(v0 outer v2 v3);
make_cert($work, 'glob', names => ['*.glob.test']);
make_cert($work, 'folder', names => ['folder.test', 'v2.test']);
{
    open my $out, '>', "$work/certs/folder.pem" or die "folder.pem: $!\n";
    print $out slurp("$work/folder.leaf"), slurp("$work/folder.key");
    close $out;
}

# The server's groups are such that a client that begins with another one is
# asked for it.
sub conf {
    my ($port, $key) = @_;
    my $text = "LoadModule ech_module $work/.libs/mod_ech.so\n"
        . ($key ? "SSLECHKeyDir $work/$key\n" : '')
        . "SSLOpenSSLConfCmd Groups P-256:X25519\n"
        . Sniv::Httpd::sni_policy_conf('insecure')
        . 'Header always set X-Seen '
        . qq("%{SSL_TLS_SNI}s/%{SSL_SERVER_S_DN_CN}s"\n);
    for my $name (qw(v0 outer v2 v3 glob)) {
        my $names = $name eq 'glob'
            ? "ServerName a.glob.test\nServerAlias *.glob.test"
            : "ServerName $name.test";
        $text .= "<VirtualHost *:$port>\n$names\nSSLEngine on\n"
            . "SSLCertificateFile $work/$name.crt\n"
            . "SSLCertificateKeyFile $work/$name.key\n"
            . "Header always set X-Vhost $name\n</VirtualHost>\n";
    }
    return $text;
}

{
    open my $out, '>', "$work/request" or die "request: $!\n";
    print $out "GET / HTTP/1.1\r\nHost: v3.test\r\nConnection: close\r\n\r\n";
    close $out;
    open $out, '>', "$work/all.crt" or die "all.crt: $!\n";
    print $out map { slurp("$work/$_.crt") } qw(v0 outer v2 v3 glob folder);
    close $out;
}

# What a client sees: how Encrypted Client Hello went, how many hellos it took,
# the certificate, whether the session was resumed, who answered; or the
# alert.
sub ask {
    my ($addr, $port, $name, @args) = @_;
    my $pid = open my $out, '-|';
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', "$work/request" or die "request: $!\n";
        exec 'timeout', 30 * Sniv::Httpd::patience(), 'openssl', 's_client',
            '-connect', "$addr:$port", '-ign_eof', '-msg',
            '-CAfile', "$work/all.crt", '-servername', $name, @args
            or die "openssl: $!\n";
    }
    my $text = do { local $/; <$out> };
    close $out;
    return join ', ', 'hellos ' . (() = $text =~ />>>.*ClientHello/g),
        $text =~ /^\s*ECH: (.*?)\s*$/m ? "ECH $1" : 'no ECH',
        $text =~ /^subject=CN ?= ?(\S+)/m ? "certificate $1" : (),
        $text =~ /^Reused/m ? 'resumed' : (),
        $text =~ m{^HTTP/1.1 (\d+)}m ? "status $1" : (),
        $text =~ /^X-Vhost: (\S+)/m ? "answer of $1" : (),
        $text =~ /^X-Seen: (\S+)/m ? "seen $1" : (),
        grep { !/close_notify/ }
            $text =~ /<<< TLS.*?Alert.*?\], (?:fatal|warning) (.*)/g;
}

my @right = config('right');
my @wrong = config('wrong');
my @retry = ('-groups', 'X448:P-256');

# [what, what stock has to say, name, arguments]
my @KINDS = (
    ['inner name', qr{^hellos\ 1,\ ECH\ success.*certificate\ v2,.*
                      answer\ of\ v3,\ seen\ v2.test/v2\b}x,
     'v2.test', @right],
    ['inner name, by glob', qr/^hellos 1, ECH success.*certificate glob,/,
     'x.glob.test', @right],
    ['inner name that no virtual host has', qr/certificate v0,/,
     'nobody.test', @right],
    ['inner name, no outer one', qr/^hellos 1, ECH success.*certificate v2,/,
     'v2.test', @right, '-ech_no_outer_sni'],
    ['inner name, an outer one of another virtual host',
     qr/^hellos 1, ECH success.*certificate v2,/,
     'v2.test', @right, '-ech_outer_sni', 'v3.test'],
    ['a key that the server has not got',
     qr/^hellos 1, ECH failed.*certificate outer/, 'v2.test', @wrong],
    ['GREASE', qr/^hellos 1, ECH GREASE.*certificate v2,/,
     'v2.test', '-ech_grease'],
    ['HelloRetryRequest, inner name',
     qr/^hellos 2, ECH success.*certificate v2,/, 'v2.test', @right, @retry],
    ['HelloRetryRequest, a key that the server has not got', qr/^hellos 2/,
     'v2.test', @wrong, @retry],
    ['HelloRetryRequest, GREASE', qr/^hellos 2, ECH GREASE.*certificate v2,/,
     'v2.test', '-ech_grease', @retry],
    ['no Encrypted Client Hello', qr/^hellos 1, ECH NOT.*certificate v2,/,
     'v2.test'],
    ['TLS 1.2', qr/^hellos 1, .*certificate v2,/, 'v2.test', '-tls1_2'],
);

# Every kind as often as asked for; one test each.
sub compare {
    my ($pair, $what) = @_;
    for my $kind (@KINDS) {
        my ($how, $like, @ask) = @$kind;
        my %seen;
        for my $which ('stock', 'ours') {
            for (1 .. $hellos) {
                my $got = ask($pair->addr($which), $pair->port, @ask);
                $seen{$which}{$got}++;
            }
        }
        my $stock = join '; ', map { "$_ ($seen{stock}{$_})" }
            sort keys %{ $seen{stock} };
        like($stock, $like, "$what, $how: stock") if $what =~ /^lean/;
        is(join('; ', map { "$_ ($seen{ours}{$_})" }
                sort keys %{ $seen{ours} }), $stock,
           "$what, $how: $hellos like stock");
    }
    return;
}

# A session goes on in its virtual host and in no other.
sub resume {
    my ($pair, $what) = @_;
    my %got;
    for my $which ('stock', 'ours') {
        my $session = "$work/$which.session";
        unlink $session;
        my $ask = sub {
            ask($pair->addr($which), $pair->port, @_, @right);
        };
        $ask->('v2.test', '-sess_out', $session);
        $got{$which} = -s $session
            ? join("\n", map { $ask->("$_.test", '-sess_in', $session) }
                   qw(v2 v3)) : 'no session';
    }
    like($got{stock}, qr/^[^\n]*resumed[^\n]*\n(?!.*resumed)/,
         "$what, resumed: stock");
    is($got{ours}, $got{stock}, "$what, resumed: like stock");
    return;
}

for my $case (['lean', "SNIVHostAdopt On\n"], ['not lean', ''],
              ['Verify', '', mode => 'verify'],
              ['handshakes may be refused', "SNIVHostAdopt On\n"
               . "SNIVHostUnknownSNI refuse\nSNIVHostAllowHost *\n"]) {
    my ($what, $extra, %more) = @$case;
    my $pair = Sniv::Pair->new(name => 'ech', extra => $extra, %more,
        conf => sub { conf($_[0], 'right') })->start;
    like($pair->log('ours'), qr/adopted 4 of 5/, "$what: lean ones")
        if $extra =~ /Adopt/;
    compare($pair, $what);
    resume($pair, $what);
    $pair->stop;
}

# ----- a server without keys: what looks like Encrypted Client Hello is not

{
    my $pair = Sniv::Pair->new(name => 'ech', extra => "SNIVHostAdopt On\n",
        loglevel => 'debug', conf => sub { conf($_[0]) })->start;
    for my $case (['GREASE', '-ech_grease'], ['a key', @right],
                  ['HelloRetryRequest', '-ech_grease', @retry]) {
        my ($what, @args) = @$case;
        my ($ok, $stock) = $pair->same("no keys, $what", sub {
            ask(@_[0, 1], 'v2.test', @args);
        });
        like($stock, $what eq 'a key' ? qr/certificate outer/
             : qr/certificate v2/, "no keys, $what: stock");
    }
    like($pair->log('ours'), qr/SNIV0100: SNI 'v2.test' on/,
         'no keys: the name is that of the message');
    unlike($pair->log('ours'), qr/SNIV0100: .*Encrypted/, '... always');
    $pair->stop;
}

# ----- refusals and folders, by the inner name

my $h = Sniv::Httpd->new(name => 'ech-refuse', mode => 'on',
                         loglevel => 'debug', conf => sub {
    my ($port) = @_;
    return "Listen 127.0.0.1:$port\nSNIVHostAdopt On\n"
        . "SNIVHostUnknownSNI refuse\nSNIVHostMissingSNI refuse\n"
        . "SNIVHostCertificates $work/certs\n" . conf($port, 'right');
})->start;
for my $case (
    ['inner name known, outer one not', qr/certificate v2,.* answer of v3/,
     'v2.test', @right, '-ech_outer_sni', 'nowhere.test'],
    ['no outer name', qr/certificate v2,.* answer of v3/,
     'v2.test', @right, '-ech_no_outer_sni'],
    ['inner name unknown', qr/^hellos 1, (?!.*certificate).*unrecognized_name$/,
     'nobody.test', @right],
    ['inner name unknown, HelloRetryRequest',
     qr/(?!.*certificate).*unrecognized_name$/, 'nobody.test', @right, @retry],
    ['inner name known, HelloRetryRequest', qr/^hellos 2, .*certificate v2,/,
     'v2.test', @right, @retry, '-ech_outer_sni', 'nowhere.test'],
    ['a key that the server has not got, outer name known',
     qr/certificate outer/, 'nobody.test', @wrong],
    ['a key that the server has not got, outer name unknown',
     qr/unrecognized_name$/, 'v2.test', @wrong, '-ech_outer_sni',
     'nowhere.test'],
    ['inner name in the folder',
     qr/certificate folder,.*seen folder.test.folder/, 'folder.test', @right],
    ['outer name in the folder', qr/certificate v2,/, 'v2.test', @right,
     '-ech_outer_sni', 'folder.test'],
) {
    my ($what, $like, @ask) = @$case;
    like(ask('127.0.0.1', $h->ports, @ask), $like, "refuse: $what");
}
like($h->read('error.log'), qr/SNIV0601: .*'nobody.test'/,
     'the line about a refusal has the inner name');
like($h->read('error.log'),
     qr/SNIV0100: SNI 'v2.test' \(Encrypted Client Hello offered\) on/,
     'the line about a decision says it');
$h->remove;

done_testing;
