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

# The process that looks for changed certificates: what it may, that it ends
# Virtual hosts that mod_ssl sets up serve renewed certificates without a
# restart: each kind of them, and what stock httpd serves after a restart is
# the measure. What only a restart can do is left to it, and reported.

use strict;
use warnings FATAL => 'all';

use File::Copy qw(copy);
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Time::HiRes qw(sleep time);

use Sniv::Chain qw(dh_params make_cert slurp spew);
use Sniv::Client;
use Sniv::Httpd;
use Sniv::Pair;

plan skip_all => 'without the module a renewal needs a restart'
    if Sniv::Httpd::mode() eq 'off';

my $LONG = 60;                  # seconds, times patience

my $ssl = Sniv::Httpd::work() . "/renewal-ssl.$$";
make_cert($ssl, 'ca', is_ca => 1);
make_cert($ssl, 'sub', is_ca => 1, ca => 'ca');
make_cert($ssl, 'client', ca => 'ca');
my @KINDS = qw(first other ip client chained inside dh late auto staple must
               locked giver taker default);
for my $n (1 .. 2) {
    make_cert($ssl, "$_-$n", names => ["$_.test"], ca => 'sub',
              chain => ['sub']) for @KINDS, 'lean';
    make_cert($ssl, "rsa-$n", names => ['ip.test'], key => 'rsa', ca => 'sub',
              chain => ['sub']);
    make_cert($ssl, "responder-$n", names => ['staple.test'], ca => 'sub',
              chain => ['sub'],
              add => ['-addext', 'authorityInfoAccess=OCSP;URI:http://o.test/']);
    make_cert($ssl, "tlsfeature-$n", names => ['must.test'], ca => 'sub',
              chain => ['sub'], add => ['-addext', 'tlsfeature=status_request']);
}
make_cert($ssl, 'late-3', names => ['late.test'], ca => 'sub',
          chain => ['sub'],
          add => ['-addext', 'authorityInfoAccess=OCSP;URI:http://o.test/']);
my $dh = dh_params();
spew("$ssl/ask", "#!/bin/sh\necho secret\n");
chmod 0755, "$ssl/ask";

sub put {
    my ($file, @texts) = @_;
    mkdir "$ssl/live";
    spew("$ssl/live/$file.tmp", join '', @texts);
    chmod 0600, "$ssl/live/$file.tmp";
    rename "$ssl/live/$file.tmp", "$ssl/live/$file" or die "$file: $!\n";
    return;
}

sub crt { return slurp("$ssl/$_[0].crt"); }
sub leaf { return slurp("$ssl/$_[0].leaf"); }
sub key { return slurp("$ssl/$_[0].key"); }

sub locked_key {
    my ($name) = @_;
    my $key = qx{openssl pkey -in $ssl/$name.key -aes128 -passout pass:secret};
    die "openssl pkey\n" if $?;
    return $key;
}

# The files of all virtual hosts, of one generation.
sub put_all {
    my ($n) = @_;
    for my $name (qw(first other ip client giver taker default lean)) {
        put("$name.key", key("$name-$n"));
        put("$name.crt", crt("$name-$n"));
    }
    put('rsa.crt', crt("rsa-$n"));
    put('rsa.key', key("rsa-$n"));
    put('chained.key', key("chained-$n"));
    put('chained.crt', leaf("chained-$n"));
    put('chain.pem', leaf('sub'), $n > 1 ? leaf('ca') : ());
    put('inside.pem', key("inside-$n"), crt("inside-$n"));
    put('dh.pem', crt("dh-$n"), key("dh-$n"), $dh);
    put('late.pem', crt("late-$n"), key("late-$n"));
    put('auto.pem', leaf("auto-$n"), key("auto-$n"));
    put('staple.pem', crt("responder-$n"), key("responder-$n"));
    put('must.pem', crt("tlsfeature-$n"), key("tlsfeature-$n"));
    put('locked.crt', crt("locked-$n"));
    put('locked.key', locked_key("locked-$n"));
    return;
}

