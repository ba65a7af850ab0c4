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


# Waiting for what a server is going to serve: every wait has an end.

package Sniv::Soon;

use strict;
use warnings;

use Exporter qw(import);
use Test::More;
use Time::HiRes qw(sleep time);

use Sniv::Client;
use Sniv::Httpd;

our @EXPORT_OK = qw(served soon soon_serves);

my $LONG = 60;                  # seconds, times patience

# Wait until a condition holds. 0: it does not.
sub soon {
    my ($code) = @_;
    my $end = time + $LONG * Sniv::Httpd::patience();
    while (time < $end) {
        return 1 if $code->();
        sleep 0.05;
    }
    return 0;
}

# The common name of the certificate of a name, or why there is none.
sub served {
    my ($port, $name) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $port,
                              tls => { sni => $name });
    return $c->error || $c->cert;
}

# A test that it is that one, soon.
sub soon_serves {
    my ($port, $name, $cert, $what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $got = '';
    soon(sub { ($got = served($port, $name)) eq $cert });
    return is $got, $cert, $what;
}

1;
