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

package Sniv::DiffExplain;

# Explanation and reality: questions that a server is asked, and that
# SNIVHostExplain is asked about the same configuration. What it says has to
# be what happened: virtual host, certificate, refusal.

use strict;
use warnings;

use JSON::PP ();

use Sniv::DiffAsk;
use Sniv::DiffConfig;

BEGIN {
    *chance = \&Sniv::DiffConfig::chance;
    *pick = \&Sniv::DiffConfig::pick;
}

# n questions, in the form of Sniv::DiffAsk; key explain has the words for
# SNIVHostExplain.
sub generate {
    my ($c, $n) = @_;
    my $w = Sniv::DiffAsk::world($c);
    return map { question($w, "x$_") } 1 .. $n;
}

sub question {
    my ($w, $id) = @_;
    my $kind = pick('http', 'https', 'https');
    my %q = (id => $id, kind => $kind, explain => {});
    @q{qw(addr port)} = Sniv::DiffAsk::where($w, $kind eq 'http' ? 'h' : 's');
    my $e = $q{explain};
    $q{tls} = {} if $kind eq 'https';
    if ($q{tls} && chance(0.85)) {
        $e->{sni} = $q{tls}{sni} = some_name($w, 'sni');
    }
    if (chance(0.9)) {
        $e->{host} = defined $e->{sni} && chance(0.5) ? $e->{sni}
                                                      : some_name($w, 'host');
    }
    # Names that httpd takes for other reasons than their virtual host
    delete $e->{host} if ($e->{host} // '') =~ /\s\z|\A\s/;
    $e->{http} = pick('1.1', '1.1', defined $e->{host} ? '1.1' : '1.0',
                      '1.0');
    $e->{path} = pick('/', '/', '/sp1/', '/sp2/', '//sp1/', '/other.html');
    $q{requests} = ["GET $e->{path}?$id HTTP/$e->{http}\r\n"
        . (defined $e->{host} ? "Host: $e->{host}\r\n" : '') . "\r\n"];
    return \%q;
}

# A name that fits into every limit of the configurations.
sub some_name {
    my ($w, $what) = @_;
    for (1 .. 50) {
        my $name = $what eq 'sni' ? Sniv::DiffAsk::sni($w)
                                  : Sniv::DiffAsk::host($w);
        return $name if defined $name && length $name < 30
            && $name !~ /[\0-\x1f]/
            && ($what eq 'host' || $name ne '');    # OpenSSL sends no such
    }
    return 'a.x.test';
}

# The directive that asks.
sub directive {
    my ($q) = @_;
    my $addr = $q->{addr} =~ /:/ ? "[$q->{addr}]" : $q->{addr};
    my $e = $q->{explain};
    my @words = map { "$_=$e->{$_}" } grep { defined $e->{$_} } sort keys %$e;
    s/([\\"])/\\$1/g for @words;
    return join ' ', 'SNIVHostExplain', "$addr:$q->{port}",
        (map { qq("$_") } @words), "format=json\n";
}

# Which virtual host of the file is defined where.
sub labels {
    my ($h) = @_;
    my ($n, $at, %label) = (0, 0);
    for my $line (split /\n/, $h->read('httpd.conf')) {
        $n++;
        $at = $n if $line =~ /\A<VirtualHost/;
        $label{$at} = $1 if $at && $line =~ /\A\s+Use Label (\S+)/;
        $at = 0 if $line =~ m{\A</VirtualHost};
    }
    return \%label;
}

# Ask about all questions that have an explanation, and compare. Returns a
# list of [title, what happened, what was said, number of the question].
sub check {
    my ($h, $questions, $answers) = @_;
    my @i = grep { $questions->[$_]{explain} } 0 .. $#$questions
        or return;
    my $file = $h->write('explain.conf',
                         join '', map { directive($questions->[$_]) } @i);
    my ($status, $said) = $h->check('-t', '-c', "Include \"$file\"");
    my @json = eval { parse($said) };
    return ['explain', "answers to " . @i . " questions\n",
            "exit status $status, $said\n"] if $status || @json != @i;
    my $labels = labels($h);
    my @diff;
    for my $k (0 .. $#i) {
        my @wrong = wrong($labels, $json[$k], $questions->[$i[$k]],
                          $answers->[$i[$k]]);
        count($json[$k], $questions->[$i[$k]], $answers->[$i[$k]], @wrong);
        push @diff, ["explanation of $questions->[$i[$k]]{id}: @wrong",
                     $answers->[$i[$k]],
                     JSON::PP->new->canonical->pretty->encode($json[$k]),
                     $i[$k]] if @wrong;
    }
    return @diff;
}

# The documents are in one stream with what httpd itself says.
sub parse {
    my ($said) = @_;
    my @json;
    my $json = JSON::PP->new->latin1->allow_nonref(0);
    while ($said =~ /^(\{\n.*?^\}\n)/msg) {
        push @json, $json->decode($1);
    }
    return @json;
}

# What explanations said, and how much of it was so; what was seen, and how
# much of it was not said.
our %n = map { $_ => 0 } qw(questions said wrong seen unsaid);

sub numbers {
    return sprintf 'explanations: %d questions, %d statements, %d wrong, %d '
        . 'facts, %d not explained; precision %.4f, recall %.4f',
        @n{qw(questions said wrong seen unsaid)},
        $n{said} ? 1 - $n{wrong} / $n{said} : 1,
        $n{seen} ? 1 - $n{unsaid} / $n{seen} : 1;
}

sub count {
    my ($x, $q, $answer, @wrong) = @_;
    $n{questions}++;
    # where a handshake failed, nothing is seen of what comes after it
    my $has_cert = $q->{tls} && $answer =~ /^connected:/m;
    my $has_answer = $answer =~ m{^HTTP/1\.\d \d}m;
    $n{said} += grep { $_ } $x->{alert}, $has_cert && $x->{certificate},
        $has_answer, $has_answer && $x->{status};
    $n{seen} += grep { $_ } $x->{alert} && $answer =~ /alert \d/, $has_cert,
        $has_answer, $answer =~ m{^HTTP/1\.\d (?:400|403|421)}m;
    for my $what (@wrong) {
        $n{wrong}++ if $what !~ /\Ano (?:answer|refusal)/;
        $n{unsaid}++ if $what =~ /\A(?:no |virtual|certificate)/;
    }
    return;
}

# What is wrong with an explanation, in a few words.
sub wrong {
    my ($labels, $x, $q, $answer) = @_;
    my @wrong;
    # A TLS port: explanations are about those who speak TLS there.
    return if !$q->{tls} && defined $x->{handshake_vhost};
    if ($x->{error}) {
        # A port for TLS whose default has none.
        return $x->{error} =~ /there is no TLS/
               && $answer !~ /^connected:/m ? () : 'no answer';
    }
    push @wrong, 'httpd does not agree' if !$x->{httpd_agrees};

    # The handshake. One that failed for other reasons says nothing.
    if ($q->{tls}) {
        my ($alert) = $answer =~ /alert (\d+)/;
        if (defined $x->{alert}) {
            push @wrong, 'alert' if !defined $alert
                || ($alert != $x->{alert}
                    && !($x->{alert} == 109 && $alert == 40));
            return @wrong;
        }
        my ($cn) = $answer =~ /^connected: (\S+)/m or return @wrong;
        my @files = @{ ($x->{certificate} || {})->{files} || [] };
        # httpd -t does not know what mod_md is going to name
        push @wrong, 'certificate'
            if !grep({ $_->{text} =~ /mod_md provides the certificate/ }
                     @{ $x->{steps} }) && !grep { m{/\Q$cn\E\.(?:crt|pem|leaf|dh2?|ec|crlf|text)\z} } @files;
    }
    # A server that hung up or took the bytes for HTTP/0.9
    my ($status) = $answer =~ m{^HTTP/1\.\d (\d+)}m or return @wrong;
    my ($label) = $answer =~ /^X-Vhost: (\S+)/mi;
    my ($line) = ($x->{defined_at} // '') =~ /:(\d+)\z/;
    my $expected = defined $line ? $labels->{$line} // '?' : 'main';
    push @wrong, "virtual host $expected"
        if ($label // 'none') ne $expected;
    if (defined $x->{status}) {
        my $refusal = refusal($answer);
        push @wrong, "status $x->{status}"
            if $status != $x->{status} && $refusal != $x->{status}
               && $status !~ /\A30\d\z/;
    }
    else {
        push @wrong, 'no refusal' if $status == 400
            || ($status == 421 && !$x->{sni_policy}{unsure});
    }
    if (($x->{status} // 0) == 421) {
        push @wrong, 'nothing differs' if !@{ $x->{differs} }
            && $x->{sni_policy}{configured} ne 'strict';
        push @wrong, 'policy'
            if $x->{sni_policy}{ $x->{sni_policy}{configured} } != 421;
    }
    return @wrong;
}

# An ErrorDocument may have another status in the answer's first line.
sub refusal {
    my ($answer) = @_;
    return $answer =~ /\b(4\d\d) (?:Bad|Misdir|Forb)/ ? $1 : 0;
}

1;
