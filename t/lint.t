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


# The findings about a configuration: for each a configuration that has it
# and others that come close and have not.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use POSIX ();
use Sniv::Certs;
use Sniv::Httpd;

# A configuration, and behind each line that is found the code: "#! 0400".
# What is found has to be that and nothing else.
my @cases;
my $h;                       # the server that is asked
sub finds { push @cases, [@_]; return; }
sub passes { push @cases, [@_]; return; }

# One virtual host in short: vhost('*:80', 'name alias alias', more lines)
# A name with "!0400" after it is where a finding is expected.
sub vhost {
    my ($address, $names, @more) = @_;
    my $conf = '';
    my $mark = $address =~ s/!(\d+)// ? " #! $1" : '';
    $conf .= "<VirtualHost $address>$mark\n";
    my $directive = 'ServerName';
    for my $name (split ' ', $names) {
        $mark = $name =~ s/!(\d+)// ? " #! $1" : '';
        $conf .= "    $directive $name$mark\n" if $name ne '-';
        $directive = 'ServerAlias';
    }
    $conf .= "    $_\n" for @more;
    return $conf . "</VirtualHost>\n";
}

my $listen = "Listen 127.0.0.1:80\nListen 127.0.0.2:80\n";

# ----- 0400: a name that two virtual hosts have

finds '0400: the same ServerName', $listen,
    vhost('*:80', 'a.test'), vhost('*:80', 'a.test!0400');
finds '0400: the same alias, in another case', $listen,
    vhost('*:80', 'a.test www.test'), vhost('*:80', 'b.test WWW.test!0400');
finds '0400: a ServerName that is an earlier alias', $listen,
    vhost('*:80', 'a.test b.test'), vhost('*:80', 'b.test!0400');
finds '0400: told once, whatever many addresses they share', $listen,
    vhost('127.0.0.1:80 127.0.0.2:80', 'a.test'),
    vhost('127.0.0.2:80 127.0.0.1:80', 'a.test!0400'),
    vhost('127.0.0.1:80', 'b.test');
finds '0400: several names in one finding', $listen,
    vhost('*:80', 'a.test b.test c.test d.test e.test'),
    vhost('*:80', 'f.test b.test!0400 c.test d.test e.test');
finds '0400: an earlier one without ServerName has the main server\'s',
    $listen,
    vhost('*:80', '-'), vhost('*:80', 'main.test!0400');
passes '0400: the same name on another port', $listen, "Listen 127.0.0.1:81\n",
    vhost('*:80', 'a.test'), vhost('*:81', 'a.test');
passes '0400: the same name twice in one virtual host', $listen,
    vhost('*:80', 'z.test'), vhost('*:80', 'a.test a.test www.test www.test');
passes '0400: the same name on another IP', $listen,
    vhost('127.0.0.1:80', 'a.test'), vhost('127.0.0.2:80', 'a.test');
passes '0400: an exact name with the text of a glob', $listen,
    vhost('*:80', 'a.test x.test'), vhost('*:80', 'b.test *.x.test');

# ----- 0401: a file that is read twice

passes '0401: read twice with different names', $listen,
    "Define NAME a.test\n", "Include name.conf\n", "UnDefine NAME\n",
    "Define NAME b.test\n", "Include name.conf\n";
finds '0401: read twice with different names, and one they share', $listen,
    "Define NAME a.test\n", "Include alias.conf\n", "UnDefine NAME\n",
    "Define NAME b.test\n", "Include alias.conf\n";
finds '0401, a note: included twice', $listen,
    "Include site.conf\n", "Include site.conf\n";
passes '0401: included for two ports', $listen, "Listen 127.0.0.1:81\n",
    "Define PORT 80\n", "Include port.conf\n", "UnDefine PORT\n",
    "Define PORT 81\n", "Include port.conf\n";

# ----- 0402, 0403: behind an earlier glob

finds '0402: a name behind a glob', $listen,
    vhost('*:80', 'a.test *.x.test'), vhost('*:80', 'www.x.test!0402');
finds '0402: an alias behind a glob', $listen,
    vhost('*:80', 'a.test *'), vhost('*:80', 'b.test!0402 c.test');
passes '0402: the glob comes later', $listen,
    vhost('*:80', 'www.x.test'), vhost('*:80', 'a.test *.x.test');
passes '0402: the glob is in the same virtual host', $listen,
    vhost('*:80', 'z.test'),
    vhost('*:80', 'x.test *.x.test www.x.test');
passes '0402: the glob does not cover the name itself', $listen,
    vhost('*:80', 'a.test *.x.test'), vhost('*:80', 'x.test');
finds '0403: a glob behind a wider one', $listen,
    vhost('*:80', 'a.test *.x.test'),
    vhost('*:80', 'b.test *.y.x.test!0403');
finds '0403: the same glob', $listen,
    vhost('*:80', 'a.test w?w.*.test'),
    vhost('*:80', 'b.test W?W.*.test!0403');
passes '0403: a narrower glob first', $listen,
    vhost('*:80', 'a.test *.y.x.test'), vhost('*:80', 'b.test *.x.test');
passes '0403: ? is not *', $listen,
    vhost('*:80', 'a.test ?.x.test'), vhost('*:80', 'b.test *.x.test');
passes '0403: one character or more is not none or more', $listen,
    vhost('*:80', 'a.test a?*.x.test'), vhost('*:80', 'b.test a*.x.test');
finds '0403: none or more has one character or more', $listen,
    vhost('*:80', 'a.test a*.x.test'),
    vhost('*:80', 'b.test a?*.x.test!0403');

# ----- 0404: names that no client asks for

finds '0404: spelling', $listen,
    vhost('*:80', 'a.test'),
    vhost('*:80', 'b.test c.test:80!0404 d.test.!0404 .e.test!0404 '
        . 'http://f.test/!0404 g.test,!0404 h..test!0404 [::2]!0404 '
        . "\xc3\xa4.test!0404 (i|j).test!0404 *.k.test:*!0404");
finds '0404: a ServerName with a dot at the end', $listen,
    vhost('*:80', 'a.test'), vhost('*:80', 'b.test.!0404');
