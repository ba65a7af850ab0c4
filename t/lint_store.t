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


# Findings about certificates that the store serves, or would: what it says is
# what is reported. And those about chains and must-staple, from a folder or
# from SSLCertificateFile. For each one a configuration that comes close and
# has it not.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use File::Path qw(make_path remove_tree);
use Sniv::Chain qw(make_cert slurp spew);
use Sniv::Client;
use Sniv::Httpd;

plan skip_all => 'findings are the module\'s own'
    if Sniv::Httpd::mode() ne 'on';

my $work = Sniv::Httpd::work() . "/lint-store-files.$$";
END {
    my $status = $?;
    remove_tree($work) if $work;
    $? = $status;
}
make_path($work);
my @aia = ('-addext', 'authorityInfoAccess=caIssuers;URI:http://ca.test/');
my @staple = ('-addext', 'tlsfeature=status_request');
make_cert($work, 'root', is_ca => 1);
make_cert($work, 'mid', is_ca => 1, ca => 'root');
make_cert($work, 'mid2', is_ca => 1, ca => 'mid');
make_cert($work, $_, ca => 'mid', chain => ['mid']) for qw(first a b own);
make_cert($work, 'bare', ca => 'mid');
make_cert($work, 'public', ca => 'mid', add => \@aia);
make_cert($work, 'public2', ca => 'mid', add => \@aia);
make_cert($work, 'self', add => \@aia);
make_cert($work, 'rooted', ca => 'mid', chain => ['mid', 'root']);
make_cert($work, 'mixed', ca => 'mid2', chain => ['mid', 'mid2']);
make_cert($work, 'ordered', ca => 'mid2', chain => ['mid2', 'mid']);
make_cert($work, 'wild', names => ['*.shop.test'], ca => 'mid',
          chain => ['mid']);
make_past('past', 'a.shop.test');
make_cert($work, 'staple', ca => 'mid', chain => ['mid'], add => \@staple);
make_cert($work, 'unstapled', ca => 'mid', chain => ['mid'],
          names => ['staple.test']);
make_cert($work, 'staple2', ca => 'mid', chain => ['mid'], add => \@staple);

# One that has expired, which openssl req does not make.
sub make_past {
    my ($name, $dns) = @_;
    spew("$work/$name.cnf", <<"END");
[ca]
default_ca = past
[past]
database = $work/$name.txt
new_certs_dir = $work
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
subjectAltName = DNS:$dns
[req]
distinguished_name = any
END
    spew("$work/$name.txt", '');
    for my $args ("req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
                  . " -nodes -keyout $name.key -out $name.csr -subj /CN=$name"
                  . " -config $name.cnf",
                  "ca -batch -notext -config $name.cnf -in $name.csr"
                  . " -out $name.leaf -cert mid.leaf -keyfile mid.key"
                  . " -startdate 20200101000000Z -enddate 20200401000000Z") {
        my $said = `cd $work && openssl $args 2>&1`;
        die "openssl $args: $said" if $?;
    }
    spew("$work/$name.crt",
         slurp("$work/$name.leaf") . slurp("$work/mid.leaf"));
    return;
}

# A folder with these certificates, each with its key in one file.
my $folders = 0;
sub folder {
    my (@names) = @_;
    my $dir = "$work/store" . $folders++;
    make_path($dir);
    for my $name (@names) {
        spew("$dir/$name.pem", slurp("$work/$name.crt")
            . slurp("$work/$name.key"));
    }
    return "SNIVHostCertificates $dir";
}
sub vhost {
    my ($names, $cert, @lines) = @_;
    my ($name, @more) = split ' ', $names;
    return join "\n", '<VirtualHost 127.0.0.1:PORT>', "ServerName $name",
        (map { "ServerAlias $_" } @more), 'SSLEngine on', @lines,
        ($cert ? ("SSLCertificateFile $work/$cert.crt",
                  "SSLCertificateKeyFile $work/$cert.key") : ()),
        "</VirtualHost>\n";
}

