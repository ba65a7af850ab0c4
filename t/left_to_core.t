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


# Another module has changed where core begins to search for a connection
# (t/modules/mod_moves.c). Such connections are left to core, and what lean
# virtual hosts and folders give to their handshakes is right all the same:
# as at stock httpd, and never another site's certificate.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy qw(copy);
use File::Path qw(make_path remove_tree);
use Test::More;

use Sniv::Chain qw(make_cert slurp);
use Sniv::Client;
use Sniv::Httpd;
use Sniv::Pair;

plan skip_all => 'without the module there is nothing to compare'
    if Sniv::Httpd::mode() ne 'on';

my $work = Sniv::Httpd::work() . "/left-to-core.$$";
END {
    my $status = $?;
    remove_tree($work) if $work;
    $? = $status;
}
make_path("$work/certs");
copy("$FindBin::Bin/modules/mod_moves.c", $work) or die "copy: $!\n";
my $said = do {
    my $apxs = $ENV{APXS} || 'apxs';
    qx{cd $work && $apxs -c mod_moves.c 2>&1};
};
die "apxs: $said" if !-e "$work/.libs/mod_moves.so";

make_cert($work, 'v0', key => 'rsa');
make_cert($work, $_) for qw(v1 v2 moved);
make_cert($work, 'folder', names => ['folder.test', 'v2.test']);
{
    open my $out, '>', "$work/certs/folder.pem" or die "folder.pem: $!\n";
    print $out slurp("$work/folder.leaf"), slurp("$work/folder.key");
    close $out;
}

sub vhost {
    my ($address, $label, @lines) = @_;
    return join '', "<VirtualHost $address>\nServerName $label.test\n",
        "SSLEngine on\n",
        map({ "$_\n" } @lines), qq(Header always set X-Vhost $label\n),
        qq(Header always set X-Cn "%{SSL_SERVER_S_DN_CN}s"\n),
        "</VirtualHost>\n";
}

sub files {
    my ($label) = @_;
    return "SSLCertificateFile $work/$label.crt\n"
         . "SSLCertificateKeyFile $work/$label.key";
}

sub conf {
    my ($port, $more) = @_;
    return "LoadModule moves_module $work/.libs/mod_moves.so\n"
        . Sniv::Httpd::sni_policy_conf('insecure')
        . join('', map { vhost("*:$port", $_, files($_)) } qw(v0 v1 v2))
        . $more;
}

# Where somebody is moved to, and the others' names.
my @CASES = (
    ['to another first one',
     sub { vhost('127.0.0.9:100', 'moved', files('moved')) }],
    ['the list is gone', sub { "<VirtualHost 127.0.0.9:100>\n"
        . "ServerName alone.test\n</VirtualHost>\n" }],
);
for my $case (@CASES) {
    my ($what, $more) = @$case;
    my $pair = Sniv::Pair->new(name => 'left', allow => qr/SNIV0001/,
        extra => "SNIVHostAdopt On\n",
        conf => sub { conf($_[0], $more->()) });
    $pair->start;
    like($pair->log('ours'), qr/adopted 2 of [34] TLS/, "$what: lean ones");
    for my $sni (undef, map { "$_.test" } qw(v0 v1 v2 unknown moved)) {
        for my $max ('1.2', '1.3') {
            $pair->same("$what, " . ($sni // 'no SNI') . ", TLS $max", sub {
                my ($addr, $port) = @_;
                my %tls = (max => $max, defined $sni ? (sni => $sni) : ());
                my $c = Sniv::Client->new(addr => $addr, port => $port,
                                          tls => \%tls);
                return $c->error if $c->error;
                return join ' ', $c->chain, map {
                    my $r = $c->get($_);
                    map { $_ // '-' } $r->{status},
                        @{ $r->{headers} }{qw(x-vhost x-cn)}
                } $sni // 'v0.test', 'v1.test';
            });
        }
    }
    like($pair->log('ours'), qr/SNIV0001/, "$what: it was left to core");
    $pair->stop;
}

# ----- refusals

for my $case (@CASES) {
    my ($what, $more) = @$case;
    my $h = Sniv::Httpd->new(name => 'left', allow => qr/SNIV0001/,
        mode => 'on', conf => sub {
        my ($port) = @_;
        return "Listen 127.0.0.1:$port\nSNIVHostUnknownSNI refuse\n"
            . "SNIVHostMissingSNI refuse\nSNIVHostUnknownHost refuse\n"
            . "SNIVHostAllowHost allowed.test\n" . conf($port, $more->());
    })->start;
    my $ask = sub {
        my ($sni, $host, $version) = @_;
        my $c = Sniv::Client->new(addr => '127.0.0.1', port => $h->ports,
            tls => { max => $version, defined $sni ? (sni => $sni) : () });
        my $got = $c->error || $c->get($host)->{status};
        $c->close;
        return $got;
    };
    # core knows v0 only, without the list, and else the three of it
    my $known = $what =~ /gone/ ? 'v0.test' : 'v1.test';
    for my $version ('1.2', '1.3') {
        my $t = "$what, TLS $version";
        is($ask->($known, $known, $version), 404, "$t: a known name");
        is($ask->('allowed.test', 'allowed.test', $version), 404,
           "$t: an allowed one");
        is($ask->('nobody.test', $known, $version), 'alert 112',
           "$t: unknown SNI");
        is($ask->(undef, $known, $version),
           $version eq '1.3' ? 'alert 109' : 'alert 40', "$t: no SNI");
        is($ask->($known, $_, $version), 421, "$t: Host $_")
            for 'nobody.test', '_default_';
    }
    $h->remove;
}

# ----- folders

my $h = Sniv::Httpd->new(name => 'left', allow => qr/SNIV0001/, conf => sub {
    my ($port) = @_;
    return "Listen 127.0.0.1:$port\nSNIVHostCertificates $work/certs\n"
        . conf($port, $CASES[0][1]->());
})->start;
for my $case ([undef, 'moved'], ['folder', 'folder'], ['v1', 'v1'],
              ['v2', 'v2'], ['unknown', 'moved']) {
    my ($sni, $cn) = @$case;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $h->ports,
        tls => { $sni ? (sni => "$sni.test") : () });
    is($c->error || $c->cert, $cn, 'with a folder: ' . ($sni // 'no SNI'));
}
$h->remove;

done_testing;
