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


# snivhost-store as a hook of certbot, lego, acme.sh and dehydrated, with the
# variables and arguments that these give to one; the users of the manual's
# recipe, who can do what they have to and nothing else.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(make_path remove_tree);
use Test::More;

use Sniv::Chain qw(make_cert slurp spew);
use Sniv::Client;
use Sniv::Httpd;
use Sniv::Redis;
use Sniv::Soon qw(served soon soon_serves);

plan skip_all => Sniv::Redis::missing() if Sniv::Redis::missing();

my ($version) = qx{@{[Sniv::Redis::server()]} --version} =~ /v=(\d+)/;
plan skip_all => 'Redis 7 or Valkey is needed for the users of the recipe'
    if !$version || $version < 7;

my $MANUAL = slurp("$FindBin::Bin/../docs/manual/mod/mod_snivhost.xml");
my $LONG = 60;                  # seconds, times patience

sub recipe {
    my ($regex) = @_;
    my ($text) = $MANUAL =~ $regex or die "the manual has no such recipe\n";
    return $text =~ s/&gt;/>/gr =~ s/&amp;/&/gr;
}

my $ssl = Sniv::Httpd::work() . "/hooks-ssl.$$";
make_cert($ssl, 'v0');
make_cert($ssl, $_, names => ["$_.test"])
    for qw(certbot lego4 lego5 acmesh dehydrated used);
my $key = "$ssl/key";
spew($key, 'a1' x 32 . "\n");
chmod 0600, $key;

my $users = recipe(qr/^(user servers .*\nuser writers .*\n)/m);
my %password = $users =~ /^user (\w+) on >(\S+)/mg;
for my $user (keys %password) {
    spew("$ssl/$user", "$password{$user}\n");
    chmod 0600, "$ssl/$user";
}
my $r = Sniv::Redis->new(name => 'hooks', conf => $users)->start;

