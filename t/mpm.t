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

# The other MPMs: a smaller part of the tests with prefork and worker (the
# suite itself runs with event, or with SNIVHOST_MPM).

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use Sniv::Certs;
use Sniv::Client;
use Sniv::H2;
use Sniv::Httpd;

my @mpms = grep { $_ ne Sniv::Httpd::mpm() } qw(prefork worker event);
# [name, virtual host, certificate]
my @names = (['v0.test', 'v0', 'c0'], ['a.x.test', 'v1', 'c1'],
             ['alias.test', 'v1', 'c1'], ['q.y.test', 'v1', 'c1'],
             ['B.X.test', 'v2', 'c2'], ['unknown.test', 'v0', 'c0']);
plan tests => @mpms * (3 * @names + 6);

Sniv::Certs::make();
for my $mpm (@mpms) {
    my $h = Sniv::Httpd->new(name => "mpm-$mpm", ports => 2, mpm => $mpm,
                             conf => sub {
        my ($port, $tls_port) = @_;
        my $conf = "Listen 127.0.0.1:$port\nListen 127.0.0.1:$tls_port\n"
            . "Protocols h2 http/1.1\nSSLSessionCache shmcb:s(128000)\n"
            . "LogFormat \"%v %>s %r\" short\nCustomLog access.log short\n";
        for my $p ($port, $tls_port) {
            my $n = 0;
            for (['v0.test'], ['a.x.test', 'alias.test', '*.y.test'],
                 ['b.x.test']) {
                my ($name, @aliases) = @$_;
                $conf .= "<VirtualHost 127.0.0.1:$p>\nServerName $name\n"
                    . (@aliases ? "ServerAlias @aliases\n" : '')
                    . "Header always set X-Vhost v$n\n"
                    . ($p == $tls_port ? "SSLEngine on\n"
                       . Sniv::Certs::conf("c$n") : '')
                    . "</VirtualHost>\n";
                $n++;
            }
        }
        return $conf;
    });
    $h->write('htdocs/index.html', "page\n");
    $h->start;
    my ($port, $tls_port) = $h->ports;
    for my $n (@names) {
        my ($name, $label, $cert) = @$n;
        my $r = Sniv::Client->new(addr => '127.0.0.1', port => $port)
            ->get($name);
        is("$r->{status} $r->{headers}{'x-vhost'}", "200 $label",
           "$mpm, HTTP: $name");
        my $c = Sniv::Client->new(addr => '127.0.0.1', port => $tls_port,
                                  tls => { sni => $name });
        my $cn = $c->error || $c->cert;
        $r = $c->get($name);
        is("$cn $r->{status} $r->{headers}{'x-vhost'}", "$cert 200 $label",
           "$mpm, HTTPS: $name");
        SKIP: {
            skip $Sniv::H2::WHY_NOT, 1 if $Sniv::H2::WHY_NOT;
            # httpd speaks no HTTP/2 with prefork
            my $want = $mpm eq 'prefork' ? '-' : 'h2';
            $c = Sniv::Client->new(addr => '127.0.0.1', port => $tls_port,
                tls => { sni => $name, alpn => ['h2', 'http/1.1'] });
            my $got = $c->alpn eq 'h2'
                ? Sniv::H2->new($c)->get($name) : $c->get($name);
            is("$got->{status} $got->{headers}{'x-vhost'}", "200 $label",
               "$mpm, ALPN " . $c->alpn . ": $name");
        }
    }
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $port);
    for (['a.x.test', 'v1'], ['b.x.test', 'v2'], ['x.test', 'v0']) {
        is($c->get($_->[0])->{headers}{'x-vhost'}, $_->[1],
           "$mpm, keep-alive: $_->[0]");
    }
    $c = Sniv::Client->new(addr => '127.0.0.1', port => $tls_port,
                           tls => { sni => 'a.x.test' });
    is($c->get('b.x.test')->{status}, 421, "$mpm, SNI and Host differ");
    my $r = Sniv::Client->new(addr => '127.0.0.1', port => $port)
        ->get('b.x.test', '/', 'Expect: junk');
    is("$r->{status} $r->{headers}{'x-vhost'}", '417 v2',
       "$mpm, a bad Expect");
    ok($h->wait_for_log('access.log', qr/\Ab\.x\.test 417 GET/),
       "$mpm, its log");
    $h->remove;
}
