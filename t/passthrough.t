# What main answers is what the client gets: the status, each header, each
# byte of the body.  Only what concerns the connection is nginx's own, and what
# would steer nginx itself (X-Accel-*) stays inside.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Test::More;

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sign qw(presign request);
use Chorus::Storage;

my $redis = Chorus::Redis->start;
write_file("$Folder/chorus.json",
    chorus_json(redis => { url => $redis->url }), 0600);
Chorus::Storage->start('main');

# directives of the http block that are good for web pages do no harm
my $nginx = Chorus::Nginx->start(http => http_config() . <<'END');
    chorus_repeat off;
    gzip on;
    gzip_proxied any;
    gzip_min_length 1;
    gzip_types *;
    gunzip on;
    ssi on;
    ssi_types *;
    charset utf-8;
    expires 1h;
    if_modified_since before;
    max_ranges 1;
END

my $date = 'Date: Sun, 22 Nov 2026 12:00:00 GMT';
my $xml = '<?xml version="1.0"?><Error><Code>NoSuchKey</Code>'
    . '<BucketName>bkt</BucketName><HostId>x</HostId></Error>';


# The answer to a request, when main says just that.
sub through {
    my ($method, $answer, @more) = @_;

    write_file("$Folder/answer", $answer);
    my %more = (headers => [], @more);
    return $nginx->exchange(request($method => '/bkt/key', %more,
        headers => ['X-Answer' => 'file:answer', @{ $more{headers} }]));
}

# Without the lines that are of one connection only; sorted by name, each name
# in the order of its lines.
sub headers {
    my ($text) = @_;

    my ($head) = split /\r\n\r\n/, $text, 2;
    my (undef, @lines) = split /\r\n/, $head;
    my %own = map { $_ => 1 } qw(connection keep-alive transfer-encoding);
    @lines = map { [lc((split /:/)[0]), $_] } @lines;
    return [map { $_->[1] } sort { $a->[0] cmp $b->[0] }
        grep { !$own{ $_->[0] } } @lines];
}

sub line { (split /\r\n/, $_[0])[0] }

sub same {
    my ($name, $reply, $answer, $body) = @_;

    is(line($reply->{text}), line($answer), "$name: the status");
    is_deeply(headers($reply->{text}), headers($answer), "$name: the headers");
    is($reply->{body}, $body, "$name: the body");
}

sub answer {
    my ($status, $body, @lines) = @_;

    return join "\r\n", "HTTP/1.1 $status", $date, @lines,
        (defined $body ? ('Content-Length: ' . length $body) : ()), '',
        $body // '';
}


# ---- headers ----

