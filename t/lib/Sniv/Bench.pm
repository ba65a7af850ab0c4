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

package Sniv::Bench;

# Servers that are measured beside each other, with the same certificates:
# httpd, nginx, HAProxy.

use strict;
use warnings;

use Exporter qw(import);

use Sniv::Httpd;

our @EXPORT_OK = qw(haproxy_conf httpd_conf median nginx_conf program versions
                    write_file);

# Where a program is and what it calls itself.
our %VERSION;
sub program {
    my ($name, $option) = @_;
    for my $dir (split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin') {
        next if !-x "$dir/$name";
        ($VERSION{$name}) = split /\n/, qx{$dir/$name $option 2>&1};
        return "$dir/$name";
    }
    return;
}

sub nobody {
    return $> != 0 ? () : ('nobody',
                           scalar getgrgid((getpwnam 'nobody')[3]));
}

# The files of the i-th one; in $b: both are in one, if it has bundles alone.
sub files {
    my ($b, $i) = @_;
    return $b->{certs} ? ("$b->{certs}/$i.crt", "$b->{certs}/$i.key")
                       : ("$b->{bundles}/$i.pem") x 2;
}

# $b has size, port, certs (a folder of pairs) or only bundles (a folder of
# files with all in one), dir (its own folder); few: so many virtual hosts.
sub httpd_conf {
    my ($b, $mode, $lines) = @_;
    my ($user, $group) = nobody();
    my $as = $user ? "User $user\nGroup $group\n" : '';
    my $conf = Sniv::Httpd::modules_conf('event')
        . Sniv::Httpd::snivhost_conf($mode) . $lines . <<"END";
ServerRoot "$b->{dir}"
PidFile "$b->{dir}/pid"
DefaultRuntimeDir "$b->{dir}"
ErrorLog "$b->{dir}/error.log"
LogLevel notice
ServerName main.example
TypesConfig /dev/null
${as}Listen 127.0.0.1:$b->{port}
DocumentRoot "$b->{dir}"
SSLSessionCache shmcb:$b->{dir}/scache(512000)
StartServers 2
ServerLimit 2
ThreadsPerChild 25
MinSpareThreads 1
MaxSpareThreads 50
MaxRequestWorkers 50
END
    for my $i (0 .. ($b->{few} || $b->{size}) - 1) {
        my ($crt, $key) = files($b, $i);
        $conf .= <<"END";
<VirtualHost *:$b->{port}>
ServerName site$i.example
ServerAlias www.site$i.example
SSLEngine on
SSLCertificateFile "$crt"
SSLCertificateKeyFile "$key"
</VirtualHost>
END
    }
    return ('httpd.conf', $conf, '-f', "$b->{dir}/httpd.conf",
            '-DFOREGROUND');
}

sub nginx_conf {
    my ($b) = @_;
    my ($user, $group) = nobody();
    my $as = $user ? "user $user $group;" : '';
    my $conf = <<"END";
daemon off;
$as
worker_processes 2;
pid $b->{dir}/pid;
error_log $b->{dir}/error.log notice;
events { worker_connections 1024; }
http {
    access_log off;
    server_names_hash_max_size 131072;
    server_names_hash_bucket_size 128;
    ssl_session_cache shared:tls:512000;
    ssl_protocols TLSv1.2 TLSv1.3;
END
    for my $i (0 .. $b->{size} - 1) {
        my ($crt, $key) = files($b, $i);
        $conf .= <<"END";
    server {
        listen 127.0.0.1:$b->{port} ssl;
        server_name site$i.example www.site$i.example;
        ssl_certificate $crt;
        ssl_certificate_key $key;
        return 204;
    }
END
    }
    return ('nginx.conf', "$conf}\n", '-c', "$b->{dir}/nginx.conf",
            '-e', "$b->{dir}/error.log");
}

sub haproxy_conf {
    my ($b) = @_;
    my ($user, $group) = nobody();
    my $as = $user ? "user $user\n    group $group" : '';
    return ('haproxy.cfg', <<"END", '-W', '-db', '-f', "$b->{dir}/haproxy.cfg");
global
    $as
    nbthread 2
    maxconn 2000
    stats socket $b->{dir}/stats level admin expose-fd listeners
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 5s
frontend tls
    bind 127.0.0.1:$b->{port} ssl crt $b->{bundles} alpn h2,http/1.1
    http-request return status 204
END
}

# What they call themselves.
sub versions {
    ($VERSION{httpd}) = qx{@{[Sniv::Httpd::httpd()]} -v} =~ /: (.*)/;
    return map { $VERSION{$_} } grep { $VERSION{$_} } qw(httpd nginx haproxy);
}

sub write_file {
    my ($file, $text, $mode) = @_;
    open my $fh, '>', "$file.new" or die "$file: $!\n";
    print $fh $text;
    close $fh or die "$file: $!\n";
    chmod $mode || 0644, "$file.new";
    rename "$file.new", $file or die "$file: $!\n";
    return;
}

sub median {
    my @sorted = sort { $a <=> $b } @_;
    return $sorted[$#sorted / 2];
}

1;
