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

# A short run of the differential test (t/differential/run.pl), and the
# proof that it would find something. "make differential" runs longer.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Sniv::Httpd;

my $mode = Sniv::Httpd::mode();
my $run = "$FindBin::Bin/differential/run.pl";
my $configs = $ENV{SNIVHOST_CONFIGS} || 12;

plan tests => 5;

sub run {
    my ($what, @args) = @_;
    my $said = '';
    my $pid = open my $out, '-|', $^X, $run, @args or die "$run: $!\n";
    while (my $line = <$out>) {
        $said .= $line;
    }
    close $out;
    is($? >> 8, 0, $what);
    (my $last = $said) =~ s/\A.*?^(?=\d+ configurations)//ms;
    if ($?) { diag $said } else { note $last }
    return;
}

run("$configs random configurations: nothing differs from stock httpd",
    '--configs', $configs, '--mode', $mode);
run("$configs more with SNIVHostAdopt On", '--configs', $configs,
    '--mode', $mode, $mode eq 'off' ? () : ('--with', 'SNIVHostAdopt On'));
run("sabotage '$_' is found", '--configs', 6, '--seed', 1, '--sabotage', $_,
    '--mode', $mode) for qw(swap alias cert);
