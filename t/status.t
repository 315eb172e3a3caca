# GET /api/v1/status: who may ask, what it says, and what it says without
# Redis.

use strict;
use warnings;

use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep);

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sign qw(request);
use Chorus::Storage;

my $TOKEN = '0123456789-the-token';
my $redis = Chorus::Redis->start;

write_file("$Folder/api.token", "$TOKEN\n", 0600);
write_file("$Folder/chorus.json", chorus_json(redis => { url => $redis->url },
    api => { token_file => 'api.token' }), 0600);
Chorus::Storage->start('main');

# a process that quits would stay to repeat marks
my $nginx = Chorus::Nginx->start(log => 'debug',
    http => http_config() . 'chorus_repeat off;', config => server_config(
    proxy_location('/'), 'location /api/ { chorus_api; }'));
wait_for { $nginx->log =~ /Redis is ready/ } or die $nginx->log;


sub ask {
    my ($method, $target, @headers) = @_;

    return $nginx->exchange(join "\r\n", "$method $target HTTP/1.1",
        'Host: localhost', 'Connection: close', @headers, '', '');
}


sub bearer { "Authorization: Bearer $TOKEN" }


sub status {
    my ($query) = @_;

    my $reply = ask('GET', '/api/v1/status' . ($query // ''), bearer());
    return JSON::PP->new->decode($reply->{body});
}


# ---- who may ask, and what ----

for (
    ['no token', 401, 'unauthorized', 'GET', '/api/v1/status'],
    ['a wrong token', 401, 'unauthorized', 'GET', '/api/v1/status',
        'Authorization: Bearer 0123456789-the-tokem'],
    ['half of the token', 401, 'unauthorized', 'GET', '/api/v1/status',
        'Authorization: Bearer 0123456789'],
    ['more than the token', 401, 'unauthorized', 'GET', '/api/v1/status',
        bearer() . 's'],
    ['an empty token', 401, 'unauthorized', 'GET', '/api/v1/status',
        'Authorization: Bearer '],
    ['no scheme', 401, 'unauthorized', 'GET', '/api/v1/status',
        "Authorization: $TOKEN"],
    ['another scheme', 401, 'unauthorized', 'GET', '/api/v1/status',
        "Authorization: Basic $TOKEN"],
    ['no token, for a path that is not there', 401, 'unauthorized',
        'GET', '/api/v1/nothing'],
    ['another path', 404, 'not_found', 'GET', '/api/v1/nothing', bearer()],
    ['a path that begins alike', 404, 'not_found', 'GET', '/api/v1/statuses',
        bearer()],
    ['a path behind it', 404, 'not_found', 'GET', '/api/v1/status/x',
        bearer()],
    ['the root of the API', 404, 'not_found', 'GET', '/api/', bearer()],
    ['another method', 405, 'method_not_allowed', 'POST', '/api/v1/status',
        bearer(), 'Content-Length: 0'],
    ['a method with a body', 405, 'method_not_allowed', 'PUT',
        '/api/v1/status', bearer(), 'Content-Length: 0'],
) {
    my ($name, $code, $word, @request) = @$_;

    my $reply = ask(@request);
    is($reply->{status}, $code, "$name: $code");
    is($reply->{headers}{'content-type'}, 'application/json', "$name: JSON");
    my $json = eval { JSON::PP->new->decode($reply->{body}) };
    is($json && $json->{error}{code}, $word, "$name: $word");
    ok(length $json->{error}{message}, "$name: and a message");
    unlike($reply->{text}, qr/\Q$TOKEN\E/, "$name: not the token");
}

my $reply = ask('GET', '/api/v1/status', "authorization:  bearer  $TOKEN  ");
is($reply->{status}, 200, 'the scheme in lower case, and blanks');

$reply = ask('HEAD', '/api/v1/status', bearer());
is($reply->{status}, 200, 'HEAD');
is($reply->{headers}{'content-type'}, 'application/json', 'HEAD: JSON');
ok($reply->{headers}{'content-length'} > 0, 'HEAD: a length');
is($reply->{body}, '', 'HEAD: no body');

$reply = ask('HEAD', '/api/v1/status');
is($reply->{status}, 401, 'HEAD without a token');
is($reply->{body}, '', 'has no body either');


# ---- what it says ----

my $before;
wait_for { $before = status(); @{ $before->{policy}{readers} } };
is_deeply([sort keys %$before],
    ['policy', 'proxy', 'queue', 'redis', 'version'], 'its parts');
like($before->{version}, qr/^\d+\.\d+\.\d+$/, 'the version');
is($before->{redis}, 'up', 'Redis is up');
is_deeply([map { $_->{kind} } @{ $before->{policy}{readers} }], ['proxy'],
    'this process is alive');
is($before->{policy}{behind}, 0, 'and runs the policy');
is_deeply([sort keys %{ $before->{proxy} }], [qw(acknowledged journal lost marked
    redis_connects refused requests resent waiting waiting_ms)], 'the counters of the proxy');
is($before->{queue}{replications_total}, 0, 'no replication yet');

my @requests = (
    [PUT => '/bkt/a', body => ''], [PUT => '/bkt/b', body => ''],
    [DELETE => '/bkt/a'], [GET => '/bkt/a'],
    [PUT => '/bkt/c', body => '', secret => 'wrong'],
    [PUT => '/bkt/d', body => '', headers => ['X-Answer' => 403]],
    [PUT => '/two/e', body => '', headers => ['X-Answer' => 500]],
);
$nginx->exchange(request(@$_)) for @requests;
$redis->marks(4);

# Redis has a mark before nginx knows that it has
wait_for { status()->{proxy}{acknowledged} >= 5 };
my $after = status();
is($before->{proxy}{journal}, undef, 'no journal, nothing of it');
delete $_->{proxy}{journal} for $before, $after;
my %more = map { $_ => $after->{proxy}{$_} - $before->{proxy}{$_} }
    keys %{ $after->{proxy} };
is_deeply(\%more, { requests => 7, refused => 1, marked => 5,
    acknowledged => 5, lost => 0, resent => 0, redis_connects => 0,
    waiting => 0, waiting_ms => 0 },
    'the counters rise') or diag(explain(\%more));

my %rows = map { $_->{replication} => $_ } @{ $after->{queue}{replications} };
is_deeply([sort keys %rows], ['alice:bkt:follower', 'alice:two:archive',
    'alice:two:follower'], 'a row for each replication');
is($rows{'alice:bkt:follower'}{dirty}, 2, 'keys that wait');
is($rows{'alice:bkt:follower'}{state}, 'active', 'the state');
is($after->{queue}{totals}{dirty}, 4, 'and all of them');

sleep 0.05;
cmp_ok(status()->{queue}{totals}{lag_ms}, '>=', 50, 'the lag grows');

my $page = status('?cursor=' . $after->{queue}{cursor});
is($page->{queue}{replications_total}, 3, 'with a cursor');
for my $cursor ('nonsense', '-1', '1' x 19, '1' x 30, '', '%00', '%zz') {
    my $error = status("?cursor=$cursor")->{error};
    is_deeply([@{$error}{qw(code field)}], ['bad_request', 'cursor'],
        "the cursor \"$cursor\" is refused");
}


# ---- names and sizes that a careless program breaks on ----

$redis->call('FCALL', 'chorus_mark', 3, 'chorus:{a%22b:c%5Cd:e%0Af}',
    'chorus:schedule', 'chorus:replications', 'event', 0, 7, 'k');
is_deeply([map { $_->{user} } grep { $_->{bucket} eq 'c\\d' }
    @{ status()->{queue}{replications} }], ['a"b'], 'odd names');

for my $n (1 .. 300) {
    $redis->call('FCALL', 'chorus_mark', 3, "chorus:{alice:b$n:follower}",
        'chorus:schedule', 'chorus:replications', 'event', 0, 7, 'k');
}
{
    my ($cursor, %seen) = (0);
    for (1 .. 20) {
        my $queue = status("?cursor=$cursor")->{queue};
        $seen{ $_->{replication} }++ for @{ $queue->{replications} };
        $cursor = $queue->{cursor} or last;
    }
    is(scalar(keys %seen), 304, 'many replications, page by page');
}


# ---- without Redis ----

# a client that has gone while Redis thinks
kill 'STOP', $redis->{pid};
{
    my $socket = $nginx->connect;
    print $socket "GET /api/v1/status HTTP/1.1\r\nHost: x\r\n",
        bearer(), "\r\n\r\n";
    $socket->flush;
    sleep 0.1;
    close $socket;
    sleep 0.1;
}
kill 'CONT', $redis->{pid};
is(status()->{queue}{replications_total}, 304,
    'a client that has gone does no harm');

# Redis goes while a client waits
kill 'STOP', $redis->{pid};
{
    my $socket = $nginx->connect;
    print $socket "GET /api/v1/status HTTP/1.1\r\nHost: x\r\n",
        "Connection: close\r\n", bearer(), "\r\n\r\n";
    $socket->flush;
    sleep 0.1;
    $redis->end;
    my $text = join '', <$socket>;
    like($text, qr{^HTTP/1.1 503 }, 'Redis goes while a client waits: 503');
    like($text, qr/"redis_unavailable"/, 'and says so');
}

$reply = ask('GET', '/api/v1/status', bearer());
is($reply->{status}, 503, 'Redis is away: 503');
is($reply->{headers}{'content-type'}, 'application/json', 'as JSON');
my $away = JSON::PP->new->decode($reply->{body});
is($away->{error}{code}, 'redis_unavailable', 'and says so');
is_deeply([sort keys %$away], ['error', 'proxy', 'redis', 'version'],
    'and what the proxy knows');
is($away->{redis}, 'away', 'in a word, too');
is($away->{proxy}{waiting}, 0, 'that nothing waits');

$nginx->exchange(request(PUT => "/bkt/$_", body => '')) for qw(w x x y);
sleep 0.1;
ok(wait_for { status()->{proxy}{waiting} == 3 }, 'or three keys')
    or diag(explain(status()));
cmp_ok(status()->{proxy}{waiting_ms}, '>=', 100, 'and for how long');
is(ask('GET', '/api/v1/status')->{status}, 401, 'not without a token');

$redis->begin;
ok(wait_for { ask('GET', '/api/v1/status', bearer())->{status} == 200 },
    'Redis is back');
ok(wait_for { status()->{proxy}{waiting} == 0 }, 'and has all');
is(status()->{proxy}{waiting_ms}, 0, 'so none is the oldest');

unlike($nginx->log =~ s/^.*(?:http header|http upstream|"Authorization).*$//mgr,
    qr/\Q$TOKEN\E/, 'the log has the token at most where nginx logs headers');
ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and has nothing to complain of');

done_testing();
