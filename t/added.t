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


# Virtual hosts that are in no file, because another module has made them
# (t/modules/mod_adds.c): all that reads the configuration has to do without
# their lines.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use File::Copy qw(copy);
use File::Path qw(make_path remove_tree);
use JSON::PP ();
use Sniv::Certs;
use Sniv::Client;
use Sniv::Httpd;

plan skip_all => 'the dumps are the module\'s own'
    if Sniv::Httpd::mode() eq 'off';

Sniv::Certs::make();
my $work = Sniv::Httpd::work() . "/added.$$";
END {
    my $status = $?;
    remove_tree($work) if $work;
    $? = $status;
}
make_path("$work/certs");
copy("$FindBin::Bin/modules/mod_adds.c", $work) or die "copy: $!\n";
my $said = do {
    my $apxs = $ENV{APXS} || 'apxs';
    qx{cd $work && $apxs -c mod_adds.c 2>&1};
};
die "apxs: $said" if !-e "$work/.libs/mod_adds.so";
copy($_, "$work/certs/") or die "$_: $!\n"
    for map { (Sniv::Certs::crt($_), Sniv::Certs::key($_)) } qw(c2 c3);

# Where it is: the first of its address, behind one, alone, with its name
# in a folder or not, without a name.
my %CASES = (
    'first of its address' => sub { "AddVhost 127.0.0.1:$_[0] c2.test\n" },
    'one of three' => sub { my ($port) = @_;
        join '', map { "AddVhost 127.0.0.1:$port $_.test\n" } qw(c2 c4 c3) },
    'behind one that is in a file' => sub {
        "AddVhost 127.0.0.1:$_[0] c2.test\n"
        . "<VirtualHost 127.0.0.1:$_[0]>\nServerName c3.test\n"
        . "ServerAlias *.c3.test\n</VirtualHost>\n" },
    'any address' => sub { "AddVhost *:* c2.test\n" },
    'no name' => sub { "AddVhost 127.0.0.1:$_[0] -\n" },
    'refusals' => sub { "AddVhost 127.0.0.1:$_[0] c2.invalid\n"
        . "SNIVHostUnknownHost refuse\nSNIVHostUnknownSNI refuse\n"
        . "SNIVHostMissingSNI refuse\nDocumentRoot /tmp\n"
        . "SNIVHostAllowHost c5.test 127.0.0.1\n" },
);
my @LINES = ('', "SNIVHostAdopt On\n");
my @DEFINES = qw(DUMP_SNIVHOST DUMP_SNIVHOST_JSON DUMP_SNIVHOST_421
                 DUMP_SNIVHOST_LINT DUMP_SNIVHOST_LINT_JSON);

my $number = 0;
for my $case (sort keys %CASES) {
    for my $more (@LINES) {
        my $what = $case . ($more ? ', lean' : '');
        my $h = Sniv::Httpd->new(name => 'added' . $number++, conf => sub {
            my ($port) = @_;
            return "Listen 127.0.0.1:$port\n"
                . "LoadModule adds_module $work/.libs/mod_adds.so\n"
                . "SNIVHostCertificates $work/certs\nSSLEngine on\n"
                . "SSLSessionCache none\n" . Sniv::Certs::conf('c1')
                . "<Location /status>\nSetHandler snivhost-status\n"
                . "</Location>\n" . $more . $CASES{$case}->($port);
        });
        my ($port) = $h->ports;
        my @wrong;
        for my $args ([], ['-S'], (map { ['-D', $_] } @DEFINES),
                      map { ['-c', "SNIVHostExplain $_"] }
                      "127.0.0.1:$port sni=c2.test host=c2.test",
                      "127.0.0.1:$port host=c3.test",
                      "https://c2.test:$port/",
                      "https://x.test:$port/ format=json") {
            my ($status, $out) = $h->check('-t', @$args);
            push @wrong, "@$args: $status $out" if $status;
        }
        is("@wrong", '', "$what: -t and the dumps") or diag @wrong;
        my ($status, $out) = $h->check('-t', '-c', 'SNIVHostLint Strict');
        ok($status <= 1, "$what: Strict ends in order") or diag $out;
        $h->start;
        my %got;
        for my $page ('/status', '/status?format=json&dump=1',
                      '/status?set=0', '/status?find=c2',
                      "/status?address=127.0.0.1:$port&sni=c2.test&host=c2.test") {
            my $c = Sniv::Client->new(addr => '127.0.0.1', port => $port,
                tls => { sni => $case eq 'refusals' ? 'c2.invalid'
                                                    : 'c2.test' });
            $got{$page} = $c->error || $c->get($case eq 'refusals'
                ? 'c2.invalid' : 'c2.test', $page, 'Connection: close')->{status};
        }
        is(join(' ', map { $got{$_} } sort keys %got),
           join(' ', (200) x keys %got), "$what: the status page")
            or diag explain \%got;
        $h->stop;
        $h->remove;
    }
}

done_testing;
