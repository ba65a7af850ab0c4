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
package Sniv::PanelRun;

# Runs a Sniv::Panels without and with the module, asks both the same, and
# says what differed; and how long they took, for t/panels/run.pl.
#
#   my $stock = run($panel, 'none');
#   my $ours = run($panel, 'on', 'SNIVHostAdopt On');
#   for my $d (differences($panel, $stock, $ours)) { ... }

use strict;
use warnings;

use Exporter qw(import);
use Time::HiRes qw(sleep time);

use Sniv::Client;
use Sniv::DiffAsk;
use Sniv::H2;
use Sniv::Proc;

our @EXPORT_OK = qw(run differences check);

# Start a server, ask its questions, stop it:
#   answers, log (lines)    what a client saw, what was logged of it
#   start                   seconds until the last site has shaken hands
#   pss                     MiB of all its processes
#   lean, of, why           virtual hosts; why not, as the module says
#   lint                    code => lines in the error log
#   bad                     lines of the log that say that something crashed
# ask => 0: only start it
sub run {
    my ($panel, $mode, $with, %arg) = @_;
    my $h = $panel->server($mode, @{ $with || [] });
    my %got;
    my $begin = time;
    $h->start;
    my $last = $panel->{list}[-1]{name};
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $panel->{https},
                              tls => { sni => $last });
    die "$panel->{name}: $last: " . $c->error . "\n" if $c->error;
    $got{start} = time - $begin;
    $c->close;
    if (!defined $arg{ask} || $arg{ask}) {
        $got{questions} = [$panel->questions];
        $got{answers} = [map { Sniv::DiffAsk::ask($_) }
                         @{ $got{questions} }];
        # Written after the client has its answer
        $h->wait_for_log('access.log', qr/./);
        sleep 0.05;
        $got{log} = [sort split /\n/, $h->read('access.log')];
    }
    $got{pss} = Sniv::Proc::pss($h->pid);
    $h->stop;
    my $log = $h->read('error.log') . $h->read('console.log');
    @got{qw(lean of)} = ($1, $2)
        if $log =~ /SNIV0202: .*?(\d+) of (\d+)(.*)/;
    $got{why} = $3;
    $got{lint}{$1}++ while $log =~ /\b(SNIV04\d\d):/g;
    $got{bad} = [Sniv::Httpd::bad_lines($log)];
    push @{ $got{bad} }, "exit status $h->{exit}" if $h->{exit};
    $h->remove;
    return \%got;
}

# What differs: [title, stock's, ours].
sub differences {
    my ($stock, $ours) = @_;
    my @diff;
    for my $i (0 .. $#{ $stock->{questions} }) {
        my ($x, $y) = ($stock->{answers}[$i], $ours->{answers}[$i]);
        push @diff, [$stock->{questions}[$i]{id}, $x, $y] if $x ne $y;
    }
    my %count;
    $count{$_}++ for @{ $stock->{log} };
    $count{$_}-- for @{ $ours->{log} };
    my @more = grep { $count{$_} > 0 } sort keys %count;
    my @less = grep { $count{$_} < 0 } sort keys %count;
    push @diff, ['access log', join("\n", @more, ''), join("\n", @less, '')]
        if @more || @less;
    push @diff, ['crash', '', join "\n", @{ $ours->{bad} }, '']
        if @{ $ours->{bad} };
    return @diff;
}

# "httpd -t": (exit status, { code => lines on the console }, the lines)
sub check {
    my ($panel, $mode, @with) = @_;
    my $h = $panel->server($mode, @with);
    my ($status, $said) = $h->check;
    $h->remove;
    my %lint;
    my @lines = grep { /\b(SNIV04\d\d):/ && ++$lint{$1} } split /\n/, $said;
    return ($status, \%lint, join "\n", @lines);
}

1;
