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


package Sniv::LintJudge;

# Whether findings are true, and whether all that is wrong has one: a running
# server is asked. For a configuration of Sniv::DiffLint:
#
#   my $j = Sniv::LintJudge->new($c, $h);   # $h runs
#   $j->look;
#   $j->{true}{CODE}{KEY}    a finding of this kind would be true
#   $j->{must}{CODE}{KEY}    ... and has to be there
#   Sniv::LintJudge::key($j, $finding)      which of them a finding is
#
# A key says what it is about: "V<W", a virtual host whose name another one
# gets; "V", an address, a certificate. What a name leads to and which
# certificate is sent is always what a client saw.

use strict;
use warnings;

use Sniv::Client;
use Sniv::DiffLint;

my $SECONDS = 8;

sub new {
    my ($class, $c, $h) = @_;
    my $self = bless { c => $c, h => $h, true => {}, must => {},
                       sets => {}, order => [], seen => {} }, $class;
    $self->{vhosts} = [map { ($_) x ($_->{twice} ? 2 : 1) }
                       @{ $c->{vhosts} }];
    for my $v (@{ $self->{vhosts} }) {
        for my $addr (map { Sniv::DiffLint::address($c, $_) }
                      @{ $v->{addrs} }) {
            push @{ $self->{order} }, $addr if !$self->{sets}{$addr};
            push @{ $self->{sets}{$addr} }, $v;
        }
    }
    for my $listen (@{ $c->{listen} }) {
        my ($ip, $port) = ($listen->[0], $c->{ports}{ $listen->[1] });
        my $set = $self->set_of($ip, $port);
        push @{ $self->{spots}{$set} }, [$ip, $port] if defined $set;
    }
    $self->{lines} = lines_of($c, $h);
    return $self;
}

# The address set of a connection.
sub set_of {
    my ($self, $ip, $port) = @_;
    my ($set) = grep { $self->{sets}{$_} } "$ip:$port", "$ip:*", "*:$port",
        '*:*';
    return $set;
}

# Where each virtual host begins: "FILE:LINE" => id.
sub lines_of {
    my ($c, $h) = @_;
    my %at;
    for my $file ('httpd.conf', map { "sites/$_->{file}.conf" }
                  grep { $_->{file} } @{ $c->{vhosts} }) {
        my @lines = split /\n/, $h->read($file);
        for my $i (0 .. $#lines) {
            $at{"$h->{dir}/$file:" . ($i + 1)} = $1
                if $lines[$i] =~ /\A<VirtualHost/
                    && $lines[$i + 1] =~ /X-Vhost (\S+)/;
        }
    }
    return \%at;
}

# ----- what a client sees -----

# Of one request: error, cn, chain, vhost, status.
sub see {
    my ($self, $ip, $port, $tls, $sni, $host, $ocsp) = @_;
    my $key = join ' ', $ip, $port, $tls, $sni // '-', $host // '-',
        $ocsp // '';
    return $self->{seen}{$key} //= do {
        my $client = Sniv::Client->new(addr => $ip, port => $port,
            seconds => $SECONDS, $tls ? (tls => { sni => $sni, $ocsp
                ? (ocsp => 1) : () }) : ());
        my %o = (error => $client->error, vhost => '', status => 0);
        if (!defined $o{error}) {
            if ($tls) {
                ($o{cn}, $o{chain}) = ($client->cert, [$client->chain]);
                $o{staple} = $client->staple;
                $self->{leaves}{ $o{cn} } //= [@{ $o{chain} }];
            }
            my $r = $client->request('GET /dir HTTP/' . (defined $host
                ? "1.1\r\nHost: $host" : '1.0')
                . "\r\nConnection: close\r\n\r\n");
            $o{status} = $r->{status} || 0;
            $o{vhost} = $r->{headers}{'x-vhost'} // '';
            $o{location} = $r->{headers}{location} // '';
        }
        $client->close;
        \%o;
    };
}

