package Chorus::Redis;

# A redis-server of the test's own, and a client that speaks just enough of
# the protocol to ask it what has arrived.
#
#     my $redis = Chorus::Redis->start;
#     $redis->url             for chorus.json
#     $redis->call('PING')    dies of an error reply
#     $redis->marks           "R key facets" lines of all that is dirty

use strict;
use warnings;

use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Time::HiRes qw(sleep);

use Chorus::Fixture;

my @running;


# Options: port (0: a socket in the folder), args (of redis-server), login
# ([user, password] or [password] of our own client).
sub start {
    my ($class, %options) = @_;

    my $self = bless {
        port  => $options{port} // 0,
        args  => $options{args} // [],
        login => $options{login},
        path  => "$Folder/redis-" . scalar(@running) . '.sock',
        options => \%options,
    }, $class;

    # one of its own: a dump.rdb in it is loaded at the start
    $self->{folder} = "$self->{path}.d";
    mkdir $self->{folder} or die "$self->{folder}: $!\n";

    push @running, $self;
    return $self->begin;
}


sub begin {
    my ($self) = @_;

    unlink $self->{path};
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        open STDOUT, '>>', "$Folder/redis.log";
        open STDERR, '>&', \*STDOUT;
        exec $self->command or POSIX::_exit(127);
    }

    $self->{pid} = $pid;
    my $is_up = wait_for {
        eval { $self->call('PING') } || $@ =~ /^(LOADING)/ && $1
            || waitpid($pid, POSIX::WNOHANG()) > 0;
    } 10;
    die "redis-server does not start:\n", read_file("$Folder/redis.log")
        unless $is_up =~ /^(?:PONG|LOADING)$/;
    return $self;
}


sub command {
    my ($self) = @_;

    return ('redis-server', '--port', $self->{port}, '--bind', '127.0.0.1',
        '--unixsocket', $self->{path}, '--unixsocketperm', '700',
        '--dir', $self->{folder}, '--save', '', '--appendonly', 'no',
        @{ $self->{args} });
}


sub end {
    my ($self, $signal) = @_;

    my $pid = delete $self->{pid} or return;
    delete $self->{socket};
    local $?;
    kill $signal // 'KILL', $pid;
    waitpid $pid, 0;
}


sub url {
    my ($self, %part) = @_;

    my $login = defined $part{password}
        ? ($part{user} // '') . ":$part{password}@" : '';
    my $database = $part{database} // 0;

    return $self->{port}
        ? "redis://${login}127.0.0.1:$self->{port}/$database"
        : "unix://$login$self->{path}?db=$database";
}


sub socket {
    my ($self) = @_;

    return $self->{socket} if $self->{socket};
    my $socket = IO::Socket::UNIX->new(Peer => $self->{path})
        or die "redis: $!\n";
    $self->{socket} = $socket;
    $self->call('AUTH', @{ $self->{login} }) if $self->{login};
    return $socket;
}


sub call {
    my ($self, @words) = @_;

    my $socket = $self->socket;
    local $SIG{PIPE} = 'IGNORE';
    print $socket '*', scalar @words, "\r\n",
        map { '$' . length($_) . "\r\n$_\r\n" } @words;
    $socket->flush;

    my $reply = eval { $self->reply };
    delete $self->{socket} if $@ =~ /^connection lost/;
    die $@ if $@;
    return $reply;
}


sub reply {
    my ($self) = @_;

    my $line = readline($self->{socket}) // die "connection lost\n";
    my ($type, $rest) = $line =~ /^(.)(.*?)\r\n/ or die "redis: bad reply\n";

    return $rest if $type eq '+' || $type eq ':';
    die "$rest\n" if $type eq '-';
    return undef if $rest == -1;
    return [map { $self->reply } 1 .. $rest] if $type eq '*';

    read $self->{socket}, my $bytes, $rest + 2;
    return substr $bytes, 0, $rest;
}


# Sorted; a key's facets are 7 where Redis has no entry.  Waits until nothing
# has changed for a moment, for at least $count marks.
sub marks {
    my ($self, $count) = @_;

    my @marks = $self->marks_now;
    wait_for { @marks = $self->marks_now; @marks >= ($count // 0) };
    sleep 0.05 unless $count;
    return $count ? @marks : $self->marks_now;
}


sub marks_now {
    my ($self) = @_;

    my @marks;
    for my $name (sort @{ $self->call('SMEMBERS', 'chorus:replications') }) {
        my $hash = "chorus:{$name}";
        my %facets = @{ $self->call('HGETALL', "$hash:facets") };
        push @marks, map { "$name $_ " . ($facets{$_} // 7) }
            @{ $self->call('ZRANGE', "$hash:dirty", 0, -1) };
    }

    @marks = sort @marks;
    return @marks;
}


# Away with all marks.  Not FLUSHDB: that is noticed, and they come back.
sub clear {
    my ($self) = @_;

    my @keys = grep { !/^chorus:(?:generation|owed)$/ }
        @{ $self->call('KEYS', '*') };
    $self->call('DEL', @keys) if @keys;
}


sub connections {
    my ($self) = @_;

    return split /\n/, $self->call('CLIENT', 'LIST');
}


END {
    if (Chorus::Fixture::is_owner()) {
        $_->end for @running;
    }
}

1;
