# aws-chunked bodies that are not what was signed or announced: each has its
# answer, main never gets one whole, nothing behind it is taken for a request,
# and no memory goes with them.

use strict;
use warnings;

use IO::Socket::UNIX;
use Test::More;
use Time::HiRes qw(sleep time);

BEGIN { push @INC, 't/lib' }
use Chorus::Chunked qw(chunked);
use Chorus::Fixture;
use Chorus::HTTP2;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sign qw(request);
use Chorus::Storage;

my $redis = Chorus::Redis->start;
write_file("$Folder/chorus.json",
    chorus_json(redis => { url => $redis->url }), 0600);
Chorus::Storage->start('main');

# a process that quits would stay to repeat marks
my $nginx = Chorus::Nginx->start(
    http => http_config() . 'chorus_repeat off;', config =>
    "listen unix:$Folder/h2.sock http2;\n"
    . "lingering_timeout 1s; lingering_time 3s;\n"
    . server_config(proxy_location('/'),
        proxy_location('/public/', 'chorus_anonymous alice write;'),
        proxy_location('/slow/', 'client_body_timeout 500ms;')));
my ($worker) = $nginx->workers;

my @signed = (form => 'signed');
my @signed_trailer = (form => 'signed-trailer');
my @unsigned = (form => 'unsigned-trailer');
my $big = join '', map { chr 97 + $_ % 26 } 1 .. 200_000;
my $smuggled = "GET /bkt/smuggled HTTP/1.1\r\nHost: x\r\n"
    . "Connection: close\r\n\r\n";


sub edit_chunk {
    my ($i, $part, $value) = @_;

    return (edit_chunks => sub { $_[0][$i]{$part} = $value });
}


# ---- bodies ----

