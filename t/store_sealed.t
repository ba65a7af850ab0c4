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


# SNIVHostStoreKey: entries of a store that are sealed. What is not, or for
# another ID, is not used; keys are changed without an interruption.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(remove_tree);
use Test::More;

use Sniv::Chain qw(make_cert slurp spew);
use Sniv::Httpd;
use Sniv::Redis;
use Sniv::Soon qw(served soon soon_serves);

plan skip_all => Sniv::Redis::missing() if Sniv::Redis::missing();

my $LONG = 60;                  # seconds, times patience

my $ssl = Sniv::Httpd::work() . "/sealed-ssl.$$";
make_cert($ssl, 'v0');
make_cert($ssl, "$_-1", names => ["$_.test"]) for qw(a b c d);
make_cert($ssl, 'a-2', names => ['a.test']);

my ($old, $new) = ('a1' x 32, 'b2' x 32);
my $keys = "$ssl/keys";
sub keys_are {
    spew($keys, join '', map { "$_\n" } @_);
    chmod 0600, $keys;
    return;
}
keys_are($old);

my $r = Sniv::Redis->new(name => 'sealed')->start;
sub put {
    my ($id, $name, @how) = @_;
    my ($status, $said) = $r->store(@how, 'put', '--id', $id,
                                    "$ssl/$name.leaf", "$ssl/$name.key");
    is $status, 0, "put $id" or diag $said;
    return;
}

my $h = Sniv::Httpd->new(name => 'sealed', ports => 1, conf => sub {
    my $a = "127.0.0.1:$_[0]";
    my $url = $r->url('timeout=2');
    return <<"END" });
Listen $a
SNIVHostCertificates $url
SNIVHostStoreKey $keys
SNIVHostCertificateCheck 1
<VirtualHost $a>
    ServerName v0.test
    SSLEngine on
    SSLCertificateFile $ssl/v0.crt
    SSLCertificateKeyFile $ssl/v0.key
</VirtualHost>
<VirtualHost $a>
    ServerName a.test
    ServerAlias *.test
    SNIVHostTLS On
</VirtualHost>
END
my ($port) = $h->ports;

sub says {
    my ($regex, $what) = @_;
    ok $h->wait_for_log('error.log', $regex, $LONG), $what;
    return;
}

put('a', 'a-1', '--key', $keys);
put('b', 'b-1');                        # without a key
$r->cli('HSET', 'sites:certs', 'c', $r->cli('HGET', 'sites:certs', 'a'));
$r->cli('INCR', 'sites:version');

$h->start;
is served($port, 'a.test'), 'a-1', 'a sealed entry';
is served($port, 'b.test'), 'v0', 'one that is not is not used';
says(qr/SNIV0301: .*\/b\.entry\.pem is not sealed, and SNIVHostStoreKey/,
     '... with a reason');
says(qr/SNIV0301: .*\/c\.entry\.pem was sealed for another ID/,
     'one that was copied to another ID is not used');
my ($copy) = glob $h->dir . '/snivhost-store/sites-*/certs/*/a.entry.pem';
my ($body) = slurp("$ssl/a-1.key") =~ /^(\w{20,})/m;
ok $copy && index(slurp($copy), $body) < 0, 'the copy has no private key';
unlike slurp($copy), qr/PRIVATE/, '... nor says so';
is index($r->cli('HGET', 'sites:certs', 'a'), $body), -1, 'nor has the store';

my ($status, $said) = $r->store('--key', $keys, 'check');
is $status, 1, 'check finds them';
like $said, qr/^a: can be used/m, '... the good one';
like $said, qr/b is not sealed/, '... the one that is not sealed';
like $said, qr/c was sealed for another ID/, '... the one that was copied';
($status, $said) = $r->store('--key', $keys, 'get', 'a');
like $said, qr/BEGIN CERTIFICATE.*BEGIN (?:EC )?PRIVATE KEY/s, 'get opens it';
($status, $said) = $r->store('get', 'a');
like $said, qr/is sealed: --key FILE is missing/, '... not without a key';

put('b', 'b-1', '--key', $keys);
soon_serves($port, 'b.test', 'b-1', 'put with the key');
put('b', 'b-1');                        # an intruder, without the key
soon(sub { $h->read('error.log') =~ /SNIV0306: .*b\.entry\.pem is not sealed/ });
is served($port, 'b.test'), 'b-1', 'replaced by one that is not: the old one stays';
put('b', 'b-1', '--key', $keys);
$r->store('remove', 'c');

# ----- other keys

keys_are($old, $new);
ok $h->graceful, 'the new key is known';
is served($port, 'a.test'), 'a-1', '... all is served';
keys_are($new, $old);
put('a', 'a-2', '--key', $keys);
soon_serves($port, 'a.test', 'a-2', 'sealed with the new one');
my ($b) = glob $h->dir . '/snivhost-store/sites-*/certs/*/b.entry.pem';
my $before = slurp($b);
($status, $said) = $r->store('--key', $keys, 'reseal');
is $status, 0, 'reseal';
like $said, qr/^a: unchanged\nb: put\n/, '... what is not of the first key';
ok soon(sub { slurp($b) ne $before }), '... and is in the copy';
keys_are($new);
ok $h->graceful, 'the old key is gone';
is served($port, 'a.test'), 'a-2', '... all is served';
is served($port, 'b.test'), 'b-1', '... all that was sealed anew';

# ----- files that are no keys

for my $case (['', qr/holds no key/], ["abc\n", qr/one to four lines/]) {
    spew($keys, $case->[0]);
    my ($exit, $text) = $h->check;
    isnt $exit, 0, 'a file without keys is refused';
    like $text, qr/SNIV0379: SNIVHostStoreKey: \S+ .*$case->[1]/,
        '... with a reason';
}
keys_are($new);
chmod 0644, $keys;
my ($exit, $text) = $h->check;
like $text, qr/SNIV0379: .*can be read by others/, 'one that others can read';
chmod 0600, $keys;

$h->stop;
$h->remove;
$r->remove;

END {
    my $status = $?;
    remove_tree($ssl) if $ssl;
    $? = $status;
}

done_testing;
