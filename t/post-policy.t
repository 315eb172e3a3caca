# Browser uploads (POST with a form): what passes, and what the storage gets.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use IO::Socket::UNIX;
use MIME::Base64 qw(decode_base64);
use Test::More;

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::HTTP2;
use Chorus::Nginx;
use Chorus::Post;
use Chorus::Redis;
use Chorus::Storage;

my $redis = Chorus::Redis->start;
write_file("$Folder/chorus.json",
    chorus_json(redis => { url => $redis->url }), 0600);
Chorus::Storage->start;

my $nginx = Chorus::Nginx->start(
    http => http_config() . 'chorus_repeat off;',
    config => "listen unix:$Folder/h2.sock http2;\n"
        . "chorus_domain s3.example.com;\n"
        . server_config(
            proxy_location('/'),
            proxy_location('/v2-', 'chorus_auth_v2 on;'),
            proxy_location('/open-', 'chorus_anonymous alice write;'),
            proxy_location('/off-', 'chorus_replicate off;'),
            proxy_location('/forced-', 'chorus_replicate archive;'),
            proxy_location('/away-', 'chorus_route archive;')));
wait_for { $nginx->log =~ /Redis is ready/ } or die $nginx->log;

my @echo = ('X-Answer' => 'echo');
my %region = (main => 'us-east-1', archive => 'ap-1');


