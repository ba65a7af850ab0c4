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

package Sniv::Pair;

# Two servers of their own with the same configuration and the same port, on
# two loopback addresses: stock httpd, and httpd with this module. What a
# client sees of one it has to see of the other.
#
#   my $pair = Sniv::Pair->new(conf => $text, extra => "SNIVHostAdopt On\n");
#   $pair->start or die $pair->said;
#   $pair->same('a name', sub { my ($addr, $port, $server) = @_; ... });
#   $pair->stop;
#
# In the configuration @PORT@ and @DIR@ stand for the port and for a folder
# with htdocs and logs; lines between `@LEAN@` and `@STOCK@` differ:
#   @TLS@   "SSLEngine on" for stock, `tls` of new() for the other one

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use File::Spec::Functions qw(catdir);
use IO::Socket::IP;
use POSIX ();
use Test::More ();
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(make_cert);

my $top = abs_path(catdir(dirname(__FILE__), '..', '..', '..'));
my $count = 0;

sub _query {
    my ($name) = @_;
    my $apxs = $ENV{APXS} || (-x '/usr/bin/apxs' ? '/usr/bin/apxs' : 'apxs');
    my $said = qx{$apxs -q $name 2>/dev/null};
    chomp $said;
    return $said;
}

sub _module {
    for my $so ($ENV{SNIVHOST_SO}, "$top/.libs/mod_snivhost.so",
                "$top/mod_snivhost.so") {
        return $so if $so && -f $so;
    }
    return "$top/.libs/mod_snivhost.so";
}

# A port that is free on both addresses.
sub _free_port {
    my (@addrs) = @_;
    for (1 .. 50) {
        my $s = IO::Socket::IP->new(LocalHost => $addrs[0], LocalPort => 0,
                                    Listen => 1) or next;
        my $port = $s->sockport;
        my $t = IO::Socket::IP->new(LocalHost => $addrs[1],
                                    LocalPort => $port, Listen => 1) or next;
        return $port;
    }
    die "no free port on @addrs\n";
}

# conf; extra (for the server with the module only); tls (what @TLS@ is there,
# "SSLEngine on"); modules (more to load); mpm; loglevel
sub new {
    my ($class, %arg) = @_;
    my $self = bless { modules => [], mpm => 'event', loglevel => 'info',
                       tls => 'SSLEngine on', extra => '', %arg }, $class;
    my $n = ++$count;
    $self->{addr} = { stock => '127.0.3.1', ours => '127.0.3.2' };
    $self->{port} = _free_port(values %{ $self->{addr} });
    $self->{dir} = {};
    for my $which (qw(stock ours)) {
        my $dir = catdir($top, 't', 'work', "pair-$$-$n-$which");
        remove_tree($dir);
        make_path("$dir/logs", "$dir/htdocs");
        $self->{dir}{$which} = $dir;
        $self->_write($which);
    }
    return $self;
}

sub addr { return $_[0]{addr}{ $_[1] }; }
sub port { return $_[0]{port}; }
sub dir  { return $_[0]{dir}{ $_[1] }; }

sub _write {
    my ($self, $which) = @_;
    my $dir = $self->{dir}{$which};
    my $modules = _query('LIBEXECDIR');
    my %seen;
    my @load = grep { !$seen{$_}++ && -f "$modules/mod_$_.so" } (
        "mpm_$self->{mpm}", qw(unixd authz_core authz_host authn_core
        log_config env setenvif headers alias dir mime ssl socache_shmcb
        http2 info status rewrite), @{ $self->{modules} });
    my $conf = $self->{conf};
    my $tls = $which eq 'ours' ? $self->{tls} : 'SSLEngine on';
    $conf =~ s/\@TLS\@/$tls/g;
    my $user = $> == 0 ? "User www-data\nGroup www-data\n" : '';
    my $text = join '', (map { "LoadModule ${_}_module $modules/mod_$_.so\n" }
                         @load),
        $which eq 'ours'
            ? ("LoadModule snivhost_module " . _module() . "\n",
               "SNIVHost On\n", $self->{extra})
            : (), <<"END", $conf;
ServerRoot "\@DIR\@"
ServerName main.test
PidFile "\@DIR\@/logs/httpd.pid"
DefaultRuntimeDir "\@DIR\@/logs"
Mutex posixsem default
ErrorLog "\@DIR\@/logs/error_log"
ErrorLogFormat "[%-m:%l] %M"
LogLevel $self->{loglevel}
DocumentRoot "\@DIR\@/htdocs"
TypesConfig /dev/null
Listen $self->{addr}{$which}:\@PORT\@
${user}StartServers 1
<IfModule !mpm_prefork_module>
ThreadsPerChild 8
MaxRequestWorkers 16
MinSpareThreads 1
MaxSpareThreads 16
</IfModule>
GracefulShutdownTimeout 5
LogFormat "%v:%p %s %{SSL_PROTOCOL}x %{SSL_CIPHER}x %{SSL_SESSION_RESUMED}x %r" sniv
CustomLog "\@DIR\@/logs/access_log" sniv
END
    $text =~ s/\@PORT\@/$self->{port}/g;
    $text =~ s/\@DIR\@/$dir/g;
    open my $fh, '>', "$dir/httpd.conf" or die "$dir/httpd.conf: $!\n";
    print {$fh} $text;
    close $fh or die "$dir/httpd.conf: $!\n";
    return;
}

# Change the configuration for the next start or restart.
sub conf {
    my ($self, %arg) = @_;
    @$self{ keys %arg } = values %arg;
    $self->_write($_) for qw(stock ours);
    return;
}

