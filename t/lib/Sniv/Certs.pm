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

package Sniv::Certs;

# Throw-away certificates for the tests, made by openssl(1) and cached in
# t/conf/ssl (never committed). One CA signs them all; the subject's common
# name says which one it is, so that a test can tell what it was served.

use strict;
use warnings;

use Cwd qw(realpath);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Spec::Functions qw(rel2abs);
use POSIX ();

use Sniv::Chain qw(dh_params spew);

# Name of the file (without .crt and .key) => names in the certificate.
# The common name is the file's name.
our %CERTS = (
    (map { ("c$_" => ["c$_.test"]) } 0 .. 9),
    shared => ['shared.test', '*.x.test'],
    rsa    => ['rsa.test'],
    rsa1   => ['rsa1.test'],
    chain0 => ['chain0.test'],
    chain1 => ['chain1.test'],
    'rsa-chain' => ['rsa-chain.test'],
);

# Signed by "middle", not by the CA. NAME.crt is the leaf and middle's
# certificate, NAME.leaf the leaf alone, NAME.pem all of it and the key,
# NAME.dh as NAME.crt with DH PARAMETERS (dh.pem) behind.
my %CHAINED = map { $_ => 1 } qw(chain0 chain1 rsa-chain);

# Made anew before they expire.
my $DAYS = 30;
my $FRESH = 20;

my $dir = realpath(dirname(rel2abs(__FILE__)) . '/../..') . '/conf/ssl';

sub dir { return $dir; }
sub crt { return "$dir/$_[0].crt"; }
sub key { return "$dir/$_[0].key"; }
sub ca  { return "$dir/ca.crt"; }

# The two lines of configuration for one of the certificates.
sub conf {
    my ($name) = @_;
    return qq(SSLCertificateFile "$dir/$name.crt"\n)
         . qq(SSLCertificateKeyFile "$dir/$name.key"\n);
}

# Make what is missing or old. Dies with openssl's own words.
sub make {
    make_path($dir);
    my $stamp = "$dir/made";
    return $dir if -e $stamp && -M $stamp < $FRESH
        && -M $stamp <= -M __FILE__;

    # Beside the old ones, then moved in place: two runs may meet.
    my $new = "$dir/new.$$";
    make_path($new);
    openssl('req', '-x509', _key('ca', $new), '-subj', '/CN=test CA',
            '-addext', 'basicConstraints=critical,CA:TRUE');
    openssl('req', '-x509', _key('other-ca', $new),
             '-subj', '/CN=another CA',
            '-addext', 'basicConstraints=critical,CA:TRUE');
    openssl('req', '-x509', _key('middle', $new), '-subj', '/CN=middle',
             '-CA', "$new/ca.crt", '-CAkey', "$new/ca.key",
            '-addext', 'basicConstraints=critical,CA:TRUE');
    # The same files under other names; keys for tickets; parameters
    _join("$new/ca-copy.crt", "$new/ca.crt");
    _join("$new/middle-copy.crt", "$new/middle.crt");
    _join("$new/both.crt", "$new/ca.crt", "$new/middle.crt");
    spew("$new/tickets$_", $_ x 48) for 1, 2;
    spew("$new/dh.pem", dh_params());
    openssl('ecparam', '-name', 'prime256v1', '-out', "$new/ec.pem");
    openssl('dhparam', '-dsaparam', '-out', "$new/dh2.pem", 2048);
    _leaves($new, $new, '');
    for my $c (['client', 'ca'], ['stranger', 'other-ca']) {
        my ($name, $ca) = @$c;
        openssl('req', '-x509', _key($name, $new), '-subj', "/CN=$name",
                 '-CA', "$new/$ca.crt", '-CAkey', "$new/$ca.key",
                 '-addext', 'basicConstraints=critical,CA:FALSE');
    }
    _revoked($new);
    for my $file (glob "$new/*") {
        (my $to = $file) =~ s/\Q$new\E/$dir/;
        rename $file, $to or die "rename $file: $!\n";
    }
    rmdir $new;
    make_path("$dir/cas");
    for my $name (qw(ca middle)) {
        _join("$dir/cas/$name.pem", "$dir/$name.crt");
    }
    openssl('rehash', "$dir/cas");
    open my $fh, '>', $stamp or die "$stamp: $!\n";
    close $fh;
    return $dir;
}

