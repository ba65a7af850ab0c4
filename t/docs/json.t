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

# The JSON documents have the keys that the manual lists. (status.t asks for
# those of the status page.)

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use Test::More;

use Sniv::Docs qw(furnish manual);
use Sniv::Httpd;

plan skip_all => 'SNIVHOST=off: the module is not loaded'
    if Sniv::Httpd::mode() eq 'off';

# The tables of the section, as lists of keys.
my ($section) = manual() =~ m{<section id="json">(.*?)</section>}s
    or BAIL_OUT('the manual has no section about JSON');
my @tables = map {
    join ' ', sort 'version', map { /<code>(\w+)<\/code>/g }
        m{<tr><td>(.*?)</td>}gs
} $section =~ m{<table(.*?)</table>}gs;
is scalar @tables, 5, 'the manual lists the keys of five documents';

my $h = Sniv::Httpd->new(name => 'docs-json', mode => 'none', conf => '');
$h->{conf} = 'LoadModule snivhost_module "' . Sniv::Httpd::module_so()
    . "\"\n" . furnish($h->dir, <<"END");
SNIVHost On
Listen 127.0.0.1:443
<VirtualHost *:443>
    ServerName first.example
    SSLEngine on
    SSLCertificateFile "tls/first.example.crt"
    SSLCertificateKeyFile "tls/first.example.key"
</VirtualHost>
<VirtualHost *:443>
    ServerName shop.example
    SSLEngine on
    SSLCertificateFile "tls/shop.example.crt"
    SSLCertificateKeyFile "tls/shop.example.key"
</VirtualHost>
END
$h->write_conf;

my @asked = (
    ['the answer to a question', '-c', 'SNIVHostExplain 127.0.0.1:443 '
        . 'sni=shop.example host=first.example format=json'],
    ['the configuration', '-D', 'DUMP_SNIVHOST_JSON'],
);
my (undef, $before) = $h->check('-t', '-D', 'DUMP_SNIVHOST_JSON');
$h->write('before.json', $before =~ s/^Syntax OK\n//mr);
push @asked, undef, undef, ['a comparison', '-c',
    'SNIVHostCompare ' . $h->dir . '/before.json format=json'];
for my $i (grep { $asked[$_] } 0 .. $#asked) {
    my ($what, @args) = @{ $asked[$i] };
    my ($exit, $said) = $h->check('-t', @args);
    $said =~ s/^Syntax OK\n//m;
    my $json = eval { JSON::PP::decode_json($said) };
    ok $json, "$what is JSON" or diag $said;
    is join(' ', sort keys %{ $json || {} }), $tables[$i],
        "$what has the keys that the manual lists";
    is $json->{version}, 1, '... and the version that it names';
}
$h->remove;

done_testing;
