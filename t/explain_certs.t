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


# What SNIVHostExplain says about a handshake, and what the handshake does:
# whose certificate it is, and whether clients can use it.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use File::Path qw(make_path remove_tree);
use JSON::PP ();
use Sniv::Chain qw(make_cert slurp spew);
use Sniv::Client;
use Sniv::Httpd;

plan skip_all => 'certificates of the module\'s own'
    if Sniv::Httpd::mode() ne 'on';

my $work = Sniv::Httpd::work() . "/explain-files.$$";
END {
    my $status = $?;
    remove_tree($work) if $work;
    $? = $status;
}
make_path("$work/certs");
make_cert($work, 'ca', is_ca => 1);
make_cert($work, 'mid', is_ca => 1, ca => 'ca', add => ['-days', 200]);
make_cert($work, $_, ca => 'mid', chain => ['mid']) for qw(first own other);
make_cert($work, 'bare', ca => 'mid');
make_cert($work, 'stored', names => ['stored.test', 'www.stored.test'],
          ca => 'mid', chain => ['mid']);
make_cert($work, 'hidden', names => ['x.own.test', 'hidden.test']);
make_cert($work, 'staple', add => ['-addext', 'tlsfeature=status_request']);
make_cert($work, 'rare', curve => 'secp224r1');
make_cert($work, 'kinds', ca => 'mid', chain => ['mid'],
          add => ['-days', 99]);
make_cert($work, 'kinds-rsa', names => ['kinds.test'], key => 'rsa',
          ca => 'mid', chain => ['mid']);
spew("$work/certs/$_.pem", slurp("$work/$_.crt") . slurp("$work/$_.key"))
    for qw(stored hidden staple kinds kinds-rsa rare);
make_cert($work, 'old', is_ca => 1, ca => 'ca', expired => 1);
make_cert($work, 'late', ca => 'old');
spew("$work/late.crt", slurp("$work/late.leaf") . slurp("$work/old.leaf"));
make_cert($work, 'pfx', ca => 'mid', chain => ['mid']);
system('openssl', 'pkcs12', '-export', '-in', "$work/pfx.crt", '-inkey',
       "$work/pfx.key", '-passout', 'pass:', '-out', "$work/certs/pfx.pfx") == 0
    or die "openssl pkcs12\n";
spew("$work/certs/lost.key", slurp("$work/own.key"));
spew("$work/certs/old.pem.bak", "old\n");
spew("$work/junk.crt", "no certificate\n");

sub own {
    my ($crt, $key) = @_;
    return ("SSLCertificateFile $work/$crt", "SSLCertificateKeyFile $work/$key");
}
sub vhost {
    my ($port, $names, @lines) = @_;
    my ($name, @more) = split ' ', $names;
    return join "\n", "<VirtualHost 127.0.0.1:$port>", "ServerName $name",
        (map { "ServerAlias $_" } @more), 'SSLEngine on', @lines,
        "</VirtualHost>\n";
}

my $h = Sniv::Httpd->new(name => 'explaincerts', conf => sub {
    my ($port) = @_;
    return "Listen 127.0.0.1:$port\nSNIVHostAdopt On\n"
        . "SNIVHostCertificates $work/certs\n"
        . "<Location /status>\nSetHandler snivhost-status\n</Location>\n"
        . vhost($port, 'first.test', own('first.crt', 'first.key'))
        . vhost($port, 'own.test *.own.test', own('own.crt', 'own.key'))
        . vhost($port, 'stored.test www.stored.test none.stored.test')
        . vhost($port, 'nothing.test')
        . vhost($port, 'staple.test')
        . vhost($port, 'donor.test', own('other.crt', 'other.key'),
                'SSLCipherSuite ECDHE+AESGCM')
        . vhost($port, 'taker.test', 'SSLCipherSuite ECDHE+AESGCM')
        . vhost($port, 'junk.test', own('junk.crt', 'own.key'))
        . vhost($port, 'foreign.test', own('own.crt', 'first.key'))
        . vhost($port, 'late.test', own('late.crt', 'late.key'))
        . vhost($port, 'bare.test', own('bare.crt', 'bare.key'));
});
my ($port) = $h->ports;
$h->start;

