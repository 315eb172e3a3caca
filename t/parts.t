# What a proxy remembers of multipart uploads, for a worker that is to make
# the same parts.

use strict;
use warnings;

use Digest::MD5 qw(md5 md5_hex);
use Test::More;

BEGIN { push @INC, 't/lib' }
use Chorus::Chunked qw(chunked);
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sign qw(request);
use Chorus::Storage;

my $redis = Chorus::Redis->start;
write_file("$Folder/chorus.json",
    chorus_json(redis => { url => $redis->url }), 0600);
Chorus::Storage->start;

my $nginx = Chorus::Nginx->start(http => http_config() . 'chorus_repeat off;',
    config => server_config(
    proxy_location('/'),
    proxy_location('/bkt/off/', 'chorus_replicate off;'),
    proxy_location('/forced/', 'chorus_replicate archive;')));

wait_for { $nginx->log =~ /Redis is ready/ } or die $nginx->log;

my @range = ('x-amz-copy-source-range', 'bytes=10-17');
my @copy = ('x-amz-copy-source', '/bkt/other');


sub part {
    my ($number, $body, @headers) = @_;

    return exchange(PUT => "/bkt/k?partNumber=$number&uploadId=u%7E1",
        body => $body, headers => \@headers);
}


sub exchange { return $nginx->exchange(request(@_)) }


