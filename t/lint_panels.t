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


# What templates of hosting panels write for each site is one finding, with a
# number and an example, or a note: so that a real one among many is seen, and
# SNIVHostLint Strict lets pass what no administrator of a panel can change.
# (t/panels.t has the panels' own shapes.)

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use File::Path qw(make_path remove_tree);
use Sniv::Chain qw(make_cert);
use Sniv::Httpd;

plan skip_all => 'findings are the module\'s own'
    if Sniv::Httpd::mode() eq 'off';

my $work = Sniv::Httpd::work() . "/lint-panels-files.$$";
END {
    my $status = $?;
    remove_tree($work) if $work;
    $? = $status;
}
make_path($work);
make_cert($work, 'ca', is_ca => 1);
make_cert($work, "s$_", ca => 'ca', chain => ['ca'],
          names => ["s$_.test", "www.s$_.test"]) for 1 .. 4;
make_cert($work, 'host', ca => 'ca', chain => ['ca'],
          names => ['host.test']);
make_cert($work, "bare$_", ca => 'ca', chain => ['ca'], names => ["s$_.test"])
    for 1 .. 4;

sub vhost {
    my ($cert, $name, @aliases) = @_;
    return join "\n", '<VirtualHost 127.0.0.1:PORT>', "ServerName $name",
        (map { "ServerAlias $_" } @aliases), 'SSLEngine on',
        "SSLCertificateFile $work/$cert.crt",
        "SSLCertificateKeyFile $work/$cert.key", "</VirtualHost>\n";
}

my $conf;
my $h = Sniv::Httpd->new(name => 'lintpanels', conf => sub {
    my ($port) = @_;
    return "Listen 127.0.0.1:$port\nSNIVHostLintIgnore 0425 0430 0465\n"
        . ($conf // '') =~ s/PORT/$port/gr;
});

# Findings as "code", notes as "code n", in the order of the file; and
# whether Strict fails for the warnings and for nothing else.
sub finds {
    my ($title, $want, $says, @conf) = @_;
    $conf = join '', @conf;
    $h->write_conf;
    my ($status, $said) = $h->check('-t', '-D', 'DUMP_SNIVHOST_LINT');
    my $got = join ' ', map { /^SNIV04(\d\d): .*?( \(note\))?$/
                              ? $1 . ($2 ? 'n' : '') : () } split /\n/, $said;
    is($got, $want, $title) or diag $said;
    like($said, $says, 'in words') if $says;
    ($status, $said) = $h->check('-t', '-c', 'SNIVHostLint Strict');
    is($status, $want =~ /\d\b/ ? 1 : 0, 'Strict') or diag $said;
    return;
}

my $host = vhost('host', 'host.test');

# ----- names by habit

finds('a label before each name', '21n',
      qr/certificates of 4 virtual hosts .*'ipv4\.\*', for example 'ipv4\.s1/,
      $host, map { vhost("s$_", "s$_.test", "www.s$_.test",
                         "ipv4.s$_.test") } 1 .. 4);
finds('two labels before each name', '21n 21n', undef,
      $host, map { vhost("s$_", "s$_.test", "www.s$_.test", "ipv4.s$_.test",
                         "ipv6.s$_.test") } 1 .. 4);
finds('a suffix behind each name', '21n', qr/'\*\.testing\.host\.test'/,
      $host, map { vhost("s$_", "s$_.test", "www.s$_.test",
                         "s$_.test.testing.host.test") } 1 .. 4);
finds('an artificial ServerName', '20n', qr/'SSL\.\*'|'ssl\.\*'/i,
      $host, map { vhost("s$_", "SSL.s$_.test", "s$_.test",
                         "www.s$_.test") } 1 .. 4);
finds('of one site, whose names are covered', '20n', undef, $host,
      vhost('s1', 'SSL.s1.test', 's1.test', 'www.s1.test'));
finds('a real one among them', '21n 21', qr/does not cover 'shop\.other\.test'/,
      $host, (map { vhost("s$_", "s$_.test", "www.s$_.test",
                          "ipv4.s$_.test") } 1 .. 3),
      vhost('s4', 's4.test', 'ipv4.s4.test', 'shop.other.test'));
finds('www is no habit, but one finding', '21',
      qr/certificates of 4 virtual hosts .*'www\.\*'/,
      $host, map { vhost("bare$_", "s$_.test", "www.s$_.test") } 1 .. 4);
finds('nor is ServerName www', '20', qr/certificates of 4 .*'www\.\*'/,
      $host, map { vhost("bare$_", "www.s$_.test", "s$_.test") } 1 .. 4);
finds('one site alone', '21', qr/cover 'blog\.s1\.test'/, $host,
      vhost('s1', 's1.test', 'blog.s1.test'));
finds('a few of many', '21 21', undef, $host,
      vhost('s1', 's1.test', 'one.s1.test'),
      vhost('s2', 's2.test', 'two.s2.test'), vhost('s3', 's3.test'));

# ----- others

finds('patterns that no certificate can cover', '', undef, $host,
      vhost('s1', 's1.test', 'cpanel.*', 'whm.*', 'www.s?.tes*'));
finds('one that could be', '21', qr/'\*\.s2\.test'/, $host,
      vhost('s1', 's1.test', '*.s2.test'));
finds('the name of a default of many', '20n', undef,
      vhost('host', 'shared.domain'),
      map { vhost("s$_", "s$_.test") } 1, 2);
finds('of a single site', '20', undef, vhost('host', 'shared.domain'));
finds('a host for patterns, with the ServerName of the default', '00n', undef,
      $host, vhost('host', 'host.test', 'cpanel.*', 'whm.*'));
finds('a ServerName twice', '00', undef, $host, vhost('host', 'host.test'));

# ----- read twice

make_path("$work/sites");
for my $n (1 .. 3) {
    open my $out, '>', "$work/sites/s$n.conf" or die "s$n.conf: $!\n";
    print $out vhost("s$n", "s$n.test") =~ s/PORT/${\ ($h->ports)[0]}/r;
    close $out;
}
finds('files that two lines include', '01n', qr/and 2 more of this folder/,
      $host, "Include $work/sites/s*.conf\nInclude $work/sites/*.conf\n");
finds('that one includes', '', undef, $host, "Include $work/sites/*.conf\n");
$h->remove;

done_testing;
