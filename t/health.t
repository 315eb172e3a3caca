# chorus_health: what it says is so.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sign qw(request);
use Chorus::Storage;

my $redis = Chorus::Redis->start;

write_file("$Folder/chorus.json",
    chorus_json(redis => { url => $redis->url }), 0600);
Chorus::Storage->start('main');

my $nginx = Chorus::Nginx->start(
    http => http_config() . 'chorus_repeat off;'
        . "chorus_journal $Folder/journal max_size=8k segment_size=4k "
        . 'on_full=reject;',
    config => server_config(proxy_location('/'), <<'END'));
location = /healthz { chorus_health; }
location = /readyz { chorus_health ready; }
END


sub ask {
    my ($path, $method) = @_;
    return $nginx->exchange(join "\r\n", ($method // 'GET')
        . " $path HTTP/1.1", 'Host: x', 'Connection: close', '', '');
}


sub ready {
    my $reply = ask('/readyz');
    my $json = eval { JSON::PP->new->decode($reply->{body}) } // {};
    return { %$json, code => $reply->{status} };
}


sub is_ready {
    my ($name, %wanted) = @_;
    my $seen;
    wait_for {
        $seen = ready();
        !grep { $seen->{$_} ne $wanted{$_} } keys %wanted;
    };
    is_deeply($seen, { main => 'reached', redis => 'up', journal => 'good',
        policy => 'loaded', %wanted }, $name);
}


sub put {
    my ($key) = @_;
    return $nginx->exchange(request(PUT => "/bkt/$key", body => ''))->{status};
}


is(ask('/healthz')->{status}, 200, 'it serves');
is(ask('/healthz')->{body}, qq({"status":"ok"}\n), 'and says no more');
is(ask('/healthz')->{headers}{'cache-control'}, 'no-store',
    'which nobody may keep');
is(ask('/healthz', 'HEAD')->{status}, 200, 'HEAD');
is(ask('/readyz', 'POST')->{status}, 405, 'POST is refused');

is_ready('all is well', status => 'ready', code => 200);
unlike(ask('/readyz')->{body}, qr/CHORUS-KEY|follower|bkt|alice|\d/,
    'nothing is told that is nobody\'s business');

is(put('a'), 200, 'a write');
is_ready('main has answered', status => 'ready', code => 200);

unlink "$Folder/main.sock" or die;
Chorus::Storage->stop;
is(put('b'), 502, 'main is away');
is_ready('then it is not ready', status => 'not_ready', main => 'silent',
    code => 503);
is(ask('/healthz')->{status}, 200, 'but serves');
put($_) for 'c' .. 'f';
Chorus::Storage->start('main');
is(ready()->{main}, 'silent', 'after many failures it is not tried at once');
is(put('g'), 200, 'but when it answers');
is_ready('all is well again', status => 'ready', code => 200);

$redis->end;
is_ready('without Redis writes go on', status => 'degraded', redis => 'away',
    code => 200);
ok(wait_for { put('x' x 200) == 503 }, 'until the journal is full');
is_ready('then it is not ready', status => 'not_ready', redis => 'away',
    journal => 'full', code => 503);

$redis->begin;
is_ready('Redis is back', status => 'ready', code => 200);

ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/\[(?:alert|emerg)\]|open socket|exited on signal/,
    'and has nothing to complain of');

done_testing();
