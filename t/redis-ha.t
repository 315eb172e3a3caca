# Redis that fails over, forgets, or is there and cannot: no request notices,
# and no mark that it acknowledged within its window is lost.

use strict;
use warnings;

use IO::Socket::UNIX;
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sentinel;
use Chorus::Sign qw(request);
use Chorus::Storage;

# seconds of a request that waits for nobody: Redis itself is given 5
my $FAST = 4.5;
# a sentinel that its machine has stopped for a moment does nothing for 30 s
my $FAILOVER = 120;
my $R = 'chorus:{alice:bkt:follower}';
my $nginx;
my $logs = '';

Chorus::Storage->start('main');


# A new nginx for that "redis".
sub start_nginx {
    my (%redis) = @_;

    stop_nginx();
    write_file("$Folder/chorus.json", chorus_json(redis => \%redis), 0600);
    $nginx = Chorus::Nginx->start(log => 'info');
}


sub stop_nginx {
    return unless $nginx;

    $nginx->stop('TERM');
    $logs .= $nginx->log;
    undef $nginx;
}


sub logs_soon {
    my ($name, $pattern, $seconds) = @_;

    ok(wait_for(sub { $nginx->log =~ $pattern }, $seconds // 10), "$name: it is logged")
        or diag($nginx->log =~ s/^.*\[info\](?!.*Redis).*\n//mgr);
}


# Writes keys; each of them must pass at once.
sub passes {
    my ($name, @keys) = @_;

    my ($good, $slowest) = (0, 0);
    for my $key (@keys) {
        my $reply = $nginx->exchange(request(PUT => "/bkt/$key",
            body => 'hello'));
        $slowest = $reply->{seconds} if $reply->{seconds} > $slowest;
        $good++ if $reply->{status} == 200;
    }

    is($good, scalar @keys, "$name: writes pass");
    ok($slowest < $FAST, "$name: without waiting") or diag($slowest);
}


sub missing {
    my ($redis, @keys) = @_;

    my %there = map { $_ => 1 } eval { $redis->marks_now };
    return grep { !$there{"alice:bkt:follower $_ 7"} } @keys;
}


sub arrives {
    my ($name, $redis, @keys) = @_;

    wait_for { !missing($redis, @keys) } 15;
    is_deeply([missing($redis, @keys)], [], "$name: the marks arrive");
}


sub keys_of {
    my ($name, $n) = @_;

    return map { "$name-$_" } 1 .. $n;
}


sub debt_of {
    my ($redis) = @_;

    my $text = eval { $redis->call('FCALL_RO', 'chorus_stats', 1, $R) };
    return $text ? JSON::PP->new->decode($text)->{debt} : undef;
}


# nginx tells one debt after the other, this one last; until then a Redis that
# was emptied says that it began empty.
sub all_forgotten {
    my ($redis) = @_;

    return wait_for {
        ($redis->call(qw(HGET chorus:owed owed_reason)) // '') eq 'forgotten';
    };
}


sub is_master {
    my ($redis) = @_;

    my $role = eval { $redis->call('ROLE') };
    return $role && $role->[0] eq 'master';
}


# A master, a replica that follows it, and sentinels that have seen both.
sub cluster {
    my ($sentinels, %options) = @_;

    my @ports = map { free_port() } 1 .. 2 + $sentinels;
    my $master = Chorus::Redis->start(port => shift @ports);
    my $replica = Chorus::Redis->start(port => shift @ports,
        args => ['--replicaof', "127.0.0.1 $master->{port}",
                 '--repl-diskless-sync-delay', 0]);
    my @sentinels = map {
        Chorus::Sentinel->start(port => $_, master => $master->{port},
            quorum => int($sentinels / 2) + 1, %options)
    } @ports;

    wait_for { $replica->call('INFO', 'replication') =~ /link_status:up/ } 10
        or die "no replication\n";
    for my $sentinel (@sentinels) {
        wait_for {
            my %info = @{ $sentinel->call(qw(SENTINEL master chorus)) };
            $info{'num-slaves'} == 1
                && $info{'num-other-sentinels'} == $sentinels - 1;
        } 15 or die "a sentinel that sees nobody\n";
    }

    return ($master, $replica, @sentinels);
}


sub sentinel_url {
    return 'redis+sentinel://'
        . join(',', map { "127.0.0.1:$_->{port}" } @_) . '/chorus';
}


# ---- failover ----

{
    my ($one, $two, @sentinels) = cluster(3);

    start_nginx(url => sentinel_url(@sentinels));
    passes('sentinels', 'first');
    arrives('sentinels', $one, 'first');
    arrives('a replica', $two, 'first');

    passes('the master is about to die', keys_of('before', 40));
    $one->end;
    passes('the master is dead', keys_of('dead', 40));
    ok(wait_for(sub { is_master($two) }, $FAILOVER),
        'the replica is promoted');
    passes('after the failover', keys_of('after', 40));
    arrives('a failover', $two, 'first', keys_of('before', 40),
        keys_of('dead', 40), keys_of('after', 40));
    logs_soon('a failover', qr/\[warn\].*restarted or failed over/);

    # the old one comes back as it was, and is made a replica
    $one->begin;
    ok(wait_for(sub { (eval { $one->call('ROLE')->[0] } // '') eq 'slave' },
        $FAILOVER),
        'the old master is a replica now');
    passes('the old master is back', 'back');
    arrives('the old master is back', $two, 'back');

    # two of three sentinels gone, and the one left is asked
    $_->end for @sentinels[0, 1];
    $two->call(qw(CLIENT KILL TYPE normal SKIPME yes));
    passes('one sentinel is left', 'left');
    arrives('one sentinel is left', $two, 'left');

    $sentinels[2]->end;
    passes('no sentinel is left', 'none');
    arrives('no sentinel is left and the master is', $two, 'none');

    start_nginx(url => sentinel_url(@sentinels));
    passes('no sentinel at start', 'waits');
    logs_soon('no sentinel at start', qr/\[error\].*Redis: connect: /);
    $sentinels[1]->begin;
    arrives('a sentinel comes', $two, 'waits');

    $_->end for $one, $two, @sentinels;
}

{
    my ($one, $two, $sentinel) = cluster(1);

    start_nginx(url => sentinel_url($sentinel));
    passes('a replica that is behind', 'both');
    arrives('a replica that is behind', $one, 'both');

    # the replica loses its link and cannot get it back; who lost it ten times
    # as long ago as a master is taken for dead is not promoted any more
    $two->call(qw(CONFIG SET masteruser nobody));
    $two->call(qw(CONFIG SET masterauth wrong));
    $one->call(qw(CLIENT KILL TYPE replica));
    # no more than are made within the window, on whatever machine
    my @lost = keys_of('lost', 20);
    passes('a replica that is behind', @lost);
    arrives('the old master', $one, @lost);
    is(scalar(missing($two, @lost)), 20, 'the replica has none of them');
    $one->end;
    passes('a replica that is behind', 'dead');
    ok(wait_for(sub { is_master($two) }, $FAILOVER), 'and is promoted');
    arrives('a replica that is behind', $two, 'both', @lost, 'dead');

    $_->end for $one, $two, $sentinel;
}


# ---- sentinels that do not help ----

{
    my ($one, $two, $sentinel) = cluster(1, args => ['--requirepass', 'pw-secret'],
        login => ['pw-secret']);
    my $dead = free_port();
    my $url = "redis+sentinel://127.0.0.1:$dead,127.0.0.1:$sentinel->{port}";

    write_file("$Folder/sentinel.password", "pw-secret\n", 0600);

    start_nginx(url => "$url/chorus",
        sentinel_password_file => 'sentinel.password');
    passes('the first sentinel is dead', 'k');
    arrives('the first sentinel is dead', $one, 'k');

    start_nginx(url => "$url/chorus", sentinel_password => 'wrong-secret');
    passes('a wrong password of the sentinel', 'k');
    logs_soon('a wrong password of the sentinel',
        qr/\[error\].*sentinel: WRONGPASS/);

    start_nginx(url => "$url/other",
        sentinel_password_file => 'sentinel.password');
    passes('a wrong service', 'k');
    logs_soon('a wrong service',
        qr/\[error\].*sentinel: it does not know the service/);

    # it names a replica for the master
    start_nginx(url => "redis://127.0.0.1:$two->{port}");
    passes('a replica', 'later');
    logs_soon('a replica', qr/\[error\].*greeting: READONLY, this is not/);
    $two->call(qw(REPLICAOF NO ONE));
    arrives('a replica is promoted', $two, 'later');

    $_->end for $one, $two, $sentinel;
}


# ---- a Redis that forgets ----

{
    my $redis = Chorus::Redis->start(args => ['--appendonly', 'yes',
        '--appendfsync', 'everysec']);
    my $folder = $redis->{folder};

    start_nginx(url => $redis->url);
    passes('a lost tail', 'kept');
    arrives('a lost tail', $redis, 'kept');
    # a write waits for an fdatasync that is under way; the word alone is in
    # the function library, too
    wait_for { grep { read_file($_) =~ /\r\nkept\r\n/ }
        glob "$folder/appendonlydir/*.incr.aof" };
    system('cp', '-r', "$folder/appendonlydir", "$folder/saved") == 0 or die;

    my @lost = keys_of('tail', 20);
    passes('a lost tail', @lost);
    arrives('before the tail is lost', $redis, @lost);

    $redis->end;
    system('rm', '-r', "$folder/appendonlydir") == 0 or die;
    rename "$folder/saved", "$folder/appendonlydir" or die;
    $redis->begin;
    arrives('a lost tail', $redis, 'kept', @lost);
    logs_soon('a lost tail', qr/\[warn\].*: 2[01] changed keys are marked again/);
    is(debt_of($redis), undef, 'a lost tail: no scan is owed');

    $redis->end;
    passes('killed with its tail', 'more');
    $redis->begin;
    arrives('killed with its tail', $redis, 'kept', @lost, 'more');
}

for (
    ['emptied while it is connected', sub { $_[0]->call('FLUSHALL') }],
    ['emptied by a restart', sub { $_[0]->end; $_[0]->begin }],
) {
    my ($name, $empty) = @$_;

    my $redis = Chorus::Redis->start;

    start_nginx(url => $redis->url);
    passes($name, 'a', 'b');
    arrives($name, $redis, 'a', 'b');
    is(debt_of($redis), undef, "$name: no debt before");

    $empty->($redis);
    ok(wait_for(sub { debt_of($redis) }, 15), "$name: a scan is owed");
    is(debt_of($redis)->{reason}, 'forgotten', "$name: because of that");
    arrives($name, $redis, 'a', 'b');
    ok(all_forgotten($redis), "$name: buckets we do not know of owe one, too");
    logs_soon($name, qr/\[error\].*Redis was emptied/);
    $redis->end;
}

# a snapshot or a restored backup: the same generation, an older state
for (
    ['a snapshot of now', 0],
    ['a snapshot that is older than what is marked again', 9000],
) {
    my ($name, $age_ms) = @$_;

    my $redis = Chorus::Redis->start;

    start_nginx(url => $redis->url);
    passes($name, 'kept');
    arrives($name, $redis, 'kept');
    ok(wait_for(sub { $redis->call('EXISTS', 'chorus:alive') }, 5),
        "$name: a sign of life");

    # no sign of life in between
    kill 'STOP', $nginx->workers;
    my %alive = @{ $redis->call('HGETALL', 'chorus:alive') };
    $redis->call('HSET', 'chorus:alive', $_, $alive{$_} - $age_ms)
        for keys %alive;
    $redis->call('SAVE');
    kill 'CONT', $nginx->workers;
    passes($name, 'lost');
    arrives($name, $redis, 'lost');
    sleep 1.2 if $age_ms;       # the next sign of life
    is(debt_of($redis), undef, "$name: no debt before");

    $redis->end;
    $redis->begin;
    arrives($name, $redis, 'kept', 'lost');

    if ($age_ms) {
        ok(wait_for(sub { debt_of($redis) }, 5), "$name: a scan is owed");
        is(debt_of($redis)->{reason}, 'forgotten', "$name: because of that");
        ok(all_forgotten($redis), "$name: and all others owe one");
        logs_soon($name, qr/\[error\].*Redis came back with an older state/);

    } else {
        logs_soon($name, qr/\[warn\].*its last seconds may be lost/);
        is(debt_of($redis), undef, "$name: no scan is owed");
    }

    $redis->end;
}


# ---- a Redis that is there and cannot ----

{
    my $redis = Chorus::Redis->start;

    start_nginx(url => $redis->url);
    passes('busy', 'calm');
    arrives('busy', $redis, 'calm');

    $redis->call(qw(CONFIG SET busy-reply-threshold 50));
    my $busy = IO::Socket::UNIX->new(Peer => $redis->{path}) or die;
    print $busy "EVAL 'while true do end' 0\r\n";
    $busy->flush;
    sleep 0.3;
    passes('busy', keys_of('busy', 20));
    logs_soon('busy', qr/\[error\].*BUSY/);
    $redis->call('SCRIPT', 'KILL');
    arrives('no longer busy', $redis, keys_of('busy', 20));

    $redis->call(qw(CONFIG SET min-replicas-to-write 1));
    passes('too few replicas', keys_of('few', 5));
    logs_soon('too few replicas', qr/\[error\].*NOREPLICAS/);
    $redis->call(qw(CONFIG SET min-replicas-to-write 0));
    arrives('enough replicas', $redis, keys_of('few', 5));

    $redis->call(qw(CONFIG SET maxmemory 1));
    passes('full', keys_of('full', 5));
    logs_soon('full', qr/\[error\].*OOM/);
    sleep 3;
    is(scalar(() = $nginx->log =~ /\[error\].*OOM/g), 1,
        'full: as an error once, however long');
    $redis->call(qw(CONFIG SET maxmemory 0));
    arrives('room again', $redis, keys_of('full', 5));

    # hung and silent: noticed without any write
    kill 'STOP', $redis->{pid};
    logs_soon('hung', qr/\[error\].*no answer: a call timed out/, 20);
    kill 'CONT', $redis->{pid};
    passes('hung', 'hung');
    arrives('hung', $redis, 'hung');
    $redis->end;
}

{
    my $redis = Chorus::Redis->start(args => ['--key-load-delay', 10000,
        '--loading-process-events-interval-bytes', 1024]);

    start_nginx(url => $redis->url);
    passes('loading', 'early');
    arrives('loading', $redis, 'early');
    $redis->call('EVAL', q(for i = 1, 3000 do
        redis.call('SET', 'filler' .. i, ('x'):rep(100)) end), 0);
    $redis->call('SAVE');
    $redis->end;
    $redis->begin;
    passes('loading', keys_of('loading', 20));
    logs_soon('loading', qr/\[error\].*LOADING/);
    $redis->call(qw(CONFIG SET key-load-delay 0));
    arrives('loaded', $redis, 'early', keys_of('loading', 20));
    $redis->end;
}


stop_nginx();
unlike($logs, qr/pw-secret|wrong-secret/, 'no password is in any error log');
# two of them ended with a key that no Redis could take, and said so
is(scalar($logs =~ s/^.*\[alert\].*this process ends with 1 changed keys.*$//mg),
    2, 'what was left at the end is said');
unlike($logs, qr/\[(?:alert|crit|emerg)\]|exited on signal|Sanitizer/,
    'no process has died, and none of it is worse than an error');

done_testing();
