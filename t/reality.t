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



# What the tools say, against reality: short runs of lint.pl and misdirected.pl
# in t/differential, and the proof that they would find something. "make
# reality" runs longer; t/compare.t has a run of compare.pl.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use Sniv::Httpd;

plan tests => 7, sub {
    Sniv::Httpd::mode() eq 'on' ? 1
        : skip_reason('findings are the module\'s own');
};

sub run {
    my ($program, @args) = @_;
    my $pid = open my $out, '-|';
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec $^X, "$FindBin::Bin/differential/$program", @args
            or die "$program: $!\n";
    }
    my $said = do { local $/; <$out> };
    close $out;
    return ($? >> 8, $said);
}

# The same ones each time, unless more are asked for
my @configs = $ENV{SNIVHOST_CONFIGS} ? ('--configs', $ENV{SNIVHOST_CONFIGS})
    : ('--configs', 15, '--seed', 30000);
my ($status, $said) = run('lint.pl', @configs);
is $status, 0, 'findings are what clients see' or diag $said;
like $said, qr/precision 1\.0000, recall 1\.0000/, '... all, and no other';
note $said;

# Without one of the findings, and with claims that are not true
($status, $said) = run('lint.pl', '--configs', 3, '--seed', 1, '--code',
                       '0422', '--with', 'SNIVHostLintIgnore 0422');
like $said, qr/^  missed 0422 s5-expired/m, 'a fault that is not reported '
    . 'is seen' or diag $said;
($status, $said) = run('lint.pl', '--configs', 3, '--seed', 1, '--code',
                       '0402', '--sabotage');
is $status, 0, 'a finding that is not true is seen' or diag $said;

# Which requests are answered 421
SKIP: {
    skip $Sniv::Httpd::WHY_NO_SNI_POLICY, 3 if !Sniv::Httpd::has_sni_policy();
    ($status, $said) = run('misdirected.pl', @configs);
    is $status, 0, 'DUMP_SNIVHOST_421 is what is answered' or diag $said;
    like $said, qr/precision 1\.0000, recall 1\.0000/, '... all of it';
    note $said;
    ($status, $said) = run('misdirected.pl', '--configs', 6, '--seed', 1,
                           '--sabotage');
    is $status, 0, 'another policy is seen' or diag $said;
}
