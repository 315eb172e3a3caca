# The journal: a write that main may have applied is known in a file before
# main sees it, and is marked whatever dies in between.

use strict;
use warnings;

use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::Journal;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sign qw(request);
use Chorus::Storage;

my $BAD = qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/;

my $redis = Chorus::Redis->start;
Chorus::Storage->start;
write_file("$Folder/api.token", "0123456789abcdef\n", 0600);
write_file("$Folder/chorus.json",
    chorus_json(redis => { url => $redis->url },
        api => { token_file => 'api.token' }), 0600);

my @config = (config => server_config(proxy_location('/'),
    'location /api/ { chorus_api; }'));

my $journal = Chorus::Journal->new("$Folder/journal");


# A new nginx with a journal, in an empty folder unless it is told to keep.
my $nginx;

sub start_nginx {
    my ($arguments, %options) = @_;

    if ($nginx) {
        ok($nginx->stop('TERM'), 'nginx ends');
    }

    $journal->clean unless delete $options{keeps};
    my $more = delete $options{more} // 'chorus_repeat off;';
    $nginx = Chorus::Nginx->start(@config,
        http => http_config() . $journal->directive($arguments) . $more,
        %options);
    ok(wait_for { !$redis->{pid} || $nginx->log =~ /Redis is ready/ },
        'nginx starts');
}


sub put {
    my ($key, @words) = @_;

    return $nginx->exchange(request(PUT => "/bkt/$key", body => 'hello',
        @words ? (headers => ['X-Answer' => "@words"]) : ()))->{status};
}


# Sends a request and does not wait; returns the connection.
sub send_put {
    my ($key, @words) = @_;

    my $socket = $nginx->connect;
    print $socket request(PUT => "/bkt/$key", body => 'hello',
        headers => ['X-Answer' => "@words"]);
    $socket->flush;
    return $socket;
}


# Lets main answer those that it keeps with "until:$name".
sub let_go {
    my ($name) = @_;

    write_file("$Folder/$name", '');
}


# Whether main has that request, which it does not answer yet.
sub has_begun {
    my ($key) = @_;

    return grep { m{ /bkt/\Q$key\E$} } Chorus::Storage->requests;
}


sub missing {
    my (@keys) = @_;

    my %wanted = map { ("alice:bkt:follower $_ 7" => 1) } @keys;
    my $missing = sub {
        my %there = map { $_ => 1 } eval { $redis->marks_now };
        return grep { !$there{$_} } sort keys %wanted;
    };
    wait_for { !$missing->() } 10;
    return $missing->();
}


sub arrive {
    my ($name, @keys) = @_;

    is_deeply([missing(@keys)], [], $name);
}


sub kill_worker {
    my ($worker) = $nginx->workers;
    kill 'KILL', $worker;
    return wait_for { my ($new) = $nginx->workers; $new && $new != $worker };
}


sub restart_redis {
    $redis->begin;
    $redis->call('FLUSHALL');
}


# Of the master and all its processes, at once.
sub kill_nginx {
    my @pids = ($nginx->pid, $nginx->workers);
    kill 'KILL', @pids;
    wait_for { !grep { Chorus::Nginx::is_alive($_) } @pids };
    undef $nginx;
}


sub status {
    my $reply = $nginx->exchange("GET /api/v1/status HTTP/1.1\r\nHost: x\r\n"
        . "Authorization: Bearer 0123456789abcdef\r\n"
        . "Connection: close\r\n\r\n");
    return JSON::PP->new->decode($reply->{body});
}


sub owed {
    my ($name) = @_;

    return $redis->call('HGET', "chorus:{$name}", 'owed_reason');
}


# ---- one write ----

start_nginx('window=1s');
is_deeply([$journal->segments], [], 'no segment before the first write');

{
    my $socket = send_put('slow', 'until:seen');
    ok(wait_for { Chorus::Storage->requests }, 'main has the request');
    my @records = $journal->records;
    is(scalar @records, 1, 'and the journal has one record');
    is_deeply($records[0], { type => 'intent', id => $records[0]{id},
        facets => 7, user => 'alice', bucket => 'bkt',
        followers => ['follower'], keys => ['slow'] },
        'with what the write is about');
    is(status()->{proxy}{journal}{open}, 1, 'which is open');
    let_go('seen');
    my $answer = join '', <$socket>;
    like($answer, qr{^HTTP/1.1 200 }, 'main answers');
}

