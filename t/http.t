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

# The name step and the IP step over plain HTTP/1.1, rule by rule.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use Sniv::Suite;

# [rule, Host, virtual host]
my @names = (
    ['ServerName',                          'n0.test',        'n0'],
    ['ServerName of a later one',           'a.x.test',       'n1'],
    ['exact alias',                         'alias1.test',    'n1'],
    ['exact alias, written in upper case',  'alias2.test',    'n1'],
    ['Host in upper case',                  'B.X.TEST',       'n2'],
    ['glob *',                              'w.y.test',       'n1'],
    ['glob * takes dots too',               'u.v.w.y.test',   'n1'],
    ['glob * takes no dot less',            'y.test',         'n0'],
    ['glob * in the middle',                'good.z.test',    'n2'],
    ['glob * may be empty',                 'g.z.test',       'n2'],
    ['glob with two *',                     'a-mid-b.m.test', 'n2'],
    ['glob ?',                              'x.q.test',       'n2'],
    ['glob ? is one character',             'xx.q.test',      'n0'],
    ['glob in upper case',                  'alias4.q.test',  'n4'],
    ['an earlier glob beats a later name',  'c.y.test',       'n1'],
    ['an earlier name beats a later alias', 'a.x.test',       'n1'],
    ['an earlier name beats a later glob',  'b.x.test',       'n2'],
    ['a later glob takes the rest',         'q.x.test',       'n6'],
    ['second alias of a hidden one',        'own3.test',      'n3'],
    ['ServerName in upper case',            'upper.test',     'n4'],
    ['ServerName as a URL',                 's.x.test',       'n6'],
    ['unknown name: the default',           'unknown.test',   'n0'],
    ['one trailing dot is stripped',        'b.x.test.',      'n2'],
    ['ServerName with a dot never matches', 'dot.test',       'n0'],
    ['nor with the dot in Host',            'dot.test.',      'n0'],
    ['alias with a dot never matches',      'slash.test',     'n0'],
    ['alias with a port never matches',     'port.test',      'n0'],
    ['nor with the port in Host',           'port.test:80',   'n0'],
    ['the port in Host does not count',     'b.x.test:1',     'n2'],
    ['nor does it for the default',         'nobody.test:81', 'n0'],
    ['an IP address in Host',               '127.0.0.1',      'n0'],
    ['an IPv6 address in Host',             '[::1]',          'n0'],
    ['Host with blanks around it',          "  b.x.test\t ",  'n2'],
    ['a long name',             join('.', ('l' x 60) x 4) . '.y.test', 'n1'],
);

# [rule, address, port, Host, virtual host]
my $port = port_http();
my $other = port_other();
my @addresses = (
    ['alone on its address: IP-based', '127.0.0.2', $port, 'a.x.test', 'ip2'],
    ['IP-based, own name',             '127.0.0.2', $port, 'ip2.test', 'ip2'],
    ['explicit IP hides *:port',       '127.0.0.3', $port, 'any1.test',
     'ip3'],
    ['*:port takes other addresses',   '127.0.0.4', $port, 'any1.test',
     'any1'],
    ['*:port, its default',            '127.0.0.4', $port, 'x.test', 'any0'],
    ['names are of one address only',  '127.0.0.4', $port, 'a.x.test',
     'any0'],
    ['ip:* beats *:port',              '127.0.0.5', $port, 'any1.test',
     'port0'],
    ['ip:* by name',                   '127.0.0.5', $port, 'port1.test',
     'port1'],
    ['ip:* on another port',           '127.0.0.5', $other, 'port1.test',
     'port1'],
    ['first address of several',       '127.0.0.8', $port, 'only9.test',
     'both'],
    ['second address of several',      '127.0.0.9', $port, 'only9.test',
     'only9'],
    ['second address, its default',    '127.0.0.9', $port, 'x.test', 'both'],
    ['the same address twice',         '127.0.0.10', $port, 'x.test',
     'twice'],
    ['no virtual host: main server',   '127.0.0.1', $other, 'a.x.test',
     'main'],
    ['main server, other address',     '127.0.0.4', $other, 'any1.test',
     'main'],
    ['IPv4-mapped address',            '127.0.0.7', $port, 'mapped1.test',
     'mapped1'],
    ['IPv4-mapped address, default',   '127.0.0.7', $port, 'x.test',
     'mapped0'],
);

my @ips = ('127.0.0.1', '::1');
plan tests => @ips * @names + 1 + @addresses;

for my $ip (@ips) {
    SKIP: {
        skip 'no ::1 on this machine', scalar @names
            if $ip eq '::1' && !Sniv::Httpd::has_ipv6();
        for my $n (@names) {
            my ($rule, $host, $label) = @$n;
            is_vhost(ask_http($ip, $host), $label, "$ip: $rule");
        }
    }
}

is_vhost(ask_http('127.0.0.1', 'localhost'), 'text',
         'the text of <VirtualHost localhost> is a name');

for my $a (@addresses) {
    my ($rule, $ip, $p, $host, $label) = @$a;
    SKIP: {
        skip 'no IPv6 on this machine', 1
            if $rule =~ /mapped/ && !Sniv::Httpd::has_ipv6();
        is_vhost(ask_http($ip, $host, '/', [], port => $p), $label, $rule);
    }
}
