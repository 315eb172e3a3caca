# Checksums in headers: verified here when main would not look at them, before
# main has the whole body.

use strict;
use warnings;

use Digest::MD5 qw(md5_base64);
use Digest::SHA qw(sha256_hex);
use IO::Socket::UNIX;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep);

BEGIN { push @INC, 't/lib' }
use Chorus::Checksum qw(checksum);
use Chorus::Chunked qw(chunked transfer_chunked);
use Chorus::Fixture;
use Chorus::HTTP2;
use Chorus::Nginx;
use Chorus::Received;
use Chorus::Redis;
use Chorus::Sign qw(request);
use Chorus::Storage;

my @algorithms = qw(crc32 crc32c crc64nvme sha1 sha256);

# archive keeps checksums, main does not
my $redis = Chorus::Redis->start;
my $config = chorus_config(redis => { url => $redis->url });
$config->{storages}{archive}{checksums} = JSON::PP::true;
write_file("$Folder/chorus.json", JSON::PP->new->encode($config), 0600);
write_file("$Folder/buffered.conf", read_file("$Folder/proxy.conf")
    =~ s/(proxy_request_buffering +)off/$1on/r);
Chorus::Storage->start('main', 'archive');

my $nginx = Chorus::Nginx->start(
    http => http_config() . 'chorus_repeat off;',
    config => "listen unix:$Folder/h2.sock http2;\n"
        . server_config(proxy_location('/'),
            "location /buffered/ { chorus on; "
            . "include $Folder/buffered.conf; }\n"));
wait_for { $nginx->log =~ /Redis is ready/ } or die $nginx->log;
my ($worker) = $nginx->workers;