sub _httpd {
    my ($self, $which, @args) = @_;
    my $httpd = _query('SBINDIR') . '/' . _query('PROGNAME');
    return (@{ $self->{wrap} && $which eq 'ours' ? $self->{wrap} : [] },
            $httpd, '-f', "$self->{dir}{$which}/httpd.conf", @args);
}

# Run it and return (exit code, what it said).
sub run {
    my ($self, $which, @args) = @_;
    my $file = "$self->{dir}{$which}/said";
    my $pid = fork;
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', $file;
        open STDERR, '>&', \*STDOUT;
        exec $self->_httpd($which, @args) or POSIX::_exit(127);
    }
    waitpid $pid, 0;
    my $code = $? >> 8;
    open my $fh, '<', $file or return ($code, '');
    local $/;
    my $said = <$fh>;
    return ($code, $said);
}

sub start_one {
    my ($self, $which) = @_;
    my ($code, $said) = $self->run($which, '-k', 'start');
    $self->{said}{$which} = $said;
    return 0 if $code != 0;
    $self->{running}{$which} = 1;
    for (1 .. 300) {
        return 1 if IO::Socket::IP->new(
            PeerHost => $self->{addr}{$which}, PeerPort => $self->{port},
            Timeout => 2);
        sleep 0.05;
    }
    return 0;
}

sub start {
    my ($self) = @_;
    my $ok = 1;
    $ok = $self->start_one($_) && $ok for qw(stock ours);
    Test::More::diag($self->said, $self->log('ours')) if !$ok;
    return $ok;
}

sub pid {
    my ($self, $which) = @_;
    open my $fh, '<', "$self->{dir}{$which}/logs/httpd.pid" or return 0;
    my $pid = <$fh>;
    return $pid + 0;
}

# Graceful restart; waits until the parent has said that it is done.
sub restart {
    my ($self, @which) = @_;
    for my $which (@which ? @which : qw(stock ours)) {
        my $before = () = $self->log($which) =~ /resuming normal operations/g;
        kill 'USR1', $self->pid($which);
        for (1 .. 300) {
            my $now = () = $self->log($which)
                =~ /resuming normal operations/g;
            last if $now > $before;
            sleep 0.05;
        }
    }
    return;
}

sub stop {
    my ($self) = @_;
    for my $which (keys %{ $self->{running} }) {
        my $pid = $self->pid($which) or next;
        kill 'TERM', $pid;
        for (1 .. 400) {
            kill 0, $pid or last;
            sleep 0.05;
        }
    }
    $self->{running} = {};
    return;
}

sub said {
    my ($self) = @_;
    return join "\n", map { "$_: $self->{said}{$_}" }
        sort keys %{ $self->{said} || {} };
}

sub log {
    my ($self, $which, $file) = @_;
    $file ||= 'error_log';
    open my $fh, '<', "$self->{dir}{$which}/logs/$file" or return '';
    local $/;
    my $text = <$fh>;
    return $text;
}

# Ask both the same and compare the answers (strings).
sub same {
    my ($self, $name, $ask) = @_;
    my %got = map {
        my $text = $ask->($self->{addr}{$_}, $self->{port}, $_);
        $text =~ s/\Q$self->{addr}{$_}\E/ADDR/g;
        $text =~ s/\Q$self->{dir}{$_}\E/DIR/g;
        ($_ => $text);
    } qw(stock ours);
    # Two servers that are not there are equal too.
    my $dead = $got{stock} =~ /\Aconnect:/;
    my $ok = $dead ? Test::More::fail("$name: $got{stock}")
                   : Test::More::is($got{ours}, $got{stock}, $name);
    return wantarray ? ($ok, $got{stock}) : $ok;
}

sub DESTROY {
    my ($self) = @_;
    local ($@, $!, $?);
    return if !$self->{port};
    $self->stop;
    remove_tree(values %{ $self->{dir} }) if !$ENV{SNIVHOST_KEEP};
    return;
}

# ----- certificates

# make_cert($dir, $name, %how): $dir/$name.crt and .key, unless they exist.
# how: key 'ec' or 'rsa'; ca => name of another one that signs; is_ca;
# names => [...]; chain => [names of what follows the leaf in NAME.crt];
# add => [further openssl req arguments]; pkcs1 => key as openssl 1.0 wrote it
sub make_cert {
    my ($dir, $name, %how) = @_;
    return if -f "$dir/$name.crt" && -f "$dir/$name.key";
    make_path($dir);
    my @key = ($how{key} || 'ec') eq 'rsa'
        ? ('-newkey', 'rsa:2048')
        : ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1');
    my @names = @{ $how{names} || ["$name.test"] };
    my @args = ('req', '-x509', @key, '-noenc', '-days', 90,
        '-subj', "/CN=$name", '-keyout', "$dir/$name.key",
        '-out', "$dir/$name.leaf",
        '-addext', 'basicConstraints=critical,CA:'
            . ($how{is_ca} ? 'TRUE' : 'FALSE'),
        '-addext', 'subjectAltName=' . join(',', map { "DNS:$_" } @names));
    push @args, '-CA', "$dir/$how{ca}.leaf", '-CAkey', "$dir/$how{ca}.key"
        if $how{ca};
    push @args, @{ $how{add} || [] };
    my $pid = open my $out, '-|';
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec 'openssl', @args or POSIX::_exit(127);
    }
    my $said = do { local $/; <$out> };
    close $out or die "openssl @args: $said";
    my $all = join '', map { _slurp("$dir/$_.leaf") } $name,
        @{ $how{chain} || [] };
    open my $fh, '>', "$dir/$name.crt" or die "$dir/$name.crt: $!\n";
    print {$fh} $all;
    close $fh;
    return;
}

sub _slurp {
    my ($file) = @_;
    open my $fh, '<', $file or die "$file: $!\n";
    local $/;
    return scalar <$fh>;
}

1;
