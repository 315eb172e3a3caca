# Browser uploads that are refused: each has its answer, main never gets one
# whole, nothing behind it is taken for a request, and what main would read
# in another way than Chorus does not reach it.

use strict;
use warnings;

use IO::Socket::UNIX;
use Test::More;
use Time::HiRes qw(sleep time);

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::HTTP2;
use Chorus::Nginx;
use Chorus::Post;
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
        proxy_location('/v2-', 'chorus_auth_v2 on;'),
        proxy_location('/open-', 'chorus_anonymous alice write;'),
        proxy_location('/read-', 'chorus_anonymous alice;'),
        proxy_location('/slow-', 'client_body_timeout 500ms;')));
my ($worker) = $nginx->workers;
wait_for { $nginx->log =~ /Redis is ready/ } or die $nginx->log;

my $smuggled = "GET /bkt/smuggled HTTP/1.1\r\nHost: x\r\n"
    . "Connection: close\r\n\r\n";
my $inside = $smuggled =~ s/smuggled/inside/r;
my $big = "$inside\r\n\r\n" . 'x' x 300_000 . "\r\n$inside";
my $boundary = $Chorus::Post::Default{boundary};


sub part {
    my ($lines, $value) = @_;

    return [undef, undef, "$lines\r\n\r\n$value"];
}


# A part of its own making, in front of the file.
sub with_part {
    my (@part) = @_;

    return (order => sub { (@_, part(@part)) });
}


