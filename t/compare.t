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


# SNIVHostCompare: what changes for clients between two configurations.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use Sniv::Certs;
use Sniv::Chain qw(make_cert slurp);
use Sniv::Client;
use Sniv::Httpd;

plan skip_all => 'the module\'s own'
    if Sniv::Httpd::mode() eq 'off';
Sniv::Certs::make();

my $FIRST = '<VirtualHost *:%1%>
ServerName first.test
SSLEngine on
%c0%
</VirtualHost>
';
my $OLD = '<VirtualHost *:%1%>
ServerName old.test
ServerAlias www.old.test
SSLEngine on
%c2%
</VirtualHost>
';
my $SHOP = '<VirtualHost *:%1%>
ServerName shop.test
ServerAlias *.shop.test
SSLEngine on
%c1%
</VirtualHost>
';
my $PLAIN = '<VirtualHost *:%2%>
ServerName first.test
<Location "/snivhost">
SetHandler snivhost-status
</Location>
</VirtualHost>
<VirtualHost *:%2%>
ServerName old.test
ServerAlias www.old.test gone.test
</VirtualHost>
';

my $h = Sniv::Httpd->new(name => 'compare-t', ports => 2, mode => 'on',
                         conf => '');
my ($tls, $plain) = $h->ports;

sub configure {
    my ($text) = @_;
    $text =~ s/%1%/$tls/g;
    $text =~ s/%2%/$plain/g;
    $text =~ s/%(c\d)%\n/Sniv::Certs::conf($1)/ge;
    $h->{conf} = "Listen 127.0.0.1:$tls https\nListen 127.0.0.1:$plain\n"
        . $text;
    $h->write_conf;
    return;
}

sub json_of {
    my ($status, $said) = $h->check('-t', '-D', 'DUMP_SNIVHOST_JSON');
    my ($json) = $said =~ /^(\{\n.*?^\}\n)/ms or diag $said;
    return $json;
}

# (exit status, what is said) without what httpd says.
sub compare {
    my ($words) = @_;
    my ($status, $said) = $h->check('-t', '-c', "SNIVHostCompare $words");
    $said =~ s/^(?:Syntax OK|AH00014: .*)\n//mg;
    return ($status, $said);
}

# Each line of the text from the beginning, without breaks.
sub changes {
    my ($words) = @_;
    my ($status, $said) = compare($words);
    $said =~ s/\n {7}/ /g;
    return ($status, split /\n/, $said);
}

# A regex in parts with a blank between.
sub rx {
    my $all = join ' ', @_;
    return qr/$all/m;
}

sub line_of {
    my ($what) = @_;
    my @lines = split /\n/, $h->read('httpd.conf');
    my ($n) = grep { $lines[$_] =~ $what } 0 .. $#lines;
    return defined $n ? 1 + $n : -1;
}

# ----- nothing changes -----

my $base = $FIRST . $OLD . $PLAIN;
configure($base);
$h->write('before.json', json_of());
my ($status, @lines) = changes('before.json strict');
is $status, 0, 'the same configuration: the exit status';
like $lines[0], qr/\ASNIVHostCompare: nothing changes for clients: \d+ names /,
    'the first line is the answer';
is scalar @lines, 1, '... and there is nothing more' or diag "@lines";

configure("# a line more\n" . $base);
($status, @lines) = changes('before.json strict');
is "$status @lines[1 .. $#lines]", '0 ', 'other line numbers are no change';

# ----- what changes, for whom, and why -----

