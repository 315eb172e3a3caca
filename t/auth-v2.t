# Signature Version 2: only where chorus_auth_v2 says so, and then no more of
# a request than it protects.

BEGIN {
    push @INC, 't/lib';
    $ENV{TEST_NGINX_FORCE_RESTART_ON_TEST} = 0;
}

use Test::Nginx::Socket;
use Chorus::Fixture;
use Chorus::Sign qw(request);
use Chorus::Sign::V2 qw(request_v2 presign_v2);
use Chorus::Storage;

no_root_location();

plan tests => repeat_each() * (blocks() * 4);

our $Config = server_config(proxy_location('/', 'chorus_auth_v2 on;'));

Chorus::Storage->start('main');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value(config => $Config) unless defined $block->config;
    $block->set_value(http_config => http_config());

    # each answer comes from the storage or is an S3 error
    return if defined $block->response_headers_like;
    $block->set_value(response_headers_like => defined $block->error_code
        ? "Content-Type: application/xml\nx-amz-request-id: [0-9A-F]{16}\n"
        : "X-Storage: main\nContent-Type: text/plain\n");
});

run_tests();

__DATA__

=== TEST 1: it is refused where nobody asked for it
--- config eval: ::server_config()
--- raw_request eval
::request_v2(GET => '/bkt/key')
--- error_code: 400
--- response_body_like: InvalidRequest.*Please use AWS4-HMAC-SHA256



=== TEST 2: so is a URL
--- config eval: ::server_config()
--- raw_request eval
::presign_v2(GET => '/bkt/key')
--- error_code: 400
--- response_body_like: InvalidRequest.*Please use AWS4-HMAC-SHA256



=== TEST 3: a location may be more liberal than its server
--- config eval
::server_config(::proxy_location('/'),
    ::proxy_location('/bkt/', 'chorus_auth_v2 on;'))
--- raw_request eval
::request_v2(GET => '/bkt/key')
--- response_body_like: ^GET /bkt/key HTTP/1.1\r\n



=== TEST 4: main gets Version 4
--- raw_request eval
::request_v2(GET => '/bkt/key')
--- response_body_like: Authorization: AWS4-HMAC-SHA256 Credential=MAIN-ALICE/



=== TEST 5: Version 4 still counts
--- raw_request eval
::request(GET => '/bkt/key')
--- response_body_like: ^GET /bkt/key HTTP/1.1\r\n



=== TEST 6: an upload, with type, digest and metadata
--- raw_request eval
::request_v2(PUT => '/bkt/key', body => 'hello', headers => [
    'Content-Type' => 'text/plain', 'Content-MD5' => 'XUFAKrxLKna5cZ2REBfFkg==',
    'X-Amz-Meta-B' => '2', 'x-amz-meta-a' => '1'])
--- response_body_like: ^PUT /bkt/key HTTP/1.1\r\n



=== TEST 7: x-amz-date in the place of Date
--- raw_request eval
::request_v2(GET => '/bkt/key', date => 'x-amz-date')
--- response_body_like: ^GET /bkt/key HTTP/1.1\r\n



=== TEST 8: sub-resources, and arguments that are not signed
--- raw_request eval
::request_v2(GET => '/bkt?uploads&prefix=a%2Fb&max-uploads=2')
--- response_body_like: ^GET /bkt\?uploads&prefix=a%2Fb&max-uploads=2 HTTP



=== TEST 9: the path is signed as it was sent
--- raw_request eval
::request_v2(GET => '/bkt/a%2fb//../%E2%82%ac+')
--- response_body_like: ^GET /bkt/a%2fb//\.\./%E2%82%ac\+ HTTP



=== TEST 10: a signature of another secret
--- raw_request eval
::request_v2(GET => '/bkt/key', secret => 'x')
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 11: an unknown access key
--- raw_request eval
::request_v2(GET => '/bkt/key', access_key => 'NOBODY')
--- error_code: 403
--- response_body_like: <Code>InvalidAccessKeyId</Code>



=== TEST 12: another method
--- raw_request eval
::request_v2(GET => '/bkt/key', sent_method => 'DELETE')
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 13: another key
--- raw_request eval
::request_v2(GET => '/bkt/key', sent_target => '/bkt/other')
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 14: a sub-resource that was added
--- raw_request eval
::request_v2(PUT => '/bkt/key', body => '', sent_target => '/bkt/key?acl')
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 15: an x-amz-* header that was added
--- raw_request eval
::request_v2(PUT => '/bkt/key', body => '',
    after => ['x-amz-copy-source' => '/bkt/secret'])
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 16: the same in disguise
--- raw_request eval
::request_v2(PUT => '/bkt/key', body => '',
    after => ['x_amz_copy_source' => '/bkt/secret'])
--- error_code: 403
--- response_body_like: <Code>AccessDenied</Code>.*not signed



=== TEST 17: an argument that Version 2 does not protect
--- raw_request eval
::request_v2(PUT => '/bkt/key?attributes', body => '')
--- error_code: 403
--- response_body_like: <Code>AccessDenied</Code>.*does not protect



