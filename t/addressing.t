# Buckets and keys in the URI: what passes reaches the storage byte by byte,
# what nginx and a storage could read as two different buckets is refused.

BEGIN {
    push @INC, 't/lib';
    $ENV{TEST_NGINX_FORCE_RESTART_ON_TEST} = 0;
}

use Test::Nginx::Socket;
use Chorus::Fixture;
use Chorus::Sign qw(request);
use Chorus::Storage;

no_root_location();

plan tests => repeat_each() * (blocks() * 2 - 3);

our $HttpConfig = http_config();

Chorus::Storage->start('main');

# The line of the request as the storage must see it.
sub line {
    my ($target) = @_;

    return '^' . quotemeta("GET $target HTTP/1.1\r\n");
}

add_block_preprocessor(sub {
    my $block = shift;

    $block->set_value(config => server_config());
    $block->set_value(http_config => $HttpConfig);
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
