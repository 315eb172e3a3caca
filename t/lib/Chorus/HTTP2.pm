package Chorus::HTTP2;

# Just enough of HTTP/2 to send a request whose answer may come before its
# body has been sent, which curl gives up on.
#
#     my $answer = exchange($socket, $bytes);
#     $answer->{body}       of the response
#     $answer->{reset}      error code of RST_STREAM, or undef
#     $answer->{is_whole}   it ended with END_STREAM
#
# $bytes is a request as of HTTP/1.1; its framing is left out, and its length
# unless a third argument is true.

use strict;
use warnings;

use IO::Select;

my $PATIENCE = 40;      # seconds without a byte

my %Drop = map { $_ => 1 } qw(connection host transfer-encoding);


sub exchange {
    my ($socket, $bytes, $with_length) = @_;

    local $SIG{PIPE} = 'IGNORE';
    my ($head, $body) = split /\r\n\r\n/, $bytes, 2;
    my %s = (socket => $socket, in => '', body => '', is_whole => 0,
        windows => { 0 => 65535, 1 => 65535 });

    # what it says of its windows is wanted before anything is sent
    print $socket "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(4, 0, 0, '');
    $socket->flush;
    receive(\%s, $PATIENCE) until exists $s{settings} || $s{is_over};

    print $socket frame(1, 4, 1, headers($head, $with_length));
    while (length $body && !$s{is_over}) {
        my ($room) = sort { $a <=> $b } values %{ $s{windows} }, 16384,
            length $body;
        if ($room > 0) {
            my $part = substr $body, 0, $room, '';
            $s{windows}{$_} -= $room for 0, 1;
            print $socket frame(0, length $body ? 0 : 1, 1, $part);
        }
        $socket->flush;
        receive(\%s, $room > 0 ? 0 : $PATIENCE);
    }
    $socket->flush;
    receive(\%s, $PATIENCE) until $s{is_over};

    return \%s;
}


sub frame {
    my ($type, $flags, $stream, $payload) = @_;

    return substr(pack('N', length $payload), 1)
        . pack('CCN', $type, $flags, $stream) . $payload;
}


# All literal, never indexed.
sub headers {
    my ($head, $with_length) = @_;

    my %drop = (%Drop, 'content-length' => !$with_length);
    my ($line, @headers) = split /\r\n/, $head;
    my ($method, $target) = split / /, $line;
    my ($host) = $head =~ /^Host: *(\S+)/mi;

    return join '', map { "\0" . text($_->[0]) . text($_->[1]) }
        [':method' => $method], [':scheme' => 'http'], [':path' => $target],
        [':authority' => $host],
        grep { !$drop{$_->[0]} }
        map { /^([^:]+): *(.*)/ ? [lc $1, $2] : () } @headers;
}


sub text {
    my ($text) = @_;

    my $length = length $text;
    return chr($length) . $text if $length < 127;

    $length -= 127;
    my $out = chr 127;
    for (; $length >= 128; $length >>= 7) {
        $out .= chr($length & 127 | 128);
    }
    return $out . chr($length) . $text;
}


# Reads what is there, waiting for so long at most.
sub receive {
    my ($s, $seconds) = @_;

    if (!IO::Select->new($s->{socket})->can_read($seconds)) {
        $s->{is_over} = 1 if $seconds;
        return;
    }
    sysread $s->{socket}, $s->{in}, 65536, length $s->{in}
        or return $s->{is_over} = 1;

    while (length $s->{in} >= 9) {
        my ($high, $low, $type, $flags, $stream) = unpack 'CnCCN', $s->{in};
        my $length = $high << 16 | $low;
        return if length $s->{in} < 9 + $length;
        my $payload = substr $s->{in}, 9, $length;
        substr $s->{in}, 0, 9 + $length, '';
        take($s, $type, $flags, $stream, $payload);
    }
}


sub take {
    my ($s, $type, $flags, $stream, $payload) = @_;

    if ($type == 0) {
        $s->{body} .= $payload;
    } elsif ($type == 3) {
        $s->{reset} = unpack 'N', $payload;
        $s->{is_over} = 1;
    } elsif ($type == 4 && !($flags & 1)) {
        my %settings = unpack '(nN)*', $payload;
        $s->{windows}{1} += $settings{4} - 65535 if exists $settings{4};
        $s->{settings} = \%settings;
        print { $s->{socket} } frame(4, 1, 0, '');
    } elsif ($type == 7) {
        $s->{is_over} = 1;
    } elsif ($type == 8) {
        $s->{windows}{$stream} += unpack 'N', $payload;
    }

    $s->{is_whole} = $s->{is_over} = 1
        if $type <= 1 && $flags & 1 && $stream == 1;
}

1;
