# Uploads in aws-chunked: all forms of it, in all ways in which bytes arrive.
# Main gets the plain content with its length, and a signature of its own.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;
use Time::HiRes qw(sleep);

BEGIN { push @INC, 't/lib' }
use Chorus::Chunked qw(chunked);
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Received;
use Chorus::Redis;
use Chorus::Sign qw(request);
use Chorus::Storage;

my $redis = Chorus::Redis->start;
write_file("$Folder/chorus.json",
    chorus_json(redis => { url => $redis->url }), 0600);
Chorus::Storage->start('main');

write_file("$Folder/buffered.conf", read_file("$Folder/proxy.conf")
    =~ s/(proxy_request_buffering +)off/$1on/r);

my $nginx = Chorus::Nginx->start(
    http => http_config() . 'chorus_repeat off;',
    config => "listen unix:$Folder/h2.sock http2;\n"
        . server_config(proxy_location('/'),
            "location /buffered/ { chorus on; "
            . "include $Folder/buffered.conf; }\n",
            proxy_location('/mirrored/', 'mirror /sink;'),
            "location = /sink { internal; return 204; }\n",
            proxy_location('/again/', 'chorus_route archive; '
                . 'error_page 502 = @again;'),
            proxy_location('@again')));
wait_for { $nginx->log =~ /Redis is ready/ } or die $nginx->log;
my ($worker) = $nginx->workers;

my %forms = (
    'signed'           => [form => 'signed'],
    'signed-trailer'   => [form => 'signed-trailer'],
    'unsigned-trailer' => [form => 'unsigned-trailer'],
    'signed-trailer without one' => [form => 'signed-trailer',
        trailer => undef],
    'unsigned-trailer without one' => [form => 'unsigned-trailer',
        trailer => undef],
);


sub content {
    my ($size) = @_;

    return substr join('', map { pack 'N', $_ * 2654435761 & 0xffffffff }
        0 .. $size / 4), 0, $size;
}


