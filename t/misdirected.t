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


# Help with 421: the line in the error log, the question that it suggests,
# and the list of places where it is going to happen.

use strict;
use warnings FATAL => 'all';

use File::Copy qw(copy);
use File::Path qw(remove_tree);
use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use Sniv::Certs;
use Sniv::Client;
use Sniv::H2;
use Sniv::Httpd;

# v1, v2, v4 and v6 share a certificate for shared.test and *.x.test
my %CERT = (
    v0 => 'c0', v1 => 'shared', v2 => 'shared', v3 => 'c3', v4 => 'shared',
    v6 => 'shared', v7 => 'shared',
);
my %LINES = (
    v2 => "SSLVerifyClient optional\nSSLCACertificateFile "
        . Sniv::Certs::ca() . "\n",
    v4 => "SSLProtocol TLSv1.2\n",
    v6 => "SSLCipherSuite HIGH\n",
);

my %where;                      # virtual host => line
sub conf {
    my ($port, @lines) = @_;
    my $sites = '';
    for my $v (sort keys %CERT) {
        $where{$v} = 1 + ($sites =~ tr/\n//);
        $sites .= "<VirtualHost 127.0.0.1:$port>\n  ServerName $v.x.test\n"
            . "  SSLEngine on\n"
            . ($CERT{$v} ? Sniv::Certs::conf($CERT{$v}) : '')
            . ($LINES{$v} || '') . "</VirtualHost>\n";
    }
    return ("Listen 127.0.0.1:$port\nTypesConfig /dev/null\n"
        . join('', map { "$_\n" } @lines) . "Protocols h2 http/1.1\n"
        . "SSLSessionCache none\nInclude sites.conf\n", $sites);
}

# A server with these lines.
my $number = 0;
sub server {
    my (@lines) = @_;
    my $sites;
    my $h = Sniv::Httpd->new(name => 'misdirected' . $number++,
        conf => sub {
            (my $conf, $sites) = conf($_[0], @lines);
            return $conf;
        });
    $h->write('sites.conf', $sites);
    $h->write('htdocs/index.html', "page\n");
    return $h;
}

sub ask {
    my ($h, $sni, $host, $path) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => ($h->ports)[0],
        tls => { defined $sni ? (sni => $sni) : () });
    return $c->error if $c->error;
    return $c->get($host, $path || '/', 'Connection: close')->{status};
}

# The lines that are new in the log. Of each folder: a new server may be the
# same reference as one that is gone.
my %read;
sub lines {
    my ($h, $want) = @_;
    my @lines;
    for (1 .. 100 * Sniv::Httpd::patience()) {
        @lines = $h->read('error.log') =~ /^.*SNIV0700: .*$/mg;
        splice @lines, 0, $read{ $h->dir } || 0;
        last if @lines >= $want;
        select undef, undef, undef, 0.02;
    }
    $read{ $h->dir } += @lines;
    return @lines;
}

# The next second: a line may be written again.
sub next_second {
    my $now = time;
    select undef, undef, undef, 0.02 while time == $now;
    return;
}