# name => what is in its <VirtualHost>; each on an address of its own, but for
# those of @SHARED
my %OF = (
    first => "SSLCertificateFile live/first.crt\n"
        . "SSLCertificateKeyFile live/first.key\n",
    lean => "SSLCertificateFile live/lean.crt\n"
        . "SSLCertificateKeyFile live/lean.key\n",
    other => "SSLCertificateFile live/other.crt\n"
        . "SSLCertificateKeyFile live/other.key\n"
        . "SSLCipherSuite ECDHE-ECDSA-AES256-GCM-SHA384\n",
    giver => "SSLCertificateFile live/giver.crt\n"
        . "SSLCertificateKeyFile live/giver.key\nSSLHonorCipherOrder on\n",
    taker => "SSLCertificateFile live/taker.crt\n"
        . "SSLCertificateKeyFile live/taker.key\nSSLHonorCipherOrder on\n",
    ip => "SSLCertificateFile live/ip.crt\nSSLCertificateKeyFile live/ip.key\n"
        . "SSLCertificateFile live/rsa.crt\n"
        . "SSLCertificateKeyFile live/rsa.key\n",
    client => "SSLCertificateFile live/client.crt\n"
        . "SSLCertificateKeyFile live/client.key\n"
        . "SSLCACertificateFile ca.leaf\nSSLVerifyClient require\n",
    chained => "SSLCertificateFile live/chained.crt\n"
        . "SSLCertificateKeyFile live/chained.key\n"
        . "SSLCertificateChainFile live/chain.pem\n",
    inside => "SSLCertificateFile live/inside.pem\n",
    dh => "SSLCertificateFile live/dh.pem\n",
    late => "SSLCertificateFile live/late.pem\nSSLUseStapling on\n",
    auto => "SSLCertificateFile live/auto.pem\n"
        . "SSLCACertificateFile cas.pem\n",
    staple => "SSLCertificateFile live/staple.pem\nSSLUseStapling on\n",
    must => "SSLCertificateFile live/must.pem\n",
    locked => "SSLCertificateFile live/locked.crt\n"
        . "SSLCertificateKeyFile live/locked.key\n",
    default => "SSLCertificateFile live/default.crt\n"
        . "SSLCertificateKeyFile live/default.key\nSSLCompression off\n",
);
# giver is the donor of taker
my @SHARED = qw(first lean other giver taker);
my @ALONE = qw(ip client chained inside dh late auto default);
my @LEFT = qw(staple must locked);
my %REASON = (
    staple => 'SSLUseStapling is on and its certificate names an OCSP '
        . 'responder',
    must => 'its certificate requires a staple',
    locked => 'its key needs a pass phrase',
);
spew("$ssl/cas.pem", leaf('sub') . leaf('ca'));

my %port;
@port{@ALONE, @LEFT} = Sniv::Httpd::free_ports(@ALONE + @LEFT);

sub conf {
    my ($port, $which) = @_;
    my $addr = Sniv::Pair->addr($which);
    my $text = "SSLPassPhraseDialog exec:$ssl/ask\nSSLStaplingCache "
        . "shmcb:stapling(64000)\nSSLSessionCache shmcb:sessions(512000)\n";
    for my $name (@SHARED, 'text', @ALONE, @LEFT) {
        my $at = $port{$name} || $port;
        my $lines = ($OF{$name} || '') =~ s{(?<=File )(?=live|ca)}{$ssl/}gr;
        $text .= "Listen $addr:$at\n" if $at != $port;
        $text .= "<VirtualHost $addr:$at>\nServerName $name.test\n"
            . ($lines && "SSLEngine on\n") . $lines
            . 'Header always set X-Cert "%{SSL_SERVER_S_DN_CN}s"' . "\n"
            . "Header always set X-Vhost $name\n"
            . "<Location /ask>\nSSLVerifyClient optional_no_ca\n</Location>\n"
            . "</VirtualHost>\n";
    }
    return $text;
}

