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

# Other modules that use what mod_snivhost borrows of a connection
# (t/neighbour/mod_neighbour.c says which real ones): with them, too, all is as
# in stock httpd.

use strict;
use warnings FATAL => 'all';

use File::Copy qw(copy);
use File::Path qw(remove_tree);
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Sniv::Client;
use Sniv::Httpd;
use Sniv::Pair;

plan skip_all => 'compares the module with stock httpd'
    if Sniv::Httpd::mode() eq 'off';

# Builds it where the tests put everything else that they make.
my $build = Sniv::Httpd::work() . "/neighbour.$$";
mkdir $build or die "$build: $!\n";
copy("$FindBin::Bin/neighbour/mod_neighbour.c", $build) or die "copy: $!\n";
my $apxs = $ENV{APXS} || 'apxs';
my $said = `cd $build && $apxs -c mod_neighbour.c 2>&1`;
my $so = "$build/.libs/mod_neighbour.so";
die "$apxs -c failed:\n$said" if !-e $so;

my %ASK = (
    default => "Host: unknown.test\r\n", first => "Host: v0.test\r\n",
    second => "Host: v1.test\r\n", alone => "Host: unknown.test\r\n",
);

for my $mode (qw(search copy late other)) {
    my $pair = Sniv::Pair->new(name => "neighbour-$mode",
        mode => Sniv::Httpd::mode(), conf => sub {
        my ($port, $which, $other) = @_;
        my $addr = Sniv::Pair->addr($which);
        return "LoadModule neighbour_module \"$so\"\nNeighbour $mode\n"
            . "ServerAdmin main\n"
            . join '', map {
                my ($label, $p, $timeout) = @$_;
                "<VirtualHost $addr:$p>\nServerName $label.test\n"
                    . "ServerAdmin $label\nTimeout $timeout\n"
                    . "</VirtualHost>\n"
            } ['v0', $port, 11], ['v1', $port, 12], ['v2', $port, 13],
              ['alone', $other, 14];
    });
    $pair->start;
    for my $what (sort keys %ASK) {
        # Three on one connection: what comes to pass while the first one is
        # read holds for the others.
        $pair->same("$mode: $what", sub {
            my ($addr, $port, $which) = @_;
            my $c = Sniv::Client->new(addr => $addr,
                port => $what eq 'alone' ? $pair->other : $port);
            my @said;
            for my $n (1 .. 3) {
                my $r = $c->request("GET /$n HTTP/1.1\r\n$ASK{$what}\r\n");
                push @said, $r->{status} . ' '
                    . ($r->{headers}{'x-neighbour'} || '-');
            }
            $c->close;
            return join "\n", @said;
        });
    }
    $pair->stop;
    is(lines_of($pair, 'ours'), lines_of($pair, 'stock'),
       "$mode: the access logs are equal");
}

# A line is written after its answer, maybe behind that of the next connection.
sub lines_of {
    my ($pair, $which) = @_;
    return join "\n", sort split /\n/,
        $pair->neutral($which, $pair->log($which, 'access.log'));
}

# Nobody gets past a refusal because a neighbour has touched the connection.
SKIP: {
    skip 'a refusal is the module\'s own', 9 if Sniv::Httpd::mode() ne 'on';
    for my $mode (qw(search copy late)) {
        my $h = Sniv::Httpd->new(name => "neighbour-refuse-$mode",
                                 conf => sub {
            my ($port) = @_;
            return "Listen 127.0.0.1:$port\n"
                . "LoadModule neighbour_module \"$so\"\nNeighbour $mode\n"
                . "SNIVHostUnknownHost refuse\n"
                . join '', map { "<VirtualHost 127.0.0.1:$port>\n"
                    . "ServerName $_.test\n</VirtualHost>\n" } qw(v0 v1);
        });
        $h->start;
        my $c = Sniv::Client->new(addr => '127.0.0.1', port => ($h->ports)[0]);
        is($c->get('v1.test', '/')->{status}, 404, "$mode: a known Host");
        is($c->get('v0.test', '/')->{status}, 404, "$mode: another one");
        is($c->get('unknown.test', '/')->{status}, 421,
           "$mode: an unknown Host is refused");
        $c->close;
        $h->remove;
    }
}

remove_tree($build);
done_testing();
