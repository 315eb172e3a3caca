# Which storage serves a request.

BEGIN {
    push @INC, 't/lib';
    $ENV{TEST_NGINX_FORCE_RESTART_ON_TEST} = 0;
}

use Test::Nginx::Socket;
use Chorus::Fixture;
use Chorus::Sign qw(request);
use Chorus::Storage;

no_root_location();

plan tests => repeat_each() * (blocks() * 2 + 3);

our $HttpConfig = http_config('routes.json');
our $Config = server_config(
    proxy_location('/'),
    proxy_location('/here/', 'chorus_route follower;'),
    proxy_location('/logs-here/', 'chorus_route follower;'),
    proxy_location('/logs-main/', 'chorus_route main;'));

my $json = chorus_json(routes => [
    { user => 'bob', bucket => 'logs-bob', storage => 'follower' },
    { user => '*', bucket => '~^logs-', storage => 'archive' },
    { user => 'alice', bucket => 'cold', storage => 'archive' },
    { user => '*', bucket => 'cold', storage => 'follower' },
    { user => '*', bucket => '~^(?i)UPPER\d{2}$', storage => 'archive' },
]);
write_file("$Folder/routes.json", $json, 0600);

Chorus::Storage->start;

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value(config => $Config) unless defined $block->config;
    $block->set_value(http_config => $HttpConfig);
});

sub bob { request(@_, access_key => 'BOB-KEY', secret => 'bob-secret') }

sub copy {
    my ($target, $source) = @_;

    return request(PUT => $target, headers => ['x-amz-copy-source' => $source]);
}

run_tests();

__DATA__

=== TEST 1: main, when nothing says otherwise
--- raw_request eval: ::request(GET => '/bkt/key')
--- response_headers
X-Storage: main



=== TEST 2: the list of buckets is main's
--- raw_request eval: ::request(GET => '/')
--- response_headers
X-Storage: main



=== TEST 3: a pattern of chorus.json
--- raw_request eval: ::request(GET => '/logs-2026/key')
--- response_headers
X-Storage: archive



=== TEST 4: a pattern is held against the whole bucket, as it is written
--- raw_request eval: ::request(GET => '/my-logs-2026/key')
--- response_headers
X-Storage: main



=== TEST 5: a pattern is not held against the key
--- raw_request eval: ::request(GET => '/bkt/logs-2026')
--- response_headers
X-Storage: main



=== TEST 6: a pattern with anchors and a flag
--- raw_request eval: ::request(GET => '/upper42')
--- response_headers
X-Storage: archive



=== TEST 7: a pattern whose end is anchored
--- raw_request eval: ::request(GET => '/upper421')
--- response_headers
X-Storage: main



=== TEST 8: an escaped name of a bucket is the same bucket
--- raw_request eval: ::request(GET => '/%6cogs%2D2026/key')
--- response_headers
X-Storage: archive



=== TEST 9: a bucket itself
--- raw_request eval: ::request(PUT => '/logs-2026', body => '')
--- response_headers
X-Storage: archive



=== TEST 10: a rule for one user
--- raw_request eval: ::request(GET => '/cold/key')
--- response_headers
X-Storage: archive



=== TEST 11: the same bucket of another user
--- raw_request eval: ::bob(GET => '/cold/key')
--- response_headers
X-Storage: follower



=== TEST 12: the first rule that fits is taken
--- raw_request eval: ::bob(GET => '/logs-bob/key')
--- response_headers
X-Storage: follower



=== TEST 13: a rule of another user is passed over
--- raw_request eval: ::request(GET => '/logs-bob/key')
--- response_headers
X-Storage: archive



=== TEST 14: a location
--- raw_request eval: ::request(GET => '/here/key')
--- response_headers
X-Storage: follower



=== TEST 15: a location goes before chorus.json
--- raw_request eval: ::request(GET => '/logs-here/key')
--- response_headers
X-Storage: follower



=== TEST 16: a location that leads back to main
--- raw_request eval: ::request(GET => '/logs-main/key')
--- response_headers
X-Storage: main



=== TEST 17: the raw URI does not lead into another location
--- raw_request eval: ::request(GET => '/bkt/../here/key')
--- error_code: 400
--- response_body_like: <Code>InvalidURI</Code>



