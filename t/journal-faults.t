# The journal when things go wrong: full, gone, corrupt, shared, reloaded.

use strict;
use warnings;

use File::Temp ();
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

# a small disk is a mount: without root in a namespace, where that may be
BEGIN {
    exec 'unshare', '-Urm', $^X, $0
        if $> != 0 && system('unshare -Urm true 2>/dev/null') == 0;
    push @INC, 't/lib';
}
use Chorus::Fixture;
use Chorus::Journal;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sign qw(request);
use Chorus::Storage;

# mounts need root, if only in a namespace
sub is_namespace { read_file('/proc/self/uid_map') !~ /4294967295/ }

my $R = 'alice:bkt:follower';
my $BAD = qr/\[(?:alert|emerg)\]|open socket|exited on signal/;

my $redis = Chorus::Redis->start;
Chorus::Storage->start;
write_file("$Folder/chorus.json",
    chorus_json(redis => { url => $redis->url },
        api => { token_file => 'api.token' }), 0600);
write_file("$Folder/api.token", "0123456789abcdef\n", 0600);

my %config = (config => server_config(proxy_location('/'),
    'location /api/ { chorus_api; }'));
my $journal = Chorus::Journal->new("$Folder/journal");
my $nginx;


sub start_nginx {
    my ($arguments, %options) = @_;

    $nginx->stop('TERM') if $nginx;
    $journal->clean unless delete $options{keeps};
    my $more = delete $options{more} // '';
    $nginx = Chorus::Nginx->start(%config, http => http_config()
        . $journal->directive($arguments) . "chorus_repeat off;$more",
        %options);
    wait_for { !$redis->{pid} || $nginx->log =~ /Redis is ready/ };
}


sub stop_nginx {
    my ($name) = @_;

    ok($nginx->stop('TERM'), "$name: nginx ends");
    # what the tests do themselves
    my $log = $nginx->log =~ s/.*(?:exited\ on\ signal\ 9|are\ waiting;\ changes\ of
        |what\ is\ owed\ would\ be\ lost).*//gxr;
    unlike($log, $BAD, "$name: without worse in its log");
    undef $nginx;
}


sub put {
    my ($key, @words) = @_;

    return $nginx->exchange(request(PUT => "/bkt/$key", body => 'hello',
        @words ? (headers => ['X-Answer' => "@words"]) : ()));
}


sub arrive {
    my ($name, @keys) = @_;

    my %wanted = map { ("$R $_ 7" => 1) } @keys;
    my $missing = sub {
        my %there = map { $_ => 1 } eval { $redis->marks_now };
        return grep { !$there{$_} } sort keys %wanted;
    };
    wait_for { !$missing->() } 10;
    is_deeply([$missing->()], [], $name);
}


# Whether what is owed outlives the process, as its status says.
sub kept {
    my $reply = $nginx->exchange("GET /api/v1/status HTTP/1.1\r\nHost: h\r\n"
        . "Authorization: Bearer 0123456789abcdef\r\n"
        . "Connection: close\r\n\r\n");
    return JSON::PP::decode_json($reply->{body})->{proxy}{journal}
        {debts_kept};
}


sub owed { $redis->call('HGET', "chorus:{$R}", 'owed_reason') }
sub all_owed { $redis->call('HGET', 'chorus:owed', 'owed_reason') }


sub begin_redis {
    $redis->begin;
    $redis->call('FLUSHALL');
}


# Of a segment that no process owns any more, with the writes of these keys.
sub leave_segment {
    my (@keys) = @_;

    $redis->end;
    start_nginx('window=1s');
    put($_) for @keys;
    wait_for { grep({ $_ eq 'done' } $journal->types) == @keys };
    kill 'KILL', $nginx->pid, $nginx->workers;
    wait_for { !$nginx->pid };
    undef $nginx;
    my @files = $journal->segments;
    return $files[0];
}


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
my $dir = "$Folder/journal";

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


# ---- full ----

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
put('again');
ok(wait_for { $journal->intents }, 'and it is written again');
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
    config => server_config(proxy_location('/'), map {
        proxy_location("/many-$_/", 'chorus_replicate follower archive;')
    } 1 .. 150));
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
    config => server_config(proxy_location('/'), map {
        proxy_location("/many-$_/", 'chorus_replicate follower archive;')
    } 1 .. 150));
fill();
$nginx->exchange(request(PUT => "/many-$_/k", body => '')) for 1 .. 150;
kill 'KILL', $nginx->workers;
begin_redis();
ok(wait_for(sub { (all_owed() // '') =~ /of a process/ }, 8),
    'killed meanwhile: Redis hears that all owe') or diag(all_owed());
stop_nginx('full');


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
put('back');
ok(wait_for { grep { $_->{keys}[0] eq 'back' } $journal->intents },
    'and written to');
stop_nginx('no folder');

if ($> == 0) {
    $redis->call('FLUSHALL');
    system("mount -t tmpfs -o size=40k tmpfs $dir") == 0 or die "mount\n";
    start_nginx('window=1s');
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


# ---- several processes, several proxies, reloads ----

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
($worker) = $owners[0];
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
        for (my $n = 1; !-e "$Folder/enough"; $n++) {
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
    cmp_ok(scalar @good, '>', 50, 'of many');
    arrive('all are marked', @good);
    ok(wait_for(sub { $nginx->workers == 2 }, 10), 'the old processes go');
    sleep 1.5;
    is(scalar(() = $nginx->log =~ /is adopted: [1-9]/g), 0,
        'and nothing of theirs is marked twice');
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


# ---- more than memory takes ----

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
($worker) = $nginx->workers;
kill 'KILL', $worker;
ok(wait_for(sub { $nginx->log =~ /is adopted/ }, 10), 'killed, and adopted');
sleep 2;
($worker) = $nginx->workers;
# sanitizers keep what is freed
cmp_ok(megabytes($worker), '<',
    ($ENV{TEST_NGINX_BINARY} // '') =~ /asan/ ? 250 : 100, 'not all at once')
    or diag(megabytes($worker));
begin_redis();
ok(wait_for(sub { $redis->call('ZCARD', "chorus:{$R}:dirty") == 70000 }, 40),
    'Redis is back: all of them arrive')
    or diag($redis->call('ZCARD', "chorus:{$R}:dirty"));
ok(wait_for { owed() }, 'and the debt');
ok(wait_for(sub { !$journal->segments }, 60), 'the journal is empty')
    or diag(join ' ', $journal->segments);
stop_nginx('more than memory takes');
$redis->call('FLUSHALL');


# ---- in a thread ----

start_nginx('window=1s', more => 'chorus_journal_sync 20ms;');
($worker) = $nginx->workers;
is(scalar(() = glob "/proc/$worker/task/*"), 2, 'fdatasync has a thread');
put("sync-$_") for 1 .. 20;
arrive('and writes go on', map { "sync-$_" } 1 .. 20);
ok(wait_for(sub { !$journal->segments }, 6), 'the journal gets empty');
stop_nginx('sync');

done_testing();