for (
    ['an object', '200 OK', 'hello',
        'Server: Ceph', 'Content-Type: text/plain',
        'ETag: "5d41402abc4b2a76b9719d911017c592"', 'Accept-Ranges: bytes',
        'Last-Modified: Sat, 21 Nov 2026 12:00:00 GMT',
        'x-amz-request-id: tx000', 'x-amz-id-2: id',
        'x-amz-meta-color: blue', 'x-amz-version-id: 1'],
    ['headers that come twice', '200 OK', 'hello',
        'Server: Ceph', 'x-amz-meta-a: 1', 'x-amz-meta-a: 2',
        'Link: </a>', 'Link: </b>', 'Set-Cookie: a=1; Path=/bkt',
        'Set-Cookie: b=2; Domain=main.test', 'Vary: Origin',
        'Vary: Access-Control-Request-Method', 'Cache-Control: private',
        'Cache-Control: max-age=5', 'Via: 1.1 a', 'Via: 1.1 b',
        'WWW-Authenticate: A', 'WWW-Authenticate: B'],
    ['names in any case', '200 OK', 'hello', 'sErVeR: Ceph',
        'X-AMZ-Meta-Color: blue', 'x-amz-META-UPPER: Case', 'etag: "x"',
        'ACCEPT-RANGES: bytes', 'last-modified: Sat, 21 Nov 2026 12:00:00 GMT'],
    ['names that a web server would not send', '200 OK', 'hello',
        'Server: Ceph', 'x-amz-meta-a_b: 1', 'x-amz-meta-a.b: 2',
        'x-amz-meta-1!#$%&*+^`|~: 3'],
    ['values that a web server would not send', '200 OK', 'hello',
        'Server: Ceph', "x-amz-meta-utf8: \xc3\xa4\xe2\x82\xac",
        "x-amz-meta-latin1: \xe4", 'x-amz-meta-quotes: "a", b=c; d',
        'x-amz-meta-q: =?UTF-8?Q?=E2=82=AC?=', 'x-amz-meta-empty: '],
    ['no type and no server', '200 OK', 'hello'],
    ['a type with a charset', '200 OK', 'hello', 'Server: Ceph',
        'Content-Type: text/html;charset=ISO-8859-1'],
    ['a type with a charset in quotes', '200 OK', 'hello', 'Server: Ceph',
        'Content-Type: text/html; Charset="utf-8"; x=y'],
    ['a type with spaces', '200 OK', 'hello', 'Server: Ceph',
        'Content-Type: multipart/byteranges ;  boundary="a;b"'],
    ['what the client asked to get', '200 OK', 'hello', 'Server: Ceph',
        'Content-Disposition: attachment; filename="a b"',
        'Content-Language: de', 'Content-Encoding: x-own',
        'Expires: Thu, 01 Jan 1970 00:00:00 GMT', 'Cache-Control: no-cache',
        'x-amz-website-redirect-location: /other',
        'Refresh: 5; url=/other'],
    ['CORS', '200 OK', 'hello', 'Server: Ceph',
        'Access-Control-Allow-Origin: *',
        'Access-Control-Expose-Headers: ETag, x-amz-meta-a'],
    ['the header "Status"', '200 OK', 'hello', 'Server: Ceph',
        'Status: 404 Not Found'],
    ['the header "Trailer"', '200 OK', 'hello', 'Server: Ceph',
        'Trailer: x-amz-checksum-crc32'],
    ['a header that is encoded', '200 OK', 'hello', 'Server: Ceph',
        'x-amz-storage-class: STANDARD_IA', 'x-amz-expiration: '
        . 'expiry-date="Fri, 23 Dec 2012 00:00:00 GMT", rule-id="p+%20"'],
    ['30 KiB of headers', '200 OK', 'hello', 'Server: Ceph',
        map { "x-amz-meta-$_: " . 'v' x 1000 } 1 .. 29],
    ['a header of 16 KiB', '200 OK', 'hello', 'Server: Ceph',
        'x-amz-meta-large: ' . 'v' x 16384],
) {
    my ($name, $status, $body, @lines) = @$_;

    my $answer = answer($status, $body, @lines);
    same($name, through(GET => $answer), $answer, $body);
}

my $answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
same('no date', through(GET => $answer), $answer, 'hello');

my $reply = through(GET => answer('200 OK', 'hello', 'Connection: x-hop, close',
    'Keep-Alive: timeout=1', 'X-Accel-Redirect: /bkt/other',
    'X-Accel-Limit-Rate: 1', 'X-Accel-Buffering: no', 'X-Accel-Expires: 60',
    'X-Accel-Charset: koi8-r', 'Content-Type: text/plain'));
is($reply->{body}, 'hello', 'main cannot steer nginx: the body');
is($reply->{headers}{'content-type'}, 'text/plain',
    'main cannot steer nginx: the type');
is($reply->{headers}{connection}, 'close', 'the connection is our own');


# ---- statuses ----

