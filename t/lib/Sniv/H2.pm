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

package Sniv::H2;

# HTTP/2 on a Sniv::Client (RFC 9113), frame by frame, so that a test can
# send what a proper client would not. HPACK with an empty dynamic table:
# we never index, and tell the server not to.
#
#   my $h2 = Sniv::H2->new($client);
#   my $r = $h2->get('a.x.test', '/');
#   my @r = $h2->wait($h2->send_request(...), $h2->send_request(...));
#   $r->{status}, {headers}, {body}; {rst} or {error} if it was refused

use strict;
use warnings;

# Debian: libprotocol-http2-perl. Only the HPACK primitives are used.
our $WHY_NOT;
BEGIN {
    eval {
        require Protocol::HTTP2::HeaderCompression;
        require Protocol::HTTP2::StaticTable;
        1;
    } or $WHY_NOT = 'Protocol::HTTP2 (libprotocol-http2-perl) is missing';
}

use constant { DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4,
               PING => 6, GOAWAY => 7, WINDOW_UPDATE => 8,
               CONTINUATION => 9 };
use constant { END_STREAM => 1, ACK => 1, END_HEADERS => 4, PADDED => 8,
               PRIORITY => 0x20 };

# SETTINGS_HEADER_TABLE_SIZE 0, ENABLE_PUSH 0, INITIAL_WINDOW_SIZE 1 MiB
my $SETTINGS = pack 'nNnNnN', 1, 0, 2, 0, 4, 1 << 20;

sub new {
    my ($class, $client) = @_;
    # Stream 1 may be there already: the answer to a request that asked for
    # an upgrade.
    my $self = bless { client => $client, next => 1, streams => {
        1 => { status => 0, headers => {}, body => '' } } }, $class;
    $client->send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                  . frame(SETTINGS, 0, 0, $SETTINGS)
                  . frame(WINDOW_UPDATE, 0, 0, pack 'N', 1 << 24));
    return $self;
}

sub frame {
    my ($type, $flags, $stream, $payload) = @_;
    return substr(pack('N', length $payload), 1)
         . pack('CCN', $type, $flags, $stream) . $payload;
}

# Literals without indexing, never Huffman-coded: the bytes as given.
sub encode {
    my @fields = @_;
    my $block = '';
    while (my ($name, $value) = splice @fields, 0, 2) {
        $block .= "\0" . _string($name) . _string($value);
    }
    return $block;
}

sub _string {
    my ($s) = @_;
    return Protocol::HTTP2::HeaderCompression::int_encode(length $s, 7) . $s;
}

# A list of names and values.
sub decode {
    my ($block) = @_;
    my $static = \@Protocol::HTTP2::StaticTable::stable;
    my @fields;
    my $at = 0;
    while ($at < length $block) {
        my $first = ord substr $block, $at, 1;
        my $bits = $first & 0x80 ? 7 : $first & 0x40 ? 6
                 : $first & 0x20 ? 5 : 4;
        my ($index, $name, $value);
        $at += Protocol::HTTP2::HeaderCompression::int_decode(
            \$block, $at, \$index, $bits);
        next if $bits == 5;             # size of the dynamic table
        if ($bits == 7) {
            push @fields, @{ $static->[$index - 1] || ['?', '?'] };
            next;
        }
        if ($index) {
            $name = ($static->[$index - 1] || ['?'])->[0];
        }
        else {
            $at += Protocol::HTTP2::HeaderCompression::str_decode(
                \$block, $at, \$name);
        }
        $at += Protocol::HTTP2::HeaderCompression::str_decode(
            \$block, $at, \$value);
        push @fields, $name, $value;
    }
    return @fields;
}

# Send the fields of a request (pseudo header fields first) and no body
# (or $body); returns the stream's number.
sub send_fields {
    my ($self, $fields, $body) = @_;
    my $id = $self->{next};
    $self->{next} += 2;
    $self->{streams}{$id} = { status => 0, headers => {}, body => '' };
    my $bytes = frame(HEADERS,
        END_HEADERS | (defined $body ? 0 : END_STREAM), $id,
        encode(@$fields));
    $bytes .= frame(DATA, END_STREAM, $id, $body) if defined $body;
    $self->{client}->send($bytes);
    return $id;
}

