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


package Sniv::DiffCompare;

# Random changes of a random configuration, and whether SNIVHostCompare says
# of them what two running servers answer.
#
#   my $change = change($c);        # changes $c, says what was done
#   my @asked = questions($before, $after, $n);
#   my $answers = answers(\@asked); # of a running server
#   judge($json, \@asked, $answers_before, $answers_after)

use strict;
use warnings;

use Sniv::Client;
use Sniv::DiffConfig;
use Sniv::Httpd;

BEGIN {
    *chance = \&Sniv::DiffConfig::chance;
    *pick = \&Sniv::DiffConfig::pick;
}

my $SECONDS = 8;

# *:443 is every address that is not named beside it: this one no virtual
# host of these configurations has.
my $FREE_IP = '127.0.0.5';

# What is not compared, as it says itself: it would only be noise here.
my $not_compared = qr/\A(?:ErrorDocument|HttpProtocolOptions|LimitRequest|Redirect
                        |Rewrite|KeepAlive|MaxKeepAlive|TraceEnable
                        |ProxyRequests)/x;

sub simplify {
    my ($c) = @_;
    for my $lines ($c->{main}, map { $_->{lines} } @{ $c->{vhosts} }) {
        @$lines = grep { !/$not_compared/ } @$lines;
    }
    return $c;
}

