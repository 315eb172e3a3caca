# Uploads in aws-chunked take the same memory whatever their length, and none
# of it goes to disk.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use IO::Select;
use JSON::PP ();
use Test::More;

BEGIN { push @INC, 't/lib' }
use Chorus::Chunked qw(chunked);
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Sign qw(request);
use Chorus::Storage;

my $CLIENTS = 50;
my $SIZE = 2 << 20;
my $MANY_KB = 10 * 1024;        # that they may take together
my $LARGE = 48 << 20;
my $ONE_KB = 4 * 1024;          # that a large one may add: reads of 1 MiB

# instrumented builds keep what is freed for a while
my $is_sanitized = ($ENV{TEST_NGINX_BINARY} // '') =~ /asan/;

# a storage that keeps checksums, and nothing that is replicated
my $config = chorus_config(replications => []);
$config->{storages}{archive}{checksums} = JSON::PP::true;
write_file("$Folder/chorus.json", JSON::PP->new->encode($config), 0600);
Chorus::Storage->start('main', 'archive');

my $nginx = Chorus::Nginx->start;
my ($worker) = $nginx->workers;


# A large number when memory cannot be told.
sub memory_kb {
    my ($what) = @_;

    return read_file("/proc/$worker/status") =~ /^$what:\s+(\d+)/m ? $1 : 1e9;
}


sub temporary_files {
    return grep { /_temp/ } map { readlink // '' } glob "/proc/$worker/fd/*";
}


# Forgets the most that there was so far.
sub forget { write_file("/proc/$worker/clear_refs", "5\n") }


# All at the same time, each a piece in turn; returns the answers.
sub upload_at_once {
    my ($clients, $bytes) = @_;

    my @clients = map { { socket => $nginx->connect, at => 0, text => '' } }
        1 .. $clients;
    my %of = map { fileno $_->{socket}, $_ } @clients;
    my $out = IO::Select->new(map { $_->{socket} } @clients);
    my $in = IO::Select->new($out->handles);
    my @files;
    $_->{socket}->blocking(0) for @clients;

    for (my $turn = 0; $in->count; $turn++) {
        my ($readable, $writable) = IO::Select->select($in, $out, undef, 60)
            or last;
        for my $socket (@$writable) {
            my $client = $of{fileno $socket};
            $client->{at} += syswrite($socket, $bytes, 65536, $client->{at})
                // 0;
            $out->remove($socket) if $client->{at} == length $bytes;
        }
        for my $socket (@$readable) {
            my $client = $of{fileno $socket};
            $in->remove($socket) unless sysread $socket, $client->{text},
                65536, length $client->{text};
        }
        push @files, temporary_files() if $turn % 50 == 0;
    }

    is_deeply(\@files, [], 'no file');
    return map { { Chorus::Nginx::parse($_->{text}) } } @clients;
}


my $content = join '', map { pack 'N', $_ * 2654435761 & 0xffffffff }
    1 .. $SIZE / 4;
my $large = $content x ($LARGE / $SIZE);

my @ways = (
    ['signed', '/bkt/k', form => 'signed'],
    ['signed, chunked', '/bkt/k', form => 'signed', transfer => 'chunked',
        transfer_sizes => [65536, 10_000, 1]],
    ['signed with a trailer', '/bkt/k', form => 'signed-trailer',
        trailer => 'x-amz-checksum-sha256'],
    ['for a storage with checksums', '/logs-1/k', form => 'signed-trailer',
        trailer => 'x-amz-checksum-sha256'],
    ['for a storage with checksums, small chunks', '/logs-1/k',
        form => 'unsigned-trailer', trailer => 'x-amz-checksum-sha1',
        chunk_size => 1000],
);

for (@ways) {
    my ($name, $target, @knobs) = @$_;

    $nginx->exchange(request(GET => $target));
    forget();
    my $before = memory_kb('VmRSS');
    my @replies = upload_at_once($CLIENTS,
        chunked(PUT => $target, body => $content, @knobs));
    my $more = memory_kb('VmHWM') - $before;

    is(scalar(grep { $_->{status} == 200 } @replies), $CLIENTS,
        "$CLIENTS clients, $name: all are answered");
    cmp_ok($more, '<', $is_sanitized ? 1e6 : $MANY_KB,
        "$CLIENTS clients, $name: little memory");
}

for (@ways) {
    my ($name, $target, @knobs) = @$_;

    # once, so that what stays in any case is there
    upload_at_once(1, chunked(PUT => $target, body => $content, @knobs));
    my $bytes = chunked(PUT => $target, body => $large, @knobs);
    forget();
    my $before = memory_kb('VmRSS');
    my ($reply) = upload_at_once(1, $bytes);
    my $more = memory_kb('VmHWM') - $before;

    is($reply->{status}, 200, "a large one, $name");
    is($reply->{headers}{'x-body-sha256'}, sha256_hex($large),
        "a large one, $name: the content") if $target =~ /bkt/;
    cmp_ok($more, '<', $is_sanitized ? 1e6 : $ONE_KB,
        "a large one, $name: no more memory than a small one");
}


is_deeply([$nginx->workers], [$worker], 'no process has died');
ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/buffered to a temporary file/, 'nothing was buffered');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and there is nothing to complain of');

done_testing();