configure($FIRST . $SHOP . $OLD =~ s/%c2%/SSLProtocol TLSv1.2\n%c3%/r
          . $PLAIN =~ s/ gone\.test//r);
($status, @lines) = changes('before.json');
is $status, 0, 'without strict changes are no failure';
like $lines[0], qr/\ASNIVHostCompare: \d+ of \d+ names change on 2 addresses/,
    'the first line counts' or diag "@lines";
my $text = join "\n", @lines, '';
my $conf = quotemeta $h->dir . '/httpd.conf';
my $shop = line_of(qr/ServerName shop/) - 1;
like $text, rx(qr/^\*:$tls  \*\.shop\.test: first\.test \(default\)/m,
    qr/-> shop\.test \(glob\) certificate \S+c0\.crt -> \S+c1\.crt/,
    qr/because the virtual host shop\.test is new: $conf:$shop$/m),
    'a new virtual host takes names from the default';
my $protocol = line_of(qr/SSLProtocol/);
like $text, rx(qr/^\*:$tls  2 names of $conf: certificate \S+c2\.crt/m,
    qr/-> \S+c3\.crt TLS settings: SSLProtocol .* -> SSLProtocol TLSv1\.2/,
    qr/because of this line: $conf:$protocol old\.test, www\.old\.test$/m),
    'a certificate and a setting, for two names';
like $text, rx(qr/^\*:$plain  gone\.test: old\.test \(alias\)/m,
    qr/-> first\.test \(default\) because old\.test no longer has this/,
    qr/ServerAlias: $conf:\d+$/m), 'a name that is gone';
unlike $text, qr/^\*:$tls  first\.test/m, 'what does not change is not there';

# ----- strict -----

($status, $text) = compare('before.json strict');
is $status, 1, 'strict: -t fails';
like $text, qr/^SNIV0801: SNIVHostCompare strict: \d+ names have changed/m,
    '... and says why';
$h->write('allow', "# what we want\n\n*shop.test\n*:$plain gone.test\n");
($status, $text) = compare('before.json strict allow=allow');
is $status, 1, 'two names that no line allows';
like $text, qr/^SNIV0801: .* 2 names have changed/m, '... are counted';
$h->write('allow', "*shop.test\n*:$plain gone.test\n*:$tls *old.test\n");
($status, $text) = compare('before.json strict allow=allow');
is $status, 0, 'all of them are allowed' or diag $text;
$h->write('allow', "*shop.test\n*:$tls gone.test\n*old.test\n");
is +(compare('before.json strict allow=allow'))[0], 1,
    'a name that is allowed on another address only';
($status, $text) = compare('before.json strict allow=nothing');
is $status, 1, 'an allow file that is not there';
like $text, qr/^SNIV0800: .*nothing: /m, '... is named';

# ----- documents -----

($status, $text) = compare('before.json format=json');
my $json = eval { JSON::PP::decode_json($text) } || {};
is $json->{version}, 1, 'format=json is JSON';
my ($glob) = grep { "@{ $_->{names} }" eq '*.shop.test' }
    @{ $json->{changes} };
is "@{ $glob->{what} }", 'virtual-host certificate',
    '... with what has changed';
is $glob->{defined_at}, $h->dir . "/httpd.conf:$shop", '... the place';
like $glob->{asked}[0], qr/\A[\w-]+\.shop\.test\z/, '... a name that matches';
($status, $text) = compare('before.json strict format=sarif');
$text =~ s/^SNIV0801.*\n//m;
$json = eval { JSON::PP::decode_json($text) } || {};
is $json->{version}, '2.1.0', 'format=sarif is SARIF';
my %rules = map { $_->{id} => 1 }
    @{ $json->{runs}[0]{tool}{driver}{rules} };
my @results = @{ $json->{runs}[0]{results} };
is scalar(grep { $rules{ $_->{ruleId} } && $_->{level} eq 'error'
        && $_->{locations}[0]{physicalLocation}{artifactLocation}{uri}
            eq 'file://' . $h->dir . '/httpd.conf'
        && $_->{locations}[0]{physicalLocation}{region}{startLine} } @results),
    scalar @results, '... each result has a rule, a level and a line';

# ----- order, rule, policy, address -----

my $two = "<VirtualHost *:%2%>\nServerName a.test\nServerAlias *.x.test\n"
    . "</VirtualHost>\n<VirtualHost *:%2%>\nServerName b.test\n"
    . "ServerAlias c.*\n</VirtualHost>\n";
configure("<VirtualHost *:%2%>\nServerName first.test\n</VirtualHost>\n"
          . $two);
$h->write('order.json', json_of());
my @two = $two =~ /(<Virt.*?<.*?>\n)/gs;
configure("<VirtualHost *:%2%>\nServerName first.test\n</VirtualHost>\n"
          . $two[1] . $two[0]);
($status, @lines) = changes('order.json');
is scalar @lines, 2, 'two patterns have changed places: one line'
    or diag "@lines";
like $lines[1], rx(qr/  c\.x\.test: a\.test \(glob\) -> b\.test \(glob\)/,
    qr/because b\.test is before a\.test now:/), '... the name that both match';

configure("<VirtualHost *:%2%>\nServerName first.test\n</VirtualHost>\n"
          . $two =~ s/ServerAlias c/ServerAlias one.x.test c/r
          =~ s/\*\.x\.test/\*.x.test one.x.test/r);
($status, @lines) = changes('order.json strict');
is $status, 0, 'another rule alone is no change for clients';
like $lines[1], qr/\Athe same virtual host by another rule/, '... but is said';

configure($base);
$h->write('policy.json', json_of());
SKIP: {
    skip $Sniv::Httpd::WHY_NO_SNI_POLICY, 2 if !Sniv::Httpd::has_sni_policy();
    configure("SSLVHostSNIPolicy insecure\n" . $base);
    ($status, @lines) = changes('policy.json');
    like $lines[1] // '', rx(qr/  2 names .*\(a client without SNI\): 421/,
        qr/-> no refusal because SSLVHostSNIPolicy secure -> insecure: $conf/),
        'a policy: the client without SNI';
    is scalar @lines, 2, '... and nobody else' or diag "@lines";
}
configure($base =~ s/(gone\.test\n)/$1/r
          . "<VirtualHost 127.0.0.1:%2%>\nServerName new.test\n"
          . "</VirtualHost>\n");
