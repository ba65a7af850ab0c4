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
package Sniv::Panels;

# A server of the shape that a panel writes (Sniv::PanelShapes), with as many
# sites as wanted, to be run without and with the module on the same ports
# and with the same files.
#
#   my $panel = Sniv::Panels->new('plesk', sites => 4);
#   my $stock = $panel->server('none');         # a Sniv::Httpd
#   my $ours = $panel->server('on', 'SNIVHostAdopt On');
#   $stock->start; Sniv::DiffAsk::ask($_) for $panel->questions; ...
#
# Certificates are of two intermediate authorities in turn, as those of a
# public CA; all files go with the object.

use strict;
use warnings;

use File::Path qw(make_path remove_tree);

use Sniv::Chain qw(dh_params slurp);
use Sniv::Httpd;
use Sniv::PanelShapes;

# Debian: libio-socket-ssl-perl
our $WHY_NOT;
BEGIN {
    eval {
        require IO::Socket::SSL::Utils;
        IO::Socket::SSL::Utils->import;
        1;
    } or $WHY_NOT = 'IO::Socket::SSL::Utils is missing';
}

my $HOST = 'host.test';
my $DAYS = 90;

# Why a row cannot be run here, or undef.
sub why_not {
    my ($name) = @_;
    my $row = Sniv::PanelShapes::shape($name);
    return $WHY_NOT if $WHY_NOT;
    return 'no ::1 here' if $row->{on} =~ /::1/ && !Sniv::Httpd::has_ipv6();
    return "no mod_$row->{needs} here" if $row->{needs}
        && !-e Sniv::Httpd::apxs('LIBEXECDIR') . "/mod_$row->{needs}.so";
    return;
}

# sites: how many (4); cas: certificates in the server's folder of
# authorities (4); port_list: ports to use
sub new {
    my ($class, $name, %arg) = @_;
    my $self = bless { sites => 4, cas => 4, %arg, name => $name,
                       row => Sniv::PanelShapes::shape($name) }, $class;
    my $dir = $self->{dir} = Sniv::Httpd::work() . "/panel-$name.$$";
    remove_tree($dir);
    make_path($dir);
    $self->{port_list} ||= [Sniv::Httpd::free_ports(4)];
    @$self{qw(http https)} = @{ $self->{port_list} };
    $self->_authorities;
    $self->{conf} = $self->_render;
    return $self;
}

sub row { return $_[0]{row}; }

sub DESTROY {
    my ($self) = @_;
    local ($@, $!, $?);
    IO::Socket::SSL::Utils::CERT_free($_->[0]) for @{ $self->{ca} || [] };
    remove_tree($self->{dir}) if $self->{dir} && !$ENV{SNIVHOST_KEEP};
    return;
}

# ----- files

sub _write {
    my ($self, $name, $text) = @_;
    my $file = "$self->{dir}/$name";
    my ($in) = $file =~ m{(.*)/};
    make_path($in) if !-d $in;
    open my $fh, '>', $file or die "$file: $!\n";
    print $fh $text;
    close $fh or die "$file: $!\n";
    # An ETag is weak while its file may still change.
    utime time - 100, time - 100, $file;
    return $file;
}

# A certificate and its key, as PEM and as what signs others.
sub _sign {
    my ($self, $cn, $by, %how) = @_;
    my $key = IO::Socket::SSL::Utils::KEY_create_ec();
    my ($cert) = IO::Socket::SSL::Utils::CERT_create(
        subject => { commonName => $cn }, key => $key, CA => $how{ca},
        not_after => time + $DAYS * 86400,
        $by ? (issuer_cert => $by->[0], issuer_key => $by->[1]) : (),
        $how{names} ? (subjectAltNames => [map { ['DNS', $_] }
                                           @{ $how{names} }]) : (),
        $how{ocsp} ? (ext => [{ sn => 'authorityInfoAccess',
                                data => "OCSP;URI:$how{ocsp}" }]) : ());
    return [$cert, $key, IO::Socket::SSL::Utils::PEM_cert2string($cert),
            IO::Socket::SSL::Utils::PEM_key2string($key)];
}

sub _authorities {
    my ($self) = @_;
    my $root = $self->_sign('panel root', undef, ca => 1);
    my @middle = map { $self->_sign("panel middle $_", $root, ca => 1) } 1, 2;
    $self->{ca} = [$root, @middle];
    for my $i (0, 1) {
        my $client = $self->_sign("client $i", $middle[$i]);
        $self->_write("client$i.crt", $client->[2]);
        $self->_write("client$i.key", $client->[3]);
    }
    return;
}

