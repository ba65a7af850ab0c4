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

# What the module costs where it has nothing to do: the row of Sniv::PanelShapes
# in which no virtual host can be lean, without the module, with SNIVHost On and
# with SNIVHostAdopt On, in turn.
#
#   t/bench/nothing.pl [--rounds 3] [SITES...]      (default: 100 300 1000)
#
#   stock, on, adopt   MiB (PSS of all processes) after one connection, and CPU
#                      seconds of all processes until then. The medians
#   code, tables       MiB of the difference between adopt and stock: pages of
#                      the module and of libraries that it alone needs; the
#                      rest
#
# Each site has two virtual hosts.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/../lib";

use Getopt::Long qw(GetOptions);

use Sniv::Bench qw(median);
use Sniv::Client;
use Sniv::Panels;
use Sniv::Proc;

my $rounds = 3;
GetOptions('rounds=i' => \$rounds) or die "see the top of $0\n";
die "$Sniv::Panels::WHY_NOT\n" if $Sniv::Panels::WHY_NOT;
my @MODES = ([stock => 'none'], [on => 'on'],
             [adopt => 'on', 'SNIVHostAdopt On']);
$SIG{INT} = $SIG{TERM} = sub { exit 2 };

# MiB of files that only the module maps
sub code {
    my $sum = 0;
    for my $p (@_) {
        my $is_ours;
        for (split /\n/, Sniv::Proc::read_file("/proc/$p/smaps")) {
            $is_ours = m{/(?:mod_snivhost|libjansson|libidn2|libunistring)\b}
                if /^[0-9a-f]+-[0-9a-f]+ /;
            $sum += $1 if $is_ours && /^Pss:\s+(\d+)/;
        }
    }
    return $sum / 1024;
}

sub start {
    my ($panel, $mode, @with) = @_;
    my $h = $panel->server($mode, @with);
    $h->start;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $panel->{https},
                              tls => { sni => $panel->{list}[-1]{name} });
    die $c->error . "\n" if $c->error;
    $c->close;
    my @all = Sniv::Proc::processes($h->pid);
    my %got = (pss => Sniv::Proc::pss($h->pid), code => code(@all),
               cpu => Sniv::Proc::cpu(@all));
    $h->stop;
    $h->remove;
    return \%got;
}

printf "%-7s %-28s %-28s %s\n", 'sites', 'MiB: stock, on, adopt',
    'CPU s: stock, on, adopt', 'code, tables';
for my $sites (@ARGV ? @ARGV : (100, 300, 1000)) {
    my $panel = Sniv::Panels->new('ispconfig-ocsp', sites => $sites);
    my %got;
    for (1 .. $rounds) {
        for (@MODES) {
            my ($name, @how) = @$_;
            my $one = start($panel, @how);
            push @{ $got{$name}{$_} }, $one->{$_} for keys %$one;
        }
    }
    my %m = map { my $of = $got{$_};
                  $_ => { map { $_ => median(@{ $of->{$_} }) } keys %$of } }
            keys %got;
    my $more = $m{adopt}{pss} - $m{stock}{pss};
    my @columns = map { my $k = $_; sprintf $k eq 'pss' ?
        '%.1f, %.1f %+.1f%%, %.1f %+.1f%%' : '%.2f, %.2f %+.0f%%, %.2f %+.0f%%',
        $m{stock}{$k}, map { ($m{$_}{$k},
            100 * ($m{$_}{$k} / $m{stock}{$k} - 1)) } qw(on adopt) }
        qw(pss cpu);
    printf "%-7d %-28s %-28s %.2f, %.2f\n", $sites, @columns, $m{adopt}{code},
        $more - $m{adopt}{code};
}