($status, @lines) = changes('policy.json');
ok scalar(grep { /\A127\.0\.0\.1:$plain  .*old\.test.* new\.test is new/ }
          @lines),
    'a new address takes all names from *' or diag "@lines";
configure($base =~ s/\*:%2%/127.0.0.9:%2%/gr);
($status, @lines) = changes('policy.json');
like "@lines", qr/127\.0\.0\.9:$plain/, 'an address instead of *';

configure($base . "Listen 127.0.0.2:$plain\n");
($status, @lines) = changes('policy.json strict');
is $status, 1, 'a new Listen line is a change';
like $lines[1], qr/\A127\.0\.0\.2:$plain  \(every name\): not listened to/,
    '... that is said';

# ----- names as httpd reads them -----

# (the first changed names, with summaries)
sub said_of {
    my ($before, $after, $words) = @_;
    configure($before);
    $h->write('names.json', json_of());
    configure($after);
    my ($exit, @said) = changes('names.json ' . ($words // ''));
    return join "\n", grep { /^\S+:\d+  / } @said;
}
my $names = "<VirtualHost *:%2%>\nServerName first.test\n</VirtualHost>\n"
    . "<VirtualHost *:%2%>\nServerName b.test\nServerAlias *.x.test %n%\n"
    . "</VirtualHost>\n";
like said_of($names =~ s/%n%//r, $names =~ s/%n%/.dot.test/r),
    qr/  \.dot\.test: first\.test \(default\) -> b\.test/,
    'a name that begins with a dot is one to httpd';
is said_of($names =~ s/%n%//r, $names =~ s/%n%/a..b 1.2.3 a:b/r), '',
    'what httpd takes for no name changes nothing';
like said_of($names =~ s/%n%//r, $names =~ s/%n%/1.2.3.4/r),
    qr/  1\.2\.3\.4: first\.test \(default\) -> b\.test/, 'an IP address';
my $said_of = said_of($names =~ s/%n%/1.2.3/r,
    $names =~ s/%n%/1.2.3/r =~ s/(first.test\n)/$1HttpProtocolOptions Unsafe\n/r);
like $said_of, rx(
    qr/  1\.2\.3: first\.test \(default-no-name\) -> b\.test \(alias\)/,
    qr/400 -> no refusal because HttpProtocolOptions of the first/),
    '... if HttpProtocolOptions Unsafe takes it' or diag $said_of;
like $said_of, qr/\*\.x\.test \(with unusual characters\)/,
    '... and names with any characters' or diag $said_of;

# ----- what is not compared -----

configure($base =~ s/(ServerAlias www\.old\.test\n)/$1DirectoryIndex x\n/r);
($status, @lines) = changes('policy.json strict');
is $status, 0, 'another directive of a virtual host is no change of names';
like "@lines[1 .. $#lines]", rx(qr/\Anot compared:.*1 virtual host has/,
    qr/other directives.*: old\.test \($conf:\d+\)/),
    '... but it is said where';

# ----- what really runs -----

configure($base);
$h->start;
my $r = Sniv::Client->new(addr => '127.0.0.1', port => $plain)
    ->get('first.test', '/snivhost?format=json&dump');
is $r->{status}, 200, 'the status page gives its configuration';
$h->write('running.json', $r->{body});
$h->stop;
($status, @lines) = changes('running.json strict');
is "$status " . scalar @lines, '0 1', '... which is the one on the disk'
    or diag "@lines";
configure($FIRST . $SHOP . $PLAIN);
($status, $text) = compare('running.json');
like $text, qr/  www\.old\.test: old\.test \(alias\) -> first\.test/,
    '... until that is changed';

# Certificates that the running server has renewed are what it really has.
SKIP: {
    skip 'certificates are looked for by a process on Linux', 4
        if $^O ne 'linux';
    my $dir = $h->dir;
    my $pem = sub { slurp("$dir/new/$_[0].crt") . slurp("$dir/new/$_[0].key") };
    make_cert("$dir/new", $_, names => ['stored.test']) for 'old', 'renewed';
    $h->write('store/stored.pem', $pem->('old'));
    configure("SNIVHostAdopt On\nSNIVHostCertificates \"$dir/store\"\n" . $FIRST
              . "<VirtualHost *:%1%>\nServerName stored.test\nSSLEngine on\n"
              . "</VirtualHost>\n" . $PLAIN);
    $h->start;
    my $running = sub {
        my $name = shift;
        my $got = Sniv::Client->new(addr => '127.0.0.1', port => $plain)
            ->get('first.test', '/snivhost?format=json&dump');
        $h->write($name, $got->{body});
    };
    my $sent = sub { Sniv::Client->new(addr => '127.0.0.1', port => $tls,
        tls => { sni => 'stored.test' })->cert // '' };
    is $sent->(), 'old', 'a certificate in a folder';
    $running->('old.json');
    $h->write('store/stored.new', $pem->('renewed'));
    rename "$dir/store/stored.new", "$dir/store/stored.pem";
    my $end = time + 30 * Sniv::Httpd::patience();
    select undef, undef, undef, 0.1 while $sent->() ne 'renewed'
        && time < $end;
    $running->('renewed.json');
    $h->stop;
    ($status, @lines) = changes('renewed.json strict');
    is "$status " . scalar @lines, '0 1', '... renewed while it ran: nothing '
        . 'changes' or diag "@lines";
    ($status, @lines) = changes('old.json strict');
    is $status, 1, '... but it is not the one from before';
    like $lines[1], qr/  stored\.test: certificate: another one in the same/,
        '... and that is said' or diag "@lines";
}
configure($FIRST . $SHOP . $PLAIN);

# ----- bad files -----

sub refused {
    my ($name, $content, $why) = @_;
    $h->write('bad.json', $content);
    my ($exit, $said) = compare('bad.json');
    is $exit, 1, "$name: -t fails";
    like $said, qr/\ASNIV0800: SNIVHostCompare cannot read bad\.json: $why/,
        "$name: the reason";
    return;
}
my $good = $h->read('policy.json');
refused('an empty file', '', qr/.*line/);
refused('half of it', substr($good, 0, length($good) / 2), qr/.*line \d+/);
refused('a list', '[1]', qr/it is not an object/);
refused('deep', '[' x 100_000, qr/.*depth/);
refused('another version', $good =~ s/"version": 1/"version": 2/r,
        qr/version is 2/);
refused('0.9', $good =~ s/"tls_settings"/"x"/r, qr/.*before 0\.10\.0/);
refused('a number for a name', $good =~ s/"vhost": "old\.test"/"vhost": 7/r,
        qr/vhosts\[1\]\.vhost is not a text/);
refused('no name', $good =~ s/"vhost": "old\.test"/"vhost": null/r,
        qr/vhosts\[1\]\.vhost is not a name/);
refused('an object for names', $good =~ s/"aliases": \[.*?\]/"aliases": {}/sr,
        qr/.*aliases is not a list/);
refused('an address', $good =~ s/"\*:\d+"/"www.example.com:80"/r,
        qr/.*addresses is not a list of IP:PORT/);
refused('a port', $good =~ s/"\*:\d+"/"*:65536"/r, qr/.*IP:PORT/);
refused('settings', $good =~ s/"settings": 0/"settings": -1/r,
        qr/.*tls\.settings is not a number/);
refused('an escape for a terminal', $good =~ s/"mode": "On"/"mode": 1, "\e[1m/r,
        qr/[^\e]+\z/);
($status, $text) = compare('nothing.json');
like $text, qr/\ASNIV0800: SNIVHostCompare cannot read nothing\.json: .*No such/,
    'no file at all';

# Bytes at random: an answer or an error, never a crash.
srand 7;
my $crashed = 0;
for (1 .. 60) {
    my $bad = $good;
    substr($bad, int rand length $bad, 1) = pack 'C', int rand 256
        for 1 .. 1 + int rand 3;
    $h->write('bad.json', $bad);
    my ($exit, $said) = compare('bad.json');
    $crashed++ if $exit > 1 || $said !~ /\ASNIV(?:Host|0800)/;
}
is $crashed, 0, '60 files with bytes at random';

# ----- directives -----

for ('SNIVHostCompare', 'SNIVHostCompare a.json stricter',
     'SNIVHostCompare a.json format=xml') {
    my ($exit, $said) = $h->check('-t', '-c', $_);
    isnt $exit, 0, "$_: not understood";
}
configure("SNIVHostCompare before.json\n" . $base);
ok !eval { $h->start; 1 }, 'no server starts with SNIVHostCompare';
like $@, qr/is only for tests/, '... and httpd says why';
$h->remove;

# ----- against reality -----

my $run = "$FindBin::Bin/differential/compare.pl";
my $said = `$^X $run --configs 3 --changes 3 2>&1`;
is $?, 0, 'random changes are what two servers answer' or diag $said;
note $said;

done_testing;