# SNI, common name of the certificate or alert, what the head says of it, and
# what stands in the steps.
my @CASES = (
    ['first.test', 'first', undef,
     qr/valid until.*^first\.test \(.*\) is not lean: it is the first virtual host of /ms],
    ['own.test', 'own', undef, qr/\A(?!.* is not lean: ).*of own\.test/s],
    ['x.own.test', 'own', qr/does not cover 'x\.own\.test'/,
     qr{SNIVHostCertificates has another one for 'x\.own\.test', \S+/hidden\.pem}],
    ['stored.test', 'stored', undef, qr/valid until/],
    ['www.stored.test', 'stored', undef, qr/valid until/],
    ['none.stored.test', 'first', qr/does not cover 'none\.stored\.test'/,
     qr/no certificate of stored\.test .* is for this name: .* continues with that of first\.test/],
    ['nothing.test', 'first', qr/does not cover 'nothing\.test'/,
     qr/no certificate of nothing\.test /],
    ['taker.test', 'other', qr/does not cover 'taker\.test'/,
     qr/continues with that of donor\.test/],
    ['hidden.test', 'hidden', undef, qr/valid until/],
    ['unknown.test', 'first', qr/does not cover 'unknown\.test'/,
     qr/valid until/],
    ['kinds.test', 'kinds', undef,
     qr{/kinds\.pem \(EC prime256v1, RSA 2048\).*supports also: \S+/kinds-rsa\.pem}s],
    ['pfx.test', 'pfx', undef, qr{/pfx\.pfx \(EC prime256v1\)}],
    ['staple.test', 'staple', undef, qr/must-staple/],
    ['bare.test', 'bare', undef, qr/without a chain: .* issuer, CN=mid/],
    ['late.test', 'late', qr/comes with a chain that expired on .*/, qr/of late/],
    ['junk.test', 80], ['foreign.test', 80], ['rare.test', 40],
    [undef, 'first', undef, qr/valid until/],
);
for my $case (@CASES) {
    my ($sni, $right, $trouble, $step) = @$case;
    my $what = $sni // 'no SNI';
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $port,
                              tls => { defined $sni ? (sni => $sni) : () });
    my $real = !$c->error ? $c->cert
        : $c->error =~ /internal error|alert 80/i ? 80
        : $c->error =~ /handshake failure|alert 40/i ? 40 : $c->error;
    is($real, $right, "$what: the handshake");
    my $words = "127.0.0.1:$port" . (defined $sni ? " sni=$sni" : '')
              . ' host=' . ($sni // 'first.test');
    my ($status, $said) = $h->check('-t', '-c',
                                    "SNIVHostExplain $words format=json");
    my ($status2, $text) = $h->check('-t', '-c', "SNIVHostExplain $words");
    my $first = Sniv::Client->new(addr => '127.0.0.1', port => $port,
                                  tls => { sni => 'first.test' });
    my $page = $first->get('first.test', "/status?format=json&address=127.0.0.1:$port&host="
        . ($sni // 'first.test') . (defined $sni ? "&sni=$sni" : ''))->{body};
    for my $way (['-t', $said =~ /^(\{.*^\})/ms], ['status page', $page]) {
        my $x = eval { JSON::PP->new->decode($way->[1]) } || {};
        my $steps = join "\n", map { $_->{text} } @{ $x->{steps} || [] };
        if ($right =~ /\A[48]0\z/) {
            is($x->{alert}, $right, "$way->[0]: the alert") or diag $way->[1];
            like($x->{reason}, $right eq '80'
                 ? qr/certificate of \Q$sni\E .* cannot be used/
                 : qr/clients do not support the key/, 'and the reason');
            next;
        }
        like($x->{certificate}{subject} // 'none', qr/\ACN=\Q$right\E\z/,
             "$way->[0]: the certificate") or diag $way->[1];
        is($x->{alert}, undef, 'no alert');
        $trouble ? like($x->{certificate_trouble} // '', $trouble, 'trouble')
                 : is($x->{certificate_trouble}, undef, 'no trouble');
        like($steps, $step, 'steps');
    }
    $text =~ s{^SNIV.*\n}{}mg;
    my ($head) = $text =~ /\A(.*?)\n\n/s;
    if ($right =~ /\A[48]0\z/) {
        like($head, qr/refusal +the handshake ends with alert $right/,
             'the head');
    }
    elsif ($trouble) {
        (my $one = $head) =~ s/\n +/ /g;
        like($one, qr/certificate .*which $trouble: clients reject it/,
             'the head');
    }
    else {
        unlike($head, qr/reject/, 'the head');
    }
}
like($h->read('error.log'),
     qr{SNIV0320: certificates: passed over in folder \Q$work\E/certs: 2 files, the first is \Q$work\E/certs/lost\.key$}m,
     'what is passed over');
$h->stop;
$h->remove;

done_testing;
