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

package Sniv::Httpd;

# A httpd for one test: writes its configuration, starts it on loopback,
# stops it by its process id, and reads its logs.
#
#   my $h = Sniv::Httpd->new(name => 'policy', conf => sub {
#       my ($port) = @_;          # as many as ports => N asked for
#       return "Listen 127.0.0.1:$port\n...";
#   });
#   $h->start;                    # dies with httpd's words if it cannot
#
# Environment (see t/README): SNIVHOST=on|off|verify, SNIVHOST_SO,
# SNIVHOST_MPM, SNIVHOST_PRELOAD, SNIVHOST_WRAPPER, SNIVHOST_PATIENCE.

use strict;
use warnings;

use Cwd qw(realpath);
use Errno qw(EADDRINUSE);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);
use File::Spec::Functions qw(rel2abs catfile);
use File::Temp ();
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

my $top = realpath(catfile(dirname(rel2abs(__FILE__)), '..', '..', '..'));

# What the tests need beside the MPM; what httpd has linked in is skipped.
my @MODULES = qw(
    authz_core authz_host authn_core unixd alias mime dir env setenvif
    headers include rewrite status info socache_shmcb ssl http2 proxy
    proxy_http proxy_connect actions log_config logio version
);

my $START = 60;                 # seconds, times patience()
my $STOP = 30;

my %running;                    # process id => object, for END
my @bad;                        # see bad_lines()

sub top { return $top; }

# on, off or verify: what the tests run with.
sub mode {
    my $mode = lc($ENV{SNIVHOST} || 'on');
    die "SNIVHOST is '$mode': say on, off or verify\n"
        if $mode !~ /\A(?:on|off|verify)\z/;
    return $mode;
}

# What every time limit is multiplied with: a server under valgrind or with a
# thread sanitizer is slow.
sub patience {
    return $ENV{SNIVHOST_PATIENCE} || ($ENV{SNIVHOST_WRAPPER} ? 10 : 1);
}

sub mpm { return lc($ENV{SNIVHOST_MPM} || 'event'); }

sub module_so {
    my $so = $ENV{SNIVHOST_SO} || "$top/.libs/mod_snivhost.so";
    die "$so does not exist: run ./configure.apxs && make first, "
        . "or set SNIVHOST=off to test httpd without the module\n" if !-e $so;
    return $so;
}

my %apxs;
sub apxs {
    my ($what) = @_;
    if (!exists $apxs{$what}) {
        my $apxs = $ENV{APXS} || 'apxs';
        chomp($apxs{$what} = `$apxs -q $what`);
        die "$apxs -q $what failed: install apache2-dev or set APXS\n"
            if $? || $apxs{$what} eq '';
    }
    return $apxs{$what};
}

sub httpd {
    return $ENV{HTTPD} if $ENV{HTTPD};
    return apxs('SBINDIR') . '/' . apxs('PROGNAME');
}

# LoadModule lines: the MPM, the list above, more of them by name.
my %built_in;
sub modules_conf {
    my ($mpm, @more) = @_;
    my %without = map { /\A-(.*)/ ? ($1 => 1) : () } @more;
    if (!%built_in) {
        my $httpd = httpd();
        %built_in = map { /(\w+)\.c\s*$/ ? ($1 => 1) : () } `$httpd -l`;
        die "$httpd -l said nothing\n" if !%built_in;
    }
    my $dir = apxs('LIBEXECDIR');
    my $conf = '';
    for my $name ("mpm_$mpm", @MODULES, grep { !/\A-/ } @more) {
        next if $without{$name} || $built_in{"mod_$name"} || $built_in{$name};
        $conf .= qq(LoadModule ${name}_module "$dir/mod_$name.so"\n);
    }
    return $conf;
}

# Whether this httpd takes a line: an older one does not have all directives,
# and the development branch no longer has some.
my %takes;
sub has_directive {
    my ($line) = @_;
    return $takes{$line} if exists $takes{$line};
    my $dir = work() . "/directive.$$";
    make_path($dir);
    open my $fh, '>', "$dir/httpd.conf" or die "$dir/httpd.conf: $!\n";
    print $fh qq(ServerRoot "$dir"\nDefaultRuntimeDir "$dir"\n),
        "ServerName main.test\nErrorLog error.log\n", modules_conf(mpm()),
        "TypesConfig /dev/null\n$line\n";
    close $fh or die "$dir/httpd.conf: $!\n";
    my @cmd = (httpd(), '-t', '-d', $dir, '-f', "$dir/httpd.conf");
    my $said = `@cmd 2>&1`;
    my $status = $?;
    remove_tree($dir);
    die "'$line': $said"
        if $status && $said !~ /Invalid command|no longer supported/;
    return $takes{$line} = $status ? 0 : 1;
}

