# The signer that the other tests use, held against the examples that AWS
# publishes ("Signature Calculations for the Authorization Header").

use strict;
use warnings;

use Test::More tests => 7;

BEGIN { push @INC, 't/lib' }
use Chorus::Sign qw(amz_date http_date request signature);

my $when = 1369353600;      # 20130524T000000Z

my @examples = (
    ['GetObject', GET => '/test.txt',
        [Range => 'bytes=0-9'], Chorus::Sign::EMPTY_SHA256,
        'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41'],
    ['PutObject', PUT => '/test$file.text',
        [Date => 'Fri, 24 May 2013 00:00:00 GMT',
         'x-amz-storage-class' => 'REDUCED_REDUNDANCY'],
        '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
        '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd'],
    ['a sub-resource', GET => '/?lifecycle',
        [], Chorus::Sign::EMPTY_SHA256,
        'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543'],
    ['a query', GET => '/?max-keys=2&prefix=J',
        [], Chorus::Sign::EMPTY_SHA256,
        '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7'],
);

for (@examples) {
    my ($name, $method, $target, $headers, $payload, $expected) = @$_;

    my $text = request($method, $target, time => $when, headers => $headers,
        host => 'examplebucket.s3.amazonaws.com', payload => $payload,
        access_key => 'AKIAIOSFODNN7EXAMPLE',
        secret => 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY');

    like($text, qr{Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/
        aws4_request,.*Signature=\Q$expected\E\r\n}x, $name);
}

is(amz_date($when), '20130524T000000Z', 'the date of x-amz-date');
is(http_date($when), 'Fri, 24 May 2013 00:00:00 GMT', 'the date of Date');
is(request(GET => '/k', authorization => sub { undef }, payload => undef,
    date => 'none'), "GET /k HTTP/1.1\r\nHost: localhost\r\n"
    . "Connection: close\r\n\r\n", 'a request that is not signed');
