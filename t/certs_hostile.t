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


# Certificate folders that somebody else fills: the server stays up, -t says
# what a start does, and the log stays short.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path remove_tree);
use POSIX ();
use Test::More;

use Sniv::Chain qw(make_cert slurp);
use Sniv::Client;
use Sniv::Httpd;

plan skip_all => 'there are no folders without the module'
    if Sniv::Httpd::mode() eq 'off';

my $ssl = Sniv::Httpd::work() . "/hostile-ssl.$$";
make_cert($ssl, 'v0');
make_cert($ssl, 'good', names => ['good.test']);
make_cert($ssl, 'late', names => ['late.test']);
make_cert($ssl, 'root', is_ca => 1);
make_cert($ssl, 'strong', ca => 'root', names => ['first.test']);
make_cert($ssl, 'weak', key => 'rsa', bits => 1024, ca => 'root',
          names => ['first.test']);

sub put {
    my ($file, @texts) = @_;
    (my $dir = "$ssl/$file") =~ s{/[^/]*\z}{};
    make_path($dir, { mode => 0755 });
    open my $out, '>', "$ssl/$file" or die "$ssl/$file: $!\n";
    print {$out} @texts;
    close $out;
    chmod 0600, "$ssl/$file";
    return;
}
sub bundle { return slurp("$ssl/$_[0].leaf") . slurp("$ssl/$_[0].key"); }

sub served {
    my ($port, $name) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $port,
        tls => { sni => $name });
    return $c->error || ($c->chain)[0];
}

sub httpd {
    my ($name, @lines) = @_;
    return Sniv::Httpd->new(name => $name, ports => 1, conf => sub {
        my $a = "127.0.0.1:$_[0]";
        return join "\n", "Listen $a", 'SNIVHostCertificateCheck 10', @lines,
            "<VirtualHost $a>", 'ServerName v0.test', 'SSLEngine on',
            "SSLCertificateFile $ssl/v0.crt",
            "SSLCertificateKeyFile $ssl/v0.key", '</VirtualHost>', '';
    });
}

subtest 'more names than fit' => sub {
    put('many/good.pem', bundle('good'));
    my $h = httpd('hostile-many', "SNIVHostCertificates $ssl/many")->start;
    my ($port) = $h->ports;
    is served($port, 'good.test'), 'good', 'before';
    # from a file: the list is too long for an argument
    open my $conf, '>', "$ssl/many.cnf" or die $!;
    print {$conf} "[req]\ndistinguished_name=d\nx509_extensions=x\n[d]\n[x]\n",
        'subjectAltName=', join(',', map { "DNS:m$_.test" } 1 .. 30_000), "\n";
    close $conf;
    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
        . "-nodes -subj /CN=many -config '$ssl/many.cnf' "
        . "-keyout '$ssl/many.key' -out '$ssl/many.leaf' 2>/dev/null");
    put("many/t/$_.pem", bundle('many')) for 1 .. 5;
    my ($status, $said) = $h->check('-t');
    is $status, 0, '-t: it would start';
    like $said, qr/SNIV0301: .*30000 names; in a folder, at most 5000 are allowed/,
        '-t: why not';
    $h->graceful;
    is served($port, 'good.test'), 'good', 'after a graceful restart';
    is served($port, 'm1.test'), 'v0', 'what is too much is left out';
    like $h->read('error.log'), qr/SNIV0301: .*30000 names/, 'and named';
    $h->remove;
};

