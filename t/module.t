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

# The module itself: what it logs, its three modes, without mod_ssl, its
# symbols, and what it says to a configuration that is wrong.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use Sniv::Certs;
use Sniv::Client;
use Sniv::H2;
use Sniv::Httpd;

plan skip_all => 'SNIVHOST=off' if Sniv::Httpd::mode() eq 'off';

Sniv::Certs::make();

sub conf {
    my ($port, $tls_port) = @_;
    my $conf = "Listen 127.0.0.1:$port\nListen 127.0.0.1:$tls_port\n"
        . "Listen 127.0.0.2:$port\nListen 127.0.0.3:$port\n"
        . "Listen 127.0.0.2:$tls_port\nProtocols h2 h2c http/1.1\n";
    for my $p ($port, $tls_port) {
        my $n = 0;
        for (['v0', 'v0.test'], ['v1', 'a.x.test', 'alias.test', '*.y.test'],
             ['v2', 'b.x.test']) {
            my ($label, $name, @aliases) = @$_;
            $conf .= "<VirtualHost 127.0.0.1:$p>\nServerName $name\n"
                . (@aliases ? "ServerAlias @aliases\nServerPath /sp/\n" : '')
                . "Header always set X-Vhost $label\n"
                . ($p == $tls_port ? "<IfModule mod_ssl.c>\nSSLEngine on\n"
                   . Sniv::Certs::conf('c' . $n++) . "</IfModule>\n" : '')
                . "</VirtualHost>\n";
        }
    }
    return $conf . "<VirtualHost localhost:$port>\nServerName text.test\n"
        . "Header always set X-Vhost text\n</VirtualHost>\n"
        . "<VirtualHost 127.0.0.2:$port>\nServerName alone.test\n"
        . "Header always set X-Vhost alone\n</VirtualHost>\n"
        . "<VirtualHost 127.0.0.2:$tls_port>\nServerName alonetls.test\n"
        . "<IfModule mod_ssl.c>\nSSLEngine on\n" . Sniv::Certs::conf('c5')
        . "</IfModule>\n</VirtualHost>\n";
}

sub server {
    my ($name, %arg) = @_;
    my $h = Sniv::Httpd->new(name => "module-$name", ports => 2,
                             conf => \&conf, %arg);
    $h->write('htdocs/index.html', "page\n");
    $h->write('htdocs/sp/index.html', "page\n");
    return $h->start;
}

# ----- one line per handshake and per request says who and why

