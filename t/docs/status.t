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

# The status page and what the manual says of it: the parameters of its query
# string, the counters, the keys of its JSON documents, the metrics.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP ();
use Test::More;

use Sniv::Client;
use Sniv::Docs qw(manual slurp);
use Sniv::Httpd;

# The names in the first column of a table of the manual
sub first_column {
    my ($table) = @_;
    return map { /<code>(\w+)<\/code>/g } $table =~ m{<tr><td>(.*?)</td>}gs;
}

my ($section) = manual() =~ m{<section id="status">(.*?)\n</section>}s
    or BAIL_OUT('the manual has no section about the status page');
my ($parameters, $metrics, $counters) = $section =~ m{<table(.*?)</table>}gs;
my ($keys, $list_keys) = (manual() =~ m{<section id="json">(.*?)</section>}s)[0]
    =~ m{status\s+page</a>:.*?<table(.*?)</table>.*?<table(.*?)</table>}s;

my @read = slurp('tell/status.c') =~ /!strcmp\(key, "(\w+)"\)/g;
cmp_ok scalar @read, '>', 5, 'the source reads parameters';
is join(' ', sort(first_column($parameters))), join(' ', sort @read),
    'the manual has the parameters of the query string';

my @counted = slurp('module/counters.h')
    =~ /COUNTER\(\w+, "(\w+)"/g;
cmp_ok scalar @counted, '>', 5, 'the source has counters';
is join(' ', first_column($counters)), join(' ', @counted),
    'the manual has the counters, in this order';

SKIP: {
    skip 'SNIVHOST=off: the module is not loaded', 5
        if Sniv::Httpd::mode() eq 'off';
    my $h = Sniv::Httpd->new(name => 'docs-status', conf => sub { <<"END" });
Listen 127.0.0.1:$_[0]
<Location "/status">
    SetHandler snivhost-status
</Location>
END
    $h->start;
    my ($page, $list, $prometheus) = map {
        Sniv::Client->new(addr => '127.0.0.1', port => $h->ports)
            ->get('localhost', "/status?format=$_")->{body} // '' }
        'json', 'json&certificates', 'prometheus';
    $h->stop;
    my $json = eval { JSON::PP::decode_json($page) };
    ok $json, 'the state of the server is JSON' or diag $page;
    is join(' ', sort keys %{ $json || {} }),
        join(' ', sort 'version', first_column($keys)),
        'it has the keys that the manual lists';
    is join(' ', sort keys %{ $json->{counters} || {} }),
        join(' ', sort @counted), '... and the counters';
    $json = eval { JSON::PP::decode_json($list) };
    is join(' ', sort keys %{ $json || {} }),
        join(' ', sort 'version', first_column($list_keys)),
        'a list of certificates has the keys that the manual lists';
    my %named = map { $_ => 1 } first_column($metrics);
    is join(' ', grep { !delete $named{$_} }
                 $prometheus =~ /^# TYPE snivhost_(\w+) /mg), '',
        'all metrics are in the manual';
    delete @named{grep { /^(?:store_(?!hits|misses|fall)|certificate_first|last_look)/ }
                      keys %named};         # without a store
    is join(' ', sort keys %named), '', '... and no others';
    $h->remove;
}

done_testing;
