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

# DUMP_SNIVHOST_421 against reality: random TLS virtual hosts, settings,
# certificates and policies. Over a connection for each name each other one
# that the certificate covers is asked for; what is answered 421 has to be
# predicted, and what is predicted has to be answered so.
#
#   t/differential/misdirected.pl --configs 100
#
#   --configs N     configurations (20)
#   --seed N        of the first; the next has N+1 ...
#   --with 'LINE'   one more directive for the server; repeatable
#   --sabotage      the server has another policy than was asked about:
#                   succeeds if that is seen
#   --show          print each configuration and what is predicted
#
# The exit status is 0 if precision and recall are 1, else 1.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use File::Path qw(remove_tree);
use Getopt::Long qw(GetOptions);
use Time::HiRes qw(time);

use Sniv::Certs;
use Sniv::DiffConfig;
use Sniv::DiffLint;
use Sniv::Httpd;
use Sniv::LintJudge;

BEGIN {
    *chance = \&Sniv::DiffConfig::chance;
    *pick = \&Sniv::DiffConfig::pick;
}

my %o = (configs => 20, with => []);
GetOptions(\%o, 'configs=i', 'seed=i', 'sabotage', 'show', 'with=s@')
    && !@ARGV or die "see the comment at the top of $0\n";

$| = 1;
my @ports = Sniv::Httpd::free_ports(scalar @Sniv::DiffLint::PORTS);
my $ca = Sniv::Httpd::work() . "/421-certs.$$";
END {
    my $status = $?;
    remove_tree($ca) if $ca;
    $? = $status;
}
Sniv::Certs::make();
Sniv::DiffLint::make_certs($ca);

my %n = map { $_ => 0 } qw(done invalid asked said invented real missed);
my $begin = time;
my $seed = $o{seed} // 1 + int rand 1_000_000_000;
for (my $i = 0; $n{done} < $o{configs} && $i < 3 * $o{configs}; $i++) {
    one($seed + $i);
}
printf "%d configurations (%d not valid), %d requests; %d pairs predicted, "
    . "%d were not answered 421; %d pairs answered 421, %d not predicted\n"
    . "precision %.4f, recall %.4f, %.0f s\n",
    @n{qw(done invalid asked said invented real missed)},
    $n{said} ? 1 - $n{invented} / $n{said} : 1,
    $n{real} ? 1 - $n{missed} / $n{real} : 1, time - $begin;
my $wrong = $n{invented} || $n{missed};
exit(!$n{done} || !$wrong == !!$o{sabotage} ? 1 : 0);

sub settings {
    my @l;
    push @l, 'SSLProtocol ' . pick('TLSv1.2', 'all', 'TLSv1.2 TLSv1.3')
        if chance(0.3);
    push @l, 'SSLCipherSuite ' . pick('HIGH:@SECLEVEL=0', 'DEFAULT',
        'ECDHE+AESGCM') if chance(0.2);
    push @l, 'SSLVerifyClient ' . pick(qw(none optional optional_no_ca)),
        'SSLCACertificateFile "%ssl%/ca.crt"' if chance(0.25);
    push @l, 'SSLVerifyDepth ' . pick(1, 2) if chance(0.1);
    push @l, 'SSLHonorCipherOrder ' . pick(qw(on off)) if chance(0.1);
    push @l, 'SSLSessionTickets ' . pick(qw(on off)) if chance(0.1);
    push @l, 'SSLOptions +StdEnvVars' if chance(0.2);
    return @l;
}

# Names below two sites, certificates that cover some of them.
sub generate {
    my %p;
    @p{@Sniv::DiffLint::PORTS} = @ports;
    my $c = { ports => \%p, vhosts => [], next => 0, mode => 'On',
              adopt => chance(0.5), planted => {},
              main => [split /\n/, Sniv::Httpd::sni_policy_conf(
                  pick(qw(strict secure authonly insecure)))],
              listen => [map { [$Sniv::DiffLint::IPS[0], $_] } 's1', 's2'] };
    my @names = map { my $n = $_; map { "$_.s$n.test" } qw(www old img a) }
        1, 2;
    my @common = settings();
    for my $port (chance(0.3) ? ('s1', 's2') : 's1') {
        my %left = map { $_ => 1 } @names, 's1.test', 's2.test';
        for (1 .. 2 + int rand 4) {
            my ($name, @more) = sort { rand() <=> 0.5 } sort keys %left;
            last if @more < 2;
            my @aliases = grep { chance(0.3) } @more[0, 1];
            delete @left{$name, @aliases};
            push @aliases, '*.' . pick('s1', 's2') . '.test' if chance(0.1);
            Sniv::DiffLint::add($c, addrs => "*:$port", name => $name,
                aliases => \@aliases, engine => chance(0.95) ? 'on' : 'off',
                certs => ['s' . pick(1, 2) . '-'
                          . pick(qw(wild wild ok extra only))],
                lines => [chance(0.6) ? @common : settings(),
                          chance(0.5) ? 'Protocols h2 http/1.1' : ()]);
        }
    }
    return $c;
}