subtest 'many files that are none' => sub {
    put('junk/good.pem', bundle('good'));
    for my $i (1 .. 400) {
        put("junk/tenant$_/$i.pem", $_ == 1 ? '' : "text $i\n") for 1 .. 3;
    }
    my $h = httpd('hostile-junk', "SNIVHostCertificates $ssl/junk");
    my ($status, $said) = $h->check('-t');
    is $status, 0, '-t: it would start';
    my @lines = $said =~ /(SNIV03\d\d: .*)/g;
    cmp_ok scalar(@lines), '<=', 25, "-t: " . @lines . ' lines';
    like $said, qr{SNIV0340: .* 397 more in \S+junk/tenant1 are like this one: \S+pem is empty},
        '-t: the others as a number';
    $h->start;
    my ($port) = $h->ports;
    is served($port, 'good.test'), 'good', 'it starts';
    put('junk/late/late.pem', bundle('late'));
    $h->wait_for_log('error.log', qr/SNIV0307: .*late\.pem is new and served/, 90)
        or diag $h->read('error.log');
    is served($port, 'late.test'), 'late', 'a new one finds its place';
    $h->remove;
};

subtest 'nothing to serve' => sub {
    put('nothing/a.txt', 'text');
    my $h = httpd('hostile-nothing', "SNIVHostCertificates $ssl/nothing");
    my ($status, $said) = $h->check('-t');
    like $said, qr/SNIV0341: .*nothing in folder \S+nothing can be served/,
        '-t says so';
    $h->remove;
};

subtest 'a first virtual host takes what mod_ssl takes' => sub {
    put('first/a.pem', bundle('strong'));
    put('first/b.pem', bundle('weak'));
    # the chain's certificate first: for the folder, not for mod_ssl
    put('first/c.pem', slurp("$ssl/root.leaf"), bundle('strong'));
    my $h = Sniv::Httpd->new(name => 'hostile-first', ports => 1,
        conf => sub {
            my $a = "127.0.0.1:$_[0]";
            return "Listen $a\nSNIVHostCertificates $ssl/first\n"
                . "<VirtualHost $a>\nServerName first.test\nSSLEngine on\n"
                . "</VirtualHost>\n";
        })->start;
    is served(($h->ports)[0], 'first.test'), 'strong', 'the good one';
    $h->remove;
};

subtest 'whose files' => sub {
    plan skip_all => 'needs root' if $> != 0;
    put('trust/good.pem', bundle('good'));
    put('secret/late.pem', bundle('late'));
    chmod 0700, "$ssl/secret";
    make_path("$ssl/trust/tenant", { mode => 0755 });
    symlink "$ssl/secret/late.pem", "$ssl/trust/tenant/l.pem";
    chown 65534, 65534, "$ssl/trust/tenant";
    system('chown', '-h', '65534:65534', "$ssl/trust/tenant/l.pem");
    for my $trust ('strict', 'owner', 'any') {
        my $h = httpd("hostile-$trust", "SNIVHostCertificates $ssl/trust",
                      "SNIVHostCertificateTrust $trust");
        my (undef, $said) = $h->check('-t');
        $h->start;
        my ($port) = $h->ports;
        is served($port, 'good.test'), 'good', "$trust: the owner's";
        is served($port, 'late.test'), $trust eq 'any' ? 'late' : 'v0',
            "$trust: by a stranger's link";
        like $said, $trust eq 'any' ? qr/Syntax OK/ : qr/is not trusted/,
            "$trust: -t";
        $h->remove;
    }
    my ($status, $said) = httpd('hostile-word',
        'SNIVHostCertificateTrust x')->check('-t');
    like $said, qr/takes strict, owner or any, not 'x'/, 'another word';
};

subtest 'no FIFO is opened' => sub {
    put('fifo/good.pem', bundle('good'));
    POSIX::mkfifo("$ssl/fifo/x.pem", 0600);
    my $pid = fork;
    if (!$pid) {
        open my $out, '>', "$ssl/fifo/x.pem";
        POSIX::_exit(0);
    }
    my $h = httpd('hostile-fifo', "SNIVHostCertificates $ssl/fifo");
    my (undef, $said) = $h->check('-t');
    like $said, qr/x\.pem is not a regular file/, '-t knows it';
    is waitpid($pid, POSIX::WNOHANG), 0, 'its writer still waits';
    kill 'TERM', $pid;
    waitpid $pid, 0;
    $h->remove;
};

remove_tree($ssl);
done_testing;