my @wrong = (
    # signatures
    ['two chunks swapped', 'SignatureDoesNotMatch', 403, @signed,
        edit_chunks => sub { @{ $_[0] }[0, 1] = @{ $_[0] }[1, 0] }],
    ['a chunk twice', 'SignatureDoesNotMatch', 403, @signed,
        edit_chunks => sub { $_[0][1] = $_[0][0] }],
    ['a signature of other content', 'SignatureDoesNotMatch', 403, @signed,
        edit_chunks => sub { $_[0][1]{data} =~ s/^./#/ }],
    ['the last byte changed', 'SignatureDoesNotMatch', 403, @signed,
        edit_chunks => sub { $_[0][-2]{data} =~ s/.$/#/ }],
    ['the last signature wrong', 'SignatureDoesNotMatch', 403, @signed,
        edit_chunk(-1, signature => 'a' x 64)],
    ['another seed', 'SignatureDoesNotMatch', 403, @signed,
        seed => '0' x 64],
    ['a signature cut short', 'IncompleteBody', 400, @signed,
        edit_chunks => sub { chop $_[0][1]{signature} }],
    ['a signature too long', 'IncompleteBody', 400, @signed,
        edit_chunks => sub { $_[0][1]{signature} .= 'a' }],
    ['a signature in capitals', undef, 4, @signed,
        edit_chunks => sub { $_[0][1]{signature} = uc $_[0][1]{signature} }],
    ['a chunk without a signature', 'IncompleteBody', 400, @signed,
        edit_chunk(1, signature => undef)],
    ['an end without a signature', 'IncompleteBody', 400, @signed,
        edit_chunk(-1, signature => undef)],
    ['a signature where none belongs', 'IncompleteBody', 400, @unsigned,
        edit_chunk(0, signature => 'a' x 64)],
    ['the wrong key', 'SignatureDoesNotMatch', 403, @signed,
        edit_chunks => sub {
            $_->{signature} = reverse $_->{signature} for @{ $_[0] } }],

    # sizes
    (map { my $form = $_; map {
        ["$form->[1]: size '$_'", 'IncompleteBody', 400, @$form,
            edit_chunk(1, size => $_)]
    } '8000000000000000', 'ffffffffffffffff', '10000000000000000',
        '0x10', '-1', '', ' 10', '10 ', '+10', '1g' }
        \@signed, \@signed_trailer, \@unsigned),
    (map { my $form = $_; map {
        ["$form->[1]: size '$_'", 'IncompleteBody', 400, @$form,
            edit_chunk(1, size => $_)]
    } '7fffffffffffffff', 'fffffff' } \@signed, \@signed_trailer, \@unsigned),
    ['a chunk that is shorter than it says', undef, 4, @signed,
        edit_chunks => sub { chop $_[0][1]{data} }],
    ['a chunk that is longer than it says', 'IncompleteBody', 400, @signed,
        edit_chunks => sub { $_[0][1]{data} .= 'a' }],
    ['a small chunk in the middle', 'InvalidChunkSizeError', 403, @signed,
        chunks => ['a' x 8192, 'b' x 8191, 'c' x 8192]],
    ['a small chunk in the middle, with a trailer', 'InvalidChunkSizeError',
        403, @signed_trailer, chunks => ['a' x 10, 'b' x 8192]],

    # declared lengths
    (map { my $form = $_;
        ["$form->[1]: declared 0", 'IncompleteBody', 400, @$form,
            decoded_length => 0],
        ["$form->[1]: declared one too few", 'IncompleteBody', 400, @$form,
            decoded_length => 199_999],
        ["$form->[1]: declared one too many", 'IncompleteBody', 400, @$form,
            decoded_length => 200_001],
        ["$form->[1]: declared far too many", 'IncompleteBody', 400, @$form,
            decoded_length => 1 << 40],
        ["$form->[1]: declared nothing", 'MissingContentLength', 411, @$form,
            decoded_length => undef],
        (map { ["$form->[1]: declared '$_'", 'InvalidArgument', 400, @$form,
            decoded_length => $_] }
            'many', '-1', '1e5', '18446744073709551616',
            '9223372036854775808', '200000,200000'),
    } \@signed, \@signed_trailer, \@unsigned),

    # lines
    ['LF alone behind a size', 'IncompleteBody', 400, @unsigned,
        edit_chunk(1, head => "10000\n")],
    ['LF alone behind a chunk', 'IncompleteBody', 400, @signed,
        edit_chunk(0, end => "\n")],
    ['CR alone behind a chunk', 'IncompleteBody', 400, @signed,
        edit_chunk(0, end => "\r")],
    ['nothing behind a chunk', 'IncompleteBody', 400, @signed,
        edit_chunk(0, end => '')],
    ['an extension', 'IncompleteBody', 400, @unsigned,
        edit_chunk(0, head => "10000;a=b\r\n")],
    ['another extension before the signature', 'IncompleteBody', 400, @signed,
        edit_chunks => sub { $_[0][0]{size} .= ';a=b' }],
    ['a NUL in a size', 'IncompleteBody', 400, @unsigned,
        edit_chunk(0, head => "100\0\r\n")],
    ['a chunk header of 1 MiB', 'IncompleteBody', 400, @unsigned,
        edit_chunk(0, head => '0' x (1 << 20) . "10000\r\n")],
    ['an extension of 1 MiB', 'IncompleteBody', 400, @signed,
        edit_chunk(0, head => '10000;chunk-signature='
            . 'a' x (1 << 20) . "\r\n")],
    ['plain content', 'IncompleteBody', 400, @unsigned,
        edit_body => sub { $big }],
    ['no end of the body', 'IncompleteBody', 400, @unsigned, final => ''],
    ['no end chunk', 'IncompleteBody', 400, @signed,
        edit_chunks => sub { pop @{ $_[0] } }, final => ''],
    ['nothing', 'IncompleteBody', 400, @signed, edit_body => sub { '' }],
    ['one byte behind the end', 'InvalidRequest', 400, @signed,
        final => "\r\na"],
    ['a CRLF behind the end', 'InvalidRequest', 400, @unsigned,
        final => "\r\n\r\n"],
    ['another end behind the end', 'InvalidRequest', 400, @unsigned,
        trailer => undef, final => "\r\n0\r\n\r\n"],
    ['1 MiB behind the end', 'InvalidRequest', 400, @signed,
        final => "\r\n" . 'a' x (1 << 20)],
    ['a request behind the end', 'InvalidRequest', 400, @signed,
        final => "\r\n$smuggled"],
    ['more content behind an end chunk', undef, 4, @unsigned,
        edit_chunks => sub { push @{ $_[0] }, { %{ $_[0][0] } };
            $_[0][-2]{end} = '' }],

    # trailers
    (map { my $form = $_;
        ["$form->[1]: no trailer", 'InvalidRequest', 400, @$form,
            edit_trailers => sub { shift @{ $_[0] } }],
        ["$form->[1]: no trailers at all", 'InvalidRequest', 400, @$form,
            edit_trailers => sub { @{ $_[0] } = () }],
        ["$form->[1]: a trailer not announced", 'InvalidRequest', 400, @$form,
            announced => undef],
        ["$form->[1]: another announced", 'InvalidRequest', 400, @$form,
            announced => 'x-amz-checksum-crc32c'],
        ["$form->[1]: an algorithm not known", 'InvalidRequest', 400, @$form,
            trailers => ['x-amz-checksum-md4' => 'AAAAAA==']],
        ["$form->[1]: no checksum", 'InvalidRequest', 400, @$form,
            trailers => ['x-amz-meta-a' => 'b']],
        ["$form->[1]: two checksums", 'InvalidRequest', 400, @$form,
            trailers => ['x-amz-checksum-crc32' => 'AAAAAA==',
                'x-amz-checksum-crc32c' => 'AAAAAA==']],
        ["$form->[1]: a checksum twice", 'InvalidRequest', 400, @$form,
            edit_trailers => sub { unshift @{ $_[0] }, $_[0][0] }],
        ["$form->[1]: a wrong checksum", 'BadDigest', 400, @$form,
            trailers => ['x-amz-checksum-crc32' => 'AAAAAA==']],
        ["$form->[1]: a checksum in hex", 'InvalidRequest', 400, @$form,
            trailers => ['x-amz-checksum-crc32' => '00000000']],
        ["$form->[1]: a checksum too short", 'InvalidRequest', 400, @$form,
            trailers => ['x-amz-checksum-crc32' => 'AAAA']],
        ["$form->[1]: an empty checksum", 'InvalidRequest', 400, @$form,
            trailers => ['x-amz-checksum-crc32' => '']],
        ["$form->[1]: a trailer without a colon", 'InvalidRequest', 400,
            @$form, edit_trailers => sub { $_[0][0] =~ tr/:/ / }],
        ["$form->[1]: 1 MiB of trailers", 'InvalidRequest', 400, @$form,
            edit_trailers => sub {
                unshift @{ $_[0] }, ('x-amz-meta-a:b') x 70_000 }],
        ["$form->[1]: a trailer of 1 MiB", 'InvalidRequest', 400, @$form,
            edit_trailers => sub { $_[0][0] .= 'a' x (1 << 20) }],
        ["$form->[1]: a checksum in a header as well", 'InvalidRequest', 400,
            @$form, headers => ['x-amz-checksum-crc32' => 'AAAAAA==']],
    } \@signed_trailer, \@unsigned),
    ['a trailer with the form that has none', 'InvalidRequest', 400, @signed,
        announced => 'x-amz-checksum-crc32'],
    ['a wrong trailer signature', 'SignatureDoesNotMatch', 403,
        @signed_trailer, edit_trailers => sub {
            $_[0][-1] = 'x-amz-trailer-signature:' . 'a' x 64 }],
    ['no trailer signature', 'InvalidRequest', 400, @signed_trailer,
        edit_trailers => sub { pop @{ $_[0] } }],
    ['a trailer signature cut short', 'InvalidRequest', 400, @signed_trailer,
        edit_trailers => sub { chop $_[0][-1] }],
    ['a trailer behind its signature', 'InvalidRequest', 400,
        @signed_trailer, edit_trailers => sub {
            @{ $_[0] } = reverse @{ $_[0] } }],
    ['a trailer changed behind its signature', 'SignatureDoesNotMatch', 403,
        @signed_trailer, edit_trailers => sub {
            $_[0][0] = 'x-amz-checksum-crc32:AAAAAA==' }],
    ['a wrong header checksum', 'BadDigest', 400, @signed,
        headers => ['x-amz-checksum-crc32' => 'AAAAAA==']],
    ['a wrong header checksum, and nothing', 'BadDigest', 400, @signed,
        body => '', headers => ['x-amz-checksum-crc32' => 'AAAAAQ==']],
);

for my $case (@wrong) {
    my ($name, $code, $status, @knobs) = @$case;

    for my $transfer (undef, 'chunked') {
        # with a length, what is behind the end does not belong to the body
        is_refused("$name, " . ($transfer // 'a length'), $code, $status,
            chunked(PUT => '/bkt/k', body => $big, @knobs,
                transfer => $transfer, connection => 'keep-alive')
            . $smuggled);
    }
}


# The answer is that, main gets nothing whole, and the request behind the body
# has no answer of its own.
sub is_refused {
    my ($name, $code, $status, $bytes) = @_;

    Chorus::Storage->requests;
    my $reply = $nginx->exchange($bytes, 4);
    my $text = $reply->{text};

    if (defined $code) {
        is("$reply->{status} " . (code_of($reply) // 'no code'),
            "$status $code", $name) or diag substr $text, 0, 1000;
    } else {
        like($reply->{status}, qr/^$status/, $name);
    }

    is(scalar(() = $text =~ m{^HTTP/1\.1 [2-5]\d\d }mg), 1,
        "$name: one answer") or diag substr $text, 0, 2000;
    is(join(' ', grep { !/ incomplete$/ } Chorus::Storage->requests), '',
        "$name: main has nothing");
}


sub code_of {
    my ($reply) = @_;

    return ($reply->{body} =~ m{<Code>(\w+)</Code>})[0];
}


# by HTTP/2 the connection goes on, and the stream does not
for (grep { $_->[0] =~ /swapped|wrong checksum|declared|behind the end|twice/ }
    @wrong)
{
    my ($name, $code, $status, @knobs) = @$_;
    next unless defined $code;

    Chorus::Storage->requests;
    my $socket = IO::Socket::UNIX->new(Peer => "$Folder/h2.sock")
        or die "nginx: $!\n";
    my $reply = Chorus::HTTP2::exchange($socket, chunked(PUT => '/bkt/k',
        body => $big, @knobs), 1);
    is(code_of($reply), $code, "HTTP/2: $name");
    ok($reply->{is_whole}, "HTTP/2: $name: the whole answer");
    is(join(' ', grep { !/ incomplete$/ } Chorus::Storage->requests), '',
        "HTTP/2: $name: main has nothing");
}


# ---- credentials ----

for (
    ['query credentials and a bad signature', 'SignatureDoesNotMatch', 403,
        @unsigned, query => 1, sent => { 'X-Amz-Signature' => 'a' x 64 }],
    ['header credentials and a bad signature', 'SignatureDoesNotMatch', 403,
        @unsigned, secret => 'wrong'],
    ['signed chunks by nobody', undef, 4, @signed,
        authorization => sub { undef }],
    ['unsigned chunks by nobody', 'AccessDenied', 403, @unsigned,
        authorization => sub { undef }],
) {
    my ($name, $code, $status, @knobs) = @$_;
    is_refused($name, $code, $status, chunked(PUT => '/bkt/k', body => $big,
        @knobs) . $smuggled);
}

is_refused('signed chunks by nobody, where nobody may write', undef, 4,
    chunked(PUT => '/public/k', body => $big, @signed,
        authorization => sub { undef }) . $smuggled);
is_refused('SigV4A chunks', 'NotImplemented', 501, request(PUT => '/bkt/k',
    body => $big, payload => 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD',
    headers => ['X-Amz-Decoded-Content-Length' => 5]) . $smuggled);


# ---- clients that go, or stay ----

for my $form (\@signed, \@signed_trailer, \@unsigned) {
    for my $share (0.3, 0.7, 1) {
        Chorus::Storage->requests;
        my $name = "$form->[1]-$share";
        my $bytes = chunked(PUT => "/bkt/$name", body => $big, @$form);
        my $socket = $nginx->connect;
        print $socket substr $bytes, 0, $share * (length($bytes) - 1);
        close $socket;
        ok(wait_for { $nginx->access_log =~ m{/bkt/$name } },
            "$form->[1]: a client that goes at $share");
        is(join(' ', grep { !/ incomplete$/ } Chorus::Storage->requests), '',
            "$form->[1]: main has nothing whole of it");
    }

    Chorus::Storage->requests;
    my $bytes = chunked(PUT => '/slow/k', body => $big, @$form);
    chop $bytes;
    my $reply = $nginx->exchange($bytes, 5);
    is("$reply->{status} " . (code_of($reply) // ''), '400 RequestTimeout',
        "$form->[1]: a client that stops before the last byte");
    cmp_ok($reply->{seconds}, '<', 30, "$form->[1]: is told in time");
    my @requests;
    wait_for {
        push @requests, grep { m{/slow/k} } Chorus::Storage->requests;
        @requests;
    };
    is("@requests", 'main PUT /slow/k incomplete',
        "$form->[1]: and main has nothing");
}


# ---- the same when all is read first: nothing gets to main at all ----

for my $form (\@signed, \@signed_trailer, \@unsigned) {
    for my $decoded (0, 1) {
        Chorus::Storage->requests;
        my $reply = $nginx->exchange(chunked(PUT => '/bkt/k', @$form,
            body => $decoded ? 'a' : '', final => "\r\na"), 4);
        is(code_of($reply), 'InvalidRequest',
            "$form->[1]: $decoded bytes and one behind the end");
        is(join(' ', grep { !/ incomplete/ } Chorus::Storage->requests), '',
            "$form->[1]: $decoded bytes: main has nothing");
    }
}


is($nginx->exchange(chunked(PUT => '/bkt/k', body => $big))->{status}, 200,
    'nginx is well');
is_deeply([$nginx->workers], [$worker], 'no process has died');
ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and there is nothing to complain of');

done_testing();