# Revocation lists of the authority: none.crl, and client.crl with "client"
sub _revoked {
    my ($new) = @_;
    spew("$new/crl.conf", "[ca]\ndefault_ca = it\n[it]\n"
        . "database = $new/crl.index\ndefault_md = sha256\n"
        . "default_crl_days = $DAYS\n");
    spew("$new/crl.index", '');
    my @ca = ('ca', '-config', "$new/crl.conf", '-cert', "$new/ca.crt",
              '-keyfile', "$new/ca.key");
    openssl(@ca, '-gencrl', '-out', "$new/none.crl");
    openssl(@ca, '-revoke', "$new/client.crt");
    openssl(@ca, '-gencrl', '-out', "$new/client.crl");
    unlink glob "$new/crl.*";
    return;
}

# Other certificates and keys in the same files of another folder, as they
# were before a renewal; the common names begin with "old-".
sub make_old {
    my ($old) = @_;
    make();
    make_path($old);
    _leaves($old, $dir, 'old-');
    return;
}

# All of %CERTS in a folder, by the authorities and with the parameters of
# another one.
sub _leaves {
    my ($new, $from, $prefix) = @_;
    for my $name (sort keys %CERTS) {
        my $san = join ',', map { "DNS:$_" } @{ $CERTS{$name} };
        my $by = $CHAINED{$name} ? 'middle' : 'ca';
        openssl('req', '-x509', _key($name, $new),
                 '-subj', "/CN=$prefix$name",
                 '-CA', "$from/$by.crt", '-CAkey', "$from/$by.key",
                 '-addext', "subjectAltName=$san",
                 '-addext', 'basicConstraints=critical,CA:FALSE');
        if ($CHAINED{$name}) {
            rename "$new/$name.crt", "$new/$name.leaf"
                or die "rename $new/$name.crt: $!\n";
            _join("$new/$name.crt", "$new/$name.leaf", "$from/middle.crt");
            _join("$new/$name.pem", "$new/$name.key", "$new/$name.crt");
        }
    }
    # EC PARAMETERS in front, DH PARAMETERS behind
    _join("$new/$_.dh", "$new/$_.crt", "$from/dh.pem") for keys %CHAINED;
    for my $name ('c0', 'rsa', 'rsa1') {
        _join("$new/$name.ec", "$from/ec.pem", "$new/$name.crt");
        _join("$new/$name.dh", "$new/$name.crt", "$from/dh.pem");
        _join("$new/$name.dh2", "$new/$name.crt", "$from/dh2.pem");
    }
    # Forms of files that openssl(1) does not write: CR LF, text around the
    # blocks, a key in DER
    for my $name (sort keys %CERTS) {
        open my $in, '<', "$new/$name.crt" or die "$name.crt: $!\n";
        my $pem = do { local $/; <$in> };
        close $in;
        spew("$new/$name.crlf", $pem =~ s/\n/\r\n/gr);
        spew("$new/$name.text", "Subject: CN=$name\n"
            . $pem =~ s/^(-----END.*\n)/$1# next\n\n/gmr . 'the end');
        openssl('pkey', '-in', "$new/$name.key", '-outform', 'DER', '-out',
                "$new/$name.der");
    }
    return;
}

sub _join {
    my ($to, @files) = @_;
    open my $out, '>', $to or die "$to: $!\n";
    for my $file (@files) {
        open my $in, '<', $file or die "$file: $!\n";
        print $out $_ while <$in>;
    }
    close $out or die "$to: $!\n";
    return;
}

sub _key {
    my ($name, $in) = @_;
    my @type = $name =~ /rsa/
        ? ('-newkey', 'rsa:2048')
        : ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1');
    return (@type, '-nodes', '-keyout', "$in/$name.key",
            '-out', "$in/$name.crt", '-days', $DAYS);
}

# A certificate that is valid from one day to another, counted from now:
# dated($dir, $key, $name, names => 'a.test,b.test', from => -1, to => 89),
# of the CA, or self => 1, or ca and ca_key, files. NAME.test is its common
# name, if there is no subject; is_ca => 1. $dir/$name.crt.
sub dated {
    my ($to, $key, $name, %c) = @_;
    my ($from, $until) = map { POSIX::strftime('%Y%m%d%H%M%SZ',
                                               gmtime(time + $_ * 86_400)) }
        $c{from} // -1, $c{to} // 89;
    my $san = join ',', map { "DNS:$_" } split /,/, $c{names};
    my $config = "$to/$name.cnf";
    spew($config, <<"END");
[ca]
default_ca = dated
[dated]
database = $to/$name.txt
new_certs_dir = $to
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
basicConstraints = critical,CA:@{[ $c{is_ca} ? 'TRUE' : 'FALSE' ]}
@{[ $san ? "subjectAltName = $san" : '' ]}
[req]
distinguished_name = dn
[dn]
END
    spew("$to/$name.txt", '');
    openssl('req', '-new', '-config', $config, '-key', $key,
            '-subj', $c{subject} || "/CN=$name.test",
            '-out', "$to/$name.csr");
    openssl('ca', '-batch', '-notext', '-config', $config,
            '-in', "$to/$name.csr", '-out', "$to/$name.crt",
            '-startdate', $from, '-enddate', $until,
            $c{self} ? ('-selfsign', '-keyfile', $key)
                     : ('-cert', $c{ca} || "$dir/ca.crt",
                        '-keyfile', $c{ca_key} || "$dir/ca.key"));
    return;
}

# "openssl req ..." as commands: OpenSSL 1.1.1 has no -CA there, and -addext
# does not replace what its configuration adds, which is CA:TRUE.
sub _req_commands {
    my (@args) = @_;
    return \@args if `openssl version` !~ /\AOpenSSL 1\./;
    if (!grep { $_ eq '-CA' } @args) {
        my %of = map { $args[$_] => $args[$_ + 1] // '' } 0 .. $#args;
        return \@args if !exists $of{'-x509'} || exists $of{'-config'};
        spew("$of{-out}.cnf", "[req]\ndistinguished_name = dn\n"
             . "x509_extensions = add\n[dn]\n"
             . "[add]\nsubjectKeyIdentifier = hash\n");
        return [@args, '-config', "$of{-out}.cnf"];
    }
    my (@req, @sign, @extensions, $file);
    while (defined(my $arg = shift @args)) {
        if ($arg =~ /\A-(?:CA|CAkey|days)\z/) { push @sign, $arg, shift @args }
        elsif ($arg eq '-addext') { push @extensions, shift @args }
        elsif ($arg eq '-out')    { $file = shift @args }
        elsif ($arg ne '-x509')   { push @req, $arg }
    }
    open my $out, '>', "$file.ext" or die "$file.ext: $!\n";
    print $out "$_\n" for @extensions;
    close $out;
    return [@req, '-out', "$file.csr"],
        ['x509', '-req', '-in', "$file.csr", '-out', $file, @sign,
         '-set_serial', 1 + int(rand 1e9), '-extfile', "$file.ext"];
}

sub openssl {
    my @args = @_;
    _run(@$_) for $args[0] eq 'req' ? _req_commands(@args) : \@args;
    return;
}

sub _run {
    my @args = @_;
    my $pid = open my $out, '-|';
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec 'openssl', @args or die "openssl: $!\n";
    }
    my $said = do { local $/; <$out> };
    close $out or die "openssl @args failed:\n$said";
    return;
}

1;
