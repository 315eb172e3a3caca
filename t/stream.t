# Bodies stream through, both ways: nothing on disk, little in memory, and no
# harm from clients that go.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Test::More;
use Time::HiRes qw(sleep time);

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sign qw(request);
use Chorus::Storage;

my $SIZE = 16 * 1024 * 1024;
my $MEMORY_KB = 4 * 1024;       # that one request may take
my @unsigned = (payload => 'UNSIGNED-PAYLOAD');

my $redis = Chorus::Redis->start;
write_file("$Folder/chorus.json",
    chorus_json(redis => { url => $redis->url }), 0600);
Chorus::Storage->start('main');

# a process that quits would stay to repeat marks
my $nginx = Chorus::Nginx->start(
    http => http_config() . 'chorus_repeat off;');
my ($worker) = $nginx->workers;
$nginx->exchange(request(GET => '/bkt/warm'));


sub memory_kb {
    my ($peak) = read_file("/proc/$worker/status") =~ /^VmRSS:\s+(\d+)/m;
    return $peak;
}


sub temporary_files {
    return grep { /_temp/ } map { readlink // '' } glob "/proc/$worker/fd/*";
}


# Sends bytes piece by piece, and looks at nginx meanwhile.
sub upload {
    my ($bytes) = @_;

    my $memory = memory_kb();
    my ($most, @files) = (0);
    my $socket = $nginx->connect;
    for (my $at = 0; $at < length $bytes; $at += 1 << 20) {
        print $socket substr $bytes, $at, 1 << 20;
        $socket->flush;
        my $more = memory_kb() - $memory;
        $most = $more if $more > $most;
        push @files, temporary_files();
    }
    my $text = join '', <$socket>;

    return ({ Chorus::Nginx::parse($text) }, $most, @files);
}


# ---- uploads ----

my $body = join '', map { pack 'N', $_ } 1 .. $SIZE / 4;
my $digest = sha256_hex($body);

sub chunks {
    return $_[0] =~ s/(.{32000}|.+)/
        sprintf "%x\r\n%s\r\n", length $1, $1/gser . "0\r\n\r\n";
}

my @chunked = (headers => ['Transfer-Encoding' => 'chunked']);

for (
    ['a large body', PUT => '/bkt/large', $body],
    ['a large body in chunks', POST => '/bkt/large?select&select-type=2',
        chunks($body), @chunked],
) {
    my ($name, $method, $target, $bytes, @more) = @$_;

    my ($reply, $memory, @files) = upload(request($method => $target,
        body => $bytes, @unsigned, @more));
    is($reply->{status}, 200, $name);
    is($reply->{headers}{'x-body-length'}, $SIZE, "$name: the length");
    is($reply->{headers}{'x-body-sha256'}, $digest, "$name: the content");
    cmp_ok($memory, '<', $MEMORY_KB, "$name: little memory");
    is_deeply(\@files, [], "$name: no file");
}

# S3 wants to know the length of an object first; whether a body comes in one
# packet with its head must not make the difference
for (['small', 'x' x 100], ['large', 'x' x 200_000]) {
    my ($name, $bytes) = @$_;

    my $reply = $nginx->exchange(request(PUT => '/bkt/unsized',
        body => chunks($bytes), @unsigned, @chunked));
    is($reply->{status}, 411, "a $name object without a length is refused");
}

# the storage answers before the client has sent its body
{
    my $socket = $nginx->connect;
    print $socket substr request(PUT => '/bkt/early', body => $body, @unsigned,
        headers => ['X-Answer' => 'early']), 0, 2000;
    $socket->flush;
    my $line = readline $socket;
    like($line, qr{^HTTP/1.1 200 }, 'a request goes on before its body ends');
}

# who waits for 100 Continue gets it, when it may go on
{
    my $socket = $nginx->connect;
    my ($head, $rest) = request(PUT => '/bkt/continue', body => 'hello',
        headers => [Expect => '100-continue']) =~ /(.*?\r\n\r\n)(.*)/s;
    print $socket $head;
    $socket->flush;
    my $line = readline $socket;
    like($line, qr{^HTTP/1.1 100 }, 'who waits for 100 Continue gets it');
    print $socket $rest;
    $socket->flush;
    my $text = join '', <$socket>;
    like($text, qr/^X-Body-Length: 5\r/m, 'and passes');
}


# ---- downloads ----

for (
    ['a large answer', "size:$SIZE"],
    ['a large answer in chunks', "size:$SIZE chunked"],
) {
    my ($name, $answer) = @$_;

    my $memory = memory_kb();
    my ($most, $text, @files) = (0, '');
    my $socket = $nginx->connect;
    print $socket request(GET => '/bkt/large',
        headers => ['X-Answer' => $answer]);
    $socket->flush;
    sleep 0.3;          # a client that reads slowly
    while (sysread $socket, $text, 1 << 20, length $text) {
        my $more = memory_kb() - $memory;
        $most = $more if $more > $most;
        push @files, temporary_files() if rand() < 0.05;
    }

    my $reply = { Chorus::Nginx::parse($text) };
    is($reply->{status}, 200, $name);
    is(length $reply->{body}, $SIZE, "$name: the length");
    cmp_ok($most, '<', $MEMORY_KB, "$name: little memory");
    is_deeply(\@files, [], "$name: no file");
}

my $reply = $nginx->exchange(request(GET => '/bkt/k',
    headers => ['X-Answer' => 'half']));
is($reply->{status}, 200, 'an answer that breaks off');
isnt(length $reply->{body}, $reply->{headers}{'content-length'},
    'breaks off for the client, too');


# ---- clients that go ----

Chorus::Storage->requests;
for my $share (0.1, 0.5, 0.99) {
    my $socket = $nginx->connect;
    my $bytes = request(PUT => "/bkt/gone-$share", body => $body, @unsigned);
    print $socket substr $bytes, 0, $share * length $bytes;
    $socket->flush;
    close $socket;
}
my @gone = map { "alice:bkt:follower gone-$_ 7" } 0.1, 0.5, 0.99;
wait_for { 3 <= grep { /gone/ } $redis->marks_now };
is_deeply([grep { /gone/ } $redis->marks_now], \@gone,
    'clients that go: their keys are marked');
my @requests;
wait_for { push @requests, Chorus::Storage->requests; @requests >= 3 };
is_deeply([sort @requests], [map { "main PUT /bkt/gone-$_ incomplete" }
    0.1, 0.5, 0.99], 'clients that go: main gets no whole body');

for my $share (0, 0.5) {
    my $socket = $nginx->connect;
    print $socket request(GET => '/bkt/large',
        headers => ['X-Answer' => "size:$SIZE"]);
    $socket->flush;
    read $socket, my $some, $share * $SIZE;
    close $socket;
}

# the signed length is more than there is
{
    my $socket = $nginx->connect;
    print $socket request(PUT => '/bkt/short', body => 'hello',
        @unsigned) =~ s/Content-Length: 5/Content-Length: 50/r;
    $socket->flush;
    sleep 0.1;
    shutdown $socket, 1;
    my $text = join '', <$socket>;
    like($text, qr{^(?:HTTP/1.1 [45]\d\d |$)}, 'a body that is too short');
    my @requests;
    wait_for {
        push @requests, grep { m{/short} } Chorus::Storage->requests;
        @requests;
    };
    is($requests[0], 'main PUT /bkt/short incomplete',
        'does not get whole to main');
}

# ---- lengths that nginx refuses ----

for (
    ['a length that is none', 'Content-Length' => 'five'],
    ['a negative length', 'Content-Length' => '-5'],
    ['two lengths', 'Content-Length' => '5', 'Content-Length' => '6'],
    ['a length and chunks', 'Transfer-Encoding' => 'chunked',
        'Content-Length' => '5'],
    ['another encoding', 'Transfer-Encoding' => 'gzip'],
) {
    my ($name, @headers) = @$_;

    Chorus::Storage->requests;
    my $bytes = request(PUT => '/bkt/k', @unsigned, after => \@headers)
        . "5\r\nhello\r\n0\r\n\r\n";
    my $reply = $nginx->exchange($bytes);
    like($reply->{status}, qr/^(?:400|501)$/, "$name is refused");
    is_deeply([grep { m{/bkt/k} } Chorus::Storage->requests], [],
        "$name does not get to main");
}

# one request smuggled behind another is a request of its own
{
    my $inner = "GET /bkt/smuggled HTTP/1.1\r\nHost: x\r\n"
        . "Connection: close\r\n\r\n";
    my $socket = $nginx->connect;
    Chorus::Storage->requests;
    print $socket request(PUT => '/bkt/k', body => 'hello', @unsigned,
        connection => 'keep-alive') . $inner;
    $socket->flush;
    my $text = join '', <$socket>;
    like($text, qr{^HTTP/1.1 200 .*^HTTP/1.1 403 }ms,
        'what stands behind a body is a request, and is not signed');
    is_deeply([Chorus::Storage->requests], ['main PUT /bkt/k'],
        'and does not get to main');
}

is($nginx->exchange(request(GET => '/bkt/k'))->{status}, 200,
    'nginx is well');
is_deeply([$nginx->workers], [$worker], 'no process has died');
ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/buffered to a temporary file/, 'nothing was buffered');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and there is nothing to complain of');

done_testing();