my $conf;
my $h = Sniv::Httpd->new(name => 'lintstore', conf => sub {
    my ($port) = @_;
    return "Listen 127.0.0.1:$port\n" . ($conf // '') =~ s/PORT/$port/gr;
});

# The codes of -D DUMP_SNIVHOST_LINT, notes with "n", and what -t says.
sub look {
    ($conf) = join '', map { /\n\z/ ? $_ : "$_\n" } @_;
    $h->write_conf;
    my ($status, $said) = $h->check('-t', '-D', 'DUMP_SNIVHOST_LINT');
    my @codes = map { /^SNIV04(\d\d): .*?( \(note\))?$/
                      ? ($1 . ($2 ? 'n' : '')) : () } split /\n/, $said;
    my (undef, $t) = $h->check('-t');
    return (join(' ', @codes) . ($status ? " exit $status" : ''), $said, $t);
}
sub finds {
    my ($title, $codes, $says, @conf) = @_;
    my ($got, $said, $t) = look(@conf);
    is($got, $codes, $title) or diag $said;
    like($said, $says, 'in words') if $says;
    for my $code ($codes =~ /\b(\d\d)\b/g) {
        like($t, qr/^SNIV04$code: /m, "-t reports SNIV04$code");
    }
    return;
}

my $adopt = 'SNIVHostAdopt On';
my $first = vhost('first.test', 'first');

# ----- one rule

finds('an expired exact name beside a valid wildcard', '', undef, $adopt,
      folder('past', 'wild'), $first, vhost('a.shop.test', ''));
{
    $h->start;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $h->ports,
                              tls => { sni => 'a.shop.test' });
    is($c->error || $c->cert, 'wild', 'and that is what is served');
    $h->stop;
    my ($status, $said) = $h->check('-t', '-c', 'SNIVHostLint Strict');
    is($status, 0, 'Strict has nothing to say') or diag $said;
}
finds('an expired one alone', '22', qr{store\d+/past\.pem \(of a\.shop}, $adopt,
      folder('past'), $first, vhost('a.shop.test', ''));
{
    my ($status, $said) = $h->check('-t', '-c', 'SNIVHostLint Strict');
    is($status, 1, 'which Strict does not let pass');
    ok(!eval { $conf = "SNIVHostLint Strict\n$conf"; $h->write_conf;
               $h->start; 1 }, 'nor does a start');
    like($@, qr/SNIV0422/, 'with the same finding');
}
finds('a certificate whose key is another one\'s', '26',
      qr/is for 'a\.test'/, $adopt, do {
          my $line = folder('b');
          my ($dir) = $line =~ / (.*)/;
          spew("$dir/a.crt", slurp("$work/a.crt"));
          spew("$dir/a.key", slurp("$work/b.key"));
          $line;
      }, $first, vhost('a.test', ''), vhost('b.test', ''));

# ----- 0461: behind a certificate of its own

finds('0461: ServerAlias *', '61', qr/sent for 'a\.test'.*store\d+\/a\.pem/,
      folder('a'), vhost('first.test *', 'first'));
finds('0461: a name of the virtual host', '21 61', undef, folder('a'), $first,
      vhost('own.test a.test', 'own'));
finds('0461: a pattern later', '61', qr/and 'b\.test'|'a\.test' and 'b/,
      folder('a', 'b'), $first, vhost('own.test *.test', 'own'));
finds('0461: names that no virtual host has', '', undef, folder('a', 'b'),
      $first);
finds('0461: it covers the name itself', '', undef, folder('a'), $first,
      vhost('a.test', 'a'));
finds('0461: no certificate of its own', '', undef, $adopt, folder('a'),
      $first, vhost('own.test a.test *', '', 'SNIVHostLintIgnore 0426'));

finds('0426: no certificate at all, and not lean', '26',
      qr/its handshakes are refused/, folder('a'), $first,
      vhost('b.test', ''));

# ----- 0462: must-staple

finds('0462: in a folder', '62', qr/staple\.pem .*stapling/, folder('staple'),
      $first);
finds('0462: once a folder', '62', qr/and 1 more below/,
      folder('staple', 'staple2', 'a'), $first);
finds('0462: of one that is not shown', '', undef,
      folder('staple', 'unstapled'), $first);
finds('0462: of a lean virtual host', '62', qr/lean virtual host/, $adopt,
      $first, vhost('staple.test', 'staple'));
finds('0462: without SSLUseStapling', '62', qr/'SSLUseStapling on'/, $first,
      vhost('staple.test', 'staple'));
finds('0462: with SSLUseStapling', '', undef,
      "SSLStaplingCache shmcb:stapling(64000)\n", $first,
      vhost('staple.test', 'staple', 'SSLUseStapling on'));

# ----- 0463: no chain

finds('0463: of a public authority', '63', qr/without its chain/, $first,
      vhost('public.test', 'public'));
finds('0463: once an issuer', '63', qr/and 1 more of the same issuer/, $first,
      vhost('public.test', 'public'), vhost('public2.test', 'public2'));
finds('0463: in a folder', '63', qr/public\.pem/, $adopt, folder('public'),
      $first, vhost('public.test', ''));
finds('0463, a note: of an authority that may be one\'s own', '63n',
      qr/If that is not a root/, $first, vhost('bare.test', 'bare'));
finds('0463: with SSLCertificateChainFile', '', undef, $first,
      vhost('public.test', 'public',
            "SSLCertificateChainFile $work/mid.crt"));
finds('0463: from SSLCACertificateFile', '', undef, $first,
      vhost('public.test', 'public', "SSLCACertificateFile $work/mid.crt"));
finds('0463: self-signed', '', undef, $first, vhost('self.test', 'self'));
{
    local $ENV{SSL_CERT_FILE} = "$work/mid.crt";
    finds('0463: of an authority that this system knows', '', undef, $first,
          vhost('public.test', 'public'));
}

# ----- 0464, 0465: order, roots

finds('0464: not in order', '64', qr/mixed\.crt are not in order/, $first,
      vhost('mixed.test', 'mixed'));
finds('0464: in order', '', undef, $first, vhost('ordered.test', 'ordered'));
finds('0465, a note: with the root', '65n', qr/rooted\.crt contains a root/,
      $first, vhost('rooted.test', 'rooted'));
$h->remove;

done_testing;
