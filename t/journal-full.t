# A journal that is full, and the debts that it has then.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::JournalTest;
use Chorus::Sign qw(request);
use Chorus::Storage;


# Fills it while Redis is away.
sub fill {
    my $n = 0;
    while ($nginx->log !~ /reached its max_size/ && $n < 400) {
        put('fill-' . $n++ . '-' . 'x' x 300);
    }
    return $n;
}

my @small = 'max_size=32k segment_size=16k window=1s';
$redis->end;
start_nginx("@small");
cmp_ok(fill(), '<', 400, 'the journal gets full');
is(put("more-$_")->{status}, 200, 'on_full=scan: writes go on') for 1 .. 5;
is(scalar(() = $nginx->log =~ /max_size; writes go on/g), 1,
    'and that is logged once');
my ($worker) = $nginx->workers;
is_deeply([map { $_->{debt} } $journal->records($journal->debts)], [$R],
    'the debt is in its file');
kill 'KILL', $worker;
begin_redis();
ok(wait_for(sub { owed() }, 8),
    'the next process tells Redis that a scan is owed');
like($nginx->log, qr/owes a scan: journal full/, 'and why');
ok(wait_for(sub { !$journal->segments }, 10), 'the journal drains');
ok(wait_for { !$journal->records($journal->debts) }, 'and its debts');
ok(wait_for { put('again'); $journal->intents }, 'and it is written again');
arrive('what has an intent is marked', 'again');

$redis->end;
start_nginx("@small");
fill();
put('later');
begin_redis();
ok(wait_for { owed() }, 'Redis is back: it hears of the debt');
is(owed(), 'journal full', 'and why');
arrive('and of the mark', 'later');
ok(wait_for(sub { $nginx->log =~ /has room again/ }, 10),
    'there is room again');
ok(wait_for { !$journal->records($journal->debts) }, 'no debt is left');

$redis->end;
start_nginx("@small on_full=reject");
cmp_ok(fill(), '<', 400, 'the journal gets full again');
Chorus::Storage->requests;
my $reply = put('refused');
is($reply->{status}, 503, 'on_full=reject: writes are refused');
like($reply->{body}, qr{<Code>SlowDown</Code>}, 'as S3 says it');
is($nginx->exchange(request(GET => '/bkt/k'))->{status}, 200,
    'reads are not');
is($nginx->exchange(request(PUT => '/other/k', body => ''))->{status}, 200,
    'nor writes that are not replicated');
is_deeply([grep { /refused/ } Chorus::Storage->requests], [],
    'main does not see what is refused');
begin_redis();
ok(wait_for(sub { put('accepted')->{status} == 200 }, 10),
    'room again: writes pass again');
isnt(owed() // '', 'journal full', 'and nothing is owed for it');

# more debts than one file has room for, over and over
$redis->end;
start_nginx("@small",
    config => server_config(proxy_location('/'),
        proxy_location('/many-', 'chorus_replicate follower archive;')));
fill();
$nginx->exchange(request(PUT => "/many-$_/k", body => '')) for 1 .. 80;
cmp_ok(scalar $journal->records($journal->debts), '>', 150,
    'many buckets owe a scan: each in the file');
$nginx->exchange(request(PUT => "/many-$_/k", body => '')) for 81 .. 150;
is_deeply([map { $_->{debt} } $journal->records($journal->debts)], ['*'],
    'too many: then the file says that all do');
begin_redis();
ok(wait_for(sub { $redis->call('HGET', 'chorus:{alice:many-150:archive}',
    'owed_reason') }, 8), 'Redis hears of each');
isnt(all_owed() // '', 'journal full', 'and not that all owe');
ok(wait_for(sub { $nginx->log =~ /has room again/ }, 10), 'room again');
ok(wait_for(sub { !$journal->records($journal->debts) }, 10),
    'and the file gets empty');

$redis->end;
start_nginx("@small", keeps => 1,
    config => server_config(proxy_location('/'),
        proxy_location('/many-', 'chorus_replicate follower archive;')));
fill();
$nginx->exchange(request(PUT => "/many-$_/k", body => '')) for 1 .. 150;
kill 'KILL', $nginx->workers;
begin_redis();
ok(wait_for(sub { (all_owed() // '') =~ /of a process/ }, 8),
    'killed meanwhile: Redis hears that all owe') or diag(all_owed());
stop_nginx('full');

done_testing();
