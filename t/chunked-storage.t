# Storages that keep checksums ("checksums": true): what came with a trailer
# goes to them in aws-chunked again, unsigned, with the client's checksum
# behind it.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use JSON::PP ();
use Test::More;

BEGIN { push @INC, 't/lib' }
use Chorus::Checksum qw(checksum);
use Chorus::Chunked qw(chunked);
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Received;
use Chorus::Redis;
use Chorus::Sign qw(request);
use Chorus::Storage;

my $FRAME = 65536;

my $redis = Chorus::Redis->start;
my $config = chorus_config(redis => { url => $redis->url });
$config->{storages}{main}{checksums} = JSON::PP::true;
write_file("$Folder/chorus.json", JSON::PP->new->encode($config), 0600);
write_file("$Folder/buffered.conf", read_file("$Folder/proxy.conf")
    =~ s/(proxy_request_buffering +)off/$1on/r);
Chorus::Storage->start('main');

my $nginx = Chorus::Nginx->start(
    http => http_config() . 'chorus_repeat off;',
    config => "listen unix:$Folder/h2.sock http2;\n"
        . server_config(proxy_location('/'),
            "location /buffered/ { chorus on; client_body_buffer_size 1m; "
            . "include $Folder/buffered.conf; }\n"));
wait_for { $nginx->log =~ /Redis is ready/ } or die $nginx->log;
my ($worker) = $nginx->workers;


# The body that main shall get.
sub framed {
    my ($content, $trailer) = @_;

    my $out = '';
    while (length(my $frame = substr $content, 0, $FRAME, '')) {
        $out .= sprintf "%x\r\n%s\r\n", length $frame, $frame;
    }

    return "${out}0\r\n$trailer\r\n\r\n";
}


