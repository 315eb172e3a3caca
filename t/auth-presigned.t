# Presigned URLs: how long they are good for, what they cover, and that main
# gets a request which is signed in its header.

BEGIN {
    push @INC, 't/lib';
    $ENV{TEST_NGINX_FORCE_RESTART_ON_TEST} = 0;
}

use Test::Nginx::Socket;
use Chorus::Fixture;
use Chorus::Sign qw(presign request EMPTY_SHA256);
use Chorus::Storage;

no_root_location();

plan tests => repeat_each() * (blocks() * 4);

our $HttpConfig = http_config();
our $Chunks = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';

Chorus::Storage->start('main');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value(config => server_config()) unless defined $block->config;
    $block->set_value(http_config => $HttpConfig);

    # each answer comes from the storage or is an S3 error
    return if defined $block->response_headers_like
        || defined $block->response_headers;
    $block->set_value(response_headers_like => defined $block->error_code
        ? "Content-Type: application/xml\nx-amz-request-id: [0-9A-F]{16}\n"
        : "X-Storage: main\nContent-Type: text/plain\n");
});

run_tests();

__DATA__

=== TEST 1: nothing of the URL's credentials reaches main
--- raw_request eval
::presign(GET => '/bkt/key')
--- response_body_like: ^GET /bkt/key HTTP/1.1\r\n



=== TEST 2: main gets credentials of its own, in the header
--- raw_request eval
::presign(GET => '/bkt/key')
--- response_body_like: Authorization: AWS4-HMAC-SHA256 Credential=MAIN-ALICE/



=== TEST 3: main gets a payload line, though there was none
--- raw_request eval
::presign(GET => '/bkt/key')
--- response_body_like: (?i)x-amz-content-sha256: UNSIGNED-PAYLOAD\r\n



=== TEST 4: an upload
--- raw_request eval
::presign(PUT => '/bkt/key', body => 'hello')
--- response_headers
X-Storage: main
X-Body-Length: 5
--- response_body_like: ^PUT /bkt/key HTTP/1.1\r\n



=== TEST 5: a HEAD
--- raw_request eval
::presign(HEAD => '/bkt/key')
--- response_body:



=== TEST 6: a DELETE
--- raw_request eval
::presign(DELETE => '/bkt/key')
--- response_body_like: ^DELETE /bkt/key HTTP/1.1\r\n



=== TEST 7: the other arguments stay as they are
--- raw_request eval
::presign(GET => '/bkt/key?versionId=a%2fb&x&x=1&response-expires=')
--- response_body_like: ^GET /bkt/key\?versionId=a%2fb&x&x=1&response-expires= HTTP



=== TEST 8: arguments behind the signature, in the order of the wire
--- raw_request eval
::presign(GET => '/bkt/key?b=1&a=2', sent_target => sub {
    $_[0] =~ s/b=1&a=2&(.*)/$1&b=1&a=2/r })
--- response_body_like: ^GET /bkt/key\?b=1&a=2 HTTP



=== TEST 9: a key with odd characters
--- raw_request eval
::presign(GET => '/bkt//a/../b+c%20d%2Fe%e2%82%ac')
--- response_body_like: ^GET /bkt//a/\.\./b\+c%20d%2Fe%e2%82%ac HTTP



=== TEST 10: a token is signed, and not forwarded
--- raw_request eval
::presign(GET => '/bkt/key', token => 'to/ken+=')
--- response_body_like: ^GET /bkt/key HTTP/1.1\r\n



=== TEST 11: another user
--- raw_request eval
::presign(GET => '/bkt/key', access_key => 'BOB-KEY', secret => 'bob-secret')
--- response_body_like: Credential=MAIN-BOB/



=== TEST 12: a '+' that was signed as a space goes on as a space
--- raw_request eval
::presign(GET => '/bkt?prefix=a%20b', sent_target => sub { $_[0] =~ s/%20/+/r })
--- response_body_like: ^GET /bkt\?prefix=a%20b HTTP



=== TEST 13: a '+' that was signed as a plus goes on as a plus
--- raw_request eval
::presign(GET => '/bkt?prefix=a%2Bb', sent_target => sub { $_[0] =~ s/%2B/+/r })
--- response_body_like: ^GET /bkt\?prefix=a%2Bb HTTP



=== TEST 14: in the header, too
--- raw_request eval
::request(GET => '/bkt?prefix=a%20b', sent_target => '/bkt?prefix=a+b')
--- response_body_like: ^GET /bkt\?prefix=a%20b HTTP



