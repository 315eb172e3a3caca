# Buckets and keys in the URI, or buckets in the name of the host: what passes
# reaches the storage byte by byte, in path style; what nginx and a storage
# could read as two different buckets is refused.

BEGIN {
    push @INC, 't/lib';
    $ENV{TEST_NGINX_FORCE_RESTART_ON_TEST} = 0;
}

use Test::Nginx::Socket;
use Chorus::Fixture;
use Chorus::Sign qw(presign request);
use Chorus::Sign::V2 qw(presign_v2 request_v2);
use Chorus::Storage;

no_root_location();

plan tests => repeat_each() * (blocks() * 2 + 1);

our $HttpConfig = http_config()
    . "chorus_domain s3.example.com EU.S3.example.com storage.test;\n";

Chorus::Storage->start('main', 'archive');

our $Buckets = server_config(proxy_location('/'),
    proxy_location('/photos/', 'chorus_route archive;'),
    proxy_location('/a.b.c/', 'chorus_route archive;'));

our $V2 = server_config(proxy_location('/', 'chorus_auth_v2 on;'));

# To that host; more knobs as Chorus::Sign has them.
sub at {
    my ($host, $method, $target, @more) = @_;

    return request($method => $target, host => $host, @more);
}

# The line of the request as the storage must see it.
sub line {
    my ($target) = @_;

    return '^' . quotemeta("GET $target HTTP/1.1\r\n");
}

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value(http_config => $HttpConfig);
    $block->set_value(config => $Buckets) unless defined $block->config;
    $block->set_value(suppress_stderr => '') if defined $block->must_die;
});

run_tests();

__DATA__

=== TEST 1: a key
--- raw_request eval: ::request(GET => '/bkt/key')
--- response_body_like eval: ::line('/bkt/key')



=== TEST 2: the service
--- raw_request eval: ::request(GET => '/')
--- response_body_like eval: ::line('/')



=== TEST 3: the service with a query
--- raw_request eval: ::request(GET => '/?max-buckets=1')
--- response_body_like eval: ::line('/?max-buckets=1')



=== TEST 4: a bucket
--- raw_request eval: ::request(GET => '/bkt')
--- response_body_like eval: ::line('/bkt')



=== TEST 5: a bucket with a slash
--- raw_request eval: ::request(GET => '/bkt/')
--- response_body_like eval: ::line('/bkt/')



=== TEST 6: a bucket with a query
--- raw_request eval: ::request(GET => '/bkt?location')
--- response_body_like eval: ::line('/bkt?location')



=== TEST 7: an empty query
--- raw_request eval: ::request(GET => '/bkt/key?')
--- response_body_like eval: ::line('/bkt/key?')



=== TEST 8: a key that ends in a slash
--- raw_request eval: ::request(GET => '/bkt/folder/')
--- response_body_like eval: ::line('/bkt/folder/')



=== TEST 9: a key that begins with a slash
--- raw_request eval: ::request(GET => '/bkt//key')
--- response_body_like eval: ::line('/bkt//key')



=== TEST 10: slashes in a row
--- raw_request eval: ::request(GET => '/bkt/a///b//')
--- response_body_like eval: ::line('/bkt/a///b//')



=== TEST 11: an escaped slash, in either case
--- raw_request eval: ::request(GET => '/bkt/a%2Fb%2fc')
--- response_body_like eval: ::line('/bkt/a%2Fb%2fc')



=== TEST 12: a plus is a plus
--- raw_request eval: ::request(GET => '/bkt/a+b%2Bc%20d')
--- response_body_like eval: ::line('/bkt/a+b%2Bc%20d')



=== TEST 13: dots inside of a key
--- raw_request eval: ::request(GET => '/bkt/a/../b/./c')
--- response_body_like eval: ::line('/bkt/a/../b/./c')



=== TEST 14: escaped dots inside of a key
--- raw_request eval: ::request(GET => '/bkt/a/%2e%2E/b')
--- response_body_like eval: ::line('/bkt/a/%2e%2E/b')