# mod_ssl before httpd 2.4.66 has one rule for 421, without a directive; and
# before 2.4.64, or the distributor's correction of CVE-2025-23048, it lets
# requests pass where the client gave no SNI.
our $WHY_NO_SNI_POLICY = 'this httpd has no SSLVHostSNIPolicy';
sub has_sni_policy { return has_directive('SSLVHostSNIPolicy insecure'); }

# The directive, for tests to which 421 matters little.
sub sni_policy_conf {
    my ($policy) = @_;
    return has_sni_policy() ? "SSLVHostSNIPolicy $policy\n" : '';
}

# LoadModule and SNIVHost for a mode.
sub snivhost_conf {
    my ($mode) = @_;
    return '' if $mode eq 'off';
    return 'LoadModule snivhost_module "' . module_so() . qq("\n)
         . 'SNIVHost ' . ucfirst($mode) . "\n";
}

# Few processes, quick to start.
sub mpm_conf {
    return <<'END';
<IfModule mpm_prefork_module>
    StartServers 4
    MinSpareServers 2
    MaxSpareServers 6
    MaxRequestWorkers 20
</IfModule>
<IfModule !mpm_prefork_module>
    StartServers 1
    ServerLimit 3
    ThreadsPerChild 12
    MinSpareThreads 1
    MaxSpareThreads 36
    MaxRequestWorkers 36
</IfModule>
END
}

# Where httpd's files go. Its children may be another user ("nobody" when
# root runs the tests) and must get there.
my ($work, $work_temp);
sub work {
    return $work if $work;
    my $dir = "$top/t/work";
    if ($> == 0) {
        for (my $d = $top; ; $d = dirname($d)) {
            if (!((stat $d)[2] & 1)) {
                $work_temp = File::Temp->newdir('snivhost.XXXXXX',
                                                TMPDIR => 1);
                chmod 0755, "$work_temp";
                $dir = "$work_temp";
                last;
            }
            last if $d eq '/';
        }
    }
    make_path($dir);
    return $work = $dir;
}

# Ports that nothing listens on now, below the ephemeral range. Another
# program may take one before httpd does: start() then says so, and new()
# with ports => N tries others.
my %given;
sub free_ports {
    my ($n) = @_;
    my @ports;
    for (1 .. 1000) {
        last if @ports == $n;
        my $port = 10_000 + int rand 20_000;
        next if $given{$port}++;
        my $free = 1;
        for my $ip ('127.0.0.1', '127.0.0.2') {
            my $s = IO::Socket::INET->new(Listen => 1, ReuseAddr => 1,
                        LocalAddr => $ip, LocalPort => $port) or $free = 0;
        }
        push @ports, $port if $free;
    }
    die "no free ports\n" if @ports < $n;
    return @ports;
}

# Whether the machine has ::1.
my $has_ipv6;
sub has_ipv6 {
    $has_ipv6 //= eval {
        require IO::Socket::IP;
        IO::Socket::IP->new(Listen => 1, LocalHost => '::1',
                            LocalPort => 0, Proto => 'tcp') ? 1 : 0;
    } || 0;
    return $has_ipv6;
}

# name     of its folder
# conf     text, or a sub that gets the ports and returns the text
# ports    how many (1), or a reference to an array of ports to use
# mode     on, off, verify, or 'none': not loaded; default from environment
# with     a reference to more lines, beside LoadModule and SNIVHost
# mpm, modules (a reference to more of them; -name leaves one out)
# keep     leave the folder there
# allow    a regex: bad lines (see bad_lines) that are part of the test
sub new {
    my ($class, %arg) = @_;
    my $self = bless {
        name => 'httpd', ports => 1, modules => [], mode => mode(),
        mpm => mpm(), %arg,
    }, $class;
    $self->{dir} = work() . "/$self->{name}.$$";
    remove_tree($self->{dir}) if !$arg{again};
    make_path("$self->{dir}/htdocs");
    $self->{port_list} = ref $self->{ports}
        ? $self->{ports} : [free_ports($self->{ports})];
    $self->write_conf;
    return $self;
}

sub ports { return @{ $_[0]{port_list} }; }
sub dir { return $_[0]{dir}; }
sub pid { return $_[0]{pid}; }

