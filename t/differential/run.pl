#!/usr/bin/perl
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


# The differential test: stock httpd against httpd with mod_snivhost.
#
# For each of many random configurations it starts stock httpd, asks it
# random questions (bytes on a socket, TLS handshakes, HTTP/2 streams) and
# stops it; then the same with the module, on the same ports, and compares
# all answers and logs. A seed names a configuration and its questions.
#
#   t/differential/run.pl --configs 100
#   t/differential/run.pl --seed 4711 --configs 1 --shrink
#
#   --configs N       how many configurations (10); where httpd refuses one
#                     as not valid, the next seed takes its place
#   --questions N     connections per configuration (60)
#   --explain N       and so many more, which SNIVHostExplain has to explain
#                     as they were answered (15)
#   --seed N          of the first configuration; the next has N+1 ...
#   --mode MODE       of the second httpd: on, verify, off, or none to
#                     compare stock with itself (on, or SNIVHOST)
#   --mpm MPM         event, worker, prefork
#   --module PATH     the module (.libs/mod_snivhost.so)
#   --renewed         the second httpd starts with other certificates; the
#                     files are replaced before it is asked (needs --with
#                     'SNIVHostAdopt On')
#   --with 'LINE'     one more directive for the second httpd; repeatable
#   --sabotage HOW    change the second configuration (swap, alias, cert):
#                     succeeds if the difference is found
#   --shrink          make what differs smaller before it is printed
#   --keep            keep the servers' folders
#   --sanitize        the module was built with ASan: preload its runtime
#   --valgrind        run the second httpd under valgrind
#   --no-error-log    do not compare error logs
#   --known-limits    also ask for what is known to differ: ErrorDocument
#                     400 and 417 that are not the same in all hosts
#   --show            print each question and both answers
#   --slow            print questions that take long
#   --stop-at N       end after N configurations that differ (1)
#   --changes N       something else: N random changes of each configuration,
#                     which SNIVHostCompare has to report as two servers
#                     answer: see compare.pl
#
# The exit status is 0 if nothing differed, 1 if something did, 2 if the
# test could not run.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use File::Path qw(remove_tree);
use Getopt::Long qw(GetOptions);
use Time::HiRes qw(sleep time);

use Sniv::Certs;
use Sniv::DiffAsk;
use Sniv::DiffConfig;
use Sniv::DiffExplain;
use Sniv::Httpd;

my %o = (configs => 10, questions => 60, explain => 15,
         seed => undef, with => [],
         mode => Sniv::Httpd::mode(), 'stop-at' => 1, 'error-log' => 1);
GetOptions(\%o, 'configs=i', 'questions=i', 'explain=i', 'seed=i', 'mode=s',
           'mpm=s', 'module=s', 'with=s@', 'sabotage=s', 'shrink', 'keep', 'sanitize',
           'valgrind', 'error-log!', 'show', 'slow', 'stop-at=i', 'known-limits',
           'changes=i', 'renewed')
    && !@ARGV or usage();
exec $^X, "$FindBin::Bin/compare.pl", map({ "--$_=$o{$_}" } grep { $o{$_} }
    qw(configs changes questions seed)), map { "--with=$_" } @{ $o{with} }
    if $o{changes};
$ENV{SNIVHOST_MPM} = $o{mpm} if $o{mpm};
$ENV{SNIVHOST_SO} = $o{module} if $o{module};
$Sniv::DiffConfig::known_limits = 1 if $o{'known-limits'};
$o{mode} = 'none' if $o{mode} eq 'off' && !@{ $o{with} };

sub usage {
    open my $fh, '<', $0 or die "$0: $!\n";
    my $said = 0;
    while (my $line = <$fh>) {
        $said = 1 if $line =~ /^# The differential test/;
        last if $said && $line !~ /^#/;
        print STDERR $line =~ s/^# ?//r if $said;
    }
    exit 2;
}

$SIG{INT} = $SIG{TERM} = sub { exit 2 };