passes '0404: odd and possible', $listen,
    vhost('*:80', 'a.test'),
    vhost('*:80', 'http://b.test:8080 _c.d-e.test ::2 xn--4ca.test *f?.test '
        . '10.0.0.1 localhost');
passes '0404: alone on its address nobody looks', $listen,
    vhost('*:80', 'a.test b.test:80');

# ----- 0405: globs without a literal end

finds '0405: a hundred of them', $listen,
    vhost('*:80', 'a.test *x0*!0405'),
    vhost('*:80', join ' ', 'b.test', map { "*x${_}y*" } 101 .. 199);
passes '0405: some', $listen,
    vhost('*:80', 'a.test *x0*'),
    vhost('*:80', join ' ', 'b.test', map { "*x${_}y*" } 101 .. 198);
passes '0405: many with an end', $listen,
    vhost('*:80', 'a.test'),
    vhost('*:80', join ' ', 'b.test', map { "*.x$_.test" } 1 .. 300);

# ----- 0406, 0407: no ServerName

finds '0406: not the first', $listen,
    vhost('*:80', 'a.test'), vhost('*:80!0406', '-');
finds '0406: not the first, with an alias', $listen,
    vhost('*:80', 'a.test'), vhost('*:80!0406', '- b.test');
passes '0406: the first', $listen,
    vhost('*:80', '-'), vhost('*:80', 'a.test');
passes '0406: the only one', $listen, vhost('*:80', '-');
finds '0407: on an IP', $listen, vhost('127.0.0.2:80!0407', '-');
passes '0406: it comes from elsewhere', $listen,
    "LoadModule macro_module \${LIBEXEC}/mod_macro.so\n",
    "<Macro Name \$name>\nServerName \$name\n</Macro>\n",
    vhost('*:80', 'a.test'), vhost('*:80', '-', 'Use Name b.test'),
    vhost('*:80', '-', '<IfModule mod_ssl.c>', 'ServerName c.test',
        '</IfModule>'),
    vhost('*:80', '-', 'Include ca/name.inc');
passes '0407: an IP and *', $listen, "Listen 127.0.0.2:81\n",
    vhost('127.0.0.2:81 *:80', '-');
passes '0407: loopback', $listen, vhost('127.0.0.1:80', '-');

# ----- 0410: nothing listens

finds '0410: another port', $listen, vhost('*:81!0410', 'a.test');
finds '0410: another IP', "Listen 127.0.0.1:80\n",
    vhost('127.0.0.2:80!0410', 'a.test');
finds '0410: once per address', $listen,
    vhost('*:81!0410', 'a.test'), vhost('*:81', 'b.test'),
    vhost('*:80 *:81', 'c.test');
passes '0410: every IP', "Listen 80\n", vhost('127.0.0.2:80', 'a.test');
passes '0410: every port', $listen,
    vhost('127.0.0.1', 'a.test'), vhost('127.0.0.2:*', 'b.test');
passes '0410: one address of localhost', "Listen 127.0.0.1:80\n",
    vhost('localhost:80', 'a.test');
passes '0410: IPv6', "Listen [::1]:80\n", vhost('[::1]:80', 'a.test');

# ----- 0411: others take all connections

finds '0411: * behind the IPs that are listened on', $listen,
    vhost('*:80!0411', 'a.test'), vhost('*:80', 'b.test'),
    vhost('127.0.0.1:80', 'c.test'), vhost('127.0.0.2:80', 'd.test');
finds '0411: any port behind each port', $listen,
    vhost('*!0411', 'a.test'), vhost('*:80', 'b.test');
finds '0411: any port of an IP behind its port', $listen,
    vhost('127.0.0.1:*!0411', 'a.test'), vhost('127.0.0.1:80', 'b.test'),
    vhost('127.0.0.2:80', 'c.test');
passes '0411: one IP is left', $listen,
    vhost('*:80', 'a.test'), vhost('*:80', 'b.test'),
    vhost('127.0.0.1:80', 'c.test');
passes '0411: one port is left', $listen, "Listen 127.0.0.1:81\n",
    vhost('*', 'a.test'), vhost('*:80', 'b.test');

# ----- 0412: not reached by this machine's addresses

my @own = own_addresses();
if (@own) {
    my @ips = map { "$_:80" } @own;
    finds '0412: all addresses are taken', "Listen 80\n",
        vhost('*:80!0412', 'a.test'), vhost('*:80', 'b.test'),
        map { vhost($_, "n$_.test") } @ips;
    passes '0412: one catch-all', "Listen 80\n",
        vhost('*:80', 'a.test'), map { vhost($_, 'c.test') } @ips;
    passes '0412: they have both addresses', "Listen 80\n",
        vhost("*:80 @ips", 'a.test'), vhost("*:80 @ips", 'b.test');
    passes '0412: another port', "Listen 80\nListen 81\n",
        vhost('*:80', 'a.test'), vhost('*:80', 'b.test'),
        map { vhost("$_:81", 'c.test') } @own;
}
passes '0412: an address of its own', "Listen 80\n",
    vhost('*:80', 'a.test'), vhost('*:80', 'b.test'),
    vhost('127.0.0.1:80', 'status.test');

# ----- 0413: with and without TLS

my @tls = ('SSLEngine on', split /\n/, Sniv::Certs::conf('shared'));
my $tls = "Listen 127.0.0.1:443\n";
finds '0413: one without', "Listen 127.0.0.1:8443 http\n",
    vhost('*:8443', 'shared.test', @tls), vhost('*:8443!0413', 'a.x.test');
finds '0413: one switched off', $tls,
    vhost('127.0.0.1:443', 'shared.test', @tls),
    vhost('127.0.0.1:443', 'a.x.test', 'SSLEngine off #! 0413');
finds '0413: one with', $listen,
    vhost('*:80', 'a.test'),
    vhost('*:80', 'shared.test', 'SSLEngine on #! 0413', @tls[1 .. 2]);
passes '0413: on by Listen', $tls,
    vhost('127.0.0.1:443', 'shared.test', @tls),
    vhost('127.0.0.1:443', 'a.x.test', @tls[1 .. 2]);
