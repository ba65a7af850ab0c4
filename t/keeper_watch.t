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


# Changes of certificate files are served without waiting for a round: the
# rounds of this server are an hour apart.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path remove_tree);
use Test::More;
use Time::HiRes qw(sleep time);

use Sniv::Chain qw(make_cert slurp);
use Sniv::Client;
use Sniv::Httpd;

plan skip_all => 'without the module a renewal needs a restart'
    if Sniv::Httpd::mode() eq 'off';
plan skip_all => 'only Linux has inotify' if $^O ne 'linux';

my $LONG = 30;                  # seconds, times patience

my $ssl = Sniv::Httpd::work() . "/watch-ssl.$$";
make_cert($ssl, 'v0');
for my $name ('a', 'bot', 'data', 'lean', 'new', 'way') {
    make_cert($ssl, "$name-$_", names => ["$name.test"]) for 1 .. 3;
}

sub write_file {
    my ($file, @texts) = @_;
    my $path = "$ssl/$file";
    (my $dir = $path) =~ s{/[^/]*\z}{};
    make_path($dir);
    open my $out, '>', $path or die "$path: $!\n";
    print {$out} @texts;
    close $out;
    chmod 0600, $path;
    return;
}
sub put {
    my ($file, @texts) = @_;
    write_file("$file.tmp", @texts);
    rename "$ssl/$file.tmp", "$ssl/$file" or die "$file: $!\n";
    return;
}
sub leaf { return slurp("$ssl/$_[0].leaf"); }
sub key { return slurp("$ssl/$_[0].key"); }
sub pair { return (leaf($_[0]), key($_[0])); }

# A link that is put in the place of another one in one step.
sub link_to {
    my ($target, $link) = @_;
    unlink "$ssl/$link.tmp";
    symlink $target, "$ssl/$link.tmp" or die "$link: $!\n";
    rename "$ssl/$link.tmp", "$ssl/$link" or die "$link: $!\n";
    return;
}

# certbot: links into an archive
sub link_live {
    my ($n) = @_;
    make_path("$ssl/live/bot.test");
    link_to("../../archive/bot/$_$n.pem", "live/bot.test/$_.pem")
        for 'fullchain', 'privkey';
    return;
}
for my $n (1 .. 3) {
    write_file("archive/bot/fullchain$n.pem", leaf("bot-$n"));
    write_file("archive/bot/privkey$n.pem", key("bot-$n"));
    # Kubernetes: the folder that ..data leads to
    write_file("live/data/..$n/tls.crt", leaf("data-$n"));
    write_file("live/data/..$n/tls.key", key("data-$n"));
    # a link on the way to the folder
    write_file("way$n/certs/way.pem", pair("way-$n"));
}
link_live(1);
link_to('..1', 'live/data/..data');
link_to("..data/$_", "live/data/$_") for 'tls.crt', 'tls.key';
link_to('way1', 'way');
put('live/a.pem', pair('a-1'));
put('lean.crt', leaf('lean-1'));
put('lean.key', key('lean-1'));

my $h = Sniv::Httpd->new(name => 'watch', ports => 1, conf => sub {
    my $a = "127.0.0.1:$_[0]";
    return <<"END" })->start;
Listen $a
SNIVHostCertificates $ssl/live $ssl/way/certs
SNIVHostCertificateCheck 3600
<VirtualHost $a>
    ServerName a.test
    SSLEngine on
</VirtualHost>
<VirtualHost $a>
    ServerName lean.test
    SNIVHostTLS On
    SSLCertificateFile $ssl/lean.crt
    SSLCertificateKeyFile $ssl/lean.key
</VirtualHost>
END
my ($port) = $h->ports;

sub served {
    my ($name) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $port,
                              tls => { sni => "$name.test" });
    return $c->error || $c->cert;
}

sub soon_serves {
    my ($name, $cert, $what) = @_;
    my $start = time;
    my $end = $start + $LONG * Sniv::Httpd::patience();
    my $got = '';
    while (time < $end && ($got = served($name)) ne $cert) {
        sleep 0.02;
    }
    is $got, $cert, $what;
    diag sprintf '%s: %.2f s', $what, time - $start
        if $ENV{SNIVHOST_TIMES};
    return;
}

is served('a'), 'a-1', 'as it was';
is served('bot'), 'bot-1', 'as it was: links';
is served('data'), 'data-1', 'as it was: ..data';
is served('way'), 'way-1', 'as it was: a link on the way';

put('live/a.pem', pair('a-2'));
soon_serves('a', 'a-2', 'a rename');
write_file('live/a.pem', pair('a-3'));
soon_serves('a', 'a-3', 'written in place');
write_file('live/new/x.pem', pair('new-1'));
soon_serves('new', 'new-1', 'a new folder');
put('live/new/x.pem', pair('new-2'));
soon_serves('new', 'new-2', '... in which a file is renewed');
link_live(2);
soon_serves('bot', 'bot-2', 'links are switched');
write_file('archive/bot/privkey2.pem', key('bot-3'));
write_file('archive/bot/fullchain2.pem', leaf('bot-3'));
soon_serves('bot', 'bot-3', 'written in place where links lead');
link_to('..2', 'live/data/..data');
soon_serves('data', 'data-2', '..data is switched');
remove_tree("$ssl/live/data/..1");
link_to('..3', 'live/data/..data');
soon_serves('data', 'data-3', '... and once more');
link_to('way2', 'way');
soon_serves('way', 'way-2', 'a link on the way is switched');
put('way2/certs/way.pem', pair('way-3'));
soon_serves('way', 'way-3', '... and a file renewed where it leads');
put('lean.key', key('lean-2'));
put('lean.crt', leaf('lean-2'));
soon_serves('lean', 'lean-2', 'SSLCertificateFile');
unlink "$ssl/live/new/x.pem";
soon_serves('new', 'a-3', 'a file is removed');
remove_tree("$ssl/live/new");
write_file('live/new/x.pem', pair('new-3'));
soon_serves('new', 'new-3', 'a folder is made anew');
remove_tree("$ssl/live/new");
soon_serves('new', 'a-3', 'and removed');
is served('a'), 'a-3', 'the others are as they were';

$h->stop;
unlike $h->read('error.log'), qr/SNIV0354/, 'all is watched'
    or diag $h->read('error.log') =~ /(.*SNIV0354.*)/;
$h->remove;

END {
    my $status = $?;
    File::Path::remove_tree($ssl) if $ssl;
    $? = $status;
}

done_testing;