if ($o{sanitize}) {
    chomp(my $asan = `gcc -print-file-name=libasan.so`);
    $o{preload} = $asan;
    $ENV{ASAN_OPTIONS} ||= 'detect_leaks=0:abort_on_error=0:exitcode=99';
    $ENV{UBSAN_OPTIONS} ||= 'print_stacktrace=1';
}

my @ports = Sniv::Httpd::free_ports(5);
Sniv::Certs::make();
my $www = Sniv::Httpd::work() . '/differential-www';
Sniv::DiffConfig::write_pages($www, 16);

# The certificates of --renewed: before, and where the second httpd reads.
my ($old, $live);
if ($o{renewed}) {
    ($old, $live) = map { Sniv::Httpd::work() . "/differential-$_.$$" }
        qw(old live);
    Sniv::Certs::make_old($old);
    push @{ $o{with} }, 'SNIVHostCertificateCheck 1';
}
END {
    my $status = $?;
    remove_tree($_) for grep { $_ } $old, $live;
    $? = $status;
}

my $seed = defined $o{seed} ? $o{seed} : 1 + int rand 1_000_000_000;
my ($done, $invalid, $asked, $different, $unstable) = (0, 0, 0, 0, 0);
my %kinds;
my $begin = time;

my $next = $seed;
while ($done < $o{configs} && $next - $seed < 2 * $o{configs} - 1) {
    one($next++);
    last if $different >= $o{'stop-at'} && !$o{sabotage};
}

printf "%d configurations (seeds %d to %d), %d questions, %d differ%s%s, "
    . "%.0f s\n", $done, $seed, $next - 1, $asked, $different,
    $unstable ? ", $unstable answers differed once" : '',
    $invalid ? ", $invalid configurations not valid" : '', time - $begin;
print '  ', Sniv::DiffExplain::numbers(), "\n" if $o{explain};
print '  answers: ', join(', ', map { "$kinds{$_} $_" } sort keys %kinds),
    "\n";
if ($o{sabotage}) {
    print $different ? "sabotage '$o{sabotage}' was found\n"
                     : "sabotage '$o{sabotage}' was NOT found\n";
    exit($different ? 0 : 1);
}
exit($different ? 1 : $done ? 0 : 2);

# One configuration: 1 if the answers were equal.
sub one {
    my ($n, $tries) = @_;
    srand $n;
    my $c = Sniv::DiffConfig::generate(\@ports, Sniv::Httpd::has_ipv6());
    $c->{www} = $www;
    my @q = (Sniv::DiffAsk::generate($c, $o{questions}),
             Sniv::DiffExplain::generate($c, $o{explain}));

    my $second = $c;
    if ($o{sabotage}) {
        $second = copy($c);
        $o{did} = Sniv::DiffConfig::sabotage($second, $o{sabotage})
            or return 1;
    }
    $second = { %$c, certs => $live } if $o{renewed};
    my $stock = serve('stock', $c, \@q, 'none');
    return other_ports($n, $tries) if $stock->{busy};
    if (!$stock->{started}) {
        $invalid++;
        print "seed $n: stock httpd does not start: $stock->{why}\n"
            if $o{show};
        return 1;
    }
    my $module = serve('module', $second, \@q, $o{mode}, @{ $o{with} });
    return other_ports($n, $tries) if $module->{busy};
    $done++;
    $asked += @q;
    count($stock);
    my @diff = compare($stock, $module, \@q);
    if ($o{show}) {
        print "== $q[$_]{id}\n", Sniv::DiffAsk::question_text($q[$_]),
            "-- stock\n$stock->{answers}[$_]",
            "-- module\n$module->{answers}[$_]" for 0 .. $#q;
    }
    return 1 if !@diff;
    if (!$o{sabotage}) {
        # Once more: what comes and goes is said, but it is no difference.
        my %first = map { $_->[0] => $_ } @diff;
        $stock = serve('stock', $c, \@q, 'none');
        $module = serve('module', $second, \@q, $o{mode}, @{ $o{with} });
        @diff = grep { $first{$_->[0]} || /crash|exit/ }
            compare($stock, $module, \@q);
        delete @first{map { $_->[0] } @diff};
        for my $d (map { $first{$_} } sort keys %first) {
            $unstable++;
            print "seed $n, only once: $d->[0]\n"
                . "-- stock\n$d->[1]-- module\n$d->[2]\n";
        }
        return 1 if !@diff;
    }
    $different++;
    return 0 if $o{sabotage};
    my $few = \@q;
    ($c, $few, @diff) = shrink($c, \@q, @diff) if $o{shrink};
    report($n, $c, $few, @diff);
    return 0;
}

