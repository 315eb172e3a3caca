# A request that changes something goes to a storage once: what nginx would
# send again when a connection breaks, the client is told of.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

BEGIN { push @INC, 't/lib' }
use Chorus::Fixture;
use Chorus::Nginx;
use Chorus::Redis;
use Chorus::Sign qw(request);

my $redis = Chorus::Redis->start;
write_file("$Folder/chorus.json",
    chorus_json(redis => { url => $redis->url }), 0600);
write_file("$Folder/quick.conf", read_file("$Folder/proxy.conf")
    =~ s/(proxy_read_timeout +)300s/${1}2s/r);


# ---- storages that end connections, on TCP ----

my @storages;

# Answers 200 and keeps the connection, but for keys that say otherwise:
# "eat" is read to its end and the connection closed without an answer, "mute"
# is never answered, "503" is that answer, "junk" is answered with no HTTP, the
# body of "late" comes late, even to a HEAD.
# SIGUSR1 closes what is idle.
sub storage {
    my ($name) = @_;

    my $listening = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        Listen => 64, ReuseAddr => 1) or die "listen: $!\n";
    my $pid = fork // die "fork: $!\n";

    if ($pid == 0) {
        setpgrp;
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        $SIG{USR1} = $SIG{CHLD} = 'IGNORE';
        my $parent = getppid;
        my $select = IO::Select->new($listening);
        while (getppid == $parent) {
            next unless $select->can_read(0.5);
            my $client = $listening->accept or next;
            next if fork // die "fork: $!\n";
            $SIG{USR1} = 'DEFAULT';
            close $listening;
            1 while answer($client, $name);
            POSIX::_exit(0);
        }
        POSIX::_exit(0);
    }

    wait_for { getpgrp($pid) == $pid };
    my $storage = { name => $name, pid => $pid,
        port => $listening->sockport };
    push @storages, $storage;
    return $storage;
}


sub answer {
    my ($client, $name) = @_;

    my ($head, $length) = ('', 0);
    while ($head !~ /\r\n\r\n\z/) {
        $head .= readline($client) // return 0;
    }
    read $client, my $body, $length if ($length) =
        $head =~ /^Content-Length: (\d+)/mi;
    my ($line, $key) = $head =~ m{^(\w+ /bkt/(\w*)\S*)};
    saw("$name $line");

    return 0 if $key eq 'eat';
    POSIX::pause() if $key eq 'mute';
    my $reply = $key eq 'junk' ? "no HTTP\r\n\r\n"
        : 'HTTP/1.1 ' . ($key =~ /^\d+$/ ? $key : 200) . " Said\r\n"
            . 'Content-Length: ' . length($name) . "\r\n\r\n$name";
    my $late = $key eq 'late' ? substr $reply, -length($name), length($name), ''
        : '';
    print $client $reply;
    $client->flush;
    sleep 0.5 if $late;
    print $client $late;
    $client->flush;
    # closes at once, and does not say so
    return $key ne 'close';
}


sub saw {
    open my $out, '>>', "$Folder/seen" or die "seen: $!\n";
    syswrite $out, "$_[0]\n";
}


# What the storages have seen since the last call.
my $told = 0;

sub seen {
    my $text = substr read_file("$Folder/seen"), $told;
    $told += length $text;
    return split /\n/, $text;
}


END {
    if (Chorus::Fixture::is_owner()) {
        local $?;
        kill 'KILL', -$_->{pid}, $_->{pid} for @storages;
    }
}


# ---- nginx in front of them ----

my ($one, $two) = (storage('one'), storage('two'));
my $nobody = free_port();
write_file("$Folder/seen", '');

my $nginx;

sub start_nginx {
    my ($servers, $proxy, @http) = @_;

    $nginx->stop if $nginx;
    my $http = http_config()
        =~ s/upstream main \{.*?\}/upstream main { $servers keepalive 8; }/sr;
    $nginx = Chorus::Nginx->start(
        http => join("\n", $http, @http, 'chorus_repeat 3s;'),
        config => server_config("location / { chorus on; $proxy "
            . "include $Folder/quick.conf; }"));
    wait_for { $nginx->log =~ /Redis is ready/ } or die $nginx->log;
}


# How often the key is marked within that time, as a worker would see it; it
# waits longer for as many as there should be.
sub marks_of {
    my ($key, $seconds, $wanted) = @_;

    my $times = 0;
    my $end = time + $seconds;
    for (; time < $end + ($times < $wanted ? 30 : 0); sleep 0.02) {
        $times++ if $redis->call('ZREM',
            'chorus:{alice:bkt:follower}:dirty', $key);
    }
    return $times;
}


sub ask {
    my ($method, $target, %options) = @_;

    return $nginx->exchange(request($method => "/bkt/$target",
        $method =~ /PUT|POST/ ? (body => 'hello') : (), %options));
}


my $server = sub { "server 127.0.0.1:$_[0]{port} max_fails=0;" };

# One server: nginx would try again because the connection was a kept one.
start_nginx($server->($one), '');