ok(wait_for { ($journal->types)[-1] eq 'done' }, 'then it is over');
arrive('and marked', 'slow');
is(status()->{proxy}{journal}{open}, 0, 'and not open any more');
ok(wait_for(sub { !$journal->segments }, 6),
    'the journal of an idle proxy is empty');

for (
    [200, 'intent done'], [404, 'intent abort'], [412, 'intent abort'],
) {
    my ($answer, $types) = @$_;

    put('k', $answer);
    ok(wait_for { "@{[$journal->types]}" =~ /\Q$types\E$/ },
        "main said $answer: $types") or diag("@{[$journal->types]}");
}

$nginx->exchange(request(PUT => '/bkt/k?tagging', body => ''));
is(($journal->intents)[-1]{facets}, 2, 'tags alone are facets of an intent');
$nginx->exchange(request(DELETE => '/bkt'));
is_deeply(($journal->intents)[-1]{keys}, [''], 'the bucket has no name');
$nginx->exchange(request(POST => '/two?delete', body => '<Delete>'
    . join('', map { "<Object><Key>k$_</Key></Object>" } 1 .. 1000)
    . '</Delete>'));
my $intent = ($journal->intents)[-1];
is_deeply($intent->{keys}, [map { "k$_" } 1 .. 1000],
    'a DeleteObjects of 1,000 keys is one intent');
is_deeply([sort @{ $intent->{followers} }], ['archive', 'follower'],
    'for all followers');

my $count = $journal->intents;
$nginx->exchange(request(@$_)) for [GET => '/bkt/k'],
    [PUT => '/other/k', body => ''], [OPTIONS => '/bkt/k'],
    [PUT => '/bkt/k', body => '', secret => 'wrong'];
is(scalar $journal->intents, $count,
    'reads, refusals and what is not replicated have none');


# ---- a process that is killed ----

start_nginx('window=1s');
$redis->end;
put("away-$_") for 1 .. 5;
put('refused', 404);
wait_for { ($journal->types)[-1] eq 'abort' };
is(status()->{proxy}{waiting}, 5, 'the status says what waits for Redis');
ok(kill_worker(), 'killed with marks that wait for Redis');
ok(wait_for(sub { status()->{proxy}{waiting} == 5 }, 6),
    'the same waits in the next process, and nothing is counted twice');
is(status()->{proxy}{journal}{state}, 'good', 'the journal is well');
restart_redis();
arrive('they are adopted', map { "away-$_" } 1 .. 5);
is_deeply([grep { /refused/ } $redis->marks_now], [],
    'what did not happen is not marked');
like($nginx->log, qr/\[notice\].*is adopted: 5 writes are marked/,
    'it is logged');
ok(wait_for(sub { !$journal->segments }, 6), 'and removed');
is(status()->{proxy}{waiting}, 0, 'then nothing waits');

my $socket = send_put('unknown', 'until:never');
wait_for { has_begun('unknown') };
ok(kill_worker(), 'killed while main is at work');
arrive('that is adopted', 'unknown');
is(status()->{proxy}{journal}{adopted}, 6, 'and counted');
is_deeply([sort keys %{ status()->{proxy}{journal} }], [qw(aborted adopted
    bytes debts debts_kept intents open segments state)],
    'as the rest of it');

$redis->end;
put("master-$_") for 1 .. 5;
$socket = send_put('master-6', 'until:never');
wait_for { has_begun('master-6') };
kill_nginx();
isnt(scalar $journal->segments, 0, 'killed altogether: segments stay');
restart_redis();
start_nginx('window=1s', keeps => 1);
arrive('the next nginx adopts them', map { "master-$_" } 1 .. 6);
ok(wait_for(sub { !$journal->segments }, 6), 'and removes them');


# ---- quit ----

