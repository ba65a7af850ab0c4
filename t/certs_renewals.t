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

# A renewal that takes something away says so; one that cannot be meant does
# not take place.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use Test::More;

use Sniv::Chain qw(make_cert slurp spew);
use Sniv::Client;
use Sniv::Httpd;

plan skip_all => 'nothing is renewed without the module'
    if Sniv::Httpd::mode() eq 'off';

my $ssl = Sniv::Httpd::work() . "/renewals-ssl.$$";
make_cert($ssl, 'root', is_ca => 1);
make_cert($ssl, 'ca', is_ca => 1, ca => 'root');
# with the same name and key
spew("$ssl/old.key", slurp("$ssl/ca.key"));
make_cert($ssl, 'old', is_ca => 1, ca => 'root', expired => 1,
          add => ['-subj', '/CN=ca']);
sub made { make_cert($ssl, $_[0], ca => 'ca', @_[1 .. $#_]); return $_[0] }
sub texts {
    my ($name, @more) = @_;
    return join '', map { slurp("$ssl/$_") } "$name.leaf", @more, "$name.key";
}

# Each: its file, what is there at first, what comes then, the line that says
# so, and what is served in the end.
my @cases = (
    { file => 'folder/a.pem', sni => 'a.test',
      was => texts(made('a1', names => ['a.test', 'www.a.test', 'm.a.test'])),
      is => texts(made('a2', names => ['a.test', '*.x.test'])),
      says => qr{SNIV0302: .*/folder/a\.pem is no longer for www\.a\.test, m\.a\.test$}m,
      serves => 'a2' },
    { file => 'folder/many.pem', sni => 'b.test',
      was => texts(made('b1', names => ['b.test', map { "n$_.test" } 1 .. 9])),
      is => texts(made('b2', names => ['b.test'])),
      says => qr{SNIV0302: .*/many\.pem is no longer for n1\.test, n2\.test, n3\.test, n4\.test, n5\.test and 4 more$}m,
      serves => 'b2' },
    { file => 'folder/wild.pem', sni => 'w.c.test',
      was => texts(made('c1', names => ['w.c.test', 'c.test'])),
      is => texts(made('c2', names => ['*.c.test', 'c.test'])),
      silent => qr{wild\.pem is no longer},
      says => qr{SNIV0305: .*/wild\.pem}, serves => 'c2' },
    { file => 'folder/d.pem', sni => 'd.test',
      was => texts(made('d1', names => ['d.test']), 'ca.leaf'),
      is => texts(made('d2', names => ['d.test'])),
      says => qr{SNIV0302: .*/d\.pem comes without its chain},
      serves => 'd2' },
    { file => 'folder/f.pem', sni => 'f.test',
      was => texts(made('f1', names => ['f.test']), 'ca.leaf'),
      is => texts(made('f2', names => ['f.test']), 'old.leaf'),
      says => qr{SNIV0306: .*/f\.pem comes with a chain that has expired on },
      serves => 'f1' },
    { file => 'folder/g.pem', sni => 'g.test',
      was => texts(made('g1', names => ['g.test'])),
      is => texts(made('g2', names => ['g.test'], curve => 'secp224r1')),
      says => qr{SNIV0306: .*/g\.pem has a key that TLS clients do not support},
      serves => 'g1' },
    { file => 'folder/h.pem', sni => 'h.test',
      was => texts(made('h1', names => ['h.test'])),
      is => texts(made('h2', names => ['h.test'],
                       add => ['-addext', 'tlsfeature=status_request'])),
      says => qr{SNIV0302: .*/h\.pem requires OCSP stapling},
      serves => 'h2' },
    { file => 'folder/self.pem', sni => 'e.test',
      was => texts(made('e1', names => ['e.test'])),
      is => do { make_cert($ssl, 'e2', names => ['e.test']); texts('e2') },
      says => qr{SNIV0306: .*/self\.pem holds a self-signed certificate},
      serves => 'e1' },
    { file => 'own/lean.pem', sni => 'lean.test', own => 1,
      was => texts(made('l1', names => ['lean.test'])),
      is => texts(made('l2', names => ['other.test'])),
      says => qr{SNIV0306: .*/lean\.pem holds a certificate for other names: it is not for lean\.test},
      serves => 'l1' },
    { file => 'own/part.pem', sni => 'part.test', own => 1,
      was => texts(made('p1', names => ['part.test', 'www.part.test'])),
      is => texts(made('p2', names => ['part.test'])),
      says => qr{SNIV0302: .*/part\.pem is no longer for www\.part\.test},
      serves => 'p2' },
    # it shares a name with the one before, and none with the virtual host
    { file => 'own/site.pem', sni => 'site.test', own => 1,
      was => texts(made('s1', names => ['site.test', 'old.test'])),
      is => texts(made('s2', names => ['old.test'])),
      says => qr{SNIV0306: .*/site\.pem holds a certificate for other names: it is not for site\.test},
      serves => 's1' },
    # it shares none with the one before, and an alias with the virtual host
    { file => 'own/alias.pem', sni => 'alias.test', own => 1,
      alias => ['*.wild.test'],
      was => texts(made('m1', names => ['alias.test'])),
      is => texts(made('m2', names => ['www.wild.test'])),
      says => qr{SNIV0305: .*/alias\.pem}, serves => 'm2' },
    { file => 'own/issuer.pem', sni => 'issuer.test', own => 1, has_ca => 1,
      was => texts(made('i1', names => ['issuer.test'])),
      is => do { make_cert($ssl, 'i2', names => ['issuer.test'],
                           ca => 'root'); texts('i2') },
      says => qr{SNIV0302: .*/issuer\.pem has another issuer than the one before, which is neither in this file nor among the CA files: it is sent without a chain},
      serves => 'i2' },
    { file => 'own/same.pem', sni => 'same.test', own => 1, has_ca => 1,
      was => texts(made('o1', names => ['same.test'])),
      is => texts(made('o2', names => ['same.test'])),
      silent => qr{same\.pem has another issuer},
      says => qr{SNIV0305: .*/same\.pem}, serves => 'o2' },
);

make_path("$ssl/folder", "$ssl/own");
make_cert($ssl, 'first');
sub put {
    my ($file, $text) = @_;
    open my $out, '>', "$ssl/$file.new" or die "$file: $!\n";
    print {$out} $text;
    close $out;
    chmod 0600, "$ssl/$file.new";
    rename "$ssl/$file.new", "$ssl/$file" or die "$file: $!\n";
    return;
}
put($_->{file}, $_->{was}) for @cases;

# One address where the TLS settings have a CA file, one where they have none.
sub vhosts {
    my ($port, $has_ca) = @_;
    my $settings = $has_ca ? "SSLCACertificateFile $ssl/ca.leaf\n" : '';
    return map { my $case = $_;
        "<VirtualHost 127.0.0.1:$port>\nSSLEngine on\n$settings"
        . "ServerName $case->{sni}\n"
        . join('', map { "ServerAlias $_\n" } @{ $case->{alias} || [] })
        . "SSLCertificateFile $ssl/$case->{file}\n</VirtualHost>\n"
    } grep { $_->{own} && !$_->{has_ca} == !$has_ca } @cases;
}
my $h = Sniv::Httpd->new(name => 'renewals', ports => 2, conf => sub {
    my @ports = @_;
    my $text = "SNIVHostAdopt On\nSNIVHostCertificateCheck 10\n";
    for my $i (0, 1) {
        $text .= "Listen 127.0.0.1:$ports[$i]\n"
            . "<VirtualHost 127.0.0.1:$ports[$i]>\nServerName first.test\n"
            . "SSLEngine on\nSNIVHostCertificates $ssl/folder\n"
            . ($i ? "SSLCACertificateFile $ssl/ca.leaf\n" : '')
            . "SSLCertificateFile $ssl/first.crt\n"
            . "SSLCertificateKeyFile $ssl/first.key\n</VirtualHost>\n"
            . join '', vhosts($ports[$i], $i);
    }
    return $text;
})->start;
my @ports = $h->ports;
sub served {
    my ($case) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1',
                              port => $ports[$case->{has_ca} ? 1 : 0],
                              tls => { sni => $case->{sni} });
    return $c->error || ($c->chain)[0];
}

for my $case (@cases) {
    (my $was = $case->{serves}) =~ s/\d/1/;
    is served($case), $was, "$case->{file}: served at first";
}
put($_->{file}, $_->{is}) for @cases;
for my $case (@cases) {
    ok $h->wait_for_log('error.log', $case->{says}, 90), "$case->{file}: said"
        or diag $h->read('error.log');
}
for my $case (@cases) {
    is served($case), $case->{serves}, "$case->{file}: then";
    unlike $h->read('error.log'), $case->{silent}, "$case->{file}: no more"
        if $case->{silent};
}

# what is not served is not said to be
make_cert($ssl, 'a3', names => ['a.test']);
put('folder/second.pem', texts('a3'));
ok $h->wait_for_log('error.log', qr{SNIV0307: .*/second\.pem is new; another certificate is preferred for its names$}m, 90),
    'a self-signed one beside another' or diag $h->read('error.log');
is served({ sni => 'a.test' }), 'a2', '... is not served';
$h->remove;
done_testing;
