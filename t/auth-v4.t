# Signature Version 4: who gets in, and what each refusal says.

BEGIN {
    push @INC, 't/lib';
    $ENV{TEST_NGINX_FORCE_RESTART_ON_TEST} = 0;
}

use Test::Nginx::Socket;
use Chorus::Fixture;
use Chorus::Sign qw(amz_date request EMPTY_SHA256);
use Chorus::Storage;

no_root_location();

plan tests => repeat_each() * (blocks() * 4 + 2);

our $HttpConfig = http_config();
our $AnyRegion = http_config('any.json');
our $MainsUsers = http_config('mains-users.json');

write_file("$Folder/any.json", chorus_json(region => '*'), 0600);

# no "users" of Chorus: those of main
write_file("$Folder/mains-users.json",
    chorus_json() =~ s/"users" : \{\s+"alice" : \[.*?\n   }/"worker" : {}/sr,
    0600);

Chorus::Storage->start('main');

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value(config => server_config()) unless defined $block->config;
    $block->set_value(http_config => $HttpConfig)
        unless defined $block->http_config;

    # each answer comes from a storage or is an S3 error
    return if defined $block->response_headers_like
        || defined $block->response_headers;
    $block->set_value(response_headers_like => defined $block->error_code
        ? "Content-Type: application/xml\nx-amz-request-id: [0-9A-F]{16}\n"
        : "X-Storage: main\nContent-Type: text/plain\n");
});

run_tests();

__DATA__

=== TEST 1: a signed GET passes
--- raw_request eval
::request(GET => '/bkt/key')
--- response_body_like: ^GET /bkt/key HTTP/1.1



=== TEST 2: a signed PUT passes with its body
--- raw_request eval
::request(PUT => '/bkt/key', body => 'hello')
--- response_headers
X-Storage: main
X-Body-Length: 5
--- response_body_like: ^PUT /bkt/key HTTP/1.1



=== TEST 3: a signed HEAD passes, without a body
--- raw_request eval
::request(HEAD => '/bkt/key')
--- response_body:



=== TEST 4: a signed DELETE passes
--- raw_request eval
::request(DELETE => '/bkt/key')
--- response_body_like: ^DELETE /bkt/key HTTP/1.1



=== TEST 5: a signed POST passes
--- raw_request eval
::request(POST => '/bkt/key?uploads', body => '')
--- response_body_like: ^POST /bkt/key\?uploads HTTP/1.1



=== TEST 6: the list of buckets
--- raw_request eval
::request(GET => '/')
--- response_body_like: ^GET / HTTP/1.1



=== TEST 7: the payload may stay unsigned
--- raw_request eval
::request(PUT => '/bkt/key', body => 'hello', payload => 'UNSIGNED-PAYLOAD')
--- response_body_like: X-Amz-Content-Sha256: UNSIGNED-PAYLOAD



=== TEST 8: another user, another key
--- raw_request eval
::request(GET => '/bkt/key', access_key => 'BOB-KEY', secret => 'bob-secret')
--- response_body_like: Credential=MAIN-BOB/



=== TEST 9: a user's second key
--- raw_request eval
::request(GET => '/bkt/key', access_key => 'OTHER-KEY',
    secret => 'other-secret')
--- response_body_like: Credential=MAIN-ALICE/



=== TEST 10: a query with a value, with an empty one, without one
--- raw_request eval
::request(GET => '/bkt?prefix=a%2Fb&delimiter=&acl')
--- response_body_like: ^GET /bkt\?prefix=a%2Fb&delimiter=&acl HTTP/1.1



=== TEST 11: query arguments in no order, and twice
--- raw_request eval
::request(GET => '/bkt?z=1&b=2&a=3&b=1&A=0')
--- response_body_like: ^GET /bkt\?z=1&b=2&a=3&b=1&A=0 HTTP/1.1



=== TEST 12: query arguments in lower-case escapes
--- raw_request eval
::request(GET => '/bkt?marker=%e2%82%ac%2f&prefix=~_-.')
--- response_body_like: ^GET /bkt\?marker=%e2%82%ac%2f&prefix=~_-. HTTP/1.1