put_all(1);
my $pair = Sniv::Pair->new(name => 'renewal', conf => \&conf,
    extra => "SNIVHostAdopt On\nSNIVHostCertificateCheck 1\n"
        . "LogLevel snivhost:debug\n")->start;
my $ours = $pair->server('ours');

# What a client gets: chain, version, virtual host, what variables say.
sub seen {
    my ($addr, $name, %tls) = @_;
    my $path = delete $tls{path};
    my $c = Sniv::Client->new(addr => $addr, port => $port{$name}
                                                     || $pair->port,
        tls => { sni => "$name.test", %tls, $name eq 'client' || $path
                 ? (cert_files => ["$ssl/client.crt", "$ssl/client.key"])
                 : () });
    return $c->error if $c->error;
    my $r = $c->get("$name.test", $path);
    return join ' ', $c->version, $c->chain, '->', $r->{status},
        map { $r->{headers}{$_} // '-' } qw(x-vhost x-cert);
}

sub serves {
    my ($which, $name) = @_;
    my $c = Sniv::Client->new(addr => Sniv::Pair->addr($which),
        port => $port{$name} || $pair->port, tls => { sni => "$name.test" });
    return $c->error || $c->cert;
}

sub soon {
    my ($code) = @_;
    my $end = time + $LONG * Sniv::Httpd::patience();
    while (time < $end) {
        return 1 if $code->();
        sleep 0.05;
    }
    return 0;
}

my @CLIENTS = (
    {}, { max => '1.2' }, { sigalgs => 'RSA-PSS+SHA256:RSA+SHA256' },
    { sigalgs => 'ECDSA+SHA256', max => '1.2' }, { max => '1.2', path => '/ask' },
    { pha => 1, path => '/ask' },
);

# Every kind, with every client, in both servers.
sub same {
    my ($what, @names) = @_;
    for my $name (@names) {
        for my $client (@CLIENTS) {
            my ($stock, $mine) = map {
                seen(Sniv::Pair->addr($_), $name, %$client)
            } qw(stock ours);
            is $mine, $stock, "$what: $name, "
                . join ' ', map { "$_ $client->{$_}" } sort keys %$client;
        }
    }
    return;
}

# ----- before

my @RENEWED = (@SHARED, 'text', 'unknown', @ALONE);
same('before', @RENEWED, @LEFT);
is serves('ours', 'ip'), 'ip-1', 'the first generation';
my $notice = $ours->wait_for_log('error.log', qr/SNIV0355/, $LONG) // '';
like $notice, qr/of 3 of \d+ TLS virtual hosts .* staple\.test /,
    'how many are left to a restart';
like $ours->read('error.log'), qr/SNIV0356: .* host $_\.test .*: $REASON{$_}$/m,
    "why $_" for @LEFT;

# Sessions of before are resumed later on.
my %session;
for my $name ('first', 'ip', 'other') {
    for my $version ('1.2', '1.3') {
        my $c = Sniv::Client->new(addr => $pair->addr('ours'),
            port => $port{$name} || $pair->port,
            tls => { sni => "$name.test", max => $version });
        $c->get("$name.test");
        $session{"$name $version"} = $c->session;
    }
}

# ----- renewed

put_all(2);
for my $name (@SHARED, @ALONE) {
    next if $name eq 'client';
    ok soon(sub { serves('ours', $name) eq "$name-2" }), "$name is renewed";
}
ok soon(sub { seen($pair->addr('ours'), 'client') =~ / client-2 / }),
    'client is renewed';
ok soon(sub { seen($pair->addr('ours'), 'ip',
                   sigalgs => 'RSA-PSS+SHA256') =~ / rsa-2 / }), 'RSA, too';
my $starts = () = $ours->read('error.log') =~ /resuming normal operations/g;
is $starts, 1, 'without a restart';
for my $what (sort keys %session) {
    my ($name, $version) = split / /, $what;
    my $c = Sniv::Client->new(addr => $pair->addr('ours'),
        port => $port{$name} || $pair->port,
        tls => { sni => "$name.test", max => $version,
                 session => $session{$what} });
    my $r = $c->get("$name.test");
    is $c->resumed, 1, "$what: the session resumes";
    is $r->{headers}{'x-cert'}, "$name-2", "$what: variables are of today";
}
$pair->restart('stock');
same('renewed', @RENEWED);
is seen($pair->addr('ours'), $_) =~ s/ ->.*//r, join(' ', '1.3', {
    staple => 'responder', must => 'tlsfeature', locked => 'locked' }->{$_}
    . '-1', 'sub'), "$_ is as it was" for @LEFT;
