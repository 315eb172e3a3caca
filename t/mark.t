# Which writes mark which keys as dirty, in Redis.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

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

# settings of proxy.conf that a test makes shorter
my $quick = read_file("$Folder/proxy.conf")
    =~ s/(proxy_read_timeout +)300s/${1}300ms/r;
write_file("$Folder/quick.conf", $quick);

# repeated marks have tests of their own, at the end
my $nginx = Chorus::Nginx->start(http => http_config() . 'chorus_repeat off;',
    config => server_config(
    proxy_location('/'),
    proxy_location('/bkt/off/', 'chorus_replicate off;'),
    proxy_location('/forced/', 'chorus_replicate archive;'),
    "location /bkt/quick/ { chorus on; include $Folder/quick.conf; }\n",
    proxy_location('/bkt/sorry/', 'error_page 502 504 = @sorry;'),
    'location @sorry { return 503; }'));

wait_for { $nginx->log =~ /Redis is ready/ } or die $nginx->log;


# What one request marks, as "key facets" for those of alice's bucket.
sub marks_of {
    my ($expected, @request) = @_;

    $redis->clear;
    my $reply = $nginx->exchange(ref $request[0] ? $request[0]->()
        : request(@request));
    return ($reply, marks_now($expected));
}


sub marks_now {
    my ($expected) = @_;

    # two marks of one key come one after the other: wait for what is meant
    my @marks = $redis->marks(scalar @$expected);
    wait_for {
        s/^alice:bkt:follower // for @marks;
        return 1 if "@marks" eq "@$expected";
        @marks = $redis->marks_now;
        0;
    } 1;
    return map { s/^alice:bkt:follower //r } @marks;
}


sub is_marked {
    my ($name, $expected, @request) = @_;

    my ($reply, @marks) = marks_of($expected, @request);
    is_deeply(\@marks, $expected, $name) or diag($reply->{text});
    return $reply;
}


# ---- every write of an object ----

my @copy = (headers => ['x-amz-copy-source' => '/bkt/other']);
my @form = (body => "--b--\r\n",
    headers => ['Content-Type' => 'multipart/form-data; boundary=b']);
my $empty = [body => ''];

for (
    ['PutObject', 'k 7', PUT => '/bkt/k', body => 'hello'],
    ['PutObject of nothing', 'k 7', PUT => '/bkt/k', @$empty],
    ['CopyObject', 'k 7', PUT => '/bkt/k', @copy],
    ['DeleteObject', 'k 7', DELETE => '/bkt/k'],
    ['DeleteObject of a version', 'k 7', DELETE => '/bkt/k?versionId=1'],
    ['CompleteMultipartUpload', 'k 7', POST => '/bkt/k?uploadId=u', @$empty],
    ['PutObjectRetention', 'k 7', PUT => '/bkt/k?retention', @$empty],
    ['PutObjectLegalHold', 'k 7', PUT => '/bkt/k?legal-hold', @$empty],
    ['RestoreObject', 'k 7', POST => '/bkt/k?restore', @$empty],
    ['PutObjectTagging: tags alone', 'k 2', PUT => '/bkt/k?tagging', @$empty],
    ['DeleteObjectTagging: tags alone', 'k 2', DELETE => '/bkt/k?tagging'],
    ['PutObjectAcl: the ACL alone', 'k 4', PUT => '/bkt/k?acl', @$empty],
    ['CreateMultipartUpload', '', POST => '/bkt/k?uploads', @$empty],
    ['UploadPart', '', PUT => '/bkt/k?partNumber=1&uploadId=u', @$empty],
    ['UploadPartCopy', '', PUT => '/bkt/k?partNumber=1&uploadId=u', @copy],
    ['AbortMultipartUpload', '', DELETE => '/bkt/k?uploadId=u'],
    ['SelectObjectContent', '', POST => '/bkt/k?select&select-type=2',
        @$empty],

    # what storages may read in two ways marks all there is
    ['an acl with a value', 'k 7', PUT => '/bkt/k?acl=1', @$empty],
    ['an acl twice', 'k 7', PUT => '/bkt/k?acl&acl', @$empty],
    ['tags and an acl', 'k 7', PUT => '/bkt/k?tagging&acl', @$empty],
    ['a part without an upload', 'k 7', PUT => '/bkt/k?partNumber=1', @$empty],
    ['an upload without a part', 'k 7', PUT => '/bkt/k?uploadId=u', @$empty],
    ['a part number twice', 'k 7',
        PUT => '/bkt/k?partNumber=1&partNumber=2&uploadId=u', @$empty],
    ['tags of an unknown version', 'k 2', PUT => '/bkt/k?tagging&versionId=1',
        @$empty],
    ['an unknown sub-resource', 'k 7', PUT => '/bkt/k?nonsense', @$empty],
    ['an unknown method', 'k 7', PATCH => '/bkt/k', @$empty],
    ['an argument in escapes', 'k 7', PUT => '/bkt/k?%74agging', @$empty],
    ['tags and a hidden acl', 'k 7', PUT => '/bkt/k?tagging&acl%3D', @$empty],

    # every write of a bucket
    ['CreateBucket', ' 7', PUT => '/bkt', @$empty],
    ['CreateBucket, with a slash', ' 7', PUT => '/bkt/', @$empty],
    ['DeleteBucket', ' 7', DELETE => '/bkt'],
    ['PutBucketAcl', ' 7', PUT => '/bkt?acl', @$empty],
    ['PutBucketVersioning', ' 7', PUT => '/bkt?versioning', @$empty],
    ['PutBucketTagging', ' 7', PUT => '/bkt?tagging', @$empty],
    ['DeleteBucketTagging', ' 7', DELETE => '/bkt?tagging'],
    (map {
        ["Put of ?$_", ' 7', PUT => "/bkt?$_", @$empty],
        ["Put of /?$_", ' 7', PUT => "/bkt/?$_", @$empty],
        ["Delete of ?$_", ' 7', DELETE => "/bkt?$_"],
        ["Get of ?$_", '', GET => "/bkt?$_"]
    } qw(lifecycle policy cors website encryption object-lock)),
    ['CreateBucket with object lock', ' 7', PUT => '/bkt', @$empty,
        headers => ['x-amz-bucket-object-lock-enabled' => 'true']],
    ['an unknown setting', ' 7', PUT => '/bkt?nonsense', @$empty],

    # reads
    ['GetObject', '', GET => '/bkt/k'],
    ['HeadObject', '', HEAD => '/bkt/k'],
    ['GetObjectTagging', '', GET => '/bkt/k?tagging'],
    ['OPTIONS', '', OPTIONS => '/bkt/k'],
    ['ListObjects', '', GET => '/bkt?list-type=2'],
    ['HeadBucket', '', HEAD => '/bkt'],
    ['ListBuckets', '', GET => '/'],

    # whose writes, and where to
    ['a user without a replication', '', PUT => '/bkt/k', @$empty,
        access_key => 'BOB-KEY', secret => 'bob-secret'],
    ['a bucket without a replication', '', PUT => '/other/k', @$empty],
    ['a bucket that another storage serves', '', PUT => '/logs-1/k', @$empty],
    ['chorus_replicate off', '', PUT => '/bkt/off/k', @$empty],
    ['chorus_replicate with a follower', 'alice:forced:archive k 7',
        PUT => '/forced/k', @$empty],

    ['a bucket of a location, without a slash', 'alice:forced:archive  7',
        PUT => '/forced', @$empty],

    # the keys as they are
    ['a key in escapes', 'a/b c+d 7', PUT => '/bkt/a%2Fb%20c+d', @$empty],
    ['a key with slashes', '/a//b/ 7', PUT => '/bkt//a//b/', @$empty],
    ['a key with dots', 'a/../b 7', PUT => '/bkt/a/../b', @$empty],
    ['a key in UTF-8', "\xe2\x82\xac 7", PUT => '/bkt/%E2%82%AC', @$empty],
    ['a key with a line feed', "a\nb 7", PUT => '/bkt/a%0Ab', @$empty],
) {
    my ($name, $mark, @request) = @$_;

    my $reply = is_marked($name, [$mark ne '' ? $mark : ()], @request);
    is($reply->{status}, 200, "$name: passes");
}

# what they change only the storage knows: not where followers depend on it
for (
    ['an upload of a browser', POST => '/bkt', @form],
    ['an upload of a browser to a key', POST => '/bkt/k', @form],
    ['a POST without a meaning', POST => '/bkt/k', @$empty],
    ['a DeleteObjects behind a second ?', POST => '/bkt??delete', @$empty],
    ['a DeleteObjects in escapes', POST => '/bkt?%64elete', @$empty],
    ['a DeleteObjects with a hidden =', POST => '/bkt?delete%3D', @$empty],
) {
    my ($name, @request) = @$_;

    my $reply = is_marked("$name: no mark", [], @request);
    is($reply->{status}, 501, "$name: refused");
    like($reply->{text}, qr/<Code>NotImplemented</, "$name: as S3 says it");
}

is($nginx->exchange(request(POST => '/other', @form))->{status}, 200,
    'an upload of a browser passes where nothing is replicated');

# names that are the same bucket to Ceph
for my $bucket (':bkt', '%3Abkt', 't:bkt', 'b%20kt') {
    my $reply = is_marked("bucket $bucket: no mark", [],
        PUT => "/$bucket/k", body => 'hello');
    is($reply->{status}, 400, "bucket $bucket: refused");
    like($reply->{text}, qr/<Code>InvalidBucketName</, "bucket $bucket: why");
}

# where Ceph has interfaces of its own
for my $bucket (qw(swift admin auth)) {
    my $reply = is_marked("/$bucket/: no mark", [],
        PUT => "/$bucket/v1/bkt/k", body => 'hello');
    is($reply->{status}, 400, "/$bucket/: refused");
    like($reply->{text}, qr/<Code>InvalidBucketName</, "/$bucket/: why");
}

for (
    ['in the query', '/?Action=AssumeRole', ''],
    ['in the body', '/', 'Action=GetSessionToken'],
) {
    my ($name, $target, $body) = @$_;
    my $reply = is_marked("an Action $name: no mark", [],
        POST => $target, body => $body);
    is($reply->{status}, 405, "an Action $name: refused");
    like($reply->{text}, qr/<Code>MethodNotAllowed</, "an Action $name: why");
}

is_marked('a replication to two followers marks for both',
    ['alice:two:archive k 7', 'alice:two:follower k 7'],
    PUT => '/two/k', body => '');


# ---- what main said, or did not say ----

for (
    [200, 1], [204, 1], [301, 1], [307, 1],
    [400, 0], [403, 0], [404, 0], [409, 0], [412, 0],
    [500, 1], [501, 1], [503, 1],
) {
    my ($status, $marks) = @$_;

    my $reply = is_marked($marks ? "$status marks" : "$status does not mark",
        [('k 7') x $marks],
        PUT => '/bkt/k', body => 'hello', headers => ['X-Answer' => $status]);
    is($reply->{status}, $status, "$status comes back");
}

for (
    ['a connection that main cuts', '/bkt/k', 'cut', 502],
    ['half an answer', '/bkt/k', 'half', 200],
    ['an answer before the body was read', '/bkt/k', 'early', 200],
    ['no answer in time', '/bkt/quick/k', 'none', 504],
    ['an error_page for a cut connection', '/bkt/sorry/k', 'cut', 503],
) {
    my ($name, $path, $answer, $status) = @$_;

    my ($key) = $path =~ m{^/bkt/(.*)};
    my $reply = is_marked("$name marks", ["$key 7"],
        PUT => $path, body => 'hello', headers => ['X-Answer' => $answer]);
    is($reply->{status}, $status, "$name: $status");
}

# Sends bytes and goes.
sub abandon {
    my ($bytes, $seconds) = @_;

    my $socket = $nginx->connect;
    print $socket $bytes;
    $socket->flush;
    sleep $seconds;
    close $socket;
}

$redis->clear;
abandon(request(PUT => '/bkt/k', body => 'hello',
    headers => ['X-Answer' => 'wait:1']), 0.2);
is_deeply([marks_now(['k 7'])], ['k 7'],
    'a client that does not wait for the answer marks');

$redis->clear;
abandon(substr(request(PUT => '/bkt/k', body => 'x' x 1000000), 0, 500000),
    0.2);
is_deeply([marks_now(['k 7'])], ['k 7'],
    'a client that goes in the middle of the body marks');

# nginx lingers on a connection that it has closed and the client has not
$redis->clear;
{
    my $socket = $nginx->connect;
    print $socket request(PUT => '/bkt/k', body => 'x' x 200000);
    $socket->flush;
    my $answer = join '', <$socket>;
    my $begin = time;
    is_deeply([marks_now(['k 7'])], ['k 7'],
        'a client that does not close its connection marks');
    cmp_ok(time - $begin, '<', 4.5, 'at once');
}

is_marked('a request that is refused here does not mark', [],
    PUT => '/bkt/k', body => '', secret => 'wrong');


# ---- DeleteObjects ----

sub delete_objects {
    my ($xml, @more) = @_;

    return (POST => '/bkt?delete', body => $xml, @more);
}

sub xml { '<Delete>' . join('', map { "<Object><Key>$_</Key></Object>" } @_)
    . '</Delete>' }

for (
    ['one key', xml('a'), 'a 7'],
    ['several keys', xml('a', 'b/c', 'd'), 'a 7', 'b/c 7', 'd 7'],
    ['a key twice', xml('a', 'a'), 'a 7'],
    ['a declaration, a namespace, Quiet, versions',
        '<?xml version="1.0" encoding="UTF-8"?>' . "\n"
        . '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        . "\n  <Quiet>true</Quiet>\n  <Object>\n    <Key>a</Key>\n"
        . "    <VersionId>1</VersionId>\n  </Object>\n</Delete>\n", 'a 7'],
    ['entities', xml('a&amp;b&lt;c&gt;&quot;d&apos;'), q{a&b<c>"d' 7}],
    ['characters by number', xml('a&#32;b&#x2F;c&#10;d'), "a b/c\nd 7"],
    ['a CDATA section', xml('<![CDATA[a&amp;b]]>'), 'a&amp;b 7'],
    ['UTF-8', xml("\xe2\x82\xac"), "\xe2\x82\xac 7"],
    ['blanks in a key', xml(' a  b '), ' a  b  7'],
) {
    my ($name, $xml, @marks) = @$_;

    my $reply = is_marked("DeleteObjects: $name", [sort @marks],
        delete_objects($xml));
    is($reply->{headers}{'x-body-length'}, length $xml,
        "DeleteObjects: $name: the body passes");
}

my @thousand = map { sprintf 'key-%04d', $_ } 1 .. 1000;
is_marked('DeleteObjects: 1,000 keys', [map { "$_ 7" } @thousand],
    delete_objects(xml(@thousand)));
is_marked('DeleteObjects for two followers',
    [map { "alice:two:$_ 7" } 'archive a', 'archive b', 'follower a',
        'follower b'],
    POST => '/two?delete', body => xml('a', 'b'));
is_marked('DeleteObjects that main refuses does not mark', [],
    delete_objects(xml('a'), headers => ['X-Answer' => 403]));
is_marked('DeleteObjects without an answer marks', ['a 7', 'b 7'],
    delete_objects(xml('a', 'b'), headers => ['X-Answer' => 'cut']));

Chorus::Storage->requests;
for (
    ['no XML', 'nonsense'],
    ['nothing', ''],
    ['half of it', substr(xml('a', 'b'), 0, -20)],
    ['another root', '<Remove><Object><Key>a</Key></Object></Remove>'],
    ['no object', '<Delete></Delete>'],
    ['an object without a key', '<Delete><Object></Object></Delete>'],
    ['an empty key', xml('')],
    ['two keys in an object',
        '<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>'],
    ['1,001 keys', xml(@thousand, 'one-more')],
    ['an entity of its own', '<!DOCTYPE d [<!ENTITY e "a">]>' . xml('&e;')],
    ['bytes that are no UTF-8', xml("\xff")],
) {
    my ($name, $xml) = @$_;

    my $reply = is_marked("DeleteObjects: $name does not mark", [],
        delete_objects($xml));
    is($reply->{status}, 400, "DeleteObjects: $name: 400");
    like($reply->{body}, qr{<Code>MalformedXML</Code>},
        "DeleteObjects: $name: MalformedXML");
}
is_deeply([Chorus::Storage->requests], [],
    'a malformed DeleteObjects does not get to main');

my $reply = is_marked('DeleteObjects that is not replicated is not read', [],
    POST => '/other?delete', body => 'nonsense');
is($reply->{headers}{'x-body-length'}, 8, 'and passes');

my $large = '<Delete>' . ' ' x (6 * 1024 * 1024) . '</Delete>';
$reply = is_marked('DeleteObjects of more than 6 MiB', [],
    delete_objects($large));
is($reply->{status}, 400, 'is refused');
like($reply->{body}, qr{<Code>EntityTooLarge</Code>}, 'as too large');

my @chunked = (payload => 'UNSIGNED-PAYLOAD',
    headers => ['Transfer-Encoding' => 'chunked']);

sub chunks {
    my ($size, $text) = @_;

    $text =~ s/(.{1,$size})/sprintf "%x\r\n%s\r\n", length $1, $1/gse;
    return "${text}0\r\n\r\n";
}

$reply = is_marked('DeleteObjects in chunks', ['a 7', 'b 7'],
    delete_objects(chunks(7, xml('a', 'b')), @chunked));
is($reply->{headers}{'x-body-length'}, length xml('a', 'b'), 'passes');

$reply = is_marked('DeleteObjects in chunks of more than 6 MiB', [],
    delete_objects(chunks(32000, $large), @chunked));
is($reply->{status}, 400, 'is refused');

Chorus::Storage->requests;
$redis->clear;
abandon(substr(request(delete_objects(xml(@thousand))), 0, -100), 0.1);
is_deeply([marks_now([])], [], 'DeleteObjects of a client that goes');
is_deeply([Chorus::Storage->requests], [], 'does not get to main');

# in small pieces
$redis->clear;
{
    my $socket = $nginx->connect;
    my $bytes = request(delete_objects(xml(@thousand[0 .. 9])));
    while (length $bytes) {
        syswrite $socket, substr $bytes, 0, 150, '';
        sleep 0.02;
    }
    my $answer = join '', <$socket>;
    close $socket;
    like($answer, qr{^HTTP/1.1 200 }, 'DeleteObjects in small pieces');
    my @marks = map { "$_ 7" } @thousand[0 .. 9];
    is_deeply([marks_now(\@marks)], \@marks, 'marks its keys');
}

# with "Expect: 100-continue"
$redis->clear;
{
    my $socket = $nginx->connect;
    my $bytes = request(delete_objects(xml('a'),
        headers => [Expect => '100-continue']));
    my ($head, $body) = $bytes =~ /(.*?\r\n\r\n)(.*)/s;
    print $socket $head;
    $socket->flush;
    my $continue = readline $socket;
    like($continue, qr{^HTTP/1.1 100 }, 'DeleteObjects may be waiting');
    print $socket $body;
    $socket->flush;
    my $answer = join '', <$socket>;
    close $socket;
    like($answer, qr{HTTP/1.1 200 }, 'and then passes');
    is_deeply([marks_now(['a 7'])], ['a 7'], 'and marks');
}


# ---- many writes of one key ----

$redis->clear;
{
    my $socket = $nginx->connect;
    my $bytes = request(PUT => '/bkt/hot', body => 'hello',
        connection => 'keep-alive');
    my $answered = 0;
    for (1 .. 1000) {
        print $socket $bytes;
        $socket->flush;
        my $length = 0;
        while (defined(my $line = readline $socket)) {
            $length = $1 if $line =~ /^Content-Length: (\d+)/i;
            last if $line eq "\r\n";
        }
        $answered++ if $length && read $socket, (my $body), $length;
    }
    is($answered, 1000, '1,000 writes of one key');
}
is_deeply([marks_now(['hot 7'])], ['hot 7'], 'are one mark');

# which may be made once more, but not behind that of a later write
$nginx->exchange(request(PUT => '/bkt/last', body => ''));
wait_for { grep { / last / } $redis->marks_now };

is_marked('tags and then content are united', ['k 7'], sub {
    $nginx->exchange(request(PUT => '/bkt/k?tagging', body => ''));
    request(PUT => '/bkt/k', body => '');
});
is_marked('tags and then an ACL are both', ['k 6'], sub {
    $nginx->exchange(request(PUT => '/bkt/k?tagging', body => ''));
    request(PUT => '/bkt/k?acl', body => '');
});

ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and has nothing to complain of');


# ---- main may still be at work ----

$nginx = Chorus::Nginx->start(
    http => http_config() . 'chorus_repeat 2s 2s;',
    config => server_config());

sub put_late {
    my ($key, $answer) = @_;

    $nginx->exchange(request(PUT => "/bkt/$key", body => 'hello',
        headers => ['X-Answer' => $answer]));
}

# Takes the marks away, as a worker would; returns how often each key came
# back.  It waits longer for as many times as there should be.
sub marks_again {
    my ($seconds, %wanted) = @_;

    my %times = map { $_ => 0 } keys %wanted;
    my $end = time + $seconds;
    my $late = sub { scalar grep { $times{$_} < $wanted{$_} } keys %wanted };
    for (; time < $end + ($late->() ? 30 : 0); sleep 0.02) {
        $times{$_} += $redis->call('ZREM',
            'chorus:{alice:bkt:follower}:dirty', $_) for keys %wanted;
    }
    return \%times;
}

{
    my @cases = (
        ['a 500', 3, 'late-500', 500], ['a cut connection', 3, 'late-cut', 'cut'],
        ['half an answer', 3, 'late-half', 'half'], ['a 200', 1, 'late-200', 200],
        ['a 404', 0, 'late-404', 404],
    );
    $redis->clear;
    put_late(@$_[2, 3]) for @cases;
    my $times = marks_again(5.5, map { $_->[2] => $_->[1] } @cases);
    is($times->{$_->[2]}, $_->[1], "$_->[0]: marked $_->[1] times") for @cases;
}

$redis->clear;
put_late('late', 500);
is(marks_again(0.5, late => 1)->{late}, 1, 'one mark at once');
kill HUP => $nginx->pid;
is(marks_again(5, late => 2)->{late}, 2,
    'a reload does not forget the others');
wait_for { $nginx->workers == 1 } 10;
ok($nginx->stop, 'nginx stops');

unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and has nothing to complain of');

done_testing();
