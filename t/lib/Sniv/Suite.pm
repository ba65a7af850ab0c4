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

package Sniv::Suite;

# What the tests of the shared server have in common: its ports, a request
# with a number that is found again in the access log, and the checks.

use strict;
use warnings;

use Apache::Test ();
use Exporter qw(import);
use Test::More ();
use Time::HiRes qw(sleep time);

use Sniv::Client;
use Sniv::Certs;
use Sniv::H2;
use Sniv::Httpd;

our @EXPORT = qw(port_http port_https port_other mode ask_http ask_https
                 ask_h2 ask_raw is_vhost logged tls http new_id);

sub _var { return Apache::Test::vars()->{"sniv_$_[0]"}; }
sub port_http  { return _var('http'); }
sub port_https { return _var('https'); }
sub port_other { return _var('other'); }
sub mode { return Sniv::Httpd::mode(); }

my $number = time . ".$$.";
my $count = 0;

# A connection.
sub http {
    my ($addr, %arg) = @_;
    return Sniv::Client->new(addr => $addr, port => port_http(), %arg);
}

sub tls {
    my ($addr, $sni, %tls) = @_;
    return Sniv::Client->new(addr => $addr, port => port_https(),
        tls => { (defined $sni ? (sni => $sni) : ()), %tls });
}

# One request on its own connection; the path gets the number as a query.
# $lines is a reference to more header lines.
sub ask_http {
    my ($addr, $host, $path, $lines, %arg) = @_;
    return _ask(http($addr, %arg), $host, $path, $lines);
}

sub ask_https {
    my ($addr, $sni, $host, $path, $lines, %tls) = @_;
    return _ask(tls($addr, $sni, %tls), $host, $path, $lines);
}

sub ask_h2 {
    my ($addr, $sni, $host, $path, %tls) = @_;
    my $c = tls($addr, $sni, alpn => ['h2', 'http/1.1'], %tls);
    return { status => 0, error => $c->error } if $c->error;
    return { status => 0, error => 'no h2' } if ($c->alpn || '') ne 'h2';
    my $id = new_id();
    my $r = Sniv::H2->new($c)->get($host, _numbered($path, $id));
    @$r{qw(id client)} = ($id, $c);
    return $r;
}

sub new_id { return $number . $count++; }

# Bytes on a connection of their own, or on the one given as client => $c.
# ID in them is replaced by the number; without it the log is not looked at.
sub ask_raw {
    my ($addr, $bytes, %arg) = @_;
    my $c = $arg{client} || http($addr, %arg);
    return { status => 0, error => $c->error } if $c->error;
    my $id = new_id();
    my $has_id = $bytes =~ s/\bID\b/$id/g;
    my $r = $c->request($bytes);
    $r->{id} = $id if $has_id;
    $r->{client} = $c;
    return $r;
}

sub _numbered {
    my ($path, $id) = @_;
    $path = '/' if !defined $path;
    return "$path?$id";
}

sub _ask {
    my ($c, $host, $path, $lines) = @_;
    return { status => 0, error => $c->error } if $c->error;
    my $id = new_id();
    my $r = $c->get($host, _numbered($path, $id), 'Connection: close',
                    @{ $lines || [] });
    @$r{qw(id client)} = ($id, $c);
    return $r;
}

# The access log's line of an answer, as fields; it is written a moment
# after the answer.
sub logged {
    my ($r) = @_;
    my $file = Apache::Test::vars('t_logs') . '/access.log';
    my $end = time + 5 * Sniv::Httpd::patience();
    while (defined $r->{id}) {
        open my $fh, '<', $file or last;
        while (my $line = <$fh>) {
            next if $line !~ /\Q?$r->{id}\E(?!\d)/;
            my %f;
            @f{qw(label v p status protocol request sni tls cn)} =
                $line =~ /\A(\S+) (\S+) (\S+) (\S+) (\S+) "(.*)" (\S+) (\S+) (\S+)$/;
            return \%f;
        }
        last if time > $end;
        sleep 0.02;
    }
    return {};
}

# The virtual host that answered, by header, page and log; status 200 or
# the one given.
sub is_vhost {
    my ($r, $label, $what, $status) = @_;
    $status ||= 200;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $log = logged($r);
    my $got = join ' ', map { defined $_ ? $_ : '-' } $r->{status},
        $r->{headers}{'x-vhost'}, defined $r->{id}
        ? ($log->{label}, $log->{status}) : ();
    my $wanted = "$status $label";
    $wanted .= " $label $status" if defined $r->{id};
    return Test::More::is($got, $wanted, $what)
        && ($status != 200 || !defined $r->{id}
            || $r->{body} eq "$label\n"
            || Test::More::fail("$what: the page is not its own"))
        || Test::More::diag('error: ', $r->{error} || 'none', ' body: ',
                            $r->{body} || '');
}

1;
