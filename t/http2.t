# HTTP/2: a body without a Content-Length must not reach the storage unframed.

use strict;
use warnings;

use Test::More;

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sign qw(request);
use Chorus::Storage;

my $redis = Chorus::Redis->start;
write_file("$Folder/chorus.json",
    chorus_json(redis => { url => $redis->url }), 0600);
Chorus::Storage->start;

my $nginx = Chorus::Nginx->start(
    http => http_config() . 'chorus_repeat off;',
    config => "listen unix:$Folder/h2.sock http2;\n" . server_config());
wait_for { $nginx->log =~ /Redis is ready/ } or die $nginx->log;


# Sends it by HTTP/2 with curl, the body from standard input: no length.
sub by_http2 {
    my ($method, $target, $body, @more) = @_;

    my ($head) = split /\r\n\r\n/,
        request($method => $target, body => $body, @more), 2;
    my @headers = map { ('-H', $_) }
        grep { !/^(?:Connection|Content-Length):/ } (split /\r\n/, $head)[1 .. 99];
    write_file("$Folder/body", $body);
    open my $curl, '-|', 'curl', '-sS', '-i', '--http2-prior-knowledge',
        '--path-as-is', '--max-time', 60, '--unix-socket', "$Folder/h2.sock",
        '-X', $method, @headers, '-H', 'Expect:',
        ($method eq 'POST' ? ('-H', 'Content-Length:') : ()),
        (length $body ? ('--data-binary', "\@$Folder/body") : ()),
        "http://localhost$target" or die "curl: $!\n";
    local $/;
    return scalar <$curl>;
}

my $xml = '<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object>'
    . '</Delete>';

my $answer = by_http2(POST => '/bkt?delete', $xml);
like($answer, qr{^HTTP/2 200}, 'DeleteObjects by HTTP/2');
like($answer, qr/^Content-Length: ${\ length $xml}\r?$/mi,
    'reaches the storage with its length');
is_deeply([map { s/^alice:bkt:follower //r } $redis->marks(2)],
    ['a 7', 'b 7'], 'and marks its keys');

$redis->clear;
$answer = by_http2(PUT => '/bkt/k', 'x' x 100000);
like($answer, qr{^HTTP/2 200}, 'PutObject by HTTP/2');
like($answer, qr/^Content-Length: 100000\r?$/mi,
    'reaches the storage with its length');
is_deeply([map { s/^alice:bkt:follower //r } $redis->marks(1)], ['k 7'],
    'and marks');

$answer = by_http2(GET => '/bkt/k', '');
like($answer, qr{^HTTP/2 200}, 'GetObject by HTTP/2');

$answer = by_http2(GET => '/bkt/k', '', secret => 'wrong');
like($answer, qr{^HTTP/2 403.*<Code>SignatureDoesNotMatch<}s,
    'a refusal by HTTP/2');

ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and has nothing to complain of');

done_testing();