for (
    ['a part of an object', '206 Partial Content', 'ell', 'Server: Ceph',
        'Content-Range: bytes 1-3/5', 'Content-Type: text/plain'],
    ['parts of an object', '206 Partial Content', "--b\r\n\r\nell\r\n--b--",
        'Server: Ceph', 'Content-Type: multipart/byteranges; boundary=b'],
    ['a redirect to another endpoint', '307 Temporary Redirect', $xml,
        'Server: Ceph', 'Location: http://main.test:9001/bkt/key',
        'Content-Type: application/xml'],
    ['a redirect to a path', '301 Moved Permanently', $xml, 'Server: Ceph',
        'Location: /other/key', 'Content-Type: application/xml'],
    ['a path for a location', '200 OK', 'hello', 'Server: Ceph',
        'Location: /bkt'],
    ['an error', '404 Not Found', $xml, 'Server: Ceph',
        'Content-Type: application/xml', 'x-amz-request-id: tx1'],
    ['an error that asks who it is', '401 Unauthorized', $xml, 'Server: Ceph',
        'WWW-Authenticate: Basic realm="x"'],
    ['a refusal', '403 Forbidden', $xml, 'Server: Ceph'],
    ['a conflict', '409 Conflict', $xml, 'Server: Ceph'],
    ['no length', '411 Length Required', $xml, 'Server: Ceph'],
    ['a condition that does not hold', '412 Precondition Failed', $xml,
        'Server: Ceph', 'ETag: "x"',
        'Last-Modified: Sat, 21 Nov 2026 12:00:00 GMT'],
    ['too large', '413 Payload Too Large', $xml, 'Server: Ceph'],
    ['no such range', '416 Requested Range Not Satisfiable', $xml,
        'Server: Ceph', 'Content-Range: bytes */5'],
    ['a status that nginx does not know', '499 Own Words: here', $xml,
        'Server: Ceph'],
    ['a status without words', '200 ', 'hello', 'Server: Ceph'],
    ['an internal error', '500 Internal Server Error', $xml, 'Server: Ceph'],
    ['not implemented', '501 Not Implemented', $xml, 'Server: Ceph'],
    ['a gateway behind main', '502 Bad Gateway', '<html>nginx</html>',
        'Server: nginx', 'Content-Type: text/html'],
    ['slow down', '503 Slow Down', $xml, 'Server: Ceph', 'Retry-After: 7',
        'Content-Type: application/xml'],
    ['a time-out behind main', '504 Gateway Time-out', 'late',
        'Server: Ceph'],
    ['a status of no class', '599 Odd', $xml, 'Server: Ceph'],
) {
    my ($name, $status, $body, @lines) = @$_;

    my $answer = answer($status, $body, @lines);
    same($name, through(GET => $answer), $answer, $body);
    same("$name, of a write", through(PUT => $answer, body => 'x'), $answer,
        $body);
}

for (
    ['no content', '204 No Content', DELETE => 'x-amz-version-id: 1',
        'x-amz-delete-marker: true'],
    ['not modified', '304 Not Modified', GET => 'ETag: "x"',
        'Last-Modified: Sat, 21 Nov 2026 12:00:00 GMT', 'Cache-Control: a'],
    ['not modified, with a length', '304 Not Modified',
        GET => 'Content-Length: 5', 'ETag: "x"'],
    ['the head of an object', '200 OK', HEAD => 'Content-Length: 123456789012',
        'Content-Type: text/plain', 'Accept-Ranges: bytes', 'ETag: "x"'],
    ['the head of an empty object', '200 OK', HEAD => 'Content-Length: 0'],
    ['the head of an object without a length', '200 OK', HEAD => 'ETag: "x"'],
    ['the head of a part', '206 Partial Content', HEAD => 'Content-Length: 5',
        'Content-Range: bytes 0-4/10', 'x-amz-mp-parts-count: 2'],
    ['the head of nothing', '404 Not Found', HEAD => 'Content-Length: 200',
        'Content-Type: application/xml'],
    ['the head of what is in pieces', '200 OK',
        HEAD => 'Transfer-Encoding: chunked'],
    ['an empty answer', '200 OK', PUT => 'Content-Length: 0', 'ETag: "x"'],
) {
    my ($name, $status, $method, @lines) = @$_;

    my $answer = answer($status, undef, 'Server: Ceph', @lines);
    same($name, through($method => $answer), $answer, '');
}


# ---- conditions and ranges are main's business ----

my @object = ('Server: Ceph', 'ETag: "x"', 'Accept-Ranges: bytes',
    'Content-Type: text/html', 'Last-Modified: Sat, 21 Nov 2026 12:00:00 GMT');