unlike $ours->read('error.log'), qr/:(?:warn|error|crit)\] .*SNIV0[0-35-9]/,
    'nothing to complain about';
my ($status, $said) = $ours->check('-DDUMP_SNIVHOST', '-t');
for my $name (@LEFT) {
    like $said, qr/\Q$name\E\.test.*?renewal\s+requires a restart: \Q$REASON{$name}/s,
        "the dump says it of $name";
}
my $count = () = $said =~ /requires a restart/g;
is $count, 3, '... and of no other';

# ----- after a restart

$pair->restart('ours');
ok soon(sub { serves('ours', 'locked') eq 'locked-2' }), 'a restart';
same('restarted', @RENEWED, @LEFT);

# ----- what is not served

put('first.key', key('first-1'));
put('other.crt', crt('lean-1'));
put('other.key', key('lean-1'));
put('dh.pem', crt('dh-1'), key('dh-1'));
put('late.pem', crt('late-3'), key('late-3'));
put('ip.crt', crt('ip-1'));
put('ip.key', key('ip-1'));
ok soon(sub { serves('ours', 'ip') eq 'ip-1' }), 'a good one';
for my $case (['first.key', qr/does not belong/],
              ['other.crt', qr/other names/],
              ['dh.pem', qr/other DH or EC PARAMETERS/],
              ['late.pem', qr/SSLUseStapling is on; restart the server/]) {
    ok $ours->wait_for_log('error.log', qr/SNIV0\d+: .*\Q$case->[0]\E.*$case->[1]/,
                           $LONG), "$case->[0]: one line";
}
is serves('ours', $_), "$_-2", "$_: the old one is served"
    for 'first', 'other', 'dh', 'late';
put('first.crt', crt('first-1'));
ok soon(sub { serves('ours', 'first') eq 'first-1' }), 'matched again';

$pair->stop;
$pair->server($_)->remove for 'stock', 'ours';

# ----- a challenge that mod_md answers (tls-alpn-01)

SKIP: {
    skip 'no mod_md', 5 if !-e Sniv::Httpd::apxs('LIBEXECDIR') . '/mod_md.so';
    put_all(1);
    my $h = Sniv::Httpd->new(name => 'renewal-md', mode => 'on', ports => 1,
        modules => ['watchdog', 'md'], loglevel => 'warn', conf => sub {
        my $a = "127.0.0.1:$_[0]";
        return "Listen $a\nSNIVHostAdopt On\nSNIVHostCertificateCheck 1\n"
            . "Protocols http/1.1 acme-tls/1\nMDStoreDir md\n"
            . "<MDomainSet managed.test>\nMDMember manual\n"
            . "MDRenewMode manual\nMDCertificateAuthority "
            . "http://127.0.0.1:1/\n</MDomainSet>\n<VirtualHost $a>\n"
            . "ServerName first.test\nSSLEngine on\n"
            . ($OF{first} =~ s{(?<=File )}{$ssl/}gr) . "</VirtualHost>\n";
    })->start;
    my $challenge = 'md/challenges/managed.test/acme-tls-alpn-01-';
    $h->write("${challenge}pubcert.pem", crt('ip-1'));
    $h->write("${challenge}privkey.pem", key('ip-1'));
    system 'chmod', '-R', 'a+rX', $h->dir . '/md';
    my $shown = sub {
        my $c = Sniv::Client->new(addr => '127.0.0.1', port => $h->ports,
                                  tls => { @_ });
        return $c->error || $c->cert;
    };
    my @challenge = (sni => 'managed.test', alpn => ['acme-tls/1']);
    is $shown->(@challenge), 'ip-1', 'a challenge';
    put('first.key', key('first-2'));
    put('first.crt', crt('first-2'));
    ok soon(sub { $shown->(sni => 'first.test') eq 'first-2' }), 'renewed';
    is $shown->(@challenge), 'ip-1', 'a challenge is answered';
    is $shown->(@challenge, max => '1.2'), 'ip-1', '... with TLS 1.2, too';
    is $shown->(sni => 'managed.test'), 'first-2', 'and nothing else';
    $h->stop;
    $h->remove;
}

