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

# Answers to challenges of certificate authorities that are put into a store:
# every server gives them, for any name and as long as they are valid, and
# none that was put there without the key.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(remove_tree);
use Test::More;

use Sniv::Chain qw(make_cert slurp spew);
use Sniv::Client;
use Sniv::Httpd;
use Sniv::Redis;
use Sniv::Soon qw(soon);

plan skip_all => Sniv::Redis::missing() if Sniv::Redis::missing();

my $LONG = 60;                  # seconds, times patience

my $ssl = Sniv::Httpd::work() . "/challenge-ssl.$$";
make_cert("$ssl/put", 'put', names => ['put.test']);
make_cert($ssl, 'first', key => 'rsa');
my ($key, $other) = map { "$ssl/$_" } qw(key other);
spew($key, 'a1' x 32 . "\n");
spew($other, 'b2' x 32 . "\n");
chmod 0600, $key, $other;

my $r = Sniv::Redis->new(name => 'challenge')->start;
my ($status, $said) = $r->store('--key', $key, 'put', "$ssl/put");
is $status, 0, 'put' or diag $said;

# Two virtual hosts, and names that none of them has
sub server {
    my ($name, $more) = @_;
    return Sniv::Httpd->new(name => "challenge-$name", ports => 3,
        modules => ['alias'], loglevel => 'warn snivhost:info',
        conf => sub {
        my ($http, $https, $single) = @_;
        my ($a, $b, $c) = map { "127.0.0.1:$_" } @_;
        my $url = $r->url('timeout=2');
        return <<"END" })->start;
Listen $a
Listen $b
Listen $c
Protocols h2 http/1.1 acme-tls/1
SNIVHostCertificates $url
$more
<VirtualHost $b>
    ServerName first.test
    SSLEngine on
    SSLCertificateFile $ssl/first.crt
    SSLCertificateKeyFile $ssl/first.key
</VirtualHost>
<VirtualHost $b>
    ServerName put.test
    SNIVHostTLS On
</VirtualHost>
<VirtualHost $c>
    ServerName single.test
    SSLEngine on
    SSLCertificateFile $ssl/first.crt
    SSLCertificateKeyFile $ssl/first.key
</VirtualHost>
<VirtualHost $a>
    ServerName v0.test
</VirtualHost>
<VirtualHost $a>
    ServerName v1.test
    Redirect permanent / https://v1.test/
</VirtualHost>
END
}
my @servers = (server('a', "SNIVHostStoreKey $key"),
               server('b', "SNIVHostStoreKey $key\n"
                           . "SNIVHostUnknownHost refuse\n"
                           . 'SNIVHostUnknownSNI refuse'));

sub ask {
    my ($h, $host, $token, $method) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => ($h->ports)[0]);
    my $a = $c->request(($method || 'GET')
        . " /.well-known/acme-challenge/$token HTTP/1.1\r\n"
        . "Host: $host\r\nConnection: close\r\n\r\n");
    return "$a->{status} $a->{body}" if $a->{status} eq '200';
    return $a->{status};
}

sub challenge {
    my (@words) = @_;
    my @key = $words[0] eq 'as' ? splice(@words, 0, 2) : ('as', $key);
    return $r->store('--key', $key[1], 'challenge', @words);
}

# ----- given by all, for all names

my ($token, $answer) = ('tok-en_1', 'tok-en_1.abc-DEF_123');
is ask($servers[0], 'v0.test', $token), '404', 'no challenge';
is ask($servers[1], 'unknown.test', $token), '421', '... is refused as ever';
($status, $said) = challenge('put', 'http-01', $token, $answer);
is "$status $said", "0 http-01+$token: put\n", 'put';
for my $h (@servers) {
    for my $host (qw(v0.test v1.test unknown.test)) {
        is ask($h, $host, $token), "200 $answer",
            "given by all servers, at once, to $host";
    }
}
is ask($servers[0], 'v0.test', "$token.x"), '404', 'no other token';
is ask($servers[0], 'v0.test', "x/../$token"), '404', '... no path';
is ask($servers[0], 'v0.test', 'x' x 300), '404', '... no long one';
isnt ask($servers[0], 'v0.test', $token, 'POST'), "200 $answer",
    '... no other method';
like $servers[0]->read('error.log'), qr/SNIV0385: challenge \S+$token answered/,
    'a line';
my $c = Sniv::Client->new(addr => '127.0.0.1', port => ($servers[0]->ports)[0]);
my $get = "GET /.well-known/acme-challenge/$token HTTP/1.1\r\n"
    . "Host: v0.test\r\n\r\n";
