# The journal and a Redis that forgets what it had acknowledged.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::Journal;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sign qw(request);
use Chorus::Storage;

my $R = 'alice:bkt:follower';
my $BAD = qr/\[(?:alert|emerg)\]|open socket|exited on signal/;
my $DIRTY = "chorus:{$R}:dirty";

my $redis = Chorus::Redis->start;
Chorus::Storage->start;
write_file("$Folder/chorus.json",
    chorus_json(redis => { url => $redis->url }), 0600);

my $journal = Chorus::Journal->new("$Folder/journal");
my $nginx;


sub start_nginx {
    my ($arguments, %options) = @_;

    $nginx->stop('TERM') if $nginx;
    $journal->clean unless delete $options{keeps};
    $nginx = Chorus::Nginx->start(config => server_config(),
        http => http_config() . $journal->directive($arguments)
            . 'chorus_repeat off;', %options);
    wait_for { $nginx->log =~ /Redis is ready/ };
}


sub put {
    my ($key) = @_;

    return $nginx->exchange(request(PUT => "/bkt/$key", body => 'hello'));
}


# Whether Redis has them all within that time.
sub arrive {
    my ($name, @keys) = @_;

    my @missing;
    wait_for {
        my %there = map { $_ => 1 } eval { $redis->marks_now };
        @missing = grep { !$there{"$R $_ 7"} } @keys;
        return !@missing;
    } 10;
    is_deeply(\@missing, [], $name);
}


# Redis as it was when it was saved, in another process: its generation stays.
sub lose_tail {
    $redis->end;
    $redis->begin;
}


sub owed { scalar eval { $redis->call('HGET', "chorus:{$R}", 'owed_reason') } }
sub debts_of_file {
    return map { $_->{debt} } map { Chorus::Journal::read_records($_) }
        $journal->debts;
}


# ---- a process that goes on ----

# longer than all of this takes
start_nginx('window=300s');
put('first');
arrive('a first mark', 'first');
$redis->call('SAVE');
my $begin = time;
put('aged');
arrive('another', 'aged');
sleep 3;
my $lost = time;
lose_tail();
arrive('its tail is lost: it is marked again', 'aged');
my $changed = $redis->call('ZSCORE', $DIRTY, 'aged') / 1000;
# its way to Redis may take a while
ok($changed > $begin - 0.5 && $changed < $lost, 'as old as it is')
    or diag("$changed is not in $begin..$lost");

# the generation is looked at once a second; what is acknowledged until then
# is in the same window
{
    my @keys = map { "stream-$_" } 1 .. 300;
    for my $key (@keys) {
        is(put($key)->{status}, 200, 'a write') if $key =~ /00$/;
        put($key) if $key !~ /00$/;
        $redis->call('FLUSHALL') if $key eq 'stream-150';
    }
    arrive('emptied in a stream of writes: none is lost', 'aged', @keys);
}

ok(wait_for { owed() }, 'and a scan is owed');
is(owed(), 'forgotten', 'because of that');
ok(wait_for { grep { $_ eq $R } debts_of_file() }, 'as its file says');
ok(wait_for { grep { $_ eq '*' } debts_of_file() }, 'and those not known');

# both at once: Redis loses what it was told, and nginx dies
kill 'KILL', $nginx->pid, $nginx->workers;
wait_for { !$nginx->pid };
undef $nginx;
$redis->call('HDEL', "chorus:{$R}", 'owed_id', 'owed_reason', 'owed_since');
start_nginx('window=2s', keeps => 1);
ok(wait_for { owed() }, 'killed: the next nginx tells it once more');
like($nginx->log, qr/owes a scan: of a process that has ended/, 'from there');
ok(wait_for(sub { !debts_of_file() }, 8), 'and the file gets empty');

# a debt that Redis has, but not for long
my @small = 'max_size=32k segment_size=16k window=3s';
start_nginx("@small");
$redis->call('HDEL', "chorus:{$R}", 'owed_id', 'owed_reason', 'owed_since');
put('saved');
arrive('a mark', 'saved');
$redis->call('SAVE');
# faster than it drains, on whatever machine
sub delete_many {
    my ($n) = @_;

    $nginx->exchange(request(POST => '/bkt?delete', body => '<Delete>'
        . join('', map { '<Object><Key>fill-' . 'x' x 900 . "-$n-$_</Key>"
            . '</Object>' } 1 .. 10) . '</Delete>'));
}
delete_many($_) for 1 .. 8;
ok(wait_for { owed() }, 'a full journal owes a scan');
ok(wait_for(sub { $nginx->log =~ /has room again/ }, 10), 'there is room');
lose_tail();
ok(wait_for { owed() }, 'its tail is lost: it is told of the debt again');
ok(wait_for(sub { !debts_of_file() }, 8), 'until it has had it for long');


# what it has acknowledged may be gone when another one takes its place
start_nginx('window=5s');
put('hung');
arrive('a mark', 'hung');
kill 'STOP', $redis->{pid};
sleep 7.5;
cmp_ok(scalar $journal->segments, '>', 0,
    'a Redis that hangs: what it has is kept');
kill 'CONT', $redis->{pid};
ok(wait_for(sub { !$journal->segments }, 8), 'until it is heard of again');


# ---- a process that was replaced ----

start_nginx('window=300s');
put('kept');
arrive('a mark before', 'kept');
$redis->call('SAVE');
my @old = map { "old-$_" } 1 .. 5;
put($_) for @old;
arrive('marks of a process', @old);
$nginx->reload;
ok(wait_for { grep { $_ eq 'closed' } $journal->types },
    'it is replaced, and its segment closed');
sleep 1.5;
unlike($nginx->log, qr/writes are marked/, 'nothing is marked again');
lose_tail();
arrive('the tail is lost: the new process marks them again', @old);
like($nginx->log, qr/was read again: \d+ writes are marked/,
    'from the journal');


# ---- a Redis that is another one by then ----

# The other nginx knows only the other Redis, which has the same generation: a
# replica that was promoted and is behind, say.
{
    my $other = Chorus::Redis->start;
    $other->end;
    start_nginx('window=300s');
    put('both');
    arrive('a mark that both have', 'both');
    $redis->call('SAVE');
    system('cp', "$redis->{folder}/dump.rdb", $other->{folder}) == 0 or die;
    $other->begin;
    write_file("$Folder/other.json",
        chorus_json(redis => { url => $other->url }), 0600);

    my @first = ($Chorus::Nginx::Root, $Chorus::Nginx::Port);
    my @second = ("$Folder/second", free_port());
    my $on = sub {
        local ($Chorus::Nginx::Root, $Chorus::Nginx::Port) = @{ $_[0] };
        return $_[1]->();
    };
    my $second;
    $on->(\@second, sub {
        $second = Chorus::Nginx->start(config => server_config(),
            http => http_config('other.json') . $journal->directive('window=300s')
                . 'chorus_repeat off;');
        wait_for { $second->log =~ /Redis is ready/ };
    });
    sleep 1.2;

    put('behind');
    arrive('a mark that one has', 'behind');
    ok($nginx->stop('TERM'), 'its nginx ends');
    undef $nginx;
    ok(wait_for(sub { grep { /\Q$R\E behind / } $other->marks_now }, 8),
        'what another Redis has acknowledged is marked again');
    $on->(\@second, sub { $second->stop('TERM') });

    my $count = () = map { split /\n/ } read_file("$second[0]/logs/error.log")
        =~ /$BAD/g;
    is($count, 0, 'without worse in its log');
}

done_testing();
