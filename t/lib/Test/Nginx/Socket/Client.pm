package Test::Nginx::Socket::Client;

# One connection to nginx: writes the packets, reads until nginx closes.

use strict;
use warnings;

use Errno qw(EAGAIN EINTR);
use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use Test::More ();
use Time::HiRes qw(sleep);

use Test::Nginx::Socket::Settings qw(:all);
use Test::Nginx::Socket::Sections qw(section);

our @EXPORT_OK = qw(exchange);

use constant CONNECT_ATTEMPTS => 50;


# Returns the response as received, and whether the request was a HEAD.
sub exchange {
    my ($block, $packets) = @_;

    local $SIG{PIPE} = 'IGNORE';
    my $is_head = join('', map { $_->{value} } @$packets) =~ /^\s*HEAD\s/;

    my $timeout = parse_time(section($block, 'timeout')) // $Setting{timeout};
    my $socket = connect_to_nginx($block, $timeout) or return ('', $is_head);

    my $io = {
        socket       => $socket,
        packets      => [@$packets],
        buffer       => '',
        response     => '',
        middle_delay => section($block, 'raw_request_middle_delay'),
        shutdown     => section($block, 'shutdown'),
        name         => $block->name,
    };
    next_packet($io);

    if (!transfer($io, $timeout) && !defined section($block, 'abort')) {
        Test::More::fail("$io->{name} - client timed out after $timeout s");
    }

    close $socket;
    return ($io->{response}, $is_head);
}


sub connect_to_nginx {
    my ($block, $timeout) = @_;

    my $address = section($block, 'server_addr_for_client') // $ServerAddr;
    my $error;

    for my $attempt (1 .. CONNECT_ATTEMPTS) {
        my $socket = IO::Socket::INET->new(PeerAddr => $address,
            PeerPort => $ServerPortForClient, Timeout => $timeout);
        if ($socket) {
            $socket->blocking(0);
            return $socket;
        }

        $error = $@;
        sleep($attempt < 20 ? $Setting{sleep} : 0.1);
    }

    Test::More::fail($block->name
        . " - cannot connect to $address:$ServerPortForClient: $error");
    return undef;
}


# Returns false when nothing could be read or written for the timeout.
sub transfer {
    my ($io, $timeout) = @_;

    my $reading = IO::Select->new($io->{socket});
    my $writing = IO::Select->new($io->{socket});

    while (1) {
        my ($readable, $writable)
            = IO::Select->select($reading, $writing, undef, $timeout);
        return 0 unless $readable;

        return 1 if @$readable && !read_some($io);
        next unless @$writable;

        my $state = write_some($io);
        return 1 if $state eq 'failed';
        $writing->remove($io->{socket}) if $state eq 'done';
    }
}


# Returns false at the end of the response.
sub read_some {
    my ($io) = @_;

    while (1) {
        my $count = sysread $io->{socket}, my $bytes, 16384;

        if (!defined $count) {
            return 1 if $! == EAGAIN || $! == EINTR;
            warn "WARNING: $io->{name} - reading the response: $!\n";
            return 0;
        }

        return 0 if $count == 0;
        $io->{response} .= $bytes;
    }
}


sub write_some {
    my ($io) = @_;

    while (1) {
        if ($io->{buffer} eq '' && !next_packet($io)) {
            shut_down($io);
            return 'done';
        }

        my $count = syswrite $io->{socket}, $io->{buffer};

        if (!defined $count) {
            return 'again' if $! == EAGAIN || $! == EINTR;
            warn "WARNING: $io->{name} - writing the request: $!\n";
            return 'failed';
        }

        substr $io->{buffer}, 0, $count, '';
    }
}


sub next_packet {
    my ($io) = @_;

    my $packet = shift @{ $io->{packets} } or return 0;

    my $delay = $packet->{delay_before}
        // ($io->{started} ? $io->{middle_delay} : undef);
    sleep $delay if $delay && $io->{started};

    $io->{started} = 1;
    $io->{buffer} = $packet->{value};
    return 1;
}


sub shut_down {
    my ($io) = @_;

    my $how = $io->{shutdown};
    return unless defined $how;

    shutdown $io->{socket}, $how =~ /(\d)/ ? $1 : 1;
}

1;
