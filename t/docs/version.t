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

# The version number is in one place, and the files that have to repeat it
# follow. Also: the manual can be rendered.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;

use Sniv::Docs qw(slurp version);
use Sniv::Httpd;

my $version = version();
like $version, qr/\A\d+\.\d+\.\d+\z/, "version $version";

sub first_is {
    my ($file, $regex) = @_;
    my ($found) = slurp($file) =~ $regex;
    is $found, $version, "$file says $version";
}
first_is('CHANGES', qr/^Changes with mod_snivhost (\S+)$/m);
first_is('debian/changelog', qr/\Amod-snivhost \(([^)-]+)(?:-[^)]*)?\)/);
first_is('packaging/rpm/mod_snivhost.spec', qr/^Version:\s*(\S+)$/m);
first_is('packaging/rpm/mod_snivhost.spec',
         qr/^%changelog\n\*[^\n]* - (\S+)-\d+$/m);

SKIP: {
    my $top = Sniv::Httpd::top();
    skip 'xsltproc is not installed', 1
        if system('xsltproc --version >/dev/null 2>&1') != 0;
    for my $style (map { m{([^/]+)\z} } glob "$top/docs/manual/style/*.xsl") {
        my $out = `xsltproc --novalid --nonet --stringparam version $version '$top/docs/manual/style/$style' '$top/docs/manual/mod/mod_snivhost.xml' 2>&1`;
        is $?, 0, "$style renders the manual" or diag $out;
        like $out, qr/SNIVHostUnknownSNI/, '... with its directives';
        like $out, qr/\Q$version\E/, '... and the version';
    }
}

done_testing;