finds '0413: not on by a Listen line with another address', $tls,
    vhost('*:443', 'shared.test', @tls),
    vhost('*:443!0413', 'a.x.test', @tls[1 .. 2]);
passes '0413: on in the main server', "Listen 127.0.0.1:8443\n",
    "SSLEngine on\n",
    vhost('*:8443', 'shared.test', @tls[1 .. 2]),
    vhost('*:8443', 'a.x.test', @tls);

# ----- 0414: a host name in <VirtualHost>

finds '0414: a name without an address', $listen,
    vhost('no-such-host.invalid:80!0414', 'a.test');
my $local = name_in_hosts();
finds '0414: a name with an address', "Listen 80\n",
    vhost("$local:80!0414", 'a.test') if $local;
passes '0414: addresses', "Listen 80\nListen 127.0.0.1:81\n",
    vhost('*:80', 'a.test'), vhost('_default_:80', 'b.test'),
    vhost('127.0.0.1:80', 'c.test'), vhost('[::1]:80', 'd.test'),
    vhost('localhost:*', 'e.test');

# ----- certificates: what they cover

# A virtual host with TLS; lines with "!" are where a finding is expected.
sub site {
    my ($names, $cert, @more) = @_;
    my $mark = $cert =~ s/!(\d+)// ? " #! $1" : '';
    return vhost('127.0.0.1:443', $names, 'SSLEngine on', @more,
        "SSLCertificateFile \${CERTS}/$cert.crt$mark",
        'SSLCertificateKeyFile ${CERTS}/key');
}

my $day = 86_400;
my %CERTS = (
    plain    => { names => 'a.test,www.a.test' },
    wild     => { names => 'w.test,*.w.test' },
    cn       => { names => '' },
    self     => { names => 'other.test', self => 1 },
    expired  => { names => 'a.test', from => -91, to => -1 },
    not_yet  => { names => 'a.test', from => 2, to => 92 },
    soon     => { names => 'a.test', from => -80, to => 10 },
    in_time  => { names => 'a.test', from => -74, to => 16 },
    year     => { names => 'a.test', from => -349, to => 16 },
    short    => { names => 'a.test', from => -4, to => 2 },
    short_soon => { names => 'a.test', from => -5.5, to => 0.5 },
    old_self => { names => 'a.test', from => -91, to => -1, self => 1 },
);

finds '0420: another name', $tls, site('b.test', 'plain!0420');
finds '0420: a wildcard covers one label', $tls,
    site('a.b.w.test', 'wild!0420');
finds '0420: a common name is none', $tls, site('cn.test', 'cn!0420');
finds '0420: inherited from the main server', $tls,
    "SSLCertificateFile \${CERTS}/plain.crt\n",
    "SSLCertificateKeyFile \${CERTS}/key\n",
    vhost('127.0.0.1:443', 'a.test', 'SSLEngine on'),
    vhost('127.0.0.1:443!0420', 'b.test', 'SSLEngine on');
passes '0420: covered', $tls,
    site('A.test', 'plain'), site('b.W.test', 'wild'), site('w.test', 'wild');
passes '0420: a self-signed one', $tls, site('a.test', 'self');
passes '0420: no ServerName', $tls, site('-', 'plain');
passes '0420: no name of the Internet', $tls,
    site('default.invalid', 'plain'), site('intranet', 'plain'),
    site('127.0.0.1', 'plain');
passes '0420: no TLS', $listen,
    vhost('*:80', 'b.test', 'SSLCertificateFile ${CERTS}/plain.crt');
passes '0420: no certificate', $tls, site('b.test', 'no');
passes '0420: managed by mod_md', $tls, "MDomain b.test\n",
    vhost('127.0.0.1:443', 'b.test', 'SSLEngine on',
        'SSLCertificateFile ${CERTS}/plain.crt',
        'SSLCertificateKeyFile ${CERTS}/key');
finds '0421: an alias', $tls, site('a.test www.a.test ftp.a.test!0421',
    'plain');
finds '0421: several in one finding', $tls,
    site('a.test www.a.test b.test!0421 c.test d.test e.test f.test',
        'plain');
finds '0421: a glob of which it has no name', $tls,
    site('a.test *.b.test!0421', 'plain');
passes '0421: globs', $tls,
    site('a.test *.a.test', 'plain'), site('w.test *.w.test *', 'wild');
passes '0421: aliases that are no names of the Internet', $tls,
    site('a.test www.a.test intranet 10.0.0.1', 'plain');

# ----- 0422, 0423, 0424: its time

finds '0422: expired', $tls, site('a.test', 'expired!0422');
finds '0422: expired and self-signed', $tls, site('a.test', 'old_self!0422');
finds '0422: once for all who have it', $tls, "Listen 127.0.0.2:443\n",
    site('a.test', 'expired!0422'),
    site('a.test', 'expired') =~ s/0\.1:/0.2:/r;
finds '0423: not yet valid', $tls, site('a.test', 'not_yet!0423');
finds '0424: not renewed', $tls, site('a.test', 'soon!0424');
finds '0424: not renewed, one of six days', $tls,
    site('a.test', 'short_soon!0424');
passes '0424: time enough', $tls, site('a.test', 'in_time');
passes '0424: time enough, one of a year', $tls, site('a.test', 'year');
passes '0424: time enough, one of six days', $tls, site('a.test', 'short');

# ----- notes, which are told on demand

finds '0415, a note: other virtual hosts on an IP', "Listen 80\n",
    vhost('*:80!0415', 'a.test'), vhost('127.0.0.1:80', 'b.test');
passes '0415, a note: another port', "Listen 80\nListen 81\n",
    vhost('*:80', 'a.test'), vhost('127.0.0.1:81', 'b.test');
finds '0425, a note: a name of the certificate', $tls,
    site('w.test', 'wild'), site('a.test', 'plain!0425');
passes '0425, a note: all are served', $tls,
    site('w.test', 'wild'), site('a.test www.a.test', 'plain');
passes '0425, a note: the default serves them', $tls,
    site('a.test', 'plain'), site('w.test', 'wild');
