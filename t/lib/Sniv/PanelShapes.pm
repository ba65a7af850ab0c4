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
package Sniv::PanelShapes;

# What hosting panels, and tools that write httpd's configuration, have in
# common with nobody else: the shape of their TLS lines, names and addresses.
# One row for each; facts, in our own words. Sniv::Panels makes a server of it.
#
#   name      of the row; title, what it is
#   on        addresses of a site, without port
#   names     ServerName and ServerAlias of a site
#   tls       its TLS lines beside SSLEngine
#   plain     what its virtual host on the plain port does: content, redirect
#   server    lines of the main server
#   first     a virtual host that comes before all sites: its TLS lines;
#             first_on, first_names
#   before, each, after
#             text before the sites, after each of them, after all of them
#   mail      text of a file for every sixth site, read twice
#   san       labels in front of the name that the certificate has too
#   ocsp      which certificates name an OCSP responder (their number; 0 is
#             that of the first virtual host)
#   like      another row, of which this one is a variant
#   modules, mpm, needs
#
# What is expected of the module:
#   kept      how many TLS virtual hosts keep a TLS context of their own, or
#   lean      how many do not
# and no warning of SNIVHostLint.
#
# In text {NAME} is the site, {HOST} the server, {HTTP} {HTTPS} {PORT1}
# {PORT2} ports, and of the certificate of {NAME}: {LEAF} {CHAIN} {FULL} (leaf
# and chain) {KEY} {KEYLEAF} {ALL} (key, leaf, chain) {FULLDH} (with DH
# PARAMETERS). {DH} and {CADIR} are of the server.

use strict;
use warnings;

# Lists as such tools have them, shortened
my $GCM = 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:'
    . 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384';
my $POLY = "$GCM:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
my $OLD = "$POLY:ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA:AES128-SHA";

my $NAME = "ServerName {NAME}\n";
my $WWW = "${NAME}ServerAlias www.{NAME}\n";
my $FULL = "SSLCertificateFile {FULL}\nSSLCertificateKeyFile {KEY}\n";
my $LEAF = "SSLCertificateFile {LEAF}\nSSLCertificateKeyFile {KEY}\n";
my $CHAINED = "${LEAF}SSLCertificateChainFile {CHAIN}\n";
my $CA = "SSLCACertificateFile {CHAIN}\n";
my $STAPLING_CACHE = "SSLStaplingCache shmcb:stapling(150000)\n";

# Debian's mods-available/ssl.conf
my $DEBIAN = "SSLProtocol all -SSLv3\nSSLCipherSuite HIGH:!aNULL\n"
    . "SSLSessionTickets off\n";