sub write_conf {
    my ($self) = @_;
    my $conf = ref $self->{conf} ? $self->{conf}->($self->ports)
                                 : $self->{conf};
    my $dir = $self->{dir};
    my $user = $> == 0 ? "User nobody\nGroup " . (getgrgid((getpwnam(
                             'nobody'))[3]))[0] . "\n" : '';
    my $loglevel = $self->{loglevel} || 'info';
    my $mode = $self->{mode} eq 'none' ? 'off' : $self->{mode};
    # In a file of its own: line numbers in messages are then the same with
    # and without the module.
    $self->write('snivhost.conf', snivhost_conf($mode)
                 . join "\n", @{ $self->{with} || [] }, '');
    $self->write('httpd.conf', <<"END");
ServerRoot "$dir"
PidFile httpd.pid
ErrorLog error.log
LogLevel $loglevel
ServerName main.test
${user}DefaultRuntimeDir "$dir"
Timeout @{[ 20 * patience() ]}
KeepAliveTimeout @{[ 10 * patience() ]}
@{[ modules_conf($self->{mpm}, @{ $self->{modules} }) ]}
<IfModule mime_module>
    TypesConfig /dev/null
</IfModule>
@{[ mpm_conf() ]}
Include snivhost.conf
DocumentRoot "$dir/htdocs"
<Directory "$dir">
    Options None
    AllowOverride None
    Require all granted
</Directory>
$conf
END
    return;
}

# Write a file into the server's folder.
sub write {
    my ($self, $name, $text) = @_;
    my $file = "$self->{dir}/$name";
    make_path(dirname($file));
    open my $fh, '>', $file or die "$file: $!\n";
    print $fh $text;
    close $fh or die "$file: $!\n";
    return $file;
}

sub read {
    my ($self, $name) = @_;
    open my $fh, '<', "$self->{dir}/$name" or return '';
    local $/;
    my $text = <$fh>;
    return defined $text ? $text : '';
}

# "httpd -t" and the like: (exit status, what it said).
sub check {
    my ($self, @args) = @_;
    my @cmd = (httpd(), '-d', $self->{dir}, '-f', "$self->{dir}/httpd.conf",
               @args ? @args : '-t');
    my $pid = open my $out, '-|';
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        $ENV{LD_PRELOAD} = $ENV{SNIVHOST_PRELOAD} if $ENV{SNIVHOST_PRELOAD};
        exec @cmd or die "$cmd[0]: $!\n";
    }
    my $said = do { local $/; <$out> };
    close $out;
    # killed by a signal: as a shell says it
    my $status = $? & 127 ? 128 + ($? & 127) : $? >> 8;
    return ($status, defined $said ? $said : '');
}

sub start {
    my ($self) = @_;
    for my $try (1 .. 3) {
        return $self if $self->_start;
        last if ref $self->{ports} || !ref $self->{conf};
        $self->{port_list} = [free_ports($self->{ports})];
        $self->write_conf;
    }
    die "httpd does not start: $self->{why}\n";
}

sub _start {
    my ($self) = @_;
    my $dir = $self->{dir};
    # What does not load the module need not be watched.
    my $conf = $self->read('snivhost.conf') . $self->read('httpd.conf');
    my @wrapper = $conf =~ /snivhost_module/
        ? split ' ', $ENV{SNIVHOST_WRAPPER} || '' : ();
    my $before = length $self->read('error.log');
    my $pid = fork;
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        # prefork ends its whole process group: let that not be ours.
        setpgrp 0, 0;
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$dir/console.log";
        open STDERR, '>&', \*STDOUT;
        $ENV{LD_PRELOAD} = $ENV{SNIVHOST_PRELOAD} if $ENV{SNIVHOST_PRELOAD};
        exec @wrapper, httpd(), '-d', $dir, '-f', "$dir/httpd.conf",
             '-DFOREGROUND'
            or POSIX::_exit(127);
    }
    $self->{pid} = $pid;
    $running{$pid} = $self;
    my $end = time + $START * patience();
    while (time < $end) {
        if (waitpid($pid, WNOHANG) == $pid) {
            delete $running{$pid};
            delete $self->{pid};
            $self->{why} = "exit status " . ($? >> 8) . ":\n"
                . $self->read('console.log') . $self->read('error.log');
            return 0;
        }
        # The PidFile is written after the sockets are open.
        if (-s "$dir/httpd.pid") {
            $self->_wait_for_children($before, $end);
            return 1;
        }
        sleep 0.01;
    }
    $self->stop;
    die "httpd did not start in time\n";
}

