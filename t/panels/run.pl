#!/usr/bin/perl
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

# The configurations of hosting panels and tools (Sniv::PanelShapes) as a
# table: stock httpd against the module with SNIVHostAdopt On.
#
#   t/panels/run.pl [--sites 300] [--rounds 3] [NAME...]
#
#   --sites N     sites of each; some rows have more TLS virtual hosts
#   --rounds N    starts of each, in turn; the shortest counts. Where one
#                 takes longer than ten seconds, one
#   --plesk N     a last row: so many TLS virtual hosts of Plesk's shape
#                 (httpd may need more than a minute to start then, and with
#                 puppet-path: SNIVHOST_PATIENCE=6)
#   --with LINE   in place of SNIVHostAdopt On; repeatable
#   --show        the differences, and each line of SNIVHostLint
#
#   lean          TLS virtual hosts without a TLS context of their own, and
#                 how many have TLS
#   start         seconds until the last site has shaken hands, stock /
#                 module; then the second divided by the first
#   PSS           MiB of all processes, the same
#   warnings      of SNIVHostLint at start, and with -t
#   Strict        what httpd -t says with SNIVHostLint Strict
#   differences   to stock httpd in what a client sees and in access logs:
#                 found / connections
#
# The exit status is 1 if anything differed.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/../lib";

use Getopt::Long qw(GetOptions);

use Sniv::Httpd;
use Sniv::PanelRun qw(check differences run);
use Sniv::PanelShapes;
use Sniv::Panels;

my %o = (sites => 300, rounds => 3, plesk => 0, with => []);
GetOptions(\%o, 'sites=i', 'rounds=i', 'plesk=i', 'with=s@', 'show')
    or die "see the top of $0\n";
die "at least 3 sites\n" if $o{sites} < 3;
die "$Sniv::Panels::WHY_NOT\n" if $Sniv::Panels::WHY_NOT;
my @with = @{ $o{with} } ? @{ $o{with} } : 'SNIVHostAdopt On';
my $SLOW = 10;                  # seconds
my $CAS = 140;                  # as many as Debian's ca-certificates has
my $different = 0;
$SIG{INT} = $SIG{TERM} = sub { exit 2 };
$| = 1;

sub smallest { return (sort { $a <=> $b } @_)[0]; }
sub sum { my $n = 0; $n += $_ for @_; return $n; }

sub codes {
    my ($lint) = @_;
    return join(', ', map { "$lint->{$_} $_" } sort keys %$lint) || '0';
}

# Both in turn, so that what else the machine does meets both.
sub measure {
    my ($panel) = @_;
    my %all;
    for my $round (1 .. $o{rounds}) {
        for my $mode ('none', 'on') {
            my $got = run($panel, $mode, $mode eq 'on' ? \@with : [],
                          ask => $round == 1);
            $all{$mode} ||= $got;
            push @{ $all{$mode}{$_ . 's'} }, $got->{$_} for qw(start pss);
        }
        last if $all{none}{start} > $SLOW;
    }
    for my $got (values %all) {
        $got->{$_} = smallest(@{ $got->{$_ . 's'} }) for qw(start pss);
    }
    return @all{qw(none on)};
}

sub row {
    my ($name, $sites, $title) = @_;
    my $row = Sniv::PanelShapes::shape($name);
    $title ||= $row->{title};
    if (my $why = Sniv::Panels::why_not($name)) {
        print "| $title | $why |\n";
        return;
    }
    my $panel = Sniv::Panels->new($name, sites => $sites, cas => $CAS);
    my ($stock, $ours) = measure($panel);
    my (undef, $lint, $said) = check($panel, 'on', @with);
    my ($strict) = check($panel, 'on', @with, 'SNIVHostLint Strict');
    my @diff = differences($stock, $ours);
    $different += @diff;
    printf "| %s | %s of %s | %.2f / %.2f | %.2f | %.1f / %.1f | %.2f "
        . "| %s | %s | %s | %d / %d |\n", $title, $ours->{lean} // '-',
        $ours->{of} // '-', $stock->{start}, $ours->{start},
        $ours->{start} / $stock->{start}, $stock->{pss}, $ours->{pss},
        $ours->{pss} / $stock->{pss}, codes($ours->{lint} || {}),
        codes($lint), $strict ? 'fails' : 'passes', scalar @diff,
        scalar @{ $stock->{questions} };
    if ($o{show}) {
        print "$_->[0]\n-- stock\n$_->[1]-- ours\n$_->[2]" for @diff;
        print "$said\n" if length $said;
    }
    return;
}

my ($version) = qx{@{[Sniv::Httpd::httpd()]} -v} =~ /: (.*)/;
chomp(my $openssl = qx{openssl version});
$openssl =~ s/\A(\S+ \S+).*/$1/s;
my @date = localtime;
printf "%s, %s, mod_snivhost %s, %04d-%02d-%02d; %d sites, %s\n\n", $version,
    $openssl, module_version(), $date[5] + 1900, $date[4] + 1, $date[3],
    $o{sites}, join ', ', @with;
print '| configuration | lean | start, s | | PSS, MiB | | warnings at start '
    . "| with -t | Strict | differences |\n", '| --- ' x 10, "|\n";
row($_, $o{sites}) for @ARGV ? @ARGV : Sniv::PanelShapes::names();
row('plesk', int(($o{plesk} - 2) / 2), "Plesk, $o{plesk} TLS virtual hosts")
    if $o{plesk};
exit($different ? 1 : 0);

sub module_version {
    open my $fh, '<', Sniv::Httpd::top() . '/module/version.h' or return '?';
    local $/;
    return <$fh> =~ /"(\d[\d.a-z-]*)"/ ? $1 : '?';
}
