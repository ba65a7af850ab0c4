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
package Sniv::Proc;

# What a server and its children use, from /proc.

use strict;
use warnings;

use Exporter qw(import);
use POSIX ();

our @EXPORT_OK = qw(cpu processes pss read_file);

sub read_file {
    my ($file) = @_;
    open my $fh, '<', $file or return '';
    local $/;
    my $text = <$fh>;
    return defined $text ? $text : '';
}

# A process and its children.
sub processes {
    my @all = @_;
    for (my $i = 0; $i < @all; $i++) {
        push @all, split ' ', read_file("/proc/$all[$i]/task/$all[$i]/children");
    }
    return @all;
}

# CPU seconds of processes.
my $TICKS = POSIX::sysconf(POSIX::_SC_CLK_TCK());
sub cpu {
    my $ticks = 0;
    for my $p (@_) {
        my @stat = split ' ', read_file("/proc/$p/stat") =~ s/.*\) //sr;
        $ticks += $stat[11] + $stat[12] if @stat;
    }
    return $ticks / $TICKS;
}

# MiB of a process and its children; what they share is counted once.
sub pss {
    my $sum = 0;
    for my $p (processes(@_)) {
        $sum += $1 if read_file("/proc/$p/smaps_rollup") =~ /^Pss:\s+(\d+)/m;
    }
    return $sum / 1024;
}

1;
