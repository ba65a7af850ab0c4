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


# Findings about names: hidden by an earlier virtual host, never asked for,
# missing, and which virtual host is the default.


use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use Sniv::Httpd;
use Sniv::Lint;

# ----- 0400: a name that two virtual hosts have

finds '0400: the same ServerName', $listen,
    vhost('*:80', 'a.test'), vhost('*:80', 'a.test!0400');
finds '0400: the same alias, in another case', $listen,
    vhost('*:80', 'a.test www.test'), vhost('*:80', 'b.test WWW.test!0400');
finds '0400: a ServerName that is an earlier alias', $listen,
    vhost('*:80', 'a.test b.test'), vhost('*:80', 'b.test!0400');
finds '0400: once, however many addresses they share', $listen,
    vhost('127.0.0.1:80 127.0.0.2:80', 'a.test'),
    vhost('127.0.0.2:80 127.0.0.1:80', 'a.test!0400'),
    vhost('127.0.0.1:80', 'b.test');
finds '0400: several names in one finding', $listen,
    vhost('*:80', 'a.test b.test c.test d.test e.test'),
    vhost('*:80', 'f.test b.test!0400 c.test d.test e.test');
finds '0400: an earlier one without ServerName has the main server\'s',
    $listen,
    vhost('*:80', '-'), vhost('*:80', 'main.test!0400');
passes '0400: the same name on another port', $listen, "Listen 127.0.0.1:81\n",
    vhost('*:80', 'a.test'), vhost('*:81', 'a.test');
passes '0400: the same name twice in one virtual host', $listen,
    vhost('*:80', 'z.test'), vhost('*:80', 'a.test a.test www.test www.test');
passes '0400: the same name on another IP', $listen,
    vhost('127.0.0.1:80', 'a.test'), vhost('127.0.0.2:80', 'a.test');
passes '0400: an exact name with the text of a glob', $listen,
    vhost('*:80', 'a.test x.test'), vhost('*:80', 'b.test *.x.test');

# ----- 0401: a file that is read twice

passes '0401: read twice with different names', $listen,
    "Define NAME a.test\n", "Include name.conf\n", "UnDefine NAME\n",
    "Define NAME b.test\n", "Include name.conf\n";
finds '0401: read twice with different names, and one they share', $listen,
    "Define NAME a.test\n", "Include alias.conf\n", "UnDefine NAME\n",
    "Define NAME b.test\n", "Include alias.conf #! alias:3 0400\n";
finds '0401, a note: included twice', $listen,
    "Include site.conf\n", "Include site.conf #! site:1 0401\n";
passes '0401: included for two ports', $listen, "Listen 127.0.0.1:81\n",
    "Define PORT 80\n", "Include port.conf\n", "UnDefine PORT\n",
    "Define PORT 81\n", "Include port.conf\n";

# ----- 0402, 0403: behind an earlier glob

finds '0402: a name behind a glob', $listen,
    vhost('*:80', 'a.test *.x.test'), vhost('*:80', 'www.x.test!0402');
finds '0402: an alias behind a glob', $listen,
    vhost('*:80', 'a.test *'), vhost('*:80', 'b.test!0402 c.test');
passes '0402: the glob comes later', $listen,
    vhost('*:80', 'www.x.test'), vhost('*:80', 'a.test *.x.test');
passes '0402: the glob is in the same virtual host', $listen,
    vhost('*:80', 'z.test'),
    vhost('*:80', 'x.test *.x.test www.x.test');
passes '0402: the glob does not cover the name itself', $listen,
    vhost('*:80', 'a.test *.x.test'), vhost('*:80', 'x.test');
finds '0403: a glob behind a wider one', $listen,
    vhost('*:80', 'a.test *.x.test'),
    vhost('*:80', 'b.test *.y.x.test!0403');
finds '0403: the same glob', $listen,
    vhost('*:80', 'a.test w?w.*.test'),
    vhost('*:80', 'b.test W?W.*.test!0403');
passes '0403: a narrower glob first', $listen,
    vhost('*:80', 'a.test *.y.x.test'), vhost('*:80', 'b.test *.x.test');
passes '0403: ? is not *', $listen,
    vhost('*:80', 'a.test ?.x.test'), vhost('*:80', 'b.test *.x.test');
passes '0403: one character or more is not none or more', $listen,
    vhost('*:80', 'a.test a?*.x.test'), vhost('*:80', 'b.test a*.x.test');
finds '0403: none or more has one character or more', $listen,
    vhost('*:80', 'a.test a*.x.test'),
    vhost('*:80', 'b.test a?*.x.test!0403');

# ----- 0404: names that no client asks for

