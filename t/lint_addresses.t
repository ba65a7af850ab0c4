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


# Findings about addresses: not listened on, hidden by others, with and without
# TLS, host names in <VirtualHost>.


use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use Sniv::Certs;
use Sniv::Httpd;
use Sniv::Lint;

# ----- 0410: nothing listens

finds '0410: another port', $listen, vhost('*:81!0410', 'a.test');
finds '0410: another IP', "Listen 127.0.0.1:80\n",
    vhost('127.0.0.2:80!0410', 'a.test');
finds '0410: once per address', $listen,
    vhost('*:81!0410', 'a.test'), vhost('*:81', 'b.test'),
    vhost('*:80 *:81', 'c.test');
passes '0410: every IP', "Listen 80\n", vhost('127.0.0.2:80', 'a.test');
passes '0410: every port', $listen,
    vhost('127.0.0.1', 'a.test'), vhost('127.0.0.2:*', 'b.test');
passes '0410: one address of localhost', "Listen 127.0.0.1:80\n",
    vhost('localhost:80', 'a.test');
passes '0410: IPv6', "Listen [::1]:80\n", vhost('[::1]:80', 'a.test');

# ----- 0411: others take all connections

finds '0411: * behind the IPs that are listened on', $listen,
    vhost('*:80!0411', 'a.test'), vhost('*:80', 'b.test'),
    vhost('127.0.0.1:80', 'c.test'), vhost('127.0.0.2:80', 'd.test');
finds '0411: any port behind each port', $listen,
    vhost('*!0411', 'a.test'), vhost('*:80', 'b.test');
finds '0411: any port of an IP behind its port', $listen,
    vhost('127.0.0.1:*!0411', 'a.test'), vhost('127.0.0.1:80', 'b.test'),
    vhost('127.0.0.2:80', 'c.test');
finds '0411: of those that have no other address', $listen,
    vhost('127.0.0.1:80 127.0.0.2:80 *:80', 'a.test'),
    vhost('*:80!0411', 'b.test');
passes '0411: all have another address', $listen,
    vhost('127.0.0.1:80 127.0.0.2:80 *:80', 'a.test');
passes '0411: one IP is left', $listen,
    vhost('*:80', 'a.test'), vhost('*:80', 'b.test'),
    vhost('127.0.0.1:80', 'c.test');
passes '0411: one port is left', $listen, "Listen 127.0.0.1:81\n",
    vhost('*', 'a.test'), vhost('*:80', 'b.test');

# ----- 0412: not reached by this machine's addresses

my @own = own_addresses();
if (@own) {
    my @ips = map { "$_:80" } @own;
    finds '0412: all addresses are taken', "Listen 80\n",
        vhost('*:80!0412', 'a.test'), vhost('*:80', 'b.test'),
        map { vhost($_, "n$_.test") } @ips;
    passes '0412: one catch-all', "Listen 80\n",
        vhost('*:80', 'a.test'), map { vhost($_, 'c.test') } @ips;
    passes '0412: they have both addresses', "Listen 80\n",
        vhost("*:80 @ips", 'a.test'), vhost("*:80 @ips", 'b.test');
    passes '0412: another port', "Listen 80\nListen 81\n",
        vhost('*:80', 'a.test'), vhost('*:80', 'b.test'),
        map { vhost("$_:81", 'c.test') } @own;
}
passes '0412: an address of its own', "Listen 80\n",
    vhost('*:80', 'a.test'), vhost('*:80', 'b.test'),
    vhost('127.0.0.1:80', 'status.test');

# ----- 0413: with and without TLS

my @tls = ('SSLEngine on', split /\n/, Sniv::Certs::conf('shared'));
finds '0413: one without', "Listen 127.0.0.1:8443 http\n",
    vhost('*:8443', 'shared.test', @tls), vhost('*:8443!0413', 'a.x.test');
finds '0413: one switched off', $tls,
    vhost('127.0.0.1:443', 'shared.test', @tls),
    vhost('127.0.0.1:443', 'a.x.test', 'SSLEngine off #! 0413');
finds '0413: one with', $listen,
    vhost('*:80', 'a.test'),
    vhost('*:80', 'shared.test', 'SSLEngine on #! 0413', @tls[1 .. 2]);
passes '0413: on by Listen', $tls,
    vhost('127.0.0.1:443', 'shared.test', @tls),
    vhost('127.0.0.1:443', 'a.x.test', @tls[1 .. 2]);
finds '0413: not on by a Listen line with another address', $tls,
    vhost('*:443', 'shared.test', @tls),
    vhost('*:443!0413', 'a.x.test', @tls[1 .. 2]);
passes '0413: on in the main server', "Listen 127.0.0.1:8443\n",
    join("\n", @tls, ''),
    vhost('*:8443', 'shared.test', @tls[1 .. 2]),
    vhost('*:8443', 'a.x.test', @tls);

# ----- 0414: a host name in <VirtualHost>

finds '0414: a name without an address', $listen,
    vhost('no-such-host.invalid:80!0414', 'a.test');
my $local = name_in_hosts();
finds '0414: a name with an address', "Listen 80\n",
    vhost("$local:80!0414", 'a.test') if $local;
passes '0414: addresses', "Listen 80\nListen 127.0.0.1:81\n",
    vhost('*:80', 'a.test'), vhost('_default_:80', 'b.test'),
    vhost('127.0.0.1:80', 'c.test'), vhost('[::2]:80', 'd.test'),
    vhost('localhost:*', 'e.test');

# ----- 0415, a note: hidden on some addresses

finds '0415, a note: other virtual hosts on an IP', "Listen 80\n",
    vhost('*:80!0415', 'a.test'), vhost('127.0.0.1:80', 'b.test');
passes '0415, a note: another port', "Listen 80\nListen 81\n",
    vhost('*:80', 'a.test'), vhost('127.0.0.1:81', 'b.test');

plan tests => Sniv::Lint::cases(), sub {
    Sniv::Httpd::mode() ne 'off' ? 1
        : skip_reason('the module is not loaded');
};

my $h = Sniv::Lint::server('lint-addresses', {});
Sniv::Lint::check_cases();
$h->remove;

# The addresses of this machine's interfaces, as getifaddrs() has them.
sub own_addresses {
    my @found;
    for my $line (`ip -o -4 addr show 2>/dev/null`) {
        my ($device, $ip) = $line =~ /^\d+:\s+(\S+)\s+inet\s+([\d.]+)/
            or next;
        push @found, $ip if $device ne 'lo';
    }
    return @found;
}

# A name that needs no DNS; not localhost, which is not reported.
sub name_in_hosts {
    open my $fh, '<', '/etc/hosts' or return;
    for my $line (<$fh>) {
        my ($ip, @names) = split ' ', $line =~ s/#.*//sr;
        next if !$ip || $ip !~ /^[\d.]+$/;
        for my $name (@names) {
            return $name if $name !~ /^localhost/ && gethostbyname $name;
        }
    }
    return;
}