$redis->end;
put("quit-$_") for 1 .. 5;
my $begin = time;
ok($nginx->stop('QUIT', 8), 'nginx that quits does not wait for Redis');
like($nginx->log, qr/\[notice\].*5 changed keys stay in the journal/,
    'and says so');
unlike($nginx->log, $BAD, 'without a complaint');
undef $nginx;
restart_redis();
start_nginx('window=1s', keeps => 1);
arrive('the next one adopts', map { "quit-$_" } 1 .. 5);

# at TERM, nginx kills after a second
ok($nginx->stop('QUIT'), 'nginx without marks ends');
is(($journal->types)[-1], 'closed', 'its last segment is closed')
    or diag(explain([$journal->records]));
$redis->end;
restart_redis();
undef $nginx;
start_nginx('window=1s', keeps => 1);
arrive('if Redis has forgotten meanwhile, it is marked again',
    map { "quit-$_" } 1 .. 5);
ok(wait_for(sub { !$journal->segments }, 6), 'but removed in the end');



# ---- main may still be at work ----

# Takes the mark away, as a worker would; returns how often it came back.  It
# waits longer for as many times as there should be.
sub times_marked {
    my ($key, $seconds, $wanted) = @_;

    my $times = 0;
    my $end = time + $seconds;
    for (; time < $end + ($times < $wanted ? 30 : 0); sleep 0.05) {
        $times += eval { $redis->call('ZREM',
            'chorus:{alice:bkt:follower}:dirty', $key) } // 0;
    }
    return $times;
}

start_nginx('window=1s', more => 'chorus_repeat 10s;');
put('late', 500);
is(times_marked('late', 1, 1), 1, 'an outcome that is not known: one mark');
isnt(($journal->types)[-1], 'done', 'and the intent stays open');
ok(kill_worker(), 'killed before it is marked again');
is(times_marked('late', 1, 2), 2, 'the next process marks at once, and later');
ok(wait_for(sub { !$journal->segments }, 6), 'then the intent is closed');

put('reload', 500);
my $asked = time;
$nginx->hup;
ok(wait_for { $nginx->workers == 1 }, 'a reload: the old process goes');
cmp_ok(time - $asked, '<', 9.5, 'it does not stay to mark again');
cmp_ok(times_marked('reload', 1, 2), '>=', 2, 'the new one does it');
ok(wait_for(sub { !$journal->segments }, 6), 'and closes the intent');

put('known', 200);
is(times_marked('known', 1, 1), 1, 'an outcome that is known: one mark');
ok(kill_worker(), 'killed');
cmp_ok(times_marked('known', 12, 0), '<=', 1, 'it is not marked again later');


# ---- a request that takes long ----

start_nginx('window=4s segment_size=4k');
$socket = send_put('long', 'until:never');
wait_for { has_begun('long') };
my ($first) = $journal->segments;
my $most = 0;
for (1 .. 200) {
    put("short-$_");
    my $segments = $journal->segments;
    $most = $segments if $segments > $most;
}
cmp_ok($most, '>', 2, 'many segments');
ok(wait_for(sub { !-e $first }, 12),
    'an open request does not keep the segment it began in');
ok(wait_for(sub { $journal->segments <= 2 }, 12), 'and all others go');
ok(wait_for { 1 == grep { $_->{keys}[0] eq 'long' } $journal->intents },
    'it is in one of those that stay');
ok(kill_worker(), 'killed');
arrive('it is marked', 'long');


start_nginx('window=1s segment_size=4k');
put("many-$_") for 1 .. 200;
$socket = send_put('hours', 'until:never');
wait_for { has_begun('hours') };
put("more-$_") for 1 .. 100;
arrive('many writes, and one that takes long', map { "more-$_" } 1 .. 100);
my ($old) = $nginx->workers;
$nginx->hup;
ok(wait_for(sub { $journal->segments <= 2 }, 6),
    'an old process that stays for it keeps no more than its segment');
ok(Chorus::Nginx::is_alive($old), 'while it stays');
ok(wait_for { 1 == grep { $_->{keys}[0] eq 'hours' } $journal->intents },
    'with the intent');
kill 'KILL', $old;
arrive('it is marked when that is killed', 'hours');

undef $nginx if $nginx->stop('TERM');
done_testing();