# The forms of a certificate that a row may ask for.
my %FORMS = (
    LEAF    => sub { $_[0]{leaf} },
    CHAIN   => sub { $_[0]{chain} },
    FULL    => sub { $_[0]{leaf} . $_[0]{chain} },
    KEY     => sub { $_[0]{key} },
    KEYLEAF => sub { $_[0]{key} . $_[0]{leaf} },
    ALL     => sub { $_[0]{key} . $_[0]{leaf} . $_[0]{chain} },
    FULLDH  => sub { $_[0]{leaf} . $_[0]{chain} . $_[1]->_dh_text },
    SELF    => sub { my $c = $_[1]->_sign($_[0]{name}, undef,
                                          names => [$_[0]{name}]);
                     $c->[2] . $c->[3] },
);

# The file of one of these forms, made when it is first asked for.
sub _file {
    my ($self, $site, $form) = @_;
    return $site->{files}{$form} ||= do {
        $self->_certificate($site) if !$site->{leaf} && $form ne 'SELF';
        $self->_write("ssl/$site->{name}/\L$form.pem",
                      $FORMS{$form}->($site, $self));
    };
}

sub _certificate {
    my ($self, $site) = @_;
    my $row = $self->{row};
    my $by = $self->{ca}[1 + $site->{number} % 2];
    my @names = ($site->{name}, map { "$_.$site->{name}" }
                 @{ $row->{san} || [] },
                 $row->{mail_san} && $site->{number} ? qw(webmail mail) : ());
    my $cert = $self->_sign($site->{name}, $by, names => \@names,
        ocsp => $site->{ocsp} && 'http://127.0.0.1:1/');
    @$site{qw(leaf key)} = @$cert[2, 3];
    $site->{chain} = $by->[2];
    IO::Socket::SSL::Utils::CERT_free($cert->[0]);
    IO::Socket::SSL::Utils::KEY_free($cert->[1]);
    return;
}

sub _dh_text { my ($self) = @_; return $self->{dh} ||= dh_params(); }

sub _dh { my ($self) = @_; return $self->_write('dh.pem', $self->_dh_text); }

# A folder such as /etc/ssl/certs
sub _ca_dir {
    my ($self) = @_;
    return $self->{ca_dir} ||= do {
        $self->_write("cas/$_.pem", $self->_sign("authority $_", undef,
                                                 ca => 1)->[2])
            for 1 .. $self->{cas} - 2;
        $self->_write("cas/middle$_.pem", $self->{ca}[$_][2]) for 1, 2;
        my $said = qx{openssl rehash $self->{dir}/cas 2>&1};
        die "openssl rehash: $said\n" if $?;
        "$self->{dir}/cas";
    };
}

# ----- text

sub _fill {
    my ($self, $text, $site) = @_;
    my %is = (NAME => $site->{name}, HOST => $HOST, TOP => "$self->{dir}/www",
              WWW => "$self->{dir}/www/$site->{name}", HTTP => $self->{http},
              HTTPS => $self->{https}, PORT1 => $self->{port_list}[2],
              PORT2 => $self->{port_list}[3]);
    $is{DHLINE} = $self->{row}{dh}
        ? "SSLOpenSSLConfCmd DHParameters {DH}\n" : '';
    $is{STAPLINGOFF} = $site->{ocsp} ? '' : "SSLUseStapling Off\n";
    $text =~ s/\{(DHLINE|STAPLINGOFF)\}/$is{$1}/g;
    $text =~ s/\{([A-Z0-9]+)\}/
        exists $is{$1} ? $is{$1} : $1 eq 'DH' ? $self->_dh
        : $1 eq 'CADIR' ? $self->_ca_dir : $self->_file($site, $1)/ge;
    return $text;
}

sub _vhost {
    my ($self, $on, $port, $lines) = @_;
    my $addresses = join ' ', map { "$_:$port" } split ' ', $on;
    $lines =~ s/^(?=.)/    /mg;
    return "<VirtualHost $addresses>\n$lines</VirtualHost>\n";
}

# A virtual host on the plain port and one with TLS.
sub _both {
    my ($self, $on, $names, $root, $plain, $tls) = @_;
    my $first = $plain eq 'redirect'
        ? "RewriteEngine on\nRewriteRule ^ https://%{SERVER_NAME}"
            . "%{REQUEST_URI} [END,NE,R=permanent]\n"
        : "DocumentRoot $root\n";
    return $self->_vhost($on, '{HTTP}', $names . $first)
        . $self->_vhost($on, '{HTTPS}',
            "${names}DocumentRoot $root\nSSLEngine on\n$tls");
}

