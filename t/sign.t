# The signer that the other tests use, held against the examples that AWS
# publishes, of which the first are from "Signature Calculations for the
# Authorization Header".

use strict;
use warnings;

use Test::More tests => 33;

BEGIN { push @INC, 't/lib' }
use Chorus::Checksum qw(checksum);
use Chorus::Chunked qw(chunked);
use Chorus::Sign qw(amz_date http_date presign presigned_target request
    signature);
use Chorus::Sign::V2 qw(presigned_target_v2 request_v2);

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

my %example = (
    access_key => 'AKIAIOSFODNN7EXAMPLE',
    secret     => 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    time       => $when,
);


# "Authenticating Requests: Using Query Parameters"
like(presigned_target(GET => '/test.txt', %example, expires => 86400,
    host => 'examplebucket.s3.amazonaws.com'),
    qr{^/test\.txt\?X-Amz-Algorithm=AWS4-HMAC-SHA256
    &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3
    %2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400
    &X-Amz-SignedHeaders=host&X-Amz-Signature=
    aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404$}x,
    'a presigned URL');

# of a presigned request only what is asked for changes
{
    my @same = (GET => '/b/k?versionId=1', %example);
    my ($good) = presigned_target(@same) =~ /Signature=(\w+)/;

    like(presigned_target(@same, sent => {'X-Amz-Expires' => 7}),
        qr/X-Amz-Expires=7&.*Signature=$good$/,
        'a parameter changed behind the signature');
    unlike(presigned_target(@same, set => {'X-Amz-Expires' => undef}),
        qr/Expires|Signature=$good/, 'a parameter that is signed as missing');
    like(presigned_target(@same, token => 'a/b', args_after => '&x=y'),
        qr/&X-Amz-Security-Token=a%2Fb&X-Amz-Signature=(?!$good)\w+&x=y$/,
        'a session token, and an argument behind the signature');
    like(presign(@same, after => ['x-amz-acl' => 'private']),
        qr/Signature=$good HTTP.*\r\nx-amz-acl: private\r\n/s,
        'a header behind the signature of a URL');
}


# "Transferring Payload in Multiple Chunks", without and with a trailer
my @upload = (PUT => '/examplebucket/chunkObject.txt', %example,
    host => 's3.amazonaws.com', chunks => ['a' x 65536, 'a' x 1024]);

{
    my $text = chunked(@upload, headers => ['Content-Length' => 66824,
        'x-amz-storage-class' => 'REDUCED_REDUNDANCY']);

    is(join(' ', $text =~ /[Ss]ignature=(\w+)/g), join(' ', qw(
        4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9
        ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648
        0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497
        b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9)),
        'signatures of chunks');
    is(length $text =~ s/^.*?\r\n\r\n//sr, 66824,
        'a chunked body is as long as in the example');
}

{
    my $text = chunked(@upload, form => 'signed-trailer',
        trailer => 'x-amz-checksum-crc32c',
        headers => ['x-amz-storage-class' => 'REDUCED_REDUNDANCY']);

    is(join(' ', $text =~ /[Ss]ignature[=:](\w+)/g), join(' ', qw(
        106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e
        b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2
        1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7
        2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992
        d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435)),
        'signatures of chunks and their trailer');
    like($text, qr/\r\nx-amz-checksum-crc32c:sOO8\/Q==\r\nx-amz-trailer-/,
        'the checksum of a trailer');
}

is(chunked(PUT => '/b/k', %example, form => 'unsigned-trailer',
    chunks => ['abc'], trailer => 'x-amz-checksum-crc32') =~
    s/^.*?\r\n\r\n//sr, "3\r\nabc\r\n0\r\n"
    . "x-amz-checksum-crc32:NSRBwg==\r\n\r\n",
    'chunks without signatures');

is(chunked(PUT => '/b/k', %example, form => 'unsigned-trailer',
    chunks => ['abc'], trailer => undef, transfer => 'chunked',
    transfer_sizes => [1, 2, 9]) =~ s/^.*?\r\n\r\n//sr,
    "1\r\n3\r\n2\r\n\r\n\r\n9\r\nabc\r\n0\r\n\r\r\n1\r\n\n\r\n0\r\n\r\n",
    'chunks within a transfer coding');

