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


# What is done with findings: where they are reported, what SNIVHostLint and
# SNIVHostLintIgnore change, the dumps. t/lint_*.t have the findings.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use Sniv::Certs;
use Sniv::Httpd;
use Sniv::Lint qw(:DEFAULT say_of);

plan tests => 31, sub {
    Sniv::Httpd::mode() ne 'off' ? 1
        : skip_reason('the module is not loaded');
};

Sniv::Certs::make();
my $h = Sniv::Lint::server('lint', {});
my @wrong = ($listen, vhost('*:80', 'a.test'), vhost('*:80', 'a.test'));
my ($status, $said, @got);

sub found { return "@got, exit $status"; }

($status, $said, @got) = say_of(["SNIVHostLint Off\n", @wrong]);
is found(), ', exit 0', 'SNIVHostLint Off: nothing';
($status, $said, @got) = say_of(["SNIVHost Off\n", @wrong]);
is found(), ', exit 0', 'SNIVHost Off: nothing';
($status, $said, @got) = say_of(["SNIVHost Off\nSNIVHostLint On\n", @wrong]);
is found(), 'case:9 0400, exit 0', 'SNIVHost Off, SNIVHostLint On: findings';
($status, $said, @got) = say_of(["SNIVHostLint Strict\n", @wrong]);
is found(), 'case:8 0400, exit 1', 'SNIVHostLint Strict: -t fails';
like $said, qr/^SNIV0490: /m, 'SNIVHostLint Strict: -t says why';
($status, $said, @got) = say_of(["SNIVHostLint Strict\n", @wrong[0, 1]]);
is found(), ', exit 0', 'SNIVHostLint Strict: nothing found, nothing fails';
($status, $said, @got) = say_of(["SNIVHostLint Strict\n",
    "SNIVHostLintIgnore SNIV0400\n", @wrong]);
is found(), ', exit 0', 'SNIVHostLintIgnore';
($status, $said, @got) = say_of([@wrong[0, 1],
    vhost('*:80', 'a.test', 'SNIVHostLintIgnore 0402 0400'),
    vhost('*:80', 'a.test')]);
is found(), 'case:11 0400, exit 0', 'SNIVHostLintIgnore in a virtual host';
($status, $said, @got) = say_of(["SNIVHostLintIgnore SNIV0001\n", @wrong]);
is $status, 1, 'SNIVHostLintIgnore takes no other codes';
($status, $said, @got) = say_of(["SNIVHostLintIgnore SNIV0450 0443\n", @wrong]);
is found(), 'case:8 0400, exit 0',
    'SNIVHostLintIgnore takes codes that are no longer reported';
($status, $said, @got) = say_of([vhost('*:80', 'a.test', 'SNIVHostLint Off')]);
is $status, 1, 'SNIVHostLint is not allowed in a virtual host';

($status, $said, @got) = say_of([$listen, vhost('*:80', 'a.test'),
    map { vhost('*:80', 'a.test') } 1 .. 50]);
is scalar(grep({ /case:\d+ 0400/ } @got)), 20, 'the first 20 of a kind';
like $said, qr/^SNIV0400: and 30 more/m, 'the others of this kind are counted';
($status, $said) = $h->check('-t', '-D', 'DUMP_SNIVHOST_LINT');
is scalar(() = $said =~ /^SNIV0400: /mg), 50, 'DUMP_SNIVHOST_LINT: all of them';
like $said, qr/^50 findings$/m, 'DUMP_SNIVHOST_LINT: how many';

($status, $said) = say_of([$listen, vhost('*:80', "a.test"),
    vhost('*:80', qq(a.test b"\xff.test))]);
for my $dump ('DUMP_SNIVHOST_LINT_JSON', 'DUMP_SNIVHOST_JSON') {
    ($status, $said) = $h->check('-t', '-D', $dump);
    $said =~ s/^Syntax OK\n//m;
    my $json = eval { JSON::PP->new->utf8->decode($said) } || {};
    is $json->{version}, 1, "$dump: a document";
    my $found = $json->{findings} || [{}];
    my %first = %{ $found->[0] };
    $first{$_} =~ s{.*/}{} for 'file', 'defined_at';
    like delete $first{message}, qr/^'a\.test' appears here and in a\.test \(/,
        "$dump: the sentence";
    is_deeply \%first, { code => 'SNIV0400', level => 'warning',
        file => 'case.conf', line => 7, vhost => 'a.test',
        defined_at => 'case.conf:6' }, "$dump: the other fields";
}

$h->remove;

$h = Sniv::Lint::server('lint-no-ssl', { modules => ['-ssl', '-http2'] });
($status, $said, @got) = say_of([@wrong]);
is found(), 'case:7 0400, exit 0', 'a finding without mod_ssl';
for my $dump ('', '_JSON') {
    ($status, $said) = $h->check('-t', '-D', "DUMP_SNIVHOST_LINT$dump");
    is $status, 0, "DUMP_SNIVHOST_LINT$dump without mod_ssl";
}
($status, $said) = $h->check('-t', '-D', 'DUMP_SNIVHOST_421');
like $said, qr/^mod_ssl is not loaded/m, 'DUMP_SNIVHOST_421 without mod_ssl';
($status, $said) = $h->check('-D', 'DUMP_SNIVHOST_LINT');
is $status, 1, 'DUMP_SNIVHOST_LINT without -t: refused';
$h->remove;
my $lint = '';
$h = Sniv::Httpd->new(name => 'lint-start', conf => sub {
    return join '', "Listen 127.0.0.1:$_[0]\nTypesConfig /dev/null\n", $lint,
        map { vhost("*:$_[0]", 'a.test') } 1 .. 2;
});
$h->start;
is scalar(() = $h->read('error.log') =~ /SNIV0400: .*httpd\.conf:\d+: /g), 1,
    'a start logs a finding once, in the error log';
$lint = "SNIVHostLint Strict\n";
$h->write_conf;
$h->signal('USR1');
ok $h->wait_for_log('error.log', qr/Doing graceful restart/),
    'a restart with SNIVHostLint Strict happens';
for (1 .. 500) {
    last if (() = $h->read('error.log') =~ /resuming normal operations/g) > 1;
    select undef, undef, undef, 0.02;
}
is scalar(() = $h->read('error.log') =~ /SNIV0400: /g), 2,
    'a restart with Strict logs it, and the server runs';
$h->stop;
ok !eval { $h->start; 1 }, 'a start with SNIVHostLint Strict fails';
like $@, qr/^SNIV0490: /m, '... with the reason on the console';
$h->remove;