finds '0430, a note: first by its file', $listen,
    vhost('*:80!0430', 'a.test'), "Include ca/b.conf\n";
passes '0430, a note: the same file', $listen,
    vhost('*:80', 'a.test'), vhost('*:80', 'b.test');
passes '0430, a note: a default', $listen,
    vhost('*:80', 'default.invalid'), "Include ca/b.conf\n";
passes '0430, a note: a file with a number', $listen,
    "Include ca/000-b.conf\n", vhost('*:80', 'a.test');

# ... unless somebody after it has a name for all of them
for my $glob ('*', '**', '?*', '*.*', '*?') {
    passes "0430, a note: a later $glob", $listen,
        vhost('*:80', 'a.test'), "Include ca/b.conf\n",
        vhost('*:80', "rest.test $glob");
}
finds '0430, a note: a later pattern for some names', $listen,
    vhost('*:80!0430', 'a.test'), "Include ca/b.conf\n",
    vhost('*:80', 'rest.test *.com www.*');

# ----- 0426, 0427, 0422 to 0424: certificates in folders

# A virtual host whose certificate is in a folder below CERTS.
sub stored {
    my ($folder, $names, @more) = @_;
    my $mark = $folder =~ s/!(\d+)// ? "!$1" : '';
    return vhost("127.0.0.1:443$mark", $names, @more, 'SNIVHostTLS On',
        "SNIVHostCertificates \${CERTS}/$folder");
}
my @first = site('first.w.test', 'wild');
my $blog = site('blog.test www.blog.test', 'blog');

finds '0426: no certificate', $tls, @first, stored('store', 'b.test!0426');
finds '0426: for an alias', $tls, @first,
    stored('store', 'a.test www.a.test b.test!0426 c.test');
finds '0426: two labels', $tls, @first, stored('store', 'a.b.w.test!0426');
finds '0426: the first virtual host', $tls,
    stored('store', 'b.test!0426') =~ s/SNIVHostTLS/SSLEngine/r;
finds '0426: folders of the whole server', $tls,
    "SNIVHostCertificates \${CERTS}/store\n", @first,
    vhost('127.0.0.1:443', 'b.test!0426', 'SNIVHostTLS On');
passes '0426: all there', $tls, @first,
    stored('store', 'A.test www.a.test'),
    stored('store', 'w.test x.w.test intranet');
passes '0426: the first one\'s is for it', $tls, @first,
    stored('late', 'b.w.test');
passes '0426: a file of its own', $tls, @first,
    site('w.test', 'wild', 'SNIVHostCertificates ${CERTS}/late');
passes '0426: no such folder', $tls, @first, stored('none', 'b.test');
passes '0426: a pattern', $tls, @first, stored('store', 'a.test *.b.test');
finds '0424: not renewed, in a folder', $tls, @first,
    stored('late!0424', 'a.test');
finds '0424: once for all who have it', $tls, @first,
    stored('late!0424', 'a.test'), "Listen 127.0.0.2:443\n",
    map { s/0\.1:/0.2:/r } site('y.w.test', 'wild'), stored('late', 'a.test');
finds '0422: expired, in a folder', $tls, @first,
    stored('expired!0422', 'a.test');
passes '0422: there is a newer one', $tls, @first, stored('both', 'a.test');
passes '0422: nobody is served it', $tls, @first,
    stored('expired', 'b.w.test');
finds '0427, a note: a name of nobody', $tls,
    vhost('127.0.0.1:443!0427', 'x.w.test', 'SSLEngine on',
        'SNIVHostCertificates ${CERTS}/many'), $blog;
passes '0427, a note: somebody has it', $tls,
    vhost('127.0.0.1:443', 'x.w.test', 'SSLEngine on',
        'SNIVHostCertificates ${CERTS}/many'), $blog,
    site('a.test www.a.test', 'plain');
passes '0427, a note: mass hosting', $tls,
    vhost('127.0.0.1:443', 'x.w.test', 'SSLEngine on',
        'VirtualDocumentRoot /sites/%0',
        'SNIVHostCertificates ${CERTS}/many'), $blog;
passes '0427, a note: most are nobody\'s', $tls,
    vhost('127.0.0.1:443', 'x.w.test', 'SSLEngine on',
        'SNIVHostCertificates ${CERTS}/many');

# ----- 0440 to 0450: names that nobody serves

my ($sni, $nosni, $host) = map { "SNIVHost$_ refuse" } 'UnknownSNI',
    'MissingSNI', 'UnknownHost';
my @plain = (vhost('*:80', 'a.test'), vhost('*:80', 'b.test'));
my @secure = (site('a.test www.a.test', 'plain'), site('w.test', 'wild'));

finds '0440: a handshake where there is none', $listen,
    vhost('*:80', 'a.test', "$sni #! 0440"), vhost('*:80', 'b.test');
finds '0440: told of one of the two', $listen,
    vhost('*:80', 'a.test', $nosni, "$sni #! 0440"), vhost('*:80', 'b.test');
finds '0440: and requests are refused too', $listen,
    vhost('*:80', 'a.test', $host, "$nosni #! 0440"), vhost('*:80', 'b.test');
finds '0440: for the whole server', $listen, "$sni #! 0440\n", @plain;
passes '0440: for the whole server, and requests are refused too', $listen,
    "$sni\n$host\n", @plain;
passes '0440: one address has TLS', $listen, $tls, "$sni\n$nosni\n", @plain,
    @secure;
passes '0440: TLS', $tls, site('a.test www.a.test', 'plain', $sni, $nosni),
    site('w.test', 'wild');
passes '0440: TLS by Listen', $tls, vhost('127.0.0.1:443', 'a.test', $sni,
    (split /\n/, site('', 'plain'))[2, 3]);
passes '0440: TLS on demand', $listen,
    vhost('*:80', 'a.test', $sni, 'SSLEngine optional',
        (split /\n/, site('', 'plain'))[2, 3]);
passes '0440: refuse in the main server, default here', $listen, $tls,
    "$sni\n", vhost('*:80', 'a.test', 'SNIVHostUnknownSNI default'),
    vhost('*:80', 'b.test'), @secure;