is $c->request($get)->{body}, $answer, 'on a connection that may stay';
($status, $said) = challenge('list');
like $said, qr/\Ahttp-01\+$token until \w+, .* GMT\n\z/, 'list';
($status, $said) = challenge('remove', 'http-01', $token);
is $status, 0, 'removed' or diag $said;
ok soon(sub { ask($servers[0], 'v0.test', $token) eq '404' }), '... and gone';
ok soon(sub { ask($servers[1], 'u.test', $token) eq '421' }), '... everywhere';
($status, $said) = challenge('list');
is $said, '', '... also in the store';

# ----- as a hook

{
    local $ENV{CERTBOT_TOKEN} = 'hook';
    local $ENV{CERTBOT_VALIDATION} = 'hook.x';
    local $ENV{CERTBOT_DOMAIN} = 'v0.test';
    ($status, $said) = challenge('put');
    is $status, 0, 'as a hook of certbot' or diag $said;
    is ask($servers[0], 'v0.test', 'hook'), '200 hook.x', '... given';
    ($status) = challenge('remove');
    is $status, 0, '... removed';
    ok soon(sub { ask($servers[0], 'v0.test', 'hook') eq '404' }),
        '... and gone';
}

# ----- tls-alpn-01

sub shown {
    my ($h, $name, %how) = @_;
    my $port = ($h->ports)[$how{port} || 1];
    my $alpn = $how{alpn} || 'acme-tls/1';
    my $said = qx{openssl s_client -connect 127.0.0.1:$port -servername $name \\
        -alpn $alpn -tls1_3 @{[$how{more} || '']} </dev/null 2>&1};
    my ($subject) = $said =~ /^subject=\s*CN\s*=\s*(.*)/m;
    my ($chosen) = $said =~ /^ALPN protocol: (\S+)/m;
    my ($pem) = $said =~ /(-----BEGIN CERT.*?END CERT\S+)/s;
    spew("$ssl/shown.pem", "$pem\n") if $pem;
    return join ' ', $subject || 'nothing', $chosen || ();
}
my $CHALLENGE = 'ACME challenge acme-tls/1';

# mod_ssl refuses who offers that protocol alone if it is not chosen; that of
# httpd 2.4.62 chose http/1.1.
my $NONE = shown($servers[0], 'put.test');
like $NONE, qr{\A(?:nothing|put http/1\.1)\z}, 'no challenge';
$NONE = $NONE eq 'nothing' ? qr/\Anothing\z/ : qr{\A\w+ http/1\.1\z};
is shown($servers[1], 'unknown.test'), 'nothing', '... refused as ever';
($status, $said) = challenge('put', 'tls-alpn-01', 'Put.TEST', 'tok.thumb');
is "$status $said", "0 tls-alpn-01+put.test: put\n", 'put';
for my $h (@servers) {
    is shown($h, 'put.test'), $CHALLENGE, 'given by all servers';
    my $text = qx{openssl x509 -in $ssl/shown.pem -noout -text};
    like $text, qr/X509v3 Subject Alternative Name:\s+DNS:put\.test\n/,
        '... for the name alone';
    my ($hash) = qx{printf tok.thumb | openssl sha256} =~ /([0-9a-f]{64})/;
    my $der = unpack 'H*', qx{openssl x509 -in $ssl/shown.pem -outform der};
    # OID, critical, an octet string in an octet string
    like $der, qr/06082b0601050507011f0101ff042204 20 $hash/x,
        '... with the answer';
    is shown($h, 'put.test', more => '-sigalgs RSA-PSS+SHA256:ECDSA+SHA256'),
        $CHALLENGE, '... also to a client that likes another key better';
    is shown($h, 'put.test', alpn => 'h2'), 'put h2', 'not for h2';
    is shown($h, 'put.test', alpn => 'acme-tls/1,h2'), 'put h2',
        '... not beside another protocol';
    like shown($h, 'first.test'), $NONE, '... not for another name';
}
like shown($servers[0], 'xput.test'), $NONE, '... none at all';
challenge('put', 'tls-alpn-01', 'unknown.test', join ':', ('ab') x 32);
is shown($servers[0], 'unknown.test'), $CHALLENGE, 'a name of no virtual host';
like unpack('H*', qx{openssl x509 -in $ssl/shown.pem -outform der}),
    qr/0420(ab){32}/, '... given as a digest';
is shown($servers[1], 'unknown.test'), $CHALLENGE, '... that would be refused';
is shown($servers[1], 'unknown.test', alpn => 'h2'), 'nothing',
    '... and is, for other protocols';
is shown($servers[0], 'unknown.test', port => 2), $CHALLENGE,
    '... on an address with one virtual host';
my $tls = Sniv::Client->new(addr => '127.0.0.1', port => ($servers[0]->ports)[1],
    tls => { sni => 'put.test', alpn => ['acme-tls/1'], min => '1.3' });
