# /api/v1/limits: what is told, what can be set, what is refused.

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
    api => { token_file => 'api.token' }, worker => { limits => {
        main => { requests_per_second => 500 },
        follower => { bytes_per_second => '1MiB' } } }), 0600);
Chorus::Storage->start('main');

my $nginx = Chorus::Nginx->start(http => http_config(),
    config => server_config(proxy_location('/'),
        'location /api/ { client_body_buffer_size 1k; chorus_api; }'));
wait_for { $nginx->log =~ /Redis is ready/ } or die $nginx->log;


sub ask {
    my ($method, $target, $body, @headers) = @_;

    push @headers, 'Content-Length: ' . length $body if defined $body;
    my $reply = $nginx->exchange(join("\r\n", "$method $target HTTP/1.1",
        'Host: localhost', 'Connection: close',
        "Authorization: Bearer $TOKEN", @headers, '', '') . ($body // ''));
    $reply->{json} = eval { JSON::PP->new->decode($reply->{body}) };
    return $reply;
}


sub limits {
    my %rows = map { $_->{storage} => $_ }
        @{ ask('GET', '/api/v1/limits')->{json}{limits} };
    return \%rows;
}


sub row {
    my ($limit, $configured, $override) = @_;

    return { limit => $limit, configured => $configured,
        override => $override };
}


my $none = row(undef, undef, undef);
my $told = limits();
is_deeply([sort keys %$told], [qw(archive follower main)], 'each storage');
is_deeply($told->{main}, { storage => 'main',
    requests_per_second => row(500, 500, undef), bytes_per_second => $none },
    'what chorus.json says');
is_deeply($told->{archive}{requests_per_second}, $none, 'and where nothing');

my $reply = ask('PUT', '/api/v1/limits/main',
    '{"requests_per_second": 20, "bytes_per_second": "10MiB"}');
is($reply->{status}, 200, 'set');
is_deeply($reply->{json}, { storage => 'main',
    requests_per_second => row(20, 500, 20),
    bytes_per_second => row(10485760, undef, 10485760) }, 'and told');
is_deeply(limits()->{main}, $reply->{json}, 'from now on');

$reply = ask('PUT', '/api/v1/limits/main', '{"bytes_per_second": null}');
is_deeply([@{ $reply->{json} }{qw(requests_per_second bytes_per_second)}],
    [row(20, 500, 20), $none], 'one alone; the other stays');

$reply = ask('PUT', '/api/v1/limits/follower', '{"bytes_per_second": 0}');
is_deeply($reply->{json}{bytes_per_second}, row(undef, 1048576, 0),
    '0 takes a limit away');

$reply = ask('PUT', '/api/v1/limits/follower',
    '{"bytes_per_second": 20000' . (' ' x 60000) . '}');
is($reply->{json}{bytes_per_second}{limit}, 20000,
    'a body larger than nginx keeps in memory');

is(ask('DELETE', "/api/v1/limits/$_")->{status}, 200, "$_: unset")
    for qw(main follower);
is_deeply(limits(), $told, 'as it was');

for (
    ['another storage', 404, 'unknown_storage', 'PUT', '/api/v1/limits/nobody',
        '{"requests_per_second": 1}'],
    ['another storage', 404, 'unknown_storage', 'DELETE',
        '/api/v1/limits/nobody'],
    ['no storage', 404, 'not_found', 'PUT', '/api/v1/limits/', '{}'],
    ['a path behind it', 404, 'not_found', 'PUT', '/api/v1/limits/main/x',
        '{}'],
    ['a storage alone', 405, 'method_not_allowed', 'GET',
        '/api/v1/limits/main'],
    ['all of them', 405, 'method_not_allowed', 'PUT', '/api/v1/limits', '{}'],
    ['no JSON', 400, 'bad_request', 'PUT', '/api/v1/limits/main', 'x'],
    ['an empty body', 400, 'bad_request', 'PUT', '/api/v1/limits/main', ''],
    ['a name with quotes', 400, 'bad_request', 'PUT', '/api/v1/limits/main',
        '{"\\"\\\\": 1}'],
    ['too little', 400, 'bad_request', 'PUT', '/api/v1/limits/main',
        '{"bytes_per_second": "15KiB"}'],
    ['a long body', 413, 'too_large', 'PUT', '/api/v1/limits/main',
        ' ' x 65537],
    ['no length', 411, 'length_required', 'PUT', '/api/v1/limits/main', undef],
) {
    my ($name, $code, $word, @request) = @$_;

    $reply = ask(@request);
    is($reply->{status}, $code, "$name: $code");
    is($reply->{json} && $reply->{json}{error}{code}, $word, "$name: $word");
    ok(length $reply->{json}{error}{message}, "$name: and a message");
}

$reply = $nginx->exchange("PUT /api/v1/limits/main HTTP/1.1\r\nHost: h\r\n"
    . "Connection: close\r\nContent-Length: 26\r\n\r\n"
    . '{"requests_per_second": 1}');
is($reply->{status}, 401, 'without the token');
is_deeply(limits(), $told, 'nothing of that was done');

$redis->end;
wait_for { ask('GET', '/api/v1/limits')->{status} == 503 };
for (['GET', '/api/v1/limits'], ['DELETE', '/api/v1/limits/main'],
    ['PUT', '/api/v1/limits/main', '{"requests_per_second": 1}'])
{
    $reply = ask(@$_);
    is($reply->{status}, 503, "$_->[0] without Redis");
    is($reply->{json}{error}{code}, 'redis_unavailable', 'says so');
}

done_testing();
