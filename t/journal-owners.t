# Whose a segment is: several processes, several proxies, reloads.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::JournalTest;
use Chorus::Redis;


$redis->call('FLUSHALL');
start_nginx('window=1s', processes => 2);
$redis->end;
put("p-$_") for 1 .. 20;
my @owners = map { /(\d+)-\d+-\w+\.seg$/ } $journal->segments;
my %workers = map { $_ => 1 } $nginx->workers;
is_deeply([grep { !$workers{$_} } @owners], [],
    'each segment is of one living process');
sleep 2.2;
is(scalar(() = $nginx->log =~ /is adopted/g), 0, 'and nobody adopts it');
my ($worker) = $owners[0];
kill 'KILL', $worker;
ok(wait_for { $nginx->log =~ /is adopted/ }, 'a sibling adopts what is left');
begin_redis();
arrive('all arrive', map { "p-$_" } 1 .. 20);
ok(wait_for(sub { !$journal->segments }, 8), 'and all segments go');

# of another nginx, say: whoever holds the lock
{
    my $name = "$dir/99999-1-00000000000000aa.seg";
    my $file = leave_segment('other');
    open my $held, '+<', $file or die "$file: $!\n";
    flock $held, 6 or die "$file: $!\n";
    begin_redis();
    start_nginx('window=1s', keeps => 1);
    put('mine');
    arrive('mine', 'mine');
    sleep 1.5;
    ok(-e $file, 'a segment that another proxy holds stays');
    is_deeply([grep { /other/ } $redis->marks_now], [], 'and is not marked');
    close $held;
    arrive('until it lets go', 'other');
    ok(wait_for(sub { !-e $file }, 6), 'then it goes');
}

{
    my $marked = sub {
        my %h = $redis->call('INFO', 'commandstats')
            =~ /cmdstat_(fcall):calls=(\d+)/;
        return $h{fcall} // 0;
    };
    $redis->call('FLUSHALL');
    start_nginx('', processes => 2);
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        open my $out, '>', "$Folder/keys" or POSIX::_exit(1);
        for (my $n = 1; $n <= 100 || !-e "$Folder/enough"; $n++) {
            my $reply = eval { put("load-$n") } || { status => 0 };
            print $out "$reply->{status} load-$n\n";
        }
        close $out;
        POSIX::_exit(0);
    }
    for (1 .. 3) {
        sleep 1.5;
        $nginx->hup;
    }
    sleep 1.5;
    write_file("$Folder/enough", '');
    waitpid $pid, 0;
    my @lines = split /\n/, read_file("$Folder/keys");
    my @good = map { /^200 (.*)/ } @lines;
    is(scalar @good, scalar @lines, 'reloads under load: no write fails');
    cmp_ok(scalar @good, '>', 20, 'of many');
    arrive('all are marked', @good);
    ok(wait_for(sub { $nginx->workers == 2 }, 10), 'the old processes go');
    sleep 1.5;
    # but what Redis had not confirmed when they ended, on a busy machine
    my $twice = 0;
    $twice += $_ for $nginx->log =~ /is adopted: (\d+)/g;
    cmp_ok($twice, '<', @good / 4, 'and little of theirs is marked twice');
    stop_nginx('reload');
}

# old processes leave what they could not say
$redis->end;
start_nginx('window=1s');
put("old-$_") for 1 .. 5;
$nginx->hup;
ok(wait_for(sub { $nginx->workers == 1 }, 8),
    'a reload while Redis is away: the old process goes');
put("new-$_") for 1 .. 5;
ok(wait_for { $nginx->log =~ /is adopted: 5 writes/ }, 'the new one adopts');
begin_redis();
arrive('all arrive', map { ("old-$_", "new-$_") } 1 .. 5);
ok(wait_for(sub { !$journal->segments }, 8), 'and the journal is empty');
stop_nginx('reload while Redis is away');

done_testing();
