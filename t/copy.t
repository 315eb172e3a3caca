# CopyObject and UploadPartCopy: inside one storage a copy is that storage's
# business; between two storages it is refused; and nobody else can turn an
# upload into a copy.

use strict;
use warnings;

use Test::More;

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sign qw(request signature);
use Chorus::Storage;

my $redis = Chorus::Redis->start;
write_file("$Folder/chorus.json",
    chorus_json(redis => { url => $redis->url }), 0600);
Chorus::Storage->start;

my $nginx = Chorus::Nginx->start(
    http => http_config() . 'chorus_repeat off; chorus_domain s3.test;',
    config => server_config(proxy_location('/'),
        proxy_location('/here/', 'chorus_route archive;')));
wait_for { $nginx->log =~ /Redis is ready/ } or die $nginx->log;

sub copy {
    my ($target, $source, %more) = @_;

    Chorus::Storage->requests;
    $redis->clear;
    return $nginx->exchange(request(PUT => $target, %more, headers =>
        ['x-amz-copy-source' => $source, @{ $more{headers} // [] }]));
}


# ---- inside one storage ----

for (
    ['with a slash in front', '/src/key'],
    ['without', 'src/key'],
    ['of the same bucket', '/bkt/other'],
    ['onto itself', '/bkt/key'],
    ['with an escaped slash in front', '%2Fsrc%2Fkey'],
    ['with everything escaped', '%73%72%63%2f%6b%65%79'],
    ['of a version', '/src/key?versionId=3/L4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY'],
    ['of a key with a question mark', '/src/a%3FversionId=1'],
    ['of a key with slashes and dots', '/src//a/../b/./c/'],
    ['of a key with spaces', '/src/a%20b+c%2Bd'],
    ['of a key in UTF-8', '/src/%E2%82%AC%F0%9F%98%80'],
    ['of a key in raw UTF-8', "/src/\xe2\x82\xac"],
    ['of a key of 1,024 escaped bytes', '/src/' . '%e2' x 1024],
    ['of an access point',
        'arn:aws:s3:us-east-1:123456789012:accesspoint/ap/object/key'],
) {
    my ($name, $source) = @$_;

    for my $style (['/bkt/key', 'localhost'], ['/key', 'bkt.s3.test']) {
        my ($target, $host) = @$style;
        my $reply = copy($target, $source, host => $host);

        is($reply->{status}, 200, "a copy $name, to $host");
        like($reply->{body}, qr{\APUT /bkt/key HTTP/1\.1\r\n}, 'reaches main');
        like($reply->{body}, qr{^x-amz-copy-source: \Q$source\E\r\n}m,
            'as it was sent');
        is_deeply([$redis->marks(1)], ['alice:bkt:follower key 7'],
            'and marks the key that it writes');
    }
}

# with main's credentials, as one that main can verify
{
    my $reply = copy('/bkt/key', '/src/a%20b', headers =>
        ['x-amz-metadata-directive' => 'REPLACE',
            'x-amz-copy-source-if-match' => '"x"', 'x-amz-meta-a' => 'b']);
    my @headers = map { [/^([^:]+): ?(.*?)\r$/] }
        grep { /:/ } split /\n/, $reply->{body};
    my %header = map { lc $_->[0] => $_->[1] } @headers;
    my ($day, $region, $names, $signature) = $header{authorization} =~ m{
        ^AWS4-HMAC-SHA256\ Credential=MAIN-ALICE/(\d+)/([\w-]+)/s3/aws4_request,
        \ ?SignedHeaders=([^,]+),\ ?Signature=(\w+)$}x;
    is($signature, signature(method => 'PUT', target => '/bkt/key',
        headers => \@headers, names => [split /;/, $names],
        payload => $header{'x-amz-content-sha256'},
        date => $header{'x-amz-date'}, day => $day, region => $region,
        secret => 'main-alice-secret'), "the signature is that of main's user");
    for my $header (qw(x-amz-copy-source x-amz-copy-source-if-match
        x-amz-metadata-directive x-amz-meta-a))
    {
        like($names, qr/(?:^|;)\Q$header\E(?:;|$)/, "and covers $header");
    }
}

{
    my $reply = copy('/bkt/key?partNumber=2&uploadId=u', '/src/key',
        headers => ['x-amz-copy-source-range' => 'bytes=0-9']);
    is($reply->{status}, 200, 'a part that is copied');
    like($reply->{body}, qr{\APUT /bkt/key\?partNumber=2&uploadId=u HTTP},
        'reaches main');
    like($reply->{body}, qr{^x-amz-copy-source-range: bytes=0-9\r$}m,
        'with its range');
    is_deeply([$redis->marks], [], 'and changes no key yet');
}

{
    my $reply = copy('/here/key', '/logs-2026/key');
    is($reply->{headers}{'x-storage'}, 'archive',
        'a copy inside of another storage');
    is_deeply([$redis->marks], [], 'concerns no follower of main');
}

# 200 and an error behind it: what main did is for the worker to find out
{
    my $error = "<?xml?>\n<Error><Code>InternalError</Code></Error>";
    write_file("$Folder/late", "HTTP/1.1 200 OK\r\nServer: Ceph\r\n"
        . 'Content-Length: ' . length($error) . "\r\n\r\n$error");
    my $reply = copy('/bkt/key', '/src/key',
        headers => ['X-Answer' => 'file:late']);
    is($reply->{body}, $error, 'an error behind 200 passes');
    is_deeply([$redis->marks(1)], ['alice:bkt:follower key 7'],
        'and the key is marked');
}

is(copy('/bkt/key', '/src/key', headers => ['X-Answer' => '412'])->{status},
    412, 'a condition that does not hold');
is_deeply([$redis->marks], [], 'has changed nothing');


# ---- between storages ----

for (
    ['from another storage', '/bkt/key', '/logs-2026/key'],
    ['to another storage', '/logs-2026/key', '/bkt/key'],
    ['from a bucket with a location', '/bkt/key', '/here/key'],
    ['to a bucket with a location', '/here/key', '/bkt/key'],
    ['from a bucket without a slash', '/bkt/key', 'logs-2026/key'],
    ['from an escaped bucket', '/bkt/key', '%2Flogs%2D2026%2Fkey'],
    ['from an escaped bucket with a location', '/bkt/key', '/%68ere/key'],
    ['from a bucket that Ceph knows by two names', '/bkt/key', ':here/key'],
    ['from one with a tenant', '/bkt/key', '/tenant:logs-2026/key'],
    ['of a version', '/bkt/key', '/here/key?versionId=1'],
    ['of a part', '/bkt/key?partNumber=1&uploadId=u', '/here/key'],
    ['from a host', '/key', '/here/key', 'bkt.s3.test'],
    ['to a host', '/key', '/bkt/key', 'here.s3.test'],
) {
    my ($name, $target, $source, $host) = @$_;

    my $reply = copy($target, $source, host => $host // 'localhost');
    is($reply->{status}, 501, "a copy between storages, $name");
    like($reply->{body}, qr{<Code>NotImplemented</Code>.*different storages},
        'is refused clearly');
    is_deeply([Chorus::Storage->requests], [], 'by itself');
}


# ---- copies that the user did not sign ----

for (
    ['a source that is not signed', body => 'hello',
        headers => ['x-amz-copy-source' => '/bkt/secret'],
        unsigned => ['x-amz-copy-source']],
    ['a source put in later', body => 'hello',
        after => ['x-amz-copy-source' => '/bkt/secret']],
    ['a source put in, in capital letters', body => 'hello',
        after => ['X-AMZ-Copy-Source' => '/bkt/secret']],
    ['a second source put in', headers => ['x-amz-copy-source' => '/bkt/a'],
        after => ['x-amz-copy-source' => '/bkt/secret']],
    ['a range put in', headers => ['x-amz-copy-source' => '/bkt/a'],
        after => ['x-amz-copy-source-range' => 'bytes=0-1']],
    ['a directive put in', headers => ['x-amz-copy-source' => '/bkt/a'],
        after => ['x-amz-metadata-directive' => 'REPLACE']],
) {
    my ($name, @more) = @$_;

    Chorus::Storage->requests;
    my $reply = $nginx->exchange(request(PUT => '/bkt/key', @more));
    is($reply->{status}, 403, "$name: refused");
    like($reply->{body}, qr{<Code>(?:AccessDenied|SignatureDoesNotMatch)<},
        "$name: why");
    is_deeply([Chorus::Storage->requests], [], "$name: main hears nothing");
}

ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and there is nothing to complain of');

done_testing();
