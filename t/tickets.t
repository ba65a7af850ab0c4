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

# TLS sessions and restarts (SNIVHostTicketRotation): tickets are good after
# graceful restarts, for the virtual host that gave them and as long as its
# TLS directives are the same; at stock httpd no ticket is.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Sniv::Chain qw(make_cert);
use Sniv::Client;
use Sniv::Httpd;

plan skip_all => 'the module is not loaded'
    if Sniv::Httpd::mode() eq 'off';
plan skip_all => 'OpenSSL 3.0 is needed'
    if `openssl version` !~ /^OpenSSL (?:[3-9]|\d\d)/;

my $RESTARTS = $ENV{SNIVHOST_RESTARTS} || 10;
my $ssl = Sniv::Httpd::work() . "/tickets-ssl.$$";
make_cert($ssl, $_) for qw(first one two ip);

# What changes from one start to the next
my %now;
sub reset_conf {
    %now = (mode => 'on', rotation => '', main => '', one => '', two => '',
            first => '', more => '', @_);
}

sub vhost {
    my ($addr, $name, $cert, $more) = @_;
    return <<"END";
<VirtualHost $addr>
    ServerName $name.test
    SSLEngine on
    SSLCertificateFile $ssl/$cert.crt
    SSLCertificateKeyFile $ssl/$cert.key
    $more
</VirtualHost>
END
}

sub conf {
    my ($port, $other) = @_;
    # The address is another one, the name and the certificate are not
    return "Listen 127.0.0.1:$port\nListen 127.0.0.1:$other\n"
        . "SNIVHostAdopt On\n$now{rotation}\n"
        . "SSLSessionCache none\nSSLCACertificateFile $ssl/ca.pem\n$now{main}\n"
        . vhost("*:$port", 'first', 'first', $now{first})
        . vhost("*:$port", 'one', 'one', $now{one})
        . vhost("*:$port", 'two', 'two', $now{two})
        . vhost("*:$other", 'one', 'one', '') =~ s/one\.test/one.test:$port/r
        . $now{more};
}

sub copy_ca {
    my ($name) = @_;
    my $pem = do { local (@ARGV, $/) = "$ssl/$name.crt"; <> };
    open my $out, '>', "$ssl/ca.pem" or die;
    print $out $pem;
    close $out;
}

reset_conf();
copy_ca('first');
my $h = Sniv::Httpd->new(name => 'tickets', conf => \&conf, ports => 2,
                         mode => 'on');
my ($port, $other);
my %VERSIONS = ('1.2' => { max => '1.2' }, '1.3' => { min => '1.3' });

sub session {
    my ($name, $version, $to) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $to || $port,
        tls => { sni => "$name.test", %{ $VERSIONS{$version} } });
    return if $c->error;
    $c->get("$name.test");
    return $c->session;
}

# 1: resumed, 0: not; or what went wrong
sub resumes {
    my ($session, $name, $version, $to) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $to || $port,
        tls => { sni => "$name.test", %{ $VERSIONS{$version} },
                 session => $session });
    return $c->error if $c->error;
    my $r = $c->get("$name.test");
    return $c->resumed . ($r->{status} =~ /^[24]/ ? '' : " $r->{status}");
}

sub restart {
    my ($h, %change) = @_;
    reset_conf(%change);
    $h->{mode} = $now{mode};
    $h->write_conf;
    return $h->graceful;
}

# The name of the key of a ticket in TLS 1.2, in hexadecimal digits.
sub ticket_name {
    my ($name) = @_;
    my $said = qx{openssl s_client -connect 127.0.0.1:$port -tls1_2 \\
        -servername $name.test </dev/null 2>&1};
    return "no ticket" if $said !~ /^\s*0000 - ((?:[0-9a-f]{2}[ -]){16})/m;
    return $1 =~ s/[ -]//gr;
}

sub all_sessions {
    return map { my $v = $_; map { ["$_, TLS $v", $_, $v, session($_, $v)] }
                 qw(first one two unknown) } sort keys %VERSIONS;
}

sub resumed {
    return join ' ', map { resumes(@$_[3, 1, 2]) } @_;
}

$h->start;
($port, $other) = $h->ports;
my @kept = all_sessions();
is resumed(@kept), '1 1 1 1 1 1 1 1', 'sessions resume before a restart';
for my $v (sort keys %VERSIONS) {
    is resumes(session('one', $v), 'two', $v), 0,
        "TLS $v: a session of one virtual host does not resume at another";
    is resumes(session('one', $v), 'one', $v, $other), 0,
        "TLS $v: nor at one of the same name and port on another address";
}

