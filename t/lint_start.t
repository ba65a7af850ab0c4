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

# Findings about the certificates of lean virtual hosts: a start, where the
# store has read them, says what `httpd -t` says.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Sniv::Chain qw(make_cert);
use Sniv::Httpd;

plan skip_all => 'the module is off' if Sniv::Httpd::mode() ne 'on';

my $ssl = Sniv::Httpd::work() . "/lint-start-ssl.$$";
make_cert($ssl, 'root', is_ca => 1);
make_cert($ssl, 'ca', is_ca => 1, ca => 'root');
my %how = (
    first => [],
    good => ['ca'],
    nochain => [],
    order => ['root', 'ca'],
    withroot => ['ca', 'root'],
    name => ['ca'],
    self => [],
);
for my $name (sort keys %how) {
    make_cert($ssl, $name, $name =~ /first|self/ ? () : (ca => 'ca'),
              chain => $how{$name},
              $name eq 'name' ? (names => ['other.test']) : (),
              $name eq 'nochain' ? (add => ['-addext',
                  'authorityInfoAccess=caIssuers;URI:http://ca.test/']) : ());
}

my $h = Sniv::Httpd->new(name => 'lint-start', allow => qr/SNIV04/,
    with => ['SNIVHostAdopt On', 'SNIVHostLint On'], conf => sub {
        my ($port) = @_;
        return join '', "Listen 127.0.0.1:$port\n", map {
            "<VirtualHost 127.0.0.1:$port>\nSSLEngine on\n"
            . "ServerName $_.test\nSSLCertificateFile $ssl/$_.crt\n"
            . "SSLCertificateKeyFile $ssl/$_.key\n</VirtualHost>\n"
        } 'first', grep { $_ ne 'first' } sort keys %how;
    });

sub findings { return [sort $_[0] =~ /(SNIV04\d\d: .*)/g]; }

my ($status, $said) = $h->check;
is $status, 0, 'the configuration is good';
my $tested = findings($said);
is_deeply [sort map { /(SNIV04\d\d)/ } @$tested],
    [qw(SNIV0420 SNIV0463 SNIV0464)], 'each finding once under -t'
    or diag explain $tested;
$h->start;
like $h->read('error.log'), qr/SNIV0202: adopted 6 of 7/, 'six are lean';
is_deeply findings($h->read('error.log')), $tested,
    'the same when it starts';
$h->stop;

done_testing;
