# Requests without credentials: refused, or served as a configured user, with
# what may be done in that user's name listed.  And preflight requests.

use strict;
use warnings;

use Test::More;

BEGIN { push @INC, 't/lib' }
use Chorus::Chunked qw(chunked);
use Chorus::Checksum qw(checksum);
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Received;
use Chorus::Redis;
use Chorus::Sign qw(presigned_target request);
use Chorus::Storage;


# ---- configuration ----

for (
    ['an unknown user', 'chorus_anonymous carol;',
        qr/chorus_anonymous "carol": no such user in/],
    ['a second word other than write', 'chorus_anonymous alice read;',
        qr/chorus_anonymous: "read" is neither "write" nor left out/],
    ['off and write', 'chorus_anonymous off write;', qr/\[emerg\]/],
    ['no user', 'chorus_anonymous;', qr/invalid number of arguments/],
    ['three words', 'chorus_anonymous alice write write;',
        qr/invalid number of arguments/],
    ['twice', 'chorus_anonymous alice; chorus_anonymous bob;',
        qr/is duplicate/],
    ['an empty user', 'chorus_anonymous "";', qr/no such user/],
    ['a user in capitals', 'chorus_anonymous ALICE;', qr/no such user/],
) {
    my ($name, $directive, $want) = @$_;
    like(Chorus::Nginx->check(config => server_config(
        proxy_location('/', $directive))), $want, "$name is an error");
}

like(Chorus::Nginx->check(http => http_config() . 'chorus_anonymous alice;'),
    qr/directive is not allowed here/, 'in the http block it is an error');
is(Chorus::Nginx->check(config => 'chorus_anonymous alice;'
    . server_config(proxy_location('/'), proxy_location('/a/',
    'chorus_anonymous off;'), proxy_location('/b/',
    'chorus_anonymous bob write;'))), '', 'in server and location it is not');


# ---- what the tests are about ----

my $redis = Chorus::Redis->start;
write_file("$Folder/chorus.json", chorus_json(redis => { url => $redis->url },
    replications => [
        map { { user => 'alice', bucket => $_, to => ['follower'] } }
            'open', 'public', 'closed'
    ]), 0600);
Chorus::Storage->start;

my $nginx = Chorus::Nginx->start(
    http => http_config() . 'chorus_repeat off;',
    config => server_config(proxy_location('/'),
        proxy_location('/closed/', 'chorus_anonymous off;'),
        proxy_location('/public/', 'chorus_anonymous alice;'),
        proxy_location('/open/', 'chorus_anonymous alice write;'),
        proxy_location('/logs-1/', 'chorus_anonymous bob write;')));
wait_for { $nginx->log =~ /Redis is ready/ } or die $nginx->log;
my ($worker) = $nginx->workers;


# A request that nobody has signed.
sub anonymous {
    my ($method, $target, $body, @headers) = @_;

    return request($method, $target, date => 'none', payload => undef,
        defined $body ? (body => $body) : (), headers => \@headers,
        authorization => sub { undef });
}