# Another program has taken one of the ports: again, with others.
sub other_ports {
    my ($n, $tries) = @_;
    die "no ports\n" if ($tries || 0) > 5;
    @ports = Sniv::Httpd::free_ports(5);
    return one($n, ($tries || 0) + 1);
}

# How many answers of each sort there were: shows what the test covers.
sub count {
    my ($run) = @_;
    for my $text (@{ $run->{answers} }) {
        $kinds{$1}++ while $text =~ /^(?:HTTP\S+ |stream: )(\d\d\d)/mg;
        $kinds{"handshake"}++ while $text =~ /^connected:/mg;
        $kinds{"resumed"}++ while $text =~ /^connected: .* resumed /mg;
        $kinds{"alert $1"}++ while $text =~ /alert (\d+)/g;
        $kinds{'h2'}++ while $text =~ /^stream: /mg;
    }
    return;
}

sub copy {
    my ($data) = @_;
    return ref $data eq 'HASH' ? { map { $_ => copy($data->{$_}) } keys %$data }
        : ref $data eq 'ARRAY' ? [map { copy($_) } @$data] : $data;
}

# Start, ask, stop, and collect what was said.
sub serve {
    my ($name, $c, $questions, $mode, @with) = @_;
    local %ENV = %ENV;
    if ($mode ne 'none') {
        $ENV{SNIVHOST_PRELOAD} = $o{preload} if $o{preload};
        $ENV{SNIVHOST_WRAPPER} = 'valgrind --trace-children=yes -q'
            . ' --error-exitcode=98 --log-file=valgrind.%p'
            if $o{valgrind};
    }
    my $h = Sniv::Httpd->new(
        name => 'differential', ports => [@ports], mode => $mode,
        modules => ['macro', $c->{md} ? qw(watchdog md) : ()],
        keep => $o{keep}, with => \@with,
        conf => Sniv::DiffConfig::render($c));
    my %run = (started => 0, why => '', answers => []);
    put_certs(Sniv::Certs::dir(), $old) if $c->{certs};
    if (!eval { $h->start; 1 }) {
        $run{why} = $@;
        $run{busy} = $@ =~ /Address already in use/;
        $h->remove;
        return \%run;
    }
    $run{started} = 1;
    renew($h) if $c->{certs};
    %Sniv::DiffAsk::misread = ();
    for my $q (@$questions) {
        my $t = time;
        push @{ $run{answers} }, Sniv::DiffAsk::ask($q);
        printf "%.1f s: %s\n", time - $t, Sniv::DiffAsk::question_text($q)
            if $o{slow} && time - $t > 0.5;
    }
    $run{explain} = [Sniv::DiffExplain::check($h, $questions,
        $run{answers})] if $h->read('snivhost.conf') =~ /^SNIVHost /m;
    quiet($h);
    $h->stop;
    $run{exit} = $h->{exit};
    $run{logs}{'access.log'} = [access_lines($h->read('access.log'))];
    # SNIVHostAdopt On
    $kinds{'TLS vhosts'} += $2, $kinds{lean} += $1
        if $h->read('error.log') =~ /SNIV0202: adopted (\d+) of (\d+)/;
    for my $file (glob $h->dir . '/error*.log') {
        my ($base) = $file =~ m{([^/]+)\z};
        my $text = $base eq 'error.log' ? $h->error_log : $h->read($base);
        $run{crash} .= $text =~ s/(?!.*(?:AH00052|Sanitizer|runtime error|SNIV000[12]: )).*\n//mgr;
        $run{logs}{$base} = [error_lines($text)];
    }
    $run{crash} .= $1 if $h->read('console.log')
        =~ /((?:AddressSanitizer|runtime error).*)/s;
    if ($o{valgrind}) {
        for my $file (glob $h->dir . '/valgrind.*') {
            my ($base) = $file =~ m{([^/]+)\z};
            $run{crash} .= $h->read($base);
        }
    }
    rename $h->dir, $h->dir . "-$name" if $o{keep};
    $h->remove;
    return \%run;
}

