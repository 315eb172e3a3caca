# nginx killed at each step of a write: the marks arrive all the same.  Needs
# a module with crash points: make CRASH_POINTS=1.

use strict;
use warnings;

use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::Journal;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sign qw(request);
use Chorus::Storage;

my $redis = Chorus::Redis->start;
Chorus::Storage->start;
write_file("$Folder/api.token", "0123456789abcdef\n", 0600);
write_file("$Folder/chorus.json", chorus_json(redis => { url => $redis->url },
    api => { token_file => 'api.token' }), 0600);

my $journal = Chorus::Journal->new("$Folder/journal");
my $nginx = Chorus::Nginx->start(http => http_config()
    . $journal->directive('window=1s') . 'chorus_repeat 1s;',
    config => server_config(proxy_location('/'),
        'location /api/ { chorus_api; }'));
wait_for { $nginx->log =~ /Redis is ready/ };


sub put {
    my ($key, @words) = @_;

    my $reply = eval { $nginx->exchange(request(PUT => "/bkt/$key",
        body => 'hello',
        @words ? (headers => ['X-Answer' => "@words"]) : ())) };
    return $reply ? $reply->{status} : 0;
}


sub missing {
    my (@keys) = @_;

    my %wanted = map { ("alice:bkt:follower $_ 7" => 1) } @keys;
    my $missing = sub {
        my %there = map { $_ => 1 } $redis->marks_now;
        return grep { !$there{$_} } sort keys %wanted;
    };
    wait_for { !$missing->() } 10;
    return $missing->();
}


# Until Redis is known to be empty, and has all that this brings about: none of
# it is to reach a point that is meant for what comes.
sub settle {
    wait_for { $redis->call('EXISTS', 'chorus:generation') };
    put('before');
    missing('before');
    wait_for {
        my $reply = eval { $nginx->exchange("GET /api/v1/status HTTP/1.1\r\n"
            . "Host: x\r\nAuthorization: Bearer 0123456789abcdef\r\n"
            . "Connection: close\r\n\r\n") } or return;
        my $status = eval { JSON::PP->new->decode($reply->{body}) } or return;
        $status->{proxy}{waiting} == 0;
    };
}


sub arm { write_file($journal->folder . "/crash-$_[0]", '') }
sub is_armed { -e $journal->folder . "/crash-$_[0]" }


# Kills at that point; returns when another process is at work.
sub dies {
    my ($point, $worker) = @_;

    ok(wait_for(sub { !is_armed($point) }, 8), "$point: is reached");
    ok(wait_for { my ($new) = $nginx->workers; $new && $new != $worker },
        "$point: another process begins");
}


for (
    # point, what main says, and whether the write may have happened
    ['after-intent', [], 1],
    ['after-answer', [], 1],
    ['after-answer', [500], 1],
    ['after-mark', [], 1],
    ['after-mark', ['cut'], 1],
    ['before-batch', [], 1],
    ['before-acknowledged', [], 1],
    ['before-abort', [404], 1],
    ['before-remove', [], 1],
    ['after-remove', [], 1],
) {
    my ($point, $words) = @$_;

    my ($worker) = $nginx->workers;
    $redis->call('FLUSHALL');
    settle();
    arm($point);
    my $status = put('k', @$words);
    # one that dies with an older segment has not seen it
    wait_for { $status ||= put('k', @$words) } if $point =~ /remove/;
    dies($point, $worker);
    put('after');
    is_deeply([missing('before', 'k', 'after')], [],
        "$point (@$words): all are marked");
    ok(wait_for(sub { !$journal->segments }, 10),
        "$point (@$words): and the journal gets empty");
}

# several writes of one turn of the event loop have one write to the journal
for (
    # point, and whether all of their intents are whole by then
    ['within-intent', 0],
    ['after-intent', 1],
) {
    my ($point, $is_whole) = @$_;

    my @keys = map { "many-$_" } 1 .. 8;
    my ($worker) = $nginx->workers;
    $redis->call('FLUSHALL');
    settle();
    arm($point);
    Chorus::Storage::requests();
    my @replies = $nginx->at_once(map { request(PUT => "/bkt/$_",
        body => 'hello') } @keys);
    is(join('', map { $_->{status} } @replies), '0' x @keys,
        "$point: nobody is told that it is written");
    dies($point, $worker);
    put('after');
    is_deeply([grep { /many/ } Chorus::Storage::requests()], [],
        "$point: main has seen none of them");
    # those that are whole are marked, a part of one is not
    is_deeply([missing('after', $is_whole ? @keys : @keys[0 .. 2])], [],
        "$point: those with an intent are marked");
    is(!!grep({ / many-8 / } $redis->marks_now), !!$is_whole,
        "$point: and others are not");
    ok(wait_for(sub { !$journal->segments }, 10),
        "$point: and the journal gets empty");
    unlike($nginx->log, qr/corrupt/, "$point: and nothing is corrupt");
}

# while what one process has left is taken over by the next
{
    my ($worker) = $nginx->workers;
    $redis->call('FLUSHALL');
    arm('adopting');
    arm('after-answer');
    put('k');
    dies('after-answer', $worker);
    ok(wait_for { !is_armed('adopting') }, 'adopting: is reached');
    is_deeply([missing('k')], [], 'adopting: the next one after it marks');
    ok(wait_for(sub { !$journal->segments }, 10),
        'adopting: and the journal gets empty');
}

# a key that is written once more while an older mark of it waits
{
    my ($worker) = $nginx->workers;
    $redis->call('FLUSHALL');
    $redis->end;
    put('twice');
    put('twice');
    arm('after-answer');
    put('other');
    dies('after-answer', $worker);
    $redis->begin;
    is_deeply([missing('twice', 'other')], [], 'all that waited is marked');
    ok(wait_for(sub { !$journal->segments }, 15), 'and the journal is empty');
}

ok($nginx->stop('TERM'), 'nginx ends');
done_testing();