passes '0440: connections that no virtual host takes may have TLS',
    $listen, $tls, "$sni\n", @plain;

finds '0442: an alias that everybody has', $listen,
    vhost('*:80', 'a.test', "$host #! 0442"), vhost('*:80', 'b.test *');
finds '0442: TLS', $tls, site('a.test www.a.test', 'plain', "$sni #! 0442"),
    site('w.test *', 'wild');
finds '0442: everybody is let through', $listen,
    vhost('*:80', 'a.test', "$host #! 0442", 'SNIVHostAllowHost c.test ?*'),
    vhost('*:80', 'b.test');
finds '0442: on all addresses', $listen, "Listen 127.0.0.1:81\n",
    "$host #! 0442\n", vhost('*:80', 'a.test *'), vhost('*:81', 'b.test *');
passes '0442: on one of the addresses', $listen, "Listen 127.0.0.1:81\n",
    "$host\n", vhost('*:80', 'a.test *'), vhost('*:81', 'b.test');
passes '0442: not where no virtual host is', $listen,
    "Listen 127.0.0.1:81\n", "$host\n", vhost('*:80', 'a.test *');
passes '0442: many names', $listen,
    vhost('*:80', 'a.test *.test', $host,
        'SNIVHostAllowHost *.example ??'), vhost('*:80', 'b.example');
passes '0442: nothing is refused here', $listen, "Listen 127.0.0.1:81\n",
    "$host\n", vhost('*:80', 'a.test *', 'SNIVHostUnknownHost default'),
    vhost('*:81', 'b.test');

finds '0446: nothing is refused', $listen,
    vhost('*:80', 'a.test', 'SNIVHostAllowHost health.test #! 0446'),
    vhost('*:80', 'b.test');
finds '0446: nothing is refused on any address', $listen,
    "SNIVHostAllowHost health.test - #! 0446\n", @plain;
finds '0446: only who gives no name is refused', $tls,
    site('a.test www.a.test', 'plain', $nosni,
        'SNIVHostAllowHost -', 'SNIVHostAllowHost health.test #! 0446'),
    site('w.test', 'wild');
finds '0446: only handshakes, and there are none', $listen,
    "Listen 127.0.0.1:81\n", "$host\n",
    vhost('*:80', 'a.test', 'SNIVHostUnknownHost default',
        'SNIVHostAllowHost health.test #! 0446'),
    vhost('*:80', 'b.test'), vhost('*:81', 'c.test');
passes '0446: refused in a handshake', $tls,
    site('a.test www.a.test', 'plain', $sni, 'SNIVHostAllowHost health.test'),
    site('w.test', 'wild');
passes '0446: refused on one of the addresses', $listen,
    "Listen 127.0.0.1:81\n", "SNIVHostAllowHost health.test\n",
    vhost('*:80', 'a.test'), vhost('*:81', 'b.test', $host);

my $ip = 'SNIVHostAllowHost 192.0.2.1 [2001:db8::1]';
finds '0447: an address has no server name', $tls,
    site('a.test www.a.test', 'plain', $nosni, $host, "$ip #! 0447"),
    site('w.test', 'wild');
finds '0447: on all addresses', $tls, "$nosni\n$host\n", "$ip #! 0447\n",
    @secure;
passes '0447: no name at all is allowed too', $tls,
    site('a.test www.a.test', 'plain', $nosni, $host, "$ip -"),
    site('w.test', 'wild');
passes '0447: no server name is needed', $tls,
    site('a.test www.a.test', 'plain', $host, $ip), site('w.test', 'wild');
passes '0447: another address is without TLS', $listen, $tls,
    "$nosni\n$host\n$ip\n", @plain, @secure;
passes '0447: a name', $tls, "$nosni\n$host\nSNIVHostAllowHost 1.test\n",
    @secure;

finds '0448: httpd refuses it', $listen,
    vhost('*:80', 'a.test', $host, 'StrictHostCheck On',
        'SNIVHostAllowHost health.test #! 0448 '), vhost('*:80', 'b.test');
passes '0448: StrictHostCheck Off', $listen,
    vhost('*:80', 'a.test', $host, 'SNIVHostAllowHost health.test'),
    vhost('*:80', 'b.test', 'StrictHostCheck On');
passes '0448: a handshake is let through', $tls,
    site('a.test www.a.test', 'plain', $sni, 'StrictHostCheck On',
        'SNIVHostAllowHost health.test'), site('w.test', 'wild');
passes '0448: no name', $listen,
    vhost('*:80', 'a.test', $host, 'StrictHostCheck On',
        'SNIVHostAllowHost -'), vhost('*:80', 'b.test');

finds '0441, a note: Verify', "SNIVHost Verify\n", $listen,
    "$host #! 0441\n", @plain;
passes '0441, a note: Verify, and nothing is refused', "SNIVHost Verify\n",
    $listen, "SNIVHostUnknownHost default\n", @plain;
finds '0443, a note: handshakes only', $tls,
    site('a.test www.a.test', 'plain', "$sni #! 0443"), site('w.test', 'wild');
passes '0443, a note: requests too', $tls, "$host\n",
    site('a.test www.a.test', 'plain', $sni), site('w.test', 'wild');
finds '0444, a note: StrictHostCheck', $listen, "$host #! 0444\n",
    vhost('*:80', 'a.test', 'StrictHostCheck On'), vhost('*:80', 'b.test');
passes '0444, a note: StrictHostCheck where it does nothing', $listen,
    "$host\n", vhost('*:80', 'a.test'),
    vhost('*:80', 'b.test', 'StrictHostCheck On');
finds '0445, a note: not the first of all its addresses', $listen,
    vhost('127.0.0.1:80', 'c.test'),
    vhost('127.0.0.2:80 127.0.0.1:80', 'a.test', "$host #! 0445");
passes '0445, a note: the other one says the same', $listen,
    vhost('127.0.0.1:80', 'c.test', $host),
    vhost('127.0.0.2:80 127.0.0.1:80', 'a.test', $host);
passes '0445, a note: the first of all', $listen,
    vhost('127.0.0.2:80 127.0.0.1:80', 'a.test', $host),
    vhost('127.0.0.1:80', 'c.test');
