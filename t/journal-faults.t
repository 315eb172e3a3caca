# The journal when things go wrong: no folder, no room, corrupt.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

# a small disk is a mount: without root in a namespace, where that may be
BEGIN {
    exec 'unshare', '-Urm', $^X, $0
        if $> != 0 && system('unshare -Urm true 2>/dev/null') == 0;
    push @INC, 't/lib';
}
use Chorus::Fixture;
use Chorus::JournalTest;
use Chorus::Nginx;

# mounts need root, if only in a namespace
sub is_namespace { read_file('/proc/self/uid_map') !~ /4294967295/ }


# ---- what nginx -t says ----

sub nginx_says {
    my ($directive, $user) = @_;

    my $plain = bless { %{ $nginx }, http => http_config() . $directive },
        'Chorus::Nginx';
    $plain->write_config;
    my $conf = "$Chorus::Nginx::Root/conf/nginx.conf";
    write_file($conf, read_file($conf) =~ s/^user root/user $user nogroup/mr) if $user;
    my $command = join ' ', map { "'$_'" } $plain->command('-t');
    my $text = `$command 2>&1`;
    $nginx->write_config;
    return $text;
}

start_nginx('');
write_file("$Folder/a-file", 'x');

for (
    ['a file instead of a folder', "chorus_journal $Folder/a-file;",
        qr/\[emerg\].*"\Q$Folder\E\/a-file" is not a folder/],
    ['a folder whose parent is missing', "chorus_journal $Folder/no/where;",
        qr/\[emerg\].*mkdir\(\) "\Q$Folder\E\/no\/where" failed/],
    ['a folder below a file', "chorus_journal $Folder/a-file/j;",
        qr/\[emerg\].*"\Q$Folder\E\/a-file\/j"/],
    ['a folder that nobody can write', 'chorus_journal /proc/self;',
        qr/\[emerg\].*"\/proc\/self"/],
    ['no size', "chorus_journal $dir max_size=many;",
        qr/\[emerg\].*invalid parameter "max_size=many"/],
    ['an empty size', "chorus_journal $dir segment_size=;",
        qr/\[emerg\].*invalid parameter "segment_size="/],
    ['a segment that is too small', "chorus_journal $dir segment_size=1;",
        qr/\[emerg\].*segment_size must be from/],
    ['a segment that is too large', "chorus_journal $dir segment_size=17m;",
        qr/\[emerg\].*segment_size must be from/],
    ['a journal of one segment', "chorus_journal $dir max_size=1m;",
        qr/\[emerg\].*max_size must be at least/],
    ['no window', "chorus_journal $dir window=x;",
        qr/\[emerg\].*invalid parameter "window=x"/],
    ['another way when it is full', "chorus_journal $dir on_full=stop;",
        qr/\[emerg\].*invalid parameter "on_full=stop"/],
    ['another parameter', "chorus_journal $dir size=1m;",
        qr/\[emerg\].*invalid parameter "size=1m"/],
    ['twice', "chorus_journal $dir; chorus_journal $dir;",
        qr/\[emerg\].*"chorus_journal" directive is duplicate/],
    ['the folder of something else',
        "chorus_journal $Chorus::Nginx::Root/proxy_temp;",
        qr/\[emerg\].*the same path name/],
    ['sync without a journal', 'chorus_journal_sync 10ms;',
        qr/\[emerg\].*"chorus_journal_sync" needs "chorus_journal"/],
    ['sync of no time', "chorus_journal $dir; chorus_journal_sync 0;",
        qr/\[emerg\].*"0" is neither "off" nor a time/],
    ['sync twice',
        "chorus_journal $dir; chorus_journal_sync off; chorus_journal_sync 1;",
        qr/\[emerg\].*"chorus_journal_sync" directive is duplicate/],
    ['all there is', "chorus_journal $dir/ max_size=8m segment_size=64k "
        . 'window=5s on_full=reject; chorus_journal_sync 10ms;',
        qr/test is successful/],
) {
    my ($name, $directive, $says) = @$_;

    like(nginx_says($directive), $says, "nginx -t: $name");
}

is((stat $dir)[2] & 0777, 0700, 'the folder is for nginx alone');

# the user of the processes, when it is another one than we
if ($> == 0 && !is_namespace()) {
    my $place = File::Temp->newdir;
    for ([0755, qr/test is successful/], [0700,
        qr{\[emerg\].*user "nobody" .* cannot use the folder "\Q$place\E/j"}])
    {
        my ($mode, $says) = @$_;

        chmod $mode, $place;
        like(nginx_says("chorus_journal $place/j;", 'nobody'), $says,
            sprintf 'nginx -t: a folder below one of mode %o', $mode);
    }
}


# ---- no room on the disk, no folder ----

start_nginx('window=1s');
put('before');
rename $dir, "$dir.away" or die "$dir: $!\n";
sleep 1.2;
is(put("away-$_")->{status}, 200, 'the folder is gone: writes go on')
    for 1 .. 3;
is(scalar(() = $nginx->log =~ /\[crit\].*journal .*writes go on/g), 1,
    'it is logged once');
ok(wait_for { owed() }, 'a scan is owed');
arrive('and the keys are marked', 'before', map { "away-$_" } 1 .. 3);
rename "$dir.away", $dir or die "$dir: $!\n";
ok(wait_for(sub { $nginx->log =~ /has room again/ }, 5),
    'it is noticed when it is back');
ok(wait_for { put('back');
    grep { $_->{keys}[0] eq 'back' } $journal->intents }, 'and written to');
stop_nginx('no folder');

