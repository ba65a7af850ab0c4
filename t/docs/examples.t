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

# Every configuration in the manual, the README and conf/ is one that
# "httpd -t" accepts, without a finding. Each gets what a server has around
# it: modules, the Listen lines of its ports, and the certificates that it
# names.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;

use Sniv::Docs qw(examples furnish slurp);
use Sniv::Httpd;

plan skip_all => 'SNIVHOST=off: the module is not loaded'
    if Sniv::Httpd::mode() eq 'off';

# What the example is put into.
sub scaffold {
    my ($dir, $conf) = @_;
    my $so = Sniv::Httpd::module_so();
    my %port = map { $_ => 1 } 80, $conf =~ /<VirtualHost[^>]*:(\d+)/g;
    delete $port{$_} for $conf =~ /^\s*Listen\s+(?:\S*:)?(\d+)/img;
    my $load = $conf =~ s{^(\s*LoadModule\s+snivhost_module\s+).*}
                         {$1"$so"}m
        ? '' : qq(LoadModule snivhost_module "$so"\n);
    my $mode = $conf =~ /^\s*SNIVHost\s/m ? '' : "SNIVHost On\n";
    return join '', $load, $mode, (map { "Listen $_\n" } sort keys %port),
        furnish($dir, $conf), "\n";
}

my $readme = slurp('README');
my $n = 0;
for my $example (examples()) {
    my ($where, $conf) = @$example;
    my $h = Sniv::Httpd->new(name => 'docs-example' . $n++, mode => 'none',
                             modules => ['macro', 'vhost_alias'],
                             conf => '');
    $h->{conf} = scaffold($h->dir, $conf);
    $h->write_conf;
    my ($exit, $said) = $h->check;
    is $exit, 0, "$where: httpd -t accepts it"
        or diag "$said\n--- in\n", $h->read('httpd.conf');
    # The README shows one with a finding, and what is said about it.
    my @findings = grep { $where !~ /^README/ || $readme !~ /$_:/ }
        $said =~ /(SNIV\d{4})/g;
    is "@findings", '', "$where: and there is no finding" or diag $said;
    $h->remove;
}
cmp_ok $n, '>', 10, "$n examples";

done_testing;