# With the addresses of the recipe's users
sub url_of {
    my ($user, @more) = @_;
    return $r->url("password-file=$ssl/$user", @more)
        =~ s{redis:///}{redis://$user\@/}r;
}
$ENV{SNIVHOST_STORE} = url_of('writers');
$ENV{SNIVHOST_STORE_KEY} = $key;
(my $bin = Sniv::Redis::program()) =~ s{/[^/]*\z}{};
$ENV{PATH} = "$bin:$ENV{PATH}";

# ----- hooks

sub hook {
    my ($who, $command, %env) = @_;
    local @ENV{keys %env} = values %env;
    my $said = qx{$command 2>&1};
    is $?, 0, "$who: a hook" or diag $said;
    return $said;
}

# certbot renew --deploy-hook: a folder of links
my $live = "$ssl/live/certbot.test";
make_path($live, "$ssl/archive");
for my $file (['fullchain', 'crt'], ['privkey', 'key']) {
    spew("$ssl/archive/$file->[0]1.pem", slurp("$ssl/certbot.$file->[1]"));
    symlink "../../archive/$file->[0]1.pem", "$live/$file->[0].pem" or die;
}
chmod 0600, "$ssl/archive/privkey1.pem";
like hook('certbot', 'snivhost-store put', RENEWED_LINEAGE => $live,
          RENEWED_DOMAINS => 'certbot.test'),
    qr/^certbot\.test\.\w+: put \(certbot\.test\)$/m, '... puts';
for my $lego (['lego4', 'LEGO'], ['lego5', 'LEGO_HOOK']) {
    my ($name, $prefix) = @$lego;
    like hook($name, 'snivhost-store put',
              "${prefix}_CERT_PATH" => "$ssl/$name.crt",
              "${prefix}_CERT_KEY_PATH" => "$ssl/$name.key"),
        qr/^$name\.test\.\w+: put/m, '... puts';
}
like hook('acme.sh', 'snivhost-store put', Le_Domain => 'acmesh.test',
          CERT_PATH => "$ssl/acmesh.leaf", CERT_KEY_PATH => "$ssl/acmesh.key",
          CA_CERT_PATH => "$ssl/none", CERT_FULLCHAIN_PATH =>
          "$ssl/acmesh.crt"), qr/^acmesh\.test\.\w+: put/m, '... puts';
spew("$ssl/hook.sh", recipe(qr{(#!/bin/sh\ncase "\$1" in\n.*?esac\n)}s));
chmod 0755, "$ssl/hook.sh";
hook('dehydrated', "$ssl/hook.sh startup_hook");
like hook('dehydrated', "$ssl/hook.sh deploy_cert dehydrated.test "
          . "$ssl/dehydrated.key $ssl/none $ssl/dehydrated.crt $ssl/none 1"),
    qr/^dehydrated\.test\.\w+: put/m, '... puts';
like hook('dehydrated', "$ssl/hook.sh deploy_challenge dehydrated.test "
          . 'tok tok.x'), qr/^http-01\+tok: put/m, '... puts a challenge';
hook('certbot', 'snivhost-store challenge put', CERTBOT_TOKEN => 'bot',
     CERTBOT_VALIDATION => 'bot.x', CERTBOT_DOMAIN => 'certbot.test',
     CERTBOT_REMAINING_CHALLENGES => 0);

# ----- the servers' user

my $h = Sniv::Httpd->new(name => 'hooks', ports => 2, conf => sub {
    my ($a, $plain) = map { "127.0.0.1:$_" } @_;
    my $url = url_of('servers', 'timeout=2');
    return <<"END" })->start;
Listen $a
Listen $plain
SNIVHostCertificates $url
SNIVHostStoreKey $key
<VirtualHost $a>
    ServerName v0.test
    SSLEngine on
    SSLCertificateFile $ssl/v0.crt
    SSLCertificateKeyFile $ssl/v0.key
</VirtualHost>
<VirtualHost $a>
    ServerName a.test
    ServerAlias *.test
    SNIVHostTLS On
</VirtualHost>
END
my ($port, $plain) = $h->ports;
is served($port, "$_.test"), $_, "$_: served"
    for qw(certbot lego4 lego5 acmesh dehydrated);
sub answer {
    my ($token) = @_;
    my $c = Sniv::Client->new(addr => '127.0.0.1', port => $plain);
    return $c->get('x.test', "/.well-known/acme-challenge/$token")->{body};
}
is answer('tok'), 'tok.x', 'dehydrated: the challenge is answered';
is answer('bot'), 'bot.x', 'certbot: too';
hook('dehydrated', "$ssl/hook.sh clean_challenge dehydrated.test tok tok.x");
hook('certbot', 'snivhost-store challenge remove', CERTBOT_TOKEN => 'bot',
     CERTBOT_AUTH_OUTPUT => '');
ok soon(sub { answer('tok') ne 'tok.x' }), 'it is cleaned up';
SKIP: {
    skip 'OpenSSL 3.0 is needed', 1
        if `openssl version` !~ /^OpenSSL (?:[3-9]|\d\d)/;
    ok soon(sub { $r->cli('EXISTS', 'sites:ring') eq '1' }),
        'session ticket secrets are put';
}
like hook('anybody', "snivhost-store put $ssl/used.crt $ssl/used.key"),
    qr/^used\.test\.\w+: put/m, 'a new one';
soon_serves($port, 'used.test', 'used', '... is served');
unlike $h->read('error.log'), qr/SNIV0378/, 'nothing was refused';

# ----- what they cannot do

$r->{login} = ['--user', 'servers', '--pass', $password{servers},
               '--no-auth-warning'];
like $r->cli(@$_), qr/NOPERM/, "servers cannot @$_"
    for ['HSET', 'sites:certs', 'a', 'b'], ['SET', 'sites:version', 1],
        ['HSET', 'sites:challenges', 'a', 'b'], ['GET', 'other'],
        ['DEL', 'sites:certs'], ['FLUSHALL'], ['CONFIG', 'GET', '*'],
        ['KEYS', '*'];
$r->{login} = ['--user', 'writers', '--pass', $password{writers},
               '--no-auth-warning'];
like $r->cli(@$_), qr/NOPERM/, "writers cannot @$_"
    for ['SET', 'other', 1], ['FLUSHALL'], ['DEL', 'sites:certs'];
like qx{snivhost-store list}, qr/^used\.test/m, 'writers can list';

$h->stop;
$h->remove;
$r->remove;

END {
    my $status = $?;
    remove_tree($ssl) if $ssl;
    $? = $status;
}

done_testing;