=== TEST 18: a bucket belongs to its location without a slash, too
--- raw_request eval: ::request(GET => '/here')
--- response_headers
X-Storage: follower



=== TEST 19: and with a query
--- raw_request eval: ::request(PUT => '/logs-here?acl', body => '')
--- response_headers
X-Storage: follower



=== TEST 20: a bucket whose name only begins like that of a location
--- raw_request eval: ::request(GET => '/hereafter/key')
--- response_headers
X-Storage: main



=== TEST 21: a copy into a location, from main
--- raw_request eval: ::copy('/here/key', '/bkt/key')
--- error_code: 501
--- response_headers
Content-Type: application/xml
--- response_body_like: <Code>NotImplemented</Code>



=== TEST 22: a copy out of a location, into main
--- raw_request eval: ::copy('/bkt/key', '/here/key')
--- error_code: 501
--- response_headers
Content-Type: application/xml
--- response_body_like: <Code>NotImplemented</Code>



=== TEST 23: a copy inside of a location
--- raw_request eval: ::copy('/here/key', '/here/other')
--- response_headers
X-Storage: follower



=== TEST 24: a copy between two locations of one storage
--- raw_request eval: ::copy('/here/key', 'logs-here/key')
--- response_headers
X-Storage: follower



=== TEST 25: a copy between two locations of main
--- raw_request eval: ::copy('/logs-main/key', '/bkt/key')
--- response_headers
X-Storage: main



=== TEST 26: a copy inside of main
--- raw_request eval: ::copy('/bkt/key', '/other/key')
--- response_headers
X-Storage: main



=== TEST 27: a copy inside of another storage
--- raw_request eval: ::copy('/logs-2026/key', '/logs-2025/key')
--- response_headers
X-Storage: archive



=== TEST 28: a copy out of another storage
--- raw_request eval: ::copy('/bkt/key', '/logs-2026/key')
--- error_code: 501
--- response_headers
Content-Type: application/xml
--- response_body_like: <Code>NotImplemented</Code>



=== TEST 29: a copy into another storage
--- raw_request eval: ::copy('/logs-2026/key', '/bkt/key')
--- error_code: 501
--- response_headers
Content-Type: application/xml
--- response_body_like: <Code>NotImplemented</Code>



=== TEST 30: a source without a slash before it
--- raw_request eval: ::copy('/bkt/key', 'logs-2026/key')
--- error_code: 501
--- response_body_like: <Code>NotImplemented</Code>



=== TEST 31: a source in escapes
--- raw_request eval: ::copy('/bkt/key', '%2Flogs%2D2026%2Fkey')
--- error_code: 501
--- response_body_like: <Code>NotImplemented</Code>



=== TEST 32: a source with a version
--- raw_request eval: ::copy('/bkt/key', 'logs-2026/key?versionId=1')
--- error_code: 501
--- response_body_like: <Code>NotImplemented</Code>



=== TEST 33: a part of an upload that is copied
--- raw_request eval
::copy('/bkt/key?partNumber=1&uploadId=u', '/logs-2026/key')
--- error_code: 501
--- response_body_like: <Code>NotImplemented</Code>



=== TEST 34: chorus_route of a server is for its locations
--- config eval
"chorus_route archive;\n" . ::server_config(::proxy_location('/'),
    ::proxy_location('/back/', 'chorus_route main;'))
--- raw_request eval: ::request(GET => '/bkt/key')
--- response_headers
X-Storage: archive



=== TEST 35: a location goes before its server
--- config eval
"chorus_route archive;\n" . ::server_config(::proxy_location('/'),
    ::proxy_location('/back/', 'chorus_route main;'))
--- raw_request eval: ::request(GET => '/back/key')
--- response_headers
X-Storage: main



=== TEST 36: without "chorus on" nothing is proxied
--- config eval
::server_config("location / { include $Chorus::Fixture::Folder/proxy.conf; }")
--- raw_request eval: ::request(GET => '/bkt/key')
--- error_code: 500



=== TEST 37: "chorus off" in a location
--- config eval
"chorus on;\n" . ::server_config(::proxy_location('/'),
    "location /plain { chorus off; return 204; }")
--- raw_request eval: ::request(GET => '/plain', secret => 'wrong')
--- error_code: 204
--- response_body:
