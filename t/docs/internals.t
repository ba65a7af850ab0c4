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

# The page about the insides names the source files that there are.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;

use Sniv::Docs qw(nothing slurp);
use Sniv::Httpd;

my $top = Sniv::Httpd::top();
my %file = map { s{^\Q$top\E/}{}r => 1 } Sniv::Docs::source_files();
my %named;
$named{$_}++
    for slurp('docs/INTERNALS.md') =~ /^    ((?:\w+\/)?\w+\.c) /gm;

nothing [grep { !$named{$_} } sort keys %file],
    'docs/INTERNALS.md has a line for each source file';
nothing [grep { !$file{$_} } sort keys %named], 'and for no other';

done_testing;