# The whole configuration; each site in a file of its own.
sub _render {
    my ($self) = @_;
    my $row = $self->{row};
    my $is_ocsp = $row->{ocsp} || sub { 0 };
    my @sites = map { { number => $_, ocsp => $is_ocsp->($_),
        name => $_ ? sprintf('site%04d.test', $_) : $HOST } }
        0 .. $self->{sites};
    my $host = $self->{host} = shift @sites;
    $self->{list} = \@sites;

    my $conf = join '', map { "Listen $_:{HTTP}\nListen $_:{HTTPS}\n" }
        '127.0.0.1', @{ $row->{listen} || [] },
        Sniv::Httpd::has_ipv6() ? '[::1]' : ();
    $conf .= "ServerName {HOST}\n" . ($row->{server} || '');
    $conf .= $self->_both($row->{first_on} || $row->{on},
        $row->{first_names} // "ServerName {HOST}\n", '{TOP}/default',
        'content', $row->{first}) if defined $row->{first};
    $conf .= $row->{before} || '';
    $conf = $self->_fill($conf, $host);

    for my $site (@sites) {
        my $text = $self->_both($row->{on}, $row->{names}, '{WWW}',
            $row->{plain} || 'content', $row->{tls}) . ($row->{each} || '');
        $self->_write("sites/$site->{name}.conf",
                      $self->_fill($text, $site));
        $self->_write("mail/webmail.$site->{name}.conf",
                      $self->_fill($row->{mail}, $site))
            if $row->{mail} && $site->{number} % 6 == 1;
    }
    $conf .= "IncludeOptional $self->{dir}/mail/webmail.*.conf\n"
        . "IncludeOptional $self->{dir}/mail/*.conf\n" if $row->{mail};
    $conf .= "IncludeOptional $self->{dir}/sites/*.conf\n";
    $conf .= $self->_fill($row->{after} || '', $host);
    return $conf . $self->_common($conf);
}

# What every panel has in some way: logs, folders, .htaccess of customers.
sub _common {
    my ($self, $conf) = @_;
    my $all = join '', $conf, map { slurp($_) } glob "$self->{dir}/*/*.conf";
    for my $root (do { my %seen; grep { !$seen{$_}++ } "$self->{dir}/www/"
                       . 'default', $all =~ /DocumentRoot (\S+)/g }) {
        my ($name) = $root =~ m{([^/]+)\z};
        $self->_write("www/$name/index.html", "page of $name\n");
        $self->_write("www/$name/members/index.html", "members of $name\n");
        $self->_write("www/$name/members/.htaccess",
                      "SSLVerifyClient require\nSSLVerifyDepth 5\n"
                      . "SSLOptions +StdEnvVars\n");
    }
    return <<"END";
LogFormat "%v:%p %>s %{SSL_PROTOCOL}x %{SSL_CIPHER}x %{SSL_SESSION_RESUMED}x %{SSL_CLIENT_VERIFY}x %r" panel
CustomLog access.log panel
AddType text/html .html
SSLSessionCache shmcb:sessions(512000)
<Directory $self->{dir}/www>
    Options None
    AllowOverride All
    Require all granted
</Directory>
END
}

# ----- servers

# mode: none or on; more lines for it
sub server {
    my ($self, $mode, @with) = @_;
    return Sniv::Httpd->new(
        name => "panel-$self->{name}-$mode", mode => $mode, with => \@with,
        mpm => $self->{row}{mpm} || Sniv::Httpd::mpm(),
        loglevel => $self->{loglevel} || 'warn',
        ports => $self->{port_list},
        modules => ['macro', @{ $self->{row}{modules} || [] }],
        conf => $self->{conf});
}

# How many TLS virtual hosts can be lean, of how many, as expected of a row.
sub expected_lean {
    my ($self, $of) = @_;
    my ($kept, $lean) = map { ref $_ ? $_->($self->{sites}) : $_ }
        @{ $self->{row} }{qw(kept lean)};
    return $lean // $of - $kept;
}

# ----- questions (see Sniv::DiffAsk)

