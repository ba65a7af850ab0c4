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


# Configurations in which nothing is found: what distributions, certbot and
# people write, and the examples that are shipped.


use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use Sniv::Httpd;
use Sniv::Lint qw(:DEFAULT certificate);

my $debian_plain = <<'END';
<VirtualHost *:80>
    ServerAdmin webmaster@localhost
    DocumentRoot htdocs
</VirtualHost>
END
my $debian_tls = <<'END';
<VirtualHost *:443>
    ServerAdmin webmaster@localhost
    DocumentRoot htdocs
    SSLEngine on
    SSLCertificateFile ${CERTS}/self.crt
    SSLCertificateKeyFile ${CERTS}/key
    <FilesMatch "\.(?:cgi|shtml|phtml|php)$">
        SSLOptions +StdEnvVars
    </FilesMatch>
</VirtualHost>
END

# A site as certbot leaves it: NAME.conf with a redirect, NAME-le-ssl.conf.
sub certbot {
    my ($name) = @_;
    return <<"END";
<VirtualHost *:80>
    ServerName $name.test
    ServerAlias www.$name.test
    DocumentRoot htdocs
    RewriteEngine on
    RewriteCond %{SERVER_NAME} =$name.test [OR]
    RewriteCond %{SERVER_NAME} =www.$name.test
    RewriteRule ^ https://%{SERVER_NAME}%{REQUEST_URI} [END,NE,R=permanent]
</VirtualHost>
<IfModule mod_ssl.c>
<VirtualHost *:443>
    ServerName $name.test
    ServerAlias www.$name.test
    DocumentRoot htdocs
    SSLEngine on
    SSLCertificateFile \${CERTS}/$name.crt
    SSLCertificateKeyFile \${CERTS}/key
</VirtualHost>
</IfModule>
END
}

my $everywhere = "Listen 80\n<IfModule ssl_module>\nListen 443\n</IfModule>\n";
passes 'Debian: the default site', $everywhere, $debian_plain;
passes 'Debian: the default sites', $everywhere, $debian_plain, $debian_tls;
passes 'Debian and certbot', $everywhere, $debian_plain, $debian_tls,
    certbot('blog'), certbot('shop');
passes 'certbot alone', $everywhere, certbot('shop'), certbot('blog');
passes 'certbot, and status pages for the machine itself', $everywhere,
    "Listen 127.0.0.1:8080\n", certbot('shop'), certbot('blog'),
    vhost('127.0.0.1:8080', '-'), vhost('127.0.0.1:80', 'localhost');
passes 'IPv4 and IPv6 by hand', $everywhere,
    map { vhost('192.0.2.1:80 [2001:db8::1]:80', $_) } 'a.test', 'b.test';
passes 'a site with an IP of its own', $everywhere,
    vhost('*:80', 'default.invalid'), vhost('*:80', 'a.test'),
    vhost('192.0.2.77:80', 'old.test www.old.test');
passes 'one virtual host for both ports', $everywhere,
    vhost('*:80', 'a.test'), vhost('*:80', 'b.test *.b.test');
passes 'a macro', $everywhere, <<'END';
LoadModule macro_module ${LIBEXEC}/mod_macro.so
<Macro Site $name>
    <VirtualHost *:80>
        ServerName $name.test
        ServerAlias www.$name.test
    </VirtualHost>
</Macro>
Use Site a
Use Site b
Use Site c
END
passes 'shared hosting with 5,000 virtual hosts', $everywhere,
    $debian_plain, $debian_tls,
    (map { vhost('*:80', "c$_.test www.c$_.test *.c$_.cdn.test") } 1 .. 2500),
    map { vhost('*:443', "h$_.w.test", 'SSLEngine on',
                'SSLCertificateFile ${CERTS}/wild.crt',
                'SSLCertificateKeyFile ${CERTS}/key') } 1 .. 2500;

# The shipped examples, with certificates that have the files' names.
for my $file (sort glob Sniv::Httpd::top() . '/conf/examples/*.conf') {
    open my $fh, '<', $file or die "$file: $!\n";
    my $text = do { local $/; <$fh> };
    my ($name) = $file =~ m{([^/]+)\.conf$};
    for my $cert ($text =~ m{"tls/(\S+)\.crt"}g) {
        certificate($cert, names => "$cert,*.$cert");
    }
    $text =~ s{"tls/(\S+)\.key"}{"\${CERTS}/key"}g;
    $text =~ s{"tls/}{"\${CERTS}/}g;
    $text =~ s{/srv/hosting}{\${CERTS}}g;
    passes "the example $name", $everywhere, $text;
}

plan tests => Sniv::Lint::cases(), sub {
    Sniv::Httpd::mode() eq 'off' ? skip_reason('the module is not loaded')
        : -e Sniv::Httpd::apxs('LIBEXECDIR') . '/mod_md.so' ? 1
        : skip_reason('no mod_md');
};

my $h = Sniv::Lint::server('lint-clean', { modules => ['watchdog', 'md', 'vhost_alias'] });
Sniv::Lint::check_cases();
$h->remove;
