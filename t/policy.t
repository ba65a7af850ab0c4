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

# Names that nobody serves: SNIVHostUnknownSNI, SNIVHostMissingSNI,
# SNIVHostUnknownHost, SNIVHostAllowHost.

use strict;
use warnings FATAL => 'all';

use File::Copy qw(copy);
use File::Path qw(make_path remove_tree);
use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use Sniv::Certs;
use Sniv::Chain qw(make_cert slurp);
use Sniv::Client;
use Sniv::H2;
use Sniv::Hello;
use Sniv::Httpd;

plan skip_all => 'these directives are the module\'s own'
    if Sniv::Httpd::mode() ne 'on';
Sniv::Certs::make();

# v0 and v1 by name, on 127.0.0.2 one by address. $policy is for the main
# server, $first and $second for the first and second vhost of each set.
sub server {
    my (%arg) = @_;
    my ($policy, $first, $second) = map { $arg{$_} // '' }
        qw(policy first second);
    return Sniv::Httpd->new(name => 'policy', ports => 2, mode => 'on',
        loglevel => 'warn snivhost:info', %arg,
        conf => sub {
        my ($http, $https) = @_;
        my $conf = "Listen 127.0.0.1:$http\nListen 127.0.0.2:$http\n"
            . "Listen 127.0.0.3:$http\n"
            . "Listen 127.0.0.1:$https\nListen 127.0.0.2:$https\n"
            . Sniv::Httpd::sni_policy_conf('insecure')
            . "Protocols h2 http/1.1\n"
            . "$policy\n";
        for my $port ($http, $https) {
            my $tls = $port == $https;
            my $n = 0;
            for my $vhost (["127.0.0.1:$port", 'v0', 'c0', ''],
                           ["127.0.0.1:$port", 'v1', 'c1',
                            "ServerAlias *.x.test\nServerPath /sp1/\n"],
                           ["127.0.0.2:$port", 'ip', 'c2', '']) {
                my ($addr, $name, $cert, $more) = @$vhost;
                $conf .= "<VirtualHost $addr>\nServerName $name.test\n$more"
                    . "Header always set X-Vhost $name\n"
                    . ($n == 0 ? $first : $n == 1 ? $second : '') . "\n"
                    . ($tls ? "SSLEngine on\n" . Sniv::Certs::conf($cert)
                            : '') . "</VirtualHost>\n";
                $n++;
            }
        }
        return $conf;
    });
}

# A folder with one certificate, of c7.test.
sub folder {
    my $dir = Sniv::Httpd::work() . "/policy.$$.certs";
    mkdir $dir;
    for my $file (Sniv::Certs::crt('c7'), Sniv::Certs::key('c7')) {
        copy($file, "$dir/") or die "$file: $!\n";
    }
    return $dir;
}

my ($h, $http, $https);

sub start {
    $h = server(@_);
    $h->start;
    ($http, $https) = $h->ports;
    return;
}

sub handshake {
    my ($sni, $version, $addr) = @_;
    my $c = Sniv::Client->new(addr => $addr || '127.0.0.1', port => $https,
        tls => { $sni ? (sni => $sni) : (), min => $version,
                 max => $version });
    my $result = $c->error || $c->cert;
    $c->close;
    return $result;
}

sub status {
    my ($host, %arg) = @_;
    my $c = Sniv::Client->new(addr => $arg{addr} || '127.0.0.1',
        port => $arg{tls} ? $https : $http,
        $arg{tls} ? (tls => { sni => $arg{tls} }) : ());
    my $r = $c->request('GET ' . ($arg{path} || '/') . ' HTTP/'
        . ($arg{version} || '1.1') . "\r\n"
        . (defined $host ? "Host: $host\r\n" : '')
        . "Connection: close\r\n\r\n");
    $c->close;
    return $r->{status} . ' ' . ($r->{headers}{'x-vhost'} || '-');
}

sub log_has {
    my ($pattern, $what) = @_;
    like($h->read('error.log'), $pattern, $what);
    return;
}

# ----- everything at its default: as httpd

start();
for my $v ('1.2', '1.3') {
    is(handshake('nobody.test', $v), 'c0', "default: unknown SNI, TLS $v");
    is(handshake(undef, $v), 'c0', "default: no SNI, TLS $v");
}
is(status('nobody.test'), '404 v0', 'default: unknown Host');
$h->stop;

# ----- everything refused, in the main server

start(modules => ['log_forensic'],
      policy => "SNIVHostUnknownSNI refuse\nSNIVHostMissingSNI refuse\n"
              . "SNIVHostUnknownHost refuse\nForensicLog forensic.log\n"
              . 'SNIVHostAllowHost health.test *.probe.test '
              . '[2001:db8::1] 2001:db8::2');
for my $v ('1.2', '1.3') {
    is(handshake('v0.test', $v), 'c0', "known name, TLS $v");
    is(handshake('V1.Test', $v), 'c1', "upper case, TLS $v");
    is(handshake('a.b.x.test', $v), 'c1', "glob, TLS $v");
    is(handshake('nobody.test', $v), 'alert 112', "unknown SNI, TLS $v");
    is(handshake('v0.test.', $v), 'alert 112',
       "a trailing dot does not match, TLS $v");
    is(handshake('ip.test', $v), 'alert 112',
       "known on another address is unknown here, TLS $v");
    is(handshake(undef, $v), $v eq '1.3' ? 'alert 109' : 'alert 40',
       "no SNI, TLS $v");
    is(handshake('health.test', $v), 'c0', "allowed name, TLS $v");
    is(handshake('a.probe.test', $v), 'c0', "allowed glob, TLS $v");
    is(handshake('ip.test', $v, '127.0.0.2'), 'c2',
       "alone on its address, its name, TLS $v");
    is(handshake('v0.test', $v, '127.0.0.2'), 'alert 112',
       "alone on its address, another name, TLS $v");
}
my $answer = Sniv::Hello::ask(addr => '127.0.0.1', port => $https,
                              names => ['nobody.test']);
is($answer->{alert}, 112, 'unrecognized_name is on the wire');
ok(!$answer->{cert}, 'and no certificate');
$answer = Sniv::Hello::ask(addr => '127.0.0.1', port => $https,
                           names => ['nobody.test'],
                           alpn => ['acme-tls/1']);
is($answer->{alert}, 112, 'acme-tls/1 opens nothing without mod_md');
$answer = Sniv::Hello::ask(addr => '127.0.0.1', port => $https,
                           bytes => Sniv::Hello::sslv2());
ok(!$answer->{cert}, 'a hello in the format of SSL 2 gets no certificate');

# After a HelloRetryRequest the client may give another name: that is against
# the rules, and nobody's way around a refusal.
for my $retry (['v0.test', 'nobody.test', 112], ['v0.test', undef, 109],
               ['health.test', 'nobody.test', 112]) {
    my ($first, $second, $alert) = @$retry;
    my @hello = (suites => [0x1301], after => Sniv::Hello::tls13());
    my $again = Sniv::Hello::records(Sniv::Hello::message(
        suites => [0x1301], $second ? (names => [$second]) : (),
        after => Sniv::Hello::tls13(29)));
    my $a = Sniv::Hello::ask(addr => '127.0.0.1', port => $https, @hello,
                             names => [$first], retry => $again);
    ok($a->{retried}, "$first: a HelloRetryRequest");
    is($a->{alert}, $alert, '... and then ' . ($second // 'no name'));
}

is(status('v0.test'), '404 v0', 'known Host');
is(status('V0.TEST.:99'), '404 v0', 'known Host in another form');
is(status('a.x.test'), '404 v1', 'known by glob');
is(status('nobody.test'), '421 v0', 'unknown Host');
is(status('127.0.0.1'), '404 v0', 'the text of <VirtualHost> is known');
is(status('127.0.0.9'), '421 v0', 'another address as Host is not');
is(status('health.test'), '404 v0', 'allowed Host');
is(status('[2001:db8::1]:80'), '404 v0', 'allowed IPv6 address');
is(status('[2001:db8::2]'), '404 v0', 'written without brackets');
is(status('[2001:db8::3]'), '421 v0', 'another one');
is(status('nobody.test', path => '/.well-known/acme-challenge/x'),
   '421 v0', 'challenges are nothing special without mod_md');
is(status(undef, version => '1.0'), '400 v0', 'HTTP/1.0 without Host');
is(status(undef, version => '1.0', path => '/sp1/'), '404 v1',
   'HTTP/1.0 with a ServerPath');
is(status(undef), '400 v0', 'HTTP/1.1 without Host');
is(status('v0.test', addr => '127.0.0.2'), '421 ip',
   'alone on its address, another name');
is(status('ip.test', addr => '127.0.0.2'), '404 ip',
   'alone on its address, its name');
is(status('main.test', addr => '127.0.0.3'), '404 -',
   'the main server, its name');
is(status('v0.test', addr => '127.0.0.3'), '421 -',
   'the main server, another name');
is(status('nobody.test', tls => 'v0.test'), '421 v0',
   'unknown Host after a known SNI');

# What modules do for every request as the first thing, they do for this one
{
    my $line = qr/^(\+\S+)\|GET \/logged HTTP\/1\.1\|Host:nobody\.test/m;
    status('nobody.test', path => '/logged');
    like($h->read('forensic.log'), $line,
         'a refused request is in the forensic log');
}

# several requests on one connection
{
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $http);
    is(join(' ', map { $c->get($_)->{status} }
                 qw(v0.test v1.test nobody.test)), '404 404 421',
       'refused on a connection that has served');
    $c->close;
}
{
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $https,
        tls => { sni => 'v0.test', alpn => ['h2'] });
    my $h2 = Sniv::H2->new($c);
    is(join(' ', map { $h2->get($_, '/')->{status} }
                 qw(v0.test nobody.test v0.test)), '404 421 404',
       'HTTP/2: a refused stream does not end the connection');
    $c->close;
}
log_has(qr/SNIV0601: .*127\.0\.0\.\d:\d+ has the name 'nobody\.test'/,
        'the log says which name was unknown');
log_has(qr/SNIV0602: .*no server name/, 'and that there was none');
log_has(qr/SNIV0603: .* 421: .*'nobody\.test'/, 'and which Host');
my $lines = () = $h->read('error.log') =~ /SNIV0601/g;
cmp_ok($lines, '<', 20, 'not a line for each');
$h->stop;

# ----- one set only, from its first virtual host

start(first => 'SNIVHostUnknownHost refuse');
is(status('nobody.test'), '421 v0', 'refused in this set');
is(status('nobody.test', addr => '127.0.0.2'), '404 ip',
   'not in the other set');
is(handshake('nobody.test', '1.3'), 'c0', 'and SNI is another matter');
$h->stop;

start(policy => "SNIVHostUnknownHost refuse\nSNIVHostUnknownSNI refuse",
      first => "SNIVHostUnknownHost default\nSNIVHostAllowHost -");
is(status('nobody.test'), '404 v0', 'taken back in this set');
is(status('nobody.test', addr => '127.0.0.2'), '421 ip', 'not in the other');
is(handshake('nobody.test', '1.3'), 'alert 112', 'SNI as in the main server');
is(handshake(undef, '1.3'), 'c0', 'no SNI is not asked for');
$h->stop;

start(policy => "SNIVHostMissingSNI refuse\nSNIVHostUnknownHost refuse\n"
              . 'SNIVHostAllowHost -');
is(handshake(undef, '1.3'), 'c0', 'allowed without a name');
is(status(undef, version => '1.0'), '404 v0', 'a request, too');
$h->stop;

# names that only the certificate folder has

start(policy => "SNIVHostUnknownSNI refuse\nSNIVHostUnknownHost refuse\n"
              . 'SNIVHostCertificates ' . folder());
is(handshake('c7.test', '1.3'), 'c7', 'a name of the folder, by SNI');
is(handshake('nobody.test', '1.3'), 'alert 112', 'but not any name');
is(status('c7.test', tls => 'c7.test'), '404 v0', 'and by Host');
is(status('nobody.test', tls => 'c7.test'), '421 v0', 'but not any Host');
$h->stop;

# ... a wildcard counts if somebody else has signed it

{
    my $work = Sniv::Httpd::work() . "/policy.$$.wild";
    my $dir = "$work/folder";
    make_path($dir);
    make_cert($work, 'authority', is_ca => 1);
    make_cert($work, 'own', names => ['*.own.test', 'name.own.test']);
    make_cert($work, 'signed', names => ['*.signed.test'], ca => 'authority');
    for my $name (qw(own signed)) {
        open my $out, '>', "$dir/$name.pem" or die "$name.pem: $!\n";
        print $out map { slurp("$work/$name.$_") } qw(leaf key);
        close $out;
    }
    start(policy => "SNIVHostUnknownSNI refuse\nSNIVHostUnknownHost refuse\n"
                  . "SNIVHostCertificates $dir");
    for my $case (['a.signed.test', 'signed', '404 v0'],
                  ['name.own.test', 'own', '404 v0'],
                  ['a.own.test', 'alert 112', '421 v0']) {
        my ($name, $cert, $status) = @$case;
        is(handshake($name, '1.3'), $cert, "wildcards in a folder: $name");
        is(status($name), $status, '... by Host');
    }
    $h->stop;
    remove_tree($work);
}

# SNIVHost Verify: httpd decides, so nothing is refused
$h = server(mode => 'verify', policy => "SNIVHostUnknownHost refuse\n"
                                      . 'SNIVHostUnknownSNI refuse');
$h->start;
($http, $https) = $h->ports;
is(status('nobody.test'), '404 v0', 'Verify refuses no request');
is(handshake('nobody.test', '1.3'), 'c0', 'and no handshake');
$h->stop;

# ----- mistakes

sub refused {
    my ($what, $pattern, %arg) = @_;
    my ($status, $said) = server(%arg)->check;
    isnt($status, 0, "$what: refused");
    like($said, $pattern, "$what: says why");
    return;
}
refused('not the first virtual host',
        qr/httpd\.conf:\d+: SNIVHostUnknownSNI .* v1\.test .* v0\.test \(/s,
        second => 'SNIVHostUnknownSNI refuse');
refused('another word', qr/SNIVHostMissingSNI takes default .* 'no'/,
        policy => 'SNIVHostMissingSNI no');
refused('a URL', qr/SNIVHostAllowHost takes names .* 'http:/,
        policy => 'SNIVHostAllowHost http://health.test/');
refused('in a <Directory>', qr/SNIVHostUnknownHost not allowed/,
        policy => "<Directory />\nSNIVHostUnknownHost refuse\n</Directory>");

# ----- with mod_md: challenges get through, other things do not

SKIP: {
    my $so = Sniv::Httpd::apxs('LIBEXECDIR') . '/mod_md.so';
    skip 'no mod_md', 6 if !-e $so;
    start(modules => ['watchdog', 'md'],
          policy => "SNIVHostUnknownSNI refuse\n"
                  . "SNIVHostUnknownHost refuse\n"
                  . "Protocols h2 http/1.1 acme-tls/1\n"
                  . "MDStoreDir md\n<MDomainSet managed.test>\n"
                  . "MDMember manual\nMDRenewMode manual\n"
                  . "MDCertificateAuthority http://127.0.0.1:1/\n"
                  . "</MDomainSet>");
    $h->write('md/challenges/managed.test/acme-http-01.txt', 'token.key');
    system 'chmod', '-R', 'a+rX', $h->dir . '/md';
    is(status('managed.test', path => '/.well-known/acme-challenge/token'),
       '200 -', 'mod_md answers http-01 for a name without a virtual host');
    is(status('nobody.test', path => '/.well-known/acme-challenge/token'),
       '421 v0', 'and for others nobody does');
    is(status('managed.test', path => '/'), '421 v0',
       'nor for other paths');
    for my $v ('1.2', '1.3') {
        my $c = Sniv::Client->new(addr => '127.0.0.1', port => $https,
            tls => { sni => 'nobody.test', alpn => ['acme-tls/1'],
                     min => $v, max => $v });
        like($c->error, qr/alert/, "acme-tls/1 without a challenge, TLS $v");
        $c->close;
    }
    # mod_md takes a certificate for the challenge from its store
    my $store = 'md/challenges/managed.test/acme-tls-alpn-01';
    for my $what ([Sniv::Certs::crt('c5'), 'pubcert'],
                  [Sniv::Certs::key('c5'), 'privkey']) {
        open my $in, '<', $what->[0] or die "$what->[0]: $!\n";
        local $/;
        $h->write("$store-$what->[1].pem", scalar <$in>);
    }
    system 'chmod', '-R', 'a+rX', $h->dir . '/md';
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $https,
        tls => { sni => 'managed.test', alpn => ['acme-tls/1'],
                 min => '1.3', max => '1.3' });
    is($c->error || $c->cert, 'c5', 'a challenge of tls-alpn-01 is answered');
    $c->close;
    $h->stop;
}

remove_tree(Sniv::Httpd::work() . "/policy.$$.certs");
done_testing();