my @changes = (
    [swap => sub {
        my ($c, $v) = @_;
        my $other = pick(grep { $_ != $v } @{ $c->{vhosts} }) or return;
        my ($i, $j) = map { my $x = $_; grep { $c->{vhosts}[$_] == $x }
            0 .. $#{ $c->{vhosts} } } $v, $other;
        @{ $c->{vhosts} }[$i, $j] = @{ $c->{vhosts} }[$j, $i];
        return "$v->{id} and $other->{id} have changed places";
    }],
    [remove => sub {
        my ($c, $v) = @_;
        return if @{ $c->{vhosts} } < 2;
        @{ $c->{vhosts} } = grep { $_ != $v } @{ $c->{vhosts} };
        return "$v->{id} is gone";
    }],
    [add => sub {
        my ($c, $v) = @_;
        my $id = 16 - int rand 3;
        return if grep { $_->{id} eq "v$id" } @{ $c->{vhosts} };
        my $new = Sniv::DiffConfig::vhost($c, $id, @{ $v->{addrs} });
        simplify({ main => [], vhosts => [$new] });
        splice @{ $c->{vhosts} }, int rand 1 + @{ $c->{vhosts} }, 0, $new;
        return "v$id is new";
    }],
    [alias => sub {
        my ($c, $v) = @_;
        my $line = 'ServerAlias ' . (chance(0.5) ? Sniv::DiffConfig::name()
            : pick('*.x.test', '*.test', 'a*', '?.x.test', '*', 'b.?.test'));
        # names that httpd takes, or does not
        $line = 'ServerAlias ' . pick('.x.test', 'a..x.test', 'x.1', '12',
            '1.2.3.4', '01.2.3.4', 'a_b.x.test', 'a(b.test', '-', '[::1]',
            'a.x.test:80', 'a/b.test', '*.1', '.*') if chance(0.2);
        push @{ $v->{names} }, $line;
        return "$v->{id} has $line";
    }],
    [unalias => sub {
        my ($c, $v) = @_;
        my @aliases = grep { /ServerAlias/ } @{ $v->{names} } or return;
        my $gone = pick(@aliases);
        @{ $v->{names} } = grep { $_ ne $gone } @{ $v->{names} };
        return "$v->{id} has no $gone";
    }],
    [rename => sub {
        my ($c, $v) = @_;
        my $name = Sniv::DiffConfig::name();
        return if !grep { s/\AServerName .*/ServerName $name/ }
            @{ $v->{names} };
        return "$v->{id} is $name";
    }],
    [certificate => sub {
        my ($c, $v) = @_;
        my $new = pick('c0' .. 'c9');
        return if !grep { s{/c\d\.(crt|key)}{/$new.$1}g } @{ $v->{tls} };
        return "$v->{id} has certificate $new";
    }],
    [tls => sub {
        my ($c, $v) = @_;
        return if !@{ $v->{tls} };
        my $line = pick('SSLProtocol TLSv1.2', 'SSLProtocol all',
            'SSLVerifyClient none', 'SSLCACertificateFile "%certs%/ca.crt"',
            'SSLCipherSuite HIGH:@SECLEVEL=0', 'SSLVerifyDepth 3',
            'SSLStrictSNIVHostCheck on', 'SSLStrictSNIVHostCheck off');
        push @{ $v->{tls} }, $line;
        return "$v->{id} has $line";
    }],
    [engine => sub {
        my ($c, $v) = @_;
        return if !grep { s/\ASSLEngine on/SSLEngine off/ } @{ $v->{tls} };
        return "$v->{id} has SSLEngine off";
    }],
    [address => sub {
        my ($c, $v) = @_;
        my $other = pick(@{ $c->{vhosts} });
        $v->{addrs} = [@{ $other->{addrs} }];
        return "$v->{id} is on @{ $v->{addrs} }";
    }],
    [path => sub {
        my ($c, $v) = @_;
        my @other = grep { !/\AServerPath/ } @{ $v->{lines} };
        my $had = @other != @{ $v->{lines} };
        $v->{lines} = [@other, $had ? () : 'ServerPath /sp1'];
        return "$v->{id} has " . ($had ? 'no' : 'a') . ' ServerPath';
    }],
    [policy => sub {
        my ($c) = @_;
        my $line = Sniv::Httpd::sni_policy_conf(
            pick(qw(strict secure authonly insecure)));
        chomp $line;
        return if $line eq '';
        push @{ $c->{main} }, $line;
        return $line;
    }],
    [unsafe => sub {
        my ($c, $v) = @_;
        my $line = 'HttpProtocolOptions ' . pick(qw(Unsafe Strict));
        push @{ $v->{lines} }, $line;
        return "$v->{id} has $line";
    }],
    [strict => sub {
        my ($c, $v) = @_;
        my $line = 'StrictHostCheck ' . pick(qw(On Off));
        push @{ $v->{lines} }, $line;
        return "$v->{id} has $line";
    }],
    [refuse => sub {
        my ($c) = @_;
        my $line = pick('SNIVHostUnknownHost', 'SNIVHostUnknownSNI',
                        'SNIVHostMissingSNI') . ' ' . pick(qw(refuse default));
        push @{ $c->{main} }, $line;
        return $line;
    }],
);

sub change {
    my ($c) = @_;
    for (1 .. 30) {
        my $did = pick(@changes)->[1]->($c, pick(@{ $c->{vhosts} }));
        return $did if defined $did;
    }
    return 'nothing';
}

# Names of either at every kind of address. A browser sends the same name
# twice; some send no server name, some no name at all.
sub questions {
    my ($before, $after, $n) = @_;
    my %names = map { $_ => 1 } grep { /\A[!-~]{1,60}\z/ }
        Sniv::DiffConfig::hosts($before), Sniv::DiffConfig::hosts($after);
    my @names = (sort(keys %names), 'sniv-other.invalid');
    my $p = $before->{ports};
    my @ips = (@Sniv::DiffConfig::IPS[0 .. 3], $before->{ipv6} ? '::1' : ());
    my @q;
    for (1 .. $n) {
        my $port = pick(qw(h1 s1 s1 h2 s2));
        my $name = pick(@names);
        my %q = (addr => chance(0.5) ? $ips[0] : pick(@ips),
                 port => $p->{$port}, tls => $port =~ /s/ ? 1 : 0);
        $q{host} = $name;
        $q{sni} = sni_of($name);
        delete $q{sni} if !defined $q{sni};
        delete $q{sni} if chance(0.15);
        if (chance(0.07)) {
            delete @q{qw(host sni)};
            $q{path} = pick('/', '/sp1/', '/sp2/');
        }
        push @q, \%q;
    }
    return @q;
}

# What a browser says in the handshake that is given this name; for an IP
# address nothing.
sub sni_of {
    my ($name) = @_;
    $name =~ s/:\d+\z// if $name !~ /:.*:/;
    $name =~ s/\.\z// if $name ne '.';
    return $name =~ /\A[0-9.]*\z|:|\A\[/ ? undef : $name;
}

# Exactly what a change is said to be about.
sub questions_of {
    my ($json, $before) = @_;
    my %ours = map { $before->{ports}{$_} => 1 } qw(h1 h2 s1 s2);
    my @q;
    for my $x (@{ $json->{changes} }) {
        # what these questions do not show
        next if !grep { !/\A(?:rule|listen|tls-settings)\z/ }
            @{ $x->{what} };
        # true, but only the logs show it
        next if "@{ $x->{what} }" !~ /certificate|refusal/
            && ($x->{summary} =~ /\Ahandshake /
                || ($x->{summary} =~ /\A(\S+) \([\w-]+\) -> \1 \([\w-]+\)\z/
                    && grep { /\Ahandshake / } @{ $x->{details} }));
        for my $i (0 .. $#{ $x->{names} }) {
            my ($ip, $port) = $x->{address} =~ /\A(.*):(\d+)\z/ or next;
            next if !$ours{$port};
            $ip = $FREE_IP if $ip eq '*';
            $ip =~ s/\A\[(.*)\]\z/$1/;
            my $host = $x->{asked}[$i];
            next if defined $host && $host !~ /\A[!-~]{1,60}\z/;
            $host = "[$host]" if defined $host && $host =~ /:/;
            push @q, { addr => $ip, port => $port, tls => $x->{tls} ? 1 : 0,
                defined $host ? (host => $host) : (path => $x->{names}[$i]
                    =~ m{\A(/.*)} ? $1 : '/'),
                defined $host && !$x->{without_sni} && defined sni_of($host)
                    ? (sni => sni_of($host)) : (),
                change => $x };
        }
    }
    return @q;
}

sub text {
    my ($q) = @_;
    return "$q->{addr}:$q->{port} sni=" . ($q->{sni} // '-') . ' host='
        . ($q->{host} // '-') . ' path=' . ($q->{path} // '/');
}

# alert, certificate, virtual host, refusal.
sub answer {
    my ($q) = @_;
    my $client = Sniv::Client->new(addr => $q->{addr}, port => $q->{port},
        seconds => $SECONDS, $q->{tls} ? (tls => { sni => $q->{sni} }) : ());
    my $text = '';
    if (defined $client->error) {
        $text = 'error ' . $client->error;
    }
    else {
        $text = 'certificate ' . ($client->cert // '-') . ' ' if $q->{tls};
        my $version = defined $q->{host} ? '1.1' : '1.0';
        my $r = $client->request('GET ' . ($q->{path} // '/')
            . " HTTP/$version\r\n"
            . (defined $q->{host} ? "Host: $q->{host}\r\n" : '')
            . "Connection: close\r\n\r\n");
        my $status = $r->{status} || 'none';
        $text .= 'vhost ' . ($r->{headers}{'x-vhost'} // '-') . ' '
            . ($status =~ /\A(?:400|403|421|none)\z/ ? "status $status"
                                                     : 'served');
    }
    $client->close;
    return $text . ($q->{change} && $q->{tls}
        ? kind($q, rsa => 'RSA-PSS+SHA256:RSA+SHA256:RSA+SHA1')
        . kind($q, ecdsa => 'ECDSA+SHA256') : '');
}

# What a client sees that knows one kind of certificate only.
sub kind {
    my ($q, $kind, $sigalgs) = @_;
    my $client = Sniv::Client->new(addr => $q->{addr}, port => $q->{port},
        seconds => $SECONDS, tls => { sni => $q->{sni},
                                      sigalgs => $sigalgs });
    my $text = " $kind " . ($client->error // $client->cert // '-');
    $client->close;
    return $text;
}

# A certificate that has changed and that no client gets, because nothing of
# the virtual host's settings fits it: no answer can show it.
sub is_unseen {
    my ($q, $before, $after) = @_;
    return "@{ $q->{change}{what} }" =~ /\Acertificate(?: tls-settings)?\z/
        && $before =~ / (rsa|ecdsa) (?!\S*chain|rsa|c\d|shared)/
        && $after =~ / $1 (?!\S*chain|rsa|c\d|shared)/;
}

# Whether a change of an answer at an address is among those reported, and as
# what it is: the virtual host, the certificate, or a refusal.
sub is_reported {
    my ($json, $q, $before, $after) = @_;
    my $ip = $q->{addr} =~ /:/ ? "[$q->{addr}]" : $q->{addr};
    for my $x (@{ $json->{changes} }) {
        my %what = map { $_ => 1 } @{ $x->{what} };
        next if !grep { $_ eq "$ip:$q->{port}" || $_ eq "*:$q->{port}" }
            @{ $x->{addresses} || [] };
        next if !$what{'tls-settings'} && !explains(\%what, $before, $after);
        return 1 if grep { is_about($x, $_, $q) } 0 .. $#{ $x->{names} };
    }
    return 0;
}

sub explains {
    my ($what, $before, $after) = @_;
    return 1 if $what->{'virtual-host'};
    my @x = map { [/(vhost [^- ]\S*)/ ? $1 : ''] } $before, $after;
    return 0 if $x[0][0] ne '' && $x[1][0] ne '' && $x[0][0] ne $x[1][0];
    return $what->{certificate} || $what->{refusal};
}

sub is_about {
    my ($x, $i, $q) = @_;
    my ($name, $asked) = ($x->{names}[$i], $x->{asked}[$i]);
    return $name eq '(no name)' || index($q->{path} // '/', $name) == 0
        if !defined $q->{host};
    my ($host, $same) = map { lc s/(?<=[^:]):\d+\z//r =~ s/(?<=.)\.\z//r }
        $q->{host}, $name;
    return 1 if $same eq $host || lc($asked // '') eq $host
        || $name eq '(any other name)'
        || (!defined $q->{sni} && $name eq '(no name)');
    my $odd = $host =~ /[^a-z0-9._-]|(?:\A|\.)\d[^.]*\z/;
    if ($name =~ s/ ?\(with unusual characters\)\z//) {
        return 0 if !$odd;
        return 1 if $name eq '';
    }
    return 1 if $odd && $name eq '(no name)';
    return 0 if $name !~ /[*?]/;
    my $glob = quotemeta $name =~ s/\.\z//r;
    $glob =~ s/\\\*/.*/g;
    $glob =~ s/\\\?/./g;
    return $host =~ /\A$glob\z/i;
}

1;