=== TEST 15: an unsigned digest is not looked at
--- raw_request eval
::presign(PUT => '/bkt/key', body => 'hello',
    after => ['x-amz-content-sha256' => ::EMPTY_SHA256()])
--- response_body_like: (?i)x-amz-content-sha256: UNSIGNED-PAYLOAD\r\n



=== TEST 16: a signed digest is forwarded
--- raw_request eval
::presign(GET => '/bkt/key', payload => ::EMPTY_SHA256())
--- response_body_like: (?i)x-amz-content-sha256: e3b0c442



=== TEST 17: the payload line in the query
--- raw_request eval
::presign(GET => '/bkt/key', payload_line => ::EMPTY_SHA256(),
    set => { 'X-Amz-Content-Sha256' => ::EMPTY_SHA256() })
--- response_body_like: ^GET /bkt/key HTTP/1.1\r\n.*(?i)content-sha256: e3b0c442



=== TEST 18: chunks that are signed for
--- raw_request eval
::presign(PUT => '/bkt/key', payload => $::Chunks,
    headers => ['x-amz-decoded-content-length' => 5],
    body => "5\r\nhello\r\n0\r\n\r\n")
--- response_headers
X-Storage: main
X-Body-Length: 5
--- response_body_like: ^PUT /bkt/key HTTP/1.1\r\n



=== TEST 19: chunks under a signature that is wrong
--- raw_request eval
::presign(PUT => '/bkt/key', payload => $::Chunks, secret => 'x',
    headers => ['x-amz-decoded-content-length' => 5],
    body => "5\r\nhello\r\n0\r\n\r\n")
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 20: chunks that are not signed for
--- raw_request eval
::presign(PUT => '/bkt/key', body => "5\r\nhello\r\n0\r\n\r\n",
    after => ['x-amz-content-sha256' => $::Chunks])
--- error_code: 403
--- response_body_like: <HeadersNotSigned>x-amz-content-sha256</HeadersNotSigned>



