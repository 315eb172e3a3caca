# A journal with more in it than memory takes.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::JournalTest;
use Chorus::Sign qw(request);


sub delete_1000 {
    my ($n) = @_;

    my $long = 'x' x 980;
    return $nginx->exchange(request(POST => '/bkt?delete', body => '<Delete>'
        . join('', map { sprintf '<Object><Key>%s-%02d-%03d</Key></Object>',
            $long, $n, $_ } 0 .. 999) . '</Delete>'))->{status};
}

sub megabytes {
    my ($pid) = @_;

    my ($kilobytes) = read_file("/proc/$pid/status") =~ /VmRSS:\s+(\d+)/;
    return int($kilobytes / 1024);
}

$redis->end;
start_nginx('window=1s max_size=300m segment_size=4m');
is(scalar(grep { delete_1000($_) == 200 } 1 .. 70), 70,
    '70,000 long keys while Redis is away');
like($nginx->log, qr/owes a scan: too many marks waited for Redis/,
    'some of them do not fit: a scan is owed');
my ($worker) = $nginx->workers;
kill 'KILL', $worker;
ok(wait_for(sub { $nginx->log =~ /is adopted/ }, 10), 'killed, and adopted');
sleep 2;
($worker) = $nginx->workers;
# sanitizers keep what is freed
cmp_ok(megabytes($worker), '<',
    ($ENV{TEST_NGINX_BINARY} // '') =~ /asan/ ? 250 : 100, 'not all at once')
    or diag(megabytes($worker));
begin_redis();
ok(wait_for(sub { $redis->call('ZCARD', "chorus:{$R}:dirty") == 70000 }, 400),
    'Redis is back: all of them arrive')
    or diag($redis->call('ZCARD', "chorus:{$R}:dirty"));
ok(wait_for { owed() }, 'and the debt');
ok(wait_for(sub { !$journal->segments }, 400), 'the journal is empty')
    or diag(join ' ', $journal->segments);
stop_nginx('more than memory takes');
$redis->call('FLUSHALL');

done_testing();
