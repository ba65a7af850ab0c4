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

# The configurations of hosting panels and tools (Sniv::PanelShapes), a few
# sites each, with SNIVHostAdopt On: everything that a client sees is as
# without the module, the expected virtual hosts are lean, and httpd -t warns
# of nothing that the panel's administrator cannot change. With more sites and
# with times: t/panels/run.pl.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Sniv::Chain qw(slurp spew);
use Sniv::Httpd;
use Sniv::PanelRun qw(check differences run);
use Sniv::PanelShapes;
use Sniv::Panels;

plan skip_all => 'without the module there is nothing to test'
    if Sniv::Httpd::mode() eq 'off';
plan skip_all => $Sniv::Panels::WHY_NOT if $Sniv::Panels::WHY_NOT;

my $SITES = $ENV{SNIVHOST_SITES} || 4;

sub text {
    my ($lint) = @_;
    return join ' ', map { "$_:$lint->{$_}" } sort keys %$lint;
}

sub same {
    my ($title, $stock, $ours) = @_;
    my @diff = differences($stock, $ours);
    my $ok = is(scalar @diff, 0, "$title: " . @{ $stock->{questions} }
                . ' connections answered as by stock httpd');
    splice @diff, 3 if @diff > 3;
    diag "$_->[0]\n-- stock\n$_->[1]-- ours\n$_->[2]" for @diff;
    return $ok;
}

# ... and what the panel does for all sites hides no mistake in one.
sub real_fault {
    my ($title, $panel) = @_;
    my $site = $panel->{list}[1]{name};
    my $file = "$panel->{dir}/sites/$site.conf";
    my $text = slurp($file);
    spew($file, $text =~ s/^(\s*ServerName .*\n)/$1ServerAlias shop.$site\n/mgr);
    my (undef, undef, $said) = check($panel, 'on');
    like($said, qr/SNIV0421: \Q$file\E:\d+: .*'shop\.\Q$site\E'/,
         "$title: a name that its certificate does not cover");
    spew($file, $text);
    return;
}

sub panel {
    my ($name) = @_;
    my $title = Sniv::PanelShapes::shape($name)->{title};
    my $why = Sniv::Panels::why_not($name);
    SKIP: {
        skip "$title: $why", 5 if $why;
        my $panel = Sniv::Panels->new($name, sites => $SITES);
        my $stock = run($panel, 'none');
        my $ours = run($panel, 'on', ['SNIVHostAdopt On']);
        same($title, $stock, $ours);
        my $of = $ours->{of} || 0;
        is($ours->{lean}, $panel->expected_lean($of),
           "$title: lean virtual hosts, of $of")
            or diag $ours->{why};
        my ($status, undef, $said) = check($panel, 'on', 'SNIVHostAdopt On',
                                           'SNIVHostLint Strict');
        is($status, 0, "$title: httpd -t with SNIVHostLint Strict");
        is($said, '', "$title: no warning");
        real_fault($title, $panel) if !$panel->row->{needs};
    }
    return;
}

# The comparison would find it if a site had another one's certificate, or
# another protocol.
sub can_fail {
    my $panel = Sniv::Panels->new('certbot', sites => 3);
    my $stock = run($panel, 'none');
    my ($file, $other) = map { "$panel->{dir}/sites/$_->{name}.conf" }
        @{ $panel->{list} }[0, 1];
    my $text = slurp($file);
    spew($file, $text =~ s{/ssl/\K[^/]+}{$panel->{list}[1]{name}}gr);
    my @diff = differences($stock, run($panel, 'on', ['SNIVHostAdopt On']));
    cmp_ok(scalar @diff, '>', 10, 'another certificate would be noticed');
    spew($file, $text =~ s{SSLProtocol .*}{SSLProtocol TLSv1.3}r);
    @diff = differences($stock, run($panel, 'on', ['SNIVHostAdopt On']));
    cmp_ok(scalar @diff, '>', 1, 'and another SSLProtocol');
    spew($file, $text);
    spew($other, slurp($other) =~ s{ServerAlias}{$& mail.no.test}gr);
    my (undef, $lint) = check($panel, 'on');
    is(text($lint), 'SNIV0421:1', 'and a warning');
    return;
}

can_fail() if !@ARGV;
my @names = @ARGV ? @ARGV : Sniv::PanelShapes::names();
panel($_) for @names;
done_testing;
