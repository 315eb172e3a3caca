# Whatever goes wrong, an S3 client gets an error that it understands: what
# nginx itself refuses leaves as S3 XML, too, and says nothing about the
# inside.

use strict;
use warnings;

use IO::Socket::UNIX;
use Test::More;
use Time::HiRes qw(sleep time);

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sign qw(presign request);
use Chorus::Storage;

# nobody plays the archive: it cannot be reached
my $redis = Chorus::Redis->start;
write_file("$Folder/chorus.json",
    chorus_json(redis => { url => $redis->url }), 0600);
Chorus::Storage->start('main');
write_file("$Folder/hasty.conf", read_file("$Folder/proxy.conf")
    =~ s/^(proxy_read_timeout +)\S+;/${1}1s;/mr);

sub location {
    my ($path, @directives) = @_;

    return "location $path { chorus on; @directives "
        . "include $Folder/hasty.conf; }\n";
}

my $page = 'a page of the user';
write_file("$Folder/502.html", $page);

my $nginx = Chorus::Nginx->start(
    http => http_config() . <<"END",
    chorus_repeat off;
    limit_req_zone all zone=limit:64k rate=1r/m;
    log_format code '\$status \$chorus_error \$request_uri';
    server {
        listen unix:$Folder/other.sock;
        server_name other;
    }
END
    config => join('', "access_log $Folder/access.log code;\n",
        "listen unix:$Folder/h2.sock http2;\n",
        server_config(
            location('/', 'client_body_timeout 1s;'),
            location('/small/', 'client_max_body_size 4;'),
            location('/limited/', 'limit_req zone=limit;'),
            location('/denied/', 'deny all;'),
            location('/closed/', 'return 503;'),
            location('/odd/', 'return 507;'),
            location('/gone/', 'return 404;'),
            location('/teapot/', 'return 418;'),
            location('/words/', q{return 403 'his own words';}),
            location('/moved/', 'return 302 /elsewhere;'),
            location('/login/', 'return 401;'),
            location('/logs-own/', 'error_page 502 /502.html;'),
            "location = /502.html { root $Folder; }\n",
            "location /static/ { root $Folder; }\n",
            q{if ($arg_banned) { return 403; } })));


# What every error has, whoever made it.
sub is_error {
    my ($name, $reply, $status, $code) = @_;

    my $id = $reply->{headers}{'x-amz-request-id'} // '';
    my $good = is($reply->{status}, $status, "$name: status");
    $good &= like($reply->{body},
        qr{^<\?xml [^>]*\?>\s*<Error><Code>$code</Code><Message>[^<]+</Message>
            .*<Resource>[^<]*</Resource><RequestId>$id</RequestId></Error>$}xs,
        "$name: $code as XML");
    $good &= is($reply->{headers}{'content-type'}, 'application/xml',
        "$name: type");
    $good &= is($reply->{headers}{'content-length'}, length $reply->{body},
        "$name: length");
    $good &= like($id, qr/^[0-9A-F]{16}$/, "$name: a request id");
    $good &= unlike($reply->{text}, qr/nginx|html|unix:|\.sock|upstream/i,
        "$name: nothing about the inside");
    diag($reply->{text}) unless $good;
}

sub signed { request(@_) }

my @unsigned = (payload => 'UNSIGNED-PAYLOAD');
my $host = "Host: localhost\r\nConnection: close\r\n";


# ---- requests that are none ----