{
    my $h = server('log', loglevel => 'info snivhost:debug');
    my ($port, $tls_port) = $h->ports;
    my $seen = 0;
    # The lines of the module since the last time; waits for the first.
    my $lines = sub {
        my @all;
        for (1 .. 200 * Sniv::Httpd::patience()) {
            @all = $h->read('error.log') =~ /^(.*\[snivhost:debug\].*)$/mg;
            last if @all > $seen;
            select undef, undef, undef, 0.02;
        }
        my @new = @all[$seen .. $#all];
        $seen = @all;
        return @new;
    };
    $lines->() if $h->read('error.log') =~ /snivhost:debug/;

    # [what, bytes, rule, virtual host]
    my $get = sub { "GET / HTTP/1.1\r\nHost: $_[0]\r\n"
                    . "Connection: close\r\n\r\n" };
    my @requests = (
        ['servername', $get->('a.x.test'), qr/servername.*a\.x\.test/, 'a.x.test'],
        ['alias', $get->('ALIAS.test'), qr/alias.*alias\.test/, 'a.x.test'],
        ['glob', $get->('q.y.test'), qr/glob.*\*\.y\.test/, 'a.x.test'],
        ['default', $get->('unknown.test'), qr/default/, 'v0.test'],
        ['address-text', $get->('localhost'), qr/address-text.*localhost/,
         'text.test'],
        ['path', "GET /sp/ HTTP/1.0\r\n\r\n", qr/path.*\/sp\//, 'a.x.test'],
        ['default, no name', "GET / HTTP/1.0\r\n\r\n", qr/default/,
         'v0.test'],
        ['ip', $get->('x.test'), qr/\bip\b/, 'alone.test', '127.0.0.2'],
        ['main', $get->('x.test'), qr/\bmain\b/, 'main.test', '127.0.0.3'],
        ['refused with 417', "GET / HTTP/1.1\r\nHost: b.x.test\r\n"
         . "Expect: x\r\n\r\n", qr/servername/, 'b.x.test'],
    );
    for my $r (@requests) {
        my ($rule, $bytes, $regex, $vhost, $addr) = @$r;
        Sniv::Client->new(addr => $addr || '127.0.0.1', port => $port)
            ->request($bytes);
        my @new = $lines->();
        is(scalar @new, 1, "$rule: one line for a request")
            or diag join "\n", @new;
        like($new[0] || '', qr/SNIV\d{4}: .*\Q$vhost\E\b.*rule $regex/,
             "$rule: the line says who and why");
        my ($file_line) = ($new[0] || '') =~ /\bvhost \S+ \((.*?):(\d+)\)/;
        ok($rule eq 'main' || ($file_line && -e $file_line),
           "$rule: and where it is defined");
    }

    # [what, SNI, rule, virtual host]
    my @handshakes = (
        ['sni servername', 'a.x.test', qr/servername/, 'a.x.test'],
        ['sni alias', 'alias.test', qr/alias/, 'a.x.test'],
        ['sni glob', 'q.y.test', qr/glob/, 'a.x.test'],
        ['sni unknown', 'unknown.test', qr/default/, 'v0.test'],
        ['no sni', undef, qr/default/, 'v0.test'],
        ['sni ip', 'x.test', qr/\bip\b/, 'alonetls.test', '127.0.0.2'],
    );
    for my $s (@handshakes) {
        my ($what, $sni, $regex, $vhost, $addr) = @$s;
        Sniv::Client->new(addr => $addr || '127.0.0.1', port => $tls_port,
            tls => { defined $sni ? (sni => $sni) : () })->close;
        my @new = $lines->();
        is(scalar @new, 1, "$what: one line for a handshake")
            or diag join "\n", @new;
        like($new[0] || '', qr/SNIV\d{4}: .*\Q$vhost\E\b.*rule $regex/,
             "$what: the line says who and why");
    }

    # What a peer sent is escaped.
    Sniv::Client->new(addr => '127.0.0.1', port => $tls_port,
                      tls => { sni => "evil\n\e[31m.test" })->close;
    my ($line) = $lines->();
    unlike($line, qr/\e/, 'the server name is escaped');
    like($line, qr/evil\\+n/, 'and shown');

    # One line for each stream
    SKIP: {
        skip $Sniv::H2::WHY_NOT, 2 if $Sniv::H2::WHY_NOT;
        my $c = Sniv::Client->new(addr => '127.0.0.1', port => $tls_port,
            tls => { sni => 'a.x.test', alpn => ['h2'] });
        my $h2 = Sniv::H2->new($c);
        $lines->();
        $h2->get($_) for 'a.x.test', 'alias.test', 'b.x.test';
        my @new = $lines->();
        is(scalar @new, 3, 'one line for each HTTP/2 stream');
        like("@new", qr/servername.*alias.*servername/s, 'with its rule');
    }
    $h->remove;
}

# Without debug it is silent
{
    my $h = server('silent', loglevel => 'info');
    Sniv::Client->new(addr => '127.0.0.1', port => ($h->ports)[0])
        ->get('a.x.test');
    Sniv::Client->new(addr => '127.0.0.1', port => ($h->ports)[1],
                      tls => { sni => 'a.x.test' })->get('a.x.test');
    $h->stop;
    my @lines = grep { /snivhost:.*\[(?:client|remote)/ }
        split /\n/, $h->read('error.log');
    is("@lines", '', 'nothing is logged per request without debug');
    my @start = $h->read('error.log') =~ /(SNIV\d+: SNIVHost .*)/g;
    is(scalar @start, 1, 'one line at the start');
    like($start[0], qr/\A\S+ SNIVHost (?:On|Verify): \d+ virtual hosts/,
         'says mode and number of virtual hosts');
    $h->remove;
}

# ----- Off is the default, and nothing

for my $mode ('SNIVHost Off', '') {
    my $h = server('off', mode => 'off', loglevel => 'debug', with => [
        'LoadModule snivhost_module "' . Sniv::Httpd::module_so() . '"',
        $mode ]);
    my $r = Sniv::Client->new(addr => '127.0.0.1', port => ($h->ports)[0])
        ->get('a.x.test');
    is($r->{headers}{'x-vhost'}, 'v1', ($mode || 'no SNIVHost') . ': HTTP');
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => ($h->ports)[1],
                              tls => { sni => 'a.x.test' });
    is($c->error || $c->cert, 'c1', ($mode || 'no SNIVHost') . ': HTTPS');
    $c->close;
    $h->stop;
    unlike($h->read('error.log'), qr/snivhost:(?!trace)/,
           'and not a word in the log');
    $h->remove;
}

# ----- Verify: httpd decides, the module looks and is content

{
    my $h = server('verify', mode => 'verify',
                   loglevel => 'info snivhost:debug');
    for my $host ('a.x.test', 'q.y.test', 'unknown.test', 'localhost') {
        Sniv::Client->new(addr => '127.0.0.1', port => ($h->ports)[0])
            ->get($host);
        Sniv::Client->new(addr => '127.0.0.1', port => ($h->ports)[1],
                          tls => { sni => $host })->get($host);
    }
    $h->stop;
    my $log = $h->read('error.log');
    unlike($log, qr/SNIV000[12]:/, 'Verify: no difference is logged');
    like($log, qr/rule servername/, 'Verify: decisions are');
    $h->remove;
}

# ----- Without mod_ssl

{
    my $h = server('nossl', modules => ['-ssl', '-http2', '-socache_shmcb'],
                   conf => sub { conf(@_) =~ s/^Protocols .*\n//mr });
    my $r = Sniv::Client->new(addr => '127.0.0.1', port => ($h->ports)[0])
        ->get('a.x.test');
    is($r->{headers}{'x-vhost'}, 'v1', 'it loads and works without mod_ssl');
    is(join("\n", Sniv::Httpd::bad_lines($h->error_log)), '',
       'and is content');
    $h->remove;
}

# ----- The file: one exported symbol

SKIP: {
    my @nm = grep { /\S/ } `nm -D --defined-only @{[
        quotemeta Sniv::Httpd::module_so() ]} 2>/dev/null`;
    skip 'no nm here', 1 if !@nm;
    @nm = grep { !/ [A-Za-z] (?:_init|_fini|__asan\w*|__ubsan\w*|
                     __odr_asan\S*)$/x } map { chomp; $_ } @nm;
    is("@nm" =~ s/\A\S+ //r, 'D snivhost_module', 'one exported symbol');
}

# ----- Mistakes

sub mistake {
    my ($what, $lines, @regex) = @_;
    my $h = Sniv::Httpd->new(name => 'module-mistake', mode => 'off',
        with => ['LoadModule snivhost_module "' . Sniv::Httpd::module_so()
                 . '"'],
        conf => sub { "Listen 127.0.0.1:$_[0]\n$lines" });
    my ($status, $said) = $h->check('-t');
    isnt($status, 0, "$what: refused");
    # httpd's own sentence names file and line; ours the remedy
    like($said, qr/Syntax error on line \d+ of \S+httpd\.conf/,
         "$what: file and line");
    like($said, $_, "$what: $_") for @regex;
    $h->remove;
    return;
}

mistake('a bad word', "SNIVHost Perhaps\n", qr/SNIVHost/, qr/On, Off or Verify/,
        qr/'Perhaps'/);
mistake('inside <VirtualHost>',
        "<VirtualHost *:80>\nSNIVHost On\n</VirtualHost>\n",
        qr/move it out of/);
mistake('inside <Directory>',
        "<Directory />\nSNIVHost On\n</Directory>\n",
        qr/not allowed/);
mistake('no argument', "SNIVHost\n", qr/SNIVHost takes one argument/);
mistake('an unknown directive', "SNIVHots On\n", qr/Invalid command/);

done_testing();