if ($> == 0) {
    $redis->call('FLUSHALL');
    system("mount -t tmpfs -o size=40k tmpfs $dir") == 0 or die "mount\n";
    # the debt stays in its file for as long
    start_nginx('window=20s');
    my $rubbish = 'x' x 100000;
    open my $out, '>', "$dir/rubbish" or die "$dir: $!\n";
    syswrite $out, $rubbish;
    close $out;
    my $answer = put('no-room');
    put('no-room-' . 'x' x 900 . $_) for 1 .. 6;
    is($answer->{status}, 200, 'the disk is full: writes go on');
    ok(wait_for { $nginx->log =~ /\[crit\].*No space left/ }, 'it is logged');
    ok(wait_for { owed() }, 'a scan is owed');
    my ($file) = $journal->debts;
    is_deeply([map { $_->{debt} } $journal->records($file)], [$R],
        'its room had been taken before');
    unlink "$dir/rubbish";
    ok(wait_for(sub { $nginx->log =~ /has room again/ }, 5), 'room again');
    stop_nginx('disk full');

    # full from the beginning: not even what is owed can be written
    $journal->clean;
    open $out, '>', "$dir/rubbish" or die "$dir: $!\n";
    syswrite $out, $rubbish;
    close $out;
    start_nginx('window=1s', keeps => 1);
    ok(wait_for { $nginx->log =~ /\[alert\].*what is owed would be lost/ },
        'full when nginx starts: an alert');
    is(kept(), JSON::PP::false, 'and the status says so');
    $redis->end;
    is(put('no-room-at-all')->{status}, 200, 'writes go on');
    sleep 2.2;
    is(scalar(() = $nginx->log =~ /what is owed would be lost/g), 1, 'once');
    unlink "$dir/rubbish";
    ok(wait_for(sub { grep({ $_ eq $R } map { $_->{debt} // '' }
        map { Chorus::Journal::read_records($_) } $journal->debts) }, 5),
        'room: what is owed is written now') or diag($nginx->log);
    kill 'KILL', $nginx->workers;
    begin_redis();
    ok(wait_for(sub { owed() }, 8), 'killed: it is not lost');
    is(kept(), JSON::PP::true, 'and the status says so, too');
    stop_nginx('disk full at the start');
    system("umount $dir");
}
$redis->call('FLUSHALL');


# ---- bad segments ----

for (
    ['a cut end', sub { substr $_[0], 0, -40 }, undef, qr/k1 k2/],
    ['a flipped bit', sub { my $s = $_[0]; substr($s, 40, 1) ^= "\4"; $s },
        qr/\[warn\].*\.seg" is corrupt at 0/, qr/k2 k3/],
    ['rubbish in front', sub { 'rubbish' . $_[0] },
        qr/\[warn\].*\.seg" is corrupt at 0/, qr/k1 k2 k3/],
    ['rubbish behind', sub { $_[0] . 'rubbish' },
        qr/\[warn\].*\.seg" is corrupt at/, qr/k1 k2 k3/],
) {
    my ($name, $change, $warning, $marks) = @$_;

    my $file = leave_segment(qw(k1 k2 k3));
    write_file($file, $change->(read_file($file)));
    begin_redis();
    start_nginx('window=1s', keeps => 1);
    ok(wait_for(sub { join(' ', map { /(k\d)/ } $redis->marks_now) =~ $marks },
        8), "$name: what is whole is marked") or diag($redis->marks_now);
    if ($warning) {
        like($nginx->log, $warning, "$name: it is logged");
        ok(wait_for { owed() }, "$name: a scan is owed");
        is(wait_for { (all_owed() // '') =~ /^(journal corrupt)/ && $1 },
            'journal corrupt', "$name: by all, who may stand there, too");
    } else {
        unlike($nginx->log, qr/corrupt/, "$name: it is not worth a line");
        is(owed(), undef, "$name: nothing is owed");
    }
    ok(wait_for(sub { !$journal->segments }, 8), "$name: and it is removed");
    stop_nginx($name);
}

{
    my $file = leave_segment('k1');
    my $length = length read_file($file);
    write_file($file, 'x' x $length);
    write_file("$dir/foreign.seg", 'not of a journal');
    write_file("$dir/1-1-00000000000000zz.seg", 'nor this');
    mkdir "$dir/1-1-0000000000000001.seg";
    begin_redis();
    start_nginx('window=1s', keeps => 1);
    ok(wait_for { all_owed() && all_owed() =~ /journal/ },
        'nothing can be read: all owe a scan') or diag(all_owed());
    ok(wait_for { -e "$dir/foreign.seg.bad" }, 'a foreign file is put aside');
    like($nginx->log, qr/\[warn\].*foreign\.seg" .* it is ".*\.bad" now/,
        'with a line in the log');
    ok(wait_for { -e "$dir/1-1-00000000000000zz.seg.bad" },
        'one with a wrong name, too');
    ok(wait_for { -e "$dir/1-1-0000000000000001.seg.bad" },
        'and a folder');
    put('works');
    arrive('and all else works', 'works');
    stop_nginx('foreign files');
    rmdir "$dir/1-1-0000000000000001.seg.bad";
}


# ---- in a thread ----

start_nginx('window=1s', more => 'chorus_journal_sync 20ms;');
my ($worker) = $nginx->workers;
is(scalar(() = glob "/proc/$worker/task/*"), 2, 'fdatasync has a thread');
put("sync-$_") for 1 .. 20;
arrive('and writes go on', map { "sync-$_" } 1 .. 20);
ok(wait_for(sub { !$journal->segments }, 6), 'the journal gets empty');
stop_nginx('sync');

done_testing();
