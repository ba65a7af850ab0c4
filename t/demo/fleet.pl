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
# certificate is put, all serve it; the stores are killed, all serve on.
# Exit code 0 if every answer was the expected one.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Path qw(remove_tree);
use Time::HiRes qw(sleep time);

use Sniv::Chain qw(make_cert);
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

# The common name of the certificate that a server shows.
sub shown {
    my ($port) = @_;
    my $said = `openssl s_client -connect 127.0.0.1:$port -servername \\
                shop.example </dev/null 2>/dev/null`;
    return $said =~ /^subject=\s*CN\s*=\s*(\S+)/m ? $1 : 'nothing';
}

sub all_show {
    my ($what, $expected, @servers) = @_;
    print "$what\n";
    for my $i (0 .. $#servers) {
        my ($port) = $servers[$i]->ports;
        my $got = '';
        my $end = time + 30;
        while (($got = shown($port)) ne $expected && time < $end) {
            sleep 0.1;
        }
        printf "    server %d, 127.0.0.1:%d, shop.example: %s%s\n", $i + 1,
            $port, $got, $got eq $expected ? '' : "   EXPECTED: $expected";
        $wrong++ if $got ne $expected;
    }
    return;
}

sub store {
    my ($redis, @words) = @_;
    print '$ snivhost-store ', join(' ', map { s{.*/}{}r } @words), "\n";
    my ($status, $said) = $redis->store(@words);
    print "    $_\n" for split /\n/, $said;
    $wrong++ if $status;
    return;
}

my ($port) = Sniv::Httpd::free_ports(1);
my $primary = Sniv::Redis->new(name => 'demo1', port => $port)->start;
my $replica = Sniv::Redis->new(name => 'demo2',
    conf => "replicaof 127.0.0.1 $port\n")->start;
print "A store on 127.0.0.1:$port, and a replica.\n";
store($primary, 'put', "$ssl/shop");

my @servers = map {
    my $url = ($primary, $replica, $replica)[$_]->url('timeout=5');
    Sniv::Httpd->new(name => "demo$_", mode => 'on', conf => sub { <<"END" })
Listen 127.0.0.1:$_[0]
SNIVHostCertificates $url
<VirtualHost 127.0.0.1:$_[0]>
    ServerName default.example
    SSLEngine on
    SSLCertificateFile $ssl/own/default.crt
    SSLCertificateKeyFile $ssl/own/default.key
</VirtualHost>
END
        ->start;
} 0 .. 2;
all_show('Three servers, one beside the primary, two beside the replica:',
         'shop-1', @servers);
store($primary, 'put', "$ssl/renewed");
all_show('The certificate is renewed, once:', 'shop-2', @servers);
$_->stop for $primary, $replica;
all_show('Both stores are killed:', 'shop-2', @servers);
$_->graceful for @servers;
all_show('... and the servers are restarted:', 'shop-2', @servers);

$_->remove for @servers, $primary, $replica;
remove_tree($ssl);
print $wrong ? "$wrong answers were not as expected.\n"
             : "All answers were as expected.\n";
exit($wrong ? 1 : 0);
