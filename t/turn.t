# Requests that are ready in the same turn of the event loop: the intents of
# all are one write to the journal, and each has its own end.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

# a small disk is a mount: without root in a namespace, where that may be
BEGIN {
    exec 'unshare', '-Urm', $^X, $0
        if $> != 0 && system('unshare -Urm true 2>/dev/null') == 0;
    push @INC, 't/lib';
}
use Chorus::Fixture;
use Chorus::HTTP2 ();
use Chorus::JournalTest;
use Chorus::Nginx;
use Chorus::Sign qw(request);
use Chorus::Storage;
use IO::Socket::UNIX;

my $PAGE = 4096;
# more than there is room for on two pages
my @long = map { sprintf 'long-%02d-%s', $_, 'x' x 900 } 1 .. 12;
my $http2 = "server { listen unix:$Folder/h2.sock http2; "
    . server_config(proxy_location('/')) . '}';


sub put_bytes { request(PUT => "/bkt/$_[0]", body => 'hello') }
sub get_bytes { request(GET => "/bkt/$_[0]") }
sub statuses { join ' ', map { $_->{status} } @_ }


sub keys_of_intents {
    return sort map { @{ $_->{keys} } } $journal->intents;
}


# Of those, which main has seen since the last call.
sub seen {
    my (@keys) = @_;

    my %there = map { /^main PUT \/bkt\/(\S+)/ ? ($1 => 1) : () }
        Chorus::Storage::requests();
    return grep { $there{$_} } @keys;
}


# ---- all goes well ----

start_nginx('window=20s');
my ($worker) = $nginx->workers;

{
    # more than are written at a time
    my @keys = map { sprintf 'k-%02d', $_ } 1 .. 66;
    my @replies = $nginx->at_once((map { put_bytes($_) } @keys),
        map { get_bytes($_) } 1 .. 4);
    is(statuses(@replies), join(' ', (200) x 70), 'all are answered');
    is(join(' ', keys_of_intents()), "@keys", 'each has one intent');
    arrive('and each is marked', @keys);
}


# ---- a client that is gone ----

start_nginx('window=1s');
($worker) = $nginx->workers;
{
    my @replies = $nginx->at_once(put_bytes('a'), \put_bytes('gone-1'),
        get_bytes('b'), \get_bytes('gone-2'), put_bytes('c'));
    is(statuses(@replies), '200 200 200', 'the others are answered');
    arrive('and marked', 'a', 'c');
    ok(wait_for { !$journal->segments }, 'and the journal gets empty');
}
stop_nginx('clients that are gone');

# what ends the request or its connection comes in the same bytes
start_nginx('window=1s', more => $http2);
($worker) = $nginx->workers;
for (
    ['the stream is reset', Chorus::HTTP2::frame(3, 0, 1, pack 'N', 8)],
    ['an error of the connection', Chorus::HTTP2::frame(8, 0, 0, pack 'N', 0)],
    ['the client is gone', ''],
) {
    my ($name, $end) = @$_;

    my ($head, $body) = split /\r\n\r\n/, put_bytes('reset'), 2;
    my $client = IO::Socket::UNIX->new(Peer => "$Folder/h2.sock");
    kill 'STOP', $worker;
    syswrite $client, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        . Chorus::HTTP2::frame(4, 0, 0, '')
        . Chorus::HTTP2::frame(1, 4, 1, Chorus::HTTP2::headers($head, 1))
        . Chorus::HTTP2::frame(0, 1, 1, $body) . $end;
    close $client unless length $end;
    kill 'CONT', $worker;
    is(put('after')->{status}, 200, "HTTP/2, $name: others go on");
    close $client if length $end;
    ok(wait_for { !$journal->segments },
        "HTTP/2, $name: and the journal gets empty");
    is(join(' ', $nginx->workers), $worker, "HTTP/2, $name: no process ends");
}
stop_nginx('HTTP/2');


# ---- the write fails, when a part of it has been written ----

# Returns when there is room for a page, and that is all.
sub fill {
    wait_for { grep { $_ eq 'done' } $journal->types };
    open my $out, '>', "$dir/rubbish" or die "$dir: $!\n";
    1 while syswrite $out, 'x' x $PAGE;
    truncate $out, (-s $out) - $PAGE or die "$dir: $!\n";
}


for (
    ['on_full=reject', 503],
    ['', 200],
) {
    my ($on_full, $status) = @$_;

    my $name = $on_full || 'without';
    $redis->call('FLUSHALL');
    system("mount -t tmpfs -o size=256k tmpfs $dir") == 0 or die "mount\n";
    start_nginx("window=20s $on_full");
    put('before');
    fill();
    seen();

    my @replies = $nginx->at_once(map { (put_bytes($_), get_bytes('x')) }
        @long);
    is(statuses(@replies), join(' ', ("$status 200") x @long),
        "$name: each write has its answer, and reads go on");
    like($nginx->log, qr/\[crit\].*No space left/, "$name: it was full");
    is(join(' ', keys_of_intents()), 'before', "$name: no intent is there");
    is(scalar(seen(@long)), $status == 200 ? @long : 0,
        "$name: main has seen " . ($status == 200 ? 'all' : 'none'));
    if ($status == 200) {
        ok(wait_for { owed() }, "$name: a scan is owed");
        arrive("$name: and the keys are marked", @long);
    } else {
        is(owed(), undef, "$name: nothing is owed");
    }

    unlink "$dir/rubbish";
    ok(wait_for { $nginx->log =~ /has room again/ }, "$name: room again");
    @replies = $nginx->at_once(map { put_bytes("$_-2") } @long);
    is(statuses(@replies), join(' ', (200) x @long), "$name: all go on");
    is(join(' ', keys_of_intents()), join(' ', 'before', map { "$_-2" } @long),
        "$name: their intents stand behind the others");
    stop_nginx($name);
    system("umount $dir");
}

done_testing();
