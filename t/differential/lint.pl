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

# Findings against reality: random configurations with faults, each finding
# of the module once present and once nearly so, and a running server as the
# judge. What is reported has to be what clients see, and what clients see
# that has a code has to be reported.
#
#   t/differential/lint.pl --configs 100
#
#   --configs N     configurations (20)
#   --seed N        of the first; the next has N+1 ...
#   --code N        only those with this finding planted ("0421")
#   --with 'LINE'   one more directive for the server; repeatable
#   --sabotage      the server has other aliases than what findings are about:
#                   succeeds if that is seen
#   --show          print each configuration and what is found
#   --keep          of the last configuration the server's folder
#
# Printed for each code: how often it was planted and reported, and nearly
# planted and reported; precision, the share of findings that are true;
# recall, the share of faults that are found. The exit status is 0 if both
# are 1 for every code, else 1.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use File::Path qw(remove_tree);
use Getopt::Long qw(GetOptions);
use JSON::PP ();
use Time::HiRes qw(time);

use Sniv::Certs;
use Sniv::DiffLint;
use Sniv::Httpd;
use Sniv::LintJudge;

my %o = (configs => 20, with => []);
GetOptions(\%o, 'configs=i', 'seed=i', 'code=s', 'show', 'keep', 'sabotage',
           'with=s@')
    && !@ARGV or die "see the comment at the top of $0\n";

$| = 1;
my @ports = Sniv::Httpd::free_ports(scalar @Sniv::DiffLint::PORTS);
my $ca = Sniv::Httpd::work() . "/lint-certs.$$";
END {
    my $status = $?;
    remove_tree($ca) if $ca;
    $? = $status;
}
Sniv::Certs::make();
Sniv::DiffLint::make_certs($ca);

my (%n, %configs);
my ($done, $invalid) = (0, 0);
my $begin = time;
my $seed = $o{seed} // 1 + int rand 1_000_000_000;
for (my $i = 0; $done < $o{configs} && $i < 50 * $o{configs}; $i++) {
    one($seed + $i);
}
report();
my $wrong = grep { $_->{invented} || $_->{missed} } values %n;
exit(!$done || !$wrong == !!$o{sabotage} ? 1 : 0);

sub one {
    my ($n) = @_;
    srand $n;
    my $c = Sniv::DiffLint::generate(\@ports);
    return if $o{code} && !$c->{planted}{ $o{code} };
    my $h = Sniv::Httpd->new(name => 'lint-judge', ports => [@ports],
        mode => 'on', again => 1, with => $o{with}, conf => '',
        allow => qr/SNIV000/, keep => $o{keep});
    Sniv::DiffLint::write($c, $h);
    mkdir "$h->{dir}/htdocs/dir";
    my ($status, $said) = $h->check('-t', '-D', 'DUMP_SNIVHOST_LINT_JSON');
    my ($text) = $said =~ /^(\{\n.*?^\}\n)/ms;
    if ($o{sabotage}) {
        $_->{aliases} = [map { $_ . 'x' } @{ $_->{aliases} }]
            for @{ $c->{vhosts} };
        Sniv::DiffLint::write($c, $h);
    }
    if ($status || !defined $text || !eval { $h->start; 1 }) {
        $invalid++;
        print "seed $n: httpd does not start: ", $status ? $said : $@
            if $o{show};
        $h->remove;
        return;
    }
    my $j = Sniv::LintJudge->new($c, $h);
    $j->look;
    $done++;
    my $findings = JSON::PP->new->latin1->decode($text)->{findings};
    my @wrong = compare($n, $c, $j, $findings);
    if (@wrong || $o{show}) {
        print "seed $n", (map { ", $_ $c->{planted}{$_}" }
            sort keys %{ $c->{planted} }), $c->{chance} ? ', chance' : '',
            $c->{adopt} ? ', lean' : '', "\n", @wrong;
        print $h->{conf}, map { "$_->{code} $_->{message}\n" } @$findings
            if $o{show};
    }
    $h->remove;
    return;
}

# Counts; returns what is wrong as lines.
sub compare {
    my ($n, $c, $j, $findings) = @_;
    my (%found, @wrong, $habits);
    for my $f (@$findings) {
        my ($code) = $f->{code} =~ /(\d{4})/;
        if ($f->{message} =~ /\Athe certificates of \d+ virtual hosts do not/) {
            $habits = 1;
            next;
        }
        $found{$code}{ $j->key($f) } = $f;
    }
    for my $code (sort keys %found) {
        for my $key (sort keys %{ $found{$code} }) {
            $n{$code}{found}++;
            next if $j->{true}{$code}{$key}
                || $j->is_unseen($found{$code}{$key});
            $n{$code}{invented}++;
            push @wrong, "  invented $code $key: "
                . "$found{$code}{$key}{message}\n";
        }
    }
    for my $code (sort keys %{ $j->{must} }) {
        for my $key (sort keys %{ $j->{must}{$code} }) {
            $n{$code}{real}++;
            next if $found{$code}{$key}
                || ($code =~ /042[01]/ && $habits)
                || ($code =~ /\A04(?:28|63)\z/ && $found{$code})
                || ($code eq 'any' && is_said($j, \%found, $key));
            $n{$code}{missed}++;
            push @wrong, "  missed $code $key: $j->{must}{$code}{$key}\n";
        }
    }
    while (my ($code, $how) = each %{ $c->{planted} }) {
        $n{$code}{$how}++;
        $n{$code}{"$how said"}++ if $found{$code};
    }
    return @wrong;
}

# Why a client gets another virtual host's certificate: "V ADDRESS".
sub is_said {
    my ($j, $found, $key) = @_;
    my ($id, $set) = split / /, $key;
    return 1 if $found->{'0413'}{$set};
    return scalar grep { /\A\Q$id\E(?:<|\z)/ } map { keys %$_ }
        values %$found;
}

sub report {
    print "code  planted  reported   nearly  reported     found  invented  "
        . "real  missed  precision  recall\n";
    my %sum;
    for my $code (sort keys %n) {
        my %x = map { $_ => $n{$code}{$_} || 0 } 'present', 'present said',
            'near', 'near said', qw(found invented real missed);
        printf "%-4s %8d %9d %8d %9d %9d %9d %5d %7d %10s %7s\n", $code,
            @x{'present', 'present said', 'near', 'near said',
               qw(found invented real missed)},
            share($x{invented}, $x{found}), share($x{missed}, $x{real});
        $sum{$_} += $x{$_} for keys %x;
    }
    printf "%d configurations (%d not valid), %d findings, %d invented, "
        . "%d faults, %d missed; precision %s, recall %s; %.0f s\n", $done,
        $invalid, map({ $_ || 0 } @sum{qw(found invented real missed)}),
        share($sum{invented} || 0, $sum{found} || 0),
        share($sum{missed} || 0, $sum{real} || 0), time - $begin;
    return;
}

sub share {
    my ($wrong, $all) = @_;
    return $all ? sprintf '%.4f', 1 - $wrong / $all : '-';
}