# The kernel queues connections from now on; waiting for the first child
# keeps start-up out of what tests measure, and signals from a server that does
# not know them yet.
sub _wait_for_children {
    my ($self, $before, $end) = @_;
    while (time < $end) {
        return if substr($self->read('error.log'), $before)
            =~ /resuming normal operations/;
        sleep 0.01;
    }
    return;
}

sub signal {
    my ($self, $name) = @_;
    return kill $name, $self->{pid};
}

# A graceful restart: 1 when the parent has said that it is done, 0 when it
# has ended.
sub graceful {
    my ($self) = @_;
    return $self->_restart('USR1');
}

# One that ends all connections.
sub restart {
    my ($self) = @_;
    my $before = length $self->read('error.log');
    my $is_done = $self->_restart('HUP');
    push @{ $self->{stops} }, [$before, length $self->read('error.log')];
    return $is_done;
}

sub _restart {
    my ($self, $signal) = @_;
    my $done = qr/resuming normal operations/;
    my $before = () = $self->read('error.log') =~ /$done/g;
    $self->signal($signal);
    my $end = time + 60 * patience();
    while (time < $end) {
        my $now = () = $self->read('error.log') =~ /$done/g;
        return 1 if $now > $before;
        if (waitpid($self->{pid}, WNOHANG) == $self->{pid}) {
            delete $running{ delete $self->{pid} };
            return 0;
        }
        sleep 0.02;
    }
    return 0;
}

# Ends it and all its children; bounded, never by name.
sub stop {
    my ($self, $signal) = @_;
    my $pid = delete $self->{pid} or return;
    delete $running{$pid};
    my $before = length $self->read('error.log');
    my $has_ended = 0;
    kill $signal || 'TERM', $pid;
    my $end = time + $STOP * patience();
    while (!$has_ended && time < $end) {
        $has_ended = waitpid($pid, WNOHANG) == $pid or sleep 0.01;
    }
    if (!$has_ended) {
        kill 'KILL', -$pid;             # its children, too
        waitpid $pid, 0;
    }
    # Or the next start would be taken for done
    unlink "$self->{dir}/httpd.pid";
    $self->{exit} = $?;
    push @{ $self->{stops} }, [$before, length $self->read('error.log')];
    return $has_ended;
}

# The error log without children that crashed while the server was stopped or
# restarted with all its connections. A child of httpd 2.4.71's event MPM may
# do so in its last moment (apr_os_sock_get, called by its main thread for the
# socket of a worker that is just closing it): without the module 3 of 248
# restarts under load.
sub error_log {
    my ($self) = @_;
    my $log = $self->read('error.log');
    for my $stop (reverse @{ $self->{stops} || [] }) {
        my ($from, $to) = @$stop;
        next if $to > length $log;
        substr($log, $from, $to - $from) =~ s/^.*AH0005[0-2]:.*\n//mg;
    }
    return $log;
}

# A line of a log that matches, waiting for it (httpd writes the access log
# after the client has its answer); undef if it does not come.
sub wait_for_log {
    my ($self, $log, $regex, $seconds) = @_;
    my $end = time + ($seconds || 5) * patience();
    while (1) {
        for my $line (split /\n/, $self->read($log)) {
            return $line if $line =~ $regex;
        }
        return if time > $end;
        sleep 0.02;
    }
}

# Lines of a log that no test wants to see: a child that died, what a
# sanitizer says, a difference to httpd that the module found by itself.
sub bad_lines {
    my ($text) = @_;
    return grep { /AH0005[0-2]:.*(?:signal|abnormal)|Sanitizer:|runtime error:
                  |\bSNIV000[12]:/x } split /\n/, $text;
}

sub remove {
    my ($self) = @_;
    $self->stop;
    push @bad, map { "$self->{name}: $_" }
        grep { !$self->{allow} || !/$self->{allow}/ }
        bad_lines($self->error_log . $self->read('console.log'));
    remove_tree($self->{dir}) if !$self->{keep} && !$ENV{SNIVHOST_KEEP};
    return;
}

END {
    my $status = $?;
    for my $h (values %running) {
        $h->{keep} ||= $status;         # for whoever looks why
        $h->remove;
    }
    print STDERR map { "# bad line in a log: $_\n" } @bad;
    $? = $status || (@bad ? 70 : 0);
}

1;