for (
    ['a small PUT', PUT => 'eat', 1],
    ['a DELETE', DELETE => 'eat', 1],
    ['a copy', PUT => 'eat', 1,
        headers => ['x-amz-copy-source' => '/bkt/from'], body => ''],
    ['tags', PUT => 'eat?tagging', 1],
    ['a POST', POST => 'eat?uploads', 1],
    ['a GET', GET => 'eat', 2],
    ['a HEAD', HEAD => 'eat', 2],
) {
    my ($name, $method, $target, $times, @options) = @$_;

    is(ask(GET => 'k')->{status}, 200, "$name: a connection is kept");
    $redis->clear;
    seen();
    is(ask($method, $target, @options)->{status}, 502,
        "$name that main reads and does not answer: 502");
    is_deeply([seen()], [("one $method /bkt/$target") x $times],
        "$name: main sees it $times times");
    next if $method ne 'PUT' && $method ne 'DELETE';
    is(marks_of('eat', 4, 2), 2, "$name: marked at once and again later");
}


# ---- connections that were closed while idle ----

# Each connection is a process.
sub connections {
    return scalar(() =
        read_file("/proc/$one->{pid}/task/$one->{pid}/children") =~ /\d+/g);
}


sub close_idle {
    kill 'USR1', -$one->{pid};
    wait_for { connections() == 0 };
}

for (
    ['a PUT', PUT => 'k'], ['a DELETE', DELETE => 'k'],
    ['an upload that streams', PUT => 'k', body => 'x' x 300_000],
) {
    my ($name, $method, @request) = @$_;

    ask(GET => 'k');
    seen();
    # in this order nginx hears of the request first
    my ($worker) = $nginx->workers;
    kill 'STOP', $worker;
    my $socket = $nginx->connect;
    print $socket request($method => '/bkt/k',
        $method eq 'PUT' ? (body => 'hello') : (),
        @request > 1 ? @request[1 .. $#request] : ());
    $socket->flush;
    close_idle();
    sleep 0.1;
    kill 'CONT', $worker;
    like(readline $socket, qr/^HTTP\S* 200/,
        "$name when main has just closed the connection");
    is_deeply([seen()], ["one $method /bkt/k"], "$name: main sees it once");
}

# its close may be on the way when the next one comes at once
for ([50, 'at once', sub {}, qr/^(?:200|502)$/],
    [10, 'when it has closed', sub { wait_for { connections() == 0 };
        sleep 0.2 }, qr/^200$/])
{
    my ($n, $when, $wait, $expected) = @$_;

    my $name = "$n PUTs, each $when, to a main that closes each time";
    my @status = map { $wait->(); ask(PUT => 'close')->{status} } 1 .. $n;
    is_deeply([grep { $_ !~ $expected } @status], [], $name);
    cmp_ok(scalar(seen()), '<=', $n, "$name: none is sent twice");
}


# ---- a body behind the answer to a HEAD, as Ceph sends it ----

for my $target ('late?acl', 'late?uploads', 'late?versionId=1&what') {
    is(ask(HEAD => $target)->{status}, 200, "HEAD $target");
    my $next = ask(GET => 'k');
    is("$next->{status} $next->{body}", '200 one',
        "HEAD $target: the next request gets its own answer");
}


close_idle();
ask(HEAD => 'k' . $_) for '', '?versionId=1&partNumber=2&x-id=HeadObject',
    '?X-Amz-Meta=1&response-expires=2', '';
is(connections(), 1, 'what only asks for an object keeps its connection');


# ---- several servers, and what proxy_next_upstream says ----

start_nginx($server->($one) . $server->($two) =~ s/;/ backup;/r,
    'proxy_next_upstream error timeout invalid_header http_503 http_404 '
    . 'non_idempotent;');

for (
    ['no answer', PUT => 'eat', 502, 'one'],
    ['no answer to a POST', POST => 'eat?uploads', 502, 'one'],
    ['no answer to a GET', GET => 'eat', 502, 'one', 'two'],
    ['no answer in time', DELETE => 'mute', 504, 'one'],
    ['no answer to a GET in time', GET => 'mute', 504, 'one', 'two'],
    ['no HTTP', PUT => 'junk', 502, 'one'],
    ['a 503', PUT => '503', 503, 'one'],
    ['a 503 for a POST', POST => '503?uploads', 503, 'one'],
    ['a 503 for a GET', GET => '503', 503, 'one', 'two'],
    ['a 404', DELETE => '404', 404, 'one'],
) {
    my ($name, $method, $target, $status, @servers) = @$_;

    seen();
    my $reply = ask($method, $target);
    is($reply->{status}, $status, "$name: $status");
    is_deeply([seen()], [map { "$_ $method /bkt/$target" } @servers],
        "$name: goes to @servers");
    like($reply->{body}, qr/^one$/, "$name: main's own answer")
        if $method ne 'GET' && $target =~ /^\d/;
}

start_nginx("server 127.0.0.1:$nobody max_fails=0;"
    . $server->($two) =~ s/;/ backup;/r, '');
seen();
is(ask(PUT => 'k')->{status}, 200, 'nobody listens: the next server gets it');
is_deeply([seen()], ['two PUT /bkt/k'], 'once');

ok($nginx->stop, 'nginx ends');
unlike($nginx->log, qr/\[(?:alert|crit|emerg)\]|open socket|exited on signal/,
    'and has nothing to complain of');

done_testing();