# Files of both folders into the live one, from the last one that has it;
# each in one step.
sub put_certs {
    my (@from) = @_;
    my %path;
    for my $dir (@from) {
        $path{ m{([^/]+)\z} && $1 } = $_ for grep { -f } glob "$dir/*";
    }
    mkdir $live;
    for my $file (sort keys %path) {
        system('cp', $path{$file}, "$live/$file.tmp") == 0 or exit 2;
        rename "$live/$file.tmp", "$live/$file" or die "$file: $!\n";
    }
    return;
}

# What stock httpd has had from the start. The keeper says each file that it
# has taken, and then no more.
sub renew {
    my ($h) = @_;
    put_certs(Sniv::Certs::dir());
    my ($seen, $quiet) = (0, 0);
    while ($quiet < 25) {
        my $n = () = $h->read('error.log') =~ /SNIV03/g;
        $quiet = $n == $seen ? $quiet + 1 : 0;
        $seen = $n;
        sleep 0.1;
    }
    $kinds{renewed} += () = $h->read('error.log') =~ /SNIV0305/g;
    return;
}

# Wait until the logs do not grow any more.
sub quiet {
    my ($h) = @_;
    my ($size, $same) = (-1, 0);
    for (1 .. 200) {
        my $now = 0;
        $now += -s $_ for glob $h->dir . '/*.log';
        $same = $now == $size ? $same + 1 : 0;
        last if $same == 4;
        $size = $now;
        sleep 0.015;
    }
    return;
}

# Without the connection, which comes last
sub access_lines {
    my ($text) = @_;
    return sort map { s/ (\d+ \S+)\z// && $Sniv::DiffAsk::misread{$1}
                      ? () : $_ } split /\n/, $text;
}

