# Browser uploads as they come over the wire: in one packet, byte by byte, too
# slowly, not to the end; in little memory, and with others on a connection.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;
use Time::HiRes qw(sleep time);

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::HTTP2;
use Chorus::Nginx;
use Chorus::Post;
use Chorus::Redis;
use Chorus::Storage;

my $SIZE = 32 * 1024 * 1024;
my $MEMORY_KB = 4 * 1024;       # that one upload may take

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
        proxy_location('/slow-', 'client_body_timeout 500ms;'),
        proxy_location('/small-', 'client_body_buffer_size 1k;')));
my ($worker) = $nginx->workers;
wait_for { $nginx->log =~ /Redis is ready/ } or die $nginx->log;

my @echo = ('X-Answer' => 'echo');


sub memory_kb {
    my ($kb) = read_file("/proc/$worker/status") =~ /^VmRSS:\s+(\d+)/m;
    return $kb;
}


sub temporary_files {
    return grep { /_temp/ } map { readlink // '' } glob "/proc/$worker/fd/*";
}


sub code_of {
    my ($reply) = @_;

    return ($reply->{body} =~ m{<Code>(\w+)</Code>})[0] // '';
}


# The form that the storage received, from a reply that echoes it.
sub echoed {
    my ($reply) = @_;

    my ($head, $body) = split /\r\n\r\n/, $reply->{body}, 2;
    my ($type) = ($head // '') =~ /^Content-Type: *(.*?)\r?$/mi;

    return form_of($body // '', $type // '');
}


# Sends the bytes in pieces of these sizes, the last of them again and again,
# with a break after each.
sub send_pieces {
    my ($bytes, $seconds, @sizes) = @_;

    my $socket = $nginx->connect;
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    while (length $bytes) {
        my $size = @sizes > 1 ? shift @sizes : $sizes[0];
        syswrite $socket, substr $bytes, 0, $size, '';
        sleep $seconds if $seconds;
    }

    return $socket;
}


sub reply_of {
    my ($socket) = @_;

    return { Chorus::Nginx::parse(join '', <$socket>) };
}


# ---- pieces ----

$nginx->exchange(form(file => 'x'));
$redis->marks(1);
$redis->clear;

my $file = join '', map { chr 97 + $_ % 26 } 1 .. 3000;
my $whole = form(file => $file, headers => \@echo,
    fields => [tagging => "a\r\n--b\r\n"]);
my $head = index($whole, "\r\n\r\n") + 4;
my $file_at = index($whole, $file);

sub is_whole {
    my ($name, $reply) = @_;

    my $form = echoed($reply);
    is($reply->{status}, 200, $name);
    is($form->{file} // $form->{error}, $file, "$name: the file");
    is(is_signed_for($form, 'bkt', 'main', 'alice', 'us-east-1'), '',
        "$name: the form");
}

is_whole('byte by byte', reply_of(send_pieces($whole, 0.0003, 1)));
for (
    ['head and body apart', $head],
    ['up to the file, and then the file', $file_at],
    ['up to a byte before the file', $file_at - 1],
    ['up to a byte of the file', $file_at + 1],
    ['half of the file', $file_at + 1500],
    ['all but the last byte', length($whole) - 1],
    ['all but the last boundary', length($whole) - 26],
    ['in the middle of the first boundary', $head + 9],
    ['in the middle of a field', $head + 120],
) {
    my ($name, $at) = @$_;

    is_whole($name, reply_of(send_pieces($whole, 0.05, $at, 1 << 20)));
}
is_whole('pieces of 7 bytes', reply_of(send_pieces($whole, 0.0005, 7)));
is_deeply([$redis->marks(1)], ['alice:bkt:follower k 7'], 'all of them mark');
$redis->clear;

{
    my $reply = $nginx->exchange(form(bucket => 'small-b',
        target => '/small-b', file => $file x 100, headers => \@echo));
    is($reply->{status}, 200, 'a small buffer of nginx');
    is(sha256_hex(echoed($reply)->{file}), sha256_hex($file x 100),
        'a small buffer: the file');
}

# who waits for 100 Continue gets it before the form is known
{
    my $bytes = form(file => $file, headers => [@echo,
        Expect => '100-continue']);
    my $socket = $nginx->connect;
    my $at = index($bytes, "\r\n\r\n") + 4;
    print $socket substr $bytes, 0, $at;
    $socket->flush;
    my $line = readline $socket;
    like($line, qr{^HTTP/1.1 100 }, '100 Continue');
    readline $socket;
    print $socket substr $bytes, $at;
    $socket->flush;
    is_whole('after 100 Continue', reply_of($socket));

    $bytes = form(file => $file, headers => [Expect => '100-continue',
        'x-amz-acl' => 'public-read']);
    $socket = $nginx->connect;
    print $socket substr $bytes, 0, index($bytes, "\r\n\r\n") + 4;
    $socket->flush;
    like(scalar(readline $socket), qr{^HTTP/1.1 403 },
        'no 100 Continue where the head is refused');
}


# ---- connections ----

{
    my %keep = (connection => 'keep-alive', headers => \@echo);
    my @forms = (form(%keep, file => 'one', key => 'k1'),
        form(%keep, file => 'two' x 50_000, key => 'k2'),
        form(%keep, file => '', key => 'k3'),
        form(headers => \@echo, file => 'four', key => 'k4'));
    my $socket = $nginx->connect;
    my $text = '';
    for my $bytes (@forms) {
        print $socket $bytes;
        $socket->flush;
        my ($length, $part) = (0, '');
        while (defined(my $line = readline $socket)) {
            $part .= $line;
            $length = $1 if $line =~ /^Content-Length: *(\d+)/i;
            last if $line eq "\r\n";
        }
        read $socket, $part, $length, length $part;
        my $form = echoed({ Chorus::Nginx::parse($part) });
        $text .= "$form->{fields}{key}:" . length($form->{file}) . ' ';
    }
    is($text, 'k1:3 k2:150000 k3:0 k4:4 ', 'four forms on a connection');

    # the same without waiting
    $text = $nginx->exchange(join '', @forms)->{text};
    is(scalar(() = $text =~ m{^HTTP/1\.1 200 }mg), 4,
        'four forms at once on a connection');
}

{
    my $reply = $nginx->exchange(form(file => 'x', secret => 'wrong',
        connection => 'keep-alive') . form(file => 'x'));
    is($reply->{status}, 403, 'a refused form');
    is($reply->{headers}{connection}, 'close', 'ends its connection');
    unlike($reply->{body}, qr{HTTP/1}, 'and what follows is not heard');
}


# ---- clients that go, stay, or lie ----

for (
    ['in the head of the form', $head + 300, 0],
    ['at the beginning of the file', $file_at, 1],
    ['in the file', $file_at + 100, 1],
    ['before the last byte', length($whole) - 1, 1],
) {
    my ($name, $at, $reaches_main) = @$_;

    Chorus::Storage->requests;
    $redis->clear;
    my $begun = Chorus::Storage->begun;
    my $socket = send_pieces(substr($whole, 0, $at), 0, $at);
    sleep 0.1;
    wait_for { Chorus::Storage->begun >= $begun + $reaches_main };
    close $socket;
    my @requests;
    wait_for { push @requests, Chorus::Storage->requests;
        @requests >= $reaches_main };
    is("@requests", $reaches_main ? 'main POST /bkt incomplete' : '',
        "a client that goes $name");
    # what came before may be marked again
    my $marks = sub { grep { $_ eq 'alice:bkt:follower k 7' }
        $redis->marks_now };
    wait_for { $marks->() >= $reaches_main };
    is(scalar $marks->(), $reaches_main, "$name: marks");

    Chorus::Storage->requests;
    my $slow = form(file => $file, bucket => 'slow-b', target => '/slow-b');
    my $begin = time;
    my $reply = reply_of(send_pieces(substr($slow, 0, $at - length($whole)),
        0, $at));
    is("$reply->{status} " . code_of($reply), '400 RequestTimeout',
        "a client that stops $name");
    cmp_ok(time - $begin, '<', 30, "$name: is told in time");
    @requests = ();
    wait_for { push @requests, Chorus::Storage->requests;
        @requests >= $reaches_main };
    is("@requests", $reaches_main ? 'main POST /slow-b incomplete' : '',
        "a client that stops $name: main has nothing whole");
}

# a length that is too small ends the form; the rest is no request
{
    my $bytes = form(file => $file, content_length => length($whole) - $head
        - 1000, headers => \@echo);
    my $reply = $nginx->exchange($bytes);
    is($reply->{headers}{'x-storage'}, 'main', 'a length too small');
    is(echoed($reply)->{error}, 'no end',
        'reaches main without its end, which main refuses');
}

# main answers, and the client has not sent all
{
    my $bytes = form(file => $file x 1000, headers => ['X-Answer' => 'early']);
    my $socket = send_pieces(substr($bytes, 0, 3000), 0, 3000);
    like(scalar(readline $socket), qr{^HTTP/1.1 200 },
        'main answers before the file has come');
    my $text = join '', <$socket>;
    like($text, qr/^Connection: close\r/m, 'and that ends the connection');
}

is($nginx->exchange(form(file => 'x', headers => ['X-Answer' => $_]))
    ->{status}, 502, "main that is gone: $_") for 'cut', 'cut';


# ---- memory ----

my $large = join('', map { chr } 0 .. 255) x ($SIZE / 256);

for (
    ['HTTP/1.1', ''],
    ['HTTP/2', 1],
) {
    my ($name, $http2) = @$_;

    my $bytes = form(file => $large);
    my $memory = memory_kb();
    my ($most, @files) = (0);
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        my $socket = $http2 ? IO::Socket::UNIX->new(Peer => "$Folder/h2.sock")
            : $nginx->connect;
        my $text = $http2
            ? Chorus::HTTP2::exchange($socket, $bytes, 1)->{body}
            : (print($socket $bytes), $socket->flush, join '', <$socket>)[-1];
        write_file("$Folder/memory.reply", $text);
        POSIX::_exit(0);
    }
    while (!waitpid $pid, POSIX::WNOHANG()) {
        my $more = memory_kb() - $memory;
        $most = $more if $more > $most;
        push @files, temporary_files();
        sleep 0.01;
    }
    like(read_file("$Folder/memory.reply"), qr{POST /bkt HTTP},
        "$name: a file of 32 MiB passes");
    cmp_ok($most, '<', $MEMORY_KB, "$name: in little memory");
    is_deeply(\@files, [], "$name: and in no file");
}

# a head that does not end is given up long before it is large
{
    my $memory = memory_kb();
    my @sockets = map {
        my $socket = $nginx->connect;
        syswrite $socket, substr(form(file => $file, loose =>
            ['x-ignore-a' => 'x' x 60_000]), 0, 55_000);
        $socket;
    } 1 .. 20;
    sleep 0.3;
    cmp_ok(memory_kb() - $memory, '<', 20 * 300,
        'twenty forms that do not end, in little memory');
}

is($nginx->exchange(form(file => 'x'))->{status}, 200, 'nginx is well');
is_deeply([$nginx->workers], [$worker], 'no process has died');
ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and there is nothing to complain of');

done_testing();