=== TEST 21: chunks of SigV4A
--- raw_request eval
::presign(PUT => '/bkt/key', body => "0\r\n\r\n",
    payload => 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD')
--- error_code: 501
--- response_body_like: <Code>NotImplemented</Code>



=== TEST 22: seven days
--- raw_request eval
::presign(GET => '/bkt/key', expires => 604800)
--- response_body_like: ^GET /bkt/key HTTP/1.1\r\n



=== TEST 23: a second more
--- raw_request eval
::presign(GET => '/bkt/key', expires => 604801)
--- error_code: 400
--- response_body_like: AuthorizationQueryParametersError.*less than a week



=== TEST 24: made six days ago, good for seven
--- raw_request eval
::presign(GET => '/bkt/key', expires => 604800, offset => -518400)
--- response_body_like: ^GET /bkt/key HTTP/1.1\r\n



=== TEST 25: one that has expired
--- raw_request eval
::presign(GET => '/bkt/key', expires => 10, offset => -60)
--- error_code: 403
--- response_body_like: AccessDenied.*expired.*<X-Amz-Expires>10</X-Amz-Expires><Expires>20\S+Z</Expires><ServerTime>20



=== TEST 26: a clock ten minutes ahead
--- raw_request eval
::presign(GET => '/bkt/key', offset => 600)
--- response_body_like: ^GET /bkt/key HTTP/1.1\r\n



=== TEST 27: a clock an hour and more ahead
--- raw_request eval
::presign(GET => '/bkt/key', offset => 5000)
--- error_code: 403
--- response_body_like: <Code>AccessDenied</Code>.*not valid yet



=== TEST 28: no seconds at all
--- raw_request eval
::presign(GET => '/bkt/key', expires => 0)
--- error_code: 400
--- response_body_like: <Code>AuthorizationQueryParametersError</Code>



=== TEST 29: less than none
--- raw_request eval
::presign(GET => '/bkt/key', expires => -1)
--- error_code: 400
--- response_body_like: AuthorizationQueryParametersError.*non-negative



=== TEST 30: an expiry in words
--- raw_request eval
::presign(GET => '/bkt/key', expires => 'soon')
--- error_code: 400
--- response_body_like: AuthorizationQueryParametersError.*should be a number



=== TEST 31: an expiry made longer
--- raw_request eval
::presign(GET => '/bkt/key', sent => { 'X-Amz-Expires' => 604800 })
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 32: without an expiry
--- raw_request eval
::presign(GET => '/bkt/key', set => { 'X-Amz-Expires' => undef })
--- error_code: 400
--- response_body_like: AuthorizationQueryParametersError.*requires the X-Amz-Algorithm



=== TEST 33: without a signature
--- raw_request eval
::presign(GET => '/bkt/key', sent => { 'X-Amz-Signature' => undef })
--- error_code: 400
--- response_body_like: AuthorizationQueryParametersError.*requires the X-Amz-Algorithm



=== TEST 34: without an algorithm
--- raw_request eval
::presign(GET => '/bkt/key', set => { 'X-Amz-Algorithm' => undef })
--- error_code: 400
--- response_body_like: AuthorizationQueryParametersError.*requires the X-Amz-Algorithm



=== TEST 35: two signatures
--- raw_request eval
::presign(GET => '/bkt/key', args_after => '&X-Amz-Signature=' . '0' x 64)
--- error_code: 400
--- response_body_like: AuthorizationQueryParametersError.*only once



=== TEST 36: a second expiry, in another case
--- raw_request eval
::presign(GET => '/bkt/key?x-amz-expires=604800')
--- error_code: 400
--- response_body_like: AuthorizationQueryParametersError.*exact case



=== TEST 37: a second expiry, in escapes
--- raw_request eval
::presign(GET => '/bkt/key?X-Amz-Expire%73=604800')
--- error_code: 400
--- response_body_like: AuthorizationQueryParametersError.*exact case



=== TEST 38: SigV4A
--- raw_request eval
::presign(GET => '/bkt/key', algorithm => 'AWS4-ECDSA-P256-SHA256')
--- error_code: 501
--- response_body_like: <Code>NotImplemented</Code>



=== TEST 39: the region of another storage
--- raw_request eval
::presign(GET => '/bkt/key', region => 'eu-1')
--- error_code: 400
--- response_body_like: AuthorizationQueryParametersError.*region 'eu-1' is wrong.*<Region>us-east-1</Region>



=== TEST 40: another service
--- raw_request eval
::presign(GET => '/bkt/key', service => 'ec2')
--- error_code: 400
--- response_body_like: AuthorizationQueryParametersError.*service



=== TEST 41: a signature of another secret
--- raw_request eval
::presign(GET => '/bkt/key', secret => 'x')
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 42: an unknown access key
--- raw_request eval
::presign(GET => '/bkt/key', access_key => 'NOBODY')
--- error_code: 403
--- response_body_like: <Code>InvalidAccessKeyId</Code>



=== TEST 43: another method
--- raw_request eval
::presign(GET => '/bkt/key', sent_method => 'DELETE')
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 44: another key
--- raw_request eval
::presign(GET => '/bkt/key', sent_target => sub { $_[0] =~ s/key/kez/r })
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 45: a path that only looks the same
--- raw_request eval
::presign(GET => '/bkt/key', sent_target => sub { $_[0] =~ s{/key}{/a/../key}r })
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 46: an argument that was added
--- raw_request eval
::presign(PUT => '/bkt/key', body => '', args_after => '&acl')
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 47: a header that was added
--- raw_request eval
::presign(PUT => '/bkt/key', body => '',
    after => ['x-amz-copy-source' => '/bkt/secret'])
--- error_code: 403
--- response_body_like: <HeadersNotSigned>x-amz-copy-source</HeadersNotSigned>



=== TEST 48: the same in disguise
--- raw_request eval
::presign(PUT => '/bkt/key', body => '',
    after => ['x_amz_copy_source' => '/bkt/secret'])
--- error_code: 403
--- response_body_like: <HeadersNotSigned>x_amz_copy_source</HeadersNotSigned>



=== TEST 49: a host that is not signed
--- raw_request eval
::presign(GET => '/bkt/key', signed => ['range'])
--- error_code: 403
--- response_body_like: <HeadersNotSigned>host</HeadersNotSigned>



=== TEST 50: another host
--- raw_request eval
::presign(GET => '/bkt/key', host => 'other') =~ s/Host: other/Host: localhost/r
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 51: a header besides
--- raw_request eval
::presign(GET => '/bkt/key', after => [Authorization => 'Basic dTpw'])
--- error_code: 400
--- response_body_like: <Code>InvalidArgument</Code>.*Only one auth mechanism



=== TEST 52: a URL in virtual-host style
--- config eval
"server_name s3.test;\nchorus_domain s3.test;\n" . ::server_config()
--- raw_request eval
::presign(GET => '/key?acl', host => 'bkt.s3.test')
--- response_body_like: ^GET /bkt/key\?acl HTTP/1.1\r\n



=== TEST 53: a URL of one bucket is none of another
--- config eval
"server_name s3.test;\nchorus_domain s3.test;\n" . ::server_config()
--- raw_request eval
::presign(GET => '/key', host => 'bkt.s3.test')
    =~ s/Host: bkt/Host: two/r
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>
