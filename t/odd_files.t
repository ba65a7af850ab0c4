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

# Odd certificate and key files: what stock httpd serves a lean virtual host
# serves, what stock httpd does not start with is refused and said.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use Test::More;

use Sniv::Chain qw(make_cert);
use Sniv::Client;
use Sniv::Httpd;
use Sniv::OddFiles;

plan skip_all => 'there is nothing to compare without the module'
    if Sniv::Httpd::mode() eq 'off';

my $ssl = Sniv::Httpd::work() . "/odd-ssl.$$";
make_cert($ssl, 'first');
my @odd = Sniv::OddFiles::all($ssl);
plan tests => 4 + 2 * @odd;
cmp_ok scalar @odd, '>=', 45, scalar(@odd) . ' odd files';

for my $i (0 .. $#odd) {
    my $o = $odd[$i];
    $o->{name} = "o$i.test";
    for my $what (grep { defined $o->{$_} } qw(cert key)) {
        my $path = "$ssl/o$i.$what";
        open my $out, '>:raw', $path or die "$path: $!\n";
        print {$out} $o->{$what};
        close $out;
        $o->{files} .= 'SSLCertificate' . ($what eq 'key' ? 'Key' : '')
            . "File $path\n";
    }
}

sub conf {
    my ($port, @which) = @_;
    return join '', "Listen 127.0.0.1:$port\n", map {
        "<VirtualHost 127.0.0.1:$port>\nSSLEngine on\nServerName $_->{name}\n"
        . "$_->{files}</VirtualHost>\n"
    } { name => 'first.test', files => "SSLCertificateFile $ssl/first.crt\n"
            . "SSLCertificateKeyFile $ssl/first.key\n" }, @which;
}

sub served {
    my ($port, $name) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $port,
                              tls => { sni => $name });
    return $c->error ? 'refused' : join ' ', $c->chain;
}

# Stock httpd starts or not, so it is asked about each alone.
for my $o (@odd) {
    my $h = Sniv::Httpd->new(name => 'odd-stock', mode => 'none',
        ports => [Sniv::Httpd::free_ports(1)], conf => sub {
            conf($_[0], $o);
        });
    $o->{stock} = eval { $h->start; 1 } ? served($h->ports, $o->{name})
                                       : 'refused';
    $h->remove;
}
my $good = grep { $_->{stock} ne 'refused' } @odd;
cmp_ok $good, '>', 30, "stock httpd serves $good of them";
cmp_ok @odd - $good, '>', 30, '... and many it does not';

my $h = Sniv::Httpd->new(name => 'odd', conf => sub {
    return "SNIVHostAdopt On\n" . conf($_[0], @odd);
});
my ($status, $said) = $h->check('-t');
$h->start;
is $status, 0, '-t: the server would start';
my $log = $h->read('error.log');
for my $o (@odd) {
    is served($h->ports, $o->{name}), $o->{stock}, "$o->{what}: as in stock";
    my ($file) = $o->{files} =~ m{(/o\d+)\.};
    my @lines = map { scalar(() = /SNIV0301: .*\Q$file\E\./g) } $said, $log;
    my $n = $o->{stock} eq 'refused' ? 1 : 0;
    is "@lines", "$n $n", "$o->{what}: " . ($n ? 'said' : 'nothing said');
}
$h->remove;
