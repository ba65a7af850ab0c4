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


# Names come from files, certificates and directives, and whoever made those
# may be another than the administrator who reads: no control character of
# them gets to a terminal or into a page.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use File::Path qw(make_path remove_tree);
use JSON::PP ();
use Sniv::Chain qw(slurp);
use Sniv::Certs;
use Sniv::Client;
use Sniv::Httpd;

plan skip_all => 'the dumps are the module\'s own'
    if Sniv::Httpd::mode() eq 'off';

Sniv::Certs::make();
my $work = Sniv::Httpd::work() . "/terminal-files.$$";
END {
    my $status = $?;
    remove_tree($work) if $work;
    $? = $status;
}

# A title for the window, a new line, and one that clears the screen in
# UTF-8; bytes that are not UTF-8.
my $evil = "\e]0;x\a\nforged\xc2\x9b2J\x7f\xff";
my $made = 0;
sub make_pair {
    my ($file, $cn, $san, @ext) = @_;
    open my $conf, '>', "$work/openssl.cnf" or die "openssl.cnf: $!\n";
    print $conf "[req]\ndistinguished_name=dn\n[dn]\n[v3]\n",
        "subjectAltName=$san\n", map({ "$_\n" } @ext);
    close $conf;
    my $utf8 = $cn =~ /\xff/ ? 'nombstr' : 'utf8';
    my @cmd = (qw(openssl req -x509 -newkey ec -pkeyopt
        ec_paramgen_curve:prime256v1 -nodes -days 30 -utf8 -config),
        "$work/openssl.cnf", '-extensions', 'v3', '-subj', "/CN=$cn",
        '-keyout', "$work/key", '-out', "$work/crt");
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        open STDERR, '>', "$work/said";
        exec @cmd or die "openssl: $!\n";
    }
    waitpid $pid, 0;
    die 'openssl: ' . slurp("$work/said") if $?;
    open my $out, '>', $file or die "$file: $!\n";
    print $out slurp("$work/crt"), slurp("$work/key");
    close $out or die "$file: $!\n";
    $made++;
    return;
}
make_path("$work/certs/$evil");
make_pair("$work/certs/$evil.pem", "cn\e[2J\xc2\x9b2J", "DNS:a.test,DNS:x\e[2J.test");
make_pair("$work/certs/$evil/cert.pem", 'b', 'DNS:b.test,DNS:*.b.test');
{
    open my $out, '>', "$work/certs/broken$evil.pem" or die "broken: $!\n";
    print $out "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    close $out;
}
make_pair("$work/own$evil.pem", "own\e[2J", 'DNS:own.test');
is($made, 3, 'certificates with control characters');

my $h = Sniv::Httpd->new(name => 'terminal', conf => sub {
    my ($port) = @_;
    return "Listen 127.0.0.1:$port\nSNIVHostAdopt On\n"
        . "SNIVHostCertificates $work/certs\n"
        . "Include \"$work/sites/*.conf\"\n"
        . "<VirtualHost 127.0.0.1:$port>\nServerName c0.test\nSSLEngine on\n"
        . Sniv::Certs::conf('c0') . "<Location /status>\n"
        . "SetHandler snivhost-status\n</Location>\n</VirtualHost>\n"
        . join '', map { "<VirtualHost 127.0.0.1:$port>\n"
            . "ServerName $_.test\nSSLEngine on\n</VirtualHost>\n" } qw(a b);
});
my ($port) = $h->ports;
make_path("$work/sites");
{
    # a file whose name is as bad; a directive cannot hold a line feed
    (my $name = $evil) =~ tr/\n//d;
    open my $out, '>', "$work/sites/$evil.conf" or die "conf: $!\n";
    print $out "<VirtualHost 127.0.0.1:$port>\nServerName n$name.test\n",
        "ServerAlias \"n$name\" \"turned\xe2\x80\xae.test\"\nSSLEngine on\nSSLCipherSuite \"HIGH\"\n",
        "SSLProtocol TLSv1.2\nSSLCertificateFile \"$work/own",
        $name, ".pem\"\n</VirtualHost>\n";
    close $out;
    rename "$work/own$evil.pem", "$work/own$name.pem" or die "rename: $!\n";
}

sub bad { return $_[0] =~ /([\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f])/ ? sprintf('%vd', $1) : ''; }

for my $args (['-D', 'DUMP_SNIVHOST'], ['-D', 'DUMP_SNIVHOST_JSON'],
              ['-D', 'DUMP_SNIVHOST_421'], ['-D', 'DUMP_SNIVHOST_LINT'],
              ['-D', 'DUMP_SNIVHOST_LINT_JSON'],
              ['-D', 'DUMP_SNIVHOST_EXPECT'], [],
              map { ['-c', "SNIVHostExplain $_"] }
              "https://a.test:$port/", "https://b.test:$port/ format=json",
              "127.0.0.1:$port sni=own.test host=a.test",
              "127.0.0.1:$port sni=a.test host=own.test") {
    my ($status, $out) = $h->check('-t', @$args);
    is($status, 0, "-t @$args") or diag $out =~ s/[^\n -~]/?/gr;
    is(bad($out), '', 'no control character')
        or diag $out =~ s/([^\n -~])/sprintf '<%02x>', ord $1/ger;
    unlike($out, qr/^forged/m, 'no line of its own');
    unlike($out, qr/\xe2\x80\xae/, 'no text that turns what follows')
        unless "@$args" =~ /JSON|json/;
    if ("@$args" =~ /JSON|json/) {
        $out =~ s/^SNIV.*\n//mg;
        $out =~ s/^Syntax OK\n//m;
        ok(eval { JSON::PP->new->latin1->decode($out =~ /^(\{.*\})/ms); 1 },
           'JSON') or diag $@;
    }
}
$h->start;
for my $page ("/status?address=127.0.0.1:$port&sni=a.test&host=a.test",
              '/status?set=0', '/status?format=json&dump=1',
              '/status?find=n%1b%0a%c2%9b',
              "/status?address=%1b%0a:1&sni=%1b&host=%c2%9b") {
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $port,
                              tls => { sni => 'c0.test' });
    my $r = $c->get('c0.test', $page, 'Connection: close');
    is($r->{status}, 200, $page);
    is(bad($r->{body}), '', 'no control character');
}
$h->stop;
is(bad($h->read('error.log')), '', 'the error log');
$h->remove;

done_testing;
