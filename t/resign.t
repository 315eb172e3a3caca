# What the storage receives: a request signed again with its own credentials,
# for its own region and host, and nothing of the client's signature.

BEGIN {
    push @INC, 't/lib';
    $ENV{TEST_NGINX_FORCE_RESTART_ON_TEST} = 0;
    $ENV{CHORUS_T_SECRET} = 'main-alice-secret';
}

use Test::Nginx::Socket;
use Chorus::Fixture;
use Chorus::Sign qw(amz_date http_date request signature EMPTY_SHA256);
use Chorus::Storage;

no_root_location();

plan tests => repeat_each() * (blocks() * 9 + 5);

our $HttpConfig = http_config();
our $Indirect = http_config('indirect.json');

# the same secrets, from the environment and from a file
my $indirect = chorus_json()
    =~ s/"main-alice-secret"/"\${env:CHORUS_T_SECRET}"/r
    =~ s/"secret_key" : "main-bob-secret"/"secret_key_file": "bob.secret"/r;
write_file("$Folder/indirect.json", $indirect, 0600);
write_file("$Folder/bob.secret", "main-bob-secret\n", 0600);

Chorus::Storage->start;

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value(config => server_config()) unless defined $block->config;
    $block->set_value(http_config => $HttpConfig)
        unless defined $block->http_config;
});

my %region = ('main.test:9001' => 'us-east-1', 'follower.test:9002' => 'eu-1',
    'archive.test' => 'ap-1');