=== TEST 18: a sub-resource in escapes
--- raw_request eval
::request_v2(PUT => '/bkt/key?%61cl', body => '')
--- error_code: 400
--- response_body_like: <Code>InvalidRequest</Code>



=== TEST 19: a sub-resource twice
--- raw_request eval
::request_v2(GET => '/bkt/key?versionId=1&versionId=2')
--- error_code: 400
--- response_body_like: <Code>InvalidRequest</Code>.*repeated



=== TEST 20: a clock that is slow
--- raw_request eval
::request_v2(GET => '/bkt/key', offset => -1000)
--- error_code: 403
--- response_body_like: <Code>RequestTimeTooSkewed</Code>



=== TEST 21: no date
--- raw_request eval
::request_v2(GET => '/bkt/key', date => 'none')
--- error_code: 403
--- response_body_like: <Code>AccessDenied</Code>.*valid Date



=== TEST 22: no signature in the header
--- raw_request eval
::request_v2(GET => '/bkt/key', authorization => sub { 'AWS CHORUS-KEY' })
--- error_code: 400
--- response_body_like: <Code>InvalidArgument</Code>



=== TEST 23: chunks whose first signature would be of Version 4
--- raw_request eval
::request_v2(PUT => '/bkt/key', body => "0\r\n\r\n", headers => [
    'x-amz-content-sha256' => 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    'x-amz-decoded-content-length' => 0])
--- error_code: 400
--- response_body_like: <Code>InvalidRequest</Code>



=== TEST 24: a URL, and nothing of it reaches main
--- raw_request eval
::presign_v2(GET => '/bkt/key')
--- response_body_like: ^GET /bkt/key HTTP/1.1\r\n



=== TEST 25: a URL with other arguments
--- raw_request eval
::presign_v2(GET => '/bkt/key?versionId=a%2Bb&response-content-type=a%2Fb')
--- response_body_like: ^GET /bkt/key\?versionId=a%2Bb&response-content-type=a%2Fb HTTP



=== TEST 26: a URL to upload with
--- raw_request eval
::presign_v2(PUT => '/bkt/key', body => 'hello',
    headers => ['Content-Type' => 'text/plain'])
--- response_body_like: ^PUT /bkt/key HTTP/1.1\r\n



=== TEST 27: a URL whose type is another one
--- raw_request eval
::presign_v2(PUT => '/bkt/key', body => 'hello',
    after => ['Content-Type' => 'text/html'])
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 28: a URL that has expired
--- raw_request eval
::presign_v2(GET => '/bkt/key', expires => time - 1)
--- error_code: 403
--- response_body_like: has expired</Message><Expires>20.*</ServerTime>



=== TEST 29: a URL whose expiry was changed
--- raw_request eval
::presign_v2(GET => '/bkt/key', expires => time - 1,
    sent => { Expires => time + 3600 })
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 30: a URL without an expiry
--- raw_request eval
::presign_v2(GET => '/bkt/key', set => { Expires => undef })
--- error_code: 403
--- response_body_like: <Code>AccessDenied</Code>.*requires the Signature



=== TEST 31: an expiry that is no number
--- raw_request eval
::presign_v2(GET => '/bkt/key', set => { Expires => "soon" })
--- error_code: 403
--- response_body_like: <Code>AccessDenied</Code>.*seconds since epoch



=== TEST 32: a URL to which somebody added a sub-resource
--- raw_request eval
::presign_v2(DELETE => '/bkt/key', sent_target => sub { "$_[0]&tagging" })
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 33: a URL to which somebody added what Version 2 does not sign
--- raw_request eval
::presign_v2(DELETE => '/bkt/key', sent_target => sub { "$_[0]&bypass=1" })
--- error_code: 403
--- response_body_like: <Code>AccessDenied</Code>.*does not protect



=== TEST 34: a URL and a header
--- raw_request eval
::presign_v2(GET => '/bkt/key', after => [Authorization => 'AWS a:b'])
--- error_code: 400
--- response_body_like: <Code>InvalidArgument</Code>.*Only one auth mechanism



=== TEST 35: a URL of both versions
--- raw_request eval
::presign_v2(GET => '/bkt/key?X-Amz-Algorithm=AWS4-HMAC-SHA256')
--- error_code: 400
--- response_body_like: <Code>InvalidArgument</Code>.*Only one auth mechanism



=== TEST 36: in virtual-host style the bucket is signed in front of the path
--- config eval
"server_name s3.test;\nchorus_domain s3.test;\n$::Config"
--- raw_request eval
::request_v2(GET => '/key', host => 'bkt.s3.test', bucket => 'bkt')
--- response_body_like: ^GET /bkt/key HTTP/1.1\r\n



=== TEST 37: a URL in virtual-host style
--- config eval
"server_name s3.test;\nchorus_domain s3.test;\n$::Config"
--- raw_request eval
::presign_v2(GET => '/key?acl', host => 'bkt.s3.test', bucket => 'bkt')
--- response_body_like: ^GET /bkt/key\?acl HTTP/1.1\r\n



=== TEST 38: the path alone is the signature of another request
--- config eval
"server_name s3.test;\nchorus_domain s3.test;\n$::Config"
--- raw_request eval
::request_v2(GET => '/key', host => 'bkt.s3.test')
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>
