package Chorus::Storage;

# Plays the storages: a process that listens on main.sock, follower.sock and
# archive.sock and answers each request with the head of that request as the
# body, so that a test sees what a storage sees.  Its own headers tell which
# storage it was and what the body was.
#
# A header "X-Answer" of the client asks for something else, by words:
#
#     503           this status
#     cut           no answer, the connection is closed
#     none          no answer, the connection stays open
#     stale         as cut, on a connection that has been used before
#     half          half of an answer, then the connection is closed
#     early         answers without reading the body
#     wait:0.5      seconds before the answer
#     until:name    no answer until the folder has this file
#     size:1000     a body of so many bytes
#     echo          the body of the request behind its head
#     chunked       the answer in chunks
#     file:name     the bytes of this file of the folder are the answer

use strict;
use warnings;

use Digest::SHA ();
use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use Time::HiRes qw(sleep);

use Chorus::Fixture;

my $pid;
my $log = "$Folder/storage.log";
my $begun = "$Folder/storage.begun";


sub start {
    my ($class, @names) = @_;

    @names = qw(main follower archive) unless @names;
    die "they are started together\n" if $pid;
    my @listening = map { [listen_on("$Folder/$_.sock"), $_] } @names;

    $pid = fork // die "fork: $!\n";
    return 1 if $pid;

    setpgrp;
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
    $SIG{CHLD} = 'IGNORE';
    $SIG{PIPE} = 'IGNORE';
    eval { serve(@listening); 1 } or warn "storage: $@";
    POSIX::_exit(0);
}


sub listen_on {
    my ($path) = @_;

    return IO::Socket::UNIX->new(Local => $path, Listen => 128)
        || die "$path: $!\n";
}


# In the child, until the test is gone.
sub serve {
    my (@listening) = @_;

    my %name = map { $_->[0] => $_->[1] } @listening;
    my $select = IO::Select->new(map { $_->[0] } @listening);
    my $parent = getppid;

    while (getppid == $parent) {
        for my $listening ($select->can_read(0.5)) {
            my $client = $listening->accept or next;
            my $child = fork // die "fork: $!\n";
            next if $child;

            eval { 1 while answer($client, $name{$listening}); 1 }
                or warn "storage: $@";
            POSIX::_exit(0);
        }
    }
}


# Of the connection, which has a process of its own.
my $answered = 0;

# Returns whether the connection goes on.
sub answer {
    my ($client, $name) = @_;

    my $head = read_head($client) // return 0;
    my %answer = wanted($head);
    my ($line) = $head =~ /^(\S+ \S+)/;
    note($begun, "$name $line");
    my $body = read_body($client, $answer{early} ? '' : $head, $answer{echo});

    note($log, "$name $line" . (defined $body ? '' : ' incomplete'));
    return 0 unless defined $body;

    sleep $answer{wait} if $answer{wait};
    await("$Folder/$answer{until}") if defined $answer{until};
    return 0 if $answer{cut} || $answer{stale} && $answered++;
    POSIX::pause() if $answer{none};

    if (defined $answer{file}) {
        my $reply = read_file("$Folder/$answer{file}");
        print $client $reply or return 0;
        $client->flush;
        return $reply !~ /^Connection: *close/mi;
    }

    my $text = defined $answer{size} ? 'x' x $answer{size} : $head;
    $text .= $body->{text} if $answer{echo};
    my $close = $answer{early} ? "Connection: close\r\n" : '';
    my $etag = $body->{etag}->hexdigest;
    my $length = 'Content-Length: ' . length $text;
    if ($answer{chunked}) {
        $length = 'Transfer-Encoding: chunked';
        $text =~ s/(.{1,8192})/sprintf "%x\r\n%s\r\n", length $1, $1/gse;
        $text .= "0\r\n\r\n";
    }

    my $status = $answer{status} // 200;
    my $reply = "HTTP/1.1 $status Said\r\n$length\r\n$close"
        . "Content-Type: text/plain\r\nETag: \"$etag\"\r\n"
        . "X-Storage: $name\r\nX-Body-Length: $body->{length}\r\n"
        . 'X-Body-Sha256: ' . $body->{sha256}->hexdigest . "\r\n\r\n";
    $reply .= $text unless $head =~ /^HEAD / || $status =~ /^(?:204|304)$/;
    $reply = substr $reply, 0, length($reply) / 2 if $answer{half};

    print $client $reply or return 0;
    $client->flush;

    # a reset would take the answer with it
    if ($answer{early}) {
        shutdown $client, 1;
        my $select = IO::Select->new($client);
        1 while $select->can_read(20) && sysread $client, my $rest, 65536;
    }

    return !$answer{half} && !$answer{early};
}


# A file, or the end of the test.
sub await {
    my ($path) = @_;

    my $parent = getppid;
    sleep 0.02 while !-e $path && getppid == $parent;
}


sub wanted {
    my ($head) = @_;

    my ($words) = $head =~ /^X-Answer: *(.*?)\r$/mi or return;
    return map { /^\d+$/ ? (status => $_)
        : /^(\w+):(.*)/ ? ($1 => $2) : ($_ => 1) } split ' ', $words;
}


sub read_head {
    my ($client) = @_;

    my $head = '';
    while (defined(my $line = readline $client)) {
        $head .= $line;
        return $head if $line eq "\r\n";
    }

    return undef;
}


# Counted and hashed, kept only when told; undef when the client goes before
# its end.
sub read_body {
    my ($client, $head, $is_kept) = @_;

    my $body = { length => 0, etag => Digest::SHA->new(1),
        sha256 => Digest::SHA->new(256), $is_kept ? (text => '') : () };

    return read_bytes($client, $1, $body)
        if $head =~ /^Content-Length: *(\d+)/mi;
    return $body unless $head =~ /^Transfer-Encoding: *chunked/mi;

    while (defined(my $line = readline $client)) {
        my ($size) = $line =~ /^([0-9a-f]+)/i or return undef;
        read_bytes($client, hex $size, $body) // return undef;
        readline $client;
        return $body if hex $size == 0;
    }

    return undef;
}


sub read_bytes {
    my ($client, $count, $body) = @_;

    while ($count > 0) {
        read $client, my $bytes, $count < 65536 ? $count : 65536
            or return undef;
        $count -= length $bytes;
        $body->{length} += length $bytes;
        $body->{text} .= $bytes if defined $body->{text};
        $_->add($bytes) for @$body{qw(etag sha256)};
    }

    return $body;
}


sub note {
    my ($path, $line) = @_;

    open my $out, '>>', $path or die "$path: $!\n";
    syswrite $out, "$line\n";
}


# Those whose head has arrived, whatever comes of them, since the first.
sub begun { return split /\n/, read_file($begun) }


# What has arrived since the last call, "main PUT /bkt/key".
my $told = 0;

sub requests {
    my $text = substr read_file($log), $told;
    $text =~ s/[^\n]+\z//;              # half a line is on its way
    $told += length $text;
    return split /\n/, $text;
}


sub stop {
    return unless $pid;

    local $?;
    kill 'KILL', -$pid, $pid;
    waitpid $pid, 0;
    undef $pid;
}


END {
    stop() if Chorus::Fixture::is_owner();
}

1;
