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

# The order of the layers (docs/INTERNALS.md): a folder includes only what is
# below it, no files include each other in a circle, and the pure layers know
# no httpd.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;

use Sniv::Docs qw(nothing slurp);
use Sniv::Httpd;

# What each folder may include, beside its own headers
my %BELOW = (
    names  => [],
    choose => ['names'],
    certs  => [],
    module => [qw(names choose)],
    tls    => [qw(names choose certs module)],
    serve  => [qw(names choose certs module tls)],
    lint   => [qw(names choose certs module tls)],
    tell   => [qw(names choose certs module tls serve lint)],
);
my @PURE = qw(names choose certs);

my $top = Sniv::Httpd::top();
my @files = map { s{^\Q$top\E/}{}r }
    map { glob("$top/$_*.c"), glob("$top/$_*.h") } '', map { "$_/" } sort keys %BELOW;
cmp_ok scalar @files, '>', 80, 'there are files to look at';

# A source and its header are one: "tls/adopt"
sub unit { return $_[0] =~ s/\.[ch]\z//r; }
sub folder { return $_[0] =~ m{^(\w+)/} ? $1 : ''; }

my (%includes, @upward, @httpd, @stray);
for my $file (@files) {
    my $folder = folder($file);
    for my $header (slurp($file) =~ /^\s*#\s*include\s+[<"]([^>"]+)[>"]/gm) {
        if (!-e "$top/$header") {
            push @httpd, "$file: $header"
                if grep({ $_ eq $folder } @PURE)
                && $header =~ /^(?:httpd|http_\w+|ap_\w+|mod_\w+|util_\w+|scoreboard|mpm_\w+)\.h\z/;
            next;
        }
        $includes{ unit($file) }{ unit($header) } = 1
            if unit($file) ne unit($header);
        my $to = folder($header);
        next if $to eq $folder;
        # config.c is below mod_snivhost.c and above all folders
        push @upward, "$file: $header"
            if $folder ? !grep { $_ eq $to } @{ $BELOW{$folder} }
                       : unit($file) eq 'config' && $to eq ''
                         && unit($header) ne 'config';
    }
}
nothing \@upward, 'no file includes what is above it';
nothing \@httpd, 'names, choose and certs include no header of httpd';

# What can be reached from a file, and does it lead back?
sub reaches {
    my ($from, $to, $seen) = @_;
    for my $next (sort keys %{ $includes{$from} || {} }) {
        return [$from, $next] if $next eq $to;
        next if $seen->{$next}++;
        my $way = reaches($next, $to, $seen);
        return [$from, @$way] if $way;
    }
    return;
}
my @circles = map { join ' -> ', @$_ }
    grep { $_ } map { reaches($_, $_, {}) } sort keys %includes;
nothing \@circles, 'no circle of includes';

# The test itself: a circle and a way up are seen
{
    local $includes{'names/host'} = { 'names/names' => 1 };
    ok scalar(grep { reaches($_, $_, {}) } keys %includes),
        'a circle would be found';
    my %all = map { $_ => 1 } map { @$_ } values %BELOW;
    ok !grep({ $_ eq 'tell' } map { @{ $BELOW{$_} } } grep { $_ ne 'tell' }
             keys %BELOW), 'no folder may include tell';
}

done_testing;
