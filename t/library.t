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


# Two OpenSSLs in one process: mod_ssl uses another one than the module was
# built for (t/modules/mod_otherssl.c says so). An error names both, handshakes
# are mod_ssl's alone, and requests are chosen all the same.
# Environment: SNIVHOST_TWO_OPENSSLS, if the mod_ssl of this httpd really uses
# another one.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy qw(copy);
use File::Path qw(make_path remove_tree);
use Test::More;

use Sniv::Chain qw(make_cert);
use Sniv::Client;
use Sniv::Httpd;

plan skip_all => 'without the module there is nothing to see'
    if Sniv::Httpd::mode() ne 'on';

my $two = $ENV{SNIVHOST_TWO_OPENSSLS};
my $work = Sniv::Httpd::work() . "/library-work.$$";
END {
    my $status = $?;
    remove_tree($work) if $work;
    $? = $status;
}
make_path("$work/folder");
copy("$FindBin::Bin/modules/mod_otherssl.c", $work) or die "copy: $!\n";
my $said = do {
    my $apxs = $ENV{APXS} || 'apxs';
    qx{cd $work && $apxs -c mod_otherssl.c 2>&1};
};
die "apxs: $said" if !-e "$work/.libs/mod_otherssl.so";
make_cert($work, $_) for qw(v0 v1 v2);

sub server {
    my ($other, @lines) = @_;
    return Sniv::Httpd->new(name => 'library', conf => sub {
        my ($port) = @_;
        return join '', $other && !$two
                ? "LoadModule otherssl_module $work/.libs/mod_otherssl.so\n"
                : (),
            "Listen 127.0.0.1:$port\nSNIVHostAdopt On\n",
            Sniv::Httpd::sni_policy_conf('insecure'),
            map({ "$_\n" } @lines),
            map { <<"END" } qw(v0 v1 v2);
<VirtualHost *:$port>
ServerName $_.test
SSLEngine on
SSLCertificateFile $work/$_.crt
SSLCertificateKeyFile $work/$_.key
Header always set X-Vhost $_
</VirtualHost>
END
    });
}

sub log_of { return $_[0]->read('error.log'); }

my $their = $two ? qr{OpenSSL/[\d.]+} : qr{OtherSSL/9\.9\.9};
my $error = qr{SNIV0240: mod_ssl uses $their[^,]*,}
    . qr{ but mod_snivhost was built for \w+/[\d.]+};
for my $other ($two ? 1 : (1, 0)) {
    my $what = $other ? 'another OpenSSL' : 'one OpenSSL';
    my $h = server($other, "SNIVHostCertificates $work/folder");
    my ($status, $out) = $h->check;
    is($status, 0, "$what: httpd -t");
    is($out =~ $error ? 1 : 0, $other, '... reports it');
    $h->start;
    is(log_of($h) =~ $error ? 1 : 0, $other, '... and so does the error log');
    my $lean = $other ? 0 : 2;
    like(log_of($h), qr/SNIV0202: .*\b$lean of 3 /, "... $lean are lean");
    for my $label (qw(v0 v1 v2 unknown)) {
        my $c = Sniv::Client->new(addr => '127.0.0.1', port => $h->ports,
                                  tls => { sni => "$label.test" });
        my $vhost = $label eq 'unknown' ? 'v0' : $label;
        is($c->error || $c->cert, $vhost, "... $label gets its certificate");
        my $r = $c->get("$label.test");
        is($r->{headers}{'x-vhost'}, $vhost, '... and its virtual host');
    }
    $h->stop;
    is(scalar(Sniv::Httpd::bad_lines($h->error_log)), 0, '... without harm');
    $h->remove;

    # What only a handshake can do stops the start.
    $h = server($other, 'SNIVHostUnknownSNI refuse');
    ($status, $out) = $h->check;
    is($status, $other, "$what: SNIVHostUnknownSNI refuse");
    is($out =~ /SNIV0241/ ? 1 : 0, $other, '... and why');
    $h->remove;
}

# ----- when it is built

for my $case (['LIBRESSL_VERSION_NUMBER 0x4000000fL', 'LibreSSL'],
              ['OPENSSL_IS_AWSLC', 'AWS-LC'],
              ['OPENSSL_IS_BORINGSSL', 'BoringSSL'],
              ['OPENSSL_VERSION_NUMBER 0x1000215fL',
               'an OpenSSL before 1.1.1']) {
    my ($define, $what) = @$case;
    make_path("$work/include/openssl", "$work/build");
    open my $out, '>', "$work/include/openssl/ssl.h" or die "ssl.h: $!\n";
    print $out "#define $define\n";
    close $out;
    my $apxs = $ENV{APXS} ? "--with-apxs='$ENV{APXS}'" : '';
    my $top = Sniv::Httpd::top();
    my $text = `cd $work/build && $top/configure.apxs $apxs CC='cc -I$work/include' 2>&1`;
    isnt($?, 0, "configure.apxs refuses $what");
    like($text, qr/is of \Q$what\E\. The module needs OpenSSL 1\.1\.1/,
         '... in a sentence');
}

done_testing;
