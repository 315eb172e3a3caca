# /api/v1/failed and /api/v1/retry: what is refused, and any bytes as a key.

use strict;
use warnings;

use JSON::PP ();
use Test::More;

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Storage;

my $TOKEN = '0123456789-the-token';
my $redis = Chorus::Redis->start;

write_file("$Folder/api.token", "$TOKEN\n", 0600);
write_file("$Folder/chorus.json", chorus_json(redis => { url => $redis->url },
    api => { token_file => 'api.token' }), 0600);
Chorus::Storage->start('main');

my $nginx = Chorus::Nginx->start(http => http_config(),
    config => server_config(proxy_location('/'),
        'location /api/ { chorus_api; }'));
wait_for { $nginx->log =~ /Redis is ready/ } or die $nginx->log;


sub ask {
    my ($method, $target) = @_;

    my $reply = $nginx->exchange(join("\r\n", "$method $target HTTP/1.1",
        'Host: localhost', 'Connection: close', 'Content-Length: 0',
        "Authorization: Bearer $TOKEN", '', ''));
    $reply->{json} = eval { JSON::PP->new->decode($reply->{body}) };
    return $reply;
}


is_deeply(ask('GET', '/api/v1/failed')->{json},
    { cursor => '0', reasons => {}, keys => [] }, 'nothing is parked');

for (
    ['all of replications', ''],
    ['a replication that nobody knows', '?replication=u:b:f'],
    ['its bucket', '?replication=u:b:f&key='],
    ['any bytes, and all there is', '?key=%00%FF%25%0D%0A%3F&reason=%00'
        . '&replication=u:b:f&cursor=0'],
    ['a key longer than S3 has', '?replication=u:b:f&key=' . 'k' x 6000],
) {
    my ($name, $query) = @$_;

    is_deeply(ask('POST', "/api/v1/retry$query")->{json},
        { cursor => '0', moved => 0 }, "retry: $name");
}

for (
    ['a key of none', 400, 'POST', '/api/v1/retry?key=k'],
    ['no replication', 400, 'POST', '/api/v1/retry?replication=x'],
    ['an empty replication', 400, 'GET', '/api/v1/failed?replication='],
    ['a long reason', 400, 'GET', '/api/v1/failed?reason=' . 'r' x 6000],
    ['no cursor', 400, 'GET', '/api/v1/failed?cursor=1'],
    ['an empty cursor', 400, 'GET', '/api/v1/failed?cursor='],
    # what is mistyped must not make it more
    ['an empty reason', 400, 'POST', '/api/v1/retry?reason='],
    ['a reason without "="', 400, 'POST', '/api/v1/retry?reason'],
    ['a key without "="', 400, 'DELETE',
        '/api/v1/failed?replication=u:b:f&key'],
    ['a percent sign without digits', 400, 'DELETE',
        '/api/v1/failed?replication=u:b:f&key=a%zz'],
    ['a key that is there twice', 400, 'DELETE',
        '/api/v1/failed?replication=u:b:f&key=a&key=b'],
    ['an argument of another path', 400, 'POST', '/api/v1/retry?all=true'],
    ['a wrong method', 405, 'GET', '/api/v1/retry'],
    ['another one', 405, 'POST', '/api/v1/failed'],
) {
    my ($name, $code, @request) = @$_;

    my $reply = ask(@request);
    is($reply->{status}, $code, "$name: $code");
    ok(length($reply->{json}{error}{message} // ''), "$name: and a message");
}

is(ask('HEAD', '/api/v1/failed')->{status}, 200, 'HEAD');

$redis->end;
wait_for { ask('GET', '/api/v1/failed')->{status} == 503 };
is(ask('POST', '/api/v1/retry')->{status}, 503, 'without Redis');

done_testing();
