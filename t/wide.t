# Large uploads are read in pieces of 1 MiB, but only four of a process: the
# others have client_body_buffer_size.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

# the buffer of such an upload is a mapping of its own, also for the second
BEGIN {
    $ENV{MALLOC_MMAP_THRESHOLD_} = 512 << 10;
    # and what is freed is overwritten
    $ENV{MALLOC_PERTURB_} = 0xa5;
    push @INC, 't/lib';
}
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Sign qw(request);
use Chorus::Storage;

my $MIB = 1 << 20;
my $UPLOADS = 10;
my $WIDE = 4;

# an instrumented build has another malloc
my $is_sanitized = ($ENV{TEST_NGINX_BINARY} // '') =~ /asan/;

Chorus::Storage->start;
my $nginx = Chorus::Nginx->start(config =>
    server_config(proxy_location('/', 'keepalive_timeout 2s; lingering_timeout 100ms;')));
my ($worker) = $nginx->workers;


# How many buffers there are, counted in mebibytes of mappings without a name:
# what is smaller than these is on the heap, which has one.
sub buffers {
    my $bytes = 0;

    for (split /\n/, read_file("/proc/$worker/maps")) {
        my ($from, $to) = /^(\w+)-(\w+) rw-p 00000000 00:00 0\s*$/ or next;
        $bytes += hex($to) - hex $from;
    }

    return int($bytes / $MIB + 0.5);
}


sub put_bytes {
    my ($size, %knobs) = @_;

    return request(PUT => '/bkt/k', body => 'x' x $size, %knobs);
}


# Uploads of which the first 8 KiB have come.
sub begin_uploads {
    my ($bytes) = @_;

    my @clients = map { $nginx->connect } 1 .. $UPLOADS;
    syswrite $_, $bytes, 8192 for @clients;
    return @clients;
}


sub end_upload {
    my ($client, $bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';
    for (my $at = 8192; $at < length $bytes; ) {
        $at += syswrite($client, $bytes, 65536, $at) // last;
    }
    return { Chorus::Nginx::parse(Chorus::Nginx::read_rest($client)) };
}


my $large = put_bytes(4 * $MIB);
end_upload($_, $large) for begin_uploads($large);
my $before = buffers();

for (
    # how they end, and the status of each
    ['finished', 200, $large],
    ['refused by main', 503, put_bytes(4 * $MIB,
        headers => ['X-Answer' => '503'])],
    ['refused by main at once', 503, put_bytes(4 * $MIB,
        headers => ['X-Answer' => '503 early'])],
    ['cut by main', 502, put_bytes(4 * $MIB,
        headers => ['X-Answer' => 'cut'])],
    ['gone', 0, $large],
    ['finished again', 200, $large],
) {
    my ($name, $status, $bytes) = @$_;

    my @clients = begin_uploads($bytes);
    ok($is_sanitized || wait_for { buffers() - $before == $WIDE },
        "$name: four of them have a large buffer")
        or diag(buffers() - $before);
    my @got;
    for (@clients) {
        if ($status) {
            push @got, end_upload($_, $bytes)->{status};
        } else {
            close $_;
        }
    }
    is("@got", join(' ', ($status || ()) x @got), "$name: all have ended");
    ok($is_sanitized || wait_for { buffers() == $before },
        "$name: none is left") or diag(buffers() - $before);
}

{
    my @clients = begin_uploads(put_bytes(4 * $MIB - 1));
    ok(wait_for { my @begun = Chorus::Storage::begun();
        @begun > 6 * $UPLOADS }, 'shorter ones: they have begun');
    is($is_sanitized || buffers() - $before, $is_sanitized ? 1 : 0,
        'shorter ones: no large buffer');
}

# nginx looks at the location of a request when that is freed
{
    my $client = $nginx->connect;
    syswrite $client, put_bytes(4 * $MIB, connection => 'keep-alive');
    sysread $client, my $text, 65536;
    is($text =~ m{^HTTP/1\.1 (\d+)} ? $1 : 0,
        200, 'a large upload on a connection that is kept');
    my $since = time;
    $text .= Chorus::Nginx::read_rest($client);
    cmp_ok(time - $since, '>', 1.5, 'it is kept behind it');
    cmp_ok(time - $since, '<', 30, 'for as long as it says');
}

is(join(' ', $nginx->workers), $worker, 'no process has ended');
ok($nginx->stop('TERM'), 'nginx ends');
done_testing();
