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

# SNIVHostCompare against reality: random changes of random configurations.
#
# For each configuration a server is started and asked; then, change after
# change, another one. What two servers answer differently has to be
# reported, and what is reported has to be answered differently. Precision is
# the share of reported names whose answers differ, recall the share of
# answers that differ and are reported.
#
#   t/differential/compare.pl --configs 20 --changes 10
#
#   --configs N     configurations (5)
#   --changes N     changes of each (4), one after the other
#   --questions N   for each change (60), beside what is reported
#   --seed N        of the first configuration; the next has N+1 ...
#   --with 'LINE'   one more directive for the servers; repeatable
#   --show          print each change and what is said about it
#
# The exit status is 0 if both are 1, else 1.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Getopt::Long qw(GetOptions);
use JSON::PP ();
use Time::HiRes qw(time);

use Sniv::Certs;
use Sniv::DiffCompare;
use Sniv::DiffConfig;
use Sniv::Httpd;

my %o = (configs => 5, changes => 4, questions => 60, with => []);
GetOptions(\%o, 'configs=i', 'changes=i', 'questions=i', 'seed=i', 'show',
           'with=s@') && !@ARGV
    or die "see the comment at the top of $0\n";

my @ports = Sniv::Httpd::free_ports(5);
Sniv::Certs::make();
my $www = Sniv::Httpd::work() . '/differential-www';
Sniv::DiffConfig::write_pages($www, 20);

$| = 1;
my $seed = $o{seed} // 1 + int rand 1_000_000_000;
my %n = map { $_ => 0 } qw(configs changes asked differ missed said invented
                           unseen invalid);
my $begin = time;
for (my $i = 0; $n{configs} < $o{configs} && $i < 2 * $o{configs}; $i++) {
    one($seed + $i);
}
printf "%d configurations, %d changes, %d answers compared: %d differ, "
    . "%d not reported; %d reported names asked, %d did not differ\n"
    . "%d certificates changed that no client can get\n"
    . "recall %.4f, precision %.4f, %.0f s\n",
    @n{qw(configs changes asked differ missed said invented unseen)},
    $n{differ} ? 1 - $n{missed} / $n{differ} : 1,
    $n{said} ? 1 - $n{invented} / $n{said} : 1, time - $begin;
exit($n{missed} || $n{invented} || !$n{changes} ? 1 : 0);

sub copy {
    my ($data) = @_;
    return ref $data eq 'HASH' ? { map { $_ => copy($data->{$_}) } keys %$data }
        : ref $data eq 'ARRAY' ? [map { copy($_) } @$data] : $data;
}

sub server {
    my ($c) = @_;
    return Sniv::Httpd->new(name => 'compare', ports => [@ports],
        mode => 'on', modules => ['macro'], with => $o{with}, again => 1,
        conf => Sniv::DiffConfig::render($c));
}

# A server's JSON, or nothing if httpd does not accept the configuration.
sub dump_of {
    my ($h) = @_;
    my ($status, $said) = $h->check('-t', '-D', 'DUMP_SNIVHOST_JSON');
    return if $status;
    return $said =~ /^(\{\n.*?^\}\n)/ms ? $1 : undef;
}

sub run {
    my ($c, @questions) = @_;
    my $h = server($c);
    $h->{allow} = qr/SNIV000/;
    my @answers;
    if (eval { $h->start; 1 }) {
        @answers = map { Sniv::DiffCompare::answer($_) } @questions;
    }
    $h->remove;
    return @answers;
}

sub one {
    my ($n) = @_;
    srand $n;
    my $c = Sniv::DiffConfig::generate(\@ports, Sniv::Httpd::has_ipv6());
    $c->{www} = $www;
    Sniv::DiffCompare::simplify($c);
    my $h = server($c);
    my $json = dump_of($h);
    $h->remove;
    if (!defined $json) {
        $n{invalid}++;
        return;
    }
    $n{configs}++;
    for my $k (1 .. $o{changes}) {
        my $new = copy($c);
        my $did = Sniv::DiffCompare::change($new);
        my $next = compare($n, $k, $did, $c, $json, $new) or next;
        ($c, $json) = ($new, $next);
    }
    return;
}

# One change; returns the JSON of the new configuration.
sub compare {
    my ($seed, $k, $did, $old, $old_json, $new) = @_;
    my $h = server($new);
    my $new_json = dump_of($h);
    my ($status, $said) = (1, '');
    if (defined $new_json) {
        $h->write('before.json', $old_json);
        ($status, $said) = $h->check('-t', '-c',
            'SNIVHostCompare before.json format=json');
    }
    $h->remove;
    return if $status && !defined $new_json;
    my ($text) = $said =~ /^(\{\n.*?^\}\n)/ms;
    my $json = defined $text ? JSON::PP->new->latin1->decode($text)
                             : die "seed $seed, change $k ($did): $said\n";
    my @said = Sniv::DiffCompare::questions_of($json, $old);
    @said = @said[sort { $a <=> $b } (sort { rand() <=> 0.5 } 0 .. $#said)
                  [0 .. 39]] if @said > 40;
    my @q = (Sniv::DiffCompare::questions($old, $new, $o{questions}), @said);
    my @before = run($old, @q);
    my @after = run($new, @q);
    return $new_json if !@before || !@after;    # one does not start
    $n{changes}++;
    for my $i (0 .. $#q) {
        # a handshake that fails in any case says nothing
        next if $before[$i] eq $after[$i]
            && $before[$i] =~ m{\Aerror|vhost - status none};
        # no TLS where TLS is spoken: the default says so, whatever the name
        next if !$q[$i]{tls}
            && 2 == grep { /status 400/ } $before[$i], $after[$i];
        my $differs = $before[$i] ne $after[$i];
        $n{asked}++;
        $n{differ} += $differs;
        if ($q[$i]{change}) {
            if (!$differs && Sniv::DiffCompare::is_unseen($q[$i],
                $before[$i], $after[$i])) {
                $n{unseen}++;
                next;
            }
            $n{said}++;
            next if $differs;
            $n{invented}++;
            complain("invented", $seed, $k, $did, $q[$i], $before[$i],
                     $after[$i], $text);
        }
        elsif ($differs && !Sniv::DiffCompare::is_reported($json, $q[$i],
            $before[$i], $after[$i])) {
            $n{missed}++;
            complain("missed", $seed, $k, $did, $q[$i], $before[$i],
                     $after[$i], $text);
        }
    }
    print "seed $seed, change $k: $did: $json->{changed} names\n" if $o{show};
    return $new_json;
}

sub complain {
    my ($what, $seed, $k, $did, $q, $before, $after, $text) = @_;
    print "$what: seed $seed, change $k ($did): ",
        Sniv::DiffCompare::text($q), "\n  before: $before\n  after:  $after\n";
    print !$q->{change} ? $o{show} ? $text : ''
        : "  reported (@{ $q->{change}{what} }): $q->{change}{address} "
        . "$q->{change}{summary}\n";
    return;
}
