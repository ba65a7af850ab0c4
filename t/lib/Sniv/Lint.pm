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

package Sniv::Lint;

# Findings about configurations: cases, each of them a configuration with
# marks, and a server that is asked about them with -t.
#
#   finds 'a name twice', $listen, vhost('*:80', 'a.test'),
#       vhost('*:80', 'a.test!0400');
#   passes 'a name on two ports', ...;
#   plan tests => Sniv::Lint::cases();
#   my $h = Sniv::Lint::server('lint-names', {});
#   Sniv::Lint::check_cases();
#
# A line is expected to be found where it has the code: "#! 0400", or
# "!0400" behind what a function below makes a line of. What is found has to
# be that and nothing else. With "a note" in the title, notes are asked for.

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use Test::More ();

use Sniv::Certs;
use Sniv::Httpd;

our @EXPORT = qw(finds passes vhost site $listen $tls);
our @EXPORT_OK = qw(certificate say_of);

our $listen = "Listen 127.0.0.1:80\nListen 127.0.0.2:80\n";
our $tls = "Listen 127.0.0.1:443\n";

# The certificates that configurations can name: ${CERTS}/NAME.crt, valid for
# names, for days from now. A common name, NAME.test, is in each.
my %CERTS = (
    plain    => { names => 'a.test,www.a.test' },
    wild     => { names => 'w.test,*.w.test' },
    blog     => { names => 'blog.test,www.blog.test' },
    shop     => { names => 'shop.test,www.shop.test' },
    cn       => { names => '' },
    self     => { names => 'other.test', self => 1 },
    expired  => { names => 'a.test', from => -91, to => -1 },
    not_yet  => { names => 'a.test', from => 2, to => 92 },
    soon     => { names => 'a.test', from => -80, to => 10 },
    in_time  => { names => 'a.test', from => -74, to => 16 },
    year     => { names => 'a.test', from => -349, to => 16 },
    short    => { names => 'a.test', from => -4, to => 2 },
    short_soon => { names => 'a.test', from => -5.5, to => 0.5 },
    late     => { names => 'a.test', from => -61, to => 29 },
    later    => { names => 'w.test', from => -65, to => 25 },
    not_late => { names => 'a.test', from => -59, to => 31 },
    old_self => { names => 'a.test', from => -91, to => -1, self => 1 },
);

my @cases;
my $h;                          # the server that is asked

sub finds { push @cases, [@_]; return; }
sub passes { push @cases, [@_]; return; }
sub cases { return scalar @cases; }

# One more certificate.
sub certificate {
    my ($name, %spec) = @_;
    $CERTS{$name} = \%spec;
    return;
}

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

# The same with TLS and a certificate: site('a.test', 'plain!0420', lines)
sub site {
    my ($names, $cert, @more) = @_;
    my $mark = $cert =~ s/!(\d+)// ? " #! $1" : '';
    return vhost('127.0.0.1:443', $names, 'SSLEngine on', @more,
        "SSLCertificateFile \${CERTS}/$cert.crt$mark",
        'SSLCertificateKeyFile ${CERTS}/key');
}

# The server that is asked; its folder has the files, name => text.
sub server {
    my ($name, $options, %files) = @_;
    $h = Sniv::Httpd->new(name => $name,
        # of certificates that no system knows: t/lint_store.t
        conf => sub { "SNIVHostLintIgnore 0463\nInclude case.conf\n" },
        %$options);
    $h->write($_, $files{$_}) for sort keys %files;
    $h->write('ca/no.crt', "-----BEGIN CERTIFICATE-----\nAAAA\n");
    make_certs($h->dir . '/ca') if grep { /\$\{CERTS\}/ } map { @$_ } @cases;
    return $h;
}

sub check_cases {
    for my $case (@cases) {
        my ($title, @conf) = @$case;
        my ($status, $said, @got) = say_of(\@conf, $title =~ /a note/);
        my @want = expected(@conf);
        Test::More::is("@got, exit $status", "@want, exit 0", $title)
            or Test::More::diag($said);
    }
    return;
}

# What is found in a configuration: the status, the text, and "FILE:LINE CODE"
# for each finding.
sub say_of {
    my ($conf, $with_notes) = @_;
    my $text = join '', @$conf;
    $text =~ s/ #!.*//mg;
    $text =~ s/\$\{CERTS\}/$h->{dir}\/ca/g;
    $text =~ s/\$\{LIBEXEC\}/Sniv::Httpd::apxs('LIBEXECDIR')/ge;
    $h->write('case.conf', $text);
    my ($status, $said)
        = $h->check($with_notes ? ('-t', '-D', 'DUMP_SNIVHOST_LINT') : ());
    my @found = $said =~ /^SNIV(04\d\d: .*)$/mg;
    return ($status, $said,
            map { /^(\d+): \S*?(\w+)\.conf:(\d+): / ? "$2:$3 $1" : "? $_" }
                grep { !/^0490/ } @found);
}

# What has to be found: where the marks are. "#! site:1 0401" is for a line of
# an included file.
sub expected {
    my (@conf) = @_;
    my $line = 0;
    my @found;
    for (split /^/, join '', @conf) {
        $line++;
        push @found, ($1 // "case:$line") . " $2"
            if /#! (?:(\w+:\d+) )?(\d+)/;
    }
    return @found;
}

# The certificates that cases name: of a CA, or of their own key.
sub make_certs {
    my ($dir) = @_;
    Sniv::Certs::openssl('genpkey', '-algorithm', 'EC', '-pkeyopt',
        'ec_paramgen_curve:P-256', '-out', "$dir/key");
    Sniv::Certs::dated($dir, "$dir/key", $_, %{ $CERTS{$_} })
        for sort keys %CERTS;
    return;
}

1;
