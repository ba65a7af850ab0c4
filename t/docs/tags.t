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

# Every message of the module has a tag of its own (SNIV0012), and the manual
# explains each; and every variable.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;

use Sniv::Docs qw(log_tags manual_tags nothing);

my %sources = log_tags();
my %manual = manual_tags();

cmp_ok scalar keys %sources, '>', 0, 'the sources have tags';
nothing [map { "$_ (@{ $sources{$_} })" }
         grep { @{ $sources{$_} } > 1 } sort keys %sources],
    'no tag is in two places of the sources';
nothing [map { "$_ ($sources{$_}[0])" }
         grep { !$manual{$_} } sort keys %sources],
    'every tag is in a table of the manual '
    . '(docs/manual/mod/mod_snivhost.xml)';
nothing [grep { !$sources{$_} } sort keys %manual],
    'the manual explains no tag that does not exist';
nothing [grep { $manual{$_} > 1 } sort keys %manual],
    'nor one of them twice';

# Variables
my %in_c = map { $_ => 1 }
    Sniv::Docs::slurp('serve/env.c') =~ /"(SNIVHOST_[A-Z_]+)"/g;
my %in_manual = map { $_ => 1 } Sniv::Docs::manual()
    =~ m{<tr><td><code>(SNIVHOST_[A-Z_]+)</code>}g;
is join(' ', sort keys %in_manual), join(' ', sort keys %in_c),
    'the variables in the sources are those in the manual';

done_testing;
