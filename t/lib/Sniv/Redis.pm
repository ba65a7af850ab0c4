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


# A Redis (or Valkey) for one test: on a unix socket in a folder of its own,
# stopped by its process id, and snivhost-store beside it.
#
#   my $r = Sniv::Redis->new(name => 'a')->start;
#   $r->store('put', $folder)   (exit status, what it said)
#   $r->cli('SET', 'x', 1)      what redis-cli said

package Sniv::Redis;

use strict;
use warnings;

use File::Path qw(make_path remove_tree);
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use Sniv::Httpd;

my %running;                    # process id => 1, for END

sub _in_path {
    my (@names) = @_;
    for my $name (@names) {
        for my $dir (split(/:/, $ENV{PATH}), '/usr/bin', '/usr/sbin') {
            return "$dir/$name" if -x "$dir/$name";
        }
    }
    return;
}

# REDIS_SERVER and REDIS_CLI are others.
sub server {
    return $ENV{REDIS_SERVER} || _in_path('redis-server', 'valkey-server');
}
sub client { return $ENV{REDIS_CLI} || _in_path('redis-cli', 'valkey-cli'); }

# The snivhost-store that was built with the module.
sub program {
    (my $program = Sniv::Httpd::module_so())
        =~ s{/\.libs/[^/]*\z}{/tool/run/snivhost-store};
    return $ENV{SNIVHOST_STORE_PROGRAM} || $program;
}

# Why tests with a store cannot run; undef if they can.
sub missing {
    return 'without the module there is no store'
        if Sniv::Httpd::mode() eq 'off';
    return 'snivhost-store was not built: no hiredis' if !-x program();
    return 'redis-server is not installed' if !server() || !client();
    return;
}

# name; conf (more lines); again: the data of the one before
sub new {
    my ($class, %arg) = @_;
    my $self = bless { %arg }, $class;
    $self->{dir} = Sniv::Httpd::work() . "/redis-$arg{name}.$$";
    # A socket's path has room for 107 bytes
    if (length $self->{dir} > 90) {
        $self->{dir} = "/tmp/sniv-redis-$arg{name}.$$";
    }
    remove_tree($self->{dir});
    make_path($self->{dir});
    chmod 0700, $self->{dir};
    return $self;
}

sub dir { return $_[0]{dir}; }
sub socket { return "$_[0]{dir}/socket"; }
sub pid { return $_[0]{pid}; }

# The address for SNIVHostCertificates and --store
sub url {
    my ($self, @more) = @_;
    return 'redis:///sites?' . join '&', 'socket=' . $self->socket,
        'program=' . program(), @more;
}

sub start {
    my ($self) = @_;
    my $dir = $self->{dir};
    my $port = $self->{port} || 0;
    open my $fh, '>', "$dir/redis.conf" or die "$dir/redis.conf: $!\n";
    print {$fh} "port $port\nbind 127.0.0.1\nunixsocket $dir/socket\n"
        . "unixsocketperm 700\ndir $dir\nsave \"\"\nappendonly no\n"
        . "logfile $dir/log\nrepl-diskless-sync-delay 0\n"
        . ($self->{conf} || '');
    close $fh or die "$dir/redis.conf: $!\n";
    unlink "$dir/socket";
    my $pid = fork;
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        setpgrp 0, 0;
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$dir/console";
        open STDERR, '>&', \*STDOUT;
        exec server(), "$dir/redis.conf" or POSIX::_exit(127);
    }
    $self->{pid} = $pid;
    $running{$pid} = 1;
    my $end = time + 30 * Sniv::Httpd::patience();
    while (time < $end) {
        return $self if -S "$dir/socket"
            && $self->cli('PING') =~ /PONG|NOAUTH/;
        last if waitpid($pid, WNOHANG) == $pid;
        sleep 0.05;
    }
    die "redis-server does not start in $dir\n";
}

sub signal {
    my ($self, $name) = @_;
    return kill $name, $self->{pid};
}

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    delete $running{$pid};
    kill 'CONT', $pid;
    kill 'KILL', $pid;
    waitpid $pid, 0;
    return 1;
}

sub remove {
    my ($self) = @_;
    $self->stop;
    remove_tree($self->{dir});
    return;
}

sub _run {
    my (@cmd) = @_;
    my $pid = open my $out, '-|';
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', '/dev/null';
        exec @cmd or POSIX::_exit(127);
    }
    my $said = do { local $/; <$out> };
    close $out;
    return ($? >> 8, defined $said ? $said : '');
}

sub cli {
    my ($self, @words) = @_;
    my ($status, $said) = _run(client(), '-s', $self->socket,
                               @{ $self->{login} || [] }, @words);
    chomp $said;
    return $said;
}

# snivhost-store, with the address of this one
sub store {
    my ($self, @words) = @_;
    local $ENV{SNIVHOST_STORE} = $self->url(@{ $self->{params} || [] });
    return _run(program(), @words);
}

END {
    my $status = $?;
    for my $pid (keys %running) {
        kill 'CONT', $pid;
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }
    $? = $status;
}

1;
