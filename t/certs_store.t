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


# SNIVHostCertificates: certificates from folders, by the names in them.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use Test::More;

use Sniv::Chain qw(make_cert slurp);
use Sniv::Client;
use Sniv::H2;
use Sniv::Httpd;

plan skip_all => 'there are no folders without the module'
    if Sniv::Httpd::mode() eq 'off';

my $ssl = Sniv::Httpd::work() . "/store-ssl.$$";
make_cert($ssl, 'root', is_ca => 1);
make_cert($ssl, 'middle', is_ca => 1, ca => 'root');
make_cert($ssl, 'v0');
make_cert($ssl, 'v1');
make_cert($ssl, 'v1-folder', names => ['v1.test']);
make_cert($ssl, 'bundle', ca => 'middle', names => ['a.test', 'www.a.test']);
make_cert($ssl, 'pair', key => 'rsa', names => ['b.test']);
make_cert($ssl, 'live', ca => 'middle', chain => ['middle'],
          names => ['c.test']);
make_cert($ssl, 'wild', names => ['*.a.test', '*.lean.test']);
make_cert($ssl, 'lean', names => ['lean.test']);
make_cert($ssl, 'own', names => ['own.test']);
make_cert($ssl, 'first', ca => 'middle', chain => ['middle'],
          names => ['first.test', 'alias.test']);
make_cert($ssl, 'site', names => ['site.test']);
make_cert($ssl, 'weak', key => 'rsa', bits => 1024, names => ['weak.test']);

sub put {
    my ($file, @texts) = @_;
    my $path = "$ssl/$file";
    (my $dir = $path) =~ s{/[^/]*\z}{};
    make_path($dir);
    open my $out, '>', $path or die "$path: $!\n";
    print {$out} @texts;
    close $out;
    # as root has them: httpd's children may not read them
    chmod 0600, $path;
    return;
}
sub leaf { return slurp("$ssl/$_[0].leaf"); }
sub key { return slurp("$ssl/$_[0].key"); }

# leaf, chain and key in no special order, as people have them
put('certs/bundle.pem', leaf('middle'), key('bundle'), leaf('bundle'));
put('certs/pair.crt', leaf('pair'));
put('certs/pair.key', key('pair'));
put('certs/c.test/fullchain.pem', leaf('live'), leaf('middle'));
put('certs/c.test/privkey.pem', key('live'));
put('certs/c.test/cert.pem', leaf('live'));
put('certs/c.test/chain.pem', leaf('middle'));
put('certs/lean_ecc/fullchain.cer', leaf('lean'));
put('certs/lean_ecc/lean.key', key('lean'));
put('certs/wild.pem', leaf('wild'), key('wild'));
put('certs/v1.pem', leaf('v1-folder'), key('v1-folder'));
put('certs/README', "not a certificate\n");
put('other/own.pem', leaf('own'), key('own'));
put('first/first.pem', slurp("$ssl/first.crt"), key('first'));
put('first/bundle.pem', leaf('bundle'), key('bundle'));

sub files {
    my ($name) = @_;
    return "SSLCertificateFile $ssl/$name.crt\n"
         . "SSLCertificateKeyFile $ssl/$name.key\n";
}

my $COMMON = <<'END';
SSLSessionCache shmcb:cache(512000)
LogFormat "%v %{SSL_TLS_SNI}x %{SSL_SERVER_S_DN_CN}x" sni
CustomLog access.log sni
Header always set X-Server "expr=%{SERVER_NAME}"
Header always set X-Cn "expr=%{SSL_SERVER_S_DN_CN}"
UseCanonicalName On
END

sub vhost {
    my ($address, @lines) = @_;
    return "<VirtualHost $address>\n" . join("\n", @lines)
        . "\n</VirtualHost>\n";
}

# The common name of what is served for a name.
sub served {
    my ($port, $name, %tls) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $port,
        tls => { (defined $name ? (sni => $name) : ()), %tls });
    return $c->error || join ' ', $c->chain;
}