# Each answer is the head of the request as a storage saw it.
add_response_body_check(sub {
    my ($block, $head) = @_;

    my $name = $block->name;
    my ($line, @lines) = split /\r\n/, $head;
    my ($method, $target) = split / /, $line;
    my @headers = map { [/^([^:]+): ?(.*)/s] } @lines;
    my %header = map { lc $_->[0] => $_->[1] } @headers;

    my ($key, $day, $region, $names, $signature) = $header{authorization} =~
        m{^AWS4-HMAC-SHA256\ Credential=([^/]+)/(\d+)/([^/]+)/s3/aws4_request,
          \ SignedHeaders=(\S+),\ Signature=([0-9a-f]{64})$}x;
    my @signed = split /;/, $names // '';
    my %is_signed = map { $_ => 1 } @signed;

    is($region, $region{$header{host}}, "$name - the region of that host");
    is($signature, signature(method => $method, target => $target,
        headers => \@headers, names => \@signed, day => $day // '',
        date => $header{'x-amz-date'}, region => $region // '',
        payload => $header{'x-amz-content-sha256'},
        secret => lc($key // '') . '-secret'), "$name - the signature");
    is(join(' ', grep { /^(?:host|x-amz-.*)$/ && !$is_signed{$_} }
        sort keys %header), '', "$name - host and all x-amz-* are signed");
    is(scalar(grep { lc $_->[0] eq 'authorization' } @headers), 1,
        "$name - one Authorization");

    my @near = map { amz_date(time + $_) } -5 .. 1;
    ok(scalar(grep { $_ eq $header{'x-amz-date'} } @near),
        "$name - the date is now");
    unlike($head, qr/CHORUS-KEY|BOB-KEY|^(?:Date|X-Amz-Security-Token):/mi,
        "$name - nothing of the client's signature");
});

run_tests();

__DATA__

=== TEST 1: a GET
--- raw_request eval
::request(GET => '/bkt/key', offset => -120)
--- response_headers
X-Storage: main
--- response_body_like chomp
^GET /bkt/key HTTP/1.1\r
Host: main.test:9001\r
Authorization: AWS4-HMAC-SHA256 Credential=MAIN-ALICE/\d{8}/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=[0-9a-f]{64}\r
X-Amz-Date: \d{8}T\d{6}Z\r
X-Amz-Content-Sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\r
X-Forwarded-For: 127.0.0.1\r
\r
$



=== TEST 2: another user, other credentials
--- raw_request eval
::request(GET => '/bkt/key', access_key => 'BOB-KEY', secret => 'bob-secret')
--- response_headers
X-Storage: main
--- response_body_like: Credential=MAIN-BOB/



=== TEST 3: a storage with another region, host and credentials
--- raw_request eval
::request(GET => '/logs-2026/key')
--- response_headers
X-Storage: archive
--- response_body_like eval
qr{\r\nHost: archive.test\r\n.*Credential=ARCHIVE-ALICE/\d+/ap-1/}s



=== TEST 4: another user on that storage
--- raw_request eval
::request(GET => '/logs-2026/key', access_key => 'BOB-KEY',
    secret => 'bob-secret')
--- response_headers
X-Storage: archive
--- response_body_like: Credential=ARCHIVE-BOB/



=== TEST 5: the digest of the payload and the body stay as they are
--- raw_request eval
::request(PUT => '/bkt/key', body => 'hello')
--- response_headers
X-Body-Length: 5
--- response_body_like eval
qr/X-Amz-Content-Sha256: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\r
.*Content-Length: 5\r/s



=== TEST 6: an unsigned payload stays one
--- raw_request eval
::request(PUT => '/bkt/key', body => 'hello', payload => 'UNSIGNED-PAYLOAD')
--- response_headers
X-Body-Length: 5
--- response_body_like: X-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r



=== TEST 7: a body in chunks
--- raw_request eval
::request(POST => '/bkt/key?uploadId=1', body => "5\r\nhello\r\n0\r\n\r\n",
    payload => 'UNSIGNED-PAYLOAD', headers => ['Transfer-Encoding' => 'chunked'])
--- response_headers
X-Body-Length: 5
--- response_body_like: ^POST /bkt/key\?uploadId=1 HTTP/1.1



=== TEST 8: the client's x-amz-* headers are signed for the storage
--- raw_request eval
::request(PUT => '/bkt/key', body => '', headers => [
    'X-Amz-Meta-Zebra' => 'z', 'x-amz-acl' => 'private',
    'x-amz-tagging' => 'a=b%20c', 'X-Amz-Meta-A' => '  two   blanks ' ])
--- response_headers
X-Storage: main
--- response_body_like chomp
SignedHeaders=host;x-amz-acl;x-amz-content-sha256;x-amz-date;x-amz-meta-a;x-amz-meta-zebra;x-amz-tagging,



=== TEST 9: a header sent twice is sent twice, and signed once
--- raw_request eval
::request(PUT => '/bkt/key', body => '',
    headers => ['X-Amz-Meta-A' => 'one', 'x-amz-meta-a' => 'two'])
--- response_headers
X-Storage: main
--- response_body_like eval
qr/;x-amz-date;x-amz-meta-a, .*X-Amz-Meta-A: one\r\nx-amz-meta-a: two\r/s



=== TEST 10: an empty header, a header in UTF-8
--- raw_request eval
::request(PUT => '/bkt/key', body => '',
    headers => ['x-amz-meta-a' => '', 'x-amz-meta-b' => "\xc3\xa9"])
--- response_headers
X-Storage: main
--- response_body_like eval
qr/x-amz-meta-a: \r\nx-amz-meta-b: \xc3\xa9\r/



=== TEST 11: the session token of the client stays here
--- raw_request eval
::request(GET => '/bkt/key', headers => ['X-Amz-Security-Token' => 'session'])
--- response_headers
X-Storage: main
--- response_body_like: ^((?!session).)*$



=== TEST 12: the Date of the client stays here
--- raw_request eval
::request(GET => '/bkt/key', headers => [Date => ::http_date(time)])
--- response_headers
X-Storage: main
--- response_body_like: X-Amz-Date: \d{8}T\d{6}Z\r



=== TEST 13: a client that signs with Date alone
--- raw_request eval
::request(GET => '/bkt/key', date => 'date')
--- response_headers
X-Storage: main
--- response_body_like: X-Amz-Date: \d{8}T\d{6}Z\r



=== TEST 14: all other headers pass unchanged
--- raw_request eval
::request(PUT => '/bkt/key', body => 'hello', headers => [
    'Content-Type' => 'text/x-y; charset="utf-8"',
    'Content-MD5' => 'XUFAKrxLKna5cZ2REBfFkg==',
    'Content-Encoding' => 'gzip', 'Cache-Control' => 'max-age=5',
    'If-None-Match' => '*', 'User_Agent' => 'a_b' ])
--- response_headers
X-Storage: main
--- response_body_like chomp
Content-Type: text/x-y; charset="utf-8"\r
Content-Encoding: gzip\r
.*Content-MD5: XUFAKrxLKna5cZ2REBfFkg==\r
Cache-Control: max-age=5\r
If-None-Match: \*\r
User_Agent: a_b\r



=== TEST 15: a Range of a GET
--- raw_request eval
::request(GET => '/bkt/key', headers => [Range => 'bytes=0-9',
    'If-Match' => '"etag"', 'Accept-Encoding' => 'identity'])
--- response_headers
X-Storage: main
--- response_body_like chomp
Range: bytes=0-9\r
If-Match: "etag"\r
Accept-Encoding: identity\r



=== TEST 16: nothing of the connection between client and proxy
--- raw_request eval
::request(PUT => '/bkt/key', body => '', unsigned => ['connection'],
    headers => ['Keep-Alive' => '5', TE => 'trailers', Upgrade => 'h2c'])
--- response_headers
X-Storage: main
--- response_body_like: ^((?!Keep-Alive|Connection|Upgrade).)*$



=== TEST 17: a path and a query with odd bytes
--- raw_request eval
::request(PUT => '/bkt//a%2Fb/../c+d%20%7e?tagging&x=%2f&versionId=+',
    body => '')
--- response_headers
X-Storage: main
--- response_body_like eval
'^' . quotemeta 'PUT /bkt//a%2Fb/../c+d%20%7e?tagging&x=%2f&versionId=%2B HTTP/1.1'



=== TEST 18: a copy
--- raw_request eval
::request(PUT => '/bkt/key', headers => ['x-amz-copy-source' => '/bkt/a%2Fb'])
--- response_headers
X-Storage: main
--- response_body_like: x-amz-copy-source: /bkt/a%2Fb\r



=== TEST 19: secrets from the environment
--- http_config eval: $::Indirect
--- config eval: ::server_config() . "# secrets from elsewhere\n"
--- raw_request eval
::request(GET => '/bkt/key')
--- response_headers
X-Storage: main
--- response_body_like: Credential=MAIN-ALICE/



=== TEST 20: secrets from files
--- http_config eval: $::Indirect
--- config eval: ::server_config() . "# secrets from elsewhere\n"
--- raw_request eval
::request(GET => '/bkt/key', access_key => 'BOB-KEY', secret => 'bob-secret')
--- response_headers
X-Storage: main
--- response_body_like: Credential=MAIN-BOB/



=== TEST 21: status and headers of the storage come back
--- raw_request eval
::request(GET => '/bkt/key', headers => ['X-Answer' => '203'])
--- error_code: 203
--- response_headers
X-Storage: main
ETag: "da39a3ee5e6b4b0d3255bfef95601890afd80709"
X-Body-Length: 0
Content-Type: text/plain
! X-Accel-Redirect
--- raw_response_headers_unlike: Server: nginx
--- response_body_like: ^GET /bkt/key HTTP/1.1