# Sends pieces of these sizes (again from the first at the end), a moment
# apart, and returns the answer.
sub in_pieces {
    my ($bytes, $pause, @sizes) = @_;

    my $socket = $nginx->connect;
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    for (my $i = 0; length $bytes; $i++) {
        syswrite $socket, substr $bytes, 0, $sizes[$i % @sizes], '';
        sleep $pause if $pause;
    }
    local $/;
    return { Chorus::Nginx::parse(scalar(<$socket>) // '') };
}


# Main has the content, and nothing of its encoding.
sub is_decoded {
    my ($name, $reply, $content) = @_;

    my $r = received($reply->{body});
    my %header = %{ $r->{header} };
    my $got = join ' ', $reply->{status},
        $reply->{headers}{'x-body-length'} // 'none',
        $reply->{headers}{'x-body-sha256'} // 'none',
        map { $_ . ':' . ($header{$_} // '') } qw(content-length
            transfer-encoding x-amz-content-sha256 x-amz-trailer
            x-amz-decoded-content-length x-amz-sdk-checksum-algorithm);

    is($got, join(' ', 200, length $content, sha256_hex($content),
        'content-length:' . length $content, 'transfer-encoding:',
        'x-amz-content-sha256:UNSIGNED-PAYLOAD', 'x-amz-trailer:',
        'x-amz-decoded-content-length:', 'x-amz-sdk-checksum-algorithm:'),
        $name) or diag $reply->{text};
    ok($r->{is_signed}, "$name: signed for main");
}


# ---- forms and sizes ----

my $large = content(3 << 20);

for my $form (sort keys %forms) {
    for my $size (0, 1, 2, 8191, 65536 + 1024, 3 << 20) {
        for my $transfer (undef, 'chunked') {
            my $content = substr $large, 0, $size;
            is_decoded("$form, $size bytes, " . ($transfer // 'a length'),
                $nginx->exchange(chunked(PUT => '/bkt/k', body => $content,
                    @{ $forms{$form} }, transfer => $transfer)), $content);
        }
    }
}

# a body that fills nginx's buffer to the byte, or nearly
for my $beyond (-2 .. 2) {
    my $bytes = chunked(PUT => '/bkt/k', body => 'x' x 65300);
    my ($body) = $bytes =~ /\r\n\r\n(.*)/s;
    my $content = 'x' x (65300 + 65536 - length($body) + $beyond);
    $bytes = chunked(PUT => '/bkt/k', body => $content);
    ($body) = $bytes =~ /\r\n\r\n(.*)/s;
    is_decoded('a body of ' . length($body) . ' bytes',
        in_pieces($bytes, 0.01, length($bytes) - length $body, 1 << 20),
        $content);
}

for (
    ['a last chunk of one byte', chunks => ['a' x 8192, 'b']],
    ['a last chunk of one byte, unsigned', form => 'unsigned-trailer',
        chunks => ['a' x 8192, 'b']],
    ['chunks of the least size', chunks => [('a' x 8192) x 20, 'b' x 8191]],
    ['chunks of one byte, unsigned', form => 'unsigned-trailer',
        chunks => [split //, 'hello, world']],
    ['one large chunk', chunks => [$large]],
) {
    my ($name, %knob) = @$_;
    is_decoded($name, $nginx->exchange(chunked(PUT => '/bkt/k', %knob)),
        join '', @{ $knob{chunks} });
}

for my $algorithm (qw(crc32 crc32c crc64nvme md5 sha1 sha256 sha512)) {
    for my $form ('signed-trailer', 'unsigned-trailer') {
        my $content = substr $large, 0, 100_000;
        is_decoded("$form with $algorithm", $nginx->exchange(chunked(
            PUT => '/bkt/k', body => $content, form => $form,
            trailer => "x-amz-checksum-$algorithm",
            headers => ['x-amz-sdk-checksum-algorithm' => uc $algorithm])),
            $content);
    }
}


# ---- ways in which bytes arrive ----

for my $form (sort keys %forms) {
    my $content = substr $large, 0, 20_000;
    my $bytes = chunked(PUT => '/bkt/k', body => $content,
        chunk_size => 9000, @{ $forms{$form} });
    my $small = chunked(PUT => '/bkt/k', body => 'hello',
        @{ $forms{$form} });

    is_decoded("$form: all at once", in_pieces($bytes, 0, 1 << 20), $content);
    is_decoded("$form: byte by byte", in_pieces($small, 0.0005, 1), 'hello');
    is_decoded("$form: in odd pieces", in_pieces($bytes, 0.001,
        1, 1017, 3, 89, 4099, 2), $content);
    is_decoded("$form: with pauses", in_pieces($bytes, 0.2, 7001), $content);

    # the end alone, and the last byte of the content with it
    my ($head, $body) = $bytes =~ /(.*?\r\n\r\n)(.*)/s;
    my $end = length($body) - rindex $body, "\r\n0";
    is_decoded("$form: the end comes later by $_", in_pieces($bytes, 0.05,
        length($bytes) - $end - $_, $end + $_), $content) for -3, -1, 0, 1, 2;
}

for my $form (sort keys %forms) {
    for my $size (0, 1, 5000, 300_000) {
        my $content = substr $large, 0, $size;
        my $bytes = chunked(PUT => '/bkt/k', body => $content,
            @{ $forms{$form} });
        is_decoded("HTTP/2, $form, $size bytes, length: $_",
            $nginx->exchange_http2($bytes, $_), $content) for 0, 1;
    }
}

{
    my $content = substr $large, 0, 200_000;
    my $bytes = chunked(PUT => '/bkt/k', body => $content,
        headers => [Expect => '100-continue']);
    my ($head, $body) = $bytes =~ /(.*?\r\n\r\n)(.*)/s;
    my $socket = $nginx->connect;
    print $socket $head;
    $socket->flush;
    is(scalar readline $socket, "HTTP/1.1 100 Continue\r\n", 'Expect: told to '
        . 'go on');
    readline $socket;
    print $socket $body;
    $socket->flush;
    local $/;
    is_decoded('Expect: and goes on',
        { Chorus::Nginx::parse(scalar <$socket>) }, $content);
}

# requests behind a body, on the same connection
for my $transfer (undef, 'chunked') {
    my %keep = (connection => 'keep-alive', transfer => $transfer);
    my $name = 'pipelined, ' . ($transfer // 'a length');
    my @contents = map { substr $large, 0, $_ } 0, 10, 70_000, 1, 200_000;
    Chorus::Storage->requests;
    my $text = $nginx->exchange(
        join('', map { chunked(PUT => '/bkt/p' . length, body => $_, %keep) }
            @contents) . request(GET => '/bkt/last'))->{text};
    is_deeply([$text =~ /^X-Body-Sha256: (\w+)/mg],
        [map { sha256_hex($_) } @contents, ''], $name);
    is_deeply([Chorus::Storage->requests], [
        (map { 'main PUT /bkt/p' . length } @contents), 'main GET /bkt/last'],
        "$name: each once, in order");
}


# ---- headers ----

for (
    ['only aws-chunked', ['aws-chunked'], undef],
    ['none', [], undef],
    ['aws-chunked,gzip', ['aws-chunked,gzip'], 'gzip'],
    ['gzip, aws-chunked', ['gzip, aws-chunked'], 'gzip'],
    ['three', ['br , AWS-Chunked,,gzip'], 'br,gzip'],
    ['two headers', ['aws-chunked', 'gzip'], 'gzip'],
    ['two other headers', ['br', 'gzip'], 'br,gzip'],
    ['a name that only begins so', ['aws-chunked2'], 'aws-chunked2'],
) {
    my ($name, $values, $want) = @$_;

    my $reply = $nginx->exchange(chunked(PUT => '/bkt/k', body => 'hello',
        content_encoding => undef,
        headers => [map { ('Content-Encoding' => $_) } @$values]));
    is_decoded("Content-Encoding: $name", $reply, 'hello');
    is_deeply([$reply->{body} =~ /^Content-Encoding: (.*)\r$/mig],
        [$want // ()], "Content-Encoding: $name: what main gets");
}

{
    my $reply = $nginx->exchange(chunked(PUT => '/bkt/k', body => 'hello',
        headers => ['Content-Type' => 'text/plain',
            'x-amz-meta-a' => 'b', 'If-None-Match' => '*']));
    like($reply->{body}, qr/^Content-Type:\ text\/plain\r
        .*^x-amz-meta-a:\ b\r.*^If-None-Match:\ \*\r/msx,
        'other headers pass');
}

{
    my $reply = $nginx->exchange(request(PUT => '/bkt/k', body => 'hello',
        headers => ['Content-Encoding' => 'aws-chunked,gzip']));
    is($reply->{headers}{'x-body-sha256'}, sha256_hex('hello'),
        'an encoding that the payload hash does not name is not undone');
    like($reply->{body}, qr/^Content-Encoding: aws-chunked,gzip\r$/m,
        'and passes');
}


# ---- operations ----

is_decoded('a part', $nginx->exchange(chunked(
    PUT => '/bkt/k?partNumber=1&uploadId=u', body => $large)), $large);

is_decoded('a presigned URL', $nginx->exchange(chunked(PUT => '/bkt/k',
    body => $large, form => 'unsigned-trailer', query => 1)), $large);

my $xml = '<Delete>' . join('', map { "<Object><Key>d$_</Key></Object>" }
    1 .. 300) . '</Delete>';
for my $form (sort keys %forms) {
    for my $by ('HTTP/1.1', 'HTTP/2') {
        $redis->clear;
        my $bytes = chunked(POST => '/bkt?delete', body => $xml,
            @{ $forms{$form} });
        is_decoded("DeleteObjects, $form, $by", $by eq 'HTTP/2'
            ? $nginx->exchange_http2($bytes) : $nginx->exchange($bytes), $xml);
        wait_for { 300 == grep { / d\d+ / } $redis->marks_now };
        is_deeply([grep { / d\d+ / } $redis->marks_now],
            [sort map { "alice:bkt:follower d$_ 7" } 1 .. 300],
            "DeleteObjects, $form, $by: its keys are marked");
    }
}

$nginx->exchange(chunked(PUT => '/bkt/marked', body => 'hello'));
ok(wait_for { grep { $_ eq 'alice:bkt:follower marked 7' } $redis->marks_now },
    'an upload is marked');


# ---- a connection that the storage has closed ----

# what has arrived as a whole could be sent again, and is not: t/once.t
for my $form (sort keys %forms) {
    $nginx->exchange(request(GET => '/bkt/k',
        headers => ['X-Answer' => 'stale']));
    Chorus::Storage->requests;
    is($nginx->exchange(chunked(PUT => '/bkt/k', body => 'hello',
        @{ $forms{$form} }, headers => ['X-Answer' => 'stale']))->{status},
        502, "not answered, $form: 502");
    is(scalar(Chorus::Storage->requests), 1, "not answered, $form: sent once");
}


# ---- a location that reads all first ----

for my $form (sort keys %forms) {
    for my $size (0, 1, 70_000, 1 << 20) {
        for my $transfer (undef, 'chunked') {
            my $content = substr $large, 0, $size;
            is_decoded("buffered, $form, $size bytes, "
                . ($transfer // 'a length'), $nginx->exchange(chunked(
                    PUT => '/buffered/k', body => $content,
                    transfer => $transfer, @{ $forms{$form} })), $content);
        }
    }
}


# ---- and other modules ----

for my $form (sort keys %forms) {
    for my $size (0, 1, 70_000) {
        my $content = substr $large, 0, $size;
        is_decoded("mirrored, $form, $size bytes", $nginx->exchange(chunked(
            PUT => '/mirrored/k', body => $content, @{ $forms{$form} })),
            $content);
    }

    # archive is down: its error_page names main, but the body has been read
    for my $size (1, 200_000) {
        Chorus::Storage->requests;
        my $reply = $nginx->exchange(chunked(PUT => '/again/k',
            body => substr($large, 0, $size), @{ $forms{$form} }));
        is($reply->{status}, 503, "$form, $size bytes: not by an error_page");
        is_deeply([Chorus::Storage->requests], [],
            "$form, $size bytes: main has nothing of it");
    }

    # main refuses before it has the body
    my $bytes = chunked(PUT => '/bkt/k', body => $large, @{ $forms{$form} },
        headers => ['X-Answer' => '403 early']);
    my $reply = $nginx->exchange($bytes);
    is($reply->{status}, 403, "$form: an early answer of main passes");
}


is_deeply([$nginx->workers], [$worker], 'no process has died');
ok($nginx->stop, 'nginx stops');
unlike($nginx->log =~ s/^.*archive\.sock failed.*\n//gmr,
    qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and there is nothing to complain of');

done_testing();
