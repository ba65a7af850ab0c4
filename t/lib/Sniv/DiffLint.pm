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


package Sniv::DiffLint;

# Random configurations with known faults, for t/differential/lint.pl: each
# finding of the module once present and once nearly so, and beside them what
# chance adds. As data, so that a judge (Sniv::LintJudge) knows what is
# written; everything comes from rand().
#
# A configuration: { ports, listen => [[ip, port, protocol]], main => [lines],
# adopt, vhosts => [ { id, addrs, name, aliases, engine, certs, lines, file,
# twice } ], folder => [certificates], planted => { CODE => 'present' } }

use strict;
use warnings;

use File::Path qw(make_path remove_tree);
use POSIX ();

use Sniv::Certs;
use Sniv::Chain qw(slurp spew);
use Sniv::DiffConfig;

BEGIN {
    *chance = \&Sniv::DiffConfig::chance;
    *pick = \&Sniv::DiffConfig::pick;
}

our @IPS = ('127.0.0.1', '127.0.0.2', '127.0.0.3');
our @PORTS = qw(h1 h2 h3 s1 s2 s3 none);
my $SITES = 6;

# ----- certificates -----

# Each site has one of each kind, sN-KIND: names (% is the number of the
# site), days, what follows the leaf.
my %KINDS = (
    ok       => {},
    nochain  => { chain => [] },
    aia      => { chain => [], add => 'authorityInfoAccess = '
                  . 'caIssuers;URI:http://ca.test/' },
    root     => { chain => ['middle', 'ca'] },
    disorder => { chain => ['ca', 'middle'] },
    expired  => { from => -91, to => -1 },
    notyet   => { from => 2, to => 92 },
    soon     => { from => -80, to => 10 },
    intime   => { from => -74, to => 16 },
    short    => { from => -3, to => 3 },
    staple   => { add => 'tlsfeature = status_request' },
    self     => { self => 1, chain => [] },
    extra    => { names => ['s%.test', 'www.s%.test', 'old.s%.test'] },
    only     => { names => ['s%.test'] },
    other    => { names => ['other%.test'] },
    wild     => { names => ['s%.test', '*.s%.test'] },
    cn       => { names => [] },
);
our %CERTS;                     # by common name: what it is
my $ca;                         # the folder

sub dir { return $ca; }

# Made anew for each run: their dates are about today.
sub make_certs {
    ($ca) = @_;
    make_path("$ca/index");
    my $ssl = Sniv::Certs::dir();
    Sniv::Certs::openssl('genpkey', '-algorithm', 'EC', '-pkeyopt',
        'ec_paramgen_curve:P-256', '-out', "$ca/key");
    spew("$ca/dn.cnf", "[req]\ndistinguished_name = dn\n[dn]\n");
    Sniv::Certs::openssl('req', '-new', '-config', "$ca/dn.cnf", '-key',
        "$ca/key", '-subj', '/CN=any', '-out', "$ca/csr");
    for my $n (1 .. $SITES) {
        make_cert($n, $_) for sort keys %KINDS;
    }
    my %issuers = map { $_ => slurp("$ssl/$_.crt") } qw(ca middle);
    for my $cn (sort keys %CERTS) {
        my $c = $CERTS{$cn};
        spew("$ca/$cn.crt", join '', slurp("$ca/$cn.leaf"),
             map { $issuers{$_} } @{ $c->{chain} });
    }
    chmod 0644, glob "$ca/*";
    return;
}