for (
    ['a range', Range => 'bytes=1-2'],
    ['a range behind the end', Range => 'bytes=100-200'],
    ['ranges', Range => 'bytes=0-0,2-3'],
    ['a range on a condition', Range => 'bytes=1-2', 'If-Range' => '"y"'],
    ['an ETag that it has', 'If-None-Match' => '"x"'],
    ['any ETag', 'If-None-Match' => '*'],
    ['an ETag that it has not', 'If-Match' => '"y"'],
    ['a date before', 'If-Unmodified-Since' => 'Sat, 01 Jan 2000 00:00:00 GMT'],
    ['a date behind', 'If-Modified-Since' => 'Sun, 22 Nov 2026 12:00:00 GMT'],
    ['compression', 'Accept-Encoding' => 'gzip, br'],
) {
    my ($name, @headers) = @$_;

    my $answer = answer('200 OK', 'hello', @object);
    same($name, through(GET => $answer, headers => \@headers), $answer,
        'hello');

    my $reply = $nginx->exchange(request(GET => '/bkt/key',
        headers => \@headers));
    while (my ($header, $value) = splice @headers, 0, 2) {
        like($reply->{body}, qr/^\Q$header: $value\E\r$/m,
            "$name: main is asked");
    }
}

my $zipped = "\x1f\x8b\x08\0\0\0\0\0\0\3\xcb\x48\xcd\xc9\xc9\7\0\x86\xa6\x10"
    . "\x36\5\0\0\0";
$answer = answer('200 OK', $zipped, @object, 'Content-Encoding: gzip');
same('an object that is compressed', through(GET => $answer), $answer,
    $zipped);

my $page = '<!--# echo var="request_id" --> <!--#include virtual="/x" -->';
$answer = answer('200 OK', $page, @object);
same('an object with commands for web servers', through(GET => $answer),
    $answer, $page);


# ---- bodies ----

my $bytes = join '', map { chr($_ * 7 % 256) } 0 .. 300_000;
$answer = answer('200 OK', $bytes, 'Server: Ceph');
same('any bytes', through(GET => $answer), $answer, $bytes);

$answer = "HTTP/1.1 200 OK\r\n$date\r\nServer: Ceph\r\nTransfer-Encoding: "
    . "chunked\r\n\r\n5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\nX-Trailer: 1\r\n\r\n";
same('a body in chunks', through(GET => $answer), $answer, 'hello!');

# spaces keep the client waiting until the result of a copy is there
my $late = "<?xml?>\n   \n<Error><Code>InternalError</Code></Error>";
$answer = answer('200 OK', $late, 'Server: Ceph');
same('an error behind 200', through(PUT => $answer), $answer, $late);

$answer = "HTTP/1.1 200 OK\r\n$date\r\nServer: Ceph\r\nConnection: close"
    . "\r\n\r\nhello until the end";
same('a body without a length', through(GET => $answer), $answer,
    'hello until the end');

$answer = "HTTP/1.0 200 OK\r\n$date\r\nServer: Ceph\r\nConnection: close"
    . "\r\nContent-Length: 5\r\n\r\nhello";
same('a main of HTTP/1.0', through(GET => $answer),
    $answer =~ s{1\.0}{1.1}r, 'hello');

write_file("$Folder/answer", answer('200 OK', 'hello', @object));
$reply = $nginx->exchange(request(GET => '/bkt/key', headers => ['X-Answer' =>
    'file:answer']) =~ s{HTTP/1\.1}{HTTP/1.0}r);
like($reply->{text}, qr{^HTTP/1\.1 200 OK\r\n.*\r\n\r\nhello$}s,
    'a client of HTTP/1.0');