# Connections of every kind that a client can make: to the names of some
# sites, with versions, ciphers and groups, resumed, with HTTP/2, with client
# certificates, on every address and port.
sub questions {
    my ($self) = @_;
    my @sites = @{ $self->{list} };
    my ($a, $b, $last) = @sites[0, 1, -1];
    my @q;
    my %by = (addr => '127.0.0.1', port => $self->{https});
    my $get = sub { my ($host, $path) = @_;
        [join "\r\n", 'GET ' . ($path || '/') . " HTTP/1.1",
         defined $host ? "Host: $host" : (), 'Connection: close', '', ''] };
    my $tls = sub {
        my ($id, $sni, $how, %more) = @_;
        push @q, { id => $id, kind => 'http', %by, requests =>
            $get->($more{host} // $sni, $more{path}),
            tls => { defined $sni ? (sni => $sni) : (), %{ $how || {} } },
            %more };
    };
    my $plain = sub {
        my ($host, %more) = @_;
        push @q, { id => "plain $host", kind => 'http', %by,
            port => $self->{http}, requests => $get->($host), %more };
    };

    for my $site ($a, $last) {
        for my $label ('', qw(www. mail. webmail. ipv4. SSL. testing.)) {
            $tls->("name $label$site->{name}", "$label$site->{name}");
        }
        $plain->($_) for $site->{name}, "www.$site->{name}";
        my $sni = $site->{name};
        $tls->("TLS $_ $sni", $sni, { min => $_, max => $_ })
            for qw(1.0 1.1 1.2 1.3);
        $tls->("cipher $_ $sni", $sni, { max => '1.2', ciphers =>
            "$_:\@SECLEVEL=0" }) for qw(ECDHE-ECDSA-AES128-GCM-SHA256
            ECDHE-ECDSA-AES256-GCM-SHA384 ECDHE-ECDSA-CHACHA20-POLY1305
            ECDHE-ECDSA-AES128-SHA256 ECDHE-ECDSA-AES256-SHA aRSA
            AES128-SHA:ECDHE-ECDSA-AES256-GCM-SHA384);
        $tls->("groups $_ $sni", $sni, { groups => $_ })
            for qw(P-256 P-521:P-384 P-384:X25519);
        for my $v ('1.2', '1.3') {
            for my $tickets (1, 0) {
                my $how = { min => $v, max => $v, tickets => $tickets };
                for my $next ($sni, $b->{name}, "www.$sni", 'no.such.test') {
                    $tls->("session $v $tickets $sni, then $next", $sni, $how,
                        again => { %by, requests => $get->($next),
                                   tls => { %$how, sni => $next } });
                }
            }
            $tls->("staple $v $sni", $sni, { max => $v, ocsp => 1 });
        }
    }
    for my $site ($a, $b) {
        for my $v ('1.2', '1.3') {
            $tls->("client $_ of $site->{name}, TLS $v", $site->{name},
                { max => $v, $_ < 2 ? (cert_files =>
                    ["$self->{dir}/client$_.crt", "$self->{dir}/client$_.key"
                    ]) : (pha => 1) }, path => '/members/') for 0 .. 2;
        }
    }

    # Names that belong to others, or to no site
    $tls->("SNI $a->{name}, Host $_", $a->{name}, {}, host => $_)
        for $b->{name}, $last->{name}, $HOST, 'no.such.test', "www.$a->{name}";
    $tls->("SNI $_", $_) for 'no.such.test', $HOST, uc $a->{name},
        "$a->{name}.", 'lists.any.test', 'cpanel.any.test',
        'shared.domain', "$a->{name}.testing.$HOST";
    $tls->("no SNI, Host $_", undef, {}, host => $_) for $a->{name},
        'no.such.test', $HOST;
    $tls->("no SNI, TLS $_", undef, { min => $_, max => $_ },
        host => $last->{name}) for qw(1.1 1.2 1.3);
    $tls->("ALPN $_", $b->{name}, { alpn => [$_] })
        for qw(http/1.1 acme-tls/1 spdy/3);
    $plain->($_) for 'no.such.test', $HOST, "webmail.$a->{name}", '';

    # HTTP/2, also with names of others on the same connection
    for my $site ($a, $b, $last) {
        push @q, { id => "h2 $site->{name}", kind => 'h2', %by,
            tls => { sni => $site->{name}, alpn => ['h2', 'http/1.1'] },
            streams => [map { { fields => [':method' => 'GET', ':scheme' =>
                'https', ':authority' => $_, ':path' => '/'] } }
                $site->{name}, "www.$site->{name}", $b->{name}, $HOST,
                'no.such.test'] };
    }

    # Other addresses and ports
    for my $addr (Sniv::Httpd::has_ipv6() ? '::1' : (),
                  @{ $self->{row}{listen} || [] }) {
        $tls->("$addr $_", $_, {}, addr => $addr)
            for $a->{name}, $last->{name}, $HOST, 'no.such.test';
        $tls->("$addr no SNI", undef, {}, addr => $addr,
               host => $b->{name});
        $plain->($_, addr => $addr, id => "$addr plain $_")
            for $a->{name}, 'no.such.test';
    }
    for my $port (@{ $self->{port_list} }[2 .. 1 + ($self->{row}{ports}
                                                    || 0)]) {
        $tls->("another port, $_", $_, {}, port => $port)
            for $HOST, $a->{name};
    }
    return @q;
}

1;
