# Every key that S3 allows reaches the storage byte by byte, in path style and
# in virtual-host style, and is marked under the bytes that it decodes to.

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
Chorus::Storage->start('main');

my $nginx = Chorus::Nginx->start(
    http => http_config() . 'chorus_repeat off; chorus_domain s3.test;',
    config => "listen unix:$Folder/h2.sock http2;\n" . server_config());
wait_for { $nginx->log =~ /Redis is ready/ } or die $nginx->log;

sub decode {
    my ($text) = @_;

    $text =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;
    return $text;
}

sub escape {
    my ($text) = @_;

    $text =~ s/(.)/sprintf '%%%02X', ord $1/gse;
    return $text;
}

# name of the test, the key on the wire
my @keys = (
    ['one byte', 'k'],
    ['a slash', '/'],
    ['slashes', '///'],
    ['a slash in front', '/key'],
    ['slashes inside', 'a//b///c'],
    ['a slash at the end', 'a/b/'],
    ['slashes at the end', 'a//'],
    ['an escaped slash', 'a%2Fb'],
    ['an escaped slash in front', '%2fkey'],
    ['a dot', '.'],
    ['a dot with a slash', './'],
    ['a dot inside', 'a/./b'],
    ['dots inside', 'a/../b'],
    ['dots at the end', 'a/..'],
    ['dots at the end, with a slash', 'a/b/../'],
    ['escaped dots inside', 'a/%2e%2E/b'],
    ['half-escaped dots inside', 'a/.%2e/b'],
    ['many dots', '.../....'],
    ['a plus', 'a+b'],
    ['an escaped plus', 'a%2Bb'],
    ['a space', 'a%20b'],
    ['a space in front', '%20a'],
    ['spaces at the end', 'a%20%20'],
    ['nothing but a space', '%20'],
    ['a tab', 'a%09b'],
    ['a line feed', 'a%0Ab'],
    ['a carriage return and a line feed', 'a%0D%0Ab'],
    ['headers', 'a%20HTTP/1.1%0D%0AHost:%20evil%0D%0A%0D%0A'],
    ['control characters', join '', map { escape(chr) } 1 .. 31, 127],
    ['a percent sign', '100%25'],
    ['an escaped escape', 'a%2520b'],
    ['an escape twice over', '%252F%252e%252e'],
    ['a question mark', 'a%3Fb'],
    ['a hash', 'a%23b'],
    ['an ampersand and an equals sign', 'a&b=c'],
    ['what looks like a sub-resource', 'acl'],
    ['what looks like a query', '%3Facl%26delete'],
    ['what looks like a bucket', 'bkt/bkt'],
    ['what looks like a location', 'http://host/a'],
    ['quotes', q{'"%22}],
    ['markup', '<a&amp;b>%5D%5D%3E'],
    ['a backslash', 'a\\b%5C'],
    ['a caret, a grave, braces, a bar', '^`{|}[]~'],
    ['a colon, a semicolon, an at, a comma', ':;@,'],
    ['an asterisk, a dollar, a bang, parentheses', '*$!()'],
    ['each byte but NUL, escaped', join '', map { escape(chr) } 1 .. 255],
    ['each byte that is printed, as it is',
        join '', grep { !/[%?#]/ } map { chr } 33 .. 126],
    ['letters that need no escape', '%6B%65%79%2d%5F%2E%7E'],
    ['hex digits of either case', '%c3%A4%C3%a4'],
    ['UTF-8 of two bytes', escape("\xc3\xa4")],
    ['UTF-8 of two bytes, raw', "\xc3\xa4"],
    ['UTF-8 of three bytes', escape("\xe2\x82\xac")],
    ['UTF-8 of three bytes, raw', "\xe2\x82\xac"],
    ['UTF-8 of four bytes', escape("\xf0\x9f\x98\x80")],
    ['UTF-8 of four bytes, raw', "\xf0\x9f\x98\x80"],
    ['the last character of all', escape("\xf4\x8f\xbf\xbf")],
    ['private use', escape("\xee\x80\x80\xef\xbf\xbe\xef\xbf\xbf")],
    ['combining characters', escape("e\xcc\x81")],
    ['right to left', escape("\xd7\x90\xe2\x80\xae")],
    ['a byte order mark', escape("\xef\xbb\xbf")],
    ['bytes that are no UTF-8', '%FF%FE%80'],
    ['bytes that are no UTF-8, raw', "\xff\xfe\x80"],
    ['a surrogate in UTF-8', '%ED%A0%80'],
    ['an overlong slash', '%C0%AF..%C0%AF'],
    ['1,024 bytes', 'k' x 1024],
    ['1,024 bytes, each of them escaped', '%e2' x 1024],
    ['1,024 slashes', '/' x 1024],
    ['1,025 bytes, which main refuses', 'k' x 1025],
);

for (@keys) {
    my ($name, $wire) = @$_;

    for my $style (['path style', 'localhost', "/bkt/$wire"],
        ['virtual-host style', 'bkt.s3.test', "/$wire"])
    {
        my ($how, $host, $target) = @$style;

        $redis->clear;
        my $reply = $nginx->exchange(request(PUT => $target, host => $host,
            body => 'hello'));
        my ($line) = $reply->{body} =~ /\A(.*?)\r\n/s;
        is($line, "PUT /bkt/$wire HTTP/1.1", "$name, $how: the key");
        is_deeply([$redis->marks(1)],
            ['alice:bkt:follower ' . decode($wire) . ' 7'],
            "$name, $how: the mark");
    }
}

# with the query of a presigned request of 2 KiB
{
    my $query = 'X-Long=' . 'q' x 2048;
    my $reply = $nginx->exchange(
        request(GET => '/bkt/' . '%e2' x 1024 . "?$query"));
    is($reply->{status}, 200, 'a key of 1,024 escaped bytes, and a query');
    like($reply->{body}, qr{^GET /bkt/(?:%e2){1024}\?$query HTTP/1\.1\r\n},
        'reach main');
}


# ---- the same by HTTP/2 ----

for my $wire ('a//b/../c%2Fd+e%20', 'a%0D%0Ab', '%e2' x 1024) {
    for my $style (['localhost', "/bkt/$wire"], ['bkt.s3.test', "/$wire"]) {
        my ($host, $target) = @$style;
        my ($head) = split /\r\n\r\n/, request(GET => $target, host => $host);
        open my $curl, '-|', 'curl', '-sS', '--http2-prior-knowledge',
            '--path-as-is', '--max-time', 60,
            '--unix-socket', "$Folder/h2.sock",
            map({ ('-H', $_) } grep { /^(?:X-|Auth)/i }
                split /\r\n/, $head), "http://$host$target"
            or die "curl: $!\n";
        my ($line) = join('', <$curl>) =~ /\A(.*?)\r\n/;
        is($line, "GET /bkt/$wire HTTP/1.1",
            'HTTP/2, ' . substr($target, 0, 40));
    }
}


# ---- keys that are none ----

Chorus::Storage->requests;
for (
    ['a NUL', '/bkt/a%00b', 'BadRequest'],
    ['a raw NUL', "/bkt/a\0b", 'BadRequest'],
    ['a raw carriage return', "/bkt/a\rb", 'BadRequest'],
    ['a raw space', '/bkt/a b', 'BadRequest'],
    ['a broken escape', '/bkt/a%zz', 'BadRequest'],
    ['half an escape', '/bkt/a%4', 'BadRequest'],
    ['a fragment', '/bkt/a#b', 'InvalidURI'],
    ['dots that lead out of the bucket', '/bkt/../other/k', 'InvalidURI'],
    ['dots that lead out and back', '/bkt/../bkt/../other/k', 'InvalidURI'],
    ['escaped dots that lead out', '/bkt/%2E%2e/other/k', 'InvalidURI'],
    ['dots and an escaped slash', '/bkt/..%2Fother/k', 'InvalidURI'],
    ['an escaped slash behind the bucket', '/bkt%2Fk', 'InvalidURI'],
    ['dots that lead above the root', '/bkt/../../k', 'BadRequest'],
    ['dots above the root of a host', '/../k', 'BadRequest', 'bkt.s3.test'],
    ['dots above the root of a host, later', '/a/../../other/k', 'BadRequest',
        'bkt.s3.test'],
    ['dots and an escaped slash of a host', '/a/..%2f..%2Fother/k',
        'BadRequest', 'bkt.s3.test'],
    ['a key longer than nginx takes', '/bkt/' . 'k' x 17_000, 'InvalidURI'],
) {
    my ($name, $target, $code, $host) = @$_;

    my $reply = $nginx->exchange(request(GET => '/bkt/k', host => 'localhost',
        ($host ? (host => $host) : ()), sent_target => $target));
    is($reply->{status}, 400, "$name: refused");
    like($reply->{body}, qr{<Code>$code</Code>}, "$name: $code");

    # signed, too
    $reply = $nginx->exchange(request(GET => $target, host => 'localhost',
        ($host ? (host => $host) : ())));
    is($reply->{status}, 400, "$name: refused although it is signed");
}

# the line ends there: HTTP/0.9, of which nothing is signed
like($nginx->exchange(request(GET => "/bkt/a\nb"))->{text},
    qr{^<\?xml .*<Code>AccessDenied</Code>}s, 'a raw line feed');

is_deeply([Chorus::Storage->requests], [], 'none of them gets to main');

ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and there is nothing to complain of');

done_testing();