write_file("$Folder/answer", "HTTP/1.1 200 OK\r\n$date\r\nServer: Ceph\r\n"
    . "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
$reply = $nginx->exchange(request(GET => '/bkt/key', headers => ['X-Answer' =>
    'file:answer']) =~ s{HTTP/1\.1}{HTTP/1.0}r);
like($reply->{text}, qr{\r\n\r\nhello$}s, 'which knows no chunks');
unlike($reply->{text}, qr/^Transfer-Encoding/mi, 'gets none');


# ---- requests ----

# by name, those that the storage sees
sub seen {
    my ($reply) = @_;

    my %seen;
    push @{ $seen{ lc $1 } }, $2
        while $reply->{body} =~ /^([^\s:]+): ?(.*?)\r$/mg;
    return \%seen;
}

my @sent = ('X-Amz-Meta-A' => '1', 'X-Amz-Meta-A' => '2',
    'x-amz-meta-a_b' => 'c', 'X-Amz-Tagging' => 'a=b&c=d%20e',
    'Content-Type' => 'text/x; charset="a"', 'Content-MD5' => 'x',
    'Content-Encoding' => 'gzip', 'Content-Language' => 'de',
    'Content-Disposition' => 'attachment', 'Cache-Control' => 'no-cache',
    'Expires' => 'never', 'If-None-Match' => '*', 'If-Match' => '"x"',
    'Origin' => 'http://a', 'Access-Control-Request-Method' => 'PUT',
    'Accept' => '*/*', 'Accept-Encoding' => 'identity',
    'User-Agent' => 'aws-sdk', 'Amz-Sdk-Request' => 'attempt=1; max=3',
    'Via' => '1.1 proxy', 'X-Forwarded-Proto' => 'https',
    'x-amz-checksum-crc32' => 'NhCmhg==', 'x-amz-acl' => 'private',
    'x-amz-object-lock-mode' => 'GOVERNANCE');
my $seen = seen($nginx->exchange(request(PUT => '/bkt/key', body => 'hello',
    headers => \@sent)));
my %want;
while (my ($header, $value) = splice @sent, 0, 2) {
    push @{ $want{ lc $header } }, $value;
}
is_deeply($seen->{$_}, $want{$_}, "main gets the header $_")
    for sort keys %want;
is_deeply($seen->{'content-length'}, [5], 'main gets the length');
is_deeply($seen->{'x-amz-content-sha256'}, [sha256_hex('hello')],
    'main gets the hash, and checks it');
ok(!$seen->{$_}, "main gets no $_") for qw(connection expect
    transfer-encoding);

for my $method (qw(GET HEAD PUT POST DELETE OPTIONS PATCH PROPFIND)) {
    my @more = $method eq 'POST' ? (body => '') : ();
    Chorus::Storage->requests;
    $nginx->exchange(request($method => '/bkt/key?uploads&future=1', @more));
    is_deeply([Chorus::Storage->requests],
        ["main $method /bkt/key?uploads&future=1"], "the method $method");
}

# ---- main refuses what Chorus has signed ----

my $refuses = 'storage "main" refuses what is signed for it, with ';

for (
    ['a refusal that is about the request', 'AccessDenied', 0],
    ['a refusal of our signature', 'SignatureDoesNotMatch', 1],
    ['another one within a minute', 'InvalidAccessKeyId', 1],
) {
    my ($name, $code, $n) = @$_;

    my $body = $xml =~ s/NoSuchKey/$code/r;
    is(through(GET => answer('403 Forbidden', $body))->{body}, $body,
        "$name: the client gets it");
    is(scalar(() = $nginx->log =~ /\[error\].*\Q$refuses\E/g), $n,
        "$name: $n in the log as an error");
}

like($nginx->log, qr/\Q$refuses\ESignatureDoesNotMatch: look at (?#
    )storages\.main\.users\.\w+ in chorus\.json/,
    'the log says where the credentials stand');

# ---- the error log has no query: a presigned URL is a credential ----

$nginx->exchange(presign(GET => '/bkt/refused', secret => 'of-nobody'));
Chorus::Storage->stop;
is($nginx->exchange(presign(GET => '/bkt/away'))->{status}, 502,
    'main is away');
like($nginx->log, qr/request: "GET \/bkt\/$_"/, "a line has the path of $_")
    for qw(refused away);
like($nginx->log, qr/upstream: "http:[^"?]*\/bkt\/away"/, 'and of upstream');
unlike($nginx->log, qr/X-Amz-/, 'and none has a query');

ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and there is nothing to complain of');

done_testing();