# What the storage received, from an answer that echoes it: {form, header,
# line}.
sub taken {
    my ($reply) = @_;

    my ($head, $body) = split /\r\n\r\n/, $reply->{body}, 2;
    my ($line, @lines) = split /\r\n/, $head // '';
    my %header = map { /^([^:]+): *(.*)/ ? (lc $1 => $2) : () } @lines;

    return { line => $line // '', header => \%header,
        length => length($body // ''),
        form => form_of($body // '', $header{'content-type'} // '') };
}


# A form that passes.  Returns what taken() returns.
sub passes {
    my ($name, %knob) = @_;

    my $bucket = $knob{bucket} // 'bkt';
    my $storage = delete $knob{storage} // 'main';
    my $user = delete $knob{user} // 'alice';
    my $http2 = delete $knob{http2};
    my $bytes = form(%knob, headers => [@echo, @{ $knob{headers} || [] }]);
    my $reply = $http2 ? $nginx->exchange_http2($bytes
            =~ s/^Content-Type: /content-type: /mr, 1)
        : $nginx->exchange($bytes);
    is($reply->{status}, 200, $name) or diag(substr $reply->{text}, 0, 2000);
    my $taken = taken($reply);
    my $form = $taken->{form};

    is($reply->{headers}{'x-storage'}, $storage, "$name: which storage");
    is($form->{error}, undef, "$name: a form arrives");
    is(is_signed_for($form, $bucket, $storage, $user, $region{$storage}), '',
        "$name: signed for the storage, a condition for each field");
    is($taken->{header}{'content-length'}, $taken->{length},
        "$name: its length");
    is(sha256_hex($form->{file} // 'none'), sha256_hex($knob{file} // ''),
        "$name: the file");
    is_deeply([grep { /^(?:authorization|x-amz-|expect|transfer-encoding)/ }
        keys %{ $taken->{header} }], [], "$name: no header of a signature");

    return $taken;
}


sub marks_are {
    my ($name, @expected) = @_;

    is_deeply([$redis->marks(scalar @expected)], \@expected, "$name: marks");
    $redis->clear;
}


# ---- what a form is ----

my $taken = passes('a form', file => 'hello',
    fields => ['x-amz-meta-a' => 'b c', 'Content-Type' => 'text/x-a',
        success_action_status => 201]);
marks_are('a form', 'alice:bkt:follower k 7');
is($taken->{line}, 'POST /bkt HTTP/1.1', 'the request line is as it came');
is_deeply([map { $taken->{form}{fields}{$_} } qw(key x-amz-meta-a content-type
    success_action_status)], ['k', 'b c', 'text/x-a', 201],
    'fields arrive with their values');
is_deeply([@{ $taken->{form} }{qw(filename file_type)}],
    ['photo.jpg', 'image/jpeg'], 'name and type of the file arrive');
is($taken->{form}{names}[-1], 'file', 'the file is the last');

$taken = passes('fields of the client alone', file => 'x',
    fields => [bucket => 'bkt', 'x-amz-security-token' => 'token'],
    loose => ['x-ignore-me' => '1'], only => [{ bucket => 'bkt' },
        ['starts-with', '$key', ''], ['starts-with', '$x-amz-date', ''],
        ['starts-with', '$x-amz-credential', ''],
        { 'x-amz-algorithm' => 'AWS4-HMAC-SHA256' },
        { 'x-amz-security-token' => 'token' }]);
is_deeply([grep { /^(?:bucket|x-ignore|x-amz-security)/ }
    keys %{ $taken->{form}{fields} }], [],
    'bucket, x-ignore-* and the token stay here');
unlike(join('', values %{ $taken->{form}{fields} }), qr/CHORUS/,
    'nor is there anything of the credential');
marks_are('fields of the client alone', 'alice:bkt:follower k 7');

my $large = join '', map { pack 'N', $_ } 1 .. 1 << 20;
my $wide = 'v' x 8000;

for (
    ['a file of no bytes', 'k', file => ''],
    ['a file of a byte', 'k', file => "\0"],
    ['a file of MiB', 'k', file => $large],
    ['a file that looks like its end', 'k',
        file => "\r\n--\r\n------Boundary7MA4YWx\r\n\r\n--"],
    ['a form without file name and type', 'k', filename => undef,
        file_type => undef],
    ['${filename} in the key', 'u/photo 1.jpg', key => 'u/${filename}',
        filename => 'C:\\a\\photo 1.jpg',
        only => [{ bucket => 'bkt' }, map { ['starts-with', "\$$_", ''] }
            qw(key x-amz-algorithm x-amz-credential x-amz-date)]],
    ['a key of odd bytes', "a//../\xe2\x82\xac+&%2F \"'\$",
        key => "a//../\xe2\x82\xac+&%2F \"'\$", only => [{ bucket => 'bkt' },
            map { ['starts-with', "\$$_", ''] } qw(key x-amz-algorithm
            x-amz-credential x-amz-date)]],
    ['a key of 1024 bytes', 'x' x 1024, key => 'x' x 1024],
    ['a key with a line feed', "a\nb", key => "a\nb"],
    ['a field of 8,000 bytes', 'k', fields => ['x-amz-meta-a' => $wide]],
    ['tags in lines', 'k', fields => [tagging => "a\r\nb\r\n"]],
    ['a tab', 'k', fields => ['x-amz-meta-a' => "a\tb"]],
    ['a boundary in quotes', 'k', boundary => "a'b(c)+_,-./:=?d",
        content_type => 'multipart/form-data; charset=utf-8; '
            . "boundary=\"a'b(c)+_,-./:=?d\""],
    ['names in capitals', 'k', fields => ['X-AMZ-META-A' => 'b']],
    ['blanks behind the boundary', 'k',
        edit => sub { $_[0] =~ s/Boundary7MA4YWxk\r/Boundary7MA4YWxk \t\r/r }],
    ['a policy of the other key', 'k', access_key => 'OTHER-KEY',
        secret => 'other-secret'],
    ['a slash behind the bucket', 'k', target => '/bkt/'],
    ['a range', 'k', file => 'x' x 50,
        conditions => [['content-length-range', 10, 50]], ranged => 1],
) {
    my ($name, $key, %knob) = @$_;

    my $ranged = delete $knob{ranged};
    if ($ranged) {
        my $reply = $nginx->exchange(form(%knob, headers => \@echo));
        is($reply->{status}, 200, $name);
        my $policy = taken($reply)->{form}{fields}{policy};
        like(decode_base64($policy),
            qr/\["content-length-range",10,50\]/, "$name goes to the storage");
    } else {
        my $form = passes($name, %knob)->{form};
        is($form->{fields}{key}, $key, "$name: the key");
    }
    marks_are($name, "alice:bkt:follower $key 7");
}

# what follows the file is for main to judge: it arrives as it came
{
    my $end = "------Boundary7MA4YWxk\r\nContent-Disposition: form-data; "
        . "name=\"submit\"\r\n\r\nUpload\r\n------Boundary7MA4YWxk--\r\nmore";
    my $reply = $nginx->exchange(form(file => 'x', end => $end,
        headers => \@echo));
    is($reply->{status}, 200, 'a field and text behind the file');
    is(substr($reply->{body}, -3 - length $end), "x\r\n$end",
        'arrive as they came');
    marks_are('a field behind the file', 'alice:bkt:follower k 7');
}


# ---- where it goes, and whose it is ----

for (
    ['a follower of each bucket', 'two', 'main', 'alice',
        ['alice:two:archive k 7', 'alice:two:follower k 7']],
    ['a bucket without a replication', 'other', 'main', 'alice', []],
    ['chorus_replicate off', 'off-1', 'main', 'alice', []],
    ['chorus_replicate with a follower', 'forced-1', 'main', 'alice',
        ['alice:forced-1:archive k 7']],
    ['a route', 'logs-1', 'archive', 'alice', []],
    ['a route of the user', 'bobs', 'archive', 'bob', []],
    ['chorus_route', 'away-1', 'archive', 'alice', []],
) {
    my ($name, $bucket, $storage, $user, $marks) = @$_;

    passes($name, bucket => $bucket, target => "/$bucket", file => 'x',
        storage => $storage, user => $user,
        $user eq 'bob' ? (access_key => 'BOB-KEY', secret => 'bob-secret')
            : ());
    marks_are($name, @$marks);
}

for (['a bucket in the host', host => 'bkt.s3.example.com', target => '/']) {
    my ($name, %knob) = @$_;

    my $seen = passes($name, %knob, file => 'x');
    like($seen->{line}, qr{^POST /bkt/? HTTP}, "$name: and then in the path");
    marks_are($name, 'alice:bkt:follower k 7');
}

is($nginx->exchange(form(host => 'bkt.s3.example.com', target => '/',
    bucket => 'other'))->{status}, 403,
    'a policy for another bucket than that of the host');

passes('version 2 where it is allowed', version => 2, bucket => 'v2-b',
    target => '/v2-b', file => 'x');
passes('a form of nobody where it is allowed', version => 0,
    bucket => 'open-b', target => '/open-b', file => 'x',
    fields => ['x-amz-meta-a' => 'b', 'Content-Type' => 'text/plain']);
passes('a user where nobody is allowed, too', bucket => 'open-b',
    target => '/open-b', file => 'x', fields => [acl => 'public-read']);


# ---- answers ----

for (
    [303, 1, "Location: http://example.com/?bucket=bkt&key=k\r\n"],
    [201, 1, "Location: http://main.test:9001/bkt/k\r\n"],
    [204, 1, ''],
    [403, 0, ''],
    [500, 1, ''],
) {
    my ($status, $marks, $header) = @$_;

    my $length = $status == 204 ? '' : "Content-Length: 3\r\n";
    my $body = $status == 204 ? '' : '<a>';
    write_file("$Folder/answer", "HTTP/1.1 $status Said\r\n${header}$length"
        . "ETag: \"e\"\r\nX-Amz-Request-Id: main\r\n\r\n$body");
    my $reply = $nginx->exchange(form(file => 'x',
        headers => ['X-Answer' => 'file:answer']));
    is($reply->{status}, $status, "main's $status comes back");
    is($reply->{body}, $body, "$status: with its body");
    is($reply->{headers}{location} // '', $header =~ /: (.*)\r/ ? $1 : '',
        "$status: with its Location");
    is($reply->{headers}{'x-amz-request-id'}, 'main', "$status: and its id");
    marks_are($status, ('alice:bkt:follower k 7') x $marks);
}

# ---- HTTP/2 ----

for (['nothing', ''], ['little', 'hello'], ['MiB', $large]) {
    my ($name, $file) = @$_;

    passes("HTTP/2, a file of $name", http2 => 1, file => $file);
    marks_are("HTTP/2, $name", 'alice:bkt:follower k 7');
}
{
    my $socket = IO::Socket::UNIX->new(Peer => "$Folder/h2.sock") or die $!;
    my $answer = Chorus::HTTP2::exchange($socket, form(file => 'x'));
    like($answer->{body}, qr/<Code>MissingContentLength</,
        'HTTP/2 without a length is refused');
}

ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and has nothing to complain of');
unlike($nginx->log, qr/secret/, 'nor secrets');

done_testing();
