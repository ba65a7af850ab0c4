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


# SNIVHostExpect: what must be answered, and the recipes of the manual.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use Sniv::Certs;
use Sniv::Docs qw(manual);
use Sniv::Httpd;

plan skip_all => 'the module\'s own'
    if Sniv::Httpd::mode() eq 'off';
Sniv::Certs::make();

my $h = Sniv::Httpd->new(name => 'expect', ports => 2, mode => 'on',
                         conf => '');
my ($tls, $plain) = $h->ports;
my %cert = map { $_ => Sniv::Certs::conf($_) } qw(c0 c1 c2);

sub configure {
    my ($text) = @_;
    $h->{conf} = "Listen 127.0.0.1:$tls https\nListen 127.0.0.1:$plain\n"
        . $text;
    $h->write_conf;
    return;
}

my $base = <<"END";
<VirtualHost *:$tls>
ServerName first.test
SSLEngine on
$cert{c0}
</VirtualHost>
<VirtualHost *:$tls>
ServerName c2.test
ServerAlias www.c2.test *.x.test
SSLEngine on
$cert{c2}
</VirtualHost>
<VirtualHost *:$plain>
ServerName first.test
</VirtualHost>
<VirtualHost 127.0.0.1:$plain>
ServerName plain.test
</VirtualHost>
<VirtualHost 127.0.0.1:$plain>
ServerName other.test
ServerPath /other
</VirtualHost>
END
configure($base);

sub expect {
    my (@lines) = @_;
    $h->write('expect.txt', join "\n", @lines, '');
    my ($status, $said) = $h->check('-t', '-c', 'SNIVHostExpect expect.txt');
    return ($status, $said);
}

# ----- what is met, what is not -----

sub met {
    my ($line) = @_;
    my ($status, $said) = expect($line);
    is $status, 0, "met: $line" or diag $said;
    return;
}

sub unmet {
    my ($line, $why) = @_;
    my ($status, $said) = expect('# a comment', '', $line);
    is $status, 1, "not met: $line";
    like $said, qr/^SNIV0810: expect\.txt:3: .*\(on 127\.0\.0\.1:\d+\): $why/m,
        '... and why' or diag $said;
    return;
}

met("https://c2.test:$tls/ vhost=c2.test certificate=c2.test status=200");
met("https://www.c2.test:$tls/ vhost=c2.test rule=alias refused=no");
met("https://a.x.test:$tls/ vhost=C2.test rule=glob");
met("127.0.0.1:$tls sni=c2.test host=c2.test handshake=c2.test");
met("127.0.0.1:$tls certificate=" . Sniv::Certs::crt('c0'));
met("127.0.0.1:$plain path=/other/x vhost=other.test rule=path");
met("127.0.0.1:$plain host=nobody.test vhost=plain.test rule=default");
unmet("https://c2.test:$tls/ vhost=first.test", 'vhost=first\.test is '
      . 'expected, but it is c2\.test');
unmet("https://www.c2.test:$tls/ certificate=www.c2.test",
      'certificate=www\.c2\.test is expected, but it is \S+c2\.crt, for c2');
unmet("https://c2.test:$tls/ refused=421", 'refused=421 is expected, but it '
      . 'is no');
unmet("http://plain.test:$plain/ certificate=plain.test", '.*no TLS');
unmet("http://first.test:$plain/ rule=servername",
      'rule=servername is expected, but it is default');

my ($status, $said) = expect("https://c2.test:$tls/ vhost=first.test");
like $said, qr/^  virtual host  c2\.test .*^handshake\n.*^request\n/ms,
    'the steps are explained';
like $said, qr/^SNIV0812: 1 of 1 expectations of expect\.txt is not met/m,
    'how many';

SKIP: {
    skip $Sniv::Httpd::WHY_NO_SNI_POLICY, 4 if !Sniv::Httpd::has_sni_policy();
    met("127.0.0.1:$tls sni=c2.test host=first.test refused=421 status=421");
    unmet("127.0.0.1:$tls sni=c2.test host=first.test status=200",
          'status=200 is expected, but it is 421');
    unmet("127.0.0.1:$tls sni=c2.test host=first.test vhost=first.test",
          'vhost=first\.test is expected, but the request is refused: 421');
}
configure("SNIVHostUnknownSNI refuse\n" . $base);
met("https://nobody.test:$tls/ refused=112");
unmet("https://nobody.test:$tls/ vhost=first.test", '.* it is none');
configure($base);

# ----- lines that are wrong -----

for my $line ("https://c2.test:$tls/", 'vhost=a', "c2.test vhost=c2.test",
              "127.0.0.1:$tls snx=a vhost=b", "\e[1m vhost=b") {
    ($status, $said) = expect($line);
    is $status, 1, 'a line that is no expectation: '
        . $line =~ s/\e/ESC/r;
    like $said, qr/^SNIV0811: expect\.txt:1: /m, '... is named';
    unlike $said, qr/\e/, '... without its control characters';
}
($status, $said) = $h->check('-t', '-c', 'SNIVHostExpect nothing.txt');
is $status, 1, 'a file that is not there';
like $said, qr/SNIV0813: nothing\.txt: /, '... is named';
($status, $said) = expect('');
is $status, 0, 'an empty file expects nothing';

# ----- the file of today -----