# [SNI, Host, what differs, and what does not stand in the line]
my %CASES = (
    secure => [
        ['v1.x.test', 'v4.x.test', "SSLProtocol, '.*TLSv1.3' against 'TLSv1.2' \\(\\S+\\)"],
        ['v4.x.test', 'v1.x.test', "SSLProtocol, 'TLSv1.2' \\(\\S+\\) against '.*TLSv1.3'"],
        ['v1.x.test', 'v6.x.test', 'SSLCipherSuite'],
        ['v1.x.test', 'v2.x.test', 'SSLVerifyClient'],
        ['v1.x.test', 'v3.x.test', 'SSLCertificateFile'],
        [undef, 'v1.x.test', 'no server name.*ProxyPreserveHost.*check-sni',
         'SSLCertificateFile|remove the second'],
        ['other.test', 'v1.x.test',
         "has the server name 'other.test'.*ServerAlias",
         'SSLCertificateFile|remove the second'],
        ['v3.x.test', 'v1.x.test', 'SSLCertificateFile.*it was no browser',
         'remove the second name'],
    ],
    authonly => [
        ['v1.x.test', 'v2.x.test', 'SSLVerifyClient', 'SSLProtocol'],
        ['v4.x.test', 'v2.x.test', 'SSLVerifyClient', 'SSLProtocol'],
    ],
    strict => [
        ['v1.x.test', 'v7.x.test',
         "lets no virtual host answer.*'SSLVHostSNIPolicy secure'"],
        ['v1.x.test', 'v4.x.test', 'lets no virtual host answer.*Remove the sec',
         "'SSLVHostSNIPolicy secure'"],
        [undef, 'v7.x.test', 'no server name.*ProxyPreserveHost', 'secure'],
    ],
);
# The one rule of a mod_ssl without the directive
my $without = !Sniv::Httpd::has_sni_policy();
%CASES = ('built-in' => [grep { $_->[0] } @{ $CASES{secure} }]) if $without;
my $RULE = $without ? '\(of an httpd without SSLVHostSNIPolicy\)'
                    : 'SSLVHostSNIPolicy secure';
my $ncases = map { @$_ } values %CASES;

plan tests => 4 * $ncases + 29, sub {
    Sniv::Httpd::mode() ne 'off' ? 1
        : skip_reason('the module is not loaded');
};
Sniv::Certs::make();

for my $policy (sort keys %CASES) {
    my $h = server(Sniv::Httpd::sni_policy_conf($policy));
    my $rule = $RULE =~ s/ secure/ $policy/r =~ s/ /\\ /gr;
    $h->start;
    my ($port) = $h->ports;
    for my $case (@{ $CASES{$policy} }) {
        my ($sni, $host, $differs, $not) = @$case;
        my $title = "$policy, SNI " . ($sni || 'none') . ", Host $host";
        next_second();
        is ask($h, $sni, $host), 421, "$title: 421";
        my ($line) = lines($h, 1);
        $line //= '';
        my ($v, $w) = map { /^(v\d)/ ? $1 : 'v0' } $sni || 'v0', $host;
        my $said = $sni ? "SNI\\ '\Q$sni\E'" : 'no\\ SNI';
        like $line, qr{
            answered\ 421:\ the\ handshake\ was\ for\ $said\ and
            \ $v\.x\.test\ \(\S+sites\.conf:$where{$v}\);
            \ the\ request\ is\ for\ Host\ '\Q$host\E'\ and
            \ $w\.x\.test\ \(\S+sites\.conf:$where{$w}\)\.
            .*\ $rule\ .*\ For\ details\ run:\ apachectl\ }x, 'the line names both';
        ok $line =~ /$differs/ && (!$not || $line !~ /$not/),
            'and what differs' or diag $line;

        # The question that the line suggests says the same.
        my ($question) = $line =~ /-c '(SNIVHostExplain [^']*)'/;
        my ($status, $answer) = $h->check('-t', '-c',
                                          "$question format=json");
        $answer =~ s/^Syntax OK\n//m;
        my $json = eval { JSON::PP->new->utf8->decode($answer) } || {};
        my @names = $line =~ /(?:equal values of: |; )(SSL\w+(?: TLSv1\.3)?), /g;
        my @asked = map { $_->{directive} }
            grep { grep { $_ eq $policy } @{ $_->{policies} } }
            @{ $json->{differs} || [] };
        $json->{status} //= 'no answer';
        @asked = () if !$sni || $sni eq 'other.test';
        is "$json->{status} @asked", "421 @names",
            'the question that it suggests agrees' or diag $answer;
    }
    $h->remove;
}

