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

# The last test: what the shared server has to say about all the others.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use Apache::Test qw(-withtestmore);
use Sniv::Suite;

plan tests => 3;

my $log = Apache::Test::vars('t_logs') . '/error_log';
open my $fh, '<', $log or die "$log: $!\n";
my $text = do { local $/; <$fh> };

is(join("\n", Sniv::Httpd::bad_lines($text)), '',
   'no child of the server died, and the module found no difference');

# Whatever was asked before, the server still answers.
is_vhost(ask_http('127.0.0.1', 'a.x.test'), 'n1', 'HTTP');
is_vhost(ask_https('127.0.0.1', 'a.x.test', 'a.x.test'), 'n1', 'HTTPS');
