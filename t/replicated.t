# chorus_replication_status: what GET and HEAD of an object say about its
# followers, and that a Redis that is slow holds nothing up.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sign qw(request);
use Chorus::Storage;

my $redis = Chorus::Redis->start;

write_file("$Folder/chorus.json",
    chorus_json(redis => { url => $redis->url }), 0600);
Chorus::Storage->start('main', 'archive');
write_file("$Folder/own.txt", join "\r\n", 'HTTP/1.1 200 OK',
    'Content-Length: 0', 'X-Amz-Replication-Status: REPLICA', '', '');

my $nginx = Chorus::Nginx->start(log => 'debug',
    http => http_config() . 'chorus_repeat off;', config => server_config(
    proxy_location('/', 'chorus_replication_status on;'),
    proxy_location('/two/', 'chorus_replication_status on;'),
    proxy_location('/two/off/')));
wait_for { $nginx->log =~ /Redis is ready/ } or die $nginx->log;


sub told {
    my ($method, $target, @more) = @_;
    my $reply = $nginx->exchange(request($method => $target, @more));
    return ($reply, @{$reply->{headers}}{qw(x-amz-replication-status
        x-chorus-lag)});
}


# 50 ms may pass on a machine that does other things, too
sub told_when {
    my @request = @_;
    my @told;
    wait_for { @told = told(@request); defined $told[1] };
    return @told;
}


sub keys_of { return ("chorus:{$_[0]}", 'chorus:schedule',
    'chorus:replications') }


sub mark {
    my ($name, $key, $age) = @_;
    $redis->call('FCALL', 'chorus_mark', 3, keys_of($name), 'event', $age, 7,
        $key);
}


# where a key is of which both followers of "two" know
my ($f, $a) = map { "alice:two:$_" } qw(follower archive);
my (undef, $status, $lag) = told_when(GET => '/two/k');
is($status, 'PENDING', 'a replication of which Redis knows nothing');
is($lag, '0.000', 'nothing waits');

for ($f, $a) {
    mark($_, 'other', 0);
}
(undef, $status) = told_when(GET => '/two/k');
is($status, 'PENDING', 'a Redis that is new, and nobody has compared yet');
$redis->call('FCALL', 'chorus_paid_all', 1, 'chorus:owed',
    $redis->call('HGET', 'chorus:owed', 'owed_id'));
for my $method (qw(GET HEAD)) {
    (my $reply, $status, $lag) = told_when($method => '/two/k');
    is($reply->{status}, 200, "$method is answered");
    is($status, 'COMPLETED', "$method: nothing waits for either follower");
    is($lag, '0.000', "$method: without a lag");
}

mark($a, 'k', 61000);
(undef, $status, $lag) = told_when(HEAD => '/two/k');
is($status, 'PENDING', 'a change waits for one of them');
cmp_ok($lag, '>=', 61, 'for so many seconds');
cmp_ok($lag, '<', 200, 'and no more');
(undef, $status) = told_when(GET => '/two/k', headers => [Range => 'bytes=0-1']);
is($status, 'PENDING', 'of a part, too');

$redis->call('HSET', "chorus:{$f}", 'owed_reason', 'x');
$redis->call('ZADD', "chorus:{$f}:failed", 1, 'k');
(undef, $status) = told_when(GET => '/two/k');
is($status, 'FAILED', 'it is parked for the other one, which is worse');
(undef, $status) = told_when(GET => '/two/%6B');
is($status, 'FAILED', 'by another spelling');
(undef, $status) = told_when(GET => '/two/k%FF');
is($status, 'PENDING', 'another key of it, while a scan is owed');

# what has none
for (
    ['a bucket that nobody replicates', GET => '/lonely/k'],
    ['another storage', GET => '/logs-1/k'],
    ['a version of its own', GET => '/two/k?versionId=1'],
    ['tags', GET => '/two/k?tagging'],
    ['a listing', GET => '/two?list-type=2'],
    ['a write', PUT => '/two/w', body => ''],
    ['what is not there', GET => '/two/k', headers => ['X-Answer' => 404]],
    ['a location that does not say so', GET => '/two/off/k'],
) {
    my ($what, @request) = @$_;
    (my $reply, $status, $lag) = told(@request);
    like($reply->{status}, qr/^[24]/, "$what is answered");
    is_deeply([$status, $lag], [undef, undef], "without a status: $what");
}

(my $reply, $status) = told_when(GET => '/two/k',
    headers => ['X-Answer' => 'file:own.txt']);
is($status, 'FAILED', 'what main says of replications of its own is not told');

# several on one connection
my $text = request(GET => '/two/k', connection => 'keep-alive');
my $socket;
ok(wait_for {
    $socket = $nginx->connect;
    print $socket $text . request(GET => '/two/k');
    $socket->flush;
    my $all = do { local $/; <$socket> };
    2 == (() = $all =~ /^x-amz-replication-status: FAILED/mgi);
}, 'each of two requests of a connection');

# a Redis that takes no writes, and then takes them again
(undef, $status) = told_when(GET => '/two/other2');
is($status, 'PENDING', 'a scan is owed to one of both');
$redis->call('HDEL', "chorus:{$f}", 'owed_reason');
(undef, $status) = told_when(GET => '/two/other2');
is($status, 'COMPLETED', 'and is paid');
$redis->call('CONFIG', 'SET', 'min-replicas-to-write', 1);
$nginx->exchange(request(PUT => '/two/other2', body => ''));
my %seen;
sleep 0.3;
for (1 .. 15) {
    $seen{(told(GET => '/two/other2'))[1] // 'none'}++;
    sleep 0.1;
}
$redis->call('CONFIG', 'SET', 'min-replicas-to-write', 0);
ok(wait_for {
    (undef, $status) = told(GET => '/two/other2');
    $seen{$status // 'none'}++;
    ($status // '') eq 'PENDING';
}, 'a change that Redis does not take, and then does');
is($seen{COMPLETED}, undef, 'is never told to be there');

# a Redis that is slow
sub explained {
    return $redis->call('INFO', 'commandstats')
        =~ /^cmdstat_fcall_ro:calls=(\d+)/m ? $1 : 0;
}
my $explained = explained();
kill 'STOP', $redis->{pid};
sleep 0.1;
my $since = time;
($reply, $status) = told(GET => '/two/k');
cmp_ok(time - $since, '<', 20, 'a Redis that is slow holds nothing up');
is($reply->{status}, 200, 'it is answered');
is($status, undef, 'without a status');
(undef, $status) = told(GET => '/two/k',
    headers => ['X-Answer' => 'file:own.txt']);
is($status, undef, 'nor with that of main');
told(GET => '/two/k') for 1 .. 20;
$socket = $nginx->connect;
print $socket request(GET => '/two/k');
$socket->flush;
close $socket;
sleep 0.2;
kill 'CONT', $redis->{pid};
# it is asked one thing at a time, and marks do not stand behind 20 of them
cmp_ok(explained() - $explained, '<', 10, 'that owes an answer is not asked');
ok(wait_for { (told(GET => '/two/k'))[1] }, 'with one as soon as it answers');

$redis->end;
ok(wait_for { !defined((told(GET => '/two/k'))[1]) },
    'a Redis that is away: without a status');

ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and has nothing to complain of');

done_testing();