is $tls->cert, 'ACME challenge', 'a connection';
isnt $tls->get('put.test')->{status}, '200', '... serves nothing';
challenge('remove', 'tls-alpn-01', 'put.test');
challenge('remove', 'tls-alpn-01', 'unknown.test');
ok soon(sub { shown($servers[0], 'put.test') =~ $NONE }), 'removed';
is shown($servers[0], 'put.test', alpn => 'h2'), 'put h2', '... all is as ever';
ok soon(sub { shown($servers[1], 'unknown.test') eq 'nothing' }),
    '... everywhere';

# ----- what is refused

for my $case ([['put', 'http-01', 'a/b', 'x'], 'a token that is none'],
              [['put', 'http-01', 'a', 'x y'], 'an answer with a blank'],
              [['put', 'http-01', 'a', 'x' x 2000], 'a long answer']) {
    ($status, $said) = challenge(@{ $case->[0] });
    is $status, 1, $case->[1];
}
($status, $said) = $r->store('challenge', 'put', 'http-01', 'a', 'x');
is $status, 2, 'without a key';
($status, $said) = challenge('put', 'dns-01', 'a', 'x');
is $status, 2, 'a challenge of another kind';
is $r->cli('HLEN', 'sites:challenges'), 0, '... nothing is in the store';

# Somebody who may write to the store, and has not the key
challenge('as', $other, 'put', 'http-01', 'evil', 'evil.x');
is ask($servers[0], 'v0.test', 'evil'), '404',
    'an answer that was signed with another key is not given';
like $servers[0]->read('error.log'),
    qr/SNIV0386: challenge http-01\+evil .* not put there with the key/,
    '... with a reason';
challenge('put', 'http-01', 'good', 'good.x');
my $good = $r->cli('HGET', 'sites:challenges', 'http-01+good');
$r->cli('HSET', 'sites:challenges', 'http-01+copied', $good);
my ($expires) = $good =~ /\A1 (\d+) /;
(my $later = $good) =~ s/ $expires / @{[$expires + 600]} /;
$r->cli('HSET', 'sites:challenges', 'http-01+later', $later);
$r->cli('HSET', 'sites:challenges', 'http-01+junk', '1 99999999999 x');
$r->cli('HSET', 'sites:challenges', 'http-01+../state', $good);
$r->cli('HSET', 'sites:challenges', 'state', $good);
$r->cli('HSET', 'sites:challenges', 'http-01+long', $good . 'x' x 5000);
challenge('put', 'http-01', 'after', 'after.x');     # all have been read
is ask($servers[0], 'v0.test', 'after'), '200 after.x', 'good ones are given';
is ask($servers[0], 'v0.test', 'good'), '200 good.x', '... all';
is ask($servers[0], 'v0.test', $_), '404', "$_ is not given"
    for qw(copied later junk long);
my ($copy) = glob $servers[0]->dir . '/snivhost-store/sites-*';
is join(' ', map { s{.*/}{}r } sort glob "$copy/challenges/*"),
    'http-01+after http-01+copied http-01+evil http-01+good '
    . 'http-01+junk http-01+later',
    'only what may be one is copied';
ok -e "$copy/state", '... to its folder';

# ----- time, number, and a store that is gone

$r->cli('HSET', 'sites:challenges', 'http-01+old', $good =~ s/ \d+ / 1000 /r);
$r->cli('HSET', 'sites:challenges', "http-01+n$_", $good) for 1 .. 3;
challenge('put', 'http-01', 'last', 'last.x');
is $r->cli('HEXISTS', 'sites:challenges', 'http-01+old'), 0,
    'put removes what has expired';
my $ttl = $r->cli('TTL', 'sites:challenges');
ok $ttl > 3000 && $ttl <= 3600, 'the store forgets all of them after an hour';
$r->signal('STOP');
is ask($servers[0], 'v0.test', 'last'), '200 last.x',
    'the store hangs: answers are still given';
$r->signal('CONT');
$r->cli('EVAL', 'for i = 1, 1001 do redis.call("HSET", "sites:challenges", '
    . '"http-01+x" .. i, ARGV[1]) end return 1', 0, $good);
($status, $said) = challenge('put', 'http-01', 'more', 'x');
is $status, 1, 'there are not too many';
like $said, qr/more than 1000 answers/, '... with a reason';
$r->cli('DEL', 'sites:challenges');
ok soon(sub { ask($servers[0], 'v0.test', 'last') eq '404' }), 'all are gone';

$_->stop for @servers;
$_->remove for @servers, $r;

END {
    my $status = $?;
    remove_tree($ssl) if $ssl;
    $? = $status;
}

done_testing;
