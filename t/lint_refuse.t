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


# Findings about SNIVHostUnknownSNI, SNIVHostMissingSNI, SNIVHostUnknownHost and
# SNIVHostAllowHost where they do nothing, or less than they say.


use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use Sniv::Httpd;
use Sniv::Lint;

# ----- 0440, 0442: refusals that refuse nothing

my ($sni, $nosni, $host) = map { "SNIVHost$_ refuse" } 'UnknownSNI',
    'MissingSNI', 'UnknownHost';
my @plain = (vhost('*:80', 'a.test'), vhost('*:80', 'b.test'));
my @secure = (site('a.test www.a.test', 'plain'), site('w.test', 'wild'));

finds '0440: handshakes are refused where there is no TLS', $listen,
    vhost('*:80', 'a.test', "$sni #! 0440"), vhost('*:80', 'b.test');
finds '0440: one finding for two such lines', $listen,
    vhost('*:80', 'a.test', $nosni, "$sni #! 0440"), vhost('*:80', 'b.test');
finds '0440: and requests are refused too', $listen,
    vhost('*:80', 'a.test', $host, "$nosni #! 0440"), vhost('*:80', 'b.test');
finds '0440: for the whole server', $listen, "$sni #! 0440\n", @plain;
passes '0440: for the whole server, and requests are refused too', $listen,
    "$sni\n$host\n", @plain;
passes '0440: one address has TLS', $listen, $tls, "$sni\n$nosni\n", @plain,
    @secure;
passes '0440: TLS', $tls, site('a.test www.a.test', 'plain', $sni, $nosni),
    site('w.test', 'wild');
passes '0440: TLS by Listen', $tls, vhost('127.0.0.1:443', 'a.test', $sni,
    (split /\n/, site('', 'plain'))[2, 3]);
passes '0440: TLS on demand', $listen,
    vhost('*:80', 'a.test', $sni, 'SSLEngine optional',
        (split /\n/, site('', 'plain'))[2, 3]);
passes '0440: refuse in the main server, default here', $listen, $tls,
    "$sni\n", vhost('*:80', 'a.test', 'SNIVHostUnknownSNI default'),
    vhost('*:80', 'b.test'), @secure;
passes '0440: connections that no virtual host takes may have TLS',
    $listen, $tls, "$sni\n", @plain;

finds '0442: ServerAlias *', $listen,
    vhost('*:80', 'a.test', "$host #! 0442"), vhost('*:80', 'b.test *');
finds '0442: ServerAlias *, TLS',
    $tls, site('a.test www.a.test', 'plain', "$sni #! 0442"),
    site('w.test *', 'wild');
finds '0442: SNIVHostAllowHost ?*', $listen,
    vhost('*:80', 'a.test', "$host #! 0442", 'SNIVHostAllowHost c.test ?*'),
    vhost('*:80', 'b.test');
finds '0442: on all addresses', $listen, "Listen 127.0.0.1:81\n",
    "$host #! 0442\n", vhost('*:80', 'a.test *'), vhost('*:81', 'b.test *');
passes '0442: on one of the addresses', $listen, "Listen 127.0.0.1:81\n",
    "$host\n", vhost('*:80', 'a.test *'), vhost('*:81', 'b.test');
passes '0442: connections that no virtual host takes are refused', $listen,
    "Listen 127.0.0.1:81\n", "$host\n", vhost('*:80', 'a.test *');
passes '0442: many names', $listen,
    vhost('*:80', 'a.test *.test', $host,
        'SNIVHostAllowHost *.example ??'), vhost('*:80', 'b.example');
passes '0442: nothing is refused here', $listen, "Listen 127.0.0.1:81\n",
    "$host\n", vhost('*:80', 'a.test *', 'SNIVHostUnknownHost default'),
    vhost('*:81', 'b.test');

finds '0446: nothing is refused', $listen,
    vhost('*:80', 'a.test', 'SNIVHostAllowHost health.test #! 0446'),
    vhost('*:80', 'b.test');
finds '0446: nothing is refused on any address', $listen,
    "SNIVHostAllowHost health.test - #! 0446\n", @plain;
finds '0446: only clients without a server name are refused', $tls,
    site('a.test www.a.test', 'plain', $nosni,
        'SNIVHostAllowHost -', 'SNIVHostAllowHost health.test #! 0446'),
    site('w.test', 'wild');
finds '0446: only handshakes, and there are none', $listen,
    "Listen 127.0.0.1:81\n", "$host\n",
    vhost('*:80', 'a.test', 'SNIVHostUnknownHost default',
        'SNIVHostAllowHost health.test #! 0446'),
    vhost('*:80', 'b.test'), vhost('*:81', 'c.test');
passes '0446: refused in a handshake', $tls,
    site('a.test www.a.test', 'plain', $sni, 'SNIVHostAllowHost health.test'),
    site('w.test', 'wild');
passes '0446: refused on one of the addresses', $listen,
    "Listen 127.0.0.1:81\n", "SNIVHostAllowHost health.test\n",
    vhost('*:80', 'a.test'), vhost('*:81', 'b.test', $host);

my $ip = 'SNIVHostAllowHost 192.0.2.1 [2001:db8::1]';
finds '0447: clients that ask for an IP address send no server name', $tls,
    site('a.test www.a.test', 'plain', $nosni, $host, "$ip #! 0447"),
    site('w.test', 'wild');
finds '0447: on all addresses', $tls, "$nosni\n$host\n", "$ip #! 0447\n",
    @secure;
passes '0447: no name at all is allowed too', $tls,
    site('a.test www.a.test', 'plain', $nosni, $host, "$ip -"),
    site('w.test', 'wild');
passes '0447: no server name is needed', $tls,
    site('a.test www.a.test', 'plain', $host, $ip), site('w.test', 'wild');
passes '0447: another address is without TLS', $listen, $tls,
    "$nosni\n$host\n$ip\n", @plain, @secure;
passes '0447: a name', $tls, "$nosni\n$host\nSNIVHostAllowHost 1.test\n",
    @secure;

finds '0448: StrictHostCheck On', $listen,
    vhost('*:80', 'a.test', $host, 'StrictHostCheck On',
        'SNIVHostAllowHost health.test #! 0448 '), vhost('*:80', 'b.test');
passes '0448: StrictHostCheck Off', $listen,
    vhost('*:80', 'a.test', $host, 'SNIVHostAllowHost health.test'),
    vhost('*:80', 'b.test', 'StrictHostCheck On');
passes '0448: a handshake is let through', $tls,
    site('a.test www.a.test', 'plain', $sni, 'StrictHostCheck On',
        'SNIVHostAllowHost health.test'), site('w.test', 'wild');
passes '0448: no name', $listen,
    vhost('*:80', 'a.test', $host, 'StrictHostCheck On',
        'SNIVHostAllowHost -'), vhost('*:80', 'b.test');

finds '0441, a note: Verify', "SNIVHost Verify\n", $listen,
    "$host #! 0441\n", @plain;
passes '0441, a note: Verify, and nothing is refused', "SNIVHost Verify\n",
    $listen, "SNIVHostUnknownHost default\n", @plain;

plan tests => Sniv::Lint::cases(), sub {
    Sniv::Httpd::mode() ne 'off' ? 1
        : skip_reason('the module is not loaded');
};

my $h = Sniv::Lint::server('lint-refuse', {});
Sniv::Lint::check_cases();
$h->remove;