# The usual request; undefined $authority sends none.
sub send_get {
    my ($self, $authority, $path, @more) = @_;
    return $self->send_fields([
        ':method' => 'GET', ':scheme' => $self->{client}{ssl} ? 'https'
        : 'http', (defined $authority ? (':authority' => $authority) : ()),
        ':path' => defined $path ? $path : '/', @more ]);
}

# Read until these streams have ended; their answers in that order.
sub wait {
    my ($self, @ids) = @_;
    while (grep { !$self->{streams}{$_}{done} } @ids) {
        if (!$self->_frame) {
            my $why = $self->{goaway} || $self->{client}->error
                || $self->{client}{read_error} || 'closed';
            for (@ids) {
                my $s = $self->{streams}{$_};
                $s->{error} = $why if !$s->{done};
            }
            last;
        }
    }
    my @r = map { $self->{streams}{$_} } @ids;
    return wantarray ? @r : $r[0];
}

sub get {
    my ($self, @args) = @_;
    return scalar $self->wait($self->send_get(@args));
}

# Wait until the server has read all that was sent; 0 if it went away.
sub ping {
    my ($self) = @_;
    delete $self->{pong};
    $self->{client}->send(frame(PING, 0, 0, 'snivhost'));
    while (!$self->{pong}) {
        $self->_frame or return 0;
    }
    return 1;
}

sub _frame {
    my ($self) = @_;
    my $head = $self->{client}->take(9);
    return 0 if length $head < 9;
    my ($type, $flags, $id) = unpack 'x3CCN', $head;
    my $length = unpack 'N', "\0" . substr $head, 0, 3;
    my $payload = $self->{client}->take($length);
    return 0 if length $payload < $length;
    my $s = $self->{streams}{$id} ||= { headers => {}, body => '' };
    if ($type == PING && $flags & ACK) {
        $self->{pong} = 1;
    }
    elsif ($type == SETTINGS && !($flags & ACK)) {
        $self->{client}->send(frame(SETTINGS, ACK, 0, ''));
    }
    elsif ($type == PING && !($flags & ACK)) {
        $self->{client}->send(frame(PING, ACK, 0, $payload));
    }
    elsif ($type == GOAWAY) {
        my (undef, $code) = unpack 'NN', $payload;
        $self->{goaway} = "goaway $code";
        return 1;
    }
    elsif ($type == RST_STREAM) {
        $s->{rst} = unpack 'N', $payload;
        $s->{done} = 1;
    }
    elsif ($type == HEADERS || $type == CONTINUATION) {
        if ($type == HEADERS) {
            $payload = _unpad($payload) if $flags & PADDED;
            substr $payload, 0, 5, '' if $flags & PRIORITY;
        }
        $s->{block} .= $payload;
        $s->{ends} = 1 if $type == HEADERS && $flags & END_STREAM;
        if ($flags & END_HEADERS) {
            my @fields = decode(delete $s->{block});
            while (my ($name, $value) = splice @fields, 0, 2) {
                $s->{headers}{$name} = defined $s->{headers}{$name}
                    ? "$s->{headers}{$name}, $value" : $value;
            }
            $s->{status} = $s->{headers}{':status'} || 0;
            $s->{done} = 1 if $s->{ends};
        }
    }
    elsif ($type == DATA) {
        $payload = _unpad($payload) if $flags & PADDED;
        $s->{body} .= $payload;
        $s->{done} = 1 if $flags & END_STREAM;
        # Give the bytes back at once; bodies are small.
        $self->{client}->send(frame(WINDOW_UPDATE, 0, 0,
                                    pack 'N', $length)) if $length;
    }
    return 1;
}

sub _unpad {
    my ($payload) = @_;
    my $pad = ord substr $payload, 0, 1;
    return substr $payload, 1, length($payload) - 1 - $pad;
}

1;