my $good = 0;
for (1 .. $RESTARTS) {
    restart($h) or last;
    $good++ if resumed(@kept) eq '1 1 1 1 1 1 1 1';
    # tickets are to be used once in TLS 1.3
    @kept = all_sessions();
}
is $good, $RESTARTS, "$RESTARTS graceful restarts: every session resumes";
for my $v (sort keys %VERSIONS) {
    my ($one, $two) = map { session($_, $v) } qw(one one);
    restart($h);
    is resumes($one, 'two', $v), 0,
        "TLS $v: after a restart a session does not resume at another one";
    is resumes($two, 'one', $v, $other), 0,
        "TLS $v: nor on another address";
}

# A new site must not cost the others their sessions
@kept = all_sessions();
restart($h, more => vhost("*:$port", 'new', 'two', ''));
is resumed(@kept), '1 1 1 1 1 1 1 1', 'another virtual host is added';
restart($h, more => '', first => "SSLCertificateFile $ssl/two.crt\n"
    . "SSLCertificateKeyFile $ssl/two.key");
is resumed(all_sessions()), '1 1 1 1 1 1 1 1', 'certificates are changed';

# mod_ssl lets virtual hosts of one ServerName and port have each other's
# sessions, whatever their TLS directives say
restart($h, more => vhost("*:$port", 'one', 'two',
        "ServerAlias other.test\nSSLCipherSuite HIGH"));
for my $v (sort keys %VERSIONS) {
    is resumes(session('one', $v), 'other', $v), 1,
        "TLS $v: a session resumes at another one of the same ServerName";
}
@kept = all_sessions();
restart($h, more => vhost("*:$port", 'one', 'two',
        "ServerAlias other.test\nSSLCipherSuite ALL"));
is resumed(@kept), '1 0 1 1 1 0 1 1',
    'the directives of one of the two change: the sessions of both end';

# Settings that have changed
for (['one', "SSLVerifyClient optional\nSSLVerifyDepth 2",
      'SSLVerifyClient in a virtual host'],
     ['one', "<Location /x>\nSSLVerifyClient require\n</Location>",
      'SSLVerifyClient in a section'],
     ['one', 'SSLCipherSuite HIGH', 'SSLCipherSuite']) {
    my ($where, $lines, $what) = @$_;
    restart($h);
    @kept = all_sessions();
    restart($h, $where => $lines);
    is resumed(@kept), '1 0 1 1 1 0 1 1',
        "$what changes: its sessions end, those of others do not";
}
restart($h);
@kept = all_sessions();
restart($h, main => 'SSLOptions +StrictRequire');
is resumed(@kept), '0 0 0 0 0 0 0 0',
    'a TLS directive of the main server changes: all sessions end';
restart($h);
@kept = all_sessions();
copy_ca('one');
restart($h);
is resumed(@kept), '0 0 0 0 0 0 0 0',
    'what is in SSLCACertificateFile changes: all sessions end';
mkdir "$ssl/cas";
restart($h, two => "SSLCACertificatePath $ssl/cas");
@kept = all_sessions();
restart($h, two => "SSLCACertificatePath $ssl/cas");
is resumed(@kept), '1 1 0 1 1 1 0 1',
    'SSLCACertificatePath is not looked at: sessions there end';

# Left alone
for (['Off', rotation => 'SNIVHostTicketRotation Off'],
     ['SNIVHost Verify', mode => 'verify']) {
    my ($what, @change) = @$_;
    restart($h, @change);
    @kept = all_sessions();
    is resumed(@kept), '1 1 1 1 1 1 1 1', "$what: sessions resume";
    restart($h, @change);
    is resumed(@kept), '0 0 0 0 0 0 0 0', "$what: until a restart, as in stock";
}
restart($h);
@kept = all_sessions();
$h->stop;
$h->start;
is resumed(@kept), '0 0 0 0 0 0 0 0',
    'a server that was stopped has forgotten its secrets';
# A ticket begins with the name of its key. Whether such a session resumes is a
# matter of chance at stock httpd: with OpenSSL 3 and later, mod_ssl (2.4.68)
# keeps only a pointer to the buffer on its stack that it read the secret into.
my $key = join '', map { chr rand 256 } 1 .. 48;
open my $out, '>:raw', "$ssl/ticket.key" or die;
print $out $key;
close $out;
for my $rotation ('', 'SNIVHostTicketRotation 60') {
    restart($h, main => "SSLSessionTicketKeyFile $ssl/ticket.key",
            rotation => $rotation);
    is join(' ', map { ticket_name($_) } qw(first one two unknown)),
        join(' ', (unpack 'H32', $key) x 4),
        "SSLSessionTicketKeyFile is in force, as in stock: '$rotation'";
}
restart($h);
isnt ticket_name('one'), unpack('H32', $key), '... and not without it';

reset_conf(rotation => 'SNIVHostTicketRotation 29');
$h->write_conf;
like(($h->check)[1], qr/SNIVHostTicketRotation takes Off or a number/,
     'a rotation that is too fast is refused');
is join("\n", Sniv::Httpd::bad_lines($h->error_log)), '',
    'nothing bad in the error log';
$h->remove;
done_testing;