sub one {
    my ($n) = @_;
    srand $n;
    my $c = generate();
    my $h = Sniv::Httpd->new(name => 'misdirected-judge', ports => [@ports],
        mode => 'on', again => 1, with => $o{with}, conf => '',
        allow => qr/SNIV000/);
    Sniv::DiffLint::write($c, $h);
    my ($status, $said) = $h->check('-t', '-D', 'DUMP_SNIVHOST_421');
    my $lines = Sniv::LintJudge::lines_of($c, $h);
    if ($o{sabotage}) {
        $c->{main} = ['SSLVHostSNIPolicy insecure'];
        Sniv::DiffLint::write($c, $h);
    }
    if ($status || !eval { $h->start; 1 }) {
        $n{invalid}++;
        print "seed $n: ", $status ? $said : $@ if $o{show};
        $h->remove;
        return;
    }
    $n{done}++;
    my @wrong = judge($c, Sniv::LintJudge->new($c, $h),
                      predictions($said, $lines));
    print "seed $n\n", @wrong if @wrong;
    print $h->{conf}, $said if $o{show};
    $h->remove;
    return;
}

# { entries => [{ set, names, groups => [[ids]] }], nosni => { set => {id} } }
sub predictions {
    my ($said, $lines) = @_;
    my %p = (entries => [], nosni => {});
    my $set;
    for (split /\n/, $said) {
        my @ids = map { $lines->{$_} // () } /\((\S+?:\d+)\)/g;
        if (/\A(\S+:\d+)  clients without/) {
            $set = $1;
        }
        elsif (/\A    421 for /) {
            $p{nosni}{$set} = { map { $_ => 1 } @ids };
        }
        elsif (m{\A(\S+:\d+)  \S*/(s\d-\w+)\.crt}) {
            push @{ $p{entries} }, { set => $1, groups => [],
                names => "@{ $Sniv::DiffLint::CERTS{$2}{names} }" };
        }
        elsif (/\A    set-up \d+: /) {
            push @{ $p{entries}[-1]{groups} }, \@ids;
        }
    }
    return \%p;
}

# Whether it is predicted that a connection of one is not for the other.
sub is_predicted {
    my ($p, $set, $names, $v, $w) = @_;
    for my $e (grep { $_->{set} eq $set && $_->{names} eq $names }
               @{ $p->{entries} }) {
        my ($i) = grep { grep { $_ eq $v } @{ $e->{groups}[$_] } }
            0 .. $#{ $e->{groups} };
        my ($k) = grep { grep { $_ eq $w } @{ $e->{groups}[$_] } }
            0 .. $#{ $e->{groups} };
        return 1 if defined $i && defined $k && $i != $k;
    }
    return 0;
}

sub judge {
    my ($c, $j, $p) = @_;
    my (@wrong, %pairs);
    for my $set (@{ $j->{order} }) {
        my ($spot) = $j->spots($set) or next;
        if (!$j->speaks_tls($spot)) {
            my $said = grep({ $_->{set} eq $set } @{ $p->{entries} })
                + keys %{ $p->{nosni}{$set} || {} };
            push @wrong, count(1, { 0 => 'no TLS' }, $set) if $said;
            next;
        }
        my @names = grep { !/\*/ } map { Sniv::LintJudge::names($_) }
            @{ $j->{sets}{$set} };
        my %leads = map { $_ => $j->ask($spot, $_)->{vhost} } @names;
        for my $sni (@names) {
            my $cn = $j->ask($spot, $sni)->{cn} // next;
            my $v = $leads{$sni};
            for my $host (grep { Sniv::LintJudge::covers($cn, $_) } @names) {
                my $o = $j->see(@$spot, 1, $sni, $host);
                my $key = join "\t", $set, $cn, $v, $leads{$host};
                $n{asked}++;
                $pairs{$key}{ $o->{status} == 421 ? 1 : 0 } = "$sni, $host";
            }
        }
        push @wrong, without_sni($j, $p, $set, $spot, \%leads);
    }
    for my $key (sort keys %pairs) {
        my ($set, $cn, $v, $w) = split /\t/, $key;
        my $names = "@{ $Sniv::DiffLint::CERTS{$cn}{names} }";
        my $said = is_predicted($p, $set, $names, $v, $w);
        push @wrong, count($said, $pairs{$key}, "$set $cn $v -> $w");
    }
    return @wrong;
}

# Clients that send no server name.
sub without_sni {
    my ($j, $p, $set, $spot, $leads) = @_;
    my (%pairs, @wrong);
    for my $host (sort keys %$leads) {
        my $o = $j->see(@$spot, 1, undef, $host);
        $n{asked}++;
        $pairs{ $leads->{$host} }{ $o->{status} == 421 ? 1 : 0 } = $host;
    }
    for my $w (sort keys %pairs) {
        push @wrong, count($p->{nosni}{$set}{$w}, $pairs{$w},
                           "$set without SNI -> $w");
    }
    return @wrong;
}

sub count {
    my ($said, $answers, $text) = @_;
    $n{said}++ if $said;
    $n{real}++ if $answers->{1};
    if ($said && defined $answers->{0}) {
        $n{invented}++;
        return "  not 421: $text ($answers->{0})\n";
    }
    if (!$said && $answers->{1}) {
        $n{missed}++;
        return "  421: $text ($answers->{1})\n";
    }
    return ();
}
