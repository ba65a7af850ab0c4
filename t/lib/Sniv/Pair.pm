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

package Sniv::Pair;

# Two servers with the same configuration and the same port, on two loopback
# addresses: httpd without this module and httpd with it. What a client sees
# of one it has to see of the other.
#
#   my $pair = Sniv::Pair->new(name => 'adopt', conf => sub {
#       my ($port, $which, $other) = @_;  # which: stock or ours
#       return "<VirtualHost *:$port>...";
#   }, extra => "SNIVHostAdopt On\n");
#   $pair->start;
#   $pair->same('a name', sub { my ($addr, $port, $which) = @_; ... });

use strict;
use warnings;

use Test::More ();

use Sniv::Httpd;

my @WHICH = qw(stock ours);
my %ADDR = (stock => '127.0.0.1', ours => '127.0.0.2');

# name, conf; extra: lines for the server with the module only; mode: on or
# verify; the rest goes to Sniv::Httpd->new
sub new {
    my ($class, %arg) = @_;
    my $self = bless { conf => $arg{conf}, extra => $arg{extra} || '' },
        $class;
    my $ports = [Sniv::Httpd::free_ports(2)];
    @$self{qw(port other)} = @$ports;
    for my $which (@WHICH) {
        $self->{server}{$which} = Sniv::Httpd->new(
            loglevel => 'info', %arg, name => "$arg{name}-$which",
            mode => $which eq 'stock' ? 'off' : $arg{mode} || 'on',
            ports => $ports, conf => sub { $self->_conf($which) });
    }
    return $self;
}

sub _conf {
    my ($self, $which) = @_;
    return "Listen $ADDR{$which}:$self->{port}\n"
        . "Listen $ADDR{$which}:$self->{other}\nTypesConfig /dev/null\n"
        . 'LogFormat "%v:%p %>s %{SSL_PROTOCOL}x %{SSL_CIPHER}x '
        . "%{SSL_SESSION_RESUMED}x %r\" pair\nCustomLog access.log pair\n"
        . ($which eq 'ours' ? $self->{extra} : '')
        . $self->{conf}->($self->{port}, $which, $self->{other});
}

# Another configuration, for the next start or restart.
sub reconf {
    my ($self, %arg) = @_;
    @$self{ keys %arg } = values %arg;
    $self->{server}{$_}->write_conf for @WHICH;
    return $self;
}

sub server { return $_[0]{server}{ $_[1] }; }
sub port { return $_[0]{port}; }
sub other { return $_[0]{other}; }
sub addr { return $ADDR{ $_[1] }; }    # also as a class method
sub log { return $_[0]{server}{ $_[1] }->read($_[2] || 'error.log'); }

# A configuration with SNIVHostTLS On in place of SSLEngine on, but for the
# first $first: those are the first ones of their addresses.
sub by_hand {
    my ($class, $conf, $first) = @_;
    return sub {
        my ($port, $which, $other) = @_;
        my $text = $conf->($port, $which, $other);
        my $n = 0;
        $text =~ s/SSLEngine on/$n++ < $first ? $& : 'SNIVHostTLS On'/ge
            if $which eq 'ours';
        return $text;
    };
}

# The next starts begin with empty logs.
sub start {
    my ($self) = @_;
    for my $which (@WHICH) {
        my $server = $self->{server}{$which};
        unlink map { "$server->{dir}/$_" } qw(error.log access.log);
        $server->start;
    }
    return $self;
}

sub stop {
    my ($self) = @_;
    $self->{server}{$_}->stop for @WHICH;
    return $self;
}

# Graceful; returns when the parent has said that it is done.
sub restart {
    my ($self, @which) = @_;
    $self->{server}{$_}->graceful for @which ? @which : @WHICH;
    return $self;
}

# Without what has to differ: the address and the folder.
sub neutral {
    my ($self, $which, $text) = @_;
    my $dir = $self->{server}{$which}->dir;
    $text =~ s/\Q$dir\E/DIR/g;
    $text =~ s/\Q$ADDR{$which}\E/ADDR/g;
    return $text;
}

# Ask both the same and compare the answers (text). Returns whether they are
# equal; in list context also what stock said.
sub same {
    my ($self, $name, $ask) = @_;
    my %got = map {
        ($_ => $self->neutral($_, $ask->($ADDR{$_}, $self->{port}, $_)))
    } @WHICH;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    # Two servers that are not there are equal too.
    my $ok = $got{stock} =~ /\Aconnect:/
        ? Test::More::fail("$name: $got{stock}")
        : Test::More::is($got{ours}, $got{stock}, $name);
    return wantarray ? ($ok, $got{stock}) : $ok;
}

sub DESTROY {
    my ($self) = @_;
    local ($@, $!, $?);
    $_->remove for grep { $_ } values %{ $self->{server} || {} };
    return;
}

1;