for (
    ['no request', "nonsense\r\n\r\n", 400, 'BadRequest'],
    ['no path', "GET bkt/k HTTP/1.1\r\n$host\r\n", 400, 'BadRequest'],
    ['a version that there is not', "GET /bkt/k HTTP/9.9\r\n$host\r\n", 400,
        'BadRequest'],
    ['the version 0.9 by name', "GET /bkt/k HTTP/0.9\r\n$host\r\n", 400,
        'BadRequest'],
    ['no Host', "GET /bkt/k HTTP/1.1\r\nConnection: close\r\n\r\n", 400,
        'BadRequest'],
    ['a Host that is none', "GET /bkt/k HTTP/1.1\r\nHost: a/b\r\n\r\n", 400,
        'BadRequest'],
    ['a Host of dots', "GET /bkt/k HTTP/1.1\r\nHost: a..b\r\n\r\n", 400,
        'BadRequest'],
    ['two Hosts', "GET /bkt/k HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400,
        'BadRequest'],
    ['a NUL in a header', "GET /bkt/k HTTP/1.1\r\n${host}X: a\0b\r\n\r\n", 400,
        'BadRequest'],
    ['dots above the root', "GET /../bkt/k HTTP/1.1\r\n$host\r\n", 400,
        'BadRequest'],
    ['a NUL in the path', "GET /bkt/a%00b HTTP/1.1\r\n$host\r\n", 400,
        'BadRequest'],
    ['a broken escape', "GET /bkt/a%zz HTTP/1.1\r\n$host\r\n", 400,
        'BadRequest'],
    ['a method in lower case', "get /bkt/k HTTP/1.1\r\n$host\r\n", 400,
        'BadRequest'],
    ['TRACE', "TRACE /bkt/k HTTP/1.1\r\n$host\r\n", 405, 'MethodNotAllowed'],
    ['CONNECT', "CONNECT /bkt/k HTTP/1.1\r\n$host\r\n", 405,
        'MethodNotAllowed'],
    ['CONNECT to a host', "CONNECT a:80 HTTP/1.1\r\n$host\r\n", 400,
        'BadRequest'],
    ['a URI that is too long', 'GET /bkt/' . 'k' x 20_000
        . " HTTP/1.1\r\n$host\r\n", 400, 'InvalidURI'],
    ['a header that is too long', "GET /bkt/k HTTP/1.1\r\n${host}X-Long: "
        . 'x' x 20_000 . "\r\n\r\n", 400, 'RequestHeaderSectionTooLarge'],
    ['headers that are too long', "GET /bkt/k HTTP/1.1\r\n$host"
        . ('X-Long: ' . 'x' x 10_000 . "\r\n") x 20 . "\r\n", 400,
        'RequestHeaderSectionTooLarge'],
    ['a length that is none', "PUT /bkt/k HTTP/1.1\r\n$host"
        . "Content-Length: five\r\n\r\n", 400, 'BadRequest'],
    ['a negative length', "PUT /bkt/k HTTP/1.1\r\n$host"
        . "Content-Length: -5\r\n\r\n", 400, 'BadRequest'],
    ['two lengths', "PUT /bkt/k HTTP/1.1\r\n$host" . 'Content-Length: 5'
        . "\r\nContent-Length: 5\r\n\r\nhello", 400, 'BadRequest'],
    ['a length and chunks', "PUT /bkt/k HTTP/1.1\r\n$host" . 'Content-Length: '
        . "5\r\nTransfer-Encoding: chunked\r\n\r\nhello", 400, 'BadRequest'],
    ['chunks in HTTP/1.0', "PUT /bkt/k HTTP/1.0\r\n$host"
        . "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 'BadRequest'],
    ['another encoding of the body', "PUT /bkt/k HTTP/1.1\r\n$host"
        . "Transfer-Encoding: gzip\r\n\r\nhello", 501, 'NotImplemented'],
) {
    my ($name, $bytes, $status, $code) = @$_;

    is_error($name, $nginx->exchange($bytes), $status, $code);
}

my $reply = $nginx->exchange("HEAD /../bkt/k HTTP/1.1\r\n$host\r\n");
is($reply->{status}, 400, 'HEAD: status');
is($reply->{body}, '', 'HEAD: no body');
like($reply->{headers}{'x-amz-request-id'}, qr/^[0-9A-F]{16}$/,
    'HEAD: a request id');

like($nginx->exchange("GET /bkt/k\r\n")->{text}, qr{^<\?xml .*</Error>$}s,
    'HTTP/0.9: an answer without a head');

is_deeply([Chorus::Storage->requests], [], 'none of them gets to main');


# ---- requests that nginx's directives refuse ----

for (
    ['a body above client_max_body_size', PUT => '/small/k', 400,
        'EntityTooLarge', body => 'hello'],
    ['a rate above limit_req', GET => '/limited/k', 503, 'SlowDown'],
    ['an address that is denied', GET => '/denied/k', 403, 'AccessDenied'],
    ['a server that is closed', GET => '/closed/k', 503, 'ServiceUnavailable'],
    ['a status of the user', GET => '/odd/k', 507, 'InternalError'],
    ['404 of the user', GET => '/gone/k', 404, 'InvalidRequest'],
    ['a status that has no page', GET => '/teapot/k', 418, 'InvalidRequest'],
    ['"if" of the server', GET => '/bkt/k?banned=1', 403, 'AccessDenied'],
) {
    my ($name, $method, $target, $status, $code, @more) = @$_;

    $nginx->exchange(signed(GET => '/limited/k')) if $target =~ /limited/;
    Chorus::Storage->requests;
    is_error($name, $nginx->exchange(signed($method => $target, @more)),
        $status, $code);
    is_deeply([Chorus::Storage->requests], [], "$name: not for main");
}

for (
    ['an answer of the user', '/words/k', 403, qr/^his own words$/],
    ['a redirect of the user', '/moved/k', 302, qr/302 Found/],
    ['a login of the user', '/login/k', 401, qr/401 Authorization Required/],
    ['a location without Chorus', '/static/k', 404, qr/404 Not Found/],
) {
    my ($name, $target, $status, $body) = @$_;

    my $reply = $nginx->exchange(signed(GET => $target));
    is($reply->{status}, $status, "$name: status");
    like($reply->{body}, $body, "$name: as it is");
}

{
    my $socket = IO::Socket::UNIX->new("$Folder/other.sock") or die $!;
    print $socket "GET /../k HTTP/1.1\r\n$host\r\n";
    $socket->flush;
    like(join('', <$socket>), qr{text/html.*400 Bad Request}s,
        'a server without Chorus is none of its business');
}


# ---- storages that do not answer ----

write_file("$Folder/header", "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n");
write_file("$Folder/answer", "SSH-2.0-OpenSSH_9.2\r\nConnection: close\r\n");

for (
    ['no connection', GET => '/logs-x/k', 502, 'InternalError',
        qr/Please try again/],
    ['no connection for a write', PUT => '/logs-x/k', 502, 'InternalError',
        qr/is not known/, body => 'hello'],
    ['a connection that breaks', GET => '/bkt/k', 502, 'InternalError',
        qr/Please try again/, headers => ['X-Answer' => 'cut']],
    ['a connection that breaks in a write', DELETE => '/bkt/k', 502,
        'InternalError', qr/is not known/, headers => ['X-Answer' => 'cut']],
    ['no answer', GET => '/bkt/k', 504, 'InternalError', qr/Please try again/,
        headers => ['X-Answer' => 'none']],
    ['no answer to a write', PUT => '/bkt/k', 504, 'InternalError',
        qr/is not known/, body => 'hello', headers => ['X-Answer' => 'none']],
    ['a header that is none', GET => '/bkt/k', 502, 'InternalError',
        qr/Please try again/, headers => ['X-Answer' => 'file:header']],
    ['an answer that is not HTTP', GET => '/bkt/k', 502, 'InternalError',
        qr/Please try again/, headers => ['X-Answer' => 'file:answer']],
    ['an answer to a write that is not HTTP', PUT => '/bkt/k', 502,
        'InternalError', qr/is not known/, body => 'hello',
        headers => ['X-Answer' => 'file:answer']],
) {
    my ($name, $method, $target, $status, $code, $message, @more) = @$_;

    my $reply = $nginx->exchange(signed($method => $target, @more));
    is_error($name, $reply, $status, $code);
    like($reply->{body}, $message, "$name: the message");
    like($reply->{body}, qr{<Resource>\Q$target\E</Resource>},
        "$name: the resource");
}

$reply = $nginx->exchange(signed(HEAD => '/logs-x/k'));
is($reply->{status}, 502, 'HEAD without a storage: status');
is($reply->{body}, '', 'HEAD without a storage: no body');

is($nginx->exchange(signed(GET => '/logs-own/k'))->{body}, $page,
    'a page of the user is preferred');

# what a storage says itself is not touched, whatever its status
$reply = $nginx->exchange(signed(GET => '/bkt/k',
    headers => ['X-Answer' => '502']));
is($reply->{status}, 502, "main's own 502: status");
like($reply->{body}, qr{^GET /bkt/k}, "main's own 502: its body");


# ---- the same by HTTP/2 ----

for (
    ['a storage that does not answer HTTP', GET => '/bkt/k', 502,
        'InternalError', 'X-Answer' => 'file:answer'],
    ['a storage that cuts', GET => '/bkt/k', 502, 'InternalError',
        'X-Answer' => 'cut'],
    ['an address that is denied', PUT => '/denied/k', 403, 'AccessDenied'],
    ['a path that is none', GET => '/bkt/a%00', 400, 'BadRequest'],
) {
    my ($name, $method, $target, $status, $code, @headers) = @$_;

    my ($head) = split /\r\n\r\n/,
        request($method => $target, headers => \@headers);
    open my $curl, '-|', 'curl', '-sSi', '--http2-prior-knowledge',
        '--path-as-is', '--max-time', 60, '--unix-socket', "$Folder/h2.sock",
        '-X', $method, map({ ('-H', $_) } grep { /^(?:X-|Auth)/i }
            split /\r\n/, $head), "http://localhost$target"
        or die "curl: $!\n";
    my $text = join '', <$curl>;
    is_error("HTTP/2: $name",
        { Chorus::Nginx::parse($text =~ s{^HTTP/2}{HTTP/1.1}r) }, $status,
        $code);
}


# ---- bodies that do not come ----

my $xml = '<Delete><Object><Key>a</Key></Object></Delete>';

# A client that waits for "100 Continue" and is refused sends no body: what
# comes next on that connection would be taken for it.
for (['deny', '/denied/k', 'AccessDenied'],
    ['limit_req', '/limited/k', 'SlowDown'],
) {
    my ($name, $target, $code) = @$_;

    my $reply = $nginx->exchange(request(PUT => $target, @unsigned,
        connection => 'keep-alive', headers => [Expect => '100-continue',
            'Content-Length' => 1000]) . request(GET => '/bkt/behind'));
    like($reply->{text}, qr{\AHTTP/1\.1 \d+ .*?<Code>$code</Code>}s,
        "$name: who waits for 100 Continue is refused");
    is($reply->{headers}{connection}, 'close', "$name: and disconnected");
    unlike($reply->{text}, qr{HTTP/1\.1.*HTTP/1\.1}s,
        "$name: nothing else is answered");
}

# a presigned URL is a credential, and nginx would have it whole in the log
$nginx->exchange(presign(GET => '/limited/presigned'));
like($nginx->log, qr{limiting requests.* request: "GET /limited/presigned",},
    'a request that is held off is in the log');
unlike($nginx->log, qr/X-Amz-Signature/, 'without its query');

for (
    ['half a body', request(PUT => '/bkt/half', body => 'x' x 2000, @unsigned),
        1000, 'RequestTimeout'],
    ['no body', request(PUT => '/bkt/none', body => 'x' x 2000, @unsigned),
        2000, 'RequestTimeout'],
    ['half a body in chunks', request(POST => '/bkt/chunks?uploadId=1', @unsigned,
        body => "7d0\r\n" . 'x' x 2000 . "\r\n0\r\n\r\n",
        headers => ['Transfer-Encoding' => 'chunked']), 1000,
        'RequestTimeout'],
    ['chunks that are none', request(POST => '/bkt/bad?uploadId=1', @unsigned,
        body => "5\r\nhello\r\nzz\r\n",
        headers => ['Transfer-Encoding' => 'chunked']), 0, 'BadRequest'],
    ['half a list of keys', request(POST => '/bkt?delete', body => $xml), 10,
        'RequestTimeout'],
) {
    my ($name, $bytes, $missing, $code) = @$_;

    Chorus::Storage->requests;
    my $socket = $nginx->connect;
    my $begin = time;
    print $socket substr $bytes, 0, length($bytes) - $missing;
    $socket->flush;
    my $text = join '', <$socket>;
    is_error($name, { Chorus::Nginx::parse($text) }, 400, $code);
    cmp_ok(time - $begin, '<', 25, "$name: the connection ends");
    sleep 0.2;
    is_deeply([grep { !/ incomplete$/ } Chorus::Storage->requests], [],
        "$name: main gets nothing whole");
}

# a client whose answer has begun is cut off, and the answer not spoilt
{
    my $bytes = request(PUT => '/bkt/early', body => 'x' x 2000, @unsigned,
        headers => ['X-Answer' => 'early']);
    my $socket = $nginx->connect;
    print $socket substr $bytes, 0, length($bytes) - 1000;
    $socket->flush;
    my $reply = { Chorus::Nginx::parse(join '', <$socket>) };
    is($reply->{status}, 200, 'an answer before the end of the body: status');
    unlike($reply->{text}, qr/RequestTimeout/, 'and nothing behind it');
}


# ---- connections ----

# a connection is used again after an error that does not concern it
{
    my $socket = $nginx->connect;
    print $socket signed(GET => '/denied/k', connection => 'keep-alive'),
        signed(GET => '/bkt/second');
    $socket->flush;
    my $text = join '', <$socket>;
    like($text, qr{^HTTP/1.1 403 .*</Error>HTTP/1.1 200 .*GET /bkt/second}s,
        'the next request on a connection');
}

# a body of 100-continue is not called for before the request is authentic
for my $secret ('chorus-secret', 'wrong') {
    my $bytes = request(PUT => '/bkt/k', body => 'hello', secret => $secret,
        headers => [Expect => '100-continue'], connection => 'keep-alive');
    my $socket = $nginx->connect;
    print $socket substr $bytes, 0, -5;
    $socket->flush;
    my $line = readline $socket;
    $secret eq 'wrong'
        ? like($line, qr{^HTTP/1.1 403 }, 'no 100 Continue for a stranger')
        : like($line, qr{^HTTP/1.1 100 }, '100 Continue for a user');
    next unless $secret eq 'wrong';
    like(join('', <$socket>), qr{</Error>$}, 'who is told why, and cut off');
}


# ---- logs ----

my $log = read_file("$Folder/access.log");
for (
    qr{^400 BadRequest -$}m,
    qr{^400 RequestHeaderSectionTooLarge /bkt/k$}m,
    qr{^405 MethodNotAllowed /bkt/k$}m,
    qr{^400 EntityTooLarge /small/k$}m,
    qr{^503 SlowDown /limited/k$}m,
    qr{^504 InternalError /bkt/k$}m,
) {
    like($log, $_, 'the log names the code');
}

ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/\[(?:alert|emerg)\]|open socket|exited on signal/,
    'and there is nothing to complain of');

done_testing();