our @SHAPES = (
    # ----- panels
    {
        name => 'hestia', title => 'Hestia, php-fpm', on => '127.0.0.1',
        names => $WWW, tls => "SSLVerifyClient none\n$CHAINED",
        server => "SSLProtocol -all +TLSv1.2 +TLSv1.3\n"
            . "SSLCipherSuite $POLY\nSSLHonorCipherOrder on\n",
        first => "SSLVerifyClient none\n$FULL", san => ['www'],
        # The mail domain's file is found by two patterns
        mail => <<"END", mail_san => 1,
<VirtualHost 127.0.0.1:{HTTPS}>
    ServerName webmail.{NAME}
    ServerAlias mail.{NAME}
    DocumentRoot {WWW}-mail
    SSLEngine on
    SSLVerifyClient none
    $CHAINED</VirtualHost>
END
        kept => 1,
    },
    {
        name => 'hestia-itk', title => 'Hestia, mod_php (prefork)',
        like => 'hestia', mpm => 'prefork',
    },
    {
        name => 'vesta', title => 'Vesta, mod_php (prefork)',
        like => 'hestia', mpm => 'prefork', first => undef, mail => undef,
        server => "SSLProtocol all -SSLv2 -SSLv3 -TLSv1\n"
            . "SSLHonorCipherOrder On\nSSLCipherSuite $OLD\n",
        kept => 1,
    },
    {
        name => 'cpanel', title => 'cPanel, all from one public CA',
        on => '127.0.0.1',
        names => "${NAME}ServerAlias www.{NAME} mail.{NAME}\n"
            . 'ServerAlias ' . join(' ', map { "$_.{NAME}" }
                qw(cpanel webmail webdisk autodiscover)) . "\n",
        san => [qw(www mail cpanel webmail webdisk autodiscover)],
        # "off" is written where the certificate names no responder
        tls => "SSLCertificateFile {ALL}\n{STAPLINGOFF}",
        server => "SSLProtocol TLSv1.2 TLSv1.3\nSSLCipherSuite $POLY\n"
            . "SSLHonorCipherOrder on\nSSLUseStapling On\n"
            . "SSLStaplingReturnResponderErrors off\n$STAPLING_CACHE",
        first => "SSLCertificateFile {ALL}\n{STAPLINGOFF}",
        # Service names of all domains
        after => <<'END',
<VirtualHost 127.0.0.1:{HTTP} *:{HTTP}>
    ServerName {HOST}
    ServerAlias cpanel.* whm.* webmail.* webdisk.* autodiscover.*
    DocumentRoot {TOP}/services
</VirtualHost>
<VirtualHost 127.0.0.1:{HTTPS} *:{HTTPS}>
    ServerName {HOST}
    ServerAlias cpanel.* whm.* webmail.* webdisk.* autodiscover.*
    DocumentRoot {TOP}/services
    SSLEngine on
    SSLCertificateFile {ALL}
    {STAPLINGOFF}</VirtualHost>
END
        listen => ['127.0.0.2'],
        kept => 2,
    },
    {
        name => 'cpanel-tenth', title => 'cPanel, one in ten from a CA '
            . 'with OCSP', like => 'cpanel', ocsp => sub { $_[0] % 10 == 3 },
        kept => sub { 2 + int(($_[0] + 7) / 10) },
    },
    {
        name => 'cpanel-half', title => 'cPanel, OCSP first, half and half',
        like => 'cpanel', ocsp => sub { $_[0] % 2 == 0 },
        kept => sub { 2 + int($_[0] / 2) },
    },
    {
        name => 'plesk', title => 'Plesk', on => '127.0.0.1',
        names => "ServerName {NAME}:{HTTPS}\nServerAlias www.{NAME}\n"
            . "ServerAlias ipv4.{NAME}\nServerAlias ipv6.{NAME}\n",
        # A file for key and certificate, another one for what signed it
        tls => "SSLVerifyClient none\nSSLCertificateFile {KEYLEAF}\n$CA",
        san => [qw(www webmail)],
        server => "SSLProtocol +TLSv1.2 +TLSv1.3\nSSLCipherSuite $POLY\n"
            . "SSLHonorCipherOrder on\n",
        first => "SSLVerifyClient none\nSSLCertificateFile {KEYLEAF}\n",
        first_names => "ServerName default.invalid\n",
        before => <<'END',
<VirtualHost 127.0.0.1:{HTTPS}>
    ServerName lists
    ServerAlias lists.*
    DocumentRoot {TOP}/lists
    SSLEngine on
    SSLVerifyClient none
    SSLCertificateFile {KEYLEAF}
</VirtualHost>
END
        each => <<"END",
<VirtualHost 127.0.0.1:{HTTPS}>
    ServerName webmail.{NAME}
    DocumentRoot {WWW}-mail
    SSLEngine on
    SSLVerifyClient none
    SSLCertificateFile {KEYLEAF}
    $CA</VirtualHost>
END
        kept => 3,
    },
    {
        name => 'plesk-template', title => 'Plesk, a customised template',
        like => 'plesk',
        tls => "SSLProtocol -all +TLSv1.2 +TLSv1.3\nSSLCipherSuite $GCM\n"
            . "SSLHonorCipherOrder on\nSSLSessionCacheTimeout 600\n"
            . "SSLVerifyClient none\nSSLCertificateFile {KEYLEAF}\n$CA",
        kept => 5,
    },
    {
        name => 'directadmin', title => 'DirectAdmin, combined file',
        on => '127.0.0.1',
        names => "ServerName www.{NAME}\nServerAlias www.{NAME} {NAME}\n",
        tls => $FULL, san => ['www'], plain => 'content',
        server => "SSLProtocol -all +TLSv1.2 +TLSv1.3\nSSLCipherSuite $GCM\n"
            . "SSLHonorCipherOrder off\nSSLSessionTickets off\n",
        first => $FULL, first_names => "ServerName shared.domain\n",
        kept => 1,
    },
    {
        name => 'directadmin-ca', title => 'DirectAdmin, certificate + CAROOT',
        like => 'directadmin', tls => $LEAF . $CA, first => $LEAF,
        kept => 3,
    },
    {
        name => 'ispconfig', title => 'ISPConfig, a public CA', on => '*',
        names => $WWW, san => ['www'],
        tls => "SSLProtocol All -SSLv2 -SSLv3 -TLSv1 -TLSv1.1\n"
            . "SSLCipherSuite $POLY\nSSLHonorCipherOrder on\n"
            . "${FULL}SSLUseStapling on\nSSLStaplingResponderTimeout 5\n"
            . "SSLStaplingReturnResponderErrors off\n",
        server => $DEBIAN . $STAPLING_CACHE, ports => 2,
        # The panel's own ports
        before => join('', map { <<"END" } 1, 2),
Listen 127.0.0.1:{PORT$_}
<VirtualHost *:{PORT$_}>
    ServerName {HOST}
    DocumentRoot {TOP}/panel$_
    SSLEngine on
    SSLProtocol All -SSLv3 -TLSv1 -TLSv1.1
    SSLHonorCipherOrder on
    $FULL    SSLUseStapling on
</VirtualHost>
END
        kept => 3,
    },
    {
        name => 'ispconfig-ocsp', title => 'ISPConfig, a CA with OCSP',
        like => 'ispconfig', ocsp => sub { 1 }, lean => 0,
    },
    {
        name => 'virtualmin', title => 'Virtualmin, combined file (v4, v6)',
        on => '127.0.0.1 [::1]',
        names => "${NAME}ServerAlias www.{NAME} mail.{NAME} webmail.{NAME} "
            . "admin.{NAME}\n", san => [qw(www mail webmail admin)],
        tls => "${FULL}SSLProtocol all -SSLv2 -SSLv3 -TLSv1 -TLSv1.1\n",
        server => $DEBIAN, first => $FULL
            . "SSLProtocol all -SSLv2 -SSLv3 -TLSv1 -TLSv1.1\n",
        kept => 1,
    },
    {
        name => 'virtualmin-ca', title => 'Virtualmin, certificate + CA file',
        like => 'virtualmin',
        tls => "$LEAF${CA}SSLProtocol all -SSLv2 -SSLv3 -TLSv1 -TLSv1.1\n",
        kept => 3,
    },
    {
        name => 'froxlor', title => 'Froxlor (v4, v6)',
        on => '127.0.0.1 [::1]', names => $WWW, san => ['www'],
        tls => "SSLProtocol -ALL +TLSv1.2 +TLSv1.3\nSSLCompression Off\n"
            . "SSLSessionTickets on\nSSLHonorCipherOrder off\n"
            . "SSLCipherSuite $POLY\nSSLVerifyDepth 10\n$CHAINED",
        server => $DEBIAN . $STAPLING_CACHE,
        # One for each address and port
        before => join('', map { <<"END" } '127.0.0.1', '[::1]'),
<VirtualHost $_:{HTTPS}>
    ServerName {HOST}
    DocumentRoot {TOP}/froxlor
    SSLEngine On
    SSLProtocol -ALL +TLSv1.2 +TLSv1.3
    SSLCompression Off
    SSLSessionTickets on
    SSLHonorCipherOrder off
    SSLCipherSuite $POLY
    SSLVerifyDepth 10
    {DHLINE}$CHAINED</VirtualHost>
END
        kept => 2,
    },
    {
        name => 'froxlor-stapling', title => 'Froxlor, stapling ticked',
        like => 'froxlor', add_tls => "SSLUseStapling on\n", kept => 2,
    },
    {
        name => 'froxlor-dh', title => 'Froxlor, dhparams, CA file, stapling',
        like => 'froxlor', dh => 1, add_tls => "SSLUseStapling on\n"
            . "SSLOpenSSLConfCmd DHParameters {DH}\n$CA", kept => 4,
    },
    {
        name => 'aapanel', title => 'aaPanel / BT', on => '*',
        names => "ServerName SSL.{NAME}\nServerAlias {NAME} www.{NAME}\n",
        san => ['www'], server => $DEBIAN,
        tls => "${FULL}SSLCipherSuite $OLD\n"
            . "SSLProtocol All -SSLv2 -SSLv3 -TLSv1 -TLSv1.1\n"
            . "SSLHonorCipherOrder On\n",
        first => "${FULL}SSLCipherSuite $OLD\n"
            . "SSLProtocol All -SSLv2 -SSLv3 -TLSv1 -TLSv1.1\n"
            . "SSLHonorCipherOrder On\n",
        kept => 1,
    },
    {
        name => 'sentora', title => 'Sentora (sencrypt)', on => '*',
        names => $WWW, san => ['www'], server => $DEBIAN,
        tls => "SSLProtocol ALL -SSLv2 -SSLv3\nSSLHonorCipherOrder On\n"
            . "SSLCipherSuite $OLD\n$LEAF$CA",
        first => "SSLProtocol ALL -SSLv2 -SSLv3\nSSLHonorCipherOrder On\n"
            . "SSLCipherSuite $OLD\n$LEAF$CA",
        kept => 2,
    },
    {
        name => 'imscp', title => 'i-MSCP', on => '127.0.0.1', names => $WWW,
        san => ['www'], server => $DEBIAN, plain => 'redirect',
        tls => "SSLCertificateFile {ALL}\nSSLCertificateChainFile {ALL}\n",
        kept => 1,
    },
    {
        name => 'keyhelp', title => 'KeyHelp', on => '127.0.0.1',
        names => $WWW, san => ['www'], server => $DEBIAN, plain => 'redirect',
        tls => "SSLCertificateFile {ALL}\n", kept => 1,
    },
    {
        name => 'symbiosis', title => 'Symbiosis (v4, v6, ServerAlias *)',
        on => '127.0.0.1 [::1]', san => ['www'], plain => 'content',
        names => "${WWW}ServerAlias {NAME}.testing.{HOST}\n",
        tls => "SSLCertificateFile {ALL}\n",
        server => "SSLProtocol all -SSLv2 -SSLv3\nSSLCipherSuite $OLD\n"
            . "SSLHonorCipherOrder on\n"
            . "SSLOpenSSLConfCmd DHParameters {DH}\n",
        after => <<'END',
<VirtualHost 127.0.0.1:{HTTP} [::1]:{HTTP}>
    ServerName {HOST}
    ServerAlias *
    VirtualDocumentRoot {TOP}/%0
</VirtualHost>
<VirtualHost 127.0.0.1:{HTTPS} [::1]:{HTTPS}>
    ServerName {HOST}
    ServerAlias *
    VirtualDocumentRoot {TOP}/%0
    SSLEngine On
    SSLCertificateFile {ALL}
</VirtualHost>
END
        modules => ['vhost_alias'],
        kept => 1,
    },
    {
        name => 'aegir', title => 'Aegir', on => '*', names => $WWW,
        san => ['www'], plain => 'redirect', tls => $CHAINED,
        server => "SSLProtocol All -SSLv2 -SSLv3\nSSLHonorCipherOrder on\n"
            . "SSLCipherSuite $OLD\n", first => $FULL,
        kept => 1,
    },

    # ----- tools
    {
        name => 'certbot', title => 'certbot --apache', on => '*',
        names => $WWW, san => ['www'], plain => 'redirect', server => $DEBIAN,
        tls => $FULL . <<"END",
SSLProtocol all -SSLv2 -SSLv3 -TLSv1 -TLSv1.1
SSLCipherSuite $POLY
SSLHonorCipherOrder off
SSLSessionTickets off
SSLOptions +StrictRequire
END
        kept => 1,
    },
    {
        name => 'certbot-default', title => "certbot, Debian's default-ssl "
            . 'enabled', like => 'certbot',
        # Debian's example: no name, a certificate that signed itself
        first => "SSLCertificateFile {SELF}\nSSLCertificateKeyFile {SELF}\n",
        first_names => '', kept => 2,
    },
    {
        name => 'default-ssl', title => 'default-ssl.conf copied for each',
        on => '*', names => $WWW, san => ['www'], plain => 'content',
        server => $DEBIAN, tls => $FULL . <<'END',
<FilesMatch "\.(?:cgi|shtml|phtml|php)$">
    SSLOptions +StdEnvVars
</FilesMatch>
END
        first => "SSLCertificateFile {SELF}\nSSLCertificateKeyFile {SELF}\n",
        first_names => '', kept => 1,
    },
    {
        name => 'mozilla', title => 'Mozilla generator', on => '*',
        names => $WWW, san => ['www'], plain => 'redirect', tls => $FULL
            . "Protocols h2 http/1.1\n",
        server => <<"END" . $STAPLING_CACHE,
SSLProtocol -all +TLSv1.2 +TLSv1.3
SSLCipherSuite $POLY
SSLHonorCipherOrder off
SSLSessionTickets off
SSLUseStapling On
END
        kept => 1,
    },
    {
        name => 'mozilla-dh', title => 'Mozilla generator <= 5.7, DH in the '
            . 'file', like => 'mozilla',
        tls => "SSLCertificateFile {FULLDH}\nSSLCertificateKeyFile {KEY}\n",
        kept => 1,
    },
    {
        name => 'puppet', title => 'puppetlabs-apache', on => '*',
        names => $WWW, san => ['www'], plain => 'content', tls => $CHAINED,
        server => "SSLProtocol all -SSLv2 -SSLv3 -TLSv1 -TLSv1.1\n"
            . "SSLCipherSuite HIGH:MEDIUM:!aNULL:!MD5:!RC4:!3DES\n"
            . "SSLHonorCipherOrder On\nSSLCompression Off\n"
            . "SSLSessionTickets On\nSSLUseStapling Off\n"
            . "SSLOptions StdEnvVars\nSSLSessionCacheTimeout 300\n",
        kept => 1,
    },
    {
        name => 'puppet-path', title => 'puppetlabs-apache <= 2.0, Debian',
        like => 'puppet', add_tls => "SSLCACertificatePath {CADIR}\n",
    },
    {
        name => 'puppet-leaf', title => 'the same without ssl_chain',
        like => 'puppet', tls => "${LEAF}SSLCACertificatePath {CADIR}\n",
        kept => 1,
    },
    {
        name => 'geerlingguy', title => 'geerlingguy.apache', on => '*',
        names => $WWW, san => ['www'], plain => 'content', server => $DEBIAN,
        tls => "SSLCipherSuite AES256+EECDH:AES256+EDH\n"
            . "SSLProtocol All -SSLv2 -SSLv3\nSSLHonorCipherOrder On\n"
            . $CHAINED,
        kept => 1,
    },
    {
        name => 'md', title => 'mod_md, MDCertificateFile', on => '*',
        names => $WWW, san => ['www'], plain => 'content',
        server => "$DEBIAN", each => <<'END',
<MDomain {NAME} www.{NAME}>
    MDCertificateFile {FULL}
    MDCertificateKeyFile {KEY}
    MDRenewMode manual
</MDomain>
END
        tls => '', modules => [qw(watchdog md)], needs => 'md',
        kept => 1,
    },
);

my %by_name = map { $_->{name} => $_ } @SHAPES;

# A row by name, with what it has from the one that it is like.
sub shape {
    my ($name) = @_;
    my $row = $by_name{$name} or die "no panel '$name'\n";
    return $row if !$row->{like};
    my %all = (%{ shape($row->{like}) }, %$row);
    $all{tls} .= $row->{add_tls} if $row->{add_tls};
    return \%all;
}

sub names { return map { $_->{name} } @SHAPES; }

1;