finds '0404: spelling', $listen,
    vhost('*:80', 'a.test'),
    vhost('*:80', 'b.test c.test:80!0404 d.test.!0404 .e.test!0404 '
        . 'http://f.test/!0404 g.test,!0404 h..test!0404 [::2]!0404 '
        . "\xc3\xa4.test!0404 (i|j).test!0404 "
        . '12!0404 1.2.3!0404 l.1!0404 *.k.test:*!0404');
finds '0404: a ServerName with a dot at the end', $listen,
    vhost('*:80', 'a.test'), vhost('*:80', 'b.test.!0404');
passes '0404: odd and possible', $listen,
    vhost('*:80', 'a.test'),
    vhost('*:80', 'http://b.test:8080 _c.d-e.test ::2 xn--4ca.test *f?.test '
        . '10.0.0.1 localhost');
passes '0404: the only virtual host on its address: no name is looked up',
    $listen,
    vhost('*:80', 'a.test b.test:80');

# ----- 0405: globs without a literal end

finds '0405: a hundred of them', $listen,
    vhost('*:80', 'a.test *x0*!0405'),
    vhost('*:80', join ' ', 'b.test', map { "*x${_}y*" } 101 .. 199);
passes '0405: some', $listen,
    vhost('*:80', 'a.test *x0*'),
    vhost('*:80', join ' ', 'b.test', map { "*x${_}y*" } 101 .. 198);
passes '0405: many with an end', $listen,
    vhost('*:80', 'a.test'),
    vhost('*:80', join ' ', 'b.test', map { "*.x$_.test" } 1 .. 300);

# ----- 0406, 0407: no ServerName

finds '0406: not the first', $listen,
    vhost('*:80', 'a.test'), vhost('*:80!0406', '-');
finds '0406: not the first, with an alias', $listen,
    vhost('*:80', 'a.test'), vhost('*:80!0406', '- b.test');
passes '0406: the first', $listen,
    vhost('*:80', '-'), vhost('*:80', 'a.test');
passes '0406: the only one', $listen, vhost('*:80', '-');
finds '0407: on an IP', $listen, vhost('127.0.0.2:80!0407', '-');
passes '0406: it comes from elsewhere', $listen,
    "LoadModule macro_module \${LIBEXEC}/mod_macro.so\n",
    "<Macro Name \$name>\nServerName \$name\n</Macro>\n",
    vhost('*:80', 'a.test'), vhost('*:80', '-', 'Use Name b.test'),
    vhost('*:80', '-', '<IfModule mod_ssl.c>', 'ServerName c.test',
        '</IfModule>'),
    vhost('*:80', '-', 'Include ca/name.inc');
passes '0407: an IP and *', $listen, "Listen 127.0.0.2:81\n",
    vhost('127.0.0.2:81 *:80', '-');
passes '0407: loopback', $listen, vhost('127.0.0.1:80', '-');

# ----- 0430, a note: the default

finds '0430, a note: first by its file', $listen,
    vhost('*:80!0430', 'a.test'), "Include ca/b.conf\n";
passes '0430, a note: the same file', $listen,
    vhost('*:80', 'a.test'), vhost('*:80', 'b.test');
passes '0430, a note: a default', $listen,
    vhost('*:80', 'default.invalid'), "Include ca/b.conf\n";
passes '0430, a note: a file with a number', $listen,
    "Include ca/000-b.conf\n", vhost('*:80', 'a.test');

# ... unless a later one has a name for all of them
for my $glob ('*', '**', '?*', '*.*', '*?') {
    passes "0430, a note: a later $glob", $listen,
        vhost('*:80', 'a.test'), "Include ca/b.conf\n",
        vhost('*:80', "rest.test $glob");
}
finds '0430, a note: a later pattern for some names', $listen,
    vhost('*:80!0430', 'a.test'), "Include ca/b.conf\n",
    vhost('*:80', 'rest.test *.com www.*');

plan tests => Sniv::Lint::cases(), sub {
    Sniv::Httpd::mode() ne 'off' ? 1
        : skip_reason('the module is not loaded');
};

my $h = Sniv::Lint::server('lint-names', {},
    'site.conf' => vhost('*:80', 'a.test'),
    'alias.conf' => vhost('*:80', '${NAME} common.test'),
    'name.conf' => vhost('*:80', '${NAME}'),
    'port.conf' => vhost('*:${PORT}', 'a.test'),
    'ca/b.conf' => vhost('*:80', 'b.test'),
    'ca/000-b.conf' => vhost('*:80', 'b.test'),
    'ca/name.inc' => "ServerName d.test\n");
Sniv::Lint::check_cases();
$h->remove;