sub make_cert {
    my ($n, $kind) = @_;
    my $k = $KINDS{$kind};
    my $cn = "s$n-$kind";
    my $ssl = Sniv::Certs::dir();
    my %c = (cn => $cn, chain => ['middle'], from => -1, to => 89,
             names => ['s%.test', 'www.s%.test'], %$k, kind => $kind);
    $c{names} = [map { s/%/$n/r } @{ $c{names} }];
    $CERTS{$cn} = \%c;
    my ($from, $to) = map { POSIX::strftime('%Y%m%d%H%M%SZ',
                                gmtime(time + $_ * 86_400)) } @c{qw(from to)};
    my $san = join ',', map { "DNS:$_" } @{ $c{names} };
    spew("$ca/index/$cn.txt", '');
    spew("$ca/index/$cn.cnf", <<"END");
[ca]
default_ca = lint
[lint]
database = $ca/index/$cn.txt
new_certs_dir = $ca/index
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
basicConstraints = critical,CA:FALSE
@{[ $san ? "subjectAltName = $san" : '' ]}
@{[ $c{add} // '' ]}
END
    Sniv::Certs::openssl('ca', '-batch', '-notext', '-config',
        "$ca/index/$cn.cnf", '-in', "$ca/csr", '-subj', "/CN=$cn",
        '-out', "$ca/$cn.leaf", '-startdate', $from, '-enddate', $to,
        $c{self} ? ('-selfsign', '-keyfile', "$ca/key")
        : ('-cert', "$ssl/middle.crt", '-keyfile', "$ssl/middle.key"));
    return;
}

# ----- configurations -----

sub generate {
    my ($ports) = @_;
    my %p;
    @p{@PORTS} = @$ports;
    my $c = { ports => \%p, main => [], vhosts => [], next => 0,
              adopt => chance(0.5), mode => 'On', planted => {} };
    $c->{listen} = [map { my $p = $_; map { [$_, $p] } @IPS } grep {
        $_ ne 'none' } @PORTS];
    my $any = chance(0.7) ? '*' : $IPS[0];
    for my $n (1 .. 2 + int rand 2) {
        site($c, "$any:s1", $n, chance(0.9) ? 'ok' : 'wild');
    }
    plain($c, "$any:h1", "p$_.test") for 1 .. 1 + int rand 3;
    my @plants = plants();
    for (1 .. 1 + int rand 3) {
        my $plant = pick(@plants);
        my ($code, $sub) = @$plant;
        next if $c->{planted}{$code};
        my $how = chance(0.5) ? 'present' : 'near';
        $sub->($c, $how eq 'present');
        $c->{planted}{$code} = $how;
    }
    if (chance(0.4)) {
        $c->{chance} = 1;
        add_chance($c) for 1 .. 1 + int rand 3;
    }
    # files are read last, by name
    $c->{vhosts} = [(grep { !$_->{file} } @{ $c->{vhosts} }),
        sort { $a->{file} cmp $b->{file} } grep { $_->{file} }
        @{ $c->{vhosts} }];
    return $c;
}

sub add {
    my ($c, %v) = @_;
    my $v = { id => 'v' . $c->{next}++, aliases => [], certs => [],
              lines => [], engine => undef, name => undef, %v };
    $v->{addrs} = [$v->{addrs}] if !ref $v->{addrs};
    splice @{ $c->{vhosts} }, $v{at} // @{ $c->{vhosts} }, 0, $v;
    return $v;
}

sub plain {
    my ($c, $addrs, $name, @more) = @_;
    return add($c, addrs => $addrs, name => $name, @more);
}

# With TLS: a certificate of a kind, for site n.
sub site {
    my ($c, $addrs, $n, $kind, @more) = @_;
    return add($c, addrs => $addrs, name => "s$n.test",
               aliases => ["www.s$n.test"], engine => 'on',
               certs => $kind ? ["s$n-$kind"] : [], @more);
}

# The address of the sites, and of the plain virtual hosts.
sub tls_addr { return $_[0]{vhosts}[0]{addrs}[0]; }
sub plain_addr {
    my ($c) = @_;
    my ($v) = grep { $_->{addrs}[0] =~ /:h1/ } @{ $c->{vhosts} };
    return $v->{addrs}[0];
}
sub tls_vhosts {
    return grep { ($_->{engine} // '') eq 'on' && $_->{addrs}[0] =~ /:s1/ }
        @{ $_[0]{vhosts} };
}

# ----- each finding, present and nearly -----

sub plants {
    return (
    ['0400', sub {
        my ($c, $is) = @_;
        my $v = pick(tls_vhosts($c));
        add($c, addrs => $is ? tls_addr($c) : '*:s2', name => 's5.test',
            aliases => ["www.$v->{name}"], engine => 'on',
            certs => ['s5-ok']);
    }],
    ['0401', sub {
        my ($c, $is) = @_;
        plain($c, plain_addr($c), 'twice.test', file => 'm-twice',
              twice => $is);
    }],
    ['0402', sub {
        my ($c, $is) = @_;
        my $v = pick(tls_vhosts($c));
        add($c, addrs => tls_addr($c), name => 's5.test', engine => 'on',
            aliases => [pick("*.$v->{name}", "w*.$v->{name}",
                             "www.s?.test")],
            certs => ['s5-wild'], $is ? (at => 0) : ());
    }],
    ['0403', sub {
        my ($c, $is) = @_;
        my @v = map { { name => $_->[0], aliases => [$_->[1]] } }
            ['wide.test', pick('*.z.test', '*.test', '*z.test')],
            ['narrow.test', pick('*.y.z.test', 'a*.z.test', '?.z.test')];
        add($c, addrs => '*:h2', %$_) for $is ? @v : reverse @v;
    }],
    ['0404', sub {
        my ($c, $is) = @_;
        plain($c, plain_addr($c), 'spelling.test', aliases => [$is
            ? pick('dot.test.', 'port.test:80', '(a|b).test', 'comma.test,',
                   '.below.test', 'http://url.test', 'a..b.test', '[::1]',
                   '*.dots.test.', 'a.1', '123', '1.2.3', "b\xc3\xa9.test",
                   'slash.test/')
            : pick('a_b.test', '1.test', '127.0.0.1', '-.test', 'localhost',
                   '::1', 'a-.test', '*.1.test', '127.*')]);
    }],
    ['0405', sub {
        my ($c, $is) = @_;
        plain($c, '*:h2', 'scan0.test');
        plain($c, '*:h2', 'scan.test', aliases => [map { "*a$_*" }
            1 .. ($is ? 100 : 99)]);
    }],
    ['0406', sub {
        my ($c, $is) = @_;
        add($c, addrs => '*:h2',
            aliases => chance(0.5) ? ['alias.test'] : []) if !$is;
        plain($c, '*:h2', 'named.test');
        add($c, addrs => '*:h2',
            aliases => chance(0.5) ? ['alias.test'] : []) if $is;
    }],
    ['0407', sub {
        my ($c, $is) = @_;
        add($c, addrs => $is ? '127.0.0.2:h2' : pick('*:h2',
                                                     '127.0.0.1:h2'));
        plain($c, '127.0.0.2:h2', 'named.test') if chance(0.5);
    }],
    ['0410', sub {
        my ($c, $is) = @_;
        plain($c, $is ? pick('*:none', '127.0.0.1:none', '127.0.0.4:h1')
                      : pick('*:h2', '127.0.0.3:h2', '127.0.0.3:*'),
              'nobody.test');
    }],
    ['0411', sub {
        my ($c, $is) = @_;
        plain($c, [map { "$_:h2" } @IPS[0, 1], $is ? $IPS[2] : ()],
              'precise.test');
        plain($c, '*:h2', 'hidden.test');
        plain($c, '*:h2', 'hidden2.test') if chance(0.5);
    }],
    ['0413', sub {
        my ($c, $is) = @_;
        my @tls = (addrs => '*:s2', engine => 'on', name => 's5.test',
                   aliases => ['www.s5.test'], certs => ['s5-ok']);
        my @plain = (addrs => '*:s2', name => 's6.test', $is ?
            (engine => pick('off', undef))
            : (engine => 'on', certs => ['s6-only']));
        add($c, @$_) for chance(0.5) ? (\@tls, \@plain) : (\@plain, \@tls);
    }],
    ['0415', sub {
        my ($c, $is) = @_;
        plain($c, '*:h2', 'everywhere.test');
        plain($c, '*:h2', 'everywhere2.test') if chance(0.5);
        plain($c, $is ? '127.0.0.2:h2' : '127.0.0.2:h3', 'one-ip.test');
    }],
    ['0420', sub {
        my ($c, $is) = @_;
        my $v = site($c, tls_addr($c), 5, 'other');
        $v->{aliases} = [];
        $v->{name} = $is ? 's5.test' : 'other5.test';
    }],
    ['0421', sub {
        my ($c, $is) = @_;
        my $v = site($c, tls_addr($c), 5, $is ? 'only' : pick(qw(ok wild)));
        push @{ $v->{aliases} }, pick('*.s5.test', 'img.s5.test')
            if $v->{certs}[0] =~ /wild/;
    }],
    (map { my ($code, $is, $near) = @$_;
        [$code, sub {
            my ($c, $present) = @_;
            site($c, chance(0.7) ? tls_addr($c) : '*:s2', 5,
                 $present ? $is : pick(@$near));
        }] }
        ['0422', 'expired', ['ok', 'intime']], ['0423', 'notyet', ['ok']],
        ['0424', 'soon', ['intime', 'short']],
        ['0428', 'intime', ['ok', 'short']],
        ['0464', 'disorder', ['ok', 'nochain']], ['0465', 'root', ['ok']]),
    ['0462', sub {
        my ($c, $is) = @_;
        site($c, tls_addr($c), 5, $is ? 'staple' : 'ok');
    }],
    ['0463', sub {
        my ($c, $is) = @_;
        site($c, tls_addr($c), 5, pick(qw(nochain aia)), $is ? () : (lines =>
            [pick('SSLCertificateChainFile', 'SSLCACertificateFile')
             . ' "%ssl%/middle.crt"']));
    }],
    ['0425', sub {
        my ($c, $is) = @_;
        my $v = site($c, tls_addr($c), 5, 'extra');
        push @{ $v->{aliases} }, 'old.s5.test' if !$is;
    }],
    ['0430', sub {
        my ($c, $is) = @_;
        plain($c, '*:h2', 'first.test', file => $is ? 'a-site'
              : pick('00-first', 'a-default'));
        plain($c, '*:h2', 'second.test', file => 'b-site');
    }],
    ['0426', sub {
        my ($c, $is) = @_;
        folder($c, 's6-ok', $is ? () : 's5-ok');
        site($c, tls_addr($c), $_, undef) for 5, 6;
    }],
    ['0427', sub {
        my ($c, $is) = @_;
        folder($c, map { "s$_-ok" } 4, 5, 6);
        # if it is true of half of them, it is intended
        site($c, tls_addr($c), $_, undef) for 5, $is ? 6
            : pick([], [4, 6])->@*;
    }],
    ['0461', sub {
        my ($c, $is) = @_;
        folder($c, 's6-ok');
        my $v = site($c, tls_addr($c), 5, 'ok');
        push @{ $v->{aliases} }, 's6.test' if $is;
    }],
    ['0440', sub {
        my ($c, $is) = @_;
        my $v = $is ? plain($c, '*:h2', 'refuse.test')
                    : site($c, '*:s2', 5, 'ok');
        push @{ $v->{lines} }, pick('SNIVHostUnknownSNI refuse',
                                    'SNIVHostMissingSNI refuse');
    }],
    ['0441', sub {
        my ($c, $is) = @_;
        my $v = plain($c, '*:h2', 'refuse.test',
                      lines => ['SNIVHostUnknownHost refuse']);
        $c->{mode} = 'Verify' if $is;
    }],
    ['0442', sub {
        my ($c, $is) = @_;
        plain($c, '*:h2', 'refuse.test',
              lines => ['SNIVHostUnknownHost refuse', chance(0.3) && $is
                        ? 'SNIVHostAllowHost *' : ()]);
        plain($c, '*:h2', 'all.test', aliases => [$is ? pick('*', '?*')
            : '*.test']);
    }],
    ['0446', sub {
        my ($c, $is) = @_;
        plain($c, '*:h2', 'refuse.test', lines => [
            'SNIVHostAllowHost health.check',
            $is ? () : 'SNIVHostUnknownHost refuse']);
        plain($c, '*:h2', 'refuse2.test');
    }],
    ['0447', sub {
        my ($c, $is) = @_;
        my $v = site($c, '*:s2', 5, 'ok');
        push @{ $v->{lines} }, 'SNIVHostMissingSNI refuse',
            'SNIVHostUnknownHost refuse', 'SNIVHostAllowHost 127.0.0.2'
            . ($is ? '' : ' -');
        site($c, '*:s2', 6, 'ok');
    }],
    ['0448', sub {
        my ($c, $is) = @_;
        plain($c, '*:h2', 'refuse.test', lines => [
            'SNIVHostUnknownHost refuse', 'SNIVHostAllowHost health.check',
            'StrictHostCheck ' . ($is ? 'On' : 'Off')]);
        plain($c, '*:h2', 'refuse2.test');
    }],
    );
}

sub folder {
    my ($c, @certs) = @_;
    my %all = map { $_ => 1 } @certs, @{ $c->{folder} || [] };
    $c->{folder} = [sort keys %all];
    return;
}

# What people do besides.
sub add_chance {
    my ($c) = @_;
    my $v = pick(@{ $c->{vhosts} });
    my $other = pick(@{ $c->{vhosts} });
    pick(
        sub { push @{ $v->{aliases} }, grep { defined } $other->{name} },
        sub { push @{ $v->{aliases} }, pick('*.test', '*.s?.test', 'www.*',
            's*.test', '*', 'www.s2.test', 'p?.test', 'img.s1.test') },
        sub { my @v = @{ $c->{vhosts} };
              my ($i, $j) = (int rand @v, int rand @v);
              @{ $c->{vhosts} }[$i, $j] = @v[$j, $i]; },
        sub { $v->{certs}[0] =~ s/-.*/'-' . pick(sort keys %KINDS)/e
              if @{ $v->{certs} } },
        sub { $v->{name} = uc $v->{name} if defined $v->{name} },
        sub { $v->{name} = $other->{name} },
        sub { pop @{ $v->{aliases} } },
        sub { push @{ $v->{addrs} }, $other->{addrs}[0]
              if $other->{addrs}[0] ne $v->{addrs}[0] },
    )->();
    return;
}

# ----- as files -----

# Into a server's folder; its configuration includes what is returned.
sub write {
    my ($c, $h) = @_;
    my $text = join '', map { my ($ip, $p, $proto) = @$_;
        "Listen $ip:$c->{ports}{$p}" . ($proto ? " $proto" : '') . "\n" }
        @{ $c->{listen} };
    $text .= "LogLevel warn\nUseCanonicalName On\n";
    $text .= "SNIVHost $c->{mode}\n" if $c->{mode} ne 'On';
    $text .= "SNIVHostAdopt On\n" if $c->{adopt};
    remove_tree("$h->{dir}/sites", "$h->{dir}/folder");
    make_path("$h->{dir}/sites");
    if ($c->{folder}) {
        my $key = slurp("$ca/key");
        $h->write("folder/$_.pem", slurp("$ca/$_.crt") . $key)
            for @{ $c->{folder} };
        $text .= "SNIVHostCertificates \"$h->{dir}/folder\"\n";
    }
    $text .= join "\n", @{ $c->{main} }, '';
    $text .= vhost_text($c, $_) for grep { !$_->{file} } @{ $c->{vhosts} };
    for my $v (grep { $_->{file} } @{ $c->{vhosts} }) {
        $h->write("sites/$v->{file}.conf", vhost_text($c, $v));
        $text .= "Include sites/$v->{file}.conf\n" x ($v->{twice} ? 2 : 1);
    }
    $h->{conf} = $text;
    $h->write_conf;
    return;
}

sub address {
    my ($c, $addr) = @_;
    my ($ip, $port) = split /:/, $addr;
    return "$ip:" . ($c->{ports}{$port} // $port);
}

sub vhost_text {
    my ($c, $v) = @_;
    my $ssl = Sniv::Certs::dir();
    my @addrs = map { address($c, $_) } @{ $v->{addrs} };
    return "<VirtualHost @addrs>\n"
        . join('', map { sprintf "    %s\n", $_ }
               "Header always set X-Vhost $v->{id}",
               defined $v->{name} ? "ServerName $v->{name}" : (),
               @{ $v->{aliases} } ? "ServerAlias @{ $v->{aliases} }" : (),
               defined $v->{engine} ? "SSLEngine $v->{engine}" : (),
               (map { (qq(SSLCertificateFile "$ca/$_.crt"),
                       qq(SSLCertificateKeyFile "$ca/key")) }
                @{ $v->{certs} }),
               map { s/%ssl%/$ssl/gr } @{ $v->{lines} })
        . "</VirtualHost>\n";
}

1;