sub code_of { ($_[0]{body} =~ m{<Code>(\w+)</Code>})[0] // 'none' }


sub is_served {
    my ($name, $reply, $key, $storage) = @_;

    my $r = received($reply->{body});
    my ($used) = ($r->{header}{authorization} // '') =~ /Credential=([^\/]+)/;
    is_deeply([$reply->{status}, $reply->{headers}{'x-storage'},
        $used, $r->{is_signed} ? 'signed' : 'not signed'],
        [200, $storage // 'main', $key // 'MAIN-ALICE', 'signed'], $name)
        or diag $reply->{text};
    Chorus::Storage->requests;
}


sub is_refused {
    my ($name, $bytes, $code) = @_;

    Chorus::Storage->requests;
    my $reply = $nginx->exchange($bytes);
    is("$reply->{status} " . code_of($reply), $code // '403 AccessDenied',
        $name) or diag $reply->{text};
    is_deeply([Chorus::Storage->requests], [], "$name: main is not asked");
}


# ---- who is let in where ----

is_refused('a location that does not say', anonymous(GET => '/bkt/k'));
is_refused('off', anonymous(GET => '/closed/k'));
is_refused('the list of buckets', anonymous(GET => '/'));
is_served('a user', $nginx->exchange(anonymous(GET => '/public/k')));
is_served('a user who may write', $nginx->exchange(anonymous(
    PUT => '/open/k', 'hello')));
is_served('another user on another storage', $nginx->exchange(anonymous(
    GET => '/logs-1/k')), 'ARCHIVE-BOB', 'archive');

my @reads = (
    ['GetObject', GET => '/public/k'],
    ['a part', GET => '/public/k?partNumber=1'],
    ['a range', GET => '/public/k', undef, Range => 'bytes=0-9'],
    ['GetObjectTagging', GET => '/public/k?tagging'],
    ['GetObjectAttributes', GET => '/public/k?attributes', undef,
        'x-amz-object-attributes' => 'ETag'],
    ['ListObjects', GET => '/public/?prefix=a&delimiter=%2F&max-keys=5'],
    ['ListObjects without a slash', GET => '/public'],
    ['ListObjectsV2', GET => '/public?list-type=2&start-after=a'],
    ['GetBucketLocation', GET => '/public?location'],
);
my @writes = (
    ['PutObject', PUT => '/public/k', 'hello'],
    ['PutObject with metadata', PUT => '/public/k', 'hello',
        'x-amz-meta-a' => 'b', 'x-amz-storage-class' => 'STANDARD',
        'x-amz-tagging' => 'a=b'],
    ['PutObject with a checksum', PUT => '/public/k', 'hello',
        'x-amz-checksum-crc32' => checksum(crc32 => 'hello')],
    ['DeleteObject', DELETE => '/public/k'],
    ['DeleteObjects', POST => '/public?delete',
        '<Delete><Object><Key>a</Key></Object></Delete>'],
    ['PutObjectTagging', PUT => '/public/k?tagging', '<Tagging/>'],
    ['DeleteObjectTagging', DELETE => '/public/k?tagging'],
    ['CreateMultipartUpload', POST => '/public/k?uploads'],
    ['UploadPart', PUT => '/public/k?partNumber=1&uploadId=u', 'hello'],
    ['ListParts', GET => '/public/k?uploadId=u'],
    ['ListMultipartUploads', GET => '/public?uploads'],
    ['CompleteMultipartUpload', POST => '/public/k?uploadId=u', '<C/>'],
    ['AbortMultipartUpload', DELETE => '/public/k?uploadId=u'],
);
my @never = (
    # among them is what has been deleted
    ['a version', GET => '/public/k?versionId=v'],
    ['ListObjectVersions', GET => '/public?versions'],
    ['DeleteObject of a version', DELETE => '/public/k?versionId=v'],
    ['CreateBucket', PUT => '/public'],
    ['DeleteBucket', DELETE => '/public'],
    ['GetObjectAcl', GET => '/public/k?acl'],
    ['PutObjectAcl', PUT => '/public/k?acl', ''],
    ['GetBucketAcl', GET => '/public?acl'],
    ['PutBucketAcl', PUT => '/public?acl', ''],
    ['GetBucketPolicy', GET => '/public?policy'],
    ['PutBucketPolicy', PUT => '/public?policy', '{}'],
    ['DeleteBucketPolicy', DELETE => '/public?policy'],
    ['PutBucketCors', PUT => '/public?cors', ''],
    ['GetBucketLifecycle', GET => '/public?lifecycle'],
    ['PutBucketVersioning', PUT => '/public?versioning', ''],
    ['PutObjectRetention', PUT => '/public/k?retention', ''],
    ['PutObjectLegalHold', PUT => '/public/k?legal-hold', ''],
    ['RestoreObject', POST => '/public/k?restore', ''],
    ['SelectObjectContent', POST => '/public/k?select&select-type=2', ''],
    ['CopyObject', PUT => '/public/k', undef,
        'x-amz-copy-source' => '/public/a'],
    ['UploadPartCopy', PUT => '/public/k?partNumber=1&uploadId=u', undef,
        'x-amz-copy-source' => '/closed/a'],
    ['an unknown method', PATCH => '/public/k', 'hello'],
    ['an unknown sub-resource', GET => '/public?new-thing'],
    ['another unknown argument', GET => '/public/k?x=y'],
    ['response-content-type', GET =>
        '/public/k?response-content-type=text/html'],
    ['response-content-disposition', GET =>
        '/public/k?response-content-disposition=inline'],
    ['an argument in escapes', GET => '/public/k?%61cl'],
    ['a second argument in escapes', GET => '/public/k?partNumber=1&%61cl'],
    ['an argument in capitals', GET => '/public/k?ACL'],
    ['acl behind another', GET => '/public/k?tagging&acl'],
    # Ceph lists uploads and parts before anything else
    ['uploads behind a list', GET => '/public?list-type=2&uploads'],
    ['uploads behind versions', GET => '/public?versions&uploads'],
    ['an upload behind tags', GET => '/public/k?tagging&uploadId=u'],
    ['metadata for Ceph under another name', PUT => '/public/k', 'hello',
        'x-rgw-meta-a' => 'b'],
    ['an argument of the policy behind a list', GET =>
        '/public?list-type=2&policy'],
    ['x-amz-acl', PUT => '/public/k', 'hello', 'x-amz-acl' => 'public-read'],
    ['X_Amz_Acl', PUT => '/public/k', 'hello', 'X_Amz_Acl' => 'public-read'],
    ['x-amz_acl', PUT => '/public/k', 'hello', 'x-amz_acl' => 'public-read'],
    ['x-amz-grant-read', PUT => '/public/k', 'hello',
        'x-amz-grant-read' => 'id="a"'],
    ['x-amz-bypass-governance-retention', DELETE => '/public/k', undef,
        'x-amz-bypass-governance-retention' => 'true'],
    ['x-amz-object-lock-mode', PUT => '/public/k', 'hello',
        'x-amz-object-lock-mode' => 'COMPLIANCE'],
    ['x-amz-website-redirect-location', PUT => '/public/k', 'hello',
        'x-amz-website-redirect-location' => '/'],
    ['x-amz-mfa', DELETE => '/public/k', undef, 'x-amz-mfa' => '1 2'],
);

for (@reads) {
    my ($name, $method, $target, @more) = @$_;
    is_served("$name, by nobody",
        $nginx->exchange(anonymous($method, $target, @more)));
    is_refused("$name, where nobody may", anonymous($method,
        $target =~ s/public/bkt/r, @more));
}

for my $target ('/public/k', '/public') {
    my $reply = $nginx->exchange(anonymous(HEAD => $target));
    is($reply->{status}, 200, "HEAD $target, by nobody");
    is_refused("HEAD $target, where nobody may", anonymous(
        HEAD => $target =~ s/public/bkt/r), '403 none');
}

for (@writes) {
    my ($name, $method, $target, @more) = @$_;
    is_refused("$name, read only", anonymous($method, $target, @more));
    is_served("$name, with write", $nginx->exchange(anonymous($method,
        $target =~ s/public/open/r, @more)));
}

for (@never) {
    my ($name, $method, $target, @more) = @$_;
    is_refused("$name, with write", anonymous($method,
        $target =~ s/public/open/r, @more));
    is_refused("$name, read only", anonymous($method, $target, @more));
}


# ---- credentials, or a part of them ----

is_served('a signed request is its own user\'s', $nginx->exchange(request(
    GET => '/open/k', access_key => 'BOB-KEY', secret => 'bob-secret')),
    'MAIN-BOB');
is_served('and may what nobody may', $nginx->exchange(request(
    PUT => '/public/k?acl', body => '')));
is_served('a presigned URL as well', $nginx->exchange("GET "
    . presigned_target(GET => '/open/k', access_key => 'BOB-KEY',
        secret => 'bob-secret')
    . " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
    'MAIN-BOB');

is_refused('a wrong signature is not nobody', request(GET => '/public/k',
    secret => 'wrong'), '403 SignatureDoesNotMatch');
is_refused('an unknown key is not nobody', request(GET => '/public/k',
    access_key => 'X'), '403 InvalidAccessKeyId');
is_refused('an old date is not nobody', request(GET => '/public/k',
    offset => -3600), '403 RequestTimeTooSkewed');
is_refused('a wrong presigned URL is not nobody', "GET " . presigned_target(
    GET => '/public/k', secret => 'wrong')
    . " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    '403 SignatureDoesNotMatch');

for ('X-Amz-Algorithm=AWS4-HMAC-SHA256', 'X-Amz-Credential=a',
    'X-Amz-Signature=a', 'X-Amz-Date=a', 'X-Amz-Expires=1',
    'X-Amz-SignedHeaders=host', 'AWSAccessKeyId=a', 'Signature=a',
    'x-amz-signature=a', 'X%2DAmz-Signature=a', 'Expires=1',
    'X-Amz-Security-Token=a', 'X-Amz-Content-Sha256=UNSIGNED-PAYLOAD')
{
    Chorus::Storage->requests;
    my $reply = $nginx->exchange(anonymous(GET => "/public/k?$_"));
    like($reply->{status}, qr/^40[03]$/, "$_ alone is not nobody")
        or diag $reply->{text};
    is_deeply([Chorus::Storage->requests], [], "$_: main is not asked");
}

for ('', 'AWS4-HMAC-SHA256', 'AWS a:b', 'Basic YTpi', 'Bearer a') {
    Chorus::Storage->requests;
    my $reply = $nginx->exchange(anonymous(GET => '/public/k', undef,
        Authorization => $_));
    like($reply->{status}, qr/^40[03]$/, "Authorization: $_ is not nobody")
        or diag $reply->{text};
    is_deeply([Chorus::Storage->requests], [], "'$_': main is not asked");
}


# ---- writes ----

$nginx->exchange(anonymous(PUT => '/open/mine', 'hello'));
ok(wait_for { grep { $_ eq 'alice:open:follower mine 7' } $redis->marks_now },
    'a write by nobody is replicated as that user\'s');

$nginx->exchange(anonymous(POST => '/open?delete',
    '<Delete><Object><Key>gone</Key></Object></Delete>'));
ok(wait_for { grep { $_ eq 'alice:open:follower gone 7' } $redis->marks_now },
    'DeleteObjects as well');

{
    my @nobody = (date => 'none', authorization => sub { undef });
    my $reply = $nginx->exchange(chunked(PUT => '/open/k', @nobody,
        form => 'unsigned-trailer', body => 'hello'));
    is_served('aws-chunked with a trailer, by nobody', $reply);
    is($reply->{headers}{'x-body-length'}, 5, 'is decoded');
    is_refused('a wrong trailer by nobody', chunked(PUT => '/open/k', @nobody,
        form => 'unsigned-trailer', body => '',
        trailers => ['x-amz-checksum-crc32' => 'AAAAAQ==']), '400 BadDigest');
    for my $form ('signed', 'signed-trailer') {
        Chorus::Storage->requests;
        my $reply = $nginx->exchange(chunked(PUT => '/open/k', @nobody,
            form => $form, body => 'hello'));
        like($reply->{status}, qr/^40[03]$/, "$form chunks by nobody");
        is_deeply([Chorus::Storage->requests], [],
            "$form chunks by nobody: main is not asked");
    }
}

is_refused('a payload line that is none', anonymous(PUT => '/open/k', 'hello',
    'x-amz-content-sha256' => 'five'), '400 InvalidArgument');


# ---- preflight ----

is_refused('a preflight request with a body', anonymous(OPTIONS => '/bkt/k',
    'hello'), '400 InvalidRequest');

my @preflight = (undef, Origin => 'https://a.test',
    'Access-Control-Request-Method' => 'PUT');
my $gone = presigned_target(PUT => '/bkt/k?versionId=a%2Fb');

for (
    ['an object', '/bkt/k', 'main', 'OPTIONS /bkt/k HTTP/1.1'],
    ['a bucket', '/bkt', 'main', 'OPTIONS /bkt HTTP/1.1'],
    ['a bucket on another storage', '/logs-1/k', 'archive',
        'OPTIONS /logs-1/k HTTP/1.1'],
    ['where nobody may', '/closed/k', 'main', 'OPTIONS /closed/k HTTP/1.1'],
    ['a presigned URL', $gone, 'main',
        'OPTIONS /bkt/k?versionId=a%2Fb HTTP/1.1'],
    ['a presigned URL of version 2',
        '/bkt/k?AWSAccessKeyId=a&Signature=b&Expires=1&uploadId=u', 'main',
        'OPTIONS /bkt/k?uploadId=u HTTP/1.1'],
) {
    my ($name, $target, $storage, $line) = @$_;

    my $reply = $nginx->exchange(anonymous(OPTIONS => $target, @preflight));
    my $r = received($reply->{body});
    is_deeply([$reply->{status}, $reply->{headers}{'x-storage'}, $r->{line},
        map { $r->{header}{$_} } qw(origin access-control-request-method
            authorization x-amz-date x-amz-content-sha256)],
        [200, $storage, $line, 'https://a.test', 'PUT', (undef) x 3],
        "OPTIONS, $name: asked without credentials");
}

is_refused('OPTIONS *', "OPTIONS * HTTP/1.1\r\nHost: x\r\n"
    . "Connection: close\r\n\r\n", '400 BadRequest');
{
    my $reply = $nginx->exchange(request(OPTIONS => '/bkt/k'));
    my $r = received($reply->{body});
    is($r->{header}{authorization}, undef,
        'OPTIONS: credentials of the client stay here');
}


is_deeply([$nginx->workers], [$worker], 'no process has died');
ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and there is nothing to complain of');

done_testing();