=== TEST 15: names that begin with dots
--- raw_request eval: ::request(GET => '/bkt/...a/.b/..c')
--- response_body_like eval: ::line('/bkt/...a/.b/..c')



=== TEST 16: unneeded escapes stay
--- raw_request eval: ::request(GET => '/bkt/%6Bey%2D%7e')
--- response_body_like eval: ::line('/bkt/%6Bey%2D%7e')



=== TEST 17: an escape in the name of the bucket
--- raw_request eval: ::request(GET => '/b%6bt/key')
--- response_body_like eval: ::line('/b%6bt/key')



=== TEST 18: an escaped question mark and an escaped hash are of the key
--- raw_request eval: ::request(GET => '/bkt/a%3Fb%23c?d')
--- response_body_like eval: ::line('/bkt/a%3Fb%23c?d')



=== TEST 19: an escaped percent sign
--- raw_request eval: ::request(GET => '/bkt/100%25')
--- response_body_like eval: ::line('/bkt/100%25')



=== TEST 20: blanks at the end of a key
--- raw_request eval: ::request(GET => '/bkt/key%20%20')
--- response_body_like eval: ::line('/bkt/key%20%20')



=== TEST 21: characters that other software escapes
--- raw_request eval: ::request(GET => q{/bkt/a:b@c!d$e&f'g(h)*i;j,k=l~m})
--- response_body_like eval: ::line(q{/bkt/a:b@c!d$e&f'g(h)*i;j,k=l~m})



=== TEST 22: characters that ought to be escaped
--- raw_request eval: ::request(GET => q{/bkt/a"b<c>d\e^f`g{h|i}j[k]})
--- response_body_like eval: ::line(q{/bkt/a"b<c>d\e^f`g{h|i}j[k]})



=== TEST 23: UTF-8, raw and escaped
--- raw_request eval: ::request(GET => "/bkt/\xc3\xa4%C3%B6%c3%bc")
--- response_body_like eval: ::line("/bkt/\xc3\xa4%C3%B6%c3%bc")



=== TEST 24: bytes that are no UTF-8
--- raw_request eval: ::request(GET => '/bkt/%FF%80%0A%0D%01')
--- response_body_like eval: ::line('/bkt/%FF%80%0A%0D%01')



=== TEST 25: a key of 1,024 bytes
--- raw_request eval: ::request(GET => '/bkt/' . 'k' x 1024)
--- response_body_like eval: ::line('/bkt/' . 'k' x 1024)



=== TEST 26: a key of 1,024 bytes, each of them escaped
--- raw_request eval: ::request(GET => '/bkt/' . '%E2' x 1024)
--- response_body_like eval: ::line('/bkt/' . '%E2' x 1024)



=== TEST 27: a query with all that listings need
--- raw_request eval
::request(GET => '/bkt?list-type=2&prefix=a%2F%2Bb&delimiter=/&marker=%00x')
--- response_body_like eval
::line('/bkt?list-type=2&prefix=a%2F%2Bb&delimiter=/&marker=%00x')



=== TEST 28: the absolute form of a request
--- raw_request eval
::request(GET => '/bkt/a//b', sent_target => 'http://localhost/bkt/a//b')
--- response_body_like eval: ::line('/bkt/a//b')



=== TEST 29: dots that lead into another bucket
--- raw_request eval: ::request(GET => '/bkt/../other/key')
--- error_code: 400
--- response_body_like: <Code>InvalidURI</Code>



=== TEST 30: escaped dots that lead into another bucket
--- raw_request eval: ::request(GET => '/bkt/%2e%2e/other/key')
--- error_code: 400
--- response_body_like: <Code>InvalidURI</Code>



=== TEST 31: dots that lead out of the bucket
--- raw_request eval: ::request(GET => '/bkt/..')
--- error_code: 400
--- response_body_like: <Code>InvalidURI</Code>



=== TEST 32: dots that lead back into the bucket
--- raw_request eval: ::request(GET => '/bkt/a/../../bkt/key')
--- response_body_like eval: ::line('/bkt/a/../../bkt/key')



=== TEST 33: an escaped slash behind dots
--- raw_request eval: ::request(GET => '/bkt/..%2fother/key')
--- error_code: 400
--- response_body_like: <Code>InvalidURI</Code>



=== TEST 34: an escaped slash in the name of a bucket
--- raw_request eval: ::request(GET => '/bkt%2fkey')
--- error_code: 400
--- response_body_like: <Code>InvalidURI</Code>



=== TEST 35: a bucket without a name
--- raw_request eval: ::request(GET => '//key')
--- error_code: 400
--- response_body_like: <Code>InvalidURI</Code>



=== TEST 36: a dot for a bucket
--- raw_request eval: ::request(GET => '/./bkt/key')
--- error_code: 400
--- response_body_like: <Code>InvalidURI</Code>



=== TEST 37: an escaped dot for a bucket
--- raw_request eval: ::request(GET => '/%2e/bkt/key')
--- error_code: 400
--- response_body_like: <Code>InvalidURI</Code>



=== TEST 38: dots above the root are refused by nginx itself
--- raw_request eval: ::request(GET => '/../bkt/key')
--- error_code: 400



=== TEST 39: a NUL in a key
--- raw_request eval: ::request(GET => '/bkt/a%00b')
--- error_code: 400



=== TEST 40: an escape that is none, in a key
--- raw_request eval: ::request(GET => '/bkt/key', sent_target => '/bkt/a%zz')
--- error_code: 400



=== TEST 41: half an escape at the end of a key
--- raw_request eval: ::request(GET => '/bkt/key', sent_target => '/bkt/a%2')
--- error_code: 400



=== TEST 42: an escape that is none, in a query
--- raw_request eval: ::request(GET => '/bkt?a', sent_target => '/bkt?a=%zz')
--- error_code: 400
--- response_body_like: <Code>InvalidURI</Code>



=== TEST 43: half an escape at the end of a query
--- raw_request eval: ::request(GET => '/bkt?a', sent_target => '/bkt?a=%')
--- error_code: 400
--- response_body_like: <Code>InvalidURI</Code>



=== TEST 44: a fragment
--- raw_request eval: ::request(GET => '/bkt/a#b')
--- error_code: 400
--- response_body_like: <Code>InvalidURI</Code>



=== TEST 45: what cannot stand in XML does not get there
--- raw_request eval
::request(GET => "/bkt/a\xff<b>", secret => 'wrong')
--- error_code: 403
--- response_headers
Content-Type: application/xml
--- response_body_like eval
qr{<Resource>/bkt/a\xef\xbf\xbd&lt;b&gt;</Resource>}



=== TEST 46: the bucket in the name of the host
--- raw_request eval: ::at('bkt.s3.example.com', GET => '/key')
--- response_body_like eval: ::line('/bkt/key')



=== TEST 47: the bucket itself
--- raw_request eval: ::at('bkt.s3.example.com', GET => '/')
--- response_body_like eval: ::line('/bkt/')



=== TEST 48: the bucket itself with a query
--- raw_request eval
::at('bkt.s3.example.com', GET => '/?list-type=2&prefix=a%2F')
--- response_body_like eval: ::line('/bkt/?list-type=2&prefix=a%2F')



=== TEST 49: a host with a port
--- raw_request eval: ::at('bkt.s3.example.com:9669', GET => '/key')
--- response_body_like eval: ::line('/bkt/key')



=== TEST 50: a host in capital letters
--- raw_request eval: ::at('Bkt.S3.Example.COM', GET => '/key')
--- response_body_like eval: ::line('/bkt/key')



=== TEST 51: a host with a dot at its end
--- raw_request eval: ::at('bkt.s3.example.com.:9669', GET => '/key')
--- response_body_like eval: ::line('/bkt/key')



=== TEST 52: a bucket with dots and hyphens
--- raw_request eval: ::at('my-bucket.v1.2.s3.example.com', GET => '/key')
--- response_body_like eval: ::line('/my-bucket.v1.2/key')



=== TEST 53: a name in capital letters in the configuration
--- raw_request eval: ::at('bkt.eu.s3.example.com', GET => '/key')
--- response_body_like eval: ::line('/bkt/key')



=== TEST 54: the longest name counts
--- raw_request eval: ::at('eu.s3.example.com', GET => '/bkt/key')
--- response_body_like eval: ::line('/bkt/key')



=== TEST 55: another name
--- raw_request eval: ::at('bkt.storage.test', GET => '/key')
--- response_body_like eval: ::line('/bkt/key')



=== TEST 56: the name alone is path style
--- raw_request eval: ::at('s3.example.com', GET => '/bkt/key')
--- response_body_like eval: ::line('/bkt/key')



=== TEST 57: the name alone, with a port
--- raw_request eval: ::at('s3.example.com:80', GET => '/')
--- response_body_like eval: ::line('/')



=== TEST 58: any other name is path style
--- raw_request eval: ::at('bkt.s3.example.org', GET => '/key')
--- response_body_like eval: ::line('/key')



=== TEST 59: a name that only ends alike is path style
--- raw_request eval: ::at('bkts3.example.com', GET => '/key')
--- response_body_like eval: ::line('/key')



=== TEST 60: an address is path style
--- raw_request eval: ::at('127.0.0.1:80', GET => '/bkt/key')
--- response_body_like eval: ::line('/bkt/key')



=== TEST 61: an IPv6 address is path style
--- raw_request eval: ::at('[::1]:80', GET => '/bkt/key')
--- response_body_like eval: ::line('/bkt/key')



=== TEST 62: a key that begins with a slash
--- raw_request eval: ::at('bkt.s3.example.com', GET => '//key')
--- response_body_like eval: ::line('/bkt//key')



=== TEST 63: dots inside of a key of a host's bucket
--- raw_request eval: ::at('bkt.s3.example.com', GET => '/a/../b/./c')
--- response_body_like eval: ::line('/bkt/a/../b/./c')



=== TEST 64: a key that looks like the bucket
--- raw_request eval: ::at('bkt.s3.example.com', GET => '/bkt/key')
--- response_body_like eval: ::line('/bkt/bkt/key')



=== TEST 65: bytes that no one touches
--- raw_request eval
::at('bkt.s3.example.com', GET => '/a%2Fb+c%20%25%E2%82%ac%0A~%7e')
--- response_body_like eval: ::line('/bkt/a%2Fb+c%20%25%E2%82%ac%0A~%7e')



=== TEST 66: the location of the bucket
--- raw_request eval: ::at('photos.s3.example.com', GET => '/key')
--- response_headers
X-Storage: archive
--- response_body_like eval: ::line('/photos/key')



=== TEST 67: the location of the bucket, for the bucket
--- raw_request eval: ::at('photos.s3.example.com', GET => '/?acl')
--- response_headers
X-Storage: archive
--- response_body_like eval: ::line('/photos/?acl')



=== TEST 68: the location of a bucket with dots
--- raw_request eval: ::at('a.b.c.s3.example.com', GET => '/')
--- response_headers
X-Storage: archive
--- response_body_like eval: ::line('/a.b.c/')



=== TEST 69: a key does not choose the location
--- raw_request eval: ::at('bkt.s3.example.com', GET => '/photos/key')
--- response_headers
X-Storage: main
--- response_body_like eval: ::line('/bkt/photos/key')



=== TEST 70: the storage is asked under its own name
--- raw_request eval: ::at('bkt.s3.example.com', GET => '/key')
--- response_body_like: Host: main.test:9001\r\n



=== TEST 71: the absolute form names the bucket, too
--- raw_request eval
::at('bkt.s3.example.com', GET => '/a//b',
    sent_target => 'http://bkt.s3.example.com/a//b')
--- response_body_like eval: ::line('/bkt/a//b')



=== TEST 72: the absolute form without a path
--- raw_request eval
::at('bkt.s3.example.com', GET => '/?acl',
    sent_target => 'http://bkt.s3.example.com?acl')
--- response_body_like eval: ::line('/bkt?acl')



=== TEST 73: the absolute form names another bucket than was signed
--- raw_request eval
::at('bkt.s3.example.com', GET => '/key',
    sent_target => 'http://other.s3.example.com/key')
--- error_code: 400
--- response_body_like: <Code>InvalidURI</Code>



=== TEST 74: the absolute form names a longer host than was signed
--- raw_request eval
::at('bkt.s3', GET => '/key',
    sent_target => 'http://bkt.s3.example.com/key')
--- error_code: 400
--- response_body_like: <Code>InvalidURI</Code>



=== TEST 75: HTTP/1.0 without a Host has signed none
--- raw_request eval
::at(undef, GET => '/bkt/key') =~ s{HTTP/1.1}{HTTP/1.0}r
--- error_code: 403
--- response_body_like: <Code>AccessDenied</Code>



=== TEST 76: a host that was not signed
--- raw_request eval
::at('bkt.s3.example.com', GET => '/key', unsigned => ['host'])
--- error_code: 403
--- response_body_like: <Code>AccessDenied</Code>



=== TEST 77: a host that was signed as another bucket
--- raw_request eval
::at('bkt.s3.example.com', GET => '/key')
    =~ s/Host: bkt/Host: bob/r
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 78: the signature is over what was sent, not over the path style
--- raw_request eval
::at('bkt.s3.example.com', GET => '/bkt/key',
    sent_target => '/key')
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 79: the error names bucket and key
--- raw_request eval
::at('bkt.s3.example.com', GET => '/key', secret => 'wrong')
--- error_code: 403
--- response_body_like: <Resource>/bkt/key</Resource>



=== TEST 80: a host with an escape is no bucket
--- raw_request eval: ::at('b%6bt.s3.example.com', GET => '/key')
--- error_code: 400
--- response_body_like: <Code>InvalidBucketName</Code>



=== TEST 81: a host with a tenant is no bucket
--- raw_request eval: ::at('a@bkt.s3.example.com', GET => '/key')
--- error_code: 400
--- response_body_like: <Code>InvalidBucketName</Code>



=== TEST 82: a host with a question mark is no bucket
--- raw_request eval: ::at('bkt?x.s3.example.com', GET => '/key')
--- error_code: 400
--- response_body_like: <Code>InvalidBucketName</Code>



=== TEST 83: a host that begins with a dot names no bucket
--- raw_request eval: ::at('.s3.example.com', GET => '/bkt/key')
--- response_body_like eval: ::line('/bkt/key')



=== TEST 84: dots that lead out of the bucket of a host
--- raw_request eval: ::at('bkt.s3.example.com', GET => '/../other/key')
--- error_code: 400
--- response_body_like: <Code>BadRequest</Code>



=== TEST 85: escaped dots that lead out of the bucket of a host
--- raw_request eval
::at('bkt.s3.example.com', GET => '/a/%2e%2e/%2E./other/key')
--- error_code: 400
--- response_body_like: <Code>BadRequest</Code>



=== TEST 86: a path of another interface of the storage
--- raw_request eval: ::at('admin.s3.example.com', GET => '/user')
--- error_code: 400
--- response_body_like: <Code>InvalidBucketName</Code>



=== TEST 87: a server has names of its own
--- config eval
"chorus_domain other.test;\n$::Buckets"
--- raw_request eval: ::at('bkt.other.test', GET => '/key')
--- response_body_like eval: ::line('/bkt/key')



=== TEST 88: which stand instead of those of all servers
--- config eval
"chorus_domain other.test;\n$::Buckets"
--- raw_request eval: ::at('bkt.s3.example.com', GET => '/key')
--- response_body_like eval: ::line('/key')



=== TEST 89: an internal redirect keeps its URI
--- config eval
"$::Buckets location /moved/ { error_page 418 /static; return 418; }"
    . 'location = /static { return 200 "static $uri"; }'
--- raw_request eval: ::at('moved.s3.example.com', GET => '/key')
--- error_code: 418
--- response_body: static /static



=== TEST 90: chorus_domain with a wildcard
--- config
chorus_domain *.s3.example.com;
--- must_die
--- error_log
chorus_domain "*.s3.example.com" has a wildcard



=== TEST 91: chorus_domain with a port
--- config
chorus_domain s3.example.com:80;
--- must_die
--- error_log
chorus_domain "s3.example.com:80" has a port



=== TEST 92: chorus_domain with a name twice
--- config
chorus_domain a.test b.test A.test;
--- must_die
--- error_log
chorus_domain "a.test" is named twice



=== TEST 93: chorus_domain with an address
--- config
chorus_domain 10.0.0.1;
--- must_die
--- error_log
chorus_domain "10.0.0.1" is not the name of a host



=== TEST 94: chorus_domain with a URL
--- config
chorus_domain http//a.test;
--- must_die
--- error_log
chorus_domain "http//a.test" is not the name of a host



=== TEST 95: chorus_domain with a dot at the end
--- config
chorus_domain a.test.;
--- must_die
--- error_log
chorus_domain "a.test." is not the name of a host



=== TEST 96: chorus_domain with an empty label
--- config
chorus_domain a..test;
--- must_die
--- error_log
chorus_domain "a..test" is not the name of a host



=== TEST 97: chorus_domain with an empty name
--- config
chorus_domain "";
--- must_die
--- error_log
chorus_domain "" is not the name of a host



=== TEST 98: chorus_domain with a label that begins with a hyphen
--- config
chorus_domain -a.test;
--- must_die
--- error_log
chorus_domain "-a.test" is not the name of a host



=== TEST 99: chorus_domain with no name
--- config
chorus_domain ;
--- must_die
--- error_log
invalid number of arguments in "chorus_domain" directive



=== TEST 100: chorus_domain twice
--- config
chorus_domain a.test;
chorus_domain b.test;
--- must_die
--- error_log
"chorus_domain" directive is duplicate



=== TEST 101: chorus_domain in a location
--- config
location /x/ { chorus_domain a.test; }
--- must_die
--- error_log
"chorus_domain" directive is not allowed here



=== TEST 102: a presigned URL of a host
--- raw_request eval
::presign(GET => '/a//b?versionId=1', host => 'bkt.s3.example.com')
--- response_body_like eval: ::line('/bkt/a//b?versionId=1')



=== TEST 103: a presigned URL of a host, sent to another bucket
--- raw_request eval
::presign(GET => '/key', host => 'bkt.s3.example.com')
    =~ s/Host: bkt/Host: bob/r
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 104: Signature Version 2 of a host
--- config eval: $::V2
--- raw_request eval
::request_v2(GET => '/a//b?acl', host => 'bkt.s3.example.com',
    bucket => 'bkt')
--- response_body_like eval: ::line('/bkt/a//b?acl')



=== TEST 105: Signature Version 2 of a host, sent to another bucket
--- config eval: $::V2
--- raw_request eval
::request_v2(GET => '/a', host => 'bkt.s3.example.com', bucket => 'bkt')
    =~ s/Host: bkt/Host: bob/r
--- error_code: 403
--- response_body_like: <Code>SignatureDoesNotMatch</Code>



=== TEST 106: Signature Version 2 of a host, of its bucket
--- config eval: $::V2
--- raw_request eval
::presign_v2(GET => '/?acl', host => 'bkt.s3.example.com', bucket => 'bkt')
--- response_body_like eval: ::line('/bkt/?acl')
