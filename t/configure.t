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

# What configure.apxs refuses to build for: look-alikes of OpenSSL, made of
# headers that say no more than their name, and other httpds.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path remove_tree);
use Test::More;

use Sniv::Chain qw(spew);
use Sniv::Httpd;

plan skip_all => 'pkg-config is not installed'
    if system('pkg-config --version >/dev/null 2>&1') != 0;
my $top = Sniv::Httpd::top();
my $work = Sniv::Httpd::work() . "/configure.$$";
END {
    my $status = $?;
    remove_tree($work) if $work;
    $? = $status;
}
make_path("$work/include/openssl", "$work/build");

sub configure {
    my ($env, @args) = @_;
    local %ENV = (%ENV, %$env);
    my $said = qx{cd '$work/build' && '$top/configure.apxs' @args 2>&1};
    return ($?, $said);
}

# Found before the system's own headers
spew("$work/openssl.pc", "Name: openssl\nDescription: false\nVersion: 3\n"
     . "Cflags: -I$work/include\n");
my %fake = (PKG_CONFIG_PATH => $work);
for my $other (
    ['LibreSSL', 'LIBRESSL_VERSION_NUMBER 0x4000000fL'],
    ['AWS-LC', "OPENSSL_IS_AWSLC\n#define OPENSSL_IS_BORINGSSL"],
    ['BoringSSL', 'OPENSSL_IS_BORINGSSL'],
    ['an OpenSSL before 1.1.1', 'NOTHING_ELSE', '0x1010008fL'],
) {
    my ($name, $define, $number) = @$other;
    spew("$work/include/openssl/ssl.h", "#define $define\n#define "
         . 'OPENSSL_VERSION_NUMBER ' . ($number || '0x1010107fL') . "\n");
    my ($status, $said) = configure(\%fake);
    isnt($status, 0, "$name: an error");
    like($said, qr/^configure\.apxs: <openssl\/ssl\.h> is of \Q$name\E\. The module needs OpenSSL 1\.1\.1 or later, the one that mod_ssl uses\.$/m,
         '... which says what to use');
    ok(!-e "$work/build/Makefile", '... and no Makefile');
}

# An apxs that says another version than it has
my $apxs = $ENV{APXS} || 'apxs';
sub apxs_of {
    my ($version) = @_;
    spew("$work/apxs", "#!/bin/sh\ntest \"\$*\" = '-q HTTPD_VERSION' && "
         . "{ echo $version; exit; }\nexec $apxs \"\$@\"\n");
    chmod 0755, "$work/apxs";
    return configure({}, "--with-apxs=$work/apxs");
}
my ($status, $said) = apxs_of('2.6.0');
isnt($status, 0, 'httpd 2.6: an error');
like($said, qr/belongs to httpd 2\.6\.0; the module is for httpd 2\.4\.$/m,
     '... which says why');
($status, $said) = apxs_of('2.5.1');
is($status, 0, 'the development branch: no error');
like($said, qr/httpd 2\.5\.1 is a development branch; see docs\/systems\.md/,
     '... but a sentence');
($status, $said) = apxs_of('2.4.71');
is($status, 0, 'httpd 2.4');
unlike($said, qr/development/, '... without it');

done_testing();
