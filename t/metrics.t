# chorus_metrics: what it counts is what was sent, promtool reads it, and
# Redis cannot hold it up.

use strict;
use warnings;

use IPC::Open2;
use Test::More;
use Time::HiRes qw(sleep);

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sign qw(request);
use Chorus::Storage;

my $redis = Chorus::Redis->start;

write_file("$Folder/chorus.json",
    chorus_json(redis => { url => $redis->url }), 0600);
Chorus::Storage->start('main');

my $nginx = Chorus::Nginx->start(
    http => http_config() . 'chorus_repeat off;'
        . "chorus_journal $Folder/journal;",
    config => server_config(proxy_location('/'),
        'location = /metrics { chorus_metrics cache=50ms; }'));
wait_for { $nginx->log =~ /Redis is ready/ } or die $nginx->log;


sub scrape {
    my ($method) = @_;
    return $nginx->exchange(join "\r\n", ($method // 'GET')
        . ' /metrics HTTP/1.1', 'Host: x', 'Connection: close', '', '');
}


# {name with labels} -> value
sub read_metrics {
    my ($text) = @_;
    return { map { /^(\S+?(?:\{.*\})?) (\S+)$/ ? ($1, $2) : () }
        split /\n/, $text };
}


sub metrics { return read_metrics(scrape()->{body}) }


# what was told by Redis is told again for some seconds
sub metrics_when (&) {
    my ($good) = @_;
    my $seen;
    wait_for { local $_ = $seen = metrics(); $good->() };
    return $seen;
}


sub sum {
    my ($metrics, $pattern) = @_;
    my $sum = 0;
    $sum += $metrics->{$_} for grep { /$pattern/ } keys %$metrics;
    return $sum;
}


sub promtool {
    my ($text) = @_;
    my $pid = open2(my $out, my $in, 'promtool check metrics 2>&1');
    print $in $text;
    close $in;
    my $said = join '', <$out>;
    waitpid $pid, 0;
    return ($?, $said);
}


# ---- counts ----

my $before = metrics();

my (%count, %sent, %received);
for (
    ['put', '2xx', PUT => '/bkt/a', body => 'x' x 1000,
        headers => ['X-Answer' => 'wait:5']],
    ['put', '2xx', PUT => '/bkt/b', body => ''],
    ['put', '4xx', PUT => '/bkt/c', body => '', secret => 'wrong'],
    ['put', '4xx', PUT => '/bkt/c', body => '', access_key => 'nobody'],
    ['put', '5xx', PUT => '/two/e', body => '', headers => ['X-Answer' => 500]],
    ['get', '2xx', GET => '/bkt/a'],
    ['get', '4xx', GET => '/bkt/a', headers => ['X-Answer' => 404]],
    ['head', '2xx', HEAD => '/bkt/a'],
    ['delete', '2xx', DELETE => '/bkt/a'],
    ['list', '2xx', GET => '/bkt?list-type=2'],
    ['list', '2xx', GET => '/'],
    ['bucket', '2xx', PUT => '/bkt?versioning', body => '<x/>'],
    ['attributes', '2xx', GET => '/bkt/a?tagging'],
    ['multipart', '2xx', POST => '/bkt/a?uploads', body => ''],
    ['part', '2xx', PUT => '/bkt/a?partNumber=1&uploadId=u', body => 'part'],
    ['copy', '2xx', PUT => '/bkt/z', body => '',
        headers => ['x-amz-copy-source' => '/bkt/a']],
) {
    my ($class, $status, @request) = @$_;
    my $text = request(@request);
    my $reply = $nginx->exchange($text);
    like($reply->{status}, qr/^\Q@{[substr $status, 0, 1]}/,
        "$request[0] $request[1] is $status");
    $count{"chorus_requests_total{class=\"$class\",status=\"$status\"}"}++;
    $received{$class} += length $text;
    $sent{$class} += length $reply->{text};
}

my $all = sub { $_ = shift; sum($_, qr/^chorus_requests_total/)
    - sum($before, qr/^chorus_requests_total/) };
ok(wait_for { $all->(metrics()) == 16 }, 'all requests are counted');
my $after = metrics();

for my $name (sort keys %count) {
    is($after->{$name} - ($before->{$name} // 0), $count{$name}, $name);
}
for my $class (sort keys %sent) {
    is($after->{"chorus_sent_bytes_total{class=\"$class\"}"}, $sent{$class},
        "bytes to clients: $class");
    is($after->{"chorus_received_bytes_total{class=\"$class\"}"},
        $received{$class}, "bytes from clients: $class");
    for my $family (qw(duration overhead)) {
        my $name = "chorus_request_${family}_seconds";
        my @steps = map { $_->[1] } sort { $a->[0] <=> $b->[0] }
            map { [/le="([^"]+)"/ && ($1 eq '+Inf' ? 9e9 : $1),
                   $after->{$_}] }
            grep { /^\Q$name\E_bucket\{class="$class"/ } keys %$after;
        is(scalar(@steps), 16, "$family of $class: 16 steps");
        ok(!(grep { $steps[$_] < $steps[$_ - 1] } 1 .. $#steps),
            "$family of $class: they rise");
        is($steps[-1], sum($after, qr/^chorus_requests_total\{class="$class"/),
            "$family of $class: to the number of requests");
        is($after->{"${name}_count{class=\"$class\"}"}, $steps[-1],
            "$family of $class: which is its count");
    }
}
cmp_ok($after->{'chorus_request_overhead_seconds_sum{class="put"}'}, '>', 0,
    'our own work takes time');
cmp_ok($after->{'chorus_request_duration_seconds_sum{class="put"}'}, '>=', 5,
    'main took 5 s for one of them');
cmp_ok($after->{'chorus_request_overhead_seconds_sum{class="put"}'}, '<', 4.5,
    'which are not ours');
is_deeply({ map { /reason="(\w+)"/ ? ($1, $after->{$_}) : () }
    keys %$after }, { SignatureDoesNotMatch => 1, InvalidAccessKeyId => 1 },
    'refusals, by reason');

# a, b, the bucket, z; a again; e on two followers
is($after->{chorus_marks_total}, 7, 'keys that were marked');
$redis->marks(3);
is(metrics_when { $_->{chorus_marks_acknowledged_total} == 7 }
    ->{chorus_marks_waiting}, 0, 'Redis has them all');
is($after->{chorus_redis_up}, 1, 'the link to Redis');
cmp_ok($after->{chorus_journal_bytes}, '>', 0, 'the size of the journal');
is($after->{chorus_journal_max_bytes}, 64 * 1024 * 1024, 'its limit');
is($after->{chorus_journal_good}, 1, 'its state');
ok(exists $after->{chorus_journal_oldest_seconds}, 'its oldest entry');

is(scrape('POST')->{status}, 405, 'POST is refused');
my $reply = scrape('HEAD');
is($reply->{body}, '', 'HEAD has no body');
is($reply->{headers}{'content-type'},
    'text/plain; version=0.0.4; charset=utf-8', 'the type of the text');


# ---- what Redis knows ----

$redis->call('FCALL', 'chorus_worker_report', 2, 'chorus:workers',
    'chorus:workers:alive', 'ho"st\\1', 0, 16, 3, 'main', 7, 2, 1);
$redis->call('FCALL', 'chorus_scan_start', 3, 'chorus:{alice:bkt:follower}',
    'chorus:schedule', 'chorus:replications', 'check', 'quick', 0);
my $told = metrics_when {
    $_->{chorus_workers} && $_->{'chorus_scan_running{replication='
        . '"alice:bkt:follower"}'} };
is($told->{chorus_queue_up}, 1, 'Redis told');
my ($active, $guarded) = map {
    "chorus_replication_$_\{replication=\"alice:bkt:follower\"}"
} qw(active guarded);
is_deeply([@$told{$active, $guarded}], [1, 0], 'it goes on');
$redis->call('HSET', 'chorus:{alice:bkt:follower}', 'guarded_ms', 1,
    'guarded_reason', 'more than 2 deletes');
my $paused = metrics_when { $_->{$guarded} };
is_deeply([@$paused{$active, $guarded}], [0, 1],
    'the delete guard has paused it');
is($told->{'chorus_worker_slots{worker="ho\\"st\\\\1"}'}, 16,
    'slots of a worker with an odd name');
is($told->{'chorus_worker_busy_slots{worker="ho\\"st\\\\1"}'}, 3,
    'those that are busy');
for (['requests', 7], ['errors', 2], ['throttles', 1]) {
    is($told->{"chorus_worker_storage_$_->[0]_total"
        . '{worker="ho\\"st\\\\1",storage="main"}'}, $_->[1], $_->[0]);
}

for my $n (1 .. 150) {
    $redis->call('FCALL', 'chorus_mark', 3, "chorus:{alice:b$n:follower}",
        'chorus:schedule', 'chorus:replications', 'event', 60000 + 1000 * $n, 7, 'k');
}
my $dirty = sub { "chorus_replication_keys{replication=\"$_[0]\","
    . 'queue="dirty"}' };
my $many = metrics_when { ($_->{chorus_replications} // 0) > 150 };
is(scalar(grep { /^chorus_replication_lag_seconds/ } keys %$many), 101,
    'of many replications 100 have a row of their own, the others one');
is(sum($many, qr/^chorus_replication_keys\{.*queue="dirty"/),
    150 + sum($told, qr/^chorus_replication_keys\{.*queue="dirty"/),
    'and no key is left out');
ok(exists $many->{$dirty->('alice:b150:follower')}, 'those that lag most');
ok(!exists $many->{$dirty->('alice:b1:follower')}, 'not the others');
cmp_ok($many->{'chorus_replication_lag_seconds{replication="other"}'}, '>=',
    60, 'whose longest lag is told');
ok(!(grep { /_total\{replication="other"/ } keys %$many),
    'counters have no "other": they would jump');

my ($exit, $said) = promtool(scrape()->{body});
is($exit, 0, 'promtool has nothing to say') or diag($said);
($exit) = promtool("bad{ 1\n");
isnt($exit, 0, 'which says so when there is');


# ---- a Redis that is slow, or away ----

kill 'STOP', $redis->{pid};
sleep 0.1;
my $slow = metrics_when { !$_->{chorus_queue_up} };
is($slow->{chorus_queue_up}, 0, 'a Redis that does not answer');
ok(!exists $slow->{chorus_replications}, 'what it told before is not told');
ok(exists $slow->{chorus_marks_total}, 'what the proxy knows is');
{
    my $socket = $nginx->connect;
    print $socket "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    $socket->flush;
    close $socket;
}
kill 'CONT', $redis->{pid};
is(metrics_when { $_->{chorus_queue_up} }->{chorus_queue_up}, 1,
    'it answers again');

$redis->end;
is(metrics_when { !$_->{chorus_redis_up} }->{chorus_redis_up}, 0,
    'Redis is away');
($exit, $said) = promtool(scrape()->{body});
is($exit, 0, 'promtool reads that, too') or diag($said);

ok($nginx->stop, 'nginx stops');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and has nothing to complain of');

done_testing();
