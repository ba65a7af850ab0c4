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


# `./bootstrap demo fleet`: a store with a replica, three servers; a
# certificate is put, all serve it, a session of one resumes on the others,
# all answer a challenge; the stores are killed, all serve on.
# Exit code 0 if every answer was the expected one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Path qw(remove_tree);
use Time::HiRes qw(sleep time);

use Sniv::Chain qw(make_cert spew);
use Sniv::Client;
use Sniv::Httpd;
use Sniv::Redis;

if (my $why = Sniv::Redis::missing()) {
    die "demo: $why\n";
}
$| = 1;
my $ssl = Sniv::Httpd::work() . "/demo-fleet.$$";
my $wrong = 0;

make_cert("$ssl/own", 'default');
make_cert("$ssl/shop", 'shop-1', names => ['shop.example']);
make_cert("$ssl/renewed", 'shop-2', names => ['shop.example']);

my $key = "$ssl/store.key";
spew($key, `openssl rand -hex 32`);
chmod 0600, $key;
my ($https, $http, $port) = Sniv::Httpd::free_ports(3);

# The common name of the certificate that a server shows.
sub shown {
    my ($address) = @_;
    my $said = `openssl s_client -connect $address:$https -servername \\
                shop.example </dev/null 2>/dev/null`;
    return $said =~ /^subject=\s*CN\s*=\s*(\S+)/m ? $1 : 'nothing';
}

# With a session of the first server.
sub resumed {
    my ($address) = @_;
    my $file = "$ssl/session.pem";
    my $how = "-servername shop.example -connect";
    unlink $file;
    # the ticket comes with the answer
    system "(printf 'GET / HTTP/1.0\r\n\r\n'; sleep 1) | openssl s_client "
        . "-quiet $how 127.0.0.1:$https -sess_out $file >/dev/null 2>&1";
    my $said = `openssl s_client $how $address:$https -sess_in $file \\
                </dev/null 2>/dev/null`;
    return $said =~ /^Reused/m ? 'resumed' : 'full handshake';
}

sub answered {
    my ($address) = @_;
    my $c = Sniv::Client->new(addr => $address, port => $http);
    return $c->get('shop.example', '/.well-known/acme-challenge/token')->{body};
}

sub all_show {
    my ($what, $expected, $ask) = @_;
    print "$what\n";
    for my $i (1 .. 3) {
        my $got = '';
        my $end = time + 30;
        while (($got = ($ask || \&shown)->("127.0.0.$i")) ne $expected
               && time < $end) {
            sleep 0.1;
        }
        printf "    server %d, 127.0.0.%d, shop.example: %s%s\n", $i, $i,
            $got, $got eq $expected ? '' : "   EXPECTED: $expected";
        $wrong++ if $got ne $expected;
    }
    return;
}

sub store {
    my ($redis, @words) = @_;
    print '$ snivhost-store ', join(' ', map { s{.*/}{}r } @words), "\n";
    my ($status, $said) = $redis->store('--key', $key, @words);
    print "    $_\n" for split /\n/, $said;
    $wrong++ if $status;
    return;
}

my $primary = Sniv::Redis->new(name => 'demo1', port => $port)->start;
my $replica = Sniv::Redis->new(name => 'demo2',
    conf => "replicaof 127.0.0.1 $port\n")->start;
print "A store on 127.0.0.1:$port, and a replica.\n";
store($primary, 'put', "$ssl/shop");

my @servers = map {
    my $address = "127.0.0.$_";
    my $url = ($primary, $replica, $replica)[$_ - 1]
        ->url('timeout=5', $_ > 1 ? "primary=127.0.0.1:$port" : ());
    Sniv::Httpd->new(name => "demo$_", mode => 'on', conf => sub { <<"END" })
Listen $address:$https
Listen $address:$http
SNIVHostCertificates $url
SNIVHostStoreKey $key
<VirtualHost $address:$https>
    ServerName default.example
    SSLEngine on
    SSLCertificateFile $ssl/own/default.crt
    SSLCertificateKeyFile $ssl/own/default.key
</VirtualHost>
END
        ->start;
} 1 .. 3;
all_show('Three servers, one beside the primary, two beside the replica:',
         'shop-1');
store($primary, 'put', "$ssl/renewed");
all_show('The certificate is renewed, once:', 'shop-2');
all_show('A session of server 1 is used:', 'resumed', \&resumed);
store($primary, 'challenge', 'put', 'http-01', 'token', 'token.answer');
all_show('A certificate authority asks:', 'token.answer', \&answered);
$_->stop for $primary, $replica;
all_show('Both stores are killed:', 'shop-2');
$_->graceful for @servers;
all_show('... and the servers are restarted:', 'shop-2');
all_show('A session of server 1 is used:', 'resumed', \&resumed);

$_->remove for @servers, $primary, $replica;
remove_tree($ssl);
print $wrong ? "$wrong answers were not as expected.\n"
             : "All answers were as expected.\n";
exit($wrong ? 1 : 0);
