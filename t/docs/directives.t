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

# The command table, the manual and the configuration files tell the same
# about the directives. What is missing is listed.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;

use Sniv::Client;
use Sniv::Docs qw(commands directives examples nothing
                  used_directives);
use Sniv::Httpd;

my @commands = commands();
my %command = map { $_->{name} => $_ } @commands;
my %manual = directives();

# ----- the command table

cmp_ok scalar @commands, '>', 0, 'the sources have a command table';
is scalar(keys %command), scalar @commands, 'no command is there twice';
for my $c (@commands) {
    like $c->{name}, qr/\ASNIVHost(?:[A-Z]\w*)?\z/, "$c->{name} has our name";
    like $c->{help}, qr/\A[A-Z][a-z]+ (?!.*\. ).*[^.]\z/,
        "$c->{name}: its help is one sentence, with the verb first";
}

# ----- and the manual

nothing [grep { !$manual{$_} } sort keys %command],
    'every directive is in the manual '
    . '(docs/manual/mod/mod_snivhost.xml)';
nothing [grep { !$command{$_} } sort keys %manual],
    'the manual has no directive that is not in the command table';

my @order = map { lc } Sniv::Docs::manual()
    =~ m{<directivesynopsis[^>]*>\s*<name>(\w+)</name>}g;
is "@order", join(' ', sort @order),
    'the directives of the manual are in alphabetical order';

for my $name (grep { $manual{$_} } sort keys %command) {
    my ($c, $m) = ($command{$name}, $manual{$name});
    like $m->{syntax} // '', qr/\A\Q$name\E [^ ]/,
        "$name: the syntax is in the manual";
    is $m->{syntax}, "$name On|Off", "$name is On or Off"
        if $c->{kind} eq 'FLAG';
    like $m->{description} // '', qr/\A[A-Z].*[^.]\z/,
        "$name: the description is";
    like $m->{default}, qr/\A\Q$name\E [^ ]/, "$name: the default is"
        if defined $m->{default};
    ok @{ $m->{contexts} }, "$name: the context is";
    ok +(grep { /^\s*\Q$name\E\s/m } @{ $m->{examples} }),
        "$name: an example is, and uses it";
}

# Links inside of the manual lead somewhere.
my $xml = Sniv::Docs::manual();
my %id = map { $_ => 1 } $xml =~ /<section id="([^"]+)"/g,
         map { lc } keys %manual;
nothing [grep { !$id{$_} } $xml =~ /href="#([^"]+)"/g],
    'every link inside of the manual has a target';

# ----- configuration files and examples

my %used;
for my $example (examples()) {
    my ($where, $text) = @$example;
    nothing [grep { !$command{$_} } used_directives($text)],
        "$where: every directive of ours exists";
    next if $where !~ m{^(?:conf/|README)};
    $used{$_}++ for used_directives($text);
}
nothing [grep { !$used{$_} } sort keys %command],
    'every directive is in conf/ or in an example of the README';

# Words in running text too.
for my $file ('README', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGES',
              'docs/INTERNALS.md', 'docs/manual/mod/mod_snivhost.xml') {
    my %seen;
    nothing [grep { !$command{$_} && !$seen{$_}++ }
                 Sniv::Docs::slurp($file) =~ /\b(SNIVHost[A-Z]\w+)/g],
        "$file names no directive that does not exist";
}

# ----- the same as the module says of itself, and where each may be

SKIP: {
    skip 'SNIVHOST=off: the module is not loaded', 1
        if Sniv::Httpd::mode() eq 'off';
    my $h = Sniv::Httpd->new(name => 'docs-directives', conf => sub { <<"END" });
Listen 127.0.0.1:$_[0]
<Location "/info">
    SetHandler server-info
</Location>
END
    $h->start;
    my $page = Sniv::Client->new(addr => '127.0.0.1', port => $h->ports)
        ->get('localhost', '/info?mod_snivhost.c')->{body} // '';
    $h->stop;
    my %live = $page =~ m{<dd><tt>(SNIVHost\w*) - <i>(.*?)</i></tt>}g;
    for (values %live) {
        s/&lt;/</g;
        s/&gt;/>/g;
        s/&quot;/"/g;
        s/&amp;/&/g;
    }
    is_deeply \%live, { map { $_ => $command{$_}{help} } keys %command },
        'the loaded module has these directives and help texts '
        . '(mod_info shows them)';
    $h->remove;
}

# A value that each may have: the first alternative of the syntax, or
# something for what is in italics.
my %value = (name => 'a.example', folder => 'certs', seconds => 30,
             number => 100, code => 'SNIV0400', 'address:port' => '127.0.0.1:80');
SKIP: {
    skip 'SNIVHOST=off: the module is not loaded', 1
        if Sniv::Httpd::mode() eq 'off';
    for my $name (grep { $manual{$_} } sort keys %command) {
        (my $value = $manual{$name}{syntax}) =~ s/\A\w+ //;
        $value =~ s/\s.*//;
        $value =~ s/\|.*//;
        $value = $value{$value} if exists $value{$value};
        my %allowed = map { $_ => 1 } @{ $manual{$name}{contexts} };
        my %where = (
            'server config' => "%s\n",
            'virtual host' => "<VirtualHost *:%d>\nServerName a.example\n%s\n"
                . "</VirtualHost>\n",
            'directory' => "<Directory \"/nowhere\">\n%s\n</Directory>\n",
        );
        for my $context (sort keys %where) {
            my $h = Sniv::Httpd->new(
                name => 'docs-context', mode => 'none', conf => sub {
                    my $conf = $where{$context} =~ s/%d/$_[0]/r;
                    $conf =~ s/%s/$name $value/;
                    # What it needs to make sense beside it is not our
                    # question: only whether it may stand there.
                    return "Listen 127.0.0.1:$_[0]\nLoadModule snivhost_module "
                        . '"' . Sniv::Httpd::module_so() . qq("\n) . $conf;
                });
            my ($exit, $said) = $h->check;
            $h->remove;
            my $here = $said =~ /Syntax error on line|not allowed/ ? 0 : 1;
            is $here, $allowed{$context} ? 1 : 0,
                "$name $value in $context: "
                . ($allowed{$context} ? 'as the manual says'
                                      : 'refused, as the manual says')
                or diag $said;
        }
    }
}

done_testing;