# What clients caused, without times, processes and ports of clients. Two
# lines are written by core before any module is asked, to the log of the
# default virtual host (see the documentation): AH00569, AH00570.
sub error_lines {
    my ($text) = @_;
    my @lines;
    for my $line (split /\n/, $text) {
        next if $line !~ s/(\[client \S+):(\d+) at (\S+)\]/$1]/
            || $Sniv::DiffAsk::misread{"$2 $3"};
        next if $line =~ /AH00569|AH00570|\bSNIV\d{4}/;
        $line =~ s/\A\[[^\]]*\] //;
        $line =~ s/\[pid [^\]]*\] //;
        $line =~ s/\bchild \d+/child N/;
        $line =~ s/\b(h2_\w+\()\d+-\d+/$1N/;
        # Left over in errno, not the line's own
        $line =~ s/\((?:os 0x\w+|-?\d+)\)[^:\[]*: (?=\[)//;
        push @lines, $line;
    }
    return sort @lines;
}

# What differs: a list of [title, stock, module, number of the question].
sub compare {
    my ($a, $b, $questions) = @_;
    my @diff;
    return ['start', "started\n", "$b->{why}\n"] if !$b->{started};
    for my $i (0 .. $#$questions) {
        push @diff, ["question $questions->[$i]{id}", $a->{answers}[$i],
                     $b->{answers}[$i], $i]
            if $a->{answers}[$i] ne $b->{answers}[$i];
    }
    my %files = map { $_ => 1 } keys %{ $a->{logs} }, keys %{ $b->{logs} };
    for my $file (sort keys %files) {
        next if $file =~ /error/ && !$o{'error-log'};
        my (%count, @only_a, @only_b);
        $count{$_}++ for @{ $a->{logs}{$file} || [] };
        $count{$_}-- for @{ $b->{logs}{$file} || [] };
        for my $line (sort keys %count) {
            push @only_a, ($line) x $count{$line} if $count{$line} > 0;
            push @only_b, ($line) x -$count{$line} if $count{$line} < 0;
        }
        push @diff, [$file, join("\n", @only_a, ''), join("\n", @only_b, '')]
            if @only_a || @only_b;
    }
    push @diff, @{ $b->{explain} || [] };
    push @diff, ['crash', '', $b->{crash}] if $b->{crash};
    push @diff, ['exit status', "0\n", ($b->{exit} >> 8) . " signal "
                 . ($b->{exit} & 127) . "\n"] if $b->{exit};
    return @diff;
}

# Leave out what is not needed for the first difference. Only its question
# is asked, if that is enough.
sub shrink {
    my ($c, $questions, @diff) = @_;
    my ($first) = grep { defined $_->[3] } @diff;
    my @q = $first ? $questions->[$first->[3]] : @$questions;
    my @best = ($c, $questions, @diff);
    my $try = sub {
        my ($smaller) = @_;
        my $a = serve('stock', $smaller, \@q, 'none');
        return 0 if !$a->{started};
        my $b = serve('module', $smaller, \@q, $o{mode}, @{ $o{with} });
        my @d = compare($a, $b, \@q);
        return 0 if !@d || ($first && !grep { defined $_->[3] } @d);
        @best = ($c = $smaller, [@q], @d);
        return 1;
    };
    $try->(copy($c)) or @q = @$questions;
    # Then without requests that do not matter
    if (@q == 1 && $q[0]{requests}) {
        for my $i (reverse 0 .. $#{ $q[0]{requests} }) {
            my @all = @{ $q[0]{requests} };
            my ($gone) = splice @{ $q[0]{requests} }, $i, 1;
            $q[0]{requests} = \@all if !@{ $q[0]{requests} }
                || !$try->(copy($c));
            # (put back: @all is the list as it was)
        }
    }
    for my $i (reverse 0 .. $#{ $c->{vhosts} }) {
        my $smaller = copy($c);
        splice @{ $smaller->{vhosts} }, $i, 1;
        $try->($smaller);
    }
    for my $i (-1 .. $#{ $c->{vhosts} }) {
        for my $part ($i < 0 ? 'main' : qw(lines names tls addrs)) {
            my $of = sub { $i < 0 ? $_[0]{main} : $_[0]{vhosts}[$i]{$part} };
            for my $j (reverse 0 .. $#{ $of->($c) }) {
                next if $of->($c)->[$j] =~ /\A(?:Use Label|SSLCert)/
                    || ($part eq 'addrs' && @{ $of->($c) } == 1);
                my $smaller = copy($c);
                splice @{ $of->($smaller) }, $j, 1;
                $try->($smaller);
            }
        }
    }
    return @best;
}

sub report {
    my ($n, $c, $questions, @diff) = @_;
    print '=' x 72, "\nseed $n differs. Repeat: t/differential/run.pl",
        " --seed $n --configs 1 --questions $o{questions} --mode $o{mode}",
        $o{renewed} ? ' --renewed' : '',
        (map { " --with '$_'" } @{ $o{with} }), " --shrink\n\n",
        "-- configuration (without the common part)\n";
    my $text = Sniv::DiffConfig::render($c);
    $text =~ s/.*?LogLevel info ssl:info\n//s;
    print $text;
    my $shown = 0;
    for my $d (@diff) {
        last if $shown++ == 5;
        my ($title, $a, $b, $i) = @$d;
        print "-- $title\n";
        print Sniv::DiffAsk::question_text($questions->[$i]) if defined $i;
        $_ =~ s/([^\n\t -~])/sprintf '\\x%02x', ord $1/ge for $a, $b;
        print $title =~ /explanation/ ? "-- answer\n$a-- explanation\n$b\n"
                                      : "-- stock\n$a-- module\n$b\n";
    }
    print '(', @diff - 5, " more)\n" if @diff > 5;
    return;
}
