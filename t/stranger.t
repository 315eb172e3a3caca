# What somebody without a secret can do to a proxy: hardly take memory, and
# write nothing into its log that looks like a line of its own.

use strict;
use warnings;

use Test::More;

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Sign qw(amz_date request);
use Chorus::Storage;

my $MOST_KB = 8 * 1024;         # for a head of at most 128 KiB

Chorus::Storage->start('main');

my $nginx = Chorus::Nginx->start(config => server_config(
    proxy_location('/'), proxy_location('/v2/', 'chorus_auth_v2 on;')));
my ($worker) = $nginx->workers;


# The most memory that a request adds; a large number when it cannot be told.
sub peak_kb {
    my ($bytes) = @_;

    my $memory = sub {
        read_file("/proc/$worker/status") =~ /^$_[0]:\s+(\d+)/m ? $1 : 1e9;
    };
    write_file("/proc/$worker/clear_refs", "5\n");
    my $before = $memory->('VmRSS');
    my $reply = $nginx->exchange($bytes);
    return ($memory->('VmHWM') - $before, $reply);
}


sub is_cheap {
    my ($name, $status, $bytes) = @_;

    my ($more, $reply) = peak_kb($bytes);
    is($reply->{status}, $status, "$name: refused");
    cmp_ok($more, '<', $MOST_KB, "$name: little memory");
}


# ---- memory ----

my $host = "Host: localhost\r\nConnection: close\r\n";
my $long = 'a' x 220;

is_cheap('one plain request', 403, "GET /bkt/k HTTP/1.1\r\n$host\r\n");

for my $name ('Content-Type', 'Content-Encoding', 'X-Amz-Trailer') {
    is_cheap("$name 500 times", 403, "GET /bkt/k HTTP/1.1\r\n$host"
        . "$name: $long\r\n" x 500 . "\r\n");
}

is_cheap('8,000 arguments', 400, 'GET /bkt/k?' . 'a&' x 8000
    . " HTTP/1.1\r\n$host\r\n");
is_cheap('a long header signed 120 times', 400, request(GET => '/bkt/k',
    headers => [map { ('X-Long' => 'a' x 12_000) } 1 .. 8],
    authorization => sub {
        $_[0] =~ s/SignedHeaders=/$& . 'x-long;' x 120/er
    }));
is_cheap('in a URL as well', 400, "GET /bkt/k?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    . '&X-Amz-Credential=CHORUS-KEY/' . substr(amz_date(time), 0, 8)
    . '/us-east-1/s3/aws4_request&X-Amz-Date=' . amz_date(time)
    . '&X-Amz-Expires=60&X-Amz-SignedHeaders=host'
    . '%3Bx-long' x 120 . '&X-Amz-Signature=' . '0' x 64 . " HTTP/1.1\r\n"
    . $host . ('X-Long: ' . 'a' x 12_000 . "\r\n") x 8 . "\r\n");


# ---- what would lead past Chorus ----

is($nginx->exchange(request(GET => '/bkt/?session'))->{status}, 501,
    'CreateSession, whose answer has keys of the storage');

my $seen = $nginx->exchange(request(GET => '/bkt/k', headers => [
    'X-Forwarded-For' => '10.1.1.1', 'X-Real-IP' => '10.1.1.2',
    Forwarded => 'for=10.1.1.3' ]))->{body};
unlike($seen, qr/10\.1\.1/, 'no address that the client gives itself');
like($seen, qr/^X-Forwarded-For: 127\.0\.0\.1\r$/mi, 'but that of the client');


# ---- the log ----

my @forged = map { "FORGED$_" } 1 .. 3;
my $url = '/us-east-1/s3/aws4_request&X-Amz-Date=' . amz_date(time)
    . '&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature='
    . '0' x 64;

my $reply = $nginx->exchange('GET /bkt/k?X-Amz-Algorithm=AWS4-HMAC-SHA256'
    . "&X-Amz-Credential=k%0A$forged[0]%22%1B%0D/"
    . substr(amz_date(time), 0, 8) . "$url HTTP/1.1\r\n$host\r\n");
like($reply->{body}, qr/InvalidAccessKeyId/, 'a line break in an access key');

$reply = $nginx->exchange("GET /v2/k?AWSAccessKeyId=k%0A$forged[1]&Expires="
    . (time + 60) . "&Signature=a HTTP/1.1\r\n$host\r\n");
is($reply->{status}, 400, 'in one of Version 2');

$reply = $nginx->exchange("GET /v2/k HTTP/1.1\r\n${host}Date: " . amz_date(time)
    . "\r\nAuthorization: AWS $forged[2]\" forged:a\r\n\r\n");
like($reply->{body}, qr/InvalidAccessKeyId/, 'a quote in an access key');

my $log = $nginx->log;
unlike($log, qr/^FORGED/m, 'begins no line of the log');
like($log, qr/access key "k\?$forged[0]\?\?\?"/, 'and can be read in it');
like($log, qr/access key "k\?$forged[1]"/, 'that of Version 2, too');
like($log, qr/access key "$forged[2]\?\?forged"/, 'and that of a header');

ok($nginx->stop, 'nginx stops');

done_testing();