sub in_pieces {
    my ($bytes, @sizes) = @_;

    my $socket = $nginx->connect;
    for (my $i = 0; length $bytes; $i++) {
        syswrite $socket, substr $bytes, 0, $sizes[$i % @sizes], '';
        sleep 0.05;
    }
    local $/;
    return { Chorus::Nginx::parse(scalar(<$socket>) // '') };
}


sub code_of { ($_[0]{body} =~ m{<Code>(\w+)</Code>})[0] // 'none' }


sub is_stored {
    my ($name, $reply, $content, %header) = @_;

    my $got = received($reply->{body})->{header};
    is_deeply([$reply->{status}, $reply->{headers}{'x-body-sha256'},
        map { $got->{$_} } sort keys %header],
        [200, sha256_hex($content), map { $header{$_} } sort keys %header],
        $name) or diag substr $reply->{text}, 0, 1000;
    Chorus::Storage->requests;
}


sub is_refused {
    my ($name, $reply, $code) = @_;

    is(code_of($reply), $code, $name)
        or diag substr $reply->{text} // '', 0, 1000;
    is(join(' ', grep { !/ incomplete$/ } Chorus::Storage->requests), '',
        "$name: main has nothing whole");
}


# Each way in which a body gets here; [name, code returning the answer].
sub ways {
    my ($target, $content, @headers) = @_;

    my @knobs = (payload => 'UNSIGNED-PAYLOAD', headers => [@headers]);
    my $plain = request(PUT => $target, body => $content, @knobs);
    my ($head, $body) = $plain =~ /(.*?\r\n\r\n)(.*)/s;
    my $length = length $plain;

    # a PUT has to have a length
    my @post = (POST => "$target?select&select-type=2");
    my $chunked = request(@post, @knobs,
        body => transfer_chunked($content, 1000, 1, 30_000),
        headers => [@headers, 'Transfer-Encoding' => 'chunked']);
    my $lengthless = request(@post, @knobs, body => $content);

    return (
        ['a length', sub { $nginx->exchange($plain) }],
        ['buffered', sub { $nginx->exchange(request(PUT => '/buffered/k',
            body => $content, @knobs)) }],
        ['chunked', sub { $nginx->exchange($chunked) }],
        ['a digest', sub { $nginx->exchange(request(PUT => $target,
            body => $content, headers => [@headers])) }],
        ['HTTP/2', sub { $nginx->exchange_http2($plain, 1) }],
        ['HTTP/2 without a length', sub {
            $nginx->exchange_http2($lengthless) }],
        ['the head alone first',
            sub { in_pieces($plain, length $head, 1 << 20) }],
        length $content ? (
            ['the last byte alone',
                sub { in_pieces($plain, $length - 1, 1) }],
            ['the end of the chunks alone', sub { in_pieces($chunked,
                length($chunked) - 5, 5) }],
        ) : (),
        ['signed chunks', sub { $nginx->exchange(chunked(PUT => $target,
            body => $content, headers => [@headers])) }],
        ['signed chunks and a form with trailers', sub {
            $nginx->exchange(chunked(PUT => $target, body => $content,
                form => 'signed-trailer', trailer => undef,
                headers => [@headers])) }],
    );
}


# ---- right and wrong, of every algorithm, in every way ----

my $large = join '', map { pack 'N', $_ * 2654435761 & 0xffffffff }
    1 .. 50_000;

for my $algorithm (@algorithms) {
    my $header = "x-amz-checksum-$algorithm";

    for my $size (0, 1, 1000, length $large) {
        my $content = substr $large, 0, $size;
        my $right = checksum($algorithm, $content);
        my $wrong = checksum($algorithm, "$content-");

        for (ways('/bkt/k', $content, $header => $right)) {
            my ($way, $ask) = @$_;
            is_stored("$algorithm, $size bytes, $way", $ask->(), $content,
                $header => $right);
        }

        for (ways('/bkt/k', $content, $header => $wrong)) {
            my ($way, $ask) = @$_;
            next if $algorithm ne 'crc32c' && $way =~ /alone|buffered/;
            Chorus::Storage->requests;
            is_refused("$algorithm, $size bytes, $way, a wrong one", $ask->(),
                'BadDigest');
        }
    }
}


# ---- headers that are wrong in themselves ----

for (
    ['too short', 'x-amz-checksum-crc32' => 'AAAA'],
    ['too long', 'x-amz-checksum-crc32' => 'AAAAAAAAAAA='],
    ['empty', 'x-amz-checksum-crc32' => ''],
    ['of another algorithm', 'x-amz-checksum-sha256' =>
        checksum(sha1 => 'hello')],
    ['two of one algorithm', ('x-amz-checksum-crc32' =>
        checksum(crc32 => 'hello')) x 2],
    ['two of different ones', map { ("x-amz-checksum-$_" =>
        checksum($_ => 'hello')) } qw(crc32 sha1)],
) {
    my ($name, @headers) = @$_;

    Chorus::Storage->requests;
    my $reply = $nginx->exchange(request(PUT => '/bkt/k', body => 'hello',
        headers => \@headers));
    is($reply->{status}, 400, $name);
    is_refused("$name: the code", $reply, 'InvalidRequest');
}

for (
    ['no base64', 'x-amz-checksum-crc32' => '****_==='],
    ['base64 for URLs', 'x-amz-checksum-sha256' =>
        checksum(sha256 => 'hello') =~ tr{+/}{-_}r =~ s/^./-/r],
) {
    my ($name, @headers) = @$_;

    Chorus::Storage->requests;
    my $reply = $nginx->exchange(request(PUT => '/bkt/k', body => 'hello',
        headers => \@headers));
    is($reply->{status}, 400, $name);
    is_refused("$name: the code", $reply, 'BadDigest');
}

is_stored('an algorithm that is not known passes', $nginx->exchange(
    request(PUT => '/bkt/k', body => 'hello',
        headers => ['x-amz-checksum-md4' => 'AAAA'])), 'hello',
    'x-amz-checksum-md4' => 'AAAA');
is_stored('the name of the header in capitals', $nginx->exchange(
    request(PUT => '/bkt/k', body => 'hello', headers => [
        'X-Amz-Checksum-CRC32' => checksum(crc32 => 'hello')])), 'hello');
is_refused('the name of the header in capitals, a wrong one',
    $nginx->exchange(request(PUT => '/bkt/k', body => 'hello', headers => [
        'X-Amz-Checksum-CRC32' => checksum(crc32 => 'Hello')])), 'BadDigest');


# ---- which requests ----

my @wrong = ('x-amz-checksum-crc32' => 'AAAAAA==');

for (
    ['a part', PUT => '/bkt/k?partNumber=1&uploadId=u'],
    ['tags', PUT => '/bkt/k?tagging'],
    ['DeleteObjects', POST => '/bkt?delete'],
) {
    my ($name, $method, $target) = @$_;

    Chorus::Storage->requests;
    is_refused("$name, a wrong one", $nginx->exchange(request($method, $target,
        body => '<Delete><Object><Key>a</Key></Object></Delete>',
        headers => \@wrong)), 'BadDigest');
}

for (
    ['CompleteMultipartUpload', POST => '/bkt/k?uploadId=u',
        '<CompleteMultipartUpload/>'],
    ['a copy', PUT => '/bkt/k', undef, 'x-amz-copy-source' => '/bkt/a'],
    ['a copied part', PUT => '/bkt/k?partNumber=1&uploadId=u', undef,
        'x-amz-copy-source' => '/bkt/a'],
    ['CompleteMultipartUpload, which has that of the object', POST =>
        '/bkt/k?uploadId=u', '<CompleteMultipartUpload/>',
        'x-amz-checksum-type' => 'FULL_OBJECT'],
    ['a GET', GET => '/bkt/k', undef],
) {
    my ($name, $method, $target, $body, @more) = @$_;

    my $reply = $nginx->exchange(request($method, $target,
        body => $body, headers => [@wrong, @more]));
    is($reply->{status}, 200, "$name: it is not of the body");
    is(received($reply->{body})->{header}{'x-amz-checksum-crc32'}, 'AAAAAA==',
        "$name: and passes");
}

is($nginx->exchange(request(HEAD => '/bkt/k', headers => \@wrong))->{status},
    200, 'a HEAD: it is not of the body');
Chorus::Storage->requests;
is_refused('a PUT without a body, a wrong one', $nginx->exchange(request(
    PUT => '/bkt/k', headers => ['x-amz-checksum-crc32' => 'AAAAAQ=='])),
    'BadDigest');


# ---- main looks at its own ----

is_stored('a storage that verifies gets a wrong one', $nginx->exchange(
    request(PUT => '/logs-1/k', body => 'hello', headers => \@wrong)),
    'hello', @wrong);

{
    my $digest = md5_base64('Hello') . '==';
    is_stored('Content-MD5 passes, right or wrong', $nginx->exchange(
        request(PUT => '/bkt/k', body => 'hello',
            headers => ['Content-MD5' => $digest])), 'hello',
        'content-md5' => $digest);
}


# ---- and the connection ----

# what stands behind a bad body is never a request
{
    Chorus::Storage->requests;
    my $text = $nginx->exchange(request(PUT => '/bkt/k', body => 'hello',
        connection => 'keep-alive', headers => \@wrong)
        . request(GET => '/bkt/behind'))->{text};
    is(scalar(() = $text =~ m{^HTTP/1\.1 }mg), 1,
        'one answer to a bad body with a request behind it');
    is_deeply([grep { /behind/ } Chorus::Storage->requests], [],
        'and main has nothing of that');
}

{
    my @right = ('x-amz-checksum-crc32' => checksum(crc32 => 'hello'));
    Chorus::Storage->requests;
    my $text = $nginx->exchange(request(PUT => '/bkt/k', body => 'hello',
        connection => 'keep-alive', headers => \@right)
        . request(GET => '/bkt/behind'))->{text};
    is(scalar(() = $text =~ m{^HTTP/1\.1 200 }mg), 2,
        'a request behind a good body is answered');
    is_deeply([Chorus::Storage->requests],
        ['main PUT /bkt/k', 'main GET /bkt/behind'], 'both get to main');
}

# by HTTP/2 the client may still be sending
{
    my $socket = IO::Socket::UNIX->new(Peer => "$Folder/h2.sock")
        or die "nginx: $!\n";
    my $reply = Chorus::HTTP2::exchange($socket, request(PUT => '/bkt/k',
        body => $large, headers => \@wrong), 1);
    is(code_of($reply), 'BadDigest', 'HTTP/2: a wrong one');
    ok($reply->{is_whole}, 'HTTP/2: the whole answer');
}


is_deeply([$nginx->workers], [$worker], 'no process has died');
ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and there is nothing to complain of');

done_testing();