subtest 'several virtual hosts' => sub {
    my $h = Sniv::Httpd->new(name => 'store', ports => 2, conf => sub {
        my ($port, $alone) = @_;
        my $a = "127.0.0.1:$port";
        return "$COMMON
Listen $a
Listen 127.0.0.1:$alone
SNIVHostCertificates $ssl/certs
SNIVHostCertificateCache 2
" . vhost($a, 'ServerName v0.test', 'SSLEngine on', 'Protocols h2 http/1.1',
          files('v0'))
  . vhost($a, 'ServerName v1.test', 'SSLEngine on', files('v1'))
  . vhost($a, 'ServerName lean.test', 'ServerAlias *.lean.test alias.test',
          'SNIVHostTLS On')
  . vhost($a, 'ServerName own.test', 'SNIVHostTLS On',
          "SNIVHostCertificates $ssl/other")
  . vhost("127.0.0.1:$alone", 'ServerName v0.test', 'SSLEngine on',
          files('v0'));
    })->start;
    my ($port, $alone) = $h->ports;

    # Verify leaves the choice to httpd, and this choice is not httpd's
    for my $p ($port, $alone) {
        my $at = $p == $alone ? 'alone on an address: ' : '';
        is served($p, 'a.test'), 'bundle middle', "${at}a bundle";
        is served($p, 'www.A.test'), 'bundle middle', "${at}another name";
        is served($p, 'b.test'), 'pair', "${at}a pair of files";
        is served($p, 'c.test'), 'live middle', "${at}a folder";
        is served($p, 'x.a.test'), 'wild', "${at}a wildcard";
        is served($p, 'y.x.a.test'), 'v0', "${at}it covers one label";
        is served($p, 'nobody.test'), 'v0', "${at}a name without one";
        is served($p, undef), 'v0', "${at}no name";
        is served($p, 'v0.test'), 'v0', "${at}a name of the first";
    }
    is served($port, 'v1.test'), 'v1',
        'a virtual host with a certificate keeps it';
    is served($alone, 'v1.test'), 'v1-folder', 'elsewhere nobody has it';
    is served($port, 'lean.test'), 'lean', 'a lean one without a file';
    is served($port, 'x.lean.test'), 'wild', 'by its alias';
    is served($port, 'alias.test'), 'v0',
        'without one in the folder the first one answers';
    is served($port, 'own.test'), 'own', 'a folder of its own';

    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $port,
                              tls => { sni => 'a.test' });
    my $r = $c->get('a.test', '/', 'Connection: close');
    is "$r->{status} $r->{headers}{'x-server'} $r->{headers}{'x-cn'}",
        '404 v0.test bundle', 'the first virtual host answers the request';
    $r = Sniv::Client->new(addr => '127.0.0.1', port => $port,
        tls => { sni => 'lean.test' })->get('lean.test', '/');
    is "$r->{headers}{'x-server'} $r->{headers}{'x-cn'}", 'lean.test lean',
        'a lean one its own';
    $c = Sniv::Client->new(addr => '127.0.0.1', port => $port,
        tls => { sni => 'c.test', alpn => ['h2'] });
    $r = Sniv::H2->new($c)->get('c.test', '/');
    is "$r->{status} $r->{headers}{'x-cn'}", '404 live', 'HTTP/2';

    for my $how (['1.2', tickets => 0], ['1.2', tickets => 1], ['1.3']) {
        my ($max, @how) = @$how;
        for my $name ('a.test', 'lean.test', 'b.test') {
            my %tls = (sni => $name, max => $max, @how);
            my $one = Sniv::Client->new(addr => '127.0.0.1', port => $port,
                                        tls => \%tls);
            my $was = $one->get($name, '/')->{headers}{'x-cn'};
            my $two = Sniv::Client->new(addr => '127.0.0.1', port => $port,
                tls => { %tls, session => $one->session });
            my $is = $two->get($name, '/')->{headers}{'x-cn'};
            is $two->resumed . " $is", "1 $was",
                "resumed, TLS @$how, $name: its certificate in variables";
        }
    }
    $h->stop;
    my $log = $h->read('error.log');
    like $log, qr/SNIV0315: certificate store: 7 certificates, 1 chain,/,
        'the log tells how many';
    unlike $log, qr/SNIV030[12]|SNIV0310|:emerg|:alert|:crit|:error/,
        'and of no trouble';
    $h->remove;
};

