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

package Sniv::Docs;

# What the sources, the manual, the README and the configuration files say,
# as data, so that tests can compare them.

use strict;
use warnings;

use Exporter qw(import);
use File::Basename qw(basename);
use Test::More ();

use Sniv::Httpd;

our @EXPORT_OK = qw(commands directives examples log_tags manual_tags
                    manual nothing slurp used_directives version);

my $top = Sniv::Httpd::top();

sub slurp {
    my ($file) = @_;
    $file = "$top/$file" if $file !~ m{^/};
    open my $in, '<:encoding(UTF-8)', $file or die "$file: $!\n";
    local $/;
    return scalar <$in>;
}

# A test that a list is empty; if not, all that is in it is shown.
sub nothing {
    my ($list, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return Test::More::is(join(', ', @$list), '', $name);
}

sub version {
    return slurp('mod_snivhost_version.h')
        =~ /^#define MOD_SNIVHOST_VERSION "([^"]+)"/m ? $1
        : die "mod_snivhost_version.h has no version\n";
}

# The command table in the sources: { name, kind, context, help }.
sub commands {
    my @commands;
    for my $file (glob "$top/mod_snivhost*.c") {
        my $text = slurp($file);
        while ($text =~ /\bAP_INIT_(\w+)\s*\(\s*"(\w+)"\s*,(.*?)((?:"(?:[^"\\]|\\.)*"\s*)+)\)/gs) {
            my ($kind, $name, $rest, $strings) = ($1, $2, $3, $4);
            push @commands, {
                name => $name, kind => $kind,
                context => (split /\s*,\s*/, $rest)[-1] =~ s/\s+\z//r,
                help => join('', $strings =~ /"((?:[^"\\]|\\.)*)"/g),
            };
        }
    }
    return @commands;
}

my $manual;
sub manual {
    return $manual //= slurp('docs/manual/mod/mod_snivhost.xml')
                       =~ s/<!--.*?-->//gsr;
}

# Of the manual: what a reader sees.
sub _text {
    my ($xml) = @_;
    $xml =~ s/<[^>]*>//g;
    my %entity = (lt => '<', gt => '>', amp => '&', quot => '"', apos => "'");
    $xml =~ s{&(\w+);}{$entity{$1} // die "entity &$1;\n"}ge;
    return $xml;
}

sub _line {
    my ($xml) = @_;
    my $text = _text($xml);
    $text =~ s/\s+/ /g;
    return $text =~ s/\A | \z//gr;
}

# The directives of the manual: name => { syntax, default, description,
# contexts => [], usage (as XML), examples => [] }.
sub directives {
    my %directives;
    for my $one (manual() =~ m{<directivesynopsis[^>]*>(.*?)</directivesynopsis>}gs) {
        my %d = map { $_ => $one =~ m{<$_>(.*?)</$_>}s ? _line($1) : undef }
            qw(name description syntax default);
        $d{contexts} = [map { _line($_) } $one =~ m{<context>(.*?)</context>}gs];
        ($d{usage}) = $one =~ m{<usage>(.*?)</usage>}s;
        $d{examples} = [map { _text($_) } ($d{usage} // '')
            =~ m{<highlight language="config">(.*?)</highlight>}gs];
        die "the manual has $d{name} twice\n" if $directives{$d{name}};
        $directives{$d{name}} = \%d;
    }
    return %directives;
}

# Every piece of configuration that somebody may copy: [where, text].
sub examples {
    my @examples;
    my $xml = manual();
    while ($xml =~ m{<highlight language="config">(.*?)</highlight>}gs) {
        my $line = 1 + (substr($xml, 0, $-[0]) =~ tr/\n//);
        push @examples, ["manual, example before line $line", _text($1)];
    }
    for my $file ('README', glob "$top/docs/*.md") {
        my $text = slurp($file);
        while ($text =~ /^(```+)apache\n(.*?)^\1$/gms) {
            my $line = 1 + (substr($text, 0, $-[0]) =~ tr/\n//);
            push @examples, [basename($file) . ", line $line", $2];
        }
    }
    for my $file (glob "$top/conf/*.load $top/conf/*.conf $top/conf/examples/*.conf") {
        push @examples, [$file =~ s{^\Q$top\E/}{}r, slurp($file)];
    }
    return @examples;
}

# The directives of ours that a configuration uses, commented out or not.
sub used_directives {
    my ($text) = @_;
    return $text =~ /^\s*#?\s*(?:apachectl -t -c ')?(SNIVHost\w*)[ \t]/gm;
}

# The tags of messages in the sources: tag => ["file:line", ...].
sub log_tags {
    my %tags;
    for my $file (glob "$top/*.c") {
        my $line = 0;
        for (split /\n/, slurp($file)) {
            $line++;
            push @{ $tags{$1} }, basename($file) . ":$line"
                while /"(SNIV\d{4})\b/g;
        }
    }
    return %tags;
}

# The tags that the manual explains: first column of a table, tag => how
# often.
sub manual_tags {
    my %tags;
    for my $cell (manual() =~ m{<tr>\s*<td>(.*?)</td>}gs) {
        my $text = _line($cell);
        next if $text !~ /\ASNIV\d{4}(?:, SNIV\d{4})*\z/;
        $tags{$_}++ for split /, /, $text;
    }
    return %tags;
}

1;