# ----- another module provides the certificate

{
    copy("$FindBin::Bin/modules/mod_adds.c", $ssl) or die "copy: $!\n";
    my $apxs = $ENV{APXS} || 'apxs';
    my $said = qx{cd $ssl && $apxs -c mod_adds.c 2>&1};
    die "apxs: $said" if !-e "$ssl/.libs/mod_adds.so";
    put_all(1);
    my $h = Sniv::Httpd->new(name => 'renewal-adds', mode => 'on', ports => 1,
        conf => sub {
        my $a = "127.0.0.1:$_[0]";
        return "LoadModule adds_module $ssl/.libs/mod_adds.so\nListen $a\n"
            . "SNIVHostAdopt On\nSNIVHostCertificateCheck 1\n"
            . "AddCertificate $ssl/live/inside.pem\n<VirtualHost $a>\n"
            . "ServerName first.test\nSSLEngine on\n"
            . ($OF{first} =~ s{(?<=File )}{$ssl/}gr) . "</VirtualHost>\n";
    })->start;
    my $shown = sub {
        my $c = Sniv::Client->new(addr => '127.0.0.1', port => ($h->ports)[0],
                                  tls => { sni => 'first.test' });
        return $c->error || $c->cert;
    };
    is $shown->(), 'inside-1', 'another module adds a certificate';
    put('inside.pem', key('inside-2'), crt('inside-2'));
    ok soon(sub { $shown->() eq 'inside-2' }), '... which is renewed';
    $h->stop;
    $h->remove;

    # ----- the file is replaced between our look at it and mod_ssl's

    put('inside.pem', key('inside-1'), crt('inside-1'));
    put('later.pem', key('inside-2'), crt('inside-2'));
    $h = Sniv::Httpd->new(name => 'renewal-late', mode => 'on', ports => 1,
        conf => sub {
        my $a = "127.0.0.1:$_[0]";
        return "LoadModule adds_module $ssl/.libs/mod_adds.so\nListen $a\n"
            . "SNIVHostAdopt On\nSNIVHostCertificateCheck 1\n"
            . "ReplaceFile $ssl/live/later.pem $ssl/live/inside.pem\n"
            . "<VirtualHost $a>\nServerName first.test\nSSLEngine on\n"
            . "SSLCertificateFile $ssl/live/inside.pem\n</VirtualHost>\n";
    })->start;
    is $shown->(), 'inside-2', 'replaced during the start: as mod_ssl has it';
    like $h->read('error.log'), qr{SNIV0357:\ virtual\ host\ first[.]test
        \ \(\S+:\d+\):\ mod_ssl\ has\ another\ certificate\ than}x, '... a line';
    put('later.pem', key('inside-1'), crt('inside-1'));
    ok $h->graceful, '... and after a restart as the file is then';
    is $shown->(), 'inside-1', '... it is served';
    $h->stop;
    $h->remove;
}

END {
    my $status = $?;
    File::Path::remove_tree($ssl) if $ssl;
    $? = $status;
}

done_testing;