subtest 'the first one without SSLCertificateFile' => sub {
    my $h = Sniv::Httpd->new(name => 'store-first', ports => 1, conf => sub {
        my $a = "127.0.0.1:$_[0]";
        return "$COMMON
Listen $a
SNIVHostCertificates $ssl/first
" . vhost($a, 'ServerName first.test', 'ServerAlias alias.test',
          'SSLEngine on');
    })->start;
    my ($port) = $h->ports;
    is served($port, 'first.test'), 'first middle', 'its own name';
    is served($port, undef), 'first middle', 'no name';
    is served($port, 'x.test'), 'first middle', 'a name without one';
    is served($port, 'a.test'), 'bundle', 'another name in the folder';
    $h->remove;

    $h = Sniv::Httpd->new(name => 'store-none', ports => 1, conf => sub {
        my $a = "127.0.0.1:$_[0]";
        return "Listen $a\nSNIVHostCertificates $ssl/first\n"
            . vhost($a, 'ServerName no.test', 'SSLEngine on');
    });
    $h->start;
    like $h->read('error.log'), qr/SNIV0316: virtual host no\.test /,
        'with none for its name it starts';
    $h->remove;
};

subtest 'bad files' => sub {
    my $dir = "$ssl/bad";
    make_path($dir);
    put('bad/good.pem', leaf('bundle'), key('bundle'));
    put('bad/text.pem', "hello\n");
    put('bad/empty.pem');
    put('bad/nokey.pem', leaf('wild'));
    put('bad/wrong.pem', leaf('wild'), key('bundle'));
    put('bad/junk.pem', 'x' x 2_000_000);
    put('bad/weak.pem', leaf('weak'), key('weak'));
    put('bad/secret.pem', leaf('wild'), "-----BEGIN ENCRYPTED PRIVATE KEY-----"
        . "\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    symlink '.', "$dir/loop";
    symlink 'nowhere', "$dir/dangling.pem";
    my @bad = (
        ['text.pem', 'is not PEM'],
        ['empty.pem', 'is empty'],
        ['nokey.pem', 'holds no private key'],
        ['wrong.pem', 'holds a key that does not belong to its certificate'],
        ['junk.pem', 'is larger than 1 MiB'],
        ['secret.pem', 'holds a private key that is encrypted'],
        ['weak.pem', 'holds a certificate that OpenSSL refuses at security '
            . 'level 2: ee key too small'],
        ['dangling.pem', 'cannot be read: No such file'],
    );
    # a file named by a lean virtual host
    put('lean-wrong.crt', leaf('wild'));
    put('lean-wrong.key', key('bundle'));
    my $h = Sniv::Httpd->new(name => 'store-bad', ports => 1, conf => sub {
        my $a = "127.0.0.1:$_[0]";
        return "Listen $a\nSNIVHostCertificates $dir $ssl/nowhere\n"
            . vhost($a, 'ServerName v0.test', 'SSLEngine on', files('v0'))
            . vhost($a, 'ServerName lean.test', 'SNIVHostTLS On',
                    files('lean-wrong'));
    });
    my ($status, $said) = $h->check('-t');
    is $status, 0, '-t: the server would start';
    for my $bad (@bad) {
        my ($file, $why) = @$bad;
        like $said, qr/SNIV0301: \S.* \S+\Q$file $why\E/, "-t: $file";
    }
    like $said, qr/SNIV0301: .*lean-wrong\.key holds a key that does not/,
        '-t: a file of a lean virtual host';
    like $said, qr/SNIV0310: .*nowhere cannot be read: No such file/,
        '-t: a folder that is not there';
    like $said, qr/SNIV0310: .*loop is another path to/, '-t: a loop';

    $h->start;
    my ($port) = $h->ports;
    is served($port, 'a.test'), 'bundle', 'the others work';
    is served($port, 'x.a.test'), 'v0', 'a name of a bad one falls back';
    like served($port, 'lean.test'), qr/alert/,
        'a lean one with bad files has no handshakes';
    # who is refused may come as often as it likes
    is served($port, 'weak.test'), 'v0', 'so does that of a weak one';
    my @got = map { served($port, 'lean.test') } 1 .. 60;
    is scalar(grep { !/alert/ } @got), 0, 'no handshake';
    my @lines = $h->read('error.log')
        =~ /(SNIV0110: handshake refused: .*)/g;
    ok @lines > 0 && @lines < 60, "not a line for each (@{[scalar @lines]})";
    $h->stop;
    my $log = $h->read('error.log');
    for my $bad (@bad) {
        my ($file, $why) = @$bad;
        my $n = () = $log =~ /\Q$file\E/g;
        is $n, 1, "the log tells once of $file";
    }
    $h->remove;
};

subtest 'directives' => sub {
    for my $case (
        ["SNIVHostCertificateCheck 0\n", qr/takes Off or a number of seconds/],
        ["SNIVHostCertificateCheck x\n", qr/takes Off or a number of seconds/],
        ["SNIVHostCertificateCache 0\n", qr/takes a number of certificates/],
        ["SNIVHostCertificates\n", qr/requires at least one argument/],
        ["<VirtualHost *:80>\nSNIVHostCertificateCheck 30\n</VirtualHost>\n",
         qr/applies to the whole server/],
        ["<Directory />\nSNIVHostCertificates x\n</Directory>\n",
         qr/not allowed/],
        ["SNIVHost Off\nSNIVHostCertificates x\n",
         qr/SNIV0312: SNIVHostCertificates requires SNIVHost On/],
    ) {
        my ($conf, $words) = @$case;
        my $h = Sniv::Httpd->new(name => 'store-conf', conf => $conf);
        my ($status, $said) = $h->check('-t');
        ok $status != 0, "refused: " . $conf =~ s{\s+}{ }gr;
        like $said, $words, 'in words';
        $h->remove;
    }
    my $h = Sniv::Httpd->new(name => 'store-conf',
        conf => "SNIVHostCertificateCheck 10\nSNIVHostCertificateCheck off\n"
              . "SNIVHostCertificateCache 50\n");
    is +($h->check('-t'))[0], 0, 'good values';
    $h->remove;
};

subtest 'names in folders are known to the policies' => sub {
    plan skip_all => 'Verify leaves everything to httpd'
        if Sniv::Httpd::mode() eq 'verify';
    my $h = Sniv::Httpd->new(name => 'store-policy', ports => 1, conf => sub {
        my $a = "127.0.0.1:$_[0]";
        return "$COMMON
Listen $a
SNIVHostCertificates $ssl/certs
SNIVHostUnknownSNI refuse
SNIVHostUnknownHost refuse
" . vhost($a, 'ServerName v0.test', 'SSLEngine on', files('v0'));
    })->start;
    my ($port) = $h->ports;
    for my $case (['a.test', 'bundle middle', 404], ['v0.test', 'v0', 404],
                  # a wildcard that nobody else has signed
                  ['x.a.test', 'alert 112', 421],
                  ['nobody.test', 'alert 112', 421]) {
        my ($name, $cert, $status) = @$case;
        is served($port, $name), $cert, "handshake for $name";
        my $c = Sniv::Client->new(addr => '127.0.0.1', port => $port,
                                  tls => { sni => 'v0.test' });
        is $c->get($name, '/')->{status}, $status, "request for $name";
    }
    $h->remove;
};

subtest 'mass hosting, as in the example' => sub {
    my $example = slurp(Sniv::Httpd::top()
                        . '/conf/examples/mass-hosting.conf');
    put('mass/tls/hosting.example.crt', leaf('v0'));
    put('mass/tls/hosting.example.key', key('v0'));
    put('mass/certs/site.pem', leaf('site'), key('site'));
    my $h = Sniv::Httpd->new(name => 'store-mass', ports => 1,
                             modules => ['vhost_alias'], conf => sub {
        my ($port) = @_;
        my $conf = $example;
        $conf =~ s{/srv/hosting}{$ssl/mass}g;
        $conf =~ s{"tls/}{"$ssl/mass/tls/}g;
        $conf =~ s{\*:443}{127.0.0.1:$port}g;
        return "$COMMON\nListen 127.0.0.1:$port\n$conf";
    });
    for my $site ('site.test', 'other.test') {
        my $page = "$ssl/mass/sites/$site";
        make_path($page);
        open my $out, '>', "$page/index.html" or die "$page: $!\n";
        print {$out} "$site\n";
    }
    $h->start;
    my ($port) = $h->ports;
    for my $case (['site.test', 'site'], ['other.test', 'v0']) {
        my ($site, $cert) = @$case;
        my $c = Sniv::Client->new(addr => '127.0.0.1', port => $port,
                                  tls => { sni => $site });
        my $body = $c->get($site, '/')->{body};
        is $c->cert . " $body", "$cert $site\n", $site;
    }
    $h->remove;
};

END { File::Path::remove_tree($ssl) if $ssl; }

done_testing;
