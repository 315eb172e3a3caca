# What Redis has acknowledged and may still forget stays known for as long as
# the journal's window says, whatever Redis, the clock or the folder do.

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

my $redis = Chorus::Redis->start;
Chorus::Storage->start;
write_file("$Folder/chorus.json",
    chorus_json(redis => { url => $redis->url }), 0600);

my $dir = "$Folder/journal";
my $journal = Chorus::Journal->new($dir);
my $nginx;


sub start_nginx {
    my ($arguments, %options) = @_;

    $nginx->stop('TERM') if $nginx;
    $journal->clean unless delete $options{keeps};
    $nginx = Chorus::Nginx->start(config => server_config(),
        http => http_config() . $journal->directive($arguments)
            . 'chorus_repeat off;', %options);
    wait_for { !$redis->{pid} || $nginx->log =~ /Redis is ready/ };
}


sub kill_nginx {
    kill 'KILL', $nginx->pid, $nginx->workers;
    wait_for { !$nginx->pid };
    undef $nginx;
}


sub put {
    my ($key) = @_;

    return $nginx->exchange(request(PUT => "/bkt/$key", body => 'hello'));
}


sub has_mark { defined eval { $redis->call('ZSCORE', "chorus:{$R}:dirty",
    $_[0]) } }
sub all_owed { scalar eval { $redis->call('HGET', 'chorus:owed',
    'owed_reason') } }
sub debts_of_file {
    return map { $_->{debt} } map { Chorus::Journal::read_records($_) }
        $journal->debts;
}


# Redis as it was when it was saved, in another process: its generation stays.
sub lose_tail {
    $redis->end;
    $redis->begin;
}


# ---- a debt that Redis has, and then hangs ----

start_nginx('window=2s');
$redis->call('DEL', 'chorus:owed');
write_file("$dir/foreign.seg", 'not a segment');
ok(wait_for { all_owed() }, 'all replications owe a scan, as Redis knows');
kill 'STOP', $redis->{pid};
sleep 4.5;
is_deeply([debts_of_file()], ['*'],
    'Redis hangs, and may be replaced: the file says it still');
kill 'CONT', $redis->{pid};
ok(wait_for(sub { !debts_of_file() }, 8), 'until it is heard of again');


# ---- a window of more than the default ----

start_nginx('window=20s');
put('first');
ok(wait_for { has_mark('first') }, 'a mark');
$redis->call('SAVE');
put('later');
ok(wait_for { has_mark('later') }, 'another');
sleep 12;
lose_tail();
ok(wait_for(sub { has_mark('later') }, 8),
    'Redis forgets more than 10 s: what the process has told it is marked');
ok(has_mark('first'), 'in a Redis that has the rest');


# ---- a clock that is set back ----

# Of CLOSED records: to another time, and a checksum that is right.
sub set_closed_time {
    my ($file, $time) = @_;

    my $bytes = read_file($file);
    my $salt = reverse pack 'H16', $file =~ /-([0-9a-f]{16})\.seg$/;
    for (my $at = 0; $at + 32 <= length $bytes; ) {
        my ($type, $length) = unpack 'x4 V V', substr $bytes, $at, 32;
        if ($type == 5) {
            substr $bytes, $at + 24, 8, pack 'Q<', $time;
            my $record = substr $bytes, $at, 32 + $length;
            substr $bytes, $at + 12, 4, pack 'V', crc32c($salt
                . substr($record, 0, 12) . substr $record, 16);
        }
        $at += 32 + $length;
    }
    open my $out, '+<', $file or die "$file: $!\n";
    syswrite $out, $bytes;
}


sub crc32c {
    my ($bytes) = @_;

    my $crc = 0xffffffff;
    for my $byte (unpack 'C*', $bytes) {
        $crc ^= $byte;
        $crc = $crc & 1 ? $crc >> 1 ^ 0x82f63b78 : $crc >> 1 for 1 .. 8;
    }
    return $crc ^ 0xffffffff;
}


# The next process waits until it has met Redis, and marks nothing again.
start_nginx('window=6s');
put('closed');
ok(wait_for { has_mark('closed') }, 'a mark');
my ($segment) = $journal->segments;
# at TERM, nginx kills after a second
$nginx->stop('QUIT');
is(scalar(grep { $_ eq 'closed' } $journal->types), 1, 'its segment is closed');
set_closed_time($segment, 1000 * (time + 3600));
start_nginx('window=6s', keeps => 1);
sleep 2.5;
unlike($nginx->log, qr/is corrupt|writes are marked/, 'it is read');
ok(-e $segment, 'closed in an hour: it stays for the window');
ok(wait_for(sub { !-e $segment }, 8), 'and not longer');


# ---- a folder that is exchanged ----

start_nginx('window=1s');
put('known');
ok(wait_for { has_mark('known') }, 'a mark');
$redis->call('DEL', 'chorus:owed');
$redis->call('SAVE');
$redis->end;
put('before');
rename $dir, "$dir.away" or die "$dir: $!\n";
mkdir $dir, 0700 or die "$dir: $!\n";
sleep 2.5;
is(put('after')->{status}, 200, 'another folder in its place: writes go on');
is_deeply([map { $_->{keys}[0] } $journal->intents], ['after'],
    'their intents are in that one');
is_deeply([debts_of_file()], ['*'],
    'and a scan is owed for those that were in the other');
like($nginx->log, qr/\[err(?:or)?\].*is gone from its folder/,
    'the log says so');
kill_nginx();
$redis->begin;
start_nginx('window=1s', keeps => 1);
ok(wait_for(sub { has_mark('after') }, 8), 'killed: the next nginx marks');
ok(wait_for { all_owed() }, 'and tells the debt');
$nginx->stop('TERM');

my $count = () = $nginx->log =~ /$BAD/g;
is($count, 0, 'without worse in its log');

done_testing();