# Whether TLS is spoken there.
sub speaks_tls {
    my ($self, $spot) = @_;
    my $e = $self->see(@$spot, 1, undef, undef)->{error};
    return !defined $e || $e =~ /\Aalert/;
}

# What a browser sees that is given this name.
sub ask {
    my ($self, $spot, $name) = @_;
    my $tls = $self->speaks_tls($spot);
    my $sni = defined $name && $name =~ /[^0-9.]/ && $name !~ /:/ ? $name
                                                                 : undef;
    return $self->see(@$spot, $tls ? 1 : 0, $tls ? $sni : undef,
                      defined $name && $name =~ /:.*:/ ? "[$name]" : $name);
}

sub spots { return @{ $_[0]{spots}{ $_[1] } || [] }; }

sub truth {
    my ($self, $code, $key, $why) = @_;
    $self->{true}{$code}{$key} = 1;
    $self->{must}{$code}{$key} //= $why // '';
    return;
}

# ----- names -----

sub is_glob { return $_[0] =~ /[*?]/; }

sub matches {
    my ($glob, $name) = @_;
    my $re = quotemeta $glob;
    $re =~ s/\\\*/.*/g;
    $re =~ s/\\\?/./g;
    return $name =~ /\A$re\z/i;
}

# As core reads ServerName: without scheme and port.
sub names {
    my ($v) = @_;
    return ((map { s{\A\w+://}{}r =~ s/:\d+\z//r } grep { defined }
             $v->{name}), @{ $v->{aliases} });
}

sub name_of { return $_[0]{name} // 'main.test'; }

sub has_exact {
    my ($v, $name) = @_;
    return scalar grep { lc $_ eq lc $name } name_of($v),
        grep { !is_glob($_) } @{ $v->{aliases} };
}

# A host that httpd takes, as it is.
sub is_host {
    my ($name) = @_;
    return $name =~ /:.*:/ && $name !~ /\[/
        || $name =~ /\A(?!.*\.\.)(?:[\w-]+(?:\.[\w-]+)*\.)?(?!\d)[\w-]+\z/
        || $name =~ /\A(?:(?:0|[1-9]\d*)\.){3}(?:0|[1-9]\d*)\z/;
}

sub by_id {
    my ($self, $id) = @_;
    return (grep { $_->{id} eq $id } @{ $self->{vhosts} })[0];
}

my @LETTERS = ('a' .. 'z');
sub filler {
    return join '', map { $LETTERS[rand @LETTERS] } 1 .. 1 + int rand 7;
}

sub witness {
    my ($glob) = @_;
    $glob =~ s/\*/rand() < 0.2 ? filler() . '.' . filler() : filler()/ge;
    $glob =~ s/\?/$LETTERS[rand @LETTERS]/ge;
    return $glob;
}

sub look_at_names {
    my ($self) = @_;
    for my $set (@{ $self->{order} }) {
        my @members = @{ $self->{sets}{$set} };
        my @spots = $self->spots($set);
        next if @members < 2;
        for my $m (0 .. $#members) {
            my $v = $members[$m];
            my %before = map { $_->{id} => $_ } @members[0 .. $m - 1];
            $self->truth('0401', $v->{id}) if $v->{twice};
            $self->truth('0406', $v->{id}) if $m && !defined $v->{name};
            next if !@spots;
            for my $name (names($v)) {
                $self->look_at_spelling($spots[0], $v, $name) if $m;
                # of the default nothing is seen, and of the first dot the
                # DNS knows
                $self->{true}{'0404'}{"$v->{id} $name"} = 1
                    if (!$m && !is_host($name)) || $name =~ /\A\./;
                is_glob($name) ? $self->look_at_glob($spots[0], $v, $name,
                                                     \%before)
                    : $self->look_at_name($spots[0], $v, $name, \%before);
            }
        }
        my $wild = grep { /\A[*?]/ && /[*?]\z/ } map { @{ $_->{aliases} } }
            @members;
        $self->truth('0405', $set) if $wild >= 100;
    }
    return;
}

# A name that another virtual host gets.
sub look_at_name {
    my ($self, $spot, $v, $name, $before) = @_;
    return if !is_host($name);
    my $o = $self->ask($spot, $name);
    if (defined $o->{error}) {          # whose refusal it was is not seen
        $self->{true}{'0400'}{"$v->{id}<$_->{id}"} = 1
            for grep { has_exact($_, $name) } values %$before;
        return;
    }
    my $w = $before->{ $o->{vhost} } or return;
    return if $w->{id} eq $v->{id};
    $self->truth(has_exact($w, $name) ? '0400' : '0402',
                 "$v->{id}<$w->{id}", $name);
    return;
}

# All that a pattern stands for.
sub look_at_glob {
    my ($self, $spot, $v, $glob, $before) = @_;
    my %got;
    for (1 .. 14) {
        my $name = witness($glob);
        $got{ $self->ask($spot, $name)->{vhost} } = 1 if is_host($name);
    }
    my ($id, @more) = keys %got;
    return if !defined $id || @more || $id eq $v->{id} || !$before->{$id};
    $self->truth('0403', "$v->{id}<$id", $glob);
    return;
}

# A name as it is written, and what leads nowhere.
sub look_at_spelling {
    my ($self, $spot, $v, $name) = @_;
    my $other = $self->ask($spot, 'unknown.' . filler() . '.nowhere');
    my $tls = $self->speaks_tls($spot);
    for my $fill ('qq', '0.0.1', 'q.q') {
        my $host = $name =~ s/\*/$fill/gr =~ s/\?/q/gr;
        my $o = $self->see(@$spot, $tls ? 1 : 0, undef,
                           $host =~ /:.*:/ && $host !~ /\[/ ? "[$host]"
                                                            : $host);
        next if $o->{status} == 400;    # it is no name to httpd
        return if $o->{vhost} ne $other->{vhost} || defined $o->{error};
        # a pattern that gets it hides it; but what httpd compares has no port
        return if $name !~ /:\d*\z/ && grep { matches($_, $host) }
            names($self->by_id($o->{vhost}) // {});
    }
    return if is_host($name) && $tls;   # 421, not the name
    $self->truth('0404', "$v->{id} $name");
    return;
}

# ----- addresses -----

# The sockets that could be of an address, whichever set takes them.
sub sockets {
    my ($self, $set) = @_;
    my ($ip, $port) = $set =~ /\A(.*):([\d*]+)\z/;
    my %seen;
    return grep { !$seen{"@$_"}++ && ($ip eq '*' || $_->[0] eq $ip)
        && ($port eq '*' || $_->[1] == $port) }
        (map { [$_->[0], $self->{c}{ports}{ $_->[1] }] }
             @{ $self->{c}{listen} }),
        $port eq '*' ? () : map { [$_, $port] } $ip eq '*'
            ? @Sniv::DiffLint::IPS : $ip;
}

# Members of a set that are on no other address.
sub only_members {
    my ($self, $set) = @_;
    return grep { @{ $_->{addrs} } == 1 } @{ $self->{sets}{$set} };
}

sub look_at_addresses {
    my ($self) = @_;
    for my $set (@{ $self->{order} }) {
        my @members = @{ $self->{sets}{$set} };
        my @open = grep { ($self->see(@$_, 0, undef, undef)->{error} // '')
                          !~ /\Aconnect/ } $self->sockets($set);
        if (!@open) {
            $self->truth('0410', $set);
            next;
        }
        my %answers;
        for my $spot (@open) {
            $answers{ $self->ask($spot, $_)->{vhost} } = 1
                for 'unknown.nowhere', map { grep { is_host($_) } names($_) }
                    @members;
        }
        my @only = $self->only_members($set);
        # where the set is reached, names may be hidden: that is not this
        $self->truth('0411', $set)
            if @only && !$self->spots($set)
                && !grep { $answers{ $_->{id} } } @only;
        $self->look_at_engine($set);
        $self->look_at_others($set);
        $self->look_at_reverse($set, $members[0])
            if !defined $members[0]{name};
    }
    return;
}

# TLS of some members only.
sub look_at_engine {
    my ($self, $set) = @_;
    my ($first, @rest) = @{ $self->{sets}{$set} };
    my ($spot) = $self->spots($set) or return;
    my $tls = $self->speaks_tls($spot) ? 1 : 0;
    for my $v (@rest) {
        $self->truth('0413', $set, $v->{id})
            if (($v->{engine} // '') eq 'on' ? 1 : 0) != $tls;
    }
    return;
}

# "*:80" beside "192.0.2.1:80".
sub look_at_others {
    my ($self, $set) = @_;
    my ($port) = $set =~ /\A\*:(\d+)\z/ or return;
    return if !$self->spots($set);
    for my $spot (map { [$_->[0], $port] } grep {
                  $self->{c}{ports}{ $_->[1] } == $port }
                  @{ $self->{c}{listen} }) {
        my $taker = $self->set_of(@$spot);
        next if $taker eq $set;
        my %there = map { $_->{id} => 1 } @{ $self->{sets}{$taker} };
        for my $v (@{ $self->{sets}{$set} }) {
            next if $there{ $v->{id} };
            my @answers = map { $self->ask($spot, $_)->{vhost} }
                grep { is_host($_) } names($v);
            $self->truth('0415', $set) if !grep { $_ eq $v->{id} } @answers;
        }
    }
    return;
}

# The name that httpd has looked up for a virtual host without one.
sub look_at_reverse {
    my ($self, $set, $v) = @_;
    my ($spot) = $self->spots($set) or return;
    return if grep { $self->{sets}{$_}[0] != $v } map {
        Sniv::DiffLint::address($self->{c}, $_) } @{ $v->{addrs} };
    my $o = $self->ask($spot, 'unknown.nowhere');
    my ($host) = $o->{location} =~ m{\Ahttps?://([^/:]+)} or return;
    $self->truth('0407', $v->{id}, $host)
        # 127.0.0.1 is in every hosts file
        if $o->{vhost} eq $v->{id} && $host !~ /\A(?:main\.test|localhost)\z/;
    return;
}

# ----- certificates -----

sub covers {
    my ($cn, $name) = @_;
    my $names = ($Sniv::DiffLint::CERTS{$cn} || {})->{names} || [];
    my $below = '*' . lc($name =~ s/\A[^.]+//r);
    return scalar grep { lc $_ eq lc $name || lc $_ eq $below } @$names;
}

sub is_public {
    my ($name) = @_;
    return $name =~ /\A[^.].*\.[^.]+\z/ && $name =~ /[^0-9.]/
        && $name !~ /:|\.(?:invalid|localhost)\z/i;
}

sub look_at_certificates {
    my ($self) = @_;
    for my $set (@{ $self->{order} }) {
        my @spots = $self->spots($set) or next;
        next if !$self->speaks_tls($spots[0]);
        for my $v (@{ $self->{sets}{$set} }) {
            next if ($v->{engine} // '') ne 'on';
            $self->look_at_cover($spots[0], $set, $v, $_) for names($v);
        }
        $self->look_at_folder($set);
    }
    my @late;
    for my $cn (sort keys %{ $self->{leaves} }) {
        $self->look_at_leaf($cn);
        my $meta = $Sniv::DiffLint::CERTS{$cn} or next;
        push @late, $meta if !$self->{true}{'0424'}{$cn} && $meta->{to} > 0
            && $meta->{from} <= 0
            && $meta->{to} < ($meta->{to} - $meta->{from}) / 3;
    }
    # one finding, about the first of them to expire
    @late = sort { $a->{to} <=> $b->{to} } @late;
    $self->{true}{'0428'}{ $_->{cn} } = 1
        for grep { $_->{to} == $late[0]{to} } @late;
    $self->{must}{'0428'}{first} = $late[0]{cn} if @late;
    return;
}

# A name under which a client gets a certificate that is not for it.
sub look_at_cover {
    my ($self, $spot, $set, $v, $name) = @_;
    my $own = $v->{certs}[0];
    my $meta = defined $own ? $Sniv::DiffLint::CERTS{$own} : undef;
    my $asked = $name;
    if (is_glob($name)) {
        # what clients ask for is not known, and often it is what it has
        return if !$meta || $name =~ /[*?][^.]*\z/
            || grep { matches($name, $_) } @{ $meta->{names} };
        $asked = $name =~ s/\*/qqq/gr =~ s/\?/q/gr;
    }
    return if !is_public($asked) || !is_host($asked);
    my $o = $self->ask($spot, $asked);
    # there is none for it, not even another one
    $self->truth('0426', $v->{id}, $name)
        if !$meta && ($o->{error} // '') eq 'alert 80';
    return if defined $o->{error} || $o->{cn} !~ /\As\d-/;
    my $sent = $Sniv::DiffLint::CERTS{ $o->{cn} };
    return if covers($o->{cn}, $asked);
    $self->{uncovered}{ lc $name } = 1;
    return if $sent->{self};
    my $code = !$meta ? '0426' : defined $v->{name} && $name eq $v->{name}
        ? '0420' : '0421';
    if ($meta ? $o->{cn} eq $own : $o->{vhost} eq $v->{id}) {
        $self->truth($code, $v->{id}, $name);
    }
    elsif (!$meta || !$meta->{self}) {
        # another virtual host's: why that is so has to be said
        $self->{true}{$code}{ $v->{id} } = 1 if !$meta
            || !covers($own, $asked);
        $self->{must}{any}{"$v->{id} $set"} = $name;
    }
    return;
}

sub look_at_leaf {
    my ($self, $cn) = @_;
    my $meta = $Sniv::DiffLint::CERTS{$cn} or return;
    my ($life, $left) = ($meta->{to} - $meta->{from}, $meta->{to});
    $self->truth('0422', $cn) if $left <= 0;
    $self->truth('0423', $cn) if $meta->{from} > 0;
    $self->truth('0424', $cn) if $left > 0 && $meta->{from} <= 0
        && $left < ($life / 6 < 14 ? $life / 6 : 14);
    my @chain = @{ $self->{leaves}{$cn} };
    my %issuer = ('test CA' => 'test CA', middle => 'test CA',
                  $cn => $meta->{self} ? $cn : 'middle');
    $self->{true}{'0463'}{$cn} = 1 if @chain == 1 && !$meta->{self};
    $self->{must}{'0463'}{middle} = $cn if @chain == 1 && !$meta->{self};
    my $odd = grep { $issuer{ $chain[$_] } ne $chain[$_ + 1] }
        0 .. $#chain - 1;
    $self->truth('0464', $cn) if $odd;
    $self->truth('0465', $cn) if !$odd && @chain > 1
        && $issuer{ $chain[-1] } eq $chain[-1];
    $self->look_at_staple($cn) if $meta->{kind} eq 'staple';
    $self->look_at_unserved($cn);
    return;
}

# Where a certificate is sent: [spot, name].
sub places_of {
    my ($self, $cn) = @_;
    return map { /\A(\S+) (\d+) 1 (\S+)/ ? [[$1, $2], $3] : () }
        grep { ($self->{seen}{$_}{cn} // '') eq $cn }
        sort keys %{ $self->{seen} };
}

sub look_at_staple {
    my ($self, $cn) = @_;
    my ($place) = $self->places_of($cn) or return;
    my ($spot, $name) = @$place;
    my $o = $self->see(@$spot, 1, $name eq '-' ? undef : $name, undef, 1);
    $self->truth('0462', $cn) if !defined $o->{error}
        && !defined $o->{staple};
    return;
}

# Names of a certificate that lead elsewhere.
sub look_at_unserved {
    my ($self, $cn) = @_;
    my @users = grep { grep { $_ eq $cn } @{ $_->{certs} } }
        @{ $self->{vhosts} };
    my @sets = map { map { Sniv::DiffLint::address($self->{c}, $_) }
                     @{ $_->{addrs} } } @users;
    return if !@users || grep { my $s = $_; grep {
        $self->{sets}{$s}[0] == $_ } @users } @sets;
    for my $name (grep { !/\*/ } @{ $Sniv::DiffLint::CERTS{$cn}{names} }) {
        my @there = map { my $s = $_; map { [$s, $_] } ($self->spots($s))[0] }
            map { Sniv::DiffLint::address($self->{c}, $_) }
            @{ $users[0]{addrs} };
        next if grep { !$_->[1] } @there;
        next if grep { my ($set, $spot) = @$_;
            my $o = $self->ask($spot, $name);
            # the default answers, and not for a name of its own
            $o->{vhost} ne $self->{sets}{$set}[0]{id}
                || grep { matches($_, $name) } names($self->{sets}{$set}[0])
            } @there;
        $self->truth('0425', $cn, $name);
    }
    return;
}

sub look_at_folder {
    my ($self, $set) = @_;
    my ($spot) = $self->spots($set);
    my @all = @{ $self->{c}{folder} || [] };
    my @idle;
    for my $cn (@all) {
        my $idle = 1;
        for my $name (@{ $Sniv::DiffLint::CERTS{$cn}{names} }) {
            $idle = 0 if grep { my $v = $_; grep { matches($_, $name) }
                                names($v) } @{ $self->{vhosts} };
            my $o = $self->ask($spot, $name);
            my $v = $self->by_id($o->{vhost}) or next;
            $self->truth('0461', $v->{id}, $name)
                if @{ $v->{certs} } && $o->{cn} eq $v->{certs}[0]
                    && !covers($o->{cn}, $name)
                    && ($v != $self->{sets}{$set}[0]
                        || grep { matches($_, $name) } names($v));
        }
        push @idle, $cn if $idle;
    }
    my $first = $self->{sets}{$set}[0];
    return if 2 * @idle >= @all || grep { is_glob($_) }
        @{ $first->{aliases} };
    $self->truth('0427', $_) for @idle;
    return;
}

# The default that is one only by the name of its file.
sub look_at_files {
    my ($self) = @_;
    for my $set (@{ $self->{order} }) {
        my ($v, $next) = @{ $self->{sets}{$set} };
        my ($spot) = $self->spots($set) or next;
        next if !$next || !defined $v->{name} || $v->{name} !~ /\./
            || ($v->{file} // 'httpd') eq ($next->{file} // 'httpd')
            || ($v->{file} // 'httpd') =~ /\A\d|default|catch/;
        my $name = 'unknown.' . filler() . '.nowhere';
        $self->truth('0430', $set)
            if $self->ask($spot, $name)->{vhost} eq $v->{id}
                && !grep { matches($_, $name) } names($v);
    }
    return;
}

# ----- refusals -----

sub is_refused {
    my ($o) = @_;
    return defined $o->{error} || $o->{status} =~ /\A4(?:00|03|21)\z/;
}

sub look_at_refusals {
    my ($self) = @_;
    my $says = qr/\ASNIVHost(?:Unknown|Missing)\w+ refuse/;
    my @speakers = grep { grep { /\ASNIVHost(?:Unk|Mis|All)/ }
                          @{ $_->{lines} } } @{ $self->{vhosts} };
    if ($self->{c}{mode} ne 'On') {
        for my $v (@speakers) {
            next if !grep { /$says/ } @{ $v->{lines} };
            $self->truth('0441', '');
        }
        return;
    }
    for my $v (@speakers) {
        my @sets = grep { $self->{sets}{$_}[0] == $v }
            map { Sniv::DiffLint::address($self->{c}, $_) }
            @{ $v->{addrs} };
        if (grep { !$self->spots($_) } @sets) {
            # nothing is seen of it
            $self->{true}{$_}{ $v->{id} } = 1 for '0440' .. '0448';
            next;
        }
        my @spots = map { ($self->spots($_))[0] } @sets;
        $self->look_at_speaker($v, @spots);
    }
    return;
}

sub look_at_speaker {
    my ($self, $v, @spots) = @_;
    my %says = map { /\ASNIVHost(\w+) refuse/ ? ($1 => 1) : () }
        @{ $v->{lines} };
    my @allowed = map { /\ASNIVHostAllowHost (.*)/ ? split(' ', $1) : () }
        @{ $v->{lines} };
    my @tls = grep { $self->speaks_tls($_) } @spots;
    my @unknown = map { 'u' . filler() . '.' . filler() . '.nowhere' } 1 .. 4;
    $self->truth('0440', $v->{id})
        if ($says{UnknownSNI} || $says{MissingSNI}) && !@tls;
    for my $what ([UnknownHost => @spots], [UnknownSNI => @tls]) {
        my ($directive, @there) = @$what;
        next if !$says{$directive} || !@there;
        $self->truth('0442', $v->{id}, $directive) if !grep { my $spot = $_;
            grep { is_refused($self->ask($spot, $_)) } @unknown } @there;
    }
    for my $name (@allowed) {
        next if is_glob($name);
        my $asked = $name eq '-' ? undef : $name;
        my (%with, %without);
        for my $spot (@spots) {
            my $o = $self->ask($spot, $asked);
            my $u = $self->ask($spot, defined $asked && $asked !~ /[^0-9.]/
                               ? '192.0.2.99' : defined $asked ? $unknown[0]
                               : undef);
            $with{ is_refused($o) ? 1 : 0 } = $o;
            $without{ is_refused($u) ? 1 : 0 } = 1 if defined $asked;
        }
        if (!$with{0} && %with) {
            $self->truth($with{1}{error} ? '0447' : '0448', $v->{id}, $name);
        }
        elsif (!$with{1} && !$without{1}
               && !(keys %{ $self->{true}{'0442'} || {} })) {
            $self->truth('0446', $v->{id}, $name) if defined $asked
                || !($says{MissingSNI} && @tls) && !$says{UnknownHost};
        }
    }
    return;
}

# ----- all -----

sub look {
    my ($self) = @_;
    $self->look_at_names;
    $self->look_at_addresses;
    $self->look_at_certificates;
    $self->look_at_files;
    $self->look_at_refusals;
    return;
}

# Whether nothing is seen of a virtual host, as no connection comes to its
# addresses.
sub is_unseen {
    my ($self, $f) = @_;
    my $id = $self->{lines}{ $f->{defined_at} // '' } or return 0;
    return !grep { $self->spots(Sniv::DiffLint::address($self->{c}, $_)) }
        @{ $self->by_id($id)->{addrs} };
}

# What a finding is about, as a key.
sub key {
    my ($self, $f) = @_;
    my ($code) = $f->{code} =~ /(\d{4})/;
    my $text = $f->{message};
    my $id = $self->{lines}{ $f->{defined_at} // '' } // 'main';
    if ($code =~ /\A040[023]\z/) {
        my ($at) = $text =~ /\((\S+:\d+)\), which comes first/;
        return "$id<" . ($self->{lines}{ $at // '' } // '?');
    }
    return "$id $1" if $code eq '0404'
        && $text =~ /\Ano client asks for '(.*?)': /;
    if ($code =~ /\A04(?:05|1[0135]|30)\z/) {
        my ($set) = grep { defined } $text =~ /patterns\ on\ (\S+)\ begin
            |nothing\ listens\ on\ (\S+),|on\ (\S+)\ is\ never\ reached
            |first\ virtual\ host\ of\ (\S+),\ has
            |\Avirtual\ hosts\ of\ (\S+)\ cannot|answers\ on\ (\S+)\ for/x;
        return $set // '?';
    }
    if ($code =~ /\A04(?:2[234578]|6[2345])\z/) {
        my ($cn) = $text =~ m{/(s\d-\w+)\.(?:crt|pem)\b};
        return $cn // '?';
    }
    return '' if $code eq '0441';
    return $id;
}

1;