sub field_part {
    return with_part("Content-Disposition: form-data; $_[0]", $_[1] // 'v');
}


my $open = sub { (version => 0, bucket => 'open-b', target => '/open-b') };
my @open = $open->();
my $exact = sub { (only => [@_]) };
my @any = map { ['starts-with', "\$$_", ''] } qw(key x-amz-algorithm
    x-amz-credential x-amz-date);

my @refused = (
    # signatures
    ['another signature', 'SignatureDoesNotMatch', 403,
        set => { 'x-amz-signature' => 'a' x 64 }],
    ['a signature in capitals', 'SignatureDoesNotMatch', 403,
        order => sub { map { $_->[0] eq 'x-amz-signature'
            ? [$_->[0], uc $_->[1]] : $_ } @_ }],
    ['no signature', 'InvalidArgument', 400,
        set => { 'x-amz-signature' => undef }],
    ['an empty signature', 'SignatureDoesNotMatch', 403,
        set => { 'x-amz-signature' => '' }],
    ['the wrong secret', 'SignatureDoesNotMatch', 403, secret => 'wrong'],
    ["main's credential", 'InvalidAccessKeyId', 403,
        access_key => 'MAIN-ALICE', secret => 'main-alice-secret'],
    ['an unknown key', 'InvalidAccessKeyId', 403, access_key => 'NOBODY'],
    ['another region', 'InvalidArgument', 400, region => 'eu-9'],
    ['another day', 'InvalidArgument', 400, day => '20200101'],
    ['an algorithm of its own', 'InvalidArgument', 400,
        set => { 'x-amz-algorithm' => 'AWS4-HMAC-SHA1' }],
    ['SigV4A', 'NotImplemented', 501,
        set => { 'x-amz-algorithm' => 'AWS4-ECDSA-P256-SHA256' }],
    ['a policy changed behind its signature', 'SignatureDoesNotMatch', 403,
        set => { policy => 'e30=' }],
    ['no policy', 'InvalidArgument', 400, set => { policy => undef }],
    ['credentials of two versions', 'InvalidArgument', 400,
        set => { AWSAccessKeyId => 'CHORUS-KEY', signature => 'x' }],
    ['version 2', 'InvalidRequest', 400, version => 2],
    ['version 2, the wrong secret', 'SignatureDoesNotMatch', 403,
        version => 2, secret => 'wrong', bucket => 'v2-b',
        target => '/v2-b'],

    # policies
    ['an expired policy', 'AccessDenied', 403, expires => -1],
    ['another bucket in the policy', 'AccessDenied', 403, bucket => 'other'],
    ['another bucket in the request', 'AccessDenied', 403,
        target => '/other'],
    ['another bucket in a field', 'AccessDenied', 403,
        fields => [bucket => 'other'], bucket => 'other'],
    ['a policy without a bucket', 'AccessDenied', 403,
        $exact->(@any)],
    ['another key', 'AccessDenied', 403, set => { key => 'other' }],
    ['a key that does not begin so', 'AccessDenied', 403, key => 'u/k',
        $exact->({ bucket => 'bkt' }, ['starts-with', '$key', 'v/'],
            @any[1 .. 3])],
    ['a key that begins so only before ${filename}', 'AccessDenied', 403,
        key => '${filename}', filename => 'other',
        $exact->({ bucket => 'bkt' }, ['starts-with', '$key', '${file'],
            @any[1 .. 3])],
    ['another value', 'AccessDenied', 403, fields => [acl => 'private'],
        set => { acl => 'public-read' }],
    ['a field without a condition', 'AccessDenied', 403,
        loose => ['x-amz-meta-a' => 'b']],
    ['an ACL without a condition', 'AccessDenied', 403,
        loose => [acl => 'public-read']],
    ['a condition without a field', 'AccessDenied', 403,
        conditions => [{ acl => 'private' }]],
    ['an unknown operator', 'InvalidPolicyDocument', 400,
        conditions => [['ends-with', '$key', 'k']]],
    ['a file too small', 'EntityTooSmall', 400, file => 'x',
        conditions => [['content-length-range', 1000, 2000]]],
    ['a range that is none', 'AccessDenied', 403,
        conditions => [['content-length-range', 'a', 'b']]],
    ['no JSON', 'InvalidPolicyDocument', 400, document => '{'],
    ['JSON that is no object', 'InvalidPolicyDocument', 400,
        document => '[]'],
    ['JSON that ends twice', 'InvalidPolicyDocument', 400,
        document => '{"expiration":"2099-01-01T00:00:00.000Z",'
            . '"conditions":[]}}'],
    ['no expiration', 'InvalidPolicyDocument', 400,
        document => '{"conditions":[]}'],
    ['an expiration that is none', 'InvalidPolicyDocument', 400,
        expiration => 'tomorrow'],
    ['no conditions', 'InvalidPolicyDocument', 400,
        document => '{"expiration":"2099-01-01T00:00:00.000Z"}'],
    ['deep JSON', 'InvalidPolicyDocument', 400, document => '[' x 5000],
    ['no base64', 'InvalidPolicyDocument', 400, policy => '!!!!'],
    ['an empty policy', 'InvalidPolicyDocument', 400, policy => ''],

    # fields
    ['no key', 'InvalidArgument', 400, key => undef],
    ['an empty key', 'InvalidArgument', 400, key => ''],
    ['a key of 1,025 bytes', 'KeyTooLongError', 400, key => 'x' x 1025],
    ['a key that ${filename} makes too long', 'KeyTooLongError', 400,
        key => 'u/${filename}', filename => 'x' x 1023],
    ['a file name that is a variable', 'InvalidArgument', 400,
        key => '${filename}', filename => '${filename}'],
    ['no file', 'InvalidArgument', 400, file => undef],
    ['a file before other fields', undef, 4, order => sub {
        (part('Content-Disposition: form-data; name="file"', 'x'), @_) }],
    ['a file before the signature', undef, 4, order => sub {
        (@_[0 .. 3], part('Content-Disposition: form-data; name="file"', 'x'),
            @_[4 .. $#_]) }],
    ['101 fields', 'MaxPostPreDataLengthExceededError', 400,
        fields => [map { ("x-amz-meta-$_" => 1) } 1 .. 100]],
    ['fields of 21,000 bytes', 'MaxPostPreDataLengthExceededError', 400,
        loose => ['x-ignore-me' => 'x' x 21_000]],
    ['a field of 1 MiB', 'MaxPostPreDataLengthExceededError', 400,
        loose => ['x-ignore-me' => 'x' x (1 << 20)]],
    ['headers of a part of 9,000 bytes', 'MaxPostPreDataLengthExceededError',
        400, with_part('Content-Disposition: form-data; name="x-ignore-a"'
            . "\r\nX: " . 'x' x 9000, 'v')],
    ['headers of a part without an end',
        'MaxPostPreDataLengthExceededError', 400,
        edit => sub { "--$boundary\r\n" . 'x' x 100_000 }],
    ['a field twice', 'InvalidArgument', 400,
        loose => ['x-ignore-a' => 1, 'x-ignore-a' => 2]],
    ['a key twice, in another case', 'InvalidArgument', 400,
        set => { KEY => 'other' }],
    ['a field that is not UTF-8', 'InvalidArgument', 400,
        loose => ['x-ignore-a' => "\xff"]],
    (map { my $bytes = $_; map { [sprintf("a %s with %vd", $_, $bytes),
        'InvalidArgument', 400, fields => [$_ => "a${bytes}X-Other: b"]] }
        'x-amz-meta-a', 'Content-Type', 'success_action_redirect',
        'Cache-Control', 'other' } "\r\n", "\n", "\r", "\x01", "\x7f"),
    ['a key with a NUL', 'InvalidArgument', 400, key => "k\0x"],

    # what main might read in another way
    ['text before the first boundary', 'MalformedPOSTRequest', 400,
        edit => sub { "preamble\r\n$_[0]" }],
    ['a CRLF before the first boundary', 'MalformedPOSTRequest', 400,
        edit => sub { "\r\n$_[0]" }],
    ['lines that end in LF alone', 'MalformedPOSTRequest', 400,
        edit => sub { $_[0] =~ s/\r\n/\n/gr }],
    ['one line that ends in LF alone', 'MalformedPOSTRequest', 400,
        with_part("X: 1\nContent-Disposition: form-data; name=\"x-ignore-a\"",
            'v')],
    ['a folded header', 'MalformedPOSTRequest', 400,
        with_part("Content-Disposition: form-data;\r\n name=\"x-ignore-a\"",
            'v')],
    ['a header twice', 'MalformedPOSTRequest', 400, with_part(
        "Content-Disposition: form-data; name=\"x-ignore-a\"\r\n"
        . "Content-Disposition: form-data; name=\"key\"", 'v')],
    ['a part without a name', 'MalformedPOSTRequest', 400,
        with_part('Content-Disposition: form-data', 'v')],
    ['a part without a disposition', 'MalformedPOSTRequest', 400,
        with_part('X: 1', 'v')],
    ['a part that is an attachment', 'MalformedPOSTRequest', 400,
        with_part('Content-Disposition: attachment; name="x-ignore-a"', 'v')],
    ['two names', 'MalformedPOSTRequest', 400,
        field_part('name="x-ignore-a"; name="key"')],
    ['an empty name', undef, 4, field_part('name=""')],
    ['blanks in a name', undef, 4, field_part('name="key "')],
    ['a quote in a name', undef, 4, field_part('name="x-ignore-\"a"')],
    ['a name whose quotes do not end', 'MalformedPOSTRequest', 400,
        field_part('name="x-ignore-a')],
    ['a name with a NUL', 'MalformedPOSTRequest', 400,
        field_part("name=\"x-ignore-a\0b\"")],
    ['text behind a quote', 'MalformedPOSTRequest', 400,
        field_part('name="x-ignore-a"b')],
    ['a blank before the colon', 'MalformedPOSTRequest', 400,
        with_part('Content-Disposition : form-data; name="x-ignore-a"', 'v')],
    ['the boundary in a value', 'MalformedPOSTRequest', 400,
        loose => ['x-ignore-a' => "a--$boundary--b"]],
    ['the boundary in a name', 'MalformedPOSTRequest', 400,
        field_part("name=\"x-ignore-a--$boundary\"")],
    ['the boundary in the name of the file', 'MalformedPOSTRequest', 400,
        filename => "--$boundary", key => '${filename}'],
    ['the boundary without a line of its own', 'MalformedPOSTRequest', 400,
        edit => sub { $_[0] =~ s/\r\n--$boundary/--$boundary/r }],
    ['text behind a boundary', 'MalformedPOSTRequest', 400,
        edit => sub { $_[0] =~ s/$boundary\r/${boundary}x\r/r }],
    ['the end before the file', undef, 4,
        edit => sub { "--$boundary--\r\n$_[0]" }],
    ['all there, but no boundary', 'MalformedPOSTRequest', 400,
        edit => sub { 'x' x 1000 }],
    ['half a boundary', 'MalformedPOSTRequest', 400,
        edit => sub { '--' . substr $boundary, 0, 10 }],
    ['an end in the fields', 'MalformedPOSTRequest', 400,
        edit => sub { substr $_[0], 0, 300 }],
    ['nothing', 'MalformedPOSTRequest', 400, edit => sub { '' }],

    # Content-Type
    ['no boundary', 'MalformedPOSTRequest', 400,
        content_type => 'multipart/form-data'],
    ['an empty boundary', 'MalformedPOSTRequest', 400,
        content_type => 'multipart/form-data; boundary='],
    ['a boundary of 71 bytes', 'MalformedPOSTRequest', 400,
        boundary => 'b' x 71],
    ['a boundary with a blank', 'MalformedPOSTRequest', 400,
        content_type => 'multipart/form-data; boundary="a b"'],
    ['a boundary that is not ASCII', 'MalformedPOSTRequest', 400,
        content_type => "multipart/form-data; boundary=\xc3\xbc"],
    ['two boundaries', 'MalformedPOSTRequest', 400, content_type =>
        "multipart/form-data; boundary=$boundary; boundary=$boundary"],
    ['another boundary', 'MalformedPOSTRequest', 400,
        content_type => 'multipart/form-data; boundary=other'],
    ['another multipart', undef, 4,
        content_type => "multipart/mixed; boundary=$boundary"],
    ['another type', undef, 4, content_type => 'text/plain'],
    ['two types', 'AccessDenied', 403,
        headers => ['Content-Type' => 'text/plain']],
    ['two types with boundaries', 'MalformedPOSTRequest', 400, headers =>
        ['Content-Type' => "multipart/form-data; boundary=$boundary"]],

    # requests
    ['no length', 'MissingContentLength', 411,
        content_length => undef, edit => sub {
            sprintf "%x\r\n%s\r\n0\r\n\r\n", length $_[0], $_[0] },
        headers => ['Transfer-Encoding' => 'chunked']],
    ['no length and no body', 'MissingContentLength', 411,
        content_length => undef, edit => sub { '' }],
    (map { ["a header $_", 'AccessDenied', 403, headers => [$_ => 'x']] }
        'x-amz-acl', 'X-Amz-Meta-A', 'x-amz-tagging', 'x_amz_acl',
        'x-amz-storage-class', 'x-amz-copy-source'),
    ['an argument', 'AccessDenied', 403, target => '/bkt?a=b'],
    ['an x-id', 'AccessDenied', 403, target => '/bkt?x-id=PostObject'],
    ['a form on a key', 'AccessDenied', 403, target => '/bkt/k'],
    ['an Authorization as well', undef, 4,
        headers => [Authorization => 'AWS4-HMAC-SHA256 x']],
    ['another method', 'AccessDenied', 403, method => 'PUT',
        target => '/bkt'],

    # of nobody
    ['a form of nobody', 'AccessDenied', 403, version => 0],
    ['a form of nobody, who may read', 'AccessDenied', 403, version => 0,
        bucket => 'read-b', target => '/read-b'],
    (map { ["a form of nobody with $_", 'AccessDenied', 403, @open,
        fields => [$_ => 'x']] } 'acl', 'ACL', 'x-amz-storage-class',
        'x-amz-website-redirect-location', 'X-Amz-Tagging', 'x_amz_acl',
        'x-amz-object-lock-mode', 'x-amz-grant-read', 'policy',
        'x-amz-date'),
    (map { ["a form of nobody on $_", 'AccessDenied', 403, @open,
        target => $_, fields => [acl => 'public-read']] }
        '/open-b?x-id=PostObject', '/open-b/k', '/open-b?prefix=x',
        '/open-b/?x-id=PostObject'),
);

for my $case (@refused) {
    my ($name, $code, $status, %knob) = @$case;

    is_refused($name, $code, $status, form(file => $big, %knob,
        connection => 'keep-alive') . $smuggled);
}


# The answer is that, main gets nothing, and what lies behind is only heard
# when the body was read to its end.
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

    my (undef, @more) = split m{(?=HTTP/1\.1 \d{3} )}, $text;
    like(join(' ', map { m{<Resource>(.*?)</Resource>} ? $1 : $_ } @more),
        qr{^(?:/bkt/smuggled)?$}, "$name: nothing in the body is a request");
    is(join(' ', Chorus::Storage->requests), '', "$name: main has nothing");
}


sub code_of {
    my ($reply) = @_;

    return ($reply->{body} =~ m{<Code>(\w+)</Code>})[0];
}

is_deeply([$redis->marks], [], 'no refusal marks');


# by HTTP/2 the connection goes on, and the stream does not
for (['another signature', 'SignatureDoesNotMatch',
        set => { 'x-amz-signature' => 'a' x 64 }],
    ['an expired policy', 'AccessDenied', expires => -1],
    ['a header', 'AccessDenied', headers => ['x-amz-acl' => 'x']])
{
    my ($name, $code, %knob) = @$_;

    Chorus::Storage->requests;
    my $socket = IO::Socket::UNIX->new(Peer => "$Folder/h2.sock")
        or die "nginx: $!\n";
    my $reply = Chorus::HTTP2::exchange($socket,
        form(file => $big, %knob), 1);
    is(code_of($reply), $code, "HTTP/2: $name");
    ok($reply->{is_whole}, "HTTP/2: $name: the whole answer");
    is(join(' ', Chorus::Storage->requests), '',
        "HTTP/2: $name: main has nothing");
}

is($nginx->exchange(form(file => $big))->{status}, 200, 'nginx is well');
is_deeply([$nginx->workers], [$worker], 'no process has died');
ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and there is nothing to complain of');

done_testing();
