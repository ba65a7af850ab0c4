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

# What the README shows on the console is what one gets. Each ```console block
# is about the ```apache block before it: that is sites.conf of a server, on
# other ports. A line "..." stands for any lines; blanks and line ends do not
# count.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;

use Sniv::Docs qw(furnish slurp);
use Sniv::Httpd;

plan skip_all => 'SNIVHOST=off: the module is not loaded'
    if Sniv::Httpd::mode() eq 'off';
plan skip_all => 'the commands do not load a sanitizer first'
    if $ENV{SNIVHOST_PRELOAD};
plan skip_all => 'openssl or curl is not installed'
    if system('openssl version >/dev/null 2>&1; curl -V >/dev/null 2>&1');

my $top = Sniv::Httpd::top();
my ($conf, $server, %ports);

# The server of the last configuration, made when the first command needs it.
sub server {
    return $server if $server;
    my @free = Sniv::Httpd::free_ports(2);
    @ports{80, 443} = @free;
    $server = Sniv::Httpd->new(
        name => 'docs-readme', mode => 'none', ports => [], conf => '');
    my $text = $conf;
    $text =~ s/:(80|443)\b/:$ports{$1}/g;
    my $mode = $text =~ /^SNIVHost\s/m ? '' : "SNIVHost On\n";
    $server->write('sites.conf', furnish($server->dir, $text));
    $server->{conf} = join '', 'LoadModule snivhost_module "',
        Sniv::Httpd::module_so(), "\"\n$mode",
        (map { "Listen 127.0.0.1:$ports{$_}\n" } 80, 443),
        "Include sites.conf\n";
    $server->write_conf;
    return $server;
}

sub run {
    my ($command) = @_;
    my ($said);
    if ($command eq './bootstrap demo') {
        my $work = Sniv::Httpd::work() . '/readme-demo';
        mkdir $work;
        chmod 0755, $work;
        local $ENV{SNIVHOST_WORK} = $work;
        my $so = Sniv::Httpd::module_so();
        $said = `sh '$top/t/demo/demo.sh' '$so' 2>&1`;
        rmdir $work;
        # The README is about a newer one
        $said =~ s/^no SNI, other Host .*\K\b200$/421/m
            if !Sniv::Httpd::has_sni_policy();
        return $said;
    }
    my $h = server();
    my $dir = $h->dir;
    if ($command =~ s/^apachectl -t//) {
        my $httpd = Sniv::Httpd::httpd();
        $command =~ s/:(80|443)\b/:$ports{$1}/g;
        $command =~ s{(https://[\w.]+)(?=/)}{$1:$ports{443}};
        $said = `$httpd -d $dir -f $dir/httpd.conf -t $command 2>&1`;
    }
    else {
        $h->start if !$h->pid;
        $command =~ s/localhost:(80|443)\b/127.0.0.1:$ports{$1}/g;
        local $ENV{no_proxy} = '*';
        $said = `$command`;
    }
    # What a browser would not send with the usual port
    my $port = $ports{443};
    $said =~ s/\bhost=\S+?\K:$port\b//g;
    my %back = reverse %ports;
    $said =~ s/:(\d+)\b/':' . ($back{$1} || $1)/ge;
    $said =~ s{\Q$dir\E/(?=sites\.conf)}{}g;
    $said =~ s{\Q$dir\E/}{/}g;
    return $said;
}

sub squeeze {
    my ($text) = @_;
    $text =~ s/\bport \d+/port N/g;
    $text =~ s/\s+//g;
    return $text;
}

# Whether the parts between the lines "..." are there, in this order; the
# first and the last at the ends if there is no "..." at the end.
sub matches {
    my ($said, $expected) = @_;
    my $regex = join '.*', map { quotemeta squeeze($_) }
        split /^\.\.\.\n/m, $expected, -1;
    return squeeze($said) =~ /\A$regex\z/;
}

my $n = 0;
my $readme = slurp('README');
while ($readme =~ /^```(apache|console)\n(.*?)^```$/gms) {
    my ($kind, $block) = ($1, $2);
    my $line = 1 + (substr($readme, 0, $-[0]) =~ tr/\n//);
    if ($kind eq 'apache') {
        $server->remove if $server;
        ($conf, $server) = ($block, undef);
        next;
    }
    my (undef, @commands) = split /^\$ /m, $block;
    for my $one (@commands) {
        my ($command, $expected) = split /\n/, $one, 2;
        my $said = run($command);
        my $name = length $command > 60 ? substr($command, 0, 57) . '...'
                                        : $command;
        ok matches($said, $expected), "README, line $line: $name"
            or diag "it said:\n$said";
        $n++;
    }
}
$server->remove if $server;
cmp_ok $n, '>', 3, "$n commands";

done_testing;
