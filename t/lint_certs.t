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


# Findings about certificates, in the files of SSLCertificateFile and in the
# folders of SNIVHostCertificates: names, times, who is served them.


use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use Sniv::Certs;
use Sniv::Chain;
use Sniv::Httpd;
use Sniv::Lint;

# ----- 0420, 0421: what they cover

finds '0420: another name', $tls, site('b.test', 'plain!0420');
finds '0420: a wildcard covers one label', $tls,
    site('a.b.w.test', 'wild!0420');
finds '0420: the common name of a certificate does not count',
    $tls, site('cn.test', 'cn!0420');
finds '0420: inherited from the main server', $tls,
    "SSLCertificateFile \${CERTS}/plain.crt\n",
    "SSLCertificateKeyFile \${CERTS}/key\n",
    vhost('127.0.0.1:443', 'a.test', 'SSLEngine on'),
    vhost('127.0.0.1:443!0420', 'b.test', 'SSLEngine on');
passes '0420: another virtual host gets the name', $tls, site('a.test *.test',
    'self'), vhost('127.0.0.1:443', 'b.test', 'SSLEngine on',
        'SNIVHostLintIgnore 0402', (split /\n/, site('', 'plain'))[2, 3]);
passes '0420: it gets the name where no TLS is spoken', $listen, $tls,
    site('a.test *.test', 'self'), vhost('*:80', 'p.test'),
    vhost('127.0.0.1:443 *:80', 'b.test', 'SSLEngine on',
        'SNIVHostLintIgnore 0402 0413', (split /\n/, site('', 'plain'))[2, 3]);
passes '0422: another virtual host gets all names', $tls,
    site('a.test *.test', 'self'), vhost('127.0.0.1:443', 'b.test',
        'SSLEngine on', 'SNIVHostLintIgnore 0402',
        (split /\n/, site('', 'expired'))[2, 3]);
finds '0422: of a pattern some names are left', $tls, site('a.test b.*',
    'self'), site('b.test *.test', 'expired!0422', 'SNIVHostLintIgnore 0402');
passes '0420: covered', $tls,
    site('A.test', 'plain'), site('b.W.test', 'wild'), site('w.test', 'wild');
passes '0420: a self-signed one', $tls, site('a.test', 'self');
passes '0420: no ServerName', $tls, site('-', 'plain');
passes '0420: no name of the Internet', $tls,
    site('default.invalid', 'plain'), site('intranet', 'plain'),
    site('127.0.0.1', 'plain');
passes '0420: no TLS', $listen,
    vhost('*:80', 'b.test', 'SSLCertificateFile ${CERTS}/plain.crt');
passes '0420: no certificate', $tls, site('a.test', 'plain'),
    site('b.test', 'no', 'SNIVHostTLS On');
passes '0420: managed by mod_md', $tls, "MDomain b.test\n",
    vhost('127.0.0.1:443', 'b.test', 'SSLEngine on',
        'SSLCertificateFile ${CERTS}/plain.crt',
        'SSLCertificateKeyFile ${CERTS}/key');
finds '0421: an alias', $tls, site('a.test www.a.test ftp.a.test!0421',
    'plain');
finds '0420: once, if the ServerName is an alias too', $tls,
    site('b.test B.test', 'plain!0420');
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
finds '0422: one finding for all virtual hosts that have it',
    $tls, "Listen 127.0.0.2:443\n",
    site('a.test', 'expired!0422'),
    site('a.test', 'expired') =~ s/0\.1:/0.2:/r;
finds '0423: not yet valid', $tls, site('a.test', 'not_yet!0423');
finds '0424: not renewed', $tls, site('a.test', 'soon!0424');
finds '0424: not renewed, one of six days', $tls,
    site('a.test', 'short_soon!0424');
passes '0424: time enough', $tls, site('a.test', 'in_time');
passes '0424: time enough, one of a year', $tls, site('a.test', 'year');
passes '0424: time enough, one of six days', $tls, site('a.test', 'short');

# ----- 0428, a note: the last third

finds '0428, a note: less than a third is left', $tls,
    site('a.test', 'late!0428');
finds '0428, a note: of several the one that expires first', $tls,
    site('a.test', 'late'), site('w.test', 'later!0428');
finds '0428, a note: that of six days is 0424 in its last day', $tls,
    site('a.test', 'late!0428'), site('x.a.test', 'short_soon!0424',
    'SNIVHostLintIgnore 0420');