finds '0449, a note: a name that somebody has', $listen,
    vhost('*:80', 'a.test', $host,
        'SNIVHostAllowHost health.test B.test #! 0449'),
    vhost('*:80', 'b.test');
passes '0449, a note: a name that somebody has elsewhere', $listen,
    "Listen 127.0.0.1:81\n", "$host\nSNIVHostAllowHost b.test\n",
    vhost('*:80', 'a.test'), vhost('*:81', 'b.test');
finds '0450, a note: a site that nobody reaches', $listen, "$host\n",
    vhost('*:80', 'default.invalid', 'DocumentRoot htdocs #! 0450'), @plain;
finds '0450, a note: the main server\'s name', $listen, "$host\n",
    vhost('*:80!0450', '-'), @plain;
passes '0450, a note: nothing to reach', $listen, "$host\n",
    vhost('*:80', 'default.invalid', '<Location />', 'Require all denied',
        '</Location>'), @plain;
passes '0450, a note: nothing is refused', $listen,
    vhost('*:80', 'default.invalid', 'DocumentRoot htdocs'), @plain;
passes '0450, a note: the page of a refusal', $listen, "$host\n",
    vhost('*:80', 'default.invalid', 'DocumentRoot htdocs',
        'ErrorDocument 421 /421.html'), @plain;
passes '0450, a note: a name is let through', $listen,
    "$host\nSNIVHostAllowHost health.test\n",
    vhost('*:80', 'default.invalid', 'DocumentRoot htdocs'), @plain;
passes '0450, a note: its address is asked for', $listen, "$host\n",
    vhost('127.0.0.1:80', 'default.invalid', 'DocumentRoot htdocs'),
    vhost('127.0.0.1:80', 'a.test');
passes '0450, a note: an alias', $listen, "$host\n",
    vhost('*:80', 'default.invalid c.test', 'DocumentRoot htdocs'), @plain;

# ----- no false alarms

my $debian_plain = <<'END';
<VirtualHost *:80>
    ServerAdmin webmaster@localhost
    DocumentRoot htdocs
</VirtualHost>
END
my $debian_tls = <<'END';
<VirtualHost *:443>
    ServerAdmin webmaster@localhost
    DocumentRoot htdocs
    SSLEngine on
    SSLCertificateFile ${CERTS}/self.crt
    SSLCertificateKeyFile ${CERTS}/key
    <FilesMatch "\.(?:cgi|shtml|phtml|php)$">
        SSLOptions +StdEnvVars
    </FilesMatch>
</VirtualHost>
END

# A site as certbot leaves it: NAME.conf with a redirect, NAME-le-ssl.conf.
sub certbot {
    my ($name) = @_;
    return <<"END";
<VirtualHost *:80>
    ServerName $name.test
    ServerAlias www.$name.test
    DocumentRoot htdocs
    RewriteEngine on
    RewriteCond %{SERVER_NAME} =$name.test [OR]
    RewriteCond %{SERVER_NAME} =www.$name.test
    RewriteRule ^ https://%{SERVER_NAME}%{REQUEST_URI} [END,NE,R=permanent]
</VirtualHost>
<IfModule mod_ssl.c>
<VirtualHost *:443>
    ServerName $name.test
    ServerAlias www.$name.test
    DocumentRoot htdocs
    SSLEngine on
    SSLCertificateFile \${CERTS}/$name.crt
    SSLCertificateKeyFile \${CERTS}/key
</VirtualHost>
</IfModule>
END
}
$CERTS{$_} = { names => "$_.test,www.$_.test" } for 'blog', 'shop';

my $everywhere = "Listen 80\n<IfModule ssl_module>\nListen 443\n</IfModule>\n";
passes 'Debian: the default site', $everywhere, $debian_plain;
passes 'Debian: the default sites', $everywhere, $debian_plain, $debian_tls;
passes 'Debian and certbot', $everywhere, $debian_plain, $debian_tls,
    certbot('blog'), certbot('shop');
passes 'certbot alone', $everywhere, certbot('shop'), certbot('blog');
passes 'certbot, and status pages for the machine itself', $everywhere,
    "Listen 127.0.0.1:8080\n", certbot('shop'), certbot('blog'),
    vhost('127.0.0.1:8080', '-'), vhost('127.0.0.1:80', 'localhost');
passes 'IPv4 and IPv6 by hand', $everywhere,
    map { vhost('192.0.2.1:80 [2001:db8::1]:80', $_) } 'a.test', 'b.test';
passes 'a site with an IP of its own', $everywhere,
    vhost('*:80', 'default.invalid'), vhost('*:80', 'a.test'),
    vhost('192.0.2.77:80', 'old.test www.old.test');
passes 'one virtual host for both ports', $everywhere,
    vhost('*:80', 'a.test'), vhost('*:80', 'b.test *.b.test');
passes 'a macro', $everywhere, <<'END';
LoadModule macro_module ${LIBEXEC}/mod_macro.so
<Macro Site $name>
    <VirtualHost *:80>
        ServerName $name.test
        ServerAlias www.$name.test
    </VirtualHost>
</Macro>
Use Site a
Use Site b
Use Site c
END
passes 'shared hosting with 5,000 virtual hosts', $everywhere,
    $debian_plain, $debian_tls,
    (map { vhost('*:80', "c$_.test www.c$_.test *.c$_.cdn.test") } 1 .. 2500),
    map { vhost('*:443', "h$_.w.test", 'SSLEngine on',
                'SSLCertificateFile ${CERTS}/wild.crt',
                'SSLCertificateKeyFile ${CERTS}/key') } 1 .. 2500;

# The shipped examples, with certificates that have the files' names.
for my $file (sort glob Sniv::Httpd::top() . '/conf/examples/*.conf') {
    open my $fh, '<', $file or die "$file: $!\n";
    my $text = do { local $/; <$fh> };
    my ($name) = $file =~ m{([^/]+)\.conf$};
    for my $cert ($text =~ m{"tls/(\S+)\.crt"}g) {
        $CERTS{$cert} = { names => "$cert,*.$cert" };
    }
    $text =~ s{"tls/(\S+)\.key"}{"\${CERTS}/key"}g;
    $text =~ s{"tls/}{"\${CERTS}/}g;
    $text =~ s{/srv/hosting}{\${CERTS}}g;
    passes "the example $name", $everywhere, $text;
}