# The record of an upload, once it is what is expected: calls of Redis come a
# moment after the answer.
sub record_is {
    my ($name, $expected, $upload) = @_;

    my $key = 'chorus:upload:' . ($upload // 'u~1');
    my $record;
    wait_for { ($record = $redis->call(GET => $key) // '') eq $expected } 5;
    is($record, $expected, $name);
}


# A mark is sent behind all that was told before: with it that has arrived.
# Any other one may be of what was done before.
my $settled = 0;
sub settle {
    my $key = 'mark-' . ++$settled;
    exchange(PUT => "/bkt/$key", body => '');
    wait_for { grep { / \Q$key\E / } $redis->marks_now };
}


sub complete_xml {
    my (%etags) = @_;

    return '<CompleteMultipartUpload>' . join('', map {
        "<Part><PartNumber>$_</PartNumber><ETag>&quot;$etags{$_}&quot;"
        . '</ETag></Part>' } sort { $a <=> $b } keys %etags)
        . '</CompleteMultipartUpload>';
}


sub complete {
    my ($body, @headers) = @_;

    return exchange(POST => '/bkt/k?uploadId=u%7E1', body => $body,
        headers => \@headers);
}


# ---- parts ----

is(part(1, 'hello')->{status}, 200, 'a part passes');
record_is('a part', '1=5,');
part(2, 'you');
part(1, 'hello again');
record_is('a part again is told again', '1=5,2=3,1=11,');

part(3, '', @copy, @range);
record_is('a copied part is as long as its range', '1=5,2=3,1=11,3=8,');
part(4, '', @copy);
record_is('without a range its length is not known',
    '1=5,2=3,1=11,3=8,4=0,');

$redis->clear;
for (
    ['a part that main refuses', 'X-Answer', 403],
    ['a part that main does not confirm', 'X-Answer', 500],
    ['a part that main cuts', 'X-Answer', 'cut'],
) {
    my ($name, @headers) = @$_;
    part(1, 'hello', @headers);
    settle();
    record_is("$name is not told", '');
    $redis->clear;
}

for (
    ['of a bucket without a replication', PUT => '/other/k'],
    ['of a bucket that another storage serves', PUT => '/logs-1/k'],
    ['of a place that is not replicated', PUT => '/bkt/off/k'],
    ['with a number that is none', PUT => '/bkt/k?partNumber=x&uploadId=u~1'],
    ['with a number too high',
        PUT => '/bkt/k?partNumber=10001&uploadId=u~1'],
    ['with an id too long',
        PUT => '/bkt/k?partNumber=1&uploadId=' . 'u' x 513],
    ['that is only asked for', GET => '/bkt/k?partNumber=1&uploadId=u~1'],
) {
    my ($name, $method, $target) = @$_;
    $target .= '?partNumber=1&uploadId=u~1' if $target !~ /\?/;
    exchange($method => $target, $method eq 'PUT' ? (body => 'x') : ());
    settle();
    is_deeply($redis->call(KEYS => 'chorus:upload*'), [],
        "a part $name is not told");
    $redis->clear;
}

exchange(PUT => '/forced/k?partNumber=1&uploadId=f', body => 'hello');
record_is('a part of a location that is replicated', '1=5,', 'f');

$redis->clear;
is($nginx->exchange(chunked(PUT => '/bkt/k?partNumber=1&uploadId=u~1',
    body => 'hello world'))->{status}, 200, 'a part in chunks passes');
record_is('a part in chunks is as long as its content', '1=11,');


# ---- completions ----

my ($one, $two) = (md5_hex('hello'), md5_hex('you'));
my $etag = md5_hex(md5('hello') . md5('you')) . '-2';

sub layout { return $redis->call(GET => "chorus:layout:$_[0]") // '' }


sub begin {
    settle();
    $redis->clear;
    part(1, 'hello');
    part(7, 'you');
    part(9, 'left out');
}


for (
    ['a completion', 200, '', ''],
    ['one that main may not have heard of', 502, '1=5,7=3,9=8,', 'X-Answer',
        'cut'],
    ['one that main does not confirm', 500, '1=5,7=3,9=8,', 'X-Answer', 500],
) {
    my ($name, $status, $record, @headers) = @$_;
    @headers = () if @headers == 1;

    begin();
    my $xml = complete_xml(1 => $one, 7 => $two);
    my $reply = complete($xml, @headers);
    is($reply->{status}, $status, "$name: $status");
    is($reply->{headers}{'x-body-length'}, length $xml,
        "$name: the body passes") if $status == 200;
    $redis->marks(1);
    is(layout($etag), '5,3', "$name: is told before its key is marked");
    record_is("$name: its parts", $record);
}

for (
    ['one that main refuses', complete_xml(1 => $one, 7 => $two),
        'X-Answer', 400],
    ['one of other parts', complete_xml(1 => $one, 2 => $two)],
    ['one that is no XML', 'hello'],
    ['one without a body', ''],
    ['one with other ETags', complete_xml(1 => 'a', 7 => 'b')],
) {
    my ($name, $xml, @headers) = @$_;

    begin();
    is(complete($xml, @headers)->{status}, $headers[1] // 200,
        "$name: passes");
    settle();
    is_deeply($redis->call(KEYS => 'chorus:layout:*'), [],
        "$name: makes no layout");
}

begin();
my $xml = complete_xml(1 => $one, 7 => $two);
is($nginx->exchange(chunked(POST => '/bkt/k?uploadId=u~1',
    body => $xml))->{status}, 200,
    'a completion in chunks passes');
$redis->marks(1);
is(layout($etag), '5,3', 'and makes a layout');

begin();
my $many = complete_xml(1 => $one, 7 => $two) . ' ' x 1_000_000;
is(complete($many)->{headers}{'x-body-length'}, length $many,
    'a large completion passes');
$redis->marks(1);
is(layout($etag), '5,3', 'and makes a layout');

begin();
exchange(DELETE => '/bkt/k?uploadId=u~1', headers => ['X-Answer' => 404]);
settle();
record_is('an upload that main does not abort stays', '1=5,7=3,9=8,');
exchange(DELETE => '/bkt/k?uploadId=u~1', headers => ['X-Answer' => 204]);
settle();
record_is('one that it aborts is forgotten', '');


# ---- without Redis ----

$redis->clear;
$redis->end('TERM');
is(part(1, 'hello')->{status}, 200, 'without Redis a part passes');
is(complete($xml)->{status}, 200, 'and a completion');
is(part(2, 'you')->{status}, 200, 'and another part');
$redis->begin;
record_is('what was told is told when it is back', '2=3,');

$redis->end('TERM');
my $odd = complete_xml(map { (2 * $_ - 1) => $one } 1 .. 5000);
complete($odd) for 1 .. 50;
part(1, 'hello') for 1 .. 100;
is(scalar(() = $nginx->log =~ /the parts of uploads are not remembered/g), 1,
    'what is too much for the memory is dropped, which is said once');
$redis->begin;
settle();
$redis->clear;
part(1, 'hello');
record_is('later parts are told again', '1=5,');

unlike($nginx->log, qr/\[(?:alert|emerg)\]/, 'nothing alarming in the log');

$nginx->stop;
done_testing();
