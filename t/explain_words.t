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


# The words of SNIVHostExplain: what is no question gets a sentence, whatever
# it is made of, and a URL is read as a browser reads it (t/unit/test_url.c
# has more of them).

use strict;
use warnings FATAL => 'all';
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use Sniv::Httpd;

plan skip_all => 'this directive is the module\'s own'
    if Sniv::Httpd::mode() eq 'off';

my $h = Sniv::Httpd->new(name => 'words', conf => sub {
    my ($port) = @_;
    return "Listen 127.0.0.1:$port\n<VirtualHost 127.0.0.1:$port>\n"
        . "ServerName xn--mnchen-3ya.example\nServerAlias a.example\n"
        . "</VirtualHost>\n";
});
my ($port) = $h->ports;

# The exit status and what was said, in bytes as a shell would give them.
sub asked {
    my ($words) = @_;
    utf8::encode($words);
    return $h->check('-t', '-c', "SNIVHostExplain $words");
}

# ----- a question

for my $case (
    ["127.0.0.1:$port", qr/^127\.0\.0\.1:$port$/m],
    ["127.0.0.1:$port sni=\"\"", qr/there is no TLS/],
    ["http://a.example:$port/", qr/ host=a\.example:$port$/m],
    ["http://A.EXAMPLE.:$port/%7ex?q#f", qr{host=a\.example\.:$port path=/%7ex}],
    ["http://münchen.example:$port/", qr/host=xn--mnchen-3ya\.example:$port$/m,
     'idn2'],
    ["http://MÜNCHEN。example:$port/ü", qr{-3ya\.example:$port path=/%C3%BC$}m,
     'idn2'],
) {
    my ($words, $says) = @$case;
    my ($status, $said) = asked($words);
  SKIP: {
        skip 'built without libidn2', 2
            if $case->[2] && $said =~ /no libidn2/;
        is($status, 0, $words =~ s{[^ -~]}{?}gr) or diag $said;
        like($said, $says, 'is understood');
    }
}

# ----- none

for my $case (
    ['//x://y', qr/neither https/],
    ['://', qr/not a URL/],
    ['x://', qr/not a URL/],
    ['x://y', qr/neither/],
    ['https://', qr/not a URL/],
    ['https://a:0/', qr/port that does not exist/],
    ['https://a:-1/', qr/port|URL/],
    ['https://a:99999999999999999999/', qr/port|URL/],
    ['https://[::1', qr/URL/],
    ['https://./', qr/host that no client/],
    ['https://%20/', qr/host that no client/],
    ['=', qr/not known/],
    ['=x', qr/not known/],
    ['sni=a', qr/no address/],
    ['""', qr/no address/],
    ['127.0.0.1', qr/no port/],
    [':80', qr/not an address|is not/],
    ['*:80', qr/not the address/],
    ['[::]:80', qr/means all/],
    ['a.example:80', qr/is a name/],
    ["127.0.0.1:$port x", qr/too many/],
    ["127.0.0.1:$port path=x", qr/slash/],
    ["127.0.0.1:$port http=3", qr/http=3/],
    ["127.0.0.1:$port sni=\x{1b}", qr/control character/],
    ["\x{1b}]0;x\x{7}:80", qr/control character/],
    ["http://a.example/\x{1b}[2J", qr/control character/],
    ["127.0.0.1:$port sni=münchen.example", qr/sni=xn--mnchen-3ya/, 'idn2'],
    ["127.0.0.1:$port host=münchen.example:8443",
     qr/host=xn--mnchen-3ya\.example:8443/, 'idn2'],
) {
    my ($words, $says, $with) = @$case;
    my ($status, $said) = asked($words);
    my $shown = $words =~ s/[^ -~]/?/gr;
  SKIP: {
        skip 'built without libidn2', 3 if $with && $status == 0;
        is($status, 1, $shown);
        like($said, $says, 'is answered with a sentence');
        unlike($said, qr/[\x00-\x09\x0b-\x1f]/, 'that is safe to print');
    }
}

# ----- anything

my @parts = ('https', 'http', '://', ':', '/', 'x', '127.0.0.1', "$port",
             '[', ']', '::1', '@', '%', '=', 'sni=', 'host=', 'path=/',
             'format=json', 'http=1.0', '"', "'", '\\', ' ', '*', '.', 'ü',
             '?', '#', 'a.example');
srand(20261126);
my @died;
for (1 .. 150) {
    my $words = join '', map { $parts[rand @parts] } 1 .. 1 + rand 9;
    my ($status, $said) = asked($words);
    push @died, "$words: $status" if $status > 1;
}
is("@died", '', 'no words end it by a signal');
$h->remove;

done_testing;