# The addresses of this machine's interfaces, as getifaddrs() has them.
sub own_addresses {
    my @found;
    for my $line (`ip -o -4 addr show 2>/dev/null`) {
        my ($device, $ip) = $line =~ /^\d+:\s+(\S+)\s+inet\s+([\d.]+)/
            or next;
        push @found, $ip if $device ne 'lo';
    }
    return @found;
}

# A name that needs no DNS; not localhost, which is not told of.
sub name_in_hosts {
    open my $fh, '<', '/etc/hosts' or return;
    for my $line (<$fh>) {
        my ($ip, @names) = split ' ', $line =~ s/#.*//sr;
        next if !$ip || $ip !~ /^[\d.]+$/;
        for my $name (@names) {
            return $name if $name !~ /^localhost/ && gethostbyname $name;
        }
    }
    return;
}

# Certificates of a CA (or of their own key) for some days from now.
sub make_certs {
    my ($dir) = @_;
    my $ssl = Sniv::Certs::dir();
    run('openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt',
        'ec_paramgen_curve:P-256', '-out', "$dir/key");
    for my $name (sort keys %CERTS) {
        my $c = $CERTS{$name};
        my ($from, $to) = map { POSIX::strftime('%Y%m%d%H%M%SZ',
                                                gmtime(time + $_ * $day)) }
            $c->{from} // -1, $c->{to} // 89;
        my $san = join ',', map { "DNS:$_" } split /,/, $c->{names};
        my $config = $h->write("ca/$name.cnf", <<"END");
[ca]
default_ca = lint
[lint]
database = $dir/$name.txt
new_certs_dir = $dir
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
basicConstraints = critical,CA:FALSE
@{[ $san ? "subjectAltName = $san" : '' ]}
[req]
distinguished_name = dn
[dn]
END
        $h->write("ca/$name.txt", '');
        run('openssl', 'req', '-new', '-config', $config, '-key', "$dir/key",
            '-subj', "/CN=$name.test", '-out', "$dir/$name.csr");
        run('openssl', 'ca', '-batch', '-notext', '-config', $config,
            '-in', "$dir/$name.csr", '-out', "$dir/$name.crt",
            '-startdate', $from, '-enddate', $to,
            $c->{self} ? ('-selfsign', '-keyfile', "$dir/key")
                       : ('-cert', "$ssl/ca.crt", '-keyfile', "$ssl/ca.key"));
    }
    return;
}

sub ca_text {
    open my $in, '<', Sniv::Certs::ca() or die "the CA: $!\n";
    local $/;
    return scalar <$in>;
}

sub run {
    my @command = @_;
    my $pid = open my $out, '-|';
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec @command or die "$command[0]: $!\n";
    }
    my $said = do { local $/; <$out> };
    close $out or die "@command failed:\n$said";
    return;
}

# ----- what is done with findings

# What is said of a configuration: "line code" for each finding.
sub say_of {
    my (@conf) = @_;
    my @args = $conf[0] =~ s/^\t// ? ('-t', '-D', 'DUMP_SNIVHOST_LINT') : ();
    my $text = join '', @conf;
    $text =~ s/ #!.*//mg;
    $text =~ s/\$\{CERTS\}/$h->{dir}\/ca/g;
    $text =~ s/\$\{LIBEXEC\}/Sniv::Httpd::apxs('LIBEXECDIR')/ge;
    $h->write('case.conf', $text);
    my ($status, $said) = $h->check(@args);
    my @found = $said =~ /^SNIV(04\d\d: .*)$/mg;
    return ($status, $said,
            map { /^(\d+): \S*?(\w+)\.conf:(\d+): / ? "$2:$3 $1" : "? $_" }
                grep { !/^0490/ } @found);
}

sub expected {
    my (@conf) = @_;
    my ($line, @found) = (0);
    for (split /^/, join '', @conf) {
        $line++;
        push @found, "case:$line $1" if /#! (\d+)/;
    }
    return @found;
}

plan tests => @cases + 30, sub {
    Sniv::Httpd::mode() ne 'off' ? 1
        : skip_reason('the module is not loaded');
};

Sniv::Certs::make();
$h = Sniv::Httpd->new(name => 'lint', modules => ['watchdog', 'md', 'vhost_alias'],
    # of certificates that no system knows: t/lint_store.t
    conf => sub { "SNIVHostLintIgnore 0463\nInclude case.conf\n" });
$h->write('site.conf', vhost('*:80', 'a.test'));
$h->write('alias.conf', vhost('*:80', '${NAME} common.test'));
$h->write('name.conf', vhost('*:80', '${NAME}'));
$h->write('port.conf', vhost('*:${PORT}', 'a.test'));

$h->write('ca/no.crt', "-----BEGIN CERTIFICATE-----\nAAAA\n");
$h->write("ca/$_.conf", vhost('*:80', 'b.test')) for 'b', '000-b';
$h->write('ca/name.inc', "ServerName d.test\n");
make_certs($h->dir . '/ca');
sub slurp { return $h->read("ca/$_[0]"); }
for my $put (['store/a.test/fullchain.pem', 'plain.crt'],
             ['store/a.test/privkey.pem', 'key'],
             ['store/a.test/cert.pem', 'plain.crt'],
             ['store/any.pem', \'ca', 'wild.crt', 'key'],
             ['late/soon.crt', 'soon.crt'], ['late/soon.key', 'key'],
             ['expired/a.pem', 'expired.crt', 'key'],
             ['both/a.pem', 'expired.crt', 'key'],
             ['both/b.pem', 'plain.crt', 'key'],
             ['many/w.pem', 'wild.crt', 'key'],
             ['many/b.pem', 'blog.crt', 'key'],
             ['many/a.pem', 'plain.crt', 'key']) {
    my ($file, @parts) = @$put;
    $h->write("ca/$file", join '', map { ref ? ca_text() : slurp($_) } @parts);
}