=== TEST 13: a path with characters that the canonical form escapes
--- raw_request eval
::request(GET => q{/bkt/a+b=c&d:e@f,g;h$i!j'k(l)*m})
--- response_body_like eval
'^GET /bkt/' . quotemeta q{a+b=c&d:e@f,g;h$i!j'k(l)*m HTTP/1.1}



=== TEST 14: a path in escapes of either case
--- raw_request eval
::request(GET => '/bkt/a%20b%2Bc%2fd%2Fe%E2%82%ac%e2%82%AC')
--- response_body_like: ^GET /bkt/a%20b%2Bc%2fd%2Fe%E2%82%ac%e2%82%AC HTTP



=== TEST 15: a path in raw UTF-8
--- raw_request eval
::request(GET => "/bkt/\xe2\x82\xac")
--- response_body_like eval
qr{^GET /bkt/\xe2\x82\xac HTTP/1.1}



=== TEST 16: a header sent twice is signed as one
--- raw_request eval
::request(PUT => '/bkt/key', body => '',
    headers => ['X-Amz-Meta-A' => 'one', 'x-amz-meta-a' => 'two'])
--- response_body_like: X-Amz-Meta-A: one\r\nx-amz-meta-a: two\r\n



=== TEST 17: blanks around and inside of a header's value
--- raw_request eval
::request(PUT => '/bkt/key', body => '',
    headers => ['X-Amz-Meta-A' => '  two   blanks  '])
--- response_body_like: X-Amz-Meta-A: two   blanks\r\n



=== TEST 18: a header without a value
--- raw_request eval
::request(PUT => '/bkt/key', body => '', headers => ['X-Amz-Meta-A' => ''])
--- response_body_like: X-Amz-Meta-A: \r\n



=== TEST 19: a header with an underscore
--- raw_request eval
::request(PUT => '/bkt/key', body => '', headers => ['X-Amz-Meta-A_b' => 'c'])
--- response_body_like: X-Amz-Meta-A_b: c\r\n



=== TEST 20: other headers may be signed or not
--- raw_request eval
::request(PUT => '/bkt/key', body => 'hello', unsigned => ['cache-control'],
    headers => ['Content-Type' => 'text/html', 'Cache-Control' => 'no-cache'])
--- response_body_like: Content-Type: text/html\r\n.*Cache-Control: no-cache\r\n



=== TEST 21: a Date instead of an x-amz-date
--- raw_request eval
::request(GET => '/bkt/key', date => 'date')
--- response_body_like: ^GET /bkt/key HTTP/1.1



=== TEST 22: an x-amz-date goes before a Date
--- raw_request eval
::request(GET => '/bkt/key',
    headers => [Date => 'Thu, 01 Jan 1970 00:00:00 GMT'])
--- response_body_like: ^GET /bkt/key HTTP/1.1



=== TEST 23: a clock that is some minutes slow
--- raw_request eval
::request(GET => '/bkt/key', offset => -300)
--- response_body_like: ^GET /bkt/key HTTP/1.1



=== TEST 24: a clock that is some minutes fast
--- raw_request eval
::request(GET => '/bkt/key', offset => 780)
--- response_body_like: ^GET /bkt/key HTTP/1.1



=== TEST 25: an Authorization without blanks, in another order
--- raw_request eval
::request(GET => '/bkt/key', authorization => sub {
    my ($c, $h, $s) = $_[0] =~ /(Cred\S+), (Signed\S+), (\S+)/;
    "AWS4-HMAC-SHA256 $s,$c,$h";
})
--- response_body_like: ^GET /bkt/key HTTP/1.1



=== TEST 26: any Host that is signed
--- raw_request eval
::request(GET => '/bkt/key', host => 's3.example.com:8080')
--- response_body_like: ^GET /bkt/key HTTP/1.1



=== TEST 27: no Authorization
--- raw_request eval
::request(GET => '/bkt/key', authorization => sub { undef })
--- error_code: 403
--- response_body_like: <Code>AccessDenied</Code>



=== TEST 28: the list of buckets is not for strangers
--- raw_request eval
::request(GET => '/', authorization => sub { undef }, payload => undef,
    date => 'none')
--- error_code: 403
--- response_body_like: <Code>AccessDenied</Code>



=== TEST 29: an unknown access key is named
--- raw_request eval
::request(GET => '/bkt/key', access_key => 'NOBODY')
--- error_code: 403
--- response_body_like chomp
<Code>InvalidAccessKeyId</Code>.*<AWSAccessKeyId>NOBODY</AWSAccessKeyId>



=== TEST 30: a wrong secret
--- raw_request eval
::request(GET => '/bkt/key', secret => 'wrong')
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 31: the secret of another user
--- raw_request eval
::request(GET => '/bkt/key', secret => 'bob-secret')
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 32: main's credentials, when Chorus has users of its own
--- raw_request eval
::request(GET => '/bkt/key', access_key => 'MAIN-ALICE',
    secret => 'main-alice-secret')
--- error_code: 403
--- response_body_like: <Code>InvalidAccessKeyId</Code>



=== TEST 33: another path than the signed one
--- raw_request eval
::request(GET => '/bkt/key', sent_target => '/bkt/secret')
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 34: a slash in the place of one that was escaped twice
--- raw_request eval
::request(GET => '/bkt/a%252Fb', sent_target => '/bkt/a%2Fb')
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 35: another query than the signed one
--- raw_request eval
::request(GET => '/bkt/key?acl', sent_target => '/bkt/key?tagging')
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 36: another method than the signed one
--- raw_request eval
::request(GET => '/bkt/key', sent_method => 'DELETE')
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 37: another payload line than the signed one
--- raw_request eval
::request(PUT => '/bkt/key', body => 'hello', payload => 'UNSIGNED-PAYLOAD',
    payload_line => ::EMPTY_SHA256())
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 38: a second value behind a signed header
--- raw_request eval
::request(PUT => '/bkt/key', body => '', headers => ['X-Amz-Meta-A' => '1'],
    after => ['X-Amz-Meta-A' => '2'])
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 39: an x-amz-* header that is not signed
--- raw_request eval
::request(PUT => '/bkt/key', body => '', unsigned => ['x-amz-acl'],
    headers => ['X-Amz-Acl' => 'public-read'])
--- error_code: 403
--- response_body_like chomp
<Code>AccessDenied</Code>.*<HeadersNotSigned>X-Amz-Acl</HeadersNotSigned>



=== TEST 40: an x-amz-* header in disguise, which Ceph would take for one
--- raw_request eval
::request(PUT => '/bkt/key', body => '', after => ['X_Amz_Acl' => 'public-read'])
--- error_code: 403
--- response_body_like chomp
<Code>AccessDenied</Code>.*<HeadersNotSigned>X_Amz_Acl</HeadersNotSigned>



=== TEST 41: an x-amz-* header in disguise is no better when it is signed
--- raw_request eval
::request(PUT => '/bkt/key', body => '', headers => ['x-amz_acl' => 'private'])
--- error_code: 403
--- response_body_like chomp
<HeadersNotSigned>x-amz_acl</HeadersNotSigned>



=== TEST 42: all x-amz-* headers that are not signed
--- raw_request eval
::request(PUT => '/bkt/key', body => '',
    after => ['x-amz-tagging' => 'a=b', 'x-amz-meta-c' => 'd'])
--- error_code: 403
--- response_body_like chomp
<HeadersNotSigned>x-amz-tagging, x-amz-meta-c</HeadersNotSigned>



=== TEST 43: an x-amz-date that is not signed
--- raw_request eval
::request(GET => '/bkt/key', unsigned => ['x-amz-date'])
--- error_code: 403
--- response_body_like: <HeadersNotSigned>X-Amz-Date</HeadersNotSigned>



=== TEST 44: a Host that is not signed
--- raw_request eval
::request(GET => '/bkt/key', unsigned => ['host'])
--- error_code: 403
--- response_body_like: <HeadersNotSigned>host</HeadersNotSigned>



=== TEST 45: a clock that is slow by more than 15 minutes
--- raw_request eval
::request(GET => '/bkt/key', offset => -1000)
--- error_code: 403
--- response_body_like: <Code>RequestTimeTooSkewed</Code>



=== TEST 46: a clock that is fast by more than 15 minutes
--- raw_request eval
::request(GET => '/bkt/key', offset => 5000)
--- error_code: 403
--- response_body_like: <Code>RequestTimeTooSkewed</Code>



=== TEST 47: a Date that is too old
--- raw_request eval
::request(GET => '/bkt/key', date => 'date', offset => -1000)
--- error_code: 403
--- response_body_like: <Code>RequestTimeTooSkewed</Code>



=== TEST 48: no date at all
--- raw_request eval
::request(GET => '/bkt/key', date => 'none')
--- error_code: 403
--- response_body_like: <Code>AccessDenied</Code>.*valid Date or x-amz-date



=== TEST 49: a date that is none
--- raw_request eval
::request(GET => '/bkt/key', date_value => 'yesterday')
--- error_code: 403
--- response_body_like: <Code>AccessDenied</Code>.*valid Date or x-amz-date



=== TEST 50: a date that does not exist
--- raw_request eval
::request(GET => '/bkt/key', date_value => '20260230T000000Z')
--- error_code: 403
--- response_body_like: <Code>AccessDenied</Code>.*valid Date or x-amz-date



=== TEST 51: a scope of another day than the date
--- raw_request eval
::request(GET => '/bkt/key', day => '20200101')
--- error_code: 400
--- response_body_like: <Code>AuthorizationHeaderMalformed</Code>.*date



=== TEST 52: another service
--- raw_request eval
::request(GET => '/bkt/key', service => 'sts')
--- error_code: 400
--- response_body_like: <Code>AuthorizationHeaderMalformed</Code>.*service



=== TEST 53: another terminator
--- raw_request eval
::request(GET => '/bkt/key', terminator => 'aws5_request')
--- error_code: 400
--- response_body_like: <Code>AuthorizationHeaderMalformed</Code>.*terminal



=== TEST 54: another region, and the right one is told
--- raw_request eval
::request(GET => '/bkt/key', region => 'eu-1')
--- error_code: 400
--- response_body_like chomp
<Code>AuthorizationHeaderMalformed</Code>.*<Region>us-east-1</Region>



=== TEST 55: any region, where chorus.json says so
--- http_config eval: $::AnyRegion
--- config eval: ::server_config() . "# any region\n"
--- raw_request eval
::request(GET => '/bkt/key', region => 'mars-north-7')
--- response_body_like: /us-east-1/s3/aws4_request



=== TEST 56: a wrong secret, where any region will do
--- http_config eval: $::AnyRegion
--- config eval: ::server_config() . "# any region\n"
--- raw_request eval
::request(GET => '/bkt/key', region => 'mars-north-7', secret => 'wrong')
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 57: main's credentials, when Chorus has no users of its own
--- http_config eval: $::MainsUsers
--- config eval: ::server_config() . "# main's users\n"
--- raw_request eval
::request(GET => '/bkt/key', access_key => 'MAIN-ALICE',
    secret => 'main-alice-secret')
--- response_body_like: Credential=MAIN-ALICE/



=== TEST 58: an empty Authorization
--- raw_request eval
::request(GET => '/bkt/key', authorization => sub { '' })
--- error_code: 400
--- response_body_like: <Code>InvalidArgument</Code>



=== TEST 59: Basic authentication, which is not repeated in the answer
--- raw_request eval
::request(GET => '/bkt/key', authorization => sub { 'Basic aHVudGVyMg==' })
--- error_code: 400
--- response_body_like chomp
<Code>InvalidArgument</Code>((?!aHVudGVyMg).)*</Error>$



=== TEST 60: Signature Version 2
--- raw_request eval
::request(GET => '/bkt/key', authorization => sub {
    'AWS CHORUS-KEY:frJIUN8DYpKDtOLCwo//yllqDzg='
})
--- error_code: 400
--- response_body_like: <Code>InvalidRequest</Code>.*AWS4-HMAC-SHA256



=== TEST 61: Signature Version 4A
--- raw_request eval
::request(GET => '/bkt/key', algorithm => 'AWS4-ECDSA-P256-SHA256')
--- error_code: 501
--- response_body_like: <Code>NotImplemented</Code>



=== TEST 62: another algorithm
--- raw_request eval
::request(GET => '/bkt/key', algorithm => 'AWS4-HMAC-SHA1')
--- error_code: 400
--- response_body_like: <Code>AuthorizationHeaderMalformed</Code>



=== TEST 63: malformed: nothing behind the algorithm
--- raw_request eval
::request(GET => '/bkt/key', authorization => sub { 'AWS4-HMAC-SHA256' })
--- error_code: 400
--- response_body_like: <Code>AuthorizationHeaderMalformed</Code>



=== TEST 64: malformed: no Credential
--- raw_request eval
::request(GET => '/bkt/key',
    authorization => sub { $_[0] =~ s/Credential=\S+ //r })
--- error_code: 400
--- response_body_like: <Code>AuthorizationHeaderMalformed</Code>



=== TEST 65: malformed: no SignedHeaders
--- raw_request eval
::request(GET => '/bkt/key',
    authorization => sub { $_[0] =~ s/SignedHeaders=\S+ //r })
--- error_code: 400
--- response_body_like: <Code>AuthorizationHeaderMalformed</Code>



=== TEST 66: malformed: no Signature
--- raw_request eval
::request(GET => '/bkt/key',
    authorization => sub { $_[0] =~ s/, Signature=.*//r })
--- error_code: 400
--- response_body_like: <Code>AuthorizationHeaderMalformed</Code>



=== TEST 67: malformed: two Credentials
--- raw_request eval
::request(GET => '/bkt/key',
    authorization => sub { $_[0] =~ s/(Credential=\S+ )/$1$1/r })
--- error_code: 400
--- response_body_like: <Code>AuthorizationHeaderMalformed</Code>



=== TEST 68: malformed: two Signatures
--- raw_request eval
::request(GET => '/bkt/key',
    authorization => sub { $_[0] =~ s/(, Signature=.*)/$1$1/r })
--- error_code: 400
--- response_body_like: <Code>AuthorizationHeaderMalformed</Code>



=== TEST 69: malformed: an unknown component
--- raw_request eval
::request(GET => '/bkt/key', authorization => sub { "$_[0], Region=here" })
--- error_code: 400
--- response_body_like: <Code>AuthorizationHeaderMalformed</Code>



=== TEST 70: malformed: a comma at the end
--- raw_request eval
::request(GET => '/bkt/key', authorization => sub { "$_[0]," })
--- error_code: 400
--- response_body_like: <Code>AuthorizationHeaderMalformed</Code>



=== TEST 71: malformed: no commas
--- raw_request eval
::request(GET => '/bkt/key', authorization => sub { $_[0] =~ s/,//gr })
--- error_code: 400
--- response_body_like: <Code>AuthorizationHeaderMalformed</Code>



=== TEST 72: malformed: a Credential without an access key
--- raw_request eval
::request(GET => '/bkt/key', access_key => '')
--- error_code: 400
--- response_body_like: <Code>AuthorizationHeaderMalformed</Code>



=== TEST 73: malformed: a Credential without a region
--- raw_request eval
::request(GET => '/bkt/key',
    authorization => sub { $_[0] =~ s{us-east-1/}{}r })
--- error_code: 400
--- response_body_like: <Code>AuthorizationHeaderMalformed</Code>



=== TEST 74: malformed: a day that is none
--- raw_request eval
::request(GET => '/bkt/key', day => '2026112')
--- error_code: 400
--- response_body_like: <Code>AuthorizationHeaderMalformed</Code>.*yyyyMMdd



=== TEST 75: malformed: a Signature that is too short
--- raw_request eval
::request(GET => '/bkt/key', authorization => sub { substr $_[0], 0, -1 })
--- error_code: 400
--- response_body_like: <Code>AuthorizationHeaderMalformed</Code>



=== TEST 76: malformed: a Signature in upper case
--- raw_request eval
::request(GET => '/bkt/key',
    authorization => sub { $_[0] =~ s/(Signature=)(.*)/$1\U$2/r })
--- error_code: 400
--- response_body_like: <Code>AuthorizationHeaderMalformed</Code>



=== TEST 77: malformed: SignedHeaders in upper case
--- raw_request eval
::request(GET => '/bkt/key',
    authorization => sub { $_[0] =~ s/SignedHeaders=host/SignedHeaders=Host/r })
--- error_code: 400
--- response_body_like: <Code>AuthorizationHeaderMalformed</Code>



=== TEST 78: malformed: an empty name in SignedHeaders
--- raw_request eval
::request(GET => '/bkt/key',
    authorization => sub { $_[0] =~ s/host;/host;;/r })
--- error_code: 400
--- response_body_like: <Code>AuthorizationHeaderMalformed</Code>



=== TEST 79: malformed: more than 8 KiB
--- raw_request eval
::request(GET => '/bkt/key', authorization => sub { $_[0] . ' ' . 'x' x 9000 })
--- error_code: 400
--- response_body_like: <Code>AuthorizationHeaderMalformed</Code>.*too long



=== TEST 80: two Authorizations are refused by nginx itself
--- raw_request eval
::request(GET => '/bkt/key', after => [Authorization => 'AWS4-HMAC-SHA256'])
--- error_code: 400
--- response_headers
Content-Type: application/xml



=== TEST 81: an x-amz-date comes twice
--- raw_request eval
::request(GET => '/bkt/key',
    headers => ['X-Amz-Date' => ::amz_date(time)])
--- error_code: 400
--- response_body_like: <Code>InvalidRequest</Code>



=== TEST 82: an x-amz-content-sha256 comes twice
--- raw_request eval
::request(GET => '/bkt/key',
    headers => ['X-Amz-Content-Sha256' => 'UNSIGNED-PAYLOAD'])
--- error_code: 400
--- response_body_like: <Code>InvalidRequest</Code>



=== TEST 83: no x-amz-content-sha256
--- raw_request eval
::request(GET => '/bkt/key', payload => undef)
--- error_code: 400
--- response_body_like: <Code>InvalidRequest</Code>.*x-amz-content-sha256



=== TEST 84: an x-amz-content-sha256 that is no digest
--- raw_request eval
::request(GET => '/bkt/key', payload => 'nonsense')
--- error_code: 400
--- response_body_like chomp
<Code>InvalidArgument</Code>.*<ArgumentName>x-amz-content-sha256<



=== TEST 85: an x-amz-content-sha256 in upper case
--- raw_request eval
::request(GET => '/bkt/key', payload => uc ::EMPTY_SHA256())
--- error_code: 400
--- response_body_like: <Code>InvalidArgument</Code>



=== TEST 86: half a presigned URL
--- raw_request eval
::request(GET => '/bkt/key?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0',
    authorization => sub { undef }, payload => undef, date => 'none')
--- error_code: 400
--- response_body_like: <Code>AuthorizationQueryParametersError</Code>



=== TEST 87: a presigned URL, its names in escapes
--- raw_request eval
::request(GET => '/bkt/key?X-Amz-Signatur%65=0',
    authorization => sub { undef }, payload => undef, date => 'none')
--- error_code: 400
--- response_body_like: <Code>AuthorizationQueryParametersError</Code>



=== TEST 88: credentials in the query and in the header
--- raw_request eval
::request(GET => '/bkt/key?X-Amz-Credential=CHORUS-KEY')
--- error_code: 400
--- response_body_like: <Code>InvalidArgument</Code>.*Only one auth mechanism



=== TEST 89: aws-chunked, signed chunks, without the length of the content
--- raw_request eval
::request(PUT => '/bkt/key', body => "0\r\n\r\n",
    payload => 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD')
--- error_code: 411
--- response_body_like: <Code>MissingContentLength</Code>.*decoded



=== TEST 90: aws-chunked, signed chunks and a trailer, without the length
--- raw_request eval
::request(PUT => '/bkt/key', body => "0\r\n\r\n",
    payload => 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER')
--- error_code: 411
--- response_body_like: <Code>MissingContentLength</Code>.*decoded



=== TEST 91: aws-chunked, an unsigned trailer, without the length
--- raw_request eval
::request(PUT => '/bkt/key', body => "0\r\n\r\n",
    payload => 'STREAMING-UNSIGNED-PAYLOAD-TRAILER')
--- error_code: 411
--- response_body_like: <Code>MissingContentLength</Code>.*decoded



=== TEST 92: aws-chunked of Signature Version 4A
--- raw_request eval
::request(PUT => '/bkt/key', body => "0\r\n\r\n",
    payload => 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD')
--- error_code: 501
--- response_body_like: <Code>NotImplemented</Code>



=== TEST 93: aws-chunked with a wrong secret is refused as that
--- raw_request eval
::request(PUT => '/bkt/key', body => "0\r\n\r\n", secret => 'wrong',
    payload => 'STREAMING-UNSIGNED-PAYLOAD-TRAILER')
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 94: a STREAMING- literal that does not exist
--- raw_request eval
::request(PUT => '/bkt/key', body => '', payload => 'STREAMING-NONSENSE')
--- error_code: 400
--- response_body_like: <Code>InvalidArgument</Code>



=== TEST 95: a refused HEAD has no body
--- raw_request eval
::request(HEAD => '/bkt/key', secret => 'wrong')
--- error_code: 403
--- response_body:



=== TEST 96: who waits for 100 Continue is refused without it
--- config eval: ::server_config() . "lingering_timeout 100ms;\n"
--- raw_request eval
::request(PUT => '/bkt/key', secret => 'wrong', headers => [
    Expect => '100-continue', 'Content-Length' => 100000 ])
--- error_code: 403
--- raw_response_headers_unlike: 100 Continue
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 97: the body of a refused PUT is read and forgotten
--- raw_request eval
::request(PUT => '/bkt/key', secret => 'wrong', body => 'x' x 100000)
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 98: no signature and no secret is in the error log
--- raw_request eval
::request(GET => '/bkt/key', secret => 'wrong')
--- log_level: info
--- config eval: ::server_config() . "# log level info\n"
--- error_code: 403
--- error_log
chorus: refused 403 SignatureDoesNotMatch: path "/bkt/key" access key "CHORUS-KEY"
--- no_error_log eval
[qr/chorus-secret/, qr/Signature=/, qr/\[crit\]/]