sub is_framed {
    my ($name, $reply, $content, $algorithm) = @_;

    my $header = "x-amz-checksum-$algorithm";
    my $body = framed($content, "$header:" . checksum($algorithm, $content));
    my $r = received($reply->{body});
    my %header = %{ $r->{header} };

    is_deeply([$reply->{status}, $reply->{headers}{'x-body-length'},
        $reply->{headers}{'x-body-sha256'}, map { $header{$_} // '' }
            qw(content-length transfer-encoding x-amz-content-sha256
            x-amz-trailer x-amz-decoded-content-length content-encoding)],
        [200, length $body, sha256_hex($body), length $body, '',
            'STREAMING-UNSIGNED-PAYLOAD-TRAILER', $header, length $content,
            'aws-chunked'], $name) or diag substr $reply->{text}, 0, 2000;
    ok($r->{is_signed}, "$name: signed for main");
}


# Main gets it plain.
sub is_plain {
    my ($name, $reply, $content, %headers) = @_;

    my $r = received($reply->{body});
    my %want = ('x-amz-content-sha256' => 'UNSIGNED-PAYLOAD',
        'content-length' => length $content, 'x-amz-trailer' => undef,
        'x-amz-decoded-content-length' => undef, 'content-encoding' => undef,
        'transfer-encoding' => undef, %headers);

    is($reply->{headers}{'x-body-sha256'} // 'none', sha256_hex($content),
        $name) or diag substr $reply->{text}, 0, 2000;
    is_deeply({ map { $_ => $r->{header}{$_} } keys %want }, \%want,
        "$name: the headers");
    ok($r->{is_signed}, "$name: signed for main");
}


my $large = join '', map { pack 'N', $_ * 2654435761 & 0xffffffff }
    1 .. 1 << 19;

for my $form ('signed-trailer', 'unsigned-trailer') {
    my @knobs = (form => $form);

    for my $size (1, 2, $FRAME - 1, $FRAME, $FRAME + 1, 2 * $FRAME - 1,
        2 * $FRAME, 2 * $FRAME + 1, 16 * $FRAME, 1_000_000, length $large)
    {
        my $content = substr $large, 0, $size;
        my $bytes = chunked(PUT => '/bkt/k', @knobs, body => $content,
            chunk_size => 70_001);
        is_framed("$form, $size bytes", $nginx->exchange($bytes), $content,
            'crc32');
        is_framed("$form, $size bytes, HTTP/2",
            $nginx->exchange_http2($bytes), $content, 'crc32');
        is_framed("$form, $size bytes, chunked", $nginx->exchange(chunked(
            PUT => '/bkt/k', @knobs, body => $content,
            transfer => 'chunked')), $content, 'crc32');
        is_framed("$form, $size bytes, buffered", $nginx->exchange(chunked(
            PUT => '/buffered/k', @knobs, body => $content)), $content,
            'crc32');
    }

    for my $algorithm (qw(crc32 crc32c crc64nvme sha1 sha256)) {
        my $content = substr $large, 0, 150_000;
        is_framed("$form, $algorithm", $nginx->exchange(chunked(
            PUT => '/bkt/k', @knobs, body => $content,
            trailer => "x-amz-checksum-$algorithm")), $content, $algorithm);

        is_plain("$form, $algorithm of nothing", $nginx->exchange(chunked(
            PUT => '/bkt/k', @knobs, body => '',
            trailer => "x-amz-checksum-$algorithm")), '',
            "x-amz-checksum-$algorithm" => checksum($algorithm, ''));
    }

    is_plain("$form, no trailer", $nginx->exchange(chunked(PUT => '/bkt/k',
        @knobs, body => $large, trailer => undef)), $large);

    # main reads it and closes a kept connection: nobody sends it again
    for (['/bkt/k', 1], ['/bkt/k', 900], ['/buffered/k', 3 * $FRAME]) {
        my ($path, $size) = @$_;

        $nginx->exchange(request(GET => '/bkt/k',
            headers => ['X-Answer' => 'stale']));
        Chorus::Storage->requests;
        my $reply = $nginx->exchange(chunked(
            PUT => $path, @knobs, body => substr($large, 0, $size),
            headers => ['X-Answer' => 'stale']));
        is($reply->{status}, 502,
            "$form, $path of $size bytes is not answered: 502");
        is(scalar(Chorus::Storage->requests), 1,
            "$form, $path of $size bytes is not answered: sent once");
    }

    # nothing else of the client is lost, and nothing is believed
    my $reply = $nginx->exchange(chunked(PUT => '/bkt/k', @knobs,
        body => 'hello', content_encoding => 'aws-chunked,gzip',
        headers => ['x-amz-sdk-checksum-algorithm' => 'CRC32']));
    like($reply->{body}, qr/^Content-Encoding: aws-chunked,gzip\r$/m,
        "$form: the encoding stays");
    like($reply->{body}, qr/^x-amz-sdk-checksum-algorithm: CRC32\r$/mi,
        "$form: the name of the algorithm stays");

    for my $size (1, $FRAME, 300_000) {
        Chorus::Storage->requests;
        $reply = $nginx->exchange(chunked(PUT => '/bkt/k', @knobs,
            body => substr($large, 0, $size),
            trailers => ['x-amz-checksum-crc32' => 'AAAAAA==']));
        like($reply->{body}, qr/<Code>BadDigest</,
            "$form, $size bytes: a wrong checksum");
        is(join(' ', grep { !/ incomplete$/ } Chorus::Storage->requests), '',
            "$form, $size bytes: main has nothing whole");
    }

    my $xml = '<Delete><Object><Key>a</Key></Object></Delete>';
    $redis->clear;
    is_plain("$form, DeleteObjects", $nginx->exchange(chunked(
        POST => '/bkt?delete', @knobs, body => $xml)), $xml,
        'x-amz-checksum-crc32' => checksum(crc32 => $xml));
    ok(wait_for { grep { $_ eq 'alice:bkt:follower a 7' } $redis->marks_now },
        "$form, DeleteObjects: marks");
}

is_plain('signed chunks', $nginx->exchange(chunked(PUT => '/bkt/k',
    body => $large)), $large);


# ---- checksums in headers are main's business ----

for (
    ['a wrong one', 'x-amz-checksum-crc32' => 'AAAAAA=='],
    ['a malformed one', 'x-amz-checksum-crc32' => 'five'],
    ['an unknown one', 'x-amz-checksum-md4' => 'AAAAAA=='],
) {
    my ($name, $header, $value) = @$_;

    for my $bytes (
        request(PUT => '/bkt/k', body => 'hello',
            headers => [$header => $value]),
        chunked(PUT => '/bkt/k', body => 'hello',
            headers => [$header => $value]),
    ) {
        my $reply = $nginx->exchange($bytes);
        is($reply->{status}, 200, "$name passes");
        is(received($reply->{body})->{header}{$header}, $value,
            "$name gets to main");
    }
}


is_deeply([$nginx->workers], [$worker], 'no process has died');
ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and there is nothing to complain of');

done_testing();
