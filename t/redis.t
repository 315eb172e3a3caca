# Redis away, hung, locked, restarted: requests never wait for it, and marks
# arrive when it is back.

use strict;
use warnings;

use IO::Socket::UNIX;
use Test::More;
use Time::HiRes qw(sleep time);

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sign qw(request);
use Chorus::Storage;

# seconds of a request that waits for nobody: Redis itself is given 5
my $FAST = 4.5;
my $library = join '', map { read_file($_) }
    sort glob("$Conf/../shared/lua/*.lua");
my ($version) = $library =~ /^local VERSION = (\d+)/m;
my $nginx;
my $logs = '';              # of all of them

Chorus::Storage->start('main');


# A new nginx for that redis.url.
sub start_nginx {
    my ($url) = @_;

    stop_nginx();
    write_file("$Folder/chorus.json",
        chorus_json(redis => { url => $url }), 0600);
    $nginx = Chorus::Nginx->start(log => 'debug');
}


sub stop_nginx {
    return unless $nginx;

    # not QUIT: it would wait for a Redis that is not there
    $nginx->stop('TERM');
    $logs .= $nginx->log;
    undef $nginx;
}


sub is_ready {
    return wait_for { $nginx->log =~ /chorus: Redis is ready/ };
}


# Writes keys; each of them must pass at once.
sub passes {
    my ($name, @keys) = @_;

    my $slowest = 0;
    my $good = 0;
    for my $key (@keys) {
        my $reply = $nginx->exchange(request(PUT => "/bkt/$key",
            body => 'hello'));
        $slowest = $reply->{seconds} if $reply->{seconds} > $slowest;
        $good++ if $reply->{status} == 200;
    }

    is($good, scalar @keys, "$name: writes pass");
    ok($slowest < $FAST, "$name: without waiting") or diag($slowest);
}


sub arrives {
    my ($name, $redis, @keys) = @_;

    my %wanted = map { ("alice:bkt:follower $_ 7" => 1) } @keys;
    my $missing = sub {
        my %there = map { $_ => 1 } eval { $redis->marks_now };
        return grep { !$there{$_} } sort keys %wanted;
    };
    wait_for { !$missing->() } 10;
    is_deeply([$missing->()], [], "$name: the marks arrive");
}


# ---- ways to reach it ----

{
    my $redis = Chorus::Redis->start;

    start_nginx($redis->url);
    ok(is_ready(), 'a unix socket');
    passes('a unix socket', 'k');
    arrives('a unix socket', $redis, 'k');
    is($redis->call(qw(FCALL_RO chorus_version 0)), $version,
        'the function library was loaded');
    unlike($nginx->log, qr/\[error\]/, 'and nothing to complain of');

    start_nginx($redis->url(database => 5));
    passes('another database', 'five');
    $redis->call('SELECT', 5);
    arrives('another database', $redis, 'five');
    $redis->call('SELECT', 0);
    is_deeply([grep { /five/ } $redis->marks_now], [],
        'another database: none in the first');

    start_nginx($redis->url(database => 99));
    passes('a database that is not there', 'k');
    ok(wait_for { $nginx->log =~ /\[error\].*greeting: ERR DB index/ },
        'a database that is not there is logged');
}

{
    my $redis = Chorus::Redis->start(port => free_port());

    start_nginx($redis->url);
    passes('TCP', 'tcp');
    arrives('TCP', $redis, 'tcp');

    start_nginx($redis->url =~ s/127\.0\.0\.1/localhost/r);
    passes('a host name', 'name');
    arrives('a host name', $redis, 'name');
    $redis->end;
}


# ---- passwords ----

{
    my $password = 'redis-p@ss/word secret';
    my $encoded = 'redis-p%40ss%2Fword%20secret';
    my $redis = Chorus::Redis->start(login => [$password],
        args => ['--requirepass', $password]);

    start_nginx($redis->url(password => $encoded));
    passes('a password', 'p');
    arrives('a password', $redis, 'p');

    start_nginx($redis->url(password => 'wrong-secret'));
    passes('a wrong password', 'p');
    ok(wait_for { $nginx->log =~ /\[error\].*greeting: WRONGPASS/ },
        'a wrong password is logged');
    wait_for { $nginx->log =~ /greeting: WRONGPASS.*greeting: WRONGPASS/s };
    is(scalar(() = $nginx->log =~ /\[error\] .*WRONGPASS/g), 1,
        'as an error once, not each time');

    start_nginx($redis->url);
    passes('no password', 'p');
    ok(wait_for { $nginx->log =~ /\[error\].*greeting: NOAUTH/ },
        'no password is logged');

    $redis->call('ACL', 'SETUSER', 'chorus', 'on', '>acl-secret',
        '~chorus:*', '&chorus:*', '+@all');
    start_nginx($redis->url(user => 'chorus', password => 'acl-secret'));
    passes('a user', 'u');
    arrives('a user', $redis, 'u');

    $redis->call('ACL', 'SETUSER', 'chorus', '-@all');
    passes('a user who may do nothing any more', 'v');
    ok(wait_for { $nginx->log =~ /\[error\].*NOPERM/ }, 'is logged');
    $redis->call('ACL', 'SETUSER', 'chorus', '+@all');
    arrives('a user who may again', $redis, 'v');
    $redis->end;
}