for my $case (@cases) {
    my ($title, @conf) = @$case;
    my $note = $title =~ /a note/ ? "\t" : '';
    my @want = $title =~ /0401, a note: included twice/ ? 'site:1 0401'
             : $title =~ /one they share/ ? 'alias:3 0400'
             : expected(@conf);
    my ($status, $said, @got) = say_of($note . shift @conf, @conf);
    is "@got, exit $status", "@want, exit 0", $title or diag $said;
}

my @wrong = ($listen, vhost('*:80', 'a.test'), vhost('*:80', 'a.test'));
my ($status, $said, @got);

sub found { return "@got, exit $status"; }

($status, $said, @got) = say_of("SNIVHostLint Off\n", @wrong);
is found(), ', exit 0', 'SNIVHostLint Off: nothing';
($status, $said, @got) = say_of("SNIVHost Off\n", @wrong);
is found(), ', exit 0', 'SNIVHost Off: nothing';
($status, $said, @got) = say_of("SNIVHost Off\nSNIVHostLint On\n", @wrong);
is found(), 'case:9 0400, exit 0', 'but with SNIVHostLint On';
($status, $said, @got) = say_of("SNIVHostLint Strict\n", @wrong);
is found(), 'case:8 0400, exit 1', 'SNIVHostLint Strict: -t fails';
like $said, qr/^SNIV0490: /m, 'and says why';
($status, $said, @got) = say_of("SNIVHostLint Strict\n", @wrong[0, 1]);
is found(), ', exit 0', 'SNIVHostLint Strict: nothing found, nothing fails';
($status, $said, @got) = say_of("SNIVHostLint Strict\n",
    "SNIVHostLintIgnore SNIV0400\n", @wrong);
is found(), ', exit 0', 'SNIVHostLintIgnore';
($status, $said, @got) = say_of(@wrong[0, 1],
    vhost('*:80', 'a.test', 'SNIVHostLintIgnore 0402 0400'),
    vhost('*:80', 'a.test'));
is found(), 'case:11 0400, exit 0', 'SNIVHostLintIgnore in a virtual host';
($status, $said, @got) = say_of("SNIVHostLintIgnore SNIV0001\n", @wrong);
is $status, 1, 'SNIVHostLintIgnore takes no other codes';
($status, $said, @got) = say_of(vhost('*:80', 'a.test', 'SNIVHostLint Off'));
is $status, 1, 'SNIVHostLint does not stand in a virtual host';

($status, $said, @got) = say_of($listen, vhost('*:80', 'a.test'),
    map { vhost('*:80', 'a.test') } 1 .. 50);
is scalar(grep({ /case:\d+ 0400/ } @got)), 20, 'the first 20 of a kind';
like $said, qr/^SNIV0400: and 30 more/m, 'and a line for the rest';
($status, $said) = $h->check('-t', '-D', 'DUMP_SNIVHOST_LINT');
is scalar(() = $said =~ /^SNIV0400: /mg), 50, 'all of them when asked for';
like $said, qr/^50 findings$/m, 'and their number';

($status, $said) = say_of($listen, vhost('*:80', "a.test"),
    vhost('*:80', qq(a.test b"\xff.test)));
for my $dump ('DUMP_SNIVHOST_LINT_JSON', 'DUMP_SNIVHOST_JSON') {
    ($status, $said) = $h->check('-t', '-D', $dump);
    $said =~ s/^Syntax OK\n//m;
    my $json = eval { JSON::PP->new->utf8->decode($said) } || {};
    is $json->{version}, 1, "$dump: a document";
    my $found = $json->{findings} || [{}];
    my %first = %{ $found->[0] };
    $first{$_} =~ s{.*/}{} for 'file', 'defined_at';
    like delete $first{message}, qr/^'a\.test' appears here and in a\.test \(/,
        'with the sentence';
    is_deeply \%first, { code => 'SNIV0400', level => 'warning',
        file => 'case.conf', line => 7, vhost => 'a.test',
        defined_at => 'case.conf:6' }, 'and the rest';
}

$h->remove;

$h = Sniv::Httpd->new(name => 'lint-no-ssl', modules => ['-ssl', '-http2'],
    conf => sub { "Include case.conf\n" });
($status, $said, @got) = say_of(@wrong);
is found(), 'case:7 0400, exit 0', 'without mod_ssl';
for my $dump ('', '_JSON') {
    ($status, $said) = $h->check('-t', '-D', "DUMP_SNIVHOST_LINT$dump");
    is $status, 0, "DUMP_SNIVHOST_LINT$dump without mod_ssl";
}
($status, $said) = $h->check('-t', '-D', 'DUMP_SNIVHOST_421');
like $said, qr/^mod_ssl is not loaded/m, 'DUMP_SNIVHOST_421 without mod_ssl';
($status, $said) = $h->check('-D', 'DUMP_SNIVHOST_LINT');
is $status, 1, 'a dump needs -t';
$h->remove;
my $lint = '';
$h = Sniv::Httpd->new(name => 'lint-start', conf => sub {
    return join '', "Listen 127.0.0.1:$_[0]\nTypesConfig /dev/null\n", $lint,
        map { vhost("*:$_[0]", 'a.test') } 1 .. 2;
});
$h->start;
is scalar(() = $h->read('error.log') =~ /SNIV0400: .*httpd\.conf:\d+: /g), 1,
    'a start tells once, in the error log';
$lint = "SNIVHostLint Strict\n";
$h->write_conf;
$h->signal('USR1');
ok $h->wait_for_log('error.log', qr/Doing graceful restart/),
    'a restart with SNIVHostLint Strict';
for (1 .. 500) {
    last if (() = $h->read('error.log') =~ /resuming normal operations/g) > 1;
    select undef, undef, undef, 0.02;
}
is scalar(() = $h->read('error.log') =~ /SNIV0400: /g), 2,
    'tells, and goes on';
$h->stop;
ok !eval { $h->start; 1 }, 'a start with it fails';
like $@, qr/^SNIV0490: /m, 'on the console';
$h->remove;
