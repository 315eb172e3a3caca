package Test::Nginx::Socket::Upstream;

# --- tcp_listen: a server in a child process that takes one connection,
# reads a query, sends the reply and closes.

use strict;
use warnings;

use Errno qw(EINTR);
use File::Temp;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Test::More ();
use Time::HiRes qw(sleep);

use Test::Nginx::Socket::Settings qw(:all);
use Test::Nginx::Socket::Sections qw(section);
use Test::Nginx::Socket::Checks qw(is_str);

my $running;

# Seconds without data that end a query, with tcp_query_auto_timeout.
use constant QUERY_TIMEOUT => 0.1;


# Returns undef for a block without a tcp_listen.
sub start {
    my ($class, $block) = @_;

    my $target = expand(section($block, 'tcp_listen'), $block->name);
    return undef unless defined $target;

    bail_out($block->name, ' - tcp_listen needs a tcp_reply')
        unless defined section($block, 'tcp_reply')
            || defined section($block, 'tcp_shutdown');

    my $self = bless {
        block  => $block,
        target => $target,
        query  => File::Temp->new,
        socket => listen_on($target, $block->name),
    }, $class;

    $running = $self;
    spawn(\$self->{pid}, sub {
        $SIG{PIPE} = 'IGNORE';
        eval { $self->serve; 1 } or warn $block->name, " - TCP server: $@";
    });

    return $self;
}


sub listen_on {
    my ($target, $name) = @_;

    if ($target =~ /^\d+$/) {
        return IO::Socket::INET->new(LocalAddr => '127.0.0.1',
            LocalPort => $target, Listen => 5, ReuseAddr => 1)
            || bail_out("$name - cannot listen on port $target: $@");
    }

    bail_out("$name - bad tcp_listen: $target")
        unless $target =~ /\S\.sock$/;
    unlink $target;
    return IO::Socket::UNIX->new(Local => $target, Listen => 5)
        || bail_out("$name - cannot listen on $target: $!");
}


# In the parent, after the requests.
sub check {
    my ($self) = @_;

    my $block = $self->{block};
    my $name = $block->name;
    my $query = Test::Nginx::Socket::Server::read_file(
        $self->{query}->filename);
    my $expected = section($block, 'tcp_query');
    my $length = section($block, 'tcp_query_len');

    is_str($query, $expected,
        "$name - tcp_query") if defined $expected;
    Test::More::is(length $query, $length, "$name - tcp_query_len")
        if defined $length;

    $self->stop_running;
}


sub stop_running {
    my $self = $running or return;

    if ($self->{pid}) {
        local $?;
        kill 'KILL', $self->{pid};
        waitpid $self->{pid}, 0;
    }

    unlink $self->{target} if $self->{target} !~ /^\d+$/;
    close $self->{socket};
    undef $running;
}


# In the child.
sub serve {
    my ($self) = @_;

    my $block = $self->{block};
    my $client;
    until ($client = $self->{socket}->accept) {
        die "accept: $!\n" unless $! == EINTR;
    }

    my $shutdown = section($block, 'tcp_shutdown');
    if (defined $shutdown) {
        sleep(section($block, 'tcp_shutdown_delay') || 0);
        shutdown $client, $shutdown;
    }

    my $query = '';
    $query = $self->read_query($client)
        unless defined $shutdown && $shutdown != 1;

    sleep(parse_time(section($block, 'tcp_reply_delay')) || 0);
    send_reply($client, section($block, 'tcp_reply'), $query)
        unless defined $shutdown && $shutdown != 0;

    POSIX::pause() while defined section($block, 'tcp_no_close');
}


# Ends at the expected length; without one, with the first data.
sub read_query {
    my ($self, $client) = @_;

    my $block = $self->{block};
    my $length = section($block, 'tcp_query_len')
        // length(section($block, 'tcp_query') // '');
    my $timeout = section($block, 'tcp_query_auto_timeout');
    $timeout ||= QUERY_TIMEOUT if defined $timeout;

    my $query = '';
    my $select = IO::Select->new($client);

    while (1) {
        last if defined $timeout && !$select->can_read($timeout);
        my $count = sysread $client, my $bytes, 65536;
        last unless $count;

        $query .= $bytes;
        syswrite $self->{query}, $bytes;
        last if !defined $timeout && length $query >= $length;
    }

    return $query;
}


sub send_reply {
    my ($client, $reply, $query) = @_;

    $reply = $reply->($query) if ref $reply eq 'CODE';

    for my $piece (ref $reply eq 'ARRAY' ? @$reply : $reply) {
        next unless defined $piece;
        my $sent = 0;
        while ($sent < length $piece) {
            my $count = syswrite $client, $piece, length($piece) - $sent, $sent;
            die "sending the reply: $!\n" unless defined $count;
            $sent += $count;
        }
    }
}

1;