sub today {
    my ($exit, $text) = $h->check('-t', '-D', 'DUMP_SNIVHOST_EXPECT');
    is $exit, 0, 'DUMP_SNIVHOST_EXPECT: the exit status' or diag $text;
    return $text =~ s/^Syntax OK\n//mr;
}
my $today = today();
like $today, qr{^https://c2\.test:$tls/ vhost=c2\.test certificate=c2\.test$}m,
    'a name and its certificate';
like $today, qr{^https://\w+\.x\.test:$tls/ vhost=c2\.test$}m,
    'a name that matches a pattern';
like $today, qr{^127\.0\.0\.1:$plain host=plain\.test vhost=plain\.test$}m,
    'an address where a URL would lead to several';
($status, $said) = expect(split /\n/, $today);
is $status, 0, 'all of it is met' or diag $said;
like $said, qr/^SNIVHostExpect: all \d+ expectations of expect\.txt are met/m,
    '... and that is said';
configure($base =~ s/ServerAlias www\.c2\.test /ServerAlias /r);
($status, $said) = expect(split /\n/, $today);
is $status, 1, 'a name is lost';
like $said, qr/^SNIV0810: .*www\.c2\.test.*vhost=c2\.test is expected, but/m,
    '... and named';
configure($base);
($status, $said) = $h->check('-D', 'DUMP_SNIVHOST_EXPECT');
like $said, qr/SNIV0502: -D DUMP_SNIVHOST_EXPECT/, 'no server starts with it';
configure("SNIVHostExpect expect.txt\n" . $base);
ok !eval { $h->start; 1 }, 'nor with SNIVHostExpect in its configuration';
configure($base);

# ----- certificates in folders -----

my $folder = $h->dir . '/folder';
mkdir $folder;
for my $kind (qw(crt key)) {
    open my $in, '<', Sniv::Certs->can($kind)->('c1') or die "c1: $!\n";
    local $/;
    $h->write("folder/c1.$kind", scalar <$in>);
}
configure($base . "<VirtualHost *:$tls>\nServerName c1.test\nSSLEngine on\n"
          . "</VirtualHost>\nSNIVHostAdopt On\n"
          . "SNIVHostCertificates \"$folder\"\n");
met("https://c1.test:$tls/ vhost=c1.test certificate=c1.test");
configure($base);

# ----- the recipes of the manual -----

my ($section) = manual() =~ m{<section id="recipes">(.*?)</section>}s
    or BAIL_OUT('the manual has no recipes');
my @commands;
for my $block ($section =~ m{<pre>\n(.*?)</pre>}gs) {
    my $text = $block =~ s/&gt;/>/gr =~ s/&lt;/</gr =~ s/&amp;/&/gr;
    push @commands, map { s/\A\s*(?:- |[\w.]+: )*//r =~ s/ &&\z//r }
        grep { /apachectl -t/ }
        split /\n/, $text;
}
cmp_ok scalar @commands, '>=', 6, 'the manual has recipes';

# apachectl, git and the folders of the recipes
my $bin = $h->dir . '/bin';
my $httpd = Sniv::Httpd::httpd();
my $preload = $ENV{SNIVHOST_PRELOAD};
$h->write('bin/apachectl', "#!/bin/sh\n" . ($preload
    ? "LD_PRELOAD=$preload\nexport LD_PRELOAD\n" : '') . "exec $httpd -d '@{[ $h->dir ]}' "
    . "-f '@{[ $h->dir ]}/httpd.conf' \"\$\@\"\n");
chmod 0755, "$bin/apachectl";
$h->write('expect', $today);
$h->write('allow', "# nothing\n");
my (undef, $json) = $h->check('-t', '-D', 'DUMP_SNIVHOST_JSON');
$h->write('before.json', $json =~ s/^Syntax OK\n//mr);

sub run {
    my ($command) = @_;
    my $dir = $h->dir;
    $command =~ s{/etc/apache2|/run\b}{$dir}g;
    local $ENV{PATH} = "$bin:$ENV{PATH}";
    my $text = `cd '$dir' && { $command\n} 2>&1`;
    return ($? >> 8, $text);
}
for (grep { !/DUMP/ } @commands) {
    ($status, $said) = run($_);
    is $status, 0, "recipe: $_" or diag $said;
}
configure($base =~ s/ServerAlias www\.c2\.test /ServerAlias /r);
for (grep { !/DUMP/ } @commands) {
    ($status, $said) = run($_);
    isnt $status, 0, "... fails when a name is lost: $_" or diag $said;
}
configure($base);
for (grep { /DUMP/ } @commands) {
    ($status, $said) = run($_);
    is $status, 0, "recipe: $_" or diag $said;
}

# The Git hook, in a repository
SKIP: {
    skip 'there is no git', 2 if system 'git --version >/dev/null 2>&1';
    my ($hook) = map { s/&gt;/>/gr } $section =~ m{<pre>\n(#!/bin/sh.*?)</pre>}s;
    my $dir = $h->dir;
    $hook =~ s{/etc/apache2}{$dir}g;
    $hook =~ s/\s+\z/\n/;
    run('git init -q . && git config user.email a@b.test && '
        . 'git config user.name a');
    $h->write('.git/hooks/pre-commit', $hook);
    chmod 0755, "$dir/.git/hooks/pre-commit";
    ($status, $said) = run('git add httpd.conf && git commit -qm one');
    is $status, 0, 'Git hook: a commit that keeps what is expected'
        or diag $said;
    configure($base =~ s/ServerAlias www\.c2\.test /ServerAlias /r);
    ($status, $said) = run('git commit -qam two');
    isnt $status, 0, '... and none that loses a name' or diag $said;
}
$h->remove;

done_testing;
