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

# Every configuration in the manual, the README and conf/ is one that
# "httpd -t" accepts, without a finding. Each gets what a server has around
# it: modules, the Listen lines of its ports, and the certificates that it
# names.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Basename qw(dirname);
use File::Path qw(make_path);
use Test::More;

use Sniv::Docs qw(examples);
use Sniv::Httpd;

plan skip_all => 'SNIVHOST=off: the module is not loaded'
    if Sniv::Httpd::mode() eq 'off';

# Certificates are for the names of the virtual host around them; outside of
# one, for the name of the file.
sub certificates {
    my ($dir, $conf) = @_;
    my @names;
    for (split /\n/, $conf) {
        @names = () if /<VirtualHost/i;
        push @names, split ' ', $1 if /^\s*Server(?:Name|Alias)\s+(.*)/i;
        my ($crt) = /^\s*SSLCertificateFile\s+"?([^"\s]+)/i or next;
        $crt = "$dir/$crt" if $crt !~ m{^/};
        certificate($crt, $crt =~ s/\.crt\z/.key/r, @names);
    }
    # A folder: one bundle for a name of its own.
    while ($conf =~ /^\s*SNIVHostCertificates\s+(.*)/img) {
        for my $folder (split ' ', $1 =~ tr/"//dr) {
            $folder = "$dir/$folder" if $folder !~ m{^/};
            certificate("$folder/hosted.example.pem",
                        "$folder/hosted.example.pem", 'hosted.example');
        }
    }
    return;
}

sub certificate {
    my ($crt, $key, @names) = @_;
    my $dir = dirname($crt);
    make_path($dir);
    my $san = join ',', map { "DNS:$_" } @names;
    my @key = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
               '-noenc', '-keyout', "$dir/new.key");
    open my $pipe, '-|', 'sh', '-c', '"$@" 2>&1', 'sh', 'openssl', 'req',
        '-x509', @key, '-days', 90, '-subj', "/CN=$names[0]", '-addext',
        "subjectAltName=$san", '-out', "$dir/new.crt"
        or die "openssl: $!\n";
    my $said = do { local $/; <$pipe> };
    close $pipe or die "openssl failed:\n$said";
    if ($crt eq $key) {
        system("cat '$dir/new.crt' '$dir/new.key' >'$crt'") == 0 or die;
        unlink "$dir/new.crt", "$dir/new.key";
    }
    else {
        rename "$dir/new.crt", $crt or die "$crt: $!\n";
        rename "$dir/new.key", $key or die "$key: $!\n";
    }
    return;
}

# What the example is put into.
sub scaffold {
    my ($dir, $conf) = @_;
    my $so = Sniv::Httpd::module_so();
    my %port = map { $_ => 1 } 80, $conf =~ /<VirtualHost[^>]*:(\d+)/g;
    delete $port{$_} for $conf =~ /^\s*Listen\s+(?:\S*:)?(\d+)/img;
    my $load = $conf =~ s{^(\s*LoadModule\s+snivhost_module\s+).*}
                         {$1"$so"}m
        ? '' : qq(LoadModule snivhost_module "$so"\n);
    my $mode = $conf =~ /^\s*SNIVHost\s/m ? '' : "SNIVHost On\n";
    # Absolute paths are somewhere else here.
    $conf =~ s{((?<=\s)"?)(/(?:etc|srv|var)/)}{$1$dir$2}g;
    make_path("$dir/$_") for grep { !m{^/} }
        $conf =~ /^\s*DocumentRoot\s+"?([^"\s]+)/img;
    make_path($_) for grep { m{^/} }
        $conf =~ /^\s*(?:Virtual)?DocumentRoot\s+"?([^"\s%]+)/img;
    certificates($dir, $conf);
    return join '', $load, $mode, (map { "Listen $_\n" }
                                   sort keys %port), $conf, "\n";
}

my $n = 0;
for my $example (examples()) {
    my ($where, $conf) = @$example;
    my $h = Sniv::Httpd->new(name => 'docs-example' . $n++, mode => 'none',
                             modules => ['macro', 'vhost_alias'],
                             conf => '');
    $h->{conf} = scaffold($h->dir, $conf);
    $h->write_conf;
    my ($exit, $said) = $h->check;
    is $exit, 0, "$where: httpd -t accepts it"
        or diag "$said\n--- in\n", $h->read('httpd.conf');
    unlike $said, qr/SNIV\d{4}/, "$where: and there is no finding"
        or diag $said;
    $h->remove;
}
cmp_ok $n, '>', 10, "$n examples";

done_testing;