# What is no 421 of mod_ssl's has no line.
{
    my $h = server(Sniv::Httpd::sni_policy_conf('insecure'),
                   'Redirect 421 /elsewhere');
    $h->start;
    is ask($h, 'v1.x.test', $without ? 'v7.x.test' : 'v4.x.test'), 200,
        'no 421';
    is ask($h, 'v1.x.test', $without ? 'v7.x.test' : 'v4.x.test',
           '/elsewhere'), 421,
        'a 421 of another module';
    is ask($h, 'v1.x.test', 'v1.x.test', '/elsewhere'), 421,
        'and in the same virtual host';
    $h->signal('TERM');
    $h->stop;
    is scalar(lines($h, 0)), 0, 'no line';
    $h->remove;
}

# A line a second, and none is lost.
{
    my $h = server();
    $h->start;
    next_second();
    is join(' ', map { ask($h, 'v1.x.test', 'v4.x.test') } 1 .. 8),
        join(' ', (421) x 8), 'eight 421';
    next_second();
    is ask($h, 'v1.x.test', 'v4.x.test'), 421, 'and one';
    # Two lines, or more if the eight took more than a second
    my ($sum, @lines) = (0);
    while ($sum < 9) {
        my @new = lines($h, 1) or last;
        $sum += 1 + (/\(and (\d+) like it/ ? $1 : 0) for @new;
        push @lines, @new;
    }
    ok @lines < 9 || Sniv::Httpd::mpm() eq 'prefork', 'fewer lines';
    is $sum, 9, 'that stand for all' if Sniv::Httpd::mpm() ne 'prefork';
    pass 'that stand for all' if Sniv::Httpd::mpm() eq 'prefork';

    next_second();
    is ask($h, "e\x1b'\nvil.test", 'v1.x.test'), 421, 'an evil SNI';
    my ($line) = lines($h, 1);
    like $line || '', qr/SNI 'e\\\\x1b'\\\\nvil\.test' and v0/, 'is escaped';

  SKIP: {
        skip $Sniv::H2::WHY_NOT, 3 if $Sniv::H2::WHY_NOT;
        next_second();
        my $c = Sniv::Client->new(addr => '127.0.0.1',
            port => ($h->ports)[0],
            tls => { sni => 'v1.x.test', alpn => ['h2'] });
        my $h2 = Sniv::H2->new($c);
        is $h2->get('v1.x.test', '/')->{status}, 200, 'HTTP/2';
        is $h2->get('v3.x.test', '/')->{status}, 421,
            'HTTP/2, for another virtual host';
        ($line) = lines($h, 1);
        like $line || '', qr/SNI 'v1\.x\.test' and v1.*Host 'v3\.x\.test'/,
            'has the line';
    }

    # Where it is going to happen.
    my ($status, $said) = $h->check('-t', '-D', 'DUMP_SNIVHOST_421');
    my $dir = Sniv::Certs::dir();
    $said =~ s{[^\s(]*/(\w+\.conf)}{$1}g;
    like $said, qr/\A1 certificate covers .* 421\n/,
        'DUMP_SNIVHOST_421: the first line is the answer' or diag $said;
    like $said, qr/^(?:mod_ssl )?$RULE$/m, '... then the rule';
    like $said, qr{^\Q127.0.0.1:@{[$h->ports]}  $dir/shared.crt\E
        \ \(shared\.test,\ \*\.x\.test\)\n
        \ +set-up\ 1:\ v1\.x\.test\ \(sites\.conf:$where{v1}\),
        \ v7\.x\.test\ \(sites\.conf:$where{v7}\)\n
        \ +set-up\ 2:\ v2\.x\.test\ .*\n
        \ +SSLVerifyClient:\ 'optional'\ \(sites\.conf:\d+\),
        \ in\ set-up\ 1\ 'none'\n}mx, 'groups and what differs' or diag $said;
    like $said, qr/set-up \d: v3\.x\.test.*\n +SSLCertificateFile: /,
        'a certificate of its own is a set-up of its own';
    unlike $said, qr{/c9\.crt}, 'and no other certificate';
    # Without the directive mod_ssl answers requests without SNI
    my ($lists, $helps) = (qr{^\S+\ \ clients\ without\ a\ server\ name\ \(SNI\):
        \ v0\.x\.test\ .*\ handles\ their\ handshakes\n
        \ +421\ for\ 6\ virtual\ hosts:\ v1\.x\.test\ .*\ and\ 1\ more\n}mx,
        qr/^1 address where clients without .*check-sni/m);
    ($lists, $helps) = (qr/\A(?!.*clients without)/s) x 2 if $without;
    like $said, $lists, 'and clients without SNI' or diag $said;
    like $said, $helps, 'with what helps';
    $h->remove;
}
{
    # One without TLS among others: the default does its handshakes
    local $LINES{v2} = "SSLEngine off\n";
    my $h = server();
    my ($status, $said) = $h->check('-t', '-D', 'DUMP_SNIVHOST_421');
    like $said, qr/set-up \d: v2\.x\.test .*\n(?: {12}.*\n)* +SSLEngine: 'off'/,
        'SSLEngine off is a set-up of its own' or diag $said;
    $h->remove;
}
{
    # a certificate that covers nobody: each name gets a connection
    local @CERT{keys %CERT} = ('c9') x keys %CERT;
    my $h = server();
    my ($status, $said) = $h->check('-t', '-D', 'DUMP_SNIVHOST_421');
    like $said, qr/^no certificate covers/m, 'nobody has its name';
    $h->remove;
}
{
    # the second certificate of v1 covers the others, of its own there is one
    local @CERT{keys %CERT} = map { /v(\d)/ && "c$1" } keys %CERT;
    local $LINES{v1} = Sniv::Certs::conf('shared');
    my $h = server();
    my ($status, $said) = $h->check('-t', '-D', 'DUMP_SNIVHOST_421');
    like $said, qr{/shared\.crt \(shared\.test, \*\.x\.test\)$}m,
        'a second certificate is looked at';
    like $said, qr/set-up 1: v1\.x\.test .*\n +set-up 2: v0\.x\.test /,
        'of the one that serves it, and those that it covers';
    $h->remove;
}
{
    # certificates in a folder, of one that has no files and of the default
    my $dir = Sniv::Httpd::work() . "/misdirected.$$.certs";
    mkdir $dir;
    for my $file (Sniv::Certs::crt('shared'), Sniv::Certs::key('shared')) {
        copy($file, "$dir/") or die "$file: $!\n";
    }
    my %said;
    for my $folder ('v1', 'v0', 'v3') {
        local @CERT{keys %CERT} = map { /v(\d)/ && "c$1" } keys %CERT;
        local $LINES{$folder} = "SNIVHostCertificates $dir\n";
        $CERT{v1} = undef if $folder eq 'v1';
        my $h = server();
        (my $status, $said{$folder}) =
            $h->check('-t', '-D', 'DUMP_SNIVHOST_421');
        $h->remove;
    }
    remove_tree($dir);
    like $said{v1}, qr{$dir/shared\.crt\ \(.*\n\ +set-up\ 1:\ v1\.x\.test\ .*
        \n\ +set-up\ 2:\ v0\.x\.test\ }x, 'a certificate in a folder';
    like $said{v0}, qr{$dir/shared\.crt\ \(.*\n\ +set-up\ 1:\ v0\.x\.test\ }x,
        'the default, for names that nobody has';
    like $said{v3}, qr/^no certificate covers/m,
        'who has files serves no other certificates';
}
SKIP: {
    skip $Sniv::Httpd::WHY_NO_SNI_POLICY, 2 if $without;
    my $h = server('SSLVHostSNIPolicy insecure');
    my ($status, $said) = $h->check('-t', '-D', 'DUMP_SNIVHOST_421');
    like $said, qr/^no certificate covers/m,
        'DUMP_SNIVHOST_421 with the policy insecure';
    unlike $said, qr/without a server name/, 'and no word of clients';
    $h->remove;
}