# ---- there and away ----

{
    my $redis = Chorus::Redis->start;
    $redis->end;

    start_nginx($redis->url);
    my $before = time;
    passes('Redis is away', 'early', 'early', 'late');
    like($nginx->log, qr/\[error\].*Redis: connect: .*\([^;]*redis[^;]*; does it run.*requests go on/,
        'Redis is away: it is logged');
    is(scalar(() = $nginx->log =~ /\[error\]/g), 1,
        'Redis is away: as an error once');
    sleep 2;

    my $comes = time;
    $redis->begin;
    arrives('Redis comes', $redis, 'early', 'late');
    my $since = $redis->call('ZSCORE', 'chorus:{alice:bkt:follower}:dirty',
        'early') / 1000;
    # their way to Redis may take a while
    ok($since > $before - 0.3 && $since < $comes,
        'Redis comes: the marks have the age of the writes')
        or diag("$since is not in $before..$comes");

    $redis->end;
    passes('Redis is killed', 'meanwhile');
    $redis->begin;
    arrives('Redis starts again', $redis, 'meanwhile');
    passes('Redis is there again', 'after');
    arrives('Redis is there again', $redis, 'after');
}


# ---- there and not well ----

{
    my $redis = Chorus::Redis->start;

    start_nginx($redis->url);
    is_ready();

    kill 'STOP', $redis->{pid};
    passes('Redis hangs', map { "hung$_" } 1 .. 20);
    kill 'CONT', $redis->{pid};
    arrives('Redis goes on', $redis, map { "hung$_" } 1 .. 20);

    $redis->call('FUNCTION', 'FLUSH');
    passes('the library is gone', 'flushed');
    arrives('the library is loaded again', $redis, 'flushed');

    $redis->call('CONFIG', 'SET', 'maxmemory', 1);
    passes('Redis is full', 'full1', 'full2');
    ok(wait_for { $nginx->log =~ /\[error\].*refuses a call: OOM/ },
        'Redis is full: it is logged');
    $redis->call('CONFIG', 'SET', 'maxmemory', 0);
    arrives('Redis has room', $redis, 'full1', 'full2');

    $redis->call('CONFIG', 'SET', 'replica-serve-stale-data', 'yes');
    $redis->call('REPLICAOF', '127.0.0.1', 1);
    passes('Redis is a replica', 'replica');
    ok(wait_for { $nginx->log =~ /READONLY/ },
        'Redis is a replica: it is logged');
    $redis->call('REPLICAOF', 'NO', 'ONE');
    arrives('Redis is no replica', $redis, 'replica');

    for my $n (1 .. 20) {
        $redis->call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        $nginx->exchange(request(PUT => "/bkt/killed$n", body => ''));
    }
    arrives('connections that are cut', $redis, map { "killed$_" } 1 .. 20);
    unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]/, 'none of it is worse');
}

{
    my $path = "$Folder/hung.sock";
    my $listening = IO::Socket::UNIX->new(Local => $path, Listen => 1)
        or die "$path: $!\n";

    start_nginx("unix://$path");
    passes('Redis never says a word', map { "k$_" } 1 .. 20);
    ok(wait_for(sub { $nginx->log =~ /\[error\].*connecting timed out/ }, 8),
        'Redis never says a word: it is logged');
    passes('Redis still says nothing', 'k');
}

{
    my $path = "$Folder/liar.sock";
    my $listening = IO::Socket::UNIX->new(Local => $path, Listen => 8)
        or die "$path: $!\n";

    start_nginx("unix://$path");
    my $connection = $listening->accept;
    print $connection "HTTP/1.1 200 OK\r\n\r\n";
    $connection->flush;
    passes('this is no Redis', 'k');
    ok(wait_for { $nginx->log =~ /\[error\].*Redis: .*rotocol error/ },
        'this is no Redis: it is logged') or diag($nginx->log =~ /(.*Redis:.*)/);
}


# ---- versions of the library ----

for (
    ['an older library is replaced', 1, $version],
    ['a newer library stays', $version + 1, $version + 1],
) {
    my ($name, $before, $after) = @$_;

    my $redis = Chorus::Redis->start;
    $redis->call('FUNCTION', 'LOAD',
        $library =~ s/^local VERSION = \d+/local VERSION = $before/mr);
    start_nginx($redis->url);
    ok(is_ready(), $name);
    is($redis->call(qw(FCALL_RO chorus_version 0)), $after, "$name: $after");
}


stop_nginx();
unlike($logs, qr/p\@ss|p%40ss|wrong-secret|acl-secret|(?:alice|bob)-secret/,
    'no password and no secret is in any error log, at level debug');
unlike($logs, qr/exited on signal|Sanitizer|runtime error/,
    'and no process has died');

done_testing();
