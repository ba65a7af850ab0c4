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


# The certificates that are served: on the status page, in its JSON and under
# -t, the first to expire first; what a monitoring system reads; and the log
# line about those that are not renewed.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path);
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

use Sniv::Certs;
use Sniv::Chain qw(slurp spew);
use Sniv::Client;
use Sniv::Httpd;

plan skip_all => 'the module is not loaded'
    if Sniv::Httpd::mode() eq 'off';

my $LONG = 60;                  # seconds, times patience

my $ssl = Sniv::Httpd::work() . "/served-ssl.$$";
make_path("$ssl/made", "$ssl/folder");
Sniv::Certs::make();
Sniv::Certs::openssl('genpkey', '-algorithm', 'EC', '-pkeyopt',
                     'ec_paramgen_curve:P-256', '-out', "$ssl/made/key");
my $key = slurp("$ssl/made/key");

# NAME of so many days, of which so many are left.
sub make {
    my ($name, $days, $left, @names) = @_;
    Sniv::Certs::dated("$ssl/made", "$ssl/made/key", $name,
                       names => join(',', @names ? @names : "$name.test"),
                       from => $left - $days, to => $left);
    return slurp("$ssl/made/$name.crt");
}

# In place of what is there, as certbot does.
sub put {
    my ($path, $text) = @_;
    spew("$ssl/$path.tmp", $text);
    chmod 0600, "$ssl/$path.tmp";
    rename "$ssl/$path.tmp", "$ssl/$path" or die "$path: $!\n";
    return;
}

put('own.crt', make('own', 90, 70));
put('lean.crt', make('lean', 90, 60));
put('folder/f.pem', make('f', 90, 50, 'f.test', '<b>.test') . $key);
put('key', $key);

# mod_ssl's own, a lean one, one from a folder.
sub server {
    my (%arg) = @_;
    return Sniv::Httpd->new(name => 'served', ports => 2, mode => 'on',
                            conf => sub {
        my ($page, $tls) = @_;
        return <<"END" });
Listen 127.0.0.1:$page
Listen 127.0.0.1:$tls
@{[ $arg{main} // '' ]}
SNIVHostCertificates $ssl/folder
SNIVHostAdopt On
<VirtualHost 127.0.0.1:$page>
    ServerName page.test
    <Location "/sv">
        SetHandler snivhost-status
    </Location>
</VirtualHost>
<VirtualHost 127.0.0.1:$tls>
    ServerName own.test
    SSLEngine on
    SSLCertificateFile $ssl/own.crt
    SSLCertificateKeyFile $ssl/key
</VirtualHost>
<VirtualHost 127.0.0.1:$tls>
    ServerName lean.test
    SSLEngine on
    SSLCertificateFile $ssl/lean.crt
    SSLCertificateKeyFile $ssl/key
</VirtualHost>
END
}

# Wait until a condition holds.
sub soon {
    my ($code) = @_;
    my $end = time + $LONG * Sniv::Httpd::patience();
    while (time < $end) {
        return 1 if $code->();
        sleep 0.05;
    }
    return 0;
}

# ----- the log line

# What is said, without what comes before the tag.
sub said {
    my ($h) = @_;
    return map { s/.*(?=SNIV0360)//r } grep { /SNIV0360/ }
        split /\n/, $h->read('error.log');
}

my $h = server()->start;
is_deeply [said($h)], [], 'all are fresh: nothing is said';
$h->stop;

put('own.crt', make('own', 90, 31));
put('lean.crt', make('lean', 6, 2.1));
put('folder/f.pem', make('f', 6, 1.9) . $key);
$h->start;
like join("\n", said($h)), qr{\ASNIV0360:\ certificate:\ less\ than\ a\ third
    \ of\ the\ life\ of\ \Q$ssl\E/folder/f\.pem\ is\ left,\ it\ expires\ on
    \ \d{4}-\d\d-\d\d\.\ Check\ that\ it\ is\ going\ to\ be\ renewed\z}x,
    'one that has less than a third of its life left';
like $h->read('error.log'), qr/:notice\].*SNIV0360/, '... a notice';
ok $h->graceful, 'a graceful restart';
is scalar(said($h)), 1, '... on the same day: nothing more';
$h->stop;
my ($day) = join('', said($h)) =~ /(\d{4}-\d\d-\d\d)/;

put('own.crt', make('own', 90, 29));
put('lean.crt', make('lean', 90, 10));
$h->start;
like +(said($h))[-1], qr{f\.pem\ is\ left,\ it\ expires\ on\ $day;\ so\ it\ is
    \ with\ 2\ other\ certificates\.}x,
    'a start: the one that expires first, and how many others';
$h->stop;

put('folder/f.pem', make('f', 90, 50) . $key);
put('own.crt', make('own', 90, -1));
put('lean.crt', make('lean', 90, 60));
$h->start;
like +(said($h))[-1], qr{of\ \Q$ssl\E/own\.crt\ is\ left,\ it\ expired\ on
    \ \S+\ Check}x, 'one that mod_ssl has loaded';
like $h->read('error.log'), qr/:warn\].*SNIV0360.*own\.crt/, '... a warning';
is scalar(said($h)), 3, 'one line a start';
$h->remove;

$h = server(main => 'SNIVHostLintIgnore 0428')->start;
is_deeply [said($h)], [], 'SNIVHostLintIgnore 0428: nothing is said';
$h->remove;

done_testing;