{
    my $text = chunked(PUT => '/b/k', %example, form => 'signed-trailer',
        body => 'abcdef', chunk_size => 4, query => 1,
        content_encoding => undef, decoded_length => 7, announced => 'x',
        edit_chunks => sub { @{ $_[0] }[0, 1] = @{ $_[0] }[1, 0];
            $_[0][0]{size} = '02' },
        edit_trailers => sub { pop @{ $_[0] } }, final => '');

    like($text, qr{^PUT\ /b/k\?X-Amz-.*\r\n
        X-Amz-Decoded-Content-Length:\ 7\r\nX-Amz-Trailer:\ x\r\n.*
        \r\n\r\n02;chunk-signature=\w{64}\r\nef\r\n
        4;chunk-signature=\w{64}\r\nabcd\r\n0;chunk-signature=\w{64}\r\n
        x-amz-checksum-crc32:S4457w==\r\n$}sx, 'chunks made wrong');
}

my @checksums = (
    ['crc32',     '123456789', 'y/Q5Jg=='],
    ['crc32c',    '123456789', '4waSgw=='],
    ['crc64nvme', '123456789', 'rosUhgp5mIg='],
    ['crc64nvme', '',          'AAAAAAAAAAA='],
    ['sha1',      '',          '2jmj7l5rSw0yVb/vlWAYkK/YBwk='],
    ['sha256',    '',    '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='],
);

is(checksum($_->[0], $_->[1]), $_->[2], "$_->[0] of '$_->[1]'")
    for @checksums;


# "Signing and authenticating REST requests" and "query string request
# authentication alternative"
my @puppy = ('/photos/puppy.jpg', bucket => 'johnsmith');
my @v2 = (
    ['Object GET', GET => @puppy,
        date_value => 'Tue, 27 Mar 2007 19:36:42 +0000',
        'bWq2s1WEIj+Ydj0vQ697zp+IXMU='],
    ['Object PUT', PUT => @puppy, content_type => 'image/jpeg',
        date_value => 'Tue, 27 Mar 2007 21:15:45 +0000',
        'MyyxeRY7whkBe+bq8fHCL/2kKUg='],
    ['List', GET => '/?prefix=photos&max-keys=50&marker=puppy',
        bucket => 'johnsmith',
        date_value => 'Tue, 27 Mar 2007 19:42:41 +0000',
        'htDYFYduRNen8P9ZfE/s9SuKy0U='],
    ['Fetch', GET => '/?acl', bucket => 'johnsmith',
        date_value => 'Tue, 27 Mar 2007 19:44:46 +0000',
        'c2WLPFtWHVgbEmeEG93a4cG37dM='],
    ['Upload', PUT => '/db-backup.dat.gz',
        bucket => 'static.johnsmith.net',
        date_value => 'Tue, 27 Mar 2007 21:06:08 +0000',
        content_type => 'application/x-download',
        content_md5 => '4gJE4saaMU4BqNR0kLY+lw==',
        headers => ['x-amz-acl' => 'public-read',
            'X-Amz-Meta-ReviewedBy' => 'joe@johnsmith.net',
            'X-Amz-Meta-ReviewedBy' => 'jane@johnsmith.net',
            'X-Amz-Meta-FileChecksum' => '0x02661779',
            'X-Amz-Meta-ChecksumAlgorithm' => 'crc32',
            'Content-Encoding' => 'gzip'],
        'ilyl83RwaSoYIEdixDQcA4OnAnc='],
    ['List all my buckets', GET => '/',
        date_value => 'Wed, 28 Mar 2007 01:29:59 +0000',
        'qGdzdERIC03wnaRNKh6OqZehG9s='],
    ['Unicode keys', GET => '/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re',
        date_value => 'Wed, 28 Mar 2007 01:49:49 +0000',
        'DNEZGsoieTZ92F3bUfSPQcbGmlM='],
);

for (@v2) {
    my ($name, @request) = @$_;
    my $expected = pop @request;

    like(request_v2(@request, %example),
        qr{\r\nAuthorization:\ AWS\ AKIAIOSFODNN7EXAMPLE:\Q$expected\E\r\n}x,
        "version 2, $name");
}

is(presigned_target_v2(GET => @puppy, %example, expires => 1175139620),
    '/photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE'
    . '&Expires=1175139620&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D',
    'version 2, a presigned URL');
