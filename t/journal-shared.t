# Two nginx, each with its own master, whose journals share a folder.

use strict;
use warnings;

use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::Journal;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sign qw(request);
use Chorus::Storage;

my $R = 'alice:bkt:follower';
my $BAD = qr/\[(?:alert|crit|emerg)\]|open socket/;

my $redis = Chorus::Redis->start;
Chorus::Storage->start;
write_file("$Folder/chorus.json",
    chorus_json(redis => { url => $redis->url }), 0600);

my $journal = Chorus::Journal->new("$Folder/journal");
my @places = ([$Chorus::Nginx::Root, $Chorus::Nginx::Port],
    ["$Folder/second", free_port()]);
my @nginx;


# Runs the code with the folder and the port of that nginx.
sub on {
    my ($which, $code) = @_;

    local ($Chorus::Nginx::Root, $Chorus::Nginx::Port) = @{ $places[$which] };
    return $code->($nginx[$which]);
}


sub begin {
    my ($which) = @_;

    on($which, sub {
        $nginx[$which] = Chorus::Nginx->start(config => server_config(),
            http => http_config() . 'chorus_repeat off;'
                . $journal->directive('window=1s segment_size=4k'),
            processes => 2);
        wait_for { !$redis->{pid} || $nginx[$which]->log =~ /Redis is ready/ };
    });
}


sub put {
    my ($which, @keys) = @_;

    return on($which, sub {
        grep { $_[0]->exchange(request(PUT => "/bkt/$_",
            body => 'hello'))->{status} == 200 } @keys;
    });
}


sub log_of { on($_[0], sub { $_[0]->log }) }


sub arrive {
    my ($name, @keys) = @_;

    my @missing;
    wait_for {
        my %there = map { $_ => 1 } eval { $redis->marks_now };
        @missing = grep { !$there{"$R $_ 7"} } @keys;
        return !@missing;
    } 10;
    is_deeply(\@missing, [], $name);
}


begin($_) for 0, 1;
my %owner = map { my $n = $_; map { $_ => $n } on($n, sub { $_[0]->workers }) }
    0, 1;
is(scalar keys %owner, 4, 'two nginx with two processes each');

# at the same time, Redis away, many small segments
$redis->end;
my @keys = map { my $n = $_; [map { "$n-$_" } 1 .. 200] } 0, 1;
my $pid = fork // die "fork: $!\n";
if ($pid == 0) {
    POSIX::_exit(put(1, @{ $keys[1] }) == 200 ? 0 : 1);
}
is(scalar put(0, @{ $keys[0] }), 200, 'writes to one');
waitpid $pid, 0;
is($?, 0, 'and to the other, at the same time');
sleep 2.2;

my @foreign;
for my $file ($journal->segments) {
    my ($owner) = $file =~ m{/(\d+)-[^/]*\.seg$};
    my $nginx = $owner{$owner} // 'nobody';
    push @foreign, map { "$_->{keys}[0] in one of $nginx" }
        grep { $_->{keys}[0] !~ /^$nginx-/ }
        grep { $_->{type} eq 'intent' } Chorus::Journal::read_records($file);
}
is_deeply(\@foreign, [], 'each segment is of a living process, and no write '
    . 'of another nginx is in it');
cmp_ok(scalar $journal->segments, '>', 8, 'of many');
is(scalar(grep { $_->{type} eq 'intent' } $journal->records), 400,
    'and all writes stand in one');
unlike(log_of($_), qr/is adopted/, "nginx $_ adopts nothing of a living one")
    for 0, 1;

# one of them dies
on(1, sub {
    my $master = $_[0]->pid;
    kill 'KILL', $master, $_[0]->workers;
    wait_for { !Chorus::Nginx::is_alive($master) };
});
ok(wait_for(sub { log_of(0) =~ /is adopted/ }, 8),
    'killed altogether: the other one adopts');
$redis->begin;
arrive('all of both are marked', map { @$_ } @keys);
ok(wait_for(sub { !$journal->segments }, 10), 'and all segments go');

begin(1);
is(scalar put($_, "last-$_"), 1, "nginx $_ goes on") for 0, 1;
arrive('with marks', 'last-0', 'last-1');
for (0, 1) {
    ok(on($_, sub { $_[0]->stop('QUIT') }), "nginx $_ ends");
    unlike(log_of($_), $BAD, 'without a complaint');
}

done_testing();
