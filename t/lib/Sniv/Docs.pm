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
use File::Basename qw(basename dirname);
use File::Path qw(make_path);
use Test::More ();

use Sniv::Chain qw(spew);
use Sniv::Httpd;

our @EXPORT_OK = qw(commands directives examples furnish log_tags manual_tags
                    manual nothing slurp source_files used_directives version);

my $top = Sniv::Httpd::top();

sub slurp {
    my ($file) = @_;
    $file = "$top/$file" if $file !~ m{^/};
    open my $in, '<:encoding(UTF-8)', $file or die "$file: $!\n";
    local $/;
    return scalar <$in>;
}

# The module's C files: those at the top and in the folders that Makefile.in
# names.
sub source_files {
    my ($dirs) = slurp('Makefile.in') =~ /^SNIVHOST_DIRS = (.*)/m
        or die "Makefile.in has no SNIVHOST_DIRS\n";
    return map { glob "$top/$_*.c" } '', map { "$_/" } split ' ', $dirs;
}

# A test that a list is empty; if not, all that is in it is shown.
sub nothing {
    my ($list, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return Test::More::is(join(', ', @$list), '', $name);
}

sub version {
    return slurp('module/version.h')
        =~ /^#define MOD_SNIVHOST_VERSION "([^"]+)"/m ? $1
        : die "module/version.h has no version\n";
}

# The command table in the sources: { name, kind, context, help }.
sub commands {
    my @commands;
    for my $file (source_files()) {
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
    for my $file (source_files()) {
        my $line = 0;
        for (split /\n/, slurp($file)) {
            $line++;
            push @{ $tags{$1} }, ($file =~ s{^\Q$top\E/}{}r) . ":$line"
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

# Make the certificates that a configuration names, for the names of the
# virtual host around them; in each folder of certificates one bundle.
sub _certificates {
    my ($dir, $conf) = @_;
    my @names;
    for (split /\n/, $conf) {
        @names = () if /<VirtualHost/i;
        push @names, split ' ', $1 if /^\s*Server(?:Name|Alias)\s+(.*)/i;
        my ($crt) = /^\s*SSLCertificateFile\s+"?([^"\s]+)/i or next;
        $crt = "$dir/$crt" if $crt !~ m{^/};
        _certificate($crt, $crt =~ s/\.crt\z/.key/r, @names);
    }
    while ($conf =~ /^\s*SNIVHostCertificates\s+(.*)/img) {
        for my $folder (split ' ', $1 =~ tr/"//dr) {
            $folder = "$dir/$folder" if $folder !~ m{^/};
            _certificate("$folder/hosted.example.pem",
                         "$folder/hosted.example.pem", 'hosted.example');
        }
    }
    return;
}

sub _certificate {
    my ($crt, $key, @names) = @_;
    my $dir = dirname($crt);
    make_path($dir);
    my $san = join ',', map { "DNS:$_" } @names;
    my @key = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
               '-nodes', '-keyout', "$dir/new.key");
    open my $pipe, '-|', 'sh', '-c', '"$@" 2>&1', 'sh', 'openssl', 'req',
        '-x509', @key, '-days', 90, '-subj', "/CN=$names[0]", '-addext',
        "subjectAltName=$san", '-out', "$dir/new.crt"
        or die "openssl: $!\n";
    my $said = do { local $/; <$pipe> };
    close $pipe or die "openssl failed:\n$said";
    if ($crt eq $key) {
        system("cat '$dir/new.crt' '$dir/new.key' >'$crt'") == 0 or die;
        unlink "$dir/new.crt", "$dir/new.key";
    }
    else {
        rename "$dir/new.crt", $crt or die "$crt: $!\n";
        rename "$dir/new.key", $key or die "$key: $!\n";
    }
    return;
}

# Give an example what it needs around it, in $dir: certificates, folders.
# Returns its text with absolute paths moved there.
my $NO_VHOSTS = <<'END';
{ "version": 1, "mode": "On", "vhosts": [], "tls_settings": [], "listen": [],
  "main_server": { "vhost": "main.test", "aliases": [], "globs": [],
    "addresses": [], "address_texts": [], "strict_host_check": false,
    "unsafe_hosts": false, "refuse": null, "tls": { "how": "none", "engine": false, "sni_group": 0,
      "strict_sni": false, "settings": null } } }
END

sub furnish {
    my ($dir, $conf) = @_;
    # but for the module's own, wherever the checkout is
    $conf =~ s{((?<=\s)"?)(/(?:etc|srv|var)/)(?!\S*mod_snivhost\.so)}
              {$1$dir$2}g;
    # it need not be installed
    $conf =~ s{("?redis://[^"\s?]+\?)}{$1program=/bin/sh&}g;
    make_path("$dir/$_") for grep { !m{^/} }
        $conf =~ /^\s*DocumentRoot\s+"?([^"\s]+)/img;
    make_path($_) for grep { m{^/} }
        $conf =~ /^\s*(?:Virtual)?DocumentRoot\s+"?([^"\s%]+)/img;
    make_path("$dir/logs");
    _certificates($dir, $conf);
    spew("$dir/before.json", $NO_VHOSTS) if $conf =~ /SNIVHostCompare/;
    spew("$dir/expect.txt", "") if $conf =~ /SNIVHostExpect/;
    return $conf;
}

1;