finds '0428, a note: not where it is ignored', $tls,
    site('a.test', 'late!0428'),
    site('w.test', 'later', 'SNIVHostLintIgnore 0428');
passes '0428, a note: more than a third is left', $tls,
    site('a.test', 'not_late');
passes '0428: no warning', $tls, site('a.test', 'late');

# ----- 0425, a note: names that no virtual host has

finds '0425, a note: a name of the certificate', $tls,
    site('w.test', 'wild'), site('a.test', 'plain!0425');
passes '0425, a note: all are served', $tls,
    site('w.test', 'wild'), site('a.test www.a.test', 'plain');
passes '0425, a note: the default serves them', $tls,
    site('a.test', 'plain'), site('w.test', 'wild');

# ----- 0426, 0427, 0422 to 0424: in folders

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
passes '0426: the certificate of the first virtual host is for it',
    $tls, @first,
    stored('late', 'b.w.test');
passes '0426: a file of its own', $tls, @first,
    site('w.test', 'wild', 'SNIVHostCertificates ${CERTS}/late');
passes '0426: no such folder', $tls, @first, stored('none', 'b.test');
passes '0426: a pattern', $tls, @first, stored('store', 'a.test *.b.test');
finds '0424: not renewed, in a folder', $tls, @first,
    stored('late!0424', 'a.test');
finds '0424: one finding for all virtual hosts that have it', $tls, @first,
    stored('late!0424', 'a.test'), "Listen 127.0.0.2:443\n",
    map { s/0\.1:/0.2:/r } site('y.w.test', 'wild'), stored('late', 'a.test');
finds '0422: expired, in a folder', $tls, @first,
    stored('expired!0422', 'a.test');
passes '0422: there is a newer one', $tls, @first, stored('both', 'a.test');
passes '0422: another one is served', $tls, @first,
    stored('expired', 'b.w.test');
finds '0427, a note: no virtual host has the name', $tls,
    vhost('127.0.0.1:443!0427', 'x.w.test', 'SSLEngine on',
        'SNIVHostCertificates ${CERTS}/many'), $blog;
passes '0427, a note: a virtual host has it', $tls,
    vhost('127.0.0.1:443', 'x.w.test', 'SSLEngine on',
        'SNIVHostCertificates ${CERTS}/many'), $blog,
    site('a.test www.a.test', 'plain');
passes '0427, a note: mass hosting', $tls,
    vhost('127.0.0.1:443', 'x.w.test', 'SSLEngine on',
        'VirtualDocumentRoot /sites/%0',
        'SNIVHostCertificates ${CERTS}/many'), $blog;
passes '0427, a note: no virtual host has most of the names', $tls,
    vhost('127.0.0.1:443', 'x.w.test', 'SSLEngine on',
        'SNIVHostCertificates ${CERTS}/many');

plan tests => Sniv::Lint::cases(), sub {
    Sniv::Httpd::mode() eq 'off' ? skip_reason('the module is not loaded')
        : -e Sniv::Httpd::apxs('LIBEXECDIR') . '/mod_md.so' ? 1
        : skip_reason('no mod_md');
};

my $h = Sniv::Lint::server('lint-certs',
    { modules => ['watchdog', 'md', 'vhost_alias'] });
sub cat { return join '', map { $h->read("ca/$_") } @_; }
$h->write('ca/ca.pem', Sniv::Chain::slurp(Sniv::Certs::ca()));
for my $put (['store/a.test/fullchain.pem', 'plain.crt'],
             ['store/a.test/privkey.pem', 'key'],
             ['store/a.test/cert.pem', 'plain.crt'],
             ['store/any.pem', 'ca.pem', 'wild.crt', 'key'],
             ['late/soon.crt', 'soon.crt'], ['late/soon.key', 'key'],
             ['expired/a.pem', 'expired.crt', 'key'],
             ['both/a.pem', 'expired.crt', 'key'],
             ['both/b.pem', 'plain.crt', 'key'],
             ['many/w.pem', 'wild.crt', 'key'],
             ['many/b.pem', 'blog.crt', 'key'],
             ['many/a.pem', 'plain.crt', 'key']) {
    my ($file, @parts) = @$put;
    $h->write("ca/$file", cat(@parts));
}
Sniv::Lint::check_cases();
$h->remove;
